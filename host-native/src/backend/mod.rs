//! What the services need of this program: a store, a directory of accounts, the indexer, and wakes for connections.
//! One value, shared by every connection.

mod directory;
mod wakes;

use std::future::Future;
use std::sync::Arc;

use pillarbox_engine::message::Index;
use pillarbox_engine::types::Reason;
use pillarbox_world::hub::{Hub, SessionKey, Wake};
use pillarbox_world::service::{Backend, Indexed};
use pillarbox_world::store::{Outcome, Store, Write};
use tokio::sync::Semaphore;

use crate::engine::Engine;
use crate::store::MailStore;

pub use directory::{AccountDirectory, HostDirectory};
pub use wakes::Wakes;

/// Messages above this are indexed on a thread for long work, and only a few at once.
const INDEX_INLINE_MAX: usize = 512 * 1024;
/// Large messages that are indexed at once: each takes several times its size in memory.
const INDEX_LARGE_MAX: usize = 2;

/// What every connection shares.
pub struct HostBackend {
    store: MailStore,
    directory: HostDirectory,
    engine: Arc<Engine>,
    wakes: Wakes,
    large: Semaphore,
}

impl HostBackend {
    /// Joins the parts.
    #[must_use]
    pub fn new(store: MailStore, directory: HostDirectory, engine: Arc<Engine>) -> Self {
        let large = Semaphore::new(INDEX_LARGE_MAX);
        Self { store, directory, engine, wakes: Wakes::default(), large }
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The store, for what is no mail: metrics, closing.
    #[must_use]
    pub fn mail_store(&self) -> &MailStore {
        &self.store
    }

    /// Connections that can be woken.
    #[must_use]
    pub fn wakes(&self) -> &Wakes {
        &self.wakes
    }
}

impl Backend for HostBackend {
    type Store = dyn Store + Send + Sync;
    type Directory = HostDirectory;

    fn store(&self) -> &Self::Store {
        self.store.reads()
    }

    fn directory(&self) -> &HostDirectory {
        &self.directory
    }

    fn hub(&self) -> &Hub {
        self.store.hub()
    }

    fn write(
        &self,
        origin: SessionKey,
        write: Write,
    ) -> impl Future<Output = Result<Outcome, Reason>> + Send {
        self.store.write(origin, write)
    }

    fn write_later(&self, write: Write) {
        self.store.write_later(write);
    }

    async fn index(&self, octets: Vec<u8>, size: u64) -> Result<Indexed, Reason> {
        if octets.len() <= INDEX_INLINE_MAX {
            return index(&self.engine, octets, size);
        }
        let _permit = self.large.acquire().await.map_err(|_| Reason::Overloaded)?;
        let engine = Arc::clone(&self.engine);
        let task = tokio::task::spawn_blocking(move || index(&engine, octets, size));
        task.await.unwrap_or(Err(Reason::StorageFailed))
    }

    fn wake(&self, key: SessionKey) -> Wake {
        self.wakes.wake(key)
    }
}

/// Indexes a message in a sandbox of its own; one that breaks the sandbox is stored with an index of nothing.
fn index(engine: &Engine, octets: Vec<u8>, size: u64) -> Result<Indexed, Reason> {
    let index = match engine.index(&octets, size) {
        Ok(index) => index,
        Err(trap) => {
            // A limit is never a loss: the message is kept and can be fetched whole.
            tracing::warn!(size, %trap, "the indexer broke on a message; it is stored without structure");
            Index::opaque(&octets, size).encode()
        }
    };
    Indexed::new(octets, index)
}
