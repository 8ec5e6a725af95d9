//! The web without I/O, for what is compared with mail and for mail that is read by it: a server's session, a
//! browser's, and what forms and pages say. Both note what each octet is; what a request does is left to whoever
//! answers it.

mod client;
mod form;
mod head;
mod multipart;
pub mod page;
mod rules;
mod server;
#[cfg(test)]
mod tests;
mod writing;

use pillarbox_engine::trace::Note;

pub use client::{Client, Heard};
pub use form::{encoded, plain as decoded};
pub use multipart::{Given, Upload};
pub use rules::RULES;
pub use server::Server;

/// Octets of a head: start line and fields. RFC 9112 §3 recommends at least 8000 for the first line.
const HEAD_MAX: usize = 16 * 1024;
/// Octets of a request's body: a letter as people write it by hand, without files.
pub const BODY_MAX: usize = 256 * 1024;
/// Octets of a response's body that a browser takes.
const PAGE_MAX: usize = 4 << 20;
/// A connection on which nobody asks for anything for so long is closed, in milliseconds.
pub(crate) const IDLE_MS: u64 = 60_000;

/// Every label of a span of a session of the web.
pub const HTTP_LABELS: &[&str] = &[
    "CRLF",
    "SP",
    "colon",
    "field-name",
    "field-value",
    "form-field",
    "http-version",
    "message body",
    "method",
    "reason-phrase",
    "request-target",
    "status-code",
    "unparsed",
];

/// Something that a web server has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its path, with the slash in front.
    pub path: String,
    /// Its media type.
    pub media_type: String,
    /// What it is.
    pub octets: Vec<u8>,
}

/// A request that is whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// What is to be done.
    pub method: String,
    /// With what.
    pub target: String,
    /// What the browser was given before to show again (RFC 6265 §4.2).
    pub cookies: String,
    /// What it brings is this; empty: what a plain form says.
    pub media_type: String,
    /// What it brings.
    pub body: Vec<u8>,
}

impl Request {
    /// The target without its query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The value of a cookie.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let mut pairs = self.cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(own, _)| *own == name).map(|(_, value)| value)
    }

    /// What stands behind the question mark of the target, as a form that was sent by GET.
    #[must_use]
    pub fn query(&self) -> Given {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        Given { fields: form::decode(query.as_bytes()), files: Vec::new() }
    }

    /// What the form that it brings says.
    #[must_use]
    pub fn given(&self) -> Given {
        multipart::read(&self.media_type, &self.body)
    }
}

/// What a request is answered with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// How it went.
    pub status: u16,
    /// The same in words; empty: the words of RFC 9110.
    pub phrase: String,
    /// What the object is; empty: there is none.
    pub media_type: String,
    /// Fields besides those of the object.
    pub fields: Vec<(&'static str, String)>,
    /// The object.
    pub body: Vec<u8>,
    /// Whether the server ends the connection with it.
    pub close: bool,
}

impl Response {
    /// One with nothing but a status.
    #[must_use]
    pub fn of(status: u16) -> Self {
        Self { status, ..Self::default() }
    }
}

/// What a session leaves behind, in causal order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Octets for the other side.
    Transmit(Vec<u8>),
    /// What octets are.
    Note(Note),
    /// A server's session has a request to be answered, and reads no further before that.
    Request(Request),
    /// A browser's session has the response to its request.
    Response(Heard),
    /// Nothing more is said.
    Close,
}

/// What a server that has these pages and no more says to a request.
#[must_use]
pub fn give(pages: &[Resource], request: &Request) -> Response {
    let found = pages.iter().find(|page| page.path == request.path());
    match (&request.method[..], found) {
        ("GET" | "HEAD", Some(page)) => Response {
            media_type: page.media_type.clone(),
            body: page.octets.clone(),
            ..Response::of(200)
        },
        ("GET" | "HEAD" | "POST", None) => Response::of(404),
        ("POST", Some(_)) => only("GET, HEAD"),
        _ => Response::of(501),
    }
}

/// What is said where a target takes other methods alone.
#[must_use]
pub fn only(methods: &str) -> Response {
    Response { fields: vec![("Allow", methods.to_owned())], ..Response::of(405) }
}
