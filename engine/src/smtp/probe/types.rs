//! What a probe of a server and its host say to each other.
//! A probe is several short connections, visits, since some tests end the connection that they are made on.

use alloc::string::String;
use alloc::vec::Vec;

use crate::trace::Rule;

/// How one visit is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Which tests.
    pub visit: Visit,
    /// Our name, for EHLO and HELO.
    pub host_name: Vec<u8>,
    /// How TLS comes to this visit.
    pub channel: Channel,
    /// Milliseconds that a reply may take.
    pub reply_ms: u64,
    /// Whether notes are made.
    pub trace: bool,
}

/// How TLS comes to a visit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Channel {
    /// Not before a test asks for it.
    #[default]
    Clear,
    /// By STARTTLS, before the tests.
    StartTls,
    /// The connection was secured before its first octet: the visit begins with `StartTls`.
    Implicit,
}

/// A connection with the tests that are made on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visit {
    /// The greeting, and the commands beside mail transactions.
    Commands,
    /// MAIL and RCPT in every form, without data.
    Envelope,
    /// A client of 1982: HELO.
    OldClient,
    /// Talking before the greeting.
    EarlyTalk,
    /// An LF that stands alone in a command.
    BareLf,
    /// A CR that stands alone in a command.
    BareCr,
    /// STARTTLS, and what the server forgets.
    StartTls,
    /// A command sent in the clear behind STARTTLS.
    Injection,
    /// Whether the certificate is one to trust: the host has to judge it in the handshake, as it does for no other visit.
    Certificate,
    /// Recipients elsewhere, in every notation. A server may take it for an attack.
    Relay,
    /// A web browser on the wrong port. A server may take it for an attack.
    WrongProtocol,
    /// Many errors. A server may take it for an attack.
    ManyErrors,
}

impl Visit {
    /// How TLS comes to this visit when a probe is made this way.
    #[must_use]
    pub fn channel(self, wanted: Channel) -> Channel {
        match (self, wanted) {
            // It asks for STARTTLS itself.
            (Self::Certificate, Channel::StartTls) => Channel::Clear,
            _ => wanted,
        }
    }
}

/// The visits of a probe, in order. The unsafe ones deliver nothing either, but may have our address blocked.
#[must_use]
pub fn visits(channel: Channel, with_unsafe: bool) -> Vec<Visit> {
    use Visit::*;
    let mut out = alloc::vec![Commands, Envelope, OldClient, EarlyTalk, BareLf, BareCr];
    if channel == Channel::Clear {
        out.extend([StartTls, Injection]);
    }
    out.push(Certificate);
    if with_unsafe {
        out.extend([Relay, WrongProtocol, ManyErrors]);
    }
    // Over STARTTLS the greeting is over before a test can begin.
    out.retain(|visit| channel == Channel::Clear || *visit != EarlyTalk);
    out
}

/// How a server did in one test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As the RFC wants it.
    Good,
    /// Allowed, but not what the RFC recommends.
    Weak,
    /// Against the RFC.
    Bad,
    /// It did not come to the test, or the answer tells nothing.
    Unknown,
}

/// One test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What was tried.
    pub test: &'static str,
    /// What the RFC wants.
    pub expected: &'static str,
    /// What the server did; printable.
    pub seen: String,
    /// How that is.
    pub verdict: Verdict,
    /// The sentence that says so.
    pub rule: &'static Rule,
}

/// Facts for the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The server's first words, printable.
    Greeting(String),
    /// What the server offers after EHLO: its lines, printable; whether over TLS.
    Offers {
        /// The channel was secured by then.
        secured: bool,
        /// Without the first, which names the server.
        lines: Vec<String>,
    },
    /// The server does nothing of a mail transaction before a login, so tests of it tell nothing.
    WantsLogin,
    /// A test is done.
    Row(Row),
}

/// Why a visit ended before its last test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// The TLS handshake failed.
    Handshake(String),
    /// The connection was cut.
    Cut(String),
}
