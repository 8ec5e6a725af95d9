//! Paths and mailboxes (RFC 5321 §4.1.2), with UTF-8 where SMTPUTF8 allows it (RFC 6531 §3.3).

use alloc::vec::Vec;

use super::parts::Parts;
use crate::limits::{DOMAIN_MAX, LOCAL_PART_MAX, PATH_MAX};
use crate::smtp::Mailbox;

/// What is wrong with a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// It is no path at all.
    Syntax,
    /// The local part, the domain or the whole is too long (RFC 5321 §4.5.3.1).
    TooLong,
    /// It holds UTF-8, which needs SMTPUTF8.
    NeedsUtf8,
}

/// Where a parser stands in its text.
pub(super) struct Cursor<'a> {
    text: &'a [u8],
    pub(super) at: usize,
    utf8: bool,
    saw_utf8: bool,
    /// What was read, for a reader, and where the text begins in its line.
    parts: Option<(&'a mut Parts, usize)>,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a [u8], utf8: bool) -> Self {
        Self { text, at: 0, utf8, saw_utf8: false, parts: None }
    }

    /// As `new`, and notes what it reads of a text that begins at `base` in its line.
    pub(super) fn noting(text: &'a [u8], utf8: bool, base: usize, parts: &'a mut Parts) -> Self {
        Self { parts: Some((parts, base)), ..Self::new(text, utf8) }
    }

    /// Notes what was read since `start`.
    fn note(&mut self, start: usize, label: &'static str) {
        if let Some((parts, base)) = &mut self.parts {
            parts.note(*base + start, *base + self.at, label);
        }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    pub(super) fn take(&mut self, octet: u8) -> bool {
        let found = self.peek() == Some(octet);
        self.at += usize::from(found);
        found
    }

    pub(super) fn take_while(&mut self, mut wanted: impl FnMut(u8) -> bool) -> &'a [u8] {
        let start = self.at;
        while self.peek().is_some_and(&mut wanted) {
            self.at += 1;
        }
        &self.text[start..self.at]
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        &self.text[self.at..]
    }
}

/// `Path = "<" [ A-d-l ":" ] Mailbox ">"`, and for MAIL the null path; a source route is read and dropped.
///
/// # Errors
/// [`PathError`]; the cursor's place is then of no meaning.
pub(super) fn path(cursor: &mut Cursor<'_>) -> Result<Option<Mailbox>, PathError> {
    let start = cursor.at;
    if !cursor.take(b'<') {
        return Err(PathError::Syntax);
    }
    if cursor.take(b'>') {
        cursor.note(start, "null path");
        return Ok(None);
    }
    cursor.note(start, "angle bracket");
    // RFC 5321 §3.6.1: source routes are accepted and ignored.
    if cursor.peek() == Some(b'@') {
        let start = cursor.at;
        source_route(cursor)?;
        cursor.note(start, "source route");
    }
    let mailbox = mailbox(cursor)?;
    let close = cursor.at;
    if !cursor.take(b'>') {
        return Err(PathError::Syntax);
    }
    cursor.note(close, "angle bracket");
    if cursor.at - start > PATH_MAX {
        return Err(PathError::TooLong);
    }
    check_utf8(cursor)?;
    Ok(Some(mailbox))
}

/// `A-d-l = At-domain *( "," At-domain ) ":"`
fn source_route(cursor: &mut Cursor<'_>) -> Result<(), PathError> {
    loop {
        if !cursor.take(b'@') {
            return Err(PathError::Syntax);
        }
        domain(cursor)?;
        if cursor.take(b':') {
            return Ok(());
        }
        if !cursor.take(b',') {
            return Err(PathError::Syntax);
        }
    }
}

/// `Mailbox = Local-part "@" ( Domain / address-literal )`
fn mailbox(cursor: &mut Cursor<'_>) -> Result<Mailbox, PathError> {
    let start = cursor.at;
    let local_part = local_part(cursor)?;
    cursor.note(start, "local part");
    let at = cursor.at;
    if !cursor.take(b'@') {
        return Err(PathError::Syntax);
    }
    cursor.note(at, "at sign");
    let start = cursor.at;
    let domain = domain_or_literal(cursor)?;
    let literal = domain.starts_with(b"[");
    cursor.note(start, if literal { "address literal" } else { "domain" });
    Ok(Mailbox { local_part, domain })
}

/// A recipient (RFC 5321 §4.1.1.3): a path, or `<Postmaster>` in any case.
///
/// # Errors
/// [`PathError`]; [`PathError::Syntax`] for the null path.
pub fn parse_forward_path(text: &[u8], utf8: bool) -> Result<Mailbox, PathError> {
    let mut cursor = Cursor::new(text, utf8);
    let path = forward_path(&mut cursor)?;
    if cursor.rest().is_empty() { Ok(path) } else { Err(PathError::Syntax) }
}

