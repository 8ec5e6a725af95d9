//! The queue of the memory store: the reference for what every other store's queue must answer.

use std::collections::BTreeMap;

use pillarbox_engine::imap::types::{Flags, UidRun};
use pillarbox_engine::types::{BlobId, Reason};

use super::writes::{arrived, plain};
use super::{MemoryStore, Message};
use crate::queue::{
    Action, Block, Destination, Enqueue, NewTask, Queue, QueueStats, QueuedMessage, STEER_MAX,
    Settle, Steer, Steered, Task, TaskId, Which,
};
use crate::store::{Outcome, Written};

/// All of the queue.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    messages: BTreeMap<BlobId, Box<QueuedMessage>>,
    tasks: BTreeMap<TaskId, Box<Stored>>,
    blocked: BTreeMap<Vec<u8>, Box<Block>>,
    last_task: TaskId,
    latest_ms: u64,
}

#[derive(Clone, Debug)]
struct Stored {
    message: BlobId,
    held: bool,
    task: NewTask,
}

impl State {
    fn add(&mut self, message: BlobId, held: bool, task: NewTask) {
        self.shorten_block(&task, held);
        self.last_task += 1;
        self.tasks.insert(self.last_task, Box::new(Stored { message, held, task }));
    }

    /// No block lasts longer than until the sender of a task must be told something.
    fn shorten_block(&mut self, task: &NewTask, held: bool) {
        if let Some(block) = self.blocked.get_mut(&task.destination).filter(|_| !held) {
            block.until_ms = block.until_ms.min(task.notice_ms);
        }
    }

    fn of<'a>(
        &'a self,
        destination: &'a [u8],
    ) -> impl Iterator<Item = (&'a TaskId, &'a Box<Stored>)> {
        self.tasks.iter().filter(move |(_, stored)| stored.task.destination == destination)
    }

    fn shown(&self, id: TaskId, stored: &Stored) -> Task {
        let NewTask { destination, recipients, due_ms, notice_ms } = stored.task.clone();
        let message = self.messages[&stored.message].clone();
        let held = stored.held;
        Task { id, message: *message, destination, recipients, due_ms, notice_ms, held }
    }

    /// Tasks for which `key` gives something to sort by.
    fn page<K: Ord>(
        &self,
        destination: &[u8],
        max: u32,
        key: impl Fn(&Task) -> Option<K>,
    ) -> Vec<TaskId> {
        let tasks = self.of(destination).filter(|(_, stored)| !stored.held);
        let tasks = tasks.map(|(id, stored)| self.shown(*id, stored));
        let mut found: Vec<(K, Task)> =
            tasks.filter_map(|task| Some((key(&task)?, task))).collect();
        pillarbox_engine::order::sort_by(&mut found, |(a, _), (b, _)| a.cmp(b));
        found.into_iter().take(max as usize).map(|(_, task)| task.id).collect()
    }

    fn found(&self, name: &[u8]) -> Option<Destination> {
        let block = self.blocked.get(name).cloned().unwrap_or_default();
        let tasks = self.of(name).count() as u64;
        let due = self.of(name).filter(|(_, stored)| !stored.held);
        let next = due.map(|(_, stored)| stored.task.due_ms).min();
        (tasks > 0).then(|| Destination {
            name: name.to_vec(),
            tasks,
            wake_ms: next.map(|next| next.max(block.until_ms)),
            blocked_ms: block.until_ms,
            failures: block.failures,
            why: block.why,
        })
    }

    fn all(&self) -> Vec<Destination> {
        let mut names: Vec<&Vec<u8>> = self.tasks.values().map(|s| &s.task.destination).collect();
        pillarbox_engine::order::sort(&mut names);
        names.dedup();
        names.into_iter().filter_map(|name| self.found(name)).collect()
    }

    /// What is known of a destination goes with its last task.
    fn forget_idle(&mut self) {
        let tasks = &self.tasks;
        self.blocked.retain(|name, _| tasks.values().any(|s| s.task.destination == *name));
    }

    fn chosen(&self, which: &Which, after: TaskId) -> Vec<TaskId> {
        let tasks = self.tasks.range(after + 1..);
        let of_message = |message: BlobId| match which {
            Which::Message(wanted) => *wanted == message,
            Which::All | Which::Destination(_) | Which::Under(_) => true,
        };
        let tasks = tasks.filter(|(_, stored)| of_message(stored.message));
        tasks.take(STEER_MAX as usize).map(|(id, _)| *id).collect()
    }
}

