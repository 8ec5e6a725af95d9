//! What the services need of this program: a store, a directory of accounts, the indexer, and wakes for connections.
//! One value, shared by every connection.

mod directory;
mod rates;
mod room;
mod wakes;

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use pillarbox_engine::message::Index;
use pillarbox_engine::relay::{Attempted, Notice, Report, ReportKind, Schedule, Settled, Times};
use pillarbox_engine::smtp::{Flush, MailFrom};
use pillarbox_engine::types::{Now, Reason, Refusal};
use pillarbox_world::hub::{Hub, SessionKey, Wake};
use pillarbox_world::queue::bare_destination;
use pillarbox_world::service::trust::{Edit, Judged, Letter, Signed};
use pillarbox_world::service::{Backend, Indexed};
use pillarbox_world::store::{Deliver, Outcome, Store, Write};
use tokio::sync::{Notify, Semaphore};

use crate::auth::entropy;
use crate::config::{Profile, Settings};
use crate::engine::Engine;
use crate::relay::{QueueClock, Resting, broke};
use crate::store::MailStore;
use crate::trust::Trust;

pub use directory::{AccountDirectory, HostDirectory};
pub(crate) use rates::Rates;
pub(crate) use room::Room;
pub use wakes::Wakes;

/// Messages above this are indexed on a thread for long work, and only a few at once.
const INDEX_INLINE_MAX: usize = 512 * 1024;
/// Large messages that are indexed at once: each takes several times its size in memory.
const INDEX_LARGE_MAX: usize = 2;
/// Wishes to be tried now that wait; who asks for more asks too often.
const FLUSHES_MAX: usize = 64;

/// What every connection shares.
pub struct HostBackend {
    store: MailStore,
    directory: HostDirectory,
    engine: Arc<Engine>,
    wakes: Wakes,
    large: Semaphore,
    relaying: Relaying,
    /// None where nobody is judged and nothing signed.
    trust: Option<Trust>,
    /// None where everybody may.
    quota_admins: Option<Vec<Vec<u8>>>,
    /// None where nobody is a stranger.
    rates: Option<Rates>,
    /// Servers that take mail for others.
    submission_entities: Vec<Vec<u8>>,
    /// None where there is no disk.
    room: Option<Room>,
    annotations: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What the backend knows of relaying.
#[derive(Clone, Debug)]
pub struct Relaying {
    /// This host's name, for reports.
    pub host_name: Vec<u8>,
    /// When mail is tried again.
    pub schedule: Schedule,
    /// The queue's clock.
    pub clock: QueueClock,
    /// Told that something is new in the queue.
    pub news: Arc<Notify>,
    /// Spreads attempts, so that a queue does not come back all at once.
    pub seed: u64,
    /// Hosts that are left alone.
    pub(crate) resting: Resting,
    flushes: Arc<Mutex<BTreeSet<Flush>>>,
}

impl Relaying {
    /// Of a host with this name.
    #[must_use]
    pub fn new(host_name: &str, schedule: Schedule, clock: QueueClock) -> Self {
        let host_name = host_name.as_bytes().to_vec();
        // Of every process another.
        let seed = RandomState::new().hash_one(std::process::id());
        let (news, flushes, resting) = (Arc::default(), Arc::default(), Resting::default());
        Self { host_name, schedule, clock, news, seed, resting, flushes }
    }

    /// By these settings.
    #[must_use]
    pub fn of(settings: &Settings, clock: QueueClock) -> Self {
        let schedule = match &settings.profile {
            Profile::Dev => Schedule::default(),
            Profile::Server(profile) => profile.relay.schedule,
        };
        Self::new(&settings.host_name, schedule, clock)
    }

