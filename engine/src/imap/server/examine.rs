//! Looks through the octets of one message for the texts of a SEARCH (RFC 9051 §6.4.4): header
//! sections as decoded fields, text parts with transfer encoding and charset undone; one chunk at a
//! time, until all is known.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use super::program::{evaluate, is_fuzzy};
use crate::imap::types::{HeaderKey, SearchKey};
use crate::limits::CHUNK_MAX;
use crate::message::{Index, Part, PartKind, Span};
use crate::text::find::{self, Finder};
use crate::text::fuzzy::Matcher;
use crate::text::header::Field;
use crate::text::{charset, header, transfer, words};
use crate::types::Misuse;

/// Octets of one field that are looked at as a field; a longer one is looked at in pieces.
const FIELD_MAX: usize = 64 * 1024;

/// A message that is being looked through.
pub(crate) struct Examination {
    /// What is known of each key, by its place in the program.
    known: Vec<Option<bool>>,
    /// TEXT and BODY keys that are not known, by their places, in the order of their finders'
    /// needles.
    texts: Vec<usize>,
    bodies: Vec<usize>,
    text_finder: Finder,
    body_finder: Finder,
    /// Fuzzy keys, by their places, with what was found for them.
    fuzzy: Vec<(usize, Matcher)>,
    /// Whether it matters how well they fit.
    scored: bool,
    segments: VecDeque<Segment>,
    /// Where the next chunk of the first segment begins.
    at: u64,
}

/// Octets that are read in one way.
struct Segment {
    span: Span,
    reader: Reader,
}

enum Reader {
    Fields { held: Vec<u8>, of: Of },
    Text { transfer: transfer::Decoder, name: Vec<u8>, charset: Option<charset::Decoder> },
}

/// Whose header section it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    /// The message's own: HEADER keys look here.
    Message,
    /// A part's: MIME fields.
    Part,
    /// A message's inside: it is body to the one outside.
    Inner,
}

impl Examination {
    /// `known`: what row and index already said.
    pub(crate) fn new(
        program: &[SearchKey],
        known: Vec<Option<bool>>,
        index: &Index,
        size: u64,
        scored: bool,
    ) -> Self {
        let open = |at: &usize| known.get(*at).is_some_and(Option::is_none);
        let places = |wanted: fn(&SearchKey) -> bool| -> Vec<usize> {
            (0..program.len()).filter(|at| wanted(&program[*at])).filter(open).collect()
        };
        let texts = places(|key| matches!(key, SearchKey::Text(_)));
        let bodies = places(|key| matches!(key, SearchKey::Body(_)));
        let fields = !places(|key| matches!(key, SearchKey::Header(_))).is_empty();
        let needles = |places: &[usize]| {
            Finder::new(places.iter().filter_map(|at| match &program[*at] {
                SearchKey::Text(text) | SearchKey::Body(text) => Some(&text[..]),
                _ => None,
            }))
        };
        let (text_finder, body_finder) = (needles(&texts), needles(&bodies));
        let matcher = |at: usize| match &program[at] {
            SearchKey::FuzzyHeader(HeaderKey { text, .. })
            | SearchKey::FuzzyBody(text)
            | SearchKey::FuzzyText(text) => Some((at, Matcher::new(text))),
            _ => None,
        };
        let fuzzy: Vec<_> = places(is_fuzzy).into_iter().filter_map(matcher).collect();
        let has =
            |wanted: fn(&SearchKey) -> bool| fuzzy.iter().any(|(at, _)| wanted(&program[*at]));
        let fuzzy_texts = has(|key| matches!(key, SearchKey::FuzzyText(_)));
        let fuzzy_bodies = has(|key| matches!(key, SearchKey::FuzzyBody(_)));
        let fields = fields || has(|key| matches!(key, SearchKey::FuzzyHeader(_)));
        let whole = !texts.is_empty() || fuzzy_texts;
        let inside = whole || !bodies.is_empty() || fuzzy_bodies;
        let segments = segments(index, size, fields || whole, inside);
        let at = segments.front().map_or(0, |segment| segment.span.start);
        Self { known, texts, bodies, text_finder, body_finder, fuzzy, scored, segments, at }
    }

