//! JSON Web Tokens (RFC 7519) signed as RFC 7515 says: the form, and whether a key's signature is on one.

use pillarbox_engine::text::base64;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde_json::{Map, Value};

/// Octets of a token; real ones have one or two thousand.
const TOKEN_MAX: usize = 16 * 1024;

/// A token, taken apart; nothing in it is true yet.
#[derive(Debug)]
pub(super) struct Jwt<'a> {
    algorithm: Algorithm,
    /// Which key signed it, if it says.
    pub(super) key_id: Option<String>,
    signed: &'a [u8],
    payload: &'a str,
    signature: Vec<u8>,
}

/// A signature algorithm of RFC 7518 §3.1 and RFC 8037 §3.1; no other is taken, `none` least of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Rs256,
    Es256,
    EdDsa,
}

/// A public key of the issuer (RFC 7517).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) id: Option<String>,
    material: Material,
}

/// A key is good for one algorithm, whatever a token says: RFC 8725 §3.1.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Material {
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// Whether a token looks like one of these.
pub(super) fn has_form(token: &str) -> bool {
    token.len() <= TOKEN_MAX && token.split('.').count() == 3
}

impl<'a> Jwt<'a> {
    /// RFC 7515 §7.1: three parts in base64url.
    pub(super) fn parse(token: &'a str) -> Option<Self> {
        if !has_form(token) {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        let header: Value = serde_json::from_slice(&decode(header)?).ok()?;
        // RFC 7515 §4.1.11: what must be understood and is not ends it.
        if header.get("crit").is_some() || header.get("b64").is_some() {
            return None;
        }
        let algorithm = match header.get("alg")?.as_str()? {
            "RS256" => Algorithm::Rs256,
            "ES256" => Algorithm::Es256,
            "EdDSA" => Algorithm::EdDsa,
            _ => return None,
        };
        let key_id = header.get("kid").and_then(Value::as_str).map(str::to_owned);
        let signature = decode(signature)?;
        Some(Self { algorithm, key_id, signed: signed.as_bytes(), payload, signature })
    }

    /// The claims, if this key signed them.
    pub(super) fn claims(&self, key: &Key) -> Option<Map<String, Value>> {
        let verified = match (&key.material, self.algorithm) {
            (Material::Rsa { modulus, exponent }, Algorithm::Rs256) => {
                let key = RsaPublicKeyComponents { n: modulus, e: exponent };
                key.verify(&RSA_PKCS1_2048_8192_SHA256, self.signed, &self.signature).is_ok()
            }
            (Material::P256(point), Algorithm::Es256) => {
                let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
                key.verify(self.signed, &self.signature).is_ok()
            }
            (Material::Ed25519(point), Algorithm::EdDsa) => {
                let key = UnparsedPublicKey::new(&ED25519, point);
                key.verify(self.signed, &self.signature).is_ok()
            }
            _ => false,
        };
        let payload = verified.then(|| decode(self.payload)).flatten()?;
        serde_json::from_slice(&payload).ok()
    }
}

impl Key {
    /// RFC 7517 §4, RFC 7518 §6; none if it is of another kind or for another use.
    pub(super) fn parse(value: &Value) -> Option<Self> {
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        if text("use").is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let octets = |name: &str| text(name).and_then(decode);
        let (material, algorithm) = match (text("kty")?, text("crv")) {
            ("RSA", None) => {
                (Material::Rsa { modulus: octets("n")?, exponent: octets("e")? }, "RS256")
            }
            ("EC", Some("P-256")) => {
                let (x, y) = (octets("x")?, octets("y")?);
                // SEC 1 §2.3.3: an uncompressed point.
                let point =
                    (x.len() == 32 && y.len() == 32).then(|| [&[4][..], &x, &y].concat())?;
                (Material::P256(point), "ES256")
            }
            ("OKP", Some("Ed25519")) => (Material::Ed25519(octets("x")?), "EdDSA"),
            _ => return None,
        };
        let fits = text("alg").is_none_or(|named| named == algorithm);
        fits.then(|| Self { id: text("kid").map(str::to_owned), material })
    }
}

/// RFC 7515 §2 base64url, without padding.
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut standard = Vec::with_capacity(text.len() + 3);
    for octet in text.bytes() {
        standard.push(match octet {
            b'-' => b'+',
            b'_' => b'/',
            b'+' | b'/' | b'=' => return None,
            octet => octet,
        });
    }
    while standard.len() % 4 != 0 {
        standard.push(b'=');
    }
    base64::decode(&standard)
}

