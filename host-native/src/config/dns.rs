//! `[dns]`: which name servers are asked, and whether their answers must be proven.

use std::net::{IpAddr, SocketAddr};

use serde::Deserialize;

use crate::dns::ResolverSettings;
use crate::error::Error;

/// Where name servers listen.
const PORT: u16 = 53;

/// `[dns]`, as the file has it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DnsFile {
    /// Addresses with or without a port; this system's name servers if missing.
    #[serde(default)]
    pub servers: Vec<String>,
    /// Whether signatures are checked; false, since many a name server in between does not pass them on, and then all
    /// mail to signed domains would wait.
    #[serde(default)]
    pub dnssec: bool,
}

impl DnsFile {
    /// # Errors
    /// A server is no address; the message says which.
    pub(super) fn settings(&self) -> Result<ResolverSettings, Error> {
        let servers = self.servers.iter().map(|text| server(text)).collect::<Result<_, _>>()?;
        Ok(ResolverSettings { servers, dnssec: self.dnssec })
    }
}

fn server(text: &str) -> Result<SocketAddr, Error> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, PORT)).map_err(|_| {
        Error::usage(format!(
            "dns.servers: `{text}` is not an address such as 192.0.2.53, 127.0.0.1:5353 or [::1]:5353"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_addresses_with_or_without_a_port() {
        let of = |text: &str| {
            let file: DnsFile = toml::from_str(text).expect("it fits");
            file.settings().map_err(|error| error.to_string())
        };
        let settings = of("servers = ['127.0.0.1:5353', '::1']\ndnssec = true").expect("addresses");
        let servers: Vec<_> = settings.servers.iter().map(ToString::to_string).collect();
        assert_eq!(
            (servers, settings.dnssec),
            (vec!["127.0.0.1:5353".into(), "[::1]:53".into()], true)
        );
        assert_eq!(of(""), Ok(ResolverSettings::default()));
        let error =
            of("servers = ['ns.example']").expect_err("a name leads nowhere without a server");
        assert!(error.contains("dns.servers: `ns.example`"), "{error}");
        assert!(toml::from_str::<DnsFile>("server = 'x'").is_err());
    }
}
