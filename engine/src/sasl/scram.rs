//! SCRAM (RFC 5802, RFC 7677), the part that both sides and their hosts share: hashes, keys, and
//! the grammar of messages. The flow of an exchange is in `client` and `server`; what is kept for
//! an account is the host's.

use alloc::vec::Vec;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Mechanism;
use crate::trace::Rule;

/// RFC 7677 §4: fewer iterations than this make guessing cheap; a client takes none, a server's
/// host keeps none.
pub const ITERATIONS_MIN: u32 = 4096;
/// More iterations than this are an attack on whoever has to compute them.
pub const ITERATIONS_MAX: u32 = 1_000_000;
/// Octets of a salt; real ones have 16 or so.
pub const SALT_MAX: usize = 1024;
/// Octets of one side's nonce; real ones have 18 to 64.
pub const NONCE_MAX: usize = 1024;

/// RFC 5802 §5.1.
pub(super) const ATTRIBUTES: Rule = Rule {
    rfc: 5802,
    section: "5.1",
    gist: "Attributes come in a fixed order, nonces begin as they were sent, and an unknown m= ends the exchange.",
};
/// RFC 5802 §6.
pub(super) const BINDING: Rule = Rule {
    rfc: 5802,
    section: "6",
    gist: "Who could bind to the channel and was told that the other could not has met an attacker.",
};
/// RFC 7677 §4.
pub(super) const ITERATIONS: Rule = Rule {
    rfc: 7677,
    section: "4",
    gist: "At least 4,096 iterations stand between a stored key and the password.",
};

/// The hash function of a SCRAM mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// SHA-1 (RFC 5802).
    Sha1,
    /// SHA-256 (RFC 7677).
    Sha256,
}

impl Hash {
    /// That of a mechanism; `None` if it is not a SCRAM one.
    #[must_use]
    pub const fn of(mechanism: Mechanism) -> Option<Self> {
        match mechanism {
            Mechanism::ScramSha1 | Mechanism::ScramSha1Plus => Some(Self::Sha1),
            Mechanism::ScramSha256 | Mechanism::ScramSha256Plus => Some(Self::Sha256),
            _ => None,
        }
    }

    /// Octets of a digest, and of every key and signature.
    #[must_use]
    pub const fn length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// RFC 5802 §2.2 `H(str)`.
    #[must_use]
    pub fn digest(self, octets: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(octets).to_vec(),
            Self::Sha256 => Sha256::digest(octets).to_vec(),
        }
    }

    /// RFC 5802 §2.2 `HMAC(key, str)`.
    #[must_use]
    pub fn hmac(self, key: &[u8], octets: &[u8]) -> Vec<u8> {
        const WHY: &str = "HMAC takes a key of any length";
        match self {
            Self::Sha1 => {
                let mac = Hmac::<Sha1>::new_from_slice(key).expect(WHY);
                mac.chain_update(octets).finalize().into_bytes().to_vec()
            }
            Self::Sha256 => {
                let mac = Hmac::<Sha256>::new_from_slice(key).expect(WHY);
                mac.chain_update(octets).finalize().into_bytes().to_vec()
            }
        }
    }

    /// RFC 5802 §3 SaltedPassword, the answer to `salt-password`: slow, and meant to be.
    #[must_use]
    pub fn salt_password(self, password: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
        match self {
            Self::Sha1 => {
                pbkdf2::pbkdf2_hmac_array::<Sha1, 20>(password, salt, iterations).to_vec()
            }
            Self::Sha256 => {
                pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password, salt, iterations).to_vec()
            }
        }
    }
}

/// What a server's host keeps of a password: enough to judge a proof, not enough to make one.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// RFC 5802 §3 StoredKey.
    pub stored_key: Vec<u8>,
    /// RFC 5802 §3 ServerKey.
    pub server_key: Vec<u8>,
}

impl core::fmt::Debug for Keys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Keys { ****** }")
    }
}

