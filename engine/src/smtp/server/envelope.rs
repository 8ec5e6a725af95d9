//! The envelope: MAIL begins a transaction, each RCPT adds to it, RSET ends it.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::reply::{About, Reply, refused};
use super::submission::{QUALIFIED, is_qualified};
use super::{Common, Pending, Server, State, Transaction};
use crate::limits::Limits;
use crate::role::Cx;
use crate::smtp::grammar::{Hold, Mail};
use crate::smtp::types::{Ask, ByMode, MailFrom, Mailbox, RcptTo, Service};
use crate::text::number::{DIGITS_MAX, push_decimal};
use crate::trace::Rule;
use crate::types::{Reason, Refusal};

/// RFC 5321 §3.3, more lenient: the space is common, and means nothing else.
pub(in crate::smtp) const SPACE: Rule = Rule {
    rfc: 5321,
    section: "3.3",
    gist: "There must be no space between the colon and the path; one is tolerated here, as nearly everywhere.",
};
/// RFC 5321 §3.3.
pub(super) const UNKNOWN: Rule = Rule {
    rfc: 5321,
    section: "3.3",
    gist: "A recipient that is known not to be deliverable is refused with 550.",
};
/// RFC 5321 §3.6.1.
pub(super) const RELAYING: Rule = Rule {
    rfc: 5321,
    section: "3.6.1",
    gist: "A server may decline to relay for clients that it has no reason to relay for.",
};
/// RFC 6409 §4.3.
pub(super) const AUTHENTICATED: Rule = Rule {
    rfc: 6409,
    section: "4.3",
    gist: "A submission server takes mail only from who has logged in.",
};
/// RFC 6531 §3.5.
pub(super) const UTF8: Rule = Rule {
    rfc: 6531,
    section: "3.5",
    gist: "An address beyond ASCII needs SMTPUTF8; without it, it is refused.",
};

/// RFC 6710 §4.1.
pub(super) const PRIORITY: Rule = Rule {
    rfc: 6710,
    section: "4.1",
    gist: "A stranger may lower the priority of its mail but not raise it; the reply says what became of it.",
};

/// What MAIL says of time: puts it as the host is told it, or gives the refusal of what this server does not do.
fn time(mail: &mut MailFrom, hold: Option<Hold>, unix_ms: u64, limits: &Limits) -> Option<Reply> {
    if mail.deliver_by.is_some_and(|by| {
        by.mode == ByMode::Return && i64::from(by.seconds) < i64::from(limits.deliver_by_min_s)
    }) {
        // RFC 2852: with mode R, less than what was announced is refused at once.
        return Some(Reply::new(554, "5.4.7", "Less time for the delivery than was announced"));
    }
    let until_ms = match hold? {
        Hold::For(seconds) => unix_ms.saturating_add(u64::from(seconds) * 1000),
        Hold::Until(until_ms) => until_ms,
    };
    if until_ms.saturating_sub(unix_ms) > u64::from(limits.hold_max_s) * 1000 {
        // RFC 4865: so is more than what was announced.
        return Some(Reply::new(501, "5.5.4", "Held back for longer than was announced"));
    }
    mail.hold_until_ms = Some(until_ms);
    None
}

