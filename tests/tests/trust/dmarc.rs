//! RFC 9989: alignment, policies of domains and of those below them, and messages without an author.

use pillarbox::trust::{OnTemporary, Then, TrustSettings};
use pillarbox_engine::types::Reason;

use crate::rig::{MESSAGE, PEER, Rig, signed};

/// One whose policies may refuse.
fn strict() -> TrustSettings {
    TrustSettings { honour: Then::Reject, ..TrustSettings::default() }
}

#[tokio::test]
async fn one_that_is_aligned_is_enough() {
    let rig = Rig::new(strict());
    rig.publish("a.example");
    rig.publish("news.a.example");
    rig.publish("other.example");
    rig.dns.txt("_dmarc.a.example", "v=DMARC1; p=reject");
    rig.dns.txt("_dmarc.strict.example", "v=DMARC1; p=reject; adkim=s; aspf=s");
    rig.publish("news.strict.example");
    for domain in ["a.example", "bounce.a.example", "other.example", "bounce.strict.example"] {
        rig.dns.txt(domain, "v=spf1 ip4:192.0.2.1 -all");
    }
    let of_strict = MESSAGE.replace("alice@a.example", "alice@strict.example");
    let cases = [
        ("SPF of the same domain", "x@a.example", MESSAGE.to_owned(), true),
        ("SPF of one below", "x@bounce.a.example", MESSAGE.to_owned(), true),
        ("SPF of another", "x@other.example", MESSAGE.to_owned(), false),
        ("DKIM of the same", "x@nowhere.example", signed("a.example", MESSAGE), true),
        ("DKIM of one below", "x@nowhere.example", signed("news.a.example", MESSAGE), true),
        ("DKIM of another", "x@nowhere.example", signed("other.example", MESSAGE), false),
        ("strict SPF", "x@bounce.strict.example", of_strict.clone(), false),
        ("strict DKIM", "x@nowhere.example", signed("news.strict.example", &of_strict), false),
        ("nothing", "x@nowhere.example", MESSAGE.to_owned(), false),
    ];
    for (what, path, message, passes) in cases {
        match rig.judge_from(PEER, path, &message).await {
            Ok(judged) => {
                assert!(passes, "{what}: {}", judged.fields);
                assert_eq!(judged.result("dmarc"), "pass", "{what}: {}", judged.fields);
                assert!(!judged.junk, "{what}");
            }
            Err(reason) => assert_eq!((passes, reason), (false, Reason::Unauthenticated), "{what}"),
        }
    }
}

#[tokio::test]
async fn policies_are_followed_as_far_as_the_settings_say() {
    let domains = [
        ("none.example", "v=DMARC1; p=none", Then::Tag),
        ("quarantine.example", "v=DMARC1; p=quarantine", Then::Quarantine),
        ("reject.example", "v=DMARC1; p=reject", Then::Reject),
        ("below.sub.example", "", Then::Quarantine),
        ("below.inherits.example", "", Then::Reject),
        ("test.example", "v=DMARC1; p=reject; t=y", Then::Quarantine),
        ("nothing.example", "", Then::Tag),
    ];
    for honour in [Then::Tag, Then::Quarantine, Then::Reject] {
        let rig = Rig::new(TrustSettings { honour, ..TrustSettings::default() });
        rig.dns.txt("_dmarc.sub.example", "v=DMARC1; p=reject; sp=quarantine");
        rig.dns.txt("_dmarc.inherits.example", "v=DMARC1; p=reject");
        for below in ["below.sub.example", "below.inherits.example"] {
            rig.dns.address_of(below, PEER.parse().expect("an address"));
        }
        for (domain, record, wanted) in domains {
            if !record.is_empty() {
                rig.dns.txt(&format!("_dmarc.{domain}"), record);
            }
            let message = MESSAGE.replace("a.example", domain);
            let judged = rig.judge(&message).await;
            let then = match &judged {
                Ok(judged) if judged.junk => Then::Quarantine,
                Ok(_) => Then::Tag,
                Err(reason) => {
                    assert_eq!(*reason, Reason::Unauthenticated);
                    Then::Reject
                }
            };
            assert_eq!(then, wanted.min(honour), "{domain}, at most {honour:?}: {judged:?}");
            if let Ok(judged) = judged {
                let result = if domain == "nothing.example" { "none" } else { "fail" };
                assert_eq!(judged.result("dmarc"), result, "{domain}: {}", judged.fields);
                assert!(judged.fields.contains(&format!("header.from={domain}")), "{domain}");
            }
        }
    }
}

#[tokio::test]
async fn while_dns_is_down_mail_waits_or_is_taken() {
    for (on_temporary, waits) in [(OnTemporary::Later, true), (OnTemporary::Tag, false)] {
        let rig = Rig::new(TrustSettings { on_temporary, ..strict() });
        // The policy is known, and the proof is not.
        rig.dns.txt("_dmarc.a.example", "v=DMARC1; p=reject");
        rig.dns.fail("a.example");
        // Not even the policy is known.
        rig.dns.fail("_dmarc.dead.example");
        for domain in ["a.example", "dead.example"] {
            let message = MESSAGE.replace("a.example", domain);
            let judged = rig.judge_from(PEER, &format!("x@{domain}"), &message).await;
            match judged {
                Ok(judged) => {
                    assert!(!waits && !judged.junk, "{domain}");
                    assert_eq!(judged.result("dmarc"), "temperror", "{}", judged.fields);
                }
                Err(reason) => assert_eq!((waits, reason), (true, Reason::Unverifiable)),
            }
        }
    }
}

#[tokio::test]
async fn a_message_without_one_author_is_not_believed() {
    let rig = Rig::new(strict());
    rig.publish("a.example");
    rig.dns.txt("_dmarc.a.example", "v=DMARC1; p=reject");
    rig.dns.txt("a.example", "v=spf1 ip4:192.0.2.1 -all");
    let good = signed("a.example", MESSAGE);
    let odd = [
        ("two From fields", format!("From: x@evil.example\r\n{good}")),
        (
            "two From fields, the other last",
            good.replace("\r\n\r\nDo", "\r\nFrom: x@evil.example\r\n\r\nDo"),
        ),
        (
            "two domains",
            MESSAGE.replace("Alice <alice@a.example>", "alice@a.example, x@evil.example"),
        ),
        ("no From", MESSAGE.replace("From:", "Fro:")),
        ("a line that is no field", good.replace("Subject:", "no field\r\nSubject:")),
    ];
    for (what, message) in odd {
        let judged = rig.judge(&message).await.expect("it is put aside, not refused");
        assert!(judged.junk, "{what}: {}", judged.fields);
        assert_eq!(judged.result("dmarc"), "permerror", "{what}: {}", judged.fields);
        assert_eq!(judged.result("dkim"), "", "{what}: {}", judged.fields);
    }
    assert!(!rig.judge(&good).await.expect("this one is fine").junk);
}
