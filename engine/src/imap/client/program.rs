//! Search programs (postfix, as the host gives them) as the keys of SEARCH, SORT and THREAD (RFC 9051 §6.4.4).
//! The stack is ours, so no depth of a program costs machine stack.

use alloc::format;
use alloc::vec::Vec;

use super::command::{right_set, right_text};
use super::line::Line;
use super::offer::Offered;
use super::wording::put_set;
use crate::imap::types::{HeaderKey, SearchKey};
use crate::text::date::{civil, month_name};

/// Keys of one search. A line of them must fit what servers take.
const KEYS_MAX: usize = 500;

/// What a search says.
pub(super) struct Program {
    pub(super) keys: Line,
    /// Whether a text is not ASCII.
    pub(super) utf8: bool,
}

/// Why a program cannot be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It is none.
    Program,
    /// The server does not offer a key of it.
    Unsupported,
}

/// Whether it is a program with right values.
pub(super) fn is_right(keys: &[SearchKey]) -> bool {
    program(keys, &Offered::everything()).is_ok()
}

/// Whether some key of it is to be met nearly only (RFC 6203).
pub(super) fn is_fuzzy(keys: &[SearchKey]) -> bool {
    let fuzzy = |key: &SearchKey| {
        matches!(key, SearchKey::FuzzyHeader(_) | SearchKey::FuzzyBody(_) | SearchKey::FuzzyText(_))
    };
    keys.iter().any(fuzzy)
}

/// Turns a program round.
pub(super) fn program(keys: &[SearchKey], offered: &Offered) -> Result<Program, Wrong> {
    if keys.is_empty() || keys.len() > KEYS_MAX {
        return Err(Wrong::Program);
    }
    let mut stack: Vec<Line> = Vec::new();
    let mut utf8 = false;
    for key in keys {
        let line = match key {
            SearchKey::Not => {
                let inner = stack.pop().ok_or(Wrong::Program)?;
                joined("NOT ", [inner], "")
            }
            SearchKey::Or => {
                let (right, left) = (stack.pop(), stack.pop());
                let (Some(right), Some(left)) = (right, left) else { return Err(Wrong::Program) };
                joined("OR ", [left, right], "")
            }
            SearchKey::And(count) => {
                let count = *count as usize;
                if count == 0 || count > stack.len() {
                    return Err(Wrong::Program);
                }
                joined("(", stack.split_off(stack.len() - count), ")")
            }
            leaf => {
                let (line, text) = one(leaf, offered)?;
                utf8 |= text;
                line
            }
        };
        stack.push(line);
    }
    let keys = stack.pop().filter(|_| stack.is_empty()).ok_or(Wrong::Program)?;
    Ok(Program { keys, utf8 })
}

fn joined(before: &str, parts: impl IntoIterator<Item = Line>, after: &str) -> Line {
    let mut line = Line::new(before);
    for (at, part) in parts.into_iter().enumerate() {
        if at > 0 {
            line.text(b" ");
        }
        line.append(part);
    }
    line.text(after.as_bytes());
    line
}

/// A key that stands alone, and whether its text is not ASCII.
fn one(key: &SearchKey, offered: &Offered) -> Result<(Line, bool), Wrong> {
    let needs = |name: &str| if offered.has(name) { Ok(()) } else { Err(Wrong::Unsupported) };
    let word = |name: &str, value: u64| Line::new(&format!("{name} {value}"));
    let day = |name: &str, days: i32| {
        let date = civil(i64::from(days));
        let (day, month, year) = (date.day, month_name(date.month), date.year);
        let right = (0..=9999).contains(&year);
        right.then(|| Line::new(&format!("{name} {day}-{month}-{year:04}"))).ok_or(Wrong::Program)
    };
    let line = match key {
        SearchKey::All => Line::new("ALL"),
        SearchKey::Flags(bits) => flags(*bits)?,
        SearchKey::Keyword(keyword) => {
            if !is_keyword(keyword) {
                return Err(Wrong::Program);
            }
            let mut line = Line::new("KEYWORD ");
            line.text(keyword);
            line
        }
        SearchKey::Uids(uids) => {
            if !right_set(uids) {
                return Err(Wrong::Program);
            }
            let mut line = Line::new("UID ");
            put_set(&mut line, uids);
            line
        }
        SearchKey::Larger(size) => word("LARGER", *size),
        SearchKey::Smaller(size) => word("SMALLER", *size),
        SearchKey::Before(days) => day("BEFORE", *days)?,
        SearchKey::On(days) => day("ON", *days)?,
        SearchKey::Since(days) => day("SINCE", *days)?,
        SearchKey::SentBefore(days) => day("SENTBEFORE", *days)?,
        SearchKey::SentOn(days) => day("SENTON", *days)?,
        SearchKey::SentSince(days) => day("SENTSINCE", *days)?,
        SearchKey::Header(HeaderKey { name, text }) => {
            if !is_keyword(name) {
                return Err(Wrong::Program);
            }
            let mut line = Line::new("HEADER ");
            line.string(name, false);
            line.text(b" ");
            return with_text(line, text, offered);
        }
        SearchKey::Body(text) => return with_text(Line::new("BODY "), text, offered),
        SearchKey::Text(text) => return with_text(Line::new("TEXT "), text, offered),
        SearchKey::FuzzyHeader(HeaderKey { name, text }) => {
            needs("SEARCH=FUZZY")?;
            if !is_keyword(name) {
                return Err(Wrong::Program);
            }
            let mut line = Line::new("FUZZY HEADER ");
            line.string(name, false);
            line.text(b" ");
            return with_text(line, text, offered);
        }
        SearchKey::FuzzyBody(text) => {
            needs("SEARCH=FUZZY")?;
            return with_text(Line::new("FUZZY BODY "), text, offered);
        }
        SearchKey::FuzzyText(text) => {
            needs("SEARCH=FUZZY")?;
            return with_text(Line::new("FUZZY TEXT "), text, offered);
        }
        SearchKey::Modseq(modseq) => {
            needs("CONDSTORE")?;
            word("MODSEQ", *modseq)
        }
        SearchKey::Younger(seconds) => {
            needs("WITHIN")?;
            word("YOUNGER", u64::from((*seconds).max(1)))
        }
        SearchKey::Older(seconds) => {
            needs("WITHIN")?;
            word("OLDER", u64::from((*seconds).max(1)))
        }
        SearchKey::SavedBefore(days) => {
            needs("SAVEDATE")?;
            day("SAVEDBEFORE", *days)?
        }
        SearchKey::SavedOn(days) => {
            needs("SAVEDATE")?;
            day("SAVEDON", *days)?
        }
        SearchKey::SavedSince(days) => {
            needs("SAVEDATE")?;
            day("SAVEDSINCE", *days)?
        }
        // The octets of a message in the host's own store are nothing to another server.
        SearchKey::EmailId(_) => return Err(Wrong::Program),
        SearchKey::Not | SearchKey::Or | SearchKey::And(_) => return Err(Wrong::Program),
    };
    Ok((line, false))
}

