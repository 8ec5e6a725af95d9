//! One account's mail for one request: what an IMAP session would ask for it, so that there is one reading of rights,
//! limits and writes.

use std::sync::Arc;

use pillarbox_engine::imap::types::{
    Answer, AppendAsk, Appended, Ask, Copied, CopyAsk, Flags, MailboxRow, MailboxesAsk, OpenAsk,
    Row, RowsAsk, SpecialUse, StoreAsk, StoreMode, UidRun,
};
use pillarbox_engine::message::{Index, Span};
use pillarbox_engine::types::{BlobRange, Now, Reason};

use super::visits::Visit;
use crate::hub::SessionKey;
use crate::service::{Backend, ImapService, Service};

/// Folders that are shown; who has more uses IMAP.
const FOLDERS_MAX: usize = 500;
/// Octets of a message that are read or brought at once.
const PIECE: usize = 256 << 10;
/// \Answered, \Flagged, \Deleted, \Seen and \Draft, as stores number system flags.
pub(super) const ANSWERED: u8 = 1;
pub(super) const FLAGGED: u8 = 2;
pub(super) const DELETED: u8 = 4;
pub(super) const SEEN: u8 = 8;
pub(super) const DRAFT: u8 = 16;

/// One account's mail.
pub(super) struct Desk<B: Backend> {
    pub(super) service: ImapService<B>,
    pub(super) now: Now,
}

/// A message, and what is known of it.
pub(super) struct Letter {
    pub(super) row: Row,
    pub(super) index: Index,
}

impl<B: Backend> Desk<B> {
    pub(super) fn new(backend: &Arc<B>, key: SessionKey, visit: &Visit, now: Now) -> Self {
        let service = ImapService::new(Arc::clone(backend), key);
        Self { service: service.signed_in(visit.account, visit.name.as_bytes()), now }
    }

    pub(super) async fn ask(&mut self, ask: Ask) -> Result<Answer, Reason> {
        match self.service.answer(self.now, ask, &mut ()).await {
            Answer::Refused(refusal) => Err(refusal.reason),
            answer => Ok(answer),
        }
    }

    /// The folders that there are, with their counters; INBOX is the first.
    pub(super) async fn folders(&mut self) -> Result<Vec<MailboxRow>, Reason> {
        let mut all: Vec<MailboxRow> = Vec::new();
        while all.len() < FOLDERS_MAX {
            let after = all.last().map(|row| row.name.clone());
            let ask = MailboxesAsk { after, prefix: Vec::new(), max: 100, status: true };
            let Answer::Mailboxes(page) = self.ask(Ask::Mailboxes(ask)).await? else { break };
            let more = page.more && !page.rows.is_empty();
            all.extend(page.rows);
            if !more {
                break;
            }
        }
        all.retain(|row| row.exists);
        pillarbox_engine::order::sort_by_key(&mut all, |row| row.name != b"INBOX");
        Ok(all)
    }

    /// Opens a folder to be read, without telling anybody that its messages were seen; its UIDs.
    pub(super) async fn open(&mut self, name: &str) -> Result<Vec<UidRun>, Reason> {
        let ask = OpenAsk { name: name.as_bytes().to_vec(), read_only: true };
        let Answer::Opened(opened) = self.ask(Ask::Open(ask)).await? else {
            return Err(Reason::StorageFailed);
        };
        let (mut runs, mut more) = (opened.uids.runs, opened.uids.more);
        while more {
            let above = runs.last().map_or(0, |run| run.last);
            let Answer::Uids(page) = self.ask(Ask::Uids(above)).await? else { break };
            more = page.more && !page.runs.is_empty();
            runs.extend(page.runs);
        }
        Ok(runs)
    }

    /// Messages of the open folder, ascending; at most 256 runs.
    pub(super) async fn letters(&mut self, mut uids: Vec<UidRun>) -> Result<Vec<Letter>, Reason> {
        let mut all = Vec::new();
        while !uids.is_empty() {
            let ask = RowsAsk { uids: uids.clone(), max: 256, index: true, changed_since: None };
            let Answer::Rows(page) = self.ask(Ask::Rows(ask)).await? else { break };
            let Some(last) = page.rows.last().map(|row| row.uid) else { break };
            all.extend(page.rows.into_iter().map(|mut row| {
                let index = row.index.take().and_then(|index| Index::decode(&index).ok());
                Letter { index: index.unwrap_or_default(), row }
            }));
            if !page.more {
                break;
            }
            uids.retain(|run| run.last > last);
            if let Some(run) = uids.first_mut() {
                run.first = run.first.max(last + 1);
            }
        }
        Ok(all)
    }

    pub(super) async fn letters_of(&mut self, uids: &[UidRun]) -> Result<Vec<Letter>, Reason> {
        self.letters(uids.to_vec()).await
    }

    /// A message of a folder, which is open then.
    pub(super) async fn letter(&mut self, folder: &str, uid: u32) -> Result<Letter, Reason> {
        let ask = OpenAsk { name: folder.as_bytes().to_vec(), read_only: true };
        self.ask(Ask::Open(ask)).await?;
        self.letters(one(uid)).await?.pop().ok_or(Reason::NotFound)
    }

