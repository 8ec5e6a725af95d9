//! Commands that take more than one step: what each waits for, and who goes on when it comes.
//! One job runs at a time; commands sent meanwhile wait unparsed, in order.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::append::Append;
use super::authenticate::Authenticate;
use super::copy::Copy;
use super::expunge::Expunge;
use super::fetch::Fetch;
use super::idle::Idle;
use super::list::List;
use super::mailbox::Change;
use super::metadata::Metadata;
use super::multisearch::MultiSearch;
use super::notify::Setting;
use super::open::Open;
use super::phase::Held;
use super::reply::Reply;
use super::search::Search;
use super::sort::Sort;
use super::state::{Selected, State};
use super::status::Status;
use super::store::Store;
use super::thread::Thread;
use super::url_auth::UrlAuth;
use super::url_fetch::UrlFetch;
use super::vanished::Vanished;
use super::{Base, Server, acl, quota};
use crate::imap::types::{Answer, Ask, Event};
use crate::role::{Cx, Line};
use crate::types::Misuse;

/// What a job works on.
pub(crate) struct Work<'a> {
    pub(crate) base: &'a mut Base,
    pub(crate) state: &'a mut State,
    pub(crate) cx: &'a mut Cx<Server>,
}

impl Work<'_> {
    /// The open mailbox with the rest, if one is open.
    pub(crate) fn selected(&mut self) -> Option<(&Base, &mut Selected, &mut Cx<Server>)> {
        match self.state {
            State::Selected(open) => Some((self.base, open, self.cx)),
            _ => None,
        }
    }

    pub(crate) fn go(&mut self, state: State) {
        self.cx.note_state(self.state.name(), state.name());
        *self.state = state;
    }

    /// Leaves the open mailbox, if one is open.
    pub(crate) fn close_mailbox(&mut self) {
        if matches!(self.state, State::Selected(_)) {
            self.cx.event(Event::Closed);
            self.go(State::Authenticated);
        }
    }
}

/// Which job runs.
pub(crate) enum Job {
    Authenticate(Authenticate),
    Change(Change),
    List(Box<List>),
    Status(Status),
    Quota(quota::Wanted),
    Metadata(Metadata),
    Rights(acl::Wanted),
    UrlAuth(UrlAuth),
    UrlFetch(Box<UrlFetch>),
    Notify(Box<Setting>),
    Open(Box<Open>),
    Append(Box<Append>),
    Vanished(Box<Vanished>),
    Fetch(Box<Fetch>),
    Search(Box<Search>),
    MultiSearch(Box<MultiSearch>),
    Sort(Box<Sort>),
    Thread(Box<Thread>),
    Store(Box<Store>),
    Copy(Copy),
    Expunge(Expunge),
    Idle(Idle),
    /// The host has its say before the command.
    Phase(Box<Held>),
}

/// What a job needs before it can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    Answer,
    Room,
    Line { max: usize },
    Octets { left: u64 },
}

/// What comes after a step.
pub(crate) enum Next {
    Ask(Ask, Job),
    Room(Job),
    Line(usize, Job),
    Octets(u64, Job),
    /// The command is over; what others did is told before the reply.
    Done(Reply, Expunges),
    /// The command should be over, but this follows; it is refused so once all that belongs to it
    /// has passed by.
    Rest(Line, Reply),
    /// STARTTLS is accepted.
    StartTls,
    /// COMPRESS is accepted.
    Compress,
    /// The connection is over.
    Bye(Option<&'static str>, &'static str),
    /// The connection is over, with these words of the host.
    Cut(Vec<u8>),
}

/// Whether EXPUNGE may be told before the reply (RFC 9051 §7.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expunges {
    Told,
    Kept,
}

/// What is answered to a command about the open mailbox, while none is open.
pub(crate) const NOT_SELECTED: Reply = Reply::bad("Select a mailbox first");

impl Next {
    pub(crate) const fn done(reply: Reply) -> Self {
        Self::Done(reply, Expunges::Told)
    }

    /// A command about the open mailbox, while none is open.
    pub(crate) const fn no_mailbox() -> Self {
        Self::done(NOT_SELECTED)
    }
}

/// What comes after an answer, or the job as it was before one that makes no sense.
pub(crate) type Answered = Result<Next, (Job, Misuse)>;

/// The answer is of another kind than the ask names.
pub(crate) fn wrong(job: Job) -> Answered {
    Err((job, Misuse::WrongAnswer))
}

impl Job {
    pub(crate) fn answer(self, work: &mut Work<'_>, answer: Answer) -> Answered {
        match self {
            Self::Authenticate(job) => job.answer(work, answer),
            Self::Change(job) => job.answer(work, answer),
            Self::List(job) => job.answer(work, answer),
            Self::Status(job) => job.answer(work, answer),
            Self::Quota(job) => job.answer(work, answer),
            Self::Metadata(job) => job.answer(work, answer),
            Self::Rights(job) => job.answer(work, answer),
            Self::UrlAuth(job) => job.answer(work, answer),
            Self::UrlFetch(job) => job.answer(work, answer),
            Self::Notify(job) => job.answer(work, answer),
            Self::Open(job) => job.answer(work, answer),
            Self::Append(job) => job.answer(work, answer),
            Self::Vanished(job) => job.answer(work, answer),
            Self::Fetch(job) => job.answer(work, answer),
            Self::Search(job) => job.answer(work, answer),
            Self::MultiSearch(job) => job.answer(work, answer),
            Self::Sort(job) => job.answer(work, answer),
            Self::Thread(job) => job.answer(work, answer),
            Self::Store(job) => job.answer(work, answer),
            Self::Copy(job) => job.answer(work, answer),
            Self::Expunge(job) => job.answer(work, answer),
            Self::Idle(job) => job.answer(work, answer),
            Self::Phase(held) => held.answer(work, answer),
        }
    }

    pub(crate) fn room(self, work: &mut Work<'_>) -> Next {
        match self {
            Self::List(job) => job.run(work),
            Self::UrlFetch(job) => job.run(work),
            Self::Notify(job) => job.run(work),
            Self::Vanished(job) => job.run(work),
            Self::Fetch(job) => job.run(work),
            Self::Search(job) => job.run(work),
            Self::Sort(job) => job.run(work),
            Self::Thread(job) => job.run(work),
            Self::Store(job) => job.run(work),
            Self::Idle(job) => job.run(work),
            // The others send little and never wait for room.
            job => Next::Room(job),
        }
    }

    pub(crate) fn line(self, work: &mut Work<'_>, line: Line) -> Next {
        match self {
            Self::Authenticate(job) => job.line(work, line),
            Self::Append(job) => job.line(work, line),
            Self::Idle(job) => job.line(work, line),
            // The others never wait for a line.
            job => Next::Room(job),
        }
    }

    pub(crate) fn octets(self, work: &mut Work<'_>, octets: Vec<u8>) -> Next {
        match self {
            Self::Append(job) => job.octets(work, octets),
            // The others never wait for octets.
            job => Next::Room(job),
        }
    }

    /// The connection ends in the middle of this job.
    pub(crate) fn cut(&self, cx: &mut Cx<Server>) {
        if let Self::Append(job) = self {
            job.drop_all(cx);
        }
    }
}
