//! Digests over a challenge and a secret that both sides know: APOP (RFC 1939 §7) and CRAM-MD5 (RFC 2195).
//!
//! Both are old, and weaker than SCRAM in two ways: the server has to keep the secret itself, and whoever listens can
//! try passwords at the speed of MD5.

use alloc::vec::Vec;

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use subtle::ConstantTimeEq;

use super::DigestCredentials;

/// Octets of a challenge or a timestamp; a longer one fits no reply line of POP3 (RFC 1939 §3).
pub const CHALLENGE_MAX: usize = 500;

/// RFC 1939 §7: MD5 over the timestamp and the secret, in lower-case hexadecimal.
#[must_use]
pub fn apop(timestamp: &[u8], secret: &[u8]) -> Vec<u8> {
    let digest = Md5::new().chain_update(timestamp).chain_update(secret);
    hexadecimal(&digest.finalize())
}

/// RFC 2195 §2: HMAC-MD5 over the challenge with the secret as key, in lower-case hexadecimal.
#[must_use]
pub fn cram_md5(challenge: &[u8], secret: &[u8]) -> Vec<u8> {
    let mac = Hmac::<Md5>::new_from_slice(secret).expect("HMAC takes a key of any length");
    hexadecimal(&mac.chain_update(challenge).finalize().into_bytes())
}

/// Whether this is `"<" local-part "@" domain ">"`, printable: what a timestamp and a challenge have to be.
///
/// A client that took other octets would let who stands in between choose what is digested, and that gives a password
/// away, letter by letter.
#[must_use]
pub fn is_challenge(octets: &[u8]) -> bool {
    let inner = octets.strip_prefix(b"<").and_then(|rest| rest.strip_suffix(b">"));
    let Some(inner) = inner.filter(|_| octets.len() <= CHALLENGE_MAX) else { return false };
    let visible = |octet: &u8| octet.is_ascii_graphic() && !b"<>".contains(octet);
    let ats = inner.iter().filter(|octet| **octet == b'@').count();
    ats == 1 && !inner.starts_with(b"@") && !inner.ends_with(b"@") && inner.iter().all(visible)
}

impl DigestCredentials {
    /// Whether the digest is one of this secret. The comparison takes the same time for every digest.
    #[must_use]
    pub fn is_of(&self, secret: &[u8]) -> bool {
        let digest = if self.hmac { cram_md5 } else { apop };
        digest(&self.challenge, secret).ct_eq(&self.digest).into()
    }
}

fn hexadecimal(octets: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = |octet: &u8| [DIGITS[usize::from(octet >> 4)], DIGITS[usize::from(octet & 15)]];
    octets.iter().flat_map(digits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 1939 §7 and RFC 2195 §2, their own examples.
    #[test]
    fn digests_are_those_of_the_standards() {
        let timestamp = b"<1896.697170952@dbc.mtview.ca.us>";
        let digest = apop(timestamp, b"tanstaaf");
        assert_eq!(digest, b"c4c9334bac560ecc979e58001b3e22fb");
        let challenge = b"<1896.697170952@postoffice.reston.mci.net>";
        let keyed = cram_md5(challenge, b"tanstaaftanstaaf");
        assert_eq!(keyed, b"b913a602c7eda7a495b4e6e7334d3890");

        let given = |challenge: &[u8], digest, hmac| DigestCredentials {
            user: b"tim".to_vec(),
            challenge: challenge.to_vec(),
            digest,
            hmac,
        };
        let by_apop = given(timestamp, digest, false);
        assert!(by_apop.is_of(b"tanstaaf") && !by_apop.is_of(b"tanstaa"));
        let by_cram = given(challenge, keyed, true);
        assert!(by_cram.is_of(b"tanstaaftanstaaf") && !by_cram.is_of(b"tanstaaf"));
        assert!(!DigestCredentials { hmac: false, ..by_cram }.is_of(b"tanstaaftanstaaf"));
        assert!(!given(timestamp, Vec::new(), false).is_of(b"tanstaaf"));
    }

    #[test]
    fn a_challenge_is_a_message_id() {
        assert!(is_challenge(b"<1896.697170952@dbc.mtview.ca.us>"));
        let long = [&b"<"[..], &[b'a'; CHALLENGE_MAX], b"@b>"].concat();
        let wrong: [&[u8]; 12] = [
            b"",
            b"<",
            b"<>",
            b"a@b",
            b"<a>",
            b"<a@b@c>",
            b"<@b>",
            b"<a@>",
            b"<a\x80@b>",
            b"<a @b>",
            b"<<a@b>",
            &long,
        ];
        for octets in wrong {
            assert!(!is_challenge(octets), "{}", octets.escape_ascii());
        }
    }
}
