//! A story: a world's whole log, and everything that a view asks of it. It reads the tape and adds nothing.
//! A cursor counts how many entries have been told; what the world looks like there is folded from them.

pub mod access;
mod acted;
mod annotated;
pub mod beside;
mod book;
pub mod build;
pub mod challenge;
pub mod compare;
pub mod covered;
mod doing;
mod faults;
pub mod filter;
pub mod hands;
pub mod hop;
pub mod layout;
pub mod lines;
pub mod live;
pub mod message;
mod octets;
pub mod part;
pub mod range;
pub mod recorded;
pub mod scene;
pub mod seen;
mod source;
pub mod states;
mod steps;
pub mod web;
pub mod words;
mod work;

use std::cell::RefCell;

use pillarbox_world::world::{Dir, Entry, NodeId, Time, What, WireId};

pub use book::BookLine;
pub use faults::{Chances, Spot, Template, flag};
use layout::{Item, Map};
use lines::Lines;
pub use octets::{Because, Explained, SpokenLine, SpokenPiece, TreeRow};
pub use scene::Scene;
use seen::{Focus, Seen};
pub use source::{Export, Listed, NodeInfo, Question, Source, scenarios};
pub use steps::Badge;
use words::{Mark, Sentence};

/// A story that is told.
pub struct Story {
    source: Source,
    entries: Vec<Entry>,
    rows: Rows,
    whole: Scene,
    /// The entries of the book's steps, as far as they have come.
    steps: Vec<usize>,
    /// The scene after every so many entries, so that looking back folds few of them.
    scenes: Vec<Scene>,
    /// The source's number for what was read of it.
    history: u32,
    /// The lines of the connection that was looked at last.
    lines: RefCell<(Option<WireId>, Lines)>,
}

/// Rows of what happened, and what must be known to add more of them.
#[derive(Debug, Default)]
struct Rows {
    all: Vec<SequenceRow>,
    /// How many entries were read.
    taken: usize,
    /// When something happened last.
    before: Time,
    /// When each connection was talked on last: one row says so, until it is silent for long.
    talked: Vec<Option<Time>>,
    /// Connections that were taken: who is greeted before that is told of talk once it knows of the connection.
    taken_wires: Vec<WireId>,
    /// The connection whose talk is the last row.
    talking: Option<WireId>,
}

/// One row of what happened: an entry that matters, or all the talk between two of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SequenceRow {
    /// The index of its first entry.
    pub from: usize,
    /// One past its last.
    pub to: usize,
    /// When it began.
    pub clock: String,
    /// What happened.
    pub text: String,
    /// Which of the book's steps it is.
    pub number: Option<usize>,
    /// How it is marked.
    pub mark: Mark,
    /// How long nothing happened before, if that was long.
    pub gap: Option<String>,
    /// From which node it goes to which, by their places; the same twice: it happens there.
    pub lanes: Option<(usize, usize)>,
}

/// The entry at a cursor, for the inspector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepInfo {
    /// When.
    pub clock: String,
    /// What happened.
    pub title: String,
    /// What that means.
    pub gloss: Option<String>,
    /// Names and values.
    pub facts: Vec<(&'static str, String)>,
    /// Cursors of what it is because of, with words.
    pub causes: Vec<(usize, String)>,
}

/// Where to go from a scenario, by names in links and titles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Onward {
    /// The scenario after it.
    pub next: Option<(String, String)>,
    /// A challenge about the same.
    pub challenge: Option<(String, String)>,
}

/// Silence that is told of.
const GAP_MS: u64 = 60_000;
/// How long a story goes on after the last thing that matters.
const TAIL_MS: u64 = 10_000;
/// Entries between two scenes that are kept.
const SCENE_EVERY: usize = 64;
/// Rows of what happened that are shown, newest last: a list of thousands cannot be read, and takes long to draw.
const ROWS_MAX: usize = 64;
/// What is shown begins at a multiple of so many rows, so that a step moves none of them.
const ROWS_STEP: usize = 16;
/// Marks under the scrubber.
const MARKS_MAX: usize = 200;

