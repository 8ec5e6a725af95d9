//! Sorting, compiled once. A sort of the standard library is made anew for each type of its items, and fifty of them
//! are more than two parts in a hundred of the page that a visitor waits for. Here places are sorted, whatever is at
//! them; only what then moves the items is made for each type. Where numbers are sorted by the ten thousand, in a
//! selection or for SORT, the library's own is called.

use alloc::vec::Vec;
use core::cmp::Ordering;

/// Sorts items by a comparison; what is equal keeps its order. Takes 4 octets an item meanwhile; all items beyond 2³²
/// stay where they are.
pub fn sort_by<T>(items: &mut [T], mut compare: impl FnMut(&T, &T) -> Ordering) {
    let mut order: Vec<u32> = (0..=u32::MAX).take(items.len()).collect();
    sort_places(&mut order, &mut |one, other| match (
        items.get(one as usize),
        items.get(other as usize),
    ) {
        (Some(one), Some(other)) => compare(one, other),
        _ => Ordering::Equal,
    });
    // Along each circle of places: a place gets its item, and what stood there is carried on to the circle's end.
    for start in 0..order.len() {
        let mut at = start;
        while let Some(from) = order.get(at).map(|from| *from as usize) {
            order[at] = at as u32;
            if from == start {
                break;
            }
            items.swap(at, from);
            at = from;
        }
    }
}

/// A set or a map of items, which go into it one by one. Collected, they would be sorted before, by a sort of their type.
pub fn filled<C: Default + Extend<T>, T>(items: impl IntoIterator<Item = T>) -> C {
    let mut all = C::default();
    all.extend(items);
    all
}

/// Sorts items by a key of each, which is made anew at each comparison; what is equal keeps its order.
pub fn sort_by_key<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    sort_by(items, |one, other| key(one).cmp(&key(other)));
}

/// Sorts items; what is equal keeps its order.
pub fn sort<T: Ord>(items: &mut [T]) {
    sort_by(items, T::cmp);
}

fn sort_places(order: &mut [u32], compare: &mut dyn FnMut(u32, u32) -> Ordering) {
    order.sort_by(|one, other| compare(*one, *other));
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::{sort, sort_by_key};

    #[test]
    fn items_stand_as_the_library_would_put_them() {
        let mut seed = 1_u32;
        let mut chance = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed >> 16
        };
        for length in 0..200 {
            let items: Vec<(u32, usize)> = (0..length).map(|at| (chance() % 40, at)).collect();
            let (mut ours, mut theirs) = (items.clone(), items);
            sort_by_key(&mut ours, |(key, _)| *key);
            theirs.sort_by_key(|(key, _)| *key);
            assert_eq!(ours, theirs);
            ours.rotate_left(length / 3);
            sort(&mut ours);
            theirs.sort();
            assert_eq!(ours, theirs);
        }
    }
}
