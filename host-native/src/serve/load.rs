//! `--load`: mail that is there when the server starts, a folder for each user.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pillarbox_engine::folder::mbox::Quoting;

use crate::backend::HostBackend;
use crate::error::Error;
use crate::folders::{INBOX, Imported, Importing, Shows, Tally, find, import};
use crate::local::{Desk, Local};

/// Stores what lies below a directory; what an earlier start stored is not stored again.
///
/// # Errors
/// [`crate::error::Kind::Usage`], naming the path: a test that lacks some of its mail would tell nonsense.
pub(super) async fn load(directory: &Path, backend: &Arc<HostBackend>) -> Result<(), Error> {
    let wrong = |what: String| Error::usage(format!("--load {}: {what}", directory.display()));
    let users = users(directory).map_err(|error| wrong(error.to_string()))?;
    if users.is_empty() {
        return Err(wrong("it is empty; a folder in it is a user's, such as bob@test".to_owned()));
    }
    let mut local = Local::Here(Box::new(Desk::new(Arc::clone(backend))));
    let mut total = Imported::default();
    for (user, path) in &users {
        let told = |error: Error| wrong(format!("{user}: {}", error.message));
        let account = local.account(user).await.map_err(told)?;
        let how = Importing { account: &account, quoting: Quoting::Mboxrd, again: false };
        let mut tally = Tally::new(Shows::new(false, true));
        for folder in find(path, None, INBOX).map_err(told)? {
            total.add(import(&mut local, &how, &folder, &mut tally).await.map_err(told)?);
        }
    }
    if let Some(note) = total.notes.first().filter(|_| total.refused > 0) {
        return Err(wrong(note.clone()));
    }
    let (messages, users) = (total.stored, users.len());
    tracing::info!(messages, users, known = total.known, "mail was loaded");
    Ok(())
}

/// Each user with what is theirs: a directory, or a file whose name ends in `.mbox` or `.eml`.
fn users(directory: &Path) -> std::io::Result<Vec<(String, PathBuf)>> {
    let mut users = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let name = if path.is_dir() { path.file_name() } else { path.file_stem() };
        let name = name.unwrap_or_default().to_string_lossy().into_owned();
        let ends = path.extension().is_some_and(|end| end == "mbox" || end == "eml");
        if !name.starts_with('.') && (path.is_dir() || ends) {
            users.push((name, path));
        }
    }
    users.sort();
    Ok(users)
}
