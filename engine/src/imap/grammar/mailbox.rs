//! Mailbox names: INBOX in any case, modified UTF-7 for IMAP4rev1 (RFC 3501 §5.1.3), UTF-8 for IMAP4rev2.

use alloc::string::String;
use alloc::vec::Vec;

use super::cursor::Bad;

/// Octets of a mailbox name.
const NAME_MAX: usize = 1000;
/// Levels of a mailbox name.
const LEVELS_MAX: usize = 30;

/// The meaning of a mailbox name on the wire: UTF-8, INBOX in upper case.
///
/// # Errors
/// [`Bad::Mailbox`] for one that no mailbox can have: empty levels, controls, what is not UTF-8 or not canonical
/// modified UTF-7, `.` and `..` as levels.
pub fn mailbox_name(wire: &[u8], utf8: bool) -> Result<Vec<u8>, Bad> {
    let name = meaning(wire, utf8).ok_or(Bad::Mailbox)?;
    let levels = name.split(|octet| *octet == b'/');
    let right = |level: &[u8]| !level.is_empty() && level != b"." && level != b"..";
    let controls = core::str::from_utf8(&name).map_err(|_| Bad::Mailbox)?.chars().any(is_control);
    if controls
        || name.len() > NAME_MAX
        || levels.clone().count() > LEVELS_MAX
        || !levels.clone().all(right)
    {
        return Err(Bad::Mailbox);
    }
    Ok(with_inbox(name))
}

/// RFC 9051 §5.1: INBOX is one name in any case, alone and as the first level.
pub(super) fn with_inbox(mut name: Vec<u8>) -> Vec<u8> {
    const INBOX: &[u8] = b"INBOX";
    let first = name.iter().position(|octet| *octet == b'/').unwrap_or(name.len());
    if name[..first].eq_ignore_ascii_case(INBOX) {
        name[..first].copy_from_slice(INBOX);
    }
    name
}

/// Controls, line separators and what turns the direction of text: none of it is Net-Unicode (RFC 5198).
fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{FEFF}')
}

/// UTF-8 of a name or a pattern on the wire.
pub(super) fn meaning(wire: &[u8], utf8: bool) -> Option<Vec<u8>> {
    if utf8 || !wire.is_ascii() {
        return core::str::from_utf8(wire).ok().map(|name| name.as_bytes().to_vec());
    }
    decode_utf7(wire)
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/// Decodes modified UTF-7; `None` unless it is exactly what [`encode_utf7`] writes.
#[must_use]
pub fn decode_utf7(wire: &[u8]) -> Option<Vec<u8>> {
    let mut out = String::new();
    let mut rest = wire;
    while let Some((&octet, more)) = rest.split_first() {
        rest = more;
        if octet != b'&' {
            if !(b' '..=b'~').contains(&octet) {
                return None;
            }
            out.push(char::from(octet));
            continue;
        }
        let end = rest.iter().position(|octet| *octet == b'-')?;
        let (run, after) = rest.split_at(end);
        rest = &after[1..];
        if run.is_empty() {
            out.push('&');
            continue;
        }
        let (mut joined, mut count, mut units) = (0u32, 0u32, Vec::new());
        for octet in run {
            let digit = ALPHABET.iter().position(|letter| letter == octet)?;
            joined = joined << 6 | digit as u32;
            count += 6;
            if count >= 16 {
                count -= 16;
                units.push((joined >> count) as u16);
                joined &= (1 << count) - 1;
            }
        }
        for unit in char::decode_utf16(units) {
            out.push(unit.ok()?);
        }
    }
    // What a name could also be written as would be a second name for one mailbox.
    (encode_utf7(out.as_bytes()) == wire).then(|| out.into_bytes())
}

/// Encodes UTF-8 as modified UTF-7.
#[must_use]
pub fn encode_utf7(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    let mut units: Vec<u16> = Vec::new();
    for c in String::from_utf8_lossy(name).chars() {
        if (' '..='~').contains(&c) {
            shift(&mut units, &mut out);
            out.push(c as u8);
            if c == '&' {
                out.push(b'-');
            }
        } else {
            units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
        }
    }
    shift(&mut units, &mut out);
    out
}

/// Writes gathered units as one run of base64.
fn shift(units: &mut Vec<u16>, out: &mut Vec<u8>) {
    if units.is_empty() {
        return;
    }
    out.push(b'&');
    let (mut joined, mut count) = (0u32, 0u32);
    for unit in units.drain(..) {
        joined = joined << 16 | u32::from(unit);
        count += 16;
        while count >= 6 {
            count -= 6;
            out.push(ALPHABET[(joined >> count & 63) as usize]);
        }
        joined &= (1 << count) - 1;
    }
    if count > 0 {
        out.push(ALPHABET[(joined << (6 - count) & 63) as usize]);
    }
    out.push(b'-');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        let cases: [(&str, &str); 5] = [
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("a&b", "a&-b"),
            ("Entwürfe", "Entw&APw-rfe"),
            ("😀", "&2D3eAA-"),
            ("INBOX", "INBOX"),
        ];
        for (name, wire) in cases {
            assert_eq!(encode_utf7(name.as_bytes()), wire.as_bytes());
            assert_eq!(decode_utf7(wire.as_bytes()).as_deref(), Some(name.as_bytes()), "{wire}");
        }
        for wrong in ["&", "&AGE-", "&2D0-", "&U,BTFw-&ZeVnLIqe-", "&AP", "&A!-", "a\u{e4}"] {
            assert_eq!(decode_utf7(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn what_no_mailbox_can_be_called_is_refused() {
        for wrong in ["", "/x", "x/", "a//b", ".", "a/../b", "x\u{1}", "&AAA-"] {
            assert_eq!(mailbox_name(wrong.as_bytes(), false), Err(Bad::Mailbox), "{wrong}");
        }
        assert_eq!(mailbox_name(b"inBox/x", false), Ok(b"INBOX/x".to_vec()));
        assert_eq!(mailbox_name(b"inboxes", false), Ok(b"inboxes".to_vec()));
    }
}
