//! The command line: what can be typed, and what each word does.
//! Every flag has a variable `PILLARBOX_…`; a flag beats its variable, which beats the configuration file.

mod account;
mod asking;
mod catcher;
mod config;
mod dkim;
mod doctor;
mod export;
mod fetch;
mod import;
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

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::config::{DevUser, Place, Preauth, Settings, Size};
use crate::error::Error;
use crate::serve;

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
    Serve(Box<ServeFlags>),
    /// Print the settings that `serve` would have, and where each comes from; or the schema of the configuration file
    Config(Box<config::ConfigFlags>),
    /// Look at what would keep a server from working: ports, data, certificate, clock, DNS; with what to do about it
    Doctor(Box<doctor::DoctorFlags>),
    /// Add, list and remove the accounts of a server profile
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
    /// List the mail of somebody in a running server without --config, or show a message of it
    Read(catcher::ReadFlags),
    /// Wait until mail comes there; exit code 3 if it does not in time
    Wait(catcher::WaitFlags),
    /// Find out whether a server takes mail, or wait until it does; exit code 3 if it does not in time
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
    Site(site::SiteFlags),
    /// Run a simulated mail Internet, and print what its servers and clients said
    Replay(replay::ReplayFlags),
    /// List the scenarios and challenges that `replay` knows
    Scenarios,
    /// Print what a shell needs to complete commands and flags
    Completions(shell::CompletionsFlags),
    /// Print the manual page, or write those of all commands
    Man(shell::ManFlags),
    /// Print every limit, its value, its value under stress, and what is said when it is reached
    Limits(limits::LimitsFlags),
}

