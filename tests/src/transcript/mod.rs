//! Transcripts: conversations that a person can read, run against anything that steps a session.
//! `tests/transcripts/README.md` explains the signs; `script` reads them, `run` holds the conversation.

mod desk;
mod freezing;
mod hosts;
mod imap_desk;
mod imap_told;
mod pop3_desk;
mod roles;
mod run;
mod script;

pub use hosts::{Node, Sandboxes};
pub use roles::{Factory, Library};
pub use run::{Endured, NOT_ANSWERED, Seen, Split, endure, record, run, witness};
pub use script::{Script, Turn, What};
