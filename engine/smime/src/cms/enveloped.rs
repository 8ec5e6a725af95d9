//! EnvelopedData (RFC 5652 §6) and AuthEnvelopedData (RFC 5083), read and opened.

use super::Cipher;
use super::cipher::{Parameters, Sealed};
use super::recipient::Recipient;
use crate::certificate::Certificate;
use crate::der::{Malformed, Reader, tag, tlv};
use crate::entropy::Entropy;
use crate::key::PrivateKey;
use crate::limits::RECIPIENTS_MAX;

/// Encrypted content, read.
pub(crate) struct Enveloped<'a> {
    recipients: Vec<Recipient<'a>>,
    /// Or the name of a cipher that is not known here.
    cipher: Result<(Cipher, Parameters<'a>), &'static str>,
    content: Vec<u8>,
    /// The tag, and what is authenticated beside the content.
    tag: Vec<u8>,
    associated: Vec<u8>,
}

/// Why encrypted content stays closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotOpened {
    /// It is encrypted to none of the keys.
    NoKey,
    /// With a cipher that is not known here.
    Cipher(&'static str),
    /// It was changed, or was never right; which of both, and where, is not said.
    Damaged,
}

impl<'a> Enveloped<'a> {
    pub(crate) fn read(mut body: Reader<'a>, is_authenticated: bool) -> Result<Self, Malformed> {
        body.small()?;
        body.optional(tag::context(0))?;
        let mut infos = body.inside(tag::SET)?;
        let mut recipients = Vec::new();
        while !infos.is_empty() && recipients.len() < RECIPIENTS_MAX {
            recipients.push(Recipient::read(infos.any()?)?);
        }
        let mut content = body.sequence()?;
        content.take(tag::OID)?;
        let cipher = Cipher::read(content.take(tag::SEQUENCE)?)?;
        let content = content.octets(tag::primitive(0))?.into_owned();
        let mut out = Self { recipients, cipher, content, tag: Vec::new(), associated: Vec::new() };
        if is_authenticated {
            if let Some(attributes) = body.optional(tag::context(1))? {
                // RFC 5083 §2.2: under the tag of a SET.
                out.associated = tlv(tag::SET, attributes);
            }
            out.tag = body.take(tag::OCTET_STRING)?.to_vec();
        }
        // A cipher in the wrong envelope would be read without its protection.
        let fits = |cipher: &Cipher| cipher.is_authenticated() == is_authenticated;
        if out.cipher.as_ref().is_ok_and(|(cipher, _)| !fits(cipher)) {
            return Err(Malformed);
        }
        Ok(out)
    }

    pub(crate) fn cipher(&self) -> Option<Cipher> {
        self.cipher.as_ref().ok().map(|(cipher, _)| *cipher)
    }

    pub(crate) fn recipient_count(&self) -> usize {
        self.recipients.iter().map(Recipient::count).sum()
    }

    /// Opens it with the first of these keys that it is encrypted to; gives the place of that key.
    pub(crate) fn open(
        self,
        keys: &[(&Certificate, &PrivateKey)],
        entropy: &mut Entropy<'_>,
    ) -> Result<(usize, Vec<u8>), NotOpened> {
        let (cipher, parameters) = self.cipher.map_err(NotOpened::Cipher)?;
        let found = keys.iter().enumerate().find_map(|(at, key)| {
            let recipient = self.recipients.iter().find(|one| one.names(key.0))?;
            Some((at, recipient))
        });
        let (at, recipient) = found.ok_or(NotOpened::NoKey)?;
        let (certificate, key) = keys[at];
        let content_key = recipient.open(certificate, key, entropy).unwrap_or_default();
        let sealed = Sealed { content: self.content, tag: self.tag };
        let opened = cipher.decrypt(&content_key, &parameters, sealed, &self.associated);
        Ok((at, opened.ok_or(NotOpened::Damaged)?))
    }
}
