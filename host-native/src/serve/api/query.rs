//! The words of a search, as Mailpit has them: `from:`, `subject:"two words"`, `-is:read`, `after:2026-11-01`, or a text that
//! stands anywhere. All of them must hold.

use pillarbox_engine::text::date::parse_timestamp;
use pillarbox_engine::text::find::folded;

use super::catalogue::Entry;
use super::summary::Party;

/// Octets of a search.
const QUERY_MAX: usize = 4096;
/// Words of one.
const TERMS_MAX: usize = 64;
/// Words with a meaning, for who wrote another one.
const IS: &str = "is:read, is:unread and is:tagged";
const HAS: &str = "has:attachment and has:inline";

/// A search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    terms: Vec<Term>,
    /// Texts that must stand, or must not, in what people read of the message; folded.
    words: Vec<(bool, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    wanted: bool,
    key: Key,
}

/// What one word asks; texts are folded.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Key {
    From(String),
    To(String),
    Cc(String),
    Bcc(String),
    ReplyTo(String),
    Addressed(String),
    Subject(String),
    MessageId(String),
    Tag(String),
    After(u64),
    Before(u64),
    Larger(u64),
    Smaller(u64),
    Read,
    Unread,
    Tagged,
    Attachment,
    Inline,
}

impl Query {
    /// Reads a search; days are those of this zone.
    ///
    /// # Errors
    /// What word is wrong, and what may stand there.
    pub(super) fn read(text: &str, zone: &str) -> Result<Self, String> {
        if text.len() > QUERY_MAX {
            return Err(format!("query: at most {QUERY_MAX} octets"));
        }
        let zone = zone_of(zone)?;
        let (mut terms, mut words) = (Vec::new(), Vec::new());
        for word in split(text) {
            if terms.len() + words.len() >= TERMS_MAX {
                return Err(format!("query: at most {TERMS_MAX} words"));
            }
            match key(&word, zone)? {
                Some(key) => terms.push(Term { wanted: word.wanted, key }),
                None => words.push((word.wanted, folded(&[&word.key[..], &word.value].concat()))),
            }
        }
        Ok(Self { terms, words })
    }

    /// Whether it asks for nothing, which holds of everything.
    pub(super) fn is_empty(&self) -> bool {
        self.terms.is_empty() && self.words.is_empty()
    }

    /// Whether a message fits as far as lists know.
    pub(super) fn holds(&self, entry: &Entry) -> bool {
        self.terms.iter().all(|term| term.key.holds(entry) == term.wanted)
    }

    /// Whether the texts must be looked at, too.
    pub(super) fn has_words(&self) -> bool {
        !self.words.is_empty()
    }

    /// Whether it fits by its texts, which are folded.
    pub(super) fn fits(&self, texts: &str) -> bool {
        self.words.iter().all(|(wanted, word)| texts.contains(&word[..]) == *wanted)
    }
}

impl Key {
    fn holds(&self, entry: &Entry) -> bool {
        let summary = &*entry.summary;
        let any = |parties: &[Party], needle: &str| parties.iter().any(|party| party.has(needle));
        match self {
            Self::From(text) => summary.from.as_ref().is_some_and(|from| from.has(text)),
            Self::To(text) => any(&summary.to, text),
            Self::Cc(text) => any(&summary.cc, text),
            Self::Bcc(text) => any(&entry.blind(), text),
            Self::ReplyTo(text) => any(&summary.reply_to, text),
            Self::Addressed(text) => {
                summary.everybody().any(|party| party.has(text)) || any(&entry.blind(), text)
            }
            Self::Subject(text) => folded(&summary.subject).contains(&text[..]),
            Self::MessageId(text) => folded(&summary.message_id).contains(&text[..]),
            Self::Tag(text) => entry.tags().into_iter().any(|tag| folded(tag) == *text),
            Self::After(ms) => summary.came_ms >= *ms,
            Self::Before(ms) => summary.came_ms < *ms,
            Self::Larger(size) => summary.size > *size,
            Self::Smaller(size) => summary.size < *size,
            Self::Read => entry.is_read(),
            Self::Unread => !entry.is_read(),
            Self::Tagged => !entry.tags().is_empty(),
            Self::Attachment => summary.files > 0,
            Self::Inline => summary.has_inline,
        }
    }
}

/// `key:value` as it was typed; without a key, all is value.
#[derive(Debug, Default)]
struct Word {
    wanted: bool,
    /// With its colon.
    key: String,
    value: String,
}

