//! A Maildir that follows a mailbox elsewhere: what that has not any more goes, as far as it was written here.

use std::collections::HashSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use super::Sync;
use super::target::{Maildir, OURS, Wanted, failed};
use crate::error::Error;
use crate::local::Row;

/// See the module.
pub(crate) struct Mirror {
    maildir: Maildir,
    /// What the other mailbox has.
    seen: HashSet<Vec<u8>>,
}

impl Mirror {
    /// Opens it, or makes it.
    pub(crate) fn open(path: &Path, uid_validity: u32, sync: Sync) -> Result<Self, Error> {
        let maildir = Maildir::create(path, uid_validity, sync)?;
        Ok(Self { maildir, seen: HashSet::new() })
    }

    /// Whether the message is here; its flags are brought up to date then.
    pub(crate) fn has(&mut self, row: &Row) -> Result<bool, Error> {
        let unique = self.maildir.unique(row).into_bytes();
        let is_here = self.maildir.there.contains_key(&unique);
        self.seen.insert(unique);
        if is_here {
            self.maildir.begin(row)?;
        }
        Ok(is_here)
    }

    /// A message begins to come.
    pub(crate) fn begin(&mut self, row: &Row) -> Result<(), Error> {
        match self.maildir.begin(row)? {
            Wanted::Yes | Wanted::No => Ok(()),
        }
    }

    /// Its next octets.
    pub(crate) fn octets(&mut self, octets: &[u8]) -> Result<(), Error> {
        self.maildir.octets(octets)
    }

    /// It is whole.
    pub(crate) fn end(&mut self, row: &Row) -> Result<(), Error> {
        self.maildir.end(row)
    }

    /// Removes what the other mailbox has not; says how many.
    pub(crate) fn prune(self) -> Result<u64, Error> {
        let mut count = 0;
        for (unique, name) in &self.maildir.there {
            let is_ours = String::from_utf8_lossy(unique).contains(OURS);
            if is_ours && !self.seen.contains(unique) {
                let path = self.maildir.path.join("cur").join(OsString::from_vec(name.clone()));
                std::fs::remove_file(&path).map_err(|error| failed(&path, &error))?;
                count += 1;
            }
        }
        Ok(count)
    }
}
