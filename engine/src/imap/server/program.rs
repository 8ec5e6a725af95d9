//! A SEARCH as a program in postfix order (RFC 9051 §6.4.4), evaluated with what is known of a
//! message so far: cheap knowledge first, and no dear key is looked at once the cheap ones have
//! decided.

use alloc::vec::Vec;

use super::reply::Reply;
use super::resolve;
use super::runs::Runs;
use super::state::Selected;
use crate::imap::grammar::Key;
use crate::imap::types::{Flags, HeaderKey, Row, SearchKey, UidRun};
use crate::message::texts::address_text;
use crate::message::{Addresses, Head};
use crate::text::address::ADDRESSES_MAX;
use crate::text::{find, fuzzy, words};

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// Runs of all sets of one program together.
const PROGRAM_RUNS_MAX: usize = 32_768;

/// What a program is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum For {
    /// The messages that are there now.
    Now,
    /// It is evaluated again later, when other messages are there.
    Later,
}

/// The program with its sets as UIDs, or why it cannot be.
pub(crate) fn compile(
    open: &Selected,
    keys: Vec<Key>,
    purpose: For,
) -> Result<Vec<SearchKey>, Reply> {
    let mut left = PROGRAM_RUNS_MAX;
    let mut set = |uids: Runs| {
        if purpose != For::Later && uids == *open.view.uids() {
            return Ok(SearchKey::All);
        }
        // Each set may have as many runs as the mailbox, and there may be thousands of sets.
        left = left.checked_sub(uids.as_slice().len()).ok_or(TOO_MUCH)?;
        Ok(SearchKey::Uids(uids.into_vec()))
    };
    let keys = keys.into_iter().filter(|key| *key != Key::Fuzzy);
    let compiled = keys.map(|key| {
        Ok(match key {
            Key::All => SearchKey::All,
            Key::System(bits) => SearchKey::Flags(bits),
            Key::Recent => set(open.view.recent().common(open.view.uids()))?,
            Key::Keyword(keyword) => SearchKey::Keyword(keyword),
            Key::Numbers(numbers) => set(resolve::numbers_there(open, &numbers))?,
            Key::Uids(uids) => set(resolve::uids(open, &uids))?,
            Key::Larger(size) => SearchKey::Larger(size),
            Key::Smaller(size) => SearchKey::Smaller(size),
            Key::Before(day) => SearchKey::Before(day),
            Key::On(day) => SearchKey::On(day),
            Key::Since(day) => SearchKey::Since(day),
            Key::SentBefore(day) => SearchKey::SentBefore(day),
            Key::SentOn(day) => SearchKey::SentOn(day),
            Key::SentSince(day) => SearchKey::SentSince(day),
            Key::Header(name, text) => SearchKey::Header(HeaderKey { name, text }),
            Key::Body(text) => SearchKey::Body(text),
            Key::Text(text) => SearchKey::Text(text),
            Key::FuzzyHeader(name, text) => SearchKey::FuzzyHeader(HeaderKey { name, text }),
            Key::FuzzyBody(text) => SearchKey::FuzzyBody(text),
            Key::FuzzyText(text) => SearchKey::FuzzyText(text),
            Key::Fuzzy => SearchKey::All,
            Key::Modseq(modseq) => SearchKey::Modseq(modseq),
            Key::Younger(seconds) => SearchKey::Younger(seconds),
            Key::Older(seconds) => SearchKey::Older(seconds),
            Key::SavedBefore(day) => SearchKey::SavedBefore(day),
            Key::SavedOn(day) => SearchKey::SavedOn(day),
            Key::SavedSince(day) => SearchKey::SavedSince(day),
            Key::SaveDateSupported => SearchKey::All,
            Key::EmailId(Some(blob)) => SearchKey::EmailId(blob),
            // RFC 8474 §5.2: without thread identifiers no message has one.
            Key::EmailId(None) | Key::ThreadId => SearchKey::Uids(Vec::new()),
            Key::Not => SearchKey::Not,
            Key::Or => SearchKey::Or,
            Key::And(count) => SearchKey::And(count),
        })
    });
    compiled.collect()
}

const TOO_MUCH: Reply = Reply::no("LIMIT", "Too many messages are named one by one");

