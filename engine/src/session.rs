//! The session: six verbs in, one out, the same for every role.
//! It joins input to a role's wants in order, and leaves everything that is protocol to the role.

use alloc::vec::Vec;

use crate::inbox::Inbox;
use crate::limits;
use crate::outbox::Outbox;
use crate::role::{Cx, Lockstep, Role, TextPlace, Want};
use crate::trace::Note;
use crate::types::{AskId, BlobRange, Misuse, Now, TlsFacts};

/// Octets of the dot and the CRLF that end text.
const END_OF_TEXT: u64 = 3;

/// What a session gives out, in causal order.
#[derive(Debug)]
pub enum Output<R: Role> {
    /// Write these octets to the peer.
    Transmit(Vec<u8>),
    /// Write this range of a stored message to the peer.
    TransmitBlob(BlobRange),
    /// Answer this; each ask names the answers it takes.
    Ask(AskId, R::Ask),
    /// A fact; no answer.
    Event(R::Event),
    /// Everything before is written in the clear; now start TLS, then call `secured`.
    StartTls,
    /// Everything before is written as it is; from now on both directions are compressed (RFC 4978 §3). Octets of the
    /// peer that the session has not taken are compressed already.
    Compress,
    /// For a reader; only when tracing.
    Note(Note),
    /// Nothing more until input, an answer, a call, or a tick at the deadline. Ends a run of `poll`.
    Wait {
        /// When to call `tick`, on the monotonic clock.
        deadline_ms: Option<u64>,
    },
    /// Write what is left, then close the connection. Ends a run of `poll`; the session is over.
    Close,
}

/// One verb, as data: what `Session::step` does first.
#[derive(Debug)]
pub enum Input<R: Role> {
    /// Nothing: only poll.
    Nothing,
    /// `Session::receive`.
    Receive(Vec<u8>),
    /// `Session::receive_end`.
    ReceiveEnd,
    /// `Session::secured`.
    Secured(TlsFacts),
    /// `Session::answer`.
    Answer(AskId, R::Answer),
    /// `Session::call`.
    Call(R::Call),
    /// `Session::tick`.
    Tick,
}

/// What one step gave.
pub struct Step<R: Role> {
    /// How many octets a `Receive` took; the rest is to be offered again.
    pub taken: usize,
    /// In causal order. Ends with `Wait` or `Close`, unless the step was cut because it grew large: then step again
    /// with `Nothing` once these are written.
    pub outputs: Vec<Output<R>>,
}

/// How far a session has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Octets received and given out.
    pub(crate) received: u64,
    /// Octets sent.
    pub(crate) sent: u64,
    /// The name of the next ask.
    pub(crate) next_ask: AskId,
    /// The deadline, on the monotonic clock.
    pub(crate) deadline_ms: Option<u64>,
}

/// One connection's protocol state.
///
/// Any verb may come at any time. A peer can never cause an `Err`: those are the host's mistakes.
pub struct Session<R: Role> {
    // Only `None` while a role method runs.
    role: Option<R>,
    inbox: Inbox,
    cx: Cx<R>,
    end_told: bool,
}

impl<R: Role> Session<R> {
    /// Starts a session; a server's greeting is ready to be polled.
    pub fn new(config: R::Config, now: Now) -> Self {
        Self::begin(now, |cx| R::start(config, cx))
    }

    /// Starts a session of a role that is made in another way.
    pub(crate) fn begin(now: Now, start: impl FnOnce(&mut Cx<R>) -> R) -> Self {
        let mut cx = Cx::new(now);
        let role = start(&mut cx);
        let mut inbox = Inbox::new();
        if cx.trace {
            inbox.mark_dots();
        }
        Self { role: Some(role), inbox, cx, end_told: false }
    }

    /// Takes octets from the peer and says how many; 0 means: poll, and offer them again later.
    pub fn receive(&mut self, now: Now, octets: &[u8]) -> usize {
        self.at(now);
        if self.is_deaf() {
            return octets.len();
        }
        let octets = &octets[..self.takeable(octets)];
        let taken = self.inbox.take_in(octets, self.want(), self.cx.chunk_max);
        self.cx.step.arrive(self.inbox.arrived());
        taken
    }

    /// As `receive`, of octets that are nobody else's.
    fn receive_whole(&mut self, now: Now, mut octets: Vec<u8>) -> usize {
        self.at(now);
        if self.is_deaf() {
            return octets.len();
        }
        octets.truncate(self.takeable(&octets));
        let taken = self.inbox.take_in_whole(octets, self.want(), self.cx.chunk_max);
        self.cx.step.arrive(self.inbox.arrived());
        taken
    }

    /// How many of these octets may be taken, if there is room.
    fn takeable(&self, octets: &[u8]) -> usize {
        let line = self.cx.line_by_line.then(|| memchr::memchr(b'\n', octets)).flatten();
        line.map_or(octets.len(), |end| end + 1)
    }

