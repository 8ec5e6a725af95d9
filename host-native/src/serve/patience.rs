//! A peer's pace: output that it must read in time, faults that make it wait, silence that costs its place under stress.

use std::io;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pillarbox_engine::types::Now;

use super::Shared;
use super::wire::Wire;
use crate::limits::{FAULTS_BEFORE_DELAY, STRESS_IDLE_SECONDS, UNREAD_SECONDS};

/// A peer that reads nothing for so long is cut.
const WRITE_WITHIN: Duration = Duration::from_secs(UNREAD_SECONDS);
/// Silence that ends a connection under stress.
pub(super) const STRESS_IDLE: Duration = Duration::from_secs(STRESS_IDLE_SECONDS);
/// How much longer each fault beyond the free ones makes a peer wait, and the longest wait.
const DELAY_STEP: Duration = Duration::from_millis(500);
const DELAY_MAX: Duration = Duration::from_secs(5);

/// How long a peer with so many faults waits before more of its octets are looked at.
pub(super) fn delay(faults: u32) -> Option<Duration> {
    let beyond = faults.checked_sub(FAULTS_BEFORE_DELAY).filter(|beyond| *beyond > 0)?;
    Some(DELAY_STEP.saturating_mul(beyond).min(DELAY_MAX))
}

/// Writes all of it, and sees to it that it is on its way.
pub(super) async fn write_all(wire: &mut Wire, out: &mut Vec<u8>) -> io::Result<()> {
    let slow = |_| io::Error::new(io::ErrorKind::TimedOut, "the peer reads nothing");
    let mut rest = &out[..];
    while !rest.is_empty() {
        let write = tokio::time::timeout(WRITE_WITHIN, wire.write(rest));
        let written = write.await.map_err(slow)??;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        rest = &rest[written..];
    }
    if !out.is_empty() {
        tokio::time::timeout(WRITE_WITHIN, wire.flush()).await.map_err(slow)??;
    }
    out.clear();
    out.shrink_to(1024);
    Ok(())
}

/// The time for the session: monotonic since the server started, and the wall clock.
pub(super) fn now(shared: &Shared) -> Now {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let elapsed = Instant::now().duration_since(shared.started);
    Now { monotonic_ms: millis(elapsed), unix_ms: millis(wall) }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eleventh_fault_costs_time_and_the_wait_has_an_end() {
        assert_eq!(delay(10), None);
        assert_eq!(delay(11), Some(Duration::from_millis(500)));
        assert_eq!(delay(u32::MAX), Some(DELAY_MAX));
    }
}
