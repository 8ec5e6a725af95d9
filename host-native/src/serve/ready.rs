//! That everything accepts, for programs: real addresses as JSON, in a file that is written whole or not at all, and as the
//! first line of standard output.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde::Serialize;

use crate::error::Error;

/// Where the services really listen.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Addresses {
    pub(crate) pid: u32,
    pub(crate) smtp: SocketAddr,
    pub(crate) pop3: SocketAddr,
    pub(crate) imap: SocketAddr,
    pub(crate) http: SocketAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) submission: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) submissions: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pop3s: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) imaps: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lmtp: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) imap_preauth: Option<SocketAddr>,
}

/// What is told.
#[derive(Serialize)]
pub(super) struct Ready<'a> {
    #[serde(flatten)]
    addresses: Addresses,
    /// With this pages and programs may watch what is said; only in the dev profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
}

/// The same among other events.
#[derive(Serialize)]
struct Event<'a> {
    event: &'static str,
    #[serde(flatten)]
    ready: &'a Ready<'a>,
}

impl<'a> Ready<'a> {
    pub(super) fn new(addresses: Addresses, token: Option<&'a str>) -> Self {
        Self { addresses, token }
    }

    /// Writes the file.
    pub(super) fn write(&self, file: &Path) -> Result<(), Error> {
        let failed = |error: std::io::Error| {
            Error::usage(format!("--ready-file {}: cannot write it: {error}", file.display()))
        };
        let json = json(self)?;
        let mut new = file.as_os_str().to_owned();
        new.push(".new");
        // The token is for whoever runs the server.
        let mut options = fs::OpenOptions::new();
        let opened = options.write(true).create(true).truncate(true).mode(0o600).open(&new);
        let written = opened.and_then(|mut file| file.write_all(json.as_bytes()));
        written.map_err(failed)?;
        fs::rename(&new, file).map_err(failed)
    }

    /// Prints the event.
    pub(super) fn print(&self) -> Result<(), Error> {
        let json = json(&Event { event: "ready", ready: self })?;
        let mut out = std::io::stdout().lock();
        let written = out.write_all(json.as_bytes()).and_then(|()| out.flush());
        written.map_err(|error| Error::failed(format!("--json: standard output: {error}")))
    }
}

/// One line.
fn json(value: &impl Serialize) -> Result<String, Error> {
    let json = serde_json::to_string(value).map_err(|e| Error::failed(e.to_string()))?;
    Ok(json + "\n")
}
