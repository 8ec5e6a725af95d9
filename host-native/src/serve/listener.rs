//! Accepts connections for one role, each with a sandbox of its own, and says goodbye to those that find no slot.

use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use pillarbox_engine::types::{Farewell, TlsOffer};
use pillarbox_world::service::Backend;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::admission::Ticket;
use super::faults::SharedFaults;
use super::roles::{Door, Link, Served};
use super::{Shared, proxy, serving, told_to_stop};
use crate::config::is_loopback;
use crate::drive::{self, Wire};
use crate::engine::StartError;
use crate::limits::{ARRIVE_SECONDS, Limit};

/// After an accept that failed (no descriptor left, mostly) the listener rests, so that it does not spin.
const REST: Duration = Duration::from_millis(50);
/// How long last words may take to be written to a peer that gets no session.
const FAREWELL_WITHIN: Duration = Duration::from_secs(1);

/// How long one that comes waits for a slot.
const ARRIVE_WITHIN: Duration = Duration::from_secs(ARRIVE_SECONDS);

/// Accepts connections for the role `R`.
pub(super) struct Listener<R> {
    listener: TcpListener,
    door: Door,
    shared: Arc<Shared>,
    role: PhantomData<R>,
}

impl<R: Served> Listener<R> {
    pub(super) fn new(listener: TcpListener, door: Door, shared: Arc<Shared>) -> Self {
        Self { listener, door, shared, role: PhantomData }
    }

    /// Runs until the server is told to stop and the last connection is over.
    pub(super) async fn run(self) {
        let mut stopping = self.shared.stopping.clone();
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = told_to_stop(&mut stopping) => break,
                Some(_) = connections.join_next() => {}
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => {
                        connections.spawn(arrive::<R>(Arc::clone(&self.shared), stream, peer, self.door));
                    }
                    Err(error) => {
                        tracing::warn!(protocol = R::PROTOCOL, %error, "a connection could not be accepted");
                        tokio::time::sleep(REST).await;
                    }
                },
            }
        }
        drop(self.listener);
        while connections.join_next().await.is_some() {}
    }
}

/// Finds out who comes, and whether there is room for him.
async fn arrive<R: Served>(
    shared: Arc<Shared>,
    mut stream: TcpStream,
    socket: SocketAddr,
    door: Door,
) {
    // Replies are written whole; waiting to fill a segment would only delay them.
    drop(stream.set_nodelay(true));
    let own = stream.local_addr();
    let mut peer = socket.ip().to_canonical();
    if shared.settings.trusted.proxy.contains(&peer) {
        // What is over soon is apart on the heap, here and below: a connection rests with what this future holds.
        match Box::pin(proxy::client(&mut stream, peer)).await {
            Ok(client) => peer = client,
            Err(error) => {
                shared.hits.hit(Limit::ProxyHeader);
                tracing::warn!(protocol = R::PROTOCOL, %peer, %error, "a proxy is not understood");
                return;
            }
        }
    }
    // Only this machine can reach a loopback address, but a proxy on it brings others here.
    let own = own.ok().map(|own| SocketAddr::new(own.ip().to_canonical(), own.port()));
    let loopback = own.is_some_and(|own| is_loopback(own.ip())) && is_loopback(peer);
    let is_stressed = shared.admission.is_stressed();
    let key = drive::next_key();
    let is_facing = shared.faults.as_ref().is_some_and(SharedFaults::strike);
    let faults = AtomicU32::new(0);
    let is_watched = shared.journal.as_ref().is_some_and(|journal| journal.has_begun());
    let port = socket.port();
    let own = own.filter(|_| is_watched).map(Box::new);
    let link =
        Link { key, peer, port, own, loopback, door, is_stressed, is_facing, is_watched, faults };
    let directory = shared.backend.directory();
    match shared.admission.admit(peer, || directory.is_known_good(peer)) {
        Ok(ticket) => serve::<R>(shared, stream, link, ticket).await,
        Err(limit) => {
            shared.hits.hit(limit);
            shared.metrics.refused.with_label_values(&[R::PROTOCOL]).inc();
            tracing::warn!(protocol = R::PROTOCOL, %peer, limit = limit.name(), "refused");
            Box::pin(say::<R>(stream, &link, Farewell::TooManyConnections)).await;
        }
    }
}

async fn serve<R: Served>(shared: Arc<Shared>, stream: TcpStream, link: Link, mut ticket: Ticket) {
    let metrics = Arc::clone(&shared.metrics);
    let protocol = [R::PROTOCOL];
    metrics.connections.with_label_values(&protocol).inc();
    let open = metrics.open.with_label_values(&protocol);
    open.inc();
    let slot = shared.backend.engine().slots().take(ARRIVE_WITHIN).await;
    ticket.arrived();
    let started = match slot {
        Some(slot) => serving::start::<R>(&shared, link, slot),
        None => Err((link, StartError::NoSlot)),
    };
    match started {
        Ok(driver) => Box::pin(serving::run(driver, Wire::plain(stream))).await,
        Err((link, error)) => Box::pin(refuse::<R>(&shared, stream, &link, &error)).await,
    }
    open.dec();
}

async fn refuse<R: Served>(shared: &Shared, stream: TcpStream, link: &Link, error: &StartError) {
    let (peer, protocol) = (link.peer, R::PROTOCOL);
    let reason = match error {
        StartError::NoSlot => {
            shared.hits.hit(Limit::Slots);
            shared.metrics.refused.with_label_values(&[protocol]).inc();
            tracing::warn!(protocol, %peer, "refused: no slot is free");
            Farewell::TooManyConnections
        }
        StartError::Trap(trap) => {
            shared.metrics.traps.with_label_values(&[protocol, trap.kind()]).inc();
            tracing::error!(protocol, %peer, %trap, "a session could not be started");
            Farewell::Fault
        }
    };
    say::<R>(stream, link, reason).await;
}

/// Last words to a peer that gets no session.
async fn say<R: Served>(mut stream: TcpStream, link: &Link, reason: Farewell) {
    if link.door.tls == TlsOffer::Implicit {
        // Words in the clear would be no TLS to this peer.
        return;
    }
    let words = R::farewell(reason);
    // A peer that does not read its refusal is cut.
    drop(tokio::time::timeout(FAREWELL_WITHIN, stream.write_all(&words)).await);
}
