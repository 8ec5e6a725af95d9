//! Reads the catalogue's texts, once: from a key in words to its gloss. The form of the files stands in `en/shared.txt`.

// A program that is built beside the page has its texts built in all the same.
#[cfg(not(all(feature = "given-texts", target_family = "wasm")))]
mod built_in;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::Gloss;

#[cfg(all(feature = "given-texts", target_family = "wasm"))]
use crate::given::catalogue as texts;
#[cfg(not(all(feature = "given-texts", target_family = "wasm")))]
use built_in::texts;

/// None: there are no texts yet.
fn glosses() -> Option<&'static BTreeMap<&'static str, Gloss>> {
    static GLOSSES: OnceLock<BTreeMap<&'static str, Gloss>> = OnceLock::new();
    texts().map(|_| GLOSSES.get_or_init(|| all().collect()))
}

/// Every entry, in the order of the files.
pub(super) fn all() -> impl Iterator<Item = (&'static str, Gloss)> {
    let texts = texts().into_iter().flatten();
    texts.flat_map(|text| text.split("\n\n")).filter_map(parsed)
}

/// An entry: its key, perhaps its law, what it is, and why.
fn parsed(entry: &'static str) -> Option<(&'static str, Gloss)> {
    let entry = entry.trim();
    if entry.starts_with('#') {
        return None;
    }
    let (key, rest) = entry.split_once('\n')?;
    let (law, rest) = match rest.split_once('\n') {
        Some((law, rest)) if law.starts_with("RFC ") && law.contains('§') => (Some(law), rest),
        _ => (None, rest),
    };
    let (what, why) = rest.split_once('\n').unwrap_or((rest, ""));
    Some((key, Gloss { law, what, why }))
}

/// The gloss whose key these words make.
pub(super) fn entry(words: &[&str]) -> Option<Gloss> {
    glosses()?.get(&words.join(" ")[..]).copied()
}
