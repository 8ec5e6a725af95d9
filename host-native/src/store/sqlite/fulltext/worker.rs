//! The thread that makes the full-text index: in small steps, with rests between them, behind everything else. What it
//! did is kept step by step, so it may end at any moment and goes on from there.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use pillarbox_world::store::MailboxId;
use rusqlite::{Connection, OptionalExtension};

use super::super::super::sql::blobs;
use super::super::{consistently, open};
use super::{Broken, State, file, remove, up_to};
use crate::engine::TextReader;

/// How long one step takes, about, and how long the rest after it at least.
const STEP: Duration = Duration::from_millis(100);
const REST: Duration = Duration::from_millis(20);
/// Messages that are looked up at once.
const PAGE: usize = 256;
/// Octets of texts in one message; one with more is opaque: it is looked at by every search.
const TEXT_OCTETS_MAX: u64 = 1 << 20;
/// Octets of those texts once they are decoded and folded, which may make some characters longer.
const FOLDED_OCTETS_MAX: usize = 4 << 20;
/// How often documents of messages that are gone are looked for.
const FORGET_EVERY: Duration = Duration::from_secs(3600);
/// How much weaker this thread is than others, from 0 to 19.
#[cfg(target_os = "linux")]
const NICE: libc::c_int = 15;

pub(super) struct Worker {
    directory: PathBuf,
    reader: TextReader,
    octets_max: u64,
    state: Arc<State>,
    forgot: Option<Instant>,
}

/// What a step came to.
enum Step {
    More,
    Done,
    /// There is no room for more.
    Full,
}

impl Worker {
    pub(super) fn new(
        directory: &Path,
        reader: TextReader,
        octets_max: u64,
        state: Arc<State>,
    ) -> Self {
        Self { directory: directory.to_owned(), reader, octets_max, state, forgot: None }
    }

    /// Indexes mailboxes as they are wanted, until nobody can want any more.
    pub(super) fn run(mut self, wanted: &Receiver<MailboxId>) {
        step_back();
        let Ok(first) = wanted.recv() else { return };
        match self.work(first, wanted) {
            Ok(()) => {}
            Err(Broken::Mail(error)) => {
                tracing::warn!(%error, "the full-text index is not made: the store could not be read");
            }
            Err(Broken::Index(error)) => {
                tracing::warn!(%error, "the full-text index was given up; it is made anew at the next start");
                self.state.ready.store(false, Ordering::Release);
                remove(&self.directory);
            }
        }
    }

    fn work(&mut self, first: MailboxId, wanted: &Receiver<MailboxId>) -> Result<(), Broken> {
        let mail = open::reader(&self.directory).map_err(Broken::Mail)?;
        let index = {
            // To be bound, the store is written to; that connection is not needed again.
            let bound = open::connect(&self.directory).map_err(Broken::Mail)?;
            file::open(&self.directory, &bound)?
        };
        self.state.ready.store(true, Ordering::Release);
        let mut next = Some(first);
        while let Some(mailbox) = next {
            loop {
                let began = Instant::now();
                match self.step(&mail, &index, mailbox)? {
                    Step::More => {}
                    Step::Done => break,
                    Step::Full => {
                        tracing::warn!(
                            octets = self.octets_max,
                            "the full-text index is as large as it may be; newer messages are searched without it"
                        );
                        return self.forget(&mail, &index);
                    }
                }
                if self.state.rest(began.elapsed().max(REST)) {
                    return Ok(());
                }
            }
            next = match wanted.try_recv() {
                Ok(mailbox) => Some(mailbox),
                Err(TryRecvError::Disconnected) => None,
                Err(TryRecvError::Empty) => {
                    self.reader.rest();
                    self.forget(&mail, &index)?;
                    wanted.recv().ok()
                }
            };
        }
        Ok(())
    }

    /// Indexes some messages of a mailbox.
    fn step(
        &mut self,
        mail: &Connection,
        index: &Connection,
        mailbox: MailboxId,
    ) -> Result<Step, Broken> {
        let from = up_to(index, mailbox)?.unwrap_or(0);
        let page = page(mail, mailbox, from).map_err(Broken::Mail)?;
        if page.is_empty() {
            return Ok(Step::Done);
        }
        let pages: u64 = index.pragma_query_value(None, "page_count", |row| row.get(0))?;
        let page_size: u64 = index.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let free: u64 = index.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
        if pages.saturating_sub(free) * page_size >= self.octets_max {
            return Ok(Step::Full);
        }
        let began = Instant::now();
        index.execute_batch("BEGIN IMMEDIATE")?;
        let added = self.add_some(mail, index, (mailbox, &page[..]), began);
        let kept = added.and_then(|last| {
            index
                .prepare_cached("INSERT OR REPLACE INTO covered (mailbox, up_to) VALUES (?1, ?2)")?
                .execute((mailbox, last))?;
            Ok(index.execute_batch("COMMIT")?)
        });
        if kept.is_err() {
            drop(index.execute_batch("ROLLBACK"));
        }
        kept.map(|()| Step::More)
    }

