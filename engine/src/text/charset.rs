//! Charsets: any octets to UTF-8, never failing, since a reader wants to see what can be seen.

use alloc::string::String;
use alloc::vec::Vec;

#[cfg(feature = "given-charsets")]
mod given;
#[cfg(not(feature = "given-charsets"))]
mod tables;

#[cfg(feature = "given-charsets")]
pub use given::{Given, Open, give};

#[cfg(feature = "given-charsets")]
use given as known;
#[cfg(not(feature = "given-charsets"))]
use tables as known;

use known::{Encoding, Pieces};

/// The encoding that a charset's name means; unknown and missing ones are read as UTF-8 where that fits, else as
/// windows-1252, which gives every octet a character.
fn encoding(name: &[u8], octets: &[u8]) -> Encoding {
    let is_utf8 = || core::str::from_utf8(octets).is_ok();
    match known::encoding(name.trim_ascii()) {
        // "us-ascii" is an alias of windows-1252 there; mail that says so and is not is mostly UTF-8.
        Some(known) if !(known.is_windows_1252() && is_utf8()) => known,
        None if !is_utf8() => known::windows_1252(),
        _ => known::utf_8(),
    }
}

/// Octets that are their own text, as those of nearly all mail are: there is nothing to decode.
#[must_use]
pub fn as_it_stands<'a>(charset: &[u8], octets: &'a [u8]) -> Option<&'a str> {
    let name = charset.trim_ascii();
    let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
    let is_utf8 = name.is_empty() || is("utf-8") || is("us-ascii");
    is_utf8.then(|| core::str::from_utf8(octets).ok()).flatten()
}

/// Decodes whole text.
#[must_use]
pub fn decode(charset: &[u8], octets: &[u8]) -> String {
    if charset.trim_ascii().eq_ignore_ascii_case(b"utf-7") {
        return decode_utf7(octets);
    }
    encoding(charset, octets).decode(octets)
}

/// Names of charsets that are known, each once; many have other names too. UTF-16 is known and not among them: it is for
/// what a message says, since a command of IMAP cannot hold its NULs (RFC 9051 §4.3).
pub const NAMES: &str = "UTF-8 US-ASCII UTF-7 ISO-8859-1 ISO-8859-2 ISO-8859-3 \
    ISO-8859-4 ISO-8859-5 ISO-8859-6 ISO-8859-7 ISO-8859-8 ISO-8859-9 ISO-8859-10 ISO-8859-13 \
    ISO-8859-14 ISO-8859-15 ISO-8859-16 windows-1250 windows-1251 windows-1252 windows-1253 \
    windows-1254 windows-1255 windows-1256 windows-1257 windows-1258 KOI8-R KOI8-U IBM866 \
    macintosh windows-874 TIS-620 GBK GB2312 GB18030 Big5 EUC-JP ISO-2022-JP Shift_JIS EUC-KR";

/// Whether a charset's name is known.
#[must_use]
pub fn is_known(name: &[u8]) -> bool {
    name.trim_ascii().eq_ignore_ascii_case(b"utf-7") || known::encoding(name.trim_ascii()).is_some()
}

/// Decodes text that comes in pieces.
pub struct Decoder {
    kind: Kind,
}

enum Kind {
    Known(Pieces),
    /// Of this name, which alone does not tell: octets above ASCII do, and those that came are not whole yet.
    Open(Vec<u8>, Vec<u8>),
    /// UTF-7 is short and rare: gathered, up to a bound, and decoded at the end.
    Utf7(Vec<u8>),
}

/// Octets of UTF-7 that are decoded; the rest is passed over.
const UTF7_MAX: usize = 64 * 1024;

impl Decoder {
    /// A decoder for a charset. One that is unknown, or says no more than US-ASCII does, is judged by the first character
    /// above ASCII.
    #[must_use]
    pub fn new(charset: &[u8]) -> Self {
        let name = charset.trim_ascii();
        let kind = match known::encoding(name) {
            _ if name.eq_ignore_ascii_case(b"utf-7") => Kind::Utf7(Vec::new()),
            Some(known) if !known.is_windows_1252() => Kind::Known(known.pieces()),
            _ => Kind::Open(name.to_vec(), Vec::new()),
        };
        Self { kind }
    }

