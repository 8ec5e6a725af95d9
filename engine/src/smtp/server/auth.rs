//! AUTH (RFC 4954): the exchange, and what the host says to its end.

use alloc::boxed::Box;

use super::reply::{Reply, login_refused};
use super::{Pending, Server, State, is_whole};
use crate::role::{Cx, Line};
use crate::sasl::server::{Exchange, Step};
use crate::sasl::{LoginAnswer, Mechanism};
use crate::smtp::types::Ask;
use crate::trace::Rule;

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
        let step = Exchange::start(mechanism, initial);
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
        let step =
            if line.fault.is_some() { Step::Malformed } else { exchange.respond(&line.octets) };
        self.auth_step(cx, step)
    }

    fn auth_step(self, cx: &mut Cx<Self>, step: Step) -> Self {
        match step {
            Step::Challenge(exchange, challenge) => {
                self.reply(cx, &Reply::plain(334, challenge));
                self.go(cx, State::Authenticating(exchange))
            }
            Step::Ask(credentials) => {
                cx.ask(Ask::Login(credentials));
                self.go(cx, State::Asking(Box::new(Pending::Login)))
            }
            Step::Cancelled => {
                let reply = Reply::new(501, "5.7.0", "Authentication cancelled");
                self.mistake(cx, &reply, &RESPONSE, State::Greeted)
            }
            Step::Malformed => {
                let reply = Reply::new(501, "5.5.2", "Cannot decode the response");
                self.mistake(cx, &reply, &RESPONSE, State::Greeted)
            }
        }
    }

    pub(super) fn logged_in(mut self, cx: &mut Cx<Self>, answer: LoginAnswer) -> Self {
        match answer {
            LoginAnswer::Accepted(account) => {
                self.common.account = Some(account.name);
                self.common.idle_commands = 0;
                self.say(cx, 235, "2.7.0", "Authentication successful");
                self.go(cx, State::Greeted)
            }
            LoginAnswer::Refused(refusal) => {
                self.mistake(cx, &login_refused(&refusal), &RESPONSE, State::Greeted)
            }
            LoginAnswer::ScramParameters(_) => {
                // No exchange that this session begins asks for them.
                let reply = Reply::new(454, "4.7.0", "Temporary authentication failure");
                self.reply(cx, &reply);
                self.go(cx, State::Greeted)
            }
        }
    }
}
