//! Holds the conversation of a transcript and compares every octet.

use std::collections::BTreeMap;
use std::sync::Arc;

use pillarbox_engine::imap::types::Flags;
use pillarbox_engine::trace::Note;
use pillarbox_engine::types::Now;
use pillarbox_engine::{imap, pop3, smtp};
use pillarbox_world::conversation::{Conversation, Driven, at_once};
use pillarbox_world::service::Backend;
use pillarbox_world::service::local::LocalBackend;
use pillarbox_world::store::{Body, Deliver, NewMessage, Write};

use super::desk::Desk;
use super::roles::{Factory, Scripted, Verdict};
use super::script::{Script, Turn, What, escaped};

/// 2026-01-05T09:00:00Z, when every conversation begins.
const START_MS: u64 = 1_767_603_600_000;

/// How an error begins when the session did not take an answer of its host.
pub const NOT_ANSWERED: &str = "an answer was not taken";

/// How what the client says is cut into pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Everything up to the next thing that the server says, at once.
    Whole,
    /// Octet by octet.
    Octets,
    /// At places that this seed draws.
    Random(u64),
    /// The same, and the session is frozen wherever it can be.
    Frozen(u64),
}

/// Runs a transcript.
///
/// # Errors
/// The file and line where the conversation differs, with what came and what should have come.
pub fn run(script: &Script, factory: &dyn Factory, split: Split) -> Result<(), String> {
    held(script, factory, split, false, &mut Vec::new()).map(|_| ())
}

/// Runs a transcript and gives its text with what the server really said.
///
/// # Errors
/// If the conversation cannot be held at all.
pub fn record(script: &Script, text: &str, factory: &dyn Factory) -> Result<String, String> {
    let said = held(script, factory, Split::Whole, true, &mut Vec::new())?;
    let lines: Vec<&str> = text.lines().collect();
    let mut out = String::new();
    let mut put = |line: &str| {
        out.push_str(line);
        out.push('\n');
    };
    let sign = if script.is_client() { 'C' } else { 'S' };
    let session = |line: &str| {
        let head = line.split([':', '|']).next().unwrap_or_default();
        let spoken =
            head.starts_with(sign) && head[1..].bytes().all(|b| b.is_ascii_digit() || b == b'*');
        spoken || line.starts_with("<")
    };
    let mut due: Vec<String> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        // What the session asked stands directly under what the client said.
        if !line.starts_with(['?', '!']) {
            due.drain(..).for_each(|said| put(&said));
        }
        if !session(line) {
            put(line);
        }
        due.extend(said.get(&(at + 1)).into_iter().flatten().cloned());
    }
    due.drain(..).for_each(|said| put(&said));
    Ok(out)
}

/// What passed between a session and its peer, and what the session noted of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Octets that the session was given.
    pub received: Vec<u8>,
    /// Octets that it sent.
    pub sent: Vec<u8>,
    /// Its notes, in order; none unless the transcript is `with trace`.
    pub notes: Vec<Note>,
    /// Whether it has closed.
    pub closed: bool,
}

/// Holds the conversation of a transcript as far as it goes, whatever the session says, and gives what was seen of each
/// connection.
///
/// # Errors
/// If there is no such protocol.
pub fn witness(script: &Script, factory: &dyn Factory, split: Split) -> Result<Vec<Seen>, String> {
    let mut seen = Vec::new();
    match held(script, factory, split, true, &mut seen) {
        Err(error) if seen.is_empty() => Err(error),
        _ => Ok(seen),
    }
}

/// What a conversation came to that went on whatever happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endured {
    /// What was seen of each connection.
    pub seen: Vec<Seen>,
    /// What the session told its host, in order.
    pub told: Vec<String>,
    /// What could not be done.
    pub refused: Vec<String>,
}

/// Holds a conversation to its end: a turn that cannot be taken is passed over, and nothing is expected.
///
/// # Errors
/// If there is no such protocol, or its given mail cannot be stored.
pub fn endure(script: &Script, factory: &dyn Factory, split: Split) -> Result<Endured, String> {
    match script.protocol.as_str() {
        "smtp" => endured::<smtp::Server>(script, factory, split),
        "pop3" => endured::<pop3::Server>(script, factory, split),
        "imap" => endured::<imap::Server>(script, factory, split),
        "smtp-client" => endured::<smtp::Client>(script, factory, split),
        "pop3-client" => endured::<pop3::Client>(script, factory, split),
        "imap-client" => endured::<imap::Client>(script, factory, split),
        other => Err(format!("{}: no protocol `{other}`", script.name)),
    }
}