    /// The octets to read next; `None` once the answer is known.
    pub(crate) fn next(&mut self, program: &[SearchKey]) -> Option<Span> {
        match evaluate(program, |at, _| self.known.get(at).copied().flatten()) {
            Some(true) if self.scored && !self.fuzzy.iter().all(|(_, one)| one.is_best()) => {}
            Some(_) => return None,
            None => {}
        }
        let segment = self.segments.front()?;
        let end = self.at.saturating_add(CHUNK_MAX as u64).min(segment.span.end);
        Some(Span { start: self.at, end })
    }

    /// Whether the message matches; what was nowhere found is not in it.
    pub(crate) fn verdict(&self, program: &[SearchKey]) -> bool {
        evaluate(program, |at, _| Some(self.known.get(at).copied().flatten().unwrap_or(false)))
            .unwrap_or(false)
    }

    /// How well a fuzzy key fits, of those that were looked for here.
    pub(crate) fn score(&self, place: usize) -> Option<u8> {
        let found = self.fuzzy.iter().find(|(at, _)| *at == place);
        found.and_then(|(_, matcher)| matcher.score())
    }

    /// What is known of a key.
    pub(crate) fn is_met(&self, place: usize) -> bool {
        self.known.get(place).copied().flatten().unwrap_or(false)
    }

    /// The octets that `next` named.
    pub(crate) fn read(&mut self, program: &[SearchKey], octets: &[u8]) -> Result<(), Misuse> {
        let due = self.next(program).map_or(0, Span::length);
        if octets.len() as u64 != due {
            return Err(Misuse::BadValue);
        }
        let Some(mut segment) = self.segments.pop_front() else { return Ok(()) };
        self.at += due;
        let last = self.at >= segment.span.end;
        match &mut segment.reader {
            Reader::Fields { held, of } => {
                held.extend_from_slice(octets);
                let of = *of;
                let whole = if last { held.len() } else { whole_fields(held) };
                let fields: Vec<u8> = held.drain(..whole).collect();
                self.look_at_fields(program, &fields, of);
            }
            Reader::Text { transfer, name, charset } => {
                let mut decoded = Vec::new();
                transfer.decode(octets, &mut decoded);
                if last {
                    transfer.finish(&mut decoded);
                }
                let charset = charset.get_or_insert_with(|| charset::Decoder::new(name, &decoded));
                let mut text = String::new();
                charset.decode(&decoded, last, &mut text);
                self.text_finder.look(&text);
                self.body_finder.look(&text);
                self.look_fuzzily(program, &text, |key| !matches!(key, SearchKey::FuzzyHeader(_)));
            }
        }
        if last {
            self.text_finder.cut();
            self.body_finder.cut();
            self.fuzzy.iter_mut().for_each(|(_, matcher)| matcher.cut());
            self.at = self.segments.front().map_or(0, |next| next.span.start);
        } else {
            self.segments.push_front(segment);
        }
        self.note_found();
        Ok(())
    }

    fn look_fuzzily(
        &mut self,
        program: &[SearchKey],
        text: &str,
        wanted: impl Fn(&SearchKey) -> bool,
    ) {
        for (at, matcher) in &mut self.fuzzy {
            if wanted(&program[*at]) {
                matcher.look(text);
            }
        }
    }

    /// A field is a text of its own: of a key about one field the best one counts.
    fn look_at_field_fuzzily(
        &mut self,
        program: &[SearchKey],
        field: &Field<'_>,
        line: &str,
        of: Of,
    ) {
        for (at, matcher) in &mut self.fuzzy {
            match &program[*at] {
                SearchKey::FuzzyHeader(HeaderKey { name, text })
                    if of == Of::Message && field.is(name) =>
                {
                    let mut own = Matcher::new(text);
                    own.look(line.get(field.name.len()..).unwrap_or_default());
                    own.cut();
                    if own.score() > matcher.score() {
                        *matcher = own;
                    }
                }
                SearchKey::FuzzyText(_) => {
                    matcher.look(line);
                    matcher.cut();
                }
                SearchKey::FuzzyBody(_) if of == Of::Inner => {
                    matcher.look(line);
                    matcher.cut();
                }
                _ => {}
            }
        }
    }

