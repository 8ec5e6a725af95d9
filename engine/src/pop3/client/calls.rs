//! Calls as a queue: which are sent, pipelined where the server takes that, and what their replies are.
//! Replies come in the order of the commands, so the call at the head is the one that is answered.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

use super::listing::{Listing, Rows, size_row, unique_id_row};
use super::opening::{LANG, is_tag};
use super::reply::Status;
use super::retrieval::Retrieval;
use super::types::{
    Call, Cause, Command, Completion, Event, Failure, Outcome, Sizes, TopCommand, UniqueIds,
};
use super::{Client, Common, Flow, State, send};
use crate::role::Cx;
use crate::trace::Rule;
use crate::types::Misuse;

/// RFC 1939 §5.
pub(super) const TRANSACTION: Rule = Rule {
    rfc: 1939,
    section: "5",
    gist: "Messages are named by numbers that hold until the session ends; DELE only marks.",
};
/// RFC 2449 §6.6.
pub(super) const PIPELINING: Rule = Rule {
    rfc: 2449,
    section: "6.6",
    gist: "With PIPELINING the client may send commands before it has the replies to those before.",
};

/// Calls that may wait.
const WAITING_MAX: usize = 100;
/// Commands whose replies are due at once: so few octets that no window fills while the server still writes.
const IN_FLIGHT_MAX: usize = 32;

impl Client {
    /// The application wants something.
    pub(super) fn called(mut self, cx: &mut Cx<Self>, call: Call) -> Result<Self, (Self, Misuse)> {
        if self.common.quitting || self.common.done {
            return Err((self, Misuse::WrongState));
        }
        if !self.common.takes(&call) {
            return Err((self, Misuse::BadValue));
        }
        self.common.quitting = call.command == Command::Quit;
        self.common.waiting.push_back(call);
        Ok(if matches!(self.state, State::Open(_)) { self.pump(cx) } else { self })
    }

    /// Sends what may be sent now.
    pub(super) fn pump(mut self, cx: &mut Cx<Self>) -> Self {
        let idle = self.common.sent.is_empty();
        while let Some(call) = self.common.next() {
            match line(&call.command, &self.common) {
                Some(line) => {
                    let why = match call.command {
                        Command::Quit => &super::ending::QUIT,
                        Command::Capabilities => &super::opening::CAPA,
                        Command::Language(_) | Command::Languages => &LANG,
                        _ if !self.common.sent.is_empty() => &PIPELINING,
                        _ => &TRANSACTION,
                    };
                    send(cx, &line, why);
                    self.common.sent.push_back(call);
                }
                None => {
                    let failure =
                        Failure::ours(Cause::Unsupported, "The server does not offer this");
                    end(cx, call.id, Outcome::Failed(failure));
                }
            }
        }
        // Else what is due was due before, and its time runs.
        if idle && let State::Open(Flow::Status) = self.state {
            return self.go(cx, State::Open(Flow::Status));
        }
        self
    }

    /// The first line of the reply to the call at the head.
    pub(super) fn call_replied(mut self, cx: &mut Cx<Self>, status: Status<'_>) -> Self {
        let Some(call) = self.common.sent.front().cloned() else {
            // RFC 1939 §3: an idle session ends without a word, but some servers have one.
            return match status {
                Status::Err(text) => self.lost(cx, Failure::refused(Cause::Lost, text)),
                Status::Ok(text) | Status::Go(text) => self.out_of_step(cx, text),
            };
        };
        let text = match status {
            Status::Ok(text) => text,
            Status::Err(text) => {
                let failure = Failure::refused(Cause::Refused, text);
                return match call.command {
                    Command::Quit => self.left(cx, Outcome::Failed(failure)),
                    _ => self.finish(cx, Outcome::Failed(failure)),
                };
            }
            Status::Go(text) => return self.malformed(cx, text),
        };
        let count = self.common.maildrop.count;
        let id = call.id;
        let sizes = |rows| Rows::Sizes(Sizes { call: id, rows });
        let ids = |rows| Rows::UniqueIds(UniqueIds { call: id, rows });
        let rows = match call.command {
            Command::Maildrop => return self.tell_maildrop(cx, text),
            Command::Sizes(Some(_)) => match size_row(text) {
                Some(row) => return self.tell_row(cx, sizes([row].into())),
                None => return self.malformed(cx, text),
            },
            Command::UniqueIds(Some(_)) => match unique_id_row(text) {
                Some(row) => return self.tell_row(cx, ids([row].into())),
                None => return self.malformed(cx, text),
            },
            Command::Sizes(None) => sizes(Vec::new()),
            Command::UniqueIds(None) => ids(Vec::new()),
            Command::Capabilities => Rows::Capabilities(Box::default()),
            Command::Languages => Rows::Languages(Vec::new()),
            Command::Retrieve(_) | Command::Top(_) => {
                return self.go(cx, State::Open(Flow::Text(Retrieval::new(id))));
            }
            Command::Quit => return self.left(cx, Outcome::Done),
            Command::Delete(_) | Command::Reset | Command::Noop | Command::Language(_) => {
                return self.complete(cx);
            }
        };
        self.state = State::Closed;
        self.go(cx, State::Open(Flow::Listing(Box::new(Listing::new(rows, count)))))
    }

