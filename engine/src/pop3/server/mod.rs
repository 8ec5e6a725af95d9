//! The POP3 server (RFC 1939): AUTHORIZATION, TRANSACTION and UPDATE, each a state that owns only what is true in it.

mod authorization;
mod capability;
mod expected;
mod language;
mod listing;
pub(super) mod note;
mod phase;
mod reply;
mod retrieval;
mod transaction;
mod words;

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::grammar::{self, Command, Syntax};
use super::types::{Answer, Ask, Call, Config, Event};
use crate::role::{Cx, Line, LineFault, Role, TextEnd, Want};
use crate::sasl::server::{Exchange, Terms};
use crate::trace::Rule;
use crate::types::{AskId, Farewell, Misuse, Refusal, TlsFacts, TlsOffer};

use listing::Listing;
use note::{is_secret, note_command};
use phase::Held;
pub use reply::farewell;
use reply::{code_length, farewell_text, refused};
use retrieval::Retrieval;
use transaction::Maildrop;
pub use words::Words;

/// RFC 1939 §3.
const RESPONSE: Rule = Rule {
    rfc: 1939,
    section: "3",
    gist: "A response begins with +OK or -ERR; a long one ends with a line that is a single dot.",
};
/// RFC 2449 §4.
pub(super) const LINE: Rule = Rule {
    rfc: 2449,
    section: "4",
    gist: "A command line has at most 255 octets and ends with CRLF.",
};
/// RFC 1939 §3.
const FOREIGN: Rule = Rule {
    rfc: 1939,
    section: "3",
    gist: "Commands are keywords of printable ASCII; another protocol on this port is told so and shown out.",
};
/// RFC 1939 §3.
const STATE: Rule = Rule {
    rfc: 1939,
    section: "3",
    gist: "Which commands are valid depends on the state: AUTHORIZATION or TRANSACTION.",
};

/// RFC 1939 §3.
const UNKNOWN: Rule = Rule {
    rfc: 1939,
    section: "3",
    gist: "A command that is unknown, or not implemented, is answered with -ERR.",
};
/// RFC 1939 §3.
const ARGUMENT: Rule = Rule {
    rfc: 1939,
    section: "3",
    gist: "Each command has its own arguments, parted by one space; with others it is answered with -ERR.",
};
/// RFC 1939 §5.
const NUMBER: Rule = Rule {
    rfc: 1939,
    section: "5",
    gist: "Messages are numbered from 1; a number that no message has is answered with -ERR.",
};
/// RFC 2595 §4.
const NO_TLS: Rule = Rule {
    rfc: 2595,
    section: "4",
    gist: "STLS is for a server that offers it, before the login and once; else it is answered with -ERR.",
};

/// The rules that this side follows.
pub(super) const RULES: &[&Rule] = &[
    &RESPONSE,
    &LINE,
    &FOREIGN,
    &STATE,
    &UNKNOWN,
    &ARGUMENT,
    &NUMBER,
    &NO_TLS,
    &transaction::UPDATE,
    &retrieval::STUFFING,
    &retrieval::SURROGATE,
    &authorization::SECRET,
    &language::LANG,
    &language::UTF8,
];

/// The POP3 server role.
pub struct Server {
    common: Box<Common>,
    state: State,
    /// The state that a reader was told last.
    told: &'static str,
}

struct Common {
    config: Config,
    tls: Option<TlsFacts>,
    /// RFC 6856 §2.1: the client said that it takes UTF-8.
    utf8: bool,
    errors: u32,
    /// Commands since the last that moved something on.
    idle_commands: u32,
    /// The first line was read.
    begun: bool,
    farewell: Option<Farewell>,
}

impl Common {
    /// What it says in place of its own words.
    fn words(&self) -> Option<&'static Words> {
        Words::of(self.config.persona)
    }

    fn is_secured(&self) -> bool {
        self.tls.is_some()
    }

    /// On what terms the peer may log in now.
    fn terms(&self) -> Terms<'_> {
        let offer = &self.config.auth;
        Terms { offer, secured: self.is_secured(), tls: self.tls.as_ref() }
    }
}

