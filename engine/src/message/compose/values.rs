//! What a message is composed of, as types that cannot hold anything that would become more than it says.
//! A line end in a subject would be a second field, so such input is refused here and never met again.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use crate::limits::COMPOSED_TEXT_MAX;

/// Why a value cannot stand in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is empty where something must stand.
    Empty,
    /// It holds a CR, an LF, NUL or another control character: written out, it would begin a line of its own, or move a
    /// terminal's cursor.
    Control(char),
    /// It holds a character that changes the direction of what stands after it, so that a reader sees another text.
    Direction(char),
    /// It has more octets than this.
    TooLong(usize),
    /// It is no address; the part that is not understood.
    NotAnAddress(String),
    /// It is no field name, or the name of a field that is written otherwise.
    NotAField(String),
    /// It is no media type, or one that cannot be an attachment.
    NotAType(String),
    /// There are more of them than this.
    TooMany(usize),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::Control(c) => {
                write!(f, "it holds the control character U+{:04X}", u32::from(*c))
            }
            Self::Direction(c) => {
                write!(f, "it holds U+{:04X}, which hides the order of what follows", u32::from(*c))
            }
            Self::TooLong(max) => write!(f, "it is longer than {max} octets"),
            Self::NotAnAddress(part) => {
                write!(
                    f,
                    "`{part}` is no address such as bob@hamburger.edu or Bob <bob@hamburger.edu>"
                )
            }
            Self::NotAField(name) => {
                write!(
                    f,
                    "`{name}` cannot be added: it is no field name, or a field written otherwise"
                )
            }
            Self::NotAType(name) => {
                write!(f, "`{name}` is no media type for an attachment, such as image/png")
            }
            Self::TooMany(max) => write!(f, "there are more than {max}"),
        }
    }
}

impl core::error::Error for Refused {}

/// Text on one line: no control characters, nothing that reorders what stands after it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Text(String);

impl Text {
    /// Text as a person typed it.
    ///
    /// # Errors
    /// [`Refused`]: it holds what no line of text may hold, or is too long.
    pub fn new(text: &str) -> Result<Self, Refused> {
        if text.len() > COMPOSED_TEXT_MAX {
            return Err(Refused::TooLong(COMPOSED_TEXT_MAX));
        }
        Self::new_of_any_length(text)
    }

