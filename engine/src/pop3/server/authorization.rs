//! The AUTHORIZATION state: who are you?

use alloc::vec::Vec;

use super::{LINE, NO_TLS, STATE, Server, State};
use crate::pop3::grammar::Command;
use crate::pop3::types::{Ask, Event, Opened};
use crate::role::{Cx, Line, LineFault};
use crate::sasl::server::{Exchange, Step};
use crate::sasl::{Credentials, DigestCredentials, LoginAnswer, PasswordCredentials};
use crate::trace::Rule;
use crate::types::{Misuse, TlsOffer};

use super::transaction::Maildrop;

/// RFC 1939 §7.
pub(super) const SECRET: Rule = Rule {
    rfc: 1939,
    section: "7",
    gist: "The secret belongs to a maildrop, and a name that does not exist is told by nothing.",
};

impl Server {
    pub(super) fn authorization(
        self,
        cx: &mut Cx<Self>,
        command: Command,
        user: Option<Vec<u8>>,
    ) -> Self {
        match command {
            Command::User(name) if self.offers_passwords() => {
                // RFC 1939 §7, and RFC 9051 §11.7 in spirit: every name is welcome until its password is judged.
                self.ok(cx, self.common.words().map_or("send PASS", |words| words.user));
                self.go(cx, State::Authorization(Some(name)))
            }
            Command::Pass(password) if self.offers_passwords() => match user {
                Some(user) => {
                    let authorization = Vec::new();
                    let given = PasswordCredentials { authorization, user, password };
                    cx.ask(Ask::Login(Credentials::Password(given)));
                    self.go(cx, State::LoggingIn(Exchange::judging()))
                }
                None => self.mistake(cx, "USER comes first", &STATE, State::Authorization(None)),
            },
            Command::User(_) | Command::Pass(_) => {
                let text = "[AUTH] passwords are not taken here without TLS";
                self.mistake(cx, text, &SECRET, State::Authorization(None))
            }
            Command::Apop(user, digest) => match self.common.config.apop_timestamp.clone() {
                Some(challenge) => {
                    let given = DigestCredentials { user, challenge, digest, hmac: false };
                    cx.ask(Ask::Login(Credentials::Digest(given)));
                    self.go(cx, State::LoggingIn(Exchange::judging()))
                }
                None => self.mistake(cx, "APOP is not offered", &STATE, State::Authorization(None)),
            },
            Command::Auth(mechanism, initial) => self.auth(cx, mechanism, initial.as_deref()),
            Command::Stls => self.start_tls(cx),
            Command::Utf8 => self.enable_utf8(cx, State::Authorization(user)),
            Command::Lang(range) => self.speak(cx, range.as_deref(), State::Authorization(user)),
            Command::Capa => {
                self.capabilities(cx, false);
                self.go(cx, State::Authorization(user))
            }
            Command::Quit => {
                cx.event(Event::Quit);
                self.ok(cx, "bye");
                self.close(cx)
            }
            _ => self.mistake(cx, "log in first", &STATE, State::Authorization(user)),
        }
    }

    pub(super) fn offers_passwords(&self) -> bool {
        let offer = &self.common.config.auth;
        offer.password_commands && (offer.cleartext || self.common.is_secured())
    }

    /// RFC 5034 §4. AUTH alone lists the mechanisms, as old clients expect.
    fn auth(
        self,
        cx: &mut Cx<Self>,
        mechanism: Option<Option<crate::sasl::Mechanism>>,
        initial: Option<&[u8]>,
    ) -> Self {
        let terms = self.common.terms();
        match mechanism {
            None => {
                self.ok(cx, "mechanisms follow");
                for mechanism in terms.mechanisms() {
                    cx.send(mechanism.name().as_bytes(), "mechanism", None);
                    cx.send(b"\r\n", "CRLF", None);
                }
                cx.send(b".\r\n", "end of response", None);
                self.go(cx, State::Authorization(None))
            }
            Some(wanted) => match wanted.filter(|wanted| terms.has(*wanted)) {
                Some(mechanism) => {
                    let step = Exchange::start(mechanism, initial, terms);
                    self.auth_step(cx, step)
                }
                None => {
                    self.mistake(cx, "mechanism not offered", &SECRET, State::Authorization(None))
                }
            },
        }
    }

    pub(super) fn auth_response(mut self, cx: &mut Cx<Self>, line: &Line) -> Self {
        let state = core::mem::replace(&mut self.state, State::Authorization(None));
        let State::Authenticating(exchange) = state else {
            self.state = state;
            return self;
        };
        cx.note_secret(line.start, line.end - 2, "response");
        cx.note_received(line.end - 2, line.end, "CRLF", None);
        if line.fault == Some(LineFault::TooLong) {
            return self.mistake(cx, "the line is too long", &SECRET, State::Authorization(None));
        }
        let step = match line.fault {
            Some(_) => Step::Malformed(&LINE),
            None => exchange.respond(&line.octets, self.common.terms()),
        };
        self.auth_step(cx, step)
    }

    fn auth_step(self, cx: &mut Cx<Self>, step: Step) -> Self {
        let again = State::Authorization(None);
        match step {
            Step::Challenge(exchange, challenge) => {
                cx.send(b"+ ", "continuation", None);
                cx.send(&challenge, "challenge", None);
                cx.send(b"\r\n", "CRLF", None);
                self.go(cx, State::Authenticating(exchange))
            }
            Step::Ask(exchange, credentials) => {
                cx.ask(Ask::Login(credentials));
                self.go(cx, State::LoggingIn(exchange))
            }
            Step::Accepted(_) => {
                cx.ask(Ask::Open(self.common.config.login_delay_s));
                self.go(cx, State::Opening)
            }
            Step::Refused(refusal, rule) => {
                let text = super::reply::refused(&refusal, true);
                let text = alloc::string::String::from_utf8_lossy(&text).into_owned();
                self.setback(cx, &text, rule.unwrap_or(&SECRET), again)
            }
            Step::Cancelled => self.mistake(cx, "authentication cancelled", &SECRET, again),
            Step::Malformed(rule) => self.mistake(cx, "cannot decode the response", rule, again),
        }
    }

    /// RFC 2595 §4.
    fn start_tls(self, cx: &mut Cx<Self>) -> Self {
        if self.common.utf8 {
            let text = "STLS comes before UTF8";
            return self.mistake(cx, text, &super::language::UTF8, State::Authorization(None));
        }
        if self.common.config.tls != TlsOffer::Upgrade || self.common.tls.is_some() {
            return self.mistake(cx, "STLS is not offered", &NO_TLS, State::Authorization(None));
        }
        self.ok(cx, "begin TLS");
        cx.start_tls();
        self.go(cx, State::Securing)
    }

    pub(super) fn login_answered(
        mut self,
        cx: &mut Cx<Self>,
        exchange: Exchange,
        answer: LoginAnswer,
    ) -> Result<Self, (Self, Misuse)> {
        match exchange.answered(answer) {
            Ok(step) => Ok(self.auth_step(cx, step)),
            Err((exchange, misuse)) => {
                self.state = State::LoggingIn(exchange);
                Err((self, misuse))
            }
        }
    }

    pub(super) fn opened(mut self, cx: &mut Cx<Self>, opened: Opened) -> Self {
        let Opened { count, octets } = opened;
        self.common.idle_commands = 0;
        let text = alloc::format!("maildrop has {count} messages ({octets} octets)");
        self.ok(cx, self.common.words().map_or(&text[..], |words| words.opened));
        self.go(cx, State::Transaction(alloc::boxed::Box::new(Maildrop::new(opened))))
    }
}
