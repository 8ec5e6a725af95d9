//! What travelled, as packets in a pcapng file (draft-ietf-opsawg-pcapng) that other programs read: raw IPv4 with TCP.
//! Headers are made up as TCP would have made them; secrets are asterisks unless they were asked for. What went inside TLS is left out: a world has no ciphertext.

use std::collections::BTreeMap;

use pillarbox_engine::trace::Span;

use super::dialogue::mask;
use crate::world::{Dir, End, Entry, EntryId, NodeId, Phase, Time, What, WireId, WireView, World};

/// Octets of data in one packet: what fits an Ethernet frame.
const SEGMENT: usize = 1460;
/// Raw IP.
const LINK_TYPE: u16 = 101;
/// The first port that clients use.
const CLIENT_PORT: u16 = 49_152;

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const PSH: u8 = 8;
const ACK: u8 = 16;

/// All that travelled, by time; secret octets are asterisks unless they were asked for.
#[must_use]
pub fn pcapng(world: &World, secrets: bool) -> Vec<u8> {
    let mut entries: BTreeMap<WireId, Vec<&Entry>> = BTreeMap::new();
    for entry in world.entries(EntryId(0)) {
        if let Some(wire) = entry.wire {
            entries.entry(wire).or_default().push(entry);
        }
    }
    let mut packets: Vec<(u64, Vec<u8>)> = Vec::new();
    for wire in world.wires() {
        let own = entries.remove(&wire.id).unwrap_or_default();
        Capture::new(world, &wire, secrets).all(&own, &mut packets);
    }
    packets.sort_by_key(|(at_us, _)| *at_us);
    let mut out = Vec::new();
    block(&mut out, 0x0a0d_0d0a, &section());
    block(&mut out, 1, &interface());
    for (at_us, packet) in &packets {
        block(&mut out, 6, &enhanced_packet(*at_us, packet));
    }
    out
}

/// A block: type, length, body padded to four octets, length again.
fn block(out: &mut Vec<u8>, kind: u32, body: &[u8]) {
    let padding = body.len().next_multiple_of(4) - body.len();
    let length = u32::try_from(12 + body.len() + padding).expect("packets are small");
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(body);
    out.extend(std::iter::repeat_n(0, padding));
    out.extend_from_slice(&length.to_le_bytes());
}

fn section() -> Vec<u8> {
    let mut body = 0x1a2b_3c4d_u32.to_le_bytes().to_vec();
    body.extend_from_slice(&1_u16.to_le_bytes());
    body.extend_from_slice(&0_u16.to_le_bytes());
    // Its length is not told.
    body.extend_from_slice(&u64::MAX.to_le_bytes());
    body
}

fn interface() -> Vec<u8> {
    let mut body = LINK_TYPE.to_le_bytes().to_vec();
    body.extend_from_slice(&[0; 2]);
    // No limit on a packet's octets; times are in microseconds, as where nothing is said.
    body.extend_from_slice(&0_u32.to_le_bytes());
    body
}

fn enhanced_packet(at_us: u64, packet: &[u8]) -> Vec<u8> {
    let length = u32::try_from(packet.len()).expect("packets are small");
    let mut body = 0_u32.to_le_bytes().to_vec();
    body.extend_from_slice(&((at_us >> 32) as u32).to_le_bytes());
    body.extend_from_slice(&(at_us as u32).to_le_bytes());
    body.extend_from_slice(&length.to_le_bytes());
    body.extend_from_slice(&length.to_le_bytes());
    body.extend_from_slice(packet);
    body
}

/// One wire's packets.
struct Capture<'a> {
    world: &'a World,
    wire: &'a WireView,
    /// What must not be shown, of each direction.
    hidden: [Vec<Span>; 2],
    addresses: [[u8; 4]; 2],
    ports: [u16; 2],
    /// The next octet of each end, by its sequence number.
    next: [u32; 2],
    at_us: u64,
    identification: u16,
}

impl<'a> Capture<'a> {
    fn new(world: &'a World, wire: &'a WireView, secrets: bool) -> Self {
        let hidden = |dir| if secrets { Vec::new() } else { super::secrets(world, wire.id, dir) };
        let nodes = world.nodes();
        let address = |id: NodeId| {
            let found = nodes.iter().find(|node| node.id == id);
            let parsed = found.and_then(|node| node.address.parse::<std::net::Ipv4Addr>().ok());
            parsed.map_or([0; 4], |address| address.octets())
        };
        let number = (wire.id.0 % u32::from(u16::MAX - CLIENT_PORT)) as u16;
        Self {
            world,
            wire,
            hidden: [Dir::ToServer, Dir::ToClient].map(hidden),
            addresses: [address(wire.client), address(wire.server)],
            ports: [CLIENT_PORT + number, wire.port],
            // Numbers that are easy to tell apart.
            next: [1000, 5000],
            at_us: 0,
            identification: 0,
        }
    }

