//! Two branches of a story side by side: what is the same in both is left out, and what each comes to stands at the
//! end.

use pillarbox_world::world::Time;

use super::layout::Kind;
use super::words::Mark;
use super::{SequenceRow, Story, words};

/// Rows of a comparison that are shown.
const PAIRS_MAX: usize = 100;

/// What one branch tells in a row: words, and how they are marked.
pub type Told = Option<(String, Mark)>;

/// Two branches beside each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// Their names.
    pub names: [String; 2],
    /// Things that happen in both before they part.
    pub same: usize,
    /// What happens then, by time: the time of day, and what each tells.
    pub rows: Vec<(String, [Told; 2])>,
    /// What each comes to.
    pub ends: [Vec<String>; 2],
}

impl Story {
    /// The two branches of these numbers, side by side.
    #[must_use]
    pub fn beside(&self, branches: [usize; 2]) -> Option<Beside> {
        let (names, _) = self.source.branches();
        let both = branches.map(|branch| self.source.alone(branch).map(Self::of));
        let [Some(one), Some(other)] = both else { return None };
        let alike = one.rows.all.iter().zip(&other.rows.all);
        let same =
            alike.take_while(|(one, other)| one.text == other.text && one.clock == other.clock);
        let same = same.count();
        Some(Beside {
            names: branches.map(|branch| names.get(branch).cloned().unwrap_or_default()),
            same,
            rows: pairs([&one, &other], same),
            ends: [one.comes_to(), other.comes_to()],
        })
    }

    fn at(&self, row: &SequenceRow) -> Time {
        self.entries.get(row.from).map_or(Time(0), |entry| entry.at)
    }

    /// What every server holds in the end.
    fn comes_to(&self) -> Vec<String> {
        let world = self.source.tape().world();
        let servers = self.nodes().iter().filter(|node| node.kind == Kind::Server);
        let held = servers.map(|node| {
            let boxes = world.mailboxes(node.id).into_iter();
            let messages: u64 = boxes.map(|row| row.count).sum();
            let queued = world.queue(node.id).len();
            format!("{}: {messages} in mailboxes, {queued} in the queue", node.title)
        });
        held.collect()
    }
}

/// The rows of both behind those that are the same, by time; what happens in both at one time is one row.
fn pairs(both: [&Story; 2], same: usize) -> Vec<(String, [Told; 2])> {
    let mut rests = both.map(|story| story.rows.all[same..].iter().peekable());
    let mut rows = Vec::new();
    while rows.len() < PAIRS_MAX {
        let next = [0, 1].map(|side| rests[side].peek().map(|row| both[side].at(row)));
        let Some(first) = next.into_iter().flatten().min() else { break };
        let mut told: [Told; 2] = [None, None];
        for side in [0, 1] {
            if next[side] == Some(first)
                && let Some(row) = rests[side].next()
            {
                told[side] = Some((row.text.clone(), row.mark));
            }
        }
        rows.push((words::clock(both[0].start_unix_ms(), first), told));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use pillarbox_world::world::Action;

    #[test]
    fn two_branches_part_where_the_fault_was_removed() {
        let mut story = Story::scenario("after-the-dot").expect("it is listed");
        story.act(|source| {
            source.act_at(6, Action::RemoveFault(1)).expect("there is one");
            source.tell_all();
        });
        let beside = story.beside([0, 1]).expect("there are two");
        assert_eq!(beside.names, ["A", "B"]);
        assert!(beside.same > 0, "they begin alike");
        let ends = beside.ends.each_ref().map(|end| end.join("; "));
        assert!(ends[0].contains("hamburger.edu: 2 in mailboxes"), "{ends:?}");
        assert!(ends[1].contains("hamburger.edu: 1 in mailboxes"), "{ends:?}");
        let side = |at: usize| {
            let told = beside.rows.iter().filter_map(|(_, told)| told[at].as_ref());
            told.map(|(text, _)| &text[..]).collect::<Vec<_>>().join("; ")
        };
        assert!(side(0).contains("A fault strikes") && !side(1).contains("A fault strikes"));
        assert!(beside.rows.iter().any(|(_, told)| told.iter().all(Option::is_some)));
        // Looking changes nothing, and a branch is the same as itself.
        assert_eq!(story.source().branches().1, 1);
        let twice = story.beside([1, 1]).expect("it is there");
        assert!(twice.rows.is_empty());
        assert_eq!(story.beside([0, 7]), None);
    }
}
