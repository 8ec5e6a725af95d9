//! `/mail/`: mail by the web. HTTP itself is axum's and what a request does is `pillarbox_world::service::web`'s, the same
//! that answers in the playground; here is who may come, what is written down of it, and how the pages look.

mod live;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Router, http::Method};
use pillarbox_engine::limits::Limits;
use pillarbox_world::service::Backend;
use pillarbox_world::service::web::{Happened, UNDO_MS, Visits, WebMail};
use pillarbox_world::web::{self, BODY_MAX};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::http::escaped;
use super::{Shared, shown};
use crate::auth::{Caller, entropy};
use crate::config::is_loopback;
use crate::drive::next_key;
use live::Streams;

/// What the paths of its pages begin with.
const BASE: &str = "/mail";
/// Where a page is told of what happens.
const LIVE: &str = "/mail/live";
/// Where letters are sent to, kept and taken back.
const LETTERS: [&str; 3] = ["/mail/send", "/mail/draft", "/mail/unsend"];
/// Requests that are answered at once; others wait. A search reads much mail.
const AT_ONCE_MAX: usize = 8;
/// Letters with files that come at once: each is held in memory, several times while it is composed.
const LETTERS_MAX: usize = 4;
/// What a form brings is there after so long.
const BODY_TIME: Duration = Duration::from_secs(300);
/// Letters of one visit are written one after the other, by so many locks for all visits: a page that saves what it has when
/// it is closed makes no second draft of a letter that is being saved.
const TURNS: usize = 16;
/// Pages are text and forms: they load their style and one script, ask nobody else, and stand in nobody's frame. The one frame
/// in them is for HTML of a letter, which has a policy of its own and runs nothing.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const HEADERS: [(HeaderName, &str); 4] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // With none at all a browser would not say that a form comes from here.
    (header::REFERRER_POLICY, "same-origin"),
    // It is somebody's mail.
    (header::CACHE_CONTROL, "no-store"),
];
/// What every page begins with, and what is put behind it. In the playground a page has no looks.
const BEGINNING: &[u8] = b"<!doctype html>\n";
const TITLE_END: &[u8] = b"</title>";
const LOOKS: &[u8] =
    b"<html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\n\
    <link rel=stylesheet href=\"/mail/style.css\"><script defer src=\"/mail/script.js\"></script>\n";
const STYLE: &str = include_str!("webmail.css");
const SCRIPT: &str = include_str!("webmail/script.js");

/// What is said where passwords would be read on their way.
const IN_THE_CLEAR: &str = "web mail takes passwords, and this address is served without TLS: let HTTP listen on a \
    loopback address with a proxy in front that does TLS, or set auth.allow_cleartext_login\n";

/// The routes.
pub(super) fn routes(shared: &Arc<Shared>, http: SocketAddr) -> Router {
    let is_safe = is_loopback(http.ip()) || shared.settings.allow_cleartext_login;
    let (shared, visits) = (Arc::clone(shared), Arc::new(Visits::default()));
    let places = Arc::new(Places {
        answers: Arc::new(Semaphore::new(AT_ONCE_MAX)),
        letters: Arc::new(Semaphore::new(LETTERS_MAX)),
        turns: std::array::from_fn(|_| Arc::new(Semaphore::new(1))),
        streams: Arc::new(Streams::default()),
    });
    let answer = async move |ConnectInfo(peer): ConnectInfo<SocketAddr>, request: Request| {
        let mut response = match is_safe {
            true => answer(&shared, &visits, &places, peer, request).await,
            false => (StatusCode::FORBIDDEN, IN_THE_CLEAR).into_response(),
        };
        // What has a policy of its own keeps it.
        for (name, value) in HEADERS {
            response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
        }
        response
    };
    let file = |kind, text: &'static str| {
        let kind = HeaderValue::from_static(kind);
        get(async move || ([(header::CONTENT_TYPE, kind)], text))
    };
    Router::new()
        .route("/mail/style.css", file("text/css; charset=utf-8", STYLE))
        .route("/mail/script.js", file("text/javascript; charset=utf-8", SCRIPT))
        .route("/mail", any(answer.clone()))
        .route("/mail/", any(answer.clone()))
        .route("/mail/{*path}", any(answer))
}

