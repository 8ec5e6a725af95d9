//! What lies between taking a message and delivering it elsewhere: where to, when again, and what to report.
//! Pure functions: time and randomness are arguments, and the queue itself is the host's.

mod report;
mod route;
mod schedule;
mod settle;
mod types;
mod unreached;

use crate::trace::Rule;

pub use report::{make_report, octets_wanted};
pub use route::{BadHop, choose_route, destination, next_hop};
pub use schedule::{
    end_unix_ms, first_attempt, host_backoff, in_order, mail_left, next_attempt, notice_unix_ms,
    times_of,
};
pub use settle::{next_host_may_help, same_host_may_help, settle, status};
pub use types::{
    Attempted, Deadline, Due, Exchange, Expiry, Fared, Handover, Hop, Lookup, Notice, Outcome,
    Place, Queued, Report, ReportKind, Reported, Route, Schedule, ScheduleFault, Settled, Times,
    Transport, Tried, Turn, Unreached,
};
pub use unreached::fate_of;

/// The rules that these functions follow.
pub const RULES: &[&Rule] = &[
    &route::LOCATING,
    &schedule::RETRY,
    &settle::SUCCESS,
    &settle::DELAY,
    &settle::FAILURE,
    &report::ENVELOPE,
    &report::CONTENTS,
    &report::FIELDS,
];

/// Numbers drawn from a seed (splitmix64): they spread what would come all at once, and keep no secret.
#[derive(Clone, Copy, Debug)]
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// One from 0 up to, not including, `end`; 0 of none.
    fn below(&mut self, end: u64) -> u64 {
        self.next().checked_rem(end).unwrap_or(0)
    }
}
