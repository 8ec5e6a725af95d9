//! A tape as text that fits into a link: scenario, seed, level and what was done, nothing else. It starts a simulation and
//! can do nothing more; whoever made it, reading it is bounded.
//!
//! The first character is the format's version. What follows is base64url (RFC 4648 §5) of numbers in groups of seven
//! bits, lowest first, and of texts with their length before them.

mod actions;
mod codec;

use super::{Level, Planned, Scenario, Tape};
use crate::world::Time;
use codec::{Reader, Writer};

/// The format that is written.
const FORMAT: char = '1';
/// Octets of a link once it is decoded.
pub const OCTETS_MAX: usize = 64 << 10;
/// Characters of a link, with the one of its format.
const LINK_MAX: usize = OCTETS_MAX / 3 * 4 + 1;
/// Actions of one link.
pub const ACTIONS_MAX: usize = 10_000;
/// Octets of what a page adds for itself: cursor, pins, panels.
pub const VIEW_MAX: usize = 4 << 10;
/// A link with a later moment than this is none: virtual time ends after a century.
const TIME_MAX: u64 = 100 * 365 * 86_400_000;

/// A tape from a link.
pub struct Opened {
    /// The tape, at its cursor.
    pub tape: Tape,
    /// What the page added for itself.
    pub view: String,
    /// The scenario has changed since the link was made, so it may show something else.
    pub is_older: bool,
}

/// Why a text is no link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadLink {
    /// Its first character is none that is known: it was made by a later version, or is no link at all.
    Format,
    /// It is cut, or changed.
    Broken,
    /// It is longer than links are.
    TooLong,
    /// It names a scenario that does not exist.
    NoScenario(String),
    /// Its scenario makes no sense with it.
    Scenario(String),
}

impl std::fmt::Display for BadLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Format => f.write_str(
                "this link is of a kind that this version does not know; a newer one may open it",
            ),
            Self::Broken => {
                f.write_str("this link is not whole: a part of it was lost or changed on the way")
            }
            Self::TooLong => {
                f.write_str("this link is longer than links can be; open it as a file")
            }
            Self::NoScenario(id) => write!(f, "there is no scenario named {id:?}"),
            Self::Scenario(why) => write!(f, "the scenario cannot begin: {why}"),
        }
    }
}

impl std::error::Error for BadLink {}

impl Tape {
    /// The shown branch up to all that was done in it, as text for a link; `view` is the page's own.
    ///
    /// Text of a view beyond [`VIEW_MAX`] is left out.
    #[must_use]
    pub fn encode(&self, view: &str) -> String {
        let mut out = Writer::default();
        out.text(&self.scenario().id);
        out.number(self.scenario().version);
        out.number(self.seed());
        out.number(level_number(self.level()));
        out.number(self.now().0);
        out.text(if view.len() > VIEW_MAX { "" } else { view });
        let own = self.actions().iter().filter(|planned| !planned.scripted);
        out.number(own.count() as u64);
        let (mut last, mut scripted) = (0, 0);
        for planned in self.actions() {
            if planned.scripted {
                scripted += 1;
                continue;
            }
            out.number(planned.at.0.saturating_sub(last));
            // How many actions of the script come between: at one time there may be several.
            out.number(scripted);
            (last, scripted) = (planned.at.0, 0);
            actions::write(&mut out, &planned.action);
        }
        format!("{FORMAT}{}", codec::base64(&out.octets))
    }

    /// Whether [`decode`](Self::decode) takes this text by its length; the story of a long recording is too long for it.
    #[must_use]
    pub fn fits(link: &str) -> bool {
        link.len() <= LINK_MAX
    }

    /// The tape of a link, at the moment that it was made at.
    ///
    /// # Errors
    /// [`BadLink`].
    pub fn decode(link: &str) -> Result<Opened, BadLink> {
        let text = link.strip_prefix(FORMAT).ok_or(BadLink::Format)?;
        if !Self::fits(link) {
            return Err(BadLink::TooLong);
        }
        let octets = codec::unbase64(text).ok_or(BadLink::Broken)?;
        let mut reader = Reader::new(&octets);
        let read = read(&mut reader).ok_or(BadLink::Broken)?;
        let id = read.scenario;
        let scenario = Scenario::named(&id).ok_or(BadLink::NoScenario(id))?;
        let is_older = read.version != scenario.version;
        let mut tape = Tape::new(scenario, read.seed).map_err(BadLink::Scenario)?;
        tape.set_level(read.level).map_err(BadLink::Scenario)?;
        tape.plan(read.actions);
        tape.run_to(read.cursor);
        Ok(Opened { tape, view: read.view, is_older })
    }

    /// Puts actions among those of the script; each comes with how many of the script come before it.
    fn plan(&mut self, actions: Vec<(Time, u64, crate::world::Action)>) {
        let mut scripted = std::mem::take(&mut self.actions).into_iter();
        let mut all = Vec::new();
        for (at, before, action) in actions {
            all.extend(scripted.by_ref().take(usize::try_from(before).unwrap_or(usize::MAX)));
            all.push(Planned { at, action, scripted: false });
        }
        all.extend(scripted);
        self.actions = all;
        self.branches[self.current].actions.clone_from(&self.actions);
    }
}

struct Read {
    scenario: String,
    version: u64,
    seed: u64,
    level: Level,
    cursor: Time,
    view: String,
    actions: Vec<(Time, u64, crate::world::Action)>,
}

fn read(reader: &mut Reader<'_>) -> Option<Read> {
    let scenario = reader.text()?;
    let (version, seed) = (reader.number()?, reader.number()?);
    let level = level_of(reader.number()?)?;
    let cursor = Time(reader.number()?.min(TIME_MAX));
    let view = reader.text().filter(|view| view.len() <= VIEW_MAX)?;
    let count = reader.number().and_then(|count| usize::try_from(count).ok())?;
    if count > ACTIONS_MAX {
        return None;
    }
    let (mut actions, mut at) = (Vec::new(), 0_u64);
    for _ in 0..count {
        at = at.checked_add(reader.number()?).filter(|at| *at <= TIME_MAX)?;
        let before = reader.number()?;
        actions.push((Time(at), before, actions::read(reader)?));
    }
    reader.is_empty().then_some(Read { scenario, version, seed, level, cursor, view, actions })
}

fn level_number(level: Level) -> u64 {
    match level {
        Level::Perfect => 0,
        Level::Rough => 1,
        Level::Hostile => 2,
    }
}

fn level_of(number: u64) -> Option<Level> {
    match number {
        0 => Some(Level::Perfect),
        1 => Some(Level::Rough),
        2 => Some(Level::Hostile),
        _ => None,
    }
}
