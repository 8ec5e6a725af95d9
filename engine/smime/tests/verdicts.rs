//! The seven states of a message, and what must never look signed.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod support;

use pillarbox_smime::{
    Certificate, Cipher, Form, Known, Layer, Reason, RevocationList, Signer, State, Verdict,
    decrypt, encrypt, sign, unwrapped,
};
use support::*;

fn signed(author: &Person, form: Form) -> Vec<u8> {
    sign(MESSAGE.as_bytes(), &author.author(), form, &mut chance(5)).unwrap()
}

fn signer(verdict: &Verdict) -> &Signer {
    match verdict.layers.first() {
        Some(Layer::Signed { signers, .. }) => &signers[0],
        other => panic!("no signature: {other:?}"),
    }
}

fn covered<'a>(verdict: &Verdict, message: &'a [u8]) -> &'a str {
    match verdict.layers.first() {
        Some(Layer::Signed { covered, .. } | Layer::Encrypted { covered, .. }) => {
            std::str::from_utf8(&message[covered.clone()]).unwrap()
        }
        None => panic!("no layer"),
    }
}

#[test]
fn one_not_signed() {
    let verdict = verified(MESSAGE.as_bytes(), &known(&[]));
    assert_eq!((verdict.state(), verdict.layers.len()), (State::NotSigned, 0));
    assert!(!verdict.is_partly_signed());
}

#[test]
fn two_trusted_with_the_covered_octets() {
    let ca = authority(1);
    let alice = person(2, "Alice", "alice@crepes.fr", Some(&ca));
    let anchors = [ca.certificate];
    let message = signed(&alice, Form::Detached);
    let verdict = verified(&message, &known(&anchors));
    assert_eq!(verdict.state(), State::Trusted, "{verdict:?}");
    let inner = MESSAGE.split_once("Content-Type").unwrap().1;
    assert_eq!(covered(&verdict, &message), format!("Content-Type{inner}"));
    assert_eq!(signer(&verdict).chain, ["CN=Alice", "CN=Little Authority"]);
    assert_eq!(signer(&verdict).signing_time, Some(NOW));
    assert_eq!(signer(&verdict).reasons, []);
    // A file has other line ends than the wire; what was signed has not.
    let file: Vec<u8> = message.iter().copied().filter(|octet| *octet != b'\r').collect();
    assert_eq!(state(&file, &known(&anchors)), State::Trusted);

    let opaque = signed(&alice, Form::Opaque);
    let verdict = verified(&opaque, &known(&anchors));
    assert_eq!(verdict.state(), State::Trusted);
    let content = verdict.content.unwrap();
    assert!(content.ends_with(b"How about pickles?\r\n"));
    let again = unwrapped(&opaque, &content);
    assert!(again.starts_with(b"From: Alice <alice@crepes.fr>\r\nTo: bob"));
    // The subject is not covered, whatever it says.
    let other = replaced(&message, "Subject: Ketchup", "Subject: Mustard");
    assert_eq!(state(&other, &known(&anchors)), State::Trusted);
}

#[test]
fn three_signer_unknown() {
    let alice = person(2, "Alice", "alice@crepes.fr", None);
    let message = signed(&alice, Form::Detached);
    let verdict = verified(&message, &known(&[]));
    assert_eq!(verdict.state(), State::SignerUnknown);
    assert_eq!(signer(&verdict).reasons, [Reason::NoChain("CN=Alice".to_owned())]);
    assert_eq!(state(&message, &known(std::slice::from_ref(&alice.certificate))), State::Trusted);
    // Someone else of the same name is someone else.
    let twin = person(3, "Alice", "alice@crepes.fr", None);
    assert_eq!(state(&message, &known(&[twin.certificate])), State::SignerUnknown);
    // A certificate that is no authority's signs nobody.
    let mallory = person(4, "Mallory", "mallory@crepes.fr", Some(&alice));
    let message = signed(&mallory, Form::Detached);
    let with = Known { others: std::slice::from_ref(&alice.certificate), ..known(&[]) };
    assert_eq!(state(&message, &with), State::SignerUnknown);
    assert_eq!(state(&message, &known(&[alice.certificate])), State::SignerUnknown);
}

