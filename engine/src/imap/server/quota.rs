//! GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208 §4.1): one ask each. Who may set what the host decides.

use alloc::vec::Vec;

use super::job::{Answered, Job, Next, Work, wrong};
use super::print;
use super::reply::Reply;
use crate::imap::grammar::lex;
use crate::imap::types::{Answer, Ask, Quota, QuotaAsk, QuotaLimit};
use crate::trace::Rule;
use crate::types::Reason;

/// RFC 9208 §4.2.1.
pub(crate) const QUOTA: Rule = Rule {
    rfc: 9208,
    section: "4.2.1",
    gist: "QUOTA tells use and limit of each resource that is limited in a quota root.",
};
/// RFC 9208 §4.2.2.
pub(crate) const ROOT: Rule =
    Rule { rfc: 9208, section: "4.2.2", gist: "QUOTAROOT names the quota roots of a mailbox." };

const NO_ROOT: Reply = Reply::no("NONEXISTENT", "There is no such quota root");

/// What the host looks up or sets.
pub(crate) enum Wanted {
    /// Of the roots of this mailbox.
    Mailbox(Vec<u8>),
    Root,
    Limits,
}

pub(crate) fn of_mailbox(name: Vec<u8>) -> Next {
    let ask = QuotaAsk { name: name.clone(), root: false, set: None };
    Next::Ask(Ask::Quota(ask), Job::Quota(Wanted::Mailbox(name)))
}

pub(crate) fn of_root(name: Vec<u8>) -> Next {
    let ask = QuotaAsk { name, root: true, set: None };
    Next::Ask(Ask::Quota(ask), Job::Quota(Wanted::Root))
}

pub(crate) fn set(name: Vec<u8>, limits: Vec<QuotaLimit>) -> Next {
    let ask = QuotaAsk { name, root: true, set: Some(limits) };
    Next::Ask(Ask::Quota(ask), Job::Quota(Wanted::Limits))
}

impl Wanted {
    pub(crate) fn answer(self, work: &mut Work<'_>, answer: Answer) -> Answered {
        match answer {
            // RFC 9208 §7: `quota-list` names one resource at least, so a root where nothing is limited is none.
            Answer::Quota(quota) if matches!(self, Self::Root) && quota.resources.is_empty() => {
                Ok(Next::done(NO_ROOT))
            }
            Answer::Quota(mut quota) => {
                let Quota { roots, resources } = &mut quota;
                roots.retain(|root| resources.iter().any(|resource| resource.root == *root));
                self.tell(work, &quota);
                Ok(Next::done(Reply::ok("Quota told")))
            }
            Answer::Refused(refusal) => {
                let missing = refusal.reason == Reason::NotFound;
                Ok(Next::done(match self {
                    Self::Root | Self::Limits if missing => NO_ROOT,
                    _ => Reply::refused(refusal),
                }))
            }
            _ => wrong(Job::Quota(self)),
        }
    }

    fn tell(&self, work: &mut Work<'_>, quota: &Quota) {
        if let Self::Mailbox(name) = self {
            let mut line = [b"* QUOTAROOT ", &print::mailbox(work.base, name)[..]].concat();
            for root in &quota.roots {
                line.push(b' ');
                line.extend_from_slice(&print::astring(work.base, root));
            }
            line.extend_from_slice(b"\r\n");
            lex::send(work.cx, &line, Some(&ROOT));
        }
        for root in &quota.roots {
            let mut list = Vec::new();
            for resource in quota.resources.iter().filter(|resource| resource.root == *root) {
                if !list.is_empty() {
                    list.push(b' ');
                }
                list.extend_from_slice(&resource.resource);
                for number in [resource.usage, resource.limit] {
                    list.push(b' ');
                    list.extend_from_slice(&print::decimal(number));
                }
            }
            let root = print::astring(work.base, root);
            let line = print::untagged(&[b"QUOTA ", &root, b" (", &list, b")"]);
            lex::send(work.cx, &line, Some(&QUOTA));
        }
    }
}