/// Whether a program has a key that only rows answer, and one that rows do not.
pub(crate) fn kinds(program: &[SearchKey]) -> (bool, bool) {
    let is_row = |key: &SearchKey| {
        !is_join(key) && !matches!(key, SearchKey::All | SearchKey::Uids(_)) && !is_dear(key)
    };
    (program.iter().any(is_row), program.iter().any(is_dear))
}

fn is_join(key: &SearchKey) -> bool {
    matches!(key, SearchKey::Not | SearchKey::Or | SearchKey::And(_))
}

/// Whether the index or octets of the message are needed.
fn is_dear(key: &SearchKey) -> bool {
    matches!(
        key,
        SearchKey::SentBefore(_)
            | SearchKey::SentOn(_)
            | SearchKey::SentSince(_)
            | SearchKey::Header(_)
            | SearchKey::Body(_)
            | SearchKey::Text(_)
            | SearchKey::FuzzyHeader(_)
            | SearchKey::FuzzyBody(_)
            | SearchKey::FuzzyText(_)
    )
}

/// The messages that may match by UID alone, and whether they surely do.
pub(crate) fn candidates(program: &[SearchKey], all: &Runs) -> (Runs, bool) {
    // `None` is every message: one that stands for all of them costs nothing.
    let mut stack: Vec<(Option<Runs>, bool)> = Vec::new();
    for key in program {
        let next = match key {
            SearchKey::Uids(runs) => (Some(Runs::from_unsorted(runs.clone())), true),
            SearchKey::Not => match stack.pop() {
                Some((Some(uids), true)) => (Some(all.without(&uids)), true),
                Some((None, true)) => (Some(Runs::new()), true),
                _ => (None, false),
            },
            SearchKey::Or => match (stack.pop(), stack.pop()) {
                (Some((Some(mut uids), a)), Some((Some(other), b))) => {
                    uids.add(&other);
                    (Some(uids), a && b)
                }
                (Some((a, sure)), Some((b, also))) => {
                    (None, (a.is_none() && sure) || (b.is_none() && also))
                }
                _ => (None, false),
            },
            SearchKey::And(count) => {
                let from = stack.len().saturating_sub(*count as usize);
                let every: (Option<Runs>, bool) = (None, true);
                stack.drain(from..).fold(every, |(uids, sure), (other, also)| {
                    let uids = match (uids, other) {
                        (Some(uids), Some(other)) => Some(uids.common(&other)),
                        (uids, other) => uids.or(other),
                    };
                    (uids, sure && also)
                })
            }
            key => (None, matches!(key, SearchKey::All)),
        };
        stack.push(next);
    }
    let (uids, sure) = stack.pop().unwrap_or_default();
    (uids.map_or_else(|| all.clone(), |uids| uids.common(all)), sure)
}

/// Whether a message matches, as far as its keys are known; `leaf` answers for each that is no
/// join.
pub(crate) fn evaluate(
    program: &[SearchKey],
    mut leaf: impl FnMut(usize, &SearchKey) -> Option<bool>,
) -> Option<bool> {
    let mut stack: Vec<Option<bool>> = Vec::new();
    for (at, key) in program.iter().enumerate() {
        let next = match key {
            SearchKey::Not => stack.pop().flatten().map(|known| !known),
            SearchKey::Or => {
                let (b, a) = (stack.pop().flatten(), stack.pop().flatten());
                either(a, b)
            }
            SearchKey::And(count) => {
                let from = stack.len().saturating_sub(*count as usize);
                stack.drain(from..).fold(Some(true), both)
            }
            key => leaf(at, key),
        };
        stack.push(next);
    }
    stack.pop().flatten()
}

fn either(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        _ => None,
    }
}

fn both(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    either(a.map(|a| !a), b.map(|b| !b)).map(|none| !none)
}

