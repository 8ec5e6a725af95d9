//! ESEARCH (RFC 7377): one search in several mailboxes, one after the other. Which they are is found out here; each is
//! looked into without opening it, and searched by `search`.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::context::{self, Contexts};
use super::job::{Answered, Expunges, Job, Next, Work, wrong};
use super::list::page_end;
use super::notify;
use super::open::is_next;
use super::reply::Reply;
use super::result::Form;
use super::runs::Runs;
use super::search::{self, Within};
use super::state::{Selected, State};
use super::view::View;
use crate::imap::grammar::{self, Scope};
use crate::imap::rights::Rights;
use crate::imap::types::{Answer, Ask, Event, MailboxRow, MailboxesAsk, Opened, UidPage};
use crate::limits::{NOTIFY_NAMES_MAX, PAGE_ROWS_MAX};
use crate::trace::Rule;
use crate::types::{Misuse, Reason};

/// RFC 7377 §2.1.
pub(crate) const MULTISEARCH: Rule = Rule {
    rfc: 7377,
    section: "2.1",
    gist: "Each mailbox with matches has one ESEARCH response, with tag, name and UIDVALIDITY.",
};
/// RFC 7377 §2.2.
pub(crate) const SOURCES: Rule = Rule {
    rfc: 7377,
    section: "2.2",
    gist: "What is kept of a result is kept of the open mailbox alone; what may not be read is passed over.",
};

/// Runs of UIDs of a mailbox that is looked into: beside the open one, and searched in the same memory.
const RUNS_MAX: usize = 32_768;

/// A search in several mailboxes.
pub(crate) struct MultiSearch {
    tag: Vec<u8>,
    search: grammar::Search,
    /// Named one by one, last first.
    named: Vec<Vec<u8>>,
    /// What of all mailboxes is searched.
    scopes: Vec<Scope>,
    /// Searched already, or to be.
    met: BTreeSet<Vec<u8>>,
    prefix: Vec<u8>,
    after: Option<Vec<u8>>,
    /// To be looked at, last first.
    rows: Vec<MailboxRow>,
    more: bool,
    stage: Stage,
    /// Whether the host looks into a mailbox.
    peeks: bool,
}

enum Stage {
    Listing,
    Peeking { name: Vec<u8>, opened: Option<Box<Opened>>, uids: Runs },
}

/// Whether the open mailbox is meant.
pub(crate) fn is_about_open(sources: &[Scope]) -> bool {
    sources.is_empty() || sources.iter().any(Scope::is_selected)
}

pub(crate) fn begin(work: &mut Work<'_>, tag: &[u8], command: grammar::MultiSearch) -> Next {
    let grammar::MultiSearch { sources, search } = command;
    if sources.iter().all(Scope::is_selected) {
        return in_open(work, tag, search, Within::default());
    }
    let returns = search.returns.unwrap_or_default();
    if returns.save {
        let reply = Reply::bad("SAVE is of the open mailbox alone");
        return Next::done(reply.because(&SOURCES));
    }
    if returns.update.is_some() && !matches!(work.state, State::Selected(_)) {
        return Next::done(Reply::bad("UPDATE takes an open mailbox").because(&SOURCES));
    }
    let names = sources.iter().map(|scope| explicit(scope).len()).sum::<usize>();
    if names > NOTIFY_NAMES_MAX {
        return Next::done(Reply::no("LIMIT", "Too many names").because(&SOURCES));
    }
    let open = is_about_open(&sources);
    let job = MultiSearch::new(work, tag, search, sources, open);
    if open {
        let search = job.search.clone();
        let within = Within { peeked: None, multi: Some(Box::new(job)) };
        return in_open(work, tag, search, within);
    }
    if returns.update.is_some() {
        context::refuse(work.cx, tag);
    }
    Box::new(job).next(work)
}

fn in_open(work: &mut Work<'_>, tag: &[u8], search: grammar::Search, within: Within) -> Next {
    let Some((base, open, _)) = work.selected() else { return Next::no_mailbox() };
    let form = Form::new(base, tag, &search).about(base, open);
    search::search_open(work, search, form, within)
}

/// Names that stand in the command.
fn explicit(scope: &Scope) -> &[Vec<u8>] {
    match scope {
        Scope::Mailboxes(names) | Scope::Subtree(names) | Scope::SubtreeOne(names) => names,
        _ => &[],
    }
}

impl MultiSearch {
    fn new(
        work: &Work<'_>,
        tag: &[u8],
        search: grammar::Search,
        sources: Vec<Scope>,
        open: bool,
    ) -> Self {
        let mut met = BTreeSet::new();
        if let (true, State::Selected(open)) = (open, &*work.state) {
            met.insert(open.name.clone());
        }
        // RFC 7377 §2.2: who names a mailbox needs not see it in a list.
        let names = sources.iter().flat_map(explicit);
        let named = names.filter(|name| !name.is_empty() && met.insert((*name).clone()));
        let mut named: Vec<Vec<u8>> = named.cloned().collect();
        named.reverse();
        let listed = |scope: &Scope| !scope.is_selected() && !matches!(scope, Scope::Mailboxes(_));
        let scopes: Vec<Scope> = sources.into_iter().filter(listed).collect();
        let prefix = match &scopes[..] {
            [Scope::Subtree(tops) | Scope::SubtreeOne(tops)] if tops.len() == 1 => tops[0].clone(),
            _ => Vec::new(),
        };
        Self {
            tag: tag.to_vec(),
            search,
            named,
            more: !scopes.is_empty(),
            scopes,
            met,
            prefix,
            after: None,
            rows: Vec::new(),
            stage: Stage::Listing,
            peeks: false,
        }
    }