    /// RFC 3207 §4.2: nothing received before TLS may count after it, so it is dropped.
    fn is_deaf(&self) -> bool {
        self.cx.closing || self.cx.starting_tls
    }

    /// The peer will send nothing more.
    pub fn receive_end(&mut self, now: Now) {
        self.at(now);
        self.inbox.end();
    }

    /// The TLS handshake that `StartTls` asked for is done.
    ///
    /// # Errors
    /// [`Misuse::NotStartingTls`] if no handshake was asked for.
    pub fn secured(&mut self, now: Now, facts: TlsFacts) -> Result<(), Misuse> {
        self.at(now);
        if !self.cx.starting_tls {
            return Err(Misuse::NotStartingTls);
        }
        self.cx.starting_tls = false;
        self.inbox.clear();
        self.move_on(|role, cx| role.on_secured(cx, facts));
        Ok(())
    }

    /// Answers an open ask.
    ///
    /// # Errors
    /// [`Misuse::UnknownAsk`], [`Misuse::WrongAnswer`] or [`Misuse::BadValue`]; the ask stays open.
    pub fn answer(&mut self, now: Now, id: AskId, answer: R::Answer) -> Result<(), Misuse> {
        self.at(now);
        if self.cx.closing {
            return Ok(());
        }
        let at = self.cx.open_asks.iter().position(|&open| open == id);
        let at = at.ok_or(Misuse::UnknownAsk)?;
        self.cx.open_asks.remove(at);
        let outcome = self.try_move_on(|role, cx| role.on_answer(cx, id, answer));
        if outcome.is_err() {
            self.cx.open_asks.push(id);
        }
        outcome
    }

    /// The application wants something of this session.
    ///
    /// # Errors
    /// [`Misuse::WrongState`] or [`Misuse::BadValue`]; nothing has changed then.
    pub fn call(&mut self, now: Now, call: R::Call) -> Result<(), Misuse> {
        self.at(now);
        if self.cx.closing {
            return Ok(());
        }
        self.try_move_on(|role, cx| role.on_call(cx, call))
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Now) {
        self.at(now);
        let due = self.cx.deadline_ms.is_some_and(|at| at <= self.cx.now.monotonic_ms);
        if due && !self.cx.closing {
            self.cx.deadline_ms = None;
            self.move_on(Role::on_deadline);
        }
    }

    /// The next output. Poll until `Wait` or `Close`; poll again only after writing what was given.
    pub fn poll(&mut self) -> Output<R> {
        loop {
            if let Some(output) = self.cx.outbox.pop() {
                match &output {
                    Output::Transmit(octets) => self.cx.step.told += octets.len() as u64,
                    Output::TransmitBlob(range) => self.cx.step.told += range.length,
                    Output::Close => self.cx.outbox.push(Output::Close),
                    _ => {}
                }
                return output;
            }
            if !self.advance() {
                return Output::Wait { deadline_ms: self.cx.deadline_ms };
            }
        }
    }

    /// One verb and then `poll`, up to `Wait`, `Close`, or about as much as the outbox holds.
    ///
    /// # Errors
    /// As the verb; nothing is polled then.
    pub fn step(&mut self, now: Now, input: Input<R>) -> Result<Step<R>, Misuse> {
        let mut taken = 0;
        match input {
            Input::Nothing => self.at(now),
            Input::Receive(octets) => taken = self.receive_whole(now, octets),
            Input::ReceiveEnd => self.receive_end(now),
            Input::Secured(facts) => self.secured(now, facts)?,
            Input::Answer(id, answer) => self.answer(now, id, answer)?,
            Input::Call(call) => self.call(now, call)?,
            Input::Tick => self.tick(now),
        }
        let mut outputs = Vec::new();
        let (mut octets, mut referred) = (0, 0);
        while octets < limits::OUTBOX_OCTETS_MAX
            && referred < limits::STEP_BLOB_OCTETS_MAX
            && outputs.len() < limits::OUTBOX_OUTPUTS_MAX
        {
            let output = self.poll();
            match &output {
                Output::Transmit(sent) => octets += sent.len(),
                Output::TransmitBlob(range) => referred += range.length,
                _ => {}
            }
            let last = matches!(output, Output::Wait { .. } | Output::Close);
            outputs.push(output);
            if last {
                break;
            }
        }
        Ok(Step { taken, outputs })
    }

    /// The session as octets, if it only waits for its peer, nothing is under way, and its role and state have such a
    /// form. What is told to the session meanwhile is to be kept and told after `thaw`, and the deadline is that of the
    /// last `Wait`. A session that was frozen is to be dropped: two that go on from one point answer the peer twice.
    #[must_use]
    pub fn freeze(&self) -> Option<Vec<u8>> {
        R::freeze(self)
    }

