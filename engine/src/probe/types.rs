//! What a probe is made with, what it tells its host, and the rows for what it did not come to.

use alloc::string::String;
use alloc::vec::Vec;

use super::script::{Check, Judge, steps};
use crate::smtp::probe::{Channel, Row, Verdict};

/// What the server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// IMAP4rev1 or IMAP4rev2.
    Imap,
    /// POP3.
    Pop3,
}

/// A connection with the tests that are made on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visit {
    /// The greeting, and the commands that need no login. Each visit makes two mistakes at most, after which some servers
    /// say goodbye.
    Commands,
    /// What is no command.
    Syntax,
    /// Commands that are not for now.
    States,
    /// A literal that nobody would take.
    Literal,
    /// Lines of every length.
    Lengths,
    /// An LF that stands alone.
    BareLf,
    /// STARTTLS or STLS, and what the server forgets.
    StartTls,
    /// The same with an argument, which it has not.
    Argument,
    /// A command sent in the clear behind it.
    Injection,
    /// Whether the certificate is one to trust: the host has to judge it in the handshake, as it does for no other visit.
    Certificate,
    /// A login that must fail. A server may take it for an attack.
    WrongLogin,
    /// Another protocol's words. A server may take it for an attack.
    WrongProtocol,
    /// Many errors. A server may take it for an attack.
    ManyErrors,
}

impl Visit {
    /// How TLS comes to this visit when a probe is made this way.
    #[must_use]
    pub fn channel(self, wanted: Channel) -> Channel {
        match (self, wanted) {
            // It asks for TLS itself.
            (Self::Certificate, Channel::StartTls) => Channel::Clear,
            _ => wanted,
        }
    }
}

/// The visits of a probe, in order. The unsafe ones see no mail either, but may have our address blocked.
#[must_use]
pub fn visits(protocol: Protocol, channel: Channel, with_unsafe: bool) -> Vec<Visit> {
    use Visit::*;
    let mut out = alloc::vec![Commands, Syntax, States, Literal, Lengths, BareLf];
    if channel == Channel::Clear {
        out.extend([StartTls, Argument, Injection]);
    }
    out.push(Certificate);
    if with_unsafe {
        out.extend([WrongLogin, WrongProtocol, ManyErrors]);
    }
    out.retain(|visit| !steps(protocol, *visit, channel).is_empty());
    out
}

/// What a probe is made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// What is spoken.
    pub protocol: Protocol,
    /// Which tests.
    pub visit: Visit,
    /// How TLS comes to this visit.
    pub channel: Channel,
    /// Milliseconds that an answer may take.
    pub reply_ms: u64,
    /// Whether notes are made.
    pub trace: bool,
}

/// Facts for the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The server's first words, printable.
    Greeting(String),
    /// What the server offers, printable; whether over TLS.
    Offers {
        /// The channel was secured by then.
        secured: bool,
        /// One by one.
        names: Vec<String>,
    },
    /// A test is done.
    Row(Row),
}

/// Rows for the tests of a visit that it did not come to.
#[must_use]
pub fn remaining(config: &Config, rows: &[Row], why: &str, secures: bool) -> Vec<Row> {
    let all = steps(config.protocol, config.visit, config.channel).iter();
    let checks = all.filter_map(|step| step.check.as_ref());
    let done = |check: &&Check| !rows.iter().any(|row| row.test == check.test);
    checks
        .filter(done)
        .map(|check| {
            // A handshake that fails is the answer to a test of handshakes.
            let verdict = match check.judge {
                Judge::Tls | Judge::Certificate if secures => Verdict::Bad,
                // RFC 9051 §6.2.1: what came in the clear may be taken for the handshake, which fails then.
                Judge::NotInjected if secures => Verdict::Good,
                _ => Verdict::Unknown,
            };
            let Check { test, expected, rule, .. } = *check;
            Row { test, expected, seen: why.into(), verdict, rule }
        })
        .collect()
}
