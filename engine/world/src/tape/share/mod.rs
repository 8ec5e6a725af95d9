//! A tape as text that fits into a link: scenario, seed, level and what was done, nothing else. It starts a simulation and
//! can do nothing more; whoever made it, reading it is bounded.
//!
//! The first character is the format's version: `1` is one branch, `2` all of them, of which each after the first names the
//! one that it left, how many of its actions it kept, and the rest of its own; `m` is a message alone. What follows is
//! base64url (RFC 4648 §5) of numbers in groups of seven bits, lowest first, and of texts with their length before them.

mod actions;
mod codec;
mod letter;
mod secrets;

use std::borrow::Cow;

use super::{BRANCHES_MAX, Branch, Level, Planned, Scenario, Tape};
use crate::world::{Action, Time};
use codec::{Reader, Writer};

pub use letter::{LETTER, decode_letter, encode_letter};

/// The format of one branch, and the one of all.
const FORMATS: [char; 2] = ['1', '2'];
/// Letters that branches are named by.
const LETTERS: u8 = 26;
/// Octets of a link once it is decoded.
pub const OCTETS_MAX: usize = 64 << 10;
/// Characters of a link, with the one of its format.
const LINK_MAX: usize = OCTETS_MAX / 3 * 4 + 1;
/// Characters of a link that is kept in a file.
pub const FILE_MAX: usize = 1 << 20;
/// Characters of a link above which many programs cut it: a file is better then.
pub const LONG: usize = 8_000;
/// Actions of one link.
pub const ACTIONS_MAX: usize = 10_000;
/// Octets of what a page adds for itself: cursor, pins, panels.
pub const VIEW_MAX: usize = 4 << 10;
/// A link with a later moment than this is none: virtual time ends after a century.
const TIME_MAX: u64 = 100 * 365 * 86_400_000;

/// What becomes in a link of passwords that were typed and that are none of the scenario's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passwords {
    /// They are in it as they were typed: the same octets travel.
    Typed,
    /// Each octet of them is crossed out; they are refused as they were.
    CrossedOut,
}

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
    /// What links to worlds begin with.
    pub const FORMATS: [char; 2] = FORMATS;

    /// The shown branch up to all that was done in it, as text for a link; `view` is the page's own. Passwords are in it
    /// as they were typed.
    ///
    /// Text of a view beyond [`VIEW_MAX`] is left out.
    #[must_use]
    pub fn encode(&self, view: &str) -> String {
        self.encode_with(view, Passwords::Typed)
    }

    /// The same with all branches; of a tape that has one, the same text.
    #[must_use]
    pub fn encode_all(&self, view: &str) -> String {
        self.encode_all_with(view, Passwords::Typed)
    }

    /// As [`encode`](Self::encode), with what is wanted of passwords.
    #[must_use]
    pub fn encode_with(&self, view: &str, passwords: Passwords) -> String {
        let actions = self.actions_for(self.current, passwords);
        let mut out = self.head(view);
        write_own(&mut out, &own(&actions), 0);
        text(FORMATS[0], &out)
    }

    /// As [`encode_all`](Self::encode_all), with what is wanted of passwords.
    #[must_use]
    pub fn encode_all_with(&self, view: &str, passwords: Passwords) -> String {
        let (branches, current) = self.branches();
        if branches.len() == 1 {
            return self.encode_with(view, passwords);
        }
        let all: Vec<Cow<'_, [Planned]>> =
            (0..branches.len()).map(|branch| self.actions_for(branch, passwords)).collect();
        let mut out = self.head(view);
        out.number(branches.len() as u64);
        out.number(current as u64);
        for (at, branch) in branches.iter().enumerate() {
            let letter = branch.name.bytes().next().unwrap_or(b'A').saturating_sub(b'A');
            out.number(u64::from(letter % LETTERS));
            out.number(branch.forked.0);
            out.maybe(branch.parent.map(|parent| parent as u64));
            let mine = own(&all[at]);
            let before = branch.parent.and_then(|parent| all.get(parent));
            let before = before.map(|parent| own(parent)).unwrap_or_default();
            let kept = mine.iter().zip(&before).take_while(|(one, other)| one == other).count();
            if branch.parent.is_some() {
                out.number(kept as u64);
            }
            write_own(&mut out, &mine, kept);
        }
        text(FORMATS[1], &out)
    }

    fn actions_for(&self, branch: usize, passwords: Passwords) -> Cow<'_, [Planned]> {
        match passwords {
            Passwords::Typed => Cow::Borrowed(&self.branches[branch].actions),
            Passwords::CrossedOut => Cow::Owned(self.crossed_out(branch)),
        }
    }

    fn head(&self, view: &str) -> Writer {
        let mut out = Writer::default();
        out.text(&self.scenario().link_name());
        out.number(self.scenario().version);
        out.number(self.seed());
        out.number(level_number(self.level()));
        out.number(self.now().0);
        out.text(if view.len() > VIEW_MAX { "" } else { view });
        out
    }

    /// Whether [`decode`](Self::decode) takes this text by its length; the story of a long recording is too long for it.
    #[must_use]
    pub fn fits(link: &str) -> bool {
        link.len() <= LINK_MAX
    }

    /// The tape of a link, at the moment that it was made at, with all branches that the link holds.
    ///
    /// # Errors
    /// [`BadLink`].
    pub fn decode(link: &str) -> Result<Opened, BadLink> {
        decode(link, LINK_MAX)
    }

    /// The tape of a file that holds a link, or an address with one; it may be longer than others, up to [`FILE_MAX`].
    ///
    /// # Errors
    /// [`BadLink`].
    pub fn decode_file(text: &str) -> Result<Opened, BadLink> {
        decode(in_file(text), FILE_MAX)
    }
}

