//! Wakes connections whose mailbox was changed by others.
//! The hub calls from the store's writer thread, so a wake is one lookup and one notification.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use pillarbox_world::hub::{SessionKey, Wake};
use tokio::sync::Notify;

/// Connections by their key.
#[derive(Clone, Default)]
pub struct Wakes(Arc<Mutex<HashMap<SessionKey, Arc<Notify>>>>);

impl Wakes {
    /// From now on wakes of `key` notify the result.
    #[must_use]
    pub fn add(&self, key: SessionKey) -> Arc<Notify> {
        let notify = Arc::new(Notify::new());
        self.lock().insert(key, Arc::clone(&notify));
        notify
    }

    /// The connection is over.
    pub fn remove(&self, key: SessionKey) {
        self.lock().remove(&key);
    }

    /// What wakes `key`.
    #[must_use]
    pub fn wake(&self, key: SessionKey) -> Wake {
        match self.lock().get(&key).map(Arc::clone) {
            Some(notify) => Box::new(move || notify.notify_one()),
            None => Box::new(|| ()),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<SessionKey, Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
