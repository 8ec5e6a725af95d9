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
