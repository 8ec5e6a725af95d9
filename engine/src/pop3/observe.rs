//! Follows a POP3 conversation of others (see [`crate::observe`]): commands by the server's parser, answers by the client's.

use alloc::collections::VecDeque;

use super::client::listing::{CAPABILITIES, LANGUAGES, Labels, SIZES, UNIQUE_IDS, note_row};
use super::client::reply::{self, STATUS, Status};
use super::expected::{COMMANDS, REPLIES};
use super::grammar::{Command, parse};
use super::server::{LINE, note};
use crate::observe::{
    Cut, Follow, Kind, PENDING_MAX, Party, Read, Watch, note_response, note_text, row,
};
use crate::role::{Cx, Line};

/// What the client says next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Client {
    /// A command.
    #[default]
    Command,
    /// Nothing before it has read the answer.
    Waits,
    /// A step of its login.
    Response,
}

/// What follows the first line of a good answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Follows {
    #[default]
    Nothing,
    /// Rows of a list.
    Rows(Labels),
    /// A message, or its beginning.
    Message,
}

/// A command that is not answered.
#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    follows: Follows,
    /// Whether the client has to read the answer before it goes on (RFC 5034 §4, RFC 2595 §4).
    waits: bool,
    logs_in: bool,
    quits: bool,
}

impl Asked {
    fn of(line: &[u8]) -> Self {
        let Ok(command) = parse(line) else {
            // What is wrong with the rest is for the server to say.
            let word = line.trim_ascii().split(|octet| *octet == b' ').next().unwrap_or_default();
            let is = |verb: &[u8]| word.eq_ignore_ascii_case(verb);
            let waits = is(b"AUTH") || is(b"STLS");
            return Self { waits, logs_in: is(b"AUTH"), ..Self::default() };
        };
        // RFC 1939 §5, §7, RFC 2449 §5, RFC 6856 §2.2.
        let follows = match command {
            Command::Capa | Command::Auth(None, _) => Follows::Rows(CAPABILITIES),
            Command::List(None) => Follows::Rows(SIZES),
            Command::Uidl(None) => Follows::Rows(UNIQUE_IDS),
            Command::Lang(None) => Follows::Rows(LANGUAGES),
            Command::Retr(_) | Command::Top(..) => Follows::Message,
            _ => Follows::Nothing,
        };
        let is_login = matches!(command, Command::Auth(Some(_), _));
        Self {
            follows,
            waits: is_login || command == Command::Stls,
            logs_in: is_login || matches!(command, Command::Pass(_) | Command::Apop(..)),
            quits: command == Command::Quit,
        }
    }
}

/// How far a conversation is.
#[derive(Debug)]
pub(crate) struct Following {
    client: Client,
    has_greeted: bool,
    pending: VecDeque<Asked>,
    /// What the server is telling.
    telling: Follows,
    is_good: bool,
    state: &'static str,
}

impl Default for Following {
    fn default() -> Self {
        Self {
            client: Client::Command,
            has_greeted: false,
            pending: VecDeque::new(),
            telling: Follows::Nothing,
            is_good: true,
            state: "AUTHORIZATION",
        }
    }
}

impl Following {
    fn command(&mut self, cx: &mut Cx<Watch>, line: &Line) -> Read {
        let word = line.octets.trim_ascii_start().split(|octet| octet.is_ascii_whitespace()).next();
        let form = row(COMMANDS, word.unwrap_or_default());
        if line.fault.is_some() {
            cx.note_unparsed(line, note::is_secret(line), &LINE);
        } else {
            note::note_command(cx, line);
        }
        let asked = Asked::of(&line.octets);
        if asked.waits {
            self.client = Client::Waits;
        }
        if self.pending.len() >= PENDING_MAX {
            self.pending.pop_front();
        }
        self.pending.push_back(asked);
        Read::new(Kind::Command, form)
    }

    fn answer(&mut self, cx: &mut Cx<Watch>, line: &Line) -> Read {
        let end = row(REPLIES, b"end");
        match self.telling {
            Follows::Nothing => return self.status(cx, line),
            Follows::Message => {
                if !note_text(cx, line, &STATUS) {
                    return Read::new(Kind::Text, None);
                }
                self.telling = Follows::Nothing;
                return Read::new(Kind::End, end);
            }
            Follows::Rows(_) if line.octets == b"." && line.fault.is_none() => {
                cx.note_received(line.start, line.end, "end of response", Some(&STATUS));
                self.telling = Follows::Nothing;
                return Read::new(Kind::End, end);
            }
            Follows::Rows(_) if line.fault.is_some() => cx.note_unparsed(line, false, &STATUS),
            Follows::Rows(labels) => note_row(cx, line, labels),
        }
        match self.telling {
            Follows::Rows(CAPABILITIES) => Read::new(Kind::Capability, row(REPLIES, b"capability")),
            _ => Read::new(Kind::Text, None),
        }
    }

    fn status(&mut self, cx: &mut Cx<Watch>, line: &Line) -> Read {
        if line.fault.is_some() {
            cx.note_unparsed(line, false, &STATUS);
        } else {
            reply::note(cx, line);
        }
        let status = reply::status(&line.octets);
        let word: &[u8] = match status {
            Some(Status::Ok(_)) => b"+OK",
            Some(Status::Err(_)) => b"-ERR",
            Some(Status::Go(_)) => b"+",
            None => b"",
        };
        self.is_good = matches!(status, Some(Status::Ok(_) | Status::Go(_)));
        match status {
            Some(Status::Go(_)) => self.client = Client::Response,
            _ if !self.has_greeted => self.has_greeted = true,
            _ => self.answered(self.is_good),
        }
        Read::new(Kind::Reply, row(REPLIES, word))
    }

    fn answered(&mut self, is_good: bool) {
        let asked = self.pending.pop_front();
        if asked.is_none_or(|asked| asked.waits) {
            self.client = Client::Command;
        }
        let Some(asked) = asked.filter(|_| is_good) else { return };
        self.telling = asked.follows;
        if asked.logs_in {
            self.state = "TRANSACTION";
        }
        if asked.quits {
            self.state = if self.state == "TRANSACTION" { "UPDATE" } else { "CLOSED" };
        }
    }
}

impl Follow for Following {
    fn cut(&self, party: Party) -> Option<Cut> {
        (party == Party::Server || self.client != Client::Waits).then_some(Cut::Line)
    }

    fn take(&mut self, cx: &mut Cx<Watch>, party: Party, line: &Line) -> Read {
        if party == Party::Server {
            return self.answer(cx, line);
        }
        if self.client != Client::Response {
            return self.command(cx, line);
        }
        self.client = Client::Waits;
        let gives_up = note_response(cx, line, "response");
        let word: &[u8] = if gives_up { b"cancellation" } else { b"response" };
        Read::new(Kind::Response, row(COMMANDS, word))
    }

    fn hurry(&mut self) {
        self.client = Client::Command;
    }

    fn secured(&mut self) {
        *self = Self { has_greeted: true, ..Self::default() };
    }

    fn turn(&self) -> Party {
        let is_idle = self.pending.is_empty() && self.telling == Follows::Nothing;
        match self.client {
            Client::Response => Party::Client,
            Client::Command if self.has_greeted && is_idle => Party::Client,
            _ => Party::Server,
        }
    }

    fn is_good(&self) -> bool {
        self.is_good
    }

    fn state(&self) -> &'static str {
        self.state
    }
}
