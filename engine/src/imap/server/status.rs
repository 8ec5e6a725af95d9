//! STATUS (RFC 9051 §6.3.11, RFC 8438): counters of a mailbox that need not be open.

use alloc::vec::Vec;

use super::job::{Answered, Job, Next, Work, wrong};
use super::print;
use super::reply::Reply;
use crate::imap::grammar::StatusItem;
use crate::imap::grammar::lex;
use crate::imap::types::{Answer, Ask};

/// A mailbox whose counters the host looks up.
pub(crate) struct Status {
    name: Vec<u8>,
    items: Vec<StatusItem>,
}

pub(crate) fn status(name: Vec<u8>, items: Vec<StatusItem>) -> Next {
    Next::Ask(Ask::Status(name.clone()), Job::Status(Status { name, items }))
}

impl Status {
    pub(crate) fn answer(self, work: &mut Work<'_>, answer: Answer) -> Answered {
        match answer {
            Answer::Status(status) => {
                let line = print::status(work.base, &self.name, &self.items, &status);
                lex::send(work.cx, &line, None);
                Ok(Next::done(Reply::ok("Status told")))
            }
            Answer::Refused(refusal) => Ok(Next::done(Reply::refused(refusal))),
            _ => wrong(Job::Status(self)),
        }
    }
}
