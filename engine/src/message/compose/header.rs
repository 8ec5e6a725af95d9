//! Header fields written out: encoded words (RFC 2047), folding (RFC 5322 §2.2.3), parameters (RFC 2231).
//! What stands in them was checked when it was made; here it only gets its form.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::people::Person;
use super::values::MessageId;
use crate::text::base64;

/// RFC 5322 §2.1.1: octets of a line, its end not counted.
const LINE_MAX: usize = 78;
/// RFC 2047 §2: octets of a line that holds an encoded word.
const ENCODED_LINE_MAX: usize = 76;
/// RFC 2047 §2: octets of an encoded word.
const WORD_MAX: usize = 75;
/// Octets of a word that is written as it is: what is longer could not be folded.
const PLAIN_WORD_MAX: usize = 70;
const ENCODED_START: &str = "=?utf-8?q?";
const ENCODED_END: &str = "?=";

/// One field, folded as it grows.
pub(in crate::message) struct FieldWriter<'a> {
    out: &'a mut Vec<u8>,
    column: usize,
    /// The line holds an encoded word.
    encoded: bool,
    /// Nothing stands after the colon yet. The first word stays there: a line of nothing but white space is obsolete.
    empty: bool,
}

impl<'a> FieldWriter<'a> {
    pub(in crate::message) fn new(out: &'a mut Vec<u8>, name: &str) -> Self {
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        Self { out, column: name.len() + 1, encoded: false, empty: true }
    }

    /// Adds a word with a space before it, or on a new line.
    pub(in crate::message) fn word(&mut self, word: &str, encoded: bool) {
        let max = if encoded || self.encoded { ENCODED_LINE_MAX } else { LINE_MAX };
        if !self.empty && self.column + 1 + word.len() > max {
            self.out.extend_from_slice(b"\r\n");
            self.column = 0;
            self.encoded = false;
        }
        self.out.push(b' ');
        self.out.extend_from_slice(word.as_bytes());
        self.column += 1 + word.len();
        self.encoded |= encoded;
        self.empty = false;
    }

    pub(in crate::message) fn end(self) {
        self.out.extend_from_slice(b"\r\n");
    }
}

/// Writes a field of words alone, such as a date.
pub(in crate::message) fn plain(out: &mut Vec<u8>, name: &str, value: &str) {
    let mut field = FieldWriter::new(out, name);
    field.word(value, false);
    field.end();
}

/// Writes a field whose text has no structure (RFC 5322 §2.2.1).
pub(in crate::message) fn unstructured(out: &mut Vec<u8>, name: &str, text: &str) {
    let mut field = FieldWriter::new(out, name);
    // The first word stands on the line of the name, however long that is.
    let room = WORD_MAX.min(ENCODED_LINE_MAX.saturating_sub(name.len() + 2));
    for token in tokens(text, room) {
        field.word(&token.text, token.encoded);
    }
    field.end();
}

/// Writes `address-list` (RFC 5322 §3.4).
pub(in crate::message) fn addresses(out: &mut Vec<u8>, name: &str, people: &[Person]) {
    let mut field = FieldWriter::new(out, name);
    let room = WORD_MAX.min(ENCODED_LINE_MAX.saturating_sub(name.len() + 2));
    for (at, person) in people.iter().enumerate() {
        let comma = if at + 1 < people.len() { "," } else { "" };
        // A mailbox was read from UTF-8 and holds nothing else.
        let address = String::from_utf8_lossy(&person.address()).into_owned();
        match &person.name {
            None => field.word(&format!("{address}{comma}"), false),
            Some(name) => {
                for token in phrase(name.as_str(), room) {
                    field.word(&token.text, token.encoded);
                }
                field.word(&format!("<{address}>{comma}"), false);
            }
        }
    }
    field.end();
}

/// Writes `1*msg-id` (RFC 5322 §3.6.4), if there are any. An id stays as it is, however long its line gets by it: in an
/// encoded word it would be another one.
pub(in crate::message) fn ids(out: &mut Vec<u8>, name: &str, ids: &[MessageId]) {
    if ids.is_empty() {
        return;
    }
    let mut field = FieldWriter::new(out, name);
    ids.iter().for_each(|id| field.word(&format!("<{}>", id.as_str()), false));
    field.end();
}

/// A text that has no structure, on one line.
pub(in crate::message) fn words(text: &str) -> Vec<u8> {
    on_one_line(tokens(text, WORD_MAX))
}

/// A text in place of a phrase, on one line.
pub(in crate::message) fn phrase_words(text: &str) -> Vec<u8> {
    on_one_line(phrase(text, WORD_MAX))
}

