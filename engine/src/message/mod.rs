//! The message index: what one parse at delivery found, in a compact form that later readers use without the body.
//! `pillarbox-mime` makes it; hosts keep its octets without looking inside; IMAP answers ENVELOPE and BODYSTRUCTURE from it.

mod codec;
pub mod compose;
mod head;
pub mod ids;
mod section;
pub mod seven_bit;
pub mod subject;
pub mod surrogate;
pub mod texts;
mod walk;

use alloc::vec::Vec;

pub use crate::text::address::Address;
pub use codec::BadIndex;
pub use head::{AddressRef, Addresses, Head};
pub use section::{SectionText, part, section};

/// A range of a message's octets, half-open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First octet.
    pub start: u64,
    /// One past the last; never less than `start`.
    pub end: u64,
}

impl Span {
    /// Octets in it.
    #[must_use]
    pub const fn length(self) -> u64 {
        self.end - self.start
    }
}

/// What is known of a message before it is indexed, from whoever looked at its octets already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Surveyed {
    /// [`Index::plain`].
    pub plain: Option<bool>,
    /// [`Index::eight_bit`].
    pub eight_bit: Option<bool>,
}

/// What one parse found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    /// Octets of the message.
    pub size: u64,
    /// Whether no line begins with a dot, no CR or LF stands alone, the last line ends with CRLF and all header fields
    /// are ASCII: it can go over POP3 and SMTP as it stands, to anybody.
    pub plain: bool,
    /// Whether any octet is above ASCII.
    pub eight_bit: bool,
    /// Whether a limit cut the structure: some part is opaque though it may hold others.
    pub truncated: bool,
    /// Whether readers may differ about what this message says; see [`Ambiguity`].
    pub ambiguities: Vec<Ambiguity>,
    /// The Date field in milliseconds since 1970 UTC and minutes east of it, if it could be read.
    pub sent: Option<(i64, i16)>,
    /// The envelope.
    pub envelope: Envelope,
    /// The References field, unfolded, and empty if there is none; `None` in an index of the first version.
    pub references: Option<Vec<u8>>,
    /// RFC 8970: how its text begins, in UTF-8; empty if it has none that can be shown, or an index of the first version.
    pub preview: Vec<u8>,
    /// The parts, each before those inside it; the first is the message's own body.
    pub parts: Vec<Part>,
}

/// Why two readers may see two messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ambiguity {
    /// A field that must stand once stands more often; the first counts.
    RepeatedField,
    /// A parameter stands more often, or with two meanings.
    RepeatedParameter,
    /// A multipart without a boundary parameter, or one that no line has.
    NoBoundary,
    /// A multipart that is not closed.
    NotClosed,
    /// A multipart or message in an encoding that its type must not have.
    EncodedComposite,
    /// Not exactly one author.
    Author,
}

/// RFC 9051 §7.5.2 envelope. Octets as they stand, unfolded, encoded words not decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// Date.
    pub date: Option<Vec<u8>>,
    /// Subject.
    pub subject: Option<Vec<u8>>,
    /// From.
    pub from: Vec<Address>,
    /// Sender; empty means as From.
    pub sender: Vec<Address>,
    /// Reply-To; empty means as From.
    pub reply_to: Vec<Address>,
    /// To.
    pub to: Vec<Address>,
    /// Cc.
    pub cc: Vec<Address>,
    /// Bcc.
    pub bcc: Vec<Address>,
    /// In-Reply-To.
    pub in_reply_to: Option<Vec<u8>>,
    /// Message-ID.
    pub message_id: Option<Vec<u8>>,
}

/// A value and its parameters.
pub type Parameters = Vec<(Vec<u8>, Vec<u8>)>;

/// One part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// The part that holds it, by its place in the list; the first holds itself.
    pub parent: u32,
    /// What it holds.
    pub kind: PartKind,
    /// Its header section, blank line included.
    pub header: Span,
    /// Its body.
    pub body: Span,
    /// Lines of the body; a last one without line end counts.
    pub lines: u32,
    /// Such as `text`; as written.
    pub media_type: Vec<u8>,
    /// Such as `plain`.
    pub subtype: Vec<u8>,
    /// Of Content-Type.
    pub parameters: Parameters,
    /// Content-ID.
    pub id: Option<Vec<u8>>,
    /// Content-Description.
    pub description: Option<Vec<u8>>,
    /// Content-Transfer-Encoding; `7bit` if missing.
    pub encoding: Vec<u8>,
    /// Content-MD5.
    pub md5: Option<Vec<u8>>,
    /// Content-Disposition.
    pub disposition: Option<(Vec<u8>, Parameters)>,
    /// Content-Language.
    pub language: Vec<Vec<u8>>,
    /// Content-Location.
    pub location: Option<Vec<u8>>,
    /// Of the message inside, if the part is one.
    pub envelope: Option<Envelope>,
}

/// What a part holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PartKind {
    /// Octets.
    #[default]
    Leaf,
    /// Parts.
    Multipart,
    /// One part: the body of the message inside. Its header section belongs to that part.
    Message,
}

impl Index {
    /// The index of a message that is not looked into: its header section, and one opaque part.
    #[must_use]
    pub fn opaque(octets: &[u8], size: u64) -> Self {
        let header = (crate::text::header::section_length(octets) as u64).min(size);
        let part = Part {
            header: Span { start: 0, end: header },
            body: Span { start: header, end: size.max(header) },
            media_type: b"application".to_vec(),
            subtype: b"octet-stream".to_vec(),
            encoding: b"binary".to_vec(),
            ..Part::default()
        };
        Self { size, truncated: true, parts: alloc::vec![part], ..Self::default() }
    }

    /// The parts directly inside a part, by their places.
    pub fn children(&self, part: usize) -> impl Iterator<Item = usize> + '_ {
        let inside = move |at: &usize| self.parts[*at].parent as usize == part;
        (part + 1..self.parts.len()).filter(inside)
    }
}
