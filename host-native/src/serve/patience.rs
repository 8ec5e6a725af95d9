//! A peer's pace: output that it must read in time, faults that make it wait, silence that costs its place under stress.

use std::time::Duration;

use crate::limits::{FAULTS_BEFORE_DELAY, STRESS_IDLE_SECONDS, UNREAD_SECONDS};

/// A peer that reads nothing for so long is cut.
pub(super) const WRITE_WITHIN: Duration = Duration::from_secs(UNREAD_SECONDS);
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
