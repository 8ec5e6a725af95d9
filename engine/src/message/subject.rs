//! The base subject (RFC 5256 §2.1): what a subject is about, without the marks of replies and forwards.
//! How subjects are compared is in `text::casemap`.

use alloc::borrow::Cow;
use alloc::string::String;

use crate::text::words;

/// What is left of a subject, and what was taken off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseSubject {
    /// The text; it may be empty.
    pub text: String,
    /// RFC 5256 §3: whether what was taken off says that the message is a reply or a forward.
    pub is_reply: bool,
}

/// The base subject of a field body, unfolded, with encoded words as they stand.
#[must_use]
pub fn base_subject(body: &[u8]) -> BaseSubject {
    with_base_subject(body, |text, is_reply| BaseSubject { text: String::from(text), is_reply })
}

/// The same for who only looks at it: the text of [`BaseSubject`], and what was taken off.
pub fn with_base_subject<T>(body: &[u8], look: impl FnOnce(&str, bool) -> T) -> T {
    let whole = spaced(words::decode_cow(body));
    let (mut text, mut is_reply) = (&whole[..], false);
    loop {
        text = without_trailers(text, &mut is_reply);
        text = without_leaders(text, &mut is_reply);
        // (6)
        match forwarded(text) {
            Some(inside) => (text, is_reply) = (inside, true),
            None => return look(text, is_reply),
        }
    }
}

/// (1): tabs and line ends are spaces, and many spaces are one.
fn spaced(text: Cow<'_, str>) -> Cow<'_, str> {
    let octets = text.as_bytes();
    let many = |pair: &[u8]| pair == b"  ";
    if memchr::memchr3(b'\t', b'\r', b'\n', octets).is_none() && !octets.windows(2).any(many) {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            ' ' | '\t' | '\r' | '\n' if out.ends_with(' ') => {}
            ' ' | '\t' | '\r' | '\n' => out.push(' '),
            _ => out.push(character),
        }
    }
    out.into()
}

/// (2) `subj-trailer = "(fwd)" / WSP`
fn without_trailers<'a>(text: &'a str, is_reply: &mut bool) -> &'a str {
    let mut text = text;
    loop {
        text = text.trim_end_matches(' ');
        let Some(at) = text.len().checked_sub(5) else { return text };
        if !text.as_bytes()[at..].eq_ignore_ascii_case(b"(fwd)") {
            return text;
        }
        text = &text[..at];
        *is_reply = true;
    }
}

/// (3) to (5): leaders, and blobs that something follows.
fn without_leaders<'a>(text: &'a str, is_reply: &mut bool) -> &'a str {
    let mut text = text.trim_start_matches(' ');
    loop {
        // `subj-leader = (*subj-blob subj-refwd) / WSP`. Blobs are followed by `subj-refwd` all together or not at all,
        // so they need not be tried one by one.
        let (mut rest, mut last) = (text, text);
        while let Some(after) = after_blob(rest) {
            (last, rest) = (rest, after);
        }
        match after_refwd(rest) {
            Some(after) => {
                text = after.trim_start_matches(' ');
                *is_reply = true;
            }
            // (4): the last blob stays if nothing else would.
            None if rest.is_empty() => return last,
            None => return rest,
        }
    }
}

/// `subj-blob = "[" *BLOBCHAR "]" *WSP`
fn after_blob(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('[')?;
    let end = inside.find(['[', ']'])?;
    let after = inside[end..].strip_prefix(']')?;
    Some(after.trim_start_matches(' '))
}

/// `subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"`
fn after_refwd(text: &str) -> Option<&str> {
    let octets = text.as_bytes();
    let has = |word: &[u8]| octets.get(..word.len()).is_some_and(|o| o.eq_ignore_ascii_case(word));
    let length = [&b"re"[..], b"fwd", b"fw"].into_iter().find(|word| has(word))?.len();
    let rest = text[length..].trim_start_matches(' ');
    after_blob(rest).unwrap_or(rest).strip_prefix(':')
}

/// `subj-fwd = subj-fwd-hdr subject subj-fwd-trl`
fn forwarded(text: &str) -> Option<&str> {
    let head = text.as_bytes().get(..5)?;
    let inside = text.get(5..).filter(|_| head.eq_ignore_ascii_case(b"[fwd:"))?;
    inside.strip_suffix(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_taken_off_as_the_procedure_says() {
        let cases = [
            ("ketchup", "ketchup", false),
            ("Re: ketchup", "ketchup", true),
            ("RE:re: fw: FWD : ketchup (fwd) (FWD) ", "ketchup", true),
            ("  a \t  b\r\n c ", "a b c", false),
            ("[list] ketchup", "ketchup", false),
            ("[list] [7] Re: ketchup", "ketchup", true),
            ("Re[2]: ketchup", "ketchup", true),
            ("re [x] [y]: ketchup", "re [x] [y]: ketchup", false),
            ("[list]", "[list]", false),
            ("[a] [b]", "[b]", false),
            ("Re: [list]", "[list]", true),
            ("[Fwd: ketchup]", "ketchup", true),
            ("[fwd: Re: [list] ketchup (fwd)] (fwd)", "ketchup", true),
            ("[Fwd: [fwd: a]]", "a", true),
            ("[fwd: a", "[fwd: a", false),
            ("Re:", "", true),
            ("(fwd)", "", true),
            ("reply: x", "reply: x", false),
            ("re", "re", false),
            ("Re: =?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Grüße", true),
            ("=?utf-8?q?Re:_caf=C3=A9?=", "café", true),
            ("[a[b] c", "[a[b] c", false),
            ("", "", false),
        ];
        for (subject, text, is_reply) in cases {
            let expected = BaseSubject { text: text.into(), is_reply };
            assert_eq!(base_subject(subject.as_bytes()), expected, "{subject}");
        }
    }

    #[test]
    fn long_subjects_take_time_in_proportion() {
        let many = 200_000;
        let cases = [
            ("[a]".repeat(many), "[a]"),
            ("[fwd:".repeat(many) + &"]".repeat(many), ""),
            ("re:".repeat(many) + "x", "x"),
            (String::from("x") + &"(fwd) ".repeat(many), "x"),
        ];
        for (subject, text) in cases {
            assert_eq!(base_subject(subject.as_bytes()).text, text);
        }
    }
}
