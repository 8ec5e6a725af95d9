//! What an SMTP server session and its host say to each other, in the shapes of `wit/smtp.wit`.
//! Paths and parameters are parsed: after this file nobody reads a raw command.

use alloc::vec::Vec;

use crate::limits::Limits;
use crate::message::Surveyed;
use crate::sasl::{AuthOffer, Credentials, LoginAnswer, Mechanism};
use crate::types::{Farewell, Instead, Peer, Persona, Refusal, TlsOffer};

/// How an SMTP server session behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Config {
    /// This server's name: in the greeting, in replies and in Received fields.
    pub host_name: Vec<u8>,
    /// Which of the three services.
    pub service: Service,
    /// The other end.
    pub peer: Peer,
    /// The connection's own name for trace fields and replies; unique on this server, an atom of at most 32 octets.
    pub session_id: Vec<u8>,
    /// TLS on this listener.
    pub tls: TlsOffer,
    /// Logins on this listener.
    pub auth: AuthOffer,
    /// Whether mail is taken only after a login (submission).
    pub auth_required: bool,
    /// Which extensions are offered.
    pub extensions: Extensions,
    /// Whose words it says.
    pub persona: Persona,
    /// Whether it goes on where a client is out of order or out of step, or writes a path or its name wrongly; each is
    /// noted as a defect all the same. For tests of clients alone.
    pub lenient: bool,
    /// Whether VRFY and EXPN ask the host; otherwise both answer 252 to every name (RFC 5321 §7.3).
    pub verify: bool,
    /// Whether a Return-Path field is put before the message (RFC 5321 §4.4: at final delivery).
    pub return_path: bool,
    /// Whether the host has its say at each phase (`Ask::Phase`); for faults on purpose alone.
    pub faults: bool,
    /// Indexes a message that came in one piece, for [`Envelope::index`].
    #[cfg_attr(feature = "serde", serde(serialize_with = "Indexer::as_bool", skip_deserializing))]
    pub index: Indexer,
    /// Bounds.
    pub limits: Limits,
    /// Whether notes are made.
    pub trace: bool,
}

/// A function that indexes messages, if there is one: the engine has none of its own, since the structure of a message is
/// nothing that SMTP knows of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Indexer(Option<Index>);

type Index = fn(&[u8], Surveyed) -> Option<Vec<u8>>;

impl Indexer {
    /// Indexes with `index`; what it gives no index for, the host indexes.
    #[must_use]
    pub const fn new(index: fn(&[u8], Surveyed) -> Option<Vec<u8>>) -> Self {
        Self(Some(index))
    }

    /// Whether there is one.
    #[must_use]
    pub const fn is_there(self) -> bool {
        self.0.is_some()
    }

    pub(super) fn index(self, message: &[u8], surveyed: Surveyed) -> Option<Vec<u8>> {
        self.0.and_then(|index| index(message, surveyed))
    }

    #[cfg(feature = "serde")]
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's form of such functions")]
    fn as_bool<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(self.is_there())
    }
}

/// By whether there is one: which one it is cannot be told.
impl PartialEq for Indexer {
    fn eq(&self, other: &Self) -> bool {
        self.is_there() == other.is_there()
    }
}

impl Eq for Indexer {}

/// Which service a session gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Service {
    /// RFC 5321.
    Smtp,
    /// RFC 6409.
    Submission,
    /// RFC 2033: LHLO, and one reply per recipient after the data.
    Lmtp,
}

/// Extensions that a session offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
#[allow(clippy::struct_excessive_bools, reason = "each is one keyword of the EHLO reply")]
pub struct Extensions {
    /// RFC 2920.
    pub pipelining: bool,
    /// RFC 1870.
    pub size: bool,
    /// RFC 6152.
    pub eight_bit_mime: bool,
    /// RFC 6531.
    pub smtputf8: bool,
    /// RFC 2034.
    pub enhanced_status_codes: bool,
    /// RFC 3030.
    pub chunking: bool,
    /// RFC 3030; needs `chunking`.
    pub binary_mime: bool,
    /// RFC 3461; only right when the host acts on it.
    pub dsn: bool,
    /// RFC 8689, offered under TLS alone; only right when the host sends on what asks for it by TLS or not at all.
    pub require_tls: bool,
    /// RFC 2852; only right when the host acts on it.
    pub deliver_by: bool,
    /// RFC 4865, for submission alone; only right when the host keeps mail back as it is told.
    pub future_release: bool,
    /// RFC 6710.
    pub mt_priority: bool,
    /// RFC 9422: limits are told.
    pub limits: bool,
    /// RFC 1985; only right when the host has a queue.
    pub etrn: bool,
    /// Postfix's XCLIENT: who is there says for whom it speaks. Only for peers that the host trusts.
    pub xclient: bool,
}

impl Extensions {
    /// Every one that the grammar knows: to read what somebody else may have been offered.
    #[must_use]
    pub const fn all() -> Self {
        Self {
            pipelining: true,
            size: true,
            eight_bit_mime: true,
            smtputf8: true,
            enhanced_status_codes: true,
            chunking: true,
            binary_mime: true,
            dsn: true,
            require_tls: true,
            deliver_by: true,
            future_release: true,
            mt_priority: true,
            limits: true,
            etrn: true,
            xclient: true,
        }
    }
}

