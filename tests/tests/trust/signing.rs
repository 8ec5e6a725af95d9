//! Our own signatures: right for a verifier, only for those who may speak for the domain, and over what is sent.

use std::path::Path;

use pillarbox::trust::{Key, Signer, TrustSettings};
use pillarbox_world::service::trust::{Edit, Signed};

use crate::rig::{HOST, MESSAGE, Rig, keys};

fn signer(domain: &str, selector: &str, file: &Path) -> Signer {
    let key = Key::read(file).expect("made");
    Signer { domain: domain.to_owned(), selector: selector.to_owned(), key }
}

fn rig() -> Rig {
    let keys = keys();
    let signers = vec![
        signer("a.example", "rsa", &keys.rsa),
        signer("a.example", "ed25519", &keys.ed25519),
        signer("c.example", "rsa", &keys.rsa),
    ];
    Rig::signing(TrustSettings::default(), signers)
}

fn fields(signed: Signed) -> String {
    let Signed::With(Edit { before, .. }) = signed else { panic!("{signed:?}") };
    String::from_utf8(before).expect("ASCII")
}

#[tokio::test]
async fn what_is_signed_with_both_keys_passes_elsewhere_and_nothing_can_be_added() {
    let (rig, other) = (rig(), Rig::usual());
    other.publish("a.example");
    let folded = "From: Alice\r\n\t<alice@a.example>\r\nTo: a@b.example,\r\n b@b.example\r\n\
                  Subject:   many \t words  \r\nDate: now\r\nTo: c@b.example\r\n\r\n";
    let messages =
        [MESSAGE.to_owned(), folded.to_owned(), format!("{folded}\r\n \r\nx  y \r\n\r\n")];
    for message in messages {
        let signatures = fields(rig.sign(&message).await);
        assert!(signatures.lines().all(|line| line.len() <= 78), "{signatures}");
        let sent = format!("{signatures}Received: from x by y; now\r\n{message}");
        let judged = other.judge(&sent).await.expect("taken");
        assert_eq!(judged.results("dkim"), ["pass", "pass"], "{}", judged.fields);
        // RFC 6376 §8.15: another From, To or Subject breaks it.
        for field in ["Subject: cheap pills", "To: x@b.example", "Reply-To: x@evil.example"] {
            let judged = other.judge(&format!("{field}\r\n{sent}")).await.expect("taken");
            assert_eq!(judged.results("dkim"), ["fail", "fail"], "{field}: {}", judged.fields);
        }
    }
}

#[tokio::test]
async fn only_who_may_speak_for_a_domain_has_its_signature() {
    let rig = rig();
    let from = |author: &str| MESSAGE.replace("alice@a.example", author);
    let cases = [
        ("alice@a.example", true, "a.example"),
        ("alice@lab.a.example", true, "a.example"),
        // Of another of our domains, where she has an address too.
        ("alice@c.example", true, "c.example"),
        // The author's domain is ours, and the address is not hers: it passed, and nothing of ours vouches for it.
        ("bob@a.example", false, ""),
        ("ceo@c.example", false, ""),
        ("alice@elsewhere.example", true, ""),
        ("alice@a.example, x@c.example", true, ""),
    ];
    for (author, is_own, domain) in cases {
        let fields = fields(rig.sign_as(&from(author), is_own).await);
        let expected = if domain.is_empty() { 0 } else { 1 };
        let found = fields.matches(&format!("d={domain};")).count();
        assert_eq!(found.min(1), expected, "{author}: {fields}");
        assert_eq!(fields.is_empty(), domain.is_empty(), "{author}");
    }
    let forged = format!("Authentication-Results: {HOST}; dmarc=pass\r\n{MESSAGE}");
    let signed = rig.sign(&forged).await;
    let Signed::With(Edit { without, .. }) = signed else { panic!("{signed:?}") };
    assert_eq!(without.len(), 1, "nor may ours write what this host has found");
}

#[tokio::test]
async fn eight_bits_are_encoded_before_they_are_signed() {
    let rig = rig();
    let wide = MESSAGE.replace("ketchup?", "Süßes?");
    let signed = rig.sign(&wide).await;
    assert_eq!(signed, Signed::SevenBitFirst);
    // What is not signed is left as it is.
    let other = wide.replace("a.example", "elsewhere.example");
    let signed = rig.sign(&other).await;
    assert_eq!(signed, Signed::With(Edit::default()));
}
