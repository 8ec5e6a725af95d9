//! What faults of the network and of DNS do to mail.

use pillarbox_world::tape::{Scenario, Tape};
use pillarbox_world::world::{Dir, EntryId, Fate, Time, What};

fn run(id: &str, faults: &[&str]) -> Tape {
    let mut scenario = Scenario::find(id).expect("the scenario exists");
    scenario.setup.faults = faults.iter().map(|&fault| fault.to_owned()).collect();
    let mut tape = Tape::new(scenario, 1).expect("the faults make sense");
    tape.run_to(Time(120_000));
    tape
}

fn fates(tape: &Tape) -> Vec<String> {
    let entries = tape.entries(EntryId(0)).iter();
    let fates = entries.filter_map(|entry| match &entry.what {
        What::Queue(queue) => match &queue.fate {
            Fate::Queued | Fate::Tried => None,
            Fate::Deferred { why, .. } => Some(format!("deferred {why}")),
            Fate::Delivered { .. } => Some("delivered".to_owned()),
            Fate::Failed { why } => Some(format!("failed {why}")),
            Fate::Expired { why } => Some(format!("expired {why}")),
        },
        _ => None,
    });
    fates.collect()
}

#[test]
fn what_dns_says_decides_where_mail_goes() {
    let of =
        |lie: &str| fates(&run("alice-to-bob", &[&format!("node:hamburger.edu/always/dns={lie}")]));
    assert_eq!(of("nomx"), ["delivered"], "RFC 5321 §5.1: then the name itself takes it");
    assert_eq!(of("nullmx"), ["failed 5.1.10 The domain takes no mail"]);
    assert_eq!(of("nxdomain"), ["failed 5.1.2 The domain does not exist"]);
    assert_eq!(of("servfail"), ["deferred 4.4.3 DNS did not answer for the domain"]);
}

#[test]
fn nobody_is_there_before_anybody_answers() {
    let tape = run("alice-to-bob", &["node:hamburger.edu/nth=1/down"]);
    assert_eq!(fates(&tape), ["deferred 4.4.1 The server refused the connection"]);
    let wires = tape.world().wires();
    let refused = wires.iter().find(|wire| wire.port == 25).expect("one was tried");
    assert_eq!(refused.octets, [0, 0], "nothing was said");
    assert_eq!(tape.world().faults()[0].hits, 1);
}

#[test]
fn the_eighth_bit_is_lost_from_a_moment_on() {
    let tape = run("seven-bits", &["node:hamburger.edu/verb=DATA/strip8"]);
    let wire = tape.world().wires()[0].id;
    let sent = tape.octets(wire, Dir::ToServer, 0..u64::MAX);
    let arrived = tape.world().arrived(wire, Dir::ToServer, 0..u64::MAX);
    assert!(sent.windows(2).any(|pair| pair == [0xc3, 0xa8]), "an è was sent");
    assert!(arrived.is_ascii());
    assert!(arrived.windows(2).any(|pair| pair == b"C("), "and this is what arrived");
}