impl Story {
    /// The story of a scenario, told to its end.
    #[must_use]
    pub fn scenario(name: &str) -> Option<Self> {
        Some(Self::of(Source::scenario(name)?))
    }

    /// The story of a link, and what was seen where it was made.
    ///
    /// # Errors
    /// Why it is no link.
    pub fn shared(link: &str) -> Result<(Self, Option<Seen>), String> {
        let (source, seen) = Source::shared(link)?;
        Ok((Self::of(source), seen))
    }

    /// The same of a link that is kept in a file.
    ///
    /// # Errors
    /// Why it is no link.
    pub fn filed(link: &str) -> Result<(Self, Option<Seen>), String> {
        let (source, seen) = Source::filed(link)?;
        Ok((Self::of(source), seen))
    }

    /// The story of a source, as far as it has gone.
    #[must_use]
    pub fn of(source: Source) -> Self {
        let mut story = Self {
            source,
            entries: Vec::new(),
            rows: Rows::default(),
            steps: Vec::new(),
            whole: Scene::default(),
            scenes: Vec::new(),
            history: 0,
            lines: RefCell::default(),
        };
        story.look();
        story
    }

    /// Reads what is new in the log; all, if what was read before is not so any more.
    fn look(&mut self) {
        let history = self.source.history();
        let known = if history == self.history { self.entries.len() } else { 0 };
        if known == 0 {
            (self.history, self.rows, self.lines) = (history, Rows::default(), RefCell::default());
            (self.whole, self.scenes) = (Scene::default(), Vec::new());
            self.entries.clear();
        }
        let new = self.source.entries().get(known..).unwrap_or_default();
        work::done(new.len());
        self.entries.extend_from_slice(new);
        if self.source.is_told() {
            self.cut_tail();
        }
        let dns = self.source.dns();
        for (at, entry) in self.entries.iter().enumerate().skip(known) {
            if at % SCENE_EVERY == 0 {
                self.scenes.push(self.whole.clone());
            }
            self.whole.add(entry, dns);
        }
        self.steps = self.find_steps();
        let mut rows = std::mem::take(&mut self.rows);
        self.add_rows(&mut rows);
        self.rows = rows;
    }

    /// Connections that are kept open say so for days; a story ends when nothing more comes of it.
    fn cut_tail(&mut self) {
        let last = self.entries.iter().rposition(|entry| entry.what.is_interesting());
        let Some(last) = last else { return };
        let end = self.entries[last].at.after(TAIL_MS);
        let rest = self.entries[last..].iter().position(|entry| entry.at > end);
        if let Some(rest) = rest {
            self.entries.truncate(last + rest);
        }
    }

    /// Whether there is this, to be looked at.
    #[must_use]
    pub fn has(&self, focus: Focus) -> bool {
        match focus {
            Focus::Node(id) => self.nodes().iter().any(|node| node.id == id),
            Focus::Octets { wire, dir, end, .. } => {
                end <= self.source.octets(wire, dir).len() as u64
            }
        }
    }

    /// Changes the source, and looks at what became of it.
    pub fn act<T>(&mut self, act: impl FnOnce(&mut Source) -> T) -> T {
        let done = act(&mut self.source);
        self.look();
        done
    }

    /// Time has passed in which nothing happened.
    pub(crate) fn keep_time(&mut self, until: Time) {
        self.source.keep_time(until);
    }

    /// Where the story comes from.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// What it is called.
    #[must_use]
    pub fn title(&self) -> String {
        lines::visible(self.source.title())
    }

    /// Where to go from here; none: this is no scenario of the list.
    #[must_use]
    pub fn onward(&self) -> Option<Onward> {
        let own = self.source.tape().scenario();
        let mut rest = scenarios().into_iter().skip_while(|listed| listed.id != own.id);
        rest.next()?;
        let challenge = pillarbox_world::tape::Challenge::find(&own.then);
        Some(Onward {
            next: rest.next().map(|listed| (listed.id, listed.title)),
            challenge: challenge.map(|challenge| (challenge.id, challenge.title)),
        })
    }

