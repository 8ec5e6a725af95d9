//! The texts of a message, which are looked through by SEARCH (RFC 9051 §6.4.4): where they stand, and how their octets
//! become text. Who looks through them, and for what, is left to SEARCH and to whoever keeps a full-text index.

use alloc::string::String;
use alloc::vec::Vec;

use super::{AddressRef, Index, Part, PartKind, Span};
use crate::limits::CHUNK_MAX;
use crate::text::find::folded;
use crate::text::header::Field;
use crate::text::unicode::is_combining_mark;
use crate::text::{charset, header, transfer, words};

/// Octets of one field that are looked at as a field; a longer one is looked at in pieces.
const FIELD_MAX: usize = 64 * 1024;

/// Octets that are read in one way.
pub(crate) struct Segment {
    pub(crate) span: Span,
    reader: Reader,
}

enum Reader {
    Fields { held: Vec<u8>, of: Of },
    Text { transfer: transfer::Decoder, name: Vec<u8>, charset: Option<charset::Decoder> },
}

/// Whose header section it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    /// The message's own: HEADER keys look here.
    Message,
    /// A part's: MIME fields.
    Part,
    /// A message's inside: it is body to the one outside.
    Inner,
}

/// What came of octets.
pub(crate) enum Read {
    /// Whole fields, as they stand.
    Fields(Vec<u8>, Of),
    /// A piece of a text.
    Text(String),
}

impl Segment {
    /// Its next octets, up to [`CHUNK_MAX`]; `last`: they are its end.
    pub(crate) fn read(&mut self, octets: &[u8], last: bool) -> Read {
        match &mut self.reader {
            Reader::Fields { held, of } => {
                held.extend_from_slice(octets);
                let whole = if last { held.len() } else { whole_fields(held) };
                Read::Fields(held.drain(..whole).collect(), *of)
            }
            Reader::Text { transfer, name, charset } => {
                let mut decoded = Vec::new();
                transfer.decode(octets, &mut decoded);
                if last {
                    transfer.finish(&mut decoded);
                }
                let mut text = String::new();
                let charset = charset.get_or_insert_with(|| charset::Decoder::new(name));
                charset.decode(&decoded, last, &mut text);
                Read::Text(text)
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

/// What is to be read of a message, in its order: its header section, what is inside it, or both.
pub(crate) fn segments(
    index: &Index,
    size: u64,
    header: bool,
    inside: bool,
) -> impl Iterator<Item = Segment> {
    let mut segments = Vec::new();
    let mut add = |span: Span, reader: Reader| {
        let end = span.end.min(size);
        if span.start < end {
            segments.push(Segment { span: Span { start: span.start, end }, reader });
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
    // Behind the last part that is known there may be more, which nobody read.
    let leaves = index.parts.iter().filter(|part| part.kind == PartKind::Leaf);
    if let Some(start) =
        leaves.map(|part| part.body.end).max().filter(|_| inside && index.truncated)
    {
        let transfer = transfer::Decoder::new(b"8bit").expect("8bit is known");
        let (span, name) = (Span { start, end: size }, Vec::new());
        add(span, Reader::Text { transfer, name, charset: None });
    }
    segments.into_iter()
}

/// RFC 9051 §6.4.4: what is neither text nor a message need not be looked at.
fn is_text(index: &Index, part: &Part) -> bool {
    // What a limit left unparsed may hold anything, so it is looked at as it stands.
    let is_message = part.media_type.eq_ignore_ascii_case(b"message");
    let opaque = index.truncated && (part.encoding == b"binary" || is_message);
    part.kind == PartKind::Leaf && (part.media_type.eq_ignore_ascii_case(b"text") || opaque)
}

/// A field as SEARCH sees it: `Name: value`, decoded.
pub(crate) fn line(field: &Field<'_>, value: &str) -> String {
    let mut line = String::from_utf8_lossy(field.name).into_owned();
    line.push_str(": ");
    line.push_str(value);
    line
}

/// An address as SEARCH sees it: `name <mailbox@host>`, decoded.
pub(crate) fn address_text(address: AddressRef<'_>) -> String {
    let AddressRef { name, mailbox, host } = address;
    let mut text = name.map(words::decode).unwrap_or_default();
    if let Some(mailbox) = mailbox {
        text.push_str(if text.is_empty() { "<" } else { " <" });
        text.push_str(&words::decode(mailbox));
        if let Some(host) = host {
            text.push('@');
            text.push_str(&words::decode(host));
        }
        text.push('>');
    }
    text
}

/// What SEARCH sees of an envelope, text by text.
fn of_envelope(index: &Index) -> impl Iterator<Item = String> + '_ {
    let envelope = &index.envelope;
    let lists = [&envelope.from, &envelope.to, &envelope.cc, &envelope.bcc];
    let addresses = lists.into_iter().flatten().map(|address| address_text(address.into()));
    let subject = envelope.subject.iter().map(|subject| words::decode(subject));
    subject.chain(addresses)
}

/// Where the texts of a message stand: all that SEARCH ever looks at.
#[must_use]
pub fn spans(index: &Index, size: u64) -> Vec<Span> {
    segments(index, size, true, true).map(|segment| segment.span).collect()
}

/// The texts of a message in the form in which they are compared (`text::find::folded`), one to a line; `octets` are those
/// of its [`spans`], one after the other.
///
/// What SEARCH finds in the message or its envelope stands in this text in one piece. What has marks on its letters follows without them
/// too, since fuzzy matching takes no notice of them.
#[must_use]
pub fn searchable(index: &Index, size: u64, octets: &[u8]) -> String {
    let mut out = String::new();
    for text in of_envelope(index) {
        out.push_str(&folded(&text));
        out.push('\n');
    }
    put_bare(&mut out, 0);
    let mut rest = octets;
    for mut segment in segments(index, size, true, true) {
        let length = usize::try_from(segment.span.length()).unwrap_or(usize::MAX).min(rest.len());
        let (own, others) = rest.split_at(length);
        rest = others;
        let from = out.len();
        // As the search of a session does it, so that charsets are guessed alike and long fields are cut alike.
        let mut chunks = own.chunks(CHUNK_MAX).peekable();
        while let Some(chunk) = chunks.next() {
            let last = chunks.peek().is_none();
            match segment.read(chunk, last) {
                Read::Text(text) => out.push_str(&folded(&text)),
                Read::Fields(section, _) => {
                    for field in header::fields(&section) {
                        let value = words::decode(&field.unfolded());
                        out.push_str(&folded(&line(&field, &value)));
                        out.push('\n');
                    }
                }
            }
        }
        out.push('\n');
        put_bare(&mut out, from);
    }
    out
}

/// What has marks on its letters, from there on, once more without them.
fn put_bare(out: &mut String, from: usize) {
    if !out[from..].is_ascii() && out[from..].chars().any(is_combining_mark) {
        let bare: String = out[from..].chars().filter(|c| !is_combining_mark(*c)).collect();
        out.push_str(&bare);
    }
}
