//! Commands, parsed: after this file nobody sees a raw string.

use alloc::vec::Vec;

use super::auth_url::AuthUrl;
use super::search::Key;
use super::set::{SequenceSet, SetNumber};
use super::sort::{Sort, Thread};
use crate::imap::rights::Rights;
use crate::imap::types::{Flags, MetadataEntry, QuotaLimit, SpecialUse, StoreMode};

/// A command with its tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tagged {
    /// The tag.
    pub tag: Vec<u8>,
    /// The command.
    pub command: Command,
}

/// A command. Mailbox names are UTF-8, as `mailbox_name` gives them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// CAPABILITY
    Capability,
    /// NOOP
    Noop,
    /// LOGOUT
    Logout,
    /// STARTTLS
    StartTls,
    /// LOGIN: name and password.
    Login(Vec<u8>, Vec<u8>),
    /// AUTHENTICATE: mechanism, and the initial response (RFC 4959) still in base64.
    Authenticate(Vec<u8>, Option<Vec<u8>>),
    /// ENABLE: capability names, upper case.
    Enable(Vec<Vec<u8>>),
    /// ID (RFC 2971): fields.
    Id(Vec<(Vec<u8>, Option<Vec<u8>>)>),
    /// NAMESPACE
    Namespace,
    /// SELECT
    Select(Vec<u8>, SelectOptions),
    /// EXAMINE
    Examine(Vec<u8>, SelectOptions),
    /// CREATE, with uses (RFC 6154).
    Create(Vec<u8>, Vec<SpecialUse>),
    /// DELETE
    Delete(Vec<u8>),
    /// RENAME: from, to.
    Rename(Vec<u8>, Vec<u8>),
    /// SUBSCRIBE
    Subscribe(Vec<u8>),
    /// UNSUBSCRIBE
    Unsubscribe(Vec<u8>),
    /// LIST
    List(List),
    /// LSUB (RFC 3501): reference and pattern.
    Lsub(Vec<u8>, Vec<u8>),
    /// STATUS
    Status(Vec<u8>, Vec<StatusItem>),
    /// UNAUTHENTICATE (RFC 8437)
    Unauthenticate,
    /// LANGUAGE (RFC 5255): language ranges, the one that is liked best first; none to be told of all languages.
    Language(Vec<Vec<u8>>),
    /// COMPRESS DEFLATE (RFC 4978)
    Compress,
    /// GETQUOTA (RFC 9208): the root.
    GetQuota(Vec<u8>),
    /// GETQUOTAROOT: the mailbox.
    GetQuotaRoot(Vec<u8>),
    /// SETQUOTA: the root, and all limits that it is to have.
    SetQuota(Vec<u8>, Vec<QuotaLimit>),
    /// GETMETADATA (RFC 5464)
    GetMetadata(GetMetadata),
    /// SETMETADATA: the mailbox, or nothing for the server; and its entries.
    SetMetadata(Vec<u8>, Vec<MetadataEntry>),
    /// GETACL (RFC 4314)
    GetAcl(Vec<u8>),
    /// SETACL
    SetAcl(SetAcl),
    /// DELETEACL: mailbox and identifier.
    DeleteAcl(Vec<u8>, Vec<u8>),
    /// LISTRIGHTS: mailbox and identifier.
    ListRights(Vec<u8>, Vec<u8>),
    /// MYRIGHTS
    MyRights(Vec<u8>),
    /// GENURLAUTH (RFC 4467): URLs, each with a mechanism in upper case.
    GenUrlAuth(Vec<(AuthUrl, Vec<u8>)>),
    /// RESETKEY: the mailbox, or all; and mechanisms in upper case.
    ResetKey(Option<Vec<u8>>, Vec<Vec<u8>>),
    /// URLFETCH: URLs, whatever they are.
    UrlFetch(Vec<Vec<u8>>),
    /// NOTIFY (RFC 5465)
    Notify(Notify),
    /// IDLE
    Idle,
    /// CHECK (RFC 3501)
    Check,
    /// CLOSE
    Close,
    /// UNSELECT
    Unselect,
    /// EXPUNGE
    Expunge,
    /// UID EXPUNGE
    UidExpunge(SequenceSet),
    /// SEARCH
    Search(Search),
    /// ESEARCH (RFC 7377)
    MultiSearch(MultiSearch),
    /// SORT (RFC 5256)
    Sort(Sort),
    /// THREAD (RFC 5256)
    Thread(Thread),
    /// CANCELUPDATE (RFC 5267): tags.
    CancelUpdate(Vec<Vec<u8>>),
    /// FETCH
    Fetch(Fetch),
    /// STORE
    Store(Store),
    /// COPY and UID COPY: whether by UID, which, where to.
    Copy(bool, SequenceSet, Vec<u8>),
    /// MOVE and UID MOVE.
    Move(bool, SequenceSet, Vec<u8>),
    /// APPEND or REPLACE whose message holds no literal (RFC 4469).
    Append(AppendHead),
    /// APPEND whose message is missing.
    AppendWithoutMessage,
}

