//! Answers from DNS servers: those that are set, or this system's. Whether a failure is for good is read from it here, and
//! nowhere else.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ProtocolConfig, ResolveHosts, ResolverConfig,
};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::dnssec::{Proof, TrustAnchors};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};

use super::{Answer, Kind, Looking, Mx, NoAnswer, RECORDS_MAX, Record, Source, Tlsa};
use crate::error::Error;

/// Answers that are kept until they expire.
const CACHE_MAX: u64 = 10_000;

/// How names are looked up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolverSettings {
    /// Servers to ask; none: those of this system (`/etc/resolv.conf`).
    pub servers: Vec<SocketAddr>,
    /// Whether signatures are checked, up to the root: without that there is no DANE.
    pub dnssec: bool,
    /// DNSKEY records that are trusted in place of the root's.
    pub trust_anchors: Option<PathBuf>,
}

/// A resolver with a cache, which its clones share.
#[derive(Clone)]
pub struct Resolver(TokioResolver);

impl Resolver {
    /// A resolver with these settings.
    ///
    /// # Errors
    /// This system's settings, or the trust anchors, cannot be read.
    pub fn new(settings: &ResolverSettings) -> Result<Self, Error> {
        let failed = |error: NetError| {
            Error::usage(format!("dns: this system's resolver settings: {error}; set servers"))
        };
        let mut builder = if settings.servers.is_empty() {
            TokioResolver::builder_tokio().map_err(failed)?
        } else {
            let servers = settings.servers.iter().copied().map(server).collect();
            let config = ResolverConfig::from_parts(None, Vec::new(), servers);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        };
        if let Some(file) = settings.trust_anchors.as_ref().filter(|_| settings.dnssec) {
            let anchors = TrustAnchors::from_file(file).map_err(|error| {
                Error::usage(format!("dns.trust_anchors: {}: {error}", file.display()))
            })?;
            builder = builder.with_trust_anchor(Arc::new(anchors));
        }
        let options = builder.options_mut();
        options.validate = settings.dnssec;
        options.cache_size = CACHE_MAX;
        // Mail goes by DNS alone (RFC 5321 §5.1); a file on this machine cannot stand for an MX.
        options.use_hosts_file = ResolveHosts::Never;
        let resolver = builder.build().map_err(|error| Error::failed(format!("dns: {error}")))?;
        Ok(Self(resolver))
    }

    /// The same resolver, with the same cache, as mail-auth takes it.
    #[must_use]
    pub fn shared(&self) -> TokioResolver {
        self.0.clone()
    }

    async fn answer(&self, name: &str, kind: Kind) -> Result<Answer<Record>, NoAnswer> {
        // A name that cannot be one is not there.
        let name = fully_qualified(name).ok_or(NoAnswer::NoName)?;
        match self.0.lookup(name.clone(), record_type(kind)).await {
            Ok(lookup) => read(&lookup, name, kind),
            Err(error) => Err(why(&error)),
        }
    }
}

impl Source for Resolver {
    fn look_up<'a>(&'a self, name: &'a str, kind: Kind) -> Looking<'a> {
        Box::pin(self.answer(name, kind))
    }
}

fn server(address: SocketAddr) -> NameServerConfig {
    let connection = |protocol| {
        let mut connection = ConnectionConfig::new(protocol);
        connection.port = address.port();
        connection
    };
    let connections = vec![connection(ProtocolConfig::Udp), connection(ProtocolConfig::Tcp)];
    NameServerConfig::new(address.ip(), true, connections)
}

fn record_type(kind: Kind) -> RecordType {
    match kind {
        Kind::Mx => RecordType::MX,
        Kind::A => RecordType::A,
        Kind::Aaaa => RecordType::AAAA,
        Kind::Txt => RecordType::TXT,
        Kind::Tlsa => RecordType::TLSA,
        Kind::Ptr => RecordType::PTR,
        Kind::Cname => RecordType::CNAME,
    }
}

/// The records of the name that aliases lead to, and whether all on the way is proven.
fn read(lookup: &Lookup, asked: Name, kind: Kind) -> Result<Answer<Record>, NoAnswer> {
    let mut secure = true;
    let mut name = asked;
    let mut records = Vec::new();
    for record in lookup.answers() {
        match record.proof {
            Proof::Secure => {}
            Proof::Bogus => {
                return Err(NoAnswer::Temporary("DNSSEC validation failed".to_owned()));
            }
            Proof::Insecure | Proof::Indeterminate => secure = false,
        }
        if record.record_type() == record_type(kind) {
            name.clone_from(&record.name);
            if records.len() < RECORDS_MAX {
                records.extend(data(&record.data));
            }
        }
    }
    if records.is_empty() {
        return Err(NoAnswer::NoRecords);
    }
    Ok(Answer { records, name: text(&name), secure })
}

fn data(data: &RData) -> Option<Record> {
    Some(match data {
        RData::MX(mx) => Record::Mx(Mx { preference: mx.preference, exchange: text(&mx.exchange) }),
        RData::A(address) => Record::A(address.0),
        RData::AAAA(address) => Record::Aaaa(address.0),
        RData::TXT(text) => Record::Txt(text.txt_data.concat()),
        RData::TLSA(tlsa) => Record::Tlsa(Tlsa {
            usage: tlsa.cert_usage.into(),
            selector: tlsa.selector.into(),
            matching: tlsa.matching.into(),
            data: tlsa.cert_data.clone(),
        }),
        RData::PTR(name) => Record::Ptr(text(name)),
        RData::CNAME(name) => Record::Cname(text(name)),
        _ => return None,
    })
}

/// A fully qualified name; nothing for what cannot be one. Names of hosts and of what is not a host have underscores in
/// any label, so only what is not ASCII has to be a name for IDNA.
fn fully_qualified(text: &str) -> Option<Name> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let name = match text.is_ascii() {
        true => Name::from_labels(text.split('.').map(str::as_bytes)),
        false => Name::from_utf8(text),
    };
    let mut name = name.ok()?;
    // Otherwise the domains that this machine searches would be tried.
    name.set_fqdn(true);
    Some(name)
}

/// A name in lower case, as A-labels, without the dot at its end.
fn text(name: &Name) -> String {
    let text = name.to_lowercase().to_ascii();
    text.strip_suffix('.').unwrap_or(&text).to_owned()
}

fn why(error: &NetError) -> NoAnswer {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => NoAnswer::NoName,
            ResponseCode::NoError => NoAnswer::NoRecords,
            code => NoAnswer::Temporary(code.to_string()),
        },
        NetError::Dns(DnsError::Nsec { response, proof, .. }) => {
            match (proof, response.response_code) {
                (Proof::Secure | Proof::Insecure, ResponseCode::NXDomain) => NoAnswer::NoName,
                (Proof::Secure | Proof::Insecure, ResponseCode::NoError) => NoAnswer::NoRecords,
                _ => NoAnswer::Temporary("DNSSEC validation failed".to_owned()),
            }
        }
        error => NoAnswer::Temporary(error.to_string()),
    }
}
