//! Charsets by the tables of `encoding_rs`: the Encoding Standard, without looking for a byte order mark.

use alloc::boxed::Box;
use alloc::string::String;

use encoding_rs::{DecoderResult, UTF_8, WINDOWS_1252};

/// One encoding.
pub(super) struct Encoding(&'static encoding_rs::Encoding);

/// What a label means; none means an encoding that is not to be decoded.
pub(super) fn encoding(label: &[u8]) -> Option<Encoding> {
    encoding_rs::Encoding::for_label_no_replacement(label).map(Encoding)
}

pub(super) fn utf_8() -> Encoding {
    Encoding(UTF_8)
}

pub(super) fn windows_1252() -> Encoding {
    Encoding(WINDOWS_1252)
}

impl Encoding {
    pub(super) fn is_windows_1252(&self) -> bool {
        self.0 == WINDOWS_1252
    }

    /// Decodes whole text.
    pub(super) fn decode(self, octets: &[u8]) -> String {
        let (text, _) = self.0.decode_without_bom_handling(octets);
        text.into_owned()
    }

    /// A decoder for text that comes in pieces.
    pub(super) fn pieces(self) -> Pieces {
        Pieces(Box::new(self.0.new_decoder_without_bom_handling()))
    }
}

/// Decodes text that comes in pieces.
pub(super) struct Pieces(Box<encoding_rs::Decoder>);

impl Pieces {
    pub(super) fn decode(&mut self, octets: &[u8], last: bool, out: &mut String) {
        let mut rest = octets;
        loop {
            let needed = self.0.max_utf8_buffer_length_without_replacement(rest.len());
            out.reserve(needed.unwrap_or(rest.len() * 3 + 16));
            let (result, read) = self.0.decode_to_string_without_replacement(rest, out, last);
            rest = &rest[read..];
            match result {
                DecoderResult::InputEmpty => return,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => out.push('\u{FFFD}'),
            }
        }
    }
}