#[test]
fn four_address_differs() {
    let ca = authority(1);
    let eve = person(6, "Eve", "eve@crepes.fr", Some(&ca));
    let anchors = [ca.certificate];
    let message = signed(&eve, Form::Detached);
    let verdict = verified(&message, &known(&anchors));
    assert_eq!(verdict.state(), State::AddressDiffers);
    let expected = Reason::Address {
        signer: vec!["eve@crepes.fr".to_owned()],
        from: vec!["alice@crepes.fr".to_owned()],
    };
    assert_eq!(signer(&verdict).reasons, [expected]);
    let from = "From: Alice <alice@crepes.fr>";
    let fits = replaced(&message, from, "From: EVE <Eve@CREPES.fr>");
    assert_eq!(state(&fits, &known(&anchors)), State::Trusted);
    for other in [
        "From: eve@crepes.fr, alice@crepes.fr",
        "From: eve@crepes.fr\r\nFrom: alice@crepes.fr",
        "From: \"eve@crepes.fr\" <alice@crepes.fr>",
        "X-From: eve@crepes.fr",
    ] {
        let message = replaced(&message, from, other);
        assert_eq!(state(&message, &known(&anchors)), State::AddressDiffers, "{other}");
    }
}

#[test]
fn five_not_valid_then() {
    let ca = authority(1);
    let anchors = [ca.certificate.clone()];
    for (validity, expected) in [
        ((NOW - YEAR, NOW - 1), State::NotValidThen),
        ((NOW + 1, NOW + YEAR), State::NotValidThen),
        ((NOW - YEAR, NOW), State::Trusted),
    ] {
        let alice = valid(2, "Alice", "alice@crepes.fr", Some(&ca), validity);
        let message = signed(&alice, Form::Detached);
        assert_eq!(state(&message, &known(&anchors)), expected, "{validity:?}");
        // What counts is when it was signed, and not when it is read.
        let later = Known { now: NOW + 10 * YEAR, ..known(&anchors) };
        assert_eq!(state(&message, &later), expected, "{validity:?}, read later");
    }
    let old = valid(7, "Old Authority", "", None, (NOW - 2 * YEAR, NOW - YEAR));
    let alice = person(2, "Alice", "alice@crepes.fr", Some(&old));
    let message = signed(&alice, Form::Detached);
    assert_eq!(state(&message, &known(&[old.certificate])), State::NotValidThen);
}

#[test]
fn six_altered() {
    let ca = authority(1);
    let alice = person(2, "Alice", "alice@crepes.fr", Some(&ca));
    let anchors = [ca.certificate];
    let message = signed(&alice, Form::Detached);
    let verdict = verified(&message, &known(&anchors));
    let digest = signer(&verdict).content_digest.clone();
    assert!(digest.is_some() && signer(&verdict).signed_digest == digest);
    let text = covered(&verdict, &message);
    let start = text.as_ptr() as usize - message.as_ptr() as usize;
    // Each octet that is covered is covered, and the range stays where it is.
    for at in start..start + text.len() {
        let mut other = message.clone();
        other[at] ^= 1;
        let verdict = verified(&other, &known(&anchors));
        assert_eq!(verdict.state(), State::Altered, "octet {at}");
        let signer = signer(&verdict);
        assert_eq!(signer.reasons[0], Reason::DigestDiffers);
        assert_eq!(signer.signed_digest, digest, "what was signed is still known");
        assert_ne!(signer.content_digest, digest);
    }
    let footer = replaced(&message, "pickles?\r\n", "pickles?\r\n-- \r\nA list\r\n");
    let footer = replaced(&footer, "Subject:", "List-Id: <crepes.fr>\r\nSubject:");
    let verdict = verified(&footer, &known(&anchors));
    let reasons = &signer(&verdict).reasons;
    assert!(matches!(reasons[..], [Reason::DigestDiffers, Reason::PerhapsOnTheWay(_)]));
    // The signed attributes of one message over the signature of another one.
    let other = sign(
        replaced(MESSAGE.as_bytes(), "ketchup", "mustard").as_slice(),
        &alice.author(),
        Form::Opaque,
        &mut chance(5),
    );
    assert_eq!(state(&other.unwrap(), &known(&anchors)), State::Trusted);
}

