//! What other protocols say first, for servers whose protocol speaks in lines that begin with a word.
//! A TLS client, a browser or a probe is told so at once: it would not end its line, or not mean it as one.

use memchr::{memchr2, memmem};

/// The methods of HTTP with their space, and SSH: none begins a command of mail.
const WORDS: [&[u8]; 11] = [
    b"GET ",
    b"POST ",
    b"HEAD ",
    b"PUT ",
    b"DELETE ",
    b"CONNECT ",
    b"OPTIONS ",
    b"TRACE ",
    b"PATCH ",
    b"PRI ",
    b"SSH-",
];

/// How many octets show that a connection's beginning is no line of mail; `None`: nothing does so far.
///
/// More octets never change the answer, so it is the same however they are cut. White space shows nothing: people
/// press the return key before they type.
pub(crate) fn shown(beginning: &[u8]) -> Option<usize> {
    let first = *beginning.first()?;
    if !first.is_ascii_alphabetic() && !first.is_ascii_whitespace() {
        return Some(1);
    }
    if let Some(word) = word(beginning) {
        return Some(word.len());
    }
    let at = memchr2(0, b'\n', beginning)?;
    (beginning[at] == 0).then_some(at + 1)
}

/// The same where a line begins with a tag, which may be nearly anything that can be typed (RFC 9051 §9).
pub(crate) fn shown_before_tag(beginning: &[u8]) -> Option<usize> {
    let first = *beginning.first()?;
    let typed = first.is_ascii_graphic() || first.is_ascii_whitespace();
    (!typed).then_some(1)
}

/// Whether a line is a request of HTTP (RFC 9112 §3), which no command with an odd tag looks like.
pub(crate) fn is_http(line: &[u8]) -> bool {
    is_request(line) && memmem::find(line, b" HTTP/").is_some()
}

/// Whether a line begins as a request of HTTP or as SSH does.
pub(crate) fn is_request(line: &[u8]) -> bool {
    word(line).is_some()
}

fn word(line: &[u8]) -> Option<&'static [u8]> {
    // Every line is looked at, so most words are passed over by their first letter.
    let first = *line.first()?;
    WORDS.into_iter().find(|word| word[0] == first && line.starts_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_protocols_show_themselves_at_the_same_octet_however_they_come() {
        let foreign: [(&[u8], usize); 7] = [
            (b"\x16\x03\x01\x02\x00\x01", 1),
            (b"\x00\x00", 1),
            (b"GET / HTTP/1.1\r\n", 4),
            (b"PRI * HTTP/2.0\r\n", 4),
            (b"SSH-2.0-x\r\n", 4),
            (b"\xff\xfb\x01", 1),
            (b"EHLO\0", 5),
        ];
        for (input, expected) in foreign {
            let first = (1..=input.len()).find_map(|n| shown(&input[..n]));
            assert_eq!(first, Some(expected), "{}", input.escape_ascii());
            assert_eq!(shown(input), first, "{}", input.escape_ascii());
        }
        for line in [&b""[..], b"\r\nEHLO a\r\n", b" EHLO", b"EHLO a\r\n\0", b"ehlo x", b"GETX"] {
            assert_eq!(shown(line), None, "{}", line.escape_ascii());
        }
    }
}
