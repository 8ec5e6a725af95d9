//! What the octets of a message are, for a reader: fields, encoded words, boundaries, parts, encodings. The structure is
//! that of the index, which every other reader uses; here its octets only get their names, on demand.

use pillarbox_engine::message::{Index, Part, PartKind};
use pillarbox_engine::text::address;
use pillarbox_engine::trace::Part as Span;

use crate::scan::index;

/// Spans of one message; a body that has more stays one span from there on.
const SPANS_MAX: usize = 200_000;

/// Every label that a span of a message can have.
pub const LABELS: &[&str] = &[
    "header section",
    "header field",
    "header name",
    "colon",
    "header body",
    "address",
    "encoded word",
    "folding",
    "header end",
    "body",
    "preamble",
    "boundary",
    "epilogue",
    "part",
    "part header",
    "part body",
    "base64",
    "QP escape",
    "soft line break",
    "text",
    "line end",
];

/// The spans of a whole message: those that hold others before what they hold, by their first octet. The innermost ones
/// cover every octet once.
#[must_use]
pub fn spans(raw: &[u8]) -> Vec<Span> {
    let index = index(raw, raw.len() as u64);
    let mut walk = Walk { raw, index: &index, spans: Vec::new(), open: Vec::new() };
    for at in 0..index.parts.len() {
        walk.close_to(index.parts[at].parent as usize, at);
        walk.begin(at);
    }
    walk.close_to(usize::MAX, usize::MAX);
    walk.spans
}

/// A part whose body is being walked through.
struct Open {
    part: usize,
    /// Octets of its body before this one have their spans.
    at: usize,
    /// A part of it has begun.
    begun: bool,
}

struct Walk<'a> {
    raw: &'a [u8],
    index: &'a Index,
    spans: Vec<Span>,
    /// From the message down.
    open: Vec<Open>,
}

