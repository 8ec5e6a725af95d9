//! SORT and UID SORT (RFC 5256 §3, RFC 5267 §3): after the search, the host may know the order. If not, the rows of what
//! was found are read once, and once more for every part of the order that does not fit in memory with the others.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::fetch::page_end;
use super::job::{Answered, Expunges, Job, Next, Work, wrong};
use super::kept::{Kept, Place};
use super::order;
use super::ordered::{self, Ordered};
use super::print::decimal;
use super::program::{self, For};
use super::progress::Progress;
use super::relevancy::{self, RELEVANCY, SCORES_MAX, Scores};
use super::reply::Reply;
use super::result::{Form, MODSEQ, PARTIAL};
use super::runs::Runs;
use super::selection::Selection;
use super::state::Selected;
use super::view::UNTOLD_RUNS_MAX;
use super::{Server, context, search};
use crate::imap::grammar::{self, Criterion, SearchReturn, SortKey, Update, lex};
use crate::imap::types::{Answer, Ask, RowPage, RowsAsk, SearchKey, UidRun};
use crate::limits::PAGE_ROWS_MAX;
use crate::message::Head;
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
/// Octets of numbers that are sent at once.
const TEXT_OCTETS: usize = 4096;

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
    /// Whether the response has begun: what was begun of a line cannot be taken back, and one that ends early would lie.
    begun: bool,
    /// Numbers on their way.
    text: Vec<u8>,
    /// A range that may grow.
    held: Option<(u32, u32)>,
    /// Whether something stands behind ALL or PARTIAL.
    told_any: bool,
    /// RELEVANCY without ALL: the numbers themselves are not told.
    silent: bool,
    /// RFC 5267 §4.4: the places that are told, the first is 1; all without it.
    places: Option<(u64, u64)>,
    /// Places that were passed.
    passed: u64,
    /// RFC 5267 §4.3: what belongs to the result later, and its order as far as it was read.
    update: Option<(Vec<SearchKey>, Option<Ordered>)>,
}

/// What the first pass learns.
#[derive(Debug, Default)]
struct Ends {
    count: u64,
    least: Option<End>,
    greatest: Option<End>,
    highest_modseq: u64,
}

#[derive(Clone, Debug)]
struct End {
    key: Vec<u8>,
    modseq: u64,
}

enum Stage {
    /// The host may keep the order.
    Kept(Kept),
    Reading,
    /// Those in order, of this pass, from this one on.
    Telling {
        at: usize,
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
    /// By what the result is kept up to date.
    pub(crate) update: Option<Vec<SearchKey>>,
}

pub(crate) fn begin(work: &mut Work<'_>, tag: &[u8], command: grammar::Sort) -> Next {
    let grammar::Sort { uid, returns, criteria, program } = command;
    let form = Form::sorted(tag, uid, returns, &program);
    let mut update = None;
    if let Some(wanted) = returns.and_then(|returns| returns.update) {
        let Some((_, open, cx)) = work.selected() else { return Next::no_mailbox() };
        if open.contexts.has(tag) {
            return Next::done(Reply::bad("This tag is in use").because(&context::UPDATE));
        }
        // How well a message fits depends on the others, so that its place may change without it.
        let by_score = criteria.iter().any(|by| by.key == SortKey::Relevancy);
        if open.contexts.is_full() || wanted == Update::WithItems || by_score {
            context::refuse(cx, tag);
        } else {
            update = match program::compile(open, program.clone(), For::Later) {
                Ok(update) => Some(update),
                Err(reply) => return Next::Done(reply, form.expunges()),
            };
        }
    }
    search::begin_sort(work, program, form, criteria, update)
}

/// Sorts what a search found.
pub(crate) fn sort(
    work: &mut Work<'_>,
    form: Form,
    criteria: Vec<Criterion>,
    found: Found,
) -> Box<Sort> {
    let Found { uids, scores, missing, mut update } = found;
    if uids.count() > ordered::KEYS_MAX as u64 && update.take().is_some() {
        context::refuse(work.cx, form.tag());
    }
    let update = update.map(|program| (program, Some(Ordered::new(criteria.clone()))));
    let little = work.selected().is_some_and(|(_, open, _)| open.is_full_of_gaps());
    let mut sort = Box::new(Sort {
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
        begun: false,
        text: Vec::new(),
        held: None,
        told_any: false,
        silent: false,
        places: None,
        passed: 0,
        update,
    });
    if sort.may_be_kept() {
        sort.stage = Stage::Kept(Kept::Asking(sort.first_place()));
    }
    sort
}

impl Sort {
    /// Messages whose place is known, until the first is told.
    pub(crate) fn progress(&self) -> Option<Progress> {
        match &self.stage {
            _ if self.begun => None,
            Stage::Kept(Kept::Learning(_, learning)) => {
                let all = self.uids.count();
                Some(Progress::new(all.saturating_sub(learning.left()), all))
            }
            _ => Some(Progress::up_to(&self.uids, self.above, 0)),
        }
    }

