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
    let others = [
        ("nowhere.example", "", "none"),
        ("dead.example", "", "temperror"),
        // RFC 7208 §4.3: what is no name of a host has no record.
        ("[192.0.2.1]", "", "none"),
        ("host", "", "none"),
    ];
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
async fn what_fails_in_an_include_is_no_void() {
    let rig = Rig::usual();
    rig.dns.address_of("192.0.2.1.list.example", "127.0.0.2".parse().expect("an address"));
    let six = format!("2.0.0.1.0.d.b.8.{}1.list.example", "0.".repeat(23));
    rig.dns.address_of(&six, "127.0.0.2".parse().expect("an address"));
    rig.dns.txt("denied.example", "v=spf1 -exists:%{i}.list.example ?all");
    rig.dns.txt("soft.example", "v=spf1 ~exists:%{i}.list.example -all");
    rig.dns.txt("missed.example", "v=spf1 exists:v1.example -all");
    let denied = "include:denied.example include:soft.example include:denied.example";
    let cases = [
        ("three.example", format!("v=spf1 {denied} ?all"), "neutral"),
        ("four.example", format!("v=spf1 {denied} include:soft.example -all"), "fail"),
        // With two real ones, which are as many as there may be.
        (
            "both.example",
            format!("v=spf1 {denied} include:missed.example a:v2.example ~all"),
            "softfail",
        ),
        (
            "more.example",
            format!("v=spf1 {denied} include:missed.example a:v2.example a:v3.example ~all"),
            "permerror",
        ),
    ];
    for (domain, record, result) in cases {
        rig.dns.txt(domain, &record);
        for peer in [PEER, "2001:db8::1"] {
            let judged = rig.judge_from(peer, &format!("x@{domain}"), MESSAGE).await;
            let judged = judged.expect("the author's domain wants nothing");
            assert_eq!(judged.result("spf"), result, "{domain} {peer}: {}", judged.fields);
        }
    }
}

#[tokio::test]
async fn exists_asks_for_one_kind_of_address_alone() {
    let rig = Rig::usual();
    rig.dns.address_of("six.example", "2001:db8::1".parse().expect("an address"));
    rig.dns.txt("exists.example", "v=spf1 exists:six.example -all");
    for peer in [PEER, "2001:db8::1"] {
        let judged = rig.judge_from(peer, "x@exists.example", MESSAGE).await.expect("none");
        assert_eq!(judged.result("spf"), "fail", "{peer}: {}", judged.fields);
    }
}

#[tokio::test]
async fn an_include_counts_as_its_own_qualifier_says_at_any_depth() {
    let rig = Rig::usual();
    let records = [
        ("in.example", "v=spf1 ip4:192.0.2.1 -all", "pass"),
        ("minus.example", "v=spf1 -include:in.example ?all", "fail"),
        ("tilde.example", "v=spf1 ~include:in.example ?all", "softfail"),
        // What is included says fail, so it does not match.
        ("outer.example", "v=spf1 include:minus.example ?all", "neutral"),
        ("middle.example", "v=spf1 include:in.example -all", "pass"),
        ("denies.example", "v=spf1 -include:middle.example ?all", "fail"),
        ("soft.example", "v=spf1 ~include:denies.example -include:middle.example +all", "fail"),
        ("to.example", "v=spf1 include:by.example -all", "pass"),
        ("by.example", "v=spf1 ip4:198.51.100.1 redirect=in.example", "pass"),
        ("here.example", "v=spf1 include:own.example -exists:%{d} ?all", "fail"),
        ("own.example", "v=spf1 exists:%{d}.missing.example -all", "fail"),
    ];
    rig.dns.address_of("here.example", "127.0.0.2".parse().expect("an address"));
    for (domain, record, _) in records {
        rig.dns.txt(domain, record);
    }
    for (domain, record, result) in records {
        let judged = rig.judge_from(PEER, &format!("x@{domain}"), MESSAGE).await.expect("none");
        assert_eq!(judged.result("spf"), result, "{domain}: {record}: {}", judged.fields);
    }
}

