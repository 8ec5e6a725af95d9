//! What the page shows of every scenario is what its world holds, and going to and fro changes nothing.

use pillarbox_web::story::hands::{PORTS, Part, Wish, begin};
use pillarbox_web::story::layout::Kind;
use pillarbox_web::story::{Story, Stride, scenarios};
use pillarbox_world::world::Dir;

fn all() -> Vec<(String, Story)> {
    let ids = scenarios().into_iter().map(|listed| listed.id);
    ids.map(|id| (id.clone(), Story::scenario(&id).expect("a listed scenario"))).collect()
}

#[test]
fn the_map_ends_with_what_the_world_holds() {
    let stories = all();
    assert!(stories.len() >= 8);
    for (id, story) in stories {
        let scene = story.scene(usize::MAX);
        let world = story.source().tape().world();
        for node in story.nodes().iter().filter(|node| node.kind == Kind::Server) {
            let place = scene.nodes.get(&node.id).cloned().unwrap_or_default();
            for row in world.mailboxes(node.id) {
                let key = (row.account.clone(), row.name.clone());
                let shown = place.mailboxes.get(&key).copied().unwrap_or_default();
                assert_eq!(shown, (row.count, row.unseen), "{id}: {key:?} at {}", node.name);
            }
            let view = world.nodes().into_iter().find(|view| view.id == node.id);
            let queued = view.map_or(0, |view| view.queue_length);
            assert_eq!(place.queue, queued, "{id}: the queue of {}", node.name);
        }
    }
}

#[test]
fn steps_go_forth_and_back_the_same_way() {
    for (id, story) in all() {
        let mut forth = vec![0];
        while let Some(next) = story.next(forth[forth.len() - 1], Stride::Step) {
            assert!(next > forth[forth.len() - 1], "{id}");
            forth.push(next);
        }
        let mut back = vec![forth[forth.len() - 1]];
        while back[back.len() - 1] > 0 {
            back.push(story.previous(back[back.len() - 1], Stride::Step));
        }
        back.reverse();
        assert_eq!(forth, back, "{id}");
    }
}

#[test]
fn each_longer_stride_ends_where_a_shorter_one_does() {
    for (id, story) in all() {
        let ends = |stride| {
            let next = |cursor: &usize| story.next(*cursor, stride);
            std::iter::successors(next(&0), next).collect::<Vec<_>>()
        };
        let (entries, steps) = (ends(Stride::Entry), ends(Stride::Step));
        assert_eq!(entries.len(), story.entries().len(), "{id}");
        for stride in [Stride::Turn, Stride::Connection] {
            let far = ends(stride);
            assert!(far.iter().all(|end| steps.contains(end)), "{id}: {stride:?}");
            assert!(far.is_empty() || far.len() < steps.len(), "{id}: {stride:?}");
        }
        // What is waited for between steps is all the time there is.
        let waited: u64 = [0].iter().chain(&steps).map(|cursor| story.silence(*cursor)).sum();
        let last = steps.last().map_or(0, |last| story.entries()[last - 1].at.0);
        assert_eq!(waited, last, "{id}");
    }
}

#[test]
fn lines_are_their_octets_and_pieces_leave_no_gap() {
    for (id, story) in all() {
        let scene = story.scene(usize::MAX);
        for wire in scene.wires.keys() {
            for dir in Dir::BOTH {
                let said: Vec<_> = story
                    .spoken(*wire, usize::MAX)
                    .into_iter()
                    .filter(|line| line.dir == dir)
                    .collect();
                let mut at = 0;
                for line in said {
                    assert_eq!(line.start, at, "{id}: {wire:?} {dir:?}");
                    for piece in &line.pieces {
                        assert_eq!(piece.start, at, "{id}: {wire:?} {dir:?}");
                        at = piece.end;
                    }
                    assert_eq!(line.end, at, "{id}: {wire:?} {dir:?}");
                    let explained = story.explain(*wire, dir, line.start, line.start + 1);
                    let sealed = scene.wires[wire].secured;
                    assert!(explained.is_some() || sealed, "{id}: {wire:?} {dir:?} {}", line.start);
                }
            }
        }
    }
}

#[test]
fn whatever_is_offered_can_be_said() {
    for (port, name) in PORTS {
        for part in [Part::Client, Part::Server] {
            let wish = Wish { part, port, textbook: false };
            let mut story = begin(wish);
            let standing = story.standing(wish);
            assert!(standing.open, "{name} {part:?}: there is a connection");
            let offers = story.sayable(standing.wire, part);
            let Some(offer) = offers.first() else { continue };
            let before = story.entries().len();
            story.say(part, format!("{}\r\n", offer.example).as_bytes()).expect("it is open");
            assert!(story.entries().len() > before);
            assert_eq!(
                story.typed_last().map(|octets| octets.len()),
                Some(offer.example.len() + 2)
            );
            story.take_back(wish);
            assert_eq!(story.entries().len(), before, "{name} {part:?}: taken back");
        }
    }
}
