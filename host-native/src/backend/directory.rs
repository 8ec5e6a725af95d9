//! Who may log in and whose mail is taken, by profile.
//! How credentials are judged is in `auth`; here it is joined with addresses, aliases and connections.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use pillarbox_engine::sasl::{Credentials, LoginAnswer, Mechanism};
use pillarbox_engine::smtp::Mailbox;
use pillarbox_engine::types::{Reason, Refusal};
use pillarbox_world::hub::SessionKey;
use pillarbox_world::service::local::OpenDirectory;
use pillarbox_world::service::{Directory, Elsewhere, Taken};

use crate::accounts::{Accounts, LiveAccounts};
use crate::auth::{Callers, Judge, OpenJudge, canonical};
use crate::config::{AuthSettings, ExtraLogins, People, ServerProfile};
use crate::engine::Engine;
use crate::error::Error;
use crate::limits::Hits;
use crate::relay::{Routes, broke};
use crate::serve::shown;

/// RFC 5321 §4.5.1: the one name that every domain must know.
const POSTMASTER: &str = "postmaster";
/// Where a new account's mail goes if mail of every domain is taken.
const NEW_DOMAIN: &str = "inbox.test";

/// Who may log in and whose mail is taken.
pub struct HostDirectory {
    callers: Callers,
    profile: Profile,
}

enum Profile {
    /// Everyone, and everyone's, as far as these people are not the only ones.
    Open(Box<OpenJudge>, OpenDirectory, RwLock<People>),
    /// The accounts of a server profile.
    Accounts(Box<AccountDirectory>),
}

impl HostDirectory {
    /// Everyone, and everyone's, unless people are named.
    ///
    /// # Errors
    /// As [`OpenJudge::new`].
    pub fn open(people: People, password: Option<&str>, extra: ExtraLogins) -> Result<Self, Error> {
        let domain = people.domain();
        let judge = OpenJudge::new(domain, password)?.with_extra(extra);
        let judge = judge.with_users(&people.users)?;
        let directory = OpenDirectory { domain: domain.to_lowercase().into_bytes() };
        Ok(Self {
            callers: Callers::default(),
            profile: Profile::Open(Box::new(judge), directory, RwLock::new(people)),
        })
    }

    /// Makes a new account of the dev profile with this local part, in a domain whose mail is taken; its address and its
    /// password. Where everybody is let in there is nothing to be made, and no password of its own.
    ///
    /// # Errors
    /// As [`OpenJudge::add_user`], or in a server profile, whose accounts are in a file.
    pub fn add_user(&self, local: &str, password: &str) -> Result<(String, Option<String>), Error> {
        let Profile::Open(judge, _, people) = &self.profile else {
            return Err(Error::usage("accounts come from `pillarbox account add`"));
        };
        let (domain, is_open) = {
            let people = read(people);
            let domain = people.domains.first().map_or(NEW_DOMAIN, String::as_str);
            (domain.to_owned(), people.users.is_empty())
        };
        let address = format!("{local}@{domain}");
        if is_open {
            return Ok((address, None));
        }
        judge.add_user(&address, password)?;
        let mut people = people.write().unwrap_or_else(PoisonError::into_inner);
        people.users.insert(address.clone(), password.to_owned());
        Ok((address, Some(password.to_owned())))
    }

