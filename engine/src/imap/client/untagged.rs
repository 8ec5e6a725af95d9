//! Untagged responses (RFC 9051 §7): data that a command asked for, and data that nobody asked for, which look the same.
//! What is not known is passed over; before the calls begin only what the session itself needs is read.

use alloc::vec::Vec;

use super::calls::{Kind, Sent};
use super::fetched;
use super::scan::{Piece, Scan, Token, number, uid_set};
use super::sending::tag_number;
use super::status::{Code, Status, Word};
use super::types::{
    Counted, Counters, Event, Grantable, IdField, Mailbox, MetadataTold, Namespace, Namespaces,
    Opened, Progress, RightsTold, TlsPolicy, Vanished,
};
use super::{Client, State};
use crate::imap::grammar::decode_utf7;
use crate::imap::types::{MetadataEntry, QuotaResource, RightsEntry};
use crate::role::Cx;

/// Things of one response that are told: attributes, flags, fields, entries. No honest server comes near.
const THINGS_MAX: usize = 1000;

impl Client {
    /// A line that begins with a star.
    pub(super) fn untagged(self, cx: &mut Cx<Self>, pieces: Vec<Piece>) -> Self {
        let Some(Piece::Text(first)) = pieces.first() else { return self };
        let text = first.get(2..).unwrap_or_default();
        if let Some(status) = Status::read(text) {
            return self.untagged_status(cx, status);
        }
        let mut scan = Scan::new(&pieces);
        scan.next();
        let Token::Atom(word) = scan.next() else {
            self.defect(cx, "Data has no name; it was passed over.");
            return self;
        };
        if let State::Greeting = self.state {
            return self.malformed(cx);
        }
        if let Some(number) = number(word) {
            return self.numbered(cx, number, &mut scan);
        }
        let name = word.to_ascii_uppercase();
        if let State::Open = self.state {
            self.data(cx, &name, &mut scan)
        } else {
            self.own_data(cx, &name, &mut scan)
        }
    }

    fn untagged_status(mut self, cx: &mut Cx<Self>, status: Status) -> Self {
        if let State::Greeting = self.state {
            return self.greeted(cx, status);
        }
        if status.word == Word::Bye {
            return self.bye(cx, status);
        }
        self.learn(cx, &status.code);
        self.code(cx, &status.code);
        if status.code.name == b"INPROGRESS" && matches!(self.state, State::Open) {
            self.progress(cx, &status.code);
        }
        // What comes in the clear while TLS is still to come may be anybody's words, and people would believe them.
        let heard = self.common.tls.is_some()
            || self.common.config.tls == TlsPolicy::None
            || matches!(self.state, State::Open);
        if status.code.name == b"ALERT" && heard {
            cx.event(Event::Alert(status.text));
        }
        self
    }

    /// What the session needs before the calls begin; anything else is nobody's yet.
    fn own_data(mut self, cx: &mut Cx<Self>, name: &[u8], scan: &mut Scan<'_>) -> Self {
        match name {
            b"CAPABILITY" => {
                self.common.told_with_login = matches!(self.state, State::LoggingIn(_));
                self.learn_capabilities(cx, scan);
            }
            b"ENABLED" => {
                let mut names = Vec::new();
                while let Some(name) = scan.string().filter(|_| names.len() < THINGS_MAX) {
                    names.push(name.to_ascii_uppercase());
                }
                self.common.enabled.extend(names);
                self.common.enabled.truncate(THINGS_MAX);
            }
            b"ID" => {
                let mut fields = Vec::new();
                if scan.open() {
                    while !scan.at_end() {
                        let name = scan.string().unwrap_or_default();
                        let value = scan.nstring();
                        if fields.len() < THINGS_MAX {
                            fields.push(IdField { name, value });
                        }
                    }
                }
                self.common.server = fields;
            }
            _ => {}
        }
        self
    }

