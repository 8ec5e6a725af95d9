//! Turns: a seat is told what happened, and what it leaves behind is carried out.

use pillarbox_engine::trace::Note;

use super::ids::{Dir, End, NodeId, Time, WireId};
use super::log::{Fate, Queue, Said, What};
use super::seat::{Cx, Effect, Turn};
use super::wire::{Noted, Phase};
use super::{Due, World};
use crate::queue::Queue as _;

impl World {
    pub(super) fn handle(&mut self, due: Due) {
        match due {
            Due::Open(wire) => self.open(wire),
            Due::Opened(wire) => self.opened(wire),
            Due::NotOpened(wire, why) => self.not_opened(wire, why),
            Due::Arrive(wire, dir, octets) => self.arrive(wire, dir, octets),
            Due::Finish(wire, dir) => self.finished(wire, dir),
            Due::Lost(wire, end) => self.lost(wire, end),
            Due::Tick(wire, end, _) => self.turn(wire, end, Turn::Tick),
            Due::Resume(wire, end) => self.turn(wire, end, Turn::Resume),
            Due::Look(wire, end) => self.turn(wire, end, Turn::Look),
            Due::Secured(wire) => self.secured(wire),
            Due::Answered(node, question, answer) => self.dns_answered(node, question, answer),
            Due::Queue(node) => self.run_queue(node),
            Due::Synced(node, begun) => self.synced(node, begun),
            Due::Ordered(wire, end, order) => self.turn(wire, end, Turn::Order(order)),
        }
    }

    /// Gives one end a turn.
    pub(super) fn turn(&mut self, id: WireId, end: End, turn: Turn) {
        let now = self.clock_of(self.wire(id).node(end));
        let unix_ms = self.unix_ms(self.now);
        let Some(mut seat) = self.wire_mut(id).seats[end.index()].take() else { return };
        let mut cx = Cx { now, unix_ms, faults: &mut self.faults, effects: Vec::new() };
        seat.turn(turn, &mut cx);
        let effects = cx.effects;
        self.wire_mut(id).seats[end.index()] = Some(seat);
        let node = self.wire(id).node(end);
        // A session writes before it answers; what it says comes after what it did.
        self.after_writes(node);
        let mut sending = Vec::new();
        for effect in self.hold_back(id, end, effects) {
            match effect {
                // With tracing a session gives a reply out in pieces; it is one write all the same.
                Effect::Transmit(octets) => sending.extend(octets),
                Effect::Note(Note::Span(_)) => self.apply(id, end, effect),
                other => {
                    self.send(id, end, &std::mem::take(&mut sending));
                    self.apply(id, end, other);
                }
            }
        }
        self.send(id, end, &sending);
    }

    pub(super) fn apply(&mut self, id: WireId, end: End, effect: Effect) {
        let node = Some(self.wire(id).node(end));
        let said = |kind, about| Said { end, kind, about };
        match effect {
            Effect::Transmit(octets) => self.send(id, end, &octets),
            Effect::Note(note) => self.noted(id, end, note),
            Effect::Ask(kind, about) => {
                self.note(node, Some(id), What::Ask(said(kind, about)));
            }
            Effect::Answer(kind, about) => {
                self.note(node, Some(id), What::Answer(said(kind, about)));
            }
            Effect::Call(kind, about) => {
                self.note(node, Some(id), What::Call(said(kind, about)));
            }
            Effect::Event(kind, about) => {
                self.note(node, Some(id), What::Event(said(kind, about)));
            }
            Effect::Misuse(what) => {
                self.note(node, Some(id), What::Misuse(what));
            }
            Effect::StartTls => self.wants_tls(id, end),
            Effect::Close => self.finish(id, end),
            Effect::Cut => self.cut(id, end),
            Effect::Later(ms) => self.plan(self.now.after(ms), Due::Resume(id, end)),
            Effect::Wait(deadline_ms) => self.set_timer(id, end, deadline_ms.map(Time)),
            Effect::Struck(strikes) => self.struck(id, &strikes),
            Effect::Pace { octets_per_s, piece, corrupt, lf_only } => {
                let stream = &mut self.wire_mut(id).streams[Dir::sent_by(end).index()];
                let sent = stream.sent.len() as u64;
                stream.octets_per_s = octets_per_s.or(stream.octets_per_s);
                stream.piece = piece.or(stream.piece);
                stream.corrupt.extend(corrupt.iter().map(|at| sent + at.saturating_sub(1)));
                stream.lf_only |= lf_only;
            }
            Effect::SevenBit => {
                self.wire_mut(id).streams.iter_mut().for_each(|stream| stream.seven_bit = true);
            }
            Effect::Tap => {
                self.wire_mut(id).streams.iter_mut().for_each(|stream| stream.tapped = true);
            }
            Effect::News(news) => self.news(id, news),
        }
    }

