//! Octets from nowhere, given to every grammar of the engine. [`TARGETS`] is the table: each target reads one grammar and
//! holds what must be true of every input; [`campaign`] makes inputs of seeds, and [`corpus`] says where seeds come from.
//!
//! Of each input: no panic, no more memory than the target may take, no endless work; where octets come in pieces, the
//! same result however they are cut; where something is printed and read, the same again; a session that is frozen and
//! thawed says what another one says, and ends when its peer and time end it.
//!
//! A target is a plain function of octets, so that other fuzzers can call it too: [`Target::run`].

pub mod campaign;
pub mod corpus;
mod mutate;
mod seeded;
mod seen;
mod target;
// The transcripts' player, which needs no host of a component.
#[path = "../../src/transcript/played.rs"]
mod transcript;
mod watch;

pub use seen::Seen;
pub use target::TARGETS;

/// One grammar under test.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, which is that of its directory in the corpus too.
    pub name: &'static str,
    /// Reads an input and panics if a law is broken; notes what it saw, so that inputs that show more are kept.
    pub run: fn(&[u8], &mut Seen),
    /// Seeds beside those of its directory.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Words of the grammar, which mutated inputs are given now and then.
    pub words: &'static [&'static str],
    /// Whether its inputs are lines, which can be moved as such.
    pub lines: bool,
    /// Octets of an input at most.
    pub size_max: usize,
    /// Octets in use at one time at most, of all that a run needs.
    pub memory_max: usize,
    /// Inputs of a usual test run.
    pub rounds: u32,
}

/// The target of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
