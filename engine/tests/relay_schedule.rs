//! Five days of a queue on a virtual clock: attempts never come early, never too late, and end.
#![allow(missing_docs)]

mod seeded;

use pillarbox_engine::relay::{
    Deadline, Schedule, ScheduleFault, Times, Turn, end_unix_ms, first_attempt, host_backoff,
    in_order, mail_left, next_attempt, notice_unix_ms, times_of,
};
use pillarbox_engine::smtp::{ByMode, DeliverBy, MailFrom};
use seeded::Seeded;

const CAME: u64 = 1_767_603_600_000;
const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The times of all attempts that fail at once, the first included.
fn attempts(schedule: &Schedule, times: &Times, seed: u64) -> Vec<u64> {
    let mut all = vec![first_attempt(times, times.came_unix_ms)];
    let mut failures = 0;
    loop {
        let now = *all.last().expect("there is a first");
        failures += 1;
        match next_attempt(schedule, times, now, failures, seed) {
            Some(next) => all.push(next),
            None => return all,
        }
        assert!(all.len() < 100_000, "it does not end");
    }
}

#[test]
fn the_default_is_what_the_standard_asks_for() {
    let schedule = Schedule::default();
    assert_eq!(schedule.check(), Ok(()));
    for seed in 0..500 {
        let times = Times { came_unix_ms: CAME, ..Times::default() };
        let all = attempts(&schedule, &times, seed);
        assert_eq!(all[0], CAME);
        let gaps: Vec<u64> = all.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let (last, gaps) = gaps.split_last().expect("there are many");
        for (number, gap) in gaps.iter().enumerate() {
            let plain = (MINUTE << number.min(20)).min(30 * MINUTE);
            assert!((plain..=plain + plain / 10).contains(gap), "gap {number} is {gap}");
        }
        // Close together first, then every 30 minutes or so, and the last one at the very end.
        assert!(gaps[..4].is_sorted());
        assert!(*last <= 33 * MINUTE);
        assert_eq!(*all.last().expect("there is one"), CAME + 5 * DAY);
        assert!((215..=250).contains(&all.len()), "{} attempts", all.len());
    }
}

#[test]
fn a_queue_does_not_come_back_all_at_once() {
    let schedule = Schedule::default();
    let times = Times { came_unix_ms: CAME, ..Times::default() };
    let next = |seed| next_attempt(&schedule, &times, CAME, 10, seed).expect("it is early");
    let mut due: Vec<u64> = (0..1000).map(next).collect();
    due.sort_unstable();
    due.dedup();
    assert!(due.len() > 950, "{} different times", due.len());
    assert!(due.last().expect("some") - due.first().expect("some") > 2 * MINUTE);
}

#[test]
fn any_schedule_keeps_its_bounds() {
    let mut seeded = Seeded(11);
    for _ in 0..2000 {
        let first_ms = 1 + seeded.next() % HOUR;
        let schedule = Schedule {
            first_ms,
            interval_ms_max: first_ms + seeded.next() % DAY,
            lifetime_ms: 1 + seeded.next() % (10 * DAY),
            delay_report_ms: None,
        };
        let hold = (seeded.below(3) == 0).then(|| CAME + seeded.next() % DAY);
        let mode = [ByMode::Return, ByMode::Notify][seeded.below(2)];
        let at_unix_ms = CAME + seeded.next() % (8 * DAY);
        let deadline = (seeded.below(3) == 0).then_some(Deadline { at_unix_ms, mode });
        let times = Times { came_unix_ms: CAME, hold_until_unix_ms: hold, deadline };
        let end = end_unix_ms(&schedule, &times);
        assert!(end <= CAME.max(hold.unwrap_or(0)) + schedule.lifetime_ms);
        if let Some(Deadline { at_unix_ms, mode: ByMode::Return }) = deadline {
            assert!(end <= at_unix_ms);
        }
        let (mut now, mut failures) = (first_attempt(&times, CAME), 0);
        assert!(now >= hold.unwrap_or(CAME));
        // Beginning and end are enough where there are very many.
        for _ in 0..300 {
            failures += 1;
            let Some(next) = next_attempt(&schedule, &times, now, failures, seeded.next()) else {
                assert!(now >= end, "given up {} ms early", end - now);
                break;
            };
            assert!(next > now && next <= end);
            let longest = schedule.interval_ms_max + schedule.interval_ms_max / 10;
            assert!(next - now <= longest);
            let told = deadline.is_some_and(|deadline| deadline.at_unix_ms == next);
            assert!(next == end || told || next - now >= schedule.first_ms, "too early");
            now = next;
        }
        assert_eq!(next_attempt(&schedule, &times, end, 1, 0), None);
    }
}

