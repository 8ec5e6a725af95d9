//! The one thread that writes: what it knows between transactions, which writes it takes together, and what it tidies
//! up. How a group of writes becomes one transaction is in `group`.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::connection::{self, Connection};
use pillarbox_engine::imap::types::Change;
use pillarbox_engine::types::Reason;
use pillarbox_world::hub::Hub;
use pillarbox_world::store::{AccountId, Happening, MailboxId, Outcome};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::super::postgres::Shared;
use super::blobs;
use super::queue::Counts;
use super::{Job, Known, property, reads};

/// Writes in one commit: enough that one sync serves every connection that waits.
const GROUP_MAX: usize = 256;
/// Blobs without use that are looked at after one commit, so that a large expunge holds nobody up.
const SWEEP_MAX: usize = 32;
/// What may be swept away goes with the next writes; if none come for so long, it goes alone.
const SWEEP_AFTER: Duration = Duration::from_millis(10);
/// Octets of the write-ahead log after which its pages are moved to the main file.
const CHECKPOINT_AT: u64 = 32 << 20;

/// Whether what kept the log from being folded can pass by itself.
fn is_passing(error: &connection::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked, DiskFull};
    let connection::Error::Sqlite(error) = error else { return true };
    matches!(error.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked | DiskFull))
}

/// Changes of one mailbox, for those that have it open.
pub(super) type Changes = Vec<(MailboxId, Change)>;

/// Why a write did not happen.
pub(super) enum Failure {
    /// The write cannot be made; nothing is wrong with the store.
    Refused(Reason),
    /// The store said no.
    Store(connection::Error),
}

impl From<connection::Error> for Failure {
    fn from(error: connection::Error) -> Self {
        Self::Store(error)
    }
}

impl From<Reason> for Failure {
    fn from(reason: Reason) -> Self {
        Self::Refused(reason)
    }
}

pub(super) type Done = Result<(Outcome, Changes), Failure>;

/// The writer's own state.
pub(in super::super) struct Writer {
    pub(in super::super) connection: Connection,
    pub(in super::super) hub: Hub,
    pub(super) known: Arc<Known>,
    pub(in super::super) modseq: u64,
    pub(in super::super) uid_validity: u32,
    /// The queue in numbers.
    pub(in super::super) queue: Counts,
    /// Tasks that left destinations of the queue in the writes that run, and are not counted out yet.
    pub(super) went: BTreeMap<u64, u64>,
    /// Accounts by name with their INBOX; forgotten at every change of a name.
    pub(in super::super) inboxes: HashMap<Vec<u8>, (AccountId, MailboxId)>,
    /// Octets of messages that are staged, by upload.
    staged: HashMap<u64, u64>,
    /// What was there before the writes of this group changed it.
    staged_before: Vec<(u64, Option<u64>)>,
    /// Blobs that lose their last use in this group.
    pub(in super::super) unused: Vec<u64>,
    /// Blobs without use that are to be removed once no session may send them, each with the moment at which it lost its
    /// last use. After a crash nobody may: all that have no use are found when the store is opened.
    kept: VecDeque<(u64, u64)>,
    /// Uploads that writes of this group took; they are forgotten once it is committed.
    pub(super) taken: Vec<u64>,
    /// Octets written since the last checkpoint, about.
    pub(super) written: u64,
    /// The nodes that share the database, if any do.
    pub(in super::super) shared: Option<Arc<Shared>>,
    /// The last change, of any node, that the hub was told of.
    pub(in super::super) told: u64,
    /// What the write that runs did to names and annotations.
    pub(super) happenings: Happenings,
}

/// What happened to accounts, for those that watch them.
pub(super) type Happenings = Vec<(AccountId, Happening)>;

impl Writer {
    pub(super) fn new(
        connection: Connection,
        hub: Hub,
        known: Arc<Known>,
        shared: Option<Arc<Shared>>,
    ) -> connection::Result<Self> {
        let counter = |name: &str| {
            connection
                .prepare_cached("SELECT value FROM counter WHERE name = ?1")?
                .query_row([name], |row| row.get(0))
        };
        let (modseq, uid_validity): (u64, u64) = (counter("modseq")?, counter("uid_validity")?);
        let queue = Counts {
            messages: counter("queue_messages")?,
            tasks: counter("queue_tasks")?,
            held: counter("queue_held")?,
            latest_ms: counter("queue_latest")?,
        };
        // Another node may limit somebody at any time.
        let limited = shared.is_some() || property::is_any_limited(&connection)?;
        known.limited.store(limited, Ordering::Relaxed);
        let went = hub.passed();
        let kept = match shared {
            // Nodes sweep by the clock of the database.
            Some(_) => VecDeque::new(),
            None => connection
                .prepare_cached("SELECT id FROM blob WHERE uses = 0")?
                .query_map((), |row| Ok((row.get(0)?, went)))?
                .collect::<connection::Result<_>>()?,
        };
        Ok(Self {
            connection,
            hub,
            known,
            modseq,
            uid_validity: u32::try_from(uid_validity).unwrap_or(u32::MAX),
            queue,
            went: BTreeMap::new(),
            inboxes: HashMap::new(),
            staged: HashMap::new(),
            staged_before: Vec::new(),
            unused: Vec::new(),
            kept,
            taken: Vec::new(),
            written: 0,
            shared,
            told: 0,
            happenings: Vec::new(),
        })
    }

