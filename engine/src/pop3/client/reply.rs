//! Status lines (RFC 1939 §3) and response codes (RFC 2449 §8), as real servers write them.
//! What a reply means for a command is left to the states that wait for it.

use super::types::{Cause, Code, Failure};
use crate::role::{Cx, Line, Role};
use crate::trace::Rule;

/// RFC 1939 §3.
pub(in crate::pop3) const STATUS: Rule = Rule {
    rfc: 1939,
    section: "3",
    gist: "A reply begins with +OK or -ERR, and a reply of many lines ends with a line that is a single dot.",
};
/// RFC 2449 §8.
pub(super) const CODE: Rule = Rule {
    rfc: 2449,
    section: "8",
    gist: "The text of -ERR may begin with a code in brackets that says why.",
};

/// Octets of a reply's text that are kept.
const TEXT_MAX: usize = 512;
/// Octets of a response code that are kept.
const CODE_MAX: usize = 64;

/// A reply's first line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::pop3) enum Status<'a> {
    /// `+OK`, and its text.
    Ok(&'a [u8]),
    /// `-ERR`, and its text.
    Err(&'a [u8]),
    /// `+`: a challenge (RFC 5034 §4), still base64.
    Go(&'a [u8]),
}

/// Reads a reply's first line; `None` for what is none. Servers of every age differ in case and in spaces.
pub(in crate::pop3) fn status(line: &[u8]) -> Option<Status<'_>> {
    let word = |word: &[u8]| {
        let (head, rest) = line.split_at_checked(word.len())?;
        let whole = rest.first().is_none_or(|octet| !octet.is_ascii_alphanumeric());
        (head.eq_ignore_ascii_case(word) && whole).then(|| rest.trim_ascii_start())
    };
    if let Some(text) = word(b"+OK") {
        return Some(Status::Ok(text));
    }
    if let Some(text) = word(b"-ERR") {
        return Some(Status::Err(text));
    }
    match line {
        b"+" => Some(Status::Go(b"")),
        [b'+', b' ', challenge @ ..] => Some(Status::Go(challenge.trim_ascii())),
        _ => None,
    }
}

/// `resp-text = "[" resp-code "]" *CHAR`: the code, and what follows it.
pub(super) fn code(text: &[u8]) -> (Code, &[u8]) {
    let inside = text.strip_prefix(b"[").and_then(|rest| {
        let end = rest.iter().position(|octet| *octet == b']')?;
        Some((&rest[..end], rest[end + 1..].trim_ascii_start()))
    });
    let Some((name, rest)) = inside.filter(|(name, _)| !name.is_empty()) else {
        return (Code::None, text);
    };
    let code = match &name.to_ascii_uppercase()[..] {
        b"IN-USE" => Code::InUse,
        b"LOGIN-DELAY" => Code::LoginDelay,
        b"SYS/TEMP" => Code::SysTemp,
        b"SYS/PERM" => Code::SysPerm,
        b"AUTH" => Code::Auth,
        b"UTF8" => Code::Utf8,
        _ => Code::Other(name[..name.len().min(CODE_MAX)].to_vec()),
    };
    (code, rest)
}

/// Octets of the response code that a text begins with, a space behind it; 0 if there is none.
fn code_length(text: &[u8]) -> usize {
    let end = text.iter().position(|octet| *octet == b']').map_or(0, |end| end + 1);
    if text.first() == Some(&b'[') && text.get(end) == Some(&b' ') { end } else { 0 }
}

impl Failure {
    /// The server's refusal.
    pub(super) fn refused(cause: Cause, text: &[u8]) -> Self {
        let (code, text) = code(text);
        Self { cause, code, text: text[..text.len().min(TEXT_MAX)].to_vec() }
    }

    /// What we have to say ourselves.
    pub(super) fn ours(cause: Cause, text: &str) -> Self {
        Self { cause, code: Code::None, text: text.as_bytes().to_vec() }
    }
}

/// Notes what the parts of a status line are. A challenge may hold what must not be shown.
pub(in crate::pop3) fn note<R: Role>(cx: &mut Cx<R>, line: &Line) {
    if !cx.tracing() {
        return;
    }
    let (start, end) = (line.start, line.end.saturating_sub(2));
    let word = line.octets.iter().position(|octet| *octet == b' ').unwrap_or(line.octets.len());
    let text = (start + word as u64 + 1).min(end);
    match status(&line.octets) {
        None => cx.note_received(start, end, "unparsed", Some(&STATUS)),
        Some(Status::Go(_)) => {
            cx.note_received(start, text, "continuation", Some(&STATUS));
            cx.note_secret(text, end, "challenge");
        }
        Some(Status::Ok(_) | Status::Err(_)) => {
            let word_end = start + word as u64;
            cx.note_received(start, word_end, "status", Some(&STATUS));
            cx.note_received(word_end, text, "SP", None);
            let code = line.octets.get(word + 1..).map_or(0, code_length) as u64;
            let after = if code > 0 { text + code + 1 } else { text };
            cx.note_received(text, text + code, "response code", Some(&CODE));
            cx.note_received(text + code, after, "SP", None);
            cx.note_received(after, end, "text", None);
        }
    }
    cx.note_received(end, line.end, "CRLF", None);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_read_as_servers_write_them() {
        let right: [(&[u8], Status<'_>); 8] = [
            (b"+OK", Status::Ok(b"")),
            (b"+ok  ready ", Status::Ok(b"ready ")),
            (b"+OK\tready", Status::Ok(b"ready")),
            (b"-ERR", Status::Err(b"")),
            (b"-err [IN-USE] x", Status::Err(b"[IN-USE] x")),
            (b"+", Status::Go(b"")),
            (b"+ ", Status::Go(b"")),
            (b"+ YWJj", Status::Go(b"YWJj")),
        ];
        for (line, meant) in right {
            assert_eq!(status(line), Some(meant), "{}", line.escape_ascii());
        }
        for wrong in [&b""[..], b"OK", b"+OKAY", b"-ER", b"* OK", b"220 x", b"+YWJj"] {
            assert_eq!(status(wrong), None, "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn codes_are_taken_off_the_text() {
        assert_eq!(code(b"[in-use] try later"), (Code::InUse, &b"try later"[..]));
        assert_eq!(code(b"[SYS/TEMP]"), (Code::SysTemp, &b""[..]));
        assert_eq!(code(b"[X-NEW thing] t"), (Code::Other(b"X-NEW thing".to_vec()), &b"t"[..]));
        assert_eq!(code(b"[] t"), (Code::None, &b"[] t"[..]));
        assert_eq!(code(b"[open"), (Code::None, &b"[open"[..]));
        let long = [b"[", &[b'x'; 100][..], b"]"].concat();
        assert_eq!(code(&long).0, Code::Other([b'x'; 64].to_vec()));
    }
}
