//! Sequence sets (RFC 9051 §9 sequence-set), kept as ranges whatever their size.

use alloc::vec::Vec;

use super::cursor::{Piecewise, Read};

/// One end of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetNumber {
    /// A number from 1.
    Number(u32),
    /// `*`: the largest in use.
    Star,
}

/// A sequence set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SequenceSet {
    /// Ranges; their ends may come in any order.
    pub ranges: Vec<(SetNumber, SetNumber)>,
    /// `$` at the end: what the last SEARCH saved too (RFC 9051 §6.4.4.1).
    pub saved: bool,
}

/// `sequence-set = (seq-number / seq-range) ["," sequence-set] / seq-last-command`
pub(super) fn sequence_set(cursor: &mut Piecewise<'_>) -> Read<SequenceSet> {
    cursor.labelled("sequence-set", false, |cursor| {
        let mut ranges = Vec::new();
        loop {
            if cursor.take(b'$') {
                return Ok(SequenceSet { ranges, saved: true });
            }
            let first = set_number(cursor)?;
            let last = if cursor.take(b':') { set_number(cursor)? } else { first };
            ranges.push((first, last));
            if !cursor.take(b',') {
                return Ok(SequenceSet { ranges, saved: false });
            }
        }
    })
}

/// A set without `*` that ascends (RFC 7162 §7 known-sequence-set, known-uid-set).
pub(super) fn ascending_set(cursor: &mut Piecewise<'_>) -> Read<Vec<(u32, u32)>> {
    let ranges = plain_set(cursor)?;
    if ranges.windows(2).all(|pair| pair[0].1 < pair[1].0) {
        Ok(ranges)
    } else {
        cursor.expected("a set in ascending order")
    }
}

/// A set without `*` and `$` (RFC 7162 §7 known-uids); the ends of each range ascend.
pub(super) fn plain_set(cursor: &mut Piecewise<'_>) -> Read<Vec<(u32, u32)>> {
    let SequenceSet { ranges, saved: false } = sequence_set(cursor)? else {
        return cursor.expected("a set of numbers");
    };
    let mut plain = Vec::with_capacity(ranges.len());
    for range in ranges {
        let (SetNumber::Number(a), SetNumber::Number(b)) = range else {
            return cursor.expected("a set without *");
        };
        plain.push((a.min(b), a.max(b)));
    }
    Ok(plain)
}

pub(super) fn set_number(cursor: &mut Piecewise<'_>) -> Read<SetNumber> {
    if cursor.take(b'*') {
        return Ok(SetNumber::Star);
    }
    cursor.nz_number("a sequence number or *").map(SetNumber::Number)
}
