//! A mail transaction (RFC 5321 §3.3) before its first command: what is sent how, and to whom in which round.
//! A server that takes few recipients at a time gets several transactions; the host sees one delivery.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::command::{Declared, is_utf8};
use super::fates::{Fates, Loss, UNREADABLE};
use super::lines::Lines;
use super::obstacle::{NO_UTF8, obstacle};
use super::types::{Ask, Delivery, Fate, Finished, Stage};
use super::{Client, Common, State};
use crate::limits::CHUNK_MAX;
use crate::message::seven_bit::{Findings, Obstacle, Surveyor};
use crate::role::Cx;
use crate::smtp::types::{Body, Service};
use crate::types::{BlobRange, Misuse};

/// A delivery under way.
pub(super) struct Transaction {
    pub(super) delivery: Delivery,
    pub(super) fates: Fates,
    pub(super) form: Form,
    pub(super) declared: Declared,
    /// What must be encoded, if the server takes seven bits only.
    pub(super) findings: Option<Findings>,
    /// Recipients of this transaction, by their place in the delivery.
    pub(super) round: Vec<usize>,
    /// Recipients that wait for another transaction.
    pub(super) later: VecDeque<usize>,
    /// Those refused only because there were too many at once.
    pub(super) crowded: Vec<usize>,
    /// How many of `round` were named with RCPT.
    pub(super) named: usize,
    /// Those that the server took.
    pub(super) accepted: Vec<usize>,
    /// Replies that are due, in order.
    pub(super) expected: VecDeque<Expected>,
    pub(super) mail: MailStep,
    pub(super) data_said: bool,
    /// Whether the last transaction delivered to anybody; then the crowded ones get another.
    pub(super) delivered: bool,
}

/// How the octets go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// DATA, and the stored message by reference.
    DataStored,
    /// DATA, line by line.
    DataLines,
    /// One BDAT, and the stored message by reference.
    ChunkStored,
    /// BDAT, line by line, one chunk for each piece that the host gives.
    ChunkLines,
}

impl Form {
    pub(super) fn is_data(self) -> bool {
        matches!(self, Self::DataStored | Self::DataLines)
    }

    pub(super) fn is_stored(self) -> bool {
        matches!(self, Self::DataStored | Self::ChunkStored)
    }
}

/// How far MAIL has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MailStep {
    Unsaid,
    Said,
    Accepted,
    Refused,
}

/// What a reply that is due is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Reset,
    Mail,
    Rcpt(usize),
    Data,
    /// A lone dot, for a server that wanted data that nobody is to get (RFC 2920 §3.1).
    LoneDot,
    /// BDAT without LAST.
    Chunk,
    /// The end of the message, for all recipients.
    End,
    /// RFC 2033 §4.2: the end of the message, for this one.
    EndFor(usize),
}

impl Transaction {
    /// Decides how a message goes to this server; the end of the delivery if it cannot go at all.
    #[allow(clippy::result_large_err, reason = "both are moved once")]
    pub(super) fn plan(delivery: Delivery, common: &Common) -> Result<Self, Finished> {
        let mut fates = Fates::new(delivery.recipients.len());
        if let Some((stage, loss)) = obstacle(&delivery, common) {
            fates.rest(&Fate::Failed(loss.failure(stage)));
            return Err(Finished { id: delivery.id, fates: fates.whole() });
        }
        let extensions = common.offered.told.extensions;
        for (place, rcpt) in delivery.recipients.iter().enumerate() {
            if is_utf8(&rcpt.forward_path) && !extensions.smtputf8 {
                fates.put(place, Fate::Failed(NO_UTF8.failure(Stage::Recipient)));
            }
        }
        let later: VecDeque<usize> =
            (0..delivery.recipients.len()).filter(|place| !fates.has(*place)).collect();
        if later.is_empty() {
            return Err(Finished { id: delivery.id, fates: fates.whole() });
        }
        let utf8 = later.iter().any(|place| is_utf8(&delivery.recipients[*place].forward_path));
        let from_utf8 = delivery.mail.reverse_path.as_ref().is_some_and(is_utf8);
        let body = delivery.mail.body;
        let submission = common.config.service == Service::Submission;
        let declared = Declared {
            held: submission && extensions.future_release,
            body,
            smtputf8: delivery.mail.smtputf8 || utf8 || from_utf8,
            size: delivery.size,
            // Only of a report the word may be left out: what is none is not sent to a server without it.
            require_tls: delivery.require_tls
                || delivery.mail.require_tls && extensions.require_tls,
        };
        let mut tx = Self {
            form: Form::DataLines,
            delivery,
            fates,
            declared,
            findings: None,
            round: Vec::new(),
            later,
            crowded: Vec::new(),
            named: 0,
            accepted: Vec::new(),
            expected: VecDeque::new(),
            mail: MailStep::Unsaid,
            data_said: false,
            delivered: false,
        };
        tx.form = tx.form(common);
        tx.next_round(common);
        Ok(tx)
    }

