//! A command's line as it is put together: text, strings that must be literals, and a message that follows.
//! Every value is quoted, encoded or made a literal, so no line can hold a second command.

use alloc::vec::Vec;

use crate::imap::grammar::encode_utf7;
use crate::types::BlobId;

/// Octets of a string that is quoted: servers bound their lines.
const QUOTED_MAX: usize = 1000;

/// A piece of a command's line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// Octets of the line.
    Octets(Vec<u8>),
    /// Likewise, to be masked wherever they are shown.
    Secret(Vec<u8>),
    /// A literal.
    Literal { octets: Vec<u8>, secret: bool },
    /// A message as a literal.
    Message(Message),
}

/// A message to append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) blob: BlobId,
    pub(super) size: u64,
    /// As a literal8 (RFC 3516 §4.4).
    pub(super) binary: bool,
}

/// A command without its tag and its CRLF.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) segments: Vec<Segment>,
}

impl Line {
    pub(super) fn new(text: &str) -> Self {
        let mut line = Self::default();
        line.text(text.as_bytes());
        line
    }

    /// Octets that are right as they stand.
    pub(super) fn text(&mut self, octets: &[u8]) {
        if let Some(Segment::Octets(last)) = self.segments.last_mut() {
            last.extend_from_slice(octets);
        } else {
            self.segments.push(Segment::Octets(octets.to_vec()));
        }
    }

    /// What another line holds.
    pub(super) fn append(&mut self, other: Self) {
        for segment in other.segments {
            match segment {
                Segment::Octets(octets) => self.text(&octets),
                segment => self.segments.push(segment),
            }
        }
    }

    /// `string`: quoted where it can be, else a literal.
    pub(super) fn string(&mut self, octets: &[u8], utf8: bool) {
        match quoted(octets, utf8) {
            Some(quoted) => self.text(&quoted),
            None => self.segments.push(Segment::Literal { octets: octets.to_vec(), secret: false }),
        }
    }

    /// As `string`, for what must not be shown.
    pub(super) fn secret(&mut self, octets: &[u8], utf8: bool) {
        self.segments.push(match quoted(octets, utf8) {
            Some(quoted) => Segment::Secret(quoted),
            None => Segment::Literal { octets: octets.to_vec(), secret: true },
        });
    }

    /// A mailbox's name or a pattern of names: UTF-8 where both sides have agreed on it, modified UTF-7 else.
    pub(super) fn mailbox(&mut self, name: &[u8], utf8: bool) {
        if utf8 { self.string(name, true) } else { self.string(&encode_utf7(name), false) }
    }

    /// Octets of the line and its literals, messages left out.
    pub(super) fn length(&self) -> usize {
        let length = |segment: &Segment| match segment {
            Segment::Octets(octets) | Segment::Secret(octets) | Segment::Literal { octets, .. } => {
                octets.len()
            }
            Segment::Message(_) => 0,
        };
        self.segments.iter().map(length).sum()
    }
}

fn quoted(octets: &[u8], utf8: bool) -> Option<Vec<u8>> {
    let plain = |octet: &u8| (b' '..=b'~').contains(octet) || (utf8 && *octet >= 0x80);
    let right = octets.len() <= QUOTED_MAX
        && octets.iter().all(plain)
        && core::str::from_utf8(octets).is_ok();
    right.then(|| {
        let mut out = Vec::with_capacity(octets.len() + 2);
        out.push(b'"');
        for &octet in octets {
            if matches!(octet, b'"' | b'\\') {
                out.push(b'\\');
            }
            out.push(octet);
        }
        out.push(b'"');
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_quoted_where_they_can_be() {
        let mut line = Line::new("X ");
        line.string(b"a\"b\\", false);
        line.text(b" ");
        line.mailbox("Entwürfe".as_bytes(), false);
        line.text(b" ");
        line.mailbox("ä".as_bytes(), true);
        let text = "X \"a\\\"b\\\\\" \"Entw&APw-rfe\" \"ä\"".as_bytes().to_vec();
        assert_eq!(line.segments, [Segment::Octets(text)]);
        for wild in [&b"a\r\nX LOGOUT"[..], b"\xff", "ä".as_bytes(), &[b'x'; 1001]] {
            let mut line = Line::default();
            line.string(wild, false);
            let octets = wild.to_vec();
            assert_eq!(line.segments, [Segment::Literal { octets, secret: false }]);
        }
    }
}
