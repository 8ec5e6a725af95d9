//! What a message's signatures and encryption come to: one of seven states, never one lock, with the octets that are
//! covered and the reasons in words.

use std::ops::Range;

use crate::cms::Cipher;

/// The seven states of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing that can be checked says who wrote it.
    NotSigned = 1,
    /// It is as it was signed, by someone who is trusted and whose address is that of From.
    Trusted = 2,
    /// It is as it was signed, but who the signer is, nobody who is trusted says.
    SignerUnknown = 3,
    /// It is as it was signed, but by someone whose address is not that of From.
    AddressDiffers = 4,
    /// A certificate had expired, was not valid yet, or was revoked when it was signed.
    NotValidThen = 5,
    /// The content is not what was signed.
    Altered = 6,
    /// It is encrypted; what is inside has a state of its own, if it could be opened.
    Encrypted = 7,
}

impl State {
    /// A word for programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotSigned => "not-signed",
            Self::Trusted => "trusted",
            Self::SignerUnknown => "signer-unknown",
            Self::AddressDiffers => "address-differs",
            Self::NotValidThen => "not-valid-then",
            Self::Altered => "content-altered",
            Self::Encrypted => "encrypted",
        }
    }

    /// A clause for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::NotSigned => "not signed",
            Self::Trusted => "signed: intact, signer trusted, address matches From",
            Self::SignerUnknown => "signed: intact, but the signer is unknown",
            Self::AddressDiffers => "signed: intact, but the signer's address is not that of From",
            Self::NotValidThen => {
                "signed: intact, but a certificate was expired or revoked at the time of signing"
            }
            Self::Altered => "content altered: it is not what was signed",
            Self::Encrypted => "encrypted",
        }
    }
}

/// Why a state is what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The content's digest is not the one that was signed.
    DigestDiffers,
    /// The signature does not belong to what it stands for.
    SignatureWrong,
    /// A footer, another encoding or other line ends would explain it: parts are encoded, or there is text that could
    /// have been put in on the way.
    PerhapsOnTheWay(&'static str),
    /// The signer's certificate is neither in the message nor given.
    CertificateMissing,
    /// The signature's algorithm or the kind of key is not known here.
    AlgorithmUnknown,
    /// The digest or the key is too weak to prove anything.
    Weak(String),
    /// No trusted authority stands behind the signer; who issued the certificate.
    NoChain(String),
    /// The certificate is not for signing mail.
    NotForMail,
    /// The signer's addresses, and those of From.
    Address {
        /// In the certificate.
        signer: Vec<String>,
        /// In the message.
        from: Vec<String>,
    },
    /// Whose certificate was not valid, from when until when it is, and when it was signed (seconds since 1970).
    NotValid {
        /// The certificate's subject.
        subject: String,
        /// First second.
        not_before: i64,
        /// Last second.
        not_after: i64,
        /// When it was signed.
        at: i64,
    },
    /// Whose certificate was revoked.
    Revoked(String),
    /// The signer says to have signed at a time that has not come yet.
    InTheFuture,
    /// It does not say when it was signed, so certificates are judged as of now.
    NoSigningTime,
    /// What says to be a signature cannot be read.
    Unreadable,
    /// A signature of another kind, such as OpenPGP.
    OtherProtocol,
    /// The message has more signers, or layers, or parts than are looked at.
    TooMany,
    /// The header can be read in two ways.
    Ambiguous,
    /// Only a part is signed or encrypted, so nothing is said of the rest.
    OnlyParts,
    /// It is encrypted to none of the given keys.
    NoKey,
    /// It is encrypted with a cipher that is not known here.
    CipherUnknown(&'static str),
    /// It was changed, or was never right.
    Damaged,
    /// Its cipher does not tell when something was changed.
    NotAuthenticated,
}

impl Reason {
    /// A sentence for people.
    #[must_use]
    pub fn sentence(&self) -> String {
        let fixed = match self {
            Self::DigestDiffers => "The content's digest is not the one that was signed.",
            Self::SignatureWrong => "The signature does not belong to what it stands for.",
            Self::PerhapsOnTheWay(what) => what,
            Self::CertificateMissing => {
                "The signer's certificate is not in the message, so nothing can be checked."
            }
            Self::AlgorithmUnknown => "The signature is of a kind that is not known here.",
            Self::Weak(what) => {
                return format!("{what} is too weak to prove anything.");
            }
            Self::NoChain(issuer) => {
                return format!(
                    "No trusted authority stands behind the signer (issuer: {issuer})."
                );
            }
            Self::NotForMail => "The certificate is not one for signing mail.",
            Self::Address { signer, from } => {
                let list = |all: &[String]| match all {
                    [] => "no address".to_owned(),
                    all => all.join(", "),
                };
                return format!("The signer is {}, but From is {}.", list(signer), list(from));
            }
            Self::NotValid { subject, .. } => {
                return format!("The certificate of {subject} was not valid when it was signed.");
            }
            Self::Revoked(subject) => {
                return format!("The certificate of {subject} was revoked when it was signed.");
            }
            Self::InTheFuture => "It says to have been signed at a time that has not come yet.",
            Self::NoSigningTime => {
                "It does not say when it was signed; certificates are judged as of now."
            }
            Self::Unreadable => "What says to be a signature or encrypted cannot be read.",
            Self::OtherProtocol => "It has a signature of another kind than S/MIME.",
            Self::TooMany => "It has more signers, layers or parts than are looked at.",
            Self::Ambiguous => "Its header can be read in two ways.",
            Self::OnlyParts => "Only parts of it are signed or encrypted.",
            Self::NoKey => "It is encrypted to none of the given keys.",
            Self::CipherUnknown(name) => {
                return format!("It is encrypted with {name}, which is not read here.");
            }
            Self::Damaged => "It was changed on the way, or was never right.",
            Self::NotAuthenticated => {
                "Its cipher does not tell when something was changed, so what it says may be someone else's."
            }
        };
        fixed.to_owned()
    }
}

/// One signer of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// What this signer's signature comes to.
    pub state: State,
    /// The name in the certificate, if there is one.
    pub subject: Option<String>,
    /// Who issued it.
    pub issuer: Option<String>,
    /// Its mail addresses.
    pub addresses: Vec<String>,
    /// SHA-256 of it.
    pub fingerprint: Option<String>,
    /// From the signer to the trusted authority, by name; empty if there is no such way.
    pub chain: Vec<String>,
    /// When it says to have been signed, in seconds since 1970.
    pub signing_time: Option<i64>,
    /// Such as `RSA with SHA-256`.
    pub algorithm: Option<String>,
    /// The content's digest as it was signed, where the signature says one beside it (RFC 5652 §11.2).
    pub signed_digest: Option<Vec<u8>>,
    /// The digest of the content that is here; none if its algorithm is not known.
    pub content_digest: Option<Vec<u8>>,
    /// Why.
    pub reasons: Vec<Reason>,
}

