//! COPY and MOVE (RFC 9051 §6.4.7, §6.4.8): one transaction of the host, all or none. A MOVE of very many is several, one
//! after the other, as RFC 6851 §3.3 lets it be.

use alloc::vec::Vec;

use super::fetch::vanished;
use super::job::{Answered, Job, Next, Work, wrong};
use super::reply::{Reply, send_untagged_ok};
use super::runs::{Runs, are_runs};
use super::{limit, print};
use crate::imap::types::{Answer, Ask, Copied, CopyAsk, Expunged};
use crate::limits::{APPEND_MESSAGES_MAX, COPY_MESSAGES_MAX};
use crate::trace::Rule;
use crate::types::Misuse;

/// RFC 4315 §3.
pub(crate) const COPYUID: Rule = Rule {
    rfc: 4315,
    section: "3",
    gist: "COPYUID names the UIDs that the copies got, in the order of the originals.",
};

/// A copy or move that the host is making.
pub(crate) struct Copy {
    to: Vec<u8>,
    remove: bool,
    by_uid: bool,
    /// Those that the next transactions move.
    rest: Runs,
}

/// COPY and MOVE, by sequence number unless `by_uid`.
pub(crate) fn copy(
    work: &mut Work<'_>,
    uids: Runs,
    to: Vec<u8>,
    remove: bool,
    by_uid: bool,
) -> Next {
    let Some((base, open, _)) = work.selected() else { return Next::no_mailbox() };
    if remove && open.read_only {
        return Next::done(Reply::no("NOPERM", "This mailbox is open read-only"));
    }
    if uids.is_empty() {
        return Next::done(Reply::ok("There is no such message"));
    }
    if !by_uid && open.view.any_gone(&uids) {
        // RFC 2180 §4.4.1: the client means messages that it cannot have; after this it learns
        // which.
        return Next::done(vanished());
    }
    if let Some(reply) = too_many(limit::of_commands(&base.config), &uids).filter(|_| !remove) {
        return Next::done(reply);
    }
    let rest = if remove { work.base.within_limit(uids) } else { uids };
    Copy { to, remove, by_uid, rest }.next()
}

/// RFC 9738 §3.1: what is too much for one transaction is refused whole. Where no limit is set, the one that is announced is
/// lower (§4.2 lets it be so), and the code names that one and the UID from which on it is kept: what a client repeats by
/// it is taken.
fn too_many(set: Option<u32>, uids: &Runs) -> Option<Reply> {
    let max = set.map_or(COPY_MESSAGES_MAX, u64::from);
    uids.count().checked_sub(max).filter(|over| *over > 0)?;
    let told = set.unwrap_or(APPEND_MESSAGES_MAX);
    let lowest = limit::highest(uids, told).first();
    let reply = Reply::no("", "Too many messages at once, none was copied");
    Some(reply.with_code(limit::code(told, lowest)).because(&limit::REFUSED))
}

impl Copy {
    /// The next transaction.
    fn next(mut self) -> Next {
        let uids = self.rest.next_page(0, usize::MAX, COPY_MESSAGES_MAX);
        self.rest = self.rest.above(uids.last().map_or(u32::MAX, |run| run.last));
        let ask = CopyAsk { uids, to: self.to.clone(), remove: self.remove };
        Next::Ask(Ask::Copy(ask), Job::Copy(self))
    }

    pub(crate) fn answer(self, work: &mut Work<'_>, answer: Answer) -> Answered {
        match answer {
            Answer::Copied(copied) => {
                let (source, target) = (&copied.source, &copied.target);
                let sum = |runs: &[_]| Runs::from_unsorted(runs.to_vec()).count();
                if !are_runs(source) || !are_runs(target) || sum(source) != sum(target) {
                    return Err((Job::Copy(self), Misuse::BadValue));
                }
                Ok(self.copied(work, copied))
            }
            Answer::Refused(refusal) => Ok(Next::done(Reply::refused_target(refusal))),
            _ => wrong(Job::Copy(self)),
        }
    }

    fn copied(self, work: &mut Work<'_>, copied: Copied) -> Next {
        if !self.by_uid && copied.source.is_empty() && self.rest.is_empty() {
            // RFC 2180 §4.4.1: they went while the host was asked, and OK would say that they are there now.
            return Next::done(vanished());
        }
        let code = (!copied.source.is_empty() && work.base.has_uid_plus()).then(|| {
            [
                b"COPYUID ",
                &print::decimal(u64::from(copied.uid_validity))[..],
                b" ",
                &print::uid_set(&copied.source),
                b" ",
                &print::uid_set(&copied.target),
            ]
            .concat()
        });
        let Some((_, open, cx)) = work.selected() else { return Next::no_mailbox() };
        if self.to == open.name {
            // RFC 3501 §2.3.2: this session is the first to be told of them.
            let recent = !open.read_only;
            open.view.arrive(&Runs::from_unsorted(copied.target), recent);
        }
        if self.remove {
            // RFC 6851 §4.3: told before the EXPUNGE responses, so not in the tagged OK.
            if let Some(code) = code {
                send_untagged_ok(cx, &code, "These were moved");
            }
            open.view.expunge(Expunged { runs: copied.source, modseq: copied.modseq });
            if !self.rest.is_empty() {
                return self.next();
            }
            return Next::done(Reply::ok("Moved"));
        }
        let reply = Reply::ok("Copied").because(&COPYUID);
        Next::done(match code {
            Some(code) => reply.with_code(code),
            None => reply,
        })
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;
    use crate::imap::types::UidRun;

    #[test]
    fn what_is_too_many_is_told_from_where_on_it_is_not() {
        let most = u32::try_from(COPY_MESSAGES_MAX).expect("it is small");
        let runs = |last| {
            Runs::from_unsorted([UidRun { first: 5, last: 9 }, UidRun { first: 20, last }].to_vec())
        };
        assert_eq!(too_many(None, &runs(20 + most - 6)), None);
        let code = |last| too_many(None, &runs(last)).and_then(|reply| reply.code);
        let expected = |uid: u32| format!("MESSAGELIMIT {APPEND_MESSAGES_MAX} {uid}").into_bytes();
        for last in [20 + most - 5, 20 + most] {
            assert_eq!(code(last).as_deref(), Some(&expected(last - APPEND_MESSAGES_MAX + 1)[..]));
        }
        let five = Runs::from_unsorted([UidRun { first: 5, last: 9 }].to_vec());
        assert_eq!(too_many(Some(5), &five), None);
        let code = too_many(Some(5), &runs(22)).and_then(|reply| reply.code);
        assert_eq!(code.as_deref(), Some(&b"MESSAGELIMIT 5 8"[..]));
    }
}
