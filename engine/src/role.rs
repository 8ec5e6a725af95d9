//! What a protocol role is to its session: a value that says what it wants next and is moved on by what it gets.
//! The session owns buffers, offsets and order; a role owns only what is true in its state.

use alloc::vec::Vec;

use crate::limits::{CHUNK_MAX, TEXT_LINES_NOTED_MAX};
use crate::outbox::Outbox;
use crate::session::{Output, Session};
use crate::trace::{Note, Part, Rule, Side, Span, is_label};
use crate::types::{AskId, BlobRange, Misuse, Now, TlsFacts};

/// A protocol role: one side of one protocol.
///
/// Every method takes the role by value and gives the next state back. While `want` is `Answer`, input stays unparsed.
pub trait Role: Sized {
    /// What a session is made with.
    type Config;
    /// What the role may need of its host.
    type Ask;
    /// What the host may answer.
    type Answer;
    /// What the application may want of the session.
    type Call;
    /// Facts for the host.
    type Event;

    /// The first state; a server sends its greeting here.
    fn start(config: Self::Config, cx: &mut Cx<Self>) -> Self;
    /// What the role wants next.
    fn want(&self) -> Want;
    /// A line came (`Want::Line`), or one that breaks a rule of lines.
    fn on_line(self, cx: &mut Cx<Self>, line: Line) -> Self;
    /// Octets came (`Want::Octets`): a full chunk, or what completes the count.
    fn on_octets(self, cx: &mut Cx<Self>, octets: Vec<u8>) -> Self;
    /// Text came (`Want::DotText`), unstuffed: a full chunk, or the rest with `end`.
    fn on_text(self, cx: &mut Cx<Self>, octets: Vec<u8>, end: Option<TextEnd>) -> Self;
    /// The peer will send nothing more, and all that came before was given out.
    fn on_end(self, cx: &mut Cx<Self>) -> Self;
    /// TLS is up (`Want::Secured`); the inbox is empty.
    fn on_secured(self, cx: &mut Cx<Self>, facts: TlsFacts) -> Self;
    /// The answer to an ask. On `Err` the state is the one before.
    fn on_answer(
        self,
        cx: &mut Cx<Self>,
        id: AskId,
        answer: Self::Answer,
    ) -> Result<Self, (Self, Misuse)>;
    /// The application wants something. On `Err` the state is the one before.
    fn on_call(self, cx: &mut Cx<Self>, call: Self::Call) -> Result<Self, (Self, Misuse)>;
    /// The deadline set by `Cx::deadline_in` is reached; it is unset now.
    fn on_deadline(self, cx: &mut Cx<Self>) -> Self;
    /// There is room in the outbox again (`Want::Room`): the next piece of a long reply.
    fn on_room(self, cx: &mut Cx<Self>) -> Self;
    /// What [`Session::freeze`] gives; `None` of every session of a role that has no such form.
    fn freeze(_session: &Session<Self>) -> Option<Vec<u8>> {
        None
    }
    /// What [`Session::thaw`] gives.
    ///
    /// # Errors
    /// [`Misuse::BadValue`] if the octets are not what `freeze` gave.
    fn thaw(_config: Self::Config, _now: Now, _frozen: &[u8]) -> Result<Session<Self>, Misuse> {
        // Nothing was ever frozen by this role.
        Err(Misuse::BadValue)
    }
}

/// What a role wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// A line that ends with CRLF, of at most `max` octets with it.
    Line {
        /// Longest line, CRLF included.
        max: usize,
    },
    /// As `Line`, but input that shows itself as another protocol's is given out at once, as far as it shows that,
    /// with [`LineFault::Foreign`]: a TLS client would wait for ever for the end of a line.
    FirstLine {
        /// Longest line, CRLF included.
        max: usize,
    },
    /// As `FirstLine`, where lines begin with a tag of the peer's choice: only octets that no tag has show another protocol.
    FirstTagged {
        /// Longest line, CRLF included.
        max: usize,
    },
    /// The next `left` octets, whatever they are, in chunks of at most `limits.chunk_max`.
    Octets {
        /// How many are still due; 0 gives one empty chunk.
        left: u64,
    },
    /// Lines up to one that is a single dot, unstuffed (RFC 5321 §4.5.2, RFC 1939 §3).
    DotText,
    /// The answer to an open ask; input stays unparsed.
    Answer,
    /// The end of the TLS handshake; input is dropped.
    Secured,
    /// Room in the outbox.
    Room,
    /// Nothing: only a call, a tick or the end of the connection moves it.
    Nothing,
}

