//! Octets of messages, in chunks with a checksum each, so that a range reads only what it touches.

use super::connection::{self, Connection, OptionalExtension};

/// Octets of a chunk.
pub(super) const CHUNK: u64 = 64 * 1024;
/// Chunks that one blob can have: 64 GiB.
pub(in super::super) const CHUNKS_PER_BLOB: u64 = 1 << 20;

/// Puts octets behind those that a blob has.
pub(super) fn append(
    connection: &Connection,
    blob: u64,
    at: u64,
    octets: &[u8],
) -> connection::Result<()> {
    let mut insert =
        connection.prepare_cached("INSERT INTO chunk (id, sum, octets) VALUES (?1, ?2, ?3)")?;
    let mut rest = octets;
    let mut number = at / CHUNK;
    let inside = at % CHUNK;
    if inside > 0 {
        // The last chunk is not full: it is written again with what fits.
        let id = blob * CHUNKS_PER_BLOB + number;
        let mut chunk = read_chunk(connection, id)?.unwrap_or_default();
        chunk.truncate(usize::try_from(inside).unwrap_or(usize::MAX));
        let (piece, more) = rest.split_at(rest.len().min((CHUNK - inside) as usize));
        chunk.extend_from_slice(piece);
        connection
            .prepare_cached("UPDATE chunk SET sum = ?2, octets = ?3 WHERE id = ?1")?
            .execute((id, crc32fast::hash(&chunk), &chunk))?;
        rest = more;
        number += 1;
    }
    for piece in rest.chunks(CHUNK as usize) {
        insert.execute((blob * CHUNKS_PER_BLOB + number, crc32fast::hash(piece), piece))?;
        number += 1;
    }
    Ok(())
}

/// Removes all octets of a blob.
pub(in super::super) fn remove(connection: &Connection, blob: u64) -> connection::Result<()> {
    let (first, last) = (blob * CHUNKS_PER_BLOB, blob * CHUNKS_PER_BLOB + CHUNKS_PER_BLOB - 1);
    connection
        .prepare_cached("DELETE FROM chunk WHERE id BETWEEN ?1 AND ?2")?
        .execute((first, last))?;
    Ok(())
}

/// The number of no blob: that of an upload for which none could be had.
pub(super) const NOBODY: u64 = 0;

/// Exactly the range, or `NoRows` if it is not all there.
pub(super) fn read(
    connection: &Connection,
    blob: u64,
    offset: u64,
    length: u64,
) -> connection::Result<Vec<u8>> {
    let chunk = |id| read_chunk(connection, id)?.ok_or(connection::Error::NoRows);
    pieces(blob, offset, length, chunk)?.ok_or(connection::Error::NoRows)
}

/// The same for who has a connection to the file alone.
pub(in super::super) fn read_file(
    file: &rusqlite::Connection,
    blob: u64,
    offset: u64,
    length: u64,
) -> rusqlite::Result<Vec<u8>> {
    let chunk = |id: u64| {
        let (sum, octets) = file
            .prepare_cached(CHUNK_ROW)?
            .query_row([id], |row| Ok((row.get::<_, u32>(0)?, row.get::<_, Vec<u8>>(1)?)))?;
        if is_whole(id, sum, &octets) { Ok(octets) } else { Err(rusqlite::Error::InvalidQuery) }
    };
    pieces(blob, offset, length, chunk)?.ok_or(rusqlite::Error::QueryReturnedNoRows)
}

/// A range from the chunks that it touches; none if it is not all there.
fn pieces<E>(
    blob: u64,
    offset: u64,
    length: u64,
    mut chunk_of: impl FnMut(u64) -> Result<Vec<u8>, E>,
) -> Result<Option<Vec<u8>>, E> {
    let Some(end) = offset.checked_add(length) else { return Ok(None) };
    let mut out = Vec::new();
    let mut at = offset;
    while at < end {
        let number = at / CHUNK;
        if number >= CHUNKS_PER_BLOB {
            return Ok(None);
        }
        let chunk = chunk_of(blob * CHUNKS_PER_BLOB + number)?;
        let from = (at % CHUNK) as usize;
        let to = ((end - number * CHUNK) as usize).min(chunk.len());
        let piece = chunk.get(from..to).filter(|piece| !piece.is_empty());
        let Some(piece) = piece else { return Ok(None) };
        out.extend_from_slice(piece);
        at += piece.len() as u64;
    }
    Ok(Some(out))
}

const CHUNK_ROW: &str = "SELECT sum, octets FROM chunk WHERE id = ?1";

/// One chunk, its checksum compared: octets that the disk changed must never be taken for mail.
fn read_chunk(connection: &Connection, id: u64) -> connection::Result<Option<Vec<u8>>> {
    let row = connection
        .prepare_cached(CHUNK_ROW)?
        .query_row([id], |row| Ok((row.get::<_, u32>(0)?, row.get::<_, Vec<u8>>(1)?)))
        .optional()?;
    let Some((sum, octets)) = row else { return Ok(None) };
    if !is_whole(id, sum, &octets) {
        return Err(connection::Error::Form(format!("octets of chunk {id} are damaged")));
    }
    Ok(Some(octets))
}

fn is_whole(id: u64, sum: u32, octets: &[u8]) -> bool {
    let is_whole = crc32fast::hash(octets) == sum;
    if !is_whole {
        let (blob, chunk) = (id / CHUNKS_PER_BLOB, id % CHUNKS_PER_BLOB);
        tracing::error!(blob, chunk, "stored octets are damaged");
    }
    is_whole
}
