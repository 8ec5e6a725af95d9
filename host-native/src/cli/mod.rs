//! The command line: what can be typed, and what each word does.
//! Every flag has a variable `PILLARBOX_…`; a flag beats its variable, which beats the configuration file.

mod account;
mod asking;
mod catcher;
mod check;
mod component;
mod config;
mod dkim;
mod doctor;
mod dump;
mod export;
mod fetch;
mod flags;
mod help;
mod import;
mod ingest;
mod limits;
mod mail;
mod pipe;
mod probe;
mod queue;
mod reading;
mod replay;
mod send;
mod sendmail;
mod shell;
mod site;
mod smime;
mod talk;
mod trace;

use std::path::PathBuf;

use clap::{FromArgMatches, Parser, Subcommand};

use crate::config::Settings;
use crate::error::Error;
use crate::serve;

pub(crate) use flags::Persona;
pub use flags::{EngineChoice, LogFormat, Preset, ServeFlags};

const EXAMPLES: &str = "\
Examples:
  pillarbox                                 a mail server for development on ports 1025, 1110, 1143, 8025
  pillarbox serve --memory --smtp 127.0.0.1:0 --ready-file ready.json
  pillarbox serve --config pillarbox.toml   a server with domains and accounts
  pillarbox account add bob@hamburger.edu --config pillarbox.toml
  pillarbox dkim keygen --domain hamburger.edu --selector s2026 --out s2026.pem
  pillarbox send --to bob@hamburger.edu --subject ketchup --text 'Do you like ketchup?'
  pillarbox read bob latest
  pillarbox wait --to bob@hamburger.edu --subject 'Reset your password' --timeout 5s
  pillarbox probe smtp mail.hamburger.edu:25
  pillarbox import --account bob@hamburger.edu --config pillarbox.toml ~/Maildir
  pillarbox mail --server imaps://bob@mail.hamburger.edu list
  pillarbox fetch imaps://bob@mail.provider.example --account bob@hamburger.edu --config pillarbox.toml
  pillarbox smime verify --trust authority.crt letter.eml
  pillarbox replay alice-to-bob             a simulated mail Internet, in the terminal

Exit codes: 0 stopped as asked; 1 failed; 2 wrong flag or file; 3 the time is over, or it is not there; 4 data directory cannot be used; 5 address cannot be used.";

/// A complete mail server whose protocol logic runs in a sandbox per connection.
#[derive(Debug, Parser)]
#[command(name = "pillarbox", version, about, after_help = EXAMPLES, max_term_width = 100)]
struct Command {
    #[command(subcommand)]
    word: Option<Word>,
    #[command(flatten)]
    serve: ServeFlags,
}

#[derive(Debug, Subcommand)]
enum Word {
    /// Run the mail server (also what `pillarbox` alone does)
    #[command(after_help = help::SERVE)]
    Serve(Box<ServeFlags>),
    /// Print the settings that `serve` would have, and where each comes from; or the schema of the configuration file
    #[command(after_help = help::CONFIG)]
    Config(Box<config::ConfigFlags>),
    /// Look at what would keep a server from working: ports, data, certificate, clock, DNS; with what to do about it
    Doctor(Box<doctor::DoctorFlags>),
    /// Add, list and remove the accounts of a server profile
    #[command(after_help = help::ACCOUNT)]
    Account(account::AccountFlags),
    /// Make, print and check the keys that sign outgoing mail
    Dkim(dkim::DkimFlags),
    /// Sign, verify, encrypt and decrypt messages with S/MIME
    Smime(Box<smime::SmimeFlags>),
    /// See and steer what waits to be relayed
    Queue(queue::QueueFlags),
    /// Collect mail from another server, by IMAP or POP3, into an account here
    Fetch(Box<fetch::FetchFlags>),
    /// List, read, find, move, flag and delete mail on any IMAP server
    Mail(Box<mail::MailFlags>),
    /// Bring mail from mbox files, Maildirs and folders of .eml files into an account
    Import(Box<import::ImportFlags>),
    /// Take an account's mail into such files
    Export(Box<export::ExportFlags>),
    /// Put mail from such files into a running server, over SMTP
    Ingest(Box<ingest::IngestFlags>),
    /// Write all mail of a running server without --config into a folder of .eml files
    Dump(dump::DumpFlags),
    /// List the mail of somebody in a running server without --config, or show a message of it
    #[command(after_help = help::READ)]
    Read(catcher::ReadFlags),
    /// Wait until mail comes there; exit code 3 if it does not in time
    #[command(after_help = help::WAIT)]
    Wait(catcher::WaitFlags),
    /// Find out whether a server takes mail, or wait until it does; exit code 3 if it does not in time
    #[command(after_help = help::READY)]
    Ready(catcher::ReadyFlags),
    /// Watch what is said to a running server without --config, as it is said
    Trace(trace::TraceFlags),
    /// Be the client of an SMTP, POP3 or IMAP server, or the server of a client, with what each line means
    Talk(talk::TalkFlags),
    /// Compose a message, or take a ready one, and hand it to a server
    Send(Box<send::SendFlags>),
    /// Take a message from standard input as `sendmail` does; `pillarbox sendmail --help` says more
    #[command(disable_help_flag = true)]
    Sendmail {
        /// As those of sendmail
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<std::ffi::OsString>,
    },
    /// Try what a server does about that which the RFCs require and forbid
    Probe(probe::ProbeFlags),
    /// Write the playground into a folder that any web server can serve
    #[command(after_help = help::SITE)]
    Site(site::SiteFlags),
    /// Write the WebAssembly component into a file, for programs that host it themselves
    Component(component::ComponentFlags),
    /// Run a simulated mail Internet, and print what its servers and clients said
    #[command(after_help = help::REPLAY)]
    Replay(replay::ReplayFlags),
    /// Check whether a link solves a challenge, or print what there is to do
    Check(check::CheckFlags),
    /// List the scenarios and challenges that `replay` knows
    Scenarios,
    /// Print what a shell needs to complete commands and flags
    #[command(after_help = help::COMPLETIONS)]
    Completions(shell::CompletionsFlags),
    /// Print the manual page, or write those of all commands
    #[command(after_help = help::MAN)]
    Man(shell::ManFlags),
    /// Print every limit, its value, its value under stress, and what is said when it is reached
    #[command(after_help = help::LIMITS)]
    Limits(limits::LimitsFlags),
}

