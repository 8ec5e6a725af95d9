//! Answers an IMAP server session: mailboxes of the bound account, and messages of the one that is open.

use std::sync::Arc;

use pillarbox_engine::imap::Server;
use pillarbox_engine::imap::rights::Rights;
use pillarbox_engine::imap::types::Ask;
use pillarbox_engine::imap::types::{
    Answer, AppendAsk, Appended, Arrived, Call, Change, CopyAsk, Event, Flags, OpenAsk, Opened,
    RenameAsk, Row, RowsAsk, StoreAsk, StoreMode, UidRun,
};
use pillarbox_engine::sasl::LoginAnswer;
use pillarbox_engine::types::{BlobRange, Now, Reason, Refusal};

use super::access::{Allowed, Name, Place};
use super::content::Content;
use super::{Backend, Bound, Granted, Indexer, Service, log_in, unstage};
use crate::hub::{Held, SessionKey};
use crate::store::{
    AccountId, Append, Copy, Create, Expunge, MailboxId, MarkRecent, Named, NewMessage, Outcome,
    Rename, SetFlags, Store, Subscribe, Write, permitted,
};

/// What MOVE and REPLACE need of the mailbox from which messages go (RFC 6851 §4.2, RFC 8508 §4.1).
const MOVE: Rights = Rights::READ.and(Rights::DELETED).and(Rights::EXPUNGE);

/// Answers one IMAP server session.
pub struct ImapService<B: Backend> {
    backend: Arc<B>,
    key: SessionKey,
    bound: Option<Bound>,
    open: Option<Open>,
    /// A mailbox that is looked into: it is read in place of the open one.
    peeked: Option<Peeked>,
    append: Option<Appending>,
    /// Whether the mailbox that is opened next gets another UIDVALIDITY.
    renews: bool,
    /// Whether the session is told of other mailboxes (RFC 5465).
    listens: bool,
    granted: Granted,
    /// Keeps what was granted, though others may expunge it meanwhile.
    held: Option<Held>,
}

struct Open {
    mailbox: MailboxId,
    /// Whether it is this account's own, to which it has all rights.
    is_own: bool,
    /// Highest UID that the session was told of: what it learnt while opening must not be told again.
    last_uid: u32,
}

pub(super) struct Peeked {
    pub(super) mailbox: MailboxId,
    /// As whose it is read.
    pub(super) reader: Vec<u8>,
    /// Whether it is the reader's own.
    pub(super) is_own: bool,
}

/// Octets of the messages of one APPEND that are held in memory; more wait in the store.
const TOGETHER_MAX: usize = 8 << 20;

/// Messages of an APPEND that is not committed yet.
struct Appending {
    name: Vec<u8>,
    /// RFC 8508: the message that goes.
    replaces: Option<(MailboxId, u32)>,
    complete: Vec<NewMessage>,
    current: AppendAsk,
    content: Content,
}

impl<B: Backend> ImapService<B> {
    /// A service for the connection `key`.
    pub fn new(backend: Arc<B>, key: SessionKey) -> Self {
        let granted = Granted::default();
        let (bound, open, append, listens, held) = (None, None, None, false, None);
        let (peeked, renews) = (None, false);
        Self { backend, key, bound, open, peeked, append, renews, listens, granted, held }
    }

    /// The same for an account that has logged in another way than this session knows.
    pub(super) fn signed_in(mut self, id: AccountId, name: &[u8]) -> Self {
        self.bound = Some(Bound { id, name: name.to_vec(), is_anonymous: false });
        self
    }

    pub(super) fn set_listens(&mut self, listens: bool) {
        self.listens = listens;
    }

    pub(super) fn listens(&self) -> bool {
        self.listens
    }

    pub(super) fn key(&self) -> SessionKey {
        self.key
    }

    /// The mailbox that is open.
    pub(super) fn opened(&self) -> Option<MailboxId> {
        self.open.as_ref().map(|open| open.mailbox)
    }

    fn account_id(&self) -> Result<AccountId, Reason> {
        self.bound.as_ref().map(|bound| bound.id).ok_or(Reason::NotPermitted)
    }

    /// The open mailbox, if this account still has all of these rights to it.
    fn mailbox(&self, needed: Rights) -> Result<MailboxId, Reason> {
        let open = self.open.as_ref().ok_or(Reason::NotPermitted)?;
        match self.open_rights()?.has(needed) {
            true => Ok(open.mailbox),
            false => Err(Reason::NotPermitted),
        }
    }

