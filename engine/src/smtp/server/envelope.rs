//! The envelope: MAIL begins a transaction, each RCPT adds to it, RSET ends it.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

use super::commands::{LINE, ORDER};
use super::reply::{About, Reply, refused};
use super::submission::{QUALIFIED, is_qualified};
use super::{Pending, Server, State, Transaction};
use crate::role::Cx;
use crate::smtp::types::{Ask, MailFrom, Mailbox, RcptTo, Service};
use crate::trace::Rule;
use crate::types::{Reason, Refusal};

/// RFC 5321 §3.3, more lenient: the space is common, and means nothing else.
pub(super) const SPACE: Rule = Rule {
    rfc: 5321,
    section: "3.3",
    gist: "No space stands between the colon and the path; it is tolerated here, as nearly everywhere.",
};
/// RFC 5321 §7.8.
pub(super) const GUESSING: Rule = Rule {
    rfc: 5321,
    section: "7.8",
    gist: "A server may defend itself against clients that try address after address.",
};

impl Server {
    pub(super) fn mail(mut self, cx: &mut Cx<Self>, mail: MailFrom, spaced: bool) -> Self {
        if spaced {
            cx.note_defect(&SPACE);
        }
        let limits = &self.common.config.limits;
        if self.common.config.auth_required && self.common.account.is_none() {
            let reply = Reply::new(530, "5.7.0", "Authentication required");
            return self.mistake(cx, &reply, &ORDER, State::Greeted);
        }
        let domain = mail.reverse_path.as_ref().map_or(&b""[..], |path| &path.domain);
        if self.is_short(domain) {
            let reply = Reply::new(554, "5.1.8", "The sender's domain needs to be a whole one");
            return self.mistake(cx, &reply, &QUALIFIED, State::Greeted);
        }
        // RFC 1870 §6.1: a message that is announced as too large is refused before it is sent.
        if mail.size.is_some_and(|size| size > limits.message_max) {
            let reply = Reply::new(552, "5.3.4", "Message size exceeds the maximum");
            return self.idle_command(cx, State::Greeted, &reply);
        }
        self.common.transactions += 1;
        let number = self.common.transactions;
        let id = [&self.common.config.session_id[..], format!(".{number}").as_bytes()].concat();
        let tx = Transaction { from: mail.clone(), recipients: Vec::new(), id };
        cx.ask(Ask::Sender(mail));
        self.go(cx, State::Asking(Box::new(Pending::Sender(tx))))
    }

    pub(super) fn rcpt(
        self,
        cx: &mut Cx<Self>,
        rcpt: RcptTo,
        spaced: bool,
        tx: Box<Transaction>,
    ) -> Self {
        if spaced {
            cx.note_defect(&SPACE);
        }
        let state = |tx: Box<Transaction>| {
            if tx.recipients.is_empty() { State::MailGiven(tx) } else { State::RcptGiven(tx) }
        };
        let Mailbox { local_part, domain } = &rcpt.forward_path;
        if !(tx.from.smtputf8 || local_part.is_ascii() && domain.is_ascii()) {
            let reply = Reply::new(553, "5.6.7", "This address needs SMTPUTF8");
            return self.mistake(cx, &reply, &LINE, state(tx));
        }
        if self.is_short(domain) {
            let reply = Reply::new(554, "5.1.2", "The recipient's domain needs to be a whole one");
            return self.mistake(cx, &reply, &QUALIFIED, state(tx));
        }
        if tx.recipients.len() >= self.common.config.limits.recipients_max as usize {
            // RFC 5321 §4.5.3.1.10: the client sends the rest in another transaction.
            return self.idle_command(
                cx,
                state(tx),
                &Reply::new(452, "4.5.3", "Too many recipients"),
            );
        }
        let to = rcpt.forward_path.clone();
        cx.ask(Ask::Recipient(rcpt));
        self.go(cx, State::Asking(Box::new(Pending::Recipient(*tx, to))))
    }

    /// Whether a domain is too short for a submission server.
    fn is_short(&self, domain: &[u8]) -> bool {
        let config = &self.common.config;
        config.service == Service::Submission && !is_qualified(domain, &config.host_name)
    }

    pub(super) fn recipient_refused(
        self,
        cx: &mut Cx<Self>,
        tx: Transaction,
        refusal: &Refusal,
    ) -> Self {
        let reply = refused(About::Recipient, refusal);
        let tx = Box::new(tx);
        let none = tx.recipients.is_empty();
        let state = if none { State::MailGiven(tx) } else { State::RcptGiven(tx) };
        if matches!(refusal.reason, Reason::NotFound | Reason::NotPermitted) {
            // RFC 5321 §7.8: guessing recipients is an attack, so unknown ones count as mistakes.
            return self.mistake(cx, &reply, &GUESSING, state);
        }
        self.reply(cx, &reply);
        self.go(cx, state)
    }

    /// RSET. It counts as a command that moves nothing on, but RFC 5321 §4.1.1.5 forbids to close because of it.
    pub(super) fn reset(mut self, cx: &mut Cx<Self>, state: State) -> Self {
        let greeted = !matches!(state, State::Connected);
        self.state = state;
        self.drop_transaction(cx);
        self.is_tired();
        self.say(cx, 250, "2.0.0", "Reset");
        self.go(cx, if greeted { State::Greeted } else { State::Connected })
    }
}
