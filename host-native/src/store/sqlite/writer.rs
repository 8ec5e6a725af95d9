//! The one thread that writes: it runs all writes that wait in one transaction, syncs once, and answers each after it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use pillarbox_engine::imap::types::Change;
use pillarbox_engine::types::Reason;
use pillarbox_world::hub::{Hub, SessionKey};
use pillarbox_world::store::{AccountId, Happening, MailboxId, Outcome, Write};
use rusqlite::{Connection, ErrorCode};
use tokio::sync::{mpsc, oneshot};

use super::queue::Counts;
use super::{Job, blobs, reads};

/// Writes in one commit: enough that one sync serves every connection that waits.
const GROUP_MAX: usize = 256;
/// Blobs without use that are looked at after one commit, so that a large expunge holds nobody up.
const SWEEP_MAX: usize = 32;
/// Octets of the write-ahead log after which its pages are moved to the main file.
const CHECKPOINT_AT: u64 = 32 << 20;

/// Changes of one mailbox, for those that have it open.
pub(super) type Changes = Vec<(MailboxId, Change)>;

/// Why a write did not happen.
pub(super) enum Failure {
    /// The write cannot be made; nothing is wrong with the store.
    Refused(Reason),
    /// The store said no.
    Store(rusqlite::Error),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
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
pub(super) struct Writer {
    pub(super) connection: Connection,
    hub: Hub,
    failed: Arc<AtomicBool>,
    next_blob: Arc<AtomicU64>,
    pub(super) modseq: u64,
    pub(super) uid_validity: u32,
    /// The queue in numbers.
    pub(super) queue: Counts,
    /// Accounts by name with their INBOX; forgotten at every change of a name.
    pub(super) inboxes: HashMap<Vec<u8>, (AccountId, MailboxId)>,
    /// Octets of messages that are staged, by upload.
    pub(super) staged: HashMap<u64, u64>,
    /// Blobs that lose their last use in this group.
    pub(super) unused: Vec<u64>,
    /// Blobs without use that are to be removed once no session may send them, each with the moment at which it lost its
    /// last use. After a crash nobody may: all that have no use are found when the store is opened.
    kept: VecDeque<(u64, u64)>,
    /// Uploads that writes of this group took; they are forgotten once it is committed.
    pub(super) taken: Vec<u64>,
    /// Octets written since the last checkpoint, about.
    pub(super) written: u64,
    /// What the write that runs did to names and annotations.
    happenings: Happenings,
}

/// The writer's own state before a transaction or a savepoint.
#[derive(Clone, Copy)]
struct Mark {
    modseq: u64,
    uid_validity: u32,
    queue: Counts,
    unused: usize,
    taken: usize,
}

/// What happened to accounts, for those that watch them.
type Happenings = Vec<(AccountId, Happening)>;

/// A write that ran, and who waits for it.
struct Ran {
    origin: SessionKey,
    done: Result<(Outcome, Changes), Reason>,
    happenings: Happenings,
    answer: Option<oneshot::Sender<Result<Outcome, Reason>>>,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        hub: Hub,
        failed: Arc<AtomicBool>,
        next_blob: Arc<AtomicU64>,
    ) -> rusqlite::Result<Self> {
        let counter = |name: &str| {
            connection
                .query_row("SELECT value FROM counter WHERE name = ?1", [name], |row| row.get(0))
        };
        let (modseq, uid_validity): (u64, u64) = (counter("modseq")?, counter("uid_validity")?);
        let queue = Counts {
            messages: counter("queue_messages")?,
            tasks: counter("queue_tasks")?,
            held: counter("queue_held")?,
            latest_ms: counter("queue_latest")?,
        };
        let went = hub.passed();
        let kept = {
            let mut find = connection.prepare("SELECT id FROM blob WHERE uses = 0")?;
            let blobs = find.query_map([], |row| Ok((row.get(0)?, went)))?;
            blobs.collect::<rusqlite::Result<VecDeque<(u64, u64)>>>()?
        };
        Ok(Self {
            connection,
            hub,
            failed,
            next_blob,
            modseq,
            uid_validity: u32::try_from(uid_validity).unwrap_or(u32::MAX),
            queue,
            inboxes: HashMap::new(),
            staged: HashMap::new(),
            unused: Vec::new(),
            kept,
            taken: Vec::new(),
            written: 0,
            happenings: Vec::new(),
        })
    }

    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut closing = false;
        while !closing {
            let Some(first) = queue.blocking_recv() else { break };
            let mut jobs = vec![first];
            while jobs.len() < GROUP_MAX
                && let Ok(next) = queue.try_recv()
            {
                jobs.push(next);
            }
            closing = jobs.iter().any(|job| matches!(job, Job::Close));
            self.group(jobs);
            if !self.failed.load(Ordering::Relaxed) {
                self.tidy();
            }
        }
        // The log is folded into the main file, so that a closed store is one file.
        drop(self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())));
    }

    /// Runs a group of writes in one transaction.
    fn group(&mut self, jobs: Vec<Job>) {
        if self.failed.load(Ordering::Relaxed) {
            return refuse_all(jobs, Reason::StorageFailed);
        }
        let before = self.mark();
        if let Err(error) = self.execute("BEGIN IMMEDIATE") {
            self.give_up(&error);
            return refuse_all(jobs, Reason::StorageFailed);
        }
        let mut ran = Vec::with_capacity(jobs.len());
        let mut lost = None;
        let mut jobs = jobs.into_iter();
        for job in jobs.by_ref() {
            let Job::Write(origin, write, answer) = job else { continue };
            let done = self.one(*write);
            // On some errors SQLite gives up the whole transaction by itself: then nothing of this group happened.
            lost = done.as_ref().err().copied().filter(|_| self.connection.is_autocommit());
            let happenings = std::mem::take(&mut self.happenings);
            ran.push(Ran { origin, done, happenings, answer });
            if lost.is_some() {
                break;
            }
        }
        if let Some(reason) = lost {
            self.undo(before);
            if reason != Reason::StorageFull {
                self.failed.store(true, Ordering::Relaxed);
            }
            ran.into_iter()
                .filter_map(|ran| ran.answer)
                .for_each(|answer| drop(answer.send(Err(reason))));
            return refuse_all(jobs.collect(), reason);
        }
        match self.commit(before) {
            Ok(()) => {
                for upload in self.taken.drain(..) {
                    self.staged.remove(&upload);
                }
                if !self.unused.is_empty() {
                    let went = self.hub.passed();
                    self.kept.extend(self.unused.drain(..).map(|blob| (blob, went)));
                }
                for Ran { origin, done, happenings, answer } in ran {
                    let outcome = done.map(|(outcome, changes)| {
                        if !changes.is_empty() || !happenings.is_empty() {
                            let owner =
                                |mailbox| Some(reads::place(&self.connection, mailbox).ok()?.0);
                            self.hub.publish(origin, &changes, &happenings, owner);
                        }
                        outcome
                    });
                    if let Some(answer) = answer {
                        // Whoever asked may be gone; what was committed stays.
                        drop(answer.send(outcome));
                    }
                }
            }
            Err(error) => {
                let reason = self.commit_failed(&error, before);
                for answer in ran.into_iter().filter_map(|ran| ran.answer) {
                    drop(answer.send(Err(reason)));
                }
            }
        }
    }

    /// One write in a savepoint of its own: what it did is undone if it fails, and the others stay.
    fn one(&mut self, write: Write) -> Result<(Outcome, Changes), Reason> {
        let failed = |error: &rusqlite::Error| {
            if is_full(error) { Reason::StorageFull } else { Reason::StorageFailed }
        };
        let before = self.mark();
        self.execute("SAVEPOINT one").map_err(|error| failed(&error))?;
        let done = self.write(write);
        let (end, outcome) = match done {
            Ok(done) => ("RELEASE one", Ok(done)),
            Err(failure) => {
                let reason = match failure {
                    Failure::Refused(reason) => reason,
                    // What a write names and the store does not have.
                    Failure::Store(rusqlite::Error::QueryReturnedNoRows) => Reason::NotFound,
                    Failure::Store(error) => {
                        tracing::error!(%error, "a write failed");
                        failed(&error)
                    }
                };
                self.inboxes.clear();
                self.happenings.clear();
                self.queue = before.queue;
                self.unused.truncate(before.unused);
                self.taken.truncate(before.taken);
                if self.connection.is_autocommit() {
                    return Err(reason);
                }
                ("ROLLBACK TO one", Err(reason))
            }
        };
        self.execute(end).map_err(|error| failed(&error))?;
        if outcome.is_err() {
            self.execute("RELEASE one").map_err(|error| failed(&error))?;
        }
        outcome
    }

    fn mark(&self) -> Mark {
        Mark {
            modseq: self.modseq,
            uid_validity: self.uid_validity,
            queue: self.queue,
            unused: self.unused.len(),
            taken: self.taken.len(),
        }
    }

    /// What a transaction that did not happen had changed here.
    fn undo(&mut self, before: Mark) {
        self.modseq = before.modseq;
        self.uid_validity = before.uid_validity;
        self.queue = before.queue;
        self.unused.truncate(before.unused);
        self.taken.clear();
        self.inboxes.clear();
        self.staged.clear();
    }

    fn commit(&mut self, before: Mark) -> rusqlite::Result<()> {
        if (self.modseq, self.uid_validity) != (before.modseq, before.uid_validity) {
            let mut set =
                self.connection.prepare_cached("UPDATE counter SET value = ?2 WHERE name = ?1")?;
            set.execute(("modseq", self.modseq))?;
            set.execute(("uid_validity", self.uid_validity))?;
        }
        if self.queue != before.queue {
            let mut set =
                self.connection.prepare_cached("UPDATE counter SET value = ?2 WHERE name = ?1")?;
            let Counts { messages, tasks, held, latest_ms } = self.queue;
            set.execute(("queue_messages", messages))?;
            set.execute(("queue_tasks", tasks))?;
            set.execute(("queue_held", held))?;
            set.execute(("queue_latest", latest_ms))?;
        }
        self.execute("COMMIT")
    }

    /// A commit that failed happened for nobody. A full disk may be emptied; any other failure is final, since a
    /// second sync may report success for octets that the kernel has already dropped.
    fn commit_failed(&mut self, error: &rusqlite::Error, before: Mark) -> Reason {
        drop(self.execute("ROLLBACK"));
        self.undo(before);
        if is_full(error) {
            tracing::error!("the disk is full: no mail is taken until there is room");
            return Reason::StorageFull;
        }
        self.give_up(error);
        Reason::StorageFailed
    }

    fn give_up(&self, error: &rusqlite::Error) {
        tracing::error!(%error, "the store failed: no mail is taken any more; restart once the disk is right");
        self.failed.store(true, Ordering::Relaxed);
    }

    /// Small steps that nobody waits for.
    fn tidy(&mut self) {
        let some = self.free_to_go();
        if !some.is_empty()
            && let Err(error) = self.sweep(&some)
        {
            tracing::warn!(%error, "removed messages still take room on the disk");
            drop(self.execute("ROLLBACK"));
        }
        if self.written >= CHECKPOINT_AT {
            self.written = 0;
            let moved = self.connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()));
            if let Err(error) = moved {
                tracing::warn!(%error, "the write-ahead log could not be folded into the store");
            }
        }
    }

    /// Some of the blobs without use that no session may send any more; the others wait behind the rest.
    fn free_to_go(&mut self) -> Vec<u64> {
        let mut free = Vec::new();
        for _ in 0..self.kept.len().min(SWEEP_MAX) {
            let Some((blob, went)) = self.kept.pop_front() else { break };
            match self.hub.is_held(blob, went) {
                true => self.kept.push_back((blob, went)),
                false => free.push(blob),
            }
        }
        free
    }

    fn sweep(&self, unused: &[u64]) -> rusqlite::Result<()> {
        self.execute("BEGIN IMMEDIATE")?;
        for blob in unused {
            let mut delete =
                self.connection.prepare_cached("DELETE FROM blob WHERE id = ?1 AND uses = 0")?;
            // Octets go only with a row that nothing uses: this list is a hint, the row is the truth.
            if delete.execute([blob])? == 1 {
                blobs::remove(&self.connection, *blob)?;
            }
        }
        self.execute("COMMIT")
    }

    pub(super) fn new_blob(&self) -> u64 {
        self.next_blob.fetch_add(1, Ordering::Relaxed)
    }

    /// For those that watch the account, once it is durable.
    pub(super) fn happened(&mut self, account: AccountId, happening: Happening) {
        self.happenings.push((account, happening));
    }

    pub(super) fn next_modseq(&mut self) -> u64 {
        self.modseq += 1;
        self.modseq
    }

    pub(super) fn execute(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(|_| ())
    }
}

fn refuse_all(jobs: Vec<Job>, reason: Reason) {
    for job in jobs {
        if let Job::Write(_, _, Some(answer)) = job {
            drop(answer.send(Err(reason)));
        }
    }
}

fn is_full(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DiskFull))
}
