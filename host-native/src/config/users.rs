//! The file of `--users`: accounts that are made up for a test, one a line.

use std::path::Path;

use super::DevUser;
use crate::error::Error;

/// Octets of the file, at most.
const OCTETS_MAX: u64 = 4 << 20;

/// Its accounts, each with its place for errors. Empty lines and those that begin with `#` say nothing.
///
/// # Errors
/// [`crate::error::Kind::Usage`]: it cannot be read, or a line is wrong; the message names file and line, and no password.
pub(super) fn read(path: &Path) -> Result<Vec<(String, DevUser)>, Error> {
    let at = path.display();
    let cannot = |what: String| Error::usage(format!("--users {at}: {what}"));
    let size =
        std::fs::metadata(path).map_err(|error| cannot(format!("cannot read it: {error}")))?;
    if size.len() > OCTETS_MAX {
        return Err(cannot("it is larger than 4 MiB".to_owned()));
    }
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| cannot(format!("cannot read it: {error}")))?;
    let mut users = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let place = format!("--users {at}: line {}:", number + 1);
        let user = line.parse().map_err(|why| Error::usage(format!("{place} {why}")))?;
        users.push((place, user));
    }
    if users.is_empty() {
        return Err(cannot(
            "there is no account in it; expected a line such as bob@hamburger.edu:s3cret"
                .to_owned(),
        ));
    }
    Ok(users)
}
