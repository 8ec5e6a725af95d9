//! What characters are made of, by surroundings that know it already, as every browser does: the tables are an eightieth
//! of a page's first load.

// A program that knows characters has the standard library too, and without it nothing can be given once and safely.
extern crate std;

use alloc::string::String;
use std::sync::OnceLock;

/// Who knows.
#[derive(Clone, Copy, Debug)]
pub struct Given {
    /// The compatibility decomposition (NFKD) of a character: itself if it has none.
    pub decomposed: fn(char) -> String,
    /// Whether a character is of the general category M.
    pub is_mark: fn(char) -> bool,
}

static GIVEN: OnceLock<Given> = OnceLock::new();

/// Says who knows, once and before anything is searched: until then no character has a decomposition. A second one is not
/// taken.
pub fn give(given: Given) {
    GIVEN.get_or_init(|| given);
}

/// The compatibility decomposition of a character that has one; syllables of Hangul have none here.
#[must_use]
pub(crate) fn decomposition(character: char) -> Option<String> {
    if character.is_ascii() || matches!(character, '\u{ac00}'..='\u{d7a3}') {
        return None;
    }
    let parts = (GIVEN.get()?.decomposed)(character);
    (!parts.chars().eq([character])).then_some(parts)
}

/// Whether a character is a mark that is written on the one before it (general category M).
#[must_use]
pub(crate) fn is_combining_mark(character: char) -> bool {
    // None is below; text that has none asks nobody.
    character >= '\u{300}' && GIVEN.get().is_some_and(|given| (given.is_mark)(character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_what_the_tables_know() {
        assert_eq!(decomposition('ä'), None, "nobody was asked yet");
        let decomposed = |character| {
            let mut parts = String::new();
            unicode_normalization::char::decompose_compatible(character, |part| parts.push(part));
            parts
        };
        give(Given { decomposed, is_mark: unicode_normalization::char::is_combining_mark });
        assert_eq!(decomposition('ä').as_deref(), Some("a\u{308}"));
        for character in ['a', '\u{7f}', '\u{ac00}', 'ß', '\u{308}'] {
            assert_eq!(decomposition(character), None, "{character:?}");
        }
        for character in '\0'..=char::MAX {
            let is_mark = unicode_normalization::char::is_combining_mark(character);
            assert_eq!(is_combining_mark(character), is_mark, "{character:?}");
        }
    }
}
