//! A small web server without I/O, for what is compared with mail: it gives out pages by their paths, and notes what each
//! octet is. It keeps nothing, takes no message bodies, and knows no more of HTTP than a reader of pages needs.

mod head;
mod rules;
#[cfg(test)]
mod tests;

use pillarbox_engine::trace::{Note, Rule, Side, Span};

use head::{Head, Wrong};

pub use rules::RULES;

/// Octets of a request's head: start line and fields. RFC 9112 §3 recommends at least 8000 for the first line.
const HEAD_MAX: usize = 16 * 1024;
/// A connection on which nobody asks for anything for so long is closed, in milliseconds.
pub(crate) const IDLE_MS: u64 = 60_000;

/// Every label of a span of a web server's session.
pub const HTTP_LABELS: &[&str] = &[
    "CRLF",
    "SP",
    "colon",
    "field-name",
    "field-value",
    "http-version",
    "message body",
    "method",
    "reason-phrase",
    "request-target",
    "status-code",
    "unparsed",
];

/// Something that a web server has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its path, with the slash in front.
    pub path: String,
    /// Its media type.
    pub media_type: String,
    /// What it is.
    pub octets: Vec<u8>,
}

/// What a session leaves behind, in causal order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Octets for the client.
    Transmit(Vec<u8>),
    /// What octets are.
    Note(Note),
    /// Nothing more is said.
    Close,
}

/// One connection's session.
#[derive(Clone, Debug)]
pub struct Server {
    resources: Vec<Resource>,
    inbox: Vec<u8>,
    /// Octets received and understood, and octets sent.
    received: u64,
    sent: u64,
    closed: bool,
}

impl Server {
    /// A session of a server that has these.
    #[must_use]
    pub fn new(resources: Vec<Resource>) -> Self {
        Self { resources, inbox: Vec::new(), received: 0, sent: 0, closed: false }
    }

    /// Takes octets; whole requests are answered, in their order (RFC 9112 §9.3.2).
    pub fn receive(&mut self, octets: &[u8]) -> Vec<Output> {
        let mut out = Vec::new();
        if self.closed {
            return out;
        }
        self.inbox.extend_from_slice(octets);
        while !self.closed {
            // However it comes in pieces, a head is too large at the same octet.
            let known = self.inbox.len().min(HEAD_MAX);
            match head::end(&self.inbox[..known]) {
                Some(end) => {
                    let head: Vec<u8> = self.inbox.drain(..end).collect();
                    self.request(&head, &mut out);
                }
                None if self.inbox.len() > HEAD_MAX => self.too_large(&mut out),
                None => break,
            }
        }
        out
    }

    fn too_large(&mut self, out: &mut Vec<Output>) {
        self.inbox.clear();
        self.note_received(0, HEAD_MAX, "unparsed", None, out);
        out.push(Output::Note(Note::Defect(&rules::TOO_LARGE)));
        self.received += HEAD_MAX as u64;
        self.answer(Status::TOO_LARGE, None, false, true, out);
    }

    /// The client says nothing more, or has been silent for too long: the connection ends without another word.
    pub fn end(&mut self) -> Vec<Output> {
        let already = std::mem::replace(&mut self.closed, true);
        if already { Vec::new() } else { vec![Output::Close] }
    }

    /// A whole head: what is asked for is given, or refused.
    fn request(&mut self, octets: &[u8], out: &mut Vec<Output>) {
        let read = head::read(octets);
        for part in &read.parts {
            self.note_received(part.start, part.end, part.label, part.why, out);
        }
        self.received += octets.len() as u64;
        let head = match read.head {
            Ok(head) => head,
            Err(wrong) => {
                out.push(Output::Note(Note::Defect(wrong.rule())));
                let status = match wrong {
                    Wrong::Version => Status::VERSION,
                    Wrong::Body => Status::BODY,
                    Wrong::Line | Wrong::LineEnd | Wrong::Field | Wrong::Host => Status::BAD,
                };
                self.answer(status, None, false, true, out);
                return;
            }
        };
        let Head { method, target, close } = head;
        let path = target.split('?').next().unwrap_or(&target);
        let found = self.resources.iter().find(|resource| resource.path == path).cloned();
        match (method.as_str(), found) {
            ("GET", Some(found)) => self.answer(Status::OK, Some(&found), true, close, out),
            ("HEAD", Some(found)) => self.answer(Status::OK, Some(&found), false, close, out),
            ("GET" | "HEAD", None) => self.answer(Status::NOT_FOUND, None, false, close, out),
            _ => self.answer(Status::METHOD, None, false, close, out),
        }
    }