    /// Decodes the next piece, and with `last` whatever was left of the ones before.
    pub fn decode(&mut self, octets: &[u8], last: bool, out: &mut String) {
        match &mut self.kind {
            Kind::Known(pieces) => pieces.decode(octets, last, out),
            Kind::Open(name, held) => {
                held.extend_from_slice(octets);
                // Until then all that is possible agrees.
                let plain = held.iter().position(|octet| !octet.is_ascii()).unwrap_or(held.len());
                out.extend(held.drain(..plain).map(char::from));
                // The first character decides, however the pieces are cut: one may end inside it.
                let first = match core::str::from_utf8(held) {
                    Err(error) if error.valid_up_to() > 0 => &held[..error.valid_up_to()],
                    Err(error) if error.error_len().is_none() && !last => return,
                    _ => &held[..],
                };
                if !first.is_empty() {
                    let mut pieces = encoding(name, first).pieces();
                    pieces.decode(held, last, out);
                    self.kind = Kind::Known(pieces);
                }
            }
            Kind::Utf7(held) => {
                let room = UTF7_MAX.saturating_sub(held.len()).min(octets.len());
                held.extend_from_slice(&octets[..room]);
                if last {
                    out.push_str(&decode_utf7(held));
                }
            }
        }
    }
}

/// RFC 2152. What is not UTF-7 is kept as it stands.
fn decode_utf7(octets: &[u8]) -> String {
    let mut out = String::new();
    let mut rest = octets;
    while let Some((&octet, more)) = rest.split_first() {
        rest = more;
        if octet != b'+' {
            out.push(char::from(octet));
            continue;
        }
        let is_base64 = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/');
        let end = rest.iter().position(|octet| !is_base64(octet)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        if run.is_empty() {
            out.push('+');
        } else {
            let units = super::base64::bits(run);
            let units = units.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            out.extend(char::decode_utf16(units).map(|unit| unit.unwrap_or('\u{FFFD}')));
        }
        rest = after.strip_prefix(b"-").unwrap_or(after);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_known() {
        assert!(NAMES.split(' ').all(|name| is_known(name.as_bytes())), "{NAMES}");
    }

    #[test]
    fn charsets_are_decoded() {
        assert_eq!(decode(b"iso-8859-1", b"\xe4"), "ä");
        assert_eq!(decode(b"KOI8-R", b"\xd0\xd2\xc9"), "при");
        assert_eq!(decode(b"iso-2022-jp", b"\x1b$B$\"\x1b(B"), "あ");
        assert_eq!(decode(b"us-ascii", "ä".as_bytes()), "ä");
        assert_eq!(decode(b"x-unknown", b"\xff"), "ÿ");
        assert_eq!(decode(b"utf-7", b"Hi +AOQ-+-x"), "Hi ä+x");
    }

    #[test]
    fn what_stands_there_is_what_it_means() {
        for name in
            [&b""[..], b"UTF-8", b" us-ascii", b"utf-7", b"iso-2022-jp", b"utf-16", b"latin1"]
        {
            for octets in [&b"plain"[..], "\u{feff}ä".as_bytes(), b"\xe4", b"+AOQ-", b"\xc3"] {
                let Some(text) = as_it_stands(name, octets) else { continue };
                assert_eq!(text, decode(name, octets), "{name:?} {octets:?}");
            }
        }
        assert_eq!(as_it_stands(b"us-ascii", b"plain"), Some("plain"));
        assert_eq!(as_it_stands(b"utf-7", b"plain"), None);
        assert_eq!(as_it_stands(b"utf-8", b"\xc3"), None);
    }

    #[test]
    fn pieces_give_what_the_whole_gives() {
        let text = "äöü漢字".as_bytes();
        for cut in 0..text.len() {
            let mut decoder = Decoder::new(b"utf-8");
            let mut out = String::new();
            decoder.decode(&text[..cut], false, &mut out);
            decoder.decode(&text[cut..], true, &mut out);
            assert_eq!(out, "äöü漢字");
        }
    }

    #[test]
    fn what_a_charset_is_shows_where_it_first_matters() {
        let plain = "a line of ASCII\r\n".repeat(9);
        for name in ["iso-8859-1", "windows-1252", "us-ascii", "", "x-unknown", "utf-8"] {
            for tail in
                [&b"caf\xe9"[..], b"caf\xe9 au lait", "caf\u{e9}".as_bytes(), b"\xe9\xe8\xe0\xe9"]
            {
                let whole = [plain.as_bytes(), tail].concat();
                let expected = decode(name.as_bytes(), &whole);
                for cut in 0..=whole.len() {
                    let (mut decoder, mut out) = (Decoder::new(name.as_bytes()), String::new());
                    decoder.decode(&whole[..cut], false, &mut out);
                    decoder.decode(&whole[cut..], true, &mut out);
                    assert_eq!(out, expected, "{name} {tail:x?} cut at {cut}");
                }
            }
        }
    }
}