enum State {
    /// RFC 1939 §4, with the name that USER gave.
    Authorization(Option<Vec<u8>>),
    /// In a SASL exchange.
    Authenticating(Exchange),
    /// The host judges credentials.
    LoggingIn(Exchange),
    /// The host locks the maildrop.
    Opening,
    /// RFC 1939 §5.
    Transaction(Box<Maildrop>),
    /// LIST, UIDL or a single entry is asked for or being sent.
    Listing(Box<Maildrop>, Listing),
    /// RETR or TOP.
    Retrieving(Box<Maildrop>, Box<Retrieval>),
    /// RFC 1939 §6: the removal is asked for.
    Update,
    /// STLS was accepted.
    Securing,
    /// The host has its say.
    Held(Box<Held>),
    /// Over.
    Closed,
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::Authorization(_)
            | Self::Authenticating(_)
            | Self::LoggingIn(_)
            | Self::Opening
            | Self::Securing => "AUTHORIZATION",
            Self::Transaction(_) | Self::Listing(..) | Self::Retrieving(..) => "TRANSACTION",
            Self::Update => "UPDATE",
            Self::Held(held) => held.state_name(),
            Self::Closed => "CLOSED",
        }
    }

    /// Whether an ask is open.
    fn is_asking(&self) -> bool {
        match self {
            Self::LoggingIn(_) | Self::Opening | Self::Update | Self::Held(_) => true,
            Self::Listing(_, listing) => listing.is_asking(),
            Self::Retrieving(_, retrieval) => retrieval.is_asking(),
            _ => false,
        }
    }
}

impl Server {
    fn ok(&self, cx: &mut Cx<Self>, text: &str) {
        self.respond(cx, b"+OK", text.as_bytes());
    }

    fn err(&self, cx: &mut Cx<Self>, text: &str) {
        self.respond(cx, b"-ERR", text.as_bytes());
    }

    fn respond(&self, cx: &mut Cx<Self>, status: &[u8], mut text: &[u8]) {
        if code_length(text) > 0 && !self.common.may_say(text) {
            text = &text[code_length(text) + 1..];
        }
        cx.send(status, "status", Some(&RESPONSE));
        if !text.is_empty() {
            cx.send(b" ", "SP", None);
        }
        let code = code_length(text);
        cx.send(&text[..code], "response code", None);
        cx.send(if code > 0 { &text[code..code + 1] } else { b"" }, "SP", None);
        cx.send(&text[if code > 0 { code + 1 } else { 0 }..], "text", None);
        cx.send(b"\r\n", "CRLF", None);
    }

    fn refuse(&self, cx: &mut Cx<Self>, refusal: &Refusal, logging_in: bool) {
        self.respond(cx, b"-ERR", &refused(refusal, logging_in));
    }

    fn go(mut self, cx: &mut Cx<Self>, state: State) -> Self {
        cx.note_state(self.told, state.name());
        self.told = state.name();
        self.state = state;
        if self.state.is_asking() {
            cx.no_deadline();
            return self;
        }
        if let Some(reason) = self.common.farewell
            && !matches!(self.state, State::Closed)
        {
            return self.end(cx, farewell_text(reason));
        }
        match self.state {
            State::Closed => cx.no_deadline(),
            State::Transaction(_) | State::Listing(..) | State::Retrieving(..) => {
                cx.deadline_in(self.common.config.limits.idle_ms);
            }
            _ => cx.deadline_in(self.common.config.limits.idle_before_login_ms),
        }
        self
    }

    /// Says a last `-ERR` and closes, without UPDATE.
    fn end(mut self, cx: &mut Cx<Self>, text: &str) -> Self {
        self.err(cx, text);
        self.common.farewell = None;
        self.close(cx)
    }

    fn close(mut self, cx: &mut Cx<Self>) -> Self {
        // Nothing is given out after the close.
        cx.note_state(self.told, State::Closed.name());
        self.told = State::Closed.name();
        cx.close();
        self.go(cx, State::Closed)
    }

    /// Counts a peer's mistake, tells the host, and closes after too many.
    fn mistake(self, cx: &mut Cx<Self>, text: &str, rule: &'static Rule, state: State) -> Self {
        cx.event(Event::Defect(rule.gist.as_bytes().to_vec()));
        self.setback(cx, text, rule, state)
    }

