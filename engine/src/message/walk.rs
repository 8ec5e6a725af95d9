//! Follows the MIME structure of a message that comes in pieces (RFC 2046 §5.1), holding one header section and one
//! short line. What the parts say is left to whoever is given the pieces.

use alloc::vec::Vec;

use memchr::memchr;

use crate::limits::DEPTH_MAX;
use crate::text::{header, params};

/// Octets of a header section; in a longer one nothing can be changed.
const HEADER_MAX: usize = 256 * 1024;
/// Octets of a line that may be a boundary: RFC 2046 §5.1.1 bounds it at 70, and blanks may follow.
const BOUNDARY_LINE_MAX: usize = 256;
/// Parts; a message with more is not read further.
pub(super) const PARTS_MAX: usize = 10_000;

/// What a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Something with content of its own.
    Leaf,
    /// Something that must not be encoded, and whose structure cannot be followed.
    Opaque,
    /// A multipart whose parts follow.
    Multipart,
    /// A message with a header section of its own.
    Message,
}

/// How the content of a part stands on the wire, by its header section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    /// `7bit`, or nothing.
    SevenBit,
    /// `8bit`, `binary`
    Wide,
    /// `quoted-printable`, `base64`, or a name that is not known.
    Encoded,
}

/// What a header section says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The part's number, in the order of the text.
    pub(super) part: usize,
    pub(super) kind: Kind,
    pub(super) label: Label,
    /// Whether it is text.
    pub(super) text: bool,
    /// Whether this is the header section of a message, not only of a part.
    pub(super) of_message: bool,
    pub(super) has_version: bool,
    pub(super) has_type: bool,
}

