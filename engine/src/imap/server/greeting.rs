//! The greeting (RFC 9051 §7.1): OK, or PREAUTH for a peer whose account is known beforehand, or BYE. With faults on
//! purpose the host has its say first.

use alloc::boxed::Box;

use super::reply::{self, Reply};
use super::state::State;
use super::{Doing, Server};
use crate::imap::types::{Answer, Ask};
use crate::role::Cx;
use crate::sasl::{Credentials, LoginAnswer};
use crate::trace::Rule;
use crate::types::{Misuse, Phase, Refusal};

/// RFC 9051 §7.1.4.
pub(super) const PREAUTH: Rule = Rule {
    rfc: 9051,
    section: "7.1.4",
    gist: "A PREAUTH greeting says that the peer is logged in already, by means outside of the protocol.",
};

impl Server {
    /// Greets, after the host had its say.
    pub(super) fn begin(mut self, cx: &mut Cx<Self>) -> Self {
        if self.base.config.faults {
            cx.ask(Ask::Phase(Phase::Connected));
            self.doing = Doing::Greeting;
            return self.settle(cx);
        }
        self.greet(cx)
    }

    /// RFC 9051 §7.1.5: a greeting that is BYE says that there will be no session, whatever the host wants after it.
    pub(super) fn greeting_answered(
        mut self,
        cx: &mut Cx<Self>,
        answer: Answer,
    ) -> (Self, Option<Misuse>) {
        match answer {
            Answer::Done => (self.greet(cx), None),
            Answer::Instead(instead) if instead.is_fit() => {
                reply::send_bye(cx, None, &instead.text);
                (self.close(cx), None)
            }
            answer => {
                self.doing = Doing::Greeting;
                let bad_value = matches!(answer, Answer::Instead(_));
                (self, Some(if bad_value { Misuse::BadValue } else { Misuse::WrongAnswer }))
            }
        }
    }

    /// Greets, or asks first whether the peer is who the configuration says. That it is configured is not enough: the
    /// host binds the connection to the account as at every login, and may know that there is none.
    fn greet(mut self, cx: &mut Cx<Self>) -> Self {
        match self.base.config.preauth.clone() {
            Some(name) => {
                cx.ask(Ask::Login(Credentials::Preauthenticated(name)));
                self.doing = Doing::Admitting;
            }
            None => {
                let list = self.base.capabilities(false);
                reply::send_greeting(cx, &list, &self.base.config.host_name, None);
                self.doing = Doing::Command(Box::default());
            }
        }
        self.settle(cx)
    }

    /// Goes on with what the host says to that.
    pub(super) fn admitted(mut self, cx: &mut Cx<Self>, answer: Answer) -> (Self, Option<Misuse>) {
        match answer {
            Answer::Login(LoginAnswer::Accepted(_)) => {
                cx.note_state(self.state.name(), State::Authenticated.name());
                self.state = State::Authenticated;
                let list = self.base.capabilities(true);
                reply::send_greeting(cx, &list, &self.base.config.host_name, Some(&PREAUTH));
                self.doing = Doing::Command(Box::default());
                (self.settle(cx), None)
            }
            Answer::Login(LoginAnswer::Refused(refusal)) | Answer::Refused(refusal) => {
                (self.turned_away(cx, refusal), None)
            }
            _ => {
                self.doing = Doing::Admitting;
                (self, Some(Misuse::WrongAnswer))
            }
        }
    }

    /// There is nobody else that the peer could be, so it is not asked to log in.
    fn turned_away(self, cx: &mut Cx<Self>, refusal: Refusal) -> Self {
        Reply::refused(refusal).send_bye(cx);
        self.close(cx)
    }
}
