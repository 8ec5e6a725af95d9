//! Follows a conversation between two others from outside: what each octet of both sides is, by the parsers that read it for
//! a session of ours, whose turn it is, and how far they are. It judges nobody: a side that breaks the rules is shown as it
//! is, and what cannot be read is `unparsed`.
//!
//! Octets are given in the order in which they travelled, in pieces of any size; what is told of them does not depend on how
//! they were cut. Each is told once, in order, with spans that cover it without a gap. What waits for the rest of its line,
//! or for the other side, is bounded by [`WAITING_MAX`]; a message's octets do not wait.

mod meaning;
mod watch;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::expected::Form;
use crate::role::{Cx, Line, LineFault};
use crate::session::Output;
use crate::trace::{Note, Rule, Side, Span};
use crate::{imap, pop3, smtp};

pub(crate) use meaning::row;
pub(crate) use watch::Watch;

/// Octets of a line; a longer one is told in pieces of this length, none of which is parsed.
pub const LINE_MAX: usize = 64 << 10;
/// Octets of a client that has to wait for its server and does not; beyond them it is read on as if it had been answered.
pub const WAITING_MAX: usize = 2 * LINE_MAX;
/// Commands that are not answered; of more, the first are forgotten.
pub(crate) const PENDING_MAX: usize = 1000;

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// SMTP and submission.
    Smtp,
    /// POP3.
    Pop3,
    /// IMAP, of both revisions.
    Imap,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// Who asks.
    Client,
    /// Who answers.
    Server,
}

impl Party {
    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// What a line is in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A command, or what should be one.
    Command,
    /// A line of an answer.
    Reply,
    /// A line of an answer that names something that the server can do.
    Capability,
    /// A line of a message, of a list, of a literal, or behind a literal.
    Text,
    /// The dot that ends those.
    End,
    /// A step of a login.
    Response,
}

/// A line of one side, or a part of a line where a literal ends in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Who said it.
    pub party: Party,
    /// Where it begins among all that this side said.
    pub start: u64,
    /// It, with its line end.
    pub octets: Vec<u8>,
    /// What its octets are, in order, without a gap. Their side is [`Side::Received`]: they are as whoever reads them has them.
    pub spans: Vec<Span>,
    /// What it is as a whole.
    pub kind: Kind,
    /// What it means, where there is a word for it.
    pub form: Option<&'static Form>,
    /// What else can be said of it, each a sentence.
    pub also: Vec<String>,
    /// The states before and after, by their RFC names, if it led to another one.
    pub state: Option<(&'static str, &'static str)>,
}

impl Heard {
    /// It without its line end, and with `mask` in place of what nobody may see.
    #[must_use]
    pub fn shown(&self, mask: &[u8]) -> Vec<u8> {
        let line = self.octets.strip_suffix(b"\n").unwrap_or(&self.octets);
        let length = line.strip_suffix(b"\r").unwrap_or(line).len();
        let place = |offset: u64| {
            usize::try_from(offset.saturating_sub(self.start)).unwrap_or(usize::MAX).min(length)
        };
        let (mut shown, mut masked) = (Vec::new(), false);
        for span in &self.spans {
            let octets = &self.octets[place(span.start)..place(span.end)];
            if octets.is_empty() {
                continue;
            }
            if !span.secret {
                shown.extend_from_slice(octets);
            } else if !masked {
                shown.extend_from_slice(mask);
            }
            masked = span.secret;
        }
        shown
    }

    /// What it means, as sentences with their sections; none of what explains itself.
    #[must_use]
    pub fn meaning(&self) -> Vec<String> {
        self.form.map(meaning::sentence).into_iter().chain(self.also.iter().cloned()).collect()
    }
}

/// How the next piece of a side is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// A line.
    Line,
    /// So many octets, whatever they are, up to the end of a line in them.
    Octets(u64),
}

/// What a follower says of a piece.
pub(crate) struct Read {
    pub(crate) kind: Kind,
    pub(crate) form: Option<&'static Form>,
    pub(crate) also: Vec<String>,
}

impl Read {
    pub(crate) fn new(kind: Kind, form: Option<&'static Form>) -> Self {
        Self { kind, form, also: Vec::new() }
    }
}

/// Follows one protocol.
pub(crate) trait Follow {
    /// How the next piece of this side is cut; none while it waits for the other.
    fn cut(&self, party: Party) -> Option<Cut>;
    /// Takes a piece, and notes all of it.
    fn take(&mut self, cx: &mut Cx<Watch>, party: Party, line: &Line) -> Read;
    /// The client does not wait.
    fn hurry(&mut self);
    /// TLS is up, or the conversation begins behind its greeting.
    fn secured(&mut self);
    /// Whose turn it is.
    fn turn(&self) -> Party;
    /// Whether the last answer was a good one.
    fn is_good(&self) -> bool;
    /// The state, by its RFC name.
    fn state(&self) -> &'static str;
}