/// What of a file is the link: all of it, or what stands behind the page's address.
#[must_use]
pub fn in_file(text: &str) -> &str {
    let text = text.trim();
    let places = ["#/w/", "#/embed/"].into_iter();
    let behind = places.filter_map(|place| text.rsplit_once(place)).next();
    behind.map_or(text, |(_, link)| link)
}

fn decode(link: &str, max: usize) -> Result<Opened, BadLink> {
    let format = FORMATS.iter().position(|format| link.starts_with(*format));
    let format = format.ok_or(BadLink::Format)?;
    let octets = octets_of(link, max)?;
    let mut reader = Reader::new(&octets);
    let read = read(&mut reader, format == 1).ok_or(BadLink::Broken)?;
    let id = read.scenario;
    let scenario = match id.strip_prefix("own:") {
        Some(text) => Scenario::own(text).map_err(BadLink::Scenario)?,
        None => Scenario::named(&id).ok_or(BadLink::NoScenario(id))?,
    };
    let is_older = read.version != scenario.version;
    let mut tape = Tape::new(scenario, read.seed).map_err(BadLink::Scenario)?;
    tape.set_level(read.level).map_err(BadLink::Scenario)?;
    let script = tape.actions;
    let branch = |read: ReadBranch| Branch {
        name: char::from(b'A' + read.letter).to_string(),
        forked: read.forked,
        parent: read.parent,
        actions: planned(&script, read.own),
    };
    tape.branches = read.branches.into_iter().map(branch).collect();
    tape.current = read.current;
    tape.actions = tape.branches[tape.current].actions.clone();
    tape.run_to(read.cursor);
    Ok(Opened { tape, view: read.view, is_older })
}

/// Octets of a link behind its first character.
fn octets_of(link: &str, max: usize) -> Result<Vec<u8>, BadLink> {
    if link.len() > max {
        return Err(BadLink::TooLong);
    }
    codec::unbase64(link.get(1..).unwrap_or_default()).ok_or(BadLink::Broken)
}

fn text(format: char, out: &Writer) -> String {
    format!("{format}{}", codec::base64(&out.octets))
}

/// Something that was done: when, how many actions of the script come between it and the one before, and what. At one
/// time there may be several.
type Own<A> = (Time, u64, A);

/// What was done by whoever plays.
fn own(actions: &[Planned]) -> Vec<Own<&Action>> {
    let (mut all, mut scripted) = (Vec::new(), 0);
    for planned in actions {
        if planned.scripted {
            scripted += 1;
        } else {
            all.push((planned.at, scripted, &planned.action));
            scripted = 0;
        }
    }
    all
}

