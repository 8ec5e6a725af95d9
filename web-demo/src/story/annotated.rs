//! What the session at one end of a wire said of its octets, read on as the wire grows: each note is taken once, and of a
//! message that never ends no more than its beginning is taken apart.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use pillarbox_engine::trace::{Note, Rule, Side};
use pillarbox_world::annotate::content::{Structure, structure};
use pillarbox_world::annotate::{Annotation, Annotator};
use pillarbox_world::catalogue::Party;
use pillarbox_world::world::{Dir, End, Phase, Protocol, WireId, World};

use super::octets::CONTENT;
use super::source::spoken;
use super::work;

/// Octets of a message in which headers and parts are told apart; what lies behind them is shown as lines.
const INSIDE_MAX: u64 = super::message::OCTETS_MAX as u64;
/// Pieces of a message (BDAT) that are put together for that.
const PIECES_MAX: usize = 1_024;
/// Messages of one direction whose structure is kept.
const MESSAGES_MAX: usize = 64;

/// The octets of a message, and what lies in them.
#[derive(Debug)]
struct Message {
    at: Range<u64>,
    /// How many notes were known then; none: more of them change nothing.
    taken: Option<usize>,
    parts: Rc<[Structure]>,
}

/// All notes of one end, read so far.
#[derive(Debug)]
pub(super) struct Read {
    wire: WireId,
    end: End,
    taken: usize,
    annotator: Annotator,
    /// The span that was noted last.
    last: Option<(Side, Range<u64>)>,
    /// The first octet of what was received last.
    received: u64,
    moves: Vec<(u64, &'static str, &'static str)>,
    /// Of each side: octets in which a rule is broken, and secrets.
    defects: [Vec<(Range<u64>, &'static Rule)>; 2],
    secrets: [Vec<Range<u64>>; 2],
    messages: RefCell<Vec<Message>>,
}

impl Read {
    pub(super) fn new(world: &World, wire: WireId, end: End) -> Self {
        let party = if end == End::Server { Party::Server } else { Party::Client };
        let protocol = spoken(world.protocol(wire).unwrap_or(Protocol::Smtp));
        Self {
            wire,
            end,
            taken: 0,
            annotator: Annotator::new(protocol, party),
            last: None,
            received: 0,
            moves: Vec::new(),
            defects: Default::default(),
            secrets: Default::default(),
            messages: RefCell::default(),
        }
    }

    pub(super) fn is_of(&self, wire: WireId, end: End) -> bool {
        (self.wire, self.end) == (wire, end)
    }

    /// Takes what was noted since.
    pub(super) fn go_on(&mut self, world: &World) {
        let notes = world.all_notes(self.wire, self.end);
        let mut is_open = None;
        while let Some(noted) = notes.get(self.taken) {
            let mut octets: &[u8] = &[];
            if let Note::Span(span) = noted.note {
                let range = span.start..span.end;
                octets = match span.side {
                    Side::Received => {
                        world.arrived(self.wire, Dir::sent_by(self.end.other()), range)
                    }
                    Side::Sent => world.octets(self.wire, Dir::sent_by(self.end), range),
                };
                // What a real server notes can be told before its octets come.
                if (octets.len() as u64) < span.end - span.start {
                    let view = || world.wire_view(self.wire);
                    let open = *is_open
                        .get_or_insert_with(|| view().is_some_and(|w| w.phase == Phase::Open));
                    if open {
                        return;
                    }
                }
            }
            self.take(&noted.note, octets);
        }
    }

    fn take(&mut self, note: &Note, octets: &[u8]) {
        work::done(1 + octets.len());
        match note {
            Note::Span(span) => {
                let range = span.start..span.end;
                if span.side == Side::Received {
                    self.received = span.start;
                }
                if span.secret {
                    self.secrets[place(span.side)].push(range.clone());
                }
                self.last = Some((span.side, range));
            }
            Note::Defect(rule) => {
                if let Some((side, range)) = &self.last {
                    self.defects[place(*side)].push((range.clone(), rule));
                }
            }
            Note::State { from, to } => self.moves.push((self.received, from, to)),
        }
        self.annotator.note(note, octets);
        self.taken += 1;
    }
}

fn place(side: Side) -> usize {
    usize::from(side == Side::Sent)
}

/// What is known of one direction of a wire.
#[derive(Clone)]
pub struct Annotated<'a> {
    pub(super) read: Rc<Read>,
    pub(super) world: &'a World,
    pub(super) dir: Dir,
    pub(super) side: Side,
    pub(super) shows_secrets: bool,
}

impl Annotated<'_> {
    /// Which wire and direction it is of.
    #[must_use]
    pub fn place(&self) -> (WireId, Dir) {
        (self.read.wire, self.dir)
    }

    /// Parts, parents before children.
    #[must_use]
    pub fn all(&self) -> &[Annotation] {
        self.read.annotator.of(self.side)
    }

    /// The whole line that an octet lies in, with its parts.
    #[must_use]
    pub fn line(&self, at: u64) -> &[Annotation] {
        self.read.annotator.within(self.side, at..at + 1)
    }

    /// The parts that begin in a range.
    #[must_use]
    pub fn beginning(&self, range: Range<u64>) -> &[Annotation] {
        let all = self.all();
        let first = all.partition_point(|part| part.at.start < range.start);
        let count = all[first..].partition_point(|part| part.at.start < range.end);
        &all[first..first + count]
    }

    /// The parts that an octet lies in, the outermost first.
    #[must_use]
    pub fn around(&self, at: u64) -> Vec<&Annotation> {
        let all = self.all();
        let last = all.partition_point(|part| part.at.start <= at).checked_sub(1);
        let mut part = last.map(|last| &all[last]);
        let mut around = Vec::new();
        while let Some(here) = part {
            if at < here.at.end {
                around.push(here);
            }
            part = here.parent.and_then(|id| all.get(id.at as usize));
        }
        around.reverse();
        around
    }