    /// The accounts of a server profile.
    ///
    /// # Errors
    /// As [`AccountDirectory::new`].
    pub fn accounts(
        profile: ServerProfile,
        settings: &AuthSettings,
        hits: Hits,
        engine: &Arc<Engine>,
    ) -> Result<Self, Error> {
        let directory = AccountDirectory::new(profile, settings, hits, engine)?;
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
            Profile::Open(judge, ..) => judge.mechanisms(),
            Profile::Accounts(accounts) => accounts.judge.mechanisms(),
        }
    }

    /// Whether somebody could log in by APOP.
    #[must_use]
    pub fn offers_apop(&self) -> bool {
        match &self.profile {
            Profile::Open(judge, ..) => judge.offers_apop(),
            Profile::Accounts(accounts) => accounts.judge.offers_apop(),
        }
    }

    /// Whether mail for this domain has its mailboxes here.
    pub(super) fn hosts(&self, domain: &[u8]) -> bool {
        match &self.profile {
            Profile::Open(_, _, people) => {
                read(people).hosts(&String::from_utf8_lossy(domain).to_lowercase())
            }
            Profile::Accounts(accounts) => {
                let (local_part, domain) = (POSTMASTER.into(), domain.to_vec());
                let address = accounts.address(&Mailbox { local_part, domain });
                matches!(address, Some(Address::Ours(_)))
            }
        }
    }

    /// Whether an account that somebody has logged in to is still there.
    #[must_use]
    pub fn has(&self, account: &[u8]) -> bool {
        match &self.profile {
            Profile::Open(..) => true,
            Profile::Accounts(accounts) => {
                let name = std::str::from_utf8(account);
                name.is_ok_and(|name| accounts.accounts.now().contains(name))
            }
        }
    }

    /// The accounts as their file has them; another value once that has changed. None in the dev profile.
    #[must_use]
    pub fn accounts_now(&self) -> Option<Arc<Accounts>> {
        match &self.profile {
            Profile::Open(..) => None,
            Profile::Accounts(accounts) => Some(accounts.accounts.now()),
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
        self.callers.tries(key, &credentials);
        let answer = match &self.profile {
            Profile::Open(judge, ..) => judge.login(&caller, credentials),
            Profile::Accounts(accounts) => accounts.judge.login(&caller, credentials).await,
        };
        if matches!(answer, LoginAnswer::Accepted(_)) {
            self.callers.is_in(key);
        }
        answer
    }

    fn known(&self, name: &[u8]) -> Option<Vec<u8>> {
        match &self.profile {
            Profile::Open(_, open, people) => {
                let name = String::from_utf8(open.known(name)?).ok()?;
                let (_, domain) = name.rsplit_once('@')?;
                let people = read(people);
                let account = people.account(&name).filter(|_| people.hosts(domain));
                account.map(String::into_bytes)
            }
            Profile::Accounts(accounts) => accounts.known(name),
        }
    }

    fn recipient(&self, to: &Mailbox, may_relay: bool) -> Result<Taken, Refusal> {
        match &self.profile {
            Profile::Open(_, open, people) => taken(&read(people), open.recipient(to, may_relay)?),
            Profile::Accounts(accounts) => accounts.recipient(to, may_relay),
        }
    }

    fn domains(&self) -> Vec<Vec<u8>> {
        match &self.profile {
            Profile::Open(_, _, people) => {
                read(people).domains.iter().map(|domain| domain.clone().into_bytes()).collect()
            }
            Profile::Accounts(accounts) => {
                let domains = accounts.profile.domains.iter();
                domains.map(|domain| domain.clone().into_bytes()).collect()
            }
        }
    }

    fn sender(&self, account: &[u8], from: &Mailbox) -> Result<(), Refusal> {
        match &self.profile {
            Profile::Open(_, open, _) => open.sender(account, from),
            Profile::Accounts(accounts) => accounts.sender(account, from),
        }
    }

    fn author(&self, account: &[u8], from: &Mailbox) -> Result<bool, Refusal> {
        match &self.profile {
            Profile::Open(_, open, _) => {
                let own = open.recipient(from, true)?.accounts.iter().any(|name| name == account);
                if !own {
                    let (account, from) = (shown(account), crate::relay::address(from));
                    tracing::info!(
                        account,
                        from,
                        "the message is from an address that is not the account's; \
                         a server with accounts refuses that"
                    );
                }
                Ok(own)
            }
            Profile::Accounts(accounts) => accounts.author(account, from),
        }
    }
}

/// People are whole between any two lines, whoever panics.
fn read(people: &RwLock<People>) -> RwLockReadGuard<'_, People> {
    people.read().unwrap_or_else(PoisonError::into_inner)
}

