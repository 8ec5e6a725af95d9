//! A server role's session as the drive loop's host: the service that answers it, its metrics and its last words.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use pillarbox_engine::types::{BlobRange, Farewell, Now, Reason, TlsFacts, TlsOffer};
use pillarbox_world::fault::Decision;
use pillarbox_world::service::{Backend, Service};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio_rustls::TlsStream;

use super::faults::Facing;
use super::indexing::Here;
use super::roles::{Link, Served};
use super::{Shared, patience, told_to_stop};
use crate::auth::Caller;
use crate::drive::{Chill, Driver, End, Ends, Host, Interrupt, Met, Record, Transcript, Wire};
use crate::engine::{Begin, Driven, Slot, StartError};
use crate::limits::{FREEZE_SECONDS, Limit, THAW_SECONDS};
use crate::live::Tap;
use crate::tls::{Metered, Secured};

/// How long a session rests before it is frozen, and how long it then waits for a slot.
const FREEZE_AFTER: Duration = Duration::from_secs(FREEZE_SECONDS);
const THAW_WITHIN: Duration = Duration::from_secs(THAW_SECONDS);
/// How long last words may take.
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(1);

/// One connection's service, and what it says of itself.
pub(super) struct Serving<R: Served> {
    shared: Arc<Shared>,
    link: Link,
    service: R::Service,
    /// None if there are no faults on purpose.
    facing: Option<Facing<R>>,
    wake: Arc<Notify>,
    stopping: watch::Receiver<bool>,
    accounts: watch::Receiver<u64>,
    /// The session was told that the server stops.
    is_stopping: bool,
    /// The session is frozen, and counted as such.
    is_frozen: bool,
    /// It was to go on, and no slot was free for it in time.
    is_shut_out: bool,
}

/// Starts a session in this slot, in a sandbox of its own.
pub(super) fn start<R: Served>(
    shared: &Arc<Shared>,
    link: Link,
    slot: Slot,
) -> Result<Driver<R, Serving<R>>, (Link, StartError)> {
    let backend = &shared.backend;
    let config = R::config(shared, &link);
    let session = R::session(backend.engine(), slot, Begin::New, config, shared.now());
    let session = match session {
        Ok(session) => session,
        Err(error) => return Err((link, error)),
    };
    let wake = backend.wakes().add(link.key);
    let caller = Caller { address: link.peer, identities: Vec::new() };
    backend.directory().callers().set(link.key, caller);
    let service = R::service(shared, &link);
    let directory = shared.settings.trace_sessions.as_deref();
    let transcript = directory.and_then(|directory| {
        let peer = link.peer.to_string();
        Transcript::create(directory, R::PROTOCOL, &link.session_id(), &peer, Ends::Server)
    });
    let journal = shared.journal.as_ref().filter(|_| link.is_watched);
    let tap = journal.map(|journal| Tap::open(journal, link.session_id(), about::<R>(&link)));
    let (stopping, accounts) = (shared.stopping.clone(), shared.accounts.clone());
    let shared = Arc::clone(shared);
    let facing = Facing::new(&shared, &link);
    let (is_stopping, is_frozen, is_shut_out) = (false, false, false);
    let serving = Serving {
        shared,
        link,
        service,
        facing,
        wake,
        stopping,
        accounts,
        is_stopping,
        is_frozen,
        is_shut_out,
    };
    Ok(Driver::new(serving, session, Record::new(transcript, tap)))
}

/// With whom a session is, for those who watch.
fn about<R: Served>(link: &Link) -> serde_json::Value {
    let peer = std::net::SocketAddr::new(link.peer, link.port).to_string();
    let tls = link.door.tls == TlsOffer::Implicit;
    serde_json::json!({
        "protocol": R::PROTOCOL,
        "service": R::service_name(link),
        "peer": peer,
        "local": link.own.as_ref().map(|own| own.to_string()),
        "tls": tls,
    })
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
        Err(End::Cut(_)) if host.is_shut_out => {
            host.shared.hits.hit(Limit::Slots);
            tracing::warn!(protocol = R::PROTOCOL, session, %peer,
                "a frozen session found no slot in time");
            let words = R::farewell(Farewell::TooManyConnections);
            last_words(&mut wire, &words).await;
        }
        Err(End::Cut(error)) => {
            tracing::debug!(session, %error, "the connection was cut");
        }
        Err(End::Unread(error)) => {
            host.shared.hits.hit(Limit::OutputUnread);
            tracing::debug!(session, %error, "the connection was cut");
        }
        Err(End::Unsecured(error)) => {
            tracing::info!(session, %peer, %error, "no TLS with this peer");
        }
        Err(End::Trap(trap)) => {
            metrics.traps.with_label_values(&[R::PROTOCOL, trap.kind()]).inc();
            tracing::error!(protocol = R::PROTOCOL, session, %peer, %trap,
                "a session broke its sandbox; only this connection ends");
            last_words(&mut wire, &R::farewell(Farewell::Fault)).await;
        }
    }
    // Lingering unread input would turn the close into a reset that destroys our last reply.
    drop(wire.shutdown().await);
}

/// What is said in place of a session that is gone.
async fn last_words(wire: &mut Wire, words: &[u8]) {
    let said = async {
        wire.write(words).await?;
        wire.flush().await
    };
    drop(tokio::time::timeout(LAST_WORDS_WITHIN, said).await);
}

