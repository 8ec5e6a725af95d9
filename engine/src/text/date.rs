//! Dates of messages (RFC 5322 §3.3), from and to milliseconds since 1970 UTC.

use alloc::format;
use alloc::string::String;

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A day of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// Such as 2026.
    pub year: i64,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
}

/// The day that is so many days after 1970-01-01.
#[must_use]
pub fn civil(days: i64) -> Civil {
    // Years are counted from March, so that a leap day is the last day of its year; eras have 400 years.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    // Both are small by construction: a month is at most 12, a day at most 31.
    Civil { year, month: month as u8, day: day as u8 }
}

/// RFC 5322 §3.3 date-time, in UTC.
#[must_use]
pub fn date_time(unix_ms: u64) -> String {
    let seconds = unix_ms / 1000;
    let days = (seconds / 86_400) as i64;
    let Civil { year, month, day } = civil(days);
    let of_week = DAYS[(days % 7) as usize];
    let of_year = MONTHS[usize::from(month) - 1];
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    // Every message gets one of these, and the general way of making text of numbers takes several times as long.
    let mut out = String::with_capacity(DATE_TIME_OCTETS);
    out.push_str(of_week);
    out.push_str(", ");
    push_two(&mut out, day.into());
    out.push(' ');
    out.push_str(of_year);
    out.push(' ');
    // A clock past the year 9999 shows a year that is wrong, in a form that is right.
    let year = year.unsigned_abs() % 10_000;
    push_two(&mut out, year / 100);
    push_two(&mut out, year % 100);
    for (separator, number) in [(' ', hour), (':', minute), (':', second)] {
        out.push(separator);
        push_two(&mut out, number);
    }
    out.push_str(" +0000");
    out
}

const DATE_TIME_OCTETS: usize = "Thu, 01 Jan 1970 00:00:00 +0000".len();

/// Two digits of a number below 100.
fn push_two(out: &mut String, number: u64) {
    let digit = |digit: u64| char::from(b'0' + (digit % 10) as u8);
    out.push(digit(number / 10));
    out.push(digit(number));
}

/// Days from 1970-01-01 to a day of the calendar; the reverse of [`civil`].
#[must_use]
pub fn days(year: i64, month: u8, day: u8) -> i64 {
    let (year, month) = (year - i64::from(month <= 2), i64::from(month));
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The month of an English abbreviation, 1 to 12, in any case.
#[must_use]
pub fn month(name: &[u8]) -> Option<u8> {
    let at = MONTHS.iter().position(|month| month.as_bytes().eq_ignore_ascii_case(name))?;
    Some(at as u8 + 1)
}

/// A month's English abbreviation; of a number that is no month, January's.
#[must_use]
pub fn month_name(month: u8) -> &'static str {
    MONTHS[usize::from(month).saturating_sub(1) % 12]
}

/// A moment as a date field writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime {
    /// Milliseconds since 1970 UTC.
    pub unix_ms: i64,
    /// Minutes east of UTC.
    pub zone: i16,
}

impl DateTime {
    /// The day that the writer's calendar showed, in days since 1970.
    #[must_use]
    pub fn local_days(self) -> i64 {
        (self.unix_ms + i64::from(self.zone) * 60_000).div_euclid(86_400_000)
    }
}

