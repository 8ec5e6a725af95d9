//! What SEARCH found, as SEARCH (RFC 3501 §7.2.5) or ESEARCH (RFC 9051 §7.3.4), piece by piece: a
//! line of 100,000 numbers is not held in memory at once.

use alloc::vec::Vec;

use super::condstore::has_modseq;
use super::job::Expunges;
use super::print::{self, decimal};
use super::relevancy::{self, RELEVANCY, Scores};
use super::runs::Runs;
use super::state::Selected;
use super::{Base, Server};
use crate::imap::grammar::{self, Key, PartialRange, SearchReturn, lex};
use crate::imap::types::UidRun;
use crate::role::Cx;
use crate::trace::Rule;

/// RFC 9051 §7.3.4.
pub(crate) const ESEARCH: Rule = Rule {
    rfc: 9051,
    section: "7.3.4",
    gist: "ESEARCH names the command by its tag and gives what RETURN asked for.",
};

/// RFC 7162 §3.1.6.
pub(crate) const MODSEQ: Rule = Rule {
    rfc: 7162,
    section: "3.1.6",
    gist: "A search by MODSEQ ends with the highest mod-sequence of what it found.",
};

/// RFC 9394 §3.1.
pub(crate) const PARTIAL: Rule = Rule {
    rfc: 9394,
    section: "3.1",
    gist: "PARTIAL gives those of the results that stand at the places asked for.",
};

/// How the result is to be told.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    tag: Vec<u8>,
    /// RFC 7377 §2.1: what stands behind the tag, and then nothing is told of what was not found.
    about: Option<Vec<u8>>,
    pub(crate) by_uid: bool,
    /// ESEARCH with these; `None` is SEARCH.
    returns: Option<SearchReturn>,
    /// RFC 7162 §3.1.6, RFC 4731 §3.2: whether the result ends with a mod-sequence.
    pub(crate) wants_modseq: bool,
    /// RFC 7162 §3.2.10.2: whether numbers were searched for, which must hold then even by UID.
    has_numbers: bool,
}

/// Mod-sequences of what was found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Modseqs {
    /// UID and mod-sequence of the first.
    least: Option<(u32, u64)>,
    /// Of the last.
    greatest: Option<(u32, u64)>,
    highest: u64,
}

impl Modseqs {
    /// A message was found.
    pub(crate) fn add(&mut self, uid: u32, modseq: u64) {
        let found = Some((uid, modseq));
        if self.least.is_none_or(|(least, _)| uid < least) {
            self.least = found;
        }
        self.greatest = self.greatest.max(found);
        self.highest = self.highest.max(modseq);
    }

    /// The highest of the messages that are told.
    fn told(&self, returns: Option<SearchReturn>) -> u64 {
        let Some(SearchReturn { min, max, all: false, count: false, partial: None, .. }) = returns
        else {
            return self.highest;
        };
        let least = self.least.filter(|_| min).map_or(0, |(_, modseq)| modseq);
        self.greatest.filter(|_| max).map_or(0, |(_, modseq)| modseq).max(least)
    }
}

impl Form {
    pub(crate) fn new(base: &Base, tag: &[u8], command: &grammar::Search) -> Self {
        // RFC 9051 §6.4.4: without RETURN, IMAP4rev2 answers as with RETURN (ALL).
        let all = SearchReturn { all: true, ..SearchReturn::default() };
        let returns = command.returns.or(base.is_rev2().then_some(all));
        Self::sorted(tag, command.uid, returns, &command.program)
    }

    /// For a command whose result is ESEARCH only if it asked for that.
    pub(crate) fn sorted(
        tag: &[u8],
        by_uid: bool,
        returns: Option<SearchReturn>,
        program: &[Key],
    ) -> Self {
        let (tag, wants_modseq) = (tag.to_vec(), has_modseq(program));
        let has_numbers = program.iter().any(|key| matches!(key, Key::Numbers(_)));
        Self { tag, about: None, by_uid, returns, wants_modseq, has_numbers }
    }

    /// As an ESEARCH (RFC 7377) tells what it found in this mailbox.
    pub(crate) fn about(mut self, base: &Base, open: &Selected) -> Self {
        let (name, validity) = (print::mailbox(base, &open.name), open.uid_validity);
        let validity = decimal(u64::from(validity));
        self.about = Some([b" MAILBOX ", &name[..], b" UIDVALIDITY ", &validity].concat());
        self
    }

    /// Whether numbers that no message has are no error.
    pub(crate) fn is_of_any(&self) -> bool {
        self.about.is_some()
    }

