//! What is read from a world: nodes, links, wires, queues, mailboxes, screens, log and octets. Nothing here changes it.

use std::ops::Range;

use pillarbox_engine::expected::Expected;

use super::World;
use super::dns::Zones;
use super::ids::{Dir, End, EntryId, NodeId, Protocol, WireId};
use super::log::{Entry, Screen, What};
use super::view::{
    BrowserView, Flight, LinkView, MailboxView, NodeView, QueueView, RemoteView, ShownView,
    StoredView, WireView,
};
use super::wire::{Noted, Phase};
use crate::fault::Listed;
use crate::queue::Queue as _;
use crate::store::Store as _;

/// Messages of a queue that a view lists.
const QUEUE_MAX: u32 = 1000;

impl World {
    /// All nodes, in the order of their numbers.
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeView> {
        let view = |node: &super::node::Node| {
            let boxes = node.mailboxes();
            let messages = boxes.iter().fold((0, 0), |sum, row| (sum.0 + row.2, sum.1 + row.3));
            NodeView {
                id: node.id,
                name: node.setup.name.clone(),
                title: node.setup.title.clone(),
                kind: node.setup.kind,
                persona: node.setup.persona,
                address: node.address.clone(),
                up: node.up,
                queue_length: node.queue_length(),
                messages,
                shown: node.device.shown.len() as u64,
                ports: node.setup.ports.clone(),
            }
        };
        self.nodes.iter().map(view).collect()
    }

    /// Links that were set up or changed; two nodes without one are joined all the same.
    #[must_use]
    pub fn links(&self) -> &[LinkView] {
        &self.links
    }

    /// Names in DNS.
    #[must_use]
    pub fn zones(&self) -> &Zones {
        &self.zones
    }

    /// Faults, with how often they struck.
    #[must_use]
    pub fn faults(&self) -> Vec<Listed> {
        self.faults.list()
    }

    /// What waits in a server's queue.
    #[must_use]
    pub fn queue(&self, node: NodeId) -> Vec<QueueView> {
        let (id, node) = (node, self.node(node));
        let Some(backend) = &node.backend else { return Vec::new() };
        let mut rows = Vec::new();
        for message in backend.store.messages(0, QUEUE_MAX).unwrap_or_default() {
            for task in backend.store.tasks(message.id, 0, QUEUE_MAX).unwrap_or_default() {
                let from = message.mail.reverse_path.as_ref();
                let last = task.recipients.iter().find_map(|queued| queued.last.as_ref());
                let to = task.recipients.iter();
                let time = |ms: u64| self.time_of(id, ms);
                let wake = backend.store.destination(&task.destination).ok();
                let blocked = wake.map_or(0, |found| found.blocked_ms);
                rows.push(QueueView {
                    message: message.id,
                    from: from.map_or_else(String::new, super::seat::address),
                    to: to.map(|q| super::seat::address(&q.recipient.forward_path)).collect(),
                    destination: String::from_utf8_lossy(&task.destination).into_owned(),
                    size: message.sent_size(),
                    came: time(message.times.came_unix_ms),
                    next: time(task.due_ms.max(blocked)),
                    attempts: task.recipients.iter().map(|q| q.attempts).max().unwrap_or(0),
                    last: last.map_or_else(String::new, |l| super::seat::fate_words(&l.fate).1),
                    active: node.jobs.contains_key(&task.destination),
                });
            }
        }
        rows
    }

    /// A server's mailboxes.
    #[must_use]
    pub fn mailboxes(&self, node: NodeId) -> Vec<MailboxView> {
        let view = |(account, name, count, unseen)| MailboxView { account, name, count, unseen };
        self.node(node).mailboxes().into_iter().map(view).collect()
    }

    /// UIDVALIDITY and UIDNEXT of a server's mailbox.
    #[must_use]
    pub fn uid_numbers(&self, node: NodeId, account: &str, mailbox: &str) -> Option<(u32, u32)> {
        let store = &self.node(node).backend.as_ref()?.store;
        let account = store.account(account.as_bytes()).ok()??;
        let status = store.status(account, mailbox.as_bytes()).ok()?;
        Some((status.uid_validity, status.uid_next))
    }

    /// The messages in all of a server's mailboxes.
    #[must_use]
    pub fn stored(&self, node: NodeId) -> Vec<StoredView> {
        self.node(node).stored()
    }

