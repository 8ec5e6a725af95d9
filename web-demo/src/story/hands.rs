//! Speaking by hand: one connection on which somebody types, as the client or as the server.
//! The other end is the engine; every line is an action, so taking one back is telling the world anew without it.

use pillarbox_world::annotate::Grade;
use pillarbox_world::catalogue;
use pillarbox_world::tape::{Lab, Scenario};
use pillarbox_world::world::{Action, Dir, End, Letter, Phase, Protocol, WireId, WireView};

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
/// How long after something that ends no line: octets that are typed one by one take no time to speak of.
const KEY_MS: u64 = 100;

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
    /// How long the session at the other end still waits, as `4:52`; none: as long as it takes.
    pub left: Option<String>,
}

/// A world for what somebody wants to try, as far as the greeting.
///
/// # Panics
/// If the world that is built in makes no sense, which a test would find.
#[must_use]
pub fn begin(wish: Wish) -> Story {
    let scenario = Scenario::lab(if wish.textbook { Lab::ByTheBook } else { Lab::ByHand });
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
    /// What is tried in this world, which a link may have brought; none: it is no world for that.
    #[must_use]
    pub fn wish(&self) -> Option<Wish> {
        let textbook = match self.source.tape().scenario().of_lab()? {
            Lab::ByTheBook => true,
            Lab::ByHand => false,
            Lab::Access => return None,
        };
        let begun = self.source.tape().actions().iter().find_map(|planned| match &planned.action {
            Action::Connect { port, .. } => Some((Part::Client, *port)),
            Action::Answer { port, .. } => Some((Part::Server, *port)),
            _ => None,
        });
        let (part, port) = begun.unwrap_or((Part::Client, PORTS[0].0));
        Some(Wish { part, port, textbook })
    }

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
        let open = wire.as_ref().filter(|wire| wire.phase == Phase::Open);
        let left = open.and_then(|wire| self.left(wire.id, other));
        let gloss = wire.as_ref().and_then(|wire| source::state_gloss(wire.protocol, other, state));
        Standing {
            wire: wire.as_ref().map(|wire| wire.id),
            open: open.is_some(),
            state,
            gloss,
            protocol: name,
            mailbox: boxes,
            left,
        }
    }

    /// How long the session at an end of a wire still waits, in minutes and seconds.
    fn left(&self, wire: WireId, end: End) -> Option<String> {
        let world = self.source.tape().world();
        let ms = world.deadline(wire, end)?.0.saturating_sub(world.now().0);
        let seconds = ms.div_ceil(1000);
        Some(format!("{}:{:02}", seconds / 60, seconds % 60))
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
            let ended = octets.ends_with(b"\n");
            let done = source.act_at(end, action);
            source.pass(if ended { LISTEN_MS } else { KEY_MS });
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
        // A line may have been sent octet by octet.
        typed.pop();
        while typed.last().is_some_and(|octets| !octets.ends_with(b"\n")) {
            typed.pop();
        }
        *self = begin(wish);
        for octets in typed {
            // What could be said before can be said again.
            let _ = self.say(wish.part, &octets);
        }
    }

    /// What there is to say of the line that was typed last: why it was refused, what the other side still waits for, or
    /// that several were sent at once. Of earlier lines nothing is said.
    #[must_use]
    pub fn remark(&self, wish: Wish) -> Option<Remark> {
        let wire = self.typed(wish.part)?;
        let (said, heard) = match wish.part {
            Part::Client => (Dir::ToServer, Dir::ToClient),
            Part::Server => (Dir::ToClient, Dir::ToServer),
        };
        let typed = self.source.octets(wire.id, said);
        if wire.phase == Phase::Open
            && let Some(waits) = self.waits(&wire, said, wish.part)
        {
            return Some(waits);
        }
        let answers = self.source.annotations(wire.id, heard);
        let last = answers.all().iter().rev().find(|a| a.parent.is_none())?;
        let because = self.because(wire.id, heard, last);
        let answered = because.as_ref().map_or(0, |because| because.end);
        // Of what came after that the other side read nothing.
        let lines = self.source.annotations(wire.id, said);
        let read = lines.all().iter().filter(|a| a.parent.is_none()).map(|a| a.at.end).max();
        if last.grade < Grade::Warning || answered < read.unwrap_or(0) {
            return self.pipelined(wire.id, wish);
        }
        let line = lines.all().iter().rev().find(|a| a.parent.is_none());
        let octets = line.and_then(|line| typed.get(line.at.start as usize..line.at.end as usize));
        let trap = octets
            .filter(|_| wish.part == Part::Client)
            .and_then(|octets| catalogue::trap(source::spoken(wire.protocol), octets));
        let mut why = Vec::new();
        let law = trap.as_ref().and_then(|trap| trap.law).map(str::to_owned);
        match trap {
            Some(trap) => why.push(source::sentence_of(&trap)),
            None => {
                let within = answers.all().iter().filter(|a| last.at.contains(&a.at.start));
                let own = within.filter_map(|a| self.source.word(wire.id, heard, a)).next();
                why.extend(own.map(|gloss| source::sentence_of(&gloss)));
            }
        }
        // The rule that the line broke says more than the code of the reply.
        let broken = line.and_then(|line| {
            lines.defects().iter().rev().find(|(range, _)| line.at.contains(&range.start))
        });
        why.extend(
            broken.map(|(_, rule)| format!("{} (RFC {} §{})", rule.gist, rule.rfc, rule.section)),
        );
        (!why.is_empty()).then(|| Remark::Refused { why: why.join(" "), law })
    }

    /// What the other side waits for, if octets of an open line lie there unread.
    fn waits(&self, wire: &WireView, said: Dir, part: Part) -> Option<Remark> {
        let typed = self.source.octets(wire.id, said);
        let annotated = self.source.annotations(wire.id, said);
        let read = annotated.all().iter().filter(|a| a.parent.is_none()).map(|a| a.at.end).max();
        let read = usize::try_from(read.unwrap_or(0)).ok()?;
        let rest = typed.get(read..).filter(|rest| !rest.is_empty());
        // What is read piece by piece may be a line that goes on; a chunk has no lines.
        let counted =
            annotated.all().last().is_some_and(|a| matches!(a.label, "chunk" | "literal"));
        let open = rest.or_else(|| (!typed.ends_with(b"\n") && !counted).then_some(typed))?;
        if open.is_empty() {
            return None;
        }
        let who = if part == Part::Client { "The server" } else { "The client" };
        let text = if open.ends_with(b"\n") && !open.ends_with(b"\r\n") {
            format!(
                "{who} waits: a line ends with CR LF, and yours ended with LF alone, which ends nothing. \
                 It goes on until CR LF comes."
            )
        } else if open.ends_with(b"\r") {
            format!("{who} waits for the LF behind your CR.")
        } else {
            format!("{who} waits: your line is not ended. Send the rest of it, and CR LF.")
        };
        let law = match wire.protocol {
            Protocol::Smtp | Protocol::Submission => "RFC 5321 §2.3.8",
            Protocol::Pop3 => "RFC 1939 §3",
            Protocol::Imap => "RFC 9051 §2.2",
            Protocol::Http => "RFC 9112 §2.2",
        };
        Some(Remark::Waits { text, law: law.to_owned() })
    }

    /// Whether several lines were typed at once, and what came of it.
    fn pipelined(&self, wire: WireId, wish: Wish) -> Option<Remark> {
        let last = self.typed_last()?;
        let count = last.split(|octet| *octet == b'\n').filter(|line| !line.is_empty()).count();
        if count < 2 || wish.part == Part::Server {
            return None;
        }
        // Lines of a message are one thing that is said, however many they are.
        let first = self.source.octets(wire, Dir::ToServer).len().checked_sub(last.len())?;
        let lines = self.source.annotations(wire, Dir::ToServer);
        let commands = lines.all().iter().filter(|a| {
            a.parent.is_none() && a.at.start >= first as u64 && a.label != super::octets::CONTENT
        });
        let commands = commands.count();
        let offers = |a: &pillarbox_world::annotate::Annotation| {
            let said = self.source.octets(wire, Dir::ToClient);
            let octets = said.get(a.at.start as usize..a.at.end as usize).unwrap_or_default();
            matches!(a.label, "ehlo keyword" | "capability")
                && octets.eq_ignore_ascii_case(b"PIPELINING")
        };
        let offered = self.source.annotations(wire, Dir::ToClient).all().iter().any(offers);
        (commands > 1).then_some(Remark::Pipelined { lines: commands, offered, port: wish.port })
    }
}

