//! What a mail store does, as reads and as writes that are data.
//! A write is one transaction; a store may commit many in one sync, and answers each only when it is durable.

use std::collections::BTreeMap;

use pillarbox_engine::imap::rights::Rights;
use pillarbox_engine::imap::types::{
    Appended, Change, Copied, Expunged, FlagPage, Flags, FlagsAsk, MailboxPage, MailboxRow,
    MailboxStatus, MailboxesAsk, Opened, OrderAsk, OrderPage, RowPage, RowsAsk, SearchAsk,
    SortKeys, SpecialUse, StoreMode, Stored, UidPage, UidRun, VanishedAsk, VanishedPage,
};
use pillarbox_engine::imap::url_token::AccessKey;
use pillarbox_engine::limits::{METADATA_ENTRIES_MAX, METADATA_OCTETS_MAX};
use pillarbox_engine::order::filled;
use pillarbox_engine::types::{BlobId, BlobRange, Reason};

use crate::queue::{Block, Enqueue, Queue, Settle, Steer, Steered};

/// Names an account; the store's own number, never reused.
pub type AccountId = u64;
/// Names a mailbox; the store's own number, never reused, the same over a rename.
pub type MailboxId = u64;
/// Names a message that is coming in pieces; chosen by [`Store::upload`].
pub type UploadId = u64;

/// Names of annotations with their values (RFC 5464).
pub type Annotations = Vec<(Vec<u8>, Vec<u8>)>;

/// Mailboxes that every new account has besides INBOX, each with its use (RFC 6154).
pub const FIRST_MAILBOXES: [(&[u8], SpecialUse); 5] = [
    (b"Archive", SpecialUse::Archive),
    (b"Drafts", SpecialUse::Drafts),
    (b"Junk", SpecialUse::Junk),
    (b"Sent", SpecialUse::Sent),
    (b"Trash", SpecialUse::Trash),
];

/// Octets of a message that travel inside a [`Write`]; a larger one is staged piece by piece before.
pub const WHOLE_MAX: usize = 256 * 1024;

/// Runs of expunged UIDs that a mailbox remembers with their mod-sequences (RFC 7162 §5.3). When there are more, the
/// oldest are forgotten until three quarters are left; who asks for what went before those is told that it is not known.
pub const EXPUNGED_RUNS_MAX: usize = 8192;

/// How many runs of so many are forgotten.
#[must_use]
pub const fn runs_to_forget(runs: usize) -> usize {
    if runs > EXPUNGED_RUNS_MAX { runs - EXPUNGED_RUNS_MAX / 4 * 3 } else { 0 }
}

