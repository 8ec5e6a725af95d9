//! A store in a database that speaks SQL: one thread that writes, readers on the callers' threads. What is read and
//! written, and in which words, is here for all of them; opening one, and what is its alone, in `sqlite` and `postgres`.
//!
//! A write is answered after the commit that made it durable; many writes share one commit.

pub(super) mod blobs;
pub(super) mod connection;
pub(super) mod group;
mod messages;
mod names;
mod property;
pub(super) mod queue;
pub(super) mod reads;
mod rows;
mod sharing;
pub(super) mod value;
pub(super) mod writer;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use pillarbox_engine::types::Reason;
use pillarbox_world::hub::{Hub, SessionKey};
use pillarbox_world::orders::Orders;
use pillarbox_world::store::{MailboxId, Outcome, Write};
use tokio::sync::{mpsc, oneshot};

pub(super) use self::blobs::CHUNKS_PER_BLOB;
use super::postgres::Shared;
use super::sqlite::fulltext::{self, FullText};
use super::sqlite::open;
use crate::config::Database;
use crate::engine::TextReader;
use crate::error::Error;
use connection::Connection;

/// Writes that may wait; beyond it writers wait to be let in.
const QUEUE_MAX: usize = 1024;
/// Memory of what messages are sorted by, half of it for one order: some 1,000,000 messages by their subjects.
const ORDERS_OCTETS_MAX: usize = 128 * 1024 * 1024;
/// Reading connections kept open; more are opened and closed as needed.
const READERS_KEPT: usize = 16;

/// An open store.
pub struct SqlStore {
    home: Home,
    readers: Mutex<Vec<Connection>>,
    jobs: mpsc::Sender<Job>,
    known: Arc<Known>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
    /// Once somebody keeps it.
    full_text: OnceLock<FullText>,
    orders: Mutex<Orders>,
}

/// Where a store is.
enum Home {
    /// In a file of this directory, with the lock on it.
    Sqlite(PathBuf, #[allow(dead_code, reason = "it is a lock as long as it is open")] File),
    /// In a database that other nodes have too.
    Postgres(Arc<Shared>),
}

/// What the writer and all who ask the store know without reading it.
#[derive(Default)]
struct Known {
    /// A commit failed, after which nothing is written any more.
    failed: AtomicBool,
    /// The number of the next message that is stored.
    next_blob: AtomicU64,
    /// Some account had a bound on what it may hold. Where none ever had, no recipient is looked up for that.
    limited: AtomicBool,
}

/// What the writer thread gets.
enum Job {
    Write(SessionKey, Box<Write>, Option<oneshot::Sender<Result<Outcome, Reason>>>),
    Close,
}

impl SqlStore {
    /// Opens or makes the store in a directory; its hub is told of the changes of a commit, in order, before its writers
    /// are answered.
    ///
    /// # Errors
    /// [`crate::error::Kind::Data`], naming the path and what to do.
    pub(crate) fn open(directory: &Path, hub: Hub) -> Result<Self, Error> {
        let opened = open::open(directory)?;
        let known = Arc::new(Known { next_blob: opened.next_blob.into(), ..Known::default() });
        let connection = Connection::Sqlite(opened.connection);
        let writer = writer::Writer::new(connection, hub, Arc::clone(&known), None)
            .map_err(|error| open::data_error(directory, &error.to_string()))?;
        Self::start(Home::Sqlite(directory.to_owned(), opened.lock), writer, known)
    }

    /// Joins the nodes that share a database.
    ///
    /// # Errors
    /// [`crate::error::Kind::Data`], saying what is wrong with the database and what to do.
    pub(crate) fn join(database: &Database, hub: Hub) -> Result<Self, Error> {
        let shared = Shared::join(database, hub.clone())?;
        let failed = |error: connection::Error| database.error(&error.to_string());
        let connection = shared.connect().map_err(failed)?;
        let known = Arc::new(Known::default());
        let writer =
            writer::Writer::new(connection, hub, Arc::clone(&known), Some(Arc::clone(&shared)))
                .map_err(failed)?;
        Self::start(Home::Postgres(shared), writer, known)
    }

    fn start(home: Home, writer: writer::Writer, known: Arc<Known>) -> Result<Self, Error> {
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let unstarted = |error| Error::failed(format!("cannot start the store's thread: {error}"));
        let waiting = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(unstarted)?;
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run(queue, &waiting))
            .map_err(unstarted)?;
        Ok(Self {
            home,
            readers: Mutex::default(),
            jobs,
            known,
            thread: Mutex::new(Some(thread)),
            full_text: OnceLock::new(),
            orders: Mutex::new(Orders::new(ORDERS_OCTETS_MAX)),
        })
    }

    /// The directory with the mail, or of a node with what is its own.
    #[must_use]
    pub fn directory(&self) -> &Path {
        match &self.home {
            Home::Sqlite(directory, _) => directory,
            Home::Postgres(shared) => shared.directory(),
        }
    }

