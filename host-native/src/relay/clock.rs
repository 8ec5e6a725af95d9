//! The queue's clock: the wall clock as it was at the start, and from then on steady.
//! A wall clock that jumps while the server runs would bounce mail early, or keep it for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;

/// A steady clock. Clones are the same clock.
#[derive(Clone, Debug)]
pub struct QueueClock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    start_unix_ms: u64,
    started: Instant,
    /// What tests have moved it on.
    advanced_ms: AtomicU64,
    moved: Notify,
}

impl QueueClock {
    /// A clock that begins at the wall clock's time.
    #[must_use]
    pub fn start() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::at(millis(wall))
    }

    /// A clock that begins at a millisecond since 1970 UTC.
    #[must_use]
    pub fn at(start_unix_ms: u64) -> Self {
        Self(Arc::new(Inner {
            start_unix_ms,
            started: Instant::now(),
            advanced_ms: AtomicU64::new(0),
            moved: Notify::new(),
        }))
    }

    /// Milliseconds since 1970 UTC.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        let advanced_ms = self.0.advanced_ms.load(Ordering::Relaxed);
        self.0.start_unix_ms + millis(self.0.started.elapsed()) + advanced_ms
    }

    /// Moves it on; all that wait until a time look at it again.
    pub fn advance(&self, ms: u64) {
        self.0.advanced_ms.fetch_add(ms, Ordering::Relaxed);
        self.0.moved.notify_waiters();
    }

    /// Ends when it is then, or later.
    pub async fn until(&self, unix_ms: u64) {
        loop {
            let mut moved = std::pin::pin!(self.0.moved.notified());
            // Before the clock is read, so that no move falls between.
            moved.as_mut().enable();
            let now = self.now_ms();
            if now >= unix_ms {
                return;
            }
            let left = Duration::from_millis(unix_ms - now);
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                () = moved => {}
            }
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
