//! What a message must hold so that it can match a search, in pieces of three characters: for hosts that keep an index of
//! such pieces. Which messages do match is left to the search itself, which looks at each one that holds them.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::types::{HeaderKey, SearchKey};
use crate::text::find::folded;
use crate::text::fuzzy::Matcher;

/// Characters of a piece.
const PIECE: usize = 3;
/// Pieces that are asked for of one text: the index reads a list for each, and a few tell nearly as much as all.
const PIECES_MAX: usize = 12;
/// Steps of all together; what goes beyond narrows nothing.
const STEPS_MAX: usize = 96;

/// One step of what a message must hold, in postfix order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// These three characters in a row, in the text that `message::texts::searchable` makes of it.
    Piece(String),
    /// So many of those before it, all of them.
    All(u32),
    /// So many of those before it, at least one of them.
    Any(u32),
}

/// What is true of every message that matches a program; empty if nothing can be said.
#[must_use]
pub fn needed(program: &[SearchKey]) -> Vec<Need> {
    // `None`: any message may match.
    let mut stack: Vec<Option<Vec<Need>>> = Vec::new();
    for key in program {
        let next = match key {
            SearchKey::Body(text) | SearchKey::Text(text) => {
                let text = folded(&String::from_utf8_lossy(text));
                contains(&text.chars().collect::<Vec<_>>())
            }
            SearchKey::Header(HeaderKey { text, .. }) => {
                let text = folded(&String::from_utf8_lossy(text));
                contains(&text.chars().collect::<Vec<_>>())
            }
            SearchKey::FuzzyBody(text) | SearchKey::FuzzyText(text) => fuzzily(text),
            SearchKey::Not => {
                stack.pop();
                None
            }
            SearchKey::Or => {
                let pair = vec![stack.pop().flatten(), stack.pop().flatten()];
                any(pair)
            }
            SearchKey::And(count) => {
                let from = stack.len().saturating_sub(*count as usize);
                all(stack.drain(from..).flatten().collect())
            }
            _ => None,
        };
        stack.push(next);
    }
    stack.pop().flatten().unwrap_or_default()
}

/// These characters in a row.
fn contains(text: &[char]) -> Option<Vec<Need>> {
    // An index takes no NUL.
    if text.len() < PIECE || text.contains(&'\0') {
        return None;
    }
    let mut pieces: Vec<String> = Vec::new();
    let last = text.len() - PIECE;
    let count = (last + 1).min(PIECES_MAX);
    for number in 0..count {
        let at = if count == 1 { 0 } else { last * number / (count - 1) };
        let piece: String = text[at..at + PIECE].iter().collect();
        if !pieces.contains(&piece) {
            pieces.push(piece);
        }
    }
    all(pieces.into_iter().map(|piece| vec![Need::Piece(piece)]).collect())
}

/// Each word of a query, as far as its slips leave something of it.
fn fuzzily(query: &[u8]) -> Option<Vec<Need>> {
    let matcher = Matcher::new(query);
    all(matcher.words().filter_map(|(letters, slips)| word(letters, slips)).collect())
}

/// A slip touches one piece at most if there is a letter between any two: letters that changed places are neighbours.
fn word(letters: &[char], slips: usize) -> Option<Vec<Need>> {
    let parts = slips + 1;
    let length = (letters.len() + 1) / parts;
    if length < PIECE + 1 {
        return if slips == 0 { contains(letters) } else { None };
    }
    any((0..parts).map(|part| contains(&letters[part * length..(part + 1) * length - 1])).collect())
}

fn all(parts: Vec<Vec<Need>>) -> Option<Vec<Need>> {
    join(parts, Need::All)
}

fn any(parts: Vec<Option<Vec<Need>>>) -> Option<Vec<Need>> {
    let parts: Option<Vec<Vec<Need>>> = parts.into_iter().collect();
    let parts = parts?;
    // One that is left out here would be missed.
    let fits = parts.iter().map(Vec::len).sum::<usize>() < STEPS_MAX;
    fits.then(|| join(parts, Need::Any)).flatten()
}

/// As many of them as there is room for.
fn join(parts: Vec<Vec<Need>>, with: fn(u32) -> Need) -> Option<Vec<Need>> {
    let (mut out, mut count) = (Vec::new(), 0);
    for part in parts {
        if out.len() + part.len() < STEPS_MAX {
            out.extend(part);
            count += 1;
        }
    }
    if count > 1 {
        out.push(with(count));
    }
    (count > 0).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(program: &[SearchKey]) -> String {
        let words = needed(program).into_iter().map(|need| match need {
            Need::Piece(piece) => piece,
            Need::All(count) => alloc::format!("&{count}"),
            Need::Any(count) => alloc::format!("|{count}"),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    fn body(text: &str) -> SearchKey {
        SearchKey::Body(text.as_bytes().to_vec())
    }

    #[test]
    fn texts_are_cut_into_pieces() {
        assert_eq!(shown(&[body("Help")]), "HEL ELP &2");
        assert_eq!(shown(&[body("abc")]), "ABC");
        assert_eq!(shown(&[body("ab")]), "");
        assert_eq!(shown(&[body("aaaaaaaa")]), "AAA");
        let long = needed(&[body(&"abcdefghijklm".repeat(100))]);
        assert!(long.len() <= PIECES_MAX + 1, "{long:?}");
    }

    #[test]
    fn only_what_every_match_has_is_needed() {
        let seen = SearchKey::Flags(8);
        assert_eq!(shown(&[body("abc"), seen.clone(), SearchKey::And(2)]), "ABC");
        assert_eq!(shown(&[body("abc"), seen, SearchKey::Or]), "");
        assert_eq!(shown(&[body("abc"), body("xyz"), SearchKey::Or]), "XYZ ABC |2");
        assert_eq!(shown(&[body("abc"), body("xyz"), SearchKey::And(2)]), "ABC XYZ &2");
        assert_eq!(shown(&[body("abc"), SearchKey::Not]), "");
        let header = |name: &str| {
            let (name, text) = (name.as_bytes().to_vec(), b"abc".to_vec());
            SearchKey::Header(HeaderKey { name, text })
        };
        assert_eq!(shown(&[header("X-Y")]), "ABC");
        assert_eq!(shown(&[header("subject")]), "ABC");
    }

    #[test]
    fn slips_leave_a_piece_whole() {
        let fuzzy = |text: &str| shown(&[SearchKey::FuzzyText(text.as_bytes().to_vec())]);
        assert_eq!(fuzzy("cat"), "CAT");
        assert_eq!(fuzzy("house"), "");
        assert_eq!(fuzzy("ketchup"), "KET HUP |2");
        assert_eq!(fuzzy("definitely"), "");
        assert_eq!(fuzzy("definitively"), "DEF NIT VEL |3");
        assert_eq!(fuzzy("the house ketchup"), "THE KET HUP |2 &2");
    }

    #[test]
    fn a_large_program_narrows_less() {
        let mut program: Vec<SearchKey> =
            (0..100).map(|at| body(&alloc::format!("text number {at}"))).collect();
        program.push(SearchKey::And(100));
        let needed = needed(&program);
        assert!(!needed.is_empty() && needed.len() <= STEPS_MAX, "{}", needed.len());
        program.pop();
        program.extend((1..100).map(|_| SearchKey::Or));
        assert_eq!(shown(&program), "");
    }
}