/// Places for what costs memory or time.
struct Places {
    answers: Arc<Semaphore>,
    letters: Arc<Semaphore>,
    turns: [Arc<Semaphore>; TURNS],
    streams: Arc<Streams>,
}

impl Places {
    /// The lock for what a visit writes.
    fn turn(&self, cookies: &str) -> Arc<Semaphore> {
        let mut hasher = DefaultHasher::new();
        cookies.hash(&mut hasher);
        // A remainder is within the array.
        Arc::clone(&self.turns[(hasher.finish() % TURNS as u64) as usize])
    }
}

async fn answer(
    shared: &Arc<Shared>,
    visits: &Arc<Visits>,
    places: &Places,
    peer: SocketAddr,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let is_head = head.method == Method::HEAD;
    let mut asked = web::Request {
        method: head.method.as_str().to_owned(),
        target: head.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned(),
        cookies: cookies(&head.headers),
        media_type: text_of(&head.headers, &header::CONTENT_TYPE),
        body: Vec::new(),
    };
    let failed = |why: &'static str| (StatusCode::INTERNAL_SERVER_ERROR, why).into_response();
    let address = peer.ip().to_canonical();
    let key = next_key();
    let (backend, visits) = (Arc::clone(&shared.backend), Arc::clone(visits));
    let limits = shared.settings.limits.apply(Limits::SMTP, false);
    let mail = WebMail::new(backend, key, visits, address.to_string().into_bytes());
    let mail = mail.under(BASE).within(limits).holding(UNDO_MS);
    let mail = match &shared.said {
        Some(said) => mail.showing(Arc::new(said.clone())),
        None => mail,
    };
    if asked.path() == LIVE && asked.method == "GET" {
        return places.streams.open(shared, &mail, &asked);
    }
    let max = mail.body_max(shared.now(), &asked);
    let letter = match max > BODY_MAX {
        true => Arc::clone(&places.letters).acquire_owned().await.ok(),
        false => None,
    };
    asked.body = match tokio::time::timeout(BODY_TIME, to_bytes(body, max)).await {
        Ok(Ok(body)) => body.to_vec(),
        Ok(Err(_)) => {
            let why = format!("what a form brings here has at most {max} octets\n");
            return (StatusCode::PAYLOAD_TOO_LARGE, why).into_response();
        }
        Err(_) => return (StatusCode::REQUEST_TIMEOUT, "this took too long\n").into_response(),
    };
    // Taken once all is there: who sends slowly holds up nobody.
    let turn = match asked.method == "POST" && LETTERS.contains(&asked.path()) {
        true => places.turn(&asked.cookies).acquire_owned().await.ok(),
        false => None,
    };
    let place = Arc::clone(&places.answers).acquire_owned().await;
    let Ok(chance) = entropy() else { return failed("the system gives no random octets\n") };
    let (handle, moment) = (Handle::current(), shared.now());
    let (shared, label) = (Arc::clone(shared), shared.settings.label.clone());
    // A list reads many messages, and a search all of them: that holds up nobody else here. It is done to its end though the
    // browser may have gone.
    let streams = Arc::clone(&places.streams);
    let answered = tokio::task::spawn_blocking(move || {
        let _places = (letter, turn, place);
        let callers = shared.backend.directory().callers();
        callers.set(key, Caller { address, identities: Vec::new() });
        let answered = handle.block_on(mail.answer(moment, &asked, chance));
        callers.remove(key);
        if asked.path() == "/mail/logout" {
            streams.ended.notify_waiters();
        }
        let (response, happened) = answered;
        if let Some(happened) = happened {
            write_down(&shared, &happened, response.status, peer);
        }
        response
    });
    match answered.await {
        Ok(response) => dressed(response, label.as_deref(), is_head),
        Err(_) => failed("this could not be shown\n"),
    }
}

fn text_of(headers: &HeaderMap, name: &HeaderName) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

