//! SignedData, written (RFC 5652 §5), for one signer, as RFC 8551 §2.5 wants its attributes.

use super::{content_info, issuer_and_serial};
use crate::certificate::Certificate;
use crate::der::{integer, joined, oid, sequence, set_of, tag, time, tlv};
use crate::digest::Digest;
use crate::entropy::Entropy;
use crate::key::{BadKey, PrivateKey};

/// Who signs, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signing<'a> {
    pub(crate) key: &'a PrivateKey,
    pub(crate) certificate: &'a Certificate,
    /// Certificates of authorities that go along.
    pub(crate) chain: &'a [Certificate],
    /// Seconds since 1970.
    pub(crate) at: i64,
}

/// Signs content, which goes along or stands elsewhere.
pub(crate) fn sign(
    signing: &Signing<'_>,
    content: &[u8],
    goes_along: bool,
    entropy: &mut Entropy<'_>,
) -> Result<Vec<u8>, BadKey> {
    let digest = Digest::Sha256;
    let attributes = attributes(&digest.digest(content), signing.at);
    let signature = signing.key.sign(&attributes, entropy)?;
    // The same octets under the tag that they have here (RFC 5652 §5.3).
    let mut tagged = attributes;
    tagged[0] = tag::context(0);
    let signer = sequence(&[
        &integer(&[1]),
        &issuer_and_serial(signing.certificate),
        &digest.identifier(),
        &tagged,
        &signing.key.signature_algorithm().identifier(),
        &tlv(tag::OCTET_STRING, &signature),
    ]);
    let inside = if goes_along {
        tlv(tag::context(0), &tlv(tag::OCTET_STRING, content))
    } else {
        Vec::new()
    };
    let mut certificates: Vec<Vec<u8>> = vec![signing.certificate.der().to_vec()];
    let others = signing.chain.iter().filter(|one| *one != signing.certificate);
    certificates.extend(others.map(|one| one.der().to_vec()));
    certificates.sort_unstable();
    let body = sequence(&[
        &integer(&[1]),
        &set_of(vec![digest.identifier()]),
        &sequence(&[&oid::value(oid::DATA), &inside]),
        &tlv(tag::context(0), &certificates.concat()),
        &set_of(vec![signer]),
    ]);
    Ok(content_info(oid::SIGNED_DATA, &body))
}

/// RFC 5652 §11.1 to §11.3, and RFC 8551 §2.5.2.
fn attributes(digest: &[u8], at: i64) -> Vec<u8> {
    let attribute =
        |name: &[u8], value: &[u8]| sequence(&[&oid::value(name), &tlv(tag::SET, value)]);
    // The best first; they are what `cipher` reads.
    let ciphers = [oid::AES256_GCM, oid::AES128_GCM, oid::AES256_CBC, oid::AES128_CBC];
    let ciphers: Vec<Vec<u8>> = ciphers.iter().map(|name| sequence(&[&oid::value(name)])).collect();
    set_of(vec![
        attribute(oid::CONTENT_TYPE, &oid::value(oid::DATA)),
        attribute(oid::SIGNING_TIME, &time(at)),
        attribute(oid::MESSAGE_DIGEST, &tlv(tag::OCTET_STRING, digest)),
        attribute(oid::CAPABILITIES, &joined(tag::SEQUENCE, &[&ciphers.concat()])),
    ])
}