    /// Where the mail is, for people.
    pub(super) fn place(&self) -> String {
        match &self.home {
            Home::Sqlite(directory, _) => format!("in {}", directory.display()),
            Home::Postgres(shared) => shared.place(),
        }
    }

    /// The nodes that share it, if any do.
    pub(crate) fn shared(&self) -> Option<&Arc<Shared>> {
        match &self.home {
            Home::Sqlite(..) => None,
            Home::Postgres(shared) => Some(shared),
        }
    }

    /// Keeps a full-text index of at most so many octets from now on; with 0 there is none.
    ///
    /// # Errors
    /// No thread can be started.
    pub(crate) fn index_texts(&self, reader: TextReader, octets_max: u64) -> Result<(), Error> {
        // Where nodes share a store, searches read: an index beside one node would not hear of the others' writes.
        let Home::Sqlite(directory, _) = &self.home else { return Ok(()) };
        if octets_max == 0 {
            fulltext::remove(directory);
            return Ok(());
        }
        let kept = FullText::start(directory, reader, octets_max);
        let unstarted = |e| Error::failed(format!("cannot start the full-text index: {e}"));
        drop(self.full_text.set(kept.map_err(unstarted)?));
        Ok(())
    }

    /// Up to which UID the full-text index has the messages of a mailbox.
    #[must_use]
    pub fn indexed_up_to(&self, mailbox: MailboxId) -> Option<u32> {
        self.full_text.get()?.up_to(mailbox)
    }

    /// Whether nothing is written: a commit failed, for ever; or a shared database is not reached, for now.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        let is_alone = self.shared().is_some_and(|shared| !shared.lives());
        is_alone || self.known.failed.load(Ordering::Relaxed)
    }

    /// One transaction, answered when it is durable.
    ///
    /// # Errors
    /// What the write names, [`Reason::StorageFull`], [`Reason::StorageFailed`].
    pub async fn write(&self, origin: SessionKey, write: Write) -> Result<Outcome, Reason> {
        let (answer, answered) = oneshot::channel();
        let job = Job::Write(origin, Box::new(write), Some(answer));
        self.jobs.send(job).await.map_err(|_| Reason::StorageFailed)?;
        answered.await.unwrap_or(Err(Reason::StorageFailed))
    }

    /// A write that nobody waits for; dropped if the queue is full, since it is a hint or a clean-up.
    pub fn write_later(&self, write: Write) {
        drop(self.jobs.try_send(Job::Write(0, Box::new(write), None)));
    }

    /// Lets the writes that wait end, and ends the writer.
    pub async fn close(&self) {
        if let Some(full_text) = self.full_text.get() {
            full_text.stop();
        }
        drop(self.jobs.send(Job::Close).await);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            drop(tokio::task::spawn_blocking(move || thread.join()).await);
        }
        if let Home::Postgres(shared) = &self.home {
            let shared = Arc::clone(shared);
            drop(tokio::task::spawn_blocking(move || shared.leave()).await);
        }
    }

    /// Reads with a connection of its own, so that readers never wait for each other.
    fn read<T>(&self, read: impl Fn(&Connection) -> connection::Result<T>) -> Result<T, Reason> {
        let failed = |error: connection::Error| match error {
            connection::Error::NoRows => Reason::NotFound,
            error => {
                tracing::error!(%error, "the store could not be read");
                Reason::StorageFailed
            }
        };
        let mut connection = self.reader().map_err(failed)?;
        let mut value = read(&connection);
        while value.is_err() && connection.is_closed() {
            // What was kept may have been cut since; the last one tried is new.
            let kept = self.readers.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
            connection = self.reader().map_err(failed)?;
            value = read(&connection);
            if kept {
                break;
            }
        }
        let is_usable = match (&connection, &value) {
            (Connection::Sqlite(_), _) => true,
            // A transaction that failed is still open.
            (Connection::Postgres(_), value) => {
                matches!(value, Ok(_) | Err(connection::Error::NoRows))
            }
        };
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < READERS_KEPT && is_usable {
            readers.push(connection);
        }
        drop(readers);
        value.map_err(failed)
    }

    fn reader(&self) -> connection::Result<Connection> {
        loop {
            let kept = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
            match (kept, &self.home) {
                (Some(Connection::Postgres(session)), _) if session.is_closed() => {}
                (Some(connection), _) => return Ok(connection),
                (None, Home::Sqlite(directory, _)) => {
                    return Ok(Connection::Sqlite(open::reader(directory)?));
                }
                (None, Home::Postgres(shared)) => return shared.connect(),
            }
        }
    }
}

impl Drop for SqlStore {
    fn drop(&mut self) {
        drop(self.jobs.try_send(Job::Close));
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A writer that panicked has said so already.
            drop(thread.join());
        }
        if let Home::Postgres(shared) = &self.home {
            shared.leave();
        }
    }
}
