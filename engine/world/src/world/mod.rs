//! A simulated mail Internet: servers, devices and DNS, links between them, a clock that jumps to what is due next.
//! Every octet comes from the real engine; the same setup, seed and actions give the same octets everywhere.
//! Going back in time and branches are left to [`crate::tape`].

mod act;
mod action;
pub(crate) mod backend;
mod checkpoint;
mod device;
mod device_imap;
mod device_web;
mod disk;
mod dns;
mod errand;
mod ids;
mod log;
mod network;
mod node;
mod read;
mod relay;
mod relay_settle;
mod run;
mod running;
pub(crate) mod seat;
mod serve;
mod setup;
mod view;
mod wire;
mod witness;

use std::collections::BTreeMap;
use std::rc::Rc;

use pillarbox_engine::types::Now;

use crate::fault::{Faults, Place, Rule};
use errand::Question;
use node::Node;
use seat::Order;
use wire::Wire;

pub use action::{Action, Check, Letter, Played, Way};
pub use checkpoint::Checkpoint;
pub use device::{PICTURE_MAX, picture};
pub use device_imap::ImapOrder;
pub use dns::Zones;
pub(crate) use ids::Draw;
pub use ids::{Dir, End, EntryId, NodeId, Protocol, Time, WireId};
pub use log::{Dns, DnsAnswer, Entry, Fate, Mailbox, Queue, Said, Screen, What};
pub use pillarbox_engine::types::Persona;
pub use running::{Begins, Engine, Library, Running, SharedEngine};
pub(crate) use seat::senses;
pub use setup::{AccountSetup, Kind, LinkSetup, NodeSetup, Record, START_UNIX_MS, Setup};
pub use view::{
    BrowserView, Flight, LinkView, MailboxView, NodeView, QueueView, RemoteRow, RemoteView,
    ShownView, StoredView, WireView,
};
pub use wire::{Link, Noted, Phase};

/// Entries that one world holds; one that goes on for ever must not fill the page's memory.
pub const ENTRIES_MAX: usize = 200_000;

/// A simulated mail Internet.
pub struct World {
    engine: SharedEngine,
    start_unix_ms: u64,
    spread: bool,
    now: Time,
    /// How many things were ever due; orders what is due at the same time.
    planned: u64,
    agenda: BTreeMap<(Time, u64), Planned>,
    nodes: Vec<Node>,
    links: Vec<Link>,
    wires: Vec<Wire>,
    owners: BTreeMap<WireId, Owner>,
    zones: Zones,
    faults: Faults,
    log: Vec<Entry>,
    /// What everything that happens now is because of.
    cause: Option<EntryId>,
    flights: Vec<Flight>,
}

/// Something that is due.
struct Planned {
    due: Due,
    cause: Option<EntryId>,
}

/// What is due.
enum Due {
    /// A request to open a wire is there.
    Open(WireId),
    /// The answer to it is there.
    Opened(WireId),
    /// Nobody took it.
    NotOpened(WireId, &'static str),
    /// Octets are there.
    Arrive(WireId, Dir, Vec<u8>),
    /// The end of what was sent is there.
    Finish(WireId, Dir),
    /// The other end is gone.
    Lost(WireId, End),
    /// A deadline is reached, unless another was set.
    Tick(WireId, End, u64),
    /// An answer that took time is there.
    Resume(WireId, End),
    /// Others did something that a session must be told.
    Look(WireId, End),
    /// The handshake is done.
    Secured(WireId),
    /// DNS answers.
    Answered(NodeId, Question, DnsAnswer),
    /// A queue has something due.
    Queue(NodeId),
    /// A disk is synced, by this sync of its own.
    Synced(NodeId, u64),
    /// An application wants something of a session.
    Ordered(WireId, End, Order),
}

/// For whom a client's end of a wire works.
#[derive(Clone, Debug)]
enum Owner {
    /// A person's device.
    Device(NodeId),
    /// Somebody who types.
    Hand,
    /// A queue, at this destination.
    Relay(NodeId, Vec<u8>),
}

impl World {
    /// A world at its beginning.
    ///
    /// # Errors
    /// What in the setup makes no sense.
    pub fn new(setup: &Setup, seed: u64) -> Result<Self, String> {
        Self::run_by(setup, seed, Rc::new(Library))
    }

    /// A world at its beginning whose sessions run in this engine.
    ///
    /// # Errors
    /// What in the setup makes no sense.
    pub fn run_by(setup: &Setup, seed: u64, engine: SharedEngine) -> Result<Self, String> {
        let mut world = Self {
            engine,
            start_unix_ms: setup.start_unix_ms,
            spread: setup.spread,
            now: Time(0),
            planned: 0,
            agenda: BTreeMap::new(),
            nodes: Vec::new(),
            links: Vec::new(),
            wires: Vec::new(),
            owners: BTreeMap::new(),
            zones: Zones::default(),
            faults: Faults::of_network(seed),
            log: Vec::new(),
            cause: None,
            flights: Vec::new(),
        };
        for (number, node) in setup.nodes.iter().enumerate() {
            let number = u16::try_from(number).map_err(|_| "too many nodes".to_owned())?;
            world.add_node(Node::new(NodeId(number), node.clone(), seed))?;
        }
        for link in &setup.links {
            let mut made = Link::new(world.node_of(&link.a)?, world.node_of(&link.b)?);
            made.latency_ms = link.latency_ms;
            made.octets_per_s = link.octets_per_s;
            made.chunk = link.chunk;
            made.tapped = link.tapped;
            made.seven_bit = link.seven_bit;
            world.links.push(made);
        }
        for record in &setup.records {
            world.zones.add(record);
        }
        for fault in &setup.faults {
            world.add_fault(fault)?;
        }
        Ok(world)
    }

