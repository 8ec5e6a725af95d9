//! THREAD and UID THREAD (RFC 5256 §3): after the search, what each message says of itself is read from
//! its index, and from its header only where an older index does not say what it refers to.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::hash::Hasher;

use siphasher::sip::SipHasher13;

use super::fetch::page_end;
use super::forest::{self, Facts, Forest, Threads};
use super::item::Fields;
use super::job::{Answered, Expunges, Job, Next, Work, wrong};
use super::progress::Progress;
use super::reply::Reply;
use super::result::Form;
use super::runs::Runs;
use super::sieve::FieldSieve;
use super::view::UNTOLD_RUNS_MAX;
use super::{order, search};
use crate::imap::grammar::{self, Algorithm, lex};
use crate::imap::types::{Answer, Ask, Row, RowPage, RowsAsk, UidRun};
use crate::limits::{CHUNK_MAX, PAGE_ROWS_MAX};
use crate::message::ids::message_ids;
use crate::message::subject::with_base_subject;
use crate::message::{Head, Index, Span};
use crate::text::casemap::casemapped;
use crate::text::header;
use crate::trace::Rule;
use crate::types::{BlobRange, Misuse, Reason};

/// RFC 5256 §3.
pub(crate) const THREAD: Rule = Rule {
    rfc: 5256,
    section: "3",
    gist: "THREAD groups what a search found by subject, or by what refers to what.",
};
/// RFC 5256 §2.1.
pub(crate) const SUBJECT: Rule = Rule {
    rfc: 5256,
    section: "2.1",
    gist: "Subjects are compared without the marks of replies, forwards and lists.",
};

/// Messages of one THREAD, and those that they refer to and that are not there: so many fit in a
/// session's memory.
const NODES_MAX: usize = 20_000;
/// Where the mailbox itself takes much room.
const NODES_MAX_LITTLE: usize = 6_000;
/// References of one message that are looked at: the last ones, which are its nearest ancestors.
const REFERENCES_MAX: usize = 256;
/// Octets of the response that are sent at once, and a number more.
const PIECE: usize = 256;
/// Octets of a References field, as an index keeps it.
const FIELD_MAX: usize = 64 * 1024;

const TOO_MANY: Reply = Reply::no("LIMIT", "Too many messages to thread at once");

/// Messages being threaded.
pub(crate) struct Thread {
    form: Form,
    algorithm: Algorithm,
    uids: Runs,
    /// Read up to this UID.
    above: u32,
    missing: u64,
    /// To be looked at, last first.
    rows: Vec<Row>,
    forest: Forest,
    /// Room for those of one message.
    references: Vec<u64>,
    /// For ORDEREDSUBJECT: subject, date and UID.
    by_subject: Vec<(u64, i64, u32)>,
    stands_for: StandIn,
    stage: Stage,
}

enum Stage {
    Reading,
    /// The header of a message is looked through for what it refers to.
    Header(Box<Header>),
    Telling(Threads),
}

struct Header {
    facts: Facts,
    /// What an In-Reply-To says, if there are no references.
    reply_to: Option<u64>,
    blob: u64,
    span: Span,
    sieve: FieldSieve,
    field: Vec<u8>,
}

pub(crate) fn begin(work: &mut Work<'_>, tag: &[u8], command: grammar::Thread) -> Next {
    let grammar::Thread { uid, algorithm, program } = command;
    let form = Form::sorted(tag, uid, None, &program);
    search::begin(work, program, form, search::Then::Thread(algorithm))
}

/// Threads what a search found; `now_ms`: when.
pub(crate) fn thread(
    form: Form,
    algorithm: Algorithm,
    uids: Runs,
    missing: u64,
    now_ms: u64,
) -> Box<Thread> {
    let known = match algorithm {
        Algorithm::References => usize::try_from(uids.count()).unwrap_or(NODES_MAX),
        Algorithm::OrderedSubject => 0,
    };
    Box::new(Thread {
        form,
        algorithm,
        uids,
        above: 0,
        missing,
        rows: Vec::new(),
        references: Vec::new(),
        forest: Forest::of(known.min(NODES_MAX_LITTLE)),
        by_subject: Vec::new(),
        stands_for: StandIn::new(now_ms),
        stage: Stage::Reading,
    })
}

impl Thread {
    /// Messages that were read, until the first is told.
    pub(crate) fn progress(&self) -> Option<Progress> {
        let untold = !matches!(self.stage, Stage::Telling(_));
        untold.then(|| Progress::up_to(&self.uids, self.above, self.rows.len() as u64))
    }

