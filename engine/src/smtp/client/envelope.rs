//! MAIL, RCPT and DATA as commands (RFC 5321 §3.3): what may be said before which reply, and what each reply settles.

use alloc::boxed::Box;

use super::command::{self, send};
use super::content::{Content, END_OF_DATA};
use super::fates::{Loss, is_crowded, judge};
use super::obstacle::NO_MORE_MESSAGES;
use super::reply::Kind;
use super::transaction::{Expected, MailStep, Transaction};
use super::types::{Fate, Reply, Stage};
use super::{Client, Common, State};
use crate::role::Cx;
use crate::trace::Rule;

/// RFC 5321 §3.3.
pub(super) const MAIL: Rule = Rule {
    rfc: 5321,
    section: "3.3",
    gist: "A transaction is MAIL, then RCPT for each recipient, then the message; the server answers each of them.",
};
/// RFC 2920 §3.1.
pub(super) const PIPELINING: Rule = Rule {
    rfc: 2920,
    section: "3.1",
    gist: "Where PIPELINING is offered, commands up to DATA go out together, and their replies are told apart by order.",
};

/// Replies that may be due at once: so many fit where they have to wait, whatever they say, and neither side can
/// stop reading because the other did (RFC 2920 §3.1).
const PIPELINED_MAX: usize = 100;

impl Transaction {
    /// Whether the next command can go out now.
    pub(super) fn may_send(&self, common: &Common) -> bool {
        let free = if common.pipelining() {
            self.expected.len() < PIPELINED_MAX
        } else {
            self.expected.is_empty()
        };
        free && self.has_more(common)
    }

    fn has_more(&self, common: &Common) -> bool {
        match self.mail {
            MailStep::Unsaid => true,
            MailStep::Refused => false,
            MailStep::Said | MailStep::Accepted => {
                self.named < self.round.len() || self.wants_data(common)
            }
        }
    }

    /// DATA follows RCPT at once where commands are pipelined; else when somebody is to get the message.
    fn wants_data(&self, common: &Common) -> bool {
        let hope = common.pipelining() && !self.expected.is_empty();
        self.form.is_data() && !self.data_said && (hope || !self.accepted.is_empty())
    }

    /// Whether the reply to DATA is waited for.
    pub(super) fn awaits_data(&self) -> bool {
        self.expected.front() == Some(&Expected::Data)
    }
}

impl Client {
    /// Says as many commands as may go out.
    pub(super) fn send_envelope(mut self, cx: &mut Cx<Self>, mut tx: Box<Transaction>) -> Self {
        while tx.may_send(&self.common) && !cx.outbox_full() {
            let common = &mut *self.common;
            if tx.mail == MailStep::Unsaid && common.open_transaction {
                common.open_transaction = false;
                send(cx, b"RSET\r\n", Some(&MAIL));
                tx.expected.push_back(Expected::Reset);
            } else if tx.mail == MailStep::Unsaid {
                common.mails = common.mails.saturating_add(1);
                let line = command::mail(&tx.delivery.mail, tx.declared, &common.offered);
                send(cx, &line, Some(&MAIL));
                tx.mail = MailStep::Said;
                tx.expected.push_back(Expected::Mail);
            } else if let Some(&place) = tx.round.get(tx.named) {
                let line = command::rcpt(&tx.delivery.recipients[place], &common.offered);
                let why = if common.pipelining() { &PIPELINING } else { &MAIL };
                send(cx, &line, Some(why));
                tx.named += 1;
                tx.expected.push_back(Expected::Rcpt(place));
            } else {
                send(cx, b"DATA\r\n", Some(&END_OF_DATA));
                tx.data_said = true;
                tx.expected.push_back(Expected::Data);
            }
        }
        self.go(cx, State::Envelope(tx))
    }