    /// What stands between the parentheses of ESEARCH.
    pub(crate) fn correlator(&self) -> Vec<u8> {
        let about = self.about.as_deref().unwrap_or_default();
        [b"TAG \"", &self.tag[..], b"\"", about].concat()
    }

    pub(crate) fn tag(&self) -> &[u8] {
        &self.tag
    }

    pub(crate) fn returns(&self) -> Option<SearchReturn> {
        self.returns
    }

    /// How the response names a message.
    pub(crate) fn number(&self, open: &Selected, uid: u32) -> u32 {
        if self.by_uid { uid } else { open.view.number(uid).unwrap_or(0) }
    }

    /// `* ESEARCH (TAG "…") [UID]`
    pub(crate) fn head(&self) -> Vec<u8> {
        let uid: &[u8] = if self.by_uid { b" UID" } else { b"" };
        [b"* ESEARCH (", &self.correlator()[..], b")", uid].concat()
    }

    pub(crate) fn saves(&self) -> bool {
        self.returns.is_some_and(|returns| returns.save)
    }

    /// RFC 9051 §7.5.1
    pub(crate) fn expunges(&self) -> Expunges {
        if self.by_uid && !self.has_numbers { Expunges::Told } else { Expunges::Kept }
    }
}

/// What was found, and how much of it was told.
#[derive(Debug)]
pub(crate) struct Result {
    found: Runs,
    modseqs: Modseqs,
    scores: Scores,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Head,
    /// Numbers of the messages above this UID; a range that may grow.
    Numbers {
        above: u32,
        held: Option<(u32, u32)>,
        first: bool,
    },
    /// After the numbers of PARTIAL.
    PartialEnd,
    /// How well the messages above this UID fit.
    Scores {
        above: u32,
    },
    End,
}

impl Result {
    pub(crate) fn new(found: Runs, modseqs: Modseqs, scores: Scores) -> Self {
        Self { found, modseqs, scores, stage: Stage::Head }
    }

    /// Tells as much as there is room for; true once all is told.
    pub(crate) fn tell(&mut self, form: &Form, open: &mut Selected, cx: &mut Cx<Server>) -> bool {
        loop {
            if cx.outbox_full() {
                return false;
            }
            self.stage = match self.stage {
                Stage::Head => match form.returns {
                    None => {
                        lex::send(cx, b"* SEARCH", None);
                        Stage::Numbers { above: 0, held: None, first: false }
                    }
                    Some(returns) => {
                        self.save(returns, open);
                        let SearchReturn { min, max, all, count, relevancy, .. } = returns;
                        let told = min || max || all || count || relevancy;
                        let unfound = form.is_of_any() && self.found.is_empty();
                        if unfound || !(told || returns.partial.is_some()) {
                            return true;
                        }
                        self.send_head(form, returns, open, cx);
                        if let Some(range) = returns.partial {
                            self.begin_partial(range, cx)
                        } else if returns.all && !self.found.is_empty() {
                            lex::send(cx, b" ALL ", Some(&ESEARCH));
                            Stage::Numbers { above: 0, held: None, first: true }
                        } else {
                            self.begin_scores(form, cx)
                        }
                    }
                },
                Stage::Numbers { above, held, first } => {
                    self.send_numbers(form, open, cx, above, held, first)
                }
                Stage::PartialEnd => {
                    lex::send(cx, b")", Some(&PARTIAL));
                    self.begin_scores(form, cx)
                }
                Stage::Scores { above } => {
                    let next = self.found.next_page(above, 1, 1000);
                    let first = above == 0;
                    match next.first() {
                        Some(run) => {
                            let scores = (run.first..=run.last).map(|uid| self.scores.of(uid));
                            lex::send(cx, &relevancy::list(scores, first), Some(&RELEVANCY));
                            Stage::Scores { above: run.last }
                        }
                        None => {
                            lex::send(cx, b")", Some(&RELEVANCY));
                            Stage::End
                        }
                    }
                }
                Stage::End => {
                    self.send_modseq(form, cx);
                    cx.send(b"\r\n", "CRLF", None);
                    return true;
                }
            };
        }
    }

    /// RFC 6203 §4: one score for each message that is told.
    fn begin_scores(&self, form: &Form, cx: &mut Cx<Server>) -> Stage {
        let wanted = form.returns.is_some_and(|returns| returns.relevancy);
        if !wanted || self.found.is_empty() {
            return Stage::End;
        }
        lex::send(cx, b" RELEVANCY (", Some(&RELEVANCY));
        Stage::Scores { above: 0 }
    }