    /// Whether the order depends on nothing that changes, and nothing is told that only rows say.
    fn may_be_kept(&self) -> bool {
        let by_score = self.criteria.iter().any(|by| by.key == SortKey::Relevancy);
        // The keys of a result that is kept up to date are read from rows.
        let needs_rows = self.form.wants_modseq || self.update.is_some();
        !by_score && !self.tells_scores() && !needs_rows && !self.uids.is_empty()
    }

    /// Where what is told begins and ends in the order.
    fn first_place(&self) -> Place {
        let count = self.uids.count();
        let (first, last) = match self.form.returns() {
            None => (1, count),
            Some(SearchReturn { partial: Some(range), .. }) => range.places(count),
            Some(returns) if returns.all => (1, count),
            Some(_) => (1, 0),
        };
        Place::new(first.saturating_sub(1).min(count), last.min(count))
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
            match &mut self.stage {
                Stage::Kept(Kept::Asking(place)) => {
                    let ask = place.ask(&self.criteria, &self.uids);
                    return Next::Ask(ask, Job::Sort(self));
                }
                Stage::Kept(Kept::Learning(place, learning)) => {
                    if let Some(ask) = learning.ask(&self.criteria) {
                        return Next::Ask(ask, Job::Sort(self));
                    }
                    let (gone, mut place) = (learning.gone(), *place);
                    if !gone.is_empty() {
                        if self.begun {
                            return Self::broken();
                        }
                        self.missing += gone.count();
                        self.uids = self.uids.without(&gone);
                        place = place.moved(self.first_place());
                    }
                    self.stage = match self.uids.is_empty() {
                        true => Stage::Reading,
                        false => Stage::Kept(Kept::Asking(place)),
                    };
                }
                Stage::Kept(Kept::Telling(place, uids, at)) => {
                    if !self.begun {
                        self.passed = place.skip();
                        if !self.tell_head(open, cx) {
                            return self.end();
                        }
                        continue;
                    }
                    let Some(&uid) = uids.get(*at) else {
                        let Some(place) = place.after(uids.len()) else {
                            return self.finish(cx);
                        };
                        self.stage = Stage::Kept(Kept::Asking(place));
                        continue;
                    };
                    *at += 1;
                    self.tell(uid, open);
                    if self.text.len() >= TEXT_OCTETS {
                        self.send_text(cx);
                    }
                }
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
                        self.keep_up(open, cx);
                        if !self.tell_head(open, cx) {
                            return self.end();
                        }
                    }
                    self.stage = Stage::Telling { at: 0 };
                }
                Stage::Telling { at } => {
                    let uid = self.selection.key(*at).map(order::uid);
                    *at += 1;
                    let is_past = self.places.is_some_and(|(_, last)| self.passed >= last);
                    if let Some(uid) = uid.filter(|_| !is_past) {
                        self.tell(uid, open);
                        if self.text.len() >= TEXT_OCTETS {
                            self.send_text(cx);
                        }
                        continue;
                    }
                    self.above = 0;
                    self.passes += 1;
                    if !is_past && self.selection.next_pass() {
                        self.stage = Stage::Reading;
                        continue;
                    }
                    if self.tells_scores() && !self.told_scores.is_empty() {
                        self.tell_partial_end(cx);
                        lex::send(cx, b" RELEVANCY (", Some(&RELEVANCY));
                        self.stage = Stage::Scores { at: 0 };
                        continue;
                    }
                    return self.finish(cx);
                }
                Stage::Scores { at } => {
                    let rest = self.told_scores.get(*at..).unwrap_or_default();
                    if rest.is_empty() {
                        lex::send(cx, b")", Some(&RELEVANCY));
                        self.tell_tail(cx);
                        return self.end();
                    }
                    let page = rest.iter().take(1000).copied();
                    let is_first = *at == 0;
                    *at += page.len();
                    lex::send(cx, &relevancy::list(page, is_first), Some(&RELEVANCY));
                }
            }
        }
    }

    pub(crate) fn answer(mut self: Box<Self>, work: &mut Work<'_>, answer: Answer) -> Answered {
        let taken = match (&mut self.stage, answer) {
            (_, Answer::Refused(_) | Answer::Declined) if self.begun => return Ok(Self::broken()),
            (_, Answer::Refused(refusal)) => {
                return Ok(Next::Done(Reply::refused(refusal), self.form.expunges()));
            }
            (Stage::Kept(Kept::Asking(place)), Answer::Order(page)) => {
                let ends = (page.first, page.last);
                match place.take(page, &self.uids) {
                    Err(misuse) => Err(misuse),
                    Ok(Some(kept)) => {
                        if matches!(kept, Kept::Telling(..)) && !self.begun {
                            self.ends = Ends::of(self.uids.count(), ends);
                        }
                        self.stage = Stage::Kept(kept);
                        Ok(())
                    }
                    Ok(None) if self.begun => return Ok(Self::broken()),
                    Ok(None) => {
                        self.stage = Stage::Reading;
                        Ok(())
                    }
                }
            }
            (Stage::Kept(Kept::Asking(_) | Kept::Learning(..)), Answer::Declined) => {
                self.stage = Stage::Reading;
                Ok(())
            }
            (Stage::Kept(Kept::Learning(_, learning)), Answer::Rows(page)) => {
                learning.take(&self.criteria, &page)
            }
            (Stage::Kept(Kept::Learning(..)), Answer::Done) => Ok(()),
            (Stage::Reading, Answer::Rows(page)) => self.take(page),
            _ => return wrong(Job::Sort(self)),
        };
        match taken {
            Ok(()) => Ok(self.run(work)),
            Err(misuse) => Err((Job::Sort(self), misuse)),
        }
    }

    /// The store failed within a response, which cannot be taken back.
    fn broken() -> Next {
        Next::Bye(Some("UNAVAILABLE"), "The store failed within a response")
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
            let head = row.index.as_deref().and_then(|index| Head::read(index).ok());
            let key = order::key(&self.criteria, &row, head.as_ref(), self.scores.of(row.uid));
            self.selection.offer(&key);
            if self.passes == 1 {
                if let Some((_, ordered)) = &mut self.update
                    && ordered.as_mut().is_some_and(|ordered| !ordered.gather(&key))
                {
                    *ordered = None;
                }
                self.ends.add(key, row.modseq);
            }
        }
        Ok(())
    }

    /// Keeps the result up to date from now on, where that was asked for; else says that it is not.
    fn keep_up(&mut self, open: &mut Selected, cx: &mut Cx<Server>) {
        let Some((program, ordered)) = self.update.take() else { return };
        let kept =
            ordered.is_some_and(|ordered| open.contexts.add_sorted(&self.form, program, ordered));
        if !kept {
            context::refuse(cx, self.form.tag());
        }
    }

    /// The beginning of the response; false if that is all of it.
    fn tell_head(&mut self, open: &mut Selected, cx: &mut Cx<Server>) -> bool {
        self.begun = true;
        let Some(returns) = self.form.returns() else {
            lex::send(cx, b"* SORT", Some(&SORT));
            return true;
        };
        let ends = &self.ends;
        let number = |place: &Option<End>| {
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

    /// The next in order.
    fn tell(&mut self, uid: u32, open: &Selected) {
        self.passed += 1;
        if self.places.is_some_and(|(first, _)| self.passed < first) {
            return;
        }
        if self.tells_scores() {
            self.told_scores.push(self.scores.of(uid));
        }
        if self.silent {
            return;
        }
        let number = self.form.number(open, uid);
        if self.form.returns().is_none() {
            self.text.push(b' ');
            self.text.extend_from_slice(&decimal(u64::from(number)));
            return;
        }
        match self.held {
            // RFC 5267 §3.2: a range only where the order is that of the numbers.
            Some((first, last)) if last.checked_add(1) == Some(number) => {
                self.held = Some((first, number));
            }
            _ => {
                self.put_range();
                self.held = Some((number, number));
            }
        }
    }

    /// Puts the range that was held, if there is one, behind the others.
    fn put_range(&mut self) {
        let Some((first, last)) = self.held.take() else { return };
        if self.told_any {
            self.text.push(b',');
        }
        self.told_any = true;
        self.text.extend_from_slice(&decimal(u64::from(first)));
        if last > first {
            self.text.push(b':');
            self.text.extend_from_slice(&decimal(u64::from(last)));
        }
    }

    fn send_text(&mut self, cx: &mut Cx<Server>) {
        if !self.text.is_empty() {
            let why = if self.form.returns().is_none() { None } else { Some(&ESORT) };
            lex::send(cx, &self.text, why);
            self.text.clear();
        }
    }

    fn tells_scores(&self) -> bool {
        self.form.returns().is_some_and(|returns| returns.relevancy)
    }

    /// After the last number.
    fn finish(mut self: Box<Self>, cx: &mut Cx<Server>) -> Next {
        self.tell_partial_end(cx);
        self.tell_tail(cx);
        self.end()
    }

    fn tell_partial_end(&mut self, cx: &mut Cx<Server>) {
        self.put_range();
        self.send_text(cx);
        if self.places.is_some() {
            lex::send(cx, if self.told_any { b")" } else { b"NIL)" }, Some(&PARTIAL));
        }
    }

    fn tell_tail(&self, cx: &mut Cx<Server>) {
        let ends = &self.ends;
        if self.form.wants_modseq && ends.count > 0 {
            let returns = self.form.returns();
            let modseq = |place: &Option<End>| place.as_ref().map_or(0, |place| place.modseq);
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
    /// Of so many, without mod-sequences.
    fn of(count: u64, (first, last): (u32, u32)) -> Self {
        let end = |uid: u32| (uid > 0).then(|| End { key: uid.to_be_bytes().to_vec(), modseq: 0 });
        Self { count, least: end(first), greatest: end(last), highest_modseq: 0 }
    }

    fn add(&mut self, key: Vec<u8>, modseq: u64) {
        self.count += 1;
        self.highest_modseq = self.highest_modseq.max(modseq);
        if self.least.as_ref().is_none_or(|least| key < least.key) {
            self.least = Some(End { key: key.clone(), modseq });
        }
        if self.greatest.as_ref().is_none_or(|greatest| key > greatest.key) {
            self.greatest = Some(End { key, modseq });
        }
    }
}
