//! Senders who want it to cost much: time, questions to DNS, and memory stay bounded.

use std::time::{Duration, Instant};

use mail_auth::common::headers::HeaderWriter;
use mail_auth::dkim::DkimSigner;
use pillarbox::trust::TrustSettings;

use crate::rig::{MESSAGE, PEER, Rig, rsa, signed};

/// A thousand signatures, each good, under names of their own.
fn many_signatures(count: usize) -> String {
    let signature = |at: usize| {
        let signer = DkimSigner::from_key(rsa()).domain("a.example").selector(format!("s{at}"));
        signer.headers(["From"]).sign(MESSAGE.as_bytes()).expect("signed").to_header()
    };
    let fields: String = (0..count).map(signature).collect();
    format!("{fields}{MESSAGE}")
}

#[tokio::test]
async fn a_thousand_signatures_cost_as_much_as_ten() {
    let rig = Rig::usual();
    let message = many_signatures(1000);
    let start = Instant::now();
    let judged = rig.judge(&message).await.expect("taken");
    let took = start.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(judged.results("dkim"), ["permerror"; 10], "{}", judged.fields);
    assert!(rig.dns.asked_in_all() <= 40, "{}", rig.dns.asked_in_all());
    // The one that matters is found among them.
    rig.publish("bank.example");
    let good = signed("bank.example", &MESSAGE.replace("a.example", "bank.example"));
    let (fields, _) = message.split_at(message.len() - MESSAGE.len());
    let judged = rig.judge(&format!("{fields}{good}")).await.expect("taken");
    assert_eq!(judged.results("dkim")[0], "pass", "{}", judged.fields);
}

#[tokio::test]
async fn malformed_and_greedy_signatures_are_bounded() {
    let rig = Rig::usual();
    let names = "x:".repeat(50_000);
    let cases = [
        "DKIM-Signature: nonsense\r\n".repeat(5000),
        format!("DKIM-Signature: v=1; a=rsa-sha256; d=a.example; s=x; h=from:{names}x; bh=AAAA; b=AAAA\r\n"),
        format!(
            "DKIM-Signature: v=1; a=rsa-sha256; d={}; s=x; h=from; bh=AAAA; b=AAAA\r\n",
            "a.".repeat(100_000)
        ),
        format!(
            "ARC-Seal: i=1; a=rsa-sha256; cv=none; d=a.example; s=x; b=AAAA\r\n{}",
            "ARC-Message-Signature: i=1; a=rsa-sha256; d=a.example; s=x; h=from; bh=AAAA; b=AAAA\r\n"
                .repeat(2000)
        ),
        format!("From: {}\r\n", "x@a.example, ".repeat(20_000)),
        format!("{}{}", "a:\r\n".repeat(200_000), {
            let names = "b:".repeat(190);
            format!("DKIM-Signature: v=1; a=rsa-sha256; d=a.example; s=x; h=from:{names}b; bh=AAAA; b=AA\r\n")
                .repeat(100)
        }),
        format!("Authentication-Results: {}mx.b.example\r\n", "(".repeat(500_000)),
    ];
    for fields in cases {
        let name = fields[..40.min(fields.len())].to_owned();
        let start = Instant::now();
        let judged = rig.judge(&format!("{fields}{MESSAGE}")).await.expect("taken");
        let took = start.elapsed();
        assert!(took < Duration::from_secs(3), "{name}: {took:?}");
        assert!(judged.fields.lines().all(|line| line.len() < 998), "{name}");
        assert!(judged.fields.len() < 16 * 1024, "{name}: {}", judged.fields.len());
    }
    assert!(rig.dns.asked_in_all() < 60, "{}", rig.dns.asked_in_all());
}

