//! Real conversations as a story: those that this page has with the server that served it, and those that the server tells
//! of. Octets and notes are entered as they come; nothing here knows how they travel.

use pillarbox_engine::trace::{Note, Side};
use pillarbox_world::annotate::Grade;
use pillarbox_world::tape::{Recording, Scenario};
use pillarbox_world::world::{Action, Check, Dir, End, Letter, Phase, Time, Way, WireId, WireView};

use super::hands::Part;
use super::recorded::{self, Simulation};
use super::{Source, Story, source};

mod visitors;

pub use visitors::Service;
use visitors::Visitor;

/// What the record is kept in.
const WORLD: &str = include_str!("live.toml");
/// Entries that are kept; then the record begins anew, as soon as nothing of it is open here.
const ENTRIES_MAX: usize = 3_000;
/// Conversations that are listed, newest first.
const LISTED_MAX: usize = 60;
/// Events that wait until it is known whose they are.
const WAITING_MAX: usize = 512;
/// Why there is no simulation of it.
const SILENT: &str = "The program said nothing yet.";
/// The page's own node, and the server's.
const PAGE: &str = "page";
const SERVER: &str = "server";

/// The server's services, by name, with the port that each of them usually has.
const SERVICES: [(&str, u16); 5] =
    [("smtp", 25), ("submission", 587), (LMTP, 25), ("pop3", 110), ("imap", 143)];
/// Spoken between the parts of one server; no world has it.
const LMTP: &str = "lmtp";

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
    /// Let the visitor of this number go.
    Leave(WireId, u32),
}

impl Errand {
    fn wire(&self) -> WireId {
        match self {
            Self::Open(wire, _)
            | Self::Send(wire, _)
            | Self::Close(wire)
            | Self::Answer(wire, ..)
            | Self::Leave(wire, _) => *wire,
        }
    }
}

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
struct Own {
    /// Octets to the server that were given out.
    sent: u64,
    /// From where the server sees it come, once that is known.
    local: Option<String>,
    closed: bool,
}

/// What is known of a conversation that the server told of, beside its octets.
#[derive(Clone, Debug)]
struct Known {
    /// Whether it is of a service that worlds have.
    simulated: bool,
    tls: bool,
    ending: Ending,
    unread: u64,
    /// Entries of the record up to which it is whole.
    whole: usize,
}

/// How a conversation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Open,
    Over,
    /// The server tells no more of it.
    Full,
    /// Some of it was lost.
    Lost,
}

/// What is known of real conversations.
#[derive(Debug, Default)]
pub struct Live {
    // Lists, not maps: there are few of each, and maps of every kind are what makes a page large.
    sessions: Vec<(String, WireId)>,
    own: Vec<(WireId, Own)>,
    peers: Vec<(WireId, String)>,
    known: Vec<(WireId, Known)>,
    visitors: Vec<(WireId, Visitor)>,
    /// What came while it was not known whether it is of this page's own connections.
    waiting: Vec<Told>,
    listed: Vec<Conversation>,
    touched: Vec<WireId>,
    /// When the record began, by the reader's clock.
    began_ms: u64,
    /// Whether conversations were forgotten.
    pub has_forgotten: bool,
}

impl Live {
    /// A record that begins now.
    ///
    /// # Panics
    /// If the world that is built in makes no sense, which a test would find.
    #[must_use]
    pub fn begin(now_ms: u64) -> (Self, Story) {
        let mut scenario =
            Scenario::parse("live", WORLD).expect("the world that is built in makes sense");
        scenario.setup.start_unix_ms = now_ms;
        let source = Source::new(scenario).expect("the world that is built in makes sense");
        (Self { began_ms: now_ms, ..Self::default() }, Story::of(source))
    }

    /// Time has passed: what is due happens, and what is to be done outside for it is given out.
    pub fn pass(&mut self, story: &mut Story, now_ms: u64) -> Vec<Errand> {
        let until = Time(now_ms.saturating_sub(self.began_ms));
        let before = story.source().length();
        let due = story.source().tape().next_due().is_some_and(|due| due <= until);
        if due {
            story.act(|source| source.pass_to(until));
        } else {
            // Nothing that a reader sees has changed.
            story.keep_time(until);
        }
        let errands = self.errands(story);
        if due && story.source().length() != before {
            self.list(story);
        }
        errands
    }

