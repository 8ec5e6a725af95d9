//! MTA-STS (RFC 8461): a domain's own word, over HTTPS, on which hosts take its mail and that they must prove it.
//! What is kept of it here lasts as long as the domain says; what follows for a connection is decided in `policy`.

mod fetch;
mod journal;
mod policy;

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::dns::{Dns, NoAnswer};
use journal::Journal;
use policy::{announced, parse};

pub use fetch::{Fetch, Fetching, WebFetch};
pub use policy::{Mode, Policy};

/// How long a policy that could not be fetched is not asked for again, in milliseconds (RFC 8461 §3.3).
const REST_MS: u64 = 300_000;
/// How long a policy that was fetched is not fetched again, in milliseconds: long before it ends, so that nobody can wait
/// for its end to keep us from the next one (RFC 8461 §10.2).
const RENEW_MS: u64 = 86_400_000;
/// Domains whose policies are kept.
const DOMAINS_MAX: usize = 10_000;
/// Policies that are renewed in one round.
const ROUND_MAX: usize = 500;

/// Policies of domains, kept as long as they say.
pub struct MtaSts {
    fetch: Box<dyn Fetch>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    kept: HashMap<String, Kept>,
    /// None: what is known ends with the process.
    journal: Option<Journal>,
}

/// What is known of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Kept {
    id: String,
    /// None: it could not be had.
    policy: Option<Arc<Policy>>,
    until_ms: u64,
    /// When it is fetched again, or tried to.
    renew_ms: u64,
    /// Whether mail went by it since it was fetched.
    is_used: bool,
    /// What is announced, and could not be fetched.
    failing: Option<String>,
}

impl MtaSts {
    /// Policies from this source.
    #[must_use]
    pub fn new(fetch: Box<dyn Fetch>) -> Self {
        Self { fetch, known: Mutex::default() }
    }

    /// Keeps what is known in this file too, so that it outlives the process (RFC 8461 §3.3); `now_ms` is the wall clock.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn kept_in(self, file: &Path, now_ms: u64) -> io::Result<Self> {
        let (journal, kept) = Journal::open(file, now_ms)?;
        *self.lock() = Known { kept, journal: Some(journal) };
        Ok(self)
    }

    /// The domain's policy, if it has one; `now_ms` is the wall clock.
    pub async fn policy(&self, dns: &Dns, domain: &str, now_ms: u64) -> Option<Arc<Policy>> {
        let domain = domain.to_ascii_lowercase();
        let policy = self.look(dns, &domain, now_ms).await;
        if let Some(kept) = self.lock().kept.get_mut(&domain) {
            kept.is_used = true;
        }
        policy
    }

    /// Fetches again the policies that mail has gone by and that are old enough; to be called now and then. A policy that
    /// cannot be had any more holds until its end.
    pub async fn renew(&self, dns: &Dns, now_ms: u64) {
        let is_due = |kept: &Kept| {
            kept.is_used
                && kept.policy.is_some()
                && kept.renew_ms <= now_ms
                && now_ms < kept.until_ms
        };
        let due: Vec<String> = {
            let known = self.lock();
            let due = known.kept.iter().filter(|(_, kept)| is_due(kept));
            due.take(ROUND_MAX).map(|(domain, _)| domain.clone()).collect()
        };
        for domain in due {
            self.look(dns, &domain, now_ms).await;
        }
    }

    async fn look(&self, dns: &Dns, domain: &str, now_ms: u64) -> Option<Arc<Policy>> {
        let kept = self.lock().kept.get(domain).filter(|kept| kept.until_ms > now_ms).cloned();
        let id = match dns.txt(&format!("_mta-sts.{domain}")).await {
            Ok(answer) => announced(&answer.records),
            Err(NoAnswer::NoName | NoAnswer::NoRecords | NoAnswer::Temporary(_)) => None,
        };
        let Some(id) = id else {
            // RFC 8461 §5.1: who takes the announcement away does not take back what was promised.
            return kept.and_then(|kept| kept.policy);
        };
        if let Some(kept) = &kept
            && now_ms < kept.renew_ms
            && (kept.id == id || kept.failing.as_ref() == Some(&id))
        {
            return kept.policy.clone();
        }
        let fetched = match self.fetch.fetch(domain).await {
            Ok(text) => parse(&text).ok_or_else(|| "what came is no policy".to_owned()),
            Err(why) => Err(why),
        };
        let kept = match fetched {
            Ok(policy) => {
                let age_ms = policy.max_age_s.saturating_mul(1000);
                let until_ms = now_ms.saturating_add(age_ms);
                let renew_ms = now_ms.saturating_add(RENEW_MS.min(age_ms / 2));
                let policy = Some(Arc::new(policy));
                Kept { id, policy, until_ms, renew_ms, is_used: false, failing: None }
            }
            Err(why) => {
                tracing::info!(domain, why, "its MTA-STS policy could not be had");
                let renew_ms = now_ms.saturating_add(REST_MS);
                match kept.filter(|kept| kept.policy.is_some()) {
                    Some(kept) => Kept { renew_ms, failing: Some(id), ..kept },
                    None => Kept {
                        id,
                        policy: None,
                        until_ms: renew_ms,
                        renew_ms,
                        is_used: false,
                        failing: None,
                    },
                }
            }
        };
        let policy = kept.policy.clone();
        self.lock().keep(domain, kept, now_ms);
        policy
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn keep(&mut self, domain: &str, new: Kept, now_ms: u64) {
        let Self { kept, journal } = self;
        if kept.len() >= DOMAINS_MAX && !kept.contains_key(domain) {
            kept.retain(|_, kept| kept.until_ms > now_ms);
            // The one that ends first is the least loss.
            let first = kept.iter().min_by_key(|(_, kept)| kept.until_ms);
            if kept.len() >= DOMAINS_MAX
                && let Some(name) = first.map(|(name, _)| name.clone())
            {
                kept.remove(&name);
            }
        }
        // That one could not be had is of no use to the next process.
        let is_news = new.failing.is_none() && new.policy.is_some();
        kept.insert(domain.to_owned(), new);
        if is_news && let Some(journal) = journal {
            journal.note(domain, kept);
        }
    }
}

#[cfg(test)]
mod tests;
