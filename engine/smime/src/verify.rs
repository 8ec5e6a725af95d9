//! Judges a message: goes through its layers from the outside, checks each signature, opens what is encrypted to a
//! key that is given, and says which octets are covered. Whom to trust, what time it is and which keys there are
//! comes from the caller.

use std::borrow::Cow;
use std::ops::Range;

use pillarbox_engine::text::address::parse_list;
use pillarbox_engine::text::header::fields;

use crate::certificate::{Certificate, RevocationList};
use crate::cms::{self, Content, Enveloped, NotOpened, Signed};
use crate::der::normalised;
use crate::entity::{Entity, canonical};
use crate::entropy::Entropy;
use crate::key::PrivateKey;
use crate::limits::{DEPTH_MAX, JUDGED_PARTS_MAX, LAYERS_MAX, PARTS_MAX};
use crate::signer::{Signers, judge};
use crate::verdict::{Layer, Reason, SignedPart, State, Verdict};

/// What a message is judged by.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'a> {
    /// Whom to trust: authorities, or single certificates.
    pub anchors: &'a [Certificate],
    /// Certificates that may be needed and do not come with messages; nothing is trusted because it is here.
    pub others: &'a [Certificate],
    /// Revocation lists.
    pub revocations: &'a [RevocationList],
    /// Keys that messages may be encrypted to, with their certificates.
    pub keys: &'a [(Certificate, PrivateKey)],
    /// Seconds since 1970.
    pub now: i64,
}

/// How an entity is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protection {
    /// RFC 8551 §3.5.3
    Detached,
    /// RFC 8551 §3.2
    Opaque,
    OtherProtocol,
    Ambiguous,
    None,
}

/// Judges a message. Line ends may be CRLF, as on the wire, or LF, as in files.
#[must_use]
pub fn verify(message: &[u8], known: &Known<'_>, entropy: &mut Entropy<'_>) -> Verdict {
    let root = Entity::read(message, 0..message.len());
    let from = from(root.header());
    let mut out = Verdict::default();
    match protection(&root) {
        Protection::Detached | Protection::Opaque => {
            let mut walk = Walk { known, from: &from, outer: root.header(), entropy };
            let (layers, content) = walk.layers(message, root.range);
            out.layers = layers;
            out.content = content;
        }
        Protection::OtherProtocol => out.reasons.push(Reason::OtherProtocol),
        Protection::Ambiguous => out.reasons.push(Reason::Ambiguous),
        Protection::None => {
            let mut walk = Walk { known, from: &from, outer: root.header(), entropy };
            let is_whole = walk.parts(message, &mut out.parts);
            if !out.parts.is_empty() {
                out.reasons.push(Reason::OnlyParts);
            }
            if !is_whole {
                out.reasons.push(Reason::TooMany);
            }
        }
    }
    out
}

/// What was encrypted, opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The MIME entity inside.
    pub content: Vec<u8>,
    /// What is to be said of the encryption.
    pub layer: Layer,
}

/// Opens the outermost layer of an encrypted message.
///
/// # Errors
/// Why it stays closed; [`None`] if it is not encrypted.
pub fn decrypt(
    message: &[u8],
    keys: &[(Certificate, PrivateKey)],
    entropy: &mut Entropy<'_>,
) -> Result<Opened, Option<Reason>> {
    let root = Entity::read(message, 0..message.len());
    if protection(&root) != Protection::Opaque {
        return Err(None);
    }
    let octets = normalised(&root.body()).map_err(|_| Some(Reason::Unreadable))?;
    let content = cms::content(&octets).map_err(|_| Some(Reason::Unreadable))?;
    let (body, is_authenticated) = match content {
        Content::Enveloped(body) => (body, false),
        Content::AuthEnveloped(body) => (body, true),
        Content::Signed(_) | Content::Other => return Err(None),
    };
    let sealed = Enveloped::read(body, is_authenticated).map_err(|_| Some(Reason::Unreadable))?;
    match opened(sealed, root.body_range(), keys, entropy) {
        (layer, Some(content)) => Ok(Opened { content, layer }),
        (Layer::Encrypted { mut reasons, .. }, None) => Err(reasons.pop()),
        (Layer::Signed { .. }, None) => Err(None),
    }
}

fn protection(entity: &Entity<'_>) -> Protection {
    let kind = &entity.kind;
    let parameter =
        |name: &[u8]| kind.parameter(name).map(<[u8]>::to_ascii_lowercase).unwrap_or_default();
    let found = match &kind.value[..] {
        b"multipart/signed" => match &parameter(b"protocol")[..] {
            b"application/pkcs7-signature" | b"application/x-pkcs7-signature" => {
                Protection::Detached
            }
            _ => Protection::OtherProtocol,
        },
        b"application/pkcs7-mime" | b"application/x-pkcs7-mime" => Protection::Opaque,
        // RFC 8551 §3.10: some senders know no other type.
        b"application/octet-stream" if parameter(b"name").ends_with(b".p7m") => Protection::Opaque,
        _ => Protection::None,
    };
    let is_plain = matches!(found, Protection::None);
    if kind.ambiguous && !is_plain { Protection::Ambiguous } else { found }
}

