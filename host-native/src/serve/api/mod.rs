//! `/api/v1/…`: what came, for tests, in the form of Mailpit's API, so that what was written for it runs here unchanged; and
//! `/api/wait`, `/api/inboxes`, `/api/messages/…`, `/api/reset`, which it has not. In the dev profile alone: whoever can
//! connect sees all mail.
//!
//! One message of the API is one that was taken, whoever got copies of it: see `pillarbox_world::service::catch`.

mod change;
mod extract;
mod read;
mod send;
mod shape;
mod wait;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use pillarbox_engine::message::Index;
use pillarbox_engine::types::Reason;
use pillarbox_world::service::catch::{Catcher, Caught};
use serde_json::json;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::Shared;
use crate::backend::HostBackend;
use crate::drive::next_key;

/// Octets of a request: a letter with files in base64.
const BODY_MAX: usize = 64 << 20;
/// Requests that look at mail at once; others wait.
const AT_ONCE_MAX: usize = 8;
/// Octets of one text or file that is decoded to be given out.
const DECODED_MAX: u64 = 64 << 20;

/// What each route has at hand.
#[derive(Clone)]
struct Api {
    shared: Arc<Shared>,
    places: Arc<Semaphore>,
}

/// The view that a request has of the mail.
type Mail = Catcher<HostBackend>;

/// Why a request fails.
#[derive(Debug)]
struct Failed(StatusCode, String);

impl Failed {
    fn bad(why: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, why.into())
    }

    fn missing(what: &str) -> Self {
        Self(StatusCode::NOT_FOUND, format!("{what}: there is none of this name"))
    }
}

impl From<Reason> for Failed {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::NotFound => Self::missing("message"),
            Reason::TooLarge => {
                let why =
                    "this is larger than what is given out here; POP3 and IMAP give all of it";
                Self(StatusCode::PAYLOAD_TOO_LARGE, why.to_owned())
            }
            reason => Self(StatusCode::INTERNAL_SERVER_ERROR, format!("the store: {reason:?}")),
        }
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "Error": self.1 }))).into_response()
    }
}

/// What a route gives.
type Given = Result<Response, Failed>;

impl Api {
    /// Does something with the mail where it holds nobody up.
    async fn with<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Mail, &Handle) -> Result<T, Failed> + Send + 'static,
    ) -> Result<T, Failed> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let (backend, handle) = (Arc::clone(&self.shared.backend), Handle::current());
        let done = tokio::task::spawn_blocking(move || {
            let _place = place;
            act(&Catcher::new(backend, next_key()), &handle)
        });
        let broken = |_| Failed(StatusCode::INTERNAL_SERVER_ERROR, "it broke off".to_owned());
        done.await.map_err(broken)?
    }
}

/// The message of an id, or the newest, with what is known of it.
fn found(mail: &Mail, id: &str) -> Result<(Caught, Index), Failed> {
    let all = mail.all()?;
    let caught = match id {
        "latest" => all.into_iter().next(),
        id => {
            let id: u64 = id.parse().map_err(|_| Failed::missing("message"))?;
            all.into_iter().find(|caught| caught.id == id)
        }
    };
    let caught = caught.ok_or_else(|| Failed::missing("message"))?;
    let index = mail.index(&caught)?;
    Ok((caught, index))
}

/// The routes; none in a server profile.
pub(super) fn routes(shared: &Arc<Shared>) -> Router {
    if shared.faults.is_none() {
        return Router::new();
    }
    let api = Api { shared: Arc::clone(shared), places: Arc::new(Semaphore::new(AT_ONCE_MAX)) };
    Router::new()
        .route("/api/v1/info", get(read::info))
        .route("/api/v1/webui", get(read::webui))
        .route("/api/v1/messages", get(read::list).put(change::mark).delete(change::delete))
        .route("/api/v1/search", get(read::search).delete(change::delete_found))
        .route("/api/v1/tags", get(read::tags))
        .route("/api/v1/message/{id}", get(read::message))
        .route("/api/v1/message/{id}/headers", get(read::headers))
        .route("/api/v1/message/{id}/raw", get(read::raw))
        .route("/api/v1/message/{id}/part/{part}", get(read::part))
        .route("/api/v1/message/{id}/html-check", get(not_here))
        .route("/api/v1/message/{id}/link-check", get(not_here))
        .route("/api/v1/message/{id}/sa-check", get(not_here))
        .route("/api/v1/message/{id}/release", post(not_here))
        .route("/api/v1/message/{id}/part/{part}/thumb", get(not_here))
        .route("/api/v1/send", post(send::send))
        .route("/view/{id}", get(read::view))
        .route("/api/wait", get(wait::wait))
        .route("/api/inboxes", post(send::inbox))
        .route("/api/reset", post(change::reset))
        .route("/api/messages/{id}/links", get(extract::links))
        .route("/api/messages/{id}/codes", get(extract::codes))
        .route("/api/messages/{id}/structure", get(extract::structure))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(api)
}

/// What Mailpit has and this server has not.
async fn not_here() -> Failed {
    Failed(StatusCode::NOT_IMPLEMENTED, "this server does not do that".to_owned())
}