/// Flags of `serve`.
#[derive(Clone, Debug, Default, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct ServeFlags {
    /// Where SMTP listens; port 0 takes a free one [default: 127.0.0.1:1025]
    #[arg(long, value_name = "ADDR", env = "PILLARBOX_SMTP")]
    pub smtp: Option<SocketAddr>,
    /// Where POP3 listens [default: 127.0.0.1:1110]
    #[arg(long, value_name = "ADDR", env = "PILLARBOX_POP3")]
    pub pop3: Option<SocketAddr>,
    /// Where IMAP listens [default: 127.0.0.1:1143]
    #[arg(long, value_name = "ADDR", env = "PILLARBOX_IMAP")]
    pub imap: Option<SocketAddr>,
    /// Where HTTP listens [default: 127.0.0.1:8025]
    #[arg(long, value_name = "ADDR", env = "PILLARBOX_HTTP")]
    pub http: Option<SocketAddr>,
    /// Where submission listens; off: nowhere [default: 1587 where SMTP has 1025, 587 where it has 25]
    #[arg(long, value_name = "ADDR|off", env = "PILLARBOX_SUBMISSION")]
    pub submission: Option<Place>,
    /// Where submission over TLS listens [default: likewise 1465, 465]
    #[arg(long, value_name = "ADDR|off", env = "PILLARBOX_SUBMISSIONS")]
    pub submissions: Option<Place>,
    /// Where POP3 over TLS listens [default: 1995 where POP3 has 1110, 995 where it has 110]
    #[arg(long, value_name = "ADDR|off", env = "PILLARBOX_POP3S")]
    pub pop3s: Option<Place>,
    /// Where IMAP over TLS listens [default: 1993 where IMAP has 1143, 993 where it has 143]
    #[arg(long, value_name = "ADDR|off", env = "PILLARBOX_IMAPS")]
    pub imaps: Option<Place>,
    /// Where LMTP listens [default: off]
    #[arg(long, value_name = "ADDR|off", env = "PILLARBOX_LMTP")]
    pub lmtp: Option<Place>,
    /// Ports of another tool or of the standards, for services that neither a flag nor the file places
    #[arg(long, value_name = "NAME", env = "PILLARBOX_PRESET", value_enum)]
    pub preset: Option<Preset>,
    /// Added to every port but 0 and those that a flag names: several servers beside each other
    #[arg(long, value_name = "N", env = "PILLARBOX_PORT_OFFSET")]
    pub port_offset: Option<u16>,
    /// Offer STARTTLS on SMTP, POP3 and IMAP too, not only on submission, with a certificate signed by itself
    #[arg(long, env = "PILLARBOX_STARTTLS")]
    pub starttls: bool,
    /// In the dev profile, the only password that is right; SCRAM is offered with it [default: any is right]
    #[arg(long, value_name = "PASSWORD", env = "PILLARBOX_DEV_PASSWORD", hide_env_values = true)]
    pub dev_password: Option<String>,
    /// An account and its password; repeatable. With it only these are there, and SCRAM is offered [dev profile only; the
    /// variable has one a line]
    // An id of its own: where a subcommand has a global flag of one id, its value is the command's too.
    #[arg(id = "dev_user", long = "user", value_name = "ADDRESS:PASSWORD", env = "PILLARBOX_USERS", hide_env_values = true, value_delimiter = '\n', conflicts_with_all = ["dev_password", "anonymous"])]
    pub user: Vec<DevUser>,
    /// A domain whose mail is taken; repeatable, and the first is that of a name without one [default: those of --user,
    /// else all; dev profile only]
    #[arg(long, value_name = "NAME", env = "PILLARBOX_DOMAIN", value_delimiter = ',')]
    pub domain: Vec<String>,
    /// Mail that is there at the start: DIR/USER holds what `import` reads, a Maildir, mbox files or .eml files, in
    /// mailboxes; DIR/USER.mbox and DIR/USER.eml go to INBOX [dev profile only]
    #[arg(long, value_name = "DIR", env = "PILLARBOX_LOAD")]
    pub load: Option<PathBuf>,
    /// Messages that are kept; when there are more, the oldest go [default: all; dev profile only]
    #[arg(long, value_name = "N", env = "PILLARBOX_MAX_MESSAGES")]
    pub max_messages: Option<NonZeroUsize>,
    /// Octets of a message, such as 25MiB; `message_max` under [limits] [default: 50MiB]
    #[arg(long, value_name = "SIZE", env = "PILLARBOX_MAX_SIZE")]
    pub max_size: Option<Size>,
    /// Where each message that comes is told of, by POST of what lists say of it, as JSON: https, or http on this machine
    /// [dev profile only]
    #[arg(long, value_name = "URL", env = "PILLARBOX_WEBHOOK", hide_env_values = true)]
    pub webhook: Option<String>,
    /// Octets of conversations, as JSON, that are kept for `/api/sessions` and for who opens Live later, with at most one event
    /// for each 2 KiB of them; the oldest go. 0: none before a test's first request, which makes sessions faster [default:
    /// 8MiB; dev profile with HTTP on a loopback address only]
    #[arg(long, value_name = "SIZE", env = "PILLARBOX_KEEP_SESSIONS")]
    pub keep_sessions: Option<Size>,
    /// What tells this server from others: in its first lines, and in the titles of its pages
    #[arg(long, value_name = "TEXT", env = "PILLARBOX_LABEL", value_parser = label)]
    pub label: Option<String>,
    /// Directory of the mail store [default: what the configuration names, else pillarbox in the user's data directory]
    #[arg(long, value_name = "DIR", env = "PILLARBOX_DATA", conflicts_with = "memory")]
    pub data: Option<PathBuf>,
    /// Keep mail in memory alone; nothing outlives the process
    #[arg(long, env = "PILLARBOX_MEMORY")]
    pub memory: bool,
    /// Configuration of a server profile: domains, accounts, aliases, limits
    #[arg(long, value_name = "FILE", env = "PILLARBOX_CONFIG")]
    pub config: Option<PathBuf>,
    /// File that is written, as JSON with the real addresses, once everything accepts
    #[arg(long, value_name = "FILE", env = "PILLARBOX_READY_FILE")]
    pub ready_file: Option<PathBuf>,
    /// For programs: the first line of standard output is what the ready file says, with "event":"ready", and no other
    /// follows
    #[arg(long, env = "PILLARBOX_JSON")]
    pub json: bool,
    /// Stop when the process that started this one ends
    #[arg(long, env = "PILLARBOX_EXIT_WITH_PARENT")]
    pub exit_with_parent: bool,
    /// Logs for people or for machines [default: text]
    #[arg(long, value_name = "FORMAT", env = "PILLARBOX_LOG_FORMAT", value_enum)]
    pub log_format: Option<LogFormat>,
    /// Directory that gets each conversation as an annotated transcript, secrets masked
    #[arg(long, value_name = "DIR", env = "PILLARBOX_TRACE_SESSIONS")]
    pub trace_sessions: Option<PathBuf>,
    /// Sessions at work at once; the next one waits a moment and is politely refused. A session of IMAP that rests for
    /// some seconds is none [default: as many as the kernel's limits allow, at most 2000]
    #[arg(long, value_name = "N", env = "PILLARBOX_SLOTS")]
    pub slots: Option<u32>,
    /// Connections at once, those that rest among them; the next one is politely refused [default: 16 for each slot, or as
    /// many as there may be open files]
    #[arg(long, value_name = "N", env = "PILLARBOX_CONNECTIONS")]
    pub connections: Option<u32>,
    /// Capabilities that IMAP does not offer, such as IDLE,MOVE or STARTTLS,AUTH=PLAIN; also in the configuration, as
    /// `without` under [imap]
    #[arg(long, value_name = "NAMES", env = "PILLARBOX_IMAP_WITHOUT", value_delimiter = ',')]
    pub imap_without: Vec<String>,
    /// Capabilities that POP3 does not offer, such as UIDL,SASL; `without` under [pop3]
    #[arg(long, value_name = "NAMES", env = "PILLARBOX_POP3_WITHOUT", value_delimiter = ',')]
    pub pop3_without: Vec<String>,
    /// Keywords of EHLO that SMTP does not offer, such as PIPELINING,8BITMIME; `without` under [smtp]
    #[arg(long, value_name = "NAMES", env = "PILLARBOX_SMTP_WITHOUT", value_delimiter = ',')]
    pub smtp_without: Vec<String>,
    /// An account, and where IMAP listens for it alone: whoever connects there is logged in by the greeting (PREAUTH).
    /// Only this machine may reach the address; also in the configuration, under [imap.preauth]
    #[arg(long, value_name = "ACCOUNT=ADDR", env = "PILLARBOX_IMAP_PREAUTH")]
    pub imap_preauth: Option<Preauth>,
    /// Offer APOP on POP3; needs --dev-password, --user, or accounts with a password kept --readable
    #[arg(long, env = "PILLARBOX_APOP")]
    pub apop: bool,
    /// Offer CRAM-MD5 on SMTP, POP3 and IMAP; needs the same
    #[arg(long, env = "PILLARBOX_CRAM_MD5")]
    pub cram_md5: bool,
    /// Offer ANONYMOUS on SMTP, POP3 and IMAP [dev profile only]
    #[arg(long, env = "PILLARBOX_ANONYMOUS")]
    pub anonymous: bool,
    /// A fault on purpose, such as 'any/verb=RCPT,nth=1/reply=451 4.7.1 later'; repeatable [dev profile only]
    #[arg(long = "fault", value_name = "RULE", env = "PILLARBOX_FAULT", value_delimiter = '\n')]
    pub fault: Vec<String>,
    /// File of faults on purpose, one rule a line [dev profile only]
    #[arg(long, value_name = "FILE", env = "PILLARBOX_FAULTS")]
    pub faults: Option<PathBuf>,
    /// What chances of faults are drawn from [default: the file's, or 0; dev profile only]
    #[arg(long, value_name = "N", env = "PILLARBOX_FAULT_SEED")]
    pub fault_seed: Option<u64>,
    /// For measuring only: `native` links the engine in, without sandbox
    #[arg(long, value_name = "ENGINE", env = "PILLARBOX_ENGINE", value_enum, hide = true)]
    pub engine: Option<EngineChoice>,
    /// For tests only: serve `/api/clock`, which moves the queue's clock, and `/api/queue` in a server profile too
    #[arg(long, hide_short_help = true)]
    pub test_clock: bool,
}

/// Ports that other tools have, and those of the standards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Preset {
    /// SMTP 1025, HTTP 8025, and IMAP 1143 and POP3 1110 beside them: what is taken without a preset too
    Mailpit,
    /// SMTP 3025, POP3 3110, IMAP 3143, over TLS 3465, 3995, 3993, HTTP 8080
    Greenmail,
    /// SMTP 25, POP3 110, IMAP 143, submission 587, over TLS 465, 995, 993; HTTP stays at 8025
    Standard,
}

/// One line that fits into a title.
fn label(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("expected some words".to_owned()),
        text if text.chars().count() > 60 => Err("expected at most 60 characters".to_owned()),
        text if text.chars().any(char::is_control) => Err("expected one line".to_owned()),
        text => Ok(text.to_owned()),
    }
}

/// How logs are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One line per fact, for people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Where the engine runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum EngineChoice {
    /// In a sandbox of its own for each connection.
    #[default]
    Sandbox,
    /// Linked into the program; only to measure what the sandbox costs.
    Native,
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
    let matches = Command::command().get_matches();
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
        let mut command = Command::command();
        command.build();
        below(&command, &mut command.get_arguments().collect());
    }
}
