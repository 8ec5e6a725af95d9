//! Which hosts a message may go to: never back to ourselves, however DNS names us, and only to whom it may be given.

use std::sync::Arc;

use pillarbox_engine::relay::{Hop, Lookup, Place, Unreached};
use pillarbox_engine::smtp::Service;
use pillarbox_engine::smtp::client::types::TlsPolicy;

use super::super::Proof;
use super::super::hosts::{Hosts, Named};
use crate::cli::EngineChoice;
use crate::client::Security;
use crate::client::policy::Policies;
use crate::client::sts::{Fetch, Fetching, MtaSts};
use crate::dns::{Answer, Dns, Kind, Looking, Mx, NoAnswer, Record, Source};
use crate::engine::{Engine, EngineSettings};

/// `policy.example` announces a policy; names begin with the address that they have.
struct Zone;

impl Source for Zone {
    fn look_up<'a>(&'a self, name: &'a str, kind: Kind) -> Looking<'a> {
        let mx = |exchange: &str| Record::Mx(Mx { preference: 1, exchange: exchange.to_owned() });
        let record = match (kind, name) {
            (Kind::Mx, "loop.example") => Some(mx("mx.ours.example")),
            (Kind::Mx, "null.example") => Some(mx("")),
            (Kind::Mx, "bare.example" | "unknown.example") => None,
            (Kind::Mx, domain) => Some(mx(&format!("127-0-0-9.{domain}"))),
            (Kind::A, name) => {
                let label = name.split('.').next().unwrap_or_default();
                label.replace('-', ".").parse().ok().map(Record::A)
            }
            (Kind::Txt, "_mta-sts.policy.example") => Some(Record::Txt(b"v=STSv1; id=1".into())),
            _ => None,
        };
        let answer =
            |record| Answer { records: vec![record], name: name.to_owned(), secure: false };
        let none = if name == "unknown.example" { NoAnswer::NoName } else { NoAnswer::NoRecords };
        Box::pin(std::future::ready(record.map(answer).ok_or(none)))
    }
}

struct Enforcing;

impl Fetch for Enforcing {
    fn fetch<'a>(&'a self, _: &'a str) -> Fetching<'a> {
        let text = b"version: STSv1\nmode: enforce\nmx: *.policy.example\nmax_age: 9999\n";
        Box::pin(std::future::ready(Ok(text.to_vec())))
    }
}

fn hosts(own_addresses: &[&str]) -> Hosts {
    let engine = Engine::new(&EngineSettings::new(EngineChoice::Native, Some(1)));
    let dns = Dns::new(Arc::new(Zone));
    let sts = Arc::new(MtaSts::new(Box::new(Enforcing)));
    Hosts {
        engine: Arc::new(engine.expect("it starts")),
        policies: Policies::new(dns.clone(), Some(sts)),
        dns,
        own_names: vec![b"mx.ours.example".to_vec()],
        own_addresses: own_addresses.iter().map(|text| text.parse().expect(text)).collect(),
    }
}

fn hop(host: &str, lookup: Lookup, tls: TlsPolicy) -> Hop {
    let next_hop = Place { host: host.as_bytes().to_vec(), lookup, port: None };
    let mapped = lookup != Lookup::Exchanges;
    Hop { next_hop, service: Service::Smtp, tls, mapped }
}

/// RFC 5321 §5.1, §6.3.
#[tokio::test]
async fn mail_never_goes_back_to_this_host() {
    let by_mx = hop("far.example", Lookup::Exchanges, TlsPolicy::Opportunistic);
    let here = hosts(&["127.0.0.1:25"]);
    let ours = hop("loop.example", Lookup::Exchanges, TlsPolicy::Opportunistic);
    assert_eq!(here.names(&ours, 1).await, Err(Unreached::Loop), "by name");
    let found = async |own: &str, name: &str| {
        hosts(&[own])
            .host(&by_mx, Proof::Usual, name, Named::Unproven)
            .await
            .map(|host| host.target.addresses)
    };
    for (own, name) in [
        ("127.0.0.1:25", "127-0-0-1.far.example"),
        ("0.0.0.0:25", "127-0-0-1.far.example"),
        ("0.0.0.0:25", "127-0-0-7.far.example"),
        ("0.0.0.0:25", "0-0-0-0.far.example"),
        ("127.0.0.1:25", "0-0-0-0.far.example"),
        ("[::]:25", "127.0.0.1"),
        ("[::]:25", "::1"),
        ("[::]:25", "::ffff:127.0.0.1"),
        ("127.0.0.1:25", "::ffff:127.0.0.1"),
    ] {
        assert_eq!(found(own, name).await, Err(Unreached::Loop), "{name} while at {own}");
    }
    for (own, name) in [
        ("127.0.0.1:25", "127-0-0-2.far.example"),
        ("127.0.0.1:2525", "127-0-0-1.far.example"),
        ("0.0.0.0:2525", "127-0-0-1.far.example"),
        ("0.0.0.0:25", "192-0-2-7.far.example"),
    ] {
        assert_eq!(found(own, name).await.map(|all| all.len()), Ok(1), "{name} while at {own}");
    }
}

