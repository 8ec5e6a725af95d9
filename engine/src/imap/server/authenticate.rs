//! LOGIN and AUTHENTICATE (RFC 9051 §6.2.2, §6.2.3): from the peer's words to credentials that the
//! host judges. A failed login says the same whatever was wrong, so that names cannot be guessed.

use alloc::vec::Vec;

use super::capability;
use super::job::{Answered, Job, Next, Work, wrong};
use super::reply::Reply;
use super::state::State;
use crate::imap::types::{Answer, Ask};
use crate::role::{Line, LineFault};
use crate::sasl::server::{Exchange, Step};
use crate::sasl::{Credentials, LoginAnswer, Mechanism, PasswordCredentials};
use crate::trace::Rule;

/// RFC 9051 §11.7.
pub(crate) const PRIVACY: Rule = Rule {
    rfc: 9051,
    section: "11.7",
    gist: "No password is taken over a connection that others can read.",
};
/// RFC 9051 §6.2.2.
pub(crate) const EXCHANGE: Rule = Rule {
    rfc: 9051,
    section: "6.2.2",
    gist: "A challenge is a continuation with base64; a lone star cancels the exchange.",
};

const NEEDS_TLS: Reply = Reply::no("PRIVACYREQUIRED", "Start TLS first").because(&PRIVACY);

/// A login that waits for the peer's next response or for the host's judgement.
pub(crate) enum Authenticate {
    Response(Exchange),
    Judgement(Exchange),
}

/// LOGIN.
pub(crate) fn login(work: &mut Work<'_>, user: Vec<u8>, password: Vec<u8>) -> Next {
    let base = &work.base;
    if !capability::login_allowed(&base.config, base.is_secure()) {
        return Next::done(if base.config.auth.password_commands {
            NEEDS_TLS
        } else {
            Reply::no("CANNOT", "LOGIN is not offered here")
        });
    }
    let authorization = Vec::new();
    let given = PasswordCredentials { authorization, user, password };
    judge(Exchange::judging(), Credentials::Password(given))
}

/// AUTHENTICATE, with its initial response if one came (RFC 4959).
pub(crate) fn authenticate(work: &mut Work<'_>, name: &[u8], initial: Option<&[u8]>) -> Next {
    let terms = work.base.terms();
    let offered = Mechanism::from_name(name).filter(|m| terms.offer.mechanisms.contains(m));
    match offered {
        Some(mechanism) if terms.has(mechanism) => {
            let first = Exchange::start(mechanism, initial, terms);
            step(work, first)
        }
        Some(_) if !terms.are_open() => Next::done(NEEDS_TLS),
        _ => Next::done(Reply::no("CANNOT", "This mechanism is not offered")),
    }
}

fn step(work: &mut Work<'_>, step: Step) -> Next {
    match step {
        Step::Challenge(exchange, challenge) => {
            work.cx.send(b"+", "continue-req", Some(&EXCHANGE));
            work.cx.send(b" ", "SP", None);
            work.cx.send(&challenge, "challenge", None);
            work.cx.send(b"\r\n", "CRLF", None);
            let max = work.base.config.limits.auth_line_max as usize;
            Next::Line(max, Job::Authenticate(Authenticate::Response(exchange)))
        }
        Step::Ask(exchange, credentials) => judge(exchange, credentials),
        Step::Accepted(_) => accepted(work),
        Step::Refused(refusal, _) => {
            // Who guesses is let go as early as who sends nonsense.
            work.base.errors = work.base.errors.saturating_add(1);
            Next::done(Reply::refused(refusal))
        }
        // RFC 9051 §6.2.2: the server must answer a cancelled exchange with BAD.
        Step::Cancelled => Next::done(Reply::bad("Authentication cancelled")),
        Step::Malformed(rule) => {
            Next::done(Reply::bad("This is not what the mechanism says").because(rule))
        }
    }
}

fn judge(exchange: Exchange, credentials: Credentials) -> Next {
    Next::Ask(Ask::Login(credentials), Job::Authenticate(Authenticate::Judgement(exchange)))
}

fn accepted(work: &mut Work<'_>) -> Next {
    work.go(State::Authenticated);
    // RFC 9051 §6.2.3: told at once, so that the client need not ask again.
    let list = work.base.capabilities(true);
    Next::done(Reply::ok("Logged in").with_code([b"CAPABILITY ", &list[..]].concat()))
}

impl Authenticate {
    /// Whether the client's turn has come.
    pub(crate) fn takes_line(&self) -> bool {
        matches!(self, Self::Response(_))
    }

    pub(crate) fn line(self, work: &mut Work<'_>, line: Line) -> Next {
        work.cx.note_secret(line.start, line.end - 2, "base64");
        work.cx.note_received(line.end - 2, line.end, "CRLF", None);
        match (self, line.fault) {
            (Self::Response(exchange), None) => {
                let next = exchange.respond(&line.octets, work.base.terms());
                step(work, next)
            }
            (_, Some(LineFault::TooLong)) => Next::done(Reply::bad("The response is too long")),
            _ => Next::done(Reply::bad("This is not base64")),
        }
    }

    pub(crate) fn answer(self, work: &mut Work<'_>, answer: Answer) -> Answered {
        let answer = match answer {
            Answer::Login(answer) => answer,
            Answer::Refused(refusal) => LoginAnswer::Refused(refusal),
            _ => return wrong(Job::Authenticate(self)),
        };
        match self {
            Self::Judgement(exchange) => match exchange.answered(answer) {
                Ok(next) => Ok(step(work, next)),
                Err((exchange, misuse)) => {
                    Err((Job::Authenticate(Self::Judgement(exchange)), misuse))
                }
            },
            Self::Response(_) => wrong(Job::Authenticate(self)),
        }
    }
}
