//! `/inbox/`: all mail that was caught, of all recipients, as it comes. A page with a few scripts over `/api/`; what it shows
//! of a letter's HTML is answered by `api` (`/inbox/html/{id}`), cleaned as in web mail. In the dev profile alone, since it
//! shows everybody's mail.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{any, get};

use super::{Addresses, Shared};
use crate::config::Profile;

/// The page loads what is here and asks this server alone. Its icon, with the number of unread letters, is drawn by itself.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; \
    frame-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";
const HEADERS: [(HeaderName, &str); 4] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-cache"),
];
const PAGE: &str = include_str!("inbox/page.html");
const SCRIPT: &str = "text/javascript; charset=utf-8";
/// What the page loads, by name.
const FILES: [(&str, &str, &str); 9] = [
    ("style.css", "text/css; charset=utf-8", include_str!("inbox/style.css")),
    ("token.js", SCRIPT, include_str!("../../../web-demo/assets/script/10-token.js")),
    ("main.js", SCRIPT, include_str!("inbox/main.js")),
    ("list.js", SCRIPT, include_str!("inbox/list.js")),
    ("letter.js", SCRIPT, include_str!("inbox/letter.js")),
    ("conversation.js", SCRIPT, include_str!("inbox/conversation.js")),
    ("news.js", SCRIPT, include_str!("inbox/news.js")),
    ("samples.js", SCRIPT, include_str!("inbox/samples.js")),
    ("tools.js", SCRIPT, include_str!("inbox/tools.js")),
];

/// The routes; in a server profile they only say why there is no inbox.
pub(super) fn routes(shared: &Shared, addresses: &Addresses) -> Router {
    if !matches!(shared.settings.profile, Profile::Dev) {
        let why = "the inbox shows everybody's mail, so it belongs to the dev profile; here is web mail: /mail/\n";
        let refuse = any(async move || (StatusCode::FORBIDDEN, why));
        return Router::new()
            .route("/inbox", refuse.clone())
            .route("/inbox/", refuse.clone())
            .route("/inbox/{*path}", refuse);
    }
    let page: Arc<str> = page(addresses).into();
    Router::new()
        .route("/inbox", get(async || Redirect::permanent("/inbox/")))
        .route("/inbox/", get(async move || file("text/html; charset=utf-8", page.to_string())))
        .route("/inbox/{name}", get(async |Path(name): Path<String>| named(&name)))
}

/// The page with where this server listens, which its samples tell.
fn page(addresses: &Addresses) -> String {
    let Addresses { smtp, pop3, imap, .. } = addresses;
    PAGE.replace("{smtp}", &smtp.to_string())
        .replace("{pop3}", &pop3.to_string())
        .replace("{imap}", &imap.to_string())
}

/// A file of the page; a number leads to the message that has it.
fn named(name: &str) -> Response {
    if !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_digit()) || name == "latest" {
        return Redirect::temporary(&format!("/inbox/#/message/{name}")).into_response();
    }
    match FILES.iter().find(|(own, ..)| *own == name) {
        Some((_, kind, text)) => file(kind, (*text).to_owned()),
        None => (StatusCode::NOT_FOUND, "the inbox has no such file\n").into_response(),
    }
}

fn file(kind: &'static str, text: String) -> Response {
    let mut response = text.into_response();
    let kind = [(header::CONTENT_TYPE, kind)];
    for (name, value) in HEADERS.into_iter().chain(kind) {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_the_policy_and_numbers_lead_to_messages() {
        for (name, ..) in FILES {
            let response = named(name);
            assert_eq!(response.headers()[header::CONTENT_SECURITY_POLICY], POLICY, "{name}");
            let is_used = |(_, _, text): &(&str, &str, &str)| text.contains(name);
            assert!(PAGE.contains(name) || FILES.iter().any(is_used), "{name} is loaded");
        }
        for id in ["17", "latest"] {
            let to = format!("/inbox/#/message/{id}");
            assert_eq!(named(id).headers()[header::LOCATION], to[..]);
        }
        for wrong in ["", "1x", "../main.js", "\u{661}"] {
            assert_eq!(named(wrong).status(), StatusCode::NOT_FOUND, "{wrong}");
        }
    }

    #[test]
    fn the_page_runs_nothing_that_stands_in_it() {
        assert!(!PAGE.contains("<style"));
        for script in PAGE.split("<script").skip(1) {
            assert!(script.trim_start().starts_with("type=module src="), "{script}");
        }
        assert!(!PAGE.contains(" style=") && !PAGE.contains(" on"));
    }
}