    /// Messages on a device's screen, oldest first.
    #[must_use]
    pub fn screen(&self, node: NodeId) -> Vec<ShownView> {
        let view = |shown: &super::device::Shown| {
            let view = pillarbox_mime::view(&shown.octets).unwrap_or_default();
            ShownView {
                at: shown.at,
                from: view.from.join(", "),
                subject: view.subject,
                text: view.text.unwrap_or_default(),
                octets: shown.octets.to_vec(),
                unique_id: String::from_utf8_lossy(&shown.unique_id).into_owned(),
            }
        };
        self.node(node).device.shown.iter().map(view).collect()
    }

    /// The mailbox that a device shows by IMAP.
    #[must_use]
    pub fn remote(&self, node: NodeId) -> RemoteView {
        let remote = &self.node(node).device.remote;
        RemoteView {
            wire: remote.wire.filter(|wire| self.wire(*wire).phase != Phase::Closed),
            mailbox: remote.mailbox.clone(),
            rows: remote.rows.clone(),
            found: remote.found.clone(),
        }
    }

    /// What a device's browser shows.
    #[must_use]
    pub fn browser(&self, node: NodeId) -> BrowserView {
        let browser = &self.node(node).device.browser;
        BrowserView {
            signed_in: !browser.cookies.is_empty(),
            path: browser.path.clone(),
            page: browser.page.clone(),
            list: browser.list.clone(),
        }
    }

    /// What a device said last.
    #[must_use]
    pub fn status(&self, node: NodeId) -> Option<&Screen> {
        self.node(node).device.status.as_ref()
    }

    /// All wires, in the order in which they were asked for.
    #[must_use]
    pub fn wires(&self) -> Vec<WireView> {
        self.wires.iter().map(|wire| self.view(wire)).collect()
    }

    /// One of them, if there is one of this number.
    #[must_use]
    pub fn wire_view(&self, wire: WireId) -> Option<WireView> {
        self.wires.get(wire.0 as usize).map(|wire| self.view(wire))
    }

    /// When the session at an end of a wire does something if it hears nothing: mostly, gives up. None: it waits for ever.
    #[must_use]
    pub fn deadline(&self, wire: WireId, end: End) -> Option<super::Time> {
        self.wires.get(wire.0 as usize)?.timers[end.index()].at
    }

    fn view(&self, wire: &super::wire::Wire) -> WireView {
        WireView {
            id: wire.id,
            client: wire.nodes[0],
            server: wire.nodes[1],
            port: wire.port,
            protocol: wire.protocol,
            phase: wire.phase,
            opened: wire.opened,
            closed: wire.closed,
            states: wire.states,
            octets: Dir::BOTH.map(|dir| wire.streams[dir.index()].sent.len() as u64),
            typed: [self.is_typed(wire, End::Client), self.is_typed(wire, End::Server)],
            tls_from: wire.tls_from,
            tapped: self.link(wire.nodes[0], wire.nodes[1]).tapped,
        }
    }

    /// Whether no session of this world speaks at an end.
    fn is_typed(&self, wire: &super::wire::Wire, end: End) -> bool {
        match end {
            End::Client => matches!(self.owners.get(&wire.id), Some(super::Owner::Hand)),
            End::Server => self.node(wire.nodes[1]).by_hand.contains(&wire.port),
        }
    }

    /// Octets on their way now.
    pub fn flights(&self) -> impl Iterator<Item = &Flight> {
        let now = self.now;
        self.flights.iter().filter(move |flight| flight.sent <= now && now < flight.arrives)
    }

    /// The log from an entry on.
    #[must_use]
    pub fn entries(&self, since: EntryId) -> &[Entry] {
        self.log.get(since.0 as usize..).unwrap_or_default()
    }

    /// Octets that were sent over a wire in one direction, as far as there are any in the range.
    #[must_use]
    pub fn octets(&self, wire: WireId, dir: Dir, range: Range<u64>) -> &[u8] {
        let found = self.wires.get(wire.0 as usize);
        found.map_or(&[], |wire| within(&wire.streams[dir.index()].sent, range))
    }

    /// Octets that have arrived; they differ from what was sent where a fault changed them on their way.
    #[must_use]
    pub fn arrived(&self, wire: WireId, dir: Dir, range: Range<u64>) -> &[u8] {
        let found = self.wires.get(wire.0 as usize);
        found.map_or(&[], |wire| within(&wire.streams[dir.index()].arrived, range))
    }

    /// Which octets of a direction travelled in the clear while somebody listened, in order.
    #[must_use]
    pub fn overheard(&self, wire: WireId, dir: Dir) -> &[Range<u64>] {
        let found = self.wires.get(wire.0 as usize);
        found.map_or(&[], |wire| &wire.streams[dir.index()].overheard)
    }

