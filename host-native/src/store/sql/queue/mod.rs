//! Writes to the queue: what comes, what an attempt leaves, what an operator wants.

mod reads;
mod rows;
mod sql;

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};

use pillarbox_engine::imap::types::{Flags, UidRun};
use pillarbox_engine::types::{BlobId, Reason};
use pillarbox_world::queue::{
    Action, Block, Enqueue, NewTask, STEER_MAX, Settle, Steer, Steered, TaskId, Which,
};
use pillarbox_world::store::{Body, NewMessage, Outcome};

use super::connection::{self, OptionalExtension};
use super::messages::arrived;
use super::writer::{Changes, Done, Failure, Writer};

/// The queue in numbers, as the writer keeps them beside the tables: to count a million rows takes too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super::super) struct Counts {
    pub(in super::super::super) messages: u64,
    pub(in super::super::super) tasks: u64,
    pub(in super::super::super) held: u64,
    pub(in super::super::super) latest_ms: u64,
}

/// A task's row, as far as writes need it.
struct Found {
    id: TaskId,
    message: BlobId,
    destination: u64,
    held: bool,
}

impl Writer {
    pub(super) fn enqueue(
        &mut self,
        blob: BlobId,
        size: u64,
        plain: bool,
        relay: &Enqueue,
        now_ms: u64,
    ) -> Result<(), Failure> {
        let detail = rows::to_json(&rows::Detail::of(relay))?;
        let came_ms = relay.times.came_unix_ms;
        self.connection
            .prepare_cached(sql::ADD_MESSAGE)?
            .execute((blob, size, relay.skip, plain, came_ms, &detail))?;
        self.written += detail.len() as u64 + 200;
        self.queue.messages += 1;
        for task in &relay.tasks {
            self.add_task(blob, false, -i64::from(relay.priority), task)?;
        }
        self.queue.latest_ms = self.queue.latest_ms.max(now_ms);
        Ok(())
    }

    fn add_task(
        &mut self,
        message: BlobId,
        held: bool,
        rank: i64,
        task: &NewTask,
    ) -> Result<(), Failure> {
        let destination = self.count_task(task, held)?;
        let recipients = rows::to_json(&task.recipients)?;
        self.written += recipients.len() as u64 + 400;
        let (due_ms, notice_ms) = (task.due_ms, task.notice_ms);
        self.connection.prepare_cached(sql::ADD_TASK)?.execute((
            message,
            destination,
            held,
            rank,
            due_ms,
            notice_ms,
            recipients,
        ))?;
        self.connection.prepare_cached(sql::COUNT_MESSAGE)?.execute((message, 1))?;
        self.queue.tasks += 1;
        self.queue.held += u64::from(held);
        Ok(())
    }

    /// Counts a task in, and makes its destination if it has none yet.
    fn count_task(&self, task: &NewTask, held: bool) -> connection::Result<u64> {
        let next_ms = (!held).then_some(task.due_ms);
        let until_ms = if held { i64::MAX as u64 } else { task.notice_ms };
        let mut count = self.connection.prepare_cached(sql::COUNT_IN)?;
        count.query_row((&task.destination, next_ms, until_ms), |row| row.get(0))
    }

    /// A task's row is gone or points elsewhere: its destination is to be counted, once for all that run now.
    fn leave(&mut self, destination: u64) {
        *self.went.entry(destination).or_default() += 1;
    }

    /// Counts tasks out; the last one takes its destination with it.
    pub(super) fn count_out(&mut self) -> connection::Result<()> {
        while let Some((destination, tasks)) = self.went.pop_first() {
            self.connection.prepare_cached(sql::COUNT_OUT)?.execute((destination, tasks))?;
            let mut drop = self.connection.prepare_cached(sql::DROP_DESTINATION)?;
            if drop.execute([destination])? == 0 {
                self.set_next(destination)?;
            }
        }
        Ok(())
    }

    fn set_next(&self, destination: u64) -> connection::Result<()> {
        let next_ms = reads::next_due(&self.connection, destination)?;
        self.connection.prepare_cached(sql::SET_NEXT)?.execute((destination, next_ms))?;
        Ok(())
    }

