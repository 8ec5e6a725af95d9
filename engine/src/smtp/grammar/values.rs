//! Values of parameters that are more than a word: times, priorities, and original recipients with UTF-8 (RFC 6533).

use alloc::format;
use alloc::vec::Vec;

use super::params::{decode_xtext, encode_xtext, is_printable};
use crate::smtp::{ByMode, DeliverBy};
use crate::text::date::parse_timestamp;

/// RFC 3461 §4.2: octets of an original recipient.
const ORCPT_MAX: usize = 500;
/// Digits of a number of seconds (RFC 2852, RFC 4865): thirty years.
const SECONDS_DIGITS_MAX: usize = 9;

/// RFC 4865: how long a message is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// HOLDFOR: so many seconds.
    For(u32),
    /// HOLDUNTIL: up to this moment, in milliseconds since 1970 UTC.
    Until(u64),
}

/// `by-value = by-time ";" by-mode [by-trace]` (RFC 2852). With mode R there must be time left.
pub(super) fn deliver_by(value: &[u8]) -> Option<DeliverBy> {
    let semicolon = value.iter().position(|&octet| octet == b';')?;
    let (time, mode) = (&value[..semicolon], value[semicolon + 1..].to_ascii_uppercase());
    let (digits, late) = match time.first()? {
        b'-' => (&time[1..], true),
        b'+' => (&time[1..], false),
        _ => (time, false),
    };
    let seconds = i32::try_from(seconds(digits)?).ok()?;
    let seconds = if late { -seconds } else { seconds };
    let (mode, trace) = match &mode[..] {
        b"R" => (ByMode::Return, false),
        b"RT" => (ByMode::Return, true),
        b"N" => (ByMode::Notify, false),
        b"NT" => (ByMode::Notify, true),
        _ => return None,
    };
    let over = mode == ByMode::Return && seconds <= 0;
    (!over).then_some(DeliverBy { seconds, mode, trace })
}

/// `future-release-interval` (RFC 4865): seconds from now.
pub(super) fn hold_for(value: &[u8]) -> Option<Hold> {
    seconds(value).map(Hold::For)
}

/// `future-release-date-time` (RFC 4865), a time of RFC 3339.
pub(super) fn hold_until(value: &[u8]) -> Option<Hold> {
    parse_timestamp(value).map(Hold::Until)
}

/// `1*9DIGIT`
fn seconds(digits: &[u8]) -> Option<u32> {
    let right = (1..=SECONDS_DIGITS_MAX).contains(&digits.len());
    if !right || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0')))
}

/// `priority-value = (["-"] NZDIGIT) / "0"` (RFC 6710 §7)
pub(super) fn priority(value: &[u8]) -> Option<i8> {
    match value {
        b"0" => Some(0),
        [digit @ b'1'..=b'9'] => Some((digit - b'0') as i8),
        [b'-', digit @ b'1'..=b'9'] => Some(-((digit - b'0') as i8)),
        _ => None,
    }
}

/// `original-recipient-address = addr-type ";" xtext` (RFC 3461 §4.2), by its meaning. With the type `utf-8` the address
/// is in one of the forms of RFC 6533 §3, of which `unicode` says whether octets above ASCII may stand for themselves.
pub(super) fn orcpt(value: &[u8], unicode: bool) -> Option<Vec<u8>> {
    let semicolon = value.iter().position(|&octet| octet == b';')?;
    let (kind, address) = (&value[..semicolon], &value[semicolon + 1..]);
    let address = if is_utf8_type(kind) {
        decode_unitext(address, unicode)?
    } else {
        decode_xtext(address).filter(|address| is_printable(address))?
    };
    let orcpt = [kind, b";", &address].concat();
    is_orcpt(&orcpt).then_some(orcpt)
}

/// Whether this is an address type, a semicolon and at most as much as may follow.
pub(in crate::smtp) fn is_orcpt(orcpt: &[u8]) -> bool {
    let semicolon = orcpt.iter().position(|&octet| octet == b';');
    let kind = semicolon.map_or(&b""[..], |at| &orcpt[..at]);
    let word = |octet: &u8| octet.is_ascii_alphanumeric() || *octet == b'-';
    orcpt.len() <= ORCPT_MAX && !kind.is_empty() && kind.iter().all(word)
}

/// Prints an original recipient; `unicode` says whether the server takes UTF-8 as it is.
pub(in crate::smtp) fn print_orcpt(orcpt: &[u8], unicode: bool) -> Vec<u8> {
    let semicolon = orcpt.iter().position(|&octet| octet == b';').unwrap_or(0);
    let (kind, address) = orcpt.split_at(semicolon);
    let address = address.get(1..).unwrap_or_default();
    let address = match core::str::from_utf8(address) {
        Ok(text) if is_utf8_type(kind) => encode_unitext(text, unicode),
        _ => encode_xtext(address),
    };
    [kind, b";", &address].concat()
}

fn is_utf8_type(kind: &[u8]) -> bool {
    kind.eq_ignore_ascii_case(b"utf-8")
}

/// `utf-8-enc-addr` (RFC 6533 §3). What is no escape stands for itself, since an address that is wrong is to be kept as
/// it came; but none may bring a control character, which no report could show.
fn decode_unitext(text: &[u8], unicode: bool) -> Option<Vec<u8>> {
    let mut rest = core::str::from_utf8(text).ok().filter(|text| unicode || text.is_ascii())?;
    let mut out = Vec::with_capacity(rest.len());
    while let Some(first) = rest.chars().next() {
        let (point, length) = escape(rest).unwrap_or((first, first.len_utf8()));
        if point.is_control() {
            return None;
        }
        out.extend_from_slice(point.encode_utf8(&mut [0; 4]).as_bytes());
        rest = &rest[length..];
    }
    Some(out)
}

