//! The dev profile's logins: everyone is let in, by every mechanism that can be completed without a secret.
//!
//! SCRAM cannot: both sides must know the password. So there may be one password for all; then it is the only right one
//! for every mechanism with passwords, and SCRAM is offered too.

use pillarbox_engine::sasl::scram::{Hash, Keys};
use pillarbox_engine::sasl::{Account, Credentials, LoginAnswer, Mechanism};
use pillarbox_engine::types::Reason;
use subtle::ConstantTimeEq;

use super::scram::{parameters, refused};
use super::{Caller, digest, entropy, prepared};
use crate::accounts::SALT_OCTETS;
use crate::config::ExtraLogins;
use crate::error::Error;
use crate::serve::shown;

/// Whose mailbox is opened to who does not say who it is.
const ANONYMOUS: &[u8] = b"anonymous";

/// RFC 7677 §4 asks for no fewer; more would only slow tests down.
const ITERATIONS: u32 = 4096;

/// Lets everyone in.
#[derive(Debug)]
pub struct OpenJudge {
    /// Of a name without one.
    domain: String,
    password: Option<Password>,
    extra: ExtraLogins,
}

/// The one password, with keys that are the same for every name.
struct Password {
    text: String,
    salt: [u8; SALT_OCTETS],
    sha1: Keys,
    sha256: Keys,
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(******)")
    }
}

impl OpenJudge {
    /// With one password for all, or with any.
    ///
    /// # Errors
    /// The password is none (RFC 4013), or the machine has no entropy.
    pub fn new(domain: &str, password: Option<&str>) -> Result<Self, Error> {
        let password = password.map(Password::new).transpose()?;
        Ok(Self { domain: domain.to_lowercase(), password, extra: ExtraLogins::default() })
    }

    /// The same with logins that are off unless somebody wants them.
    #[must_use]
    pub fn with_extra(self, extra: ExtraLogins) -> Self {
        Self { extra, ..self }
    }

    /// Whether somebody could log in by APOP.
    #[must_use]
    pub fn offers_apop(&self) -> bool {
        self.extra.apop && self.password.is_some()
    }

    /// The mechanisms that can be completed, best first.
    #[must_use]
    pub fn mechanisms(&self) -> Vec<Mechanism> {
        let scram = [
            Mechanism::ScramSha256Plus,
            Mechanism::ScramSha1Plus,
            Mechanism::ScramSha256,
            Mechanism::ScramSha1,
        ];
        let scram = scram.into_iter().filter(|_| self.password.is_some());
        let open = [
            Mechanism::External,
            Mechanism::Plain,
            Mechanism::Login,
            Mechanism::Oauthbearer,
            Mechanism::Xoauth2,
        ];
        let extra = [
            (Mechanism::CramMd5, self.extra.cram_md5 && self.password.is_some()),
            (Mechanism::Anonymous, self.extra.anonymous),
        ];
        let extra = extra.into_iter().filter(|(_, is_on)| *is_on).map(|(mechanism, _)| mechanism);
        scram.chain(open).chain(extra).collect()
    }

    /// Judges credentials.
    #[must_use]
    pub fn login(&self, caller: &Caller, credentials: Credentials) -> LoginAnswer {
        let (name, server_signature) = match credentials {
            Credentials::Password(given) => {
                if !self.password.as_ref().is_none_or(|own| own.is(&given.password)) {
                    return refused(Reason::BadCredentials);
                }
                (first(given.authorization, given.user), Vec::new())
            }
            // With a token that names nobody, and a client that names nobody, the token is the name.
            Credentials::Token(given) => (first(given.authorization, given.token), Vec::new()),
            Credentials::External(authorization) => {
                let Some(own) = caller.identities.first() else {
                    return refused(Reason::BadCredentials);
                };
                (first(authorization, own.clone().into_bytes()), Vec::new())
            }
            Credentials::ScramStart(start) => match (&self.password, Hash::of(start.mechanism)) {
                (Some(own), Some(_)) => return parameters(own.salt.to_vec(), ITERATIONS),
                _ => return refused(Reason::Unsupported),
            },
            Credentials::ScramFinish(given) => {
                let own = self.password.as_ref().zip(Hash::of(given.mechanism));
                let Some((own, hash)) = own else { return refused(Reason::Unsupported) };
                match own.keys(hash).judge(hash, &given.auth_message, &given.proof) {
                    Some(signature) => (first(given.authorization, given.user), signature),
                    None => return refused(Reason::BadCredentials),
                }
            }
            Credentials::DigestStart if self.extra.cram_md5 && self.password.is_some() => {
                return digest::start(&self.domain);
            }
            Credentials::Digest(given) => {
                let is_on = if given.hmac { self.extra.cram_md5 } else { self.extra.apop };
                match self.password.as_ref().filter(|_| is_on) {
                    Some(own) if given.is_of(own.text.as_bytes()) => (given.user, Vec::new()),
                    Some(_) => return refused(Reason::BadCredentials),
                    None => return refused(Reason::Unsupported),
                }
            }
            Credentials::Anonymous(trace) if self.extra.anonymous => {
                // RFC 4505 §2: it says who it is, and nothing proves it.
                tracing::info!(trace = shown(&trace), "anonymous login");
                (ANONYMOUS.to_vec(), Vec::new())
            }
            Credentials::Preauthenticated(name) => (name, Vec::new()),
            Credentials::DigestStart | Credentials::Anonymous(_) => {
                return refused(Reason::Unsupported);
            }
        };
        match self.account(name) {
            Some(name) => LoginAnswer::Accepted(Account { name, server_signature }),
            None => refused(Reason::BadCredentials),
        }
    }

    /// The mailbox of a name, which must be the one that mail for it goes to: nothing is prepared here.
    fn account(&self, mut name: Vec<u8>) -> Option<Vec<u8>> {
        let fine = !name.is_empty() && !name.iter().any(u8::is_ascii_control);
        name.make_ascii_lowercase();
        if !name.contains(&b'@') {
            name.push(b'@');
            name.extend_from_slice(self.domain.as_bytes());
        }
        (fine && name.len() <= 255).then_some(name)
    }
}

/// Whom to act as, or who it is.
fn first(authorization: Vec<u8>, own: Vec<u8>) -> Vec<u8> {
    if authorization.is_empty() { own } else { authorization }
}

impl Password {
    fn new(text: &str) -> Result<Self, Error> {
        let text = prepared(text.as_bytes()).ok_or_else(|| {
            Error::usage("--dev-password: it is empty or holds characters that RFC 4013 forbids")
        })?;
        let salt = entropy()?;
        let keys = |hash| Keys::derive(hash, text.as_bytes(), &salt, ITERATIONS);
        Ok(Self { sha1: keys(Hash::Sha1), sha256: keys(Hash::Sha256), salt, text })
    }

    fn is(&self, given: &[u8]) -> bool {
        prepared(given).is_some_and(|given| self.text.as_bytes().ct_eq(given.as_bytes()).into())
    }

    fn keys(&self, hash: Hash) -> &Keys {
        match hash {
            Hash::Sha1 => &self.sha1,
            Hash::Sha256 => &self.sha256,
        }
    }
}
