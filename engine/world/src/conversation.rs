//! Holds a conversation with a session whose asks a service answers at once: no sockets, no threads, time as given.
//! Tests and the page use it; what steps the session (the library, a component) is exchangeable.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use pillarbox_engine::trace::Note;
use pillarbox_engine::types::{AskId, BlobRange, Misuse, Now, TlsFacts};
use pillarbox_engine::{Input, Output, Role, Session, Step};

use crate::service::Service;

/// What steps a session: the library itself, or a component in some host.
pub trait Driven<R: Role> {
    /// Why a step could not be made: a host's mistake, or a broken sandbox.
    type Broken: fmt::Display;

    /// One verb, then poll.
    ///
    /// # Errors
    /// [`Driven::Broken`]; the session is over then.
    fn step(&mut self, now: Now, input: Input<R>) -> Result<Step<R>, Self::Broken>;
}

impl<R: Role> Driven<R> for Session<R> {
    type Broken = Misused;

    fn step(&mut self, now: Now, input: Input<R>) -> Result<Step<R>, Misused> {
        Session::step(self, now, input).map_err(Misused)
    }
}

/// The host broke the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misused(pub Misuse);

impl fmt::Display for Misused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "misuse: {:?}", self.0)
    }
}

/// One connection's session, with what answers it.
pub struct Conversation<R: Role, D: Driven<R>, S: Service<R>> {
    session: D,
    service: S,
    now: Now,
    asks: VecDeque<(AskId, R::Ask)>,
    notes: Vec<Note>,
    deadline_ms: Option<u64>,
    closed: bool,
}

/// Looks at an ask before its service does, and may answer in its place.
pub type Instead<'a, R> = &'a mut dyn FnMut(&<R as Role>::Ask) -> Option<<R as Role>::Answer>;

impl<R: Role, D: Driven<R>, S: Service<R>> Conversation<R, D, S> {
    /// A conversation that begins at `now`; say something empty to hear the greeting.
    pub fn new(session: D, service: S, now: Now) -> Self {
        let (asks, notes) = (VecDeque::new(), Vec::new());
        Self { session, service, now, asks, notes, deadline_ms: None, closed: false }
    }

    /// Says octets to the session and gives what it sends.
    ///
    /// # Errors
    /// [`Driven::Broken`].
    pub fn say(&mut self, octets: &[u8]) -> Result<Vec<u8>, D::Broken> {
        self.say_instead(octets, &mut |_| None)
    }

    /// As [`Conversation::say`], with answers of the caller's own.
    ///
    /// # Errors
    /// [`Driven::Broken`].
    pub fn say_instead(
        &mut self,
        octets: &[u8],
        instead: Instead<'_, R>,
    ) -> Result<Vec<u8>, D::Broken> {
        let mut sent = Vec::new();
        let mut rest = octets;
        loop {
            // What others were answered before this was said, it must find.
            if self.tell_changes(&mut sent)? {
                self.settle(&mut sent, instead)?;
            }
            let input =
                if rest.is_empty() { Input::Nothing } else { Input::Receive(rest.to_vec()) };
            let taken = self.step(input, &mut sent)?;
            rest = &rest[taken..];
            self.settle(&mut sent, instead)?;
            if rest.is_empty() || self.closed {
                return Ok(sent);
            }
            if taken == 0 {
                // A session that is full waits for nothing but time.
                let Some(deadline) = self.deadline_ms else { return Ok(sent) };
                self.move_clock(deadline);
                self.step(Input::Tick, &mut sent)?;
            }
        }
    }

    /// Ends what the peer says, and gives what the session still sends.
    ///
    /// # Errors
    /// [`Driven::Broken`].
    pub fn end(&mut self) -> Result<Vec<u8>, D::Broken> {
        self.apply(Input::ReceiveEnd)
    }

    /// Says that the TLS handshake is done that the session asked for, and gives what it sends.
    ///
    /// # Errors
    /// [`Driven::Broken`].
    pub fn secure(&mut self) -> Result<Vec<u8>, D::Broken> {
        self.apply(Input::Secured(TlsFacts::default()))
    }

