//! SORT and THREAD (RFC 5256 §5, RFC 5957, RFC 5267): what is asked for besides the search.

use alloc::vec::Vec;

use super::cursor::{Bad, Piecewise, Read};
use super::search::{Key, keys, needs_fuzzy, returns};
use super::{SearchReturn, cursor};
use crate::text::charset;

/// Criteria of one SORT: there are ten, each up or down.
const CRITERIA_MAX: usize = 20;

/// SORT and UID SORT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sort {
    /// By UID.
    pub uid: bool,
    /// RETURN, if it was there: then the result is ESEARCH.
    pub returns: Option<SearchReturn>,
    /// What comes first; at least one.
    pub criteria: Vec<Criterion>,
    /// The program in postfix order; it leaves one result.
    pub program: Vec<Key>,
}

/// `sort-criterion = ["REVERSE" SP] sort-key`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Criterion {
    /// Whether the greatest comes first.
    pub reverse: bool,
    /// By what.
    pub key: SortKey,
}

/// By what messages are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortKey {
    /// ARRIVAL
    Arrival,
    /// CC
    Cc,
    /// DATE
    Date,
    /// DISPLAYFROM (RFC 5957)
    DisplayFrom,
    /// DISPLAYTO (RFC 5957)
    DisplayTo,
    /// FROM
    From,
    /// RELEVANCY (RFC 6203 §6): the best first
    Relevancy,
    /// SIZE
    Size,
    /// SUBJECT
    Subject,
    /// TO
    To,
}

/// THREAD and UID THREAD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// By UID.
    pub uid: bool,
    /// How.
    pub algorithm: Algorithm,
    /// The program in postfix order; it leaves one result.
    pub program: Vec<Key>,
}

/// `thread-alg`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// ORDEREDSUBJECT
    OrderedSubject,
    /// REFERENCES
    References,
}

/// `SP ["RETURN" …] sort-criteria SP search-criteria`
pub(super) fn sort(cursor: &mut Piecewise<'_>, uid: bool) -> Read<Sort> {
    cursor.space()?;
    let returns = returns(cursor)?;
    if returns.is_some_and(|returns| returns.partial.is_some() && returns.save) {
        return cursor.expected("either SAVE or PARTIAL with SORT");
    }
    let criteria = cursor.labelled("sort-criteria", false, |cursor| {
        cursor.list("( and sort criteria", |cursor| {
            let reverse = cursor.take_word(b"REVERSE");
            if reverse {
                cursor.space()?;
            }
            Ok(Criterion { reverse, key: sort_key(cursor)? })
        })
    })?;
    if criteria.is_empty() || criteria.len() > CRITERIA_MAX {
        return cursor.expected("at least one sort criterion, and each but once");
    }
    let saves = returns.is_some_and(|returns| returns.save);
    let program = criteria_of_search(cursor, saves)?;
    let relevancy = criteria.iter().any(|criterion| criterion.key == SortKey::Relevancy)
        || returns.is_some_and(|returns| returns.relevancy);
    needs_fuzzy(cursor, relevancy, &program)?;
    Ok(Sort { uid, returns, criteria, program })
}

fn sort_key(cursor: &mut Piecewise<'_>) -> Read<SortKey> {
    let all = [
        (&b"ARRIVAL"[..], SortKey::Arrival),
        (b"CC", SortKey::Cc),
        (b"DATE", SortKey::Date),
        (b"DISPLAYFROM", SortKey::DisplayFrom),
        (b"DISPLAYTO", SortKey::DisplayTo),
        (b"FROM", SortKey::From),
        (b"RELEVANCY", SortKey::Relevancy),
        (b"SIZE", SortKey::Size),
        (b"SUBJECT", SortKey::Subject),
        (b"TO", SortKey::To),
    ];
    match all.iter().find(|(name, _)| cursor.take_word(name)) {
        Some((_, found)) => Ok(*found),
        None => cursor.expected("a sort criterion that is known"),
    }
}

/// `SP thread-alg SP search-criteria`
pub(super) fn thread(cursor: &mut Piecewise<'_>, uid: bool) -> Read<Thread> {
    cursor.space()?;
    let algorithm = cursor.labelled("thread-alg", false, |cursor| {
        if cursor.take_word(b"ORDEREDSUBJECT") {
            Ok(Algorithm::OrderedSubject)
        } else if cursor.take_word(b"REFERENCES") {
            Ok(Algorithm::References)
        } else {
            cursor.expected("ORDEREDSUBJECT or REFERENCES")
        }
    })?;
    Ok(Thread { uid, algorithm, program: criteria_of_search(cursor, false)? })
}

/// `SP charset 1*(SP search-key)`
fn criteria_of_search(cursor: &mut Piecewise<'_>, saves: bool) -> Read<Vec<Key>> {
    cursor.space()?;
    let name = cursor.labelled("charset", false, |cursor| match cursor.peek() {
        Some(octet) if cursor::is_atom_char(octet) => Ok(cursor.atom("a charset")?.to_vec()),
        _ => cursor.string("a charset"),
    })?;
    // RFC 5256 §3: the charset is not optional; a lone key in its place is no charset that is unknown.
    cursor.space()?;
    if !charset::is_known(&name) {
        return Err(Bad::Charset { saves });
    }
    keys(cursor, &name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::grammar::Piece;

    fn pieces(text: &str) -> [Piece; 1] {
        [Piece::Text(alloc::format!(" {text}").into_bytes(), 0)]
    }

    fn sorted(text: &str) -> Option<Vec<(bool, SortKey)>> {
        let pieces = pieces(text);
        let mut cursor = Piecewise::new(&pieces);
        let sort = sort(&mut cursor, false).ok()?;
        cursor.end().ok()?;
        Some(sort.criteria.into_iter().map(|one| (one.reverse, one.key)).collect())
    }

    #[test]
    fn criteria_are_parsed() {
        assert_eq!(sorted("(SUBJECT) UTF-8 ALL"), Some([(false, SortKey::Subject)].to_vec()));
        assert_eq!(
            sorted("RETURN (MIN) (REVERSE DATE displayfrom) \"us-ascii\" SEEN"),
            Some([(true, SortKey::Date), (false, SortKey::DisplayFrom)].to_vec())
        );
        for wrong in ["() UTF-8 ALL", "(REVERSE) UTF-8 ALL", "(FOO) UTF-8 ALL", "(DATE) x-no ALL"] {
            assert_eq!(sorted(wrong), None, "{wrong}");
        }
        let missing = sort(&mut Piecewise::new(&pieces("(DATE) ALL")), false);
        assert!(matches!(missing, Err(Bad::Expected(..))), "the charset is not optional");
        let pieces = pieces("references UTF-8 SINCE 5-Mar-2000");
        let parsed = thread(&mut Piecewise::new(&pieces), true).expect("it is right");
        assert_eq!((parsed.uid, parsed.algorithm), (true, Algorithm::References));
    }
}
