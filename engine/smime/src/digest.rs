//! The digests that signatures use. SHA-1 is known so that old mail can be compared with what was signed; what rests
//! on it is never trusted.

use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use crate::der::{oid, sequence};

/// A digest algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digest {
    /// Only for mail from before 2016 (RFC 8551 appendix B).
    Sha1,
    /// What this crate signs with (RFC 8551 §2.1).
    Sha256,
    /// RFC 5754.
    Sha384,
    /// RFC 8551 §2.1.
    Sha512,
}

impl Digest {
    /// Of an object identifier.
    pub(crate) fn of(name: &[u8]) -> Option<Self> {
        match name {
            oid::SHA1 => Some(Self::Sha1),
            oid::SHA256 => Some(Self::Sha256),
            oid::SHA384 => Some(Self::Sha384),
            oid::SHA512 => Some(Self::Sha512),
            _ => None,
        }
    }

    /// Its AlgorithmIdentifier, without parameters (RFC 5754 §2).
    pub(crate) fn identifier(self) -> Vec<u8> {
        let name = match self {
            Self::Sha1 => oid::SHA1,
            Self::Sha256 => oid::SHA256,
            Self::Sha384 => oid::SHA384,
            Self::Sha512 => oid::SHA512,
        };
        sequence(&[&oid::value(name)])
    }

    /// Whether what rests on it proves anything.
    #[must_use]
    pub const fn is_strong(self) -> bool {
        !matches!(self, Self::Sha1)
    }

    /// As people write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        }
    }

    /// The digest of what these pieces are together.
    pub(crate) fn of_pieces<'a>(self, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
        match self {
            Self::Sha1 => run::<Sha1>(pieces),
            Self::Sha256 => run::<Sha256>(pieces),
            Self::Sha384 => run::<Sha384>(pieces),
            Self::Sha512 => run::<Sha512>(pieces),
        }
    }

    pub(crate) fn digest(self, octets: &[u8]) -> Vec<u8> {
        self.of_pieces(std::iter::once(octets))
    }
}

fn run<'a, D: sha2::Digest>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut state = D::new();
    pieces.for_each(|piece| state.update(piece));
    state.finalize().to_vec()
}

/// SHA-256 of octets, in hexadecimal: the fingerprint of a certificate.
pub(crate) fn fingerprint(octets: &[u8]) -> String {
    Sha256::digest(octets).iter().map(|octet| format!("{octet:02x}")).collect()
}
