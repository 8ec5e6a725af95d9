//! SASL (RFC 4422) for all three protocols: mechanisms, credentials, and the exchanges that lead from one to the other.
//! The host judges credentials and binds the connection to an account; no later ask names a user.

use crate::trace::Rule;

mod binding;
pub mod client;
pub mod scram;
pub mod server;
mod types;

pub use types::{
    Account, AuthOffer, ClientCredentials, Credentials, DigestCredentials, LoginAnswer, LoginAsk,
    LoginChoice, LoginSecret, Mechanism, PasswordCredentials, SaltPassword, ScramFinish,
    ScramParameters, ScramStart, TokenCredentials,
};

/// The rules that this module follows.
pub const RULES: &[&Rule] = &[
    &server::PLAIN_MESSAGE,
    &scram::ATTRIBUTES,
    &scram::BINDING,
    &scram::ITERATIONS,
    &client::EXCHANGE,
    &client::PROOF,
];
