//! Who has signed in: names that cannot be guessed, and whom each stands for. They are in memory, as sessions are.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pillarbox_engine::imap::types::{Flags, UidRun};
use pillarbox_engine::types::{BlobId, Now};

use super::protocol::{EXCHANGES_MAX, Exchange, Sent};
use crate::store::AccountId;

/// Visits at once; beyond, the one that was used longest ago ends.
const VISITS_MAX: usize = 1000;
/// Sheets of one visit whose drafts are known, the latest.
const SHEETS_MAX: usize = 32;
/// Letters of one visit that the queue holds and that can be taken back, the latest.
const HELD_MAX: usize = 8;
/// Letters of all accounts of which is known what was asked for them, the latest.
const SENT_MAX: usize = 500;
/// A visit ends when nothing was asked for so long, in milliseconds.
const UNUSED_MS_MAX: u64 = 30 * 60_000;

/// A visit.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    pub(super) id: String,
    pub(super) account: AccountId,
    pub(super) name: String,
    /// What the next list says first.
    pub(super) notice: String,
    /// What can be undone, until something else is done.
    pub(super) undo: Option<Undo>,
    /// Letters that the queue may still hold.
    pub(super) held: Vec<Held>,
    /// By the name of a sheet, the draft that it is kept as.
    sheets: VecDeque<(String, Kept)>,
    /// What was asked, where that is shown.
    pub(super) exchanges: VecDeque<Exchange>,
    used_ms: u64,
}

/// What a sheet is kept as.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kept {
    /// A draft: its folder, a slash, its UID.
    Draft(String),
    /// It was sent, or is being sent.
    Sent,
}

/// A letter that the queue holds, and what is to be done when it is taken back.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// Its name in the queue.
    pub(super) message: BlobId,
    /// Recipients that it waited with.
    pub(super) recipients: usize,
    /// Until when, by the queue's clock.
    pub(super) until_ms: u64,
    /// The sheet that it was written on.
    pub(super) sheet: String,
    /// Its copy for who wrote it: the folder, a slash, the UID.
    pub(super) copy: String,
    /// How it answers what, as a draft says it; empty: nothing.
    pub(super) answers: String,
    /// The flags that the message got which it answers.
    pub(super) marked: Option<Flags>,
}

/// Messages that were moved.
#[derive(Clone, Debug)]
pub(super) struct Undo {
    /// Where they are.
    pub(super) from: String,
    /// Where they were.
    pub(super) to: String,
    pub(super) uids: Vec<UidRun>,
}

/// Who has signed in at one server.
#[derive(Debug, Default)]
pub struct Visits {
    all: Mutex<VecDeque<Visit>>,
    sent: Mutex<VecDeque<(AccountId, Sent)>>,
}

