//! Replies (RFC 5321 §4.2) from line to meaning: what real servers send is read, what is no reply is told apart.
//! What a reply means for a delivery is left to the states that wait for it.

use super::types::{EnhancedStatus, Reply};
use crate::role::{Cx, Line, Role};
use crate::trace::Rule;

/// RFC 5321 §4.2.1.
pub(in crate::smtp) const REPLY: Rule = Rule {
    rfc: 5321,
    section: "4.2.1",
    gist: "The first digit of a reply's code says whether the command was good, and a hyphen that more lines follow.",
};
/// RFC 2034 §4.
pub(super) const STATUS: Rule = Rule {
    rfc: 2034,
    section: "4",
    gist: "The text of a reply may begin with an enhanced status code, of the same class as the reply code.",
};

/// Lines of a reply that are kept.
const LINES_MAX: usize = 32;
/// Octets of a line that are kept.
const TEXT_MAX: usize = 512;
/// Octets of a challenge (334) that are kept: as many as a line of a SASL exchange may have (RFC 4954 §4).
const CHALLENGE_MAX: usize = 12_288;
/// Lines of one reply before it is taken for an attack.
const LINES_READ_MAX: u32 = 1000;

/// Which kind of answer a code is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// 2yz.
    Yes,
    /// 3yz: go on.
    More,
    /// 4yz: not now.
    NotNow,
    /// 5yz: no.
    No,
}

impl Reply {
    pub(super) fn kind(&self) -> Kind {
        match self.code / 100 {
            2 => Kind::Yes,
            3 => Kind::More,
            4 => Kind::NotNow,
            _ => Kind::No,
        }
    }

    /// RFC 5321 §3.8: the server closes the connection.
    pub(super) fn is_closing(&self) -> bool {
        self.code == 421
    }
}

/// Reads the lines of one reply.
#[derive(Debug, Default)]
pub(in crate::smtp) struct Reader {
    reply: Reply,
    read: u32,
    /// The reply began before the server can have read what it is to.
    early: bool,
}

/// What a line was.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::smtp) enum Read {
    /// More lines of this reply follow.
    More,
    /// The last line: here is the reply.
    Whole(Reply),
    /// No line of a reply.
    Malformed,
}

impl Reader {
    /// Takes the next line.
    pub(in crate::smtp) fn take<R: Role>(&mut self, cx: &mut Cx<R>, line: &Line) -> Read {
        let Some((code, last)) = head(&line.octets) else {
            cx.note_received(line.start, line.end, "unparsed", Some(&REPLY));
            return Read::Malformed;
        };
        if self.read == 0 {
            self.early = cx.is_early(line.start);
        }
        let text = line.octets.get(4..).unwrap_or_default();
        let status = status(text).filter(|(status, _)| u16::from(status.class) == code / 100);
        let skipped = status.map_or(0, |(_, length)| length);
        note(cx, line, skipped);
        self.read += 1;
        // A server that changes its mind within a reply is held to its last word, as other clients do.
        self.reply.code = code;
        self.reply.status = status.map(|(status, _)| status).or(self.reply.status);
        if self.reply.lines.len() < LINES_MAX {
            let text = &text[skipped..];
            let max = if code == 334 && self.read == 1 { CHALLENGE_MAX } else { TEXT_MAX };
            self.reply.lines.push(text[..text.len().min(max)].to_vec());
        }
        if last {
            self.read = 0;
            let mut reply = core::mem::take(&mut self.reply);
            reply.status = reply.status.filter(|status| u16::from(status.class) == code / 100);
            Read::Whole(reply)
        } else if self.read >= LINES_READ_MAX {
            Read::Malformed
        } else {
            Read::More
        }
    }

    /// Whether the last reply came before the server can have read all that it had to read first.
    pub(in crate::smtp) fn is_early(&self) -> bool {
        self.early
    }

    /// Whether the last line was the last one of its reply.
    pub(in crate::smtp) fn is_between(&self) -> bool {
        self.read == 0
    }
}

