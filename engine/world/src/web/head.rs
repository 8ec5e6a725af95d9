//! The head of a message, RFC 9112 §2 to §6: read once, into a value that holds nothing wrong, with what each octet
//! is. What a request or a response asks of who gets it is left to both sides.

use pillarbox_engine::trace::Rule;

use super::rules;

/// Fields of one head; more say nothing that a page needs.
const FIELDS_MAX: usize = 100;

/// The fields of a head, with their names in lower case.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// The value of the first field of this name.
    pub(super) fn value<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).next()
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(own, _)| own == name).map(|(_, value)| &value[..])
    }

    /// Whether a list of options has this one (RFC 9110 §5.6.1).
    fn has(&self, name: &str, option: &str) -> bool {
        let mut options = self.all(name).flat_map(|value| value.split(','));
        options.any(|one| one.trim().eq_ignore_ascii_case(option))
    }

    /// Whether the connection ends with this exchange (RFC 9112 §9.3).
    fn closes(&self, minor: u8) -> bool {
        self.has("connection", "close") || (minor == 0 && !self.has("connection", "keep-alive"))
    }

    /// Octets of the body, if the head says how many (RFC 9112 §6.2).
    fn length(&self) -> Result<Option<usize>, Wrong> {
        if self.value("transfer-encoding").is_some() {
            return Err(Wrong::Coding);
        }
        let mut lengths = self.all("content-length");
        let Some(first) = lengths.next() else { return Ok(None) };
        // Two that differ, or a sign: two readers could see two messages there.
        let is_number = first.bytes().all(|octet| octet.is_ascii_digit());
        if !is_number || lengths.any(|other| other != first) {
            return Err(Wrong::Length);
        }
        first.parse().map(Some).map_err(|_| Wrong::Length)
    }
}

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) fields: Fields,
    /// Octets of the body.
    pub(super) length: usize,
    /// Whether the connection ends with the response.
    pub(super) close: bool,
}

/// How a request went.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) phrase: String,
    pub(super) fields: Fields,
    /// Octets of the body; none: all until the connection ends.
    pub(super) length: Option<usize>,
    pub(super) close: bool,
}

/// What keeps a head from being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    Line,
    LineEnd,
    Version,
    Field,
    Host,
    Coding,
    Length,
}

impl Wrong {
    pub(super) fn rule(self) -> &'static Rule {
        match self {
            Self::Line => &rules::REQUEST_LINE,
            Self::LineEnd => &rules::LINE_END,
            Self::Version => &rules::VERSION,
            Self::Field => &rules::FIELD,
            Self::Host => &rules::HOST,
            Self::Coding => &rules::LENGTH_REQUIRED,
            Self::Length => &rules::CONTENT_LENGTH,
        }
    }
}

/// A part of a head.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) label: &'static str,
    /// Whether others must not see it.
    pub(super) secret: bool,
    pub(super) why: Option<&'static Rule>,
}

/// A head, and its parts.
pub(super) struct Read<T> {
    pub(super) head: Result<T, Wrong>,
    pub(super) parts: Vec<Part>,
}

/// Where a head ends: behind its first empty line, whichever way that is ended, so that one with wrong line ends is
/// answered too. Empty lines in front of a request belong to it (RFC 9112 §2.2).
pub(super) fn end(octets: &[u8]) -> Option<usize> {
    let mut start = 0;
    let mut has_begun = false;
    for (at, _) in octets.iter().enumerate().filter(|(_, octet)| **octet == b'\n') {
        let line = octets[start..at].strip_suffix(b"\r").unwrap_or(&octets[start..at]);
        if line.is_empty() && has_begun {
            return Some(at + 1);
        }
        has_begun |= !line.is_empty();
        start = at + 1;
    }
    None
}

/// Reads the whole head of a request.
pub(super) fn request(octets: &[u8]) -> Read<Head> {
    read(octets, Reader::request)
}

/// Reads the whole head of a response.
pub(super) fn response(octets: &[u8]) -> Read<Answer> {
    read(octets, Reader::response)
}

fn read<'a, T>(octets: &'a [u8], how: impl FnOnce(&mut Reader<'a>) -> Result<T, Wrong>) -> Read<T> {
    let mut reader = Reader { octets, at: 0, parts: Vec::new() };
    let head = how(&mut reader);
    let rest = octets.len() - reader.at;
    reader.take(rest, "unparsed", None);
    Read { head, parts: reader.parts }
}

struct Reader<'a> {
    octets: &'a [u8],
    at: usize,
    parts: Vec<Part>,
}

impl<'a> Reader<'a> {
    /// `HTTP-message = start-line CRLF *( field-line CRLF ) CRLF [ message-body ]` (RFC 9112 §2.1).
    fn request(&mut self) -> Result<Head, Wrong> {
        while self.rest().starts_with(b"\r\n") {
            self.take(2, "CRLF", Some(&rules::LEADING));
        }
        let (method, target, minor) = self.request_line()?;
        let fields = self.fields()?;
        // RFC 9112 §3.2.
        if minor >= 1 && fields.all("host").count() != 1 {
            return Err(Wrong::Host);
        }
        let (length, close) = (fields.length()?.unwrap_or(0), fields.closes(minor));
        Ok(Head { method, target, fields, length, close })
    }

