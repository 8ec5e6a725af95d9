//! The embedded store: one SQLite file in WAL mode, one thread that writes and syncs, readers on the callers' threads.
//!
//! The directory holds `mail.db` (with its `-wal` and `-shm`), `search.db` once texts were searched, `lock` with the process that has it open, and `accounts`
//! of a server profile. A write is answered after the commit that made it durable; many writes share one commit.

mod blobs;
mod fulltext;
mod group;
mod messages;
mod names;
mod open;
mod property;
mod queue;
mod reads;
mod rows;
mod schema;
mod sharing;
mod writer;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use pillarbox_engine::types::Reason;
use pillarbox_world::hub::{Hub, SessionKey};
use pillarbox_world::orders::Orders;
use pillarbox_world::store::{MailboxId, Outcome, Write};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::engine::TextReader;
use crate::error::Error;
use fulltext::FullText;

/// Writes that may wait; beyond it writers wait to be let in.
const QUEUE_MAX: usize = 1024;
/// Memory of what messages are sorted by, half of it for one order: some 1,000,000 messages by their subjects.
const ORDERS_OCTETS_MAX: usize = 128 * 1024 * 1024;
/// Reading connections kept open; more are opened and closed as needed.
const READERS_KEPT: usize = 16;

/// An open SQLite store.
pub struct Sqlite {
    directory: PathBuf,
    readers: Mutex<Vec<Connection>>,
    jobs: mpsc::Sender<Job>,
    known: Arc<Known>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
    /// Once somebody keeps it.
    full_text: OnceLock<FullText>,
    orders: Mutex<Orders>,
    /// Holds the lock on the directory as long as it is open.
    _lock: File,
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

impl Sqlite {
    /// Opens or makes the store in a directory; its hub is told of the changes of a commit, in order, before its writers
    /// are answered.
    ///
    /// # Errors
    /// [`crate::error::Kind::Data`], naming the path and what to do.
    pub(crate) fn open(directory: &Path, hub: Hub) -> Result<Self, Error> {
        let opened = open::open(directory)?;
        let known = Arc::new(Known { next_blob: opened.next_blob.into(), ..Known::default() });
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let writer = writer::Writer::new(opened.connection, hub, Arc::clone(&known))
            .map_err(|error| open::data_error(directory, &error.to_string()))?;
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
            directory: directory.to_owned(),
            readers: Mutex::default(),
            jobs,
            known,
            thread: Mutex::new(Some(thread)),
            full_text: OnceLock::new(),
            orders: Mutex::new(Orders::new(ORDERS_OCTETS_MAX)),
            _lock: opened.lock,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Keeps a full-text index of at most so many octets from now on; with 0 there is none.
    ///
    /// # Errors
    /// No thread can be started.
    pub(crate) fn index_texts(&self, reader: TextReader, octets_max: u64) -> Result<(), Error> {
        if octets_max == 0 {
            fulltext::remove(&self.directory);
            return Ok(());
        }
        let kept = FullText::start(&self.directory, reader, octets_max);
        let unstarted = |e| Error::failed(format!("cannot start the full-text index: {e}"));
        drop(self.full_text.set(kept.map_err(unstarted)?));
        Ok(())
    }

    /// Up to which UID the full-text index has the messages of a mailbox.
    #[must_use]
    pub fn indexed_up_to(&self, mailbox: MailboxId) -> Option<u32> {
        self.full_text.get()?.up_to(mailbox)
    }

    /// Whether a commit failed, after which nothing is written any more.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        self.known.failed.load(Ordering::Relaxed)
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
    }

    /// Reads with a connection of its own, so that readers never wait for each other.
    fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, rusqlite::Error>,
    ) -> Result<T, Reason> {
        let kept = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match kept {
            Some(connection) => Ok(connection),
            None => open::reader(&self.directory),
        };
        let failed = |error: rusqlite::Error| match error {
            rusqlite::Error::QueryReturnedNoRows => Reason::NotFound,
            error => {
                tracing::error!(%error, "the store could not be read");
                Reason::StorageFailed
            }
        };
        let connection = connection.map_err(failed)?;
        let value = read(&connection).map_err(failed);
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < READERS_KEPT {
            readers.push(connection);
        }
        value
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        drop(self.jobs.try_send(Job::Close));
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A writer that panicked has said so already.
            drop(thread.join());
        }
    }
}