impl MemoryStore {
    pub(super) fn enqueue(&mut self, id: BlobId, plain: bool, relay: &Enqueue, now_ms: u64) {
        let Enqueue { mail, skip, times, priority, by, tls_optional, tasks } = relay.clone();
        let size = self.blobs.get(&id).map_or(0, |blob| blob.octets.len() as u64);
        let message =
            QueuedMessage { id, size, skip, plain, mail, times, priority, by, tls_optional };
        self.queue.messages.insert(id, Box::new(message));
        tasks.into_iter().for_each(|task| self.queue.add(id, false, task));
        self.queue.latest_ms = self.queue.latest_ms.max(now_ms);
    }

    pub(super) fn settle(&mut self, settle: Settle) -> Result<Written, Reason> {
        let Settle { task, keep, accounts, reports, now_ms } = settle;
        let stored = self.queue.tasks.get(&task).cloned().ok_or(Reason::NotFound)?;
        let mut changes = Vec::new();
        for name in &accounts {
            let inbox = self.inbox(name)?;
            self.use_blob(stored.message);
            let modseq = self.next_modseq();
            let message = Message {
                blob: stored.message,
                flags: Flags::default(),
                modseq,
                internal_date_ms: now_ms,
                internal_date_zone: 0,
                save_date_ms: now_ms,
            };
            let uid = self.mailboxes.get_mut(&inbox).ok_or(Reason::NotFound)?.add(message)?;
            changes.push((inbox, arrived(vec![UidRun { first: uid, last: uid }])));
        }
        changes.extend(self.deliver_reports(&reports)?);
        self.queue.tasks.remove(&task);
        let mut keep = keep.into_iter();
        if let Some(first) = keep.next() {
            self.queue.shorten_block(&first, stored.held);
            let again = Stored { task: first, ..*stored.clone() };
            self.queue.tasks.insert(task, Box::new(again));
        }
        keep.for_each(|task| self.queue.add(stored.message, stored.held, task));
        self.queue.latest_ms = self.queue.latest_ms.max(now_ms);
        self.queue.forget_idle();
        self.drop_if_done(stored.message);
        Ok(Written::new(Outcome::Done, changes))
    }

    fn drop_if_done(&mut self, message: BlobId) {
        if !self.queue.tasks.values().any(|stored| stored.message == message)
            && self.queue.messages.remove(&message).is_some()
        {
            self.release_blob(message);
        }
    }

    pub(super) fn block(&mut self, block: &Block) -> Written {
        if self.queue.of(&block.destination).next().is_some() {
            self.queue.blocked.insert(block.destination.clone(), Box::new(block.clone()));
        }
        plain(Outcome::Done)
    }

    pub(super) fn steer(&mut self, steer: &Steer) -> Written {
        let looked = self.queue.chosen(&steer.which, steer.after);
        let due = looked.iter().map(|id| self.queue.tasks[id].task.due_ms);
        if steer.action.comes_too_late(due) {
            return plain(Outcome::Steered(Steered::default()));
        }
        let more = looked.len() == STEER_MAX as usize;
        let last = looked.last().copied().filter(|_| more);
        let (mut tasks, mut held) = (0, 0);
        for id in looked {
            let stored = &self.queue.tasks[&id];
            if !steer.which.has(&stored.task.destination) {
                continue;
            }
            if stored.held && matches!(steer.action, Action::Retry { .. }) {
                held += 1;
            } else if self.steer_one(id, steer.action) {
                tasks += 1;
            }
        }
        self.queue.forget_idle();
        plain(Outcome::Steered(Steered { tasks, held, last }))
    }