    /// The next mailbox.
    pub(crate) fn next(mut self: Box<Self>, work: &mut Work<'_>) -> Next {
        if let Some(name) = self.named.pop() {
            return self.peek(name);
        }
        while let Some(row) = self.rows.pop() {
            let rights = Rights::parse(&row.rights).unwrap_or_default();
            let may = rights.has(Rights::READ) && rights.has(Rights::LOOKUP);
            let meant = self.scopes.iter().any(|scope| notify::covers(scope, &row));
            if row.selectable && may && meant && !self.met.contains(&row.name) {
                return self.peek(row.name);
            }
        }
        if !self.more {
            return self.over(work, Reply::ok("Searched").because(&MULTISEARCH));
        }
        self.stage = Stage::Listing;
        let (after, prefix) = (self.after.clone(), self.prefix.clone());
        let ask = MailboxesAsk { after, prefix, max: PAGE_ROWS_MAX, status: false };
        Next::Ask(Ask::Mailboxes(ask), Job::MultiSearch(self))
    }

    fn peek(mut self: Box<Self>, name: Vec<u8>) -> Next {
        self.stage = Stage::Peeking { name: name.clone(), opened: None, uids: Runs::new() };
        self.peeks = true;
        Next::Ask(Ask::Peek(name), Job::MultiSearch(self))
    }

    /// The command ends.
    pub(crate) fn over(self: Box<Self>, work: &mut Work<'_>, reply: Reply) -> Next {
        if self.peeks {
            work.cx.event(Event::Unpeeked);
        }
        let by_number =
            self.search.program.iter().any(|key| matches!(key, grammar::Key::Numbers(_)));
        Next::Done(reply, if by_number { Expunges::Kept } else { Expunges::Told })
    }

    /// A mailbox is gone, or may not be read: it is passed over. Anything else ends the command.
    pub(crate) fn refused(
        self: Box<Self>,
        work: &mut Work<'_>,
        refusal: crate::types::Refusal,
    ) -> Next {
        match refusal.reason {
            Reason::NotFound | Reason::NotPermitted => self.next(work),
            _ => self.over(work, Reply::refused(refusal)),
        }
    }

    pub(crate) fn answer(mut self: Box<Self>, work: &mut Work<'_>, answer: Answer) -> Answered {
        match (&mut self.stage, answer) {
            (Stage::Listing, Answer::Mailboxes(page)) => {
                match page_end(&page, self.after.as_deref()) {
                    Ok(after) => self.after = after,
                    Err(misuse) => return Err((Job::MultiSearch(self), misuse)),
                }
                self.more = page.more;
                self.rows = page.rows;
                self.rows.reverse();
                Ok(self.next(work))
            }
            (Stage::Peeking { opened: place @ None, uids, .. }, Answer::Opened(mut opened)) => {
                let page = core::mem::take(&mut opened.uids);
                if !is_next(uids, &page) {
                    return Err((Job::MultiSearch(self), Misuse::BadValue));
                }
                *place = Some(Box::new(opened));
                Ok(self.page(work, page))
            }
            (Stage::Peeking { opened: Some(_), uids, .. }, Answer::Uids(page)) => {
                if !is_next(uids, &page) {
                    return Err((Job::MultiSearch(self), Misuse::BadValue));
                }
                Ok(self.page(work, page))
            }
            (Stage::Peeking { .. }, Answer::Refused(refusal)) => Ok(self.refused(work, refusal)),
            (Stage::Listing, Answer::Refused(refusal)) => {
                Ok(self.over(work, Reply::refused(refusal)))
            }
            _ => wrong(Job::MultiSearch(self)),
        }
    }

    fn page(mut self: Box<Self>, work: &mut Work<'_>, page: UidPage) -> Next {
        let Stage::Peeking { name, opened, uids } = &mut self.stage else {
            return Next::Room(Job::MultiSearch(self));
        };
        page.runs.into_iter().for_each(|run| uids.append(run));
        if uids.as_slice().len() > RUNS_MAX {
            return self.over(work, Reply::no("LIMIT", "A mailbox has too many gaps"));
        }
        if page.more {
            let above = uids.last().unwrap_or(0);
            return Next::Ask(Ask::Uids(above), Job::MultiSearch(self));
        }
        let opened = opened.take().unwrap_or_default();
        let open = peeked(core::mem::take(name), &opened, core::mem::take(uids));
        self.stage = Stage::Listing;
        let mut search = self.search.clone();
        // RFC 7377 §2.2: of the open mailbox alone.
        search.returns =
            search.returns.map(|returns| grammar::SearchReturn { update: None, ..returns });
        let form = Form::new(work.base, &self.tag, &search).about(work.base, &open);
        let within = Within { peeked: Some(Box::new(open)), multi: Some(self) };
        search::begin_within(work, search.program, form, within)
    }
}

/// A mailbox that is looked into, as if it were open.
fn peeked(name: Vec<u8>, opened: &Opened, uids: Runs) -> Selected {
    let status = &opened.status;
    Selected {
        name,
        uid_validity: status.uid_validity,
        uid_next: status.uid_next,
        read_only: true,
        view: View::new(uids, opened.recent_from, status.highest_modseq),
        keywords: Vec::new(),
        saved: Runs::new(),
        contexts: Contexts::default(),
        owes_highest: false,
    }
}
