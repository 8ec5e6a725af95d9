//! Command lines: what each command does in each state.

use super::envelope::UTF8;
use super::note::{is_secret, note_command};
use super::reply::Reply;
use super::{Server, State, is_whole};
use crate::foreign;
use crate::role::{Cx, Line, LineFault};
use crate::sasl::Mechanism;
use crate::smtp::grammar::{Command, Parts, PathError, Syntax, parse};
use crate::smtp::types::{Ask, Body, Event, Service};
use crate::trace::Rule;

/// RFC 5321 §4.5.3.1.4.
pub(in crate::smtp) const LINE: Rule = Rule {
    rfc: 5321,
    section: "4.5.3.1.4",
    gist: "A command line ends with CRLF and has a bounded length.",
};
/// RFC 5321 §4.1.2.
pub(in crate::smtp) const SYNTAX: Rule = Rule {
    rfc: 5321,
    section: "4.1.2",
    gist: "Arguments follow the grammar of their command; nothing is done for one whose arguments do not.",
};
/// RFC 5321 §4.2.4.
pub(super) const VERB: Rule = Rule {
    rfc: 5321,
    section: "4.2.4",
    gist: "A command that the server does not know is answered with 500.",
};
/// RFC 5321 §4.1.4.
pub(super) const ORDER: Rule = Rule {
    rfc: 5321,
    section: "4.1.4",
    gist: "Commands have an order: EHLO, then MAIL, then RCPT, then DATA.",
};
/// RFC 5321 §4.2.4.
pub(super) const NO_TLS: Rule = Rule {
    rfc: 5321,
    section: "4.2.4",
    gist: "A command that is known and not implemented here, such as STARTTLS without TLS, is answered with 502.",
};
/// RFC 2920 §3.1, and stricter (RFC 5321 §7.8): who breaks it is shown out.
///
/// What is early is decided by what the client can have read, not by what it sends: before the greeting everything;
/// after EHLO, HELO, LHLO, AUTH and DATA what comes before their reply; and without PIPELINING, or before it was
/// offered, what comes before any reply. Octets behind STARTTLS are dropped instead (RFC 3207 §4.2), behind QUIT nothing
/// is read, and NOOP, VRFY, EXPN and HELP, which change nothing, are let through.
pub(super) const PIPELINING: Rule = Rule {
    rfc: 2920,
    section: "3.1",
    gist: "Only some commands may be sent in one group; after HELO, EHLO, AUTH and DATA the client waits.",
};
/// RFC 5321 §7.8.
pub(super) const FOREIGN: Rule = Rule {
    rfc: 5321,
    section: "7.8",
    gist: "What shows itself as another protocol is told so and shown out, whatever it may mean as mail.",
};

const HELP: &str =
    "Commands: EHLO HELO MAIL RCPT DATA BDAT RSET NOOP VRFY EXPN HELP QUIT AUTH STARTTLS";

impl Server {
    pub(super) fn command_line(mut self, cx: &mut Cx<Self>, line: &Line) -> Self {
        let state = core::mem::replace(&mut self.state, State::Closed);
        self.common.alone = false;
        if line.fault == Some(LineFault::Foreign) || foreign::is_request(&line.octets) {
            return self.foreign(cx, line, state);
        }
        let config = &self.common.config;
        let auth_line =
            line.octets.get(..5).is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH "));
        let max = if auth_line { config.limits.auth_line_max } else { config.limits.line_max };
        if !is_whole(line) || line.end - line.start > u64::from(max) {
            cx.note_unparsed(line, is_secret(line), &LINE);
            let enhanced = if auth_line { "5.5.6" } else { "5.5.2" };
            return self.mistake(cx, &Reply::new(500, enhanced, "Line too long"), &LINE, state);
        }
        if line.fault.is_some() {
            cx.note_unparsed(line, is_secret(line), &LINE);
            let text = "Only CRLF ends a line; bare CR, bare LF and NUL are refused";
            return self.mistake(cx, &Reply::new(500, "5.5.2", text), &LINE, state);
        }
        let mut parts = Parts::new(cx.tracing());
        let auth = !config.auth.mechanisms.is_empty();
        let parsed = parse(&line.octets, self.common.offered(), auth, &mut parts);
        note_command(cx, line, &parts);
        if cx.is_early(line.start) {
            // Others were shown out before.
            self.tolerate(cx, &PIPELINING);
        }
        match parsed {
            Ok(command) => self.meet(cx, command, state),
            Err(syntax) => match self.meant(&line.octets, syntax) {
                Some(command) if self.common.config.lenient => {
                    self.tolerate(cx, &SYNTAX);
                    self.meet(cx, command, state)
                }
                _ => self.syntax_error(cx, syntax, state),
            },
        }
    }

