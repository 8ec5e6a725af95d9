//! A directory for the servers' data that goes away with the run.
//! It is new, so that no server finds what another run has left.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::peers::sockets;

/// A directory of this run alone; with the directory of sockets it is removed when it is dropped.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Creates `parent`/run-PID, and `parent` where it is missing.
    pub(crate) fn new(parent: PathBuf) -> Result<Self> {
        fs::create_dir_all(&parent).with_context(|| format!("creating {}", parent.display()))?;
        // Servers that change their working directory need the whole path.
        let path = parent.canonicalize()?.join(format!("run-{}", std::process::id()));
        fs::create_dir(&path).with_context(|| format!("creating {}", path.display()))?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        for path in [&self.0, &sockets()] {
            let removed = if path.exists() { fs::remove_dir_all(path) } else { Ok(()) };
            if let Err(error) = removed {
                eprintln!("{} stays behind: {error}", path.display());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_away_with_what_is_in_it() {
        let parent = std::env::temp_dir().join(format!("bench-scratch-{}", std::process::id()));
        let scratch = Scratch::new(parent.clone()).expect("a writable temporary directory");
        let path = scratch.path().to_owned();
        fs::write(path.join("mail"), "x").expect("writable");
        assert!(Scratch::new(parent.clone()).is_err(), "two runs shared a directory");
        drop(scratch);
        assert!(!path.exists());
        fs::remove_dir(parent).expect("it is empty");
    }
}
