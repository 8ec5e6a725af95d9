//! The laws of challenges: the start does not pass, the solution does, no part of it does, and no hint before the last
//! tells all of it.

use pillarbox_world::tape::{Challenge, Tape};
use pillarbox_world::world::{Action, Time};

/// The challenge with the first so many actions of its solution.
fn solved(challenge: &Challenge, actions: usize) -> Tape {
    let mut tape = challenge.start().expect("it begins");
    for (at, action) in challenge.solution.iter().take(actions) {
        tape.run_to(*at);
        tape.act(action.clone())
            .unwrap_or_else(|why| panic!("{}: {why}: {action:?}", challenge.id));
    }
    let last = challenge.solution.last().map_or(Time(0), |(at, _)| *at);
    let end = Time(last.0.max(tape.now().0) + challenge.wait_ms);
    tape.run_to(end);
    tape
}

#[test]
fn every_solution_solves_and_no_part_of_it_does() {
    let all = Challenge::all();
    assert!(all.len() >= 15);
    for challenge in &all {
        let id = &challenge.id;
        assert_eq!(challenge.solution.len(), challenge.par());
        for actions in 0..challenge.solution.len() {
            let (achieved, own) = solved(challenge, actions).check(challenge);
            assert_eq!(own, actions);
            assert!(achieved.contains(&false), "{id}: {actions} of {} do it", challenge.par());
        }
        let tape = solved(challenge, challenge.par());
        let (achieved, _) = tape.check(challenge);
        let missing: Vec<&str> = challenge
            .goals
            .iter()
            .zip(&achieved)
            .filter(|(_, achieved)| !**achieved)
            .map(|(goal, _)| &goal.text[..])
            .collect();
        if !missing.is_empty() {
            println!("{}", pillarbox_world::tape::export::transcript(tape.world(), true));
        }
        assert!(missing.is_empty(), "{id}: {missing:?}");
        // And it can be shared half done.
        let link = tape.encode("");
        let opened = Tape::decode(&link).unwrap_or_else(|why| panic!("{id}: {why}"));
        assert_eq!(opened.tape.hash(), tape.hash(), "{id}");
    }
}

#[test]
fn no_hint_before_the_last_tells_all() {
    for challenge in Challenge::all() {
        let typed: Vec<String> = challenge
            .solution
            .iter()
            .filter_map(|(_, action)| match action {
                Action::Type { octets, .. } => {
                    Some(String::from_utf8_lossy(octets).trim_end().to_owned())
                }
                Action::AddFault(text) | Action::Imap { order: text, .. } => Some(text.clone()),
                _ => None,
            })
            .collect();
        for hint in &challenge.hints[..challenge.hints.len() - 1] {
            let tells_all = typed.len() > 1 && typed.iter().all(|line| hint.contains(line));
            assert!(!tells_all, "{}: {hint}", challenge.id);
            assert!(!hint.is_empty());
        }
    }
}

#[test]
fn nothing_is_achieved_before_anything_is_done() {
    for challenge in Challenge::all() {
        let mut tape = challenge.start().expect("it begins");
        for seconds in [1, 15, 60] {
            tape.run_to(Time(seconds * 1000));
            let (achieved, _) = tape.check(&challenge);
            assert!(!achieved.contains(&true), "{} after {seconds} s: {achieved:?}", challenge.id);
        }
    }
}

#[test]
fn a_challenge_names_a_door_that_is_there() {
    for challenge in Challenge::all() {
        let connects = challenge.solution.iter().find_map(|(_, action)| match action {
            Action::Connect { port, .. } => Some(*port),
            _ => None,
        });
        assert!(connects.is_none() || challenge.door == connects, "{}", challenge.id);
        if let Some(door) = challenge.door {
            let nodes = challenge.start().expect("it begins").world().nodes();
            assert!(nodes.iter().any(|node| node.ports.contains(&door)), "{}", challenge.id);
        }
    }
}
