//! A challenge that somebody works at: its world goes on by a little with each thing that they do.
//! What counts as done is judged by the world library.

use pillarbox_world::tape::{self, Challenge, Heading, Tape};
use pillarbox_world::world::{Action, Time};

use super::{Source, Story};

/// A challenge in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    /// Its name in links.
    pub id: String,
    /// Its place.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// What to do.
    pub task: String,
}

/// All challenges.
#[must_use]
pub fn all() -> Vec<Offered> {
    let offered = |one: Heading| Offered {
        id: one.id.to_owned(),
        number: one.number,
        title: one.title,
        task: one.says,
    };
    Challenge::headings().map(offered).collect()
}

/// The challenge whose world a story is, if it is one's.
#[must_use]
pub fn of(story: &Story) -> Option<Challenge> {
    Challenge::find(story.source().tape().scenario().of_challenge()?)
}

/// How somebody gets on with a challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is to be achieved, and whether it is.
    pub goals: Vec<(String, bool)>,
    /// What was done so far.
    pub done: usize,
    /// The fewest things that are known to do it.
    pub par: usize,
}

/// A challenge and its world.
///
/// # Errors
/// There is none of this name, or it makes no sense.
pub fn begin(id: &str) -> Result<(Challenge, Story), String> {
    let challenge = Challenge::find(id).ok_or_else(|| format!("None is called {id}."))?;
    let tape: Tape = challenge.start()?;
    let mut story = Story::of(Source::of(tape));
    settle(&challenge, &mut story);
    Ok((challenge, story))
}

/// A challenge whose world somebody shared, as they left it.
#[must_use]
pub fn resume(mut story: Story) -> Option<(Challenge, Story)> {
    let challenge = of(&story)?;
    settle(&challenge, &mut story);
    Some((challenge, story))
}

/// Lets what is there to begin with come about: the stored solution begins when it has.
fn settle(challenge: &Challenge, story: &mut Story) {
    if let Some((begins, _)) = challenge.solution.first() {
        story.act(|source| source.pass_to(*begins));
    }
}

/// The world once a challenge is solved. It tells what lies where, and is not looked at for how that came.
///
/// # Errors
/// It cannot be solved in the way that is stored, which a test of the world finds first.
pub fn goal(challenge: &Challenge) -> Result<Story, String> {
    Ok(Story::of(Source::of(challenge.after(&challenge.solution)?)))
}

impl Story {
    /// Takes back what was done last; false: nothing was done.
    pub fn undo(&mut self) -> bool {
        self.act(Source::take_back)
    }

    /// What lies where, of which there are how many, and how many are unread.
    fn holdings(&self) -> impl Iterator<Item = (String, u64, u64)> {
        self.nodes()
            .iter()
            .filter_map(|node| Some((node, self.whole.nodes.get(&node.id)?)))
            .flat_map(|(node, place)| {
                let boxes = place.mailboxes.iter().map(|((account, name), (count, unread))| {
                    (format!("{account}, {name}"), *count, *unread)
                });
                let queue = (format!("queue of {}", node.title), place.queue, 0);
                let screen = (format!("screen of {}", node.title), place.shown, 0);
                boxes.chain([queue, screen])
            })
    }

    /// What there is to reach, in words: what will lie elsewhere than in this world, or where nothing will, what counts.
    #[must_use]
    pub fn wanted(&self, challenge: &Challenge, goal: &Self) -> Vec<String> {
        let unlike = self.unlike(challenge, goal);
        match unlike.is_empty() {
            true => challenge.goals.iter().map(|goal| goal.text.clone()).collect(),
            false => unlike,
        }
    }

    /// What lies elsewhere than in this world once the goal is reached, in words. What time alone brings about is not
    /// among it: the worlds are compared at one age.
    #[must_use]
    pub fn unlike(&self, challenge: &Challenge, goal: &Self) -> Vec<String> {
        let done = self.source.tape().actions().iter().filter(|planned| !planned.scripted);
        let done: Vec<(Time, Action)> =
            done.map(|planned| (planned.at, planned.action.clone())).collect();
        let later = challenge.after(&done).map(|tape| Self::of(Source::of(tape)));
        let own: Vec<_> = later.as_ref().unwrap_or(self).holdings().collect();
        let changed = goal.holdings().filter(|(place, count, unread)| {
            let before = own.iter().find(|(known, ..)| known == place);
            before.map_or((0, 0), |before| (before.1, before.2)) != (*count, *unread)
        });
        let words = |(place, count, unread): (String, u64, u64)| match (count, unread) {
            (0, _) => format!("{place}: nothing"),
            (1, 0) => format!("{place}: 1 message"),
            (1, _) => format!("{place}: 1 message, unread"),
            (_, 0) => format!("{place}: {count} messages"),
            _ => format!("{place}: {count} messages, {unread} unread"),
        };
        changed.map(words).collect()
    }

