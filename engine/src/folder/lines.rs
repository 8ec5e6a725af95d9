//! Line ends of files: LF there, CRLF in a message that is stored. A line of any length takes bounded memory.

use alloc::vec::Vec;

use memchr::memchr;

/// Octets of a line that are looked at together; more of it comes in pieces.
pub(super) const HELD_MAX: usize = 4096;

/// A line, or a piece of a long one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    /// Without its line end.
    pub(super) octets: &'a [u8],
    /// The line begins here.
    pub(super) first: bool,
    /// The line ends here; at the end of a file without one it does not.
    pub(super) last: bool,
}

/// Cuts octets into lines, which end with LF or CRLF.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    held: Vec<u8>,
    /// A piece of this line was given already.
    inside: bool,
}

impl Lines {
    /// Takes octets, however they are cut.
    pub(super) fn take(&mut self, octets: &[u8], mut each: impl FnMut(Piece<'_>)) {
        let mut rest = octets;
        while let Some(end) = memchr(b'\n', rest) {
            let (line, more) = (&rest[..end], &rest[end + 1..]);
            rest = more;
            let first = !core::mem::take(&mut self.inside);
            if self.held.is_empty() {
                each(Piece { octets: without_cr(line), first, last: true });
            } else {
                self.held.extend_from_slice(line);
                each(Piece { octets: without_cr(&self.held), first, last: true });
                self.held.clear();
            }
        }
        self.held.extend_from_slice(rest);
        if self.held.len() > HELD_MAX {
            // Its last CR may be half of a line end.
            let keep = self.held.ends_with(b"\r");
            let octets = without_cr(&self.held);
            each(Piece { octets, first: !self.inside, last: false });
            self.inside = true;
            self.held.clear();
            if keep {
                self.held.push(b'\r');
            }
        }
    }

    /// Gives what is left of a line without an end; false if there is none.
    pub(super) fn finish(&mut self, mut each: impl FnMut(Piece<'_>)) -> bool {
        let inside = core::mem::take(&mut self.inside);
        let held = core::mem::take(&mut self.held);
        if held.is_empty() && !inside {
            return false;
        }
        each(Piece { octets: &held, first: !inside, last: false });
        true
    }
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Makes every line end CRLF, as messages are stored.
#[derive(Clone, Debug, Default)]
pub struct ToCrlf(Lines);

impl ToCrlf {
    /// Takes the file's next octets.
    pub fn take(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        self.0.take(octets, |piece| push(piece, b"\r\n", out));
    }

    /// The file is over.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.0.finish(|piece| push(piece, b"\r\n", out));
    }
}

/// Makes every line end LF, as files of this system have it.
#[derive(Clone, Debug, Default)]
pub struct ToLf(Lines);

impl ToLf {
    /// Takes the message's next octets.
    pub fn take(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        self.0.take(octets, |piece| push(piece, b"\n", out));
    }

    /// The message is over.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.0.finish(|piece| push(piece, b"\n", out));
    }
}

fn push(piece: Piece<'_>, end: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(piece.octets);
    if piece.last {
        out.extend_from_slice(end);
    }
}