    /// RFC 5321 §7.8, stricter: another protocol gets nothing that a browser could be made to show.
    fn foreign(mut self, cx: &mut Cx<Self>, line: &Line, state: State) -> Self {
        cx.note_unparsed(line, is_secret(line), &FOREIGN);
        cx.note_defect(&FOREIGN);
        cx.event(Event::Defect(FOREIGN.gist.as_bytes().to_vec()));
        self.state = state;
        let text = "This is a mail server and speaks no other protocol, closing connection";
        self.end(cx, &Reply::new(554, "5.5.1", text))
    }

    /// RFC 5321 §7.8, stricter: a client that does not wait where it has to may not be the one who wrote all of this.
    pub(super) fn out_of_step(self, cx: &mut Cx<Self>) -> Self {
        cx.note_defect(&PIPELINING);
        cx.event(Event::Defect(PIPELINING.gist.as_bytes().to_vec()));
        let text = "Sent before the reply that it has to wait for, closing connection";
        self.end(cx, &Reply::new(421, "4.7.0", text))
    }

    fn syntax_error(mut self, cx: &mut Cx<Self>, syntax: Syntax, state: State) -> Self {
        let reply = match syntax {
            Syntax::Verb => Reply::new(500, "5.5.1", "Command unrecognized"),
            Syntax::Argument => Reply::new(501, "5.5.4", "Syntax error in parameters or arguments"),
            Syntax::Parameter => {
                Reply::new(555, "5.5.4", "Parameter not recognized or not offered")
            }
            Syntax::Path(_, PathError::NeedsUtf8) => {
                Reply::new(553, "5.6.7", "This address needs SMTPUTF8")
            }
            Syntax::Path(false, _) => Reply::new(501, "5.1.7", "Bad sender address syntax"),
            Syntax::Path(true, _) => Reply::new(501, "5.1.3", "Bad recipient address syntax"),
            Syntax::Framing => {
                // Where the next command begins cannot be known any more.
                self.state = state;
                let reply = Reply::new(501, "5.5.4", "Bad chunk size, closing connection");
                return self.end(cx, &reply);
            }
        };
        let rule = match syntax {
            Syntax::Verb => &VERB,
            Syntax::Path(_, PathError::NeedsUtf8) => &UTF8,
            _ => &SYNTAX,
        };
        self.mistake(cx, &reply, rule, state)
    }

