//! `/api/stream`: the journal of what is said, as it is said, for whoever knows the token: a page of this server says it in
//! the first frame of a WebSocket, and a program gets server-sent events.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ws::{Message, WebSocket};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};

use super::bridge::{self, Services};
use super::guard::{Asked, Guard, Refused, route};
use super::{Shared, told_to_stop};
use crate::live::{Journal, Told};

/// Watchers at once: tabs and scripts of one developer.
const WATCHERS_MAX: usize = 16;
/// A watcher that takes nothing for so long is left.
pub(super) const SEND_WITHIN: Duration = Duration::from_secs(30);
/// So often something is said, so that both sides notice when the other is gone.
pub(super) const PING_EVERY: Duration = Duration::from_secs(20);
/// What a watcher has to say is the token and nothing else; so much is read of it.
const HEARD_MAX: usize = 1024;

/// The routes.
pub(super) fn routes(
    shared: &Arc<Shared>,
    journal: &Arc<Journal>,
    guard: &Guard,
    services: &Services,
) -> Router {
    let stream = Stream {
        shared: Arc::clone(shared),
        journal: Arc::clone(journal),
        guard: guard.clone(),
        services: services.clone(),
        places: Arc::new(Semaphore::new(WATCHERS_MAX)),
    };
    route("/api/stream", "somebody may not watch", move |uri, headers, query, asked| {
        stream.clone().open(uri, headers, query, asked)
    })
}

#[derive(Clone)]
struct Stream {
    shared: Arc<Shared>,
    journal: Arc<Journal>,
    guard: Guard,
    services: Services,
    places: Arc<Semaphore>,
}

impl Stream {
    fn open(
        self,
        uri: &Uri,
        headers: &HeaderMap,
        query: Option<&str>,
        asked: Asked,
    ) -> Result<Response, Refused> {
        let full = Refused(StatusCode::SERVICE_UNAVAILABLE, "too many watch already; close some");
        let is_socket = headers.contains_key(header::UPGRADE);
        let after = if is_socket {
            self.guard.own_page(uri, headers)?;
            after(query, self.guard.run())?
        } else {
            self.guard.program(uri, headers)?;
            let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
            last.and_then(|last| last.split_once('.'))
                .and_then(|(run, last)| known(run, last, self.guard.run()))
        };
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| full)?;
        if !is_socket {
            let (sender, events) = mpsc::channel(1);
            tokio::spawn(async move {
                self.tell_program(sender, after).await;
                drop(place);
            });
            let kind =
                [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
            return Ok((kind, Body::new(Events(events))).into_response());
        }
        let upgrade = asked
            .map_err(|_| Refused(StatusCode::BAD_REQUEST, "this is no WebSocket handshake"))?;
        let upgrade = upgrade.max_message_size(HEARD_MAX).max_frame_size(HEARD_MAX);
        Ok(upgrade.on_upgrade(async move |socket| {
            self.tell_page(socket, after).await;
            drop(place);
        }))
    }

    async fn tell_page(self, mut socket: WebSocket, after: Option<u64>) {
        if let Err(ending) = bridge::token(&mut socket, &self.guard).await {
            return bridge::end(&mut socket, ending).await;
        }
        let mut watcher = self.journal.watch(after);
        let mut hello = self.hello();
        hello["services"] = self.services.names();
        if !send(&mut socket, Message::text(hello.to_string())).await {
            return;
        }
        let mut stopping = self.shared.stopping.clone();
        let mut pings = tokio::time::interval(PING_EVERY);
        loop {
            tokio::select! {
                (events, missed) = watcher.next() => {
                    if missed && !send(&mut socket, Message::text(GAP)).await {
                        return;
                    }
                    for told in events {
                        if !send(&mut socket, Message::text(told.json.clone())).await {
                            return;
                        }
                    }
                }
                heard = socket.recv() => match heard {
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    // A watcher has nothing more to say, and the end of it is the end.
                    _ => return,
                },
                _ = pings.tick() => {
                    if !send(&mut socket, Message::Ping(Bytes::new())).await {
                        return;
                    }
                }
                () = told_to_stop(&mut stopping) => return,
            }
        }
    }

    /// What every watcher hears first: which run it is that tells.
    fn hello(&self) -> Value {
        json!({
            "what": "hello",
            "version": env!("CARGO_PKG_VERSION"),
            "run": self.guard.run(),
        })
    }

    async fn tell_program(self, sender: mpsc::Sender<Bytes>, after: Option<u64>) {
        let mut watcher = self.journal.watch(after);
        let run = self.guard.run();
        if sender.send(format!("data: {}\n\n", self.hello()).into()).await.is_err() {
            return;
        }
        let mut stopping = self.shared.stopping.clone();
        let mut pings = tokio::time::interval(PING_EVERY);
        loop {
            let text = tokio::select! {
                (events, missed) = watcher.next() => {
                    let gap = if missed { format!("data: {GAP}\n\n") } else { String::new() };
                    events.iter().fold(gap, |text, told| text + &event(run, told))
                }
                _ = pings.tick() => ": still here\n\n".to_owned(),
                () = sender.closed() => return,
                () = told_to_stop(&mut stopping) => return,
            };
            if !matches!(
                tokio::time::timeout(SEND_WITHIN, sender.send(text.into())).await,
                Ok(Ok(()))
            ) {
                return;
            }
        }
    }
}

/// Some events are gone, since the watcher was away or slow for too long.
const GAP: &str = r#"{"what":"gap"}"#;

fn event(run: &str, told: &Told) -> String {
    format!("id: {run}.{}\ndata: {}\n\n", told.id, told.json)
}

async fn send(socket: &mut WebSocket, message: Message) -> bool {
    matches!(tokio::time::timeout(SEND_WITHIN, socket.send(message)).await, Ok(Ok(())))
}

/// The event after which a page goes on: `run=NAME&last=NUMBER`, or nothing.
fn after(query: Option<&str>, run: &str) -> Result<Option<u64>, Refused> {
    const WRONG: Refused =
        Refused(StatusCode::BAD_REQUEST, "expected run=NAME&last=NUMBER, or nothing");
    let Some(query) = query.filter(|query| !query.is_empty()) else { return Ok(None) };
    let parts = query.strip_prefix("run=").and_then(|query| query.split_once("&last="));
    let (name, last) = parts.ok_or(WRONG)?;
    known(name, last, run).map(Some).ok_or(WRONG)
}

/// The number of the event after which somebody goes on whom this run of the server, or another one, told so far. Of
/// another run's number nothing follows, and of this one nothing is known yet where it comes from.
fn known(name: &str, last: &str, run: &str) -> Option<u64> {
    let last = last.parse().ok()?;
    Some(if name == run { last } else { 0 })
}

/// A response's body that goes on as long as somebody sends.
pub(super) struct Events(pub(super) mpsc::Receiver<Bytes>);

impl hyper::body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|octets| octets.map(|octets| Ok(Frame::data(octets))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_counts_within_its_run_alone() {
        assert_eq!(after(None, "a1"), Ok(None));
        assert_eq!(after(Some(""), "a1"), Ok(None));
        assert_eq!(after(Some("run=a1&last=7"), "a1"), Ok(Some(7)));
        assert_eq!(after(Some("run=b2&last=7"), "a1"), Ok(Some(0)), "from its beginning on");
        for query in ["last=7", "run=a1", "run=a1&last=", "run=a1&last=x", "last=7&run=a1"] {
            assert!(after(Some(query), "a1").is_err(), "{query}");
        }
    }
}
