//! What the octets of a line are made of, token by token, whatever line it is: the part of the grammar that needs no
//! context. Both sides note what they send by it, and a client what it hears; what a token means is left to the parsers.

use alloc::vec::Vec;

use crate::role::{Cx, Role};
use crate::trace::{Part, Rule};

/// Where in a line the octets begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// At the beginning of a response.
    Response,
    /// Behind the tag of a command.
    Command,
    /// Anywhere else between two tokens.
    Inside,
}

/// Tokens of one response that are told apart; an envelope of thousands of people has more, and what follows is one span.
const PARTS_MAX: usize = 1000;

/// The tokens of octets that begin and end between tokens, in order and without a gap. Literals may stand in them.
pub(crate) fn parts(octets: &[u8], place: Place) -> Vec<Part> {
    let mut lexer = Lexer { octets, at: 0, parts: Vec::new(), capabilities: false };
    match place {
        Place::Response => lexer.response(),
        Place::Command => lexer.command(),
        Place::Inside => {}
    }
    while lexer.at < octets.len() {
        if lexer.parts.len() >= PARTS_MAX {
            lexer.put(octets.len() - lexer.at, "text");
            break;
        }
        lexer.token();
        let ended = lexer.parts.last().is_some_and(|part| part.label == "CRLF");
        if ended && place == Place::Response && lexer.at < octets.len() {
            lexer.response();
        }
    }
    lexer.parts
}

/// Sends octets of a response, whole responses or from token to token, with their tokens labelled.
pub(crate) fn send<R: Role>(cx: &mut Cx<R>, octets: &[u8], why: Option<&'static Rule>) {
    let begins = octets.starts_with(b"* ") || octets.starts_with(b"+ ");
    let place = if begins { Place::Response } else { Place::Inside };
    cx.send_parts(octets, why, |octets| parts(octets, place));
}

struct Lexer<'a> {
    octets: &'a [u8],
    at: usize,
    parts: Vec<Part>,
    /// The words of this response are names of capabilities.
    capabilities: bool,
}

