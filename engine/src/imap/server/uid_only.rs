//! UIDONLY (RFC 9586): a client that has enabled it names messages by UID alone, and is told of them in that way. Which
//! commands name them otherwise is found here, and how a response names one; what is told stands where it is told.

use alloc::vec::Vec;

use super::Base;
use super::print::decimal;
use super::reply::Reply;
use super::state::Selected;
use crate::imap::grammar::{Command, Key};
use crate::text::number::push_decimal;
use crate::trace::Rule;

/// RFC 9586 §3.
pub(crate) const REQUIRED: Rule = Rule {
    rfc: 9586,
    section: "3",
    gist: "Once UIDONLY is enabled, what names messages by their numbers is answered BAD with UIDREQUIRED.",
};
/// RFC 9586 §3.3.
pub(crate) const UIDFETCH: Rule = Rule {
    rfc: 9586,
    section: "3.3",
    gist: "UIDFETCH names its message by UID, in place of FETCH, which names it by number.",
};
/// RFC 9586 §3.6.
pub(crate) const GONE: Rule = Rule {
    rfc: 9586,
    section: "3.6",
    gist: "What is gone is told by VANISHED, with its UIDs, in place of EXPUNGE.",
};

/// Octets that the head of a response takes at most.
const HEAD_OCTETS: usize = 24;

/// What is answered to a command that names messages by number.
pub(crate) fn refusal() -> Reply {
    Reply::bad("Name messages by their UIDs").with_code(&b"UIDREQUIRED"[..]).because(&REQUIRED)
}

/// Whether a command names messages by number, or asks for their numbers. Of REPLACE that is found where its message is.
pub(crate) fn names_numbers(command: &Command) -> bool {
    match command {
        Command::Fetch(fetch) => !fetch.uid,
        Command::Store(store) => !store.uid,
        Command::Copy(by_uid, ..) | Command::Move(by_uid, ..) => !by_uid,
        Command::Search(search) => !search.uid || has_numbers(&search.program),
        Command::MultiSearch(command) => has_numbers(&command.search.program),
        Command::Sort(sort) => !sort.uid || has_numbers(&sort.program),
        Command::Thread(thread) => !thread.uid || has_numbers(&thread.program),
        // RFC 9586 §3.7: what a client knows of numbers means nothing any more.
        Command::Select(_, options) | Command::Examine(_, options) => {
            options.known.as_ref().is_some_and(|known| known.pairs.is_some())
        }
        _ => false,
    }
}

/// `$` alone names no number.
fn has_numbers(program: &[Key]) -> bool {
    program.iter().any(|key| matches!(key, Key::Numbers(set) if !set.ranges.is_empty()))
}

/// `12 FETCH (`, or `345 UIDFETCH (`, if the client knows the message.
fn head(base: &Base, open: &Selected, uid: u32) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    put_head(&mut out, base, open, uid).map(|()| out)
}

/// The same, with the `* ` that a response begins with.
pub(crate) fn response_head(base: &Base, open: &Selected, uid: u32) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(HEAD_OCTETS);
    put_response_head(&mut out, base, open, uid).then_some(out)
}

/// The same behind other octets; whether the client knows the message.
pub(crate) fn put_response_head(out: &mut Vec<u8>, base: &Base, open: &Selected, uid: u32) -> bool {
    out.extend_from_slice(b"* ");
    put_head(out, base, open, uid).is_some()
}

fn put_head(out: &mut Vec<u8>, base: &Base, open: &Selected, uid: u32) -> Option<()> {
    let number = open.view.number(uid)?;
    let (named, verb) = match base.uid_only {
        true => (uid, &b" UIDFETCH ("[..]),
        false => (number, &b" FETCH ("[..]),
    };
    push_decimal(out, u64::from(named));
    out.extend_from_slice(verb);
    Some(())
}

/// As `head`, with the UID behind it where that was not told yet.
pub(crate) fn head_with_uid(base: &Base, open: &Selected, uid: u32) -> Option<Vec<u8>> {
    let mut head = head(base, open, uid)?;
    if !base.uid_only {
        head.extend_from_slice(&[b"UID ", &decimal(u64::from(uid))[..], b" "].concat());
    }
    Some(head)
}

/// The rule that a FETCH response follows.
pub(crate) fn why(base: &Base, otherwise: &'static Rule) -> &'static Rule {
    if base.uid_only { &UIDFETCH } else { otherwise }
}