/// What of this the people who are there get.
fn taken(people: &People, taken: Taken) -> Result<Taken, Refusal> {
    let mut accounts = Vec::with_capacity(taken.accounts.len());
    for name in taken.accounts {
        // Without people any octets are a name; with them none but UTF-8 could be theirs.
        if people.domains.is_empty() {
            accounts.push(name);
            continue;
        }
        let name = String::from_utf8(name).map_err(|_| Refusal::new(Reason::NotFound))?;
        let (local, domain) = name.rsplit_once('@').unwrap_or((&name, ""));
        let domain = domain.trim_end_matches('.');
        if !people.hosts(domain) {
            return Err(Refusal::new(Reason::NotPermitted));
        }
        let first = || people.users.keys().next().cloned();
        let account = people.account(&format!("{local}@{domain}"));
        // RFC 5321 §4.5.1: mail to postmaster must be taken.
        let account = account.or_else(|| first().filter(|_| local == POSTMASTER));
        let account = account.ok_or_else(|| Refusal::new(Reason::NotFound))?;
        accounts.push(account.into_bytes());
    }
    Ok(Taken { accounts, ..taken })
}

/// The accounts of a server profile.
pub struct AccountDirectory {
    profile: ServerProfile,
    accounts: Arc<LiveAccounts>,
    judge: Judge,
    routes: Routes,
}

impl AccountDirectory {
    /// Reads the accounts and what else logins are judged by.
    ///
    /// # Errors
    /// If a file is not what it should be.
    pub fn new(
        profile: ServerProfile,
        settings: &AuthSettings,
        hits: Hits,
        engine: &Arc<Engine>,
    ) -> Result<Self, Error> {
        let accounts = Arc::new(LiveAccounts::new(profile.accounts.clone())?);
        // A login name without a domain is of the first one.
        let judge = Judge::new(Arc::clone(&accounts), &profile.domains[0], settings, hits)?;
        let routes = Routes::new(Arc::clone(engine), profile.relay.transports.clone());
        Ok(Self { profile, accounts, judge, routes })
    }

    /// As at a login: a name without a domain is of the first one.
    fn known(&self, name: &[u8]) -> Option<Vec<u8>> {
        let name = canonical(name, &self.profile.domains[0])?;
        self.accounts.now().contains(&name).then(|| name.into_bytes())
    }

    fn recipient(&self, to: &Mailbox, may_relay: bool) -> Result<Taken, Refusal> {
        let unknown = || Refusal::new(Reason::NotFound);
        let Some(address) = self.address(to) else {
            return Err(if may_relay { unknown() } else { Refusal::new(Reason::NotPermitted) });
        };
        let Address::Ours(address) = address else {
            if !may_relay {
                return Err(Refusal::new(Reason::NotPermitted));
            }
            let elsewhere = vec![self.elsewhere(to.clone())?];
            return Ok(Taken { elsewhere, ..Taken::default() });
        };
        let accounts = self.accounts.now();
        let is_postmaster = address.split('@').next() == Some(POSTMASTER);
        let alias = address.clone();
        let mut taken = self.expand(&accounts, address)?;
        if taken.is_nobody() && is_postmaster {
            // RFC 5321 §4.5.1: mail to postmaster must be taken; the first account gets it if nobody is named.
            taken.accounts.extend(accounts.names().next().map(|name| name.as_bytes().to_vec()));
            taken.unknown.clear();
        }
        if taken.is_nobody() {
            return Err(unknown());
        }
        for member in &taken.unknown {
            tracing::warn!(
                alias = shown(alias.as_bytes()),
                member = crate::relay::address(member),
                "an alias stands for an address that is not here; who writes to it gets a report"
            );
        }
        Ok(taken)
    }

    /// An account's own addresses are its name and all that leads to it.
    fn sender(&self, account: &[u8], from: &Mailbox) -> Result<(), Refusal> {
        if self.profile.relay.any_sender || self.is_own(account, from)? {
            return Ok(());
        }
        let text = b"This address is not the account's".to_vec();
        Err(Refusal { reason: Reason::NotPermitted, text: Some(text) })
    }

    /// As [`sender`](Self::sender), of the From and Sender fields.
    fn author(&self, account: &[u8], from: &Mailbox) -> Result<bool, Refusal> {
        let relay = &self.profile.relay;
        if relay.any_sender || self.is_own(account, from)? {
            return Ok(true);
        }
        if relay.any_author {
            return Ok(false);
        }
        let from = crate::relay::address(from);
        let text = format!("From or Sender is {from}, which is not the account's address");
        Err(Refusal { reason: Reason::NotPermitted, text: Some(text.into_bytes()) })
    }

