//! The flags of `serve`, and the words that some of them take.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::config::{Clock, DevUser, Place, Preauth, Size, TlsSource};

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
    /// Let other machines in though nobody has to log in: to --http of the dev profile, or to anything of it without --user
    /// or --dev-password; `unsafe_bind` under [listen]
    #[arg(long, env = "PILLARBOX_UNSAFE_BIND")]
    pub unsafe_bind: bool,
    /// The certificate of TLS: a PEM file with its chain and key; off: no TLS; auto: what [tls] names, else in the dev profile
    /// one signed by itself; `source` under [tls] [default: auto]
    // Another id than that of the clients' --tls, which is another flag.
    #[arg(
        id = "tls_source",
        long = "tls",
        value_name = "auto|FILE|off",
        env = "PILLARBOX_TLS_SOURCE"
    )]
    pub tls: Option<TlsSource>,
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
    /// File of such accounts, one a line: ADDRESS:PASSWORD, or ADDRESS: and an Argon2id hash, with which there is no SCRAM;
    /// a line that begins with # is a remark [dev profile only]
    #[arg(long, value_name = "FILE", env = "PILLARBOX_USERS_FILE", conflicts_with_all = ["dev_password", "anonymous"])]
    pub users: Option<PathBuf>,
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
    /// PostgreSQL database with the mail, which other nodes may have too, such as postgres://pillarbox@localhost/mail; --data
    /// is then for what is this node's own. The password comes from PGPASSWORD or the file PGPASSFILE
    #[arg(long, value_name = "URL", env = "PILLARBOX_DATABASE", conflicts_with = "memory")]
    pub database: Option<String>,
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
    /// Messages that one command of IMAP works at, the highest of those that it names (MESSAGELIMIT, RFC 9738); 0: no limit
    /// [default: 0]; `message_limit` under [imap]
    #[arg(long, value_name = "N", env = "PILLARBOX_IMAP_MESSAGE_LIMIT")]
    pub imap_message_limit: Option<u32>,
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
    /// Whose words SMTP and POP3 say [default: strict; dev profile only]
    #[arg(long, value_name = "NAME", env = "PILLARBOX_PERSONA", value_enum)]
    pub persona: Option<Persona>,
    /// Where SMTP would refuse a client that is out of order, does not wait, or writes an address without < > or EHLO without a
    /// name, go on; traces and logs tell of each all the same [dev profile only]
    #[arg(long, env = "PILLARBOX_LENIENT", overrides_with = "strict")]
    pub lenient: bool,
    /// Refuse them; beats PILLARBOX_LENIENT [default]
    #[arg(long, overrides_with = "lenient")]
    pub strict: bool,
    /// A fault on purpose, such as 'any/verb=RCPT,nth=1/reply=451 4.7.1 later'; repeatable [dev profile only]
    #[arg(long = "fault", value_name = "RULE", env = "PILLARBOX_FAULT", value_delimiter = '\n')]
    pub fault: Vec<String>,
    /// File of faults on purpose, one rule a line [dev profile only]
    #[arg(long, value_name = "FILE", env = "PILLARBOX_FAULTS")]
    pub faults: Option<PathBuf>,
    /// What chances of faults are drawn from [default: the file's, or 0; dev profile only]
    #[arg(long, value_name = "N", env = "PILLARBOX_SEED")]
    pub seed: Option<u64>,
    /// The former name of --seed
    #[arg(
        long,
        value_name = "N",
        env = "PILLARBOX_FAULT_SEED",
        hide = true,
        conflicts_with = "seed"
    )]
    pub fault_seed: Option<u64>,
    /// Whose time it is: the machine's; or one that `/api/clock` moves on, for the queue and for dates, which begins now or at
    /// START, such as 2026-01-05T09:00:00Z. For tests, and where HTTP is for this machine alone [default: real, but that tests
    /// may move the queue's in the dev profile]
    #[arg(long, value_name = "real|virtual[=START]", env = "PILLARBOX_CLOCK")]
    pub clock: Option<Clock>,
    /// For measuring only: `native` links the engine in, without sandbox
    #[arg(long, value_name = "ENGINE", env = "PILLARBOX_ENGINE", value_enum, hide = true)]
    pub engine: Option<EngineChoice>,
    /// The former name of --clock virtual, of the queue's clock alone
    #[arg(long, hide = true, conflicts_with = "clock")]
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

/// Whose words a server says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Persona {
    /// Its own
    #[default]
    Strict,
    /// Those of the lecture's dialogue between crepes.fr and hamburger.edu, byte for byte, without enhanced codes
    Textbook,
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
