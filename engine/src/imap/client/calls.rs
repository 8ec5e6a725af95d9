//! Calls as a queue: which commands go out, several at once where RFC 9051 §5.5 allows, and how each ends.
//! What data means stands in `untagged`.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::vec::Vec;

use super::command::{self, Lines};
use super::idle::Idle;
use super::line::Line;
use super::scan::{Scan, uid_set};
use super::sending::{first_word, tag_number};
use super::status::{Code, Status, Word};
use super::types::{
    Call, Cause, Command, Completion, Event, Failure, MessageLimit, Opened, Outcome, SearchCount,
};
use super::{Client, Common, State};
use crate::role::Cx;
use crate::trace::Rule;
use crate::types::Misuse;

/// RFC 9051 §7.1.
pub(super) const TAG: Rule = Rule {
    rfc: 9051,
    section: "7.1",
    gist: "The response that has a command's tag ends it: OK, NO or BAD, perhaps with a code in brackets.",
};
/// RFC 9051 §5.5.
pub(super) const PIPELINING: Rule = Rule {
    rfc: 9051,
    section: "5.5",
    gist: "A command may be sent before those before it are answered, unless one would change what another means.",
};

/// RFC 4978 §3.
pub(super) const COMPRESS: Rule = Rule {
    rfc: 4978,
    section: "3",
    gist: "After the OK to COMPRESS both directions are compressed; nothing else is said until then.",
};

/// Calls that may wait.
const WAITING_MAX: usize = 100;
/// Commands that are due at once.
const IN_FLIGHT_MAX: usize = 16;
/// Searches that are kept up to date: a server refuses far fewer.
const CONTEXTS_MAX: usize = 100;

/// RFC 5267 §4.3: a search whose result the server keeps up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Context {
    /// Its command's tag.
    pub(super) tag: u32,
    pub(super) call: u32,
}

/// A command whose tagged response is due.
pub(super) struct Sent {
    pub(super) tag: u32,
    pub(super) kind: Kind,
    /// What is to be said when it went well, for the same call.
    then: VecDeque<Line>,
    /// It is not the call's first command.
    second: bool,
    /// How the call ends, as far as that is known.
    pub(super) end: Completion,
}

/// What a command's data belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Of the session itself.
    Own,
    Plain,
    Select,
    Search(SearchCount),
    /// What is found comes for each mailbox by itself.
    MultiSearch(SearchCount),
    Sort,
    Thread,
    Copy,
    Append,
    Idle,
    /// What follows the first command may fail.
    Rights,
    Compress,
    Unauthenticate,
    Logout,
}

impl Sent {
    /// A command of the session's own.
    pub(super) fn own(tag: u32) -> Self {
        let end = completion(0, Outcome::Ok);
        Self { tag, kind: Kind::Own, then: VecDeque::new(), second: false, end }
    }

    /// Whether nothing else may be due with it.
    fn is_alone(&self) -> bool {
        !self.then.is_empty()
            || matches!(
                self.kind,
                Kind::Own
                    | Kind::Select
                    | Kind::Append
                    | Kind::Idle
                    | Kind::Rights
                    | Kind::Compress
                    | Kind::Unauthenticate
                    | Kind::Logout
            )
    }
}

impl SearchCount {
    /// Nothing was found yet.
    pub(super) const fn of(call: u32) -> Self {
        Self { call, count: 0, min: None, max: None, modseq: None }
    }
}

impl Kind {
    fn of(command: &Command, call: u32) -> Self {
        match command {
            Command::Select(_) => Self::Select,
            Command::Search(_) => Self::Search(SearchCount::of(call)),
            Command::MultiSearch(_) => Self::MultiSearch(SearchCount::of(call)),
            Command::Sort(_) => Self::Sort,
            Command::Thread(_) => Self::Thread,
            Command::Copy(_) => Self::Copy,
            Command::Append(_) | Command::AppendAll(_) | Command::Assemble(_) => Self::Append,
            Command::Idle => Self::Idle,
            Command::Rights(_) => Self::Rights,
            Command::Compress => Self::Compress,
            Command::Unauthenticate => Self::Unauthenticate,
            Command::Logout => Self::Logout,
            _ => Self::Plain,
        }
    }

