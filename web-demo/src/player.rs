//! Where a reader is in a story, and what they look at: the cursor over the log, play and pace, the pinned octets.
//! Every view of a stage reads the same signals, which is what links them.

use std::time::Duration;

use leptos::prelude::*;
use pillarbox_world::world::{Dir, NodeId, WireId};

use crate::app::Ui;
use crate::browser;
use crate::story::{Scene, Story};

/// What somebody looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Focus {
    /// Octets of a direction of a wire.
    Octets {
        /// The wire.
        wire: WireId,
        /// The direction.
        dir: Dir,
        /// The first.
        start: u64,
        /// One past the last.
        end: u64,
    },
    /// A node of the map.
    Node(NodeId),
}

/// How fast a story is played, in milliseconds a step: something that is talk, and something that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// To read along.
    Calm,
    /// To watch.
    Brisk,
    /// To get through.
    Fast,
}

impl Pace {
    /// All, with their words.
    pub(crate) const ALL: [(Self, &'static str); 3] =
        [(Self::Calm, "calm"), (Self::Brisk, "brisk"), (Self::Fast, "fast")];

    fn ms(self, matters: bool) -> u64 {
        match (self, matters) {
            (Self::Calm, true) => 1800,
            (Self::Calm, false) => 700,
            (Self::Brisk, true) => 800,
            (Self::Brisk, false) => 250,
            (Self::Fast, true) => 220,
            (Self::Fast, false) => 30,
        }
    }
}

/// How long a reader stays at a place before what is out of sight is drawn too.
const REST: Duration = Duration::from_millis(150);

/// The signals of one stage.
#[derive(Clone, Copy)]
pub(crate) struct Player {
    /// The story.
    pub(crate) story: StoredValue<Story, LocalStorage>,
    /// Grows whenever the story has other entries.
    pub(crate) version: RwSignal<u32>,
    /// How many entries are shown.
    pub(crate) cursor: RwSignal<usize>,
    /// Where the reader rests, once they do: while they move, only what they see is drawn.
    pub(crate) rested: RwSignal<Option<usize>>,
    /// The world after them.
    pub(crate) scene: Memo<Scene>,
    /// Whether it goes on by itself.
    pub(crate) playing: RwSignal<bool>,
    /// How fast.
    pub(crate) pace: RwSignal<Pace>,
    /// What was chosen to be looked at.
    pub(crate) pin: RwSignal<Option<Focus>>,
    /// What the pointer or the keyboard is at.
    pub(crate) hover: RwSignal<Option<Focus>>,
    /// Whether reasons are shown.
    pub(crate) explain: RwSignal<bool>,
    /// The connection whose words are shown; none: the last that said something.
    pub(crate) chosen: RwSignal<Option<WireId>>,
    /// The connection that is shown.
    pub(crate) wire: Memo<Option<WireId>>,
    turn: StoredValue<u64>,
}

impl Player {
    /// A stage for a story, at its beginning.
    pub(crate) fn new(story: Story) -> Self {
        let story = StoredValue::new_local(story);
        let (version, cursor) = (RwSignal::new(0), RwSignal::new(0));
        let scene = Memo::new(move |_| {
            version.track();
            let cursor = cursor.get();
            story.with_value(|story| story.scene(cursor))
        });
        let rested = RwSignal::new(None);
        Effect::new(move |_| {
            let here = cursor.get();
            let rest = move || {
                if cursor.try_get_untracked() == Some(here) {
                    rested.try_set(Some(here));
                }
            };
            set_timeout(rest, REST);
        });
        let chosen = RwSignal::new(None);
        let wire = Memo::new(move |_| {
            version.track();
            let (cursor, chosen) = (cursor.get(), chosen.get());
            chosen.or_else(|| story.with_value(|story| story.speaking(cursor)))
        });
        Self {
            story,
            version,
            cursor,
            rested,
            scene,
            playing: RwSignal::new(false),
            pace: RwSignal::new(Pace::Brisk),
            pin: RwSignal::new(None),
            hover: RwSignal::new(None),
            explain: RwSignal::new(true),
            chosen,
            wire,
            turn: StoredValue::new(0),
        }
    }

    /// Reads the story.
    pub(crate) fn read<T>(self, read: impl FnOnce(&Story) -> T) -> T {
        self.story.with_value(read)
    }

    /// Changes the story; whoever shows it looks again.
    pub(crate) fn change<T>(self, change: impl FnOnce(&mut Story) -> T) -> T {
        let done =
            self.story.try_update_value(change).expect("the stage is there as long as its views");
        self.version.update(|version| *version += 1);
        done
    }

    /// What is looked at: what the pointer is at, else what is pinned.
    pub(crate) fn focus(self) -> Option<Focus> {
        self.hover.get().or_else(|| self.pin.get())
    }

    /// Goes to a place of the log.
    pub(crate) fn seek(self, cursor: usize) {
        let last = self.read(|story| story.entries().len());
        self.cursor.set(cursor.min(last));
    }

    /// One visible step on; says whether there was one.
    pub(crate) fn forward(self, matters: bool) -> bool {
        let cursor = self.cursor.get_untracked();
        match self.read(|story| story.next(cursor, matters)) {
            Some(next) => {
                self.cursor.set(next);
                true
            }
            None => false,
        }
    }

    /// One visible step back.
    pub(crate) fn back(self, matters: bool) {
        let cursor = self.cursor.get_untracked();
        self.cursor.set(self.read(|story| story.previous(cursor, matters)));
    }

    /// Starts, or stops.
    pub(crate) fn play(self, on: bool) {
        self.playing.set(on);
        self.turn.update_value(|turn| *turn += 1);
        if !on {
            return;
        }
        let cursor = self.cursor.get_untracked();
        if self.read(|story| story.next(cursor, false)).is_none() {
            self.cursor.set(0);
        }
        self.go_on(self.turn.get_value());
    }

    fn go_on(self, turn: u64) {
        // A later start, or another screen, ends this one.
        if self.turn.try_get_value() != Some(turn) || self.playing.try_get_untracked() != Some(true)
        {
            return;
        }
        if !self.forward(false) || self.read(|story| story.stops_at(self.cursor.get_untracked())) {
            self.playing.set(false);
            return;
        }
        let cursor = self.cursor.get_untracked();
        let matters = self.read(|story| story.matters(cursor));
        let ms = self.pace.get_untracked().ms(matters);
        set_timeout(move || self.go_on(turn), Duration::from_millis(ms));
    }

    /// A key of the stage.
    pub(crate) fn key(self, key: &str) {
        match key {
            " " | "." => self.play(!self.playing.get_untracked()),
            "ArrowRight" => {
                self.playing.set(false);
                self.forward(false);
            }
            "ArrowLeft" => {
                self.playing.set(false);
                self.back(false);
            }
            "Home" => self.seek(0),
            "End" => self.seek(usize::MAX),
            "Escape" => {
                self.pin.set(None);
                self.hover.set(None);
            }
            "e" => self.explain.update(|explain| *explain = !*explain),
            _ => {}
        }
    }

    /// Tells steps to a screen reader, at most one a second.
    pub(crate) fn narrate(self, ui: Ui) {
        let told = StoredValue::new(0.0_f64);
        Effect::new(move |_| {
            let cursor = self.cursor.get();
            if !ui.narrate.get_untracked() || cursor == 0 {
                return;
            }
            let Some(sentence) = self.read(|story| story.sentence(cursor - 1)) else { return };
            if browser::now_ms() - told.get_value() < 1000.0 && self.playing.get_untracked() {
                return;
            }
            told.set_value(browser::now_ms());
            ui.told.set(sentence.text);
        });
    }
}