    pub(super) fn noted(&mut self, id: WireId, end: End, note: Note) {
        let at = self.now;
        let wire = self.wire_mut(id);
        wire.notes[end.index()].push(Noted { at, note });
        let node = Some(wire.node(end));
        match note {
            Note::State { from, to } => {
                wire.states[end.index()] = to;
                self.note(node, Some(id), What::State { end, from, to });
            }
            Note::Defect(rule) => {
                self.note(node, Some(id), What::Defect { end, rule });
            }
            Note::Span(_) => {}
        }
    }

    fn set_timer(&mut self, id: WireId, end: End, at: Option<Time>) {
        let timer = &mut self.wire_mut(id).timers[end.index()];
        if timer.at == at {
            return;
        }
        timer.number += 1;
        timer.at = at;
        let number = timer.number;
        if let Some(at) = at {
            // A deadline is nobody's doing.
            let cause = self.cause.take();
            self.plan(at, Due::Tick(id, end, number));
            self.cause = cause;
        }
    }

    fn wants_tls(&mut self, id: WireId, end: End) {
        let wire = self.wire_mut(id);
        wire.tls_wanted[end.index()] = true;
        if wire.tls_wanted == [true, true] {
            // RFC 8446 §2: one round trip, and the server's flight arrives with the client's last.
            let latency = self.link(self.wire(id).nodes[0], self.wire(id).nodes[1]).latency_ms;
            self.plan(self.now.after(2 * latency), Due::Secured(id));
        }
    }

    fn secured(&mut self, id: WireId) {
        let wire = self.wire_mut(id);
        if wire.phase != Phase::Open {
            return;
        }
        for dir in Dir::BOTH {
            wire.tls_from[dir.index()] = Some(wire.streams[dir.index()].sent.len() as u64);
        }
        wire.tls_wanted = [false, false];
        let node = wire.node(End::Client);
        self.note(Some(node), Some(id), What::Secured);
        for end in [End::Server, End::Client] {
            self.turn(id, end, Turn::Secured);
        }
    }

    /// Tells what a server's store holds now, whoever wrote to it.
    pub(super) fn tell_writes(&mut self, node: NodeId) {
        let Some(backend) = self.node(node).backend.clone() else { return };
        for key in backend.take_woken() {
            let wire = u32::try_from(key.saturating_sub(1)).ok().map(WireId);
            if let Some(wire) = wire.filter(|wire| (wire.0 as usize) < self.wires.len()) {
                self.plan(self.now, Due::Look(wire, End::Server));
            }
        }
        if !backend.take_wrote() {
            return;
        }
        for mailbox in self.node_mut(node).changed_mailboxes() {
            self.note(Some(node), None, What::Mailbox(mailbox));
        }
        let after = self.node(node).told_message;
        let new = backend.store.messages(after, 100).unwrap_or_default();
        for message in new {
            self.node_mut(node).told_message = message.id;
            for task in backend.store.tasks(message.id, 0, 100).unwrap_or_default() {
                let destination = String::from_utf8_lossy(&task.destination).into_owned();
                let length = self.node(node).queue_length();
                let what = Queue { message: message.id, destination, fate: Fate::Queued, length };
                self.note(Some(node), None, What::Queue(what));
            }
        }
        self.plan_queue(node);
    }
}
