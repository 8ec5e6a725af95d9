//! Leaky buckets: what fills them is counted, and leaks at its own rate, so that a burst is allowed and a flood is not.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Keys that are remembered: networks, accounts, and pairs of account and address.
pub(crate) const ENTRIES_MAX: usize = 65_536;

/// What leaks: one unit in each period.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bucket {
    /// Milliseconds until it is empty, from `at_ms` on.
    full_ms: u64,
    at_ms: u64,
}

impl Bucket {
    /// Units in it, a begun one counted.
    pub(crate) fn level(&self, now_ms: u64, period_ms: u64) -> u64 {
        self.left(now_ms).div_ceil(period_ms)
    }

    pub(crate) fn left(&self, now_ms: u64) -> u64 {
        self.full_ms.saturating_sub(now_ms.saturating_sub(self.at_ms))
    }

    pub(crate) fn add(&mut self, now_ms: u64, period_ms: u64) {
        *self = Self { full_ms: self.left(now_ms).saturating_add(period_ms), at_ms: now_ms };
    }

    pub(crate) fn take(&mut self, now_ms: u64, period_ms: u64) {
        *self = Self { full_ms: self.left(now_ms).saturating_sub(period_ms), at_ms: now_ms };
    }
}

#[derive(Debug)]
pub(crate) struct Buckets<K>(pub(super) HashMap<K, Bucket>);

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Clone + Eq + Hash> Buckets<K> {
    pub(crate) fn level<Q: Eq + Hash + ?Sized>(&self, key: &Q, now_ms: u64, period_ms: u64) -> u64
    where
        K: std::borrow::Borrow<Q>,
    {
        self.0.get(key).map_or(0, |bucket| bucket.level(now_ms, period_ms))
    }

    pub(crate) fn add(&mut self, key: K, now_ms: u64, period_ms: u64) {
        if !self.0.contains_key(&key) {
            make_room(&mut self.0, |bucket| bucket.left(now_ms) > 0, |bucket| bucket.left(now_ms));
        }
        self.0.entry(key).or_default().add(now_ms, period_ms);
    }

    pub(crate) fn take<Q: Eq + Hash + ?Sized>(&mut self, key: &Q, now_ms: u64, period_ms: u64)
    where
        K: std::borrow::Borrow<Q>,
    {
        if let Some(bucket) = self.0.get_mut(key) {
            bucket.take(now_ms, period_ms);
        }
    }
}

/// Drops what says nothing any more, and if that is not enough the half that says least, in one go so that it is rare.
pub(crate) fn make_room<K: Clone + Eq + Hash, V>(
    map: &mut HashMap<K, V>,
    is_used: impl Fn(&V) -> bool,
    weight: impl Fn(&V) -> u64,
) {
    if map.len() < ENTRIES_MAX {
        return;
    }
    map.retain(|_, value| is_used(value));
    if map.len() < ENTRIES_MAX * 3 / 4 {
        return;
    }
    let mut weights: Vec<u64> = map.values().map(&weight).collect();
    let middle = weights.len() / 2;
    let (_, &mut median, _) = weights.select_nth_unstable(middle);
    let mut equal = 0;
    map.retain(|_, value| {
        let weight = weight(value);
        equal += usize::from(weight == median);
        // Of equal ones every other is kept, or a flood of equals would clear or keep all.
        weight > median || (weight == median && equal % 2 == 0)
    });
}

/// So many of each key within so long: as many at once, and one more whenever its part of the time has passed.
#[derive(Debug)]
pub(crate) struct Rate<K> {
    burst: u64,
    period_ms: u64,
    buckets: Mutex<Buckets<K>>,
    started: Instant,
}

impl<K: Clone + Eq + Hash> Rate<K> {
    pub(crate) fn new(burst: u32, within: Duration) -> Self {
        let burst = u64::from(burst.max(1));
        let within_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        let (buckets, started) = (Mutex::default(), Instant::now());
        Self { burst, period_ms: (within_ms / burst).max(1), buckets, started }
    }

    /// Counts one of this key, if there is room for it now.
    pub(crate) fn take(&self, key: &K) -> bool {
        self.take_at(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX), key)
    }

    fn take_at(&self, now_ms: u64, key: &K) -> bool {
        // A bucket is whole after every operation, so a panic elsewhere spoils nothing.
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let has_room = buckets.level(key, now_ms, self.period_ms) < self.burst;
        if has_room {
            buckets.add(key.clone(), now_ms, self.period_ms);
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_let_through_and_then_one_at_a_time() {
        let rate = Rate::new(60, Duration::from_secs(60));
        assert!((0..60).all(|_| rate.take_at(5, &1)));
        assert!(!rate.take_at(5, &1) && !rate.take_at(999, &1));
        assert!(rate.take_at(5, &2), "somebody else");
        assert!(rate.take_at(1005, &1) && !rate.take_at(1005, &1));
        assert!((0..60).all(|_| rate.take_at(120_000, &1)), "all of it leaks");
    }

    #[test]
    fn a_flood_of_keys_takes_no_more_room() {
        let rate = Rate::new(1, Duration::from_secs(60));
        (0..200_000).for_each(|key| assert!(rate.take_at(1, &key)));
        assert!(rate.buckets.lock().expect("whole").0.len() <= ENTRIES_MAX);
    }
}
