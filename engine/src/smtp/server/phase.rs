//! Faults on purpose: at each phase the host may have other words said than this server's own, if it wants to be asked.
//! Which fault strikes, and when, is the host's business; here is only the way there and back.

use alloc::boxed::Box;

use super::content::Content;
use super::pace::Pace;
use super::reply::Reply;
use super::{Pending, Server, State};
use crate::role::Cx;
use crate::smtp::grammar::Command;
use crate::smtp::types::{Answer, Ask, Committed, Event, Phase};
use crate::types::{Instead, Misuse};

/// What goes on once the host has had its say.
pub(super) enum Held {
    /// The greeting.
    Greeting,
    /// A command, in the state that it came in.
    Command(Command, State),
    /// A whole message that the host was not asked to make durable yet.
    Whole(Box<Content>),
    /// A durable message whose client was not told yet.
    Committed(Box<Content>, Committed),
}

impl Held {
    /// The state before, for a reader.
    pub(super) fn state_name(&self) -> &'static str {
        match self {
            Self::Greeting => State::Connected.name(),
            Self::Command(_, state) => state.name(),
            Self::Whole(_) | Self::Committed(..) => "Data",
        }
    }
}

impl Server {
    /// Greets, after the host had its say.
    pub(super) fn begin(self, cx: &mut Cx<Self>) -> Self {
        if self.common.config.faults {
            return self.at_phase(cx, Phase::Connected, Held::Greeting);
        }
        self.say_greeting(cx);
        self.go(cx, State::Connected)
    }

    /// Does a command, after the host had its say.
    pub(super) fn meet(self, cx: &mut Cx<Self>, command: Command, state: State) -> Self {
        let asked = self.common.config.faults.then(|| phase(&command, &state)).flatten();
        match asked {
            Some(phase) => self.at_phase(cx, phase, Held::Command(command, state)),
            None => self.command(cx, command, state),
        }
    }

    pub(super) fn at_phase(self, cx: &mut Cx<Self>, phase: Phase, held: Held) -> Self {
        cx.ask(Ask::Phase(phase));
        self.go(cx, State::Asking(Box::new(Pending::Phase(held))))
    }

    pub(super) fn phase_answered(
        mut self,
        cx: &mut Cx<Self>,
        held: Held,
        answer: Answer,
    ) -> Result<Self, (Self, Misuse)> {
        match (held, answer) {
            (held, Answer::Done) => {
                self.common.hidden.clear();
                Ok(self.go_on(cx, held))
            }
            (held, Answer::Instead(instead)) => match Reply::instead(instead) {
                Some((reply, close)) => Ok(self.say_instead(cx, held, &reply, close)),
                None => {
                    let (server, _) = self.wrong_answer(Pending::Phase(held));
                    Err((server, Misuse::BadValue))
                }
            },
            (
                held @ Held::Command(Command::Ehlo(_) | Command::Helo(_) | Command::Lhlo(_), _),
                Answer::Hiding(keywords),
            ) => {
                self.common.hidden = keywords;
                Ok(self.go_on(cx, held))
            }
            (held, _) => Err(self.wrong_answer(Pending::Phase(held))),
        }
    }

    /// What would have been, had nobody been asked.
    fn go_on(self, cx: &mut Cx<Self>, held: Held) -> Self {
        match held {
            Held::Greeting => {
                self.say_greeting(cx);
                self.go(cx, State::Connected)
            }
            Held::Command(command, state) => self.command(cx, command, state),
            Held::Whole(content) => self.commit(cx, content),
            Held::Committed(content, committed) => self.accepted(cx, &content, &committed),
        }
    }

    /// The host's words, and the state as if the command had been refused with them.
    fn say_instead(mut self, cx: &mut Cx<Self>, held: Held, reply: &Reply, close: bool) -> Self {
        let state = match held {
            Held::Greeting => State::Connected,
            Held::Command(Command::Bdat(size, last), state) if !close => {
                return self.refuse_chunk(cx, size, last, state, reply);
            }
            Held::Command(command, state) => {
                self.common.alone = is_alone(&command);
                if !close {
                    return self.idle_command(cx, state, reply);
                }
                state
            }
            Held::Whole(content) => {
                cx.event(Event::Reset);
                self.reply_each(cx, &content, |_| reply.clone());
                return if close { self.close(cx) } else { self.go(cx, State::Greeted) };
            }
            // It stays durable: the client was told otherwise, and that is the fault.
            Held::Committed(content, _) => {
                self.reply_each(cx, &content, |_| reply.clone());
                return if close { self.close(cx) } else { self.go(cx, State::Greeted) };
            }
        };
        if close {
            self.state = state;
            return self.end(cx, reply);
        }
        self.reply(cx, reply);
        self.go(cx, state)
    }

    /// RFC 3030 §2: the octets of a chunk come whatever is said to it, so they are read first.
    fn refuse_chunk(
        mut self,
        cx: &mut Cx<Self>,
        size: u64,
        last: bool,
        state: State,
        reply: &Reply,
    ) -> Self {
        let mut content = match state {
            State::Chunking(content) => content,
            State::RcptGiven(tx) => self.content(cx, *tx, false),
            state => {
                self.common.pace = Pace::new(cx);
                return self.go(cx, State::Discard(size, reply.clone(), Box::new(state)));
            }
        };
        if content.refused.replace(reply.clone()).is_none() {
            cx.event(Event::Reset);
        }
        self.go(cx, State::Chunk(content, size, last))
    }
}

impl Reply {
    /// The host's words and whether they are the last; none if they are not fit for a reply.
    fn instead(instead: Instead) -> Option<(Self, bool)> {
        let fit = instead.is_fit() && (400..600).contains(&instead.code);
        fit.then(|| (Self::plain(instead.code, instead.text), instead.close))
    }
}

/// The phase of a command; none for one that the host has no say in: a chunk that belongs to no transaction.
fn phase(command: &Command, state: &State) -> Option<Phase> {
    let other = |verb: &[u8]| Phase::Other(verb.to_vec());
    Some(match command {
        Command::Ehlo(name) | Command::Helo(name) | Command::Lhlo(name) => {
            Phase::Hello(name.clone())
        }
        Command::Auth(mechanism, _) => Phase::Auth(*mechanism),
        Command::Mail(mail) => Phase::Mail(mail.from.clone()),
        Command::Rcpt(rcpt) => Phase::Rcpt(rcpt.clone()),
        Command::Data => Phase::Data,
        Command::Bdat(..) => match state {
            State::RcptGiven(_) | State::Chunking(_) => Phase::Data,
            _ => return None,
        },
        Command::Quit => Phase::Quit,
        Command::Rset => other(b"RSET"),
        Command::Noop => other(b"NOOP"),
        Command::Vrfy(_) => other(b"VRFY"),
        Command::Expn(_) => other(b"EXPN"),
        Command::Help => other(b"HELP"),
        Command::StartTls => other(b"STARTTLS"),
        Command::Etrn(_) => other(b"ETRN"),
        Command::Xclient(_) => other(b"XCLIENT"),
    })
}

/// Whether a command has to be the last one of a group (RFC 2920 §3.1).
fn is_alone(command: &Command) -> bool {
    matches!(command, Command::Ehlo(_) | Command::Helo(_) | Command::Lhlo(_) | Command::Auth(..))
}