#[test]
fn seven_encrypted() {
    let ca = authority(1);
    let alice = person(2, "Alice", "alice@crepes.fr", Some(&ca));
    let bob = person(3, "Bob", "bob@hamburger.edu", Some(&ca));
    let anchors = [ca.certificate];
    for cipher in [Cipher::Aes256Gcm, Cipher::Aes128Gcm, Cipher::Aes256Cbc, Cipher::Aes128Cbc] {
        let message = signed(&alice, Form::Detached);
        let to = [&alice.certificate, &bob.certificate];
        let sealed = encrypt(&message, &to, cipher, &mut chance(8)).unwrap();
        assert!(!sealed.windows(7).any(|octets| octets == b"pickles"));
        assert!(sealed.windows(16).any(|octets| octets == b"Subject: Ketchup"));
        let closed = verified(&sealed, &known(&anchors));
        assert_eq!((closed.state(), closed.is_open()), (State::Encrypted, false));
        assert_eq!(closed.inner_state(), State::NotSigned);
        let Layer::Encrypted { recipients, reasons, .. } = &closed.layers[0] else { panic!() };
        assert_eq!((*recipients, &reasons[..]), (2, &[Reason::NoKey][..]));

        let keys = bob.keys();
        let open = verified(&sealed, &Known { keys: &keys, ..known(&anchors) });
        assert_eq!((open.state(), open.is_open()), (State::Encrypted, true));
        assert_eq!(open.inner_state(), State::Trusted, "{open:?}");
        let Layer::Encrypted { opened_by, reasons, .. } = &open.layers[0] else { panic!() };
        assert_eq!(opened_by.as_deref(), Some("CN=Bob"));
        let authenticated = cipher.is_authenticated();
        assert_eq!(reasons.is_empty(), authenticated, "{cipher:?}");

        let opened = decrypt(&sealed, &keys, &mut chance(9)).unwrap();
        let message = unwrapped(&sealed, &opened.content);
        assert_eq!(state(&message, &known(&anchors)), State::Trusted);
        let lost = decrypt(&sealed, &[], &mut chance(9));
        assert_eq!(lost, Err(Some(Reason::NoKey)));
    }
    assert_eq!(decrypt(MESSAGE.as_bytes(), &bob.keys(), &mut chance(9)), Err(None));
}

#[test]
fn what_was_changed_while_encrypted_does_not_open() {
    let bob = person(3, "Bob", "bob@hamburger.edu", None);
    let to = [&bob.certificate];
    let sealed = encrypt(MESSAGE.as_bytes(), &to, Cipher::Aes256Gcm, &mut chance(8)).unwrap();
    let text = String::from_utf8(sealed).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut octets = pillarbox_engine::text::base64::bits(body.as_bytes());
    let last = octets.len() - 1;
    for at in [last, last - 15, last - 40] {
        octets[at] ^= 1;
        let body = pillarbox_engine::text::base64::encode(&octets);
        let message = [head.as_bytes(), b"\r\n\r\n", &body].concat();
        let lost = decrypt(&message, &bob.keys(), &mut chance(9));
        assert_eq!(lost, Err(Some(Reason::Damaged)), "octet {at}");
        octets[at] ^= 1;
    }
}

#[test]
fn partly_signed_is_not_signed() {
    let ca = authority(1);
    let alice = person(2, "Alice", "alice@crepes.fr", Some(&ca));
    let anchors = [ca.certificate];
    let message = String::from_utf8(signed(&alice, Form::Detached)).unwrap();
    let entity = &message[message.find("Content-Type: multipart/signed").unwrap()..];
    let list = format!(
        "From: alice@crepes.fr\r\nContent-Type: multipart/mixed; boundary=list\r\n\r\n\
         --list\r\n{entity}\r\n--list\r\n\r\nSend money to Mallory.\r\n--list--\r\n"
    );
    let verdict = verified(list.as_bytes(), &known(&anchors));
    assert_eq!(verdict.state(), State::NotSigned);
    assert!(verdict.is_partly_signed());
    assert_eq!(verdict.reasons, [Reason::OnlyParts]);
    assert_eq!(verdict.parts[0].layers[0].state(), State::Trusted);
    let range = verdict.parts[0].range.clone();
    assert!(list[range.clone()].starts_with("Content-Type: multipart/signed"));
    assert!(!list[range].contains("Mallory"));
}

