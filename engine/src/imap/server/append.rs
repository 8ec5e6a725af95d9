//! APPEND (RFC 9051 §6.3.12): the host judges before the message comes, takes it chunk by chunk,
//! and makes it durable. No octet of it is read as a command, whatever becomes of it.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::Server;
use super::capability::{CAPABILITY, Feature};
use super::catenate::Source;
use super::expunge::READ_ONLY;
use super::fetch::vanished;
use super::incoming::NON_SYNC;
use super::job::{Answered, Job, NOT_SELECTED, Next, Work, wrong};
use super::limit;
use super::print;
use super::reply::{Reply, send_untagged_ok};
use super::resolve;
use super::runs::{Runs, are_runs};
use super::uid_only;
use crate::imap::grammar::{
    self, AppendData, AppendHead, AppendStep, Literal, SequenceSet, SetNumber, lex,
};
use crate::imap::types::{Answer, AppendAsk, Appended, Ask, Event, Expunged, UidRun};
use crate::role::{Cx, Line};
use crate::trace::{Part, Rule};
use crate::types::{Misuse, Reason};

/// RFC 9051 §6.3.12.
pub(crate) const APPEND: Rule =
    Rule { rfc: 9051, section: "6.3.12", gist: "A message is appended whole or not at all." };
/// RFC 9051 §4.3.1.
pub(crate) const NO_NUL: Rule =
    Rule { rfc: 9051, section: "4.3.1", gist: "NUL may appear in a literal8 alone." };

/// RFC 3502 §6.3.11.
pub(crate) const MULTI: Rule = Rule {
    rfc: 3502,
    section: "6.3.11",
    gist: "Several messages of one APPEND are appended together or not at all; an empty one cancels.",
};

/// RFC 8508 §3.4.
pub(crate) const REPLACE: Rule = Rule {
    rfc: 8508,
    section: "3.4",
    gist: "REPLACE appends a message and removes another one, as one action.",
};
/// RFC 6855 §4.
pub(crate) const UTF8: Rule = Rule {
    rfc: 6855,
    section: "4",
    gist: "A message with UTF-8 in its header comes as UTF8 (literal8).",
};

/// A message coming in.
pub(crate) struct Append {
    pub(super) name: Vec<u8>,
    /// The messages that came before it.
    pub(super) before: u32,
    /// The one at the end of the line that was read last.
    pub(super) literal: Option<Literal>,
    /// The message is in parentheses (RFC 6855 §4).
    pub(super) utf8: bool,
    /// The message is put together of parts (RFC 4469), of so many octets so far.
    pub(super) catenates: bool,
    pub(super) total: u64,
    /// What stands before that literal, or before the end of the command.
    pub(super) steps: VecDeque<AppendStep>,
    /// UID of the message that goes (RFC 8508 §3.4).
    pub(super) replaces: Option<u32>,
    pub(super) stage: Stage,
    /// How far its header section goes.
    pub(super) header: Header,
    /// Why it will fail; its octets are dropped.
    pub(super) failed: Option<Reply>,
}

/// Where the octets of a message are, as far as its header section goes.
#[derive(Clone, Copy, Default)]
pub(super) enum Header {
    #[default]
    LineStart,
    /// Behind a CR at the start of a line: an empty line ends the header section.
    Cr,
    InLine,
    Over,
}

impl Header {
    /// Goes on; whether an octet of the header section has its eighth bit.
    fn has_8_bit(&mut self, octets: &[u8]) -> bool {
        for &octet in octets {
            *self = match (*self, octet) {
                (Self::Over, _) => return false,
                (_, 0x80..) => return true,
                (Self::LineStart, b'\r') => Self::Cr,
                (Self::LineStart | Self::Cr, b'\n') => Self::Over,
                (Self::InLine, b'\n') => Self::LineStart,
                _ => Self::InLine,
            };
        }
        false
    }
}

pub(super) enum Stage {
    /// The host judges.
    Judged,
    /// Octets are due; these were asked to be stored.
    Coming { left: u64 },
    /// Octets of a URL are due.
    Url { left: u64, url: Vec<u8> },
    /// Octets of another message are copied (RFC 4469).
    Copying(Box<Source>),
    /// The rest of the command line.
    LineEnd,
    /// The host makes it durable.
    Committed,
}

