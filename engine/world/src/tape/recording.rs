//! What was said on a real connection, as a story: the program says its octets again, and the engine's server reads and
//! answers them. What the real server answered is kept beside it, to be compared.

use pillarbox_engine::trace::{Note, Side, Span};

use super::export::secrets;
use super::{Scenario, Tape};
use crate::world::{Action, Dir, End, EntryId, Played, Protocol, What, WireId, World, senses};

/// Octets of a program that are played; a recording is the beginning of what was said if there were more.
pub const PLAYED_MAX: usize = 256 << 10;
/// Chance in the story of a recording: the same one has the same story.
const SEED: u64 = 1;
/// What a response of a login is masked with hides even how it was written, so that no server could read it. This one
/// stands in its place: of PLAIN (RFC 4616 §2) the user `masked` with the password `masked`.
const LOGIN: &[u8] = b"AG1hc2tlZABtYXNrZWQ=";
/// Labels of spans that hold such a response.
const RESPONSES: [&str; 3] = ["initial response", "response", "base64"];
/// Stands for an octet that nobody may see.
const MASK: u8 = b'*';

/// What was said on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    port: u16,
    protocol: Protocol,
    parts: Vec<Played>,
    /// What the server said before each part, and after the last.
    heard: Vec<Vec<u8>>,
    lacks: Vec<Lack>,
}

/// What a recording does not hold as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// So many secrets are masked.
    Secrets(usize),
    /// So many responses of logins are replaced by one that can be read.
    Logins(usize),
    /// The server had not read so many octets at the end.
    Unread(u64),
    /// It is longer than what is played; so many octets are left out.
    Long(u64),
}

/// What the engine answers, beside what the real server did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The line that is answered; none: the greeting.
    pub line: Vec<u8>,
    /// What the real server said.
    pub real: Vec<u8>,
    /// What the engine says.
    pub here: Vec<u8>,
    /// How they compare.
    pub agrees: Agrees,
}

/// How two answers compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agrees {
    /// Octet by octet.
    Wholly,
    /// They mean the same to the protocol, in other words.
    InSense,
    /// Not at all.
    Not,
}

impl Recording {
    /// What the first `entries` of a world's log hold of a connection whose server's notes are known; none: there is no
    /// such connection, or its program said nothing.
    #[must_use]
    pub fn of(world: &World, wire: WireId, entries: usize) -> Option<Self> {
        let view = world.wires().into_iter().find(|view| view.id == wire)?;
        let mut octets = Octets::of(world, wire);
        let (mut parts, mut heard) = (Vec::new(), vec![Vec::new()]);
        let mut last = view.opened;
        for entry in world.entries(EntryId(0)).iter().take(entries) {
            let What::Octets { dir, start, end, .. } = entry.what else { continue };
            if entry.wire != Some(wire) {
                continue;
            }
            if dir == Dir::ToClient {
                heard.last_mut()?.extend(world.octets(wire, dir, start..end));
                continue;
            }
            let said = octets.played(world.octets(wire, dir, start..end), start);
            if said.is_empty() {
                continue;
            }
            let answered = heard.last().is_some_and(|heard| !heard.is_empty());
            let after_ms = entry.at.0.saturating_sub(last.0);
            last = entry.at;
            parts.push(Played { answered, after_ms, octets: said });
            heard.push(Vec::new());
        }
        if parts.is_empty() {
            return None;
        }
        // It hangs up once it has heard what it heard, and not before somebody could have read that.
        let answered = heard.last().is_some_and(|heard| !heard.is_empty());
        parts.push(Played { answered, after_ms: 1_000, octets: Vec::new() });
        let (port, protocol) = (view.port, view.protocol);
        Some(Self { port, protocol, parts, heard, lacks: octets.lacks() })
    }

    /// What it does not hold as it was.
    #[must_use]
    pub fn lacks(&self) -> &[Lack] {
        &self.lacks
    }

