//! Walks over a response that has come whole: parentheses, atoms and strings, as real servers write them.
//! It takes more spaces, and strings where atoms are due and the other way round; its users judge what it reads.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use crate::imap::types::UidRun;

/// A piece of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Text of a line, without a literal's head at its end.
    Text(Vec<u8>),
    /// A literal's octets.
    Literal(Vec<u8>),
    /// A literal whose octets went to the host already.
    Body,
}

/// What stands next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// `(`
    Open,
    /// `)`
    Close,
    /// Anything else without spaces; what stands in brackets belongs to it.
    Atom(&'a [u8]),
    /// A quoted string or a literal.
    Text(Cow<'a, [u8]>),
    /// A body whose octets went to the host already.
    Body,
    /// There is nothing more.
    End,
}

/// A place in a response.
#[derive(Clone, Copy)]
pub(super) struct Scan<'a> {
    pieces: &'a [Piece],
    at: usize,
}

impl<'a> Scan<'a> {
    pub(super) fn new(pieces: &'a [Piece]) -> Self {
        Self { pieces, at: 0 }
    }

    /// Takes the next token.
    pub(super) fn next(&mut self) -> Token<'a> {
        loop {
            match self.pieces.first() {
                None => return Token::End,
                Some(Piece::Literal(octets)) => {
                    self.next_piece();
                    return Token::Text(Cow::Borrowed(octets));
                }
                Some(Piece::Body) => {
                    self.next_piece();
                    return Token::Body;
                }
                Some(Piece::Text(text)) => {
                    let rest = &text[self.at..];
                    let spaces = rest.iter().take_while(|octet| is_space(**octet)).count();
                    self.at += spaces;
                    let rest = &rest[spaces..];
                    match rest.first() {
                        None => self.next_piece(),
                        Some(b'(') => {
                            self.at += 1;
                            return Token::Open;
                        }
                        Some(b')') => {
                            self.at += 1;
                            return Token::Close;
                        }
                        Some(b'"') => {
                            let (string, length) = quoted(rest);
                            self.at += length;
                            return Token::Text(string);
                        }
                        Some(_) => {
                            let length = atom_length(rest);
                            self.at += length;
                            return Token::Atom(&rest[..length]);
                        }
                    }
                }
            }
        }
    }

    pub(super) fn peek(&self) -> Token<'a> {
        Scan::next(&mut { *self })
    }

    fn next_piece(&mut self) {
        self.pieces = &self.pieces[1..];
        self.at = 0;
    }

    /// Takes `(`.
    pub(super) fn open(&mut self) -> bool {
        self.take(&Token::Open)
    }

    /// Takes `)`.
    pub(super) fn close(&mut self) -> bool {
        self.take(&Token::Close)
    }

    fn take(&mut self, wanted: &Token<'_>) -> bool {
        let before = *self;
        let taken = self.next() == *wanted;
        if !taken {
            *self = before;
        }
        taken
    }

    /// Whether a list ends here, or everything does.
    pub(super) fn at_end(&self) -> bool {
        matches!(self.peek(), Token::Close | Token::End)
    }

    /// A word or a string; NIL, a list, or the end of one gives nothing. A list is skipped.
    pub(super) fn nstring(&mut self) -> Option<Vec<u8>> {
        match self.peek() {
            Token::Atom(atom) => {
                self.next();
                (!atom.eq_ignore_ascii_case(b"NIL")).then(|| atom.to_vec())
            }
            Token::Text(text) => {
                self.next();
                Some(text.into_owned())
            }
            Token::Open | Token::Body => {
                self.skip();
                None
            }
            Token::Close | Token::End => None,
        }
    }

    /// As `nstring`; also NIL is a word.
    pub(super) fn string(&mut self) -> Option<Vec<u8>> {
        match self.peek() {
            Token::Atom(atom) => {
                self.next();
                Some(atom.to_vec())
            }
            _ => self.nstring(),
        }
    }

    /// A number of 64 bits, perhaps as a string.
    pub(super) fn number(&mut self) -> Option<u64> {
        number64(&self.string()?)
    }

    /// Passes over one value, whatever it is; over nothing at the end of a list.
    pub(super) fn skip(&mut self) {
        let mut depth = 0u32;
        loop {
            match self.peek() {
                Token::Open => depth += 1,
                Token::Close if depth == 0 => return,
                Token::Close => depth -= 1,
                Token::End => return,
                _ => {}
            }
            self.next();
            if depth == 0 {
                return;
            }
        }
    }

    /// Passes over all that is left of a list, its end included.
    pub(super) fn leave(&mut self) {
        while !self.at_end() {
            self.skip();
        }
        self.close();
    }

    /// A list of words, of which at most `max` are kept; one word alone is a list too, and NIL is an empty one.
    pub(super) fn words(&mut self, max: usize) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        if !self.open() {
            out.extend(self.nstring());
            return out;
        }
        while !self.at_end() {
            match self.string() {
                Some(word) if out.len() < max => out.push(word),
                _ => {}
            }
        }
        self.close();
        out
    }
}

