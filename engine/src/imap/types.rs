//! What an IMAP server session and its host say to each other, in the shapes of `wit/imap.wit`.
//! Messages are named by UID; sequence numbers exist only inside the session.

use alloc::vec::Vec;

use crate::limits::Limits;
use crate::sasl::{AuthOffer, Credentials, LoginAnswer};
use crate::types::{BlobId, BlobRange, Farewell, Instead, Peer, Phase, Refusal, TlsOffer};

/// How an IMAP server session behaves.
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
    /// The account that the peer is known to be, by means that the session does not see: then the greeting is PREAUTH,
    /// once the host has said so to [`Credentials::Preauthenticated`]. `None`: the peer logs in.
    pub preauth: Option<Vec<u8>>,
    /// Capabilities not to offer, by name, such as `MOVE`; for tests of clients. Of `IMAP4rev1` and `IMAP4rev2` the first
    /// stays if both are named: without either it would be no IMAP.
    pub without: Vec<Vec<u8>>,
    /// Whether the host has its say at each command (`Ask::Phase`); for faults on purpose alone.
    pub faults: bool,
    /// Bounds.
    pub limits: Limits,
    /// Whether notes are made.
    pub trace: bool,
}

/// UIDs `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct UidRun {
    /// From 1.
    pub first: u32,
    /// At least `first`.
    pub last: u32,
}

/// What an IMAP server session needs of its host.
///
/// One ask is open at a time. Mailbox names are UTF-8 with `/` between levels, in Net-Unicode; `INBOX` is upper case.
/// Asks that name UIDs mean the mailbox opened last; a UID that is gone is passed over in silence.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum Ask {
    /// Judge these credentials. Answer: login.
    Login(Credentials),
    /// A page of mailboxes in the order of their names' octets. Answers: mailboxes, refused.
    Mailboxes(MailboxesAsk),
    /// Make a mailbox; missing superiors are made too. Answers: done, refused.
    Create(CreateAsk),
    /// Remove a mailbox and its messages. Answers: done, refused.
    Delete(Vec<u8>),
    /// Rename a mailbox and all below it; renaming INBOX moves its messages (RFC 9051 §6.3.6). Answers: done, refused.
    Rename(RenameAsk),
    /// Subscribe or unsubscribe; the mailbox need not exist. Answers: done, refused.
    Subscribe(SubscribeAsk),
    /// Counters of a mailbox. Answers: status, refused.
    Status(Vec<u8>),
    /// Open a mailbox, in place of any other; changes are told from now on. Answers: opened, refused.
    Open(OpenAsk),
    /// More UIDs of the open mailbox, above this one. Answers: uids, refused.
    Uids(u32),
    /// A page of messages, ascending. Answers: rows, refused.
    Rows(RowsAsk),
    /// A page of flags, ascending. Answers: flags, refused.
    Flags(FlagsAsk),
    /// RFC 7162 §3.2.6: UIDs that are gone from the open mailbox, ascending. Answers: vanished, refused.
    Vanished(VanishedAsk),
    /// Octets of a message. Answers: octets (exactly the range), refused.
    Octets(BlobRange),
    /// Change flags. Answers: stored, refused (nothing was changed).
    Store(StoreAsk),
    /// Remove those of these that have \Deleted. Answers: expunged, refused.
    Expunge(Vec<UidRun>),
    /// Copy or move, all or none. Answers: copied, refused.
    Copy(CopyAsk),
    /// A message will come; judge mailbox, size and quota first. Answers: done, refused.
    Append(AppendAsk),
    /// Its next octets. Answers: done, refused.
    Chunk(Vec<u8>),
    /// All messages of this APPEND are whole: make them durable, all or none. Answers: appended, refused.
    Commit,
    /// Search instead of the session, if the host has a way, or say where to. Answers: found, candidates, declined,
    /// refused.
    Search(SearchAsk),
    /// RFC 5256: messages in an order of the session's own, if the host keeps what sessions told it of that. Answers:
    /// order, declined, refused.
    Order(OrderAsk),
    /// What messages of the open mailbox are sorted by, for `Order` to be answered from. Answers: done, declined, refused.
    SortKeys(SortKeys),
    /// RFC 9208: read a quota root's resources, or set them. Answers: quota, refused.
    Quota(QuotaAsk),
    /// RFC 4314: read a mailbox's rights, or change them. Answers: rights, refused (unsupported: of nobody, or fixed).
    Rights(RightsAsk),
    /// RFC 5464: read or write annotations. Answers: metadata, refused.
    Metadata(MetadataAsk),
    /// RFC 4467 §5: the token that makes this URL good for whom it names; of the account's own mailboxes alone, and those
    /// that it may read. Answers: url-token, refused.
    AuthorizeUrl(UrlRump),
    /// RFC 4467 §7: make a new mailbox access key, so that URLs made before are good no more; without a mailbox, forget
    /// those of all mailboxes of this account. Answers: done, refused.
    ResetKey(Option<Vec<u8>>),
    /// RFC 4467 §6: look into the mailbox of a URL as its owner may, if its token is right and it is for this account;
    /// from then on as after `Peek`. Answers: opened, refused.
    RedeemUrl(UrlClaim),
    /// RFC 5465: from now on tell changes of other mailboxes too (`Call::Noticed`), until `Event::Unwatched`. Answers:
    /// done, refused.
    Watch,
    /// RFC 7377, RFC 4469: look into another mailbox without opening it; until the next one, or `Event::Unpeeked`,
    /// `Uids`, `Rows` and `Octets` are about that one. Its changes are not told. Answers: opened (nothing is \Recent by
    /// it), refused (then it is as before the first).
    Peek(Vec<u8>),
    /// With `Config::faults` alone: what comes next, before anything is done about it. Answers: done (go on), instead.
    Phase(Phase),
}

