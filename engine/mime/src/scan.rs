//! Structure: one pass over the lines of a message, with a stack of open parts instead of recursion.

use memchr::memmem::Finder;
use memchr::{memchr, memchr_iter};
use pillarbox_engine::message::{Ambiguity, Index, Part, PartKind, Span, Surveyed};
use pillarbox_engine::text::find::has_high_bit;
use pillarbox_engine::text::header::section_length;

use crate::fields::{message_fields, note, part_fields};
use crate::preview::preview;

/// Parts inside parts; deeper ones stay opaque.
const DEPTH_MAX: usize = 100;
/// Parts of one message; further ones stay inside the last.
const PARTS_MAX: usize = 1000;
/// Parts, and octets of all header sections, of a message that is small in the sense of `index_small`.
const SMALL: Bounds = Bounds { parts: 64, header: 16 << 10 };
const LARGE: Bounds = Bounds { parts: PARTS_MAX, header: usize::MAX };

/// Indexes a message, or the beginning of one that has `size` octets: then only its header section is read.
#[must_use]
pub fn index(raw: &[u8], size: u64) -> Index {
    if size != raw.len() as u64 {
        return indexed_header(raw, size);
    }
    indexed(raw, LARGE, Surveyed::default())
}

/// Indexes a whole message if its structure is small: at most 64 parts and 16 KiB of header sections. So what it takes
/// in memory is bounded, whatever the message's size.
#[must_use]
pub fn index_small(raw: &[u8]) -> Option<Index> {
    index_surveyed(raw, Surveyed::default())
}

/// As [`index_small`], of a message of which something is known.
#[must_use]
pub fn index_surveyed(raw: &[u8], known: Surveyed) -> Option<Index> {
    if section_length(raw) > SMALL.header {
        return None;
    }
    Some(indexed(raw, SMALL, known)).filter(|index| !index.truncated)
}

fn indexed(raw: &[u8], bounds: Bounds, known: Surveyed) -> Index {
    let mut scan = Scan::new(raw, bounds, known);
    let fields = scan.begin();
    while let Some(line) = scan.next_line() {
        scan.line(line);
    }
    scan.close_to(0, raw.len());
    let mut index = scan.index;
    // RFC 6856 §2.1: some readers get such a field in another form.
    index.plain &= !index.eight_bit || (!index.truncated && has_ascii_fields(raw, &index));
    (index.envelope, index.sent) = (fields.envelope, fields.sent);
    index.references = Some(fields.references);
    index.preview = preview(raw, &index);
    index
}

fn indexed_header(raw: &[u8], size: u64) -> Index {
    let mut index = Index::opaque(raw, size);
    let section = &raw[..section_length(raw)];
    let fields = message_fields(section, &mut index.ambiguities);
    (index.envelope, index.sent) = (fields.envelope, fields.sent);
    index.references = Some(fields.references);
    index
}

/// A part whose end has not come.
struct Open {
    part: usize,
    /// Of a multipart.
    boundary: Option<Vec<u8>>,
    /// Number of lines before its body.
    lines_before: u32,
    /// A multipart whose first delimiter, or whose close delimiter, has come.
    begun: bool,
    closed: bool,
    digest: bool,
}

struct Line {
    start: usize,
    end: usize,
}

/// How much structure is read; what is beyond is left out, and the index says so.
#[derive(Clone, Copy)]
struct Bounds {
    parts: usize,
    /// Octets of all header sections together.
    header: usize,
}

struct Scan<'a> {
    raw: &'a [u8],
    bounds: Bounds,
    /// Octets of header sections that are still read.
    header_left: usize,
    index: Index,
    open: Vec<Open>,
    at: usize,
    /// Lines before `at`.
    lines: u32,
    /// Finds lines that begin with two hyphens.
    hyphens: Finder<'static>,
}

