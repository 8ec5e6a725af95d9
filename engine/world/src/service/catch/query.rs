//! Words of a test's search: those that Mailpit knows, so that what was written for it finds the same here.
//!
//! ```text
//! query = *( ["-" / "!"] ( word / DQUOTE phrase DQUOTE / name ":" ( word / DQUOTE phrase DQUOTE ) ) )
//! name  = "from" / "to" / "cc" / "bcc" / "reply-to" / "addressed" / "subject" / "message-id" / "tag" / "is" / "has"
//!       / "after" / "before" / "larger" / "smaller"
//! ```

use pillarbox_engine::imap::types::Row;
use pillarbox_engine::message::{Address, Envelope, Index};
use pillarbox_engine::text::date::days;
use pillarbox_engine::text::find::{contains, folded};
use pillarbox_engine::text::words;

use super::{Caught, attached};
use crate::service::web::list::{mailbox, people};
use crate::service::web::search::{WORDS_MAX, octets, terms};

const DAY_MS: u64 = 86_400_000;

/// A search that was understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    conditions: Vec<(bool, Condition)>,
}

/// One condition; texts are folded.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    /// An address or a name in one of these fields.
    People(&'static [Who], String),
    Subject(String),
    MessageId(String),
    /// Anywhere in header or text.
    Text(String),
    Tag(String),
    Tagged,
    Read,
    Attachment,
    Inline,
    /// From this moment on.
    After(u64),
    /// Before this moment.
    Before(u64),
    Larger(u64),
    Smaller(u64),
}

/// A field of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    From,
    To,
    Cc,
    Bcc,
    ReplyTo,
}

impl Who {
    fn of(self, envelope: &Envelope) -> &[Address] {
        match self {
            Self::From => &envelope.from,
            Self::To => &envelope.to,
            Self::Cc => &envelope.cc,
            Self::Bcc => &envelope.bcc,
            Self::ReplyTo => &envelope.reply_to,
        }
    }
}

impl Query {
    /// What words mean.
    ///
    /// # Errors
    /// What is not understood, in words.
    pub fn read(text: &str) -> Result<Self, String> {
        if text.len() > WORDS_MAX {
            return Err(format!("query: at most {WORDS_MAX} octets"));
        }
        let conditions =
            terms(text).into_iter().map(|(not, name, value)| Ok((not, condition(&name, &value)?)));
        Ok(Self { conditions: conditions.collect::<Result<_, String>>()? })
    }

    /// Exactly this recipient, or this subject: what a test waits for is no other's.
    #[must_use]
    pub fn is_to(index: &Index, caught: &Caught, to: &str) -> bool {
        let named = [Who::To, Who::Cc, Who::Bcc].into_iter();
        let mut named = named.flat_map(|who| people(who.of(&index.envelope)));
        named.any(|address| mailbox(address).eq_ignore_ascii_case(to))
            || caught.accounts.iter().any(|account| account.eq_ignore_ascii_case(to.as_bytes()))
    }

    /// Whether texts are looked for, so that they must be read.
    pub(super) fn has_texts(&self) -> bool {
        self.conditions.iter().any(|(_, condition)| matches!(condition, Condition::Text(_)))
    }

    /// Whether what is known of a message without reading it is as it should be.
    pub(super) fn says_head(&self, row: &Row, index: &Index) -> bool {
        self.conditions
            .iter()
            .all(|(not, condition)| condition.says_head(row, index).is_none_or(|is| is != *not))
    }

    /// Whether its texts, folded, say what they should.
    pub(super) fn says_texts(&self, text: &str) -> bool {
        self.conditions.iter().all(|(not, condition)| match condition {
            Condition::Text(needle) => contains(text, needle) != *not,
            _ => true,
        })
    }

    /// Whether what concerns all its copies is as it should be.
    pub(super) fn fits(&self, caught: &Caught) -> bool {
        self.conditions.iter().all(|(not, condition)| {
            let is = match condition {
                Condition::Read => caught.read,
                Condition::Tagged => caught.keywords.iter().any(|word| is_tag(word)),
                Condition::Tag(tag) => {
                    caught.keywords.iter().any(|word| word.eq_ignore_ascii_case(tag.as_bytes()))
                }
                _ => return true,
            };
            is != *not
        })
    }
}

/// Whether a keyword is somebody's own, and none that programs agreed on (RFC 9051 §2.3.2).
pub(super) fn is_tag(keyword: &[u8]) -> bool {
    !keyword.starts_with(b"$")
}

