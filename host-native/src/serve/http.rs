//! HTTP: health, metrics, and a page that says where everything is.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use super::bridge::{self, Services};
use super::guard::Guard;
use super::inbox;
use super::playground;
use super::ready::Addresses;
use super::visitors;
use super::{Shared, api, faults_http, stream, webmail};
use crate::config::Profile;

/// Serves until the task is ended.
pub(super) async fn serve(listener: TcpListener, routes: Router) {
    let routes = routes.into_make_service_with_connect_info::<SocketAddr>();
    if let Err(error) = axum::serve(listener, routes).await {
        tracing::error!(%error, "HTTP ended");
    }
}

/// What is where.
pub(super) fn routes(shared: &Arc<Shared>, addresses: Addresses, guard: Option<Guard>) -> Router {
    let ready = Arc::clone(shared);
    let metrics = Arc::clone(shared);
    let label = shared.settings.label.clone();
    let is_catcher = matches!(shared.settings.profile, Profile::Dev);
    Router::new()
        .route("/", get(async move || first(is_catcher, &addresses, label.as_deref())))
        .route("/livez", get(async || "live\n"))
        .route("/readyz", get(async move || readyz(&ready)))
        .route("/metrics", get(async move || text(metrics.metrics.text())))
        .merge(faults_http::routes(shared))
        .merge(api::routes(shared, &addresses))
        .merge(inbox::routes(shared, &addresses))
        .merge(playground::routes(shared.settings.label.as_deref()))
        .merge(webmail::routes(shared, addresses.http))
        .merge(live(shared, &addresses, guard.as_ref()))
        .layer(axum::middleware::from_fn(
            move |headers: HeaderMap, request, next: axum::middleware::Next| {
                let refused = if !is_our_host(&headers, &addresses) {
                    Some((StatusCode::MISDIRECTED_REQUEST, "this host name is not served here\n"))
                } else if !is_our_origin(&headers) {
                    Some((StatusCode::FORBIDDEN, "pages of other origins may do nothing here\n"))
                } else {
                    None
                };
                async move {
                    match refused {
                        None => next.run(request).await,
                        Some(refused) => refused.into_response(),
                    }
                }
            },
        ))
}

/// What a page may see and do of this server's own conversations: in the dev profile alone, and only from this machine.
fn live(shared: &Arc<Shared>, addresses: &Addresses, guard: Option<&Guard>) -> Router {
    let (Some(journal), Some(guard)) = (&shared.journal, guard) else { return Router::new() };
    let services = Services::new(addresses);
    stream::routes(shared, journal, guard, &services)
        .merge(bridge::routes(shared, guard, &services))
        .merge(visitors::routes(shared, guard))
}

/// A page on another site whose name was rebound to this address must not read anything here.
fn is_our_host(headers: &HeaderMap, addresses: &Addresses) -> bool {
    if !crate::config::is_loopback(addresses.http.ip()) {
        return true;
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let name = host.rsplit_once(':').map_or(host, |(name, _port)| name);
    name.eq_ignore_ascii_case("localhost")
        || name.trim_matches(['[', ']']).parse().is_ok_and(crate::config::is_loopback)
}

/// A page elsewhere can have a browser send us what it likes, but not say that it is ours. Programs send no Origin.
fn is_our_origin(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let Some(origin) = origins.next() else { return true };
    let own = text(header::HOST).unwrap_or_default();
    let named = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    let same =
        named.is_some_and(|(scheme, host)| matches!(scheme, "http" | "https") && host == own);
    same && origins.next().is_none()
}

fn readyz(shared: &Shared) -> (StatusCode, &'static str) {
    if *shared.stopping.borrow() {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping\n")
    } else if shared.backend.mail_store().is_failed() {
        (StatusCode::SERVICE_UNAVAILABLE, "the store failed; no mail is taken\n")
    } else {
        (StatusCode::OK, "ready\n")
    }
}

fn text(body: String) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], body)
}

/// Who opens a catcher wants to see what it caught.
fn first(is_catcher: bool, addresses: &Addresses, label: Option<&str>) -> Response {
    match is_catcher {
        true => Redirect::temporary("/inbox/").into_response(),
        false => Html(page(addresses, label)).into_response(),
    }
}

fn page(addresses: &Addresses, label: Option<&str>) -> String {
    let Addresses { smtp, pop3, imap, .. } = addresses;
    let name = match label {
        Some(label) => format!("{} \u{b7} Pillarbox", escaped(label)),
        None => "Pillarbox".to_owned(),
    };
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>{name}</title>\
         <meta name=viewport content='width=device-width'>\
         <style>body{{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}}\
         code{{background:#8882;padding:.1em .3em;border-radius:.2em}}td{{padding:.2em 1em .2em 0}}\
         :root{{color-scheme:light dark}}</style>\
         <h1>{name}</h1><p>This mail server is running.</p>\
         <table><tr><td>Send mail<td>SMTP<td><code>{smtp}</code>\
         <tr><td>Read mail<td>IMAP<td><code>{imap}</code>\
         <tr><td><td>POP3<td><code>{pop3}</code></table>\
         <p><a href=/mail/>Web mail</a>: read and write here, signed in with your name and password.</p>\
         <p><a href=/playground/>Playground</a>: watch mail travel, and speak the protocols yourself.</p>\
         <p><a href=/livez>livez</a> · <a href=/readyz>readyz</a> · <a href=/metrics>metrics</a></p></html>"
    )
}

/// Text of a page.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_text() {
        let at = SocketAddr::from(([127, 0, 0, 1], 25));
        let addresses = Addresses {
            pid: 1,
            smtp: at,
            pop3: at,
            imap: at,
            http: at,
            submission: None,
            submissions: None,
            pop3s: None,
            imaps: None,
            lmtp: None,
            imap_preauth: None,
        };
        let page = page(&addresses, Some("a<b>&c"));
        assert!(page.contains("<title>a&lt;b>&amp;c \u{b7} Pillarbox</title>"), "{page}");
    }

    #[test]
    fn other_origins_are_told_apart() {
        let asked = |fields: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.append(*name, value.parse().expect("a field's value"));
            }
            is_our_origin(&headers)
        };
        let host = ("host", "127.0.0.1:8025");
        assert!(asked(&[host]), "a program");
        assert!(asked(&[host, ("origin", "http://127.0.0.1:8025")]));
        assert!(asked(&[host, ("origin", "https://127.0.0.1:8025")]), "behind a proxy with TLS");
        for origin in [
            "null",
            "",
            "http://127.0.0.1",
            "http://127.0.0.1:8026",
            "http://evil:8025",
            "file://127.0.0.1:8025",
        ] {
            assert!(!asked(&[host, ("origin", origin)]), "{origin}");
        }
        let own = ("origin", "http://127.0.0.1:8025");
        assert!(!asked(&[host, own, ("origin", "http://evil")]));
    }
}