impl Server {
    pub(super) fn mail(mut self, cx: &mut Cx<Self>, mail: Mail) -> Self {
        let Mail { from: mut mail, hold } = mail;
        let limits = &self.common.config.limits;
        if self.common.config.auth_required && self.common.account.is_none() {
            let reply = Reply::new(530, "5.7.0", "Authentication required");
            return self.mistake(cx, &reply, &AUTHENTICATED, State::Greeted);
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
        if let Some(reply) = time(&mut mail, hold, cx.now.unix_ms, limits) {
            return self.idle_command(cx, State::Greeted, &reply);
        }
        if limits.messages_max > 0 && self.common.transactions >= limits.messages_max {
            // RFC 9422: a client that was told knows better; another one connects anew after 421.
            let text = "No more messages over this connection";
            return self.end(cx, &Reply::new(421, "4.5.3", text));
        }
        let lowered = self.trust(&mut mail);
        self.common.transactions += 1;
        let number = self.common.transactions;
        let mut id = Vec::with_capacity(self.common.config.session_id.len() + 1 + DIGITS_MAX);
        id.extend_from_slice(&self.common.config.session_id);
        id.push(b'.');
        push_decimal(&mut id, number.into());
        let tx = Transaction { from: mail.clone(), recipients: Vec::new(), id, lowered };
        let tx = Box::new(tx);
        cx.ask(Ask::Sender(mail));
        self.go(cx, State::Asking(Box::new(Pending::Sender(tx))))
    }

    /// Takes away from MAIL what only a peer may say that logged in, or that hands mail over for delivery; true if its
    /// priority was one of them.
    fn trust(&self, mail: &mut MailFrom) -> bool {
        let Common { account, config, .. } = &*self.common;
        if account.is_none() && mail.auth.is_some() {
            // RFC 4954 §5: what a stranger says of another's login counts as nothing said.
            mail.auth = Some(Vec::new());
        }
        let trusted = account.is_some() || config.service == Service::Lmtp;
        let lowered = !trusted && mail.priority.is_some_and(|priority| priority > 0);
        if lowered {
            mail.priority = Some(0);
        }
        lowered
    }

    /// The host has taken the sender.
    pub(super) fn sender_taken(&self, cx: &mut Cx<Self>, tx: &Transaction) {
        if tx.lowered {
            // RFC 6710 §4.1: the text begins with the new priority.
            let reply = Reply::new(250, "2.3.6", "0 is the priority, a higher one needs a login");
            reply.send_because(cx, self.common.enhanced(), &PRIORITY);
        } else {
            let path = || {
                let path = tx.from.reverse_path.as_ref();
                path.map_or_else(|| b"<>".to_vec(), super::words::address)
            };
            let reply = Reply::new(250, "2.1.0", "Sender ok");
            self.reply(cx, &self.worded(reply, |words| words.sender, path));
        }
    }

    pub(super) fn rcpt(self, cx: &mut Cx<Self>, rcpt: RcptTo, tx: Box<Transaction>) -> Self {
        let state = |tx: Box<Transaction>| {
            if tx.recipients.is_empty() { State::MailGiven(tx) } else { State::RcptGiven(tx) }
        };
        let Mailbox { local_part, domain } = &rcpt.forward_path;
        if !(tx.from.smtputf8 || local_part.is_ascii() && domain.is_ascii()) {
            let reply = Reply::new(553, "5.6.7", "This address needs SMTPUTF8");
            return self.mistake(cx, &reply, &UTF8, state(tx));
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
        self.go(cx, State::Asking(Box::new(Pending::Recipient(tx, to))))
    }

    /// Whether a domain is too short for a submission server.
    fn is_short(&self, domain: &[u8]) -> bool {
        let config = &self.common.config;
        config.service == Service::Submission && !is_qualified(domain, &config.host_name)
    }

    pub(super) fn recipient_refused(
        mut self,
        cx: &mut Cx<Self>,
        tx: Box<Transaction>,
        refusal: &Refusal,
    ) -> Self {
        let reply = refused(About::Recipient, refusal);
        let none = tx.recipients.is_empty();
        let state = if none { State::MailGiven(tx) } else { State::RcptGiven(tx) };
        let rule = match refusal.reason {
            Reason::NotFound => Some(&UNKNOWN),
            Reason::NotPermitted => Some(&RELAYING),
            _ => None,
        };
        if let Some(rule) = rule {
            // RFC 5321 §7.8: guessing recipients is an attack, so unknown ones count as mistakes, and weigh double in how
            // soon replies are slow.
            self.common.strain += 1;
            return self.refuse(cx, &reply, rule, state);
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
