//! Command lines: what each command does in each state.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

use super::content::Content;
use super::reply::{About, CANNOT_VERIFY, Reply, refused};
use super::{Pending, Server, State, Transaction, is_whole, trace_fields};
use crate::role::{Cx, Line};
use crate::sasl::Mechanism;
use crate::smtp::grammar::{Command, PathError, Syntax, parse, print_mailbox};
use crate::smtp::types::{Answer, Ask, Body, Event, MailFrom, RcptTo, Service};
use crate::trace::Rule;
use crate::types::{Misuse, Reason, Refusal, TlsOffer};

/// RFC 5321 §4.5.3.1.4.
pub(super) const LINE: Rule = Rule {
    rfc: 5321,
    section: "4.5.3.1.4",
    gist: "A command line ends with CRLF and has a bounded length.",
};
/// RFC 5321 §4.1.4.
pub(super) const ORDER: Rule = Rule {
    rfc: 5321,
    section: "4.1.4",
    gist: "Commands have an order: EHLO, then MAIL, then RCPT, then DATA.",
};
/// RFC 5321 §3.3, more lenient: the space is common, and means nothing else.
pub(super) const SPACE: Rule = Rule {
    rfc: 5321,
    section: "3.3",
    gist: "No space stands between the colon and the path; it is tolerated here, as nearly everywhere.",
};
/// RFC 5321 §4.1.1.1.
pub(super) const GREETING: Rule = Rule {
    rfc: 5321,
    section: "4.1.1.1",
    gist: "The client says who it is; the server lists, one a line, what it can do beyond the basics.",
};

const HELP: &str =
    "Commands: EHLO HELO MAIL RCPT DATA BDAT RSET NOOP VRFY EXPN HELP QUIT AUTH STARTTLS";

impl Server {
    pub(super) fn command_line(mut self, cx: &mut Cx<Self>, line: &Line) -> Self {
        let state = core::mem::replace(&mut self.state, State::Closed);
        let config = &self.common.config;
        let auth_line =
            line.octets.get(..5).is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH "));
        let max = if auth_line { config.limits.auth_line_max } else { config.limits.line_max };
        if !is_whole(line) || line.end - line.start > u64::from(max) {
            note_unparsed(cx, line, auth_line);
            let enhanced = if auth_line { "5.5.6" } else { "5.5.2" };
            return self.mistake(cx, &Reply::new(500, enhanced, "Line too long"), &LINE, state);
        }
        if line.fault.is_some() {
            note_unparsed(cx, line, auth_line);
            let reply = Reply::new(
                500,
                "5.5.2",
                "Only CRLF ends a line; bare CR, bare LF and NUL are refused",
            );
            return self.mistake(cx, &reply, &LINE, state);
        }
        if matches!(state, State::Connected) && is_foreign(&line.octets) {
            // RFC 5321 §7.8, stricter: another protocol gets nothing that a browser could be made to show.
            cx.note_received(line.start, line.end, "unparsed", Some(&LINE));
            cx.event(Event::Defect(b"another protocol on this port".to_vec()));
            self.state = state;
            return self.end(cx, &Reply::new(554, "5.5.1", "This is not that kind of server"));
        }
        let parsed = parse(&line.octets, config.extensions, !config.auth.mechanisms.is_empty());
        note_command(cx, line, auth_line);
        match parsed {
            Ok(command) => self.command(cx, command, state),
            Err(syntax) => self.syntax_error(cx, syntax, state),
        }
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
        self.mistake(cx, &reply, &LINE, state)
    }

