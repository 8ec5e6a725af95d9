//! RFC 6376, RFC 8463 and RFC 8301: good signatures, and each way in which one is not.

use mail_auth::common::headers::HeaderWriter;
use mail_auth::dkim::{Canonicalization, DkimSigner};
use pillarbox::trust::Key;

use crate::rig::{MESSAGE, Rig, ed25519, keys, signed, signer};

#[tokio::test]
async fn good_signatures_of_both_kinds_and_all_forms_pass() {
    let rig = Rig::usual();
    rig.publish("a.example");
    let forms = [Canonicalization::Relaxed, Canonicalization::Simple];
    for header in forms {
        for body in forms {
            let rsa = signer("a.example").header_canonicalization(header);
            let rsa = rsa.body_canonicalization(body).sign(MESSAGE.as_bytes()).expect("signed");
            let other = DkimSigner::from_key(ed25519()).domain("a.example").selector("ed25519");
            let other = other.headers(["From", "Subject"]).sign(MESSAGE.as_bytes());
            let both = [rsa.to_header(), other.expect("signed").to_header()].concat();
            let judged = rig.judge(&format!("{both}{MESSAGE}")).await.expect("taken");
            assert_eq!(judged.results("dkim"), ["pass", "pass"], "{}", judged.fields);
            assert!(judged.fields.contains("header.d=a.example"), "{}", judged.fields);
        }
    }
}

#[tokio::test]
async fn what_was_changed_fails() {
    let rig = Rig::usual();
    rig.publish("a.example");
    let good = signed("a.example", MESSAGE);
    let changed = [
        ("body", good.replace("like", "hate")),
        ("body added to", format!("{good}and mustard\r\n")),
        ("Subject", good.replace("Subject: ketchup", "Subject: mustard")),
        ("From", good.replace("Alice <alice", "Mallory <alice")),
        ("signature", good.replace("bh=", "bh=AAAA")),
    ];
    for (what, message) in changed {
        assert_ne!(message, good, "{what}");
        let judged = rig.judge(&message).await.expect("taken");
        assert_eq!(judged.result("dkim"), "fail", "{what}: {}", judged.fields);
    }
    // White space at ends of lines and empty lines at the end are nobody's change.
    let spaced = good.replace("Do you like  ketchup?\r\n", "Do you like ketchup? \r\n\r\n");
    assert_eq!(rig.judge(&spaced).await.expect("taken").result("dkim"), "pass");
}

#[tokio::test]
async fn signatures_that_prove_nothing_do_not_pass() {
    let rig = Rig::usual();
    rig.publish("a.example");
    let key = |selector: &str, record: &str| {
        rig.dns.txt(&format!("{selector}._domainkey.a.example"), record);
    };
    let other = Key::read(&keys().other).expect("made");
    key("other", other.record());
    key("revoked", "v=DKIM1; k=rsa; p=");
    key("nonsense", "this is no key");
    rig.dns.fail("down._domainkey.a.example");
    let under = |selector: &str| {
        let signer = DkimSigner::from_key(crate::rig::rsa()).domain("a.example");
        let signature = signer.selector(selector).headers(["From", "To", "Subject"]);
        let signature = signature.sign(MESSAGE.as_bytes()).expect("signed");
        format!("{}{MESSAGE}", signature.to_header())
    };
    let good = signed("a.example", MESSAGE);
    let long = signer("a.example").body_length(true).sign(MESSAGE.as_bytes()).expect("signed");
    let long = format!("{}{MESSAGE}", long.to_header());
    let no_from = DkimSigner::from_key(crate::rig::rsa()).domain("a.example").selector("rsa");
    let no_from = no_from.headers(["Subject"]).sign(MESSAGE.as_bytes()).expect("signed");
    let cases = [
        ("another key", under("other"), "fail"),
        ("no key", under("missing"), "permerror"),
        ("a revoked key", under("revoked"), "permerror"),
        ("a record that is none", under("nonsense"), "permerror"),
        ("no answer", under("down"), "temperror"),
        ("a body of some length", long.clone(), "neutral"),
        ("a body with something behind", format!("{long}and mustard\r\n"), "neutral"),
        ("SHA-1", good.replace("a=rsa-sha256", "a=rsa-sha1"), "permerror"),
        ("no From", format!("{}{MESSAGE}", no_from.to_header()), "permerror"),
        ("no signature", format!("DKIM-Signature: v=1; a=b\r\n{MESSAGE}"), "neutral"),
    ];
    for (what, message, result) in cases {
        let judged = rig.judge(&message).await.expect("taken");
        assert_eq!(judged.result("dkim"), result, "{what}: {}", judged.fields);
    }
}

#[tokio::test]
async fn an_expired_signature_fails() {
    let rig = Rig::usual();
    rig.publish("a.example");
    let short = signer("a.example").expiration(1).sign(MESSAGE.as_bytes()).expect("signed");
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    let judged = rig.judge(&format!("{}{MESSAGE}", short.to_header())).await.expect("taken");
    assert_eq!(judged.result("dkim"), "fail", "{}", judged.fields);
}

#[tokio::test]
async fn a_signature_is_over_what_came_and_not_over_what_this_host_adds() {
    // A sender who forbids further Received fields by signing one more than there are.
    let rig = Rig::usual();
    rig.publish("a.example");
    let signer = DkimSigner::from_key(crate::rig::rsa()).domain("a.example").selector("rsa");
    let signer = signer.headers(["From", "Received", "Authentication-Results"]);
    let message = format!("Authentication-Results: mx.b.example; none\r\n{MESSAGE}");
    let signature = signer.sign(message.as_bytes()).expect("signed");
    let judged = rig.judge(&format!("{}{message}", signature.to_header())).await.expect("taken");
    assert_eq!(judged.result("dkim"), "pass", "{}", judged.fields);
    assert_eq!(judged.stored.matches("Authentication-Results: ").count(), 1, "the forged is out");
}
