//! Every scenario is read, runs to its end, and is the same each time.

use pillarbox_world::tape::{Challenge, Level, Scenario, Tape, export};
use pillarbox_world::world::{EntryId, Time, What};

/// Runs a scenario as far as anything happens within ten days.
fn run(scenario: &Scenario, level: Level) -> Tape {
    let mut tape = Tape::new(scenario.clone(), 1).expect("the scenario makes sense");
    tape.set_level(level).expect("the level's faults make sense");
    while tape.next_due().is_some_and(|due| due < Time(10 * 86_400_000)) && tape.step() {}
    tape
}

fn levels(scenario: &Scenario) -> Vec<Level> {
    let variants = scenario.variants.iter().map(|variant| variant.level);
    [Level::Perfect].into_iter().chain(variants).collect()
}

/// With `SHOW=name` its transcript is printed, to be read.
#[test]
fn every_scenario_runs_to_its_end() {
    let show = std::env::var("SHOW").unwrap_or_default();
    for (id, text) in Scenario::texts() {
        let scenario = Scenario::parse(id, text).expect("it is read");
        for level in levels(&scenario) {
            let tape = run(&scenario, level);
            if show == *id {
                println!("==== {id} {level:?}");
                println!("{}", export::transcript(tape.world(), false));
                for entry in tape.entries(EntryId(0)) {
                    if entry.what.is_interesting() {
                        println!("{:>9} {:?} {:?}", entry.at.0, entry.node, entry.what);
                    }
                }
            }
            for entry in tape.entries(EntryId(0)) {
                assert!(!matches!(entry.what, What::Misuse(_)), "{id}: {entry:?}");
            }
            println!(
                "{id} {level:?} {} entries {:016x}",
                tape.entries(EntryId(0)).len(),
                tape.hash()
            );
            assert!(tape.refused().is_empty(), "{id}: {:?}", tape.refused());
        }
    }
}

#[test]
fn a_scenario_goes_on_with_a_challenge_that_is_there() {
    let all = Scenario::all();
    assert!(all.iter().filter(|scenario| !scenario.then.is_empty()).count() > 20);
    for scenario in all.iter().filter(|scenario| !scenario.then.is_empty()) {
        assert!(Challenge::find(&scenario.then).is_some(), "{}: {}", scenario.id, scenario.then);
    }
}

/// The lecture's dialogue, octet for octet.
#[test]
fn the_textbook_says_the_lectures_fifteen_lines() {
    let lecture = "\
S: 220 hamburger.edu
C: HELO crepes.fr
S: 250 Hello crepes.fr, pleased to meet you
C: MAIL FROM: <alice@crepes.fr>
S: 250 alice@crepes.fr ... Sender ok
C: RCPT TO: <bob@hamburger.edu>
S: 250 bob@hamburger.edu ... Recipient ok
C: DATA
S: 354 Enter mail, end with \".\" on a line by itself
C: Do you like ketchup?
C: How about pickles?
C: .
S: 250 Message accepted for delivery
C: QUIT
S: 221 hamburger.edu closing connection
";
    let scenario = Scenario::find("crepes-hamburger").expect("the scenario exists");
    let tape = run(&scenario, Level::Perfect);
    let said = export::dialogue(tape.world(), tape.world().wires()[0].id, true);
    let mut text = Vec::new();
    for line in &said {
        text.extend_from_slice(format!("{}: ", line.dir.letter()).as_bytes());
        text.extend_from_slice(&line.octets);
    }
    assert_eq!(String::from_utf8_lossy(&text), lecture.replace('\n', "\r\n"));
}

/// Winding to and fro, in any order, is the same as running there from the beginning.
#[test]
fn a_moment_is_the_same_however_it_is_reached() {
    let mut random = 0x9e37_79b9_u64;
    let mut below = |end: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) % end.max(1)
    };
    for (id, text) in Scenario::texts() {
        let scenario = Scenario::parse(id, text).expect("it is read");
        let mut tape = run(&scenario, Level::Perfect);
        let end = tape.now();
        for _ in 0..6 {
            let at = Time(below(end.0 + 1));
            tape.seek(at);
            let mut fresh = Tape::new(scenario.clone(), 1).expect("it was made before");
            fresh.run_to(at);
            assert_eq!(tape.hash(), fresh.hash(), "{id} at {at:?}");
            assert_eq!(tape.entries(EntryId(0)), fresh.entries(EntryId(0)), "{id} at {at:?}");
        }
    }
}

