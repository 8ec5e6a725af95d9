//! Drives one session: octets in, outputs out, asks answered, until it closes. The same for every role, on both sides;
//! what differs is behind [`Host`].

mod chill;
mod deflate;
mod pace;
mod record;
mod transcript;
mod wire;

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pillarbox_engine::trace::Note;
use pillarbox_engine::types::{AskId, BlobRange, Now, Reason, TlsFacts};
use pillarbox_engine::{Output, Role};
use pillarbox_world::fault::{Decision, Verdict};
use pillarbox_world::hub::SessionKey;
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

use crate::engine::{Driven, Input, Trap};
use crate::tls::Metered;

use pace::Pace;

pub(crate) use chill::Chill;
pub(crate) use record::Record;
pub(crate) use transcript::{Ends, Transcript};
pub(crate) use wire::Wire;

/// Octets that are gathered before they are written, unless the session waits.
const WRITE_AT: usize = 64 * 1024;
/// Octets of a stored message that are read at once.
const BLOB_PIECE: u64 = 256 * 1024;
/// How long what was said may wait to be written while asks are answered at once, one after the other: longer than any
/// command takes that is not worth a word, and short for somebody who waits.
const WRITE_AFTER: Duration = Duration::from_millis(500);
/// How often a host that hears its peer while it writes looks whether there is something to hear.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What differs between the sessions that are driven: who answers, who counts, and what ends them from outside.
pub(crate) trait Host<R: Role>: Send {
    /// A peer that reads nothing for so long is cut.
    const WRITE_WITHIN: Duration;
    /// Whether a peer that speaks while it reads nothing is heard: what it says is why it does not read.
    const HEARS_WHILE_WRITING: bool;

    /// When the session's monotonic clock began.
    fn started(&self) -> Instant;
    /// What the session is told of the time.
    fn now(&self) -> Now {
        now(self.started())
    }
    /// Names the session in logs.
    fn session_id(&self) -> String;
    /// The name of an ask, without what it carries.
    fn ask_name(ask: &R::Ask) -> String;
    /// The answer, once there is one.
    fn answer(
        &mut self,
        now: Now,
        ask: R::Ask,
        session: &mut dyn Driven<R>,
    ) -> impl Future<Output = R::Answer> + Send;
    /// What faults on purpose do at an ask, before anybody answers it.
    fn meet(&mut self, _now: Now, _ask: &R::Ask) -> Option<Met<R>> {
        None
    }
    /// What faults on purpose do once the session has read or said octets with this label.
    fn noted(&mut self, _now: Now, _label: &'static str) -> Option<Decision> {
        None
    }
    /// Waits so long, or until the session should not be made to wait.
    fn rest(&mut self, delay: Duration) -> impl Future<Output = ()> + Send {
        tokio::time::sleep(delay)
    }
    /// Logs and counts an answer; called before the session gets it.
    fn observe_answer(&mut self, answer: &R::Answer);
    /// What the session must be told; asked for before every answer and before all that the peer says.
    fn call(&mut self) -> Option<R::Call>;
    /// The session waits for its peer, and all that it gave out is written.
    fn rests(&mut self) {}
    /// When the session, which rests, is to be frozen; none: never.
    fn chill(&self) -> Option<Chill> {
        None
    }
    /// The session is frozen.
    fn frozen(&mut self) {}
    /// A session that goes on where the frozen one stands.
    fn thaw(
        &mut self,
        _frozen: &[u8],
    ) -> impl Future<Output = Result<Box<dyn Driven<R>>, End>> + Send {
        std::future::ready(Err(End::Cut(io::Error::other("nothing is frozen here"))))
    }
    /// Octets that the session transmits by reference.
    fn octets(&mut self, range: BlobRange) -> Result<Vec<u8>, Reason>;
    /// A fact from the session.
    fn event(&mut self, event: R::Event);
    /// The TLS handshake.
    fn secure(
        &mut self,
        stream: TcpStream,
    ) -> impl Future<Output = io::Result<(TlsStream<Metered>, TlsFacts)>> + Send;
    /// Octets went to the peer or came from it.
    fn count(&self, direction: &str, octets: usize);
    /// Whether all is done that the session was run for: then it is left alone while it waits.
    fn is_content(&self) -> bool;
    /// How long the peer must wait before more of what it said is looked at.
    fn delay(&self) -> Option<Duration> {
        None
    }
    /// Ends when the session must be told something.
    fn interrupted(&mut self) -> impl Future<Output = Interrupt<R>> + Send;
}

