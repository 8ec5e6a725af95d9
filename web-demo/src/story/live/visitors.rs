//! Programs that visit this page as a server: the engine answers them, or whoever reads this does.

use pillarbox_world::world::{Dir, End, Phase, Protocol, WireId};

use super::simulated::{Ending, Known};
use super::{Errand, Live};
use crate::story::hands::Part;
use crate::story::lines::{LINE_END, text};
use crate::story::{Source, Story};

/// Octets of one connection that this page takes: as long as it lasts, all of them are kept.
const SAID_MAX: u64 = 16 << 20;
/// What is told of somebody who says more.
const TOO_LONG: &str = "A visitor said more than the 16 MiB that this page keeps of one connection, and was let go. The rest of it is missing.";
/// Who answers visitors: whoever reads this, and the engine.
const YOU: &str = "you";
const ENGINE: &str = "engine.example";

/// How visitors of this page are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// What is spoken, by its usual port.
    pub port: u16,
    /// Whether somebody types the answers, rather than the engine.
    pub by_hand: bool,
}

impl Service {
    /// A command that visits it at this address.
    #[must_use]
    pub fn example(self, address: &str) -> String {
        match self.port {
            25 => format!(
                "curl smtp://{address} --mail-from ann@test.example --mail-rcpt bob@test.example \
                 --crlf --upload-file letter.eml"
            ),
            110 => format!("curl pop3://{address}/1 --user bob:any"),
            _ => format!("curl imap://{address}/INBOX --user bob:any"),
        }
    }
}

/// Somebody who visits this page as a server.
#[derive(Clone, Debug)]
pub(super) struct Visitor {
    number: u32,
    /// Octets to them that were given out.
    sent: u64,
    /// Octets that they said.
    said: u64,
    /// Whether they say nothing more. They still hear.
    ended: bool,
}

impl Live {
    /// What is to be said to visitors, and who of them is to be let go.
    pub(super) fn answer_visitors(&mut self, story: &Story, errands: &mut Vec<Errand>) {
        errands.extend(self.unwelcome.drain(..).map(|number| Errand::Leave(None, number)));
        let (source, told) = (story.source(), &mut self.visited_octets);
        self.visitors.retain_mut(|(id, visitor)| {
            let octets = source.octets(*id, Dir::ToClient);
            let sent = usize::try_from(visitor.sent).unwrap_or(usize::MAX);
            if let Some(new) = octets.get(sent..).filter(|new| !new.is_empty()) {
                visitor.sent = octets.len() as u64;
                *told += new.len() as u64;
                errands.push(Errand::Answer(*id, visitor.number, new.to_vec()));
            }
            let wire = source.tape().world().wire_view(*id);
            let is_over = wire.is_none_or(|wire| wire.phase == Phase::Closed);
            if is_over {
                errands.push(Errand::Leave(Some(*id), visitor.number));
            }
            !is_over
        });
    }

    /// Whether it is a connection of somebody who visits this page, or once did.
    pub(super) fn is_visited(&self, wire: WireId) -> bool {
        self.visited.binary_search(&wire).is_ok()
    }

    fn visitor(&mut self, number: u32) -> Option<&mut (WireId, Visitor)> {
        self.visitors.iter_mut().find(|(_, visitor)| visitor.number == number)
    }

    /// Somebody visits this page as a server, over a connection that is given; none: nothing listens there.
    pub fn arrived(
        &mut self,
        story: &mut Story,
        number: u32,
        peer: String,
        service: Service,
    ) -> Option<WireId> {
        let wire = if self.has_room(story) { self.welcome(story, service) } else { None };
        let Some(wire) = wire else {
            self.unwelcome.push(number);
            return None;
        };
        self.peers.push((wire, peer));
        self.visitors.push((wire, Visitor { number, sent: 0, said: 0, ended: false }));
        self.visited.push(wire);
        let (ending, whole) = (Ending::Open, usize::MAX);
        self.known.push((wire, Known { simulated: true, tls: false, ending, unread: 0, whole }));
        self.touch(wire);
        self.list(story);
        Some(wire)
    }

