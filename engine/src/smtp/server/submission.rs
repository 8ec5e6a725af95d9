//! What a submission server does to a message (RFC 6409 §8): adds the From, Date and Message-ID that are missing, and takes
//! Bcc out. Everything else passes as it came.

use alloc::vec::Vec;

use memchr::memchr;

use crate::trace::Rule;

/// RFC 6409 §8.
pub(super) const COMPLETION: Rule = Rule {
    rfc: 6409,
    section: "8",
    gist: "A submission server may complete what a user agent left out, which a relay must leave alone.",
};

/// RFC 6409 §4.2. They are refused rather than completed: whose domain a short name means is a guess.
pub(super) const QUALIFIED: Rule = Rule {
    rfc: 6409,
    section: "4.2",
    gist: "A submission server sees to it that the domains of the envelope are whole ones.",
};

/// Octets of a line after which it is decided that it is no field: no honest name is as long.
const NAME_MAX: usize = 128;

/// Whether a domain stands for itself everywhere: one label alone does not, unless this server's own name is one.
pub(super) fn is_qualified(domain: &[u8], host_name: &[u8]) -> bool {
    let whole = |name: &[u8]| name.is_empty() || name.starts_with(b"[") || name.contains(&b'.');
    whole(domain) || !whole(host_name)
}

/// A message on its way through; fed piece by piece, the result does not depend on where it is cut.
#[derive(Clone, Debug)]
pub(super) struct Completion {
    /// The line so far, while it is not known what it is.
    line: Vec<u8>,
    place: Place,
    /// Nothing was decided yet.
    first: bool,
    /// The field that the last line belongs to is taken out.
    dropping: bool,
    /// What is added at the end of the header section, as whole lines; emptied when the message has its own.
    from: Vec<u8>,
    date: Vec<u8>,
    message_id: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// At the beginning of a line of the header section, or within it and undecided.
    Undecided,
    /// In a line of the header section.
    Line,
    /// Behind the header section.
    Body,
}

impl Completion {
    /// One that adds these lines if the message has no such field.
    pub(super) fn new(from: Vec<u8>, date: Vec<u8>, message_id: Vec<u8>) -> Self {
        let (line, place) = (Vec::new(), Place::Undecided);
        Self { line, place, first: true, dropping: false, from, date, message_id }
    }

    /// The next octets, as they are to be stored; `end` says that they are the last.
    pub(super) fn pass(&mut self, octets: &[u8], end: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(octets.len() + 128);
        let mut rest = octets;
        while !rest.is_empty() {
            rest = match self.place {
                Place::Body => {
                    out.extend_from_slice(rest);
                    &[]
                }
                Place::Line => self.pass_line(rest, &mut out),
                Place::Undecided => self.decide(rest, &mut out),
            };
        }
        if end && self.place != Place::Body {
            self.end(&mut out);
        }
        out
    }

    /// Passes the rest of a line that is known; gives what is behind it.
    fn pass_line<'a>(&mut self, octets: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        let end = memchr(b'\n', octets).map_or(octets.len(), |lf| lf + 1);
        let (line, rest) = octets.split_at(end);
        if !self.dropping {
            out.extend_from_slice(line);
        }
        if line.ends_with(b"\n") {
            self.place = Place::Undecided;
        }
        rest
    }

    /// Takes octets until it is known what the line is; gives what is behind them.
    fn decide<'a>(&mut self, octets: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        for (at, &octet) in octets.iter().enumerate() {
            self.line.push(octet);
            let folded = self.line.len() == 1 && !self.first && matches!(octet, b' ' | b'\t');
            if folded || matches!(octet, b':' | b'\n') || self.line.len() == NAME_MAX {
                self.decided(folded, out);
                return &octets[at + 1..];
            }
        }
        &[]
    }

    fn decided(&mut self, folded: bool, out: &mut Vec<u8>) {
        let line = core::mem::take(&mut self.line);
        let first = core::mem::replace(&mut self.first, false);
        let ended = line.ends_with(b"\n");
        self.place = if ended { Place::Undecided } else { Place::Line };
        if folded {
            // It belongs to the field before it, with which it goes or stays.
        } else if let Some(name) = field_name(&line) {
            self.dropping = ["bcc", "resent-bcc"].iter().any(|bcc| is(name, bcc));
            if is(name, "from") {
                self.from.clear();
            } else if is(name, "date") {
                self.date.clear();
            } else if is(name, "message-id") {
                self.message_id.clear();
            }
        } else {
            self.dropping = false;
            // Some user agents put the line first that begins a message in a Unix mailbox.
            let of_mailbox = first && (line.starts_with(b"From ") || line.starts_with(b">From "));
            if !of_mailbox {
                // A blank line ends the header section, and so does what is no field; then the blank line is missing.
                self.add(out);
                if line != b"\r\n" {
                    out.extend_from_slice(b"\r\n");
                }
                self.place = Place::Body;
            }
        }
        if !self.dropping {
            out.extend_from_slice(&line);
        }
    }

    /// The message has ended within its header section.
    fn end(&mut self, out: &mut Vec<u8>) {
        if self.place == Place::Line && !self.dropping {
            // Only BDAT can end without CRLF.
            out.extend_from_slice(b"\r\n");
        } else if !self.line.is_empty() {
            self.line.extend_from_slice(b"\r\n");
            self.decided(false, out);
        }
        if self.place != Place::Body {
            self.add(out);
        }
        self.place = Place::Body;
    }

    fn add(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.from);
        out.append(&mut self.date);
        out.append(&mut self.message_id);
    }
}

