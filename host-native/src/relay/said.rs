//! What was said to other servers to carry letters, for those who sent them: the transcript of each connection, cut so that
//! it tells of one message alone. It is kept for messages that somebody was promised it for, bounded, and in memory.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pillarbox_engine::types::BlobId;
use pillarbox_world::service::web::Conversations;

/// Messages whose conversations are kept, the latest.
const MESSAGES_MAX: usize = 200;
/// Conversations of one message that are kept, the first: what comes later is tried in the same way.
const OF_MESSAGE_MAX: usize = 8;
/// Octets of one conversation that are kept.
const OCTETS_MAX: usize = 64 * 1024;

/// What was said, by message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said(Arc<Mutex<Kept>>);

/// Messages in the order in which they were promised, each with its conversations.
type Kept = VecDeque<(BlobId, Vec<String>)>;

/// The transcript of one connection, as far as nobody has taken it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line(Arc<Mutex<Written>>);

#[derive(Debug, Default)]
struct Written {
    octets: Vec<u8>,
    is_cut: bool,
}

impl Said {
    fn all(&self) -> MutexGuard<'_, Kept> {
        // A list is whole between any two lines.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what was said for a message, if somebody is to see it.
    pub(super) fn keep(&self, message: BlobId, text: String) {
        let mut all = self.all();
        let found = all.iter_mut().find(|(own, _)| *own == message);
        if let Some((_, texts)) = found.filter(|(_, texts)| texts.len() < OF_MESSAGE_MAX) {
            texts.push(text);
        }
    }
}

impl Conversations for Said {
    fn expect(&self, message: BlobId) {
        let mut all = self.all();
        if all.len() >= MESSAGES_MAX {
            all.pop_front();
        }
        all.push_back((message, Vec::new()));
    }

    fn of(&self, message: BlobId) -> Vec<String> {
        let all = self.all();
        let found = all.iter().find(|(own, _)| *own == message);
        found.map(|(_, texts)| texts.clone()).unwrap_or_default()
    }
}

impl Line {
    /// Where a transcript is written.
    pub(super) fn writer(&self) -> Arc<Mutex<dyn Write + Send>> {
        Arc::clone(&self.0) as Arc<Mutex<dyn Write + Send>>
    }

    /// What was written since this was asked before.
    pub(super) fn take(&self) -> String {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Written { octets, is_cut } = std::mem::take(&mut *written);
        let mut text = String::from_utf8_lossy(&octets).into_owned();
        if is_cut {
            text.push_str("# … the rest is not kept\n");
        }
        text
    }
}

impl Write for Written {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.is_cut |= self.octets.len() + octets.len() > OCTETS_MAX;
        if !self.is_cut {
            self.octets.extend_from_slice(octets);
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_was_promised_is_not_kept_and_the_rest_is_bounded() {
        let said = Said::default();
        said.keep(1, "somebody else's".to_owned());
        assert!(said.of(1).is_empty());
        said.expect(1);
        for _ in 0..OF_MESSAGE_MAX + 1 {
            said.keep(1, "C: QUIT\n".to_owned());
        }
        assert_eq!(said.of(1).len(), OF_MESSAGE_MAX);
        (2..2 + MESSAGES_MAX as u64).for_each(|message| said.expect(message));
        assert!(said.of(1).is_empty(), "the oldest goes");
        let line = Line::default();
        let writer = line.writer();
        let write = |octets: &[u8]| writer.lock().expect("nobody panicked").write_all(octets);
        write(b"C: EHLO a\n").expect("it is memory");
        assert_eq!(line.take(), "C: EHLO a\n");
        write(b"S: 250\n").and_then(|()| write(&[b'x'; OCTETS_MAX])).expect("it is memory");
        assert_eq!(line.take(), "S: 250\n# … the rest is not kept\n");
        assert_eq!(line.take(), "");
    }
}
