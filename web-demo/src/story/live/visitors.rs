//! Programs that visit this page as a server: the engine answers them, or whoever reads this does.

use pillarbox_world::world::{Dir, End, Phase, Protocol, WireId};

use super::{Ending, Errand, Known, Live};
use crate::story::Story;
use crate::story::hands::Part;
use crate::story::lines::{LINE_END, text};

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
                 --upload-file letter.eml"
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
    left: bool,
}

impl Visitor {
    /// Whether they are still there.
    pub(super) fn is_here(&self) -> bool {
        !self.left
    }
}

impl Live {
    /// What is to be said to visitors, and who of them is to be let go.
    pub(super) fn answer_visitors(&mut self, story: &Story, errands: &mut Vec<Errand>) {
        for (id, visitor) in &mut self.visitors {
            let octets = story.source().octets(*id, Dir::ToClient);
            let sent = usize::try_from(visitor.sent).unwrap_or(usize::MAX);
            if let Some(new) = octets.get(sent..).filter(|new| !new.is_empty()) {
                visitor.sent = octets.len() as u64;
                errands.push(Errand::Answer(*id, visitor.number, new.to_vec()));
            }
            let wires = story.source().tape().world().wires();
            let is_over = wires.iter().any(|wire| wire.id == *id && wire.phase == Phase::Closed);
            if is_over && !visitor.left {
                visitor.left = true;
                errands.push(Errand::Leave(*id, visitor.number));
            }
        }
    }

    pub(super) fn is_visited(&self, wire: WireId) -> bool {
        self.visitors.iter().any(|(known, _)| *known == wire)
    }

    /// Somebody visits this page as a server, over a connection that is given; none: nothing listens there.
    pub fn arrived(
        &mut self,
        story: &mut Story,
        number: u32,
        peer: String,
        service: Service,
    ) -> Option<WireId> {
        // A record without end would fill the page.
        if story.source().length() > super::ENTRIES_MAX && !self.forget(story) {
            return None;
        }
        let server = if service.by_hand { YOU } else { ENGINE };
        let wire = story.act(|source| source.witnessed().visit("programs", server, service.port));
        let wire = wire.ok()?;
        self.peers.push((wire, peer));
        self.visitors.push((wire, Visitor { number, sent: 0, left: false }));
        let (ending, whole) = (Ending::Open, usize::MAX);
        self.known.push((wire, Known { simulated: true, tls: false, ending, unread: 0, whole }));
        self.touch(wire);
        self.list(story);
        Some(wire)
    }

    /// A visitor said this; nothing: they say nothing more.
    pub fn visitor_said(&mut self, story: &mut Story, number: u32, octets: &[u8]) {
        let found = self.visitors.iter().rev().find(|(_, visitor)| visitor.number == number);
        let Some((wire, _)) = found else { return };
        let wire = *wire;
        self.touch(wire);
        story.act(|source| match octets {
            [] => source.witnessed().witness_end(wire, End::Client),
            _ => source.witnessed().witness_octets(wire, End::Client, octets),
        });
        if octets.is_empty() {
            self.change(wire, |known| known.ending = Ending::Over);
        }
        self.list(story);
    }

    /// Nobody visits this page any more.
    pub fn visitors_gone(&mut self, story: &mut Story) {
        let open = self.visitors.iter().filter(|(_, visitor)| !visitor.left);
        let open: Vec<u32> = open.map(|(_, visitor)| visitor.number).collect();
        for number in open {
            self.visitor_said(story, number, &[]);
        }
        // Numbers begin anew with the next port.
        self.visitors.clear();
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