    /// RFC 4314 §5.1.1: they are looked at for each command, since they may have changed.
    fn open_rights(&self) -> Result<Rights, Reason> {
        let open = self.open.as_ref().ok_or(Reason::NotPermitted)?;
        if open.is_own { Ok(Rights::ALL) } else { self.rights_to(open.mailbox) }
    }

    /// The mailbox that is read, open or looked into, if this account still may.
    fn readable(&self) -> Result<MailboxId, Reason> {
        let Some(peeked) = &self.peeked else { return self.mailbox(Rights::READ) };
        let may =
            || self.rights_of(&peeked.reader, peeked.mailbox).map(|may| may.has(Rights::READ));
        match peeked.is_own || may()? {
            true => Ok(peeked.mailbox),
            false => Err(Reason::NotPermitted),
        }
    }

    fn peek(&mut self, name: &[u8]) -> Result<Opened, Reason> {
        self.peeked = None;
        let Place { account, mailbox, rights, .. } = self.reach(name, Rights::READ)?;
        let mut opened = self.backend.store().opened(mailbox)?;
        opened.rights = rights.letters();
        opened.read_only = true;
        let bound = self.bound()?;
        let (reader, is_own) = (bound.name.clone(), account == bound.id);
        self.peeked = Some(Peeked { mailbox, reader, is_own });
        Ok(opened)
    }

    /// From now on another mailbox is read than the open one.
    pub(super) fn set_peeked(&mut self, peeked: Option<Peeked>) {
        self.peeked = peeked;
    }

    fn close(&mut self) {
        if self.open.take().is_some() {
            self.backend.hub().unwatch(self.key);
        }
        self.let_go();
    }

    fn let_go(&mut self) {
        self.granted.clear();
        self.held = None;
    }

    /// Whoever else has it open loses it: UIDs mean the same for the whole of a session (RFC 9051 §2.3.1.1).
    async fn renew(&mut self, name: &[u8]) -> Result<(), Reason> {
        self.close();
        let Place { mailbox, .. } = self.reach(name, Rights::READ)?;
        self.write(Write::Renew(mailbox)).await.map(drop)
    }

    fn open(&mut self, ask: &OpenAsk) -> Result<Opened, Reason> {
        self.close();
        let store = self.backend.store();
        let Place { account, mailbox, rights, .. } = self.reach(&ask.name, Rights::READ)?;
        let is_own = account == self.account_id()?;
        // Watched before it is read: what changes in between is told twice at worst, and never missed.
        let (hub, wake) = (self.backend.hub(), self.backend.wake(self.key));
        hub.watch(self.key, mailbox, ask.read_only, wake);
        let opened = store.opened(mailbox);
        let mut opened = opened.inspect_err(|_| hub.unwatch(self.key))?;
        opened.read_only |= ask.read_only || !rights.has_any(Rights::CHANGE);
        opened.rights = rights.letters();
        let (stored, next) = (opened.recent_from, opened.status.uid_next);
        opened.recent_from = hub.claim_recent(mailbox, stored, next, opened.read_only);
        if !opened.read_only && opened.recent_from < next {
            let mark = MarkRecent { mailbox, recent_from: next };
            self.backend.write_later(Write::MarkRecent(mark));
        }
        let last_uid = opened.status.uid_next.saturating_sub(1);
        self.open = Some(Open { mailbox, is_own, last_uid });
        Ok(opened)
    }

    fn rows(&mut self, ask: &RowsAsk) -> Result<Answer, Reason> {
        let mailbox = self.readable()?;
        // Held before they are read: whoever expunges them in between finds them held.
        let held = match self.held.take() {
            Some(held) => {
                held.more();
                held
            }
            None => self.backend.hub().hold(self.key),
        };
        let page = self.backend.store().rows(mailbox, ask);
        let rows = page.as_ref().map_or(&[][..], |page| &page.rows[..]);
        rows.iter().for_each(|row: &Row| self.granted.grant(row.blob));
        held.only(self.granted.all());
        self.held = Some(held);
        page.map(Answer::Rows)
    }

    pub(super) fn backend(&self) -> &B {
        &self.backend
    }

    pub(super) fn bound(&self) -> Result<&Bound, Reason> {
        self.bound.as_ref().ok_or(Reason::NotPermitted)
    }

    pub(super) async fn write(&self, write: Write) -> Result<Outcome, Reason> {
        self.backend.write(self.key, write).await
    }