/// A line without its CRLF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The octets; of a line that is too long, its beginning.
    pub octets: Vec<u8>,
    /// Offset of the first octet in the received direction.
    pub start: u64,
    /// Offset one past the CRLF.
    pub end: u64,
    /// What is wrong with it as a line.
    pub fault: Option<LineFault>,
}

/// Why a line is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineFault {
    /// Longer than the limit; it was skipped up to its CRLF.
    TooLong,
    /// A carriage return without a line feed after it.
    BareCr,
    /// A line feed without a carriage return before it.
    BareLf,
    /// It contains NUL.
    Nul,
    /// It is not of this protocol (`Want::FirstLine`), or went on for a mebibyte without an end; no CRLF was read.
    Foreign,
}

/// How dot-terminated text ended, and what was wrong with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextEnd {
    /// The text was empty: the dot came first.
    pub empty: bool,
    /// It held a bare CR, a bare LF or NUL.
    pub fault: Option<LineFault>,
    /// It came in one piece, and no line of it begins with a dot.
    pub undotted: bool,
}

/// A session's context: what a role may do to the world outside it.
pub struct Cx<R: Role> {
    /// The time of the verb being handled.
    pub now: Now,
    pub(crate) trace: bool,
    pub(crate) chunk_max: usize,
    pub(crate) outbox: Outbox<R>,
    pub(crate) deadline_ms: Option<u64>,
    pub(crate) next_ask: AskId,
    pub(crate) open_asks: Vec<AskId>,
    pub(crate) closing: bool,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) starting_tls: bool,
    /// One line at most is taken at once.
    pub(crate) line_by_line: bool,
    pub(crate) step: Lockstep,
    pub(crate) text: TextPlace,
}

/// Where the text that was given out last stood among the received octets.
#[derive(Debug, Default)]
pub(crate) struct TextPlace {
    pub(crate) start: u64,
    /// One past its last octet, without the dot line that may follow.
    pub(crate) stop: u64,
    /// The dots that were taken out of it (RFC 5321 §4.5.2); empty unless tracing.
    pub(crate) dots: Vec<u64>,
}

/// Who has seen what, for roles in which one side has to wait for the other.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lockstep {
    /// Octets received, given out or not.
    pub(crate) arrived: u64,
    /// Octets sent that the host was given to write.
    pub(crate) told: u64,
    /// What the host has to be given before the peer may go on.
    due: u64,
    /// Octets received before this offset came too early.
    early_until: u64,
}

impl Lockstep {
    /// Where both directions stand when a session begins or goes on.
    pub(crate) fn at(received: u64, sent: u64) -> Self {
        Self { arrived: received, told: sent, due: 0, early_until: 0 }
    }

    /// So many octets have arrived by now.
    pub(crate) fn arrive(&mut self, arrived: u64) {
        self.arrived = arrived;
        if self.told < self.due {
            self.early_until = arrived;
        }
    }
}

impl<R: Role> Cx<R> {
    /// Where nothing was sent or received.
    pub(crate) fn new(now: Now) -> Self {
        Self {
            now,
            trace: false,
            chunk_max: CHUNK_MAX,
            outbox: Outbox::new(),
            deadline_ms: None,
            next_ask: 1,
            open_asks: Vec::new(),
            closing: false,
            sent: 0,
            received: 0,
            starting_tls: false,
            line_by_line: false,
            step: Lockstep::default(),
            text: TextPlace::default(),
        }
    }

