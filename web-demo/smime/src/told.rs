//! A verdict as the page shows it: which of the seven states, which octets it is about, and why.

use std::ops::Range;

use pillarbox_engine::text::date::timestamp;
use pillarbox_smime::{Layer, Reason, Signer, State, Verdict};

/// What a message comes to, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The number of the state, from 1 to 7.
    pub state: u8,
    /// The state in words; of an encrypted message also who could open it.
    pub title: String,
    /// What is inside of the encryption, in words, where it was opened.
    pub inside: Option<String>,
    /// Whether parts are signed or encrypted and the whole is not.
    pub is_partly: bool,
    /// Whether the octets below are encrypted rather than signed.
    pub is_sealed: bool,
    /// The octets that are covered, in the message.
    pub covered: Vec<Range<usize>>,
    /// Why, in sentences.
    pub reasons: Vec<String>,
    /// Names and values.
    pub facts: Vec<(&'static str, String)>,
    /// What a layer hid, to be shown alone.
    pub opened: Option<Vec<u8>>,
}

impl Told {
    /// The seven states in words, in their order.
    #[must_use]
    pub fn states() -> Vec<&'static str> {
        [
            State::NotSigned,
            State::Trusted,
            State::SignerUnknown,
            State::AddressDiffers,
            State::NotValidThen,
            State::Altered,
            State::Encrypted,
        ]
        .map(State::words)
        .to_vec()
    }

    /// A verdict in words.
    #[must_use]
    pub fn of(verdict: Verdict) -> Self {
        let state = verdict.state();
        let mut out =
            Self { state: state as u8, title: state.words().to_owned(), ..Self::default() };
        out.is_partly = !verdict.parts.is_empty();
        out.because(&verdict.reasons);
        let parts = verdict.parts.iter().filter_map(|part| part.layers.first());
        for layer in verdict.layers.first().into_iter().chain(parts) {
            let (Layer::Signed { covered, .. } | Layer::Encrypted { covered, .. }) = layer;
            out.covered.push(covered.clone());
        }
        out.is_sealed = matches!(verdict.layers.first(), Some(Layer::Encrypted { .. }));
        if out.is_sealed {
            out.title = match opener(&verdict) {
                Some(name) => format!("encrypted: decrypted with the key of {name}"),
                None => "encrypted: no key for it here".to_owned(),
            };
            out.inside = verdict.is_open().then(|| verdict.inner_state().words().to_owned());
        }
        let parts = verdict.parts.iter().flat_map(|part| &part.layers);
        for layer in verdict.layers.iter().chain(parts) {
            out.layer(layer);
        }
        out.opened = verdict.content;
        out
    }

    fn because(&mut self, reasons: &[Reason]) {
        self.reasons.extend(reasons.iter().map(sentence));
    }

    fn layer(&mut self, layer: &Layer) {
        match layer {
            Layer::Signed { signers, reasons, .. } => {
                signers.iter().for_each(|signer| self.signer(signer));
                self.because(reasons);
            }
            Layer::Encrypted { cipher, recipients, reasons, .. } => {
                let cipher = cipher.map_or("a cipher that is not known here", |one| one.name());
                let people = if *recipients == 1 { "recipient" } else { "recipients" };
                self.facts.push(("encrypted", format!("{cipher}, for {recipients} {people}")));
                self.because(reasons);
            }
        }
    }

    fn signer(&mut self, signer: &Signer) {
        let mut push = |name, value: Option<String>| {
            self.facts.extend(value.map(|value| (name, value)));
        };
        push("signer", signer.subject.clone());
        push("address", Some(signer.addresses.join(", ")).filter(|text| !text.is_empty()));
        push("issued by", signer.issuer.clone());
        push("trusted by", (signer.chain.len() > 1).then(|| signer.chain[1..].join(" ← ")));
        push("signed at", signer.signing_time.map(time));
        push("algorithm", signer.algorithm.clone());
        push("digest that was signed", signer.signed_digest.as_deref().map(hex));
        push("digest of what is here", signer.content_digest.as_deref().map(hex));
        self.because(&signer.reasons);
    }
}

/// The name in the certificate whose key opened the outermost layer.
fn opener(verdict: &Verdict) -> Option<&str> {
    match verdict.layers.first()? {
        Layer::Encrypted { opened_by, .. } => opened_by.as_deref(),
        Layer::Signed { .. } => None,
    }
}

/// With the times that a certificate's validity is about.
fn sentence(why: &Reason) -> String {
    match why {
        Reason::NotValid { subject, not_before, not_after, at } => format!(
            "The certificate of {subject} is valid from {} until {}, and it was signed at {}.",
            time(*not_before),
            time(*not_after),
            time(*at)
        ),
        why => why.sentence(),
    }
}

fn time(seconds: i64) -> String {
    timestamp(u64::try_from(seconds).unwrap_or_default().saturating_mul(1000))
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