/// In which form messages come.
pub(crate) struct Form {
    pub(crate) literal: Option<Literal>,
    utf8: bool,
    catenates: bool,
    rest: Vec<AppendStep>,
}

impl Form {
    pub(crate) fn new(literal: Option<Literal>, data: &AppendData, rest: Vec<AppendStep>) -> Self {
        Self { literal, utf8: data.utf8, catenates: data.catenates, rest }
    }
}

/// Begins with the judgement of the host.
pub(crate) fn append(work: &mut Work<'_>, ask: AppendAsk, form: Form) -> Next {
    let (name, replaces) = (ask.name.clone(), ask.replaces);
    let Form { literal, utf8, catenates, rest } = form;
    let job = Append {
        name,
        before: 0,
        literal,
        utf8,
        catenates,
        total: 0,
        steps: rest.into(),
        replaces,
        stage: Stage::Judged,
        header: Header::default(),
        failed: None,
    };
    Box::new(job).judge(work, ask)
}

/// One without a literal: it is put together of what is here (RFC 4469).
pub(crate) fn whole(work: &mut Work<'_>, head: AppendHead) -> Next {
    let name = match grammar::mailbox_name(&head.mailbox, work.base.options().utf8) {
        Ok(name) => name,
        Err(_) => return Next::done(Reply::no("CANNOT", "No mailbox can have this name")),
    };
    if let Some(reply) = form_refused(work, None, &head.data) {
        return Next::done(reply);
    }
    match replaced(work, head.replaces) {
        Ok(replaces) => {
            let form = Form::new(None, &head.data, head.rest);
            append(work, message(name, None, head.data, replaces), form)
        }
        Err(reply) => Next::done(reply),
    }
}

/// What the host is asked to judge.
pub(crate) fn message(
    name: Vec<u8>,
    literal: Option<Literal>,
    data: AppendData,
    replaces: Option<u32>,
) -> AppendAsk {
    AppendAsk {
        name,
        size: literal.map_or(0, |literal| literal.size),
        flags: data.flags,
        internal_date_ms: data.date.map(|(ms, _)| ms),
        internal_date_zone: data.date.map_or(0, |(_, zone)| zone),
        replaces,
    }
}

/// The UID of the message that REPLACE names, or why it cannot be replaced.
pub(crate) fn replaced(
    work: &mut Work<'_>,
    named: Option<(bool, SetNumber)>,
) -> Result<Option<u32>, Reply> {
    let Some((by_uid, number)) = named else { return Ok(None) };
    if !work.base.features.has(Feature::Replace) {
        return Err(Reply::bad("This is not offered here").because(&CAPABILITY));
    }
    let uid_only = work.base.uid_only;
    // RFC 8508 §3.5: valid in the selected state only.
    let Some((_, open, _)) = work.selected() else { return Err(NOT_SELECTED) };
    if open.read_only {
        return Err(READ_ONLY);
    }
    if !by_uid && uid_only {
        work.cx.note_defect(&uid_only::REQUIRED);
        return Err(uid_only::refusal());
    }
    let set = SequenceSet { ranges: [(number, number)].to_vec(), saved: false };
    let uids = match by_uid {
        true => resolve::uids(open, &set),
        false => resolve::numbers(open, &set).ok_or(resolve::NO_SUCH_NUMBER)?,
    };
    match uids.first() {
        Some(uid) => Ok(Some(uid)),
        None => Err(Reply::no("NONEXISTENT", "There is no such message").because(&REPLACE)),
    }
}

/// An APPEND that fails before the host was asked; the literal is passed over if the peer sends it
/// anyhow.
pub(crate) fn refuse(literal: Option<Literal>, reply: Reply) -> Next {
    let job = Append {
        name: Vec::new(),
        before: 0,
        literal,
        utf8: false,
        catenates: false,
        total: 0,
        steps: VecDeque::new(),
        replaces: None,
        stage: Stage::Judged,
        header: Header::default(),
        failed: None,
    };
    Box::new(job).refuse(reply)
}

