//! Certificates (RFC 5280) as S/MIME uses them (RFC 8550): read, made, and followed to an authority that is trusted.
//! Whom to trust is left to the caller.

mod chain;
mod extensions;
mod make;
mod name;
mod revocation;

use std::ops::Range;

use crate::der::{self, Malformed, Reader, parse_time, tag};
use crate::digest::{Digest, fingerprint};
use crate::key::{Check, NoKey, PublicKey, SignatureAlgorithm};
use crate::pem;

pub(crate) use chain::{Search, follow};
use extensions::Extensions;
pub use make::{Issuer, New, make};
pub(crate) use name::same_address;
pub use revocation::RevocationList;

/// A certificate, read.
#[derive(Clone, Debug)]
pub struct Certificate {
    der: Vec<u8>,
    /// The octets that are signed.
    signed: Range<usize>,
    pub(crate) serial: Vec<u8>,
    /// Names as whole values, which are compared octet by octet (RFC 5280 §7.1 as everybody does it).
    pub(crate) issuer: Vec<u8>,
    pub(crate) subject: Vec<u8>,
    not_before: i64,
    not_after: i64,
    key_info: Vec<u8>,
    algorithm: Vec<u8>,
    signature: Vec<u8>,
    extensions: Extensions,
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Certificate {
    /// Reads one in DER.
    ///
    /// # Errors
    /// [`Malformed`]
    pub fn of_der(octets: &[u8]) -> Result<Self, Malformed> {
        let mut outer = Reader::new(octets);
        let mut whole = outer.sequence()?;
        outer.end()?;
        let signed = whole.any()?;
        let algorithm = whole.take(tag::SEQUENCE)?;
        let signature = whole.bits()?;
        whole.end()?;
        let mut body = Reader::new(signed.whole).sequence()?;
        if let Some(version) = body.optional(tag::context(0))? {
            Reader::new(version).small()?;
        }
        let serial = body.take(tag::INTEGER)?;
        // RFC 5280 §4.1.1.2: inside and outside it must be the same.
        if body.take(tag::SEQUENCE)? != algorithm {
            return Err(Malformed);
        }
        let issuer = sequence_whole(&mut body)?;
        let mut validity = body.sequence()?;
        let not_before = parse_time(validity.any()?).ok_or(Malformed)?;
        let not_after = parse_time(validity.any()?).ok_or(Malformed)?;
        let subject = sequence_whole(&mut body)?;
        let key_info = sequence_whole(&mut body)?;
        // Unique identifiers, which nobody uses.
        body.optional(tag::primitive(1))?;
        body.optional(tag::primitive(2))?;
        let extensions = match body.optional(tag::context(3))? {
            Some(list) => Extensions::read(list)?,
            None => Extensions::default(),
        };
        let start = signed.whole.as_ptr() as usize - octets.as_ptr() as usize;
        Ok(Self {
            signed: start..start + signed.whole.len(),
            serial: serial.to_vec(),
            issuer: issuer.to_vec(),
            subject: subject.to_vec(),
            not_before,
            not_after,
            key_info: key_info.to_vec(),
            algorithm: algorithm.to_vec(),
            signature: signature.to_vec(),
            extensions,
            der: octets.to_vec(),
        })
    }

    /// All certificates of a PEM file, or the one of a DER file.
    ///
    /// # Errors
    /// [`Malformed`] if there is none, or one of them is none.
    pub fn of_file(octets: &[u8]) -> Result<Vec<Self>, Malformed> {
        if octets.first() == Some(&tag::SEQUENCE) {
            return Ok(vec![Self::of_der(octets)?]);
        }
        let is_one = |label: &str| label.ends_with("CERTIFICATE");
        let blocks = pem::blocks(octets).into_iter().filter(|block| is_one(&block.label));
        let all: Result<Vec<Self>, _> = blocks.map(|block| Self::of_der(&block.der)).collect();
        all.and_then(|all| if all.is_empty() { Err(Malformed) } else { Ok(all) })
    }

    /// It in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// It as a PEM file.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::write("CERTIFICATE", &self.der)
    }

