//! `/api/`: the messages of all mailboxes by HTTP, in the form of Mailpit (`/api/v1/`), so that tests that were written for it
//! run with another address, and in a form of its own (`native`). In the dev profile alone; the host names of loopback and the refusal of foreign origins guard it, since
//! its clients know no token.

mod catalogue;
mod clock;
mod contents;
mod events;
mod extract;
mod info;
mod keeping;
mod listing;
mod message;
mod native;
mod people;
mod query;
mod queue;
mod routes;
mod send;
mod sessions;
mod snapshots;
mod summary;
mod tags;
mod texts;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
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
use routes::{ELSEWHERE, Gives, Line, Routes, document, paths};
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
    snapshots: Arc<snapshots::Snapshots>,
    /// Whether HTTP is served to this machine alone.
    is_local: bool,
}

/// Why a request is not answered, in words for who made it.
#[derive(Debug)]
struct Refused(StatusCode, String);

type Answer = Result<Response, Refused>;

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        // Mailpit's name for it, and that of our own part.
        (self.0, Json(json!({ "Error": self.1, "error": self.1 }))).into_response()
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
    let (letters, mut lines) = letters().into_parts();
    let (mail, more) = mailpit().into_parts();
    lines.extend(more);
    let (native, more) = native().into_parts();
    lines.extend(more);
    let (relay, relay_lines) = relay().into_parts();
    let is_dev = matches!(shared.settings.profile, Profile::Dev);
    let is_local = crate::config::is_loopback(addresses.http.ip());
    // A server whose clock tests move is one for tests, if nobody else reaches it.
    let relay = if is_dev || shared.settings.test_clock && is_local {
        relay.layer(DefaultBodyLimit::max(BODY_MAX)).with_state(Arc::clone(shared))
    } else {
        let why = "the queue and its clock are steered here in the dev profile, or with --clock virtual and HTTP on a \
                   loopback address; `pillarbox queue` steers it everywhere";
        refusing(&paths(&relay_lines), why)
    };
    if !is_dev {
        let why = "this interface shows everybody's mail, so it belongs to the dev profile; this server runs with --config";
        let mut all = paths(&lines);
        all.extend(["/api/{*path}", "/api/v1/{*path}", OPENAPI.path]);
        return refusing(&all, why).merge(relay);
    }
    lines.extend(relay_lines);
    lines.extend(ELSEWHERE);
    lines.push(OPENAPI);
    let described = axum::body::Bytes::from(document(&lines).to_string());
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
        snapshots: Arc::default(),
        is_local,
    };
    keeping::begin(&api);
    tokio::spawn(look_at_news(api.clone()));
    mail.merge(native)
        .route("/api/v1/{*path}", any(nothing_here))
        .route("/api/{*path}", any(nothing_here))
        .route("/inbox/html/{id}", get(message::framed))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .merge(letters.layer(DefaultBodyLimit::max(LETTER_MAX)))
        .with_state(api)
        .merge(relay)
        .route(
            OPENAPI.path,
            get(async move || ([(header::CONTENT_TYPE, "application/json")], described)),
        )
}

const OPENAPI: Line = Line::get(
    "/api/openapi.json",
    "This document (OpenAPI 3.1).",
    Gives::Object(&["openapi", "info", "paths"]),
);

/// Paths that only say why nothing is done there.
fn refusing(paths: &BTreeSet<&'static str>, why: &'static str) -> Router {
    let refuse = async move || Refused(StatusCode::FORBIDDEN, why.to_owned());
    paths.iter().fold(Router::new(), |routes, path| routes.route(path, any(refuse)))
}

/// What brings a message.
fn letters() -> Routes<Api> {
    let send = Line::post("/api/v1/send", "Sends a message.", Gives::Object(&["ID"]));
    Routes::new().on(send.with_body(), send::send)
}