impl<'a> Scan<'a> {
    fn new(raw: &'a [u8], bounds: Bounds, known: Surveyed) -> Self {
        let size = raw.len() as u64;
        let eight_bit = known.eight_bit.unwrap_or_else(|| has_high_bit(raw));
        let plain = known.plain.unwrap_or_else(|| is_plain(raw));
        let index = Index { size, eight_bit, plain, ..Index::default() };
        let (header_left, hyphens) = (bounds.header, Finder::new(b"\n--"));
        Self { raw, bounds, header_left, index, open: Vec::new(), at: 0, lines: 0, hyphens }
    }

    fn begin(&mut self) -> crate::fields::MessageFields {
        let length = section_length(self.raw);
        let fields = message_fields(&self.raw[..length], &mut self.index.ambiguities);
        self.open_part(0, 0, length, false);
        fields
    }

    /// The next line that may delimit: one that begins with two hyphens. What lies before is counted in one go, since
    /// most of a message is that.
    fn next_line(&mut self) -> Option<Line> {
        let rest = self.raw.get(self.at..).filter(|rest| !rest.is_empty())?;
        let is_whole = self.open.iter().all(|open| open.boundary.is_none() || open.closed);
        let found = if is_whole {
            None
        } else if rest.starts_with(b"--") {
            Some(0)
        } else {
            self.hyphens.find(rest).map(|lf| lf + 1)
        };
        let passed = &rest[..found.unwrap_or(rest.len())];
        self.lines += memchr_iter(b'\n', passed).count() as u32;
        let Some(offset) = found else {
            self.at = self.raw.len();
            self.lines += u32::from(!passed.ends_with(b"\n"));
            return None;
        };
        let start = self.at + offset;
        let end = memchr(b'\n', &self.raw[start..]).map_or(self.raw.len(), |lf| start + lf + 1);
        self.at = end;
        self.lines += 1;
        Some(Line { start, end })
    }

    /// A line that may be a delimiter of any open multipart (RFC 2046 §5.1.1): the outermost one that has it wins over
    /// parts inside, since those are not allowed to contain it.
    fn line(&mut self, line: Line) {
        let text = self.raw[line.start + 2..line.end].trim_ascii_end();
        let matches = |open: &Open| {
            let boundary = open.boundary.as_ref().filter(|_| !open.closed)?;
            match text.strip_prefix(&boundary[..])? {
                b"" => Some(false),
                b"--" => Some(true),
                _ => None,
            }
        };
        let found =
            self.open.iter().enumerate().rev().find_map(|(at, open)| Some((at, matches(open)?)));
        let Some((at, closes)) = found else { return };
        // The line end before a delimiter belongs to the delimiter.
        let before =
            self.raw[..line.start].strip_suffix(b"\n").map(|b| b.strip_suffix(b"\r").unwrap_or(b));
        self.close_to(at + 1, before.map_or(line.start, <[u8]>::len));
        let open = &mut self.open[at];
        open.begun = true;
        open.closed = closes;
        let (parent, digest) = (open.part, open.digest);
        if !closes {
            self.child(parent, line.end, digest);
        }
    }

    /// A part of a multipart begins.
    fn child(&mut self, parent: usize, start: usize, digest: bool) {
        if self.index.parts.len() >= self.bounds.parts || self.open.len() >= DEPTH_MAX {
            self.index.truncated = true;
            return;
        }
        // A delimiter may come before the blank line: the header section ends there then.
        let end = start + self.header_length(start);
        self.open_part(parent, start, end, digest);
    }

    /// Length of a header section that an open boundary may cut short.
    fn header_length(&self, start: usize) -> usize {
        let rest = &self.raw[start..];
        let mut at = 0;
        while let Some(lf) = memchr(b'\n', &rest[at..]) {
            let line = &rest[at..at + lf + 1];
            if line == b"\r\n" || line == b"\n" {
                return at + lf + 1;
            }
            if line.starts_with(b"--") && self.is_delimiter(line) {
                return at;
            }
            at += lf + 1;
        }
        if rest[at..].starts_with(b"--") && self.is_delimiter(&rest[at..]) {
            at
        } else {
            rest.len()
        }
    }

