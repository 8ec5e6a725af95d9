//! A tape: one run of a scenario that can be wound to and fro, and branched. It is the only door from a page to a world.
//!
//! # What a page does with it
//!
//! ```no_run
//! use pillarbox_world::tape::{Scenario, Tape};
//! use pillarbox_world::world::{Dir, EntryId, Time, WireId};
//! # fn main() -> Result<(), String> {
//! let scenario = Scenario::find("alice-to-bob").ok_or("there is no such scenario")?;
//! let mut tape = Tape::new(scenario, 1)?;
//! while tape.step() {}                              // or: tape.run_to(Time(60_000)), as virtual time passes
//! for entry in tape.entries(EntryId(0)) { /* draw what is new: keep the last id and ask from there */ }
//! for wire in tape.world().wires() { /* its ends, port, states, octets sent */ }
//! let said = tape.octets(WireId(0), Dir::ToServer, 0..u64::MAX);
//! tape.seek(Time(0));                               // and back; `ahead` still knows what came
//! # Ok(()) }
//! ```
//!
//! - **Reading.** [`Tape::world`] gives `nodes`, `links`, `zones`, `faults`, `queue(node)`, `mailboxes(node)`,
//!   `stored(node)`, `screen(node)`, `remote(node)` (a mailbox open by IMAP), `status(node)`, `wires`, `flights`, `entries`,
//!   `octets`, `arrived`, `notes`, `state`, `expected`.
//! - **What octets are and why** is in [`Tape::annotations`]; the words for it are in [`crate::catalogue`].
//! - **Doing.** Everything that changes the world is an [`Action`] given to [`Tape::act`]; given while the cursor is in the
//!   past, it begins a branch ([`Tape::branches`], [`Tape::switch`]). [`Tape::set_level`] makes the network harder from the
//!   beginning on. [`Tape::take_back`] takes the last one back. [`Tape::refused`] tells which came to nothing in this run.
//! - **Winding.** [`Tape::step`], [`Tape::run_to`], [`Tape::seek`], [`Tape::seek_entry`], [`Tape::ahead`].
//! - **Recordings.** [`Recording::of`] takes what was said on a connection outside, [`Recording::tape`] is its story.
//! - **Challenges.** [`Challenge::all`], [`Challenge::start`], [`Tape::check`].
//! - **Worlds of one's own.** [`Scenario::own`], [`Scenario::to_text`], [`Tape::rebuild`].
//! - **Links.** [`Tape::encode`], [`Tape::encode_all`], [`Tape::decode`]; `#/w/` and what `encode` gives.
//! - **Files.** [`export`]: transcript, JSON lines, lab report, pcapng, messages.
//!
//! Winding back goes to the latest moment before at which nothing was under way, and runs on from there; without one, it
//! runs from the beginning. A world is a pure function of scenario, seed and actions, so both are the same.

mod annotations;
mod challenge;
pub mod export;
mod file;
mod recording;
pub mod scenario;
pub mod share;

use std::ops::Range;
use std::rc::Rc;

use pillarbox_engine::expected::Expected;

use crate::world::{
    Action, Checkpoint, Dir, End, Entry, EntryId, Library, Noted, SharedEngine, Time, WireId, World,
};

pub use challenge::{Challenge, Goal, HINTS, Test};
pub use file::Heading;
pub use recording::{Agrees, Answer, Lack, PLAYED_MAX, Recording};
pub use scenario::{Lab, Level, Moment, Prediction, Scenario, Step, Variant};

/// Entries between two moments that are remembered.
const CHECKPOINT_EVERY: usize = 64;
/// Branches of one tape; the oldest that is not shown is forgotten.
const BRANCHES_MAX: usize = 32;

/// One run of a scenario, with its branches.
pub struct Tape {
    scenario: Scenario,
    seed: u64,
    /// Where its sessions run.
    engine: SharedEngine,
    world: World,
    /// Actions of this branch, by time.
    actions: Vec<Planned>,
    /// How many of them are carried out.
    done: usize,
    /// What this branch's world logged when it was wound back, for what lies ahead.
    ahead: Vec<Entry>,
    branches: Vec<Branch>,
    current: usize,
    level: Level,
    /// Actions that could not be carried out in this run, and why.
    refused: Vec<(usize, String)>,
    /// Moments to go back to, with how many actions were carried out then; oldest first.
    checkpoints: Vec<(usize, Checkpoint)>,
    annotators: annotations::Annotators,
}