    /// What is to be tried now; each is told once.
    #[must_use]
    pub(crate) fn take_flushes(&self) -> BTreeSet<Flush> {
        std::mem::take(&mut self.flushes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl HostBackend {
    /// Joins the parts.
    #[must_use]
    pub fn new(
        store: MailStore,
        directory: HostDirectory,
        engine: Arc<Engine>,
        relaying: Relaying,
    ) -> Self {
        let large = Semaphore::new(INDEX_LARGE_MAX);
        let (wakes, trust) = (Wakes::default(), None);
        store.tell_queue_news(Arc::clone(&relaying.news));
        let quota_admins = Some(Vec::new());
        let submission_entities = Vec::new();
        Self {
            store,
            directory,
            engine,
            wakes,
            large,
            relaying,
            trust,
            quota_admins,
            rates: None,
            submission_entities,
            room: None,
            annotations: Vec::new(),
        }
    }

    /// The same with annotations that everybody may read (RFC 5464 §6.2).
    #[must_use]
    pub fn with_annotations(mut self, annotations: Vec<(Vec<u8>, Vec<u8>)>) -> Self {
        self.annotations = annotations;
        self
    }

    /// The same with accounts of servers that take mail for others (RFC 4467 §2.3).
    #[must_use]
    pub fn with_submission_entities(mut self, accounts: Vec<Vec<u8>>) -> Self {
        self.submission_entities = accounts;
        self
    }

    /// The same with accounts that may set quotas; without such a list everybody may.
    #[must_use]
    pub fn with_quota_admins(mut self, quota_admins: Option<Vec<Vec<u8>>>) -> Self {
        self.quota_admins = quota_admins;
        self
    }

    /// The same with senders judged and mail signed.
    #[must_use]
    pub fn with_trust(mut self, trust: Option<Trust>) -> Self {
        self.trust = trust;
        self
    }

    /// The same with bounds on how much may come at a time.
    #[must_use]
    pub(crate) fn with_rates(self, rates: Option<Rates>) -> Self {
        Self { rates, ..self }
    }

    /// The same with a disk that is to keep some room.
    #[must_use]
    pub(crate) fn with_room(self, room: Option<Room>) -> Self {
        Self { room, ..self }
    }

    /// Whether mail for this domain has its mailboxes here.
    #[must_use]
    pub fn hosts(&self, domain: &[u8]) -> bool {
        self.directory.hosts(domain)
    }

    /// Whether anything waits at a destination, by its whole key or without what that says of TLS.
    ///
    /// # Errors
    /// What the store says.
    pub fn has_destination(&self, name: &[u8]) -> Result<bool, Reason> {
        match self.store().destination(name) {
            Ok(_) => return Ok(true),
            Err(Reason::NotFound) => {}
            Err(reason) => return Err(reason),
        }
        // In the order of names, keys that say more of this one come first behind it and a space.
        let next = self.store().destinations(&[name, b" "].concat(), 1)?;
        Ok(next.first().is_some_and(|next| bare_destination(&next.name) == name))
    }

    /// What is known of relaying.
    #[must_use]
    pub fn relaying(&self) -> &Relaying {
        &self.relaying
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The store, for what is no mail: metrics, closing.
    #[must_use]
    pub fn mail_store(&self) -> &MailStore {
        &self.store
    }

    /// Connections that can be woken.
    #[must_use]
    pub fn wakes(&self) -> &Wakes {
        &self.wakes
    }
}

impl Backend for HostBackend {
    type Store = dyn Store + Send + Sync;
    type Directory = HostDirectory;

    fn store(&self) -> &Self::Store {
        self.store.reads()
    }

    fn directory(&self) -> &HostDirectory {
        &self.directory
    }

    fn hub(&self) -> &Hub {
        self.store.hub()
    }

    async fn write(&self, origin: SessionKey, write: Write) -> Result<Outcome, Reason> {
        let is_news = match &write {
            Write::Deliver(deliver) => has_tasks(deliver),
            Write::Settle(settle) => settle.reports.iter().any(has_tasks),
            Write::Steer(_) => true,
            _ => false,
        };
        let outcome = self.store.write(origin, write).await?;
        if is_news {
            self.relaying.news.notify_one();
        }
        Ok(outcome)
    }

    fn write_later(&self, write: Write) {
        self.store.write_later(write);
    }

    async fn index(&self, octets: Vec<u8>, size: u64) -> Result<Indexed, Reason> {
        if octets.len() <= INDEX_INLINE_MAX {
            return index(&self.engine, octets, size);
        }
        let _permit = self.large.acquire().await.map_err(|_| Reason::Overloaded)?;
        let engine = Arc::clone(&self.engine);
        let task = tokio::task::spawn_blocking(move || index(&engine, octets, size));
        task.await.unwrap_or(Err(Reason::StorageFailed))
    }

    fn wake(&self, key: SessionKey) -> Wake {
        self.wakes.wake(key)
    }

    fn annotations(&self) -> &[(Vec<u8>, Vec<u8>)] {
        &self.annotations
    }

    fn sets_quotas(&self, account: &[u8]) -> bool {
        let is_account = |admin: &Vec<u8>| admin == account;
        self.quota_admins.as_ref().is_none_or(|admins| admins.iter().any(is_account))
    }

    fn has_room(&self, size: u64) -> Result<(), Reason> {
        self.room.as_ref().map_or(Ok(()), |room| room.check(size))
    }

    fn admits_message(&self, peer: &[u8]) -> Result<(), Refusal> {
        self.rates.as_ref().map_or(Ok(()), |rates| rates.message(peer))
    }

    fn admits_recipient(&self, account: &[u8]) -> Result<(), Refusal> {
        self.rates.as_ref().map_or(Ok(()), |rates| rates.recipient(account))
    }

    fn submits(&self, account: &[u8]) -> bool {
        self.submission_entities.iter().any(|entity| entity == account)
    }

    fn chance(&self) -> Result<[u8; 32], Reason> {
        entropy().map_err(|error| {
            tracing::error!(%error, "no key can be made");
            Reason::StorageFailed
        })
    }

    fn host_name(&self) -> &[u8] {
        &self.relaying.host_name
    }

    fn queue_ms(&self, _now: Now) -> u64 {
        self.relaying.clock.now_ms()
    }

    fn schedule(&self) -> Schedule {
        self.relaying.schedule
    }

    fn times_of(&self, mail: &MailFrom, came_unix_ms: u64) -> Result<Times, Reason> {
        self.engine.relay().times_of(mail, came_unix_ms).map_err(broke)
    }

    fn first_attempt(&self, times: &Times, now_unix_ms: u64) -> Result<u64, Reason> {
        self.engine.relay().first_attempt(times, now_unix_ms).map_err(broke)
    }

    fn notice_unix_ms(&self, times: &Times, now_unix_ms: u64) -> Result<u64, Reason> {
        let relay = self.engine.relay();
        relay.notice_unix_ms(&self.relaying.schedule, times, now_unix_ms).map_err(broke)
    }

    fn settle(&self, attempted: Attempted) -> Result<Settled, Reason> {
        self.engine.relay().settle(attempted).map_err(broke)
    }

    fn octets_wanted(&self, kind: ReportKind, mail: &MailFrom, size: u64) -> Result<u64, Reason> {
        self.engine.relay().octets_wanted(kind, mail, size).map_err(broke)
    }

    fn make_report(&self, report: &Report) -> Option<Notice> {
        // It holds words of strangers, so it is made where they can break nothing.
        let made = self.engine.relay().make_report(report.clone()).or_else(|trap| {
            tracing::error!(%trap, "a report broke its sandbox; it is made without the message");
            self.engine.relay().make_report(Report { message: Vec::new(), ..report.clone() })
        });
        made.unwrap_or_else(|trap| {
            tracing::error!(%trap, "no report can be made");
            None
        })
    }

    async fn judge(&self, letter: Letter<'_>) -> Result<Judged, Refusal> {
        match &self.trust {
            Some(trust) => trust.judge(letter).await,
            None => Ok(Judged::default()),
        }
    }

    async fn sign(&self, letter: Letter<'_>) -> Result<Signed, Reason> {
        match &self.trust {
            Some(trust) => trust.sign(letter).await,
            None => Ok(Signed::With(Edit::default())),
        }
    }

    fn flush(&self, flush: &Flush) -> Result<Option<u32>, Reason> {
        if let Flush::Queue(name) = flush
            && !self.has_destination(name)?
        {
            return Ok(Some(0));
        }
        let mut flushes = self.relaying.flushes.lock().unwrap_or_else(PoisonError::into_inner);
        if flushes.len() >= FLUSHES_MAX {
            return Err(Reason::Overloaded);
        }
        flushes.insert(flush.clone());
        drop(flushes);
        self.relaying.news.notify_one();
        Ok(None)
    }
}

fn has_tasks(deliver: &Deliver) -> bool {
    deliver.relay.is_some() || deliver.reports.iter().any(|report| report.relay.is_some())
}

/// Indexes a message in a sandbox of its own; one that breaks the sandbox is stored with an index of nothing.
fn index(engine: &Engine, octets: Vec<u8>, size: u64) -> Result<Indexed, Reason> {
    let index = match engine.index(&octets, size) {
        Ok(index) => index,
        Err(trap) => {
            // A limit is never a loss: the message is kept and can be fetched whole.
            tracing::warn!(size, %trap, "the indexer broke on a message; it is stored without structure");
            Index::opaque(&octets, size).encode()
        }
    };
    Indexed::new(octets, index)
}
