//! Mailboxes written as files. A message that is there from an earlier run is left alone, but for its flags, so that a run
//! that was cut off is simply run again.

use std::collections::HashMap;
use std::fs::{self, File, FileTimes};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use pillarbox_engine::folder::ToLf;
use pillarbox_engine::folder::maildir::{self, Keywords};
use pillarbox_engine::folder::mbox;
use pillarbox_engine::imap::types::Flags;
use serde::{Deserialize, Serialize};

use super::find::entries;
use crate::error::{Error, Kind};
use crate::local::Row;

/// The file beside `.eml` files that tells what stands in none of them.
pub(super) const SIDECAR: &str = "pillarbox.jsonl";

/// In the names of files of a Maildir that were written here.
pub(super) const OURS: &str = ".pillarbox";

/// Whether files reach the disk before it is said that they are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sync {
    /// Each.
    Each,
    /// When the system sees fit.
    Later,
}

/// A line of that file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Told {
    file: String,
    system: u8,
    keywords: Vec<String>,
    pub(super) date_ms: u64,
    pub(super) zone: i16,
}

impl Told {
    pub(super) fn flags(&self) -> Flags {
        let keywords = self.keywords.iter().map(|word| word.clone().into_bytes()).collect();
        Flags { system: self.system, keywords }
    }

    fn of(file: &str, row: &Row) -> Self {
        let Row { system, keywords, date_ms, zone, .. } = row;
        let (file, keywords) = (file.to_owned(), keywords.clone());
        Self { file, system: *system, keywords, date_ms: *date_ms, zone: *zone }
    }

    fn says(&self, row: &Row) -> bool {
        (self.system, &self.keywords) == (row.system, &row.keywords)
    }
}

/// Reads it, if it is there. A last line that is cut off counts for nothing.
pub(super) fn read_sidecar(path: &Path) -> Result<HashMap<String, Told>, Error> {
    let Ok(file) = File::open(path) else { return Ok(HashMap::new()) };
    let mut all = HashMap::new();
    for line in BufReader::new(file).lines() {
        let line = line.map_err(|error| failed(path, &error))?;
        if let Ok(told) = serde_json::from_str::<Told>(&line) {
            all.insert(told.file.clone(), told);
        }
    }
    Ok(all)
}

/// A mailbox that is being written.
pub(super) enum Target {
    Mbox(Mbox),
    Maildir(Box<Maildir>),
    Letters(Letters),
}

/// Whether a message is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Yes,
    /// It is there.
    No,
}

pub(super) struct Mbox {
    path: PathBuf,
    part: PathBuf,
    out: Box<dyn Write + Send>,
    writer: mbox::Writer,
    buffer: Vec<u8>,
}

impl Mbox {
    /// Writes to a file that has another name until it is whole; `-` is standard output.
    pub(super) fn create(path: &Path, replace: bool) -> Result<Self, Error> {
        let (part, out): (PathBuf, Box<dyn Write + Send>) = if path.as_os_str() == "-" {
            (PathBuf::new(), Box::new(BufWriter::new(std::io::stdout())))
        } else {
            if path.exists() && !replace {
                let help = "--replace writes it anew, or name another";
                return Err(Error::usage(format!(
                    "{}: it is there already; {help}",
                    path.display()
                )));
            }
            make_directory(path.parent())?;
            let mut name = path.file_name().unwrap_or_default().to_owned();
            name.push(".part");
            let part = path.with_file_name(name);
            let file = File::create(&part).map_err(|error| failed(&part, &error))?;
            (part, Box::new(BufWriter::with_capacity(1 << 20, file)))
        };
        let (writer, buffer) = (mbox::Writer::default(), Vec::new());
        Ok(Self { path: path.to_owned(), part, out, writer, buffer })
    }

    fn flush(&mut self) -> Result<(), Error> {
        let written = self.out.write_all(&self.buffer);
        self.buffer.clear();
        written.map_err(|error| failed(&self.path, &error))
    }
}

pub(super) struct Maildir {
    pub(super) path: PathBuf,
    uid_validity: u32,
    /// File names by what stays of them when flags change.
    pub(super) there: HashMap<Vec<u8>, Vec<u8>>,
    keywords: Keywords,
    lines: ToLf,
    open: Option<(BufWriter<File>, PathBuf, PathBuf)>,
    sync: Sync,
    /// Keywords that have no letter.
    pub(super) left_out: u64,
}

