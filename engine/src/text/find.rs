//! Looks for several texts at once in one that comes in pieces, without regard to case.
//! Memory is bounded by the longest text looked for, whatever the length of the one looked through.

use alloc::string::String;
use alloc::vec::Vec;

use memchr::memmem;

use super::casemap::casemapped;

/// Whether any octet is above 127. Thirty-two are looked at in one go: a sandbox has no faster way that is also small, and
/// looks at its clock each time round.
#[must_use]
pub fn has_high_bit(octets: &[u8]) -> bool {
    let (blocks, rest) = octets.as_chunks::<32>();
    let mut all = 0;
    for block in blocks {
        let words = block.as_chunks::<8>().0;
        let word = |at: usize| u64::from_ne_bytes(words[at]);
        all |= word(0) | word(1) | word(2) | word(3);
    }
    all & 0x8080_8080_8080_8080 != 0 || !rest.is_ascii()
}

/// Text in the form in which it is compared, character by character.
#[must_use]
pub fn folded(text: &str) -> String {
    casemapped(text)
}

/// Whether one text is in another, without regard to case.
#[must_use]
pub fn contains(text: &str, folded_needle: &str) -> bool {
    memmem::find(folded(text).as_bytes(), folded_needle.as_bytes()).is_some()
}

/// Several texts that are looked for.
#[derive(Clone, Debug)]
pub struct Finder {
    needles: Vec<Needle>,
    /// The end of what came, in which a match may have begun.
    tail: Vec<u8>,
    tail_max: usize,
}

#[derive(Clone, Debug)]
struct Needle {
    folded: Vec<u8>,
    found: bool,
}

impl Finder {
    /// Looks for these, given as UTF-8. An empty one is in every text.
    #[must_use]
    pub fn new<'a>(needles: impl Iterator<Item = &'a [u8]>) -> Self {
        let needles: Vec<Needle> = needles
            .map(|needle| folded(&String::from_utf8_lossy(needle)).into_bytes())
            .map(|folded| Needle { found: folded.is_empty(), folded })
            .collect();
        let longest = needles.iter().map(|needle| needle.folded.len()).max().unwrap_or(0);
        Self { needles, tail: Vec::new(), tail_max: longest.saturating_sub(1) }
    }

    /// The next piece of the text.
    pub fn look(&mut self, piece: &str) {
        if piece.is_empty() || self.is_done() {
            return;
        }
        self.tail.extend_from_slice(folded(piece).as_bytes());
        for needle in self.needles.iter_mut().filter(|needle| !needle.found) {
            needle.found = memmem::find(&self.tail, &needle.folded).is_some();
        }
        let spare = self.tail.len().saturating_sub(self.tail_max);
        self.tail.drain(..spare);
    }

    /// The text ends here; another one follows.
    pub fn cut(&mut self) {
        self.tail.clear();
    }

    /// Whether the needle at this place was found.
    #[must_use]
    pub fn found(&self, at: usize) -> bool {
        self.needles.get(at).is_some_and(|needle| needle.found)
    }

    /// Whether all were found: nothing more can be learnt.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.needles.iter().all(|needle| needle.found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_make_no_difference() {
        let text = "The Quick bröwn FOX — ÄÖÜ";
        let needles = ["quick", "BRÖWN fox", "äöü", "xx", "", "fox jumps"];
        for size in 1..text.len() {
            let mut finder = Finder::new(needles.iter().map(|needle| needle.as_bytes()));
            let mut rest = text;
            while !rest.is_empty() {
                let mut end = size.min(rest.len());
                while !rest.is_char_boundary(end) {
                    end += 1;
                }
                finder.look(&rest[..end]);
                rest = &rest[end..];
            }
            let found: Vec<bool> = (0..needles.len()).map(|at| finder.found(at)).collect();
            assert_eq!(found, [true, true, true, false, true, false], "pieces of {size}");
            assert!(finder.tail.len() <= 10);
        }
    }

    #[test]
    fn nothing_is_found_across_a_cut() {
        let mut finder = Finder::new([&b"ab"[..]].into_iter());
        finder.look("a");
        finder.cut();
        finder.look("b");
        assert!(!finder.found(0));
        assert!(contains("xAÉb", &folded("aéb")));
    }
}
