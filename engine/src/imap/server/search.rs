//! SEARCH and UID SEARCH (RFC 9051 §6.4.4, RFC 4731, RFC 5182): the host may answer; else rows
//! decide, then indexes, then the messages' own octets, each only for messages that what is cheaper
//! left open.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::examine::Examination;
use super::fetch::page_end;
use super::job::{Answered, Job, Next, Work, wrong};
use super::multisearch::MultiSearch;
use super::program::{
    self, For, by_head, by_row, evaluate, fuzzily_by_envelope, is_fuzzy, relevancy,
};
use super::progress::Progress;
use super::relevancy::Scores;
use super::reply::Reply;
use super::result::{Form, Modseqs, Result};
use super::runs::{Runs, are_runs};
use super::state::Selected;
use super::view::UNTOLD_RUNS_MAX;
use super::{context, sort, thread};
use crate::imap::grammar::{self, Algorithm, Criterion, Key, Update};
use crate::imap::types::{Answer, Ask, Row, RowPage, RowsAsk, SearchAsk, SearchKey, UidRun};
use crate::limits::PAGE_ROWS_MAX;
use crate::message::{Head, Index};
use crate::types::{BlobId, BlobRange, Misuse, Reason};

/// A search.
pub(crate) struct Search {
    program: Vec<SearchKey>,
    form: Form,
    /// What may match.
    uids: Runs,
    /// Looked at up to this UID.
    above: u32,
    found: Runs,
    /// What was found among the messages that are being looked at: above all that was found before.
    found_now: Runs,
    /// Messages that were gone when their turn came.
    missing: u64,
    modseqs: Modseqs,
    /// How well they fit, where that is asked for.
    scores: Option<Scores>,
    /// The program by which the result is kept up to date from then on (RFC 5267 §4.3).
    update: Option<Vec<SearchKey>>,
    /// When it began, in milliseconds since 1970.
    now_ms: u64,
    then: Then,
    within: Within,
    stage: Stage,
}

/// Where a search looks, and who goes on after it.
#[derive(Default)]
pub(crate) struct Within {
    /// A mailbox that the host looks into; without it the open one.
    pub(crate) peeked: Option<Box<Selected>>,
    /// The ESEARCH that it is a part of.
    pub(crate) multi: Option<Box<MultiSearch>>,
}

impl Within {
    fn refused(self, work: &mut Work<'_>, reply: Reply, form: &Form) -> Next {
        match self.multi {
            Some(multi) => multi.over(work, reply),
            None => Next::Done(reply, form.expunges()),
        }
    }
}

/// What is done with what was found.
pub(crate) enum Then {
    Tell,
    /// RFC 5267: these are judged for a result that is kept up to date.
    Judge,
    Sort(Vec<Criterion>),
    Thread(Algorithm),
}

enum Stage {
    /// The host may know.
    Host,
    /// Rows without indexes are asked for.
    Rows,
    /// These, which their rows left open, are asked for with indexes.
    Indexes(Runs),
    /// Rows with indexes, last first, and what is left of `Indexes` after them.
    Looking {
        rows: Vec<Row>,
        later: Runs,
        message: Option<Box<Examined>>,
    },
    Telling(Result),
}

/// A message that is looked through.
struct Examined {
    uid: u32,
    modseq: u64,
    blob: BlobId,
    /// How well each key fits, as far as the index says so.
    fits: Vec<Option<u8>>,
    examination: Examination,
}

impl Examined {
    fn relevancy(&self, program: &[SearchKey]) -> Option<u8> {
        relevancy(program, |at, _| {
            let fits = self.fits.get(at).copied().flatten();
            (self.examination.is_met(at), fits.or_else(|| self.examination.score(at)))
        })
    }
}

/// How well a key fits, if the head of an index says so.
fn fuzzily_by_head(head: Option<&Head<'_>>, key: &SearchKey) -> Option<u8> {
    match (head, key) {
        (Some(head), SearchKey::FuzzyHeader(key)) => fuzzily_by_envelope(head, key).flatten(),
        _ => None,
    }
}

pub(crate) fn search(work: &mut Work<'_>, tag: &[u8], command: grammar::Search) -> Next {
    let form = Form::new(work.base, tag, &command);
    search_open(work, command, form, Within::default())
}

