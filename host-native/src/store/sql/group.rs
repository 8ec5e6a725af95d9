//! How the writes that wait become one transaction: all of them in one go, which is nearly always right; where one of
//! them fails half-way, everything is taken back and run again with each write in a savepoint of its own.

use std::sync::atomic::Ordering;

use pillarbox_engine::types::Reason;
use pillarbox_world::hub::SessionKey;
use pillarbox_world::store::{Outcome, Write};
use tokio::sync::oneshot;

use super::connection;
use super::queue::Counts;
use super::writer::{Changes, Done, Failure, Happenings, Writer};
use super::{Job, reads};

/// A write, and who waits for it.
struct Waiting {
    origin: SessionKey,
    write: Box<Write>,
    answer: Option<oneshot::Sender<Result<Outcome, Reason>>>,
}

/// What a write did.
pub(in super::super) type Did = (Result<(Outcome, Changes), Reason>, Happenings);

/// The writer's own state before a transaction or a savepoint.
#[derive(Clone, Copy)]
struct Mark {
    modseq: u64,
    uid_validity: u32,
    queue: Counts,
    unused: usize,
    taken: usize,
}

impl Writer {
    /// Runs a group of writes in one transaction, and answers them.
    pub(super) fn group(&mut self, jobs: Vec<Job>) {
        let group: Vec<Waiting> = jobs
            .into_iter()
            .filter_map(|job| match job {
                Job::Write(origin, write, answer) => Some(Waiting { origin, write, answer }),
                Job::Close => None,
            })
            .collect();
        if group.is_empty() {
            return;
        }
        if self.has_failed() {
            return refuse(group, Reason::StorageFailed);
        }
        // Others' changes are told by another thread; it waits, so that all are told in the order of their commits.
        let shared = self.shared.clone();
        let mut told = shared.as_ref().map(|shared| shared.told());
        self.told = told.as_deref().copied().unwrap_or(0);
        match self.transaction(&group) {
            Ok(did) => self.answer(group, did),
            Err(reason) => refuse(group, reason),
        }
        if let Some(told) = &mut told {
            **told = self.told;
        }
    }

    /// All of a group, durable once this returns; or nothing of it.
    fn transaction(&mut self, group: &[Waiting]) -> Result<Vec<Did>, Reason> {
        let mut swept = self.begin_sweeping()?;
        let mut before = self.mark();
        let done = match self.together(group) {
            Some(did) => Ok(did),
            None => {
                drop(self.execute("ROLLBACK"));
                self.undo(before);
                self.sweep_later(std::mem::take(&mut swept));
                let begun = self.begin();
                before = self.mark();
                begun.and_then(|()| self.one_by_one(group))
            }
        };
        let committed = done.and_then(|did| {
            self.commit(before, &did).map(|()| did).map_err(|error| self.commit_failed(&error))
        });
        match committed {
            Ok(did) => {
                self.keep_staged();
                let went = self.hub.passed();
                let unused = std::mem::take(&mut self.unused);
                if self.shared.is_none() {
                    self.sweep_later(unused.into_iter().map(|blob| (blob, went)));
                }
                Ok(did)
            }
            Err(reason) => {
                self.undo(before);
                self.sweep_later(swept);
                Err(reason)
            }
        }
    }

    fn begin(&mut self) -> Result<(), Reason> {
        if let Some(shared) = self.shared.clone() {
            let mut begun = self.begin_shared(&shared);
            if begun.is_err() && self.connection.is_closed() {
                // It was cut before anything was written: a new one does as well.
                begun = self.begin_shared(&shared);
            }
            return begun.map_err(|error| {
                tracing::error!(%error, "the shared store cannot be written to now");
                drop(self.execute("ROLLBACK"));
                Reason::StorageFailed
            });
        }
        let begun = self.execute("BEGIN IMMEDIATE");
        begun.map_err(|error| {
            self.give_up(&error);
            Reason::StorageFailed
        })
    }

    /// Begins with what nobody waits for, so that it needs no sync of its own; where that fails, begins without.
    fn begin_sweeping(&mut self) -> Result<Vec<(u64, u64)>, Reason> {
        self.begin()?;
        match self.sweep() {
            Ok(swept) => Ok(swept),
            Err(error) => {
                self.cannot_sweep(&error);
                self.begin().map(|()| Vec::new())
            }
        }
    }