    fn drop_task(&mut self, found: &Found) -> Result<(), Failure> {
        self.connection.prepare_cached(sql::DROP_TASK)?.execute([found.id])?;
        self.queue.tasks -= 1;
        self.queue.held -= u64::from(found.held);
        self.written += 200;
        // Most messages have one task, so this is tried first.
        if self.connection.prepare_cached(sql::DROP_MESSAGE)?.execute([found.message])? == 1 {
            self.queue.messages -= 1;
            self.release(found.message)?;
        } else {
            self.connection.prepare_cached(sql::COUNT_MESSAGE)?.execute((found.message, -1))?;
        }
        Ok(())
    }

    pub(super) fn settle(&mut self, settle: &Settle) -> Done {
        let &Settle { task, ref keep, ref accounts, ref reports, now_ms } = settle;
        type Row = (BlobId, u64, bool, i64, u64, bool);
        let row: Option<Row> = self
            .connection
            .prepare_cached(sql::ROW)?
            .query_row([task], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
            })
            .optional()?;
        let (message, destination, held, rank, size, plain) = row.ok_or(Reason::NotFound)?;
        // Another node works at the queue by now: what this attempt came to is not known there, and must not be mixed in.
        if let Some(shared) = &self.shared
            && !shared.may_settle(&self.connection)?
        {
            return Err(Reason::NotFound.into());
        }
        let mut changes = self.put_stored(message, size, plain, accounts, now_ms)?;
        changes.extend(self.deliver_reports(reports)?);
        let mut keep = keep.iter();
        match keep.next() {
            None => {
                let found = Found { id: task, message, destination, held };
                self.drop_task(&found)?;
            }
            Some(first) => {
                let to = self.count_task(first, held)?;
                let recipients = rows::to_json(&first.recipients)?;
                self.written += recipients.len() as u64 + 400;
                let (due_ms, notice_ms) = (first.due_ms, first.notice_ms);
                self.connection
                    .prepare_cached(sql::AGAIN)?
                    .execute((task, to, due_ms, notice_ms, recipients))?;
            }
        }
        self.leave(destination);
        for more in keep {
            self.add_task(message, held, rank, more)?;
        }
        self.queue.latest_ms = self.queue.latest_ms.max(now_ms);
        Ok((Outcome::Done, changes))
    }

    /// Puts a message of the queue into mailboxes.
    fn put_stored(
        &mut self,
        blob: BlobId,
        size: u64,
        plain: bool,
        accounts: &[Vec<u8>],
        now_ms: u64,
    ) -> Result<Changes, Failure> {
        let mut changes = Changes::new();
        for name in accounts {
            let inbox = self.ensure_account(name)?.1;
            self.connection
                .prepare_cached("UPDATE blob SET uses = uses + 1 WHERE id = ?1")?
                .execute([blob])?;
            let message = NewMessage {
                body: Body::Whole(Vec::new()),
                index: Vec::new(),
                plain,
                flags: Flags::default(),
                internal_date_ms: now_ms,
                internal_date_zone: 0,
            };
            let uid = self.put(inbox, blob, size, &message, now_ms)?;
            changes.push((inbox, arrived(vec![UidRun { first: uid, last: uid }])));
        }
        Ok(changes)
    }

    pub(super) fn block(&mut self, block: &Block) -> Done {
        let Block { destination, until_ms, failures, why } = block;
        self.connection.prepare_cached(sql::BLOCK)?.execute((
            destination,
            until_ms,
            failures,
            why,
        ))?;
        self.written += 200;
        Ok((Outcome::Done, Changes::new()))
    }

    pub(super) fn steer(&mut self, steer: &Steer) -> Done {
        let looked = self.look(&steer.which, steer.after)?;
        if steer.action.comes_too_late(looked.iter().map(|(_, due_ms)| *due_ms)) {
            return Ok((Outcome::Steered(Steered::default()), Changes::new()));
        }
        let more = looked.len() == STEER_MAX as usize;
        let last = looked.last().map(|(found, _)| found.id).filter(|_| more);
        let (mut tasks, mut held, mut touched) = (0, 0, BTreeSet::new());
        let mut wanted = BTreeMap::new();
        for (found, due_ms) in looked {
            let wanted = match wanted.entry(found.destination) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(new) => *new.insert(self.means(&steer.which, found.destination)?),
            };
            if !wanted {
                continue;
            }
            if found.held && matches!(steer.action, Action::Retry { .. }) {
                held += 1;
            } else if self.steer_one(&found, due_ms, steer.action)? {
                tasks += 1;
                if !matches!(steer.action, Action::Delete | Action::Recall { .. }) {
                    touched.insert(found.destination);
                }
            }
        }
        for destination in touched {
            self.set_next(destination)?;
        }
        self.written += u64::from(tasks) * 200;
        Ok((Outcome::Steered(Steered { tasks, held, last }), Changes::new()))
    }

    fn means(&self, which: &Which, destination: u64) -> connection::Result<bool> {
        if matches!(which, Which::All | Which::Message(_)) {
            return Ok(true);
        }
        let mut named = self.connection.prepare_cached(sql::DESTINATION_NAME)?;
        named.query_row([destination], |row| Ok(which.has(&row.get::<_, Vec<u8>>(0)?)))
    }

    /// The next tasks, with when they are due.
    fn look(&self, which: &Which, after: TaskId) -> connection::Result<Vec<(Found, u64)>> {
        let read = |row: &connection::Row<'_>| {
            let (id, message, destination) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok((Found { id, message, destination, held: row.get(3)? }, row.get(4)?))
        };
        match which {
            Which::Message(message) => self
                .connection
                .prepare_cached(sql::LOOK_MESSAGE)?
                .query_map((after, STEER_MAX, message), read)?
                .collect(),
            Which::All | Which::Destination(_) | Which::Under(_) => self
                .connection
                .prepare_cached(sql::LOOK)?
                .query_map((after, STEER_MAX), read)?
                .collect(),
        }
    }

    /// Whether it changed anything.
    fn steer_one(&mut self, found: &Found, due_ms: u64, action: Action) -> Result<bool, Failure> {
        let run = |sql: &str, value: u64| {
            self.connection.prepare_cached(sql)?.execute((found.id, value)).map(|_| true)
        };
        Ok(match action {
            Action::Hold if !found.held => {
                self.queue.held += 1;
                run(sql::SET_HELD, 1)?
            }
            Action::Release if found.held => {
                self.queue.held -= 1;
                run(sql::SET_HELD, 0)?
            }
            Action::Hold | Action::Release => false,
            Action::Retry { now_ms } => {
                self.connection.prepare_cached(sql::UNBLOCK)?.execute([found.destination])?;
                run(sql::SET_DUE, due_ms.min(now_ms))?
            }
            Action::Delete | Action::Recall { .. } => {
                self.drop_task(found)?;
                self.leave(found.destination);
                true
            }
            Action::Clamp { now_ms, latest_ms } => {
                self.connection.prepare_cached(sql::CLAMP_BLOCK)?.execute((
                    found.destination,
                    now_ms,
                    latest_ms,
                ))?;
                let detail: rows::Detail = self
                    .connection
                    .prepare_cached(sql::DETAIL)?
                    .query_row([found.message], |row| rows::json(row, 0))?;
                match Action::clamped(&detail.times, due_ms, now_ms, latest_ms) {
                    Some(due_ms) => run(sql::SET_DUE, due_ms)?,
                    None => false,
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::sqlite::schema::MIGRATIONS;
    use super::sql;
    use rusqlite::Connection;

    /// A queue of any size is served by indexes alone: no statement walks through a table, and none sorts.
    #[test]
    fn no_statement_scans() {
        let connection = Connection::open_in_memory().expect("memory is there");
        MIGRATIONS.iter().for_each(|step| connection.execute_batch(step).expect("it is right"));
        for statement in sql::ALL {
            let mut explain =
                connection.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).expect(statement);
            let parameters = vec![0; explain.parameter_count()];
            let plan = explain
                .query_map(rusqlite::params_from_iter(parameters), |row| row.get::<_, String>(3))
                .expect("it runs")
                .collect::<rusqlite::Result<Vec<String>>>()
                .expect("it is text");
            for step in &plan {
                // In order of an index, up to a limit, is no walk through the table.
                let limited = step.starts_with("SCAN queue_destination USING INDEX")
                    || step == "SCAN queue_message" && statement.ends_with("ORDER BY id LIMIT 1");
                assert!(!step.contains("SCAN") || limited, "{statement}: {plan:?}");
                assert!(!step.contains("TEMP B-TREE"), "{statement}: {plan:?}");
            }
        }
    }
}
