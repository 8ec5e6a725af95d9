//! Inputs made to cost much: each costs no more than in proportion to its size, whatever it is made of.

mod commands;
mod cost;
mod messages;
mod others;
mod responses;

use std::sync::Mutex;

use super::{on_all, setting};
use cost::{Work, grows, keep_memory};

/// Octets of the largest input: what is no proportion shows itself far below.
const MOST: usize = 2 << 20;

/// One kind of input, what reads it, and the octets of the largest.
struct Bomb {
    what: String,
    /// Octets of the smallest input; what is bounded in number needs less.
    least: usize,
    most: usize,
    work: Box<Work<'static>>,
}

#[test]
fn cost_is_in_proportion_to_size() {
    let mut bombs = messages::bombs();
    bombs.extend(commands::bombs());
    bombs.extend(responses::bombs());
    bombs.extend(others::bombs());
    if let Some(name) = setting("PILLARBOX_BOMB") {
        bombs.retain(|bomb| bomb.what.contains(&name));
    }
    keep_memory();
    let measured = |bomb: &Bomb| grows(&bomb.what, bomb.least, bomb.most, &*bomb.work);
    let suspects = Mutex::new(Vec::new());
    on_all(&bombs, |bomb| {
        if measured(bomb).is_err() {
            suspects.lock().expect("nobody panics while it is held").push(bomb.what.clone());
        }
    });
    // Others were at work beside it, on a machine that others use too: what grows too much does so again by itself.
    let suspects = suspects.into_inner().expect("nobody panics while it is held");
    let mut failed = Vec::new();
    for bomb in bombs.iter().filter(|bomb| suspects.contains(&bomb.what)) {
        let tried = (0..3).map(|_| measured(bomb)).find(Result::is_ok);
        if tried.is_none() {
            failed.extend(measured(bomb).err());
        }
    }
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
}

/// Something that comes again and again between a head and an end, up to so many octets.
fn repeated(head: &str, piece: &str, end: &str, octets: usize) -> Vec<u8> {
    let times = octets / piece.len().max(1);
    [head.as_bytes(), piece.repeat(times).as_bytes(), end.as_bytes()].concat()
}

/// Pieces with their number, up to so many octets.
fn numbered(head: &str, octets: usize, piece: impl Fn(usize) -> String) -> Vec<u8> {
    let mut out = head.as_bytes().to_vec();
    for number in 0.. {
        let next = piece(number);
        if out.len() + next.len() > octets.max(head.len() + next.len()) {
            return out;
        }
        out.extend_from_slice(next.as_bytes());
    }
    out
}

/// Takes a result, so that none is left out because nobody looks at it.
fn done<T>(result: T) {
    std::hint::black_box(result);
}
