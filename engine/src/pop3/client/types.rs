//! What a POP3 client session and its host say to each other, in the shapes of `wit/pop3.wit`.
//! Message numbers are the server's, and fixed until the connection ends; unique-ids last.

use alloc::vec::Vec;

use crate::limits::Limits;
use crate::sasl::{LoginAsk, LoginSecret, Mechanism};
use crate::types::Refusal;

/// How a POP3 client session behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Config {
    /// How far TLS is insisted on.
    pub tls: TlsPolicy,
    /// Whether APOP stands in the place of USER and PASS, which are never said then: `login` means it where the server
    /// offers it, and is not offered elsewhere.
    pub apop: bool,
    /// RFC 6856: whether to ask for UTF-8 if the server offers it.
    pub utf8: bool,
    /// RFC 6856 §3: the language to ask for, as a tag such as `en`; empty asks for none.
    pub language: Vec<u8>,
    /// Bounds; `line_max` bounds a reply line, `message_max` a message.
    pub limits: Limits,
    /// Milliseconds to wait.
    pub timeouts: Timeouts,
    /// Whether notes are made.
    pub trace: bool,
}

/// How far TLS is insisted on. Whose certificate is right the host judges in the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum TlsPolicy {
    /// From the first octet on: the session begins with `StartTls`, and the server greets once it is secured.
    Implicit,
    /// Never ask for it.
    None,
    /// STLS if the server offers it; in the clear otherwise.
    Opportunistic,
    /// STLS, or no login.
    Required,
}

/// How long a server may be silent, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Timeouts {
    /// For the greeting, and for the first line of a reply.
    pub reply_ms: u64,
    /// For the next line of a listing, and for the next 16 KiB of a message.
    pub data_ms: u64,
}

impl Default for Timeouts {
    /// RFC 1939 names none for clients; a maildrop of many messages may take a minute to open.
    fn default() -> Self {
        Self { reply_ms: 120_000, data_ms: 180_000 }
    }
}

/// What a POP3 client session needs of its host. One ask is open at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum Ask {
    /// Something to log in with. Answer: login.
    Login(LoginAsk),
    /// The next octets of a message. Answers: done, refused (the rest is read and dropped, and the call fails).
    Chunk(MessageChunk),
}

/// Octets of a message, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct MessageChunk {
    /// The call that wanted it.
    pub call: u32,
    /// Dots unstuffed; 1 to 16,384.
    pub octets: Vec<u8>,
}

/// What the host answers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum Answer {
    /// To `login`.
    Login(LoginSecret),
    /// Yes; go on.
    Done,
    /// No.
    Refused(Refusal),
}

/// A command and its number.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Call {
    /// The application's own; not that of another unfinished call.
    pub id: u32,
    /// What to do.
    pub command: Command,
}

/// What the application may want. Each call ends in one `completed` event; at most 100 may wait.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum Command {
    /// STAT: how much is there. Event: maildrop.
    Maildrop,
    /// LIST: sizes, of one message or of all that are not marked. Events: sizes.
    Sizes(Option<u32>),
    /// UIDL: unique-ids, of one message or of all that are not marked. Events: unique-ids.
    UniqueIds(Option<u32>),
    /// RETR: a message, as `chunk` asks.
    Retrieve(u32),
    /// TOP: header section and so many lines, as `chunk` asks.
    Top(TopCommand),
    /// DELE: mark for removal; removed by `quit` alone.
    Delete(u32),
    /// RSET: unmark all.
    Reset,
    /// NOOP: keep the session.
    Noop,
    /// CAPA: what is offered now. Event: capabilities.
    Capabilities,
    /// RFC 6856 §3.3 LANG alone: the languages that there are. Event: languages.
    Languages,
    /// RFC 6856 §3.3 LANG: speak this language, a tag or `*`.
    Language(Vec<u8>),
    /// QUIT: remove what is marked, then close. No call is taken after it.
    Quit,
}

/// RFC 1939 §7 TOP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct TopCommand {
    /// The message's number.
    pub number: u32,
    /// Lines of its body.
    pub body_lines: u32,
}

/// The maildrop as the server opened it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Maildrop {
    /// Messages that are not marked.
    pub count: u32,
    /// Octets of all of them.
    pub octets: u64,
}

/// A message's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct SizeRow {
    /// Its number in this session.
    pub number: u32,
    /// Octets, as the server counts them.
    pub size: u64,
}

/// A message's unique-id.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct UniqueIdRow {
    /// Its number in this session.
    pub number: u32,
    /// RFC 1939 §7 unique-id: as the server gave it, at most 512 octets.
    pub unique_id: Vec<u8>,
}

