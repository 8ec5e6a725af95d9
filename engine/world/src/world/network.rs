//! What travels: connections that are asked for, octets, ends. Time on the way is made of latency and bandwidth.

use pillarbox_engine::trace::{Note, Side, Span};

use super::ids::{Dir, End, NodeId, Protocol, Time, WireId};
use super::log::What;
use super::seat::{Drive, Turn, Typist};
use super::view::Flight;
use super::wire::{Link, Phase, Wire};
use super::{Due, Owner, World};
use crate::fault::{Moment, Peer, Stage};

/// How long a request to connect is repeated before it is given up, where nothing answers.
const CONNECT_MS: u64 = 30_000;
/// Pieces that one write travels in.
const PIECES_MAX: usize = 4096;
/// Flights that are remembered for a view once they are over.
const FLIGHTS_MAX: usize = 256;

impl World {
    /// The path between two nodes, whatever was set up for it.
    pub(super) fn link(&self, one: NodeId, other: NodeId) -> Link {
        let found = self.links.iter().find(|link| link.joins(one, other));
        found.cloned().unwrap_or_else(|| Link::new(one, other))
    }

    pub(super) fn link_mut(&mut self, one: NodeId, other: NodeId) -> &mut Link {
        let at = self.links.iter().position(|link| link.joins(one, other));
        let at = at.unwrap_or_else(|| {
            self.links.push(Link::new(one, other));
            self.links.len() - 1
        });
        &mut self.links[at]
    }

    /// Asks for a connection; who speaks at the client's end is set already.
    pub(super) fn connect(
        &mut self,
        from: NodeId,
        to: NodeId,
        port: u16,
        owner: Owner,
        seat: Box<dyn Drive>,
    ) -> WireId {
        let id = WireId(u32::try_from(self.wires.len()).expect("wires are bounded by entries"));
        let protocol = Protocol::of_port(port).map_or(Protocol::Smtp, |(protocol, _)| protocol);
        let mut wire = Wire::new(id, [from, to], port, protocol, self.now);
        wire.seats[End::Client.index()] = Some(seat);
        self.wires.push(wire);
        self.owners.insert(id, owner);
        self.note(Some(from), Some(id), What::Connect { to, port, protocol });
        let link = self.link(from, to);
        if link.cut || !self.node(to).up {
            self.plan(self.now.after(CONNECT_MS), Due::NotOpened(id, "no answer"));
        } else {
            self.plan(self.now.after(link.latency_ms), Due::Open(id));
        }
        id
    }

    /// A request for a connection is there.
    pub(super) fn open(&mut self, id: WireId) {
        let wire = self.wire(id);
        // Whoever asked is gone meanwhile.
        if wire.phase != Phase::Opening {
            return;
        }
        let (nodes, port) = (wire.nodes, wire.port);
        let server = nodes[End::Server.index()];
        let latency = self.link(nodes[0], nodes[1]).latency_ms;
        let by_hand = self.node(server).by_hand.contains(&port);
        let listens = by_hand || self.node(server).setup.ports.contains(&port);
        if !self.node(server).up {
            self.plan(self.now.after(CONNECT_MS), Due::NotOpened(id, "no answer"));
            return;
        }
        if self.is_down(id) || !listens {
            self.plan(self.now.after(latency), Due::NotOpened(id, "connection refused"));
            return;
        }
        self.wire_mut(id).phase = Phase::Open;
        self.plan(self.now.after(latency), Due::Opened(id));
        let seat: Box<dyn Drive> =
            if by_hand { Box::new(Typist::new(Vec::new())) } else { self.server_seat(id) };
        self.wire_mut(id).seats[End::Server.index()] = Some(seat);
        self.turn(id, End::Server, Turn::Look);
    }

    /// Whether a fault says that nobody is there.
    fn is_down(&mut self, id: WireId) -> bool {
        let peer = self.peer(id);
        let moment = Moment {
            peer: &peer,
            stage: Stage::Open,
            sender: None,
            recipients: &[],
            monotonic_ms: self.now.0,
            unix_ms: self.unix_ms(self.now),
        };
        let Some(decision) = self.faults.decide(&moment) else { return false };
        self.struck(id, &decision.strikes);
        true
    }

