//! The ready file: real addresses as JSON, written whole or not at all, once everything accepts.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use serde::Serialize;
use tokio::net::TcpListener;

use crate::error::Error;

/// Where the services really listen.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Addresses {
    pub(super) pid: u32,
    pub(super) smtp: SocketAddr,
    pub(super) pop3: SocketAddr,
    pub(super) imap: SocketAddr,
    pub(super) http: SocketAddr,
}

impl Addresses {
    pub(super) fn of(
        smtp: &TcpListener,
        pop3: &TcpListener,
        imap: &TcpListener,
        http: &TcpListener,
    ) -> Result<Self, Error> {
        let address = |listener: &TcpListener| {
            listener.local_addr().map_err(|e| Error::failed(format!("cannot read an address: {e}")))
        };
        Ok(Self {
            pid: std::process::id(),
            smtp: address(smtp)?,
            pop3: address(pop3)?,
            imap: address(imap)?,
            http: address(http)?,
        })
    }
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