/// The words of a text; what is in quotes is one, with what stands before it.
fn split(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let denied = rest.strip_prefix(['-', '!']);
        let mut word = Word { wanted: denied.is_none(), ..Word::default() };
        let (mut quoted, mut was_quoted, mut end) = (false, false, rest.len());
        for (at, c) in rest.char_indices().skip(usize::from(denied.is_some())) {
            match c {
                '"' => {
                    quoted = !quoted;
                    was_quoted = true;
                }
                c if c.is_whitespace() && !quoted => {
                    end = at;
                    break;
                }
                // What is in quotes is no key.
                ':' if !was_quoted && word.key.is_empty() => {
                    word.key = std::mem::take(&mut word.value) + ":";
                }
                c => word.value.push(c),
            }
        }
        rest = rest[end..].trim_start();
        if !word.key.is_empty() || !word.value.is_empty() {
            words.push(word);
        }
    }
    words
}

/// None: it is a text.
fn key(word: &Word, zone: i64) -> Result<Option<Key>, String> {
    let value = word.value.trim();
    let text = || folded(value);
    let unknown = |known: &str| format!("query: {}{value}: there are {known}", word.key);
    let day = || {
        day(value, zone).ok_or_else(|| {
            format!(
                "query: {}{value}: expected a day such as 2026-11-27, or 2026-11-27 14:05",
                word.key
            )
        })
    };
    let size = || {
        size(value).ok_or_else(|| {
            format!("query: {}{value}: expected octets, or a number with K, M or G", word.key)
        })
    };
    Ok(Some(match &word.key.to_ascii_lowercase()[..] {
        "from:" => Key::From(text()),
        "to:" => Key::To(text()),
        "cc:" => Key::Cc(text()),
        "bcc:" => Key::Bcc(text()),
        "reply-to:" => Key::ReplyTo(text()),
        "addressed:" => Key::Addressed(text()),
        "subject:" => Key::Subject(text()),
        "message-id:" => Key::MessageId(folded(value.trim_matches(['<', '>']))),
        "tag:" => Key::Tag(text()),
        "after:" => Key::After(day()?),
        "before:" => Key::Before(day()?),
        "larger:" => Key::Larger(size()?),
        "smaller:" => Key::Smaller(size()?),
        "is:" => match &value.to_ascii_lowercase()[..] {
            "read" => Key::Read,
            "unread" => Key::Unread,
            "tagged" => Key::Tagged,
            _ => return Err(unknown(IS)),
        },
        "has:" => match &value.to_ascii_lowercase()[..] {
            "attachment" | "attachments" => Key::Attachment,
            "inline" | "inlines" => Key::Inline,
            _ => return Err(unknown(HAS)),
        },
        _ => return Ok(None),
    }))
}

/// A moment in milliseconds since 1970 UTC: RFC 3339, or a day and perhaps a time of a zone.
fn day(text: &str, zone: i64) -> Option<u64> {
    let text = text.replace('/', "-").replacen(' ', "T", 1);
    if let Some(moment) = parse_timestamp(text.as_bytes()) {
        return Some(moment);
    }
    let (day, time) = text.split_once('T').unwrap_or((&text, "00:00"));
    let seconds = if time.matches(':').count() == 1 { ":00" } else { "" };
    let local = parse_timestamp(format!("{day}T{time}{seconds}Z").as_bytes())?;
    u64::try_from(i64::try_from(local).ok()? - zone * 60_000).ok()
}

/// Minutes east of UTC.
fn zone_of(name: &str) -> Result<i64, String> {
    if matches!(name, "" | "UTC" | "Etc/UTC" | "GMT" | "Z") {
        return Ok(0);
    }
    let minutes = |text: &str| {
        let (hours, minutes) = text.split_once(':')?;
        let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
        ((0..=23).contains(&hours) && (0..=59).contains(&minutes)).then_some(hours * 60 + minutes)
    };
    let east = match name.split_at_checked(1) {
        Some(("+", rest)) => minutes(rest),
        Some(("-", rest)) => minutes(rest).map(|minutes| -minutes),
        _ => None,
    };
    east.ok_or_else(|| {
        format!(
            "tz: {name}: zones are not known by name here; give UTC or an offset such as +13:00"
        )
    })
}