/// An action with its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// When.
    pub at: Time,
    /// What.
    pub action: Action,
    /// Whether it is of the scenario's script rather than of who plays with it.
    pub scripted: bool,
}

/// One line of actions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// `A`, `B` and so on.
    pub name: String,
    /// When it left the branch that it comes from.
    pub forked: Time,
    /// The branch that it comes from.
    pub parent: Option<usize>,
    actions: Vec<Planned>,
}

impl Tape {
    /// A tape at its beginning.
    ///
    /// # Errors
    /// What in the scenario makes no sense.
    pub fn new(scenario: Scenario, seed: u64) -> Result<Self, String> {
        Self::run_by(scenario, seed, Rc::new(Library))
    }

    /// A run whose sessions run in this engine.
    ///
    /// # Errors
    /// What in the scenario makes no sense.
    pub fn run_by(scenario: Scenario, seed: u64, engine: SharedEngine) -> Result<Self, String> {
        let world = World::run_by(&scenario.setup, seed, Rc::clone(&engine))?;
        let script = scenario.script.iter().map(|(at, action)| Planned {
            at: *at,
            action: action.clone(),
            scripted: true,
        });
        let actions: Vec<Planned> = script.collect();
        let branch = Branch {
            name: "A".to_owned(),
            forked: Time(0),
            parent: None,
            actions: actions.clone(),
        };
        Ok(Self {
            scenario,
            seed,
            engine,
            world,
            actions,
            done: 0,
            ahead: Vec::new(),
            branches: vec![branch],
            current: 0,
            level: Level::Perfect,
            refused: Vec::new(),
            checkpoints: Vec::new(),
            annotators: annotations::Annotators::default(),
        })
    }

    /// The scenario.
    #[must_use]
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// The seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The world as it is at the cursor.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The cursor.
    #[must_use]
    pub fn now(&self) -> Time {
        self.world.now()
    }

