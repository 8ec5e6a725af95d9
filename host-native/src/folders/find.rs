//! Which mailboxes a path holds, and in what form; links to directories are not followed, so that no path comes twice.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use pillarbox_engine::folder::maildir;
use pillarbox_engine::imap::grammar::mailbox_name;

use super::names::recall;
use super::target::SIDECAR;
use super::{Format, beside};
use crate::error::{Error, Kind};

/// Levels of directories that are looked into; mailboxes have no more.
const DEPTH_MAX: usize = 30;
const NO_NAME: &str = "its name is no mailbox's; rename it, or move it away";

/// One mailbox in files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Folder {
    /// Its file or directory; `-` is standard input.
    pub(crate) path: PathBuf,
    /// The mailbox that its messages go to.
    pub(crate) mailbox: String,
    pub(crate) format: Format,
}

/// What is there, the top mailbox first.
///
/// # Errors
/// It cannot be read, or is none of the forms.
pub(crate) fn find(path: &Path, format: Option<Format>, top: &str) -> Result<Vec<Folder>, Error> {
    let whole =
        |format| Ok(vec![Folder { path: path.to_owned(), mailbox: top.to_owned(), format }]);
    if path.as_os_str() == "-" {
        return match format {
            None | Some(Format::Mbox) => whole(Format::Mbox),
            Some(other) => Err(Error::usage(format!("-: standard input is mbox, not {other}"))),
        };
    }
    let data = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if !data.is_dir() {
        let is_eml = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("eml"));
        return match format {
            Some(Format::Maildir) => Err(no(path, "a Maildir is a directory")),
            Some(format) => whole(format),
            None if is_eml => whole(Format::Eml),
            None => whole(Format::Mbox),
        };
    }
    let format = match format {
        Some(format) => format,
        None => looks_like(path)?,
    };
    let mut folders = match format {
        Format::Maildir => maildir(path, top)?,
        Format::Mbox | Format::Eml => tree(path, format, top)?,
    };
    if folders.is_empty() {
        return Err(no(path, &format!("there is no {format} mail in it")));
    }
    folders.sort_by(|a, b| (a.mailbox != top, &a.mailbox).cmp(&(b.mailbox != top, &b.mailbox)));
    Ok(folders)
}

/// What a directory holds.
fn looks_like(path: &Path) -> Result<Format, Error> {
    // Mailboxes of these names, each a folder of .eml files, make no Maildir.
    let is_mailbox = |name: &&str| path.join(name).join(SIDECAR).is_file();
    if is_maildir(path) && !["cur", "new"].iter().any(is_mailbox) {
        return Ok(Format::Maildir);
    }
    let has = |format| tree(path, format, "INBOX").map(|found| !found.is_empty());
    match (has(Format::Eml)?, has(Format::Mbox)?) {
        (true, false) => Ok(Format::Eml),
        (false, true) => Ok(Format::Mbox),
        (true, true) => Err(no(path, "it has .eml and mbox files; say which with --format")),
        (false, false) => Err(no(path, "there is no Maildir, no mbox and no .eml file in it")),
    }
}

fn is_maildir(path: &Path) -> bool {
    path.join("cur").is_dir() && path.join("new").is_dir()
}

fn maildir(path: &Path, top: &str) -> Result<Vec<Folder>, Error> {
    use std::os::unix::ffi::OsStrExt;
    let format = Format::Maildir;
    let mut folders = Vec::new();
    if is_maildir(path) {
        folders.push(Folder { path: path.to_owned(), mailbox: top.to_owned(), format });
    }
    for (entry, is_directory) in entries(path)? {
        let name = entry.file_name().unwrap_or_default().as_bytes().to_vec();
        if !is_directory || !name.starts_with(b".") || !is_maildir(&entry) {
            continue;
        }
        let mailbox = match recall(&entry, format) {
            Some(mailbox) => named(&entry, &beside(top, &mailbox))?,
            None => match maildir::mailbox(&name) {
                Some(mailbox) => beside(top, &String::from_utf8_lossy(&mailbox)),
                None => return Err(no(&entry, NO_NAME)),
            },
        };
        folders.push(Folder { path: entry, mailbox, format });
    }
    Ok(folders)
}