    /// The reply to the command that was said first of those not answered.
    pub(super) fn envelope_replied(
        mut self,
        cx: &mut Cx<Self>,
        mut tx: Box<Transaction>,
        reply: Reply,
    ) -> Self {
        let expected = tx.expected.front().copied();
        let more = reply.kind() == Kind::More;
        let data = expected == Some(Expected::Data);
        let Some(expected) = expected.filter(|_| more == data || (data && is_refusal(&reply)))
        else {
            self.state = State::Envelope(tx);
            return self.out_of_step(cx, reply);
        };
        tx.expected.pop_front();
        match expected {
            Expected::Reset if reply.kind() != Kind::Yes => {
                self.state = State::Envelope(tx);
                let loss = Loss::new("4.5.0", "The server did not forget the last transaction");
                return self.lost(cx, loss.because(reply));
            }
            Expected::Mail if reply.kind() == Kind::Yes => {
                tx.mail = MailStep::Accepted;
                self.common.open_transaction = true;
            }
            Expected::Mail => {
                tx.mail = MailStep::Refused;
                tx.later.clear();
                tx.fates.rest(&judge(&reply, Stage::Mail));
            }
            Expected::Rcpt(place) if tx.mail == MailStep::Accepted => {
                tx.rcpt_replied(place, &reply);
            }
            Expected::Data if more && !tx.accepted.is_empty() => {
                return self.begin_content(cx, tx);
            }
            Expected::Data if more => {
                // RFC 2920 §3.1: the server wants data that nobody is to get, and a lone dot ends it.
                send(cx, b".\r\n", Some(&PIPELINING));
                tx.expected.push_back(Expected::LoneDot);
            }
            Expected::Data => tx.settle(&reply, Stage::Data),
            // Replies whose commands were in vain before they came.
            _ => {}
        }
        self.envelope_settled(cx, tx)
    }

    fn envelope_settled(self, cx: &mut Cx<Self>, tx: Box<Transaction>) -> Self {
        if !tx.expected.is_empty() || tx.has_more(&self.common) {
            self.go(cx, State::Envelope(tx))
        } else if tx.form.is_data() || tx.accepted.is_empty() {
            self.round_over(cx, tx)
        } else {
            self.begin_content(cx, tx)
        }
    }

    fn begin_content(self, cx: &mut Cx<Self>, mut tx: Box<Transaction>) -> Self {
        let content = Content::new(&mut tx);
        self.go(cx, State::Content(tx, Box::new(content)))
    }

    /// A transaction is over: another for those who had no place in it, or the end of the delivery.
    pub(super) fn round_over(mut self, cx: &mut Cx<Self>, mut tx: Box<Transaction>) -> Self {
        if tx.delivered {
            // RFC 5321 §4.5.3.1.10: those for whom there were too many get a transaction of their own.
            let crowded = core::mem::take(&mut tx.crowded);
            tx.later.extend(crowded);
        }
        if !tx.later.is_empty() && !self.common.is_used_up() {
            tx.next_round(&self.common);
            return self.go(cx, State::Envelope(tx));
        }
        tx.fates.rest(&Fate::Deferred(NO_MORE_MESSAGES.failure(Stage::Session)));
        self.finish(cx, tx.delivery.id, tx.fates);
        self.next(cx)
    }
}

impl Transaction {
    fn rcpt_replied(&mut self, place: usize, reply: &Reply) {
        if reply.kind() == Kind::Yes {
            self.fates.reopen(place);
            self.accepted.push(place);
            return;
        }
        self.fates.put(place, judge(reply, Stage::Recipient));
        if is_crowded(reply) {
            self.crowded.push(place);
        }
    }

    /// One reply is for all who were to get the message.
    pub(super) fn settle(&mut self, reply: &Reply, stage: Stage) {
        for place in core::mem::take(&mut self.accepted) {
            self.fates.put(place, judge(reply, stage));
        }
    }
}

pub(super) fn is_refusal(reply: &Reply) -> bool {
    matches!(reply.kind(), Kind::NotNow | Kind::No)
}
