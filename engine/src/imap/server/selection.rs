//! Keys in order, of which only so many are held at once: the lowest are given out, and those that
//! found no room are looked for in another pass. What a key says is the business of `order`.

use alloc::vec::Vec;

/// Octets of the keys that are held, where there is room.
const OCTETS_MAX: usize = 768 * 1024;
/// Octets for each key: more keys than this allows are not held.
const KEY_OCTETS: usize = 16;
/// The part of that which is held where the mailbox itself takes much room.
const LITTLE: usize = 6;

/// The lowest keys above a floor.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    octets: Vec<u8>,
    /// Where each begins and how long it is.
    keys: Vec<(u32, u32)>,
    /// All up to this one was given out in passes before; empty at first.
    floor: Vec<u8>,
    /// There was no room for this one, nor for any above it.
    ceiling: Option<Vec<u8>>,
    octets_max: usize,
}

impl Selection {
    /// `little`: whether there is little room.
    pub(crate) fn new(little: bool) -> Self {
        let octets_max = if little { OCTETS_MAX / LITTLE } else { OCTETS_MAX };
        Self { octets_max, ..Self::default() }
    }

    fn keys_max(&self) -> usize {
        self.octets_max / KEY_OCTETS
    }

    /// One more key, different from every other.
    pub(crate) fn offer(&mut self, key: &[u8]) {
        if !self.is_wanted(key) {
            return;
        }
        let full = self.octets.len() + key.len() > self.octets_max;
        if full || self.keys.len() == self.keys_max() {
            self.make_room();
            if !self.is_wanted(key) {
                return;
            }
        }
        if self.octets.capacity() - self.octets.len() < key.len() {
            // Doubling near the end would need as much again.
            self.octets.reserve_exact((self.octets_max / 8).max(key.len()));
        }
        if self.keys.len() == self.keys.capacity() {
            self.keys.reserve_exact(self.keys_max() / 8);
        }
        let start = u32::try_from(self.octets.len()).expect("it is at most OCTETS_MAX");
        let length = u32::try_from(key.len()).expect("a key is short");
        self.octets.extend_from_slice(key);
        self.keys.push((start, length));
    }

    fn is_wanted(&self, key: &[u8]) -> bool {
        let above = self.floor.is_empty() || key > &self.floor[..];
        above && self.ceiling.as_ref().is_none_or(|ceiling| key < &ceiling[..])
    }

    /// Drops the upper half.
    fn make_room(&mut self) {
        self.order();
        let mut kept_octets = 0;
        let mut kept = 0;
        for (_, length) in &self.keys {
            kept_octets += *length as usize;
            if kept_octets > self.octets_max / 2 || kept >= self.keys_max() / 2 {
                break;
            }
            kept += 1;
        }
        // One key is always kept: it is far shorter than the room.
        let kept = kept.max(1);
        self.ceiling = self.keys.get(kept).map(|key| self.octets_of(*key).to_vec());
        self.keys.truncate(kept);
        // In the order of their places they move down without a second room.
        self.keys.sort_unstable();
        let mut end = 0;
        for (start, length) in &mut self.keys {
            let from = *start as usize;
            self.octets.copy_within(from..from + *length as usize, end);
            *start = u32::try_from(end).expect("it is at most OCTETS_MAX");
            end += *length as usize;
        }
        self.octets.truncate(end);
    }

    fn octets_of(&self, (start, length): (u32, u32)) -> &[u8] {
        &self.octets[start as usize..(start + length) as usize]
    }

    fn order(&mut self) {
        let Self { octets, keys, .. } = self;
        let of = |(start, length): (u32, u32)| &octets[start as usize..(start + length) as usize];
        keys.sort_unstable_by(|a, b| of(*a).cmp(of(*b)));
    }

    /// All keys were offered: gives how many are held, and puts them in order.
    pub(crate) fn finish(&mut self) -> usize {
        self.order();
        self.keys.len()
    }

    /// The key at a place, after `finish`.
    pub(crate) fn key(&self, at: usize) -> Option<&[u8]> {
        self.keys.get(at).map(|key| self.octets_of(*key))
    }

    /// Whether keys are left for another pass; if so, all must be offered again.
    pub(crate) fn next_pass(&mut self) -> bool {
        if self.ceiling.take().is_none() {
            return false;
        }
        if let Some(last) = self.keys.last() {
            self.floor = self.octets_of(*last).to_vec();
        }
        self.keys.clear();
        self.octets.clear();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_give_every_key_once_and_in_order() {
        let mut state = 9u64;
        let keys: Vec<Vec<u8>> = (0..120_000u32)
            .map(|number| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let mut key = (state >> 40).to_be_bytes()[5..].to_vec();
                key.extend_from_slice(&[b'x'; 20][..(state >> 33) as usize % 20]);
                key.extend_from_slice(&number.to_be_bytes());
                key
            })
            .collect();
        let mut selection = Selection::new(false);
        let (mut out, mut passes): (Vec<Vec<u8>>, u32) = (Vec::new(), 0);
        loop {
            keys.iter().for_each(|key| selection.offer(key));
            let held = selection.finish();
            out.extend((0..held).filter_map(|at| selection.key(at)).map(<[u8]>::to_vec));
            passes += 1;
            if !selection.next_pass() {
                break;
            }
        }
        let mut sorted = keys.clone();
        sorted.sort();
        assert!(out == sorted, "{} of {}", out.len(), sorted.len());
        assert!((3..10).contains(&passes), "{passes} passes");
    }
}