impl Keys {
    /// Those of a password, salted anew for an account. The password is prepared (RFC 4013) by the
    /// caller.
    #[must_use]
    pub fn derive(hash: Hash, password: &[u8], salt: &[u8], iterations: u32) -> Self {
        let salted = hash.salt_password(password, salt, iterations);
        let client_key = hash.hmac(&salted, CLIENT_KEY);
        Self { stored_key: hash.digest(&client_key), server_key: hash.hmac(&salted, SERVER_KEY) }
    }

    /// Judges a client's proof: RFC 5802 §3 ServerSignature if it is right. The comparison takes
    /// the same time for every proof of the right length.
    #[must_use]
    pub fn judge(&self, hash: Hash, auth_message: &[u8], proof: &[u8]) -> Option<Vec<u8>> {
        let client_signature = hash.hmac(&self.stored_key, auth_message);
        let client_key = exclusive_or(proof, &client_signature)?;
        let right = hash.digest(&client_key).ct_eq(&self.stored_key);
        let server_signature = hash.hmac(&self.server_key, auth_message);
        bool::from(right).then_some(server_signature)
    }
}

const CLIENT_KEY: &[u8] = b"Client Key";
const SERVER_KEY: &[u8] = b"Server Key";

/// A client's proof, and the signature by which the server will prove itself (RFC 5802 §3).
pub(super) fn prove(hash: Hash, salted: &[u8], auth_message: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let client_key = hash.hmac(salted, CLIENT_KEY);
    let client_signature = hash.hmac(&hash.digest(&client_key), auth_message);
    let proof = client_key.iter().zip(&client_signature).map(|(key, mask)| key ^ mask).collect();
    (proof, hash.hmac(&hash.hmac(salted, SERVER_KEY), auth_message))
}

/// Whether two secrets are the same, in a time that does not tell where they differ.
pub(super) fn is_same(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

fn exclusive_or(left: &[u8], right: &[u8]) -> Option<Vec<u8>> {
    (left.len() == right.len()).then(|| left.iter().zip(right).map(|(l, r)| l ^ r).collect())
}

/// The attributes of a message, in order.
///
/// ```text
/// attr-val = ALPHA "=" value
/// ```
pub(super) struct Attributes<'a>(core::slice::Split<'a, u8, fn(&u8) -> bool>);

impl<'a> Attributes<'a> {
    pub(super) fn of(message: &'a [u8]) -> Self {
        Self(message.split(|&octet| octet == b','))
    }

    /// The value of the next attribute, which must have this name.
    pub(super) fn expect(&mut self, name: u8) -> Option<&'a [u8]> {
        let attribute = self.0.next()?;
        match attribute {
            [found, b'=', value @ ..] if *found == name && is_value(value) => Some(value),
            _ => None,
        }
    }

    /// Whether all that is left are extensions to be passed over.
    pub(super) fn only_extensions(mut self) -> bool {
        // RFC 5802 §5.1: extensions have names that are not assigned yet, and `m` is none to pass
        // over.
        let extension = |name: u8| name.is_ascii_alphabetic() && !b"aceimnprsv".contains(&name);
        self.0.all(|attribute| match attribute {
            [name, b'=', value @ ..] => extension(*name) && is_value(value),
            _ => false,
        })
    }
}

/// `value = 1*value-char`
fn is_value(value: &[u8]) -> bool {
    !value.is_empty() && !value.contains(&0) && core::str::from_utf8(value).is_ok()
}

/// `c-nonce = printable`, of a length that somebody may mean.
pub(super) fn is_nonce(nonce: &[u8]) -> bool {
    let printable = |octet: &u8| matches!(octet, 0x21..=0x2B | 0x2D..=0x7E);
    (1..=NONCE_MAX).contains(&nonce.len()) && nonce.iter().all(printable)
}

/// `saslname = 1*(value-safe-char / "=2C" / "=3D")`
pub(super) fn encode_name(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    for &octet in name {
        match octet {
            b',' => out.extend_from_slice(b"=2C"),
            b'=' => out.extend_from_slice(b"=3D"),
            _ => out.push(octet),
        }
    }
    out
}