    /// Whether the server takes the body as it is (RFC 6152 §3, RFC 3030 §3).
    fn is_taken(&self, common: &Common) -> bool {
        let extensions = common.offered.told.extensions;
        match self.delivery.mail.body {
            Body::SevenBit => true,
            Body::EightBitMime => extensions.eight_bit_mime,
            Body::BinaryMime => extensions.chunking && extensions.binary_mime,
        }
    }

    fn form(&self, common: &Common) -> Form {
        let chunking = common.offered.told.extensions.chunking;
        let binary = self.delivery.mail.body == Body::BinaryMime;
        // Lines in several chunks need a reply each; without PIPELINING that is slower than DATA.
        let few = common.pipelining() || self.delivery.size <= CHUNK_MAX as u64;
        if !self.is_taken(common) {
            Form::DataLines
        } else if chunking && (binary || self.delivery.plain) {
            Form::ChunkStored
        } else if chunking && few {
            Form::ChunkLines
        } else if self.delivery.plain {
            Form::DataStored
        } else {
            Form::DataLines
        }
    }

    /// Puts recipients into the next transaction: as many as the server says that it takes (RFC 9422).
    pub(super) fn next_round(&mut self, common: &Common) {
        let told = &common.offered.told;
        let max = told.recipients_max.map_or(usize::MAX, |max| max as usize);
        let domains_max = told.recipient_domains_max.map_or(usize::MAX, |max| max as usize);
        let mut domains: Vec<&[u8]> = Vec::new();
        let mut rest = VecDeque::new();
        self.round.clear();
        for place in self.later.drain(..) {
            let domain = &self.delivery.recipients[place].forward_path.domain[..];
            let known = domains.iter().any(|other| other.eq_ignore_ascii_case(domain));
            if self.round.len() >= max || !known && domains.len() >= domains_max {
                rest.push_back(place);
                continue;
            }
            // Where any number of domains may come together, none needs to be remembered.
            if !known && domains_max != usize::MAX {
                domains.push(domain);
            }
            self.round.push(place);
        }
        self.later = rest;
        self.crowded.clear();
        self.accepted.clear();
        self.named = 0;
        self.mail = MailStep::Unsaid;
        self.data_said = false;
        self.delivered = false;
    }

    /// The step that is waited for.
    pub(super) fn stage(&self) -> Stage {
        match self.expected.front() {
            Some(Expected::Rcpt(_)) => Stage::Recipient,
            Some(Expected::Data | Expected::LoneDot | Expected::Chunk) => Stage::Data,
            Some(Expected::End | Expected::EndFor(_)) => Stage::EndOfData,
            Some(Expected::Mail | Expected::Reset) => Stage::Mail,
            None if self.mail == MailStep::Unsaid => Stage::Mail,
            None => Stage::Recipient,
        }
    }

    /// The session ended at this stage: everybody without a fate gets one.
    pub(super) fn abandoned(mut self, stage: Stage, loss: &Loss) -> (u32, Fates) {
        let failure = loss.failure(stage);
        if stage == Stage::EndOfData && !loss.is_refusal() {
            // RFC 5321 §6.1: whether the server has taken the message is not known.
            for place in core::mem::take(&mut self.accepted) {
                if !self.fates.has(place) {
                    self.fates.put(place, Fate::Uncertain(failure.clone()));
                }
            }
        }
        self.fates.rest(&Fate::Deferred(failure));
        (self.delivery.id, self.fates)
    }

    /// The next range of the message, `done` octets behind its beginning, at most `max` long.
    pub(super) fn range(&self, done: u64, max: u64) -> BlobRange {
        let Delivery { message, offset, size, .. } = self.delivery;
        let length = size.saturating_sub(done).min(max);
        BlobRange { blob: message, offset: offset.saturating_add(done), length }
    }
}

