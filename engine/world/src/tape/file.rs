//! Files of scenarios and challenges: built in, or given later by whoever keeps them elsewhere, as the page does.
//! What lists say of a file is always there.

use super::scenario::toml::{Fields, parse};

/// A file.
#[derive(Clone, Copy, Debug)]
pub(super) struct File {
    /// Its name, without its ending.
    pub(super) name: &'static str,
    /// Its lines of one key that a list needs.
    heading: &'static str,
    built_in: Option<&'static str>,
}

impl File {
    /// A file of these lines.
    pub(super) const fn new(
        name: &'static str,
        heading: &'static [u8],
        built_in: Option<&'static str>,
    ) -> Self {
        let Ok(heading) = core::str::from_utf8(heading) else {
            panic!("whole lines of a text are a text")
        };
        Self { name, heading, built_in }
    }

    /// Its text; none: it was not given yet.
    pub(super) fn text(&self) -> Option<&'static str> {
        #[cfg(feature = "given-texts")]
        return self.built_in.or_else(|| crate::given::file(self.name));
        #[cfg(not(feature = "given-texts"))]
        self.built_in
    }
}

/// Keys whose lines make a heading; each value stands on one line.
const HEADING: [&[u8]; 4] = [b"number = ", b"title = ", b"goal = ", b"task = "];

const fn begins(text: &[u8], at: usize, word: &[u8]) -> bool {
    let mut octet = 0;
    while octet < word.len() {
        if at + octet >= text.len() || text[at + octet] != word[octet] {
            return false;
        }
        octet += 1;
    }
    true
}

/// The end of a line and whether it belongs to the heading.
const fn line(text: &[u8], at: usize) -> (usize, bool) {
    let (mut end, mut key, mut wanted) = (at, 0, false);
    while end < text.len() && text[end] != b'\n' {
        end += 1;
    }
    while key < HEADING.len() {
        wanted = wanted || begins(text, at, HEADING[key]);
        key += 1;
    }
    (if end < text.len() { end + 1 } else { end }, wanted)
}

/// Octets of a file's heading: only lines before its first table.
pub(super) const fn heading_length(text: &str) -> usize {
    let (text, mut at, mut length) = (text.as_bytes(), 0, 0);
    while at < text.len() && text[at] != b'[' {
        let (end, wanted) = line(text, at);
        if wanted {
            length += end - at;
        }
        at = end;
    }
    length
}

/// A file's heading, copied out of it, so that the rest need not stay.
pub(super) const fn heading<const N: usize>(text: &str) -> [u8; N] {
    let (text, mut at, mut octets, mut filled) = (text.as_bytes(), 0, [0; N], 0);
    while at < text.len() && text[at] != b'[' {
        let (end, wanted) = line(text, at);
        while wanted && at < end {
            octets[filled] = text[at];
            filled += 1;
            at += 1;
        }
        at = end;
    }
    octets
}

/// What a list says of a scenario or a challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heading {
    /// Its name in links; also that of its file.
    pub id: &'static str,
    /// Its place in the list.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// What a reader will have understood, or is to do.
    pub says: String,
}

impl File {
    /// What a list says of it; none: it says nothing that makes sense, which a test would find.
    pub(super) fn heading(&self) -> Option<Heading> {
        let top = parse(self.heading).ok()?.into_iter().next()?;
        let mut fields = Fields::new(top);
        Some(Heading {
            id: self.name,
            number: fields.number("number").ok()??,
            title: fields.text("title").ok()??,
            says: fields.text("goal").ok()?.or(fields.text("task").ok()?)?,
        })
    }
}

/// The file of this name, or of this number.
pub(super) fn find(files: &'static [File], id: &str) -> Option<&'static File> {
    let number = id.parse::<u64>().ok();
    let numbered =
        |file: &&File| number.is_some() && file.heading().map(|heading| heading.number) == number;
    files.iter().find(|file| file.name == id).or_else(|| files.iter().find(numbered))
}

/// The text of a file, unless another program is to give it. The first scenario's is always there.
pub(super) const fn built_in(name: &str, text: &'static str) -> Option<&'static str> {
    let is_first = name.len() == FIRST.len() && begins(name.as_bytes(), 0, FIRST.as_bytes());
    if is_first || !cfg!(all(feature = "given-texts", target_family = "wasm")) {
        Some(text)
    } else {
        None
    }
}

/// The scenario that a visitor sees at once.
const FIRST: &str = "alice-to-bob";

/// Files of a directory, by name.
macro_rules! files {
    ($directory:literal: $($name:literal),* $(,)?) => {
        &[$({
            const TEXT: &str = include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"), "/", $directory, "/", $name, ".toml"
            ));
            const HEADING: [u8; crate::tape::file::heading_length(TEXT)] =
                crate::tape::file::heading(TEXT);
            const BUILT_IN: Option<&str> = crate::tape::file::built_in($name, TEXT);
            crate::tape::file::File::new($name, &HEADING, BUILT_IN)
        }),*]
    };
}

pub(super) use files;
