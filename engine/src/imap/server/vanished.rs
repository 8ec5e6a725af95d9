//! VANISHED (EARLIER) (RFC 7162 §3.2.10.1): what went while the client was away, before the FETCH of
//! what changed. What goes while it is here is told by `tell`.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::fetch::Fetch;
use super::job::{Answered, Job, Next, Work, wrong};
use super::runs::{Runs, are_runs};
use super::state::Selected;
use super::view::UNTOLD_RUNS_MAX;
use super::{Server, print};
use crate::imap::grammar::SequenceMatch;
use crate::imap::grammar::lex;
use crate::imap::types::{Answer, Ask, UidRun, VanishedAsk, VanishedPage};
use crate::role::Cx;
use crate::trace::Rule;
use crate::types::Misuse;

/// RFC 7162 §3.2.6.
pub(crate) const EARLIER: Rule = Rule {
    rfc: 7162,
    section: "3.2.6",
    gist: "What went since a mod-sequence is told before what changed; if that is not remembered, \
           all that is not there.",
};
/// RFC 7162 §3.2.5.2.
pub(crate) const MATCH: Rule = Rule {
    rfc: 7162,
    section: "3.2.5.2",
    gist: "Up to a message whose number and UID belong together still, the client knows what went.",
};

/// What went, and what is fetched after it was told.
pub(crate) struct Vanished {
    /// What the client asks about.
    uids: Runs,
    since: u64,
    /// Told up to this UID.
    above: u32,
    stage: Stage,
    fetch: Box<Fetch>,
}

enum Stage {
    /// The host remembers.
    Asking,
    /// All of these are gone, whenever that was.
    Telling(Runs),
}

/// Tells which of these went after a mod-sequence, then fetches.
pub(crate) fn vanished(uids: Runs, since: u64, fetch: Box<Fetch>) -> Next {
    let Some(first) = uids.first() else {
        let stage = Stage::Telling(Runs::new());
        let job = Vanished { uids, since, above: 0, stage, fetch };
        return Next::Room(Job::Vanished(Box::new(job)));
    };
    ask(Vanished { uids, since, above: first - 1, stage: Stage::Asking, fetch })
}

fn ask(job: Vanished) -> Next {
    let ask = VanishedAsk { since: job.since, above: job.above };
    Next::Ask(Ask::Vanished(ask), Job::Vanished(Box::new(job)))
}

impl Vanished {
    pub(crate) fn answer(mut self: Box<Self>, work: &mut Work<'_>, answer: Answer) -> Answered {
        let Some((_, open, cx)) = work.selected() else { return Ok(Next::no_mailbox()) };
        match (&self.stage, answer) {
            (Stage::Asking, Answer::Vanished(page)) => {
                if !self.is_sound(&page) {
                    return Err((Job::Vanished(self), Misuse::BadValue));
                }
                if !page.known {
                    // RFC 7162 §3.2.6: then every UID that is not there is one that went.
                    let ever = [UidRun { first: 1, last: open.uid_last().max(1) }].to_vec();
                    let ever = self.uids.common(&Runs::from_unsorted(ever));
                    self.stage = Stage::Telling(ever.without(open.view.uids()));
                    return Ok(self.run(work));
                }
                self.above = page.runs.last().map_or(u32::MAX, |run| run.last);
                let gone = self.uids.common(&Runs::from_unsorted(page.runs));
                // What is gone and was not told yet has a number here: it is told as that.
                send(cx, gone.without(open.view.uids()).as_slice());
                if !page.more {
                    self.stage = Stage::Telling(Runs::new());
                }
                Ok(self.run(work))
            }
            (Stage::Asking, Answer::Refused(refusal)) => Ok(self.fetch.refused(refusal)),
            _ => wrong(Job::Vanished(self)),
        }
    }

    fn is_sound(&self, page: &VanishedPage) -> bool {
        are_runs(&page.runs)
            && page.runs.first().is_none_or(|run| run.first > self.above)
            && !(page.more && page.runs.is_empty())
    }

    pub(crate) fn run(mut self: Box<Self>, work: &mut Work<'_>) -> Next {
        loop {
            if work.cx.outbox_full() {
                return Next::Room(Job::Vanished(self));
            }
            let Stage::Telling(gone) = &self.stage else { return ask(*self) };
            let page = gone.next_page(self.above, UNTOLD_RUNS_MAX, u64::MAX);
            let Some(last) = page.last() else { return self.fetch.run(work) };
            self.above = last.last;
            send(work.cx, &page);
        }
    }
}

fn send(cx: &mut Cx<Server>, uids: &[UidRun]) {
    if !uids.is_empty() {
        let line = print::untagged(&[b"VANISHED (EARLIER) ", &print::uid_set(uids)]);
        lex::send(cx, &line, Some(&EARLIER));
    }
}

/// The highest UID up to which the client knows what went: that of the last message whose number and
/// UID belong together still; 0 if none does.
pub(crate) fn known_up_to(open: &Selected, pairs: &SequenceMatch) -> u32 {
    let mut matched = 0;
    for (number, uid, length) in aligned(pairs) {
        // Within a run of UIDs numbers rise as UIDs do, so its two ends tell whether it matches.
        let last = uid.saturating_add(length - 1);
        let runs = open.view.uids().as_slice();
        let from = runs.partition_point(|run| run.last < uid);
        for run in runs[from..].iter().take_while(|run| run.first <= last) {
            let first = run.first.max(uid);
            let expected = u64::from(number) + u64::from(first - uid);
            if open.view.number(first).map(u64::from) == Some(expected) {
                matched = run.last.min(last);
            }
        }
    }
    matched
}

/// Stretches in which both sets go on without a gap: number, UID, and for how many. What has no
/// partner in the other set is left out.
fn aligned(pairs: &SequenceMatch) -> Vec<(u32, u32, u32)> {
    let mut out = Vec::new();
    let (mut numbers, mut uids) = (pairs.numbers.iter(), pairs.uids.iter());
    let (mut number, mut uid) = (numbers.next().copied(), uids.next().copied());
    while let (Some((a, a_last)), Some((b, b_last))) = (number, uid) {
        let length = (a_last - a).min(b_last - b).saturating_add(1);
        out.push((a, b, length));
        let rest = |first: u32, last: u32| first.checked_add(length).map(|first| (first, last));
        number = rest(a, a_last).filter(|(first, last)| first <= last);
        number = number.or_else(|| numbers.next().copied());
        uid = rest(b, b_last).filter(|(first, last)| first <= last);
        uid = uid.or_else(|| uids.next().copied());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_aligned_whatever_their_ranges() {
        let pairs = |numbers: &[(u32, u32)], uids: &[(u32, u32)]| {
            aligned(&SequenceMatch { numbers: numbers.to_vec(), uids: uids.to_vec() })
        };
        assert_eq!(
            pairs(&[(1, 1), (3, 6)], &[(2, 2), (6, 7), (9, 10)]),
            [(1, 2, 1), (3, 6, 2), (5, 9, 2)]
        );
        assert_eq!(pairs(&[(1, u32::MAX)], &[(7, 7), (9, 9)]), [(1, 7, 1), (2, 9, 1)]);
        assert_eq!(pairs(&[(1, u32::MAX)], &[(1, u32::MAX)]), [(1, 1, u32::MAX)]);
        assert_eq!(pairs(&[(5, 5)], &[]), []);
    }
}
