//! Searches whose results are kept up to date (RFC 5267 §4.3): which messages are in each, and what changed. Finding out is
//! left to `search`, telling it in time to `tell`.

use alloc::vec::Vec;

use super::Server;
use super::job::{Next, Work};
use super::ordered::{self, Ordered};
use super::print;
use super::reply::Reply;
use super::result::Form;
use super::runs::Runs;
use super::state::Selected;
use super::view::UNTOLD_RUNS_MAX;
use crate::imap::grammar::lex;
use crate::imap::types::{Change, Row, SearchKey, UidRun};
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
    /// Of a sorted one, in which order.
    ordered: Option<Ordered>,
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
            self.all.push(Context { tag, correlator, by_uid, program, matched, ordered: None });
        }
        fits
    }

    /// As `add`, for a sorted one.
    pub(crate) fn add_sorted(
        &mut self,
        form: &Form,
        program: Vec<SearchKey>,
        mut ordered: Ordered,
    ) -> bool {
        let matched = ordered.settle();
        let fits = self.octets() + ordered.octets() <= ordered::OCTETS_MAX
            && self.add(form, program, matched);
        if let Some(context) = self.all.last_mut().filter(|_| fits) {
            context.ordered = Some(ordered);
        }
        fits
    }

    /// Octets that the orders take.
    fn octets(&self) -> usize {
        self.all.iter().filter_map(|context| context.ordered.as_ref()).map(Ordered::octets).sum()
    }

    /// Whether finding places in this order needs the index of messages.
    pub(crate) fn needs_index(&self, at: usize) -> bool {
        let ordered = self.all.get(at).and_then(|context| context.ordered.as_ref());
        ordered.is_some_and(Ordered::needs_index)
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
        take_out(open, cx, at, &removed);
    }
}

/// These leave one result.
fn take_out(open: &mut Selected, cx: &mut Cx<Server>, at: usize, removed: &Runs) {
    let context = &mut open.contexts.all[at];
    context.matched = context.matched.without(removed);
    match context.ordered.as_mut().map(|ordered| ordered.remove(removed)) {
        Some(places) => send_places(open, cx, at, "REMOVEFROM", &places),
        None => send(open, cx, at, "REMOVEFROM", removed),
    }
}

/// What an update leads to.
pub(crate) enum Updated {
    /// This result is done.
    All,
    /// It is no longer kept up to date, and the next has its number.
    GivenUp,
    /// These belong to it now, and must be read to know where.
    Placeless(Runs),
}

/// What a search of the touched messages found is what of them belongs to this result.
pub(crate) fn update(
    open: &mut Selected,
    cx: &mut Cx<Server>,
    at: usize,
    touched: &Runs,
) -> Updated {
    let found = core::mem::take(&mut open.contexts.judged);
    let Some(context) = open.contexts.all.get(at) else { return Updated::All };
    let removed = context.matched.common(touched).without(&found);
    let added = found.without(&context.matched);
    if !removed.is_empty() {
        take_out(open, cx, at, &removed);
    }
    if added.is_empty() {
        return Updated::All;
    }
    if open.contexts.all[at].ordered.is_some() {
        return Updated::Placeless(added);
    }
    send(open, cx, at, "ADDTO", &added);
    let context = &mut open.contexts.all[at];
    context.matched.add(&added);
    if context.matched.as_slice().len() > RUNS_MAX {
        give_up(open, cx, at);
        return Updated::GivenUp;
    }
    Updated::All
}

/// A result is too large to be kept up to date any longer.
pub(crate) fn give_up(open: &mut Selected, cx: &mut Cx<Server>, at: usize) {
    if at < open.contexts.all.len() {
        let context = open.contexts.all.remove(at);
        refuse(cx, &context.tag);
    }
}

/// These go to their places in a sorted result; false if it is given up for them.
pub(crate) fn place(open: &mut Selected, cx: &mut Cx<Server>, at: usize, rows: &[Row]) -> bool {
    let Some(context) = open.contexts.all.get_mut(at) else { return true };
    let Some(ordered) = &mut context.ordered else { return true };
    let places = ordered.insert(rows);
    let uids = rows.iter().map(|row| UidRun { first: row.uid, last: row.uid }).collect();
    context.matched.add(&Runs::from_unsorted(uids));
    match places {
        Some(places) if open.contexts.octets() <= ordered::OCTETS_MAX => {
            send_places(open, cx, at, "ADDTO", &places);
            true
        }
        _ => {
            give_up(open, cx, at);
            false
        }
    }
}

/// RFC 5267 §4.3.3, §4.3.4: in an order every message has a place, the first is 1.
fn send_places(
    open: &Selected,
    cx: &mut Cx<Server>,
    at: usize,
    word: &str,
    places: &[(usize, u32)],
) {
    let by_uid = open.contexts.all[at].by_uid;
    let number = |uid| if by_uid { uid } else { open.view.number(uid).unwrap_or(0) };
    for text in ordered::lines(places, number) {
        send_line(open, cx, at, word, &text);
    }
}

/// RFC 5267 §4.3.2: position 0, since results are in the order of the mailbox.
fn send(open: &Selected, cx: &mut Cx<Server>, at: usize, word: &str, uids: &Runs) {
    let by_uid = open.contexts.all[at].by_uid;
    let numbers = if by_uid { uids.clone() } else { open.view.numbers(uids) };
    let mut above = 0;
    loop {
        // A line with thousands of numbers in pieces.
        let page = numbers.next_page(above, UNTOLD_RUNS_MAX, u64::MAX);
        let Some(last) = page.last() else { return };
        above = last.last;
        send_line(open, cx, at, word, &[b"0 ", &print::uid_set(&page)[..]].concat());
    }
}

fn send_line(open: &Selected, cx: &mut Cx<Server>, at: usize, word: &str, places: &[u8]) {
    let Context { correlator, by_uid, .. } = &open.contexts.all[at];
    let uid: &[u8] = if *by_uid { b" UID " } else { b" " };
    let why = if word == "ADDTO" { &UPDATE } else { &REMOVED };
    let parts = [b"ESEARCH (", &correlator[..], b")", uid, word.as_bytes(), b" (", places, b")"];
    lex::send(cx, &print::untagged(&parts), Some(why));
}
