//! Logins: AUTHENTICATE with a SASL mechanism, or LOGIN (RFC 9051 §6.2.2, §6.2.3), as the host chooses.
//! What the server offers goes to the host, what the host chooses to the server.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::calls::Sent;
use super::line::{Line, Segment};
use super::status::{Status, Word};
use super::types::{Ask, Cause, Event, Failure};
use super::{Client, State};
use crate::role::Cx;
use crate::sasl::client as sasl;
use crate::sasl::{LoginAsk, LoginChoice, LoginSecret, Mechanism};
use crate::trace::Rule;
use crate::types::Misuse;

/// RFC 9051 §6.2.2.
pub(super) const AUTHENTICATE: Rule = Rule {
    rfc: 9051,
    section: "6.2.2",
    gist: "AUTHENTICATE names a mechanism; then challenges and responses alternate in base64 until OK or NO.",
};
/// RFC 9051 §6.2.3.
pub(super) const LOGIN: Rule = Rule {
    rfc: 9051,
    section: "6.2.3",
    gist: "LOGIN gives name and password, and is not said to a server that lists LOGINDISABLED.",
};

/// Octets of a command line: RFC 2683 §3.2.1.5 has servers take 8,000.
const COMMAND_MAX: usize = 8000;
/// Logins that are tried over one connection; servers close after a few.
const LOGINS_MAX: u32 = 3;

/// Where a login stands.
pub(super) enum Login {
    /// The host is choosing.
    Choosing,
    /// LOGIN was sent.
    Judged,
    /// A response within AUTHENTICATE is awaited.
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
        let mut offered = self.common.offered().mechanisms();
        if self.has_login() && !offered.contains(&Mechanism::Login) {
            offered.push(Mechanism::Login);
        }
        // Whether a password may cross in the clear the host decides: it is told whether TLS is up.
        let policy = sasl::Policy { only: Vec::new(), cleartext: true };
        let mechanisms = policy.choices(&offered, self.common.tls.as_ref());
        if mechanisms.is_empty() {
            let text = "The server offers no login that we can do";
            return self.retire(cx, Failure::ours(Cause::Unsupported, text));
        }
        self.common.logins += 1;
        let (secured, attempt) = (self.common.tls.is_some(), self.common.logins);
        cx.ask(Ask::Login(LoginAsk::Choose(LoginChoice { mechanisms, secured, attempt })));
        self.go_login(cx, Login::Choosing)
    }

    fn has_login(&self) -> bool {
        !self.common.has("LOGINDISABLED")
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
                if given.mechanism == Mechanism::Login && self.has_login() {
                    let fits = |part: &[u8]| !part.is_empty() && !part.contains(&0);
                    if fits(&given.user) && fits(&given.secret) {
                        return Ok(self.say_login(cx, &given.user, &given.secret));
                    }
                    (Login::Choosing, Misuse::BadValue)
                } else {
                    let offered = self.common.offered().mechanisms();
                    match sasl::Exchange::new(given, &offered, self.common.tls.as_ref()) {
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
        self.keep_login(login);
        Err((self, misuse))
    }

    fn say_login(mut self, cx: &mut Cx<Self>, user: &[u8], password: &[u8]) -> Self {
        let mut line = Line::new("LOGIN ");
        line.string(user, false);
        line.text(b" ");
        line.secret(password, false);
        self.say(cx, line, &LOGIN);
        self.go_login(cx, Login::Judged)
    }

    fn begin_exchange(mut self, cx: &mut Cx<Self>, mut exchange: sasl::Exchange) -> Self {
        let mut line = Line::new("AUTHENTICATE ");
        line.text(exchange.mechanism().name().as_bytes());
        if self.common.has("SASL-IR")
            && let Some(initial) = exchange.initial_response(COMMAND_MAX)
        {
            line.text(b" ");
            line.segments.push(Segment::Secret(initial));
        }
        self.say(cx, line, &AUTHENTICATE);
        self.go_login(cx, Login::Exchanging(exchange))
    }

    fn say(&mut self, cx: &mut Cx<Self>, line: Line, why: &'static Rule) {
        self.common.told_with_login = false;
        let tag = self.send_line(cx, line, why);
        self.common.sent.push_back(Sent::own(tag));
    }

    fn login_step(self, cx: &mut Cx<Self>, step: sasl::Step) -> Self {
        match step {
            sasl::Step::Respond(exchange, response) => {
                cx.send_secret(&response, "response", Some(&AUTHENTICATE));
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
                cx.send(b"*", "cancellation", Some(&AUTHENTICATE));
                cx.send(b"\r\n", "CRLF", None);
                cx.sync();
                self.go_login(cx, Login::Cancelled)
            }
        }
    }

    /// The server has a challenge.
    pub(super) fn challenged(mut self, cx: &mut Cx<Self>, login: Login, text: &[u8]) -> Self {
        match login {
            Login::Exchanging(exchange) => {
                let step = exchange.challenge(text.trim_ascii());
                self.login_step(cx, step)
            }
            login => {
                self.keep_login(login);
                self.out_of_step(cx)
            }
        }
    }

    /// The server has judged.
    pub(super) fn login_judged(mut self, cx: &mut Cx<Self>, login: Login, status: Status) -> Self {
        match (login, status.word) {
            (Login::Judged, Word::Ok) => self.let_in(cx, &status),
            (Login::Exchanging(exchange), Word::Ok) => match exchange.succeeded() {
                Ok(()) => self.let_in(cx, &status),
                Err(fault) => {
                    tell(cx, fault);
                    self.impostor(cx)
                }
            },
            (Login::Judged | Login::Exchanging(_) | Login::Cancelled, Word::No | Word::Bad) => {
                let failure = Failure::of(Cause::Login, status);
                // RFC 5530 §3: these say that the secret is not at fault; another one would not help.
                let codes: [&[u8]; 4] = [b"UNAVAILABLE", b"CONTACTADMIN", b"SERVERBUG", b"INUSE"];
                let final_word = codes.contains(&&failure.code[..]);
                if final_word || self.common.logins >= LOGINS_MAX {
                    return self.retire(cx, failure);
                }
                self.common.login_refusal = Some(failure);
                self.log_in(cx)
            }
            (login, _) => {
                self.keep_login(login);
                self.out_of_step(cx)
            }
        }
    }

    /// RFC 9051 §6.2.2: the server may say with its OK what it offers now; what it offered before counts no more.
    fn let_in(mut self, cx: &mut Cx<Self>, status: &Status) -> Self {
        if !self.common.told_with_login {
            self.common.offered = None;
        }
        self.learn(cx, &status.code);
        self.logged_in(cx)
    }

    /// The server let us in without the proof that it is the one that knows us.
    fn impostor(self, cx: &mut Cx<Self>) -> Self {
        self.lost(cx, Failure::ours(Cause::Login, "The server did not prove who it is"))
    }
}

/// Tells the host which rule a server broke, if it broke one.
fn tell(cx: &mut Cx<Client>, fault: sasl::Fault) {
    if let Some(rule) = fault.rule() {
        cx.note_defect(rule);
        cx.event(Event::Defect(rule.gist.as_bytes().to_vec()));
    }
}
