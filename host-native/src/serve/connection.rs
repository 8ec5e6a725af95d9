//! Drives one session: octets in, outputs out, asks answered, until it closes. The same for every role.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use pillarbox_engine::Output;
use pillarbox_engine::types::{AskId, BlobRange, Farewell};
use pillarbox_world::service::{Backend, Service};
use tokio::sync::Notify;

use super::indexing::Here;
use super::patience::{self, now};
use super::roles::{Link, Served};
use super::transcript::Transcript;
use super::wire::Wire;
use super::{Shared, told_to_stop};
use crate::auth::Caller;
use crate::engine::{Driven, Input, StartError, Trap};
use crate::limits::Limit;

/// Octets that are gathered before they are written, unless the session waits.
const WRITE_AT: usize = 64 * 1024;
/// Octets of a stored message that are read at once.
const BLOB_PIECE: u64 = 256 * 1024;

/// One connection: its session, what answers it, and its socket.
pub(super) struct Connection<R: Served> {
    shared: Arc<Shared>,
    link: Link,
    session: Box<dyn Driven<R>>,
    service: R::Service,
    wake: Arc<Notify>,
    transcript: Option<Transcript>,
    /// To be written.
    out: Vec<u8>,
    asks: VecDeque<(AskId, R::Ask)>,
    /// Received, but not taken by the session yet.
    left: Vec<u8>,
    state: State,
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
enum End {
    /// The peer is gone, or does not read.
    Cut(std::io::Error),
    /// The session broke its sandbox.
    Trap(Trap),
}

/// What woke a waiting connection.
enum Woken {
    Octets(Vec<u8>),
    PeerEnded,
    Changes,
    Deadline,
    /// Nothing came for a while, and nobody has logged in.
    Silence,
    Stopping,
}

impl<R: Served> Connection<R> {
    /// Starts a session in a sandbox of its own.
    pub(super) fn start(shared: &Arc<Shared>, link: Link) -> Result<Self, (Link, StartError)> {
        let backend = &shared.backend;
        let config = R::config(shared, &link);
        let session = match R::session(backend.engine(), config, now(shared)) {
            Ok(session) => session,
            Err(error) => return Err((link, error)),
        };
        let wake = backend.wakes().add(link.key);
        let caller = Caller { address: link.peer, identities: Vec::new() };
        backend.directory().callers().set(link.key, caller);
        let service = R::service(Arc::clone(backend), link.key);
        let directory = shared.settings.trace_sessions.as_deref();
        let transcript = directory.and_then(|directory| {
            Transcript::create(directory, R::PROTOCOL, &link.session_id(), link.peer)
        });
        Ok(Self {
            shared: Arc::clone(shared),
            link,
            session,
            service,
            wake,
            transcript,
            out: Vec::new(),
            asks: VecDeque::new(),
            left: Vec::new(),
            state: State::Running,
        })
    }

    /// Serves the peer until the session closes, the peer is gone, or the sandbox breaks.
    pub(super) async fn run(mut self, mut wire: Wire) {
        match self.drive(&mut wire).await {
            Ok(()) => {}
            Err(End::Cut(error)) => {
                tracing::debug!(session = self.link.session_id(), %error, "the connection was cut");
            }
            Err(End::Trap(trap)) => {
                let metrics = &self.shared.metrics;
                metrics.traps.with_label_values(&[R::PROTOCOL, trap.kind()]).inc();
                let session = self.link.session_id();
                tracing::error!(protocol = R::PROTOCOL, session, peer = %self.link.peer, %trap,
                    "a session broke its sandbox; only this connection ends");
                let words = R::farewell(Farewell::Fault);
                drop(tokio::time::timeout(Duration::from_secs(1), wire.write(&words)).await);
            }
        }
        // Lingering unread input would turn the close into a reset that destroys our last reply.
        drop(wire.shutdown().await);
    }

