//! What travelled in a world, as packets. Secrets are asterisks unless they were asked for. What went inside TLS is left
//! out: a world has no ciphertext.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use pillarbox_engine::trace::Span;

use super::dialogue::mask;
use super::packets::{Connection, Packets};
use crate::world::{Dir, Entry, EntryId, NodeId, Phase, What, WireId, WireView, World};

/// The first port that clients use.
const CLIENT_PORT: u16 = 49_152;

/// All that travelled, by time; secret octets are asterisks unless they were asked for.
#[must_use]
pub fn pcapng(world: &World, secrets: bool) -> Vec<u8> {
    let mut entries: BTreeMap<WireId, Vec<&Entry>> = BTreeMap::new();
    for entry in world.entries(EntryId(0)) {
        if let Some(wire) = entry.wire {
            entries.entry(wire).or_default().push(entry);
        }
    }
    let mut packets = Packets::default();
    for wire in world.wires() {
        let own = entries.remove(&wire.id).unwrap_or_default();
        Capture::new(world, &wire, secrets, &mut packets).all(&own);
    }
    packets.file()
}

/// One wire's packets.
struct Capture<'a> {
    world: &'a World,
    wire: &'a WireView,
    /// What must not be shown, of each direction.
    hidden: [Vec<Span>; 2],
    connection: Connection<'a>,
}

impl<'a> Capture<'a> {
    fn new(world: &'a World, wire: &'a WireView, secrets: bool, packets: &'a mut Packets) -> Self {
        let hidden = |dir| if secrets { Vec::new() } else { super::secrets(world, wire.id, dir) };
        let nodes = world.nodes();
        let address = |id: NodeId, port| {
            let found = nodes.iter().find(|node| node.id == id);
            let parsed = found.and_then(|node| node.address.parse::<Ipv4Addr>().ok());
            SocketAddr::from((parsed.unwrap_or(Ipv4Addr::UNSPECIFIED), port))
        };
        let number = (wire.id.0 % u32::from(u16::MAX - CLIENT_PORT)) as u16;
        let client = address(wire.client, CLIENT_PORT + number);
        let server = address(wire.server, wire.port);
        Self {
            world,
            wire,
            hidden: [Dir::ToServer, Dir::ToClient].map(hidden),
            connection: Connection::new(packets, client, server),
        }
    }

    fn all(mut self, entries: &[&Entry]) {
        let (world, connection) = (self.world, &mut self.connection);
        connection.at(world.unix_ms(self.wire.opened));
        connection.open();
        if self.wire.phase == Phase::Opening {
            return;
        }
        let mut connected = false;
        for entry in entries {
            let at = world.unix_ms(entry.at);
            match &entry.what {
                What::Refused { .. } => {
                    self.connection.at(at);
                    self.connection.refuse();
                }
                What::Octets { dir, start, end, .. } => {
                    if !connected {
                        connected = true;
                        self.connection.accept();
                    }
                    self.connection.at(at);
                    self.data(*dir, *start, *end);
                }
                What::Closed { by, cut } => {
                    self.connection.at(at);
                    self.connection.close(*by, *cut);
                }
                _ => {}
            }
        }
    }

    fn data(&mut self, dir: Dir, start: u64, end: u64) {
        let side = usize::from(dir == Dir::ToClient);
        let clear_end = self.wire.tls_from[side].unwrap_or(u64::MAX);
        let octets = self.world.octets(self.wire.id, dir, start..end.min(clear_end).max(start));
        let shown = mask(octets, start, &self.hidden[side]);
        self.connection.say(dir.sender(), &shown);
    }
}
