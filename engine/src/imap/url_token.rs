//! Tokens of URLs that carry authorization, as the mechanism INTERNAL makes them (RFC 4467 §2.4, §2.5): for the side that
//! keeps the mailbox access keys, and for nobody else.

use alloc::vec::Vec;

use subtle::ConstantTimeEq;

use crate::sasl::scram::Hash;

/// RFC 4467 §2.2: what tokens of one account's URLs to one mailbox are made with. From chance: RFC 4467 asks for 128 bits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AccessKey([u8; 32]);

impl AccessKey {
    /// A key of these octets, which nobody can guess.
    #[must_use]
    pub const fn new(octets: [u8; 32]) -> Self {
        Self(octets)
    }

    /// Its octets, for a store.
    #[must_use]
    pub const fn octets(&self) -> &[u8; 32] {
        &self.0
    }

    /// The token of a URL. Its first octet names how it was made, so that another way can be known from this one.
    #[must_use]
    pub fn token(&self, rump: &[u8]) -> Vec<u8> {
        let mut token = [HMAC_SHA_256].to_vec();
        token.extend_from_slice(&Hash::Sha256.hmac(&self.0, rump));
        token
    }

    /// Whether this is the URL's token, in a time that does not tell how much of it is right.
    #[must_use]
    pub fn is_token(&self, rump: &[u8], token: &[u8]) -> bool {
        self.token(rump).ct_eq(token).into()
    }
}

impl core::fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("AccessKey(******)")
    }
}

/// The first octet of a token that is HMAC-SHA-256 of the rump.
const HMAC_SHA_256: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_of_one_key_and_of_one_url() {
        // RFC 4231 §4.3, whose key is made as long as a block by zeros, which are ours.
        let mut octets = [0; 32];
        octets[..4].copy_from_slice(b"Jefe");
        let key = AccessKey::new(octets);
        let token = key.token(b"what do ya want for nothing?");
        assert_eq!((token.len(), token[0]), (33, 1));
        assert_eq!(token[1..5], [0x5b, 0xdc, 0xc1, 0x46]);
        assert!(key.is_token(b"what do ya want for nothing?", &token));
        assert!(!key.is_token(b"what do ya want for nothing", &token));
        assert!(!AccessKey::new([7; 32]).is_token(b"what do ya want for nothing?", &token));
        for at in 0..token.len() {
            let mut other = token.clone();
            other[at] ^= 1;
            assert!(!key.is_token(b"what do ya want for nothing?", &other), "{at}");
            assert!(!key.is_token(b"what do ya want for nothing?", &token[..at]), "{at}");
        }
    }
}
