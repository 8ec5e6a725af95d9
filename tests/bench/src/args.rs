//! The command line.
//! What the options mean is done elsewhere; here they are named, checked and explained.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::server::Kinds;
use crate::work::Topic;

/// Measures mail servers: Pillarbox against itself without its sandbox, and against others.
///
/// Without a command it compares Pillarbox as it is run with the same server whose engine is
/// linked in natively, and with Postfix's queue where Postfix is installed. It builds and starts
/// the servers itself, on free ports of 127.0.0.1, with data side by side on one file system.
#[derive(Parser)]
#[command(name = "pillarbox-bench", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) comparison: Comparison,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Compare servers of your choice
    Compare {
        /// The server whose numbers are divided by the others'
        #[arg(long, default_value = "pillarbox")]
        subject: Kinds,
        /// The others: native, postfix, smtp-sink, dovecot-maildir, dovecot-sdbox,
        /// dovecot-mdbox, dovecot-reuse (Maildir, processes serve many sessions),
        /// dovecot (the first two), all
        #[arg(long, value_delimiter = ',', default_value = "native,postfix,dovecot")]
        peers: Vec<Kinds>,
        #[command(flatten)]
        comparison: Comparison,
    },
    /// Load one server that is already running, and print what it did
    Load(Load),
    /// Append messages to a mailbox, for `load fetch`, `load search` and `load pop3`
    Fill {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        login: Account,
        /// INBOX, or a mailbox that is created
        #[arg(long, default_value = "INBOX")]
        mailbox: String,
        #[arg(long, default_value_t = 200)]
        messages: u64,
        /// Octets of each message: 2048, 10KiB
        #[arg(long, default_value = "10KiB", value_parser = size)]
        size: usize,
    },
}

/// Options of every comparison.
#[derive(Args)]
pub(crate) struct Comparison {
    /// Every size and number of connections, longer samples (about five times as long)
    #[arg(long)]
    pub(crate) full: bool,
    /// Only these topics
    #[arg(long, value_delimiter = ',', value_enum)]
    pub(crate) only: Vec<Topic>,
    /// Seconds of each sample; 0.6, with --full 2
    #[arg(long, value_parser = seconds)]
    pub(crate) seconds: Option<f64>,
    /// Rounds A B B A; 2, with --full 3
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) rounds: Option<u16>,
    /// Idle IMAP connections whose memory is measured
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=50_000))]
    pub(crate) idle: u64,
    /// Seconds that idle connections rest before memory is counted; after 3 Pillarbox freezes their sessions
    #[arg(long, default_value_t = 6.0, value_parser = seconds)]
    pub(crate) settle: f64,
    /// Write all numbers to FILE, too
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Where the servers' data goes for the time of the run [default: bench/ beside release/]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Measure this binary instead of building one
    #[arg(long, value_name = "FILE")]
    pub(crate) pillarbox: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Load {
    #[command(subcommand)]
    pub(crate) what: LoadKind,
}

#[derive(Subcommand)]
pub(crate) enum LoadKind {
    /// Deliver messages over kept connections, with PIPELINING where it is offered
    Smtp(Deliveries),
    /// The same over LMTP
    Lmtp(Deliveries),
    /// Connect, read the greeting, QUIT, over and over
    Connect {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        duration: Duration,
    },
    /// IMAP: connect, LOGIN, SELECT INBOX, LOGOUT, over and over
    Login {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        login: Account,
        #[command(flatten)]
        duration: Duration,
    },
    /// IMAP: APPEND to INBOX over kept connections
    Append {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        login: Account,
        #[command(flatten)]
        duration: Duration,
        /// Octets of each message: 2048, 10KiB
        #[arg(long, default_value = "10KiB", value_parser = size)]
        size: usize,
    },
    /// IMAP: FETCH 1:* of a mailbox that `fill` has filled
    Fetch {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        login: Account,
        #[command(flatten)]
        duration: Duration,
        #[arg(long, default_value = "INBOX")]
        mailbox: String,
        #[arg(long, value_enum, default_value_t = Item::Flags)]
        item: Item,
    },
    /// IMAP: SEARCH in a mailbox that `fill` has filled
    Search {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        login: Account,
        #[command(flatten)]
        duration: Duration,
        #[arg(long, default_value = "INBOX")]
        mailbox: String,
        #[arg(long, value_enum, default_value_t = Key::Subject)]
        key: Key,
    },
    /// POP3: log in, LIST, RETR of every message, over and over
    Pop3 {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        login: Account,
        #[command(flatten)]
        duration: Duration,
    },
    /// IMAP: log in, SELECT INBOX, IDLE; the memory that this costs the processes under --pid
    ///
    /// A server that has worked before has memory in stock, which makes the number too small:
    /// take one just started, or the comparison, which starts one.
    Idle {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        login: Account,
        /// Seconds of rest before memory is counted
        #[arg(long, default_value_t = 6.0, value_parser = seconds)]
        settle: f64,
    },
}

