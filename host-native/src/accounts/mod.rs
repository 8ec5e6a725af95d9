//! Accounts of a server profile: a text file of names, Argon2id hashes and SCRAM verifiers, and the check of a password.
//! The file is read again when it changes, so that `pillarbox account` acts on a running server.

mod live;
mod readable;
mod scram;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use pillarbox_engine::sasl::scram::Hash;

use crate::auth::prepared;
use crate::error::{Error, Kind};

pub use live::LiveAccounts;
pub use readable::Readable;
pub use scram::{ITERATIONS, SALT_OCTETS, Verifier};

const HEAD: &str = "\
# Accounts of this Pillarbox server, one a line: name, Argon2id hash, SCRAM verifiers (RFC 5803); behind READABLE$ the
# password itself in base64, where `pillarbox account` was told --readable.
# Changed by `pillarbox account`; a running server notices.
";

/// What is kept of an account's password.
#[derive(Clone, Debug)]
pub struct Secret {
    /// Argon2id, in the PHC form.
    pub hash: String,
    /// For SCRAM; none in a line that an older version wrote.
    pub scram: Vec<Verifier>,
    /// The password itself, for APOP and CRAM-MD5; none unless somebody asked for that.
    pub readable: Option<Readable>,
}

impl Secret {
    /// That of a new password.
    ///
    /// # Errors
    /// [`Kind::Usage`] if it holds what no password may (RFC 4013), [`Kind::Failed`] if it cannot be hashed.
    pub fn new(password: &str) -> Result<Self, Error> {
        let password = prepared(password.as_bytes()).ok_or_else(|| {
            Error::usage("the password is empty or holds characters that RFC 4013 forbids")
        })?;
        let hash = Argon2::default().hash_password(password.as_bytes());
        let hash = hash.map_err(|e| Error::failed(format!("cannot hash the password: {e}")))?;
        let scram = [Hash::Sha1, Hash::Sha256].map(|hash| Verifier::new(hash, &password));
        let scram = scram.into_iter().collect::<Result<_, _>>()?;
        Ok(Self { hash: hash.to_string(), scram, readable: None })
    }

    /// What a SCRAM exchange with this hash function is judged by.
    #[must_use]
    pub fn verifier(&self, hash: Hash) -> Option<&Verifier> {
        self.scram.iter().find(|verifier| verifier.hash == hash)
    }

    /// A password as this secret was made from it: an older version prepared none.
    #[must_use]
    pub fn comparable(&self, password: &[u8]) -> Option<Vec<u8>> {
        if self.scram.is_empty() {
            return Some(password.to_vec());
        }
        prepared(password).map(String::into_bytes)
    }

    /// ```text
    /// hash *(SP verifier) [SP readable]
    /// ```
    fn parse(text: &str) -> Option<Self> {
        let mut words: Vec<&str> = text.split(' ').collect();
        let readable = words.last().and_then(|word| Readable::parse(word));
        if readable.is_some() {
            words.pop();
        }
        let (hash, scram) = words.split_first()?;
        let hash = Some(*hash).filter(|hash| PasswordHash::new(hash).is_ok())?.to_owned();
        let scram = scram.iter().map(|word| Verifier::parse(word)).collect::<Option<_>>()?;
        Some(Self { hash, scram, readable })
    }
}