/// The addresses of From; none if there is more than one such field, since readers would show one or the other.
fn from(header: &[u8]) -> Vec<String> {
    let mut all = fields(header).filter(|field| field.is(b"from"));
    let (Some(first), None) = (all.next(), all.next()) else { return Vec::new() };
    let addresses = parse_list(&first.unfolded()).into_iter().filter_map(|address| {
        let (mailbox, host) = (address.mailbox?, address.host?);
        let text = [&mailbox[..], b"@", &host[..]].concat();
        Some(String::from_utf8_lossy(&text).into_owned())
    });
    addresses.collect()
}

struct Walk<'a, 'b> {
    known: &'a Known<'a>,
    from: &'a [String],
    /// The message's header.
    outer: &'a [u8],
    entropy: &'a mut Entropy<'b>,
}

impl Walk<'_, '_> {
    /// The layers of one entity, and what is innermost if a layer hid it.
    fn layers(&mut self, raw: &[u8], range: Range<usize>) -> (Vec<Layer>, Option<Vec<u8>>) {
        let mut octets = Cow::Borrowed(raw);
        let mut range = range;
        let mut layers = Vec::new();
        loop {
            let entity = Entity::read(&octets, range.clone());
            let is_full = layers.len() == LAYERS_MAX;
            let next = match protection(&entity) {
                Protection::Detached if !is_full => {
                    let (layer, content) = self.detached(&octets, &entity);
                    layers.push(layer);
                    content.map(|range| (None, range))
                }
                Protection::Opaque if !is_full => {
                    let (layer, content) = self.opaque(&entity);
                    layers.extend(layer);
                    content.map(|content| {
                        let range = 0..content.len();
                        (Some(content), range)
                    })
                }
                _ => None,
            };
            let Some((content, inner)) = next else { break };
            if let Some(content) = content {
                octets = Cow::Owned(content);
            }
            range = inner;
        }
        let content = match octets {
            Cow::Borrowed(_) => None,
            Cow::Owned(octets) => Some(octets[range].to_vec()),
        };
        (layers, content)
    }

    /// `multipart/signed`; where its content stands.
    fn detached(&self, octets: &[u8], entity: &Entity<'_>) -> (Layer, Option<Range<usize>>) {
        let parts = entity.parts();
        let [content, signature] = &parts[..] else {
            return (unreadable(entity.body_range()), None);
        };
        let part = Entity::read(octets, signature.clone());
        let is_signature = matches!(
            &part.kind.value[..],
            b"application/pkcs7-signature" | b"application/x-pkcs7-signature"
        );
        let body = normalised(&part.body());
        let signed = match body.as_deref().map(cms::content) {
            Ok(Ok(Content::Signed(body))) if is_signature => Signed::read(body),
            _ => return (unreadable(content.clone()), None),
        };
        // With content of its own it would be open which of both is signed.
        let Some(signed) = signed.ok().filter(|signed| signed.content.is_none()) else {
            return (unreadable(content.clone()), None);
        };
        let text = &octets[content.clone()];
        let layer = self.signed(&signed, text, content.clone(), ends_in_lf(octets));
        (layer, Some(content.clone()))
    }

    /// `application/pkcs7-mime`; no layer if it only carries certificates.
    fn opaque(&mut self, entity: &Entity<'_>) -> (Option<Layer>, Option<Vec<u8>>) {
        let range = entity.body_range();
        let says_encrypted = entity
            .kind
            .parameter(b"smime-type")
            .is_some_and(|kind| kind.to_ascii_lowercase().ends_with(b"enveloped-data"));
        let closed = || match says_encrypted {
            true => Layer::Encrypted {
                covered: range.clone(),
                cipher: None,
                recipients: 0,
                opened_by: None,
                reasons: vec![Reason::Unreadable],
            },
            false => unreadable(range.clone()),
        };
        let Ok(octets) = normalised(&entity.body()) else { return (Some(closed()), None) };
        match cms::content(&octets) {
            Ok(Content::Signed(body)) => match Signed::read(body) {
                Ok(mut signed) if !signed.signers.is_empty() => {
                    let Some(content) = signed.content.take() else {
                        return (Some(unreadable(range)), None);
                    };
                    let layer = self.opaque_signed(&signed, &content, range);
                    (Some(layer), Some(content.into_owned()))
                }
                // RFC 8551 §3.8: certificates alone.
                Ok(_) => (None, None),
                Err(_) => (Some(unreadable(range)), None),
            },
            Ok(Content::Enveloped(body)) => self.enveloped(body, false, &range, closed),
            Ok(Content::AuthEnveloped(body)) => self.enveloped(body, true, &range, closed),
            Ok(Content::Other) | Err(_) => (Some(closed()), None),
        }
    }

