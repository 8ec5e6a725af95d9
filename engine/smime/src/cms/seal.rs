//! EnvelopedData and AuthEnvelopedData, written.

use super::cipher::{BLOCK, NONCE};
use super::recipient::seal_key;
use super::{Cipher, content_info};
use crate::certificate::Certificate;
use crate::der::{integer, oid, sequence, set_of, tag, tlv};
use crate::entropy::Entropy;

/// Encrypts content to recipients, each of which `may_receive`; `None` if one of their keys does not work.
pub(crate) fn seal(
    cipher: Cipher,
    recipients: &[&Certificate],
    content: Vec<u8>,
    entropy: &mut Entropy<'_>,
) -> Option<Vec<u8>> {
    let mut key = vec![0; cipher.key_length()];
    entropy(&mut key);
    let mut start = vec![0; if cipher.is_authenticated() { NONCE } else { BLOCK }];
    entropy(&mut start);
    let infos: Option<Vec<Vec<u8>>> =
        recipients.iter().map(|one| seal_key(one, &key, entropy)).collect();
    let infos = infos?;
    // RFC 5652 §6.1: 2 as soon as someone agrees on a key.
    let has_agreement = infos.iter().any(|info| info[0] != tag::SEQUENCE);
    let sealed = cipher.encrypt(&key, &start, content);
    let content = sequence(&[
        &oid::value(oid::DATA),
        &cipher.identifier(&start),
        &tlv(tag::primitive(0), &sealed.content),
    ]);
    let infos = set_of(infos);
    if cipher.is_authenticated() {
        let tag = tlv(tag::OCTET_STRING, &sealed.tag);
        let body = sequence(&[&integer(&[]), &infos, &content, &tag]);
        return Some(content_info(oid::AUTH_ENVELOPED_DATA, &body));
    }
    let version = integer(&[if has_agreement { 2 } else { 0 }]);
    Some(content_info(oid::ENVELOPED_DATA, &sequence(&[&version, &infos, &content])))
}