    fn errands(&mut self, story: &Story) -> Vec<Errand> {
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
        errands.iter().for_each(|errand| self.touch(errand.wire()));
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
        if !self.is_unsure() {
            for told in std::mem::take(&mut self.waiting) {
                self.told(story, told);
            }
        }
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
    }

    fn session(&self, session: &str) -> Option<WireId> {
        self.sessions.iter().find(|(known, _)| known == session).map(|(_, wire)| *wire)
    }

    fn is_own(&self, wire: WireId) -> bool {
        self.own.iter().any(|(known, _)| *known == wire)
    }

    fn touch(&mut self, wire: WireId) {
        if !self.touched.contains(&wire) {
            self.touched.push(wire);
        }
    }

    /// Whether a connection of this page's own is on its way, so that its session could be taken for another's.
    fn is_unsure(&self) -> bool {
        self.own.iter().any(|(_, own)| own.local.is_none() && !own.closed)
    }

    /// The server tells of a conversation.
    pub fn told(&mut self, story: &mut Story, told: Told) {
        if self.is_unsure() {
            if self.waiting.len() < WAITING_MAX {
                self.waiting.push(told);
            }
            return;
        }
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
                story.act(|source| enter(source, wire, own, parts));
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
        for (wire, known) in &mut self.known {
            let goes_on = self.sessions.iter().any(|(_, open)| open == wire);
            if goes_on && known.ending == Ending::Open {
                known.ending = Ending::Lost;
                known.whole = length;
            }
        }
    }

    fn change(&mut self, wire: WireId, change: impl FnOnce(&mut Known)) {
        if let Some((_, known)) = self.known.iter_mut().find(|(known, _)| *known == wire) {
            change(known);
        }
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

    fn opened(
        &mut self,
        story: &mut Story,
        session: String,
        service: &str,
        peer: String,
        tls: bool,
    ) {
        let ours = self.own.iter().find(|(_, own)| own.local.as_deref() == Some(&peer));
        if let Some((wire, _)) = ours {
            let wire = *wire;
            self.begins(session, wire, service, tls);
            return;
        }
        let Some((_, port)) = SERVICES.iter().find(|(name, _)| *name == service) else { return };
        if story.source().length() > ENTRIES_MAX && !self.forget(story) {
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

    /// Begins the record anew, unless something of it is open here.
    fn forget(&mut self, story: &mut Story) -> bool {
        let visited = self.visitors.iter().any(|(_, visitor)| visitor.is_here());
        if visited || self.own.iter().any(|(_, own)| !own.closed) {
            return false;
        }
        let now_ms = story.source().start_unix_ms() + story.source().tape().now().0;
        let (mut fresh, record) = Self::begin(now_ms);
        fresh.has_forgotten = true;
        *self = fresh;
        *story = record;
        true
    }

    /// Conversations, newest first.
    #[must_use]
    pub fn conversations(&self) -> &[Conversation] {
        &self.listed
    }

    /// Looks again at the conversations in which something was said.
    fn list(&mut self, story: &Story) {
        let touched = std::mem::take(&mut self.touched);
        let wires = story.source().tape().world().wires();
        for wire in wires.iter().filter(|wire| touched.contains(&wire.id)) {
            let row = self.conversation(story, wire);
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
        let last = annotated.all.iter().rev().find(|a| a.parent.is_none());
        let (last, bad) = last.map_or_else(Default::default, |last| {
            let octets = story.octets(wire.id, Dir::ToClient, last.at.start, last.at.end);
            let text = super::lines::text(&octets);
            (text.trim_end_matches(super::lines::LINE_END).to_owned(), last.grade >= Grade::Warning)
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
            clock: super::words::clock(self.began_ms, wire.opened),
            own,
            open: wire.phase == Phase::Open,
            last,
            bad,
        }
    }

    /// The connection that somebody types on, if this is one and it is open.
    #[must_use]
    pub fn typing(&self, story: &Story, wire: WireId) -> Option<(WireId, Part)> {
        let wires = story.source().tape().world().wires();
        let found = wires.into_iter().find(|known| known.id == wire)?;
        let part = match (self.is_own(wire), self.is_visited(wire), found.typed) {
            (true, _, [true, _]) => Part::Client,
            (_, true, [_, true]) => Part::Server,
            _ => return None,
        };
        (found.phase == Phase::Open).then_some((wire, part))
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

/// Enters what was said. Of the page's own connections the octets are known already: only the server's notes are new.
fn enter(source: &mut Source, wire: WireId, own: bool, parts: Vec<Heard>) {
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

#[cfg(test)]
mod tests;
