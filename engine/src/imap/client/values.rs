//! What an IMAP client session tells its host: how calls ended, what they found, and what is new, in the shapes of
//! `wit/imap.wit`. Nothing here is decided; everything stands as the server said it, parsed.

use alloc::vec::Vec;

use super::shape::{BodyPart, Envelope};
use super::types::IdField;
use crate::imap::types::{Flags, MetadataEntry, QuotaResource, RightsEntry, UidRun};

/// RFC 9051 §7.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Outcome {
    /// OK.
    Ok,
    /// NO: it could not be done.
    No,
    /// BAD: the server did not understand.
    Bad,
    /// The server does not offer it; nothing was said.
    Unsupported,
    /// The connection ended first; whether it was done is unknown.
    Lost,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Completion {
    /// The call.
    pub call: u32,
    /// OK, NO, BAD, or why it did not come to that.
    pub outcome: Outcome,
    /// RFC 9051 §7.1 response code in upper case, such as `NONEXISTENT`, without brackets and
    /// arguments; empty if there was none.
    pub code: Vec<u8>,
    /// The server's words, or ours; at most 512 octets.
    pub text: Vec<u8>,
    /// A response before it was too large to be read, and was dropped: what was told is not all.
    pub incomplete: bool,
    /// RFC 4315: of the mailbox that got messages; 0 if unknown.
    pub uid_validity: u32,
    /// RFC 4315: UIDs here that were copied.
    pub source: Vec<UidRun>,
    /// RFC 4315: UIDs that they, or what was appended, got there.
    pub target: Vec<UidRun>,
    /// RFC 7162: messages left alone because of `unchanged_since`.
    pub modified: Vec<UidRun>,
    /// RFC 9738: the server did not work at all messages at once; `Remaining` makes the rest of it.
    pub message_limit: Option<MessageLimit>,
}

/// RFC 9738 §3.1: how many messages a server works at in one command, and how far down one came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct MessageLimit {
    /// Messages of one command.
    pub max: u32,
    /// UID of the lowest message that was worked at, or, of a COPY that was refused, that would fit.
    pub lowest_uid: Option<u32>,
}

/// RFC 9051 §6.3.11: a mailbox's counters, as far as the server told them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Counters {
    /// Messages.
    pub messages: Option<u32>,
    /// RFC 3501: messages with \Recent.
    pub recent: Option<u32>,
    /// The UID that the next message gets at least.
    pub uid_next: Option<u32>,
    /// Its validity.
    pub uid_validity: Option<u32>,
    /// Messages without \Seen; of an opened mailbox the number of the first.
    pub unseen: Option<u32>,
    /// Messages with \Deleted.
    pub deleted: Option<u32>,
    /// Octets of all messages.
    pub size: Option<u64>,
    /// RFC 7162 §3.1.2.1.
    pub highest_modseq: Option<u64>,
    /// RFC 8474; empty if not told.
    pub mailbox_id: Vec<u8>,
}

/// A mailbox as it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Opened {
    /// Its name, as it was asked for.
    pub name: Vec<u8>,
    /// Counters.
    pub counters: Counters,
    /// Whether it is read-only.
    pub read_only: bool,
    /// Flags in use, as they came.
    pub flags: Vec<Vec<u8>>,
    /// Flags that can be changed for good, as they came; none if the server does not tell: then
    /// those in use can.
    pub permanent_flags: Option<Vec<Vec<u8>>>,
    /// Whether new keywords may be made.
    pub new_keywords: bool,
    /// RFC 7162: whether it keeps mod-sequences.
    pub modseqs: bool,
}

/// One mailbox on the server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Mailbox {
    /// Its name.
    pub name: Vec<u8>,
    /// The octet between levels; none if there are no levels.
    pub separator: Option<u8>,
    /// Attributes as they came, such as `\HasChildren`.
    pub attributes: Vec<Vec<u8>>,
    /// Whether it came as LSUB, whose attributes are not those of the mailbox.
    pub subscribed_list: bool,
}

/// Counters of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Counted {
    /// Its name.
    pub name: Vec<u8>,
    /// Counters.
    pub counters: Counters,
}

/// RFC 2342: one namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Namespace {
    /// What its mailboxes' names begin with.
    pub prefix: Vec<u8>,
    /// The octet between levels.
    pub separator: Option<u8>,
}

/// RFC 2342: where mailboxes are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Namespaces {
    /// The account's own.
    pub personal: Vec<Namespace>,
    /// Those of other users.
    pub others: Vec<Namespace>,
    /// Those of all.
    pub shared: Vec<Namespace>,
}