#[cfg(test)]
pub(super) mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
    use serde_json::json;

    use super::*;

    pub(in crate::auth::token) fn encode(octets: &[u8]) -> String {
        let text = base64::encode(octets).escape_ascii().to_string();
        text.trim_end_matches('=').replace('+', "-").replace('/', "_")
    }

    /// An issuer with an Ed25519 key: its public key, and what signs.
    pub(in crate::auth::token) fn issuer(id: &str) -> (Value, impl Fn(&Value, &Value) -> String) {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("entropy");
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).expect("our own");
        let x = encode(pair.public_key().as_ref());
        let key = json!({ "kty": "OKP", "crv": "Ed25519", "kid": id, "x": x });
        let sign = move |header: &Value, claims: &Value| {
            let parts = [header, claims].map(|part| encode(part.to_string().as_bytes()));
            let signed = parts.join(".");
            let signature = encode(pair.sign(signed.as_bytes()).as_ref());
            format!("{signed}.{signature}")
        };
        (key, sign)
    }

    #[test]
    fn only_the_key_that_signed_finds_its_claims() {
        let (key, sign) = issuer("one");
        let (other, _) = issuer("one");
        let token = sign(&json!({ "alg": "EdDSA", "kid": "one" }), &json!({ "sub": "ann" }));
        let jwt = Jwt::parse(&token).expect("a token");
        assert_eq!(jwt.key_id.as_deref(), Some("one"));
        let key = Key::parse(&key).expect("a key");
        assert_eq!(jwt.claims(&key).expect("it signed")["sub"], "ann");
        assert_eq!(jwt.claims(&Key::parse(&other).expect("a key")), None);
        for at in 0..token.len() {
            let mut octets = token.clone().into_bytes();
            octets[at] = if octets[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(octets).expect("ASCII");
            let claims = Jwt::parse(&changed).and_then(|jwt| jwt.claims(&key));
            assert_eq!(claims, None, "octet {at}");
        }
    }

    /// RS256 is shown with a real issuer's key in the tests of the whole server.
    #[test]
    fn other_algorithms_and_confusions_of_them() {
        let document =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        let document = document.expect("entropy");
        let pair = EcdsaKeyPair::from_pkcs8(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            document.as_ref(),
            &SystemRandom::new(),
        );
        let pair = pair.expect("our own");
        let point = pair.public_key().as_ref();
        let (x, y) = (encode(&point[1..33]), encode(&point[33..]));
        let public = json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y });
        let key = Key::parse(&public).expect("a key");
        let signed = format!("{}.{}", encode(br#"{"alg":"ES256"}"#), encode(br#"{"sub":"bob"}"#));
        let signature = pair.sign(&SystemRandom::new(), signed.as_bytes()).expect("entropy");
        let token = format!("{signed}.{}", encode(signature.as_ref()));
        let jwt = Jwt::parse(&token).expect("a token");
        assert_eq!(jwt.claims(&key).expect("it signed")["sub"], "bob");
        let (ed, sign) = issuer("e");
        let ed = Key::parse(&ed).expect("a key");
        assert_eq!(jwt.claims(&ed), None);
        for header in [
            json!({ "alg": "none" }),
            json!({ "alg": "HS256" }),
            json!({ "alg": "EdDSA", "crit": ["b64"], "b64": false }),
            json!({}),
        ] {
            assert!(Jwt::parse(&sign(&header, &json!({}))).is_none(), "{header}");
        }
        assert!(Jwt::parse("a.b").is_none() && Jwt::parse("..").is_none());
        for wrong in [
            json!({ "kty": "oct", "k": "AAAA" }),
            json!({ "kty": "EC", "crv": "P-256", "x": x }),
            json!({ "kty": "EC", "crv": "P-256", "x": "AAAA", "y": y }),
            json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "enc" }),
            json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "alg": "RS256" }),
        ] {
            assert_eq!(Key::parse(&wrong), None, "{wrong}");
        }
    }
}
