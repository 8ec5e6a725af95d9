//! APPEND and REPLACE up to their message (RFC 9051 §6.3.12, RFC 8508 §5), which goes to the host and never through the
//! grammar; and what stands between two messages of one APPEND (RFC 3502).

use alloc::vec::Vec;

use super::assembly::Piece;
use super::command::{AppendData, AppendHead};
use super::cursor::{Piecewise, Read};
use super::date::date_time;
use super::parse::{flag_list, tag, verb};
use super::set::{SetNumber, set_number};

/// APPEND or REPLACE whose next thing is its message; `None` for anything else.
#[must_use]
pub fn append_head(pieces: &[Piece]) -> Option<AppendHead> {
    let mut cursor = Piecewise::new(pieces);
    let tag = tag(&mut cursor).ok()?;
    let mut word = verb(&mut cursor).ok()?;
    let by_uid = word == b"UID";
    if by_uid {
        word = verb(&mut cursor).ok()?;
    }
    let (replaces, (mailbox, data)) = match &word[..] {
        b"APPEND" if !by_uid => (None, arguments(&mut cursor).ok()?),
        b"REPLACE" => {
            let (number, arguments) = replace_arguments(&mut cursor).ok()?;
            (Some((by_uid, number)), arguments)
        }
        _ => return None,
    };
    cursor.end().ok()?;
    Some(AppendHead { tag, mailbox, data, replaces })
}

/// What stands before another message of one APPEND (RFC 3502): `SP [flag-list SP] [date-time SP]`.
#[must_use]
pub fn append_next(text: &[u8]) -> Option<AppendData> {
    let pieces = [Piece::Text(text.to_vec(), 0)];
    let mut cursor = Piecewise::new(&pieces);
    cursor.space().ok()?;
    let found = data(&mut cursor).ok()?;
    cursor.end().ok()?;
    Some(found)
}

/// `SP mailbox SP [flag-list SP] [date-time SP]`, the last space included.
pub(super) fn arguments(cursor: &mut Piecewise<'_>) -> Read<(Vec<u8>, AppendData)> {
    cursor.space()?;
    let mailbox = cursor.labelled("mailbox", false, |cursor| cursor.astring("a mailbox name"))?;
    cursor.space()?;
    Ok((mailbox, data(cursor)?))
}

/// `SP seq-number` and then as APPEND.
pub(super) fn replace_arguments(
    cursor: &mut Piecewise<'_>,
) -> Read<(SetNumber, (Vec<u8>, AppendData))> {
    cursor.space()?;
    let number = set_number(cursor)?;
    Ok((number, arguments(cursor)?))
}

/// `[flag-list SP] [date-time SP] ["UTF8" SP "("]`
fn data(cursor: &mut Piecewise<'_>) -> Read<AppendData> {
    let mut data = AppendData::default();
    if cursor.peek() == Some(b'(') {
        data.flags = cursor.labelled("flag-list", false, flag_list)?;
        cursor.space()?;
    }
    if cursor.peek() == Some(b'"') {
        data.date = Some(cursor.labelled("date-time", false, date_time)?);
        cursor.space()?;
    }
    if cursor.take_word(b"UTF8") {
        cursor.space()?;
        cursor.must(b'(', "( and a message")?;
        data.utf8 = true;
    }
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Option<AppendHead> {
        append_head(&[Piece::Text(text.as_bytes().to_vec(), 0)])
    }

    #[test]
    fn append_is_known_by_its_head() {
        let found = head("a APPEND x (\\Seen k) \" 5-Jan-2026 10:00:00 +0100\" ");
        let found = found.expect("it is one");
        assert_eq!(found.data.date, Some((1_767_603_600_000, 60)));
        assert_eq!((found.data.flags.system, found.replaces), (8, None));
        for other in ["a APPEND x", "a LOGIN ", "a UID APPEND x ", "a REPLACE x "] {
            assert_eq!(head(other), None, "{other}");
        }
        assert!(head("a APPEND x UTF8 (").is_some_and(|head| head.data.utf8));
    }

    #[test]
    fn replace_names_a_message() {
        let replaces = |text| head(text).and_then(|head| head.replaces);
        assert_eq!(replaces("a REPLACE 4 x (\\Seen) "), Some((false, SetNumber::Number(4))));
        assert_eq!(replaces("a UID REPLACE * x "), Some((true, SetNumber::Star)));
        assert_eq!(replaces("a REPLACE 0 x "), None);
    }
}
