//! SCRAM for the accounts of a server: parameters for every name, known or not, and the judgement of proofs.
//! Names without an account get made-up parameters that are always the same, so that nobody can tell them apart.

use pillarbox_engine::sasl::scram::{Hash, Keys};
use pillarbox_engine::sasl::{LoginAnswer, Mechanism, ScramFinish, ScramParameters};
use pillarbox_engine::text::base64;
use pillarbox_engine::types::{Reason, Refusal};

use super::entropy;
use crate::accounts::{Accounts, ITERATIONS, SALT_OCTETS, Verifier};

/// Octets of entropy in our part of the nonce.
const NONCE_OCTETS: usize = 24;

/// The secret that made-up parameters are made of.
pub(super) type ServerSecret = [u8; 32];

/// The answer to a client's first message.
pub(super) fn start(
    accounts: &Accounts,
    secret: &ServerSecret,
    mechanism: Mechanism,
    name: &str,
) -> LoginAnswer {
    let Some(hash) = Hash::of(mechanism) else { return refused(Reason::Unsupported) };
    let verifier = verifier(accounts, secret, hash, name);
    parameters(verifier.salt, verifier.iterations)
}

/// The parameters with a fresh nonce.
pub(super) fn parameters(salt: Vec<u8>, iterations: u32) -> LoginAnswer {
    match entropy::<NONCE_OCTETS>() {
        Ok(nonce) => {
            let nonce = base64::encode(&nonce);
            LoginAnswer::ScramParameters(ScramParameters { salt, iterations, nonce })
        }
        Err(error) => {
            tracing::error!(%error, "no nonce");
            refused(Reason::Overloaded)
        }
    }
}

/// Judges a proof: the server's signature if it is right.
pub(super) fn finish(
    accounts: &Accounts,
    secret: &ServerSecret,
    name: &str,
    given: &ScramFinish,
) -> Option<Vec<u8>> {
    let hash = Hash::of(given.mechanism)?;
    // Keys that are made up fit no password that anybody could know.
    let keys = verifier(accounts, secret, hash, name).keys;
    keys.judge(hash, &given.auth_message, &given.proof)
}

fn verifier(accounts: &Accounts, secret: &ServerSecret, hash: Hash, name: &str) -> Verifier {
    let kept = accounts.secret(name).and_then(|secret| secret.verifier(hash));
    let made_up = made_up(secret, hash, name);
    kept.cloned().unwrap_or(made_up)
}

fn made_up(secret: &ServerSecret, hash: Hash, name: &str) -> Verifier {
    let part = |what: &str| {
        let text = format!("{what} {} {name}", hash.length());
        Hash::Sha256.hmac(secret, text.as_bytes())
    };
    let mut salt = part("salt");
    salt.truncate(SALT_OCTETS);
    let key = |what| part(what)[..hash.length()].to_vec();
    let keys = Keys { stored_key: key("stored"), server_key: key("server") };
    Verifier { hash, iterations: ITERATIONS, salt, keys }
}

pub(super) fn refused(reason: Reason) -> LoginAnswer {
    LoginAnswer::Refused(Refusal::new(reason))
}
