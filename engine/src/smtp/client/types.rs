//! What an SMTP client session and its host say to each other, in the shapes of `wit/smtp.wit`.
//! Paths and parameters are those of the server's side; replies are kept as the server said them.

use alloc::string::String;
use alloc::vec::Vec;

use crate::limits::Limits;
use crate::sasl::{LoginAsk, LoginSecret};
use crate::smtp::types::{Extensions, MailFrom, RcptTo, Service};
use crate::types::{BlobId, BlobRange, Misuse, Refusal};

/// How an SMTP client session behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Config {
    /// Our name, for EHLO, HELO and LHLO.
    pub host_name: Vec<u8>,
    /// Which of the three services: LMTP says LHLO and takes one reply per recipient after the data.
    pub service: Service,
    /// How far TLS is insisted on.
    pub tls: TlsPolicy,
    /// Whether to log in; without a mechanism that both sides have, the session ends with all deliveries deferred.
    pub login: bool,
    /// Bounds; `message_max` bounds what is sent, `line_max` a reply line.
    pub limits: Limits,
    /// Milliseconds to wait for each kind of reply.
    pub timeouts: Timeouts,
    /// Whether notes are made.
    pub trace: bool,
}

/// How far TLS is insisted on. Whose certificate is right (PKIX, DANE, MTA-STS) the host judges in the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum TlsPolicy {
    /// From the first octet on: the session begins with `StartTls`, and the server greets once it is secured.
    Implicit,
    /// Never ask for it.
    None,
    /// STARTTLS if the server offers it; in the clear otherwise (RFC 7435).
    Opportunistic,
    /// STARTTLS, or no mail: without it every delivery is deferred.
    Required,
}

/// RFC 5321 §4.5.3.2, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Timeouts {
    /// For the greeting, and for the reply to EHLO, MAIL, RCPT.
    pub command_ms: u64,
    /// For 354 after DATA.
    pub data_start_ms: u64,
    /// For room to send the next octets.
    pub data_block_ms: u64,
    /// For the reply after the final dot; too short a one doubles mail.
    pub data_end_ms: u64,
}

impl Default for Timeouts {
    /// What RFC 5321 §4.5.3.2 asks for.
    fn default() -> Self {
        Self {
            command_ms: 300_000,
            data_start_ms: 120_000,
            data_block_ms: 180_000,
            data_end_ms: 600_000,
        }
    }
}

/// What an SMTP client session needs of its host. One ask is open at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum Ask {
    /// Something to log in with. Answer: login.
    Login(LoginAsk),
    /// Octets of a message, at most 16 KiB. Answers: octets (exactly the range), refused (the delivery is deferred,
    /// and the connection ends if its data had begun, since half a message must never look whole).
    Octets(BlobRange),
}

/// What the host answers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum Answer {
    /// To `login`.
    Login(LoginSecret),
    /// To `octets`.
    Octets(Vec<u8>),
    /// To `octets`: they cannot be had.
    Refused(Refusal),
}

/// One message to deliver over this connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Delivery {
    /// The application's own name for it; not that of another unfinished delivery.
    pub id: u32,
    /// The reverse path and its parameters; those that the server does not offer are left out where that is harmless
    /// (SIZE, ENVID, RET, MT-PRIORITY, BY with `notify`), and end the delivery where it is not (SMTPUTF8, REQUIRETLS, BY
    /// with `return`, HOLDUNTIL at submission). A body that the server does not take is encoded anew, in seven bits. BY
    /// counts from now: the host takes off what has passed. A hold is the submission server's to keep, so it is told to
    /// no other.
    pub mail: MailFrom,
    /// The recipients, at least one, in the order of the fates.
    pub recipients: Vec<RcptTo>,
    /// The message.
    pub message: BlobId,
    /// Its first octet that is sent: behind what is for final delivery alone (`Envelope::return_path_octets`).
    pub offset: u64,
    /// How many octets are sent.
    pub size: u64,
    /// Whether it can be sent as stored: no line begins with a dot, no CR or LF stands alone, and it ends with CRLF.
    /// The session then gives it out as a range that the host sends itself.
    pub plain: bool,
    /// RFC 8689: only over a verified, secured connection to a server that offers REQUIRETLS; as `mail.require_tls`, of
    /// which either is enough.
    pub require_tls: bool,
}

