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
    format!("{of_week}, {day:02} {of_year} {year:04} {hour:02}:{minute:02}:{second:02} +0000")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_printed() {
        assert_eq!(date_time(0), "Thu, 01 Jan 1970 00:00:00 +0000");
        assert_eq!(date_time(1_767_603_600_000), "Mon, 05 Jan 2026 09:00:00 +0000");
        assert_eq!(date_time(951_782_399_000), "Mon, 28 Feb 2000 23:59:59 +0000");
        assert_eq!(date_time(951_782_400_000), "Tue, 29 Feb 2000 00:00:00 +0000");
    }
}
