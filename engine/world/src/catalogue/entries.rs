//! Reads the catalogue's texts, once: from a key in words to its gloss. The form of the files stands in `en/shared.txt`.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::Gloss;

/// The texts, in English.
const TEXTS: [&str; 10] = [
    include_str!("en/shared.txt"),
    include_str!("en/smtp.txt"),
    include_str!("en/pop3.txt"),
    include_str!("en/imap.txt"),
    include_str!("en/states.txt"),
    include_str!("en/codes.txt"),
    include_str!("en/message.txt"),
    include_str!("en/world.txt"),
    include_str!("en/happening.txt"),
    include_str!("en/http.txt"),
];
/// Words for single rules.
const RULES: &str = include_str!("en/rules.txt");

fn glosses() -> &'static BTreeMap<&'static str, Gloss> {
    static GLOSSES: OnceLock<BTreeMap<&'static str, Gloss>> = OnceLock::new();
    GLOSSES.get_or_init(|| all().collect())
}

/// Every entry, in the order of the files.
pub(super) fn all() -> impl Iterator<Item = (&'static str, Gloss)> {
    TEXTS.iter().chain([&RULES]).flat_map(|text| text.split("\n\n")).filter_map(parsed)
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
    glosses().get(&words.join(" ")[..]).copied()
}