/// A page of mailboxes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct MailboxesAsk {
    /// Only names after this one; `None` from the start.
    pub after: Option<Vec<u8>>,
    /// Only names that begin with this; empty for all. A hint that saves rows.
    pub prefix: Vec<u8>,
    /// At most so many rows.
    pub max: u32,
    /// Whether each row carries its status.
    pub status: bool,
}

/// RFC 9051 §6.3.4, RFC 6154.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct CreateAsk {
    /// The mailbox.
    pub name: Vec<u8>,
    /// RFC 6154 §3: uses to give it; empty for none.
    pub special_uses: Vec<SpecialUse>,
}

/// RFC 9051 §6.3.6.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct RenameAsk {
    /// The old name.
    pub from: Vec<u8>,
    /// The new one.
    pub to: Vec<u8>,
}

/// RFC 9051 §6.3.7 and §6.3.8.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct SubscribeAsk {
    /// The mailbox.
    pub name: Vec<u8>,
    /// Subscribe, or unsubscribe.
    pub subscribed: bool,
}

/// RFC 6154: what a mailbox is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum SpecialUse {
    /// `\All`
    All,
    /// `\Archive`
    Archive,
    /// `\Drafts`
    Drafts,
    /// `\Flagged`
    Flagged,
    /// `\Important` (RFC 8457)
    Important,
    /// `\Junk`
    Junk,
    /// `\Sent`
    Sent,
    /// `\Trash`
    Trash,
}

/// One mailbox, or one subscribed name without a mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct MailboxRow {
    /// Its name.
    pub name: Vec<u8>,
    /// False for a name that is only subscribed.
    pub exists: bool,
    /// Whether it can be opened.
    pub selectable: bool,
    /// Whether it is subscribed.
    pub subscribed: bool,
    /// Whether mailboxes exist below it.
    pub has_children: bool,
    /// What it is for.
    pub special_uses: Vec<SpecialUse>,
    /// This account's rights as letters (RFC 4314 §2.1); empty if it cannot be opened by anybody.
    pub rights: Vec<u8>,
    /// Its counters, if asked for and it can be opened.
    pub status: Option<MailboxStatus>,
}

/// RFC 9051 §6.3.11: a mailbox's counters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct MailboxStatus {
    /// Messages.
    pub messages: u32,
    /// RFC 3501 §6.3.10: messages that no session was told of as \Recent.
    pub recent: u32,
    /// The UID that the next message gets at least.
    pub uid_next: u32,
    /// Its validity.
    pub uid_validity: u32,
    /// Messages without \Seen.
    pub unseen: u32,
    /// Messages with \Deleted.
    pub deleted: u32,
    /// Octets of all messages.
    pub size: u64,
    /// Octets of messages with \Deleted (RFC 9208 §4.1.4).
    pub deleted_size: u64,
    /// RFC 7162 §3.1.2.1.
    pub highest_modseq: u64,
    /// RFC 8474 §4.1 MAILBOXID: 1 to 255 octets of letters, digits, `_` and `-`.
    pub mailbox_id: Vec<u8>,
}

