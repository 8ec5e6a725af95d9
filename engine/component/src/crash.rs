//! Breaks the sandbox on purpose, so that tests can show that nothing but its own connection ends.
//! Compiled only with the feature `crash-verbs`, which no product build sets.

use std::hint::black_box;

/// Does what octets that begin with `XCRASH` ask for; all others pass.
pub(crate) fn obey(octets: &[u8]) {
    let Some(verb) = octets.strip_prefix(b"XCRASH ") else { return };
    match verb.trim_ascii_end() {
        b"PANIC" => panic!("a test asked for it"),
        b"LOOP" => spin(),
        b"MEMORY" => hoard(),
        b"STACK" => {
            black_box(descend(0));
        }
        _ => {}
    }
}

// Not inlined, so that a test finds their names in the trap.
#[inline(never)]
fn spin() {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

#[inline(never)]
fn hoard() {
    let mut all = Vec::new();
    loop {
        all.push(black_box(vec![1_u8; 64 << 10]));
    }
}

#[inline(never)]
fn descend(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    if depth == u64::MAX { 0 } else { descend(depth + 1) ^ frame[black_box(7)] }
}
