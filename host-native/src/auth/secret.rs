//! The server's own secret: 32 octets, made at the first start and kept beside the accounts, for its owner alone.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::entropy;
use super::scram::ServerSecret;
use crate::error::{Error, Kind};

/// The secret in this file; a fresh one is put there if there is none.
pub(super) fn read_or_make(file: &Path) -> Result<ServerSecret, Error> {
    let failed = |what: &dyn std::fmt::Display| {
        Error::new(Kind::Data, format!("{}: {what}", file.display()))
    };
    match fs::read(file) {
        Ok(octets) => octets.try_into().map_err(|_| {
            failed(&"this is no secret of 32 octets; remove the file to have a new one made")
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let secret = entropy()?;
            let new = file.with_extension("new");
            let mut options = fs::OpenOptions::new();
            let made = options.write(true).create(true).truncate(true).mode(0o600).open(&new);
            let written = made.and_then(|mut out| {
                out.write_all(&secret)?;
                out.sync_all()?;
                fs::rename(&new, file)
            });
            written.map_err(|error| failed(&error))?;
            Ok(secret)
        }
        Err(error) => Err(failed(&error)),
    }
}
