//! Who is let in: passwords, SCRAM proofs, tokens and certificates, judged for accounts or for everyone.
//! How a mechanism's messages look is the engine's; here there are only credentials and verdicts.

mod buckets;
mod digest;
mod guesses;
mod hashing;
mod judge;
mod open;
mod scram;
mod secret;
#[cfg(test)]
mod tests;
mod token;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pillarbox_engine::sasl::Credentials;
use pillarbox_world::hub::SessionKey;
use ring::rand::{SecureRandom, SystemRandom};

use crate::error::Error;

pub(crate) use buckets::Rate;
pub use digest::challenge;
pub(crate) use guesses::Network;
pub use guesses::{GuessSettings, Guesses};
pub(crate) use hashing::WAITING_MAX;
pub use judge::Judge;
pub use open::OpenJudge;
pub use token::{TokenSettings, WebSettings};

/// Octets of a name whose login was tried that logs get to see.
const TRIED_MAX: usize = 128;

/// What the host knows of a connection that somebody would log in on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Where it comes from.
    pub address: IpAddr,
    /// Whom a verified client certificate names, the first one first; empty without one.
    pub identities: Vec<String>,
}

/// The connections that somebody may log in on.
#[derive(Debug, Default)]
pub struct Callers {
    known: Mutex<HashMap<SessionKey, Arc<Caller>>>,
    tried: Mutex<HashMap<SessionKey, String>>,
}

impl Callers {
    /// What is known of this connection from now on.
    pub fn set(&self, key: SessionKey, caller: Caller) {
        locked(&self.known).insert(key, Arc::new(caller));
    }

    /// The connection is over.
    pub fn remove(&self, key: SessionKey) {
        locked(&self.known).remove(&key);
        locked(&self.tried).remove(&key);
    }

    /// What is known of this connection.
    #[must_use]
    pub fn of(&self, key: SessionKey) -> Option<Arc<Caller>> {
        locked(&self.known).get(&key).cloned()
    }

    /// Notes for logs whose login is tried, as far as the credentials say it.
    pub(crate) fn tries(&self, key: SessionKey, credentials: &Credentials) {
        let user = match credentials {
            Credentials::Password(password) => &password.user,
            Credentials::Digest(digest) => &digest.user,
            Credentials::ScramStart(start) => &start.user,
            Credentials::Token(token) => &token.authorization,
            Credentials::External(name) | Credentials::Preauthenticated(name) => name,
            // Whose proof it is was said before.
            Credentials::ScramFinish(_) => return,
            Credentials::Anonymous(_) | Credentials::DigestStart => &Vec::new(),
        };
        let mut tried = locked(&self.tried);
        if user.is_empty() {
            tried.remove(&key);
        } else {
            let user = &user[..user.len().min(TRIED_MAX)];
            tried.insert(key, String::from_utf8_lossy(user).into_owned());
        }
    }

    /// Whose login was tried last.
    pub(crate) fn tried(&self, key: SessionKey) -> Option<String> {
        locked(&self.tried).get(&key).cloned()
    }

    /// A login came to its good end: whose it is stands elsewhere.
    pub(crate) fn is_in(&self, key: SessionKey) {
        locked(&self.tried).remove(&key);
    }
}

fn locked<T>(map: &Mutex<T>) -> MutexGuard<'_, T> {
    map.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A name or a password by RFC 4013, so that what looks alike is alike; none if it may not be one.
#[must_use]
pub fn prepared(octets: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(octets).ok()?;
    let prepared = stringprep::saslprep(text).ok()?;
    (!prepared.is_empty()).then(|| prepared.into_owned())
}

/// A login name in its canonical form; one without a domain is of this one.
#[must_use]
pub fn canonical(name: &[u8], domain: &str) -> Option<String> {
    let name = prepared(name)?.to_lowercase();
    if name.contains('@') { Some(name) } else { Some(format!("{name}@{domain}")) }
}

/// A source of octets that nobody can guess.
///
/// # Errors
/// [`crate::error::Kind::Failed`] if the machine has none.
pub fn chance() -> Result<impl FnMut(&mut [u8]), Error> {
    let random = SystemRandom::new();
    // A machine that gives some gives more: what the system draws from does not run dry.
    entropy::<1>()?;
    Ok(move |octets: &mut [u8]| random.fill(octets).expect("it gave some before"))
}

/// Octets that nobody can guess.
///
/// # Errors
/// [`crate::error::Kind::Failed`] if the machine has none.
pub fn entropy<const N: usize>() -> Result<[u8; N], Error> {
    let mut octets = [0; N];
    let filled = SystemRandom::new().fill(&mut octets);
    filled.map_err(|_| Error::failed("the machine gives no entropy"))?;
    Ok(octets)
}
