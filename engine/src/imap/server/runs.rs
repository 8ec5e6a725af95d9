//! Sets of UIDs as ascending runs, so that a mailbox of 100,000 messages is a few dozen octets.
//! They know nothing of sequence numbers but their order; `view` gives that a meaning.

use alloc::vec::Vec;

use crate::imap::grammar::PartialRange;
use crate::imap::types::UidRun;

/// UIDs as runs: ascending, none empty, none touching the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Runs(Vec<UidRun>);

impl Runs {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    /// From runs in any order that may overlap; in place, since there may be many.
    pub(crate) fn from_unsorted(mut runs: Vec<UidRun>) -> Self {
        runs.sort_unstable_by_key(|run| run.first);
        runs.dedup_by(|run, before| {
            let joins = run.first <= before.last.saturating_add(1);
            if joins {
                before.last = before.last.max(run.last);
            }
            joins
        });
        Self(runs)
    }

    pub(crate) fn as_slice(&self) -> &[UidRun] {
        &self.0
    }

    pub(crate) fn into_vec(self) -> Vec<UidRun> {
        self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many UIDs.
    pub(crate) fn count(&self) -> u64 {
        self.0.iter().map(|run| u64::from(run.last - run.first) + 1).sum()
    }

    pub(crate) fn first(&self) -> Option<u32> {
        self.0.first().map(|run| run.first)
    }

    pub(crate) fn last(&self) -> Option<u32> {
        self.0.last().map(|run| run.last)
    }

    pub(crate) fn contains(&self, uid: u32) -> bool {
        let at = self.0.partition_point(|run| run.last < uid);
        self.0.get(at).is_some_and(|run| run.first <= uid)
    }

    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().flat_map(|run| run.first..=run.last)
    }

    /// Adds a run that begins no lower than the last one.
    pub(crate) fn append(&mut self, run: UidRun) {
        match self.0.last_mut() {
            Some(last) if run.first <= last.last.saturating_add(1) => {
                last.last = last.last.max(run.last);
            }
            _ => {
                if self.0.len() == self.0.capacity() {
                    // Doubling would need three times the memory of a set that has many runs.
                    self.0.reserve_exact((self.0.len() / 4).max(4));
                }
                self.0.push(run);
            }
        }
    }

    /// Adds a UID above all others.
    pub(crate) fn append_uid(&mut self, uid: u32) {
        self.append(UidRun { first: uid, last: uid });
    }

    /// The UIDs of both.
    pub(crate) fn add(&mut self, other: &Self) {
        if other.is_empty() {
            return;
        }
        if self.last() < other.first() {
            other.0.iter().for_each(|&run| self.append(run));
            return;
        }
        let mut both = core::mem::take(&mut self.0);
        both.reserve_exact(other.0.len());
        both.extend_from_slice(&other.0);
        *self = Self::from_unsorted(both);
    }

    /// The UIDs that are in both.
    pub(crate) fn common(&self, other: &Self) -> Self {
        let mut common = Self::new();
        self.each_common(other, |run| common.append(run));
        common
    }

    /// How many UIDs are in both.
    pub(crate) fn count_common(&self, other: &Self) -> u64 {
        let mut count = 0;
        self.each_common(other, |run| count += u64::from(run.last - run.first) + 1);
        count
    }

    fn each_common(&self, other: &Self, mut found: impl FnMut(UidRun)) {
        let (mut a, mut b) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let (Some(&&left), Some(&&right)) = (a.peek(), b.peek()) {
            let first = left.first.max(right.first);
            let last = left.last.min(right.last);
            if first <= last {
                found(UidRun { first, last });
            }
            if left.last <= right.last {
                a.next();
            } else {
                b.next();
            }
        }
    }

    /// The UIDs of this set that are not in the other.
    pub(crate) fn without(&self, other: &Self) -> Self {
        let mut rest = Self::new();
        let mut holes = other.0.iter().peekable();
        for run in &self.0 {
            let mut from = u64::from(run.first);
            let last = u64::from(run.last);
            while let Some(hole) = holes.peek() {
                if u64::from(hole.last) < from {
                    holes.next();
                    continue;
                }
                if u64::from(hole.first) > last {
                    break;
                }
                rest.append_between(from, u64::from(hole.first));
                from = u64::from(hole.last) + 1;
                if from > last {
                    break;
                }
                holes.next();
            }
            rest.append_between(from, last + 1);
        }
        rest
    }

