//! AUTH (RFC 4954): the exchange, and what the host says to its end.

use alloc::boxed::Box;

use super::reply::{Reply, login_refused};
use super::{Pending, Server, State, is_whole};
use crate::role::{Cx, Line};
use crate::sasl::server::{Exchange, Step};
use crate::sasl::{LoginAnswer, Mechanism};
use crate::smtp::types::Ask;
use crate::trace::Rule;
use crate::types::Misuse;

/// RFC 2554 §4, which RFC 4954 §4 keeps.
pub(super) const RESPONSE: Rule = Rule {
    rfc: 2554,
    section: "4",
    gist: "Challenges and responses of AUTH are lines of base64; a lone * cancels.",
};

impl Server {
    pub(super) fn begin_auth(
        self,
        cx: &mut Cx<Self>,
        mechanism: Mechanism,
        initial: Option<&[u8]>,
    ) -> Self {
        let step = Exchange::start(mechanism, initial, self.common.terms());
        self.auth_step(cx, step)
    }

    pub(super) fn auth_response(mut self, cx: &mut Cx<Self>, line: &Line) -> Self {
        let state = core::mem::replace(&mut self.state, State::Greeted);
        let State::Authenticating(exchange) = state else {
            self.state = state;
            return self;
        };
        cx.note_secret(line.start, line.end - 2, "response");
        cx.note_received(line.end - 2, line.end, "CRLF", Some(&RESPONSE));
        if !is_whole(line) {
            let reply = Reply::new(500, "5.5.6", "Authentication exchange line is too long");
            return self.mistake(cx, &reply, &RESPONSE, State::Greeted);
        }
        let step = match line.fault {
            Some(_) => Step::Malformed(&RESPONSE),
            None => exchange.respond(&line.octets, self.common.terms()),
        };
        self.auth_step(cx, step)
    }

    fn auth_step(mut self, cx: &mut Cx<Self>, step: Step) -> Self {
        match step {
            Step::Challenge(exchange, challenge) => {
                self.reply(cx, &Reply::plain(334, challenge));
                self.go(cx, State::Authenticating(exchange))
            }
            Step::Ask(exchange, credentials) => {
                cx.ask(Ask::Login(credentials));
                self.go(cx, State::Asking(Box::new(Pending::Login(exchange))))
            }
            Step::Accepted(account) => {
                self.common.account = Some(account.name);
                self.common.idle_commands = 0;
                self.say(cx, 235, "2.7.0", "Authentication successful");
                self.go(cx, State::Greeted)
            }
            Step::Refused(refusal, rule) => {
                let rule = rule.unwrap_or(&RESPONSE);
                self.refuse(cx, &login_refused(&refusal), rule, State::Greeted)
            }
            Step::Cancelled => {
                let reply = Reply::new(501, "5.7.0", "Authentication cancelled");
                self.mistake(cx, &reply, &RESPONSE, State::Greeted)
            }
            Step::Malformed(rule) => {
                let reply = Reply::new(501, "5.5.2", "Cannot decode the response");
                self.mistake(cx, &reply, rule, State::Greeted)
            }
        }
    }

    pub(super) fn login_answered(
        self,
        cx: &mut Cx<Self>,
        exchange: Exchange,
        answer: LoginAnswer,
    ) -> Result<Self, (Self, Misuse)> {
        match exchange.answered(answer) {
            Ok(step) => Ok(self.auth_step(cx, step)),
            Err((exchange, misuse)) => {
                let (server, _) = self.wrong_answer(Pending::Login(exchange));
                Err((server, misuse))
            }
        }
    }
}
