//! INPROGRESS (RFC 9585): who waits long for the end of a command is told how far it is. It is told between two responses,
//! when the host has answered and is asked for more; how far the host is with one answer, the session does not know.

use alloc::vec::Vec;

use super::Server;
use super::capability::Feature;
use super::job::Job;
use super::print::decimal;
use super::reply::Reply;
use super::runs::Runs;
use crate::limits::PROGRESS_EVERY_MS;
use crate::role::Cx;
use crate::trace::Rule;

/// RFC 9585 §4.
pub(crate) const PROGRESS: Rule = Rule {
    rfc: 9585,
    section: "4",
    gist: "INPROGRESS names the command, what is done of it and what is to be done; every ten seconds, and never in its end.",
};

/// How far a command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    done: Option<u64>,
    goal: Option<u64>,
}

impl Progress {
    /// It goes on, and nobody knows how long.
    pub(crate) const UNKNOWN: Self = Self { done: None, goal: None };

    pub(crate) const fn new(done: u64, goal: u64) -> Self {
        Self { done: Some(done), goal: Some(goal) }
    }

    /// Of these messages those up to this UID are done, but for some.
    pub(crate) fn up_to(uids: &Runs, above: u32, waiting: u64) -> Self {
        let goal = uids.count();
        Self::new((goal - uids.above(above).count()).saturating_sub(waiting), goal)
    }

    /// `("tag" done goal)`
    fn details(self, tag: &[u8]) -> Vec<u8> {
        let mut out = b"(".to_vec();
        // The bracket that closes the code would be taken for the one in the tag.
        if tag.is_empty() || tag.contains(&b']') {
            out.extend_from_slice(b"NIL");
        } else {
            out.extend_from_slice(&[b"\"", tag, b"\""].concat());
        }
        let number = |number: u64| number.min(u64::from(u32::MAX));
        // What is done stays below what is to be done: the end of the command is told by its tag.
        let goal = self.goal.map(number).filter(|goal| *goal > 0);
        let done = match (self.done, goal) {
            (Some(done), Some(goal)) => Some(done.min(goal - 1)),
            (done, _) => done.map(number),
        };
        for value in [done, goal.filter(|_| done.is_some())] {
            out.push(b' ');
            out.extend_from_slice(&value.map_or_else(|| b"NIL".to_vec(), decimal));
        }
        out.push(b')');
        out
    }
}

impl Job {
    /// How far it is, if it is between two responses and may take long.
    fn progress(&self) -> Option<Progress> {
        match self {
            Self::Open(job) => job.progress(),
            Self::Fetch(job) => job.progress(),
            Self::Search(job) => job.progress(),
            Self::Sort(job) => job.progress(),
            Self::Thread(job) => job.progress(),
            Self::Store(job) => Some(job.progress()),
            Self::MultiSearch(_) | Self::Expunge(_) | Self::Vanished(_) | Self::List(_) => {
                Some(Progress::UNKNOWN)
            }
            // Done with one answer, or as long as the client takes for it.
            _ => None,
        }
    }
}

impl Server {
    /// A command begins.
    pub(super) fn begin_progress(&mut self, cx: &Cx<Self>) {
        self.base.progress_due_ms = cx.now.monotonic_ms.saturating_add(PROGRESS_EVERY_MS);
    }

    /// Tells how far a command is, if it is time to.
    pub(super) fn tell_progress(&mut self, cx: &mut Cx<Self>, tag: &[u8], job: &Job) {
        let due = cx.now.monotonic_ms >= self.base.progress_due_ms;
        if !due || !self.base.features.has(Feature::InProgress) {
            return;
        }
        let Some(progress) = job.progress() else { return };
        self.begin_progress(cx);
        let code = [b"INPROGRESS ", &progress.details(tag)[..]].concat();
        Reply::ok("Still at it").with_code(code).because(&PROGRESS).send(cx, b"");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_stays_below_what_is_to_be_done() {
        let told = |done, goal, tag: &[u8]| {
            let details = Progress { done, goal }.details(tag);
            alloc::string::String::from_utf8(details).expect("text")
        };
        assert_eq!(told(None, None, b"a1"), "(\"a1\" NIL NIL)");
        assert_eq!(told(Some(3), None, b"a1"), "(\"a1\" 3 NIL)");
        assert_eq!(told(Some(3), Some(9), b"a1"), "(\"a1\" 3 9)");
        assert_eq!(told(Some(9), Some(9), b"a1"), "(\"a1\" 8 9)");
        assert_eq!(told(Some(0), Some(0), b"a1"), "(\"a1\" 0 NIL)");
        assert_eq!(told(None, Some(9), b"a]"), "(NIL NIL NIL)");
        assert_eq!(told(Some(1 << 40), Some(1 << 41), b"x"), "(\"x\" 4294967294 4294967295)");
    }
}
