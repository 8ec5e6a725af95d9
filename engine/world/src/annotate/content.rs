//! The header and MIME structure of a message on its way, on demand: the message's own spans, laid over the octets of
//! the wire, from which dots may have been taken out. The structure itself comes from `pillarbox-mime`.

use std::ops::Range;

use super::{Annotation, grouping};

/// A part of a message's structure, at octets of the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Structure {
    /// Octets of the direction, half-open. Stuffed dots may lie in it.
    pub at: Range<u64>,
    /// How deep it lies.
    pub depth: usize,
    /// What it is; [`crate::catalogue::message`] has words for it.
    pub label: &'static str,
    /// Whether nothing lies in it.
    pub leaf: bool,
}

/// The structures of all messages that a client sent in this direction, given all of its annotations. The pieces of
/// BDAT (RFC 3030 §2) make one message up to the one that is the LAST.
#[must_use]
pub fn structures(
    all: &[Annotation],
    octets: &mut dyn FnMut(Range<u64>) -> Vec<u8>,
) -> Vec<Structure> {
    let mut out = Vec::new();
    let mut message: Vec<Annotation> = Vec::new();
    let mut is_last = false;
    let lines = all.chunk_by(|_, next| next.parent.is_some());
    for line in lines {
        let Some(root) = line.first() else { continue };
        if root.label == "message content" {
            message.extend_from_slice(line);
            if is_last || line.iter().any(|part| part.label == "end of data") {
                out.extend(structure(&std::mem::take(&mut message), octets));
            }
            is_last = false;
            continue;
        }
        let words = octets(root.at.clone()).to_ascii_uppercase();
        if words.starts_with(b"BDAT ") {
            is_last = words.trim_ascii_end().ends_with(b" LAST");
        } else if !message.is_empty() {
            out.extend(structure(&std::mem::take(&mut message), octets));
        }
    }
    out.extend(structure(&message, octets));
    out
}

/// The structure of the message that these annotations carry: one line's or one group's, as [`super::Annotator::within`]
/// gives it. `octets` gives those of a range of the direction.
#[must_use]
pub fn structure(
    annotations: &[Annotation],
    octets: &mut dyn FnMut(Range<u64>) -> Vec<u8>,
) -> Vec<Structure> {
    let carries = |annotation: &&Annotation| {
        let label = annotation.label;
        annotation.leaf
            && (label == "literal" || grouping::is_content(label))
            && label != "stuffed dot"
            && label != "end of data"
    };
    let mut message = Vec::new();
    // Where each piece of the message begins: in the message, and on the wire.
    let mut pieces: Vec<(usize, u64)> = Vec::new();
    for annotation in annotations.iter().filter(carries) {
        pieces.push((message.len(), annotation.at.start));
        message.extend(octets(annotation.at.clone()));
    }
    let on_wire = |at: usize| {
        let piece = pieces.partition_point(|(start, _)| *start <= at).saturating_sub(1);
        pieces.get(piece).map_or(0, |(start, wire)| wire + (at - start) as u64)
    };
    if message.is_empty() {
        return Vec::new();
    }
    let spans = pillarbox_mime::spans(&message);
    let mut ends: Vec<usize> = Vec::new();
    let mut out = Vec::with_capacity(spans.len());
    for (at, span) in spans.iter().enumerate() {
        while ends.last().is_some_and(|end| *end <= span.start) {
            ends.pop();
        }
        let leaf = spans.get(at + 1).is_none_or(|next| next.start >= span.end);
        let range = on_wire(span.start)..on_wire(span.end - 1) + 1;
        out.push(Structure { at: range, depth: ends.len(), label: span.label, leaf });
        ends.push(span.end);
    }
    out
}
