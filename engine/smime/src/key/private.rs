//! Private keys: read, made, written, and used to sign.

use std::fmt;

use rsa::BoxedUint;
use rsa::traits::{PrivateKeyParts, PublicKeyParts};

use super::{PublicKey, SignatureAlgorithm, point};
use crate::der::{self, Malformed, Reader, bit_string, integer, oid, sequence, tag, tlv};
use crate::digest::Digest;
use crate::entropy::{Entropy, Source, array};
use crate::limits::RSA_BITS;
use crate::pem;

/// A private key. It shows nothing of itself.
#[derive(Clone)]
pub struct PrivateKey(pub(crate) Inner);

#[derive(Clone)]
pub(crate) enum Inner {
    Rsa(Box<rsa::PrivateKey>),
    P256(p256::SecretKey),
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.words())
    }
}

/// Why something is no private key that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadKey {
    /// No block of the file is a private key.
    None,
    /// It is protected by a password.
    Encrypted,
    /// It is neither RSA of 1024 to 8192 bits nor of the curve P-256.
    Unknown,
    /// Its octets are not what they should be, or its numbers do not fit together.
    Malformed,
}

impl BadKey {
    /// What is wrong and what to do, as a clause.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::None => "there is no private key in PEM form in it",
            Self::Encrypted => {
                "its private key is protected by a password; take that off with \
                 `openssl pkey -in FILE -out NEW`, and let only yourself read the new file"
            }
            Self::Unknown => "its private key is neither RSA of 1024 to 8192 bits nor P-256",
            Self::Malformed => "its private key is damaged",
        }
    }
}

impl From<Malformed> for BadKey {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl PrivateKey {
    /// The first private key of a PEM file: PKCS #8, PKCS #1 or SEC 1.
    ///
    /// # Errors
    /// [`BadKey`]
    pub fn of_pem(text: &[u8]) -> Result<Self, BadKey> {
        let mut blocks = pem::blocks(text).into_iter();
        if let Some(block) = blocks.find(|block| block.label.ends_with("PRIVATE KEY")) {
            if block.label.starts_with("ENCRYPTED") {
                return Err(BadKey::Encrypted);
            }
            return Self::of_der(&block.der);
        }
        // What older programs protect by a password has lines that make it no base64.
        let is_protected = text.windows(10).any(|words| words == b",ENCRYPTED");
        Err(if is_protected { BadKey::Encrypted } else { BadKey::None })
    }

    /// A private key in DER: PKCS #8 (RFC 5208), PKCS #1 (RFC 8017) or SEC 1 (RFC 5915).
    ///
    /// # Errors
    /// [`BadKey`]
    pub fn of_der(octets: &[u8]) -> Result<Self, BadKey> {
        let mut outer = Reader::new(octets).sequence()?;
        outer.unsigned()?;
        if outer.is(tag::INTEGER) {
            return rsa_key(octets);
        }
        if outer.is(tag::OCTET_STRING) {
            return p256_key(octets);
        }
        let (name, parameters) = der::algorithm(outer.take(tag::SEQUENCE)?)?;
        let key = outer.take(tag::OCTET_STRING)?;
        match name {
            oid::RSA => rsa_key(key),
            oid::EC if parameters.is_some_and(|curve| curve.body == oid::P256) => p256_key(key),
            _ => Err(BadKey::Unknown),
        }
    }

    /// Makes an RSA key of so many bits.
    ///
    /// # Errors
    /// [`BadKey::Unknown`] for a length that is not one of [`RSA_BITS`].
    pub fn generate_rsa(bits: usize, entropy: &mut Entropy<'_>) -> Result<Self, BadKey> {
        if !RSA_BITS.contains(&bits) {
            return Err(BadKey::Unknown);
        }
        let key = rsa::PrivateKey::new(&mut Source(entropy), bits);
        Ok(Self(Inner::Rsa(Box::new(key.map_err(|_| BadKey::Malformed)?))))
    }

    /// Makes a key of the curve P-256.
    #[must_use]
    pub fn generate_p256(entropy: &mut Entropy<'_>) -> Self {
        loop {
            // All but one in four thousand million numbers of 32 octets are keys.
            if let Ok(key) = p256::SecretKey::from_slice(&array::<32>(entropy)) {
                return Self(Inner::P256(key));
            }
        }
    }

    /// It as PKCS #8 in DER.
    #[must_use]
    pub fn to_pkcs8(&self) -> Vec<u8> {
        let (name, parameters, key) = match &self.0 {
            Inner::Rsa(key) => (oid::RSA, tlv(tag::NULL, &[]), pkcs1(key)),
            Inner::P256(key) => {
                let version = integer(&[1]);
                let secret = tlv(tag::OCTET_STRING, &key.to_bytes());
                let public = tlv(tag::context(1), &bit_string(&point(&key.public_key())));
                (oid::EC, oid::value(oid::P256), sequence(&[&version, &secret, &public]))
            }
        };
        let algorithm = sequence(&[&oid::value(name), &parameters]);
        sequence(&[&integer(&[]), &algorithm, &tlv(tag::OCTET_STRING, &key)])
    }