/// Reads an unfolded Date body (RFC 5322 §3.3), the obsolete forms of §4.3 included.
#[must_use]
pub fn parse(body: &[u8]) -> Option<DateTime> {
    let cleaned = without_comments(body);
    let separator = |octet: &u8| matches!(octet, b' ' | b'\t' | b',' | b'-');
    let mut words = cleaned.split(separator).filter(|word| !word.is_empty()).peekable();
    if words.peek()?.first()?.is_ascii_alphabetic() {
        words.next();
    }
    let day = small(words.next()?, 2)?;
    let month = month(words.next()?.get(..3)?)?;
    let year = words.next()?;
    let year = match (small(year, 4)?, year.len()) {
        // RFC 5322 §4.3: two digits mean 1950 to 2049, three are counted from 1900.
        (year, 1 | 2) if year < 50 => 2000 + year,
        (year, ..=3) => 1900 + year,
        (year, _) => year,
    };
    let time = words.next()?;
    let mut parts = time.split(|octet| *octet == b':');
    let (hour, minute) = (small(parts.next()?, 2)?, small(parts.next()?, 2)?);
    let second = match parts.next() {
        Some(second) => small(second, 2)?,
        None => 0,
    };
    if !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // The separators above took the sign of a zone west of UTC, so it is looked for in the text itself.
    let zone_word = words.next().unwrap_or(b"+0000");
    let west = cleaned.windows(zone_word.len() + 1).any(|w| w[0] == b'-' && &w[1..] == zone_word);
    let zone = zone(zone_word, west)?;
    let local = days(i64::from(year), month, day as u8) * 86_400
        + i64::from(hour * 3600 + minute * 60 + second);
    Some(DateTime { unix_ms: (local - i64::from(zone) * 60) * 1000, zone })
}

