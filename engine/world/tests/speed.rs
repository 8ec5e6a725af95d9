//! How fast a tape is wound back. Times are printed; only ratios that say something anywhere are asserted.
#![allow(clippy::disallowed_methods, reason = "a test may measure time")]

use std::time::Instant;

use pillarbox_world::tape::{Level, Scenario, Tape};
use pillarbox_world::world::{EntryId, Time};

#[test]
fn winding_back_is_fast() {
    let scenario = Scenario::find("asleep").expect("the scenario exists");
    let mut tape = Tape::new(scenario, 1).expect("it makes sense");
    tape.set_level(Level::Hostile).expect("the level exists");
    let began = Instant::now();
    while tape.next_due().is_some_and(|due| due < Time(10 * 86_400_000)) && tape.step() {}
    let whole = began.elapsed();
    let (end, entries) = (tape.now(), tape.entries(EntryId(0)).len());
    let mut longest = std::time::Duration::ZERO;
    for part in 1..20 {
        let at = Instant::now();
        tape.seek(Time(end.0 / 20 * (20 - part)));
        longest = longest.max(at.elapsed());
    }
    println!("{entries} entries: run {whole:?}, longest of 19 seeks {longest:?}");
    assert!(entries > 2000, "this is the long one");
}
