//! The grammar of POP3 commands (RFC 1939 §9, RFC 2449, RFC 5034), shared by both sides.

use alloc::vec::Vec;

use crate::sasl::Mechanism;
use crate::trace::Part;

/// A command.
#[derive(Clone, PartialEq, Eq)]
pub enum Command {
    /// USER
    User(Vec<u8>),
    /// PASS; spaces belong to the password.
    Pass(Vec<u8>),
    /// APOP: name and digest.
    Apop(Vec<u8>, Vec<u8>),
    /// AUTH: `None` alone lists mechanisms; a mechanism that is not known is `Some(None)`. The initial response is
    /// still base64.
    Auth(Option<Option<Mechanism>>, Option<Vec<u8>>),
    /// CAPA
    Capa,
    /// STLS
    Stls,
    /// UTF8 (RFC 6856)
    Utf8,
    /// LANG (RFC 6856): a language range; none asks for the list.
    Lang(Option<Vec<u8>>),
    /// STAT
    Stat,
    /// LIST, of one message or all
    List(Option<u32>),
    /// UIDL, of one message or all
    Uidl(Option<u32>),
    /// RETR
    Retr(u32),
    /// TOP: message and lines of its body
    Top(u32, u32),
    /// DELE
    Dele(u32),
    /// NOOP
    Noop,
    /// RSET
    Rset,
    /// QUIT
    Quit,
}

/// Why a line is no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// The verb is not known.
    Verb,
    /// The argument is missing, wrong, or too much.
    Argument,
    /// A message number that no maildrop can have.
    Number,
}

/// Parses a line without its CRLF.
///
/// # Errors
/// What is wrong with it.
pub fn parse(line: &[u8]) -> Result<Command, Syntax> {
    let end = line.iter().position(|&octet| octet == b' ').unwrap_or(line.len());
    let verb = line[..end].to_ascii_uppercase();
    let rest = line.get(end + 1..);
    let bare = |command| {
        if rest.is_none_or(<[u8]>::is_empty) { Ok(command) } else { Err(Syntax::Argument) }
    };
    let words: Vec<&[u8]> = rest.unwrap_or_default().split(|&octet| octet == b' ').collect();
    match (&verb[..], &words[..]) {
        // RFC 1939 §7: everything after the space is the name; a space inside is allowed.
        (b"USER", _) => text(rest).map(Command::User),
        (b"PASS", _) => text(rest).map(Command::Pass),
        (b"APOP", [name, digest]) if is_digest(digest) && !name.is_empty() => {
            Ok(Command::Apop(name.to_vec(), digest.to_ascii_lowercase()))
        }
        (b"AUTH", _) => auth(rest),
        (b"CAPA", _) => bare(Command::Capa),
        (b"STLS", _) => bare(Command::Stls),
        (b"UTF8", _) => bare(Command::Utf8),
        (b"LANG", [range]) if rest.is_some() => {
            language(range).map(|range| Command::Lang(Some(range)))
        }
        (b"LANG", _) => bare(Command::Lang(None)),
        (b"STAT", _) => bare(Command::Stat),
        (b"LIST", _) => optional_number(rest).map(Command::List),
        (b"UIDL", _) => optional_number(rest).map(Command::Uidl),
        (b"RETR", [word]) => message_number(word).map(Command::Retr),
        (b"TOP", [word, lines]) => {
            let lines = number(lines).ok_or(Syntax::Argument)?;
            Ok(Command::Top(message_number(word)?, lines))
        }
        (b"DELE", [word]) => message_number(word).map(Command::Dele),
        (b"NOOP", _) => bare(Command::Noop),
        (b"RSET", _) => bare(Command::Rset),
        (b"QUIT", _) => bare(Command::Quit),
        (b"APOP" | b"RETR" | b"TOP" | b"DELE", _) => Err(Syntax::Argument),
        _ => Err(Syntax::Verb),
    }
}

/// What a line without its CRLF is made of, whether it is a command or not. What is secret in it is left to its user.
#[must_use]
pub fn parts(line: &[u8]) -> Vec<Part> {
    let end = line.iter().position(|&octet| octet == b' ').unwrap_or(line.len());
    let verb = line[..end].to_ascii_uppercase();
    let mut all = Vec::new();
    let mut put = |start: usize, end: usize, label| {
        if start < end {
            all.push(Part { start, end, label });
        }
    };
    let labels: &[&'static str] = match &verb[..] {
        b"*" => {
            put(0, line.len(), "cancellation");
            return all;
        }
        b"USER" => &["user name"],
        b"PASS" => &["password"],
        b"APOP" => &["user name", "digest"],
        b"AUTH" => &["mechanism", "initial response"],
        b"LIST" | b"UIDL" | b"RETR" | b"DELE" => &["message number"],
        b"TOP" => &["message number", "line count"],
        b"LANG" => &["language"],
        _ => &[],
    };
    put(0, end, "verb");
    let mut at = (end + 1).min(line.len());
    put(end, at, "SP");
    // RFC 1939 §7: a name or a password of USER and PASS may hold spaces.
    if labels.len() == 1 {
        put(at, line.len(), labels[0]);
        return all;
    }
    for label in labels {
        let word =
            line[at..].iter().position(|&octet| octet == b' ').map_or(line.len(), |n| at + n);
        put(at, word, label);
        let next = (word + 1).min(line.len());
        put(word, next, "SP");
        at = next;
    }
    put(at, line.len(), "argument");
    all
}