    /// Octets in which whoever reads found a rule broken.
    #[must_use]
    pub fn defects(&self) -> &[(Range<u64>, &'static Rule)] {
        &self.read.defects[place(self.side)]
    }

    /// States that whoever reads went through, with the first octet of what it had read then.
    #[must_use]
    pub fn moves(&self) -> &[(u64, &'static str, &'static str)] {
        if self.side == Side::Received { &self.read.moves } else { &[] }
    }

    /// What a line follows from: the direction, and the octets there.
    #[must_use]
    pub fn cause(&self, line: &Annotation) -> Option<(Dir, Range<u64>)> {
        let cause = self.read.annotator.get(*line.causes.first()?)?;
        let is_own = cause.id.side == self.side;
        let dir = if is_own { self.dir } else { Dir::sent_by(self.dir.receiver()) };
        Some((dir, cause.at.clone()))
    }

    /// Whether a part is to be masked. What somebody on the line has read is nobody's secret any more: that is what a
    /// reader should see.
    #[must_use]
    pub fn is_masked(&self, part: &Annotation) -> bool {
        part.secret && self.masks(&part.at)
    }

    fn masks(&self, at: &Range<u64>) -> bool {
        let heard = self.world.overheard(self.read.wire, self.dir);
        let is_heard = |range: &Range<u64>| range.start <= at.start && at.end <= range.end;
        !self.shows_secrets && !heard.iter().any(is_heard)
    }

    /// Ranges to be masked among these octets.
    pub fn masked(&self, range: Range<u64>) -> impl Iterator<Item = &Range<u64>> {
        let secrets = &self.read.secrets[place(self.side)];
        let first = secrets.partition_point(|secret| secret.end <= range.start);
        let here = secrets[first..].iter().take_while(move |secret| secret.start < range.end);
        here.filter(|secret| self.masks(secret))
    }

    /// What lies in the message that an octet belongs to: headers and parts, those that hold others first. Nothing, if it
    /// belongs to none, or lies far behind the beginning of its message.
    #[must_use]
    pub fn inside(&self, at: u64) -> Rc<[Structure]> {
        let mut messages = self.read.messages.borrow_mut();
        let is_current = |message: &&Message| {
            message.at.contains(&at) && message.taken.is_none_or(|taken| taken == self.read.taken)
        };
        if let Some(known) = messages.iter().find(is_current) {
            return Rc::clone(&known.parts);
        }
        let Some(message) = self.message(at) else { return Rc::default() };
        messages.retain(|known| known.at.start != message.at.start);
        if messages.len() == MESSAGES_MAX {
            messages.remove(0);
        }
        let parts = Rc::clone(&message.parts);
        messages.push(message);
        parts
    }

    /// The message whose octets a client sends here.
    fn message(&self, at: u64) -> Option<Message> {
        let protocol = self.world.protocol(self.read.wire)?;
        let sends = matches!(protocol, Protocol::Smtp | Protocol::Submission);
        if self.dir != Dir::ToServer || !sends {
            return None;
        }
        let piece = |at: u64| self.line(at).first().filter(|line| line.label == CONTENT);
        let own = piece(at)?;
        if at >= own.at.start + INSIDE_MAX {
            return None;
        }
        let mut first = own.at.start;
        for count in 0.. {
            // The pieces of BDAT (RFC 3030 §2) make one message up to the one that is the LAST.
            let before = self.chunk_before(first).and_then(|command| {
                let before = piece(command.at.start.checked_sub(1)?)?;
                let before_it = self.chunk_before(before.at.start)?;
                (!self.is_last(before_it)).then_some(before.at.start)
            });
            let Some(before) = before else { break };
            if count == PIECES_MAX || at >= before + INSIDE_MAX {
                return None;
            }
            first = before;
        }
        let limit = first + INSIDE_MAX;
        let (mut end, mut is_over) = (first, false);
        while let Some(line) = piece(end) {
            let is_last = self.chunk_before(line.at.start).is_none_or(|chunk| self.is_last(chunk));
            end = line.at.end;
            let next = self.line(end).first();
            // Of a chunk it is not known whether it is whole before something follows.
            is_over = next.is_some();
            match next.filter(|next| !is_last && end < limit && self.is_chunk(next)) {
                Some(next) => (end, is_over) = (next.at.end, false),
                None => break,
            }
        }
        let end = end.min(limit);
        let taken = (!is_over && end < limit).then_some(self.read.taken);
        let parts = self.beginning(first..end);
        work::done((end - first) as usize);
        let mut octets = |range: Range<u64>| {
            self.world.octets(self.read.wire, self.dir, range.start..range.end.min(limit)).to_vec()
        };
        let parts = structure(parts, &mut octets).into();
        Some(Message { at: first..end, taken, parts })
    }

    /// The command right before an octet, if it announces a chunk.
    fn chunk_before(&self, at: u64) -> Option<&Annotation> {
        let command = self.line(at.checked_sub(1)?).first()?;
        self.is_chunk(command).then_some(command)
    }

    fn words(&self, command: &Annotation) -> &[u8] {
        self.world.octets(self.read.wire, self.dir, command.at.clone())
    }

    fn is_chunk(&self, command: &Annotation) -> bool {
        let verb = self.words(command).get(..5);
        command.label != CONTENT && verb.is_some_and(|verb| verb.eq_ignore_ascii_case(b"BDAT "))
    }

    fn is_last(&self, chunk: &Annotation) -> bool {
        self.words(chunk).trim_ascii_end().to_ascii_uppercase().ends_with(b" LAST")
    }
}