fn is_space(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

/// `quoted`, from its first quote; also what is not closed, up to the end.
fn quoted(text: &[u8]) -> (Cow<'_, [u8]>, usize) {
    let inner = &text[1..];
    let plain = inner.iter().position(|octet| matches!(octet, b'"' | b'\\'));
    match plain {
        None => return (Cow::Borrowed(inner), text.len()),
        Some(end) if inner[end] == b'"' => return (Cow::Borrowed(&inner[..end]), end + 2),
        Some(_) => {}
    }
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(&octet) = inner.get(at) {
        match octet {
            b'"' => return (Cow::Owned(out), at + 2),
            b'\\' => {
                at += 1;
                out.extend(inner.get(at));
            }
            _ => out.push(octet),
        }
        at += 1;
    }
    (Cow::Owned(out), text.len())
}

/// How long an atom is. What stands in brackets belongs to it, as in `BODY[HEADER.FIELDS (FROM TO)]`.
fn atom_length(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(&octet) = text.get(at) {
        if is_space(octet) || matches!(octet, b'(' | b')' | b'"') {
            break;
        }
        if octet == b'['
            && let Some(end) = text[at..].iter().position(|octet| *octet == b']')
        {
            at += end;
        }
        at += 1;
    }
    // What begins with anything else is one octet at least, so that every step goes on.
    at.max(1)
}

/// A decimal number of 64 bits.
pub(super) fn number64(word: &[u8]) -> Option<u64> {
    if word.is_empty() || !word.iter().all(u8::is_ascii_digit) {
        return None;
    }
    word.iter().try_fold(0u64, |number, digit| {
        number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    })
}

/// A decimal number of 32 bits.
pub(super) fn number(word: &[u8]) -> Option<u32> {
    number64(word).and_then(|number| u32::try_from(number).ok())
}

/// Adds a UID behind those that are there; one that follows the last makes its run longer.
pub(super) fn push_uid(runs: &mut Vec<UidRun>, uid: u32) {
    push_run(runs, UidRun { first: uid, last: uid });
}

/// Adds a run behind those that are there, joined to the last one if it follows it.
fn push_run(runs: &mut Vec<UidRun>, run: UidRun) {
    match runs.last_mut() {
        Some(last) if last.last.checked_add(1) == Some(run.first) => last.last = run.last,
        _ => runs.push(run),
    }
}

/// `uid-set`: what is no number from 1 is passed over, and runs are turned the right way.
pub(super) fn uid_set(set: &[u8]) -> Vec<UidRun> {
    let mut runs = Vec::new();
    for range in set.split(|octet| *octet == b',') {
        let mut ends = range.splitn(2, |octet| *octet == b':').map(number);
        let Some(Some(first)) = ends.next() else { continue };
        let Some(last) = ends.next().unwrap_or(Some(first)) else { continue };
        let (first, last) = (first.min(last), first.max(last));
        if first > 0 {
            push_run(&mut runs, UidRun { first, last });
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Vec<Piece> {
        alloc::vec![Piece::Text(text.as_bytes().to_vec())]
    }

    #[test]
    fn tokens_are_found_however_they_are_spaced() {
        let pieces =
            text("* 1 FETCH (FLAGS(\\Seen  x]y)BODY[HEADER.FIELDS (A B)]<0> \"a\\\"b\" NIL)");
        let mut scan = Scan::new(&pieces);
        let mut out = Vec::new();
        loop {
            match scan.next() {
                Token::Open => out.push(b"(".to_vec()),
                Token::Close => out.push(b")".to_vec()),
                Token::Atom(atom) => out.push(atom.to_vec()),
                Token::Text(text) => out.push(text.into_owned()),
                Token::Body => out.push(b"~".to_vec()),
                Token::End => break,
            }
        }
        let expected: [&[u8]; 15] = [
            b"*",
            b"1",
            b"FETCH",
            b"(",
            b"FLAGS",
            b"(",
            b"\\Seen",
            b"x]y",
            b")",
            b"BODY[HEADER.FIELDS (A B)]<0>",
            b"a\"b",
            b"NIL",
            b")",
            b"",
            b"",
        ];
        assert_eq!(out, expected[..13]);
    }

    #[test]
    fn values_are_passed_over_whole_and_never_too_far() {
        let pieces = text("(a (b (c)) \"x\" ) d) e");
        let mut scan = Scan::new(&pieces);
        scan.skip();
        assert_eq!(scan.next(), Token::Atom(b"d"));
        scan.skip();
        assert_eq!(scan.peek(), Token::Close);
        scan.leave();
        assert_eq!(scan.words(9), [b"e".to_vec()]);
        assert_eq!(scan.next(), Token::End);
        let open = text(&"(".repeat(1_000_000));
        let mut scan = Scan::new(&open);
        scan.skip();
        assert_eq!(scan.next(), Token::End);
    }

    #[test]
    fn strings_that_do_not_end_and_odd_atoms_end_with_the_line() {
        for odd in ["\"abc", "\"abc\\", "[", "a[b", "\\", "{3}x"] {
            let pieces = text(odd);
            let mut scan = Scan::new(&pieces);
            assert!(scan.string().is_some(), "{odd}");
            assert_eq!(scan.next(), Token::End, "{odd}");
        }
    }

    #[test]
    fn sets_are_read_and_numbers_joined() {
        let run = |first, last| UidRun { first, last };
        assert_eq!(uid_set(b"1:3,5,9:7,10"), [run(1, 3), run(5, 5), run(7, 10)]);
        assert_eq!(uid_set(b"0,x,4294967296,2:,*"), []);
        let mut runs = Vec::new();
        [1, 2, 3, 7, 5, 6].into_iter().for_each(|uid| push_uid(&mut runs, uid));
        assert_eq!(runs, [run(1, 3), run(7, 7), run(5, 6)]);
    }
}