    async fn store_flags(&self, ask: StoreAsk) -> Result<Answer, Reason> {
        let StoreAsk { uids, mode, flags, unchanged_since } = ask;
        let (mailbox, may) = (self.mailbox(Rights::READ)?, self.open_rights()?);
        // RFC 4314 §4: only who may change none of them is refused.
        let (system, keywords) = may.flags();
        let replaces = mode == StoreMode::Replace;
        let some = flags.system & system != 0 || (keywords && !flags.keywords.is_empty());
        if !(some || replaces && (system != 0 || keywords)) && may != Rights::ALL {
            return Err(Reason::NotPermitted);
        }
        let write = SetFlags { mailbox, uids, mode, flags, unchanged_since, may };
        match self.write(Write::SetFlags(write)).await? {
            Outcome::Stored(stored) => Ok(Answer::Stored(stored)),
            _ => Err(Reason::StorageFailed),
        }
    }

    async fn expunge(&self, uids: Vec<UidRun>) -> Result<Answer, Reason> {
        let expunge = Expunge { mailbox: self.mailbox(Rights::EXPUNGE)?, uids, deleted_only: true };
        match self.write(Write::Expunge(expunge)).await? {
            Outcome::Expunged(expunged) => Ok(Answer::Expunged(expunged)),
            _ => Err(Reason::StorageFailed),
        }
    }

    async fn copy(&self, ask: CopyAsk, now: Now) -> Result<Answer, Reason> {
        let CopyAsk { uids, to, remove } = ask;
        let mailbox = self.mailbox(if remove { MOVE } else { Rights::READ })?;
        let Allowed { account, name: to, rights: keeps } = self.allowed(&to, Rights::INSERT)?;
        let copy = Copy { account, mailbox, uids, to, remove, keeps, now_ms: now.unix_ms };
        match self.write(Write::Copy(copy)).await? {
            Outcome::Copied(copied) => Ok(Answer::Copied(copied)),
            _ => Err(Reason::StorageFailed),
        }
    }

    async fn append(
        &mut self,
        ask: AppendAsk,
        now: Now,
        indexer: &mut dyn Indexer,
    ) -> Result<Answer, Reason> {
        let Place { account, rights, .. } = self.reach(&ask.name, Rights::INSERT)?;
        if ask.replaces.is_some() {
            self.mailbox(MOVE)?;
        }
        let mut ask = ask;
        ask.flags = permitted(&Flags::default(), ask.flags, rights);
        let store = self.backend.store();
        // What came before it in the same APPEND is not counted yet; the write looks at all of them.
        if ask.replaces.is_none() {
            store.check_quota(account, ask.size, 1)?;
        }
        let content = Content::default();
        if let Some(append) = &mut self.append {
            let held: usize = append.complete.iter().map(NewMessage::held).sum();
            if held + append.content.held() > TOGETHER_MAX {
                append.content.stage(&*self.backend, self.key).await?;
            }
            self.complete(now, indexer).await?;
        }
        match &mut self.append {
            Some(append) => {
                append.current = ask;
                append.content = content;
            }
            None => {
                let (name, complete) = (ask.name.clone(), Vec::new());
                let open = self.open.as_ref().map(|open| open.mailbox);
                let replaces = open.zip(ask.replaces);
                self.append = Some(Appending { name, replaces, complete, current: ask, content });
            }
        }
        Ok(Answer::Done)
    }

    /// Indexes the message whose last octets have come.
    async fn complete(&mut self, now: Now, indexer: &mut dyn Indexer) -> Result<(), Reason> {
        let append = self.append.as_mut().ok_or(Reason::NotPermitted)?;
        let date = match append.current.internal_date_ms {
            Some(ms) => (ms, append.current.internal_date_zone),
            None => (now.unix_ms, 0),
        };
        let flags = std::mem::take(&mut append.current.flags);
        let backend = &*self.backend;
        let message = append.content.take_message(backend, self.key, indexer, flags, date).await?;
        append.complete.push(message);
        Ok(())
    }

    async fn commit(&mut self, now: Now, indexer: &mut dyn Indexer) -> Result<Appended, Reason> {
        self.complete(now, indexer).await?;
        let append = self.append.take().ok_or(Reason::NotPermitted)?;
        let Appending { name, replaces, complete: messages, .. } = append;
        let reached = self.allowed(&name, Rights::INSERT).and_then(|place| {
            replaces.map_or(Ok(()), |_| self.mailbox(MOVE).map(drop)).map(|()| place)
        });
        let reached = reached.inspect_err(|_| {
            let staged = messages.iter().filter_map(|message| message.body.staged());
            unstage(&*self.backend, staged);
        });
        let Allowed { account, name, .. } = reached?;
        let staged: Vec<_> = messages.iter().filter_map(|message| message.body.staged()).collect();
        let write = Append { account, name, messages, replaces, now_ms: now.unix_ms };
        let outcome = self.write(Write::Append(write)).await;
        match outcome.inspect_err(|_| unstage(&*self.backend, staged))? {
            Outcome::Appended(appended) => Ok(appended),
            _ => Err(Reason::StorageFailed),
        }
    }