    /// Writes until it is told to close. `waiting` is where it waits for what comes with time, and runs nothing else.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Job>, waiting: &Runtime) {
        let mut closing = false;
        let mut sweeps = !self.kept.is_empty();
        while !closing {
            let next = match sweeps {
                false => queue.blocking_recv(),
                true => {
                    let next = async { tokio::time::timeout(SWEEP_AFTER, queue.recv()).await };
                    let Ok(next) = waiting.block_on(next) else {
                        // What is left is held by sessions: it is looked at again after the next writes.
                        sweeps = !self.has_failed() && self.sweep_alone();
                        continue;
                    };
                    next
                }
            };
            let Some(first) = next else { break };
            let mut jobs = vec![first];
            while jobs.len() < GROUP_MAX
                && let Ok(next) = queue.try_recv()
            {
                jobs.push(next);
            }
            closing = jobs.iter().any(|job| matches!(job, Job::Close));
            self.group(jobs);
            sweeps = !self.kept.is_empty();
            if !self.has_failed() {
                self.checkpoint();
            }
        }
        while !self.has_failed() && self.sweep_alone() {}
        // The log is folded into the main file, so that a closed store is one file.
        if let Connection::Sqlite(file) = &self.connection {
            drop(file.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())));
        }
    }

    /// Whether nothing is written any more.
    pub(super) fn has_failed(&self) -> bool {
        self.known.failed.load(Ordering::Relaxed)
    }

    pub(super) fn give_up(&self, error: &connection::Error) {
        tracing::error!(%error, "the store failed: no mail is taken any more; restart once the disk is right");
        self.known.failed.store(true, Ordering::Relaxed);
    }

    fn checkpoint(&mut self) {
        let Connection::Sqlite(file) = &self.connection else { return };
        if self.written < CHECKPOINT_AT {
            return;
        }
        self.written = 0;
        let moved = file.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()));
        match moved.map_err(connection::Error::from) {
            Ok(()) => {}
            // A full disk may be emptied, and a log that is not folded only grows.
            Err(error) if is_passing(&error) => {
                tracing::warn!(%error, "the write-ahead log could not be folded into the store");
            }
            // A second sync may report success for octets that the kernel has already dropped.
            Err(error) => self.give_up(&error),
        }
    }

    /// Sweeps in a transaction of its own; false if there was nothing that may go.
    fn sweep_alone(&mut self) -> bool {
        let begun = self.execute("BEGIN IMMEDIATE");
        let swept = match begun.and_then(|()| self.sweep()) {
            Ok(swept) => swept,
            Err(error) => {
                self.cannot_sweep(&error);
                return false;
            }
        };
        match self.execute("COMMIT") {
            Ok(()) => !swept.is_empty(),
            Err(error) => {
                self.cannot_sweep(&error);
                self.sweep_later(swept);
                false
            }
        }
    }

    pub(super) fn cannot_sweep(&self, error: &connection::Error) {
        tracing::warn!(%error, "removed messages still take room on the disk");
        drop(self.execute("ROLLBACK"));
    }

    /// In the open transaction, removes some of the blobs without use that no session may send any more; the others wait
    /// behind the rest. Gives what is gone if the transaction is committed.
    pub(super) fn sweep(&mut self) -> connection::Result<Vec<(u64, u64)>> {
        let mut free = Vec::new();
        for _ in 0..self.kept.len().min(SWEEP_MAX) {
            let Some((blob, went)) = self.kept.pop_front() else { break };
            match self.hub.is_held(blob, went) {
                true => self.kept.push_back((blob, went)),
                false => free.push((blob, went)),
            }
        }
        match free.iter().try_for_each(|(blob, _)| self.remove_unused(*blob)) {
            Ok(()) => Ok(free),
            Err(error) => {
                self.sweep_later(free);
                Err(error)
            }
        }
    }

    /// Blobs that a transaction did not remove after all, or made free to go.
    pub(super) fn sweep_later(&mut self, blobs: impl IntoIterator<Item = (u64, u64)>) {
        self.kept.extend(blobs);
    }

    fn remove_unused(&self, blob: u64) -> connection::Result<()> {
        let mut delete =
            self.connection.prepare_cached("DELETE FROM blob WHERE id = ?1 AND uses = 0")?;
        // Octets go only with a row that nothing uses: the list is a hint, the row is the truth.
        if delete.execute([blob])? == 1 {
            blobs::remove(&self.connection, blob)?;
        }
        Ok(())
    }

    /// Octets of an upload that are staged.
    pub(super) fn staged(&self, upload: u64) -> Option<u64> {
        self.staged.get(&upload).copied()
    }

    pub(super) fn set_staged(&mut self, upload: u64, octets: Option<u64>) {
        let before = match octets {
            Some(octets) => self.staged.insert(upload, octets),
            None => self.staged.remove(&upload),
        };
        self.staged_before.push((upload, before));
    }

    /// The writes of this group happened: what they took is staged no more.
    pub(super) fn keep_staged(&mut self) {
        self.staged_before.clear();
        for upload in self.taken.drain(..) {
            self.staged.remove(&upload);
        }
    }

    /// The writes of this group did not happen.
    pub(super) fn undo_staged(&mut self) {
        while let Some((upload, before)) = self.staged_before.pop() {
            match before {
                Some(octets) => self.staged.insert(upload, octets),
                None => self.staged.remove(&upload),
            };
        }
    }

    pub(super) fn new_blob(&self) -> connection::Result<u64> {
        match self.shared {
            Some(_) => reads::next_blob(&self.connection),
            None => Ok(self.known.next_blob.fetch_add(1, Ordering::Relaxed)),
        }
    }

    /// For those that watch the account, once it is durable.
    pub(super) fn happened(&mut self, account: AccountId, happening: Happening) {
        self.happenings.push((account, happening));
    }

    pub(super) fn next_modseq(&mut self) -> u64 {
        self.modseq += 1;
        self.modseq
    }

    pub(super) fn execute(&self, sql: &str) -> connection::Result<()> {
        self.connection.run(sql)
    }
}