    async fn drive(&mut self, wire: &mut Wire) -> Result<(), End> {
        let mut stopping = self.shared.stopping.clone();
        let mut is_stopping = false;
        // Who talks before the greeting is not waiting for it, and the session should know.
        match wire.try_read().map_err(End::Cut)? {
            Poll::Ready(Some(octets)) => self.woken(wire, Woken::Octets(octets)).await?,
            _ => self.step(wire, Input::Nothing).await?,
        }
        loop {
            if let Some((id, ask)) = self.asks.pop_front() {
                self.answer(wire, id, ask).await?;
                continue;
            }
            let deadline_ms = match self.state {
                State::Closed => return self.flush(wire).await,
                State::Securing => {
                    self.secure(wire).await?;
                    continue;
                }
                State::Running => None,
                State::Waiting(deadline_ms) => Some(deadline_ms),
            };
            match deadline_ms {
                None => self.step(wire, Input::Nothing).await?,
                Some(_) if !self.left.is_empty() && self.offer_left(wire).await? => {}
                Some(deadline_ms) => {
                    self.flush(wire).await?;
                    let deadline = self.until(deadline_ms);
                    let is_stranger = self.service.account().is_none();
                    let silence = async move {
                        if !is_stranger {
                            std::future::pending::<()>().await;
                        }
                        tokio::time::sleep(patience::STRESS_IDLE).await;
                    };
                    let stop = async {
                        if is_stopping {
                            std::future::pending::<()>().await;
                        }
                        told_to_stop(&mut stopping).await;
                    };
                    let woken = tokio::select! {
                        read = wire.read(), if self.left.is_empty() => {
                            read.map_err(End::Cut)?.map_or(Woken::PeerEnded, Woken::Octets)
                        }
                        () = self.wake.notified() => Woken::Changes,
                        () = deadline => Woken::Deadline,
                        () = silence => Woken::Silence,
                        () = stop => Woken::Stopping,
                    };
                    is_stopping |= matches!(woken, Woken::Stopping);
                    self.woken(wire, woken).await?;
                }
            }
        }
    }

    /// Everything said before goes out in the clear, and nothing that came before counts (RFC 3207 §4.2).
    async fn secure(&mut self, wire: &mut Wire) -> Result<(), End> {
        self.flush(wire).await?;
        let dropped = std::mem::take(&mut self.left).len();
        let Some(tls) = &self.shared.tls else {
            return Err(End::Cut(std::io::Error::other("TLS was offered without a certificate")));
        };
        let handshakes = &self.shared.metrics.handshakes;
        match wire.secure(tls).await {
            Ok((facts, identities)) => {
                let caller = Caller { address: self.link.peer, identities };
                self.shared.backend.directory().callers().set(self.link.key, caller);
                handshakes.with_label_values(&[R::PROTOCOL, "done"]).inc();
                if let Some(transcript) = &mut self.transcript {
                    transcript.secured(&facts, dropped);
                }
                self.step(wire, Input::Secured(facts)).await
            }
            Err(error) => {
                handshakes.with_label_values(&[R::PROTOCOL, "failed"]).inc();
                let session = self.link.session_id();
                tracing::info!(session, peer = %self.link.peer, %error, "no TLS with this peer");
                Err(End::Cut(error))
            }
        }
    }

    async fn woken(&mut self, wire: &mut Wire, woken: Woken) -> Result<(), End> {
        match woken {
            Woken::Octets(octets) => {
                self.count("received", octets.len());
                if let Some(transcript) = &mut self.transcript {
                    transcript.received(&octets);
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
            Woken::Changes => self.tell_changes(wire).await,
            Woken::Deadline => self.step(wire, Input::Tick).await,
            Woken::Silence if !self.shared.admission.is_stressed() => Ok(()),
            Woken::Silence => {
                self.shared.hits.hit(Limit::StressIdle);
                let call = R::farewell_call(Farewell::TooManyConnections);
                self.step(wire, Input::Call(call)).await
            }
            Woken::Stopping => {
                let call = R::farewell_call(Farewell::ShuttingDown);
                self.step(wire, Input::Call(call)).await
            }
        }
    }

    /// Offers what the session has not taken yet; false if there is nothing or it takes nothing.
    async fn offer_left(&mut self, wire: &mut Wire) -> Result<bool, End> {
        if self.left.is_empty() {
            return Ok(false);
        }
        if let Some(delay) = patience::delay(self.link.faults()) {
            self.shared.hits.hit(Limit::FaultsBeforeDelay);
            self.flush(wire).await?;
            tokio::time::sleep(delay).await;
        }
        let octets = std::mem::take(&mut self.left);
        let taken = self.step_taking(wire, Input::Receive(octets)).await?;
        Ok(taken > 0)
    }

    async fn tell_changes(&mut self, wire: &mut Wire) -> Result<(), End> {
        match self.service.call() {
            Some(call) => self.step(wire, Input::Call(call)).await,
            None => Ok(()),
        }
    }

    async fn answer(&mut self, wire: &mut Wire, id: AskId, ask: R::Ask) -> Result<(), End> {
        if let Some(transcript) = &mut self.transcript {
            transcript.asked(&R::ask_name(&ask));
        }
        let now = now(&self.shared);
        let answer = {
            let mut indexer = Here { session: &mut *self.session, link: &self.link };
            let mut answer = pin!(self.service.answer(now, ask, &mut indexer));
            // What is ready at once needs no write in between, so that pipelined replies leave together.
            let ready = std::future::poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx))).await;
            match ready {
                Poll::Ready(answer) => answer,
                Poll::Pending => {
                    write_all(&self.shared, wire, &mut self.out).await?;
                    let _timer = self.shared.metrics.wait_seconds.start_timer();
                    answer.await
                }
            }
        };
        R::observe_answer(&self.shared, &self.link, &mut self.service, &answer);
        // What others did before this answer was made must be told before it.
        self.tell_changes(wire).await?;
        self.step(wire, Input::Answer(id, answer)).await
    }

