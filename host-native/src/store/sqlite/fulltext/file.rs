//! The file of the full-text index: its schema, and whether it belongs to the mail beside it. Blobs have numbers that are
//! never given twice in one store, but a store may be replaced by an older copy of itself.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::Broken;

const FILE: &str = "search.db";
/// What makes a file of another kind or time useless; a new one costs time alone.
const VERSION: i32 = 2;
/// Octets of a page: most lists of a piece are short.
const PAGE_SIZE: u32 = 4096;

const SCHEMA: &str = "
-- The opening of the store that this belongs to.
CREATE TABLE bound (binding INTEGER NOT NULL);
CREATE VIRTUAL TABLE text USING fts5(
    held, content = '', contentless_delete = 1, detail = 'none', tokenize = 'trigram case_sensitive 1'
);
-- Blobs that were looked at; opaque ones may hold anything.
CREATE TABLE document (blob INTEGER PRIMARY KEY, opaque INTEGER NOT NULL);
CREATE INDEX document_opaque ON document (blob) WHERE opaque = 1;
-- Where they are, or were.
CREATE TABLE place (
    mailbox INTEGER NOT NULL,
    blob INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    PRIMARY KEY (mailbox, blob, uid)
) WITHOUT ROWID;
CREATE INDEX place_blob ON place (blob);
-- Up to this UID, all messages of a mailbox are documents.
CREATE TABLE covered (mailbox INTEGER PRIMARY KEY, up_to INTEGER NOT NULL);
";

pub(super) fn exists(directory: &Path) -> bool {
    directory.join(FILE).exists()
}

/// Takes the file away, with what SQLite keeps beside it.
pub(in super::super::super) fn remove(directory: &Path) {
    for end in ["", "-wal", "-shm"] {
        let path = directory.join(format!("{FILE}{end}"));
        if path.exists()
            && let Err(error) = fs::remove_file(&path)
        {
            tracing::warn!(%error, path = %path.display(), "the full-text index could not be removed");
        }
    }
}

/// At each opening of a store: takes the index away that is not of this store as it is now, and binds one that is to this
/// opening. So of two stores that were one, each one's index is known from the other's.
pub(in super::super::super) fn rebind(mail: &Connection, directory: &Path) {
    if !exists(directory) {
        return;
    }
    let bound = connect(directory).and_then(|index| match is_of(&index, mail)? {
        true => bind(&index, mail).map(|()| true),
        false => Ok(false),
    });
    match bound {
        Ok(true) => return,
        Ok(false) => tracing::info!("the full-text index was of another store; it is made anew"),
        Err(error) => tracing::warn!(%error, "the full-text index cannot be used; it is made anew"),
    }
    remove(directory);
}

/// A connection that writes to the index of this store; made if it is not there.
pub(super) fn open(directory: &Path, mail: &Connection) -> Result<Connection, Broken> {
    if exists(directory) {
        return Ok(connect(directory)?);
    }
    let path = directory.join(FILE);
    // Made by hand first, so that nobody else can read it even for a moment.
    drop(OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path));
    let index = connect(directory)?;
    index.execute_batch(&format!(
        "BEGIN; {SCHEMA} INSERT INTO bound VALUES (0); PRAGMA user_version = {VERSION}; COMMIT;"
    ))?;
    bind(&index, mail)?;
    Ok(index)
}

fn connect(directory: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let index = Connection::open_with_flags(directory.join(FILE), flags)?;
    index.pragma_update(None, "page_size", PAGE_SIZE)?;
    index.pragma_update(None, "journal_mode", "WAL")?;
    // What a power cut takes is made again; what is left is of one moment.
    index.pragma_update(None, "synchronous", "NORMAL")?;
    settings(&index)?;
    Ok(index)
}

/// A connection that only reads.
pub(super) fn reader(directory: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let index = Connection::open_with_flags(directory.join(FILE), flags)?;
    settings(&index)?;
    Ok(index)
}

fn settings(index: &Connection) -> rusqlite::Result<()> {
    index.pragma_update(None, "mmap_size", 0)?;
    index.pragma_update(None, "temp_store", "MEMORY")?;
    index.busy_timeout(std::time::Duration::from_secs(5))
}

/// Whether it was bound at the last opening of this store, and knows no message that the store does not know yet: a store
/// that was put back in time would give the numbers of such messages to others.
fn is_of(index: &Connection, mail: &Connection) -> rusqlite::Result<bool> {
    let version: i32 = index.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version != VERSION {
        return Ok(false);
    }
    let own: i64 = index.query_row("SELECT binding FROM bound", [], |row| row.get(0))?;
    let newest: u64 =
        index.query_row("SELECT coalesce(max(blob), 0) FROM document", [], |row| row.get(0))?;
    let (binding, last): (i64, u64) = mail.query_row(
        "SELECT (SELECT value FROM counter WHERE name = 'search_binding'),
                coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'blob'), 0)",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok(binding != 0 && own == binding && newest <= last)
}

/// The mail first: if it ends in between, neither knows the other.
fn bind(index: &Connection, mail: &Connection) -> rusqlite::Result<()> {
    let binding: i64 = mail.query_row("SELECT random() >> 1", [], |row| row.get(0))?;
    mail.execute("UPDATE counter SET value = ?1 WHERE name = 'search_binding'", [binding])?;
    index.execute("UPDATE bound SET binding = ?1", [binding])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::super::open as store;
    use super::*;

    #[test]
    fn an_index_of_another_store_or_of_the_future_is_removed() {
        let name = format!("pillarbox-fulltext-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        drop(fs::remove_dir_all(&directory));
        let put = |blob: u64| {
            let opened = store::open(&directory).expect("it opens");
            let index = open(&directory, &opened.connection).expect("it is made");
            index
                .execute("INSERT INTO document VALUES (?1, 0)", [blob])
                .map(drop)
                .expect("it is written");
            let put = "INSERT INTO blob (id, size, uses, index_octets) VALUES (?1, 0, 1, x'')";
            opened.connection.execute(put, [blob]).expect("it is there");
        };
        let stays = || {
            let opened = store::open(&directory).expect("it opens");
            rebind(&opened.connection, &directory);
            exists(&directory)
        };
        put(5);
        assert!(stays() && stays());
        let opened = store::open(&directory).expect("it opens");
        let older = "UPDATE sqlite_sequence SET seq = 4 WHERE name = 'blob'";
        opened.connection.execute(older, []).expect("it goes back in time");
        drop(opened);
        assert!(!stays());
        put(6);
        let opened = store::open(&directory).expect("it opens");
        let other = "UPDATE counter SET value = 7 WHERE name = 'search_binding'";
        opened.connection.execute(other, []).expect("it is another one");
        drop(opened);
        assert!(!stays());
        put(7);
        fs::write(directory.join(FILE), b"nothing of the kind").expect("it is written");
        assert!(!stays());
        drop(fs::remove_dir_all(&directory));
    }
}
