//! What an operator does with the queue: in steps, so that mail is taken meanwhile.

use pillarbox_engine::relay::Unreached;
use pillarbox_engine::types::{BlobId, Reason};
use pillarbox_world::queue::{Action, Steer, Steered, Which};
use pillarbox_world::service::Backend;
use pillarbox_world::store::{Outcome, Write};

use super::ask::fate_of;
use super::metrics::RelayMetrics;
use super::settle::{Ended, settle};
use crate::backend::HostBackend;

/// Tasks read at once.
const PAGE: u32 = 100;

/// Does it to all of them; gives how many it changed.
///
/// # Errors
/// What the store says.
pub(crate) async fn steer(
    backend: &HostBackend,
    which: &Which,
    action: Action,
) -> Result<u64, Reason> {
    let (mut done, mut after) = (0, 0);
    loop {
        let step = Steer { which: which.clone(), after, action };
        let outcome = backend.write(0, Write::Steer(step)).await?;
        let Outcome::Steered(Steered { tasks, last }) = outcome else {
            return Err(Reason::StorageFailed);
        };
        done += u64::from(tasks);
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
    let fate = fate_of(backend.engine(), Unreached::Withdrawn);
    let (mut done, mut after) = (0, 0);
    loop {
        let tasks = backend.store().tasks(message, after, PAGE)?;
        let Some(last) = tasks.last() else { return Ok(done) };
        after = last.id;
        for task in tasks {
            match settle(backend, metrics, &task, Ended::alike(&task, &fate, None)).await {
                Ok(()) => done += 1,
                // It was over before.
                Err(Reason::NotFound) => {}
                Err(reason) => return Err(reason),
            }
        }
    }
}