    fn is_delimiter(&self, line: &[u8]) -> bool {
        let text = line[2..].trim_ascii_end();
        self.open.iter().any(|open| {
            let boundary = open.boundary.as_deref().filter(|_| !open.closed);
            boundary
                .and_then(|b| text.strip_prefix(b))
                .is_some_and(|rest| matches!(rest, b"" | b"--"))
        })
    }

    /// Opens the part whose header section is `start..end`, and the messages that it is made of.
    fn open_part(&mut self, parent: usize, start: usize, end: usize, digest: bool) {
        let (mut parent, mut start, mut end, mut digest) = (parent, start, end, digest);
        loop {
            self.skip_to(end);
            let Some(left) = self.header_left.checked_sub(end - start) else {
                self.index.truncated = true;
                return;
            };
            self.header_left = left;
            let section = &self.raw[start..end];
            let mut part = part_fields(section, digest, &mut self.index.ambiguities);
            part.parent = u32::try_from(parent).unwrap_or(u32::MAX);
            part.header = Span { start: start as u64, end: end as u64 };
            part.body = Span { start: end as u64, end: end as u64 };
            let is_message = is_message(&part);
            let boundary = self.boundary(&part);
            let encoded = is_encoded(&part);
            let at = self.index.parts.len();
            let room = self.open.len() + 1 < DEPTH_MAX && at + 1 < self.bounds.parts;
            if (is_message || is_multipart(&part)) && encoded {
                note(&mut self.index.ambiguities, Ambiguity::EncodedComposite);
            }
            part.kind = match (&boundary, is_message && !encoded && room) {
                (Some(_), _) => PartKind::Multipart,
                (None, true) => PartKind::Message,
                (None, false) => PartKind::Leaf,
            };
            if is_message && !encoded && !room {
                self.index.truncated = true;
            }
            if is_multipart(&part) && boundary.is_none() {
                settle(&mut part);
            }
            let digest_inside = part.subtype.eq_ignore_ascii_case(b"digest");
            let kind = part.kind;
            self.index.parts.push(part);
            self.open.push(Open {
                part: at,
                boundary,
                lines_before: self.lines,
                begun: false,
                closed: false,
                digest: digest_inside,
            });
            if kind != PartKind::Message {
                return;
            }
            // The message inside begins where the part's body does.
            (parent, start, digest) = (at, end, false);
            end = start + self.header_length(start);
            if end - start > self.header_left {
                self.index.truncated = true;
                return;
            }
            let fields = message_fields(&self.raw[start..end], &mut Vec::new());
            self.index.parts[at].envelope = Some(fields.envelope);
        }
    }

    fn boundary(&mut self, part: &Part) -> Option<Vec<u8>> {
        if !is_multipart(part) {
            return None;
        }
        let found = part.parameters.iter().find(|(name, _)| name == b"boundary");
        let boundary = found.map(|(_, value)| value.trim_ascii_end().to_vec());
        let boundary = boundary.filter(|boundary| !boundary.is_empty() && boundary.len() <= 1000);
        if boundary.is_none() {
            note(&mut self.index.ambiguities, Ambiguity::NoBoundary);
        }
        boundary
    }

    /// Moves past a header section, whose lines count too.
    fn skip_to(&mut self, end: usize) {
        if end > self.at {
            self.lines += memchr_iter(b'\n', &self.raw[self.at..end]).count() as u32;
            self.at = end;
        }
    }

