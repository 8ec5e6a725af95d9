//! What an IMAP client session and its host say to each other, in the shapes of `wit/imap.wit`.
//! What the server is found to have stands in `values`, and what messages look like in `shape`.

use alloc::vec::Vec;

use crate::imap::types::{
    Flags, MetadataEntry, QuotaLimit, RightsChange, SearchKey, SpecialUse, StoreMode, UidRun,
};
use crate::limits::Limits;
use crate::sasl::{LoginAsk, LoginSecret};
use crate::types::{BlobId, Refusal};

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
    /// `UTF8=ACCEPT`, `CONDSTORE`, `QRESYNC`.
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
    /// The message's number now.
    pub number: u32,
    /// Its UID; 0 if the server tells it after the body.
    pub uid: u32,
    /// What stands between the brackets, in upper case, such as `1.2`, `HEADER`, or nothing.
    pub section: Vec<u8>,
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
    /// Find messages. Events: found, then counted.
    Search(SearchCommand),
    /// RFC 5256: find messages, in order. Events: sorted.
    Sort(SortCommand),
    /// RFC 5256: find messages, as conversations. Events: threaded.
    Thread(ThreadCommand),
    /// Add a message. The completion carries its UID.
    Append(AppendCommand),
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
    /// RFC 5464. Events: metadata.
    Metadata(MetadataCommand),
    /// Say goodbye, then close. No call is taken after it.
    Logout,
}

/// RFC 9051 §6.3.2, §6.3.3, RFC 7162 §3.2.5.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct SelectCommand {
    /// The mailbox.
    pub name: Vec<u8>,
    /// EXAMINE.
    pub read_only: bool,
    /// RFC 7162: what is known of it from before; told if QRESYNC is enabled.
    pub known: Option<KnownState>,
}

/// What is known of a mailbox from before.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct KnownState {
    /// Its validity then.
    pub uid_validity: u32,
    /// Its highest mod-sequence then.
    pub modseq: u64,
    /// UIDs known then; empty leaves them out.
    pub uids: Vec<UidRun>,
}

/// RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct ListCommand {
    /// Reference and pattern joined; `*` and `%` are wild.
    pub pattern: Vec<u8>,
    /// Only subscribed names.
    pub subscribed: bool,
    /// Only mailboxes with a special use.
    pub special_use: bool,
    /// With counters, if the server can tell them with the list.
    pub status: bool,
}

/// RFC 9051 §6.3.4, RFC 6154 §3.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct CreateCommand {
    /// The mailbox.
    pub name: Vec<u8>,
    /// Uses to give it; the server must offer CREATE-SPECIAL-USE for any.
    pub special_uses: Vec<SpecialUse>,
}

/// RFC 9051 §6.3.6.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct RenameCommand {
    /// The old name.
    pub from: Vec<u8>,
    /// The new one.
    pub to: Vec<u8>,
}

/// RFC 9051 §6.4.5, RFC 7162 §3.1.4.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct FetchCommand {
    /// Which messages.
    pub uids: Vec<UidRun>,
    /// Flags; with CONDSTORE also the mod-sequence.
    pub with_flags: bool,
    /// Internal date and size.
    pub with_facts: bool,
    /// Envelope.
    pub with_envelope: bool,
    /// Body structure.
    pub with_structure: bool,
    /// RFC 8970: the first words, if the server offers it.
    pub with_preview: bool,
    /// Bodies, whose octets come as chunks.
    pub sections: Vec<FetchSection>,
    /// Only messages changed since this mod-sequence.
    pub changed_since: Option<u64>,
    /// RFC 7162 §3.2.6: tell also what has vanished since `changed_since`; needs QRESYNC enabled.
    pub vanished: bool,
}

/// BODY.PEEK or BINARY.PEEK: nothing becomes \Seen by reading.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct FetchSection {
    /// What stands between the brackets, such as `1.2`, `HEADER.FIELDS (FROM)`, or nothing.
    pub section: Vec<u8>,
    /// RFC 3516: decoded by the server; it must offer BINARY.
    pub binary: bool,
    /// A part of it.
    pub part: Option<OctetRange>,
}

/// A range of octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct OctetRange {
    /// First octet, from 0.
    pub offset: u64,
    /// How many at most; at least 1.
    pub length: u64,
}

/// RFC 9051 §6.4.6, RFC 7162 §3.1.3.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct StoreCommand {
    /// Which messages.
    pub uids: Vec<UidRun>,
    /// How.
    pub mode: StoreMode,
    /// What.
    pub flags: Flags,
    /// Whether the new flags need not be told.
    pub silent: bool,
    /// Leave messages changed after this mod-sequence as they are; the server must offer CONDSTORE.
    pub unchanged_since: Option<u64>,
}

