//! A composed message as octets that can be had from any place on, without the files in it ever being held.
//! The files' octets belong to the host: here it is told which of them a range needs, and what they become.

use alloc::vec::Vec;

use crate::text::base64;

/// RFC 2045 §6.8: octets of a file that make one line of base64.
const LINE_IN: u64 = 57;
/// Octets of that line, CRLF included.
const LINE_OUT: u64 = 78;

/// A part of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// As it stands.
    Octets(Vec<u8>),
    /// The file of this number in base64.
    File { file: usize, size: u64 },
}

impl Segment {
    fn length(&self) -> u64 {
        match self {
            Self::Octets(octets) => octets.len() as u64,
            Self::File { size, .. } => encoded_length(*size),
        }
    }
}

/// A message that is ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Composed {
    segments: Vec<Segment>,
    size: u64,
    needs_utf8: bool,
    plain: bool,
}

/// What a range of a message is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// These octets.
    Octets(&'a [u8]),
    /// Part of a file, encoded.
    File(FilePiece),
}

/// Part of a file, and what of its encoded form is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilePiece {
    /// The file, by its number in the order inline files, attachments.
    pub file: usize,
    /// The first octet of the file that is needed.
    pub start: u64,
    /// How many are needed.
    pub length: u64,
    skip: usize,
    take: usize,
}

impl FilePiece {
    /// What the file's octets become; `octets` are those of the piece. The length of the result is right even if the
    /// file has shrunk since, and the missing octets are zero: whoever reads it must compare `octets` with `length`.
    #[must_use]
    pub fn encode(&self, octets: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.skip + self.take + 2);
        for line in octets.chunks(LINE_IN as usize) {
            out.extend_from_slice(&base64::encode(line));
            out.extend_from_slice(b"\r\n");
        }
        out.resize((self.skip + self.take).max(out.len()), 0);
        out.drain(..self.skip);
        out.truncate(self.take);
        out
    }
}

impl Composed {
    pub(super) fn new(segments: Vec<Segment>, needs_utf8: bool) -> Self {
        let size = segments.iter().map(Segment::length).sum();
        let dot = |segment: &Segment| match segment {
            Segment::Octets(octets) => has_leading_dot(octets),
            Segment::File { .. } => false,
        };
        let plain = !segments.iter().any(dot);
        Self { segments, size, needs_utf8, plain }
    }

    /// Octets of the message. Its lines end with CRLF, the last one too.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether an address needs SMTPUTF8 (RFC 6531); everything else is ASCII.
    #[must_use]
    pub fn needs_utf8(&self) -> bool {
        self.needs_utf8
    }

    /// Whether no line begins with a dot, so that it can be sent as it is.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.plain
    }

    /// The pieces of a range, in order; of what lies behind the end there is none.
    #[must_use]
    pub fn pieces(&self, offset: u64, length: u64) -> Vec<Piece<'_>> {
        let end = offset.saturating_add(length).min(self.size);
        let mut out = Vec::new();
        let mut at = 0;
        for segment in &self.segments {
            let (first, last) = (at, at + segment.length());
            at = last;
            let (from, to) = (offset.max(first), end.min(last));
            if from < to {
                out.push(piece(segment, from - first, to - first));
            }
        }
        out
    }
}

/// The octets `from..to` of a segment, which lie within it.
fn piece(segment: &Segment, from: u64, to: u64) -> Piece<'_> {
    match segment {
        // A segment that is held is no longer than memory.
        Segment::Octets(octets) => Piece::Octets(&octets[from as usize..to as usize]),
        Segment::File { file, size } => {
            let first_line = from / LINE_OUT;
            let start = first_line * LINE_IN;
            let length = (to.div_ceil(LINE_OUT) * LINE_IN).min(*size) - start;
            // Less than a line, and no more than was asked for.
            let (skip, take) = ((from - first_line * LINE_OUT) as usize, (to - from) as usize);
            Piece::File(FilePiece { file: *file, start, length, skip, take })
        }
    }
}

/// Octets of a file in base64, the last line's end included.
fn encoded_length(size: u64) -> u64 {
    size.div_ceil(3) * 4 + size.div_ceil(LINE_IN) * 2
}

fn has_leading_dot(octets: &[u8]) -> bool {
    octets.starts_with(b".") || memchr::memmem::find(octets, b"\n.").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(composed: &Composed, file: &[u8], step: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let mut at = 0;
        while at < composed.size() {
            for piece in composed.pieces(at, step) {
                match piece {
                    Piece::Octets(octets) => out.extend_from_slice(octets),
                    Piece::File(piece) => {
                        let start = piece.start as usize;
                        let needed = &file[start..start + piece.length as usize];
                        assert!(needed.len() as u64 <= step + 2 * LINE_IN);
                        out.extend(piece.encode(needed));
                    }
                }
            }
            at += step;
        }
        out
    }

    #[test]
    fn any_range_is_what_it_is_in_the_whole() {
        for size in [0, 1, 2, 3, 56, 57, 58, 113, 114, 115, 171, 1000] {
            let file: Vec<u8> = (0..size).map(|number: u32| (number * 7) as u8).collect();
            let segments = alloc::vec![
                Segment::Octets(b"before\r\n".to_vec()),
                Segment::File { file: 0, size: u64::from(size) },
                Segment::Octets(b"after\r\n".to_vec()),
            ];
            let composed = Composed::new(segments, false);
            let whole = read(&composed, &file, u64::MAX / 4);
            assert_eq!(whole.len() as u64, composed.size());
            let lines: Vec<u8> =
                whole[8..whole.len() - 7].split(|o| *o == b'\n').flatten().copied().collect();
            let bare: Vec<u8> = lines.into_iter().filter(|octet| *octet != b'\r').collect();
            assert_eq!(bare, base64::encode(&file));
            for step in [1, 2, 3, 7, 77, 78, 79, 156, 500] {
                assert_eq!(read(&composed, &file, step), whole, "{size} in pieces of {step}");
            }
            assert!(composed.pieces(composed.size(), 10).is_empty());
        }
    }

    #[test]
    fn a_file_that_shrank_does_not_shift_the_rest() {
        let segments = alloc::vec![Segment::File { file: 0, size: 100 }];
        let composed = Composed::new(segments, false);
        let pieces = composed.pieces(0, u64::MAX);
        let [Piece::File(piece)] = pieces[..] else { panic!("one file: {pieces:?}") };
        assert_eq!(piece.encode(&[1; 10]).len() as u64, composed.size());
    }

    #[test]
    fn dots_are_found() {
        let plain = |text: &[u8]| {
            Composed::new(alloc::vec![Segment::Octets(text.to_vec())], false).is_plain()
        };
        assert!(plain(b"a.\r\nb"));
        assert!(!plain(b"a\r\n.b"));
        assert!(!plain(b".a"));
    }
}
