//! What stands behind the sessions of one simulated server: its store, its accounts, who has which mailbox open.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pillarbox_engine::order::filled;
use pillarbox_engine::relay::{self, Schedule};
use pillarbox_engine::sasl::{Account, Credentials, LoginAnswer};
use pillarbox_engine::smtp::Mailbox;
use pillarbox_engine::types::{Reason, Refusal};

use crate::hub::{Hub, SessionKey, Wake};
use crate::service::local::SharedStore;
use crate::service::web::Visits;
use crate::service::{Backend, Directory, Elsewhere, Indexed, Taken};
use crate::store::{Outcome, Write};

use super::ids::Draw;
use super::setup::NodeSetup;

/// Octets of a name at a server that lets everybody in.
const NAME_MAX: usize = 255;

/// Who has an account at a server, and whose mail it takes.
#[derive(Clone, Debug, Default)]
pub(crate) struct People {
    pub(crate) domains: BTreeSet<Vec<u8>>,
    /// Passwords by address.
    pub(crate) users: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) aliases: BTreeMap<Vec<u8>, Vec<Mailbox>>,
    pub(crate) open_relay: bool,
    pub(crate) anyone: bool,
}

impl People {
    pub(super) fn of(setup: &NodeSetup) -> Self {
        let lower = |text: &String| text.to_ascii_lowercase().into_bytes();
        let mut domains: BTreeSet<Vec<u8>> = filled(setup.domains.iter().map(lower));
        if domains.is_empty() {
            domains.insert(lower(&setup.name));
        }
        let user = |(address, password): &(String, String)| {
            (lower(address), password.clone().into_bytes())
        };
        let alias = |(address, to): &(String, Vec<String>)| {
            (lower(address), to.iter().map(|to| mailbox(to)).collect())
        };
        Self {
            domains,
            users: filled(setup.users.iter().map(user)),
            aliases: filled(setup.aliases.iter().map(alias)),
            open_relay: setup.open_relay,
            anyone: setup.anyone,
        }
    }

    /// The account of an address or of a login name.
    fn account(&self, name: &[u8]) -> Option<Vec<u8>> {
        let mut name = name.to_ascii_lowercase();
        if self.users.contains_key(&name) {
            return Some(name);
        }
        if self.anyone {
            let fine = !name.is_empty() && !name.iter().any(u8::is_ascii_control);
            if let (false, Some(domain)) = (name.contains(&b'@'), self.domains.first()) {
                name = [&name[..], b"@", domain].concat();
            }
            return (fine && name.len() <= NAME_MAX).then_some(name);
        }
        if name.contains(&b'@') {
            return None;
        }
        let full = self.domains.iter().map(|domain| [&name[..], b"@", domain].concat());
        full.into_iter().find(|full| self.users.contains_key(full))
    }
}

/// An address as it is typed, without a look at what is in it.
pub(super) fn mailbox(text: &str) -> Mailbox {
    let (local_part, domain) = text.rsplit_once('@').unwrap_or((text, ""));
    Mailbox { local_part: local_part.as_bytes().to_vec(), domain: domain.as_bytes().to_vec() }
}

/// Accounts and addresses of a simulated server.
#[derive(Default)]
pub(crate) struct Accounts(Mutex<People>);

impl Accounts {
    pub(crate) fn people(&self) -> MutexGuard<'_, People> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Directory for Accounts {
    async fn login(&self, _key: SessionKey, credentials: Credentials) -> LoginAnswer {
        let refused = |reason| LoginAnswer::Refused(Refusal::new(reason));
        let people = self.people();
        let given = match credentials {
            Credentials::Password(given) => given,
            // Whoever checks a digest must have the password itself (RFC 1939 §13).
            Credentials::Digest(given) => {
                let name = people.account(&given.user);
                let is_right = |name: &Vec<u8>| {
                    people.users.get(name).is_some_and(|password| given.is_of(password))
                };
                return match name.filter(is_right) {
                    Some(name) => {
                        LoginAnswer::Accepted(Account { name, server_signature: Vec::new() })
                    }
                    None => refused(Reason::BadCredentials),
                };
            }
            _ => return refused(Reason::Unsupported),
        };
        let user = people.account(&given.user);
        let is_right =
            |user: &Vec<u8>| people.anyone || people.users.get(user) == Some(&given.password);
        let right = user.filter(is_right);
        let wanted = given.authorization;
        match right {
            Some(name) if wanted.is_empty() || people.account(&wanted).as_ref() == Some(&name) => {
                LoginAnswer::Accepted(Account { name, server_signature: Vec::new() })
            }
            _ => refused(Reason::BadCredentials),
        }
    }

