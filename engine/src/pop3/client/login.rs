//! Logins: AUTH with a SASL mechanism (RFC 5034), APOP, or USER and PASS (RFC 1939 §7), as the host chooses.
//! What the server offers goes to the host, what the host chooses to the server.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::reply::Status;
use super::types::{Ask, Cause, Code, Event, Failure};
use super::{Client, State, send};
use crate::role::Cx;
use crate::sasl::client as sasl;
use crate::sasl::digest;
use crate::sasl::{ClientCredentials, LoginAsk, LoginChoice, LoginSecret, Mechanism};
use crate::trace::Rule;
use crate::types::Misuse;

/// RFC 5034 §4.
pub(super) const AUTH: Rule = Rule {
    rfc: 5034,
    section: "4",
    gist: "AUTH names a mechanism; then challenges and responses alternate in base64 until +OK or -ERR.",
};
/// RFC 1939 §7.
pub(super) const APOP: Rule = Rule {
    rfc: 1939,
    section: "7",
    gist: "APOP proves the password with the MD5 digest of the greeting's timestamp and the password.",
};
/// RFC 1939 §7.
pub(super) const USER: Rule =
    Rule { rfc: 1939, section: "7", gist: "USER names the maildrop, and PASS follows directly." };

/// Octets of a command line (RFC 2449 §4).
const COMMAND_MAX: usize = 255;
/// Logins that are tried over one connection; servers close after a few.
const LOGINS_MAX: u32 = 3;

/// Where a login stands.
pub(super) enum Login {
    /// The host is choosing.
    Choosing,
    /// USER was sent; the password.
    User(Vec<u8>),
    /// PASS or APOP was sent.
    Judged,
    /// A reply within AUTH is awaited.
    Exchanging(sasl::Exchange),
    /// The host is salting a password.
    Salting(sasl::Exchange),
    /// `*` was sent.
    Cancelled,
}

impl Login {
    /// Whether the host's answer is awaited.
    pub(super) fn is_asking(&self) -> bool {
        matches!(self, Self::Choosing | Self::Salting(_))
    }
}

impl Client {
    /// Lets the host choose how to log in.
    pub(super) fn log_in(mut self, cx: &mut Cx<Self>) -> Self {
        let common = &mut self.common;
        let mut offered = common.capabilities.mechanisms.clone();
        if common.has_password_command() && !offered.contains(&Mechanism::Login) {
            offered.push(Mechanism::Login);
        }
        // Whether a password may cross in the clear the host decides: it is told whether TLS is up.
        let policy = sasl::Policy { only: Vec::new(), cleartext: true };
        let mechanisms = policy.choices(&offered, common.tls.as_ref());
        if mechanisms.is_empty() {
            let text = "The server offers no login that we can do";
            return self.retire(cx, Failure::ours(Cause::Unsupported, text));
        }
        common.logins += 1;
        let (secured, attempt) = (common.tls.is_some(), common.logins);
        cx.ask(Ask::Login(LoginAsk::Choose(LoginChoice { mechanisms, secured, attempt })));
        self.go_login(cx, Login::Choosing)
    }

    fn go_login(self, cx: &mut Cx<Self>, login: Login) -> Self {
        self.go(cx, State::LoggingIn(Box::new(login)))
    }

    pub(super) fn login_answered(
        mut self,
        cx: &mut Cx<Self>,
        login: Login,
        secret: LoginSecret,
    ) -> Result<Self, (Self, Misuse)> {
        let (login, misuse) = match (login, secret) {
            (Login::Choosing | Login::Salting(_), LoginSecret::NoLogin) => {
                let nothing = || Failure::ours(Cause::Login, "There is nothing to log in with");
                let failure = self.common.login_refusal.take().unwrap_or_else(nothing);
                return Ok(self.retire(cx, failure));
            }
            (Login::Choosing, LoginSecret::Credentials(given)) => {
                let by_command = given.mechanism == Mechanism::Login;
                if by_command && self.common.config.apop && self.common.apop_timestamp().is_none() {
                    // AUTH LOGIN would say the password that APOP was to prove.
                    let failure = Failure::ours(Cause::Login, "The server does not offer APOP");
                    return Ok(self.retire(cx, failure));
                }
                if by_command && self.common.has_password_command() {
                    match is_fit(&given, self.common.config.apop) {
                        true => return Ok(self.say_password(cx, &given)),
                        false => (Login::Choosing, Misuse::BadValue),
                    }
                } else {
                    let offered = &self.common.capabilities.mechanisms;
                    match sasl::Exchange::new(given, offered, self.common.tls.as_ref()) {
                        Ok(exchange) => return Ok(self.begin_exchange(cx, exchange)),
                        Err(misuse) => (Login::Choosing, misuse),
                    }
                }
            }
            (Login::Salting(exchange), LoginSecret::SaltedPassword(salted)) => {
                match exchange.salted(&salted) {
                    Ok(step) => return Ok(self.login_step(cx, step)),
                    Err((exchange, misuse)) => (Login::Salting(exchange), misuse),
                }
            }
            (login, _) => (login, Misuse::WrongAnswer),
        };
        self.state = State::LoggingIn(Box::new(login));
        Err((self, misuse))
    }