/// `EmbeddedUnicodeChar = %x5C.78 "{" HEXPOINT "}"`, at the beginning of a text: the character, and the form's octets.
fn escape(text: &str) -> Option<(char, usize)> {
    let digits = text.strip_prefix("\\x{")?;
    let end = digits.find('}').filter(|end| (2..=6).contains(end))?;
    let digits = &digits[..end];
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let point = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32)?;
    // In ASCII only what may not stand for itself is written so.
    let wanted = !point.is_ascii_graphic() || matches!(point, '\\' | '+' | '=');
    wanted.then_some((point, end + 4))
}

fn encode_unitext(text: &str, unicode: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for point in text.chars() {
        let itself = match point {
            '\\' | '+' | '=' => false,
            _ if point.is_ascii() => point.is_ascii_graphic(),
            _ => unicode && !point.is_control(),
        };
        if itself {
            out.extend_from_slice(point.encode_utf8(&mut [0; 4]).as_bytes());
        } else {
            out.extend_from_slice(format!("\\x{{{:02X}}}", u32::from(point)).as_bytes());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_to_deliver_by_are_read() {
        let by = |seconds, mode, trace| Some(DeliverBy { seconds, mode, trace });
        assert_eq!(deliver_by(b"120;R"), by(120, ByMode::Return, false));
        assert_eq!(deliver_by(b"+120;rt"), by(120, ByMode::Return, true));
        assert_eq!(deliver_by(b"-999999999;N"), by(-999_999_999, ByMode::Notify, false));
        assert_eq!(deliver_by(b"0;nT"), by(0, ByMode::Notify, true));
        let wrong: [&[u8]; 11] = [
            b"",
            b"120",
            b"120;",
            b";R",
            b"-;N",
            b"120;X",
            b"120;TR",
            b"1000000000;R",
            b"0;R",
            b"-1;RT",
            b"1 2;N",
        ];
        for wrong in wrong {
            assert_eq!(deliver_by(wrong), None, "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn holds_and_priorities_are_read() {
        assert_eq!(hold_for(b"0"), Some(Hold::For(0)));
        assert_eq!(hold_for(b"999999999"), Some(Hold::For(999_999_999)));
        assert_eq!(hold_until(b"1970-01-01T00:00:01Z"), Some(Hold::Until(1000)));
        for wrong in [&b""[..], b"-1", b"+1", b"1000000000", b"1.5"] {
            assert_eq!(hold_for(wrong), None);
        }
        for number in -9..=9 {
            assert_eq!(priority(format!("{number}").as_bytes()), Some(number));
        }
        for wrong in [&b""[..], b"-0", b"+1", b"10", b"-10", b"x", b"01", b"--1"] {
            assert_eq!(priority(wrong), None);
        }
    }

    #[test]
    fn original_recipients_are_read_by_their_meaning() {
        let cases: [(&str, Option<&str>); 19] = [
            ("rfc822;a+2Bb@c", Some("rfc822;a+b@c")),
            ("rfc822;", Some("rfc822;")),
            ("X-400;/S=x", None),
            ("x400;/S+3Dx", Some("x400;/S=x")),
            ("rfc822;a+0Ab", None),
            ("rfc822;a+E4b", None),
            ("rfc822;\u{e4}@b", None),
            ("rfc 822;a@b", None),
            (";a@b", None),
            ("a@b", None),
            ("utf-8;\u{e4}@b", Some("utf-8;\u{e4}@b")),
            ("UTF-8;\\x{E4}@b", Some("UTF-8;\u{e4}@b")),
            ("utf-8;\\x{1f600}\\x{20}\\x{2B}\\x{5C}@b", Some("utf-8;\u{1f600} +\\@b")),
            ("utf-8;\\x{0A}@b", None),
            ("utf-8;\\x{85}@b", None),
            ("utf-8;a+0Ab", Some("utf-8;a+0Ab")),
            // No escapes: a surrogate, a letter that needs none, too many digits, no end.
            ("utf-8;\\x{D800}@b", Some("utf-8;\\x{D800}@b")),
            ("utf-8;\\x{41}\\x{00000E4}@b", Some("utf-8;\\x{41}\\x{00000E4}@b")),
            ("utf-8;\\x{E4", Some("utf-8;\\x{E4")),
        ];
        for (value, expected) in cases {
            let read = orcpt(value.as_bytes(), true);
            assert_eq!(read.as_deref(), expected.map(str::as_bytes), "{value}");
            let Some(read) = read else { continue };
            for unicode in [true, false] {
                let printed = print_orcpt(&read, unicode);
                assert!(unicode || printed.is_ascii(), "{}", printed.escape_ascii());
                assert_eq!(orcpt(&printed, unicode), Some(read.clone()), "{value}");
            }
        }
        assert_eq!(orcpt("utf-8;\u{e4}@b".as_bytes(), false), None);
        assert_eq!(orcpt(b"utf-8;\xff@b", true), None);
        let long = |length: usize| format!("rfc822;{}", "a".repeat(length - 7)).into_bytes();
        assert!(orcpt(&long(500), true).is_some() && orcpt(&long(501), true).is_none());
    }
}
