//! Types that every role shares, in the shapes of `wit/types.wit`.
//! What only one protocol knows lives in that protocol's own `types`.

use alloc::vec::Vec;

/// The time, as the host sees it at the moment of the call.
///
/// Only `monotonic_ms` schedules; `unix_ms` is for date fields alone and may jump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Now {
    /// Milliseconds since any fixed moment; never decreases within a session.
    pub monotonic_ms: u64,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub unix_ms: u64,
}

/// Names one open ask within its session.
pub type AskId = u32;

/// Names a message that the host stores; the host's own number, meaningless to the session.
pub type BlobId = u64;

/// A range of a stored message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct BlobRange {
    /// The message.
    pub blob: BlobId,
    /// First octet, from 0.
    pub offset: u64,
    /// Number of octets; the range lies within the message.
    pub length: u64,
}

/// The other end of the connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Peer {
    /// The IP address in its usual text form (`192.0.2.1`, `2001:db8::1`), no brackets.
    pub address: Vec<u8>,
    /// The name that reverse DNS gave, if the host looked.
    pub name: Option<Vec<u8>>,
}

/// How TLS comes to this connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum TlsOffer {
    /// Never: the host has no certificate for this listener.
    #[default]
    None,
    /// The peer may ask for it in the protocol (STARTTLS, STLS).
    Upgrade,
    /// From the first octet on: the session begins with `StartTls`, and greets once it is secured.
    Implicit,
}

/// Whose words a server says when all is well; codes and what it does are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Persona {
    /// Its own.
    #[default]
    Strict,
    /// The lecture's dialogue between crepes.fr and hamburger.edu, byte for byte: without enhanced codes.
    Textbook,
}

/// What the host learnt from a finished TLS handshake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct TlsFacts {
    /// Protocol version as it appears in a Received field, such as `TLSv1.3`.
    pub version: Vec<u8>,
    /// Cipher suite by its registered name.
    pub cipher: Vec<u8>,
    /// The identity that a verified client certificate gives, if there was one.
    pub client_identity: Option<Vec<u8>>,
    /// RFC 9266 `tls-exporter` channel binding; empty if the host cannot give it.
    pub exporter: Vec<u8>,
    /// RFC 5929 §4 `tls-server-end-point` channel binding, a hash of the server's certificate; empty if the host cannot
    /// give it.
    pub server_end_point: Vec<u8>,
}

/// The host says no, and why; the role chooses the reply that its protocol has for it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// Words for the peer in place of the role's own; printable, no line end, at most 200 octets are used.
    pub text: Option<Vec<u8>>,
}

impl Refusal {
    /// A refusal with the role's own words.
    #[must_use]
    pub const fn new(reason: Reason) -> Self {
        Self { reason, text: None }
    }
}

/// Why the host says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Reason {
    /// Name and secret do not go together, or there is no such account; never told apart.
    BadCredentials,
    /// Too many failed logins; come back later.
    LoginThrottled,
    /// The account may not do this; for a recipient: relaying is denied.
    NotPermitted,
    /// No such recipient, mailbox or message; permanent.
    NotFound,
    /// It is there already.
    AlreadyExists,
    /// Another session holds it exclusively.
    InUse,
    /// A rule of this server forbids it; permanent.
    Policy,
    /// The account's quota is used up.
    OverQuota,
    /// The message is larger than this server or mailbox takes.
    TooLarge,
    /// A limit on the number of things (recipients, mailboxes, keywords) is reached.
    TooMany,
    /// The disk is full; later it may not be.
    StorageFull,
    /// The store failed; nothing was changed; later it may work.
    StorageFailed,
    /// Too busy now.
    Overloaded,
    /// This host cannot do it at all.
    Unsupported,
    /// The sender's domain does not let its mail come from there (SPF); permanent.
    SpfFailed,
    /// No signature of the message is good (DKIM), and this server wants one; permanent.
    DkimFailed,
    /// Neither SPF nor DKIM speaks for the author's domain (DMARC); permanent.
    Unauthenticated,
    /// Who sent the message cannot be found out now; later it may be.
    Unverifiable,
}

/// Where a POP3 or IMAP session stands when its host has its say; SMTP has phases of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum Phase {
    /// Before the greeting.
    Connected,
    /// A command, by its verb in upper case; of IMAP's `UID FETCH` and the like the second word. Nothing that follows
    /// the verb: it may be a secret.
    Command(Vec<u8>),
}

/// What a session says in place of its own reply; for faults on purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Instead {
    /// SMTP's reply code, 400 to 599: a fault may refuse what would be done, never claim what was not. The other
    /// protocols have none and do not look at it.
    pub code: u16,
    /// One line of 1 to 200 printable octets of ASCII; for SMTP with its enhanced code, if it is to have one.
    pub text: Vec<u8>,
    /// Whether these are the last words.
    pub close: bool,
}

impl Instead {
    /// Whether the text is fit for one line of a reply.
    #[must_use]
    pub fn is_fit(&self) -> bool {
        let length = 1..=crate::limits::REFUSAL_TEXT_MAX;
        length.contains(&self.text.len()) && self.text.iter().all(|o| (b' '..=b'~').contains(o))
    }
}

/// Why the host ends a connection, for the words that the peer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Farewell {
    /// The server stops.
    ShuttingDown,
    /// No slot is free, or this address has too many connections.
    TooManyConnections,
    /// The session broke (a trap, a limit); nothing half done remains.
    Fault,
    /// The account that was logged in to is not there any more.
    AccountRemoved,
}

/// The host broke the contract; the session is as it was before the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Misuse {
    /// No ask with this id is open.
    UnknownAsk,
    /// The answer is of another kind than its ask names.
    WrongAnswer,
    /// `secured` without a `StartTls` before it.
    NotStartingTls,
    /// The call makes no sense in this state.
    WrongState,
    /// A value is out of its documented bounds.
    BadValue,
}