    /// Adds `from..end`, which may be empty.
    fn append_between(&mut self, from: u64, end: u64) {
        if from < end {
            let first = u32::try_from(from).unwrap_or(u32::MAX);
            let last = u32::try_from(end - 1).unwrap_or(u32::MAX);
            self.append(UidRun { first, last });
        }
    }

    /// The UIDs above this one.
    pub(crate) fn above(&self, uid: u32) -> Self {
        let mut rest = Self::new();
        if let Some(first) = uid.checked_add(1) {
            let at = self.0.partition_point(|run| run.last < first);
            rest.0.reserve_exact(self.0.len() - at);
            for run in &self.0[at..] {
                rest.append(UidRun { first: run.first.max(first), last: run.last });
            }
        }
        rest
    }

    /// The UIDs at these places, counted from 1 in their order, or from the end.
    pub(crate) fn places(&self, range: PartialRange) -> Self {
        let (low, high) = range.places(self.count());
        let mut places = Self::new();
        let mut before = 0;
        for run in &self.0 {
            let length = u64::from(run.last - run.first) + 1;
            let (from, to) = (low.max(before + 1), high.min(before + length));
            if from <= to {
                let place = |at: u64| run.first + u32::try_from(at - before - 1).unwrap_or(0);
                places.append(UidRun { first: place(from), last: place(to) });
            }
            before += length;
        }
        places
    }

    /// Takes UIDs off the front: at most `runs_max` runs and `uids_max` UIDs.
    pub(crate) fn next_page(&self, above: u32, runs_max: usize, uids_max: u64) -> Vec<UidRun> {
        let Some(from) = above.checked_add(1) else { return Vec::new() };
        let at = self.0.partition_point(|run| run.last < from);
        let mut left = uids_max;
        let mut page = Vec::new();
        for run in &self.0[at..] {
            if left == 0 || page.len() == runs_max {
                break;
            }
            let first = run.first.max(from);
            let wanted = (u64::from(run.last - first) + 1).min(left);
            left -= wanted;
            // `wanted` is at least 1 and at most the length of the run.
            let last = first + u32::try_from(wanted - 1).unwrap_or(0);
            page.push(UidRun { first, last });
        }
        page
    }
}

/// Whether these are ascending runs, as the contract asks of the host; touching ones are allowed.
pub(crate) fn are_runs(runs: &[UidRun]) -> bool {
    let sound = |run: &UidRun| run.first >= 1 && run.first <= run.last;
    runs.iter().all(sound) && runs.windows(2).all(|pair| pair[0].last < pair[1].first)
}

/// A set whose members have numbers from 1, in their order; finding one is a binary search.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbered {
    runs: Runs,
    /// How many UIDs come before every `STRIDE`-th run.
    marks: Vec<u32>,
    count: u32,
}

impl Numbered {
    const STRIDE: usize = 32;

    pub(crate) fn runs(&self) -> &Runs {
        &self.runs
    }

    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    pub(crate) fn replace(&mut self, runs: Runs) {
        self.marks.clear();
        self.count = 0;
        for (at, run) in runs.0.iter().enumerate() {
            if at % Self::STRIDE == 0 {
                self.marks.push(self.count);
            }
            self.count = self.count.saturating_add((run.last - run.first).saturating_add(1));
        }
        self.runs = runs;
    }

    /// Adds UIDs that are all above those here.
    pub(crate) fn extend(&mut self, more: &Runs) {
        let mut runs = core::mem::take(&mut self.runs);
        runs.add(more);
        self.replace(runs);
    }

    /// The number of a UID.
    pub(crate) fn number(&self, uid: u32) -> Option<u32> {
        let at = self.runs.0.partition_point(|run| run.last < uid);
        let run = self.runs.0.get(at).filter(|run| run.first <= uid)?;
        Some(self.before(at) + (uid - run.first) + 1)
    }

    fn before(&self, at: usize) -> u32 {
        let mark = at / Self::STRIDE;
        let from = mark * Self::STRIDE;
        let base = self.marks.get(mark).copied().unwrap_or(self.count);
        self.runs.0[from..at].iter().fold(base, |sum, run| sum + (run.last - run.first) + 1)
    }

