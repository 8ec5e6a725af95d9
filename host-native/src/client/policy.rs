//! On which terms a host gets a domain's mail: DANE first (RFC 7672), then MTA-STS (RFC 8461), otherwise as well as it
//! goes (RFC 7435). An answer that may be somebody's interference is never taken for leave to do without.

use std::fmt;
use std::sync::Arc;

use super::Security;
use super::sts::{Mode, MtaSts};
use crate::dns::{Dns, NoAnswer};
use crate::tls::{Associations, Trust};

/// Decides for each host.
#[derive(Clone)]
pub struct Policies {
    dns: Dns,
    sts: Option<Arc<MtaSts>>,
}

/// A host, and how it was found.
#[derive(Clone, Copy, Debug)]
pub struct NextHop<'a> {
    /// The domain that mail is for.
    pub domain: &'a str,
    /// The host that takes it: an MX, or the domain itself.
    pub host: &'a str,
    /// The name that has its addresses: the same, or where its CNAMEs end ([`crate::dns::Answer::name`]).
    pub canonical: &'a str,
    /// The port there.
    pub port: u16,
    /// Whether DNSSEC proves that the host takes the domain's mail ([`crate::dns::Answer::secure`] of the MX), or nobody
    /// has to, since it is the domain itself or was configured.
    pub mx_secure: bool,
    /// Whether DNSSEC proves the host's addresses.
    pub address_secure: bool,
}

/// Why a host must not get the mail now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Its certificate associations cannot be looked up: to go on would be what an attacker wants.
    Unknown(String),
    /// The domain's policy does not name it.
    NotNamed,
}

impl Unfit {
    /// In words for the report, with an RFC 3463 status in front.
    #[must_use]
    pub fn diagnosis(&self) -> String {
        match self {
            Self::Unknown(why) => {
                format!("4.7.5 The server's certificate associations cannot be looked up: {why}")
            }
            Self::NotNamed => {
                "4.7.5 The domain's MTA-STS policy does not name the server".to_owned()
            }
        }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.diagnosis())
    }
}

impl std::error::Error for Unfit {}

impl Policies {
    /// Decisions from what DNS says, and from policies over HTTPS if they are wanted.
    #[must_use]
    pub fn new(dns: Dns, sts: Option<Arc<MtaSts>>) -> Self {
        Self { dns, sts }
    }

    /// The terms for this host; `now_ms` is the wall clock.
    ///
    /// # Errors
    /// [`Unfit`]: another host of the domain may do, and this one later.
    pub async fn security(&self, hop: NextHop<'_>, now_ms: u64) -> Result<Security, Unfit> {
        if let Some(trust) = self.dane(hop).await? {
            return Ok(Security::Required(trust));
        }
        let Some(sts) = &self.sts else { return Ok(Security::Opportunistic) };
        let Some(policy) = sts.policy(&self.dns, hop.domain, now_ms).await else {
            return Ok(Security::Opportunistic);
        };
        match (policy.mode, policy.names(hop.host)) {
            (Mode::Enforce, true) => Ok(Security::Required(Trust::Pkix)),
            (Mode::Enforce, false) => Err(Unfit::NotNamed),
            (Mode::Testing, named) => {
                if !named {
                    let (domain, host) = (hop.domain, hop.host);
                    tracing::info!(
                        domain,
                        host,
                        "its MTA-STS policy, in testing, does not name this host"
                    );
                }
                Ok(Security::Opportunistic)
            }
            (Mode::None, _) => Ok(Security::Opportunistic),
        }
    }

    /// What the host's zone says of its certificate; nothing if it says nothing, or cannot prove it.
    async fn dane(&self, hop: NextHop<'_>) -> Result<Option<Trust>, Unfit> {
        for base in self.tlsa_bases(hop).await? {
            match self.dns.tlsa(hop.port, base).await {
                Ok(answer) if answer.secure => {
                    let names = vec![base.to_owned(), hop.domain.to_owned()];
                    // RFC 7672 §2.2: records that cannot be used still say that there is TLS.
                    let trust = Associations::new(answer.records, names);
                    return Ok(Some(trust.map_or(Trust::Any, Trust::Dane)));
                }
                Ok(_) | Err(NoAnswer::NoName | NoAnswer::NoRecords) => {}
                // RFC 7672 §2.1.2.
                Err(NoAnswer::Temporary(why)) => return Err(Unfit::Unknown(why)),
            }
        }
        Ok(None)
    }

    /// Below which names associations are looked for (RFC 7672 §2.2.2, §2.2.3): where the host's CNAMEs end, then the host;
    /// the host alone if its alias is proven and what that leads to is not.
    async fn tlsa_bases<'a>(&self, hop: NextHop<'a>) -> Result<Vec<&'a str>, Unfit> {
        let is_alias = !hop.canonical.eq_ignore_ascii_case(hop.host);
        // RFC 7672 §2.2.1: without proof of the way to the host, proof of the host is worth nothing.
        match (hop.mx_secure, hop.address_secure, is_alias) {
            (true, true, true) => Ok(vec![hop.canonical, hop.host]),
            (true, true, false) => Ok(vec![hop.host]),
            (true, false, true) => match self.dns.alias(hop.host).await {
                Ok(answer) if answer.secure => Ok(vec![hop.host]),
                Ok(_) | Err(NoAnswer::NoName | NoAnswer::NoRecords) => Ok(Vec::new()),
                Err(NoAnswer::Temporary(why)) => Err(Unfit::Unknown(why)),
            },
            (true, false, false) | (false, ..) => Ok(Vec::new()),
        }
    }
}
