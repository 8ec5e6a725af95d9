//! `[dns]`: whom to ask for names.

use std::net::SocketAddr;

use serde::Deserialize;

use crate::dns::ResolverSettings;

/// `[dns]`, as the file has it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DnsFile {
    /// Servers to ask, such as `127.0.0.1:53`; those of this system if missing.
    #[serde(default)]
    pub servers: Vec<SocketAddr>,
    /// Whether signatures are checked, without which there is no DANE [default: false].
    #[serde(default)]
    pub dnssec: bool,
}

impl From<DnsFile> for ResolverSettings {
    fn from(DnsFile { servers, dnssec }: DnsFile) -> Self {
        Self { servers, dnssec }
    }
}
