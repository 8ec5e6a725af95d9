//! What can be done in a world that goes on by a little with each thing: the ways, with words, and the doing.

use pillarbox_world::tape::Scenario;
use pillarbox_world::world::{
    AccountSetup, Action, Check, End, Kind as NodeKind, LinkSetup, NodeSetup, Phase, Way, WireId,
};
#[cfg(test)]
use pillarbox_world::world::{Dir, Letter};

use super::hands::Part;
use super::layout::Kind;
use super::{Source, Story};

/// How much time passes after something is done, in milliseconds of the world.
pub(super) const AFTER_MS: u64 = 2_000;
/// How much passes after a letter is sent, so that it can arrive.
const TRAVEL_MS: u64 = 10_000;
/// Where servers take mail from each other, and where somebody can answer in their place.
const MAIL_PORT: u16 = 25;

impl Story {
    /// Does something at the end of what was told, and lets a little time pass.
    ///
    /// # Errors
    /// Why it cannot be done.
    pub fn perform(&mut self, action: Action) -> Result<(), String> {
        let end = self.source.entries().len();
        self.act(|source| {
            let ms = if matches!(action, Action::Send(_)) { TRAVEL_MS } else { AFTER_MS };
            let done = source.act_at(end, action);
            source.pass(ms);
            done
        })
    }

    /// The connection that somebody can type on, and at which end.
    #[must_use]
    pub fn by_hand(&self) -> Option<(WireId, Part)> {
        let wires = self.source.tape().world().wires();
        let open = wires.into_iter().rev().filter(|wire| wire.phase == Phase::Open);
        open.filter_map(|wire| match wire.typed {
            [true, _] => Some((wire.id, Part::Client)),
            [_, true] => Some((wire.id, Part::Server)),
            _ => None,
        })
        .next()
    }

