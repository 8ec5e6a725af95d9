//! VRFY and EXPN (RFC 5321 §3.5): what a name stands for, which by default is told to nobody.

use alloc::boxed::Box;
use alloc::format;

use super::reply::{About, CANNOT_VERIFY, Reply, refused};
use super::{Pending, Server, State};
use crate::role::Cx;
use crate::smtp::grammar::print_mailbox;
use crate::smtp::types::{Answer, Ask};
use crate::types::Misuse;

impl Server {
    /// VRFY and EXPN (RFC 5321 §3.5).
    pub(super) fn names(self, cx: &mut Cx<Self>, state: State, ask: Ask) -> Self {
        if !self.common.config.verify {
            return self.idle_command(cx, state, &Reply::new(252, "2.5.0", CANNOT_VERIFY));
        }
        cx.ask(ask);
        self.go(cx, State::Asking(Box::new(Pending::Names(state))))
    }

    pub(super) fn names_answered(
        self,
        cx: &mut Cx<Self>,
        before: State,
        answer: Answer,
    ) -> Result<Self, (Self, Misuse)> {
        match answer {
            Answer::Mailboxes(mailboxes) if !mailboxes.is_empty() => {
                for (at, mailbox) in mailboxes.iter().enumerate() {
                    let separator = if at + 1 < mailboxes.len() { '-' } else { ' ' };
                    let head = format!("250{separator}2.0.0 <");
                    let line = [head.as_bytes(), &print_mailbox(mailbox), b">\r\n"];
                    cx.send(&line.concat(), "mailbox", None);
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
