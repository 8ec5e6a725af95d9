//! When a message is tried again, and when it is given up (RFC 5321 §4.5.4.1).
//! What an attempt means for a recipient is left to `settle`.

use alloc::vec::Vec;
use core::cmp::Reverse;

use super::Draw;
use super::types::{Deadline, Schedule, ScheduleFault, Times, Turn};
use crate::smtp::client::BY_SECONDS_MAX;
use crate::smtp::{ByMode, MailFrom};
use crate::trace::Rule;

// RFC 5321 §4.5.4.1
pub(super) const RETRY: Rule = Rule {
    rfc: 5321,
    section: "4.5.4.1",
    gist: "Mail that cannot be sent waits, is tried again after a delay, and is given up after four to five days.",
};

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The longest interval that a schedule may have: more looks like forgetting.
const INTERVAL_MAX: u64 = DAY;
/// The longest lifetime.
const LIFETIME_MAX: u64 = 100 * DAY;
/// The part of a delay that the seed may add.
const JITTER_PART: u64 = 10;

impl Default for Schedule {
    /// After 1, 2, 4, 8 and 16 minutes, then every 30; the sender is told after four hours, and after five days it ends.
    ///
    /// RFC 5321 §4.5.4.1 asks for 30 minutes in general, and for more sense where the reason is known: most first
    /// failures are greylisting or a restart, which are over within minutes.
    fn default() -> Self {
        Self {
            first_ms: MINUTE,
            interval_ms_max: 30 * MINUTE,
            lifetime_ms: 5 * DAY,
            delay_report_ms: Some(4 * HOUR),
        }
    }
}

impl Schedule {
    /// What is wrong with it, if anything; the functions below take any schedule, but only a right one makes sense.
    ///
    /// # Errors
    /// The first value that is out of its bounds.
    pub fn check(&self) -> Result<(), ScheduleFault> {
        if self.interval_ms_max > INTERVAL_MAX {
            return Err(ScheduleFault::Interval);
        }
        if self.first_ms == 0 || self.first_ms > self.interval_ms_max {
            return Err(ScheduleFault::First);
        }
        if self.lifetime_ms == 0 || self.lifetime_ms > LIFETIME_MAX {
            return Err(ScheduleFault::Lifetime);
        }
        if self.delay_report_ms.is_some_and(|delay| delay >= self.lifetime_ms) {
            return Err(ScheduleFault::DelayReport);
        }
        Ok(())
    }

    /// The delay after so many failures, without what the seed adds.
    fn delay_ms(&self, failures: u32) -> u64 {
        let doubled = 1_u64.checked_shl(failures.saturating_sub(1)).unwrap_or(u64::MAX);
        self.first_ms.max(1).saturating_mul(doubled).min(self.interval_ms_max.max(1))
    }
}

impl Times {
    /// From when on lifetime and delay are counted.
    fn start_unix_ms(&self) -> u64 {
        self.came_unix_ms.max(self.hold_until_unix_ms.unwrap_or(0))
    }

    /// When the sender is to be told of a delay; never by this schedule, if none.
    pub(super) fn delay_unix_ms(&self, schedule: &Schedule) -> Option<u64> {
        match self.deadline {
            // Who set a time to be told at wants to be told then.
            Some(deadline) if deadline.mode == ByMode::Notify => Some(deadline.at_unix_ms),
            _ => Some(self.start_unix_ms().saturating_add(schedule.delay_report_ms?)),
        }
    }

    /// When the sender wants to be told, if it set a time for that.
    fn notify_unix_ms(&self) -> Option<u64> {
        let deadline = self.deadline.filter(|deadline| deadline.mode == ByMode::Notify);
        deadline.map(|deadline| deadline.at_unix_ms)
    }

    /// The message's own end, if it has one.
    pub(super) fn return_unix_ms(&self) -> Option<u64> {
        let deadline = self.deadline.filter(|deadline| deadline.mode == ByMode::Return);
        deadline.map(|deadline| deadline.at_unix_ms)
    }
}

/// The times of a message that came with these parameters (RFC 2852, RFC 4865).
#[must_use]
pub fn times_of(mail: &MailFrom, came_unix_ms: u64) -> Times {
    let deadline = mail.deliver_by.map(|by| Deadline {
        at_unix_ms: came_unix_ms.saturating_add_signed(i64::from(by.seconds) * 1000),
        mode: by.mode,
    });
    Times { came_unix_ms, hold_until_unix_ms: mail.hold_until_ms, deadline }
}