/// GETMETADATA (RFC 5464 §4.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GetMetadata {
    /// The mailbox; empty for the server.
    pub name: Vec<u8>,
    /// Entries, in lower case.
    pub entries: Vec<Vec<u8>>,
    /// DEPTH: levels below each entry; `u32::MAX` is infinity.
    pub depth: u32,
    /// MAXSIZE
    pub value_max: Option<u32>,
}

/// SETACL (RFC 4314 §3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAcl {
    /// The mailbox.
    pub name: Vec<u8>,
    /// Whose rights.
    pub identifier: Vec<u8>,
    /// How they change.
    pub mode: StoreMode,
    /// Which.
    pub rights: Rights,
}

/// NOTIFY (RFC 5465 §3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notify {
    /// NONE
    None,
    /// SET
    Set {
        /// STATUS: the counters of every mailbox whose messages are watched are told first.
        status: bool,
        /// At least one.
        groups: Vec<EventGroup>,
    },
}

/// Events of some mailboxes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventGroup {
    /// Which mailboxes.
    pub scope: Scope,
    /// Which events.
    pub events: Events,
}

/// RFC 5465 §6: which mailboxes are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// SELECTED
    Selected,
    /// SELECTED-DELAYED
    SelectedDelayed,
    /// INBOXES
    Inboxes,
    /// PERSONAL
    Personal,
    /// SUBSCRIBED
    Subscribed,
    /// SUBTREE: these and all below them.
    Subtree(Vec<Vec<u8>>),
    /// SUBTREE-ONE (RFC 7377 §2.2): these and those one level below.
    SubtreeOne(Vec<Vec<u8>>),
    /// MAILBOXES: these.
    Mailboxes(Vec<Vec<u8>>),
}

impl Scope {
    /// Whether the mailbox that is open is meant.
    #[must_use]
    pub const fn is_selected(&self) -> bool {
        matches!(self, Self::Selected | Self::SelectedDelayed)
    }
}

/// RFC 5465 §5: events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is one event")]
pub struct Events {
    /// MessageNew, with what is to be told of each message.
    pub message_new: Option<Vec<FetchItem>>,
    /// MessageExpunge; it comes with MessageNew.
    pub message_expunge: bool,
    /// FlagChange
    pub flag_change: bool,
    /// MailboxName
    pub mailbox_name: bool,
    /// SubscriptionChange
    pub subscription_change: bool,
    /// MailboxMetadataChange
    pub mailbox_metadata_change: bool,
    /// ServerMetadataChange
    pub server_metadata_change: bool,
    /// One that is not known here was named.
    pub is_unknown: bool,
}

/// Parameters of SELECT and EXAMINE.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SelectOptions {
    /// RFC 7162 §3.1.8 CONDSTORE.
    pub condstore: bool,
    /// RFC 7162 §3.2.5 QRESYNC.
    pub known: Option<Known>,
}

/// What a client knows of a mailbox from before (RFC 7162 §3.2.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The validity of its UIDs.
    pub uid_validity: u32,
    /// The highest mod-sequence that it has.
    pub modseq: u64,
    /// The UIDs that it has; all if it does not say.
    pub uids: Option<Vec<(u32, u32)>>,
    /// Sequence numbers that it knows with the UIDs of the same messages, both ascending.
    pub pairs: Option<SequenceMatch>,
}

/// Sequence numbers and the UIDs that belong to them, as ranges that ascend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SequenceMatch {
    /// Sequence numbers.
    pub numbers: Vec<(u32, u32)>,
    /// UIDs.
    pub uids: Vec<(u32, u32)>,
}

/// APPEND up to its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppendHead {
    /// The tag.
    pub tag: Vec<u8>,
    /// The mailbox as it stands on the wire; `mailbox_name` gives its meaning.
    pub mailbox: Vec<u8>,
    /// Flags and date.
    pub data: AppendData,
    /// What stands behind them, up to the next literal.
    pub rest: Vec<AppendStep>,
    /// REPLACE (RFC 8508): which message goes; whether it is named by UID.
    pub replaces: Option<(bool, SetNumber)>,
}

