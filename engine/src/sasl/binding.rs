//! Channel binding (RFC 5056): which kinds there are, and what the TLS handshake gave for each.
//! The host computes the data; here it is only named, found and compared.

use crate::types::TlsFacts;

/// A kind of channel binding.
///
/// RFC 5802 §6.1, narrower: its `tls-unique` is not among them, since TLS 1.3 has none (RFC 9266 §3
/// puts `tls-exporter` in its place) and in TLS 1.2 it binds only with an extension that a host
/// cannot look up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binding {
    /// RFC 9266: bound to this very connection.
    TlsExporter,
    /// RFC 5929 §4: bound to the server's certificate.
    TlsServerEndPoint,
}

impl Binding {
    /// Best first.
    const ALL: [Self; 2] = [Self::TlsExporter, Self::TlsServerEndPoint];

    /// Its registered name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::TlsExporter => "tls-exporter",
            Self::TlsServerEndPoint => "tls-server-end-point",
        }
    }

    /// The kind of this name; registered names are compared as they are.
    pub(super) fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name().as_bytes() == name)
    }

    /// The best kind that a connection has data for.
    pub(super) fn best(tls: Option<&TlsFacts>) -> Option<(Self, &[u8])> {
        Self::ALL.into_iter().find_map(|kind| Some((kind, kind.data(tls)?)))
    }

    /// What both ends of a connection know and nobody between them does.
    pub(super) fn data(self, tls: Option<&TlsFacts>) -> Option<&[u8]> {
        let tls = tls?;
        let data = match self {
            Self::TlsExporter => &tls.exporter,
            Self::TlsServerEndPoint => &tls.server_end_point,
        };
        (!data.is_empty()).then_some(data)
    }
}
