//! Cuts what the server says into lines and literals before any grammar, so that nothing in a literal is ever read as a
//! response. Literals of messages go to the host as they come; all others are gathered, up to a limit.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::fetched::{Section, url_body};
use super::scan::{Piece, number};
use super::status::Status;
use super::types::{Ask, BodyChunk, Cause, Event, Failure};
use super::{Client, State};
use crate::imap::grammar::lex::{self, Place};
use crate::imap::grammar::secret_of_url;
use crate::limits::CHUNK_MAX;
use crate::role::{Cx, Line, LineFault, Role};
use crate::trace::{Part, Rule};

/// RFC 9051 §2.2.2.
pub(in crate::imap) const RESPONSE: Rule = Rule {
    rfc: 9051,
    section: "2.2.2",
    gist: "A response begins with a star if it is data, with a plus if the server waits, or with the tag of a command.",
};
/// RFC 9051 §4.3.
pub(in crate::imap) const LITERAL: Rule = Rule {
    rfc: 9051,
    section: "4.3",
    gist: "A line that ends with a number in braces goes on with so many octets, whatever they are, and then a line.",
};

/// What each line of a response costs beside its octets, so that empty ones are bounded too.
const LINE_COST: usize = 32;
/// Octets at a line's end in which the name of a section is looked for.
const SECTION_MAX: usize = 2048;

/// A response being gathered.
#[derive(Default)]
pub(super) struct Response {
    pub(super) pieces: Vec<Piece>,
    /// Octets of its lines so far, and what they cost.
    text: usize,
    /// Octets of its literals that were kept.
    literals: u64,
    /// It is larger than it may be: what belongs to it is read and dropped.
    failed: bool,
    /// The UID that it told so far, if it is a FETCH response.
    uid: u32,
}

/// What of a response is due next.
pub(super) enum Input {
    /// Its first line.
    Between,
    /// A line behind a literal.
    Line(Box<Response>),
    /// So many octets of a literal.
    Literal(Box<Response>, u64),
    /// So many octets of a body.
    Body(Box<Response>, Body, u64),
    /// The host's answer to a chunk of a body, of which so many octets are left.
    Chunk(Box<Response>, Body, u64),
    /// The host's answer to a chunk of a body that stood in a line; then those behind it, and what else was told.
    Strings(Option<Vec<u8>>, VecDeque<BodyChunk>, VecDeque<Event>),
}

/// A body on its way to the host.
pub(super) struct Body {
    /// Where it belongs, without octets.
    head: BodyChunk,
    /// The host takes no more of it.
    dropped: bool,
}

impl Client {
    /// A line came.
    pub(super) fn line_came(
        mut self,
        cx: &mut Cx<Self>,
        mut response: Response,
        line: Line,
    ) -> Self {
        if matches!(line.fault, Some(LineFault::TooLong | LineFault::Foreign)) {
            // What its end said is not known: were it a literal's head, its octets would be read as responses.
            cx.note_received(line.start, line.end, "unparsed", Some(&RESPONSE));
            self.defect(cx, "A line is longer than this host takes.");
            return self.lost(cx, Failure::ours(Cause::TooLarge, "A line is too long"));
        }
        // Words for people may end as a literal's head does, and mean nothing by it.
        let words = response.pieces.is_empty() && !response.failed && is_status(&line.octets);
        let (text, size) = if words { (&line.octets[..], None) } else { split_head(&line.octets) };
        let length = text.len();
        let challenge = matches!(self.state, State::LoggingIn(_)) && line.octets.starts_with(b"+");
        note_line(cx, &line, length, response.pieces.is_empty(), challenge);
        let max = self.line_max();
        response.text += length + LINE_COST;
        if response.text > max.saturating_add(LINE_COST * 1000) {
            response.failed = true;
        }
        if !response.failed {
            // Lines may be long: the line itself is kept, and no copy of it.
            let mut text = line.octets;
            text.truncate(length);
            response.uid = uid_told(&text).unwrap_or(response.uid);
            response.pieces.push(Piece::Text(text));
        }
        let Some(size) = size else {
            let client = self.rest(cx);
            return client.response_came(cx, response);
        };
        let body = if response.failed { None } else { self.body(&response) };
        if let Some(mut head) = body {
            if size > self.common.config.limits.message_max {
                // Only its end would end it, and to wait for that is what a limit is against.
                let text = "A body is larger than this host takes";
                return self.lost(cx, Failure::ours(Cause::TooLarge, text));
            }
            head.size = size;
            response.pieces.push(Piece::Body);
            *self.input = Input::Body(Box::new(response), Body { head, dropped: false }, size);
            return self.rest(cx);
        }
        let total = response.literals.saturating_add(size);
        if total > u64::from(self.common.config.limits.literals_max) {
            response.failed = true;
        }
        if !response.failed {
            response.literals = total;
            response.pieces.push(Piece::Literal(Vec::new()));
        }
        *self.input = Input::Literal(Box::new(response), size);
        self.rest(cx)
    }

