//! A world while nothing travels and no session is open: what it takes to go back there.
//! The log and the wires only grow, and a wire that is over never changes; so of these a length is enough.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::disk::Disk;
use super::dns::Zones;
use super::ids::{EntryId, NodeId, Time};
use super::node::Node;
use super::wire::{Link, Phase};
use super::{Due, Planned, World};
use crate::fault::Faults;

/// A world at rest.
pub struct Checkpoint {
    now: Time,
    planned: u64,
    queues: BTreeMap<(Time, u64), (NodeId, Option<EntryId>)>,
    nodes: Vec<Node>,
    links: Vec<Link>,
    zones: Zones,
    faults: Faults,
    entries: usize,
    wires: usize,
}

impl Checkpoint {
    /// When it was made.
    #[must_use]
    pub fn at(&self) -> Time {
        self.now
    }

    /// Entries that the log had.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.entries
    }
}

impl World {
    /// What it takes to come back to this moment; none while anything travels or a session is open.
    #[must_use]
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        let open = self.wires.iter().rev().any(|wire| wire.phase != Phase::Closed);
        if open || self.nodes.iter().any(|node| !node.jobs.is_empty()) {
            return None;
        }
        let mut queues = BTreeMap::new();
        for (at, planned) in &self.agenda {
            match planned.due {
                Due::Queue(node) => drop(queues.insert(*at, (node, planned.cause))),
                // What is still due on a wire that is over does nothing.
                Due::Answered(..) | Due::Synced(..) => return None,
                _ => {}
            }
        }
        Some(Checkpoint {
            now: self.now,
            planned: self.planned,
            queues,
            nodes: self.nodes.iter().map(Node::copy_at_rest).collect(),
            links: self.links.clone(),
            zones: self.zones.clone(),
            faults: self.faults.clone(),
            entries: self.log.len(),
            wires: self.wires.len(),
        })
    }

    /// Goes back to a moment of this world's own past.
    pub fn restore(&mut self, checkpoint: &Checkpoint) {
        self.now = checkpoint.now;
        self.planned = checkpoint.planned;
        self.agenda.clear();
        for (at, (node, cause)) in &checkpoint.queues {
            self.agenda.insert(*at, Planned { due: Due::Queue(*node), cause: *cause });
        }
        self.nodes = checkpoint.nodes.iter().map(Node::copy_at_rest).collect();
        self.links.clone_from(&checkpoint.links);
        self.zones = checkpoint.zones.clone();
        self.faults = checkpoint.faults.clone();
        self.log.truncate(checkpoint.entries);
        self.wires.truncate(checkpoint.wires);
        let wires = self.wires.len();
        self.owners.retain(|wire, _| (wire.0 as usize) < wires);
        self.cause = None;
        self.flights.clear();
    }
}

impl Node {
    fn copy_at_rest(&self) -> Self {
        Self {
            id: self.id,
            setup: self.setup.clone(),
            address: self.address.clone(),
            backend: self.backend.as_ref().map(|backend| Arc::new(backend.copy_at_rest())),
            draw: self.draw.clone(),
            up: self.up,
            jobs: BTreeMap::new(),
            queue_at: self.queue_at,
            told: self.told.clone(),
            told_message: self.told_message,
            disk: Disk::default(),
            device: self.device.clone(),
            by_hand: self.by_hand.clone(),
        }
    }
}