    fn page(&self) -> Vec<UidRun> {
        self.uids.next_page(self.above, UNTOLD_RUNS_MAX, u64::from(PAGE_ROWS_MAX))
    }

    pub(crate) fn run(mut self: Box<Self>, work: &mut Work<'_>) -> Next {
        loop {
            let Some((_, open, cx)) = work.selected() else { return Next::no_mailbox() };
            if cx.outbox_full() {
                return Next::Room(Job::Thread(self));
            }
            match &mut self.stage {
                Stage::Reading => {
                    let little = open.is_full_of_gaps();
                    let max = if little { NODES_MAX_LITTLE } else { NODES_MAX };
                    if self.forest.len().max(self.by_subject.len()) > max {
                        return Next::Done(TOO_MANY, self.form.expunges());
                    }
                    if let Some(row) = self.rows.pop() {
                        self.look_at(row);
                        continue;
                    }
                    let uids = self.page();
                    if !uids.is_empty() {
                        let (max, changed_since) = (PAGE_ROWS_MAX, None);
                        let ask = RowsAsk { uids, max, index: true, changed_since };
                        return Next::Ask(Ask::Rows(ask), Job::Thread(self));
                    }
                    let threads = match self.algorithm {
                        Algorithm::OrderedSubject => {
                            forest::by_subject(core::mem::take(&mut self.by_subject))
                        }
                        Algorithm::References => core::mem::take(&mut self.forest).finish(),
                    };
                    let space: &[u8] = if threads.is_empty() { b"" } else { b" " };
                    lex::send(cx, &[b"* THREAD", space].concat(), Some(&THREAD));
                    self.stage = Stage::Telling(threads);
                }
                Stage::Header(header) => {
                    if let Some(range) = header.next() {
                        return Next::Ask(Ask::Octets(range), Job::Thread(self));
                    }
                    let facts = header.finish(&self.stands_for);
                    self.forest.add(&facts);
                    self.stage = Stage::Reading;
                }
                Stage::Telling(threads) => {
                    let mut text = Vec::with_capacity(PIECE);
                    let form = &self.form;
                    let mut more = true;
                    while more && text.len() < PIECE {
                        more = threads.tell(|uid| form.number(open, uid), &mut text);
                    }
                    if !text.is_empty() {
                        lex::send(cx, &text, Some(&THREAD));
                    }
                    if !more {
                        cx.send(b"\r\n", "CRLF", None);
                        return self.end();
                    }
                }
            }
        }
    }

    /// What a row and its index say of a message.
    fn look_at(&mut self, row: Row) {
        let head = row.index.as_deref().and_then(|index| Head::read(index).ok());
        let subject = head.and_then(|head| head.subject);
        let (stands_for, is_reply) =
            with_base_subject(subject.unwrap_or_default(), |text, is_reply| {
                (self.stands_for.subject(text), is_reply)
            });
        let sent_ms = order::sent_ms(&row, head.as_ref());
        if self.algorithm == Algorithm::OrderedSubject {
            self.by_subject.push((stands_for, sent_ms, row.uid));
            return;
        }
        let first = |body: Option<&[u8]>| {
            message_ids(body.unwrap_or_default()).next().map(|id| self.stands_for.text(&id))
        };
        let reply_to = first(head.and_then(|head| head.in_reply_to));
        let mut facts = Facts {
            uid: row.uid,
            sent_ms,
            subject: stands_for,
            is_reply,
            id: first(head.and_then(|head| head.message_id)),
            references: core::mem::take(&mut self.references),
        };
        match head.and_then(|head| head.references) {
            Some(field) => {
                self.stands_for.references(field, reply_to, &mut facts.references);
                self.forest.add(&facts);
                self.references = facts.references;
            }
            None => self.stage = Stage::Header(Box::new(Header::new(facts, reply_to, &row))),
        }
    }

    pub(crate) fn answer(mut self: Box<Self>, work: &mut Work<'_>, answer: Answer) -> Answered {
        let outcome = match (&mut self.stage, answer) {
            (Stage::Reading, Answer::Rows(page)) => self.take(page),
            (Stage::Header(header), Answer::Octets(octets)) => header.take(&octets),
            // It is gone; what its index says is enough.
            (Stage::Header(header), Answer::Refused(refusal))
                if refusal.reason == Reason::NotFound =>
            {
                header.span.start = header.span.end;
                Ok(())
            }
            (_, Answer::Refused(refusal)) => {
                return Ok(Next::Done(Reply::refused(refusal), self.form.expunges()));
            }
            _ => return wrong(Job::Thread(self)),
        };
        match outcome {
            Ok(()) => Ok(self.run(work)),
            Err(misuse) => Err((Job::Thread(self), misuse)),
        }
    }

