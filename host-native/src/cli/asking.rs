//! What commands ask a running server of the dev profile over HTTP.

use std::time::Duration;

use clap::Args;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::error::{Error, Kind};
use crate::http::{Answer, Failure, Url, get};

/// Octets of an answer.
const BODY_MAX: usize = 64 << 20;

/// Which server is asked.
#[derive(Clone, Debug, Args)]
pub(super) struct AskFlags {
    /// Where the server's HTTP is
    #[arg(
        long,
        value_name = "URL",
        env = "PILLARBOX_URL",
        default_value = "http://127.0.0.1:8025"
    )]
    url: String,
}

/// A server that answers, and its address.
pub(super) struct Asked {
    url: Url,
    runtime: tokio::runtime::Runtime,
}

impl AskFlags {
    /// # Errors
    /// The address is none, or there are no threads.
    pub(super) fn open(&self) -> Result<Asked, Error> {
        let wrong = |what: &str| Error::usage(format!("--url {}: {what}", self.url));
        let url = Url::parse(&self.url).ok_or_else(|| {
            wrong("it is no address of a server; expected one such as http://127.0.0.1:8025")
        })?;
        if url.is_secure() || !url.is_local() {
            return Err(wrong("this is asked over plain HTTP on this machine alone"));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| Error::failed(format!("cannot start: {e}")))?;
        Ok(Asked { url, runtime })
    }
}

impl Asked {
    /// What is at a path, if the server says it within this time.
    pub(super) fn get(&self, path: &str, within: Duration) -> Result<Answer, Failure> {
        let host = self.url.host();
        // RFC 3986 §3.2.2: an IPv6 address stands in brackets.
        let name = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let authority = format!("{name}:{}", self.url.port());
        let asked = async {
            let stream = TcpStream::connect((host, self.url.port())).await?;
            get(stream, &authority, path, BODY_MAX).await
        };
        let timed = async { tokio::time::timeout(within, asked).await };
        self.runtime.block_on(timed).map_err(|_| Failure::from("it took too long"))?
    }

    /// The same as JSON, with its status.
    ///
    /// # Errors
    /// Nobody is there, or it is no server of ours.
    pub(super) fn json(&self, path: &str, within: Duration) -> Result<(u16, Value), Error> {
        let failed = |what: String| {
            let (host, port) = (self.url.host(), self.url.port());
            let help = "is `pillarbox` running there? --url names another place";
            Error::failed(format!("{host} port {port}: {what}; {help}"))
        };
        let answer = self.get(path, within).map_err(|error| failed(error.to_string()))?;
        let value: Value = serde_json::from_slice(&answer.body)
            .map_err(|_| failed(format!("status {} without JSON", answer.status)))?;
        Ok((answer.status.as_u16(), value))
    }
}

/// What was said where something else was expected.
pub(super) fn refused(status: u16, answer: &Value) -> Error {
    let why = answer["Error"].as_str().or(answer["error"].as_str()).unwrap_or("no reason");
    Error::failed(format!("the server says {status}: {why}"))
}

/// The time is over.
pub(super) fn too_late(message: impl Into<String>) -> Error {
    Error::new(Kind::TimedOut, message)
}

/// `10`, `10s` or `500ms`, as a flag.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 1),
        None => (text.strip_suffix('s').unwrap_or(text), 1000),
    };
    let time = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    time.map(Duration::from_millis).ok_or_else(|| "expected seconds, or such as 500ms".to_owned())
}