#[tokio::test]
async fn huge_keys_are_refused_quickly() {
    let rig = Rig::usual();
    // A modulus of 64,000 bits, as SubjectPublicKeyInfo would have it: checking it would take seconds.
    let der = {
        let integer =
            |octets: &[u8]| [&[2, 0x82][..], &(octets.len() as u16).to_be_bytes(), octets].concat();
        let both = [integer(&[0x7f; 8000]), vec![2, 3, 1, 0, 1]].concat();
        [&[0x30, 0x82][..], &(both.len() as u16).to_be_bytes(), &both].concat()
    };
    let text = pillarbox_engine::text::base64::encode(&der);
    let record = format!("v=DKIM1; p={}", String::from_utf8(text).expect("ASCII"));
    rig.dns.txt("rsa._domainkey.a.example", &record);
    let start = Instant::now();
    let judged = rig.judge(&signed("a.example", MESSAGE)).await.expect("taken");
    assert_ne!(judged.result("dkim"), "pass");
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[tokio::test]
async fn circles_and_fans_of_spf_end() {
    let rig = Rig::usual();
    rig.dns.txt("loop.example", "v=spf1 include:loop.example -all");
    rig.dns.txt("two.example", "v=spf1 include:owt.example -all");
    rig.dns.txt("owt.example", "v=spf1 redirect=two.example");
    let includes: String = (0..200).map(|at| format!("include:i{at}.example ")).collect();
    rig.dns.txt("wide.example", &format!("v=spf1 {includes}-all"));
    for at in 0..200 {
        rig.dns.txt(&format!("i{at}.example"), &format!("v=spf1 {includes}-all"));
    }
    let exchanges: String = (0..9).map(|at| format!("mx:m{at}.example ")).collect();
    rig.dns.txt("mx.example", &format!("v=spf1 {exchanges}-all"));
    for at in 0..9 {
        for host in 0..9 {
            rig.dns.mx(&format!("m{at}.example"), 10, &format!("h{host}.m{at}.example"));
            let address = "198.51.100.1".parse().expect("an address");
            rig.dns.address_of(&format!("h{host}.m{at}.example"), address);
        }
    }
    for (domain, result) in [
        ("loop.example", "permerror"),
        ("two.example", "permerror"),
        ("wide.example", "permerror"),
        ("mx.example", "fail"),
    ] {
        let (start, asked) = (Instant::now(), rig.dns.asked_in_all());
        let judged = rig.judge_from(PEER, &format!("x@{domain}"), MESSAGE).await.expect("taken");
        assert_eq!(judged.result("spf"), result, "{domain}: {}", judged.fields);
        assert!(start.elapsed() < Duration::from_secs(2), "{domain}: {:?}", start.elapsed());
        let asked = rig.dns.asked_in_all() - asked;
        assert!(asked <= 105, "{domain}: {asked} questions");
    }
}

#[tokio::test]
async fn all_proofs_of_a_message_share_what_may_be_asked_and_the_policy_is_asked_for_anyway() {
    let settings = TrustSettings { lookups_max: 5, ..TrustSettings::default() };
    let rig = Rig::new(settings);
    rig.dns.txt("_dmarc.a.example", "v=DMARC1; p=quarantine");
    rig.dns.txt("a.example", "v=spf1 a:x.a.example a:y.a.example -all");
    let message = format!("{}{}", many_signatures(10).trim_end_matches(MESSAGE), MESSAGE);
    let judged = rig.judge(&message).await.expect("taken");
    assert!(rig.dns.asked_in_all() <= 7, "{}", rig.dns.asked_in_all());
    assert_eq!(judged.results("dkim"), ["permerror"; 10], "{}", judged.fields);
    assert!(judged.junk, "{}", judged.fields);
}

#[tokio::test]
async fn a_name_server_that_is_silent_costs_the_time_that_is_set_and_no_more() {
    let timeout = Duration::from_secs(2);
    let rig = Rig::new(TrustSettings { timeout, ..TrustSettings::default() });
    for name in ["a.example", "_dmarc.a.example", "rsa._domainkey.a.example"] {
        rig.dns.keep_silent(name);
    }
    let start = Instant::now();
    let judged = rig.judge(&signed("a.example", MESSAGE)).await;
    let took = start.elapsed();
    // Two seconds for the proofs, five at most for the policy.
    assert!(took < Duration::from_secs(9), "{took:?}");
    let judged = judged.expect("a policy that may only put aside need not be waited for");
    let results = [judged.result("spf"), judged.result("dkim"), judged.result("dmarc")];
    assert_eq!(results, ["temperror"; 3], "{}", judged.fields);
}
