//! A note of each message that is being sent, so that after a crash the log can say which may have arrived twice.
//! It is no part of the truth: the queue alone decides what is sent, and a note that is lost costs a line of the log.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use pillarbox_world::queue::TaskId;

/// The file in the data directory: one number of eight octets for each message that is being sent, 0 for none.
const FILE: &str = "sending";
/// Octets of one note.
const NOTE: u64 = 8;
/// Notes that are read back at most; more were never written.
const NOTES_MAX: u64 = 64 * 1024;

/// Notes of what is being sent.
#[derive(Clone, Debug)]
pub(crate) struct Begun(Arc<Mutex<Slots>>);

#[derive(Debug)]
struct Slots {
    /// None: nothing outlives the process anyway.
    file: Option<File>,
    free: Vec<u64>,
    next: u64,
}

impl Begun {
    /// Opens the notes of a data directory; gives what was being sent when the process before this one ended.
    ///
    /// # Errors
    /// The file cannot be used.
    pub(crate) fn open(directory: Option<&Path>) -> std::io::Result<(Self, Vec<TaskId>)> {
        let mut left = Vec::new();
        let mut file = None;
        if let Some(directory) = directory {
            let path = directory.join(FILE);
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false).mode(0o600);
            let opened = options.open(path)?;
            let mut octets = Vec::new();
            (&opened).take(NOTES_MAX * NOTE).read_to_end(&mut octets)?;
            let (notes, _) = octets.as_chunks::<8>();
            left.extend(
                notes.iter().map(|note| u64::from_le_bytes(*note)).filter(|task| *task > 0),
            );
            opened.set_len(0)?;
            file = Some(opened);
        }
        Ok((Self(Arc::new(Mutex::new(Slots { file, free: Vec::new(), next: 0 }))), left))
    }

    /// Notes a task until the result ends. Not synced: the kernel keeps it when the process is killed.
    pub(crate) fn begin(&self, task: TaskId) -> Note {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = slots.free.pop().unwrap_or_else(|| {
            slots.next += 1;
            slots.next - 1
        });
        slots.write(slot, task);
        Note { begun: self.clone(), slot }
    }
}

impl Slots {
    fn write(&self, slot: u64, task: TaskId) {
        if let Some(file) = &self.file
            && let Err(error) = file.write_all_at(&task.to_le_bytes(), slot * NOTE)
        {
            tracing::debug!(%error, "what is being sent could not be noted");
        }
    }
}

/// A task that is being sent, until what became of it is durable.
#[derive(Debug)]
pub(crate) struct Note {
    begun: Begun,
    slot: u64,
}

impl Note {
    /// What became of the task is durable. Without this the note stays, for the log of the next start.
    pub(crate) fn end(self) {
        let mut slots = self.begun.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.write(self.slot, 0);
        slots.free.push(self.slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_being_sent_is_known_after_a_crash() {
        let directory =
            std::env::temp_dir().join(format!("pillarbox-begun-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("it can be made");
        let (begun, left) = Begun::open(Some(&directory)).expect("it opens");
        assert!(left.is_empty(), "{left:?}");
        let one = begun.begin(7);
        let two = begun.begin(8);
        one.end();
        let three = begun.begin(9);
        let (_, left) = Begun::open(Some(&directory)).expect("it opens");
        assert_eq!(left, [9, 8]);
        let (_, left) = Begun::open(Some(&directory)).expect("it opens");
        assert!(left.is_empty(), "it is told once: {left:?}");
        two.end();
        three.end();
        std::fs::remove_dir_all(&directory).expect("it is ours");
    }
}
