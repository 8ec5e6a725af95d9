//! `/api/events`: what happens to the list, over a WebSocket, in the form of Mailpit.

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::sync::broadcast::error::RecvError;

use super::catalogue::Event;
use super::{Answer, Api, Refused};
use crate::serve::stream::{PING_EVERY, SEND_WITHIN};
use crate::serve::told_to_stop;

/// Listeners at once.
const LISTENERS_MAX: usize = 64;
/// A listener has nothing to say; so much is read of it.
const HEARD_MAX: usize = 1024;

/// Places for listeners of all servers in this process, of which there is one.
static PLACES: Semaphore = Semaphore::const_new(LISTENERS_MAX);

/// `GET /api/events`.
pub(super) async fn events(State(api): State<Api>, upgrade: WebSocketUpgrade) -> Answer {
    let place = PLACES.try_acquire().map_err(|_| {
        let what = "too many listen already; close some".to_owned();
        Refused(StatusCode::SERVICE_UNAVAILABLE, what)
    })?;
    let upgrade = upgrade.max_message_size(HEARD_MAX).max_frame_size(HEARD_MAX);
    let response: Response = upgrade.on_upgrade(async move |socket| {
        tell(api, socket).await;
        drop(place);
    });
    Ok(response)
}

async fn tell(api: Api, mut socket: WebSocket) {
    let mut events = api.catalogue.events();
    // From here on the list is kept as the store is.
    if api.work(|_| Ok(())).await.is_err() {
        return;
    }
    let mut stopping = api.shared.stopping.clone();
    let mut pings = tokio::time::interval(PING_EVERY);
    let mut next = vec![stats(&api)];
    loop {
        for message in next.drain(..) {
            if !send(&mut socket, Message::text(message.to_string())).await {
                return;
            }
        }
        tokio::select! {
            event = events.recv() => {
                next = match event {
                    Ok(event) => vec![json_of(&event)],
                    // What was missed is to be read anew.
                    Err(RecvError::Lagged(_)) => vec![json!({ "Type": "prune", "Data": null })],
                    Err(RecvError::Closed) => return,
                };
                if events.is_empty() {
                    next.push(stats(&api));
                }
            }
            heard = socket.recv() => match heard {
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Text(_))) => {}
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

fn json_of(event: &Event) -> Value {
    match event {
        Event::New(entry) => json!({ "Type": "new", "Data": entry.json() }),
        Event::Changed(entry) => {
            let (id, read) = (entry.id.to_string(), entry.is_read());
            json!({ "Type": "update", "Data": { "ID": id, "Read": read, "Tags": entry.tags() } })
        }
        Event::Gone(id) => json!({ "Type": "delete", "Data": { "ID": id.to_string() } }),
    }
}

fn stats(api: &Api) -> Value {
    let totals = api.catalogue.totals();
    let version = env!("CARGO_PKG_VERSION");
    json!({ "Type": "stats", "Data": { "Total": totals.all, "Unread": totals.unread, "Version": version } })
}

async fn send(socket: &mut WebSocket, message: Message) -> bool {
    matches!(tokio::time::timeout(SEND_WITHIN, socket.send(message)).await, Ok(Ok(())))
}
