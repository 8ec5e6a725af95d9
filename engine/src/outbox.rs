//! The one queue of everything that leaves a session, in causal order.
//! Octets that follow one another are joined, so that a reply of many pieces is one write.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::limits;
use crate::role::Role;
use crate::session::Output;

/// Octets that there is room for at once.
const REPLY_OCTETS: usize = 96;

pub(crate) struct Outbox<R: Role> {
    queue: VecDeque<Output<R>>,
    octets: usize,
}

impl<R: Role> Outbox<R> {
    pub(crate) const fn new() -> Self {
        Self { queue: VecDeque::new(), octets: 0 }
    }

    pub(crate) fn transmit(&mut self, octets: &[u8]) {
        if octets.is_empty() {
            return;
        }
        self.octets += octets.len();
        if let Some(Output::Transmit(last)) = self.queue.back_mut() {
            last.extend_from_slice(octets);
        } else {
            // A reply comes in four pieces or more, and most fit into this.
            let mut first = Vec::with_capacity(octets.len().max(REPLY_OCTETS));
            first.extend_from_slice(octets);
            self.queue.push_back(Output::Transmit(first));
        }
    }

    pub(crate) fn push(&mut self, output: Output<R>) {
        self.queue.push_back(output);
    }

    pub(crate) fn pop(&mut self) -> Option<Output<R>> {
        let output = self.queue.pop_front()?;
        if let Output::Transmit(octets) = &output {
            self.octets -= octets.len();
        }
        Some(output)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Counts entries beside octets: notes, references and events must not pile up either.
    pub(crate) fn is_full(&self) -> bool {
        self.octets >= limits::OUTBOX_OCTETS_MAX || self.queue.len() >= limits::OUTBOX_OUTPUTS_MAX
    }
}