fn endured<R: Scripted>(
    script: &Script,
    factory: &dyn Factory,
    split: Split,
) -> Result<Endured, String> {
    let backend = Arc::new(LocalBackend::new(b"hamburger.edu"));
    deliver_given(script, &backend)?;
    let mut table = Table::<R>::new(script, factory, backend, split, true);
    table.enduring = true;
    let (mut at, mut refused) = (0, Vec::new());
    while at < script.turns.len() {
        let line = script.turns[at].line;
        let taken = table.take_turn(at).and_then(|next| table.listen(line).map(|()| next));
        at = taken.unwrap_or_else(|error| {
            refused.push(error);
            at + 1
        });
    }
    let told = std::iter::from_fn(|| table.desk.take_event()).collect();
    Ok(Endured { seen: table.seen.into_values().collect(), told, refused })
}

/// By line of the transcript, what the server said after it.
type Said = BTreeMap<usize, Vec<String>>;

fn held(
    script: &Script,
    factory: &dyn Factory,
    split: Split,
    recording: bool,
    seen: &mut Vec<Seen>,
) -> Result<Said, String> {
    match script.protocol.as_str() {
        "smtp" => held_by::<smtp::Server>(script, factory, split, recording, seen),
        "pop3" => held_by::<pop3::Server>(script, factory, split, recording, seen),
        "imap" => held_by::<imap::Server>(script, factory, split, recording, seen),
        "smtp-client" => held_by::<smtp::Client>(script, factory, split, recording, seen),
        "pop3-client" => held_by::<pop3::Client>(script, factory, split, recording, seen),
        "imap-client" => held_by::<imap::Client>(script, factory, split, recording, seen),
        other => Err(format!("{}: no protocol `{other}`", script.name)),
    }
}

fn held_by<R: Scripted>(
    script: &Script,
    factory: &dyn Factory,
    split: Split,
    recording: bool,
    seen: &mut Vec<Seen>,
) -> Result<Said, String> {
    let backend = Arc::new(LocalBackend::new(b"hamburger.edu"));
    deliver_given(script, &backend)?;
    let mut table = Table::<R>::new(script, factory, backend, split, recording);
    let held = table.hold();
    seen.extend(std::mem::take(&mut table.seen).into_values());
    held.map(|()| table.said)
}

fn deliver_given(script: &Script, backend: &LocalBackend) -> Result<(), String> {
    for given in &script.given {
        let index = pillarbox_mime::index(&given.octets, given.octets.len() as u64);
        let message = NewMessage {
            body: Body::Whole(given.octets.clone()),
            plain: index.plain,
            index: index.encode(),
            flags: Flags::default(),
            internal_date_ms: START_MS,
            internal_date_zone: 0,
        };
        let accounts = vec![given.to.clone().into_bytes()];
        let (relay, reports) = (None, Vec::new());
        let deliver = Deliver { accounts, junk: false, relay, message, reports, now_ms: START_MS };
        at_once(backend.write(0, Write::Deliver(Box::new(deliver))))
            .map_err(|reason| format!("{}: given mail: {reason:?}", script.name))?;
    }
    Ok(())
}

type Session<R> = Conversation<R, Boxed<R>, <R as Scripted>::Service>;

struct Boxed<R: Scripted> {
    session: Box<dyn Driven<R, Broken = String>>,
    /// How long the host takes for each answer, and how long it took for all so far.
    slow_ms: u64,
    late_ms: u64,
}

impl<R: Scripted> Driven<R> for Boxed<R> {
    type Broken = String;

    fn step(
        &mut self,
        now: Now,
        input: pillarbox_engine::Input<R>,
    ) -> Result<pillarbox_engine::Step<R>, String> {
        let answers = matches!(input, pillarbox_engine::Input::Answer(..));
        if answers {
            self.late_ms += self.slow_ms;
        }
        let (monotonic_ms, unix_ms) = (now.monotonic_ms + self.late_ms, now.unix_ms + self.late_ms);
        let stepped = self.session.step(Now { monotonic_ms, unix_ms }, input);
        stepped.map_err(|why| if answers { format!("{NOT_ANSWERED}: {why}") } else { why })
    }
}

/// The connections of one transcript.
struct Table<'a, R: Scripted> {
    script: &'a Script,
    factory: &'a dyn Factory,
    backend: Arc<LocalBackend>,
    desk: Arc<Desk>,
    split: Split,
    random: u64,
    recording: bool,
    enduring: bool,
    sessions: BTreeMap<usize, Session<R>>,
    heard: BTreeMap<usize, Vec<u8>>,
    said: Said,
    seen: BTreeMap<usize, Seen>,
    waited_ms: u64,
}

