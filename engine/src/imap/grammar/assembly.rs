//! Cuts input into lines and literals before any grammar, so that nothing in a literal is ever read as a command.

use alloc::vec::Vec;

use super::append::append_head;
use super::parse::tag_of;
use crate::limits::{Limits, METADATA_VALUE_MAX};
use crate::role::{Line, LineFault};

/// A piece of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text of a line, without a literal's head at its end; and its offset.
    Text(Vec<u8>, u64),
    /// A literal's octets, its offset, and whether it is a literal8.
    Literal(Vec<u8>, u64, bool),
}

/// What stands at the end of a line that a literal follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Literal {
    /// Octets that follow.
    pub size: u64,
    /// Whether the peer waits for `+`.
    pub waits: bool,
    /// `~{n}`: the octets may be NUL.
    pub binary: bool,
}

/// Why a command is refused before it is parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The line is longer than the limit.
    LineTooLong,
    /// A bare CR, a bare LF or NUL.
    BadOctet,
    /// The literals are larger than the limit.
    LiteralTooBig,
    /// A value of SETMETADATA is larger than any may be (RFC 5464 §4.3).
    ValueTooBig,
    /// What looks like a literal's head is none.
    BadLiteral,
}

/// What a line or a literal led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assembled {
    /// The command goes on with a literal: send `+` if told so, then give its octets to `octets`.
    Literal(Assembly, Literal),
    /// The command is whole.
    Whole(Vec<Piece>),
    /// An APPEND up to the head of its message: the octets that follow belong to the message and are not gathered.
    Append(Vec<Piece>, Literal),
    /// Refuse it, under its tag if it has one. The peer sends nothing more of it.
    Refused(Option<Vec<u8>>, Problem),
}

/// A command being gathered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assembly {
    pieces: Vec<Piece>,
    /// Octets of literals so far.
    literals: u64,
    /// The literal whose octets are due.
    due: Option<Literal>,
    /// Why it will be refused, once all that belongs to it has passed by.
    failed: Option<Problem>,
    tag: Option<Vec<u8>>,
}

impl Assembly {
    /// Whether nothing of a command has come.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.failed.is_none()
    }

    /// Offset of its first octet, once some came.
    #[must_use]
    pub fn start(&self) -> Option<u64> {
        self.pieces.first().map(|piece| match piece {
            Piece::Text(_, start) | Piece::Literal(_, start, _) => *start,
        })
    }

    /// The text of its first line, once it came.
    #[must_use]
    pub fn first(&self) -> Option<&[u8]> {
        match self.pieces.first() {
            Some(Piece::Text(text, _)) => Some(text),
            _ => None,
        }
    }

    /// A line came.
    #[must_use]
    pub fn line(mut self, line: &Line, limits: &Limits, logged_in: bool, plus: bool) -> Assembled {
        if self.pieces.is_empty() {
            self.tag = tag_of(&line.octets);
        }
        let problem = match line.fault {
            Some(LineFault::TooLong) => Some(Problem::LineTooLong),
            Some(_) => Some(Problem::BadOctet),
            None => None,
        };
        self.failed = self.failed.or(problem);
        let (text, head) = match split_head(&line.octets) {
            Ok((text, head)) => (text, head),
            Err(problem) => {
                self.failed.get_or_insert(problem);
                (&line.octets[..], None)
            }
        };
        self.pieces.push(Piece::Text(text.to_vec(), line.start));
        let Some(head) = head.filter(|_| line.fault != Some(LineFault::TooLong)) else {
            return match self.failed {
                Some(problem) => Assembled::Refused(self.tag, problem),
                None => Assembled::Whole(self.pieces),
            };
        };
        if self.failed.is_none() && logged_in && append_head(&self.pieces).is_some() {
            return Assembled::Append(self.pieces, head);
        }
        self.literal(head, limits, logged_in, plus)
    }

    fn literal(mut self, head: Literal, limits: &Limits, logged_in: bool, plus: bool) -> Assembled {
        // Before login only names and passwords are due, and nobody is known to be owed memory.
        let max = if logged_in { u64::from(limits.literals_max) } else { 4096 };
        let total = self.literals.saturating_add(head.size);
        // RFC 7888 §5: with LITERAL- a literal that does not wait has at most 4,096 octets.
        if logged_in && head.size > METADATA_VALUE_MAX as u64 && self.sets_metadata() {
            self.failed.get_or_insert(Problem::ValueTooBig);
        } else if total > max || (!plus && !head.waits && head.size > 4096) {
            self.failed.get_or_insert(Problem::LiteralTooBig);
        }
        match self.failed {
            // The peer waits, so it sends nothing more once it is refused.
            Some(problem) if head.waits => Assembled::Refused(self.tag, problem),
            // RFC 7888 §3: octets that were announced come whatever becomes of the command; they are passed over.
            _ => {
                self.literals = total;
                self.due = Some(head);
                Assembled::Literal(self, head)
            }
        }
    }

    fn sets_metadata(&self) -> bool {
        let mut words = self.first().unwrap_or_default().split(|&octet| octet == b' ').skip(1);
        words.next().is_some_and(|verb| verb.eq_ignore_ascii_case(b"SETMETADATA"))
    }

    /// Octets of the literal came, all or some; the command goes on with a line once all did.
    #[must_use]
    pub fn octets(mut self, octets: &[u8], end: u64) -> Self {
        let Some(head) = &mut self.due else { return self };
        head.size = head.size.saturating_sub(octets.len() as u64);
        let (left, binary) = (head.size, head.binary);
        if !binary && octets.contains(&0) {
            self.failed.get_or_insert(Problem::BadOctet);
        }
        if self.failed.is_none() {
            match self.pieces.last_mut() {
                Some(Piece::Literal(held, ..)) => held.extend_from_slice(octets),
                _ => {
                    let start = end - octets.len() as u64;
                    self.pieces.push(Piece::Literal(octets.to_vec(), start, binary));
                }
            }
        }
        if left == 0 {
            self.due = None;
        }
        self
    }

    /// Octets of a literal that are still due.
    #[must_use]
    pub fn due(&self) -> Option<u64> {
        self.due.map(|head| head.size)
    }
}