    /// Turns notes on; call it first in `Role::start`.
    pub fn trace(&mut self, on: bool) {
        self.trace = on;
    }

    /// Whether notes are made; lets a role skip the work of finding spans.
    #[must_use]
    pub fn tracing(&self) -> bool {
        self.trace
    }

    /// The largest chunk that `Want::Octets` and `Want::DotText` give, in octets; call it in `Role::start`.
    pub fn chunk_max(&mut self, octets: usize) {
        self.chunk_max = octets.max(1);
    }

    /// Sends octets; when tracing, notes them as one span.
    pub fn send(&mut self, octets: &[u8], label: &'static str, why: Option<&'static Rule>) {
        self.send_span(octets, label, why, false);
    }

    /// Sends octets that must be masked wherever they are shown.
    pub fn send_secret(&mut self, octets: &[u8], label: &'static str, why: Option<&'static Rule>) {
        self.send_span(octets, label, why, true);
    }

    fn send_span(
        &mut self,
        octets: &[u8],
        label: &'static str,
        why: Option<&'static Rule>,
        secret: bool,
    ) {
        let start = self.sent;
        self.sent += octets.len() as u64;
        self.outbox.transmit(octets);
        let end = self.sent;
        self.note(Note::Span(Span { side: Side::Sent, start, end, label, secret, why }));
    }

    /// Sends octets at once; when tracing, `parts` tells what they are made of, in order and without a gap.
    pub fn send_parts(
        &mut self,
        octets: &[u8],
        why: Option<&'static Rule>,
        parts: impl FnOnce(&[u8]) -> Vec<Part>,
    ) {
        let base = self.sent;
        self.sent += octets.len() as u64;
        self.outbox.transmit(octets);
        if !self.trace {
            return;
        }
        let mut why = why;
        for Part { start, end, label } in parts(octets) {
            let (start, end) = (base + start as u64, base + end as u64);
            // The rule is about the whole; it is told once.
            let why = why.take();
            let side = Side::Sent;
            self.note(Note::Span(Span { side, start, end, label, secret: false, why }));
        }
    }

    /// Sends a range of a stored message without its octets passing through the session.
    pub fn send_blob(&mut self, range: BlobRange, label: &'static str) {
        if range.length == 0 {
            return;
        }
        let start = self.sent;
        self.sent += range.length;
        self.outbox.push(Output::TransmitBlob(range));
        let end = self.sent;
        self.note(Note::Span(Span {
            side: Side::Sent,
            start,
            end,
            label,
            secret: false,
            why: None,
        }));
    }

    /// Notes a span of received octets.
    pub fn note_received(
        &mut self,
        start: u64,
        end: u64,
        label: &'static str,
        why: Option<&'static Rule>,
    ) {
        self.note(Note::Span(Span { side: Side::Received, start, end, label, secret: false, why }));
    }

    /// Notes a span of received octets that must be masked wherever they are shown.
    pub fn note_secret(&mut self, start: u64, end: u64, label: &'static str) {
        let side = Side::Received;
        self.note(Note::Span(Span { side, start, end, label, secret: true, why: None }));
    }

    /// Notes a line that no grammar was tried on as one span; one that may hold a secret is masked whatever is wrong
    /// with it.
    pub fn note_unparsed(&mut self, line: &Line, secret: bool, why: &'static Rule) {
        let Line { start, end, .. } = *line;
        let (side, why) = (Side::Received, Some(why));
        self.note(Note::Span(Span { side, start, end, label: "unparsed", secret, why }));
    }