/// What is known of a message, asked for or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Fetched {
    /// Its number now; 0 if the server tells UIDs alone (RFC 9586).
    pub number: u32,
    /// Its UID; 0 if the server did not tell it with an unasked change.
    pub uid: u32,
    /// Flags; \Recent is left out.
    pub flags: Option<Flags>,
    /// RFC 7162.
    pub modseq: Option<u64>,
    /// Internal date in milliseconds since 1970 UTC.
    pub internal_date_ms: Option<u64>,
    /// The zone it was told in, in minutes east of UTC.
    pub internal_date_zone: i16,
    /// RFC 8514: when it came into this mailbox, in milliseconds since 1970 UTC; asked for with internal date and size.
    pub save_date_ms: Option<u64>,
    /// Octets.
    pub size: Option<u64>,
    /// Envelope.
    pub envelope: Option<Envelope>,
    /// Body structure; empty if not told, or too deep or too large to be read.
    pub structure: Vec<BodyPart>,
    /// RFC 8970: the first words.
    pub preview: Option<Vec<u8>>,
    /// RFC 8474 §5.1; empty if not told.
    pub email_id: Vec<u8>,
    /// RFC 8474 §5.2; empty if not told.
    pub thread_id: Vec<u8>,
}

/// RFC 7162 §3.2.10: messages that are gone, by UID.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Vanished {
    /// Which; ascending.
    pub uids: Vec<UidRun>,
    /// They went before the mailbox was opened, or were named so: message numbers do not change.
    pub earlier: bool,
}

/// What a search found, at most 1,024 runs; a search with more comes in several.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Found {
    /// The call.
    pub call: u32,
    /// In the server's order, which is ascending nearly always.
    pub uids: Vec<UidRun>,
}

/// RFC 7377: what is told of this call from now on, up to `counted`, is of this mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct FoundIn {
    /// The call.
    pub call: u32,
    /// The mailbox.
    pub name: Vec<u8>,
    /// Its validity; 0 if not told.
    pub uid_validity: u32,
}

/// RFC 6203 §4: how well those fit that were found, in the order in which they were told; at most 4,096, and more come in
/// several.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Scored {
    /// The call.
    pub call: u32,
    /// From 1 to 100.
    pub scores: Vec<u8>,
}

/// RFC 5267 §4.3: how the result of a search has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Updated {
    /// The search's call.
    pub call: u32,
    /// What left it.
    pub removed: Vec<UidRun>,
    /// What came to it.
    pub added: Vec<UidRun>,
}

/// RFC 9585: how far the server is with a command. It may begin anew with another goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Progress {
    /// The call; none if the server does not say which.
    pub call: Option<u32>,
    /// What is done, mostly messages.
    pub done: Option<u32>,
    /// What is to be done.
    pub goal: Option<u32>,
}

/// The sum of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct SearchCount {
    /// The call.
    pub call: u32,
    /// How many.
    pub count: u32,
    /// The least, if any.
    pub min: Option<u32>,
    /// The greatest, if any.
    pub max: Option<u32>,
    /// RFC 7162: the highest mod-sequence of those found.
    pub modseq: Option<u64>,
}

/// What SORT found, at most 4,096; more come in several.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Sorted {
    /// The call.
    pub call: u32,
    /// In order.
    pub uids: Vec<u32>,
}

/// RFC 5256: one message of a conversation. Rows come in order, each before those that answer it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct ThreadRow {
    /// How deep it lies: 0 begins a conversation.
    pub depth: u32,
    /// Its UID; 0 for one that is missing.
    pub uid: u32,
}

/// What THREAD found, at most 4,096 rows; more come in several.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Threaded {
    /// The call.
    pub call: u32,
    /// In order.
    pub rows: Vec<ThreadRow>,
}

/// Rights on a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct RightsTold {
    /// Its name.
    pub name: Vec<u8>,
    /// Our own, as letters; empty if not told.
    pub mine: Vec<u8>,
    /// Everyone's; empty if not told.
    pub entries: Vec<RightsEntry>,
}

/// RFC 4314 §3.7: what somebody may be given on a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Grantable {
    /// The mailbox.
    pub name: Vec<u8>,
    /// Who.
    pub identifier: Vec<u8>,
    /// Rights that are always theirs, as letters.
    pub always: Vec<u8>,
    /// Rights that may be given, those tied together in one.
    pub groups: Vec<Vec<u8>>,
}

/// Annotations of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct MetadataTold {
    /// Its name; empty for the server.
    pub name: Vec<u8>,
    /// What was read, or, without values, what has changed.
    pub entries: Vec<MetadataEntry>,
}