impl Append {
    fn judge(mut self: Box<Self>, work: &mut Work<'_>, ask: AppendAsk) -> Next {
        let reply = if ask.size > work.base.config.limits.message_max {
            Reply::no("TOOBIG", "The message is too large")
        } else if ask.size == 0 && !self.catenates {
            Reply::no("CANNOT", "An empty message is none: nothing was appended").because(&MULTI)
        } else if self.before >= limit::of_saving(&work.base.config) {
            let code = limit::code(limit::of_saving(&work.base.config), None);
            let reply = Reply::no("", "Too many messages at once: none was appended");
            reply.with_code(code).because(&limit::REFUSED)
        } else {
            return Next::Ask(Ask::Append(ask), Job::Append(self));
        };
        self.drop_before(work.cx);
        self.refuse(reply)
    }

    /// What came before this message is not to be appended either.
    fn drop_before(&mut self, cx: &mut Cx<Server>) {
        if core::mem::take(&mut self.before) > 0 {
            cx.event(Event::AppendDropped);
        }
    }

    pub(crate) fn answer(mut self: Box<Self>, work: &mut Work<'_>, answer: Answer) -> Answered {
        match (&self.stage, answer) {
            (Stage::Judged, Answer::Done) if self.catenates => {
                self.stage = Stage::LineEnd;
                Ok(self.go_on(work))
            }
            (Stage::Judged, Answer::Done) => {
                Ok(self.take_literal(work, b"+ Ready for the message\r\n"))
            }
            (Stage::Copying(_), answer) => self.copied(work, answer),
            (Stage::Judged, Answer::Refused(refusal)) => {
                self.drop_before(work.cx);
                Ok(self.refuse(Reply::refused_target(refusal)))
            }
            (Stage::Coming { left }, Answer::Done) => {
                let left = *left;
                Ok(self.more(left))
            }
            (Stage::Coming { left }, Answer::Refused(refusal)) => {
                let left = *left;
                self.fail(work.cx, Reply::refused_target(refusal));
                Ok(self.more(left))
            }
            (Stage::Committed, Answer::Appended(appended)) => {
                if !are_runs(&appended.uids) {
                    return Err((Job::Append(self), Misuse::BadValue));
                }
                Ok(self.appended(work, &appended))
            }
            // The host has forgotten it by saying no.
            (Stage::Committed, Answer::Refused(refusal)) => {
                let gone = self.replaces.is_some() && refusal.reason == Reason::NotFound;
                Ok(Next::done(if gone { vanished() } else { Reply::refused_target(refusal) }))
            }
            _ => wrong(Job::Append(self)),
        }
    }

    pub(super) fn more(mut self: Box<Self>, left: u64) -> Next {
        if left > 0 {
            return Next::Octets(left, Job::Append(self));
        }
        self.stage = Stage::LineEnd;
        Next::Line(END_MAX, Job::Append(self))
    }

    pub(crate) fn octets(mut self: Box<Self>, work: &mut Work<'_>, octets: Vec<u8>) -> Next {
        if let Stage::Url { left, url } = &mut self.stage {
            *left = left.saturating_sub(octets.len() as u64);
            url.extend_from_slice(&octets);
            let (left, url) = (*left, if *left == 0 { core::mem::take(url) } else { Vec::new() });
            let end = work.cx.received();
            // It may be one with a token, which is known only once all of it is here.
            work.cx.note_secret(end - octets.len() as u64, end, "literal");
            if left == 0 {
                self.steps.push_back(AppendStep::Url(url));
            }
            return self.more(left);
        }
        let Stage::Coming { left } = &mut self.stage else { return Next::Room(Job::Append(self)) };
        *left = left.saturating_sub(octets.len() as u64);
        let left = *left;
        let end = work.cx.received();
        work.cx.note_received(end - octets.len() as u64, end, "literal", Some(&APPEND));
        if self.failed.is_none() && octets.contains(&0) {
            work.cx.note_defect(&NO_NUL);
            let reply = nul_reply(self.literal.is_some_and(|literal| literal.binary));
            self.fail(work.cx, reply);
        }
        // RFC 6855 §4: who does not say that it knows of UTF-8 in header fields, does not send it either.
        let base = &work.base;
        let plain = base.features.has(Feature::Utf8Accept) && !base.takes_utf8() && !self.utf8;
        if self.failed.is_none() && plain && self.header.has_8_bit(&octets) {
            work.cx.note_defect(&UTF8);
            let reply =
                Reply::no("CANNOT", "UTF-8 in header fields takes ENABLE UTF8=ACCEPT first");
            self.fail(work.cx, reply.because(&UTF8));
        }
        if self.failed.is_some() {
            return self.more(left);
        }
        Next::Ask(Ask::Chunk(octets), Job::Append(self))
    }

