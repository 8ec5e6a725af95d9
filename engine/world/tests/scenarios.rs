//! Every scenario is read, runs to its end, and is the same each time.

use pillarbox_world::tape::scenario::toml;
use pillarbox_world::tape::{Level, Scenario, Tape, export};
use pillarbox_world::world::{EntryId, Screen, Time, What};

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