/// What there is to say of the line that was typed last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark {
    /// It was refused.
    Refused {
        /// Why, and what was likely meant.
        why: String,
        /// Where that stands, such as `RFC 5321 §4.1.1.1`.
        law: Option<String>,
    },
    /// It is not whole.
    Waits {
        /// Who waits, and for what.
        text: String,
        /// Where that stands.
        law: String,
    },
    /// Several commands were sent at once.
    Pipelined {
        /// How many.
        lines: usize,
        /// Whether the server offers it.
        offered: bool,
        /// The server's port.
        port: u16,
    },
}

impl Remark {
    /// The same in words, and where it stands.
    #[must_use]
    pub fn words(&self) -> (String, Option<String>) {
        match self {
            Self::Refused { why, law } => (why.clone(), law.clone()),
            Self::Waits { text, law } => (text.clone(), Some(law.clone())),
            Self::Pipelined { lines, port: 143, .. } => (
                format!(
                    "{lines} commands at once: pipelining. With IMAP that is always allowed; tags tell which \
                     reply is whose."
                ),
                Some("RFC 9051 §5.5".to_owned()),
            ),
            Self::Pipelined { lines, offered, port } => {
                let what = format!(
                    "{lines} commands at once, without waiting for replies: pipelining. The replies come in the \
                     same order."
                );
                let offer = match (offered, port) {
                    (true, _) => "The server offered it.",
                    (false, 25) => {
                        "The server has not offered it: say EHLO first, and look for PIPELINING in the reply."
                    }
                    (false, _) => "CAPA shows whether the server offers it.",
                };
                let law = if *port == 25 { "RFC 2920 §3.1" } else { "RFC 2449 §6.6" };
                (format!("{what} {offer}"), Some(law.to_owned()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMTP: Wish = Wish { part: Part::Client, port: 25, textbook: true };

    fn after(wish: Wish, lines: &[&[u8]]) -> (Story, Option<Remark>) {
        let mut story = begin(wish);
        for line in lines {
            story.say(wish.part, line).expect("there is a connection");
        }
        let remark = story.remark(wish);
        (story, remark)
    }

    fn words(lines: &[&[u8]]) -> String {
        after(SMTP, lines).1.map_or_else(String::new, |remark| remark.words().0)
    }

    #[test]
    fn beginners_traps_have_words_of_their_own() {
        let traps: [(&[u8], &str); 6] = [
            (b"HELLO crepes.fr\r\n", "with one L"),
            (b"Subject: hi\r\n", "header field"),
            (b"SEND MAIL\r\n", "There is no SEND"),
            (b" HELO x\r\n", "very start of the line"),
            (b"HEL\x08LO x\r\n", "backspace"),
            (b"PLEASE ANSWER\r\n", "knows no such word"),
        ];
        for (line, expected) in traps {
            let said = words(&[line]);
            assert!(said.contains(expected), "{}: {said}", line.escape_ascii());
        }
    }

    #[test]
    fn a_reason_is_of_the_last_line_alone() {
        assert!(!words(&[b"HELLO x\r\n"]).is_empty());
        assert_eq!(words(&[b"HELLO x\r\n", b"NOOP\r\n"]), "", "the next line was taken");
        let half = words(&[b"HELLO x\r\n", b"HE"]);
        assert!(half.contains("not ended") && !half.contains("one L"), "{half}");
        let bare = words(&[b"HELLO x\r\n", b"HELO x\n"]);
        assert!(bare.contains("LF alone") && !bare.contains("one L"), "{bare}");
        assert!(words(&[b"HELO x\r"]).contains("behind your CR"));
        assert_eq!(words(&[b"HE", b"LO x\r\n"]), "", "it is whole");
    }

    #[test]
    fn an_unended_line_waits_with_every_protocol() {
        for (port, name) in PORTS {
            let wish = Wish { part: Part::Client, port, textbook: false };
            let (_, remark) = after(wish, &[b"NO"]);
            assert!(matches!(remark, Some(Remark::Waits { .. })), "{name}: {remark:?}");
        }
    }

    #[test]
    fn lines_at_once_are_pipelining_and_a_message_is_not() {
        let (_, remark) = after(
            SMTP,
            &[b"EHLO x\r\n", b"MAIL FROM:<alice@crepes.fr>\r\nRCPT TO:<bob@hamburger.edu>\r\n"],
        );
        assert_eq!(remark, Some(Remark::Pipelined { lines: 2, offered: true, port: 25 }));
        let pop = Wish { part: Part::Client, port: 110, textbook: false };
        let (_, remark) = after(pop, &[b"USER bob\r\nPASS hungry\r\nSTAT\r\n"]);
        assert_eq!(remark, Some(Remark::Pipelined { lines: 3, offered: false, port: 110 }));
        // What may only stand at the end of a group is refused in the middle of one, and that is told.
        let early = words(&[b"HELO x\r\n", b"NOOP\r\nNOOP\r\nNOOP\r\n"]);
        assert!(early.contains("RFC 2920") && !early.contains("pipelining."), "{early}");
        let (_, remark) = after(
            SMTP,
            &[
                b"HELO x\r\n",
                b"MAIL FROM:<alice@crepes.fr>\r\n",
                b"RCPT TO:<bob@hamburger.edu>\r\n",
                b"DATA\r\n",
                b"Subject: hi\r\n\r\none\r\ntwo\r\n.\r\n",
            ],
        );
        assert_eq!(remark, None, "one message");
    }

    #[test]
    fn the_time_out_counts_down_begins_anew_and_strikes() {
        let (mut story, _) = after(SMTP, &[b"HELO x\r\n"]);
        let left = |story: &Story| story.standing(SMTP).left;
        assert_eq!(
            left(&story).as_deref(),
            Some("4:59"),
            "two seconds were listened, part of which the answer took"
        );
        story.think(60_000);
        assert_eq!(left(&story).as_deref(), Some("3:59"));
        story.say(Part::Client, b"NOOP\r\n").expect("it is open");
        assert_eq!(left(&story).as_deref(), Some("4:59"));
        story.think(299_000);
        assert!(!story.standing(SMTP).open);
        assert_eq!(left(&story), None);
    }

    #[test]
    fn taking_back_takes_a_whole_line() {
        let mut story = begin(SMTP);
        story.say(Part::Client, b"NOOP\r\n").expect("it is open");
        let before = story.entries().len();
        for octet in b"HELLO\r\n".chunks(1) {
            story.say(Part::Client, octet).expect("it is open");
        }
        story.take_back(SMTP);
        assert_eq!(story.entries().len(), before);
    }
}
