//! Faults on purpose: at each command the host may have other words said than this server's own, if it wants to be asked.
//! Which fault strikes, and when, is the host's business; here is only the way there and back.

use alloc::boxed::Box;

use super::{Server, State};
use crate::pop3::grammar::Command;
use crate::pop3::types::{Answer, Ask};
use crate::role::{Cx, Line};
use crate::types::{Misuse, Phase};

/// What goes on once the host has had its say.
pub(super) enum Held {
    /// The greeting.
    Greeting,
    /// A command, in the state that it came in.
    Command(Command, State),
}

impl Held {
    /// The state before, for a reader.
    pub(super) fn state_name(&self) -> &'static str {
        match self {
            Self::Greeting => State::Authorization(None).name(),
            Self::Command(_, state) => state.name(),
        }
    }
}

impl Server {
    /// Greets, after the host had its say.
    pub(super) fn begin(self, cx: &mut Cx<Self>) -> Self {
        if self.common.config.faults {
            cx.ask(Ask::Phase(Phase::Connected));
            return self.go(cx, State::Held(Box::new(Held::Greeting)));
        }
        self.say_greeting(cx);
        self.go(cx, State::Authorization(None))
    }

    /// Does a command, after the host had its say.
    pub(super) fn meet(
        self,
        cx: &mut Cx<Self>,
        line: &Line,
        command: Command,
        state: State,
    ) -> Self {
        if !self.common.config.faults {
            return self.command(cx, command, state);
        }
        let verb = line.octets.split(|&octet| octet == b' ').next().unwrap_or_default();
        cx.ask(Ask::Phase(Phase::Command(verb.to_ascii_uppercase())));
        self.go(cx, State::Held(Box::new(Held::Command(command, state))))
    }

    pub(super) fn phase_answered(
        self,
        cx: &mut Cx<Self>,
        held: Held,
        answer: Answer,
    ) -> Result<Self, (Self, Misuse)> {
        match (held, answer) {
            (Held::Greeting, Answer::Done) => {
                self.say_greeting(cx);
                Ok(self.go(cx, State::Authorization(None)))
            }
            (Held::Command(command, state), Answer::Done) => Ok(self.command(cx, command, state)),
            (held, Answer::Instead(instead)) if instead.is_fit() => {
                self.respond(cx, b"-ERR", &instead.text);
                Ok(match held {
                    // RFC 1939 §6: a connection that is closed so removes nothing.
                    Held::Command(_, state) if !instead.close => self.go(cx, state),
                    // RFC 1939 §3: a greeting is positive; after another there is no session.
                    _ => self.close(cx),
                })
            }
            (held, answer) => {
                let (server, misuse) = self.wrong_answer(State::Held(Box::new(held)));
                let bad_value = matches!(answer, Answer::Instead(_));
                Err((server, if bad_value { Misuse::BadValue } else { misuse }))
            }
        }
    }
}
