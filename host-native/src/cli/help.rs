//! What stands below the flags of a command's help: examples of the commands that need no more than that, and paragraphs
//! that fill the terminal.

use clap::{Command, CommandFactory};

/// Of `serve`.
pub(super) const SERVE: &str = "\
Examples:
  pillarbox serve                                a server for development: everybody may send, all of it is caught
  pillarbox serve --memory --smtp 127.0.0.1:0 --ready-file ready.json
                                                 for a test: nothing on the disk, any port, told in a file
  pillarbox serve --fault 'any/verb=RCPT,nth=1/reply=451 4.7.1 later'
                                                 the first recipient is put off
  pillarbox serve --config pillarbox.toml        a server with domains and accounts

Exit codes: 0 stopped as asked; 1 failed; 2 wrong flag or file; 4 the data directory cannot be used; 5 an address cannot be used.";
/// Of `config`.
pub(super) const CONFIG: &str = "\
Examples:
  pillarbox config show --config pillarbox.toml --origin
  pillarbox config show > pillarbox.toml         what holds now, to begin a file with
  pillarbox config schema > pillarbox.schema.json";
/// Of `account`.
pub(super) const ACCOUNT: &str = "\
Examples:
  pillarbox account add bob@hamburger.edu --config pillarbox.toml
  printf %s \"$PASSWORD\" | pillarbox account password bob@hamburger.edu --config pillarbox.toml
  pillarbox account list --config pillarbox.toml

A server that runs on the data directory knows of the change at once.";
/// Of `read`.
pub(super) const READ: &str = "\
Examples:
  pillarbox read bob                             what is in bob's mailboxes
  pillarbox read bob@hamburger.edu latest
  pillarbox read bob 3";
/// Of `wait`.
pub(super) const WAIT: &str = "\
Examples:
  pillarbox wait --to bob@hamburger.edu --subject 'Reset your password' --timeout 5s
  pillarbox wait --to bob@hamburger.edu --timeout 10s && echo it came";
/// Of `ready`.
pub(super) const READY: &str = "\
Examples:
  pillarbox serve & pillarbox ready --timeout 10s && run-the-tests
  pillarbox ready                                for a health check: exit code 0 if it takes mail";
/// Of `site`.
pub(super) const SITE: &str = "\
Examples:
  pillarbox site public/
  pillarbox site public/ && python3 -m http.server --directory public";
/// Of `replay`.
pub(super) const REPLAY: &str = "\
Examples:
  pillarbox replay alice-to-bob
  pillarbox replay challenge:the-lone-dot
  pillarbox replay 'http://127.0.0.1:8025/playground/#/w/1tw1v...'
  pillarbox scenarios                            lists what there is";
/// Of `completions`.
pub(super) const COMPLETIONS: &str = "\
Examples:
  pillarbox completions bash > ~/.local/share/bash-completion/completions/pillarbox
  pillarbox completions zsh > ~/.zfunc/_pillarbox";
/// Of `man`.
pub(super) const MAN: &str = "\
Examples:
  pillarbox man | man -l -
  pillarbox man --directory ~/.local/share/man/man1";
/// Of `limits`.
pub(super) const LIMITS: &str = "\
Examples:
  pillarbox limits
  pillarbox limits --config pillarbox.toml";

/// All commands, as they are parsed and told.
pub(super) fn command() -> Command {
    filled(super::Command::command())
}

/// The command with its paragraphs on one line each, so that they are broken where the terminal ends, and there alone.
fn filled(command: Command) -> Command {
    let help = command.get_after_help().map(|text| paragraphs(&text.to_string()));
    let command = command.mut_subcommands(filled);
    match help {
        Some(help) => command.after_help(help),
        None => command,
    }
}

/// Lines that belong to one paragraph joined; examples, which are indented, stay as they are.
fn paragraphs(text: &str) -> String {
    let mut all = String::with_capacity(text.len());
    let mut goes_on = false;
    for line in text.lines() {
        let is_plain = !line.is_empty() && !line.starts_with(' ');
        if !all.is_empty() {
            all.push(if goes_on && is_plain { ' ' } else { '\n' });
        }
        all.push_str(line);
        goes_on = is_plain;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_joined_and_examples_are_not() {
        let text = "One\ntwo.\n\nExamples:\n  a\n  b\n\nThree\nfour.";
        assert_eq!(paragraphs(text), "One two.\n\nExamples:\n  a\n  b\n\nThree four.");
    }

    /// A command that a newcomer cannot guess has an example.
    #[test]
    fn commands_have_examples() {
        for command in command().get_subcommands() {
            let name = command.get_name();
            let has = |command: &Command| {
                let help = command.get_after_help().map(ToString::to_string);
                help.is_some_and(|help| help.contains(&format!("pillarbox {name}")))
            };
            let told = has(command) || command.get_subcommands().any(has);
            // These have nothing to choose, or tell what they take themselves.
            let is_plain = ["doctor", "trace", "scenarios", "sendmail", "help"].contains(&name);
            assert!(told || is_plain, "{name}");
        }
    }
}