    /// All writes without savepoints, which cost a copy of every page that a write touches. A write that is refused
    /// before it changed anything leaves the others alone; `None` if one failed in any other way.
    fn together(&mut self, group: &[Waiting]) -> Option<Vec<Did>> {
        let mut did = Vec::with_capacity(group.len());
        for Waiting { write, .. } in group {
            let (before, changes) = (self.mark(), self.connection.total_changes());
            let done = match self.write(write) {
                Ok(done) => Ok(done),
                Err(failure) => {
                    let reason = match failure {
                        Failure::Refused(reason) => reason,
                        Failure::Store(connection::Error::NoRows) => Reason::NotFound,
                        Failure::Store(_) => return None,
                    };
                    if self.connection.total_changes() != changes {
                        return None;
                    }
                    self.forget(before);
                    Err(reason)
                }
            };
            did.push((done, std::mem::take(&mut self.happenings)));
        }
        self.count_out().ok()?;
        Some(did)
    }

    /// Each write in a savepoint of its own: what it did is undone if it fails, and the others stay.
    fn one_by_one(&mut self, group: &[Waiting]) -> Result<Vec<Did>, Reason> {
        let mut did = Vec::with_capacity(group.len());
        for Waiting { write, .. } in group {
            let done = self.one(write);
            if let Err(reason) = done
                && self.connection.is_autocommit()
            {
                // On some errors SQLite gives up the whole transaction by itself: then nothing of this group happened.
                if reason != Reason::StorageFull && self.shared.is_none() {
                    self.known.failed.store(true, Ordering::Relaxed);
                }
                return Err(reason);
            }
            did.push((done, std::mem::take(&mut self.happenings)));
        }
        Ok(did)
    }

    fn one(&mut self, write: &Write) -> Result<(Outcome, Changes), Reason> {
        let before = self.mark();
        self.execute("SAVEPOINT one").map_err(|error| storage(&error))?;
        let done: Done = self.write(write).and_then(|done| {
            self.count_out()?;
            Ok(done)
        });
        let outcome = match done {
            Ok(done) => Ok(done),
            Err(failure) => {
                self.forget(before);
                let reason = match failure {
                    Failure::Refused(reason) => reason,
                    // What a write names and the store does not have.
                    Failure::Store(connection::Error::NoRows) => Reason::NotFound,
                    Failure::Store(error) => {
                        tracing::error!(%error, "a write failed");
                        storage(&error)
                    }
                };
                if self.connection.is_autocommit() {
                    return Err(reason);
                }
                self.execute("ROLLBACK TO one").map_err(|error| storage(&error))?;
                Err(reason)
            }
        };
        self.execute("RELEASE one").map_err(|error| storage(&error))?;
        outcome
    }

