//! A store in memory: the reference for what every other store must answer, and the world's own.
//! It draws nothing and reads no clock, so equal writes give equal answers; a clone is a snapshot.

mod names;
mod queue;
mod quota;
mod reads;
mod writes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pillarbox_engine::imap::rights::Rights;
use pillarbox_engine::imap::types::{Flags, SpecialUse, UidRun};
use pillarbox_engine::imap::url_token::AccessKey;
use pillarbox_engine::types::BlobId;

use crate::orders::Orders;
use crate::store::{AccountId, MailboxId, QuotaLimits, UploadId};

/// A store in memory. Values behind a pointer make one and the same code of its maps, which is loaded once by the page.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    accounts: BTreeMap<AccountId, Box<Account>>,
    account_names: BTreeMap<Vec<u8>, AccountId>,
    mailboxes: BTreeMap<MailboxId, Box<Mailbox>>,
    blobs: BTreeMap<BlobId, Box<Blob>>,
    uploads: BTreeMap<UploadId, Vec<u8>>,
    /// Blobs without use that can still be read; see [`MemoryStore::take_unused`].
    unused: Vec<BlobId>,
    queue: queue::State,
    orders: KeptOrders,
    counters: Counters,
}

/// Numbers that were given out last; none is ever given twice.
#[derive(Clone, Debug, Default)]
struct Counters {
    account: u64,
    mailbox: u64,
    blob: u64,
    upload: Uploads,
    uid_validity: u32,
    modseq: u64,
}

/// The number of the last upload. A clone of a store goes on by itself: what one gives out does not shift the other's.
#[derive(Debug, Default)]
struct Uploads(AtomicU64);

impl Clone for Uploads {
    fn clone(&self) -> Self {
        Self(AtomicU64::new(self.0.load(Ordering::Relaxed)))
    }
}

/// What sessions told of orders; a clone of a store has its own.
#[derive(Debug)]
struct KeptOrders(Mutex<Orders>);

impl KeptOrders {
    /// The world's mailboxes are small, and there are many worlds.
    const OCTETS_MAX: usize = 256 * 1024;

    fn lock(&self) -> MutexGuard<'_, Orders> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for KeptOrders {
    fn default() -> Self {
        Self(Mutex::new(Orders::new(Self::OCTETS_MAX)))
    }
}

impl Clone for KeptOrders {
    fn clone(&self) -> Self {
        Self(Mutex::new(self.lock().clone()))
    }
}

#[derive(Clone, Debug, Default)]
struct Account {
    name: Vec<u8>,
    /// Every name of the hierarchy; `None` is a name that only has mailboxes below it.
    names: BTreeMap<Vec<u8>, Option<MailboxId>>,
    subscribed: BTreeSet<Vec<u8>>,
    limits: QuotaLimits,
    /// Annotations of the server that are this account's own.
    annotations: BTreeMap<Vec<u8>, Vec<u8>>,
    /// What was taken from elsewhere, by source and key.
    collected: BTreeSet<(Vec<u8>, Vec<u8>)>,
}

#[derive(Clone, Debug)]
struct Mailbox {
    uid_validity: u32,
    uid_next: u32,
    highest_modseq: u64,
    recent_from: u32,
    special_uses: Vec<SpecialUse>,
    /// What was expunged, in the order of mod-sequences and of UIDs within one.
    expunged: Vec<(u64, UidRun)>,
    /// The highest mod-sequence of what was expunged and is not remembered.
    forgotten_modseq: u64,
    /// In the order in which they were first used.
    keywords: Vec<Vec<u8>>,
    messages: BTreeMap<u32, Message>,
    /// Who has which rights beside the owner (RFC 4314).
    acl: BTreeMap<Vec<u8>, Rights>,
    /// By account: what its URLs to this mailbox are authorized with (RFC 4467).
    access_keys: BTreeMap<AccountId, AccessKey>,
    /// Annotations by name, with whose they are; what is shared is 0's.
    annotations: BTreeMap<(AccountId, Vec<u8>), Vec<u8>>,
}

#[derive(Clone, Debug)]
struct Message {
    blob: BlobId,
    flags: Flags,
    modseq: u64,
    internal_date_ms: u64,
    internal_date_zone: i16,
    save_date_ms: u64,
}

#[derive(Clone, Debug)]
struct Blob {
    octets: Arc<[u8]>,
    index: Arc<[u8]>,
    plain: bool,
    /// Messages that have these octets, the one in the queue included.
    uses: u64,
}

/// System flags, as bits of `Flags::system`.
const DELETED: u8 = 4;
const SEEN: u8 = 8;