/// Reads from a store. Each call sees one consistent state.
pub trait Store: Queue {
    /// The account of this name (octets compared exactly; callers give canonical names).
    fn account(&self, name: &[u8]) -> Result<Option<AccountId>, Reason>;
    /// Names of accounts, in their order, after `after`, at most `max`.
    fn accounts(&self, after: Option<&[u8]>, max: u32) -> Result<Vec<Vec<u8>>, Reason>;
    /// A page of an account's mailboxes and subscriptions.
    fn mailboxes(&self, account: AccountId, ask: &MailboxesAsk) -> Result<MailboxPage, Reason>;
    /// Counters of a mailbox; [`Reason::NotFound`] if there is none of this name.
    fn status(&self, account: AccountId, name: &[u8]) -> Result<MailboxStatus, Reason>;
    /// A mailbox's id; [`Reason::NotFound`] if there is none of this name.
    fn mailbox(&self, account: AccountId, name: &[u8]) -> Result<MailboxId, Reason>;
    /// Whose a mailbox is, and what it is called now; [`Reason::NotFound`] if it is gone.
    fn place(&self, mailbox: MailboxId) -> Result<(AccountId, Vec<u8>), Reason>;
    /// A mailbox as IMAP opens it, with its first UIDs. `recent_from` is the stored mark: messages from it on were
    /// told to no session as \Recent.
    fn opened(&self, mailbox: MailboxId) -> Result<Opened, Reason>;
    /// UIDs above `after`.
    fn uids(&self, mailbox: MailboxId, after: u32) -> Result<UidPage, Reason>;
    /// What was expunged after a mod-sequence, as far as it is remembered; see [`EXPUNGED_RUNS_MAX`].
    fn vanished(&self, mailbox: MailboxId, ask: &VanishedAsk) -> Result<VanishedPage, Reason>;
    /// A page of messages.
    fn rows(&self, mailbox: MailboxId, ask: &RowsAsk) -> Result<RowPage, Reason>;
    /// A page of flags.
    fn flags(&self, mailbox: MailboxId, ask: &FlagsAsk) -> Result<FlagPage, Reason> {
        self.rows(mailbox, &ask.clone().into()).map(FlagPage::from)
    }
    /// The messages that may match a search; none other does. `None`: the store does not know, so each may.
    fn candidates(
        &self,
        _mailbox: MailboxId,
        _ask: &SearchAsk,
    ) -> Result<Option<Vec<UidRun>>, Reason> {
        Ok(None)
    }
    /// A page of an order that sessions told; `None`: it is not kept. See [`crate::orders`].
    fn order(&self, mailbox: MailboxId, ask: &OrderAsk) -> Option<OrderPage>;
    /// Keeps what messages are sorted by; false if it is not kept.
    fn keep_order(&self, mailbox: MailboxId, told: SortKeys) -> bool;
    /// Octets of a message: exactly the range; [`Reason::NotFound`] if it is not within a stored message.
    fn octets(&self, range: BlobRange) -> Result<Vec<u8>, Reason>;
    /// Octets of a staged message, as far as they were staged; used to index it before it is stored.
    fn staged(&self, upload: UploadId, offset: u64, length: u64) -> Result<Vec<u8>, Reason>;
    /// All messages of a mailbox as a POP3 maildrop, ascending.
    fn maildrop(&self, mailbox: MailboxId) -> Result<Vec<MaildropEntry>, Reason>;
    /// What an account uses, and what it may use.
    fn quota(&self, account: AccountId) -> Result<Quota, Reason>;
    /// Whether so many octets and messages more fit into what an account may use; [`Reason::OverQuota`] if not.
    fn check_quota(&self, account: AccountId, octets: u64, messages: u64) -> Result<(), Reason> {
        self.quota(account)?.check(octets, messages, 0)
    }
    /// Whether the account of this name, if there is one, uses all that it may: no mail is taken for it.
    fn is_full(&self, name: &[u8]) -> Result<bool, Reason>;
    /// Annotations that an account sees on a mailbox, or without one on the server, in the order of their names.
    fn metadata(
        &self,
        account: AccountId,
        mailbox: Option<MailboxId>,
    ) -> Result<Annotations, Reason>;
    /// Of each of these keys, whether a message with it was collected from this source before; see [`Collect`].
    fn collected(
        &self,
        account: AccountId,
        source: &[u8],
        keys: &[Vec<u8>],
    ) -> Result<Vec<bool>, Reason>;
    /// The name of an account; [`Reason::NotFound`] if it is gone.
    fn account_name(&self, account: AccountId) -> Result<Vec<u8>, Reason>;
    /// Who has which rights to a mailbox beside its owner, in the order of identifiers (RFC 4314).
    fn acl(&self, mailbox: MailboxId) -> Result<Vec<(Vec<u8>, Rights)>, Reason>;
    /// The key by which an account's URLs to a mailbox are authorized, once there is one (RFC 4467 §2.2).
    fn access_key(
        &self,
        account: AccountId,
        mailbox: MailboxId,
    ) -> Result<Option<AccessKey>, Reason>;
    /// A page of mailboxes that others let somebody see, in the order of their paths' octets.
    fn shared(&self, ask: &SharedAsk) -> Result<Vec<Shared>, Reason>;
    /// Whose mailboxes somebody may see, but for one account.
    fn sharers(&self, who: &[u8], except: AccountId) -> Result<Vec<AccountId>, Reason>;
    /// A new name for a message that will come in pieces.
    fn upload(&self) -> UploadId;
    /// What there is under this name: a mailbox, a name that has mailboxes below it, or nothing.
    fn name(&self, account: AccountId, name: &[u8], status: bool) -> Result<MailboxRow, Reason> {
        let first = |prefix: &[u8]| {
            let prefix = prefix.to_vec();
            let page =
                self.mailboxes(account, &MailboxesAsk { after: None, prefix, max: 1, status });
            page.map(|page| page.rows.into_iter().next())
        };
        // Nothing that begins with a name comes before it.
        if let Some(row) = first(name)?.filter(|row| row.name == name) {
            return Ok(row);
        }
        let has_children = first(&[name, b"/"].concat())?.is_some_and(|row| row.exists);
        Ok(MailboxRow { name: name.to_vec(), has_children, ..MailboxRow::default() })
    }
}

