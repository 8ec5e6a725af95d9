//! CRAM-MD5 (RFC 2195): the host makes a challenge, and the client digests it with a secret that the host has too.

use alloc::vec::Vec;

use super::is_part;
use crate::sasl::{Credentials, DigestCredentials};
use crate::trace::Rule;

/// RFC 2195 §2.
pub(in crate::sasl) const CRAM_RESPONSE: Rule = Rule {
    rfc: 2195,
    section: "2",
    gist: "The response to the challenge is the user name, a space, and the keyed digest in hexadecimal.",
};

/// Hexadecimal digits of an MD5 digest.
const DIGITS: usize = 32;

/// What a response to this challenge says; a name may hold spaces, so the last one ends it.
pub(super) fn read(challenge: Vec<u8>, response: &[u8]) -> Option<Credentials> {
    let space = response.iter().rposition(|&octet| octet == b' ')?;
    let (user, digest) = (&response[..space], &response[space + 1..]);
    let right = digest.len() == DIGITS && digest.iter().all(u8::is_ascii_hexdigit) && is_part(user);
    right.then(|| {
        let (user, digest) = (user.to_vec(), digest.to_ascii_lowercase());
        Credentials::Digest(DigestCredentials { user, challenge, digest, hmac: true })
    })
}
