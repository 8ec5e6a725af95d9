//! Links between nodes, and the wires over them: what was sent, what has arrived, and what is on its way.
//! Nothing here knows a protocol.

use std::ops::Range;

use pillarbox_engine::trace::{Note, Side};

use super::ids::{Dir, End, NodeId, Protocol, Time, WireId};
use super::seat::Drive;

/// A path between two nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// One end.
    pub a: NodeId,
    /// The other.
    pub b: NodeId,
    /// How long an octet travels.
    pub latency_ms: u64,
    /// How many octets a second; none: as many as there are.
    pub octets_per_s: Option<u64>,
    /// Octets that travel together at most; none: as many as there are.
    pub chunk: Option<u32>,
    /// Whether it is cut.
    pub cut: bool,
    /// Whether somebody listens.
    pub tapped: bool,
    /// Whether the eighth bit of every octet is lost on it.
    pub seven_bit: bool,
}

impl Link {
    /// A link without faults.
    #[must_use]
    pub const fn new(a: NodeId, b: NodeId) -> Self {
        let (octets_per_s, chunk) = (None, None);
        let (cut, tapped, seven_bit) = (false, false, false);
        Self { a, b, latency_ms: 20, octets_per_s, chunk, cut, tapped, seven_bit }
    }

    pub(super) fn joins(&self, one: NodeId, other: NodeId) -> bool {
        (self.a, self.b) == (one, other) || (self.b, self.a) == (one, other)
    }
}

/// How far a wire has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The request travels.
    Opening,
    /// Both ends may speak.
    Open,
    /// It is over.
    Closed,
}

/// One connection.
pub(crate) struct Wire {
    pub(crate) id: WireId,
    pub(crate) nodes: [NodeId; 2],
    pub(crate) port: u16,
    pub(crate) protocol: Protocol,
    pub(crate) phase: Phase,
    pub(crate) opened: Time,
    pub(crate) closed: Option<Time>,
    /// By `Dir::index`.
    pub(crate) streams: [Stream; 2],
    /// By `End::index`.
    pub(crate) seats: [Option<Box<dyn Drive>>; 2],
    pub(crate) timers: [Timer; 2],
    /// By `End::index`: a session's notes, its own sent octets among them.
    pub(crate) notes: [Vec<Noted>; 2],
    pub(crate) states: [&'static str; 2],
    /// By `End::index`: whether this end waits for TLS to come up.
    pub(crate) tls_wanted: [bool; 2],
    /// By `Dir::index`: the first octet that travels inside TLS.
    pub(crate) tls_from: [Option<u64>; 2],
}

/// When a seat is to be told that its deadline is reached; the number tells stale ones.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Timer {
    pub(crate) number: u64,
    pub(crate) at: Option<Time>,
}

/// A note, and when it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noted {
    /// When.
    pub at: Time,
    /// What.
    pub note: Note,
}

/// One direction of a wire.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stream {
    pub(crate) sent: Vec<u8>,
    /// Differs from what was sent if a fault changed it on its way.
    pub(crate) arrived: Vec<u8>,
    /// When the last octet that was sent arrives: octets do not overtake each other.
    pub(crate) last: Time,
    pub(crate) ended: bool,
    pub(crate) octets_per_s: Option<u64>,
    pub(crate) piece: Option<u32>,
    /// Offsets of octets whose lowest bit is flipped.
    pub(crate) corrupt: Vec<u64>,
    pub(crate) lf_only: bool,
    pub(crate) seven_bit: bool,
    pub(crate) tapped: bool,
    /// Octets that travelled in the clear while somebody listened, in order.
    pub(crate) overheard: Vec<Range<u64>>,
}

impl Stream {
    pub(crate) fn overhear(&mut self, range: Range<u64>) {
        match self.overheard.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => self.overheard.push(range),
        }
    }
}

impl Wire {
    pub(crate) fn new(
        id: WireId,
        nodes: [NodeId; 2],
        port: u16,
        protocol: Protocol,
        at: Time,
    ) -> Self {
        Self {
            id,
            nodes,
            port,
            protocol,
            phase: Phase::Opening,
            opened: at,
            closed: None,
            streams: Default::default(),
            seats: [None, None],
            timers: Default::default(),
            notes: Default::default(),
            states: [""; 2],
            tls_wanted: [false; 2],
            tls_from: [None; 2],
        }
    }

    pub(crate) fn node(&self, end: End) -> NodeId {
        self.nodes[end.index()]
    }

    /// Notes about one direction by one of its ends.
    pub(crate) fn notes(&self, dir: Dir, end: End) -> impl Iterator<Item = &Noted> {
        let side = if dir.sender() == end { Side::Sent } else { Side::Received };
        // A state or a defect belongs to the span noted before it.
        let mut last = None;
        self.notes[end.index()].iter().filter(move |noted| {
            if let Note::Span(span) = noted.note {
                last = Some(span.side);
            }
            last == Some(side)
        })
    }
}
