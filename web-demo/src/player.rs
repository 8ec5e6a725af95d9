//! Where a reader is in a story, and what they look at: the cursor over the log, play and pace, the pinned octets.
//! Every view of a stage reads the same signals, which is what links them.

use std::time::Duration;

use leptos::prelude::*;
use pillarbox_world::tape::Tape;
use pillarbox_world::world::WireId;

use crate::app::Ui;
use crate::browser;
pub(crate) use crate::story::seen::Focus;
use crate::story::seen::Seen;
use crate::story::{Scene, Spot, Story, Stride};

/// How fast a story is played: so long for each step, or so many times as fast as the world's own time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Milliseconds for something that matters, and for something that is talk.
    Steps(u64, u64),
    /// The world's time, by this.
    Times(u64),
    /// As fast as it can be drawn.
    Max,
}

impl Pace {
    /// To watch.
    pub(crate) const BRISK: Self = Self::Steps(800, 250);
    /// All, with their words: by the step to read along, to watch and to get through; then by the clock.
    pub(crate) const ALL: [(Self, &'static str); 8] = [
        (Self::Steps(1800, 700), "calm"),
        (Self::BRISK, "brisk"),
        (Self::Steps(220, 30), "fast"),
        (Self::Times(1), "1×"),
        (Self::Times(10), "10×"),
        (Self::Times(60), "60×"),
        (Self::Times(1800), "1800×"),
        (Self::Max, "max"),
    ];

    /// How long it takes until the next step, which the world waits `silence` for.
    fn ms(self, matters: bool, silence: u64, skips: bool) -> u64 {
        match self {
            Self::Steps(ms, _) if matters => ms,
            Self::Steps(_, ms) => ms,
            Self::Times(_) if skips && silence >= SILENCE_MS => SKIPPED_MS,
            Self::Times(times) => silence / times,
            Self::Max => 0,
        }
    }
}

/// What the world waits longer for than this is skipped, unless it is to be waited for.
const SILENCE_MS: u64 = 60_000;
/// How long a skipped silence takes, so that one sees that it was there.
const SKIPPED_MS: u64 = 700;

/// How long a reader stays at a place before what is out of sight is drawn too.
const REST: Duration = Duration::from_millis(150);

/// What links hold beside what was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Holds {
    /// Where the reader is.
    pub(crate) position: bool,
    /// What they look at.
    pub(crate) selection: bool,
    /// All branches, not only the one that is shown.
    pub(crate) branches: bool,
    /// That secrets are shown.
    pub(crate) secrets: bool,
}