/// The first reading of a message that the server does not take as it is.
pub(super) struct Survey {
    offset: u64,
    asked: Option<u64>,
    /// What cannot be told line from line is left as it is: BINARYMIME.
    lines: Option<Lines>,
    surveyor: Surveyor,
}

impl Survey {
    fn new(body: Body) -> Self {
        let lines = (body != Body::BinaryMime).then(|| Lines::new(false));
        Self { offset: 0, asked: None, lines, surveyor: Surveyor::new() }
    }

    pub(super) fn is_asking(&self) -> bool {
        self.asked.is_some()
    }

    fn take(&mut self, octets: &[u8]) {
        self.offset += octets.len() as u64;
        self.asked = None;
        match &mut self.lines {
            Some(lines) => {
                let mut out = Vec::with_capacity(octets.len());
                lines.take(octets, &mut out);
                self.surveyor.take(&out);
            }
            None => self.surveyor.take(octets),
        }
    }

    fn finish(mut self) -> Result<Findings, Obstacle> {
        if let Some(lines) = &mut self.lines {
            let mut out = Vec::new();
            lines.finish(&mut out);
            self.surveyor.take(&out);
        }
        self.surveyor.finish()
    }
}

impl Client {
    /// Begins a delivery that was planned.
    pub(super) fn begin(self, cx: &mut Cx<Self>, tx: Box<Transaction>) -> Self {
        if tx.is_taken(&self.common) {
            return self.go(cx, State::Envelope(tx));
        }
        let survey = Survey::new(tx.delivery.mail.body);
        self.go(cx, State::Surveying(tx, Box::new(survey)))
    }

    /// The next step of the first reading: another piece, or its end.
    pub(super) fn survey(
        mut self,
        cx: &mut Cx<Self>,
        mut tx: Box<Transaction>,
        mut survey: Box<Survey>,
    ) -> Self {
        let range = tx.range(survey.offset, CHUNK_MAX as u64);
        if range.length > 0 {
            survey.asked = Some(range.length);
            cx.ask(Ask::Octets(range));
            return self.go(cx, State::Surveying(tx, survey));
        }
        match survey.finish() {
            Ok(findings) => {
                tx.declared.body = Body::SevenBit;
                if findings.is_clean() {
                    // It was declared as more than it is.
                    tx.delivery.mail.body = Body::SevenBit;
                    tx.form = tx.form(&self.common);
                } else {
                    tx.findings = Some(findings);
                }
                self.go(cx, State::Envelope(tx))
            }
            Err(obstacle) => {
                let loss = Loss::new("5.6.3", obstacle.words());
                tx.fates.rest(&Fate::Failed(loss.failure(Stage::Mail)));
                self.finish(cx, tx.delivery.id, tx.fates);
                self.next(cx)
            }
        }
    }

    /// Octets that were asked for came.
    pub(super) fn octets_came(
        mut self,
        cx: &mut Cx<Self>,
        octets: Vec<u8>,
    ) -> Result<Self, (Self, Misuse)> {
        match core::mem::replace(&mut self.state, State::Closed) {
            State::Surveying(tx, mut survey) if survey.is_asking() => {
                if survey.asked != Some(octets.len() as u64) {
                    return Err(self.misused(State::Surveying(tx, survey), Misuse::BadValue));
                }
                survey.take(&octets);
                Ok(self.go(cx, State::Surveying(tx, survey)))
            }
            State::Content(tx, content) => self.content_came(cx, tx, content, &octets),
            state => Err(self.misused(state, Misuse::WrongAnswer)),
        }
    }

    /// Octets that were asked for cannot be had.
    pub(super) fn octets_refused(mut self, cx: &mut Cx<Self>) -> Result<Self, (Self, Misuse)> {
        match core::mem::replace(&mut self.state, State::Closed) {
            State::Surveying(mut tx, survey) if survey.is_asking() => {
                tx.fates.rest(&Fate::Deferred(UNREADABLE.failure(Stage::Mail)));
                self.finish(cx, tx.delivery.id, tx.fates);
                Ok(self.next(cx))
            }
            state @ State::Content(..) => {
                self.state = state;
                Ok(self.lost(cx, UNREADABLE))
            }
            state => Err(self.misused(state, Misuse::WrongAnswer)),
        }
    }
}
