//! Opening a data directory: its lock, its schema, what a crash left over.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::super::sql::CHUNKS_PER_BLOB;
use super::fulltext;
use super::schema::{APPLICATION_ID, MIGRATIONS};
use crate::error::{Error, Kind};

/// The file of the mail store.
const FILE: &str = "mail.db";
/// How every SQLite file begins.
const HEAD: &[u8] = b"SQLite format 3\0";
/// Octets of a page: a 10 KiB message takes two.
const PAGE_SIZE: u32 = 8192;

/// A directory that is ours now.
pub(in super::super) struct Opened {
    pub(in super::super) connection: Connection,
    pub(in super::super) next_blob: u64,
    pub(in super::super) lock: File,
}

pub(in super::super) fn open(directory: &Path) -> Result<Opened, Error> {
    let failed = |error: std::io::Error| data_error(directory, &error.to_string());
    if !directory.exists() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
    }
    let lock = lock(directory)?;
    check_is_ours(directory)?;
    let connection =
        connect(directory).map_err(|error| data_error(directory, &error.to_string()))?;
    migrate(&connection, directory)?;
    let next_blob =
        recover(&connection).map_err(|error| data_error(directory, &error.to_string()))?;
    fulltext::rebind(&connection, directory);
    Ok(Opened { connection, next_blob, lock })
}

/// Takes a directory for a node whose mail is elsewhere.
pub(in super::super) fn node_directory(directory: &Path) -> Result<File, Error> {
    if !directory.exists() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|error| data_error(directory, &error.to_string()))?;
    }
    let lock = lock(directory)?;
    if directory.join(FILE).exists() {
        let what = "it has mail of its own, which a node with --database would not show; \
                    use another directory";
        return Err(data_error(directory, what));
    }
    Ok(lock)
}

pub(in super::super) fn data_error(directory: &Path, what: &str) -> Error {
    Error::new(Kind::Data, format!("--data {}: {what}", directory.display()))
}

/// How often a lock is tried, and how long it is waited for between.
const LOCK_TRIES: u32 = 10;
/// See `LOCK_TRIES`.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Takes the directory for this process; the file says who has it.
fn lock(directory: &Path) -> Result<File, Error> {
    let path = directory.join("lock");
    let failed =
        |error: std::io::Error| data_error(directory, &format!("cannot write to it: {error}"));
    let mut options = OpenOptions::new();
    let mut file = options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    // A process that this one is just starting has the lock with it until it runs its own program.
    let mut tries = 0;
    while tries < LOCK_TRIES && file.try_lock().is_err() {
        tries += 1;
        std::thread::sleep(LOCK_PAUSE);
    }
    if tries == LOCK_TRIES {
        let mut holder = String::new();
        drop(file.read_to_string(&mut holder));
        // Whoever has just taken it has not written its number yet.
        let process = match holder.trim() {
            "" => String::new(),
            number => format!(" (process {number})"),
        };
        let what = format!(
            "another pillarbox{process} has it open; stop that one, or use another directory"
        );
        return Err(Error::new(Kind::Busy, data_error(directory, &what).message));
    }
    file.set_len(0).map_err(failed)?;
    file.rewind().map_err(failed)?;
    writeln!(file, "{}", std::process::id()).map_err(failed)?;
    Ok(file)
}

/// Refuses a directory with files of something else: mail does not belong among them.
fn check_is_ours(directory: &Path) -> Result<(), Error> {
    if let Ok(file) = File::open(directory.join(FILE)) {
        let mut head = Vec::new();
        let read = file.take(HEAD.len() as u64).read_to_end(&mut head);
        return match read {
            // A file of nothing is a store whose first moment was its last.
            Ok(_) if head.is_empty() || head == HEAD => Ok(()),
            Ok(_) => {
                let what = format!("{FILE} is not a mail store; use another directory");
                Err(data_error(directory, &what))
            }
            Err(error) => Err(data_error(directory, &format!("{FILE}: {error}"))),
        };
    }
    let entries = fs::read_dir(directory).map_err(|e| data_error(directory, &e.to_string()))?;
    for entry in entries.flatten() {
        let name = entry.file_name();
        if !["lock", "accounts", "accounts.new"].iter().any(|ours| name == *ours) {
            let what = format!(
                "it is no mail store and not empty (it has {}); use an empty or a new directory",
                name.display()
            );
            return Err(data_error(directory, &what));
        }
    }
    Ok(())
}

