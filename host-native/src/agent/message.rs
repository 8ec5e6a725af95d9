//! Messages as the client reads them: composed around files, or taken from standard input.
//! Neither is ever whole in memory, so their size does not matter.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use pillarbox_engine::message::compose::{Composed, Head, Origin, Piece, Reader, Ready};
use pillarbox_engine::types::Reason;

use super::Progress;
use crate::client::Source;
use crate::error::{Error, Kind};
use crate::tls::fill_random;

/// Octets of standard input that are held in memory; more goes to a file without a name.
const HELD_MAX: usize = 1 << 20;
/// Octets of standard input read at once.
const READ_MAX: usize = 64 * 1024;

/// What makes the next message one of its own.
pub(crate) fn origin() -> Result<Origin, Error> {
    let mut seed = [0; 16];
    if !fill_random(&mut seed) {
        return Err(Error::failed("the system gives no random octets"));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(Origin { unix_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX), seed })
}

/// A message on its way out.
pub(crate) struct Outgoing {
    content: Content,
    progress: Option<Progress>,
}

enum Content {
    Composed { message: Composed, files: Vec<File> },
    Ready { head: Vec<u8>, body: Spool },
}

impl Outgoing {
    /// A composed message, and the files in it in the order of their numbers.
    pub(crate) fn composed(message: Composed, files: Vec<File>) -> Self {
        Self { content: Content::Composed { message, files }, progress: None }
    }

    /// A header section with its blank line, and a body.
    pub(crate) fn ready(head: Vec<u8>, body: Spool) -> Self {
        Self { content: Content::Ready { head, body }, progress: None }
    }

    /// The same, saying how far it has gone.
    pub(crate) fn showing(self, progress: Option<Progress>) -> Self {
        Self { progress, ..self }
    }
}

impl Source for Outgoing {
    fn size(&self) -> u64 {
        match &self.content {
            Content::Composed { message, .. } => message.size(),
            Content::Ready { head, body } => head.len() as u64 + body.size(),
        }
    }

    fn octets(&self, offset: u64, length: u64) -> Result<Vec<u8>, Reason> {
        let out = match &self.content {
            Content::Composed { message, files } => composed(message, files, offset, length)?,
            Content::Ready { head, body } => ready(head, body, offset, length)?,
        };
        if out.len() as u64 != length {
            return Err(Reason::NotFound);
        }
        if let Some(progress) = &self.progress {
            progress.at(offset + length, self.size());
        }
        Ok(out)
    }
}

fn composed(
    message: &Composed,
    files: &[File],
    offset: u64,
    length: u64,
) -> Result<Vec<u8>, Reason> {
    let mut out = Vec::new();
    for piece in message.pieces(offset, length) {
        match piece {
            Piece::Octets(octets) => out.extend_from_slice(octets),
            Piece::File(piece) => {
                let file = files.get(piece.file).ok_or(Reason::NotFound)?;
                // Fails if the file has become shorter: half of it must not look whole.
                out.extend(piece.encode(&read(file, piece.start, piece.length)?));
            }
        }
    }
    Ok(out)
}

fn ready(head: &[u8], body: &Spool, offset: u64, length: u64) -> Result<Vec<u8>, Reason> {
    let end = offset.saturating_add(length);
    let in_head = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(head.len());
    let mut out = head[in_head(offset)..in_head(end)].to_vec();
    let left = length - out.len() as u64;
    if left > 0 {
        out.extend(body.octets(offset.saturating_sub(head.len() as u64), left)?);
    }
    Ok(out)
}

fn read(file: &File, offset: u64, length: u64) -> Result<Vec<u8>, Reason> {
    let length = usize::try_from(length).map_err(|_| Reason::TooLarge)?;
    let mut octets = vec![0; length];
    file.read_exact_at(&mut octets, offset).map_err(|_| Reason::StorageFailed)?;
    Ok(octets)
}

/// Octets that are kept until they are sent.
pub(crate) struct Spool {
    held: Vec<u8>,
    file: Option<File>,
    size: u64,
}

impl Spool {
    /// Reads a whole message, `dot_ends` as `sendmail` without `-i` has it.
    ///
    /// # Errors
    /// Reading fails, there is no room, or it is no message.
    pub(crate) fn read(input: &mut dyn Read, dot_ends: bool) -> Result<(Head, Ready, Self), Error> {
        let failed = |error: io::Error| Error::new(Kind::NoInput, format!("the message: {error}"));
        let refused =
            |refused| Error::new(Kind::Input, format!("the message cannot be sent: {refused}"));
        let mut reader = Reader::new(dot_ends);
        let mut spool = Self { held: Vec::new(), file: None, size: 0 };
        let mut buffer = vec![0; READ_MAX];
        let mut body = Vec::new();
        loop {
            let read = match input.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read.map_err(failed)?,
            };
            let ended = reader.take(&buffer[..read], &mut body).map_err(refused)?;
            spool.add(&mut body)?;
            if read == 0 || ended {
                break;
            }
        }
        let (head, ready) = reader.finish(&mut body).map_err(refused)?;
        spool.add(&mut body)?;
        Ok((head, ready, spool))
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn add(&mut self, octets: &mut Vec<u8>) -> Result<(), Error> {
        self.size += octets.len() as u64;
        self.held.append(octets);
        if self.held.len() <= HELD_MAX && self.file.is_none() {
            return Ok(());
        }
        let directory = std::env::temp_dir();
        let failed = |error| {
            let place = directory.display();
            Error::new(Kind::Temporary, format!("the message cannot be kept in {place}: {error}"))
        };
        if self.file.is_none() {
            self.file = Some(nameless(&directory).map_err(failed)?);
        }
        let file = self.file.as_mut().expect("it was made above");
        file.write_all(&self.held).map_err(failed)?;
        self.held.clear();
        Ok(())
    }

    fn octets(&self, offset: u64, length: u64) -> Result<Vec<u8>, Reason> {
        match &self.file {
            Some(file) => read(file, offset, length),
            None => self.held.octets(offset, length),
        }
    }
}

/// A file that only this process sees, and that is gone with it.
fn nameless(directory: &Path) -> io::Result<File> {
    let mut name = [0; 16];
    if !fill_random(&mut name) {
        return Err(io::Error::other("the system gives no random octets"));
    }
    let name: String = name.iter().map(|octet| format!("{octet:02x}")).collect();
    let path = directory.join(format!("pillarbox-{name}"));
    let mut options = File::options();
    let file = options.read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_the_same_in_memory_and_in_a_file() {
        for lines in [10, 100_000] {
            let text = "words of a message, twenty-six\n".repeat(lines);
            let input = format!("Subject: x\n\n{text}");
            let (_, ready, body) =
                Spool::read(&mut input.as_bytes(), true).expect("it is a message");
            assert_eq!(body.file.is_some(), lines > 10);
            assert!(ready.plain && !ready.eight_bit);
            let outgoing = Outgoing::ready(b"A: b\r\n\r\n".to_vec(), body);
            let whole = format!("A: b\r\n\r\n{}", text.replace('\n', "\r\n"));
            assert_eq!(outgoing.size(), whole.len() as u64);
            let mut at = 0;
            for step in [1, 5, 9, 1000].iter().cycle().take(600) {
                let step = (*step).min(whole.len() - at);
                let read = outgoing.octets(at as u64, step as u64).expect("it is there");
                assert_eq!(read, &whole.as_bytes()[at..at + step]);
                at += step;
            }
            assert!(outgoing.octets(whole.len() as u64 - 1, 2).is_err());
        }
    }
}
