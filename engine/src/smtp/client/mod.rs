//! The SMTP client (RFC 5321): states and flow of the sending side, for several messages over one connection.
//! Every delivery ends in exactly one `finished` event, whatever the server does; what to do then is the host's.

mod command;
mod content;
mod deliveries;
mod envelope;
mod expected;
mod fates;
mod greeting;
pub(crate) mod lines;
mod login;
mod obstacle;
mod offer;
pub(super) mod reply;
mod transaction;
pub mod types;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::role::{Cx, Line, LineFault, Role, TextEnd, Want};
use crate::sasl::client as sasl;
use crate::trace::Rule;
use crate::types::{AskId, Misuse, TlsFacts};

pub(crate) use command::BY_SECONDS_MAX;
use content::Content;
use fates::Loss;
use greeting::Hello;
use login::Login;
pub(crate) use obstacle::is_used_up;
use offer::Offered;
use reply::{Read, Reader};
use transaction::{Survey, Transaction};
use types::{Answer, Ask, Call, Config, Delivery, Event, Reply, TlsPolicy};

/// The rules that this side follows.
pub const RULES: &[&Rule] = &[
    &reply::REPLY,
    &reply::STATUS,
    &greeting::GREETING,
    &greeting::HELLO,
    &greeting::START_TLS,
    &login::AUTH,
    &envelope::MAIL,
    &envelope::PIPELINING,
    &content::END_OF_DATA,
    &content::CHUNK,
    &lines::LINE_ENDS,
    &lines::STUFFING,
    &deliveries::QUIT,
];

/// The SMTP client role.
pub struct Client {
    common: Box<Common>,
    state: State,
    reader: Reader,
    /// The state that a reader was told last.
    told: &'static str,
}

/// What is true in every state.
struct Common {
    config: Config,
    /// What the server offered last; nothing before EHLO.
    offered: Offered,
    /// What the handshake gave, once TLS is up.
    tls: Option<TlsFacts>,
    /// Deliveries that wait, in order.
    waiting: VecDeque<Delivery>,
    /// The delivery under way.
    current: Option<u32>,
    /// `Call::Quit` came.
    quitting: bool,
    /// `Event::Done` was said.
    done: bool,
    /// A transaction was begun and neither ended nor reset.
    open_transaction: bool,
    /// MAIL commands so far (RFC 9422 MAILMAX).
    mails: u32,
    logins: u32,
    /// What the server said to the last login that it refused.
    login_refusal: Option<Reply>,
}

impl Common {
    fn is_secured(&self) -> bool {
        self.tls.is_some()
    }

    fn pipelining(&self) -> bool {
        self.offered.told.extensions.pipelining
    }

    /// RFC 9422: whether the server takes no more messages over this connection.
    fn is_used_up(&self) -> bool {
        self.offered.told.messages_max.is_some_and(|max| self.mails >= max)
    }
}

enum State {
    /// Before the server's greeting.
    Greeting,
    /// EHLO, LHLO or HELO was sent.
    Hello(Hello),
    /// STARTTLS was sent.
    StartingTls,
    /// The handshake is under way.
    Securing,
    /// A login is under way.
    LoggingIn(Box<Login>),
    /// No transaction.
    Ready,
    /// The message is read once, to find what must be encoded; nothing of it was sent.
    Surveying(Box<Transaction>, Box<Survey>),
    /// MAIL and RCPT.
    Envelope(Box<Transaction>),
    /// The message's octets.
    Content(Box<Transaction>, Box<Content>),
    /// After the last octet.
    Ended(Box<Transaction>),
    /// QUIT was sent.
    Quitting,
    /// Over.
    Closed,
}

