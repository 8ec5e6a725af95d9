//! A recording at a client's end of a wire: it says what a program once said, with the pauses that it made.
//! It understands nothing of what it is answered; it only waits for an answer where the program had one.

use std::collections::VecDeque;

use super::{Cx, Drive, Effect, Order, Turn};
use crate::world::action::Played;

/// How long an answer is waited for that may never come: the program had one, but from another server.
const PATIENCE_MS: u64 = 10_000;

/// A recording that is played.
#[derive(Debug)]
pub(crate) struct Reel {
    parts: VecDeque<Played>,
    /// Whether anything came since the last part was said.
    heard: bool,
    /// When the last part was said; none: the connection is not there yet.
    said_ms: Option<u64>,
    closed: bool,
}

impl Reel {
    /// One that says these parts and hangs up.
    pub(crate) fn new(parts: Vec<Played>) -> Self {
        Self { parts: parts.into(), heard: false, said_ms: None, closed: false }
    }

    fn go_on(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now.monotonic_ms;
        let mut said = *self.said_ms.get_or_insert(now);
        while let Some(part) = self.parts.front() {
            let patience = if part.answered && !self.heard { PATIENCE_MS } else { 0 };
            let due = said.saturating_add(part.after_ms).saturating_add(patience);
            if now < due {
                self.said_ms = Some(said);
                cx.effects.push(Effect::Wait(Some(due)));
                return;
            }
            cx.effects.extend(self.parts.pop_front().map(|part| Effect::Transmit(part.octets)));
            (said, self.heard) = (now, false);
        }
        self.close(cx);
    }

    fn close(&mut self, cx: &mut Cx<'_>) {
        self.closed = true;
        cx.effects.push(Effect::Wait(None));
        cx.effects.push(Effect::Close);
    }
}

impl Drive for Reel {
    fn turn(&mut self, turn: Turn, cx: &mut Cx<'_>) {
        if self.closed {
            return;
        }
        match turn {
            Turn::Octets(_) => self.heard = true,
            Turn::End | Turn::Order(Order::Quit) => return self.close(cx),
            Turn::Look
            | Turn::Tick
            | Turn::Secured
            | Turn::Resume
            | Turn::Type(_)
            | Turn::Order(_) => {}
        }
        self.go_on(cx);
    }
}