    fn drop_append(&mut self) {
        let Some(mut append) = self.append.take() else { return };
        append.content.drop_staged(&*self.backend);
        unstage(&*self.backend, append.complete.iter().filter_map(|message| message.body.staged()));
    }

    async fn judge(
        &mut self,
        now: Now,
        ask: Ask,
        indexer: &mut dyn Indexer,
    ) -> Result<Answer, Reason> {
        let store = self.backend.store();
        match ask {
            // Whoever has faults answers before this is asked.
            Ask::Phase(_) => Ok(Answer::Done),
            Ask::Login(credentials) => {
                // What is large and seldom is apart on the heap, so that a connection does not rest with room for it.
                let login = Box::pin(log_in(&*self.backend, self.key, credentials));
                let (bound, answer) = login.await;
                if matches!(answer, LoginAnswer::Accepted(_)) {
                    self.bound = bound;
                }
                Ok(Answer::Login(answer))
            }
            Ask::Mailboxes(ask) => self.mailboxes(&ask).map(Answer::Mailboxes),
            Ask::Status(name) => {
                let Allowed { account, name, .. } = self.allowed(&name, Rights::READ)?;
                store.status(account, &name).map(Answer::Status)
            }
            Ask::Open(ask) => {
                if std::mem::take(&mut self.renews) {
                    Box::pin(self.renew(&ask.name)).await?;
                }
                self.open(&ask).map(Answer::Opened)
            }
            Ask::Peek(name) => self.peek(&name).map(Answer::Opened),
            Ask::Uids(after) => store.uids(self.readable()?, after).map(Answer::Uids),
            Ask::Rows(ask) => self.rows(&ask),
            Ask::Flags(ask) => store.flags(self.readable()?, &ask).map(Answer::Flags),
            Ask::Vanished(ask) => {
                store.vanished(self.mailbox(Rights::READ)?, &ask).map(Answer::Vanished)
            }
            Ask::Octets(range) => self.octets(range).map(Answer::Octets),
            Ask::Store(ask) => self.store_flags(ask).await,
            Ask::Expunge(uids) => self.expunge(uids).await,
            Ask::Copy(ask) => {
                if !ask.remove {
                    self.backend.has_room(0)?;
                }
                self.copy(ask, now).await
            }
            Ask::Append(ask) => {
                self.backend.has_room(ask.size)?;
                Box::pin(self.append(ask, now, indexer)).await
            }
            Ask::Chunk(octets) => {
                let append = self.append.as_mut().ok_or(Reason::NotPermitted)?;
                append.content.add(&*self.backend, self.key, &octets).await?;
                Ok(Answer::Done)
            }
            Ask::Commit => {
                let outcome = Box::pin(self.commit(now, indexer)).await;
                self.drop_append();
                outcome.map(Answer::Appended)
            }
            // A scan of the messages by the session is the one reading of SEARCH; a store may say which of them.
            Ask::Search(ask) => {
                let mailbox = self.mailbox(Rights::READ)?;
                let candidates = self.backend.store().candidates(mailbox, &ask)?;
                Ok(candidates.map_or(Answer::Declined, Answer::Candidates))
            }
            Ask::Order(ask) => {
                let page = self.backend.store().order(self.mailbox(Rights::READ)?, &ask);
                Ok(page.map_or(Answer::Declined, Answer::Order))
            }
            Ask::SortKeys(told) => {
                let kept = self.backend.store().keep_order(self.mailbox(Rights::READ)?, told);
                Ok(if kept { Answer::Done } else { Answer::Declined })
            }
            Ask::Quota(ask) => self.quota(ask).await.map(Answer::Quota),
            Ask::Metadata(ask) => self.metadata(ask).await.map(Answer::Metadata),
            Ask::Rights(ask) => self.rights(ask).await.map(Answer::Rights),
            Ask::AuthorizeUrl(url) => {
                Box::pin(self.authorize_url(&url)).await.map(Answer::UrlToken)
            }
            Ask::ResetKey(name) => {
                Box::pin(self.reset_key(name.as_deref())).await.map(|()| Answer::Done)
            }
            Ask::RedeemUrl(claim) => self.redeem_url(&claim).map(Answer::Opened),
            Ask::Watch => self.listen().map(|()| Answer::Done),
            ask => self.judge_names(ask).await,
        }
    }