/// A search in the open mailbox.
pub(crate) fn search_open(
    work: &mut Work<'_>,
    command: grammar::Search,
    form: Form,
    within: Within,
) -> Next {
    let program = command.program;
    let Some(wanted) = command.returns.and_then(|returns| returns.update) else {
        return begin_within(work, program, form, within);
    };
    let Some((_, open, cx)) = work.selected() else { return Next::no_mailbox() };
    if open.contexts.has(form.tag()) {
        return Next::done(Reply::bad("This tag is in use").because(&context::UPDATE));
    }
    // RFC 5267 §4.3.1: what is refused is answered all the same. Data of messages that come is what NOTIFY gives.
    if open.contexts.is_full() || wanted == Update::WithItems {
        context::refuse(cx, form.tag());
        return begin_within(work, program, form, within);
    }
    // Errata of RFC 3501: sequence numbers mean what they mean now.
    let update = match program::compile(open, program.clone(), For::Later) {
        Ok(update) => update,
        Err(reply) => return within.refused(work, reply, &form),
    };
    begin_with(work, program, form, Then::Tell, Some(update), within)
}

/// Judges messages by a program: what of them it matches is left with the contexts.
pub(crate) fn judge(work: &mut Work<'_>, program: Vec<SearchKey>, touched: &Runs) -> Next {
    let Some((_, open, cx)) = work.selected() else { return Next::no_mailbox() };
    let now_ms = cx.now.unix_ms;
    let (uids, sure) = program::candidates(&program, &touched.common(open.view.uids()));
    let form = Form::sorted(b"", true, None, &[]);
    let job = Search {
        found: if sure { uids.clone() } else { Runs::new() },
        stage: Stage::Rows,
        program,
        form,
        uids,
        above: 0,
        found_now: Runs::new(),
        missing: 0,
        modseqs: Modseqs::default(),
        scores: None,
        update: None,
        now_ms,
        then: Then::Judge,
        within: Within::default(),
    };
    if sure || job.uids.is_empty() { Box::new(job).found(work) } else { Box::new(job).run(work) }
}

/// Begins a search for any command that has one.
pub(crate) fn begin(work: &mut Work<'_>, keys: Vec<Key>, form: Form, then: Then) -> Next {
    begin_with(work, keys, form, then, None, Within::default())
}

/// Begins the search of a SORT whose result may be kept up to date.
pub(crate) fn begin_sort(
    work: &mut Work<'_>,
    keys: Vec<Key>,
    form: Form,
    criteria: Vec<Criterion>,
    update: Option<Vec<SearchKey>>,
) -> Next {
    begin_with(work, keys, form, Then::Sort(criteria), update, Within::default())
}

/// Begins a search that may be a part of a larger one.
pub(crate) fn begin_within(
    work: &mut Work<'_>,
    keys: Vec<Key>,
    form: Form,
    within: Within,
) -> Next {
    begin_with(work, keys, form, Then::Tell, None, within)
}

fn begin_with(
    work: &mut Work<'_>,
    keys: Vec<Key>,
    form: Form,
    then: Then,
    update: Option<Vec<SearchKey>>,
    within: Within,
) -> Next {
    let now_ms = work.cx.now.unix_ms;
    let open = match (&within.peeked, work.selected()) {
        (Some(peeked), _) => &**peeked,
        (None, Some((_, open, _))) => &*open,
        (None, None) => return Next::no_mailbox(),
    };
    let program = match program::compile(open, keys, For::Now) {
        Ok(program) => program,
        Err(reply) => return within.refused(work, reply, &form),
    };
    let (uids, sure) = program::candidates(&program, open.view.uids());
    let is_open = within.peeked.is_none() && within.multi.is_none();
    // RFC 9738 §3.1, §3.3: of a search the highest are looked at; threads of a part would be others. SORT has no limit.
    let uids = match &then {
        Then::Tell if is_open => work.base.within_limit(uids),
        Then::Thread(_) => match work.base.over_limit(&uids) {
            Some(reply) => return within.refused(work, reply, &form),
            None => uids,
        },
        _ => uids,
    };
    // What was not looked at could not be told of.
    let update = update.filter(|_| {
        let is_whole = work.base.cut_at.is_none();
        if !is_whole {
            context::refuse(work.cx, form.tag());
        }
        is_whole
    });
    // RFC 7162 §3.1.5: the mod-sequences of what is found are wanted then, and rows have them.
    let by_rows = form.wants_modseq && matches!(then, Then::Tell);
    let sure = sure && !by_rows;
    // What the host may know is of the open mailbox.
    let by_rows = by_rows || within.peeked.is_some();
    let scores = is_scored(&form, &then).then(Scores::default);
    let job = Search {
        found: if sure { uids.clone() } else { Runs::new() },
        stage: if by_rows { Stage::Rows } else { Stage::Host },
        program,
        form,
        uids,
        above: 0,
        found_now: Runs::new(),
        missing: 0,
        modseqs: Modseqs::default(),
        scores,
        update,
        now_ms,
        then,
        within,
    };
    if sure || job.uids.is_empty() {
        return Box::new(job).found(work);
    }
    if by_rows {
        return Box::new(job).run(work);
    }
    let ask = SearchAsk { uids: job.uids.as_slice().to_vec(), keys: job.program.clone() };
    Next::Ask(Ask::Search(ask), Job::Search(Box::new(job)))
}

