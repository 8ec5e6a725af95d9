//! Messages composed from what a person wants to say (RFC 5322, RFC 2045 to 2047, RFC 2231, RFC 6532).
//! Reading files, clock and entropy are the host's; so is sending, which needs only ranges of the result.

mod composed;
mod content;
pub(in crate::message) mod header;
mod people;
mod ready;
mod values;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::limits::COMPOSED_FILES_MAX;
use crate::text::date::date_time;
use composed::Segment;
use content::{Boundaries, Writer};

pub use composed::{Composed, FilePiece, Piece};
pub use people::{Person, parse_mailboxes, parse_people, parse_person};
pub use ready::{Head, Reader, Ready};
pub use values::{FieldName, FileName, MediaType, MessageId, Refused, Text};

/// What a person wants to say.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// Who wrote it; at least one.
    pub from: Vec<Person>,
    /// Who sends it, if that is another; needed if several wrote it (RFC 5322 §3.6.2), and then the first if missing.
    pub sender: Option<Person>,
    /// Where answers go, if not to the authors.
    pub reply_to: Vec<Person>,
    /// To whom.
    pub to: Vec<Person>,
    /// Who gets a copy that everyone sees.
    pub cc: Vec<Person>,
    /// Who gets a copy that nobody else sees: for a message that is kept, never for one that is sent (RFC 5322 §3.6.3).
    pub bcc: Vec<Person>,
    /// What it answers (RFC 5322 §3.6.4).
    pub in_reply_to: Option<MessageId>,
    /// What came before it, the oldest first and what it answers last.
    pub references: Vec<MessageId>,
    /// What it is about.
    pub subject: Option<Text>,
    /// Other fields.
    pub fields: Vec<(FieldName, Text)>,
    /// The text; any line ends.
    pub text: Option<String>,
    /// The same as HTML.
    pub html: Option<String>,
    /// Files that the HTML shows: `logo.png` as `cid:logo.png@inline`; characters beside letters, digits, hyphens and dots
    /// are underscores there.
    /// Without HTML they are attachments.
    pub inline: Vec<File>,
    /// Files beside the text.
    pub attachments: Vec<File>,
}

/// A file that a message carries.
#[derive(Clone, Debug)]
pub struct File {
    /// Its name.
    pub name: FileName,
    /// What it is.
    pub media_type: MediaType,
    /// Its octets, exactly.
    pub size: u64,
}

/// What makes one message another than all others.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// When, in milliseconds since 1970 UTC.
    pub unix_ms: u64,
    /// Octets that no other message has.
    pub seed: [u8; 16],
}

/// Composes a message. The files are numbered in the order `inline`, `attachments`.
///
/// # Errors
/// [`Refused`]: there is no author, or there are too many files.
pub fn compose(draft: &Draft, origin: Origin) -> Result<Composed, Refused> {
    let Some(author) = draft.from.first() else { return Err(Refused::Empty) };
    if draft.inline.len() + draft.attachments.len() > COMPOSED_FILES_MAX {
        return Err(Refused::TooMany(COMPOSED_FILES_MAX));
    }
    let unique = unique(origin);
    let mut out = Vec::new();
    header::plain(&mut out, "Date", &date_time(origin.unix_ms));
    header::addresses(&mut out, "From", &draft.from);
    let sender = draft.sender.as_ref().or((draft.from.len() > 1).then_some(author));
    let lists = [
        ("Sender", sender.map(core::slice::from_ref).unwrap_or_default()),
        ("Reply-To", &draft.reply_to),
        ("To", &draft.to),
        ("Cc", &draft.cc),
        ("Bcc", &draft.bcc),
    ];
    for (name, people) in lists.iter().filter(|(_, people)| !people.is_empty()) {
        header::addresses(&mut out, name, people);
    }
    let id = format!("<{}.{unique}@{}>", origin.unix_ms, id_domain(author));
    header::plain(&mut out, "Message-ID", &id);
    header::ids(&mut out, "In-Reply-To", draft.in_reply_to.as_slice());
    header::ids(&mut out, "References", &draft.references);
    if let Some(subject) = &draft.subject {
        header::unstructured(&mut out, "Subject", subject.as_str());
    }
    for (name, text) in &draft.fields {
        header::unstructured(&mut out, name.as_str(), text.as_str());
    }
    header::plain(&mut out, "MIME-Version", "1.0");
    let mut writer = Writer::new(out, Boundaries::new(&unique));
    writer.body(draft);
    let people = lists.iter().flat_map(|(_, people)| people.iter()).chain(&draft.from);
    let needs_utf8 = people.into_iter().any(Person::needs_utf8);
    Ok(Composed::new(writer.finish(), needs_utf8))
}

fn unique(origin: Origin) -> String {
    origin.seed.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// RFC 5322 §3.6.4: the author's domain makes an id unique beyond this machine; one that is no ASCII domain would make
/// the field something that not all can read.
fn id_domain(author: &Person) -> String {
    let domain = &author.mailbox.domain;
    let plain = domain.is_ascii() && !domain.starts_with(b"[") && !domain.is_empty();
    if plain { String::from_utf8_lossy(domain).into_owned() } else { String::from("localhost") }
}
