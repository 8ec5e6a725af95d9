//! RecipientInfo (RFC 5652 §6.2): the content's key, encrypted to each recipient: with RSA (RFC 3370 §4.2.1, RFC
//! 3560), or with a key that both sides agree on over P-256 (RFC 5753).

use rsa::{Oaep, Pkcs1v15Encrypt};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};

use super::{Identifier, cipher, issuer_and_serial};
use crate::certificate::Certificate;
use crate::der::{self, Malformed, Reader, bit_string, integer, oid, sequence, tag, tlv};
use crate::digest::Digest;
use crate::entropy::{Entropy, Source};
use crate::key::{Inner, PrivateKey, PublicKey, point};

/// One recipient, or several that share a key agreement.
pub(crate) enum Recipient<'a> {
    Transport {
        identifier: Identifier,
        /// OAEP with this digest; without it PKCS #1 1.5.
        oaep: Option<Digest>,
        key: &'a [u8],
    },
    Agreement {
        /// The sender's public point.
        point: &'a [u8],
        /// What the sender put in beside (RFC 5753 §3.1.1).
        material: Option<&'a [u8]>,
        digest: Digest,
        /// AlgorithmIdentifier of the wrapping.
        wrapping: &'a [u8],
        keys: Vec<(Identifier, &'a [u8])>,
    },
    /// By a password, by a key known before, or by what is not known here.
    Other,
}

impl<'a> Recipient<'a> {
    pub(super) fn read(value: der::Tlv<'a>) -> Result<Self, Malformed> {
        match value.tag {
            tag::SEQUENCE => Self::transport(Reader::new(value.body)),
            agreement if agreement == tag::context(1) => Self::agreement(Reader::new(value.body)),
            _ => Ok(Self::Other),
        }
    }

    fn transport(mut body: Reader<'a>) -> Result<Self, Malformed> {
        body.small()?;
        let identifier = Identifier::read(&mut body, tag::primitive(0))?;
        let (name, parameters) = der::algorithm(body.take(tag::SEQUENCE)?)?;
        let key = body.take(tag::OCTET_STRING)?;
        let oaep = match name {
            oid::RSA => None,
            oid::RSA_OAEP => match oaep(parameters.map(|value| value.whole))? {
                Some(digest) => Some(digest),
                None => return Ok(Self::Other),
            },
            _ => return Ok(Self::Other),
        };
        Ok(Self::Transport { identifier, oaep, key })
    }

    fn agreement(mut body: Reader<'a>) -> Result<Self, Malformed> {
        body.small()?;
        let mut originator = body.inside(tag::context(0))?;
        // RFC 5753 §3.1.1: the sender's key is made for this message and stands here.
        let Some(key) = originator.optional(tag::context(1))? else { return Ok(Self::Other) };
        let mut key = Reader::new(key);
        key.take(tag::SEQUENCE)?;
        let point = key.bits()?;
        let material = match body.optional(tag::context(1))? {
            Some(explicit) => Some(Reader::new(explicit).take(tag::OCTET_STRING)?),
            None => None,
        };
        let (name, wrapping) = der::algorithm(body.take(tag::SEQUENCE)?)?;
        let digest = match name {
            oid::ECDH_SHA1 => Digest::Sha1,
            oid::ECDH_SHA256 => Digest::Sha256,
            oid::ECDH_SHA384 => Digest::Sha384,
            oid::ECDH_SHA512 => Digest::Sha512,
            _ => return Ok(Self::Other),
        };
        let wrapping = wrapping.ok_or(Malformed)?.whole;
        let mut list = body.sequence()?;
        let mut keys = Vec::new();
        while !list.is_empty() && keys.len() < crate::limits::RECIPIENTS_MAX {
            let mut one = list.sequence()?;
            let identifier = match one.optional(tag::context(0))? {
                Some(id) => Identifier::Key(Reader::new(id).take(tag::OCTET_STRING)?.to_vec()),
                None => Identifier::read(&mut one, tag::primitive(0))?,
            };
            keys.push((identifier, one.take(tag::OCTET_STRING)?));
        }
        Ok(Self::Agreement { point, material, digest, wrapping, keys })
    }

    /// The recipients that are named.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::Agreement { keys, .. } => keys.len(),
            _ => 1,
        }
    }

    pub(super) fn names(&self, certificate: &Certificate) -> bool {
        match self {
            Self::Transport { identifier, .. } => identifier.names(certificate),
            Self::Agreement { keys, .. } => keys.iter().any(|(id, _)| id.names(certificate)),
            Self::Other => false,
        }
    }

    /// The content's key, with the private key of one of the recipients.
    pub(super) fn open(
        &self,
        certificate: &Certificate,
        key: &PrivateKey,
        entropy: &mut Entropy<'_>,
    ) -> Option<Vec<u8>> {
        match (self, &key.0) {
            (Self::Transport { oaep, key: sealed, .. }, Inner::Rsa(key)) => {
                let source = &mut Source(entropy);
                // Padding that is wrong gives a key that is none (RFC 3218 §2.3.2), so nobody learns
                // that it was wrong.
                let opened = match oaep {
                    None => key.decrypt_blinded(source, Pkcs1v15Encrypt, sealed),
                    Some(Digest::Sha1) => key.decrypt_blinded(source, Oaep::<Sha1>::new(), sealed),
                    Some(Digest::Sha256) => {
                        key.decrypt_blinded(source, Oaep::<Sha256>::new(), sealed)
                    }
                    Some(Digest::Sha384) => {
                        key.decrypt_blinded(source, Oaep::<Sha384>::new(), sealed)
                    }
                    Some(Digest::Sha512) => {
                        key.decrypt_blinded(source, Oaep::<Sha512>::new(), sealed)
                    }
                };
                opened.ok()
            }
            (Self::Agreement { point, material, digest, wrapping, keys }, Inner::P256(key)) => {
                let (_, sealed) = keys.iter().find(|(id, _)| id.names(certificate))?;
                let other = p256::PublicKey::from_sec1_bytes(point).ok()?;
                let secret = key.diffie_hellman(&other);
                let outer = derived(*digest, secret.raw_secret_bytes(), wrapping, *material)?;
                cipher::unwrap(&outer, sealed)
            }
            _ => None,
        }
    }
}

