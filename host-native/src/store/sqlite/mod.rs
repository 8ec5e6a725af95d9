//! What is SQLite's alone: opening the file, its schema, the full-text index beside it.
//! What is read and written there is in `sql`, which another database shares.

pub(super) mod fulltext;
pub(super) mod open;
pub(super) mod schema;

use rusqlite::Connection;

/// Runs several queries on one state of a file.
fn consistently<T, E: From<rusqlite::Error>>(
    connection: &Connection,
    read: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    connection.prepare_cached("BEGIN")?.execute([])?;
    let value = read();
    connection.prepare_cached("COMMIT")?.execute([])?;
    value
}