    /// The session that `freeze` gave, in the configuration that it had.
    ///
    /// # Errors
    /// [`Misuse::BadValue`] if the octets are not what `freeze` of this version gave.
    pub fn thaw(config: R::Config, now: Now, frozen: &[u8]) -> Result<Self, Misuse> {
        R::thaw(config, now, frozen)
    }

    /// The role, for tests and for tools that show its state.
    pub fn role(&self) -> &R {
        self.role.as_ref().expect("a role method gives the role back before it returns")
    }

    /// How far the session has come, if nothing is under way: no input that was not given out, no
    /// output, no open ask. Then this, the role and the configuration are all that it is.
    pub(crate) fn progress(&self) -> Option<Progress> {
        let cx = &self.cx;
        let still = !cx.closing && !cx.starting_tls && !self.end_told;
        let empty = self.inbox.is_empty() && cx.outbox.is_empty() && cx.open_asks.is_empty();
        (still && empty).then(|| Progress {
            received: self.inbox.offset(),
            sent: cx.sent,
            next_ask: cx.next_ask,
            deadline_ms: cx.deadline_ms,
        })
    }

    /// A session that goes on where another one, with nothing under way, has stopped.
    pub(crate) fn resume(role: R, now: Now, trace: bool, progress: Progress) -> Self {
        let Progress { received, sent, next_ask, deadline_ms } = progress;
        let cx = Cx {
            now,
            trace,
            chunk_max: limits::CHUNK_MAX,
            outbox: Outbox::new(),
            deadline_ms,
            next_ask,
            open_asks: Vec::new(),
            closing: false,
            sent,
            received,
            starting_tls: false,
            line_by_line: false,
            step: Lockstep::at(received, sent),
            text: TextPlace::default(),
        };
        let mut inbox = Inbox::at(received);
        if trace {
            inbox.mark_dots();
        }
        Self { role: Some(role), inbox, cx, end_told: false }
    }

    fn want(&self) -> Want {
        self.role().want()
    }

    fn at(&mut self, now: Now) {
        // A host whose clock goes backwards must not move deadlines with it.
        let monotonic_ms = now.monotonic_ms.max(self.cx.now.monotonic_ms);
        self.cx.now = Now { monotonic_ms, unix_ms: now.unix_ms };
    }

    /// Gives the role what it wants next, if it is there; false if nothing can move.
    fn advance(&mut self) -> bool {
        if self.cx.closing || self.cx.outbox.is_full() {
            return false;
        }
        match self.want() {
            want @ (Want::Line { max } | Want::FirstLine { max } | Want::FirstTagged { max }) => {
                let line = match want {
                    Want::Line { .. } => self.inbox.line(max),
                    _ => self.inbox.first_line(max, matches!(want, Want::FirstTagged { .. })),
                };
                if let Some(line) = line {
                    self.cx.received = self.inbox.offset();
                    self.move_on(|role, cx| role.on_line(cx, line));
                    return true;
                }
            }
            Want::Octets { left } => {
                if let Some(octets) = self.inbox.octets(left, self.cx.chunk_max) {
                    self.cx.received = self.inbox.offset();
                    self.move_on(|role, cx| role.on_octets(cx, octets));
                    return true;
                }
            }
            Want::DotText => {
                if let Some((octets, end)) = self.inbox.text(self.cx.chunk_max) {
                    self.cx.text = TextPlace {
                        start: self.cx.received,
                        stop: self.inbox.offset() - if end.is_some() { END_OF_TEXT } else { 0 },
                        dots: self.inbox.take_dots(),
                    };
                    self.cx.received = self.inbox.offset();
                    self.move_on(|role, cx| role.on_text(cx, octets, end));
                    return true;
                }
            }
            Want::Room => {
                self.move_on(Role::on_room);
                return true;
            }
            Want::Answer | Want::Secured => return false,
            Want::Nothing => {}
        }
        if self.inbox.ended() && !self.end_told {
            self.end_told = true;
            self.move_on(Role::on_end);
            return true;
        }
        false
    }

    fn move_on(&mut self, f: impl FnOnce(R, &mut Cx<R>) -> R) {
        let role = self.role.take().expect("role methods do not call back into their session");
        self.role = Some(f(role, &mut self.cx));
    }

    fn try_move_on(
        &mut self,
        f: impl FnOnce(R, &mut Cx<R>) -> Result<R, (R, Misuse)>,
    ) -> Result<(), Misuse> {
        let role = self.role.take().expect("role methods do not call back into their session");
        let (role, outcome) = match f(role, &mut self.cx) {
            Ok(role) => (role, Ok(())),
            Err((role, misuse)) => (role, Err(misuse)),
        };
        self.role = Some(role);
        outcome
    }
}
