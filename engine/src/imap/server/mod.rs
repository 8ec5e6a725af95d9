//! The IMAP server (RFC 9051, RFC 3501): reads commands in order, runs one at a time, and asks its
//! host for the rest. Grammar is next door; each long command is a resumable job in a file of its
//! own.

mod acl;
mod append;
mod append_parts;
mod authenticate;
mod capability;
mod catenate;
mod condstore;
mod context;
mod copy;
mod demands;
mod dispatch;
mod examine;
mod expected;
mod expunge;
mod fetch;
mod flow;
mod forest;
mod freeze;
mod greeting;
mod idle;
pub(super) mod incoming;
mod item;
mod items;
mod job;
mod kept;
mod limit;
mod list;
mod mailbox;
mod message;
mod metadata;
mod multisearch;
mod notify;
mod open;
mod order;
mod ordered;
mod phase;
mod print;
mod program;
mod progress;
mod quota;
mod reading;
mod relevancy;
mod reply;
mod resolve;
mod result;
mod runs;
mod search;
mod selection;
mod sieve;
mod sort;
mod state;
mod status;
mod store;
mod tell;
mod thread;
mod uid_only;
mod url_auth;
mod url_fetch;
mod vanished;
mod view;

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::grammar::Options;
use super::types::{Answer, Ask, Call, Config, Event};
use crate::role::{Cx, Line, LineFault, Role, TextEnd, Want};
use crate::sasl::server::Terms;
use crate::session::Session;
use crate::trace::Rule;
use crate::types::{AskId, Farewell, Misuse, Now, TlsFacts, TlsOffer};

use capability::{Feature, Features};
use condstore::Aware;
use incoming::Incoming;
use job::{Job, Wait};
use reply::Reply;
use state::State;
use tell::Telling;

/// The rules that this side follows.
pub(super) const RULES: &[&Rule] = &[
    &acl::ACL,
    &acl::LIST_RIGHTS,
    &acl::MY_RIGHTS,
    &acl::NEEDED,
    &append::APPEND,
    &append::MULTI,
    &append::NO_NUL,
    &append::REPLACE,
    &append::UTF8,
    &authenticate::EXCHANGE,
    &authenticate::PRIVACY,
    &capability::CAPABILITY,
    &catenate::BAD_URL,
    &catenate::CATENATE,
    &dispatch::COMPRESS,
    &dispatch::LANGUAGE,
    &dispatch::UNAUTHENTICATE,
    &condstore::AWARE,
    &condstore::DELAYED,
    &condstore::HIGHEST,
    &context::REFUSED,
    &context::REMOVED,
    &context::UPDATE,
    &copy::COPYUID,
    &limit::REFUSED,
    &limit::CUT,
    &dispatch::STARTTLS,
    &demands::STATES,
    &fetch::CHANGED,
    &fetch::FETCH,
    &fetch::SEEN,
    &fetch::GONE,
    &greeting::PREAUTH,
    &idle::DONE,
    &incoming::LITERAL,
    &incoming::NON_SYNC,
    &incoming::SYNTAX,
    &list::LIST,
    &mailbox::OBJECT_ID,
    &metadata::LONG,
    &metadata::SET,
    &metadata::VALUES,
    &multisearch::MULTISEARCH,
    &multisearch::SOURCES,
    &notify::BAD_EVENT,
    &notify::NAMES,
    &notify::NOTIFY,
    &notify::OTHERS,
    &notify::OVERFLOW,
    &quota::QUOTA,
    &quota::ROOT,
    &list::LSUB,
    &open::SELECT,
    &relevancy::RELEVANCY,
    &reply::BYE,
    &reply::CODES,
    &reply::TAGGED,
    &resolve::NUMBER,
    &result::ESEARCH,
    &result::MODSEQ,
    &result::PARTIAL,
    &sort::ESORT,
    &sort::SORT,
    &state::FLAGS,
    &store::CONDITIONAL,
    &tell::EXPUNGE,
    &tell::FLAGS,
    &tell::SIZE,
    &tell::VANISHED,
    &thread::SUBJECT,
    &progress::PROGRESS,
    &thread::THREAD,
    &uid_only::GONE,
    &uid_only::REQUIRED,
    &uid_only::UIDFETCH,
    &url_auth::GENERATE,
    &url_auth::MECHANISM,
    &url_auth::RESET,
    &url_fetch::FETCH,
    &url_fetch::VALID,
    &vanished::EARLIER,
    &vanished::MATCH,
];

