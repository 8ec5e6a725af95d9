//! MESSAGELIMIT (RFC 9738): where the host sets a limit, a command works at the highest messages of those that it names, and
//! its end says how far down it came.

use alloc::vec::Vec;

use super::reply::{Reply, Status};
use super::runs::Runs;
use super::{Base, Server, print};
use crate::imap::grammar::PartialRange;
use crate::imap::types::Config;
use crate::limits::APPEND_MESSAGES_MAX;
use crate::role::Cx;
use crate::trace::Rule;

/// RFC 9738 §3.1.
pub(crate) const REFUSED: Rule = Rule {
    rfc: 9738,
    section: "3.1",
    gist: "A COPY or APPEND of more messages than the limit is refused whole; COPY is told the lowest UID of \
           those that would fit.",
};
/// RFC 9738 §3.1.
pub(crate) const CUT: Rule = Rule {
    rfc: 9738,
    section: "3.1",
    gist: "Of more messages than the limit the highest ones are worked at, and the lowest UID of those is told.",
};

/// Messages that one command works at, if the host sets a limit.
pub(crate) fn of_commands(config: &Config) -> Option<u32> {
    Some(config.limits.messages_max).filter(|max| *max > 0)
}

/// Messages that one command saves, as it is announced.
pub(crate) fn of_saving(config: &Config) -> u32 {
    of_commands(config).unwrap_or(APPEND_MESSAGES_MAX)
}

/// The response code; `lowest`: the UID of the lowest message that was worked at, or that would fit.
pub(crate) fn code(max: u32, lowest: Option<u32>) -> Vec<u8> {
    let mut code = [b"MESSAGELIMIT ", &print::decimal(u64::from(max))[..]].concat();
    if let Some(lowest) = lowest {
        code.push(b' ');
        code.extend_from_slice(&print::decimal(u64::from(lowest)));
    }
    code
}

/// The highest of these.
pub(crate) fn highest(uids: &Runs, max: u32) -> Runs {
    uids.places(PartialRange { from_end: true, first: 1, last: max })
}

impl Base {
    /// What of these the command works at; how it ends says whether it is all of them.
    pub(crate) fn within_limit(&mut self, uids: Runs) -> Runs {
        let Some(max) = of_commands(&self.config).filter(|max| uids.count() > u64::from(*max))
        else {
            return uids;
        };
        let uids = highest(&uids, max);
        self.cut_at = uids.first();
        uids
    }

    /// How a command ends that may take no part of what it names.
    pub(crate) fn over_limit(&self, uids: &Runs) -> Option<Reply> {
        let max = of_commands(&self.config).filter(|max| uids.count() > u64::from(*max))?;
        let reply = Reply::no("", "Too many messages at once").because(&CUT);
        Some(reply.with_code(code(max, None)))
    }

    /// The end of a command says that it worked at a part of what it names; by itself, where the end says something else.
    pub(crate) fn tell_limit(&mut self, cx: &mut Cx<Server>, reply: Reply) -> Reply {
        let Some(lowest) = self.cut_at.take() else { return reply };
        let code = code(of_saving(&self.config), Some(lowest));
        let is_gone = reply.code.as_deref() == Some(b"EXPUNGEISSUED");
        match reply.status {
            Status::Ok if reply.code.is_none() => reply.with_code(code).because(&CUT),
            Status::No if !is_gone => reply,
            Status::Bad => reply,
            Status::Ok | Status::No => {
                let told = Reply::no("", "Not all of the messages").because(&CUT);
                told.with_code(code).send(cx, b"");
                reply
            }
        }
    }
}
