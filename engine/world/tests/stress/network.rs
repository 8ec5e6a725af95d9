//! The clients on devices of a simulated network: octets take time and come in pieces, connections are cut, the server
//! crashes and comes back, devices are switched off. A client that lost its connection goes on with what it remembers.

use std::collections::{BTreeMap, BTreeSet};

use pillarbox_world::world::{
    Action, Dir, EntryId, Kind as NodeKind, LinkSetup, NodeSetup, Phase, Setup, Time, What, WireId,
    World,
};

use super::mind::{Kind, Mind};
use super::model::Given;
use super::{CLIENTS, MAILBOXES, Random};

const SERVER: &str = "hamburger.edu";
/// For so long things go wrong.
const TROUBLE_MS: u64 = 150_000;
/// By then all has to be quiet.
const END_MS: u64 = TROUBLE_MS + 1_200_000;

struct Device {
    name: String,
    mind: Mind,
    wire: Option<WireId>,
    read: u64,
    heard: String,
    /// When it does something next.
    next: Time,
    off: bool,
    /// Whether it was told to hear all that there is to hear, and has.
    resting: bool,
    at_rest: bool,
}

/// What happened, so that a reader sees that it was not all quiet.
#[derive(Debug, Default)]
pub(crate) struct Sum {
    pub(crate) commands: usize,
    pub(crate) lost: usize,
    pub(crate) crashes: usize,
    pub(crate) resynchronised: u32,
    pub(crate) compared: u32,
}

struct Network {
    world: World,
    devices: Vec<Device>,
    seen: EntryId,
    random: Random,
    given: Given,
    sum: Sum,
    server_off: bool,
}

pub(crate) fn run(seed: u64) -> Sum {
    let mut network = Network::new(seed);
    network.owner();
    let mut trouble = network.world.now().after(2_000);
    while network.world.now() < Time(TROUBLE_MS) {
        network.pass_time(false);
        if network.world.now() >= trouble {
            network.go_wrong();
            trouble = network.world.now().after(500 + network.random.below(4_000) as u64);
        }
    }
    network.calm();
    while !network.devices.iter().all(|device| device.at_rest) {
        if network.world.now() > Time(END_MS) {
            let waiting = network.devices.iter().filter(|device| !device.at_rest);
            let names: Vec<_> = waiting.map(|device| (&device.name, device.wire)).collect();
            panic!("seed {seed}: these do not come to rest: {names:?}");
        }
        network.pass_time(true);
    }
    // What is on its way arrives.
    let quiet = network.world.now().after(2_000);
    while network.world.now() < quiet {
        network.pass_time(true);
    }
    network.compare();
    network.sum
}