/// RFC 4055 §4.1: all parameters have defaults, which mean SHA-1. One digest for both, and no label.
fn oaep(parameters: Option<&[u8]>) -> Result<Option<Digest>, Malformed> {
    let mut reader = match parameters {
        Some(parameters) => Reader::new(parameters).sequence()?,
        None => Reader::new(&[]),
    };
    let hash = reader.optional(tag::context(0))?;
    let mask = reader.optional(tag::context(1))?;
    let digest = |body: &[u8]| -> Result<Option<Digest>, Malformed> {
        Ok(Digest::of(der::algorithm(Reader::new(body).take(tag::SEQUENCE)?)?.0))
    };
    let hash = hash.map_or(Ok(Some(Digest::Sha1)), digest)?;
    let mask = match mask {
        Some(mask) => {
            let (name, of_mask) = der::algorithm(Reader::new(mask).take(tag::SEQUENCE)?)?;
            if name != oid::MGF1 {
                return Ok(None);
            }
            digest(of_mask.ok_or(Malformed)?.whole)?
        }
        None => Some(Digest::Sha1),
    };
    Ok(hash.filter(|_| hash == mask && reader.is_empty()))
}

/// RFC 5753 §7.2 and ANSI X9.63: the key that wraps, from the secret that both sides share.
fn derived(
    digest: Digest,
    secret: &[u8],
    wrapping: &[u8],
    material: Option<&[u8]>,
) -> Option<Vec<u8>> {
    let (name, _) = der::algorithm(Reader::new(wrapping).take(tag::SEQUENCE).ok()?).ok()?;
    let length: usize = match name {
        oid::AES128_WRAP => 16,
        oid::AES256_WRAP => 32,
        _ => return None,
    };
    let material = material
        .map_or_else(Vec::new, |material| tlv(tag::context(0), &tlv(tag::OCTET_STRING, material)));
    let bits = tlv(tag::OCTET_STRING, &(8 * length as u32).to_be_bytes());
    let shared = sequence(&[wrapping, &material, &tlv(tag::context(2), &bits)]);
    let mut key = Vec::new();
    for counter in 1u32.. {
        let counter = counter.to_be_bytes();
        key.extend(digest.of_pieces([secret, &counter, &shared].into_iter()));
        if key.len() >= length {
            break;
        }
    }
    key.truncate(length);
    Some(key)
}

/// Whether mail can be encrypted to a certificate; why not otherwise, as a clause.
pub(crate) fn may_receive(certificate: &Certificate) -> Result<(), &'static str> {
    let Ok(key) = certificate.key() else { return Err("its key is neither RSA nor P-256") };
    if !key.is_strong() {
        return Err("its RSA key has less than 2048 bits");
    }
    if certificate.is_authority() || !certificate.may_decrypt(matches!(key, PublicKey::Rsa(_))) {
        return Err("it says that its key is not for encrypting mail");
    }
    Ok(())
}

/// Encrypts the content's key to one recipient.
pub(super) fn seal_key(
    certificate: &Certificate,
    content_key: &[u8],
    entropy: &mut Entropy<'_>,
) -> Option<Vec<u8>> {
    let identifier = issuer_and_serial(certificate);
    match certificate.key().ok()? {
        PublicKey::Rsa(key) => {
            // RFC 8551 §2.3: what every reader knows. A server that tells who sends damaged keys what became of them
            // would weaken it; readers of mail do not answer.
            let sealed = key.encrypt(&mut Source(entropy), Pkcs1v15Encrypt, content_key).ok()?;
            let algorithm = sequence(&[&oid::value(oid::RSA), &tlv(tag::NULL, &[])]);
            let sealed = tlv(tag::OCTET_STRING, &sealed);
            Some(sequence(&[&integer(&[]), &identifier, &algorithm, &sealed]))
        }
        PublicKey::P256(key) => {
            let own = PrivateKey::generate_p256(entropy);
            let Inner::P256(own) = &own.0 else { return None };
            // RFC 8551 §2.3: as strong as the content's cipher.
            let name = if content_key.len() == 16 { oid::AES128_WRAP } else { oid::AES256_WRAP };
            let wrapping = sequence(&[&oid::value(name)]);
            let secret = own.diffie_hellman(&key);
            let outer = derived(Digest::Sha256, secret.raw_secret_bytes(), &wrapping, None)?;
            let sealed = tlv(tag::OCTET_STRING, &cipher::wrap(&outer, content_key)?);
            let algorithm = sequence(&[&oid::value(oid::EC)]);
            let public = [algorithm, bit_string(&point(&own.public_key()))].concat();
            let originator = tlv(tag::context(0), &tlv(tag::context(1), &public));
            let agreement = sequence(&[&oid::value(oid::ECDH_SHA256), &wrapping]);
            let keys = sequence(&[&sequence(&[&identifier, &sealed])]);
            let body = [integer(&[3]), originator, agreement, keys].concat();
            Some(tlv(tag::context(1), &body))
        }
    }
}