impl<'a, R: Scripted> Table<'a, R> {
    fn new(
        script: &'a Script,
        factory: &'a dyn Factory,
        backend: Arc<LocalBackend>,
        split: Split,
        recording: bool,
    ) -> Self {
        let random = match split {
            Split::Random(seed) | Split::Frozen(seed) => seed | 1,
            Split::Whole | Split::Octets => 1,
        };
        let (sessions, heard, said) = (BTreeMap::new(), BTreeMap::new(), Said::new());
        Self {
            script,
            factory,
            backend,
            desk: Arc::new(Desk::new(&script.with)),
            split,
            random,
            recording,
            enduring: false,
            sessions,
            heard,
            said,
            seen: BTreeMap::new(),
            waited_ms: 0,
        }
    }

    fn hold(&mut self) -> Result<(), String> {
        let turns = &self.script.turns;
        let mut at = 0;
        while at < turns.len() {
            let next = self.take_turn(at)?;
            // What one says, others may hear.
            self.listen(turns[next - 1].line)?;
            at = next;
        }
        for (connection, heard) in &self.heard {
            if !self.recording && !heard.is_empty() {
                let heard = escaped(&format!("S{connection}"), heard);
                return Err(format!("{}: at the end, unexpected:\n  {heard}", self.script.name));
            }
        }
        match self.desk.take_event() {
            Some(told) if !self.recording => {
                Err(format!("{}: at the end, unexpected:\n  < {told}", self.script.name))
            }
            _ => Ok(()),
        }
    }

    /// Takes the turn at `at` and those that belong to it, and gives the index of the next.
    fn take_turn(&mut self, at: usize) -> Result<usize, String> {
        let turns = &self.script.turns;
        let Turn { line, connection, what } = &turns[at];
        self.open(*connection, *line)?;
        match what {
            What::Peer(_) => return self.client(at),
            What::Session(expected) => self.server(*line, *connection, expected)?,
            What::Call(words, octets) => {
                let call = R::call(words, octets, &self.desk);
                let call = call.map_err(|error| self.error(*line, &error))?;
                let heard = self.session(*connection).call(call);
                self.hear(*line, *connection, heard)?;
            }
            What::Event(expected) => {
                if !self.recording {
                    let told = self.desk.take_event().unwrap_or_else(|| "nothing".to_owned());
                    if told != *expected {
                        let message = format!("the session told its host `{told}`");
                        return Err(self.error(*line, &message));
                    }
                }
            }
            What::Ask(_) | What::Answer(_) => {
                return Err(self.error(*line, "asks stand directly after what the client says"));
            }
            What::Wait(ms) => {
                self.waited_ms += ms;
                let connections: Vec<usize> = self.sessions.keys().copied().collect();
                for connection in connections {
                    let heard = self.session(connection).wait(*ms);
                    self.hear(*line, connection, heard)?;
                }
            }
            What::End => {
                let heard = self.session(*connection).end();
                self.hear(*line, *connection, heard)?;
            }
            What::Secures => {
                let heard = self.session(*connection).secure();
                self.hear(*line, *connection, heard)?;
            }
            What::Closes => {
                if !self.session(*connection).is_closed() {
                    return Err(self.error(*line, "the server has not closed"));
                }
            }
        }
        Ok(at + 1)
    }

    /// Everything that the client says up to another turn, with the asks that must come of it.
    fn client(&mut self, at: usize) -> Result<usize, String> {
        let turns = &self.script.turns;
        let connection = turns[at].connection;
        let mut octets = Vec::new();
        let mut next = at;
        while let Some(Turn { what: What::Peer(more), connection: other, .. }) = turns.get(next) {
            // Recording takes line by line, so that each reply stands under what it answers.
            if *other != connection || (self.recording && next > at) {
                break;
            }
            octets.extend_from_slice(more);
            next += 1;
        }
        let line = turns[next - 1].line;
        let mut asks: Vec<(String, Option<Verdict>)> = Vec::new();
        while let Some(turn) = turns.get(next) {
            match &turn.what {
                What::Ask(name) => asks.push((name.clone(), None)),
                What::Answer(words) => {
                    let verdict: Verdict =
                        words.parse().map_err(|error: String| self.error(turn.line, &error))?;
                    let last = asks.last_mut();
                    let last = last.ok_or_else(|| self.error(turn.line, "`!` follows a `?`"))?;
                    last.1 = Some(verdict);
                }
                _ => break,
            }
            next += 1;
        }
        self.no_more_heard(line, connection)?;
        let (pieces, mut seen) = (self.pieces(&octets), Vec::new());
        for piece in pieces {
            self.seen.entry(connection).or_default().received.extend_from_slice(piece);
            let session = self.sessions.get_mut(&connection).expect("opened before its turn");
            let heard = session.say_instead(piece, &mut |ask| {
                let verdict = asks.get(seen.len()).and_then(|(_, verdict)| verdict.clone());
                seen.push(ask_name(ask));
                verdict.map(|verdict| R::verdict(verdict, ask))
            });
            self.hear(line, connection, heard)?;
        }
        let expected: Vec<String> = asks.into_iter().map(|(name, _)| name).collect();
        if !expected.is_empty() && expected != seen {
            let message = format!("the session asked {seen:?}, not {expected:?}");
            return Err(self.error(line, &message));
        }
        Ok(next)
    }

