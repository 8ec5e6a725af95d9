//! What an operator does with the queue: in steps, so that mail is taken meanwhile.

use pillarbox_engine::relay::Unreached;
use pillarbox_engine::types::{BlobId, Reason};
use pillarbox_world::queue::{Action, Steer, Steered, Which};
use pillarbox_world::service::Backend;
use pillarbox_world::store::{Outcome, Write};

use super::ask::unserved;
use super::metrics::RelayMetrics;
use super::settle::{Ended, settle};
use crate::backend::HostBackend;

/// Tasks read at once.
const PAGE: u32 = 100;

/// What a steering did to tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Done {
    /// Those that it changed.
    pub(crate) tasks: u64,
    /// Those that stay held, though they were to be tried.
    pub(crate) held: u64,
}

/// Does it to all of them.
///
/// # Errors
/// What the store says.
pub(crate) async fn steer(
    backend: &HostBackend,
    which: &Which,
    action: Action,
) -> Result<Done, Reason> {
    if matches!(action, Action::Retry { .. } | Action::Clamp { .. }) {
        backend.relaying().resting.wake_all();
    }
    let (mut done, mut after) = (Done::default(), 0);
    loop {
        let step = Steer { which: which.clone(), after, action };
        let outcome = backend.write(0, Write::Steer(step)).await?;
        let Outcome::Steered(Steered { tasks, held, last }) = outcome else {
            return Err(Reason::StorageFailed);
        };
        done.tasks += u64::from(tasks);
        done.held += u64::from(held);
        match last {
            Some(last) => after = last,
            None => return Ok(done),
        }
    }
}

/// Removes a message and has its sender told; gives how many tasks that were.
///
/// # Errors
/// What the store says.
pub(crate) async fn bounce(
    backend: &HostBackend,
    metrics: &RelayMetrics,
    message: BlobId,
) -> Result<u64, Reason> {
    let fared = unserved(backend.engine(), Unreached::Withdrawn);
    let (mut done, mut after) = (0, 0);
    loop {
        let tasks = backend.store().tasks(message, after, PAGE)?;
        let Some(last) = tasks.last() else { return Ok(done) };
        after = last.id;
        for task in tasks {
            match settle(backend, metrics, &task, &Ended::alike(&task, &fared)).await {
                Ok(()) => done += 1,
                // It was over before.
                Err(Reason::NotFound) => {}
                Err(reason) => return Err(reason),
            }
        }
    }
}
