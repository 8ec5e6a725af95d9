//! Status responses (RFC 9051 §7.1): OK, NO, BAD, PREAUTH and BYE with their response codes.
//! What a status means for a command is left to those that wait for it.

use alloc::vec::Vec;

use super::scan::Piece;
use super::types::Outcome;

/// Octets of a text that are kept.
pub(super) const TEXT_MAX: usize = 512;
/// Octets of a response code's name that are kept.
const CODE_MAX: usize = 64;

/// A status response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) word: Word,
    pub(super) code: Code,
    pub(super) text: Vec<u8>,
}

/// Its first word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Ok,
    No,
    Bad,
    Preauth,
    Bye,
}

/// `resp-text-code`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Code {
    /// In upper case; empty if there is none.
    pub(super) name: Vec<u8>,
    /// What follows it, to be scanned.
    pub(super) arguments: Vec<Piece>,
}

impl Status {
    /// Reads a status; `None` if the first word is none.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let text = text.trim_ascii_start();
        let end = text.iter().position(|octet| *octet == b' ').unwrap_or(text.len());
        let word = match &text[..end].to_ascii_uppercase()[..] {
            b"OK" => Word::Ok,
            b"NO" => Word::No,
            b"BAD" => Word::Bad,
            b"PREAUTH" => Word::Preauth,
            b"BYE" => Word::Bye,
            _ => return None,
        };
        let (code, rest) = Code::read(text[end..].trim_ascii());
        Some(Self { word, code, text: rest[..rest.len().min(TEXT_MAX)].to_vec() })
    }

    pub(super) fn outcome(&self) -> Outcome {
        match self.word {
            Word::Ok | Word::Preauth => Outcome::Ok,
            Word::No | Word::Bye => Outcome::No,
            Word::Bad => Outcome::Bad,
        }
    }
}

impl Code {
    /// `"[" resp-text-code "]" SP`, and what follows it.
    fn read(text: &[u8]) -> (Self, &[u8]) {
        let Some(inside) = text.strip_prefix(b"[") else { return (Self::default(), text) };
        let Some(end) = code_end(inside) else { return (Self::default(), text) };
        let (code, rest) = (&inside[..end], inside[end + 1..].trim_ascii_start());
        let name = code.iter().position(|octet| *octet == b' ').unwrap_or(code.len());
        let arguments = alloc::vec![Piece::Text(code[name..].to_vec())];
        let name = code[..name.min(CODE_MAX)].to_ascii_uppercase();
        (Self { name, arguments }, rest)
    }
}

/// Where the bracket closes: not in a string, and not in a list, since a flag may hold one.
fn code_end(code: &[u8]) -> Option<usize> {
    let (mut quoted, mut depth) = (false, 0u32);
    let mut at = 0;
    while let Some(&octet) = code.get(at) {
        match octet {
            b'\\' if quoted => at += 1,
            b'"' => quoted = !quoted,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => depth = depth.saturating_sub(1),
            b']' if !quoted && depth == 0 => return Some(at),
            _ => {}
        }
        at += 1;
    }
    // It is not written as it should be: the first bracket must do.
    code.iter().position(|octet| *octet == b']')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Word, alloc::string::String, alloc::string::String) {
        let status = Status::read(text.as_bytes()).expect("a status");
        let string = |octets: &[u8]| alloc::string::String::from_utf8_lossy(octets).into_owned();
        (status.word, string(&status.code.name), string(&status.text))
    }

    #[test]
    fn statuses_are_read_with_and_without_codes() {
        let cases = [
            ("OK", (Word::Ok, "", "")),
            ("ok  done", (Word::Ok, "", "done")),
            ("NO [nonexistent] no such", (Word::No, "NONEXISTENT", "no such")),
            ("OK [PERMANENTFLAGS (a] \\*)] limited", (Word::Ok, "PERMANENTFLAGS", "limited")),
            ("OK [X \"a]b\"]", (Word::Ok, "X", "")),
            ("BAD [open text", (Word::Bad, "", "[open text")),
            ("BYE [X (y] z", (Word::Bye, "X", "z")),
        ];
        for (text, (word, code, rest)) in cases {
            assert_eq!(read(text), (word, code.into(), rest.into()), "{text}");
        }
        for wrong in ["", "OKAY", "FLAGS ()", "12 EXISTS"] {
            assert_eq!(Status::read(wrong.as_bytes()), None);
        }
    }
}
