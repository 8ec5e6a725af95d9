//! Where a mailbox goes among files, and how its name is found again where the path does not tell it.
//!
//! A name may be longer than a file's may be, begin with the dot of hidden files, or look like what means something else here.
//! Its level is then cut and gets a hash, and the whole name stands in a small file beside the messages.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use pillarbox_engine::folder::maildir;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::target::failed;
use super::{Format, INBOX};
use crate::error::Error;

/// The file that tells a directory's mailbox; beside an mbox file it has this in place of `mbox`.
pub(super) const NAME_FILE: &str = "pillarbox.json";
/// Octets of a level: file systems take 255, and the longest end that comes behind it is `.pillarbox.json`.
const LEVEL_MAX: usize = 240;
/// Octets that are kept of a level that gets a hash.
const KEPT_MAX: usize = 60;
/// Hexadecimal digits of a hash.
const HASH_DIGITS: usize = 32;

/// Where a mailbox is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) path: PathBuf,
    /// The mailbox, if the path does not tell it.
    untold: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    mailbox: String,
}

impl Place {
    /// A path that somebody chose for one mailbox.
    pub(super) fn chosen(path: &Path) -> Self {
        Self { path: path.to_owned(), untold: None }
    }

    /// A mailbox's place below a directory for all.
    pub(super) fn below(root: &Path, format: Format, mailbox: &str) -> Self {
        if format == Format::Maildir {
            return Self::in_maildir(root, mailbox.as_bytes());
        }
        let (mut path, mut is_told) = (root.to_owned(), true);
        let count = mailbox.split('/').count();
        for (at, level) in mailbox.split('/').enumerate() {
            let is_last = at + 1 == count;
            let stands = stands(level, format, at == 0, is_last);
            let mut name = if stands { level.to_owned() } else { hashed(level) };
            is_told &= stands;
            if is_last && format == Format::Mbox {
                name.push_str(".mbox");
            }
            path.push(name);
        }
        Self { path, untold: (!is_told).then(|| mailbox.to_owned()) }
    }

    /// The same in a Maildir, whose own messages are INBOX's.
    pub(crate) fn in_maildir(root: &Path, mailbox: &[u8]) -> Self {
        if mailbox.eq_ignore_ascii_case(INBOX.as_bytes()) {
            return Self::chosen(root);
        }
        let directory = maildir::directory(mailbox);
        if directory.len() <= LEVEL_MAX && !is_hashed(&directory) {
            let path = root.join(OsString::from_vec(directory));
            return Self { path, untold: None };
        }
        // Dots divide levels here, and half a sequence of modified UTF-7 is nothing.
        let plain =
            |octet: &u8| if octet.is_ascii_alphanumeric() { char::from(*octet) } else { '-' };
        let kept: String = directory[1..].iter().take(KEPT_MAX).map(plain).collect();
        let path = root.join(format!(".{kept}~{}", hash(mailbox)));
        Self { path, untold: Some(String::from_utf8_lossy(mailbox).into_owned()) }
    }

    /// Writes the name down if the path does not tell it. The directory is there.
    pub(super) fn remember(&self, format: Format) -> Result<(), Error> {
        match &self.untold {
            Some(mailbox) => remember(&self.path, format, mailbox),
            None => Ok(()),
        }
    }
}

/// Writes down which mailbox lies here.
pub(super) fn remember(path: &Path, format: Format, mailbox: &str) -> Result<(), Error> {
    if recall(path, format).as_deref() == Some(mailbox) {
        return Ok(());
    }
    let file = name_file(path, format);
    let told = Told { mailbox: mailbox.to_owned() };
    let mut line = serde_json::to_vec(&told).map_err(|error| failed(&file, &error))?;
    line.push(b'\n');
    fs::write(&file, line).map_err(|error| failed(&file, &error))
}

/// The mailbox that lies here, if that was written down.
pub(super) fn recall(path: &Path, format: Format) -> Option<String> {
    let told = fs::read(name_file(path, format)).ok()?;
    serde_json::from_slice::<Told>(&told).ok().map(|told| told.mailbox)
}

fn name_file(path: &Path, format: Format) -> PathBuf {
    match format {
        Format::Mbox => path.with_extension(NAME_FILE),
        Format::Maildir | Format::Eml => path.join(NAME_FILE),
    }
}

