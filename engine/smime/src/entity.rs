//! MIME entities (RFC 2045) as far as S/MIME must see them: header, content type, parts; and the canonical form in
//! which they are signed. What is in the parts is left to others.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr;
use pillarbox_engine::text::header::{self, fields};
use pillarbox_engine::text::params::{self, Parameterised};
use pillarbox_engine::text::transfer::Decoder;

use crate::limits::PARTS_MAX;

/// An entity within a message.
#[derive(Clone, Debug)]
pub(crate) struct Entity<'a> {
    raw: &'a [u8],
    /// Where it stands in the message.
    pub(crate) range: Range<usize>,
    header_length: usize,
    /// Of `Content-Type`, its value in lower case.
    pub(crate) kind: Parameterised,
}

impl<'a> Entity<'a> {
    pub(crate) fn read(raw: &'a [u8], range: Range<usize>) -> Self {
        let octets = &raw[range.clone()];
        let header_length = header::section_length(octets);
        let section = &octets[..header_length];
        let mut kinds = fields(section).filter(|field| field.is(b"content-type"));
        let mut kind = kinds.next().map(|f| params::parse(&f.unfolded())).unwrap_or_default();
        kind.value.make_ascii_lowercase();
        // With two, one reader could see a signed message where another one sees none.
        kind.ambiguous |= kinds.next().is_some();
        Self { raw, range, header_length, kind }
    }

    pub(crate) fn header(&self) -> &'a [u8] {
        &self.raw[self.range.start..self.range.start + self.header_length]
    }

    pub(crate) fn body_range(&self) -> Range<usize> {
        self.range.start + self.header_length..self.range.end
    }

    /// Its body with the transfer encoding undone.
    pub(crate) fn body(&self) -> Vec<u8> {
        let body = &self.raw[self.body_range()];
        let mut encodings =
            fields(self.header()).filter(|field| field.is(b"content-transfer-encoding"));
        let encoding = encodings.next().map(|field| field.unfolded()).unwrap_or_default();
        let Some(mut decoder) = Decoder::new(&encoding) else { return body.to_vec() };
        let mut out = Vec::new();
        decoder.decode(body, &mut out);
        decoder.finish(&mut out);
        out
    }

    /// Whether it holds parts, with the boundary between them.
    pub(crate) fn boundary(&self) -> Option<&[u8]> {
        let is_multipart = self.kind.value.starts_with(b"multipart/");
        self.kind.parameter(b"boundary").filter(|boundary| is_multipart && !boundary.is_empty())
    }

    /// Where its parts stand (RFC 2046 §5.1.1); at most `PARTS_MAX`.
    pub(crate) fn parts(&self) -> Vec<Range<usize>> {
        let Some(boundary) = self.boundary() else { return Vec::new() };
        let body = self.body_range();
        let mut out = Vec::new();
        let mut begun: Option<usize> = None;
        let mut at = body.start;
        while at < body.end && out.len() < PARTS_MAX {
            let end = memchr(b'\n', &self.raw[at..body.end]).map_or(body.end, |lf| at + lf + 1);
            let line = &self.raw[at..end];
            if let Some(is_last) = delimiter(line, boundary) {
                if let Some(start) = begun.take() {
                    // The line end before a delimiter belongs to the delimiter.
                    let text = &self.raw[start..at];
                    let text = text.strip_suffix(b"\n").unwrap_or(text);
                    let text = text.strip_suffix(b"\r").unwrap_or(text);
                    out.push(start..start + text.len());
                }
                if is_last {
                    return out;
                }
                begun = Some(end);
            }
            at = end;
        }
        // The last boundary is missing: what has begun goes to the end.
        if let Some(start) = begun {
            out.push(start..body.end);
        }
        out
    }
}

/// Whether a line is a delimiter; whether the last one.
fn delimiter(line: &[u8], boundary: &[u8]) -> Option<bool> {
    let rest = line.strip_prefix(b"--")?.strip_prefix(boundary)?;
    let is_padding = |text: &[u8]| text.iter().all(u8::is_ascii_whitespace);
    match rest.strip_prefix(b"--") {
        Some(rest) if is_padding(rest) => Some(true),
        _ => is_padding(rest).then_some(false),
    }
}

/// Pieces that together are the canonical form (RFC 8551 §3.1.1): where lines end in LF alone, as in files, CRLF.
pub(crate) fn canonical(octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = octets;
    let mut ends_line = false;
    std::iter::from_fn(move || {
        if std::mem::take(&mut ends_line) {
            return Some(&b"\r\n"[..]);
        }
        if rest.is_empty() {
            return None;
        }
        let mut searched = 0;
        loop {
            let Some(lf) = memchr(b'\n', &rest[searched..]).map(|lf| searched + lf) else {
                return Some(std::mem::take(&mut rest));
            };
            if lf > 0 && rest[lf - 1] == b'\r' {
                searched = lf + 1;
                continue;
            }
            let (line, more) = (&rest[..lf], &rest[lf + 1..]);
            rest = more;
            ends_line = true;
            return Some(line);
        }
    })
}

/// The canonical form as a whole.
pub(crate) fn canonicalised(octets: &[u8]) -> Cow<'_, [u8]> {
    let is_canonical =
        memchr::memchr_iter(b'\n', octets).all(|lf| lf > 0 && octets[lf - 1] == b'\r');
    if is_canonical {
        return Cow::Borrowed(octets);
    }
    Cow::Owned(canonical(octets).flatten().copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<&str> {
        let entity = Entity::read(text.as_bytes(), 0..text.len());
        entity.parts().into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn parts_end_before_the_line_end_of_their_delimiter() {
        let head = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
        let body =
            "pre\r\n--b\r\n\r\none\r\n\r\n--b \r\ntwo\r\n--bb\r\n--b--\r\nepilogue\r\n--b\r\n";
        assert_eq!(parts(&format!("{head}{body}")), ["\r\none\r\n", "two\r\n--bb"]);
        assert_eq!(parts(&format!("{head}--b\nopen\n")), ["open\n"]);
        assert_eq!(parts(&format!("{head}--b\n--b\n")), ["", ""]);
    }

    #[test]
    fn lines_end_in_crlf() {
        for (text, expected) in [
            ("a\nb\r\nc\n\nd", "a\r\nb\r\nc\r\n\r\nd"),
            ("\n", "\r\n"),
            ("a\r\r\n\n", "a\r\r\n\r\n"),
            ("", ""),
        ] {
            assert_eq!(&*canonicalised(text.as_bytes()), expected.as_bytes(), "{text:?}");
        }
    }
}