    fn note_received(
        &self,
        start: usize,
        end: usize,
        label: &'static str,
        why: Option<&'static Rule>,
        out: &mut Vec<Output>,
    ) {
        let (start, end) = (self.received + start as u64, self.received + end as u64);
        let span = Span { side: Side::Received, start, end, label, secret: false, why };
        out.push(Output::Note(Note::Span(span)));
    }

    fn answer(
        &mut self,
        status: Status,
        resource: Option<&Resource>,
        with_body: bool,
        close: bool,
        out: &mut Vec<Output>,
    ) {
        let mut writing = Writing { at: self.sent, octets: Vec::new(), notes: Vec::new() };
        writing.put("HTTP/1.1", "http-version", Some(&rules::STATUS_LINE));
        writing.put(" ", "SP", None);
        writing.put(status.code, "status-code", Some(status.rule));
        writing.put(" ", "SP", None);
        writing.put(status.phrase, "reason-phrase", None);
        writing.put("\r\n", "CRLF", None);
        if let Some(resource) = resource {
            writing.field("Content-Type", &resource.media_type, &rules::CONTENT_TYPE);
        }
        let length = resource.map_or(0, |resource| resource.octets.len());
        writing.field("Content-Length", &length.to_string(), &rules::CONTENT_LENGTH);
        if close {
            writing.field("Connection", "close", &rules::CLOSE);
        }
        writing.put("\r\n", "CRLF", Some(&rules::MESSAGE));
        if let Some(resource) = resource.filter(|_| with_body) {
            writing.put_octets(&resource.octets, "message body", Some(&rules::BODY_LENGTH));
        }
        self.sent += writing.octets.len() as u64;
        out.push(Output::Transmit(writing.octets));
        out.extend(writing.notes.into_iter().map(Output::Note));
        if close {
            self.closed = true;
            out.push(Output::Close);
        }
    }
}

/// A status and the rule that it follows.
#[derive(Clone, Copy)]
struct Status {
    code: &'static str,
    phrase: &'static str,
    rule: &'static Rule,
}

impl Status {
    const OK: Self = Self { code: "200", phrase: "OK", rule: &rules::OK };
    const BAD: Self = Self { code: "400", phrase: "Bad Request", rule: &rules::BAD };
    const NOT_FOUND: Self = Self { code: "404", phrase: "Not Found", rule: &rules::NOT_FOUND };
    const BODY: Self = Self { code: "413", phrase: "Content Too Large", rule: &rules::NO_BODY };
    const TOO_LARGE: Self =
        Self { code: "431", phrase: "Request Header Fields Too Large", rule: &rules::TOO_LARGE };
    const METHOD: Self = Self { code: "501", phrase: "Not Implemented", rule: &rules::METHOD };
    const VERSION: Self =
        Self { code: "505", phrase: "HTTP Version Not Supported", rule: &rules::VERSION };
}

/// A response being written, with what each octet of it is.
struct Writing {
    at: u64,
    octets: Vec<u8>,
    notes: Vec<Note>,
}

impl Writing {
    fn put(&mut self, text: &str, label: &'static str, why: Option<&'static Rule>) {
        self.put_octets(text.as_bytes(), label, why);
    }

    fn put_octets(&mut self, octets: &[u8], label: &'static str, why: Option<&'static Rule>) {
        if octets.is_empty() {
            return;
        }
        let start = self.at + self.octets.len() as u64;
        self.octets.extend_from_slice(octets);
        let end = start + octets.len() as u64;
        let span = Span { side: Side::Sent, start, end, label, secret: false, why };
        self.notes.push(Note::Span(span));
    }

    fn field(&mut self, name: &str, value: &str, why: &'static Rule) {
        self.put(name, "field-name", Some(why));
        self.put(":", "colon", None);
        self.put(" ", "SP", None);
        self.put(value, "field-value", None);
        self.put("\r\n", "CRLF", None);
    }
}