/// How many messages the first INBOX of a server holds.
fn inbox(tape: &Tape, server: &str) -> u64 {
    let server = tape.world().nodes().into_iter().find(|node| node.name == server);
    let boxes = tape.world().mailboxes(server.expect("it is there").id);
    boxes.iter().find(|row| row.name == "INBOX").map_or(0, |row| row.count)
}

/// What a full mailbox refuses for now arrives once there is room; what is refused for good goes back.
#[test]
fn a_full_mailbox_gets_its_mail_later_or_alice_a_report() {
    let scenario = Scenario::find("full-mailbox").expect("the scenario exists");
    let mut tape = Tape::new(scenario.clone(), 1).expect("the scenario makes sense");
    tape.run_to(Time(30 * 60_000));
    assert_eq!((inbox(&tape, "hamburger.edu"), inbox(&tape, "crepes.fr")), (0, 0), "it waits");
    tape.run_to(Time(2 * 3_600_000));
    assert_eq!((inbox(&tape, "hamburger.edu"), inbox(&tape, "crepes.fr")), (1, 0), "it arrived");
    let tape = run(&scenario, Level::Hostile);
    assert_eq!((inbox(&tape, "hamburger.edu"), inbox(&tape, "crepes.fr")), (0, 1), "a report");
}

/// Acting in the past begins a branch, and the branch that was left is kept as it was.
#[test]
fn acting_in_the_past_begins_a_branch() {
    use pillarbox_world::world::Action;
    let scenario = Scenario::find("after-the-dot").expect("the scenario exists");
    let mut tape = run(&scenario, Level::Perfect);
    let (end, doubled) = (tape.now(), tape.hash());
    let inbox = |tape: &Tape| inbox(tape, "hamburger.edu");
    assert_eq!(inbox(&tape), 2, "with the fault the message is doubled");
    tape.seek(Time(100));
    assert!(!tape.ahead().is_empty(), "what lay ahead is known");
    tape.act(Action::RemoveFault(1)).expect("there is one");
    tape.run_to(end);
    assert_eq!(inbox(&tape), 1, "without it there is one copy");
    let (branches, current) = tape.branches();
    assert_eq!((branches.len(), current), (2, 1));
    assert_eq!(branches[1].parent, Some(0));
    tape.switch(0);
    tape.run_to(end);
    assert_eq!(tape.hash(), doubled);
    tape.switch(1);
    assert_eq!(inbox(&tape), 1);
}

/// Every octet that a session read lies in an annotation, and the leaves do not overlap.
#[test]
fn annotations_cover_what_was_read() {
    use pillarbox_world::world::Dir;
    for (id, text) in Scenario::texts() {
        let scenario = Scenario::parse(id, text).expect("it is read");
        let tape = run(&scenario, Level::Perfect);
        for wire in tape.world().wires() {
            for dir in Dir::BOTH {
                let all = tape.annotations(wire.id, dir, 0..u64::MAX);
                let mut at = 0;
                let mut leaves: Vec<_> =
                    all.iter().filter(|a| a.leaf).map(|a| a.at.clone()).collect();
                leaves.sort_by_key(|range| range.start);
                for leaf in leaves {
                    assert_eq!(
                        leaf.start,
                        at,
                        "{id} {:?} {dir:?} {:#?}",
                        wire.id,
                        &all[..all.len().min(6)]
                    );
                    at = leaf.end;
                }
            }
        }
    }
}