/// RFC 9051 §6.3.2 and §6.3.3.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct OpenAsk {
    /// The mailbox.
    pub name: Vec<u8>,
    /// EXAMINE.
    pub read_only: bool,
}

/// A mailbox as it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Opened {
    /// Counters at that moment.
    pub status: MailboxStatus,
    /// Whether it is read-only for this account.
    pub read_only: bool,
    /// This account's rights as letters (RFC 4314 §2.1).
    pub rights: Vec<u8>,
    /// UID of the first message without \Seen.
    pub first_unseen: Option<u32>,
    /// Messages with at least this UID are \Recent to this session; `uid_next` if none is.
    pub recent_from: u32,
    /// Keywords in use, for the FLAGS response.
    pub keywords: Vec<Vec<u8>>,
    /// The first UIDs, ascending.
    pub uids: UidPage,
}

/// UIDs of the open mailbox, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct UidPage {
    /// At most 256.
    pub runs: Vec<UidRun>,
    /// Whether there are more above the last.
    pub more: bool,
}

/// A page of messages.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct RowsAsk {
    /// Which; ascending runs, at most 256.
    pub uids: Vec<UidRun>,
    /// At most so many rows. The host may end a page early, at 64 KiB of indexes and keywords.
    pub max: u32,
    /// Whether rows carry the message's index.
    pub index: bool,
    /// RFC 7162 §3.1.4.1: only messages with a mod-sequence above this.
    pub changed_since: Option<u64>,
}

/// A page of flags: a row has much that synchronising them needs not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct FlagsAsk {
    /// Which; ascending runs, at most 256.
    pub uids: Vec<UidRun>,
    /// At most so many. The host may end a page early, at 64 KiB of keywords.
    pub max: u32,
    /// RFC 7162 §3.1.4.1: only messages with a mod-sequence above this.
    pub changed_since: Option<u64>,
}

/// For a host that has no shorter way to the flags.
impl From<FlagsAsk> for RowsAsk {
    fn from(ask: FlagsAsk) -> Self {
        let FlagsAsk { uids, max, changed_since } = ask;
        Self { uids, max, index: false, changed_since }
    }
}

/// A page of what was expunged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct VanishedAsk {
    /// After this mod-sequence.
    pub since: u64,
    /// Only UIDs above this one.
    pub above: u32,
}

/// What was expunged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct VanishedPage {
    /// False if what went after that mod-sequence is not remembered any more: then there are no runs, and every UID
    /// that is not there may be one that went.
    pub known: bool,
    /// At most 256.
    pub runs: Vec<UidRun>,
    /// Whether there are more above the last.
    pub more: bool,
}

/// Messages that went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Expunged {
    /// Which.
    pub runs: Vec<UidRun>,
    /// RFC 7162 §3.2: the mod-sequence that the mailbox got by it; 0 if nothing went.
    pub modseq: u64,
}

/// RFC 9051 §2.3.2: flags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Flags {
    /// System flags as bits: 1 \Answered, 2 \Flagged, 4 \Deleted, 8 \Seen, 16 \Draft.
    pub system: u8,
    /// Keywords, each at most once; equal without regard to ASCII case.
    pub keywords: Vec<Vec<u8>>,
}

/// One message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Row {
    /// UID.
    pub uid: u32,
    /// Its octets.
    pub blob: BlobId,
    /// How many.
    pub size: u64,
    /// Flags.
    pub flags: Flags,
    /// RFC 7162 §3.1.
    pub modseq: u64,
    /// RFC 9051 §2.3.3, in milliseconds since 1970 UTC.
    pub internal_date_ms: u64,
    /// The zone that APPEND gave, in minutes east of UTC.
    pub internal_date_zone: i16,
    /// RFC 8514: when it came into this mailbox, as `internal_date_ms`.
    pub save_date_ms: u64,
    /// The message's index (see the crate's `message` module), if asked for.
    pub index: Option<Vec<u8>>,
}

/// A page of rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct RowPage {
    /// Ascending by UID.
    pub rows: Vec<Row>,
    /// Whether the asked-for UIDs above the last row were not looked at.
    pub more: bool,
}