/// Whether it matters how well messages fit.
fn is_scored(form: &Form, then: &Then) -> bool {
    let by_score = |criterion: &Criterion| criterion.key == grammar::SortKey::Relevancy;
    let sorted = matches!(then, Then::Sort(criteria) if criteria.iter().any(by_score));
    sorted || form.returns().is_some_and(|returns| returns.relevancy)
}

const TOO_MANY: Reply = Reply::no("LIMIT", "Too many messages to tell how well they fit");

impl Search {
    /// Messages that were looked at, until the first is told.
    pub(crate) fn progress(&self) -> Option<Progress> {
        let waiting = match &self.stage {
            Stage::Telling(_) => return None,
            // Of those in other mailboxes nobody knows how many there are.
            _ if self.within.multi.is_some() => return Some(Progress::UNKNOWN),
            Stage::Host | Stage::Rows => 0,
            Stage::Indexes(uids) => uids.count(),
            Stage::Looking { rows, later, message } => {
                rows.len() as u64 + later.count() + u64::from(message.is_some())
            }
        };
        Some(Progress::up_to(&self.uids, self.above, waiting))
    }

    fn page(&self) -> Vec<UidRun> {
        self.uids.next_page(self.above, UNTOLD_RUNS_MAX, u64::from(PAGE_ROWS_MAX))
    }

    /// All that matches is known.
    fn found(mut self: Box<Self>, work: &mut Work<'_>) -> Next {
        let found = core::mem::take(&mut self.found);
        let scores = self.scores.take().unwrap_or_default();
        if scores.is_full() {
            return core::mem::take(&mut self.within).refused(work, TOO_MANY, &self.form);
        }
        match core::mem::replace(&mut self.then, Then::Tell) {
            Then::Tell => {}
            Then::Judge => {
                if let Some((_, open, _)) = work.selected() {
                    open.contexts.judged = found;
                }
                return Next::done(Reply::ok("Judged"));
            }
            Then::Sort(criteria) => {
                let missing = self.missing;
                let found = sort::Found { uids: found, scores, missing, update: self.update };
                return sort::sort(work, self.form, criteria, found).run(work);
            }
            Then::Thread(algorithm) => {
                let (form, missing) = (self.form, self.missing);
                return thread::thread(form, algorithm, found, missing, self.now_ms).run(work);
            }
        }
        if let Some(program) = self.update.take()
            && let Some((_, open, cx)) = work.selected()
            && !open.contexts.add(&self.form, program, found.clone())
        {
            context::refuse(cx, self.form.tag());
        }
        self.stage = Stage::Telling(Result::new(found, self.modseqs, scores));
        self.run(work)
    }

    /// Goes on until something is needed.
    pub(crate) fn run(mut self: Box<Self>, work: &mut Work<'_>) -> Next {
        loop {
            match &mut self.stage {
                Stage::Host => return Next::Room(Job::Search(self)),
                Stage::Rows => {
                    let found = core::mem::take(&mut self.found_now);
                    self.found.add(&found);
                    return self.next_page(work);
                }
                Stage::Indexes(uids) => {
                    let uids = uids.next_page(0, UNTOLD_RUNS_MAX, u64::from(PAGE_ROWS_MAX));
                    if uids.is_empty() {
                        self.stage = Stage::Rows;
                        continue;
                    }
                    let (max, changed_since) = (PAGE_ROWS_MAX, None);
                    let ask = RowsAsk { uids, max, index: true, changed_since };
                    return Next::Ask(Ask::Rows(ask), Job::Search(self));
                }
                Stage::Looking { .. } => {
                    if let Some(range) = self.look() {
                        return Next::Ask(Ask::Octets(range), Job::Search(self));
                    }
                }
                Stage::Telling(result) => {
                    let told = match (&mut self.within.peeked, work.selected()) {
                        (None, None) => return Next::no_mailbox(),
                        (None, Some((_, open, cx))) => result.tell(&self.form, open, cx),
                        (Some(peeked), _) => result.tell(&self.form, peeked, work.cx),
                    };
                    if !told {
                        return Next::Room(Job::Search(self));
                    }
                    return self.end(work);
                }
            }
        }
    }