/// What faults on purpose do at an ask.
pub(crate) struct Met<R: Role> {
    /// To the connection.
    pub(crate) decision: Decision,
    /// The answer, if they make one.
    pub(crate) answer: Option<R::Answer>,
}

/// What a waiting session must be told.
pub(crate) enum Interrupt<R: Role> {
    /// What [`Host::call`] gives.
    Changes,
    /// This.
    Call(R::Call),
}

/// One connection's session, and what surrounds it.
pub(crate) struct Driver<R: Role, H> {
    pub(crate) host: H,
    session: Life<R>,
    /// The session was to be frozen where it rests, and has no such form there.
    stays_warm: bool,
    record: Record,
    /// None if no fault on purpose changes the octets.
    pace: Option<Box<Pace>>,
    /// To be written.
    out: Vec<u8>,
    /// When the first of it was said.
    said: Instant,
    asks: VecDeque<(AskId, R::Ask)>,
    /// Received, but not taken by the session yet.
    left: Vec<u8>,
    state: State,
}

/// The session, at work or frozen.
enum Life<R: Role> {
    Awake(Box<dyn Driven<R>>),
    Frozen(Box<[u8]>),
}

impl<R: Role> Life<R> {
    fn awake(&mut self) -> Option<&mut dyn Driven<R>> {
        match self {
            Self::Awake(session) => Some(&mut **session),
            Self::Frozen(_) => None,
        }
    }
}

/// Where the last step left the session.
enum State {
    /// More is to be polled.
    Running,
    /// It asked for TLS.
    Securing,
    /// It waits, at most until the deadline.
    Waiting(Option<u64>),
    /// It is over.
    Closed,
}

/// Why a connection ended before its session did.
pub(crate) enum End {
    /// The peer is gone, or does not read.
    Cut(io::Error),
    /// The peer reads nothing.
    Unread(io::Error),
    /// There is no TLS with it.
    Unsecured(io::Error),
    /// The session broke its sandbox.
    Trap(Trap),
}

/// What woke a waiting connection.
enum Woken<R: Role> {
    Octets(Vec<u8>),
    PeerEnded,
    Deadline,
    Interrupted(Interrupt<R>),
    /// It rests for long, or its place is wanted.
    Chilled,
}