    /// What it is about.
    #[must_use]
    pub fn goal(&self) -> String {
        lines::visible(self.source.goal())
    }

    /// Its log.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Its nodes.
    #[must_use]
    pub fn nodes(&self) -> &[NodeInfo] {
        self.source.nodes()
    }

    /// Links between them.
    #[must_use]
    pub fn links(&self) -> &[(NodeId, NodeId)] {
        self.source.links()
    }

    /// When the world's time begins.
    #[must_use]
    pub fn start_unix_ms(&self) -> u64 {
        self.source.start_unix_ms()
    }

    /// The world after so many entries.
    #[must_use]
    pub fn scene(&self, cursor: usize) -> Scene {
        let told = &self.entries[..cursor.min(self.entries.len())];
        let kept = (told.len() / SCENE_EVERY).min(self.scenes.len().saturating_sub(1));
        let mut scene = self.scenes.get(kept).cloned().unwrap_or_default();
        let from = (kept * SCENE_EVERY).min(told.len());
        told[from..].iter().for_each(|entry| scene.add(entry, self.source.dns()));
        scene
    }

    /// The map of its nodes.
    #[must_use]
    pub fn map(&self, tall: bool) -> Map {
        let items: Vec<Item> = self
            .nodes()
            .iter()
            .map(|node| Item { id: node.id.0, kind: node.kind, rows: self.rows_on_map(node) })
            .collect();
        let links: Vec<(u16, u16)> = self.links().iter().map(|(a, b)| (a.0, b.0)).collect();
        if tall { layout::place_tall(&items, &links) } else { layout::place(&items, &links) }
    }

    /// Mailboxes that are drawn at a node: those of its users, and on a server that lets everybody in of whoever has mail.
    fn rows_on_map(&self, node: &NodeInfo) -> usize {
        let place = self.whole.nodes.get(&node.id);
        let mut accounts: Vec<&String> = place
            .into_iter()
            .flat_map(|place| place.mailboxes.keys().map(|(name, _)| name))
            .collect();
        accounts.dedup();
        node.users.len().max(accounts.len())
    }

    /// A node's name, as people say it.
    #[must_use]
    pub fn name(&self, id: NodeId) -> String {
        let node = self.nodes().iter().find(|node| node.id == id);
        node.map_or_else(|| "somebody".to_owned(), |node| node.title.clone())
    }

    /// The time of day at a cursor.
    #[must_use]
    pub fn clock(&self, cursor: usize) -> String {
        words::clock(self.start_unix_ms(), self.time(cursor))
    }

    /// How long the world has gone on at a cursor.
    fn time(&self, cursor: usize) -> Time {
        cursor.checked_sub(1).and_then(|at| self.entries.get(at)).map_or(Time(0), |entry| entry.at)
    }

    /// What the entry at an index tells.
    #[must_use]
    pub fn sentence(&self, index: usize) -> Option<Sentence> {
        let entry = self.entries.get(index)?;
        if let What::Acted(what) = &entry.what {
            return Some(Sentence { text: lines::visible(&self.acted(what)), mark: Mark::Plain });
        }
        let said = words::sentence(entry, &self.whole, &|id| self.name(id), self.start_unix_ms())?;
        Some(Sentence { text: lines::visible(&said.text), ..said })
    }

    /// What somebody did, by the names that the map shows.
    fn acted(&self, what: &str) -> String {
        if let Some(rule) = what.strip_prefix("fault ") {
            return format!("A fault is added: {}", words::fault(rule));
        }
        if let Some(number) = what.strip_prefix("no fault ") {
            return format!("Fault {number} is removed");
        }
        let title = |name: &str| self.nodes().iter().find(|node| node.name == name);
        let between = |wire: u32| {
            let talk = self.whole.wires.get(&WireId(wire))?;
            Some(format!("{} and {}", self.name(talk.client), self.name(talk.server)))
        };
        acted::sentence(what, &|name| Some(title(name)?.title.clone()), &between)
    }

