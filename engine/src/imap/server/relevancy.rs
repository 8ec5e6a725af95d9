//! How well each message that a fuzzy search found fits (RFC 6203 §4), while the search and the sort behind it last.
//! What makes a score is the business of `program` and of the matcher.

use alloc::vec::Vec;

use super::print::decimal;
use crate::trace::Rule;

/// RFC 6203 §4.
pub(crate) const RELEVANCY: Rule = Rule {
    rfc: 6203,
    section: "4",
    gist: "RELEVANCY gives for each message that is told how well it fits, from 1 to 100.",
};

/// Messages whose scores are held at once: with six octets each, what a SORT needs beside them stays possible.
pub(crate) const SCORES_MAX: usize = 65_536;

/// What fits without anything fuzzy in it.
const WHOLE: u8 = 100;

/// Scores by UID.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scores {
    /// Ascending.
    uids: Vec<u32>,
    scores: Vec<u8>,
    full: bool,
}

impl Scores {
    /// A message was found; they come in their order.
    pub(crate) fn add(&mut self, uid: u32, score: Option<u8>) {
        let Some(score) = score.filter(|score| *score != WHOLE) else { return };
        if self.uids.len() >= SCORES_MAX || self.uids.last().is_some_and(|last| *last >= uid) {
            self.full = true;
            return;
        }
        self.uids.push(uid);
        self.scores.push(score.max(1));
    }

    /// Whether there was no room for some.
    pub(crate) const fn is_full(&self) -> bool {
        self.full
    }

    pub(crate) fn of(&self, uid: u32) -> u8 {
        match self.uids.binary_search(&uid) {
            Ok(at) => self.scores[at],
            Err(_) => WHOLE,
        }
    }
}

/// Scores as they stand in a list; `first`: none was told before.
pub(crate) fn list(scores: impl Iterator<Item = u8>, first: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for score in scores {
        if !(first && out.is_empty()) {
            out.push(b' ');
        }
        out.extend_from_slice(&decimal(u64::from(score)));
    }
    out
}
