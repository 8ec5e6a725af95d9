//! What the screen's parts share: the record, the way to the server, and what becomes of news.

use leptos::prelude::*;
use pillarbox_world::world::WireId;

use crate::app::Ui;
use crate::link::{Link, News};
use crate::player::Player;
use crate::story::Story;
use crate::story::live::{Conversation, Errand, Live, Service, Task};

/// The screen's signals.
#[derive(Clone, Copy)]
pub(super) struct Desk {
    pub(super) ui: Ui,
    pub(super) player: Player,
    pub(super) live: StoredValue<Live, LocalStorage>,
    pub(super) link: StoredValue<Option<Link>, LocalStorage>,
    pub(super) listed: RwSignal<Vec<Conversation>>,
    /// What went wrong last, in words.
    pub(super) wrong: RwSignal<Option<String>>,
    /// The conversation that is shown as a simulation.
    pub(super) opened: RwSignal<Option<WireId>>,
    /// Whether what is new is drawn with the next frame.
    pub(super) due: StoredValue<bool, LocalStorage>,
    /// How visitors of this page are answered, and where it listens for them.
    pub(super) serves: RwSignal<Option<(Service, Place)>>,
}

/// Where this page listens for visitors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The port is asked for.
    Asked,
    /// At this address.
    At(String),
    /// Nowhere any more, for this reason; the same port is asked for again.
    Lost(String),
}

impl Desk {
    /// Changes the record, does what is to be done for it outside, and shows what became of it.
    pub(super) fn change<T>(self, change: impl FnOnce(&mut Live, &mut Story) -> T) -> Option<T> {
        let done = self.both(change)?;
        self.carry_out();
        self.show();
        self.tell();
        Some(done)
    }

    pub(super) fn both<T>(self, change: impl FnOnce(&mut Live, &mut Story) -> T) -> Option<T> {
        let change = |story: &mut Story| self.live.try_update_value(|live| change(live, story));
        self.player.story.try_update_value(change).flatten()
    }

    /// Tells what happened that must be known.
    fn tell(self) {
        if let Some(notice) = self.live.try_update_value(Live::take_notice).flatten() {
            self.warn(notice);
        }
    }

    /// Tells something that must be known, beside what was told and not yet read.
    fn warn(self, told: &str) {
        self.wrong.update(|wrong| match wrong {
            Some(before) if before.contains(told) => {}
            Some(before) => before.extend([" ", told]),
            None => *wrong = Some(told.to_owned()),
        });
    }

    /// Shows what is new: all that comes before the next frame at once, however much that is.
    fn show(self) {
        if self.due.try_get_value() == Some(false) {
            self.due.set_value(true);
            request_animation_frame(move || self.draw());
        }
    }

    fn draw(self) {
        // Whoever has left by then needs no picture.
        if self.due.try_set_value(false).is_some() {
            return;
        }
        self.player.version.update(|version| *version += 1);
        self.player.seek(usize::MAX);
        if let Some(listed) = self.live.try_with_value(|live| live.conversations().to_vec()) {
            self.listed.set(listed);
        }
    }

    /// Time has passed.
    pub(super) fn look(self) {
        let before = self.player.story.try_with_value(|story| story.source().length());
        let Some(before) = before else { return };
        self.carry_out();
        if self.player.read(|story| story.source().length()) != before {
            self.show();
        }
        self.tell();
    }

    fn carry_out(self) {
        let now = js_sys::Date::now() as u64;
        let errands = self.both(|live, story| live.pass(story, now)).unwrap_or_default();
        let Some(link) = self.link.try_get_value().flatten() else { return };
        for errand in errands {
            match errand {
                Errand::Open(wire, service) => {
                    self.player.chosen.set(Some(wire));
                    link.open(wire, service);
                }
                Errand::Send(wire, octets) => link.send(wire, &octets),
                Errand::Close(wire) => link.close(wire),
                Errand::Answer(_, number, octets) => link.answer(number, &octets),
                Errand::Leave(_, number) => link.answer(number, &[]),
            }
        }
    }

    pub(super) fn hear(self, news: News) {
        match news {
            News::Told(told) => {
                let forgot = self.change(|live, story| {
                    let before = live.has_forgotten;
                    live.told(story, told);
                    live.has_forgotten && !before
                });
                if forgot == Some(true) {
                    self.player.chosen.set(None);
                    self.player.pin.set(None);
                }
            }
            News::Gap => drop(self.change(|live, story| live.lost(story))),
            News::Unseen => self
                .warn("While this page was away conversations began that it is told nothing of."),
            News::Restarted => drop(self.change(Live::restarted)),
            News::Connected(wire, local) => {
                self.change(|live, story| live.connected(story, wire, local));
            }
            News::Came(wire, octets) => {
                self.change(|live, story| live.came(story, wire, &octets));
            }
            News::Ended(wire, why) => {
                self.change(|live, story| live.ended(story, wire));
                self.ui.told.set(format!("The connection is over: {why}."));
            }
            News::Listening(address) => {
                self.ui.told.set(format!("This page is a server at {address}."));
                self.serves.update(|serves| {
                    if let Some((_, at)) = serves {
                        *at = Place::At(address);
                    }
                });
            }
            News::Arrived(number, peer) => {
                let Some((service, _)) = self.serves.get_untracked() else { return };
                let wire = self.change(|live, story| live.arrived(story, number, peer, service));
                self.player.pin.set(None);
                self.player.chosen.set(wire.flatten());
            }
            News::Visitor(number, octets) => {
                self.change(|live, story| live.visitor_said(story, number, &octets));
            }
            News::Gone(number) => {
                self.change(|live, story| live.visitor_gone(story, number));
            }
            News::Deaf(why, false) => {
                self.closed();
                self.wrong.set(Some(format!("This page is a server no longer: {why}.")));
            }
            News::Deaf(why, true) => {
                // Why it was lost is told, not why it is not there again yet.
                let was_had = self.serves.try_update(|serves| match serves {
                    Some((_, place @ Place::At(_))) => {
                        *place = Place::Lost(why);
                        true
                    }
                    _ => false,
                });
                if was_had == Some(true) {
                    self.change(Live::visitors_gone);
                }
            }
        }
    }

    /// Nobody can visit this page.
    pub(super) fn closed(self) {
        self.serves.set(None);
        self.change(|live, story| live.visitors_gone(story));
    }

    pub(super) fn task(self, task: Task) {
        self.player.pin.set(None);
        let done = self.change(|live, story| live.begin_task(story, task));
        self.wrong.set(done.and_then(Result::err));
    }
}
