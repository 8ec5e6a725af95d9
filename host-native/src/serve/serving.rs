//! A server role's session as the drive loop's host: the service that answers it, its metrics and its last words.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use pillarbox_engine::types::{BlobRange, Farewell, Now, Reason, TlsFacts, TlsOffer};
use pillarbox_world::service::{Indexer, Service};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio_rustls::TlsStream;

use super::roles::{Link, Served};
use super::{Shared, told_to_stop};
use crate::drive::{Driver, End, Ends, Host, Interrupt, Transcript, Wire, now};
use crate::engine::{Driven, StartError};

/// One connection's service, and what it says of itself.
pub(super) struct Serving<R: Served> {
    shared: Arc<Shared>,
    link: Link,
    service: R::Service,
    wake: Arc<Notify>,
    stopping: watch::Receiver<bool>,
    /// The session was told that the server stops.
    is_stopping: bool,
}

/// Starts a session in a sandbox of its own.
pub(super) fn start<R: Served>(
    shared: &Arc<Shared>,
    link: Link,
) -> Result<Driver<R, Serving<R>>, (Link, StartError)> {
    let backend = &shared.backend;
    let config = R::config(shared, &link);
    let session = match R::session(backend.engine(), config, now(shared.started)) {
        Ok(session) => session,
        Err(error) => return Err((link, error)),
    };
    let wake = backend.wakes().add(link.key);
    let service = R::service(Arc::clone(backend), link.key);
    let directory = shared.settings.trace_sessions.as_deref();
    let transcript = directory.and_then(|directory| {
        let peer = link.peer.to_string();
        Transcript::create(directory, R::PROTOCOL, &link.session_id(), &peer, Ends::Server)
    });
    let (stopping, shared) = (shared.stopping.clone(), Arc::clone(shared));
    let serving = Serving { shared, link, service, wake, stopping, is_stopping: false };
    Ok(Driver::new(serving, session, transcript))
}

/// Serves the peer until the session closes, the peer is gone, or the sandbox breaks.
pub(super) async fn run<R: Served>(mut driver: Driver<R, Serving<R>>, mut wire: Wire) {
    // What comes before a TLS session's greeting is the handshake.
    let look = driver.host.link.door.tls != TlsOffer::Implicit;
    let ended = match driver.begin(&mut wire, look).await {
        Ok(()) => driver.run(&mut wire).await,
        Err(end) => Err(end),
    };
    let host = &driver.host;
    let (session, peer, metrics) = (host.link.session_id(), host.link.peer, &host.shared.metrics);
    match ended {
        Ok(()) => {}
        Err(End::Cut(error)) => {
            tracing::debug!(session, %error, "the connection was cut");
        }
        Err(End::Unsecured(error)) => {
            tracing::info!(session, %peer, %error, "no TLS with this peer");
        }
        Err(End::Trap(trap)) => {
            metrics.traps.with_label_values(&[R::PROTOCOL, trap.kind()]).inc();
            tracing::error!(protocol = R::PROTOCOL, session, %peer, %trap,
                "a session broke its sandbox; only this connection ends");
            let words = R::farewell(Farewell::Fault);
            drop(tokio::time::timeout(Duration::from_secs(1), wire.write(&words)).await);
        }
    }
    // Lingering unread input would turn the close into a reset that destroys our last reply.
    drop(wire.shutdown().await);
}

impl<R: Served> Host<R> for Serving<R> {
    const WRITE_WITHIN: Duration = Duration::from_secs(60);
    // A client may send its next command before it reads our reply to the last.
    const HEARS_WHILE_WRITING: bool = false;

    fn started(&self) -> Instant {
        self.shared.started
    }

    fn session_id(&self) -> String {
        self.link.session_id()
    }

    fn ask_name(ask: &R::Ask) -> String {
        R::ask_name(ask)
    }

    async fn answer(&mut self, now: Now, ask: R::Ask, session: &mut dyn Driven<R>) -> R::Answer {
        let mut indexer = Here { session, link: &self.link };
        let mut answer = pin!(self.service.answer(now, ask, &mut indexer));
        let ready = std::future::poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx))).await;
        match ready {
            Poll::Ready(answer) => answer,
            Poll::Pending => {
                let _timer = self.shared.metrics.wait_seconds.start_timer();
                answer.await
            }
        }
    }

    fn observe_answer(&mut self, answer: &R::Answer) {
        R::observe_answer(&self.shared, &self.link, &mut self.service, answer);
    }

    fn call(&mut self) -> Option<R::Call> {
        self.service.call()
    }

    fn octets(&mut self, range: BlobRange) -> Result<Vec<u8>, Reason> {
        self.service.octets(range)
    }

    fn event(&mut self, event: R::Event) {
        self.service.event(&event);
        R::observe(&self.shared, &self.link, &mut self.service, &event);
    }

    async fn secure(&mut self, stream: TcpStream) -> io::Result<(TlsStream<TcpStream>, TlsFacts)> {
        let Some(tls) = &self.shared.tls else {
            return Err(io::Error::other("TLS was offered without a certificate"));
        };
        let secured = tls.accept(stream).await;
        let outcome = if secured.is_ok() { "done" } else { "failed" };
        self.shared.metrics.handshakes.with_label_values(&[R::PROTOCOL, outcome]).inc();
        secured.map(|(stream, facts)| (stream.into(), facts))
    }

    fn count(&self, direction: &str, octets: usize) {
        let labels = [R::PROTOCOL, direction];
        self.shared.metrics.octets.with_label_values(&labels).inc_by(octets as u64);
    }

    fn is_content(&self) -> bool {
        false
    }

    async fn interrupted(&mut self) -> Interrupt<R> {
        tokio::select! {
            () = self.wake.notified() => Interrupt::Changes,
            () = told_to_stop(&mut self.stopping), if !self.is_stopping => {
                self.is_stopping = true;
                Interrupt::Call(R::farewell_call(Farewell::ShuttingDown))
            }
        }
    }
}

/// The session as the indexer of the messages that come by it.
struct Here<'a, R: Served> {
    session: &'a mut dyn Driven<R>,
    link: &'a Link,
}

impl<R: Served> Indexer for Here<'_, R> {
    fn index(&mut self, octets: &[u8]) -> Result<Option<Vec<u8>>, Reason> {
        self.session.index(octets).map_err(|trap| {
            // The next step of the session fails too, and ends the connection.
            let session = self.link.session_id();
            tracing::error!(session, peer = %self.link.peer, %trap, "a message broke the session that it came by");
            Reason::StorageFailed
        })
    }
}

impl<R: Served> Drop for Serving<R> {
    fn drop(&mut self) {
        self.shared.backend.wakes().remove(self.link.key);
    }
}
