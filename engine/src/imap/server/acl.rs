//! GETACL, SETACL, DELETEACL, LISTRIGHTS and MYRIGHTS (RFC 4314 §3): one ask each. Who may read and change rights the host
//! decides; here it is told.

use alloc::vec::Vec;

use super::job::{Answered, Job, Next, Work, wrong};
use super::print;
use super::reply::Reply;
use crate::imap::grammar::{SetAcl, lex};
use crate::imap::rights::Rights;
use crate::imap::types::{self, Answer, Ask, RightsAsk, RightsChange, RightsEntry, StoreMode};
use crate::trace::Rule;
use crate::types::{Reason, Refusal};

/// RFC 4314 §3.6.
pub(crate) const ACL: Rule =
    Rule { rfc: 4314, section: "3.6", gist: "ACL tells who has which rights to a mailbox." };
/// RFC 4314 §3.7.
pub(crate) const LIST_RIGHTS: Rule = Rule {
    rfc: 4314,
    section: "3.7",
    gist: "LISTRIGHTS tells what somebody always has, and what can be given.",
};
/// RFC 4314 §3.8.
pub(crate) const MY_RIGHTS: Rule =
    Rule { rfc: 4314, section: "3.8", gist: "MYRIGHTS tells the client's own rights." };
/// RFC 4314 §4.
pub(crate) const NEEDED: Rule = Rule {
    rfc: 4314,
    section: "4",
    gist: "Each command needs rights; without l a mailbox is as if it were not there.",
};

/// Whether an identifier is the owner's name; without a domain it may be short for it (RFC 4314 §2).
fn is_owner(identifier: &[u8], owner: &[u8]) -> bool {
    let rest = owner.strip_prefix(identifier);
    rest.is_some_and(|rest| {
        rest.is_empty() || (rest.starts_with(b"@") && !identifier.contains(&b'@'))
    })
}

/// What the host looks up or changes.
pub(crate) enum Wanted {
    Get(Vec<u8>),
    Mine(Vec<u8>),
    List(Vec<u8>, Vec<u8>),
    Change,
}

impl Wanted {
    fn ask(self, name: Vec<u8>, change: Option<RightsChange>) -> Next {
        Next::Ask(Ask::Rights(RightsAsk { name, change }), Job::Rights(self))
    }
}

pub(crate) fn get(name: Vec<u8>) -> Next {
    Wanted::Get(name.clone()).ask(name, None)
}

pub(crate) fn mine(name: Vec<u8>) -> Next {
    Wanted::Mine(name.clone()).ask(name, None)
}

pub(crate) fn list(name: Vec<u8>, identifier: Vec<u8>) -> Next {
    Wanted::List(name.clone(), identifier).ask(name, None)
}

pub(crate) fn set(command: SetAcl) -> Next {
    let SetAcl { name, identifier, mode, rights } = command;
    let change = RightsChange { identifier, mode, rights: rights.letters() };
    Wanted::Change.ask(name, Some(change))
}

pub(crate) fn delete(name: Vec<u8>, identifier: Vec<u8>) -> Next {
    let change = RightsChange { identifier, mode: StoreMode::Replace, rights: Vec::new() };
    Wanted::Change.ask(name, Some(change))
}

impl Wanted {
    pub(crate) fn answer(self, work: &mut Work<'_>, answer: Answer) -> Answered {
        match answer {
            Answer::Rights(rights) => Ok(Next::done(self.tell(work, &rights))),
            Answer::Refused(refusal) => Ok(Next::done(match (&self, refusal.reason) {
                (Self::Change, Reason::Unsupported) => {
                    Reply::no("CANNOT", "No such account, or one whose rights are fixed")
                }
                _ => Reply::refused(refusal).because(&NEEDED),
            })),
            _ => wrong(Job::Rights(self)),
        }
    }

    fn tell(self, work: &mut Work<'_>, rights: &types::Rights) -> Reply {
        let mine = Rights::parse(&rights.mine).unwrap_or_default();
        if !matches!(self, Self::Mine(_) | Self::Change) && !mine.has(Rights::ADMIN) {
            // RFC 4314 §6: who cannot see it does not learn that it is there.
            let seen = mine.has(Rights::LOOKUP);
            let reason = if seen { Reason::NotPermitted } else { Reason::NotFound };
            return Reply::refused(Refusal::new(reason)).because(&NEEDED);
        }
        match self {
            Self::Get(name) => {
                let mut line = [b"* ACL ", &print::mailbox(work.base, &name)[..]].concat();
                for RightsEntry { identifier, rights } in &rights.entries {
                    line.push(b' ');
                    line.extend_from_slice(&print::astring(work.base, identifier));
                    line.push(b' ');
                    line.extend_from_slice(&word(
                        &Rights::parse(rights).unwrap_or_default().told(),
                    ));
                }
                line.extend_from_slice(b"\r\n");
                lex::send(work.cx, &line, Some(&ACL));
                Reply::ok("Rights told")
            }
            Self::Mine(name) => {
                lex::send(work.cx, &my_rights(work, &name, mine), Some(&MY_RIGHTS));
                Reply::ok("Rights told")
            }
            Self::List(name, identifier) => {
                // Nothing is tied to anything, and the owner has all for ever.
                let (always, optional) = match is_owner(&identifier, &rights.owner) {
                    true => (Rights::ALL, Rights::NONE),
                    false => (Rights::NONE, Rights::ALL),
                };
                let name = print::mailbox(work.base, &name);
                let identifier = print::astring(work.base, &identifier);
                let mut line = [b"* LISTRIGHTS ", &name[..], b" ", &identifier, b" "].concat();
                line.extend_from_slice(&word(&always.told()));
                for letter in optional.told() {
                    line.extend_from_slice(&[b' ', letter]);
                }
                line.extend_from_slice(b"\r\n");
                lex::send(work.cx, &line, Some(&LIST_RIGHTS));
                Reply::ok("Rights told")
            }
            Self::Change => Reply::ok("Rights set"),
        }
    }
}

/// `* MYRIGHTS mailbox rights`
pub(crate) fn my_rights(work: &Work<'_>, name: &[u8], rights: Rights) -> Vec<u8> {
    let name = print::mailbox(work.base, name);
    print::untagged(&[b"MYRIGHTS ", &name, b" ", &word(&rights.told())])
}

/// Letters, or an empty string.
fn word(letters: &[u8]) -> Vec<u8> {
    if letters.is_empty() { b"\"\"".to_vec() } else { letters.to_vec() }
}
