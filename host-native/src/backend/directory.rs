//! Who may log in and whose mail is taken, by profile.
//! Passwords are hashed on threads of their own, few at once, so that guessing slows nobody else.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use pillarbox_engine::sasl::Credentials;
use pillarbox_engine::smtp::Mailbox;
use pillarbox_engine::types::{Reason, Refusal};
use pillarbox_world::service::{Directory, Elsewhere, Taken};
use pillarbox_world::service::local::OpenDirectory;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use crate::accounts::{Accounts, verify};
use crate::config::ServerProfile;
use crate::error::Error;

/// Password hashes computed at once: reliability asks for two workers and at most 64 waiting.
const HASHES_AT_ONCE: usize = 2;
const HASHES_WAITING_MAX: usize = 64;
/// For how long a password that was right need not be hashed again.
const VERIFIED_FOR: Duration = Duration::from_secs(60);
const VERIFIED_MAX: usize = 1024;
/// How often the accounts file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// RFC 5321 §4.5.1: the one name that every domain must know.
const POSTMASTER: &str = "postmaster";

/// Who may log in and whose mail is taken.
pub enum HostDirectory {
    /// Everyone, and everyone's.
    Open(OpenDirectory),
    /// The accounts of a server profile.
    Accounts(Box<AccountDirectory>),
}

impl Directory for HostDirectory {
    async fn login(&self, credentials: Credentials) -> Result<Vec<u8>, Refusal> {
        match self {
            Self::Open(open) => open.login(credentials).await,
            Self::Accounts(accounts) => accounts.login(credentials).await,
        }
    }

    fn recipient(&self, to: &Mailbox, may_relay: bool) -> Result<Taken, Refusal> {
        match self {
            Self::Open(open) => open.recipient(to, may_relay),
            Self::Accounts(accounts) => accounts.recipient(to, may_relay),
        }
    }

    fn sender(&self, account: &[u8], from: &Mailbox) -> Result<(), Refusal> {
        match self {
            Self::Open(open) => open.sender(account, from),
            Self::Accounts(accounts) => accounts.sender(account, from),
        }
    }
}

impl HostDirectory {
    /// Whether mail for this domain has its mailboxes here.
    pub(super) fn hosts(&self, domain: &[u8]) -> bool {
        match self {
            Self::Open(_) => true,
            Self::Accounts(accounts) => {
                let domain = pillarbox_engine::relay::destination(domain);
                let mut ours = accounts.profile.domains.iter();
                ours.any(|known| known.as_bytes() == domain)
            }
        }
    }
}

/// The accounts of a server profile.
pub struct AccountDirectory {
    profile: ServerProfile,
    accounts: Mutex<Loaded>,
    hashing: Arc<Semaphore>,
    verified: Mutex<Verified>,
    /// What an unknown name's password is checked against.
    dummy: String,
}

struct Loaded {
    accounts: Arc<Accounts>,
    modified: Option<SystemTime>,
    looked: Instant,
}

impl AccountDirectory {
    /// Reads the accounts file.
    ///
    /// # Errors
    /// If it is not what `pillarbox account` writes.
    pub fn new(profile: ServerProfile) -> Result<Self, Error> {
        let modified = modified(&profile.accounts);
        let accounts = Arc::new(Accounts::read(&profile.accounts)?);
        let mut dummy = Accounts::default();
        dummy.set("", "a password that nobody has")?;
        let dummy = dummy.hash("").unwrap_or_default().to_owned();
        let looked = Instant::now();
        Ok(Self {
            profile,
            accounts: Mutex::new(Loaded { accounts, modified, looked }),
            hashing: Arc::new(Semaphore::new(HASHES_AT_ONCE + HASHES_WAITING_MAX)),
            verified: Mutex::default(),
            dummy,
        })
    }

    /// The accounts as the file has them, looked at once a second at most.
    fn accounts(&self) -> Arc<Accounts> {
        let mut loaded = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if loaded.looked.elapsed() >= LOOK_EVERY {
            loaded.looked = Instant::now();
            let now = modified(&self.profile.accounts);
            if now != loaded.modified {
                match Accounts::read(&self.profile.accounts) {
                    Ok(accounts) => {
                        loaded.accounts = Arc::new(accounts);
                        loaded.modified = now;
                        tracing::info!(
                            accounts = loaded.accounts.names().count(),
                            "accounts read again"
                        );
                    }
                    Err(error) => {
                        tracing::error!(%error, "accounts not read again; the old ones stay")
                    }
                }
            }
        }
        Arc::clone(&loaded.accounts)
    }

