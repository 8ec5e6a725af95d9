//! The two client roles that read, in one form: what their asks, calls and events have in common.

use pillarbox_engine::limits::Limits;
use pillarbox_engine::sasl::{LoginAsk, LoginSecret};
use pillarbox_engine::types::{Now, Reason, Refusal};
use pillarbox_engine::{Role, imap, pop3};

use super::{Ended, Terms, Why};
use crate::client::{Login, Security};
use crate::engine::{Driven, Engine, StartError};
use crate::serve::shown;

/// What a session asks for.
pub(crate) enum Asked<C> {
    /// Something to log in with.
    Login(LoginAsk),
    /// Whether these octets are wanted.
    Chunk(C),
}

/// What an event says to who drives the session.
pub(crate) enum Heard<C> {
    /// Calls begin.
    Ready,
    /// A call is over.
    Completed(u32, C),
    /// The session is over.
    Done(Option<Ended>),
    /// The server broke a rule.
    Defect(Vec<u8>),
    /// A fact for who called.
    Other,
}

/// A client role that reads mail.
pub(crate) trait Reads:
    Role<Ask: Send, Answer: Send, Call: Send, Event: Send, Config: Send> + Send + 'static
{
    /// For logs and names of files.
    const PROTOCOL: &'static str;
    /// Octets of a message.
    type Chunk: Send + 'static;
    /// What can be called.
    type Command: Send;
    /// How a call ended.
    type Completion: Send + Clone;

    fn session(
        engine: &Engine,
        terms: &Terms,
        security: &Security,
        trace: bool,
        now: Now,
    ) -> Result<Box<dyn Driven<Self>>, StartError>;
    fn asked(ask: Self::Ask) -> Asked<Self::Chunk>;
    fn ask_name(ask: &Self::Ask) -> &'static str;
    fn secret(secret: LoginSecret) -> Self::Answer;
    fn taken(wanted: bool) -> Self::Answer;
    fn call(id: u32, command: Self::Command) -> Self::Call;
    fn heard(event: &Self::Event) -> Heard<Self::Completion>;
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Reads for imap::Client {
    const PROTOCOL: &'static str = "imap-client";
    type Chunk = imap::client::types::BodyChunk;
    type Command = imap::client::types::Command;
    type Completion = imap::client::types::Completion;

    fn session(
        engine: &Engine,
        terms: &Terms,
        security: &Security,
        trace: bool,
        now: Now,
    ) -> Result<Box<dyn Driven<Self>>, StartError> {
        use imap::client::types::{Config, Timeouts, TlsPolicy};
        let tls = match security {
            Security::None => TlsPolicy::None,
            Security::Opportunistic => TlsPolicy::Opportunistic,
            Security::Required(_) => TlsPolicy::Required,
            Security::Implicit(_) => TlsPolicy::Implicit,
        };
        let idle_renew_ms = millis(terms.idle_renew);
        let timeouts = Timeouts { idle_renew_ms, ..Timeouts::default() };
        let (enable, id, limits) = (Vec::new(), Vec::new(), Limits::IMAP_CLIENT);
        engine.imap_client(Config { tls, enable, id, limits, timeouts, trace }, now)
    }

    fn asked(ask: Self::Ask) -> Asked<Self::Chunk> {
        use imap::client::types::Ask;
        match ask {
            Ask::Login(ask) => Asked::Login(ask),
            Ask::Chunk(chunk) => Asked::Chunk(chunk),
        }
    }

    fn ask_name(ask: &Self::Ask) -> &'static str {
        use imap::client::types::Ask;
        match ask {
            Ask::Login(_) => "login",
            Ask::Chunk(_) => "chunk",
        }
    }

    fn secret(secret: LoginSecret) -> Self::Answer {
        imap::client::types::Answer::Login(secret)
    }

    fn taken(wanted: bool) -> Self::Answer {
        use imap::client::types::Answer;
        if wanted { Answer::Done } else { Answer::Refused(Refusal::new(Reason::NotPermitted)) }
    }

    fn call(id: u32, command: Self::Command) -> Self::Call {
        imap::client::types::Call { id, command }
    }

    fn heard(event: &Self::Event) -> Heard<Self::Completion> {
        use imap::client::types::{Cause, Event};
        match event {
            Event::Ready(_) => Heard::Ready,
            Event::Completed(end) => Heard::Completed(end.call, end.clone()),
            Event::Done(failure) => Heard::Done(failure.as_ref().map(|failure| {
                let why = match failure.cause {
                    Cause::Unsupported | Cause::Malformed | Cause::TooLarge => Why::Unsupported,
                    Cause::Login => Why::Login,
                    Cause::Tls => Why::Tls,
                    Cause::Bye | Cause::Timeout | Cause::Lost => Why::Lost,
                };
                Ended::new(why, shown(&failure.text))
            })),
            Event::Defect(rule) => Heard::Defect(rule.clone()),
            _ => Heard::Other,
        }
    }
}

