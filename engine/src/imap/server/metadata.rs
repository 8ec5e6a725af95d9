//! GETMETADATA and SETMETADATA (RFC 5464 §4): one ask each; which of the values fit is decided here.

use alloc::format;
use alloc::vec::Vec;

use super::job::{Answered, Job, Next, Work, wrong};
use super::print;
use super::reply::Reply;
use crate::imap::grammar::{self, GetMetadata, lex};
use crate::imap::types::{Answer, Ask, MetadataAsk, MetadataEntry};
use crate::limits::METADATA_VALUE_MAX;
use crate::trace::Rule;
use crate::types::Reason;

/// RFC 5464 §4.4.1.
pub(crate) const VALUES: Rule =
    Rule { rfc: 5464, section: "4.4.1", gist: "METADATA tells entries with their values." };
/// RFC 5464 §4.2.1.
pub(crate) const LONG: Rule = Rule {
    rfc: 5464,
    section: "4.2.1",
    gist: "With MAXSIZE longer values are left out, and LONGENTRIES tells the longest.",
};
/// RFC 5464 §4.3.
pub(crate) const SET: Rule =
    Rule { rfc: 5464, section: "4.3", gist: "SETMETADATA sets all of its entries or none." };

/// What the host reads or writes.
pub(crate) enum Metadata {
    Read { name: Vec<u8>, value_max: Option<u32> },
    Write,
}

pub(crate) fn get(command: GetMetadata) -> Next {
    let GetMetadata { name, entries, depth, value_max } = command;
    let ask = MetadataAsk { name: name.clone(), read: entries, depth, write: Vec::new() };
    Next::Ask(Ask::Metadata(ask), Job::Metadata(Metadata::Read { name, value_max }))
}

pub(crate) fn set(name: Vec<u8>, entries: Vec<MetadataEntry>) -> Next {
    let long = |entry: &MetadataEntry| {
        entry.value.as_ref().is_some_and(|value| value.len() > METADATA_VALUE_MAX)
    };
    if entries.iter().any(long) {
        return Next::done(too_long());
    }
    // RFC 6154 §4: what a mailbox is for is never taken from a client unseen; here CREATE alone says it.
    let is_use = |entry: &MetadataEntry| entry.entry.eq_ignore_ascii_case(b"/private/specialuse");
    if !name.is_empty() && entries.iter().any(is_use) {
        return Next::done(Reply::no("CANNOT", "CREATE alone says what a mailbox is for"));
    }
    let ask = MetadataAsk { name, read: Vec::new(), depth: 0, write: entries };
    Next::Ask(Ask::Metadata(ask), Job::Metadata(Metadata::Write))
}

/// What is answered where a value is longer than any may be.
pub(super) fn too_long() -> Reply {
    let code = format!("METADATA MAXSIZE {METADATA_VALUE_MAX}").into_bytes();
    Reply::no("", "A value is too long").with_code(code).because(&SET)
}

impl Metadata {
    pub(crate) fn answer(self, work: &mut Work<'_>, answer: Answer) -> Answered {
        match (self, answer) {
            (Self::Read { name, value_max }, Answer::Metadata(entries)) => {
                Ok(tell(work, &name, value_max, &entries))
            }
            (Self::Write, Answer::Metadata(_)) => {
                Ok(Next::done(Reply::ok("Metadata set").because(&SET)))
            }
            (Self::Write, Answer::Refused(refusal)) if refusal.reason == Reason::TooMany => {
                let reply = Reply::no("METADATA TOOMANY", "There are too many entries already");
                Ok(Next::done(reply.because(&SET)))
            }
            (_, Answer::Refused(refusal)) => Ok(Next::done(Reply::refused(refusal))),
            (job, _) => wrong(Job::Metadata(job)),
        }
    }
}

/// Tells all that LIST was asked to tell of a mailbox: NIL of an entry without a value (RFC 9590 §3).
pub(super) fn send_listed(
    work: &mut Work<'_>,
    name: &[u8],
    read: &[Vec<u8>],
    found: Vec<MetadataEntry>,
) {
    let missing: Vec<MetadataEntry> = read
        .iter()
        .filter(|entry| !found.iter().any(|other| other.entry.eq_ignore_ascii_case(entry)))
        .map(|entry| MetadataEntry { entry: entry.clone(), value: None })
        .collect();
    send(work, name, None, &[found, missing].concat(), true);
}

/// Tells entries and their values, and with `all` those that have none; gives the octets of the longest value that was
/// left out, 0 if none was.
fn send(
    work: &mut Work<'_>,
    name: &[u8],
    value_max: Option<u32>,
    entries: &[MetadataEntry],
    all: bool,
) -> usize {
    let mut list = Vec::new();
    let mut longest = 0;
    for MetadataEntry { entry, value } in entries {
        match value {
            None if !all => continue,
            Some(value) if value_max.is_some_and(|max| value.len() > max as usize) => {
                longest = longest.max(value.len());
                continue;
            }
            _ => {}
        }
        if !list.is_empty() {
            list.push(b' ');
        }
        grammar::print::astring(&mut list, entry, false);
        list.push(b' ');
        match value {
            None => list.extend_from_slice(b"NIL"),
            // RFC 5464 §5: `value = nstring / literal8`, and NUL is in the latter alone.
            Some(value) if value.contains(&0) => {
                list.extend_from_slice(&print::literal(value.len() as u64, true));
                list.extend_from_slice(value);
            }
            Some(value) => list.extend_from_slice(&print::string(work.base, value)),
        }
    }
    if !list.is_empty() {
        let place =
            if name.is_empty() { b"\"\"".to_vec() } else { print::mailbox(work.base, name) };
        let line = print::untagged(&[b"METADATA ", &place, b" (", &list, b")"]);
        lex::send(work.cx, &line, Some(&VALUES));
    }
    longest
}

fn tell(
    work: &mut Work<'_>,
    name: &[u8],
    value_max: Option<u32>,
    entries: &[MetadataEntry],
) -> Next {
    let longest = send(work, name, value_max, entries, false);
    let reply = Reply::ok("Metadata told");
    Next::done(match longest {
        0 => reply,
        longest => {
            let code = format!("METADATA LONGENTRIES {longest}").into_bytes();
            reply.with_code(code).because(&LONG)
        }
    })
}