pub(in super::super) fn connect(directory: &Path) -> rusqlite::Result<Connection> {
    let path = directory.join(FILE);
    // Made by hand first, so that nobody else can read it even for a moment.
    if !path.exists() {
        drop(OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path));
    }
    // One thread has it, so it needs no locks of its own.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.pragma_update(None, "page_size", PAGE_SIZE)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // The only setting that survives a power cut: the write-ahead log is synced at every commit.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    settings(&connection)?;
    Ok(connection)
}

fn settings(connection: &Connection) -> rusqlite::Result<()> {
    // Every write is a visible call, and every fault of the disk an error instead of a signal.
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "cache_size", -8192)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(64);
    // A statement stays as it was prepared. Otherwise whoever binds a value that could lead to another plan has it
    // prepared anew at each use, a tenth of all that the server did; and a plan must not depend on what peers send.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// A connection that only reads.
pub(in super::super) fn reader(directory: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(directory.join(FILE), flags)?;
    settings(&connection)?;
    Ok(connection)
}

fn migrate(connection: &Connection, directory: &Path) -> Result<(), Error> {
    let failed = |error: rusqlite::Error| data_error(directory, &error.to_string());
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let version = number("user_version").map_err(failed)?;
    let application = number("application_id").map_err(failed)?;
    let is_empty: bool = connection
        .query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
        .map_err(failed)?;
    if !is_empty && application != APPLICATION_ID {
        let what = format!("{FILE} belongs to another program; use another directory");
        return Err(data_error(directory, &what));
    }
    let newest = MIGRATIONS.len() as i32;
    if version > newest {
        let what = format!(
            "it was written by a newer pillarbox (schema {version}, this one knows {newest}); \
             use that version, or another directory"
        );
        return Err(data_error(directory, &what));
    }
    for (from, step) in MIGRATIONS.iter().enumerate().skip(version.max(0) as usize) {
        let to = from + 1;
        let step = format!(
            "BEGIN IMMEDIATE; {step}; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {to}; COMMIT;"
        );
        connection.execute_batch(&step).map_err(failed)?;
        if from > 0 && !is_empty {
            tracing::info!(from, to, "the store's schema was brought up to date");
        }
    }
    Ok(())
}

/// Removes what was staged when the process ended, and says which number the next blob gets.
fn recover(connection: &Connection) -> rusqlite::Result<u64> {
    let staged: Vec<u64> = connection
        .prepare("SELECT blob FROM staged")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for blob in &staged {
        let first = blob * CHUNKS_PER_BLOB;
        connection
            .prepare_cached("DELETE FROM chunk WHERE id BETWEEN ?1 AND ?2")?
            .execute((first, first + CHUNKS_PER_BLOB - 1))?;
    }
    connection.execute("DELETE FROM staged", [])?;
    if !staged.is_empty() {
        tracing::info!(
            messages = staged.len(),
            "messages that were not complete when the server ended were dropped"
        );
    }
    let last: u64 = connection.query_row(
        "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'blob'), 0)",
        [],
        |row| row.get(0),
    )?;
    Ok(last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_of_version_2_keeps_its_mail_and_knows_that_it_forgot_what_went() {
        let directory =
            std::env::temp_dir().join(format!("pillarbox-version-2-{}", std::process::id()));
        drop(fs::remove_dir_all(&directory));
        fs::create_dir_all(&directory).expect("it can be made");
        {
            let old = connect(&directory).expect("a new file");
            for step in &MIGRATIONS[..2] {
                old.execute_batch(step).expect("a step of its time");
            }
            old.execute_batch(&format!(
                "INSERT INTO mailbox
                 (uid_validity, uid_next, highest_modseq, recent_from, messages, special_uses, keywords)
                 VALUES (5, 9, 77, 9, 1, '', x'');
                 INSERT INTO blob (id, size, uses, index_octets) VALUES (1, 0, 1, x'');
                 INSERT INTO message VALUES (1, 8, 1, 0, 1, 4, NULL, 70, 0, 0, 0);
                 UPDATE counter SET value = 77 WHERE name = 'modseq';
                 PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 2;"
            ))
            .expect("rows of its time");
        }
        let opened = open(&directory).expect("it is brought up to date");
        let row: (u32, u64, u64) = opened
            .connection
            .query_row(
                "SELECT uid_next, highest_modseq, forgotten_modseq FROM mailbox WHERE id = 1",
                [],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
            .expect("the mailbox is there");
        assert_eq!(row, (9, 77, 77));
        let kept: u32 = opened
            .connection
            .query_row("SELECT uid FROM message WHERE mailbox = 1", [], |row| row.get(0))
            .expect("the message is there");
        assert_eq!(kept, 8);
        let version: u32 = opened
            .connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .expect("a version");
        assert_eq!(version as usize, MIGRATIONS.len());
        drop(opened);
        drop(fs::remove_dir_all(&directory));
    }
}
