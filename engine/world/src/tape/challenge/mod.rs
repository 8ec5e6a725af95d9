//! Challenges: a world, something to achieve in it, hints, and a solution that a test replays.
//! They are files; what counts as achieved is a closed set of tests in `goal`.

mod files;
mod goal;

use super::Tape;
use super::file::{self, File, Heading};
use super::scenario::toml::{Fields, Table, parse};
use super::scenario::{Scenario, read_action, read_table};
use crate::world::{Action, Time, World};

pub use goal::{Goal, Test};

/// Hints of a challenge: the last may tell the solution, the others must not.
pub const HINTS: usize = 3;

/// A challenge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Challenge {
    /// Its name in links; also that of its file.
    pub id: String,
    /// Its place in the list.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// What to do.
    pub task: String,
    /// The port of the connection to begin with, where one does so by hand.
    pub door: Option<u16>,
    /// From the gentlest on.
    pub hints: Vec<String>,
    /// The world that it begins in.
    pub scenario: Scenario,
    /// All of these are to be achieved.
    pub goals: Vec<Goal>,
    /// One way to do it, by time.
    pub solution: Vec<(Time, Action)>,
    /// Another one, which may take more; none is stored where this is empty.
    pub other: Vec<(Time, Action)>,
    /// How long it takes from the last action until all goals show.
    pub wait_ms: u64,
}

impl Challenge {
    /// What a list says of each challenge, in their order.
    pub fn headings() -> impl Iterator<Item = Heading> {
        files::CHALLENGES.iter().filter_map(File::heading)
    }

    /// All challenges, in their order; only those whose texts are there.
    ///
    /// # Panics
    /// If one of them makes no sense, which a test finds before anybody else can.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let texts = files::CHALLENGES.iter().filter_map(|file| Some((file.name, file.text()?)));
        let all: Result<_, String> = texts.map(|(id, text)| Self::parse(id, text)).collect();
        all.expect("a test reads every challenge")
    }

    /// The challenge of this name, or of this number; none as well: its text is not there yet.
    #[must_use]
    pub fn find(id: &str) -> Option<Self> {
        let file = file::find(files::CHALLENGES, id)?;
        Self::parse(file.name, file.text()?).ok()
    }

    /// A challenge from its text.
    ///
    /// # Errors
    /// The line, and what is wrong with it.
    pub fn parse(id: &str, text: &str) -> Result<Self, String> {
        let mut tables = parse(text).map_err(|why| format!("{id}: {why}"))?.into_iter();
        let mut challenge = Self { id: id.to_owned(), ..Self::default() };
        let top = tables.next().expect("a document has a table at its top");
        challenge.top(top).map_err(|why| format!("{id}: {why}"))?;
        for table in tables {
            challenge.table(table).map_err(|why| format!("{id}: {why}"))?;
        }
        let Self { solution, other, scenario, .. } = &mut challenge;
        for script in [solution, other, &mut scenario.script] {
            pillarbox_engine::order::sort_by_key(script, |(at, _)| *at);
        }
        challenge.scenario.id = format!("challenge:{id}");
        Ok(challenge)
    }

    fn top(&mut self, table: Table) -> Result<(), String> {
        let mut fields = Fields::new(table);
        let base = fields.needed("scenario")?;
        let base = Scenario::find(&base).ok_or_else(|| format!("there is no scenario {base}"))?;
        let (setup, title) = (base.setup, fields.needed("title")?);
        self.scenario = Scenario { setup, title: title.clone(), ..Scenario::default() };
        self.scenario.version = fields.number("version")?.unwrap_or(1);
        self.number = fields.number("number")?.unwrap_or(0);
        self.title = title;
        self.task = fields.needed("task")?;
        self.scenario.goal.clone_from(&self.task);
        self.door = match fields.number("door")? {
            None => None,
            Some(port) => {
                Some(u16::try_from(port).map_err(|_| format!("door: {port} is no port"))?)
            }
        };
        self.hints = fields.texts("hints")?;
        if self.hints.len() != HINTS {
            return Err(format!("hints: expected {HINTS} of them"));
        }
        self.wait_ms = fields.duration("wait")?.unwrap_or(10_000);
        self.scenario.setup.faults.extend(fields.texts("faults")?);
        fields.end()
    }

    fn table(&mut self, table: Table) -> Result<(), String> {
        match &table.name[..] {
            "goal" => {
                let mut fields = Fields::new(table);
                let text = fields.needed("text")?;
                let test = Test::parse(&fields.needed("is")?)?;
                self.goals.push(Goal { text, test });
                fields.end()
            }
            way @ ("solution" | "other") => {
                let actions = if way == "other" { &mut self.other } else { &mut self.solution };
                let mut fields = Fields::new(table);
                let at = Time(fields.duration("at")?.unwrap_or(0));
                actions.push((at, read_action(&mut fields)?));
                fields.end()
            }
            _ => read_table(&mut self.scenario, table),
        }
    }

    /// The fewest actions that are known to do it.
    #[must_use]
    pub fn par(&self) -> usize {
        self.solution.len()
    }

    /// Its world at the beginning.
    ///
    /// # Errors
    /// What in it makes no sense.
    pub fn start(&self) -> Result<Tape, String> {
        Tape::new(self.scenario.clone(), 1)
    }

    /// Its world after these actions, once all that they cause shows.
    ///
    /// # Errors
    /// What in it makes no sense, or which action cannot be carried out, and why.
    pub fn after(&self, actions: &[(Time, Action)]) -> Result<Tape, String> {
        let mut tape = self.start()?;
        for (at, action) in actions {
            tape.run_to(*at);
            tape.act(action.clone()).map_err(|why| format!("{why}: {action:?}"))?;
        }
        // A part of a solution takes as long as all of it.
        let last = self.solution.iter().chain(&self.other).map(|(at, _)| at.0).max();
        let last = last.unwrap_or(0).max(tape.now().0);
        tape.run_to(Time(last + self.wait_ms));
        Ok(tape)
    }

    /// Which goals are achieved now. The first is what there is to do; the others may hold by themselves before it is done,
    /// and count once it is.
    #[must_use]
    pub fn check(&self, world: &World) -> Vec<bool> {
        let begun = self.goals.first().is_some_and(|goal| goal.test.holds(world));
        self.goals.iter().map(|goal| begun && goal.test.holds(world)).collect()
    }
}

impl Tape {
    /// Which goals of a challenge are achieved at the cursor, and how many actions that took.
    #[must_use]
    pub fn check(&self, challenge: &Challenge) -> (Vec<bool>, usize) {
        let own = self.actions().iter().filter(|planned| !planned.scripted).count();
        (challenge.check(self.world()), own)
    }
}