    /// Closes all parts above `depth`; their bodies end at `end`.
    fn close_to(&mut self, depth: usize, end: usize) {
        while self.open.len() > depth {
            let Some(open) = self.open.pop() else { return };
            if open.boundary.is_some() {
                if !open.begun {
                    note(&mut self.index.ambiguities, Ambiguity::NoBoundary);
                } else if !open.closed {
                    note(&mut self.index.ambiguities, Ambiguity::NotClosed);
                }
                self.settle_empty(&open);
            }
            let part = &mut self.index.parts[open.part];
            part.body.end = part.body.start.max(end as u64);
            // The current line, a delimiter, was counted already unless this is the end of the message.
            let delimiter = u32::from(end < self.raw.len() && depth > 0);
            let lines = self.lines.saturating_sub(open.lines_before).saturating_sub(delimiter);
            part.lines = if part.body.length() == 0 { 0 } else { lines };
        }
    }

    /// A multipart without any part cannot be told to a client as one: it is something that claims too much.
    fn settle_empty(&mut self, open: &Open) {
        if self.index.parts.len() == open.part + 1 {
            settle(&mut self.index.parts[open.part]);
        }
    }
}

/// RFC 2045 §5.2: what a multipart that has no parts stands for; in an encoding that it must not have, it may be anything.
fn settle(part: &mut Part) {
    let (media_type, subtype): (&[u8], &[u8]) =
        if is_encoded(part) { (b"application", b"octet-stream") } else { (b"text", b"plain") };
    part.kind = PartKind::Leaf;
    (part.media_type, part.subtype) = (media_type.to_vec(), subtype.to_vec());
}

fn is_multipart(part: &Part) -> bool {
    part.media_type.eq_ignore_ascii_case(b"multipart")
}

fn is_message(part: &Part) -> bool {
    part.media_type.eq_ignore_ascii_case(b"message")
        && (part.subtype.eq_ignore_ascii_case(b"rfc822")
            || part.subtype.eq_ignore_ascii_case(b"global"))
}

/// RFC 2045 §6.4: composite types have no encoding of their own. The name of one before a multipart is passed over, since
/// its delimiters stand in the clear or it has no parts; a message in one stays whole, since it may be true.
fn is_encoded(part: &Part) -> bool {
    let plain: [&[u8]; 3] = [b"7bit", b"8bit", b"binary"];
    !plain.iter().any(|name| part.encoding.eq_ignore_ascii_case(name))
}

fn has_ascii_fields(raw: &[u8], index: &Index) -> bool {
    index.parts.iter().all(|part| {
        let Span { start, end } = part.header;
        raw.get(start as usize..end as usize).is_some_and(<[u8]>::is_ascii)
    })
}

