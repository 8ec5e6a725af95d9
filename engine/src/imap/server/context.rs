//! Searches whose results are kept up to date (RFC 5267 §4.3): which messages are in each, and what changed. Finding out is
//! left to `search`, telling it in time to `tell`.

use alloc::vec::Vec;

use super::Server;
use super::job::{Next, Work};
use super::print;
use super::reply::Reply;
use super::result::Form;
use super::runs::Runs;
use super::state::Selected;
use super::view::UNTOLD_RUNS_MAX;
use crate::imap::grammar::lex;
use crate::imap::types::{Change, SearchKey, UidRun};
use crate::role::Cx;
use crate::trace::Rule;

/// RFC 5267 §4.3.
pub(crate) const UPDATE: Rule = Rule {
    rfc: 5267,
    section: "4.3",
    gist: "With UPDATE changes of a search's result are told as ADDTO and REMOVEFROM.",
};
/// RFC 5267 §4.3.1.
pub(crate) const REFUSED: Rule = Rule {
    rfc: 5267,
    section: "4.3.1",
    gist: "Updates that are too many are refused by NOUPDATE, and the search is answered all the same.",
};
/// RFC 5267 §4.3.4.
pub(crate) const REMOVED: Rule = Rule {
    rfc: 5267,
    section: "4.3.4",
    gist: "What is expunged is removed from a result before its number goes.",
};

/// Searches of one session that are kept up to date: each looks at every change.
const CONTEXTS_MAX: usize = 4;
/// Runs of the sets of one program, and of one result: more is too much to keep for every change.
const RUNS_MAX: usize = 4096;

/// A search that is kept up to date.
#[derive(Debug)]
pub(crate) struct Context {
    tag: Vec<u8>,
    /// What stands between the parentheses of its responses.
    correlator: Vec<u8>,
    by_uid: bool,
    program: Vec<SearchKey>,
    /// What the client knows to be in it.
    matched: Runs,
}

/// Those of one mailbox, and what is to be looked at for them.
#[derive(Debug, Default)]
pub(crate) struct Contexts {
    all: Vec<Context>,
    /// Messages that are new to the client, or whose flags changed.
    touched: Runs,
    /// What a search of the touched ones found.
    pub(crate) judged: Runs,
}

impl Contexts {
    /// Whether a command with this tag is kept up to date already.
    pub(crate) fn has(&self, tag: &[u8]) -> bool {
        self.all.iter().any(|context| context.tag == tag)
    }

    pub(crate) fn has_any(&self) -> bool {
        !self.all.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.all.len() >= CONTEXTS_MAX
    }

    /// Keeps a search up to date from now on; false if that would be too much.
    pub(crate) fn add(&mut self, form: &Form, program: Vec<SearchKey>, matched: Runs) -> bool {
        let runs = |key: &SearchKey| match key {
            SearchKey::Uids(runs) => runs.len(),
            _ => 1,
        };
        let fits = !self.is_full()
            && program.iter().map(runs).sum::<usize>() <= RUNS_MAX
            && matched.as_slice().len() <= RUNS_MAX;
        if fits {
            let (tag, correlator) = (form.tag().to_vec(), form.correlator());
            let by_uid = form.by_uid;
            self.all.push(Context { tag, correlator, by_uid, program, matched });
        }
        fits
    }

    /// These may belong to other results than before.
    pub(crate) fn touch(&mut self, uids: &Runs) {
        if self.all.is_empty() {
            return;
        }
        self.touched.add(uids);
        if self.touched.as_slice().len() > UNTOLD_RUNS_MAX
            && let (Some(first), Some(last)) = (self.touched.first(), self.touched.last())
        {
            // Looking at more than was touched is only work.
            self.touched = Runs::from_unsorted([UidRun { first, last }].to_vec());
        }
    }

