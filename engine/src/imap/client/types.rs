//! What an IMAP client session and its host say to each other, in the shapes of `wit/imap.wit`. What each command carries
//! stands in `commands`, what the server is found to have in `values`, and what messages look like in `shape`.

use alloc::vec::Vec;

use crate::imap::types::UidRun;
use crate::limits::Limits;
use crate::sasl::{LoginAsk, LoginSecret};
use crate::types::Refusal;

pub use super::commands::*;
pub use super::remaining::Remaining;
pub use super::shape::{Address, BodyPart, Envelope, Parameter};
pub use super::values::*;

/// How an IMAP client session behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Config {
    /// How far TLS is insisted on.
    pub tls: TlsPolicy,
    /// RFC 5161: extensions to enable if the server offers them, such as `IMAP4rev2`,
    /// `UTF8=ACCEPT`, `CONDSTORE`, `QRESYNC`, `UIDONLY`.
    pub enable: Vec<Vec<u8>>,
    /// RFC 2971: what to say of ourselves; empty says nothing, and asks nothing of the server.
    pub id: Vec<IdField>,
    /// Bounds; `line_max` and `line_after_login_max` bound a response line, `literals_max` the
    /// literals of one response but for message octets, `message_max` a body.
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
    /// From the first octet on: the session begins with `start-tls`, and the server greets once it
    /// is secured.
    Implicit,
    /// Never ask for it.
    None,
    /// STARTTLS if the server offers it; in the clear otherwise.
    Opportunistic,
    /// STARTTLS, or no login.
    Required,
}

/// How long a server may be silent, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Timeouts {
    /// For the greeting, while a command is due, and for the next octets of a response.
    pub reply_ms: u64,
    /// RFC 2177: after so long IDLE is ended and begun again; servers end a session that is idle
    /// for half an hour.
    pub idle_renew_ms: u64,
}

impl Default for Timeouts {
    /// RFC 9051 names none for clients; a search may take minutes.
    fn default() -> Self {
        Self { reply_ms: 300_000, idle_renew_ms: 29 * 60_000 }
    }
}

/// RFC 2971 §3.3: one field.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct IdField {
    /// Its name.
    pub name: Vec<u8>,
    /// Its value; none is NIL.
    pub value: Option<Vec<u8>>,
}

/// What an IMAP client session needs of its host. One ask is open at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum Ask {
    /// Something to log in with. Answer: login.
    Login(LoginAsk),
    /// The next octets of a body that is being fetched. Answers: done, refused (the rest of this
    /// body is read and dropped).
    Chunk(BodyChunk),
}

/// Octets of a fetched body, in order. They come before the `fetched` event of their message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct BodyChunk {
    /// The message's number now; 0 if the server tells UIDs alone (RFC 9586).
    pub number: u32,
    /// Its UID; 0 if the server tells it after the body.
    pub uid: u32,
    /// What stands between the brackets, in upper case, such as `1.2`, `HEADER`, or nothing.
    pub section: Vec<u8>,
    /// RFC 4467: the URL that leads to these octets; then they are of no message by number or UID.
    pub url: Option<Vec<u8>>,
    /// RFC 3516: whether the server has decoded it.
    pub binary: bool,
    /// The first octet's place if a part of the body was asked for.
    pub origin: Option<u64>,
    /// Octets of the body in all, as it comes.
    pub size: u64,
    /// At most 16 KiB; empty for a body that is empty or NIL.
    pub octets: Vec<u8>,
    /// Whether these are the last.
    pub last: bool,
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

