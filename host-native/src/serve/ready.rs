//! The ready file: real addresses as JSON, written whole or not at all, once everything accepts.

use std::fs;
use std::net::SocketAddr;
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
}

pub(super) fn write(file: &Path, addresses: Addresses) -> Result<(), Error> {
    let failed = |error: std::io::Error| {
        Error::usage(format!("--ready-file {}: cannot write it: {error}", file.display()))
    };
    let json = serde_json::to_string(&addresses).map_err(|e| Error::failed(e.to_string()))?;
    let mut new = file.as_os_str().to_owned();
    new.push(".new");
    fs::write(&new, json + "\n").map_err(failed)?;
    fs::rename(&new, file).map_err(failed)
}