/// The IMAP server role.
pub struct Server {
    base: Box<Base>,
    state: State,
    doing: Doing,
}

/// What holds in every state.
#[derive(Debug)]
pub(crate) struct Base {
    config: Config,
    features: Features,
    tls: Option<TlsFacts>,
    /// ENABLE IMAP4rev2 (RFC 9051 §6.3.1).
    rev2_enabled: bool,
    /// ENABLE UTF8=ACCEPT (RFC 6855 §3).
    utf8_enabled: bool,
    /// ENABLE UIDONLY (RFC 9586 §3.1).
    uid_only: bool,
    aware: Aware,
    /// COMPRESS was accepted (RFC 4978 §3).
    compressed: bool,
    errors: u32,
    /// Commands since the last that led anywhere, before login.
    idle_commands: u32,
    farewell: Option<Farewell>,
    /// RFC 5465: once NOTIFY was said.
    notify: Option<Box<notify::Notify>>,
    /// When the client is told next how far its command is (RFC 9585 §4), on the monotonic clock.
    progress_due_ms: u64,
    /// The UID down to which the command that runs works, where that is not all that it names (RFC 9738).
    cut_at: Option<u32>,
}

impl Base {
    fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    /// On what terms the peer may log in now.
    fn terms(&self) -> Terms<'_> {
        let offer = &self.config.auth;
        Terms { offer, secured: self.is_secure(), tls: self.tls.as_ref() }
    }

    /// Whether responses are those of IMAP4rev2.
    fn is_rev2(&self) -> bool {
        self.rev2_enabled || !self.features.has(Feature::Rev1)
    }

    /// Whether the client takes UTF-8 in names and quoted strings.
    fn takes_utf8(&self) -> bool {
        self.is_rev2() || self.utf8_enabled
    }

    fn options(&self) -> Options {
        Options { utf8: self.takes_utf8(), no_charset: self.utf8_enabled }
    }

    /// Whether literals may come without waiting. RFC 9051 §4.3 has short ones without a capability; who leaves both
    /// capabilities out means those too, until the client says that it speaks IMAP4rev2.
    fn takes_non_sync(&self) -> bool {
        let offered = [Feature::LiteralPlus, Feature::LiteralMinus];
        self.is_rev2() || offered.into_iter().any(|feature| self.features.has(feature))
    }

    fn has_uid_plus(&self) -> bool {
        self.features.has(Feature::UidPlus)
    }

    /// Whether STARTTLS would be taken.
    fn offers_tls(&self) -> bool {
        !self.is_secure() && self.config.tls == TlsOffer::Upgrade
    }

    fn capabilities(&self, logged_in: bool) -> Vec<u8> {
        // RFC 8437 §3: compression would have to end with it.
        let features = match self.compressed {
            true => self.features.but(Feature::Unauthenticate),
            false => self.features,
        };
        capability::list(features, &self.config, self.terms(), logged_in)
    }
}

/// What the session is at.
enum Doing {
    /// Reading a command.
    Command(Box<Incoming>),
    /// A command that is not over.
    Job { tag: Vec<u8>, job: Job, wait: Wait },
    /// What others did is told, then this.
    Telling { after: After, telling: Telling, wait: Wait },
    /// The host has its say before the greeting.
    Greeting,
    /// The host says whether the peer is let in as whom the configuration names.
    Admitting,
    /// STARTTLS was accepted.
    Securing,
    /// Over.
    Over,
}

/// What comes after what others did.
enum After {
    /// The end of a command.
    Reply(Vec<u8>, Reply),
    /// The next command: it was told unasked (RFC 5465 §3.1).
    Nothing(Unasked),
}

/// Something told while no command runs.
#[derive(Clone, Copy)]
struct Unasked {
    /// The deadline before it.
    deadline_ms: Option<u64>,
    /// More happened meanwhile.
    again: bool,
}