    /// Whether its results do not say which command they are for.
    fn is_search(self) -> bool {
        matches!(self, Self::Search(_) | Self::MultiSearch(_) | Self::Sort | Self::Thread)
    }
}

impl Client {
    /// The application wants something.
    pub(super) fn called(mut self, cx: &mut Cx<Self>, call: Call) -> Result<Self, (Self, Misuse)> {
        let common = &mut self.common;
        if common.quitting || common.done {
            return Err((self, Misuse::WrongState));
        }
        let ids = common.waiting.iter().map(|other| other.id);
        let ids = ids.chain(common.contexts.iter().map(|context| context.call));
        let mut ids = ids.chain(common.sent.iter().filter_map(Sent::call));
        let known = ids.any(|id| id == call.id);
        let updates = matches!(&call.command, Command::Search(search) if search.update);
        let full = common.waiting.len() >= WAITING_MAX
            || (updates && common.contexts.len() >= CONTEXTS_MAX);
        if known || full || !command::is_right(&call.command) {
            return Err((self, Misuse::BadValue));
        }
        common.quitting = call.command == Command::Logout;
        common.waiting.push_back(call);
        Ok(self.pump(cx))
    }

    /// Sends what may be sent now.
    pub(super) fn pump(mut self, cx: &mut Cx<Self>) -> Self {
        if !matches!(self.state, State::Open) {
            return self;
        }
        if self.common.idle.is_some() {
            return if self.common.waiting.is_empty() { self } else { self.end_idle(cx) };
        }
        let mut sent = false;
        while let Some(call) = self.common.next() {
            sent |= self.begin(cx, call);
        }
        if sent { self.rest(cx) } else { self }
    }

    /// Says what a call wants, and tells whether anything was said.
    fn begin(&mut self, cx: &mut Cx<Self>, call: Call) -> bool {
        let Call { id, command } = call;
        if command == Command::DoneIdling {
            cx.event(Event::Completed(completion(id, Outcome::Ok)));
            return false;
        }
        if let Command::CancelUpdate(search) = command {
            return self.cancel_update(cx, id, search);
        }
        let qresync = self.common.has_enabled("QRESYNC");
        // RFC 8437 §3: compression would end with the login, and RFC 4978 §3 begins once.
        let twice = matches!(command, Command::Compress | Command::Unauthenticate)
            && self.common.compressed;
        let lines = command::lines(&command, self.common.offered(), qresync);
        let Some(Lines { first, then }) = lines.filter(|_| !twice) else {
            let text = b"The server does not offer this".to_vec();
            let end = Completion { text, ..completion(id, Outcome::Unsupported) };
            cx.event(Event::Completed(end));
            return false;
        };
        if let Command::Select(select) = &command {
            self.common.opening = Some(Opened {
                name: select.name.clone(),
                read_only: select.read_only,
                modseqs: self.common.has("CONDSTORE"),
                ..Opened::default()
            });
        }
        let why = match command {
            Command::Append(_) | Command::AppendAll(_) | Command::Assemble(_) => {
                &super::sending::APPEND
            }
            Command::Compress => &COMPRESS,
            Command::Idle => &super::idle::IDLE,
            Command::Logout => &super::ending::LOGOUT,
            _ if !self.common.sent.is_empty() => &PIPELINING,
            _ => &TAG,
        };
        if matches!(command, Command::Select(_) | Command::Close | Command::Unselect) {
            // RFC 5267 §4.3: results are kept up to date as long as the mailbox is open.
            self.common.contexts.clear();
        }
        let kind = Kind::of(&command, id);
        let tag = self.send_line(cx, first, why);
        if matches!(&command, Command::Search(search) if search.update) {
            self.common.contexts.push(Context { tag, call: id });
        }
        let end = completion(id, Outcome::Ok);
        self.common.sent.push_back(Sent { tag, kind, then, second: false, end });
        cx.line_by_line(kind == Kind::Compress);
        if kind == Kind::Idle {
            self.common.idle = Some(Idle::Starting);
        }
        true
    }