#[test]
fn no_number_is_too_large() {
    let most = Schedule {
        first_ms: u64::MAX,
        interval_ms_max: u64::MAX,
        lifetime_ms: u64::MAX,
        delay_report_ms: Some(u64::MAX),
    };
    let none = Schedule { first_ms: 0, interval_ms_max: 0, lifetime_ms: 0, delay_report_ms: None };
    for schedule in [most, none] {
        assert!(schedule.check().is_err());
        for now in [0, CAME, u64::MAX] {
            for failures in [0, 1, 63, 64, 65, u32::MAX] {
                for hold in [None, Some(u64::MAX)] {
                    let times =
                        Times { came_unix_ms: now, hold_until_unix_ms: hold, deadline: None };
                    let next = next_attempt(&schedule, &times, now, failures, u64::MAX);
                    assert!(next.is_none_or(|next| next >= now));
                    let _ = host_backoff(failures, &schedule, u64::MAX);
                }
            }
        }
    }
}

#[test]
fn a_wrong_schedule_is_named() {
    let right = Schedule::default();
    let cases = [
        (Schedule { first_ms: 0, ..right }, ScheduleFault::First),
        (Schedule { first_ms: 31 * MINUTE, ..right }, ScheduleFault::First),
        (Schedule { interval_ms_max: DAY + 1, ..right }, ScheduleFault::Interval),
        (Schedule { lifetime_ms: 0, ..right }, ScheduleFault::Lifetime),
        (Schedule { lifetime_ms: 101 * DAY, ..right }, ScheduleFault::Lifetime),
        (Schedule { delay_report_ms: Some(5 * DAY), ..right }, ScheduleFault::DelayReport),
    ];
    for (schedule, fault) in cases {
        assert_eq!(schedule.check(), Err(fault), "{schedule:?}");
    }
}

#[test]
fn a_host_is_left_alone_for_longer_each_time() {
    let schedule = Schedule::default();
    assert_eq!(host_backoff(0, &schedule, 1), 0);
    for seed in 0..200 {
        let delays: Vec<u64> = (1..6).map(|n| host_backoff(n, &schedule, seed)).collect();
        assert!(delays.is_sorted(), "{delays:?}");
        assert!((30 * MINUTE..=33 * MINUTE).contains(&host_backoff(1000, &schedule, seed)));
    }
}

#[test]
fn the_more_urgent_goes_first_and_equals_by_their_turn() {
    let turn = |priority, due_unix_ms, came_unix_ms| Turn { priority, due_unix_ms, came_unix_ms };
    let turns =
        [turn(0, 5, 1), turn(-9, 1, 0), turn(4, 9, 9), turn(0, 3, 2), turn(0, 3, 1), turn(4, 9, 9)];
    assert_eq!(in_order(&turns), [2, 5, 4, 3, 0, 1]);
    assert!(in_order(&[]).is_empty());
}

#[test]
fn a_messages_own_wishes_become_times() {
    let by = |seconds, mode| Some(DeliverBy { seconds, mode, trace: false });
    for (seconds, at_unix_ms) in [(60, CAME + MINUTE), (-60, CAME - MINUTE)] {
        for mode in [ByMode::Return, ByMode::Notify] {
            let deliver_by = by(seconds, mode);
            let hold_until_ms = Some(CAME + HOUR);
            let times =
                times_of(&MailFrom { deliver_by, hold_until_ms, ..MailFrom::default() }, CAME);
            let deadline = Some(Deadline { at_unix_ms, mode });
            let hold_until_unix_ms = Some(CAME + HOUR);
            assert_eq!(times, Times { came_unix_ms: CAME, hold_until_unix_ms, deadline });
        }
    }
    let deliver_by = by(i32::MIN, ByMode::Return);
    let times = times_of(&MailFrom { deliver_by, ..MailFrom::default() }, 5);
    assert_eq!(times.deadline.map(|deadline| deadline.at_unix_ms), Some(0));
}

#[test]
fn a_sender_is_told_of_the_delay_and_then_of_the_end() {
    let schedule = Schedule::default();
    let times = Times { came_unix_ms: CAME, ..Times::default() };
    assert_eq!(notice_unix_ms(&schedule, &times, CAME), CAME + 4 * HOUR);
    assert_eq!(notice_unix_ms(&schedule, &times, CAME + 4 * HOUR), CAME + 5 * DAY);
}

/// RFC 2852: whoever set a time to be told at is told then; and what has passed is taken off.
#[test]
fn a_time_that_the_sender_set_is_kept() {
    let by = DeliverBy { seconds: 2 * 3600, mode: ByMode::Notify, trace: false };
    let mail = MailFrom { deliver_by: Some(by), ..MailFrom::default() };
    let (schedule, times) = (Schedule::default(), times_of(&mail, CAME));
    for seed in 0..50 {
        let all = attempts(&schedule, &times, seed);
        assert!(all.contains(&(CAME + 2 * HOUR)), "an attempt is made at the time itself");
    }
    let left = |passed| mail_left(&mail, CAME, CAME + passed).deliver_by.expect("it stays").seconds;
    assert_eq!((left(0), left(1999), left(HOUR), left(3 * HOUR)), (7200, 7199, 3600, -3600));
    assert_eq!(left(u64::MAX - CAME), -999_999_999, "nine digits are all that can be said");
    let plain = MailFrom::default();
    assert_eq!(mail_left(&plain, CAME, CAME + DAY), plain);
}