fn on_one_line(tokens: Vec<Token>) -> Vec<u8> {
    let words: Vec<String> = tokens.into_iter().map(|token| token.text).collect();
    words.join(" ").into_bytes()
}

/// The words of a phrase, and whether each is encoded.
pub(in crate::message) fn phrase_tokens(name: &str, put: &mut impl FnMut(&[u8], bool)) {
    phrase(name, WORD_MAX).iter().for_each(|token| put(token.text.as_bytes(), token.encoded));
}

/// A piece of a field that is not folded.
#[derive(Debug, PartialEq, Eq)]
struct Token {
    text: String,
    encoded: bool,
}

/// Cuts a text at its single spaces; what cannot stand as it is becomes encoded words.
fn tokens(text: &str, room: usize) -> Vec<Token> {
    let words: Vec<&str> = text.split(' ').collect();
    let mut encode: Vec<bool> = words.iter().map(|word| !stands_plain(word)).collect();
    // Two spaces, or one at an end, would be lost: they are encoded with their neighbours.
    for at in 0..words.len() {
        if words[at].is_empty() {
            let last = words.len() - 1;
            encode[at.saturating_sub(1)] = true;
            encode[(at + 1).min(last)] = true;
        }
    }
    let mut out = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let run = encode[at..].iter().take_while(|encode| **encode).count();
        if run == 0 {
            out.push(Token { text: words[at].to_owned(), encoded: false });
            at += 1;
            continue;
        }
        // RFC 2047 §6.2: the space between two encoded words does not count, so it stands inside of one.
        let run_text = words[at..at + run].join(" ");
        let room = if out.is_empty() { room } else { WORD_MAX };
        encoded_words(&run_text, room, &mut out);
        at += run;
    }
    out
}

fn stands_plain(word: &str) -> bool {
    let printable = word.bytes().all(|octet| (b'!'..=b'~').contains(&octet));
    !word.is_empty() && printable && word.len() <= PLAIN_WORD_MAX && !word.contains("=?")
}

/// `phrase` (RFC 5322 §3.2.5): atoms, one quoted string, or encoded words.
fn phrase(name: &str, room: usize) -> Vec<Token> {
    let atom = |word: &str| {
        let atext = |o: u8| o.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&o);
        stands_plain(word) && word.bytes().all(atext)
    };
    if name.split(' ').all(atom) {
        return tokens(name, room);
    }
    let printable = name.bytes().all(|octet| (b' '..=b'~').contains(&octet));
    if printable && name.len() <= room / 2 && !name.contains("=?") {
        return alloc::vec![Token { text: quoted(name), encoded: false }];
    }
    let mut out = Vec::new();
    encoded_words(name, room, &mut out);
    out
}

/// `quoted-string` of printable ASCII.
pub(in crate::message) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

/// Encodes a text as words, none of which cuts a character (RFC 2047 §5): in Q, which a person can half read, unless most
/// of it would be codes.
fn encoded_words(text: &str, first_room: usize, out: &mut Vec<Token>) {
    if text.is_empty() {
        return;
    }
    let as_q: usize = text.bytes().map(|octet| if is_q_plain(octet) { 1 } else { 3 }).sum();
    let base64 = as_q > text.len() * 5 / 2;
    let mut rest = text;
    let mut room = first_room;
    while !rest.is_empty() {
        let space = room.saturating_sub(ENCODED_START.len() + ENCODED_END.len());
        let length = fitting(rest, space, base64);
        let (now, more) = rest.split_at(length);
        out.push(Token { text: encoded_word(now, base64), encoded: true });
        rest = more;
        room = WORD_MAX;
    }
}

/// How much of a text fits into so many octets once it is encoded; one character at least.
fn fitting(text: &str, space: usize, base64: bool) -> usize {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        let mut octets = [0; 4];
        let octets = c.encode_utf8(&mut octets).bytes();
        used += if base64 { c.len_utf8() } else { octets.map(q_length).sum() };
        let encoded = if base64 { used.div_ceil(3) * 4 } else { used };
        if encoded > space && at > 0 {
            return at;
        }
    }
    text.len()
}

fn encoded_word(text: &str, as_base64: bool) -> String {
    let mut out = String::with_capacity(WORD_MAX);
    if as_base64 {
        out.push_str("=?utf-8?b?");
        out.extend(base64::encode(text.as_bytes()).into_iter().map(char::from));
    } else {
        out.push_str(ENCODED_START);
        for octet in text.bytes() {
            match octet {
                b' ' => out.push('_'),
                _ if is_q_plain(octet) => out.push(char::from(octet)),
                _ => out.push_str(&format!("={octet:02X}")),
            }
        }
    }
    out.push_str(ENCODED_END);
    out
}

