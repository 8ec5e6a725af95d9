//! What the tests share: people whose keys are the same each time.
#![allow(dead_code, unreachable_pub, reason = "not every test uses all of it")]

use pillarbox_web_smime::{Desk, Reader, Told};

/// 2026-11-26.
pub const NOW: i64 = 1_795_651_200;

/// xorshift64*: good for tests, and for nothing else.
pub fn chance(seed: u64) -> impl FnMut(&mut [u8]) {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move |octets: &mut [u8]| {
        for octet in octets {
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            *octet = (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 56) as u8;
        }
    }
}

pub fn desk() -> Desk {
    Desk::new(NOW, &mut chance(1)).expect("the scenario's keys are read")
}

pub fn judged(message: &[u8], reader: Reader) -> Told {
    desk().judge(message, reader, NOW, &mut chance(2))
}