impl Lexer<'_> {
    fn rest(&self) -> &[u8] {
        &self.octets[self.at..]
    }

    fn put(&mut self, length: usize, label: &'static str) {
        let (start, end) = (self.at, (self.at + length).min(self.octets.len()));
        if start < end {
            self.parts.push(Part { start, end, label });
            self.at = end;
        }
    }

    /// Octets up to a space or a line end.
    fn word(&self) -> &[u8] {
        let rest = self.rest();
        let end = rest.iter().position(|octet| matches!(octet, b' ' | b'\r' | b'\n'));
        &rest[..end.unwrap_or(rest.len())]
    }

    /// Octets in front of the CRLF that ends the line.
    fn text(&self) -> usize {
        self.rest().len() - if self.rest().ends_with(b"\r\n") { 2 } else { 0 }
    }

    fn space(&mut self) {
        let spaces = self.rest().iter().take_while(|octet| **octet == b' ').count();
        self.put(spaces, "SP");
    }

    /// Tag, star or plus; then a status with its text, or the name of the data.
    fn response(&mut self) {
        let word = self.word();
        let (length, label) = match word {
            b"*" => (1, "untagged"),
            b"+" => (1, "continue-req"),
            _ => (word.len(), "tag"),
        };
        self.put(length, label);
        self.space();
        if label == "continue-req" {
            return self.put(self.text(), "text");
        }
        let number = self.word().iter().all(u8::is_ascii_digit) && !self.word().is_empty();
        if number && label == "untagged" {
            self.put(self.word().len(), "number");
            self.space();
        }
        if !number && is_status(self.word()) {
            return self.status();
        }
        let name = self.word().iter().take_while(|octet| !matches!(octet, b'(' | b')' | b'"'));
        let length = name.count();
        let name = &self.rest()[..length];
        self.capabilities =
            [&b"CAPABILITY"[..], b"ENABLED"].iter().any(|word| word.eq_ignore_ascii_case(name));
        self.put(length, "response name");
    }

    fn status(&mut self) {
        self.put(self.word().len(), "status");
        self.space();
        let text = &self.rest()[..self.text()];
        if text.first() == Some(&b'[')
            && let Some(end) = text.iter().position(|octet| *octet == b']')
        {
            self.put(end + 1, "resp-text-code");
            self.space();
        }
        self.put(self.text(), "text");
    }

    /// The command, and with UID what is to be done by UIDs.
    fn command(&mut self) {
        let uid = self.word().eq_ignore_ascii_case(b"UID");
        self.put(self.word().len(), "command");
        if uid {
            self.space();
            self.put(self.word().len(), "command");
        }
    }

    fn token(&mut self) {
        match self.rest() {
            [b' ', ..] => self.space(),
            [b'(', ..] => self.put(1, "opening parenthesis"),
            [b')', ..] => self.put(1, "closing parenthesis"),
            [b'\r', b'\n', ..] => self.put(2, "CRLF"),
            [b'"', ..] => self.put(self.quoted(), "quoted"),
            _ => match self.literal_head() {
                Some((head, size)) => {
                    self.put(head, "literal head");
                    let size = usize::try_from(size).unwrap_or(usize::MAX);
                    self.put(size.min(self.rest().len()), "literal");
                }
                None => {
                    let length = self.atom();
                    let kind = kind(&self.rest()[..length]);
                    self.put(length, if self.capabilities { "capability" } else { kind });
                }
            },
        }
    }

    fn quoted(&self) -> usize {
        let mut escaped = false;
        for (at, octet) in self.rest().iter().enumerate().skip(1) {
            match octet {
                b'\r' | b'\n' => return at,
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => return at + 1,
                _ => {}
            }
        }
        self.rest().len()
    }

    /// `{n}`, `{n+}` or `~{n}` with the line end behind it: its octets, and how many follow.
    fn literal_head(&self) -> Option<(usize, u64)> {
        let rest = self.rest();
        let open = usize::from(rest.first() == Some(&b'~'));
        if rest.get(open) != Some(&b'{') {
            return None;
        }
        let close = open + rest[open..].iter().position(|octet| *octet == b'}')?;
        let digits = &rest[open + 1..close];
        let digits = digits.strip_suffix(b"+").unwrap_or(digits);
        let size = core::str::from_utf8(digits).ok()?.parse().ok()?;
        rest[close + 1..].starts_with(b"\r\n").then_some((close + 3, size))
    }

    /// Up to a space, a parenthesis, a quote or a line end; what stands in brackets belongs to it.
    fn atom(&self) -> usize {
        let mut brackets = 0_u32;
        for (at, octet) in self.rest().iter().enumerate() {
            match octet {
                b'\r' | b'\n' if at > 0 => return at,
                b'[' => brackets += 1,
                b']' => brackets = brackets.saturating_sub(1),
                b' ' | b'(' | b')' | b'"' if brackets == 0 && at > 0 => return at,
                _ => {}
            }
        }
        self.rest().len()
    }
}

fn is_status(word: &[u8]) -> bool {
    [&b"OK"[..], b"NO", b"BAD", b"BYE", b"PREAUTH"].iter().any(|s| word.eq_ignore_ascii_case(s))
}

/// What an atom is, as far as its octets tell.
fn kind(atom: &[u8]) -> &'static str {
    let in_set = |octet: &u8| octet.is_ascii_digit() || matches!(octet, b':' | b',' | b'*');
    if atom.eq_ignore_ascii_case(b"NIL") {
        "nil"
    } else if atom.iter().all(u8::is_ascii_digit) {
        "number"
    } else if atom.iter().all(in_set) && atom.iter().any(u8::is_ascii_digit) {
        "sequence-set"
    } else if atom.first() == Some(&b'\\') {
        "flag"
    } else if is_one_of(atom, &ITEMS) {
        "data item"
    } else if is_one_of(atom, &STATUS_ITEMS) {
        "status item"
    } else {
        "atom"
    }
}

