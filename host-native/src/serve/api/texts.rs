//! Texts that searches read, kept for the next one: a test that waits asks the same again and again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use pillarbox_engine::types::{BlobId, Reason};
use pillarbox_world::store::Store;

use super::catalogue::Entry;
use super::contents::Contents;

/// Octets of texts that are kept.
const KEPT_MAX: usize = 32 << 20;

/// The texts.
#[derive(Default)]
pub(super) struct Texts(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    texts: HashMap<BlobId, Arc<str>>,
    octets: usize,
}

impl Texts {
    /// What people read of a message, folded.
    ///
    /// # Errors
    /// What the store says.
    pub(super) fn of(&self, store: &dyn Store, entry: &Entry) -> Result<Arc<str>, Reason> {
        if let Some(text) = self.lock().texts.get(&entry.id) {
            return Ok(Arc::clone(text));
        }
        let text: Arc<str> = Contents::open(store, entry)?.searched(entry)?.into();
        let mut kept = self.lock();
        if kept.octets + text.len() > KEPT_MAX {
            *kept = Kept::default();
        }
        if kept.texts.insert(entry.id, Arc::clone(&text)).is_none() {
            kept.octets += text.len();
        }
        Ok(text)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        // Nothing between two of its lines can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
