//! Texts that whoever keeps them elsewhere gives, once: the catalogue's, and files of scenarios and challenges. A page
//! loads them for its first screen but one.

use std::sync::OnceLock;

/// What stands before each file's name.
const FILE: char = '\u{c}';

struct Given {
    catalogue: [&'static str; 1],
    files: Vec<(&'static str, &'static str)>,
}

static GIVEN: OnceLock<Given> = OnceLock::new();

/// Gives the texts: all files of the catalogue's `en/` one after the other with an empty line between them, then for each
/// other file a form feed (U+000C), its name, a line end and its text. They stay as long as the program runs. Before that
/// nothing has words; what is given after the first time is not looked at.
pub fn give(texts: String) {
    GIVEN.get_or_init(|| {
        let texts: &'static str = texts.leak();
        let mut parts = texts.split(FILE);
        let catalogue = [parts.next().unwrap_or_default()];
        Given { catalogue, files: parts.filter_map(|part| part.split_once('\n')).collect() }
    });
}

/// The catalogue's texts; none: nothing was given yet.
#[cfg(target_family = "wasm")]
pub(crate) fn catalogue() -> Option<&'static [&'static str]> {
    GIVEN.get().map(|given| &given.catalogue[..])
}

/// The text of a file; none: it was not given.
#[must_use]
pub fn file(name: &str) -> Option<&'static str> {
    let found = GIVEN.get()?.files.iter().find(|(known, _)| *known == name);
    found.map(|(_, text)| *text)
}
