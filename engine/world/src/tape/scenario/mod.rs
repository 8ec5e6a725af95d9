//! Scenarios: what a world begins with, what is done to it, and what a reader should notice.
//! They are files; what stands in them is left to `read`.

mod files;
mod own;
mod random;
mod read;
mod step;
pub mod toml;
mod write;

use super::file::{self, File, Heading};
use crate::world::{Action, Persona, Setup, Time};

pub use own::{LINKS_MAX, NODES_MAX, TEXT_MAX, USERS_MAX, is_name};
pub use step::{Moment, Step};

pub(crate) use read::{action as read_action, table as read_table};

/// A scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scenario {
    /// Its name in links; also that of its file.
    pub id: String,
    /// Its place in the list.
    pub number: u64,
    /// Raised by every change after which a link to it may mean something else.
    pub version: u64,
    /// Its title.
    pub title: String,
    /// Where the lecture has it.
    pub book: String,
    /// What a reader will have understood, in one sentence.
    pub goal: String,
    /// What to look at.
    pub notice: Vec<String>,
    /// The book's numbered steps, in their order.
    pub steps: Vec<Step>,
    /// Whether passwords are shown, since that they can be read is what the scenario is about.
    pub shows_secrets: bool,
    /// The challenge to go on with, by its name; empty: any.
    pub then: String,
    /// Questions before the answer shows.
    pub predictions: Vec<Prediction>,
    /// Harder networks for the same story.
    pub variants: Vec<Variant>,
    /// What the world begins with.
    pub setup: Setup,
    /// What is done, by time.
    pub script: Vec<(Time, Action)>,
    /// The text of one that is somebody's own; links hold it.
    pub(super) text: String,
}

/// Worlds of the page's labs, which have no place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lab {
    /// Somebody types at one end of a connection.
    ByHand,
    /// The same, with a server that uses the book's words.
    ByTheBook,
    /// One mailbox, reached in many ways.
    Access,
}

impl Lab {
    const ALL: [Self; 3] = [Self::ByHand, Self::ByTheBook, Self::Access];

    /// Its name in links.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::ByHand => "by-hand",
            Self::ByTheBook => "by-the-book",
            Self::Access => "access",
        }
    }
}

/// The name of worlds that are somebody's own; in links their text follows it.
const OWN: &str = "own";

/// The world in which what was recorded is said again.
const RECORDED: &str = "recorded";

/// The server that uses the book's words.
const BOOKISH: &str = "hamburger.edu";

/// How hard a scenario's network is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As the scenario has it.
    #[default]
    Perfect,
    /// As networks are.
    Rough,
    /// As bad as they get.
    Hostile,
}

/// A harder network for the same story.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variant {
    /// How hard.
    pub level: Level,
    /// What is different, in a sentence.
    pub notice: String,
    /// Faults, in their text form, in place of the scenario's own.
    pub faults: Vec<String>,
}

/// A question before the answer shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prediction {
    /// When play pauses for it.
    pub at: Time,
    /// The question.
    pub question: String,
    /// Answers to choose from.
    pub choices: Vec<String>,
    /// The right one, from 0.
    pub right: usize,
    /// Why.
    pub because: String,
}

impl Scenario {
    /// A scenario from its text.
    ///
    /// # Errors
    /// The line, and what is wrong with it.
    pub fn parse(id: &str, text: &str) -> Result<Self, String> {
        let read = read::scenario(text, &files::base).map_err(|why| format!("{id}: {why}"))?;
        Ok(Self { id: id.to_owned(), ..read })
    }

    /// The names and texts of all scenarios, in their order; only of those whose texts are there.
    pub fn texts() -> impl Iterator<Item = (&'static str, &'static str)> {
        files::SCENARIOS.iter().filter_map(|file| Some((file.name, file.text()?)))
    }

    /// What a list says of each scenario, in their order.
    pub fn headings() -> impl Iterator<Item = Heading> {
        files::SCENARIOS.iter().filter_map(File::heading)
    }

