//! `/api/stream`: the journal of what is said, as it is said. A page of this server gets it over a WebSocket, with the
//! token for the bridge first; a program that knows the token gets server-sent events.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::RawQuery;
use axum::extract::ws::{
    Message, WebSocket, WebSocketUpgrade, rejection::WebSocketUpgradeRejection,
};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::body::Frame;
use serde_json::json;
use tokio::sync::{Semaphore, mpsc};

use super::bridge::Services;
use super::guard::{Guard, Refused};
use super::{Shared, told_to_stop};
use crate::live::{Journal, Told};

/// Watchers at once: tabs and scripts of one developer.
const WATCHERS_MAX: usize = 16;
/// A watcher that takes nothing for so long is left.
pub(super) const SEND_WITHIN: Duration = Duration::from_secs(30);
/// So often something is said, so that both sides notice when the other is gone.
pub(super) const PING_EVERY: Duration = Duration::from_secs(20);
/// What a watcher has to say is nothing; so much is read of it.
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
    let open =
        async move |uri: Uri,
                    headers: HeaderMap,
                    RawQuery(query): RawQuery,
                    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>| {
            let stream = stream.clone();
            match stream.open(&uri, &headers, query.as_deref(), upgrade) {
                Ok(response) => response,
                Err(refused) => refused.into_response(),
            }
        };
    Router::new().route("/api/stream", get(open))
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
        upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    ) -> Result<Response, Refused> {
        let full = Refused(StatusCode::SERVICE_UNAVAILABLE, "too many watch already; close some");
        let is_socket = headers.contains_key(header::UPGRADE);
        let after = if is_socket {
            self.guard.own_page(uri, headers)?;
            after(query)?
        } else {
            self.guard.program(uri, headers)?;
            let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
            last.and_then(|last| last.parse().ok())
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
        let upgrade = upgrade
            .map_err(|_| Refused(StatusCode::BAD_REQUEST, "this is no WebSocket handshake"))?;
        let upgrade = upgrade.max_message_size(HEARD_MAX).max_frame_size(HEARD_MAX);
        Ok(upgrade.on_upgrade(async move |socket| {
            self.tell_page(socket, after).await;
            drop(place);
        }))
    }

    async fn tell_page(self, mut socket: WebSocket, after: Option<u64>) {
        let mut watcher = self.journal.watch(after);
        let hello = json!({
            "what": "hello",
            "version": env!("CARGO_PKG_VERSION"),
            "token": self.guard.token(),
            "services": self.services.names(),
        });
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
                    // A watcher has nothing to say, and the end of it is the end.
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

    async fn tell_program(self, sender: mpsc::Sender<Bytes>, after: Option<u64>) {
        let mut watcher = self.journal.watch(after);
        let mut stopping = self.shared.stopping.clone();
        let mut pings = tokio::time::interval(PING_EVERY);
        loop {
            let text = tokio::select! {
                (events, missed) = watcher.next() => {
                    let gap = if missed { format!("data: {GAP}\n\n") } else { String::new() };
                    events.iter().fold(gap, |text, told| text + &event(told))
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

fn event(told: &Told) -> String {
    format!("id: {}\ndata: {}\n\n", told.id, told.json)
}

async fn send(socket: &mut WebSocket, message: Message) -> bool {
    matches!(tokio::time::timeout(SEND_WITHIN, socket.send(message)).await, Ok(Ok(())))
}

/// The event after which a page goes on: `last=NUMBER`, or nothing.
fn after(query: Option<&str>) -> Result<Option<u64>, Refused> {
    match query {
        None | Some("") => Ok(None),
        Some(query) => {
            let last = query.strip_prefix("last=").and_then(|last| last.parse().ok());
            let wrong = Refused(StatusCode::BAD_REQUEST, "expected last=NUMBER, or nothing");
            last.map(Some).ok_or(wrong)
        }
    }
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