    /// APOP, or USER with PASS to follow.
    fn say_password(self, cx: &mut Cx<Self>, given: &ClientCredentials) -> Self {
        let login = if let Some(timestamp) = self.common.apop_timestamp() {
            let digest = digest::apop(timestamp, &given.secret);
            cx.send(b"APOP", "verb", Some(&APOP));
            cx.send(b" ", "SP", None);
            cx.send(&given.user, "user name", None);
            cx.send(b" ", "SP", None);
            cx.send_secret(&digest, "digest", None);
            cx.send(b"\r\n", "CRLF", None);
            Login::Judged
        } else {
            send(cx, &[b"USER ", &given.user[..], b"\r\n"].concat(), &USER);
            Login::User(given.secret.clone())
        };
        cx.sync();
        self.go_login(cx, login)
    }

    fn begin_exchange(self, cx: &mut Cx<Self>, mut exchange: sasl::Exchange) -> Self {
        let name = exchange.mechanism().name().as_bytes();
        let initial = exchange.initial_response(COMMAND_MAX - b"AUTH  \r\n".len() - name.len());
        cx.send(b"AUTH", "verb", Some(&AUTH));
        cx.send(b" ", "SP", None);
        cx.send(name, "mechanism", None);
        if let Some(initial) = initial {
            cx.send(b" ", "SP", None);
            cx.send_secret(&initial, "initial response", Some(&AUTH));
        }
        cx.send(b"\r\n", "CRLF", None);
        cx.sync();
        self.go_login(cx, Login::Exchanging(exchange))
    }

    fn login_step(self, cx: &mut Cx<Self>, step: sasl::Step) -> Self {
        match step {
            sasl::Step::Respond(exchange, response) => {
                cx.send_secret(&response, "response", Some(&AUTH));
                cx.send(b"\r\n", "CRLF", None);
                cx.sync();
                self.go_login(cx, Login::Exchanging(exchange))
            }
            sasl::Step::Ask(exchange, ask) => {
                cx.ask(Ask::Login(LoginAsk::SaltPassword(ask)));
                self.go_login(cx, Login::Salting(exchange))
            }
            sasl::Step::Cancel(fault) => {
                tell(cx, fault);
                if fault == sasl::Fault::Unproven {
                    return self.impostor(cx);
                }
                send(cx, b"*\r\n", &AUTH);
                cx.sync();
                self.go_login(cx, Login::Cancelled)
            }
        }
    }

    pub(super) fn login_replied(
        mut self,
        cx: &mut Cx<Self>,
        login: Login,
        status: Status<'_>,
    ) -> Self {
        match (login, status) {
            (Login::User(password), Status::Ok(_)) => {
                cx.send(b"PASS", "verb", Some(&USER));
                cx.send(b" ", "SP", None);
                cx.send_secret(&password, "password", None);
                cx.send(b"\r\n", "CRLF", None);
                cx.sync();
                self.go_login(cx, Login::Judged)
            }
            (Login::Judged, Status::Ok(_)) => self.logged_in(cx),
            (Login::Exchanging(exchange), Status::Go(challenge)) => {
                let step = exchange.challenge(challenge);
                self.login_step(cx, step)
            }
            (Login::Exchanging(exchange), Status::Ok(_)) => match exchange.succeeded() {
                Ok(()) => self.logged_in(cx),
                Err(fault) => {
                    tell(cx, fault);
                    self.impostor(cx)
                }
            },
            (
                Login::User(_) | Login::Judged | Login::Exchanging(_) | Login::Cancelled,
                Status::Err(text),
            ) => {
                let failure = Failure::refused(Cause::Login, text);
                // RFC 2449 §8.1, RFC 3206 §4: these say that the secret is not at fault; another one would not help.
                let final_word = matches!(
                    failure.code,
                    Code::InUse | Code::LoginDelay | Code::SysTemp | Code::SysPerm
                );
                if final_word || self.common.logins >= LOGINS_MAX {
                    return self.retire(cx, failure);
                }
                self.common.login_refusal = Some(failure);
                self.log_in(cx)
            }
            (login, status) => {
                let text = super::text_of(&status).to_vec();
                self.state = State::LoggingIn(Box::new(login));
                self.out_of_step(cx, &text)
            }
        }
    }

    /// The server let us in without the proof that it is the one that knows us.
    fn impostor(self, cx: &mut Cx<Self>) -> Self {
        self.lost(cx, Failure::ours(Cause::Login, "The server did not prove who it is"))
    }
}

impl super::Common {
    /// Whether `login` can be said as USER and PASS, or as APOP where that is wanted in their place: who wants to prove
    /// the password does not want to say it.
    fn has_password_command(&self) -> bool {
        if self.config.apop { self.apop_timestamp().is_some() } else { self.capabilities.user }
    }

    fn apop_timestamp(&self) -> Option<&[u8]> {
        self.timestamp.as_deref().filter(|_| self.config.apop)
    }
}

/// Whether a name and a password can stand in a command line; in that of APOP a space ends the name.
fn is_fit(given: &ClientCredentials, apop: bool) -> bool {
    let fits = |part: &[u8]| {
        let length = 1..=COMMAND_MAX - b"USER \r\n".len();
        length.contains(&part.len()) && !part.iter().any(|octet| matches!(octet, 0 | b'\r' | b'\n'))
    };
    fits(&given.user) && fits(&given.secret) && !(apop && given.user.contains(&b' '))
}

/// Tells the host which rule a server broke, if it broke one.
fn tell(cx: &mut Cx<Client>, fault: sasl::Fault) {
    if let Some(rule) = fault.rule() {
        cx.note_defect(rule);
        cx.event(Event::Defect(rule.gist.as_bytes().to_vec()));
    }
}
