//! Who may use what a page of this server may use and no other page: exact `Host`, exact `Origin`, and a token that is
//! new at every start. A page elsewhere cannot forge the first two, and a program on this machine that can forge them does
//! not know the third: no route tells it. Whoever starts the server is told, by its banner, its ready line or file, and its
//! socket `control`, which are theirs alone.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::RawQuery;
use axum::extract::ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection};
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use subtle::ConstantTimeEq;

use crate::auth::entropy;
use crate::error::Error;

/// Names by which a browser on this machine reaches a loopback address.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];
/// Octets of a token before it is written as hex: nobody guesses it.
const TOKEN_OCTETS: usize = 16;
/// Octets of a run's name before it is written as hex: no two runs that one page meets have the same.
const RUN_OCTETS: usize = 8;

/// What is checked.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    hosts: Arc<[String]>,
    token: Arc<str>,
    run: Arc<str>,
}

/// A WebSocket that is asked for.
pub(super) type Asked = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;

/// A path of which the guard says who may use it: what is opened there, or a refusal, which is written down.
pub(super) fn route<F>(path: &str, refusal: &'static str, open: F) -> Router
where
    F: Fn(&Uri, &HeaderMap, Option<&str>, Asked) -> Result<Response, Refused>,
    F: Clone + Send + Sync + 'static,
{
    let answer =
        async move |uri: Uri, headers: HeaderMap, RawQuery(query): RawQuery, asked: Asked| {
            open(&uri, &headers, query.as_deref(), asked).unwrap_or_else(|refused| {
                tracing::warn!(why = refused.1, "{refusal}");
                refused.into_response()
            })
        };
    Router::new().route(path, get(answer))
}

/// Why somebody is turned away.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused(pub(super) StatusCode, pub(super) &'static str);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, format!("{}\n", self.1)).into_response()
    }
}

impl Guard {
    /// For the server at this address.
    ///
    /// # Errors
    /// There is no entropy.
    pub(super) fn new(http: SocketAddr) -> Result<Self, Error> {
        let token = hex(&entropy::<TOKEN_OCTETS>()?);
        let run = hex(&entropy::<RUN_OCTETS>()?);
        let port = http.port();
        let mut hosts: Vec<String> = NAMES.iter().map(|name| format!("{name}:{port}")).collect();
        hosts.push(http.to_string());
        Ok(Self { hosts: hosts.into(), token: token.into(), run: run.into() })
    }

    /// The name of this start, which is no secret: numbers of sessions and events mean something within one run only.
    pub(super) fn run(&self) -> &str {
        &self.run
    }

    /// The token of this start.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// Whether this is the token; how far a guess agrees with it takes no other time than how far it does not.
    pub(super) fn is_token(&self, given: &[u8]) -> bool {
        bool::from(self.token.as_bytes().ct_eq(given))
    }