/// `Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF`: the code, and whether the
/// line is the last.
pub(in crate::smtp) fn head(line: &[u8]) -> Option<(u16, bool)> {
    let (&[first, second, third], rest) = line.split_first_chunk()?;
    if !(b'2'..=b'5').contains(&first) || !second.is_ascii_digit() || !third.is_ascii_digit() {
        return None;
    }
    let digit = |octet: u8| u16::from(octet - b'0');
    let code = digit(first) * 100 + digit(second) * 10 + digit(third);
    match rest.first() {
        Some(b'-') => Some((code, false)),
        // RFC 5321 §4.2: a client must take a code without text; some servers write a tab.
        None | Some(b' ' | b'\t') => Some((code, true)),
        Some(_) => None,
    }
}

/// `status-code = class "." subject "." detail` (RFC 2034 §4) and the space after it: its value and its length.
pub(in crate::smtp) fn status(text: &[u8]) -> Option<(EnhancedStatus, usize)> {
    let end = text.iter().position(|octet| *octet == b' ').unwrap_or(text.len());
    let mut numbers = text[..end].split(|octet| *octet == b'.');
    let (class, subject, detail) = (numbers.next()?, numbers.next()?, numbers.next()?);
    let class = match class {
        b"2" => 2,
        b"4" => 4,
        b"5" => 5,
        _ => return None,
    };
    let status = EnhancedStatus { class, subject: number(subject)?, detail: number(detail)? };
    numbers.next().is_none().then_some((status, text.len().min(end + 1)))
}

fn number(digits: &[u8]) -> Option<u16> {
    let right = (1..=3).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    right.then(|| digits.iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0')))
}

/// Notes what the parts of a line are. A challenge (334) may hold what must not be shown.
fn note<R: Role>(cx: &mut Cx<R>, line: &Line, status: usize) {
    if !cx.tracing() {
        return;
    }
    let (start, text_end) = (line.start, line.end.saturating_sub(2));
    let code_end = (start + 4).min(text_end);
    let status_end = (code_end + status as u64).min(text_end);
    cx.note_received(start, code_end, "reply code", Some(&REPLY));
    if status_end > code_end {
        cx.note_received(code_end, status_end, "enhanced code", Some(&STATUS));
    }
    if text_end > status_end {
        if line.octets.starts_with(b"334") {
            cx.note_secret(status_end, text_end, "challenge");
        } else {
            cx.note_received(status_end, text_end, "reply text", None);
        }
    }
    cx.note_received(text_end, line.end, "CRLF", None);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_three_digits_and_what_follows_tells_whether_more_comes() {
        let right: [(&[u8], (u16, bool)); 6] = [
            (b"250 ok", (250, true)),
            (b"250-ok", (250, false)),
            (b"250", (250, true)),
            (b"250 ", (250, true)),
            (b"354\tgo", (354, true)),
            (b"599-", (599, false)),
        ];
        for (line, meant) in right {
            assert_eq!(head(line), Some(meant), "{}", line.escape_ascii());
        }
        let wrong: [&[u8]; 9] =
            [b"", b"25", b"2500 x", b"150 x", b"650 x", b"25x y", b"250x", b" 250 x", b"+OK"];
        for line in wrong {
            assert_eq!(head(line), None, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn a_status_is_three_numbers() {
        let parsed = |text: &[u8]| status(text).map(|(s, n)| (s.class, s.subject, s.detail, n));
        assert_eq!(parsed(b"2.1.5 fine"), Some((2, 1, 5, 6)));
        assert_eq!(parsed(b"5.7.999"), Some((5, 7, 999, 7)));
        let wrong: [&[u8]; 8] =
            [b"", b"3.0.0 x", b"2.1 x", b"2.1.5.1 x", b"2.1.x", b"2.1.1000 x", b"2..1 x", b"x"];
        for text in wrong {
            assert_eq!(parsed(text), None, "{}", text.escape_ascii());
        }
    }
}