/// RFC 3339 §5.6 `date-time` in UTC, to the second.
#[must_use]
pub fn timestamp(unix_ms: u64) -> String {
    let seconds = unix_ms / 1000;
    let Civil { year, month, day } = civil((seconds / 86_400) as i64);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Reads RFC 3339 §5.6 `date-time`, in milliseconds since 1970 UTC; a fraction of a second counts to its third digit.
#[must_use]
pub fn parse_timestamp(text: &[u8]) -> Option<u64> {
    let (head, rest) = text.split_at_checked(19)?;
    let digits = |from: usize, count: usize| small(&head[from..from + count], count);
    let signs = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    if !signs.iter().all(|&(at, sign)| head[at] == sign) || !matches!(head[10], b'T' | b't') {
        return None;
    }
    let (year, month, day) = (digits(0, 4)?, digits(5, 2)?, digits(8, 2)?);
    let (hour, minute, second) = (digits(11, 2)?, digits(14, 2)?, digits(17, 2)?);
    if !(1..=12).contains(&month) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let number = days(i64::from(year), month as u8, day as u8);
    if civil(number) != (Civil { year: i64::from(year), month: month as u8, day: day as u8 }) {
        return None;
    }
    let (milliseconds, zone) = fraction(rest)?;
    let zone_minutes = match zone {
        b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (small(&[*h1, *h2], 2)?, small(&[*m1, *m2], 2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let east = i64::from(hours * 60 + minutes);
            if *sign == b'-' { -east } else { east }
        }
        _ => return None,
    };
    let local = number * 86_400 + i64::from(hour * 3600 + minute * 60 + second);
    let unix_ms = (local - zone_minutes * 60) * 1000 + i64::from(milliseconds);
    u64::try_from(unix_ms).ok()
}

/// `[time-secfrac]`, in milliseconds, and what follows.
fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let Some(digits) = text.strip_prefix(b".") else { return Some((0, text)) };
    let count = digits.iter().take_while(|digit| digit.is_ascii_digit()).count();
    let (fraction, rest) = digits.split_at(count);
    let kept = &fraction[..count.min(3)];
    Some((small(kept, 3)? * 10u32.pow(3 - kept.len() as u32), rest))
}

fn small(digits: &[u8], max: usize) -> Option<u32> {
    if digits.is_empty() || digits.len() > max || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0')))
}

fn zone(word: &[u8], west: bool) -> Option<i16> {
    let digits = word.strip_prefix(b"+").unwrap_or(word);
    if let Some(number) = small(digits, 4).filter(|_| digits.len() == 4) {
        let minutes = (number / 100 * 60 + number % 100) as i16;
        return (number % 100 < 60).then_some(if west { -minutes } else { minutes });
    }
    // RFC 5322 §4.3: the old American names; every other name says nothing and is taken as UTC.
    let hours = match &word.to_ascii_uppercase()[..] {
        b"EDT" => -4,
        b"EST" | b"CDT" => -5,
        b"CST" | b"MDT" => -6,
        b"MST" | b"PDT" => -7,
        b"PST" => -8,
        _ => 0,
    };
    Some(hours * 60)
}

fn without_comments(body: &[u8]) -> alloc::vec::Vec<u8> {
    let mut depth = 0u32;
    let mut out = alloc::vec::Vec::with_capacity(body.len());
    for &octet in body {
        match octet {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b'\r' | b'\n' if depth == 0 => out.push(b' '),
            _ if depth == 0 => out.push(octet),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read() {
        let cases: [(&str, i64, i16); 9] = [
            ("Mon, 05 Jan 2026 09:00:00 +0000", 1_767_603_600_000, 0),
            ("5 Jan 2026 10:00 +0100 (CET)", 1_767_603_600_000, 60),
            ("Mon, 5 Jan 2026 04:30:00 -0430", 1_767_603_600_000, -270),
            ("05 Jan 26 09:00:00 GMT", 1_767_603_600_000, 0),
            ("Mon,  5  Jan 2026 01:00:00 PST", 1_767_603_600_000, -480),
            ("Thu, 01 Jan 1970 00:00:00 Z", 0, 0),
            ("Tue, 29 Feb 2000 00:00:00 +0000", 951_782_400_000, 0),
            ("1 Jan 70 00:00:00", 0, 0),
            ("5-Jan-2026 09:00:00 +0000", 1_767_603_600_000, 0),
        ];
        for (body, unix_ms, zone) in cases {
            assert_eq!(parse(body.as_bytes()), Some(DateTime { unix_ms, zone }), "{body}");
        }
        for wrong in
            ["", "x", "32 Jan 2026 00:00", "1 Foo 2026 00:00", "1 Jan 2026", "1 Jan 2026 25:00"]
        {
            assert_eq!(parse(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn days_go_both_ways() {
        for number in (-800_000..800_000).step_by(37) {
            let Civil { year, month, day } = civil(number);
            assert_eq!(days(year, month, day), number);
        }
    }

    #[test]
    fn timestamps_go_both_ways() {
        let cases: [(&str, u64); 7] = [
            ("2026-01-05T09:00:00Z", 1_767_603_600_000),
            ("2026-01-05t10:00:00+01:00", 1_767_603_600_000),
            ("2026-01-05T04:30:00-04:30", 1_767_603_600_000),
            ("2026-01-05T09:00:00.5Z", 1_767_603_600_500),
            ("2026-01-05T09:00:00.123456z", 1_767_603_600_123),
            ("2000-02-29T00:00:00Z", 951_782_400_000),
            ("1970-01-01T00:00:00Z", 0),
        ];
        for (text, unix_ms) in cases {
            assert_eq!(parse_timestamp(text.as_bytes()), Some(unix_ms), "{text}");
            let again = timestamp(unix_ms);
            assert_eq!(parse_timestamp(again.as_bytes()), Some(unix_ms / 1000 * 1000), "{again}");
        }
        assert_eq!(timestamp(951_782_399_999), "2000-02-28T23:59:59Z");
        for wrong in [
            "",
            "2026-01-05",
            "2026-01-05T09:00:00",
            "2026-01-05 09:00:00Z",
            "2026-02-30T09:00:00Z",
            "2026-13-01T09:00:00Z",
            "2026-01-05T24:00:00Z",
            "2026-01-05T09:60:00Z",
            "2026-01-05T09:00:00.Z",
            "2026-01-05T09:00:00+1:00",
            "2026-01-05T09:00:00Zx",
            "-026-01-05T09:00:00Z",
            "1969-12-31T23:59:59Z",
        ] {
            assert_eq!(parse_timestamp(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn dates_are_printed() {
        assert_eq!(date_time(0), "Thu, 01 Jan 1970 00:00:00 +0000");
        assert_eq!(date_time(1_767_603_600_000), "Mon, 05 Jan 2026 09:00:00 +0000");
        assert_eq!(date_time(951_782_399_000), "Mon, 28 Feb 2000 23:59:59 +0000");
        assert_eq!(date_time(951_782_400_000), "Tue, 29 Feb 2000 00:00:00 +0000");
    }
}
