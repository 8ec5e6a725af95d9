//! The POP3 client (RFC 1939): states and flow of the side that fetches and empties a maildrop.
//! Every call ends in exactly one `completed` event, whatever the server does; what to do then is the host's.

mod calls;
mod ending;
mod expected;
pub(super) mod listing;
mod login;
mod offer;
mod opening;
pub(super) mod reply;
mod retrieval;
pub mod types;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::limits::POP3_REPLY_LINE_MIN;
use crate::pop3::grammar::parts;
use crate::role::{Cx, Line, LineFault, Role, TextEnd, Want};
use crate::trace::{Part, Rule};
use crate::types::{AskId, Misuse, TlsFacts};

use listing::Listing;
use login::Login;
use opening::{Preparation, Stage};
use reply::Status;
use retrieval::Retrieval;
use types::{Answer, Ask, Call, Capabilities, Cause, Config, Event, Failure, Maildrop, TlsPolicy};

/// The rules that this side follows.
pub const RULES: &[&Rule] = &[
    &reply::STATUS,
    &reply::CODE,
    &opening::CAPA,
    &opening::START_TLS,
    &opening::UTF8,
    &opening::LANG,
    &login::AUTH,
    &login::APOP,
    &login::USER,
    &calls::TRANSACTION,
    &calls::PIPELINING,
    &ending::QUIT,
];

/// The POP3 client role.
pub struct Client {
    common: Box<Common>,
    state: State,
    /// The state that a reader was told last.
    told: &'static str,
}

/// What is true in every state.
struct Common {
    config: Config,
    /// What the server offered last.
    capabilities: Capabilities,
    /// Whether the server has CAPA at all.
    has_capa: bool,
    /// What the handshake gave, once TLS is up.
    tls: Option<TlsFacts>,
    /// RFC 1939 §7: the greeting's timestamp, if it had one that APOP may use.
    timestamp: Option<Vec<u8>>,
    /// The maildrop when it was opened.
    maildrop: Maildrop,
    /// Calls that wait, in order.
    waiting: VecDeque<Call>,
    /// Calls whose replies are due, in order.
    sent: VecDeque<Call>,
    /// `Command::Quit` was called.
    quitting: bool,
    /// `Event::Done` was said.
    done: bool,
    logins: u32,
    /// What the server said to the last login that it refused.
    login_refusal: Option<Failure>,
}

enum State {
    /// Before the server's greeting.
    Greeting,
    /// CAPA was sent; with what was read of the list, once it has begun.
    Capabilities(Stage, Option<Box<Listing>>),
    /// STLS was sent.
    StartingTls,
    /// The handshake is under way.
    Securing,
    /// UTF8 or LANG was sent.
    Preparing(Preparation),
    /// A login is under way.
    LoggingIn(Box<Login>),
    /// The first STAT was sent.
    Opening,
    /// Calls are worked on.
    Open(Flow),
    /// QUIT was sent, and nothing of its reply matters.
    Quitting,
    /// Over.
    Closed,
}

/// What of a reply is due next.
enum Flow {
    /// Its first line.
    Status,
    /// Lines of a listing.
    Listing(Box<Listing>),
    /// A message.
    Text(Retrieval),
    /// The host's answer to a chunk; whether it was the last.
    Chunk(Retrieval, bool),
}