    /// A wire, as faults name it.
    pub(super) fn peer(&self, id: WireId) -> Peer {
        let wire = self.wire(id);
        let name = |end: End| self.node(wire.node(end)).setup.name.clone();
        Peer {
            service: wire.protocol.name(),
            node: name(End::Server),
            wire: u64::from(id.0),
            address: self.node(wire.node(End::Client)).address.clone().into_bytes(),
            link: Some((name(End::Client), name(End::Server))),
        }
    }

    pub(super) fn struck(&mut self, id: WireId, strikes: &[crate::fault::Strike]) {
        let node = self.wire(id).node(End::Server);
        for strike in strikes {
            let rule = strike.rule.as_str().into();
            let what = What::FaultFired { number: strike.number, rule };
            self.note(Some(node), Some(id), what);
        }
    }

    pub(super) fn opened(&mut self, id: WireId) {
        if self.wire(id).phase != Phase::Open {
            return;
        }
        let node = self.wire(id).node(End::Client);
        self.note(Some(node), Some(id), What::Connected);
        self.turn(id, End::Client, Turn::Look);
    }

    pub(super) fn not_opened(&mut self, id: WireId, why: &'static str) {
        let now = self.now;
        let wire = self.wire_mut(id);
        if wire.phase != Phase::Opening {
            return;
        }
        wire.phase = Phase::Closed;
        wire.closed = Some(now);
        wire.seats = [None, None];
        let (from, to, port) = (wire.nodes[0], wire.nodes[1], wire.port);
        self.note(Some(from), Some(id), What::Refused { to: Some(to), port, why });
        self.not_connected(id, why);
    }

    /// Sends octets from one end.
    pub(super) fn send(&mut self, id: WireId, end: End, octets: &[u8]) {
        let dir = Dir::sent_by(end);
        let wire = self.wire(id);
        if wire.phase != Phase::Open || wire.streams[dir.index()].ended || octets.is_empty() {
            return;
        }
        let link = self.link(wire.nodes[0], wire.nodes[1]);
        let stream = &wire.streams[dir.index()];
        let start = stream.sent.len() as u64;
        let rate = least(link.octets_per_s, stream.octets_per_s);
        let piece = least(link.chunk, stream.piece).map_or(octets.len(), |n| n.max(1) as usize);
        // However small the pieces are, there are not too many of them.
        let piece = piece.max(octets.len().div_ceil(PIECES_MAX));
        let mut at = stream.last.0.saturating_sub(link.latency_ms).max(self.now.0);
        let mut arrivals = Vec::new();
        for part in octets.chunks(piece) {
            if let Some(rate) = rate {
                at += (part.len() as u64 * 1000).div_ceil(rate.max(1));
            }
            arrivals.push((Time(at + link.latency_ms), part.len()));
        }
        let arrives = arrivals.last().map_or(self.now, |(at, _)| *at);
        let travelled = self.travelled(id, dir, octets, &link);
        let in_clear = self.wire(id).tls_from[dir.index()].is_none();
        let stream = &mut self.wire_mut(id).streams[dir.index()];
        if (link.tapped || stream.tapped) && in_clear {
            stream.overhear(start..start + octets.len() as u64);
        }
        stream.sent.extend_from_slice(octets);
        stream.last = arrives;
        let node = self.wire(id).node(end);
        let end_at = start + octets.len() as u64;
        self.note(Some(node), Some(id), What::Octets { dir, start, end: end_at, arrives });
        self.fly(Flight { wire: id, dir, octets: octets.len() as u64, sent: self.now, arrives });
        let mut rest = &travelled[..];
        for (at, length) in arrivals {
            let (part, behind) = rest.split_at(length.min(rest.len()));
            rest = behind;
            self.plan(at, Due::Arrive(id, dir, part.to_vec()));
        }
    }