    pub(crate) fn line(mut self: Box<Self>, work: &mut Work<'_>, mut line: Line) -> Next {
        if core::mem::take(&mut self.utf8) && line.fault.is_none() {
            match line.octets.first() {
                Some(b')') => {
                    work.cx.note_received(line.start, line.start + 1, "closing parenthesis", None);
                    line.octets.remove(0);
                    line.start += 1;
                }
                _ if self.failed.is_none() => {
                    let reply = Reply::bad("A parenthesis follows the message").because(&UTF8);
                    self.fail(work.cx, reply);
                }
                _ => {}
            }
        }
        let many = self.replaces.is_none() && work.base.features.has(Feature::MultiAppend);
        if line.fault.is_none()
            && self.failed.is_none()
            && (many || self.catenates)
            && let Some((steps, literal)) = next_steps(&line.octets, self.catenates)
            && (many || !steps.iter().any(|step| matches!(step, AppendStep::Message(_))))
        {
            note_line(work.cx, &line);
            self.literal = literal;
            self.steps.extend(steps);
            return self.go_on(work);
        }
        if line.fault.is_some() || !line.octets.is_empty() || self.catenates {
            let text = match many {
                _ if self.catenates => "A part follows a part, or a parenthesis closes them",
                true => "After a message comes the end of the command, or one more message",
                false => "Only one message, and after it the end of the command",
            };
            let reply = Reply::bad(text).because(&APPEND);
            if self.failed.is_none() {
                self.fail(work.cx, reply.clone());
            }
            let reply = self.failed.unwrap_or(reply);
            return Next::Rest(line, reply);
        }
        note_line(work.cx, &line);
        match self.failed.take() {
            Some(reply) => Next::done(reply),
            None => self.commit(),
        }
    }

    /// RFC 3502: another message of the same APPEND.
    pub(super) fn next(mut self: Box<Self>, work: &mut Work<'_>, data: AppendData) -> Next {
        self.before += 1;
        let literal = self.literal;
        self.stage = Stage::Judged;
        (self.utf8, self.catenates, self.total) = (data.utf8, data.catenates, 0);
        self.header = Header::default();
        if let Some(reply) = form_refused(work, literal, &data) {
            self.drop_before(work.cx);
            return self.refuse(reply);
        }
        let ask = message(self.name.clone(), literal, data, None);
        self.judge(work, ask)
    }

    fn appended(&self, work: &mut Work<'_>, appended: &Appended) -> Next {
        if let Some((_, open, _)) = work.selected()
            && open.name == self.name
        {
            // RFC 3501 §2.3.2: this session is the first to be told of it.
            let recent = !open.read_only;
            open.view.arrive(&Runs::from_unsorted(appended.uids.clone()), recent);
        }
        // RFC 4315 §3
        let code = (work.base.has_uid_plus() && !appended.uids.is_empty()).then(|| {
            let validity = print::decimal(u64::from(appended.uid_validity));
            [b"APPENDUID ", &validity[..], b" ", &print::uid_set(&appended.uids)].concat()
        });
        let Some(uid) = self.replaces else {
            let reply = Reply::ok("Appended");
            return Next::done(match code {
                Some(code) => reply.with_code(code),
                None => reply,
            });
        };
        if let Some((_, open, cx)) = work.selected() {
            // RFC 8508 §4.3: before the EXPUNGE, so not in the tagged OK.
            if let Some(code) = code {
                send_untagged_ok(cx, &code, "The replacement is there");
            }
            let runs = [UidRun { first: uid, last: uid }].to_vec();
            open.view.expunge(Expunged { runs, modseq: appended.replaced_modseq });
        }
        Next::done(Reply::ok("Replaced").because(&REPLACE))
    }

    /// No before the host took anything.
    pub(super) fn refuse(mut self: Box<Self>, reply: Reply) -> Next {
        let Some(Literal { size, waits: false, .. }) = self.literal else {
            // RFC 9051 §4.3: without `+` the peer does not send the octets.
            return Next::done(reply);
        };
        self.catenates = false;
        self.steps.clear();
        if size > SKIPPED_MAX {
            // RFC 7888 §4: rather than take in octets without end for nothing, end the connection.
            return Next::Bye(Some("TOOBIG"), "The literal is too large");
        }
        self.failed = Some(reply);
        self.stage = Stage::Coming { left: size };
        self.more(size)
    }

