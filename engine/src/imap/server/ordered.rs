//! The order of a sorted result that is kept up to date (RFC 5267 §4.3): at which place a message goes in or out. A
//! message's key never changes, so the place of a new one is found without reading the others again.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::order;
use super::print::decimal;
use super::runs::Runs;
use crate::imap::grammar::Criterion;
use crate::imap::types::{Row, UidRun};
use crate::message::Head;

/// Messages of one sorted result that is kept up to date.
pub(super) const KEYS_MAX: usize = 4000;
/// Octets of the keys of all results of one session, with what each costs besides.
pub(super) const OCTETS_MAX: usize = 256 * 1024;
/// What a key costs besides its octets.
const KEY_COST: usize = 32;
/// Octets of places in one line.
const LINE_OCTETS: usize = 2048;

/// The keys of a result's messages, in order.
#[derive(Debug)]
pub(crate) struct Ordered {
    criteria: Vec<Criterion>,
    keys: Vec<Box<[u8]>>,
    octets: usize,
}

impl Ordered {
    pub(crate) const fn new(criteria: Vec<Criterion>) -> Self {
        Self { criteria, keys: Vec::new(), octets: 0 }
    }

    pub(super) const fn octets(&self) -> usize {
        self.octets
    }

    pub(super) fn needs_index(&self) -> bool {
        self.criteria.iter().any(order::needs_index)
    }

    /// Takes a key of many, in any order; false if that is too much.
    pub(crate) fn gather(&mut self, key: &[u8]) -> bool {
        self.octets += key.len() + KEY_COST;
        self.keys.push(key.into());
        self.keys.len() <= KEYS_MAX && self.octets <= OCTETS_MAX
    }

    /// Puts in order what was gathered, and gives which messages that were.
    pub(super) fn settle(&mut self) -> Runs {
        self.keys.sort_unstable();
        self.keys.shrink_to_fit();
        let one = |key: &Box<[u8]>| UidRun { first: order::uid(key), last: order::uid(key) };
        Runs::from_unsorted(self.keys.iter().map(one).collect())
    }

    /// Puts these in; gives their UIDs with the places that they have then, lowest first, or none if they are too many.
    pub(super) fn insert(&mut self, rows: &[Row]) -> Option<Vec<(usize, u32)>> {
        for row in rows {
            let head = row.index.as_deref().and_then(|index| Head::read(index).ok());
            let fits = self.gather(&order::key(&self.criteria, row, head.as_ref(), 0));
            if !fits {
                return None;
            }
        }
        // Most of it is in order already.
        self.keys.sort();
        let uids = Runs::from_unsorted(
            rows.iter().map(|row| UidRun { first: row.uid, last: row.uid }).collect(),
        );
        Some(self.places(&uids))
    }

    /// Takes these out; gives their UIDs with the places that they had, highest first, so that each holds when its turn
    /// comes.
    pub(super) fn remove(&mut self, uids: &Runs) -> Vec<(usize, u32)> {
        let mut places = self.places(uids);
        places.reverse();
        let octets = &mut self.octets;
        self.keys.retain(|key| {
            let stays = !uids.contains(order::uid(key));
            *octets -= if stays { 0 } else { key.len() + KEY_COST };
            stays
        });
        places
    }

    fn places(&self, uids: &Runs) -> Vec<(usize, u32)> {
        let all = self.keys.iter().map(|key| order::uid(key)).enumerate();
        all.filter(|(_, uid)| uids.contains(*uid)).map(|(at, uid)| (at + 1, uid)).collect()
    }
}