    async fn login(&self, credentials: Credentials) -> Result<Vec<u8>, Refusal> {
        let Credentials::Password(given) = credentials else {
            return Err(Refusal::new(Reason::Unsupported));
        };
        let bad = Refusal::new(Reason::BadCredentials);
        let user = String::from_utf8(given.user).map_err(|_| bad.clone())?.to_lowercase();
        let name = self.full_name(&user);
        let acting_for_itself = given.authorization.is_empty()
            || given.authorization.eq_ignore_ascii_case(user.as_bytes());
        let accounts = self.accounts();
        let hash = accounts.hash(&name).unwrap_or(&self.dummy).to_owned();
        let known = accounts.contains(&name);
        if self.check(hash, given.password).await? && known && acting_for_itself {
            Ok(name.into_bytes())
        } else {
            Err(bad)
        }
    }

    /// Checks a password, by what was right a short while ago or by hashing.
    async fn check(&self, hash: String, password: Vec<u8>) -> Result<bool, Refusal> {
        let digest: [u8; 32] = Sha256::new()
            .chain_update(&hash)
            .chain_update([0])
            .chain_update(&password)
            .finalize()
            .into();
        if self.verified().contains(&digest) {
            return Ok(true);
        }
        let overloaded = || Refusal::new(Reason::Overloaded);
        let waiting = Arc::clone(&self.hashing).try_acquire_owned().map_err(|_| overloaded())?;
        let workers = &HASH_WORKERS;
        let _worker = workers.acquire().await.map_err(|_| overloaded())?;
        let task = tokio::task::spawn_blocking(move || verify(&hash, &password));
        let right = task.await.map_err(|_| overloaded())?;
        drop(waiting);
        if right {
            self.verified().add(digest);
        }
        Ok(right)
    }

    fn verified(&self) -> std::sync::MutexGuard<'_, Verified> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A login name without a domain is of the first one.
    fn full_name(&self, user: &str) -> String {
        if user.contains('@') {
            user.to_owned()
        } else {
            format!("{user}@{}", self.profile.domains[0])
        }
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
            return Ok(Taken { accounts: Vec::new(), elsewhere: vec![self.elsewhere(to.clone())] });
        };
        let accounts = self.accounts();
        let is_postmaster = address.split('@').next() == Some(POSTMASTER);
        let mut taken = self.expand(&accounts, address);
        if taken == Taken::default() && is_postmaster {
            // RFC 5321 §4.5.1: mail to postmaster must be taken; the first account gets it if nobody is named.
            taken.accounts.extend(accounts.names().next().map(|name| name.as_bytes().to_vec()));
        }
        if taken == Taken::default() { Err(unknown()) } else { Ok(taken) }
    }

    /// An account's own addresses are its name and all that leads to it.
    fn sender(&self, account: &[u8], from: &Mailbox) -> Result<(), Refusal> {
        if self.profile.relay.any_sender {
            return Ok(());
        }
        let taken = match self.address(from) {
            Some(Address::Ours(address)) => self.expand(&self.accounts(), address),
            _ => Taken::default(),
        };
        let own = taken.accounts.iter().any(|name| name == account);
        if own {
            return Ok(());
        }
        let text = b"This address is not the account's".to_vec();
        Err(Refusal { reason: Reason::NotPermitted, text: Some(text) })
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

    fn elsewhere(&self, address: Mailbox) -> Elsewhere {
        let destination = self.profile.relay.destination(&address.domain);
        Elsewhere { address, destination }
    }

    /// Follows aliases, subaddresses and the catch-all to accounts, and to addresses elsewhere that the operator has
    /// named; each address is looked at once, so loops end.
    fn expand(&self, accounts: &Accounts, address: String) -> Taken {
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
                taken.elsewhere.push(self.elsewhere(Mailbox { local_part, domain }));
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
            let rest = self.profile.catch_all.get(domain).cloned();
            open.extend(known.unwrap_or_else(|| rest.into_iter().collect()));
        }
        taken
    }
}

/// Whose an address is.
enum Address {
    /// Of one of our domains, in lower case.
    Ours(String),
    /// Of another.
    Foreign,
}

static HASH_WORKERS: Semaphore = Semaphore::const_new(HASHES_AT_ONCE);

/// Digests of passwords that were right a short while ago.
#[derive(Default)]
struct Verified(HashMap<[u8; 32], Instant>);

impl Verified {
    fn contains(&self, digest: &[u8; 32]) -> bool {
        self.0.get(digest).is_some_and(|at| at.elapsed() < VERIFIED_FOR)
    }

    fn add(&mut self, digest: [u8; 32]) {
        if self.0.len() >= VERIFIED_MAX {
            self.0.retain(|_, at| at.elapsed() < VERIFIED_FOR);
        }
        if self.0.len() < VERIFIED_MAX {
            self.0.insert(digest, Instant::now());
        }
    }
}

fn modified(file: &PathBuf) -> Option<SystemTime> {
    std::fs::metadata(file).and_then(|meta| meta.modified()).ok()
}
