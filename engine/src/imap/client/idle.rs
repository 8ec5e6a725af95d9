//! IDLE (RFC 2177): from its command to DONE, and its renewal in time.
//! What the server tells meanwhile is data like any other.

use super::calls::{Kind, Sent, completion};
use super::line::Line;
use super::status::{Status, Word};
use super::types::{Completion, Outcome};
use super::{Client, State};
use crate::role::Cx;
use crate::trace::Rule;

/// RFC 2177 §3.
pub(super) const IDLE: Rule = Rule {
    rfc: 2177,
    section: "3",
    gist: "IDLE lets the server tell news at once until DONE; before half an hour is over it is begun anew.",
};

/// Where IDLE stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Idle {
    /// The server has not let it begin.
    Starting,
    /// News is awaited, up to this moment of the monotonic clock.
    Waiting {
        /// When to begin anew.
        until_ms: u64,
    },
    /// DONE was said; whether IDLE is to begin anew.
    Ending {
        /// Nobody wanted it to end.
        renew: bool,
    },
}

impl Client {
    /// A continuation that is for no literal and no login: IDLE may begin.
    pub(super) fn idling(mut self, cx: &mut Cx<Self>) -> Self {
        match (&self.state, self.common.idle) {
            (State::Open, Some(Idle::Starting)) => {
                let renew_ms = self.common.config.timeouts.idle_renew_ms;
                let until_ms = cx.now.monotonic_ms.saturating_add(renew_ms);
                self.common.idle = Some(Idle::Waiting { until_ms });
                let client = self.rest(cx);
                client.pump(cx)
            }
            (State::Open | State::LoggingOut, _) => {
                self.defect(cx, "A continuation came that nothing waited for.");
                self
            }
            _ => self.out_of_step(cx),
        }
    }

    /// Something else is wanted.
    pub(super) fn end_idle(mut self, cx: &mut Cx<Self>) -> Self {
        match self.common.idle {
            Some(Idle::Waiting { .. }) => self.done(cx, false),
            Some(Idle::Ending { .. }) => {
                self.common.idle = Some(Idle::Ending { renew: false });
                self
            }
            // RFC 2177 §3: DONE may follow only the server's continuation.
            _ => self,
        }
    }

    /// Half an hour is nearly over.
    pub(super) fn renew_idle(self, cx: &mut Cx<Self>) -> Self {
        self.done(cx, true)
    }

    fn done(mut self, cx: &mut Cx<Self>, renew: bool) -> Self {
        cx.send(b"DONE", "command", Some(&IDLE));
        cx.send(b"\r\n", "CRLF", None);
        self.common.idle = Some(Idle::Ending { renew });
        self.rest(cx)
    }

    /// IDLE is answered.
    pub(super) fn idle_answered(
        mut self,
        cx: &mut Cx<Self>,
        mut sent: Sent,
        status: Status,
    ) -> Self {
        let renew = matches!(self.common.idle.take(), Some(Idle::Ending { renew: true }));
        if renew && status.word == Word::Ok && self.common.waiting.is_empty() {
            sent.tag = self.send_line(cx, Line::new("IDLE"), &IDLE);
            self.common.sent.push_back(sent);
            self.common.idle = Some(Idle::Starting);
            return self.rest(cx);
        }
        debug_assert_eq!(sent.kind, Kind::Idle);
        let outcome: Outcome = status.outcome();
        let end = completion(sent.end.call, outcome);
        let (code, text) = (status.code.name, status.text);
        self.complete(cx, Completion { code, text, ..end });
        let client = self.rest(cx);
        client.pump(cx)
    }
}