/// RFC 4467 §8: whether a URL leads anywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct UrlFetched {
    /// The URL, as the server said it again.
    pub url: Vec<u8>,
    /// Whether there were octets; all have come as chunks.
    pub found: bool,
}

/// The session is open.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Ready {
    /// What the server offers, by name, in upper case; at most 256.
    pub capabilities: Vec<Vec<u8>>,
    /// RFC 5161: what was enabled, in upper case.
    pub enabled: Vec<Vec<u8>>,
    /// RFC 2971: what the server said of itself.
    pub server: Vec<IdField>,
    /// RFC 9051 §7.1.4: whether it let us in without a login.
    pub preauth: bool,
}

/// Why the session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Cause {
    /// The server said BYE unasked, or greeted with it.
    Bye,
    /// The server offers no login that we can do, or is no IMAP4 server.
    Unsupported,
    /// The server refused the login, or there was nothing to log in with.
    Login,
    /// TLS was required and could not be had.
    Tls,
    /// What the server said is no response, or fits no command.
    Malformed,
    /// A body is larger than `limits.message-max`.
    TooLarge,
    /// The server did not answer in time.
    Timeout,
    /// The connection ended.
    Lost,
}

/// Why the session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Failure {
    /// Why.
    pub cause: Cause,
    /// The response code of the server's words in upper case; empty if there was none.
    pub code: Vec<u8>,
    /// The server's words, or ours if it did not say anything; at most 512 octets.
    pub text: Vec<u8>,
}

/// Facts for the host.
#[allow(clippy::large_enum_variant, reason = "each is given out once, and none is kept")]
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum Event {
    /// The server is known, and the login is done: calls begin.
    Ready(Ready),
    /// A call is over.
    Completed(Completion),
    /// A mailbox is open.
    Opened(Opened),
    /// RFC 7162 §3.2.11: what comes from now on is of the mailbox being opened.
    Closed,
    /// A mailbox.
    Mailbox(Mailbox),
    /// Counters.
    Status(Counted),
    /// Where mailboxes are.
    Namespaces(Namespaces),
    /// What the server offers now, by name, in upper case.
    Capabilities(Vec<Vec<u8>>),
    /// The open mailbox has so many messages now.
    Exists(u32),
    /// RFC 3501: so many of them are \Recent.
    Recent(u32),
    /// Flags in use in the open mailbox, as they came.
    Flags(Vec<Vec<u8>>),
    /// What is known of a message.
    Fetched(Fetched),
    /// The message of this number is gone, and those behind it have numbers one lower.
    Expunged(u32),
    /// Messages are gone, by UID.
    Vanished(Vanished),
    /// What a search found.
    Found(Found),
    /// How much it found; said once for each search, and for each mailbox of one in several.
    Counted(SearchCount),
    /// In which mailbox it is that something was found.
    FoundIn(FoundIn),
    /// How well it fits.
    Scored(Scored),
    /// The result of a search has changed.
    Updated(Updated),
    /// RFC 5267 §4.3.1: the server does not tell, or no longer, how the result of this search changes.
    UpdateRefused(u32),
    /// How far the server is.
    Progress(Progress),
    /// What SORT found.
    Sorted(Sorted),
    /// What THREAD found.
    Threaded(Threaded),
    /// Quota.
    Quota(Vec<QuotaResource>),
    /// Rights.
    Rights(RightsTold),
    /// What somebody may be given.
    Grantable(Grantable),
    /// Annotations.
    Metadata(MetadataTold),
    /// RFC 5464 §4.2.1: some are longer than `value-max`, and were left out; the longest has so many octets.
    MetadataLeftOut(u32),
    /// RFC 4467 §8: URLs with their tokens.
    UrlsAuthorized(Vec<Vec<u8>>),
    /// Whether a URL leads anywhere.
    UrlFetched(UrlFetched),
    /// RFC 5255 §3.3: languages that the server knows, or the one that it speaks now.
    Languages(Vec<Vec<u8>>),
    /// The server has something to say to people; at most 512 octets.
    Alert(Vec<u8>),
    /// RFC 5465 §5.8: the server tells nothing unasked any more.
    NotifyOverflow,
    /// The server said BYE; its words, at most 512 octets.
    Bye(Vec<u8>),
    /// The server broke a rule. The text names the rule, for logs.
    Defect(Vec<u8>),
    /// The session is over; none if it was told to log out. Calls that wait are completed as lost.
    /// Said once, before the end, whatever ends the session.
    Done(Option<Failure>),
}