    /// When something happens next, if anything does.
    #[must_use]
    pub fn next_due(&self) -> Option<Time> {
        let action = self.actions.get(self.done).map(|planned| planned.at.max(self.now()));
        match (action, self.world.next_due()) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    /// Lets the next thing happen; false if nothing is due.
    pub fn step(&mut self) -> bool {
        let due = self.world.next_due();
        let stepped = match self.actions.get(self.done) {
            Some(planned) if due.is_none_or(|due| planned.at < due) => {
                self.carry_out();
                true
            }
            _ => self.world.step(),
        };
        self.remember();
        self.forget_reached();
        stepped
    }

    /// The next action, at its time.
    fn carry_out(&mut self) {
        let Planned { at, action, .. } = self.actions[self.done].clone();
        self.done += 1;
        self.world.run_to(at);
        // An action that cannot be carried out changes nothing, in this run as in every other.
        if let Err(why) = self.world.act(&action) {
            self.refused.push((self.done - 1, why));
        }
    }

    /// Lets everything happen that is due up to a time, which it is then.
    pub fn run_to(&mut self, time: Time) {
        while self.next_due().is_some_and(|due| due <= time) && self.step() {}
        self.world.run_to(time);
        self.forget_reached();
    }

    /// Does something now. While the cursor is in the past this begins a branch.
    ///
    /// # Errors
    /// Why it cannot be done; then nothing was changed.
    pub fn act(&mut self, action: Action) -> Result<(), String> {
        // An action comes after everything else that is due at its time, now as in every later run.
        self.run_to(self.now());
        self.world.act(&action)?;
        if !self.ahead.is_empty() {
            self.begin_branch();
        }
        let (now, done) = (self.now(), self.done);
        self.checkpoints.retain(|(count, checkpoint)| *count <= done && checkpoint.at() <= now);
        let planned = Planned { at: self.now(), action, scripted: false };
        self.actions.insert(self.done, planned);
        self.done += 1;
        self.branches[self.current].actions.clone_from(&self.actions);
        Ok(())
    }

    /// The branch from here on has what was done so far, and what the script still holds.
    fn begin_branch(&mut self) {
        self.ahead.clear();
        let mut number = 0;
        self.actions.retain(|planned| {
            number += 1;
            number <= self.done || planned.scripted
        });
        if self.branches.len() >= BRANCHES_MAX {
            let oldest = (0..self.branches.len()).find(|at| *at != self.current).unwrap_or(0);
            self.branches.remove(oldest);
            self.current -= usize::from(oldest < self.current);
            for branch in &mut self.branches {
                let parent = branch.parent.filter(|parent| *parent != oldest);
                branch.parent = parent.map(|parent| parent - usize::from(oldest < parent));
            }
        }
        let letter = char::from_u32('A' as u32 + self.branches.len() as u32 % 26).unwrap_or('Z');
        self.branches.push(Branch {
            name: letter.to_string(),
            forked: self.now(),
            parent: Some(self.current),
            actions: self.actions.clone(),
        });
        self.current = self.branches.len() - 1;
    }

    /// Winds to a time. Nothing that was done is lost.
    pub fn seek(&mut self, time: Time) {
        if time < self.now() {
            self.rewind(|checkpoint| checkpoint.at() <= time);
        }
        self.run_to(time);
    }

    /// Winds to the moment at which the log has so many entries, or more if several came at once.
    pub fn seek_entry(&mut self, entries: usize) {
        if entries < self.world.entries(EntryId(0)).len() {
            self.rewind(|checkpoint| checkpoint.entries() <= entries);
        }
        while self.world.entries(EntryId(0)).len() < entries && self.step() {}
    }

    /// Goes back to the latest moment known that will do, or to the beginning.
    fn rewind(&mut self, will_do: impl Fn(&Checkpoint) -> bool) {
        let known = self.world.entries(EntryId(0));
        if known.len() > self.ahead.len() {
            self.ahead = known.to_vec();
        }
        self.annotators.forget();
        match self.checkpoints.iter().rev().find(|(_, checkpoint)| will_do(checkpoint)) {
            Some((done, checkpoint)) => {
                self.world.restore(checkpoint);
                self.done = *done;
                self.refused.retain(|(at, _)| at < done);
            }
            None => self.begin().expect("it was begun before"),
        }
    }

    /// Remembers this moment if nothing is under way and the last such moment is some entries ago.
    fn remember(&mut self) {
        let entries = self.world.entries(EntryId(0)).len();
        let last = self.checkpoints.last().map_or(0, |(_, checkpoint)| checkpoint.entries());
        if entries >= last + CHECKPOINT_EVERY
            && let Some(checkpoint) = self.world.checkpoint()
        {
            self.checkpoints.push((self.done, checkpoint));
        }
    }

    /// A world at its beginning, with the faults of the level.
    fn begin(&mut self) -> Result<(), String> {
        let mut setup = self.scenario.setup.clone();
        if let Some(faults) = self.scenario.faults_of(self.level) {
            setup.faults = faults.to_vec();
        }
        self.world = World::run_by(&setup, self.seed, Rc::clone(&self.engine))?;
        self.annotators.forget();
        self.done = 0;
        self.refused.clear();
        Ok(())
    }

    /// How hard the network is.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// Makes the network as hard, from the beginning on; the cursor stays where it is. What was done stays done.
    ///
    /// # Errors
    /// The level's faults make no sense.
    pub fn set_level(&mut self, level: Level) -> Result<(), String> {
        let (now, before) = (self.now(), self.level);
        self.checkpoints.clear();
        self.level = level;
        if let Err(why) = self.begin() {
            self.level = before;
            return Err(why);
        }
        self.ahead.clear();
        self.run_to(now);
        Ok(())
    }

    /// Begins with another world, in which all that was done is done again, as far as it can be; the cursor stays where it is.
    /// It is for worlds in which nothing is planned: a script stays that of the scenario before.
    ///
    /// # Errors
    /// What in it makes no sense; then nothing was changed.
    pub fn rebuild(&mut self, scenario: Scenario) -> Result<(), String> {
        let (now, before) = (self.now(), std::mem::replace(&mut self.scenario, scenario));
        if let Err(why) = self.begin() {
            self.scenario = before;
            return Err(why);
        }
        self.checkpoints.clear();
        self.ahead.clear();
        self.run_to(now);
        Ok(())
    }

    /// Actions that could not be carried out in this run, by their place among [`Tape::actions`], and why.
    #[must_use]
    pub fn refused(&self) -> &[(usize, String)] {
        &self.refused
    }

    /// Entries that the cursor has reached again are no longer ahead.
    fn forget_reached(&mut self) {
        if !self.ahead.is_empty() && self.world.entries(EntryId(0)).len() >= self.ahead.len() {
            self.ahead.clear();
        }
    }

    /// Winds back to a time and begins a branch there, as an action would.
    pub fn fork(&mut self, at: Time) {
        self.seek(at);
        self.begin_branch();
    }

    /// Takes back what was done last: a branch without it begins where it was done, and the one with it is kept. False:
    /// nothing was done.
    pub fn take_back(&mut self) -> bool {
        let Some(last) = self.actions.iter().rposition(|planned| !planned.scripted) else {
            return false;
        };
        let at = self.actions[last].at;
        // A moment of the same time may be one after it.
        self.rewind(|checkpoint| checkpoint.at() < at);
        self.actions.remove(last);
        self.checkpoints.retain(|(_, checkpoint)| checkpoint.at() < at);
        self.run_to(at);
        self.begin_branch();
        true
    }

    /// All branches, and which of them is shown.
    #[must_use]
    pub fn branches(&self) -> (&[Branch], usize) {
        (&self.branches, self.current)
    }

    /// Shows another branch, at the time that it is.
    pub fn switch(&mut self, branch: usize) {
        let Some(wanted) = self.branches.get(branch) else { return };
        let now = self.now();
        self.actions.clone_from(&wanted.actions);
        self.current = branch;
        self.checkpoints.clear();
        self.begin().expect("it was begun before");
        self.ahead.clear();
        self.run_to(now);
    }

    /// Another tape, at its beginning, that holds one branch of this one alone; none: there is no such branch.
    #[must_use]
    pub fn alone(&self, branch: usize) -> Option<Self> {
        let actions = self.branches.get(branch)?.actions.clone();
        let mut tape = Self::new(self.scenario.clone(), self.seed).ok()?;
        tape.actions.clone_from(&actions);
        tape.branches[0].actions = actions;
        tape.level = self.level;
        tape.begin().ok()?;
        Some(tape)
    }

    /// Actions of the shown branch, by time.
    #[must_use]
    pub fn actions(&self) -> &[Planned] {
        &self.actions
    }

    /// The log from an entry on, up to the cursor.
    #[must_use]
    pub fn entries(&self, since: EntryId) -> &[Entry] {
        self.world.entries(since)
    }

    /// What is known to come behind the cursor, from earlier visits.
    #[must_use]
    pub fn ahead(&self) -> &[Entry] {
        let reached = self.world.entries(EntryId(0)).len();
        self.ahead.get(reached..).unwrap_or_default()
    }

    /// Octets that were sent over a wire.
    #[must_use]
    pub fn octets(&self, wire: WireId, dir: Dir, range: Range<u64>) -> &[u8] {
        self.world.octets(wire, dir, range)
    }

    /// What one end's session noted about one direction.
    #[must_use]
    pub fn notes(&self, wire: WireId, dir: Dir, end: End) -> Vec<Noted> {
        self.world.notes(wire, dir, end)
    }

    /// The name of a session's state.
    #[must_use]
    pub fn state(&self, wire: WireId, end: End) -> &'static str {
        self.world.state(wire, end)
    }

    /// What may be said now at an end of a wire: forms with an example each, as the session at the other end would take
    /// them. For `what can I say now?`; empty while that session waits for something else.
    #[must_use]
    pub fn expected(&self, wire: WireId, end: End) -> Vec<Expected> {
        self.world.expected(wire, end)
    }

    /// The world, to enter what happened outside of it; a tape with such things is not wound back.
    pub fn witnessed(&mut self) -> &mut World {
        &mut self.world
    }

    /// A number that two runs share only if everything that happened is the same.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.world.hash()
    }
}
