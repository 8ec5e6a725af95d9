//! Every statement about the queue in one place, so that a test can look at how each is executed.
//! A queue of a million tasks is slow only through a statement that no index serves.

/// Columns of a task with its message and destination, in the order in which `rows::task` reads them.
macro_rules! tasks {
    ($rest:literal) => {
        concat!(
            "SELECT t.id, t.due_ms, t.notice_ms, t.held, t.recipients, d.name,
             m.id, m.size, m.skip, m.plain, m.detail
             FROM queue_task t
             CROSS JOIN queue_message m ON m.id = t.message
             CROSS JOIN queue_destination d ON d.id = t.destination ",
            $rest
        )
    };
}

/// Columns of a destination, in the order in which `rows::destination` reads them.
macro_rules! destinations {
    ($rest:literal) => {
        concat!(
            "SELECT name, tasks, wake_ms, blocked_ms, failures, why FROM queue_destination ",
            $rest
        )
    };
}

pub(super) const DUE_DESTINATIONS: &str =
    destinations!("WHERE wake_ms IS NOT NULL AND wake_ms <= ?1 ORDER BY wake_ms, name LIMIT ?2");
pub(super) const NEXT_WAKE: &str =
    "SELECT wake_ms FROM queue_destination WHERE wake_ms > ?1 ORDER BY wake_ms LIMIT 1";
pub(super) const DESTINATION: &str = destinations!("WHERE name = ?1");
pub(super) const DESTINATIONS: &str = destinations!("WHERE name > ?1 ORDER BY name LIMIT ?2");
pub(super) const DESTINATION_NAME: &str = "SELECT name FROM queue_destination WHERE id = ?1";
pub(super) const DESTINATION_ID: &str = "SELECT id FROM queue_destination WHERE name = ?1";

/// The next rank that a destination has tasks of, and when the first of those is due: ranks are found one seek each.
pub(super) const NEXT_RANK: &str = "SELECT rank, due_ms FROM queue_task
     WHERE destination = ?1 AND held = 0 AND rank > ?2 ORDER BY rank, due_ms LIMIT 1";
pub(super) const DUE_TASKS: &str = "SELECT id FROM queue_task
     WHERE destination = ?1 AND held = 0 AND rank = ?2 AND due_ms <= ?3
     ORDER BY due_ms, id LIMIT ?4";
pub(super) const NOTICE_TASKS: &str = "SELECT id FROM queue_task
     WHERE destination = ?1 AND held = 0 AND notice_ms <= ?2 ORDER BY notice_ms, id LIMIT ?3";
pub(super) const NEXT_NOTICE: &str = "SELECT notice_ms FROM queue_task
     WHERE destination = ?1 AND held = 0 AND notice_ms > ?2 ORDER BY notice_ms LIMIT 1";
pub(super) const TASKS_OF: &str =
    tasks!("WHERE t.message = ?1 AND t.id > ?2 ORDER BY t.id LIMIT ?3");
pub(super) const TASK: &str = tasks!("WHERE t.id = ?1");
pub(super) const MESSAGES: &str =
    "SELECT id, size, skip, plain, detail FROM queue_message WHERE id > ?1 ORDER BY id LIMIT ?2";
pub(super) const OLDEST: &str = "SELECT came_ms FROM queue_message ORDER BY id LIMIT 1";
pub(super) const COUNTER: &str = "SELECT value FROM counter WHERE name = ?1";

pub(super) const ADD_MESSAGE: &str =
    "INSERT INTO queue_message (id, size, skip, plain, came_ms, tasks, detail)
     VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)";
pub(super) const ADD_TASK: &str =
    "INSERT INTO queue_task (message, destination, held, rank, due_ms, notice_ms, recipients)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