/// RFC 6856 §3.3: a language that the server speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct LanguageRow {
    /// Its tag.
    pub tag: Vec<u8>,
    /// Its name, in itself.
    pub description: Vec<u8>,
}

/// Rows of a listing, at most 128; those of one call come in the server's order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Sizes {
    /// The call.
    pub call: u32,
    /// The rows.
    pub rows: Vec<SizeRow>,
}

/// As [`Sizes`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct UniqueIds {
    /// The call.
    pub call: u32,
    /// The rows.
    pub rows: Vec<UniqueIdRow>,
}

/// RFC 2449 §6: what the server offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Capabilities {
    /// USER and PASS. Taken for offered where the server has no CAPA.
    pub user: bool,
    /// SASL mechanisms that we know.
    pub mechanisms: Vec<Mechanism>,
    /// STLS.
    pub stls: bool,
    /// TOP.
    pub top: bool,
    /// UIDL.
    pub uidl: bool,
    /// PIPELINING.
    pub pipelining: bool,
    /// RESP-CODES.
    pub resp_codes: bool,
    /// AUTH-RESP-CODE.
    pub auth_resp_code: bool,
    /// UTF8.
    pub utf8: bool,
    /// LANG.
    pub lang: bool,
    /// LOGIN-DELAY: seconds between two logins.
    pub login_delay_s: Option<u32>,
    /// EXPIRE: days that a message is kept at least after it was retrieved; none: for ever, or not told.
    pub expire_days: Option<u32>,
    /// IMPLEMENTATION: the server's own words of itself.
    pub implementation: Vec<u8>,
    /// Every line as it came; at most 64 of at most 512 octets are kept.
    pub lines: Vec<Vec<u8>>,
}

/// The session is open.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Ready {
    /// What the server offers, asked again after the login.
    pub capabilities: Capabilities,
    /// What is there.
    pub maildrop: Maildrop,
}

/// RFC 2449 §8, RFC 3206, RFC 6856: what a refusal's response code says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum Code {
    /// There is none.
    #[default]
    None,
    /// IN-USE: another session has the maildrop.
    InUse,
    /// LOGIN-DELAY: the last login was too short ago.
    LoginDelay,
    /// SYS/TEMP: the server is in trouble, later it may not be.
    SysTemp,
    /// SYS/PERM: the server is in trouble, and somebody has to look.
    SysPerm,
    /// AUTH: name or secret is wrong.
    Auth,
    /// UTF8: it needs UTF-8, which was not asked for.
    Utf8,
    /// Another, without brackets; at most 64 octets.
    Other(Vec<u8>),
}

/// Why a call failed, or the session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Cause {
    /// The server said no.
    Refused,
    /// The server does not offer it, or no login that we can do; nothing was said.
    Unsupported,
    /// The server refused the login, or there was nothing to log in with.
    Login,
    /// TLS was required and could not be had.
    Tls,
    /// What the server said is no reply to this command.
    Malformed,
    /// The message is larger than `limits.message_max`, or the listing longer than the maildrop.
    TooLarge,
    /// The host did not take the message's octets.
    Dropped,
    /// The server did not answer in time.
    Timeout,
    /// The connection ended first. Of `quit` it is unknown whether what was marked is removed; everything else that was
    /// not completed was not done for good.
    Lost,
}

/// Why a call failed, or the session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Failure {
    /// Why.
    pub cause: Cause,
    /// The response code of the server's refusal.
    pub code: Code,
    /// The server's words, or ours if it did not say anything; at most 512 octets.
    pub text: Vec<u8>,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum Outcome {
    /// It is done, and what was to be told was told.
    Done,
    /// A message came whole; octets given in chunks.
    Retrieved(u64),
    /// It failed; calls after it go on unless the session ended.
    Failed(Failure),
}

/// The end of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Completion {
    /// The call.
    pub call: u32,
    /// How it ended.
    pub outcome: Outcome,
}

/// Facts for the host.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum Event {
    /// Logged in, and the maildrop is open: calls begin.
    Ready(Ready),
    /// What is there now.
    Maildrop(Maildrop),
    /// Some messages' sizes.
    Sizes(Sizes),
    /// Some messages' unique-ids.
    UniqueIds(UniqueIds),
    /// What the server offers now.
    Capabilities(Capabilities),
    /// Languages that the server speaks, at most 128.
    Languages(Vec<LanguageRow>),
    /// A call is over.
    Completed(Completion),
    /// The server broke a rule. The text names the rule, for logs.
    Defect(Vec<u8>),
    /// The session is over; none if it was told to quit. Calls that wait have failed. Said once, before the end,
    /// whatever ends the session.
    Done(Option<Failure>),
}
