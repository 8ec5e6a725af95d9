//! How fast a message has to come: silence is counted over the whole of it, and octets buy time.
//! So a peer that sends one octet now and then holds a slot for minutes, not for days.

use super::Server;
use super::reply::Reply;
use crate::limits::Limits;
use crate::role::Cx;
use crate::trace::Rule;

/// RFC 5321 §4.5.3.2, stricter: there each block may take minutes, whatever its size.
pub(super) const SLOW: Rule = Rule {
    rfc: 5321,
    section: "4.5.3.2",
    gist: "Timers run for each command and each block, so the time that a message may take grows with its size.",
};

/// How fast the message comes that is due. Time in which the host works is not the peer's.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Where its first octet stands in the received direction.
    start: u64,
    /// Milliseconds waited for octets before `since_ms`.
    spent_ms: u64,
    /// Since when it is waited now, and how many octets had arrived then, given out or not.
    since_ms: u64,
    seen: u64,
}

impl Pace {
    /// A message begins with the next octet.
    pub(super) fn new(cx: &Cx<Server>) -> Self {
        Self { start: cx.received(), since_ms: cx.now.monotonic_ms, ..Self::default() }
    }

    /// Octets are waited for from now on. Gives the milliseconds that may pass without one: at most `idle_ms`, and at
    /// most what is left of `idle_ms` and of what the octets so far have bought.
    pub(super) fn wait(&mut self, cx: &Cx<Server>, limits: &Limits) -> u64 {
        self.since_ms = cx.now.monotonic_ms;
        self.seen = arrived(cx);
        self.left_ms(limits).min(limits.idle_ms)
    }

    /// They came, or it was looked whether they did.
    pub(super) fn waited(&mut self, cx: &Cx<Server>) {
        self.spent_ms += cx.now.monotonic_ms.saturating_sub(self.since_ms);
        self.since_ms = cx.now.monotonic_ms;
    }

    fn left_ms(&self, limits: &Limits) -> u64 {
        let bought_ms = match limits.data_rate_min {
            0 => return limits.idle_ms,
            rate => self.seen.saturating_sub(self.start).saturating_mul(1000) / u64::from(rate),
        };
        limits.idle_ms.saturating_add(bought_ms).saturating_sub(self.spent_ms)
    }
}

/// Octets that have arrived so far, given out or not.
fn arrived(cx: &Cx<Server>) -> u64 {
    cx.received() + cx.waiting()
}

impl Server {
    /// A message's deadline: perhaps octets came, only not enough for a chunk.
    pub(super) fn content_due(mut self, cx: &mut Cx<Self>) -> Self {
        let pace = &mut self.common.pace;
        pace.waited(cx);
        let silent = arrived(cx) == pace.seen;
        let patience_ms = pace.wait(cx, &self.common.config.limits);
        if !silent && patience_ms > 0 {
            cx.deadline_in(patience_ms);
            return self;
        }
        cx.note_defect(&SLOW);
        let slow = patience_ms == 0 && pace.seen > pace.start;
        let text =
            if slow { "Too slow, closing connection" } else { "Timeout, closing connection" };
        self.end(cx, &Reply::new(421, "4.4.2", text))
    }
}
