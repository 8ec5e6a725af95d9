//! MTA-STS (RFC 8461): a domain's own word, over HTTPS, on which hosts take its mail and that they must prove it.
//! What is kept of it here lasts as long as the domain says; what follows for a connection is decided in `policy`.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::dial::dial;
use crate::dns::{Dns, NoAnswer};
use crate::http;
use crate::tls::{ClientTls, Trust};

/// RFC 8461 §3.3: octets of a policy.
const POLICY_MAX: usize = 64 * 1024;
/// RFC 8461 §3.3: how long a policy may take to come.
const FETCH_WITHIN: Duration = Duration::from_secs(60);
/// RFC 8461 §3.2: the longest life of a policy, in seconds.
const AGE_MAX_S: u64 = 31_557_600;
/// How long a policy that could not be fetched is not asked for again, in milliseconds (RFC 8461 §3.3).
const REST_MS: u64 = 300_000;
/// Domains whose policies are kept.
const DOMAINS_MAX: usize = 10_000;
/// Hosts that one policy may name.
const PATTERNS_MAX: usize = 100;

/// What a domain wants of those who send mail to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How seriously.
    pub mode: Mode,
    /// How long it holds, in seconds.
    pub max_age_s: u64,
    /// The hosts that take its mail; `*.` in front stands for one label.
    pub mx: Vec<String>,
}

/// RFC 8461 §5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// No mail to a host that does not comply.
    Enforce,
    /// Mail goes on; failures are only told.
    Testing,
    /// As if there were no policy.
    None,
}

/// A policy's text on its way, or why there is none.
pub type Fetching<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send + 'a>>;

/// Where policies come from.
pub trait Fetch: Send + Sync {
    /// The text at the domain's well-known place, from a server that proves to be the domain's.
    fn fetch<'a>(&'a self, domain: &'a str) -> Fetching<'a>;
}

/// Policies of domains, kept as long as they say.
pub struct MtaSts {
    fetch: Box<dyn Fetch>,
    kept: Mutex<HashMap<String, Kept>>,
}

#[derive(Clone)]
struct Kept {
    id: String,
    /// None: it could not be had.
    policy: Option<Arc<Policy>>,
    until_ms: u64,
}

impl MtaSts {
    /// Policies from this source.
    #[must_use]
    pub fn new(fetch: Box<dyn Fetch>) -> Self {
        Self { fetch, kept: Mutex::default() }
    }

    /// The domain's policy, if it has one; `now_ms` is the wall clock.
    pub async fn policy(&self, dns: &Dns, domain: &str, now_ms: u64) -> Option<Arc<Policy>> {
        let domain = domain.to_ascii_lowercase();
        let kept = self.kept(&domain).filter(|kept| kept.until_ms > now_ms);
        let id = match dns.txt(&format!("_mta-sts.{domain}")).await {
            Ok(answer) => announced(&answer.records),
            Err(NoAnswer::NoName | NoAnswer::NoRecords | NoAnswer::Temporary(_)) => None,
        };
        let Some(id) = id else {
            // RFC 8461 §5.1: who takes the announcement away does not take back what was promised.
            return kept.and_then(|kept| kept.policy);
        };
        if let Some(kept) = &kept
            && kept.id == id
        {
            return kept.policy.clone();
        }
        let fetched = match self.fetch.fetch(&domain).await {
            Ok(text) => parse(&text).ok_or_else(|| "what came is no policy".to_owned()),
            Err(why) => Err(why),
        };
        match fetched {
            Ok(policy) => {
                let until_ms = now_ms.saturating_add(policy.max_age_s.saturating_mul(1000));
                let policy = Some(Arc::new(policy));
                self.keep(&domain, Kept { id, policy: policy.clone(), until_ms }, now_ms);
                policy
            }
            Err(why) => {
                tracing::info!(domain, why, "its MTA-STS policy could not be had");
                if let Some(kept) = kept.filter(|kept| kept.policy.is_some()) {
                    return kept.policy;
                }
                let until_ms = now_ms.saturating_add(REST_MS);
                self.keep(&domain, Kept { id, policy: None, until_ms }, now_ms);
                None
            }
        }
    }

    fn kept(&self, domain: &str) -> Option<Kept> {
        self.lock().get(domain).cloned()
    }

