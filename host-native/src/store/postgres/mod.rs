//! The store that several nodes share: a PostgreSQL database. Each node has a number there as long as it says every other
//! second that it lives; what it holds for all (a maildrop, the queue) is its only so long, and after that it can neither
//! write nor believe to hold anything until it has a new number. What is read and written is in `sql`.

mod connect;
mod news;
mod node;
mod schema;
pub(super) mod session;
mod turn;

use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use pillarbox_world::hub::Hub;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

use super::sql::connection::{Connection, Error, Result};
use super::sqlite::open;
use crate::config::Database;
use crate::error;
use node::Life;

/// Whether a database is reached and would keep what it commits.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check(database: &Database) -> std::result::Result<(), error::Error> {
    let unstarted = |e| error::Error::failed(format!("cannot start a thread: {e}"));
    let runtime = Octets::start().map_err(unstarted)?;
    let connected = connect::connect(runtime.handle(), database, 0, None);
    connected.map(|_| ()).map_err(|error| database.error(&error.to_string()))
}

/// What all of a node that touch the database share.
pub(crate) struct Shared {
    database: Database,
    hub: Hub,
    /// Moves the octets of all connections; gone once the node left.
    runtime: Mutex<Option<Octets>>,
    /// This node's number.
    node: AtomicI64,
    life: Mutex<Life>,
    /// The last change that the hub was told of.
    told: Mutex<u64>,
    /// For single statements of those who hold something.
    door: Mutex<Option<Connection>>,
    /// Wakes who works at the queue.
    queue_news: OnceLock<Arc<Notify>>,
    holds_queue: AtomicBool,
    wake: Mutex<Option<UnboundedSender<()>>>,
    leaving: AtomicBool,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Holds the lock on the node's directory.
    _lock: File,
}

impl Shared {
    /// Joins: the schema is made if this is the first node.
    ///
    /// # Errors
    /// The directory is another's, the database is not reached, or its commits could be lost.
    pub(super) fn join(
        database: &Database,
        hub: Hub,
    ) -> std::result::Result<Arc<Self>, error::Error> {
        let failed = |error: Error| database.error(&error.to_string());
        let unstarted = |e| error::Error::failed(format!("cannot start the store's threads: {e}"));
        let lock = open::node_directory(database.directory())?;
        let runtime = Octets::start().map_err(unstarted)?;
        let first = connect::connect(runtime.handle(), database, 0, None).map_err(failed)?;
        connect::prepare(&first).map_err(failed)?;
        let [.., checksums] = connect::settings(&first).map_err(failed)?;
        if checksums != "on" {
            tracing::warn!(
                "data_checksums are off in the database: what its disk changes by itself is seen \
                 only in messages, which have checksums of their own; `pg_checksums --enable` adds them"
            );
        }
        let shared = Arc::new(Self {
            database: database.clone(),
            hub,
            runtime: Mutex::new(Some(runtime)),
            node: AtomicI64::new(0),
            life: Mutex::new(Life::new(Instant::now())),
            told: Mutex::new(0),
            door: Mutex::new(Some(Connection::Postgres(first))),
            queue_news: OnceLock::new(),
            holds_queue: AtomicBool::new(false),
            wake: Mutex::default(),
            leaving: AtomicBool::new(false),
            threads: Mutex::default(),
            _lock: lock,
        });
        shared.enter().map_err(failed)?;
        shared.hub.reach(Arc::new(node::Doors(Arc::downgrade(&shared))));
        let threads = node::start(&shared).map_err(unstarted)?;
        *lock_of(&shared.threads) = threads;
        Ok(shared)
    }

    /// A connection.
    pub(super) fn connect(&self) -> Result<Connection> {
        self.connect_for(None)
    }

    fn connect_for(&self, news: Option<UnboundedSender<()>>) -> Result<Connection> {
        let handle = lock_of(&self.runtime).as_ref().map(|runtime| runtime.handle().clone());
        let handle = handle.ok_or_else(|| Error::Unreached("the store is closed".to_owned()))?;
        connect::connect(&handle, &self.database, self.number(), news).map(Connection::Postgres)
    }

    /// The node's number now.
    fn number(&self) -> i64 {
        self.node.load(Ordering::Acquire)
    }

    /// Up to where the hub was told; nobody else tells it as long as this is held.
    pub(super) fn told(&self) -> MutexGuard<'_, u64> {
        lock_of(&self.told)
    }

    /// Where the node's own files are.
    pub(super) fn directory(&self) -> &Path {
        self.database.directory()
    }

    /// Where the mail is, for people.
    pub(super) fn place(&self) -> String {
        format!("in the database {}", self.database)
    }

    /// From now on is told when there is something new in the queue.
    pub(super) fn tell_queue_news(&self, news: Arc<Notify>) {
        drop(self.queue_news.set(news));
    }

    fn queue_changed(&self) {
        if let Some(news) = self.queue_news.get() {
            news.notify_one();
        }
    }

    /// Whether this node could say lately that it lives.
    pub(super) fn lives(&self) -> bool {
        lock_of(&self.life).lives()
    }

    /// Whether this node is the one that works at the queue.
    pub(super) fn works_at_queue(&self) -> bool {
        self.holds_queue.load(Ordering::Acquire) && self.lives()
    }

    /// Whether what an attempt came to may be written by this node; to be asked in the transaction that writes it.
    pub(super) fn may_settle(&self, c: &Connection) -> Result<bool> {
        let holder: Option<i64> = c
            .prepare_cached("SELECT node FROM lease WHERE name = 'queue'")?
            .query_row((), |row| row.get(0))?;
        Ok(holder.is_none_or(|holder| holder == self.number()))
    }

    /// Gives up everything that this node holds, and its connections.
    pub(super) fn leave(&self) {
        if self.leaving.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Some(wake) = lock_of(&self.wake).take() {
            // Nobody may be there to be woken any more.
            let _ = wake.send(());
        }
        for thread in std::mem::take(&mut *lock_of(&self.threads)) {
            thread.thread().unpark();
            drop(thread.join());
        }
        if let Err(error) = self.exit() {
            tracing::warn!(%error, "what this node held is free once its time is over");
        }
        *lock_of(&self.door) = None;
        *lock_of(&self.runtime) = None;
    }

    fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire)
    }
}

/// Moves octets, on a thread of its own. It may end on a thread of another runtime, which must not wait for it.
struct Octets(Option<Runtime>);

impl Octets {
    fn start() -> std::io::Result<Self> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).thread_name("store-octets").enable_all();
        builder.build().map(|runtime| Self(Some(runtime)))
    }

    fn handle(&self) -> &Handle {
        self.0.as_ref().expect("it is there until it is dropped").handle()
    }
}

impl Drop for Octets {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

fn lock_of<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each value behind these is right at every moment.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
