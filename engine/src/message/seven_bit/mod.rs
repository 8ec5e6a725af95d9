//! Messages made fit for servers that take seven bits only (RFC 6152 §3, RFC 3030 §3), in two readings and little memory:
//! the first finds which parts hold more, the second encodes those. Parts that fit stay as they are, octet for octet.

mod encode;

use alloc::vec::Vec;

use memchr::{memchr_iter, memchr2};

use super::walk::{Head, Kind, Label, Lost, Piece, Walker};
use crate::text::header;
pub(crate) use encode::{Base64, QuotedPrintable};

/// Octets of a line that every server takes, CRLF not counted (RFC 5321 §4.5.3.1.6).
const LINE_MAX: u64 = 998;

/// Octets above ASCII that make no text too long in quoted-printable.
const SHORT: u64 = 32;

/// How a part goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    AsItIs,
    QuotedPrintable,
    Base64,
}

/// What the first reading found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    /// By the number of the part.
    ways: Vec<Way>,
    /// Something above ASCII stands outside of all parts.
    frame: bool,
}

impl Findings {
    /// Whether the message fits as it is.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        !self.frame && self.ways.iter().all(|way| *way == Way::AsItIs)
    }
}

/// Why a message cannot be made fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// A header section holds octets above ASCII, which no transfer encoding covers.
    Header,
    /// A part holds more than seven bits that must not be encoded, or is labelled as encoded already.
    Part,
    /// A header section is too long, or there are too many parts.
    TooLarge,
}

impl Obstacle {
    /// For the log and the report.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Header => "The server takes seven bits only, and a header field has eight",
            Self::Part => "The server takes seven bits only, and a part cannot be encoded",
            Self::TooLarge => {
                "The server takes seven bits only, and the message is too complex to encode"
            }
        }
    }
}

/// The first reading.
#[derive(Debug)]
pub struct Surveyor {
    walker: Walker,
    notes: Notes,
}

#[derive(Debug, Default)]
struct Notes {
    ways: Vec<Way>,
    frame: bool,
    obstacle: Option<Obstacle>,
    head: Option<Head>,
    content: Content,
}

/// Looks whether all lines of a text are short enough for any server (RFC 5321 §4.5.3.1.6), whatever parts it has.
#[derive(Clone, Copy, Debug, Default)]
pub struct LineMeter {
    /// Octets since the last LF.
    line: u64,
    too_long: bool,
}

impl LineMeter {
    /// Takes the next octets.
    pub fn take(&mut self, octets: &[u8]) {
        let mut from = 0;
        for end in memchr_iter(b'\n', octets) {
            // CRLF is not counted.
            self.too_long |= self.line + (end - from) as u64 > LINE_MAX + 1;
            (self.line, from) = (0, end + 1);
        }
        self.line += (octets.len() - from) as u64;
        self.too_long |= self.line > LINE_MAX + 1;
    }

    /// Whether one was longer.
    #[must_use]
    pub const fn is_too_long(&self) -> bool {
        self.too_long
    }
}

/// What was seen of one part's content.
#[derive(Debug, Default)]
struct Content {
    octets: u64,
    high: u64,
    line: u64,
    long: bool,
    after_cr: bool,
    /// NUL, or a CR or LF that stands alone.
    raw: bool,
}

impl Default for Surveyor {
    fn default() -> Self {
        Self::new()
    }
}

impl Surveyor {
    /// Before the first octet.
    #[must_use]
    pub fn new() -> Self {
        Self { walker: Walker::new(), notes: Notes::default() }
    }

    /// Takes the next octets.
    pub fn take(&mut self, octets: &[u8]) {
        let notes = &mut self.notes;
        self.walker.take(octets, &mut |piece| notes.take(&piece));
    }

    /// The message is over.
    ///
    /// # Errors
    /// [`Obstacle`]: it cannot be made fit.
    pub fn finish(mut self) -> Result<Findings, Obstacle> {
        let notes = &mut self.notes;
        let followed = self.walker.finish(&mut |piece| notes.take(&piece));
        let Notes { ways, frame, obstacle, .. } = self.notes;
        match (obstacle, followed) {
            (Some(obstacle), _) => Err(obstacle),
            (None, Err(Lost::Header | Lost::Parts)) => Err(Obstacle::TooLarge),
            (None, Ok(())) => Ok(Findings { ways, frame }),
        }
    }
}

impl Notes {
    fn take(&mut self, piece: &Piece<'_>) {
        match piece {
            Piece::Header(head, section) => {
                if !section.is_ascii() {
                    self.obstacle.get_or_insert(Obstacle::Header);
                }
                self.ways.push(Way::AsItIs);
                self.head = Some(*head);
                self.content = Content::default();
            }
            Piece::Body(octets) => self.content.look(octets),
            Piece::BodyEnd => self.judge(),
            Piece::Frame(octets) => self.frame |= !octets.is_ascii(),
        }
    }

