//! Gives memory back that many sessions used at once: what the sandboxes of those that were frozen meanwhile leave behind
//! lies in pieces between what is in use, and the allocator keeps it for ever unless it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

/// Sessions that are frozen before it is worth while.
const AFTER: u32 = 64;
/// Most sessions of a burst rest by then.
const GATHER: Duration = Duration::from_secs(2);

/// Counts what was frozen since the last time.
#[derive(Debug, Default)]
pub(super) struct Trim {
    frozen: AtomicU32,
    is_due: AtomicBool,
}

impl Trim {
    /// A session was frozen.
    pub(super) fn frozen(self: &Arc<Self>) {
        let frozen = self.frozen.fetch_add(1, Ordering::Relaxed) + 1;
        if frozen < AFTER || self.is_due.swap(true, Ordering::Relaxed) {
            return;
        }
        let trim = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(GATHER).await;
            trim.frozen.store(0, Ordering::Relaxed);
            // Beside the threads that serve: it goes through all that is free.
            drop(tokio::task::spawn_blocking(trim_heap).await);
            trim.is_due.store(false, Ordering::Relaxed);
        });
    }
}

#[cfg(target_env = "gnu")]
fn trim_heap() {
    // SAFETY: it takes a number and touches only memory that nobody uses.
    unsafe { libc::malloc_trim(0) };
}

/// Other allocators give back by themselves.
#[cfg(not(target_env = "gnu"))]
fn trim_heap() {}
