//! The list of conversations: who speaks, how it stands, and on which one somebody types.

use pillarbox_world::annotate::Grade;
use pillarbox_world::world::{Dir, Phase, WireId, WireView};

use super::Live;
use crate::story::hands::Part;
use crate::story::{Story, lines, source, words};

/// Conversations that are listed, newest first.
pub(super) const LISTED_MAX: usize = 60;

/// Octets of a last line that are shown.
const LAST_MAX: u64 = 200;

/// A conversation in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// Its wire.
    pub wire: WireId,
    /// The protocol's name.
    pub protocol: &'static str,
    /// Who speaks to the server.
    pub who: String,
    /// When it began, by the reader's clock.
    pub clock: String,
    /// Whether it is this page's own.
    pub own: bool,
    /// Whether it goes on.
    pub open: bool,
    /// The server's last line.
    pub last: String,
    /// Whether that was a no.
    pub bad: bool,
    /// Whether some of it is not known here.
    pub lacks: bool,
}

impl Live {
    pub(super) fn touch(&mut self, wire: WireId) {
        if !self.touched.contains(&wire) {
            self.touched.push(wire);
        }
    }

    /// Conversations, newest first.
    #[must_use]
    pub fn conversations(&self) -> &[Conversation] {
        &self.listed
    }

    /// Looks again at the conversations in which something was said.
    pub(super) fn list(&mut self, story: &Story) {
        let touched = std::mem::take(&mut self.touched);
        let world = story.source().tape().world();
        for wire in touched.into_iter().filter_map(|wire| world.wire_view(wire)) {
            let row = self.conversation(story, &wire);
            match self.listed.iter_mut().find(|known| known.wire == wire.id) {
                Some(known) => *known = row,
                None => self.listed.insert(0, row),
            }
        }
        self.listed.truncate(LISTED_MAX);
    }

    fn conversation(&self, story: &Story, wire: &WireView) -> Conversation {
        let own = self.is_own(wire.id);
        let annotated = story.source().annotations(wire.id, Dir::ToClient);
        let last = annotated.all().iter().rev().find(|a| a.parent.is_none());
        let (last, bad) = last.map_or_else(Default::default, |last| {
            let end = last.at.end.min(last.at.start + LAST_MAX);
            let octets = story.octets(wire.id, Dir::ToClient, last.at.start, end);
            let text = lines::text(&octets);
            (text.trim_end_matches(lines::LINE_END).to_owned(), last.grade >= Grade::Warning)
        });
        let who = match (own, wire.typed[0]) {
            (true, true) => "you".to_owned(),
            (true, false) => "this page".to_owned(),
            _ => {
                let known = self.peers.iter().find(|(known, _)| *known == wire.id);
                let who = known.map(|(_, who)| who.clone()).unwrap_or_default();
                match (self.is_visited(wire.id), wire.typed[1]) {
                    (true, true) => format!("you ← {who}"),
                    (true, false) => format!("this page ← {who}"),
                    _ => who,
                }
            }
        };
        Conversation {
            wire: wire.id,
            protocol: source::protocol_name(wire.protocol),
            who,
            clock: words::clock(self.began_ms, wire.opened),
            own,
            open: wire.phase == Phase::Open,
            last,
            bad,
            lacks: self.lacks(wire.id),
        }
    }

    /// The connection that somebody types on, if this is one and it is open.
    #[must_use]
    pub fn typing(&self, story: &Story, wire: WireId) -> Option<(WireId, Part)> {
        let found = story.source().tape().world().wire_view(wire)?;
        let part = match (self.is_own(wire), self.is_visited(wire), found.typed) {
            (true, _, [true, _]) => Part::Client,
            (_, true, [_, true]) => Part::Server,
            _ => return None,
        };
        (found.phase == Phase::Open).then_some((wire, part))
    }
}