#[tokio::test]
async fn a_domain_has_one_record() {
    let rig = Rig::usual();
    let cases: [(&str, &[&str], &str); 4] = [
        ("two.example", &["v=spf1 ip4:192.0.2.1 -all", "v=spf1 -all"], "permerror"),
        ("texts.example", &["site=1", "v=spf1 ip4:192.0.2.1 -all", "v=spf10 -all"], "pass"),
        ("wrong.example", &["v=spf1 ip4:nonsense -all", "site=1"], "permerror"),
        ("other.example", &["v=spf1-all", "spf2.0/pra -all"], "none"),
    ];
    for (domain, texts, result) in cases {
        texts.iter().for_each(|text| rig.dns.txt(domain, text));
        let judged = rig.judge_from(PEER, &format!("x@{domain}"), MESSAGE).await.expect("none");
        assert_eq!(judged.result("spf"), result, "{domain}: {}", judged.fields);
    }
}

#[tokio::test]
async fn names_of_the_client_are_believed_if_they_lead_to_it() {
    let rig = Rig::usual();
    let address = |name: &str, text: &str| {
        rig.dns.address_of(name, text.parse().expect("an address"));
    };
    // Whoever has the address writes what he likes here.
    rig.dns.ptr("1.2.0.192.in-addr.arpa", "mail.bank.example");
    rig.dns.ptr("1.2.0.192.in-addr.arpa", "mx.a_b.example");
    address("mail.bank.example", "198.51.100.7");
    address("mx.a_b.example", PEER);
    address("mx.a_b.example.seen.example", "127.0.0.2");
    let records = [
        ("bank.example", "v=spf1 ptr -all", "fail"),
        ("a_b.example", "v=spf1 ptr -all", "pass"),
        ("ptr.example", "v=spf1 ptr:b.example -all", "fail"),
        ("p.example", "v=spf1 exists:%{p}.seen.example -all", "pass"),
    ];
    for (domain, record, _) in records {
        rig.dns.txt(domain, record);
    }
    for (domain, record, result) in records {
        let judged = rig.judge_from(PEER, &format!("x@{domain}"), MESSAGE).await.expect("none");
        assert_eq!(judged.result("spf"), result, "{domain}: {record}: {}", judged.fields);
    }
}

#[tokio::test]
async fn terms_and_exchangers_are_limited() {
    let rig = Rig::usual();
    for at in 0..11 {
        rig.dns.mx("ten.example", at, &format!("m{at}.example"));
        rig.dns.address_of(&format!("m{at}.example"), "198.51.100.1".parse().expect("one"));
    }
    rig.dns.address_of("m0.example", PEER.parse().expect("an address"));
    let terms = |count: usize| "a:m1.example ".repeat(count);
    let cases = [
        ("terms.example", format!("v=spf1 {}ip4:192.0.2.1 -all", terms(10)), "pass"),
        ("eleven.example", format!("v=spf1 {}ip4:192.0.2.1 -all", terms(11)), "permerror"),
        // Found before the limit is reached.
        ("first.example", "v=spf1 mx:ten.example -all".to_owned(), "pass"),
    ];
    for (domain, record, result) in cases {
        rig.dns.txt(domain, &record);
        let judged = rig.judge_from(PEER, &format!("x@{domain}"), MESSAGE).await.expect("none");
        assert_eq!(judged.result("spf"), result, "{domain}: {record}: {}", judged.fields);
    }
    rig.dns.txt("never.example", "v=spf1 mx:ten.example ip4:203.0.113.9 -all");
    let judged = rig.judge_from("203.0.113.9", "x@never.example", MESSAGE).await.expect("none");
    assert_eq!(judged.result("spf"), "permerror", "{}", judged.fields);
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
