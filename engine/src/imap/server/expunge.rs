//! EXPUNGE, UID EXPUNGE (RFC 9051 §6.4.3, §6.4.9) and CLOSE (§6.4.1): removes what has \Deleted.

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

use super::fetch::flags_end;
use super::job::{Answered, Job, Next, Work, wrong};
use super::reply::Reply;
use super::runs::{Runs, are_runs};
use super::state::Selected;
use super::view::UNTOLD_RUNS_MAX;
use super::{limit, print};
use crate::imap::types::{Answer, Ask, FlagsAsk, UidRun};
use crate::limits::PAGE_ROWS_MAX;
use crate::types::Misuse;

pub(crate) const READ_ONLY: Reply = Reply::no("NOPERM", "This mailbox is open read-only");

/// Messages being removed.
pub(crate) struct Expunge {
    /// Which; `None` is all.
    only: Option<Runs>,
    /// Asked for up to this UID.
    above: u32,
    /// CLOSE: nothing is told.
    close: bool,
    /// The highest that have \Deleted, where no more of them are removed at once.
    marked: Option<Marked>,
}

/// RFC 9738 §3.1: it is the messages with \Deleted that a limit counts, so they are looked for first.
struct Marked {
    max: usize,
    /// Ascending.
    uids: VecDeque<u32>,
    /// Whether there were more.
    cut: bool,
}

/// EXPUNGE, or UID EXPUNGE with its set.
pub(crate) fn expunge(work: &mut Work<'_>, only: Option<Runs>) -> Next {
    let Some((_, open, _)) = work.selected() else { return Next::no_mailbox() };
    if open.read_only {
        return Next::done(READ_ONLY);
    }
    let max = limit::of_commands(&work.base.config)
        .filter(|max| only.as_ref().is_some_and(|only| only.count() > u64::from(*max)));
    let marked = max.map(|max| Marked { max: max as usize, uids: VecDeque::new(), cut: false });
    Expunge { only, above: 0, close: false, marked }.ask(work)
}

/// CLOSE.
pub(crate) fn close(work: &mut Work<'_>) -> Next {
    let Some((_, open, _)) = work.selected() else { return Next::no_mailbox() };
    if open.read_only {
        return closed(work);
    }
    Expunge { only: None, above: 0, close: true, marked: None }.ask(work)
}

/// UNSELECT, or the end of CLOSE.
pub(crate) fn closed(work: &mut Work<'_>) -> Next {
    work.close_mailbox();
    Next::done(Reply::ok("Closed"))
}

impl Expunge {
    fn page(&self, open: &Selected) -> Vec<UidRun> {
        let uids = self.only.as_ref().unwrap_or(open.view.uids());
        let page = uids.next_page(self.above, UNTOLD_RUNS_MAX, u64::MAX);
        if page.is_empty() && self.close && self.above < u32::MAX {
            // RFC 9051 §6.4.1: also what arrived with \Deleted and was not told yet goes.
            let first = self.above.max(uids.last().unwrap_or(0)).saturating_add(1);
            return vec![UidRun { first, last: u32::MAX }];
        }
        page
    }

    fn ask(mut self, work: &mut Work<'_>) -> Next {
        let Some((_, open, _)) = work.selected() else { return Next::no_mailbox() };
        if self.marked.is_some() {
            let uids = self.flags_page();
            if !uids.is_empty() {
                let ask = FlagsAsk { uids, max: PAGE_ROWS_MAX, changed_since: None };
                return Next::Ask(Ask::Flags(ask), Job::Expunge(self));
            }
        }
        if let Some(Marked { uids, cut, .. }) = self.marked.take() {
            work.base.cut_at = uids.front().copied().filter(|_| cut);
            let mut only = Runs::new();
            uids.into_iter().for_each(|uid| only.append_uid(uid));
            (self.only, self.above) = (Some(only), 0);
            return self.ask(work);
        }
        let page = self.page(open);
        if !page.is_empty() {
            return Next::Ask(Ask::Expunge(page), Job::Expunge(self));
        }
        if self.close { closed(work) } else { Next::done(Reply::ok("Expunged")) }
    }

    fn flags_page(&self) -> Vec<UidRun> {
        let page =
            |only: &Runs| only.next_page(self.above, UNTOLD_RUNS_MAX, u64::from(PAGE_ROWS_MAX));
        self.only.as_ref().map_or_else(Vec::new, page)
    }

    pub(crate) fn answer(mut self, work: &mut Work<'_>, answer: Answer) -> Answered {
        match answer {
            Answer::Flags(page) if self.marked.is_some() => {
                let asked = Runs::from_unsorted(self.flags_page());
                let (up_to, rows) = (flags_end(&asked, &page), page.into_reversed());
                let (Some(up_to), Some(rows), Some(marked)) = (up_to, rows, &mut self.marked)
                else {
                    return Err((Job::Expunge(self), Misuse::BadValue));
                };
                let mut found: Vec<u32> = rows
                    .filter(|row| row.flags.system & print::DELETED != 0)
                    .map(|row| row.uid)
                    .collect();
                found.reverse();
                marked.uids.extend(found);
                let over = marked.uids.len().saturating_sub(marked.max);
                marked.cut |= over > 0;
                marked.uids.drain(..over);
                self.above = up_to;
                Ok(self.ask(work))
            }
            Answer::Expunged(expunged) if self.marked.is_none() => {
                if !are_runs(&expunged.runs) {
                    return Err((Job::Expunge(self), Misuse::BadValue));
                }
                if let Some((_, open, _)) = work.selected() {
                    self.above = self.page(open).last().map_or(u32::MAX, |run| run.last);
                    open.view.expunge(expunged);
                }
                Ok(self.ask(work))
            }
            // RFC 9051 §6.4.1: CLOSE leaves the mailbox even so; the messages keep their flag.
            Answer::Refused(_) if self.close => Ok(closed(work)),
            Answer::Refused(refusal) => Ok(Next::done(Reply::refused(refusal))),
            _ => wrong(Job::Expunge(self)),
        }
    }
}