    /// Counts as a mistake what the host refused, who need not be told of it.
    fn setback(mut self, cx: &mut Cx<Self>, text: &str, rule: &'static Rule, state: State) -> Self {
        cx.note_defect(rule);
        self.common.errors += 1;
        if self.common.errors >= self.common.config.limits.errors_max {
            self.state = state;
            return self.end(cx, "too many errors");
        }
        self.err(cx, text);
        self.go(cx, state)
    }

    /// Counts a command that moves nothing on; true if there were too many. Some clients list messages one by one, so
    /// a maildrop gives as many as that takes beside the limit.
    fn is_tired(&mut self, state: &State) -> bool {
        let count = if let State::Transaction(maildrop) = state { maildrop.count() } else { 0 };
        let max = self.common.config.limits.idle_commands_max;
        self.common.idle_commands = self.common.idle_commands.saturating_add(1);
        self.common.idle_commands > max.saturating_add(count.saturating_mul(2))
    }

    fn command_line(mut self, cx: &mut Cx<Self>, line: &Line) -> Self {
        let state = core::mem::replace(&mut self.state, State::Closed);
        self.common.begun = true;
        if line.fault == Some(LineFault::Foreign) {
            cx.note_unparsed(line, is_secret(line), &FOREIGN);
            cx.note_defect(&FOREIGN);
            cx.event(Event::Defect(FOREIGN.gist.as_bytes().to_vec()));
            return self
                .end(cx, "this is a POP3 server and speaks no other protocol, closing connection");
        }
        let limits = &self.common.config.limits;
        let auth_line =
            line.octets.get(..5).is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH "));
        let max = if auth_line { limits.auth_line_max } else { limits.line_max };
        if line.fault == Some(LineFault::TooLong) || line.end - line.start > u64::from(max) {
            cx.note_unparsed(line, is_secret(line), &LINE);
            return self.mistake(cx, "the line is too long", &LINE, state);
        }
        if line.fault.is_some() {
            cx.note_unparsed(line, is_secret(line), &LINE);
            let text = "only CRLF ends a line; bare CR, bare LF and NUL are refused";
            return self.mistake(cx, text, &LINE, state);
        }
        note_command(cx, line);
        match grammar::parse(&line.octets) {
            Ok(command) if command != Command::Quit && self.is_tired(&state) => {
                self.end(cx, "too many commands that do nothing")
            }
            Ok(command) if !self.common.knows(&command) => {
                self.mistake(cx, "unknown command", &UNKNOWN, state)
            }
            Ok(command) => self.meet(cx, line, command, state),
            Err(Syntax::Verb) => self.mistake(cx, "unknown command", &UNKNOWN, state),
            Err(Syntax::Argument) => {
                self.mistake(cx, "wrong or missing argument", &ARGUMENT, state)
            }
            Err(Syntax::Number) => self.mistake(cx, "no such message", &NUMBER, state),
        }
    }

    fn command(self, cx: &mut Cx<Self>, command: Command, state: State) -> Self {
        match state {
            State::Authorization(user) => self.authorization(cx, command, user),
            State::Transaction(maildrop) => self.transaction(cx, command, maildrop),
            state => self.go(cx, state),
        }
    }
}

impl Role for Server {
    type Config = Config;
    type Ask = Ask;
    type Answer = Answer;
    type Call = Call;
    type Event = Event;

    fn start(mut config: Config, cx: &mut Cx<Self>) -> Self {
        cx.trace(config.trace);
        capability::leave_out(&mut config);
        let implicit = config.tls == TlsOffer::Implicit;
        let common = Common {
            config,
            tls: None,
            utf8: false,
            errors: 0,
            idle_commands: 0,
            begun: false,
            farewell: None,
        };
        let state = State::Authorization(None);
        let server = Self { common: Box::new(common), told: state.name(), state };
        if implicit {
            cx.start_tls();
            return server.go(cx, State::Securing);
        }
        server.begin(cx)
    }

    fn want(&self) -> Want {
        let limits = &self.common.config.limits;
        let line_max = limits.line_max.max(limits.auth_line_max) as usize;
        match &self.state {
            state if state.is_asking() => Want::Answer,
            State::Authorization(_) if !self.common.begun => Want::FirstLine { max: line_max },
            State::Authorization(_) | State::Transaction(_) | State::Authenticating(_) => {
                Want::Line { max: line_max }
            }
            State::Listing(..) | State::Retrieving(..) => Want::Room,
            State::Securing => Want::Secured,
            _ => Want::Nothing,
        }
    }