    fn enveloped(
        &mut self,
        body: crate::der::Reader<'_>,
        is_authenticated: bool,
        range: &Range<usize>,
        closed: impl Fn() -> Layer,
    ) -> (Option<Layer>, Option<Vec<u8>>) {
        let Ok(sealed) = Enveloped::read(body, is_authenticated) else {
            return (Some(closed()), None);
        };
        let (layer, content) = opened(sealed, range.clone(), self.known.keys, self.entropy);
        (Some(layer), content)
    }

    fn opaque_signed(&self, signed: &Signed<'_>, content: &[u8], covered: Range<usize>) -> Layer {
        let mut layer = self.signed(signed, content, covered, false);
        if let Layer::Signed { is_detached, .. } = &mut layer {
            *is_detached = false;
        }
        layer
    }

    /// Judges the signers of content.
    fn signed(
        &self,
        signed: &Signed<'_>,
        text: &[u8],
        covered: Range<usize>,
        has_lf: bool,
    ) -> Layer {
        let context = Signers { known: self.known, from: self.from, outer: self.outer };
        let signers: Vec<_> = signed
            .signers
            .iter()
            .map(|signer| match has_lf {
                true => judge(&context, signed, signer, text, canonical(text)),
                false => judge(&context, signed, signer, text, std::iter::once(text)),
            })
            .collect();
        let mut reasons = Vec::new();
        if signed.has_more_signers {
            reasons.push(Reason::TooMany);
        }
        // A signer of whom nothing can be said takes nothing from the others.
        let judged = signers.iter().map(|signer| signer.state);
        let worst = judged.filter(|state| *state != State::NotSigned).max_by_key(severity);
        let state = worst.unwrap_or(State::NotSigned);
        Layer::Signed { state, is_detached: true, covered, signers, reasons }
    }

    /// Looks for protected parts of an entity that is not protected as a whole; whether all were looked at.
    fn parts(&mut self, raw: &[u8], out: &mut Vec<SignedPart>) -> bool {
        let mut open = vec![(0..raw.len(), 0)];
        let mut seen = 0;
        while let Some((range, depth)) = open.pop() {
            let entity = Entity::read(raw, range.clone());
            match protection(&entity) {
                Protection::None => {}
                Protection::Detached | Protection::Opaque => {
                    if out.len() == JUDGED_PARTS_MAX {
                        return false;
                    }
                    let (layers, _) = self.layers(raw, range.clone());
                    if !layers.is_empty() {
                        out.push(SignedPart { range, layers });
                    }
                    continue;
                }
                Protection::OtherProtocol | Protection::Ambiguous => continue,
            }
            let parts = entity.parts();
            seen += parts.len();
            if !parts.is_empty() && (depth == DEPTH_MAX || seen > PARTS_MAX) {
                return false;
            }
            // In their order, since the last one pushed is looked at first.
            open.extend(parts.into_iter().rev().map(|part| (part, depth + 1)));
        }
        true
    }
}

/// How much worse than being trusted a state is.
const fn severity(state: &State) -> u8 {
    match state {
        State::Altered => 5,
        State::SignerUnknown => 4,
        State::AddressDiffers => 3,
        State::NotValidThen => 2,
        State::Trusted => 1,
        State::NotSigned | State::Encrypted => 0,
    }
}

/// Opens encrypted content with the keys that there are.
fn opened(
    sealed: Enveloped<'_>,
    covered: Range<usize>,
    keys: &[(Certificate, PrivateKey)],
    entropy: &mut Entropy<'_>,
) -> (Layer, Option<Vec<u8>>) {
    let (cipher, recipients) = (sealed.cipher(), sealed.recipient_count());
    let keys: Vec<_> = keys.iter().map(|(certificate, key)| (certificate, key)).collect();
    let (opened_by, content, reasons) = match sealed.open(&keys, entropy) {
        Ok((at, content)) => {
            let is_authenticated = cipher.is_some_and(cms::Cipher::is_authenticated);
            let reasons = if is_authenticated { vec![] } else { vec![Reason::NotAuthenticated] };
            (Some(keys[at].0.subject_words()), Some(content), reasons)
        }
        Err(NotOpened::NoKey) => (None, None, vec![Reason::NoKey]),
        Err(NotOpened::Cipher(name)) => (None, None, vec![Reason::CipherUnknown(name)]),
        Err(NotOpened::Damaged) => (None, None, vec![Reason::Damaged]),
    };
    (Layer::Encrypted { covered, cipher, recipients, opened_by, reasons }, content)
}

fn unreadable(covered: Range<usize>) -> Layer {
    Layer::Signed {
        state: State::NotSigned,
        is_detached: true,
        covered,
        signers: Vec::new(),
        reasons: vec![Reason::Unreadable],
    }
}

/// Whether lines end in LF alone, as in files: then CRLF was signed (RFC 8551 §3.1.1).
fn ends_in_lf(octets: &[u8]) -> bool {
    let first = memchr::memchr(b'\n', octets);
    first.is_some_and(|lf| lf == 0 || octets[lf - 1] != b'\r')
}
