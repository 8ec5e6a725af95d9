//! A run in other forms: lecture-style text, lines of JSON, messages as files, packets for other readers.
//! Secrets are masked unless they are asked for.

mod dialogue;
mod json;
mod messages;
mod packets;
mod pcapng;
mod report;

pub(super) use dialogue::secrets;
pub use dialogue::{Spoken, dialogue, transcript};
pub use json::jsonl;
pub use messages::{Eml, mbox, messages};
pub use packets::{Connection, Packets};
pub use pcapng::pcapng;
pub use report::report;