impl Holds {
    const USUAL: Self = Self { position: true, selection: true, branches: false, secrets: false };
}

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
    /// Whether long silences are skipped, where it is played by the clock.
    pub(crate) skips: RwSignal<bool>,
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
    /// What links hold beside what was done.
    pub(crate) holds: RwSignal<Holds>,
    /// Whether it is asked what may go wrong.
    pub(crate) faults: RwSignal<bool>,
    /// With what; none: anywhere.
    pub(crate) spot: RwSignal<Option<Spot>>,
    /// What pointer or keyboard is at, where it has no octets.
    near: RwSignal<Option<Spot>>,
    breaks: StoredValue<bool>,
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
            pace: RwSignal::new(Pace::BRISK),
            skips: RwSignal::new(true),
            pin: RwSignal::new(None),
            hover: RwSignal::new(None),
            explain: RwSignal::new(true),
            chosen,
            wire,
            holds: RwSignal::new(Holds::USUAL),
            faults: RwSignal::new(false),
            spot: RwSignal::new(None),
            near: RwSignal::new(None),
            breaks: StoredValue::new(false),
            turn: StoredValue::new(0),
        }
    }

    /// Opens a link's moment.
    pub(crate) fn open(self, seen: Seen) {
        self.seek(seen.cursor);
        let known = |focus: &Focus| self.read(|story| story.has(*focus));
        let pin = seen.pin.filter(known);
        if let Some(Focus::Octets { wire, .. }) = pin {
            self.chosen.set(Some(wire));
        }
        self.pin.set(pin);
    }

    /// The world as text for a link to this moment; none: it is too long for one.
    pub(crate) fn link(self) -> Option<String> {
        Some(self.text()).filter(|link| Tape::fits(link))
    }

    /// The same however long it is, for a file.
    pub(crate) fn text(self) -> String {
        let (seen, all) = (self.seen(), self.holds.get_untracked().branches);
        self.read(|story| story.source().text(&seen, all))
    }

    /// What a link tells of this moment.
    pub(crate) fn seen(self) -> Seen {
        let Holds { position, selection, secrets, .. } = self.holds.get_untracked();
        Seen {
            cursor: if position { self.cursor.get_untracked() } else { 0 },
            pin: self.pin.get_untracked().filter(|_| selection),
            secrets,
        }
    }

    /// Things may go wrong on this screen; what opens when it is asked which.
    pub(crate) fn breakable(self) -> RwSignal<bool> {
        self.breaks.set_value(true);
        self.faults
    }

    /// Whether they may.
    pub(crate) fn breaks(self) -> bool {
        self.breaks.get_value()
    }

    /// Asks what may go wrong with a thing.
    pub(crate) fn ask(self, spot: Option<Spot>) {
        if self.breaks() {
            self.playing.set(false);
            self.spot.set(spot);
            self.faults.set(true);
        }
    }

    /// The menu of a thing.
    pub(crate) fn menu(self, spot: Spot) -> Option<Callback<()>> {
        self.breaks().then(|| Callback::new(move |()| self.ask(Some(spot))))
    }

    /// Pointer or keyboard come to a thing, or leave it.
    pub(crate) fn near(self, here: bool, spot: Spot) {
        // What is taken off the page loses the focus when the stage may be gone.
        let left = self.near.try_get_untracked() == Some(Some(spot));
        if here || left {
            let _ = self.near.try_set(here.then_some(spot));
        }
    }

    /// The thing that is looked at, or else what moves with this very step.
    pub(crate) fn at(self) -> Option<Spot> {
        let moving = || {
            let moves = self.scene.with_untracked(|scene| scene.motion.is_some());
            let entry = self.cursor.get_untracked().checked_sub(1)?;
            moves.then_some(Spot::Entry(entry))
        };
        self.near.get_untracked().or_else(|| self.spot_of(self.focus_untracked()?)).or_else(moving)
    }

    /// What is looked at, as a thing.
    pub(crate) fn spot_of(self, focus: Focus) -> Option<Spot> {
        match focus {
            Focus::Node(node) => Some(Spot::Node(node)),
            Focus::Octets { wire, dir, start, .. } => {
                self.read(|story| story.entry_of(wire, dir, start)).map(Spot::Entry)
            }
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

    /// The same, without being told of changes.
    pub(crate) fn focus_untracked(self) -> Option<Focus> {
        self.hover.get_untracked().or_else(|| self.pin.get_untracked())
    }

    /// Goes to a place of the log.
    pub(crate) fn seek(self, cursor: usize) {
        let last = self.read(|story| story.entries().len());
        self.cursor.set(cursor.min(last));
    }

    /// One stride on; says whether there was one.
    pub(crate) fn forward(self, stride: Stride) -> bool {
        let cursor = self.cursor.get_untracked();
        match self.read(|story| story.next(cursor, stride)) {
            Some(next) => {
                self.cursor.set(next);
                true
            }
            None => false,
        }
    }

    /// One stride back.
    pub(crate) fn back(self, stride: Stride) {
        let cursor = self.cursor.get_untracked();
        self.cursor.set(self.read(|story| story.previous(cursor, stride)));
    }

    /// One stride on or back by hand, which ends play.
    pub(crate) fn stride(self, stride: Stride, on: bool) {
        self.playing.set(false);
        if on {
            self.forward(stride);
        } else {
            self.back(stride);
        }
    }

    /// Starts, or stops.
    pub(crate) fn play(self, on: bool) {
        self.playing.set(on);
        self.turn.update_value(|turn| *turn += 1);
        if !on {
            return;
        }
        let cursor = self.cursor.get_untracked();
        if self.read(|story| story.next(cursor, Stride::Step)).is_none() {
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
        if !self.forward(Stride::Step)
            || self.read(|story| story.stops_at(self.cursor.get_untracked()))
        {
            self.playing.set(false);
            return;
        }
        let cursor = self.cursor.get_untracked();
        let (matters, silence) = self.read(|story| (story.matters(cursor), story.silence(cursor)));
        let ms = self.pace.get_untracked().ms(matters, silence, self.skips.get_untracked());
        set_timeout(move || self.go_on(turn), Duration::from_millis(ms));
    }

    fn is_asked(self) -> bool {
        let cursor = self.cursor.get_untracked();
        self.read(|story| story.question(cursor)).is_some()
    }

    /// A key of the stage.
    pub(crate) fn key(self, key: &str) {
        match key {
            // A question that waits for its answer is gone to, not past.
            " " | "." if !self.playing.get_untracked() && self.is_asked() => {
                crate::browser::focus_first(".prediction input, .prediction button");
            }
            " " | "." => self.play(!self.playing.get_untracked()),
            "ArrowRight" => self.stride(Stride::Step, true),
            "ArrowLeft" => self.stride(Stride::Step, false),
            "n" => self.stride(Stride::Turn, true),
            "p" => self.stride(Stride::Turn, false),
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