impl Role for Server {
    type Config = Config;
    type Ask = Ask;
    type Answer = Answer;
    type Call = Call;
    type Event = Event;

    fn start(mut config: Config, cx: &mut Cx<Self>) -> Self {
        cx.trace(config.trace);
        let features = Features::new(&config.without);
        capability::leave_out(&mut config);
        let base = Base {
            config,
            features,
            tls: None,
            rev2_enabled: false,
            utf8_enabled: false,
            uid_only: false,
            aware: Aware::default(),
            compressed: false,
            errors: 0,
            idle_commands: 0,
            farewell: None,
            notify: None,
            progress_due_ms: 0,
            cut_at: None,
        };
        let implicit = base.config.tls == TlsOffer::Implicit;
        let mut server = Self {
            base: Box::new(base),
            state: State::NotAuthenticated,
            doing: Doing::Command(Box::default()),
        };
        if implicit {
            cx.start_tls();
            server.doing = Doing::Securing;
            server.set_deadline(cx);
            return server;
        }
        server.begin(cx)
    }

    fn want(&self) -> Want {
        let wait = match &self.doing {
            Doing::Command(incoming) => return incoming.want(&self.base, &self.state),
            Doing::Job { wait, .. } | Doing::Telling { wait, .. } => *wait,
            Doing::Greeting | Doing::Admitting => return Want::Answer,
            Doing::Securing => return Want::Secured,
            Doing::Over => return Want::Nothing,
        };
        match wait {
            Wait::Answer => Want::Answer,
            Wait::Room => Want::Room,
            Wait::Line { max } => Want::Line { max },
            Wait::Octets { left } => Want::Octets { left },
        }
    }

    fn on_line(mut self, cx: &mut Cx<Self>, line: Line) -> Self {
        match core::mem::replace(&mut self.doing, Doing::Over) {
            Doing::Command(incoming) => self.command_line(cx, *incoming, line),
            Doing::Job { .. } if line.fault == Some(LineFault::Foreign) => {
                cx.note_secret(line.start, line.end, "unparsed");
                self.bye(cx, None, "A line that never ends is no line")
            }
            Doing::Job { tag, job, .. } => {
                let next = job.line(&mut self.work(cx), line);
                self.go(cx, tag, next)
            }
            doing => Self { doing, ..self },
        }
    }

    fn on_octets(mut self, cx: &mut Cx<Self>, octets: Vec<u8>) -> Self {
        match core::mem::replace(&mut self.doing, Doing::Over) {
            Doing::Command(incoming) => self.command_octets(cx, *incoming, &octets),
            Doing::Job { tag, job, .. } => {
                let next = job.octets(&mut self.work(cx), octets);
                self.go(cx, tag, next)
            }
            doing => Self { doing, ..self },
        }
    }

    fn on_text(self, _: &mut Cx<Self>, _: Vec<u8>, _: Option<TextEnd>) -> Self {
        // IMAP has no dot-terminated text, so no state wants it.
        self
    }

    fn on_end(self, cx: &mut Cx<Self>) -> Self {
        self.close(cx)
    }

    fn on_secured(mut self, cx: &mut Cx<Self>, facts: TlsFacts) -> Self {
        // RFC 9051 §6.2.1: nothing that was said before counts.
        self.base.tls = Some(facts);
        self.base.rev2_enabled = false;
        self.base.utf8_enabled = false;
        self.base.uid_only = false;
        self.base.aware = Aware::default();
        self.state = State::NotAuthenticated;
        if self.base.config.tls == TlsOffer::Implicit {
            return self.begin(cx);
        }
        self.doing = Doing::Command(Box::default());
        self.settle(cx)
    }

