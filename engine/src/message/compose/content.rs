//! The body of a composed message: which parts it has, how each is encoded, and what stands between them.
//! Files appear here by number and size alone.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Draft, File, Segment, header};
use crate::message::seven_bit::{Base64, QuotedPrintable};

/// RFC 5322 §2.1.1: octets of a line that everyone takes, CRLF not counted.
const LINE_MAX: usize = 998;
/// Octets above ASCII that make no text too long in quoted-printable.
const SHORT: usize = 32;

/// Makes boundaries that no part can hold.
///
/// Each begins with `=_`. In base64 no equals sign stands before another character, in quoted-printable only before a
/// hexadecimal digit or a line end, and a text that is written as it is was searched for it.
pub(super) struct Boundaries {
    unique: String,
    made: u32,
}

/// What each boundary begins with.
const BOUNDARY_START: &str = "=_";

impl Boundaries {
    pub(super) fn new(unique: &str) -> Self {
        Self { unique: unique.to_string(), made: 0 }
    }

    fn next(&mut self) -> String {
        self.made += 1;
        format!("{BOUNDARY_START}{}-{}", self.made, self.unique)
    }
}

/// How a text goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    AsItIs,
    QuotedPrintable,
    Base64,
}

pub(super) struct Writer {
    out: Vec<u8>,
    segments: Vec<Segment>,
    boundaries: Boundaries,
}

impl Writer {
    /// A writer behind these fields; the next ones are those of the outermost part.
    pub(super) fn new(out: Vec<u8>, boundaries: Boundaries) -> Self {
        Self { out, segments: Vec::new(), boundaries }
    }

    pub(super) fn finish(mut self) -> Vec<Segment> {
        self.flush();
        self.segments
    }

    fn flush(&mut self) {
        if !self.out.is_empty() {
            self.segments.push(Segment::Octets(core::mem::take(&mut self.out)));
        }
    }

    /// `multipart/mixed` around the text and its attachments, or the text alone.
    pub(super) fn body(&mut self, draft: &Draft) {
        // What no HTML shows would be lost to most readers.
        let beside = if draft.html.is_none() { &draft.inline[..] } else { &[] };
        let first = draft.inline.len() - beside.len();
        let files = beside.iter().chain(&draft.attachments).zip(first..);
        if beside.is_empty() && draft.attachments.is_empty() {
            self.alternatives(draft);
            return;
        }
        let boundary = self.open("multipart/mixed", &[]);
        let said = draft.text.is_some() || draft.html.is_some();
        if said {
            self.part(&boundary);
            self.alternatives(draft);
        }
        for (file, number) in files {
            self.part(&boundary);
            self.file(file, number, false);
        }
        self.close(&boundary);
    }

    /// RFC 2046 §5.1.4: the best form last.
    fn alternatives(&mut self, draft: &Draft) {
        match (&draft.text, &draft.html) {
            (Some(text), Some(html)) => {
                let boundary = self.open("multipart/alternative", &[]);
                self.part(&boundary);
                self.text("plain", text);
                self.part(&boundary);
                self.related(html, draft);
                self.close(&boundary);
            }
            (None, Some(html)) => self.related(html, draft),
            (text, None) => self.text("plain", text.as_deref().unwrap_or_default()),
        }
    }

    /// RFC 2387: the HTML and what it shows.
    fn related(&mut self, html: &str, draft: &Draft) {
        if draft.inline.is_empty() {
            self.text("html", html);
            return;
        }
        let kind = header::parameter("type", "text/html");
        let boundary = self.open("multipart/related", &kind);
        self.part(&boundary);
        self.text("html", html);
        for (at, file) in draft.inline.iter().enumerate() {
            self.part(&boundary);
            self.file(file, at, true);
        }
        self.close(&boundary);
    }

    /// The header section of a multipart; gives its boundary.
    fn open(&mut self, kind: &str, parameters: &[String]) -> String {
        let boundary = self.boundaries.next();
        let words = [header::parameter("boundary", &boundary), parameters.to_vec()].concat();
        self.parameterised("Content-Type", kind, &words);
        self.out.extend_from_slice(b"\r\n");
        boundary
    }

