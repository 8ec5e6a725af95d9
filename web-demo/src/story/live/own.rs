//! Connections of this page's own to the server: what its engine does there, and what somebody types.

use pillarbox_world::world::{Action, Check, Dir, End, Letter, Phase, Way, WireId};

use super::{Live, PAGE, SERVER, SERVICES};
use crate::story::Story;

/// What must be done outside, for a connection of this page's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Errand {
    /// Connect to this service.
    Open(WireId, &'static str),
    /// Send octets.
    Send(WireId, Vec<u8>),
    /// End the connection.
    Close(WireId),
    /// Answer the visitor of this number.
    Answer(WireId, u32, Vec<u8>),
    /// Let the visitor of this number go, who may have no place in the record.
    Leave(Option<WireId>, u32),
}

impl Errand {
    fn wire(&self) -> Option<WireId> {
        match self {
            Self::Open(wire, _)
            | Self::Send(wire, _)
            | Self::Close(wire)
            | Self::Answer(wire, ..) => Some(*wire),
            Self::Leave(wire, _) => *wire,
        }
    }
}

/// What the page can have its own engine do at the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Send a message.
    Send {
        /// From whom.
        from: String,
        /// To whom.
        to: String,
        /// What it is about.
        subject: String,
        /// What it says.
        text: String,
    },
    /// Read what is in a mailbox, and leave it there.
    Read {
        /// Whose.
        account: String,
        /// By IMAP rather than POP3.
        by_imap: bool,
    },
    /// Connect, and let somebody type.
    Type(u16),
}

/// A connection of this page's own.
#[derive(Clone, Debug, Default)]
pub(super) struct Own {
    /// Octets to the server that were given out.
    pub(super) sent: u64,
    /// From where the server sees it come, once that is known.
    pub(super) local: Option<String>,
    pub(super) closed: bool,
}

impl Live {
    pub(super) fn errands(&mut self, story: &Story) -> Vec<Errand> {
        let mut errands = Vec::new();
        let page = story.source().node_named(PAGE);
        let wires = story.source().tape().world().wires();
        for wire in wires.into_iter().filter(|wire| Some(wire.client) == page) {
            let id = wire.id;
            if !self.is_own(id) {
                let service = SERVICES.iter().find(|(_, port)| *port == wire.port);
                let Some((service, _)) = service else { continue };
                self.own.push((id, Own::default()));
                self.touch(id);
                errands.push(Errand::Open(id, service));
            }
            let Some(own) = own_of(&mut self.own, id) else { continue };
            let octets = story.source().octets(id, Dir::ToServer);
            let sent = usize::try_from(own.sent).unwrap_or(usize::MAX);
            if let Some(new) = octets.get(sent..).filter(|new| !new.is_empty()) {
                own.sent = octets.len() as u64;
                errands.push(Errand::Send(id, new.to_vec()));
            }
            if wire.phase == Phase::Closed && !own.closed {
                own.closed = true;
                errands.push(Errand::Close(id));
            }
        }
        self.answer_visitors(story, &mut errands);
        errands.iter().filter_map(Errand::wire).for_each(|wire| self.touch(wire));
        errands
    }

    /// The page's engine is to do something, or somebody wants to type.
    ///
    /// # Errors
    /// Why it cannot be done.
    pub fn begin_task(&mut self, story: &mut Story, task: Task) -> Result<(), String> {
        let device = PAGE.to_owned();
        story.act(|source| {
            let (address, action) = match task {
                Task::Send { from, to, subject, text } => {
                    let letter = Letter { device, to, subject, text, ..Letter::default() };
                    (Some(from), Action::Send(letter))
                }
                Task::Read { account, by_imap } => {
                    let way = if by_imap { Way::Imap } else { Way::PopKeep };
                    (Some(account), Action::Check(Check { device, way }))
                }
                Task::Type(port) => {
                    let host = SERVER.to_owned();
                    (None, Action::Connect { from: device, host, port, script: Vec::new() })
                }
            };
            if let Some(address) = address {
                source.witnessed().set_account(PAGE, &address, "any")?;
            }
            let end = source.length();
            source.act_at(end, action)
        })
    }

    /// Somebody types on a connection of this page's own.
    ///
    /// # Errors
    /// It is over, or not theirs.
    pub fn say(&mut self, story: &mut Story, wire: WireId, octets: &[u8]) -> Result<(), String> {
        let server = self.is_visited(wire);
        let action = Action::Type { wire: wire.0, server, octets: octets.to_vec() };
        self.touch(wire);
        story.act(|source| {
            let end = source.length();
            source.act_at(end, action)
        })
    }

    /// Somebody ends a connection of this page's own.
    pub fn hang_up(&mut self, story: &mut Story, wire: WireId) {
        let action = Action::HangUp { wire: wire.0, server: self.is_visited(wire) };
        self.touch(wire);
        story.act(|source| {
            let end = source.length();
            // If it is over already, that is what was wanted.
            drop(source.act_at(end, action));
        });
    }

    /// A connection of this page's own is there; the server sees it come from `local`.
    pub fn connected(&mut self, story: &mut Story, wire: WireId, local: String) {
        if let Some(own) = own_of(&mut self.own, wire) {
            own.local = Some(local);
        }
        self.settle(story);
    }

    /// Octets came from the server over a connection of this page's own.
    pub fn came(&mut self, story: &mut Story, wire: WireId, octets: &[u8]) {
        self.touch(wire);
        story.act(|source| source.witnessed().witness_octets(wire, End::Server, octets));
        self.list(story);
    }

    /// A connection of this page's own is over.
    pub fn ended(&mut self, story: &mut Story, wire: WireId) {
        if let Some(own) = own_of(&mut self.own, wire) {
            own.local.get_or_insert_default();
        }
        self.touch(wire);
        story.act(|source| source.witnessed().witness_end(wire, End::Server));
        self.list(story);
        self.settle(story);
    }

    pub(super) fn is_own(&self, wire: WireId) -> bool {
        self.own.iter().any(|(known, _)| *known == wire)
    }

    /// The newest connection of this page's own.
    #[must_use]
    pub fn newest(&self) -> Option<WireId> {
        self.own.last().map(|(wire, _)| *wire)
    }
}

fn own_of(own: &mut [(WireId, Own)], wire: WireId) -> Option<&mut Own> {
    own.iter_mut().find(|(known, _)| *known == wire).map(|(_, own)| own)
}
