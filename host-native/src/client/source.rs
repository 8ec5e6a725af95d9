//! Messages that are sent: read piece by piece, so that none is ever whole in memory for our sake.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use pillarbox_engine::types::Reason;

/// A message's octets.
pub trait Source: Send + Sync {
    /// How many there are.
    fn size(&self) -> u64;

    /// Those from `offset` on, exactly `length` of them.
    ///
    /// # Errors
    /// Why they cannot be had.
    fn octets(&self, offset: u64, length: u64) -> Result<Vec<u8>, Reason>;
}

impl Source for Vec<u8> {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn octets(&self, offset: u64, length: u64) -> Result<Vec<u8>, Reason> {
        let range = usize::try_from(offset).ok().zip(usize::try_from(offset + length).ok());
        let octets = range.and_then(|(start, end)| self.get(start..end));
        octets.map(<[u8]>::to_vec).ok_or(Reason::NotFound)
    }
}

/// A message in a file, which nobody changes meanwhile.
#[derive(Debug)]
pub struct FileSource {
    file: File,
    size: u64,
}

impl FileSource {
    /// The whole file.
    ///
    /// # Errors
    /// Its size cannot be read.
    pub fn new(file: File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        Ok(Self { file, size })
    }
}

impl Source for FileSource {
    fn size(&self) -> u64 {
        self.size
    }

    fn octets(&self, offset: u64, length: u64) -> Result<Vec<u8>, Reason> {
        if offset.saturating_add(length) > self.size {
            return Err(Reason::NotFound);
        }
        let length = usize::try_from(length).map_err(|_| Reason::TooLarge)?;
        let mut octets = vec![0; length];
        let read = self.file.read_exact_at(&mut octets, offset);
        read.map(|()| octets).map_err(|_| Reason::StorageFailed)
    }
}