    /// What becomes of octets on their way.
    fn travelled(&mut self, id: WireId, dir: Dir, octets: &[u8], link: &Link) -> Vec<u8> {
        let stream = &mut self.wire_mut(id).streams[dir.index()];
        let start = stream.sent.len() as u64;
        let mut out = octets.to_vec();
        stream.corrupt.retain(|at| {
            let place = at.checked_sub(start).and_then(|at| usize::try_from(at).ok());
            match place.and_then(|place| out.get_mut(place)) {
                Some(octet) => {
                    *octet ^= 1;
                    false
                }
                None => true,
            }
        });
        if link.seven_bit || stream.seven_bit {
            out.iter_mut().for_each(|octet| *octet &= 0x7f);
        }
        if stream.lf_only {
            out.retain(|octet| *octet != b'\r');
        }
        out
    }

    fn fly(&mut self, flight: Flight) {
        if self.flights.len() >= FLIGHTS_MAX {
            self.flights.remove(0);
        }
        self.flights.push(flight);
    }

    pub(super) fn arrive(&mut self, id: WireId, dir: Dir, octets: Vec<u8>) {
        let wire = self.wire_mut(id);
        if wire.phase != Phase::Open || wire.seats[dir.receiver().index()].is_none() {
            return;
        }
        let in_clear = wire.tls_from[dir.index()].is_none();
        let by_tls = Protocol::of_port(wire.port).is_some_and(|(_, implicit)| implicit);
        let stream = &mut wire.streams[dir.index()];
        let start = stream.arrived.len() as u64;
        stream.arrived.extend_from_slice(&octets);
        if dir == Dir::ToServer && by_tls && in_clear {
            return self.no_handshake(id, start);
        }
        self.turn(id, dir.receiver(), Turn::Octets(octets));
    }

    /// What came to a port of TLS is no handshake: the session never sees it, and TLS ends the connection (RFC 8446 §5).
    fn no_handshake(&mut self, id: WireId, start: u64) {
        let end = self.wire(id).streams[Dir::ToServer.index()].arrived.len() as u64;
        let label = "unparsed";
        let span = Span { side: Side::Received, start, end, label, secret: false, why: None };
        self.noted(id, End::Server, Note::Span(span));
        self.cut(id, End::Server);
    }

    /// One end says nothing more.
    pub(super) fn finish(&mut self, id: WireId, end: End) {
        let dir = Dir::sent_by(end);
        let wire = self.wire(id);
        if wire.phase != Phase::Open || wire.streams[dir.index()].ended {
            return;
        }
        let latency = self.link(wire.nodes[0], wire.nodes[1]).latency_ms;
        let node = wire.node(end);
        let at = wire.streams[dir.index()].last.max(self.now.after(latency));
        self.wire_mut(id).streams[dir.index()].ended = true;
        self.note(Some(node), Some(id), What::Closed { by: end, cut: false });
        self.plan(at, Due::Finish(id, dir));
        self.leave(id, end);
    }

    pub(super) fn finished(&mut self, id: WireId, dir: Dir) {
        if self.wire(id).phase == Phase::Open {
            self.turn(id, dir.receiver(), Turn::End);
        }
    }

    /// The wire is cut by one end, or between both: each learns of it once what was sent to it is there.
    pub(super) fn cut(&mut self, id: WireId, by: End) {
        let wire = self.wire(id);
        if wire.phase == Phase::Closed {
            return;
        }
        let latency = self.link(wire.nodes[0], wire.nodes[1]).latency_ms;
        let node = wire.node(by);
        let at = wire.streams[Dir::sent_by(by).index()].last.max(self.now.after(latency));
        self.note(Some(node), Some(id), What::Closed { by, cut: true });
        self.plan(at, Due::Lost(id, by.other()));
        for dir in Dir::BOTH {
            self.wire_mut(id).streams[dir.index()].ended = true;
        }
        self.leave(id, by);
    }

    pub(super) fn lost(&mut self, id: WireId, end: End) {
        if self.wire(id).seats[end.index()].is_some() {
            self.turn(id, end, Turn::End);
            self.leave(id, end);
        }
    }

    /// Nobody sits at this end any more.
    fn leave(&mut self, id: WireId, end: End) {
        let now = self.now;
        let wire = self.wire_mut(id);
        if wire.seats[end.index()].take().is_none() {
            return;
        }
        wire.timers[end.index()].number += 1;
        if wire.seats.iter().all(Option::is_none) {
            wire.phase = Phase::Closed;
            wire.closed = Some(now);
        }
        if end == End::Client {
            self.hung_up(id);
        }
    }
}

fn least<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
