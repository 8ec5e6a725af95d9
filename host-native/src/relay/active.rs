//! A destination that is worked at: which of its tasks are taken, and by how many workers.
//! Of a backlog of any size only a page of numbers is in memory.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pillarbox_engine::types::Reason;
use pillarbox_world::queue::TaskId;
use pillarbox_world::store::Store;
use prometheus::IntGauge;
use tokio::sync::Notify;

/// Tasks that are read at once.
pub(super) const PAGE: u32 = 64;

/// A destination that is worked at.
pub(super) struct Active {
    /// Its key.
    pub(super) name: Vec<u8>,
    /// Told that there may be more to do.
    pub(super) news: Notify,
    /// Tasks of all destinations that are taken.
    in_hand: IntGauge,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// To be taken next.
    ready: VecDeque<TaskId>,
    /// Being worked at, or written down.
    taken: HashSet<TaskId>,
    workers: u32,
    /// Workers that have a connection.
    connected: u32,
    /// Whether all were asked to take no more, since the server was not reached.
    given_up: bool,
}

impl Active {
    /// With its first worker.
    pub(super) fn new(name: Vec<u8>, in_hand: IntGauge) -> Self {
        let state = State { workers: 1, ..State::default() };
        Self { name, news: Notify::new(), in_hand, state: Mutex::new(state) }
    }

    /// Takes the next task that is due and that nobody has.
    pub(super) fn take(
        &self,
        store: &(dyn Store + Send + Sync),
        now_ms: u64,
    ) -> Result<Option<TaskId>, Reason> {
        let mut state = self.state();
        if state.given_up {
            return Ok(None);
        }
        if state.ready.is_empty() {
            let max = PAGE + u32::try_from(state.taken.len()).unwrap_or(u32::MAX - PAGE);
            let due = store.due_tasks(&self.name, now_ms, max)?;
            let State { ready, taken, .. } = &mut *state;
            ready.extend(due.into_iter().filter(|task| !taken.contains(task)));
        }
        let next = state.ready.pop_front();
        if let Some(task) = next {
            self.hold(&mut state, task);
        }
        Ok(next)
    }

    /// Takes one task, unless somebody has it.
    pub(super) fn take_this(&self, task: TaskId) -> bool {
        self.hold(&mut self.state(), task)
    }

    fn hold(&self, state: &mut State, task: TaskId) -> bool {
        let is_free = state.taken.insert(task);
        self.in_hand.add(i64::from(is_free));
        is_free
    }

    /// What became of a task is written down, or it was not touched.
    pub(super) fn done(&self, task: TaskId) {
        let was_taken = self.state().taken.remove(&task);
        self.in_hand.sub(i64::from(was_taken));
    }

    /// Whether another worker would find something to do; it is counted then.
    pub(super) fn widen(&self, most: u32) -> bool {
        let mut state = self.state();
        let wide = state.connected > 0 && !state.ready.is_empty() && state.workers < most;
        if wide {
            state.workers += 1;
        }
        wide
    }

    /// A worker that was counted does not begin.
    pub(super) fn narrow(&self) {
        self.state().workers -= 1;
    }

    /// Whether there is something ready besides what was taken.
    pub(super) fn has_ready(&self) -> bool {
        !self.state().ready.is_empty()
    }

    pub(super) fn connected(&self) {
        self.state().connected += 1;
    }

    pub(super) fn disconnected(&self) {
        self.state().connected -= 1;
    }

    /// The server was not reached: nobody takes more. False if others reach it, so that only one connection less is had.
    pub(super) fn give_up(&self) -> bool {
        let mut state = self.state();
        let alone = state.connected == 0 && !state.given_up;
        state.given_up |= alone;
        alone
    }

    /// A worker ends; whether it was the last one.
    pub(super) fn leave(&self) -> bool {
        let mut state = self.state();
        state.workers -= 1;
        state.workers == 0
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while holding it leaves numbers at worst; the store is the truth.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        // Whatever ended the work ended it for these too.
        let taken = self.state().taken.len();
        self.in_hand.sub(i64::try_from(taken).unwrap_or(0));
    }
}