    /// `number SP ("EXISTS" / "RECENT" / "EXPUNGE" / "FETCH" …)`
    fn numbered(mut self, cx: &mut Cx<Self>, number: u32, scan: &mut Scan<'_>) -> Self {
        let (Token::Atom(name), State::Open) = (scan.next(), &self.state) else { return self };
        let counters = self.common.opening.as_mut().map(|opened| &mut opened.counters);
        match &name.to_ascii_uppercase()[..] {
            b"EXISTS" => match counters {
                Some(counters) => counters.messages = Some(number),
                None => cx.event(Event::Exists(number)),
            },
            b"RECENT" => match counters {
                Some(counters) => counters.recent = Some(number),
                None => cx.event(Event::Recent(number)),
            },
            b"EXPUNGE" if number > 0 => cx.event(Event::Expunged(number)),
            name @ (b"FETCH" | b"UIDFETCH") if number > 0 => {
                // RFC 9586 §3.3: the number is the UID, and that is all that there is of it.
                let by_uid = name.len() > b"FETCH".len();
                let (number, uid) = if by_uid { (0, number) } else { (number, 0) };
                let read = fetched::read(scan, number, uid);
                if read.defect {
                    self.defect(
                        cx,
                        "A part of a message's data could not be read; it was left out.",
                    );
                }
                return self.tell_bodies(cx, read.bodies, [Event::Fetched(read.fetched)].into());
            }
            _ => {}
        }
        self
    }

    /// Data by its name.
    fn data(mut self, cx: &mut Cx<Self>, name: &[u8], scan: &mut Scan<'_>) -> Self {
        let utf8 = self.common.offered().utf8;
        let event = match name {
            b"CAPABILITY" => {
                self.learn_capabilities(cx, scan);
                return self;
            }
            b"LIST" | b"LSUB" => mailbox(scan, utf8, name == b"LSUB").map(Event::Mailbox),
            b"STATUS" => {
                let name = meaning(&scan.string().unwrap_or_default(), utf8);
                Some(Event::Status(Counted { name, counters: counters(scan) }))
            }
            b"FLAGS" => {
                let flags = scan.words(THINGS_MAX);
                match &mut self.common.opening {
                    Some(opened) => {
                        opened.flags = flags;
                        None
                    }
                    None => Some(Event::Flags(flags)),
                }
            }
            b"VANISHED" => {
                let earlier = scan.open();
                if earlier {
                    scan.leave();
                }
                let uids = uid_set(&scan.string().unwrap_or_default());
                Some(Event::Vanished(Vanished { uids, earlier }))
            }
            b"NAMESPACE" => Some(Event::Namespaces(Namespaces {
                personal: namespaces(scan, utf8),
                others: namespaces(scan, utf8),
                shared: namespaces(scan, utf8),
            })),
            b"SEARCH" => return self.searched(cx, scan),
            b"ESEARCH" => return self.esearched(cx, scan),
            b"SORT" => return self.sorted(cx, scan),
            b"THREAD" => return self.threaded(cx, scan),
            b"QUOTA" => Some(Event::Quota(quota(scan))),
            b"ACL" => Some(Event::Rights(acl(scan, utf8))),
            b"MYRIGHTS" => {
                let name = meaning(&scan.string().unwrap_or_default(), utf8);
                let mine = scan.string().unwrap_or_default();
                Some(Event::Rights(RightsTold { name, mine, entries: Vec::new() }))
            }
            b"LISTRIGHTS" => Some(Event::Grantable(grantable(scan, utf8))),
            b"GENURLAUTH" => {
                let mut urls = Vec::new();
                while let Some(url) = scan.string().filter(|_| urls.len() < THINGS_MAX) {
                    urls.push(url);
                }
                Some(Event::UrlsAuthorized(urls))
            }
            b"URLFETCH" => {
                let (bodies, events) = fetched::urls(scan);
                return self.tell_bodies(cx, bodies, events.into());
            }
            b"LANGUAGE" => Some(Event::Languages(languages(scan))),
            b"METADATA" => Some(Event::Metadata(metadata(scan, utf8))),
            _ => None,
        };
        if let Some(event) = event {
            cx.event(event);
        }
        self
    }

    /// `"INPROGRESS" [SP "(" (quoted / nil) SP (number / nil) SP (nz-number / nil) ")"]` (RFC 9585 §5)
    fn progress(&self, cx: &mut Cx<Self>, code: &Code) {
        let mut scan = Scan::new(&code.arguments);
        scan.open();
        let tag = scan.nstring().and_then(|tag| tag_number(&tag));
        let sent = |tag| self.common.sent.iter().find(|sent| sent.tag == tag);
        let call = tag.and_then(sent).and_then(Sent::call);
        let mut number = || scan.nstring().and_then(|word| number(&word));
        let (done, goal) = (number(), number());
        cx.event(Event::Progress(Progress { call, done, goal }));
    }