    fn on_answer(
        mut self,
        cx: &mut Cx<Self>,
        _: AskId,
        answer: Answer,
    ) -> Result<Self, (Self, Misuse)> {
        match core::mem::replace(&mut self.doing, Doing::Over) {
            Doing::Job { tag, job, wait } => match job.answer(&mut self.work(cx), answer) {
                Ok(next) => Ok(self.go(cx, tag, next)),
                Err((job, misuse)) => {
                    self.doing = Doing::Job { tag, job, wait };
                    Err((self, misuse))
                }
            },
            Doing::Telling { after, telling, wait } => {
                match telling.answer(&mut self.work(cx), answer) {
                    Ok(need) => Ok(self.told(cx, after, need)),
                    Err((telling, misuse)) => {
                        self.doing = Doing::Telling { after, telling, wait };
                        Err((self, misuse))
                    }
                }
            }
            Doing::Greeting => match self.greeting_answered(cx, answer) {
                (server, None) => Ok(server),
                (server, Some(misuse)) => Err((server, misuse)),
            },
            Doing::Admitting => match self.admitted(cx, answer) {
                (server, None) => Ok(server),
                (server, Some(misuse)) => Err((server, misuse)),
            },
            doing => Err((Self { doing, ..self }, Misuse::UnknownAsk)),
        }
    }

    fn on_call(mut self, cx: &mut Cx<Self>, call: Call) -> Result<Self, (Self, Misuse)> {
        match call {
            Call::Farewell(reason) => {
                self.base.farewell = Some(reason);
                Ok(if matches!(self.doing, Doing::Securing) { self } else { self.settle(cx) })
            }
            Call::Changed(changes) => {
                if changes.iter().any(|change| view::check(change).is_err()) {
                    return Err((self, Misuse::BadValue));
                }
                if let Doing::Job { job: Job::Open(open), .. } = &mut self.doing {
                    open.changed(changes);
                    return Ok(self);
                }
                // A change may cross with the command that closes the mailbox: then there is no one
                // to tell.
                if let State::Selected(open) = &mut self.state {
                    for change in changes {
                        open.contexts.changed(&change);
                        open.view.change(change);
                    }
                    let lost = open.view.is_lost();
                    if lost && matches!(self.doing, Doing::Command(_)) {
                        return Ok(self.bye(cx, None, "The mailbox is gone"));
                    }
                }
                Ok(self.wake(cx))
            }
            Call::Noticed(notices) => {
                if !notices.iter().all(notify::is_sound) {
                    return Err((self, Misuse::BadValue));
                }
                // What happens while NOTIFY itself is at work is told by what it sets.
                let notify = match &mut self.doing {
                    Doing::Job { job: Job::Notify(job), .. } => Some(job.notify()),
                    _ => self.base.notify.as_deref_mut(),
                };
                if notify.is_some_and(|notify| notify.take_in(notices)) {
                    cx.event(Event::Unwatched);
                }
                Ok(self.wake(cx))
            }
        }
    }

    fn on_deadline(self, cx: &mut Cx<Self>) -> Self {
        match self.doing {
            Doing::Over => self,
            // After STARTTLS nothing may be said in the clear.
            Doing::Securing => self.close(cx),
            _ => self.bye(cx, None, "Silent for too long"),
        }
    }

    fn on_room(mut self, cx: &mut Cx<Self>) -> Self {
        match core::mem::replace(&mut self.doing, Doing::Over) {
            Doing::Job { tag, job, .. } => {
                let next = job.room(&mut self.work(cx));
                self.go(cx, tag, next)
            }
            Doing::Telling { after, telling, .. } => self.tell(cx, after, telling),
            doing => Self { doing, ..self },
        }
    }

    fn freeze(session: &Session<Self>) -> Option<Vec<u8>> {
        freeze::freeze(session)
    }

    fn thaw(config: Config, now: Now, frozen: &[u8]) -> Result<Session<Self>, Misuse> {
        freeze::thaw(config, now, frozen)
    }
}

/// The names by which `Config::without` leaves capabilities out.
pub fn capability_names() -> impl Iterator<Item = &'static str> {
    capability::names()
}

/// The line that a host sends in place of a session, when it has none to say it (RFC 9051 §7.1.5).
#[must_use]
pub fn farewell(reason: Farewell) -> Vec<u8> {
    let (code, text) = (reply::farewell_code(reason), reply::farewell_text(reason));
    [b"* BYE [", code.as_bytes(), b"] ", text.as_bytes(), b"\r\n"].concat()
}