    /// Whether an address leads to an account, or is one of the identities that it was given.
    fn is_own(&self, account: &[u8], from: &Mailbox) -> Result<bool, Refusal> {
        let identities = std::str::from_utf8(account).ok();
        let identities = identities.and_then(|account| self.profile.identities.get(account));
        let address = crate::relay::address(from).to_lowercase();
        let fits = |known: &String| match known.strip_prefix('@') {
            Some(domain) => address.rsplit_once('@').is_some_and(|(_, of)| of == domain),
            None => *known == address,
        };
        if identities.is_some_and(|identities| identities.iter().any(fits)) {
            return Ok(true);
        }
        let taken = match self.address(from) {
            Some(Address::Ours(address)) => self.expand(&self.accounts.now(), address)?,
            _ => Taken::default(),
        };
        Ok(taken.accounts.iter().any(|name| name == account))
    }

    /// Whose an address is; none if it can be nobody's.
    fn address(&self, mailbox: &Mailbox) -> Option<Address> {
        let domain = String::from_utf8(mailbox.domain.clone()).ok()?.to_lowercase();
        let local = String::from_utf8(mailbox.local_part.clone()).ok()?.to_lowercase();
        let domain = match domain.trim_end_matches('.') {
            // RFC 5321 §4.1.1.3: `<Postmaster>` alone is ours.
            "" if local == POSTMASTER => &self.profile.domains[0],
            "" => return None,
            domain => domain,
        };
        if self.profile.domains.iter().any(|known| known == domain) {
            Some(Address::Ours(format!("{local}@{domain}")))
        } else {
            Some(Address::Foreign)
        }
    }

    fn elsewhere(&self, address: Mailbox) -> Result<Elsewhere, Refusal> {
        let destination = self.routes.destination(&address.domain);
        let destination = destination.map_err(|trap| Refusal::new(broke(trap)))?;
        Ok(Elsewhere { address, destination })
    }

    /// Follows aliases, subaddresses and the catch-all to accounts, and to addresses elsewhere that the operator has
    /// named; each address is looked at once, so loops end.
    fn expand(&self, accounts: &Accounts, address: String) -> Result<Taken, Refusal> {
        let mut seen = Vec::new();
        let mut taken = Taken::default();
        let mut open = VecDeque::from([address]);
        while let Some(address) = open.pop_front() {
            if seen.contains(&address) {
                continue;
            }
            seen.push(address.clone());
            let (local, domain) = address.rsplit_once('@').unwrap_or((&address, ""));
            if !domain.is_empty() && !self.profile.domains.iter().any(|known| known == domain) {
                let (local_part, domain) = (local.as_bytes().to_vec(), domain.as_bytes().to_vec());
                taken.elsewhere.push(self.elsewhere(Mailbox { local_part, domain })?);
                continue;
            }
            let base = local.split_once('+').map(|(base, _)| format!("{base}@{domain}"));
            let names = [Some(address.clone()), base];
            let known = names.into_iter().flatten().find_map(|name| {
                if let Some(targets) = self.profile.aliases.get(&name) {
                    return Some(targets.clone());
                }
                accounts.contains(&name).then(|| {
                    let name = name.into_bytes();
                    if !taken.accounts.contains(&name) {
                        taken.accounts.push(name);
                    }
                    Vec::new()
                })
            });
            let rest = || self.profile.catch_all.get(domain).map(|address| vec![address.clone()]);
            match known.or_else(rest) {
                Some(further) => open.extend(further),
                None if seen.len() > 1 => {
                    let (local_part, domain) = (local.as_bytes().to_vec(), domain.into());
                    taken.unknown.push(Mailbox { local_part, domain });
                }
                None => {}
            }
        }
        Ok(taken)
    }
}

/// Whose an address is.
enum Address {
    /// Of one of our domains, in lower case.
    Ours(String),
    /// Of another.
    Foreign,
}
