//! What the tests share: chance that is the same each time, people with keys, and a message.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "not every test uses all of it")]

use pillarbox_smime::{Author, Certificate, Issuer, Known, New, PrivateKey, State, make};

/// 2026-11-26.
pub const NOW: i64 = 1_795_651_200;
pub const YEAR: i64 = 365 * 86_400;

pub const MESSAGE: &str = "From: Alice <alice@crepes.fr>\r\n\
    To: bob@hamburger.edu\r\n\
    Subject: Ketchup\r\n\
    Content-Type: text/plain; charset=us-ascii\r\n\
    \r\n\
    Do you like ketchup?\r\n\
    How about pickles?\r\n";

/// xorshift64*: good for tests, and for nothing else.
pub fn chance(seed: u64) -> impl FnMut(&mut [u8]) {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move |octets: &mut [u8]| {
        for octet in octets {
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            *octet = (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 56) as u8;
        }
    }
}

/// Someone with a key.
pub struct Person {
    pub key: PrivateKey,
    pub certificate: Certificate,
}

impl Person {
    pub fn author(&self) -> Author<'_> {
        Author { key: &self.key, certificate: &self.certificate, chain: &[], at: NOW }
    }

    pub fn keys(&self) -> [(Certificate, PrivateKey); 1] {
        [(self.certificate.clone(), self.key.clone())]
    }
}

/// Someone with a key of P-256, whose certificate an authority signed, or nobody else.
pub fn person(seed: u64, name: &str, address: &str, issuer: Option<&Person>) -> Person {
    valid(seed, name, address, issuer, (NOW - YEAR, NOW + YEAR))
}

pub fn valid(
    seed: u64,
    name: &str,
    address: &str,
    issuer: Option<&Person>,
    (not_before, not_after): (i64, i64),
) -> Person {
    let entropy = &mut chance(seed);
    let key = PrivateKey::generate_p256(entropy);
    let addresses = [address];
    let is_authority = address.is_empty();
    let addresses = if is_authority { &[][..] } else { &addresses[..] };
    let new = New { name, addresses, is_authority, not_before, not_after };
    let issuer = issuer.map(|one| Issuer { certificate: &one.certificate, key: &one.key });
    let certificate = make(new, &key, issuer, entropy).unwrap();
    Person { key, certificate }
}

pub fn authority(seed: u64) -> Person {
    person(seed, "Little Authority", "", None)
}

/// Someone of RFC 9216, with a key for this use.
pub fn sample(name: &str, usage: &str) -> Person {
    let read = |what: &str| std::fs::read(vector(&format!("{name}-{usage}{what}.pem"))).unwrap();
    let key = PrivateKey::of_pem(&read("-key")).unwrap();
    let certificate = Certificate::of_file(&read("-cert")).unwrap().remove(0);
    Person { key, certificate }
}

pub fn sample_authority() -> Certificate {
    let octets = std::fs::read(vector("ca-cert.pem")).unwrap();
    Certificate::of_file(&octets).unwrap().remove(0)
}

pub fn vector(name: &str) -> String {
    format!("{}/tests/vectors/{name}", env!("CARGO_MANIFEST_DIR"))
}

pub fn known<'a>(anchors: &'a [Certificate]) -> Known<'a> {
    Known { anchors, now: NOW, ..Known::default() }
}

pub fn verified(message: &[u8], known: &Known<'_>) -> pillarbox_smime::Verdict {
    pillarbox_smime::verify(message, known, &mut chance(99))
}

pub fn state(message: &[u8], known: &Known<'_>) -> State {
    verified(message, known).state()
}

/// The message with one text in place of another one, which must be there.
pub fn replaced(message: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(message.to_vec()).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    text.replacen(from, to, 1).into_bytes()
}
