//! Somebody who types a server's answers to a client outside, with the engine reading along: it notes what the client says.
//! What it would answer is only compared with what is typed. From the first answer of another sense on it reads no more,
//! since from there on the client's octets may mean something else than they would to it.

use pillarbox_engine::trace::{Note, Side};

use super::{Cx, Drive, Effect, Turn, Typist};
use crate::world::ids::Protocol;

/// Octets of answers that are kept for the comparison; a longer conversation is read no further.
const KEPT_MAX: usize = 1 << 20;

/// Somebody who types, and who reads along.
pub(crate) struct Reader {
    typist: Typist,
    protocol: Protocol,
    /// The engine's session, as long as it can follow.
    engine: Option<Box<dyn Drive>>,
    would: Vec<u8>,
    typed: Vec<u8>,
    /// Whether the engine's session is over.
    is_over: bool,
    /// Whether the client says nothing more. It still hears what is typed.
    has_ended: bool,
}

impl Reader {
    /// Somebody who types in place of this session.
    pub(crate) fn new(protocol: Protocol, engine: Box<dyn Drive>) -> Self {
        let (would, typed) = (Vec::new(), Vec::new());
        let (typist, engine) = (Typist::new(Vec::new()), Some(engine));
        Self { typist, protocol, engine, would, typed, is_over: false, has_ended: false }
    }

    fn read(&mut self, turn: Turn, cx: &mut Cx<'_>) {
        let Some(engine) = &mut self.engine else { return };
        let mut own =
            Cx { now: cx.now, unix_ms: cx.unix_ms, faults: &mut *cx.faults, effects: Vec::new() };
        engine.turn(turn, &mut own);
        // A state or a defect belongs to the span noted before it.
        let mut of_client = true;
        for effect in own.effects {
            match effect {
                Effect::Transmit(octets) => self.would.extend(octets),
                Effect::Note(Note::Span(span)) => {
                    of_client = span.side == Side::Received;
                    cx.effects.extend(of_client.then_some(effect));
                }
                Effect::Note(Note::State { .. }) => cx.effects.push(effect),
                Effect::Note(Note::Defect(_)) if of_client => cx.effects.push(effect),
                // What a store takes time for is told to it later, as to every session.
                Effect::Later(_) => cx.effects.push(effect),
                Effect::Close | Effect::Cut => self.is_over = true,
                _ => {}
            }
        }
    }

    fn compare(&mut self) {
        let (typed, would) = (self.senses(&self.typed), self.senses(&self.would));
        // Who types may be quicker than a store; what the engine says then is compared once it says it.
        let agree = typed.iter().zip(&would).all(|(one, other)| self.same(one, other));
        if !agree || self.typed.len() + self.would.len() > KEPT_MAX {
            self.engine = None;
        }
    }

    /// Whether nothing is left to be said to a client that says nothing more; who answers otherwise than the engine
    /// would knows that alone.
    fn has_answered(&self) -> bool {
        self.has_ended && self.is_over && self.engine.is_some() && self.would_say().is_none()
    }

    fn senses<'a>(&self, octets: &'a [u8]) -> Vec<&'a [u8]> {
        senses(self.protocol, octets).into_iter().map(|(sense, _)| sense).collect()
    }

    /// Of a code only the first digit says how a client goes on (RFC 5321 §4.2.1).
    fn same(&self, one: &[u8], other: &[u8]) -> bool {
        match self.protocol {
            Protocol::Smtp | Protocol::Submission => one.first() == other.first(),
            _ => one == other,
        }
    }
}

impl Drive for Reader {
    fn turn(&mut self, turn: Turn, cx: &mut Cx<'_>) {
        match &turn {
            Turn::Type(octets) => {
                self.typed.extend_from_slice(octets);
                self.compare();
            }
            Turn::Order(_) => {}
            other => {
                self.read(other.clone(), cx);
                self.compare();
            }
        }
        match turn {
            Turn::End => self.has_ended = true,
            turn => self.typist.turn(turn, cx),
        }
        if self.has_answered() {
            self.typist.turn(Turn::End, cx);
        }
    }

    fn typist(&mut self) -> Option<&mut Typist> {
        Some(&mut self.typist)
    }

    fn would_say(&self) -> Option<Vec<u8>> {
        self.engine.as_ref()?;
        let ends = senses(self.protocol, &self.would);
        let from = match self.senses(&self.typed).len() {
            0 => 0,
            said => ends.get(said - 1)?.1,
        };
        self.would.get(from..).filter(|rest| !rest.is_empty()).map(<[u8]>::to_vec)
    }
}

/// What answers mean to the protocol, without their words, and where each of them ends: SMTP's codes (RFC 5321 §4.2),
/// POP3's indicators (RFC 1939 §3), IMAP's conditions with the tags that they belong to (RFC 9051 §7.1).
pub(crate) fn senses(protocol: Protocol, octets: &[u8]) -> Vec<(&[u8], usize)> {
    let (mut all, mut end) = (Vec::new(), 0);
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        end += line.len();
        all.extend(sense(protocol, line).map(|sense| (sense, end)));
    }
    all
}

fn sense(protocol: Protocol, line: &[u8]) -> Option<&[u8]> {
    let spaces = line.iter().enumerate().filter(|(_, octet)| octet.is_ascii_whitespace());
    let mut spaces = spaces.map(|(at, _)| at);
    let one = spaces.next().unwrap_or(line.len());
    let two = spaces.next().unwrap_or(line.len());
    let word = &line[..one];
    match protocol {
        // A code with a hyphen is one that goes on.
        Protocol::Smtp | Protocol::Submission => (word.len() == 3).then_some(word),
        Protocol::Pop3 => [&b"+OK"[..], b"-ERR", b"+"].contains(&word).then_some(word),
        Protocol::Imap if word == b"+" => Some(word),
        Protocol::Imap => (word != b"*").then_some(&line[..two]),
        Protocol::Http => Some(word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(protocol: Protocol, octets: &[u8]) -> Vec<String> {
        let all = senses(protocol, octets).into_iter();
        all.map(|(sense, _)| String::from_utf8_lossy(sense).into_owned()).collect()
    }

    #[test]
    fn the_sense_of_an_answer_is_without_its_words() {
        let smtp = b"220 here\r\n250-here\r\n250 HELP\r\n354\r\n";
        assert_eq!(told(Protocol::Smtp, smtp), ["220", "250", "354"]);
        assert_eq!(senses(Protocol::Smtp, smtp)[1].1, smtp.len() - 5);
        let pop3 = b"+OK ready\r\n+ \r\n-ERR no\r\nSubject: x\r\n.\r\n";
        assert_eq!(told(Protocol::Pop3, pop3), ["+OK", "+", "-ERR"]);
        let imap = b"* OK ready\r\n* 2 EXISTS\r\na1 OK done\r\n+ go on\r\na2 NO\r\n";
        assert_eq!(told(Protocol::Imap, imap), ["a1 OK", "+", "a2 NO"]);
    }
}
