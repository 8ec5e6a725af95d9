//! The Cryptographic Message Syntax (RFC 5652): what lies inside of signed and encrypted mail. Where it stands in a
//! message is left to the modules above.

mod cipher;
mod enveloped;
mod recipient;
mod seal;
mod sign;
mod signed;

use crate::certificate::Certificate;
use crate::der::{Malformed, Reader, oid, sequence, tag, tlv};

pub use cipher::Cipher;
pub(crate) use enveloped::{Enveloped, NotOpened};
pub(crate) use recipient::may_receive;
pub(crate) use seal::seal;
pub(crate) use sign::{Signing, sign};
pub(crate) use signed::{DigestResult, Signed, SignerInfo};

/// Content of one kind or another.
pub(crate) enum Content<'a> {
    Signed(Reader<'a>),
    Enveloped(Reader<'a>),
    AuthEnveloped(Reader<'a>),
    /// Data that is digested or compressed, or a kind that nobody knows.
    Other,
}

/// Reads a ContentInfo (RFC 5652 §3), whose lengths are definite.
pub(crate) fn content(octets: &[u8]) -> Result<Content<'_>, Malformed> {
    let mut info = Reader::new(octets).sequence()?;
    let kind = info.take(tag::OID)?;
    let mut explicit = info.inside(tag::context(0))?;
    if !matches!(kind, oid::SIGNED_DATA | oid::ENVELOPED_DATA | oid::AUTH_ENVELOPED_DATA) {
        return Ok(Content::Other);
    }
    let body = explicit.sequence()?;
    Ok(match kind {
        oid::SIGNED_DATA => Content::Signed(body),
        oid::ENVELOPED_DATA => Content::Enveloped(body),
        _ => Content::AuthEnveloped(body),
    })
}

/// A ContentInfo.
fn content_info(kind: &[u8], body: &[u8]) -> Vec<u8> {
    sequence(&[&oid::value(kind), &tlv(tag::context(0), body)])
}

/// RFC 5652 §10.2.4: names a certificate by who issued it and its number.
fn issuer_and_serial(certificate: &Certificate) -> Vec<u8> {
    sequence(&[&certificate.issuer, &tlv(tag::INTEGER, &certificate.serial)])
}

/// How a signer or a recipient is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Identifier {
    Issuer { name: Vec<u8>, serial: Vec<u8> },
    Key(Vec<u8>),
}

impl Identifier {
    /// `IssuerAndSerialNumber`, or a key's identifier under this tag.
    fn read(reader: &mut Reader<'_>, key_tag: u8) -> Result<Self, Malformed> {
        if let Some(id) = reader.optional(key_tag)? {
            return Ok(Self::Key(id.to_vec()));
        }
        let mut inner = reader.sequence()?;
        let name = inner.any()?.whole.to_vec();
        Ok(Self::Issuer { name, serial: inner.take(tag::INTEGER)?.to_vec() })
    }

    /// Whether it names this certificate.
    pub(crate) fn names(&self, certificate: &Certificate) -> bool {
        match self {
            Self::Issuer { name, serial } => {
                *name == certificate.issuer && *serial == certificate.serial
            }
            Self::Key(id) => certificate.key_id() == Some(id),
        }
    }
}
