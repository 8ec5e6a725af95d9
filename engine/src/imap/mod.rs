//! IMAP4rev2 (RFC 9051) and IMAP4rev1 (RFC 3501) with their extensions.
//! Grammar is shared by both sides; `server` and `client` hold the flow of each.

use crate::trace::Rule;

pub mod client;
pub mod expected;
pub mod grammar;
pub mod narrow;
mod observe;
pub mod rights;
mod server;
pub mod types;
pub mod url_token;

pub use client::Client;
pub(crate) use observe::Following;
pub use server::{Server, capability_names, farewell};

/// The rules that the side with the mailboxes follows; the other one has its own.
pub const RULES: &[&Rule] = server::RULES;
