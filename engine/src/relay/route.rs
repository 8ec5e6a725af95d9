//! Where mail for a domain goes: by configured routes, or by the domain's MX records (RFC 5321 §5.1).
//! DNS itself is the host's: it looks names up, follows aliases, and says what it found.

use alloc::format;
use alloc::vec::Vec;
use core::net::IpAddr;

use super::Draw;
use super::types::{Exchange, Hop, Lookup, Place, Route, Transport};
use crate::limits::ROUTE_HOSTS_MAX;
use crate::smtp::Service;
use crate::smtp::client::types::TlsPolicy;
use crate::text::domain;
use crate::trace::Rule;

// RFC 5321 §5.1
pub(super) const LOCATING: Rule = Rule {
    rfc: 5321,
    section: "5.1",
    gist: "MX records are tried by preference, equals in random order; our own and all beyond are left out.",
};

/// A recipient's domain in the one form by which all that goes to it is found: lower case, no dot at the end, A-labels
/// (RFC 5890), address literals in the usual form of their address.
///
/// What is no domain is only put in lower case: it is a destination of its own, and DNS knows nothing of it.
#[must_use]
pub fn destination(domain: &[u8]) -> Vec<u8> {
    match literal(domain) {
        Some(address) => bracketed(address),
        None => domain::to_ascii(domain),
    }
}

/// The way for a recipient's domain by this map: of all patterns that fit, the most specific one counts, and of equal
/// ones the first.
///
/// Without any, mail goes to the domain itself by SMTP, with TLS if it is offered.
#[must_use]
pub fn next_hop(transports: &[Transport], domain: &[u8]) -> Hop {
    let domain = destination(domain);
    let mut best: Option<(usize, &Transport)> = None;
    for transport in transports {
        if let Some(rank) = rank(&transport.pattern, &domain)
            && best.is_none_or(|(other, _)| rank > other)
        {
            best = Some((rank, transport));
        }
    }
    let (service, tls) = best
        .map_or((Service::Smtp, TlsPolicy::Opportunistic), |(_, found)| (found.service, found.tls));
    let configured = best.and_then(|(_, transport)| transport.next_hop.clone());
    let is_mapped = configured.is_some();
    let next_hop = configured.unwrap_or_else(|| match literal(&domain) {
        Some(address) => {
            Place { host: print_address(address), lookup: Lookup::Nothing, port: None }
        }
        None => Place { host: domain.clone(), lookup: Lookup::Exchanges, port: None },
    });
    // A map may name a domain for its port or its TLS alone; what DNS says of it is still the recipient's fault.
    let is_own = next_hop.lookup == Lookup::Exchanges && next_hop.host == domain;
    Hop { mapped: is_mapped && !is_own, next_hop, service, tls }
}

/// How well a pattern fits; none if it does not. Longer is more specific, and a whole name is more than what it ends with.
fn rank(pattern: &[u8], domain: &[u8]) -> Option<usize> {
    if pattern == b"*" {
        return Some(0);
    }
    if let Some(parent) = pattern.strip_prefix(b".") {
        let parent = destination(parent);
        let inside = domain.strip_suffix(&parent[..])?.strip_suffix(b".")?;
        return (!inside.is_empty()).then_some(1 + parent.len());
    }
    (destination(pattern) == domain).then_some(usize::MAX)
}

/// A text that names no place to hand mail to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadHop;

impl Place {
    /// Reads a place as people write it: `hamburger.edu` for a domain's exchanges, `[mx.hamburger.edu]` or `[192.0.2.1]`
    /// for a host itself, each with `:port` behind it or without.
    ///
    /// # Errors
    /// It is neither, or the port is none.
    pub fn parse(text: &[u8]) -> Result<Self, BadHop> {
        if let Some(inside) = text.strip_prefix(b"[") {
            let end = inside.iter().position(|octet| *octet == b']').ok_or(BadHop)?;
            let port = port(&inside[end + 1..])?;
            if let Some(address) = address(&inside[..end]) {
                return Ok(Self { host: print_address(address), lookup: Lookup::Nothing, port });
            }
            let host = name(&inside[..end])?;
            return Ok(Self { host, lookup: Lookup::Addresses, port });
        }
        let end = text.iter().position(|octet| *octet == b':').unwrap_or(text.len());
        let port = port(&text[end..])?;
        Ok(Self { host: name(&text[..end])?, lookup: Lookup::Exchanges, port })
    }

    /// Prints it as [`parse`](Self::parse) reads it.
    #[must_use]
    pub fn print(&self) -> Vec<u8> {
        let mut out = match self.lookup {
            Lookup::Exchanges => self.host.clone(),
            Lookup::Addresses | Lookup::Nothing => [b"[", &self.host[..], b"]"].concat(),
        };
        if let Some(port) = self.port {
            out.extend_from_slice(format!(":{port}").as_bytes());
        }
        out
    }
}

