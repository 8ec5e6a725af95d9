//! What a crash costs: a write is there for good once the disk is synced. Until then nothing that follows from it leaves
//! the host, so that nobody holds a promise which a crash would break (RFC 5321 §6.1).

use std::collections::BTreeSet;

use pillarbox_engine::trace::{Note, Side, Span};

use super::ids::{End, NodeId, WireId};
use super::log::What;
use super::seat::Effect;
use super::{Due, World};

/// What the ends at one host would have sent, had the disk been quicker.
#[derive(Default)]
pub(crate) struct Disk {
    /// Syncs that were begun: one that a crash overtook must not be taken for a later one.
    begun: u64,
    /// In the order in which it was said.
    held: Vec<(WireId, End, Effect)>,
    /// Whose.
    ends: BTreeSet<(WireId, usize)>,
}

impl Disk {
    fn hold(&mut self, wire: WireId, end: End, effect: Effect) {
        self.ends.insert((wire, end.index()));
        self.held.push((wire, end, effect));
    }

    fn let_go(&mut self) -> Vec<(WireId, End, Effect)> {
        self.ends.clear();
        std::mem::take(&mut self.held)
    }
}

impl Effect {
    /// Whether the other end learns of it, or a reader of what it would have learned.
    fn leaves_the_host(&self) -> bool {
        match self {
            Self::Note(Note::Span(span)) => span.side == Side::Sent,
            Self::Transmit(_)
            | Self::StartTls
            | Self::Close
            | Self::Cut
            | Self::Pace { .. }
            | Self::SevenBit
            | Self::Tap => true,
            Self::Note(_)
            | Self::Ask(..)
            | Self::Answer(..)
            | Self::Call(..)
            | Self::Event(..)
            | Self::Misuse(_)
            | Self::Later(_)
            | Self::Wait(_)
            | Self::Struck(_)
            | Self::News(_) => false,
        }
    }
}

impl World {
    /// Somebody wrote to a server's store, perhaps: the disk is synced, at once or when it is done.
    pub(super) fn after_writes(&mut self, node: NodeId) {
        let Some(backend) = self.node(node).backend.clone() else { return };
        if !backend.is_unsynced() {
            return self.tell_writes(node);
        }
        if backend.begins_sync() {
            let sync_ms = self.node(node).setup.sync_ms;
            let disk = &mut self.node_mut(node).disk;
            disk.begun += 1;
            let begun = disk.begun;
            self.plan(self.now.after(sync_ms), Due::Synced(node, begun));
        }
    }

    /// The disk has it: what waited for that is told, and sent.
    pub(super) fn synced(&mut self, node: NodeId, begun: u64) {
        if self.node(node).disk.begun != begun {
            return;
        }
        if let Some(backend) = &self.node(node).backend {
            backend.synced();
        }
        let cause = self.cause;
        self.tell_writes(node);
        self.cause = cause;
        let held = self.node_mut(node).disk.let_go();
        let mut sending: Option<(WireId, End, Vec<u8>)> = None;
        for (wire, end, effect) in held {
            match (effect, &mut sending) {
                (Effect::Transmit(more), Some((last, at, octets)))
                    if (*last, *at) == (wire, end) =>
                {
                    octets.extend(more);
                }
                (effect @ Effect::Note(Note::Span(_)), _) => self.apply(wire, end, effect),
                (effect, sending) => {
                    if let Some((last, at, octets)) = sending.take() {
                        self.send(last, at, &octets);
                    }
                    match effect {
                        Effect::Transmit(octets) => *sending = Some((wire, end, octets)),
                        other => self.apply(wire, end, other),
                    }
                }
            }
        }
        if let Some((wire, end, octets)) = sending {
            self.send(wire, end, &octets);
        }
    }

    /// Keeps back what must wait for the disk, and gives what need not. Notes stay in their order: what is noted of a
    /// reply belongs to its octets, so once one waits, those behind it do too.
    pub(super) fn hold_back(
        &mut self,
        wire: WireId,
        end: End,
        effects: Vec<Effect>,
    ) -> Vec<Effect> {
        let node = self.wire(wire).node(end);
        if !self.node(node).backend.as_ref().is_some_and(|backend| backend.is_unsynced()) {
            return effects;
        }
        let disk = &mut self.node_mut(node).disk;
        let mut holds = disk.ends.contains(&(wire, end.index()));
        let mut free = Vec::new();
        for effect in effects {
            let leaves = effect.leaves_the_host();
            holds |= leaves;
            if leaves || holds && matches!(effect, Effect::Note(_)) {
                disk.hold(wire, end, effect);
            } else {
                free.push(effect);
            }
        }
        free
    }

    /// The host is off: what was not synced is not there when it comes back, and what was to be said is never said.
    pub(super) fn crashed(&mut self, node: NodeId) {
        let disk = &mut self.node_mut(node).disk;
        disk.begun += 1;
        for (wire, end, effect) in disk.let_go() {
            // What was read was read.
            if let Effect::Note(note @ Note::Span(Span { side: Side::Received, .. })) = effect {
                self.noted(wire, end, note);
            }
        }
        let writes = self.node(node).backend.as_ref().map_or(0, |backend| backend.crashed());
        if writes > 0 {
            self.note(Some(node), None, What::Lost { writes });
        }
    }
}