fn q_length(octet: u8) -> usize {
    if is_q_plain(octet) { 1 } else { 3 }
}

/// RFC 2047 §5 (3): what may stand as it is even in a phrase; and the space, which becomes one octet too.
fn is_q_plain(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b" !*+-/".contains(&octet)
}

/// Octets of one piece of a long parameter: with its name it fits on a line.
const PIECE_MAX: usize = 50;

/// A parameter as it stands after the semicolon: quoted if it is short ASCII, otherwise by RFC 2231, in as many pieces
/// as it takes, each a word of its own.
pub(in crate::message) fn parameter(name: &str, value: &str) -> Vec<String> {
    let printable = value.bytes().all(|octet| (b' '..=b'~').contains(&octet));
    if printable && value.len() <= PIECE_MAX {
        return alloc::vec![format!("{name}={}", quoted(value))];
    }
    encoded_parameter(name, value).map(|(name, value)| format!("{name}={value}")).collect()
}

/// A parameter by RFC 2231: the names of its pieces, and their values.
pub(in crate::message) fn encoded_parameter(
    name: &str,
    value: &str,
) -> impl Iterator<Item = (String, String)> {
    let mut pieces = alloc::vec![String::from("utf-8''")];
    for octet in value.bytes() {
        // RFC 2231 §7 attribute-char.
        let plain = octet.is_ascii_alphanumeric() || b"!#$&+-.^_`{|}~".contains(&octet);
        let last = pieces.last().map_or(0, String::len);
        if last + 3 > PIECE_MAX {
            pieces.push(String::new());
        }
        if let Some(piece) = pieces.last_mut() {
            if plain {
                piece.push(char::from(octet))
            } else {
                piece.push_str(&format!("%{octet:02X}"))
            }
        }
    }
    let alone = pieces.len() == 1;
    pieces.into_iter().enumerate().map(move |(at, piece)| {
        (if alone { format!("{name}*") } else { format!("{name}*{at}*") }, piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::header::unfold;
    use crate::text::{params, words};

    fn subject(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        unstructured(&mut out, "Subject", text);
        out
    }

    fn is_well_folded(field: &[u8]) -> bool {
        let lines: Vec<&[u8]> = field.split(|octet| *octet == b'\n').collect();
        lines[..lines.len() - 1].iter().enumerate().all(|(at, line)| {
            let text = line.strip_suffix(b"\r").unwrap_or_default();
            let max = if text.windows(2).any(|two| two == b"=?") { 76 } else { 78 };
            let folded = at == 0 || text.starts_with(b" ");
            text.is_ascii() && text.len() <= max && folded && !text.trim_ascii().is_empty()
        })
    }

    #[test]
    fn subjects_mean_what_was_typed() {
        let long =
            "Grüße und ein recht langer Betreff mit vielen Wörtern, den niemand liest ".repeat(20);
        let texts = [
            "ketchup",
            "a  b",
            " a",
            "a ",
            "  ",
            "Grüße",
            "a Grüße b",
            "Grüße an Jörg und alle",
            "=?utf-8?q?x?=",
            "a=?b",
            "日本語日本語日本語日本語日本語日本語日本語日本語日本語",
            "😀 😀  😀",
            "?= =? _ = .",
            "%0d%0a",
            &"x".repeat(500),
            &"x ".repeat(500),
            &"ä".repeat(500),
            long.trim(),
            "a\u{300}b \u{200f}c",
        ];
        for text in texts {
            let field = subject(text);
            assert!(is_well_folded(&field), "{}", field.escape_ascii());
            let body = unfold(field.strip_prefix(b"Subject:").expect("it is its name"));
            assert_eq!(words::decode(&body), text, "{}", field.escape_ascii());
        }
        assert_eq!(subject("Do you like ketchup?"), b"Subject: Do you like ketchup?\r\n");
        assert_eq!(subject("Grüße an dich"), b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= an dich\r\n");
        assert_eq!(subject(""), b"Subject:\r\n");
    }

    #[test]
    fn file_names_mean_what_they_were() {
        for name in [
            "a.png",
            "a \"b\" \\c.txt",
            "Übersicht 2026.pdf",
            &"ä".repeat(100),
            &"x y'".repeat(60),
            "%41*0=;",
        ] {
            let words = parameter("filename", name);
            assert!(words.iter().all(|word| word.len() < 76 && word.is_ascii()), "{words:?}");
            let body = format!("attachment; {}", words.join("; "));
            let read = params::parse(body.as_bytes());
            assert_eq!(read.parameter(b"filename"), Some(name.as_bytes()), "{body}");
        }
    }
}