impl<R: Served> Serving<R> {
    fn count_frozen(&mut self, is_frozen: bool) {
        if self.is_frozen != is_frozen {
            self.is_frozen = is_frozen;
            let gauge = self.shared.metrics.frozen.with_label_values(&[R::PROTOCOL]);
            gauge.add(if is_frozen { 1 } else { -1 });
        }
    }
}

impl<R: Served> Host<R> for Serving<R> {
    const WRITE_WITHIN: Duration = patience::WRITE_WITHIN;
    // A client may send its next command before it reads our reply to the last.
    const HEARS_WHILE_WRITING: bool = false;

    fn started(&self) -> Instant {
        self.shared.started
    }

    fn now(&self) -> Now {
        self.shared.now()
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

    fn meet(&mut self, now: Now, ask: &R::Ask) -> Option<Met<R>> {
        let met = self.facing.as_mut()?.meet(&self.shared, &self.link, ask, now)?;
        if met.decision.renews {
            self.service.renews();
        }
        Some(met)
    }

    fn noted(&mut self, now: Now, label: &'static str) -> Option<Decision> {
        self.facing.as_ref()?.noted(&self.shared, &self.link, label, now)
    }

    async fn rest(&mut self, delay: Duration) {
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = told_to_stop(&mut self.stopping) => {}
        }
    }

    fn observe_answer(&mut self, answer: &R::Answer) {
        if let Some(facing) = &mut self.facing {
            facing.answered(answer);
        }
        R::observe_answer(&self.shared, &self.link, &mut self.service, answer);
    }

    fn call(&mut self) -> Option<R::Call> {
        self.service.call()
    }

    fn rests(&mut self) {
        self.service.rests();
    }

    fn chill(&self) -> Option<Chill> {
        let slots = self.shared.backend.engine().slots();
        R::FREEZES.then(|| Chill { slots: Arc::clone(slots), after: FREEZE_AFTER })
    }

    fn frozen(&mut self) {
        self.count_frozen(true);
        self.shared.trim.frozen();
    }

    async fn thaw(&mut self, frozen: &[u8]) -> Result<Box<dyn Driven<R>>, End> {
        let engine = self.shared.backend.engine();
        let Some(slot) = engine.slots().take(THAW_WITHIN).await else {
            self.is_shut_out = true;
            return Err(End::Cut(io::Error::other("no slot is free")));
        };
        let (config, now) = (R::config(&self.shared, &self.link), self.shared.now());
        let session = R::session(engine, slot, Begin::Frozen(frozen), config, now);
        let session = session.map_err(|error| match error {
            StartError::NoSlot => End::Cut(io::Error::other("no slot is free")),
            StartError::Trap(trap) => End::Trap(trap),
        })?;
        self.count_frozen(false);
        self.shared.metrics.thaws.with_label_values(&[R::PROTOCOL]).inc();
        Ok(session)
    }

    fn octets(&mut self, range: BlobRange) -> Result<Vec<u8>, Reason> {
        self.service.octets(range)
    }

    fn event(&mut self, event: R::Event) {
        self.service.event(&event);
        R::observe(&self.shared, &self.link, &mut self.service, &event);
    }

    async fn secure(&mut self, stream: TcpStream) -> io::Result<(TlsStream<Metered>, TlsFacts)> {
        let Some(tls) = &self.shared.tls else {
            return Err(io::Error::other("TLS was offered without a certificate"));
        };
        let secured = tls.accept(stream, R::PROTOCOL).await;
        let outcome = if secured.is_ok() { "done" } else { "failed" };
        self.shared.metrics.handshakes.with_label_values(&[R::PROTOCOL, outcome]).inc();
        let Secured { stream, facts, identities } = secured?;
        let caller = Caller { address: self.link.peer, identities };
        self.shared.backend.directory().callers().set(self.link.key, caller);
        Ok((stream.into(), facts))
    }

    fn count(&self, direction: &str, octets: usize) {
        let labels = [R::PROTOCOL, direction];
        self.shared.metrics.octets.with_label_values(&labels).inc_by(octets as u64);
    }

    fn is_content(&self) -> bool {
        false
    }

    fn delay(&self) -> Option<Duration> {
        let delay = patience::delay(self.link.faults())?;
        self.shared.hits.hit(Limit::FaultsBeforeDelay);
        Some(delay)
    }

    async fn interrupted(&mut self) -> Interrupt<R> {
        let account = self.service.account();
        let is_stranger = account.is_none();
        loop {
            tokio::select! {
                () = self.wake.notified() => return Interrupt::Changes,
                () = tokio::time::sleep(patience::STRESS_IDLE), if is_stranger => {
                    if self.shared.admission.is_stressed() {
                        self.shared.hits.hit(Limit::StressIdle);
                        let call = R::farewell_call(Farewell::TooManyConnections);
                        return Interrupt::Call(call);
                    }
                }
                Ok(()) = self.accounts.changed(), if !is_stranger && !self.is_stopping => {
                    let directory = self.shared.backend.directory();
                    if !account.is_some_and(|account| directory.has(account)) {
                        self.is_stopping = true;
                        return Interrupt::Call(R::farewell_call(Farewell::AccountRemoved));
                    }
                }
                () = told_to_stop(&mut self.stopping), if !self.is_stopping => {
                    self.is_stopping = true;
                    return Interrupt::Call(R::farewell_call(Farewell::ShuttingDown));
                }
            }
        }
    }
}

impl<R: Served> Drop for Serving<R> {
    fn drop(&mut self) {
        self.count_frozen(false);
        let backend = &self.shared.backend;
        backend.wakes().remove(self.link.key);
        backend.directory().callers().remove(self.link.key);
    }
}
