//! Octets of messages, in chunks with a checksum each, so that a range reads only what it touches.

use rusqlite::{Connection, OptionalExtension};

/// Octets of a chunk.
pub(super) const CHUNK: u64 = 64 * 1024;
/// Chunks that one blob can have: 64 GiB.
pub(super) const CHUNKS_PER_BLOB: u64 = 1 << 20;

/// Puts octets behind those that a blob has.
pub(super) fn append(
    connection: &Connection,
    blob: u64,
    at: u64,
    octets: &[u8],
) -> rusqlite::Result<()> {
    let mut insert =
        connection.prepare_cached("INSERT INTO chunk (id, sum, octets) VALUES (?1, ?2, ?3)")?;
    let mut rest = octets;
    let mut number = at / CHUNK;
    let inside = at % CHUNK;
    if inside > 0 {
        // The last chunk is not full: it is written again with what fits.
        let id = blob * CHUNKS_PER_BLOB + number;
        let mut chunk = read_chunk(connection, id)?.unwrap_or_default();
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
pub(super) fn remove(connection: &Connection, blob: u64) -> rusqlite::Result<()> {
    let (first, last) = (blob * CHUNKS_PER_BLOB, blob * CHUNKS_PER_BLOB + CHUNKS_PER_BLOB - 1);
    connection
        .prepare_cached("DELETE FROM chunk WHERE id BETWEEN ?1 AND ?2")?
        .execute((first, last))?;
    Ok(())
}

/// Exactly the range, or `QueryReturnedNoRows` if it is not all there.
pub(super) fn read(
    connection: &Connection,
    blob: u64,
    offset: u64,
    length: u64,
) -> rusqlite::Result<Vec<u8>> {
    let missing = || rusqlite::Error::QueryReturnedNoRows;
    let end = offset.checked_add(length).ok_or_else(missing)?;
    let mut out = Vec::new();
    let mut at = offset;
    while at < end {
        let number = at / CHUNK;
        if number >= CHUNKS_PER_BLOB {
            return Err(missing());
        }
        let chunk = read_chunk(connection, blob * CHUNKS_PER_BLOB + number)?.ok_or_else(missing)?;
        let from = (at % CHUNK) as usize;
        let to = ((end - number * CHUNK) as usize).min(chunk.len());
        let piece = chunk.get(from..to).filter(|piece| !piece.is_empty()).ok_or_else(missing)?;
        out.extend_from_slice(piece);
        at += piece.len() as u64;
    }
    Ok(out)
}

/// One chunk, its checksum compared: octets that the disk changed must never be taken for mail.
fn read_chunk(connection: &Connection, id: u64) -> rusqlite::Result<Option<Vec<u8>>> {
    let row = connection
        .prepare_cached("SELECT sum, octets FROM chunk WHERE id = ?1")?
        .query_row([id], |row| Ok((row.get::<_, u32>(0)?, row.get::<_, Vec<u8>>(1)?)))
        .optional()?;
    let Some((sum, octets)) = row else { return Ok(None) };
    if crc32fast::hash(&octets) != sum {
        tracing::error!(
            blob = id / CHUNKS_PER_BLOB,
            chunk = id % CHUNKS_PER_BLOB,
            "stored octets are damaged"
        );
        return Err(rusqlite::Error::IntegralValueOutOfRange(0, id as i64));
    }
    Ok(Some(octets))
}