/// A page of flags, column by column: most messages have numbers alone, and a list of numbers crosses the wall of a
/// sandbox in one piece.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct FlagPage {
    /// Which messages; ascending.
    pub uids: Vec<u32>,
    /// System flags of each, as in [`Flags`].
    pub system: Vec<u8>,
    /// RFC 7162 §3.1, of each.
    pub modseqs: Vec<u64>,
    /// Keywords of those that have any; ascending.
    pub keywords: Vec<KeywordsAt>,
    /// Whether the asked-for UIDs above the last one were not looked at.
    pub more: bool,
}

/// The keywords of a message of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct KeywordsAt {
    /// The message's place in the page, from 0.
    pub place: u32,
    /// As in [`Flags`].
    pub keywords: Vec<Vec<u8>>,
}

impl FlagPage {
    /// Adds a message, whose UID is above those that are there.
    pub fn push(&mut self, row: FlagRow) {
        let FlagRow { uid, flags: Flags { system, keywords }, modseq } = row;
        if !keywords.is_empty() {
            // A page has far fewer rows.
            let place = u32::try_from(self.uids.len()).unwrap_or(u32::MAX);
            self.keywords.push(KeywordsAt { place, keywords });
        }
        self.uids.push(uid);
        self.system.push(system);
        self.modseqs.push(modseq);
    }

    /// Row by row, from the last to the first; `None` if the columns do not fit each other.
    pub fn into_reversed(self) -> Option<impl Iterator<Item = FlagRow>> {
        let Self { uids, system, modseqs, mut keywords, more: _ } = self;
        let ascend = keywords.windows(2).all(|pair| pair[0].place < pair[1].place);
        let inside = keywords.last().is_none_or(|last| (last.place as usize) < uids.len());
        if system.len() != uids.len() || modseqs.len() != uids.len() || !ascend || !inside {
            return None;
        }
        let columns = uids.into_iter().zip(system).zip(modseqs).enumerate().rev();
        Some(columns.map(move |(place, ((uid, system), modseq))| {
            let own = keywords.pop_if(|last| last.place as usize == place);
            let flags = Flags { system, keywords: own.map_or_else(Vec::new, |own| own.keywords) };
            FlagRow { uid, flags, modseq }
        }))
    }
}

impl From<RowPage> for FlagPage {
    fn from(page: RowPage) -> Self {
        let mut flags = Self { more: page.more, ..Self::default() };
        for Row { uid, flags: own, modseq, .. } in page.rows {
            flags.push(FlagRow { uid, flags: own, modseq });
        }
        flags
    }
}

/// RFC 5256: a page of messages in order. What a message is sorted by never changes, so a host may keep what sessions
/// told it for all sessions with this mailbox, and may forget it at any time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct OrderAsk {
    /// Which order: octets of the session's own, at most 16.
    pub by: Vec<u8>,
    /// Of these messages; ascending runs, any number.
    pub uids: Vec<UidRun>,
    /// Begin after so many of them.
    pub skip: u64,
    /// At most so many; if there are so many left, exactly so many.
    pub max: u32,
}

/// Messages in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct OrderPage {
    /// Of those asked for, those whose keys the host does not have; ascending. If there are any, all else is empty.
    pub unknown: Vec<UidRun>,
    /// The page.
    pub uids: Vec<u32>,
    /// The first of all that were asked for, 0 if none was.
    pub first: u32,
    /// The last of all that were asked for, 0 if none was.
    pub last: u32,
}

/// What messages are sorted by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct SortKeys {
    /// In which order, as in `OrderAsk`.
    pub by: Vec<u8>,
    /// One for each message: octets whose comparison decides, of which the last four are its UID, the highest first.
    pub keys: Vec<Vec<u8>>,
}

/// RFC 9051 §6.4.6.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct StoreAsk {
    /// Which; at most 256 runs. The session asks for at most 4,096 messages at once.
    pub uids: Vec<UidRun>,
    /// How.
    pub mode: StoreMode,
    /// What.
    pub flags: Flags,
    /// RFC 7162 §3.1.3: leave messages changed after this mod-sequence as they are.
    pub unchanged_since: Option<u64>,
}

/// How STORE changes flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum StoreMode {
    /// FLAGS
    Replace,
    /// +FLAGS
    Add,
    /// -FLAGS
    Remove,
}

/// One message's flags.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct FlagRow {
    /// UID.
    pub uid: u32,
    /// Flags as they are now.
    pub flags: Flags,
    /// RFC 7162 §3.1.
    pub modseq: u64,
}

