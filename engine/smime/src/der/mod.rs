//! DER (ITU-T X.690) as far as certificates and signed or encrypted mail need it: read without copying, and written.
//! What values mean is left to the modules above; BER of other programs is made DER by `ber` before it comes here.

mod ber;
pub(crate) mod oid;
mod time;
mod write;

use std::borrow::Cow;

pub(crate) use ber::normalised;
pub(crate) use time::{parse_time, time};
pub(crate) use write::{bit_string, integer, joined, sequence, set_of, tlv};

use crate::limits::DER_DEPTH_MAX;

/// Tags that are used; constructed ones have the sixth bit.
pub(crate) mod tag {
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const NULL: u8 = 0x05;
    pub(crate) const OID: u8 = 0x06;
    pub(crate) const UTF8_STRING: u8 = 0x0C;
    pub(crate) const UTC_TIME: u8 = 0x17;
    pub(crate) const GENERALIZED_TIME: u8 = 0x18;
    pub(crate) const BMP_STRING: u8 = 0x1E;
    pub(crate) const CONSTRUCTED: u8 = 0x20;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;

    /// `[number]` of a constructed or EXPLICIT value.
    pub(crate) const fn context(number: u8) -> u8 {
        0xA0 | number
    }

    /// `[number]` IMPLICIT of a primitive value.
    pub(crate) const fn primitive(number: u8) -> u8 {
        0x80 | number
    }
}

/// Octets that are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// One value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tlv<'a> {
    pub(crate) tag: u8,
    pub(crate) body: &'a [u8],
    /// Tag, length and body.
    pub(crate) whole: &'a [u8],
}

/// Reads values one after another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Nothing is left.
    pub(crate) fn end(&self) -> Result<(), Malformed> {
        if self.is_empty() { Ok(()) } else { Err(Malformed) }
    }

    pub(crate) fn is(&self, tag: u8) -> bool {
        self.rest.first() == Some(&tag)
    }

    /// The next value, whatever it is.
    pub(crate) fn any(&mut self) -> Result<Tlv<'a>, Malformed> {
        let (tag, length, start) = header(self.rest).ok_or(Malformed)?;
        let Length::Definite(length) = length else { return Err(Malformed) };
        let end = start.checked_add(length).ok_or(Malformed)?;
        let body = self.rest.get(start..end).ok_or(Malformed)?;
        let whole = &self.rest[..end];
        self.rest = &self.rest[end..];
        Ok(Tlv { tag, body, whole })
    }

    /// The body of the next value, which has this tag.
    pub(crate) fn take(&mut self, tag: u8) -> Result<&'a [u8], Malformed> {
        if self.is(tag) { Ok(self.any()?.body) } else { Err(Malformed) }
    }

    /// The same, where the value may be missing.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<&'a [u8]>, Malformed> {
        if self.is(tag) { Ok(Some(self.any()?.body)) } else { Ok(None) }
    }

    /// What is inside of the next value, which has this tag.
    pub(crate) fn inside(&mut self, tag: u8) -> Result<Self, Malformed> {
        self.take(tag).map(Self::new)
    }

    pub(crate) fn sequence(&mut self) -> Result<Self, Malformed> {
        self.inside(tag::SEQUENCE)
    }

    /// An integer that is not negative, without the zero that may stand before it.
    pub(crate) fn unsigned(&mut self) -> Result<&'a [u8], Malformed> {
        match self.take(tag::INTEGER)? {
            [] => Err(Malformed),
            [0, rest @ ..] => Ok(rest),
            [first, ..] if *first >= 0x80 => Err(Malformed),
            body => Ok(body),
        }
    }

    /// An integer of at most 32 bits.
    pub(crate) fn small(&mut self) -> Result<u32, Malformed> {
        let octets = self.unsigned()?;
        if octets.len() > 4 {
            return Err(Malformed);
        }
        Ok(octets.iter().fold(0, |number, &octet| number << 8 | u32::from(octet)))
    }

    /// A bit string of whole octets.
    pub(crate) fn bits(&mut self) -> Result<&'a [u8], Malformed> {
        self.take(tag::BIT_STRING)?.strip_prefix(&[0]).ok_or(Malformed)
    }

    /// An octet string under this (primitive) tag: in one piece, or in the pieces that BER allows.
    pub(crate) fn octets(&mut self, primitive: u8) -> Result<Cow<'a, [u8]>, Malformed> {
        let value = self.any()?;
        if value.tag == primitive {
            return Ok(Cow::Borrowed(value.body));
        }
        if value.tag != primitive | tag::CONSTRUCTED {
            return Err(Malformed);
        }
        let mut out = Vec::with_capacity(value.body.len());
        let mut open = vec![Reader::new(value.body)];
        while let Some(reader) = open.last_mut() {
            if reader.is_empty() {
                open.pop();
                continue;
            }
            let piece = reader.any()?;
            if piece.tag == tag::OCTET_STRING {
                out.extend_from_slice(piece.body);
            } else if piece.tag == tag::OCTET_STRING | tag::CONSTRUCTED
                && open.len() < DER_DEPTH_MAX
            {
                open.push(Reader::new(piece.body));
            } else {
                return Err(Malformed);
            }
        }
        Ok(Cow::Owned(out))
    }
}

