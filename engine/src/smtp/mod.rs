//! SMTP (RFC 5321) with its extensions, and LMTP (RFC 2033) and submission (RFC 6409) as configurations of it.
//! Grammar is shared by both sides; `server` and `client` hold the flow of each.

use crate::trace::Rule;

mod capability;
pub mod client;
pub mod expected;
pub mod grammar;
mod observe;
pub mod probe;
mod server;
mod types;

pub use capability::capability_names;
pub use client::Client;
pub(crate) use observe::Following;
pub use server::{Server, Words, farewell};
pub use types::{
    Answer, Ask, Body, ByMode, Call, Committed, Config, DeliverBy, Envelope, Event, Extensions,
    Flush, Forwarded, Indexer, MailFrom, Mailbox, Notify, Phase, RcptTo, Ret, Service,
};

/// The rules that the receiving side follows; the sending one has its own.
pub const RULES: &[&Rule] = server::RULES;
/// Of these the ones that a peer may break without being refused.
pub(crate) const TOLERATED: &[&Rule] = server::TOLERATED;