/// What STORE did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Stored {
    /// Every message asked for that exists and was not in `modified`, changed or not.
    pub rows: Vec<FlagRow>,
    /// Those left alone because of `unchanged_since`.
    pub modified: Vec<UidRun>,
}

/// RFC 9051 §6.4.7 and §6.4.8.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct CopyAsk {
    /// Which; any number of runs, since it must be one transaction.
    pub uids: Vec<UidRun>,
    /// The other mailbox.
    pub to: Vec<u8>,
    /// MOVE: remove them here in the same transaction.
    pub remove: bool,
}

/// RFC 4315 §3: what COPY or MOVE did; the n-th source UID became the n-th target UID.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Copied {
    /// Of the other mailbox.
    pub uid_validity: u32,
    /// Here.
    pub source: Vec<UidRun>,
    /// There.
    pub target: Vec<UidRun>,
    /// With `remove`, the mod-sequence that this mailbox got by it (RFC 6851 §4.4); else 0.
    pub modseq: u64,
}

/// RFC 9051 §6.3.12.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct AppendAsk {
    /// The mailbox.
    pub name: Vec<u8>,
    /// Octets that will come; with CATENATE (RFC 4469) at least so many, as far as that is known.
    pub size: u64,
    /// Flags.
    pub flags: Flags,
    /// RFC 9051 §2.3.3, in milliseconds since 1970 UTC; `None`: now.
    pub internal_date_ms: Option<u64>,
    /// The zone given with it, in minutes east of UTC.
    pub internal_date_zone: i16,
    /// RFC 8508 §3.4: UID of the message of the open mailbox that goes when this one is durable; refused as not-found
    /// if it is not there any more.
    pub replaces: Option<u32>,
}

/// RFC 4315 §3: what APPEND did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Appended {
    /// Of the mailbox.
    pub uid_validity: u32,
    /// One UID per message, in order.
    pub uids: Vec<UidRun>,
    /// With `AppendAsk::replaces`, the mod-sequence that the open mailbox got by it (RFC 8508 §4.5); else 0.
    pub replaced_modseq: u64,
}

/// A search for the host to do, in postfix order: each key pushes one result; the joins take theirs off.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct SearchAsk {
    /// Which messages; ascending runs.
    pub uids: Vec<UidRun>,
    /// The program; it leaves one result.
    pub keys: Vec<SearchKey>,
}

/// One step of a search program. Texts are UTF-8, to be matched as substrings without regard to case.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum SearchKey {
    /// Every message.
    All,
    /// These system flags are set (bits as in `flags`).
    Flags(u8),
    /// This keyword is set.
    Keyword(Vec<u8>),
    /// These.
    Uids(Vec<UidRun>),
    /// Larger than this.
    Larger(u64),
    /// Smaller than this.
    Smaller(u64),
    /// Internal date, without zone and time, before this day (days since 1970).
    Before(i32),
    /// On it.
    On(i32),
    /// On it or later.
    Since(i32),
    /// RFC 5322 Date field, in the same way.
    SentBefore(i32),
    /// On it.
    SentOn(i32),
    /// On it or later.
    SentSince(i32),
    /// A field whose decoded text contains this; an empty text means that the field is there.
    Header(HeaderKey),
    /// The decoded text of the body contains this.
    Body(Vec<u8>),
    /// The decoded text of header and body contains this.
    Text(Vec<u8>),
    /// RFC 6203: as `Header`, fuzzily: that is the session's business, so a host does not find what a search with it does.
    FuzzyHeader(HeaderKey),
    /// As `Body`, in the same way.
    FuzzyBody(Vec<u8>),
    /// As `Text`, in the same way.
    FuzzyText(Vec<u8>),
    /// RFC 7162 §3.1.5: mod-sequence at least this.
    Modseq(u64),
    /// RFC 5032: received within so many seconds.
    Younger(u32),
    /// Not within.
    Older(u32),
    /// RFC 8514: save date in UTC before this day.
    SavedBefore(i32),
    /// On it.
    SavedOn(i32),
    /// On it or later.
    SavedSince(i32),
    /// RFC 8474: the message with these octets.
    EmailId(BlobId),
    /// Not the last result.
    Not,
    /// Either of the last two.
    Or,
    /// All of the last so many.
    And(u32),
}

/// A field and a text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct HeaderKey {
    /// Field name, without regard to case.
    pub name: Vec<u8>,
    /// What to look for.
    pub text: Vec<u8>,
}

