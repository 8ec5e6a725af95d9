//! Transfer encodings (RFC 2045 §6) undone on text that comes in pieces. Mail is seldom quite
//! right: what is no code of the encoding is passed over or kept, and nothing fails.

use alloc::vec::Vec;

use super::base64;

/// White space at the end of a line that is held back until it is known to be that; more is not
/// padding.
const PADDING_MAX: usize = 998;

/// Undoes one transfer encoding.
#[derive(Clone, Debug)]
pub struct Decoder(Encoding);

#[derive(Clone, Debug)]
enum Encoding {
    /// `7bit`, `8bit`, `binary`
    Identity,
    Base64 {
        bits: u32,
        count: u8,
        /// Padding came: what follows is no text.
        ended: bool,
    },
    /// The octets of a code, or of white space that may end a line.
    QuotedPrintable(Vec<u8>),
}

impl Decoder {
    /// A decoder for the encoding of this name, in any case; `None` if it is unknown.
    #[must_use]
    pub fn new(encoding: &[u8]) -> Option<Self> {
        let is = |name: &str| encoding.eq_ignore_ascii_case(name.as_bytes());
        Some(Self(match () {
            () if is("7bit") || is("8bit") || is("binary") || encoding.is_empty() => {
                Encoding::Identity
            }
            () if is("base64") => Encoding::Base64 { bits: 0, count: 0, ended: false },
            () if is("quoted-printable") => Encoding::QuotedPrintable(Vec::new()),
            () => return None,
        }))
    }

    /// Whether octets mean themselves.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        matches!(self.0, Encoding::Identity)
    }

    /// Takes the next piece and adds what it means.
    pub fn decode(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        match &mut self.0 {
            Encoding::Identity => out.extend_from_slice(piece),
            Encoding::Base64 { bits, count, ended } => {
                for &octet in piece {
                    if *ended {
                        return;
                    }
                    // RFC 2045 §6.8: anything outside the alphabet is passed over; padding ends the
                    // data.
                    *ended = octet == b'=';
                    if let Some(value) = base64::value(octet) {
                        *bits = *bits << 6 | u32::from(value);
                        *count += 6;
                        if *count >= 8 {
                            *count -= 8;
                            out.push((*bits >> *count & 0xff) as u8);
                        }
                    }
                }
            }
            Encoding::QuotedPrintable(held) => {
                piece.iter().for_each(|&octet| quoted_printable(held, octet, out));
            }
        }
    }

    /// The text is over: adds what was held back.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if let Encoding::QuotedPrintable(held) = &mut self.0 {
            // White space at the end is padding; a code that is not whole stands for itself.
            if held.first() == Some(&b'=') && held.len() > 1 {
                out.append(held);
            }
            held.clear();
        }
    }
}

/// RFC 2045 §6.7.
fn quoted_printable(held: &mut Vec<u8>, octet: u8, out: &mut Vec<u8>) {
    let blank = matches!(octet, b' ' | b'\t' | b'\r');
    match held.first() {
        None if octet == b'=' || blank => held.push(octet),
        None => out.push(octet),
        Some(b'=') => {
            // A soft line end, maybe after padding.
            if octet == b'\n' && held[1..].iter().all(|o| matches!(o, b' ' | b'\t' | b'\r')) {
                held.clear();
            } else if held.len() == 2 && hex(held[1]).is_some() && hex(octet).is_some() {
                let (high, low) = (hex(held[1]).unwrap_or(0), hex(octet).unwrap_or(0));
                out.push(high << 4 | low);
                held.clear();
            } else if held.len() == 1 && hex(octet).is_some()
                || blank
                    && held.get(1).is_none_or(|&o| hex(o).is_none())
                    && held.len() < PADDING_MAX
            {
                held.push(octet);
            } else {
                out.append(held);
                quoted_printable(held, octet, out);
            }
        }
        Some(_) if octet == b'\n' => {
            // RFC 2045 §6.7 (3): white space before a line end was added on the way.
            held.clear();
            out.extend_from_slice(b"\r\n");
        }
        Some(_) if blank && held.len() < PADDING_MAX => held.push(octet),
        Some(_) => {
            out.append(held);
            quoted_printable(held, octet, out);
        }
    }
}

/// The value of a hexadecimal digit, of either case.
fn hex(octet: u8) -> Option<u8> {
    char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(encoding: &str, text: &[u8], size: usize) -> Vec<u8> {
        let mut decoder = Decoder::new(encoding.as_bytes()).expect("a known encoding");
        let mut out = Vec::new();
        text.chunks(size).for_each(|piece| decoder.decode(piece, &mut out));
        decoder.finish(&mut out);
        out
    }

    #[test]
    fn pieces_make_no_difference() {
        let cases: [(&str, &[u8], &[u8]); 9] = [
            ("BASE64", b"aGVs\r\nbG8g\r\n d29ybGQ=\r\nGARBAGE", b"hello world"),
            ("base64", b"aGVsbG8", b"hello"),
            ("Quoted-Printable", b"a=3Db=3dc=\r\nd", b"a=b=cd"),
            ("quoted-printable", b"line \t\r\nsoft= \t\r\nend  ", b"line\r\nsoftend"),
            ("quoted-printable", b"=ZZ =4 x=", b"=ZZ =4 x"),
            ("quoted-printable", b"a b\rc", b"a b\rc"),
            ("quoted-printable", b"=C3=A9=", b"\xc3\xa9"),
            ("8bit", b"\xff\0", b"\xff\0"),
            ("", b"x", b"x"),
        ];
        for (encoding, text, meant) in cases {
            for size in 1..=text.len() {
                let found = decoded(encoding, text, size);
                assert_eq!(found, meant, "{} in pieces of {size}", text.escape_ascii());
            }
        }
        assert!(Decoder::new(b"x-uuencode").is_none());
    }
}
