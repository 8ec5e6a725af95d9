//! The IMAP client (RFC 9051, RFC 3501): states and flow of the side that reads and changes mailboxes on a server.
//! Every call ends in exactly one `completed` event, whatever the server does; what to do then is the host's.

mod calls;
mod command;
mod commands;
mod ending;
mod expected;
mod fetched;
mod idle;
pub(super) mod incoming;
mod line;
mod login;
mod offer;
mod opening;
mod program;
mod remaining;
mod results;
mod scan;
mod sending;
mod shape;
mod status;
mod structure;
pub mod types;
mod untagged;
mod values;
mod wording;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::role::{Cx, Line, Role, TextEnd, Want};
use crate::trace::Rule;
use crate::types::{AskId, Misuse, TlsFacts};

use calls::{Context, Sent};
use idle::Idle;
use incoming::Input;
use login::Login;
use offer::Offered;
use opening::Asked;
use sending::Outgoing;
use types::{Answer, Ask, Call, Cause, Config, Event, Failure, IdField, Opened, TlsPolicy};

/// The rules that this side follows.
pub const RULES: &[&Rule] = &[
    &incoming::RESPONSE,
    &incoming::LITERAL,
    &opening::CAPABILITY,
    &opening::START_TLS,
    &opening::PREAUTH,
    &opening::ENABLE,
    &opening::ID,
    &login::AUTHENTICATE,
    &login::LOGIN,
    &sending::LITERAL,
    &sending::APPEND,
    &calls::TAG,
    &calls::PIPELINING,
    &calls::COMPRESS,
    &idle::IDLE,
    &ending::LOGOUT,
    &ending::BYE,
];

/// The IMAP client role.
pub struct Client {
    common: Box<Common>,
    state: State,
    input: Box<Input>,
    /// The state that a reader was told last.
    told: &'static str,
}

/// What is true in every state.
struct Common {
    config: Config,
    /// What the server offers, once it has said so.
    offered: Option<Offered>,
    /// What the server said of itself.
    server: Vec<IdField>,
    /// What was enabled, in upper case.
    enabled: Vec<Vec<u8>>,
    preauth: bool,
    /// Both directions are compressed.
    compressed: bool,
    /// The server said what it offers while a login was under way.
    told_with_login: bool,
    /// What the handshake gave, once TLS is up.
    tls: Option<TlsFacts>,
    /// The tag given out last.
    tag: u32,
    /// Calls that wait, in order.
    waiting: VecDeque<Call>,
    /// Commands whose tagged responses are due, in order.
    sent: VecDeque<Sent>,
    /// A command that is not wholly sent.
    outgoing: Option<Outgoing>,
    /// IDLE, from its command to its end.
    idle: Option<Idle>,
    /// Searches of the open mailbox that the server keeps up to date.
    contexts: Vec<Context>,
    /// A mailbox that is being opened.
    opening: Option<Opened>,
    /// A response was dropped since nothing was due last.
    incomplete: bool,
    /// `Command::Logout` was called.
    quitting: bool,
    /// `Event::Done` was said.
    done: bool,
    logins: u32,
    /// What the server said to the last login that it refused.
    login_refusal: Option<Failure>,
}

impl Common {
    /// What the server offers; nothing as long as it is not known.
    fn offered(&self) -> &Offered {
        const NOTHING: &Offered =
            &Offered { names: Vec::new(), utf8: false, rev2: false, everything: false };
        self.offered.as_ref().unwrap_or(NOTHING)
    }

    /// What the server said of itself is to be asked for again.
    fn forget_server(&mut self) {
        self.offered = None;
        self.enabled.clear();
        self.server.clear();
        self.incomplete = false;
    }

    fn has(&self, name: &str) -> bool {
        self.offered().has(name)
    }

    fn has_enabled(&self, name: &str) -> bool {
        self.enabled.iter().any(|other| other == name.as_bytes())
    }
}

enum State {
    /// Before the server's greeting.
    Greeting,
    /// The handshake is under way.
    Securing,
    /// A command of our own is due.
    Asking(Asked),
    /// A login is under way.
    LoggingIn(Box<Login>),
    /// Calls are worked on.
    Open,
    /// LOGOUT was sent, and nothing of its response matters.
    LoggingOut,
    /// Over.
    Closed,
}

