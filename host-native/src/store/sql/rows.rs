//! Columns to values and back.

use super::connection::{self, Row};
use pillarbox_engine::imap::types::{Flags, MailboxStatus, SpecialUse};
use pillarbox_world::store::MailboxId;

/// System flags, as bits of `Flags::system`.
pub(super) const DELETED: u8 = 4;
pub(super) const SEEN: u8 = 8;

const USES: [(SpecialUse, char); 8] = [
    (SpecialUse::All, 'A'),
    (SpecialUse::Archive, 'R'),
    (SpecialUse::Drafts, 'D'),
    (SpecialUse::Flagged, 'F'),
    (SpecialUse::Important, 'I'),
    (SpecialUse::Junk, 'J'),
    (SpecialUse::Sent, 'S'),
    (SpecialUse::Trash, 'T'),
];

pub(super) fn uses_to_text(uses: &[SpecialUse]) -> String {
    USES.iter().filter(|(one, _)| uses.contains(one)).map(|(_, letter)| *letter).collect()
}

pub(super) fn uses_of_text(text: &str) -> Vec<SpecialUse> {
    USES.iter().filter(|(_, letter)| text.contains(*letter)).map(|(one, _)| *one).collect()
}

/// Keywords are atoms, so a space parts them.
pub(super) fn keywords_to_octets(keywords: &[Vec<u8>]) -> Vec<u8> {
    keywords.join(&b' ')
}

pub(super) fn keywords_of_octets(octets: &[u8]) -> Vec<Vec<u8>> {
    octets
        .split(|octet| *octet == b' ')
        .filter(|word| !word.is_empty())
        .map(<[u8]>::to_vec)
        .collect()
}

pub(super) fn flags(system: u8, keywords: Option<Vec<u8>>) -> Flags {
    Flags {
        system,
        keywords: keywords.map(|octets| keywords_of_octets(&octets)).unwrap_or_default(),
    }
}

/// What `flags` reads, as it is stored: most messages have no keyword.
pub(super) fn keywords_column(flags: &Flags) -> Option<Vec<u8>> {
    (!flags.keywords.is_empty()).then(|| keywords_to_octets(&flags.keywords))
}

/// Columns that [`status`] reads, in their order.
pub(super) const STATUS: &str = "m.id, m.messages, m.uid_next, m.uid_validity, m.unseen, m.deleted, m.size, m.highest_modseq, m.recent_from, m.deleted_size";

/// Columns of [`STATUS`], from `first` on. `recent` is not among them: it takes a count.
pub(super) fn status(row: &Row<'_>, first: usize) -> connection::Result<MailboxStatus> {
    let id: MailboxId = row.get(first)?;
    Ok(MailboxStatus {
        messages: row.get(first + 1)?,
        recent: 0,
        uid_next: row.get(first + 2)?,
        uid_validity: row.get(first + 3)?,
        unseen: row.get(first + 4)?,
        deleted: row.get(first + 5)?,
        size: row.get(first + 6)?,
        deleted_size: row.get(first + 9)?,
        highest_modseq: row.get(first + 7)?,
        mailbox_id: format!("F{id}").into_bytes(),
    })
}
