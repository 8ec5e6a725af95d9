//! The head of a request, RFC 9112 §2 to §6: read once, into a value that holds nothing wrong, with what each octet is.

use pillarbox_engine::trace::Rule;

use super::rules;

/// Fields of one head; more say nothing that a page needs.
const FIELDS_MAX: usize = 100;

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) method: String,
    pub(super) target: String,
    /// Whether the connection ends with the response.
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
    Body,
}

impl Wrong {
    pub(super) fn rule(self) -> &'static Rule {
        match self {
            Self::Line => &rules::REQUEST_LINE,
            Self::LineEnd => &rules::LINE_END,
            Self::Version => &rules::VERSION,
            Self::Field => &rules::FIELD,
            Self::Host => &rules::HOST,
            Self::Body => &rules::NO_BODY,
        }
    }
}

/// A part of a head.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) label: &'static str,
    pub(super) why: Option<&'static Rule>,
}

/// A head, and its parts.
pub(super) struct Read {
    pub(super) head: Result<Head, Wrong>,
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

/// Reads a whole head.
pub(super) fn read(octets: &[u8]) -> Read {
    let mut reader = Reader { octets, at: 0, parts: Vec::new() };
    let head = reader.head();
    if reader.at < octets.len() {
        let (start, end) = (reader.at, octets.len());
        reader.parts.push(Part { start, end, label: "unparsed", why: None });
    }
    Read { head, parts: reader.parts }
}

struct Reader<'a> {
    octets: &'a [u8],
    at: usize,
    parts: Vec<Part>,
}

impl<'a> Reader<'a> {
    /// `HTTP-message = start-line CRLF *( field-line CRLF ) CRLF [ message-body ]` (RFC 9112 §2.1).
    fn head(&mut self) -> Result<Head, Wrong> {
        while self.rest().starts_with(b"\r\n") {
            self.take(2, "CRLF", Some(&rules::LEADING));
        }
        let (method, target, minor) = self.request_line()?;
        let (mut hosts, mut close, mut keeps) = (0, false, false);
        for _ in 0..=FIELDS_MAX {
            if self.rest().starts_with(b"\r\n") {
                self.take(2, "CRLF", Some(&rules::MESSAGE));
                // RFC 9112 §3.2.
                if minor >= 1 && hosts != 1 {
                    return Err(Wrong::Host);
                }
                // RFC 9112 §9.3.
                let close = close || (minor == 0 && !keeps);
                return Ok(Head { method, target, close });
            }
            let (name, value) = self.field()?;
            let is =
                |option: &str| value.split(',').any(|one| one.trim().eq_ignore_ascii_case(option));
            match name.as_str() {
                "host" => hosts += 1,
                "connection" => (close, keeps) = (close || is("close"), keeps || is("keep-alive")),
                "transfer-encoding" => return Err(Wrong::Body),
                "content-length" if value != "0" => return Err(Wrong::Body),
                _ => {}
            }
        }
        Err(Wrong::Field)
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
        let version = self.word(|octet| octet.is_ascii_graphic()).ok_or(Wrong::Line)?;
        let minor = match version.strip_prefix(b"HTTP/1.") {
            Some([minor @ b'0'..=b'9']) => minor - b'0',
            _ if version.starts_with(b"HTTP/") => return Err(Wrong::Version),
            _ => return Err(Wrong::Line),
        };
        self.take(version.len(), "http-version", Some(&rules::VERSION));
        self.line_end()?;
        Ok((text(method), text(target), minor))
    }

    /// `field-line = field-name ":" OWS field-value OWS` (RFC 9112 §5); its name in lower case.
    fn field(&mut self) -> Result<(String, String), Wrong> {
        let name = self.word(is_token).ok_or(Wrong::Field)?;
        let why = if name.eq_ignore_ascii_case(b"host") { &rules::HOST } else { &rules::FIELD };
        self.take(name.len(), "field-name", Some(why));
        self.literal(b":", "colon", None).ok_or(Wrong::Field)?;
        let blank = self.rest().iter().take_while(|octet| matches!(octet, b' ' | b'\t')).count();
        self.take(blank, "SP", None);
        let is_value = |octet: &u8| !matches!(octet, b'\r' | b'\n' | 0);
        let long = self.rest().iter().take_while(|octet| is_value(octet)).count();
        let value = self.rest()[..long].to_vec();
        self.take(long, "field-value", None);
        self.line_end()?;
        Ok((text(name).to_ascii_lowercase(), text(value.trim_ascii())))
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
            self.parts.push(Part { start, end, label, why });
            self.at = end;
        }
    }
}

/// `tchar` (RFC 9110 §5.6.2).
fn is_token(octet: &u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(octet)
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}
