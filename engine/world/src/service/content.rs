//! A message that comes in chunks: held while it is small, staged in the store piece by piece once it is not.

use std::ops::Range;

use pillarbox_engine::imap::types::Flags;
use pillarbox_engine::message::seven_bit::{Encoder, LineMeter, Surveyor};
use pillarbox_engine::text::header::{fields, section_length};
use pillarbox_engine::types::Reason;

use super::trust::{Edit, Octets};
use super::{Backend, INDEX_MAX, Indexed, Indexer};
use crate::hub::SessionKey;
use crate::store::{Body, NewMessage, Stage, Store, UploadId, WHOLE_MAX, Write};

/// Octets of a header section that are read at once: most are shorter.
const HEAD_READ: u64 = 8 << 10;
/// Octets of a header section that are looked at.
const HEAD_MAX: usize = 1 << 20;
/// Octets read at once from a staged message to index it.
const READ_MAX: u64 = 1 << 20;

/// A message that comes in chunks, for whoever stores it at the end.
#[derive(Default)]
pub struct Content {
    /// Not staged yet.
    held: Vec<u8>,
    staged: Option<(UploadId, u64)>,
    /// Of the message as it lies here, if whoever brought it has indexed it.
    index: Option<Vec<u8>>,
}

/// A message to be read where it lies.
pub(super) struct Lying<'a, S: ?Sized> {
    content: &'a Content,
    store: &'a S,
}

impl<S: Store + Sync + ?Sized> Octets for Lying<'_, S> {
    fn size(&self) -> u64 {
        self.content.size()
    }

    fn octets(&self, offset: u64, length: u64) -> Result<Vec<u8>, Reason> {
        let end = offset.checked_add(length).ok_or(Reason::StorageFailed)?;
        let Some((upload, staged)) = self.content.staged else {
            return self.content.held.octets(offset, length);
        };
        let here = offset.min(staged)..end.min(staged);
        let mut octets = match here.is_empty() {
            true => Vec::new(),
            false => self.store.staged(upload, here.start, here.end - here.start)?,
        };
        let rest = offset.max(staged) - staged..end.max(staged) - staged;
        octets.extend(self.content.held.octets(rest.start, rest.end - rest.start)?);
        Ok(octets)
    }
}

impl Content {
    /// To be read.
    pub(super) fn lying<'a, B: Backend>(&'a self, backend: &'a B) -> Lying<'a, B::Store> {
        Lying { content: self, store: backend.store() }
    }

    /// Changes the message; `skip` octets at its beginning stay before all else.
    pub(super) async fn edit<B: Backend>(
        &mut self,
        backend: &B,
        key: SessionKey,
        skip: u64,
        edit: Edit,
    ) -> Result<(), Reason> {
        if edit.is_nothing() {
            return Ok(());
        }
        let Edit { before, without } = edit;
        let mut new = Self::default();
        let size = self.size();
        let done = async {
            self.copy(backend, key, 0..skip, &mut new).await?;
            new.add(backend, key, &before).await?;
            let mut at = skip;
            for range in without {
                self.copy(backend, key, at..range.start, &mut new).await?;
                at = range.end;
            }
            self.copy(backend, key, at..size, &mut new).await
        };
        let done = done.await;
        self.become_new(backend, new, done)
    }

    /// Where fields of this name are in the header section behind so many octets. Of a section that is longer than any
    /// honest one only the beginning is looked at.
    pub(super) fn fields_named<B: Backend>(
        &self,
        backend: &B,
        skip: u64,
        name: &[u8],
    ) -> Result<Vec<Range<u64>>, Reason> {
        let (size, lying) = (self.size(), self.lying(backend));
        let mut head = Vec::new();
        while skip + (head.len() as u64) < size && head.len() < HEAD_MAX {
            let at = skip + head.len() as u64;
            head.extend(lying.octets(at, HEAD_READ.min(size - at))?);
            let end = section_length(&head);
            if end < head.len() || head.ends_with(b"\r\n\r\n") {
                head.truncate(end);
                break;
            }
        }
        let named = fields(&head).filter(|field| field.is(name));
        Ok(named.map(|field| skip + field.start as u64..skip + field.end as u64).collect())
    }

    /// Whether a line behind so many octets is longer than every server takes.
    pub(super) fn has_long_line<B: Backend>(&self, backend: &B, skip: u64) -> Result<bool, Reason> {
        let (size, lying) = (self.size(), self.lying(backend));
        let (mut at, mut lines) = (skip, LineMeter::default());
        while at < size && !lines.is_too_long() {
            let piece = lying.octets(at, READ_MAX.min(size - at))?;
            lines.take(&piece);
            at += piece.len() as u64;
        }
        Ok(lines.is_too_long())
    }

