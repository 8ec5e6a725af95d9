//! The numbered steps of the book's figure, in the log and on the map.

use pillarbox_world::tape::Moment;
use pillarbox_world::world::{Dir, Entry, Fate, NodeId, Screen, What};

use super::Story;
use super::layout::{Map, Spot};

/// A step's number on the map.
#[derive(Clone, Debug, PartialEq)]
pub struct Badge {
    /// The step's number.
    pub number: usize,
    /// From the left.
    pub x: f32,
    /// From the top.
    pub y: f32,
    /// The cursor at which it has come; none: it never does.
    pub reached: Option<usize>,
}

impl Story {
    /// The entry of each step, each after that of the one before, up to the first that does not come.
    pub(super) fn find_steps(&self) -> Vec<usize> {
        let (mut found, mut from) = (Vec::new(), 0);
        for step in &self.source.tape().scenario().steps {
            let rest = self.entries.iter().enumerate().skip(from);
            let mut fitting = rest.filter(|(at, entry)| self.is_moment(&step.moment, *at, entry));
            let Some((at, _)) = fitting.next() else { break };
            found.push(at);
            from = at + 1;
        }
        found
    }

    fn is_moment(&self, moment: &Moment, at: usize, entry: &Entry) -> bool {
        let is =
            |id: Option<NodeId>, name: &String| id.is_some() && id == self.source.node_named(name);
        match (moment, &entry.what) {
            (Moment::Writes(device), What::Screen(Screen::Sending { .. }))
            | (Moment::Shows(device), What::Screen(Screen::Got { .. })) => is(entry.node, device),
            (Moment::Queues(server), What::Queue(queue)) => {
                matches!(queue.fate, Fate::Queued) && is(entry.node, server)
            }
            (Moment::Connects(from, server), What::Connect { to, .. }) => {
                is(entry.node, from) && is(Some(*to), server)
            }
            (Moment::Hands(from, server), What::Octets { dir: Dir::ToServer, .. }) => {
                let talk = entry.wire.and_then(|wire| self.whole.wires.get(&wire));
                talk.is_some_and(|talk| {
                    is(Some(talk.client), from) && is(Some(talk.server), server)
                }) && self.carries_message(at + 1)
            }
            (Moment::Stores(server), What::Mailbox(mailbox)) => {
                mailbox.count > mailbox.before && is(entry.node, server)
            }
            _ => false,
        }
    }

    /// Where the numbers of the steps stand on a map.
    #[must_use]
    pub fn badges(&self, map: &Map) -> Vec<Badge> {
        let spot = |name: &String| map.spots.get(&self.source.node_named(name)?.0).copied();
        let steps = self.source.tape().scenario().steps.iter().enumerate();
        let badge = |(at, step): (usize, &pillarbox_world::tape::Step)| {
            let (x, y) = match &step.moment {
                Moment::Writes(name) | Moment::Shows(name) => corner(&spot(name)?, 0.0),
                Moment::Queues(name) => corner(&spot(name)?, QUEUE_Y),
                Moment::Stores(name) => corner(&spot(name)?, MAILBOX_Y),
                Moment::Connects(from, to) => along(&spot(from)?, &spot(to)?, 0.2),
                Moment::Hands(from, to) => along(&spot(from)?, &spot(to)?, 0.8),
            };
            let reached = self.steps.get(at).map(|index| index + 1);
            Some(Badge { number: at + 1, x, y, reached })
        };
        steps.filter_map(badge).collect()
    }
}

/// Where a server's queue is drawn, below its upper edge.
const QUEUE_Y: f32 = 45.0;
/// Where its first mailbox is.
const MAILBOX_Y: f32 = 69.0;

fn corner(spot: &Spot, down: f32) -> (f32, f32) {
    (spot.x - spot.w / 2.0, spot.y - spot.h / 2.0 + down)
}

fn along(from: &Spot, to: &Spot, share: f32) -> (f32, f32) {
    let ((x0, y0), (x1, y1)) = (from.edge(to), to.edge(from));
    (x0 + (x1 - x0) * share, y0 + (y1 - y0) * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_books_six_steps_are_six_numbered_entries() {
        let story = Story::scenario("alice-to-bob").expect("it exists");
        let rows = story.rows(usize::MAX);
        let numbers: Vec<usize> = rows.iter().filter_map(|row| row.number).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
        let badges = story.badges(&story.map(false));
        assert_eq!(badges.len(), 6);
        let reached: Vec<_> = badges.iter().map(|badge| badge.reached.expect("it comes")).collect();
        assert!(reached.is_sorted(), "{reached:?}");
        for (at, badge) in badges.iter().enumerate() {
            for other in &badges[at + 1..] {
                let apart = (badge.x - other.x).hypot(badge.y - other.y);
                assert!(apart > 22.0, "{badge:?} {other:?}");
            }
        }
    }

    #[test]
    fn steps_of_scenarios_name_nodes_that_are_there() {
        for listed in crate::story::scenarios() {
            let story = Story::scenario(&listed.id).expect("a listed scenario");
            let steps = story.source.tape().scenario().steps.len();
            assert_eq!(story.steps.len(), steps, "{}: every step comes", listed.id);
            assert_eq!(story.badges(&story.map(true)).len(), steps, "{}", listed.id);
        }
    }
}
