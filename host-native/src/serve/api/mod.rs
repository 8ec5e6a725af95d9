//! `/api/`: the messages of all mailboxes by HTTP, in the form of Mailpit (`/api/v1/`), so that tests that were written for it
//! run with another address, and in a form of its own (`native`). In the dev profile alone; the host names of loopback and the refusal of foreign origins guard it, since
//! its clients know no token.

mod catalogue;
mod contents;
mod events;
mod extract;
mod info;
mod keeping;
mod listing;
mod message;
mod native;
mod query;
mod send;
mod summary;
mod tags;
mod texts;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post, put};
use axum::{Json, Router};
use pillarbox_engine::types::Reason;
use pillarbox_world::service::Backend;
use pillarbox_world::store::{Outcome, Write};
use pillarbox_world::web::{Given, Request};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::sync::Semaphore;

use super::{Addresses, Shared, told_to_stop};
use crate::config::Profile;
use crate::store::{MailStore, words};
use catalogue::Catalogue;
use texts::Texts;

/// Requests that are worked at; others wait. A search may read much mail.
const AT_ONCE_MAX: usize = 8;
/// Octets of a request that brings no message: the numbers of many messages.
const BODY_MAX: usize = 1 << 20;
/// Octets of a request that brings one: files in base64, of the size of a message in all.
const LETTER_MAX: usize = 36 << 20;

/// What every request needs.
#[derive(Clone)]
struct Api {
    shared: Arc<Shared>,
    catalogue: Arc<Catalogue>,
    texts: Arc<Texts>,
    places: Arc<Semaphore>,
    ports: native::Ports,
}

/// Why a request is not answered, in words for who made it.
#[derive(Debug)]
struct Refused(StatusCode, String);

type Answer = Result<Response, Refused>;

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "Error": self.1 }))).into_response()
    }
}

impl From<Reason> for Refused {
    fn from(reason: Reason) -> Self {
        let status = match reason {
            Reason::NotFound => StatusCode::NOT_FOUND,
            Reason::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Reason::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Reason::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, words(reason).to_owned())
    }
}

impl Refused {
    fn wrong(what: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, what.into())
    }
}

/// The routes; in a server profile each of them only says why it does nothing.
pub(super) fn routes(shared: &Arc<Shared>, addresses: &Addresses) -> Router {
    if !matches!(shared.settings.profile, Profile::Dev) {
        let why = "this interface shows everybody's mail, so it belongs to the dev profile; this server runs with --config";
        let refuse = async move || Refused(StatusCode::FORBIDDEN, why.to_owned());
        let paths =
            ["/api/v1/{*path}", "/api/inboxes", "/api/wait", "/api/messages/{*path}", "/api/reset"];
        return paths.iter().fold(Router::new(), |routes, path| routes.route(path, any(refuse)));
    }
    let api = Api {
        shared: Arc::clone(shared),
        catalogue: Arc::default(),
        texts: Arc::default(),
        places: Arc::new(Semaphore::new(AT_ONCE_MAX)),
        ports: native::Ports {
            smtp: addresses.smtp.port(),
            pop3: addresses.pop3.port(),
            imap: addresses.imap.port(),
            http: addresses.http.port(),
        },
    };
    keeping::begin(&api);
    tokio::spawn(look_at_news(api.clone()));
    let letters = Router::new()
        .route("/api/v1/send", post(send::send))
        .layer(DefaultBodyLimit::max(LETTER_MAX));
    Router::new()
        .route("/api/v1/info", get(info::info))
        .route("/api/v1/webui", get(info::web_ui))
        .route(
            "/api/v1/messages",
            get(listing::list).put(listing::set_read).delete(listing::delete),
        )
        .route("/api/v1/search", get(listing::search).delete(listing::delete_found))
        .route("/api/v1/tags", get(tags::list).put(tags::set))
        .route("/api/v1/tags/{tag}", put(tags::rename).delete(tags::delete))
        .route("/api/v1/message/{id}", get(message::message))
        .route("/api/v1/message/{id}/headers", get(message::headers))
        .route("/api/v1/message/{id}/raw", get(message::raw))
        .route("/api/v1/message/{id}/part/{part}", get(message::part))
        .route("/api/v1/{*path}", any(nothing_here))
        .route("/api/inboxes", post(native::inbox))
        .route("/api/wait", get(native::wait))
        .route("/api/reset", post(native::reset))
        .route("/api/messages/{id}/{what}", get(native::extracted))
        .route("/api/events", get(events::events))
        .route("/view/{name}", get(message::view))
        .route("/inbox/html/{id}", get(message::framed))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .merge(letters)
        .with_state(api)
}

/// Paths of Mailpit that are not served say so.
async fn nothing_here(uri: Uri) -> Refused {
    let path = uri.path();
    let later = ["html-check", "link-check", "sa-check", "release", "thumb"];
    if later.iter().any(|what| path.ends_with(&format!("/{what}"))) {
        let what = "it checks and releases no mail, and makes no thumbnails";
        return Refused(
            StatusCode::NOT_IMPLEMENTED,
            format!("{path}: Pillarbox does not do this: {what}"),
        );
    }
    Refused(
        StatusCode::NOT_FOUND,
        format!("{path}: there is nothing here; README.md lists what there is"),
    )
}

/// Has listeners told of what happens.
async fn look_at_news(api: Api) {
    let mut stopping = api.shared.stopping.clone();
    let looking = async {
        loop {
            api.catalogue.news().await;
            // A store that fails is told to whoever asks for something.
            drop(api.work(|_| Ok(())).await);
        }
    };
    tokio::select! {
        () = looking => {}
        () = told_to_stop(&mut stopping) => {}
    }
}

impl Api {
    fn store(&self) -> &MailStore {
        self.shared.backend.mail_store()
    }

    /// Does what reads the store, when it is its turn, with the list as it is now.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        let failed = || {
            let what = "the server broke on this; its log says more".to_owned();
            Refused(StatusCode::INTERNAL_SERVER_ERROR, what)
        };
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| failed())?;
        let api = self.clone();
        let done = tokio::task::spawn_blocking(move || {
            let _place = place;
            api.catalogue.refresh(api.store())?;
            work(&api)
        });
        done.await.map_err(|_| failed())?
    }

    async fn write(&self, write: Write) -> Result<Outcome, Refused> {
        let done = self.shared.backend.write(self.catalogue.key(), write).await;
        done.map_err(Refused::from)
    }
}

/// What stands behind the question mark.
fn asked(uri: &Uri) -> Given {
    let target = uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    Request { target, ..Request::default() }.query()
}

/// A number of the query, which may be missing.
fn number(given: &Given, name: &str, default: usize, most: usize) -> Result<usize, Refused> {
    let text = given.get(name);
    if text.is_empty() {
        return Ok(default);
    }
    let number = text.parse().ok().filter(|number| *number <= most);
    number.ok_or_else(|| Refused::wrong(format!("{name}: expected a whole number, at most {most}")))
}

/// What a request brings as JSON; nothing is the same as an empty object.
fn json_of<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refused> {
    let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| Refused::wrong(format!("body: {error}")))
}

/// What Mailpit says when something is done.
fn ok() -> Response {
    "ok".into_response()
}