/// A store that is written to one transaction at a time.
pub trait Writer: Store {
    /// One transaction: all of it happens, or on an error nothing.
    ///
    /// # Errors
    /// What [`Write`] names for it; [`Reason::StorageFull`], [`Reason::StorageFailed`].
    fn write(&mut self, write: Write) -> Result<Written, Reason>;
}

/// A page of mailboxes that others let somebody see: those to which the identifier, or everybody, has `l` (RFC 4314).
#[derive(Clone, Debug)]
pub struct SharedAsk {
    /// Whose identifier.
    pub who: Vec<u8>,
    /// Not those of this account: its own are no others'.
    pub except: AccountId,
    /// Only paths after this one.
    pub after: Option<Vec<u8>>,
    /// Only paths that begin with this.
    pub prefix: Vec<u8>,
    /// At most so many.
    pub max: u32,
}

/// A mailbox that its owner lets others see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// The owner's name, `/`, and the mailbox's.
    pub path: Vec<u8>,
    /// Whose.
    pub account: AccountId,
    /// What its owner calls it.
    pub name: Vec<u8>,
    /// Which.
    pub mailbox: MailboxId,
}

/// One message of a maildrop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaildropEntry {
    /// UID in the mailbox.
    pub uid: u32,
    /// Its octets.
    pub blob: BlobId,
    /// How many.
    pub size: u64,
    /// Whether no line begins with a dot and the last ends with CRLF.
    pub plain: bool,
}

