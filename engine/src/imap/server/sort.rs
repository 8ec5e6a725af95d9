//! SORT and UID SORT (RFC 5256 §3, RFC 5267 §3): after the search, the rows of what was found are read
//! once, and once more for every part of the order that does not fit in memory with the others.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::fetch::page_end;
use super::job::{Answered, Expunges, Job, Next, Work, wrong};
use super::order;
use super::print::decimal;
use super::progress::Progress;
use super::relevancy::{self, RELEVANCY, SCORES_MAX, Scores};
use super::reply::Reply;
use super::result::{Form, MODSEQ, PARTIAL};
use super::runs::Runs;
use super::selection::Selection;
use super::state::Selected;
use super::view::UNTOLD_RUNS_MAX;
use super::{Server, context, search};
use crate::imap::grammar::{self, Criterion, SearchReturn, lex};
use crate::imap::types::{Answer, Ask, RowPage, RowsAsk, UidRun};
use crate::limits::PAGE_ROWS_MAX;
use crate::message::Index;
use crate::role::Cx;
use crate::trace::Rule;
use crate::types::Misuse;

/// RFC 5256 §3.
pub(crate) const SORT: Rule = Rule {
    rfc: 5256,
    section: "3",
    gist: "SORT gives what a search found in the order of its criteria, equal ones as they stand.",
};
/// RFC 5267 §3.1.
pub(crate) const ESORT: Rule = Rule {
    rfc: 5267,
    section: "3.1",
    gist: "An extended SORT gives what RETURN asked for, by the order that was wanted.",
};

/// Passes over the rows of one SORT: some 500,000 messages by their subjects, and more by dates.
const PASSES_MAX: u32 = 48;

const TOO_MANY: Reply = Reply::no("LIMIT", "Too many messages to sort at once");

/// A sort.
pub(crate) struct Sort {
    criteria: Vec<Criterion>,
    form: Form,
    /// What was found.
    uids: Runs,
    scores: Scores,
    /// Scores of those that were told, in the order in which they were.
    told_scores: Vec<u8>,
    /// Read up to this UID in this pass.
    above: u32,
    /// Messages that were gone when their turn came.
    missing: u64,
    passes: u32,
    selection: Selection,
    ends: Ends,
    stage: Stage,
    /// Whether something stands behind ALL or PARTIAL.
    told_any: bool,
    /// RELEVANCY without ALL: the numbers themselves are not told.
    silent: bool,
    /// RFC 5267 §4.4: the places that are told, the first is 1; all without it.
    places: Option<(u64, u64)>,
    /// Places that were passed.
    passed: u64,
}

/// What the first pass learns.
#[derive(Debug, Default)]
struct Ends {
    count: u64,
    least: Option<Place>,
    greatest: Option<Place>,
    highest_modseq: u64,
}

#[derive(Clone, Debug)]
struct Place {
    key: Vec<u8>,
    modseq: u64,
}

enum Stage {
    Reading,
    /// Those in order, of this pass; `held`: a range that may grow.
    Telling {
        at: usize,
        held: Option<(u32, u32)>,
    },
    /// How well those fit that were told, from this one on.
    Scores {
        at: usize,
    },
}

/// What a search found for a sort.
pub(crate) struct Found {
    pub(crate) uids: Runs,
    pub(crate) scores: Scores,
    /// Messages that were gone when their turn came.
    pub(crate) missing: u64,
}

pub(crate) fn begin(work: &mut Work<'_>, tag: &[u8], command: grammar::Sort) -> Next {
    let grammar::Sort { uid, returns, criteria, program } = command;
    let form = Form::sorted(tag, uid, returns, &program);
    if returns.is_some_and(|returns| returns.update.is_some()) {
        // RFC 5267 §4.3.1: that costs more for an order than for a set, and may be refused for it.
        context::refuse(work.cx, tag);
    }
    search::begin(work, program, form, search::Then::Sort(criteria))
}

