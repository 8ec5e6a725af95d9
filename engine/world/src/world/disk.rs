//! What a crash costs: a write is there for good once the disk is synced. Until then nothing that follows from it leaves
//! the host, so that nobody holds a promise which a crash would break (RFC 5321 §6.1).

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
}

impl Effect {
    /// Whether the other end learns of it.
    pub(super) fn leaves_the_host(&self) -> bool {
        match self {
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
        let held = std::mem::take(&mut self.node_mut(node).disk.held);
        let mut sending: Option<(WireId, End, Vec<u8>)> = None;
        for (wire, end, effect) in held {
            match (effect, &mut sending) {
                (Effect::Transmit(more), Some((last, at, octets)))
                    if (*last, *at) == (wire, end) =>
                {
                    octets.extend(more);
                }
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

    /// Whether what an end of a wire says waits for the disk.
    pub(super) fn is_held(&self, node: NodeId) -> bool {
        self.node(node).backend.as_ref().is_some_and(|backend| backend.is_unsynced())
    }

    pub(super) fn hold(&mut self, node: NodeId, wire: WireId, end: End, effect: Effect) {
        self.node_mut(node).disk.held.push((wire, end, effect));
    }

    /// The host is off: what was not synced is not there when it comes back, and what was to be said is never said.
    pub(super) fn crashed(&mut self, node: NodeId) {
        let disk = &mut self.node_mut(node).disk;
        disk.begun += 1;
        disk.held.clear();
        let writes = self.node(node).backend.as_ref().map_or(0, |backend| backend.crashed());
        if writes > 0 {
            self.note(Some(node), None, What::Lost { writes });
        }
    }
}