    fn welcome(&self, story: &mut Story, service: Service) -> Option<WireId> {
        let server = if service.by_hand { YOU } else { ENGINE };
        let visit =
            |source: &mut Source| source.witnessed().visit("programs", server, service.port);
        story.act(visit).ok()
    }

    /// A visitor said this; nothing: they say nothing more, and still hear.
    pub fn visitor_said(&mut self, story: &mut Story, number: u32, octets: &[u8]) {
        let Some((wire, visitor)) = self.visitor(number) else { return };
        let (wire, count) = (*wire, octets.len() as u64);
        visitor.said += count;
        visitor.ended |= octets.is_empty();
        let is_long = visitor.said > SAID_MAX;
        self.touch(wire);
        if is_long {
            self.notice = Some(TOO_LONG);
            self.change(wire, |known| known.ending = Ending::Long);
            story.act(|source| source.witnessed().witness_cut(wire, End::Client));
        } else if octets.is_empty() {
            self.change(wire, |known| known.ending = Ending::Over);
            story.act(|source| source.witnessed().witness_end(wire, End::Client));
        } else {
            self.visited_octets += count;
            story.act(|source| source.witnessed().witness_octets(wire, End::Client, octets));
        }
        self.list(story);
    }

    /// A visitor is gone, and hears nothing.
    pub fn visitor_gone(&mut self, story: &mut Story, number: u32) {
        let Some((wire, _)) = self.visitor(number) else { return };
        let wire = *wire;
        self.visitors.retain(|(known, _)| *known != wire);
        self.touch(wire);
        self.change(wire, |known| {
            if known.ending == Ending::Open {
                known.ending = Ending::Over;
            }
        });
        story.act(|source| source.witnessed().witness_cut(wire, End::Client));
        self.list(story);
    }

    /// Nobody visits this page any more.
    pub fn visitors_gone(&mut self, story: &mut Story) {
        let here: Vec<u32> = self.visitors.iter().map(|(_, visitor)| visitor.number).collect();
        here.into_iter().for_each(|number| self.visitor_gone(story, number));
        // Numbers begin anew with the next port.
        self.unwelcome.clear();
    }

    /// Whether it is a connection of a visitor who says nothing more and still hears.
    #[must_use]
    pub fn only_hears(&self, wire: WireId) -> bool {
        self.visitors.iter().any(|(known, visitor)| *known == wire && visitor.ended)
    }

    /// What the engine would say in place of somebody who answers by hand.
    #[must_use]
    pub fn would_say(&self, story: &Story, wire: WireId) -> Option<Vec<String>> {
        let would = story.source().tape().world().would_say(wire)?;
        let lines = would.split_inclusive(|octet| *octet == b'\n');
        Some(lines.map(|line| text(line).trim_end_matches(LINE_END).to_owned()).collect())
    }

    /// What somebody who answers by hand could say, in words.
    #[must_use]
    pub fn advice(&self, story: &Story, wire: WireId) -> Option<&'static str> {
        let (typed, part) = self.typing(story, wire)?;
        let protocol = story.source().tape().world().protocol(typed)?;
        (part == Part::Server).then_some(match protocol {
            Protocol::Smtp | Protocol::Submission => {
                "You are the server, and speak first: 220 and a name. Then 250 to every command that \
                 is fine, 354 to DATA, 250 after the dot, 221 to QUIT; 5 and two digits to refuse."
            }
            Protocol::Pop3 => {
                "You are the server, and speak first: +OK and a text. Then +OK or -ERR to every \
                 command; what has several lines ends with a dot alone."
            }
            Protocol::Imap => {
                "You are the server, and speak first: * OK and a text. Then answer every command \
                 with its own tag and OK, NO or BAD."
            }
            Protocol::Http => "You are the server.",
        })
    }
}

#[cfg(test)]
mod tests;