    /// Whether the program came to read mail, so that answers depend on what was in a mailbox.
    #[must_use]
    pub fn reads_mail(&self) -> bool {
        matches!(self.protocol, Protocol::Pop3 | Protocol::Imap)
    }

    /// The story of it, at its beginning.
    ///
    /// # Errors
    /// The world that is built in has no place for it.
    pub fn tape(&self) -> Result<Tape, String> {
        let mut tape = Tape::new(Scenario::recorded(), SEED)?;
        let nodes = tape.world().nodes();
        let [program, server] = &nodes[..] else { return Err("two nodes are needed".to_owned()) };
        let (from, host) = (program.name.clone(), server.name.clone());
        tape.act(Action::Play { from, host, port: self.port, parts: self.parts.clone() })?;
        Ok(tape)
    }

    /// What the engine answers in a world in which this was played, beside what the real server did: the greeting first.
    #[must_use]
    pub fn answers(&self, world: &World) -> Vec<Answer> {
        let here = self.answered(world);
        let mut answers = vec![self.answer(&[], &self.heard[0], &here[0])];
        let said = self.parts.iter().zip(self.heard[1..].iter().zip(&here[1..]));
        // Parts that were said without waiting are answered together.
        let (mut line, mut both) = (Vec::new(), (Vec::new(), Vec::new()));
        for (part, (real, here)) in said {
            if part.answered && !line.is_empty() {
                answers.push(self.answer(&line, &both.0, &both.1));
                (line, both) = Default::default();
            }
            line.extend_from_slice(&part.octets);
            both.0.extend_from_slice(real);
            both.1.extend_from_slice(here);
        }
        answers.push(self.answer(&line, &both.0, &both.1));
        answers
    }

    /// What the server of a world said before each part, and after the last.
    fn answered(&self, world: &World) -> Vec<Vec<u8>> {
        let wire = WireId(0);
        let mut here = vec![Vec::new(); self.heard.len()];
        let (mut said, mut at) = (0, 0);
        let mut ends = self.parts.iter().scan(0, |end, part| {
            *end += part.octets.len() as u64;
            Some(*end)
        });
        let mut next = ends.next();
        for entry in world.entries(EntryId(0)).iter().filter(|entry| entry.wire == Some(wire)) {
            match entry.what {
                What::Octets { dir: Dir::ToServer, end, .. } => said = end,
                What::Octets { dir, start, end, .. } => {
                    while next.is_some_and(|end| end <= said) && at + 1 < here.len() {
                        at += 1;
                        next = ends.next();
                    }
                    here[at].extend(world.octets(wire, dir, start..end));
                }
                _ => {}
            }
        }
        here
    }

    fn answer(&self, line: &[u8], real: &[u8], here: &[u8]) -> Answer {
        let agrees = if real == here {
            Agrees::Wholly
        } else if sense(self.protocol, real) == sense(self.protocol, here) {
            Agrees::InSense
        } else {
            Agrees::Not
        };
        Answer { line: line.to_vec(), real: real.to_vec(), here: here.to_vec(), agrees }
    }
}

/// What answers mean to the protocol, without their words.
fn sense(protocol: Protocol, octets: &[u8]) -> Vec<&[u8]> {
    senses(protocol, octets).into_iter().map(|(sense, _)| sense).collect()
}

/// Octets of the program, as they are played.
struct Octets {
    secrets: Vec<Span>,
    /// The first of them that is not behind what was played: octets come in order, and nobody looks back.
    next: usize,
    /// How far the server has read.
    read: u64,
    played: usize,
    logins: usize,
    unread: u64,
    long: u64,
}

