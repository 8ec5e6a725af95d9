//! Moving the write-ahead log into the main file while the writer goes on: most pages are copied and synced by a thread
//! of its own, so that nobody's mail waits for them; the writer does the rest between two groups, and starts the log
//! from its beginning again.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::{Known, open};
use crate::error::Error;

/// Octets written after which the log is moved.
pub(super) const CHECKPOINT_AT: u64 = 32 << 20;
/// Pages that the writer moves without anybody noticing.
const REST_PAGES: u64 = 64;
/// While pages are copied more are written, so that a busy store is never quite moved; but less is left each time.
const PASSES_MAX: usize = 4;

/// The thread, and what is told to it.
pub(super) struct Checkpoint {
    begin: Option<SyncSender<()>>,
    state: State,
    moved: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The log is short.
    Resting,
    /// The thread copies.
    Moving,
}

impl Checkpoint {
    /// Starts the thread for the store in a directory, which syncs its main file by `main`.
    ///
    /// That stays open as long as any connection of ours: POSIX takes all of a process's locks on a file away when the
    /// process closes one of its handles, and SQLite's are such locks.
    pub(super) fn start(
        directory: &Path,
        main: Arc<File>,
        known: Arc<Known>,
    ) -> Result<Self, Error> {
        let failed = |error: &dyn std::fmt::Display| {
            open::data_error(directory, &format!("cannot start moving its log: {error}"))
        };
        let connection = open::connect(directory).map_err(|error| failed(&error))?;
        let (begin, begun) = sync_channel(1);
        let moved = Arc::new(AtomicBool::new(false));
        let mover = Mover { connection, main, moved: Arc::clone(&moved), known };
        let thread = std::thread::Builder::new()
            .name("store-checkpoint".to_owned())
            .spawn(move || mover.run(&begun))
            .map_err(|error| failed(&error))?;
        let begin = Some(begin);
        Ok(Self { begin, state: State::Resting, moved, thread: Some(thread) })
    }

    /// Begins to move the log, unless that is under way.
    pub(super) fn begin(&mut self) {
        if self.state == State::Resting
            && let Some(begin) = &self.begin
            && begin.try_send(()).is_ok()
        {
            self.state = State::Moving;
        }
    }

    /// Whether the writer is to move what is left: true once after each [`Self::begin`].
    pub(super) fn is_moved(&mut self) -> bool {
        let moved = self.state == State::Moving && self.moved.swap(false, Ordering::AcqRel);
        if moved {
            self.state = State::Resting;
        }
        moved
    }
}

impl Drop for Checkpoint {
    fn drop(&mut self) {
        drop(self.begin.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so already.
            drop(thread.join());
        }
    }
}

/// What the thread has.
struct Mover {
    connection: Connection,
    main: Arc<File>,
    moved: Arc<AtomicBool>,
    known: Arc<Known>,
}

impl Mover {
    fn run(&self, begun: &Receiver<()>) {
        while begun.recv().is_ok() {
            let mut left = u64::MAX;
            for _ in 0..PASSES_MAX {
                let Some(still) = self.pass() else { break };
                // Where a reader holds old pages nothing moves, and trying again moves nothing either.
                if still <= REST_PAGES || still >= left {
                    break;
                }
                left = still;
            }
            self.moved.store(true, Ordering::Release);
        }
    }

    /// Copies what the log has now and syncs it; gives how many pages came meanwhile, or none if it failed.
    fn pass(&self) -> Option<u64> {
        if self.known.failed.load(Ordering::Relaxed) {
            return None;
        }
        let pages = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
        let copied = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], pages);
        let (log, copied) = match copied {
            Ok(copied) => copied,
            Err(error) => {
                failed(&error, &self.known);
                return None;
            }
        };
        // SQLite syncs the file only in the pass that reaches the log's end; the writer's pass, then, has little to wait for.
        if let Err(error) = self.main.sync_data() {
            tracing::error!(%error, "the store failed: no mail is taken any more; restart once the disk is right");
            self.known.failed.store(true, Ordering::Relaxed);
            return None;
        }
        u64::try_from(log.saturating_sub(copied)).ok()
    }
}

/// A checkpoint failed. A full disk may be emptied, and a log that is not moved only grows; but after any other failure
/// a second sync may report success for octets that the kernel has already dropped, so nothing is written any more.
pub(super) fn failed(error: &rusqlite::Error, known: &Known) {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked, DiskFull};
    match error.sqlite_error_code() {
        Some(DatabaseBusy | DatabaseLocked | DiskFull) => {
            tracing::warn!(%error, "the write-ahead log could not be folded into the store");
        }
        _ => {
            tracing::error!(%error, "the store failed: no mail is taken any more; restart once the disk is right");
            known.failed.store(true, Ordering::Relaxed);
        }
    }
}
