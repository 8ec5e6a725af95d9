//! The hosts that take mail for a next hop, each with what TLS must prove there.
//! The order and what it means are the engine's; here names are looked up.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use pillarbox_engine::relay::{Exchange, Hop, Lookup, Route, Unreached};
use pillarbox_engine::smtp::client::types::TlsPolicy;

use super::ask::broke;
use super::carrier::Proof;
use crate::client::policy::{NextHop, Policies, Unfit};
use crate::client::{Security, Target, Trust};
use crate::dns::{Answer, Dns, NoAnswer};
use crate::engine::Engine;

/// A host that is to be tried.
pub(super) struct Host {
    pub(super) target: Target,
    pub(super) security: Security,
}

/// Who says that a host is the next hop's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// An MX record without proof.
    Unproven,
    /// An MX record that DNSSEC proves.
    Proven,
    /// Nobody needs to: it is the next hop itself, by the map or since the domain has no MX (RFC 7672 §2.2.2).
    Itself,
}

/// Looks hosts up.
#[derive(Clone)]
pub(super) struct Hosts {
    pub(super) engine: Arc<Engine>,
    pub(super) dns: Dns,
    /// What TLS must prove.
    pub(super) policies: Policies,
    /// Our own names.
    pub(super) own_names: Vec<Vec<u8>>,
    /// Where we ourselves listen.
    pub(super) own_addresses: Vec<SocketAddr>,
}

impl Hosts {
    /// The names of a hop's hosts, best first, and who says so.
    pub(super) async fn names(
        &self,
        hop: &Hop,
        seed: u64,
    ) -> Result<(Vec<String>, Named), Unreached> {
        let host = text(&hop.next_hop.host)?;
        if hop.next_hop.lookup != Lookup::Exchanges {
            return Ok((vec![host], Named::Itself));
        }
        self.exchanges(&host, seed).await.map_err(|why| match why {
            // RFC 5321 §5.1 makes these the recipient's fault, which a slip in our own settings is not.
            Unreached::NoSuchDomain | Unreached::NullMx if hop.mapped => {
                wrong_map(&host);
                Unreached::NoNextHop
            }
            why => why,
        })
    }

