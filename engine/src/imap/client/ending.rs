//! The session's end: politely with LOGOUT, or at once. Either way every call ends, and the host is told why.

use super::calls::completion;
use super::line::Line;
use super::status::{Status, TEXT_MAX};
use super::types::{Cause, Completion, Event, Failure, Outcome};
use super::{Client, Input, State};
use crate::role::Cx;
use crate::trace::Rule;

/// RFC 9051 §6.1.3.
pub(super) const LOGOUT: Rule = Rule {
    rfc: 9051,
    section: "6.1.3",
    gist: "A client says LOGOUT, and the server says BYE and then OK before it closes.",
};
/// RFC 9051 §7.1.5.
pub(super) const BYE: Rule = Rule {
    rfc: 9051,
    section: "7.1.5",
    gist: "BYE says that the server is about to close, asked or not.",
};

impl Failure {
    /// What we have to say ourselves.
    pub(super) fn ours(cause: Cause, text: &str) -> Self {
        Self { cause, code: [].into(), text: text.as_bytes().into() }
    }

    /// The server's words.
    pub(super) fn of(cause: Cause, status: Status) -> Self {
        let Status { code, mut text, .. } = status;
        text.truncate(TEXT_MAX);
        Self { cause, code: code.name, text }
    }
}

impl Client {
    /// Ends the session politely before it is open.
    pub(super) fn retire(mut self, cx: &mut Cx<Self>, failure: Failure) -> Self {
        self.common.sent.clear();
        self.lose_all(cx, &failure);
        self.say_done(cx, Some(failure));
        let tag = self.send_line(cx, Line::new("LOGOUT"), &LOGOUT);
        self.common.sent.push_back(super::Sent::own(tag));
        self.go(cx, State::LoggingOut)
    }

    /// Ends the session at once: the connection is lost, or cannot be trusted to be in step.
    pub(super) fn lost(mut self, cx: &mut Cx<Self>, failure: Failure) -> Self {
        self.lose_all(cx, &failure);
        self.say_done(cx, Some(failure));
        self.close(cx)
    }

    /// The server said BYE.
    pub(super) fn bye(mut self, cx: &mut Cx<Self>, status: Status) -> Self {
        if matches!(self.state, State::LoggingOut) {
            return self;
        }
        if self.common.sent.iter().any(|sent| sent.kind == super::calls::Kind::Logout) {
            return self;
        }
        cx.event(Event::Bye(status.text.clone()));
        self.common.outgoing = None;
        self.lost(cx, Failure::of(Cause::Bye, status))
    }

    pub(super) fn close(mut self, cx: &mut Cx<Self>) -> Self {
        *self.input = Input::Between;
        let client = self.go(cx, State::Closed);
        cx.close();
        client
    }

    /// Every call ends: of those that were sent it is not known whether they were done.
    fn lose_all(&mut self, cx: &mut Cx<Self>, failure: &Failure) {
        let sent = core::mem::take(&mut self.common.sent);
        let calls = sent.iter().filter_map(super::Sent::call);
        let waiting = core::mem::take(&mut self.common.waiting);
        for call in calls.chain(waiting.iter().map(|call| call.id)) {
            let text = failure.text.clone();
            let end = completion(call, Outcome::Lost);
            cx.event(Event::Completed(Completion { text, ..end }));
        }
    }

    /// Says once that no more calls are taken, and why.
    pub(super) fn say_done(&mut self, cx: &mut Cx<Self>, failure: Option<Failure>) {
        if !core::mem::replace(&mut self.common.done, true) {
            cx.event(Event::Done(failure));
        }
    }
}
