//! VRFY and EXPN (RFC 5321 §3.5): what a name stands for, which by default is told to nobody. And ETRN (RFC 1985): a
//! host that was away asks for what waits for it; whether it may, its server's host says.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

use super::commands::ORDER;
use super::reply::{About, CANNOT_VERIFY, Reply, flush_refused, refused};
use super::{Pending, Server, State};
use crate::role::Cx;
use crate::smtp::grammar::print_mailbox;
use crate::smtp::types::{Answer, Ask, Flush};
use crate::trace::Rule;
use crate::types::Misuse;

/// RFC 1985 §5.1.
pub(super) const FLUSH: Rule = Rule {
    rfc: 1985,
    section: "5.1",
    gist: "A server that is asked to send what waits for a host decides whether it does, and answers before it is done.",
};

impl Server {
    /// ETRN (RFC 1985 §5): any time in a session, but not in a transaction.
    pub(super) fn etrn(mut self, cx: &mut Cx<Self>, flush: Flush, state: State) -> Self {
        if !matches!(state, State::Greeted) {
            let text = match state {
                State::Connected => "Say EHLO first",
                _ => "ETRN stands outside a transaction",
            };
            return self.mistake(cx, &Reply::new(503, "5.5.1", text), &ORDER, state);
        }
        if self.is_tired() {
            self.state = state;
            return self.end_tired(cx);
        }
        let node = match &flush {
            Flush::Node(node) => node.clone(),
            Flush::Subdomains(domain) => [b"@", &domain[..]].concat(),
            Flush::Queue(queue) => [b"#", &queue[..]].concat(),
        };
        cx.ask(Ask::Flush(flush));
        self.go(cx, State::Asking(Box::new(Pending::Flush(node))))
    }

    pub(super) fn flush_answered(
        self,
        cx: &mut Cx<Self>,
        node: Vec<u8>,
        answer: Answer,
    ) -> Result<Self, (Self, Misuse)> {
        let reply = match answer {
            Answer::Flushing(count) => {
                let (code, head): (u16, _) = match count {
                    None => (250, "Queuing for node ".into()),
                    Some(0) => (251, "No messages waiting for node ".into()),
                    Some(count) => (253, format!("{count} pending messages for node ")),
                };
                let tail: &[u8] = if count == Some(0) { b"" } else { b" started" };
                let text = [head.as_bytes(), &node, tail].concat();
                Reply::made(code, "2.0.0", text)
            }
            Answer::Refused(refusal) => flush_refused(&refusal),
            _ => return Err(self.wrong_answer(Pending::Flush(node))),
        };
        reply.send_because(cx, self.common.enhanced(), &FLUSH);
        Ok(self.go(cx, State::Greeted))
    }

    /// VRFY and EXPN (RFC 5321 §3.5).
    pub(super) fn names(self, cx: &mut Cx<Self>, state: State, ask: Ask) -> Self {
        if !self.common.config.verify {
            return self.idle_command(cx, state, &Reply::new(252, "2.5.0", CANNOT_VERIFY));
        }
        cx.ask(ask);
        self.go(cx, State::Asking(Box::new(Pending::Names(state))))
    }

    pub(super) fn names_answered(
        mut self,
        cx: &mut Cx<Self>,
        before: State,
        answer: Answer,
    ) -> Result<Self, (Self, Misuse)> {
        match answer {
            Answer::Mailboxes(mailboxes) if !mailboxes.is_empty() => {
                // Who only asks for names is no client with mail.
                if self.is_tired() {
                    self.state = before;
                    return Ok(self.end_tired(cx));
                }
                for (at, mailbox) in mailboxes.iter().enumerate() {
                    let separator = if at + 1 < mailboxes.len() { '-' } else { ' ' };
                    cx.send(
                        format!("250{separator}").as_bytes(),
                        "reply code",
                        Some(&super::reply::REPLY),
                    );
                    cx.send(b"2.0.0 ", "enhanced code", None);
                    cx.send(&[b"<", &print_mailbox(mailbox)[..], b">"].concat(), "mailbox", None);
                    cx.send(b"\r\n", "CRLF", None);
                }
                Ok(self.go(cx, before))
            }
            Answer::Refused(refusal) => {
                Ok(self.idle_command(cx, before, &refused(About::Name, &refusal)))
            }
            _ => Err(self.wrong_answer(Pending::Names(before))),
        }
    }
}