    /// RFC 5267 §4.3.5: this search's result is to be told no more.
    fn cancel_update(&mut self, cx: &mut Cx<Self>, id: u32, search: u32) -> bool {
        let contexts = &mut self.common.contexts;
        let Some(at) = contexts.iter().position(|context| context.call == search) else {
            cx.event(Event::Completed(completion(id, Outcome::Ok)));
            return false;
        };
        let line = Line::new(&format!("CANCELUPDATE \"A{}\"", contexts.remove(at).tag));
        let tag = self.send_line(cx, line, &TAG);
        let (kind, then, end) = (Kind::Plain, VecDeque::new(), completion(id, Outcome::Ok));
        self.common.sent.push_back(Sent { tag, kind, then, second: false, end });
        true
    }

    /// A line that begins with a tag.
    pub(super) fn tagged(mut self, cx: &mut Cx<Self>, line: &[u8]) -> Self {
        let (word, rest) = first_word(line);
        let tag = tag_number(word);
        let at = tag.and_then(|tag| self.common.sent.iter().position(|sent| sent.tag == tag));
        let (Some(at), Some(status)) = (at, Status::read(rest)) else {
            return self.malformed(cx);
        };
        let Some(sent) = self.common.sent.remove(at) else { return self };
        self.abandon_outgoing(sent.tag);
        if matches!(self.state, State::LoggingIn(_)) && status.code.name == b"CAPABILITY" {
            self.common.told_with_login = false;
        }
        if sent.kind == Kind::Own {
            return match core::mem::replace(&mut self.state, State::Closed) {
                State::Asking(asked) => {
                    self.learn(cx, &status.code);
                    self.asked_answered(cx, asked, status)
                }
                State::LoggingIn(login) => self.login_judged(cx, *login, status),
                State::LoggingOut => self.close(cx),
                state => {
                    self.state = state;
                    self
                }
            };
        }
        self.learn(cx, &status.code);
        self.call_answered(cx, sent, status)
    }

    /// A call's command is answered.
    fn call_answered(mut self, cx: &mut Cx<Self>, mut sent: Sent, status: Status) -> Self {
        sent.take_code(&status.code);
        self.code(cx, &status.code);
        let ok = status.word == Word::Ok;
        match sent.kind {
            Kind::Idle => return self.idle_answered(cx, sent, status),
            _ if ok && !sent.then.is_empty() => {
                if let Some(line) = sent.then.pop_front() {
                    sent.tag = self.send_line(cx, line, &TAG);
                    sent.second = true;
                    self.common.sent.push_back(sent);
                    return self.rest(cx);
                }
            }
            _ => {}
        }
        match sent.kind {
            Kind::Compress => {
                cx.line_by_line(false);
                if ok {
                    self.common.compressed = true;
                    cx.compress();
                }
            }
            Kind::Select => {
                let opened = self.common.opening.take();
                if let Some(opened) = opened.filter(|_| ok) {
                    cx.event(Event::Opened(opened));
                }
            }
            Kind::Search(count) if ok => cx.event(Event::Counted(count)),
            Kind::Search(_) => self.common.contexts.retain(|context| context.tag != sent.tag),
            _ => {}
        }
        let Status { code, text, .. } = &status;
        let outcome = if sent.kind == Kind::Rights && sent.second && status.word == Word::No {
            // Our own rights were told; everyone's are not for us.
            Outcome::Ok
        } else {
            status.outcome()
        };
        self.complete(
            cx,
            Completion { outcome, code: code.name.clone(), text: text.clone(), ..sent.end },
        );
        if sent.kind == Kind::Unauthenticate && ok {
            return self.begin_anew(cx);
        }
        if sent.kind == Kind::Logout {
            self.say_done(cx, None);
            return self.close(cx);
        }
        let client = self.rest(cx);
        client.pump(cx)
    }