impl Default for Extensions {
    /// All but those that the host has to do something for; DSN, which every host with a queue does, is on.
    fn default() -> Self {
        Self {
            pipelining: true,
            size: true,
            eight_bit_mime: true,
            smtputf8: true,
            enhanced_status_codes: true,
            chunking: true,
            binary_mime: true,
            dsn: true,
            require_tls: true,
            deliver_by: false,
            future_release: false,
            mt_priority: true,
            limits: true,
            etrn: false,
            xclient: false,
        }
    }
}

/// What an SMTP server session needs of its host.
///
/// One ask is open at a time. Octets come as `Chunk` asks after the recipients, the last of them with one `Commit`;
/// `Event::Reset` or the end of the connection without `Commit` means that the transaction is to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum Ask {
    /// Judge these credentials. Answer: login.
    Login(Credentials),
    /// A transaction begins. Answers: done, refused.
    Sender(MailFrom),
    /// One more recipient. Answers: done, refused.
    Recipient(RcptTo),
    /// The next octets of the message, trace fields of this hop first. Answers: done, refused.
    Chunk(Vec<u8>),
    /// The message is whole with the last octets, which this has: make it durable. Answers: committed, refused (nothing
    /// was stored).
    Commit(Envelope),
    /// RFC 5321 §3.5 VRFY. Answers: mailboxes, refused.
    Verify(Vec<u8>),
    /// RFC 5321 §3.5 EXPN. Answers: mailboxes, refused.
    Expand(Vec<u8>),
    /// RFC 1985 ETRN: send what waits there. Answers: flushing, refused.
    Flush(Flush),
    /// With `Config::faults` alone: what comes next, before anything is done about it. Answers: done (go on), instead,
    /// and to `Phase::Hello` hiding.
    Phase(Phase),
}

/// RFC 1985 §5: whose waiting mail is to be sent now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum Flush {
    /// A domain's.
    Node(Vec<u8>),
    /// RFC 1985 §5.3 `@`: a domain's, and that of all domains under it.
    Subdomains(Vec<u8>),
    /// RFC 1985 §5.3 `#`: that of a queue, by the host's own name for it.
    Queue(Vec<u8>),
}

/// Where a session stands when its host has its say.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum Phase {
    /// Before the greeting.
    Connected,
    /// EHLO, HELO or LHLO, with the name that it gives.
    Hello(Vec<u8>),
    /// AUTH, before the exchange; the mechanism if it is known.
    Auth(Option<Mechanism>),
    /// MAIL.
    Mail(MailFrom),
    /// RCPT.
    Rcpt(RcptTo),
    /// DATA, or a BDAT of a transaction.
    Data,
    /// The message is whole, and not durable: `Ask::Commit` comes next. Not for a message that is refused already.
    EndOfData,
    /// The message is durable, and its client was not told. Whatever is said instead, it stays so.
    Committed,
    /// QUIT.
    Quit,
    /// Any other command, by its verb in upper case.
    Other(Vec<u8>),
}

/// Facts about a whole message that only the octets told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Envelope {
    /// Octets in all, this hop's trace fields included.
    pub size: u64,
    /// The message's last octets, behind those of all chunks: most messages come in one piece, and this is all of it.
    pub last: Vec<u8>,
    /// With [`Config::index`] and of a message that is all in `last`: its index, as [`crate::message::Index::encode`]
    /// gives it. None if its structure is too large for that.
    pub index: Option<Vec<u8>>,
    /// Whether any octet has its high bit set.
    pub eight_bit: bool,
    /// Whether the message came with BODY=BINARYMIME.
    pub binary: bool,
    /// Octets at the beginning that are for final delivery alone (Return-Path): what is sent on begins after them
    /// (RFC 5321 §4.4).
    pub return_path_octets: u64,
    /// RFC 8689 §4.1: the header section says `TLS-Required: No`, and MAIL did not say REQUIRETLS.
    pub tls_optional: bool,
    /// From a client that logged in, or by submission: all addresses of the From and Sender fields. What is wrong in
    /// them was refused; whether the account may write as each of them is the host's to say (RFC 6409 §6.3).
    pub authors: Vec<Mailbox>,
    /// The header section has octets beyond ASCII, and MAIL did not say SMTPUTF8: sent on, it needs that all the same
    /// (RFC 6531 §3.5).
    pub utf8_undeclared: bool,
}