impl Maildir {
    pub(super) fn create(path: &Path, uid_validity: u32, sync: Sync) -> Result<Self, Error> {
        for place in ["cur", "new", "tmp"] {
            make_directory(Some(&path.join(place)))?;
        }
        // Maildir++: this says that it is a mailbox of another Maildir.
        if path.file_name().is_some_and(|name| name.as_bytes().starts_with(b".")) {
            let mark = path.join("maildirfolder");
            File::create(&mark).map_err(|error| failed(&mark, &error))?;
        }
        let mut there = HashMap::new();
        for (file, _) in entries(&path.join("cur"))? {
            let name = file.file_name().unwrap_or_default().as_bytes().to_vec();
            there.insert(maildir::unique(&name).to_vec(), name);
        }
        let keywords = fs::read(path.join("dovecot-keywords")).unwrap_or_default();
        let keywords = Keywords::read(&keywords);
        let (path, lines, open) = (path.to_owned(), ToLf::default(), None);
        Ok(Self { path, uid_validity, there, keywords, lines, open, sync, left_out: 0 })
    }

    /// What of a message's file name stays when its flags change.
    pub(super) fn unique(&self, row: &Row) -> String {
        // The number first: who reads the directory in the order of names gets the mailbox's order.
        format!("{:010}.V{}{OURS},S={}", row.uid, self.uid_validity, row.size)
    }

    pub(super) fn begin(&mut self, row: &Row) -> Result<Wanted, Error> {
        let unique = self.unique(row);
        let before = self.keywords.clone();
        let words = row.keywords.iter().map(|word| word.clone().into_bytes()).collect();
        let flags = Flags { system: row.system, keywords: words };
        let (info, left_out) = maildir::info(&flags, &mut self.keywords);
        self.left_out += left_out as u64;
        if self.keywords != before {
            let path = self.path.join("dovecot-keywords");
            let written = fs::write(&path, self.keywords.print());
            written.map_err(|error| failed(&path, &error))?;
        }
        let name = format!("{unique}{info}");
        let cur = self.path.join("cur");
        if let Some(old) = self.there.get(unique.as_bytes()) {
            let old = std::ffi::OsString::from_vec(old.clone());
            if old != *name {
                let (old, new) = (cur.join(old), cur.join(&name));
                fs::rename(&old, new).map_err(|error| failed(&old, &error))?;
            }
            return Ok(Wanted::No);
        }
        let tmp = self.path.join("tmp").join(&unique);
        let file = File::create(&tmp).map_err(|error| failed(&tmp, &error))?;
        self.lines = ToLf::default();
        self.open = Some((BufWriter::with_capacity(64 << 10, file), tmp, cur.join(name)));
        Ok(Wanted::Yes)
    }

    pub(super) fn octets(&mut self, octets: &[u8]) -> Result<(), Error> {
        let Some((out, path, _)) = &mut self.open else { return Ok(()) };
        let mut lines = Vec::new();
        self.lines.take(octets, &mut lines);
        out.write_all(&lines).map_err(|error| failed(path, &error))
    }

    pub(super) fn end(&mut self, row: &Row) -> Result<(), Error> {
        let Some((mut out, tmp, path)) = self.open.take() else { return Ok(()) };
        let mut last = Vec::new();
        self.lines.finish(&mut last);
        let written = out.write_all(&last).and_then(|()| close(out, row, self.sync));
        // The other name only once it is whole.
        written.and_then(|()| fs::rename(&tmp, path)).map_err(|error| failed(&tmp, &error))
    }
}

pub(super) struct Letters {
    path: PathBuf,
    uid_validity: u32,
    told: HashMap<String, Told>,
    sidecar: File,
    open: Option<(BufWriter<File>, PathBuf, PathBuf, String)>,
    sync: Sync,
}

impl Letters {
    pub(super) fn create(path: &Path, uid_validity: u32, sync: Sync) -> Result<Self, Error> {
        make_directory(Some(path))?;
        let side = path.join(SIDECAR);
        let told = read_sidecar(&side)?;
        let sidecar = File::options().append(true).create(true).open(&side);
        let mut sidecar = sidecar.map_err(|error| failed(&side, &error))?;
        if !told.is_empty() {
            // A line that was cut off must not run into the next.
            sidecar.write_all(b"\n").map_err(|error| failed(&side, &error))?;
        }
        Ok(Self { path: path.to_owned(), uid_validity, told, sidecar, open: None, sync })
    }

    fn begin(&mut self, row: &Row) -> Result<Wanted, Error> {
        let name = format!("{}-{:010}.eml", self.uid_validity, row.uid);
        let path = self.path.join(&name);
        if path.exists() {
            if self.told.get(&name).is_none_or(|told| !told.says(row)) {
                self.tell(&name, row)?;
            }
            return Ok(Wanted::No);
        }
        let part = self.path.join(format!("{name}.part"));
        let file = File::create(&part).map_err(|error| failed(&part, &error))?;
        self.open = Some((BufWriter::with_capacity(64 << 10, file), part, path, name));
        Ok(Wanted::Yes)
    }