impl Reads for pop3::Client {
    const PROTOCOL: &'static str = "pop3-client";
    type Chunk = pop3::client::types::MessageChunk;
    type Command = pop3::client::types::Command;
    type Completion = pop3::client::types::Completion;

    fn session(
        engine: &Engine,
        terms: &Terms,
        security: &Security,
        trace: bool,
        now: Now,
    ) -> Result<Box<dyn Driven<Self>>, StartError> {
        use pop3::client::types::{Config, Timeouts, TlsPolicy};
        let tls = match security {
            Security::None => TlsPolicy::None,
            Security::Opportunistic => TlsPolicy::Opportunistic,
            Security::Required(_) => TlsPolicy::Required,
            Security::Implicit(_) => TlsPolicy::Implicit,
        };
        let config = Config {
            tls,
            apop: terms.login.as_ref().is_some_and(Login::is_by_apop),
            // Messages come as they are stored.
            utf8: true,
            language: Vec::new(),
            limits: Limits::POP3_CLIENT,
            timeouts: Timeouts::default(),
            trace,
        };
        engine.pop3_client(config, now)
    }

    fn asked(ask: Self::Ask) -> Asked<Self::Chunk> {
        use pop3::client::types::Ask;
        match ask {
            Ask::Login(ask) => Asked::Login(ask),
            Ask::Chunk(chunk) => Asked::Chunk(chunk),
        }
    }

    fn ask_name(ask: &Self::Ask) -> &'static str {
        use pop3::client::types::Ask;
        match ask {
            Ask::Login(_) => "login",
            Ask::Chunk(_) => "chunk",
        }
    }

    fn secret(secret: LoginSecret) -> Self::Answer {
        pop3::client::types::Answer::Login(secret)
    }

    fn taken(wanted: bool) -> Self::Answer {
        use pop3::client::types::Answer;
        if wanted { Answer::Done } else { Answer::Refused(Refusal::new(Reason::NotPermitted)) }
    }

    fn call(id: u32, command: Self::Command) -> Self::Call {
        pop3::client::types::Call { id, command }
    }

    fn heard(event: &Self::Event) -> Heard<Self::Completion> {
        use pop3::client::types::{Cause, Event};
        match event {
            Event::Ready(_) => Heard::Ready,
            Event::Completed(end) => Heard::Completed(end.call, end.clone()),
            Event::Done(failure) => Heard::Done(failure.as_ref().map(|failure| {
                let why = match failure.cause {
                    Cause::Unsupported | Cause::Malformed | Cause::TooLarge | Cause::Dropped => {
                        Why::Unsupported
                    }
                    Cause::Login => Why::Login,
                    Cause::Tls => Why::Tls,
                    Cause::Refused | Cause::Timeout | Cause::Lost => Why::Lost,
                };
                Ended::new(why, shown(&failure.text))
            })),
            Event::Defect(rule) => Heard::Defect(rule.clone()),
            _ => Heard::Other,
        }
    }
}