/// `next_ms` is null for a task that is held. The third is when its sender must be told something: no block lasts longer.
pub(super) const COUNT_IN: &str =
    "INSERT INTO queue_destination (name, tasks, next_ms) VALUES (?1, 1, ?2)
     ON CONFLICT (name) DO UPDATE SET tasks = queue_destination.tasks + 1,
     blocked_ms = CASE WHEN queue_destination.blocked_ms < ?3
     THEN queue_destination.blocked_ms ELSE ?3 END,
     next_ms = CASE WHEN queue_destination.next_ms < excluded.next_ms
     THEN queue_destination.next_ms ELSE coalesce(excluded.next_ms, queue_destination.next_ms) END
     RETURNING id";
pub(super) const COUNT_MESSAGE: &str = "UPDATE queue_message SET tasks = tasks + ?2 WHERE id = ?1";
/// A message with its last task.
pub(super) const DROP_MESSAGE: &str = "DELETE FROM queue_message WHERE id = ?1 AND tasks = 1";
pub(super) const DROP_TASK: &str = "DELETE FROM queue_task WHERE id = ?1";
pub(super) const COUNT_OUT: &str = "UPDATE queue_destination SET tasks = tasks - ?2 WHERE id = ?1";
pub(super) const DROP_DESTINATION: &str =
    "DELETE FROM queue_destination WHERE id = ?1 AND tasks = 0";
pub(super) const SET_NEXT: &str = "UPDATE queue_destination SET next_ms = ?2
     WHERE id = ?1 AND next_ms IS DISTINCT FROM ?2";
pub(super) const BLOCK: &str = "UPDATE queue_destination
     SET blocked_ms = ?2, failures = ?3, why = ?4 WHERE name = ?1";
pub(super) const UNBLOCK: &str = "UPDATE queue_destination
     SET blocked_ms = 0, failures = 0, why = x'' WHERE id = ?1";
pub(super) const CLAMP_BLOCK: &str =
    "UPDATE queue_destination SET blocked_ms = ?2 WHERE id = ?1 AND blocked_ms > ?3";
pub(super) const ROW: &str = "SELECT t.message, t.destination, t.held, t.rank, m.size, m.plain
     FROM queue_task t CROSS JOIN queue_message m ON m.id = t.message WHERE t.id = ?1";
pub(super) const AGAIN: &str = "UPDATE queue_task
     SET destination = ?2, due_ms = ?3, notice_ms = ?4, recipients = ?5 WHERE id = ?1";
pub(super) const LOOK: &str = "SELECT id, message, destination, held, due_ms FROM queue_task
     WHERE id > ?1 ORDER BY id LIMIT ?2";
pub(super) const LOOK_MESSAGE: &str =
    "SELECT id, message, destination, held, due_ms FROM queue_task
     WHERE message = ?3 AND id > ?1 ORDER BY id LIMIT ?2";
pub(super) const SET_HELD: &str = "UPDATE queue_task SET held = ?2 WHERE id = ?1";
pub(super) const SET_DUE: &str = "UPDATE queue_task SET due_ms = ?2 WHERE id = ?1";
pub(super) const DETAIL: &str = "SELECT detail FROM queue_message WHERE id = ?1";

/// All of them.
#[cfg(test)]
pub(super) const ALL: &[&str] = &[
    DUE_DESTINATIONS,
    NEXT_WAKE,
    DESTINATION,
    DESTINATIONS,
    DESTINATION_NAME,
    DESTINATION_ID,
    NEXT_RANK,
    DUE_TASKS,
    NOTICE_TASKS,
    NEXT_NOTICE,
    TASKS_OF,
    TASK,
    MESSAGES,
    OLDEST,
    COUNTER,
    ADD_MESSAGE,
    ADD_TASK,
    COUNT_IN,
    COUNT_MESSAGE,
    DROP_MESSAGE,
    DROP_TASK,
    COUNT_OUT,
    DROP_DESTINATION,
    SET_NEXT,
    BLOCK,
    UNBLOCK,
    CLAMP_BLOCK,
    ROW,
    AGAIN,
    LOOK,
    LOOK_MESSAGE,
    SET_HELD,
    SET_DUE,
    DETAIL,
];
