//! Where mail goes: MX records in every order, our own among them, transport maps, and addresses in every notation.
#![allow(missing_docs)]

mod seeded;

use pillarbox_engine::limits::ROUTE_HOSTS_MAX;
use pillarbox_engine::relay::{
    Exchange, Hop, Lookup, Place, Route, Transport, choose_route, destination, next_hop,
};
use pillarbox_engine::smtp::Service;
use pillarbox_engine::smtp::client::types::TlsPolicy;
use seeded::Seeded;

fn exchanges(records: &[(u16, &str)]) -> Vec<Exchange> {
    let exchange = |(preference, name): &(u16, &str)| Exchange {
        preference: *preference,
        name: name.as_bytes().to_vec(),
    };
    records.iter().map(exchange).collect()
}

fn route(records: &[(u16, &str)], own: &[&str], seed: u64) -> Route {
    let own: Vec<Vec<u8>> = own.iter().map(|name| name.as_bytes().to_vec()).collect();
    choose_route(&exchanges(records), &own, seed)
}

fn hosts(names: &[&str]) -> Route {
    Route::Hosts(names.iter().map(|name| name.as_bytes().to_vec()).collect())
}

#[test]
fn exchanges_are_ordered_and_our_own_cut_off_the_rest() {
    let ours = ["mx.crepes.fr"];
    type Case<'a> = (&'a [(u16, &'a str)], Route);
    let cases: &[Case<'_>] = &[
        (&[], Route::Implicit),
        (&[(0, ".")], Route::Null),
        (&[(10, ".")], Route::Null),
        (&[(0, "")], Route::Null),
        // RFC 7505: beside others it says nothing.
        (&[(0, "."), (10, "a.example")], hosts(&["a.example"])),
        (&[(20, "b.example"), (10, "A.Example.")], hosts(&["a.example", "b.example"])),
        // The same host twice is tried once, at its better preference.
        (&[(20, "a.example"), (10, "b.example"), (10, "a.example.")], hosts(&["a.example"; 0])),
        (&[(10, "a.example"), (20, "MX.crepes.FR."), (30, "c.example")], hosts(&["a.example"])),
        // Those at our own preference go too.
        (&[(5, "a.example"), (20, "mx.crepes.fr"), (20, "c.example")], hosts(&["a.example"])),
        (&[(10, "mx.crepes.fr"), (20, "b.example")], Route::Ours),
        (&[(10, "mx.crepes.fr"), (10, "b.example")], Route::Ours),
        (&[(65_535, "a.example"), (0, "b.example")], hosts(&["b.example", "a.example"])),
        (&[(10, "bücher.example")], hosts(&["xn--bcher-kva.example"])),
    ];
    for (records, expected) in cases {
        for seed in 0..20 {
            let found = route(records, &ours, seed);
            if *expected == hosts(&[]) {
                let Route::Hosts(found) = found else { panic!("{found:?}") };
                assert_eq!(found.len(), 2);
            } else {
                assert_eq!(found, *expected, "{records:?}");
            }
        }
    }
}

#[test]
fn equal_exchanges_share_the_load_and_one_seed_gives_one_order() {
    let records = [(10, "a.example"), (10, "b.example"), (10, "c.example"), (20, "z.example")];
    let mut firsts = [0_u32; 3];
    for seed in 0..3000 {
        let Route::Hosts(order) = route(&records, &[], seed) else { panic!("there are hosts") };
        assert_eq!(order.len(), 4);
        assert_eq!(order[3], b"z.example");
        firsts[usize::from(order[0][0] - b'a')] += 1;
        let mut turned = records;
        turned.reverse();
        assert_eq!(route(&turned, &[], seed), Route::Hosts(order), "the order of DNS is no matter");
    }
    assert!(firsts.iter().all(|count| (900..1100).contains(count)), "{firsts:?}");
}

#[test]
fn every_choice_keeps_the_rules_of_preference() {
    let mut seeded = Seeded(7);
    for _ in 0..5000 {
        let count = seeded.below(60);
        let records: Vec<Exchange> = (0..count)
            .map(|_| Exchange {
                preference: seeded.below(6) as u16,
                name: format!("h{}.example", seeded.below(50)).into_bytes(),
            })
            .collect();
        let own = vec![format!("h{}.example", seeded.below(50)).into_bytes()];
        let best_own =
            records.iter().filter(|record| record.name == own[0]).map(|r| r.preference).min();
        let rank =
            |name: &[u8]| records.iter().filter(|r| r.name == name).map(|r| r.preference).min();
        match choose_route(&records, &own, seeded.next()) {
            Route::Implicit => assert!(records.is_empty()),
            Route::Ours => {
                let best = records.iter().map(|record| record.preference).min();
                assert_eq!(best, best_own);
            }
            Route::Null => panic!("none is named so"),
            Route::Hosts(hosts) => {
                assert!(!hosts.is_empty() && hosts.len() <= ROUTE_HOSTS_MAX);
                let ranks: Vec<_> =
                    hosts.iter().map(|name| rank(name).expect("it is one")).collect();
                assert!(ranks.is_sorted(), "{ranks:?}");
                assert!(ranks.iter().all(|rank| best_own.is_none_or(|own| *rank < own)));
                let mut names = hosts.clone();
                names.sort_unstable();
                names.dedup();
                assert_eq!(names.len(), hosts.len());
            }
        }
    }
}

#[test]
fn one_destination_has_one_name() {
    let cases = [
        ("Hamburger.EDU.", "hamburger.edu"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("XN--bcher-kva.EXAMPLE", "xn--bcher-kva.example"),
        ("[192.0.2.1]", "[192.0.2.1]"),
        ("[IPv6:2001:DB8:0:0::1]", "[IPv6:2001:db8::1]"),
        ("[ipv6:2001:db8::1]", "[IPv6:2001:db8::1]"),
        ("[X400:Foo]", "[x400:foo]"),
        ("[192.0.2]", "[192.0.2]"),
        ("", ""),
    ];
    for (domain, expected) in cases {
        let found = destination(domain.as_bytes());
        assert_eq!(String::from_utf8_lossy(&found), expected);
        assert_eq!(destination(&found), found);
    }
}

fn transport(pattern: &str, place: Option<&str>, service: Service) -> Transport {
    let next_hop = place.map(|place| Place::parse(place.as_bytes()).expect("a place"));
    let tls = TlsPolicy::Required;
    Transport { pattern: pattern.as_bytes().to_vec(), next_hop, service, tls }
}

#[test]
fn the_most_specific_transport_counts() {
    let map = [
        transport("*", Some("[smart.example]:587"), Service::Submission),
        transport(".hamburger.edu", Some("hub.hamburger.edu"), Service::Smtp),
        transport(".cs.hamburger.edu", Some("[192.0.2.7]"), Service::Smtp),
        transport("Lists.hamburger.edu.", Some("[::1]:2400"), Service::Lmtp),
        transport("direct.example", None, Service::Smtp),
        transport("lists.hamburger.edu", Some("late.example"), Service::Smtp),
        transport("[192.0.2.9]", None, Service::Smtp),
        transport("bücher.example", Some("books.example"), Service::Smtp),
    ];
    let cases = [
        ("crepes.fr", "submission:[smart.example]:587", 587),
        ("hamburger.edu", "submission:[smart.example]:587", 587),
        ("mail.hamburger.edu", "hub.hamburger.edu", 25),
        ("a.cs.hamburger.edu", "[192.0.2.7]", 25),
        ("cs.hamburger.edu", "hub.hamburger.edu", 25),
        ("xhamburger.edu", "submission:[smart.example]:587", 587),
        ("LISTS.hamburger.edu", "lmtp:[::1]:2400", 2400),
        ("direct.example.", "direct.example", 25),
        ("[192.0.2.9]", "[192.0.2.9]", 25),
        ("[192.0.2.10]", "submission:[smart.example]:587", 587),
        ("xn--bcher-kva.example", "books.example", 25),
    ];
    for (domain, key, port) in cases {
        let hop = next_hop(&map, domain.as_bytes());
        let key = format!("{key} tls-required");
        assert_eq!(String::from_utf8_lossy(&hop.key()), key, "{domain}");
        assert_eq!((hop.port(), hop.tls), (port, TlsPolicy::Required), "{domain}");
    }
}

/// What one level of TLS cannot have keeps nobody from another.
#[test]
fn each_level_of_tls_is_a_destination_of_its_own() {
    let hop = |tls| Hop {
        next_hop: Place::parse(b"[mx.isp.example]:25").expect("a place"),
        service: Service::Smtp,
        tls,
        mapped: true,
    };
    let keys = [
        (TlsPolicy::Opportunistic, "[mx.isp.example]:25"),
        (TlsPolicy::None, "[mx.isp.example]:25 tls-none"),
        (TlsPolicy::Required, "[mx.isp.example]:25 tls-required"),
        (TlsPolicy::Implicit, "[mx.isp.example]:25 tls-implicit"),
    ];
    for (tls, key) in keys {
        assert_eq!(String::from_utf8_lossy(&hop(tls).key()), key);
    }
}

#[test]
fn without_a_map_mail_goes_to_its_domain() {
    let hop = |domain: &str| next_hop(&[], domain.as_bytes());
    let place = |host: &str, lookup| Place { host: host.as_bytes().to_vec(), lookup, port: None };
    let direct = |next_hop| Hop {
        next_hop,
        service: Service::Smtp,
        tls: TlsPolicy::Opportunistic,
        mapped: false,
    };
    assert_eq!(hop("Crepes.FR"), direct(place("crepes.fr", Lookup::Exchanges)));
    assert_eq!(hop("[192.0.2.1]"), direct(place("192.0.2.1", Lookup::Nothing)));
    assert_eq!(hop("[IPv6:2001:db8::1]"), direct(place("2001:db8::1", Lookup::Nothing)));
}

/// What DNS does not know of a place is the map's fault only where the map leads elsewhere.
#[test]
fn a_map_that_leads_elsewhere_answers_for_it() {
    let mapped = |place: &str| {
        let transport = Transport {
            pattern: b"*".to_vec(),
            next_hop: Some(Place::parse(place.as_bytes()).expect("a place")),
            service: Service::Smtp,
            tls: TlsPolicy::Opportunistic,
        };
        next_hop(&[transport], b"Crepes.FR").mapped
    };
    assert!(mapped("isp.example") && mapped("[crepes.fr]") && mapped("[192.0.2.1]"));
    assert!(!mapped("crepes.fr") && !mapped("crepes.fr:2525"), "for its port alone");
}

#[test]
fn places_are_read_as_people_write_them() {
    for text in ["a.example", "a.example:2525", "[a.example]", "[192.0.2.1]:26", "[2001:db8::1]:25"]
    {
        let place = Place::parse(text.as_bytes()).expect(text);
        assert_eq!(String::from_utf8_lossy(&place.print()), text);
    }
    assert_eq!(Place::parse(b"[IPv6:::1]").map(|place| place.lookup), Ok(Lookup::Nothing));
    let wrong = [
        "",
        ":25",
        "a.example:",
        "a.example:0",
        "a.example:65536",
        "a.example:+1",
        "a b",
        "[a",
        "[]",
        "[a.example]25",
        "[a.example]:",
        "a.example:25:26",
        "a..b",
        "2001:db8::1",
        "[a:b]",
        "a\r\nb",
    ];
    for text in wrong {
        assert!(Place::parse(text.as_bytes()).is_err(), "{text}");
    }
}
