//! A message octet by octet: which of them a signature covers or encryption hides, and what flipping one makes of it.

use std::ops::Range;

use super::message::Part;

/// Octets that are shown one by one.
pub const SHOWN_MAX: usize = 12 * 1024;

/// A line of a message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Line {
    /// Its first octet.
    pub start: usize,
    /// Its octets, with the end of the line.
    pub octets: Vec<u8>,
    /// Those of them that are covered.
    pub covered: Range<usize>,
}

/// The lines of a message, as far as they are shown.
#[must_use]
pub fn lines(raw: &[u8], covered: &[Range<usize>]) -> Vec<Line> {
    let mut start = 0;
    let shown = raw.get(..SHOWN_MAX).unwrap_or(raw);
    let line = |octets: &[u8]| {
        let (from, to) = (start, start + octets.len());
        start = to;
        let within = |range: &Range<usize>| range.start.max(from)..range.end.min(to);
        let own = covered.iter().map(within).find(|range| !range.is_empty());
        let own = own.map_or(0..0, |range| range.start - from..range.end - from);
        Line { start: from, octets: octets.to_vec(), covered: own }
    };
    shown.split_inclusive(|octet| *octet == b'\n').map(line).collect()
}

/// How an octet is shown where it stands alone: CR as what it did to a carriage, LF to paper.
#[must_use]
pub fn shown(octet: u8) -> char {
    match octet {
        b'\r' => '←',
        b'\n' => '↓',
        octet => super::lines::shown(octet),
    }
}

/// The message with the lowest bit of one octet flipped; doing so again puts it back.
#[must_use]
pub fn flipped(raw: &[u8], at: usize) -> Vec<u8> {
    let mut out = raw.to_vec();
    if let Some(octet) = out.get_mut(at) {
        *octet ^= 1;
    }
    out
}

/// An octet in words: its place, itself, and what stands there.
#[must_use]
pub fn told(raw: &[u8], at: usize) -> String {
    let Some(octet) = raw.get(at) else { return "there is no octet".to_owned() };
    let picture = match octet {
        b' ' => "space".to_owned(),
        b'\r' => "CR".to_owned(),
        b'\n' => "LF".to_owned(),
        b'!'..=b'~' => format!("“{}”", char::from(*octet)),
        _ => "no letter".to_owned(),
    };
    format!("octet {at} of {}: {picture}, {octet:02X}", raw.len())
}

/// Whether something in a message says that it is signed or encrypted, so that it is worth a look.
#[must_use]
pub fn is_protected(parts: &[Part]) -> bool {
    parts.iter().any(|part| part.text.contains("pkcs7-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_know_which_of_their_octets_are_covered() {
        let raw = b"a: b\r\n\r\none\r\ntwo\r\n";
        let lines = lines(raw, std::slice::from_ref(&(8..16)));
        let seen: Vec<_> = lines
            .iter()
            .map(|line| (line.start, line.octets.len(), line.covered.clone()))
            .collect();
        assert_eq!(seen, [(0, 6, 0..0), (6, 2, 0..0), (8, 5, 0..5), (13, 5, 0..3)]);
        let whole: Vec<u8> = lines.iter().flat_map(|line| line.octets.clone()).collect();
        assert_eq!(whole, raw);
    }

    #[test]
    fn no_more_is_shown_than_can_be() {
        let raw = vec![b'x'; SHOWN_MAX + 1];
        assert_eq!(lines(&raw, std::slice::from_ref(&(0..raw.len())))[0].octets.len(), SHOWN_MAX);
        assert_eq!(lines(b"", &[]), []);
    }

    #[test]
    fn an_octet_flipped_twice_is_itself() {
        assert_eq!(flipped(b"kg", 0), b"jg");
        assert_eq!(flipped(&flipped(b"kg", 1), 1), b"kg");
        assert_eq!(flipped(b"kg", 2), b"kg");
        assert_eq!(told(b"kg", 0), "octet 0 of 2: “k”, 6B");
    }
}
