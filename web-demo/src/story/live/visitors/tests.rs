//! Visitors are answered, heard to the end, let go and forgotten.

use super::*;
use crate::story::live::NO_ROOM;

fn visit(live: &mut Live, story: &mut Story, number: u32, by_hand: bool) -> Option<WireId> {
    live.arrived(story, number, format!("127.0.0.1:{number}"), Service { port: 25, by_hand })
}

#[test]
fn a_visitor_is_answered_by_the_engine_or_by_hand() {
    let (mut live, mut story) = Live::begin(0);
    live.arrived(&mut story, 1, "127.0.0.1:9".to_owned(), Service { port: 25, by_hand: false });
    let wire = live.conversations()[0].wire;
    assert_eq!(live.conversations()[0].who, "this page ← 127.0.0.1:9");
    let [Errand::Answer(_, 1, greeting)] = &live.pass(&mut story, 10)[..] else { panic!() };
    assert!(greeting.starts_with(b"220 engine.example "));
    live.visitor_said(&mut story, 1, b"QUIT\r\n");
    let errands = live.pass(&mut story, 20);
    let [Errand::Answer(_, 1, bye), Errand::Leave(_, 1)] = &errands[..] else {
        panic!("{errands:?}")
    };
    assert!(bye.starts_with(b"221 "));
    let explained = story.explain(wire, Dir::ToServer, 0, 4).expect("the engine read it");
    assert_eq!(explained.label, "verb");
    assert_eq!(live.unsimulated(&story, wire), None);

    live.arrived(&mut story, 2, "127.0.0.1:8".to_owned(), Service { port: 25, by_hand: true });
    let wire = live.conversations()[0].wire;
    assert_eq!(live.typing(&story, wire), Some((wire, Part::Server)));
    assert!(live.advice(&story, wire).is_some_and(|advice| advice.contains("220")));
    assert_eq!(live.pass(&mut story, 30), [], "nobody greets but who types");
    let would = live.would_say(&story, wire).expect("the engine reads along");
    assert!(would[0].starts_with("220 "), "{would:?}");
    live.say(&mut story, wire, b"220 me\r\n").expect("it is open");
    assert_eq!(live.pass(&mut story, 40), [Errand::Answer(wire, 2, b"220 me\r\n".to_vec())]);
    live.visitor_said(&mut story, 2, b"EHLO there\r\n");
    assert_eq!(story.octets(wire, Dir::ToServer, 0, 99), b"EHLO there\r\n");
    let explained = story.explain(wire, Dir::ToServer, 0, 4).expect("the engine read it");
    assert_eq!(explained.label, "verb");
    live.visitors_gone(&mut story);
    assert_eq!(live.typing(&story, wire), None);
}

#[test]
fn who_says_nothing_more_is_still_answered_by_hand() {
    let (mut live, mut story) = Live::begin(0);
    let wire = visit(&mut live, &mut story, 1, true).expect("there is room");
    live.visitor_said(&mut story, 1, b"QUIT\r\n");
    live.visitor_said(&mut story, 1, &[]);
    assert_eq!(live.pass(&mut story, 10), [], "nobody has answered yet");
    assert!(live.only_hears(wire));
    assert_eq!(live.typing(&story, wire), Some((wire, Part::Server)));
    live.say(&mut story, wire, b"220 me\r\n").expect("they still hear");
    let first = Errand::Answer(wire, 1, b"220 me\r\n".to_vec());
    assert_eq!(live.pass(&mut story, 20), [first]);
    live.say(&mut story, wire, b"221 bye\r\n").expect("they still hear");
    let last = Errand::Answer(wire, 1, b"221 bye\r\n".to_vec());
    assert_eq!(live.pass(&mut story, 40), [last, Errand::Leave(Some(wire), 1)]);
    assert_eq!(live.typing(&story, wire), None);
}

#[test]
fn who_is_gone_is_answered_no_longer() {
    let (mut live, mut story) = Live::begin(0);
    let wire = visit(&mut live, &mut story, 1, true).expect("there is room");
    live.visitor_said(&mut story, 1, b"HELO there\r\n");
    live.visitor_said(&mut story, 1, &[]);
    live.visitor_gone(&mut story, 1);
    assert_eq!(live.typing(&story, wire), None);
    assert!(!live.conversations()[0].open);
    assert_eq!(live.pass(&mut story, 10), [], "nobody is there to be let go");
}

