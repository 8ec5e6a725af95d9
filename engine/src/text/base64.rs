//! Base64 (RFC 4648 §4), strict: for SASL, where a second reading of the same octets would be a hole.

use alloc::vec::Vec;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Encodes octets, with padding.
#[must_use]
pub fn encode(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len().div_ceil(3) * 4);
    for group in octets.chunks(3) {
        let joined = group.iter().fold(0u32, |joined, &octet| joined << 8 | u32::from(octet));
        let joined = joined << (8 * (3 - group.len()));
        for at in 0..4 {
            if at <= group.len() {
                out.push(ALPHABET[(joined >> (18 - 6 * at) & 63) as usize]);
            } else {
                out.push(b'=');
            }
        }
    }
    out
}

/// Decodes; `None` unless it is exactly what [`encode`] writes.
#[must_use]
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let groups = text.len() / 4;
    for (at, group) in text.chunks(4).enumerate() {
        let padding = group.iter().rev().take_while(|&&octet| octet == b'=').count();
        if padding > 2 || (padding > 0 && at + 1 < groups) {
            return None;
        }
        let mut joined = 0u32;
        for &octet in &group[..4 - padding] {
            joined = joined << 6 | u32::from(value(octet)?);
        }
        joined <<= 6 * padding;
        let octets = joined.to_be_bytes();
        // Bits below the last octet must be zero, or two texts would mean the same.
        if octets[4 - padding..].iter().any(|&octet| octet != 0) {
            return None;
        }
        out.extend_from_slice(&octets[1..4 - padding]);
    }
    Some(out)
}

/// The whole octets in a run of base64 characters, without padding; other characters are passed over.
#[must_use]
pub fn bits(run: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(run.len() * 3 / 4);
    let (mut joined, mut count) = (0u32, 0u32);
    for digit in run.iter().filter_map(|&octet| value(octet)) {
        joined = (joined << 6 | u32::from(digit)) & 0xFFFF;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((joined >> count & 0xFF) as u8);
        }
    }
    out
}

/// The value of one character.
pub(crate) fn value(octet: u8) -> Option<u8> {
    match octet {
        b'A'..=b'Z' => Some(octet - b'A'),
        b'a'..=b'z' => Some(octet - b'a' + 26),
        b'0'..=b'9' => Some(octet - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        let octets: Vec<u8> = (0..=255).collect();
        for end in 0..octets.len() {
            assert_eq!(decode(&encode(&octets[..end])).as_deref(), Some(&octets[..end]));
        }
        assert_eq!(encode(b"\0ann\0secret"), b"AGFubgBzZWNyZXQ=");
    }

    #[test]
    fn there_is_one_way_to_write_each_text() {
        let wrong: [&[u8]; 7] = [b"A", b"AA", b"AB==", b"AAB=", b"A===", b"AA==AAAA", b"AA-A"];
        for text in wrong {
            assert_eq!(decode(text), None, "{}", text.escape_ascii());
        }
    }
}