    fn end(mut self: Box<Self>, work: &mut Work<'_>) -> Next {
        if let Some(multi) = self.within.multi.take() {
            return multi.next(work);
        }
        let reply = Reply::ok("Searched");
        let reply = if self.missing > 0 && !self.form.by_uid {
            // RFC 5530 §3: the client learns that it may find other numbers after a NOOP.
            reply.with_code(&b"EXPUNGEISSUED"[..])
        } else {
            reply
        };
        Next::Done(reply, self.form.expunges())
    }

    /// Asks for the next rows: without indexes if some key may decide without them.
    fn next_page(mut self: Box<Self>, work: &mut Work<'_>) -> Next {
        let uids = self.page();
        if uids.is_empty() {
            return self.found(work);
        }
        let (by_rows, dear) = program::kinds(&self.program);
        if dear && !by_rows && !self.form.wants_modseq {
            self.above = uids.last().map_or(u32::MAX, |run| run.last);
            self.stage = Stage::Indexes(Runs::from_unsorted(uids));
            return self.run(work);
        }
        let ask = RowsAsk { uids, max: PAGE_ROWS_MAX, index: false, changed_since: None };
        Next::Ask(Ask::Rows(ask), Job::Search(self))
    }

    pub(crate) fn answer(mut self: Box<Self>, work: &mut Work<'_>, answer: Answer) -> Answered {
        let outcome = match (&mut self.stage, answer) {
            (Stage::Looking { message, .. }, Answer::Refused(refusal))
                if refusal.reason == Reason::NotFound =>
            {
                *message = None;
                self.missing += 1;
                Ok(())
            }
            (_, Answer::Refused(refusal)) if self.within.peeked.is_some() => {
                let Within { multi, .. } = core::mem::take(&mut self.within);
                let reply = Reply::refused(refusal.clone());
                return Ok(match multi {
                    Some(multi) => multi.refused(work, refusal),
                    None => Next::done(reply),
                });
            }
            (_, Answer::Refused(refusal)) => {
                // RFC 9051 §6.4.4.1: a search that fails saves nothing.
                if self.form.saves()
                    && let Some((_, open, _)) = work.selected()
                {
                    open.saved = Runs::new();
                }
                let within = core::mem::take(&mut self.within);
                return Ok(within.refused(work, Reply::refused(refusal), &self.form));
            }
            (Stage::Host, Answer::Declined) => {
                self.stage = Stage::Rows;
                Ok(())
            }
            (Stage::Host, Answer::Found(runs)) => {
                if !are_runs(&runs) {
                    return Err((Job::Search(self), Misuse::BadValue));
                }
                self.found = Runs::from_unsorted(runs).common(&self.uids);
                return Ok(self.found(work));
            }
            (Stage::Host, Answer::Candidates(runs)) => {
                if !are_runs(&runs) {
                    return Err((Job::Search(self), Misuse::BadValue));
                }
                self.uids = Runs::from_unsorted(runs).common(&self.uids);
                self.stage = Stage::Rows;
                Ok(())
            }
            (Stage::Rows, Answer::Rows(page)) => self.take_rows(page),
            (Stage::Indexes(_), Answer::Rows(page)) => self.take_indexes(page),
            (Stage::Looking { message: Some(message), .. }, Answer::Octets(octets)) => {
                message.examination.read(&self.program, &octets)
            }
            _ => return wrong(Job::Search(self)),
        };
        match outcome {
            Ok(()) => Ok(self.run(work)),
            Err(misuse) => Err((Job::Search(self), misuse)),
        }
    }