/// What is in Mailpit's form.
fn mailpit() -> Routes<Api> {
    const OK: Gives = Gives::Text("text/plain");
    const LIST: Gives =
        Gives::Object(&["total", "unread", "count", "messages_count", "start", "tags", "messages"]);
    Routes::new()
        .on(
            Line::get(
                "/api/v1/info",
                "The server and its counts.",
                Gives::Object(&["Version", "Messages", "Unread", "Tags", "RuntimeStats"]),
            ),
            info::info,
        )
        .on(
            Line::get(
                "/api/v1/webui",
                "What a page may offer.",
                Gives::Object(&["MessageRelay", "ChaosEnabled"]),
            ),
            info::web_ui,
        )
        .on(
            Line::get("/api/v1/messages", "Messages, newest first.", LIST)
                .asks(&["start", "limit"]),
            listing::list,
        )
        .on(
            Line::put("/api/v1/messages", "Sets messages read or unread.", OK).asks(&["tz"]),
            listing::set_read,
        )
        .on(
            Line::delete("/api/v1/messages", "Deletes messages, or all.", OK).with_body(),
            listing::delete,
        )
        .on(
            Line::get("/api/v1/search", "Messages that a search finds.", LIST)
                .asks(&["query", "tz", "start", "limit"]),
            listing::search,
        )
        .on(
            Line::delete("/api/v1/search", "Deletes what a search finds.", OK)
                .asks(&["query", "tz"]),
            listing::delete_found,
        )
        .on(Line::get("/api/v1/tags", "All tags.", Gives::Array), tags::list)
        .on(Line::put("/api/v1/tags", "Sets the tags of messages.", OK), tags::set)
        .on(Line::put("/api/v1/tags/{tag}", "Renames a tag.", OK), tags::rename)
        .on(Line::delete("/api/v1/tags/{tag}", "Takes a tag off all messages.", OK), tags::delete)
        .on(
            Line::get(
                "/api/v1/message/{id}",
                "A message, which is read by that.",
                Gives::Object(&["ID", "From", "To", "Subject", "Text", "HTML", "Attachments"]),
            ),
            message::message,
        )
        .on(Line::get("/api/v1/message/{id}/headers", "Its fields.", Gives::Map), message::headers)
        .on(
            Line::get("/api/v1/message/{id}/raw", "Its octets.", Gives::Text("text/plain")),
            message::raw,
        )
        .on(
            Line::get(
                "/api/v1/message/{id}/part/{part}",
                "A part of it, decoded.",
                Gives::Text("application/octet-stream"),
            ),
            message::part,
        )
        .on(
            Line::get("/api/events", "What happens to the list, as it happens.", Gives::Socket),
            events::events,
        )
        .on(
            Line::get("/view/{name}", "How a message looks.", Gives::Text("text/html")),
            message::view,
        )
}