/// How long a value says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Definite(usize),
    /// Until the end-of-contents octets (X.690 8.1.3.6), which only BER has.
    Indefinite,
}

/// Tag, length, and where the body begins. Tags of several octets occur in nothing that is read here.
fn header(octets: &[u8]) -> Option<(u8, Length, usize)> {
    let (&tag, rest) = octets.split_first()?;
    if tag & 0x1F == 0x1F {
        return None;
    }
    let (&first, rest) = rest.split_first()?;
    match first {
        0..=0x7F => Some((tag, Length::Definite(first.into()), 2)),
        0x80 => Some((tag, Length::Indefinite, 2)),
        // Four octets say four gigabytes; no message is as large.
        0x81..=0x84 => {
            let count = usize::from(first & 0x7F);
            let length = rest.get(..count)?.iter().try_fold(0usize, |length, &octet| {
                length.checked_mul(256)?.checked_add(octet.into())
            })?;
            Some((tag, Length::Definite(length), 2 + count))
        }
        _ => None,
    }
}

/// The object identifier that an AlgorithmIdentifier begins with, and its parameters.
pub(crate) fn algorithm(body: &[u8]) -> Result<(&[u8], Option<Tlv<'_>>), Malformed> {
    let mut reader = Reader::new(body);
    let name = reader.take(tag::OID)?;
    let parameters = if reader.is_empty() { None } else { Some(reader.any()?) };
    reader.end()?;
    Ok((name, parameters))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_and_bounded() {
        let mut reader = Reader::new(&[0x30, 3, 2, 1, 5, 4, 0x81, 1, 9]);
        let mut inner = reader.sequence().expect("a sequence");
        assert_eq!(inner.small(), Ok(5));
        assert_eq!(inner.end(), Ok(()));
        assert_eq!(reader.octets(tag::OCTET_STRING).as_deref(), Ok(&[9][..]));
        for wrong in [&[0x30][..], &[0x30, 1], &[0x30, 0x80, 0, 0], &[0x1F, 0x81, 1, 0], &[4, 0x85]]
        {
            assert!(Reader::new(wrong).any().is_err(), "{wrong:?}");
        }
        assert!(Reader::new(&[2, 1, 0x80]).unsigned().is_err(), "negative");
    }

    #[test]
    fn strings_in_pieces_are_one() {
        let pieces = [0x24, 8, 4, 1, 1, 0x24, 3, 4, 1, 2];
        let joined = Reader::new(&pieces).octets(tag::OCTET_STRING);
        assert_eq!(joined.as_deref(), Ok(&[1, 2][..]));
    }
}