/// A key for a connection that no other has; 0 is the program itself.
pub(crate) fn next_key() -> SessionKey {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl<R: Role, H: Host<R>> Driver<R, H> {
    pub(crate) fn new(host: H, session: Box<dyn Driven<R>>, record: Record) -> Self {
        let (out, asks, left) = (Vec::new(), VecDeque::new(), Vec::new());
        let (pace, said, state) = (None, Instant::now(), State::Running);
        let (session, stays_warm) = (Life::Awake(session), false);
        Self { host, session, stays_warm, record, pace, out, said, asks, left, state }
    }

    /// Lets the session begin. With `look`, who talks before the greeting is not waiting for it, and the session should
    /// know.
    pub(crate) async fn begin(&mut self, wire: &mut Wire, look: bool) -> Result<(), End> {
        if look && let Poll::Ready(Some(octets)) = wire.try_read().map_err(End::Cut)? {
            return self.woken(wire, Woken::Octets(octets)).await;
        }
        self.step(wire, Input::Nothing).await
    }

    /// Drives the session until it closes, or until it waits and its host is content.
    pub(crate) async fn run(&mut self, wire: &mut Wire) -> Result<(), End> {
        loop {
            if let Some((id, ask)) = self.asks.pop_front() {
                if !self.out.is_empty() && self.said.elapsed() > WRITE_AFTER {
                    self.flush(wire).await?;
                }
                self.answer(wire, id, ask).await?;
                continue;
            }
            match self.state {
                State::Closed => return self.flush(wire).await,
                State::Securing => self.secure(wire).await?,
                State::Running => self.step(wire, Input::Nothing).await?,
                State::Waiting(deadline_ms) => {
                    if self.offer_left(wire).await? {
                        continue;
                    }
                    self.flush(wire).await?;
                    self.record.rests();
                    if self.host.is_content() {
                        return Ok(());
                    }
                    self.host.rests();
                    let deadline = self.until(deadline_ms);
                    let chill = self.chill();
                    let chilled = async {
                        match &chill {
                            Some(chill) => chill.chilled().await,
                            None => std::future::pending().await,
                        }
                    };
                    let woken = tokio::select! {
                        read = wire.read(), if self.left.is_empty() => {
                            read.map_err(End::Cut)?.map_or(Woken::PeerEnded, Woken::Octets)
                        }
                        interrupt = self.host.interrupted() => Woken::Interrupted(interrupt),
                        () = deadline => Woken::Deadline,
                        () = chilled => Woken::Chilled,
                    };
                    self.woken(wire, woken).await?;
                }
            }
        }
    }

    /// The application wants something of the session.
    pub(crate) async fn call(&mut self, wire: &mut Wire, call: R::Call) -> Result<(), End> {
        self.step(wire, Input::Call(call)).await
    }

    /// Takes what the peer has said already, without waiting for more.
    pub(crate) async fn listen(&mut self, wire: &mut Wire) -> Result<(), End> {
        match wire.try_read().map_err(End::Cut)? {
            Poll::Ready(Some(octets)) => self.woken(wire, Woken::Octets(octets)).await,
            Poll::Ready(None) => self.woken(wire, Woken::PeerEnded).await,
            Poll::Pending => Ok(()),
        }
    }

    /// Whether the session is over.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// The connection is lost: the session hears what its host must tell it, what its peer said last, and then the end of
    /// it. What it says to that nobody gets.
    pub(crate) fn lose(&mut self, wire: &mut Wire) -> Result<(), Trap> {
        let Some(session) = self.session.awake() else {
            // It waited for its peer, and asked for nothing that would be lost now.
            self.state = State::Closed;
            return Ok(());
        };
        let mut last = std::mem::take(&mut self.left);
        if let Ok(Poll::Ready(Some(octets))) = wire.try_read() {
            self.record.received(&octets);
            last.extend(octets);
        }
        let mut inputs: VecDeque<Input<R>> =
            self.host.call().map(Input::Call).into_iter().collect();
        inputs.extend([Input::Receive(last), Input::ReceiveEnd]);
        self.asks.clear();
        while !matches!(self.state, State::Closed)
            && let Some(input) = inputs.pop_front()
        {
            let step = session.step(self.host.now(), input)?;
            let ended = matches!(step.outputs.last(), Some(Output::Wait { .. } | Output::Close));
            for output in step.outputs {
                match output {
                    Output::Event(event) => self.host.event(event),
                    Output::Close => self.state = State::Closed,
                    _ => {}
                }
            }
            if !ended {
                inputs.push_front(Input::Nothing);
            } else if let Some(left) = step.left
                && step.taken > 0
            {
                inputs.push_front(Input::Receive(left));
            }
        }
        self.state = State::Closed;
        Ok(())
    }

    /// Everything said before goes out in the clear, and nothing that came before counts (RFC 3207 §4.2).
    async fn secure(&mut self, wire: &mut Wire) -> Result<(), End> {
        self.flush(wire).await?;
        let dropped = std::mem::take(&mut self.left).len();
        let facts = wire.secure(|stream| self.host.secure(stream)).await;
        let facts = facts.map_err(End::Unsecured)?;
        self.record.secured(&facts, dropped);
        self.step(wire, Input::Secured(facts)).await
    }

    async fn woken(&mut self, wire: &mut Wire, woken: Woken<R>) -> Result<(), End> {
        match woken {
            Woken::Octets(octets) => {
                self.host.count("received", octets.len());
                self.record.received(&octets);
                if let Some(pace) = &self.pace {
                    tokio::time::sleep(pace.time(octets.len())).await;
                }
                self.left = octets;
                self.offer_left(wire).await.map(|_| ())
            }
            Woken::PeerEnded => {
                self.step(wire, Input::ReceiveEnd).await?;
                // A peer that sends nothing more can still be told what was asked for, and then it is over.
                if matches!(self.state, State::Waiting(_)) && self.asks.is_empty() {
                    self.state = State::Closed;
                }
                Ok(())
            }
            Woken::Interrupted(Interrupt::Changes) => self.tell_changes(wire).await.map(|_| ()),
            Woken::Interrupted(Interrupt::Call(call)) => self.call(wire, call).await,
            Woken::Deadline => self.step(wire, Input::Tick).await,
            Woken::Chilled => self.freeze(),
        }
    }

    /// Offers what the session has not taken yet; false if there is nothing or it takes nothing.
    async fn offer_left(&mut self, wire: &mut Wire) -> Result<bool, End> {
        if self.left.is_empty() {
            return Ok(false);
        }
        if let Some(delay) = self.host.delay() {
            self.flush(wire).await?;
            tokio::time::sleep(delay).await;
        }
        // A command that begins after somebody else's was answered must find what that one did. What the telling needs
        // goes first; then this is offered again.
        if self.tell_changes(wire).await?
            && !(matches!(self.state, State::Waiting(_)) && self.asks.is_empty())
        {
            return Ok(true);
        }
        let octets = std::mem::take(&mut self.left);
        let taken = self.step_taking(wire, Input::Receive(octets)).await?;
        Ok(taken > 0)
    }

    /// Tells what others did; false if there is nothing to tell.
    async fn tell_changes(&mut self, wire: &mut Wire) -> Result<bool, End> {
        match self.host.call() {
            Some(call) => self.step(wire, Input::Call(call)).await.map(|()| true),
            None => Ok(false),
        }
    }

    async fn answer(&mut self, wire: &mut Wire, id: AskId, ask: R::Ask) -> Result<(), End> {
        self.record.asked(|| H::ask_name(&ask));
        let now = self.host.now();
        if let Some(Met { decision, answer }) = self.host.meet(now, &ask) {
            self.suffer(wire, &decision).await?;
            if let Some(answer) = answer {
                return self.step(wire, Input::Answer(id, answer)).await;
            }
        }
        let answer = {
            let session = awake(&mut self.session, &mut self.host).await?;
            let mut answer = pin!(self.host.answer(now, ask, session));
            // What is ready at once needs no write in between, so that pipelined replies leave together.
            let ready = std::future::poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx))).await;
            match ready {
                Poll::Ready(answer) => answer,
                Poll::Pending => {
                    let left = self.left.is_empty().then_some(&mut self.left);
                    let pace = self.pace.as_deref();
                    write_all::<R, H>(wire, &mut self.out, left, pace).await?;
                    answer.await
                }
            }
        };
        self.host.observe_answer(&answer);
        // What others did before this answer was made must be told before it.
        self.tell_changes(wire).await?;
        self.step(wire, Input::Answer(id, answer)).await
    }

    /// What faults on purpose do to the connection.
    async fn suffer(&mut self, wire: &mut Wire, decision: &Decision) -> Result<(), End> {
        for strike in &decision.strikes {
            self.record.fault(strike.number, &strike.rule);
        }
        if decision.delay_ms > 0 {
            self.flush(wire).await?;
            self.host.rest(Duration::from_millis(decision.delay_ms)).await;
        }
        if decision.verdict == Verdict::Drop {
            self.flush(wire).await?;
            return Err(End::Cut(io::Error::other("a fault on purpose")));
        }
        self.pace = Pace::join(self.pace.take(), decision);
        Ok(())
    }

    async fn step(&mut self, wire: &mut Wire, input: Input<R>) -> Result<(), End> {
        self.step_taking(wire, input).await.map(|_| ())
    }

    /// One step of the session and all that it gave out; says how many octets it took.
    async fn step_taking(&mut self, wire: &mut Wire, input: Input<R>) -> Result<usize, End> {
        let session = awake(&mut self.session, &mut self.host).await?;
        let step = session.step(self.host.now(), input).map_err(End::Trap)?;
        self.stays_warm = false;
        let taken = step.taken;
        if let Some(left) = step.left {
            self.left = left;
        }
        self.state = State::Running;
        let mut struck = Vec::new();
        for output in step.outputs {
            match output {
                Output::Transmit(octets) => self.transmit(wire, octets).await?,
                Output::TransmitBlob(range) => self.transmit_blob(wire, range).await?,
                Output::Ask(id, ask) => self.asks.push_back((id, ask)),
                Output::Event(event) => self.host.event(event),
                Output::Note(note) => {
                    self.record.note(&note);
                    if let Note::Span(span) = note {
                        struck.extend(self.host.noted(now(self.host.started()), span.label));
                    }
                }
                // What it waits for is the handshake that it asked for.
                Output::Wait { .. } if matches!(self.state, State::Securing) => {}
                Output::Wait { deadline_ms } => self.state = State::Waiting(deadline_ms),
                Output::StartTls => self.state = State::Securing,
                Output::Compress => {
                    // What was sent so far goes out as it is, and what came and was not taken is compressed already.
                    self.flush(wire).await?;
                    wire.compress(std::mem::take(&mut self.left));
                }
                Output::Close => self.state = State::Closed,
            }
        }
        self.record.stepped();
        for decision in struck {
            self.suffer(wire, &decision).await?;
        }
        Ok(taken)
    }

    async fn transmit(&mut self, wire: &mut Wire, mut octets: Vec<u8>) -> Result<(), End> {
        self.host.count("sent", octets.len());
        if let Some(pace) = &mut self.pace {
            pace.garble(&mut octets);
        }
        self.record.sent(&octets);
        if self.out.is_empty() {
            self.said = Instant::now();
        }
        match &mut self.pace {
            Some(pace) => self.out.extend(pace.lines(&octets)),
            None => self.out.extend_from_slice(&octets),
        }
        if self.out.len() >= WRITE_AT { self.flush(wire).await } else { Ok(()) }
    }

    async fn transmit_blob(&mut self, wire: &mut Wire, range: BlobRange) -> Result<(), End> {
        let end = range.offset.saturating_add(range.length);
        let mut offset = range.offset;
        while offset < end {
            let length = BLOB_PIECE.min(end - offset);
            let piece = self.host.octets(BlobRange { offset, length, ..range });
            // The length was promised to the peer already: to cut the connection is the only honest way out.
            let piece = piece.map_err(|reason| {
                let session = self.host.session_id();
                tracing::error!(session, ?reason, ?range, "a stored message could not be read");
                End::Cut(std::io::Error::other("a stored message could not be read"))
            })?;
            self.transmit(wire, piece).await?;
            offset += length;
        }
        Ok(())
    }

    async fn flush(&mut self, wire: &mut Wire) -> Result<(), End> {
        let left = self.left.is_empty().then_some(&mut self.left);
        write_all::<R, H>(wire, &mut self.out, left, self.pace.as_deref()).await
    }

    /// When the session is to be frozen that waits now.
    fn chill(&self) -> Option<Chill> {
        let warm = matches!(self.session, Life::Awake(_)) && self.left.is_empty();
        if warm && !self.stays_warm { self.host.chill() } else { None }
    }

    /// Freezes the session, if it can be, and keeps no buffer for it.
    fn freeze(&mut self) -> Result<(), End> {
        let Some(session) = self.session.awake() else { return Ok(()) };
        match session.freeze().map_err(End::Trap)? {
            Some(octets) => {
                self.session = Life::Frozen(octets.into_boxed_slice());
                (self.out, self.left, self.asks) = (Vec::new(), Vec::new(), VecDeque::new());
                self.host.frozen();
            }
            None => {
                self.stays_warm = true;
                if let Some(chill) = self.host.chill() {
                    chill.pass_on();
                }
            }
        }
        Ok(())
    }

    /// Ends at a deadline of the session's clock.
    fn until(&self, deadline_ms: Option<u64>) -> impl Future<Output = ()> + use<R, H> {
        let at = deadline_ms.map(|ms| self.host.started() + Duration::from_millis(ms));
        async move {
            match at {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        }
    }
}