impl Visits {
    /// Others that are the same.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self { all: Mutex::new(self.all().clone()), sent: Mutex::new(self.all_sent().clone()) }
    }

    fn all(&self) -> MutexGuard<'_, VecDeque<Visit>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all_sent(&self) -> MutexGuard<'_, VecDeque<(AccountId, Sent)>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An account sent a letter.
    pub(super) fn remember(&self, account: AccountId, sent: Sent) {
        let mut all = self.all_sent();
        if all.len() >= SENT_MAX {
            all.pop_front();
        }
        all.push_back((account, sent));
    }

    /// A letter was not sent after all.
    pub(super) fn forget_sent(&self, message: BlobId) {
        self.all_sent().retain(|(_, sent)| sent.message != message);
    }

    /// A letter that this account sent, the latest of those that are meant.
    pub(super) fn sent(&self, account: AccountId, meant: impl Fn(&Sent) -> bool) -> Option<Sent> {
        let all = self.all_sent();
        let mut own = all.iter().rev().filter(|(whose, _)| *whose == account);
        own.find(|(_, sent)| meant(sent)).map(|(_, sent)| sent.clone())
    }

    /// Something was asked in this visit; all that was, as far as it is remembered.
    pub(super) fn note(&self, id: &str, exchange: Exchange) -> Option<VecDeque<Exchange>> {
        self.with(id, |visit| {
            if visit.exchanges.len() >= EXCHANGES_MAX {
                visit.exchanges.pop_front();
            }
            visit.exchanges.push_back(exchange);
            visit.exchanges.clone()
        })
    }

    /// Somebody has signed in; the name of their visit.
    pub(super) fn begin(
        &self,
        account: AccountId,
        name: String,
        now: Now,
        chance: [u8; 16],
    ) -> String {
        let id = format!("{:032x}", u128::from_be_bytes(chance));
        let mut all = self.all();
        if all.len() >= VISITS_MAX {
            all.pop_front();
        }
        all.push_back(Visit {
            id: id.clone(),
            account,
            name,
            notice: String::new(),
            undo: None,
            held: Vec::new(),
            sheets: VecDeque::new(),
            exchanges: VecDeque::new(),
            used_ms: now.monotonic_ms,
        });
        id
    }

    /// The visit of this name. It goes to the end of the line, so that the first is the one that was used longest ago.
    pub(super) fn of(&self, id: &str, now: Now) -> Option<Visit> {
        let mut all = self.fresh(now);
        let at = all.iter().position(|visit| visit.id == id)?;
        let mut visit = all.remove(at)?;
        visit.used_ms = now.monotonic_ms;
        all.push_back(visit.clone());
        Some(visit)
    }

    /// The same for what a page asks by itself: that nobody is there any more must not be hidden by it.
    pub(super) fn glance(&self, id: &str, now: Now) -> Option<Visit> {
        self.fresh(now).iter().find(|visit| visit.id == id).cloned()
    }

    /// Without the visits that have ended by themselves.
    fn fresh(&self, now: Now) -> MutexGuard<'_, VecDeque<Visit>> {
        let mut all = self.all();
        let now_ms = now.monotonic_ms;
        while all.front().is_some_and(|visit| now_ms - visit.used_ms.min(now_ms) > UNUSED_MS_MAX) {
            all.pop_front();
        }
        all
    }

    fn with<T>(&self, id: &str, change: impl FnOnce(&mut Visit) -> T) -> Option<T> {
        self.all().iter_mut().find(|visit| visit.id == id).map(change)
    }

    /// Something was done: the next list says so, and it may be undone.
    pub(super) fn tell(&self, id: &str, notice: &str, undo: Option<Undo>) {
        self.with(id, |visit| {
            notice.clone_into(&mut visit.notice);
            visit.undo = undo;
        });
    }

    /// What was done was said.
    pub(super) fn told(&self, id: &str) {
        self.with(id, |visit| visit.notice.clear());
    }

    /// The draft that a sheet is kept as now.
    pub(super) fn draft_of(&self, id: &str, sheet: &str) -> Option<String> {
        let found = |visit: &mut Visit| match visit.kept(sheet)? {
            Kept::Draft(place) => Some(place.clone()),
            Kept::Sent => None,
        };
        self.with(id, found).flatten()
    }

    /// A sheet is kept as this draft, in place of another one, on whatever sheets that was.
    pub(super) fn keep(&self, id: &str, sheet: &str, old: &str, place: &str) {
        self.with(id, |visit| {
            for (_, kept) in &mut visit.sheets {
                if matches!(kept, Kept::Draft(known) if known == old) {
                    *kept = Kept::Draft(place.to_owned());
                }
            }
            visit.set(sheet, Kept::Draft(place.to_owned()));
        });
    }

    /// A sheet is about to be sent; not if it was before.
    pub(super) fn claim(&self, id: &str, sheet: &str) -> bool {
        let claimed = |visit: &mut Visit| {
            let is_free = visit.kept(sheet) != Some(&Kept::Sent);
            visit.set(sheet, Kept::Sent);
            is_free
        };
        sheet.is_empty() || self.with(id, claimed).unwrap_or(true)
    }

    /// Whether a sheet was sent.
    pub(super) fn is_sent(&self, id: &str, sheet: &str) -> bool {
        self.with(id, |visit| visit.kept(sheet) == Some(&Kept::Sent)).unwrap_or(false)
    }

    /// A sheet was not sent: it is kept as it was before, which may be nowhere.
    pub(super) fn give_back(&self, id: &str, sheet: &str, draft: &str) {
        self.with(id, |visit| {
            visit.sheets.retain(|(name, _)| name != sheet);
            if !draft.is_empty() {
                visit.set(sheet, Kept::Draft(draft.to_owned()));
            }
        });
    }

    /// The queue holds a letter, which may be taken back.
    pub(super) fn hold(&self, id: &str, held: Held) {
        self.with(id, |visit| {
            if visit.held.len() >= HELD_MAX {
                visit.held.remove(0);
            }
            visit.held.push(held);
        });
    }

    /// Somebody wants to take this letter back: nobody else does so at the same moment.
    pub(super) fn take_held(&self, id: &str, message: BlobId) -> Option<Held> {
        let taken = |visit: &mut Visit| {
            let at = visit.held.iter().position(|held| held.message == message)?;
            Some(visit.held.remove(at))
        };
        self.with(id, taken).flatten()
    }

    /// Somebody has signed out.
    pub(super) fn end(&self, id: &str) {
        self.all().retain(|visit| visit.id != id);
    }
}

impl Visit {
    /// For a page that is not loaded by hand.
    pub(super) fn without_notice(self) -> Self {
        Self { notice: String::new(), ..self }
    }

    fn kept(&self, sheet: &str) -> Option<&Kept> {
        self.sheets.iter().find(|(name, _)| name == sheet).map(|(_, kept)| kept)
    }

    fn set(&mut self, sheet: &str, kept: Kept) {
        if sheet.is_empty() {
            return;
        }
        self.sheets.retain(|(name, _)| name != sheet);
        if self.sheets.len() >= SHEETS_MAX {
            self.sheets.pop_front();
        }
        self.sheets.push_back((sheet.to_owned(), kept));
    }
}
