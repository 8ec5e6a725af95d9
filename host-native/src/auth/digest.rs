//! Challenges of APOP and CRAM-MD5, each of them new.

use std::time::{SystemTime, UNIX_EPOCH};

use pillarbox_engine::sasl::LoginAnswer;
use pillarbox_engine::text::domain;
use pillarbox_engine::types::Reason;

use super::entropy;
use super::scram::refused;
use crate::error::Error;

/// Octets of entropy in a challenge.
const ENTROPY: usize = 16;

/// RFC 1939 §7 timestamp, RFC 2195 §2 challenge: random digits, the time, and this host's name.
///
/// # Errors
/// [`crate::error::Kind::Failed`] if the machine has no entropy.
pub fn challenge(host_name: &str) -> Result<Vec<u8>, Error> {
    let random: String = entropy::<ENTROPY>()?.iter().map(|octet| format!("{octet:02x}")).collect();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let host = domain::to_ascii(host_name.as_bytes());
    Ok([format!("<{random}.{now}@").as_bytes(), &host, b">"].concat())
}

/// The answer to a client of CRAM-MD5 that waits for one.
pub(super) fn start(host_name: &str) -> LoginAnswer {
    match challenge(host_name) {
        Ok(challenge) => LoginAnswer::DigestChallenge(challenge),
        Err(error) => {
            tracing::error!(%error, "no challenge");
            refused(Reason::Overloaded)
        }
    }
}

#[cfg(test)]
mod tests {
    use pillarbox_engine::sasl::digest::is_challenge;

    use super::*;

    #[test]
    fn challenges_are_message_ids_and_never_the_same() {
        let [one, two] = [(); 2].map(|()| challenge("bücher.example").expect("there is entropy"));
        assert!(is_challenge(&one), "{}", one.escape_ascii());
        assert!(one.ends_with(b"@xn--bcher-kva.example>"), "{}", one.escape_ascii());
        assert_ne!(one[..2 * ENTROPY], two[..2 * ENTROPY]);
    }
}
