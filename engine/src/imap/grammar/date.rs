//! Dates in commands: `date` of SEARCH and `date-time` of APPEND (RFC 9051 §9).

use super::cursor::{Piecewise, Read};
use crate::text::date::{days, month};

/// `date = date-text / DQUOTE date-text DQUOTE`, as days since 1970.
pub(super) fn date(cursor: &mut Piecewise<'_>) -> Read<i32> {
    let quoted = cursor.take(b'"');
    let text = cursor.take_while(|octet| octet.is_ascii_alphanumeric() || octet == b'-');
    let Some(day) = day(text) else { return cursor.expected("a date such as 5-Jan-2026") };
    if quoted {
        cursor.must(b'"', "a closing quote")?;
    }
    Ok(day as i32)
}

fn day(text: &[u8]) -> Option<i64> {
    let mut words = text.split(|octet| *octet == b'-');
    let (number, name, year) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() || year.len() != 4 || number.len() > 2 {
        return None;
    }
    let number = digits(number)?;
    let month = month(name)?;
    (1..=31)
        .contains(&number)
        .then(|| days(i64::from(digits(year).unwrap_or(0)), month, number as u8))
}

fn digits(text: &[u8]) -> Option<u32> {
    if text.is_empty() || text.len() > 4 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(text.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0')))
}

/// `date-time`, quotes included: milliseconds since 1970 UTC, and minutes east of it.
pub(super) fn date_time(cursor: &mut Piecewise<'_>) -> Read<(u64, i16)> {
    const WHAT: &str = "a date such as \" 5-Jan-2026 09:00:00 +0000\"";
    cursor.must(b'"', WHAT)?;
    let text = cursor.take_while(|octet| octet != b'"');
    cursor.must(b'"', "a closing quote")?;
    match moment(text) {
        Some(moment) => Ok(moment),
        None => cursor.expected(WHAT),
    }
}

/// `date-time` without its quotes.
pub(in crate::imap) fn moment(text: &[u8]) -> Option<(u64, i16)> {
    let mut words = text.trim_ascii_start().split(|octet| *octet == b' ');
    let (day_word, time, zone) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() || time.len() != 8 || zone.len() != 5 {
        return None;
    }
    let mut parts = time.split(|octet| *octet == b':').map(digits);
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let offset = digits(&zone[1..])?;
    let minutes = (offset / 100 * 60 + offset % 100) as i16;
    let zone = match zone[0] {
        b'+' => minutes,
        b'-' => -minutes,
        _ => return None,
    };
    if hour > 23 || minute > 59 || second > 60 || offset % 100 > 59 || offset > 2359 {
        return None;
    }
    let seconds = day(day_word)? * 86_400 + i64::from(hour * 3600 + minute * 60 + second);
    let unix = (seconds - i64::from(zone) * 60).checked_mul(1000)?;
    Some((u64::try_from(unix).unwrap_or(0), zone))
}