/// What a row says of a key at a moment; `None` if it does not say.
pub(crate) fn by_row(row: &Row, key: &SearchKey, now_ms: u64) -> Option<bool> {
    let received_ms = i64::try_from(row.internal_date_ms).unwrap_or(i64::MAX);
    let day = || local_day(received_ms, row.internal_date_zone);
    let saved = || local_day(i64::try_from(row.save_date_ms).unwrap_or(i64::MAX), 0);
    // RFC 5032 §3: both take in the moment itself.
    let mark = |seconds: u32| now_ms.saturating_sub(u64::from(seconds) * 1000);
    Some(match key {
        SearchKey::All => true,
        SearchKey::Flags(bits) => row.flags.system & bits == *bits,
        SearchKey::Keyword(keyword) => has_keyword(&row.flags, keyword),
        SearchKey::Uids(runs) => contains(runs, row.uid),
        SearchKey::Modseq(modseq) => row.modseq >= *modseq,
        SearchKey::Younger(seconds) => row.internal_date_ms >= mark(*seconds),
        SearchKey::Older(seconds) => row.internal_date_ms <= mark(*seconds),
        SearchKey::SavedBefore(wanted) => saved() < i64::from(*wanted),
        SearchKey::SavedOn(wanted) => saved() == i64::from(*wanted),
        SearchKey::SavedSince(wanted) => saved() >= i64::from(*wanted),
        SearchKey::EmailId(blob) => row.blob == *blob,
        SearchKey::Larger(size) => row.size > *size,
        SearchKey::Smaller(size) => row.size < *size,
        SearchKey::Before(wanted) => day() < i64::from(*wanted),
        SearchKey::On(wanted) => day() == i64::from(*wanted),
        SearchKey::Since(wanted) => day() >= i64::from(*wanted),
        _ => return None,
    })
}

fn has_keyword(flags: &Flags, keyword: &[u8]) -> bool {
    flags.keywords.iter().any(|own| own.eq_ignore_ascii_case(keyword))
}

fn contains(runs: &[UidRun], uid: u32) -> bool {
    let at = runs.partition_point(|run| run.last < uid);
    runs.get(at).is_some_and(|run| run.first <= uid)
}

/// The day that the calendar of a zone shows: dates are compared without time and zone (RFC 9051
/// §6.4.4).
fn local_day(unix_ms: i64, zone: i16) -> i64 {
    unix_ms.saturating_add(i64::from(zone) * 60_000).div_euclid(DAY_MS)
}

/// What a row and the head of an index say of a key.
pub(crate) fn by_head(row: &Row, head: &Head<'_>, key: &SearchKey, now_ms: u64) -> Option<bool> {
    let day = || head.sent.map(|(ms, zone)| local_day(ms, zone));
    Some(match key {
        // A message without a date that can be read was sent on no day.
        SearchKey::SentBefore(wanted) => day().is_some_and(|day| day < i64::from(*wanted)),
        SearchKey::SentOn(wanted) => day().is_some_and(|day| day == i64::from(*wanted)),
        SearchKey::SentSince(wanted) => day().is_some_and(|day| day >= i64::from(*wanted)),
        SearchKey::Header(header) => return by_envelope(head, header),
        SearchKey::FuzzyHeader(header) => {
            return fuzzily_by_envelope(head, header).map(|score| score.is_some());
        }
        key => return by_row(row, key, now_ms),
    })
}

/// Fields that the envelope holds whole; `None` for any other.
fn by_envelope(head: &Head<'_>, key: &HeaderKey) -> Option<bool> {
    let needle = find::folded(&alloc::string::String::from_utf8_lossy(&key.text));
    let list = |mut list: Addresses<'_>| {
        let mut seen = 0;
        let found = list.any(|address| {
            seen += 1;
            find::contains(&address_text(address), &needle)
        });
        // A longer list is not kept whole, and the field itself is asked.
        (found || seen < ADDRESSES_MAX).then_some(found)
    };
    match &key.name.to_ascii_uppercase()[..] {
        b"FROM" => list(head.from),
        b"TO" => list(head.to),
        b"CC" => list(head.cc),
        b"BCC" => list(head.bcc),
        b"SUBJECT" => {
            Some(head.subject.is_some_and(|value| find::contains(&words::decode(value), &needle)))
        }
        _ => None,
    }
}

/// As `by_envelope`, fuzzily: how well it fits.
pub(crate) fn fuzzily_by_envelope(head: &Head<'_>, key: &HeaderKey) -> Option<Option<u8>> {
    let list = |list: Addresses<'_>| {
        list.filter_map(|address| fuzzy::score(&key.text, &address_text(address))).max()
    };
    Some(match &key.name.to_ascii_uppercase()[..] {
        b"FROM" => list(head.from),
        b"TO" => list(head.to),
        b"CC" => list(head.cc),
        b"BCC" => list(head.bcc),
        b"SUBJECT" => {
            let subject = head.subject.map(words::decode);
            subject.and_then(|subject| fuzzy::score(&key.text, &subject))
        }
        _ => return None,
    })
}