/// Octets of one side that were not read yet.
#[derive(Default)]
struct Waiting {
    octets: Vec<u8>,
    /// Of those, how many were read.
    read: usize,
    /// Of the rest, how many hold no line end.
    searched: usize,
    /// Where the rest begins among all of this side's.
    start: u64,
    /// What begins here is the rest of a line that is too long: what it is, and whether nobody may see it.
    rest_of: Option<(Kind, bool)>,
    has_ended: bool,
}

/// A conversation.
pub struct Observer {
    follow: Box<dyn Follow + Send>,
    client: Waiting,
    server: Waiting,
}

impl Observer {
    /// One that begins with the server's greeting.
    #[must_use]
    pub fn new(protocol: Protocol) -> Self {
        let follow: Box<dyn Follow + Send> = match protocol {
            Protocol::Smtp => Box::<smtp::Following>::default(),
            Protocol::Pop3 => Box::<pop3::Following>::default(),
            Protocol::Imap => Box::<imap::Following>::default(),
        };
        Self { follow, client: Waiting::default(), server: Waiting::default() }
    }

    /// From here on it is another layer's, such as TLS after STARTTLS: what waits counts for nothing, there is no greeting,
    /// and the client begins.
    pub fn secured(&mut self) {
        for waiting in [&mut self.client, &mut self.server] {
            waiting.start += waiting.rest().len() as u64;
            waiting.octets.clear();
            (waiting.read, waiting.searched, waiting.rest_of) = (0, 0, None);
        }
        self.follow.secured();
    }

    /// Takes octets of one side, all of them, and tells what became whole by them, of both sides.
    pub fn hear(&mut self, party: Party, octets: &[u8]) -> Vec<Heard> {
        self.waiting(party).octets.extend_from_slice(octets);
        self.follow()
    }

    /// One side says nothing more: what it left unfinished is told.
    pub fn end(&mut self, party: Party) -> Vec<Heard> {
        self.waiting(party).has_ended = true;
        self.follow()
    }

    /// Whose turn it is: a side that has something to finish or to answer.
    #[must_use]
    pub fn turn(&self) -> Party {
        self.follow.turn()
    }

    /// Whether the last answer was a good one.
    #[must_use]
    pub fn last_is_good(&self) -> bool {
        self.follow.is_good()
    }

    /// How far the conversation is, as a server of ours would call it.
    #[must_use]
    pub fn state(&self) -> &'static str {
        self.follow.state()
    }

    /// Whether nothing of this side waits for its rest.
    #[must_use]
    pub fn is_between(&self, party: Party) -> bool {
        match party {
            Party::Client => self.client.rest().is_empty(),
            Party::Server => self.server.rest().is_empty(),
        }
    }

    fn waiting(&mut self, party: Party) -> &mut Waiting {
        match party {
            Party::Client => &mut self.client,
            Party::Server => &mut self.server,
        }
    }

    fn follow(&mut self) -> Vec<Heard> {
        let mut heard = Vec::new();
        // What a client says without waiting is read before the answers to it.
        while let Some(one) = self.next(Party::Client).or_else(|| self.next(Party::Server)) {
            heard.push(one);
        }
        self.client.compact();
        self.server.compact();
        heard
    }

    fn next(&mut self, party: Party) -> Option<Heard> {
        let mut cut = self.follow.cut(party);
        if self.waiting(party).rest_of.is_some() {
            cut = Some(Cut::Line);
        } else if cut.is_none() {
            let waiting = self.waiting(party);
            let is_full = waiting.rest().len() >= WAITING_MAX;
            if waiting.rest().is_empty() || !(is_full || waiting.has_ended) {
                return None;
            }
            self.follow.hurry();
            cut = self.follow.cut(party);
        }
        let waiting = self.waiting(party);
        let (line, length) = waiting.line(cut?)?;
        let octets = waiting.rest()[..length].to_vec();
        let rest_of = waiting.rest_of.take();
        waiting.pass(length);
        let goes_on = cut == Some(Cut::Line) && !octets.ends_with(b"\n");
        let (before, start) = (self.follow.state(), line.start);
        let mut cx = watch::context(line.end);
        let Read { kind, form, also } = match rest_of {
            None => self.follow.take(&mut cx, party, &line),
            Some((kind, secret)) => {
                let label = if kind == Kind::Text { "text line" } else { "unparsed" };
                match secret {
                    true => cx.note_secret(line.start, line.end, label),
                    false => cx.note_received(line.start, line.end, label, None),
                }
                Read::new(kind, None)
            }
        };
        let noted = watch::spans(&mut cx).into_iter().map(|span| named(span, kind, start, &octets));
        let spans = covering(noted, start, start + length as u64);
        if goes_on {
            let secret = spans.iter().any(|span| span.secret);
            self.waiting(party).rest_of = Some((kind, secret));
        }
        let after = self.follow.state();
        let state = (before != after).then_some((before, after));
        Some(Heard { party, start, octets, spans, kind, form, also, state })
    }
}

impl Waiting {
    fn rest(&self) -> &[u8] {
        self.octets.get(self.read..).unwrap_or_default()
    }