/// The name that a `saslname` stands for.
pub(super) fn decode_name(text: &[u8]) -> Option<Vec<u8>> {
    if !is_value(text) {
        return None;
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        if octet != b'=' {
            out.push(octet);
            continue;
        }
        // RFC 5802 §5.1: an equals sign that begins neither of the two must fail.
        let (code, after) = rest.split_first_chunk::<2>()?;
        out.push(match code {
            b"2C" => b',',
            b"3D" => b'=',
            _ => return None,
        });
        rest = after;
    }
    Some(out)
}

/// `posit-number = %x31-39 *DIGIT`, within the bounds of iterations.
pub(super) fn iterations(text: &[u8]) -> Option<u32> {
    if text.first() == Some(&b'0') || text.len() > 7 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = text.iter().fold(0u32, |number, digit| number * 10 + u32::from(digit - b'0'));
    (ITERATIONS_MIN..=ITERATIONS_MAX).contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::base64;

    /// RFC 5802 §5 and RFC 7677 §3: the examples' keys judge the examples' proofs.
    #[test]
    fn examples_of_the_rfcs() {
        let examples = [
            (
                Hash::Sha1,
                &b"QSXCR+Q6sek8bf92"[..],
                &b"n=user,r=fyko+d2lbbFgONRv9qkxdawL,\
                   r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096,\
                   c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j"[..],
                &b"v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="[..],
                &b"rmF9pqV8S7suAoZWja4dJRkFsKQ="[..],
            ),
            (
                Hash::Sha256,
                b"W22ZaJ0SNY7soEsUEjb6gQ==",
                b"n=user,r=rOprNGfwEbeRWgbNEkqO,\
                  r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                  s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
                  c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
                b"dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
            ),
        ];
        for (hash, salt, auth_message, proof, signature) in examples {
            let salt = base64::decode(salt).expect("base64");
            let (proof, signature) = (base64::decode(proof), base64::decode(signature));
            let (proof, signature) = (proof.expect("base64"), signature.expect("base64"));
            let keys = Keys::derive(hash, b"pencil", &salt, 4096);
            assert_eq!(keys.judge(hash, auth_message, &proof), Some(signature.clone()));
            let salted = hash.salt_password(b"pencil", &salt, 4096);
            assert_eq!(prove(hash, &salted, auth_message), (proof.clone(), signature));
            let pen = Keys::derive(hash, b"pen", &salt, 4096);
            assert_eq!(pen.judge(hash, auth_message, &proof), None);
            assert_eq!(keys.judge(hash, b"another", &proof), None);
            assert_eq!(keys.judge(hash, auth_message, &proof[1..]), None);
            assert_eq!(keys.judge(hash, auth_message, b""), None);
        }
    }

    #[test]
    fn names_are_written_in_one_way() {
        for name in ["ann", "a,b", "a=b", ",=,=", "ä€😀"] {
            let text = encode_name(name.as_bytes());
            assert!(!text.contains(&b','));
            assert_eq!(decode_name(&text).as_deref(), Some(name.as_bytes()));
        }
        let wrong: [&[u8]; 8] = [b"", b"=", b"a=2", b"a=2c", b"=3d", b"=20", b"a\0", b"\xff"];
        for text in wrong {
            assert_eq!(decode_name(text), None, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn iterations_have_bounds() {
        assert_eq!(iterations(b"4096"), Some(4096));
        assert_eq!(iterations(b"1000000"), Some(1_000_000));
        let wrong: [&[u8]; 9] = [
            b"",
            b"1",
            b"4095",
            b"04096",
            b"1000001",
            b"4294967295",
            b"+4096",
            b"4096 ",
            b"9999999",
        ];
        for text in wrong {
            assert_eq!(iterations(text), None, "{}", text.escape_ascii());
        }
    }
}