    fn end(&mut self, row: &Row) -> Result<(), Error> {
        let Some((out, part, path, name)) = self.open.take() else { return Ok(()) };
        close(out, row, self.sync).map_err(|error| failed(&part, &error))?;
        // What is known of it first: a file without that would have lost its flags.
        self.tell(&name, row)?;
        fs::rename(&part, path).map_err(|error| failed(&part, &error))
    }

    fn tell(&mut self, name: &str, row: &Row) -> Result<(), Error> {
        let side = self.path.join(SIDECAR);
        let told = Told::of(name, row);
        let mut line = serde_json::to_vec(&told).map_err(|error| failed(&side, &error))?;
        line.push(b'\n');
        self.sidecar.write_all(&line).map_err(|error| failed(&side, &error))?;
        self.told.insert(name.to_owned(), told);
        Ok(())
    }
}

impl Target {
    /// A message begins; `sender` is asked for only where it is written.
    pub(super) fn begin(&mut self, row: &Row, sender: &[u8]) -> Result<Wanted, Error> {
        match self {
            Self::Mbox(mbox) => {
                let keywords = row.keywords.iter().map(|word| word.clone().into_bytes()).collect();
                let flags = Flags { system: row.system, keywords };
                mbox.writer.begin(sender, row.date_ms, &flags, &mut mbox.buffer);
                Ok(Wanted::Yes)
            }
            Self::Maildir(maildir) => maildir.begin(row),
            Self::Letters(letters) => letters.begin(row),
        }
    }

    /// Its next octets.
    pub(super) fn octets(&mut self, octets: &[u8]) -> Result<(), Error> {
        match self {
            Self::Mbox(mbox) => {
                mbox.writer.take(octets, &mut mbox.buffer);
                mbox.flush()
            }
            Self::Maildir(maildir) => maildir.octets(octets),
            Self::Letters(letters) => {
                let Some((out, path, ..)) = &mut letters.open else { return Ok(()) };
                out.write_all(octets).map_err(|error| failed(path, &error))
            }
        }
    }

    /// It is whole.
    pub(super) fn end(&mut self, row: &Row) -> Result<(), Error> {
        match self {
            Self::Mbox(mbox) => {
                mbox.writer.end(&mut mbox.buffer);
                mbox.flush()
            }
            Self::Maildir(maildir) => maildir.end(row),
            Self::Letters(letters) => letters.end(row),
        }
    }

    /// The mailbox is whole; its file, if that is yet to get its name.
    pub(super) fn finish(self) -> Result<Option<Unnamed>, Error> {
        let Self::Mbox(mut mbox) = self else { return Ok(None) };
        mbox.flush()?;
        mbox.out.flush().map_err(|error| failed(&mbox.path, &error))?;
        drop(mbox.out);
        if mbox.part.as_os_str().is_empty() {
            return Ok(None);
        }
        let synced = File::open(&mbox.part).and_then(|file| file.sync_all());
        synced.map_err(|error| failed(&mbox.path, &error))?;
        Ok(Some(Unnamed { part: mbox.part, path: mbox.path }))
    }
}

/// A whole file of a run that is not.
#[derive(Clone, Debug)]
pub(crate) struct Unnamed {
    part: PathBuf,
    path: PathBuf,
}

/// Gives files their names. That is left to the end of a run: one that is cut off leaves nothing behind that the next
/// would have to write over.
pub(crate) fn name_files(all: &[Unnamed]) -> Result<(), Error> {
    for Unnamed { part, path } in all {
        fs::rename(part, path).map_err(|error| failed(path, &error))?;
    }
    Ok(())
}

/// Writes the rest, and dates the file as the message.
fn close(out: BufWriter<File>, row: &Row, sync: Sync) -> std::io::Result<()> {
    let file = out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    if let Some(time) = UNIX_EPOCH.checked_add(Duration::from_millis(row.date_ms)) {
        // Not every file system keeps times; the message is there all the same.
        drop(file.set_times(FileTimes::new().set_modified(time)));
    }
    if sync == Sync::Each { file.sync_all() } else { Ok(()) }
}

fn make_directory(path: Option<&Path>) -> Result<(), Error> {
    let Some(path) = path.filter(|path| !path.as_os_str().is_empty()) else { return Ok(()) };
    fs::create_dir_all(path).map_err(|error| failed(path, &error))
}

pub(super) fn failed(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::new(Kind::Failed, format!("{}: {error}", path.display()))
}
