//! Dates in commands: `date` of SEARCH and `date-time` of APPEND (RFC 9051 §9).

use super::cursor::{Piecewise, Read};
use crate::text::date::{Civil, civil, days, month};

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
    let (year, day) = (i64::from(digits(year)?), digits(number)? as u8);
    let month = month(name)?;
    let days = days(year, month, day);
    // The 31st of February would silently be another day.
    (civil(days) == Civil { year, month, day }).then_some(days)
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

/// RFC 3339 §5.6 `date-time`, as milliseconds since 1970 UTC. A date that is none, and one before 1970, is nothing.
pub(super) fn internet_moment(text: &[u8]) -> Option<u64> {
    let (date, rest) = text.split_at_checked(10)?;
    let (time, rest) = rest.split_at_checked(9)?;
    let number = |text: &[u8], at: usize, length: usize| digits(text.get(at..at + length)?);
    let (year, month, day) = (number(date, 0, 4)?, number(date, 5, 2)?, number(date, 8, 2)?);
    let (hour, minute, second) = (number(time, 1, 2)?, number(time, 4, 2)?, number(time, 7, 2)?);
    let marked = [date[4], date[7], time[0].to_ascii_uppercase(), time[3], time[6]] == *b"--T::";
    if !marked || hour > 23 || minute > 59 || second > 60 || !(1..=12).contains(&month) {
        return None;
    }
    let civil_day = Civil { year: i64::from(year), month: month as u8, day: day as u8 };
    let days = days(civil_day.year, civil_day.month, civil_day.day);
    if civil(days) != civil_day {
        return None;
    }
    let (fraction, zone) = match rest.strip_prefix(b".") {
        Some(rest) => {
            let end = rest.iter().position(|octet| !octet.is_ascii_digit())?;
            (Some(&rest[..end]).filter(|fraction| !fraction.is_empty())?, &rest[end..])
        }
        None => (&b""[..], rest),
    };
    let east = match zone {
        b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), clock @ ..] if clock.len() == 5 && clock[2] == b':' => {
            let (hour, minute) = (number(clock, 0, 2)?, number(clock, 3, 2)?);
            let minutes = i64::from(hour * 60 + minute);
            let right = hour < 24 && minute < 60;
            Some(if *sign == b'+' { minutes } else { -minutes }).filter(|_| right)?
        }
        _ => return None,
    };
    let thousandth = |at: usize| fraction.get(at).map_or(0, |digit| u64::from(digit - b'0'));
    let ms = thousandth(0) * 100 + thousandth(1) * 10 + thousandth(2);
    let seconds = days * 86_400 + i64::from(hour * 3600 + minute * 60 + second) - east * 60;
    u64::try_from(seconds).ok()?.checked_mul(1000)?.checked_add(ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        assert_eq!(day(b"1-Jan-1970"), Some(0));
        assert_eq!(day(b"29-feb-2024"), Some(19_782));
        assert_eq!(moment(b" 5-Jan-2026 09:00:00 +0000"), Some((1_767_603_600_000, 0)));
        let wrong: [&[u8]; 9] = [
            b"31-Feb-2026",
            b"29-Feb-2026",
            b"31-Apr-2026",
            b"0-Jan-2026",
            b"32-Jan-2026",
            b"5-Foo-2026",
            b"5-Jan-abcd",
            b"5-Jan-026",
            b"005-Jan-2026",
        ];
        for wrong in wrong {
            assert_eq!(day(wrong), None, "{}", wrong.escape_ascii());
            let moment = moment(&[wrong, b" 00:00:00 +0000"].concat());
            assert_eq!(moment, None, "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn moments_of_the_internet_are_read() {
        let read = |text: &str| internet_moment(text.as_bytes());
        assert_eq!(read("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(read("2026-01-05t09:00:00.1239z"), Some(1_767_603_600_123));
        assert_eq!(read("2026-01-05T10:30:00+01:30"), Some(1_767_603_600_000));
        assert_eq!(read("2024-02-29T23:59:60-00:00"), Some(1_709_251_200_000));
        for wrong in [
            "",
            "2026-01-05T09:00:00",
            "2026-01-05 09:00:00Z",
            "2026-02-29T09:00:00Z",
            "2026-13-01T09:00:00Z",
            "2026-01-00T09:00:00Z",
            "2026-01-05T09:60:00Z",
            "2026-01-05T09:00:00.Z",
            "2026-01-05T09:00:00+0100",
            "2026-01-05T09:00:00+24:00",
            "1969-12-31T23:59:59Z",
            "2026-01-05T09:00:00Zx",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
