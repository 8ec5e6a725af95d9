//! The SMTP server (RFC 5321): states and flow of the receiving side.
//! Every state owns only what is true in it; a message is accepted by one path alone, the host's answer `committed`.

mod auth;
mod authors;
pub(super) mod commands;
mod content;
mod data;
mod envelope;
mod expected;
mod forwarded;
mod greeting;
mod lenient;
mod names;
pub(super) mod note;
mod pace;
mod phase;
mod reply;
mod state;
mod submission;
mod trace_fields;
mod words;

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::types::{Answer, Ask, Call, Config, Event, Extensions, Service};
use crate::role::{Cx, Line, LineFault, Role, TextEnd, Want};
use crate::sasl::server::Terms;
use crate::trace::Rule;
use crate::types::{AskId, Farewell, Misuse, Persona, TlsFacts, TlsOffer};

use forwarded::Client;
use pace::Pace;
pub use reply::farewell_line as farewell;
use reply::{About, Reply};
use state::{Pending, State, Transaction};
pub use words::Words;

/// Of these the ones that a peer may break without being refused.
pub(super) const TOLERATED: &[&Rule] = &[&envelope::SPACE, &greeting::INJECTION];

/// The rules that this side follows.
pub(super) const RULES: &[&Rule] = &[
    &reply::REPLY,
    &reply::ENHANCED,
    &trace_fields::RECEIVED,
    &content::LOOP,
    &content::BARE,
    &commands::LINE,
    &commands::SYNTAX,
    &commands::VERB,
    &commands::ORDER,
    &commands::NO_TLS,
    &commands::PIPELINING,
    &commands::FOREIGN,
    &envelope::SPACE,
    &envelope::UNKNOWN,
    &envelope::RELAYING,
    &envelope::AUTHENTICATED,
    &envelope::UTF8,
    &envelope::PRIORITY,
    &forwarded::RESTART,
    &names::FLUSH,
    &pace::SLOW,
    &greeting::GREETING,
    &greeting::INJECTION,
    &submission::COMPLETION,
    &submission::QUALIFIED,
    &authors::AUTHORS,
    &data::END_OF_DATA,
    &data::CHUNK,
    &auth::RESPONSE,
];

/// How long a reply to a mistake takes after too many of them: nothing to a person, much to a program that guesses.
const ERROR_DELAY_MS: u64 = 1000;

/// The SMTP server role.
pub struct Server {
    common: Box<Common>,
    state: State,
    /// The state that a reader was told last.
    told: &'static str,
}

/// What is true in every state.
struct Common {
    config: Config,
    helo: Option<Vec<u8>>,
    /// Greeted with EHLO or LHLO.
    esmtp: bool,
    tls: Option<TlsFacts>,
    account: Option<Vec<u8>>,
    errors: u32,
    /// Mistakes by their weight, for how long replies take.
    strain: u32,
    /// For whom the peer speaks, if XCLIENT said so.
    client: Option<Client>,
    /// How fast the message comes that is due.
    pace: Pace,
    /// Commands without progress since the last that made some.
    idle_commands: u32,
    transactions: u32,
    /// The command at work has to be the last one of a group.
    alone: bool,
    /// EHLO keywords that the host wants hidden.
    hidden: Vec<Vec<u8>>,
    farewell: Option<Farewell>,
}

impl Common {
    /// Whether the client may go on before it has read what was replied.
    fn is_pipelining(&self) -> bool {
        self.esmtp && self.config.extensions.pipelining && !self.alone
    }

    fn is_secured(&self) -> bool {
        self.tls.is_some()
    }

    /// On what terms the peer may log in now.
    fn terms(&self) -> Terms<'_> {
        let offer = &self.config.auth;
        Terms { offer, secured: self.is_secured(), tls: self.tls.as_ref() }
    }

    /// What is offered now, of what the host wants offered.
    fn offered(&self) -> Extensions {
        let set = self.config.extensions;
        let service = self.config.service;
        Extensions {
            // RFC 8689 §2: only over TLS.
            require_tls: set.require_tls && self.is_secured(),
            // RFC 4865 is for submission: a relay has nothing to hold back.
            future_release: set.future_release && service == Service::Submission,
            // RFC 2033: who speaks LMTP keeps the queue.
            etrn: set.etrn && service != Service::Lmtp,
            ..set
        }
    }

    /// Whether replies carry enhanced codes.
    fn enhanced(&self) -> bool {
        self.config.extensions.enhanced_status_codes
    }
}

impl Server {
    fn reply(&self, cx: &mut Cx<Self>, reply: &Reply) {
        reply.send(cx, self.common.enhanced());
    }

    fn say(&self, cx: &mut Cx<Self>, code: u16, enhanced: &'static str, text: &'static str) {
        self.reply(cx, &Reply::new(code, enhanced, text));
    }

