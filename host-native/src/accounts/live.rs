//! The accounts as their file has them now: a running server notices what `pillarbox account` did.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::Accounts;
use crate::error::Error;

/// How long a file that could not be read is left alone.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What tells one state of the file from the next: when it was written, and its length.
type Stamp = Option<(SystemTime, u64)>;

/// A file of accounts that may change.
#[derive(Debug)]
pub struct LiveAccounts {
    file: PathBuf,
    loaded: Mutex<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    accounts: Arc<Accounts>,
    stamp: Stamp,
    failed: Option<Instant>,
}

impl LiveAccounts {
    /// Reads the file.
    ///
    /// # Errors
    /// As [`Accounts::read`].
    pub fn new(file: PathBuf) -> Result<Self, Error> {
        let stamp = stamp(&file);
        let accounts = Arc::new(Accounts::read(&file)?);
        let old = accounts.without_scram();
        if old > 0 {
            tracing::warn!(
                accounts = old,
                "some accounts cannot log in with SCRAM until `pillarbox account password` sets their password anew"
            );
        }
        let loaded = Loaded { accounts, stamp, failed: None };
        Ok(Self { file, loaded: Mutex::new(loaded) })
    }

    /// The accounts now. The file is looked at each time, so that an account may be used as soon as it is there.
    #[must_use]
    pub fn now(&self) -> Arc<Accounts> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let now = stamp(&self.file);
        let waits = loaded.failed.is_some_and(|failed| failed.elapsed() < TRY_AGAIN_AFTER);
        if now != loaded.stamp && !waits {
            loaded.read(&self.file, now);
        }
        Arc::clone(&loaded.accounts)
    }
}

impl Loaded {
    fn read(&mut self, file: &Path, stamp: Stamp) {
        match Accounts::read(file) {
            Ok(accounts) => {
                self.accounts = Arc::new(accounts);
                self.stamp = stamp;
                self.failed = None;
                let accounts = self.accounts.names().count();
                tracing::info!(accounts, "accounts read again");
            }
            Err(error) => {
                self.failed = Some(Instant::now());
                tracing::error!(%error, "accounts not read again; the old ones stay");
            }
        }
    }
}

fn stamp(file: &Path) -> Stamp {
    let meta = std::fs::metadata(file).ok()?;
    Some((meta.modified().ok()?, meta.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_there_as_soon_as_the_file_has_it() {
        let folder = std::env::temp_dir().join(format!("pillarbox-live-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder of our own");
        let file = folder.join("accounts");
        let mut accounts = Accounts::default();
        accounts.set("ann@a.example", "one").expect("a password");
        accounts.write(&file).expect("our own");
        let live = LiveAccounts::new(file.clone()).expect("our own");
        assert!(!live.now().contains("bob@a.example"));
        accounts.set("bob@a.example", "two").expect("a password");
        accounts.write(&file).expect("our own");
        assert!(live.now().contains("bob@a.example"));
        std::fs::remove_dir_all(&folder).expect("our own");
    }
}
