//! Deliveries as a queue: which is next, how each ends, and what becomes of those that wait when the session ends.

use alloc::boxed::Box;

use super::command::{self, send};
use super::fates::{Fates, Loss, UNREADABLE};
use super::transaction::Transaction;
use super::types::{Delivery, Event, Failure, Finished, Stage};
use super::{Client, State};
use crate::role::Cx;
use crate::trace::Rule;
use crate::types::Misuse;

/// RFC 5321 §4.1.1.10.
pub(super) const QUIT: Rule = Rule {
    rfc: 5321,
    section: "4.1.1.10",
    gist: "A client does not close the connection before it said QUIT and got the reply, unless something is wrong.",
};

/// Deliveries that may wait.
const WAITING_MAX: usize = 100;

impl Client {
    /// Begins what is next when no transaction is under way.
    pub(super) fn next(mut self, cx: &mut Cx<Self>) -> Self {
        loop {
            if self.common.is_used_up() {
                return self.retire(
                    cx,
                    &Loss::new("4.4.5", "The server takes no more messages over this connection"),
                );
            }
            let Some(delivery) = self.common.waiting.pop_front() else { break };
            let id = delivery.id;
            match Transaction::plan(delivery, &self.common) {
                Ok(tx) => {
                    self.common.current = Some(id);
                    return self.begin(cx, Box::new(tx));
                }
                Err(finished) => cx.event(Event::Finished(finished)),
            }
        }
        if self.common.quitting {
            return self.leave(cx);
        }
        self.go(cx, State::Ready)
    }

    /// A delivery is over.
    pub(super) fn finish(&mut self, cx: &mut Cx<Self>, id: u32, fates: Fates) {
        self.common.current = None;
        cx.event(Event::Finished(Finished { id, fates: fates.whole() }));
    }

    /// Ends the session politely: no more deliveries, then QUIT.
    pub(super) fn retire(mut self, cx: &mut Cx<Self>, loss: &Loss) -> Self {
        self.give_up_waiting(cx, loss);
        self.say_done(cx, Some(loss.failure(Stage::Session)));
        self.say_quit(cx)
    }

    /// Ends the session as the host wants it, with nothing left to do.
    fn leave(mut self, cx: &mut Cx<Self>) -> Self {
        self.say_done(cx, None);
        self.say_quit(cx)
    }

    fn say_quit(self, cx: &mut Cx<Self>) -> Self {
        send(cx, b"QUIT\r\n", Some(&QUIT));
        self.go(cx, State::Quitting)
    }

    /// Ends the session at once: the connection is lost, or cannot be trusted to be in step.
    pub(super) fn lost(mut self, cx: &mut Cx<Self>, loss: Loss) -> Self {
        match core::mem::replace(&mut self.state, State::Closed) {
            State::Surveying(tx, _) => self.abandon(cx, *tx, Stage::Mail, &loss),
            State::Envelope(tx) => {
                let stage = tx.stage();
                self.abandon(cx, *tx, stage, &loss);
            }
            State::Content(tx, _) => self.abandon(cx, *tx, Stage::Data, &loss),
            State::Ended(tx) => self.abandon(cx, *tx, Stage::EndOfData, &loss),
            _ => {}
        }
        self.give_up_waiting(cx, &loss);
        self.say_done(cx, Some(loss.failure(Stage::Session)));
        let client = self.go(cx, State::Closed);
        cx.close();
        client
    }

    /// The message was cut before its end, of which the session does not know that it never left.
    pub(super) fn broken_off(mut self, cx: &mut Cx<Self>, id: u32) -> Self {
        if self.common.current != Some(id) {
            return self;
        }
        match core::mem::replace(&mut self.state, State::Closed) {
            State::Envelope(tx) | State::Ended(tx) => {
                self.abandon(cx, *tx, Stage::Data, &UNREADABLE);
            }
            state => self.state = state,
        }
        self.lost(cx, UNREADABLE)
    }

    fn abandon(&mut self, cx: &mut Cx<Self>, tx: Transaction, stage: Stage, loss: &Loss) {
        let (id, fates) = tx.abandoned(stage, loss);
        self.finish(cx, id, fates);
    }

    /// Defers every delivery that waits.
    fn give_up_waiting(&mut self, cx: &mut Cx<Self>, loss: &Loss) {
        while let Some(delivery) = self.common.waiting.pop_front() {
            let fates = Fates::waiting(delivery.recipients.len(), loss);
            cx.event(Event::Finished(Finished { id: delivery.id, fates }));
        }
    }

    /// Says once that no more deliveries can begin, and why.
    fn say_done(&mut self, cx: &mut Cx<Self>, failure: Option<Failure>) {
        if !core::mem::replace(&mut self.common.done, true) {
            cx.event(Event::Done(failure));
        }
    }

    pub(super) fn check(&self, delivery: &Delivery) -> Result<(), Misuse> {
        let common = &self.common;
        let known = common.current == Some(delivery.id)
            || common.waiting.iter().any(|other| other.id == delivery.id);
        if known || common.waiting.len() >= WAITING_MAX {
            return Err(Misuse::BadValue);
        }
        command::check(delivery, &common.config.limits)
    }

    /// Takes a delivery back that has not begun.
    pub(super) fn cancel(&mut self, cx: &mut Cx<Self>, id: u32) {
        let Some(at) = self.common.waiting.iter().position(|delivery| delivery.id == id) else {
            return;
        };
        if let Some(delivery) = self.common.waiting.remove(at) {
            let loss = Loss::new("4.3.0", "The delivery was cancelled");
            let fates = Fates::waiting(delivery.recipients.len(), &loss);
            cx.event(Event::Finished(Finished { id, fates }));
        }
    }
}