    pub(super) fn command(mut self, cx: &mut Cx<Self>, command: Command, state: State) -> Self {
        let lmtp = self.common.config.service == Service::Lmtp;
        match (command, state) {
            (Command::Ehlo(name), state) if !lmtp => self.greet(cx, name, true, state),
            (Command::Helo(name), state) if !lmtp => self.greet(cx, name, false, state),
            (Command::Lhlo(name), state) if lmtp => self.greet(cx, name, true, state),
            (Command::Ehlo(_) | Command::Helo(_) | Command::Lhlo(_), state) => {
                let text = if lmtp { "This is LMTP: say LHLO" } else { "This is SMTP: say EHLO" };
                self.mistake(cx, &Reply::new(500, "5.5.1", text), &ORDER, state)
            }
            (Command::Quit, state) => {
                cx.event(Event::Quit);
                self.state = state;
                let text = [&self.common.config.host_name[..], b" closing connection"].concat();
                let reply = Reply::made(221, "2.0.0", text);
                let reply = self.worded(reply, |words| words.quit, Default::default);
                self.end(cx, &reply)
            }
            (Command::Rset, state) => self.reset(cx, state),
            (Command::Noop, state) => self.idle_command(cx, state, &Reply::new(250, "2.0.0", "OK")),
            (Command::Help, state) => self.idle_command(cx, state, &Reply::new(214, "2.0.0", HELP)),
            (Command::Vrfy(name), state) => self.names(cx, state, Ask::Verify(name)),
            (Command::Expn(name), state) => self.names(cx, state, Ask::Expand(name)),
            (Command::StartTls, state) => self.start_tls(cx, state),
            (Command::Auth(mechanism, initial), state) => {
                self.common.alone = true;
                self.auth(cx, state, mechanism, initial.as_deref())
            }
            (Command::Etrn(flush), state) => self.etrn(cx, flush, state),
            (Command::Xclient(told), state) => self.xclient(cx, *told, state),
            (Command::Mail(mail), State::Greeted) => self.mail(cx, mail),
            // RFC 3030 §2 wants RSET after a chunk that was refused; MAIL says as well that it is over.
            (Command::Mail(mail), State::Chunking(content)) if content.refused.is_some() => {
                self.mail(cx, mail)
            }
            (Command::Mail(mail), State::Connected) if self.common.config.lenient => {
                self.tolerate(cx, &ORDER);
                self.mail(cx, mail)
            }
            (Command::Mail(mail), State::MailGiven(_) | State::RcptGiven(_))
                if self.common.config.lenient =>
            {
                self.tolerate(cx, &ORDER);
                // The one before is over, as after RSET.
                cx.event(Event::Reset);
                self.mail(cx, mail)
            }
            (Command::Rcpt(rcpt), State::MailGiven(tx) | State::RcptGiven(tx)) => {
                self.rcpt(cx, rcpt, tx)
            }
            (Command::Data, State::RcptGiven(tx)) if tx.from.body != Body::BinaryMime => {
                self.data(cx, tx)
            }
            (Command::Bdat(size, last), state) => self.bdat(cx, size, last, state),
            (command, state) => {
                let reply = out_of_order(&command, &state);
                self.mistake(cx, &reply, &ORDER, state)
            }
        }
    }

    /// A command that moves nothing on; too many in a row end the session.
    pub(super) fn idle_command(mut self, cx: &mut Cx<Self>, state: State, reply: &Reply) -> Self {
        if self.is_tired() {
            self.state = state;
            return self.end_tired(cx);
        }
        self.reply(cx, reply);
        self.go(cx, state)
    }

    /// Counts a command that moves nothing on; true if there were too many.
    pub(super) fn is_tired(&mut self) -> bool {
        self.common.idle_commands = self.common.idle_commands.saturating_add(1);
        self.common.idle_commands > self.common.config.limits.idle_commands_max
    }

    pub(super) fn end_tired(self, cx: &mut Cx<Self>) -> Self {
        self.end(cx, &Reply::new(421, "4.7.0", "Too many commands without mail"))
    }

    fn auth(
        self,
        cx: &mut Cx<Self>,
        state: State,
        mechanism: Option<Mechanism>,
        initial: Option<&[u8]>,
    ) -> Self {
        let terms = self.common.terms();
        let usable = mechanism.filter(|wanted| terms.has(*wanted));
        let reply = match state {
            State::Greeted if self.common.account.is_some() => {
                Reply::new(503, "5.5.1", "Already authenticated")
            }
            State::Greeted if terms.offer.mechanisms.is_empty() => {
                Reply::new(502, "5.5.1", "AUTH is not offered")
            }
            State::Greeted if !terms.are_open() => {
                Reply::new(538, "5.7.11", "Encryption required for authentication")
            }
            State::Greeted => match usable {
                Some(mechanism) => return self.begin_auth(cx, mechanism, initial),
                None => Reply::new(504, "5.5.4", "Mechanism not offered"),
            },
            _ => Reply::new(503, "5.5.1", "AUTH stands after EHLO and outside a transaction"),
        };
        self.mistake(cx, &reply, &ORDER, state)
    }
}

fn out_of_order(command: &Command, state: &State) -> Reply {
    let text = match (command, state) {
        (_, State::Connected) => "Say EHLO first",
        (_, State::Chunking(_)) => "In the middle of BDAT; finish it or RSET",
        (Command::Mail(..), _) => "A transaction is open already",
        (Command::Rcpt(..), _) => "Need MAIL before RCPT",
        (Command::Data, State::RcptGiven(_)) => "BODY=BINARYMIME needs BDAT",
        (Command::Data, State::MailGiven(_)) => "Need RCPT before DATA",
        _ => "Need MAIL first",
    };
    Reply::new(503, "5.5.1", text)
}