    fn command(mut self, cx: &mut Cx<Self>, command: Command, state: State) -> Self {
        let lmtp = self.common.config.service == Service::Lmtp;
        match (command, state) {
            (Command::Ehlo(name), state) if !lmtp => self.greet(cx, name, true, &state),
            (Command::Helo(name), state) if !lmtp => self.greet(cx, name, false, &state),
            (Command::Lhlo(name), state) if lmtp => self.greet(cx, name, true, &state),
            (Command::Ehlo(_) | Command::Helo(_) | Command::Lhlo(_), state) => {
                let text = if lmtp { "This is LMTP: say LHLO" } else { "This is SMTP: say EHLO" };
                self.mistake(cx, &Reply::new(500, "5.5.1", text), &ORDER, state)
            }
            (Command::Quit, state) => {
                cx.event(Event::Quit);
                self.state = state;
                let text = [&self.common.config.host_name[..], b" closing connection"].concat();
                self.end(cx, &Reply { code: 221, enhanced: Some("2.0.0"), text })
            }
            (Command::Rset, state) => self.reset(cx, state),
            (Command::Noop, state) => self.idle_command(cx, state, Reply::new(250, "2.0.0", "OK")),
            (Command::Help, state) => self.idle_command(cx, state, Reply::new(214, "2.0.0", HELP)),
            (Command::Vrfy(name), state) => self.names(cx, state, Ask::Verify(name)),
            (Command::Expn(name), state) => self.names(cx, state, Ask::Expand(name)),
            (Command::StartTls, state) => self.start_tls(cx, state),
            (Command::Auth(mechanism, initial), state) => {
                self.auth(cx, state, mechanism, initial.as_deref())
            }
            (Command::Mail(mail, spaced), State::Greeted) => self.mail(cx, mail, spaced),
            (Command::Rcpt(rcpt, spaced), State::MailGiven(tx) | State::RcptGiven(tx)) => {
                self.rcpt(cx, rcpt, spaced, tx)
            }
            (Command::Data, State::RcptGiven(tx)) if tx.from.body != Body::BinaryMime => {
                self.reply(
                    cx,
                    &Reply::plain(354, b"Enter mail, end with \".\" on a line by itself".to_vec()),
                );
                let trace = trace_fields::trace_fields(&self.common, &tx, cx);
                self.common.idle_commands = 0;
                self.go(cx, State::Data(Box::new(Content::new(*tx, trace, false))))
            }
            (Command::Bdat(size, last), state) => self.bdat(cx, size, last, state),
            (command, state) => {
                let reply = out_of_order(&command, &state);
                self.mistake(cx, &reply, &ORDER, state)
            }
        }
    }

    /// EHLO, HELO and LHLO; RFC 5321 §4.1.4: in a transaction they also reset it.
    fn greet(mut self, cx: &mut Cx<Self>, name: Vec<u8>, esmtp: bool, before: &State) -> Self {
        if !matches!(before, State::Connected | State::Greeted) {
            cx.event(Event::Reset);
        }
        let config = &self.common.config;
        let hello = [&config.host_name[..], b" Hello ", &name, b", pleased to meet you"].concat();
        let keywords = if esmtp { self.keywords() } else { Vec::new() };
        let mut lines: Vec<&[u8]> = alloc::vec![&hello];
        lines.extend(keywords.iter().map(|keyword| &keyword[..]));
        for (at, line) in lines.iter().enumerate() {
            let separator = if at + 1 < lines.len() { '-' } else { ' ' };
            cx.send(format!("250{separator}").as_bytes(), "reply code", Some(&GREETING));
            cx.send(line, if at == 0 { "greeting" } else { "ehlo keyword" }, None);
            cx.send(b"\r\n", "CRLF", None);
        }
        cx.event(Event::Greeted(name.clone()));
        self.common.helo = Some(name);
        self.common.esmtp = esmtp;
        self.go(cx, State::Greeted)
    }

    /// What EHLO lists.
    fn keywords(&self) -> Vec<Vec<u8>> {
        let config = &self.common.config;
        let offered = config.extensions;
        let mut keywords: Vec<Vec<u8>> = Vec::new();
        let mut list = |on: bool, keyword: &str| {
            if on {
                keywords.push(keyword.as_bytes().to_vec());
            }
        };
        list(offered.pipelining, "PIPELINING");
        list(offered.size, &format!("SIZE {}", config.limits.message_max));
        list(offered.eight_bit_mime, "8BITMIME");
        list(offered.smtputf8, "SMTPUTF8");
        list(offered.chunking, "CHUNKING");
        list(offered.chunking && offered.binary_mime, "BINARYMIME");
        list(offered.dsn, "DSN");
        list(offered.enhanced_status_codes, "ENHANCEDSTATUSCODES");
        list(config.tls == TlsOffer::Upgrade && self.common.tls.is_none(), "STARTTLS");
        let mut auth = alloc::string::String::from("AUTH");
        for mechanism in self.common.terms().mechanisms() {
            auth.push(' ');
            auth.push_str(mechanism.name());
        }
        list(auth.len() > "AUTH".len(), &auth);
        list(true, "HELP");
        keywords
    }