    fn part(&mut self, boundary: &str) {
        self.out.extend_from_slice(format!("\r\n--{boundary}\r\n").as_bytes());
    }

    fn close(&mut self, boundary: &str) {
        self.out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    }

    fn parameterised(&mut self, name: &str, value: &str, parameters: &[String]) {
        let mut field = header::FieldWriter::new(&mut self.out, name);
        let mut word = value.to_string();
        for parameter in parameters {
            field.word(&format!("{word};"), false);
            word.clone_from(parameter);
        }
        field.word(&word, false);
        field.end();
    }

    fn text(&mut self, subtype: &str, text: &str) {
        let text = canonical(text);
        let way = way(&text);
        let charset = if text.is_ascii() { "us-ascii" } else { "utf-8" };
        let charset = [format!("charset={charset}")];
        self.parameterised("Content-Type", &format!("text/{subtype}"), &charset);
        let encoding = match way {
            Way::AsItIs => "7bit",
            Way::QuotedPrintable => "quoted-printable",
            Way::Base64 => "base64",
        };
        header::plain(&mut self.out, "Content-Transfer-Encoding", encoding);
        self.out.extend_from_slice(b"\r\n");
        match way {
            Way::AsItIs => self.out.extend_from_slice(text.as_bytes()),
            Way::QuotedPrintable => {
                let mut encoder = QuotedPrintable::default();
                encoder.take(text.as_bytes(), &mut self.out);
                encoder.finish(&mut self.out);
            }
            Way::Base64 => {
                let mut encoder = Base64::default();
                encoder.take(text.as_bytes(), &mut self.out);
                encoder.finish(&mut self.out);
                self.out.extend_from_slice(b"\r\n");
            }
        }
    }

    /// A file, always in base64: so its octets arrive as they are, whatever they are. Which charset a text file has is
    /// not known, and not claimed.
    fn file(&mut self, file: &File, number: usize, shown: bool) {
        self.parameterised("Content-Type", file.media_type.as_str(), &[]);
        header::plain(&mut self.out, "Content-Transfer-Encoding", "base64");
        let disposition = if shown { "inline" } else { "attachment" };
        let name = header::parameter("filename", file.name.as_str());
        self.parameterised("Content-Disposition", disposition, &name);
        if shown {
            header::plain(
                &mut self.out,
                "Content-ID",
                &format!("<{}>", content_id(file.name.as_str())),
            );
        }
        self.out.extend_from_slice(b"\r\n");
        self.flush();
        self.segments.push(Segment::File { file: number, size: file.size });
    }
}

/// RFC 2392: what HTML names after `cid:`, which its author has to know beforehand. Whatever an id or a URL could not
/// hold as it is becomes an underscore.
fn content_id(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let mut out = String::new();
    for c in name.chars() {
        let dot = c == '.' && !out.is_empty() && !out.ends_with('.');
        out.push(if plain(c) || dot { c } else { '_' });
    }
    if out.ends_with('.') {
        out.push('_');
    }
    out + "@inline"
}

/// The text with CRLF at the end of every line, the last included.
fn canonical(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 32 + 2);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' => {
                let _ = chars.next_if_eq(&'\n');
                out.push_str("\r\n");
            }
            '\n' => out.push_str("\r\n"),
            _ => out.push(c),
        }
    }
    if !out.is_empty() && !out.ends_with('\n') {
        out.push_str("\r\n");
    }
    out
}

fn way(text: &str) -> Way {
    let high = text.bytes().filter(|octet| !octet.is_ascii()).count();
    if high > text.len() / 6 + SHORT {
        return Way::Base64;
    }
    let control = |octet: u8| octet.is_ascii_control() && !matches!(octet, b'\r' | b'\n' | b'\t');
    let long = text.split('\n').any(|line| line.trim_end_matches('\r').len() > LINE_MAX);
    let boundary = text.contains(&format!("--{BOUNDARY_START}"));
    if high > 0 || long || boundary || text.bytes().any(control) {
        Way::QuotedPrintable
    } else {
        Way::AsItIs
    }
}