    fn answer(&self, group: Vec<Waiting>, did: Vec<Did>) {
        for (Waiting { origin, answer, .. }, (done, happenings)) in group.into_iter().zip(did) {
            let outcome = done.map(|(outcome, changes)| {
                if !changes.is_empty() || !happenings.is_empty() {
                    let owner = |mailbox| Some(reads::place(&self.connection, mailbox).ok()?.0);
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

    fn mark(&self) -> Mark {
        Mark {
            modseq: self.modseq,
            uid_validity: self.uid_validity,
            queue: self.queue,
            unused: self.unused.len(),
            taken: self.taken.len(),
        }
    }

    /// What a write that failed had changed here. Numbers that it gave out are not given out again.
    fn forget(&mut self, before: Mark) {
        self.queue = before.queue;
        self.unused.truncate(before.unused);
        self.taken.truncate(before.taken);
        self.inboxes.clear();
        self.happenings.clear();
        self.went.clear();
    }

    /// What a transaction that did not happen had changed here.
    fn undo(&mut self, before: Mark) {
        self.forget(before);
        self.modseq = before.modseq;
        self.uid_validity = before.uid_validity;
        self.undo_staged();
    }

    fn commit(&mut self, before: Mark, did: &[Did]) -> connection::Result<()> {
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
        match self.shared {
            Some(_) => self.commit_shared(did, self.queue != before.queue),
            None => self.execute("COMMIT"),
        }
    }

    /// A commit that failed happened for nobody. A full disk may be emptied; any other failure is final, since a
    /// second sync may report success for octets that the kernel has already dropped.
    fn commit_failed(&mut self, error: &connection::Error) -> Reason {
        drop(self.execute("ROLLBACK"));
        if is_full(error) {
            tracing::error!("the disk is full: no mail is taken until there is room");
            return Reason::StorageFull;
        }
        if let Some(shared) = self.shared.clone() {
            return self.unanswered(&shared, error);
        }
        self.give_up(error);
        Reason::StorageFailed
    }
}

fn refuse(group: Vec<Waiting>, reason: Reason) {
    for answer in group.into_iter().filter_map(|waiting| waiting.answer) {
        drop(answer.send(Err(reason)));
    }
}

fn storage(error: &connection::Error) -> Reason {
    if is_full(error) { Reason::StorageFull } else { Reason::StorageFailed }
}

fn is_full(error: &connection::Error) -> bool {
    error.is_full()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pillarbox_engine::imap::types::{Flags, UidRun};
    use pillarbox_world::hub::Hub;
    use pillarbox_world::store::{Body, Deliver, Expunge, MarkRecent, NewMessage, Stage};

    use super::super::super::sqlite::schema::MIGRATIONS;
    use super::super::Known;
    use super::super::connection::Connection;
    use super::*;

    fn writer() -> Writer {
        let connection = rusqlite::Connection::open_in_memory().expect("memory is there");
        MIGRATIONS.iter().for_each(|step| connection.execute_batch(step).expect("it is right"));
        let known = Arc::new(Known { next_blob: 1.into(), ..Known::default() });
        let connection = Connection::Sqlite(connection);
        Writer::new(connection, Hub::default(), known, None).expect("the schema is new")
    }

    fn deliver(account: &str, body: Body) -> Write {
        let message = NewMessage {
            body,
            index: b"an index".to_vec(),
            plain: true,
            flags: Flags::default(),
            internal_date_ms: 1,
            internal_date_zone: 0,
        };
        Write::Deliver(Box::new(Deliver {
            accounts: vec![account.as_bytes().to_vec()],
            junk: false,
            relay: None,
            message,
            reports: Vec::new(),
            now_ms: 1,
        }))
    }

    fn whole(octets: &str) -> Body {
        Body::Whole(octets.as_bytes().to_vec())
    }

    /// What each of a group is answered.
    fn run(writer: &mut Writer, writes: Vec<Write>) -> Vec<Result<Outcome, Reason>> {
        let (jobs, answers): (Vec<_>, Vec<_>) = writes
            .into_iter()
            .map(|write| {
                let (answer, answered) = oneshot::channel();
                (Job::Write(0, Box::new(write), Some(answer)), answered)
            })
            .unzip();
        writer.group(jobs);
        answers.into_iter().map(|answer| answer.blocking_recv().expect("answered")).collect()
    }

    fn count(writer: &Writer, sql: &str) -> u64 {
        let mut count = writer.connection.prepare_cached(sql).expect("it is right");
        count.query_row((), |row| row.get(0)).expect("it counts")
    }

    #[test]
    fn one_that_fails_half_way_takes_nobody_along() {
        let mut writer = writer();
        let upload = 1_000;
        let stage = |octets: &[u8]| Write::Stage(Stage { upload, octets: octets.to_vec() });
        assert!(matches!(run(&mut writer, vec![stage(b"From: ")])[..], [Ok(Outcome::Done)]));
        // Its account is made before it is seen that nobody staged what it names.
        let wrong = deliver("nobody", Body::Staged(7, 5));
        let group = vec![
            deliver("alice", whole("1\r\n")),
            stage(b"a@b\r\n"),
            wrong,
            deliver("bob", whole("2\r\n")),
        ];
        let answers = run(&mut writer, group);
        assert!(matches!(
            &answers[..],
            [
                Ok(Outcome::Delivered(_)),
                Ok(Outcome::Done),
                Err(Reason::StorageFailed),
                Ok(Outcome::Delivered(_))
            ]
        ));
        assert_eq!(count(&writer, "SELECT count(*) FROM message"), 2);
        assert_eq!(count(&writer, "SELECT count(*) FROM account WHERE name = x'6e6f626f6479'"), 0);
        // What was staged twice, since the group ran twice, is there once.
        assert_eq!(writer.staged(upload), Some(11));
        let staged = deliver("alice", Body::Staged(upload, 11));
        assert!(matches!(run(&mut writer, vec![staged])[..], [Ok(Outcome::Delivered(1_000))]));
        let chunk = 1_000 * super::super::blobs::CHUNKS_PER_BLOB;
        let octets =
            format!("SELECT octets = x'46726f6d3a206140620d0a' FROM chunk WHERE id = {chunk}");
        assert_eq!(count(&writer, &octets), 1);
        assert_eq!(writer.staged(upload), None);
    }

    #[test]
    fn what_nobody_uses_goes_with_the_next_writes() {
        let mut writer = writer();
        let answers = run(
            &mut writer,
            vec![deliver("alice", whole("1\r\n")), deliver("alice", whole("2\r\n"))],
        );
        assert!(answers.iter().all(Result::is_ok));
        let mailbox = count(&writer, "SELECT DISTINCT mailbox FROM message");
        let uids = vec![UidRun { first: 1, last: 1 }];
        let expunge = Write::Expunge(Expunge { mailbox, uids, deleted_only: false });
        assert!(run(&mut writer, vec![expunge])[0].is_ok());
        assert_eq!(count(&writer, "SELECT count(*) FROM chunk"), 2);
        let next = Write::MarkRecent(MarkRecent { mailbox, recent_from: 2 });
        assert!(run(&mut writer, vec![next])[0].is_ok());
        assert_eq!(count(&writer, "SELECT count(*) FROM chunk"), 1);
        assert_eq!(count(&writer, "SELECT count(*) FROM blob"), 1);
    }
}