    /// Octets of a literal came.
    pub(super) fn literal_came(
        mut self,
        cx: &mut Cx<Self>,
        mut response: Box<Response>,
        left: u64,
        octets: Vec<u8>,
    ) -> Self {
        let start = cx.received().saturating_sub(octets.len() as u64);
        if response.holds_urls() {
            cx.note_secret(start, cx.received(), "literal");
        } else {
            cx.note_received(start, cx.received(), "literal", Some(&LITERAL));
        }
        if !response.failed
            && let Some(Piece::Literal(held)) = response.pieces.last_mut()
        {
            held.extend_from_slice(&octets);
        }
        let left = left.saturating_sub(octets.len() as u64);
        *self.input =
            if left == 0 { Input::Line(response) } else { Input::Literal(response, left) };
        self.rest(cx)
    }

    /// Octets of a body came.
    pub(super) fn body_came(
        mut self,
        cx: &mut Cx<Self>,
        response: Box<Response>,
        body: Body,
        left: u64,
        octets: Vec<u8>,
    ) -> Self {
        let start = cx.received().saturating_sub(octets.len() as u64);
        cx.note_received(start, cx.received(), "literal", Some(&LITERAL));
        let left = left.saturating_sub(octets.len() as u64);
        if body.dropped {
            return self.chunk_answered(cx, response, body, left, false);
        }
        cx.ask(Ask::Chunk(BodyChunk { octets, last: left == 0, ..body.head.clone() }));
        *self.input = Input::Chunk(response, body, left);
        self.rest(cx)
    }

    /// The host has the octets, or does not want them.
    pub(super) fn chunk_answered(
        mut self,
        cx: &mut Cx<Self>,
        response: Box<Response>,
        mut body: Body,
        left: u64,
        taken: bool,
    ) -> Self {
        body.dropped |= !taken;
        *self.input =
            if left == 0 { Input::Line(response) } else { Input::Body(response, body, left) };
        self.rest(cx)
    }

    /// Gives the host bodies that stood in a line, and then what else was told.
    pub(super) fn tell_bodies(
        mut self,
        cx: &mut Cx<Self>,
        bodies: Vec<BodyChunk>,
        events: VecDeque<Event>,
    ) -> Self {
        let mut strings = VecDeque::new();
        for body in bodies {
            let length = body.octets.len();
            let mut at = 0;
            loop {
                let end = (at + CHUNK_MAX).min(length);
                let (octets, last) = (body.octets[at..end].to_vec(), end == length);
                let BodyChunk { number, uid, binary, origin, size, .. } = body;
                let (section, url) = (body.section.clone(), body.url.clone());
                strings.push_back(BodyChunk {
                    number,
                    uid,
                    section,
                    url,
                    binary,
                    origin,
                    size,
                    octets,
                    last,
                });
                if last {
                    break;
                }
                at = end;
            }
        }
        *self.input = Input::Between;
        self.next_string(cx, strings, events)
    }

