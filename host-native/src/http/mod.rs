//! Asks web servers: one request, one answer, over HTTP or HTTPS, bounded in octets and in time.
//! Redirects are not followed: whoever is asked was named in the settings, and nobody else is meant.

mod url;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::error::Error;
use crate::tls::client_config;

pub use url::Url;

/// For all of one request.
const WITHIN: Duration = Duration::from_secs(5);
/// Octets of an answer's body.
const BODY_MAX: usize = 256 * 1024;
/// Octets of an answer's head.
const HEAD_MAX: usize = 16 * 1024;

/// Asks web servers that certificates of these authorities vouch for.
#[derive(Clone)]
pub struct HttpClient {
    tls: Arc<rustls::ClientConfig>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body.
    pub body: Bytes,
}

/// A request's body and the credentials that go with it.
#[derive(Debug, Default)]
pub struct Form {
    /// Names and values, as `application/x-www-form-urlencoded`.
    pub fields: Vec<(&'static str, String)>,
    /// The `Authorization` field.
    pub authorization: Option<String>,
}

/// Why nothing came back.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

impl HttpClient {
    /// A client that trusts the authorities in this PEM file, or without one those of the machine.
    ///
    /// # Errors
    /// The file cannot be read or holds no certificates.
    pub fn new(authorities: Option<&Path>) -> Result<Self, Error> {
        Ok(Self { tls: client_config(authorities)? })
    }

    /// `GET`, or `POST` of a form.
    ///
    /// # Errors
    /// The server cannot be reached, is not who it should be, or says too much or too slowly.
    pub async fn ask(&self, url: &Url, form: Option<Form>) -> Result<Answer, Failure> {
        let asked = tokio::time::timeout(WITHIN, self.ask_now(url, form));
        asked.await.map_err(|_| Failure::from("it took too long"))?
    }

    /// `POST` of JSON.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub async fn post_json(&self, url: &Url, json: String) -> Result<Answer, Failure> {
        let request = head(url).method("POST").header(header::CONTENT_TYPE, "application/json");
        let request = request.body(Full::from(json))?;
        let asked = tokio::time::timeout(WITHIN, self.converse(url, request));
        asked.await.map_err(|_| Failure::from("it took too long"))?
    }

    async fn ask_now(&self, url: &Url, form: Option<Form>) -> Result<Answer, Failure> {
        self.converse(url, request(url, form)?).await
    }

    async fn converse(&self, url: &Url, request: Request<Full<Bytes>>) -> Result<Answer, Failure> {
        let stream = TcpStream::connect((url.host(), url.port())).await?;
        if !url.is_secure() {
            return converse(stream, request, BODY_MAX).await;
        }
        let name = ServerName::try_from(url.host().to_owned())?;
        let stream = TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await?;
        converse(stream, request, BODY_MAX).await
    }
}

/// What stands in every request.
fn head(url: &Url) -> hyper::http::request::Builder {
    Request::builder()
        .uri(url.path())
        .header(header::HOST, url.authority())
        .header(header::ACCEPT, "application/json")
        .header(header::CONNECTION, "close")
}

fn request(url: &Url, form: Option<Form>) -> Result<Request<Full<Bytes>>, Failure> {
    let builder = head(url);
    let Some(form) = form else { return Ok(builder.body(Full::default())?) };
    let builder = match form.authorization {
        Some(authorization) => builder.header(header::AUTHORIZATION, authorization),
        None => builder,
    };
    let fields = form.fields.iter().map(|(name, value)| format!("{name}={}", escaped(value)));
    let body = fields.collect::<Vec<_>>().join("&");
    let builder = builder.method("POST");
    let builder = builder.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    Ok(builder.body(Full::from(body))?)
}

/// `GET` over a connection that is there already; the caller bounds the time.
pub(crate) async fn get<S>(
    stream: S,
    host: &str,
    path: &str,
    body_max: usize,
) -> Result<Answer, Failure>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let request = Request::builder().uri(path).header(header::HOST, host);
    let request = request.header(header::CONNECTION, "close").body(Full::default())?;
    converse(stream, request, body_max).await
}

/// For a form, and for what goes into Basic credentials (RFC 6749 §2.3.1).
#[must_use]
pub fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for octet in value.bytes() {
        match octet {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(octet));
            }
            _ => out.push_str(&format!("%{octet:02X}")),
        }
    }
    out
}

async fn converse<S>(
    stream: S,
    request: Request<Full<Bytes>>,
    body_max: usize,
) -> Result<Answer, Failure>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = hyper::client::conn::http1::Builder::new();
    let (mut sender, connection) =
        builder.max_buf_size(HEAD_MAX).handshake(TokioIo::new(stream)).await?;
    let driven = tokio::spawn(connection);
    let asked = async {
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), body_max).collect().await?.to_bytes();
        Ok(Answer { status, body })
    };
    let answer = asked.await;
    driven.abort();
    answer
}