/// RFC 9208.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct QuotaAsk {
    /// A mailbox, or a quota root if `root` is set.
    pub name: Vec<u8>,
    /// Whether `name` is a quota root.
    pub root: bool,
    /// All limits that the root is to have; `None` only reads.
    pub set: Option<Vec<QuotaLimit>>,
}

/// Quota roots and their resources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Quota {
    /// Roots of the mailbox, or the root that was named.
    pub roots: Vec<Vec<u8>>,
    /// Their resources that are limited.
    pub resources: Vec<QuotaResource>,
}

/// A limit to set.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct QuotaLimit {
    /// `STORAGE`, `MESSAGE`, `MAILBOX`.
    pub resource: Vec<u8>,
    /// In the resource's unit (STORAGE: 1,024 octets).
    pub limit: u64,
}

/// A resource's use.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct QuotaResource {
    /// The quota root.
    pub root: Vec<u8>,
    /// Which resource.
    pub resource: Vec<u8>,
    /// Used, in its unit.
    pub usage: u64,
    /// Allowed, in its unit.
    pub limit: u64,
}

/// RFC 4314.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct RightsAsk {
    /// The mailbox.
    pub name: Vec<u8>,
    /// A change to make; `None` only reads.
    pub change: Option<RightsChange>,
}

/// RFC 4314 §3.1: one identifier's new rights.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct RightsChange {
    /// Whose.
    pub identifier: Vec<u8>,
    /// How.
    pub mode: StoreMode,
    /// Rights as letters; replacing with none removes the entry.
    pub rights: Vec<u8>,
}

/// One identifier's rights.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct RightsEntry {
    /// Whose.
    pub identifier: Vec<u8>,
    /// Rights as letters.
    pub rights: Vec<u8>,
}

/// A mailbox's rights.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Rights {
    /// This account's own, as letters.
    pub mine: Vec<u8>,
    /// The account whose mailbox it is: it has all rights for ever.
    pub owner: Vec<u8>,
    /// Everyone's; empty if this account may not see them.
    pub entries: Vec<RightsEntry>,
}

/// RFC 5464.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct MetadataAsk {
    /// The mailbox; empty for the server.
    pub name: Vec<u8>,
    /// Entries to read.
    pub read: Vec<Vec<u8>>,
    /// RFC 5464 §4.2.2: levels below each entry to read too; `u32::MAX` is infinity.
    pub depth: u32,
    /// Entries to write, all or none.
    pub write: Vec<MetadataEntry>,
}

/// One annotation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct MetadataEntry {
    /// Its name.
    pub entry: Vec<u8>,
    /// Its value; `None` is NIL.
    pub value: Option<Vec<u8>>,
}

/// RFC 4467 §2.3: who may use a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum UrlAccess {
    /// `submit+`: a server that takes mail, for this account. That it is that account's mail such a server has made sure.
    Submit(Vec<u8>),
    /// `user+`: this account.
    User(Vec<u8>),
    /// `authuser`: whoever has an account.
    AuthUser,
    /// `anonymous`: everybody.
    Anonymous,
}

/// RFC 4467 §3: a URL without its token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct UrlRump {
    /// Its octets, of which the token is made; at most 4,096.
    pub rump: Vec<u8>,
    /// The account by whose key.
    pub owner: Vec<u8>,
    /// The mailbox, as its owner calls it.
    pub mailbox: Vec<u8>,
    /// What its UIDVALIDITY must be.
    pub uid_validity: Option<u32>,
    /// Who may use it.
    pub access: UrlAccess,
}

/// A URL that somebody uses.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct UrlClaim {
    /// What it says.
    pub url: UrlRump,
    /// Its token; 16 to 64 octets. Never logged.
    pub token: Vec<u8>,
}

impl core::fmt::Debug for UrlClaim {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "UrlClaim {{ url: {:?}, token: ****** }}", self.url)
    }
}

