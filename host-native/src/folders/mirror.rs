//! A Maildir that follows a mailbox elsewhere: what that has not any more goes, as far as it was written here.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use pillarbox_engine::folder::maildir;

use super::find::entries;
use super::names::{NAME_FILE, Place, recall, remember};
use super::target::{Maildir, OURS, Wanted, failed};
use super::{Format, INBOX, Sync};
use crate::error::Error;
use crate::local::Row;

/// Directories of each Maildir.
const PLACES: [&str; 3] = ["cur", "new", "tmp"];
/// Files that a folder has beside them, without a message in them.
const OWN_FILES: [&str; 3] = ["maildirfolder", "dovecot-keywords", NAME_FILE];

/// See the module.
pub(crate) struct Mirror {
    maildir: Maildir,
    /// What the other mailbox has.
    seen: HashSet<Vec<u8>>,
}

impl Mirror {
    /// Opens it, or makes it. What was made here says so by its name file, for [`prune_others`].
    pub(crate) fn open(
        place: &Place,
        mailbox: &str,
        uid_validity: u32,
        sync: Sync,
    ) -> Result<Self, Error> {
        let is_folder = !mailbox.eq_ignore_ascii_case(INBOX);
        let is_new = !place.path.exists();
        let maildir = Maildir::create(&place.path, uid_validity, sync)?;
        place.remember(Format::Maildir)?;
        if is_folder && is_new {
            remember(&place.path, Format::Maildir, mailbox)?;
        }
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

/// A folder whose mailbox is not there any more.
pub(crate) struct Pruned {
    pub(crate) mailbox: String,
    pub(crate) gone: u64,
}

/// Goes through the folders of a Maildir that no mailbox has. Messages that were written here are removed, and then the folder,
/// if it was made or filled here and nothing else is in it.
///
/// # Errors
/// A folder cannot be read, or a file not be removed.
pub(crate) fn prune_others(root: &Path, kept: &HashSet<PathBuf>) -> Result<Vec<Pruned>, Error> {
    let mut all = Vec::new();
    for (path, is_directory) in entries(root)? {
        let name = path.file_name().unwrap_or_default().as_bytes().to_vec();
        if !is_directory
            || !name.starts_with(b".")
            || kept.contains(&path)
            || !path.join("cur").is_dir()
        {
            continue;
        }
        let told = recall(&path, Format::Maildir);
        let gone = prune_folder(&path)?;
        if gone == 0 && told.is_none() {
            // Somebody else's.
            continue;
        }
        let is_removed = remove_empty(&path)?;
        if gone > 0 || is_removed {
            let mailbox = told.or_else(|| {
                maildir::mailbox(&name).map(|name| String::from_utf8_lossy(&name).into_owned())
            });
            let mailbox = mailbox.unwrap_or_else(|| String::from_utf8_lossy(&name).into_owned());
            all.push(Pruned { mailbox, gone });
        }
    }
    all.sort_by(|a, b| a.mailbox.cmp(&b.mailbox));
    Ok(all)
}

/// Removes the messages that were written here; says how many.
fn prune_folder(path: &Path) -> Result<u64, Error> {
    let mut gone = 0;
    for place in PLACES {
        let place = path.join(place);
        if !place.is_dir() {
            continue;
        }
        for (file, is_directory) in entries(&place)? {
            let is_ours = file.file_name().unwrap_or_default().to_string_lossy().contains(OURS);
            if is_ours && !is_directory {
                fs::remove_file(&file).map_err(|error| failed(&file, &error))?;
                gone += 1;
            }
        }
    }
    Ok(gone)
}

/// Removes a folder in which nothing is but what belongs to it; says whether it did.
fn remove_empty(path: &Path) -> Result<bool, Error> {
    for place in PLACES {
        let place = path.join(place);
        if place.is_dir() && !names(&place)?.is_empty() {
            return Ok(false);
        }
    }
    let names = names(path)?;
    let belongs =
        |name: &OsString| PLACES.iter().chain(&OWN_FILES).any(|own| name.as_os_str() == *own);
    if !names.iter().all(belongs) {
        return Ok(false);
    }
    for name in names {
        let own = path.join(name);
        // A directory that got something meanwhile is not removed.
        let removed = if own.is_dir() { fs::remove_dir(&own) } else { fs::remove_file(&own) };
        removed.map_err(|error| failed(&own, &error))?;
    }
    fs::remove_dir(path).map_err(|error| failed(path, &error))?;
    Ok(true)
}

fn names(path: &Path) -> Result<Vec<OsString>, Error> {
    let all = fs::read_dir(path).and_then(|all| all.map(|one| Ok(one?.file_name())).collect());
    all.map_err(|error: std::io::Error| failed(path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_put_there_stays() {
        let root = std::env::temp_dir().join(format!("pillarbox-mirror-{}", std::process::id()));
        drop(fs::remove_dir_all(&root));
        let put = |path: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("it has one")).expect("ours");
            fs::write(path, "").expect("ours");
        };
        let ours = "0000000001.V7.pillarbox,S=0:2,";
        for folder in ["", ".Kept/", ".Gone/", ".Mixed/", ".Strange/", ".Old/"] {
            put(&format!("{folder}cur/{ours}"));
            for place in ["new", "tmp"] {
                fs::create_dir_all(root.join(folder).join(place)).expect("ours");
            }
        }
        for file in [
            ".Gone/maildirfolder",
            ".Gone/dovecot-keywords",
            ".Gone/tmp/0000000002.V7.pillarbox,S=0",
            ".Mixed/new/1.mine",
            ".Mixed/maildirfolder",
            ".Strange/notes.txt",
            ".Theirs/cur/1.mine:2,",
            ".NoMaildir/0000000001.V7.pillarbox,S=0",
        ] {
            put(file);
        }
        for place in PLACES {
            // One that was made here and never had mail, and one that somebody else has made.
            fs::create_dir_all(root.join(".Empty").join(place)).expect("ours");
            fs::create_dir_all(root.join(".TheirEmpty").join(place)).expect("ours");
        }
        remember(&root.join(".Empty"), Format::Maildir, "Empty").expect("ours");
        // Cut short, it has another's name.
        remember(&root.join(".Old"), Format::Maildir, "Old/one").expect("ours");
        let kept = HashSet::from([root.clone(), root.join(".Kept")]);
        let pruned = prune_others(&root, &kept).expect("they can be read");
        let pruned: Vec<(&str, u64)> =
            pruned.iter().map(|one| (&one.mailbox[..], one.gone)).collect();
        assert_eq!(
            pruned,
            [("Empty", 0), ("Gone", 2), ("Mixed", 1), ("Old/one", 1), ("Strange", 1)]
        );
        for (path, is_there) in [
            (&*format!("cur/{ours}"), true),
            (&*format!(".Kept/cur/{ours}"), true),
            (".Gone", false),
            (".Empty", false),
            (".Old", false),
            (".TheirEmpty/cur", true),
            (".Mixed/new/1.mine", true),
            (".Mixed/maildirfolder", true),
            (&*format!(".Mixed/cur/{ours}"), false),
            (".Strange/notes.txt", true),
            (".Strange/cur", true),
            (&*format!(".Strange/cur/{ours}"), false),
            (".Theirs/cur/1.mine:2,", true),
            (".NoMaildir/0000000001.V7.pillarbox,S=0", true),
        ] {
            assert_eq!(root.join(path).exists(), is_there, "{path}");
        }
        assert!(prune_others(&root, &kept).expect("they can be read").is_empty());
        drop(fs::remove_dir_all(&root));
    }
}
