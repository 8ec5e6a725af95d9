//! Numbers and texts as octets, and octets as characters that a link may hold.

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

#[derive(Default)]
pub(super) struct Writer {
    pub(super) octets: Vec<u8>,
}

impl Writer {
    /// Seven bits an octet, the lowest first; the eighth says that more follow.
    pub(super) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.octets.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.octets.push(number as u8);
    }

    pub(super) fn truth(&mut self, truth: bool) {
        self.number(u64::from(truth));
    }

    pub(super) fn octets(&mut self, octets: &[u8]) {
        self.number(octets.len() as u64);
        self.octets.extend_from_slice(octets);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.octets(text.as_bytes());
    }

    /// A number that may be missing.
    pub(super) fn maybe(&mut self, number: Option<u64>) {
        self.number(number.map_or(0, |number| number.saturating_add(1)));
    }

    pub(super) fn each<T>(&mut self, all: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.number(all.len() as u64);
        all.iter().for_each(|one| write(self, one));
    }
}

pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        let (mut number, mut shift) = (0_u64, 0);
        loop {
            let (octet, rest) = self.rest.split_first()?;
            self.rest = rest;
            let part = u64::from(octet & 0x7f);
            // Ten groups are seventy bits, of which the last has one that counts.
            if shift > 63 || (shift == 63 && part > 1) {
                return None;
            }
            number |= part << shift;
            if octet & 0x80 == 0 {
                return Some(number);
            }
            shift += 7;
        }
    }

    pub(super) fn small<T: TryFrom<u64>>(&mut self) -> Option<T> {
        T::try_from(self.number()?).ok()
    }

    pub(super) fn truth(&mut self) -> Option<bool> {
        match self.number()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    pub(super) fn octets(&mut self) -> Option<Vec<u8>> {
        let length = usize::try_from(self.number()?).ok()?;
        let (octets, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(octets.to_vec())
    }

    pub(super) fn text(&mut self) -> Option<String> {
        String::from_utf8(self.octets()?).ok()
    }

    pub(super) fn maybe(&mut self) -> Option<Option<u64>> {
        Some(self.number()?.checked_sub(1))
    }

    pub(super) fn each<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let count = usize::try_from(self.number()?).ok()?;
        // Each takes an octet at least, so there are no more than octets are left.
        if count > self.rest.len() {
            return None;
        }
        (0..count).map(|_| read(self)).collect()
    }
}

/// RFC 4648 §5, without padding.
pub(super) fn base64(octets: &[u8]) -> String {
    let mut out = String::with_capacity(octets.len().div_ceil(3) * 4);
    for group in octets.chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, octet| bits << 8 | u32::from(*octet));
        let bits = bits << (8 * (3 - group.len()));
        for place in 0..=group.len() {
            out.push(char::from(DIGITS[(bits >> (18 - 6 * place) & 63) as usize]));
        }
    }
    out
}

pub(super) fn unbase64(text: &str) -> Option<Vec<u8>> {
    let digit = |octet: u8| match octet {
        b'A'..=b'Z' => Some(octet - b'A'),
        b'a'..=b'z' => Some(octet - b'a' + 26),
        b'0'..=b'9' => Some(octet - b'0' + 52),
        b'-' => Some(62),
        b'_' => Some(63),
        _ => None,
    };
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for group in text.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for octet in group {
            bits = bits << 6 | u32::from(digit(*octet)?);
        }
        bits <<= 6 * (4 - group.len());
        match group.len() {
            // One character is less than an octet.
            1 => return None,
            length => out.extend_from_slice(&bits.to_be_bytes()[1..length]),
        }
    }
    // Bits that stand for nothing are zero, so that one tape has one link.
    (base64(&out) == text).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let mut out = Writer::default();
        for number in [0, 1, 127, 128, 300, u64::MAX - 1, u64::MAX] {
            out.number(number);
        }
        out.text("Crème");
        out.maybe(None);
        out.maybe(Some(7));
        let text = base64(&out.octets);
        let octets = unbase64(&text).expect("it was just made");
        let mut reader = Reader::new(&octets);
        for number in [0, 1, 127, 128, 300, u64::MAX - 1, u64::MAX] {
            assert_eq!(reader.number(), Some(number));
        }
        assert_eq!(reader.text().as_deref(), Some("Crème"));
        assert_eq!((reader.maybe(), reader.maybe()), (Some(None), Some(Some(7))));
        assert!(reader.is_empty());
        for length in 0..20_u8 {
            let octets: Vec<u8> = (0..length).map(|at: u8| at.wrapping_mul(37)).collect();
            assert_eq!(unbase64(&base64(&octets)), Some(octets));
        }
        assert_eq!(Reader::new(&[0xff; 11]).number(), None);
        for bad in ["A", "AB=", "A!", "AB", "é"] {
            assert!(unbase64(bad).is_none_or(|octets| base64(&octets) == bad), "{bad}");
        }
    }
}