/// Our own.
fn native() -> Routes<Api> {
    const USER: Gives = Gives::Object(&["address", "mailboxes", "messages", "octets"]);
    const NAME: Gives = Gives::Object(&["name"]);
    const REMOVED: Gives = Gives::Object(&["removed"]);
    const SNAPSHOT: Gives = Gives::Object(&["name", "users", "messages", "octets"]);
    Routes::new()
        .strict()
        .on(
            Line::post(
                "/api/inboxes",
                "An address that nobody has, for one test.",
                Gives::Object(&["address", "user", "password", "ports"]),
            )
            .asks(&["name"])
            .status(201),
            native::inbox,
        )
        .on(
            Line::get(
                "/api/wait",
                "Waits for messages; with count=0 that none come.",
                Gives::Object(&["messages"]),
            )
            .asks(&["to", "from", "subject", "count", "timeout"]),
            native::wait,
        )
        .on(
            Line::post(
                "/api/reset",
                "No mail in any mailbox, and no faults.",
                Gives::Object(&["removed"]),
            ),
            native::reset,
        )
        .on(
            Line::post("/api/snapshot", "Keeps all mail as it is now, under a name.", SNAPSHOT)
                .asks(&["name"])
                .status(201),
            snapshots::take,
        )
        .on(
            Line::post(
                "/api/restore",
                "All mail as it was then: users, mailboxes, messages and flags.",
                SNAPSHOT,
            )
            .asks(&["name"]),
            snapshots::restore,
        )
        .on(
            Line::get(
                "/api/messages/{id}/{what}",
                "Of a message: links, codes, structure, raw, session or annotations.",
                Gives::Text("*/*"),
            ),
            native::extracted,
        )
        .on(
            Line::get("/api/users", "Whose mail is here.", Gives::Object(&["users", "more"]))
                .asks(&["after", "limit"]),
            people::users,
        )
        .on(
            Line::post("/api/users", "Makes a user.", USER).with_body().status(201),
            people::add_user,
        )
        .on(
            Line::get("/api/users/{address}", "A user, and how much mail they have.", USER),
            people::user,
        )
        .on(
            Line::delete("/api/users/{address}", "Removes a user with all mail.", REMOVED),
            people::remove_user,
        )
        .on(
            Line::get(
                "/api/mailboxes",
                "A user's mailboxes.",
                Gives::Object(&["mailboxes", "more"]),
            )
            .asks(&["user", "after", "limit"]),
            people::mailboxes,
        )
        .on(
            Line::post("/api/mailboxes", "Makes a mailbox.", NAME).with_body().status(201),
            people::add_mailbox,
        )
        .on(
            Line::put("/api/mailboxes/{user}/{*name}", "Renames a mailbox.", NAME),
            people::rename_mailbox,
        )
        .on(
            Line::delete(
                "/api/mailboxes/{user}/{*name}",
                "Removes a mailbox with its mail.",
                REMOVED,
            ),
            people::remove_mailbox,
        )
        .on(
            Line::get(
                "/api/sessions",
                "Conversations, newest first.",
                Gives::Object(&["kept_since_unix_ms", "sessions"]),
            )
            .asks(&["protocol", "limit"]),
            sessions::list,
        )
        .on(
            Line::get(
                "/api/sessions/{id}",
                "A conversation, and what each octet of it is.",
                Gives::Object(&[
                    "id",
                    "protocol",
                    "opened_unix_ms",
                    "is_whole",
                    "messages",
                    "said",
                ]),
            ),
            sessions::show,
        )
        .on(
            Line::get(
                "/api/sessions/{id}/log",
                "Its events, a line of JSON each.",
                Gives::Text("application/x-ndjson"),
            ),
            sessions::log,
        )
        .on(
            Line::get(
                "/api/sessions/{id}/transcript.txt",
                "Its lines, for people.",
                Gives::Text("text/plain"),
            ),
            sessions::transcript,
        )
        .on(
            Line::get(
                "/api/sessions/{id}/capture.pcapng",
                "Its octets as packets, for Wireshark; secrets masked, TLS taken off.",
                Gives::Text("application/x-pcapng"),
            ),
            sessions::capture,
        )
        .also(Line::get(
            "/api/sessions/{id}.pcapng",
            "The same as capture.pcapng, under a shorter name.",
            Gives::Text("application/x-pcapng"),
        ))
}

/// The queue and its clock.
fn relay() -> Routes<Arc<Shared>> {
    const CHANGED: Gives = Gives::Object(&["changed", "held"]);
    const NOW: Gives = Gives::Object(&["now_unix_ms"]);
    Routes::new()
        .strict()
        .on(
            Line::get(
                "/api/queue",
                "What waits, oldest first.",
                Gives::Object(&["messages", "more"]),
            )
            .asks(&["after"]),
            queue::list,
        )
        .on(
            Line::get(
                "/api/queue/{id}",
                "A message that waits.",
                Gives::Object(&["id", "from", "size", "came_unix_ms", "destinations"]),
            ),
            queue::show,
        )
        .on(
            Line::post("/api/queue/{id}/{what}", "Does to it: retry, hold or release.", CHANGED),
            queue::steer,
        )
        .on(
            Line::delete("/api/queue/{id}", "Removes it; bounce=true tells its sender.", CHANGED)
                .asks(&["bounce"]),
            queue::delete,
        )
        .on(Line::get("/api/clock", "The time by which the queue waits.", NOW), clock::read)
        .on(
            Line::post("/api/clock", "Moves it on, by advance (30m) or advance_ms.", NOW)
                .with_body(),
            clock::advance,
        )
}

/// Paths that are not served say so, Mailpit's among them.
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
        format!("{path}: there is nothing here; /api/openapi.json lists what there is"),
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

    /// The time by which mail comes: of the wall, or of the queue's clock if tests moved that further.
    fn now_ms(&self) -> u64 {
        self.shared.now().unix_ms.max(self.shared.backend.relaying().clock.now_ms())
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