    fn look_at_fields(&mut self, program: &[SearchKey], section: &[u8], of: Of) {
        for field in header::fields(section) {
            let text = words::decode(&field.unfolded());
            if of == Of::Message {
                for (at, key) in program.iter().enumerate() {
                    if let SearchKey::Header(HeaderKey { name, text: wanted }) = key
                        && field.is(name)
                        && self.known[at].is_none()
                    {
                        let needle = find::folded(&String::from_utf8_lossy(wanted));
                        // A field that does not contain it says nothing: another of its name may.
                        self.known[at] = find::contains(&text, &needle).then_some(true);
                    }
                }
            }
            let mut line = String::from_utf8_lossy(field.name).into_owned();
            line.push_str(": ");
            line.push_str(&text);
            self.look_at_field_fuzzily(program, &field, &line, of);
            self.text_finder.look(&line);
            self.text_finder.cut();
            if of == Of::Inner {
                self.body_finder.look(&line);
                self.body_finder.cut();
            }
        }
    }

    fn note_found(&mut self) {
        let found = [(&self.texts, &self.text_finder), (&self.bodies, &self.body_finder)];
        for (places, finder) in found {
            for (needle, at) in places.iter().enumerate() {
                if finder.found(needle) {
                    self.known[*at] = Some(true);
                }
            }
        }
        for (at, matcher) in &self.fuzzy {
            if matcher.score().is_some() {
                self.known[*at] = Some(true);
            }
        }
    }
}

/// How many octets are whole fields: up to the last line that begins one.
fn whole_fields(held: &[u8]) -> usize {
    let begins = |at: &usize| held[at - 1] == b'\n' && !matches!(held[*at], b' ' | b'\t');
    let last = (1..held.len()).rev().find(begins).unwrap_or(0);
    if last == 0 && held.len() > FIELD_MAX { held.len() } else { last }
}

/// What is to be read of a message, in its order.
fn segments(index: &Index, size: u64, header: bool, inside: bool) -> VecDeque<Segment> {
    let mut segments = VecDeque::new();
    let mut add = |span: Span, reader: Reader| {
        let end = span.end.min(size);
        if span.start < end {
            segments.push_back(Segment { span: Span { start: span.start, end }, reader });
        }
    };
    for (at, part) in index.parts.iter().enumerate() {
        let of = match index.parts.get(part.parent as usize) {
            _ if at == 0 => Of::Message,
            Some(parent) if parent.kind == PartKind::Message => Of::Inner,
            _ => Of::Part,
        };
        if (of == Of::Message && header) || (of != Of::Message && inside) {
            add(part.header, Reader::Fields { held: Vec::new(), of });
        }
        if inside && is_text(index, part) {
            let transfer = transfer::Decoder::new(&part.encoding)
                .or_else(|| transfer::Decoder::new(b"8bit"))
                .expect("8bit is known");
            let charset =
                part.parameters.iter().find(|(name, _)| name.eq_ignore_ascii_case(b"charset"));
            let name = charset.map(|(_, value)| value.clone()).unwrap_or_default();
            add(part.body, Reader::Text { transfer, name, charset: None });
        }
    }
    segments
}

/// RFC 9051 §6.4.4: what is neither text nor a message need not be looked at.
fn is_text(index: &Index, part: &Part) -> bool {
    // What a limit left unparsed may hold anything, so it is looked at as it stands.
    let opaque = index.truncated && part.encoding == b"binary";
    part.kind == PartKind::Leaf && (part.media_type.eq_ignore_ascii_case(b"text") || opaque)
}