/// What the host answers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum Answer {
    /// To `login`.
    Login(LoginAnswer),
    /// To `mailboxes`.
    Mailboxes(MailboxPage),
    /// To `status`.
    Status(MailboxStatus),
    /// To `open`.
    Opened(Opened),
    /// To `uids`.
    Uids(UidPage),
    /// To `rows`.
    Rows(RowPage),
    /// To `flags`.
    Flags(FlagPage),
    /// To `octets`.
    Octets(Vec<u8>),
    /// To `store`.
    Stored(Stored),
    /// To `vanished`.
    Vanished(VanishedPage),
    /// To `expunge`: what went.
    Expunged(Expunged),
    /// To `copy`.
    Copied(Copied),
    /// To `commit`.
    Appended(Appended),
    /// To `search`: the matches, ascending.
    Found(Vec<UidRun>),
    /// To `search`, `order` and `sort-keys`: do it yourself.
    Declined,
    /// To `search`: do it yourself, among these; no other one matches. Ascending.
    Candidates(Vec<UidRun>),
    /// To `order`.
    Order(OrderPage),
    /// To `quota`.
    Quota(Quota),
    /// To `rights`.
    Rights(Rights),
    /// To `metadata`: what was read.
    Metadata(Vec<MetadataEntry>),
    /// To `authorize-url`: the token; 16 to 64 octets.
    UrlToken(Vec<u8>),
    /// Yes.
    Done,
    /// No.
    Refused(Refusal),
    /// To `phase`: say this in place of your own reply, and do nothing of what was wanted.
    Instead(Instead),
}

/// A page of mailboxes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct MailboxPage {
    /// In the order of their names' octets.
    pub rows: Vec<MailboxRow>,
    /// Whether there are more after the last.
    pub more: bool,
}

/// What the application may want of an IMAP server session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum Call {
    /// Others changed the open mailbox, in this order. Own changes come back in answers and are not told again.
    /// What they did before an answer was made must be told before that answer: a message that came earlier than one of
    /// this session's own could not be told behind it (RFC 9051 §2.3.1.1: UIDs ascend).
    /// What is told after `Ask::Open` was given out is about the mailbox being opened; with none open it is ignored.
    Changed(Vec<Change>),
    /// After `Ask::Watch`: others changed mailboxes that this account may see, in this order. What happened to messages
    /// of the open one is told by `changed`.
    Noticed(Vec<Notice>),
    /// Say goodbye and close, once an open ask is answered.
    Farewell(Farewell),
}

/// What happened to a mailbox (RFC 5465 §5).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum Notice {
    /// Messages came, went or got other flags.
    Messages(MessagesNotice),
    /// A name was made, removed or renamed, or a name below it was.
    Name(NameNotice),
    /// A name was subscribed or unsubscribed.
    Subscription(MailboxRow),
    /// Annotations changed.
    Metadata(MetadataNotice),
    /// More happened than was kept.
    Overflow,
}

/// Messages of a mailbox that is not open.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct MessagesNotice {
    /// The mailbox as it is now, with its status.
    pub row: MailboxRow,
    /// Whether messages came or went.
    pub counted: bool,
    /// Whether flags changed.
    pub flagged: bool,
}

/// A name of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct NameNotice {
    /// As it is now; one that is not there any more does not exist.
    pub row: MailboxRow,
    /// What it was called before, if it was renamed.
    pub old_name: Option<Vec<u8>>,
}

/// Annotations that were set or removed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct MetadataNotice {
    /// The mailbox; `None` is the server.
    pub row: Option<MailboxRow>,
    /// Their names.
    pub entries: Vec<Vec<u8>>,
}

/// One change of the open mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum Change {
    /// New messages, all above every UID told before.
    Arrived(Arrived),
    /// Flags of messages changed.
    Flags(Vec<FlagRow>),
    /// Messages are gone.
    Expunged(Expunged),
    /// Too much has changed to tell: read everything again with `uids`.
    Resynchronise,
    /// The mailbox itself is gone.
    Deleted,
}

/// New messages.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Arrived {
    /// Which.
    pub runs: Vec<UidRun>,
    /// Whether they are \Recent to this session (RFC 3501 §2.3.2: to one session only).
    pub recent: bool,
}

/// Facts for the host.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum Event {
    /// The open mailbox was closed: changes need not be told any more.
    Closed,
    /// What was told since the first `Ask::Append` is to be forgotten: the APPEND failed or was cut.
    AppendDropped,
    /// The peer broke a rule; its command was refused. The text names the rule, for logs.
    Defect(Vec<u8>),
    /// The peer said LOGOUT.
    Logout,
    /// RFC 8437: the account that was logged in is to be forgotten; another one may log in.
    Unauthenticated,
    /// Changes of mailboxes that are not open need not be told any more.
    Unwatched,
    /// The mailbox that was looked into is left: asks are about the open one again.
    Unpeeked,
}