impl State {
    /// Its name for a reader.
    fn name(&self) -> &'static str {
        match self {
            Self::Greeting => "Connected",
            Self::Hello(_) => "Greeting",
            Self::StartingTls | Self::Securing => "Securing",
            Self::LoggingIn(_) => "Authenticating",
            Self::Ready => "Greeted",
            Self::Surveying(..) => "Surveying",
            Self::Envelope(_) => "Envelope",
            Self::Content(..) => "Data",
            Self::Ended(_) => "DataSent",
            Self::Quitting => "Quitting",
            Self::Closed => "Closed",
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
            offered: Offered::nothing(Vec::new()),
            tls: None,
            waiting: VecDeque::new(),
            current: None,
            quitting: false,
            done: false,
            open_transaction: false,
            mails: 0,
            logins: 0,
            login_refusal: None,
        };
        let implicit = common.config.tls == TlsPolicy::Implicit;
        let state = if implicit { State::Securing } else { State::Greeting };
        let (reader, told) = (Reader::default(), state.name());
        let client = Self { common: Box::new(common), reader, told, state: State::Closed };
        if implicit {
            cx.start_tls();
        }
        client.go(cx, state)
    }

    fn want(&self) -> Want {
        let limits = &self.common.config.limits;
        let max = limits.line_max as usize;
        match &self.state {
            State::LoggingIn(_) => Want::Line { max: max.max(limits.auth_line_max as usize) },
            State::Envelope(tx) if tx.may_send(&self.common) => Want::Room,
            State::Content(tx, content) if content.may_send(tx, &self.common) => Want::Room,
            State::Surveying(_, survey) if !survey.is_asking() => Want::Room,
            State::Securing => Want::Secured,
            State::Closed => Want::Nothing,
            // Also while an ask is open: a server may refuse or leave at any time.
            _ => Want::Line { max },
        }
    }

    fn on_line(mut self, cx: &mut Cx<Self>, line: Line) -> Self {
        let first = self.reader.is_between();
        let read = self.reader.take(cx, &line);
        if let Some(fault) = line.fault
            && read != Read::Malformed
        {
            // The code stands first and is whole, so the reply can be acted on.
            cx.note_defect(&reply::REPLY);
            cx.event(Event::Defect(fault_words(fault).to_vec()));
        }
        match read {
            Read::Malformed => self.malformed(cx),
            Read::More => {
                self.hello_line(&line, first);
                self
            }
            Read::Whole(reply) => {
                self.hello_line(&line, first);
                self.reply(cx, reply)
            }
        }
    }

    fn on_octets(self, _cx: &mut Cx<Self>, _octets: Vec<u8>) -> Self {
        self
    }

    fn on_text(self, _cx: &mut Cx<Self>, _octets: Vec<u8>, _end: Option<TextEnd>) -> Self {
        self
    }

    fn on_end(self, cx: &mut Cx<Self>) -> Self {
        self.lost(cx, Loss::new("4.4.2", "The server closed the connection"))
    }

    fn on_secured(mut self, cx: &mut Cx<Self>, facts: TlsFacts) -> Self {
        self.common.tls = Some(facts);
        self.reader = Reader::default();
        if self.common.config.tls == TlsPolicy::Implicit {
            // RFC 8314 §3: the server speaks first, as it would in the clear.
            return self.go(cx, State::Greeting);
        }
        // RFC 3207 §4.2: what the server said before is forgotten, and it is greeted again.
        self.greet(cx)
    }

    fn on_answer(
        self,
        cx: &mut Cx<Self>,
        _id: AskId,
        answer: Answer,
    ) -> Result<Self, (Self, Misuse)> {
        match answer {
            Answer::Login(secret) => self.login_answered(cx, secret),
            Answer::Octets(octets) => self.octets_came(cx, octets),
            Answer::Refused(_) => self.octets_refused(cx),
        }
    }

    fn on_call(mut self, cx: &mut Cx<Self>, call: Call) -> Result<Self, (Self, Misuse)> {
        match call {
            Call::Deliver(delivery) => {
                if self.common.quitting || self.common.done {
                    return Err((self, Misuse::WrongState));
                }
                if let Err(misuse) = self.check(&delivery) {
                    return Err((self, misuse));
                }
                self.common.waiting.push_back(delivery);
            }
            Call::Cancel(id) => self.cancel(cx, id),
            Call::BrokenOff(id) => return Ok(self.broken_off(cx, id)),
            Call::Quit => self.common.quitting = true,
        }
        Ok(if matches!(self.state, State::Ready) { self.next(cx) } else { self })
    }

    fn on_deadline(self, cx: &mut Cx<Self>) -> Self {
        self.lost(cx, Loss::new("4.4.2", "The server did not answer in time"))
    }

    fn on_room(mut self, cx: &mut Cx<Self>) -> Self {
        match core::mem::replace(&mut self.state, State::Closed) {
            State::Envelope(tx) => self.send_envelope(cx, tx),
            State::Content(tx, content) => self.send_content(cx, tx, content),
            State::Surveying(tx, survey) => self.survey(cx, tx, survey),
            state => {
                self.state = state;
                self
            }
        }
    }
}