/// RFC 5321 §5.1: a domain without hosts is an error at once; a slip in our own settings is not its mail's.
#[tokio::test]
async fn a_host_that_nobody_knows_is_for_good_only_if_the_domain_named_it() {
    let hosts = hosts(&[]);
    let found = async |lookup, mapped| {
        let hop = Hop { mapped, ..hop("nowhere.example", lookup, TlsPolicy::Opportunistic) };
        hosts.host(&hop, Proof::Usual, "nowhere.example", Named::Unproven).await.map(|_| ())
    };
    assert_eq!(found(Lookup::Exchanges, false).await, Err(Unreached::NoAddress));
    assert_eq!(found(Lookup::Exchanges, true).await, Err(Unreached::NoNextHop));
    assert_eq!(found(Lookup::Addresses, true).await, Err(Unreached::NoNextHop));
    for (domain, why) in
        [("unknown.example", Unreached::NoSuchDomain), ("null.example", Unreached::NullMx)]
    {
        let direct = hop(domain, Lookup::Exchanges, TlsPolicy::Opportunistic);
        assert_eq!(hosts.names(&direct, 1).await, Err(why));
        let mapped = Hop { mapped: true, ..direct };
        assert_eq!(hosts.names(&mapped, 1).await, Err(Unreached::NoNextHop), "{domain}");
    }
}

/// RFC 7672 §2.2.2: a domain without MX is its own host, so that nobody has to prove who its host is.
#[tokio::test]
async fn who_names_a_host_is_known() {
    let hosts = hosts(&[]);
    let named = async |host, lookup| {
        let names = hosts.names(&hop(host, lookup, TlsPolicy::Opportunistic), 1).await;
        names.map(|(_, named)| named)
    };
    assert_eq!(named("far.example", Lookup::Exchanges).await, Ok(Named::Unproven));
    assert_eq!(named("bare.example", Lookup::Exchanges).await, Ok(Named::Itself));
    assert_eq!(named("far.example", Lookup::Addresses).await, Ok(Named::Itself));
}

/// RFC 8689 §4.2, RFC 8461.
#[tokio::test]
async fn a_host_must_prove_as_much_as_the_message_asks_for() {
    let hosts = hosts(&[]);
    let security = async |domain: &str, lookup, tls, proof| {
        let name = format!("127-0-0-9.{domain}");
        let named = if lookup == Lookup::Exchanges { Named::Unproven } else { Named::Itself };
        let host = hosts.host(&hop(domain, lookup, tls), proof, &name, named).await;
        host.map(|host| host.security)
    };
    let (mx, addresses) = (Lookup::Exchanges, Lookup::Addresses);
    let (some, must) = (TlsPolicy::Opportunistic, TlsPolicy::Required);
    let (policy, none) = ("policy.example", "far.example");
    let is_pkix = |found: &Result<Security, Unreached>| {
        found.as_ref().is_ok_and(|found| format!("{found:?}") == "Required(Pkix)")
    };
    let is_easy =
        |found: &Result<Security, Unreached>| matches!(found, Ok(Security::Opportunistic));
    assert!(is_pkix(&security(policy, mx, some, Proof::Usual).await));
    assert!(is_easy(&security(policy, mx, some, Proof::Optional).await), "TLS-Required: No");
    assert!(is_easy(&security(none, mx, some, Proof::Usual).await));
    assert!(is_pkix(&security(none, mx, must, Proof::Usual).await));
    // What was configured here is not the sender's to relax.
    assert!(is_pkix(&security(none, mx, must, Proof::Optional).await));
    assert!(is_pkix(&security(policy, mx, must, Proof::Required).await));
    let unproved = security(none, mx, must, Proof::Required).await;
    assert!(matches!(unproved, Err(Unreached::TlsRequired)), "DNS alone may name anybody");
    assert!(is_pkix(&security(none, addresses, must, Proof::Required).await));
}