    /// Others changed flags. They may be told by a FETCH of the client before their turn comes, so they count from now on.
    pub(crate) fn changed(&mut self, change: &Change) {
        if let Change::Flags(rows) = change {
            rows.iter().for_each(|row| self.touch_uid(row.uid));
        }
    }

    /// As `touch`, for one.
    pub(crate) fn touch_uid(&mut self, uid: u32) {
        let mut one = Runs::new();
        one.append_uid(uid);
        self.touch(&one);
    }

    /// Takes what is to be looked at.
    pub(crate) fn take_touched(&mut self) -> Runs {
        core::mem::take(&mut self.touched)
    }

    /// The program of one of them.
    pub(crate) fn program(&self, at: usize) -> Option<Vec<SearchKey>> {
        self.all.get(at).map(|context| context.program.clone())
    }
}

/// CANCELUPDATE: who is not kept up to date is passed over.
pub(crate) fn cancel(work: &mut Work<'_>, tags: &[Vec<u8>]) -> Next {
    if let Some((_, open, _)) = work.selected() {
        open.contexts.all.retain(|context| !tags.contains(&context.tag));
    }
    Next::done(Reply::ok("No further updates").because(&UPDATE))
}

/// `* NO [NOUPDATE "tag"]`
pub(crate) fn refuse(cx: &mut Cx<Server>, tag: &[u8]) {
    let code = [b"NOUPDATE \"", tag, b"\""].concat();
    let reply = Reply::no("", "This result is not kept up to date").because(&REFUSED);
    reply.with_code(code).send(cx, b"");
}

/// What is gone leaves the results, while its numbers hold.
pub(crate) fn remove(open: &mut Selected, cx: &mut Cx<Server>, gone: &Runs) {
    for at in 0..open.contexts.all.len() {
        let context = &open.contexts.all[at];
        let removed = context.matched.common(gone);
        if removed.is_empty() {
            continue;
        }
        send(open, cx, at, "REMOVEFROM", &removed);
        let context = &mut open.contexts.all[at];
        context.matched = context.matched.without(&removed);
    }
}

/// What a search of the touched messages found is what of them belongs to this result.
pub(crate) fn update(open: &mut Selected, cx: &mut Cx<Server>, at: usize, touched: &Runs) {
    let found = core::mem::take(&mut open.contexts.judged);
    let Some(context) = open.contexts.all.get(at) else { return };
    let removed = context.matched.common(touched).without(&found);
    let added = found.without(&context.matched);
    if !removed.is_empty() {
        send(open, cx, at, "REMOVEFROM", &removed);
    }
    if !added.is_empty() {
        send(open, cx, at, "ADDTO", &added);
    }
    let context = &mut open.contexts.all[at];
    context.matched = context.matched.without(&removed);
    context.matched.add(&added);
    if context.matched.as_slice().len() > RUNS_MAX {
        let context = open.contexts.all.remove(at);
        refuse(cx, &context.tag);
    }
}

/// RFC 5267 §4.3.2: position 0, since results are in the order of the mailbox.
fn send(open: &Selected, cx: &mut Cx<Server>, at: usize, word: &str, uids: &Runs) {
    let Context { correlator, by_uid, .. } = &open.contexts.all[at];
    let numbers = if *by_uid { uids.clone() } else { open.view.numbers(uids) };
    let mut above = 0;
    loop {
        // A line with thousands of numbers in pieces.
        let page = numbers.next_page(above, UNTOLD_RUNS_MAX, u64::MAX);
        let Some(last) = page.last() else { return };
        above = last.last;
        let uid: &[u8] = if *by_uid { b" UID" } else { b"" };
        let set = print::uid_set(&page);
        let why = if word == "ADDTO" { &UPDATE } else { &REMOVED };
        let line = print::untagged(&[
            b"ESEARCH (",
            correlator,
            b")",
            uid,
            b" ",
            word.as_bytes(),
            b" (0 ",
            &set,
            b")",
        ]);
        lex::send(cx, &line, Some(why));
    }
}
