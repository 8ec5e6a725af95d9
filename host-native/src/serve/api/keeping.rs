//! What is done with each message that comes: whoever is to be told of it is, and when there are too many the oldest go.

use std::num::NonZeroUsize;
use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::Api;
use super::catalogue::Event;
use crate::http::{HttpClient, Url};
use crate::serve::told_to_stop;

/// A message is told of again after these times, if the server is away or says that it failed.
const AGAIN_AFTER: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];

/// Begins with what the flags ask for; mail that is there already counts, and is not told of.
pub(super) fn begin(api: &Api) {
    let dev = &api.shared.settings.dev;
    if dev.messages_max.is_none() && dev.webhook.is_none() {
        return;
    }
    // From here on the list is kept as the store is.
    if let Err(reason) = api.catalogue.refresh(api.store()) {
        tracing::warn!(?reason, "the mail that is there cannot be listed");
    }
    if let Some(max) = dev.messages_max {
        tokio::spawn(until_stopped(api.clone(), keep(api.clone(), max)));
    }
    if let Some(url) = dev.webhook.clone() {
        let events = api.catalogue.events();
        tokio::spawn(until_stopped(api.clone(), tell(url, events)));
    }
}

async fn until_stopped(api: Api, work: impl Future<Output = ()>) {
    let mut stopping = api.shared.stopping.clone();
    tokio::select! {
        () = work => {}
        () = told_to_stop(&mut stopping) => {}
    }
}

/// Removes the oldest messages while there are more than so many.
async fn keep(api: Api, max: NonZeroUsize) {
    let mut events = api.catalogue.events();
    loop {
        // What came up to now is counted below.
        events = events.resubscribe();
        let surplus = api.work(move |api| Ok(api.catalogue.page(max.get(), usize::MAX))).await;
        let removed = match surplus {
            Ok(surplus) => api.expunge(&surplus).await,
            Err(refused) => Err(refused),
        };
        if let Err(refused) = removed {
            tracing::warn!(why = refused.1, "--max-messages: older messages could not be removed");
        }
        loop {
            match events.recv().await {
                Ok(Event::New(_)) | Err(RecvError::Lagged(_)) => break,
                Ok(_) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }
}

/// Tells somebody of each message, one after the other.
async fn tell(url: Url, mut events: Receiver<Event>) {
    let client = match HttpClient::new(None) {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(%error, "--webhook: nobody is told of mail");
            return;
        }
    };
    // What stands behind the host may be a secret.
    let host = url.authority();
    loop {
        let entry = match events.recv().await {
            Ok(Event::New(entry)) => entry,
            Ok(_) => continue,
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(
                    host,
                    missed,
                    "--webhook: it is too slow; some events were not told"
                );
                continue;
            }
            Err(RecvError::Closed) => return,
        };
        let body = entry.json().to_string();
        let mut times = AGAIN_AFTER.iter();
        loop {
            let why = match client.post_json(&url, body.clone()).await {
                Ok(answer) if answer.status.is_success() => break,
                Ok(answer) => {
                    let status = answer.status;
                    // What is refused once is refused again (RFC 9110 §15.5), but for these.
                    if status.is_client_error() && !matches!(status.as_u16(), 408 | 429) {
                        times = [].iter();
                    }
                    status.to_string()
                }
                Err(error) => error.to_string(),
            };
            let Some(time) = times.next() else {
                tracing::warn!(host, message = entry.id, why, "--webhook: a message was not told");
                break;
            };
            tokio::time::sleep(*time).await;
        }
    }
}