    /// RFC 8437 §3: nothing is left of the account that was logged in to, nor of what was agreed on with it.
    fn begin_anew(mut self, cx: &mut Cx<Self>) -> Self {
        let common = &mut self.common;
        common.forget_server();
        common.contexts.clear();
        (common.preauth, common.logins, common.login_refusal) = (false, 0, None);
        self.ask(cx, super::opening::Asked::Capability)
    }

    /// Tells the host that a call is over.
    pub(super) fn complete(&mut self, cx: &mut Cx<Self>, end: Completion) {
        let incomplete = self.common.incomplete;
        // What else is due may have been what was dropped.
        self.common.incomplete = incomplete && !self.common.sent.is_empty();
        cx.event(Event::Completed(Completion { incomplete, ..end }));
    }

    /// The server said something that is no response.
    pub(super) fn malformed(self, cx: &mut Cx<Self>) -> Self {
        self.defect(cx, super::incoming::RESPONSE.gist);
        self.lost(cx, Failure::ours(Cause::Malformed, "The server's words are no response"))
    }
}

impl Sent {
    /// The call, if it is not a command of the session's own.
    pub(super) fn call(&self) -> Option<u32> {
        (self.kind != Kind::Own).then_some(self.end.call)
    }

    /// RFC 4315 §3, RFC 7162 §3.1.3, RFC 9738 §3.1: what a code tells of this command.
    pub(super) fn take_code(&mut self, code: &Code) {
        let mut scan = Scan::new(&code.arguments);
        let set = |scan: &mut Scan<'_>| uid_set(&scan.string().unwrap_or_default());
        let end = &mut self.end;
        match &code.name[..] {
            b"COPYUID" => {
                end.uid_validity = scan.number().and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
                end.source = set(&mut scan);
                end.target = set(&mut scan);
            }
            b"APPENDUID" => {
                end.uid_validity = scan.number().and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
                end.target = set(&mut scan);
            }
            b"MODIFIED" => end.modified = set(&mut scan),
            b"MESSAGELIMIT" => {
                let mut number = || scan.number().and_then(|n| u32::try_from(n).ok());
                end.message_limit = number()
                    .map(|max| MessageLimit { max, lowest_uid: number().filter(|uid| *uid > 0) });
            }
            _ => {}
        }
    }
}

impl Common {
    /// The next call that may begin now.
    fn next(&mut self) -> Option<Call> {
        if self.outgoing.is_some() || self.idle.is_some() || self.sent.len() >= IN_FLIGHT_MAX {
            return None;
        }
        let front = self.waiting.front()?;
        let kind = Kind::of(&front.command, front.id);
        let alone = match &front.command {
            Command::Copy(copy) => copy.remove && !self.has("MOVE"),
            Command::Unselect
            | Command::Close
            | Command::Notify(_)
            | Command::DoneIdling
            | Command::CancelUpdate(_) => true,
            _ => matches!(
                kind,
                Kind::Select
                    | Kind::Append
                    | Kind::Idle
                    | Kind::Rights
                    | Kind::Compress
                    | Kind::Unauthenticate
                    | Kind::Logout
            ),
        };
        let clash =
            |sent: &Sent| alone || sent.is_alone() || (kind.is_search() && sent.kind.is_search());
        if self.sent.iter().any(clash) { None } else { self.waiting.pop_front() }
    }
}

pub(super) fn completion(call: u32, outcome: Outcome) -> Completion {
    Completion {
        call,
        outcome,
        code: Vec::new(),
        text: Vec::new(),
        incomplete: false,
        uid_validity: 0,
        source: Vec::new(),
        target: Vec::new(),
        modified: Vec::new(),
        message_limit: None,
    }
}
