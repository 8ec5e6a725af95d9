//! Surrogates: messages whose header fields have UTF-8 in them (RFC 6532), for readers that were made before that
//! (RFC 6855 §7, RFC 6856 §2.1). Words become encoded words, values of parameters take the form of RFC 2231, domains
//! that of IDNA. An address that has no form in ASCII is shown, in the name, beside one that leads nowhere (RFC 2606 §2):
//! nobody can answer it, and no stranger gets the answer. Identifiers that would become others go. Content stays as it is.

mod section;
mod value;

use alloc::vec::Vec;

use super::walk::{Piece, Walker};
pub(crate) use value::{address, parameters, text, token};

/// Makes the surrogate of a message that comes in pieces, in the memory of one header section and one line.
///
/// In a header section of more than 256 KiB, behind the ten thousandth, and from there on, octets above ASCII become
/// question marks.
#[derive(Debug)]
pub struct Surrogate {
    walker: Walker,
    lost: bool,
    changed: bool,
}

impl Default for Surrogate {
    fn default() -> Self {
        Self::new()
    }
}

impl Surrogate {
    /// Before the first octet.
    #[must_use]
    pub fn new() -> Self {
        Self { walker: Walker::new(), lost: false, changed: false }
    }

    /// Whether it differs from the message so far.
    #[must_use]
    pub const fn is_changed(&self) -> bool {
        self.changed
    }

    /// Takes the next octets and adds what they become.
    pub fn take(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        let mut rest = octets;
        if !self.lost {
            let changed = &mut self.changed;
            rest = self.walker.take(octets, &mut |piece| *changed |= write(&piece, out));
            self.give_up_if_lost(out);
        }
        self.changed |= put_ascii(rest, out);
    }

    /// The message is over: adds what was held back.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let changed = &mut self.changed;
        let mut sink = |piece: Piece<'_>| *changed |= write(&piece, out);
        if !self.lost && self.walker.finish(&mut sink).is_err() {
            self.give_up_if_lost(out);
        }
    }

    fn give_up_if_lost(&mut self, out: &mut Vec<u8>) {
        if let Some(held) = self.walker.held() {
            self.lost = true;
            self.changed |= put_ascii(&held, out);
        }
    }
}

/// Adds a piece; whether it was changed.
fn write(piece: &Piece<'_>, out: &mut Vec<u8>) -> bool {
    match piece {
        Piece::Header(_, section) if !section.is_ascii() => {
            section::write(section, out);
            true
        }
        Piece::Header(_, octets) | Piece::Body(octets) | Piece::Frame(octets) => {
            out.extend_from_slice(octets);
            false
        }
        Piece::BodyEnd => false,
    }
}

/// Adds octets with a question mark for each above ASCII; whether there were any.
fn put_ascii(octets: &[u8], out: &mut Vec<u8>) -> bool {
    out.extend(octets.iter().map(|octet| if octet.is_ascii() { *octet } else { b'?' }));
    !octets.is_ascii()
}

#[cfg(test)]
mod tests;