/// When a message is given up: after the schedule's lifetime, or at its own deadline if that is sooner.
#[must_use]
pub fn end_unix_ms(schedule: &Schedule, times: &Times) -> u64 {
    let end = times.start_unix_ms().saturating_add(schedule.lifetime_ms);
    end.min(times.return_unix_ms().unwrap_or(u64::MAX))
}

/// When the sender of a message must be told something at the latest, tried or not: of the delay if that is still to
/// come, or else of the end.
///
/// The queue of a host that is left alone is not tried message by message; by this time each is looked at all the same.
#[must_use]
pub fn notice_unix_ms(schedule: &Schedule, times: &Times, now_unix_ms: u64) -> u64 {
    let end = end_unix_ms(schedule, times);
    match times.delay_unix_ms(schedule) {
        Some(delay) if delay > now_unix_ms => delay.min(end),
        _ => end,
    }
}

/// When a message is tried for the first time: at once, or when its hold ends.
#[must_use]
pub fn first_attempt(times: &Times, now_unix_ms: u64) -> u64 {
    now_unix_ms.max(times.hold_until_unix_ms.unwrap_or(0))
}

/// When to try again after so many failed attempts, the last of which ended now; none: give up.
///
/// The delay doubles up to the schedule's longest, and the seed adds up to a tenth, so that a queue does not come back all
/// at once. One last attempt is made at the very end, and none after it.
#[must_use]
pub fn next_attempt(
    schedule: &Schedule,
    times: &Times,
    now_unix_ms: u64,
    failures: u32,
    seed: u64,
) -> Option<u64> {
    let end = end_unix_ms(schedule, times);
    if now_unix_ms >= end {
        return None;
    }
    let delay = spread(schedule.delay_ms(failures), failures, seed);
    // RFC 2852: whoever set a time to be told at is told then, not at the attempt after it.
    let notify = times.notify_unix_ms().filter(|at| *at > now_unix_ms).unwrap_or(end);
    let due = now_unix_ms.saturating_add(delay).min(notify);
    Some(due.max(times.hold_until_unix_ms.unwrap_or(0)).min(end))
}

/// MAIL as it is given to the next server: of the time in which the message is to be delivered, what has passed since it
/// came is taken off (RFC 2852).
#[must_use]
pub fn mail_left(mail: &MailFrom, came_unix_ms: u64, now_unix_ms: u64) -> MailFrom {
    let mut mail = mail.clone();
    if let Some(by) = &mut mail.deliver_by {
        let passed = now_unix_ms.saturating_sub(came_unix_ms) / SECOND;
        let passed = i32::try_from(passed).unwrap_or(i32::MAX);
        by.seconds = by.seconds.saturating_sub(passed).max(-(BY_SECONDS_MAX as i32));
    }
    mail
}

/// Milliseconds for which a host that could not be reached is left alone, after so many failures on end.
///
/// It grows as a message's own delay does, so that a message which comes meanwhile does not try at once, and the host
/// is found again not much later than the oldest message is tried.
#[must_use]
pub fn host_backoff(failures: u32, schedule: &Schedule, seed: u64) -> u64 {
    match failures {
        0 => 0,
        _ => spread(schedule.delay_ms(failures), failures, seed),
    }
}

fn spread(delay: u64, failures: u32, seed: u64) -> u64 {
    let mut draw = Draw(seed ^ u64::from(failures) << 32);
    delay.saturating_add(draw.below(delay / JITTER_PART + 1))
}

/// The order in which due messages go (RFC 6710): by priority, then who is due longer, then who came first; the
/// places that they have in `turns`.
#[must_use]
pub fn in_order(turns: &[Turn]) -> Vec<u32> {
    let mut places: Vec<(Turn, u32)> = turns.iter().copied().zip(0..).collect();
    crate::order::sort_by_key(&mut places, |(turn, place)| {
        (Reverse(turn.priority), turn.due_unix_ms, turn.came_unix_ms, *place)
    });
    places.into_iter().map(|(_, place)| place).collect()
}
