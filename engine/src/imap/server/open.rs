//! SELECT and EXAMINE (RFC 9051 §6.3.2, §6.3.3): reads the UIDs page by page, then tells the
//! mailbox's data.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::capability::Feature;
use super::context::Contexts;
use super::fetch::{self, Wanted};
use super::item::{Item, Value};
use super::job::{Answered, Job, Next, Work, wrong};
use super::progress::Progress;
use super::reply::{Reply, send_untagged_ok};
use super::runs::{Runs, are_runs};
use super::state::{Selected, State};
use super::view::{UNTOLD_RUNS_MAX, VIEW_RUNS_MAX, View};
use super::{condstore, print, tell, vanished};
use crate::imap::grammar::Known;
use crate::imap::grammar::lex;
use crate::imap::rights::Rights;
use crate::imap::types::{Answer, Ask, Change, Event, Flags, OpenAsk, Opened, UidPage, UidRun};
use crate::trace::Rule;
use crate::types::Misuse;

/// RFC 9051 §6.3.2.
pub(crate) const SELECT: Rule = Rule {
    rfc: 9051,
    section: "6.3.2",
    gist: "SELECT closes the mailbox that is open; if it fails, none is.",
};

/// Changes kept while the mailbox is being opened; of more it is read again.
const CHANGES_MAX: usize = 64;

/// A mailbox being opened.
pub(crate) struct Open {
    ask: OpenAsk,
    /// RFC 7162 §3.2.5: what the client knows from before.
    known: Option<Known>,
    /// Once the host has opened it.
    opened: Option<Opened>,
    uids: Runs,
    changes: Vec<Change>,
}

pub(crate) fn open(
    work: &mut Work<'_>,
    name: Vec<u8>,
    known: Option<Known>,
    read_only: bool,
) -> Next {
    if let State::Selected(_) = work.state {
        // RFC 9051 §7.1: what follows is about the other mailbox.
        send_untagged_ok(work.cx, b"CLOSED", "Previous mailbox closed");
        work.close_mailbox();
    }
    let ask = OpenAsk { name, read_only };
    let (uids, changes) = (Runs::new(), Vec::new());
    let job = Open { ask: ask.clone(), known, opened: None, uids, changes };
    Next::Ask(Ask::Open(ask), Job::Open(Box::new(job)))
}

impl Open {
    /// UIDs that were read.
    pub(crate) fn progress(&self) -> Option<Progress> {
        let messages = self.opened.as_ref()?.status.messages;
        Some(Progress::new(self.uids.count(), u64::from(messages)))
    }

    /// Others changed it already.
    pub(crate) fn changed(&mut self, changes: Vec<Change>) {
        self.changes.extend(changes);
        let weight: usize = self.changes.iter().map(weight).sum();
        if self.changes.len() > CHANGES_MAX || weight > UNTOLD_RUNS_MAX {
            let deleted = self.changes.contains(&Change::Deleted);
            self.changes.clear();
            self.changes.push(if deleted { Change::Deleted } else { Change::Resynchronise });
        }
    }

    pub(crate) fn answer(mut self: Box<Self>, work: &mut Work<'_>, answer: Answer) -> Answered {
        match answer {
            Answer::Opened(mut opened) if self.opened.is_none() => {
                let page = core::mem::take(&mut opened.uids);
                if !is_next(&self.uids, &page) {
                    return Err((Job::Open(self), Misuse::BadValue));
                }
                self.opened = Some(opened);
                Ok(self.page(work, page))
            }
            Answer::Uids(page) if self.opened.is_some() => {
                if !is_next(&self.uids, &page) {
                    return Err((Job::Open(self), Misuse::BadValue));
                }
                Ok(self.page(work, page))
            }
            Answer::Refused(refusal) => {
                if self.opened.is_some() {
                    work.cx.event(Event::Closed);
                }
                Ok(Next::done(Reply::refused(refusal)))
            }
            _ => wrong(Job::Open(self)),
        }
    }

    fn page(mut self: Box<Self>, work: &mut Work<'_>, page: UidPage) -> Next {
        page.runs.into_iter().for_each(|run| self.uids.append(run));
        if self.uids.as_slice().len() > VIEW_RUNS_MAX {
            work.cx.event(Event::Closed);
            return Next::done(Reply::no("LIMIT", "This mailbox has too many gaps"));
        }
        if page.more {
            let above = self.uids.last().unwrap_or(0);
            return Next::Ask(Ask::Uids(above), Job::Open(self));
        }
        self.finish(work)
    }