    fn known(&self, name: &[u8]) -> Option<Vec<u8>> {
        self.people().account(name)
    }

    fn recipient(&self, to: &Mailbox, may_relay: bool) -> Result<Taken, Refusal> {
        let people = self.people();
        let domain = to.domain.to_ascii_lowercase();
        if !domain.is_empty() && !people.anyone && !people.domains.contains(&domain) {
            if !may_relay && !people.open_relay {
                return Err(Refusal::new(Reason::NotPermitted));
            }
            let elsewhere = vec![elsewhere(to.clone())];
            return Ok(Taken { elsewhere, ..Taken::default() });
        }
        let local = to.local_part.to_ascii_lowercase();
        let name = if domain.is_empty() { local } else { [&local[..], b"@", &domain].concat() };
        if let Some(targets) = people.aliases.get(&name) {
            let mut taken = Taken::default();
            for target in targets {
                let full = [&target.local_part[..], b"@", &target.domain].concat();
                match people.account(&full) {
                    Some(account) => taken.accounts.push(account),
                    None => taken.elsewhere.push(elsewhere(target.clone())),
                }
            }
            return Ok(taken);
        }
        let account = people.account(&name).ok_or_else(|| Refusal::new(Reason::NotFound))?;
        Ok(Taken { accounts: vec![account], ..Taken::default() })
    }

    fn sender(&self, account: &[u8], from: &Mailbox) -> Result<(), Refusal> {
        let full = [&from.local_part[..], b"@", &from.domain].concat().to_ascii_lowercase();
        if full == account || self.people().anyone {
            Ok(())
        } else {
            Err(Refusal::new(Reason::NotPermitted))
        }
    }
}

fn elsewhere(address: Mailbox) -> Elsewhere {
    let destination = relay::next_hop(&[], &address.domain).key();
    Elsewhere { address, destination }
}

/// What stands behind the sessions of one simulated server.
pub(crate) struct NodeBackend {
    pub(crate) store: SharedStore,
    /// What the disk has, while it has not all of it.
    durable: Mutex<Option<SharedStore>>,
    /// Writes since then.
    unsynced: AtomicU64,
    /// Whether somebody waits for the disk already.
    syncs: AtomicBool,
    /// Whether the disk takes time.
    takes_time: bool,
    hub: Hub,
    accounts: Accounts,
    host_name: Vec<u8>,
    schedule: Schedule,
    /// Sessions that have something new to hear.
    woken: Arc<Mutex<BTreeSet<SessionKey>>>,
    wrote: AtomicBool,
    /// Who has signed in by the web.
    pub(super) visits: Arc<Visits>,
    /// Chance for what browsers must not guess, apart from the node's own.
    chance: Mutex<Draw>,
}

/// Messages of one server: a link of two thousand letters could make millions.
const MESSAGES_MAX: usize = 10_000;

impl NodeBackend {
    pub(super) fn new(setup: &NodeSetup, chance: Draw) -> Self {
        Self {
            store: SharedStore::default(),
            durable: Mutex::default(),
            unsynced: AtomicU64::new(0),
            syncs: AtomicBool::new(false),
            takes_time: setup.sync_ms > 0,
            hub: Hub::default(),
            accounts: Accounts(Mutex::new(People::of(setup))),
            host_name: setup.name.clone().into_bytes(),
            schedule: setup.schedule,
            woken: Arc::default(),
            wrote: AtomicBool::new(false),
            visits: Arc::default(),
            chance: Mutex::new(chance),
        }
    }