    /// It as a PEM file.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::write("PRIVATE KEY", &self.to_pkcs8())
    }

    /// Its public half, as SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn public_info(&self) -> Vec<u8> {
        self.public().write()
    }

    /// Such as `RSA, 2048 bits`.
    #[must_use]
    pub fn words(&self) -> String {
        self.public().words()
    }

    pub(crate) const fn is_rsa(&self) -> bool {
        matches!(self.0, Inner::Rsa(_))
    }

    pub(crate) fn public(&self) -> PublicKey {
        match &self.0 {
            Inner::Rsa(key) => PublicKey::Rsa(Box::new(key.to_public_key())),
            Inner::P256(key) => PublicKey::P256(key.public_key()),
        }
    }

    /// Which signatures it makes here: with SHA-256, and over RSA in the form that every reader knows.
    pub(crate) const fn signature_algorithm(&self) -> SignatureAlgorithm {
        match self.0 {
            Inner::Rsa(_) => SignatureAlgorithm::RsaPkcs1(Digest::Sha256),
            Inner::P256(_) => SignatureAlgorithm::Ecdsa(Digest::Sha256),
        }
    }

    /// Signs octets.
    pub(crate) fn sign(&self, octets: &[u8], entropy: &mut Entropy<'_>) -> Result<Vec<u8>, BadKey> {
        let digest = Digest::Sha256.digest(octets);
        match &self.0 {
            Inner::Rsa(key) => {
                let scheme = rsa::Pkcs1v15Sign::new::<sha2::Sha256>();
                // Blinded: what a signature's making takes tells nothing of the key.
                let signed = key.sign_with_rng(&mut Source(entropy), scheme, &digest);
                signed.map_err(|_| BadKey::Malformed)
            }
            Inner::P256(key) => {
                use p256::ecdsa::signature::hazmat::PrehashSigner;
                // RFC 6979: its secret number comes from key and digest.
                let key = p256::ecdsa::SigningKey::from(key);
                let signed: Result<p256::ecdsa::Signature, _> = key.sign_prehash(&digest);
                let signed = signed.map_err(|_| BadKey::Malformed)?;
                let (r, s) = signed.split_bytes();
                Ok(sequence(&[&integer(&r), &integer(&s)]))
            }
        }
    }
}

/// RFC 8017 appendix A.1.2
fn rsa_key(octets: &[u8]) -> Result<PrivateKey, BadKey> {
    let mut key = Reader::new(octets).sequence()?;
    // Version 0: two primes.
    if key.small()? != 0 {
        return Err(BadKey::Unknown);
    }
    let mut number = || key.unsigned();
    let (n, e, d) = (number()?, number()?, number()?);
    let (p, q) = (number()?, number()?);
    if !RSA_BITS.contains(&(n.len() * 8)) {
        return Err(BadKey::Unknown);
    }
    let [n, e, d, p, q] = [n, e, d, p, q].map(BoxedUint::from_be_slice_vartime);
    let key = rsa::PrivateKey::from_components(n, e, d, vec![p, q]);
    Ok(PrivateKey(Inner::Rsa(Box::new(key.map_err(|_| BadKey::Malformed)?))))
}

/// RFC 5915 §3
fn p256_key(octets: &[u8]) -> Result<PrivateKey, BadKey> {
    let mut key = Reader::new(octets).sequence()?;
    if key.small()? != 1 {
        return Err(BadKey::Malformed);
    }
    let secret = key.take(tag::OCTET_STRING)?;
    if let Some(curve) = key.optional(tag::context(0))?
        && curve != &oid::value(oid::P256)[..]
    {
        return Err(BadKey::Unknown);
    }
    // A secret of another length is one of another curve.
    let key = p256::SecretKey::from_slice(secret).map_err(|_| BadKey::Unknown)?;
    Ok(PrivateKey(Inner::P256(key)))
}

/// RFC 8017 appendix A.1.2
fn pkcs1(key: &rsa::PrivateKey) -> Vec<u8> {
    let number = |number: &BoxedUint| integer(&number.to_be_bytes());
    let primes = key.primes();
    let (p, q) = (primes[0].as_ref(), primes[1].as_ref());
    let (dp, dq) = (key.dp().map(number), key.dq().map(number));
    let coefficient = key.crt_coefficient().map(|value| number(&value));
    sequence(&[
        &integer(&[]),
        &integer(&key.n_bytes()),
        &integer(&key.e_bytes()),
        &number(key.d()),
        &number(p),
        &number(q),
        &dp.expect("it is computed when a key of two primes is made"),
        &dq.expect("likewise"),
        &coefficient.expect("likewise"),
    ])
}
