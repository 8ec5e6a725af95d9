//! Whose time it is, for tests.

use std::str::FromStr;

use pillarbox_engine::text::date::parse_timestamp;

/// The clock that a server goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The machine's, which nobody moves.
    Real,
    /// One that tests move on, for the queue and for dates: it begins now, or at this millisecond since 1970 UTC.
    Virtual(Option<u64>),
}

impl FromStr for Clock {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let start = match text.split_once('=') {
            None if text == "real" => return Ok(Self::Real),
            None if text == "virtual" => return Ok(Self::Virtual(None)),
            Some(("virtual", start)) => parse_timestamp(start.as_bytes()),
            _ => None,
        };
        let expected =
            "expected real, virtual, or virtual= and a moment such as 2026-01-05T09:00:00Z";
        start.map(|start| Self::Virtual(Some(start))).ok_or_else(|| expected.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_real_or_begins_somewhere() {
        assert_eq!("real".parse(), Ok(Clock::Real));
        assert_eq!("virtual".parse(), Ok(Clock::Virtual(None)));
        let start = "virtual=2026-01-05T10:00:00+01:00".parse();
        assert_eq!(start, Ok(Clock::Virtual(Some(1_767_603_600_000))));
        for wrong in ["", "Real", "virtual=", "virtual=now", "real=2026-01-05T09:00:00Z"] {
            assert!(wrong.parse::<Clock>().is_err(), "{wrong}");
        }
    }
}