/// Names and what is kept of their passwords.
#[derive(Clone, Debug, Default)]
pub struct Accounts(BTreeMap<String, Secret>);

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
            let entry = line.split_once(' ');
            let entry = entry.and_then(|(name, secret)| Some((name, Secret::parse(secret)?)));
            let Some((name, secret)) = entry else {
                let what = format!(
                    "line {}: expected a name, an Argon2id hash, SCRAM verifiers, if any, and READABLE$, if at all",
                    at + 1
                );
                return Err(data_error(file, &what));
            };
            accounts.insert(name.to_owned(), secret);
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
        let mut text = HEAD.to_owned();
        for (name, Secret { hash, scram, readable }) in &self.0 {
            let scram: String = scram.iter().map(|verifier| format!(" {verifier}")).collect();
            let readable = readable.iter().map(|readable| format!(" {}", readable.to_line()));
            text.push_str(&format!("{name} {hash}{scram}{}\n", readable.collect::<String>()));
        }
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

    /// Adds an account, or changes its password; only what cannot be turned back into it is kept.
    ///
    /// # Errors
    /// As [`Secret::new`].
    pub fn set(&mut self, name: &str, password: &str) -> Result<(), Error> {
        self.0.insert(name.to_owned(), Secret::new(password)?);
        Ok(())
    }

    /// The same, with the password itself kept beside that: APOP and CRAM-MD5 are judged by nothing less.
    ///
    /// # Errors
    /// As [`Secret::new`].
    pub fn set_readable(&mut self, name: &str, password: &str) -> Result<(), Error> {
        let readable = Some(Readable::new(password));
        self.0.insert(name.to_owned(), Secret { readable, ..Secret::new(password)? });
        Ok(())
    }

    /// Whether any account has a password that can be read.
    #[must_use]
    pub fn has_readable(&self) -> bool {
        self.0.values().any(|secret| secret.readable.is_some())
    }

    /// Removes an account.
    pub fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// What is kept of an account's password.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<&Secret> {
        self.0.get(name)
    }

    /// How many accounts have no verifiers, since an older version made them.
    #[must_use]
    pub fn without_scram(&self) -> usize {
        self.0.values().filter(|secret| secret.scram.is_empty()).count()
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

#[cfg(test)]
mod tests {
    use pillarbox_engine::sasl::scram::Keys;

    use super::*;

    #[test]
    fn lines_of_an_older_version_are_read_and_kept_as_they_are() {
        let file = std::env::temp_dir().join(format!("pillarbox-accounts-{}", std::process::id()));
        let old = Secret::new("pencil").expect("a password").hash;
        fs::write(&file, format!("# a remark\nann@a.example {old}\n")).expect("it is ours");
        let mut accounts = Accounts::read(&file).expect("an old file");
        accounts.set("bob@a.example", "I\u{ad}X").expect("a password");
        accounts.write(&file).expect("it can be written");
        let again = Accounts::read(&file).expect("a new file");
        let (ann, bob) = (again.secret("ann@a.example"), again.secret("bob@a.example"));
        let (ann, bob) = (ann.expect("she is there"), bob.expect("he is there"));
        assert_eq!((&ann.hash, again.without_scram()), (&old, 1));
        assert!(ann.verifier(Hash::Sha256).is_none());
        assert!(verify(&ann.hash, &ann.comparable(b"pencil").expect("as it is")));
        // RFC 4013 §3: a soft hyphen is mapped to nothing.
        assert!(verify(&bob.hash, &bob.comparable(b"IX").expect("prepared")));
        assert_eq!(bob.comparable(b"\x07"), None);
        for hash in [Hash::Sha1, Hash::Sha256] {
            let kept = bob.verifier(hash).expect("it was made");
            assert_eq!(kept.keys, Keys::derive(hash, b"IX", &kept.salt, kept.iterations));
        }
        // Only who is told to keep a password keeps it, and only until the next one.
        let mut accounts = again;
        accounts.set_readable("cyd@a.example", "a pass wörd").expect("a password");
        accounts.write(&file).expect("it can be written");
        let mut accounts = Accounts::read(&file).expect("a new file");
        let kept = accounts.secret("cyd@a.example").and_then(|secret| secret.readable.clone());
        assert_eq!(kept.expect("it was kept").octets(), "a pass wörd".as_bytes());
        assert!(accounts.has_readable());
        assert!(!format!("{accounts:?}").contains("YSBwYXNz"), "it is in no log");
        accounts.set("cyd@a.example", "another").expect("a password");
        assert!(!accounts.has_readable());
        for word in ["READABLE$", "READABLE$?", "readable$YQ==", "READABLE$YQ== SCRAM-SHA-1$1"] {
            fs::write(&file, format!("ann@a.example {old} {word}\n")).expect("it is ours");
            assert!(Accounts::read(&file).is_err(), "{word}");
        }
        fs::write(&file, format!("ann@a.example {old} SCRAM-SHA-1$1\n")).expect("it is ours");
        let error = Accounts::read(&file).expect_err("no verifier");
        assert!(error.to_string().contains("line 1"), "{error}");
        fs::remove_file(&file).expect("it is ours");
    }
}
