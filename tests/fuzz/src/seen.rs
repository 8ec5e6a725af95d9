//! What a run showed, as numbers: an input that shows what none did before is worth mutating further. It stands in for the
//! coverage that other fuzzers measure, and needs no special build.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash};

/// What was seen so far in one run.
#[derive(Clone, Debug, Default)]
pub struct Seen(Vec<u64>);

impl Seen {
    /// Numbers of one run; more add nothing.
    const MAX: usize = 4096;

    /// This was seen.
    pub fn note(&mut self, what: impl Hash) {
        if self.0.len() < Self::MAX {
            // The same in each run, unlike that of a map.
            self.0.push(BuildHasherDefault::<DefaultHasher>::default().hash_one(what));
        }
    }

    /// What a peer was told, line by line: how each begins, and after which other.
    pub fn note_lines(&mut self, octets: &[u8]) {
        const HEAD: usize = 40;
        let mut before = Vec::new();
        for line in octets.split(|octet| *octet == b'\n') {
            let head = line.iter().take(HEAD).map(|octet| match octet {
                // Numbers and tags differ from run to run and mean little.
                b'0'..=b'9' => b'0',
                octet => *octet,
            });
            let mut head: Vec<u8> = head.collect();
            head.dedup_by(|a, b| *a == b'0' && *b == b'0');
            self.note((&before, &head));
            before = head;
        }
    }

    /// All of them.
    pub(crate) fn all(&self) -> &[u64] {
        &self.0
    }
}