fn with_text(mut line: Line, text: &[u8], offered: &Offered) -> Result<(Line, bool), Wrong> {
    if !right_text(text) || core::str::from_utf8(text).is_err() {
        return Err(Wrong::Program);
    }
    line.string(text, offered.utf8);
    Ok((line, !text.is_ascii()))
}

fn flags(bits: u8) -> Result<Line, Wrong> {
    let names = ["ANSWERED", "FLAGGED", "DELETED", "SEEN", "DRAFT"];
    if bits == 0 || bits >= 1 << names.len() {
        return Err(Wrong::Program);
    }
    let set = names.iter().enumerate().filter(|(at, _)| bits & 1 << at != 0);
    let lines: Vec<Line> = set.map(|(_, name)| Line::new(name)).collect();
    Ok(if lines.len() == 1 { joined("", lines, "") } else { joined("(", lines, ")") })
}

/// `atom`
pub(super) fn is_keyword(word: &[u8]) -> bool {
    let special = |octet: &u8| b"(){%*\"\\]".contains(octet);
    (1..=250).contains(&word.len())
        && word.iter().all(|octet| octet.is_ascii_graphic() && !special(octet))
}

#[cfg(test)]
mod tests {
    use super::super::line::Segment;
    use super::*;
    use crate::imap::types::UidRun;

    fn said(keys: &[SearchKey]) -> Result<alloc::string::String, Wrong> {
        let program = program(keys, &Offered::everything())?;
        let mut out = Vec::new();
        for segment in program.keys.segments {
            match segment {
                Segment::Octets(octets) => out.extend(octets),
                Segment::Literal { octets, .. } => out.extend([&b"~"[..], &octets].concat()),
                other => panic!("{other:?}"),
            }
        }
        Ok(alloc::string::String::from_utf8(out).expect("text"))
    }

    #[test]
    fn programs_are_turned_round() {
        use SearchKey::{All, And, Flags, Keyword, Larger, Not, Or, Since, Text, Uids};
        assert_eq!(said(&[All]).as_deref(), Ok("ALL"));
        assert_eq!(said(&[Flags(8), Not]).as_deref(), Ok("NOT SEEN"));
        assert_eq!(said(&[Flags(9)]).as_deref(), Ok("(ANSWERED SEEN)"));
        let runs = alloc::vec![UidRun { first: 1, last: 3 }, UidRun { first: 9, last: u32::MAX }];
        let keys = [Larger(5), Text(b"a\"b".to_vec()), Or, Since(20_458), Uids(runs), And(3), Not];
        assert_eq!(
            said(&keys).as_deref(),
            Ok("NOT (OR LARGER 5 TEXT \"a\\\"b\" SINCE 5-Jan-2026 UID 1:3,9:*)")
        );
        assert_eq!(said(&[Text(b"a\nb".to_vec())]).as_deref(), Ok("TEXT ~a\nb"));
        let wrong: [&[SearchKey]; 8] = [
            &[],
            &[Not],
            &[All, Or],
            &[All, All],
            &[And(1)],
            &[All, And(0)],
            &[Keyword(b"a b".to_vec())],
            &[Flags(0)],
        ];
        for keys in wrong {
            assert_eq!(said(keys), Err(Wrong::Program), "{keys:?}");
        }
        let deep: Vec<SearchKey> = core::iter::once(All).chain((0..499).map(|_| Not)).collect();
        assert!(said(&deep).is_ok());
    }
}
