//! What is kept of a password for SCRAM, in the text form of RFC 5803: enough to judge a proof, not enough to make one.

use std::fmt;

use pillarbox_engine::sasl::scram::{Hash, ITERATIONS_MAX, ITERATIONS_MIN, Keys};
use pillarbox_engine::text::base64;

use crate::auth::entropy;
use crate::error::Error;

/// Iterations for new passwords: what a telephone hashes in a fraction of a second at each login, since the client pays.
pub const ITERATIONS: u32 = 100_000;
/// Octets of a salt.
pub const SALT_OCTETS: usize = 16;

/// The keys of one password for one hash function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    /// Which hash function.
    pub hash: Hash,
    /// How often it was iterated.
    pub iterations: u32,
    /// What it was salted with.
    pub salt: Vec<u8>,
    /// What proofs are judged by.
    pub keys: Keys,
}

impl Verifier {
    /// That of a prepared password, with a fresh salt.
    ///
    /// # Errors
    /// [`crate::error::Kind::Failed`] if the machine has no entropy.
    pub fn new(hash: Hash, password: &str) -> Result<Self, Error> {
        let salt = entropy::<SALT_OCTETS>()?.to_vec();
        let keys = Keys::derive(hash, password.as_bytes(), &salt, ITERATIONS);
        Ok(Self { hash, iterations: ITERATIONS, salt, keys })
    }

    /// ```text
    /// scheme "$" iterations ":" salt "$" stored-key ":" server-key
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split('$');
        let (scheme, info, value) = (fields.next()?, fields.next()?, fields.next()?);
        let hash = [Hash::Sha1, Hash::Sha256].into_iter().find(|hash| scheme == name(*hash))?;
        let (iterations, salt) = info.split_once(':')?;
        let (stored_key, server_key) = value.split_once(':')?;
        let key =
            |text: &str| base64::decode(text.as_bytes()).filter(|key| key.len() == hash.length());
        let keys = Keys { stored_key: key(stored_key)?, server_key: key(server_key)? };
        let iterations: u32 = iterations.parse().ok()?;
        let salt = base64::decode(salt.as_bytes()).filter(|salt| !salt.is_empty())?;
        let in_bounds = (ITERATIONS_MIN..=ITERATIONS_MAX).contains(&iterations);
        (in_bounds && fields.next().is_none()).then_some(Self { hash, iterations, salt, keys })
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |octets: &[u8]| base64::encode(octets).escape_ascii().to_string();
        let (scheme, iterations, salt) = (name(self.hash), self.iterations, text(&self.salt));
        let (stored, server) = (text(&self.keys.stored_key), text(&self.keys.server_key));
        write!(f, "{scheme}${iterations}:{salt}${stored}:{server}")
    }
}

const fn name(hash: Hash) -> &'static str {
    match hash {
        Hash::Sha1 => "SCRAM-SHA-1",
        Hash::Sha256 => "SCRAM-SHA-256",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verifiers_are_read_as_they_were_written_and_nothing_else_is() {
        let made = Verifier::new(Hash::Sha1, "pencil").expect("there is entropy");
        let text = made.to_string();
        assert_eq!(Verifier::parse(&text), Some(made));
        let short = text.replacen("SCRAM-SHA-1$", "SCRAM-SHA-256$", 1);
        let few = text.replacen("100000", "4095", 1);
        let many = text.replacen("100000", "1000001", 1);
        let more = format!("{text}$");
        for wrong in ["", "SCRAM-SHA-1", &short, &few, &many, &more, &text[1..]] {
            assert_eq!(Verifier::parse(wrong), None, "{wrong}");
        }
    }
}