    /// What one end's session noted about one direction, in causal order: of what it received or of what it sent.
    #[must_use]
    pub fn notes(&self, wire: WireId, dir: Dir, end: End) -> Vec<Noted> {
        let found = self.wires.get(wire.0 as usize);
        found.map_or_else(Vec::new, |wire| wire.notes(dir, end).copied().collect())
    }

    /// All notes of one end's session, states and defects among them, in causal order.
    #[must_use]
    pub fn all_notes(&self, wire: WireId, end: End) -> &[Noted] {
        let found = self.wires.get(wire.0 as usize);
        found.map_or(&[], |wire| &wire.notes[end.index()])
    }

    /// What is spoken on a wire; none: there is no such wire.
    #[must_use]
    pub fn protocol(&self, wire: WireId) -> Option<Protocol> {
        self.wires.get(wire.0 as usize).map(|wire| wire.protocol)
    }

    /// What may be said now at an end of a wire, as far as the session at the other end can tell, or the name of its state
    /// where that session is outside of the world.
    #[must_use]
    pub fn expected(&self, wire: WireId, end: End) -> Vec<Expected> {
        let Some(wire) = self.wires.get(wire.0 as usize) else { return Vec::new() };
        let other = end.other().index();
        let told = wire.seats[other].as_ref().map_or_else(Vec::new, |seat| seat.expected());
        let is_outside = end == End::Client && self.is_typed(wire, End::Server);
        if !told.is_empty() || !is_outside || wire.phase != Phase::Open {
            return told;
        }
        // A session tells of its state when it changes; until then it is in the one that it begins in.
        let has_spoken = !wire.streams[Dir::ToClient.index()].sent.is_empty();
        let state = |first| {
            if wire.states[other].is_empty() && has_spoken { first } else { wire.states[other] }
        };
        match wire.protocol {
            Protocol::Smtp | Protocol::Submission => {
                pillarbox_engine::smtp::expected::in_state(state("Connected"))
            }
            Protocol::Pop3 => pillarbox_engine::pop3::expected::in_state(state("AUTHORIZATION")),
            Protocol::Imap => {
                pillarbox_engine::imap::expected::in_state(state("not authenticated"))
            }
            Protocol::Http => told,
        }
    }

    /// The name of a session's state; empty where somebody types, or before it has one.
    #[must_use]
    pub fn state(&self, wire: WireId, end: End) -> &'static str {
        self.wires.get(wire.0 as usize).map_or("", |wire| wire.states[end.index()])
    }

    /// A number that two worlds share only if everything that happened in them is the same.
    #[must_use]
    pub fn hash(&self) -> u64 {
        let mut hash = Fnv::new();
        hash.number(self.now.0);
        for entry in &self.log {
            hash.number(entry.at.0);
            hash.number(entry.node.map_or(u64::MAX, |node| u64::from(node.0)));
            hash.number(entry.wire.map_or(u64::MAX, |wire| u64::from(wire.0)));
            match &entry.what {
                // What a rule says in our words is no part of what happened.
                What::Defect { end, rule } => {
                    hash.octets(format!("{end:?} {} {}", rule.rfc, rule.section).as_bytes());
                }
                what => hash.octets(format!("{what:?}").as_bytes()),
            }
        }
        for wire in &self.wires {
            for stream in &wire.streams {
                hash.octets(&stream.sent);
                hash.octets(&stream.arrived);
            }
        }
        for node in &self.nodes {
            for (account, name, count, unseen) in node.mailboxes() {
                hash.octets(account.as_bytes());
                hash.octets(name.as_bytes());
                hash.number(count);
                hash.number(unseen);
            }
            for shown in &node.device.shown {
                hash.octets(&shown.octets);
            }
        }
        hash.0
    }
}

fn within(octets: &[u8], range: Range<u64>) -> &[u8] {
    let end = usize::try_from(range.end).unwrap_or(usize::MAX).min(octets.len());
    let start = usize::try_from(range.start).unwrap_or(usize::MAX).min(end);
    &octets[start..end]
}

/// FNV-1a: the same everywhere, and no secret.
struct Fnv(u64);

impl Fnv {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn octets(&mut self, octets: &[u8]) {
        self.number(octets.len() as u64);
        for octet in octets {
            self.0 = (self.0 ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn number(&mut self, number: u64) {
        for octet in number.to_le_bytes() {
            self.0 = (self.0 ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
