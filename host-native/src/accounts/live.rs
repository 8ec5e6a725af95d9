//! The accounts as their file has them now: a running server notices what `pillarbox account` did.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::Accounts;
use crate::error::Error;

/// How often the file is looked at, at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A file of accounts that may change.
#[derive(Debug)]
pub struct LiveAccounts {
    file: PathBuf,
    loaded: Mutex<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    accounts: Arc<Accounts>,
    modified: Option<SystemTime>,
    looked: Instant,
}

impl LiveAccounts {
    /// Reads the file.
    ///
    /// # Errors
    /// As [`Accounts::read`].
    pub fn new(file: PathBuf) -> Result<Self, Error> {
        let modified = modified(&file);
        let accounts = Arc::new(Accounts::read(&file)?);
        let old = accounts.without_scram();
        if old > 0 {
            tracing::warn!(
                accounts = old,
                "some accounts cannot log in with SCRAM until `pillarbox account password` sets their password anew"
            );
        }
        let loaded = Loaded { accounts, modified, looked: Instant::now() };
        Ok(Self { file, loaded: Mutex::new(loaded) })
    }

    /// The accounts now.
    #[must_use]
    pub fn now(&self) -> Arc<Accounts> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if loaded.looked.elapsed() >= LOOK_EVERY {
            loaded.looked = Instant::now();
            let now = modified(&self.file);
            if now != loaded.modified {
                match Accounts::read(&self.file) {
                    Ok(accounts) => {
                        loaded.accounts = Arc::new(accounts);
                        loaded.modified = now;
                        let accounts = loaded.accounts.names().count();
                        tracing::info!(accounts, "accounts read again");
                    }
                    Err(error) => {
                        tracing::error!(%error, "accounts not read again; the old ones stay");
                    }
                }
            }
        }
        Arc::clone(&loaded.accounts)
    }
}

fn modified(file: &Path) -> Option<SystemTime> {
    std::fs::metadata(file).and_then(|meta| meta.modified()).ok()
}
