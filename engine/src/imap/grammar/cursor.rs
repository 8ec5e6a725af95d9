//! Walks over the pieces of a command; every production that reads takes what it names and nothing more.

use alloc::vec::Vec;

use super::assembly::Piece;

/// What is wrong with a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bad {
    /// This was expected, at this octet of the command's text, from 0.
    Expected(&'static str, u64),
    /// The command is not known.
    Unknown,
    /// Lists or search keys are nested too deep.
    TooDeep,
    /// SEARCH, SORT or THREAD names a charset that is not known; whether the result was to be saved.
    Charset {
        /// RETURN has SAVE.
        saves: bool,
    },
    /// SEARCH names a charset, though UTF-8 was agreed on (RFC 6855 §3).
    NeedlessCharset,
    /// A mailbox name that is none (RFC 9051 §5.1).
    Mailbox,
    /// A use that no mailbox here can have (RFC 6154 §3).
    Use,
    /// The name of an annotation that is none (RFC 5464 §3.2).
    Entry,
}

/// A labelled range of received octets, and whether it is secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// First octet.
    pub start: u64,
    /// One past the last.
    pub end: u64,
    /// The grammar's name for it.
    pub label: &'static str,
    /// Whether it must be masked.
    pub secret: bool,
}

/// Where a parser stands in the pieces of a command.
pub struct Piecewise<'a> {
    pieces: &'a [Piece],
    piece: usize,
    at: usize,
    /// What was read so far.
    pub tokens: Vec<Token>,
}

pub(super) type Read<T> = Result<T, Bad>;

impl<'a> Piecewise<'a> {
    /// At the beginning.
    #[must_use]
    pub const fn new(pieces: &'a [Piece]) -> Self {
        Self { pieces, piece: 0, at: 0, tokens: Vec::new() }
    }

