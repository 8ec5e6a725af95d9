//! Who has signed in: names that cannot be guessed, and whom each stands for. They are in memory, as sessions are.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pillarbox_engine::imap::types::UidRun;
use pillarbox_engine::types::Now;

use crate::store::AccountId;

/// Visits at once; beyond, the one that was used longest ago ends.
const VISITS_MAX: usize = 1000;
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
    used_ms: u64,
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
pub struct Visits(Mutex<VecDeque<Visit>>);

impl Visits {
    /// Others that are the same.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self(Mutex::new(self.all().clone()))
    }

    fn all(&self) -> MutexGuard<'_, VecDeque<Visit>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        let (notice, undo, used_ms) = (String::new(), None, now.monotonic_ms);
        all.push_back(Visit { id: id.clone(), account, name, notice, undo, used_ms });
        id
    }

    /// The visit of this name. It goes to the end of the line, so that the first is the one that was used longest ago.
    pub(super) fn of(&self, id: &str, now: Now) -> Option<Visit> {
        let mut all = self.all();
        let now_ms = now.monotonic_ms;
        while all.front().is_some_and(|visit| now_ms - visit.used_ms.min(now_ms) > UNUSED_MS_MAX) {
            all.pop_front();
        }
        let at = all.iter().position(|visit| visit.id == id)?;
        let mut visit = all.remove(at)?;
        visit.used_ms = now_ms;
        all.push_back(visit.clone());
        Some(visit)
    }

    /// Something was done: the next list says so, and it may be undone.
    pub(super) fn tell(&self, id: &str, notice: &str, undo: Option<Undo>) {
        if let Some(visit) = self.all().iter_mut().find(|visit| visit.id == id) {
            notice.clone_into(&mut visit.notice);
            visit.undo = undo;
        }
    }

    /// What was done was said.
    pub(super) fn told(&self, id: &str) {
        if let Some(visit) = self.all().iter_mut().find(|visit| visit.id == id) {
            visit.notice.clear();
        }
    }

    /// Somebody has signed out.
    pub(super) fn end(&self, id: &str) {
        self.all().retain(|visit| visit.id != id);
    }
}
