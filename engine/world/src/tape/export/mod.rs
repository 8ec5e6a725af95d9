//! A run in other forms: lecture-style text, lines of JSON, messages as files, packets for other readers.
//! Secrets are masked unless they are asked for.

mod dialogue;

pub use dialogue::{Spoken, dialogue, transcript};