    /// What a response code tells, tagged or not.
    pub(super) fn code(&mut self, cx: &mut Cx<Self>, code: &Code) {
        let mut scan = Scan::new(&code.arguments);
        let number = |scan: &mut Scan<'_>| scan.string().and_then(|word| number(&word));
        match &code.name[..] {
            b"METADATA" => {
                // RFC 5464 §4.2.1
                let long =
                    scan.string().is_some_and(|word| word.eq_ignore_ascii_case(b"LONGENTRIES"));
                if let Some(octets) = number(&mut scan).filter(|_| long) {
                    cx.event(Event::MetadataLeftOut(octets));
                }
                return;
            }
            b"NOTIFICATIONOVERFLOW" => return cx.event(Event::NotifyOverflow),
            b"NOUPDATE" => {
                // RFC 5267 §4.3.1
                let tag = scan.string().and_then(|tag| tag_number(&tag));
                let contexts = &mut self.common.contexts;
                let at = contexts.iter().position(|context| Some(context.tag) == tag);
                if let Some(at) = at {
                    cx.event(Event::UpdateRefused(contexts.remove(at).call));
                }
                return;
            }
            b"COPYUID" | b"APPENDUID" => {
                // RFC 6851 §4.3, RFC 8508 §4.3: MOVE and REPLACE tell it untagged.
                let kind = if code.name == b"COPYUID" { Kind::Copy } else { Kind::Append };
                let sent = self.common.sent.iter_mut().find(|sent| sent.kind == kind);
                if let Some(sent) = sent {
                    sent.take_code(code);
                }
                return;
            }
            _ => {}
        }
        let Some(opened) = &mut self.common.opening else { return };
        match &code.name[..] {
            // RFC 7162 §3.2.11: what was told so far was of the mailbox before.
            b"CLOSED" => {
                let name = core::mem::take(&mut opened.name);
                let (read_only, modseqs) = (opened.read_only, opened.modseqs);
                *opened = Opened { name, read_only, modseqs, ..Opened::default() };
                cx.event(Event::Closed);
            }
            b"UIDVALIDITY" => opened.counters.uid_validity = number(&mut scan),
            b"UIDNEXT" => opened.counters.uid_next = number(&mut scan),
            b"UNSEEN" => opened.counters.unseen = number(&mut scan),
            b"HIGHESTMODSEQ" => {
                opened.counters.highest_modseq = scan.number();
                opened.modseqs = true;
            }
            b"NOMODSEQ" => opened.modseqs = false,
            b"MAILBOXID" => {
                opened.counters.mailbox_id = scan.words(1).pop().unwrap_or_default();
            }
            b"PERMANENTFLAGS" => {
                let mut flags = scan.words(THINGS_MAX);
                flags.retain(|flag| {
                    let any = flag == b"\\*";
                    opened.new_keywords |= any;
                    !any
                });
                opened.permanent_flags = Some(flags);
            }
            b"READ-ONLY" => opened.read_only = true,
            b"READ-WRITE" => opened.read_only = false,
            _ => {}
        }
    }
}

/// A mailbox's name as the host has it: what is not as RFC 3501 §5.1.3 says stays as it came.
pub(super) fn meaning(wire: &[u8], utf8: bool) -> Vec<u8> {
    let decoded = if utf8 || !wire.is_ascii() { None } else { decode_utf7(wire) };
    let mut name = decoded.unwrap_or_else(|| wire.to_vec());
    if name.eq_ignore_ascii_case(b"INBOX") {
        name.make_ascii_uppercase();
    }
    name
}

/// `mailbox-list`
fn mailbox(scan: &mut Scan<'_>, utf8: bool, subscribed_list: bool) -> Option<Mailbox> {
    let attributes = scan.words(THINGS_MAX);
    let separator = scan.nstring().and_then(|octets| octets.first().copied());
    let name = meaning(&scan.string()?, utf8);
    Some(Mailbox { name, separator, attributes, subscribed_list })
}