/// RFC 9051 §6.4.7 and §6.4.8.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct CopyCommand {
    /// Which messages.
    pub uids: Vec<UidRun>,
    /// The other mailbox.
    pub to: Vec<u8>,
    /// Whether to remove them here.
    pub remove: bool,
}

/// RFC 9051 §6.4.4, RFC 4731.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct SearchCommand {
    /// What to look for, in postfix order; it leaves one result.
    pub keys: Vec<SearchKey>,
    /// How many, least and greatest only, where the server can say just that.
    pub summary: bool,
}

/// RFC 5256 §3: what to sort by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum SortKey {
    /// Internal date.
    Arrival,
    /// First address of Cc.
    Cc,
    /// Date field.
    Date,
    /// First address of From.
    From,
    /// Octets.
    Size,
    /// Subject, without `Re:` and its like.
    Subject,
    /// First address of To.
    To,
    /// RFC 5957: the name that is shown of From.
    DisplayFrom,
    /// RFC 5957: the name that is shown of To.
    DisplayTo,
}

/// One criterion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct SortBy {
    /// By what.
    pub key: SortKey,
    /// Whether the greatest comes first.
    pub reverse: bool,
}

/// RFC 5256.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct SortCommand {
    /// Criteria, the weightiest first; at least one.
    pub by: Vec<SortBy>,
    /// What to look for, as in `search-command`.
    pub keys: Vec<SearchKey>,
}

/// RFC 5256 §3: how conversations are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum ThreadAlgorithm {
    /// By subject and date.
    OrderedSubject,
    /// By References and In-Reply-To.
    References,
}

/// RFC 5256.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct ThreadCommand {
    /// How.
    pub algorithm: ThreadAlgorithm,
    /// What to look for, as in `search-command`.
    pub keys: Vec<SearchKey>,
}

/// RFC 9051 §6.3.12. The session gives the message out by `transmit-blob`, so the host writes it
/// itself: it must be as it is to be stored, each line with CRLF.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct AppendCommand {
    /// The mailbox.
    pub name: Vec<u8>,
    /// The message.
    pub message: BlobId,
    /// Its octets.
    pub size: u64,
    /// Flags.
    pub flags: Flags,
    /// Internal date in milliseconds since 1970 UTC; none: now.
    pub internal_date_ms: Option<u64>,
    /// Whether it may hold NUL: then as a literal8 (RFC 3516), which the server must offer.
    pub binary: bool,
}

/// RFC 5465 §6: of which mailboxes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum NotifyScope {
    /// The open one, at once.
    Selected,
    /// The open one, expunges only when a command allows.
    SelectedDelayed,
    /// Those that mail is delivered to.
    Inboxes,
    /// The account's own.
    Personal,
    /// Subscribed ones.
    Subscribed,
    /// These and all below them.
    Subtree(Vec<Vec<u8>>),
    /// These.
    Mailboxes(Vec<Vec<u8>>),
}

/// RFC 5465 §5: of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum NotifyEvent {
    /// New messages.
    MessageNew,
    /// Removed ones.
    MessageExpunge,
    /// Changed flags.
    FlagChange,
    /// Mailboxes made, renamed and removed.
    MailboxName,
    /// Subscriptions.
    SubscriptionChange,
    /// Annotations of mailboxes.
    MailboxMetadataChange,
    /// Annotations of the server.
    ServerMetadataChange,
}

/// RFC 5465: one filter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct NotifyGroup {
    /// Of which mailboxes.
    pub scope: NotifyScope,
    /// Of what; empty for nothing. `message-new` needs `message-expunge` and the other way round.
    pub events: Vec<NotifyEvent>,
}

/// RFC 9208.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct QuotaCommand {
    /// A mailbox, or a quota root if `root` is set.
    pub name: Vec<u8>,
    /// Whether `name` is a quota root.
    pub root: bool,
    /// New limits for the root; empty only reads.
    pub set: Vec<QuotaLimit>,
}

/// RFC 4314.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct RightsCommand {
    /// The mailbox.
    pub name: Vec<u8>,
    /// A change to make; none only reads: our own rights, and everyone's if we may see them.
    pub change: Option<RightsChange>,
}

/// RFC 5464. Either reads or writes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct MetadataCommand {
    /// The mailbox; empty for the server.
    pub name: Vec<u8>,
    /// Entries to read.
    pub read: Vec<Vec<u8>>,
    /// Entries to write.
    pub write: Vec<MetadataEntry>,
}