    /// The rest of the current text; empty before a literal and at the end.
    pub(super) fn text(&self) -> &'a [u8] {
        match self.pieces.get(self.piece) {
            Some(Piece::Text(text, _)) => &text[self.at.min(text.len())..],
            _ => b"",
        }
    }

    fn offset(&self) -> u64 {
        match self.pieces.get(self.piece) {
            Some(Piece::Text(_, start) | Piece::Literal(_, start, _)) => start + self.at as u64,
            None => self.pieces.last().map_or(0, |last| match last {
                Piece::Text(octets, start) | Piece::Literal(octets, start, _) => {
                    start + octets.len() as u64
                }
            }),
        }
    }

    pub(super) fn expected<T>(&self, what: &'static str) -> Read<T> {
        let first = match self.pieces.first() {
            Some(Piece::Text(_, start) | Piece::Literal(_, start, _)) => *start,
            None => 0,
        };
        Err(Bad::Expected(what, self.offset().saturating_sub(first)))
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text().first().copied()
    }

    pub(super) fn advance(&mut self, octets: usize) {
        self.at += octets;
    }

    pub(super) fn take(&mut self, octet: u8) -> bool {
        let found = self.peek() == Some(octet);
        self.at += usize::from(found);
        found
    }

    pub(super) fn must(&mut self, octet: u8, what: &'static str) -> Read<()> {
        if self.take(octet) { Ok(()) } else { self.expected(what) }
    }

    pub(super) fn space(&mut self) -> Read<()> {
        self.must(b' ', "a space")
    }

    /// A word without regard to case, if it stands here and nothing that belongs to an atom follows.
    pub(super) fn take_word(&mut self, word: &[u8]) -> bool {
        let text = self.text();
        let found = text.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word))
            && !text.get(word.len()).is_some_and(|next| is_atom_char(*next));
        self.at += if found { word.len() } else { 0 };
        found
    }

    pub(super) fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let text = self.text();
        let end = text.iter().position(|octet| !wanted(*octet)).unwrap_or(text.len());
        self.at += end;
        &text[..end]
    }

    /// Whether nothing is left.
    pub(super) fn at_end(&self) -> bool {
        self.piece + 1 >= self.pieces.len() && self.text().is_empty()
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Read<()> {
        if self.at_end() { Ok(()) } else { self.expected("the end of the command") }
    }

    /// Reads with `read`, and notes what it took under a label.
    pub(super) fn labelled<T>(
        &mut self,
        label: &'static str,
        secret: bool,
        read: impl FnOnce(&mut Self) -> Read<T>,
    ) -> Read<T> {
        let start = self.offset();
        let value = read(self)?;
        let end = self.taken_to();
        if end > start {
            self.tokens.push(Token { start, end, label, secret });
        }
        Ok(value)
    }

    /// Where what was taken last ends; after a literal, its end and not the next line's beginning.
    fn taken_to(&self) -> u64 {
        if self.at == 0
            && let Some(Piece::Literal(octets, start, _)) =
                self.piece.checked_sub(1).and_then(|before| self.pieces.get(before))
        {
            return start + octets.len() as u64;
        }
        self.offset()
    }

    /// `atom = 1*ATOM-CHAR`
    pub(super) fn atom(&mut self, what: &'static str) -> Read<&'a [u8]> {
        let atom = self.take_while(is_atom_char);
        if atom.is_empty() { self.expected(what) } else { Ok(atom) }
    }

    /// `astring = 1*ASTRING-CHAR / string`
    pub(super) fn astring(&mut self, what: &'static str) -> Read<Vec<u8>> {
        match self.peek() {
            Some(octet) if is_astring_char(octet) => Ok(self.take_while(is_astring_char).to_vec()),
            _ => self.string(what),
        }
    }

    /// `string = quoted / literal`
    pub(super) fn string(&mut self, what: &'static str) -> Read<Vec<u8>> {
        if self.take(b'"') {
            return self.quoted();
        }
        match self.literal() {
            Some(octets) => Ok(octets.to_vec()),
            None => self.expected(what),
        }
    }

    /// `nstring = string / nil`
    pub(super) fn nstring(&mut self, what: &'static str) -> Read<Option<Vec<u8>>> {
        if self.take_word(b"NIL") { Ok(None) } else { self.string(what).map(Some) }
    }

    fn literal(&mut self) -> Option<&'a [u8]> {
        if !self.text().is_empty() {
            return None;
        }
        let Some(Piece::Literal(octets, ..)) = self.pieces.get(self.piece + 1) else { return None };
        self.piece += 2;
        self.at = 0;
        Some(octets)
    }

    /// The rest of `quoted = DQUOTE *QUOTED-CHAR DQUOTE`. UTF-8 is taken too: to refuse it helps nobody.
    fn quoted(&mut self) -> Read<Vec<u8>> {
        let mut out = Vec::new();
        loop {
            out.extend_from_slice(self.take_while(|octet| !matches!(octet, b'"' | b'\\')));
            if self.take(b'"') {
                return if out.is_ascii() || core::str::from_utf8(&out).is_ok() {
                    Ok(out)
                } else {
                    self.expected("UTF-8 in a quoted string")
                };
            }
            if !self.take(b'\\') {
                return self.expected("a closing quote");
            }
            match self.peek() {
                Some(octet @ (b'"' | b'\\')) => out.push(octet),
                _ => return self.expected("\" or \\ after \\"),
            }
            self.advance(1);
        }
    }

    /// `number = 1*DIGIT` of 32 bits.
    pub(super) fn number(&mut self, what: &'static str) -> Read<u32> {
        match u32::try_from(self.number64(what)?) {
            Ok(number) => Ok(number),
            Err(_) => self.expected("a number of 32 bits"),
        }
    }

    /// `nz-number`
    pub(super) fn nz_number(&mut self, what: &'static str) -> Read<u32> {
        match self.number(what)? {
            0 => self.expected("a number above 0"),
            number => Ok(number),
        }
    }

    /// `number64 = 1*DIGIT` of 63 bits.
    pub(super) fn number64(&mut self, what: &'static str) -> Read<u64> {
        let digits = self.take_while(|octet| octet.is_ascii_digit());
        if digits.is_empty() {
            return self.expected(what);
        }
        let number = digits.iter().try_fold(0u64, |number, digit| {
            number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
        });
        match number.filter(|number| *number <= i64::MAX as u64) {
            Some(number) => Ok(number),
            None => self.expected("a number of 63 bits"),
        }
    }

    /// `mod-sequence-value = 1*DIGIT` (RFC 7162 §7), which is not 0.
    pub(super) fn modseq(&mut self) -> Read<u64> {
        match self.number64("a mod-sequence")? {
            0 => self.expected("a mod-sequence above 0"),
            number => Ok(number),
        }
    }

    /// `"(" [x *(SP x)] ")"`
    pub(super) fn list<T>(
        &mut self,
        what: &'static str,
        mut read: impl FnMut(&mut Self) -> Read<T>,
    ) -> Read<Vec<T>> {
        self.must(b'(', what)?;
        let mut out = Vec::new();
        if self.take(b')') {
            return Ok(out);
        }
        loop {
            out.push(read(self)?);
            if self.take(b')') {
                return Ok(out);
            }
            self.space()?;
        }
    }
}

/// ATOM-CHAR (RFC 9051 §9): any CHAR but atom-specials.
pub(super) fn is_atom_char(octet: u8) -> bool {
    octet.is_ascii_graphic()
        && !matches!(octet, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
}

/// ASTRING-CHAR: ATOM-CHAR or `]`.
pub(super) fn is_astring_char(octet: u8) -> bool {
    is_atom_char(octet) || octet == b']'
}
