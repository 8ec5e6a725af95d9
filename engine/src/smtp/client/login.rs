//! AUTH (RFC 4954): what the server offers goes to the host, what the host chooses to the server.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::command::send;
use super::fates::Loss;
use super::reply::Kind;
use super::types::{Ask, Event, Reply};
use super::{Client, State, sasl};
use crate::role::Cx;
use crate::sasl::{LoginAsk, LoginChoice, LoginSecret, Mechanism};
use crate::trace::Rule;
use crate::types::Misuse;

/// RFC 4954 §4, which says what RFC 2554 §4 said.
pub(super) const AUTH: Rule = Rule {
    rfc: 2554,
    section: "4",
    gist: "AUTH names a mechanism; then challenges (334) and responses alternate in base64 until 235 or a refusal.",
};

/// Octets of a command line that every server takes (RFC 5321 §4.5.3.1.4).
const COMMAND_MAX: usize = 512;
/// Logins that are tried over one connection; servers close after a few.
const LOGINS_MAX: u32 = 3;

const LOGIN_REFUSED: Loss = Loss::new("4.7.0", "The server refused the login");

/// Where a login stands.
pub(super) enum Login {
    /// The host is choosing.
    Choosing,
    /// A reply is awaited.
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
        let secured = self.common.is_secured();
        // Whether a password may cross in the clear the host decides: it is told whether TLS is up.
        let policy = sasl::Policy { only: Vec::new(), cleartext: true };
        let mechanisms = policy.choices(self.mechanisms(), self.common.tls.as_ref());
        if mechanisms.is_empty() {
            let loss = Loss::new("4.7.0", "The server offers no login that we can do");
            return self.retire(cx, &loss);
        }
        self.common.logins += 1;
        let attempt = self.common.logins;
        cx.ask(Ask::Login(LoginAsk::Choose(LoginChoice { mechanisms, secured, attempt })));
        self.go(cx, State::LoggingIn(Box::new(Login::Choosing)))
    }

    fn mechanisms(&self) -> &[Mechanism] {
        self.common.offered.mechanisms.as_deref().unwrap_or_default()
    }

    pub(super) fn login_answered(
        mut self,
        cx: &mut Cx<Self>,
        secret: LoginSecret,
    ) -> Result<Self, (Self, Misuse)> {
        let login = match core::mem::replace(&mut self.state, State::Closed) {
            State::LoggingIn(login) => *login,
            state => return Err(self.misused(state, Misuse::WrongAnswer)),
        };
        match (login, secret) {
            (Login::Choosing | Login::Salting(_), LoginSecret::NoLogin) => {
                let loss = match self.common.login_refusal.take() {
                    Some(reply) => LOGIN_REFUSED.because(reply),
                    None => Loss::new("4.7.0", "There is nothing to log in with"),
                };
                Ok(self.retire(cx, &loss))
            }
            (Login::Choosing, LoginSecret::Credentials(given)) => {
                match sasl::Exchange::new(given, self.mechanisms(), self.common.tls.as_ref()) {
                    Ok(exchange) => Ok(self.begin_exchange(cx, exchange)),
                    Err(misuse) => {
                        Err(self.misused(State::LoggingIn(Box::new(Login::Choosing)), misuse))
                    }
                }
            }
            (Login::Salting(exchange), LoginSecret::SaltedPassword(salted)) => {
                match exchange.salted(&salted) {
                    Ok(step) => Ok(self.login_step(cx, step)),
                    Err((exchange, misuse)) => {
                        let state = State::LoggingIn(Box::new(Login::Salting(exchange)));
                        Err(self.misused(state, misuse))
                    }
                }
            }
            (login, _) => Err(self.misused(State::LoggingIn(Box::new(login)), Misuse::WrongAnswer)),
        }
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
        self.go(cx, State::LoggingIn(Box::new(Login::Exchanging(exchange))))
    }

    fn login_step(self, cx: &mut Cx<Self>, step: sasl::Step) -> Self {
        match step {
            sasl::Step::Respond(exchange, response) => {
                if !response.is_empty() {
                    cx.send_secret(&response, "response", Some(&AUTH));
                }
                cx.send(b"\r\n", "CRLF", None);
                cx.sync();
                self.go(cx, State::LoggingIn(Box::new(Login::Exchanging(exchange))))
            }
            sasl::Step::Ask(exchange, ask) => {
                cx.ask(Ask::Login(LoginAsk::SaltPassword(ask)));
                self.go(cx, State::LoggingIn(Box::new(Login::Salting(exchange))))
            }
            sasl::Step::Cancel(fault) => {
                tell(cx, fault);
                if fault == sasl::Fault::Unproven {
                    return self.impostor(cx);
                }
                send(cx, b"*\r\n", Some(&AUTH));
                cx.sync();
                self.go(cx, State::LoggingIn(Box::new(Login::Cancelled)))
            }
        }
    }

    pub(super) fn login_replied(mut self, cx: &mut Cx<Self>, login: Login, reply: Reply) -> Self {
        match (login, reply.kind()) {
            (Login::Exchanging(exchange), Kind::More) if reply.code == 334 => {
                let challenge = reply.lines.first().map_or(&b""[..], |line| &line[..]);
                let step = exchange.challenge(challenge);
                self.login_step(cx, step)
            }
            (Login::Exchanging(exchange), Kind::Yes) if reply.code == 235 => {
                match exchange.succeeded() {
                    Ok(()) => self.ready(cx),
                    Err(fault) => {
                        tell(cx, fault);
                        self.impostor(cx)
                    }
                }
            }
            (Login::Exchanging(_) | Login::Cancelled, Kind::No)
                if self.common.logins < LOGINS_MAX =>
            {
                self.common.login_refusal = Some(reply);
                self.log_in(cx)
            }
            (Login::Exchanging(_) | Login::Cancelled, Kind::No | Kind::NotNow) => {
                self.retire(cx, &LOGIN_REFUSED.because(reply))
            }
            (login, _) => {
                self.state = State::LoggingIn(Box::new(login));
                self.out_of_step(cx, reply)
            }
        }
    }

    /// The server let us in without the proof that it is the one that knows us.
    fn impostor(self, cx: &mut Cx<Self>) -> Self {
        self.lost(cx, Loss::new("4.7.0", "The server did not prove who it is"))
    }
}

/// Tells the host which rule a server broke, if it broke one.
fn tell(cx: &mut Cx<Client>, fault: sasl::Fault) {
    if let Some(rule) = fault.rule() {
        cx.note_defect(rule);
        cx.event(Event::Defect(rule.gist.as_bytes().to_vec()));
    }
}