    async fn exchanges(&self, domain: &str, seed: u64) -> Result<(Vec<String>, Named), Unreached> {
        // RFC 5321 §5.1: then the domain itself is its exchange.
        let implicit = || Ok((vec![domain.to_owned()], Named::Itself));
        let Answer { records, secure, .. } = match self.dns.mx(domain).await {
            Ok(answer) => answer,
            Err(NoAnswer::NoRecords) => return implicit(),
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
        let route = self.engine.relay().choose_route(&exchanges, &self.own_names, seed);
        let route = route.map_err(|trap| {
            broke(trap);
            Unreached::OurFault
        })?;
        match route {
            Route::Hosts(names) => {
                let names: Result<Vec<String>, Unreached> =
                    names.iter().map(|name| text(name)).collect();
                Ok((names?, if secure { Named::Proven } else { Named::Unproven }))
            }
            Route::Implicit => implicit(),
            Route::Null => Err(Unreached::NullMx),
            Route::Ours => Err(Unreached::Loop),
        }
    }

    /// Where a host is, and what TLS must prove there.
    pub(super) async fn host(
        &self,
        hop: &Hop,
        proof: Proof,
        name: &str,
        named: Named,
    ) -> Result<Host, Unreached> {
        let found = match name.parse::<IpAddr>() {
            Ok(address) => Answer { records: vec![address], name: name.to_owned(), secure: false },
            Err(_) => match self.dns.addresses(name).await {
                Ok(answer) => answer,
                Err(NoAnswer::NoName | NoAnswer::NoRecords) if hop.mapped => {
                    wrong_map(name);
                    return Err(Unreached::NoNextHop);
                }
                Err(NoAnswer::NoName | NoAnswer::NoRecords) => return Err(Unreached::NoAddress),
                Err(NoAnswer::Temporary(_)) => return Err(Unreached::DnsFailed),
            },
        };
        let addresses =
            found.records.iter().copied().map(|address| SocketAddr::new(address, hop.port()));
        let by_exchange = hop.next_hop.lookup == Lookup::Exchanges;
        let addresses: Vec<SocketAddr> =
            addresses.filter(|address| !self.is_ours(*address, by_exchange)).collect();
        if addresses.is_empty() {
            // Mail to ourselves would come round for ever.
            return Err(Unreached::Loop);
        }
        let way = NextHop {
            domain: &text(&hop.next_hop.host)?,
            host: name,
            canonical: &found.name,
            port: hop.port(),
            mx_secure: named != Named::Unproven,
            address_secure: found.secure,
        };
        let security = self.security(hop, proof, named, way).await?;
        Ok(Host { target: Target { name: name.to_owned(), addresses }, security })
    }

    /// Whether mail sent there would come round to us (RFC 5321 §5.1, §6.3): what listens there is one of our own
    /// listeners; or DNS, which knows no ports, names an address of this very machine, whatever takes its mail.
    fn is_ours(&self, address: SocketAddr, by_exchange: bool) -> bool {
        let ip = address.ip().to_canonical();
        let loopback = crate::config::is_loopback(ip);
        let listens = self.own_addresses.iter().any(|own| {
            // To connect to no address is to connect to this machine.
            let anywhere = ip.is_unspecified() && crate::config::is_loopback(own.ip())
                || own.ip().is_unspecified() && (ip.is_unspecified() || is_local(ip));
            own.port() == address.port() && (own.ip() == ip || anywhere)
        });
        // Several loopback addresses are several machines to who tries out a network on one.
        listens || by_exchange && !loopback && !ip.is_unspecified() && is_local(ip)
    }

    /// What TLS must prove there: as much as is configured, and more if the domain or the host's zone says so.
    async fn security(
        &self,
        hop: &Hop,
        proof: Proof,
        named: Named,
        way: NextHop<'_>,
    ) -> Result<Security, Unreached> {
        match hop.tls {
            TlsPolicy::None => return Ok(Security::None),
            TlsPolicy::Implicit => return Ok(Security::Implicit(Trust::Pkix)),
            // RFC 8689 §4.2.2: TLS if it can be had; what the domain publishes must not make the message fail.
            TlsPolicy::Opportunistic if proof == Proof::Optional => {
                return Ok(Security::Opportunistic);
            }
            TlsPolicy::Opportunistic | TlsPolicy::Required => {}
        }
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now_ms = u64::try_from(wall.as_millis()).unwrap_or(u64::MAX);
        let found = self.policies.security(way, now_ms).await.map_err(|unfit| {
            tracing::info!(domain = way.domain, host = way.host, %unfit, "the host must not get the mail");
            match unfit {
                Unfit::Unknown(_) => Unreached::DnsFailed,
                Unfit::NotNamed => Unreached::PolicyMismatch,
            }
        })?;
        // RFC 8689 §4.2.1: DNSSEC or MTA-STS must say that the host is the domain's; a name alone may be anybody's.
        let vouched = named == Named::Proven
            || hop.next_hop.lookup != Lookup::Exchanges
            || matches!(found, Security::Required(_));
        if proof == Proof::Required && !vouched {
            return Err(Unreached::TlsRequired);
        }
        Ok(match (hop.tls, found) {
            // Who insists on a proof wants one, even where nobody has published what it is.
            (TlsPolicy::Required, Security::Opportunistic | Security::Required(Trust::Any)) => {
                Security::Required(Trust::Pkix)
            }
            (_, found) => found,
        })
    }
}

fn wrong_map(host: &str) {
    let mend = "mend relay.smart_host or relay.routes; its mail waits";
    tracing::error!(host, "DNS knows no host that takes mail there: {mend}");
}

/// Whether this machine has the address: the kernel leaves from it to go there.
fn is_local(ip: IpAddr) -> bool {
    if crate::config::is_loopback(ip) {
        return true;
    }
    let any: IpAddr = match ip {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // Nothing is sent; a socket of datagrams only looks for its way.
    let from = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((ip, 9))?;
        socket.local_addr()
    });
    from.is_ok_and(|from| from.ip() == ip)
}

/// A name that DNS can be asked about.
fn text(name: &[u8]) -> Result<String, Unreached> {
    String::from_utf8(name.to_vec()).map_err(|_| Unreached::NoSuchDomain)
}