    /// Another one that holds the same, while no session is open.
    pub(super) fn copy_at_rest(&self) -> Self {
        Self {
            store: self.store.copy(),
            durable: Mutex::default(),
            unsynced: AtomicU64::new(0),
            syncs: AtomicBool::new(false),
            takes_time: self.takes_time,
            hub: self.hub.copy_at_rest(),
            accounts: Accounts(Mutex::new(self.accounts.people().clone())),
            host_name: self.host_name.clone(),
            schedule: self.schedule,
            woken: Arc::default(),
            wrote: AtomicBool::new(false),
            visits: Arc::new(self.visits.copy()),
            chance: Mutex::new(self.draw().clone()),
        }
    }

    fn draw(&self) -> MutexGuard<'_, Draw> {
        self.chance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Octets that no browser can guess.
    pub(super) fn chance(&self) -> [u8; 16] {
        self.draw().octets()
    }

    /// Whether anything was written since this was asked last.
    pub(super) fn take_wrote(&self) -> bool {
        self.wrote.swap(false, Ordering::Relaxed)
    }

    /// Sessions that have something new to hear.
    pub(super) fn take_woken(&self) -> Vec<SessionKey> {
        let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *woken).into_iter().collect()
    }

    pub(super) fn write_now(&self, write: Write) -> Result<Outcome, Reason> {
        self.write_to_disk(0, write)
    }

    fn write_to_disk(&self, origin: SessionKey, write: Write) -> Result<Outcome, Reason> {
        self.wrote.store(true, Ordering::Relaxed);
        if self.takes_time {
            self.durable().get_or_insert_with(|| self.store.copy());
            self.unsynced.fetch_add(1, Ordering::Relaxed);
        }
        self.store.write(&self.hub, origin, write)
    }

    fn durable(&self) -> MutexGuard<'_, Option<SharedStore>> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether something was written that the disk has not.
    pub(super) fn is_unsynced(&self) -> bool {
        self.unsynced.load(Ordering::Relaxed) > 0
    }

    /// Whether a sync begins now: true once until it is done.
    pub(super) fn begins_sync(&self) -> bool {
        !self.syncs.swap(true, Ordering::Relaxed)
    }

    /// The disk has everything.
    pub(super) fn synced(&self) {
        *self.durable() = None;
        self.unsynced.store(0, Ordering::Relaxed);
        self.syncs.store(false, Ordering::Relaxed);
    }

    /// The host is off, and no session is left: only what the disk has is there. Gives how many writes are lost.
    pub(super) fn crashed(&self) -> u64 {
        self.hub.forget();
        if let Some(durable) = self.durable().take() {
            self.store.become_copy_of(&durable);
        }
        self.syncs.store(false, Ordering::Relaxed);
        self.unsynced.swap(0, Ordering::Relaxed)
    }
}

impl Backend for NodeBackend {
    type Store = SharedStore;
    type Directory = Accounts;

    fn store(&self) -> &SharedStore {
        &self.store
    }

    fn directory(&self) -> &Accounts {
        &self.accounts
    }

    fn has_room(&self, _size: u64) -> Result<(), Reason> {
        if self.store.mail_count() < MESSAGES_MAX { Ok(()) } else { Err(Reason::StorageFull) }
    }

    fn hub(&self) -> &Hub {
        &self.hub
    }

    async fn write(&self, origin: SessionKey, write: Write) -> Result<Outcome, Reason> {
        self.write_to_disk(origin, write)
    }

    fn write_later(&self, write: Write) {
        // Only a refusal is lost, and nobody waits for one: what is written later is a hint or a clean-up.
        drop(self.write_to_disk(0, write));
    }

    async fn index(&self, octets: Vec<u8>, size: u64) -> Result<Indexed, Reason> {
        let index = pillarbox_mime::index(&octets, size);
        Ok(Indexed { octets, plain: index.plain, index: index.encode() })
    }

    fn wake(&self, key: SessionKey) -> Wake {
        let woken = Arc::clone(&self.woken);
        Box::new(move || {
            woken.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
        })
    }

    fn host_name(&self) -> &[u8] {
        &self.host_name
    }

    fn schedule(&self) -> Schedule {
        self.schedule
    }

    fn chance(&self) -> Result<[u8; 32], Reason> {
        let mut octets = [0; 32];
        let mut draw = self.draw();
        octets[..16].copy_from_slice(&draw.octets());
        octets[16..].copy_from_slice(&draw.octets());
        Ok(octets)
    }
}