/// One transaction.
#[derive(Clone, Debug)]
pub enum Write {
    /// Makes an account with its first mailboxes, unless it exists. Outcome: account.
    EnsureAccount(Vec<u8>),
    /// Removes an account and all it has. Outcome: done; [`Reason::NotFound`].
    RemoveAccount(Vec<u8>),
    /// Octets of a staged message, in order. Need not be durable before its message is. Outcome: done.
    Stage(Stage),
    /// Forgets a staged message. Outcome: done.
    Unstage(UploadId),
    /// Puts one message into the INBOX, or the mailbox for junk, of every account named and into the queue, all or none;
    /// accounts that do not exist are made. Outcome: delivered.
    Deliver(Box<Deliver>),
    /// Appends messages to a mailbox, all or none. Outcome: appended; [`Reason::NotFound`], [`Reason::OverQuota`].
    Append(Append),
    /// Appends a message that came from elsewhere, unless it came before. Outcome: appended, or known; [`Reason::NotFound`],
    /// [`Reason::OverQuota`].
    Collect(Box<Collect>),
    /// Changes flags. Outcome: stored.
    SetFlags(SetFlags),
    /// Removes messages. Outcome: expunged.
    Expunge(Expunge),
    /// Copies or moves, all or none. Outcome: copied; [`Reason::NotFound`] for the target, [`Reason::OverQuota`].
    Copy(Copy),
    /// Makes a mailbox and its missing superiors. Outcome: done; [`Reason::AlreadyExists`], [`Reason::TooMany`],
    /// [`Reason::OverQuota`].
    Create(Create),
    /// Removes a mailbox and its messages; one with mailboxes below keeps its name, not selectable, as RFC 9051
    /// §6.3.5 says. Outcome: done; [`Reason::NotFound`], [`Reason::NotPermitted`] for INBOX.
    Delete(Named),
    /// Renames a mailbox and those below; INBOX instead gives its messages to a new mailbox. Subscriptions stay as they
    /// are, since they are of names (RFC 9051 §6.3.6). Outcome: done;
    /// [`Reason::NotFound`], [`Reason::AlreadyExists`].
    Rename(Rename),
    /// Subscribes or unsubscribes a name. Outcome: done.
    Subscribe(Subscribe),
    /// Sets what an account may use. Outcome: done; [`Reason::NotFound`].
    SetQuota(SetQuota),
    /// Sets or removes annotations, all or none. Outcome: done; [`Reason::NotFound`], [`Reason::TooMany`].
    SetMetadata(SetMetadata),
    /// Changes one identifier's rights to a mailbox; with none left its entry is gone. Outcome: done;
    /// [`Reason::NotFound`], [`Reason::TooMany`].
    SetRights(SetRights),
    /// Keeps a key for an account's URLs to a mailbox; it goes with either, and stays over a rename. Outcome: access key,
    /// the one that is kept; [`Reason::NotFound`].
    SetAccessKey(SetAccessKey),
    /// Forgets all keys of an account's URLs. Outcome: done.
    ForgetAccessKeys(AccountId),
    /// Gives a mailbox a new UIDVALIDITY, as if it were deleted and made again with the same messages; whoever has it open
    /// loses it. Outcome: done; [`Reason::NotFound`].
    Renew(MailboxId),
    /// Raises a mailbox's mark of \Recent to `recent_from`, never lowers it. Need not be durable. Outcome: done.
    MarkRecent(MarkRecent),
    /// Ends an attempt to relay. Outcome: done; [`Reason::NotFound`] if the task is over.
    Settle(Settle),
    /// Leaves a destination alone, or no longer. Outcome: done.
    Block(Block),
    /// Does with tasks of the queue what an operator wants. Outcome: steered.
    Steer(Steer),
}

/// Octets of a staged message.
#[derive(Clone, Debug)]
pub struct Stage {
    /// Which.
    pub upload: UploadId,
    /// The next.
    pub octets: Vec<u8>,
}

/// A message's octets.
#[derive(Clone, Debug)]
pub enum Body {
    /// Here, at most [`WHOLE_MAX`].
    Whole(Vec<u8>),
    /// Staged before, with its size.
    Staged(UploadId, u64),
}

impl Body {
    /// Its octets.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Self::Whole(octets) => octets.len() as u64,
            Self::Staged(_, size) => *size,
        }
    }

    /// The upload that it was staged as.
    #[must_use]
    pub fn staged(&self) -> Option<UploadId> {
        match self {
            Self::Whole(_) => None,
            Self::Staged(upload, _) => Some(*upload),
        }
    }
}

/// A message to store.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// Its octets.
    pub body: Body,
    /// Its index, as `pillarbox_engine::message` encodes it.
    pub index: Vec<u8>,
    /// Whether no line begins with a dot and the last ends with CRLF.
    pub plain: bool,
    /// Flags.
    pub flags: Flags,
    /// Milliseconds since 1970 UTC.
    pub internal_date_ms: u64,
    /// Minutes east of UTC.
    pub internal_date_zone: i16,
}

impl NewMessage {
    /// Octets of it that are in memory.
    #[must_use]
    pub fn held(&self) -> usize {
        let body = match &self.body {
            Body::Whole(octets) => octets.len(),
            Body::Staged(..) => 0,
        };
        body + self.index.len()
    }
}