    /// No after the host took something.
    fn fail(&mut self, cx: &mut Cx<Server>, reply: Reply) {
        cx.event(Event::AppendDropped);
        self.failed = Some(reply);
    }

    /// The connection ends before the command does.
    pub(crate) fn drop_all(&self, cx: &mut Cx<Server>) {
        let taken = match self.stage {
            Stage::Coming { .. } | Stage::LineEnd | Stage::Url { .. } | Stage::Copying(_) => true,
            Stage::Judged | Stage::Committed => self.before > 0,
        };
        if taken && self.failed.is_none() {
            cx.event(Event::AppendDropped);
        }
    }
}

/// Notes what stands behind a message: the line end, or flags, date and the head of another one.
fn note_line(cx: &mut Cx<Server>, line: &Line) {
    if !cx.tracing() {
        return;
    }
    let text = grammar::split_head(&line.octets).map_or(line.octets.len(), |(text, _)| text.len());
    for Part { start, end, label } in lex::parts(&line.octets[..text], lex::Place::Inside) {
        cx.note_received(line.start + start as u64, line.start + end as u64, label, None);
    }
    let text_end = line.start + text as u64;
    if text < line.octets.len() {
        cx.note_received(text_end, line.end, "literal head", Some(&APPEND));
    } else {
        cx.note_received(text_end, line.end, "CRLF", None);
    }
}

/// Octets of a refused message that are taken in and dropped.
const SKIPPED_MAX: u64 = 256 << 20;
/// Octets of what may follow the message: CRLF, or the flags and the date of another one.
const END_MAX: usize = 32 * 1024;

/// What follows a literal, up to the next one or to the end.
fn next_steps(line: &[u8], inside: bool) -> Option<(Vec<AppendStep>, Option<Literal>)> {
    let (text, literal) = grammar::split_head(line).ok()?;
    let steps = grammar::append_line(text, inside)?;
    let open = match steps.last()? {
        AppendStep::Message(data) => !data.catenates,
        AppendStep::Text | AppendStep::Utf8Text | AppendStep::UrlLiteral => true,
        AppendStep::Url(_) | AppendStep::End => false,
    };
    (open == literal.is_some()).then_some((steps, literal))
}

/// Why a message may not come in its form.
pub(crate) fn form_refused(
    work: &Work<'_>,
    literal: Option<Literal>,
    data: &AppendData,
) -> Option<Reply> {
    if data.catenates && !work.base.features.has(Feature::Catenate) {
        return Some(Reply::bad("This is not offered here").because(&CAPABILITY));
    }
    // Of parts each is looked at when its turn comes.
    let literal = literal.filter(|_| !data.catenates)?;
    text_refused(work, literal, data.utf8)
}

/// Why a literal may not be a message, or a part of one; `utf8`: it stands in `UTF8 (…)`.
pub(super) fn text_refused(work: &Work<'_>, literal: Literal, utf8: bool) -> Option<Reply> {
    if utf8 && !(work.base.features.has(Feature::Utf8Accept) && literal.binary) {
        return Some(Reply::bad("UTF8 and a literal8 are not offered here").because(&UTF8));
    }
    literal_refused(work, literal, utf8)
}

fn literal_refused(work: &Work<'_>, literal: Literal, utf8: bool) -> Option<Reply> {
    let has = |feature| work.base.features.has(feature);
    if !literal.waits && !work.base.takes_non_sync() {
        return Some(Reply::bad("This form of literal is not offered").because(&NON_SYNC));
    }
    if !literal.waits && !has(Feature::LiteralPlus) && literal.size > 4096 {
        // RFC 7888 §5
        let reply = Reply::bad("Without waiting, at most 4,096 octets");
        return Some(reply.with_code(&b"TOOBIG"[..]));
    }
    let refused = literal.binary && !utf8 && !has(Feature::Binary);
    refused.then(|| Reply::bad("A literal8 is not offered here"))
}

const fn nul_reply(binary: bool) -> Reply {
    if binary {
        // RFC 3516 §4.4: a store that keeps messages as they came has no other form for NUL.
        Reply::no("UNKNOWN-CTE", "A message with NUL is not taken")
    } else {
        Reply::bad("NUL may not be in a literal").because(&NO_NUL)
    }
}
