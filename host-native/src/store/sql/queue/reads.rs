//! Reads of the queue, each bounded by its page.

use super::super::connection::{self, Connection, OptionalExtension, Row};
use super::super::value::Params;
use pillarbox_engine::types::{BlobId, Reason};
use pillarbox_world::queue::{Destination, Queue, QueueStats, QueuedMessage, Task, TaskId};

use super::super::SqlStore;
use super::super::reads::consistently;
use super::{rows, sql};

/// Below every rank.
const BEFORE_ALL: i64 = i64::MIN;

impl Queue for SqlStore {
    fn due_destinations(&self, now_ms: u64, max: u32) -> Result<Vec<Destination>, Reason> {
        self.read(|c| all(c, sql::DUE_DESTINATIONS, (now_ms, max), rows::destination))
    }

    fn next_wake_ms(&self, after_ms: u64) -> Result<Option<u64>, Reason> {
        self.read(|c| {
            c.prepare_cached(sql::NEXT_WAKE)?.query_row([after_ms], |row| row.get(0)).optional()
        })
    }

    fn due_tasks(&self, destination: &[u8], now_ms: u64, max: u32) -> Result<Vec<TaskId>, Reason> {
        self.read(|c| consistently(c, || due_tasks(c, destination, now_ms, max)))
    }

    fn notice_tasks(
        &self,
        destination: &[u8],
        now_ms: u64,
        max: u32,
    ) -> Result<Vec<TaskId>, Reason> {
        self.read(|c| {
            consistently(c, || match destination_id(c, destination)? {
                Some(id) => all(c, sql::NOTICE_TASKS, (id, now_ms, max), |row| row.get(0)),
                None => Ok(Vec::new()),
            })
        })
    }

    fn next_notice_ms(&self, destination: &[u8], after_ms: u64) -> Result<Option<u64>, Reason> {
        self.read(|c| {
            consistently(c, || match destination_id(c, destination)? {
                Some(id) => c
                    .prepare_cached(sql::NEXT_NOTICE)?
                    .query_row((id, after_ms), |row| row.get(0))
                    .optional(),
                None => Ok(None),
            })
        })
    }

    fn destination(&self, name: &[u8]) -> Result<Destination, Reason> {
        self.read(|c| c.prepare_cached(sql::DESTINATION)?.query_row([name], rows::destination))
    }

    fn destinations(&self, after: &[u8], max: u32) -> Result<Vec<Destination>, Reason> {
        self.read(|c| all(c, sql::DESTINATIONS, (after, max), rows::destination))
    }

    fn messages(&self, after: BlobId, max: u32) -> Result<Vec<QueuedMessage>, Reason> {
        self.read(|c| all(c, sql::MESSAGES, (after, max), |row| rows::message(row, 0)))
    }

    fn tasks(&self, message: BlobId, after: TaskId, max: u32) -> Result<Vec<Task>, Reason> {
        self.read(|c| all(c, sql::TASKS_OF, (message, after, max), rows::task))
    }

    fn task(&self, task: TaskId) -> Result<Task, Reason> {
        self.read(|c| c.prepare_cached(sql::TASK)?.query_row([task], rows::task))
    }

    fn queue_stats(&self) -> Result<QueueStats, Reason> {
        self.read(|c| {
            consistently(c, || {
                let mut find = c.prepare_cached(sql::COUNTER)?;
                let mut counter = |name: &str| find.query_row([name], |row| row.get::<_, u64>(0));
                let mut oldest = c.prepare_cached(sql::OLDEST)?;
                Ok(QueueStats {
                    messages: counter("queue_messages")?,
                    tasks: counter("queue_tasks")?,
                    held: counter("queue_held")?,
                    latest_ms: counter("queue_latest")?,
                    oldest_ms: oldest.query_row((), |row| row.get(0)).optional()?,
                })
            })
        })
    }
}

fn due_tasks(
    c: &Connection,
    destination: &[u8],
    now_ms: u64,
    max: u32,
) -> connection::Result<Vec<TaskId>> {
    let Some(id) = destination_id(c, destination)? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    let mut rank = BEFORE_ALL;
    while let Some((next, due_ms)) = next_rank(c, id, rank)? {
        rank = next;
        let room = max.saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX));
        if room == 0 {
            break;
        }
        if due_ms <= now_ms {
            let due: Vec<TaskId> =
                all(c, sql::DUE_TASKS, (id, rank, now_ms, room), |row| row.get(0))?;
            found.extend(due);
        }
    }
    Ok(found)
}

/// The next rank that has tasks, and when the first of those is due.
pub(super) fn next_rank(
    c: &Connection,
    destination: u64,
    after: i64,
) -> connection::Result<Option<(i64, u64)>> {
    let mut find = c.prepare_cached(sql::NEXT_RANK)?;
    find.query_row((destination, after), |row| Ok((row.get(0)?, row.get(1)?))).optional()
}

/// When the first of a destination's tasks is due; none: all are held.
pub(super) fn next_due(c: &Connection, destination: u64) -> connection::Result<Option<u64>> {
    let (mut rank, mut first) = (BEFORE_ALL, None);
    while let Some((next, due_ms)) = next_rank(c, destination, rank)? {
        rank = next;
        first = Some(first.map_or(due_ms, |first: u64| first.min(due_ms)));
    }
    Ok(first)
}

fn destination_id(c: &Connection, name: &[u8]) -> connection::Result<Option<u64>> {
    c.prepare_cached(sql::DESTINATION_ID)?.query_row([name], |row| row.get(0)).optional()
}

fn all<T>(
    c: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> connection::Result<T>,
) -> connection::Result<Vec<T>> {
    c.prepare_cached(sql)?.query_map(params, read)?.collect()
}
