//! RFC 7208: every result, and the limits of lookups.

use pillarbox_engine::types::Reason;

use crate::rig::{MESSAGE, PEER, Rig};

#[tokio::test]
async fn every_result_comes_about() {
    let rig = Rig::usual();
    let address = |name: &str, text: &str| {
        rig.dns.address_of(name, text.parse().expect("an address"));
    };
    address("one.example", PEER);
    address("mail.mx.example", PEER);
    rig.dns.mx("mx.example", 10, "mail.mx.example");
    address("192.0.2.1.list.example", "127.0.0.2");
    let records = [
        ("ip.example", "v=spf1 ip4:192.0.2.0/24 -all", "pass"),
        ("not.example", "v=spf1 ip4:198.51.100.0/24 -all", "fail"),
        ("soft.example", "v=spf1 ~all", "softfail"),
        ("neutral.example", "v=spf1 ?all", "neutral"),
        ("end.example", "v=spf1 ip4:198.51.100.1", "neutral"),
        ("a.spf.example", "v=spf1 a:one.example -all", "pass"),
        ("mx.example", "v=spf1 mx -all", "pass"),
        ("exists.example", "v=spf1 exists:%{i}.list.example -all", "pass"),
        ("include.example", "v=spf1 include:ip.example -all", "pass"),
        ("exclude.example", "v=spf1 include:not.example ~all", "softfail"),
        ("redirect.example", "v=spf1 redirect=not.example", "fail"),
        ("syntax.example", "v=spf1 ip4:nonsense -all", "permerror"),
        ("lost.example", "v=spf1 include:nowhere.example -all", "permerror"),
        ("down.example", "v=spf1 a:broken.example -all", "temperror"),
        ("nothing.example", "a text about something else", "none"),
    ];
    for (domain, record, _) in records {
        rig.dns.txt(domain, record);
    }
    rig.dns.fail("broken.example");
    rig.dns.fail("dead.example");
    let others = [("nowhere.example", "", "none"), ("dead.example", "", "temperror")];
    for (domain, record, result) in records.into_iter().chain(others) {
        let judged = rig.judge_from(PEER, &format!("x@{domain}"), MESSAGE).await;
        let judged = judged.expect("the author's domain wants nothing");
        assert_eq!(judged.result("spf"), result, "{domain}: {record}: {}", judged.fields);
        assert!(judged.fields.contains(&format!("smtp.mailfrom=x@{domain}")), "{}", judged.fields);
    }
}

#[tokio::test]
async fn the_null_path_is_judged_by_the_name_of_the_client() {
    let rig = Rig::usual();
    rig.dns.txt("client.example", "v=spf1 ip4:192.0.2.1 -all");
    let judged = rig.judge_from(PEER, "", MESSAGE).await.expect("nothing forbids it");
    assert_eq!(judged.result("spf"), "pass");
    assert!(judged.fields.contains("smtp.helo=client.example"), "{}", judged.fields);
    let other = rig.judge_from("2001:db8::1", "", MESSAGE).await.expect("nothing forbids it");
    assert_eq!(other.result("spf"), "fail");
}

#[tokio::test]
async fn terms_that_lead_to_nothing_are_counted() {
    let rig = Rig::usual();
    rig.dns.address_of("192.0.2.1.list.example", "127.0.0.2".parse().expect("an address"));
    let three = "v=spf1 a:v1.example a:v2.example a:v3.example";
    let cases = [
        ("two.example", "v=spf1 a:v1.example a:v2.example ip4:192.0.2.1 -all", "pass"),
        ("three.example", &format!("{three} ip4:192.0.2.1 -all"), "permerror"),
        (
            "six.example",
            "v=spf1 a:v1.example ip4:198.51.100.1 mx:v2.example a:v3.example a:v4.example a:v5.example a:v6.example -all",
            "permerror",
        ),
        // What `exists` finds is no void.
        (
            "exists.example",
            "v=spf1 a:v1.example a:v2.example exists:%{i}.list.example -all",
            "pass",
        ),
        // And what it does not find is one.
        ("missed.example", "v=spf1 exists:v1.example exists:v2.example ip4:192.0.2.1 -all", "pass"),
        (
            "none.example",
            "v=spf1 exists:v1.example a:v2.example exists:v3.example a:v7.example ip4:192.0.2.1 -all",
            "permerror",
        ),
    ];
    for (domain, record, result) in cases {
        rig.dns.txt(domain, record);
        for peer in [PEER, "::ffff:192.0.2.1"] {
            let judged = rig.judge_from(peer, &format!("x@{domain}"), MESSAGE).await;
            let judged = judged.expect("the author's domain wants nothing");
            assert_eq!(judged.result("spf"), result, "{domain}: {}", judged.fields);
        }
    }
    // The fourth and later are not even asked for.
    assert_eq!(rig.dns.asked("v6.example"), 0);
    assert_eq!(rig.dns.asked("v7.example"), 0);
}

#[tokio::test]
async fn denied_mail_is_refused_where_the_operator_wants_it() {
    use pillarbox::trust::{Then, TrustSettings};
    let settings = TrustSettings { spf_fail: Then::Reject, ..TrustSettings::default() };
    for (policy, refused) in [("", true), ("v=DMARC1; p=none", false)] {
        let rig = Rig::new(settings.clone());
        rig.dns.txt("a.example", "v=spf1 -all");
        if !policy.is_empty() {
            // A domain that says what is to be done decides for itself.
            rig.dns.txt("_dmarc.a.example", policy);
        }
        let reason = rig.judge(MESSAGE).await.err();
        assert_eq!(reason, refused.then_some(Reason::SpfFailed), "{policy}");
    }
}