/// Sorts what a search found.
pub(crate) fn sort(
    work: &mut Work<'_>,
    form: Form,
    criteria: Vec<Criterion>,
    found: Found,
) -> Box<Sort> {
    let Found { uids, scores, missing } = found;
    let little = work.selected().is_some_and(|(_, open, _)| open.is_full_of_gaps());
    Box::new(Sort {
        criteria,
        form,
        uids,
        scores,
        told_scores: Vec::new(),
        above: 0,
        missing,
        passes: 1,
        selection: Selection::new(little),
        ends: Ends::default(),
        stage: Stage::Reading,
        told_any: false,
        silent: false,
        places: None,
        passed: 0,
    })
}

impl Sort {
    /// Messages whose place is known, until the first is told.
    pub(crate) fn progress(&self) -> Option<Progress> {
        let untold = self.passes == 1 && matches!(self.stage, Stage::Reading);
        untold.then(|| Progress::up_to(&self.uids, self.above, 0))
    }

    fn page(&self) -> Vec<UidRun> {
        self.uids.next_page(self.above, UNTOLD_RUNS_MAX, u64::from(PAGE_ROWS_MAX))
    }

    pub(crate) fn run(mut self: Box<Self>, work: &mut Work<'_>) -> Next {
        loop {
            let Some((_, open, cx)) = work.selected() else { return Next::no_mailbox() };
            if cx.outbox_full() {
                return Next::Room(Job::Sort(self));
            }
            match self.stage {
                Stage::Reading => {
                    let uids = self.page();
                    if !uids.is_empty() {
                        let index = self.criteria.iter().any(order::needs_index);
                        let (max, changed_since) = (PAGE_ROWS_MAX, None);
                        let ask = RowsAsk { uids, max, index, changed_since };
                        return Next::Ask(Ask::Rows(ask), Job::Sort(self));
                    }
                    let held = self.selection.finish() as u64;
                    if self.passes == 1 {
                        // Each pass gives out at least half of what one can hold, so the first
                        // one shows how many there will be.
                        if self.ends.count > held.saturating_mul(u64::from(PASSES_MAX)) {
                            return Next::Done(TOO_MANY, self.form.expunges());
                        }
                        if self.tells_scores() && self.ends.count > SCORES_MAX as u64 {
                            return Next::Done(TOO_MANY, self.form.expunges());
                        }
                        if !self.tell_head(open, cx) {
                            return self.end();
                        }
                    }
                    self.stage = Stage::Telling { at: 0, held: None };
                }
                Stage::Telling { at, held } => {
                    let Some(next) = self.tell(at, held, open, cx) else {
                        self.above = 0;
                        self.passes += 1;
                        let past = self.places.is_some_and(|(_, last)| self.passed >= last);
                        if !past && self.selection.next_pass() {
                            self.stage = Stage::Reading;
                            continue;
                        }
                        self.tell_partial_end(cx);
                        if self.tells_scores() && !self.told_scores.is_empty() {
                            lex::send(cx, b" RELEVANCY (", Some(&RELEVANCY));
                            self.stage = Stage::Scores { at: 0 };
                            continue;
                        }
                        self.tell_tail(cx);
                        return self.end();
                    };
                    self.stage = next;
                }
                Stage::Scores { at } => {
                    let rest = self.told_scores.get(at..).unwrap_or_default();
                    if rest.is_empty() {
                        lex::send(cx, b")", Some(&RELEVANCY));
                        self.tell_tail(cx);
                        return self.end();
                    }
                    let page = rest.iter().take(1000).copied();
                    let next = at + page.len();
                    lex::send(cx, &relevancy::list(page, at == 0), Some(&RELEVANCY));
                    self.stage = Stage::Scores { at: next };
                }
            }
        }
    }

