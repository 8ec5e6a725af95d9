//! RFC 8617: chains of those who forwarded a message, good and broken; whom the operator believes; and our own seal.

use mail_auth::arc::ArcSealer;
use mail_auth::common::headers::HeaderWriter;
use mail_auth::{ArcOutput, AuthenticatedMessage, AuthenticationResults};
use pillarbox::trust::{Key, Signer, Then, TrustSettings};
use pillarbox_engine::types::Reason;

use crate::rig::{MESSAGE, PEER, Rig, keys, rsa, signed};

/// The first set of a chain, by a list that has changed nothing yet.
fn sealed(message: &str) -> String {
    let parsed = AuthenticatedMessage::parse(message.as_bytes()).expect("it has fields");
    let results = AuthenticationResults::new("lists.example");
    let sealer = ArcSealer::from_key(rsa()).domain("lists.example").selector("rsa");
    let sealer = sealer.headers(["From", "To", "Subject", "DKIM-Signature"]);
    let set = sealer.seal(&parsed, &results, &ArcOutput::default()).expect("sealed");
    format!("{}{message}", set.to_header())
}

#[tokio::test]
async fn chains_are_followed() {
    let rig = Rig::usual();
    rig.publish("lists.example");
    let good = sealed(MESSAGE);
    let cases = [
        ("no chain", MESSAGE.to_owned(), "none"),
        ("a good one", good.clone(), "pass"),
        ("a changed body", good.replace("like", "hate"), "fail"),
        ("a changed field", good.replace("Subject: ketchup", "Subject: x"), "fail"),
        ("changed results", good.replace("i=1; lists.example", "i=1; other.example"), "fail"),
        ("no first link", good.replace("i=1", "i=2"), "fail"),
        ("a part missing", good.replace("ARC-Seal:", "Other:"), "fail"),
    ];
    for (what, message, result) in cases {
        let judged = rig.judge(&message).await.expect("taken");
        assert_eq!(judged.result("arc"), result, "{what}: {}", judged.fields);
    }
}

#[tokio::test]
async fn a_seal_of_one_who_is_believed_stands_for_a_broken_proof() {
    // The list has changed the subject, so the author's signature is broken, and sealed what it has made.
    let author =
        signed("a.example", MESSAGE).replace("Subject: ketchup", "Subject: [list] ketchup");
    let message = sealed(&author);
    for (sealers, taken) in
        [(vec!["lists.example"], true), (vec!["other.example"], false), (vec![], false)]
    {
        let sealers: Vec<String> = sealers.into_iter().map(str::to_owned).collect();
        let honour = Then::Reject;
        let rig = Rig::new(TrustSettings { honour, sealers, ..TrustSettings::default() });
        rig.publish("a.example");
        rig.publish("lists.example");
        rig.dns.txt("_dmarc.a.example", "v=DMARC1; p=reject");
        let judged = rig.judge_from(PEER, "bounce@lists.example", &message).await;
        match judged {
            Ok(judged) => {
                assert!(taken && !judged.junk);
                assert_eq!((judged.result("arc"), judged.result("dmarc")), ("pass", "fail"));
            }
            Err(reason) => assert_eq!((taken, reason), (false, Reason::Unauthenticated)),
        }
        let forged = message.replace("like", "hate");
        assert!(rig.judge_from(PEER, "bounce@lists.example", &forged).await.is_err());
    }
}

#[tokio::test]
async fn what_an_alias_sends_on_is_sealed_and_the_next_host_can_follow() {
    let key = Key::read(&keys().rsa).expect("made");
    let signer = Signer { domain: "b.example".to_owned(), selector: "rsa".to_owned(), key };
    let rig = Rig::signing(TrustSettings::default(), vec![signer]);
    let next = Rig::usual();
    for rig in [&rig, &next] {
        rig.publish("a.example");
        rig.publish("b.example");
        rig.publish("lists.example");
    }
    for (came, sets) in
        [(signed("a.example", MESSAGE), 1), (sealed(&signed("a.example", MESSAGE)), 2)]
    {
        let judged = rig.judge_leaving(PEER, "x@a.example", &came, true).await.expect("taken");
        assert_eq!(judged.stored.matches("ARC-Seal: ").count(), sets, "{}", judged.fields);
        let onward = next.judge_from("198.51.100.7", "x@a.example", &judged.stored).await;
        let onward = onward.expect("taken");
        assert_eq!(
            (onward.result("arc"), onward.result("dkim")),
            ("pass", "pass"),
            "{}",
            onward.fields
        );
        // What stays here is not sealed.
        let stays = rig.judge_from(PEER, "x@a.example", &came).await.expect("taken");
        assert_eq!(stays.stored.matches("ARC-Seal: ").count(), sets - 1);
    }
    let broken = sealed(MESSAGE).replace("like", "hate");
    let judged = rig.judge_leaving(PEER, "x@a.example", &broken, true).await.expect("taken");
    assert_eq!(judged.stored.matches("ARC-Seal: ").count(), 1, "nobody makes it good again");
}