    /// Goes to a state, and lets the peer's silence end the session again.
    fn go(mut self, cx: &mut Cx<Self>, state: State) -> Self {
        cx.note_state(self.told, state.name());
        self.told = state.name();
        self.state = state;
        if let Some(reason) = self.common.farewell
            && !matches!(self.state, State::Asking(_) | State::Closed)
        {
            return self.end(cx, &reply::farewell(reason));
        }
        if self.state.takes_line() && !self.common.is_pipelining() {
            cx.sync();
        }
        let limits = &self.common.config.limits;
        match self.state {
            State::Closed | State::Asking(_) => cx.no_deadline(),
            State::Slowed(..) => cx.deadline_in(ERROR_DELAY_MS),
            ref state if state.takes_content() => {
                let patience_ms = self.common.pace.wait(cx, limits);
                cx.deadline_in(patience_ms);
            }
            State::Connected | State::Greeted => cx.deadline_in(limits.idle_before_login_ms),
            _ => cx.deadline_in(limits.idle_ms),
        }
        self
    }

    /// Says a last reply and closes.
    fn end(self, cx: &mut Cx<Self>, reply: &Reply) -> Self {
        self.reply(cx, reply);
        self.close(cx)
    }

    /// Closes, and tells the host to forget the transaction if there is one.
    fn close(mut self, cx: &mut Cx<Self>) -> Self {
        self.drop_transaction(cx);
        self.common.farewell = None;
        // Nothing is given out after the close.
        cx.note_state(self.told, State::Closed.name());
        self.told = State::Closed.name();
        cx.close();
        self.go(cx, State::Closed)
    }

    /// Tells the host to forget the transaction, if there is one.
    fn drop_transaction(&self, cx: &mut Cx<Self>) {
        if self.state.has_transaction() {
            cx.event(Event::Reset);
        }
    }

    /// Counts a peer's mistake, tells the host, and closes after too many.
    fn mistake(self, cx: &mut Cx<Self>, reply: &Reply, rule: &'static Rule, state: State) -> Self {
        cx.event(Event::Defect(rule.gist.as_bytes().to_vec()));
        self.refuse(cx, reply, rule, state)
    }

    /// Counts as a mistake what the host refused, who need not be told of it.
    fn refuse(
        mut self,
        cx: &mut Cx<Self>,
        reply: &Reply,
        rule: &'static Rule,
        state: State,
    ) -> Self {
        cx.note_defect(rule);
        let limits = &self.common.config.limits;
        self.common.errors += 1;
        self.common.strain += 1;
        if self.common.errors >= limits.errors_max {
            self.state = state;
            return self.end(cx, &Reply::new(421, "4.7.0", "Too many errors"));
        }
        if self.common.strain > limits.errors_slow {
            return self.go(cx, State::Slowed(reply.clone(), Box::new(state)));
        }
        self.reply(cx, reply);
        self.go(cx, state)
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
        // The book's replies have none.
        config.extensions.enhanced_status_codes &= config.persona != Persona::Textbook;
        let implicit = config.tls == TlsOffer::Implicit;
        let common = Common {
            config,
            helo: None,
            esmtp: false,
            tls: None,
            account: None,
            errors: 0,
            strain: 0,
            client: None,
            pace: Pace::default(),
            idle_commands: 0,
            transactions: 0,
            alone: false,
            hidden: Vec::new(),
            farewell: None,
        };
        let state = State::Connected;
        let server = Self { common: Box::new(common), told: state.name(), state };
        if implicit {
            cx.start_tls();
            return server.go(cx, State::Securing);
        }
        server.begin(cx)
    }

    fn want(&self) -> Want {
        let limits = &self.common.config.limits;
        let command_max = limits.line_max.max(limits.auth_line_max) as usize;
        match &self.state {
            State::Connected => Want::FirstLine { max: command_max },
            State::Greeted | State::MailGiven(_) | State::RcptGiven(_) | State::Chunking(_) => {
                Want::Line { max: command_max }
            }
            State::Authenticating(_) => Want::Line { max: limits.auth_line_max as usize },
            State::Data(_) => Want::DotText,
            State::Chunk(_, left, _) | State::Discard(left, ..) | State::DiscardUnheard(left) => {
                Want::Octets { left: *left }
            }
            State::Asking(_) => Want::Answer,
            State::Securing => Want::Secured,
            State::Slowed(..) | State::Closed => Want::Nothing,
        }
    }

    fn on_line(self, cx: &mut Cx<Self>, line: Line) -> Self {
        let secret = matches!(self.state, State::Authenticating(_));
        if cx.is_early(line.start) && (secret || !self.common.config.lenient) {
            cx.note_unparsed(&line, secret || note::is_secret(&line), &commands::PIPELINING);
            return self.out_of_step(cx);
        }
        if secret { self.auth_response(cx, &line) } else { self.command_line(cx, &line) }
    }