/// The session, made to go on if it is frozen.
async fn awake<'s, R: Role, H: Host<R>>(
    session: &'s mut Life<R>,
    host: &mut H,
) -> Result<&'s mut dyn Driven<R>, End> {
    if let Life::Frozen(octets) = session {
        *session = Life::Awake(host.thaw(octets).await?);
    }
    Ok(session.awake().expect("it was thawed just now"))
}

/// Writes all; `heard` gets what a peer says that reads nothing, and then the connection is at its end.
async fn write_all<R: Role, H: Host<R>>(
    wire: &mut Wire,
    out: &mut Vec<u8>,
    mut heard: Option<&mut Vec<u8>>,
    pace: Option<&Pace>,
) -> Result<(), End> {
    if out.is_empty() {
        return Ok(());
    }
    let mut rest = &out[..];
    let mut waited = Duration::ZERO;
    let within = if H::HEARS_WHILE_WRITING { LOOK_EVERY } else { H::WRITE_WITHIN };
    loop {
        let (piece, pause) =
            pace.map_or((rest.len(), Duration::ZERO), |pace| pace.piece(rest.len()));
        let step = async {
            if rest.is_empty() {
                wire.flush().await.map(|()| 0)
            } else {
                wire.write(&rest[..piece]).await
            }
        };
        match tokio::time::timeout(within, step).await {
            Ok(written) => {
                let written = written.map_err(End::Cut)?;
                if rest.is_empty() {
                    break;
                }
                if written == 0 {
                    return Err(End::Cut(io::ErrorKind::WriteZero.into()));
                }
                rest = &rest[written..];
                waited = Duration::ZERO;
                if !pause.is_zero() {
                    wire.flush().await.map_err(End::Cut)?;
                    tokio::time::sleep(pause).await;
                }
            }
            Err(_) => {
                waited += within;
                if let Some(heard) = &mut heard
                    && H::HEARS_WHILE_WRITING
                    && let Poll::Ready(Some(octets)) = wire.try_read().map_err(End::Cut)?
                {
                    **heard = octets;
                    return Err(End::Cut(io::Error::other("the peer speaks and reads nothing")));
                }
                if waited >= H::WRITE_WITHIN {
                    let slow = io::Error::new(io::ErrorKind::TimedOut, "the peer reads nothing");
                    return Err(End::Unread(slow));
                }
            }
        }
    }
    out.clear();
    out.shrink_to(1024);
    Ok(())
}

/// The time for a session: monotonic since `started`, and the wall clock.
pub(crate) fn now(started: Instant) -> Now {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let elapsed = Instant::now().duration_since(started);
    Now { monotonic_ms: millis(elapsed), unix_ms: millis(wall) }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
