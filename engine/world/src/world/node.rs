//! A simulated host: what it is set up as, and what it is doing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pillarbox_engine::imap::types::{RowsAsk, UidRun};
use pillarbox_engine::order::filled;
use pillarbox_engine::types::{BlobRange, Reason};

use super::backend::NodeBackend;
use super::device::Device;
use super::disk::Disk;
use super::ids::{Draw, NodeId, Time};
use super::log::Mailbox;
use super::relay::Job;
use super::setup::{Kind, NodeSetup};
use super::view::StoredView;
use crate::queue::Queue as _;
use crate::store::Store as _;

/// Mailboxes of one account that a view lists.
const MAILBOXES_MAX: u32 = 1000;
/// Accounts of one server that a view lists.
const ACCOUNTS_MAX: u32 = 1000;

/// Beyond the number of every node: generators for what browsers must not guess.
const CHANCE: u64 = 1 << 32;

/// A simulated host.
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) setup: NodeSetup,
    pub(crate) address: String,
    /// Of a server.
    pub(crate) backend: Option<Arc<NodeBackend>>,
    pub(crate) draw: Draw,
    pub(crate) up: bool,
    /// What its queue works at, by destination.
    pub(crate) jobs: BTreeMap<Vec<u8>, Job>,
    /// When the queue is looked at next.
    pub(crate) queue_at: Option<Time>,
    /// Mailboxes as they were told last, by account and name.
    pub(crate) told: BTreeMap<(String, String), (u64, u64)>,
    /// The message that was queued last.
    pub(crate) told_message: u64,
    pub(crate) disk: Disk,
    pub(crate) device: Device,
    /// Ports that somebody answers by hand.
    pub(crate) by_hand: BTreeSet<u16>,
}

impl Node {
    pub(super) fn new(id: NodeId, setup: NodeSetup, seed: u64) -> Self {
        let number = u64::from(id.0) + 1;
        let chance = Draw::of(seed, number + CHANCE);
        let backend =
            (setup.kind == Kind::Server).then(|| Arc::new(NodeBackend::new(&setup, chance)));
        Self {
            id,
            // RFC 5737: addresses that are nobody's.
            address: format!("192.0.2.{number}"),
            backend,
            draw: Draw::of(seed, number),
            up: true,
            jobs: BTreeMap::new(),
            queue_at: None,
            told: BTreeMap::new(),
            told_message: 0,
            disk: Disk::default(),
            device: Device::default(),
            by_hand: filled(setup.by_hand.iter().copied()),
            setup,
        }
    }

    /// Messages in the queue.
    pub(super) fn queue_length(&self) -> u64 {
        let stats = self.backend.as_ref().and_then(|backend| backend.store.queue_stats().ok());
        stats.map_or(0, |stats| stats.messages)
    }

    /// Mailboxes that hold something else than they were told to, with what they hold now.
    pub(super) fn changed_mailboxes(&mut self) -> Vec<Mailbox> {
        let mut changed = Vec::new();
        for (account, name, count, unseen) in self.mailboxes() {
            let key = (account, name);
            let before = self.told.get(&key).copied().unwrap_or_default();
            if before != (count, unseen) {
                self.told.insert(key.clone(), (count, unseen));
                let (account, name) = key;
                changed.push(Mailbox { account, name, count, unseen, before: before.0 });
            }
        }
        changed
    }

    /// All mailboxes: account, name, messages, unread ones.
    pub(super) fn mailboxes(&self) -> Vec<(String, String, u64, u64)> {
        let Some(backend) = &self.backend else { return Vec::new() };
        list_mailboxes(backend).unwrap_or_default()
    }
}

/// Messages of one mailbox that are listed at once.
const ROWS_MAX: u32 = 128;

impl Node {
    /// The messages in all mailboxes.
    pub(super) fn stored(&self) -> Vec<StoredView> {
        let Some(backend) = &self.backend else { return Vec::new() };
        let mut all = Vec::new();
        for (account, mailbox, count, _) in self.mailboxes() {
            if count > 0 {
                let listed = list_messages(backend, &account, &mailbox, &mut all);
                debug_assert!(listed.is_ok(), "a store in memory gives what it has");
            }
        }
        all
    }
}

fn list_messages(
    backend: &NodeBackend,
    account: &str,
    mailbox: &str,
    all: &mut Vec<StoredView>,
) -> Result<(), Reason> {
    let store = &backend.store;
    let id = store.account(account.as_bytes())?.ok_or(Reason::NotFound)?;
    let uid_validity = store.status(id, mailbox.as_bytes())?.uid_validity;
    let id = store.mailbox(id, mailbox.as_bytes())?;
    let mut first = 1;
    loop {
        let uids = vec![UidRun { first, last: u32::MAX }];
        let ask = RowsAsk { uids, max: ROWS_MAX, index: false, changed_since: None };
        let page = store.rows(id, &ask)?;
        let Some(last) = page.rows.last().map(|row| row.uid) else { return Ok(()) };
        for row in page.rows {
            let range = BlobRange { blob: row.blob, offset: 0, length: row.size };
            all.push(StoredView {
                account: account.to_owned(),
                mailbox: mailbox.to_owned(),
                uid_validity,
                uid: row.uid,
                flags: row.flags.system,
                octets: store.octets(range)?,
            });
        }
        match last.checked_add(1) {
            Some(next) => first = next,
            None => return Ok(()),
        }
    }
}

fn list_mailboxes(backend: &NodeBackend) -> Result<Vec<(String, String, u64, u64)>, Reason> {
    let store = &backend.store;
    let mut all = Vec::new();
    for account in store.accounts(None, ACCOUNTS_MAX)? {
        let Some(id) = store.account(&account)? else { continue };
        let ask = pillarbox_engine::imap::types::MailboxesAsk {
            max: MAILBOXES_MAX,
            status: true,
            ..Default::default()
        };
        let account = String::from_utf8_lossy(&account).into_owned();
        for row in store.mailboxes(id, &ask)?.rows {
            let Some(status) = row.status else { continue };
            let name = String::from_utf8_lossy(&row.name).into_owned();
            let (count, unseen) = (u64::from(status.messages), u64::from(status.unseen));
            all.push((account.clone(), name, count, unseen));
        }
    }
    Ok(all)
}