/// RFC 5321 §4.1.1.2: MAIL, parsed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct MailFrom {
    /// The reverse path; `None` is the null path `<>`.
    pub reverse_path: Option<Mailbox>,
    /// RFC 1870 SIZE: the sender's estimate.
    pub size: Option<u64>,
    /// RFC 6152, RFC 3030 BODY.
    pub body: Body,
    /// RFC 6531 SMTPUTF8.
    pub smtputf8: bool,
    /// RFC 3461 RET.
    pub ret: Option<Ret>,
    /// RFC 3461 ENVID, decoded from xtext.
    pub envid: Option<Vec<u8>>,
    /// RFC 4954 AUTH, decoded from xtext; `<>` is an empty one.
    pub auth: Option<Vec<u8>>,
    /// RFC 8689 REQUIRETLS.
    pub require_tls: bool,
    /// RFC 2852 BY.
    pub deliver_by: Option<DeliverBy>,
    /// RFC 4865 HOLDFOR or HOLDUNTIL: not to be delivered before, in milliseconds since 1970 UTC.
    pub hold_until_ms: Option<u64>,
    /// RFC 6710 MT-PRIORITY, -9 to 9.
    pub priority: Option<i8>,
}

/// RFC 2852: how soon a message is to be delivered, and what is to happen when it cannot be.
///
/// Its sections are not named here nor elsewhere: the grammar was checked against other implementations, not its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct DeliverBy {
    /// Seconds from the moment that MAIL is said; with `return` at least 1 when it is received.
    pub seconds: i32,
    /// What happens then.
    pub mode: ByMode,
    /// Whether each relaying is to be told of (the T behind the mode).
    pub trace: bool,
}

/// RFC 2852: what happens to a message whose time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum ByMode {
    /// R: it is returned.
    Return,
    /// N: it is delivered late, and its sender is told.
    Notify,
}

/// RFC 5321 §4.1.1.3: RCPT, parsed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct RcptTo {
    /// The recipient; a source route before it was dropped. An empty domain means `<Postmaster>`.
    pub forward_path: Mailbox,
    /// RFC 3461 NOTIFY.
    pub notify: Option<Notify>,
    /// RFC 3461 ORCPT, `addr-type;address`, decoded from xtext.
    pub orcpt: Option<Vec<u8>>,
}

/// RFC 5321 §4.1.2 Mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct Mailbox {
    /// The local part's meaning: without quotes and quoted pairs; UTF-8 only with SMTPUTF8. No CR, LF or NUL.
    pub local_part: Vec<u8>,
    /// A domain, or an address literal with its brackets; as it was written.
    pub domain: Vec<u8>,
}

/// RFC 6152 and RFC 3030: how the body is encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Body {
    /// Seven bits, lines.
    #[default]
    SevenBit,
    /// Eight bits, lines.
    EightBitMime,
    /// Any octets; only with BDAT.
    BinaryMime,
}

/// RFC 3461 §4.3: what a report returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Ret {
    /// The whole message.
    Full,
    /// Its header section.
    Headers,
}

/// RFC 3461 §4.1: when to report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct Notify {
    /// On delivery. All three false is NEVER.
    pub success: bool,
    /// On failure.
    pub failure: bool,
    /// On delay.
    pub delay: bool,
}

/// What the host answers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum Answer {
    /// To `login`.
    Login(LoginAnswer),
    /// Yes; go on.
    Done,
    /// No.
    Refused(Refusal),
    /// To `commit`: it is durable.
    Committed(Committed),
    /// To `verify` and `expand`: what it stands for, at least one.
    Mailboxes(Vec<Mailbox>),
    /// To `flush`: it is begun; how many messages wait, if that is known.
    Flushing(Option<u32>),
    /// To `phase`: say this in place of your own reply, and do nothing of what was wanted.
    Instead(Instead),
    /// To `phase` with `hello`: go on, but list none of these keywords in the reply to EHLO or LHLO. What they stand
    /// for still works.
    Hiding(Vec<Vec<u8>>),
}

/// A message was made durable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Committed {
    /// The host's name for the message, printable, for the reply and the log.
    pub id: Vec<u8>,
    /// LMTP only: one fate per accepted recipient, in order; `None` is success. Empty: all succeeded.
    pub fates: Vec<Option<Refusal>>,
}

/// What the application may want of an SMTP server session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum Call {
    /// Say goodbye and close, once an open commit is answered.
    Farewell(Farewell),
}

/// Facts for the host.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum Event {
    /// The peer said who it is (EHLO, HELO, LHLO); unverified.
    Greeted(Vec<u8>),
    /// The transaction is over without a commit: forget what was told since `Ask::Sender`.
    Reset,
    /// The peer broke a rule; its command was refused. The text names the rule, for logs.
    Defect(Vec<u8>),
    /// The peer said QUIT.
    Quit,
    /// XCLIENT: the peer speaks for another one. The host's view of who is there changes with it; it believes this only
    /// where it offered XCLIENT itself.
    Forwarded(Forwarded),
}

/// For whom a trusted peer speaks; what it did not tell stays as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Forwarded {
    /// Who is there now: the address and name that were told, or those from before.
    pub peer: Peer,
    /// Its port.
    pub port: Option<u16>,
    /// Under what name it greeted the peer that speaks for it.
    pub helo: Option<Vec<u8>>,
    /// The account that it logged in to there; the session goes on as logged in.
    pub login: Option<Vec<u8>>,
    /// The address that it connected to.
    pub destination: Option<Vec<u8>>,
    /// The port that it connected to.
    pub destination_port: Option<u16>,
}
