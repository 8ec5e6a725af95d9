//! The ready file: real addresses as JSON, written whole or not at all, once everything accepts.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde::Serialize;

use crate::error::Error;

/// Where the services really listen.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Addresses {
    pub(super) pid: u32,
    pub(super) smtp: SocketAddr,
    pub(super) pop3: SocketAddr,
    pub(super) imap: SocketAddr,
    pub(super) http: SocketAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) submission: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) submissions: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pop3s: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) imaps: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lmtp: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) imap_preauth: Option<SocketAddr>,
}

/// What the file holds.
#[derive(Serialize)]
struct Ready<'a> {
    #[serde(flatten)]
    addresses: Addresses,
    /// With this programs may watch what is said; only in the dev profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
}

pub(super) fn write(file: &Path, addresses: Addresses, token: Option<&str>) -> Result<(), Error> {
    let failed = |error: std::io::Error| {
        Error::usage(format!("--ready-file {}: cannot write it: {error}", file.display()))
    };
    let json = serde_json::to_string(&Ready { addresses, token })
        .map_err(|e| Error::failed(e.to_string()))?;
    let mut new = file.as_os_str().to_owned();
    new.push(".new");
    // The token is for whoever runs the server.
    let mut options = fs::OpenOptions::new();
    let opened = options.write(true).create(true).truncate(true).mode(0o600).open(&new);
    let written = opened.and_then(|mut file| file.write_all((json + "\n").as_bytes()));
    written.map_err(failed)?;
    fs::rename(&new, file).map_err(failed)
}