/// Whether a level can be a file's or directory's name and is read again as what it is.
fn stands(level: &str, format: Format, is_top: bool, is_last: bool) -> bool {
    let is_directory = format == Format::Eml || !is_last;
    // Beside them lie files of other mailboxes, and of theirs.
    let is_taken = match format {
        Format::Mbox => [".mbox", ".part"].iter().any(|end| level.ends_with(end)),
        Format::Eml | Format::Maildir => false,
    };
    let means_more =
        level.ends_with(".sbd") || is_taken || is_top && ["cur", "new", "tmp"].contains(&level);
    let is_untold = level.len() > LEVEL_MAX
        || level.starts_with('.')
        || level.contains(NAME_FILE)
        || is_hashed(level.as_bytes())
        || is_directory && means_more;
    !is_untold
}

/// A name for a level that cannot stand.
fn hashed(level: &str) -> String {
    let mut kept = String::new();
    for character in level.trim_start_matches('.').chars() {
        if kept.len() + character.len_utf8() > KEPT_MAX {
            break;
        }
        kept.push(character);
    }
    format!("{kept}~{}", hash(level.as_bytes()))
}

fn hash(octets: &[u8]) -> String {
    let digest = Sha256::digest(octets);
    digest.iter().take(HASH_DIGITS / 2).map(|octet| format!("{octet:02x}")).collect()
}

/// Whether it looks as what has a hash does, and might be taken for that.
fn is_hashed(name: &[u8]) -> bool {
    let Some(at) = name.len().checked_sub(HASH_DIGITS + 1) else { return false };
    let is_digit = |octet: &u8| octet.is_ascii_digit() || (b'a'..=b'f').contains(octet);
    name[at] == b'~' && name[at + 1..].iter().all(is_digit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folders::find::find;

    const FORMATS: [Format; 3] = [Format::Mbox, Format::Maildir, Format::Eml];

    /// Names of every kind that a path alone does not tell, and usual ones.
    fn names() -> Vec<String> {
        let mut names: Vec<String> = [
            "INBOX",
            "Work",
            "Work/Old",
            ".hid",
            ".hid/sub",
            "a/..b",
            "cur",
            "cur/x",
            "new",
            "tmp/x",
            "a.b",
            "x",
            "x.mbox",
            "x.mbox/y",
            "y.mbox.part/z",
            "z.sbd",
            "z.sbd/z",
            "x.eml",
            "Maildir",
            "日本/x",
            "q%z",
            "x/dovecot-keywords",
            "a/pillarbox.json",
            "a/pillarbox.jsonl",
            "x.pillarbox.json",
        ]
        .map(str::to_owned)
        .into();
        names.push("l".repeat(300));
        names.push("l".repeat(301));
        names.push(format!("a/{}/b", "ü".repeat(480)));
        names.push(vec!["deep level"; 30].join("/"));
        names.push(hashed(".hid"));
        let hidden = Place::in_maildir(Path::new(""), "l".repeat(300).as_bytes()).path;
        names.push(hidden.to_str().expect("ASCII")[1..].to_owned());
        names.sort();
        names
    }

    #[test]
    fn every_name_is_found_again() {
        let root = std::env::temp_dir().join(format!("pillarbox-names-{}", std::process::id()));
        for format in FORMATS {
            drop(fs::remove_dir_all(&root));
            let mut paths = std::collections::HashSet::new();
            for name in names() {
                let place = Place::below(&root, format, &name);
                assert!(paths.insert(place.path.clone()), "{format}: {name}");
                match format {
                    Format::Mbox => {
                        let above = place.path.parent().expect("the root at least");
                        fs::create_dir_all(above).expect("ours");
                        fs::write(&place.path, "").expect("ours");
                    }
                    Format::Maildir => {
                        fs::create_dir_all(place.path.join("cur")).expect("ours");
                        fs::create_dir_all(place.path.join("new")).expect("ours");
                    }
                    Format::Eml => {
                        fs::create_dir_all(&place.path).expect("ours");
                        fs::write(place.path.join("pillarbox.jsonl"), "").expect("ours");
                    }
                }
                place.remember(format).expect("ours");
            }
            let found = |top: &str| -> Vec<String> {
                let found = find(&root, None, top).expect("mail");
                let mut found: Vec<String> =
                    found.into_iter().map(|folder| folder.mailbox).collect();
                found.sort();
                found
            };
            assert_eq!(found("INBOX"), names(), "{format}");
        }
        drop(fs::remove_dir_all(&root));
    }

    #[test]
    fn what_a_path_tells_is_written_nowhere_else() {
        for format in FORMATS {
            for name in ["INBOX", "Work/Old", "a.b", "日本/x", "q%z"] {
                assert_eq!(Place::below(Path::new("r"), format, name).untold, None, "{name}");
            }
        }
        let place = Place::below(Path::new("r"), Format::Eml, "a/.hid");
        assert!(place.path.to_str().is_some_and(|path| path.starts_with("r/a/hid~")), "{place:?}");
    }
}
