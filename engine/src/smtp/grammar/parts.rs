//! Which octets of a command are what, noted by the parser as it goes.
//! So what a reader is shown cannot disagree with what was understood; where nobody reads, nothing is kept.

use alloc::vec::Vec;

pub use crate::trace::Part;

/// The parts of one line, in order; the gaps between them are white space or what was not understood.
#[derive(Debug, Default)]
pub struct Parts(Option<Vec<Part>>);

impl Parts {
    /// Keeps what it is told only if that is wanted.
    #[must_use]
    pub fn new(wanted: bool) -> Self {
        Self(wanted.then(Vec::new))
    }

    /// What was told, in order.
    pub fn iter(&self) -> impl Iterator<Item = Part> {
        self.0.iter().flatten().copied()
    }

    pub(super) fn note(&mut self, start: usize, end: usize, label: &'static str) {
        if let Some(parts) = &mut self.0
            && start < end
        {
            parts.push(Part { start, end, label });
        }
    }

    /// Notes the words of a text that begins at `base`, each under its label; more words than labels stay gaps.
    pub(super) fn note_words(&mut self, text: &[u8], base: usize, labels: &[&'static str]) {
        if self.0.is_none() {
            return;
        }
        for (word, label) in words(text).zip(labels) {
            self.note(base + word.start, base + word.start + word.octets.len(), label);
        }
    }
}

/// A run of octets without a space.
pub(super) struct Word<'a> {
    pub(super) start: usize,
    pub(super) octets: &'a [u8],
}

/// The words of a text, with their places.
pub(super) fn words(text: &[u8]) -> impl Iterator<Item = Word<'_>> {
    let mut start = 0;
    let pieces = text.split(|&octet| octet == b' ').map(move |octets| {
        let word = Word { start, octets };
        start += octets.len() + 1;
        word
    });
    pieces.filter(|word| !word.octets.is_empty())
}