/// The name of a line that is a field (RFC 5322 §2.2; white space before the colon is obsolete, §4.5).
fn field_name(line: &[u8]) -> Option<&[u8]> {
    let name = line.strip_suffix(b":")?.trim_ascii_end();
    let right = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    right.then_some(name)
}

fn is(name: &[u8], field: &str) -> bool {
    name.eq_ignore_ascii_case(field.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a message, checked to be the same however it is cut.
    fn complete(input: &[u8]) -> Vec<u8> {
        let new = || {
            let from = b"From: a@b.c\r\n".to_vec();
            Completion::new(from, b"Date: now\r\n".to_vec(), b"Message-ID: <new>\r\n".to_vec())
        };
        let whole = new().pass(input, true);
        for size in 1..=input.len().max(1) {
            let mut completion = new();
            let mut out = Vec::new();
            input.chunks(size).for_each(|piece| out.extend(completion.pass(piece, false)));
            out.extend(completion.pass(b"", true));
            assert_eq!(out, whole, "in pieces of {size}");
        }
        whole
    }

    #[test]
    fn missing_fields_are_added_at_the_end_of_the_header_section() {
        let added = "From: a@b.c\r\nDate: now\r\nMessage-ID: <new>\r\n";
        let cases = [
            ("A: b\r\n\r\nbody\r\n", alloc::format!("A: b\r\n{added}\r\nbody\r\n")),
            ("A: b\r\n c\r\n", alloc::format!("A: b\r\n c\r\n{added}")),
            ("\r\nbody\r\n", alloc::format!("{added}\r\nbody\r\n")),
            ("no field\r\n", alloc::format!("{added}\r\nno field\r\n")),
            (
                "A: b\r\nno field\r\nDate: x\r\n",
                alloc::format!("A: b\r\n{added}\r\nno field\r\nDate: x\r\n"),
            ),
            (
                "From x Mon 12:00\r\nA: b\r\n\r\n",
                alloc::format!("From x Mon 12:00\r\nA: b\r\n{added}\r\n"),
            ),
            ("A: b", alloc::format!("A: b\r\n{added}")),
            ("A", alloc::format!("{added}\r\nA\r\n")),
            (
                "date : x\r\nfrom\t: y\r\n\r\n",
                "date : x\r\nfrom\t: y\r\nMessage-ID: <new>\r\n\r\n".into(),
            ),
            (
                "MESSAGE-ID:\r\nDate:\r\n\r\n.",
                "MESSAGE-ID:\r\nDate:\r\nFrom: a@b.c\r\n\r\n.".into(),
            ),
        ];
        for (input, expected) in cases {
            let came = complete(input.as_bytes());
            assert_eq!(came, expected.as_bytes(), "{input:?}: {}", came.escape_ascii());
        }
        let long = alloc::format!("{}:\r\n", "x".repeat(200));
        let expected = alloc::format!("{added}\r\n{long}");
        assert_eq!(complete(long.as_bytes()), expected.as_bytes());
    }

    #[test]
    fn blind_copies_are_taken_out_with_all_their_lines() {
        let own = "From: a@b.c\r\nDate: x\r\nMessage-ID: <y>\r\n";
        let cases = [
            ("Bcc: a\r\n\tb,\r\n c\r\nTo: d\r\n\r\nBcc: e\r\n", "To: d\r\n\r\nBcc: e\r\n"),
            ("bcc :a\r\nResent-BCC:\r\n x\r\n\r\n", "\r\n"),
            ("Bccx: a\r\nX-Bcc: b\r\nBcc\r\n", "Bccx: a\r\nX-Bcc: b\r\n\r\nBcc\r\n"),
            ("Bcc: a", ""),
        ];
        for (input, expected) in cases {
            let input = [own, input].concat();
            assert_eq!(complete(input.as_bytes()), [own, expected].concat().as_bytes(), "{input}");
        }
    }
}
