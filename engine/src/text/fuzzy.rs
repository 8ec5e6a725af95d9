//! Matching that forgives (RFC 6203): the words of a query against the words of a text, without regard to case, marks on
//! letters, order, endings and small slips. Deterministic, and its work is bounded by the length of the text.

use alloc::vec::Vec;

use super::find::folded;
use super::unicode::is_combining_mark;

/// Words of a query that count.
const WORDS_MAX: usize = 16;
/// Characters of a word that are looked at: what is longer is no word of a language.
const LETTERS_MAX: usize = 64;
/// From so many letters on one slip is forgiven, and from so many two.
const SLIPS: [usize; 2] = [4, 8];

/// The same word.
const SAME: u8 = 100;
/// A word that begins with it.
const BEGINS: u8 = 85;
/// A word with it inside.
const INSIDE: u8 = 70;
/// A word with one slip, and with two.
const SLIPPED: [u8; 2] = [60, 40];

/// A query that is looked for in a text that comes in pieces.
#[derive(Clone, Debug)]
pub struct Matcher {
    words: Vec<Word>,
    /// The word of the text that is not over yet.
    held: Vec<char>,
}

#[derive(Clone, Debug)]
struct Word {
    letters: Vec<char>,
    mask: u32,
    /// How well the best word of the text fits; 0: none does.
    best: u8,
}

/// Whether a query has words; what has none can only be looked for as it is.
#[must_use]
pub fn has_words(query: &[u8]) -> bool {
    !Matcher::new(query).words.is_empty()
}

impl Matcher {
    /// Looks for this, given as UTF-8.
    #[must_use]
    pub fn new(query: &[u8]) -> Self {
        let query = folded(&alloc::string::String::from_utf8_lossy(query));
        let mut words: Vec<Word> = Vec::new();
        let mut letters = Vec::new();
        for character in query.chars().chain([' ']) {
            if is_combining_mark(character) {
                continue;
            }
            if character.is_alphanumeric() {
                if letters.len() < LETTERS_MAX {
                    letters.push(character);
                }
            } else if !letters.is_empty() {
                let letters: Vec<char> = core::mem::take(&mut letters);
                let known = words.iter().any(|word| word.letters == letters);
                if !known && words.len() < WORDS_MAX {
                    words.push(Word { mask: mask(&letters), letters, best: 0 });
                }
            }
        }
        Self { words, held: Vec::new() }
    }

    /// The words that are looked for, and how many slips are forgiven in each.
    pub(crate) fn words(&self) -> impl Iterator<Item = (&[char], usize)> {
        self.words.iter().map(|word| (&word.letters[..], slips_forgiven(word.letters.len())))
    }

    /// The next piece of the text.
    pub fn look(&mut self, piece: &str) {
        if self.is_best() {
            return;
        }
        for character in folded(piece).chars() {
            if is_combining_mark(character) {
                continue;
            }
            if !character.is_alphanumeric() {
                self.cut();
            } else if self.held.len() < LETTERS_MAX {
                self.held.push(character);
            }
        }
    }

    /// The text ends here; another one follows.
    pub fn cut(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let held_mask = mask(&self.held);
        for word in self.words.iter_mut().filter(|word| word.best < SAME) {
            word.best = word.best.max(word.fit(&self.held, held_mask));
        }
        self.held.clear();
    }

    /// How well the text fits, from 1 to 100: the mean of its words, once each was found.
    #[must_use]
    pub fn score(&self) -> Option<u8> {
        let count = self.words.len();
        if count == 0 || self.words.iter().any(|word| word.best == 0) {
            return None;
        }
        let sum: usize = self.words.iter().map(|word| usize::from(word.best)).sum();
        u8::try_from(sum / count).ok()
    }

    /// Whether no text can fit better.
    #[must_use]
    pub fn is_best(&self) -> bool {
        self.words.iter().all(|word| word.best == SAME)
    }
}

/// How well a query fits a text that is there whole.
#[must_use]
pub fn score(query: &[u8], text: &str) -> Option<u8> {
    let mut matcher = Matcher::new(query);
    matcher.look(text);
    matcher.cut();
    matcher.score()
}

impl Word {
    fn fit(&self, text: &[char], text_mask: u32) -> u8 {
        let (own, length) = (&self.letters[..], self.letters.len());
        if text == own {
            return SAME;
        }
        // One letter of the Latin alphabet is in nearly every word; one of Chinese is a word.
        let says_much = length >= 3 || own.iter().any(|letter| !letter.is_ascii());
        if text.starts_with(own) && (length >= 2 || says_much) {
            return BEGINS;
        }
        if says_much && text.len() > length && text.windows(length).any(|part| part == own) {
            return INSIDE;
        }
        let forgiven = slips_forgiven(length);
        // Each slip takes at most one letter away and brings one.
        let letters = (self.mask ^ text_mask).count_ones() as usize;
        if forgiven == 0 || letters > 2 * forgiven || length.abs_diff(text.len()) > forgiven {
            return 0;
        }
        match slips(own, text, forgiven) {
            Some(slips) => SLIPPED[slips - 1],
            None => 0,
        }
    }
}