    fn add_node(&mut self, node: Node) -> Result<(), String> {
        let name = &node.setup.name;
        if self.nodes.iter().any(|known| known.setup.name == *name) {
            return Err(format!("two nodes are named {name}"));
        }
        if node.setup.kind == Kind::Server {
            let addresses = vec![node.address.clone()];
            self.zones.add(&Record { name: name.clone(), exchanges: Vec::new(), addresses });
        }
        self.nodes.push(node);
        Ok(())
    }

    fn add_fault(&mut self, text: &str) -> Result<u64, String> {
        let rule: Rule = text.parse().map_err(|problem| format!("{text}: {problem}"))?;
        let places = match &rule.place {
            Place::Node(name) => vec![name],
            Place::Link(a, b) => vec![a, b],
            Place::Any | Place::Service(_) | Place::Wire(_) => Vec::new(),
        };
        if let Some(unknown) = places.into_iter().find(|name| self.node_of(name).is_err()) {
            let names: Vec<&str> = self.nodes.iter().map(|node| &node.setup.name[..]).collect();
            return Err(format!("there is no host {unknown}; there are {}", names.join(", ")));
        }
        self.faults.add(rule, "world").ok_or_else(|| "too many faults".to_owned())
    }

    fn node_of(&self, name: &str) -> Result<NodeId, String> {
        let found = self.nodes.iter().find(|node| node.setup.name.eq_ignore_ascii_case(name));
        found.map(|node| node.id).ok_or_else(|| format!("there is no node named {name}"))
    }

    /// The time that it is.
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }

    /// A time on everybody's calendar, in milliseconds since 1970 UTC.
    #[must_use]
    pub fn unix_ms(&self, time: Time) -> u64 {
        self.start_unix_ms + time.0
    }

    /// What the clocks of a host say.
    fn clock_of(&self, node: NodeId) -> Now {
        Now { monotonic_ms: self.now.0, unix_ms: self.unix_ms_of(node) }
    }

    /// What a host takes for the time on everybody's calendar.
    fn unix_ms_of(&self, node: NodeId) -> u64 {
        self.unix_ms(self.now).saturating_add_signed(self.skew_ms(node))
    }

    /// When it really is what a host's clock says.
    fn time_of(&self, node: NodeId, unix_ms: u64) -> Time {
        let right = unix_ms.saturating_add_signed(self.skew_ms(node).saturating_neg());
        Time(right.saturating_sub(self.start_unix_ms))
    }

    fn skew_ms(&self, node: NodeId) -> i64 {
        self.faults.skew_ms(&self.node(node).setup.name, self.unix_ms(self.now))
    }

    /// When something happens next, if anything does.
    #[must_use]
    pub fn next_due(&self) -> Option<Time> {
        let due = self.agenda.iter().find(|(_, planned)| !self.is_stale(&planned.due));
        due.map(|((at, _), _)| *at)
    }

    fn is_stale(&self, due: &Due) -> bool {
        match due {
            Due::Tick(wire, end, number) => self.wire(*wire).timers[end.index()].number != *number,
            _ => false,
        }
    }

    /// Lets the next thing happen; false if nothing is due.
    pub fn step(&mut self) -> bool {
        while let Some(((at, _), planned)) = self.agenda.pop_first() {
            if self.is_stale(&planned.due) {
                continue;
            }
            self.now = self.now.max(at);
            self.cause = planned.cause;
            self.handle(planned.due);
            self.cause = None;
            return true;
        }
        false
    }

    /// Lets everything happen that is due up to a time, which it is then.
    pub fn run_to(&mut self, time: Time) {
        while self.next_due().is_some_and(|due| due <= time) && self.log.len() < ENTRIES_MAX {
            self.step();
        }
        self.now = self.now.max(time);
    }

    fn plan(&mut self, at: Time, due: Due) {
        let cause = self.cause;
        self.planned += 1;
        self.agenda.insert((at.max(self.now), self.planned), Planned { due, cause });
    }

    /// Writes a line of the log; what follows is because of it.
    fn note(&mut self, node: Option<NodeId>, wire: Option<WireId>, what: What) -> EntryId {
        let id = EntryId(u32::try_from(self.log.len()).expect("entries are bounded"));
        let causes = self.cause.into_iter().collect();
        self.log.push(Entry { id, at: self.now, node, wire, what, causes });
        self.cause = Some(id);
        id
    }

    fn wire(&self, id: WireId) -> &Wire {
        &self.wires[id.0 as usize]
    }

    fn wire_mut(&mut self, id: WireId) -> &mut Wire {
        &mut self.wires[id.0 as usize]
    }

    fn node(&self, id: NodeId) -> &Node {
        &self.nodes[usize::from(id.0)]
    }

    fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[usize::from(id.0)]
    }
}