impl State {
    /// Its name for a reader.
    fn name(&self) -> &'static str {
        match self {
            Self::Greeting => "Connected",
            Self::Capabilities(Stage::First, _) | Self::Preparing(_) => "AUTHORIZATION",
            Self::StartingTls | Self::Securing => "Securing",
            Self::LoggingIn(_) => "Authenticating",
            Self::Capabilities(Stage::LoggedIn, _) | Self::Opening | Self::Open(_) => "TRANSACTION",
            Self::Quitting => "UPDATE",
            Self::Closed => "Closed",
        }
    }

    /// Whether a reply that came before our last words belongs to somebody who is not the server.
    fn is_in_step(&self) -> bool {
        match self {
            Self::Capabilities(_, listing) => listing.is_none(),
            Self::StartingTls | Self::Preparing(_) | Self::LoggingIn(_) | Self::Opening => true,
            _ => false,
        }
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
            capabilities: Capabilities::default(),
            has_capa: false,
            tls: None,
            timestamp: None,
            maildrop: Maildrop::default(),
            waiting: VecDeque::new(),
            sent: VecDeque::new(),
            quitting: false,
            done: false,
            logins: 0,
            login_refusal: None,
        };
        let implicit = common.config.tls == TlsPolicy::Implicit;
        let state = if implicit { State::Securing } else { State::Greeting };
        let told = state.name();
        let client = Self { common: Box::new(common), told, state: State::Closed };
        if implicit {
            cx.start_tls();
        }
        client.go(cx, state)
    }

    fn want(&self) -> Want {
        let limits = &self.common.config.limits;
        let max = (limits.line_max as usize).max(POP3_REPLY_LINE_MIN);
        match &self.state {
            State::LoggingIn(_) => Want::Line { max: max.max(limits.auth_line_max as usize) },
            State::Open(Flow::Text(_)) => Want::DotText,
            // Only once a chunk is stored is the next one read: so memory stays bounded.
            State::Open(Flow::Chunk(..)) => Want::Answer,
            State::Securing => Want::Secured,
            State::Closed => Want::Nothing,
            _ => Want::Line { max },
        }
    }

    fn on_line(mut self, cx: &mut Cx<Self>, line: Line) -> Self {
        if self.state.is_in_step() && cx.is_early(line.start) {
            cx.note_received(line.start, line.end, "unparsed", Some(&reply::STATUS));
            return self.out_of_step(cx, &line.octets);
        }
        if let Some(fault) = line.fault {
            // The word that decides stands first and is whole, so the line can be acted on.
            cx.note_received(line.start, line.end, "unparsed", Some(&reply::STATUS));
            self.defect(cx, fault_words(fault));
        }
        match core::mem::replace(&mut self.state, State::Closed) {
            State::Capabilities(stage, Some(listing)) => {
                self.capability_line(cx, stage, listing, &line)
            }
            State::Open(Flow::Listing(listing)) => self.listing_line(cx, listing, &line),
            state => {
                if line.fault.is_none() {
                    reply::note(cx, &line);
                }
                self.state = state;
                self.status_line(cx, &line.octets)
            }
        }
    }

    fn on_octets(self, _cx: &mut Cx<Self>, _octets: Vec<u8>) -> Self {
        self
    }

    fn on_text(mut self, cx: &mut Cx<Self>, octets: Vec<u8>, end: Option<TextEnd>) -> Self {
        match core::mem::replace(&mut self.state, State::Closed) {
            State::Open(Flow::Text(retrieval)) => self.text_came(cx, retrieval, octets, end),
            state => {
                self.state = state;
                self
            }
        }
    }

    fn on_end(self, cx: &mut Cx<Self>) -> Self {
        self.lost(cx, Failure::ours(Cause::Lost, "The server closed the connection"))
    }

    fn on_secured(mut self, cx: &mut Cx<Self>, facts: TlsFacts) -> Self {
        self.common.tls = Some(facts);
        if self.common.config.tls == TlsPolicy::Implicit {
            return self.go(cx, State::Greeting);
        }
        // RFC 2595 §4: what the server said before is forgotten. The timestamp too: who can write into the clear
        // could have chosen it.
        self.common.timestamp = None;
        self.ask_capabilities(cx, Stage::First)
    }

    fn on_answer(
        mut self,
        cx: &mut Cx<Self>,
        _id: AskId,
        answer: Answer,
    ) -> Result<Self, (Self, Misuse)> {
        match (core::mem::replace(&mut self.state, State::Closed), answer) {
            (State::LoggingIn(login), Answer::Login(secret)) => {
                self.login_answered(cx, *login, secret)
            }
            (State::Open(Flow::Chunk(retrieval, last)), Answer::Done) => {
                Ok(self.chunk_taken(cx, retrieval, last))
            }
            (State::Open(Flow::Chunk(retrieval, last)), Answer::Refused(_)) => {
                Ok(self.chunk_taken(cx, retrieval.dropped(), last))
            }
            (state, _) => {
                self.state = state;
                Err((self, Misuse::WrongAnswer))
            }
        }
    }

    fn on_call(self, cx: &mut Cx<Self>, call: Call) -> Result<Self, (Self, Misuse)> {
        self.called(cx, call)
    }

    fn on_deadline(self, cx: &mut Cx<Self>) -> Self {
        self.lost(cx, Failure::ours(Cause::Timeout, "The server did not answer in time"))
    }

    fn on_room(self, _cx: &mut Cx<Self>) -> Self {
        self
    }
}

