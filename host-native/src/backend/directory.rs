//! Who may log in and whose mail is taken, by profile.
//! How credentials are judged is in `auth`; here it is joined with addresses, aliases and connections.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use pillarbox_engine::sasl::{Credentials, LoginAnswer, Mechanism};
use pillarbox_engine::smtp::Mailbox;
use pillarbox_engine::types::{Reason, Refusal};
use pillarbox_world::hub::SessionKey;
use pillarbox_world::service::Directory;
use pillarbox_world::service::local::OpenDirectory;

use crate::accounts::{Accounts, LiveAccounts};
use crate::auth::{Callers, Judge, OpenJudge};
use crate::config::{AuthSettings, ServerProfile};
use crate::error::Error;
use crate::limits::Hits;

/// RFC 5321 §4.5.1: the one name that every domain must know.
const POSTMASTER: &str = "postmaster";

/// Who may log in and whose mail is taken.
pub struct HostDirectory {
    callers: Callers,
    profile: Profile,
}

enum Profile {
    /// Everyone, and everyone's.
    Open(OpenJudge, OpenDirectory),
    /// The accounts of a server profile.
    Accounts(Box<AccountDirectory>),
}

impl HostDirectory {
    /// Everyone, and everyone's; names without a domain are of this one.
    ///
    /// # Errors
    /// As [`OpenJudge::new`].
    pub fn open(domain: &str, password: Option<&str>) -> Result<Self, Error> {
        let judge = OpenJudge::new(domain, password)?;
        let directory = OpenDirectory { domain: domain.to_lowercase().into_bytes() };
        Ok(Self { callers: Callers::default(), profile: Profile::Open(judge, directory) })
    }

    /// The accounts of a server profile.
    ///
    /// # Errors
    /// As [`AccountDirectory::new`].
    pub fn accounts(
        profile: ServerProfile,
        settings: &AuthSettings,
        hits: Hits,
    ) -> Result<Self, Error> {
        let directory = AccountDirectory::new(profile, settings, hits)?;
        Ok(Self { callers: Callers::default(), profile: Profile::Accounts(Box::new(directory)) })
    }

    /// The connections that somebody may log in on.
    #[must_use]
    pub fn callers(&self) -> &Callers {
        &self.callers
    }

    /// The mechanisms that somebody could complete, best first.
    #[must_use]
    pub fn mechanisms(&self) -> Vec<Mechanism> {
        match &self.profile {
            Profile::Open(judge, _) => judge.mechanisms(),
            Profile::Accounts(accounts) => accounts.judge.mechanisms(),
        }
    }

    /// Whether anybody has logged in from this address lately.
    #[must_use]
    pub fn is_known_good(&self, address: IpAddr) -> bool {
        match &self.profile {
            Profile::Open(..) => true,
            Profile::Accounts(accounts) => accounts.judge.is_known_good(address),
        }
    }
}

impl Directory for HostDirectory {
    async fn login(&self, key: SessionKey, credentials: Credentials) -> LoginAnswer {
        let Some(caller) = self.callers.of(key) else {
            // The connection ended in between.
            return LoginAnswer::Refused(Refusal::new(Reason::BadCredentials));
        };
        match &self.profile {
            Profile::Open(judge, _) => judge.login(&caller, credentials),
            Profile::Accounts(accounts) => accounts.judge.login(&caller, credentials).await,
        }
    }

    fn recipient(&self, to: &Mailbox) -> Result<Vec<Vec<u8>>, Refusal> {
        match &self.profile {
            Profile::Open(_, open) => open.recipient(to),
            Profile::Accounts(accounts) => accounts.recipient(to),
        }
    }
}

/// The accounts of a server profile.
pub struct AccountDirectory {
    profile: ServerProfile,
    accounts: Arc<LiveAccounts>,
    judge: Judge,
}

impl AccountDirectory {
    /// Reads the accounts and what else logins are judged by.
    ///
    /// # Errors
    /// If a file is not what it should be.
    pub fn new(profile: ServerProfile, settings: &AuthSettings, hits: Hits) -> Result<Self, Error> {
        let accounts = Arc::new(LiveAccounts::new(profile.accounts.clone())?);
        // A login name without a domain is of the first one.
        let judge = Judge::new(Arc::clone(&accounts), &profile.domains[0], settings, hits)?;
        Ok(Self { profile, accounts, judge })
    }

    fn recipient(&self, to: &Mailbox) -> Result<Vec<Vec<u8>>, Refusal> {
        let unknown = || Refusal::new(Reason::NotFound);
        let local = String::from_utf8(to.local_part.clone()).map_err(|_| unknown())?.to_lowercase();
        let domain = String::from_utf8(to.domain.clone()).map_err(|_| unknown())?.to_lowercase();
        let domain = match domain.trim_end_matches('.') {
            // RFC 5321 §4.1.1.3: `<Postmaster>` alone is ours.
            "" if local == POSTMASTER => self.profile.domains[0].clone(),
            domain => domain.to_owned(),
        };
        if !self.profile.domains.contains(&domain) {
            return Err(Refusal::new(Reason::NotPermitted));
        }
        let accounts = self.accounts.now();
        let mut found = Vec::new();
        self.expand(&accounts, format!("{local}@{domain}"), &mut found);
        if found.is_empty() && local == POSTMASTER {
            // RFC 5321 §4.5.1: mail to postmaster must be taken; the first account gets it if nobody is named.
            found.extend(accounts.names().next().map(str::to_owned));
        }
        if found.is_empty() {
            return Err(unknown());
        }
        Ok(found.into_iter().map(String::into_bytes).collect())
    }

    /// Follows aliases, subaddresses and the catch-all to accounts; each address is looked at once, so loops end.
    fn expand(&self, accounts: &Accounts, address: String, found: &mut Vec<String>) {
        let mut seen = Vec::new();
        let mut open = VecDeque::from([address]);
        while let Some(address) = open.pop_front() {
            if seen.contains(&address) {
                continue;
            }
            seen.push(address.clone());
            let (local, domain) = address.rsplit_once('@').unwrap_or((&address, ""));
            let base = local.split_once('+').map(|(base, _)| format!("{base}@{domain}"));
            let names = [Some(address.clone()), base];
            let known = names.into_iter().flatten().find_map(|name| {
                if let Some(targets) = self.profile.aliases.get(&name) {
                    return Some(targets.clone());
                }
                accounts.contains(&name).then(|| {
                    if !found.contains(&name) {
                        found.push(name);
                    }
                    Vec::new()
                })
            });
            let rest = self.profile.catch_all.get(domain).cloned();
            open.extend(known.unwrap_or_else(|| rest.into_iter().collect()));
        }
    }
}
