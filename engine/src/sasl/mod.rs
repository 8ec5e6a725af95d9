//! SASL (RFC 4422) for all three protocols: mechanisms, credentials, and the exchanges that lead
//! from one to the other. The host judges credentials and binds the connection to an account; no
//! later ask names a user.

use crate::trace::Rule;

mod binding;
pub mod client;
pub mod digest;
pub mod scram;
pub mod server;
mod types;

pub(crate) use types::is_among;
pub use types::{
    Account, AuthOffer, ClientCredentials, Credentials, DigestCredentials, LoginAnswer, LoginAsk,
    LoginChoice, LoginSecret, Mechanism, PasswordCredentials, SaltPassword, ScramFinish,
    ScramParameters, ScramStart, TokenCredentials,
};

/// RFC 4422 §3.
const EXCHANGE: Rule = Rule {
    rfc: 4422,
    section: "3",
    gist: "Challenges and responses alternate as the mechanism says, and the server speaks the last word.",
};
/// The rules that this module follows.
pub const RULES: &[&Rule] = &[
    &EXCHANGE,
    &server::ANONYMOUS_MESSAGE,
    &server::CRAM_RESPONSE,
    &server::PLAIN_MESSAGE,
    &server::EXTERNAL_MESSAGE,
    &server::TOKEN_MESSAGE,
    &scram::ATTRIBUTES,
    &scram::BINDING,
    &scram::ITERATIONS,
    &client::PROOF,
];