    /// Lets time pass, and gives what the session sends on its own.
    ///
    /// # Errors
    /// [`Driven::Broken`].
    pub fn wait(&mut self, ms: u64) -> Result<Vec<u8>, D::Broken> {
        let end = self.now.monotonic_ms + ms;
        let mut sent = Vec::new();
        // Deadlines on the way strike at their own time.
        while let Some(deadline) = self.deadline_ms.filter(|at| *at <= end && !self.closed) {
            self.move_clock(deadline);
            sent.extend(self.apply(Input::Tick)?);
            if self.deadline_ms == Some(deadline) {
                break;
            }
        }
        self.move_clock(end);
        Ok(sent)
    }

    /// Wants something of the session, and gives what it sends.
    ///
    /// # Errors
    /// [`Driven::Broken`].
    pub fn call(&mut self, call: R::Call) -> Result<Vec<u8>, D::Broken> {
        self.apply(Input::Call(call))
    }

    /// Tells the session what others changed, and gives what it sends.
    ///
    /// # Errors
    /// [`Driven::Broken`].
    pub fn hear_others(&mut self) -> Result<Vec<u8>, D::Broken> {
        self.apply(Input::Nothing)
    }

    /// Whether the session has closed.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Takes the notes made so far.
    pub fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    fn move_clock(&mut self, monotonic_ms: u64) {
        let passed = monotonic_ms.saturating_sub(self.now.monotonic_ms);
        self.now.monotonic_ms += passed;
        self.now.unix_ms += passed;
    }

    fn apply(&mut self, input: Input<R>) -> Result<Vec<u8>, D::Broken> {
        let mut sent = Vec::new();
        self.step(input, &mut sent)?;
        self.settle(&mut sent, &mut |_| None)?;
        Ok(sent)
    }

    /// Answers asks and tells changes until the session only waits.
    fn settle(&mut self, sent: &mut Vec<u8>, instead: Instead<'_, R>) -> Result<(), D::Broken> {
        loop {
            if let Some((id, ask)) = self.asks.pop_front() {
                let answer = match instead(&ask) {
                    Some(answer) => answer,
                    None => at_once(self.service.answer(self.now, ask, &mut ())),
                };
                self.tell_changes(sent)?;
                self.step(Input::Answer(id, answer), sent)?;
            } else if !self.tell_changes(sent)? && self.asks.is_empty() {
                self.service.rests();
                return Ok(());
            }
        }
    }

    fn tell_changes(&mut self, sent: &mut Vec<u8>) -> Result<bool, D::Broken> {
        match self.service.call() {
            Some(call) if !self.closed => self.step(Input::Call(call), sent).map(|_| true),
            _ => Ok(false),
        }
    }

    /// One step, and as many more as it takes until the session waits.
    fn step(&mut self, input: Input<R>, sent: &mut Vec<u8>) -> Result<usize, D::Broken> {
        let mut input = Some(input);
        let mut taken = 0;
        loop {
            let step = self.session.step(self.now, input.take().unwrap_or(Input::Nothing))?;
            taken += step.taken;
            for output in step.outputs {
                match output {
                    Output::Transmit(octets) => sent.extend(octets),
                    Output::TransmitBlob(range) => self.transmit_blob(range, sent),
                    Output::Ask(id, ask) => self.asks.push_back((id, ask)),
                    Output::Event(event) => self.service.event(&event),
                    Output::Note(note) => self.notes.push(note),
                    // Between two ends in one process nothing is to be gained by it, as by TLS.
                    Output::StartTls | Output::Compress => {}
                    Output::Wait { deadline_ms } => {
                        self.deadline_ms = deadline_ms;
                        return Ok(taken);
                    }
                    Output::Close => {
                        self.closed = true;
                        return Ok(taken);
                    }
                }
            }
        }
    }

    fn transmit_blob(&mut self, range: BlobRange, sent: &mut Vec<u8>) {
        match self.service.octets(range) {
            Ok(octets) => sent.extend(octets),
            // A real host cuts the connection: what was promised cannot be sent.
            Err(_) => self.closed = true,
        }
    }
}

/// The value of a future that never waits, as every service over a store in memory is.
///
/// # Panics
/// If it waits: then the service needs a host with a runtime.
pub fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a service over a store in memory does not wait"),
    }
}
