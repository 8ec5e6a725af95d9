//! SASL (RFC 4422) for all three protocols: mechanisms, credentials, and the exchanges that lead from one to the other.
//! The host judges credentials and binds the connection to an account; no later ask names a user.

use crate::trace::Rule;

pub mod server;
mod types;

pub use types::{
    Account, AuthOffer, Credentials, DigestCredentials, LoginAnswer, Mechanism,
    PasswordCredentials, ScramFinish, ScramParameters, ScramStart, TokenCredentials,
};

/// The rules that this module follows.
pub const RULES: &[&Rule] = &[&server::PLAIN_MESSAGE];
