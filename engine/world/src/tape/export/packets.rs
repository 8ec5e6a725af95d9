//! Connections as packets in a pcapng file (draft-ietf-opsawg-pcapng) that other programs read: raw IP with TCP.
//! Headers are made up as TCP would have made them, so nothing is lost, doubled or late.

use std::net::{IpAddr, SocketAddr};

use crate::world::End;

/// Octets of data in one packet: what fits an Ethernet frame with IPv4.
const SEGMENT: usize = 1460;
/// Raw IP, of either version.
const LINK_TYPE: u16 = 101;

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const PSH: u8 = 8;
const ACK: u8 = 16;

/// What travelled on some connections.
#[derive(Debug, Default)]
pub struct Packets(Vec<(u64, Vec<u8>)>);

impl Packets {
    /// The file: all packets by time.
    #[must_use]
    pub fn file(mut self) -> Vec<u8> {
        pillarbox_engine::order::sort_by_key(&mut self.0, |(at_us, _)| *at_us);
        let mut out = Vec::new();
        block(&mut out, 0x0a0d_0d0a, &section());
        block(&mut out, 1, &interface());
        for (at_us, packet) in &self.0 {
            block(&mut out, 6, &enhanced_packet(*at_us, packet));
        }
        out
    }
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

/// One connection, which writes its packets down as it goes on.
#[derive(Debug)]
pub struct Connection<'a> {
    packets: &'a mut Packets,
    /// The client's, and the server's, of one version of IP.
    ends: [SocketAddr; 2],
    /// The next octet of each end, by its sequence number.
    next: [u32; 2],
    at_us: u64,
    identification: u16,
}

impl<'a> Connection<'a> {
    /// One between a client and a server. Where one has an address of IPv6, so has the other (RFC 4291 §2.5.5.2).
    pub fn new(packets: &'a mut Packets, client: SocketAddr, server: SocketAddr) -> Self {
        let mut ends = [client, server];
        if ends.iter().any(SocketAddr::is_ipv6) {
            for end in &mut ends {
                if let IpAddr::V4(address) = end.ip() {
                    end.set_ip(address.to_ipv6_mapped().into());
                }
            }
        }
        // Numbers that are easy to tell apart.
        Self { packets, ends, next: [1000, 5000], at_us: 0, identification: 0 }
    }

    /// It is so late now, in milliseconds since 1970 UTC; packets of one moment have an order.
    pub fn at(&mut self, unix_ms: u64) {
        let at_us = unix_ms.saturating_mul(1000);
        self.at_us = if at_us > self.at_us { at_us } else { self.at_us + 1 };
    }

    /// The client asks for it.
    pub fn open(&mut self) {
        self.packet(End::Client, SYN, &[]);
    }

    /// The server takes it.
    pub fn accept(&mut self) {
        self.packet(End::Server, SYN | ACK, &[]);
        self.packet(End::Client, ACK, &[]);
    }

    /// The server does not.
    pub fn refuse(&mut self) {
        self.packet(End::Server, RST | ACK, &[]);
    }

    /// An end says something.
    pub fn say(&mut self, by: End, octets: &[u8]) {
        for part in octets.chunks(SEGMENT) {
            self.packet(by, PSH | ACK, part);
        }
    }

    /// An end says nothing more, or cuts it.
    pub fn close(&mut self, by: End, cut: bool) {
        self.packet(by, if cut { RST } else { FIN } | ACK, &[]);
    }

    fn packet(&mut self, by: End, flags: u8, data: &[u8]) {
        let (own, other) = if by == End::Client { (0, 1) } else { (1, 0) };
        let (from, to) = (self.ends[own], self.ends[other]);
        let mut tcp = Vec::with_capacity(20 + data.len());
        tcp.extend_from_slice(&from.port().to_be_bytes());
        tcp.extend_from_slice(&to.port().to_be_bytes());
        tcp.extend_from_slice(&self.next[own].to_be_bytes());
        let acknowledged = if flags & ACK == 0 { 0 } else { self.next[other] };
        tcp.extend_from_slice(&acknowledged.to_be_bytes());
        tcp.extend_from_slice(&[5 << 4, flags]);
        tcp.extend_from_slice(&[0xff, 0xff, 0, 0, 0, 0]);
        tcp.extend_from_slice(data);
        let length = u16::try_from(tcp.len()).expect("packets are small");
        let addresses = match (from.ip(), to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => [from.octets(), to.octets()].concat(),
            (from, to) => [from, to].map(v6).concat(),
        };
        // RFC 9293 §3.1, and of IPv6 RFC 8200 §8.1: their pseudo-headers give the same sum.
        let pseudo = [&addresses[..], &[0, 6], &length.to_be_bytes(), &tcp].concat();
        let sum = checksum(&pseudo);
        tcp[16..18].copy_from_slice(&sum.to_be_bytes());
        let counts = u32::from(flags & (SYN | FIN) != 0) + u32::from(length) - 20;
        self.next[own] = self.next[own].wrapping_add(counts);
        let packet = if addresses.len() == 8 {
            self.ip_v4(&addresses, &tcp)
        } else {
            // RFC 8200 §3: no flow; TCP; 64 hops.
            let [high, low] = length.to_be_bytes();
            [&[0x60, 0, 0, 0, high, low, 6, 64], &addresses[..], &tcp].concat()
        };
        self.packets.0.push((self.at_us, packet));
        self.at_us += 1;
    }

    fn ip_v4(&mut self, addresses: &[u8], tcp: &[u8]) -> Vec<u8> {
        let length = u16::try_from(20 + tcp.len()).expect("packets are small");
        let mut ip = vec![0x45, 0];
        ip.extend_from_slice(&length.to_be_bytes());
        ip.extend_from_slice(&self.identification.to_be_bytes());
        // Not to be cut; 64 hops; TCP.
        ip.extend_from_slice(&[0x40, 0, 64, 6, 0, 0]);
        ip.extend_from_slice(addresses);
        let sum = checksum(&ip);
        ip[10..12].copy_from_slice(&sum.to_be_bytes());
        ip.extend_from_slice(tcp);
        self.identification = self.identification.wrapping_add(1);
        ip
    }
}

fn v6(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
    .octets()
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