    fn server(&mut self, line: usize, connection: usize, expected: &[u8]) -> Result<(), String> {
        if self.recording {
            return Ok(());
        }
        let heard = self.heard.entry(connection).or_default();
        if let Some(rest) = heard.strip_prefix(expected) {
            *heard = rest.to_vec();
            return Ok(());
        }
        let came = escaped("S", heard);
        let message =
            format!("({:?})\n  expected {}\n  came     {came}", self.split, escaped("S", expected));
        Err(self.error(line, &message))
    }

    fn no_more_heard(&self, line: usize, connection: usize) -> Result<(), String> {
        match self.heard.get(&connection) {
            Some(heard) if !heard.is_empty() && !self.recording => {
                let message = format!(
                    "({:?}) before this, unexpected:\n  {}",
                    self.split,
                    escaped("S", heard)
                );
                Err(self.error(line, &message))
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, connection: usize, line: usize) -> Result<(), String> {
        if self.sessions.contains_key(&connection) {
            return Ok(());
        }
        let now = Now { monotonic_ms: self.waited_ms, unix_ms: START_MS + self.waited_ms };
        let (slow, with): (Vec<_>, Vec<_>) =
            self.script.with.iter().cloned().partition(|word| word.starts_with("slow="));
        let slow_ms = slow.first().and_then(|word| word["slow=".len()..].parse().ok()).unwrap_or(0);
        let frozen = matches!(self.split, Split::Frozen(_));
        let session = R::session(self.factory, &with, now, frozen);
        let session = session.map_err(|error| self.error(line, &error))?;
        let session = Boxed { session, slow_ms, late_ms: 0 };
        let service = R::service(&self.backend, &self.desk, connection as u64);
        self.sessions.insert(connection, Conversation::new(session, service, now));
        let greeting = self.session(connection).say(b"");
        self.hear(line.saturating_sub(1), connection, greeting)
    }

    fn listen(&mut self, line: usize) -> Result<(), String> {
        let connections: Vec<usize> = self.sessions.keys().copied().collect();
        for connection in connections {
            let heard = self.session(connection).hear_others();
            self.hear(line, connection, heard)?;
        }
        Ok(())
    }

    fn hear(
        &mut self,
        line: usize,
        connection: usize,
        heard: Result<Vec<u8>, String>,
    ) -> Result<(), String> {
        let heard = heard.map_err(|error| self.error(line, &error))?;
        let (notes, closed) = {
            let session = self.session(connection);
            (session.take_notes(), session.is_closed())
        };
        let seen = self.seen.entry(connection).or_default();
        seen.sent.extend_from_slice(&heard);
        seen.notes.extend(notes);
        seen.closed = closed;
        if self.enduring {
            return Ok(());
        }
        if self.recording {
            let side = if self.script.is_client() { "C" } else { "S" };
            let number = if connection == 1 { String::new() } else { connection.to_string() };
            let sign = format!("{side}{number}");
            let lines = heard.split_inclusive(|&octet| octet == b'\n');
            let lines = lines.map(|line| escaped(&sign, line));
            let events =
                std::iter::from_fn(|| self.desk.take_event()).map(|told| format!("<  {told}"));
            self.said.entry(line).or_default().extend(lines.chain(events));
        }
        self.heard.entry(connection).or_default().extend(heard);
        Ok(())
    }

    fn session(&mut self, connection: usize) -> &mut Session<R> {
        self.sessions.get_mut(&connection).expect("opened before its turn")
    }

    fn pieces<'o>(&mut self, octets: &'o [u8]) -> Vec<&'o [u8]> {
        match self.split {
            Split::Whole => vec![octets],
            Split::Octets => octets.chunks(1).collect(),
            Split::Random(_) | Split::Frozen(_) => {
                let mut pieces = Vec::new();
                let mut rest = octets;
                while !rest.is_empty() {
                    self.random =
                        self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let size = (self.random >> 40) as usize % 40 + 1;
                    let (piece, more) = rest.split_at(size.min(rest.len()));
                    pieces.push(piece);
                    rest = more;
                }
                pieces
            }
        }
    }

    fn error(&self, line: usize, message: &str) -> String {
        format!("{}:{line}: {message}", self.script.name)
    }
}

/// An ask's name in the contract: its variant, in lower case.
fn ask_name(ask: &impl std::fmt::Debug) -> String {
    let text = format!("{ask:?}");
    let end = text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len());
    text[..end].to_lowercase()
}
