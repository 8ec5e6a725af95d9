//! Certificates of one's own: signed by themselves, or by a small authority, for demonstrations and for people who
//! know each other. A public authority has its own ways.

use sha1::{Digest as _, Sha1};

use super::{Certificate, extensions};
use crate::der::{bit_string, integer, oid, sequence, tag, time, tlv};
use crate::entropy::{Entropy, array};
use crate::key::{BadKey, PrivateKey};

/// What a new certificate is to say.
#[derive(Clone, Copy, Debug)]
pub struct New<'a> {
    /// Whose it is, such as `Alice`.
    pub name: &'a str,
    /// The addresses of its owner; none for an authority.
    pub addresses: &'a [&'a str],
    /// Whether it signs other certificates, and no mail.
    pub is_authority: bool,
    /// From when, in seconds since 1970.
    pub not_before: i64,
    /// Until when.
    pub not_after: i64,
}

/// Who signs a certificate of someone else.
#[derive(Clone, Copy, Debug)]
pub struct Issuer<'a> {
    /// The authority's certificate.
    pub certificate: &'a Certificate,
    /// And its key.
    pub key: &'a PrivateKey,
}

/// Makes a certificate for a key, signed by an issuer, or by the key itself.
///
/// # Errors
/// [`BadKey`] if the signing key cannot sign.
pub fn make(
    new: New<'_>,
    key: &PrivateKey,
    issuer: Option<Issuer<'_>>,
    entropy: &mut Entropy<'_>,
) -> Result<Certificate, BadKey> {
    let subject = name(new.name);
    let signer = issuer.map_or(key, |issuer| issuer.key);
    let issuer_name = issuer.map_or(&subject, |issuer| &issuer.certificate.subject);
    // RFC 5280 §4.1.2.2: a positive number of at most 20 octets; chance makes it one that nobody has used.
    let mut serial = array::<16>(entropy);
    serial[0] = serial[0] & 0x7F | 0x40;
    let algorithm = signer.signature_algorithm().identifier();
    let key_info = key.public_info();
    let own_id = key_id(&key_info);
    let issuer_id = issuer.map_or_else(
        || own_id.clone(),
        |issuer| issuer.certificate.key_id().map_or_else(Vec::new, <[u8]>::to_vec),
    );
    let body = sequence(&[
        &tlv(tag::context(0), &integer(&[2])),
        &integer(&serial),
        &algorithm,
        issuer_name,
        &sequence(&[&time(new.not_before), &time(new.not_after)]),
        &subject,
        &key_info,
        &tlv(tag::context(3), &extension_list(&new, key, &own_id, &issuer_id)),
    ]);
    let signature = signer.sign(&body, entropy)?;
    let whole = sequence(&[&body, &algorithm, &bit_string(&signature)]);
    Certificate::of_der(&whole).map_err(|_| BadKey::Malformed)
}

/// A name of one commonName.
fn name(text: &str) -> Vec<u8> {
    let value = tlv(tag::UTF8_STRING, text.as_bytes());
    let attribute = sequence(&[&oid::value(oid::COMMON_NAME), &value]);
    sequence(&[&tlv(tag::SET, &attribute)])
}

/// RFC 5280 §4.2.1.2 (1): SHA-1 of the key, which only names it.
fn key_id(info: &[u8]) -> Vec<u8> {
    Sha1::digest(info).to_vec()
}

fn extension_list(new: &New<'_>, key: &PrivateKey, own_id: &[u8], issuer_id: &[u8]) -> Vec<u8> {
    let one = |name: &[u8], is_critical: bool, value: &[u8]| {
        let critical = if is_critical { tlv(tag::BOOLEAN, &[0xFF]) } else { Vec::new() };
        sequence(&[&oid::value(name), &critical, &tlv(tag::OCTET_STRING, value)])
    };
    let uses = if new.is_authority {
        extensions::CERT_SIGN | extensions::CRL_SIGN
    } else if key.is_rsa() {
        extensions::DIGITAL_SIGNATURE | extensions::KEY_ENCIPHERMENT
    } else {
        extensions::DIGITAL_SIGNATURE | extensions::KEY_AGREEMENT
    };
    // All bits that are used stand in the first octet.
    let uses = (uses >> 8) as u8;
    let usage = tlv(tag::BIT_STRING, &[uses.trailing_zeros() as u8, uses]);
    let authority = if new.is_authority { tlv(tag::BOOLEAN, &[0xFF]) } else { Vec::new() };
    let mut all = vec![
        one(oid::BASIC_CONSTRAINTS, true, &sequence(&[&authority])),
        one(oid::KEY_USAGE, true, &usage),
        one(oid::SUBJECT_KEY_ID, false, &tlv(tag::OCTET_STRING, own_id)),
    ];
    if !issuer_id.is_empty() {
        let id = tlv(tag::primitive(0), issuer_id);
        all.push(one(oid::AUTHORITY_KEY_ID, false, &sequence(&[&id])));
    }
    if !new.is_authority {
        let purpose = sequence(&[&oid::value(oid::EMAIL_PROTECTION)]);
        all.push(one(oid::EXTENDED_KEY_USAGE, false, &purpose));
    }
    if !new.addresses.is_empty() {
        let names: Vec<u8> = new.addresses.iter().flat_map(|address| general(address)).collect();
        all.push(one(oid::SUBJECT_ALT_NAME, false, &tlv(tag::SEQUENCE, &names)));
    }
    tlv(tag::SEQUENCE, &all.concat())
}

/// RFC 8550 §3: an address of ASCII is an rfc822Name, another one that of RFC 8398.
fn general(address: &str) -> Vec<u8> {
    if address.is_ascii() {
        return tlv(tag::primitive(1), address.as_bytes());
    }
    let value = tlv(tag::context(0), &tlv(tag::UTF8_STRING, address.as_bytes()));
    tlv(tag::context(0), &[oid::value(oid::SMTP_UTF8_MAILBOX), value].concat())
}
