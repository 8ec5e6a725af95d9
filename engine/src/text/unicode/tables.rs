//! What characters are made of, by tables that the build makes.

use core::cmp::Ordering;

include!(concat!(env!("OUT_DIR"), "/unicode.rs"));

/// The compatibility decomposition of a character that has one; syllables of Hangul have none here.
#[must_use]
pub(crate) fn decomposition(character: char) -> Option<&'static str> {
    let code = u32::from(character);
    let at = BLOCKS.binary_search_by(|block| order(block.0, block.1, code)).ok()?;
    let (mut reached, _, step, text) = BLOCKS[at];
    let mut steps = STEPS.get(usize::from(step)..)?.iter();
    let mut lines = TEXT.get(usize::from(text)..)?.split('\n');
    while reached < code {
        reached += u32::from(*steps.next()?);
        lines.next()?;
    }
    (reached == code).then(|| lines.next()).flatten()
}

/// Whether a character is a mark that is written on the one before it (general category M).
#[must_use]
pub(crate) fn is_combining_mark(character: char) -> bool {
    MARKS.binary_search_by(|(first, last)| order(*first, *last, u32::from(character))).is_ok()
}

/// Where a range lies, seen from a character.
fn order(first: u32, last: u32, code: u32) -> Ordering {
    if last < code { Ordering::Less } else { first.cmp(&code).max(Ordering::Equal) }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;

    #[test]
    fn every_character_is_made_of_what_the_standard_says() {
        let mut found = [0, 0];
        for character in '\0'..=char::MAX {
            let mut parts = String::new();
            unicode_normalization::char::decompose_compatible(character, |part| parts.push(part));
            let is_syllable = matches!(character, '\u{ac00}'..='\u{d7a3}');
            let is_whole = parts.chars().eq([character]) || is_syllable;
            let expected = (!is_whole).then_some(&parts[..]);
            assert_eq!(decomposition(character), expected, "{character:?}");
            let is_mark = unicode_normalization::char::is_combining_mark(character);
            assert_eq!(is_combining_mark(character), is_mark, "{character:?}");
            found[0] += usize::from(expected.is_some());
            found[1] += usize::from(is_mark);
        }
        assert!(found[0] > 5000 && found[1] > 2000, "{found:?}");
    }
}
