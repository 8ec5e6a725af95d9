//! Makes definite lengths of BER's indefinite ones: programs that write signed or encrypted mail as they read it use
//! those (RFC 5652 allows BER), and the reader above would have to know two forms of everything.

use super::{Length, Malformed, header, tag, tlv};
use crate::limits::DER_DEPTH_MAX;

/// A constructed value that is being read.
struct Open {
    tag: u8,
    /// Where it ends, if it said so.
    end: Option<usize>,
    /// Its content, in definite lengths.
    content: Vec<u8>,
}

/// The first value in these octets, with definite lengths throughout. Strings in pieces stay in pieces.
pub(crate) fn normalised(octets: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut open: Vec<Open> = Vec::new();
    let mut at = 0;
    loop {
        let limit = open.iter().rev().find_map(|value| value.end).unwrap_or(octets.len());
        if let Some(innermost) = open.last() {
            let ends = innermost
                .end
                .map_or_else(|| octets[at..limit].starts_with(&[0, 0]), |end| at == end);
            if ends {
                let value = open.pop().expect("it was looked at");
                at += if value.end.is_none() { 2 } else { 0 };
                let whole = tlv(value.tag, &value.content);
                match open.last_mut() {
                    Some(outer) => outer.content.extend_from_slice(&whole),
                    None => return Ok(whole),
                }
                continue;
            }
        }
        let (tag, length, start) = header(&octets[at..limit]).ok_or(Malformed)?;
        let start = at + start;
        let end = match length {
            Length::Definite(length) => {
                Some(start.checked_add(length).filter(|end| *end <= limit).ok_or(Malformed)?)
            }
            Length::Indefinite => None,
        };
        if tag & tag::CONSTRUCTED == 0 {
            let whole = tlv(tag, &octets[start..end.ok_or(Malformed)?]);
            match open.last_mut() {
                Some(outer) => outer.content.extend_from_slice(&whole),
                None => return Ok(whole),
            }
            at = end.ok_or(Malformed)?;
        } else {
            // Each level copies what is inside of it once more, so levels bound the work too.
            if open.len() == DER_DEPTH_MAX {
                return Err(Malformed);
            }
            open.push(Open { tag, end, content: Vec::new() });
            at = start;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indefinite_lengths_become_definite() {
        let ber = [0x30, 0x80, 0x24, 0x80, 4, 1, 7, 0, 0, 0x30, 3, 2, 1, 5, 0, 0, 99];
        let der = [0x30, 10, 0x24, 3, 4, 1, 7, 0x30, 3, 2, 1, 5];
        assert_eq!(normalised(&ber).as_deref(), Ok(&der[..]));
        assert_eq!(normalised(&der).as_deref(), Ok(&der[..]));
    }

    #[test]
    fn what_never_ends_is_refused() {
        for wrong in [&[0x30, 0x80][..], &[0x30, 0x80, 0], &[0x30, 4, 0x30, 0x80, 2, 0], &[4, 0x80]]
        {
            assert_eq!(normalised(wrong), Err(Malformed), "{wrong:?}");
        }
        let deep = [0x30, 0x80].repeat(100_000);
        assert_eq!(normalised(&deep), Err(Malformed));
        let outside = [0x30, 0x80, 0x30, 9, 2, 1, 1, 0, 0];
        assert_eq!(normalised(&outside), Err(Malformed));
    }
}
