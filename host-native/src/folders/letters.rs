//! The messages of one mailbox in files, each as a whole, for who hands them to somebody else.

use pillarbox_engine::folder::mbox::Quoting;

use super::Folder;
use super::read::{Messages, Part};
use crate::error::Error;

/// Octets of a message that is held as a whole.
const LETTER_MAX: usize = 64 << 20;

/// Gives each message with CRLF, in order; none in place of one that is larger than 64 MiB.
///
/// # Errors
/// The files cannot be read, or `take` says no more are wanted.
pub(crate) fn letters(
    folder: &Folder,
    quoting: Quoting,
    mut take: impl FnMut(Option<Vec<u8>>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut messages = Messages::open(folder, quoting)?;
    let mut held = Some(Vec::new());
    while let Some(part) = messages.next()? {
        match part {
            Part::Octets(octets) => {
                held = held.filter(|held| held.len() + octets.len() <= LETTER_MAX);
                if let Some(held) = &mut held {
                    held.extend(octets);
                }
            }
            Part::End(_) => take(held.replace(Vec::new()))?,
            Part::Dropped => held = Some(Vec::new()),
        }
    }
    Ok(())
}
