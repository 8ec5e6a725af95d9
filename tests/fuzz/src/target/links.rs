//! What strangers may hand to the playground: scenarios and challenges as files, rules of faults, and links.

use pillarbox_world::fault;
use pillarbox_world::tape::scenario::toml;
use pillarbox_world::tape::{Challenge, Scenario, Tape};
use pillarbox_world::world::{Action, Time};

use super::USUAL;
use crate::corpus::{challenges, scenarios};
use crate::{Seen, Target};

pub(super) const SCENARIO: Target = Target {
    name: "scenario",
    run: scenario,
    seeds: || {
        let mut seeds = scenarios();
        seeds.extend(challenges());
        seeds
    },
    words: &[
        "[[",
        "]]",
        "[",
        "]",
        "=",
        "\"",
        "\"\"\"",
        "\\u0041",
        "\\",
        "\n",
        "#",
        "true",
        "-1",
        "1_000",
        "\"10s\"",
        "[\"a\", \"b\"]",
        "{",
        "}",
        ".",
        ",",
        "'",
        "[[node]]\n",
        "kind = \"server\"\n",
        "[[link]]\n",
        "latency = \"1ms\"\n",
        "[[at]]\n",
        "faults = [\"smtp.data: reply 451\"]\n",
    ],
    lines: true,
    size_max: 6 << 10,
    memory_max: 32 << 20,
    rounds: 2500,
};

fn scenario(input: &[u8], seen: &mut Seen) {
    let text = String::from_utf8_lossy(input);
    match toml::parse(&text) {
        Ok(tables) => seen.note(("tables", tables.len().min(40))),
        Err(why) => seen.note(words(&why)),
    }
    match Scenario::parse("x", &text) {
        Ok(scenario) => {
            seen.note("scenario");
            // What is written is read as the same world.
            let again = Scenario::parse("x", &scenario.to_text()).expect("what is written is read");
            assert_eq!(again.setup, scenario.setup);
            if let Err(why) = Tape::new(scenario, 1) {
                seen.note(words(&why));
            }
        }
        Err(why) => seen.note(words(&why)),
    }
    match Scenario::own(&text) {
        Ok(own) => {
            seen.note("own");
            // A link holds all of it.
            if let Ok(tape) = Tape::new(own, 1) {
                let second = Tape::decode(&tape.encode("")).expect("what is written is read");
                assert_eq!(second.tape.scenario(), tape.scenario());
            }
        }
        Err(why) => seen.note(words(&why)),
    }
    match Challenge::parse("x", &text) {
        Ok(challenge) => seen.note(("challenge", challenge.par())),
        Err(why) => seen.note(words(&why)),
    }
    match fault::parse_file(&text) {
        Ok((seed, rules)) => seen.note((seed.is_some(), rules.len().min(20))),
        Err((_, problem)) => seen.note(words(&format!("{problem:?}"))),
    }
}

/// A complaint without what it quotes.
fn words(why: &str) -> String {
    why.split(['`', '"'])
        .step_by(2)
        .map(|text| text.trim_matches(|c: char| c.is_ascii_digit()))
        .collect()
}

pub(super) const LINK: Target = Target {
    name: "link",
    run: link,
    seeds: || {
        let mut links = Vec::new();
        for scenario in Scenario::all().into_iter().take(12) {
            let Ok(mut tape) = Tape::new(scenario, 7) else { continue };
            for _ in 0..20 {
                tape.step();
            }
            links.push(tape.encode("view").into_bytes());
            // The same with a branch.
            tape.fork(Time(1));
            let _ = tape.act(Action::AddFault("any/verb=MAIL/delay=1s".to_owned()));
            links.push(tape.encode_all("view").into_bytes());
        }
        links
    },
    words: &["1", "2", "A", "_", "-", "AAAA", "____", "random:7"],
    size_max: 2 << 10,
    memory_max: 64 << 20,
    rounds: 150,
    ..USUAL
};

fn link(input: &[u8], seen: &mut Seen) {
    let text = String::from_utf8_lossy(input);
    match Tape::decode(&text) {
        Ok(opened) => {
            let again = opened.tape.encode_all(&opened.view);
            // What is written is read, and shows the same world.
            let second = Tape::decode(&again).expect("what is written is read");
            assert_eq!(second.tape.hash(), opened.tape.hash());
            assert_eq!(second.tape.branches(), opened.tape.branches());
            seen.note((&opened.tape.scenario().id, opened.tape.actions().len().min(20)));
        }
        Err(why) => seen.note(format!("{why:?}").split('(').next()),
    }
}