/// Names of what FETCH tells of a message; a section in brackets may follow.
const ITEMS: [&[u8]; 18] = [
    b"UID",
    b"FLAGS",
    b"INTERNALDATE",
    b"RFC822.SIZE",
    b"RFC822.HEADER",
    b"RFC822.TEXT",
    b"RFC822",
    b"ENVELOPE",
    b"BODYSTRUCTURE",
    b"BODY",
    b"BODY.PEEK",
    b"BINARY",
    b"MODSEQ",
    b"PREVIEW",
    b"EMAILID",
    b"THREADID",
    b"SAVEDATE",
    b"BINARY.SIZE",
];
/// Names of what STATUS tells of a mailbox.
const STATUS_ITEMS: [&[u8]; 8] = [
    b"MESSAGES",
    b"UIDNEXT",
    b"UIDVALIDITY",
    b"UNSEEN",
    b"RECENT",
    b"DELETED",
    b"SIZE",
    b"HIGHESTMODSEQ",
];

fn is_one_of(atom: &[u8], names: &[&[u8]]) -> bool {
    let end = atom.iter().position(|octet| *octet == b'[').unwrap_or(atom.len());
    names.iter().any(|name| name.eq_ignore_ascii_case(&atom[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(octets: &[u8], place: Place) -> Vec<(&'static str, &str)> {
        let parts = parts(octets, place);
        let mut end = 0;
        for part in &parts {
            assert_eq!(part.start, end);
            end = part.end;
        }
        assert_eq!(end, octets.len());
        let text = |part: &Part| core::str::from_utf8(&octets[part.start..part.end]).expect("text");
        parts.iter().map(|part| (part.label, text(part))).collect()
    }

    #[test]
    fn responses_fall_into_their_tokens() {
        let line = b"* 3 FETCH (FLAGS (\\Seen) UID 7 BODY[HEADER.FIELDS (A B)]<0> {2}\r\n) X \"a\\\"b\" NIL)\r\n";
        let expected = [
            ("untagged", "*"),
            ("SP", " "),
            ("number", "3"),
            ("SP", " "),
            ("response name", "FETCH"),
            ("SP", " "),
            ("opening parenthesis", "("),
            ("data item", "FLAGS"),
            ("SP", " "),
            ("opening parenthesis", "("),
            ("flag", "\\Seen"),
            ("closing parenthesis", ")"),
            ("SP", " "),
            ("data item", "UID"),
            ("SP", " "),
            ("number", "7"),
            ("SP", " "),
            ("data item", "BODY[HEADER.FIELDS (A B)]<0>"),
            ("SP", " "),
            ("literal head", "{2}\r\n"),
            ("literal", ") "),
            ("atom", "X"),
            ("SP", " "),
            ("quoted", "\"a\\\"b\""),
            ("SP", " "),
            ("nil", "NIL"),
            ("closing parenthesis", ")"),
            ("CRLF", "\r\n"),
        ];
        assert_eq!(labels(line, Place::Response), expected);
        let line = b"A1 NO [NONEXISTENT] There is {7}\r\n";
        let expected = [
            ("tag", "A1"),
            ("SP", " "),
            ("status", "NO"),
            ("SP", " "),
            ("resp-text-code", "[NONEXISTENT]"),
            ("SP", " "),
            ("text", "There is {7}"),
            ("CRLF", "\r\n"),
        ];
        assert_eq!(labels(line, Place::Response), expected);
        let expected = [
            ("command", "UID"),
            ("SP", " "),
            ("command", "FETCH"),
            ("SP", " "),
            ("sequence-set", "1:*"),
            ("CRLF", "\r\n"),
        ];
        assert_eq!(labels(b"UID FETCH 1:*\r\n", Place::Command), expected);
    }

    #[test]
    fn any_octets_have_tokens_without_a_gap() {
        let octets = b"* ()[]{\"\\~{1}\r\n{9999999999999999999999}\r\n +A1 OK BAD\0\xff\n\r";
        let mut seed = 7_u64;
        for _ in 0..3000 {
            let mut line = Vec::new();
            for _ in 0..12 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                line.push(octets[(seed >> 33) as usize % octets.len()]);
            }
            for place in [Place::Response, Place::Command, Place::Inside] {
                let mut end = 0;
                for part in parts(&line, place) {
                    assert!(part.start == end && part.end > end, "{}", line.escape_ascii());
                    end = part.end;
                }
                assert_eq!(end, line.len(), "{}", line.escape_ascii());
            }
        }
    }
}