    /// Whether the request is for this very server, by a name that only it has.
    pub(super) fn host<'a>(&self, uri: &Uri, headers: &'a HeaderMap) -> Result<&'a str, Refused> {
        const ELSEWHERE: Refused =
            Refused(StatusCode::MISDIRECTED_REQUEST, "this host and port is not served here");
        let host = only(headers, &header::HOST).ok_or(ELSEWHERE)?;
        // RFC 9112 §3.2.2: a target with a host of its own counts more than the Host field.
        let same = uri.authority().is_none_or(|authority| authority.as_str() == host);
        (same && self.hosts.iter().any(|known| known == host)).then_some(host).ok_or(ELSEWHERE)
    }

    /// Whether the request comes from a page of this very server.
    pub(super) fn own_page(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refused> {
        let host = self.host(uri, headers)?;
        let own = |origin: &str| origin.strip_prefix("http://") == Some(host);
        match only(headers, &header::ORIGIN) {
            Some(origin) if own(origin) => Ok(()),
            _ => Err(Refused(StatusCode::FORBIDDEN, "only this server's own page may do that")),
        }
    }

    /// Whether the request is of a program that knows the token. A page of another origin does not, whatever it sends.
    pub(super) fn program(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refused> {
        self.host(uri, headers)?;
        if headers.contains_key(header::ORIGIN) {
            self.own_page(uri, headers)?;
        }
        let given = only(headers, &header::AUTHORIZATION);
        let token = given.and_then(|given| given.strip_prefix("Bearer "));
        match token {
            Some(token) if self.is_token(token.as_bytes()) => Ok(()),
            _ => Err(Refused(
                StatusCode::UNAUTHORIZED,
                "Authorization: Bearer, with the token of the printed address (#t=…) or of the ready file",
            )),
        }
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// A field that is there once: of two that differ nobody knows which one counts.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then(|| value.to_str().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().expect("a field's value"));
        }
        headers
    }

    #[test]
    fn only_the_own_page_under_an_own_name() {
        let guard = Guard::new("127.0.0.1:8025".parse().expect("an address")).expect("entropy");
        let path = Uri::from_static("/bridge/tcp?service=smtp");
        for host in ["localhost:8025", "127.0.0.1:8025", "[::1]:8025"] {
            let origin: &'static str = format!("http://{host}").leak();
            let fields = asked(&[("host", host), ("origin", origin)]);
            assert_eq!(guard.own_page(&path, &fields), Ok(()), "{host}");
        }
        let own = "http://127.0.0.1:8025";
        let wrong = [
            asked(&[("host", "127.0.0.1:8025")]),
            asked(&[("host", "127.0.0.1:8025"), ("origin", "null")]),
            asked(&[("host", "127.0.0.1:8025"), ("origin", "http://127.0.0.1:8026")]),
            asked(&[("host", "127.0.0.1:8025"), ("origin", "https://127.0.0.1:8025")]),
            asked(&[("host", "127.0.0.1:8025"), ("origin", "http://127.0.0.1:8025.evil.example")]),
            asked(&[("host", "127.0.0.1:8025"), ("origin", "http://localhost:8025")]),
            asked(&[("host", "127.0.0.1:8025"), ("origin", own), ("origin", "http://evil")]),
            asked(&[("host", "127.0.0.1"), ("origin", own)]),
            asked(&[("host", "evil.example:8025"), ("origin", "http://evil.example:8025")]),
            asked(&[("host", "127.0.0.1:8025"), ("host", "evil"), ("origin", own)]),
            asked(&[("origin", own)]),
        ];
        for fields in wrong {
            assert!(guard.own_page(&path, &fields).is_err(), "{fields:?}");
        }
        let elsewhere = Uri::from_static("http://evil.example/bridge/tcp?service=smtp");
        let fields = asked(&[("host", "127.0.0.1:8025"), ("origin", own)]);
        assert!(guard.own_page(&elsewhere, &fields).is_err());
    }

    #[test]
    fn a_program_needs_the_token_of_this_start() {
        let address = "127.0.0.1:8025".parse().expect("an address");
        let (guard, before) =
            (Guard::new(address).expect("entropy"), Guard::new(address).expect("entropy"));
        assert_ne!(guard.token(), before.token());
        let path = Uri::from_static("/api/stream");
        let with = |token: &str| {
            let mut fields = asked(&[("host", "127.0.0.1:8025")]);
            let value = format!("Bearer {token}").parse().expect("a field's value");
            fields.insert(header::AUTHORIZATION, value);
            fields
        };
        assert_eq!(guard.program(&path, &with(guard.token())), Ok(()));
        for token in ["", before.token(), &guard.token()[..31], "*"] {
            assert!(guard.program(&path, &with(token)).is_err(), "{token}");
        }
        let mut foreign = with(guard.token());
        foreign.insert(header::ORIGIN, "http://evil.example".parse().expect("a field's value"));
        assert!(guard.program(&path, &foreign).is_err());
    }
}