impl Octets {
    fn of(world: &World, wire: WireId) -> Self {
        let notes = world.all_notes(wire, End::Server).iter();
        let spans = notes.filter_map(|noted| match noted.note {
            Note::Span(span) if span.side == Side::Received => Some((span.start, span.end)),
            _ => None,
        });
        let mut spans: Vec<(u64, u64)> = spans.collect();
        pillarbox_engine::order::sort(&mut spans);
        // Behind a gap nobody knows what is a secret.
        let mut read = 0;
        for (start, end) in spans {
            if start > read {
                break;
            }
            read = read.max(end);
        }
        let mut secrets = secrets(world, wire, Dir::ToServer);
        // Both ends may have noted one.
        pillarbox_engine::order::sort_by_key(&mut secrets, |span| (span.start, span.end));
        secrets.dedup_by_key(|span| span.start);
        Self { secrets, next: 0, read, played: 0, logins: 0, unread: 0, long: 0 }
    }

    /// The secret that an octet is part of; each offset lies behind the one before.
    fn secret(&mut self, at: u64) -> Option<Span> {
        while self.secrets.get(self.next).is_some_and(|span| span.end <= at) {
            self.next += 1;
        }
        self.secrets.get(self.next).filter(|span| span.start <= at).copied()
    }

    /// What is played of octets that begin at an offset.
    fn played(&mut self, octets: &[u8], start: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(octets.len());
        for (octet, at) in octets.iter().zip(start..) {
            if at >= self.read {
                self.unread += 1;
                continue;
            }
            let before = out.len();
            match self.secret(at) {
                None => out.push(*octet),
                Some(span) if !RESPONSES.contains(&span.label) => out.push(MASK),
                Some(span) if span.start == at => {
                    out.extend_from_slice(LOGIN);
                    self.logins += 1;
                }
                Some(_) => {}
            }
            if self.played + out.len() > PLAYED_MAX {
                out.truncate(before);
                self.long += 1;
            }
        }
        self.played += out.len();
        out
    }

    fn lacks(&self) -> Vec<Lack> {
        let masked = self.secrets.iter().filter(|span| span.start < self.read).count();
        let masked = masked.saturating_sub(self.logins);
        let lacks = [
            (masked > 0).then_some(Lack::Secrets(masked)),
            (self.logins > 0).then_some(Lack::Logins(self.logins)),
            (self.unread > 0).then_some(Lack::Unread(self.unread)),
            (self.long > 0).then_some(Lack::Long(self.long)),
        ];
        lacks.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_conversation_with_many_secrets_is_read_once() {
        // Half a million octets with a secret in each ten of them: looked through for each octet it takes minutes.
        let secret = |at: u64| {
            let (side, label) = (Side::Received, "password");
            Span { side, start: at, end: at + 3, label, secret: true, why: None }
        };
        let secrets: Vec<Span> = (0..50_000).map(|at| secret(at * 10)).collect();
        let last = secrets.len() - 1;
        let (read, octets) = (500_000, [b'x'; 500_000]);
        let mut all = Octets { secrets, next: 0, read, played: 0, logins: 0, unread: 0, long: 0 };
        let mut said = Vec::new();
        for (part, start) in octets.chunks(1_000).zip((0..).step_by(1_000)) {
            said.extend(all.played(part, start));
            // However much was said, only secrets that are not over yet are looked at.
            assert!(all.next + 1 >= usize::try_from(start / 10).expect("it is small"));
        }
        assert_eq!(all.next, last + 1, "all of them are behind");
        assert_eq!(said.len(), PLAYED_MAX);
        assert_eq!(&said[..13], b"***xxxxxxx***");
        assert_eq!(all.long, 500_000 - PLAYED_MAX as u64);
    }

    #[test]
    fn secrets_inside_of_each_other_are_masked_as_one() {
        let secret = |start, end| {
            let (side, label) = (Side::Received, "password");
            Span { side, start, end, label, secret: true, why: None }
        };
        let secrets = vec![secret(1, 6), secret(2, 4), secret(5, 8), secret(9, 10)];
        let mut all =
            Octets { secrets, next: 0, read: 12, played: 0, logins: 0, unread: 0, long: 0 };
        assert_eq!(all.played(b"abcdefghijkl", 0), b"a*******i*kl");
    }
}