    pub(crate) fn answer(mut self: Box<Self>, work: &mut Work<'_>, answer: Answer) -> Answered {
        match answer {
            Answer::Rows(page) => match self.take(page) {
                Ok(()) => Ok(self.run(work)),
                Err(misuse) => Err((Job::Sort(self), misuse)),
            },
            // What was begun of a line cannot be taken back; a line that ends early would lie.
            Answer::Refused(_) if self.passes > 1 => {
                Ok(Next::Bye(Some("UNAVAILABLE"), "The store failed within a response"))
            }
            Answer::Refused(refusal) => {
                Ok(Next::Done(Reply::refused(refusal), self.form.expunges()))
            }
            _ => wrong(Job::Sort(self)),
        }
    }

    fn take(&mut self, page: RowPage) -> Result<(), Misuse> {
        let asked = Runs::from_unsorted(self.page());
        let up_to = page_end(&asked, &page).ok_or(Misuse::BadValue)?;
        if self.passes == 1 {
            let looked_at = asked.count() - asked.above(up_to).count();
            self.missing += looked_at.saturating_sub(page.rows.len() as u64);
        }
        self.above = up_to;
        for row in page.rows {
            let head = row.index.as_deref().and_then(|index| Index::decode_head(index).ok());
            let key = order::key(&self.criteria, &row, head.as_ref(), self.scores.of(row.uid));
            self.selection.offer(&key);
            if self.passes == 1 {
                self.ends.add(key, row.modseq);
            }
        }
        Ok(())
    }

    /// The beginning of the response; false if that is all of it.
    fn tell_head(&mut self, open: &mut Selected, cx: &mut Cx<Server>) -> bool {
        let Some(returns) = self.form.returns() else {
            lex::send(cx, b"* SORT", Some(&SORT));
            return true;
        };
        let ends = &self.ends;
        let number = |place: &Option<Place>| {
            place.as_ref().map(|place| self.form.number(open, order::uid(&place.key)))
        };
        let (least, greatest) = (number(&ends.least), number(&ends.greatest));
        if returns.save {
            open.saved = self.saved(returns);
        }
        let told = returns.min || returns.max || returns.all || returns.count;
        let told = told || returns.relevancy;
        if !told && returns.partial.is_none() {
            return false;
        }
        let mut line = self.form.head();
        for (wanted, name, number) in
            [(returns.min, " MIN ", least), (returns.max, " MAX ", greatest)]
        {
            if let Some(number) = number.filter(|_| wanted) {
                line.extend_from_slice(name.as_bytes());
                line.extend_from_slice(&decimal(u64::from(number)));
            }
        }
        if returns.count {
            line.extend_from_slice(b" COUNT ");
            line.extend_from_slice(&decimal(ends.count));
        }
        lex::send(cx, &line, Some(&ESORT));
        if let Some(range) = returns.partial {
            self.places = Some(range.places(ends.count));
            lex::send(cx, &range.label(), Some(&PARTIAL));
            return true;
        }
        if returns.all && ends.count > 0 {
            lex::send(cx, b" ALL ", Some(&ESORT));
            return true;
        }
        if returns.relevancy && ends.count > 0 {
            self.silent = true;
            return true;
        }
        self.tell_tail(cx);
        false
    }

    /// RFC 5182 §2.1, for a SORT: what RETURN gave is saved.
    fn saved(&self, returns: SearchReturn) -> Runs {
        if returns.all || returns.count || !(returns.min || returns.max) {
            return self.uids.clone();
        }
        let ends = [(returns.min, &self.ends.least), (returns.max, &self.ends.greatest)];
        let wanted = ends.into_iter().filter(|(wanted, _)| *wanted);
        let uids = wanted.filter_map(|(_, place)| place.as_ref().map(|p| order::uid(&p.key)));
        Runs::from_unsorted(uids.map(|uid| UidRun { first: uid, last: uid }).collect())
    }

