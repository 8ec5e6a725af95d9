//! Keys: RSA and the curve P-256, private ones and the public ones of certificates, and what is signed and checked
//! with them. The arithmetic is that of the RustCrypto libraries; whose key it is, and whether it may sign, is left
//! to `certificate`.

mod private;
mod signature;

use p256::elliptic_curve::sec1::ToSec1Point;
use rsa::BoxedUint;
use rsa::traits::PublicKeyParts;

use crate::der::{self, Malformed, Reader, bit_string, integer, oid, sequence, tag, tlv};
use crate::limits::{RSA_BITS, RSA_BITS_STRONG};

pub(crate) use private::Inner;
pub use private::{BadKey, PrivateKey};
pub(crate) use signature::{Check, SignatureAlgorithm};

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PublicKey {
    Rsa(Box<rsa::PublicKey>),
    P256(p256::PublicKey),
}

/// Why a certificate's key is of no use here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoKey {
    Malformed,
    /// Of a kind that this crate does not know, or of a size that it does not take.
    Unknown,
}

impl From<Malformed> for NoKey {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7), its tag and length included.
    pub(crate) fn read(info: &[u8]) -> Result<Self, NoKey> {
        let mut info = Reader::new(info).sequence()?;
        let (name, parameters) = der::algorithm(info.take(tag::SEQUENCE)?)?;
        let bits = info.bits()?;
        match name {
            oid::RSA => {
                let mut key = Reader::new(bits).sequence()?;
                let (modulus, exponent) = (key.unsigned()?, key.unsigned()?);
                if !RSA_BITS.contains(&(modulus.len() * 8)) {
                    return Err(NoKey::Unknown);
                }
                let modulus = BoxedUint::from_be_slice_vartime(modulus);
                let exponent = BoxedUint::from_be_slice_vartime(exponent);
                let key = rsa::PublicKey::new(modulus, exponent).map_err(|_| NoKey::Malformed)?;
                Ok(Self::Rsa(Box::new(key)))
            }
            oid::EC if parameters.is_some_and(|curve| curve.body == oid::P256) => {
                let key = p256::PublicKey::from_sec1_bytes(bits).map_err(|_| NoKey::Malformed)?;
                Ok(Self::P256(key))
            }
            _ => Err(NoKey::Unknown),
        }
    }

    /// Its SubjectPublicKeyInfo.
    pub(crate) fn write(&self) -> Vec<u8> {
        match self {
            Self::Rsa(key) => {
                rsa_public_info(&sequence(&[&integer(&key.n_bytes()), &integer(&key.e_bytes())]))
            }
            Self::P256(key) => {
                let algorithm = sequence(&[&oid::value(oid::EC), &oid::value(oid::P256)]);
                sequence(&[&algorithm, &bit_string(&point(key))])
            }
        }
    }

    /// Whether it is large enough to prove something.
    pub(crate) fn is_strong(&self) -> bool {
        match self {
            Self::Rsa(key) => key.n().bit_width() as usize >= RSA_BITS_STRONG,
            Self::P256(_) => true,
        }
    }

    /// Such as `RSA, 2048 bits`.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Rsa(key) => format!("RSA, {} bits", key.n().bit_width()),
            Self::P256(_) => "P-256".to_owned(),
        }
    }
}

/// An RSA public key in DER (RFC 8017 appendix A.1.1) as SubjectPublicKeyInfo.
#[must_use]
pub fn rsa_public_info(key: &[u8]) -> Vec<u8> {
    let algorithm = sequence(&[&oid::value(oid::RSA), &tlv(tag::NULL, &[])]);
    sequence(&[&algorithm, &bit_string(key)])
}

/// A point of the curve, uncompressed, as certificates and messages have it.
pub(crate) fn point(key: &p256::PublicKey) -> Vec<u8> {
    key.to_sec1_point(false).as_bytes().to_vec()
}