    /// The state of the engine's session at the other end of such a connection.
    #[must_use]
    pub fn state_beyond(&self, wire: WireId, part: Part) -> &'static str {
        let other = if part == Part::Client { End::Server } else { End::Client };
        self.source.tape().state(wire, other)
    }

    /// Ways to connect by hand, those of this port first: from where, to where, and to which port, with words.
    #[must_use]
    pub fn doors_at(&self, first: Option<u16>) -> Vec<(String, Action)> {
        let mut doors = self.doors();
        pillarbox_engine::order::sort_by_key(&mut doors, |(_, action)| match action {
            Action::Connect { port, .. } => Some(*port) != first,
            _ => true,
        });
        doors
    }

    /// Ways to connect by hand: from where, to where, and to which port, with words.
    #[must_use]
    pub fn doors(&self) -> Vec<(String, Action)> {
        let from = self.nodes().iter().find(|node| node.kind == Kind::Server);
        let Some(from) = from.map(|node| node.name.clone()) else { return Vec::new() };
        let nodes = self.source.tape().world().nodes();
        let servers = nodes.into_iter().filter(|node| !node.ports.is_empty() && node.name != from);
        servers
            .flat_map(|node| {
                node.ports.clone().into_iter().map(move |port| (node.name.clone(), port))
            })
            .map(|(host, port)| {
                let spoken = pillarbox_world::world::Protocol::of_port(port);
                let spoken = spoken.map_or("", |(protocol, _)| super::protocol_name(protocol));
                let words = format!("{host}, port {port} ({spoken})");
                (words, Action::Connect { from: from.clone(), host, port, script: Vec::new() })
            })
            .collect()
    }

    /// What can be changed about lines and devices, with words.
    #[must_use]
    pub fn changes(&self) -> Vec<(String, Action)> {
        let name =
            |id| self.nodes().iter().find(|node| node.id == id).map(|node| node.name.clone());
        let taps = self.source.tape().world().links().iter().filter_map(|link| {
            let words = format!("Listen on the line {} – {}", self.name(link.a), self.name(link.b));
            let tapped = LinkSetup {
                a: name(link.a)?,
                b: name(link.b)?,
                latency_ms: link.latency_ms,
                octets_per_s: link.octets_per_s,
                chunk: link.chunk,
                tapped: true,
                seven_bit: link.seven_bit,
            };
            Some((words, Action::Link(tapped)))
        });
        let devices = self.nodes().iter().filter(|node| node.kind == Kind::Device);
        let secured = devices.map(|node| {
            let words = format!("{}: use TLS from now on", node.title);
            (words, Action::Secure { device: node.name.clone(), on: true })
        });
        taps.chain(secured).collect()
    }

    /// Ways to read mail: on which device and how, with words.
    #[must_use]
    pub fn readings(&self) -> Vec<(String, Action)> {
        let ways =
            [(Way::PopKeep, "POP3, keep"), (Way::PopDelete, "POP3, delete"), (Way::Imap, "IMAP")];
        let devices = self.nodes().iter().filter(|node| node.kind == Kind::Device);
        devices
            .flat_map(|node| {
                ways.clone().map(|(way, words)| {
                    let check = Check { device: node.name.clone(), way };
                    (format!("{}: {words}", node.title), Action::Check(check))
                })
            })
            .collect()
    }

    /// What can be done with hosts, with words: switch them off and on, try their queues, answer in their place.
    #[must_use]
    pub fn hosts(&self) -> Vec<(String, Action)> {
        let views = self.source.tape().world().nodes();
        let hosts = views.into_iter().filter(|view| view.kind != NodeKind::Dns);
        let mut all = Vec::new();
        for view in hosts {
            let (node, title) = (view.name.clone(), self.name(view.id));
            let words = if view.up { "switch off" } else { "switch on" };
            let power = Action::Power { node: node.clone(), on: !view.up };
            all.push((format!("{title}: {words}"), power));
            if view.kind == NodeKind::Server && view.up {
                all.push((
                    format!("{title}: try the queue now"),
                    Action::TryNow { node: node.clone() },
                ));
                let answers = view.ports.iter().filter(|port| **port == MAIL_PORT);
                all.extend(answers.map(|port| {
                    let answer = Action::Answer { node: node.clone(), port: *port };
                    (format!("{title}: you answer port {port} from now on"), answer)
                }));
            }
        }
        all
    }

    /// Devices that letters can be written on: name, words, and to whom a first letter could go.
    #[must_use]
    pub fn writers(&self) -> Vec<(String, String, String)> {
        let nodes = &self.source.tape().scenario().setup.nodes;
        let accounts = || nodes.iter().filter_map(|node| Some((node, node.account.as_ref()?)));
        let writer = |(node, account): (&NodeSetup, &AccountSetup)| {
            let other = accounts().find(|(_, other)| other.address != account.address);
            let to = other.map_or_else(String::new, |(_, other)| other.address.clone());
            (node.name.clone(), format!("{} ({})", node.title, account.address), to)
        };
        accounts().filter(|(_, account)| account.submit.is_some()).map(writer).collect()
    }

    /// A world in which nothing is planned, as it begins; none: there is no such scenario, or it has a script.
    #[must_use]
    pub fn sandbox(id: &str) -> Option<Self> {
        let scenario = Scenario::find(id).filter(Scenario::is_unplanned)?;
        Some(Self::of(Source::new(scenario).ok()?))
    }

    /// Whether nothing is planned here, so that all that happens is what its reader does.
    #[must_use]
    pub fn is_sandbox(&self) -> bool {
        self.source.tape().scenario().is_unplanned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sandbox() -> Story {
        Story::sandbox("sandbox").expect("scenario 20 is one")
    }

    #[test]
    fn a_letter_crosses_the_sandbox() {
        let mut story = sandbox();
        let (device, _, to) = story.writers().remove(0);
        assert_eq!((&device[..], &to[..]), ("alice-laptop", "bob@hamburger.edu"));
        let letter = Letter { device, to, subject: "Hi".to_owned(), ..Letter::default() };
        story.perform(Action::Send(letter)).expect("it is sent");
        assert_eq!(story.source().mailboxes("hamburger.edu"), 1);
    }

    #[test]
    fn a_host_goes_and_comes_back() {
        let mut story = sandbox();
        let power = |story: &Story, words: &str| {
            let found = story.hosts().into_iter().find(|(known, _)| known == words);
            found.map(|(_, action)| action)
        };
        let off = power(&story, "hamburger.edu: switch off").expect("it is on");
        story.perform(off).expect("it goes");
        assert_eq!(power(&story, "hamburger.edu: switch off"), None);
        let on = power(&story, "hamburger.edu: switch on").expect("it is off");
        story.perform(on).expect("it comes");
        let (_, door) = story.doors().remove(0);
        story.perform(door).expect("it listens again");
        let (wire, part) = story.by_hand().expect("somebody can type");
        let octets = b"NOOP\r\n".to_vec();
        story.perform(Action::Type { wire: wire.0, server: false, octets }).expect("it is open");
        assert_eq!(part, Part::Client);
        let said = story.spoken(wire, usize::MAX);
        assert_eq!(said.last().map(|line| line.dir), Some(Dir::ToClient), "it is answered");
    }

    #[test]
    fn a_fault_is_a_headline_in_words() {
        let mut story = sandbox();
        let fault = "node:hamburger.edu/always/full".to_owned();
        story.perform(Action::AddFault(fault)).expect("it is a fault");
        let headline = story.last_sentence(usize::MAX).expect("something happened");
        assert_eq!(headline, "A fault is added: the mailbox at hamburger.edu is full");
    }

    #[test]
    fn a_link_to_a_sandbox_opens_where_it_was_left() {
        let mut story = sandbox();
        let (_, door) = story.doors().remove(0);
        story.perform(door).expect("it listens");
        let link = story.source().link(&crate::story::seen::Seen::default()).expect("it is short");
        let (again, _) = Story::shared(&link).expect("it is a link");
        assert!(again.is_sandbox());
        assert_eq!(again.by_hand(), story.by_hand(), "the connection is still open");
        assert!(!Story::scenario("alice-to-bob").expect("it exists").is_sandbox());
    }
}