impl Delivery {
    /// Whether a session with these limits takes it.
    ///
    /// # Errors
    /// [`Misuse::BadValue`].
    pub fn check(&self, limits: &Limits) -> Result<(), Misuse> {
        super::command::check(self, limits)
    }
}

/// What the application may want of an SMTP client session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum Call {
    /// Deliver a message. At most 100 may wait. Misuse: bad-value; wrong-state after `quit` and after `done`.
    Deliver(Delivery),
    /// Do not begin this delivery; one that has begun goes on. It still ends in `finished`.
    Cancel(u32),
    /// A range of this delivery's message that was given out could not be sent whole, so what came behind it never left:
    /// the message had no end. The delivery is deferred, and the session ends. Of a delivery that is over it says nothing.
    BrokenOff(u32),
    /// Say QUIT after what was called before, then close.
    Quit,
}

/// A server's reply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Reply {
    /// RFC 5321 §4.2.
    pub code: u16,
    /// RFC 3463 enhanced status code, if the reply has one.
    pub status: Option<EnhancedStatus>,
    /// Its lines, without codes; at most 32 of at most 512 octets are kept.
    pub lines: Vec<Vec<u8>>,
}

/// RFC 3463 §2: `class.subject.detail`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct EnhancedStatus {
    /// 2, 4 or 5.
    pub class: u8,
    /// 0 to 999.
    pub subject: u16,
    /// 0 to 999.
    pub detail: u16,
}

/// At which step a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Stage {
    /// Before any command: connection, greeting, TLS, login.
    Session,
    /// MAIL.
    Mail,
    /// RCPT.
    Recipient,
    /// DATA or BDAT up to the last octet.
    Data,
    /// After the last octet.
    EndOfData,
}

/// What became of one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum Fate {
    /// The server has taken the message for it.
    Accepted(Reply),
    /// The server will never take it.
    Failed(Failure),
    /// Later it may: try again.
    Deferred(Failure),
    /// The connection was lost after the last octet and before the reply: the message may have been taken. Trying
    /// again may double it, not trying may lose it; RFC 5321 §6.1 says try.
    Uncertain(Failure),
}

/// Why a recipient was not served.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Failure {
    /// Where it ended.
    pub stage: Stage,
    /// The server's words; none if it did not say anything.
    pub reply: Option<Reply>,
    /// Our words, for the log and the report. They begin with the RFC 3463 status that fits, such as `4.4.2`.
    pub diagnosis: String,
}

/// The end of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Finished {
    /// Which.
    pub id: u32,
    /// One fate per recipient, in order.
    pub fates: Vec<Fate>,
}

/// What the server said of itself, after EHLO; said again after STARTTLS.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Offer {
    /// Its name by its greeting.
    pub name: Vec<u8>,
    /// What it offers.
    pub extensions: Extensions,
    /// Whether it offers STARTTLS.
    pub start_tls: bool,
    /// RFC 1870: the largest message that it takes.
    pub size_max: Option<u64>,
    /// RFC 9422: recipients of one message.
    pub recipients_max: Option<u32>,
    /// RFC 9422: messages over one connection.
    pub messages_max: Option<u32>,
    /// RFC 9422: domains of the recipients of one message.
    pub recipient_domains_max: Option<u32>,
    /// RFC 2852: seconds that a message has to be given at least.
    pub deliver_by_min_s: Option<u32>,
    /// RFC 4865: seconds that a message is kept back at most.
    pub hold_max_s: Option<u32>,
}

/// Facts for the host.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum Event {
    /// The server is known and, if there is one to do, the login is done: deliveries begin.
    Ready(Offer),
    /// A delivery is over.
    Finished(Finished),
    /// The server broke a rule. The text names the rule, for logs.
    Defect(Vec<u8>),
    /// The session can begin no more deliveries: the server closes, a limit of its is reached, or login or TLS
    /// failed; none if it was told to quit. Deliveries that wait are finished as deferred. Said once, before the end,
    /// whatever ends the session.
    Done(Option<Failure>),
}
