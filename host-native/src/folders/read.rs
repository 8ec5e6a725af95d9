//! The messages of one mailbox in files, in order: octets as they are stored, with flags and date as far as the files tell.

use std::collections::{HashMap, VecDeque};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use pillarbox_engine::folder::ToCrlf;
use pillarbox_engine::folder::maildir::{self, Keywords};
use pillarbox_engine::folder::mbox::{Item, Quoting, Reader};
use pillarbox_engine::imap::types::Flags;

use super::find::{entries, is_eml, unreadable};
use super::target::{SIDECAR, Told, read_sidecar};
use super::{Folder, Format};
use crate::error::{Error, Kind};

/// Octets read at once.
const READ_MAX: usize = 256 * 1024;

/// What was read.
pub(super) enum Part {
    /// Octets of a message, with CRLF.
    Octets(Vec<u8>),
    /// It is whole.
    End(Facts),
    /// It is none that anybody wrote; what came of it is to be dropped.
    Dropped,
}

/// What the files tell of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) flags: Flags,
    /// When it came; none if the files do not say.
    pub(super) date: Option<(u64, i16)>,
}

/// A mailbox that is being read.
pub(super) struct Messages {
    path: PathBuf,
    from: From,
    buffer: Vec<u8>,
    /// Files that went while they were read.
    pub(super) gone: u64,
}

enum From {
    Mbox {
        input: Box<dyn Read + Send>,
        reader: Reader,
        items: VecDeque<Item>,
        came: Option<u64>,
        ended: bool,
    },
    Files {
        waiting: VecDeque<(PathBuf, Facts)>,
        open: Option<(File, ToCrlf, Facts)>,
    },
}

impl Messages {
    pub(super) fn open(folder: &Folder, quoting: Quoting) -> Result<Self, Error> {
        let path = &folder.path;
        let failed = |error: io::Error| unreadable(path, &error);
        let from = match folder.format {
            Format::Mbox => {
                let input: Box<dyn Read + Send> = match path.as_os_str() == "-" {
                    true => Box::new(io::stdin()),
                    false => Box::new(File::open(path).map_err(failed)?),
                };
                let (reader, items) = (Reader::new(quoting), VecDeque::new());
                From::Mbox { input, reader, items, came: None, ended: false }
            }
            Format::Maildir => From::Files { waiting: of_maildir(path)?.into(), open: None },
            Format::Eml => From::Files { waiting: of_letters(path)?.into(), open: None },
        };
        Ok(Self { path: path.clone(), from, buffer: vec![0; READ_MAX], gone: 0 })
    }

    /// What comes next; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Part>, Error> {
        let Self { path, from, buffer, gone } = self;
        match from {
            From::Mbox { input, reader, items, came, ended } => loop {
                match items.pop_front() {
                    Some(Item::Begin(when)) => *came = when,
                    Some(Item::Octets(octets)) => return Ok(Some(Part::Octets(octets))),
                    Some(Item::End(end)) if end.is_internal => return Ok(Some(Part::Dropped)),
                    Some(Item::End(end)) => {
                        let date = came.take().map(|ms| (ms, 0));
                        return Ok(Some(Part::End(Facts { flags: end.flags, date })));
                    }
                    None if *ended => return Ok(None),
                    None => {
                        let count = read(&mut **input, buffer).map_err(|e| unreadable(path, &e))?;
                        let mut out = Vec::new();
                        let read = match count {
                            0 => {
                                *ended = true;
                                reader.finish(&mut out)
                            }
                            count => reader.take(&buffer[..count], &mut out),
                        };
                        read.map_err(|_| {
                            let what = "it does not begin with `From `, so it is no mbox file";
                            let help = "is it another --format?";
                            let place = path.display();
                            Error::new(Kind::Input, format!("{place}: {what}; {help}"))
                        })?;
                        items.extend(out);
                    }
                }
            },
            From::Files { waiting, open } => loop {
                let Some((file, lines, _)) = open else {
                    let Some((path, facts)) = waiting.pop_front() else { return Ok(None) };
                    match File::open(&path) {
                        Ok(file) => *open = Some((file, ToCrlf::default(), facts)),
                        // Whoever else uses this directory has moved it.
                        Err(error) if error.kind() == io::ErrorKind::NotFound => *gone += 1,
                        Err(error) => return Err(unreadable(&path, &error)),
                    }
                    continue;
                };
                let count = read(file, buffer).map_err(|error| unreadable(path, &error))?;
                let mut out = Vec::new();
                if count > 0 {
                    lines.take(&buffer[..count], &mut out);
                    if !out.is_empty() {
                        return Ok(Some(Part::Octets(out)));
                    }
                    continue;
                }
                lines.finish(&mut out);
                if !out.is_empty() {
                    return Ok(Some(Part::Octets(out)));
                }
                let (_, _, facts) = open.take().expect("it was looked at above");
                return Ok(Some(Part::End(facts)));
            },
        }
    }

    /// Lines of an mbox file that may have been meant to begin a message.
    pub(super) fn doubtful(&self) -> u64 {
        match &self.from {
            From::Mbox { reader, .. } => reader.doubtful(),
            From::Files { .. } => 0,
        }
    }

    /// Lines of an mbox file that begin a message but for the blank line that is missing before them.
    pub(super) fn unparted(&self) -> u64 {
        match &self.from {
            From::Mbox { reader, .. } => reader.unparted(),
            From::Files { .. } => 0,
        }
    }
}

fn read(input: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match input.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

fn of_maildir(path: &Path) -> Result<Vec<(PathBuf, Facts)>, Error> {
    let keywords = match fs::read(path.join("dovecot-keywords")) {
        Ok(text) => Keywords::read(&text),
        Err(_) => Keywords::default(),
    };
    let mut all = Vec::new();
    for place in ["cur", "new"] {
        for (file, is_directory) in entries(&path.join(place))? {
            let name = file.file_name().unwrap_or_default().as_bytes().to_vec();
            if is_directory || name.starts_with(b".") {
                continue;
            }
            let flags = maildir::flags(&name, &keywords);
            // By convention the file's own time is when the message came.
            let date = modified(&file).map(|ms| (ms, 0));
            all.push((name, file, Facts { flags, date }));
        }
    }
    // Names begin with the second in which a message came, or, if they are ours, with its UID.
    all.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(all.into_iter().map(|(_, file, facts)| (file, facts)).collect())
}

fn of_letters(path: &Path) -> Result<Vec<(PathBuf, Facts)>, Error> {
    if !path.is_dir() {
        return Ok(vec![(path.to_owned(), Facts::default())]);
    }
    let told: HashMap<String, Told> = read_sidecar(&path.join(SIDECAR))?;
    let mut all = Vec::new();
    for (file, is_directory) in entries(path)? {
        if is_directory || !is_eml(&file) {
            continue;
        }
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let facts = told.get(&name).map_or_else(Facts::default, |told| Facts {
            flags: told.flags(),
            date: Some((told.date_ms, told.zone)),
        });
        all.push((file, facts));
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(all)
}

fn modified(path: &Path) -> Option<u64> {
    let time = fs::metadata(path).ok()?.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    u64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
}