    /// The next piece, and how many octets it has: a line whose CR is missing has one less than it says.
    fn line(&mut self, cut: Cut) -> Option<(Line, usize)> {
        let (start, is_rest, has_ended) = (self.start, self.rest_of.is_some(), self.has_ended);
        let searched = self.searched;
        let rest = self.rest();
        let max = match cut {
            Cut::Line => LINE_MAX,
            Cut::Octets(left) => usize::try_from(left).unwrap_or(usize::MAX).min(LINE_MAX),
        };
        let within = &rest[..rest.len().min(max)];
        let from = searched.min(within.len());
        let found = memchr::memchr(b'\n', &within[from..]).map(|at| from + at + 1);
        let length = match found {
            Some(end) => end,
            None if !within.is_empty() && (within.len() == max || has_ended) => within.len(),
            None => {
                self.searched = within.len();
                return None;
            }
        };
        if cut != Cut::Line {
            let octets = within[..length].to_vec();
            return Some((Line { octets, start, end: start + length as u64, fault: None }, length));
        }
        let whole = &within[..length];
        let text = whole.strip_suffix(b"\n").unwrap_or(whole);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let fault = match text {
            _ if is_rest || found.is_none() => Some(LineFault::TooLong),
            _ if text.contains(&0) => Some(LineFault::Nul),
            _ if text.contains(&b'\r') => Some(LineFault::BareCr),
            _ => None,
        };
        // Whoever reads a line counts two octets for its end. One that has less is put up with, and told as it is.
        let end = start + if fault.is_none() { text.len() + 2 } else { length } as u64;
        Some((Line { octets: text.to_vec(), start, end, fault }, length))
    }

    fn pass(&mut self, length: usize) {
        self.read += length;
        self.searched = 0;
        self.start += length as u64;
    }

    fn compact(&mut self) {
        self.octets.drain(..self.read.min(self.octets.len()));
        self.read = 0;
    }
}

/// A span by the name that it has in its place: a line of EHLO's answer names something, and what is missing behind a space
/// makes no secret of the space.
fn named(span: Span, kind: Kind, start: u64, octets: &[u8]) -> Span {
    let place = |offset: u64| usize::try_from(offset.saturating_sub(start)).unwrap_or(usize::MAX);
    let is_space = || {
        let within = octets.get(place(span.start)..place(span.end)).unwrap_or_default();
        !within.is_empty() && within.iter().all(|octet| *octet == b' ')
    };
    match span.label {
        "reply text" if kind == Kind::Capability => Span { label: "ehlo keyword", ..span },
        "unparsed" if is_space() => Span { label: "SP", secret: false, why: None, ..span },
        _ => span,
    }
}

/// Spans as they were noted, cut to what they are about; what nobody noted is not parsed.
fn covering(noted: impl Iterator<Item = Span>, start: u64, end: u64) -> Vec<Span> {
    let span = |start, end, label, secret, why: Option<&'static Rule>| Span {
        side: Side::Received,
        start,
        end,
        label,
        secret,
        why,
    };
    let (mut spans, mut at) = (Vec::new(), start);
    for one in noted {
        let (from, to) = (one.start.max(at), one.end.min(end));
        if from >= to {
            continue;
        }
        if at < from {
            spans.push(span(at, from, "unparsed", false, None));
        }
        spans.push(span(from, to, one.label, one.secret, one.why));
        at = to;
    }
    if at < end {
        spans.push(span(at, end, "unparsed", false, None));
    }
    spans
}

/// Notes a line of a message's text, with the dot that was put before another one (RFC 5321 §4.5.2, RFC 1939 §3); true if it
/// is the dot that ends the text.
pub(crate) fn note_text(cx: &mut Cx<Watch>, line: &Line, why: &'static Rule) -> bool {
    if line.octets == b"." && line.fault.is_none() {
        cx.note_received(line.start, line.end, "end of data", Some(why));
        return true;
    }
    let dot = u64::from(line.octets.first() == Some(&b'.'));
    cx.note_received(line.start, line.start + dot, "stuffed dot", Some(why));
    cx.note_received(line.start + dot, line.end, "text line", None);
    false
}

/// Notes a step of a login: a client that gives up says so, and all else nobody may see.
pub(crate) fn note_response(cx: &mut Cx<Watch>, line: &Line, label: &'static str) -> bool {
    let end = if line.fault.is_none() { line.end - 2 } else { line.end };
    let gives_up = line.octets == b"*";
    if gives_up {
        cx.note_received(line.start, end, "cancellation", None);
    } else {
        cx.note_secret(line.start, end, label);
    }
    cx.note_received(end, line.end, "CRLF", None);
    gives_up
}

impl Observer {
    /// The labels and texts of what was heard, for tests.
    #[cfg(test)]
    fn spans_of(heard: &[Heard]) -> Vec<(&'static str, String)> {
        let of = |one: &Heard| {
            let text = |span: &Span| {
                let place = |offset: u64| (offset - one.start) as usize;
                let octets = &one.octets[place(span.start)..place(span.end)];
                (span.label, String::from_utf8_lossy(octets).into_owned())
            };
            one.spans.iter().map(text).collect::<Vec<_>>()
        };
        heard.iter().flat_map(of).collect()
    }
}

#[cfg(test)]
mod tests;