/// What a browser shows again; a browser that speaks HTTP/1.1 sends one such field (RFC 6265 §5.4).
fn cookies(headers: &HeaderMap) -> String {
    let fields = headers.get_all(header::COOKIE).iter();
    let fields: Vec<&str> = fields.filter_map(|field| field.to_str().ok()).collect();
    fields.join("; ")
}

/// Logins and letters are counted and logged as those of the other protocols are.
fn write_down(shared: &Shared, happened: &Happened, status: u16, peer: SocketAddr) {
    let (Happened::SignedIn(account) | Happened::SignInRefused(account) | Happened::Sent(account)) =
        happened;
    let account = shown(account.as_bytes());
    let login = |how: &str| shared.metrics.logins.with_label_values(&["http", how]).inc();
    match happened {
        Happened::SignedIn(_) => {
            login("accepted");
            tracing::info!(protocol = "http", account, %peer, "login");
        }
        Happened::SignInRefused(_) => {
            login("refused");
            tracing::warn!(protocol = "http", account, status, %peer, "login refused");
        }
        Happened::Sent(_) => {
            tracing::info!(protocol = "http", account, %peer, "a letter was taken")
        }
    }
}

/// The response as axum has it; a page gets its looks, and in its title what tells this server from others.
fn dressed(response: web::Response, label: Option<&str>, is_head: bool) -> Response {
    let mut body = response.body;
    // HTML of a letter has its own.
    let is_ours = !response.fields.iter().any(|(name, _)| *name == "Content-Security-Policy");
    if is_ours && body.starts_with(BEGINNING) {
        // The title comes first, and holds no tag of its own.
        let end = body.windows(TITLE_END.len()).position(|part| part == TITLE_END);
        if let (Some(label), Some(end)) = (label, end) {
            let words = format!(" \u{b7} {}", escaped(label));
            body.splice(end..end, words.into_bytes());
        }
        body.splice(BEGINNING.len()..BEGINNING.len(), LOOKS.iter().copied());
    }
    let status = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if body.is_empty() && (status.is_client_error() || status.is_server_error()) {
        body = format!("{status}\n").into_bytes();
    }
    let mut made = Response::new(Body::from(if is_head { Vec::new() } else { body }));
    *made.status_mut() = status;
    let kind = if response.media_type.is_empty() { "text/plain" } else { &response.media_type[..] };
    let fields = response.fields.iter().map(|(name, value)| (*name, &value[..]));
    for (name, value) in fields.chain([("Content-Type", kind)]) {
        // What no field may hold was in no page of ours.
        let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value))
        else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        made.headers_mut().append(name, value);
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pages_get_their_looks_and_letters_keep_their_policy() {
        let page = |fields: Vec<(&'static str, String)>| web::Response {
            media_type: "text/html; charset=utf-8".to_owned(),
            body: [BEGINNING, b"<title>x</title>"].concat(),
            fields,
            ..web::Response::of(200)
        };
        let text = async |response: Response| {
            let body = to_bytes(response.into_body(), 1 << 20).await.expect("it is there");
            String::from_utf8(body.to_vec()).expect("UTF-8")
        };
        assert!(text(dressed(page(Vec::new()), None, false)).await.contains("/mail/style.css"));
        let named = text(dressed(page(Vec::new()), Some("a<b>"), false)).await;
        assert!(named.contains("<title>x \u{b7} a&lt;b></title>"), "{named}");
        let policy = ("Content-Security-Policy", "sandbox".to_owned());
        let letter = dressed(page(vec![policy]), Some("a"), false);
        assert_eq!(letter.headers()[header::CONTENT_SECURITY_POLICY], "sandbox");
        assert!(!text(letter).await.contains("style.css"));
        assert_eq!(text(dressed(page(Vec::new()), None, true)).await, "", "HEAD has no body");
        let split = ("Location", "/a\r\nSet-Cookie: b".to_owned());
        assert_eq!(
            dressed(page(vec![split]), None, false).status(),
            StatusCode::INTERNAL_SERVER_ERROR
        );
    }
}
