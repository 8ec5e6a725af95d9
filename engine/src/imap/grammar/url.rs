//! IMAP URLs of messages and their parts (RFC 2192, RFC 4469 §3): those without a server, as CATENATE takes them.

use alloc::format;
use alloc::vec::Vec;

use super::assembly::Piece;
use super::command::Section;
use super::cursor::Piecewise;
use super::fetch::section;
use super::mailbox::mailbox_name;

/// A message, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageUrl {
    /// The mailbox; `None`: the one that is open.
    pub mailbox: Option<Vec<u8>>,
    /// What its UIDVALIDITY must be.
    pub uid_validity: Option<u32>,
    /// The message.
    pub uid: u32,
    /// Which part of it.
    pub section: Section,
    /// The first octet of that, and how many.
    pub partial: Option<(u64, u64)>,
}

/// The URL of a part of a message, for a server that has it: `message_url` reads it again. A validity of 0 and an empty
/// section are left out.
#[must_use]
pub fn url_of(mailbox: &[u8], uid_validity: u32, uid: u32, section: &[u8]) -> Vec<u8> {
    let mut url = b"/".to_vec();
    // Two slashes would begin the name of a server.
    let rest = mailbox.strip_prefix(b"/");
    url.extend_from_slice(if rest.is_some() { b"%2F" } else { b"" });
    put_encoded(&mut url, rest.unwrap_or(mailbox));
    if uid_validity > 0 {
        url.extend_from_slice(format!(";UIDVALIDITY={uid_validity}").as_bytes());
    }
    url.extend_from_slice(format!("/;UID={uid}").as_bytes());
    if !section.is_empty() {
        url.extend_from_slice(b"/;SECTION=");
        put_encoded(&mut url, section);
    }
    url
}

/// What RFC 3986 §2.3 leaves as it is, and the slash between a mailbox's levels; all else as `%` and two digits.
fn put_encoded(url: &mut Vec<u8>, text: &[u8]) {
    for &octet in text {
        if octet.is_ascii_alphanumeric() || b"-._~/".contains(&octet) {
            url.push(octet);
        } else {
            url.extend_from_slice(format!("%{octet:02X}").as_bytes());
        }
    }
}

/// `["/" enc-mailbox [";UIDVALIDITY=" nz-number]] "/"] ";UID=" nz-number ["/;SECTION=" …] ["/;PARTIAL=" …]`; `None` for
/// anything else, one with a server or for somebody else's eyes among it.
#[must_use]
pub fn message_url(url: &[u8]) -> Option<MessageUrl> {
    let at = find(url, b";UID=")?;
    let (before, rest) = (&url[..at], &url[at + b";UID=".len()..]);
    let (mailbox, uid_validity) = match before {
        b"" => (None, None),
        _ => place(before.strip_suffix(b"/")?)?,
    };
    let mut parts = rest.strip_suffix(b"/").unwrap_or(rest).split(|octet| *octet == b'/');
    let uid = number(parts.next()?)?;
    let (mut section, mut partial) = (Section { path: Vec::new(), header: None }, None);
    let (mut sections, mut partials) = (0, 0);
    for part in parts {
        if let Some(text) = after(part, b";SECTION=") {
            section = parsed_section(&decoded(text)?)?;
            sections += 1;
        } else if let Some(text) = after(part, b";PARTIAL=") {
            partial = Some(range(text)?);
            partials += 1;
        } else {
            return None;
        }
    }
    let url = MessageUrl { mailbox, uid_validity, uid, section, partial };
    (sections <= 1 && partials <= 1).then_some(url)
}

/// `"/" enc-mailbox [";UIDVALIDITY=" nz-number]`
fn place(text: &[u8]) -> Option<(Option<Vec<u8>>, Option<u32>)> {
    let (name, validity) = match find(text, b";UIDVALIDITY=") {
        Some(at) => (&text[..at], Some(number(&text[at + b";UIDVALIDITY=".len()..])?)),
        None => (text, None),
    };
    // Two slashes begin the name of a server.
    let name = decoded(name.strip_prefix(b"/").filter(|name| !name.starts_with(b"/"))?)?;
    Some((Some(mailbox_name(&name, true).ok()?), validity))
}

pub(super) fn find(text: &[u8], label: &[u8]) -> Option<usize> {
    text.windows(label.len()).position(|part| part.eq_ignore_ascii_case(label))
}

pub(super) fn after<'a>(text: &'a [u8], label: &[u8]) -> Option<&'a [u8]> {
    let head = text.get(..label.len())?;
    head.eq_ignore_ascii_case(label).then(|| &text[label.len()..])
}