fn place(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

impl Walk<'_> {
    fn put(&mut self, start: usize, end: usize, label: &'static str) {
        if start < end {
            self.spans.push(Span { start, end, label });
        }
    }

    /// Ends the open parts below `parent`; then comes part `next`.
    fn close_to(&mut self, parent: usize, next: usize) {
        while let Some(open) = self.open.last() {
            if open.part == parent && next != 0 {
                return;
            }
            let Open { part, at, begun } = self.open.pop().expect("it was there just now");
            let end = place(self.index.parts[part].body.end).min(self.raw.len());
            self.between(part, at, end, begun);
            if let Some(above) = self.open.last_mut() {
                above.at = above.at.max(end);
            }
        }
    }

    fn begin(&mut self, at: usize) {
        let part = &self.index.parts[at];
        let (start, header_end) = (place(part.header.start), place(part.header.end));
        let (body, end) = (place(part.body.start), place(part.body.end));
        let mut outer = true;
        if let Some(above) = self.open.last_mut() {
            let (parent, from, begun) = (above.part, above.at, above.begun);
            above.begun = true;
            above.at = start.max(from);
            outer = self.index.parts[parent].kind == PartKind::Message;
            self.between(parent, from, start, begun);
        }
        if !outer {
            self.put(start, end, "part");
        }
        self.put(start, header_end, if outer { "header section" } else { "part header" });
        self.header(start, header_end);
        self.put(body, end, if outer { "body" } else { "part body" });
        if part.kind == PartKind::Leaf {
            self.leaf(part, body, end);
            if let Some(above) = self.open.last_mut() {
                above.at = above.at.max(end);
            }
        } else {
            self.open.push(Open { part: at, at: body, begun: false });
        }
    }

    /// What stands before, between and behind the parts of a part.
    fn between(&mut self, part: usize, start: usize, end: usize, begun: bool) {
        let part = &self.index.parts[part];
        if start >= end {
            return;
        }
        if part.kind != PartKind::Multipart {
            return self.lines(start, end);
        }
        let boundary =
            part.parameters.iter().find(|(name, _)| name.eq_ignore_ascii_case(b"boundary"));
        // The line end before a delimiter belongs to it (RFC 2046 §5.1.1).
        let is_delimiter = |line: &[u8]| {
            let rest =
                line.strip_prefix(b"--").and_then(|rest| rest.strip_prefix(&boundary?.1[..]));
            rest.is_some_and(|rest| {
                rest.strip_prefix(b"--").unwrap_or(rest).trim_ascii().is_empty()
            })
        };
        let octets = &self.raw[start..end];
        let mut first = None;
        let mut at = start;
        for line in octets.split_inclusive(|octet| *octet == b'\n') {
            if is_delimiter(line) {
                first = Some((at, at + line.len()));
                break;
            }
            at += line.len();
        }
        let Some((from, to)) = first else {
            self.put(start, end, if begun { "epilogue" } else { "preamble" });
            return self.lines(start, end);
        };
        let from = if self.raw[start..from].ends_with(b"\r\n") { from - 2 } else { from };
        if start < from {
            self.put(start, from, if begun { "epilogue" } else { "preamble" });
            self.lines(start, from);
        }
        self.put(from, to, "boundary");
        if to < end {
            self.put(to, end, "epilogue");
            self.lines(to, end);
        }
    }

    fn header(&mut self, start: usize, end: usize) {
        let octets = &self.raw[start..end];
        let mut lines = octets.split_inclusive(|octet| *octet == b'\n').peekable();
        let mut at = start;
        while let Some(line) = lines.next() {
            let mut field_end = at + line.len();
            if line.trim_ascii().is_empty() {
                self.put(at, field_end, "header end");
                at = field_end;
                continue;
            }
            while let Some(next) = lines.next_if(|next| {
                matches!(next.first(), Some(b' ' | b'\t')) && !next.trim_ascii().is_empty()
            }) {
                field_end += next.len();
            }
            self.put(at, field_end, "header field");
            self.field(at, field_end);
            at = field_end;
        }
    }

    fn field(&mut self, start: usize, end: usize) {
        let octets = &self.raw[start..end];
        let colon = octets.iter().position(|octet| *octet == b':');
        let mut at = start;
        let mut addressed = false;
        if let Some(colon) = colon.filter(|colon| !octets[..*colon].contains(&b'\n')) {
            let name = octets[..colon].trim_ascii();
            let is = |known: &&[u8]| name.eq_ignore_ascii_case(known);
            addressed = address::FIELDS.iter().chain([&&b"Return-Path"[..]]).any(is);
            self.put(start, start + colon, "header name");
            self.put(start + colon, start + colon + 1, "colon");
            at = start + colon + 1;
        }
        let text_end = end - line_end(&self.raw[at..end]);
        while at < text_end {
            let rest = &self.raw[at..text_end];
            let (length, label) = if rest.starts_with(b"\r\n") {
                let space = rest[2..].iter().take_while(|octet| matches!(octet, b' ' | b'\t'));
                (2 + space.count(), "folding")
            } else if let Some(length) = encoded_word(rest) {
                (length, "encoded word")
            } else {
                let next = |at: &usize| {
                    rest[*at..].starts_with(b"\r\n") || encoded_word(&rest[*at..]).is_some()
                };
                ((1..rest.len()).find(next).unwrap_or(rest.len()), "header body")
            };
            if addressed && label == "header body" {
                self.addresses(at, at + length);
            } else {
                self.put(at, at + length, label);
            }
            at += length;
        }
        self.put(at, end, "line end");
    }

    /// A field's value that names people: what is an address, and what stands around.
    fn addresses(&mut self, start: usize, end: usize) {
        let octets = &self.raw[start..end];
        let (mut at, mut from) = (0, 0);
        while at < octets.len() {
            let length = match octets[at] {
                b'"' => quoted(&octets[at..]),
                b'(' => comment(&octets[at..]),
                octet if is_atom(octet) => {
                    let length = octets[at..].iter().take_while(|octet| is_atom(**octet)).count();
                    if octets[at..at + length].contains(&b'@') {
                        self.put(start + from, start + at, "header body");
                        self.put(start + at, start + at + length, "address");
                        from = at + length;
                    }
                    length
                }
                _ => 1,
            };
            at += length;
        }
        self.put(start + from, end, "header body");
    }

    fn leaf(&mut self, part: &Part, start: usize, end: usize) {
        let end = end.min(self.raw.len());
        if part.encoding.eq_ignore_ascii_case(b"base64") {
            self.each_line(start, end, |walk, from, to| walk.put(from, to, "base64"));
        } else if part.encoding.eq_ignore_ascii_case(b"quoted-printable") {
            self.each_line(start, end, Self::quoted_printable);
        } else {
            self.lines(start, end);
        }
    }

    fn lines(&mut self, start: usize, end: usize) {
        self.each_line(start, end, |walk, from, to| walk.put(from, to, "text"));
    }

    /// Gives `name` each line without its end.
    fn each_line(&mut self, start: usize, end: usize, name: fn(&mut Self, usize, usize)) {
        let raw = self.raw;
        let mut at = start;
        for line in raw[start..end].split_inclusive(|octet| *octet == b'\n') {
            if self.spans.len() >= SPANS_MAX {
                break;
            }
            let to = at + line.len();
            let text = to - line_end(line);
            name(self, at, text);
            self.put(text, to, "line end");
            at = to;
        }
        self.put(at, end, "text");
    }

    fn quoted_printable(&mut self, start: usize, end: usize) {
        let (mut at, mut from) = (start, start);
        while at < end {
            let rest = &self.raw[at..end];
            let (length, label) = match rest {
                [b'=', a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => {
                    (3, "QP escape")
                }
                [b'=', space @ ..] if space.trim_ascii().is_empty() => {
                    (rest.len(), "soft line break")
                }
                _ => {
                    at += 1;
                    continue;
                }
            };
            self.put(from, at, "text");
            self.put(at, at + length, label);
            at += length;
            from = at;
        }
        self.put(from, end, "text");
    }
}

/// What an address can be made of that is not quoted; dots and the at sign among it.
fn is_atom(octet: u8) -> bool {
    !octet.is_ascii_whitespace() && !b"\"(),:;<>".contains(&octet)
}

/// Octets of the quoted string at the beginning, or all that there is of it.
fn quoted(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(octet) = text.get(at) {
        match octet {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

/// Octets of the comment at the beginning, with those inside it, or all that there is of it.
fn comment(text: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(octet) = text.get(at) {
        match octet {
            b'(' => depth += 1,
            b')' => depth -= 1,
            b'\\' => at += 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            break;
        }
    }
    at.min(text.len())
}

/// Octets of the line end at the end of these.
fn line_end(line: &[u8]) -> usize {
    if line.ends_with(b"\r\n") { 2 } else { usize::from(line.ends_with(b"\n")) }
}

/// `"=?" charset "?" encoding "?" encoded-text "?="` (RFC 2047 §2) at the beginning: its length, at most 998.
fn encoded_word(text: &[u8]) -> Option<usize> {
    let inside = text.strip_prefix(b"=?")?;
    let inside = &inside[..inside.len().min(996)];
    let plain = |octet: &u8| octet.is_ascii_graphic();
    let charset = inside.iter().position(|octet| *octet == b'?')?;
    let rest = inside.get(charset + 1..)?;
    if !matches!(rest, [b'B' | b'b' | b'Q' | b'q', b'?', ..]) || charset == 0 {
        return None;
    }
    let text = rest.get(2..)?;
    let end = text.iter().position(|octet| *octet == b'?')?;
    let whole = text.get(end + 1) == Some(&b'=');
    let right = inside[..charset].iter().all(plain) && text[..end].iter().all(plain);
    (whole && right).then_some(2 + charset + 1 + 2 + end + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spans nest, and the innermost cover every octet once.
    fn assert_laws(raw: &[u8]) -> Vec<(&'static str, String)> {
        let all = spans(raw);
        let mut open: Vec<Span> = Vec::new();
        let mut leaves = Vec::new();
        for (at, span) in all.iter().enumerate() {
            assert!(LABELS.contains(&span.label), "{}", span.label);
            while open.last().is_some_and(|above| above.end <= span.start) {
                open.pop();
            }
            if let Some(above) = open.last() {
                assert!(span.start >= above.start && span.end <= above.end, "{span:?} {above:?}");
            }
            open.push(*span);
            if all.get(at + 1).is_none_or(|next| next.start >= span.end) {
                leaves.push(*span);
            }
        }
        let mut end = 0;
        for leaf in &leaves {
            assert_eq!(leaf.start, end, "{leaf:?} in {}", raw.escape_ascii());
            end = leaf.end;
        }
        assert_eq!(end, raw.len(), "{}", raw.escape_ascii());
        let text = |span: &Span| raw[span.start..span.end].escape_ascii().to_string();
        leaves.iter().map(|span| (span.label, text(span))).collect()
    }

    #[test]
    fn fields_and_encodings_have_their_names() {
        let raw = b"Subject: a =?utf-8?Q?=C3=B6?= b\r\n\tc\r\n\
            Content-Transfer-Encoding: quoted-printable\r\n\r\nx=C3=B6=\r\ny\r\n";
        let leaves = assert_laws(raw);
        let labels: Vec<&str> = leaves.iter().map(|(label, _)| *label).collect();
        let expected = [
            "header name",
            "colon",
            "header body",
            "encoded word",
            "header body",
            "folding",
            "header body",
            "line end",
            "header name",
            "colon",
            "header body",
            "line end",
            "header end",
            "text",
            "QP escape",
            "QP escape",
            "soft line break",
            "line end",
            "text",
            "line end",
        ];
        assert_eq!(labels, expected);
        assert_eq!(leaves[3].1, "=?utf-8?Q?=C3=B6?=");
    }

    #[test]
    fn parts_and_boundaries_have_their_names() {
        let raw = b"Content-Type: multipart/mixed; boundary=b\r\n\r\npre\r\n--b\r\n\
            Content-Type: text/plain\r\n\r\nhello\r\n--b\r\n\
            Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nbody\r\n--b\r\n\
            Content-Transfer-Encoding: base64\r\n\r\nYWJj\r\n--b--\r\nepi\r\n";
        let leaves = assert_laws(raw);
        let of = |label: &str| leaves.iter().filter(|(other, _)| *other == label).count();
        assert_eq!((of("boundary"), of("base64")), (4, 1));
        assert!(leaves.contains(&("text", "pre".to_owned())));
        let all = spans(raw);
        let named = |label: &str| all.iter().filter(|span| span.label == label).count();
        assert_eq!((named("part"), named("preamble"), named("epilogue")), (3, 1, 1));
        assert_eq!((named("header section"), named("body")), (2, 2));
    }

    #[test]
    fn any_octets_keep_the_laws() {
        let pieces: [&[u8]; 14] = [
            b"Content-Type: multipart/mixed; boundary=b\r\n",
            b"\r\n",
            b"--b\r\n",
            b"--b--\r\n",
            b"Content-Type: message/rfc822\r\n",
            b"x",
            b"\n",
            b"\r",
            b"Subject: =?a?B?x?=\r\n y\r\n",
            b"Content-Transfer-Encoding: base64\r\n",
            b"=3D=\r\n",
            b":",
            b"--",
            b"\0\xff",
        ];
        let mut seed = 11_u64;
        for _ in 0..4000 {
            let mut raw = Vec::new();
            for _ in 0..14 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                raw.extend_from_slice(pieces[(seed >> 33) as usize % pieces.len()]);
            }
            assert_laws(&raw);
        }
    }
}