/// What stands before a message that is appended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppendData {
    /// Flags.
    pub flags: Flags,
    /// Milliseconds since 1970 UTC and minutes east of it.
    pub date: Option<(u64, i16)>,
    /// RFC 6855 §4: the message is `UTF8 (literal8)`; a parenthesis follows it.
    pub utf8: bool,
    /// RFC 4469 §5: the message is put together of parts in parentheses.
    pub catenates: bool,
}

/// What stands in an APPEND besides octets, in its order (RFC 4469 §5, RFC 3502).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppendStep {
    /// Another message begins.
    Message(AppendData),
    /// A part: the octets that this URL names.
    Url(Vec<u8>),
    /// A part: the octets of the literal that follows.
    Text,
    /// RFC 6855 §4: the same in `UTF8 (…)`; a parenthesis follows it.
    Utf8Text,
    /// A part: the URL is the literal that follows.
    UrlLiteral,
    /// The parts of a message are over.
    End,
}

/// LIST (RFC 9051 §6.3.9, RFC 5258).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is one option of the command")]
pub struct List {
    /// The reference name.
    pub reference: Vec<u8>,
    /// Patterns, at least one.
    pub patterns: Vec<Vec<u8>>,
    /// Whether anything but the basic form was used.
    pub extended: bool,
    /// SUBSCRIBED, as a selection.
    pub select_subscribed: bool,
    /// SPECIAL-USE, as a selection.
    pub select_special_use: bool,
    /// RECURSIVEMATCH
    pub recursive_match: bool,
    /// RETURN (SUBSCRIBED)
    pub return_subscribed: bool,
    /// RETURN (CHILDREN)
    pub return_children: bool,
    /// RETURN (SPECIAL-USE)
    pub return_special_use: bool,
    /// RETURN (MYRIGHTS) (RFC 8440)
    pub return_rights: bool,
    /// RETURN (STATUS (…)) (RFC 5819); empty if not asked for.
    pub return_status: Vec<StatusItem>,
    /// RETURN (METADATA (…)) (RFC 9590); empty if not asked for.
    pub return_metadata: Vec<Vec<u8>>,
}

/// A counter of STATUS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusItem {
    /// MESSAGES
    Messages,
    /// RECENT (RFC 3501)
    Recent,
    /// UIDNEXT
    UidNext,
    /// UIDVALIDITY
    UidValidity,
    /// UNSEEN
    Unseen,
    /// DELETED
    Deleted,
    /// SIZE
    Size,
    /// HIGHESTMODSEQ (RFC 7162)
    HighestModseq,
    /// MAILBOXID (RFC 8474)
    MailboxId,
    /// APPENDLIMIT (RFC 7889)
    AppendLimit,
    /// DELETED-STORAGE (RFC 9208)
    DeletedStorage,
}

impl StatusItem {
    /// All, with their names.
    pub const ALL: [(Self, &'static str); 11] = [
        (Self::Messages, "MESSAGES"),
        (Self::Recent, "RECENT"),
        (Self::UidNext, "UIDNEXT"),
        (Self::UidValidity, "UIDVALIDITY"),
        (Self::Unseen, "UNSEEN"),
        (Self::Deleted, "DELETED"),
        (Self::Size, "SIZE"),
        (Self::HighestModseq, "HIGHESTMODSEQ"),
        (Self::MailboxId, "MAILBOXID"),
        (Self::AppendLimit, "APPENDLIMIT"),
        (Self::DeletedStorage, "DELETED-STORAGE"),
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(item, _)| *item == self).map_or("", |(_, name)| name)
    }
}

/// ESEARCH (RFC 7377).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultiSearch {
    /// Which mailboxes; none: the one that is open.
    pub sources: Vec<Scope>,
    /// What for; it has RETURN.
    pub search: Search,
}

/// SEARCH and UID SEARCH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// By UID.
    pub uid: bool,
    /// RETURN, if it was there: then the result is ESEARCH.
    pub returns: Option<SearchReturn>,
    /// The program in postfix order; it leaves one result.
    pub program: Vec<Key>,
}

