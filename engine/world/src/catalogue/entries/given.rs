//! The texts, given by whoever keeps them elsewhere: a page loads them when it first explains something.

use std::sync::OnceLock;

static GIVEN: OnceLock<[&str; 1]> = OnceLock::new();

/// Gives the texts, all files of `en/` one after the other with an empty line between them. They stay as long as the
/// program runs. Before that nothing has words; what is given after the first time is not looked at.
pub fn give(texts: String) {
    GIVEN.get_or_init(|| [texts.leak()]);
}

/// What was given; none: nothing yet.
#[cfg(target_family = "wasm")]
pub(super) fn texts() -> Option<&'static [&'static str]> {
    GIVEN.get().map(|texts| &texts[..])
}
