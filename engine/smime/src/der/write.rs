//! Writes DER, from the inside out: each function gives one whole value.

use super::tag;

/// A value of this tag.
pub(crate) fn tlv(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 6);
    out.push(tag);
    let length = body.len().to_be_bytes();
    let significant = length.iter().position(|octet| *octet != 0).unwrap_or(length.len() - 1);
    match &length[significant..] {
        [short] if *short < 0x80 => out.push(*short),
        long => {
            out.push(0x80 | long.len() as u8);
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(body);
    out
}

/// A value of this tag with these values inside, in this order.
pub(crate) fn joined(tag: u8, values: &[&[u8]]) -> Vec<u8> {
    tlv(tag, &values.concat())
}

pub(crate) fn sequence(values: &[&[u8]]) -> Vec<u8> {
    joined(tag::SEQUENCE, values)
}

/// SET OF, in the order that DER asks for (X.690 11.6).
pub(crate) fn set_of(mut values: Vec<Vec<u8>>) -> Vec<u8> {
    values.sort_unstable();
    tlv(tag::SET, &values.concat())
}

/// An integer that is not negative, from its octets, the most significant first.
pub(crate) fn integer(octets: &[u8]) -> Vec<u8> {
    let zeros = octets.iter().take_while(|octet| **octet == 0).count();
    let mut body = Vec::with_capacity(octets.len() + 1);
    if octets.get(zeros).is_none_or(|first| *first >= 0x80) {
        body.push(0);
    }
    body.extend_from_slice(&octets[zeros..]);
    tlv(tag::INTEGER, &body)
}

/// A bit string of whole octets.
pub(crate) fn bit_string(octets: &[u8]) -> Vec<u8> {
    joined(tag::BIT_STRING, &[&[0], octets])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_integers_are_minimal() {
        assert_eq!(tlv(4, &[7; 127])[..3], [4, 127, 7]);
        assert_eq!(tlv(4, &[7; 128])[..4], [4, 0x81, 128, 7]);
        assert_eq!(tlv(4, &[7; 256])[..5], [4, 0x82, 1, 0, 7]);
        assert_eq!(integer(&[0, 0, 0x80]), [2, 2, 0, 0x80]);
        assert_eq!(integer(&[0, 5]), [2, 1, 5]);
        assert_eq!(integer(&[]), [2, 1, 0]);
    }
}