/// Takes `{n}`, `{n+}`, `~{n}` or `~{n+}` off the end of a line (RFC 9051 §9 literal, literal8).
///
/// # Errors
/// [`Problem::BadLiteral`] for what looks like one and is none.
pub fn split_head(line: &[u8]) -> Result<(&[u8], Option<Literal>), Problem> {
    let Some(inside) = line.strip_suffix(b"}") else { return Ok((line, None)) };
    let Some(open) = inside.iter().rposition(|octet| *octet == b'{') else {
        return Ok((line, None));
    };
    let before = &line[..open];
    // A literal stands after a space or a parenthesis; anything else is an atom or a string that ends oddly.
    let (text, binary) = match before.strip_suffix(b"~") {
        Some(text) => (text, true),
        None => (before, false),
    };
    if !text.is_empty() && !text.ends_with(b" ") && !text.ends_with(b"(") {
        return Ok((line, None));
    }
    let digits = &inside[open + 1..];
    let (digits, waits) = match digits.strip_suffix(b"+") {
        Some(digits) => (digits, false),
        None => (digits, true),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Problem::BadLiteral);
    }
    let size = digits
        .iter()
        .try_fold(0u64, |size, digit| size.checked_mul(10)?.checked_add(u64::from(digit - b'0')));
    // RFC 9051 §9 number64: 63 bits.
    let size = size.filter(|size| *size <= i64::MAX as u64).ok_or(Problem::BadLiteral)?;
    Ok((text, Some(Literal { size, waits, binary })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &[u8]) -> Line {
        Line { octets: text.to_vec(), start: 0, end: text.len() as u64 + 2, fault: None }
    }

    fn first(text: &[u8]) -> Assembled {
        Assembly::default().line(&line(text), &Limits::IMAP, true, true)
    }

    #[test]
    fn heads_of_literals_are_read() {
        let head = |text: &[u8]| match first(text) {
            Assembled::Literal(_, head) => Some((head.size, head.waits, head.binary)),
            _ => None,
        };
        assert_eq!(head(b"a LOGIN {3}"), Some((3, true, false)));
        assert_eq!(head(b"a LOGIN {003+}"), Some((3, false, false)));
        assert_eq!(head(b"a X ~{3}"), Some((3, true, true)));
        for wrong in [&b"a X {}"[..], b"a X {-1}", b"a X {1x}", b"a X {9223372036854775808}"] {
            assert!(matches!(first(wrong), Assembled::Refused(_, Problem::BadLiteral)));
        }
        assert!(matches!(first(b"a X x{1}"), Assembled::Whole(_)));
    }

    #[test]
    fn what_was_announced_passes_by_even_if_the_command_is_refused() {
        let limits = Limits { literals_max: 4, ..Limits::IMAP };
        let start = Assembly::default();
        let Assembled::Literal(assembly, head) =
            start.line(&line(b"a X {9+}"), &limits, true, true)
        else {
            panic!("it goes on")
        };
        assert_eq!(head.size, 9);
        let assembly = assembly.octets(b"123456789", 19);
        assert_eq!(assembly.due(), None);
        let refused = Assembled::Refused(Some(b"a".to_vec()), Problem::LiteralTooBig);
        assert_eq!(assembly.line(&line(b""), &limits, true, true), refused);
        let waiting = Assembly::default().line(&line(b"a X {9}"), &limits, true, true);
        assert_eq!(waiting, refused);
    }

    #[test]
    fn a_value_that_is_too_big_is_told_from_a_literal_that_is() {
        let problem = |text: &[u8]| match first(text) {
            Assembled::Refused(_, problem) => Some(problem),
            _ => None,
        };
        let value = Some(Problem::ValueTooBig);
        assert_eq!(problem(b"a SETMETADATA INBOX (/private/comment {16384}"), None);
        assert_eq!(problem(b"a setmetadata INBOX (/private/comment {16385}"), value);
        assert_eq!(problem(b"a SETMETADATA INBOX (/private/comment ~{65537}"), value);
        assert_eq!(problem(b"a SEARCH TEXT {65537}"), Some(Problem::LiteralTooBig));
        let known = Assembly::default().line(
            &line(b"a SETMETADATA INBOX (/private/comment {65537}"),
            &Limits::IMAP,
            false,
            true,
        );
        assert_eq!(known, Assembled::Refused(Some(b"a".to_vec()), Problem::LiteralTooBig));
    }
}
