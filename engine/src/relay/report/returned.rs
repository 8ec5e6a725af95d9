//! What of the message goes back: all of it, or its header section (RFC 3461 §6.2, RFC 6522 §3), labelled as what it is.
//! A message may not be encoded inside of a report (RFC 2046 §5.2.1), so one that no server would carry is not returned whole.

use alloc::borrow::Cow;
use alloc::format;
use alloc::vec::Vec;

use super::{Context, may_return_all};
use crate::limits::{REPORT_HEADER_MAX, REPORT_MESSAGE_MAX};
use crate::message::seven_bit::QuotedPrintable;
use crate::text::header;

/// RFC 5321 §4.5.3.1.6: octets of a line, without its end.
const LINE_MAX: usize = 998;

/// The third part.
pub(super) struct Returned<'a> {
    /// `type/subtype`
    label: &'static str,
    encoding: Encoding,
    content: Cow<'a, [u8]>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    SevenBit,
    EightBit,
    QuotedPrintable,
}

/// The beginning of a message up to its body, without the blank line; cut after a whole field where it is too long.
pub(super) fn section(message: &[u8]) -> &[u8] {
    let section = &message[..header::section_length(message)];
    let bare = section.strip_suffix(b"\r\n").unwrap_or(section);
    let section = if bare.is_empty() || bare.ends_with(b"\n") { bare } else { section };
    if section.len() <= REPORT_HEADER_MAX {
        return section;
    }
    let cut = &section[..REPORT_HEADER_MAX];
    let end = header::fields(cut).map(|field| field.end).filter(|end| *end < cut.len()).last();
    &cut[..end.unwrap_or(cut.len())]
}

impl<'a> Returned<'a> {
    pub(super) fn new(cx: &Context<'a>) -> Self {
        Self::whole(cx).unwrap_or_else(|| Self::header(cx))
    }

    fn whole(cx: &Context<'a>) -> Option<Self> {
        let report = cx.report;
        let message = &report.message[..];
        let complete = message.len() as u64 == report.message_size
            && report.message_size <= REPORT_MESSAGE_MAX
            && !message.is_empty();
        let asked = may_return_all(cx.kind(), &report.mail, report.ret_max);
        if !complete || !asked || !is_carried(message) {
            return None;
        }
        let label = match cx.section.is_ascii() {
            true => "message/rfc822",
            false if cx.utf8 && core::str::from_utf8(cx.section).is_ok() => "message/global",
            // Eight bits in a header that nobody has named: it can only go back encoded.
            false => return None,
        };
        let encoding = if message.is_ascii() { Encoding::SevenBit } else { Encoding::EightBit };
        Some(Self { label, encoding, content: Cow::Borrowed(message) })
    }

    fn header(cx: &Context<'a>) -> Self {
        let section = cx.section;
        let carried = is_carried(section);
        if carried && section.is_ascii() {
            let content = Cow::Borrowed(section);
            return Self { label: "text/rfc822-headers", encoding: Encoding::SevenBit, content };
        }
        if carried && cx.utf8 && core::str::from_utf8(section).is_ok() {
            let content = Cow::Borrowed(section);
            return Self { label: "message/global-headers", encoding: Encoding::EightBit, content };
        }
        let mut content = Vec::with_capacity(section.len());
        let mut encoder = QuotedPrintable::default();
        encoder.take(&with_line_ends(section), &mut content);
        encoder.finish(&mut content);
        Self {
            label: "text/rfc822-headers",
            encoding: Encoding::QuotedPrintable,
            content: Cow::Owned(content),
        }
    }

    pub(super) fn content(&self) -> &[u8] {
        &self.content
    }

    pub(super) fn is_eight_bit(&self) -> bool {
        self.encoding == Encoding::EightBit
    }

    /// The part with its own header.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("Content-Type: {}\r\n", self.label).as_bytes());
        let encoding: &[u8] = match self.encoding {
            Encoding::SevenBit => b"",
            Encoding::EightBit => b"Content-Transfer-Encoding: 8bit\r\n",
            Encoding::QuotedPrintable => b"Content-Transfer-Encoding: quoted-printable\r\n",
        };
        out.extend_from_slice(encoding);
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.content);
    }
}

/// Whether every server carries it as it is: lines that end with CRLF and are not too long, and no NUL.
fn is_carried(octets: &[u8]) -> bool {
    let line = |line: &[u8]| {
        let whole = line.strip_suffix(b"\n");
        let text = whole.map_or(Some(line), |text| text.strip_suffix(b"\r"));
        text.is_some_and(|text| text.len() <= LINE_MAX && memchr::memchr2(0, b'\r', text).is_none())
    };
    octets.split_inclusive(|octet| *octet == b'\n').all(line)
}

/// Every line end as CRLF; a CR alone and NUL are no text.
fn with_line_ends(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len());
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        out.extend(text.iter().map(|octet| if matches!(octet, 0 | b'\r') { b'?' } else { *octet }));
        if line.ends_with(b"\n") {
            out.extend_from_slice(b"\r\n");
        }
    }
    out
}
