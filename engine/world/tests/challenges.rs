//! The laws of challenges: the start does not pass, the solution does, no part of it does, and no hint before the last
//! tells all of it.

use pillarbox_world::tape::{Challenge, Tape};
use pillarbox_world::world::{Action, Time};

/// The challenge with the first so many actions of a way to solve it.
fn solved(challenge: &Challenge, way: &[(Time, Action)], actions: usize) -> Tape {
    let tape = challenge.after(&way[..actions]);
    tape.unwrap_or_else(|why| panic!("{}: {why}", challenge.id))
}

/// The ways to solve it that are stored.
fn ways(challenge: &Challenge) -> impl Iterator<Item = &[(Time, Action)]> {
    let all = [&challenge.solution[..], &challenge.other[..]];
    all.into_iter().filter(|way| !way.is_empty())
}

#[test]
fn every_solution_solves_and_no_part_of_it_does() {
    let all = Challenge::all();
    assert!(all.len() >= 15);
    for challenge in &all {
        let id = &challenge.id;
        assert_eq!(challenge.solution.len(), challenge.par());
        assert!(
            ways(challenge).all(|way| way.len() >= challenge.par()),
            "{id}: the first is the shortest"
        );
        for way in ways(challenge) {
            only_the_whole_solves(challenge, way);
        }
    }
}

fn only_the_whole_solves(challenge: &Challenge, way: &[(Time, Action)]) {
    let id = &challenge.id;
    for actions in 0..way.len() {
        let (achieved, own) = solved(challenge, way, actions).check(challenge);
        assert_eq!(own, actions);
        assert!(achieved.contains(&false), "{id}: {actions} of {} do it", way.len());
    }
    let mut tape = solved(challenge, way, way.len());
    let (achieved, _) = tape.check(challenge);
    let goals = challenge.goals.iter().zip(&achieved);
    let missing: Vec<&str> =
        goals.filter(|(_, achieved)| !**achieved).map(|(goal, _)| &goal.text[..]).collect();
    if !missing.is_empty() {
        println!("{}", pillarbox_world::tape::export::transcript(tape.world(), true));
    }
    assert!(missing.is_empty(), "{id}: {missing:?}");
    // It can be shared, also half done.
    let link = tape.encode("");
    let opened = Tape::decode(&link).unwrap_or_else(|why| panic!("{id}: {why}"));
    assert_eq!(opened.tape.hash(), tape.hash(), "{id}");
    // What was done last can be taken back, which is as if it had never been done; that it was is kept.
    let (at, _) = way[way.len() - 1];
    let mut without = challenge.start().expect("it begins");
    for (at, action) in &way[..way.len() - 1] {
        without.run_to(*at);
        without.act(action.clone()).expect("it could be done before");
    }
    without.run_to(at);
    let end = tape.now();
    assert!(tape.take_back(), "{id}");
    assert_eq!(tape.now(), at, "{id}");
    assert_eq!(tape.hash(), without.hash(), "{id}: taken back");
    assert_eq!(tape.check(challenge).1, way.len() - 1, "{id}");
    assert_eq!(tape.branches().0.len(), 2, "{id}");
    tape.run_to(end);
    tape.switch(0);
    let (achieved, own) = tape.check(challenge);
    assert!(own == way.len() && !achieved.contains(&false), "{id}: what was taken back is there");
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
