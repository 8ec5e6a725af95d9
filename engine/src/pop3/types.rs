//! What a POP3 server session and its host say to each other, in the shapes of `wit/pop3.wit`.
//! The host keeps the maildrop's table; a session holds its count and which numbers are marked.

use alloc::vec::Vec;

use crate::limits::Limits;
use crate::sasl::{AuthOffer, Credentials, LoginAnswer};
use crate::types::{BlobId, BlobRange, Farewell, Instead, Peer, Persona, Phase, Refusal, TlsOffer};

/// How a POP3 server session behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Config {
    /// This server's name in the greeting.
    pub host_name: Vec<u8>,
    /// The other end.
    pub peer: Peer,
    /// The connection's own name; unique on this server, an atom of at most 32 octets.
    pub session_id: Vec<u8>,
    /// TLS on this listener.
    pub tls: TlsOffer,
    /// Logins on this listener.
    pub auth: AuthOffer,
    /// RFC 1939 §7: the timestamp of the greeting that offers APOP, `<…@…>`, new for each connection; `None`: no APOP.
    pub apop_timestamp: Option<Vec<u8>>,
    /// Capabilities not to offer, by name, such as `UIDL`; for tests of clients.
    pub without: Vec<Vec<u8>>,
    /// RFC 2449 §6.5 LOGIN-DELAY: seconds between two openings of a maildrop; 0: none, and none is announced.
    pub login_delay_s: u32,
    /// Whose words it says.
    pub persona: Persona,
    /// Whether the host has its say at each command (`Ask::Phase`); for faults on purpose alone.
    pub faults: bool,
    /// Bounds.
    pub limits: Limits,
    /// Whether notes are made.
    pub trace: bool,
}

/// What a POP3 server session needs of its host. One ask is open at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum Ask {
    /// Judge these credentials. Answer: login.
    Login(Credentials),
    /// Lock the account's maildrop and fix its numbering until the connection ends, unless it was opened less than so
    /// many seconds ago. Answers: opened, refused (login-throttled: too soon).
    Open(u32),
    /// A page of the table. Answers: entries, refused.
    Entries(EntriesAsk),
    /// Octets of a message. Answers: octets (exactly the range), refused.
    Octets(BlobRange),
    /// RFC 1939 §6: remove these, all or none, durably. Answers: done, refused (nothing was removed).
    Remove(Vec<NumberRun>),
    /// With `Config::faults` alone: what comes next, before anything is done about it. Answers: done (go on), instead.
    Phase(Phase),
}

/// A page of the maildrop's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct EntriesAsk {
    /// First message number, from 1.
    pub first: u32,
    /// At most so many; never more than 128.
    pub max: u32,
}

/// Message numbers `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct NumberRun {
    /// From 1.
    pub first: u32,
    /// At least `first`.
    pub last: u32,
}

/// What the host answers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum Answer {
    /// To `login`.
    Login(LoginAnswer),
    /// To `open`.
    Opened(Opened),
    /// To `entries`: as many as asked for, in order, unless the table ends before.
    Entries(Vec<Entry>),
    /// To `octets`.
    Octets(Vec<u8>),
    /// Yes.
    Done,
    /// No.
    Refused(Refusal),
    /// To `phase`: say this in place of your own reply, and do nothing of what was wanted.
    Instead(Instead),
}

/// The maildrop as it was locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Opened {
    /// Messages, numbered 1 to `count`.
    pub count: u32,
    /// Octets of all of them.
    pub octets: u64,
}

/// One message of the maildrop.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Entry {
    /// Its octets as stored.
    pub blob: BlobId,
    /// How many.
    pub size: u64,
    /// RFC 1939 §7 unique-id: 1 to 70 octets of 0x21 to 0x7E, stable over sessions.
    pub unique_id: Vec<u8>,
    /// Whether it can be sent as stored: no line begins with a dot, no CR or LF stands alone, it ends with CRLF, and its
    /// header fields are ASCII (RFC 6856 §2.1).
    pub plain: bool,
}

/// What the application may want of a POP3 server session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum Call {
    /// Say goodbye and close without UPDATE, once an open removal is answered.
    Farewell(Farewell),
}

/// Facts for the host.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum Event {
    /// A message is being sent; its number.
    Retrieved(u32),
    /// The peer broke a rule; its command was refused. The text names the rule, for logs.
    Defect(Vec<u8>),
    /// The peer said QUIT.
    Quit,
}
