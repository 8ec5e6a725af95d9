//! What DNSSEC proves: signatures are checked up to the trust anchor, and what is forged or has lost its signatures is
//! never taken for an answer. The name server of the tests signs, as the root of a world of its own.

use std::path::PathBuf;
use std::sync::Arc;

use pillarbox::client::policy::{NextHop, Policies};
use pillarbox::client::{Security, Trust};
use pillarbox::dns::{Dns, NoAnswer, Resolver, ResolverSettings};
use pillarbox_tests::dns::DnsServer;
use pillarbox_tests::server::Scratch;

const HOST: &str = "mx.signed.example";

fn resolver(server: &DnsServer, dnssec: bool, trust_anchors: Option<PathBuf>) -> Dns {
    let settings = ResolverSettings { servers: vec![server.address()], dnssec, trust_anchors };
    Dns::new(Arc::new(Resolver::new(&settings).expect("servers are given")))
}

/// Three domains: one that is signed, one whose signatures are wrong, and one that has lost them.
fn world() -> (DnsServer, Scratch, PathBuf) {
    let server = DnsServer::start();
    for domain in ["signed.example", "forged.example", "bare.example"] {
        server.mx(domain, 10, &format!("mx.{domain}"));
        server.address_of(&format!("mx.{domain}"), "127.0.0.2".parse().expect("an address"));
        server.tlsa(&format!("_25._tcp.mx.{domain}"), [3, 1, 1], &[7; 32]);
    }
    server.forge("forged.example");
    server.forge("_25._tcp.mx.forged.example");
    server.strip("bare.example");
    let scratch = Scratch::new(&format!("dnssec-{}", server.address().port()));
    let anchors = scratch.path().join("anchors");
    std::fs::write(&anchors, server.sign()).expect("the scratch directory is writable");
    (server, scratch, anchors)
}

#[tokio::test]
async fn only_what_is_signed_up_to_the_anchor_is_an_answer() {
    let (server, scratch, anchors) = world();
    let dns = resolver(&server, true, Some(anchors.clone()));
    let signed = dns.mx("signed.example").await.expect("it is signed");
    assert!(signed.secure && signed.records[0].exchange == HOST, "{signed:?}");
    assert!(dns.addresses(HOST).await.expect("it is signed").secure);
    assert!(dns.tlsa(25, HOST).await.expect("it is signed").secure);
    for name in ["forged.example", "bare.example"] {
        let refused = dns.mx(name).await;
        assert!(matches!(refused, Err(NoAnswer::Temporary(_))), "{name}: {refused:?}");
    }
    // The same words, and somebody else's key is trusted: that of the real root, or of another world.
    let (_other, _scratch, others) = world();
    for anchors in [None, Some(others)] {
        let refused = resolver(&server, true, anchors).mx("signed.example").await;
        assert!(matches!(refused, Err(NoAnswer::Temporary(_))), "{refused:?}");
    }
    // Who checks nothing believes all, and calls none of it proved.
    let unchecked = resolver(&server, false, Some(anchors));
    for name in ["signed.example", "forged.example", "bare.example"] {
        assert!(!unchecked.mx(name).await.expect("it is there").secure, "{name}");
    }
    drop(scratch);
}

/// RFC 7672 §2.1, §2.2.
#[tokio::test]
async fn dane_holds_where_the_whole_way_is_proved() {
    let (server, _scratch, anchors) = world();
    let dns = resolver(&server, true, Some(anchors));
    let policies = Policies::new(dns, None);
    let security = async |domain: &str| {
        let host = &format!("mx.{domain}");
        let (mx_secure, address_secure) = (true, true);
        let canonical = host;
        let next = NextHop { domain, host, canonical, port: 25, mx_secure, address_secure };
        policies.security(next, 0).await
    };
    let proved = security("signed.example").await;
    assert!(matches!(proved, Ok(Security::Required(Trust::Dane(_)))), "{proved:?}");
    // Forged associations are no leave to do without: the mail waits.
    let forged = security("forged.example").await;
    assert!(forged.is_err(), "{forged:?}");
}

#[test]
fn a_wrong_file_of_anchors_is_named() {
    let scratch = Scratch::new("dnssec-file");
    let file = scratch.path().join("anchors");
    std::fs::write(&file, "this is no key").expect("the scratch directory is writable");
    for file in [file, scratch.path().join("missing")] {
        let settings =
            ResolverSettings { dnssec: true, trust_anchors: Some(file), ..Default::default() };
        let error = Resolver::new(&settings).err().expect("it is none").to_string();
        assert!(error.contains("dns.trust_anchors"), "{error}");
    }
}
