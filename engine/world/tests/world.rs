//! Worlds run from their beginning to their end, and what must have happened then.

use pillarbox_world::tape::{Scenario, Tape};
use pillarbox_world::world::{Action, Dir, EntryId, Fate, NodeId, Screen, Time, What};

fn run(id: &str) -> Tape {
    let scenario = Scenario::find(id).expect("the scenario exists");
    let mut tape = Tape::new(scenario, 1).expect("the scenario makes sense");
    while tape.step() {}
    tape
}

fn print(tape: &Tape) {
    for entry in tape.entries(EntryId(0)) {
        println!("{:>6} {:?} {:?} {:?}", entry.at.0, entry.node, entry.wire, entry.what);
    }
    for wire in tape.world().wires() {
        println!("{wire:?}");
        for dir in Dir::BOTH {
            let octets = tape.octets(wire.id, dir, 0..u64::MAX);
            println!("{}", String::from_utf8_lossy(octets));
        }
    }
}

#[test]
fn alice_sends_to_bob_in_six_steps() {
    let tape = run("alice-to-bob");
    print(&tape);
    let entries = tape.entries(EntryId(0));
    assert!(!entries.iter().any(|entry| matches!(entry.what, What::Misuse(_))));
    let lengths = entries.iter().filter_map(|entry| match &entry.what {
        What::Queue(queue) => match queue.fate {
            Fate::Queued | Fate::Delivered { .. } => Some(queue.length),
            _ => None,
        },
        _ => None,
    });
    assert_eq!(lengths.collect::<Vec<_>>(), [1, 0], "the queue: 0, 1, 0");
    let boxes = tape.world().mailboxes(NodeId(3));
    let inbox = boxes.iter().find(|row| row.name == "INBOX").expect("Bob has an INBOX");
    assert_eq!(inbox.count, 1);
    let by_port = |port| tape.world().wires().into_iter().find(|wire| wire.port == port);
    let relayed = by_port(25).expect("the servers talked");
    assert_eq!((relayed.client, relayed.server), (NodeId(1), NodeId(3)));
    let got = entries.iter().find(|entry| matches!(entry.what, What::Screen(Screen::Got { .. })));
    assert!(got.expect("Bob reads").at >= Time(60_000), "nothing before Bob asks");
    let shown = tape.world().screen(NodeId(4));
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0].subject, "Lunch");
    assert!(shown[0].text.contains("How about pickles?"));
}

#[test]
fn winding_back_changes_nothing() {
    let mut tape = run("alice-to-bob");
    let (end, whole) = (tape.now(), tape.hash());
    for at in [0, 41, 250, 60_100] {
        tape.seek(Time(at));
        let scenario = Scenario::find("alice-to-bob").expect("the scenario exists");
        let mut fresh = Tape::new(scenario, 1).expect("the scenario makes sense");
        fresh.run_to(Time(at));
        assert_eq!(tape.hash(), fresh.hash(), "at {at}");
    }
    tape.seek(end);
    assert_eq!(tape.hash(), whole);
}

#[test]
fn a_crash_before_the_disk_has_it_loses_what_nobody_was_promised() {
    let mut scenario = Scenario::find("alice-to-bob").expect("the scenario exists");
    let nodes = &mut scenario.setup.nodes;
    let server = nodes.iter_mut().find(|node| node.name == "hamburger.edu").expect("it is there");
    server.sync_ms = 10_000;
    let power = |on| Action::Power { node: "hamburger.edu".to_owned(), on };
    scenario.script.extend([(Time(5_000), power(false)), (Time(6_000), power(true))]);
    scenario.script.sort_by_key(|(at, _)| *at);
    let mut tape = Tape::new(scenario, 1).expect("the scenario makes sense");
    tape.run_to(Time(5_000));
    let lost = tape.entries(EntryId(0)).iter().any(|entry| {
        entry.node == Some(NodeId(3)) && matches!(entry.what, What::Lost { writes } if writes > 0)
    });
    assert!(lost, "the message was written, and not synced");
    let wires = tape.world().wires();
    let relayed = wires.iter().find(|wire| wire.port == 25).expect("the servers talked").id;
    let said =
        String::from_utf8_lossy(tape.octets(relayed, Dir::ToClient, 0..u64::MAX)).into_owned();
    assert!(said.contains("\r\n354 ") && !said.contains("accepted for delivery"), "{said}");
    assert!(tape.world().stored(NodeId(3)).is_empty(), "a crash takes it");

    while tape.step() {}
    let deferred = |entry: &&pillarbox_world::world::Entry| matches!(&entry.what, What::Queue(queue) if matches!(queue.fate, Fate::Deferred { .. }));
    assert_eq!(tape.entries(EntryId(0)).iter().filter(deferred).count(), 1, "Alice's server waits");
    assert_eq!(tape.world().stored(NodeId(3)).len(), 1, "and sends it again: one copy");
}
