//! The hosts that take mail for a next hop, each with what TLS must prove there.
//! The order and what it means are the engine's; here names are looked up.

use std::net::{IpAddr, SocketAddr};

use pillarbox_engine::relay::{Exchange, Hop, Lookup, Route, Unreached, choose_route};
use pillarbox_engine::smtp::client::types::TlsPolicy;

use crate::client::{Security, Target};
use crate::dns::{Answer, Dns, NoAnswer};
use crate::tls::{Associations, Trust};

/// A host that is to be tried.
pub(super) struct Host {
    pub(super) target: Target,
    pub(super) security: Security,
}

/// Looks hosts up.
#[derive(Clone)]
pub(super) struct Hosts {
    pub(super) dns: Dns,
    /// Our own names.
    pub(super) own_names: Vec<Vec<u8>>,
    /// Where we ourselves listen.
    pub(super) own_addresses: Vec<SocketAddr>,
}

impl Hosts {
    /// The names of a hop's hosts, best first, and whether DNSSEC proves that they are the domain's.
    pub(super) async fn names(
        &self,
        hop: &Hop,
        seed: u64,
    ) -> Result<(Vec<String>, bool), Unreached> {
        let host = text(&hop.next_hop.host)?;
        match hop.next_hop.lookup {
            // Whoever configured the host meant it, so its own zone is enough.
            Lookup::Nothing | Lookup::Addresses => Ok((vec![host], true)),
            Lookup::Exchanges => self.exchanges(host, seed).await,
        }
    }

    async fn exchanges(&self, domain: String, seed: u64) -> Result<(Vec<String>, bool), Unreached> {
        let Answer { records, secure, .. } = match self.dns.mx(&domain).await {
            Ok(answer) => answer,
            // RFC 5321 §5.1: then the domain itself is its exchange.
            Err(NoAnswer::NoRecords) => return Ok((vec![domain], false)),
            Err(NoAnswer::NoName) => return Err(Unreached::NoSuchDomain),
            Err(NoAnswer::Temporary(why)) => {
                tracing::debug!(domain, why, "DNS");
                return Err(Unreached::DnsFailed);
            }
        };
        let exchanges: Vec<Exchange> = records
            .into_iter()
            .map(|mx| Exchange { preference: mx.preference, name: mx.exchange.into_bytes() })
            .collect();
        match choose_route(&exchanges, &self.own_names, seed) {
            Route::Hosts(names) => {
                let names: Result<Vec<String>, Unreached> =
                    names.iter().map(|name| text(name)).collect();
                Ok((names?, secure))
            }
            Route::Implicit => Ok((vec![domain], false)),
            Route::Null => Err(Unreached::NullMx),
            Route::Ours => Err(Unreached::Loop),
        }
    }

    /// Where a host is, and what TLS must prove there.
    pub(super) async fn host(
        &self,
        hop: &Hop,
        name: &str,
        is_proven: bool,
    ) -> Result<Host, Unreached> {
        let (addresses, secure) = match name.parse::<IpAddr>() {
            Ok(address) => (vec![address], false),
            Err(_) => match self.dns.addresses(name).await {
                Ok(answer) => (answer.records, answer.secure && is_proven),
                Err(NoAnswer::NoName | NoAnswer::NoRecords) => return Err(Unreached::NoAddress),
                Err(NoAnswer::Temporary(_)) => return Err(Unreached::DnsFailed),
            },
        };
        let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, hop.port()));
        let addresses: Vec<SocketAddr> =
            addresses.filter(|address| !self.is_ours(*address)).collect();
        if addresses.is_empty() {
            // Mail to ourselves would come round for ever.
            return Err(Unreached::Loop);
        }
        let security = self.security(hop, name, secure).await?;
        Ok(Host { target: Target { name: name.to_owned(), addresses }, security })
    }

    fn is_ours(&self, address: SocketAddr) -> bool {
        self.own_addresses.iter().any(|own| {
            let anywhere = own.ip().is_unspecified() && crate::config::is_loopback(address.ip());
            own.port() == address.port() && (own.ip() == address.ip() || anywhere)
        })
    }

    async fn security(&self, hop: &Hop, name: &str, secure: bool) -> Result<Security, Unreached> {
        let proof = if secure && hop.tls != TlsPolicy::None {
            self.dane(hop.port(), name).await?
        } else {
            None
        };
        Ok(match (hop.tls, proof) {
            (TlsPolicy::None, _) => Security::None,
            (TlsPolicy::Implicit, proof) => Security::Implicit(proof.unwrap_or(Trust::Pkix)),
            // RFC 7672 §2.2: records that nobody can use still say that there is TLS; who insists on a proof has none.
            (TlsPolicy::Required, None | Some(Trust::Any)) => Security::Required(Trust::Pkix),
            (TlsPolicy::Required | TlsPolicy::Opportunistic, Some(trust)) => {
                Security::Required(trust)
            }
            (TlsPolicy::Opportunistic, None) => Security::Opportunistic,
        })
    }

    /// RFC 7672 §2.2: what the host's zone says of its certificate; none if it says nothing.
    async fn dane(&self, port: u16, name: &str) -> Result<Option<Trust>, Unreached> {
        match self.dns.tlsa(port, name).await {
            Ok(answer) if answer.secure => {
                let names = vec![name.to_owned()];
                let usable = Associations::new(answer.records, names);
                Ok(Some(usable.map_or(Trust::Any, Trust::Dane)))
            }
            Ok(_) | Err(NoAnswer::NoName | NoAnswer::NoRecords) => Ok(None),
            // RFC 7672 §2.1.1: who suppresses the records must not get the mail.
            Err(NoAnswer::Temporary(_)) => Err(Unreached::DnsFailed),
        }
    }
}

/// A name that DNS can be asked about.
fn text(name: &[u8]) -> Result<String, Unreached> {
    String::from_utf8(name.to_vec()).map_err(|_| Unreached::NoSuchDomain)
}
