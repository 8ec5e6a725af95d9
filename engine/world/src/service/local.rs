//! A backend without a program around it: a store behind a lock, everyone let in, messages indexed on the spot.
//! Tests and the playground use it; the native runner takes its parts for `--memory`.

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pillarbox_engine::imap::rights::Rights;
use pillarbox_engine::imap::types::{
    MailboxPage, MailboxStatus, MailboxesAsk, Opened, OrderAsk, OrderPage, RowPage, RowsAsk,
    SortKeys, UidPage, VanishedAsk, VanishedPage,
};
use pillarbox_engine::imap::url_token::AccessKey;
use pillarbox_engine::sasl::{Account, Credentials, LoginAnswer};
use pillarbox_engine::smtp::Mailbox;
use pillarbox_engine::types::{BlobId, BlobRange, Reason, Refusal};

use super::{Backend, Directory, Indexed, Taken};
use crate::hub::{Hub, SessionKey, Wake};
use crate::memory::MemoryStore;
use crate::queue::{Destination, Queue, QueueStats, QueuedMessage, Task, TaskId};
use crate::store::{
    AccountId, Annotations, MailboxId, MaildropEntry, Outcome, Quota, SharedAsk, Store, UploadId,
    Write, Writer,
};

/// Everyone is let in with any secret, and every address has an account of its own.
pub struct OpenDirectory {
    /// The domain of a name without one.
    pub domain: Vec<u8>,
}

impl OpenDirectory {
    /// The account of an address or of a login name.
    fn account(&self, name: &[u8]) -> Vec<u8> {
        let mut name = name.to_ascii_lowercase();
        if !name.contains(&b'@') {
            name.push(b'@');
            name.extend_from_slice(&self.domain);
        }
        name
    }
}

impl Directory for OpenDirectory {
    async fn login(&self, _key: SessionKey, credentials: Credentials) -> LoginAnswer {
        let refused = |reason| LoginAnswer::Refused(Refusal::new(reason));
        let name = match credentials {
            Credentials::Password(given) if given.authorization.is_empty() => given.user,
            Credentials::Password(given) => given.authorization,
            Credentials::Token(given) => given.authorization,
            Credentials::Digest(given) => given.user,
            Credentials::Anonymous(_) => b"anonymous".to_vec(),
            Credentials::Preauthenticated(name) => name,
            // Every digest is right here, so it need not be of anything new.
            Credentials::DigestStart => {
                return LoginAnswer::DigestChallenge([b"<1.1@", &self.domain[..], b">"].concat());
            }
            // These need a secret or a certificate, and here is neither.
            Credentials::External(_) | Credentials::ScramStart(_) | Credentials::ScramFinish(_) => {
                return refused(Reason::Unsupported);
            }
        };
        if name.is_empty() || name.len() > 255 || name.iter().any(u8::is_ascii_control) {
            return refused(Reason::BadCredentials);
        }
        let name = self.account(&name);
        LoginAnswer::Accepted(Account { name, server_signature: Vec::new() })
    }

    fn known(&self, name: &[u8]) -> Option<Vec<u8>> {
        Some(self.account(name))
    }

    /// Everything stays here: nothing is ever relayed.
    fn recipient(&self, to: &Mailbox, _may_relay: bool) -> Result<Taken, Refusal> {
        let mut name = to.local_part.clone();
        if !to.domain.is_empty() {
            name.push(b'@');
            name.extend_from_slice(&to.domain);
        }
        Ok(Taken { accounts: vec![self.account(&name)], ..Taken::default() })
    }

    fn sender(&self, _account: &[u8], _from: &Mailbox) -> Result<(), Refusal> {
        Ok(())
    }
}

/// A memory store behind a lock, so that several sessions share it.
#[derive(Default)]
pub struct SharedStore(Mutex<Shared>);

#[derive(Clone, Default)]
struct Shared {
    store: MemoryStore,
    /// Blobs without use that some session may still send, each with the moment at which it lost its last.
    kept: VecDeque<(BlobId, u64)>,
}

impl Shared {
    /// Blobs that are looked at after one write, so that a large expunge holds nobody up.
    const SWEEP_MAX: usize = 256;

    /// Removes what no session may send any more.
    fn sweep(&mut self, hub: &Hub) {
        let unused = self.store.take_unused();
        if !unused.is_empty() {
            let went = hub.passed();
            self.kept.extend(unused.into_iter().map(|blob| (blob, went)));
        }
        for _ in 0..self.kept.len().min(Self::SWEEP_MAX) {
            let Some((blob, went)) = self.kept.pop_front() else { return };
            match hub.is_held(blob, went) {
                true => self.kept.push_back((blob, went)),
                false => self.store.remove_unused(blob),
            }
        }
    }
}