/// One layer of a message, from the outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layer {
    /// A signature over what is inside.
    Signed {
        /// What it comes to: the worst of the signers' states.
        state: State,
        /// Whether the signed content stands beside the signature, readable by everybody.
        is_detached: bool,
        /// The octets that are covered, in what this layer stands in: the message, or what the layer before gave.
        covered: Range<usize>,
        /// Who signed.
        signers: Vec<Signer>,
        /// Reasons that concern no one signer.
        reasons: Vec<Reason>,
    },
    /// Encrypted content.
    Encrypted {
        /// The octets that are encrypted, in what this layer stands in.
        covered: Range<usize>,
        /// What it is encrypted with, if that is known.
        cipher: Option<Cipher>,
        /// How many recipients it names.
        recipients: usize,
        /// The name in the certificate whose key opened it.
        opened_by: Option<String>,
        /// Why it stayed closed, or what is to be said of it.
        reasons: Vec<Reason>,
    },
}

impl Layer {
    /// The state that this layer gives.
    #[must_use]
    pub const fn state(&self) -> State {
        match self {
            Self::Signed { state, .. } => *state,
            Self::Encrypted { .. } => State::Encrypted,
        }
    }
}

/// A part of a message that is signed or encrypted while the whole is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedPart {
    /// Where it stands in the message.
    pub range: Range<usize>,
    /// Its layers, from the outside.
    pub layers: Vec<Layer>,
}

/// What a message comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Layers of the whole message, from the outside; none if it is neither signed nor encrypted.
    pub layers: Vec<Layer>,
    /// Signed or encrypted parts of a message that is not so as a whole.
    pub parts: Vec<SignedPart>,
    /// Reasons that concern the message as a whole.
    pub reasons: Vec<Reason>,
    /// The innermost entity, where a layer hid it: decrypted, or taken out of an opaque signature. It is to be shown
    /// alone, and never joined with other text, which could send it elsewhere.
    pub content: Option<Vec<u8>>,
}

impl Verdict {
    /// The state of the message as a whole: that of its outermost layer.
    #[must_use]
    pub fn state(&self) -> State {
        self.layers.first().map_or(State::NotSigned, Layer::state)
    }

    /// The state of what is innermost: for an encrypted message that was opened, whether that is signed.
    #[must_use]
    pub fn inner_state(&self) -> State {
        let signed = self.layers.iter().rev().find(|layer| matches!(layer, Layer::Signed { .. }));
        signed.map_or(State::NotSigned, Layer::state)
    }

    /// Whether it was encrypted and could be opened, or was not encrypted.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.layers.iter().all(|layer| match layer {
            Layer::Encrypted { opened_by, .. } => opened_by.is_some(),
            Layer::Signed { .. } => true,
        })
    }

    /// Whether parts are signed while the whole is not.
    #[must_use]
    pub fn is_partly_signed(&self) -> bool {
        let is_signed = |part: &SignedPart| {
            part.layers.iter().any(|layer| matches!(layer, Layer::Signed { .. }))
        };
        self.parts.iter().any(is_signed)
    }
}