fn condition(name: &str, value: &str) -> Result<Condition, String> {
    use Condition::{After, Before, Larger, MessageId, People, Smaller, Subject, Text};
    const ALL: &[Who] = &[Who::From, Who::To, Who::Cc, Who::Bcc, Who::ReplyTo];
    let text = || folded(value);
    let size = || octets(value).ok_or(format!("{name}: expected a size, such as 200k or 3M"));
    Ok(match name {
        "" => Text(text()),
        "from" => People(&[Who::From], text()),
        "to" => People(&[Who::To], text()),
        "cc" => People(&[Who::Cc], text()),
        "bcc" => People(&[Who::Bcc], text()),
        "reply-to" => People(&[Who::ReplyTo], text()),
        "addressed" => People(ALL, text()),
        "subject" => Subject(text()),
        "message-id" => MessageId(folded(value.trim_matches(['<', '>']))),
        "tag" => Condition::Tag(value.to_owned()),
        "is" => match value {
            "read" => Condition::Read,
            "tagged" => Condition::Tagged,
            "unread" => return Err("is:unread is written -is:read".to_owned()),
            _ => return Err(format!("is: expected read, unread or tagged, not {value}")),
        },
        "has" => match value {
            "attachment" | "attachments" => Condition::Attachment,
            "inline" | "inlines" => Condition::Inline,
            _ => return Err(format!("has: expected attachment or inline, not {value}")),
        },
        "after" => After(moment(name, value)?),
        "before" => Before(moment(name, value)?),
        "larger" => Larger(size()?),
        "smaller" => Smaller(size()?),
        // A word with a colon is a word.
        _ => Text(folded(&format!("{name}:{value}"))),
    })
}

/// `2026-11-27`, with a time of day behind it if need be: `2026-11-27 10:30`, in UTC.
fn moment(name: &str, text: &str) -> Result<u64, String> {
    let wrong = || format!("{name}: expected a day, such as 2026-11-27, or \"2026-11-27 10:30\"");
    let (day, time) = text.split_once([' ', 'T']).unwrap_or((text, "00:00"));
    let numbers = |text: &str, by: char| -> Option<Vec<u32>> {
        text.split(by).map(|part| part.parse().ok()).collect()
    };
    let (day, time) = (numbers(day, '-'), numbers(time.trim_end_matches('Z'), ':'));
    let (Some(day), Some(time)) = (day, time) else { return Err(wrong()) };
    let (&[year, month, day], &[hour, minute, ..]) = (&day[..], &time[..]) else {
        return Err(wrong());
    };
    let is_day =
        (1970..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !is_day || hour > 23 || minute > 59 {
        return Err(wrong());
    }
    let days = days(i64::from(year), month as u8, day as u8);
    let days = u64::try_from(days).map_err(|_| wrong())?;
    Ok(days * DAY_MS + u64::from(hour * 60 + minute) * 60_000)
}

impl Condition {
    /// None: it is not about this.
    fn says_head(&self, row: &Row, index: &Index) -> Option<bool> {
        let envelope = &index.envelope;
        Some(match self {
            Self::People(fields, needle) => fields.iter().any(|who| {
                people(who.of(envelope)).any(|address| {
                    let name = address.name.as_deref().map(words::decode).unwrap_or_default();
                    contains(&folded(&format!("{name} <{}>", mailbox(address))), needle)
                })
            }),
            Self::Subject(needle) => {
                let subject = envelope.subject.as_deref().map(words::decode).unwrap_or_default();
                contains(&folded(&subject), needle)
            }
            Self::MessageId(needle) => {
                let id = envelope.message_id.as_deref().map(String::from_utf8_lossy);
                contains(&folded(&id.unwrap_or_default()), needle)
            }
            Self::Attachment => attached(index).iter().any(|file| !file.inline),
            Self::Inline => attached(index).iter().any(|file| file.inline),
            Self::After(ms) => row.internal_date_ms >= *ms,
            Self::Before(ms) => row.internal_date_ms < *ms,
            Self::Larger(size) => row.size > *size,
            Self::Smaller(size) => row.size < *size,
            Self::Text(_) | Self::Tag(_) | Self::Tagged | Self::Read => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_conditions() {
        let read = |text: &str| Query::read(text).map(|query| query.conditions);
        assert_eq!(
            read(r#"from:bob -subject:"two words" hello"#),
            Ok(vec![
                (false, Condition::People(&[Who::From], "bob".to_owned())),
                (true, Condition::Subject("two words".to_owned())),
                (false, Condition::Text("hello".to_owned())),
            ])
        );
        assert_eq!(read("larger:2k"), Ok(vec![(false, Condition::Larger(2048))]));
        assert_eq!(read("after:1970-01-02"), Ok(vec![(false, Condition::After(DAY_MS))]));
        assert_eq!(
            read(r#"before:"1970-01-01 01:01""#),
            Ok(vec![(false, Condition::Before(3_660_000))])
        );
        assert_eq!(read("!is:read"), Ok(vec![(true, Condition::Read)]));
        assert_eq!(read("http://x"), Ok(vec![(false, Condition::Text("http://x".to_owned()))]));
        for wrong in ["larger:much", "is:odd", "has:wings", "after:tomorrow", "before:2026-13-01"] {
            let why = read(wrong).expect_err(wrong);
            assert!(why.contains("expected"), "{why}");
        }
        assert!(read(&"x".repeat(WORDS_MAX + 1)).is_err());
    }
}