    fn next_string(
        mut self,
        cx: &mut Cx<Self>,
        mut strings: VecDeque<BodyChunk>,
        events: VecDeque<Event>,
    ) -> Self {
        match strings.pop_front() {
            Some(chunk) => {
                let url = chunk.url.clone();
                cx.ask(Ask::Chunk(chunk));
                *self.input = Input::Strings(url, strings, events);
            }
            None => events.into_iter().for_each(|event| cx.event(event)),
        }
        self.rest(cx)
    }

    /// The host has a chunk of a body that stood in a line; of one that it does not want nothing more is given.
    pub(super) fn strings_answered(
        self,
        cx: &mut Cx<Self>,
        url: Option<Vec<u8>>,
        mut strings: VecDeque<BodyChunk>,
        events: VecDeque<Event>,
        taken: bool,
    ) -> Self {
        if !taken {
            strings.retain(|other| url.is_some() && other.url != url);
        }
        self.next_string(cx, strings, events)
    }

    /// The body whose literal comes next, if it is one.
    fn body(&self, response: &Response) -> Option<BodyChunk> {
        let (Some(Piece::Text(first)), State::Open) = (response.pieces.first(), &self.state) else {
            return None;
        };
        let mut words = first.split(|octet| *octet == b' ').filter(|word| !word.is_empty());
        let (star, number_word) = (words.next()?, words.next()?);
        if star == b"*" && number_word.eq_ignore_ascii_case(b"URLFETCH") {
            return url_body(&response.pieces);
        }
        let message = number(number_word)?;
        let verb = words.next()?.split(|octet| *octet == b'(').next().unwrap_or_default();
        let (message, uid) = match &verb.to_ascii_uppercase()[..] {
            b"FETCH" => (message, response.uid),
            b"UIDFETCH" => (0, message),
            _ => return None,
        };
        if star != b"*" {
            return None;
        }
        let Some(Piece::Text(last)) = response.pieces.last() else { return None };
        let name = last[last.len().saturating_sub(SECTION_MAX)..].to_ascii_uppercase();
        let section = Section::at_end(&name)?;
        Some(section.chunk(message, uid, Vec::new()))
    }

    /// A response is whole.
    fn response_came(mut self, cx: &mut Cx<Self>, response: Response) -> Self {
        *self.input = Input::Between;
        if response.failed {
            self.common.incomplete = true;
            self.defect(cx, "A response is larger than this host takes; it was dropped.");
            return self;
        }
        let Some(Piece::Text(first)) = response.pieces.first() else { return self };
        match first.as_slice() {
            [b'*', b' ', ..] => self.untagged(cx, response.pieces),
            [b'+'] => self.continuation(cx, b""),
            [b'+', b' ', text @ ..] => {
                let text = text.to_vec();
                self.continuation(cx, &text)
            }
            _ => {
                let first = first.clone();
                self.tagged(cx, &first)
            }
        }
    }
}

/// Notes what a line of a response is made of, the first one or one behind a literal; `text` octets of it come before the
/// head of a literal. What a server asks for in a login may hold what must not be shown.
pub(in crate::imap) fn note_line<R: Role>(
    cx: &mut Cx<R>,
    line: &Line,
    text: usize,
    first: bool,
    challenge: bool,
) {
    if !cx.tracing() {
        return;
    }
    let end = line.end.saturating_sub(2);
    let text_end = line.start + text as u64;
    let place = if first { Place::Response } else { Place::Inside };
    let mut why = first.then_some(&RESPONSE);
    for Part { start, end, label } in lex::parts(&line.octets[..text], place) {
        let word = &line.octets[start..end];
        let (start, end) = (line.start + start as u64, line.start + end as u64);
        if challenge && label == "text" {
            cx.note_secret(start, end, "challenge");
        } else if holds_token(word) {
            // RFC 4467 §2.5: whoever knows it can use it.
            cx.note_secret(start, end, label);
        } else {
            cx.note_received(start, end, label, why.take());
        }
    }
    // The head of a literal has the line end in it: the line is not over.
    if text_end < end {
        cx.note_received(text_end, line.end, "literal head", Some(&LITERAL));
    } else {
        cx.note_received(end, line.end, "CRLF", None);
    }
}

