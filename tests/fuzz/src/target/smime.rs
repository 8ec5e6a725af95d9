//! S/MIME: messages with structures in DER, and files of keys and certificates.

use std::sync::LazyLock;

use pillarbox_engine::text::base64;
use pillarbox_smime::{
    Author, Certificate, Cipher, Form, Issuer, Known, New, PrivateKey, RevocationList, decrypt,
    encrypt, make, pem, sign, verify,
};

use super::USUAL;
use crate::corpus::{messages, vectors};
use crate::{Seen, Target};

pub(super) const SMIME: Target = Target {
    name: "smime",
    run: message,
    seeds: || {
        let mut seeds = PEOPLE.sealed.clone();
        seeds.extend(messages().into_iter().filter(|message| message.len() < 3000));
        seeds
    },
    words: WORDS,
    size_max: 8 << 10,
    memory_max: 8 << 20,
    rounds: 800,
    ..USUAL
};

const WORDS: &[&str] = &[
    "\x30",
    "\x30\u{80}",
    "\0\0",
    "\x02\x01",
    "\x04",
    "\x31",
    "\u{a0}",
    "\x06\x09",
    "\x24\u{80}",
    "\u{7f}",
    "MIAG",
    "MIIB",
    "=",
    "Content-Type: application/pkcs7-mime; smime-type=signed-data\r\n",
    "Content-Transfer-Encoding: base64\r\n\r\n",
    "\r\n",
    "--",
    "Content-Type: multipart/signed; boundary=b; protocol=\"application/pkcs7-signature\"; micalg=sha-256\r\n\r\n--b\r\n",
    "-----BEGIN CERTIFICATE-----\n",
    "-----END CERTIFICATE-----\n",
    "-----BEGIN PRIVATE KEY-----\n",
];

const NOW: i64 = 1_795_651_200;
const YEAR: i64 = 365 * 86_400;
const TEXT: &[u8] = b"From: Alice <alice@crepes.fr>\r\nTo: bob@hamburger.edu\r\nSubject: Ketchup\r\n\r\nDo you like it?\r\n";
/// What an input begins with whose rest is a structure that stands in base64: its octets can be changed one by one.
const OPAQUE: &[u8] = b"From: alice@crepes.fr\r\nContent-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n\r\n";

struct People {
    authority: Certificate,
    keys: [(Certificate, PrivateKey); 1],
    sealed: Vec<Vec<u8>>,
}

static PEOPLE: LazyLock<People> = LazyLock::new(|| {
    let entropy = &mut chance(1);
    let (not_before, not_after) = (NOW - YEAR, NOW + YEAR);
    let root_key = PrivateKey::generate_p256(entropy);
    let new = New { name: "Root", addresses: &[], is_authority: true, not_before, not_after };
    let authority = make(new, &root_key, None, entropy).expect("it makes sense");
    let key = PrivateKey::generate_p256(entropy);
    let addresses = &["alice@crepes.fr"][..];
    let new = New { name: "Alice", addresses, is_authority: false, not_before, not_after };
    let issuer = Issuer { certificate: &authority, key: &root_key };
    let certificate = make(new, &key, Some(issuer), entropy).expect("it makes sense");
    let author = Author { key: &key, certificate: &certificate, chain: &[], at: NOW };
    let to = [&certificate];
    let mut sealed = Vec::new();
    for form in [Form::Opaque, Form::Detached] {
        sealed.push(sign(TEXT, &author, form, entropy).expect("it can be signed"));
    }
    for cipher in [Cipher::Aes256Gcm, Cipher::Aes128Cbc] {
        sealed.push(encrypt(TEXT, &to, cipher, entropy).expect("it can be encrypted"));
    }
    // The same structures as they are, behind a zero.
    for at in [0, 2, 3] {
        let body = sealed[at].windows(4).position(|four| four == b"\r\n\r\n").expect("a body");
        sealed.push([&[0], &base64::bits(&sealed[at][body + 4..])[..]].concat());
    }
    People { authority, keys: [(certificate, key)], sealed }
});

fn chance(seed: u64) -> impl FnMut(&mut [u8]) {
    let mut random = crate::seeded::Seeded::new(seed);
    move |octets| octets.iter_mut().for_each(|octet| *octet = random.next() as u8)
}

fn message(input: &[u8], seen: &mut Seen) {
    let People { authority, keys, .. } = &*PEOPLE;
    let message = match input.split_first() {
        Some((0, structure)) => [OPAQUE, &base64::encode(structure)].concat(),
        _ => input.to_vec(),
    };
    let anchors = [authority.clone()];
    let known = Known { anchors: &anchors, keys, now: NOW, ..Known::default() };
    let verdict = verify(&message, &known, &mut chance(99));
    seen.note(format!("{:?}", verdict.state()));
    seen.note(format!("{:?}", verdict.reasons));
    for layer in &verdict.layers {
        let text = format!("{layer:?}");
        text.split(|c: char| !c.is_ascii_alphabetic()).for_each(|word| seen.note(word));
    }
    if verdict.state() == pillarbox_smime::State::Trusted {
        let content = verdict.content.as_deref().unwrap_or(&message);
        let text = String::from_utf8_lossy(content);
        assert!(text.contains("Do you like it?"), "only what was signed is trusted: {text}");
    }
    if let Ok(opened) = decrypt(&message, keys, &mut chance(99)) {
        seen.note(("opened", opened.content.len().min(200)));
    }
}

pub(super) const KEYS: Target = Target {
    name: "keys",
    run: read_keys,
    seeds: || {
        let mut seeds = vectors();
        let (certificate, key) = &PEOPLE.keys[0];
        seeds.extend([certificate.der().to_vec(), key.to_pkcs8()]);
        let blocks = vectors().into_iter().flat_map(|file| pem::blocks(&file));
        seeds.extend(blocks.map(|block| block.der));
        seeds
    },
    words: WORDS,
    memory_max: 8 << 20,
    rounds: 1500,
    ..USUAL
};

fn read_keys(input: &[u8], seen: &mut Seen) {
    seen.note((PrivateKey::of_der(input).is_ok(), PrivateKey::of_pem(input).is_ok()));
    let mut all = Certificate::of_file(input).unwrap_or_default();
    all.extend(Certificate::of_der(input).ok());
    for certificate in &all {
        let again = Certificate::of_der(certificate.der()).expect("it was read");
        assert_eq!(again.fingerprint(), certificate.fingerprint());
        seen.note((certificate.key_words(), certificate.addresses().len()));
        let _ =
            (certificate.subject_words(), certificate.issuer_words(), certificate.serial_words());
        assert_eq!(
            Certificate::of_file(certificate.to_pem().as_bytes()).map(|all| all.len()),
            Ok(1)
        );
    }
    seen.note(RevocationList::of_der(input).is_ok());
    seen.note(RevocationList::of_file(input).map(|all| all.len()).ok());
    for block in pem::blocks(input) {
        let again = pem::blocks(pem::write(&block.label, &block.der).as_bytes());
        assert!(again.iter().any(|other| other.der == block.der), "read again");
    }
}