/// RFC 9051 §6.4.4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is one option of the command")]
pub struct SearchReturn {
    /// MIN
    pub min: bool,
    /// MAX
    pub max: bool,
    /// ALL, also if no option is named.
    pub all: bool,
    /// COUNT
    pub count: bool,
    /// SAVE
    pub save: bool,
    /// PARTIAL (RFC 9394)
    pub partial: Option<PartialRange>,
    /// CONTEXT (RFC 5267 §4.2): a hint, and nothing more.
    pub context: bool,
    /// RELEVANCY (RFC 6203 §4): how well each of what was found fits.
    pub relevancy: bool,
    /// UPDATE (RFC 5267 §4.3): changes of the result are told from then on.
    pub update: Option<Update>,
}

/// How a search is kept up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// RFC 5267 §4.3
    Results,
    /// RFC 5465 §7: with data of messages that come to it.
    WithItems,
}

/// A part of what was found (RFC 9394 §4), as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartialRange {
    /// Whether places are counted from the last one.
    pub from_end: bool,
    /// From 1.
    pub first: u32,
    /// From 1; it may be below `first`.
    pub last: u32,
}

impl PartialRange {
    /// The places that it means among so many, the first is 1; behind the last there is none.
    #[must_use]
    pub fn places(self, count: u64) -> (u64, u64) {
        let (low, high) = (self.first.min(self.last), self.first.max(self.last));
        let (low, high) = (u64::from(low), u64::from(high));
        if self.from_end {
            ((count + 1).saturating_sub(high).max(1), (count + 1).saturating_sub(low))
        } else {
            (low, high.min(count))
        }
    }

    /// ` PARTIAL (first:last `, as it was asked for.
    #[must_use]
    pub fn label(self) -> Vec<u8> {
        let sign = if self.from_end { "-" } else { "" };
        let Self { first, last, .. } = self;
        alloc::format!(" PARTIAL ({sign}{first}:{sign}{last} ").into_bytes()
    }
}

/// FETCH and UID FETCH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// By UID.
    pub uid: bool,
    /// Which messages.
    pub set: SequenceSet,
    /// What of them; macros are spelt out, none stands twice.
    pub items: Vec<FetchItem>,
    /// RFC 7162 §3.1.4.1 CHANGEDSINCE.
    pub changed_since: Option<u64>,
    /// RFC 9394 §3.3 PARTIAL; only by UID.
    pub partial: Option<PartialRange>,
    /// RFC 7162 §3.2.6 VANISHED; only by UID, and only with `changed_since`.
    pub vanished: bool,
}

/// One data item of FETCH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchItem {
    /// UID
    Uid,
    /// FLAGS
    Flags,
    /// INTERNALDATE
    InternalDate,
    /// RFC822.SIZE
    Size,
    /// ENVELOPE
    Envelope,
    /// BODY: the structure without extension data.
    Body,
    /// BODYSTRUCTURE
    BodyStructure,
    /// RFC822 (RFC 3501)
    Rfc822,
    /// RFC822.HEADER (RFC 3501)
    Rfc822Header,
    /// RFC822.TEXT (RFC 3501)
    Rfc822Text,
    /// BODY[…] and BODY.PEEK[…]: whether it leaves \Seen alone, what, and the range of octets.
    Section(bool, Section, Option<(u64, u64)>),
    /// BINARY[…] and BINARY.PEEK[…]: part path and range.
    Binary(bool, Vec<u32>, Option<(u64, u64)>),
    /// BINARY.SIZE[…]
    BinarySize(Vec<u32>),
    /// MODSEQ (RFC 7162)
    Modseq,
    /// SAVEDATE (RFC 8514)
    SaveDate,
    /// EMAILID (RFC 8474)
    EmailId,
    /// THREADID (RFC 8474)
    ThreadId,
    /// PREVIEW (RFC 8970)
    Preview,
}

/// A section (RFC 9051 §6.4.5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Part numbers; empty for the message.
    pub path: Vec<u32>,
    /// What of it; `None` is all of it.
    pub header: Option<Header>,
}

/// What of a part a section names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Header {
    /// HEADER
    All,
    /// HEADER.FIELDS
    Fields(Vec<Vec<u8>>),
    /// HEADER.FIELDS.NOT
    FieldsNot(Vec<Vec<u8>>),
    /// TEXT
    Text,
    /// MIME
    Mime,
}

/// STORE and UID STORE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// By UID.
    pub uid: bool,
    /// Which messages.
    pub set: SequenceSet,
    /// How.
    pub mode: StoreMode,
    /// Whether the new flags are not to be told.
    pub silent: bool,
    /// What.
    pub flags: Flags,
    /// RFC 7162 §3.1.3 UNCHANGEDSINCE.
    pub unchanged_since: Option<u64>,
}