    fn mail(mut self, cx: &mut Cx<Self>, mail: MailFrom, spaced: bool) -> Self {
        if spaced {
            cx.note_defect(&SPACE);
        }
        let limits = &self.common.config.limits;
        if self.common.config.auth_required && self.common.account.is_none() {
            let reply = Reply::new(530, "5.7.0", "Authentication required");
            return self.mistake(cx, &reply, &ORDER, State::Greeted);
        }
        // RFC 1870 §6.1: a message that is announced as too large is refused before it is sent.
        if mail.size.is_some_and(|size| size > limits.message_max) {
            self.say(cx, 552, "5.3.4", "Message size exceeds the maximum");
            return self.go(cx, State::Greeted);
        }
        self.common.transactions += 1;
        let number = self.common.transactions;
        let id = [&self.common.config.session_id[..], format!(".{number}").as_bytes()].concat();
        let tx = Transaction { from: mail.clone(), recipients: Vec::new(), id };
        cx.ask(Ask::Sender(mail));
        self.go(cx, State::Asking(Box::new(Pending::Sender(tx))))
    }

    fn rcpt(self, cx: &mut Cx<Self>, rcpt: RcptTo, spaced: bool, tx: Box<Transaction>) -> Self {
        if spaced {
            cx.note_defect(&SPACE);
        }
        let state = |tx: Box<Transaction>| {
            if tx.recipients.is_empty() { State::MailGiven(tx) } else { State::RcptGiven(tx) }
        };
        if !rcpt.forward_path.local_part.is_ascii() && !tx.from.smtputf8 {
            let reply = Reply::new(553, "5.6.7", "This address needs SMTPUTF8");
            return self.mistake(cx, &reply, &LINE, state(tx));
        }
        if tx.recipients.len() >= self.common.config.limits.recipients_max as usize {
            // RFC 5321 §4.5.3.1.10: the client sends the rest in another transaction.
            self.say(cx, 452, "4.5.3", "Too many recipients");
            return self.go(cx, state(tx));
        }
        let to = rcpt.forward_path.clone();
        cx.ask(Ask::Recipient(rcpt));
        self.go(cx, State::Asking(Box::new(Pending::Recipient(*tx, to))))
    }

    pub(super) fn recipient_refused(
        self,
        cx: &mut Cx<Self>,
        tx: Transaction,
        refusal: &Refusal,
    ) -> Self {
        let reply = refused(About::Recipient, refusal);
        let tx = Box::new(tx);
        let none = tx.recipients.is_empty();
        let state = if none { State::MailGiven(tx) } else { State::RcptGiven(tx) };
        if matches!(refusal.reason, Reason::NotFound | Reason::NotPermitted) {
            // RFC 5321 §7.8: guessing recipients is an attack, so unknown ones count as mistakes.
            return self.mistake(cx, &reply, &GUESSING, state);
        }
        self.reply(cx, &reply);
        self.go(cx, state)
    }

    fn reset(mut self, cx: &mut Cx<Self>, state: State) -> Self {
        let greeted = !matches!(state, State::Connected);
        self.state = state;
        self.drop_transaction(cx);
        let next = if greeted { State::Greeted } else { State::Connected };
        self.idle_command(cx, next, Reply::new(250, "2.0.0", "Reset"))
    }

    /// A command that moves nothing on; too many in a row end the session.
    fn idle_command(mut self, cx: &mut Cx<Self>, state: State, reply: Reply) -> Self {
        self.common.idle_commands += 1;
        if self.common.idle_commands > self.common.config.limits.idle_commands_max {
            self.state = state;
            return self.end(cx, &Reply::new(421, "4.7.0", "Too many commands without mail"));
        }
        self.reply(cx, &reply);
        self.go(cx, state)
    }

