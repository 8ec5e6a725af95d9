//! Octets on their way from a stored message to a response that is not their plain range:
//! some fields of a header section, or a part with its transfer encoding undone.

use alloc::vec::Vec;

use super::item::Fields;
use crate::text::transfer::Decoder;

/// What octets pass through.
#[derive(Clone, Debug)]
pub(crate) enum Sieve {
    Fields(FieldSieve),
    Transfer(Decoder),
}

impl Sieve {
    pub(crate) fn fields(fields: Fields) -> Self {
        Self::Fields(FieldSieve::new(fields))
    }

    /// Undoes a transfer encoding; `None` if it is unknown.
    pub(crate) fn decoder(encoding: &[u8]) -> Option<Self> {
        Decoder::new(encoding).map(Self::Transfer)
    }

    /// Takes the next piece and adds what comes out.
    pub(crate) fn pass(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Fields(sieve) => sieve.pass(piece, out),
            Self::Transfer(decoder) => decoder.decode(piece, out),
        }
    }

    /// There is no more.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        match self {
            // RFC 9051 §6.4.5.1: the blank line after the header is part of every subset.
            Self::Fields(_) => out.extend_from_slice(b"\r\n"),
            Self::Transfer(decoder) => decoder.finish(out),
        }
    }
}

/// Longest field name that can be asked for; a longer one in a message matches nothing.
const NAME_MAX: usize = 256;

/// Picks fields out of a header section that comes in pieces of any size.
#[derive(Clone, Debug)]
pub(crate) struct FieldSieve {
    fields: Fields,
    line: LinePart,
    /// The name of a field as far as it has come.
    name: Vec<u8>,
    /// Whether the field that runs is taken.
    taking: bool,
}

/// Where in a line the next octet stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LinePart {
    Start,
    Name,
    Rest,
}

impl FieldSieve {
    pub(crate) fn new(mut fields: Fields) -> Self {
        // Looked up for each field of a header, and a client may name very many.
        fields.names.iter_mut().for_each(|name| name.make_ascii_lowercase());
        crate::order::sort(&mut fields.names);
        Self { fields, line: LinePart::Start, name: Vec::new(), taking: false }
    }

    /// Takes the next piece and adds what passes.
    pub(crate) fn pass(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let mut rest = piece;
        while let Some(&octet) = rest.first() {
            if self.line == LinePart::Start {
                // RFC 5322 §2.2.3: white space goes on with the field before.
                self.line =
                    if matches!(octet, b' ' | b'\t') { LinePart::Rest } else { LinePart::Name };
                continue;
            }
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
            if self.line == LinePart::Name {
                let name = &rest[..end];
                let colon = name.iter().position(|&o| o == b':');
                let used = colon.map_or(end, |at| at + 1);
                let kept = used.min((NAME_MAX + 1).saturating_sub(self.name.len()));
                self.name.extend_from_slice(&rest[..kept]);
                if colon.is_some() {
                    self.decide(used > kept);
                    if self.taking {
                        out.extend_from_slice(&self.name);
                    }
                    self.line = LinePart::Rest;
                } else if rest[end - 1] == b'\n' {
                    // A line without colon is no field; nor is what goes on with it.
                    self.taking = false;
                    self.line = LinePart::Start;
                }
                if self.line != LinePart::Name {
                    self.name.clear();
                }
                rest = &rest[used..];
                continue;
            }
            if self.taking {
                out.extend_from_slice(&rest[..end]);
            }
            if rest[end - 1] == b'\n' {
                self.line = LinePart::Start;
            }
            rest = &rest[end..];
        }
    }

    fn decide(&mut self, too_long: bool) {
        let name = self.name.strip_suffix(b":").unwrap_or(&self.name).trim_ascii_end();
        let named = self.fields.names.binary_search(&name.to_ascii_lowercase()).is_ok();
        self.taking = !too_long && named != self.fields.not;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    const HEADER: &[u8] =
        b"From: a\r\nnot a field\r\n of any kind\r\nSubject : b\r\n\tc\r\nX: y\r\nfrom:z\r\n\r\n";

    fn passed(names: &[&str], not: bool, size: usize) -> Vec<u8> {
        let names = names.iter().map(|name| name.as_bytes().to_vec()).collect();
        let mut sieve = FieldSieve::new(Fields { names, not });
        let mut out = vec![];
        HEADER.chunks(size).for_each(|piece| sieve.pass(piece, &mut out));
        out
    }

    #[test]
    fn fields_pass_whole_however_they_come() {
        for size in 1..HEADER.len() {
            assert_eq!(passed(&["FROM"], false, size), b"From: a\r\nfrom:z\r\n");
            assert_eq!(passed(&["subject", "q"], false, size), b"Subject : b\r\n\tc\r\n");
            assert_eq!(passed(&["FROM"], true, size), b"Subject : b\r\n\tc\r\nX: y\r\n");
            assert_eq!(passed(&["none"], false, size), b"");
        }
    }
}