impl State {
    /// Its name for a reader.
    fn name(&self) -> &'static str {
        match self {
            Self::Greeting => "Connected",
            Self::Securing => "Securing",
            Self::Asking(Asked::Enable | Asked::Id | Asked::CapabilityLoggedIn) | Self::Open => {
                "Authenticated"
            }
            Self::Asking(_) => "Not Authenticated",
            Self::LoggingIn(_) => "Authenticating",
            Self::LoggingOut => "Logout",
            Self::Closed => "Closed",
        }
    }

    /// Whether a tagged response that came before our last words is not the server's.
    fn is_in_step(&self) -> bool {
        matches!(self, Self::Asking(_) | Self::LoggingIn(_))
    }
}

impl Role for Client {
    type Config = Config;
    type Ask = Ask;
    type Answer = Answer;
    type Call = Call;
    type Event = Event;

    fn start(config: Config, cx: &mut Cx<Self>) -> Self {
        cx.trace(config.trace);
        let common = Common {
            config,
            offered: None,
            server: Vec::new(),
            enabled: Vec::new(),
            preauth: false,
            compressed: false,
            told_with_login: false,
            tls: None,
            tag: 0,
            waiting: VecDeque::new(),
            sent: VecDeque::new(),
            outgoing: None,
            idle: None,
            contexts: Vec::new(),
            opening: None,
            incomplete: false,
            quitting: false,
            done: false,
            logins: 0,
            login_refusal: None,
        };
        let implicit = common.config.tls == TlsPolicy::Implicit;
        let state = if implicit { State::Securing } else { State::Greeting };
        let told = state.name();
        let client = Self {
            common: Box::new(common),
            state: State::Closed,
            input: Box::new(Input::Between),
            told,
        };
        if implicit {
            cx.start_tls();
        }
        client.go(cx, state)
    }

    fn want(&self) -> Want {
        match (&self.state, &*self.input) {
            (State::Closed, _) => Want::Nothing,
            (State::Securing, _) => Want::Secured,
            // Only once a chunk is stored is the next one read: so memory stays bounded.
            (_, Input::Chunk(..) | Input::Strings(..)) => Want::Answer,
            (_, Input::Literal(_, left) | Input::Body(_, _, left)) => Want::Octets { left: *left },
            (State::Open, Input::Between) if self.has_content() => Want::Room,
            (_, Input::Between | Input::Line(_)) => Want::Line { max: self.line_max() },
        }
    }

    fn on_line(mut self, cx: &mut Cx<Self>, line: Line) -> Self {
        match core::mem::replace(&mut *self.input, Input::Between) {
            Input::Line(response) => self.line_came(cx, *response, line),
            _ => {
                let early = self.state.is_in_step() && cx.is_early(line.start);
                if early && !line.octets.starts_with(b"* ") {
                    cx.note_received(line.start, line.end, "unparsed", Some(&incoming::RESPONSE));
                    return self.out_of_step(cx);
                }
                self.line_came(cx, incoming::Response::default(), line)
            }
        }
    }

    fn on_octets(mut self, cx: &mut Cx<Self>, octets: Vec<u8>) -> Self {
        match core::mem::replace(&mut *self.input, Input::Between) {
            Input::Literal(response, left) => self.literal_came(cx, response, left, octets),
            Input::Body(response, body, left) => self.body_came(cx, response, body, left, octets),
            input => {
                *self.input = input;
                self
            }
        }
    }

    fn on_text(self, _cx: &mut Cx<Self>, _octets: Vec<u8>, _end: Option<TextEnd>) -> Self {
        self
    }

    fn on_end(self, cx: &mut Cx<Self>) -> Self {
        if matches!(self.state, State::LoggingOut) {
            return self.close(cx);
        }
        self.lost(cx, Failure::ours(Cause::Lost, "The server closed the connection"))
    }

