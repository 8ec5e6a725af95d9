//! A context without a session: what parsers note in it is all that comes of it.

use alloc::vec::Vec;

use super::{Note, Output, Span};
use crate::role::{Cx, Line, Role, TextEnd, Want};
use crate::types::{AskId, Misuse, Now, TlsFacts};

/// A role that nobody plays.
pub(crate) enum Watch {}

/// What there is none of.
pub(crate) enum Never {}

impl Role for Watch {
    type Config = Never;
    type Ask = Never;
    type Answer = Never;
    type Call = Never;
    type Event = Never;

    fn start(config: Never, _: &mut Cx<Self>) -> Self {
        match config {}
    }

    fn want(&self) -> Want {
        match *self {}
    }

    fn on_line(self, _: &mut Cx<Self>, _: Line) -> Self {
        self
    }

    fn on_octets(self, _: &mut Cx<Self>, _: Vec<u8>) -> Self {
        self
    }

    fn on_text(self, _: &mut Cx<Self>, _: Vec<u8>, _: Option<TextEnd>) -> Self {
        self
    }

    fn on_end(self, _: &mut Cx<Self>) -> Self {
        self
    }

    fn on_secured(self, _: &mut Cx<Self>, _: TlsFacts) -> Self {
        self
    }

    fn on_answer(self, _: &mut Cx<Self>, _: AskId, _: Never) -> Result<Self, (Self, Misuse)> {
        Ok(self)
    }

    fn on_call(self, _: &mut Cx<Self>, _: Never) -> Result<Self, (Self, Misuse)> {
        Ok(self)
    }

    fn on_deadline(self, _: &mut Cx<Self>) -> Self {
        self
    }

    fn on_room(self, _: &mut Cx<Self>) -> Self {
        self
    }
}

/// A context in which so many octets have come.
pub(super) fn context(received: u64) -> Cx<Watch> {
    let mut cx = Cx::new(Now { monotonic_ms: 0, unix_ms: 0 });
    cx.trace(true);
    cx.received = received;
    cx
}

/// The spans that were noted.
pub(super) fn spans(cx: &mut Cx<Watch>) -> Vec<Span> {
    let mut spans = Vec::new();
    while let Some(output) = cx.outbox.pop() {
        if let Output::Note(Note::Span(span)) = output {
            spans.push(span);
        }
    }
    spans
}
