//! What one FETCH asks of each message (RFC 9051 §6.4.5), made ready so that nothing is worked out
//! twice.

use alloc::vec::Vec;

use crate::message::{Index, PartKind, SectionText, Span, part, section};

/// A data item of FETCH.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    Value(Value),
    /// RFC 8970
    Preview,
    Envelope,
    /// BODYSTRUCTURE, or BODY without the extension data.
    Structure {
        extended: bool,
    },
    /// Octets of the message as they stand.
    Section(Section),
    /// BINARY: octets with their transfer encoding undone.
    Binary(Section),
    /// BINARY.SIZE
    BinarySize(Section),
}

/// A short value of a message's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Uid,
    Flags,
    InternalDate,
    Size,
    /// RFC 7162 §3.1.4.2
    Modseq,
    /// RFC 8514
    SaveDate,
    /// RFC 8474
    EmailId,
    /// RFC 8474
    ThreadId,
}

impl Value {
    /// Whether a row of flags has it.
    pub(crate) fn is_flags(self) -> bool {
        matches!(self, Self::Uid | Self::Flags | Self::Modseq)
    }
}

/// Octets of a message.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    /// As the response names it, without the origin.
    pub(crate) label: Vec<u8>,
    pub(crate) path: Vec<u32>,
    pub(crate) text: SectionText,
    /// HEADER.FIELDS
    pub(crate) fields: Option<Fields>,
    pub(crate) partial: Option<Partial>,
    /// Whether \Seen is left as it is.
    pub(crate) peek: bool,
}

/// Which fields of a header section.
#[derive(Clone, Debug)]
pub(crate) struct Fields {
    pub(crate) names: Vec<Vec<u8>>,
    /// HEADER.FIELDS.NOT: all but these.
    pub(crate) not: bool,
}

/// `<origin.count>`
#[derive(Clone, Copy, Debug)]
pub(crate) struct Partial {
    pub(crate) origin: u64,
    pub(crate) count: u64,
}

impl Item {
    pub(crate) fn value(&self) -> Option<Value> {
        if let Self::Value(value) = self { Some(*value) } else { None }
    }

    pub(crate) fn is(&self, value: Value) -> bool {
        self.value() == Some(value)
    }

    /// Whether a page of rows must carry indexes.
    pub(crate) fn needs_index(&self) -> bool {
        match self {
            Self::Value(_) => false,
            Self::Section(section) => !section.is_whole_message(),
            Self::Envelope | Self::Preview => true,
            Self::Structure { .. } | Self::Binary(_) | Self::BinarySize(_) => true,
        }
    }

    /// Whether the parts of an index are needed, and not its head alone.
    pub(crate) fn needs_parts(&self) -> bool {
        self.needs_index() && !matches!(self, Self::Envelope | Self::Preview)
    }

    /// RFC 9051 §6.4.5: whether fetching it sets \Seen.
    pub(crate) fn sets_seen(&self) -> bool {
        matches!(self, Self::Section(section) | Self::Binary(section) if !section.peek)
    }
}

impl Section {
    fn is_whole_message(&self) -> bool {
        self.path.is_empty() && self.text == SectionText::Whole
    }

    /// The octets it names, if the message has such a part.
    pub(crate) fn span(&self, index: Option<&Index>, size: u64) -> Option<Span> {
        let span = match index {
            _ if self.is_whole_message() => Span { start: 0, end: size },
            Some(index) => section(index, &self.path, self.text)?,
            None => return None,
        };
        // An index that speaks of more than there is must not lead outside the message.
        let end = span.end.min(size);
        Some(Span { start: span.start.min(end), end })
    }

    /// The transfer encoding of the part that it names, and whether octets can be taken from it.
    pub(crate) fn encoding<'a>(&self, index: &'a Index) -> Option<&'a [u8]> {
        let at = if self.path.is_empty() { 0 } else { part(index, &self.path)? };
        let part = index.parts.get(at)?;
        // RFC 2045 §6.4: what holds other parts is never encoded itself.
        Some(if part.kind == PartKind::Leaf && !self.path.is_empty() {
            &part.encoding
        } else {
            b"7bit"
        })
    }
}

impl Partial {
    /// The part of `length` octets that is wanted: its offset and length.
    pub(crate) fn within(partial: Option<Self>, length: u64) -> (u64, u64) {
        let Some(Self { origin, count }) = partial else { return (0, length) };
        // RFC 9051 §6.4.5: what is not there is cut off; past the end nothing is left.
        let origin = origin.min(length);
        (origin, count.min(length - origin))
    }
}