    /// How somebody gets on.
    #[must_use]
    pub fn progress(&self, challenge: &tape::Challenge) -> Progress {
        let (held, done) = self.source.tape().check(challenge);
        let texts = challenge.goals.iter().map(|goal| goal.text.clone());
        Progress { goals: texts.zip(held).collect(), done, par: challenge.par() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::seen::Seen;

    #[test]
    fn what_is_wanted_is_what_no_waiting_brings() {
        for Offered { id, .. } in all() {
            let (challenge, mut story) = begin(&id).expect("it is there");
            let goal = goal(&challenge).expect("it is solved");
            let wanted = story.wanted(&challenge, &goal);
            assert!(!wanted.is_empty(), "{id}");
            story.act(|source| source.pass(60_000));
            assert_eq!(story.wanted(&challenge, &goal), wanted, "{id}");
        }
    }

    #[test]
    fn a_challenge_opens_on_what_its_task_tells_of() {
        let all = [
            (
                "subjects-for-little",
                vec![
                    "The first subject came",
                    "The second subject came",
                    "You asked for subjects alone",
                    "Less than 6,000 octets came to the laptop",
                ],
            ),
            (
                "cut-the-line",
                vec!["You marked it", "The wire was cut", "Nothing is gone", "No RSET", "No QUIT"],
            ),
            ("find-it", vec!["The server searched", "It found message 2", "You fetched nothing"]),
            (
                "file-the-invoice",
                vec![
                    "bob@hamburger.edu, INBOX: 1 message, unread",
                    "bob@hamburger.edu, Work: 1 message, unread",
                ],
            ),
            ("forged-from", vec!["mallory@hamburger.edu, INBOX: 1 message, unread"]),
            ("prove-altered", vec!["carol@hamburger.edu, INBOX: 1 message, unread"]),
        ];
        for (id, words) in all {
            let (challenge, story) = begin(id).expect("it is there");
            let goal = goal(&challenge).expect("it is solved");
            assert_eq!(story.wanted(&challenge, &goal), words, "{id}");
        }
        let inbox = |story: &Story| {
            let mut all = story.holdings();
            all.find(|(place, ..)| place == "bob@hamburger.edu, INBOX").map(|(_, count, _)| count)
        };
        let (_, story) = begin("subjects-for-little").expect("it is there");
        assert_eq!(inbox(&story), Some(2), "the task tells of two messages");
        let link = story.source().link(&Seen::default()).expect("it is short");
        let (shared, _) = Story::shared(&link).expect("it opens");
        let (_, shared) = resume(shared).expect("it is a challenge's");
        assert_eq!(inbox(&shared), Some(2), "where nothing was done, too");
    }

    #[test]
    fn a_goal_tells_what_lies_elsewhere_until_it_does() {
        let (challenge, mut story) = begin("seven-bit-hop").expect("it is there");
        let goal = goal(&challenge).expect("it is solved");
        assert_eq!(
            story.unlike(&challenge, &goal),
            ["bob@hamburger.edu, INBOX: 2 messages, 2 unread"]
        );
        for (_, action) in &challenge.solution {
            story.perform(action.clone()).expect("it can be done");
        }
        assert_eq!(story.unlike(&challenge, &goal), [""; 0]);
        let achieved = |story: &Story| {
            let progress = story.progress(&challenge);
            (progress.goals.iter().filter(|(_, held)| *held).count(), progress.done)
        };
        assert_eq!(achieved(&story), (3, 2));
        assert!(story.undo());
        assert_eq!(achieved(&story), (2, 1));
        assert_eq!(story.source().tape().branches().0.len(), 2, "what was taken back is kept");
        assert!(story.undo() && !story.undo());
        assert_eq!(achieved(&story), (0, 0));
    }
}