/// Whether a message can go out over any protocol as it stands, if its header fields can. Every CR must have its LF and every LF its CR too: an SMTP
/// client sends neither alone (RFC 5321 §2.3.8).
fn is_plain(raw: &[u8]) -> bool {
    if !raw.ends_with(b"\r\n") || raw.starts_with(b".") {
        return false;
    }
    let mut pairs = 0;
    for lf in memchr_iter(b'\n', raw) {
        let after_cr = lf.checked_sub(1).is_some_and(|before| raw[before] == b'\r');
        if !after_cr || raw.get(lf + 1) == Some(&b'.') {
            return false;
        }
        pairs += 1;
    }
    // Each LF has its CR, so a CR more stands alone.
    memchr_iter(b'\r', raw).count() == pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use pillarbox_engine::message::{SectionText, section};

    fn text<'a>(raw: &'a [u8], index: &Index, path: &[u32], what: SectionText) -> &'a str {
        let span = section(index, path, what).expect("the section is there");
        let range = span.start as usize..span.end as usize;
        std::str::from_utf8(&raw[range]).expect("the sample is UTF-8")
    }

    const NESTED: &[u8] = b"From: a@b\r\nSubject: s\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/mixed; boundary=\r\n \"o\"\r\n\r\npreamble\r\n--o\r\n\r\none\r\ntwo\r\n\
        --o\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\nContent-Type: multipart/alternative; boundary=oo\r\n\r\n\
        --oo\r\n\r\nplain\r\n--oo\r\nContent-Type: text/html\r\n\r\n<p>\r\n--oo--\r\nepilogue\r\n--o--\r\nend\r\n";

    #[test]
    fn sections_are_found() {
        let index = index(NESTED, NESTED.len() as u64);
        let at = |path: &[u32], what| text(NESTED, &index, path, what);
        assert_eq!(at(&[1], SectionText::Whole), "one\r\ntwo");
        assert_eq!(at(&[2, 1], SectionText::Whole), "plain");
        assert_eq!(at(&[2, 2], SectionText::Whole), "<p>");
        assert_eq!(at(&[2, 2], SectionText::Mime), "Content-Type: text/html\r\n\r\n");
        assert!(at(&[2], SectionText::Header).starts_with("Subject: inner\r\n"));
        assert!(at(&[2], SectionText::Text).starts_with("--oo\r\n"));
        assert!(at(&[2], SectionText::Whole).ends_with("epilogue"));
        assert_eq!(section(&index, &[3], SectionText::Whole), None);
        assert_eq!(section(&index, &[1, 1], SectionText::Whole), None);
        assert_eq!(section(&index, &[1], SectionText::Header), None);
        assert_eq!(index.parts[1].lines, 2);
        assert_eq!(index.ambiguities, []);
        let inner = index.parts[2].envelope.as_ref().and_then(|e| e.subject.as_deref());
        assert_eq!(inner, Some(&b"inner"[..]));
    }

    #[test]
    fn every_prefix_has_spans_within_it_and_survives_encoding() {
        for end in 0..NESTED.len() {
            let index = index(&NESTED[..end], end as u64);
            for part in &index.parts {
                assert!(part.header.end <= end as u64 && part.body.end <= end as u64);
            }
            assert_eq!(Index::decode(&index.encode()), Ok(index));
        }
    }

    #[test]
    fn a_composite_type_that_cannot_be_read_is_none() {
        let one = b"\r\n--b\r\n\r\nhello\r\n--b--\r\n";
        let told = |head: &[u8]| {
            let raw = [head, one].concat();
            let index = index(&raw, raw.len() as u64);
            let part = &index.parts[0];
            let media_type = [&part.media_type[..], b"/", &part.subtype].concat();
            (String::from_utf8(media_type).expect("ASCII"), index.parts.len(), index.ambiguities)
        };
        let mixed = "Content-Type: multipart/mixed; boundary=b\r\n";
        let encoded = told(format!("{mixed}Content-Transfer-Encoding: base64\r\n").as_bytes());
        assert_eq!((&encoded.0[..], encoded.1), ("multipart/mixed", 2));
        assert!(encoded.2.contains(&Ambiguity::EncodedComposite));
        let other = mixed.replace("=b", "=c");
        let hidden = told(format!("{other}Content-Transfer-Encoding: base64\r\n").as_bytes());
        assert_eq!((&hidden.0[..], hidden.1), ("application/octet-stream", 1));
        let bare = told(b"Content-Type: multipart/mixed\r\n");
        assert_eq!((&bare.0[..], bare.1), ("text/plain", 1));
        assert!(bare.2.contains(&Ambiguity::NoBoundary));
        let other = told(b"Content-Type: multipart/mixed; boundary=c\r\n");
        assert_eq!((&other.0[..], other.1), ("text/plain", 1));
    }

    #[test]
    fn a_message_without_parts_is_its_own_part_one() {
        let raw = b"Subject: x\r\n\r\nhello\r\n";
        let index = index(raw, raw.len() as u64);
        assert_eq!(text(raw, &index, &[1], SectionText::Whole), "hello\r\n");
        assert_eq!(text(raw, &index, &[], SectionText::Text), "hello\r\n");
        assert_eq!(section(&index, &[2], SectionText::Whole), None);
        assert_eq!(index.parts[0].lines, 1);
        assert!(index.plain);
    }

    #[test]
    fn a_small_message_has_the_same_index_either_way() {
        let leaf = b"From: a@b.example\r\nSubject: s\r\n\r\n--text\r\n".to_vec();
        let parts =
            b"--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: i\r\n\r\nt\r\n".repeat(20);
        let head = &b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"[..];
        for raw in [leaf, [head, &parts, b"--x--\r\n--x\r\nno part\r\n"].concat()] {
            assert_eq!(index_small(&raw), Some(index(&raw, raw.len() as u64)));
        }
        let header = |size| [&vec![b'x'; size][..], b": y\r\n\r\n"].concat();
        assert!(index_small(&header(16_000)).is_some());
        assert_eq!(index_small(&header(17_000)), None);
        let inner = [b"Content-Type: message/rfc822\r\n\r\n".to_vec(), header(17_000)].concat();
        assert_eq!(index_small(&inner), None);
    }

    #[test]
    fn what_must_be_changed_on_its_way_is_not_plain() {
        let wrong: [&[u8]; 7] =
            [b"", b"a: b\r\n\r\n.\r\n", b".\r\n", b"a", b"a\nb\r\n", b"a\rb\r\n", b"\n\r\r\n"];
        for raw in wrong {
            assert!(!is_plain(raw), "{}", raw.escape_ascii());
        }
        assert!(is_plain(b"a: b\r\n\r\na.\r\n"));
        let is_plain = |text: &str| index(text.as_bytes(), text.len() as u64).plain;
        assert!(is_plain("a: b\r\n\r\nä\r\n"));
        assert!(!is_plain("a: ä\r\n\r\nb\r\n"));
        let multipart = "Content-Type: multipart/mixed; boundary=x\r\n\r\n\
            --x\r\na: FIELD\r\n\r\nä\r\n--x--\r\n";
        assert!(is_plain(multipart));
        assert!(!is_plain(&multipart.replace("FIELD", "ä")));
    }

    /// reliability: what is plain goes out as it stands, so none of the 600 forms of an end of data may be.
    #[test]
    fn no_form_of_end_of_data_is_plain() {
        let ends: [&[u8]; 10] = [
            b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n\0", b"\0\r\n", b"\r\0\n", b"\x85",
            b"\x0b",
        ];
        let middles: [&[u8]; 6] = [b".", b"..", b". ", b".\0", b"\0.", b"\xae"];
        let (mut count, mut plain) = (0, 0);
        for left in ends {
            for middle in middles {
                for right in ends {
                    let raw = [b"a: b\r\n\r\nc", left, middle, right, b"d\r\n"].concat();
                    let pairs = String::from_utf8_lossy(&raw).replace("\r\n", "");
                    let lone = pairs.contains(['\r', '\n']);
                    let stuffed = raw.windows(2).any(|two| two == b"\n.");
                    assert_eq!(is_plain(&raw), !lone && !stuffed, "{}", raw.escape_ascii());
                    count += 1;
                    plain += usize::from(is_plain(&raw));
                }
            }
        }
        assert!(count == 600 && plain > 50 && plain < 300, "{plain}");
    }

    #[test]
    fn bombs_are_bounded() {
        let deep: Vec<u8> = (0..5000)
            .flat_map(|n| {
                format!("Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n")
                    .into_bytes()
            })
            .collect();
        let deep_index = index(&deep, deep.len() as u64);
        assert!(deep_index.parts.len() <= DEPTH_MAX + 1 && deep_index.truncated);
        let wide = [
            &b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"[..],
            &b"--x\r\n\r\n".repeat(50_000),
        ]
        .concat();
        let wide_index = index(&wide, wide.len() as u64);
        assert!(wide_index.parts.len() <= PARTS_MAX && wide_index.truncated);
        let nested = b"Content-Type: message/rfc822\r\n\r\n".repeat(5000);
        let nested_index = index(&nested, nested.len() as u64);
        assert!(nested_index.parts.len() <= DEPTH_MAX && nested_index.truncated);
        for bomb in [&deep, &wide, &nested] {
            assert_eq!(index_small(bomb), None);
        }
    }
}
