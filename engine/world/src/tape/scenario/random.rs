//! Worlds that a seed makes up: for simulation, which looks for what nobody thought of.
//! What must hold in them all is left to the test that runs them.

use pillarbox_engine::relay::Schedule;

use super::Scenario;
use crate::world::{
    AccountSetup, Action, Check, Draw, Kind, Letter, LinkSetup, NodeSetup, Record, Setup, Time, Way,
};

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
/// When everything that goes wrong has ended.
const CALM: u64 = 40 * MINUTE;
const PEOPLE: [&str; 6] = ["ann", "bob", "cy", "dee", "eve", "flo"];

/// Who it is that mail is sent on for.
const FORWARD: &str = "forward";

/// What is being made up.
struct Making {
    draw: Draw,
    setup: Setup,
    script: Vec<(Time, Action)>,
    servers: Vec<String>,
    /// Address, password and server of each person.
    people: Vec<(String, String, String)>,
    /// Addresses that stand for somebody elsewhere.
    forwards: Vec<String>,
    faults: u64,
}

/// The world that this seed makes up.
pub(super) fn scenario(seed: u64) -> Scenario {
    let setup = Setup { spread: true, ..Setup::default() };
    let mut making = Making {
        draw: Draw::of(seed, 0x5eed),
        setup,
        script: Vec::new(),
        servers: Vec::new(),
        people: Vec::new(),
        forwards: Vec::new(),
        faults: 0,
    };
    making.places();
    making.mail();
    // One in four has nothing go wrong: there nothing may be doubled either.
    if making.chance(3, 4) {
        making.trouble();
    }
    making.reading();
    pillarbox_engine::order::sort_by_key(&mut making.script, |(at, _)| *at);
    Scenario {
        id: format!("random:{seed}"),
        title: format!("A world made up from {seed}"),
        setup: making.setup,
        script: making.script,
        ..Scenario::default()
    }
}

impl Making {
    fn chance(&mut self, of: u64, all: u64) -> bool {
        self.draw.below(all) < of
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        let at = self.draw.below(from.len() as u64);
        from[usize::try_from(at).expect("it is below a length")].clone()
    }

    fn at(&mut self, from: u64, to: u64) -> Time {
        Time(from + self.draw.below(to - from))
    }

    /// Servers with their people, names and links.
    fn places(&mut self) {
        self.setup.nodes.push(NodeSetup::new("dns", Kind::Dns));
        for number in 0..2 + self.draw.below(3) {
            let name = format!("s{number}.example");
            let mut node = NodeSetup::new(&name, Kind::Server);
            node.schedule = Schedule {
                first_ms: MINUTE,
                interval_ms_max: 10 * MINUTE,
                lifetime_ms: 120 * MINUTE,
                delay_report_ms: self.chance(1, 3).then_some(20 * MINUTE),
            };
            node.extensions.chunking = self.chance(1, 2);
            node.extensions.pipelining = self.chance(2, 3);
            node.extensions.dsn = self.chance(2, 3);
            node.tls = self.chance(1, 3);
            if self.chance(2, 3) {
                let slowest = self.pick(&[30, 20 * SECOND, MINUTE]);
                node.sync_ms = 1 + self.draw.below(slowest);
            }
            for _ in 0..1 + self.draw.below(3) {
                let address = format!("{}@{name}", self.pick(&PEOPLE));
                if !node.users.iter().any(|(known, _)| *known == address) {
                    node.users.push((address.clone(), "secret".to_owned()));
                    self.people.push((address, "secret".to_owned(), name.clone()));
                }
            }
            if let (true, Some((address, ..))) = (self.chance(1, 3), self.people.first()) {
                let alias = format!("{FORWARD}@{name}");
                node.aliases.push((alias.clone(), vec![address.clone()]));
                self.forwards.push(alias);
            }
            let mut exchanges = vec![(10, name.clone())];
            if self.chance(1, 5) {
                // A name without an address comes first: the next one takes it.
                exchanges.insert(0, (5, format!("gone.{name}")));
            }
            self.setup.records.push(Record { name: name.clone(), exchanges, addresses: vec![] });
            self.setup.nodes.push(node);
            self.servers.push(name);
        }
        let servers = self.servers.clone();
        for pair in servers.windows(2) {
            if self.chance(1, 3) {
                let latency_ms = 1 + self.draw.below(800);
                let chunk = self.chance(1, 3).then_some(1 + self.draw.below(60) as u32);
                let octets_per_s = self.chance(1, 3).then_some(300 + self.draw.below(3000));
                let (a, b) = (pair[0].clone(), pair[1].clone());
                let (tapped, seven_bit) = (false, false);
                let link = LinkSetup { a, b, latency_ms, octets_per_s, chunk, tapped, seven_bit };
                self.setup.links.push(link);
            }
        }
    }

