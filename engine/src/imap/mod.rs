//! IMAP4rev2 (RFC 9051) and IMAP4rev1 (RFC 3501) with their extensions.
//! Grammar is shared by both sides; `server` holds the flow of the one that has the mailboxes.

use crate::trace::Rule;

pub mod grammar;
mod server;
pub mod types;

pub use server::{Server, capability_names, farewell};

/// The rules that this module follows.
pub const RULES: &[&Rule] = server::RULES;