    /// Notes the text that `Role::on_text` was given: a span a line, one for each dot that was taken out, and one for
    /// the dot line if the text has ended. Beyond 1,000 lines the rest of a chunk is one span.
    pub fn note_text(&mut self, octets: &[u8], end: bool, why: &'static Rule) {
        if !self.trace {
            return;
        }
        let TextPlace { start, stop, dots } = core::mem::take(&mut self.text);
        let mut dots = dots.into_iter().peekable();
        let mut at = start;
        for (number, line) in octets.split_inclusive(|&octet| octet == b'\n').enumerate() {
            if number == TEXT_LINES_NOTED_MAX {
                break;
            }
            if dots.next_if_eq(&at).is_some() {
                self.note_received(at, at + 1, "stuffed dot", Some(why));
                at += 1;
            }
            self.note_received(at, at + line.len() as u64, "text line", None);
            at += line.len() as u64;
        }
        if dots.next_if_eq(&at).is_some() {
            self.note_received(at, at + 1, "stuffed dot", Some(why));
            at += 1;
        }
        if at < stop {
            self.note_received(at, stop, "text lines", None);
        }
        if end {
            self.note_received(stop, self.received, "end of data", Some(why));
        }
        self.text.start = start;
    }

    /// Offset of the first octet of the text that was given out last.
    #[must_use]
    pub fn text_start(&self) -> u64 {
        self.text.start
    }

    /// Notes that the span noted last breaks a rule.
    pub fn note_defect(&mut self, rule: &'static Rule) {
        self.note(Note::Defect(rule));
    }

    /// Notes a change of state.
    pub fn note_state(&mut self, from: &'static str, to: &'static str) {
        if from != to {
            self.note(Note::State { from, to });
        }
    }

    fn note(&mut self, note: Note) {
        let empty = matches!(note, Note::Span(span) if span.start == span.end);
        if self.trace && !empty {
            if let Note::Span(span) = note {
                debug_assert!(is_label(span.label), "{} is in no list", span.label);
            }
            self.outbox.push(Output::Note(note));
        }
    }

    /// Offset of the next received octet that no line, chunk or text has given out yet.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Octets that were received and not given out yet.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.step.arrived.saturating_sub(self.received)
    }

    /// From here on the peer has to read all that was sent so far before it goes on: what waits already is early, and
    /// what comes before the host was given all of it to write.
    pub fn sync(&mut self) {
        self.step.due = self.sent;
        if self.waiting() > 0 {
            self.step.early_until = self.step.arrived;
        }
    }

    /// Whether a received octet came before the peer can have read what `sync` was called after.
    #[must_use]
    pub fn is_early(&self, offset: u64) -> bool {
        offset < self.step.early_until
    }

    /// Asks the host for something; the answer comes to `Role::on_answer` under the id given back.
    pub fn ask(&mut self, ask: R::Ask) -> AskId {
        let id = self.next_ask;
        self.next_ask = self.next_ask.wrapping_add(1);
        self.open_asks.push(id);
        self.outbox.push(Output::Ask(id, ask));
        id
    }

    /// Tells the host a fact.
    pub fn event(&mut self, event: R::Event) {
        self.outbox.push(Output::Event(event));
    }

    /// Asks the host to start the TLS handshake after all that was sent so far; then want `Secured`.
    pub fn start_tls(&mut self) {
        self.starting_tls = true;
        self.outbox.push(Output::StartTls);
    }

    /// Has the host compress both directions after all that was sent so far. Nothing may wait in the inbox: it would
    /// have come before.
    pub fn compress(&mut self) {
        self.outbox.push(Output::Compress);
    }

    /// From now on no more than one line of what comes is taken at once, since that line may say that what follows it is
    /// compressed; or as much as there is room for again.
    pub fn line_by_line(&mut self, on: bool) {
        self.line_by_line = on;
    }

    /// Ends the connection once all that was sent is written; nothing else is given out after it.
    pub fn close(&mut self) {
        if !self.closing {
            self.closing = true;
            self.outbox.push(Output::Close);
        }
    }

    /// Sets the deadline, in milliseconds from now, in place of any other.
    pub fn deadline_in(&mut self, ms: u64) {
        self.deadline_ms = Some(self.now.monotonic_ms.saturating_add(ms));
    }

    /// Unsets the deadline.
    pub fn no_deadline(&mut self) {
        self.deadline_ms = None;
    }

    /// Whether a long reply should pause with `Want::Room`: the outbox holds as much as it may.
    #[must_use]
    pub fn outbox_full(&self) -> bool {
        self.outbox.is_full()
    }
}