/// One piece of a message, in order. Joined, the octets of all pieces are the message.
#[derive(Debug)]
pub(super) enum Piece<'a> {
    /// A whole header section, with its blank line.
    Header(Head, &'a [u8]),
    /// Content of the part whose header section came last.
    Body(&'a [u8]),
    /// That content is over; its last line end, if a boundary follows, is no part of it.
    BodyEnd,
    /// Boundaries, and what stands outside of all parts.
    Frame(&'a [u8]),
}

/// Why a message cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    Header,
    Parts,
}

/// Takes whoever reads the pieces.
pub(super) type Sink<'a> = &'a mut dyn FnMut(Piece<'_>);

#[derive(Clone, Debug)]
struct Container {
    /// The boundary with its two hyphens.
    boundary: Vec<u8>,
    /// RFC 2046 §5.1.5: parts without a type are messages.
    digest: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In a header section; whether it is a message's.
    Header {
        of_message: bool,
    },
    Body,
    /// Outside of all parts.
    Between,
}

/// Follows the structure.
#[derive(Clone, Debug)]
pub(super) struct Walker {
    open: Vec<Container>,
    place: Place,
    parts: usize,
    header: Vec<u8>,
    /// Where the last line of `header` begins.
    header_line: usize,
    /// The line so far, in a body or between parts.
    line: Vec<u8>,
    /// Whether a part of this line was given out already.
    long: bool,
    /// The end of the line before: it belongs to a boundary if one follows.
    line_end: Vec<u8>,
    lost: Option<Lost>,
}

impl Walker {
    pub(super) fn new() -> Self {
        Self {
            open: Vec::new(),
            place: Place::Header { of_message: true },
            parts: 0,
            header: Vec::new(),
            header_line: 0,
            line: Vec::new(),
            long: false,
            line_end: Vec::new(),
            lost: None,
        }
    }

    /// Takes the next octets; what is left of them once the message cannot be followed any more.
    pub(super) fn take<'a>(&mut self, octets: &'a [u8], sink: Sink<'_>) -> &'a [u8] {
        let mut rest = octets;
        while !rest.is_empty() && self.lost.is_none() {
            let end = memchr(b'\n', rest).map_or(rest.len(), |lf| lf + 1);
            let (piece, more) = rest.split_at(end);
            self.piece(piece, sink);
            rest = more;
        }
        rest
    }

    /// Once the message cannot be followed any more: the octets that were taken and not given out.
    pub(super) fn held(&mut self) -> Option<Vec<u8>> {
        self.lost.map(|_| core::mem::take(&mut self.header))
    }

    /// The message is over; an error if it could not be followed to its end.
    pub(super) fn finish(&mut self, sink: Sink<'_>) -> Result<(), Lost> {
        if !self.line.is_empty() {
            self.whole_line(sink);
        }
        if matches!(self.place, Place::Header { .. }) {
            self.header_over(sink);
        }
        let line_end = core::mem::take(&mut self.line_end);
        self.give(&line_end, sink);
        if self.place == Place::Body {
            sink(Piece::BodyEnd);
        }
        self.lost.map_or(Ok(()), Err)
    }

    /// Octets that hold at most one LF, at their end.
    fn piece(&mut self, piece: &[u8], sink: Sink<'_>) {
        if matches!(self.place, Place::Header { .. }) {
            self.header_piece(piece, sink);
            return;
        }
        self.line.extend_from_slice(piece);
        if piece.ends_with(b"\n") {
            self.whole_line(sink);
        } else if self.line.len() > BOUNDARY_LINE_MAX {
            // No boundary: given out, but for a CR that may begin the line's end.
            let kept = self.line.len() - usize::from(self.line.ends_with(b"\r"));
            let line_end = core::mem::take(&mut self.line_end);
            self.give(&line_end, sink);
            let line = core::mem::take(&mut self.line);
            self.give(&line[..kept], sink);
            self.line.extend_from_slice(&line[kept..]);
            self.long = true;
        }
    }

    fn header_piece(&mut self, piece: &[u8], sink: Sink<'_>) {
        self.header.extend_from_slice(piece);
        if self.header.len() > HEADER_MAX {
            self.lost = Some(Lost::Header);
            return;
        }
        if !piece.ends_with(b"\n") {
            return;
        }
        let line_start = core::mem::replace(&mut self.header_line, self.header.len());
        let line = &self.header[line_start..];
        if matches!(line, b"\r\n" | b"\n") {
            self.header_over(sink);
        } else if self.boundary(line).is_some() {
            // The part has no body, not even a blank line.
            let line = self.header.split_off(line_start);
            self.header_over(sink);
            if matches!(self.place, Place::Header { .. }) {
                // An empty message inside: its header section ends here too.
                self.header_over(sink);
            }
            if self.lost.is_some() {
                self.header.extend_from_slice(&line);
                return;
            }
            self.line = line;
            self.whole_line(sink);
        }
    }

    /// A whole line, or what stands after the last line end.
    fn whole_line(&mut self, sink: Sink<'_>) {
        let line = core::mem::take(&mut self.line);
        let long = core::mem::replace(&mut self.long, false);
        let before = core::mem::take(&mut self.line_end);
        if !long && let Some((depth, closes)) = self.boundary(&line) {
            if self.place == Place::Body {
                sink(Piece::BodyEnd);
            }
            sink(Piece::Frame(&before));
            sink(Piece::Frame(&line));
            // RFC 2046 §5.1.2: the boundary of an outer multipart ends all inside it.
            self.open.truncate(if closes { depth } else { depth + 1 });
            self.place = if closes { Place::Between } else { Place::Header { of_message: false } };
            return;
        }
        let ending = if line.ends_with(b"\r\n") { 2 } else { usize::from(line.ends_with(b"\n")) };
        let (content, line_end) = line.split_at(line.len() - ending);
        self.give(&before, sink);
        self.give(content, sink);
        self.line_end.extend_from_slice(line_end);
    }

    fn give(&self, octets: &[u8], sink: Sink<'_>) {
        if octets.is_empty() {
            return;
        }
        sink(if self.place == Place::Body { Piece::Body(octets) } else { Piece::Frame(octets) });
    }

    /// Which open multipart a line is a boundary of, and whether it closes it.
    fn boundary(&self, line: &[u8]) -> Option<(usize, bool)> {
        if !line.starts_with(b"--") {
            return None;
        }
        let line = line.trim_ascii_end();
        self.open.iter().enumerate().rev().find_map(|(depth, container)| {
            let rest = line.strip_prefix(&container.boundary[..])?;
            (rest.is_empty() || rest == b"--").then_some((depth, !rest.is_empty()))
        })
    }

    /// A header section is over: what follows it is known.
    fn header_over(&mut self, sink: Sink<'_>) {
        let of_message = matches!(self.place, Place::Header { of_message: true });
        if self.parts >= PARTS_MAX {
            self.lost = Some(Lost::Parts);
            return;
        }
        let section = core::mem::take(&mut self.header);
        self.header_line = 0;
        let digest = self.open.last().is_some_and(|container| container.digest) && !of_message;
        let (head, container) = self.read(&section, of_message, digest);
        self.parts += 1;
        sink(Piece::Header(head, &section));
        self.place = match head.kind {
            Kind::Leaf | Kind::Opaque => Place::Body,
            Kind::Multipart => Place::Between,
            Kind::Message => Place::Header { of_message: true },
        };
        self.open.extend(container);
    }

    fn read(&self, section: &[u8], of_message: bool, digest: bool) -> (Head, Option<Container>) {
        let mut head = Head {
            part: self.parts,
            kind: if digest { Kind::Message } else { Kind::Leaf },
            label: Label::SevenBit,
            text: !digest,
            of_message,
            has_version: false,
            has_type: false,
        };
        let (mut content_type, mut label) = (None, None);
        for field in header::fields(section) {
            head.has_version |= field.is(b"MIME-Version");
            if field.is(b"Content-Type") && content_type.is_none() {
                content_type = Some(params::parse(&field.unfolded()));
            } else if field.is(b"Content-Transfer-Encoding") && label.is_none() {
                label = Some(label_of(&params::parse(&field.unfolded()).value));
            }
        }
        head.label = label.unwrap_or(Label::SevenBit);
        let Some(content_type) = content_type else { return (head, None) };
        head.has_type = true;
        let value = content_type.value.to_ascii_lowercase();
        head.text = value.starts_with(b"text/");
        head.kind = Kind::Leaf;
        let mut container = None;
        if value.starts_with(b"multipart/") {
            // RFC 2045 §6.4: an encoding of its own says nothing; its delimiters stand in the clear.
            let boundary = content_type.parameter(b"boundary");
            match boundary.filter(|boundary| (1..=200).contains(&boundary.len())) {
                Some(boundary) if self.open.len() < DEPTH_MAX => {
                    head.kind = Kind::Multipart;
                    let boundary = [b"--", boundary].concat();
                    container = Some(Container { boundary, digest: value == b"multipart/digest" });
                }
                _ => head.kind = Kind::Opaque,
            }
        } else if head.label == Label::Encoded {
            // The same rule forbids it for messages; one that has it all the same is a leaf.
        } else if value == b"message/rfc822" || value == b"message/news" {
            head.kind = Kind::Message;
        } else if value == b"message/partial" || value == b"message/external-body" {
            // RFC 2046 §5.2.2.1, §5.2.3: these must be in seven bits to begin with.
            head.kind = Kind::Opaque;
        }
        (head, container)
    }
}

fn label_of(name: &[u8]) -> Label {
    match &name.to_ascii_lowercase()[..] {
        b"" | b"7bit" => Label::SevenBit,
        b"8bit" | b"binary" => Label::Wide,
        _ => Label::Encoded,
    }
}