    async fn step(&mut self, wire: &mut Wire, input: Input<R>) -> Result<(), End> {
        self.step_taking(wire, input).await.map(|_| ())
    }

    /// One step of the session and all that it gave out; says how many octets it took.
    async fn step_taking(&mut self, wire: &mut Wire, input: Input<R>) -> Result<usize, End> {
        let step = self.session.step(now(&self.shared), input).map_err(End::Trap)?;
        let taken = step.taken;
        if let Some(left) = step.left {
            self.left = left;
        }
        self.state = State::Running;
        for output in step.outputs {
            match output {
                Output::Transmit(octets) => self.transmit(wire, &octets).await?,
                Output::TransmitBlob(range) => self.transmit_blob(wire, range).await?,
                Output::Ask(id, ask) => self.asks.push_back((id, ask)),
                Output::Event(event) => {
                    self.service.event(&event);
                    R::observe(&self.shared, &self.link, &mut self.service, &event);
                }
                Output::Note(note) => {
                    if let Some(transcript) = &mut self.transcript {
                        transcript.note(&note);
                    }
                }
                Output::Wait { deadline_ms } => self.state = State::Waiting(deadline_ms),
                Output::StartTls => self.state = State::Securing,
                Output::Close => self.state = State::Closed,
            }
        }
        Ok(taken)
    }

    async fn transmit(&mut self, wire: &mut Wire, octets: &[u8]) -> Result<(), End> {
        self.count("sent", octets.len());
        if let Some(transcript) = &mut self.transcript {
            transcript.sent(octets);
        }
        self.out.extend_from_slice(octets);
        if self.out.len() >= WRITE_AT { self.flush(wire).await } else { Ok(()) }
    }

    async fn transmit_blob(&mut self, wire: &mut Wire, range: BlobRange) -> Result<(), End> {
        let end = range.offset.saturating_add(range.length);
        let mut offset = range.offset;
        while offset < end {
            let length = BLOB_PIECE.min(end - offset);
            let piece = self.service.octets(BlobRange { offset, length, ..range });
            // The length was promised to the peer already: to cut the connection is the only honest way out.
            let piece = piece.map_err(|reason| {
                let session = self.link.session_id();
                tracing::error!(session, ?reason, ?range, "a stored message could not be read");
                End::Cut(std::io::Error::other("a stored message could not be read"))
            })?;
            self.transmit(wire, &piece).await?;
            offset += length;
        }
        Ok(())
    }

    async fn flush(&mut self, wire: &mut Wire) -> Result<(), End> {
        write_all(&self.shared, wire, &mut self.out).await
    }

    /// Ends at a deadline of the session's clock.
    fn until(&self, deadline_ms: Option<u64>) -> impl Future<Output = ()> + use<R> {
        let at = deadline_ms.map(|ms| self.shared.started + Duration::from_millis(ms));
        async move {
            match at {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        }
    }

    fn count(&self, direction: &str, octets: usize) {
        let labels = [R::PROTOCOL, direction];
        self.shared.metrics.octets.with_label_values(&labels).inc_by(octets as u64);
    }
}

impl<R: Served> Drop for Connection<R> {
    fn drop(&mut self) {
        let backend = &self.shared.backend;
        backend.wakes().remove(self.link.key);
        backend.directory().callers().remove(self.link.key);
    }
}

async fn write_all(shared: &Shared, wire: &mut Wire, out: &mut Vec<u8>) -> Result<(), End> {
    patience::write_all(wire, out).await.map_err(|error| {
        if error.kind() == std::io::ErrorKind::TimedOut {
            shared.hits.hit(Limit::OutputUnread);
        }
        End::Cut(error)
    })
}
