//! What the server tells of conversations, entered as it comes: whose it is, and what was lost of it.

use pillarbox_engine::trace::Note;
use pillarbox_world::world::{End, WireId};

use super::simulated::{Ending, Known};
use super::{LMTP, Live, SERVER, SERVICES};
use crate::story::{Source, Story};

/// Events that wait until it is known whose they are.
pub(super) const WAITING_MAX: usize = 512;
/// What is told once some of it is lost.
const LOST: &str = "Some of what was said is lost: more was said than this page could take. Conversations that it was \
    lost of say so.";
/// What is told once the server began anew.
const RESTARTED: &str = "The server was started again. Conversations that went on before are over; what begins now is of the new start.";

/// What the server tells of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Somebody has connected.
    Opened {
        /// Which conversation.
        session: String,
        /// Which service.
        service: String,
        /// From where.
        peer: String,
        /// Whether it is inside TLS from its first octet.
        tls: bool,
    },
    /// Something was said, and noted.
    Said {
        /// Which conversation.
        session: String,
        /// What, in order.
        parts: Vec<Heard>,
    },
    /// No more is told of it.
    Full {
        /// Which conversation.
        session: String,
    },
    /// It is over.
    Closed {
        /// Which conversation.
        session: String,
        /// Octets that were never read, and so never told.
        unread: u64,
    },
}

/// A part of what was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Octets of one side; secrets are masked already.
    Octets(End, Vec<u8>),
    /// What the server's session noted.
    Noted(Note),
    /// From here on it is inside TLS.
    Secured,
}

impl Live {
    fn session(&self, session: &str) -> Option<WireId> {
        self.sessions.iter().find(|(known, _)| known == session).map(|(_, wire)| *wire)
    }

    /// Whether a connection of this page's own is on its way, so that its session could be taken for another's.
    pub(super) fn is_unsure(&self) -> bool {
        self.own.iter().any(|(_, own)| own.local.is_none() && !own.closed)
    }

    /// The server tells of a conversation.
    pub fn told(&mut self, story: &mut Story, told: Told) {
        if self.waiting.len() < WAITING_MAX {
            self.waiting.push(told);
        } else {
            self.overflowed = true;
        }
        self.settle(story);
    }

    /// Enters what has waited, once it is known whose it is.
    pub(super) fn settle(&mut self, story: &mut Story) {
        if self.is_unsure() {
            return;
        }
        for told in std::mem::take(&mut self.waiting) {
            self.enter(story, told);
        }
        // What did not find room came after all that did.
        if std::mem::take(&mut self.overflowed) {
            self.lost(story);
        }
    }

    fn enter(&mut self, story: &mut Story, told: Told) {
        match told {
            Told::Opened { session, service, peer, tls } => {
                self.opened(story, session, &service, peer, tls);
            }
            Told::Said { session, parts } => {
                let Some(wire) = self.session(&session) else { return };
                let own = self.is_own(wire);
                self.touch(wire);
                if parts.contains(&Heard::Secured) {
                    self.change(wire, |known| known.tls = true);
                }
                // Behind a gap nobody knows which octets a note is about.
                let explained = !self.has_gap(wire);
                let is_kept = |part: &Heard| {
                    explained || !matches!(part, Heard::Noted(Note::Span(_) | Note::Defect(_)))
                };
                let parts = parts.into_iter().filter(is_kept).collect();
                story.act(|source| witness(source, wire, own, parts));
            }
            Told::Full { session } => self.over(story, &session, Ending::Full, 0),
            Told::Closed { session, unread } => self.over(story, &session, Ending::Over, unread),
        }
        self.list(story);
    }

    /// No more is told of a conversation.
    fn over(&mut self, story: &mut Story, session: &str, ending: Ending, unread: u64) {
        let Some(wire) = self.session(session) else { return };
        self.sessions.retain(|(known, _)| known != session);
        self.touch(wire);
        self.change(wire, |known| {
            known.unread = unread;
            if known.ending == Ending::Open {
                known.ending = ending;
            }
        });
        if !self.is_own(wire) {
            story.act(|source| source.witnessed().witness_end(wire, End::Server));
        }
    }

    /// Some of what the server told is lost: of whatever goes on nobody knows how much.
    pub fn lost(&mut self, story: &Story) {
        let length = story.source().length();
        let open: Vec<WireId> = self.sessions.iter().map(|(_, wire)| *wire).collect();
        for wire in open {
            self.touch(wire);
            self.change(wire, |known| {
                if known.ending == Ending::Open {
                    known.ending = Ending::Lost;
                    known.whole = length;
                }
            });
        }
        self.notice = Some(LOST);
        self.list(story);
    }

    /// Another run of the server tells from here on: its numbers are none of those that are known.
    pub fn restarted(&mut self, story: &mut Story) {
        self.lost(story);
        (self.waiting, self.overflowed) = (Vec::new(), false);
        for (_, wire) in std::mem::take(&mut self.sessions) {
            self.touch(wire);
            story.act(|source| source.witnessed().witness_end(wire, End::Server));
        }
        self.notice = Some(RESTARTED);
        self.list(story);
    }

    fn opened(
        &mut self,
        story: &mut Story,
        session: String,
        service: &str,
        peer: String,
        tls: bool,
    ) {
        // The system gives an address again once its connection is over; the server told of that one already.
        let is_told = |wire: WireId| self.known.iter().any(|(known, _)| *known == wire);
        let mut ours = self.own.iter().filter(|(_, own)| own.local.as_deref() == Some(&peer));
        let ours = ours.find(|(wire, _)| !is_told(*wire)).map(|(wire, _)| *wire);
        if let Some(wire) = ours {
            self.begins(session, wire, service, tls);
            return;
        }
        let Some((_, port)) = SERVICES.iter().find(|(name, _)| *name == service) else { return };
        if !self.has_room(story) {
            return;
        }
        let wire = story.act(|source| source.witnessed().witness("programs", SERVER, *port));
        let Ok(wire) = wire else { return };
        let who = if tls { format!("{peer}, TLS") } else { peer };
        self.peers.push((wire, who));
        self.begins(session, wire, service, tls);
        self.touch(wire);
    }

    fn begins(&mut self, session: String, wire: WireId, service: &str, tls: bool) {
        self.sessions.push((session, wire));
        let (ending, whole) = (Ending::Open, usize::MAX);
        let simulated = service != LMTP;
        self.known.push((wire, Known { simulated, tls, ending, unread: 0, whole }));
    }
}

/// Enters what was said. Of the page's own connections the octets are known already: only the server's notes are new.
fn witness(source: &mut Source, wire: WireId, own: bool, parts: Vec<Heard>) {
    for part in parts {
        match part {
            Heard::Octets(end, octets) if !own => {
                source.witnessed().witness_octets(wire, end, &octets);
            }
            Heard::Octets(..) | Heard::Secured => {}
            Heard::Noted(note) => source.witnessed().witness_note(wire, End::Server, note),
        }
    }
}