/// A delivery.
#[derive(Clone, Debug)]
pub struct Deliver {
    /// Canonical account names, each once.
    pub accounts: Vec<Vec<u8>>,
    /// Whether it goes into the mailboxes that the accounts have for junk (RFC 6154); INBOX where there is none.
    pub junk: bool,
    /// What is to be relayed; without it there is at least one account.
    pub relay: Option<Enqueue>,
    /// The message; stored once, whatever the number of accounts and tasks.
    pub message: NewMessage,
    /// Reports that follow from the delivery; they have none themselves.
    pub reports: Vec<Deliver>,
    /// Wall clock, for the save date.
    pub now_ms: u64,
}

/// An append.
#[derive(Clone, Debug)]
pub struct Append {
    /// Whose mailbox.
    pub account: AccountId,
    /// Its name.
    pub name: Vec<u8>,
    /// The messages, at least one.
    pub messages: Vec<NewMessage>,
    /// The message of this mailbox that goes with it (RFC 8508); [`Reason::NotFound`] if it is gone.
    pub replaces: Option<(MailboxId, u32)>,
    /// Wall clock, for the save date.
    pub now_ms: u64,
}

/// An append of what is somewhere else too: with the message it is remembered, in the same transaction, that it was taken, so
/// that whoever is cut off in between and comes again doubles nothing.
#[derive(Clone, Debug)]
pub struct Collect {
    /// The message, one, in place of nothing.
    pub append: Append,
    /// Where it came from; names of sources are the caller's, at most 64 octets.
    pub source: Vec<u8>,
    /// What tells it from all others there, at most 1,024 octets.
    pub key: Vec<u8>,
}

/// A change of flags.
#[derive(Clone, Debug)]
pub struct SetFlags {
    /// The mailbox.
    pub mailbox: MailboxId,
    /// Which messages; those that are gone are passed over.
    pub uids: Vec<UidRun>,
    /// How.
    pub mode: StoreMode,
    /// What.
    pub flags: Flags,
    /// RFC 7162 §3.1.3.
    pub unchanged_since: Option<u64>,
    /// Which flags may be changed; others stay as they are (RFC 4314 §4).
    pub may: Rights,
}

impl SetFlags {
    /// RFC 7162 §3.1.3: whether a message of this modseq may be changed still.
    #[must_use]
    pub fn may_change(&self, modseq: u64) -> bool {
        self.unchanged_since.is_none_or(|since| modseq <= since)
    }

    /// Whether a message of this modseq gets all keywords of the change. Only then does its mailbox learn them: what no
    /// message ever had is not to be listed for ever.
    #[must_use]
    pub fn gives_keywords(&self, modseq: u64) -> bool {
        let (_, keywords) = self.may.flags();
        self.mode != StoreMode::Remove && keywords && self.may_change(modseq)
    }
}

/// A removal.
#[derive(Clone, Debug)]
pub struct Expunge {
    /// The mailbox.
    pub mailbox: MailboxId,
    /// Which; those that are gone are passed over.
    pub uids: Vec<UidRun>,
    /// Whether only those with \Deleted.
    pub deleted_only: bool,
}

/// A copy or a move.
#[derive(Clone, Debug)]
pub struct Copy {
    /// Whose mailbox the other one is.
    pub account: AccountId,
    /// From here.
    pub mailbox: MailboxId,
    /// Which; those that are gone are passed over.
    pub uids: Vec<UidRun>,
    /// There, by name.
    pub to: Vec<u8>,
    /// Whether to remove them here.
    pub remove: bool,
    /// Which flags the copies keep (RFC 4314 §4).
    pub keeps: Rights,
    /// Wall clock, for the save date.
    pub now_ms: u64,
}

/// A new mailbox.
#[derive(Clone, Debug)]
pub struct Create {
    /// Whose.
    pub account: AccountId,
    /// Its name.
    pub name: Vec<u8>,
    /// RFC 6154.
    pub special_uses: Vec<SpecialUse>,
}

/// A mailbox by name.
#[derive(Clone, Debug)]
pub struct Named {
    /// Whose.
    pub account: AccountId,
    /// Its name.
    pub name: Vec<u8>,
}