    /// Each letter has a device of its own, so that what became of it is plain.
    fn mail(&mut self) {
        for number in 0..2 + self.draw.below(8) {
            let people = self.people.clone();
            let (address, password, server) = self.pick(&people);
            let device = format!("device-{number}");
            self.device(&device, &address, &password, &server);
            let mut to: Vec<String> = Vec::new();
            for _ in 0..1 + self.draw.below(3) {
                let recipient = match self.draw.below(10) {
                    0 => format!("nobody@{}", self.pick(&self.servers.clone())),
                    1 if self.chance(1, 3) => "lost@nowhere.example".to_owned(),
                    2 if !self.forwards.is_empty() => self.pick(&self.forwards.clone()),
                    _ => self.pick(&people).0,
                };
                if !to.contains(&recipient) {
                    to.push(recipient);
                }
            }
            let lines = 1 + self.draw.below(30);
            let text: Vec<String> =
                (0..lines).map(|line| format!(".line {line} of letter {number}")).collect();
            let letter = Letter {
                device,
                to: to.join(", "),
                subject: format!("letter-{number}-end"),
                text: text.join("\n"),
                ..Letter::default()
            };
            let at = self.at(0, 15 * MINUTE);
            self.script.push((at, Action::Send(letter)));
        }
    }

    fn device(&mut self, name: &str, address: &str, password: &str, server: &str) {
        let account = AccountSetup {
            person: String::new(),
            address: address.to_owned(),
            password: password.to_owned(),
            submit: Some((server.to_owned(), 587)),
            server: server.to_owned(),
            tls: false,
        };
        let node = NodeSetup { account: Some(account), ..NodeSetup::new(name, Kind::Device) };
        self.setup.nodes.push(node);
    }

    /// Faults that end, and servers that crash and come back.
    fn trouble(&mut self) {
        for _ in 0..self.draw.below(5) {
            let server = self.pick(&self.servers.clone());
            let fault = match self.draw.below(14) {
                0 => format!("node:{server}/p=0.5/down"),
                1 => format!("node:{server}/verb=RCPT,p=0.3/reply=451 4.7.1 Later"),
                2 => "smtp/after=commit,p=0.3/drop".to_owned(),
                3 => "smtp/after=end-of-data,p=0.3/drop".to_owned(),
                4 => format!("any/octet={},p=0.5/drop", 1 + self.draw.below(500)),
                5 => "any/verb=MAIL,over=2per1m/reply=421 4.7.0 Slow down".to_owned(),
                6 => "smtp/verb=RCPT/greylist=5m".to_owned(),
                7 => format!("node:{server}/verb=DATA,sender=*@*,p=0.3/reply=550 5.7.1 Not this"),
                8 => "smtp/after=connect,p=0.3/delay=6m".to_owned(),
                9 => "any/verb=any,p=0.05/delay=4m".to_owned(),
                10 => format!("node:{server}/after=connect,p=0.5/chunk=3"),
                11 => format!("node:{server}/p=0.5/dns=servfail"),
                12 => "any/verb=QUIT,p=0.4/drop".to_owned(),
                _ => "smtp/after=commit,p=0.2/delay=11m".to_owned(),
            };
            self.faults += 1;
            let (number, begin) = (self.faults, self.at(0, 10 * MINUTE));
            // Faults are numbered in the order in which they are added.
            self.script.push((Time(begin.0.max(number * SECOND)), Action::AddFault(fault)));
        }
        // They are sorted by time before they are numbered, so all are removed by the number that each then has.
        for number in 1..=self.faults {
            self.script.push((Time(CALM), Action::RemoveFault(number)));
        }
        for _ in 0..self.draw.below(4) {
            let node = self.pick(&self.servers.clone());
            let mut off = self.at(0, 20 * MINUTE);
            if self.chance(1, 2) {
                // While somebody's letter is under way: what is written then may not be on the disk yet.
                let sent: Vec<Time> = self.sends().collect();
                off = Time(self.pick(&sent).0 + self.draw.below(30 * SECOND));
            }
            let on = Time(off.0 + SECOND + self.draw.below(15 * MINUTE));
            self.script.push((off, Action::Power { node: node.clone(), on: false }));
            self.script.push((on, Action::Power { node, on: true }));
        }
        for node in self.servers.clone() {
            self.script.push((Time(CALM), Action::Power { node, on: true }));
        }
    }

    fn sends(&self) -> impl Iterator<Item = Time> {
        let is_send = |action: &Action| matches!(action, Action::Send(_));
        self.script.iter().filter(move |(_, action)| is_send(action)).map(|(at, _)| *at)
    }

    /// People who fetch their mail while all this happens.
    fn reading(&mut self) {
        for number in 0..self.draw.below(4) {
            let people = self.people.clone();
            let (address, password, server) = self.pick(&people);
            let device = format!("reader-{number}");
            self.device(&device, &address, &password, &server);
            for _ in 0..1 + self.draw.below(3) {
                let at = self.at(MINUTE, 30 * MINUTE);
                let way = self.pick(&[Way::PopKeep, Way::PopDelete, Way::Imap]);
                let imap = way == Way::Imap;
                self.script.push((at, Action::Check(Check { device: device.clone(), way })));
                if imap {
                    let later = Time(at.0 + 30 * SECOND + self.draw.below(5 * MINUTE));
                    for order in ["seen 1", "create Work", "copy 1 Work", "quit"] {
                        let (device, order) = (device.clone(), order.to_owned());
                        self.script.push((later, Action::Imap { device, order }));
                    }
                }
            }
            // Whatever is open is ended in the calm.
            let order = "quit".to_owned();
            self.script.push((Time(CALM), Action::Imap { device, order }));
        }
    }
}
