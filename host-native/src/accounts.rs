//! Accounts of a server profile: a text file of names and Argon2id hashes, and the check of a password against it.
//! The file is read again when it changes, so that `pillarbox account` acts on a running server.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};

use crate::error::{Error, Kind};

const HEAD: &str = "\
# Accounts of this Pillarbox server: one line each, name and Argon2id hash.
# Changed by `pillarbox account`; a running server notices.
";

/// Names and password hashes.
#[derive(Clone, Debug, Default)]
pub struct Accounts(BTreeMap<String, String>);

impl Accounts {
    /// Reads the file; one that does not exist is empty.
    ///
    /// # Errors
    /// [`Kind::Data`] if it cannot be read, with the line if it is not what [`Accounts::write`] writes.
    pub fn read(file: &Path) -> Result<Self, Error> {
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => return Err(data_error(file, &error.to_string())),
        };
        let mut accounts = BTreeMap::new();
        for (at, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let entry = line.split_once(' ').filter(|(_, hash)| PasswordHash::new(hash).is_ok());
            let Some((name, hash)) = entry else {
                let what =
                    format!("line {}: expected a name, a space and an Argon2id hash", at + 1);
                return Err(data_error(file, &what));
            };
            accounts.insert(name.to_owned(), hash.to_owned());
        }
        Ok(Self(accounts))
    }

    /// Writes the file: whole or not at all, readable by its owner alone.
    ///
    /// # Errors
    /// [`Kind::Data`] with the cause.
    pub fn write(&self, file: &Path) -> Result<(), Error> {
        let failed = |error: std::io::Error| data_error(file, &error.to_string());
        if let Some(directory) = file.parent() {
            fs::create_dir_all(directory).map_err(failed)?;
        }
        let lines = self.0.iter().map(|(name, hash)| format!("{name} {hash}\n"));
        let text: String = std::iter::once(HEAD.to_owned()).chain(lines).collect();
        let new = file.with_extension("new");
        let mut options = fs::OpenOptions::new();
        let mut out = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)
            .map_err(failed)?;
        out.write_all(text.as_bytes()).and_then(|()| out.sync_all()).map_err(failed)?;
        fs::rename(&new, file).map_err(failed)
    }

    /// All names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether there is an account of this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Adds an account, or changes its password.
    ///
    /// # Errors
    /// [`Kind::Failed`] if the password cannot be hashed.
    pub fn set(&mut self, name: &str, password: &str) -> Result<(), Error> {
        let hash = Argon2::default().hash_password(password.as_bytes());
        let hash = hash.map_err(|e| Error::failed(format!("cannot hash the password: {e}")))?;
        self.0.insert(name.to_owned(), hash.to_string());
        Ok(())
    }

    /// Removes an account.
    pub fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// The hash to check a password against; for an unknown name one that no password fits, so that both take as long.
    #[must_use]
    pub fn hash(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// Checks a password; takes tens of milliseconds by design, so never on a thread that serves connections.
#[must_use]
pub fn verify(hash: &str, password: &[u8]) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok())
}

fn data_error(file: &Path, what: &str) -> Error {
    Error::new(Kind::Data, format!("{}: {what}", file.display()))
}
