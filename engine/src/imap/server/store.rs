//! STORE and UID STORE (RFC 9051 §6.4.6): the host changes flags page by page, the client is told
//! what they became.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::fetch::vanished;
use super::job::{Answered, Expunges, Job, Next, Work, wrong};
use super::progress::Progress;
use super::reply::Reply;
use super::runs::{Runs, are_runs};
use super::state::Selected;
use super::view::UNTOLD_RUNS_MAX;
use super::{print, tell};
use crate::imap::types::{Answer, Ask, FlagRow, Flags, StoreAsk, StoreMode, UidRun};
use crate::trace::Rule;
use crate::types::Misuse;

/// Messages asked for at once, as the contract says.
const PAGE_MAX: u64 = 4096;

/// RFC 7162 §3.1.3.
pub(crate) const CONDITIONAL: Rule = Rule {
    rfc: 7162,
    section: "3.1.3",
    gist: "Messages that were changed after UNCHANGEDSINCE are left alone, and MODIFIED names them.",
};

/// Runs of a set of which any may have been changed: all of them must fit in one MODIFIED.
const CONDITIONAL_RUNS_MAX: usize = 16_384;

/// How flags are to change.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) mode: StoreMode,
    pub(crate) flags: Flags,
    /// .SILENT: the client does not want to hear of it.
    pub(crate) silent: bool,
    /// UID STORE.
    pub(crate) by_uid: bool,
    /// RFC 7162 §3.1.3 UNCHANGEDSINCE
    pub(crate) unchanged_since: Option<u64>,
}

/// Messages whose flags are changed.
pub(crate) struct Store {
    wanted: Wanted,
    uids: Runs,
    /// Done up to this UID.
    above: u32,
    /// To be told, last first.
    rows: Vec<FlagRow>,
    /// Messages of the set that were gone.
    missing: u64,
    /// Messages that were left alone.
    modified: Runs,
}

pub(crate) fn store(work: &mut Work<'_>, uids: Runs, wanted: Wanted) -> Next {
    let Some((_, open, _)) = work.selected() else { return Next::no_mailbox() };
    if open.read_only {
        return Next::done(Reply::no("NOPERM", "This mailbox is open read-only"));
    }
    if wanted.unchanged_since.is_some() && uids.as_slice().len() > CONDITIONAL_RUNS_MAX {
        return Next::done(Reply::no("LIMIT", "Too many gaps between these messages"));
    }
    let modified = Runs::new();
    Box::new(Store { wanted, uids, above: 0, rows: Vec::new(), missing: 0, modified }).run(work)
}

impl Store {
    /// Messages whose flags are changed.
    pub(crate) fn progress(&self) -> Progress {
        Progress::up_to(&self.uids, self.above, 0)
    }

    fn page(&self) -> Vec<UidRun> {
        self.uids.next_page(self.above, UNTOLD_RUNS_MAX, PAGE_MAX)
    }

    /// Tells what is there to tell, then asks for the next page.
    pub(crate) fn run(mut self: Box<Self>, work: &mut Work<'_>) -> Next {
        let Some((base, open, cx)) = work.selected() else { return Next::no_mailbox() };
        while let Some(row) = self.rows.pop() {
            if self.wanted.silent {
                tell::send_modseq(base, open, cx, &row);
            } else {
                tell::send_flags(base, open, cx, &row);
            }
            if cx.outbox_full() {
                return Next::Room(Job::Store(self));
            }
        }
        let uids = self.page();
        // What is left when so much was modified is left alone too: the list must not grow further.
        if self.modified.as_slice().len() > CONDITIONAL_RUNS_MAX {
            self.modified.add(&self.uids.above(self.above));
            return self.end(open);
        }
        if uids.is_empty() {
            return self.end(open);
        }
        let Wanted { mode, flags, unchanged_since, .. } = &self.wanted;
        let (mode, flags) = (*mode, flags.clone());
        let ask = StoreAsk { uids, mode, flags, unchanged_since: *unchanged_since };
        Next::Ask(Ask::Store(ask), Job::Store(self))
    }

    fn end(&self, open: &mut Selected) -> Next {
        let by_uid = self.wanted.by_uid;
        let expunges = if by_uid { Expunges::Told } else { Expunges::Kept };
        let all = by_uid || self.missing == 0;
        if self.modified.is_empty() {
            return Next::Done(if all { Reply::ok("Stored") } else { vanished() }, expunges);
        }
        // RFC 7162 §3.1.3: the flags that stood in the way are told, so that nobody need ask.
        open.view.look_again(&self.modified);
        let reply = if all { Reply::ok("Not all of them: some were changed") } else { vanished() };
        let set = if by_uid { self.modified.clone() } else { open.view.numbers(&self.modified) };
        let code = [b"MODIFIED ", &print::uid_set(set.as_slice())[..]].concat();
        Next::Done(reply.with_code(code).because(&CONDITIONAL), expunges)
    }

    pub(crate) fn answer(mut self: Box<Self>, work: &mut Work<'_>, answer: Answer) -> Answered {
        match answer {
            Answer::Stored(stored) => {
                let page = self.page();
                let asked = Runs::from_unsorted(page.clone());
                let sound = stored.rows.windows(2).all(|pair| pair[0].uid < pair[1].uid)
                    && stored.rows.iter().all(|row| asked.contains(row.uid))
                    && are_runs(&stored.modified);
                let modified = Runs::from_unsorted(stored.modified).common(&asked);
                if !sound {
                    return Err((Job::Store(self), Misuse::BadValue));
                }
                let answered = stored.rows.len() as u64 + modified.count();
                self.missing += asked.count().saturating_sub(answered);
                self.modified.add(&modified);
                self.above = page.last().map_or(u32::MAX, |run| run.last);
                self.take(work, stored.rows);
                Ok(self.run(work))
            }
            Answer::Refused(refusal) => Ok(Next::Done(Reply::refused(refusal), Expunges::Kept)),
            _ => wrong(Job::Store(self)),
        }
    }

    fn take(&mut self, work: &mut Work<'_>, mut rows: Vec<FlagRow>) {
        let Some((base, open, _)) = work.selected() else { return };
        rows.iter().for_each(|row| open.view.note_modseq(row.modseq));
        rows.iter().for_each(|row| open.contexts.touch_uid(row.uid));
        if self.wanted.silent {
            // What others changed before is told with this change in it, so that the client does
            // not lose this one.
            rows.iter().for_each(|row| open.view.flags_overtaken(row.clone()));
            if !base.tells_modseq() {
                return;
            }
        } else {
            rows.iter().for_each(|row| open.view.flags_told(row.uid, row.modseq));
        }
        rows.reverse();
        self.rows = rows;
    }
}
