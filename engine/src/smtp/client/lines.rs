//! Message octets as lines on the wire: every line ends with CRLF, and a leading dot is doubled (RFC 5321 §4.5.2).
//! What comes in may be cut anywhere; what goes out cannot hold an end of data.

use alloc::vec::Vec;

use memchr::memchr2;

use crate::trace::Rule;

/// RFC 5321 §2.3.8.
pub(super) const LINE_ENDS: Rule = Rule {
    rfc: 5321,
    section: "2.3.8",
    gist: "A client sends CR and LF only together, as the end of a line.",
};
/// RFC 5321 §4.5.2.
pub(super) const STUFFING: Rule = Rule {
    rfc: 5321,
    section: "4.5.2",
    gist: "A line of the message that begins with a dot is sent with one more, so that no line of it ends the data.",
};

/// Turns message octets into lines, as this project reads them everywhere: LF ends a line, CR before it belongs to it.
///
/// An LF that stands alone becomes CRLF, and a CR that stands alone a space. Neither may be sent as it is, and refusing
/// would leave a message stuck that was stored long ago. A lone CR must not become a line end: in a header section that
/// would make a second field, or the body's beginning, out of what was checked as one. Dots are doubled after that, so
/// whatever a later server takes for a line end, there is no end of data that we did not send.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    /// Whether leading dots are doubled: with DATA, not with BDAT.
    stuffing: bool,
    at_line_start: bool,
    /// A CR came last, and what it is the next octet tells.
    after_cr: bool,
}

impl Lines {
    pub(crate) fn new(stuffing: bool) -> Self {
        Self { stuffing, at_line_start: true, after_cr: false }
    }

    /// Takes the next octets and adds what is to be sent.
    pub(crate) fn take(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        let mut rest = octets;
        while let Some(&first) = rest.first() {
            if self.after_cr {
                self.after_cr = false;
                if first != b'\n' {
                    self.put(b" ", out);
                }
            }
            let end = memchr2(b'\r', b'\n', rest);
            self.put(&rest[..end.unwrap_or(rest.len())], out);
            let Some(end) = end else { return };
            if rest[end] == b'\n' {
                out.extend_from_slice(b"\r\n");
                self.at_line_start = true;
            } else {
                self.after_cr = true;
            }
            rest = &rest[end + 1..];
        }
    }

    /// The message is over: its last line must end too.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        if core::mem::take(&mut self.after_cr) {
            self.put(b" ", out);
        }
        if !self.at_line_start {
            out.extend_from_slice(b"\r\n");
            self.at_line_start = true;
        }
    }

    /// Octets within a line.
    fn put(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        if octets.is_empty() {
            return;
        }
        if self.stuffing && self.at_line_start && octets[0] == b'.' {
            out.push(b'.');
        }
        out.extend_from_slice(octets);
        self.at_line_start = false;
    }
}

/// Whether every CR has its LF and every LF its CR.
#[cfg(test)]
pub(super) fn is_canonical(octets: &[u8]) -> bool {
    let mut rest = octets;
    while let Some(at) = memchr2(b'\r', b'\n', rest) {
        if rest[at] == b'\n' || rest.get(at + 1) != Some(&b'\n') {
            return false;
        }
        rest = &rest[at + 2..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(message: &[u8], size: usize, stuffing: bool) -> Vec<u8> {
        let mut lines = Lines::new(stuffing);
        let mut out = Vec::new();
        message.chunks(size).for_each(|piece| lines.take(piece, &mut out));
        lines.finish(&mut out);
        out
    }

    #[test]
    fn where_it_is_cut_makes_no_difference() {
        let message = b".a\r\n..b\r\n\r\n.\r\nc\r.d\n.e\n\n.\n\rf\r\r\n.";
        let stuffed = b"..a\r\n...b\r\n\r\n..\r\nc .d\r\n..e\r\n\r\n..\r\n f \r\n..\r\n";
        let plain = b".a\r\n..b\r\n\r\n.\r\nc .d\r\n.e\r\n\r\n.\r\n f \r\n.\r\n";
        for size in 1..=message.len() {
            assert_eq!(sent(message, size, true), stuffed, "in pieces of {size}");
            assert_eq!(sent(message, size, false), plain, "in pieces of {size}");
        }
        assert_eq!(sent(b"a\r", 1, true), b"a \r\n");
        assert_eq!(sent(b"", 1, true), b"");
        assert_eq!(sent(b"a", 1, true), b"a\r\n");
    }

    /// reliability: 600 forms of an end of data inside a message; none may come out as one.
    #[test]
    fn no_form_of_end_of_data_comes_out() {
        let ends: [&[u8]; 10] = [
            b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n\0", b"\0\r\n", b"\r\0\n", b"\x85",
            b"\x0b",
        ];
        let middles: [&[u8]; 6] = [b".", b"..", b". ", b".\0", b"\0.", b"\xae"];
        for left in ends {
            for middle in middles {
                for right in ends {
                    let message = [b"a", left, middle, right, b"MAIL FROM:<>\r\n"].concat();
                    for size in [1, 2, 3, message.len()] {
                        let out = sent(&message, size, true);
                        assert!(is_canonical(&out), "{}", message.escape_ascii());
                        assert!(!out.windows(5).any(|five| five == b"\r\n.\r\n"));
                        assert!(!out.starts_with(b".\r\n"));
                    }
                }
            }
        }
    }
}