impl Hop {
    /// The port: 25, 587 or 24 (RFC 5321 §4.5.4.2, RFC 6409 §3.1, RFC 2033 has none and this is the registered one),
    /// or 465 with TLS from the start, unless it is set.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.next_hop.port.unwrap_or(match (self.service, self.tls) {
            (Service::Lmtp, _) => 24,
            (_, TlsPolicy::Implicit) => 465,
            (Service::Submission, _) => 587,
            (Service::Smtp, _) => 25,
        })
    }

    /// What the queue keeps its tasks by: mail with the same key can go over one connection.
    ///
    /// The domain alone, unless a transport map leads elsewhere or asks for more or less TLS than usual: a server that
    /// cannot prove itself is left alone by the mail that needs a proof, and by no other.
    #[must_use]
    pub fn key(&self) -> Vec<u8> {
        let service: &[u8] = match self.service {
            Service::Smtp => b"",
            Service::Submission => b"submission:",
            Service::Lmtp => b"lmtp:",
        };
        let tls: &[u8] = match self.tls {
            TlsPolicy::Opportunistic => b"",
            TlsPolicy::None => b" tls-none",
            TlsPolicy::Required => b" tls-required",
            TlsPolicy::Implicit => b" tls-implicit",
        };
        [service, &self.next_hop.print(), tls].concat()
    }
}

/// `:port`, or nothing.
fn port(text: &[u8]) -> Result<Option<u16>, BadHop> {
    let Some(digits) = text.strip_prefix(b":") else {
        return if text.is_empty() { Ok(None) } else { Err(BadHop) };
    };
    let digits = core::str::from_utf8(digits).map_err(|_| BadHop)?;
    // `parse` would take a sign.
    let right = digits.bytes().all(|octet| octet.is_ascii_digit());
    let port = digits.parse().ok().filter(|port| right && *port != 0);
    port.map(Some).ok_or(BadHop)
}

fn name(text: &[u8]) -> Result<Vec<u8>, BadHop> {
    let name = domain::to_ascii(text);
    if domain::is_name(&name) { Ok(name) } else { Err(BadHop) }
}

/// Orders a domain's exchanges. Those at our own preference and beyond are left out (RFC 5321 §5.1).
///
/// `own_names` are this host's names, compared without regard to case; `seed` decides among equals. Of more than
/// [`ROUTE_HOSTS_MAX`] hosts the best are kept.
#[must_use]
pub fn choose_route(exchanges: &[Exchange], own_names: &[Vec<u8>], seed: u64) -> Route {
    if exchanges.is_empty() {
        return Route::Implicit;
    }
    // RFC 7505: it stands alone; beside others it says nothing.
    let named = |exchange: &&Exchange| !exchange.name.is_empty() && exchange.name != b".";
    let mut ranked: Vec<(u16, Vec<u8>)> = exchanges
        .iter()
        .filter(named)
        .map(|exchange| (exchange.preference, domain::to_ascii(&exchange.name)))
        .collect();
    if ranked.is_empty() {
        return Route::Null;
    }
    let own: Vec<Vec<u8>> = own_names.iter().map(|name| domain::to_ascii(name)).collect();
    let is_own = |name: &[u8]| own.iter().any(|own| own == name);
    let cut = ranked.iter().filter(|(_, name)| is_own(name)).map(|(rank, _)| *rank).min();
    if let Some(cut) = cut {
        ranked.retain(|(rank, _)| *rank < cut);
    }
    if ranked.is_empty() {
        return Route::Ours;
    }
    // By name first, so that the order that DNS gave them in, which changes, does not decide what the seed should.
    crate::order::sort(&mut ranked);
    let mut draw = Draw(seed);
    let mut lots: Vec<(u16, u64, Vec<u8>)> =
        ranked.into_iter().map(|(rank, name)| (rank, draw.next(), name)).collect();
    crate::order::sort(&mut lots);
    let mut hosts: Vec<Vec<u8>> = Vec::with_capacity(lots.len().min(ROUTE_HOSTS_MAX));
    for (_, _, name) in lots {
        if hosts.len() < ROUTE_HOSTS_MAX && !hosts.contains(&name) {
            hosts.push(name);
        }
    }
    Route::Hosts(hosts)
}

/// `address-literal` (RFC 5321 §4.1.3) of a kind that can be connected to.
fn literal(domain: &[u8]) -> Option<IpAddr> {
    address(domain.strip_prefix(b"[")?.strip_suffix(b"]")?)
}

/// An IP address, with the tag of a literal or without.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = core::str::from_utf8(text).ok()?;
    let tagged = text.split_once(':').filter(|(tag, _)| tag.eq_ignore_ascii_case("IPv6"));
    match tagged {
        Some((_, address)) => address.parse().ok().map(IpAddr::V6),
        None => text.parse().ok(),
    }
}

fn print_address(address: IpAddr) -> Vec<u8> {
    format!("{address}").into_bytes()
}

fn bracketed(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => format!("[{address}]"),
        IpAddr::V6(address) => format!("[IPv6:{address}]"),
    }
    .into_bytes()
}
