//! What comes from the other server on its way into the store: one message at a time comes, many are being stored.

use std::collections::HashMap;

use pillarbox_engine::collect::{Collection, Counts, Fate};
use pillarbox_engine::imap::types::Flags;
use sha2::{Digest, Sha256};

use super::Collecting;
use crate::error::Error;
use crate::folders::Tally;
use crate::local::{Envelope, Handed, Key, Local, Origin, Stored};

/// What is known of a message besides its octets.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub(super) flags: Flags,
    pub(super) date_ms: Option<u64>,
    pub(super) zone: i16,
}

/// One round's.
pub(crate) struct Intake {
    pub(super) local: Local,
    pub(super) how: Collecting,
    pub(super) plan: Collection,
    /// Keys of messages by number; of one that is not there its digest is the key.
    pub(super) keys: HashMap<u32, Key>,
    handed: Handed<(u32, u64)>,
    /// Octets of the message that is coming, and their digest.
    size: u64,
    hash: Sha256,
    octets: u64,
    /// Why nothing more can be stored.
    pub(super) broken: Option<Error>,
    tally: Tally,
}

impl Intake {
    pub(super) fn new(local: Local, how: Collecting, tally: Tally) -> Self {
        Self {
            local,
            plan: Collection::new(how.delete),
            how,
            keys: HashMap::new(),
            handed: Handed::default(),
            size: 0,
            hash: Sha256::new(),
            octets: 0,
            broken: None,
            tally,
        }
    }

    /// Asks which of these messages are here already, and makes the plan.
    pub(super) async fn plan(&mut self, messages: Vec<(u32, Key)>) -> Result<(), Error> {
        let keys: Vec<Key> = messages.iter().map(|(_, key)| *key).collect();
        let known = self.local.known(&self.how.account, self.how.source, &keys).await?;
        for ((number, key), known) in messages.into_iter().zip(known) {
            self.plan.found(number, known);
            if !known {
                self.keys.insert(number, key);
            }
        }
        Ok(())
    }

    /// The next octets; false if nothing can be stored.
    pub(super) async fn part(&mut self, octets: &[u8]) -> bool {
        if self.broken.is_some() {
            return false;
        }
        self.size += octets.len() as u64;
        self.hash.update(octets);
        if let Err(error) = self.local.part(octets).await {
            self.broken = Some(error);
        }
        self.broken.is_none()
    }

    /// What came is not a whole message.
    pub(super) async fn forget(&mut self) {
        (self.size, self.hash) = (0, Sha256::new());
        if let Err(error) = self.local.forget().await {
            self.broken.get_or_insert(error);
        }
    }

    /// The message that came is whole: it goes to the store.
    pub(super) async fn hand_over(&mut self, number: u32, facts: Facts) {
        let (size, hash) = (self.size, std::mem::take(&mut self.hash));
        self.size = 0;
        if self.broken.is_some() || size == 0 || !self.plan.came(number) {
            return self.forget().await;
        }
        let digest = || Key::of(&[b"digest", &hash.finalize()]);
        let key = self.keys.remove(&number).unwrap_or_else(digest);
        let keywords = facts.flags.keywords.iter();
        let envelope = Envelope {
            account: self.how.account.clone(),
            mailbox: self.how.mailbox.clone(),
            origin: Origin::Server { source: self.how.source, key },
            system: facts.flags.system,
            keywords: keywords.map(|word| String::from_utf8_lossy(word).into_owned()).collect(),
            date_ms: facts.date_ms,
            zone: facts.zone,
        };
        match self.local.store(envelope).await {
            Ok(pending) => self.handed.push((number, size), pending),
            Err(error) => {
                self.plan.settled(number, Fate::Failed);
                self.broken = Some(error);
            }
        }
        while let Some(((number, size), stored)) = self.handed.next_if_full().await {
            self.settle(number, size, stored);
        }
    }

    /// Waits until one more message is stored, if any is being.
    pub(super) async fn settle_one(&mut self) {
        if let Some(((number, size), stored)) = self.handed.next().await {
            self.settle(number, size, stored);
        }
    }

    /// Takes note of what is stored by now.
    pub(super) fn settle_ready(&mut self) {
        while let Some(((number, size), stored)) = self.handed.try_next() {
            self.settle(number, size, stored);
        }
    }

    fn settle(&mut self, number: u32, size: u64, stored: Result<Stored, Error>) {
        let fate = match stored {
            Ok(Stored { known: true }) => Fate::Known,
            Ok(Stored { known: false }) => {
                self.octets += size;
                self.tally.message(&self.how.mailbox, size);
                Fate::Stored
            }
            Err(error) => {
                self.broken.get_or_insert(error);
                Fate::Failed
            }
        };
        self.plan.settled(number, fate);
    }

    /// Why the round must stop, if it must.
    pub(super) fn check(&mut self) -> Result<(), Error> {
        self.broken.take().map_or(Ok(()), Err)
    }

    /// Lets what is being stored be stored, and closes the store.
    pub(super) async fn close(mut self) -> (Counts, u64) {
        while self.handed.len() > 0 {
            self.settle_one().await;
        }
        self.tally.clear();
        let done = (self.plan.counts(), self.octets);
        self.local.close().await;
        done
    }
}
