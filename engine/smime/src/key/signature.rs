//! Signature algorithms, and the check of one signature.

use rsa::Pkcs1v15Sign;
use sha2::{Sha256, Sha384, Sha512};

use super::PublicKey;
use crate::der::{self, Malformed, Reader, oid, sequence, tag, tlv};
use crate::digest::Digest;

/// RFC 8017 §9.2, note 1: what stands before a digest of SHA-1.
const SHA1_PREFIX: [u8; 15] = [0x30, 0x21, 0x30, 9, 6, 5, 0x2B, 0x0E, 3, 2, 0x1A, 5, 0, 4, 0x14];

/// How something was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignatureAlgorithm {
    RsaPkcs1(Digest),
    /// With the salt's length (RFC 4055 §3.1).
    RsaPss(Digest, usize),
    Ecdsa(Digest),
}

/// What the check of a signature came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    Right,
    Wrong,
    /// The algorithm, or the key's kind, is one that this crate does not know.
    Unknown,
}

impl SignatureAlgorithm {
    /// Of an AlgorithmIdentifier's body. Where it only names the key's kind, as in CMS it may, the digest is the
    /// message's.
    pub(crate) fn read(body: &[u8], of_message: Option<Digest>) -> Result<Option<Self>, Malformed> {
        let (name, parameters) = der::algorithm(body)?;
        Ok(match name {
            oid::RSA => of_message.map(Self::RsaPkcs1),
            oid::RSA_SHA1 => Some(Self::RsaPkcs1(Digest::Sha1)),
            oid::RSA_SHA256 => Some(Self::RsaPkcs1(Digest::Sha256)),
            oid::RSA_SHA384 => Some(Self::RsaPkcs1(Digest::Sha384)),
            oid::RSA_SHA512 => Some(Self::RsaPkcs1(Digest::Sha512)),
            oid::RSA_PSS => pss(parameters.map(|value| value.whole))?,
            oid::EC => of_message.map(Self::Ecdsa),
            oid::ECDSA_SHA1 => Some(Self::Ecdsa(Digest::Sha1)),
            oid::ECDSA_SHA256 => Some(Self::Ecdsa(Digest::Sha256)),
            oid::ECDSA_SHA384 => Some(Self::Ecdsa(Digest::Sha384)),
            oid::ECDSA_SHA512 => Some(Self::Ecdsa(Digest::Sha512)),
            _ => None,
        })
    }

    /// Its AlgorithmIdentifier; only for what this crate signs with.
    pub(crate) fn identifier(self) -> Vec<u8> {
        match self {
            // RFC 4055 §5 asks for the NULL, RFC 5758 §3.2 forbids it.
            Self::RsaPkcs1(_) | Self::RsaPss(..) => {
                sequence(&[&oid::value(oid::RSA_SHA256), &tlv(tag::NULL, &[])])
            }
            Self::Ecdsa(_) => sequence(&[&oid::value(oid::ECDSA_SHA256)]),
        }
    }

    pub(crate) const fn digest(self) -> Digest {
        match self {
            Self::RsaPkcs1(digest) | Self::RsaPss(digest, _) | Self::Ecdsa(digest) => digest,
        }
    }

    /// Such as `RSA with SHA-256`.
    pub(crate) fn words(self) -> String {
        let kind = match self {
            Self::RsaPkcs1(_) => "RSA",
            Self::RsaPss(..) => "RSA-PSS",
            Self::Ecdsa(_) => "ECDSA",
        };
        format!("{kind} with {}", self.digest().name())
    }

    /// Checks a signature over octets with this digest.
    pub(crate) fn check(self, key: &PublicKey, digest: &[u8], signature: &[u8]) -> Check {
        let is_right = match (self, key) {
            (Self::RsaPkcs1(kind), PublicKey::Rsa(key)) => {
                let scheme = match kind {
                    Digest::Sha1 => Pkcs1v15Sign { hash_len: Some(20), prefix: SHA1_PREFIX.into() },
                    Digest::Sha256 => Pkcs1v15Sign::new::<Sha256>(),
                    Digest::Sha384 => Pkcs1v15Sign::new::<Sha384>(),
                    Digest::Sha512 => Pkcs1v15Sign::new::<Sha512>(),
                };
                key.verify(scheme, digest, signature).is_ok()
            }
            (Self::RsaPss(kind, salt), PublicKey::Rsa(key)) => match kind {
                Digest::Sha1 => return Check::Unknown,
                Digest::Sha256 => {
                    key.verify(rsa::Pss::<Sha256>::new_with_salt(salt), digest, signature).is_ok()
                }
                Digest::Sha384 => {
                    key.verify(rsa::Pss::<Sha384>::new_with_salt(salt), digest, signature).is_ok()
                }
                Digest::Sha512 => {
                    key.verify(rsa::Pss::<Sha512>::new_with_salt(salt), digest, signature).is_ok()
                }
            },
            (Self::Ecdsa(_), PublicKey::P256(key)) => ecdsa(key, digest, signature).is_some(),
            _ => return Check::Unknown,
        };
        if is_right { Check::Right } else { Check::Wrong }
    }
}

/// RFC 5753 §7.2: two integers.
fn ecdsa(key: &p256::PublicKey, digest: &[u8], signature: &[u8]) -> Option<()> {
    use p256::ecdsa::signature::hazmat::PrehashVerifier;
    let mut numbers = Reader::new(signature).sequence().ok()?;
    let (r, s) = (numbers.unsigned().ok()?, numbers.unsigned().ok()?);
    if r.len() > 32 || s.len() > 32 {
        return None;
    }
    let mut octets = [0; 64];
    octets[32 - r.len()..32].copy_from_slice(r);
    octets[64 - s.len()..].copy_from_slice(s);
    let signature = p256::ecdsa::Signature::from_slice(&octets).ok()?;
    let key = p256::ecdsa::VerifyingKey::from(key);
    // RFC 5758 has no digest below the curve's size here but SHA-1, which the library refuses.
    key.verify_prehash(digest, &signature).ok()
}

/// RFC 4055 §3.1: all parameters have defaults, which mean SHA-1.
fn pss(parameters: Option<&[u8]>) -> Result<Option<SignatureAlgorithm>, Malformed> {
    let Some(parameters) = parameters else { return Ok(None) };
    let mut reader = Reader::new(parameters).sequence()?;
    let Some(hash) = reader.optional(tag::context(0))? else { return Ok(None) };
    let Some(mask) = reader.optional(tag::context(1))? else { return Ok(None) };
    let salt = match reader.optional(tag::context(2))? {
        Some(salt) => Reader::new(salt).small()? as usize,
        None => 20,
    };
    let (hash, _) = der::algorithm(Reader::new(hash).take(tag::SEQUENCE)?)?;
    let (mask, masked) = der::algorithm(Reader::new(mask).take(tag::SEQUENCE)?)?;
    let masked = masked.ok_or(Malformed)?;
    let (of_mask, _) = der::algorithm(Reader::new(masked.whole).take(tag::SEQUENCE)?)?;
    // RFC 4055 §3.1 recommends one digest for both; nobody writes two.
    if mask != oid::MGF1 || of_mask != hash {
        return Ok(None);
    }
    Ok(Digest::of(hash).map(|hash| SignatureAlgorithm::RsaPss(hash, salt)))
}