    /// What was told last at a cursor.
    #[must_use]
    pub fn last_sentence(&self, cursor: usize) -> Option<String> {
        let told = self.rows.all.partition_point(|row| row.from < cursor);
        Some(self.rows.all[..told].last()?.text.clone())
    }

    /// The cursor after the next step of this kind.
    #[must_use]
    pub fn next(&self, cursor: usize, stride: Stride) -> Option<usize> {
        let rest = self.entries.get(cursor..)?.iter();
        rest.zip(cursor..).find(|(entry, _)| stride.ends_at(&entry.what)).map(|(_, at)| at + 1)
    }

    /// The cursor after the step of this kind before.
    #[must_use]
    pub fn previous(&self, cursor: usize, stride: Stride) -> usize {
        let before = &self.entries[..cursor.saturating_sub(1).min(self.entries.len())];
        before.iter().rposition(|entry| stride.ends_at(&entry.what)).map_or(0, |at| at + 1)
    }

    /// How long the world waits after a cursor for what is told next.
    #[must_use]
    pub fn silence(&self, cursor: usize) -> u64 {
        let at = |cursor: usize| cursor.checked_sub(1).and_then(|at| self.entries.get(at));
        let next = self.next(cursor, Stride::Step).and_then(at).map(|entry| entry.at.0);
        let now = at(cursor).map_or(0, |entry| entry.at.0);
        next.map_or(0, |next| next.saturating_sub(now))
    }

    /// Whether the step at a cursor matters.
    #[must_use]
    pub fn matters(&self, cursor: usize) -> bool {
        let entry = cursor.checked_sub(1).and_then(|at| self.entries.get(at));
        entry.is_some_and(|entry| entry.what.is_interesting())
    }

    /// Whether playing stops here, to ask.
    #[must_use]
    pub fn stops_at(&self, cursor: usize) -> bool {
        self.question(cursor).is_some()
    }

    /// The question at a cursor, if one is open there.
    #[must_use]
    pub fn question(&self, cursor: usize) -> Option<Question> {
        self.source.question(&self.entries, cursor)
    }

    /// The same story, which stops nowhere.
    #[must_use]
    pub fn without_questions(mut self) -> Self {
        let all = self.source.tape().scenario().predictions.len();
        (0..all).for_each(|number| self.source.answered(number));
        self
    }

    /// A question is answered, or skipped.
    pub fn answered(&mut self, number: usize) {
        self.source.answered(number);
    }

    /// The connection on which something was said last, or opened.
    #[must_use]
    pub fn speaking(&self, cursor: usize) -> Option<WireId> {
        let told = &self.entries[..cursor.min(self.entries.len())];
        told.iter().rev().find_map(|entry| entry.wire)
    }

    /// What a connection is called.
    #[must_use]
    pub fn wire_title(&self, wire: WireId, scene: &Scene) -> Option<String> {
        let talk = scene.wires.get(&wire)?;
        let protocol = source::protocol_name(talk.protocol);
        Some(format!("{} → {} · {protocol}", self.name(talk.client), self.name(talk.server)))
    }

    /// Who listens on a connection, and how far they can read, in words; none: nobody.
    #[must_use]
    pub fn listener(&self, wire: WireId) -> Option<String> {
        let world = self.source.tape().world();
        let heard = Dir::BOTH.map(|dir| world.overheard(wire, dir).last().map(|range| range.end));
        let view = world.wires().into_iter().find(|view| view.id == wire)?;
        match (view.tapped, heard, view.tls_from) {
            (true, _, [Some(0), Some(0)]) => Some("Somebody listens, and sees only TLS".to_owned()),
            (_, [None, None], _) => None,
            (_, _, [Some(_), Some(_)]) => {
                Some("Somebody listens, and reads it up to TLS".to_owned())
            }
            _ => Some("Somebody listens, and reads it".to_owned()),
        }
    }