pub(super) fn forward_path(cursor: &mut Cursor<'_>) -> Result<Mailbox, PathError> {
    const POSTMASTER: &[u8] = b"<Postmaster>";
    let rest = cursor.rest();
    if rest.len() >= POSTMASTER.len() && rest[..POSTMASTER.len()].eq_ignore_ascii_case(POSTMASTER) {
        let start = cursor.at;
        cursor.at += POSTMASTER.len();
        cursor.note(start, "postmaster");
        let local_part = POSTMASTER[1..POSTMASTER.len() - 1].to_vec();
        return Ok(Mailbox { local_part, domain: Vec::new() });
    }
    path(cursor)?.ok_or(PathError::Syntax)
}

/// `Mailbox` without brackets.
///
/// # Errors
/// [`PathError`].
pub fn parse_mailbox(text: &[u8], utf8: bool) -> Result<Mailbox, PathError> {
    let mut cursor = Cursor::new(text, utf8);
    let mailbox = mailbox(&mut cursor)?;
    check_utf8(&cursor)?;
    if cursor.rest().is_empty() { Ok(mailbox) } else { Err(PathError::Syntax) }
}

/// `Local-part = Dot-string / Quoted-string`, by its meaning.
fn local_part(cursor: &mut Cursor<'_>) -> Result<Vec<u8>, PathError> {
    let mut meaning = Vec::new();
    if cursor.take(b'"') {
        quoted_string(cursor, &mut meaning)?;
    } else {
        loop {
            let atom = utf8_while(cursor, is_atext);
            if atom.is_empty() {
                return Err(PathError::Syntax);
            }
            meaning.extend_from_slice(atom);
            if !cursor.take(b'.') {
                break;
            }
            meaning.push(b'.');
        }
    }
    if meaning.len() > LOCAL_PART_MAX { Err(PathError::TooLong) } else { Ok(meaning) }
}

/// The rest of `Quoted-string = DQUOTE *QcontentSMTP DQUOTE`. An empty one names nobody and is refused.
fn quoted_string(cursor: &mut Cursor<'_>, meaning: &mut Vec<u8>) -> Result<(), PathError> {
    loop {
        let plain =
            utf8_while(cursor, |octet| matches!(octet, b' ' | b'!' | b'#'..=b'[' | b']'..=b'~'));
        meaning.extend_from_slice(plain);
        if cursor.take(b'"') {
            return if meaning.is_empty() { Err(PathError::Syntax) } else { Ok(()) };
        }
        if !cursor.take(b'\\') {
            return Err(PathError::Syntax);
        }
        match cursor.peek() {
            Some(octet @ 32..=126) => meaning.push(octet),
            _ => return Err(PathError::Syntax),
        }
        cursor.at += 1;
    }
}

fn domain_or_literal(cursor: &mut Cursor<'_>) -> Result<Vec<u8>, PathError> {
    if cursor.peek() == Some(b'[') { address_literal(cursor) } else { domain(cursor) }
}

/// `Domain = sub-domain *("." sub-domain)`; a trailing dot and underscores, which some hosts have, are refused.
fn domain(cursor: &mut Cursor<'_>) -> Result<Vec<u8>, PathError> {
    let start = cursor.at;
    loop {
        let label = utf8_while(cursor, |octet| octet.is_ascii_alphanumeric() || octet == b'-');
        if label.is_empty() || label.starts_with(b"-") || label.ends_with(b"-") {
            return Err(PathError::Syntax);
        }
        if label.len() > 63 {
            return Err(PathError::TooLong);
        }
        if !cursor.take(b'.') {
            break;
        }
    }
    let domain = &cursor.text[start..cursor.at];
    if domain.len() > DOMAIN_MAX { Err(PathError::TooLong) } else { Ok(domain.to_vec()) }
}

/// `address-literal` (RFC 5321 §4.1.3), brackets kept; IPv4, `IPv6:` or a tagged one.
fn address_literal(cursor: &mut Cursor<'_>) -> Result<Vec<u8>, PathError> {
    let start = cursor.at;
    cursor.at += 1;
    let body = cursor.take_while(|octet| matches!(octet, 33..=90 | 94..=126));
    if !cursor.take(b']') {
        return Err(PathError::Syntax);
    }
    let text = core::str::from_utf8(body).map_err(|_| PathError::Syntax)?;
    let right = match text.split_once(':') {
        None => text.parse::<core::net::Ipv4Addr>().is_ok(),
        Some((tag, address)) if tag.eq_ignore_ascii_case("IPv6") => {
            address.parse::<core::net::Ipv6Addr>().is_ok()
        }
        Some((tag, content)) => {
            let ldh = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-';
            !tag.is_empty() && tag.bytes().all(ldh) && !tag.ends_with('-') && !content.is_empty()
        }
    };
    if right { Ok(cursor.text[start..cursor.at].to_vec()) } else { Err(PathError::Syntax) }
}

/// `Domain / address-literal`, as EHLO and HELO take it.
#[must_use]
pub fn parse_domain(text: &[u8]) -> Option<Vec<u8>> {
    let mut cursor = Cursor::new(text, true);
    let domain = domain_or_literal(&mut cursor).ok()?;
    (cursor.rest().is_empty() && check_utf8(&cursor).is_ok()).then_some(domain)
}

