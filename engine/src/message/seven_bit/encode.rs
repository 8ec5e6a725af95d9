//! Quoted-printable and base64 (RFC 2045 §6.7, §6.8) made of content that comes in pieces.

use alloc::vec::Vec;

use crate::text::base64;

/// RFC 2045 §6.7 (5): octets of a line of quoted-printable, without its end.
const LINE_MAX: usize = 76;
/// Octets that make one line of base64.
const GROUP: usize = 57;

/// Makes quoted-printable of text whose lines end with CRLF.
#[derive(Clone, Debug, Default)]
pub(crate) struct QuotedPrintable {
    column: usize,
    /// A blank that must be encoded if the line ends after it (RFC 2045 §6.7 (3)).
    blank: Option<u8>,
}

impl QuotedPrintable {
    pub(crate) fn take(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        for &octet in octets {
            match octet {
                // The LF that follows ends the line.
                b'\r' => {}
                b'\n' => {
                    self.finish(out);
                    out.extend_from_slice(b"\r\n");
                    self.column = 0;
                }
                b' ' | b'\t' => {
                    self.blank(out);
                    self.blank = Some(octet);
                }
                // A leading dot would be doubled on the way, and a lone one end the data for a careless reader.
                b'.' if self.column == 0 && self.blank.is_none() => self.code(octet, out),
                b'!'..=b'~' if octet != b'=' => {
                    self.blank(out);
                    self.put(&[octet], out);
                }
                _ => {
                    self.blank(out);
                    self.code(octet, out);
                }
            }
        }
    }

    /// The content, or a line of it, is over.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        if let Some(blank) = self.blank.take() {
            self.code(blank, out);
        }
    }

    /// A blank with something after it on its line.
    fn blank(&mut self, out: &mut Vec<u8>) {
        if let Some(blank) = self.blank.take() {
            self.put(&[blank], out);
        }
    }

    fn code(&mut self, octet: u8, out: &mut Vec<u8>) {
        const HEX: &[u8; 16] = b"0123456789ABCDEF";
        self.put(&[b'=', HEX[usize::from(octet >> 4)], HEX[usize::from(octet & 15)]], out);
    }

    fn put(&mut self, token: &[u8], out: &mut Vec<u8>) {
        // One place is kept for the mark of a soft line end.
        if self.column + token.len() >= LINE_MAX {
            out.extend_from_slice(b"=\r\n");
            self.column = 0;
        }
        out.extend_from_slice(token);
        self.column += token.len();
    }
}

/// Makes base64 of any octets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Base64 {
    held: Vec<u8>,
    begun: bool,
}

impl Base64 {
    pub(crate) fn take(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        let mut rest = octets;
        while self.held.len() + rest.len() >= GROUP {
            let (now, more) = rest.split_at(GROUP - self.held.len());
            self.held.extend_from_slice(now);
            self.line(out);
            rest = more;
        }
        self.held.extend_from_slice(rest);
    }

    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        if !self.held.is_empty() {
            self.line(out);
        }
    }

    fn line(&mut self, out: &mut Vec<u8>) {
        if self.begun {
            out.extend_from_slice(b"\r\n");
        }
        self.begun = true;
        out.extend_from_slice(&base64::encode(&self.held));
        self.held.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::transfer::Decoder;

    fn decoded(encoding: &str, text: &[u8]) -> Vec<u8> {
        let mut decoder = Decoder::new(encoding.as_bytes()).expect("a known encoding");
        let mut out = Vec::new();
        decoder.decode(text, &mut out);
        decoder.finish(&mut out);
        out
    }

    #[test]
    fn what_is_encoded_is_decoded_and_lines_are_short() {
        let long = [b'x'; 300];
        let lines = b"caf\xc3\xa9 = 5 \t\r\n.\r\n..\r\n tab\t\r\n\r\nend ";
        let all: Vec<u8> = (0..=255).filter(|o| !matches!(o, b'\r' | b'\n')).collect();
        for text in [&lines[..], &long, &all, b"", b" ", b"a\r\n"] {
            for size in [1, 2, 3, 57, 1000] {
                let (mut quoted, mut based) = (QuotedPrintable::default(), Base64::default());
                let (mut as_quoted, mut as_based) = (Vec::new(), Vec::new());
                for piece in text.chunks(size) {
                    quoted.take(piece, &mut as_quoted);
                    based.take(piece, &mut as_based);
                }
                quoted.finish(&mut as_quoted);
                based.finish(&mut as_based);
                assert_eq!(decoded("quoted-printable", &as_quoted), text);
                assert_eq!(decoded("base64", &as_based), text);
                for line in as_quoted.split(|o| *o == b'\n').chain(as_based.split(|o| *o == b'\n'))
                {
                    assert!(line.len() <= LINE_MAX + 1 && line.is_ascii() && line != b".\r");
                }
            }
        }
    }
}