impl Word {
    /// Whether it prints what is, and nothing is left half done if nobody reads on.
    fn only_tells(&self) -> bool {
        matches!(
            self,
            Self::Queue(_)
                | Self::Config(_)
                | Self::Doctor(_)
                | Self::Trace(_)
                | Self::Talk(_)
                | Self::Replay(_)
                | Self::Check(_)
                | Self::Scenarios
                | Self::Limits(_)
                | Self::Read(_)
                | Self::Completions(_)
                | Self::Man(_)
        )
    }
}

/// Reads the command line and does what it says.
///
/// # Errors
/// The sentence to print and the exit code.
pub fn run() -> Result<(), Error> {
    let mut called = std::env::args_os();
    let name = called.next().map(PathBuf::from).unwrap_or_default();
    // Under the names that cron, git and PHP look for it is what they look for.
    let name = name.file_name().and_then(std::ffi::OsStr::to_str).unwrap_or_default();
    if matches!(name, "sendmail" | "pillarbox-sendmail") {
        return sendmail::run(called.collect());
    }
    let matches = help::command().get_matches();
    let command = Command::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    if command.word.as_ref().is_some_and(Word::only_tells) {
        pipe::end_with_reader();
    }
    match command.word {
        None => serve::run(&Settings::new(command.serve)?),
        Some(Word::Serve(flags)) => serve::run(&Settings::new(*flags)?),
        Some(Word::Config(flags)) => config::run(*flags, &matches),
        Some(Word::Doctor(flags)) => doctor::run(*flags),
        Some(Word::Account(flags)) => account::run(flags),
        Some(Word::Dkim(flags)) => dkim::run(flags),
        Some(Word::Smime(flags)) => smime::run(*flags),
        Some(Word::Queue(flags)) => queue::run(flags),
        Some(Word::Fetch(flags)) => fetch::run(&flags),
        Some(Word::Mail(flags)) => mail::run(&flags),
        Some(Word::Import(flags)) => import::run(&flags),
        Some(Word::Export(flags)) => export::run(&flags),
        Some(Word::Ingest(flags)) => ingest::run(*flags),
        Some(Word::Dump(flags)) => dump::run(&flags),
        Some(Word::Check(flags)) => check::run(&flags),
        Some(Word::Read(flags)) => catcher::read(&flags),
        Some(Word::Wait(flags)) => catcher::wait(&flags),
        Some(Word::Ready(flags)) => catcher::ready(&flags),
        Some(Word::Completions(flags)) => shell::completions(&flags),
        Some(Word::Man(flags)) => shell::man(&flags),
        Some(Word::Trace(flags)) => trace::run(&flags),
        Some(Word::Talk(flags)) => talk::run(&flags),
        Some(Word::Send(flags)) => send::run(*flags),
        Some(Word::Sendmail { arguments }) => sendmail::run(arguments),
        Some(Word::Probe(flags)) => probe::run(flags),
        Some(Word::Site(flags)) => site::run(&flags),
        Some(Word::Component(flags)) => component::run(&flags),
        Some(Word::Replay(flags)) => replay::run(&flags),
        Some(Word::Scenarios) => replay::list(),
        Some(Word::Limits(flags)) => limits::run(flags),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value of a subcommand's global flag is given to each command above it, under its id.
    #[test]
    fn no_global_flag_is_taken_for_another_one() {
        fn below<'a>(command: &'a clap::Command, above: &mut Vec<&'a clap::Arg>) {
            for word in command.get_subcommands() {
                for flag in word.get_arguments().filter(|flag| flag.is_global_set()) {
                    for own in above.iter().filter(|own| own.get_id() == flag.get_id()) {
                        let kinds = [own, &flag].map(|flag| flag.get_value_parser().type_id());
                        assert_eq!(
                            kinds[0],
                            kinds[1],
                            "--{} of {}",
                            flag.get_id(),
                            word.get_name()
                        );
                    }
                }
                let count = above.len();
                above.extend(word.get_arguments());
                below(word, above);
                above.truncate(count);
            }
        }
        let mut command = help::command();
        command.build();
        below(&command, &mut command.get_arguments().collect());
    }
}
