//! Sequence sets as sets of UIDs of the open mailbox (RFC 9051 §9 sequence-set, §6.4.9).

use alloc::vec::Vec;

use super::reply::Reply;
use super::runs::Runs;
use super::state::Selected;
use crate::imap::grammar::{SequenceSet, SetNumber};
use crate::imap::types::UidRun;
use crate::trace::Rule;

/// RFC 9051 §9.
pub(crate) const NUMBER: Rule = Rule {
    rfc: 9051,
    section: "9",
    gist: "A sequence number above the number of messages is an error, but in a search; a UID that \
           is not there is none.",
};

/// What the client is told of a number that no message has.
pub(crate) const NO_SUCH_NUMBER: Reply =
    Reply::bad("There is no message with this number").because(&NUMBER);

/// The messages of a set of sequence numbers; `None` if one is above their count.
pub(crate) fn numbers(open: &Selected, set: &SequenceSet) -> Option<Runs> {
    let count = open.view.count();
    let number = |number: SetNumber| match number {
        // RFC 9051 §9: `*` in an empty mailbox is above the count too.
        SetNumber::Star => count,
        SetNumber::Number(number) => number,
    };
    let mut ordered = Vec::with_capacity(set.ranges.len());
    for &(a, b) in &set.ranges {
        let (a, b) = (number(a), number(b));
        let (low, high) = (a.min(b), a.max(b));
        if low == 0 || high > count {
            return None;
        }
        ordered.push(UidRun { first: low, last: high });
    }
    let mut uids = Runs::new();
    for range in Runs::from_unsorted(ordered).as_slice() {
        open.view.between(range.first, range.last, &mut uids);
    }
    if set.saved {
        uids.add(&saved(open));
    }
    Some(uids)
}

/// As `numbers`, for a search: those above the count name nothing (RFC 7377 §2: that is so of any SEARCH).
pub(crate) fn numbers_there(open: &Selected, set: &SequenceSet) -> Runs {
    let count = open.view.count();
    let number = |number: SetNumber| match number {
        SetNumber::Star => count,
        SetNumber::Number(number) => number,
    };
    let ranges = set.ranges.iter().map(|&(a, b)| (number(a), number(b)));
    let runs = ranges.map(|(a, b)| UidRun { first: a.min(b).max(1), last: a.max(b).min(count) });
    let mut uids = Runs::new();
    let there = runs.filter(|run| run.first <= run.last).collect();
    for range in Runs::from_unsorted(there).as_slice() {
        open.view.between(range.first, range.last, &mut uids);
    }
    if set.saved {
        uids.add(&saved(open));
    }
    uids
}

/// The messages of a set of UIDs that the client knows of.
pub(crate) fn uids(open: &Selected, set: &SequenceSet) -> Runs {
    let known = open.view.uids();
    // RFC 9051 §6.4.9: `*` is the highest UID, and in an empty mailbox names nothing.
    let Some(highest) = known.last() else { return Runs::new() };
    let uid = |number: SetNumber| match number {
        SetNumber::Star => highest,
        SetNumber::Number(uid) => uid,
    };
    let runs = set.ranges.iter().map(|&(a, b)| {
        let (a, b) = (uid(a), uid(b));
        UidRun { first: a.min(b), last: a.max(b) }
    });
    let mut uids = Runs::from_unsorted(runs.collect()).common(known);
    if set.saved {
        uids.add(&saved(open));
    }
    uids
}

/// The UIDs of a set, there or not; `*` takes in every UID that was ever given out, since what went
/// may have been the highest.
pub(crate) fn asked(open: &Selected, set: &SequenceSet) -> Runs {
    let uid = |number: SetNumber| match number {
        SetNumber::Star => open.uid_last().max(1),
        SetNumber::Number(uid) => uid,
    };
    let runs = set.ranges.iter().map(|&(a, b)| {
        let (a, b) = (uid(a), uid(b));
        UidRun { first: a.min(b), last: a.max(b) }
    });
    let mut uids = Runs::from_unsorted(runs.collect());
    if set.saved {
        uids.add(&saved(open));
    }
    uids
}

/// RFC 9051 §6.4.4.1: what was saved and is still there.
fn saved(open: &Selected) -> Runs {
    open.saved.common(open.view.uids())
}