impl Network {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed ^ 0x5eed_0000);
        let mut server = NodeSetup::new(SERVER, NodeKind::Server);
        server.users =
            ["bob", "ann"].map(|user| (format!("{user}@{SERVER}"), "x".to_owned())).to_vec();
        let mut setup = Setup { nodes: vec![server], ..Setup::default() };
        let mut devices = Vec::new();
        for at in 0..=CLIENTS {
            let name = format!("device{at}");
            setup.nodes.push(NodeSetup::new(&name, NodeKind::Device));
            setup.links.push(link(&name, &mut random));
            let account = if at % 3 == 2 { "ann" } else { "bob" };
            let kind = [Kind::Qresync, Kind::Plain, Kind::Qresync, Kind::Condstore][at % 4];
            devices.push(Device {
                name,
                mind: Mind::new(at as u64, account, kind, true),
                wire: None,
                read: 0,
                heard: String::new(),
                next: Time(0),
                off: false,
                resting: false,
                at_rest: false,
            });
        }
        let world = World::new(&setup, seed).expect("it makes sense");
        let (given, sum) = (Given::default(), Sum::default());
        Self { world, devices, seen: EntryId(0), random, given, sum, server_off: false }
    }

    fn act(&mut self, action: &Action) {
        self.world.act(action).unwrap_or_else(|why| panic!("{action:?}: {why}"));
    }

    /// The owner shares the mailboxes, before anybody else comes.
    fn owner(&mut self) {
        let mut others = self.devices.split_off(1);
        let owner = &mut self.devices[0];
        owner.mind.account = "bob";
        owner.mind.lost();
        owner.mind.todo.extend(super::SHARED.map(str::to_owned));
        while !self.devices[0].mind.todo.is_empty() || !self.devices[0].mind.is_answered() {
            self.pass_time(false);
        }
        self.devices.append(&mut others);
        self.devices.remove(0);
    }

    /// Lets a moment pass, and each device do what it does then.
    fn pass_time(&mut self, calm: bool) {
        let until = self.world.now().after(1 + self.random.below(40) as u64);
        while self.world.next_due().is_some_and(|due| due <= until) {
            self.world.step();
        }
        self.world.run_to(until);
        self.look_at_log();
        let phases: Vec<Phase> = self.world.wires().iter().map(|wire| wire.phase).collect();
        for at in 0..self.devices.len() {
            self.listen(at);
            let closed = |wire: WireId| phases[wire.0 as usize] == Phase::Closed;
            if self.devices[at].wire.is_some_and(closed) {
                self.sum.lost += 1;
                self.devices[at].lose();
            }
            let device = &self.devices[at];
            if !device.off && !device.at_rest && device.next <= self.world.now() {
                self.speak(at, calm);
            }
        }
    }

    fn look_at_log(&mut self) {
        let new = self.world.entries(self.seen);
        self.seen = EntryId(self.seen.0 + u32::try_from(new.len()).expect("they are bounded"));
        let nodes = new.iter().filter_map(|entry| Some((entry.node?, entry.wire, &entry.what)));
        for (node, wire, what) in nodes {
            assert!(!matches!(what, What::Misuse(_)), "the world broke a contract: {what:?}");
            // The server is the first node, and each device comes after it in its order.
            let name = format!("device{}", node.0.wrapping_sub(1));
            let Some(device) = self.devices.iter_mut().find(|device| device.name == name) else {
                continue;
            };
            if matches!(what, What::Connect { .. }) {
                (device.wire, device.read, device.next) = (wire, 0, Time(0));
                device.heard.clear();
            }
        }
    }

    fn listen(&mut self, at: usize) {
        let device = &mut self.devices[at];
        let Some(wire) = device.wire else { return };
        let new = self.world.arrived(wire, Dir::ToClient, device.read..u64::MAX);
        device.read += new.len() as u64;
        device.heard.push_str(std::str::from_utf8(new).expect("it is ASCII"));
        while let Some(end) = device.heard.find("\r\n") {
            let line: String = device.heard.drain(..end + 2).collect();
            device.mind.hear_line(line.trim_end(), &mut self.given);
        }
    }

    /// One device does something.
    fn speak(&mut self, at: usize, calm: bool) {
        let pause = if calm { 50 } else { 30 + self.random.below(1_500) as u64 };
        let device = &mut self.devices[at];
        device.next = self.world.now().after(pause);
        let Some(wire) = device.wire else {
            // Half a minute without an answer, each time, would be most of the test.
            if self.server_off {
                return;
            }
            device.next = self.world.now().after(35_000);
            let from = device.name.clone();
            let host = SERVER.to_owned();
            self.act(&Action::Connect { from, host, port: 143, script: Vec::new() });
            return;
        };
        if device.read == 0 {
            return;
        }
        if device.mind.is_idling() {
            // Whoever idles does so for a while.
            if calm || self.random.below(6) == 0 {
                let done = device.mind.done();
                self.type_(wire, done.as_bytes().to_vec());
            }
            return;
        }
        let waits = !device.mind.is_answered();
        if calm {
            if waits {
                return;
            }
            if device.mind.todo.is_empty() {
                if std::mem::replace(&mut device.resting, true) {
                    device.at_rest = true;
                    return;
                }
                device.mind.rest(&mut self.random);
            }
        }
        if waits && !device.mind.todo.is_empty() {
            return;
        }
        let before = device.mind.todo.clone();
        let (command, _) = device.mind.choose(&mut self.random, &mut self.given);
        if waits && !device.mind.may_pipeline(&command) {
            device.mind.todo = before;
            return;
        }
        let (sent, octets) = device.mind.say(&command);
        device.mind.said(sent, &self.given);
        self.sum.commands += 1;
        self.type_(wire, octets.into_bytes());
    }

    fn type_(&mut self, wire: WireId, octets: Vec<u8>) {
        // Whose connection was lost just now types in vain.
        let action = Action::Type { wire: wire.0, server: false, octets };
        drop(self.world.act(&action));
    }

    /// Something happens to the network or to whoever is on it.
    fn go_wrong(&mut self) {
        let at = self.random.below(self.devices.len());
        let name = self.devices[at].name.clone();
        match self.random.below(12) {
            0 | 1 => {
                self.server_off = !self.server_off;
                self.sum.crashes += usize::from(self.server_off);
                let on = !self.server_off;
                self.act(&Action::Power { node: SERVER.to_owned(), on });
            }
            _ if self.server_off => {
                self.server_off = false;
                self.act(&Action::Power { node: SERVER.to_owned(), on: true });
            }
            2 | 3 => {
                let on = self.devices[at].off;
                self.devices[at].off = !on;
                self.act(&Action::Power { node: name, on });
            }
            4..=6 => {
                let link = link(&name, &mut self.random);
                self.act(&Action::Link(link));
            }
            _ => {
                if let Some(wire) = self.devices[at].wire {
                    drop(self.world.act(&Action::Cut { wire: wire.0 }));
                }
            }
        }
    }

    /// Nothing goes wrong any more, and who was away comes back.
    fn calm(&mut self) {
        if std::mem::take(&mut self.server_off) {
            self.act(&Action::Power { node: SERVER.to_owned(), on: true });
        }
        for at in 0..self.devices.len() {
            let name = self.devices[at].name.clone();
            let link =
                LinkSetup { octets_per_s: None, chunk: None, ..link(&name, &mut self.random) };
            self.act(&Action::Link(link));
            if std::mem::take(&mut self.devices[at].off) {
                self.act(&Action::Power { node: name, on: true });
            }
        }
    }

    /// What the clients know is what the store holds, and what was acknowledged is there.
    fn compare(&mut self) {
        let stored = self.world.stored(self.world.nodes()[0].id);
        let owned: Vec<_> = stored.iter().filter(|row| row.account.starts_with("bob@")).collect();
        for row in &owned {
            let text = String::from_utf8_lossy(&row.octets);
            if let Some(label) = self.given.labels.get(&(row.uid_validity, row.uid)) {
                assert!(text.contains(&format!("Subject: {label}\r\n")), "{label} is {text}");
            }
        }
        let there: BTreeSet<(u32, u32)> =
            owned.iter().map(|row| (row.uid_validity, row.uid)).collect();
        let lost = self.given.safe.difference(&there).next();
        assert_eq!(lost, None, "it was acknowledged, and is not there");
        assert!(!self.given.safe.is_empty(), "nothing was acknowledged");
        for device in &self.devices {
            self.sum.resynchronised += device.mind.resynchronised;
            let Some(model) = &device.mind.open else { continue };
            let here: Vec<_> = owned.iter().filter(|row| row.mailbox == model.name).collect();
            assert_eq!(model.messages.len(), here.len(), "{}: {}", device.name, model.name);
            for (known, row) in model.messages.iter().zip(here) {
                let uid = known.uid.unwrap_or(row.uid);
                assert_eq!(uid, row.uid, "{}: {}", device.name, model.name);
                let Some(flags) = &known.flags else { continue };
                let flags = flags.iter().filter_map(|flag| bit(flag)).sum::<u8>();
                assert_eq!(flags, row.flags, "{}: {} {uid}", device.name, model.name);
                self.sum.compared += 1;
            }
        }
        let names: BTreeMap<&str, usize> = MAILBOXES.map(|name| (name, 0)).into();
        assert!(owned.iter().any(|row| names.contains_key(&row.mailbox[..])), "it is empty");
    }
}

impl Device {
    fn lose(&mut self) {
        (self.wire, self.read) = (None, 0);
        self.heard.clear();
        self.mind.lost();
        self.next = Time(0);
        self.at_rest = false;
        self.resting = false;
    }
}

/// A system flag, as stores have it.
fn bit(flag: &str) -> Option<u8> {
    let names = ["\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft"];
    names.iter().position(|name| *name == flag).map(|at| 1 << at)
}

fn link(device: &str, random: &mut Random) -> LinkSetup {
    LinkSetup {
        a: device.to_owned(),
        b: SERVER.to_owned(),
        latency_ms: 1 + random.below(250) as u64,
        octets_per_s: (random.below(3) == 0).then(|| 1_000 + random.below(20_000) as u64),
        chunk: (random.below(2) == 0).then(|| 1 + random.below(60) as u32),
        tapped: false,
        seven_bit: false,
    }
}