    fn tell_row(self, cx: &mut Cx<Self>, mut rows: Rows) -> Self {
        rows.tell(cx);
        self.complete(cx)
    }

    /// The call at the head is done.
    pub(super) fn complete(self, cx: &mut Cx<Self>) -> Self {
        self.finish(cx, Outcome::Done)
    }

    /// The call at the head is over.
    pub(super) fn finish(mut self, cx: &mut Cx<Self>, outcome: Outcome) -> Self {
        if let Some(call) = self.common.sent.pop_front() {
            end(cx, call.id, outcome);
        }
        let client = self.go(cx, State::Open(Flow::Status));
        client.pump(cx)
    }
}

impl Common {
    fn takes(&self, call: &Call) -> bool {
        let known = self.waiting.iter().chain(&self.sent).any(|other| other.id == call.id);
        !known && self.waiting.len() < WAITING_MAX && is_right(&call.command)
    }

    /// The next call that may be sent now.
    fn next(&mut self) -> Option<Call> {
        let max = if self.capabilities.pipelining { IN_FLIGHT_MAX } else { 1 };
        if self.sent.len() >= max {
            return None;
        }
        // What is marked is removed by QUIT for good, so everything before it must have gone well or be known not to.
        let quit = self.waiting.front().is_some_and(|call| call.command == Command::Quit);
        if quit && !self.sent.is_empty() { None } else { self.waiting.pop_front() }
    }
}

/// Tells the host that a call is over.
pub(super) fn end(cx: &mut Cx<Client>, call: u32, outcome: Outcome) {
    cx.event(Event::Completed(Completion { call, outcome }));
}

fn is_right(command: &Command) -> bool {
    match command {
        Command::Sizes(Some(number))
        | Command::UniqueIds(Some(number))
        | Command::Retrieve(number)
        | Command::Delete(number)
        | Command::Top(TopCommand { number, .. }) => *number > 0,
        Command::Language(tag) => is_tag(tag),
        _ => true,
    }
}

/// The command's line; `None` if the server does not offer it.
fn line(command: &Command, common: &Common) -> Option<Vec<u8>> {
    let offered = &common.capabilities;
    let has = match command {
        Command::UniqueIds(_) => offered.uidl,
        Command::Top(_) => offered.top,
        Command::Languages | Command::Language(_) => offered.lang,
        Command::Capabilities => common.has_capa,
        _ => true,
    };
    let of = |verb: &str, number: &Option<u32>| match number {
        Some(number) => format!("{verb} {number}\r\n").into_bytes(),
        None => format!("{verb}\r\n").into_bytes(),
    };
    has.then(|| match command {
        Command::Maildrop => b"STAT\r\n".to_vec(),
        Command::Sizes(number) => of("LIST", number),
        Command::UniqueIds(number) => of("UIDL", number),
        Command::Retrieve(number) => format!("RETR {number}\r\n").into_bytes(),
        Command::Top(TopCommand { number, body_lines }) => {
            format!("TOP {number} {body_lines}\r\n").into_bytes()
        }
        Command::Delete(number) => format!("DELE {number}\r\n").into_bytes(),
        Command::Reset => b"RSET\r\n".to_vec(),
        Command::Noop => b"NOOP\r\n".to_vec(),
        Command::Capabilities => b"CAPA\r\n".to_vec(),
        Command::Languages => b"LANG\r\n".to_vec(),
        Command::Language(tag) => [b"LANG ", &tag[..], b"\r\n"].concat(),
        Command::Quit => b"QUIT\r\n".to_vec(),
    })
}
