//! Speaking by hand: one connection on which somebody types, as the client or as the server.
//! The other end is the engine; every line is an action, so taking one back is telling the world anew without it.

use pillarbox_world::tape::Scenario;
use pillarbox_world::world::{Action, Dir, End, Letter, Phase, WireId, WireView};

use super::{Source, Story, source};

/// Which end somebody types at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The client's: the server is the engine.
    Client,
    /// The server's: the client is the engine.
    Server,
}

/// What is spoken by hand, by its port.
pub const PORTS: [(u16, &str); 3] = [(25, "SMTP"), (110, "POP3"), (143, "IMAP")];

/// What somebody wants to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// At which end they type.
    pub part: Part,
    /// The server's port.
    pub port: u16,
    /// Whether the server uses the book's words.
    pub textbook: bool,
}

/// How long something is listened to after each line, in milliseconds of the world.
const LISTEN_MS: u64 = 2_000;
/// What the world is made of.
const WORLD: &str = include_str!("hands.toml");

/// Where a conversation by hand stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The wire, once there is one.
    pub wire: Option<WireId>,
    /// Whether something can be said.
    pub open: bool,
    /// The state of the engine's session at the other end.
    pub state: &'static str,
    /// What that state means.
    pub gloss: Option<String>,
    /// The protocol's name.
    pub protocol: &'static str,
    /// Messages in the mailbox.
    pub mailbox: u64,
}

/// A world for what somebody wants to try, as far as the greeting.
///
/// # Panics
/// If the world that is built in makes no sense, which a test would find.
#[must_use]
pub fn begin(wish: Wish) -> Story {
    let scenario = Scenario::parse("by-hand", WORLD);
    let mut scenario = scenario.expect("the world that is built in makes sense");
    if wish.textbook {
        let servers = scenario.setup.nodes.iter_mut().filter(|node| node.name == SERVER);
        servers.for_each(|node| node.persona = pillarbox_world::world::Persona::Textbook);
    }
    let source = Source::new(scenario).expect("the world that is built in makes sense");
    let mut story = Story::of(source);
    story.act(|source| {
        // Three letters lie in the mailbox, for who reads.
        source.pass(200_000);
        let end = source.entries().len();
        let done = match wish.part {
            Part::Client => source.act_at(end, connect(wish.port)),
            Part::Server => source
                .act_at(end, Action::Answer { node: SERVER.to_owned(), port: wish.port })
                .and_then(|()| source.act_at(source.entries().len(), visit(wish.port))),
        };
        done.expect("the world that is built in has these nodes");
        source.pass(LISTEN_MS);
    });
    story
}

const SERVER: &str = "hamburger.edu";

fn connect(port: u16) -> Action {
    let (from, host) = ("crepes.fr".to_owned(), SERVER.to_owned());
    Action::Connect { from, host, port, script: Vec::new() }
}

/// What makes the engine's client come to a port.
fn visit(port: u16) -> Action {
    match port {
        25 => Action::Send(Letter {
            device: "alice-laptop".to_owned(),
            to: "bob@hamburger.edu".to_owned(),
            subject: "To whoever answers".to_owned(),
            text: "Do you like ketchup?\nHow about pickles?\n".to_owned(),
            ..Letter::default()
        }),
        port => Action::Check(pillarbox_world::world::Check {
            device: "bob-laptop".to_owned(),
            way: if port == 143 {
                pillarbox_world::world::Way::Imap
            } else {
                pillarbox_world::world::Way::PopKeep
            },
        }),
    }
}

/// Something that can be said now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sayable {
    /// How it is written.
    pub form: &'static str,
    /// One of it.
    pub example: String,
    /// What it does.
    pub gist: &'static str,
    /// Where that stands.
    pub law: String,
}

impl Story {
    /// What can be said now at an end of a wire.
    #[must_use]
    pub fn sayable(&self, wire: Option<WireId>, part: Part) -> Vec<Sayable> {
        let Some(wire) = wire else { return Vec::new() };
        let end = if part == Part::Client { End::Client } else { End::Server };
        let expected = self.source.tape().expected(wire, end).into_iter();
        let sayable = |expected: pillarbox_engine::expected::Expected| Sayable {
            form: expected.form.form,
            example: expected.example,
            gist: expected.form.rule.gist,
            law: format!("RFC {} §{}", expected.form.rule.rfc, expected.form.rule.section),
        };
        expected.map(sayable).collect()
    }