#[test]
fn those_who_left_are_looked_at_no_more() {
    let (mut live, mut story) = Live::begin(0);
    let mut now = 0;
    for number in 1..=100 {
        let wire = visit(&mut live, &mut story, number, false).expect("there is room");
        now += 10;
        live.pass(&mut story, now);
        live.visitor_said(&mut story, number, b"QUIT\r\n");
        live.visitor_said(&mut story, number, &[]);
        now += 10;
        assert!(live.pass(&mut story, now).contains(&Errand::Leave(Some(wire), number)));
        assert!(live.visitors.is_empty(), "{number}");
        let who = &live.conversations()[0].who;
        assert!(who.starts_with("this page ← "), "it is still known whose it was: {who}");
    }
}

#[test]
fn who_says_too_much_is_let_go_and_that_is_told() {
    let (mut live, mut story) = Live::begin(0);
    let wire = visit(&mut live, &mut story, 1, true).expect("there is room");
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..SAID_MAX >> 20 {
        live.visitor_said(&mut story, 1, &piece);
        assert_eq!(live.take_notice(), None);
    }
    live.visitor_said(&mut story, 1, b"x");
    assert!(live.take_notice().is_some_and(|told| told.contains("16 MiB")));
    assert_eq!(live.pass(&mut story, 10), [Errand::Leave(Some(wire), 1)]);
    assert!(live.conversations()[0].lacks);
    assert_eq!(story.source().octets(wire, Dir::ToServer).len() as u64, SAID_MAX);
}

#[test]
fn for_whom_there_is_no_room_is_let_go_and_that_is_told() {
    let (mut live, mut story) = Live::begin(0);
    visit(&mut live, &mut story, 1, true).expect("there is room");
    live.visited_octets = u64::MAX;
    assert_eq!(visit(&mut live, &mut story, 2, true), None, "the first is still here");
    assert_eq!(live.take_notice(), Some(NO_ROOM));
    assert_eq!(live.pass(&mut story, 10), [Errand::Leave(None, 2)]);
    live.visitor_gone(&mut story, 1);
    assert!(visit(&mut live, &mut story, 3, true).is_some(), "the record began anew");
    assert_eq!(live.conversations().len(), 1);
}

/// Octets that come at once.
const FRAME: usize = 16 * 1024;

/// What each frame of a visitor's octets costs, with what a screen reads of it.
fn costs(said: &[u8]) -> Vec<usize> {
    let (mut live, mut story) = Live::begin(0);
    let wire = visit(&mut live, &mut story, 1, false).expect("there is room");
    let envelope = "EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@engine.example>\r\nDATA\r\n";
    for line in envelope.split_inclusive('\n') {
        live.visitor_said(&mut story, 1, line.as_bytes());
        live.pass(&mut story, 10);
    }
    let cost = |frame: &[u8]| {
        let look = || {
            live.visitor_said(&mut story, 1, frame);
            live.pass(&mut story, 20);
            let (all, shown) =
                story.spoken_within(wire, usize::MAX, |all| all.saturating_sub(64)..all);
            let last = shown.last().expect("something was said");
            assert!(all > 4);
            drop(story.explain(wire, last.dir, last.start, last.end));
            drop(story.tree(wire, last.dir, last.start));
            drop(story.rows(usize::MAX));
        };
        crate::story::work::during(look).1
    };
    said.chunks(FRAME).map(cost).collect()
}

#[test]
fn a_frame_costs_no_more_after_many() {
    let line = "All of the letter is this line, which is said again, again and again.\r\n";
    let body = format!("Subject: long\r\n\r\n{}", line.repeat((8 << 20) / line.len()));
    let endless = format!("Subject: {}", "x".repeat(4 << 20));
    for said in [body, endless] {
        let costs = costs(said.as_bytes());
        // As long as the message's beginning is taken apart, all of that is looked at again.
        let begun = crate::story::message::OCTETS_MAX / FRAME + 2;
        let (first, rest) = costs.split_at(begun);
        let most = |costs: &[usize]| costs.iter().copied().max().unwrap_or_default();
        assert!(most(first) < 3 * crate::story::message::OCTETS_MAX, "{:?}", most(first));
        assert!(most(rest) < 6 * FRAME, "{} {:?}", rest.len(), most(rest));
        assert!(rest.len() > 100 && rest.iter().all(|cost| *cost > FRAME), "it is counted");
    }
}
