//! The full-text index: which messages of a mailbox need not be looked at by a search of texts. It is a file of its own,
//! `search.db`, made in the background for mailboxes that are searched, and may be removed at any time: what is not in it
//! is looked at as it would be without it, so no answer depends on it.
//!
//! It holds the texts of messages in pieces of three characters (SQLite's FTS5 with trigrams), as the engine decoded and
//! folded them. Nothing is written to it by a delivery.

mod file;
mod worker;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use pillarbox_engine::imap::narrow::{Need, needed};
use pillarbox_engine::imap::types::{SearchAsk, UidRun};
use pillarbox_world::store::{MailboxId, push_uid};
use rusqlite::{Connection, OptionalExtension};

use super::consistently;
use crate::engine::TextReader;

pub(in super::super) use file::{rebind, remove};

/// Mailboxes that wait to be indexed; who is not let in is searched again some day.
const WANTED_MAX: usize = 64;
/// Reading connections kept open.
const READERS_KEPT: usize = 4;
/// Messages that hold what is needed; of more, nearly every message would be looked at anyway.
const MATCHES_MAX: usize = 262_144;
/// Matches that are looked up one by one; if there are more, the mailbox is gone through.
const LOOKUPS_MAX: usize = 2000;
/// Runs of messages to look at: a session holds them in memory.
const RUNS_MAX: usize = 16_384;