    /// Decides by rows what they can decide.
    fn take_rows(&mut self, page: RowPage) -> core::result::Result<(), Misuse> {
        let asked = Runs::from_unsorted(self.page());
        let up_to = page_end(&asked, &page).ok_or(Misuse::BadValue)?;
        self.note_missing(&asked, up_to, page.rows.len());
        self.above = up_to;
        let mut open = Runs::new();
        for row in &page.rows {
            match evaluate(&self.program, |_, key| by_row(row, key, self.now_ms)) {
                Some(true) if self.scores.is_none() => {
                    self.modseqs.add(row.uid, row.modseq);
                    self.found_now.append_uid(row.uid);
                }
                Some(false) => {}
                _ => open.append_uid(row.uid),
            }
        }
        if !open.is_empty() {
            self.stage = Stage::Indexes(open);
        }
        Ok(())
    }

    fn take_indexes(&mut self, page: RowPage) -> core::result::Result<(), Misuse> {
        let Stage::Indexes(uids) = &mut self.stage else { return Ok(()) };
        let asked = uids.next_page(0, UNTOLD_RUNS_MAX, u64::from(PAGE_ROWS_MAX));
        let asked = Runs::from_unsorted(asked);
        let up_to = page_end(&asked, &page).ok_or(Misuse::BadValue)?;
        let later = uids.above(up_to);
        self.note_missing(&asked, up_to, page.rows.len());
        let mut rows = page.rows;
        rows.reverse();
        self.stage = Stage::Looking { rows, later, message: None };
        Ok(())
    }

    fn note_missing(&mut self, asked: &Runs, up_to: u32, rows: usize) {
        let looked_at = asked.count() - asked.above(up_to).count();
        self.missing += looked_at.saturating_sub(rows as u64);
    }

    /// Looks at the rows that have come, one after the other, until octets are needed.
    fn look(&mut self) -> Option<BlobRange> {
        let Stage::Looking { rows, later, message } = &mut self.stage else { return None };
        loop {
            if let Some(looked_at) = message {
                let Examined { uid, modseq, blob, examination, .. } = &mut **looked_at;
                if let Some(span) = examination.next(&self.program) {
                    let (blob, offset, length) = (*blob, span.start, span.length());
                    return Some(BlobRange { blob, offset, length });
                }
                if examination.verdict(&self.program) {
                    let (uid, modseq) = (*uid, *modseq);
                    if let Some(scores) = &mut self.scores {
                        scores.add(uid, looked_at.relevancy(&self.program));
                    }
                    self.modseqs.add(uid, modseq);
                    add_uid(&mut self.found_now, uid);
                }
                *message = None;
            }
            let Some(row) = rows.pop() else {
                self.stage = Stage::Indexes(core::mem::take(later));
                return None;
            };
            let octets = row.index.as_deref().unwrap_or_default();
            let head = Head::read(octets).ok();
            let known = |key: &SearchKey| match &head {
                Some(head) => by_head(&row, head, key, self.now_ms),
                None => by_row(&row, key, self.now_ms),
            };
            let is_open = |key: &SearchKey| is_fuzzy(key) && known(key).is_none();
            let unscored = self.scores.is_some() && self.program.iter().any(is_open);
            match evaluate(&self.program, |_, key| known(key)) {
                Some(true) if !unscored => {
                    if let Some(scores) = &mut self.scores {
                        let fits = |key: &SearchKey| fuzzily_by_head(head.as_ref(), key);
                        let leaf = |_, key: &SearchKey| (known(key).unwrap_or(false), fits(key));
                        scores.add(row.uid, relevancy(&self.program, leaf));
                    }
                    self.modseqs.add(row.uid, row.modseq);
                    add_uid(&mut self.found_now, row.uid);
                }
                Some(false) => {}
                _ => {
                    let index =
                        Index::decode(octets).unwrap_or_else(|_| Index::opaque(&[], row.size));
                    let known = self.program.iter().map(known).collect();
                    let scored = self.scores.is_some();
                    let fits = |key: &SearchKey| fuzzily_by_head(head.as_ref(), key);
                    let fits = match scored {
                        true => self.program.iter().map(fits).collect(),
                        false => Vec::new(),
                    };
                    let examination =
                        Examination::new(&self.program, known, &index, row.size, scored);
                    let Row { uid, modseq, blob, .. } = row;
                    *message = Some(Box::new(Examined { uid, modseq, blob, fits, examination }));
                }
            }
        }
    }
}

/// Adds a UID that may be below others which rows alone have found.
fn add_uid(found: &mut Runs, uid: u32) {
    let mut one = Runs::new();
    one.append_uid(uid);
    found.add(&one);
}
