//! Patterns over addresses: `*` is any octets, `?` is one, and letters are the same in either case.

use std::fmt;

/// Octets of a pattern; an address has no more than a path's 256.
const PATTERN_MAX: usize = 256;

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// A pattern; none if it is empty or too long to match any address.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        (1..=PATTERN_MAX).contains(&text.len()).then(|| Self(text.to_owned()))
    }

    /// Whether all of the text is as the pattern says. The null path is `<>`.
    #[must_use]
    pub fn matches(&self, text: &[u8]) -> bool {
        let pattern = self.0.as_bytes();
        let (mut at, mut in_text) = (0, 0);
        // Where to go on when what follows the last star does not fit: the star takes one octet more.
        let mut star: Option<(usize, usize)> = None;
        while in_text < text.len() {
            match pattern.get(at) {
                Some(b'*') => {
                    star = Some((at + 1, in_text));
                    at += 1;
                }
                Some(octet) if *octet == b'?' || octet.eq_ignore_ascii_case(&text[in_text]) => {
                    at += 1;
                    in_text += 1;
                }
                _ => {
                    let Some((after, taken)) = star else { return false };
                    star = Some((after, taken + 1));
                    (at, in_text) = (after, taken + 1);
                }
            }
        }
        pattern[at..].iter().all(|octet| *octet == b'*')
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_take_what_lets_the_rest_fit() {
        let matches = |pattern: &str, text: &str| {
            Pattern::new(pattern).expect("a pattern").matches(text.as_bytes())
        };
        assert!(matches("bob@*", "bob@hamburger.edu"));
        assert!(matches("BOB@*.EDU", "bob@hamburger.edu"));
        assert!(matches("*@*b*r*", "bob@hamburger.edu"));
        assert!(matches("b?b@*", "bob@x"));
        assert!(matches("<>", "<>"));
        assert!(matches("***", ""));
        assert!(!matches("bob@*", "rob@hamburger.edu"));
        assert!(!matches("bob", "bob@x"));
        assert!(!matches("*a", "ab"));
        assert!(!matches("?", ""));
        assert!(Pattern::new("").is_none());
        // A pattern that would cost a backtracking matcher years.
        assert!(!matches(&"*a".repeat(100), &"a".repeat(99)));
    }
}