    /// The next number; `None` if this pass has no more.
    fn tell(
        &mut self,
        at: usize,
        held: Option<(u32, u32)>,
        open: &Selected,
        cx: &mut Cx<Server>,
    ) -> Option<Stage> {
        let Some(key) = self.selection.key(at).map(<[u8]>::to_vec) else {
            if let Some(range) = held {
                self.send_range(cx, range);
            }
            return None;
        };
        let number = self.form.number(open, order::uid(&key));
        self.passed += 1;
        if let Some((first, last)) = self.places {
            if self.passed > last {
                if let Some(range) = held {
                    self.send_range(cx, range);
                }
                return None;
            }
            if self.passed < first {
                return Some(Stage::Telling { at: at + 1, held: None });
            }
        }
        if self.tells_scores() {
            self.told_scores.push(self.scores.of(order::uid(&key)));
        }
        if self.silent {
            return Some(Stage::Telling { at: at + 1, held: None });
        }
        if self.form.returns().is_none() {
            lex::send(cx, &[b" ", &decimal(u64::from(number))[..]].concat(), None);
            return Some(Stage::Telling { at: at + 1, held: None });
        }
        let held = match held {
            // RFC 5267 §3.2: a range only where the order is that of the numbers.
            Some((first, last)) if last.checked_add(1) == Some(number) => (first, number),
            Some(range) => {
                self.send_range(cx, range);
                (number, number)
            }
            None => (number, number),
        };
        Some(Stage::Telling { at: at + 1, held: Some(held) })
    }

    fn send_range(&mut self, cx: &mut Cx<Server>, (first, last): (u32, u32)) {
        let mut text = if self.told_any { b",".to_vec() } else { Vec::new() };
        self.told_any = true;
        text.extend_from_slice(&decimal(u64::from(first)));
        if last > first {
            text.push(b':');
            text.extend_from_slice(&decimal(u64::from(last)));
        }
        lex::send(cx, &text, Some(&ESORT));
    }

    fn tells_scores(&self) -> bool {
        self.form.returns().is_some_and(|returns| returns.relevancy)
    }

    fn tell_partial_end(&self, cx: &mut Cx<Server>) {
        if self.places.is_some() {
            lex::send(cx, if self.told_any { b")" } else { b"NIL)" }, Some(&PARTIAL));
        }
    }

    fn tell_tail(&self, cx: &mut Cx<Server>) {
        let ends = &self.ends;
        if self.form.wants_modseq && ends.count > 0 {
            let returns = self.form.returns();
            let modseq = |place: &Option<Place>| place.as_ref().map_or(0, |place| place.modseq);
            let told = match returns {
                Some(SearchReturn { min, max, all: false, count: false, .. }) => {
                    let least = if min { modseq(&ends.least) } else { 0 };
                    least.max(if max { modseq(&ends.greatest) } else { 0 })
                }
                _ => ends.highest_modseq,
            };
            let told = decimal(told);
            let text = match returns {
                Some(_) => [b" MODSEQ ", &told[..]].concat(),
                None => [b" (MODSEQ ", &told[..], b")"].concat(),
            };
            lex::send(cx, &text, Some(&MODSEQ));
        }
        cx.send(b"\r\n", "CRLF", None);
    }

    fn end(&self) -> Next {
        let reply = Reply::ok("Sorted");
        let gone = self.missing > 0 && self.form.expunges() == Expunges::Kept;
        let reply = if gone { reply.with_code(&b"EXPUNGEISSUED"[..]) } else { reply };
        Next::Done(reply, self.form.expunges())
    }
}

impl Ends {
    fn add(&mut self, key: Vec<u8>, modseq: u64) {
        self.count += 1;
        self.highest_modseq = self.highest_modseq.max(modseq);
        if self.least.as_ref().is_none_or(|least| key < least.key) {
            self.least = Some(Place { key: key.clone(), modseq });
        }
        if self.greatest.as_ref().is_none_or(|greatest| key > greatest.key) {
            self.greatest = Some(Place { key, modseq });
        }
    }
}
