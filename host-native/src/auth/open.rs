//! The dev profile's logins: everyone is let in, by every mechanism that can be completed without a secret.
//!
//! SCRAM cannot: both sides must know the password. So there may be one password for all; then it is the only right one
//! for every mechanism with passwords, and SCRAM is offered too. Or there are accounts with passwords of their own: then
//! nobody else is let in, and by no mechanism without a password.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash;
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
    passwords: Passwords,
    extra: ExtraLogins,
}

/// Which password is right.
#[derive(Debug)]
enum Passwords {
    /// Any.
    Any,
    /// This, for everybody.
    One(Arc<Password>),
    /// By account, its own; nobody else is there.
    Own(RwLock<BTreeMap<String, Arc<Password>>>),
}

/// What a password is judged by.
enum Password {
    /// The password with its keys; if it is the one for all, they are the same for every name.
    Known { text: String, salt: [u8; SALT_OCTETS], keys: Box<[Keys; 2]> },
    /// Its Argon2id hash in the PHC form, which can judge nothing but the password itself.
    Hashed(String),
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
        let one = password.map(|text| Password::new("--dev-password", text)).transpose()?;
        let passwords = one.map_or(Passwords::Any, |one| Passwords::One(Arc::new(one)));
        Ok(Self { domain: domain.to_lowercase(), passwords, extra: ExtraLogins::default() })
    }

    /// The same for these accounts alone, by their addresses in lower case, each with its password; if there are none, for
    /// everybody as before.
    ///
    /// # Errors
    /// As [`OpenJudge::new`].
    pub fn with_users(self, users: &BTreeMap<String, String>) -> Result<Self, Error> {
        if users.is_empty() {
            return Ok(self);
        }
        let own = |(name, text): (&String, &String)| {
            Ok((name.clone(), Arc::new(Password::new(&format!("--user {name}"), text)?)))
        };
        let own = users.iter().map(own).collect::<Result<_, Error>>()?;
        Ok(Self { passwords: Passwords::Own(RwLock::new(own)), ..self })
    }

    /// One more account, by its address in lower case, where accounts are told apart; elsewhere everybody is let in already.
    ///
    /// # Errors
    /// As [`OpenJudge::new`].
    pub fn add_user(&self, name: &str, password: &str) -> Result<(), Error> {
        if let Passwords::Own(all) = &self.passwords {
            let own = Arc::new(Password::new(&format!("the account {name}"), password)?);
            // A map is whole between any two lines, whoever panics.
            all.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), own);
        }
        Ok(())
    }

    /// The same with logins that are off unless somebody wants them.
    #[must_use]
    pub fn with_extra(self, extra: ExtraLogins) -> Self {
        Self { extra, ..self }
    }

    /// Whether somebody could log in by APOP.
    #[must_use]
    pub fn offers_apop(&self) -> bool {
        self.extra.apop && self.has_passwords()
    }

    /// Whether there is a password that this server knows too, and not only by its hash.
    fn has_passwords(&self) -> bool {
        match &self.passwords {
            Passwords::Any => false,
            Passwords::One(own) => own.is_known(),
            Passwords::Own(all) => {
                let all = all.read().unwrap_or_else(PoisonError::into_inner);
                all.values().any(|own| own.is_known())
            }
        }
    }

    /// The password that somebody must have; none if any is right, or if nobody has this name.
    fn password(&self, user: &[u8]) -> Option<Arc<Password>> {
        match &self.passwords {
            Passwords::Any => None,
            Passwords::One(password) => Some(Arc::clone(password)),
            Passwords::Own(all) => {
                let account = self.account(user.to_vec())?;
                let all = all.read().unwrap_or_else(PoisonError::into_inner);
                all.get(std::str::from_utf8(&account).ok()?).cloned()
            }
        }
    }

    /// Whether somebody may act as another: where accounts are told apart, nobody.
    fn may_act_as(&self, user: &[u8], authorization: &[u8]) -> bool {
        let same = || self.account(user.to_vec()) == self.account(authorization.to_vec());
        !matches!(self.passwords, Passwords::Own(_)) || authorization.is_empty() || same()
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
        let scram = scram.into_iter().filter(|_| self.has_passwords());
        let by_password = |mechanism: &Mechanism| {
            matches!(mechanism, Mechanism::Plain | Mechanism::Login)
                || !matches!(self.passwords, Passwords::Own(_))
        };
        let open = [
            Mechanism::External,
            Mechanism::Plain,
            Mechanism::Login,
            Mechanism::Oauthbearer,
            Mechanism::Xoauth2,
        ];
        let open = open.into_iter().filter(by_password);
        let extra = [
            (Mechanism::CramMd5, self.extra.cram_md5 && self.has_passwords()),
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
                let is_right = match &self.passwords {
                    Passwords::Any => true,
                    _ => self.password(&given.user).is_some_and(|own| own.is(&given.password)),
                };
                if !is_right || !self.may_act_as(&given.user, &given.authorization) {
                    return refused(Reason::BadCredentials);
                }
                (first(given.authorization, given.user), Vec::new())
            }
            Credentials::Token(_) | Credentials::External(_)
                if matches!(self.passwords, Passwords::Own(_)) =>
            {
                return refused(Reason::Unsupported);
            }
            // With a token that names nobody, and a client that names nobody, the token is the name.
            Credentials::Token(given) => (first(given.authorization, given.token), Vec::new()),
            Credentials::External(authorization) => {
                let Some(own) = caller.identities.first() else {
                    return refused(Reason::BadCredentials);
                };
                (first(authorization, own.clone().into_bytes()), Vec::new())
            }
            Credentials::ScramStart(start) => {
                match (self.password(&start.user).as_deref(), Hash::of(start.mechanism)) {
                    (Some(Password::Known { salt, .. }), Some(_)) => {
                        return parameters(salt.to_vec(), ITERATIONS);
                    }
                    (_, Some(_)) if self.has_passwords() => {
                        return refused(Reason::BadCredentials);
                    }
                    _ => return refused(Reason::Unsupported),
                }
            }
            Credentials::ScramFinish(given) => {
                let own = self.password(&given.user).zip(Hash::of(given.mechanism));
                let Some((own, hash)) = own else { return refused(Reason::Unsupported) };
                if !self.may_act_as(&given.user, &given.authorization) {
                    return refused(Reason::BadCredentials);
                }
                let judged = own
                    .keys(hash)
                    .and_then(|keys| keys.judge(hash, &given.auth_message, &given.proof));
                match judged {
                    Some(signature) => (first(given.authorization, given.user), signature),
                    None => return refused(Reason::BadCredentials),
                }
            }
            Credentials::DigestStart if self.extra.cram_md5 && self.has_passwords() => {
                return digest::start(&self.domain);
            }
            Credentials::Digest(given) => {
                let is_on = if given.hmac { self.extra.cram_md5 } else { self.extra.apop };
                if !is_on || !self.has_passwords() {
                    return refused(Reason::Unsupported);
                }
                match self.password(&given.user) {
                    Some(own) if own.text().is_some_and(|own| given.is_of(own.as_bytes())) => {
                        (given.user, Vec::new())
                    }
                    _ => return refused(Reason::BadCredentials),
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
    fn new(flag: &str, text: &str) -> Result<Self, Error> {
        if text.starts_with("$argon2") {
            PasswordHash::new(text)
                .map_err(|error| Error::usage(format!("{flag}: no Argon2id hash: {error}")))?;
            return Ok(Self::Hashed(text.to_owned()));
        }
        let text = prepared(text.as_bytes()).ok_or_else(|| {
            let what = "the password is empty or holds characters that RFC 4013 forbids";
            Error::usage(format!("{flag}: {what}"))
        })?;
        let salt = entropy()?;
        let keys = [Hash::Sha1, Hash::Sha256]
            .map(|hash| Keys::derive(hash, text.as_bytes(), &salt, ITERATIONS));
        Ok(Self::Known { text, salt, keys: Box::new(keys) })
    }

    fn is_known(&self) -> bool {
        matches!(self, Self::Known { .. })
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Known { text, .. } => Some(text),
            Self::Hashed(_) => None,
        }
    }

    fn is(&self, given: &[u8]) -> bool {
        let Some(given) = prepared(given) else { return false };
        match self {
            Self::Known { text, .. } => text.as_bytes().ct_eq(given.as_bytes()).into(),
            Self::Hashed(hash) => PasswordHash::new(hash).is_ok_and(|hash| {
                Argon2::default().verify_password(given.as_bytes(), &hash).is_ok()
            }),
        }
    }

    fn keys(&self, hash: Hash) -> Option<&Keys> {
        match (self, hash) {
            (Self::Known { keys, .. }, Hash::Sha1) => Some(&keys[0]),
            (Self::Known { keys, .. }, Hash::Sha256) => Some(&keys[1]),
            (Self::Hashed(_), _) => None,
        }
    }
}
