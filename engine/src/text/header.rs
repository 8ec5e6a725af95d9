//! Header sections (RFC 5322 §2.2): fields, their folded bodies, and where they stand.

use alloc::vec::Vec;

use memchr::{memchr, memchr2};

/// One header field as it stands in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its name; white space before the colon, which RFC 5322 §4.5 calls obsolete, is not part of it.
    pub name: &'a [u8],
    /// Everything after the colon, folding and final line end included.
    pub raw: &'a [u8],
    /// Offset of its first octet in the section.
    pub start: usize,
    /// Offset one past its final line end.
    pub end: usize,
}

impl Field<'_> {
    /// Whether it has this name, in any case.
    #[must_use]
    pub fn is(&self, name: &[u8]) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Its body on one line, without white space around it.
    #[must_use]
    pub fn unfolded(&self) -> Vec<u8> {
        unfold(self.raw)
    }
}

/// RFC 5322 §2.2.3: takes out line ends before white space, and white space at both ends.
#[must_use]
pub fn unfold(raw: &[u8]) -> Vec<u8> {
    let body = raw.trim_ascii();
    let mut out = Vec::with_capacity(body.len());
    // Most bodies are one line.
    let mut rest = body;
    while let Some(end) = memchr2(b'\r', b'\n', rest) {
        out.extend_from_slice(&rest[..end]);
        rest = &rest[end + 1..];
    }
    out.extend_from_slice(rest);
    out
}

/// The fields of a header section. Lines that are no fields are passed over.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    section: &'a [u8],
    at: usize,
}

/// Reads a header section, which ends at its first blank line or where it ends.
#[must_use]
pub const fn fields(section: &[u8]) -> Fields<'_> {
    Fields { section, at: 0 }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        loop {
            let start = self.at;
            let mut end = line_end(self.section, start)?;
            if is_blank(&self.section[start..end]) {
                return None;
            }
            while matches!(self.section.get(end), Some(b' ' | b'\t')) {
                let Some(next) = line_end(self.section, end) else { break };
                end = next;
            }
            self.at = end;
            let whole = &self.section[start..end];
            let Some(colon) = memchr(b':', whole) else { continue };
            let name = whole[..colon].trim_ascii_end();
            if !name.is_empty() && name.iter().all(|octet| (b'!'..=b'~').contains(octet)) {
                return Some(Field { name, raw: &whole[colon + 1..], start, end });
            }
        }
    }
}

/// One past the line that begins at `at`; `None` at the end of the section.
fn line_end(section: &[u8], at: usize) -> Option<usize> {
    let rest = section.get(at..).filter(|rest| !rest.is_empty())?;
    Some(memchr(b'\n', rest).map_or(section.len(), |lf| at + lf + 1))
}

fn is_blank(line: &[u8]) -> bool {
    line == b"\r\n" || line == b"\n"
}

/// Length of the header section of a message or part, its blank line included; all of it if there is none.
#[must_use]
pub fn section_length(octets: &[u8]) -> usize {
    let mut at = 0;
    while let Some(end) = line_end(octets, at) {
        if is_blank(&octets[at..end]) {
            return end;
        }
        at = end;
    }
    octets.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folded_fields_are_one() {
        let section = b"Subject : a\r\n b\r\n\tc\r\nno field\r\nTo:\r\n\r\nbody: x\r\n";
        let all: Vec<Field<'_>> = fields(section).collect();
        assert_eq!(all.len(), 2);
        assert!(all[0].is(b"subject"));
        assert_eq!(all[0].unfolded(), b"a b\tc");
        assert_eq!(all[1].unfolded(), b"");
        assert_eq!(section_length(section), section.len() - 9);
    }
}
