//! A conversation as a simulation, and what is known of it beside its octets: how it ended, and what is missing.

use pillarbox_engine::trace::{Note, Side};
use pillarbox_world::tape::Recording;
use pillarbox_world::world::{End, WireId};

use super::Live;
use crate::story::Story;
use crate::story::recorded::{self, Simulation};

/// Why there is no simulation of it.
const SILENT: &str = "The program said nothing yet.";

/// What is known of a conversation that the server told of, beside its octets.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// Whether it is of a service that worlds have.
    pub(super) simulated: bool,
    pub(super) tls: bool,
    pub(super) ending: Ending,
    pub(super) unread: u64,
    /// Entries of the record up to which it is whole.
    pub(super) whole: usize,
}

/// How a conversation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Open,
    Over,
    /// The server tells no more of it.
    Full,
    /// Some of it was lost.
    Lost,
    /// Somebody said more than this page keeps of one connection.
    Long,
}

impl Live {
    pub(super) fn change(&mut self, wire: WireId, change: impl FnOnce(&mut Known)) {
        if let Some((_, known)) = self.known.iter_mut().find(|(known, _)| *known == wire) {
            change(known);
        }
    }

    /// Whether something of a conversation was lost that the server goes on telling of.
    pub(super) fn has_gap(&self, wire: WireId) -> bool {
        let known = self.known.iter().find(|(known, _)| *known == wire);
        known.is_some_and(|(_, known)| known.ending == Ending::Lost)
    }

    /// Whether some of a conversation is not known here.
    pub(super) fn lacks(&self, wire: WireId) -> bool {
        let known = self.known.iter().find(|(known, _)| *known == wire);
        known.is_some_and(|(_, known)| {
            matches!(known.ending, Ending::Full | Ending::Lost | Ending::Long)
        })
    }

    /// A conversation as a simulation, in which the program says to the engine what it said to the server.
    ///
    /// # Errors
    /// Why there is none.
    pub fn simulate(&self, story: &Story, wire: WireId) -> Result<Simulation, String> {
        let known = self.known_of(wire)?;
        let recording = Recording::of(story.source().tape().world(), wire, known.whole);
        let recording = recording.ok_or(SILENT)?;
        let lacks = [
            (known.tls, recorded::TLS),
            (known.ending == Ending::Open, recorded::OPEN),
            (known.ending == Ending::Full, recorded::FULL),
            (known.ending == Ending::Lost, recorded::LOST),
            (known.ending == Ending::Long, recorded::LONG),
            (known.unread > 0, recorded::UNREAD),
        ];
        let lacks = lacks.into_iter().filter(|(is_so, _)| *is_so).map(|(_, words)| words);
        Simulation::of(&recording, lacks.collect())
    }

    /// Why a conversation has no simulation; none: it has one.
    #[must_use]
    pub fn unsimulated(&self, story: &Story, wire: WireId) -> Option<String> {
        let notes = story.source().tape().world().all_notes(wire, End::Server);
        let is_read = |note| matches!(note, Note::Span(span) if span.side == Side::Received);
        let has_spoken = notes.iter().any(|noted| is_read(noted.note));
        match self.known_of(wire) {
            Ok(_) if has_spoken => None,
            Ok(_) => Some(SILENT.to_owned()),
            Err(why) => Some(why),
        }
    }

    fn known_of(&self, wire: WireId) -> Result<&Known, String> {
        let found = self.known.iter().find(|(known, _)| *known == wire);
        let (_, known) = found.ok_or("The server did not tell of this conversation.")?;
        if known.simulated { Ok(known) } else { Err("This service has no simulation.".to_owned()) }
    }
}
