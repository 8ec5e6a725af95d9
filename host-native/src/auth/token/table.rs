//! A file of tokens: the SHA-256 of each in hexadecimal, its account, and perhaps the time of its end.
//! Such tokens are long and random, so one plain hash keeps them: there is nothing to guess.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use sha2::{Digest, Sha256};

use crate::error::Error;

/// How often the file is looked at, at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The file as it is now.
pub(super) struct Table {
    file: PathBuf,
    loaded: Mutex<Loaded>,
}

struct Loaded {
    entries: Arc<Entries>,
    modified: Option<SystemTime>,
    looked: Instant,
}

type Entries = HashMap<[u8; 32], Entry>;

struct Entry {
    account: String,
    /// Seconds since 1970.
    ends: Option<u64>,
}

impl Table {
    pub(super) fn new(file: PathBuf) -> Result<Self, Error> {
        let modified = modified(&file);
        let entries = Arc::new(read(&file)?);
        let loaded = Mutex::new(Loaded { entries, modified, looked: Instant::now() });
        Ok(Self { file, loaded })
    }

    /// The account of a token that has not ended.
    pub(super) fn account(&self, token: &[u8], now: u64) -> Option<String> {
        let hash: [u8; 32] = Sha256::digest(token).into();
        let entries = self.now();
        let entry = entries.get(&hash)?;
        entry.ends.is_none_or(|ends| now < ends).then(|| entry.account.clone())
    }

    fn now(&self) -> Arc<Entries> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if loaded.looked.elapsed() >= LOOK_EVERY {
            loaded.looked = Instant::now();
            let modified = modified(&self.file);
            if modified != loaded.modified {
                match read(&self.file) {
                    Ok(entries) => {
                        loaded.entries = Arc::new(entries);
                        tracing::info!(tokens = loaded.entries.len(), "tokens read again");
                    }
                    Err(error) => {
                        tracing::error!(%error, "tokens not read again; the old ones stay")
                    }
                }
                // A broken file is not read again until it changes again.
                loaded.modified = modified;
            }
        }
        Arc::clone(&loaded.entries)
    }
}

/// ```text
/// line = sha256-in-hexadecimal SP account [SP unix-seconds]
/// ```
fn read(file: &Path) -> Result<Entries, Error> {
    let failed = |what: &dyn std::fmt::Display| {
        Error::usage(format!("auth.tokens.table: {}: {what}", file.display()))
    };
    let text = std::fs::read_to_string(file).map_err(|error| failed(&error))?;
    let mut entries = Entries::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let entry = entry(line).ok_or_else(|| {
            failed(&format_args!(
                "line {}: expected the SHA-256 of a token, an account, and perhaps the second of its end; \
                 `printf %s TOKEN | sha256sum` gives the hash",
                at + 1
            ))
        })?;
        entries.insert(entry.0, entry.1);
    }
    Ok(entries)
}

fn entry(line: &str) -> Option<([u8; 32], Entry)> {
    let mut words = line.split_ascii_whitespace();
    let (hash, account) = (words.next()?, words.next()?);
    let ends = words.next().map(str::parse).transpose().ok()?;
    let digits = (hash.len() == 64 && hash.is_ascii() && words.next().is_none()).then_some(hash)?;
    let mut octets = [0; 32];
    for (octet, at) in octets.iter_mut().zip((0..).step_by(2)) {
        *octet = u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()?;
    }
    Some((octets, Entry { account: account.to_lowercase(), ends }))
}

fn modified(file: &Path) -> Option<SystemTime> {
    std::fs::metadata(file).and_then(|meta| meta.modified()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_its_account_until_its_end() {
        let file = std::env::temp_dir().join(format!("pillarbox-tokens-{}", std::process::id()));
        // printf %s secret | sha256sum
        let hash = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
        std::fs::write(&file, format!("# a remark\n{hash} Ann@a.example 100\n")).expect("ours");
        let table = Table::new(file.clone()).expect("a table");
        assert_eq!(table.account(b"secret", 99).as_deref(), Some("ann@a.example"));
        assert_eq!(table.account(b"secret", 100), None);
        assert_eq!(table.account(b"secret2", 1), None);
        for wrong in [hash, "00 ann", &format!("{hash} ann soon"), &format!("{hash} ann 1 2")] {
            std::fs::write(&file, wrong).expect("ours");
            let error = Table::new(file.clone()).err().expect("no table");
            assert!(error.to_string().contains("line 1"), "{error}");
        }
        std::fs::remove_file(&file).expect("ours");
    }
}