    fn on_secured(mut self, cx: &mut Cx<Self>, facts: TlsFacts) -> Self {
        self.common.tls = Some(facts);
        *self.input = Input::Between;
        if self.common.config.tls == TlsPolicy::Implicit {
            // RFC 8314 §3: the server speaks first, as it would in the clear.
            return self.go(cx, State::Greeting);
        }
        // RFC 9051 §6.2.1: what the server said before, or whoever could write into the clear, is forgotten.
        self.common.forget_server();
        self.ask(cx, Asked::Capability)
    }

    fn on_answer(
        mut self,
        cx: &mut Cx<Self>,
        _id: AskId,
        answer: Answer,
    ) -> Result<Self, (Self, Misuse)> {
        let taken = match (&self.state, answer) {
            (State::LoggingIn(_), Answer::Login(secret)) => {
                let State::LoggingIn(login) = core::mem::replace(&mut self.state, State::Closed)
                else {
                    return Ok(self);
                };
                return self.login_answered(cx, *login, secret);
            }
            (State::LoggingIn(_), _) | (_, Answer::Login(_)) => {
                return Err((self, Misuse::WrongAnswer));
            }
            (_, Answer::Done) => true,
            (_, Answer::Refused(_)) => false,
        };
        match core::mem::replace(&mut *self.input, Input::Between) {
            Input::Chunk(response, body, left) => {
                Ok(self.chunk_answered(cx, response, body, left, taken))
            }
            Input::Strings(url, strings, events) => {
                Ok(self.strings_answered(cx, url, strings, events, taken))
            }
            input => {
                *self.input = input;
                Err((self, Misuse::WrongAnswer))
            }
        }
    }

    fn on_call(self, cx: &mut Cx<Self>, call: Call) -> Result<Self, (Self, Misuse)> {
        self.called(cx, call)
    }

    fn on_deadline(self, cx: &mut Cx<Self>) -> Self {
        if matches!(self.common.idle, Some(Idle::Waiting { .. })) {
            return self.renew_idle(cx);
        }
        self.lost(cx, Failure::ours(Cause::Timeout, "The server did not answer in time"))
    }

    fn on_room(self, cx: &mut Cx<Self>) -> Self {
        self.send_content(cx)
    }
}

impl Client {
    /// Goes to a state.
    fn go(mut self, cx: &mut Cx<Self>, state: State) -> Self {
        cx.note_state(self.told, state.name());
        self.told = state.name();
        self.state = state;
        self.rest(cx)
    }

    /// Sets how long the server may be silent from now on.
    fn rest(self, cx: &mut Cx<Self>) -> Self {
        let timeouts = self.common.config.timeouts;
        let idle = match self.common.idle {
            Some(Idle::Waiting { until_ms }) => Some(until_ms),
            _ => None,
        };
        match (&self.state, &*self.input) {
            (State::Closed, _) | (_, Input::Chunk(..) | Input::Strings(..)) => cx.no_deadline(),
            (State::LoggingIn(login), _) if login.is_asking() => cx.no_deadline(),
            (State::Open, Input::Between) if idle.is_some() => {
                let until = idle.unwrap_or_default();
                cx.deadline_in(until.saturating_sub(cx.now.monotonic_ms));
            }
            (State::Open, Input::Between) if self.common.sent.is_empty() => cx.no_deadline(),
            _ => cx.deadline_in(timeouts.reply_ms),
        }
        self
    }

    fn line_max(&self) -> usize {
        let limits = &self.common.config.limits;
        let max = match self.state {
            State::Open | State::LoggingOut => limits.line_after_login_max,
            State::LoggingIn(_) => limits.line_max.max(limits.auth_line_max),
            _ => limits.line_max,
        };
        max as usize
    }

    /// The server said something that fits no command: which response is for which is not known any more.
    fn out_of_step(self, cx: &mut Cx<Self>) -> Self {
        self.defect(cx, "A response came that fits no command.");
        self.lost(cx, Failure::ours(Cause::Malformed, "The server's response fits no command"))
    }

    /// Tells the host that the server broke a rule.
    fn defect(&self, cx: &mut Cx<Self>, words: &str) {
        cx.note_defect(&incoming::RESPONSE);
        cx.event(Event::Defect(words.as_bytes().to_vec()));
    }
}
