//! SCRAM (RFC 5802, RFC 7677), the server's side. Salt, nonce and keys are the host's: what comes
//! in here is enough to check the form of an exchange, never to let anybody in.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{Step, Terms, is_name, shared};
use crate::sasl::binding::Binding;
use crate::sasl::scram::{Attributes, Hash, NONCE_MAX, SALT_MAX, decode_name, is_nonce};
use crate::sasl::{Account, Mechanism, ScramFinish, ScramParameters, ScramStart};
use crate::text::base64;
use crate::types::{Reason, Refusal};

/// Octets that the host's part of the nonce needs at least, as text.
const OUR_NONCE_MIN: usize = 18;

/// What the client said first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scram {
    mechanism: Mechanism,
    /// What `c=` must be: the GS2 header, and the channel's data if it is bound to.
    binding_input: Vec<u8>,
    authorization: Vec<u8>,
    user: Vec<u8>,
    nonce: Vec<u8>,
    /// client-first-message-bare.
    bare: Vec<u8>,
}

/// We have said how the password is salted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Salted {
    scram: Box<Scram>,
    /// Both sides' nonces.
    nonce: Vec<u8>,
    server_first: Vec<u8>,
}

/// The proof has the right form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Judging(Hash);

/// Why an exchange ends.
pub(super) enum Fault {
    /// A message is not what the grammar says.
    Malformed,
    /// The client is bound to another channel, or was led to believe that it cannot be bound to
    /// this.
    Unbound,
}

impl Fault {
    pub(super) const fn step(self) -> Step {
        match self {
            Self::Malformed => Step::Malformed(&shared::ATTRIBUTES),
            // RFC 5802 §5.1: no server-final-message with `e=`, which would cost one more round
            // trip to say less.
            Self::Unbound => {
                Step::Refused(Refusal::new(Reason::BadCredentials), Some(&shared::BINDING))
            }
        }
    }
}

impl Scram {
    /// ```text
    /// client-first-message      = gs2-header client-first-message-bare
    /// gs2-header                = gs2-cbind-flag "," [ authzid ] ","
    /// client-first-message-bare = [reserved-mext ","] username "," nonce ["," extensions]
    /// ```
    pub(super) fn read(
        mechanism: Mechanism,
        message: &[u8],
        terms: Terms<'_>,
    ) -> Result<Self, Fault> {
        let comma = |octets: &[u8]| octets.iter().position(|&octet| octet == b',');
        let flag_end = comma(message).ok_or(Fault::Malformed)?;
        let (flag, rest) = (&message[..flag_end], &message[flag_end + 1..]);
        let name_end = comma(rest).ok_or(Fault::Malformed)?;
        let (name, bare) = (&rest[..name_end], &rest[name_end + 1..]);
        let header = &message[..message.len() - bare.len()];
        let authorization = match name {
            b"" => Vec::new(),
            [b'a', b'=', name @ ..] => name_of(name).ok_or(Fault::Malformed)?,
            _ => return Err(Fault::Malformed),
        };
        let mut attributes = Attributes::of(bare);
        let user = attributes.expect(b'n').and_then(name_of).ok_or(Fault::Malformed)?;
        let nonce = attributes.expect(b'r').filter(|nonce| is_nonce(nonce));
        let nonce = nonce.ok_or(Fault::Malformed)?;
        if !attributes.only_extensions() {
            return Err(Fault::Malformed);
        }
        let bound = bound_data(mechanism, flag, terms)?;
        Ok(Self {
            mechanism,
            binding_input: [header, bound].concat(),
            authorization,
            user,
            nonce: nonce.to_vec(),
            bare: bare.to_vec(),
        })
    }

    pub(super) fn ask(&self) -> ScramStart {
        ScramStart { mechanism: self.mechanism, user: self.user.clone() }
    }