fn slips_forgiven(letters: usize) -> usize {
    SLIPS.iter().filter(|least| letters >= **least).count()
}

/// Which letters there are, as far as 32 bits tell them apart.
fn mask(letters: &[char]) -> u32 {
    letters.iter().fold(0, |mask, letter| mask | 1 << (*letter as u32 % 32))
}

/// How many letters were left out, added, changed or swapped with their neighbour, if they are at most `most`.
fn slips(a: &[char], b: &[char], most: usize) -> Option<usize> {
    const ROW: usize = LETTERS_MAX + 1;
    let (mut before, mut last, mut row) = ([0usize; ROW], [0usize; ROW], [0usize; ROW]);
    last.iter_mut().enumerate().for_each(|(at, cost)| *cost = at);
    for i in 1..=a.len() {
        let far = most + 1;
        row = [far; ROW];
        row[0] = i;
        // What is further from the diagonal has more slips than are forgiven.
        for j in i.saturating_sub(most).max(1)..=(i + most).min(b.len()) {
            let same = usize::from(a[i - 1] != b[j - 1]);
            let mut cost = (last[j - 1] + same).min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                cost = cost.min(before[j - 2] + 1);
            }
            row[j] = cost;
        }
        before = last;
        last = row;
    }
    let found = row[b.len()];
    (1..=most).contains(&found).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_fit_in_several_ways() {
        for (query, text, wanted) in [
            ("Helo", "say hello", Some(60)),
            ("Helo", "help", Some(60)),
            ("helo", "yellow", None),
            ("IMAP break", "breaking the IMAP", Some(92)),
            ("cafe", "Le Café!", Some(100)),
            ("straße", "STRASSE", None),
            ("ketchup", "tomato-ketchups", Some(85)),
            ("etchu", "ketchup", Some(70)),
            ("recieve", "I receive it", Some(60)),
            ("definately", "definitely", Some(60)),
            ("acomodation", "accommodation", Some(40)),
            ("cat", "cut", None),
            ("of", "offer", Some(85)),
            ("f", "offer", None),
            ("漢", "漢字", Some(85)),
            ("字", "漢字", Some(70)),
            ("two words", "words", None),
            ("a a a", "A", Some(100)),
        ] {
            assert_eq!(score(query.as_bytes(), text), wanted, "{query} in {text}");
        }
        assert!(!has_words(b" -- ") && has_words(b"-a-"));
    }

    #[test]
    fn pieces_make_no_difference() {
        let text = "The quick bröwn fox jumps over thé lazy dogs";
        let query = "brown jump dgos";
        let whole = score(query.as_bytes(), text);
        assert!(whole.is_some_and(|score| score < 100));
        for size in 1..text.len() {
            let mut matcher = Matcher::new(query.as_bytes());
            let mut rest = text;
            while !rest.is_empty() {
                let mut end = size.min(rest.len());
                while !rest.is_char_boundary(end) {
                    end += 1;
                }
                matcher.look(&rest[..end]);
                rest = &rest[end..];
            }
            matcher.cut();
            assert_eq!(matcher.score(), whole, "pieces of {size}");
        }
    }

    #[test]
    fn long_words_are_cut_and_many_are_left_out() {
        let long = "x".repeat(100_000);
        assert_eq!(score(long.as_bytes(), &long), Some(100));
        let many: alloc::string::String =
            (0..1000).map(|number| alloc::format!("w{number} ")).collect();
        assert_eq!(Matcher::new(many.as_bytes()).words.len(), WORDS_MAX);
    }

    /// Slips by the plain definition, for comparison.
    fn plainly(a: &[char], b: &[char]) -> usize {
        let mut cost = alloc::vec![alloc::vec![0usize; b.len() + 1]; a.len() + 1];
        for i in 0..=a.len() {
            for j in 0..=b.len() {
                cost[i][j] = match (i, j) {
                    (0, _) => j,
                    (_, 0) => i,
                    _ => {
                        let same = usize::from(a[i - 1] != b[j - 1]);
                        let mut least = (cost[i - 1][j - 1] + same)
                            .min(cost[i - 1][j] + 1)
                            .min(cost[i][j - 1] + 1);
                        if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                            least = least.min(cost[i - 2][j - 2] + 1);
                        }
                        least
                    }
                };
            }
        }
        cost[a.len()][b.len()]
    }

    #[test]
    fn the_band_is_wide_enough() {
        let mut state = 7u64;
        let mut word = |length: usize| -> Vec<char> {
            (0..length)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    char::from(b'a' + (state >> 61) as u8 % 3)
                })
                .collect()
        };
        for round in 0..20_000 {
            let a = word(4 + round % 7);
            let b = word(3 + round % 9);
            if a == b || a.len().abs_diff(b.len()) > 2 {
                continue;
            }
            let plain = plainly(&a, &b);
            assert_eq!(slips(&a, &b, 2), (plain <= 2).then_some(plain), "{a:?} {b:?}");
        }
    }
}
