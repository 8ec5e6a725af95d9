//! RETR and TOP: a message's octets on their way to the host, one chunk at a time.
//! The inbox takes the dots out; what is done with the octets is the host's.

use alloc::vec::Vec;

use super::types::{Ask, Cause, Event, Failure, MessageChunk, Outcome};
use super::{Client, Flow, State};
use crate::role::{Cx, TextEnd};

/// A message being read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retrieval {
    call: u32,
    /// Octets so far.
    size: u64,
    /// The host takes no more of it.
    dropped: bool,
}

impl Retrieval {
    pub(super) fn new(call: u32) -> Self {
        Self { call, size: 0, dropped: false }
    }

    /// The host refused a chunk: what is still to come is read and forgotten.
    pub(super) fn dropped(self) -> Self {
        Self { dropped: true, ..self }
    }
}

impl Client {
    /// Text came.
    pub(super) fn text_came(
        mut self,
        cx: &mut Cx<Self>,
        mut retrieval: Retrieval,
        octets: Vec<u8>,
        end: Option<TextEnd>,
    ) -> Self {
        cx.note_text(&octets, end.is_some(), &super::reply::STATUS);
        if let Some(fault) = end.and_then(|end| end.fault) {
            // The mail is the user's: it is taken as it is.
            self.defect(cx, super::fault_words(fault));
        }
        retrieval.size += octets.len() as u64;
        if retrieval.size > self.common.config.limits.message_max {
            // Only the connection's end ends a message that does not end.
            self.state = State::Open(Flow::Text(retrieval));
            let text = "The message is larger than this host takes";
            return self.lost(cx, Failure::ours(Cause::TooLarge, text));
        }
        let last = end.is_some();
        if octets.is_empty() || retrieval.dropped {
            return self.chunk_taken(cx, retrieval, last);
        }
        cx.ask(Ask::Chunk(MessageChunk { call: retrieval.call, octets }));
        self.go(cx, State::Open(Flow::Chunk(retrieval, last)))
    }

    /// The host has the octets, or does not want them.
    pub(super) fn chunk_taken(self, cx: &mut Cx<Self>, retrieval: Retrieval, last: bool) -> Self {
        if !last {
            return self.go(cx, State::Open(Flow::Text(retrieval)));
        }
        let outcome = if retrieval.dropped {
            let text = "The message's octets were not taken";
            Outcome::Failed(Failure::ours(Cause::Dropped, text))
        } else {
            Outcome::Retrieved(retrieval.size)
        };
        self.finish(cx, outcome)
    }

    /// Tells the host what the maildrop holds, and ends the call.
    pub(super) fn tell_maildrop(self, cx: &mut Cx<Self>, text: &[u8]) -> Self {
        match super::opening::maildrop(text) {
            Some(maildrop) => {
                cx.event(Event::Maildrop(maildrop));
                self.complete(cx)
            }
            None => self.malformed(cx, text),
        }
    }
}