/// Writes those behind the first few.
fn write_own(out: &mut Writer, all: &[Own<&Action>], kept: usize) {
    let mut last = kept.checked_sub(1).map_or(0, |last| all[last].0.0);
    out.number((all.len() - kept) as u64);
    for (at, scripted, action) in &all[kept..] {
        out.number(at.0.saturating_sub(last));
        out.number(*scripted);
        last = at.0;
        actions::write(out, action);
    }
}

/// Reads as many as may be, behind those that were kept; `room` is how many there may be.
fn read_own(reader: &mut Reader<'_>, all: &mut Vec<Own<Action>>, room: usize) -> Option<()> {
    let count = reader.number().and_then(|count| usize::try_from(count).ok())?;
    if count > room {
        return None;
    }
    let mut at = all.last().map_or(0, |(at, ..)| at.0);
    for _ in 0..count {
        at = at.checked_add(reader.number()?).filter(|at| *at <= TIME_MAX)?;
        let before = reader.number()?;
        all.push((Time(at), before, actions::read(reader)?));
    }
    Some(())
}

/// Puts actions among those of the script.
fn planned(script: &[Planned], own: Vec<Own<Action>>) -> Vec<Planned> {
    let mut scripted = script.iter().cloned();
    let mut all = Vec::new();
    for (at, before, action) in own {
        all.extend(scripted.by_ref().take(usize::try_from(before).unwrap_or(usize::MAX)));
        all.push(Planned { at, action, scripted: false });
    }
    all.extend(scripted);
    all
}

struct Read {
    scenario: String,
    version: u64,
    seed: u64,
    level: Level,
    cursor: Time,
    view: String,
    branches: Vec<ReadBranch>,
    current: usize,
}

struct ReadBranch {
    letter: u8,
    forked: Time,
    parent: Option<usize>,
    own: Vec<Own<Action>>,
}

fn read(reader: &mut Reader<'_>, has_branches: bool) -> Option<Read> {
    let scenario = reader.text()?;
    let (version, seed) = (reader.number()?, reader.number()?);
    let level = level_of(reader.number()?)?;
    let cursor = Time(reader.number()?.min(TIME_MAX));
    let view = reader.text().filter(|view| view.len() <= VIEW_MAX)?;
    let (branches, current) = if has_branches {
        read_branches(reader)?
    } else {
        let mut own = Vec::new();
        read_own(reader, &mut own, ACTIONS_MAX)?;
        (vec![ReadBranch { letter: 0, forked: Time(0), parent: None, own }], 0)
    };
    reader.is_empty().then_some(Read {
        scenario,
        version,
        seed,
        level,
        cursor,
        view,
        branches,
        current,
    })
}

/// All branches, and which of them is shown. What a branch kept of another one counts as its own actions do, so that a short
/// link makes no long tape.
fn read_branches(reader: &mut Reader<'_>) -> Option<(Vec<ReadBranch>, usize)> {
    let count = reader.small::<usize>().filter(|count| (1..=BRANCHES_MAX).contains(count))?;
    let current = reader.small::<usize>().filter(|current| *current < count)?;
    let (mut branches, mut room) = (Vec::<ReadBranch>::new(), ACTIONS_MAX);
    for _ in 0..count {
        let letter = reader.small::<u8>().filter(|letter| *letter < LETTERS)?;
        let forked = Time(reader.number().filter(|at| *at <= TIME_MAX)?);
        let parent = match reader.maybe()? {
            Some(parent) => Some(usize::try_from(parent).ok()?),
            None => None,
        };
        let mut own = match parent {
            // It left one that was there before.
            Some(parent) => {
                let kept = reader.small::<usize>().filter(|kept| *kept <= room)?;
                branches.get(parent)?.own.get(..kept)?.to_vec()
            }
            None => Vec::new(),
        };
        room -= own.len();
        let kept = own.len();
        read_own(reader, &mut own, room)?;
        room -= own.len() - kept;
        branches.push(ReadBranch { letter, forked, parent, own });
    }
    Some((branches, current))
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
