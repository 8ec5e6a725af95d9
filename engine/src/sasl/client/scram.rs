//! SCRAM (RFC 5802), the client's side: four messages, of which the last proves the server.

use alloc::vec::Vec;

use super::Fault;
use crate::sasl::binding::Binding;
use crate::sasl::scram::{
    Attributes, Hash, SALT_MAX, encode_name, is_nonce, is_same, iterations, prove,
};
use crate::sasl::{ClientCredentials, Mechanism, SaltPassword};
use crate::text::base64;
use crate::types::{Misuse, TlsFacts};

/// Octets of fresh entropy that a client's nonce needs at least, as text.
const OUR_NONCE_MIN: usize = 18;

/// What the whole exchange needs.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Scram {
    hash: Hash,
    /// client-first-message: the GS2 header, then client-first-message-bare.
    first: Vec<u8>,
    header_length: usize,
    /// The channel's data, if it is bound to; else empty.
    binding: Vec<u8>,
    nonce: Vec<u8>,
}

/// The server said how the password is salted.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Salting {
    hash: Hash,
    salt: Vec<u8>,
    iterations: u32,
    /// RFC 5802 §3 AuthMessage.
    auth_message: Vec<u8>,
    /// The end of AuthMessage, client-final-message-without-proof.
    without_proof: Vec<u8>,
}

/// The proof was sent.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Proved {
    server_signature: Vec<u8>,
}

impl Scram {
    pub(super) fn new(
        given: &ClientCredentials,
        offered: &[Mechanism],
        tls: Option<&TlsFacts>,
    ) -> Result<Self, Misuse> {
        let (hash, plus) = match given.mechanism {
            Mechanism::ScramSha1 => (Hash::Sha1, false),
            Mechanism::ScramSha1Plus => (Hash::Sha1, true),
            Mechanism::ScramSha256 => (Hash::Sha256, false),
            Mechanism::ScramSha256Plus => (Hash::Sha256, true),
            _ => return Err(Misuse::BadValue),
        };
        let ClientCredentials { authorization, user, nonce, .. } = given;
        let named = super::is_name(authorization) && super::is_part(user);
        if !named || nonce.len() < OUR_NONCE_MIN || !is_nonce(nonce) {
            return Err(Misuse::BadValue);
        }
        let best = Binding::best(tls);
        let (flag, binding) = if plus {
            let (kind, data) = best.ok_or(Misuse::BadValue)?;
            ([b"p=", kind.name().as_bytes()].concat(), data.to_vec())
        } else {
            (flag_unbound(hash, offered, best.is_some()).to_vec(), Vec::new())
        };
        let authorization = if authorization.is_empty() {
            Vec::new()
        } else {
            [b"a=", &encode_name(authorization)[..]].concat()
        };
        let mut first = [&flag[..], b",", &authorization, b","].concat();
        let header_length = first.len();
        first.extend_from_slice(&[b"n=", &encode_name(user)[..], b",r=", nonce].concat());
        Ok(Self { hash, first, header_length, binding, nonce: nonce.clone() })
    }

    /// client-first-message.
    pub(super) fn first_message(&self) -> &[u8] {
        &self.first
    }

    /// `server-first-message = [reserved-mext ","] nonce "," salt "," iteration-count [","
    /// extensions]`
    pub(super) fn server_first(self, message: &[u8]) -> Result<Salting, Fault> {
        let mut attributes = Attributes::of(message);
        let nonce = attributes.expect(b'r').ok_or(Fault::Malformed)?;
        // RFC 5802 §5.1; longer than ours, since a server that adds nothing could be replaying.
        let ours = nonce.starts_with(&self.nonce) && nonce.len() > self.nonce.len();
        if !ours || !is_nonce(nonce) {
            return Err(Fault::Malformed);
        }
        let salt = attributes.expect(b's').and_then(base64::decode).ok_or(Fault::Malformed)?;
        let count = attributes.expect(b'i').ok_or(Fault::Malformed)?;
        if !(1..=SALT_MAX).contains(&salt.len()) || !attributes.only_extensions() {
            return Err(Fault::Malformed);
        }
        let iterations = iterations(count).ok_or(Fault::Iterations)?;
        let (header, bare) = self.first.split_at(self.header_length);
        let bound = base64::encode(&[header, &self.binding].concat());
        let without_proof = [b"c=", &bound[..], b",r=", nonce].concat();
        let auth_message = [bare, b",", message, b",", &without_proof].concat();
        Ok(Salting { hash: self.hash, salt, iterations, auth_message, without_proof })
    }
}

/// The gs2-cbind-flag of a mechanism without channel binding.
///
/// RFC 5802 §6: `y` tells a server that does offer channel binding that somebody hid it from us.
/// Where it was offered and the host chose to do without, `y` would be a lie that ends the login.
fn flag_unbound(hash: Hash, offered: &[Mechanism], could: bool) -> &'static [u8] {
    let plus = match hash {
        Hash::Sha1 => Mechanism::ScramSha1Plus,
        Hash::Sha256 => Mechanism::ScramSha256Plus,
    };
    if could && !offered.contains(&plus) { b"y" } else { b"n" }
}

impl Salting {
    pub(super) fn ask(&self, mechanism: Mechanism) -> SaltPassword {
        SaltPassword { mechanism, salt: self.salt.clone(), iterations: self.iterations }
    }

    /// client-final-message; `None` if that is no SaltedPassword.
    pub(super) fn prove(&self, salted: &[u8]) -> Option<(Proved, Vec<u8>)> {
        if salted.len() != self.hash.length() {
            return None;
        }
        let (proof, server_signature) = prove(self.hash, salted, &self.auth_message);
        let message = [&self.without_proof[..], b",p=", &base64::encode(&proof)].concat();
        Some((Proved { server_signature }, message))
    }
}

impl Proved {
    /// `server-final-message = (server-error / verifier) ["," extensions]`
    pub(super) fn server_final(&self, message: &[u8]) -> Result<(), Fault> {
        if message.starts_with(b"e=") {
            return Err(Fault::Refused);
        }
        let mut attributes = Attributes::of(message);
        let signature = attributes.expect(b'v').and_then(base64::decode).ok_or(Fault::Malformed)?;
        if !attributes.only_extensions() {
            return Err(Fault::Malformed);
        }
        is_same(&signature, &self.server_signature).then_some(()).ok_or(Fault::Unproven)
    }
}
