//! Message IDs in header fields (RFC 5322 §3.6.4), normalised as RFC 5256 §3 wants them compared.
//! Who refers to whom is the business of whoever asks.

use alloc::borrow::Cow;
use alloc::vec::Vec;

/// The valid Message IDs of an unfolded field body, without their brackets, quotes and white space.
pub fn message_ids(body: &[u8]) -> impl Iterator<Item = Cow<'_, [u8]>> {
    let mut rest = body;
    core::iter::from_fn(move || {
        loop {
            let start = memchr::memchr(b'<', rest)?;
            let text = &rest[start + 1..];
            // Nearly all are plain, and each message of a mailbox that is threaded has some.
            if let Some(id) = plain(text) {
                rest = &text[id.len() + 1..];
                return Some(Cow::Borrowed(id));
            }
            let (id, after) = message_id(text);
            rest = after;
            if let Some(id) = id {
                return Some(Cow::Owned(id));
            }
        }
    })
}

/// An ID in which nothing is to be normalised, up to its `>`.
fn plain(text: &[u8]) -> Option<&[u8]> {
    let mut at = None;
    for (place, &octet) in text.iter().enumerate() {
        match octet {
            b'>' => {
                let right = at.is_some_and(|at| at > 0 && at + 1 < place);
                return right.then(|| &text[..place]);
            }
            b'@' => at = Some(place),
            b'\\' | b'"' | b'<' | b' ' | b'\t' | b'\r' | b'\n' => return None,
            _ => {}
        }
    }
    None
}

/// What stands up to `>`, if it is an ID, and what follows.
fn message_id(text: &[u8]) -> (Option<Vec<u8>>, &[u8]) {
    let mut id = Vec::new();
    let (mut quoted, mut escaped) = (false, false);
    // The sign between the halves, outside of quotes.
    let mut at = None;
    for (place, &octet) in text.iter().enumerate() {
        match octet {
            _ if escaped => {
                escaped = false;
                id.push(octet);
            }
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => id.push(octet),
            b'>' => {
                let right = at.is_some_and(|at| at > 0 && at + 1 < id.len());
                return (right.then_some(id), &text[place + 1..]);
            }
            // Another one begins: this one was never closed.
            b'<' => return (None, &text[place..]),
            b' ' | b'\t' | b'\r' | b'\n' => {}
            _ => {
                if octet == b'@' {
                    at = Some(id.len());
                }
                id.push(octet);
            }
        }
    }
    (None, b"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    fn ids(body: &str) -> Vec<String> {
        let text = |id: Cow<[u8]>| String::from_utf8(id.into_owned()).expect("UTF-8");
        message_ids(body.as_bytes()).map(text).collect()
    }

    #[test]
    fn ids_are_found_and_normalised() {
        assert_eq!(ids("<a@b> <c.d@e>"), ["a@b", "c.d@e"]);
        assert_eq!(ids("<\"01KF8JCEOCBS0045PS\"@xxx.yyy.com>"), ["01KF8JCEOCBS0045PS@xxx.yyy.com"]);
        assert_eq!(ids("<\"a\\\"b>\"@c>"), ["a\"b>@c"]);
        assert_eq!(ids("< a @ b >"), ["a@b"]);
        assert_eq!(ids("Your message of Monday <a@b> from <ann"), ["a@b"]);
        assert_eq!(ids("<a@b<c@d>"), ["c@d"]);
        for none in ["", "a@b", "<>", "<a>", "<@b>", "<a@>", "<a@b"] {
            assert_eq!(ids(none), [""; 0], "{none}");
        }
    }
}
