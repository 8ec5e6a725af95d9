//! A challenge that somebody works at: its world goes on by a little with each thing that they do.
//! What counts as done is judged by the world library.

use pillarbox_world::tape::{self, Challenge, Tape};
use pillarbox_world::world::{Action, Check, End, LinkSetup, Phase, Way, WireId};

use super::hands::Part;
use super::layout::Kind;
use super::{Source, Story};

/// How much time passes after something is done, in milliseconds of the world.
const AFTER_MS: u64 = 2_000;
/// How much passes before anything is done.
const BEFORE_MS: u64 = 1_000;

/// A challenge in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    /// Its name in links.
    pub id: String,
    /// Its place.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// What to do.
    pub task: String,
}

/// All challenges.
#[must_use]
pub fn all() -> Vec<Offered> {
    let offered = |one: Challenge| Offered {
        id: one.id,
        number: one.number,
        title: one.title,
        task: one.task,
    };
    Challenge::all().into_iter().map(offered).collect()
}

/// How somebody gets on with a challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is to be achieved, and whether it is.
    pub goals: Vec<(String, bool)>,
    /// What was done so far.
    pub done: usize,
    /// The fewest things that are known to do it.
    pub par: usize,
}

/// A challenge and its world.
///
/// # Errors
/// There is none of this name, or it makes no sense.
pub fn begin(id: &str) -> Result<(Challenge, Story), String> {
    let challenge = Challenge::find(id).ok_or("there is no such challenge")?;
    let tape: Tape = challenge.start()?;
    let mut story = Story::of(Source::of(tape));
    story.act(|source| source.pass(BEFORE_MS));
    Ok((challenge, story))
}

impl Story {
    /// How somebody gets on.
    #[must_use]
    pub fn progress(&self, challenge: &tape::Challenge) -> Progress {
        let (held, done) = self.source.tape().check(challenge);
        let texts = challenge.goals.iter().map(|goal| goal.text.clone());
        Progress { goals: texts.zip(held).collect(), done, par: challenge.par() }
    }

    /// Does something at the end of what was told, and lets a little time pass.
    ///
    /// # Errors
    /// Why it cannot be done.
    pub fn perform(&mut self, action: Action) -> Result<(), String> {
        let end = self.source.entries().len();
        self.act(|source| {
            let done = source.act_at(end, action);
            source.pass(AFTER_MS);
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
}
