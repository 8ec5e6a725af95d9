//! The session's end: politely with QUIT, or at once. Either way every call ends, and the host is told why.

use super::calls::end;
use super::types::{Cause, Event, Failure, Outcome};
use super::{Client, State, send};
use crate::role::Cx;
use crate::trace::Rule;

/// RFC 1939 §6.
pub(super) const QUIT: Rule = Rule {
    rfc: 1939,
    section: "6",
    gist: "Only QUIT removes what is marked; a session that ends otherwise removes nothing.",
};

impl Client {
    /// The server answered QUIT: the session is over as the host wanted it.
    pub(super) fn left(mut self, cx: &mut Cx<Self>, outcome: Outcome) -> Self {
        if let Some(call) = self.common.sent.pop_front() {
            end(cx, call.id, outcome);
        }
        self.say_done(cx, None);
        self.close(cx)
    }

    /// Ends the session politely before it is open.
    pub(super) fn retire(mut self, cx: &mut Cx<Self>, failure: Failure) -> Self {
        self.fail_all(cx, &failure);
        self.say_done(cx, Some(failure));
        send(cx, b"QUIT\r\n", &QUIT);
        self.go(cx, State::Quitting)
    }

    /// Ends the session at once: the connection is lost, or cannot be trusted to be in step.
    pub(super) fn lost(mut self, cx: &mut Cx<Self>, failure: Failure) -> Self {
        self.fail_all(cx, &failure);
        self.say_done(cx, Some(failure));
        self.close(cx)
    }

    pub(super) fn close(self, cx: &mut Cx<Self>) -> Self {
        let client = self.go(cx, State::Closed);
        cx.close();
        client
    }

    /// The call at the head fails as the session does; those behind it were not done.
    fn fail_all(&mut self, cx: &mut Cx<Self>, failure: &Failure) {
        if let Some(call) = self.common.sent.pop_front() {
            end(cx, call.id, Outcome::Failed(failure.clone()));
        }
        while let Some(call) =
            self.common.sent.pop_front().or_else(|| self.common.waiting.pop_front())
        {
            let failure = Failure { cause: Cause::Lost, ..failure.clone() };
            end(cx, call.id, Outcome::Failed(failure));
        }
    }

    /// Says once that no more calls are taken, and why.
    fn say_done(&mut self, cx: &mut Cx<Self>, failure: Option<Failure>) {
        if !core::mem::replace(&mut self.common.done, true) {
            cx.event(Event::Done(failure));
        }
    }
}
