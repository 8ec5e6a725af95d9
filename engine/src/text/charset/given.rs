//! Charsets by decoders that the surroundings have already, as every browser has those of the Encoding Standard: tables
//! for them are a tenth of a page's module.

// A program that has decoders has the standard library too, and without it nothing can be given once and safely.
extern crate std;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use std::sync::OnceLock;

/// A decoder of the Encoding Standard, which looks for no byte order mark and puts U+FFFD for what is malformed.
pub trait Given {
    /// The encoding's name, in any case.
    fn name(&self) -> String;

    /// Decodes the next piece; with `last` what is not whole is malformed.
    fn decode(&mut self, octets: &[u8], last: bool, out: &mut String);
}

/// A new decoder for the encoding of a label; `None` if there is none, or if it is not to be decoded ("replacement").
pub type Open = fn(label: &str) -> Option<Box<dyn Given>>;

static OPEN: OnceLock<Open> = OnceLock::new();

/// Says who decodes, once and before anything is decoded: until then nothing but UTF-8 is known. A second one is not taken.
pub fn give(open: Open) {
    OPEN.get_or_init(|| open);
}

/// One encoding.
pub(super) struct Encoding(Pieces);

/// What a label means; none means an encoding that is not to be decoded.
pub(super) fn encoding(label: &[u8]) -> Option<Encoding> {
    let open = OPEN.get()?;
    core::str::from_utf8(label).ok().and_then(open).map(|given| Encoding(Pieces::Given(given)))
}

pub(super) fn utf_8() -> Encoding {
    Encoding(Pieces::Utf8(Vec::new()))
}

pub(super) fn windows_1252() -> Encoding {
    encoding(b"windows-1252").unwrap_or_else(utf_8)
}

impl Encoding {
    pub(super) fn is_windows_1252(&self) -> bool {
        matches!(&self.0, Pieces::Given(given) if given.name().eq_ignore_ascii_case("windows-1252"))
    }

    /// Decodes whole text.
    pub(super) fn decode(mut self, octets: &[u8]) -> String {
        let mut out = String::new();
        self.0.decode(octets, true, &mut out);
        out
    }

    /// A decoder for text that comes in pieces.
    pub(super) fn pieces(self) -> Pieces {
        self.0
    }
}

/// Decodes text that comes in pieces.
pub(super) enum Pieces {
    /// The octets of a character that is not whole yet.
    Utf8(Vec<u8>),
    Given(Box<dyn Given>),
}

impl Pieces {
    pub(super) fn decode(&mut self, octets: &[u8], last: bool, out: &mut String) {
        match self {
            Self::Utf8(held) => utf_8_piece(held, octets, last, out),
            Self::Given(given) => given.decode(octets, last, out),
        }
    }
}

fn utf_8_piece(held: &mut Vec<u8>, octets: &[u8], last: bool, out: &mut String) {
    held.extend_from_slice(octets);
    let octets = core::mem::take(held);
    let mut rest = &octets[..];
    while let Err(error) = core::str::from_utf8(rest) {
        let (valid, wrong) = rest.split_at(error.valid_up_to());
        out.push_str(core::str::from_utf8(valid).expect("it is valid up to there"));
        let length = error.error_len();
        if length.is_none() && !last {
            held.extend_from_slice(wrong);
            return;
        }
        out.push('\u{FFFD}');
        rest = length.map_or(&[][..], |length| &wrong[length..]);
    }
    out.push_str(core::str::from_utf8(rest).expect("nothing wrong is left"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf_8_is_known_without_any() {
        let text = b"a\xc3\xa4\xe2\x82\xac\xe2\x82 \xff\xf0\x9f\x98\x80\xed\xa0\x80\xf0\x9f";
        let whole = utf_8().decode(text);
        assert_eq!(whole, String::from_utf8_lossy(text));
        for cut in 0..text.len() {
            let (mut pieces, mut out) = (utf_8().pieces(), String::new());
            pieces.decode(&text[..cut], false, &mut out);
            pieces.decode(&text[cut..], true, &mut out);
            assert_eq!(out, whole, "{cut}");
        }
    }
}