/// A renaming.
#[derive(Clone, Debug)]
pub struct Rename {
    /// Whose.
    pub account: AccountId,
    /// Old name.
    pub from: Vec<u8>,
    /// New name.
    pub to: Vec<u8>,
}

/// A subscription.
#[derive(Clone, Debug)]
pub struct Subscribe {
    /// Whose.
    pub account: AccountId,
    /// Of which name.
    pub name: Vec<u8>,
    /// On or off.
    pub subscribed: bool,
}

/// What an account may use.
#[derive(Clone, Copy, Debug)]
pub struct SetQuota {
    /// Whose.
    pub account: AccountId,
    /// All limits.
    pub limits: QuotaLimits,
}

/// Annotations to set.
#[derive(Clone, Debug)]
pub struct SetMetadata {
    /// Who sets them; `/private` ones are its own.
    pub account: AccountId,
    /// On this mailbox; `None` is the server.
    pub mailbox: Option<MailboxId>,
    /// Names, which begin with `/private` or `/shared`, and values; none removes the entry.
    pub entries: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

/// Limits of an account (RFC 9208 §5); what is none is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuotaLimits {
    /// In units of 1,024 octets.
    pub storage_kib: Option<u64>,
    /// Messages in all mailboxes.
    pub messages: Option<u64>,
    /// Mailboxes.
    pub mailboxes: Option<u64>,
}

impl QuotaLimits {
    /// Whether anything is limited.
    #[must_use]
    pub fn are_none(&self) -> bool {
        *self == Self::default()
    }
}

/// What an account uses, and what it may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Octets of all messages, each as often as it is in a mailbox.
    pub octets: u64,
    /// Messages.
    pub messages: u64,
    /// Mailboxes.
    pub mailboxes: u64,
    /// What it may use.
    pub limits: QuotaLimits,
}

impl Quota {
    /// Whether so many more fit.
    ///
    /// # Errors
    /// [`Reason::OverQuota`]
    pub fn check(&self, octets: u64, messages: u64, mailboxes: u64) -> Result<(), Reason> {
        let fits = |used: u64, more: u64, limit: Option<u64>| {
            more == 0 || limit.is_none_or(|limit| used.saturating_add(more) <= limit)
        };
        let storage = self.limits.storage_kib.map(|limit| limit.saturating_mul(1024));
        let all = fits(self.octets, octets, storage)
            && fits(self.messages, messages, self.limits.messages)
            && fits(self.mailboxes, mailboxes, self.limits.mailboxes);
        if all { Ok(()) } else { Err(Reason::OverQuota) }
    }

    /// Whether no message fits any more.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.check(1, 1, 0).is_err()
    }
}

/// What happens by setting annotations: to what is shared of a mailbox its owner's account, to the rest their own.
#[must_use]
pub fn annotated(
    account: AccountId,
    owner: AccountId,
    mailbox: Option<MailboxId>,
    entries: &[(Vec<u8>, Option<Vec<u8>>)],
) -> Vec<(AccountId, Happening)> {
    let names = |shared: bool| -> Vec<Vec<u8>> {
        let names = entries.iter().map(|(entry, _)| entry);
        names.filter(|entry| entry.starts_with(b"/shared") == shared).cloned().collect()
    };
    let all = [(account, names(false)), (owner, names(true))];
    let some = all.into_iter().filter(|(_, names)| !names.is_empty());
    some.map(|(whose, names)| (whose, Happening::Annotated(mailbox, names))).collect()
}

/// Whether annotations of one mailbox, told by names and values, are too many (RFC 5464 §4.3).
///
/// # Errors
/// [`Reason::TooMany`]
pub fn check_metadata<'a>(all: impl Iterator<Item = (&'a [u8], usize)>) -> Result<(), Reason> {
    let (mut entries, mut octets) = (0, 0);
    for (name, length) in all {
        entries += 1;
        octets += name.len() + length;
    }
    let fits = entries <= METADATA_ENTRIES_MAX && octets <= METADATA_OCTETS_MAX;
    if fits { Ok(()) } else { Err(Reason::TooMany) }
}

