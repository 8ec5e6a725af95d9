//! A challenge that somebody works at: its world goes on by a little with each thing that they do.
//! What counts as done is judged by the world library.

use pillarbox_world::tape::{self, Challenge, Tape};

use super::{Source, Story};

/// How much passes before anything is done.
const BEFORE_MS: u64 = 1_000;

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
    let offered = |one: Challenge| Offered {
        id: one.id,
        number: one.number,
        title: one.title,
        task: one.task,
    };
    Challenge::all().into_iter().map(offered).collect()
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
    story.act(|source| source.pass(BEFORE_MS));
    Ok((challenge, story))
}

impl Story {
    /// How somebody gets on.
    #[must_use]
    pub fn progress(&self, challenge: &tape::Challenge) -> Progress {
        let (held, done) = self.source.tape().check(challenge);
        let texts = challenge.goals.iter().map(|goal| goal.text.clone());
        Progress { goals: texts.zip(held).collect(), done, par: challenge.par() }
    }
}