    fn take(&mut self, page: RowPage) -> Result<(), Misuse> {
        let asked = Runs::from_unsorted(self.page());
        let up_to = page_end(&asked, &page).ok_or(Misuse::BadValue)?;
        let looked_at = asked.count() - asked.above(up_to).count();
        self.missing += looked_at.saturating_sub(page.rows.len() as u64);
        self.above = up_to;
        self.rows = page.rows;
        self.rows.reverse();
        Ok(())
    }

    fn end(&self) -> Next {
        let reply = Reply::ok("Threaded").because(&SUBJECT);
        let gone = self.missing > 0 && self.form.expunges() == Expunges::Kept;
        let reply = if gone { reply.with_code(&b"EXPUNGEISSUED"[..]) } else { reply };
        Next::Done(reply, self.form.expunges())
    }
}

impl Header {
    fn new(facts: Facts, reply_to: Option<u64>, row: &Row) -> Self {
        let index = row.index.as_deref().and_then(|index| Index::decode(index).ok());
        let span = index.and_then(|index| index.parts.first().map(|part| part.header));
        let span = span.unwrap_or_default();
        let end = span.end.min(row.size);
        let span = Span { start: span.start.min(end), end };
        let sieve = FieldSieve::new(Fields { names: [b"References".to_vec()].into(), not: false });
        Self { facts, reply_to, blob: row.blob, span, sieve, field: Vec::new() }
    }

    fn next(&self) -> Option<BlobRange> {
        let length = self.span.length().min(CHUNK_MAX as u64);
        let wanted = length > 0 && self.field.len() < FIELD_MAX;
        wanted.then_some(BlobRange { blob: self.blob, offset: self.span.start, length })
    }

    fn take(&mut self, octets: &[u8]) -> Result<(), Misuse> {
        let due = self.next().map_or(0, |range| range.length);
        if octets.len() as u64 != due {
            return Err(Misuse::BadValue);
        }
        self.span.start += due;
        self.sieve.pass(octets, &mut self.field);
        Ok(())
    }

    fn finish(&mut self, stands_for: &StandIn) -> Facts {
        let field = header::fields(&self.field).next().map(|field| field.unfolded());
        let field = field.as_deref().unwrap_or_default();
        let mut facts = core::mem::take(&mut self.facts);
        stands_for.references(field, self.reply_to, &mut facts.references);
        facts
    }
}

/// Gives texts numbers that stand for them: two texts have one number by no accident that anybody will see. Who writes a
/// Message ID does not know when somebody will thread it, so no mail can make the table of numbers slow.
struct StandIn(SipHasher13);

impl StandIn {
    fn new(now_ms: u64) -> Self {
        Self(SipHasher13::new_with_keys(now_ms, !now_ms))
    }

    fn text(&self, octets: &[u8]) -> u64 {
        self.0.hash(octets)
    }

    /// RFC 5256 §3: the References field, or if it has no valid ID the first of In-Reply-To.
    fn references(&self, field: &[u8], reply_to: Option<u64>, all: &mut Vec<u64>) {
        all.clear();
        all.extend(message_ids(field).map(|id| self.text(&id)));
        all.drain(..all.len().saturating_sub(REFERENCES_MAX));
        if all.is_empty() {
            all.extend(reply_to);
        }
    }

    /// A base subject, without regard to case (RFC 5256 §3); 0 for an empty one.
    fn subject(&self, text: &str) -> u64 {
        if text.is_empty() {
            return 0;
        }
        if !text.is_ascii() {
            return self.text(casemapped(text).as_bytes()).max(1);
        }
        // What `casemapped` would give, without its memory.
        let mut hasher = self.0;
        for piece in text.as_bytes().chunks(PIECE) {
            let mut upper = [0; PIECE];
            let upper = &mut upper[..piece.len()];
            upper.copy_from_slice(piece);
            upper.make_ascii_uppercase();
            hasher.write(upper);
        }
        hasher.finish().max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_compared_without_regard_to_case_and_without_memory() {
        let stands_for = StandIn::new(7);
        let long = "Ketchup ".repeat(100);
        for text in ["ketchup", "Do you like KETCHUP?", &long] {
            let casemapped = stands_for.text(casemapped(text).as_bytes());
            assert_eq!(stands_for.subject(text), casemapped, "{text}");
        }
        assert_eq!(stands_for.subject("crème"), stands_for.subject("CRÈME"));
        assert_eq!(stands_for.subject(""), 0);
    }
}
