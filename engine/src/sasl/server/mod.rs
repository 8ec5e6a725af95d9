//! The server's side of SASL exchanges (RFC 4422): from base64 lines to credentials for the host, and to its verdict.
//! How a protocol frames challenges is the role's; whether credentials are right is the host's.

mod external;
mod login;
mod plain;
mod scram;
mod token;

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::binding::Binding;
use super::{Account, AuthOffer, Credentials, LoginAnswer, Mechanism, scram as shared};
use crate::text::base64;
use crate::trace::Rule;
use crate::types::{Misuse, Reason, Refusal, TlsFacts};

pub(super) use external::EXTERNAL_MESSAGE;
pub(super) use plain::PLAIN_MESSAGE;
use scram::{Judging, Salted, Scram};
use token::Kind;
pub(super) use token::TOKEN_MESSAGE;

/// Octets of a name or a password (RFC 4616 §2 asks for at least 255).
const PART_MAX: usize = 1000;

/// On what terms a peer may log in: what the listener offers, and over which channel.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The listener's offer.
    pub offer: &'a AuthOffer,
    /// Whether the connection is secured.
    pub secured: bool,
    /// What the TLS handshake gave, if the host said.
    pub tls: Option<&'a TlsFacts>,
}

impl<'a> Terms<'a> {
    /// Whether a password may cross: over TLS, or where the listener takes it in the clear.
    #[must_use]
    pub const fn are_open(self) -> bool {
        self.secured || self.offer.cleartext
    }

    /// The mechanisms that can be used now, best first; none while the terms are not open.
    ///
    /// SCRAM too waits for TLS: who listens could try passwords at leisure, and reads the mail after the login anyway.
    pub fn mechanisms(self) -> impl Iterator<Item = Mechanism> + 'a {
        let open = self.are_open();
        let usable = move |mechanism: &Mechanism| match mechanism {
            Mechanism::ScramSha1Plus | Mechanism::ScramSha256Plus => {
                Binding::best(self.tls).is_some()
            }
            Mechanism::External => self.tls.is_some_and(|tls| tls.client_identity.is_some()),
            Mechanism::CramMd5 | Mechanism::Anonymous => false,
            _ => true,
        };
        self.offer.mechanisms.iter().copied().filter(move |mechanism| open && usable(mechanism))
    }

    /// Whether this mechanism can be used now.
    #[must_use]
    pub fn has(self, mechanism: Mechanism) -> bool {
        self.mechanisms().any(|one| one == mechanism)
    }
}