impl Client {
    /// Goes to a state, and sets how long the server may take there (RFC 5321 §4.5.3.2).
    fn go(mut self, cx: &mut Cx<Self>, state: State) -> Self {
        cx.note_state(self.told, state.name());
        self.told = state.name();
        self.state = state;
        let timeouts = self.common.config.timeouts;
        match &self.state {
            State::Ready | State::Surveying(..) | State::Closed => cx.no_deadline(),
            State::LoggingIn(login) if login.is_asking() => cx.no_deadline(),
            State::Envelope(tx) if tx.awaits_data() => cx.deadline_in(timeouts.data_start_ms),
            State::Content(..) => cx.deadline_in(timeouts.data_block_ms),
            State::Ended(_) => cx.deadline_in(timeouts.data_end_ms),
            _ => cx.deadline_in(timeouts.command_ms),
        }
        self
    }

    /// A whole reply came.
    fn reply(mut self, cx: &mut Cx<Self>, reply: Reply) -> Self {
        if reply.is_closing() && !matches!(self.state, State::Quitting | State::Closed) {
            return self
                .lost(cx, Loss::new("4.3.2", "The server closes the connection").because(reply));
        }
        let in_step =
            matches!(self.state, State::Hello(_) | State::StartingTls | State::LoggingIn(_));
        if in_step && self.reader.is_early() {
            return self.out_of_step(cx, reply);
        }
        match core::mem::replace(&mut self.state, State::Closed) {
            State::Greeting => self.greeted(cx, reply),
            State::Hello(hello) => self.hello_answered(cx, hello, reply),
            State::StartingTls => self.tls_answered(cx, reply),
            State::LoggingIn(login) => self.login_replied(cx, *login, reply),
            State::Envelope(tx) => self.envelope_replied(cx, tx, reply),
            State::Content(tx, content) => self.content_replied(cx, tx, content, reply),
            State::Ended(tx) => self.end_replied(cx, tx, &reply),
            State::Quitting => {
                let client = self.go(cx, State::Closed);
                cx.close();
                client
            }
            state @ (State::Ready | State::Surveying(..)) => {
                self.state = state;
                self.out_of_step(cx, reply)
            }
            state @ (State::Securing | State::Closed) => {
                self.state = state;
                self
            }
        }
    }

    /// The server said something that is no reply.
    fn malformed(self, cx: &mut Cx<Self>) -> Self {
        cx.note_defect(&reply::REPLY);
        cx.event(Event::Defect(reply::REPLY.gist.as_bytes().to_vec()));
        self.lost(cx, Loss::new("4.5.0", "The server's words are no reply"))
    }

    /// The server sent a reply that fits no command: which reply is for which is not known any more.
    fn out_of_step(self, cx: &mut Cx<Self>, reply: Reply) -> Self {
        cx.note_defect(&reply::REPLY);
        cx.event(Event::Defect(b"A reply came that fits no command.".to_vec()));
        self.lost(cx, Loss::new("4.5.0", "The server's reply fits no command").because(reply))
    }

    /// Puts a state back that an answer did not fit.
    fn misused(mut self, state: State, misuse: Misuse) -> (Self, Misuse) {
        self.state = state;
        (self, misuse)
    }
}

fn fault_words(fault: LineFault) -> &'static [u8] {
    match fault {
        LineFault::TooLong => b"A reply line is too long; its end was not read.",
        LineFault::BareCr => b"A reply line holds a CR without an LF.",
        LineFault::BareLf => b"A reply line holds an LF without a CR.",
        LineFault::Nul => b"A reply line holds NUL.",
        LineFault::Foreign => b"A reply line does not end.",
    }
}