/// `"(" [status-att-val *(SP status-att-val)] ")"`
fn counters(scan: &mut Scan<'_>) -> Counters {
    let mut counters = Counters::default();
    if !scan.open() {
        return counters;
    }
    while !scan.at_end() {
        let Token::Atom(name) = scan.next() else { continue };
        let name = name.to_ascii_uppercase();
        if name == b"MAILBOXID" {
            counters.mailbox_id = scan.words(1).pop().unwrap_or_default();
            continue;
        }
        let value = scan.number();
        let small = value.and_then(|value| u32::try_from(value).ok());
        match &name[..] {
            b"MESSAGES" => counters.messages = small,
            b"RECENT" => counters.recent = small,
            b"UIDNEXT" => counters.uid_next = small,
            b"UIDVALIDITY" => counters.uid_validity = small,
            b"UNSEEN" => counters.unseen = small,
            b"DELETED" => counters.deleted = small,
            b"SIZE" => counters.size = value,
            b"HIGHESTMODSEQ" => counters.highest_modseq = value,
            _ => {}
        }
    }
    scan.close();
    counters
}

/// `nil / "(" 1*namespace-descr ")"`
fn namespaces(scan: &mut Scan<'_>, utf8: bool) -> Vec<Namespace> {
    let mut out = Vec::new();
    if !scan.open() {
        scan.skip();
        return out;
    }
    while !scan.at_end() {
        if !scan.open() {
            scan.skip();
            continue;
        }
        let prefix = meaning(&scan.string().unwrap_or_default(), utf8);
        let separator = scan.nstring().and_then(|octets| octets.first().copied());
        scan.leave();
        if out.len() < THINGS_MAX {
            out.push(Namespace { prefix, separator });
        }
    }
    scan.close();
    out
}

/// `quota-root SP "(" [resource SP usage SP limit …] ")"`
fn quota(scan: &mut Scan<'_>) -> Vec<QuotaResource> {
    let root = scan.string().unwrap_or_default();
    let mut out = Vec::new();
    if scan.open() {
        while !scan.at_end() && out.len() < THINGS_MAX {
            let resource = scan.string().unwrap_or_default().to_ascii_uppercase();
            let (usage, limit) = (scan.number().unwrap_or(0), scan.number().unwrap_or(0));
            out.push(QuotaResource { root: root.clone(), resource, usage, limit });
        }
    }
    out
}

/// `mailbox *(SP identifier SP rights)`
fn acl(scan: &mut Scan<'_>, utf8: bool) -> RightsTold {
    let name = meaning(&scan.string().unwrap_or_default(), utf8);
    let mut entries = Vec::new();
    while let Some(identifier) = scan.string().filter(|_| entries.len() < THINGS_MAX) {
        let rights = scan.string().unwrap_or_default();
        entries.push(RightsEntry { identifier, rights });
    }
    RightsTold { name, mine: Vec::new(), entries }
}

/// `mailbox SP identifier SP rights *(SP rights)` (RFC 4314 §3.7)
fn grantable(scan: &mut Scan<'_>, utf8: bool) -> Grantable {
    let name = meaning(&scan.string().unwrap_or_default(), utf8);
    let identifier = scan.string().unwrap_or_default();
    let always = scan.string().unwrap_or_default();
    let mut groups = Vec::new();
    while let Some(rights) = scan.string().filter(|_| groups.len() < THINGS_MAX) {
        groups.push(rights);
    }
    Grantable { name, identifier, always, groups }
}

/// `"(" lang-tag-quoted *(SP lang-tag-quoted) ")"` (RFC 5255 §3.3)
fn languages(scan: &mut Scan<'_>) -> Vec<Vec<u8>> {
    let mut names = Vec::new();
    if scan.open() {
        while !scan.at_end() && names.len() < THINGS_MAX {
            names.push(scan.string().unwrap_or_default());
        }
    }
    names
}

/// `mailbox SP ("(" entry SP value … ")" / entry *(SP entry))`
fn metadata(scan: &mut Scan<'_>, utf8: bool) -> MetadataTold {
    let name = meaning(&scan.string().unwrap_or_default(), utf8);
    let mut entries = Vec::new();
    let valued = scan.open();
    while !scan.at_end() && entries.len() < THINGS_MAX {
        let entry = scan.string().unwrap_or_default();
        let value = if valued { scan.nstring() } else { None };
        entries.push(MetadataEntry { entry, value });
    }
    MetadataTold { name, entries }
}