/// What keeps the index, and answers from it.
pub(in super::super) struct FullText {
    directory: PathBuf,
    readers: Mutex<Vec<Connection>>,
    state: Arc<State>,
    wanted: Mutex<Option<SyncSender<MailboxId>>>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

/// What the worker and those who ask know of each other.
#[derive(Default)]
struct State {
    /// The file is there and belongs to the store.
    ready: AtomicBool,
    stopping: Mutex<bool>,
    stop: Condvar,
}

impl State {
    fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// Waits so long, or until all ends; true at the end.
    fn rest(&self, time: Duration) -> bool {
        let stopping = self.stopping.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.stop.wait_timeout_while(stopping, time, |stopping| !*stopping);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl FullText {
    /// Begins to keep an index of at most so many octets beside the store of this directory.
    pub(in super::super) fn start(
        directory: &Path,
        reader: TextReader,
        octets_max: u64,
    ) -> std::io::Result<Self> {
        let state = Arc::<State>::default();
        state.ready.store(file::exists(directory), Ordering::Release);
        let (sender, wanted) = mpsc::sync_channel(WANTED_MAX);
        let worker = worker::Worker::new(directory, reader, octets_max, Arc::clone(&state));
        let thread = std::thread::Builder::new()
            .name("full-text".to_owned())
            .spawn(move || worker.run(&wanted))?;
        Ok(Self {
            directory: directory.to_owned(),
            readers: Mutex::default(),
            state,
            wanted: Mutex::new(Some(sender)),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Ends the worker, whatever it does: it goes on from there the next time.
    pub(in super::super) fn stop(&self) {
        *self.state.stopping.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.state.stop.notify_all();
        drop(self.wanted.lock().unwrap_or_else(PoisonError::into_inner).take());
        // Who only reads cannot fold the log into the file, so the worker is the last to close it.
        self.state.ready.store(false, Ordering::Release);
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A worker that panicked has said so already.
            drop(thread.join());
        }
    }

    /// The messages that may match a search; `None` if the index does not tell.
    pub(in super::super) fn candidates(
        &self,
        mailbox: MailboxId,
        ask: &SearchAsk,
    ) -> Option<Vec<UidRun>> {
        let needs = needed(&ask.keys);
        if needs.is_empty() {
            return None;
        }
        self.want(mailbox);
        let told = self.read(|index| consistently(index, || told(index, mailbox, ask, &needs)))?;
        told.unwrap_or_else(|error| {
            tracing::warn!(
                ?error,
                "the full-text index could not be read; messages are searched instead"
            );
            None
        })
    }

    /// Up to which UID the messages of a mailbox are indexed.
    pub(in super::super) fn up_to(&self, mailbox: MailboxId) -> Option<u32> {
        self.read(|index| up_to(index, mailbox))?.ok().flatten()
    }

    fn want(&self, mailbox: MailboxId) {
        let wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(wanted) = &*wanted {
            // Only a mailbox that waits already, or one of many, is turned away.
            let _turned_away = wanted.try_send(mailbox);
        }
    }

    fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, Broken>,
    ) -> Option<Result<T, Broken>> {
        if !self.state.is_ready() {
            return None;
        }
        let kept = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match kept.map_or_else(|| file::reader(&self.directory), Ok) {
            Ok(connection) => connection,
            Err(error) => return Some(Err(Broken::Index(error))),
        };
        let value = read(&connection);
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        // One that read what was given up must not be asked again.
        if value.is_ok() && self.state.is_ready() && readers.len() < READERS_KEPT {
            readers.push(connection);
        }
        Some(value)
    }
}

impl Drop for FullText {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Which file could not be read or written.
#[derive(Debug)]
enum Broken {
    Mail(rusqlite::Error),
    Index(rusqlite::Error),
}

impl From<rusqlite::Error> for Broken {
    fn from(error: rusqlite::Error) -> Self {
        Self::Index(error)
    }
}

fn up_to(index: &Connection, mailbox: MailboxId) -> Result<Option<u32>, Broken> {
    let mut find = index.prepare_cached("SELECT up_to FROM covered WHERE mailbox = ?1")?;
    Ok(find.query_row([mailbox], |row| row.get(0)).optional()?)
}

/// What the index tells, of one state of it: what came since is above all that is indexed, and a message that is gone
/// since is not found by whoever looks at it.
fn told(
    index: &Connection,
    mailbox: MailboxId,
    ask: &SearchAsk,
    needs: &[Need],
) -> Result<Option<Vec<UidRun>>, Broken> {
    let Some(up_to) = up_to(index, mailbox)? else { return Ok(None) };
    let mut find =
        index.prepare_cached("SELECT min(blob), max(blob) FROM place WHERE mailbox = ?1")?;
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let (Some(first), Some(last)): (Option<u64>, Option<u64>) = find.query_row([mailbox], row)?
    else {
        return Ok(None);
    };
    let mut find = index.prepare_cached(
        "SELECT rowid FROM text WHERE text MATCH ?1 AND rowid BETWEEN ?2 AND ?3 LIMIT ?4",
    )?;
    let limit = MATCHES_MAX as i64 + 1;
    let holding = find.query_map((wording(needs), first, last, limit), |row| row.get(0))?;
    let mut open = holding.collect::<rusqlite::Result<Vec<u64>>>()?;
    if open.len() > MATCHES_MAX {
        return Ok(None);
    }
    let mut find = index
        .prepare_cached("SELECT blob FROM document WHERE opaque = 1 AND blob BETWEEN ?1 AND ?2")?;
    for blob in find.query_map((first, last), |row| row.get::<_, u64>(0))? {
        open.push(blob?);
    }
    open.sort_unstable();
    let candidates = among(&ask.uids, &places(index, mailbox, &open)?, up_to);
    Ok((candidates.len() <= RUNS_MAX).then_some(candidates))
}

/// UIDs by which these blobs, which are in order, are in a mailbox; ascending.
fn places(index: &Connection, mailbox: MailboxId, blobs: &[u64]) -> Result<Vec<u32>, Broken> {
    let mut uids = Vec::new();
    if blobs.len() <= LOOKUPS_MAX {
        let mut find =
            index.prepare_cached("SELECT uid FROM place WHERE mailbox = ?1 AND blob = ?2")?;
        for blob in blobs {
            for uid in find.query_map((mailbox, blob), |row| row.get::<_, u32>(0))? {
                uids.push(uid?);
            }
        }
    } else {
        let mut all = index.prepare_cached("SELECT blob, uid FROM place WHERE mailbox = ?1")?;
        let mut rows = all.query([mailbox])?;
        while let Some(row) = rows.next()? {
            if blobs.binary_search(&row.get(0)?).is_ok() {
                uids.push(row.get(1)?);
            }
        }
    }
    uids.sort_unstable();
    Ok(uids)
}

/// What is needed in the words of FTS5.
fn wording(needs: &[Need]) -> String {
    let mut stack: Vec<String> = Vec::new();
    for need in needs {
        let (count, word) = match need {
            Need::Piece(piece) => {
                stack.push(format!("\"{}\"", piece.replace('"', "\"\"")));
                continue;
            }
            Need::All(count) => (*count, " AND "),
            Need::Any(count) => (*count, " OR "),
        };
        let from = stack.len().saturating_sub(count as usize);
        let joined = stack.drain(from..).collect::<Vec<_>>().join(word);
        stack.push(format!("({joined})"));
    }
    stack.pop().unwrap_or_default()
}

/// Of these runs, those of these UIDs that are in them, which are ascending, and all above `up_to`.
fn among(runs: &[UidRun], uids: &[u32], up_to: u32) -> Vec<UidRun> {
    let mut left = Vec::new();
    let mut uids = uids.iter().copied().filter(|uid| *uid <= up_to).peekable();
    for run in runs {
        while uids.next_if(|uid| *uid < run.first).is_some() {}
        while let Some(uid) = uids.next_if(|uid| *uid <= run.last) {
            push_uid(&mut left, uid);
        }
        if run.last > up_to {
            left.push(UidRun { first: run.first.max(up_to + 1), last: run.last });
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_and_what_is_new_is_left() {
        let run = |first, last| UidRun { first, last };
        let runs = [run(1, 3), run(5, 5), run(7, u32::MAX)];
        assert_eq!(among(&runs, &[], 0), runs);
        assert_eq!(
            among(&runs, &[1, 2, 4, 5, 8], 8),
            [run(1, 2), run(5, 5), run(8, 8), run(9, u32::MAX)]
        );
        assert_eq!(among(&runs, &[3, 6, 7, 9], 7), [run(3, 3), run(7, 7), run(8, u32::MAX)]);
        assert_eq!(among(&runs, &[], 2), [run(3, 3), run(5, 5), run(7, u32::MAX)]);
        assert_eq!(among(&runs, &[u32::MAX], u32::MAX), [run(u32::MAX, u32::MAX)]);
    }

    #[test]
    fn needs_are_worded_for_the_index() {
        let piece = |text: &str| Need::Piece(text.to_owned());
        let needs = [piece("ABC"), piece("B\"C"), Need::Any(2), piece("XYZ"), Need::All(2)];
        assert_eq!(wording(&needs), "((\"ABC\" OR \"B\"\"C\") AND \"XYZ\")");
    }
}
