//! Where mail is kept: in a SQLite file with one writer thread, in a database that nodes share, or in memory alone.
//! Services read from it directly; writes are transactions that are answered only when they are durable.

mod postgres;
mod sql;
mod sqlite;

use pillarbox_engine::types::Reason;
use pillarbox_world::hub::{Hub, SessionKey};
use pillarbox_world::service::local::SharedStore;
use pillarbox_world::store::{MailboxId, Outcome, Store, Write};

use crate::config::{Data, Database};
use crate::engine::TextReader;
use crate::error::Error;

pub use sql::SqlStore;

/// Why the store did not do what was asked, and what helps, for people.
pub(crate) fn words(reason: Reason) -> &'static str {
    match reason {
        Reason::OverQuota => "the account has no room: its quota is used up",
        Reason::StorageFull => "the disk is full: make room, and try again",
        Reason::StorageFailed => {
            "the store failed, and nothing was changed; the log or the messages above say more"
        }
        Reason::NotFound => "it is not there any more",
        Reason::AlreadyExists => "it is there already",
        Reason::InUse => "something else has it in use; try again later",
        Reason::TooLarge => "it is larger than this server takes",
        Reason::TooMany => "there are too many of them already",
        Reason::Overloaded => "the server has too much to do; try again later",
        _ => "the server does not do this",
    }
}

/// A store, and the hub that tells sessions of its changes.
pub struct MailStore {
    kind: Kind,
    hub: Hub,
}

enum Kind {
    Memory(SharedStore),
    Sql(SqlStore),
}

impl MailStore {
    /// Opens the store that the settings name, making it if it is new.
    ///
    /// # Errors
    /// [`crate::error::Kind::Data`]: the directory cannot be used, is foreign, newer, or in use.
    pub fn open(data: &Data) -> Result<Self, Error> {
        let hub = Hub::default();
        let kind = match data {
            Data::Memory => Kind::Memory(SharedStore::default()),
            Data::Directory(directory) => Kind::Sql(SqlStore::open(directory, hub.clone())?),
            Data::Database(database) => Kind::Sql(SqlStore::join(database, hub.clone())?),
        };
        Ok(Self { kind, hub })
    }

    /// Whether a database is reached and would keep what it commits; nothing is written to it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn check(database: &Database) -> Result<(), Error> {
        postgres::check(database)
    }

    /// Where reads go.
    #[must_use]
    pub fn reads(&self) -> &(dyn Store + Send + Sync + 'static) {
        match &self.kind {
            Kind::Memory(store) => store,
            Kind::Sql(store) => store,
        }
    }

    /// Sessions that have mailboxes open.
    #[must_use]
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// One transaction; the answer comes when it is durable and its changes are queued for everybody else.
    ///
    /// # Errors
    /// What the write names, [`Reason::StorageFull`], [`Reason::StorageFailed`].
    pub async fn write(&self, origin: SessionKey, write: Write) -> Result<Outcome, Reason> {
        match &self.kind {
            Kind::Memory(store) => store.write(&self.hub, origin, write),
            Kind::Sql(store) => store.write(origin, write).await,
        }
    }

    /// A write that nobody waits for.
    pub fn write_later(&self, write: Write) {
        match &self.kind {
            // Only a refusal is lost, and nobody waits for one: what is written later is a hint or a clean-up.
            Kind::Memory(store) => drop(store.write(&self.hub, 0, write)),
            Kind::Sql(store) => store.write_later(write),
        }
    }

    /// Keeps a full-text index of what is searched, of at most so many octets; with 0, none. A store in memory has none.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn index_texts(&self, reader: TextReader, octets_max: u64) -> Result<(), Error> {
        match &self.kind {
            Kind::Memory(_) => Ok(()),
            Kind::Sql(store) => store.index_texts(reader, octets_max),
        }
    }

    /// Up to which UID the full-text index has the messages of a mailbox; searches of later ones read them.
    #[must_use]
    pub fn indexed_up_to(&self, mailbox: MailboxId) -> Option<u32> {
        match &self.kind {
            Kind::Memory(_) => None,
            Kind::Sql(store) => store.indexed_up_to(mailbox),
        }
    }

    /// From now on somebody is told when another node left something in the queue.
    pub(crate) fn tell_queue_news(&self, news: std::sync::Arc<tokio::sync::Notify>) {
        if let Kind::Sql(store) = &self.kind
            && let Some(shared) = store.shared()
        {
            shared.tell_queue_news(news);
        }
    }

    /// Whether this process is the one that works at the queue: of nodes that share it one is, as long as it lives.
    #[must_use]
    pub fn works_at_queue(&self) -> bool {
        match &self.kind {
            Kind::Memory(_) => true,
            Kind::Sql(store) => store.shared().is_none_or(|shared| shared.works_at_queue()),
        }
    }

    /// Whether a write to the disk failed, after which nothing is written any more.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        match &self.kind {
            Kind::Memory(_) => false,
            Kind::Sql(store) => store.is_failed(),
        }
    }

    /// Lets open writes end, and closes the files.
    pub async fn close(&self) {
        if let Kind::Sql(store) = &self.kind {
            store.close().await;
        }
    }

    /// The directory with the mail, or of a node with what is its own, if there is one.
    #[must_use]
    pub fn directory(&self) -> Option<&std::path::Path> {
        match &self.kind {
            Kind::Memory(_) => None,
            Kind::Sql(store) => Some(store.directory()),
        }
    }

    /// Where the mail is, for people.
    #[must_use]
    pub fn place(&self) -> String {
        match &self.kind {
            Kind::Memory(_) => "in memory, gone when this stops".to_owned(),
            Kind::Sql(store) => store.place(),
        }
    }
}
