//! POP3 (RFC 1939) with CAPA (RFC 2449), AUTH (RFC 5034) and STLS (RFC 2595).
//! Grammar is shared by both sides; `server` and `client` hold the flow of each.

use crate::trace::Rule;

pub mod client;
pub mod expected;
pub mod grammar;
mod observe;
mod server;
mod types;

pub use client::Client;
pub(crate) use observe::Following;
pub use server::{Server, Words, capability_names, farewell};
pub use types::{Answer, Ask, Call, Config, EntriesAsk, Entry, Event, NumberRun, Opened};

/// The rules that the side with the maildrop follows; the other one has its own.
pub const RULES: &[&Rule] = server::RULES;