fn number(text: &[u8]) -> Option<u32> {
    let digits = core::str::from_utf8(text).ok()?;
    let right = digits.bytes().all(|octet| octet.is_ascii_digit()) && !digits.starts_with('0');
    digits.parse().ok().filter(|_| right)
}

/// `partial-range = number ["." nz-number]`; without an end it goes to the end.
fn range(text: &[u8]) -> Option<(u64, u64)> {
    let text = core::str::from_utf8(text).ok()?;
    let (origin, count) = text.split_once('.').unwrap_or((text, "9223372036854775807"));
    let right = |text: &str| !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    let (origin, count) = (Some(origin).filter(|t| right(t))?, Some(count).filter(|t| right(t))?);
    Some((origin.parse().ok()?, count.parse().ok().filter(|count| *count > 0)?))
}

/// `%` and two digits stand for an octet.
pub(super) fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&octet, behind)) = rest.split_first() {
        rest = behind;
        if octet != b'%' {
            out.push(octet);
            continue;
        }
        let digits = core::str::from_utf8(rest.get(..2)?).ok()?;
        let right = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        out.push(u8::from_str_radix(digits, 16).ok().filter(|_| right)?);
        rest = &rest[2..];
    }
    Some(out)
}

/// What stands between the brackets of FETCH's BODY.
fn parsed_section(text: &[u8]) -> Option<Section> {
    let pieces = [Piece::Text([b"[", text, b"]"].concat(), 0)];
    let mut cursor = Piecewise::new(&pieces);
    let found = section(&mut cursor).ok()?;
    cursor.end().ok()?;
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::super::Header;
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let name = "Other Users/böb;100%".as_bytes();
        let url = url_of(name, 7, 20, b"1.HEADER.FIELDS (To Cc)");
        assert_eq!(
            url,
            &b"/Other%20Users/b%C3%B6b%3B100%25;UIDVALIDITY=7/;UID=20/;SECTION=1.HEADER.FIELDS%20%28To%20Cc%29"[..]
        );
        let read = message_url(&url).expect("one");
        assert_eq!(read.mailbox.as_deref(), Some(name));
        assert_eq!((read.uid_validity, read.uid), (Some(7), 20));
        assert_eq!(read.section.path, [1]);
        assert_eq!(url_of(b"INBOX", 0, 1, b""), b"/INBOX/;UID=1");
        assert_eq!(url_of(b"/x/y", 0, 1, b""), b"/%2Fx/y/;UID=1");
    }

    #[test]
    fn urls_of_messages_are_read() {
        let read = |url: &str| message_url(url.as_bytes());
        let url = read("/Drafts;UIDVALIDITY=385759045/;UID=20/;section=1.MIME").expect("one");
        assert_eq!(url.mailbox.as_deref(), Some(&b"Drafts"[..]));
        assert_eq!((url.uid_validity, url.uid), (Some(385_759_045), 20));
        assert_eq!(url.section, Section { path: [1].to_vec(), header: Some(Header::Mime) });
        let url = read("/Other%20Users/b%C3%B6b/;UID=1/;PARTIAL=5.7").expect("one");
        assert_eq!(url.mailbox.as_deref(), Some("Other Users/böb".as_bytes()));
        assert_eq!((url.uid_validity, url.partial), (None, Some((5, 7))));
        assert_eq!(read(";UID=7/;SECTION=TEXT").map(|url| url.mailbox), Some(None));
        let fields = read("/x/;UID=7/;SECTION=HEADER.FIELDS%20(To%20Cc)").expect("one");
        assert!(matches!(fields.section.header, Some(Header::Fields(names)) if names.len() == 2));
        for wrong in [
            "",
            "/x",
            "/x/;UID=0",
            "/x/;UID=01",
            "/x;UID=1",
            "x/;UID=1",
            "//server/x/;UID=1",
            "imap://bob@server/x/;UID=1",
            "/x;UIDVALIDITY=/;UID=1",
            "/x/;UID=1/;SECTION=1.FOO",
            "/x/;UID=1/;SECTION=1/;SECTION=2",
            "/x/;UID=1/;URLAUTH=anonymous:internal",
            "/x/;UID=1/;PARTIAL=1.0",
            "/x/;UID=1/;PARTIAL=.1",
            "/%zz/;UID=1",
            "/%+1/;UID=1",
            "/%/;UID=1",
            "/a//b/;UID=1",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