    /// Whether it changed anything.
    fn steer_one(&mut self, id: TaskId, action: Action) -> bool {
        let Some(stored) = self.queue.tasks.get_mut(&id) else { return false };
        let message = stored.message;
        match action {
            Action::Hold => !std::mem::replace(&mut stored.held, true),
            Action::Release => std::mem::replace(&mut stored.held, false),
            Action::Retry { now_ms } => {
                stored.task.due_ms = stored.task.due_ms.min(now_ms);
                let destination = stored.task.destination.clone();
                self.queue.blocked.remove(&destination);
                true
            }
            Action::Delete | Action::Recall { .. } => {
                self.queue.tasks.remove(&id);
                self.drop_if_done(message);
                true
            }
            Action::Clamp { now_ms, latest_ms } => {
                let times = &self.queue.messages[&message].times;
                let due = Action::clamped(times, stored.task.due_ms, now_ms, latest_ms);
                if let Some(block) = self.queue.blocked.get_mut(&stored.task.destination)
                    && block.until_ms > latest_ms
                {
                    block.until_ms = now_ms;
                }
                let Some(due) = due else { return false };
                stored.task.due_ms = due;
                true
            }
        }
    }
}

impl Queue for MemoryStore {
    fn due_destinations(&self, now_ms: u64, max: u32) -> Result<Vec<Destination>, Reason> {
        let mut due = self.queue.all();
        due.retain(|destination| destination.wake_ms.is_some_and(|wake| wake <= now_ms));
        pillarbox_engine::order::sort_by(&mut due, |a, b| {
            (a.wake_ms, &a.name).cmp(&(b.wake_ms, &b.name))
        });
        due.truncate(max as usize);
        Ok(due)
    }

    fn next_wake_ms(&self, after_ms: u64) -> Result<Option<u64>, Reason> {
        let wakes = self.queue.all().into_iter().filter_map(|destination| destination.wake_ms);
        Ok(wakes.filter(|wake| *wake > after_ms).min())
    }

    fn due_tasks(&self, destination: &[u8], now_ms: u64, max: u32) -> Result<Vec<TaskId>, Reason> {
        Ok(self.queue.page(destination, max, |task| {
            (task.due_ms <= now_ms).then_some((-task.message.priority, task.due_ms, task.id))
        }))
    }

    fn notice_tasks(
        &self,
        destination: &[u8],
        now_ms: u64,
        max: u32,
    ) -> Result<Vec<TaskId>, Reason> {
        Ok(self.queue.page(destination, max, |task| {
            (task.notice_ms <= now_ms).then_some((task.notice_ms, task.id))
        }))
    }

    fn next_notice_ms(&self, destination: &[u8], after_ms: u64) -> Result<Option<u64>, Reason> {
        let waiting = self.queue.of(destination).filter(|(_, stored)| !stored.held);
        let notices = waiting.map(|(_, stored)| stored.task.notice_ms);
        Ok(notices.filter(|notice| *notice > after_ms).min())
    }

    fn destination(&self, name: &[u8]) -> Result<Destination, Reason> {
        self.queue.found(name).ok_or(Reason::NotFound)
    }

    fn destinations(&self, after: &[u8], max: u32) -> Result<Vec<Destination>, Reason> {
        let all = self.queue.all().into_iter();
        Ok(all.filter(|found| found.name[..] > *after).take(max as usize).collect())
    }

    fn messages(&self, after: BlobId, max: u32) -> Result<Vec<QueuedMessage>, Reason> {
        Ok(self
            .queue
            .messages
            .range(after + 1..)
            .take(max as usize)
            .map(|m| QueuedMessage::clone(m.1))
            .collect())
    }

    fn tasks(&self, message: BlobId, after: TaskId, max: u32) -> Result<Vec<Task>, Reason> {
        let tasks = self.queue.tasks.range(after + 1..).filter(|(_, s)| s.message == message);
        Ok(tasks.take(max as usize).map(|(id, stored)| self.queue.shown(*id, stored)).collect())
    }

    fn task(&self, task: TaskId) -> Result<Task, Reason> {
        let stored = self.queue.tasks.get(&task).ok_or(Reason::NotFound)?;
        Ok(self.queue.shown(task, stored))
    }

    fn queue_stats(&self) -> Result<QueueStats, Reason> {
        let queue = &self.queue;
        Ok(QueueStats {
            messages: queue.messages.len() as u64,
            tasks: queue.tasks.len() as u64,
            held: queue.tasks.values().filter(|stored| stored.held).count() as u64,
            oldest_ms: queue.messages.values().next().map(|message| message.times.came_unix_ms),
            latest_ms: queue.latest_ms,
        })
    }
}
