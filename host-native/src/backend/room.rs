//! Whether the disk has room for a message more: mail is put off before the disk is full, since what is written last, such
//! as what became of a message that was sent on, must still fit.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pillarbox_engine::types::Reason;

use crate::limits::{Hits, Limit};

/// The disk is asked at most this often: far more than that does not come in between.
const EVERY: Duration = Duration::from_secs(1);

/// Watches the disk of a data directory.
pub(crate) struct Room {
    directory: CString,
    /// Octets that stay free.
    least: u64,
    seen: Mutex<Option<Seen>>,
    hits: Hits,
}

#[derive(Clone, Copy)]
struct Seen {
    at: Instant,
    free: u64,
    has_room: bool,
}

impl Room {
    /// Of the disk that has this directory; none if its path cannot be told to the kernel.
    pub(crate) fn new(directory: &Path, least: u64, hits: Hits) -> Option<Self> {
        let directory = CString::new(directory.as_os_str().as_bytes()).ok()?;
        Some(Self { directory, least, seen: Mutex::default(), hits })
    }

    /// # Errors
    /// [`Reason::StorageFull`].
    pub(crate) fn check(&self, size: u64) -> Result<(), Reason> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let known = seen.filter(|seen| seen.at.elapsed() < EVERY);
        let seen = known.unwrap_or_else(|| self.look(&mut seen));
        if seen.has_room && seen.free.saturating_sub(size) >= self.least {
            return Ok(());
        }
        self.hits.hit(Limit::DiskFree);
        Err(Reason::StorageFull)
    }

    fn look(&self, seen: &mut Option<Seen>) -> Seen {
        // What cannot be asked is found out by writing.
        let free = free(&self.directory).unwrap_or(u64::MAX);
        let has_room = free >= self.least;
        let had_room = seen.is_none_or(|seen| seen.has_room);
        let (free_mib, least_mib) = (free >> 20, self.least >> 20);
        match (had_room, has_room) {
            (true, false) => tracing::error!(
                free_mib,
                least_mib,
                "the disk is almost full, and mail is put off (452); make room, or set limits.disk_free_mib"
            ),
            (false, true) => tracing::info!(free_mib, "the disk has room again, and mail is taken"),
            _ => {}
        }
        *seen.insert(Seen { at: Instant::now(), free, has_room })
    }
}

/// Octets that a program without privileges may still write there.
fn free(directory: &CString) -> Option<u64> {
    let mut found = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path ends with NUL, and `found` is room for the one structure that is written.
    if unsafe { libc::statvfs(directory.as_ptr(), found.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: the call has succeeded, so it has written all of it.
    let found = unsafe { found.assume_init() };
    #[allow(clippy::useless_conversion, reason = "the width of these differs between systems")]
    let (blocks, size) = (u64::from(found.f_bavail), u64::from(found.f_frsize));
    Some(blocks.saturating_mul(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_is_put_off_before_the_disk_is_full() {
        let directory = std::env::temp_dir();
        let room = |least| Room::new(&directory, least, Hits::default()).expect("a path");
        assert_eq!(room(1).check(0), Ok(()));
        assert_eq!(room(1).check(u64::MAX), Err(Reason::StorageFull), "it would not fit");
        let full = room(u64::MAX);
        assert_eq!(full.check(0), Err(Reason::StorageFull));
        assert_eq!(full.check(0), Err(Reason::StorageFull), "as was seen a moment ago");
        let gone = Room::new(Path::new("/nowhere/at/all"), u64::MAX, Hits::default());
        assert_eq!(gone.expect("a path").check(0), Ok(()), "the store itself says what is wrong");
    }
}