    /// The wire that somebody types on.
    fn typed(&self, part: Part) -> Option<WireView> {
        let wires = self.source.tape().world().wires().into_iter().rev();
        let end = usize::from(part == Part::Server);
        wires.into_iter().find(|wire| wire.typed[end])
    }

    /// Where the conversation stands.
    #[must_use]
    pub fn standing(&self, wish: Wish) -> Standing {
        let wire = self.typed(wish.part);
        let other = if wish.part == Part::Client { End::Server } else { End::Client };
        let name = PORTS.iter().find(|(port, _)| *port == wish.port).map_or("", |(_, name)| name);
        let boxes = self.source.mailboxes(SERVER);
        let state = wire.as_ref().map_or("", |wire| self.source.tape().state(wire.id, other));
        let gloss = wire.as_ref().and_then(|wire| source::state_gloss(wire.protocol, other, state));
        Standing {
            wire: wire.as_ref().map(|wire| wire.id),
            open: wire.is_some_and(|wire| wire.phase == Phase::Open),
            state,
            gloss,
            protocol: name,
            mailbox: boxes,
        }
    }

    /// Says octets, and listens.
    ///
    /// # Errors
    /// Why they cannot be said.
    pub fn say(&mut self, part: Part, octets: &[u8]) -> Result<(), String> {
        let wire = self.typed(part).ok_or("there is no connection to speak on")?;
        let server = part == Part::Server;
        let action = Action::Type { wire: wire.id.0, server, octets: octets.to_vec() };
        let end = self.source.entries().len();
        self.act(|source| {
            let done = source.act_at(end, action);
            source.pass(LISTEN_MS);
            done
        })
    }

    /// Lets time pass, as for somebody who thinks.
    pub fn think(&mut self, ms: u64) {
        self.act(|source| source.pass(ms));
    }

    /// What was typed last, in its direction, if it can be taken back.
    #[must_use]
    pub fn typed_last(&self) -> Option<Vec<u8>> {
        let actions = self.source.tape().actions().iter().rev();
        actions.filter(|planned| !planned.scripted).find_map(|planned| match &planned.action {
            Action::Type { octets, .. } => Some(octets.clone()),
            _ => None,
        })
    }

    /// Takes back what was typed last: the same world, told without it.
    pub fn take_back(&mut self, wish: Wish) {
        let actions = self.source.tape().actions().iter();
        let mut typed: Vec<Vec<u8>> = actions
            .filter(|planned| !planned.scripted)
            .filter_map(|planned| match &planned.action {
                Action::Type { octets, .. } => Some(octets.clone()),
                _ => None,
            })
            .collect();
        typed.pop();
        *self = begin(wish);
        for octets in typed {
            // What could be said before can be said again.
            let _ = self.say(wish.part, &octets);
        }
    }

    /// The last line of the other side that says no, with what it means.
    #[must_use]
    pub fn last_refusal(&self, wish: Wish) -> Option<(String, String)> {
        let wire = self.typed(wish.part)?;
        let dir = if wish.part == Part::Client { Dir::ToClient } else { Dir::ToServer };
        let annotated = self.source.annotations(wire.id, dir);
        let last = annotated.all.iter().rev().find(|a| a.parent.is_none())?;
        if last.grade < pillarbox_world::annotate::Grade::Warning {
            return None;
        }
        let heard = annotated.all.iter().filter(|a| last.at.contains(&a.at.start));
        let mut glosses = heard.filter_map(|a| self.source.word(wire.id, dir, a));
        let own = glosses
            .next()
            .map(|gloss| source::words_of(&gloss))
            .map(|(what, why)| format!("{what} {why}"));
        // The rule that the last line broke says more than the code of the reply.
        let said = if wish.part == Part::Client { Dir::ToServer } else { Dir::ToClient };
        let typed = self.source.annotations(wire.id, said);
        let line = typed.all.iter().rev().find(|a| a.parent.is_none());
        let broken = line.and_then(|line| {
            let within =
                typed.defects.iter().rev().find(|(range, _)| line.at.contains(&range.start));
            within.map(|(_, rule)| format!("{} (RFC {} §{})", rule.gist, rule.rfc, rule.section))
        });
        let words = self.octets(wire.id, dir, last.at.start, last.at.end);
        let why = [own, broken].into_iter().flatten().collect::<Vec<_>>().join(" ");
        (!why.is_empty()).then(|| (super::lines::text(&words), why))
    }
}
