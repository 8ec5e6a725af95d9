//! Messages that were damaged anywhere, and messages made to cost much: no panic, nothing that opens or is trusted by chance.
#![allow(clippy::disallowed_methods, reason = "a test may measure time")]
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod support;

use std::time::{Duration, Instant};

use pillarbox_engine::text::base64;
use pillarbox_smime::{
    Certificate, Cipher, Form, Known, PrivateKey, RevocationList, State, encrypt, sign,
};
use support::*;

/// Damages octets at a place in one of some ways.
fn damaged(octets: &[u8], at: usize, way: u8) -> Vec<u8> {
    let mut out = octets.to_vec();
    match way {
        0 => out.truncate(at),
        1 => out[at] ^= 0x80,
        2 => out[at] = 0xFF,
        3 => drop(out.remove(at)),
        _ => out.insert(at, 0x30),
    }
    out
}

#[test]
fn damage_anywhere_is_seen_and_never_a_panic() {
    let ca = authority(1);
    let alice = person(2, "Alice", "alice@crepes.fr", Some(&ca));
    let anchors = [ca.certificate];
    let keys = alice.keys();
    let known = Known { keys: &keys, ..known(&anchors) };
    let signed = sign(MESSAGE.as_bytes(), &alice.author(), Form::Opaque, &mut chance(3)).unwrap();
    let to = [&alice.certificate];
    let sealed = encrypt(MESSAGE.as_bytes(), &to, Cipher::Aes256Gcm, &mut chance(3)).unwrap();
    for message in [signed, sealed] {
        let text = String::from_utf8(message).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let octets = base64::bits(body.as_bytes());
        let mut trusted = 0;
        for at in 0..octets.len() {
            let other = damaged(&octets, at, (at % 5) as u8);
            let body = base64::encode(&other);
            let message = [head.as_bytes(), b"\r\n\r\n", &body].concat();
            let verdict = verified(&message, &known);
            if verdict.state() == State::Trusted {
                trusted += 1;
                let content = verdict.content.expect("it was inside");
                assert!(content.ends_with(b"How about pickles?\r\n"), "octet {at}");
            }
        }
        // Versions, names of attributes and the like carry no meaning; what is signed does.
        assert!(trusted < octets.len() / 8, "{trusted} of {}", octets.len());
    }
}

#[test]
fn keys_and_certificates_may_be_anything() {
    let alice = person(2, "Alice", "alice@crepes.fr", None);
    let key = alice.key.to_pkcs8();
    let certificate = alice.certificate.der().to_vec();
    let list = std::fs::read(vector("rfc4134-CarlRSACRLForAll.crl")).unwrap();
    for way in 0..5 {
        for at in 0..key.len() {
            let _ = PrivateKey::of_der(&damaged(&key, at, way));
        }
        for at in 0..certificate.len() {
            if let Ok(read) = Certificate::of_der(&damaged(&certificate, at, way)) {
                let _ = (read.subject_words(), read.addresses(), read.key_words());
            }
        }
        for at in 0..list.len() {
            let _ = RevocationList::of_der(&damaged(&list, at, way));
        }
    }
}

fn quick(message: &[u8], what: &str) {
    let ca = authority(1);
    let start = Instant::now();
    let anchors = [ca.certificate];
    let verdict = verified(message, &known(&anchors));
    assert_ne!(verdict.state(), State::Trusted, "{what}");
    // Some hundred milliseconds at most, in a build that is not optimised and on a busy machine.
    assert!(start.elapsed() < Duration::from_secs(20), "{what}: {:?}", start.elapsed());
}

#[test]
fn nothing_costs_without_bound() {
    let head = "From: a@b\r\nContent-Type: application/pkcs7-mime\r\n\
                Content-Transfer-Encoding: base64\r\n\r\n";
    let opaque = |octets: &[u8]| [head.as_bytes(), &base64::encode(octets)].concat();
    quick(&opaque(&[0x30, 0x80].repeat(500_000)), "levels without end");
    quick(&opaque(&[0x24, 0x80].repeat(500_000)), "strings without end");
    let mut nested = String::from("From: a@b\r\n");
    for level in 0..20_000 {
        nested.push_str(&format!(
            "Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n"
        ));
    }
    quick(nested.as_bytes(), "multiparts without end");
    let wide = format!(
        "From: a@b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n{}",
        "--b\r\nContent-Type: application/pkcs7-mime\r\n\r\nMIAA\r\n".repeat(100_000)
    );
    quick(wide.as_bytes(), "parts without end");
    let mut layers = MESSAGE.as_bytes().to_vec();
    let alice = person(2, "Alice", "alice@crepes.fr", None);
    for seed in 0..12 {
        layers = sign(&layers, &alice.author(), Form::Opaque, &mut chance(seed)).unwrap();
    }
    let verdict = verified(&layers, &known(&[]));
    assert_eq!(verdict.layers.len(), pillarbox_smime::limits::LAYERS_MAX);
}

#[test]
fn certificates_that_name_each_other_end() {
    let mut all: Vec<Certificate> = Vec::new();
    let mut last = authority(1);
    for seed in 2..10 {
        let next = person(seed, "Little Authority", "", Some(&last));
        all.push(next.certificate.clone());
        last = next;
    }
    let alice = person(20, "Alice", "alice@crepes.fr", Some(&last));
    let message =
        sign(MESSAGE.as_bytes(), &alice.author(), Form::Detached, &mut chance(3)).unwrap();
    let start = Instant::now();
    let with = Known { others: &all, ..known(&[]) };
    assert_eq!(state(&message, &with), State::SignerUnknown);
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}