/// A change of rights (RFC 4314 §3.1).
#[derive(Clone, Debug)]
pub struct SetRights {
    /// To which mailbox.
    pub mailbox: MailboxId,
    /// Whose: a canonical account name, or `anyone`.
    pub identifier: Vec<u8>,
    /// How.
    pub mode: StoreMode,
    /// Which.
    pub rights: Rights,
}

impl SetRights {
    /// The rights after it.
    #[must_use]
    pub fn applied(&self, old: Rights) -> Rights {
        match self.mode {
            StoreMode::Replace => self.rights,
            StoreMode::Add => old.and(self.rights),
            StoreMode::Remove => old.without(self.rights),
        }
    }
}

/// A mailbox access key (RFC 4467 §2.2). An account has one for each mailbox at most, its own or another's.
#[derive(Clone, Copy, Debug)]
pub struct SetAccessKey {
    /// Whose URLs.
    pub account: AccountId,
    /// To which mailbox.
    pub mailbox: MailboxId,
    /// The key.
    pub key: AccessKey,
    /// Whether it replaces another one; else that one is kept.
    pub replaces: bool,
}

/// A mark of \Recent.
#[derive(Clone, Copy, Debug)]
pub struct MarkRecent {
    /// The mailbox.
    pub mailbox: MailboxId,
    /// First UID that no session was told of.
    pub recent_from: u32,
}

/// What a write did.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It is done.
    Done,
    /// The account.
    Account(AccountId),
    /// The message, by its stored number.
    Delivered(BlobId),
    /// To append.
    Appended(Appended),
    /// To collect, if nothing was done: it was collected before.
    Known,
    /// To set flags.
    Stored(Stored),
    /// To expunge: what went.
    Expunged(Expunged),
    /// To copy or move.
    Copied(Copied),
    /// To set an access key: the one that is kept.
    AccessKey(AccessKey),
    /// To steer.
    Steered(Steered),
}

/// What a committed write did, and what other sessions must be told.
#[derive(Clone, Debug)]
pub struct Written {
    /// For the writer.
    pub outcome: Outcome,
    /// For those that have the mailbox open, in order. `Arrived.recent` is false here: who is told is decided when
    /// telling.
    pub changes: Vec<(MailboxId, Change)>,
    /// For those that watch the account, in order.
    pub happenings: Vec<(AccountId, Happening)>,
}

impl Written {
    /// What changed messages, or nothing that anybody else is told of.
    #[must_use]
    pub fn new(outcome: Outcome, changes: Vec<(MailboxId, Change)>) -> Self {
        Self { outcome, changes, happenings: Vec::new() }
    }
}

/// What happened to names of an account, or to what is written about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// This mailbox was made.
    Created(Vec<u8>),
    /// This one was removed, which these identifiers could see beside its owner.
    Deleted(Vec<u8>, Vec<Vec<u8>>),
    /// From this name to this one, with all below.
    Renamed(Vec<u8>, Vec<u8>),
    /// This name was subscribed or unsubscribed.
    Subscribed(Vec<u8>),
    /// The account whose happening it is may do other things with this mailbox than before; of account 0, everybody.
    Rights(MailboxId),
    /// These annotations were set or removed; without a mailbox, of the server.
    Annotated(Option<MailboxId>, Vec<Vec<u8>>),
}

/// Puts a UID behind others that ascend.
pub fn push_uid(runs: &mut Vec<UidRun>, uid: u32) {
    match runs.last_mut() {
        Some(run) if run.last.checked_add(1) == Some(uid) => run.last = uid,
        _ => runs.push(UidRun { first: uid, last: uid }),
    }
}

/// Runs in one page of what was expunged.
const VANISHED_RUNS_MAX: usize = 256;