    fn on_line(self, cx: &mut Cx<Self>, line: Line) -> Self {
        if matches!(self.state, State::Authenticating(_)) {
            self.auth_response(cx, &line)
        } else {
            self.command_line(cx, &line)
        }
    }

    fn on_octets(self, _cx: &mut Cx<Self>, _octets: Vec<u8>) -> Self {
        self
    }

    fn on_text(self, _cx: &mut Cx<Self>, _octets: Vec<u8>, _end: Option<TextEnd>) -> Self {
        self
    }

    fn on_end(self, cx: &mut Cx<Self>) -> Self {
        // RFC 1939 §6: a connection that ends without QUIT removes nothing.
        self.close(cx)
    }

    fn on_secured(mut self, cx: &mut Cx<Self>, facts: TlsFacts) -> Self {
        self.common.tls = Some(facts);
        if self.common.config.tls == TlsOffer::Implicit {
            return self.begin(cx);
        }
        self.go(cx, State::Authorization(None))
    }

    fn on_answer(
        mut self,
        cx: &mut Cx<Self>,
        _id: AskId,
        answer: Answer,
    ) -> Result<Self, (Self, Misuse)> {
        let state = core::mem::replace(&mut self.state, State::Closed);
        match (state, answer) {
            (State::LoggingIn(exchange), Answer::Login(answer)) => {
                self.login_answered(cx, exchange, answer)
            }
            (State::Opening, Answer::Opened(opened)) => Ok(self.opened(cx, opened)),
            (State::Opening, Answer::Refused(refusal)) => {
                self.refuse(cx, &refusal, true);
                Ok(self.go(cx, State::Authorization(None)))
            }
            (State::Listing(maildrop, listing), answer) => {
                self.listing_answered(cx, maildrop, listing, answer)
            }
            (State::Retrieving(maildrop, retrieval), answer) => {
                self.retrieval_answered(cx, maildrop, *retrieval, answer)
            }
            (State::Update, answer) => self.update_answered(cx, answer),
            (State::Held(held), answer) => self.phase_answered(cx, *held, answer),
            (state, _) => Err(self.wrong_answer(state)),
        }
    }

    fn on_call(mut self, cx: &mut Cx<Self>, call: Call) -> Result<Self, (Self, Misuse)> {
        let Call::Farewell(reason) = call;
        // A response that has begun must be whole before other words follow.
        if self.state.is_asking()
            || matches!(self.state, State::Listing(..) | State::Retrieving(..))
        {
            self.common.farewell = Some(reason);
            return Ok(self);
        }
        Ok(self.end(cx, farewell_text(reason)))
    }

    fn on_deadline(self, cx: &mut Cx<Self>) -> Self {
        // RFC 1939 §3: on a time-out the server closes without UPDATE and without a response.
        self.close(cx)
    }

    fn on_room(mut self, cx: &mut Cx<Self>) -> Self {
        match core::mem::replace(&mut self.state, State::Closed) {
            State::Listing(maildrop, listing) => self.list_more(cx, maildrop, listing),
            State::Retrieving(maildrop, retrieval) => self.retrieve_more(cx, maildrop, *retrieval),
            state => self.go(cx, state),
        }
    }
}

/// The names by which `Config::without` leaves capabilities out.
pub fn capability_names() -> impl Iterator<Item = &'static str> {
    capability::names()
}

impl Server {
    /// RFC 1939 §4, with the timestamp that offers APOP (RFC 1939 §7).
    fn say_greeting(&self, cx: &mut Cx<Self>) {
        let config = &self.common.config;
        let own = [&config.host_name[..], b" POP3 server ready"].concat();
        let mut greeting = self.common.words().map_or(own, |words| words.greeting.into());
        if let Some(timestamp) = &config.apop_timestamp {
            greeting.push(b' ');
            greeting.extend_from_slice(timestamp);
        }
        self.respond(cx, b"+OK", &greeting);
    }

    fn wrong_answer(mut self, state: State) -> (Self, Misuse) {
        self.state = state;
        (self, Misuse::WrongAnswer)
    }
}