    /// Where something matters: its share of the way, and how it is marked.
    #[must_use]
    pub fn marks(&self) -> Vec<(f32, &'static str)> {
        let length = self.entries.len().max(1) as f32;
        let marked = self.rows.all.iter().filter(|row| row.mark != Mark::Plain).take(MARKS_MAX);
        let class = |mark| match mark {
            Mark::Plain => "",
            Mark::Good => "good",
            Mark::Warn => "warn",
            Mark::Bad => "bad",
        };
        marked.map(|row| (row.to as f32 / length, class(row.mark))).collect()
    }

    /// What happened until a cursor, as far as it is shown.
    #[must_use]
    pub fn rows(&self, cursor: usize) -> Vec<SequenceRow> {
        self.rows_from(cursor, self.earlier(cursor))
    }

    /// The same from a row on.
    #[must_use]
    pub fn rows_from(&self, cursor: usize, first: usize) -> Vec<SequenceRow> {
        self.rows.all.get(first..self.told(cursor)).unwrap_or_default().to_vec()
    }

    /// How many rows there are until a cursor.
    #[must_use]
    pub fn told(&self, cursor: usize) -> usize {
        self.rows.all.partition_point(|row| row.from < cursor)
    }

    /// How many of them are not shown.
    #[must_use]
    pub fn earlier(&self, cursor: usize) -> usize {
        self.last_rows(cursor, ROWS_MAX)
    }

    /// Where the last rows begin, so many or a few less.
    #[must_use]
    pub fn last_rows(&self, cursor: usize, rows: usize) -> usize {
        self.told(cursor).saturating_sub(rows).next_multiple_of(ROWS_STEP)
    }

    fn add_rows(&self, to: &mut Rows) {
        let Rows { all: rows, taken: known, before, talked, taken_wires: taken, talking } = to;
        for (index, entry) in self.entries.iter().enumerate().skip(*known) {
            if let Some(number) = self.steps.iter().position(|at| *at == index) {
                if let (What::Octets { .. }, Some(wire)) = (&entry.what, entry.wire) {
                    let at = wire.0 as usize;
                    talked.resize(talked.len().max(at + 1), None);
                    talked[at] = Some(entry.at);
                }
                let silence = entry.at.0.saturating_sub(before.0);
                let gap = (silence >= GAP_MS).then(|| words::duration(silence));
                let clock = words::clock(self.start_unix_ms(), entry.at);
                let text = self.source.tape().scenario().steps[number].text.clone();
                let mark = self.sentence(index).map_or(Mark::Plain, |told| told.mark);
                let number = Some(number + 1);
                rows.push(SequenceRow {
                    from: index,
                    to: index + 1,
                    clock,
                    text,
                    number,
                    mark,
                    gap,
                    lanes: self.lanes(entry),
                });
                (*talking, *before) = (None, entry.at);
                continue;
            }
            let told = match (&entry.what, entry.wire) {
                (What::Octets { .. }, Some(wire)) if !taken.contains(&wire) => continue,
                (What::Octets { .. }, Some(wire)) => {
                    let at = wire.0 as usize;
                    talked.resize(talked.len().max(at + 1), None);
                    let last = talked[at].replace(entry.at);
                    let goes_on = last.is_some_and(|last| entry.at.0 < last.0 + GAP_MS);
                    if goes_on {
                        if let Some(row) = rows.last_mut().filter(|_| *talking == Some(wire)) {
                            row.to = index + 1;
                        }
                        *before = (*before).max(entry.at);
                        continue;
                    }
                    *talking = Some(wire);
                    self.talk_of(entry)
                }
                _ if !scene::is_visible(&entry.what) => None,
                (what, wire) => {
                    if matches!(what, What::Connected) {
                        taken.extend(wire);
                    }
                    self.sentence(index).inspect(|_| *talking = None)
                }
            };
            let Some(Sentence { text, mark }) = told else { continue };
            let silence = entry.at.0.saturating_sub(before.0);
            let gap = (silence >= GAP_MS).then(|| words::duration(silence));
            let clock = words::clock(self.start_unix_ms(), entry.at);
            let number = None;
            let (to, lanes) = (index + 1, self.lanes(entry));
            rows.push(SequenceRow { from: index, to, clock, text, number, mark, gap, lanes });
            *before = entry.at;
        }
        *known = self.entries.len();
    }

