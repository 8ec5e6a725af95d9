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
use pillarbox_world::store::MailboxId;
use rusqlite::{Connection, OptionalExtension};

use super::reads::consistently;
use crate::engine::TextReader;

pub(super) use file::{rebind, remove};

/// Mailboxes that wait to be indexed; who is not let in is searched again some day.
const WANTED_MAX: usize = 64;
/// Reading connections kept open.
const READERS_KEPT: usize = 4;
/// Messages that hold what is needed; of more, nearly every message would be looked at anyway.
const MATCHES_MAX: usize = 262_144;
/// Runs of messages to look at: a session holds them in memory.
const RUNS_MAX: usize = 16_384;

/// What keeps the index, and answers from it.
pub(super) struct FullText {
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
    pub(super) fn start(
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
    pub(super) fn stop(&self) {
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
    pub(super) fn candidates(
        &self,
        mail: &Connection,
        mailbox: MailboxId,
        ask: &SearchAsk,
    ) -> rusqlite::Result<Option<Vec<UidRun>>> {
        let needs = needed(&ask.keys);
        if needs.is_empty() {
            return Ok(None);
        }
        self.want(mailbox);
        let told =
            self.read(|index| consistently(index, || told(index, mail, mailbox, ask, &needs)));
        match told {
            None => Ok(None),
            Some(Ok(candidates)) => Ok(candidates),
            Some(Err(Broken::Mail(error))) => Err(error),
            Some(Err(Broken::Index(error))) => {
                tracing::warn!(%error, "the full-text index could not be read; messages are searched instead");
                Ok(None)
            }
        }
    }

    /// Up to which UID the messages of a mailbox are indexed.
    pub(super) fn up_to(&self, mailbox: MailboxId) -> Option<u32> {
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

/// What the index tells, of one state of it. The mail is read after that state began: a message that is forgotten since
/// because it is gone is not there any more, and what came since is above all that is indexed.
fn told(
    index: &Connection,
    mail: &Connection,
    mailbox: MailboxId,
    ask: &SearchAsk,
    needs: &[Need],
) -> Result<Option<Vec<UidRun>>, Broken> {
    let Some(up_to) = up_to(index, mailbox)? else { return Ok(None) };
    let messages = messages(mail, mailbox, &ask.uids, up_to).map_err(Broken::Mail)?;
    let blobs = messages.iter().map(|(_, blob)| *blob);
    let (Some(first), Some(last)) = (blobs.clone().min(), blobs.max()) else { return Ok(None) };
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
    let closed = messages.into_iter().filter(|(_, blob)| open.binary_search(blob).is_err());
    let candidates = without(&ask.uids, closed.map(|(uid, _)| uid));
    Ok((candidates.len() <= RUNS_MAX).then_some(candidates))
}

/// Messages of these runs that the index covers, ascending, with their blobs.
fn messages(
    mail: &Connection,
    mailbox: MailboxId,
    runs: &[UidRun],
    up_to: u32,
) -> rusqlite::Result<Vec<(u32, u64)>> {
    let mut find = mail.prepare_cached(
        "SELECT uid, blob FROM message WHERE mailbox = ?1 AND uid BETWEEN ?2 AND ?3 ORDER BY uid",
    )?;
    let mut all = Vec::new();
    for run in runs.iter().filter(|run| run.first <= up_to) {
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        for message in find.query_map((mailbox, run.first, run.last.min(up_to)), row)? {
            all.push(message?);
        }
    }
    Ok(all)
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

/// These runs without these UIDs, which are ascending and in them.
fn without(runs: &[UidRun], closed: impl Iterator<Item = u32>) -> Vec<UidRun> {
    let mut closed = closed.peekable();
    let mut left = Vec::new();
    for run in runs {
        let mut first = u64::from(run.first);
        let mut keep = |first: u64, end: u64| {
            if let (Ok(first), Ok(last)) =
                (u32::try_from(first), u32::try_from(end.saturating_sub(1)))
                && first <= last
            {
                left.push(UidRun { first, last });
            }
        };
        while let Some(uid) = closed.next_if(|uid| *uid <= run.last) {
            keep(first, u64::from(uid));
            first = u64::from(uid) + 1;
        }
        keep(first, u64::from(run.last) + 1);
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_closed_is_left_out() {
        let run = |first, last| UidRun { first, last };
        let runs = [run(1, 3), run(5, 5), run(7, u32::MAX)];
        let left = |closed: &[u32]| without(&runs, closed.iter().copied());
        assert_eq!(left(&[]), runs);
        assert_eq!(left(&[1, 5]), [run(2, 3), run(7, u32::MAX)]);
        assert_eq!(
            left(&[2, 3, 9, u32::MAX]),
            [run(1, 1), run(5, 5), run(7, 8), run(10, u32::MAX - 1)]
        );
    }

    #[test]
    fn needs_are_worded_for_the_index() {
        let piece = |text: &str| Need::Piece(text.to_owned());
        let needs = [piece("ABC"), piece("B\"C"), Need::Any(2), piece("XYZ"), Need::All(2)];
        assert_eq!(wording(&needs), "((\"ABC\" OR \"B\"\"C\") AND \"XYZ\")");
    }
}
