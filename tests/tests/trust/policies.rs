//! What the operator wants: rules for domains, networks that are not judged, checks that are off, and results that others
//! have written.

use pillarbox::trust::{Check, Checks, Then, TrustPolicy, TrustSettings};
use pillarbox_engine::types::Reason;

use crate::rig::{HOST, MESSAGE, PEER, Rig, signed};

fn rule(domain: &str, unless: Check, then: Then) -> TrustPolicy {
    TrustPolicy { domain: domain.to_owned(), unless, then }
}

#[tokio::test]
async fn rules_decide_before_the_domain_does_and_the_first_that_fits() {
    let policies = vec![
        rule("friend.example", Check::Dmarc, Then::Accept),
        rule("spf.example", Check::Spf, Then::Reject),
        rule("dkim.example", Check::Dkim, Then::Reject),
        rule(".dmarc.example", Check::Dmarc, Then::Reject),
        rule("tag.example", Check::Dmarc, Then::Tag),
        rule("*", Check::Dkim, Then::Quarantine),
    ];
    let rig = Rig::new(TrustSettings { policies, ..TrustSettings::default() });
    rig.dns.txt("_dmarc.tag.example", "v=DMARC1; p=quarantine");
    let cases = [
        ("friend.example", Ok(false)),
        ("spf.example", Err(Reason::SpfFailed)),
        ("dkim.example", Err(Reason::DkimFailed)),
        ("x.dmarc.example", Err(Reason::Unauthenticated)),
        ("dmarc.example", Ok(true)),
        ("tag.example", Ok(false)),
        ("anybody.example", Ok(true)),
    ];
    for (domain, expected) in cases {
        let message = MESSAGE.replace("a.example", domain);
        let judged = rig.judge_from(PEER, &format!("x@{domain}"), &message).await;
        assert_eq!(judged.as_ref().map(|judged| judged.junk).map_err(|r| *r), expected, "{domain}");
        if domain == "friend.example" {
            assert_eq!(judged.expect("taken").fields, "", "it is not even looked at");
        }
    }
    assert_eq!(rig.dns.asked("friend.example"), 0);
    rig.publish("dkim.example");
    rig.dns.txt("spf.example", "v=spf1 ip4:192.0.2.1 -all");
    rig.dns.forget("dkim.example");
    let message = MESSAGE.replace("a.example", "dkim.example");
    let judged = rig.judge(&signed("dkim.example", &message)).await.expect("its signature is good");
    assert!(!judged.junk);
}

#[tokio::test]
async fn who_is_excepted_and_what_is_off_is_not_asked_about() {
    let rig = Rig::usual();
    for peer in ["127.0.0.1", "::1", "::ffff:127.0.0.9"] {
        let judged = rig.judge_from(peer, "x@a.example", MESSAGE).await.expect("taken");
        assert_eq!((judged.fields.as_str(), judged.junk), ("", false), "{peer}");
    }
    assert_eq!(rig.dns.asked_in_all(), 0);
    let checks = Checks { spf: true, ..Checks::NONE };
    let rig = Rig::new(TrustSettings { checks, ..TrustSettings::default() });
    let judged = rig.judge(&signed("a.example", MESSAGE)).await.expect("taken");
    assert_eq!((judged.result("spf"), judged.result("dkim")), ("none", ""));
    assert_eq!((judged.result("dmarc"), judged.result("arc")), ("", ""));
    assert_eq!(rig.dns.asked("_dmarc.a.example"), 0);
    let rig = Rig::new(TrustSettings { checks: Checks::NONE, ..TrustSettings::default() });
    let judged = rig.judge(MESSAGE).await.expect("taken");
    assert_eq!((judged.fields.as_str(), rig.dns.asked_in_all()), ("", 0));
}

#[tokio::test]
async fn results_under_our_name_are_taken_out_and_those_of_others_stay() {
    let rig = Rig::usual();
    let ours = format!("Authentication-Results: (x) {};\r\n\tdmarc=pass\r\n", HOST.to_uppercase());
    let theirs = "Authentication-Results: mx.c.example; spf=pass\r\n";
    let message = format!("{ours}{theirs}X: y\r\n{ours}{MESSAGE}{ours}");
    for peer in [PEER, "127.0.0.1"] {
        let judged = rig.judge_from(peer, "x@a.example", &message).await.expect("taken");
        let (head, body) = judged.stored.split_once("\r\n\r\n").expect("a blank line");
        let forged = head.matches("dmarc=pass").count();
        assert_eq!(forged, 0, "{head}");
        assert!(head.contains(theirs.trim_end()), "{head}");
        assert!(head.contains("X: y\r\nFrom: Alice"), "{head}");
        assert!(body.ends_with(&ours), "the body is nobody's business");
        let own = format!("Authentication-Results: {HOST};");
        assert_eq!(head.starts_with(&own), peer == PEER, "{head}");
    }
}
