//! EXPUNGE, UID EXPUNGE (RFC 9051 §6.4.3, §6.4.9) and CLOSE (§6.4.1): removes what has \Deleted.

use alloc::vec;
use alloc::vec::Vec;

use super::job::{Answered, Job, Next, Work, wrong};
use super::reply::Reply;
use super::runs::{Runs, are_runs};
use super::state::Selected;
use super::view::UNTOLD_RUNS_MAX;
use crate::imap::types::{Answer, Ask, UidRun};
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
}

/// EXPUNGE, or UID EXPUNGE with its set.
pub(crate) fn expunge(work: &mut Work<'_>, only: Option<Runs>) -> Next {
    let Some((_, open, _)) = work.selected() else { return Next::no_mailbox() };
    if open.read_only {
        return Next::done(READ_ONLY);
    }
    Expunge { only, above: 0, close: false }.ask(work)
}

/// CLOSE.
pub(crate) fn close(work: &mut Work<'_>) -> Next {
    let Some((_, open, _)) = work.selected() else { return Next::no_mailbox() };
    if open.read_only {
        return closed(work);
    }
    Expunge { only: None, above: 0, close: true }.ask(work)
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

    fn ask(self, work: &mut Work<'_>) -> Next {
        let Some((_, open, _)) = work.selected() else { return Next::no_mailbox() };
        let page = self.page(open);
        if !page.is_empty() {
            return Next::Ask(Ask::Expunge(page), Job::Expunge(self));
        }
        if self.close { closed(work) } else { Next::done(Reply::ok("Expunged")) }
    }

    pub(crate) fn answer(mut self, work: &mut Work<'_>, answer: Answer) -> Answered {
        match answer {
            Answer::Expunged(expunged) => {
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
