//! What the world looks like at one entry of its log: every fact that the map shows, folded from the entries before.
//! So looking back costs nothing but reading, and a view cannot show what no entry tells.

use std::collections::BTreeMap;

use pillarbox_world::world::{
    Dir, DnsAnswer, End, Entry, Fate, Mailbox, NodeId, Protocol, Queue, Screen, Time, What, WireId,
};

/// The world at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scene {
    /// When.
    pub at: Time,
    /// By the node's number.
    pub nodes: BTreeMap<NodeId, Place>,
    /// Every connection so far.
    pub wires: BTreeMap<WireId, Talk>,
    /// What moves with this very entry.
    pub motion: Option<Motion>,
}

/// What a node has and shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Messages in its queue.
    pub queue: u64,
    /// Each message and where it goes, with the next attempt.
    pub waiting: BTreeMap<(u64, String), Option<Time>>,
    /// By account and name: messages, and those unread.
    pub mailboxes: BTreeMap<(String, String), (u64, u64)>,
    /// Messages on its screen.
    pub shown: u64,
    /// The last thing its screen told.
    pub screen: Option<Screen>,
    /// Whether it is off.
    pub off: bool,
}

/// A connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Talk {
    /// Who opened it.
    pub client: NodeId,
    /// To whom.
    pub server: NodeId,
    /// Which port.
    pub port: u16,
    /// What is spoken.
    pub protocol: Protocol,
    /// When it was opened.
    pub opened: Time,
    /// How it is.
    pub phase: Phase,
    /// States of client and server.
    pub states: [&'static str; 2],
    /// Octets to the server, and to the client.
    pub octets: [u64; 2],
    /// Whether it is inside TLS.
    pub secured: bool,
}

/// How a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Asked for.
    Opening,
    /// Open.
    Open,
    /// Nobody took it.
    Refused,
    /// Ended in order.
    Ended,
    /// Cut.
    Cut,
}

/// Something that moves from one node to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Motion {
    /// From here.
    pub from: NodeId,
    /// To there.
    pub to: NodeId,
    /// What it is.
    pub what: Moving,
}

/// What moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moving {
    /// A request for a connection.
    Request,
    /// A request that nobody took.
    Refusal,
    /// Octets.
    Octets,
    /// A question to DNS, or its answer.
    Name,
}

impl Scene {
    /// The scene after these entries; `dns` answers questions about names.
    #[must_use]
    pub fn after(entries: &[Entry], dns: Option<NodeId>) -> Self {
        let mut scene = Self::default();
        for entry in entries {
            scene.add(entry, dns);
        }
        scene
    }

    /// Goes on by one entry.
    pub fn add(&mut self, entry: &Entry, dns: Option<NodeId>) {
        self.at = self.at.max(entry.at);
        self.motion = None;
        if let Some(wire) = entry.wire {
            self.talk(wire, entry);
        }
        let Some(node) = entry.node else { return };
        match &entry.what {
            What::Dns(asked) => {
                if let Some(dns) = dns {
                    let (from, to) = if asked.answer.is_some() { (dns, node) } else { (node, dns) };
                    self.motion = Some(Motion { from, to, what: Moving::Name });
                }
            }
            What::Refused { to: Some(to), .. } => {
                self.motion = Some(Motion { from: node, to: *to, what: Moving::Refusal });
            }
            What::Queue(queue) => self.place(node).queue(queue),
            What::Mailbox(Mailbox { account, name, count, unseen, .. }) => {
                let mailboxes = &mut self.place(node).mailboxes;
                mailboxes.insert((account.clone(), name.clone()), (*count, *unseen));
            }
            What::Screen(screen) => {
                let place = self.place(node);
                if let Screen::Got { shown, .. } = screen {
                    place.shown = *shown;
                }
                place.screen = Some(screen.clone());
            }
            What::Power(on) => self.place(node).off = !on,
            _ => {}
        }
    }

    fn place(&mut self, node: NodeId) -> &mut Place {
        self.nodes.entry(node).or_default()
    }

    fn talk(&mut self, wire: WireId, entry: &Entry) {
        if let (What::Connect { to, port, protocol }, Some(client)) = (&entry.what, entry.node) {
            let talk = Talk {
                client,
                server: *to,
                port: *port,
                protocol: *protocol,
                opened: entry.at,
                phase: Phase::Opening,
                states: [""; 2],
                octets: [0; 2],
                secured: false,
            };
            self.wires.insert(wire, talk);
            self.motion = Some(Motion { from: client, to: *to, what: Moving::Request });
            return;
        }
        let Some(talk) = self.wires.get_mut(&wire) else { return };
        match &entry.what {
            What::Connected => talk.phase = Phase::Open,
            What::Refused { .. } => talk.phase = Phase::Refused,
            What::Secured => talk.secured = true,
            What::Octets { dir, end, .. } => {
                let (from, to, at) = match dir {
                    Dir::ToServer => (talk.client, talk.server, 0),
                    Dir::ToClient => (talk.server, talk.client, 1),
                };
                talk.octets[at] = talk.octets[at].max(*end);
                self.motion = Some(Motion { from, to, what: Moving::Octets });
            }
            What::State { end, to, .. } => {
                talk.states[usize::from(*end == End::Server)] = to;
            }
            What::Closed { cut, .. } => {
                talk.phase = if *cut { Phase::Cut } else { Phase::Ended };
            }
            _ => {}
        }
    }
}

impl Place {
    fn queue(&mut self, queue: &Queue) {
        self.queue = queue.length;
        let key = (queue.message, queue.destination.clone());
        match &queue.fate {
            Fate::Queued | Fate::Tried => {
                self.waiting.entry(key).or_insert(None);
            }
            Fate::Deferred { next, .. } => {
                self.waiting.insert(key, Some(*next));
            }
            Fate::Delivered { .. } | Fate::Failed { .. } | Fate::Expired { .. } => {
                self.waiting.remove(&key);
            }
        }
    }
}

/// A step that a reader sees: something moves, or something changes that the map shows.
#[must_use]
pub fn is_visible(what: &What) -> bool {
    what.is_interesting()
        || matches!(what, What::Connect { .. } | What::Octets { .. } | What::Closed { .. })
        || matches!(what, What::Dns(dns) if dns.answer.is_none())
        // What somebody breaks on purpose is told, as what comes of it is.
        || matches!(what, What::Acted(what) if what.starts_with("fault ") || what.starts_with("no fault "))
}

/// Whether an entry is a turn of the story: a connection, an error, a fault, a delivery, or what somebody sees.
#[must_use]
pub fn is_turn(what: &What) -> bool {
    match what {
        What::Queue(queue) => !matches!(queue.fate, Fate::Queued | Fate::Tried),
        What::Connected
        | What::Refused { .. }
        | What::Closed { cut: true, .. }
        | What::Defect { .. }
        | What::Misuse(_)
        | What::FaultFired { .. }
        | What::Mailbox(_)
        | What::Screen(_)
        | What::Power(_)
        | What::Lost { .. } => true,
        _ => false,
    }
}

/// Whether DNS gave something that mail can be sent by.
#[must_use]
pub fn is_useful(answer: &DnsAnswer) -> bool {
    matches!(answer, DnsAnswer::Exchanges(_) | DnsAnswer::Addresses(_))
}