impl Client {
    /// Goes to a state, and sets how long the server may be silent there.
    fn go(mut self, cx: &mut Cx<Self>, state: State) -> Self {
        cx.note_state(self.told, state.name());
        self.told = state.name();
        self.state = state;
        let timeouts = self.common.config.timeouts;
        match &self.state {
            State::Closed | State::Open(Flow::Chunk(..)) => cx.no_deadline(),
            State::LoggingIn(login) if login.is_asking() => cx.no_deadline(),
            State::Open(Flow::Status) if self.common.sent.is_empty() => cx.no_deadline(),
            State::Open(Flow::Listing(_) | Flow::Text(_)) => cx.deadline_in(timeouts.data_ms),
            _ => cx.deadline_in(timeouts.reply_ms),
        }
        self
    }

    /// The first line of a reply, or all of it.
    fn status_line(mut self, cx: &mut Cx<Self>, line: &[u8]) -> Self {
        let Some(status) = reply::status(line) else {
            return match self.state {
                State::Closed => self,
                State::Quitting => self.close(cx),
                _ => self.malformed(cx, line),
            };
        };
        match core::mem::replace(&mut self.state, State::Closed) {
            State::Greeting => self.greeted(cx, status),
            State::Capabilities(stage, _) => self.capabilities_begin(cx, stage, status),
            State::StartingTls => self.tls_answered(cx, status),
            State::Preparing(preparation) => self.prepared(cx, preparation, status),
            State::LoggingIn(login) => self.login_replied(cx, *login, status),
            State::Opening => self.opened(cx, status),
            State::Open(_) => self.call_replied(cx, status),
            State::Quitting => self.close(cx),
            state @ (State::Securing | State::Closed) => {
                self.state = state;
                self
            }
        }
    }

    /// Tells the host that the server broke a rule.
    fn defect(&self, cx: &mut Cx<Self>, words: &[u8]) {
        cx.note_defect(&reply::STATUS);
        cx.event(Event::Defect(words.to_vec()));
    }

    /// The server said something that is no reply to what it was told.
    fn malformed(self, cx: &mut Cx<Self>, line: &[u8]) -> Self {
        self.defect(cx, reply::STATUS.gist.as_bytes());
        self.lost(cx, Failure::refused(Cause::Malformed, line))
    }

    /// The server sent a reply that fits no command: which reply is for which is not known any more.
    fn out_of_step(self, cx: &mut Cx<Self>, line: &[u8]) -> Self {
        self.defect(cx, b"A reply came that fits no command.");
        self.lost(cx, Failure::refused(Cause::Malformed, line))
    }
}

/// Sends a command, its CRLF included, with its parts labelled.
fn send(cx: &mut Cx<Client>, line: &[u8], why: &'static Rule) {
    cx.send_parts(line, Some(why), |line| {
        let text = line.len() - if line.ends_with(b"\r\n") { 2 } else { 0 };
        let mut all = parts(&line[..text]);
        all.push(Part { start: text, end: line.len(), label: "CRLF" });
        all
    });
}

/// Where the text of a status stands.
fn text_of<'a>(status: &Status<'a>) -> &'a [u8] {
    match status {
        Status::Ok(text) | Status::Err(text) | Status::Go(text) => text,
    }
}

fn fault_words(fault: LineFault) -> &'static [u8] {
    match fault {
        LineFault::TooLong => b"A line is too long; its end was not read.",
        LineFault::BareCr => b"A line holds a CR without an LF.",
        LineFault::BareLf => b"A line holds an LF without a CR.",
        LineFault::Nul => b"A line holds NUL.",
        LineFault::Foreign => b"A line does not end.",
    }
}