    /// The UIDs with the numbers `low` to `high`, which must lie within 1 and the count.
    pub(crate) fn between(&self, low: u32, high: u32, into: &mut Runs) {
        let mark = self.marks.partition_point(|&before| before < low).saturating_sub(1);
        let mut before = self.marks.get(mark).copied().unwrap_or(0);
        for run in self.runs.0.iter().skip(mark * Self::STRIDE) {
            if before >= high {
                break;
            }
            let length = run.last - run.first + 1;
            if before + length >= low {
                let skip = low.saturating_sub(before + 1);
                let end = (high - before).min(length);
                into.append(UidRun { first: run.first + skip, last: run.first + end - 1 });
            }
            before += length;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use alloc::vec;

    fn runs(uids: &BTreeSet<u32>) -> Runs {
        let mut runs = Runs::new();
        uids.iter().for_each(|&uid| runs.append_uid(uid));
        runs
    }

    /// A small generator of sets, the same at every run.
    fn sets() -> impl Iterator<Item = BTreeSet<u32>> {
        let mut state = 7_u32;
        (0..200).map(move |round| {
            let mut set = BTreeSet::new();
            for uid in 1..80 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if state >> 24 < 20 + round {
                    set.insert(uid);
                }
            }
            set
        })
    }

    #[test]
    fn sets_of_runs_behave_as_sets() {
        let all: Vec<_> = sets().collect();
        for pair in all.windows(2) {
            let (a, b) = (runs(&pair[0]), runs(&pair[1]));
            let mut both = a.clone();
            both.add(&b);
            assert_eq!(both, runs(&pair[0].union(&pair[1]).copied().collect()));
            assert_eq!(a.count_common(&b), a.common(&b).count());
            assert_eq!(a.common(&b), runs(&pair[0].intersection(&pair[1]).copied().collect()));
            assert_eq!(a.without(&b), runs(&pair[0].difference(&pair[1]).copied().collect()));
            assert_eq!(a.above(40), runs(&pair[0].iter().copied().filter(|&u| u > 40).collect()));
            assert_eq!(a.count(), pair[0].len() as u64);
            assert!(are_runs(a.as_slice()));
            assert!((1..80).all(|uid| a.contains(uid) == pair[0].contains(&uid)));
        }
    }

    #[test]
    fn numbers_follow_the_order() {
        for set in sets() {
            let mut numbered = Numbered::default();
            numbered.replace(runs(&set));
            let uids: Vec<u32> = set.iter().copied().collect();
            assert_eq!(numbered.count() as usize, uids.len());
            for uid in 1..80 {
                let number = uids.iter().position(|&u| u == uid).map(|at| at as u32 + 1);
                assert_eq!(numbered.number(uid), number);
            }
            for low in 1..=uids.len() {
                for high in [low, (low + 5).min(uids.len()), uids.len()] {
                    let mut found = Runs::new();
                    numbered.between(low as u32, high as u32, &mut found);
                    let found: Vec<u32> = found.iter().collect();
                    assert_eq!(found, uids[low - 1..high]);
                }
            }
        }
    }

    #[test]
    fn places_are_counted_from_both_ends() {
        let set = Runs(vec![UidRun { first: 3, last: 5 }, UidRun { first: 9, last: 10 }]);
        let places = |from_end, first, last| {
            let range = PartialRange { from_end, first, last };
            set.places(range).iter().collect::<Vec<u32>>()
        };
        assert_eq!(places(false, 1, 2), [3, 4]);
        assert_eq!(places(false, 4, 3), [5, 9]);
        assert_eq!(places(false, 5, 100), [10]);
        assert_eq!(places(false, 6, 100), []);
        assert_eq!(places(true, 1, 1), [10]);
        assert_eq!(places(true, 3, 2), [5, 9]);
        assert_eq!(places(true, 4, u32::MAX), [3, 4]);
        assert_eq!(places(true, 6, u32::MAX), []);
    }

    #[test]
    fn pages_are_cut_by_runs_and_by_uids() {
        let set = Runs(vec![UidRun { first: 1, last: 5 }, UidRun { first: 9, last: u32::MAX }]);
        assert_eq!(
            set.next_page(0, 256, 7),
            [UidRun { first: 1, last: 5 }, UidRun { first: 9, last: 10 }]
        );
        assert_eq!(set.next_page(3, 1, 100), [UidRun { first: 4, last: 5 }]);
        assert_eq!(set.next_page(u32::MAX, 1, 1), []);
        assert!(set.above(u32::MAX).is_empty());
        assert_eq!(set.without(&Runs(vec![UidRun { first: 9, last: u32::MAX }])).count(), 5);
    }
}