    /// What changes mailboxes rather than messages.
    async fn judge_names(&mut self, ask: Ask) -> Result<Answer, Reason> {
        let write = match ask {
            Ask::Create(ask) => {
                let Name { account, name, .. } = self.may_create(&ask.name)?;
                let (name, special_uses) = (name.to_vec(), ask.special_uses);
                Write::Create(Create { account, name, special_uses })
            }
            Ask::Delete(name) => {
                let Allowed { account, name, .. } = self.allowed(&name, Rights::DELETE)?;
                Write::Delete(Named { account, name })
            }
            Ask::Rename(ask) => Write::Rename(self.rename(&ask)?),
            Ask::Subscribe(ask) => {
                let (name, subscribed) = (ask.name, ask.subscribed);
                Write::Subscribe(Subscribe { account: self.account_id()?, name, subscribed })
            }
            _ => return Err(Reason::Unsupported),
        };
        self.write(write).await.map(|_| Answer::Done)
    }
}

impl<B: Backend> ImapService<B> {
    /// RFC 4314 §4: from one parent to another it takes `x` to the mailbox and `k` to the new parent.
    fn rename(&self, ask: &RenameAsk) -> Result<Rename, Reason> {
        let from = self.name(&ask.from)?;
        if !from.is_own {
            self.reach(&ask.from, Rights::DELETE)?;
        }
        let to = self.may_create(&ask.to)?;
        // A mailbox does not change hands: whoever had rights to it would have them to somebody else's mail.
        if from.account != to.account {
            return Err(Reason::NotPermitted);
        }
        Ok(Rename { account: from.account, from: from.name.to_vec(), to: to.name.to_vec() })
    }
}

impl<B: Backend> Service<Server> for ImapService<B> {
    async fn answer(&mut self, now: Now, ask: Ask, indexer: &mut dyn Indexer) -> Answer {
        let answered = self.judge(now, ask, indexer).await;
        answered.unwrap_or_else(|reason| Answer::Refused(Refusal::new(reason)))
    }

    fn octets(&mut self, range: BlobRange) -> Result<Vec<u8>, Reason> {
        self.granted.octets(self.backend.store(), range)
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Closed => self.close(),
            Event::AppendDropped => self.drop_append(),
            Event::Unauthenticated => {
                self.drop_append();
                self.close();
                self.peeked = None;
                self.stop_listening();
                self.bound = None;
            }
            Event::Unwatched => self.stop_listening(),
            Event::Unpeeked => self.peeked = None,
            Event::Defect(_) | Event::Logout => {}
        }
    }

    fn call(&mut self) -> Option<Call> {
        if let Some(open) = &mut self.open {
            let mut changes = self.backend.hub().take(self.key);
            changes.retain_mut(|change| open.is_news(change));
            if !changes.is_empty() {
                // RFC 4314 §5.1.1: who may not read it any more is told nothing of it, but that it is gone.
                let may_read = self.open_rights().is_ok_and(|rights| rights.has(Rights::READ));
                let gone = vec![Change::Deleted];
                return Some(Call::Changed(if may_read { changes } else { gone }));
            }
        }
        let notices = if self.listens { self.notices() } else { Vec::new() };
        (!notices.is_empty()).then_some(Call::Noticed(notices))
    }

    fn renews(&mut self) {
        self.renews = true;
    }

    fn rests(&mut self) {
        if !self.granted.is_empty() {
            self.let_go();
        }
    }

    fn account(&self) -> Option<&[u8]> {
        self.bound.as_ref().map(|bound| &bound.name[..])
    }
}

impl Open {
    /// Cuts from a change what the session was told when it opened the mailbox.
    fn is_news(&mut self, change: &mut Change) -> bool {
        let Change::Arrived(Arrived { runs, .. }) = change else { return true };
        runs.retain(|run| run.last > self.last_uid);
        if let Some(first) = runs.first_mut() {
            first.first = first.first.max(self.last_uid.saturating_add(1));
        }
        self.last_uid = runs.last().map_or(self.last_uid, |run| run.last);
        !runs.is_empty()
    }
}

impl<B: Backend> Drop for ImapService<B> {
    fn drop(&mut self) {
        self.drop_append();
        self.close();
        self.stop_listening();
    }
}