    /// Adds the first messages of a page, as many as there is time for; gives the last one's UID.
    fn add_some(
        &mut self,
        mail: &Connection,
        index: &Connection,
        (mailbox, page): (MailboxId, &[(u32, u64)]),
        began: Instant,
    ) -> Result<u32, Broken> {
        let mut last = 0;
        for (uid, blob) in page {
            self.add(mail, index, *blob)?;
            index
                .prepare_cached(
                    "INSERT OR IGNORE INTO place (mailbox, blob, uid) VALUES (?1, ?2, ?3)",
                )?
                .execute((mailbox, blob, uid))?;
            last = *uid;
            if began.elapsed() >= STEP {
                break;
            }
        }
        Ok(last)
    }

    fn add(&mut self, mail: &Connection, index: &Connection, blob: u64) -> Result<(), Broken> {
        let mut find = index.prepare_cached("SELECT 1 FROM document WHERE blob = ?1")?;
        if find.exists([blob])? {
            return Ok(());
        }
        // Each message in a transaction of its own: one that lasts would hold up those who tidy up the store.
        let found = consistently(mail, || self.texts(mail, blob)).map_err(Broken::Mail)?;
        let Some(text) = found else { return Ok(()) };
        index
            .prepare_cached("INSERT INTO document (blob, opaque) VALUES (?1, ?2)")?
            .execute((blob, text.is_none()))?;
        if let Some(text) = text {
            index
                .prepare_cached("INSERT INTO text (rowid, held) VALUES (?1, ?2)")?
                .execute((blob, text))?;
        }
        Ok(())
    }

    /// The texts of a message; `Some(None)` if it is opaque, and `None` if it is gone.
    fn texts(&mut self, mail: &Connection, blob: u64) -> rusqlite::Result<Option<Option<String>>> {
        let mut find = mail.prepare_cached("SELECT size, index_octets FROM blob WHERE id = ?1")?;
        let found = find.query_row([blob], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let Some((size, octets)): Option<(u64, Vec<u8>)> = found else { return Ok(None) };
        // What breaks the sandbox, or cannot be read, is left to those who look for it.
        let Ok(spans) = self.reader.spans(&octets, size) else { return Ok(Some(None)) };
        let length =
            |sum: u64, span: &(u64, u64)| sum.saturating_add(span.1.saturating_sub(span.0));
        if spans.iter().fold(0, length) > TEXT_OCTETS_MAX {
            return Ok(Some(None));
        }
        let mut texts = Vec::new();
        for (start, end) in spans {
            match blobs::read_file(mail, blob, start, end.saturating_sub(start)) {
                Ok(octets) => texts.extend(octets),
                Err(_) => return Ok(Some(None)),
            }
        }
        let text = self.reader.texts(&octets, size, &texts).ok();
        let text = text.and_then(|text| String::from_utf8(text).ok());
        Ok(Some(text.filter(|text| text.len() <= FOLDED_OCTETS_MAX)))
    }

    /// Removes documents of messages that are gone.
    fn forget(&mut self, mail: &Connection, index: &Connection) -> Result<(), Broken> {
        if self.forgot.is_some_and(|then| then.elapsed() < FORGET_EVERY) {
            return Ok(());
        }
        self.forgot = Some(Instant::now());
        let mut after = 0u64;
        loop {
            let gone = {
                let mut find = index.prepare_cached(
                    "SELECT blob FROM document WHERE blob > ?1 ORDER BY blob LIMIT ?2",
                )?;
                let known = find.query_map((after, PAGE), |row| row.get(0))?;
                let known = known.collect::<rusqlite::Result<Vec<u64>>>()?;
                let Some(last) = known.last() else { return Ok(()) };
                after = *last;
                gone(mail, known).map_err(Broken::Mail)?
            };
            if !gone.is_empty() {
                index.execute_batch("BEGIN IMMEDIATE")?;
                for blob in gone {
                    index.prepare_cached("DELETE FROM text WHERE rowid = ?1")?.execute([blob])?;
                    index
                        .prepare_cached("DELETE FROM document WHERE blob = ?1")?
                        .execute([blob])?;
                    index.prepare_cached("DELETE FROM place WHERE blob = ?1")?.execute([blob])?;
                }
                index.execute_batch("COMMIT")?;
            }
            if self.state.rest(REST) {
                return Ok(());
            }
        }
    }
}

/// The next messages of a mailbox, with their blobs.
fn page(mail: &Connection, mailbox: MailboxId, from: u32) -> rusqlite::Result<Vec<(u32, u64)>> {
    let mut find = mail.prepare_cached(
        "SELECT uid, blob FROM message WHERE mailbox = ?1 AND uid > ?2 ORDER BY uid LIMIT ?3",
    )?;
    find.query_map((mailbox, from, PAGE), |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Those of these blobs that the store has no more.
fn gone(mail: &Connection, blobs: Vec<u64>) -> rusqlite::Result<Vec<u64>> {
    let mut find = mail.prepare_cached("SELECT 1 FROM blob WHERE id = ?1")?;
    let mut gone = Vec::new();
    for blob in blobs {
        if !find.exists([blob])? {
            gone.push(blob);
        }
    }
    Ok(gone)
}

/// Lets every other thread go first.
fn step_back() {
    // SAFETY: it takes numbers alone; on Linux, process 0 is the calling thread. A failure changes nothing that matters.
    #[cfg(target_os = "linux")]
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, NICE);
    }
}
