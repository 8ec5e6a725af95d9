//! What faults of the network and of DNS do to mail.

use pillarbox_world::tape::{Scenario, Tape};
use pillarbox_world::world::{Dir, EntryId, Fate, NodeId, Time, What};

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

#[test]
fn a_wrong_clock_is_seen_in_what_its_host_writes_and_mail_goes_all_the_same() {
    let tape = run("alice-to-bob", &["node:hamburger.edu/always/clock=+26h"]);
    assert_eq!(fates(&tape), ["delivered"], "a clock says nothing about mail");
    let dates = |tape: &Tape| {
        let stored = tape.world().stored(NodeId(3));
        let text =
            String::from_utf8_lossy(&stored.first().expect("Bob has it").octets).into_owned();
        let received: Vec<String> = text
            .replace("\r\n\t", " ")
            .lines()
            .filter(|line| line.starts_with("Received:"))
            .map(str::to_owned)
            .collect();
        received
    };
    let wrong = dates(&tape);
    assert!(
        wrong[0].contains("by hamburger.edu") && wrong[0].contains("06 Jan 2026 11:"),
        "{wrong:?}"
    );
    assert!(wrong[1].contains("by crepes.fr") && wrong[1].contains("05 Jan 2026 09:"), "{wrong:?}");

    // The clock of a host with a queue: what it plans by that clock happens when the clock says so.
    let faults = ["node:crepes.fr/always/clock=-3h", "node:hamburger.edu/nth=1/down"];
    let mut tape = run("alice-to-bob", &faults);
    tape.run_to(Time(31 * 60_000));
    assert_eq!(fates(&tape).last().expect("it was tried"), "delivered", "after half an hour");
    assert!(dates(&tape)[1].contains("05 Jan 2026 06:"), "{:?}", dates(&tape));

    for text in ["smtp/always/clock=1h", "any/nth=1/clock=1h", "any/verb=RCPT/clock=1h"] {
        let problem = text.parse::<pillarbox_world::fault::Rule>().expect_err(text);
        assert!(problem.to_string().contains("clock="), "{problem}");
    }
}

#[test]
fn who_taps_a_connection_reads_what_is_in_the_clear_from_then_on() {
    let heard = |scenario: &str, fault: &str, port: u16| {
        let tape = run(scenario, &[fault]);
        let wires = tape.world().wires();
        let wire = wires.iter().find(|wire| wire.port == port).expect("it was opened").id;
        let of = |dir| tape.world().overheard(wire, dir).to_vec();
        let sent = tape.octets(wire, Dir::ToServer, 0..u64::MAX).len() as u64;
        (of(Dir::ToServer), of(Dir::ToClient), sent)
    };
    let (said, answered, sent) = heard("alice-to-bob", "node:hamburger.edu/always/tap", 25);
    assert_eq!((said.len(), said[0].clone()), (1, 0..sent), "everything");
    assert_eq!(answered.len(), 1);
    let (said, ..) = heard("passwords", "node:hamburger.edu/always/tap", 995);
    assert!(said.is_empty(), "of TLS she reads nothing");
    let (said, _, sent) = heard("alice-to-bob", "node:hamburger.edu/verb=DATA/tap", 25);
    assert!(said[0].start > 0 && said[0].end == sent, "what came after: {said:?} of {sent}");
}
