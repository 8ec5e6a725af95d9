//! UTCTime and GeneralizedTime as RFC 5280 §4.1.2.5 restricts them, from and to seconds since 1970.

use pillarbox_engine::text::date::{civil, days};

use super::{Tlv, tag, tlv};

/// Seconds since 1970 UTC of a time value.
pub(crate) fn parse_time(value: Tlv<'_>) -> Option<i64> {
    let (century_digits, body) = match value.tag {
        tag::UTC_TIME => (2, value.body),
        tag::GENERALIZED_TIME => (4, value.body),
        _ => return None,
    };
    let digits = body.strip_suffix(b"Z")?;
    if digits.len() != century_digits + 10 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |text: &[u8]| text.iter().fold(0, |n, &digit| n * 10 + i64::from(digit - b'0'));
    let (year, rest) = digits.split_at(century_digits);
    let mut year = number(year);
    if century_digits == 2 {
        // RFC 5280 §4.1.2.5.1
        year += if year >= 50 { 1900 } else { 2000 };
    }
    let mut pairs = rest.chunks(2).map(number);
    let (month, day) = (pairs.next()?, pairs.next()?);
    let (hour, minute, second) = (pairs.next()?, pairs.next()?, pairs.next()?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    Some(days(year, month as u8, day as u8) * 86_400 + hour * 3600 + minute * 60 + second)
}

/// RFC 5280 §4.1.2.5: as UTCTime until 2049, as GeneralizedTime otherwise.
pub(crate) fn time(seconds: i64) -> Vec<u8> {
    let day = civil(seconds.div_euclid(86_400));
    let of_day = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let (month, date) = (day.month, day.day);
    let rest = format!("{month:02}{date:02}{hour:02}{minute:02}{second:02}Z");
    if (1950..2050).contains(&day.year) {
        tlv(tag::UTC_TIME, format!("{:02}{rest}", day.year % 100).as_bytes())
    } else {
        tlv(tag::GENERALIZED_TIME, format!("{:04}{rest}", day.year.clamp(0, 9999)).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::der::Reader;

    #[test]
    fn times_survive() {
        for seconds in [0, 951_782_400, 1_795_717_510, 2_524_607_999, 2_524_608_000, 4_102_444_800]
        {
            let written = time(seconds);
            let read = Reader::new(&written).any().expect("a value");
            assert_eq!(parse_time(read), Some(seconds));
        }
        let leap = Tlv { tag: tag::UTC_TIME, body: b"000229000000Z", whole: b"" };
        assert_eq!(parse_time(leap), Some(951_782_400));
        for wrong in [&b"000229000000"[..], b"001329000000Z", b"0002290000Z", b"000229250000Z"] {
            assert_eq!(parse_time(Tlv { body: wrong, ..leap }), None);
        }
    }
}