    /// As `new`, for a list whose members are bounded one by one.
    pub(super) fn new_of_any_length(text: &str) -> Result<Self, Refused> {
        match text.chars().find_map(fault) {
            Some(refused) => Err(refused),
            None => Ok(Self(text.to_string())),
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is wrong with a character.
///
/// Marks that only set the direction of one place (U+200E, U+200F, U+061C) stand in honest names and pass; those that
/// embed, override or isolate a run do not.
fn fault(c: char) -> Option<Refused> {
    match c {
        // U+2028 and U+2029 are line ends for many readers.
        '\u{2028}' | '\u{2029}' => Some(Refused::Control(c)),
        _ if c.is_control() => Some(Refused::Control(c)),
        '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => Some(Refused::Direction(c)),
        _ => None,
    }
}

/// The name of a file that a message carries, without the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName(String);

impl FileName {
    /// The last component of a path; both kinds of slash end one, since the reader's system may be another.
    ///
    /// # Errors
    /// [`Refused`]: none is left, it is longer than any file system takes, or it holds what no line of text may hold.
    pub fn new(path: &str) -> Result<Self, Refused> {
        const NAME_MAX: usize = 255;
        let name = path.rsplit(['/', '\\']).next().unwrap_or_default();
        if name.is_empty() {
            return Err(Refused::Empty);
        }
        if name.len() > NAME_MAX {
            return Err(Refused::TooLong(NAME_MAX));
        }
        Text::new(name).map(|Text(name)| Self(name))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a message is called by others, without its brackets (RFC 5322 §3.6.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageId(String);

impl MessageId {
    /// `id-left "@" id-right`, as any message has it: printable, and short enough for one line (RFC 5322 §2.1.1).
    ///
    /// # Errors
    /// [`Refused`]: it would not be read as one id again.
    pub fn new(id: &[u8]) -> Result<Self, Refused> {
        const ID_MAX: usize = 900;
        let text = String::from_utf8_lossy(id).into_owned();
        if id.len() > ID_MAX {
            return Err(Refused::TooLong(ID_MAX));
        }
        let good = |octet: u8| (b'!'..=b'~').contains(&octet) && !b"<>\"\\".contains(&octet);
        let is_id = text.bytes().all(good)
            && text
                .split_once('@')
                .is_some_and(|(left, right)| !left.is_empty() && !right.is_empty());
        if is_id { Ok(Self(text)) } else { Err(Refused::NotAnAddress(shown(&text))) }
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of a field that a person adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldName(String);

/// Fields that are composed from values of their own, or that only a server may write.
const RESERVED: [&str; 14] = [
    "from",
    "sender",
    "reply-to",
    "to",
    "cc",
    "bcc",
    "subject",
    "date",
    "message-id",
    "mime-version",
    "return-path",
    "received",
    "delivered-to",
    "authentication-results",
];

impl FieldName {
    /// `field-name = 1*ftext` (RFC 5322 §2.2), short enough to stand on a line with something after it.
    ///
    /// # Errors
    /// [`Refused::NotAField`].
    pub fn new(name: &str) -> Result<Self, Refused> {
        const NAME_MAX: usize = 64;
        let wrong = || Refused::NotAField(shown(name));
        let ftext = |octet: u8| (b'!'..=b'~').contains(&octet) && octet != b':';
        if name.is_empty() || name.len() > NAME_MAX || !name.bytes().all(ftext) {
            return Err(wrong());
        }
        let lower = name.to_ascii_lowercase();
        let reserved = RESERVED.contains(&&lower[..]) || lower.starts_with("content-");
        if reserved || lower.starts_with("resent-") {
            Err(wrong())
        } else {
            Ok(Self(name.to_string()))
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The media type of an attachment (RFC 2046).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaType(String);

/// What file names tell; everything else is octets.
const BY_NAME: [(&str, &str); 40] = [
    ("avif", "image/avif"),
    ("bmp", "image/bmp"),
    ("bz2", "application/x-bzip2"),
    ("css", "text/css"),
    ("csv", "text/csv"),
    ("diff", "text/x-diff"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("flac", "audio/flac"),
    ("gif", "image/gif"),
    ("gz", "application/gzip"),
    ("htm", "text/html"),
    ("html", "text/html"),
    ("ics", "text/calendar"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("js", "text/javascript"),
    ("json", "application/json"),
    ("log", "text/plain"),
    ("md", "text/markdown"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("odp", "application/vnd.oasis.opendocument.presentation"),
    ("ods", "application/vnd.oasis.opendocument.spreadsheet"),
    ("odt", "application/vnd.oasis.opendocument.text"),
    ("ogg", "audio/ogg"),
    ("patch", "text/x-diff"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("rtf", "application/rtf"),
    ("svg", "image/svg+xml"),
    ("tar", "application/x-tar"),
    ("txt", "text/plain"),
    ("vcf", "text/vcard"),
    ("wav", "audio/wav"),
    ("webm", "video/webm"),
    ("webp", "image/webp"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("xml", "application/xml"),
    ("zip", "application/zip"),
];

impl MediaType {
    /// `type "/" subtype` (RFC 2045 §5.1), of what can be sent in base64.
    ///
    /// # Errors
    /// [`Refused::NotAType`]: no media type, or a composite one, which must not be encoded (RFC 2045 §6.4).
    pub fn new(name: &str) -> Result<Self, Refused> {
        let token = |part: &str| {
            let good = |octet: u8| octet.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&octet);
            (1..=127).contains(&part.len()) && part.bytes().all(good)
        };
        let right = name.split_once('/').is_some_and(|(kind, subtype)| {
            let composite = ["multipart", "message"].iter().any(|c| kind.eq_ignore_ascii_case(c));
            token(kind) && token(subtype) && !composite
        });
        if right { Ok(Self(name.to_string())) } else { Err(Refused::NotAType(shown(name))) }
    }

    /// The type that the end of a file name tells, or `application/octet-stream`.
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        let end = name.rsplit_once('.').map_or("", |(_, end)| end).to_ascii_lowercase();
        let known = BY_NAME.iter().find(|(extension, _)| *extension == end);
        Self(known.map_or("application/octet-stream", |(_, kind)| kind).to_string())
    }

    /// The type.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A refused value for a message to a terminal: escaped, and not all of it.
pub(super) fn shown(text: &str) -> String {
    const SHOWN_MAX: usize = 100;
    let start: String = text.chars().take(SHOWN_MAX).collect();
    let more = if start.len() < text.len() { "…" } else { "" };
    let escaped: String = start
        .chars()
        .map(|c| if fault(c).is_some() { format!("{}", c.escape_unicode()) } else { c.to_string() })
        .collect();
    format!("{escaped}{more}")
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// reliability: every octet that could end a line, a header or a terminal's patience.
    #[test]
    fn what_could_inject_is_refused() {
        let wrong = [
            "a\r\nBcc: x@y",
            "a\nb",
            "a\rb",
            "a\0b",
            "a\u{85}b",
            "a\u{2028}b",
            "a\u{2029}b",
            "a\x7fb",
            "a\u{9b}31mb",
            "\x1b[2Ja",
            "a\tb",
            "a\u{202e}b",
            "a\u{2066}b",
            "a\u{b}b",
            "a\u{c}b",
        ];
        for text in wrong {
            assert!(Text::new(text).is_err(), "{text:?}");
            assert!(FieldName::new(text).is_err(), "{text:?}");
            assert!(MediaType::new(text).is_err(), "{text:?}");
            assert!(!shown(text).chars().any(|c| fault(c).is_some()), "{text:?}");
        }
        for text in ["a%0d%0aBcc: x", "=?utf-8?q?a=0D=0A?=", "שלום\u{200f}", "\\r\\n", "😀"] {
            assert_eq!(Text::new(text).map(|text| text.0).as_deref(), Ok(text));
        }
        assert!(Text::new(&"a".repeat(COMPOSED_TEXT_MAX + 1)).is_err());
    }

    #[test]
    fn ids_are_what_is_read_again() {
        let long = [&b"a".repeat(80)[..], b"@b.example"].concat();
        for id in [&b"a@b"[..], b"1.2$x@[192.0.2.1]", &long] {
            let read = MessageId::new(id).map(|id| id.0.into_bytes());
            assert_eq!(read.as_deref(), Ok(id));
            let field = [b"<", id, b">"].concat();
            assert_eq!(crate::message::ids::message_ids(&field).collect::<Vec<_>>(), [id]);
        }
        for id in [&b""[..], b"a", b"@b", b"a@", b"a b@c", b"a@b>", b"a@b\r\nBcc: x", b"\xff@b"] {
            assert!(MessageId::new(id).is_err(), "{}", id.escape_ascii());
        }
        assert!(MessageId::new(&[&b"a".repeat(999)[..], b"@b"].concat()).is_err());
    }

    #[test]
    fn fields_and_types_are_names() {
        for name in ["X-Mailer", "In-Reply-To", "List-Unsubscribe"] {
            assert!(FieldName::new(name).is_ok(), "{name}");
        }
        for name in ["", "a b", "a:", "Bcc", "content-type", "DATE", "Ä", "Resent-To", "Received"]
        {
            assert!(FieldName::new(name).is_err(), "{name}");
        }
        for name in [
            "",
            "image",
            "image/",
            "/png",
            "image/p ng",
            "a/b;c=d",
            "message/rfc822",
            "Multipart/mixed",
        ] {
            assert!(MediaType::new(name).is_err(), "{name}");
        }
        assert_eq!(MediaType::of_name("a.b.PNG").as_str(), "image/png");
        assert_eq!(MediaType::of_name("Makefile").as_str(), "application/octet-stream");
        assert!(BY_NAME.iter().all(|(_, kind)| MediaType::new(kind).is_ok()));
    }
}
