//! Notes on their way out of the sandbox: the engine's own constants, found again by what they say.
//! The engine is linked into the host too, so every rule has its twin here; labels and states are
//! kept once each.

use std::collections::BTreeSet;
use std::sync::{LazyLock, Mutex, PoisonError};

use pillarbox_engine::rules;
use pillarbox_engine::trace as engine;

use super::convert::Convert;
use super::wit::trace as wit;

/// Distinct labels and states that are kept. The engine has a few hundred; a subverted one could
/// make up any number.
const NAMES_MAX: usize = 2048;
/// Octets of one of them.
const NAME_MAX: usize = 128;
/// Stands for what does not fit.
const UNKNOWN: &str = "?";

/// For a rule that this host does not know: component and host are of different builds.
static UNKNOWN_RULE: engine::Rule = engine::Rule { rfc: 0, section: UNKNOWN, gist: UNKNOWN };

impl Convert<engine::Note> for wit::Note {
    fn convert(self) -> engine::Note {
        match self {
            Self::Span(wit::Span { side, start, end, label, secret, why }) => {
                let side = match side {
                    wit::Side::Received => engine::Side::Received,
                    wit::Side::Sent => engine::Side::Sent,
                };
                let why = why.as_ref().map(known);
                engine::Note::Span(engine::Span {
                    side,
                    start,
                    end,
                    label: name(&label),
                    secret,
                    why,
                })
            }
            Self::State(wit::StateChange { from, to }) => {
                engine::Note::State { from: name(&from), to: name(&to) }
            }
            Self::Defect(rule) => engine::Note::Defect(known(&rule)),
        }
    }
}

fn known(rule: &wit::Rule) -> &'static engine::Rule {
    let same = |known: &&engine::Rule| {
        known.rfc == rule.rfc && known.section == rule.section && known.gist == rule.gist
    };
    rules::all().find(same).unwrap_or(&UNKNOWN_RULE)
}

/// One text that lives as long as the program for all that are equal.
fn name(text: &str) -> &'static str {
    static NAMES: LazyLock<Mutex<BTreeSet<&'static str>>> = LazyLock::new(Mutex::default);
    // A set is whole after every operation, so a panic elsewhere spoils nothing.
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(text) {
        return known;
    }
    if names.len() >= NAMES_MAX || text.len() > NAME_MAX {
        return UNKNOWN;
    }
    let kept: &'static str = Box::leak(text.into());
    names.insert(kept);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_one_and_long_ones_none() {
        assert!(std::ptr::eq(name("reply-line"), name("reply-line")));
        assert_eq!(name(&"x".repeat(NAME_MAX + 1)), UNKNOWN);
    }

    #[test]
    fn every_rule_finds_its_twin() {
        for rule in rules::all() {
            let &engine::Rule { rfc, section, gist } = rule;
            let crossed = wit::Rule { rfc, section: section.to_owned(), gist: gist.to_owned() };
            assert_eq!(known(&crossed), rule);
        }
    }
}