    /// All scenarios, in their order; only those whose texts are there.
    ///
    /// # Panics
    /// If one of them makes no sense, which a test finds before anybody else can.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let all: Result<_, String> =
            Self::texts().map(|(id, text)| Self::parse(id, text)).collect();
        all.expect("a test reads every scenario")
    }

    /// The scenario of this name, or of this number; none as well: its text is not there yet.
    #[must_use]
    pub fn find(id: &str) -> Option<Self> {
        let file = file::find(files::SCENARIOS, id)?;
        Self::parse(file.name, file.text()?).ok()
    }

    /// The scenario that a link names: one of these, the world of a challenge (`challenge:say-helo`), of a lab ([`Lab`]), of
    /// a recording (`recorded`), a world that a seed makes up (`random:17`), or one of somebody's own (`own:` and its text).
    #[must_use]
    pub fn named(id: &str) -> Option<Self> {
        if id == RECORDED {
            return Some(Self::recorded());
        }
        if let Some(lab) = Lab::ALL.into_iter().find(|lab| lab.id() == id) {
            return Some(Self::lab(lab));
        }
        if let Some(text) = id.strip_prefix(OWN).and_then(|rest| rest.strip_prefix(':')) {
            return Self::own(text).ok();
        }
        if let Some(seed) = id.strip_prefix("random:") {
            return Some(Self::random(seed.parse().ok()?));
        }
        match id.strip_prefix("challenge:") {
            Some(name) => Some(super::Challenge::find(name)?.scenario),
            None => Self::find(id),
        }
    }

    /// The world in which a [`Recording`](super::Recording) is said again.
    ///
    /// # Panics
    /// If it makes no sense, which a test would find, or was not given yet.
    #[must_use]
    pub fn recorded() -> Self {
        Self::world(RECORDED, RECORDED)
    }

    /// The world in which what is said outside is kept: nobody is in it yet.
    ///
    /// # Panics
    /// If it makes no sense, which a test would find, or was not given yet.
    #[must_use]
    pub fn live() -> Self {
        Self::world("live", "live")
    }

    fn world(id: &str, name: &str) -> Self {
        let text = files::world(name).expect("whoever keeps texts elsewhere gives them at first");
        Self::parse(id, text).expect("a test reads each of these worlds")
    }

    /// The world of a lab.
    ///
    /// # Panics
    /// If it makes no sense, which a test would find, or was not given yet.
    #[must_use]
    pub fn lab(lab: Lab) -> Self {
        let name = if lab == Lab::Access { "access" } else { "by-hand" };
        let mut scenario = Self::world(lab.id(), name);
        if lab == Lab::ByTheBook {
            let servers = scenario.setup.nodes.iter_mut().filter(|node| node.name == BOOKISH);
            servers.for_each(|node| node.persona = Persona::Textbook);
        }
        scenario
    }

    /// What links name it by, which [`Scenario::named`] takes.
    pub(super) fn link_name(&self) -> String {
        if self.is_own() { format!("{OWN}:{}", self.text) } else { self.id.clone() }
    }

    /// The lab whose world it is.
    #[must_use]
    pub fn of_lab(&self) -> Option<Lab> {
        Lab::ALL.into_iter().find(|lab| lab.id() == self.id)
    }

    /// The challenge whose world it is, by name.
    #[must_use]
    pub fn of_challenge(&self) -> Option<&str> {
        self.id.strip_prefix("challenge:")
    }

    /// Whether it plans nothing, so that all that happens is what somebody does. A recording is what a program did.
    #[must_use]
    pub fn is_unplanned(&self) -> bool {
        self.script.is_empty() && self.id != RECORDED
    }

    /// A world that a seed makes up: servers, people, mail, faults and crashes, all of which end after a while.
    #[must_use]
    pub fn random(seed: u64) -> Self {
        random::scenario(seed)
    }

    /// The faults of a level, in place of those that the scenario has itself; none: it has no such level.
    #[must_use]
    pub fn faults_of(&self, level: Level) -> Option<&[String]> {
        let variant = self.variants.iter().find(|variant| variant.level == level);
        variant.map(|variant| &variant.faults[..])
    }
}
