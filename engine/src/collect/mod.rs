//! Collecting mail from another server: what is to be asked for, what may be removed there, and what a later run must know.
//! Nothing is removed there before it is stored here for good, and nothing is stored twice; who talks and stores is the host.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

/// Octets of a key; a unique-id that is longer than any honest one is told by its digest, which the host makes.
pub const KEY_MAX: usize = 1024;

/// What tells a message from all others in an IMAP mailbox, for ever (RFC 9051 §2.3.1.1): validity and UID.
#[must_use]
pub fn imap_key(uid_validity: u32, uid: u32) -> Vec<u8> {
    [uid_validity.to_be_bytes(), uid.to_be_bytes()].concat()
}

/// What tells messages of a maildrop from each other (RFC 1939 §7), in the order of their listing. Servers may give equal
/// messages one unique-id: the second is another message all the same.
#[must_use]
pub fn pop3_keys(unique_ids: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut seen: BTreeMap<&[u8], u32> = BTreeMap::new();
    let key = |unique_id: &Vec<u8>, count: u32| match count {
        0 => unique_id.clone(),
        // No unique-id holds a space.
        _ => [&unique_id[..], b" ", &count.to_be_bytes()].concat(),
    };
    let mut keys = Vec::with_capacity(unique_ids.len());
    for unique_id in unique_ids {
        let count = seen.entry(unique_id).or_default();
        keys.push(key(unique_id, *count));
        *count += 1;
    }
    keys
}

/// What became of a message that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is stored for good.
    Stored,
    /// It was stored for good before.
    Known,
    /// It is not stored; the next run asks for it again.
    Failed,
}

/// How much was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages that are there.
    pub found: u64,
    /// Stored by this run.
    pub stored: u64,
    /// Stored before.
    pub known: u64,
    /// Asked for and not stored.
    pub failed: u64,
    /// Gone before they came: another client removed them.
    pub gone: u64,
    /// Removed there.
    pub deleted: u64,
}

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// It was asked for.
    Coming,
    /// It came, and is being stored.
    Storing,
}

/// One run over one mailbox or maildrop. Messages are named by numbers that hold as long as the run: UIDs, or POP3's.
#[derive(Clone, Debug, Default)]
pub struct Collection {
    /// Whether what is stored here is removed there.
    delete: bool,
    waiting: VecDeque<u32>,
    open: BTreeMap<u32, Place>,
    deletable: VecDeque<u32>,
    deleting: u64,
    counts: Counts,
}

impl Collection {
    /// A run that has found nothing yet.
    #[must_use]
    pub fn new(delete: bool) -> Self {
        Self { delete, ..Self::default() }
    }

    /// A message is there; `known`: it was stored by an earlier run.
    pub fn found(&mut self, number: u32, known: bool) {
        self.counts.found += 1;
        if !known {
            self.waiting.push_back(number);
            return;
        }
        self.counts.known += 1;
        self.may_go(number);
    }

    /// The messages to ask for now, in order, so that at most `max` are not stored.
    pub fn next(&mut self, max: usize) -> Vec<u32> {
        let room = max.saturating_sub(self.open.len()).min(self.waiting.len());
        let next: Vec<u32> = self.waiting.drain(..room).collect();
        self.open.extend(next.iter().map(|number| (*number, Place::Coming)));
        next
    }

    /// A message came whole, and is being stored; false if nobody asked for it, or it came before: then it is not wanted.
    pub fn came(&mut self, number: u32) -> bool {
        match self.open.get_mut(&number) {
            Some(place @ Place::Coming) => {
                *place = Place::Storing;
                true
            }
            _ => false,
        }
    }

    /// The server has answered all that was asked for these: those that did not come are gone, or could not be had.
    pub fn answered(&mut self, numbers: &[u32], is_refused: bool) {
        for number in numbers {
            if self.open.get(number) == Some(&Place::Coming) {
                self.open.remove(number);
                let count =
                    if is_refused { &mut self.counts.failed } else { &mut self.counts.gone };
                *count += 1;
            }
        }
    }

    /// What became of a message that came.
    pub fn settled(&mut self, number: u32, fate: Fate) {
        if self.open.get(&number) != Some(&Place::Storing) {
            return;
        }
        self.open.remove(&number);
        match fate {
            Fate::Stored => self.counts.stored += 1,
            Fate::Known => self.counts.known += 1,
            Fate::Failed => {
                self.counts.failed += 1;
                return;
            }
        }
        self.may_go(number);
    }

    fn may_go(&mut self, number: u32) {
        if self.delete {
            self.deletable.push_back(number);
        }
    }

    /// Messages that may be removed there now, at most so many; each is told once.
    pub fn deletable(&mut self, max: usize) -> Vec<u32> {
        let count = max.min(self.deletable.len());
        self.deleting += count as u64;
        self.deletable.drain(..count).collect()
    }

    /// How many may be removed there now.
    #[must_use]
    pub fn deletable_count(&self) -> usize {
        self.deletable.len()
    }

    /// How many were told to be removable, and are not known to be removed.
    #[must_use]
    pub fn deleting(&self) -> u64 {
        self.deleting
    }

    /// So many of them were removed.
    pub fn deleted(&mut self, count: u64) {
        let count = count.min(self.deleting);
        self.deleting -= count;
        self.counts.deleted += count;
    }

    /// Whether nothing is left to ask for or to store.
    #[must_use]
    pub fn is_collected(&self) -> bool {
        self.waiting.is_empty() && self.open.is_empty()
    }

    /// How many were asked for and are not stored.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// How much was done.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }
}