/// A command and its number. Misuse: bad-value; wrong-state after `logout` and after `done`.
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
/// Mailbox names are UTF-8 with the server's own separator. In UIDs, 4294967295 stands for the
/// largest in use.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum Command {
    /// Open a mailbox. Events: opened; what comes before it is of this mailbox already.
    Select(SelectCommand),
    /// RFC 9051 §6.4.2: leave the mailbox, and remove nothing.
    Unselect,
    /// RFC 9051 §6.4.1: leave the mailbox, and remove what has \Deleted, untold.
    Close,
    /// Mailboxes that match. Events: mailbox, and status if asked for.
    List(ListCommand),
    /// Counters of a mailbox. Events: status.
    Status(Vec<u8>),
    /// Make a mailbox.
    Create(CreateCommand),
    /// Remove a mailbox.
    Delete(Vec<u8>),
    /// Rename a mailbox.
    Rename(RenameCommand),
    /// Subscribe.
    Subscribe(Vec<u8>),
    /// Unsubscribe.
    Unsubscribe(Vec<u8>),
    /// RFC 2342. Events: namespaces.
    Namespace,
    /// Read messages. Events: fetched, each after the chunks of its bodies.
    Fetch(FetchCommand),
    /// Change flags. Events: fetched, unless silent. The completion tells what was left alone.
    Store(StoreCommand),
    /// Copy, or move with RFC 6851 or, without, by copying, marking and removing. The completion
    /// carries the UIDs.
    Copy(CopyCommand),
    /// Remove those of these that have \Deleted; by UID EXPUNGE, or not at all without UIDPLUS.
    /// Events: expunged, vanished.
    Expunge(Vec<UidRun>),
    /// Find messages. Events: found and scored, then counted; with `update`, updated from then on.
    Search(SearchCommand),
    /// RFC 5267 §4.3.5: tell no more of how the result of this search changes; by its call.
    CancelUpdate(u32),
    /// RFC 7377: find messages in several mailboxes. Events: found-in for each that has some, and then as of `search`.
    MultiSearch(MultiSearchCommand),
    /// RFC 5256: find messages, in order. Events: sorted.
    Sort(SortCommand),
    /// RFC 5256: find messages, as conversations. Events: threaded.
    Thread(ThreadCommand),
    /// Add a message, or put it in the place of another. The completion carries its UID.
    Append(AppendCommand),
    /// RFC 3502: add several messages, all or none; the server must offer MULTIAPPEND. The completion carries their UIDs.
    AppendAll(AppendAllCommand),
    /// RFC 4469: add a message that is put together of parts. The completion carries its UID.
    Assemble(AssembleCommand),
    /// RFC 2177: wait for changes until `done-idling` or any other call; renewed in time by the
    /// session itself.
    Idle,
    /// End `idle`.
    DoneIdling,
    /// RFC 5465: what to tell unasked from now on, of which mailboxes; empty for nothing at all.
    Notify(Vec<NotifyGroup>),
    /// Keep the connection, and hear what is new.
    Noop,
    /// RFC 9208. Events: quota.
    Quota(QuotaCommand),
    /// RFC 4314. Events: rights.
    Rights(RightsCommand),
    /// RFC 4314 §3.4: what somebody may be given. Events: grantable.
    ListRights(ListRightsCommand),
    /// RFC 5464. Events: metadata, metadata-left-out.
    Metadata(MetadataCommand),
    /// RFC 4467 §7: have these URLs, which have everything but a token, made good for whom they name; at most 32. The server
    /// must offer URLAUTH. Events: urls-authorized.
    AuthorizeUrls(Vec<Vec<u8>>),
    /// RFC 4467 §7: have URLs of this mailbox, or of all, that were made before be good no more.
    ResetKey(Option<Vec<u8>>),
    /// RFC 4467 §7: read to what these URLs lead, which come with their tokens; at most 32. Events: url-fetched, each after
    /// the chunks of its octets.
    FetchUrls(Vec<Vec<u8>>),
    /// RFC 5255 §3.2: have the server speak the first of these languages that it knows; none: which it knows. Events:
    /// languages.
    Language(Vec<Vec<u8>>),
    /// RFC 4978: compress both directions from now on, by the output `compress`.
    Compress,
    /// RFC 8437: leave the mailbox and the account, and log in anew: the host is asked as before, and `ready` is told
    /// again. Unsupported once the connection is compressed.
    Unauthenticate,
    /// Say goodbye, then close. No call is taken after it.
    Logout,
}
