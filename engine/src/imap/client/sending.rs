//! Commands on their way out: tags, literals that wait to be let in, and messages, which the host writes itself.
//! Which command is next is left to `calls`.

use alloc::collections::VecDeque;
use alloc::format;

use super::idle::Idle;
use super::line::{Line, Message, Segment};
use super::login::Login;
use super::{Client, State};
use crate::imap::grammar::lex::{self, Place};
use crate::limits::BLOB_PIECE;
use crate::role::Cx;
use crate::trace::Rule;
use crate::types::BlobRange;

/// RFC 7888 §3.
pub(super) const LITERAL: Rule = Rule {
    rfc: 7888,
    section: "3",
    gist: "A literal waits until the server lets it in with a plus, unless the server takes it unasked.",
};
/// RFC 9051 §6.3.12.
pub(super) const APPEND: Rule = Rule {
    rfc: 9051,
    section: "6.3.12",
    gist: "APPEND carries a whole message as a literal; the server may refuse it before its octets.",
};

/// Octets of a message that are sent unasked: of a larger one the server shall be able to say no before they cross.
const MESSAGE_UNASKED_MAX: u64 = 256 * 1024;

/// A command that is not wholly sent.
pub(super) struct Outgoing {
    segments: VecDeque<Segment>,
    stage: Stage,
}

/// What holds it up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The server has to let the literal in that is first.
    Waiting,
    /// Octets of a message, from this one on.
    Content(Message, u64),
}

impl Client {
    /// Sends a command under a new tag, as far as it may go, and gives the tag.
    pub(super) fn send_line(&mut self, cx: &mut Cx<Self>, line: Line, why: &'static Rule) -> u32 {
        self.common.tag += 1;
        let tag = self.common.tag;
        cx.send(format!("A{tag}").as_bytes(), "tag", Some(why));
        cx.send(b" ", "SP", None);
        let mut segments: VecDeque<Segment> = line.segments.into();
        if let Some(Segment::Octets(first)) = segments.front() {
            cx.send_parts(first, None, |first| lex::parts(first, Place::Command));
            segments.pop_front();
        }
        self.send_segments(cx, segments);
        tag
    }

    /// Sends what may go; the rest waits in `outgoing`.
    fn send_segments(&mut self, cx: &mut Cx<Self>, mut segments: VecDeque<Segment>) {
        self.common.outgoing = None;
        while let Some(segment) = segments.pop_front() {
            match segment {
                Segment::Octets(octets) => lex::send(cx, &octets, None),
                Segment::Secret(octets) => cx.send_secret(&octets, "secret", None),
                Segment::Literal { octets, secret } => {
                    let size = octets.len() as u64;
                    if !self.begin_literal(cx, size, self.common.offered().takes_unasked(size)) {
                        segments.push_front(Segment::Literal { octets, secret });
                        return self.hold(segments, Stage::Waiting);
                    }
                    put_literal(cx, &octets, secret);
                }
                Segment::Message(message) => {
                    if message.binary {
                        cx.send(b"~", "literal head", None);
                    }
                    let unasked = message.size <= MESSAGE_UNASKED_MAX
                        && self.common.offered().takes_unasked(message.size);
                    if !self.begin_literal(cx, message.size, unasked) {
                        segments.push_front(Segment::Message(message));
                        return self.hold(segments, Stage::Waiting);
                    }
                    return self.hold(segments, Stage::Content(message, 0));
                }
            }
        }
        cx.send(b"\r\n", "CRLF", None);
        cx.sync();
    }

    fn hold(&mut self, segments: VecDeque<Segment>, stage: Stage) {
        self.common.outgoing = Some(Outgoing { segments, stage });
    }

    /// Sends a literal's head, and says whether its octets may follow at once.
    fn begin_literal(&self, cx: &mut Cx<Self>, size: u64, unasked: bool) -> bool {
        let plus = if unasked { "+" } else { "" };
        cx.send(format!("{{{size}{plus}}}\r\n").as_bytes(), "literal head", Some(&LITERAL));
        if !unasked {
            cx.sync();
        }
        unasked
    }

    /// Whether a continuation request is due.
    pub(super) fn waits_for_plus(&self) -> bool {
        let literal =
            matches!(&self.common.outgoing, Some(outgoing) if outgoing.stage == Stage::Waiting);
        let login = match &self.state {
            State::LoggingIn(login) => matches!(**login, Login::Exchanging(_)),
            _ => false,
        };
        literal || login || self.common.idle == Some(Idle::Starting)
    }

    /// Whether octets of a message are to be sent.
    pub(super) fn has_content(&self) -> bool {
        let stage = self.common.outgoing.as_ref().map(|outgoing| outgoing.stage);
        matches!(stage, Some(Stage::Content(..)))
    }

    /// Sends the next octets of a message, in pieces so that time runs only while nothing is written.
    pub(super) fn send_content(mut self, cx: &mut Cx<Self>) -> Self {
        let Some(Outgoing { segments, stage: Stage::Content(message, at) }) =
            self.common.outgoing.take()
        else {
            return self;
        };
        let length = (message.size - at).min(BLOB_PIECE);
        cx.send_blob(BlobRange { blob: message.blob, offset: at, length }, "literal");
        if at + length < message.size {
            self.hold(segments, Stage::Content(message, at + length));
            return self.rest(cx);
        }
        self.send_segments(cx, segments);
        let client = self.rest(cx);
        client.pump(cx)
    }

    /// The server waits for something.
    pub(super) fn continuation(mut self, cx: &mut Cx<Self>, text: &[u8]) -> Self {
        match self.common.outgoing.take() {
            Some(Outgoing { mut segments, stage: Stage::Waiting }) => {
                match segments.pop_front() {
                    Some(Segment::Literal { octets, secret }) => put_literal(cx, &octets, secret),
                    Some(Segment::Message(message)) => {
                        self.hold(segments, Stage::Content(message, 0));
                        return self.rest(cx);
                    }
                    Some(segment) => segments.push_front(segment),
                    None => {}
                }
                self.send_segments(cx, segments);
                let client = self.rest(cx);
                return client.pump(cx);
            }
            other => self.common.outgoing = other,
        }
        match core::mem::replace(&mut self.state, State::Closed) {
            State::LoggingIn(login) => self.challenged(cx, *login, text),
            state => {
                self.state = state;
                self.idling(cx)
            }
        }
    }

    /// The command that was being sent is answered already: nothing more of it is to go out.
    pub(super) fn abandon_outgoing(&mut self, tag: u32) {
        // Only the command sent last can be on its way.
        if tag == self.common.tag
            && let Some(Outgoing { stage: Stage::Waiting, .. }) = self.common.outgoing
        {
            self.common.outgoing = None;
        }
    }
}

fn put_literal(cx: &mut Cx<Client>, octets: &[u8], secret: bool) {
    if secret {
        cx.send_secret(octets, "literal", None);
    } else {
        cx.send(octets, "literal", None);
    }
}

/// `tag`: ours, if it is one.
pub(super) fn tag_number(word: &[u8]) -> Option<u32> {
    let digits: &[u8] = match word {
        [b'A' | b'a', digits @ ..] => digits,
        _ => return None,
    };
    super::scan::number(digits)
}

/// The first word, and what follows it.
pub(super) fn first_word(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().position(|octet| *octet == b' ').unwrap_or(text.len()))
}