    fn all(mut self, entries: &[&Entry], packets: &mut Vec<(u64, Vec<u8>)>) {
        self.at(self.wire.opened);
        self.packet(packets, End::Client, SYN, &[]);
        if self.wire.phase == Phase::Opening {
            return;
        }
        let mut connected = false;
        for entry in entries {
            match &entry.what {
                What::Refused { .. } => {
                    self.at(entry.at);
                    self.packet(packets, End::Server, RST | ACK, &[]);
                }
                What::Octets { dir, start, end, .. } => {
                    if !connected {
                        connected = true;
                        self.handshake(packets);
                    }
                    self.at(entry.at);
                    self.data(packets, *dir, *start, *end);
                }
                What::Closed { by, cut } => {
                    self.at(entry.at);
                    let flags = if *cut { RST } else { FIN };
                    self.packet(packets, *by, flags | ACK, &[]);
                }
                _ => {}
            }
        }
    }

    fn at(&mut self, time: Time) {
        let at_us = self.world.unix_ms(time) * 1000;
        // Packets of one moment have an order.
        self.at_us = if at_us > self.at_us { at_us } else { self.at_us + 1 };
    }

    fn handshake(&mut self, packets: &mut Vec<(u64, Vec<u8>)>) {
        self.packet(packets, End::Server, SYN | ACK, &[]);
        self.packet(packets, End::Client, ACK, &[]);
    }

    fn data(&mut self, packets: &mut Vec<(u64, Vec<u8>)>, dir: Dir, start: u64, end: u64) {
        let side = usize::from(dir == Dir::ToClient);
        let clear_end = self.wire.tls_from[side].unwrap_or(u64::MAX);
        let octets = self.world.octets(self.wire.id, dir, start..end.min(clear_end).max(start));
        let shown = mask(octets, start, &self.hidden[side]);
        for part in shown.chunks(SEGMENT) {
            self.packet(packets, dir.sender(), PSH | ACK, part);
        }
    }

    fn packet(&mut self, packets: &mut Vec<(u64, Vec<u8>)>, by: End, flags: u8, data: &[u8]) {
        let (own, other) = if by == End::Client { (0, 1) } else { (1, 0) };
        let mut tcp = Vec::with_capacity(20 + data.len());
        tcp.extend_from_slice(&self.ports[own].to_be_bytes());
        tcp.extend_from_slice(&self.ports[other].to_be_bytes());
        tcp.extend_from_slice(&self.next[own].to_be_bytes());
        let acknowledged = if flags & ACK == 0 { 0 } else { self.next[other] };
        tcp.extend_from_slice(&acknowledged.to_be_bytes());
        tcp.extend_from_slice(&[5 << 4, flags]);
        tcp.extend_from_slice(&[0xff, 0xff, 0, 0, 0, 0]);
        tcp.extend_from_slice(data);
        let (from, to) = (self.addresses[own], self.addresses[other]);
        let length = u16::try_from(tcp.len()).expect("packets are small");
        let mut pseudo = [&from[..], &to, &[0, 6], &length.to_be_bytes()].concat();
        pseudo.extend_from_slice(&tcp);
        let sum = checksum(&pseudo);
        tcp[16..18].copy_from_slice(&sum.to_be_bytes());
        let counts = u32::from(flags & (SYN | FIN) != 0) + u32::from(length) - 20;
        self.next[own] = self.next[own].wrapping_add(counts);
        let packet = self.ip(from, to, &tcp);
        packets.push((self.at_us, packet));
        self.at_us += 1;
    }

    fn ip(&mut self, from: [u8; 4], to: [u8; 4], tcp: &[u8]) -> Vec<u8> {
        let length = u16::try_from(20 + tcp.len()).expect("packets are small");
        let mut ip = vec![0x45, 0];
        ip.extend_from_slice(&length.to_be_bytes());
        ip.extend_from_slice(&self.identification.to_be_bytes());
        // Not to be cut; 64 hops; TCP.
        ip.extend_from_slice(&[0x40, 0, 64, 6, 0, 0]);
        ip.extend_from_slice(&from);
        ip.extend_from_slice(&to);
        let sum = checksum(&ip);
        ip[10..12].copy_from_slice(&sum.to_be_bytes());
        ip.extend_from_slice(tcp);
        self.identification = self.identification.wrapping_add(1);
        ip
    }
}

/// RFC 1071.
fn checksum(octets: &[u8]) -> u16 {
    let mut sum = 0_u32;
    for pair in octets.chunks(2) {
        let high = u32::from(pair[0]) << 8;
        sum += high | pair.get(1).map_or(0, |low| u32::from(*low));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
