//! SignedData (RFC 5652 §5), read: the content, if it is inside, the certificates that came along, and what each
//! signer says.

use std::borrow::Cow;

use super::Identifier;
use crate::certificate::{Certificate, RevocationList};
use crate::der::{self, Malformed, Reader, oid, parse_time, tag, tlv};
use crate::digest::Digest;
use crate::key::{Check, PublicKey, SignatureAlgorithm};
use crate::limits::{CERTIFICATES_MAX, REVOCATION_LISTS_MAX, SIGNERS_MAX};

/// A SignedData.
pub(crate) struct Signed<'a> {
    /// What was signed, unless it stands elsewhere.
    pub(crate) content: Option<Cow<'a, [u8]>>,
    content_type: &'a [u8],
    pub(crate) certificates: Vec<Certificate>,
    pub(crate) revocations: Vec<RevocationList>,
    pub(crate) signers: Vec<SignerInfo<'a>>,
    /// There are more signers than are looked at.
    pub(crate) has_more_signers: bool,
}

/// What one signer says (RFC 5652 §5.3).
pub(crate) struct SignerInfo<'a> {
    pub(crate) identifier: Identifier,
    pub(crate) digest: Option<Digest>,
    /// The attributes' body, which is signed in place of the content.
    attributes: Option<&'a [u8]>,
    pub(crate) algorithm: Option<SignatureAlgorithm>,
    signature: &'a [u8],
    pub(crate) message_digest: Option<&'a [u8]>,
    attribute_type: Option<&'a [u8]>,
    /// When it says that it signed, in seconds since 1970.
    pub(crate) signing_time: Option<i64>,
}

/// Whether the content has the digest that was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DigestResult {
    Same,
    Differs,
    /// The digest is of a kind that is not known here.
    Unknown,
}

impl<'a> Signed<'a> {
    pub(crate) fn read(mut body: Reader<'a>) -> Result<Self, Malformed> {
        body.small()?;
        body.take(tag::SET)?;
        let mut encapsulated = body.sequence()?;
        let content_type = encapsulated.take(tag::OID)?;
        let content = match encapsulated.optional(tag::context(0))? {
            Some(explicit) => Some(Reader::new(explicit).octets(tag::OCTET_STRING)?),
            None => None,
        };
        let certificates = certificates(body.optional(tag::context(0))?)?;
        let revocations = revocations(body.optional(tag::context(1))?)?;
        let mut infos = body.inside(tag::SET)?;
        let mut signers = Vec::new();
        while !infos.is_empty() && signers.len() < SIGNERS_MAX {
            signers.push(SignerInfo::read(infos.sequence()?)?);
        }
        let has_more_signers = !infos.is_empty();
        Ok(Self { content, content_type, certificates, revocations, signers, has_more_signers })
    }

    /// Whether a signer's digest is that of the content, given in pieces.
    pub(crate) fn digest_result<'b>(
        &self,
        signer: &SignerInfo<'_>,
        content: impl Iterator<Item = &'b [u8]>,
    ) -> (DigestResult, Vec<u8>) {
        let Some(digest) = signer.digest else { return (DigestResult::Unknown, Vec::new()) };
        let computed = digest.of_pieces(content);
        let is_same = match (signer.attributes, signer.message_digest) {
            // RFC 5652 §11.1: what is signed is content of this type and no other.
            (Some(_), Some(said)) => {
                said == computed && signer.attribute_type == Some(self.content_type)
            }
            (Some(_), None) => false,
            // Then the signature itself is over the content.
            (None, _) => true,
        };
        (if is_same { DigestResult::Same } else { DigestResult::Differs }, computed)
    }
}

/// Certificates that are no X.509 certificates, or cannot be read, are passed over: whoever needs one misses it.
fn certificates(set: Option<&[u8]>) -> Result<Vec<Certificate>, Malformed> {
    let mut reader = Reader::new(set.unwrap_or_default());
    let mut out = Vec::new();
    while !reader.is_empty() && out.len() < CERTIFICATES_MAX {
        let one = reader.any()?;
        if one.tag == tag::SEQUENCE {
            out.extend(Certificate::of_der(one.whole));
        }
    }
    Ok(out)
}

fn revocations(set: Option<&[u8]>) -> Result<Vec<RevocationList>, Malformed> {
    let mut reader = Reader::new(set.unwrap_or_default());
    let mut out = Vec::new();
    while !reader.is_empty() && out.len() < REVOCATION_LISTS_MAX {
        let one = reader.any()?;
        if one.tag == tag::SEQUENCE {
            out.extend(RevocationList::of_der(one.whole));
        }
    }
    Ok(out)
}

impl<'a> SignerInfo<'a> {
    fn read(mut body: Reader<'a>) -> Result<Self, Malformed> {
        body.small()?;
        let identifier = Identifier::read(&mut body, tag::primitive(0))?;
        let (digest, _) = der::algorithm(body.take(tag::SEQUENCE)?)?;
        let digest = Digest::of(digest);
        let attributes = body.optional(tag::context(0))?;
        let algorithm = SignatureAlgorithm::read(body.take(tag::SEQUENCE)?, digest)?;
        let signature = body.take(tag::OCTET_STRING)?;
        let mut out = Self {
            identifier,
            digest,
            attributes,
            algorithm,
            signature,
            message_digest: None,
            attribute_type: None,
            signing_time: None,
        };
        if let Some(attributes) = attributes {
            out.take_attributes(Reader::new(attributes))?;
        }
        Ok(out)
    }

    /// RFC 5652 §11: each of these stands once, with one value.
    fn take_attributes(&mut self, mut list: Reader<'a>) -> Result<(), Malformed> {
        while !list.is_empty() {
            let mut attribute = list.sequence()?;
            let name = attribute.take(tag::OID)?;
            let mut values = attribute.inside(tag::SET)?;
            match name {
                oid::CONTENT_TYPE => {
                    let is_first = self.attribute_type.is_none();
                    self.attribute_type = Some(values.take(tag::OID)?);
                    once(is_first, values)?;
                }
                oid::MESSAGE_DIGEST => {
                    let is_first = self.message_digest.is_none();
                    self.message_digest = Some(values.take(tag::OCTET_STRING)?);
                    once(is_first, values)?;
                }
                oid::SIGNING_TIME => {
                    let is_first = self.signing_time.is_none();
                    self.signing_time = Some(parse_time(values.any()?).ok_or(Malformed)?);
                    once(is_first, values)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether what is said to be signed could be the attributes of another message: without attributes of its own, a
    /// signature over those would fit to it as well, and who signed never meant it.
    pub(crate) fn could_be_attributes(&self, content: &[u8]) -> bool {
        let set = || Reader::new(content).inside(tag::SET)?.sequence()?.take(tag::OID);
        self.attributes.is_none() && set().is_ok()
    }

    /// Checks the signature with the signer's key. The content's digest is that of `digest_result`.
    pub(crate) fn check(&self, key: &PublicKey, content_digest: &[u8]) -> Check {
        let Some(algorithm) = self.algorithm else { return Check::Unknown };
        match self.attributes {
            Some(attributes) => {
                // RFC 5652 §5.4: signed as a SET, whose tag differs from the one that stands there.
                let octets = tlv(tag::SET, attributes);
                algorithm.check(key, &algorithm.digest().digest(&octets), self.signature)
            }
            None if Some(algorithm.digest()) == self.digest => {
                algorithm.check(key, content_digest, self.signature)
            }
            None => Check::Unknown,
        }
    }
}

fn once(is_first: bool, rest: Reader<'_>) -> Result<(), Malformed> {
    if is_first { rest.end() } else { Err(Malformed) }
}