/// Whether a key is one whose matches are better or worse.
pub(crate) const fn is_fuzzy(key: &SearchKey) -> bool {
    matches!(key, SearchKey::FuzzyHeader(_) | SearchKey::FuzzyBody(_) | SearchKey::FuzzyText(_))
}

/// How well a message that matches does so (RFC 6203 §4): the mean of what is joined, the best of what stands for another;
/// `None` where nothing fuzzy has a part in it. `leaf` says of each key whether it matches, and how well.
pub(crate) fn relevancy(
    program: &[SearchKey],
    mut leaf: impl FnMut(usize, &SearchKey) -> (bool, Option<u8>),
) -> Option<u8> {
    let mut stack: Vec<(bool, Option<u8>)> = Vec::new();
    for (at, key) in program.iter().enumerate() {
        let next = match key {
            SearchKey::Not => (!stack.pop().unwrap_or_default().0, None),
            SearchKey::Or => {
                let pair = [stack.pop().unwrap_or_default(), stack.pop().unwrap_or_default()];
                let matching = pair.iter().filter(|(matches, _)| *matches);
                (pair.iter().any(|(matches, _)| *matches), matching.filter_map(|(_, s)| *s).max())
            }
            SearchKey::And(count) => {
                let from = stack.len().saturating_sub(*count as usize);
                let parts: Vec<(bool, Option<u8>)> = stack.drain(from..).collect();
                let scores = parts.iter().filter_map(|(_, score)| *score);
                let (sum, many) =
                    scores.fold((0, 0), |(sum, many), s| (sum + u32::from(s), many + 1));
                let mean = u8::try_from(sum.checked_div(many).unwrap_or(0)).ok();
                (parts.iter().all(|(matches, _)| *matches), mean.filter(|_| many > 0))
            }
            key => leaf(at, key),
        };
        stack.push(next);
    }
    stack.pop().unwrap_or_default().1
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn run(first: u32, last: u32) -> UidRun {
        UidRun { first, last }
    }

    #[test]
    fn what_is_unknown_matters_only_where_it_decides() {
        let program = vec![
            SearchKey::Flags(8),
            SearchKey::Body(vec![]),
            SearchKey::And(2),
            SearchKey::Flags(1),
            SearchKey::Not,
            SearchKey::Or,
        ];
        let known = |seen: bool, answered: Option<bool>| {
            evaluate(&program, |_, key| match key {
                SearchKey::Flags(8) => Some(seen),
                SearchKey::Flags(_) => answered,
                _ => None,
            })
        };
        assert_eq!(known(true, Some(true)), None);
        assert_eq!(known(true, Some(false)), Some(true));
        assert_eq!(known(false, Some(true)), Some(false));
        assert_eq!(known(false, None), None);
    }

    #[test]
    fn sets_alone_need_no_rows() {
        let all = Runs::from_unsorted(vec![run(1, 10)]);
        let program = [
            SearchKey::Uids(vec![run(3, 20)]),
            SearchKey::Uids(vec![run(5, 6)]),
            SearchKey::Not,
            SearchKey::And(2),
        ];
        let (uids, sure) = candidates(&program, &all);
        assert_eq!((uids.as_slice(), sure), (&[run(3, 4), run(7, 10)][..], true));
        let program = [SearchKey::Uids(vec![run(3, 4)]), SearchKey::Flags(8), SearchKey::And(2)];
        let (uids, sure) = candidates(&program, &all);
        assert_eq!((uids.as_slice(), sure), (&[run(3, 4)][..], false));
        assert_eq!(candidates(&[SearchKey::Flags(8), SearchKey::Not], &all).0, all);
    }

    #[test]
    fn days_are_those_of_the_writer() {
        assert_eq!(local_day(-1, 0), -1);
        assert_eq!(local_day(DAY_MS - 1, 0), 0);
        assert_eq!(local_day(DAY_MS - 1, 60), 1);
        assert_eq!(local_day(0, -60), -1);
    }
}