    /// Octets of a message that was told last.
    pub(super) async fn octets(&mut self, row: &Row, span: Span) -> Result<Vec<u8>, Reason> {
        let (mut at, end) = (span.start.min(row.size), span.end.min(row.size));
        let mut out = Vec::new();
        while at < end {
            let length = (end - at).min(PIECE as u64);
            let range = BlobRange { blob: row.blob, offset: at, length };
            let Answer::Octets(octets) = self.ask(Ask::Octets(range)).await? else { break };
            out.extend(octets);
            at += length;
        }
        Ok(out)
    }

    /// Sets flags of messages of the open folder, or takes them away.
    pub(super) async fn flag(
        &mut self,
        uids: &[UidRun],
        set: bool,
        flags: Flags,
    ) -> Result<(), Reason> {
        let mode = if set { StoreMode::Add } else { StoreMode::Remove };
        let ask = StoreAsk { uids: uids.to_vec(), mode, flags, unchanged_since: None };
        self.ask(Ask::Store(ask)).await.map(drop)
    }

    /// Moves messages of the open folder; where they are then.
    pub(super) async fn move_to(&mut self, uids: &[UidRun], to: &str) -> Result<Copied, Reason> {
        let to = to.as_bytes().to_vec();
        let ask = CopyAsk { uids: uids.to_vec(), to, remove: true };
        match self.ask(Ask::Copy(ask)).await? {
            Answer::Copied(copied) => Ok(copied),
            _ => Err(Reason::StorageFailed),
        }
    }

    /// Removes messages of the open folder for ever.
    pub(super) async fn remove(&mut self, uids: &[UidRun]) -> Result<(), Reason> {
        self.flag(uids, true, system(DELETED)).await?;
        self.ask(Ask::Expunge(uids.to_vec())).await.map(drop)
    }

    /// Puts a message into a folder, in place of one of the open folder if one is named (RFC 8508): there is always one of
    /// both.
    pub(super) async fn put(
        &mut self,
        folder: &[u8],
        octets: &[u8],
        flags: u8,
        replaces: Option<u32>,
    ) -> Result<Appended, Reason> {
        let ask = AppendAsk {
            name: folder.to_vec(),
            size: octets.len() as u64,
            flags: system(flags),
            internal_date_ms: None,
            internal_date_zone: 0,
            replaces,
        };
        self.ask(Ask::Append(ask)).await?;
        for piece in octets.chunks(PIECE) {
            self.ask(Ask::Chunk(piece.to_vec())).await?;
        }
        match self.ask(Ask::Commit).await? {
            Answer::Appended(appended) => Ok(appended),
            _ => Err(Reason::StorageFailed),
        }
    }
}

/// Where a message is that was put into a folder.
pub(super) fn appended_at(folder: &[u8], appended: &Appended) -> String {
    let uid = appended.uids.first().map_or(0, |run| run.first).to_string();
    [&String::from_utf8_lossy(folder), "/", &uid[..]].concat()
}

/// Nothing but system flags.
pub(super) fn system(flags: u8) -> Flags {
    Flags { system: flags, keywords: Vec::new() }
}

pub(super) fn one(uid: u32) -> Vec<UidRun> {
    vec![UidRun { first: uid, last: uid }]
}

/// The folder for a use, if there is one.
pub(super) fn for_use(folders: &[MailboxRow], wanted: SpecialUse) -> Option<&MailboxRow> {
    folders.iter().find(|row| row.selectable && row.special_uses.contains(&wanted))
}

/// How many messages these are.
pub(super) fn count(runs: &[UidRun]) -> u64 {
    runs.iter().map(|run| u64::from(run.last - run.first) + 1).sum()
}

/// Of ascending runs the last ones but so many, at most so many messages.
pub(super) fn newest(runs: &[UidRun], mut skip: u64, max: u64) -> Vec<UidRun> {
    let (mut left, mut out) = (max, Vec::new());
    for run in runs.iter().rev() {
        let length = count(std::slice::from_ref(run));
        let passed = skip.min(length);
        skip -= passed;
        let taken = left.min(length - passed);
        if taken > 0 {
            // Both are at most the run's length.
            let last = run.last - passed as u32;
            out.push(UidRun { first: last - (taken as u32 - 1), last });
            left -= taken;
        }
        if left == 0 {
            break;
        }
    }
    out.reverse();
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_the_last_ones() {
        let run = |first, last| UidRun { first, last };
        let runs = [run(1, 3), run(7, 7), run(10, 19)];
        assert_eq!(newest(&runs, 0, 3), [run(17, 19)]);
        assert_eq!(newest(&runs, 8, 4), [run(3, 3), run(7, 7), run(10, 11)]);
        assert_eq!(newest(&runs, 12, 50), [run(1, 2)]);
        assert_eq!(newest(&runs, 14, 50), []);
        assert_eq!(newest(&[], 0, 50), []);
        assert_eq!(count(&runs), 14);
    }
}
