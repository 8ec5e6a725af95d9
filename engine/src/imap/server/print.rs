//! Small pieces of responses, composed of the grammar's printers.

use alloc::format;
use alloc::vec::Vec;

use super::item::Section;
use super::{Base, Server, capability};
use crate::imap::grammar::lex;
use crate::imap::grammar::{StatusItem, print};
use crate::imap::types::{Flags, MailboxStatus, UidRun};
use crate::message::{Envelope, Index};
use crate::role::Cx;
pub(crate) use crate::text::number::decimal;

/// Every system flag (RFC 9051 §2.3.2).
pub(crate) const SYSTEM_FLAGS_ALL: u8 = 31;
/// \Deleted
pub(crate) const DELETED: u8 = 4;
/// \Seen
pub(crate) const SEEN: u8 = 8;

/// `* `, the parts, CRLF.
pub(crate) fn untagged(parts: &[&[u8]]) -> Vec<u8> {
    let mut line = b"* ".to_vec();
    parts.iter().for_each(|part| line.extend_from_slice(part));
    line.extend_from_slice(b"\r\n");
    line
}

pub(crate) fn flags(flags: &Flags, recent: bool) -> Vec<u8> {
    let mut out = Vec::new();
    put_flags(&mut out, flags, recent);
    out
}

/// As `flags`, behind what is there.
pub(crate) fn put_flags(out: &mut Vec<u8>, flags: &Flags, recent: bool) {
    print::flags(out, flags, recent);
}

/// `flag-perm` in parentheses: these, and `\*` since keywords can be made.
pub(crate) fn permanent_flags(all: &Flags) -> Vec<u8> {
    let mut out = flags(all, false);
    out.truncate(out.len() - 1);
    out.extend_from_slice(b" \\*)");
    out
}

pub(crate) fn mailbox(base: &Base, name: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    print::mailbox(&mut out, name, base.takes_utf8());
    out
}

pub(crate) fn astring(base: &Base, octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    print::astring(&mut out, octets, base.takes_utf8());
    out
}

pub(crate) fn uid_set(runs: &[UidRun]) -> Vec<u8> {
    let mut out = Vec::new();
    print::runs(&mut out, runs);
    out
}

pub(crate) fn date_time(unix_ms: u64, zone: i16) -> Vec<u8> {
    let mut out = Vec::new();
    print::date_time(&mut out, unix_ms, zone);
    out
}

pub(crate) fn string(base: &Base, octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    print::string(&mut out, octets, base.takes_utf8());
    out
}

pub(crate) fn envelope(base: &Base, envelope: &Envelope) -> Vec<u8> {
    let mut out = Vec::new();
    print::envelope(&mut out, envelope, base.takes_utf8());
    out
}

pub(crate) fn body_structure(base: &Base, index: &Index, extended: bool) -> Vec<u8> {
    let mut out = Vec::new();
    print::body(&mut out, index, extended, base.takes_utf8());
    out
}

/// `MODSEQ (n)` (RFC 7162 §7 fetch-mod-resp).
pub(crate) fn modseq(modseq: u64) -> Vec<u8> {
    format!("MODSEQ ({modseq})").into_bytes()
}

/// The head of a literal, or of a literal8, with its CRLF.
pub(crate) fn literal(length: u64, binary: bool) -> Vec<u8> {
    let mark = if binary { "~" } else { "" };
    format!("{mark}{{{length}}}\r\n").into_bytes()
}

/// The name under which a response gives a section, and a space.
pub(crate) fn section_name(section: &Section) -> Vec<u8> {
    let mut name = section.label.clone();
    if let Some(partial) = section.partial {
        name.extend_from_slice(format!("<{}>", partial.origin).as_bytes());
    }
    name.push(b' ');
    name
}

pub(crate) fn send_section_name(cx: &mut Cx<Server>, section: &Section) {
    lex::send(cx, &section_name(section), Some(&super::fetch::FETCH));
}

/// `MAILBOXID (…)` (RFC 8474 §7)
pub(crate) fn mailbox_id(id: &[u8]) -> Vec<u8> {
    [b"MAILBOXID (", id, b")"].concat()
}

/// `* STATUS mailbox (…)`
pub(crate) fn status(
    base: &Base,
    name: &[u8],
    items: &[StatusItem],
    status: &MailboxStatus,
) -> Vec<u8> {
    let mut list = Vec::new();
    for item in items {
        let value = match item {
            StatusItem::Messages => u64::from(status.messages),
            StatusItem::Recent => u64::from(status.recent),
            StatusItem::UidNext => u64::from(status.uid_next),
            StatusItem::UidValidity => u64::from(status.uid_validity),
            StatusItem::Unseen => u64::from(status.unseen),
            StatusItem::Deleted => u64::from(status.deleted),
            StatusItem::Size => status.size,
            StatusItem::HighestModseq => status.highest_modseq,
            StatusItem::AppendLimit => capability::append_limit(&base.config),
            StatusItem::DeletedStorage => status.deleted_size.div_ceil(1024),
            StatusItem::MailboxId => 0,
        };
        if !list.is_empty() {
            list.push(b' ');
        }
        if *item == StatusItem::MailboxId {
            list.extend_from_slice(&mailbox_id(&status.mailbox_id));
        } else {
            list.extend_from_slice(format!("{} {value}", item.name()).as_bytes());
        }
    }
    untagged(&[b"STATUS ", &mailbox(base, name), b" (", &list, b")"])
}