/// `context-position SP sequence-set`, again and again, in lines that are not too long. Neighbours stand in one set, in
/// the order of the result.
pub(super) fn lines(places: &[(usize, u32)], number: impl Fn(u32) -> u32) -> Vec<Vec<u8>> {
    let follows = |one: &(usize, u32), other: &(usize, u32)| one.0.abs_diff(other.0) == 1;
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for group in places.chunk_by(follows) {
        let mut group = group.to_vec();
        group.sort_unstable();
        // A set of many is cut from its end, where the places below it hold.
        let descending = places.first() > places.last();
        let mut pieces: Vec<&[(usize, u32)]> = group.chunks(128).collect();
        if descending {
            pieces.reverse();
        }
        for piece in pieces {
            let Some((first, _)) = piece.first() else { continue };
            let numbers: Vec<u32> = piece.iter().map(|(_, uid)| number(*uid)).collect();
            let text = [&decimal(*first as u64)[..], b" ", &set(&numbers)].concat();
            match lines.last_mut().filter(|line| line.len() < LINE_OCTETS) {
                Some(line) => {
                    line.push(b' ');
                    line.extend_from_slice(&text);
                }
                None => lines.push(text),
            }
        }
    }
    lines
}

/// Numbers as they come; those that follow one another as a range.
fn set(numbers: &[u32]) -> Vec<u8> {
    let mut out = Vec::new();
    for run in numbers.chunk_by(|one, next| one.checked_add(1) == Some(*next)) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
        if !out.is_empty() {
            out.push(b',');
        }
        out.extend_from_slice(&decimal(u64::from(*first)));
        if last > first {
            out.push(b':');
            out.extend_from_slice(&decimal(u64::from(*last)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(uids: &[u32]) -> Ordered {
        let mut ordered = Ordered::new(Vec::new());
        for (at, uid) in uids.iter().enumerate() {
            assert!(ordered.gather(&[&(at as u32).to_be_bytes()[..], &uid.to_be_bytes()].concat()));
        }
        let _all = ordered.settle();
        ordered
    }

    fn runs(uids: &[u32]) -> Runs {
        Runs::from_unsorted(uids.iter().map(|&uid| UidRun { first: uid, last: uid }).collect())
    }

    fn text(places: &[(usize, u32)]) -> String {
        let lines = lines(places, |uid| uid).into_iter();
        lines.map(|line| String::from_utf8(line).expect("ASCII")).collect::<Vec<_>>().join("|")
    }

    #[test]
    fn what_goes_is_named_from_the_end() {
        let mut ordered = of(&[7, 3, 4, 9, 1]);
        assert_eq!(text(&ordered.remove(&runs(&[1, 3, 4, 7]))), "5 1 1 7,3:4");
        assert_eq!(ordered.octets(), 8 + KEY_COST);
        assert_eq!(text(&ordered.remove(&runs(&[9]))), "1 9");
        assert_eq!(ordered.octets(), 0);
    }

    /// A client that does as it is told has the result in the end, however it is cut.
    #[test]
    fn long_sets_are_cut_where_places_hold() {
        let uids: Vec<u32> = (1..=1000).map(|at| at * 7 % 1009).collect();
        let mut known = uids.clone();
        let gone = runs(&uids[100..900]);
        let places = of(&uids).remove(&gone);
        for line in lines(&places, |uid| uid) {
            let line = String::from_utf8(line).expect("ASCII");
            assert!(line.len() < LINE_OCTETS + 700);
            let words: Vec<&str> = line.split(' ').collect();
            for pair in words.chunks(2) {
                let at = pair[0].parse::<usize>().expect("a place") - 1;
                for number in pair[1].split(',').flat_map(|range| {
                    let (first, last) = range.split_once(':').unwrap_or((range, range));
                    first.parse::<u32>().expect("one")..=last.parse().expect("one")
                }) {
                    assert_eq!(known.remove(at), number);
                }
            }
        }
        assert_eq!(known, [&uids[..100], &uids[900..]].concat());
    }

    #[test]
    fn too_many_are_too_many() {
        let mut ordered = Ordered::new(Vec::new());
        let taken = (0..5000u32).take_while(|uid| ordered.gather(&uid.to_be_bytes())).count();
        assert_eq!(taken, KEYS_MAX);
        let mut ordered = Ordered::new(Vec::new());
        let taken = (0..5000).take_while(|_| ordered.gather(&[0; 224])).count();
        assert_eq!(taken, OCTETS_MAX / 256);
    }
}