    /// VRFY and EXPN (RFC 5321 §3.5).
    fn names(self, cx: &mut Cx<Self>, state: State, ask: Ask) -> Self {
        if !self.common.config.verify {
            return self.idle_command(cx, state, Reply::new(252, "2.5.0", CANNOT_VERIFY));
        }
        cx.ask(ask);
        self.go(cx, State::Asking(Box::new(Pending::Names(state))))
    }

    pub(super) fn names_answered(
        self,
        cx: &mut Cx<Self>,
        before: State,
        answer: Answer,
    ) -> Result<Self, (Self, Misuse)> {
        match answer {
            Answer::Mailboxes(mailboxes) if !mailboxes.is_empty() => {
                for (at, mailbox) in mailboxes.iter().enumerate() {
                    let separator = if at + 1 < mailboxes.len() { '-' } else { ' ' };
                    let head = format!("250{separator}2.0.0 <");
                    let line = [head.as_bytes(), &print_mailbox(mailbox), b">\r\n"];
                    cx.send(&line.concat(), "mailbox", None);
                }
                Ok(self.go(cx, before))
            }
            Answer::Refused(refusal) => {
                let reply = refused(About::Name, &refusal);
                Ok(self.idle_command(cx, before, reply))
            }
            _ => Err(self.wrong_answer(Pending::Names(before))),
        }
    }

    /// RFC 3207.
    fn start_tls(self, cx: &mut Cx<Self>, state: State) -> Self {
        if self.common.config.tls != TlsOffer::Upgrade || self.common.tls.is_some() {
            let reply = Reply::new(503, "5.5.1", "STARTTLS is not offered");
            return self.mistake(cx, &reply, &ORDER, state);
        }
        if !matches!(state, State::Connected | State::Greeted) || self.common.account.is_some() {
            let reply = Reply::new(503, "5.5.1", "STARTTLS stands before mail and login");
            return self.mistake(cx, &reply, &ORDER, state);
        }
        self.say(cx, 220, "2.0.0", "Ready to start TLS");
        cx.start_tls();
        self.go(cx, State::Securing)
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

/// RFC 5321 §7.8.
pub(super) const GUESSING: Rule = Rule {
    rfc: 5321,
    section: "7.8",
    gist: "A server may defend itself against clients that try address after address.",
};

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

/// What a browser, a proxy or a TLS client says first.
fn is_foreign(line: &[u8]) -> bool {
    let words: [&[u8]; 7] =
        [b"GET ", b"POST ", b"HEAD ", b"PUT ", b"CONNECT ", b"OPTIONS ", b"SSH-"];
    let first = line.first().is_some_and(|octet| !octet.is_ascii_alphabetic() && *octet != b' ');
    first || words.iter().any(|word| line.starts_with(word))
}

/// Notes a line that was not parsed; one that may hold credentials is masked whatever is wrong with it.
fn note_unparsed(cx: &mut Cx<Server>, line: &Line, secret: bool) {
    if secret {
        cx.note_secret(line.start, line.end, "unparsed");
    } else {
        cx.note_received(line.start, line.end, "unparsed", Some(&LINE));
    }
}

/// Notes a command's parts: its verb, the space, the rest, and the CRLF.
fn note_command(cx: &mut Cx<Server>, line: &Line, secret: bool) {
    if !cx.tracing() {
        return;
    }
    let space = line.octets.iter().position(|&octet| octet == b' ');
    let verb_end = line.start + space.unwrap_or(line.octets.len()) as u64;
    let text_end = line.end - 2;
    cx.note_received(line.start, verb_end, "verb", None);
    if space.is_some() {
        cx.note_received(verb_end, verb_end + 1, "SP", None);
        if secret {
            // The mechanism is no secret, but what may follow it is.
            let argument = &line.octets[space.unwrap_or(0) + 1..];
            let name = argument.iter().position(|&octet| octet == b' ').unwrap_or(argument.len());
            let name_end = verb_end + 1 + name as u64;
            cx.note_received(verb_end + 1, name_end, "mechanism", None);
            if name_end < text_end {
                cx.note_secret(name_end, text_end, "initial response");
            }
        } else if verb_end + 1 < text_end {
            cx.note_received(verb_end + 1, text_end, "argument", None);
        }
    }
    cx.note_received(text_end, line.end, "CRLF", None);
}