    fn on_octets(self, cx: &mut Cx<Self>, octets: Vec<u8>) -> Self {
        self.chunk_octets(cx, octets)
    }

    fn on_text(self, cx: &mut Cx<Self>, octets: Vec<u8>, end: Option<TextEnd>) -> Self {
        self.data_text(cx, octets, end)
    }

    fn on_end(self, cx: &mut Cx<Self>) -> Self {
        self.close(cx)
    }

    fn on_secured(mut self, cx: &mut Cx<Self>, facts: TlsFacts) -> Self {
        // RFC 3207 §4.2: everything that was learnt before is forgotten.
        self.common.tls = Some(facts);
        self.common.helo = None;
        self.common.esmtp = false;
        self.common.account = None;
        if self.common.config.tls == TlsOffer::Implicit {
            return self.begin(cx);
        }
        self.go(cx, State::Connected)
    }

    fn on_answer(
        mut self,
        cx: &mut Cx<Self>,
        _id: AskId,
        answer: Answer,
    ) -> Result<Self, (Self, Misuse)> {
        let state = core::mem::replace(&mut self.state, State::Closed);
        let State::Asking(pending) = state else {
            self.state = state;
            return Err((self, Misuse::UnknownAsk));
        };
        match (*pending, answer) {
            (Pending::Login(exchange), Answer::Login(answer)) => {
                self.login_answered(cx, exchange, answer)
            }
            (Pending::Sender(tx), Answer::Done) => {
                self.sender_taken(cx, &tx);
                Ok(self.go(cx, State::MailGiven(tx)))
            }
            (Pending::Sender(_), Answer::Refused(refusal)) => {
                self.reply(cx, &reply::refused(About::Sender, &refusal));
                cx.event(Event::Reset);
                Ok(self.go(cx, State::Greeted))
            }
            (Pending::Recipient(mut tx, to), Answer::Done) => {
                let reply = Reply::new(250, "2.1.5", "Recipient ok");
                let reply = self.worded(reply, |words| words.recipient, || words::address(&to));
                tx.recipients.push(to);
                self.common.idle_commands = 0;
                self.reply(cx, &reply);
                Ok(self.go(cx, State::RcptGiven(tx)))
            }
            (Pending::Recipient(tx, _), Answer::Refused(refusal)) => {
                Ok(self.recipient_refused(cx, tx, &refusal))
            }
            (Pending::Text(content, end), answer) => self.text_answered(cx, content, end, answer),
            (Pending::Chunk(content, left, last), answer) => {
                self.chunk_answered(cx, content, left, last, answer)
            }
            (Pending::Commit(content), answer) => self.commit_answered(cx, content, answer),
            (Pending::Names(before), answer) => self.names_answered(cx, before, answer),
            (Pending::Phase(held), answer) => self.phase_answered(cx, held, answer),
            (Pending::Flush(node), answer) => self.flush_answered(cx, node, answer),
            (pending, _) => Err(self.wrong_answer(pending)),
        }
    }

    fn on_call(mut self, cx: &mut Cx<Self>, call: Call) -> Result<Self, (Self, Misuse)> {
        let Call::Farewell(reason) = call;
        if matches!(self.state, State::Asking(_)) {
            self.common.farewell = Some(reason);
            return Ok(self);
        }
        Ok(self.end(cx, &reply::farewell(reason)))
    }

    fn on_deadline(self, cx: &mut Cx<Self>) -> Self {
        if matches!(self.state, State::Slowed(..)) {
            return self.slowed(cx);
        }
        if self.state.takes_content() {
            return self.content_due(cx);
        }
        self.end(cx, &Reply::new(421, "4.4.2", "Timeout, closing connection"))
    }

    fn on_room(self, _cx: &mut Cx<Self>) -> Self {
        self
    }
}

impl Server {
    /// RFC 5321 §4.2: the first thing that the server says.
    fn say_greeting(&self, cx: &mut Cx<Self>) {
        let config = &self.common.config;
        let kind: &[u8] = if config.service == Service::Lmtp { b"LMTP" } else { b"ESMTP" };
        let text = [&config.host_name[..], b" ", kind, b" Pillarbox"].concat();
        self.reply(cx, &self.worded(Reply::plain(220, text), |words| words.greeting, Vec::new));
    }

    /// The reply that was kept back for a while.
    fn slowed(mut self, cx: &mut Cx<Self>) -> Self {
        match core::mem::replace(&mut self.state, State::Closed) {
            State::Slowed(reply, after) => {
                self.reply(cx, &reply);
                self.go(cx, *after)
            }
            state => self.go(cx, state),
        }
    }

    fn wrong_answer(mut self, pending: Pending) -> (Self, Misuse) {
        self.state = State::Asking(Box::new(pending));
        (self, Misuse::WrongAnswer)
    }
}

/// Whether a line can be a command at all.
fn is_whole(line: &Line) -> bool {
    line.fault != Some(LineFault::TooLong)
}
