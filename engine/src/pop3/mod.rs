//! POP3 (RFC 1939) with CAPA (RFC 2449), AUTH (RFC 5034) and STLS (RFC 2595).
//! Grammar is shared by both sides; `server` holds the flow of the one that has the maildrop.

use crate::trace::Rule;

pub mod grammar;
mod server;
mod types;

pub use server::{Server, farewell};
pub use types::{Answer, Ask, Call, Config, EntriesAsk, Entry, Event, NumberRun, Opened};

/// The rules that this module follows.
pub const RULES: &[&Rule] = server::RULES;