    /// Between which nodes something happens.
    fn lanes(&self, entry: &Entry) -> Option<(usize, usize)> {
        let talk = entry.wire.and_then(|wire| self.whole.wires.get(&wire));
        let (from, to) = match (&entry.what, talk) {
            (What::Connect { to, .. }, _) => (entry.node?, *to),
            (What::Refused { .. }, Some(talk)) => (talk.server, talk.client),
            (What::Octets { .. } | What::Connected, Some(talk)) => (talk.client, talk.server),
            (What::Dns(asked), _) => {
                let (node, dns) = (entry.node?, self.source.dns()?);
                if asked.answer.is_some() { (dns, node) } else { (node, dns) }
            }
            _ => (entry.node?, entry.node?),
        };
        let place = |id| self.nodes().iter().position(|node| node.id == id);
        Some((place(from)?, place(to)?))
    }

    fn talk_of(&self, entry: &Entry) -> Option<Sentence> {
        let talk = self.whole.wires.get(&entry.wire?)?;
        let (client, server) = (self.name(talk.client), self.name(talk.server));
        let protocol = source::protocol_name(talk.protocol);
        Some(Sentence { text: format!("{client} and {server} talk {protocol}"), mark: Mark::Plain })
    }

    /// The entry at a cursor.
    #[must_use]
    pub fn step(&self, cursor: usize) -> Option<StepInfo> {
        let told = &self.entries[..cursor.min(self.entries.len())];
        let index = told.iter().rposition(|entry| scene::is_visible(&entry.what))?;
        let entry = &told[index];
        let mut facts = Vec::new();
        if let Some(node) = entry.node {
            facts.push(("where", self.name(node)));
        }
        let title = match &entry.what {
            What::Octets { dir, start, end, arrives } => {
                let talk = entry.wire.and_then(|wire| self.whole.wires.get(&wire))?;
                let (from, to) = match dir {
                    Dir::ToServer => (talk.client, talk.server),
                    Dir::ToClient => (talk.server, talk.client),
                };
                facts.push(("octets", format!("{start} – {}", end.saturating_sub(1))));
                facts.push(("travels for", words::duration(arrives.0.saturating_sub(entry.at.0))));
                format!("{} speaks to {}", self.name(from), self.name(to))
            }
            _ => self.sentence(index).map_or_else(|| "A step".to_owned(), |told| told.text),
        };
        let causes = entry.causes.iter().filter_map(|cause| self.cause(cause.0 as usize)).collect();
        let gloss = source::gloss(&entry.what);
        Some(StepInfo { clock: self.clock(cursor), title, gloss, facts, causes })
    }

    /// The nearest cause that a reader can be told of.
    fn cause(&self, index: usize) -> Option<(usize, String)> {
        let mut at = index;
        // Each cause lies before what it causes.
        loop {
            if let Some(told) = self.sentence(at) {
                return Some((at + 1, told.text));
            }
            let entry = self.entries.get(at)?;
            if let (What::Octets { .. }, Some(told)) = (&entry.what, self.talk_of(entry)) {
                return Some((at + 1, told.text));
            }
            at = entry.causes.first().map(|cause| cause.0 as usize).filter(|cause| *cause < at)?;
        }
    }
}

/// A protocol's name for a reader.
#[must_use]
pub fn protocol_name(protocol: pillarbox_world::world::Protocol) -> &'static str {
    source::protocol_name(protocol)
}

/// How far one goes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stride {
    /// By single entries of the log.
    Entry,
    /// To what is told next.
    Step,
    /// To the next turn of the story.
    Turn,
    /// To the next connection that somebody opens.
    Connection,
}

impl Stride {
    fn ends_at(self, what: &What) -> bool {
        match self {
            Self::Entry => true,
            Self::Step => scene::is_visible(what),
            Self::Turn => scene::is_turn(what),
            Self::Connection => matches!(what, What::Connect { .. }),
        }
    }
}
