//! What faults of the network and of DNS do to mail.

use pillarbox_world::fault::Rule;
use pillarbox_world::tape::{Lab, Scenario, Tape};
use pillarbox_world::world::{Action, Check, Dir, EntryId, Fate, NodeId, Screen, Time, Way, What};

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

/// The lab's mailbox, with letters in it and nothing read.
fn lab(fault: &str) -> Tape {
    let mut scenario = Scenario::lab(Lab::Access);
    scenario.setup.faults = vec![fault.to_owned()];
    let mut tape = Tape::new(scenario, 1).expect("the fault makes sense");
    tape.run_to(Time(20_000));
    tape
}

fn check(tape: &mut Tape, device: &str, way: Way) {
    let device = device.to_owned();
    tape.act(Action::Check(Check { device, way })).expect("it can be done");
    let now = tape.now();
    tape.run_to(Time(now.0 + 5_000));
}

fn screens(tape: &Tape, device: &str) -> Vec<String> {
    let node = tape.world().nodes().into_iter().find(|node| node.name == device);
    let node = node.expect("the device is there").id;
    let screen = |entry: &pillarbox_world::world::Entry| match &entry.what {
        What::Screen(Screen::Changed { how }) if entry.node == Some(node) => Some(how.clone()),
        What::Screen(Screen::Failed { why }) if entry.node == Some(node) => {
            Some(format!("failed: {why}"))
        }
        _ => None,
    };
    tape.entries(EntryId(0)).iter().filter_map(screen).collect()
}

#[test]
fn a_mailbox_whose_uidvalidity_changes_makes_what_was_known_of_it_worthless() {
    let mut tape = lab("imap/verb=SELECT,nth=3/uidvalidity");
    let stored = |tape: &Tape| -> Vec<(u32, u32)> {
        let server = tape.world().nodes().into_iter().find(|node| node.name == "hamburger.edu");
        let stored = tape.world().stored(server.expect("it is there").id).into_iter();
        stored.map(|message| (message.uid_validity, message.uid)).collect()
    };
    let before = stored(&tape);
    check(&mut tape, "bob-phone", Way::Imap);
    check(&mut tape, "bob-tablet", Way::Imap);
    assert_eq!(stored(&tape), before);
    check(&mut tape, "bob-phone", Way::Imap);
    let after = stored(&tape);
    // RFC 9051 §2.3.1.1: a greater one; the UIDs look the same, and mean nothing that they meant.
    assert!(after[0].0 > before[0].0, "{before:?}, {after:?}");
    assert_eq!((after[0].1, after.len()), (before[0].1, before.len()));
    let last = screens(&tape, "bob-phone").into_iter().find(|how| how.contains("UIDVALIDITY"));
    let last = last.expect("the phone sees it");
    assert!(last.contains(&format!("is {} and no more {}", after[0].0, before[0].0)), "{last}");
    // UIDs mean the same for the whole of a session, so whoever else had it open is sent away.
    let gone = screens(&tape, "bob-tablet").pop().expect("the tablet shows something");
    assert_eq!(gone, "failed: The mailbox is gone");
    assert_eq!(tape.world().faults()[0].hits, 1);
    check(&mut tape, "bob-tablet", Way::Imap);
    let again = screens(&tape, "bob-tablet");
    assert!(again.iter().any(|how| how.contains("UIDVALIDITY")), "{again:?}");
    // It is in what POP3 calls a message, too (RFC 1939 §7): a device that keeps mail on the server fetches all of it anew.
    let mut kept = lab("imap/always/uidvalidity");
    check(&mut kept, "bob-laptop", Way::PopKeep);
    check(&mut kept, "bob-phone", Way::Imap);
    check(&mut kept, "bob-laptop", Way::PopKeep);
    let laptop = kept.world().nodes().into_iter().find(|node| node.name == "bob-laptop");
    let shown = kept.world().screen(laptop.expect("it is there").id);
    assert_eq!(shown.len(), 2 * before.len(), "each letter is there twice");
}

#[test]
fn a_fault_strikes_after_octets_of_any_label() {
    let heard = |fault: &str| {
        let tape = run("alice-to-bob", &[&format!("node:hamburger.edu/{fault}")]);
        let wires = tape.world().wires();
        let wire = wires.iter().find(|wire| wire.port == 25).expect("one was tried").clone();
        let of = |dir| String::from_utf8_lossy(tape.octets(wire.id, dir, 0..u64::MAX)).into_owned();
        let took = wire.closed.map(|closed| closed.0 - wire.opened.0);
        let hits = tape.world().faults()[0].hits;
        (of(Dir::ToServer), of(Dir::ToClient), took, hits)
    };
    let (said, answered, ..) = heard("after=reply-code,nth=1/drop");
    assert!(said.is_empty() && answered.starts_with("220 ") && answered.ends_with("\r\n"));
    // A command is read before it is answered, and here it is not.
    let (said, answered, _, hits) = heard("after=from,nth=1/drop");
    assert!(said.contains("MAIL FROM:<alice@crepes.fr>"), "{said}");
    assert!(answered.trim_end().lines().last().expect("EHLO's").starts_with("250 "), "{answered}");
    assert_eq!(hits, 1);
    let (said, answered, ..) = heard("after=text-line,nth=2/drop");
    assert!(said.contains("DATA\r\n") && answered.ends_with("\r\n"), "{said}");
    assert!(answered.lines().last().expect("one").starts_with("354 "), "{answered}");
    // The connection rests where it stands, and goes on.
    let (all, _, before, _) = heard("after=reply-code,p=0/drop");
    let (said, _, took, hits) = heard("after=local-part,nth=1/delay=7s");
    let (took, before) = (took.expect("it closed"), before.expect("it closed"));
    assert!((7_000..7_500).contains(&(took - before)), "{took} {before}");
    assert_eq!((said, hits), (all.clone(), 1));
    // Several delays add up, and so do labels that are met at once.
    let (_, _, took, hits) = heard("after=ehlo-keyword,nth=1..3/delay=1s");
    assert_eq!(hits, 3);
    let more = took.expect("it closed") - before;
    assert!((2_800..3_100).contains(&more), "{more}");
    let wrong = "any/after=mailbx/drop".parse::<Rule>().expect_err("a slip");
    assert!(wrong.to_string().contains("did you mean `mailbox`"), "{wrong}");
}