/// Whether a word is a URL with a token.
pub(in crate::imap) fn holds_token(word: &[u8]) -> bool {
    secret_of_url(word) < word.len()
}

impl Response {
    /// Whether its literals may be URLs with tokens.
    fn holds_urls(&self) -> bool {
        matches!(self.pieces.first(), Some(Piece::Text(first)) if tells_urls(first))
    }
}

/// Whether literals of a response that begins so may be URLs with tokens.
pub(in crate::imap) fn tells_urls(first: &[u8]) -> bool {
    let name = first.split(|octet| *octet == b' ').nth(1).unwrap_or_default();
    [&b"GENURLAUTH"[..], b"URLFETCH"].iter().any(|word| word.eq_ignore_ascii_case(name))
}

/// Whether a line that begins a response is a status, or a continuation.
pub(in crate::imap) fn is_status(line: &[u8]) -> bool {
    let (_, rest) = super::sending::first_word(line);
    line.starts_with(b"+") || Status::read(rest).is_some()
}

/// Takes `{n}` or `~{n}` off the end of a line; a server that writes `{n+}` means the same.
pub(in crate::imap) fn split_head(line: &[u8]) -> (&[u8], Option<u64>) {
    let head = || {
        let inside = line.strip_suffix(b"}")?;
        let open = inside.iter().rposition(|octet| *octet == b'{')?;
        let digits = &inside[open + 1..];
        let size = super::scan::number64(digits.strip_suffix(b"+").unwrap_or(digits))?;
        let before = &line[..open];
        Some((before.strip_suffix(b"~").unwrap_or(before), size))
    };
    head().map_or((line, None), |(text, size)| (text, Some(size)))
}

/// `UID n` in the text of a FETCH response, outside of strings.
fn uid_told(text: &[u8]) -> Option<u32> {
    let mut quoted = false;
    let mut at = 0;
    while let Some(&octet) = text.get(at) {
        match octet {
            b'\\' if quoted => at += 1,
            b'"' => quoted = !quoted,
            b' ' | b'(' if !quoted => {
                let rest = &text[at + 1..];
                if let Some((word, digits)) = rest.split_at_checked(4)
                    && word.eq_ignore_ascii_case(b"UID ")
                {
                    let end = digits.iter().position(|octet| !octet.is_ascii_digit());
                    if let Some(uid) = number(&digits[..end.unwrap_or(digits.len())]) {
                        return Some(uid);
                    }
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_of_literals_are_read() {
        let cases = [
            (&b"* 1 FETCH (BODY[] {3}"[..], (&b"* 1 FETCH (BODY[] "[..], Some(3))),
            (b"* X ~{0}", (b"* X ", Some(0))),
            (b"* X {5+}", (b"* X ", Some(5))),
            (b"* X {}", (b"* X {}", None)),
            (b"* X {1x}", (b"* X {1x}", None)),
            (b"* X {99999999999999999999}", (b"* X {99999999999999999999}", None)),
            (b"{7}", (b"", Some(7))),
        ];
        for (line, expected) in cases {
            assert_eq!(split_head(line), expected, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn a_uid_is_found_outside_of_strings() {
        assert_eq!(uid_told(b"* 3 FETCH (UID 17 BODY[] "), Some(17));
        assert_eq!(uid_told(b" FLAGS () uid 5)"), Some(5));
        assert_eq!(uid_told(b"* 3 FETCH (BODY[1] \"( UID 4\" X"), None);
        assert_eq!(uid_told(b"* 3 FETCH (UID x"), None);
    }
}
