//! Numbers as text. The general way of making text of numbers takes several times as long, and replies are full of them.

use alloc::vec::Vec;

/// Digits of the largest number.
pub const DIGITS_MAX: usize = 20;

/// Puts a number in decimal behind what is there.
pub fn push_decimal(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0; DIGITS_MAX];
    let (mut at, mut rest) = (DIGITS_MAX, number);
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// A number in decimal.
#[must_use]
pub fn decimal(number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    push_decimal(&mut out, number);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_as_the_general_way_has_it() {
        let mut number = u64::MAX;
        while number > 0 {
            assert_eq!(decimal(number), alloc::format!("{number}").into_bytes());
            number /= 3;
        }
        assert_eq!(decimal(0), b"0");
    }
}
