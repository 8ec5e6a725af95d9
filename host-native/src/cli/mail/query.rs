//! What to look for, and sets of UIDs, from words of the command line.

use clap::Args;
use pillarbox_engine::imap::types::{HeaderKey, SearchKey, UidRun};
use pillarbox_engine::text::date::{Civil, civil, days};

use super::change::system_flag;
use crate::error::Error;

/// What messages must be like; all of it must hold.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct QueryFlags {
    /// Words that stand in them, anywhere
    words: Vec<String>,
    /// Who wrote them
    #[arg(long, value_name = "TEXT")]
    from: Option<String>,
    /// To whom
    #[arg(long, value_name = "TEXT")]
    to: Option<String>,
    /// What they are about
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,
    /// A field that they have, or whose text has this: NAME or NAME:TEXT
    #[arg(long, value_name = "NAME[:TEXT]")]
    header: Vec<String>,
    /// That came on this day or later
    #[arg(long, value_name = "YYYY-MM-DD")]
    since: Option<String>,
    /// That came before this day
    #[arg(long, value_name = "YYYY-MM-DD")]
    before: Option<String>,
    /// That are larger than so many octets
    #[arg(long, value_name = "OCTETS")]
    larger: Option<u64>,
    /// That are smaller
    #[arg(long, value_name = "OCTETS")]
    smaller: Option<u64>,
    /// That have a flag or keyword: seen, answered, flagged, deleted, draft, $Work
    #[arg(long, value_name = "FLAG")]
    flag: Vec<String>,
    /// That have it not
    #[arg(long, value_name = "FLAG")]
    no_flag: Vec<String>,
    /// Short for --no-flag seen
    #[arg(long)]
    unseen: bool,
}

impl QueryFlags {
    /// In postfix order; everything if nothing was said.
    pub(super) fn keys(&self) -> Result<Vec<SearchKey>, Error> {
        let mut keys = Vec::new();
        let mut count = 0;
        let mut also = |some: Vec<SearchKey>| {
            keys.extend(some);
            count += 1;
        };
        let field = |name: &str, text: &str| {
            let (name, text) = (name.as_bytes().to_vec(), text.as_bytes().to_vec());
            SearchKey::Header(HeaderKey { name, text })
        };
        self.words.iter().for_each(|word| also(vec![SearchKey::Text(word.clone().into_bytes())]));
        for (name, text) in [("From", &self.from), ("To", &self.to), ("Subject", &self.subject)] {
            if let Some(text) = text {
                also(vec![field(name, text)]);
            }
        }
        for header in &self.header {
            let (name, text) = header.split_once(':').unwrap_or((header, ""));
            if name.is_empty() || !name.bytes().all(|octet| octet.is_ascii_graphic()) {
                return Err(Error::usage(format!("--header: `{name}` is no field's name")));
            }
            also(vec![field(name, text.trim_start())]);
        }
        if let Some(day) = &self.since {
            also(vec![SearchKey::Since(date("--since", day)?)]);
        }
        if let Some(day) = &self.before {
            also(vec![SearchKey::Before(date("--before", day)?)]);
        }
        if let Some(size) = self.larger {
            also(vec![SearchKey::Larger(size)]);
        }
        if let Some(size) = self.smaller {
            also(vec![SearchKey::Smaller(size)]);
        }
        for flag in &self.flag {
            also(vec![flagged("--flag", flag)?]);
        }
        let unseen = self.unseen.then(|| "seen".to_owned());
        for flag in self.no_flag.iter().chain(&unseen) {
            also(vec![flagged("--no-flag", flag)?, SearchKey::Not]);
        }
        match count {
            0 => keys.push(SearchKey::All),
            1 => {}
            count => keys.push(SearchKey::And(count)),
        }
        Ok(keys)
    }
}

fn flagged(flag: &str, word: &str) -> Result<SearchKey, Error> {
    match system_flag(word) {
        Some(bit) => Ok(SearchKey::Flags(bit)),
        None if super::change::is_keyword(word) => Ok(SearchKey::Keyword(word.as_bytes().to_vec())),
        None => Err(Error::usage(format!("{flag}: `{word}` is no flag and no keyword"))),
    }
}

/// A day, in days since 1970.
fn date(flag: &str, text: &str) -> Result<i32, Error> {
    let wrong = || Error::usage(format!("{flag}: `{text}` is no day such as 2026-07-17"));
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts[..] else { return Err(wrong()) };
    let wanted = Civil {
        year: year.parse().map_err(|_| wrong())?,
        month: month.parse().map_err(|_| wrong())?,
        day: day.parse().map_err(|_| wrong())?,
    };
    if !(1970..=9999).contains(&wanted.year) || !(1..=12).contains(&wanted.month) {
        return Err(wrong());
    }
    let number = days(wanted.year, wanted.month, wanted.day);
    // 30 February is none.
    if civil(number) != wanted {
        return Err(wrong());
    }
    i32::try_from(number).map_err(|_| wrong())
}

/// `17`, `17,19`, `17:20`; `*` is the last message.
pub(super) fn uids(text: &str) -> Result<Vec<UidRun>, Error> {
    let wrong = || {
        let form = "17, 17,19 or 17:20; `pillarbox mail list` shows them";
        Error::usage(format!("`{text}` names no messages: UIDs are given as {form}"))
    };
    let number = |word: &str| match word {
        "*" => Some(u32::MAX),
        word => word.parse::<u32>().ok().filter(|number| *number > 0),
    };
    let run = |part: &str| {
        let (first, last) = part.split_once(':').unwrap_or((part, part));
        let (a, b) = (number(first)?, number(last)?);
        Some(UidRun { first: a.min(b), last: a.max(b) })
    };
    text.split(',').map(|part| run(part).ok_or_else(wrong)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_and_days_are_read() {
        let run = |first, last| UidRun { first, last };
        assert_eq!(uids("7").expect("one"), [run(7, 7)]);
        assert_eq!(uids("9:7,*").expect("two"), [run(7, 9), run(u32::MAX, u32::MAX)]);
        for wrong in ["", "0", "a", "1,", "1:2:3", "-1", "99999999999"] {
            assert!(uids(wrong).is_err(), "{wrong}");
        }
        assert_eq!(date("--since", "1970-01-02").expect("a day"), 1);
        for wrong in ["2026-02-30", "2026-13-01", "17.7.2026", "2026-07", "26-07-17"] {
            assert!(date("--since", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn everything_that_is_said_must_hold() {
        let query = QueryFlags {
            words: vec!["ketchup".into()],
            unseen: true,
            header: vec!["X-A: b".into()],
            ..QueryFlags::default()
        };
        let keys = query.keys().expect("right");
        let header = HeaderKey { name: b"X-A".to_vec(), text: b"b".to_vec() };
        let wanted = [
            SearchKey::Text(b"ketchup".to_vec()),
            SearchKey::Header(header),
            SearchKey::Flags(8),
            SearchKey::Not,
            SearchKey::And(3),
        ];
        assert_eq!(keys, wanted);
        assert_eq!(QueryFlags::default().keys().expect("right"), [SearchKey::All]);
    }
}