    /// A part is over: does it fit, and if not, what makes it fit?
    fn judge(&mut self) {
        let Some(head) = self.head.take() else { return };
        let content = core::mem::take(&mut self.content);
        let raw = content.raw || content.after_cr;
        if content.high == 0 && !content.long && !raw {
            return;
        }
        if head.label == Label::Encoded || head.kind == Kind::Opaque {
            // Long lines alone have always been sent.
            if content.high > 0 || raw {
                self.obstacle.get_or_insert(Obstacle::Part);
            }
            return;
        }
        // Base64 is shorter where more than a sixth must be encoded, and the only one that keeps lone CR and LF. A
        // short text had better be readable.
        let quoted = head.text && !raw && content.high < content.octets / 6 + SHORT;
        if let Some(way) = self.ways.get_mut(head.part) {
            *way = if quoted { Way::QuotedPrintable } else { Way::Base64 };
        }
    }
}

impl Content {
    fn look(&mut self, octets: &[u8]) {
        self.octets += octets.len() as u64;
        if !octets.is_ascii() {
            self.high += octets.iter().filter(|octet| !octet.is_ascii()).count() as u64;
        }
        self.raw |= octets.contains(&0);
        let mut rest = octets;
        while let Some(&first) = rest.first() {
            let after_cr = core::mem::take(&mut self.after_cr);
            self.raw |= after_cr && first != b'\n';
            let end = memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
            self.line += end as u64;
            self.long |= self.line > LINE_MAX;
            if end == rest.len() {
                return;
            }
            if rest[end] == b'\r' {
                self.after_cr = true;
            } else {
                self.raw |= end > 0 || !after_cr;
                self.line = 0;
            }
            rest = &rest[end + 1..];
        }
    }
}

/// The second reading: gives out the message in seven bits.
#[derive(Debug)]
pub struct Encoder {
    walker: Walker,
    writer: Writer,
}

#[derive(Debug)]
struct Writer {
    ways: Vec<Way>,
    part: Part,
}

/// The part whose content is being written.
#[derive(Debug)]
enum Part {
    AsItIs,
    QuotedPrintable(QuotedPrintable),
    Base64(Base64),
}

impl Encoder {
    /// An encoder for the message that these findings are about.
    #[must_use]
    pub fn new(findings: Findings) -> Self {
        let writer = Writer { ways: findings.ways, part: Part::AsItIs };
        Self { walker: Walker::new(), writer }
    }

    /// Takes the next octets and adds what they become.
    pub fn take(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        let writer = &mut self.writer;
        self.walker.take(octets, &mut |piece| writer.write(&piece, out));
    }

    /// The message is over: adds what was held back.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let writer = &mut self.writer;
        // The first reading has followed the same octets to their end.
        let _ = self.walker.finish(&mut |piece| writer.write(&piece, out));
    }
}

impl Writer {
    fn write(&mut self, piece: &Piece<'_>, out: &mut Vec<u8>) {
        match piece {
            Piece::Header(head, section) => {
                let way = self.ways.get(head.part).copied().unwrap_or(Way::AsItIs);
                self.part = match way {
                    Way::AsItIs => Part::AsItIs,
                    Way::QuotedPrintable => Part::QuotedPrintable(QuotedPrintable::default()),
                    Way::Base64 => Part::Base64(Base64::default()),
                };
                write_header(head, way, section, out);
            }
            Piece::Body(octets) => match &mut self.part {
                Part::AsItIs => out.extend_from_slice(octets),
                Part::QuotedPrintable(part) => part.take(octets, out),
                Part::Base64(part) => part.take(octets, out),
            },
            Piece::BodyEnd => match &mut self.part {
                Part::AsItIs => {}
                Part::QuotedPrintable(part) => part.finish(out),
                Part::Base64(part) => part.finish(out),
            },
            // No reader shows it, so it need not be kept.
            Piece::Frame(octets) => {
                out.extend(octets.iter().map(|octet| if octet.is_ascii() { *octet } else { b'?' }));
            }
        }
    }
}

/// A header section with the encoding that its part now has.
fn write_header(head: &Head, way: Way, section: &[u8], out: &mut Vec<u8>) {
    let encoding: &[u8] = match way {
        Way::QuotedPrintable => b"quoted-printable",
        Way::Base64 => b"base64",
        // RFC 2045 §6.4: what is inside has seven bits now, so the outside says so.
        Way::AsItIs if head.label == Label::Wide => b"7bit",
        Way::AsItIs => {
            out.extend_from_slice(section);
            return;
        }
    };
    let mut kept = 0;
    let mut end = 0;
    for field in header::fields(section) {
        end = field.end;
        if field.is(b"Content-Transfer-Encoding") {
            out.extend_from_slice(&section[kept..field.start]);
            kept = field.end;
        }
    }
    // What is no field, and the blank line, stand after the last field.
    out.extend_from_slice(&section[kept..end]);
    if !out.is_empty() && !out.ends_with(b"\n") {
        out.extend_from_slice(b"\r\n");
    }
    if head.of_message && !head.has_version {
        out.extend_from_slice(b"MIME-Version: 1.0\r\n");
    }
    if !head.has_type && way != Way::AsItIs && head.of_message {
        // RFC 1428 §3: what nobody has named is said to be unknown.
        out.extend_from_slice(b"Content-Type: text/plain; charset=unknown-8bit\r\n");
    }
    out.extend_from_slice(b"Content-Transfer-Encoding: ");
    out.extend_from_slice(encoding);
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(&section[end..]);
}