    /// Puts the message into seven bits (RFC 6152 §3) behind so many octets; false if that cannot be done, and then it
    /// stays as it is.
    pub(super) async fn seven_bit<B: Backend>(
        &mut self,
        backend: &B,
        key: SessionKey,
        skip: u64,
    ) -> Result<bool, Reason> {
        let size = self.size();
        let mut surveyor = Surveyor::new();
        let mut at = skip;
        while at < size {
            let piece = self.lying(backend).octets(at, READ_MAX.min(size - at))?;
            surveyor.take(&piece);
            at += piece.len() as u64;
        }
        let Ok(findings) = surveyor.finish() else { return Ok(false) };
        let mut new = Self::default();
        let done = async {
            self.copy(backend, key, 0..skip, &mut new).await?;
            let mut encoder = Encoder::new(findings);
            let (mut at, mut encoded) = (skip, Vec::new());
            while at < size {
                let piece = self.lying(backend).octets(at, READ_MAX.min(size - at))?;
                encoder.take(&piece, &mut encoded);
                new.add(backend, key, &encoded).await?;
                encoded.clear();
                at += piece.len() as u64;
            }
            encoder.finish(&mut encoded);
            new.add(backend, key, &encoded).await
        };
        let done = done.await;
        self.become_new(backend, new, done).map(|()| true)
    }

    /// Puts octets of this message behind those of another.
    async fn copy<B: Backend>(
        &self,
        backend: &B,
        key: SessionKey,
        range: Range<u64>,
        new: &mut Self,
    ) -> Result<(), Reason> {
        let mut at = range.start;
        while at < range.end {
            let piece = self.lying(backend).octets(at, READ_MAX.min(range.end - at))?;
            if piece.is_empty() {
                return Err(Reason::StorageFailed);
            }
            new.add(backend, key, &piece).await?;
            at += piece.len() as u64;
        }
        Ok(())
    }

    /// The new message stands for the old, unless it could not be made.
    fn become_new<B: Backend>(
        &mut self,
        backend: &B,
        mut new: Self,
        done: Result<(), Reason>,
    ) -> Result<(), Reason> {
        match done {
            Ok(()) => {
                self.drop_staged(backend);
                *self = new;
            }
            Err(_) => new.drop_staged(backend),
        }
        done
    }

    /// Octets that have come.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.held.len() as u64 + self.staged.map_or(0, |(_, size)| size)
    }

    /// Takes the last octets, and the index of the message that is all in them, if they came with one.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub async fn add_last<B: Backend>(
        &mut self,
        backend: &B,
        key: SessionKey,
        octets: Vec<u8>,
        index: Option<Vec<u8>>,
    ) -> Result<(), Reason> {
        if self.size() > 0 || octets.len() > WHOLE_MAX {
            return self.add(backend, key, &octets).await;
        }
        self.held = octets;
        self.index = index;
        Ok(())
    }

    /// Takes the next octets.
    ///
    /// # Errors
    /// What the store says; then [`drop_staged`](Self::drop_staged) is all that is left to do.
    pub async fn add<B: Backend>(
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

    /// Octets in memory.
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    /// Puts what is held into the store.
    pub(super) async fn stage<B: Backend>(
        &mut self,
        backend: &B,
        key: SessionKey,
    ) -> Result<(), Reason> {
        let octets = core::mem::take(&mut self.held);
        if octets.is_empty() {
            return Ok(());
        }
        let (upload, size) = self.staged.unwrap_or_else(|| (backend.store().upload(), 0));
        self.staged = Some((upload, size + octets.len() as u64));
        backend.write(key, Write::Stage(Stage { upload, octets })).await.map(|_| ())
    }

    /// Indexes the message, for a write that stores it.
    ///
    /// # Errors
    /// What the store or the indexer says.
    pub async fn take_message<B: Backend>(
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
        &mut self,
        backend: &B,
        indexer: &mut dyn Indexer,
        octets: Vec<u8>,
        size: u64,
    ) -> Result<Indexed, Reason> {
        let known = self.index.take();
        if self.staged.is_none() {
            let index = if known.is_some() { known } else { indexer.index(&octets)? };
            if let Some(index) = index {
                return Indexed::new(octets, index);
            }
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
    pub fn drop_staged<B: Backend>(&mut self, backend: &B) {
        self.held = Vec::new();
        self.index = None;
        if let Some((upload, _)) = self.staged.take() {
            backend.write_later(Write::Unstage(upload));
        }
    }
}
