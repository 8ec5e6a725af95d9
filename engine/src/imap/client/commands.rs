//! What each command of an IMAP client carries, in the shapes of `wit/imap.wit`.
//! Which lines they become, and whether their values are right, stands in `command` and `wording`.

use alloc::vec::Vec;

use crate::imap::types::{
    Flags, MetadataEntry, QuotaLimit, RightsChange, SearchKey, SpecialUse, StoreMode, UidRun,
};
use crate::types::BlobId;

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
    /// RFC 8440: with our own rights, if the server can tell them with the list. Events: rights.
    pub rights: bool,
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
    /// RFC 9394 §3.3: only those of these messages that stand at these places.
    pub places: Option<Places>,
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

/// RFC 9394 §3.1: places in a result, the first is 1, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Places {
    /// From 1.
    pub first: u32,
    /// At least `first`.
    pub last: u32,
    /// Counted from the end: the last is 1.
    pub from_end: bool,
}

/// RFC 9051 §6.4.4, RFC 4731.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct SearchCommand {
    /// What to look for, in postfix order; it leaves one result.
    pub keys: Vec<SearchKey>,
    /// How many, least and greatest only, where the server can say just that.
    pub summary: bool,
    /// RFC 9394: of the result only what stands at these places; not with `summary`.
    pub places: Option<Places>,
    /// RFC 6203 §4: how well each fits; some key must be fuzzy, and not with `summary`.
    pub relevancy: bool,
    /// RFC 5267 §4.3: tell how the result changes, until `cancel-update` or as long as the mailbox is open; not with
    /// `places`.
    pub update: bool,
}

/// RFC 7377 §2.2: in which mailboxes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum SearchScope {
    /// The open one.
    Selected,
    /// Those that mail is delivered to.
    Inboxes,
    /// The account's own.
    Personal,
    /// Subscribed ones.
    Subscribed,
    /// These and all below them.
    Subtree(Vec<Vec<u8>>),
    /// These and those one level below them.
    SubtreeOne(Vec<Vec<u8>>),
    /// These.
    Mailboxes(Vec<Vec<u8>>),
}

/// RFC 7377; the server must offer MULTISEARCH.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct MultiSearchCommand {
    /// In which mailboxes; at least one.
    pub scopes: Vec<SearchScope>,
    /// What to look for, as in `search-command`.
    pub keys: Vec<SearchKey>,
    /// How many, least and greatest only.
    pub summary: bool,
    /// As in `search-command`.
    pub relevancy: bool,
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
    /// RFC 6203 §6: how well it fits, the best first; some key must be fuzzy.
    Relevancy,
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// RFC 8508: UID of the message of the open mailbox that goes when this one is there; the server must offer REPLACE.
    pub replaces: Option<u32>,
}

/// RFC 3502 §6.3.11.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct AppendAllCommand {
    /// The mailbox.
    pub name: Vec<u8>,
    /// The messages, in order; at least one, at most 100.
    pub messages: Vec<AppendMessage>,
}

/// One of several messages; as in `append-command`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct AppendMessage {
    /// The message.
    pub message: BlobId,
    /// Its octets.
    pub size: u64,
    /// Flags.
    pub flags: Flags,
    /// Internal date in milliseconds since 1970 UTC; none: now.
    pub internal_date_ms: Option<u64>,
    /// Whether it may hold NUL.
    pub binary: bool,
}

/// RFC 4469; the server must offer CATENATE.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct AssembleCommand {
    /// The mailbox.
    pub name: Vec<u8>,
    /// The message's parts, in order; at least one, at most 100.
    pub parts: Vec<AssemblePart>,
    /// Flags.
    pub flags: Flags,
    /// Internal date in milliseconds since 1970 UTC; none: now.
    pub internal_date_ms: Option<u64>,
    /// As in `append-command`.
    pub replaces: Option<u32>,
}

/// A part of a message that is put together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum AssemblePart {
    /// Octets that the server has already.
    Stored(StoredPart),
    /// Octets of the host's own, as in `append-command`.
    Sent(SentPart),
}

/// RFC 4469 §3: octets of a message on the server, as its URL names them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct StoredPart {
    /// The mailbox.
    pub mailbox: Vec<u8>,
    /// What its UIDVALIDITY must be; 0 leaves it out.
    pub uid_validity: u32,
    /// The message.
    pub uid: u32,
    /// As in `fetch-section`.
    pub section: Vec<u8>,
}

/// Octets of the host's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct SentPart {
    /// The octets.
    pub message: BlobId,
    /// How many; at least 1.
    pub size: u64,
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

/// RFC 4314 §3.7.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct ListRightsCommand {
    /// The mailbox.
    pub name: Vec<u8>,
    /// Who.
    pub identifier: Vec<u8>,
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
    /// How far below those to read too: 0, 1, or 4294967295 for all.
    pub depth: u32,
    /// Octets of the largest value to be told, of those that are read.
    pub value_max: Option<u32>,
    /// Entries to write.
    pub write: Vec<MetadataEntry>,
}