    fn keep(&self, domain: &str, policy: Kept, now_ms: u64) {
        let mut all = self.lock();
        if all.len() >= DOMAINS_MAX && !all.contains_key(domain) {
            all.retain(|_, kept| kept.until_ms > now_ms);
            // The one that ends first is the least loss.
            let first = all.iter().min_by_key(|(_, kept)| kept.until_ms);
            if all.len() >= DOMAINS_MAX
                && let Some(name) = first.map(|(name, _)| name.clone())
            {
                all.remove(&name);
            }
        }
        all.insert(domain.to_owned(), policy);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// RFC 8461 §3.1: the id of the one record that announces a policy.
fn announced(records: &[Vec<u8>]) -> Option<String> {
    let mut found = records.iter().filter(|record| record.starts_with(b"v=STSv1;"));
    let (Some(record), None) = (found.next(), found.next()) else { return None };
    let text = std::str::from_utf8(record).ok()?;
    let mut fields = text.split(';').filter_map(|field| field.trim().split_once('='));
    let (_, id) = fields.find(|(name, _)| name.trim() == "id")?;
    let id = id.trim();
    let right = (1..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
    right.then(|| id.to_owned())
}

/// RFC 8461 §3.2: `key: value`, one a line; the first of a key counts, except for `mx`.
fn parse(text: &[u8]) -> Option<Policy> {
    let text = std::str::from_utf8(text).ok()?;
    let (mut version, mut mode, mut max_age_s, mut mx) = (None, None, None, Vec::new());
    for (key, value) in text.lines().filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        match key.trim() {
            "version" if version.is_none() => version = Some(value),
            "mode" if mode.is_none() => mode = Some(value),
            "max_age" if max_age_s.is_none() => max_age_s = Some(value.parse::<u64>().ok()?),
            "mx" if mx.len() < PATTERNS_MAX => mx.push(value.to_ascii_lowercase()),
            _ => {}
        }
    }
    let mode = match mode? {
        "enforce" => Mode::Enforce,
        "testing" => Mode::Testing,
        "none" => Mode::None,
        _ => return None,
    };
    let fine = version? == "STSv1" && (mode == Mode::None || !mx.is_empty());
    let max_age_s = max_age_s?.min(AGE_MAX_S);
    fine.then_some(Policy { mode, max_age_s, mx })
}

impl Policy {
    /// RFC 8461 §4.1: whether a host is one of those that take the domain's mail.
    #[must_use]
    pub fn names(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        self.mx.iter().any(|pattern| match pattern.strip_prefix("*.") {
            Some(rest) => {
                host.split_once('.').is_some_and(|(first, of)| !first.is_empty() && of == rest)
            }
            None => *pattern == host,
        })
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announcement_is_one_record_with_an_id() {
        let of = |records: &[&str]| {
            let records: Vec<_> = records.iter().map(|text| text.as_bytes().to_vec()).collect();
            announced(&records)
        };
        assert_eq!(
            of(&["v=spf1 -all", "v=STSv1; id=20160831085700Z;"]),
            Some("20160831085700Z".into())
        );
        assert_eq!(of(&["v=STSv1;id=1"]), Some("1".into()));
        for wrong in [
            &["v=STSv1; id=1;", "v=STSv1; id=2;"][..],
            &["v=STSv1; id=;"],
            &["v=STSv1; id=a-b;"],
            &["v=STSv1; id=123456789012345678901234567890123;"],
            &["v=STSv2; id=1;"],
            &["v=STSv1;"],
            &[],
        ] {
            assert_eq!(of(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn policies_are_read_as_they_are_meant() {
        let text = "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\n\
                    mx: backupmx.example.com\r\nmax_age: 604800\r\nmode: none\r\nnew: x\r\n";
        let policy = parse(text.as_bytes()).expect("the example of RFC 8461 §3.2");
        assert_eq!((policy.mode, policy.max_age_s, policy.mx.len()), (Mode::Enforce, 604_800, 3));
        for host in ["mail.example.com", "MAIL.example.com.", "a.example.net"] {
            assert!(policy.names(host), "{host}");
        }
        for host in [
            "example.net",
            "a.b.example.net",
            "mail.example.com.evil",
            "example.com",
            ".example.net",
        ] {
            assert!(!policy.names(host), "{host}");
        }
        for wrong in [
            "",
            "version: STSv1\nmode: enforce\nmax_age: 1\n",
            "version: STSv2\nmode: none\nmax_age: 1\n",
            "version: STSv1\nmode: strict\nmx: a\nmax_age: 1\n",
            "version: STSv1\nmode: none\n",
            "version: STSv1\nmode: none\nmax_age: -1\n",
            "mode: none\nmax_age: 1\n",
            "<html>",
        ] {
            assert_eq!(parse(wrong.as_bytes()), None, "{wrong:?}");
        }
        let long = parse(b"version: STSv1\nmode: none\nmax_age: 99999999999\n").expect("a policy");
        assert_eq!(long.max_age_s, AGE_MAX_S);
    }
}