    /// `server-first-message = [reserved-mext ","] nonce "," salt "," iteration-count [","
    /// extensions]`
    pub(super) fn salted(
        self: Box<Self>,
        parameters: &ScramParameters,
    ) -> Result<(Salted, Vec<u8>), Box<Self>> {
        let ScramParameters { salt, iterations, nonce } = parameters;
        let bounds = shared::ITERATIONS_MIN..=shared::ITERATIONS_MAX;
        let good = (1..=SALT_MAX).contains(&salt.len())
            && bounds.contains(iterations)
            && (OUR_NONCE_MIN..=NONCE_MAX).contains(&nonce.len())
            && is_nonce(nonce);
        if !good {
            return Err(self);
        }
        let nonce = [&self.nonce[..], nonce].concat();
        let count = alloc::format!(",i={iterations}");
        let message = [b"r=", &nonce[..], b",s=", &base64::encode(salt), count.as_bytes()].concat();
        let salted = Salted { scram: self, nonce, server_first: message.clone() };
        Ok((salted, message))
    }
}

/// The channel's data that the client must prove to have, or nothing (RFC 5802 §6).
fn bound_data<'a>(mechanism: Mechanism, flag: &[u8], terms: Terms<'a>) -> Result<&'a [u8], Fault> {
    let plus = match mechanism {
        Mechanism::ScramSha1 => Err(Mechanism::ScramSha1Plus),
        Mechanism::ScramSha256 => Err(Mechanism::ScramSha256Plus),
        plus => Ok(plus),
    };
    match (flag, plus) {
        (b"n", Err(_)) => Ok(b""),
        // Whoever could bind and did not see that we can was lied to about our list.
        (b"y", Err(plus)) => {
            if terms.has(plus) {
                Err(Fault::Unbound)
            } else {
                Ok(b"")
            }
        }
        ([b'p', b'=', kind @ ..], Ok(_)) => {
            let data = Binding::from_name(kind).and_then(|kind| kind.data(terms.tls));
            data.ok_or(Fault::Unbound)
        }
        _ => Err(Fault::Malformed),
    }
}

fn name_of(text: &[u8]) -> Option<Vec<u8>> {
    decode_name(text).filter(|name| is_name(name))
}

impl Salted {
    /// ```text
    /// client-final-message               = client-final-message-without-proof "," proof
    /// client-final-message-without-proof = channel-binding "," nonce ["," extensions]
    /// ```
    pub(super) fn read(self, message: &[u8]) -> Result<(Judging, ScramFinish), Fault> {
        let end = message.iter().rposition(|&octet| octet == b',').ok_or(Fault::Malformed)?;
        let (without_proof, proof) = (&message[..end], &message[end + 1..]);
        let mut attributes = Attributes::of(without_proof);
        let bound = attributes.expect(b'c').and_then(base64::decode).ok_or(Fault::Malformed)?;
        let nonce = attributes.expect(b'r').ok_or(Fault::Malformed)?;
        let proof = proof.strip_prefix(b"p=").and_then(base64::decode).ok_or(Fault::Malformed)?;
        let Scram { mechanism, binding_input, authorization, user, bare, .. } = *self.scram;
        let hash = Hash::of(mechanism).ok_or(Fault::Malformed)?;
        let right = attributes.only_extensions() && proof.len() == hash.length();
        if !right || nonce != self.nonce {
            return Err(Fault::Malformed);
        }
        if !shared::is_same(&bound, &binding_input) {
            return Err(Fault::Unbound);
        }
        let auth_message = [&bare[..], b",", &self.server_first, b",", without_proof].concat();
        let finish = ScramFinish { mechanism, user, authorization, auth_message, proof };
        Ok((Judging(hash), finish))
    }
}

impl Judging {
    /// `server-final-message = (server-error / verifier) ["," extensions]`; `None` if the host gave
    /// no signature.
    pub(super) fn server_final(self, account: &Account) -> Option<Vec<u8>> {
        let signature = &account.server_signature;
        (signature.len() == self.0.length())
            .then(|| [b"v=", &base64::encode(signature)[..]].concat())
    }
}
