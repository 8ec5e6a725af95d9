//! Functions in an order in which each stands behind the one that it is most like: compression finds what was just said
//! for less than what was said long ago. What a function calls and which locals it has make its octets differ soon after
//! they begin, so order by octets alone brings few of those together that are alike further on.

use std::collections::HashMap;

/// Octets of a function that are looked at together.
const WINDOW: usize = 6;
/// Of a function's windows, so many stand for all: those of the smallest hashes, which like functions have in common.
const SKETCH_MAX: usize = 64;
/// What so many functions have makes none of them alike.
const COMMON: usize = 400;

/// The functions of these codes in such an order, the same on every machine.
pub(crate) fn order(functions: &mut [usize], codes: &[Vec<u8>]) {
    functions.sort_by(|one, other| codes[*one].cmp(&codes[*other]));
    let sketches: Vec<Vec<u32>> = functions.iter().map(|at| sketch(&codes[*at])).collect();
    let mut having: HashMap<u32, Vec<usize>> = HashMap::new();
    for (at, sketch) in sketches.iter().enumerate() {
        sketch.iter().for_each(|window| having.entry(*window).or_default().push(at));
    }
    having.retain(|_, functions| (2..=COMMON).contains(&functions.len()));
    let mut taken = vec![false; functions.len()];
    let mut shared = vec![0_u32; functions.len()];
    let mut ordered = Vec::with_capacity(functions.len());
    let mut here = (!functions.is_empty()).then_some(0);
    let mut unread = 0;
    while let Some(at) = here {
        taken[at] = true;
        ordered.push(functions[at]);
        let mut like = Vec::new();
        for window in &sketches[at] {
            let Some(others) = having.get_mut(window) else { continue };
            others.retain(|other| !taken[*other]);
            for other in others {
                if shared[*other] == 0 {
                    like.push(*other);
                }
                shared[*other] += 1;
            }
        }
        let weigh = |one: &usize, other: &usize| {
            let all = |function: usize| (sketches[function].len() + sketches[at].len()) as u64;
            let share = |function: usize, by: usize| u64::from(shared[function]) * all(by);
            share(*one, *other).cmp(&share(*other, *one)).then(other.cmp(one))
        };
        let next = like.iter().copied().max_by(weigh);
        like.iter().for_each(|function| shared[*function] = 0);
        // Like none that is left: on with the first of those.
        unread += taken[unread..].iter().take_while(|taken| **taken).count();
        here = next.or((unread < taken.len()).then_some(unread));
    }
    functions.copy_from_slice(&ordered);
}

/// What stands for a function's octets.
fn sketch(code: &[u8]) -> Vec<u32> {
    let mut windows: Vec<u32> = code.windows(WINDOW).map(hash).collect();
    windows.sort_unstable();
    windows.dedup();
    windows.truncate(SKETCH_MAX);
    windows
}

/// FNV-1a, mixed at the end so that its smallest values are of any windows.
fn hash(window: &[u8]) -> u32 {
    let step = |hash: u32, octet: &u8| (hash ^ u32::from(*octet)).wrapping_mul(0x0100_0193);
    let hash = window.iter().fold(0x811c_9dc5, step);
    let hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash ^ (hash >> 13)
}