    fn finish(self: Box<Self>, work: &mut Work<'_>) -> Next {
        let Self { ask, known, opened, uids, changes } = *self;
        let opened = opened.unwrap_or_default();
        let read_only = ask.read_only || opened.read_only;
        let mut open = Selected {
            name: ask.name,
            uid_validity: opened.status.uid_validity,
            uid_next: opened.status.uid_next,
            read_only,
            view: View::new(uids, opened.recent_from, opened.status.highest_modseq),
            keywords: opened.keywords.clone(),
            saved: Runs::new(),
            contexts: Contexts::default(),
            owes_highest: false,
        };
        tell_mailbox(work, &open, &opened);
        let again = known.filter(|known| known.uid_validity == open.uid_validity);
        let again = again.map(|known| Again::new(&open, known));
        changes.into_iter().for_each(|change| open.view.change(change));
        work.go(State::Selected(Box::new(open)));
        let (code, text) = match (ask.read_only, read_only) {
            (true, _) => (&b"READ-ONLY"[..], "Examined"),
            (false, true) => (&b"READ-ONLY"[..], "Selected, but it is read-only"),
            (false, false) => (&b"READ-WRITE"[..], "Selected"),
        };
        let reply = Reply::ok(text).with_code(code);
        match again {
            Some(again) => again.begin(reply, work.base.uid_only),
            None => Next::done(reply),
        }
    }
}

/// Whether a page of UIDs goes on where these end.
pub(crate) fn is_next(uids: &Runs, page: &UidPage) -> bool {
    let above = uids.last().unwrap_or(0);
    are_runs(&page.runs)
        && page.runs.first().is_none_or(|run| run.first > above)
        && !(page.more && page.runs.is_empty())
}

/// RFC 7162 §3.2.5.1: what a client that was here before is told.
struct Again {
    /// Of these it is told what changed.
    changed: Runs,
    /// Of these it is told what went.
    gone: Runs,
    since: u64,
}

impl Again {
    fn new(open: &Selected, known: Known) -> Self {
        let all = [UidRun { first: 1, last: open.uid_last().max(1) }].to_vec();
        let uids = match known.uids {
            Some(ranges) => {
                let runs = ranges.into_iter().map(|(first, last)| UidRun { first, last });
                Runs::from_unsorted(runs.collect())
            }
            None => Runs::from_unsorted(all),
        };
        let up_to = known.pairs.as_ref().map_or(0, |pairs| vanished::known_up_to(open, pairs));
        let (changed, gone) = (uids.common(open.view.uids()), uids.above(up_to));
        Self { changed, gone, since: known.modseq }
    }

    fn begin(self, end: Reply, uid_only: bool) -> Next {
        let mut items = [Value::Uid, Value::Flags, Value::Modseq].map(Item::Value).to_vec();
        if uid_only {
            items.remove(0);
        }
        let (uids, changed_since) = (self.changed, Some(self.since));
        let fetch = fetch::fetch(Wanted { uids, items, by_uid: true, changed_since, end });
        vanished::vanished(self.gone, self.since, fetch)
    }
}

fn weight(change: &Change) -> usize {
    match change {
        Change::Arrived(arrived) => arrived.runs.len(),
        Change::Flags(rows) => rows.len(),
        Change::Expunged(expunged) => expunged.runs.len(),
        Change::Resynchronise | Change::Deleted => 1,
    }
}

fn tell_mailbox(work: &mut Work<'_>, open: &Selected, opened: &Opened) {
    let (base, cx) = (&*work.base, &mut *work.cx);
    open.send_flags(cx);
    let keywords = opened.keywords.clone();
    let permanent = if open.read_only {
        b"PERMANENTFLAGS ()".to_vec()
    } else {
        // RFC 4314 §5.1.1: with few rights not all flags can be changed.
        let rights = Rights::parse(&opened.rights).unwrap_or_default();
        let (system, has_keywords) = rights.flags();
        let keywords = if has_keywords { keywords } else { Vec::new() };
        let flags = Flags { system, keywords };
        let list = match has_keywords {
            true => print::permanent_flags(&flags),
            false => print::flags(&flags, false),
        };
        [b"PERMANENTFLAGS ", &list[..]].concat()
    };
    send_untagged_ok(cx, &permanent, "What STORE may change for good");
    tell::send_size(base, open, cx);
    // RFC 9051 appendix E: IMAP4rev2 has no UNSEEN code. RFC 9586 §3: it would tell a number.
    let first_unseen = opened.first_unseen.and_then(|uid| open.view.number(uid));
    if let Some(number) = first_unseen.filter(|_| !base.is_rev2() && !base.uid_only) {
        let code = [b"UNSEEN ", &print::decimal(u64::from(number))[..]].concat();
        send_untagged_ok(cx, &code, "The first without \\Seen");
    }
    let number = |name: &[u8], n: u32| [name, b" ", &print::decimal(u64::from(n))].concat();
    send_untagged_ok(cx, &number(b"UIDVALIDITY", open.uid_validity), "UIDs hold as long");
    // What arrived between the counters and the page of UIDs has its UID already.
    let above_all = open.view.uids().last().map_or(1, |last| last.saturating_add(1));
    let uid_next = opened.status.uid_next.max(above_all);
    send_untagged_ok(cx, &number(b"UIDNEXT", uid_next), "The next UID at least");
    if base.features.has(Feature::Condstore) {
        condstore::send_highest(cx, opened.status.highest_modseq, &condstore::HIGHEST);
    }
    if base.features.has(Feature::ObjectId) {
        let code = print::mailbox_id(&opened.status.mailbox_id);
        send_untagged_ok(cx, &code, "The same whatever its name");
    }
    if base.is_rev2() {
        let name = print::mailbox(base, &open.name);
        lex::send(cx, &print::untagged(&[b"LIST () \"/\" ", &name]), Some(&SELECT));
    }
}
