//! `[dns]`: whom to ask for names.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

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
    /// File of DNSKEY records that are trusted in place of the root's, for a private root.
    pub trust_anchors: Option<PathBuf>,
}

impl DnsFile {
    /// The settings; `base` is where the file is.
    pub(super) fn settings(self, base: &Path) -> ResolverSettings {
        let Self { servers, dnssec, trust_anchors } = self;
        let trust_anchors = trust_anchors.map(|file| base.join(file));
        ResolverSettings { servers, dnssec, trust_anchors }
    }
}