/// The server under load.
#[derive(Args, Clone)]
pub(crate) struct Target {
    /// Address and port, as 127.0.0.1:1025
    #[arg(long)]
    pub(crate) address: SocketAddr,
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=50_000))]
    pub(crate) connections: u64,
    /// Root of the server's processes, to measure their CPU time and memory
    #[arg(long)]
    pub(crate) pid: Option<u32>,
}

/// How long a single load lasts.
#[derive(Args, Clone, Copy)]
pub(crate) struct Duration {
    #[arg(long, default_value_t = 5.0, value_parser = seconds)]
    pub(crate) seconds: f64,
}

/// Options of `load smtp` and `load lmtp`.
#[derive(Args)]
pub(crate) struct Deliveries {
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) duration: Duration,
    /// Octets of each message: 2048, 10KiB
    #[arg(long, default_value = "10KiB", value_parser = size)]
    pub(crate) size: usize,
    /// Distinct recipients, user0@bench.example and so on
    #[arg(long, default_value_t = 100)]
    pub(crate) recipients: u64,
}

/// Who logs in.
#[derive(Args, Clone)]
pub(crate) struct Account {
    /// A # stands for the number of the connection
    #[arg(long, default_value = "load#@bench.example")]
    pub(crate) user: String,
    #[arg(long, default_value = "secret")]
    pub(crate) password: String,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Item {
    Flags,
    Envelope,
    Bodies,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Key {
    From,
    Subject,
    Body,
}

/// A number of octets, up to 1 GiB.
fn size(text: &str) -> Result<usize, String> {
    const SIZE_MAX: usize = 1 << 30;
    let units = [("KiB", 1024), ("MiB", 1024 * 1024), ("k", 1024), ("", 1)];
    let (number, factor) = units
        .into_iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))
        .unwrap_or((text, 1));
    let number: usize = number.trim().parse().map_err(|_| format!("{text}: not a size"))?;
    match number.checked_mul(factor) {
        Some(size) if size <= SIZE_MAX => Ok(size),
        _ => Err("more than 1 GiB".to_owned()),
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.05..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err("between 0.05 and 86400".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
        let line = ["bench", "compare", "--peers", "postfix,dovecot", "--only", "pop3", "--full"];
        let parsed = Arguments::try_parse_from(line).expect("a good line");
        let Some(Command::Compare { peers, comparison, .. }) = parsed.command else {
            panic!("not compare");
        };
        assert_eq!(peers.into_iter().map(|kinds| kinds.0.len()).sum::<usize>(), 3);
        assert!(comparison.full && comparison.only == [Topic::Pop3]);
    }

    #[test]
    fn sizes_and_seconds() {
        assert_eq!(size("2048"), Ok(2048));
        assert_eq!(size("10KiB"), Ok(10 * 1024));
        assert_eq!(size("3 MiB"), Ok(3 << 20));
        assert_eq!(size("7k"), Ok(7 * 1024));
        for wrong in ["", "KiB", "-1", "ten", "5GiB", "99999999999999999999", "1025MiB"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
        assert_eq!(seconds("0.5"), Ok(0.5));
        assert!(seconds("0").is_err() && seconds("NaN").is_err() && seconds("x").is_err());
    }
}