    fn response(&mut self) -> Result<Answer, Wrong> {
        let (status, phrase, minor) = self.status_line()?;
        let fields = self.fields()?;
        // RFC 9112 §6.3: these have no body, whatever the head says.
        let length = if matches!(status, 204 | 304) { Some(0) } else { fields.length()? };
        let close = length.is_none() || fields.closes(minor);
        Ok(Answer { status, phrase, fields, length, close })
    }

    fn fields(&mut self) -> Result<Fields, Wrong> {
        let mut fields = Fields::default();
        for _ in 0..=FIELDS_MAX {
            if self.rest().starts_with(b"\r\n") {
                self.take(2, "CRLF", Some(&rules::MESSAGE));
                return Ok(fields);
            }
            fields.0.push(self.field()?);
        }
        Err(Wrong::Field)
    }

    fn version(&mut self) -> Result<u8, Wrong> {
        let version = self.word(|octet| octet.is_ascii_graphic()).ok_or(Wrong::Line)?;
        let minor = match version.strip_prefix(b"HTTP/1.") {
            Some([minor @ b'0'..=b'9']) => minor - b'0',
            _ if version.starts_with(b"HTTP/") => return Err(Wrong::Version),
            _ => return Err(Wrong::Line),
        };
        self.take(version.len(), "http-version", Some(&rules::VERSION));
        Ok(minor)
    }

    /// `status-line = HTTP-version SP status-code SP [ reason-phrase ]` (RFC 9112 §4).
    fn status_line(&mut self) -> Result<(u16, String, u8), Wrong> {
        let minor = self.version()?;
        self.literal(b" ", "SP", None).ok_or(Wrong::Line)?;
        let code = self.word(u8::is_ascii_digit).filter(|code| code.len() == 3);
        let code = text(code.ok_or(Wrong::Line)?);
        self.take(3, "status-code", Some(&rules::STATUS_LINE));
        self.literal(b" ", "SP", None).ok_or(Wrong::Line)?;
        let phrase = self.word(|octet| !octet.is_ascii_control() || *octet == b'\t');
        let phrase = phrase.unwrap_or_default();
        self.take(phrase.len(), "reason-phrase", None);
        self.line_end()?;
        Ok((code.parse().map_err(|_| Wrong::Line)?, text(phrase), minor))
    }

    /// `request-line = method SP request-target SP HTTP-version` (RFC 9112 §3).
    fn request_line(&mut self) -> Result<(String, String, u8), Wrong> {
        let method = self.word(is_token).ok_or(Wrong::Line)?;
        self.take(method.len(), "method", Some(&rules::METHOD));
        self.literal(b" ", "SP", None).ok_or(Wrong::Line)?;
        let target = self.word(|octet| octet.is_ascii_graphic()).ok_or(Wrong::Line)?;
        if !target.starts_with(b"/") {
            return Err(Wrong::Line);
        }
        self.take(target.len(), "request-target", Some(&rules::TARGET));
        self.literal(b" ", "SP", None).ok_or(Wrong::Line)?;
        let minor = self.version()?;
        self.line_end()?;
        Ok((text(method), text(target), minor))
    }

    /// `field-line = field-name ":" OWS field-value OWS` (RFC 9112 §5); its name in lower case.
    fn field(&mut self) -> Result<(String, String), Wrong> {
        let name = self.word(is_token).ok_or(Wrong::Field)?;
        let lower = text(name).to_ascii_lowercase();
        self.take(name.len(), "field-name", Some(rules::of_field(&lower)));
        self.literal(b":", "colon", None).ok_or(Wrong::Field)?;
        let blank = self.rest().iter().take_while(|octet| matches!(octet, b' ' | b'\t')).count();
        self.take(blank, "SP", None);
        let value = self.word(|octet| !matches!(octet, b'\r' | b'\n' | 0)).unwrap_or_default();
        self.take(value.len(), "field-value", None);
        if is_secret(&lower)
            && let Some(part) = self.parts.last_mut().filter(|part| part.label == "field-value")
        {
            part.secret = true;
        }
        self.line_end()?;
        Ok((lower, text(value.trim_ascii())))
    }

    fn line_end(&mut self) -> Result<(), Wrong> {
        self.literal(b"\r\n", "CRLF", None).ok_or(Wrong::LineEnd)
    }

    fn rest(&self) -> &'a [u8] {
        &self.octets[self.at..]
    }

    /// The octets of this kind that come next, if there are any.
    fn word(&self, is_part: impl Fn(&u8) -> bool) -> Option<&'a [u8]> {
        let long = self.rest().iter().take_while(|octet| is_part(octet)).count();
        (long > 0).then(|| &self.rest()[..long])
    }

    fn literal(
        &mut self,
        wanted: &[u8],
        label: &'static str,
        why: Option<&'static Rule>,
    ) -> Option<()> {
        self.rest().starts_with(wanted).then(|| self.take(wanted.len(), label, why))
    }

    fn take(&mut self, count: usize, label: &'static str, why: Option<&'static Rule>) {
        if count > 0 {
            let (start, end) = (self.at, self.at + count);
            self.parts.push(Part { start, end, label, secret: false, why });
            self.at = end;
        }
    }
}

/// Whether a field's value lets whoever has it in (RFC 6265 §8.3).
pub(super) fn is_secret(name: &str) -> bool {
    ["cookie", "set-cookie", "authorization"].iter().any(|own| name.eq_ignore_ascii_case(own))
}

/// `tchar` (RFC 9110 §5.6.2).
fn is_token(octet: &u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(octet)
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}