/// A page of what was expunged, of runs in any order that do not overlap.
#[must_use]
pub fn vanished_page(mut all: Vec<UidRun>, above: u32) -> VanishedPage {
    all.retain(|run| run.last > above);
    all.sort_unstable_by_key(|run| run.first);
    let mut runs: Vec<UidRun> = Vec::new();
    for run in all {
        let full = runs.len() == VANISHED_RUNS_MAX;
        match runs.last_mut() {
            Some(last) if last.last.checked_add(1) == Some(run.first) => last.last = run.last,
            _ if full => return VanishedPage { known: true, runs, more: true },
            _ => runs.push(UidRun { first: run.first.max(above.saturating_add(1)), ..run }),
        }
    }
    VanishedPage { known: true, runs, more: false }
}

/// Of flags those that may be changed with these rights, and of the old ones the others (RFC 4314 §4).
#[must_use]
pub fn permitted(old: &Flags, new: Flags, may: Rights) -> Flags {
    let (system, keywords) = may.flags();
    let system = new.system & system | old.system & !system;
    Flags { system, keywords: if keywords { new.keywords } else { old.keywords.clone() } }
}

/// Names of mailboxes that one account has, and as many that it subscribed: listing them takes time, and each mailbox is some
/// kilobytes on the disk.
pub const MAILBOXES_MAX: u64 = 100_000;

/// Whether an account with so many names, or subscriptions, may have so many more.
///
/// # Errors
/// [`Reason::TooMany`] beyond [`MAILBOXES_MAX`].
pub fn check_names(names: u64, more: u64) -> Result<(), Reason> {
    let fits = more == 0 || names.saturating_add(more) <= MAILBOXES_MAX;
    if fits { Ok(()) } else { Err(Reason::TooMany) }
}

/// Keywords that the messages of one mailbox have, each counted once: a row with all of them still fits into a session.
pub const MAILBOX_KEYWORDS_MAX: usize = 1000;

/// Octets of indexes and keywords with which a page of rows ends.
pub const PAGE_OCTETS_MAX: usize = 64 * 1024;

/// Adds the keywords of a message to those of its mailbox; whether there are more now.
///
/// # Errors
/// [`Reason::TooMany`] beyond [`MAILBOX_KEYWORDS_MAX`].
pub fn learn_keywords(known: &mut Vec<Vec<u8>>, flags: &Flags) -> Result<bool, Reason> {
    let before = known.len();
    for keyword in &flags.keywords {
        if known.iter().any(|other| other.eq_ignore_ascii_case(keyword)) {
            continue;
        }
        if known.len() >= MAILBOX_KEYWORDS_MAX {
            return Err(Reason::TooMany);
        }
        known.push(keyword.clone());
    }
    Ok(known.len() > before)
}

/// Octets of keywords.
#[must_use]
pub fn keyword_octets(flags: &Flags) -> usize {
    flags.keywords.iter().map(Vec::len).sum()
}

/// Flags after a change; a keyword keeps the spelling in which the mailbox first had it.
#[must_use]
pub fn combined(old: &Flags, mode: StoreMode, change: &Flags, known: &[Vec<u8>]) -> Flags {
    let canonical = |keyword: &Vec<u8>| {
        let spelling = known.iter().find(|known| known.eq_ignore_ascii_case(keyword));
        (keyword.to_ascii_lowercase(), spelling.unwrap_or(keyword).clone())
    };
    let by_name = |flags: &Flags| -> BTreeMap<Vec<u8>, Vec<u8>> {
        filled(flags.keywords.iter().map(canonical))
    };
    let (mut keywords, given) = (by_name(old), by_name(change));
    let system = match mode {
        StoreMode::Replace => {
            keywords = given;
            change.system
        }
        StoreMode::Add => {
            keywords.extend(given);
            old.system | change.system
        }
        StoreMode::Remove => {
            keywords.retain(|name, _| !given.contains_key(name));
            old.system & !change.system
        }
    };
    Flags { system, keywords: keywords.into_values().collect() }
}
