//! Judges one signer: is the content what was signed, whose certificate is it, who stands behind it, was it valid
//! then, and is its address the one that the reader sees.

use pillarbox_engine::text::header::fields;

use crate::certificate::{Certificate, RevocationList, Search, follow};
use crate::cms::{DigestResult, Signed, SignerInfo};
use crate::key::{Check, PublicKey};
use crate::verdict::{Reason, Signer, State};
use crate::verify::Known;

/// Clocks may differ by so many seconds.
const CLOCK_SLACK: i64 = 300;

/// What all signers of a message are judged by.
pub(crate) struct Signers<'a> {
    pub(crate) known: &'a Known<'a>,
    /// Addresses of From.
    pub(crate) from: &'a [String],
    /// The message's header.
    pub(crate) outer: &'a [u8],
}

/// Judges one signer of content, which comes as it stands and in the pieces that were signed.
pub(crate) fn judge<'b>(
    context: &Signers<'_>,
    signed: &Signed<'_>,
    signer: &SignerInfo<'_>,
    text: &[u8],
    pieces: impl Iterator<Item = &'b [u8]>,
) -> Signer {
    let certificate = context.certificate(signed, signer);
    let mut out = Signer {
        state: State::NotSigned,
        subject: certificate.map(Certificate::subject_words),
        issuer: certificate.map(Certificate::issuer_words),
        addresses: certificate.map(Certificate::addresses).unwrap_or_default(),
        fingerprint: certificate.map(Certificate::fingerprint),
        chain: Vec::new(),
        signing_time: signer.signing_time,
        algorithm: signer.algorithm.map(|algorithm| algorithm.words()),
        signed_digest: signer.message_digest.map(<[u8]>::to_vec),
        content_digest: None,
        reasons: Vec::new(),
    };
    if signer.could_be_attributes(text) {
        out.reasons.push(Reason::Unreadable);
        return out;
    }
    let (result, digest) = signed.digest_result(signer, pieces);
    out.content_digest = Some(digest.clone()).filter(|digest| !digest.is_empty());
    match result {
        DigestResult::Same => {}
        DigestResult::Unknown => {
            out.reasons.push(Reason::AlgorithmUnknown);
            return out;
        }
        DigestResult::Differs => {
            out.state = State::Altered;
            out.reasons.push(Reason::DigestDiffers);
            out.reasons.extend(perhaps(context.outer, text));
            return out;
        }
    }
    let Some(certificate) = certificate else {
        out.reasons.push(Reason::CertificateMissing);
        return out;
    };
    let key = certificate.key();
    let check = key.as_ref().map_or(Check::Unknown, |key| signer.check(key, &digest));
    match (check, key) {
        (Check::Right, Ok(key)) => context.vouch(&mut out, signed, signer, certificate, &key),
        (Check::Wrong, _) => {
            out.state = State::Altered;
            out.reasons.push(Reason::SignatureWrong);
        }
        _ => out.reasons.push(Reason::AlgorithmUnknown),
    }
    out
}

impl<'a> Signers<'a> {
    /// The certificate that a signer names: from the message, or from what is known.
    fn certificate<'b>(
        &self,
        signed: &'b Signed<'_>,
        signer: &SignerInfo<'_>,
    ) -> Option<&'b Certificate>
    where
        'a: 'b,
    {
        let own = self.known.keys.iter().map(|(certificate, _)| certificate);
        let known = self.known.others.iter().chain(self.known.anchors).chain(own);
        signed.certificates.iter().chain(known).find(|one| signer.identifier.names(one))
    }

    /// The signature is right: what is it worth?
    fn vouch(
        &self,
        out: &mut Signer,
        signed: &Signed<'_>,
        signer: &SignerInfo<'_>,
        certificate: &Certificate,
        key: &PublicKey,
    ) {
        let others: Vec<Certificate> =
            signed.certificates.iter().chain(self.known.others).cloned().collect();
        let revocations: Vec<RevocationList> =
            signed.revocations.iter().chain(self.known.revocations).cloned().collect();
        let is_future = signer.signing_time.is_some_and(|at| at > self.known.now + CLOCK_SLACK);
        let at = signer.signing_time.filter(|_| !is_future).unwrap_or(self.known.now);
        let search =
            Search { anchors: self.known.anchors, others: &others, revocations: &revocations, at };
        let found = follow(certificate, &search);
        out.chain = found.way.iter().map(|one| one.subject_words()).collect();
        // From here on each reason makes the state worse, or leaves it.
        out.state = State::Trusted;
        if signer.signing_time.is_none() {
            out.reasons.push(Reason::NoSigningTime);
        }
        if is_future {
            out.reasons.push(Reason::InTheFuture);
        }
        let own = Some(certificate).filter(|one| !one.is_valid_at(at));
        if let Some(one) = found.not_valid.or(own) {
            let (not_before, not_after) = one.validity();
            let subject = one.subject_words();
            out.reasons.push(Reason::NotValid { subject, not_before, not_after, at });
            out.state = State::NotValidThen;
        }
        if let Some(one) = found.revoked {
            out.reasons.push(Reason::Revoked(one.subject_words()));
            out.state = State::NotValidThen;
        }
        let is_own = |from: &String| certificate.has_address(from);
        if self.from.is_empty() || !self.from.iter().all(is_own) {
            let (signer, from) = (certificate.addresses(), self.from.to_vec());
            out.reasons.push(Reason::Address { signer, from });
            out.state = State::AddressDiffers;
        }
        let mut unknown = Vec::new();
        if found.way.is_empty() {
            unknown.push(Reason::NoChain(certificate.issuer_words()));
        }
        if !certificate.may_sign_mail() {
            unknown.push(Reason::NotForMail);
        }
        if !key.is_strong() {
            unknown.push(Reason::Weak(key.words()));
        }
        let digests = [signer.digest, signer.algorithm.map(|algorithm| algorithm.digest())];
        if let Some(weak) = digests.into_iter().flatten().find(|digest| !digest.is_strong()) {
            unknown.push(Reason::Weak(weak.name().to_owned()));
        }
        if !unknown.is_empty() {
            out.reasons.extend(unknown);
            out.state = State::SignerUnknown;
        }
    }
}

/// What in the message would explain that its content is another one.
fn perhaps(outer: &[u8], text: &[u8]) -> Option<Reason> {
    let has = |name: &[u8]| fields(outer).any(|field| field.is(name));
    let words = if has(b"x-mime-autoconverted") {
        "A server on the way says to have encoded it anew, which breaks signatures."
    } else if has(b"list-id") || has(b"list-post") {
        "It came through a mailing list, which may have added a footer."
    } else if !text.is_ascii() {
        "It holds octets above ASCII, which a server on the way may have encoded anew."
    } else {
        return None;
    };
    Some(Reason::PerhapsOnTheWay(words))
}
