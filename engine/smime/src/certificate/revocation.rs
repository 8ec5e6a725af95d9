//! Revocation lists (RFC 5280 §5): which certificates an authority has called back, and when.

use super::{Certificate, extensions, sequence_whole};
use crate::der::{Malformed, Reader, Tlv, oid, parse_time, tag};
use crate::pem;

/// A revocation list, read; whether its authority signed it is seen when it is used.
#[derive(Clone, Debug)]
pub struct RevocationList {
    signed: Vec<u8>,
    algorithm: Vec<u8>,
    signature: Vec<u8>,
    issuer: Vec<u8>,
    /// Serial numbers, sorted, and since when.
    revoked: Vec<(Vec<u8>, i64)>,
    /// Something in it that must be understood is not.
    has_unknown: bool,
}

impl RevocationList {
    /// Reads one in DER.
    ///
    /// # Errors
    /// [`Malformed`]
    pub fn of_der(octets: &[u8]) -> Result<Self, Malformed> {
        let mut outer = Reader::new(octets);
        let mut whole = outer.sequence()?;
        outer.end()?;
        let signed = sequence_whole(&mut whole)?;
        let algorithm = whole.take(tag::SEQUENCE)?;
        let signature = whole.bits()?;
        let mut body = Reader::new(signed).sequence()?;
        body.optional(tag::INTEGER)?;
        if body.take(tag::SEQUENCE)? != algorithm {
            return Err(Malformed);
        }
        let issuer = sequence_whole(&mut body)?;
        parse_time(body.any()?).ok_or(Malformed)?;
        let is_time =
            |reader: &Reader<'_>| reader.is(tag::UTC_TIME) || reader.is(tag::GENERALIZED_TIME);
        if is_time(&body) {
            body.any()?;
        }
        let mut has_unknown = false;
        let mut revoked = Vec::new();
        if body.is(tag::SEQUENCE) {
            let mut list = body.sequence()?;
            while !list.is_empty() {
                let mut entry = list.sequence()?;
                let serial = entry.take(tag::INTEGER)?.to_vec();
                let since: Tlv<'_> = entry.any()?;
                revoked.push((serial, parse_time(since).ok_or(Malformed)?));
                if !entry.is_empty() {
                    has_unknown |= is_critical(entry.sequence()?)?;
                }
            }
        }
        if let Some(extensions) = body.optional(tag::context(0))? {
            has_unknown |= is_critical(Reader::new(extensions).sequence()?)?;
        }
        revoked.sort();
        Ok(Self {
            signed: signed.to_vec(),
            algorithm: algorithm.to_vec(),
            signature: signature.to_vec(),
            issuer: issuer.to_vec(),
            revoked,
            has_unknown,
        })
    }

    /// All lists of a PEM file, or the one of a DER file.
    ///
    /// # Errors
    /// [`Malformed`] if there is none, or one of them is none.
    pub fn of_file(octets: &[u8]) -> Result<Vec<Self>, Malformed> {
        if octets.first() == Some(&tag::SEQUENCE) {
            return Ok(vec![Self::of_der(octets)?]);
        }
        let blocks = pem::blocks(octets).into_iter().filter(|block| block.label == "X509 CRL");
        let all: Result<Vec<Self>, _> = blocks.map(|block| Self::of_der(&block.der)).collect();
        all.and_then(|all| if all.is_empty() { Err(Malformed) } else { Ok(all) })
    }

    /// Whether it says, signed by this issuer, that a certificate was revoked by this time.
    pub(super) fn revokes(&self, one: &Certificate, issuer: &Certificate, at: i64) -> bool {
        // RFC 5280 §5.2: parts of lists, and lists of others, would be marked by critical extensions.
        if self.has_unknown || self.issuer != one.issuer {
            return false;
        }
        let found = self.revoked.partition_point(|(serial, _)| *serial < one.serial);
        let is_listed = self.revoked[found..]
            .iter()
            .take_while(|(serial, _)| *serial == one.serial)
            .any(|(_, since)| *since <= at);
        is_listed
            && issuer.extensions.allows(extensions::CRL_SIGN)
            && issuer.checks(&self.algorithm, &self.signed, &self.signature)
    }
}

/// Whether one of these extensions is critical and not understood.
fn is_critical(mut list: Reader<'_>) -> Result<bool, Malformed> {
    let mut found = false;
    while !list.is_empty() {
        let mut extension = list.sequence()?;
        let name = extension.take(tag::OID)?;
        let is_critical = extension.optional(tag::BOOLEAN)?.is_some_and(|value| value != [0]);
        found |= is_critical && name != oid::AUTHORITY_KEY_ID;
    }
    Ok(found)
}