    fn send_modseq(&self, form: &Form, cx: &mut Cx<Server>) {
        if !form.wants_modseq || self.modseqs.highest == 0 {
            return;
        }
        let modseq = decimal(self.modseqs.told(form.returns));
        let text = match form.returns {
            Some(_) => [b" MODSEQ ", &modseq[..]].concat(),
            None => [b" (MODSEQ ", &modseq[..], b")"].concat(),
        };
        lex::send(cx, &text, Some(&MODSEQ));
    }

    /// RFC 9051 §6.4.4.1 table 4
    fn save(&self, returns: SearchReturn, open: &mut Selected) {
        if !returns.save {
            return;
        }
        let SearchReturn { min, max, all, count, partial, .. } = returns;
        if all || count || !(min || max || partial.is_some()) {
            open.saved = self.found.clone();
            return;
        }
        // RFC 9394 §3.2 table 1: what was told is saved.
        let mut saved = Runs::new();
        let least = self.found.first().filter(|_| min);
        let greatest = self.found.last().filter(|_| max);
        least.into_iter().chain(greatest).for_each(|uid| saved.append_uid(uid));
        if let Some(range) = partial {
            saved.add(&self.found.places(range));
        }
        open.saved = saved;
    }

    /// RFC 9394 §4: the range as it was asked for, and what of it there is.
    fn begin_partial(&mut self, range: PartialRange, cx: &mut Cx<Server>) -> Stage {
        lex::send(cx, &range.label(), Some(&PARTIAL));
        self.found = self.found.places(range);
        if self.found.is_empty() {
            cx.send(b"NIL", "nil", None);
            return Stage::PartialEnd;
        }
        Stage::Numbers { above: 0, held: None, first: true }
    }

    fn send_head(&self, form: &Form, returns: SearchReturn, open: &Selected, cx: &mut Cx<Server>) {
        let mut line = form.head();
        let ends =
            [(returns.min, " MIN ", self.found.first()), (returns.max, " MAX ", self.found.last())];
        for (wanted, name, uid) in ends {
            if let Some(uid) = uid.filter(|_| wanted) {
                line.extend_from_slice(name.as_bytes());
                line.extend_from_slice(&decimal(u64::from(form.number(open, uid))));
            }
        }
        if returns.count {
            line.extend_from_slice(b" COUNT ");
            line.extend_from_slice(&decimal(self.found.count()));
        }
        lex::send(cx, &line, Some(&ESEARCH));
    }

    /// The next run of UIDs, as numbers.
    fn send_numbers(
        &self,
        form: &Form,
        open: &Selected,
        cx: &mut Cx<Server>,
        above: u32,
        held: Option<(u32, u32)>,
        first: bool,
    ) -> Stage {
        // A thousand UIDs at a time, since SEARCH spells each out.
        let next = self.found.next_page(above, 1, 1000);
        let Some(&UidRun { first: low, last: high }) = next.first() else {
            if let Some(range) = held {
                send_range(cx, range, first);
            }
            let partial = form.returns.is_some_and(|returns| returns.partial.is_some());
            return if partial { Stage::PartialEnd } else { self.begin_scores(form, cx) };
        };
        if form.returns.is_none() {
            let mut line = Vec::new();
            for uid in low..=high {
                line.push(b' ');
                line.extend_from_slice(&decimal(u64::from(form.number(open, uid))));
            }
            lex::send(cx, &line, None);
            return Stage::Numbers { above: high, held: None, first };
        }
        let range = (form.number(open, low), form.number(open, high));
        match held {
            // UIDs with a gap between them may be neighbours by number.
            Some((from, to)) if to.checked_add(1) == Some(range.0) => {
                Stage::Numbers { above: high, held: Some((from, range.1)), first }
            }
            Some(before) => {
                send_range(cx, before, first);
                Stage::Numbers { above: high, held: Some(range), first: false }
            }
            None => Stage::Numbers { above: high, held: Some(range), first },
        }
    }
}

fn send_range(cx: &mut Cx<Server>, (low, high): (u32, u32), first: bool) {
    let mut text = if first { Vec::new() } else { b",".to_vec() };
    text.extend_from_slice(&decimal(u64::from(low)));
    if high > low {
        text.push(b':');
        text.extend_from_slice(&decimal(u64::from(high)));
    }
    lex::send(cx, &text, Some(&ESEARCH));
}