/// A running exchange: what the next response, or the host's next answer, will be about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange(State);

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// PLAIN's only message.
    Plain,
    /// LOGIN's user name.
    LoginUser,
    /// LOGIN's password, for this user.
    LoginPassword(Vec<u8>),
    /// EXTERNAL's only message.
    External,
    /// The only message that is to go well, of a mechanism with tokens.
    Token(Kind),
    /// Why the token failed was told; whatever the peer says now, it is refused.
    TokenFailed(Refusal),
    /// SCRAM's client-first-message.
    First(Mechanism),
    /// SCRAM's client-final-message.
    Salted(Box<Salted>),
    /// SCRAM: our proof was sent; an empty response ends it well.
    Proved(Account),
    /// The host judges all that the peer had to say.
    Judging,
    /// The host judges a token.
    JudgingToken(Kind),
    /// The host finds the salt.
    Salting(Box<Scram>),
    /// The host judges a proof.
    JudgingProof(Judging),
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this challenge, base64 already, and give the response to `respond`.
    Challenge(Exchange, Vec<u8>),
    /// Ask the host, and give its answer to `answered`.
    Ask(Exchange, Credentials),
    /// The peer is let in.
    Accepted(Account),
    /// The peer is not let in; the rule is the one that it broke, if that is why.
    Refused(Refusal, Option<&'static Rule>),
    /// The peer gave up with `*`.
    Cancelled,
    /// The response is not base64, or not what the mechanism says.
    Malformed(&'static Rule),
}

impl Exchange {
    /// Begins an exchange of one of the terms' mechanisms; `initial` is the initial response in base64, `=` for an empty
    /// one (RFC 4954 §4, RFC 4959 §3).
    #[must_use]
    pub fn start(mechanism: Mechanism, initial: Option<&[u8]>, terms: Terms<'_>) -> Step {
        let state = match mechanism {
            Mechanism::Plain => State::Plain,
            Mechanism::Login => State::LoginUser,
            Mechanism::External => State::External,
            Mechanism::Oauthbearer => State::Token(Kind::Oauthbearer),
            Mechanism::Xoauth2 => State::Token(Kind::Xoauth2),
            Mechanism::ScramSha1
            | Mechanism::ScramSha1Plus
            | Mechanism::ScramSha256
            | Mechanism::ScramSha256Plus => State::First(mechanism),
            Mechanism::CramMd5 | Mechanism::Anonymous => return Step::Malformed(&super::EXCHANGE),
        };
        let first = Self(state);
        match initial {
            Some(b"=") => first.message(Vec::new(), terms),
            // RFC 4954 §4: an empty initial response is written as `=`, so that nothing is not taken for one.
            Some(b"") => Step::Malformed(&super::EXCHANGE),
            Some(response) => first.respond(response, terms),
            None => {
                let prompt: &[u8] =
                    if first.0 == State::LoginUser { login::USER_PROMPT } else { b"" };
                challenge(first.0, prompt)
            }
        }
    }

    /// What stands for the exchange where a protocol's own command brought the credentials: only the answer is to come.
    #[must_use]
    pub const fn judging() -> Self {
        Self(State::Judging)
    }

    /// Goes on with the peer's response, a line without its CRLF.
    #[must_use]
    pub fn respond(self, line: &[u8], terms: Terms<'_>) -> Step {
        // RFC 7628 §3.2.3: an abort and the dummy response end a failed exchange alike.
        if let State::TokenFailed(refusal) = self.0 {
            return Step::Refused(refusal, None);
        }
        if line == b"*" {
            return Step::Cancelled;
        }
        match base64::decode(line) {
            Some(message) => self.message(message, terms),
            None => Step::Malformed(&super::EXCHANGE),
        }
    }

    fn message(self, message: Vec<u8>, terms: Terms<'_>) -> Step {
        match self.0 {
            State::Plain => match plain::read(&message) {
                Some(credentials) => Step::Ask(Self(State::Judging), credentials),
                None => Step::Malformed(&PLAIN_MESSAGE),
            },
            State::LoginUser if is_part(&message) => {
                challenge(State::LoginPassword(message), login::PASSWORD_PROMPT)
            }
            State::LoginPassword(user) if is_part(&message) => {
                Step::Ask(Self(State::Judging), login::credentials(user, message))
            }
            State::External => match external::read(message) {
                Some(credentials) => Step::Ask(Self(State::Judging), credentials),
                None => Step::Malformed(&EXTERNAL_MESSAGE),
            },
            State::Token(kind) => match kind.read(&message) {
                Some(given) if given.token.is_empty() => {
                    token_failed(kind, Refusal::new(Reason::BadCredentials))
                }
                Some(given) => {
                    Step::Ask(Self(State::JudgingToken(kind)), Credentials::Token(given))
                }
                None => Step::Malformed(&TOKEN_MESSAGE),
            },
            State::First(mechanism) => match Scram::read(mechanism, &message, terms) {
                Ok(scram) => {
                    let ask = Credentials::ScramStart(scram.ask());
                    Step::Ask(Self(State::Salting(Box::new(scram))), ask)
                }
                Err(fault) => fault.step(),
            },
            State::Salted(salted) => match salted.read(&message) {
                Ok((judging, finish)) => {
                    let ask = Credentials::ScramFinish(finish);
                    Step::Ask(Self(State::JudgingProof(judging)), ask)
                }
                Err(fault) => fault.step(),
            },
            // RFC 4954 §4 and the others' like: data with success takes one more, empty response.
            State::Proved(account) if message.is_empty() => Step::Accepted(account),
            State::LoginUser
            | State::LoginPassword(_)
            | State::Proved(_)
            | State::TokenFailed(_)
            | State::Judging
            | State::JudgingToken(_)
            | State::Salting(_)
            | State::JudgingProof(_) => Step::Malformed(&super::EXCHANGE),
        }
    }

    /// Goes on with the host's answer to `Step::Ask`.
    ///
    /// # Errors
    /// [`Misuse::WrongAnswer`] if this ask takes no such answer: nobody is let in on a name alone.
    /// [`Misuse::BadValue`] if SCRAM's parameters or signature are out of their bounds. The exchange is as it was.
    pub fn answered(self, answer: LoginAnswer) -> Result<Step, (Self, Misuse)> {
        match (self.0, answer) {
            (State::JudgingToken(kind), LoginAnswer::Refused(refusal)) if kind.tells(&refusal) => {
                Ok(token_failed(kind, refusal))
            }
            (
                State::Judging
                | State::JudgingToken(_)
                | State::Salting(_)
                | State::JudgingProof(_),
                LoginAnswer::Refused(refusal),
            ) => Ok(Step::Refused(refusal, None)),
            (State::Judging | State::JudgingToken(_), LoginAnswer::Accepted(account)) => {
                Ok(Step::Accepted(account))
            }
            (State::Salting(scram), LoginAnswer::ScramParameters(parameters)) => {
                match scram.salted(&parameters) {
                    Ok((salted, message)) => {
                        Ok(challenge(State::Salted(Box::new(salted)), &message))
                    }
                    Err(scram) => Err((Self(State::Salting(scram)), Misuse::BadValue)),
                }
            }
            (State::JudgingProof(judging), LoginAnswer::Accepted(account)) => {
                match judging.server_final(&account) {
                    Some(message) => Ok(challenge(State::Proved(account), &message)),
                    None => Err((Self(State::JudgingProof(judging)), Misuse::BadValue)),
                }
            }
            (state, _) => Err((Self(state), Misuse::WrongAnswer)),
        }
    }
}

fn challenge(state: State, message: &[u8]) -> Step {
    Step::Challenge(Exchange(state), base64::encode(message))
}

fn token_failed(kind: Kind, refusal: Refusal) -> Step {
    let why = kind.failure(&refusal);
    challenge(State::TokenFailed(refusal), why)
}

/// A name or a password.
fn is_part(part: &[u8]) -> bool {
    !part.is_empty() && is_name(part)
}

/// A name, or none.
fn is_name(name: &[u8]) -> bool {
    name.len() <= PART_MAX && !name.contains(&0) && core::str::from_utf8(name).is_ok()
}