/// The store within the lock.
struct Locked<'a>(MutexGuard<'a, Shared>);

impl Deref for Locked<'_> {
    type Target = MemoryStore;

    fn deref(&self) -> &MemoryStore {
        &self.0.store
    }
}

impl SharedStore {
    /// Another store that holds the same.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self(Mutex::new(self.lock().0.clone()))
    }

    /// Holds from now on what another store holds.
    pub fn become_copy_of(&self, other: &Self) {
        let held = other.lock().0.clone();
        *self.lock().0 = held;
    }

    /// One transaction, with what others must be told already queued when it returns.
    pub fn write(&self, hub: &Hub, origin: SessionKey, write: Write) -> Result<Outcome, Reason> {
        // The lock is held until the changes are queued, so that they are queued in the order of the writes.
        let mut shared = self.lock().0;
        let written = shared.store.write(write)?;
        let store = &shared.store;
        let owner = |mailbox| store.place(mailbox).ok().map(|(account, _)| account);
        hub.publish(origin, &written.changes, &written.happenings, owner);
        shared.sweep(hub);
        Ok(written.outcome)
    }

    /// Messages in all mailboxes.
    #[must_use]
    pub fn mail_count(&self) -> usize {
        self.lock().mail_count()
    }

    fn lock(&self) -> Locked<'_> {
        Locked(self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Store for SharedStore {
    fn account(&self, name: &[u8]) -> Result<Option<AccountId>, Reason> {
        self.lock().account(name)
    }
    fn accounts(&self, after: Option<&[u8]>, max: u32) -> Result<Vec<Vec<u8>>, Reason> {
        self.lock().accounts(after, max)
    }
    fn mailboxes(&self, account: AccountId, ask: &MailboxesAsk) -> Result<MailboxPage, Reason> {
        self.lock().mailboxes(account, ask)
    }
    fn status(&self, account: AccountId, name: &[u8]) -> Result<MailboxStatus, Reason> {
        self.lock().status(account, name)
    }
    fn mailbox(&self, account: AccountId, name: &[u8]) -> Result<MailboxId, Reason> {
        self.lock().mailbox(account, name)
    }
    fn place(&self, mailbox: MailboxId) -> Result<(AccountId, Vec<u8>), Reason> {
        self.lock().place(mailbox)
    }
    fn opened(&self, mailbox: MailboxId) -> Result<Opened, Reason> {
        self.lock().opened(mailbox)
    }
    fn uids(&self, mailbox: MailboxId, after: u32) -> Result<UidPage, Reason> {
        self.lock().uids(mailbox, after)
    }
    fn vanished(&self, mailbox: MailboxId, ask: &VanishedAsk) -> Result<VanishedPage, Reason> {
        self.lock().vanished(mailbox, ask)
    }

    fn rows(&self, mailbox: MailboxId, ask: &RowsAsk) -> Result<RowPage, Reason> {
        self.lock().rows(mailbox, ask)
    }
    fn order(&self, mailbox: MailboxId, ask: &OrderAsk) -> Option<OrderPage> {
        self.lock().order(mailbox, ask)
    }
    fn keep_order(&self, mailbox: MailboxId, told: SortKeys) -> bool {
        self.lock().keep_order(mailbox, told)
    }
    fn octets(&self, range: BlobRange) -> Result<Vec<u8>, Reason> {
        self.lock().octets(range)
    }
    fn staged(&self, upload: UploadId, offset: u64, length: u64) -> Result<Vec<u8>, Reason> {
        self.lock().staged(upload, offset, length)
    }
    fn maildrop(&self, mailbox: MailboxId) -> Result<Vec<MaildropEntry>, Reason> {
        self.lock().maildrop(mailbox)
    }
    fn quota(&self, account: AccountId) -> Result<Quota, Reason> {
        self.lock().quota(account)
    }
    fn is_full(&self, name: &[u8]) -> Result<bool, Reason> {
        self.lock().is_full(name)
    }
    fn metadata(
        &self,
        account: AccountId,
        mailbox: Option<MailboxId>,
    ) -> Result<Annotations, Reason> {
        self.lock().metadata(account, mailbox)
    }
    fn collected(
        &self,
        account: AccountId,
        source: &[u8],
        keys: &[Vec<u8>],
    ) -> Result<Vec<bool>, Reason> {
        self.lock().collected(account, source, keys)
    }
    fn account_name(&self, account: AccountId) -> Result<Vec<u8>, Reason> {
        self.lock().account_name(account)
    }
    fn acl(&self, mailbox: MailboxId) -> Result<Vec<(Vec<u8>, Rights)>, Reason> {
        self.lock().acl(mailbox)
    }
    fn access_key(
        &self,
        account: AccountId,
        mailbox: MailboxId,
    ) -> Result<Option<AccessKey>, Reason> {
        self.lock().access_key(account, mailbox)
    }
    fn shared(&self, ask: &SharedAsk) -> Result<Vec<crate::store::Shared>, Reason> {
        self.lock().shared(ask)
    }
    fn sharers(&self, who: &[u8], except: AccountId) -> Result<Vec<AccountId>, Reason> {
        self.lock().sharers(who, except)
    }
    fn upload(&self) -> UploadId {
        self.lock().upload()
    }
}

impl Queue for SharedStore {
    fn due_destinations(&self, now_ms: u64, max: u32) -> Result<Vec<Destination>, Reason> {
        self.lock().due_destinations(now_ms, max)
    }
    fn next_wake_ms(&self, after_ms: u64) -> Result<Option<u64>, Reason> {
        self.lock().next_wake_ms(after_ms)
    }
    fn due_tasks(&self, destination: &[u8], now_ms: u64, max: u32) -> Result<Vec<TaskId>, Reason> {
        self.lock().due_tasks(destination, now_ms, max)
    }
    fn notice_tasks(
        &self,
        destination: &[u8],
        now_ms: u64,
        max: u32,
    ) -> Result<Vec<TaskId>, Reason> {
        self.lock().notice_tasks(destination, now_ms, max)
    }
    fn next_notice_ms(&self, destination: &[u8], after_ms: u64) -> Result<Option<u64>, Reason> {
        self.lock().next_notice_ms(destination, after_ms)
    }
    fn destination(&self, name: &[u8]) -> Result<Destination, Reason> {
        self.lock().destination(name)
    }
    fn destinations(&self, after: &[u8], max: u32) -> Result<Vec<Destination>, Reason> {
        self.lock().destinations(after, max)
    }
    fn messages(&self, after: BlobId, max: u32) -> Result<Vec<QueuedMessage>, Reason> {
        self.lock().messages(after, max)
    }
    fn tasks(&self, message: BlobId, after: TaskId, max: u32) -> Result<Vec<Task>, Reason> {
        self.lock().tasks(message, after, max)
    }
    fn task(&self, task: TaskId) -> Result<Task, Reason> {
        self.lock().task(task)
    }
    fn queue_stats(&self) -> Result<QueueStats, Reason> {
        self.lock().queue_stats()
    }
}

/// A backend in memory that lets everyone in.
pub struct LocalBackend {
    store: SharedStore,
    hub: Hub,
    directory: OpenDirectory,
    keys: AtomicU64,
}

impl LocalBackend {
    /// An empty one; names without a domain are of `domain`.
    #[must_use]
    pub fn new(domain: &[u8]) -> Self {
        let directory = OpenDirectory { domain: domain.to_vec() };
        Self {
            store: SharedStore::default(),
            hub: Hub::default(),
            directory,
            keys: AtomicU64::new(0),
        }
    }
}

impl Backend for LocalBackend {
    type Store = SharedStore;
    type Directory = OpenDirectory;

    fn store(&self) -> &SharedStore {
        &self.store
    }
    fn directory(&self) -> &OpenDirectory {
        &self.directory
    }
    fn hub(&self) -> &Hub {
        &self.hub
    }
    async fn write(&self, origin: SessionKey, write: Write) -> Result<Outcome, Reason> {
        self.store.write(&self.hub, origin, write)
    }
    fn write_later(&self, write: Write) {
        // Only a refusal is lost, and nobody waits for one: what is written later is a hint or a clean-up.
        drop(self.store.write(&self.hub, 0, write));
    }
    async fn index(&self, octets: Vec<u8>, size: u64) -> Result<Indexed, Reason> {
        let index = pillarbox_mime::index(&octets, size);
        Ok(Indexed { octets, plain: index.plain, index: index.encode() })
    }
    fn wake(&self, _key: SessionKey) -> Wake {
        // Whoever steps the sessions asks each for its changes after every step.
        Box::new(|| ())
    }
    fn host_name(&self) -> &[u8] {
        &self.directory.domain
    }
    fn sets_quotas(&self, _account: &[u8]) -> bool {
        // Everybody is let in as everybody.
        true
    }
    fn submits(&self, account: &[u8]) -> bool {
        account.starts_with(b"submit@")
    }
    fn chance(&self) -> Result<[u8; 32], Reason> {
        // There is nothing to keep from anybody, and the same tests give the same octets.
        let number = self.keys.fetch_add(1, Ordering::Relaxed) + 1;
        let mut octets = [0; 32];
        octets[..8].copy_from_slice(&number.to_be_bytes());
        Ok(octets)
    }
}