#[test]
fn what_can_be_read_in_two_ways_is_not_signed() {
    let ca = authority(1);
    let alice = person(2, "Alice", "alice@crepes.fr", Some(&ca));
    let anchors = [ca.certificate];
    let message = signed(&alice, Form::Detached);
    for (from, to) in [
        ("MIME-Version", "Content-Type: text/plain\r\nMIME-Version"),
        ("application/pkcs7-signature; name", "application/pgp-signature; name"),
        ("protocol=\"application/pkcs7-signature\"", "protocol=\"application/pgp-signature\""),
        ("This is a signed", "--signed-0\r\n\r\nThis is a signed"),
    ] {
        let verdict = verified(&replaced(&message, from, to), &known(&anchors));
        let is_whole = from.starts_with("This");
        let expected = if is_whole { State::Trusted } else { State::NotSigned };
        assert_eq!(verdict.state(), expected, "{to}");
    }
    // A third part would be shown, and is not signed.
    let text = String::from_utf8(message).unwrap();
    let boundary = text.split("boundary=\"").nth(1).unwrap().split('"').next().unwrap();
    let third = format!("--{boundary}\r\n\r\nMallory\r\n--{boundary}--");
    let message = text.replace(&format!("--{boundary}--"), &third);
    assert_eq!(state(message.as_bytes(), &known(&anchors)), State::NotSigned);
}

#[test]
fn samples_of_rfc_9216_are_followed_to_their_authority() {
    let (alice, bob) = (sample("alice", "sign"), sample("bob", "encrypt"));
    let anchors = [sample_authority()];
    let mail = replaced(MESSAGE.as_bytes(), "alice@crepes.fr", "alice@smime.example");
    for form in [Form::Detached, Form::Opaque] {
        let message = sign(&mail, &alice.author(), form, &mut chance(4)).unwrap();
        assert_eq!(state(&message, &known(&anchors)), State::Trusted);
        let to = [&bob.certificate];
        let sealed = encrypt(&message, &to, Cipher::Aes256Gcm, &mut chance(4)).unwrap();
        let keys = bob.keys();
        let open = verified(&sealed, &Known { keys: &keys, ..known(&anchors) });
        assert_eq!(open.inner_state(), State::Trusted);
    }
    // Their keys are for one thing each.
    let encrypting = sample("alice", "encrypt");
    assert!(sign(&mail, &encrypting.author(), Form::Detached, &mut chance(4)).is_err());
    let to = [&alice.certificate];
    assert!(encrypt(&mail, &to, Cipher::Aes256Gcm, &mut chance(4)).is_err());
}

fn old(name: &str) -> Vec<u8> {
    std::fs::read(vector(&format!("rfc4134-{name}"))).unwrap()
}

fn wrapped(octets: &[u8]) -> Vec<u8> {
    let head = "From: AliceRSA@example.com\r\nContent-Type: application/pkcs7-mime\r\n\
                Content-Transfer-Encoding: base64\r\n\r\n";
    [head.as_bytes(), &pillarbox_engine::text::base64::encode(octets)].concat()
}

#[test]
fn old_mail_of_rfc_4134_is_read_and_not_trusted() {
    let carl = Certificate::of_file(&old("CarlRSASelf.cer")).unwrap();
    let mut octets = old("4.2.bin");
    let verdict = verified(&wrapped(&octets), &known(&carl));
    assert_eq!(verdict.state(), State::SignerUnknown, "{verdict:?}");
    assert!(signer(&verdict).reasons.contains(&Reason::Weak("SHA-1".to_owned())));
    assert_eq!(verdict.content.as_deref(), Some(&b"This is some sample content."[..]));
    let at = octets.windows(6).position(|octets| octets == b"sample").unwrap();
    octets[at] ^= 0x20;
    assert_eq!(state(&wrapped(&octets), &known(&carl)), State::Altered);
    // Signed with DSS, which is read nowhere any more.
    let verdict = verified(&old("4.8.eml"), &known(&carl));
    assert_eq!(verdict.state(), State::NotSigned);
    assert_eq!(signer(&verdict).reasons, [Reason::AlgorithmUnknown]);
    let verdict = verified(&wrapped(&old("5.1.bin")), &known(&[]));
    let Layer::Encrypted { recipients, reasons, .. } = &verdict.layers[0] else { panic!() };
    assert_eq!((*recipients, &reasons[..]), (1, &[Reason::CipherUnknown("3DES")][..]));
    assert_eq!(RevocationList::of_file(&old("CarlRSACRLForAll.crl")).unwrap().len(), 1);
}