/// The reader of scenarios reads what a reader of all of TOML reads.
#[test]
fn scenarios_and_challenges_are_toml() {
    use pillarbox_world::tape::scenario::toml::Value as Own;
    use toml::Value;
    fn same(own: &Own, other: &Value) -> bool {
        match (own, other) {
            (Own::Text(own), Value::String(other)) => own == other,
            (Own::Number(own), Value::Integer(other)) => own == other,
            (Own::Truth(own), Value::Boolean(other)) => own == other,
            (Own::List(own), Value::Array(other)) => {
                own.len() == other.len()
                    && own.iter().zip(other).all(|(own, other)| same(own, other))
            }
            _ => false,
        }
    }
    let files = [("scenarios", 20), ("scenarios/base", 1), ("challenges", 15)];
    for (directory, least) in files {
        let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
        let mut count = 0;
        for file in std::fs::read_dir(&directory).expect("it is there") {
            let path = file.expect("it can be read").path();
            if path.extension().is_none_or(|end| end != "toml") {
                continue;
            }
            count += 1;
            let text = std::fs::read_to_string(&path).expect("it is text");
            let all: toml::Table = text.parse().unwrap_or_else(|why| panic!("{path:?}: {why}"));
            let mut places = std::collections::BTreeMap::new();
            for table in pillarbox_world::tape::scenario::toml::parse(&text).expect("it is read") {
                let other = match &table.name[..] {
                    "" => &all,
                    name => {
                        let place: &mut usize = places.entry(name.to_owned()).or_default();
                        *place += 1;
                        all[name][*place - 1].as_table().expect("it is one")
                    }
                };
                let plain = other.values().filter(|value| {
                    !value.as_array().is_some_and(|all| all.first().is_some_and(Value::is_table))
                });
                assert_eq!(plain.count(), table.entries.len(), "{path:?} {}", table.name);
                for (key, value) in &table.entries {
                    assert!(same(value, &other[key]), "{path:?} {} {key}", table.name);
                }
            }
        }
        assert!(count >= least, "{count} files in {directory:?}");
        let listed = match directory.ends_with("scenarios") {
            true => Scenario::texts().count(),
            false => count,
        };
        assert_eq!(listed, count, "every file is in the list");
    }
}

/// What every scenario comes to at every level, and the link to it. With `GOLDEN=update` the file is written anew; a
/// difference that is meant raises the scenario's version, or it is a change of what the engine says.
#[test]
fn every_scenario_comes_to_what_it_came_to_before() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden.txt");
    let mut now = String::new();
    for (id, text) in Scenario::texts() {
        let scenario = Scenario::parse(id, text).expect("it is read");
        for level in levels(&scenario) {
            let tape = run(&scenario, level);
            let entries = tape.entries(EntryId(0)).len();
            let (hash, link) = (tape.hash(), tape.encode(""));
            let opened = Tape::decode(&link).unwrap_or_else(|why| panic!("{id}: {why}"));
            assert_eq!(opened.tape.hash(), hash, "{id} {level:?}");
            now.push_str(&format!("{id} {level:?} {entries} {hash:016x} {link}\n"));
        }
    }
    if std::env::var("GOLDEN").is_ok_and(|word| word == "update") {
        std::fs::write(&path, &now).expect("it can be written");
    }
    let before = std::fs::read_to_string(&path).expect("the file is there");
    for (now, before) in now.lines().zip(before.lines()) {
        assert_eq!(now, before, "GOLDEN=update writes the file anew");
    }
    assert_eq!(now.lines().count(), before.lines().count());
}

#[test]
fn what_lists_say_is_what_the_files_say() {
    let headings: Vec<_> = Scenario::headings().collect();
    let all = Scenario::all();
    assert_eq!(headings.len(), all.len());
    for (heading, scenario) in headings.iter().zip(&all) {
        assert_eq!((heading.id, heading.number), (&scenario.id[..], scenario.number));
        assert_eq!((&heading.title, &heading.says), (&scenario.title, &scenario.goal));
        let number = scenario.number.to_string();
        assert_eq!(Scenario::find(&number).map(|found| found.id).as_ref(), Some(&scenario.id));
    }
    let headings: Vec<_> = Challenge::headings().collect();
    let all = Challenge::all();
    assert_eq!(headings.len(), all.len());
    for (heading, challenge) in headings.iter().zip(&all) {
        assert_eq!((heading.id, heading.number), (&challenge.id[..], challenge.number));
        assert_eq!((&heading.title, &heading.says), (&challenge.title, &challenge.task));
        let number = challenge.number.to_string();
        assert_eq!(Challenge::find(&number).map(|found| found.id).as_ref(), Some(&challenge.id));
    }
}