/// A run of wanted ASCII octets and of any octets above ASCII.
fn utf8_while<'a>(cursor: &mut Cursor<'a>, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
    let run = cursor.take_while(|octet| octet >= 0x80 || wanted(octet));
    cursor.saw_utf8 |= !run.is_ascii();
    run
}

fn check_utf8(cursor: &Cursor<'_>) -> Result<(), PathError> {
    if !cursor.saw_utf8 {
        return Ok(());
    }
    if !cursor.utf8 {
        return Err(PathError::NeedsUtf8);
    }
    core::str::from_utf8(&cursor.text[..cursor.at]).map(|_| ()).map_err(|_| PathError::Syntax)
}

/// RFC 5322 §3.2.3 atext.
fn is_atext(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&octet)
}

/// Prints a mailbox as RFC 5321 §4.1.2 has it, with quotes only where they are needed; without brackets.
#[must_use]
pub fn print_mailbox(mailbox: &Mailbox) -> Vec<u8> {
    let Mailbox { local_part, domain } = mailbox;
    let mut out = Vec::with_capacity(local_part.len() + domain.len() + 3);
    let atoms = |atom: &[u8]| !atom.is_empty() && atom.iter().all(|&o| o >= 0x80 || is_atext(o));
    if local_part.split(|&octet| octet == b'.').all(atoms) {
        out.extend_from_slice(local_part);
    } else {
        out.push(b'"');
        for &octet in local_part {
            if matches!(octet, b'"' | b'\\') {
                out.push(b'\\');
            }
            out.push(octet);
        }
        out.push(b'"');
    }
    if !domain.is_empty() {
        out.push(b'@');
        out.extend_from_slice(domain);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn forward(text: &str) -> Result<(Vec<u8>, Vec<u8>), PathError> {
        parse_forward_path(text.as_bytes(), false).map(|m| (m.local_part, m.domain))
    }

    #[test]
    fn every_notation_is_read_by_its_meaning() {
        let right = [
            ("<a@b.c>", "a", "b.c"),
            ("<@x.y,@z:a@b>", "a", "b"),
            ("<\"a b\"@c>", "a b", "c"),
            ("<\"a@b\"@c>", "a@b", "c"),
            ("<\"a\\\"b\"@c>", "a\"b", "c"),
            ("<u%other.org@us.org>", "u%other.org", "us.org"),
            ("<other!u@us>", "other!u", "us"),
            ("<u+x@us>", "u+x", "us"),
            ("<a@[192.0.2.1]>", "a", "[192.0.2.1]"),
            ("<a@[IPv6:2001:db8::1]>", "a", "[IPv6:2001:db8::1]"),
            ("<pOSTMASTER>", "Postmaster", ""),
        ];
        for (text, local, domain) in right {
            let expected = (local.as_bytes().to_vec(), domain.as_bytes().to_vec());
            assert_eq!(forward(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        let wrong = [
            "",
            "a@b",
            "<a>",
            "<>",
            "<@b>",
            "<a@>",
            "<a@b",
            "<a@@b>",
            "<a@b@c>",
            "<a..b@c>",
            "<.a@b>",
            "<a.@b>",
            "<a@b.>",
            "<a@-b>",
            "<a@b->",
            "<a b@c>",
            "<\"\"@c>",
            "<\"a@c>",
            "<a@192.0.2.1]>",
            "<a@[192.0.2]>",
            "<a@[IPv6:1]>",
            "<@x:>",
            "<@x,a@b>",
            "<a@b>x",
            "<\"a\\\r\"@c>",
            "<a@b_c>",
        ];
        for text in wrong {
            assert_eq!(forward(text), Err(PathError::Syntax), "{text}");
        }
        assert_eq!(forward("<ä@b>"), Err(PathError::NeedsUtf8));
        assert!(parse_forward_path("<ä@bücher.example>".as_bytes(), true).is_ok());
        assert_eq!(parse_forward_path(b"<\xff@b>", true), Err(PathError::Syntax));
    }

    #[test]
    fn lengths_are_bounded() {
        let local = |n| format!("<{}@b>", "a".repeat(n));
        assert!(forward(&local(64)).is_ok());
        assert_eq!(forward(&local(65)), Err(PathError::TooLong));
        let label = "a".repeat(60);
        let domain = format!("{label}.{label}.{label}.{label}");
        assert!(forward(&format!("<a@{domain}>")).is_ok());
        assert_eq!(forward(&format!("<a@{domain}.aaaaaaaaaaaa>")), Err(PathError::TooLong));
    }

    #[test]
    fn what_is_printed_is_parsed() {
        for local in ["a", "a.b", "a b", "\"", "\\", "a@b", ".a", "a..b", "<>"] {
            let mailbox =
                Mailbox { local_part: local.as_bytes().to_vec(), domain: b"x.y".to_vec() };
            assert_eq!(parse_mailbox(&print_mailbox(&mailbox), true), Ok(mailbox), "{local}");
        }
    }
}
