//! CREATE, DELETE, RENAME, SUBSCRIBE and UNSUBSCRIBE (RFC 9051 §6.3.4 to §6.3.8): one ask each.
//! What they mean for the mailbox that is open is decided here too.

use alloc::vec::Vec;

use super::capability::Feature;
use super::job::{Answered, Job, Next, Work, wrong};
use super::print;
use super::reply::{Reply, send_untagged_ok};
use super::state::State;
use crate::imap::types::{self, Answer, Ask, CreateAsk, RenameAsk, SpecialUse, SubscribeAsk};
use crate::trace::Rule;
use crate::types::Reason;

/// RFC 8474 §4.1.
pub(crate) const OBJECT_ID: Rule = Rule {
    rfc: 8474,
    section: "4.1",
    gist: "A mailbox has an identifier that it keeps when it is renamed, and CREATE tells it.",
};

/// A change of mailboxes that the host is making.
pub(crate) enum Change {
    Create(Vec<u8>),
    /// RFC 8474 §4.1: it is made; its identifier is looked up.
    Identify,
    Delete(Vec<u8>),
    Rename(RenameAsk),
    Subscribe(bool),
}

pub(crate) fn create(name: Vec<u8>, special_uses: Vec<SpecialUse>) -> Next {
    // RFC 9051 §6.3.4: a separator at the end only declares that names below will follow.
    let name = name.strip_suffix(b"/").map_or_else(|| name.clone(), <[u8]>::to_vec);
    if name == b"INBOX" {
        return Next::done(Reply::no("ALREADYEXISTS", "INBOX is always there"));
    }
    let job = Job::Change(Change::Create(name.clone()));
    Next::Ask(Ask::Create(CreateAsk { name, special_uses }), job)
}

pub(crate) fn delete(name: Vec<u8>) -> Next {
    // RFC 9051 §6.3.5
    if name == b"INBOX" {
        return Next::done(Reply::no("CANNOT", "INBOX cannot be deleted"));
    }
    Next::Ask(Ask::Delete(name.clone()), Job::Change(Change::Delete(name)))
}

pub(crate) fn rename(from: Vec<u8>, to: Vec<u8>) -> Next {
    // RFC 9051 §6.3.6: of INBOX the messages go, and it stays.
    let below = to.strip_prefix(&from[..]).filter(|_| from != b"INBOX");
    if below.is_some_and(|below| below.starts_with(b"/")) {
        // RFC 5530 §3: no change of rights would make it possible.
        return Next::done(Reply::no("CANNOT", "A mailbox cannot go below itself"));
    }
    let ask = RenameAsk { from, to };
    Next::Ask(Ask::Rename(ask.clone()), Job::Change(Change::Rename(ask)))
}

pub(crate) fn subscribe(name: Vec<u8>, subscribed: bool) -> Next {
    let ask = Ask::Subscribe(SubscribeAsk { name, subscribed });
    Next::Ask(ask, Job::Change(Change::Subscribe(subscribed)))
}

impl Change {
    pub(crate) fn answer(self, work: &mut Work<'_>, answer: Answer) -> Answered {
        match answer {
            Answer::Done => match self {
                Self::Create(name) if work.base.features.has(Feature::ObjectId) => {
                    Ok(Next::Ask(Ask::Status(name), Job::Change(Self::Identify)))
                }
                Self::Identify => wrong(Job::Change(self)),
                _ => Ok(Next::done(self.done(work))),
            },
            Answer::Status(status) if matches!(self, Self::Identify) => {
                let reply = Reply::ok("Created").because(&OBJECT_ID);
                Ok(Next::done(reply.with_code(print::mailbox_id(&status.mailbox_id))))
            }
            // It was made, and is gone again.
            Answer::Refused(_) if matches!(self, Self::Identify) => {
                Ok(Next::done(Reply::ok("Created")))
            }
            Answer::Refused(refusal) => {
                let uses = matches!(self, Self::Create(_)) && refusal.reason == Reason::Unsupported;
                let reply = Reply::refused(refusal);
                // RFC 6154 §3: a use that cannot be given has a code of its own.
                Ok(Next::done(if uses { reply.with_code(&b"USEATTR"[..]) } else { reply }))
            }
            _ => wrong(Job::Change(self)),
        }
    }

    fn done(self, work: &mut Work<'_>) -> Reply {
        match self {
            Self::Create(_) | Self::Identify => Reply::ok("Created"),
            Self::Delete(name) => {
                if matches!(work.state, State::Selected(open) if open.name == name) {
                    send_untagged_ok(work.cx, b"CLOSED", "The open mailbox was deleted");
                    work.close_mailbox();
                }
                Reply::ok("Deleted")
            }
            Self::Rename(ask) => {
                if let State::Selected(open) = work.state {
                    if ask.from == b"INBOX" && open.name == ask.from {
                        // RFC 9051 §6.3.6: INBOX stays, empty.
                        open.view.change(types::Change::Resynchronise);
                    } else if let Some(name) = renamed(&open.name, &ask) {
                        open.name = name;
                    }
                }
                Reply::ok("Renamed")
            }
            Self::Subscribe(true) => Reply::ok("Subscribed"),
            Self::Subscribe(false) => Reply::ok("Unsubscribed"),
        }
    }
}

/// The new name of a mailbox that is the renamed one or below it.
fn renamed(name: &[u8], ask: &RenameAsk) -> Option<Vec<u8>> {
    let below = name.strip_prefix(&ask.from[..])?;
    (below.is_empty() || below.starts_with(b"/")).then(|| [&ask.to, below].concat())
}