/// Signed attributes, shown as if they were the content of a signature without attributes.
#[test]
fn attributes_are_no_content() {
    let ca = authority(1);
    let alice = person(2, "Alice", "alice@crepes.fr", Some(&ca));
    let anchors = [ca.certificate];
    let text = String::from_utf8(signed(&alice, Form::Detached)).unwrap();
    let (_, signature) = text.split_once("smime.p7s\r\n\r\n").unwrap_or_else(|| panic!("{text}"));
    let octets =
        pillarbox_engine::text::base64::bits(signature.split("\r\n--").next().unwrap().as_bytes());
    // The attributes begin with the tag [0] and a length of two octets, before the OID of the first one.
    let first = [0x30, 0x18, 6, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, 3];
    let at = octets.windows(first.len()).position(|octets| octets == first).unwrap();
    let start = (0..at).rev().find(|&at| octets[at] == 0xA0).unwrap();
    let length = at - start + (usize::from(octets[at - 1]));
    let mut attributes = octets[start..start + length].to_vec();
    attributes[0] = 0x31;
    let other = without_attributes(&octets, start, length);
    let message = [
        b"From: alice@crepes.fr\r\nContent-Type: multipart/signed; boundary=b;\r\n protocol=\"application/pkcs7-signature\"\r\n\r\n--b\r\n".to_vec(),
        attributes,
        b"\r\n--b\r\nContent-Type: application/pkcs7-signature\r\nContent-Transfer-Encoding: base64\r\n\r\n".to_vec(),
        pillarbox_engine::text::base64::encode(&other),
        b"\r\n--b--\r\n".to_vec(),
    ]
    .concat();
    let verdict = verified(&message, &known(&anchors));
    assert_eq!(verdict.state(), State::NotSigned, "{verdict:?}");
    assert_eq!(signer(&verdict).reasons, [Reason::Unreadable]);
}

/// Takes octets out, and out of the lengths of all that they stand in.
fn without_attributes(octets: &[u8], start: usize, length: usize) -> Vec<u8> {
    let mut out = octets.to_vec();
    out.drain(start..start + length);
    let mut at = 0;
    // Down to the signer: ContentInfo, [0], SignedData, SET of signers, SignerInfo.
    while at < start {
        let (body, size) = match octets[at + 1] {
            0x82 => (at + 4, usize::from(octets[at + 2]) << 8 | usize::from(octets[at + 3])),
            0x81 => (at + 3, usize::from(octets[at + 2])),
            short => (at + 2, usize::from(short)),
        };
        if body + size <= start {
            at = body + size;
            continue;
        }
        let less = size - length;
        match octets[at + 1] {
            0x82 => out[at + 2..at + 4].copy_from_slice(&(less as u16).to_be_bytes()),
            0x81 => out[at + 2] = less as u8,
            _ => out[at + 1] = less as u8,
        }
        at = body;
    }
    // Lengths that became short stay in their long form, which BER allows.
    out
}

#[test]
fn text_of_eight_bits_is_signed_in_seven() {
    let alice = person(2, "Alice", "alice@crepes.fr", None);
    let text = MESSAGE.replace("us-ascii", "utf-8").replace("pickles", "Crème brûlée");
    let anchors = [alice.certificate.clone()];
    let message = sign(text.as_bytes(), &alice.author(), Form::Detached, &mut chance(4)).unwrap();
    assert!(message.is_ascii());
    assert!(message.windows(16).any(|octets| octets == b"quoted-printable"));
    assert_eq!(state(&message, &known(&anchors)), State::Trusted);
}