    /// Whose it is: its name, or its address where it has none.
    #[must_use]
    pub fn subject_words(&self) -> String {
        let words = name::words(&self.subject);
        if words.is_empty() { self.addresses().join(", ") } else { words }
    }

    /// Who signed it.
    #[must_use]
    pub fn issuer_words(&self) -> String {
        name::words(&self.issuer)
    }

    /// Mail addresses of its owner: those of subjectAltName, then those of the name (RFC 8550 §3).
    #[must_use]
    pub fn addresses(&self) -> Vec<String> {
        let mut all = self.extensions.addresses.clone();
        all.extend(name::addresses(&self.subject));
        all
    }

    /// Whether one of its addresses is this one.
    #[must_use]
    pub fn has_address(&self, address: &str) -> bool {
        self.addresses().iter().any(|own| same_address(own, address))
    }

    /// From when until when, in seconds since 1970, it says to be valid.
    #[must_use]
    pub const fn validity(&self) -> (i64, i64) {
        (self.not_before, self.not_after)
    }

    pub(crate) const fn is_valid_at(&self, seconds: i64) -> bool {
        self.not_before <= seconds && seconds <= self.not_after
    }

    /// SHA-256 of it, in hexadecimal.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.der)
    }

    /// Its serial number in hexadecimal.
    #[must_use]
    pub fn serial_words(&self) -> String {
        self.serial.iter().map(|octet| format!("{octet:02x}")).collect()
    }

    /// Its key, such as `RSA, 2048 bits`.
    #[must_use]
    pub fn key_words(&self) -> String {
        self.key().map_or_else(|_| "of a kind that is not known here".to_owned(), |key| key.words())
    }

    /// Whether it belongs to this private key.
    #[must_use]
    pub fn is_of(&self, key: &crate::PrivateKey) -> bool {
        self.key().is_ok_and(|own| own == key.public())
    }

    /// Whether it is an authority's.
    #[must_use]
    pub const fn is_authority(&self) -> bool {
        self.extensions.is_authority
    }

    pub(crate) fn key(&self) -> Result<PublicKey, NoKey> {
        PublicKey::read(&self.key_info)
    }

    /// RFC 5280 §4.2.1.2
    pub(crate) fn key_id(&self) -> Option<&[u8]> {
        self.extensions.key_id.as_deref()
    }

    /// Whether its key may sign mail (RFC 8550 §4.4.2 and §4.4.4).
    pub(crate) const fn may_sign_mail(&self) -> bool {
        let usage = &self.extensions;
        !usage.has_unknown
            && usage.protects_mail
            && usage.allows(extensions::DIGITAL_SIGNATURE | extensions::NON_REPUDIATION)
    }

    /// Whether mail may be encrypted to its key, which is RSA or not.
    pub(crate) const fn may_decrypt(&self, is_rsa: bool) -> bool {
        let wanted = if is_rsa { extensions::KEY_ENCIPHERMENT } else { extensions::KEY_AGREEMENT };
        self.extensions.protects_mail && self.extensions.allows(wanted)
    }

    /// Whether this key signed that certificate.
    pub(crate) fn has_signed(&self, other: &Self) -> bool {
        let octets = &other.der[other.signed.clone()];
        self.checks(&other.algorithm, octets, &other.signature)
    }

    /// Whether this key made a signature with a strong digest.
    fn checks(&self, algorithm: &[u8], octets: &[u8], signature: &[u8]) -> bool {
        let Ok(Some(algorithm)) = SignatureAlgorithm::read(algorithm, None) else { return false };
        let (Ok(key), true) = (self.key(), algorithm.digest().is_strong()) else { return false };
        let digest: Digest = algorithm.digest();
        algorithm.check(&key, &digest.digest(octets), signature) == Check::Right
    }
}

/// The next value, a sequence, whole.
fn sequence_whole<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Malformed> {
    let value: der::Tlv<'a> = reader.any()?;
    if value.tag == tag::SEQUENCE { Ok(value.whole) } else { Err(Malformed) }
}
