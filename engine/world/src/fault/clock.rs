//! Times and durations as rules write them: `500ms`, `30s`, `4h`; `09:50` is a time of day, in UTC.

/// Milliseconds of a day.
pub(super) const DAY_MS: u64 = 86_400_000;

/// The units of a duration, the longest that divides it is printed.
const UNITS: [(&str, u64); 5] =
    [("d", DAY_MS), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// A number and its unit, in milliseconds.
pub(super) fn duration_ms(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let number: u64 = text[..digits].parse().ok()?;
    let (_, unit_ms) = UNITS.iter().find(|(unit, _)| *unit == &text[digits..])?;
    number.checked_mul(*unit_ms)
}

/// Milliseconds of a duration of several parts, such as `1h30m`.
#[must_use]
pub fn parse_duration(text: &str) -> Option<u64> {
    let mut sum = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let word = rest[digits..].find(|c: char| c.is_ascii_digit());
        let (part, behind) = rest.split_at(word.map_or(rest.len(), |word| digits + word));
        sum = sum.checked_add(duration_ms(part)?)?;
        rest = behind;
    }
    (!text.is_empty()).then_some(sum)
}

pub(crate) fn print_duration(ms: u64) -> String {
    let divides = |unit_ms: u64| ms >= unit_ms && ms.is_multiple_of(unit_ms);
    let unit = UNITS.iter().find(|(_, unit_ms)| divides(*unit_ms));
    let (unit, unit_ms) = unit.unwrap_or(&("ms", 1));
    format!("{}{unit}", ms / unit_ms)
}

/// `HH:MM` or `HH:MM:SS`, in milliseconds since midnight.
pub(super) fn time_of_day_ms(text: &str) -> Option<u64> {
    let parts: Vec<&str> = text.split(':').collect();
    let number = |at: usize, below: u64| -> Option<u64> {
        let Some(part) = parts.get(at) else { return Some(0) };
        let two = part.len() == 2 && part.bytes().all(|octet| octet.is_ascii_digit());
        part.parse().ok().filter(|number| two && *number < below)
    };
    let whole = (2..=3).contains(&parts.len());
    let seconds = number(0, 24)? * 3600 + number(1, 60)? * 60 + number(2, 60)?;
    whole.then_some(seconds * 1000)
}

pub(super) fn print_time_of_day(ms: u64) -> String {
    let seconds = ms / 1000;
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if rest == 0 {
        format!("{hours:02}:{minutes:02}")
    } else {
        format!("{hours:02}:{minutes:02}:{rest:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_times_read_as_they_print() {
        for text in ["0ms", "500ms", "30s", "90s", "5m", "4h", "36h", "5d"] {
            let ms = duration_ms(text).expect(text);
            assert_eq!(duration_ms(&print_duration(ms)), Some(ms), "{text}");
        }
        assert_eq!(duration_ms("2m"), Some(120_000));
        for text in ["", "5", "s", "5 s", "5S", "-1s", "99999999999999999999s", "999999999999999d"]
        {
            assert_eq!(duration_ms(text), None, "{text}");
        }
        for text in ["00:00", "09:50", "23:59:59"] {
            assert_eq!(time_of_day_ms(text).map(print_time_of_day).as_deref(), Some(text));
        }
        for text in ["24:00", "9:50", "09", "09:60", "09:50:00:00", "+9:50"] {
            assert_eq!(time_of_day_ms(text), None, "{text}");
        }
    }
}