/// mbox files, or directories of `.eml` files, at any depth. One that was exported is a mailbox even if nothing is in it.
fn tree(path: &Path, format: Format, top: &str) -> Result<Vec<Folder>, Error> {
    let mut folders = Vec::new();
    let mut waiting = vec![(path.to_owned(), String::new(), 0)];
    while let Some((directory, name, depth)) = waiting.pop() {
        let mut is_mailbox = false;
        for (entry, is_directory) in entries(&directory)? {
            let file = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if is_directory {
                // Thunderbird's name for what lies below a mailbox.
                let level = file.strip_suffix(".sbd").unwrap_or(&file);
                if depth < DEPTH_MAX && !file.starts_with('.') {
                    waiting.push((entry, joined(&name, level), depth + 1));
                }
            } else if format == Format::Eml {
                is_mailbox |= is_eml(&entry) || file == SIDECAR;
            } else if is_mbox(&entry)? {
                let level = file.strip_suffix(".mbox").unwrap_or(&file);
                let name = recall(&entry, format).unwrap_or_else(|| joined(&name, level));
                let mailbox = named(&entry, &beside(top, &name))?;
                folders.push(Folder { path: entry, mailbox, format });
            }
        }
        if is_mailbox {
            // The path that was asked for is the top mailbox, whatever was exported to it.
            let told = if name.is_empty() { None } else { recall(&directory, format) };
            let mailbox = named(&directory, &beside(top, &told.unwrap_or(name)))?;
            folders.push(Folder { path: directory, mailbox, format });
        }
    }
    Ok(folders)
}

fn joined(name: &str, level: &str) -> String {
    if name.is_empty() { level.to_owned() } else { format!("{name}/{level}") }
}

fn named(path: &Path, name: &str) -> Result<String, Error> {
    let name = mailbox_name(name.as_bytes(), true);
    let name = name.map_err(|_| no(path, NO_NAME))?;
    Ok(String::from_utf8_lossy(&name).into_owned())
}

pub(super) fn is_eml(path: &Path) -> bool {
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("eml"))
}

fn is_mbox(path: &Path) -> Result<bool, Error> {
    let mut head = Vec::new();
    let file = fs::File::open(path).map_err(|error| unreadable(path, &error))?;
    file.take(5).read_to_end(&mut head).map_err(|error| unreadable(path, &error))?;
    let named = path.extension().is_some_and(|end| end == "mbox");
    Ok(head == b"From " || (head.is_empty() && named))
}

/// Files and directories in a directory, each with whether it is the latter; what is a link or neither is left out.
pub(super) fn entries(path: &Path) -> Result<Vec<(PathBuf, bool)>, Error> {
    let failed = |error: std::io::Error| unreadable(path, &error);
    let mut all = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() || kind.is_file() {
            all.push((entry.path(), kind.is_dir()));
        }
    }
    Ok(all)
}

pub(super) fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::new(Kind::NoInput, format!("{}: {error}", path.display()))
}

fn no(path: &Path, what: &str) -> Error {
    Error::new(Kind::NoInput, format!("{}: {what}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_told_apart() {
        let root = std::env::temp_dir().join(format!("pillarbox-find-{}", std::process::id()));
        drop(fs::remove_dir_all(&root));
        let put = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("it has one")).expect("ours");
            fs::write(path, text).expect("ours");
        };
        for directory in
            ["maildir/cur", "maildir/new", "maildir/.Work.Old/cur", "maildir/.Work.Old/new"]
        {
            fs::create_dir_all(root.join(directory)).expect("ours");
        }
        put("boxes/INBOX.mbox", "From x\n");
        put("boxes/Work.sbd/Old", "From x\n");
        put("boxes/Work.msf", "junk");
        put("letters/a.eml", "");
        put("letters/Work/b.EML", "");
        let names = |path: &str, top: &str| -> Vec<String> {
            let found = find(&root.join(path), None, top).expect("mail");
            found.into_iter().map(|folder| folder.mailbox).collect()
        };
        assert_eq!(names("maildir", "INBOX"), ["INBOX", "Work/Old"]);
        assert_eq!(names("boxes", "INBOX"), ["INBOX", "Work/Old"]);
        assert_eq!(names("boxes", "Old mail"), ["Old mail", "Old mail/Work/Old"]);
        assert_eq!(names("letters", "INBOX"), ["INBOX", "Work"]);
        assert_eq!(names("boxes/INBOX.mbox", "Sent"), ["Sent"]);
        let error = find(&root, None, "INBOX").expect_err("both are there");
        assert!(error.message.contains("--format"), "{error}");
        drop(fs::remove_dir_all(&root));
    }
}
