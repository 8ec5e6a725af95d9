//! Looks through the octets of one message for the texts of a SEARCH (RFC 9051 §6.4.4): header
//! sections as decoded fields, text parts with transfer encoding and charset undone; one chunk at a
//! time, until all is known.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use super::program::evaluate;
use crate::imap::types::{HeaderKey, SearchKey};
use crate::limits::CHUNK_MAX;
use crate::message::{Index, Part, PartKind, Span};
use crate::text::find::{self, Finder};
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
        let inside = !texts.is_empty() || !bodies.is_empty();
        let segments = segments(index, size, fields || !texts.is_empty(), inside);
        let at = segments.front().map_or(0, |segment| segment.span.start);
        Self { known, texts, bodies, text_finder, body_finder, segments, at }
    }

    /// The octets to read next; `None` once the answer is known.
    pub(crate) fn next(&mut self, program: &[SearchKey]) -> Option<Span> {
        if evaluate(program, |at, _| self.known.get(at).copied().flatten()).is_some() {
            return None;
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
            }
        }
        if last {
            self.text_finder.cut();
            self.body_finder.cut();
            self.at = self.segments.front().map_or(0, |next| next.span.start);
        } else {
            self.segments.push_front(segment);
        }
        self.note_found();
        Ok(())
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