/// Octets, as a number with or without a unit.
fn size(text: &str) -> Option<u64> {
    let text = text.to_ascii_lowercase();
    let text = text.trim_end_matches('b').trim_end_matches('i');
    let (number, shift) = match text.split_at_checked(text.len().checked_sub(1)?)? {
        (number, "k") => (number, 10),
        (number, "m") => (number, 20),
        (number, "g") => (number, 30),
        _ => (text, 0),
    };
    number.trim().parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::catalogue::Place;
    use super::super::summary::Summary;
    use super::*;

    fn entry() -> Entry {
        let party =
            |name: &str, address: &str| Party { name: name.into(), address: address.into() };
        let summary = Summary {
            from: Some(party("Alice Smith", "alice@crepes.fr")),
            to: vec![party("", "bob@hamburger.edu")],
            cc: vec![party("", "carol@hamburger.edu")],
            reply_to: vec![party("", "desk@crepes.fr")],
            subject: "Réset your password".into(),
            message_id: "1.2@crepes.fr".into(),
            came_ms: 1_767_603_600_000,
            size: 2048,
            files: 1,
            ..Summary::default()
        };
        let place = |account: &str, seen| Place {
            mailbox: 1,
            uid: 1,
            account: account.into(),
            seen,
            keywords: vec!["$Work".into(), "later".into()],
        };
        let places = vec![place("bob@hamburger.edu", true), place("eve@hamburger.edu", false)];
        Entry { id: 1, summary: Arc::new(summary), places }
    }

    #[test]
    fn words_hold_or_not() {
        let entry = entry();
        for holds in [
            "",
            "from:alice",
            "from:\"alice smith\"",
            "to:bob@hamburger.edu cc:CAROL",
            "bcc:eve -bcc:bob",
            "reply-to:desk",
            "addressed:desk addressed:eve addressed:alice",
            "subject:\"RÉSET your\"",
            "message-id:<1.2@crepes.fr>",
            "tag:later is:tagged -tag:$work",
            "after:2026-01-05 before:2026-01-06",
            "after:\"2026-01-05 09:00\"",
            "before:2026-01-05T09:00:01Z",
            "larger:2047 smaller:1M -larger:2k",
            "is:unread !is:read",
            "has:attachment -has:inline",
        ] {
            let query = Query::read(holds, "").unwrap_or_else(|error| panic!("{holds}: {error}"));
            assert!(query.holds(&entry), "{holds}");
            let denied = holds.split(' ').count() == 1 && !holds.is_empty();
            if denied {
                let query = Query::read(&format!("-{holds}"), "").expect("as before");
                assert!(!query.holds(&entry), "-{holds}");
            }
        }
        for not in
            ["from:bob", "to:eve", "tag:late", "after:2026-01-06", "smaller:2k", "has:inline"]
        {
            assert!(!Query::read(not, "").expect("it is right").holds(&entry), "{not}");
        }
    }

    #[test]
    fn days_are_those_of_the_zone() {
        assert_eq!(day("2026-01-05", 0), Some(1_767_571_200_000));
        assert_eq!(day("2026/01/05 13:00", 13 * 60), Some(1_767_571_200_000));
        assert_eq!(zone_of("-03:30"), Ok(-210));
        assert!(zone_of("Pacific/Auckland").is_err_and(|why| why.contains("+13:00")));
    }

    #[test]
    fn texts_are_what_no_key_stands_before() {
        let query = Query::read("hello -\"two words\" http://x/ re:", "").expect("it is right");
        assert!(query.has_words() && query.terms.is_empty());
        assert!(query.fits(&folded("Hello, see http://x/ re: two  words")));
        assert!(!query.fits(&folded("hello http://x/ re: two words")));
    }

    #[test]
    fn what_is_wrong_is_told_with_what_is_right() {
        for (text, wanted) in [
            ("is:red", "is:unread"),
            ("has:wings", "has:inline"),
            ("after:tomorrow", "2026-11-27"),
            ("larger:", "octets"),
            ("smaller:99999999999999999999", "octets"),
            ("larger:18446744073709551615g", "octets"),
        ] {
            let error = Query::read(text, "").expect_err(text);
            assert!(error.contains(wanted), "{error}");
        }
        assert!(Query::read(&"x ".repeat(65), "").is_err());
        assert!(Query::read(&"x".repeat(5000), "").is_err());
        for odd in ["\"", "-", "!", ":", "\"a:b\"", "from:", "-\"", "é:\"ü", "-é"] {
            Query::read(odd, "").unwrap_or_else(|error| panic!("{odd}: {error}"));
        }
    }
}
