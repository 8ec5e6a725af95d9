//! Rows of the queue to values and back. What no query looks at is kept as JSON: it reads itself after later versions
//! have added to it, which a form by position would not.

use super::super::connection::{self, Row};
use pillarbox_engine::relay::{Queued, Times};
use pillarbox_engine::smtp::MailFrom;
use pillarbox_world::queue::{Destination, Enqueue, QueuedMessage, Task};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What a message's row keeps besides columns.
#[derive(Serialize, Deserialize)]
pub(super) struct Detail {
    mail: MailFrom,
    pub(super) times: Times,
    priority: i8,
    by: Vec<u8>,
    #[serde(default)]
    tls_optional: bool,
}

impl Detail {
    pub(super) fn of(relay: &Enqueue) -> Self {
        let Enqueue { mail, times, priority, by, tls_optional, .. } = relay.clone();
        Self { mail, times, priority, by, tls_optional }
    }
}

pub(super) fn to_json(value: &impl Serialize) -> connection::Result<String> {
    serde_json::to_string(value).map_err(form)
}

/// A JSON column.
pub(super) fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> connection::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(form)
}

fn form(error: serde_json::Error) -> connection::Error {
    connection::Error::Form(error.to_string())
}

/// A message's five columns from `first` on.
pub(super) fn message(row: &Row<'_>, first: usize) -> connection::Result<QueuedMessage> {
    let Detail { mail, times, priority, by, tls_optional } = json(row, first + 4)?;
    Ok(QueuedMessage {
        id: row.get(first)?,
        size: row.get(first + 1)?,
        skip: row.get(first + 2)?,
        plain: row.get(first + 3)?,
        mail,
        times,
        priority,
        by,
        tls_optional,
    })
}

pub(super) fn task(row: &Row<'_>) -> connection::Result<Task> {
    let recipients: Vec<Queued> = json(row, 4)?;
    Ok(Task {
        id: row.get(0)?,
        message: message(row, 6)?,
        destination: row.get(5)?,
        recipients,
        due_ms: row.get(1)?,
        notice_ms: row.get(2)?,
        held: row.get(3)?,
    })
}

pub(super) fn destination(row: &Row<'_>) -> connection::Result<Destination> {
    Ok(Destination {
        name: row.get(0)?,
        tasks: row.get(1)?,
        wake_ms: row.get(2)?,
        blocked_ms: row.get(3)?,
        failures: row.get(4)?,
        why: row.get(5)?,
    })
}
