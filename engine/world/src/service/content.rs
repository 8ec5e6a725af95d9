//! A message that comes in chunks: held while it is small, staged in the store piece by piece once it is not.

use pillarbox_engine::imap::types::Flags;
use pillarbox_engine::types::Reason;

use super::{Backend, INDEX_MAX, Indexed, Indexer};
use crate::hub::SessionKey;
use crate::store::{Body, NewMessage, Stage, Store, UploadId, WHOLE_MAX, Write};

/// Octets read at once from a staged message to index it.
const READ_MAX: u64 = 1 << 20;

#[derive(Default)]
pub(super) struct Content {
    /// Not staged yet.
    held: Vec<u8>,
    staged: Option<(UploadId, u64)>,
}

impl Content {
    pub(super) fn size(&self) -> u64 {
        self.held.len() as u64 + self.staged.map_or(0, |(_, size)| size)
    }

    pub(super) async fn add<B: Backend>(
        &mut self,
        backend: &B,
        key: SessionKey,
        octets: &[u8],
    ) -> Result<(), Reason> {
        if self.held.len() + octets.len() > WHOLE_MAX {
            self.stage(backend, key).await?;
        }
        self.held.extend_from_slice(octets);
        Ok(())
    }

    async fn stage<B: Backend>(&mut self, backend: &B, key: SessionKey) -> Result<(), Reason> {
        let octets = core::mem::take(&mut self.held);
        if octets.is_empty() {
            return Ok(());
        }
        let (upload, size) = self.staged.unwrap_or_else(|| (backend.store().upload(), 0));
        self.staged = Some((upload, size + octets.len() as u64));
        backend.write(key, Write::Stage(Stage { upload, octets })).await.map(|_| ())
    }

    /// Indexes the message, for a write that stores it.
    pub(super) async fn take_message<B: Backend>(
        &mut self,
        backend: &B,
        key: SessionKey,
        indexer: &mut dyn Indexer,
        flags: Flags,
        internal_date: (u64, i16),
    ) -> Result<NewMessage, Reason> {
        let size = self.size();
        let octets = if self.staged.is_some() {
            self.stage(backend, key).await?;
            self.read_staged(backend)?
        } else {
            core::mem::take(&mut self.held)
        };
        let indexed = self.index(backend, indexer, octets, size).await?;
        let body = match self.staged.take() {
            Some((upload, size)) => Body::Staged(upload, size),
            None => Body::Whole(indexed.octets),
        };
        let (internal_date_ms, internal_date_zone) = internal_date;
        let (index, plain) = (indexed.index, indexed.plain);
        Ok(NewMessage { body, index, plain, flags, internal_date_ms, internal_date_zone })
    }

    async fn index<B: Backend>(
        &self,
        backend: &B,
        indexer: &mut dyn Indexer,
        octets: Vec<u8>,
        size: u64,
    ) -> Result<Indexed, Reason> {
        if self.staged.is_none()
            && let Some(index) = indexer.index(&octets)?
        {
            return Indexed::new(octets, index);
        }
        backend.index(octets, size).await
    }

    fn read_staged<B: Backend>(&self, backend: &B) -> Result<Vec<u8>, Reason> {
        let Some((upload, size)) = self.staged else { return Ok(Vec::new()) };
        let wanted = if size > INDEX_MAX { READ_MAX } else { size };
        let mut octets = Vec::new();
        while (octets.len() as u64) < wanted {
            let offset = octets.len() as u64;
            let piece = backend.store().staged(upload, offset, READ_MAX.min(wanted - offset))?;
            if piece.is_empty() {
                return Err(Reason::StorageFailed);
            }
            octets.extend_from_slice(&piece);
        }
        Ok(octets)
    }

    /// Forgets the message.
    pub(super) fn drop_staged<B: Backend>(&mut self, backend: &B) {
        self.held = Vec::new();
        if let Some((upload, _)) = self.staged.take() {
            backend.write_later(Write::Unstage(upload));
        }
    }
}