fn text(rest: Option<&[u8]>) -> Result<Vec<u8>, Syntax> {
    rest.filter(|rest| !rest.is_empty()).map(<[u8]>::to_vec).ok_or(Syntax::Argument)
}

/// `AUTH [mechanism [initial-response]]` (RFC 5034 §4)
fn auth(rest: Option<&[u8]>) -> Result<Command, Syntax> {
    let Some(rest) = rest.filter(|rest| !rest.is_empty()) else {
        return Ok(Command::Auth(None, None));
    };
    let mut words = rest.split(|&octet| octet == b' ');
    let mechanism = words.next().map(Mechanism::from_name);
    let initial = words.next().map(<[u8]>::to_vec);
    if words.next().is_some() {
        Err(Syntax::Argument)
    } else {
        Ok(Command::Auth(mechanism, initial))
    }
}

/// `1*8ALPHA *("-" 1*8alphanum) / "*"` (RFC 4647 §2.1); nothing stands for the list.
fn language(range: &[u8]) -> Result<Vec<u8>, Syntax> {
    let subtag =
        |tag: &[u8]| (1..=8).contains(&tag.len()) && tag.iter().all(u8::is_ascii_alphanumeric);
    let right = range == b"*" || range.split(|&octet| octet == b'-').all(subtag);
    if right { Ok(range.to_ascii_lowercase()) } else { Err(Syntax::Argument) }
}

fn is_digest(text: &[u8]) -> bool {
    text.len() == 32 && text.iter().all(u8::is_ascii_hexdigit)
}

fn optional_number(rest: Option<&[u8]>) -> Result<Option<u32>, Syntax> {
    match rest {
        None | Some(b"") => Ok(None),
        Some(word) => message_number(word).map(Some),
    }
}

/// RFC 1939 §4: message numbers are decimal and begin at 1. One beyond 32 bits names no message, and does not wrap.
fn message_number(word: &[u8]) -> Result<u32, Syntax> {
    if word.is_empty() || !word.iter().all(u8::is_ascii_digit) {
        return Err(Syntax::Argument);
    }
    number(word).filter(|&number| number > 0).ok_or(Syntax::Number)
}

fn number(word: &[u8]) -> Option<u32> {
    if word.is_empty() || !word.iter().all(u8::is_ascii_digit) {
        return None;
    }
    word.iter().try_fold(0u32, |number, &digit| {
        number.checked_mul(10)?.checked_add(u32::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_decimal_and_never_wrap() {
        assert!(parse(b"RETR 1") == Ok(Command::Retr(1)));
        assert!(parse(b"RETR 01") == Ok(Command::Retr(1)));
        for wrong in ["RETR", "RETR ", "RETR -1", "RETR +1", "RETR 1 2", "RETR x", "RETR  1"] {
            assert!(parse(wrong.as_bytes()) == Err(Syntax::Argument), "{wrong}");
        }
        for wrong in ["RETR 0", "RETR 4294967297", "RETR 18446744073709551617", "LIST 0"] {
            assert!(parse(wrong.as_bytes()) == Err(Syntax::Number), "{wrong}");
        }
        assert!(parse(b"TOP 1") == Err(Syntax::Argument));
        assert!(parse(b"TOP 1 -1") == Err(Syntax::Argument));
        assert!(parse(b"TOP 1 0") == Ok(Command::Top(1, 0)));
    }

    #[test]
    fn language_ranges_are_parsed() {
        assert!(parse(b"LANG") == Ok(Command::Lang(None)));
        assert!(parse(b"lang *") == Ok(Command::Lang(Some(b"*".to_vec()))));
        assert!(parse(b"LANG de-CH") == Ok(Command::Lang(Some(b"de-ch".to_vec()))));
        for wrong in ["LANG ", "LANG -", "LANG en us", "LANG abcdefghi", "LANG en-"] {
            assert!(parse(wrong.as_bytes()) == Err(Syntax::Argument), "{wrong}");
        }
        assert!(parse(b"UTF8") == Ok(Command::Utf8));
        assert!(parse(b"UTF8 x") == Err(Syntax::Argument));
    }

    #[test]
    fn spaces_belong_to_the_password() {
        assert!(parse(b"PASS  a b ") == Ok(Command::Pass(b" a b ".to_vec())));
        assert!(parse(b"pass x") == Ok(Command::Pass(b"x".to_vec())));
        assert!(parse(b"PASS") == Err(Syntax::Argument));
    }
}
