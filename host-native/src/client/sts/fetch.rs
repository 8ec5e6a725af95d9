//! Policies from the domains' own web servers, which must prove who they are (RFC 8461 §3.3).
//! What their text means is read elsewhere.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::super::dial::dial;
use crate::dns::Dns;
use crate::http;
use crate::tls::{ClientTls, Trust};

/// RFC 8461 §3.3: octets of a policy.
const POLICY_MAX: usize = 64 * 1024;
/// RFC 8461 §3.3: how long a policy may take to come.
const FETCH_WITHIN: Duration = Duration::from_secs(60);

/// A policy's text on its way, or why there is none.
pub type Fetching<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send + 'a>>;

/// Where policies come from.
pub trait Fetch: Send + Sync {
    /// The text at the domain's well-known place, from a server that proves to be the domain's.
    fn fetch<'a>(&'a self, domain: &'a str) -> Fetching<'a>;
}

/// Policies from the domains' own web servers.
pub struct WebFetch {
    dns: Dns,
    tls: Arc<ClientTls>,
    port: u16,
}

impl WebFetch {
    /// Web servers are found with this, and must prove who they are by this.
    #[must_use]
    pub fn new(dns: Dns, tls: Arc<ClientTls>) -> Self {
        Self { dns, tls, port: 443 }
    }

    /// The same with another port, for tests.
    #[must_use]
    pub fn at_port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    async fn get(&self, domain: &str) -> Result<Vec<u8>, String> {
        let host = format!("mta-sts.{domain}");
        let found = self.dns.addresses(&host).await.map_err(|error| error.to_string())?;
        let addresses: Vec<_> =
            found.records.iter().take(4).map(|ip| (*ip, self.port).into()).collect();
        let dialled = dial(&addresses, Duration::from_secs(10)).await;
        let (stream, _) = dialled.map_err(|gone| gone.error.to_string())?;
        let secured = self.tls.connect(stream, &host, &Trust::Pkix).await;
        let (stream, _) = secured.map_err(|error| error.to_string())?;
        let answer = http::get(stream, &host, "/.well-known/mta-sts.txt", POLICY_MAX).await;
        let answer = answer.map_err(|error| error.to_string())?;
        // RFC 8461 §3.3: a redirect is no policy either.
        if answer.status != 200 {
            return Err(format!("the web server said {}", answer.status));
        }
        Ok(answer.body.to_vec())
    }
}

impl Fetch for WebFetch {
    fn fetch<'a>(&'a self, domain: &'a str) -> Fetching<'a> {
        Box::pin(async move {
            let got = tokio::time::timeout(FETCH_WITHIN, self.get(domain)).await;
            got.unwrap_or_else(|_| Err("it took too long".to_owned()))
        })
    }
}
