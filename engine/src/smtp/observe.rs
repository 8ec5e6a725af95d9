//! Follows an SMTP conversation of others (see [`crate::observe`]): commands by the server's parser, replies by the client's.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::Extensions;
use super::client::reply::{self, Reader};
use super::expected::{COMMANDS, REPLIES};
use super::grammar::{Command, Parts, parse};
use super::server::{commands, note};
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
    /// The message, up to a dot.
    Data,
    /// So many octets of it (RFC 3030).
    Chunk(u64),
}

/// What a reply answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Hello,
    Mail,
    Rcpt,
    Data,
    /// Octets of a message; whether they are its last.
    Text(bool),
    Auth,
    StartTls,
    Rset,
    Quit,
    Other,
}

impl Asked {
    /// By the word that a line begins with: what is wrong with the rest is for the server to say.
    fn of(line: &[u8]) -> Self {
        let word = line.trim_ascii().split(|octet| *octet == b' ').next().unwrap_or_default();
        match &word.to_ascii_uppercase()[..] {
            b"EHLO" | b"HELO" | b"LHLO" => Self::Hello,
            b"MAIL" => Self::Mail,
            b"RCPT" => Self::Rcpt,
            b"DATA" => Self::Data,
            b"AUTH" => Self::Auth,
            b"STARTTLS" => Self::StartTls,
            b"RSET" => Self::Rset,
            b"QUIT" => Self::Quit,
            _ => Self::Other,
        }
    }

    /// Whether the client has to read the answer before it goes on (RFC 2920 §3.1, RFC 4954 §4, RFC 3207 §4).
    fn waits(self) -> bool {
        matches!(self, Self::Data | Self::Auth | Self::StartTls)
    }
}

/// How far a conversation is.
#[derive(Debug)]
pub(crate) struct Following {
    client: Client,
    has_greeted: bool,
    pending: VecDeque<Asked>,
    reader: Reader,
    is_good: bool,
    state: &'static str,
    /// Before the login that is under way.
    before: &'static str,
}

impl Default for Following {
    fn default() -> Self {
        Self {
            client: Client::Command,
            has_greeted: false,
            pending: VecDeque::new(),
            reader: Reader::default(),
            is_good: true,
            state: "Connected",
            before: "Connected",
        }
    }
}

impl Following {
    fn asks(&mut self, asked: Asked) {
        if self.pending.len() >= PENDING_MAX {
            self.pending.pop_front();
        }
        self.pending.push_back(asked);
    }

    fn command(&mut self, cx: &mut Cx<Watch>, line: &Line) -> Read {
        let word = line.octets.trim_ascii_start().split(|octet| octet.is_ascii_whitespace());
        let form = row(COMMANDS, word.clone().next().unwrap_or_default());
        let mut asked = Asked::of(&line.octets);
        if line.fault.is_some() {
            cx.note_unparsed(line, note::is_secret(line), &commands::LINE);
        } else {
            let mut parts = Parts::new(true);
            let parsed = parse(&line.octets, Extensions::all(), true, &mut parts);
            note::note_command(cx, line, &parts);
            if let Ok(Command::Bdat(octets, last)) = parsed {
                asked = Asked::Text(last);
                if octets > 0 {
                    self.client = Client::Chunk(octets);
                }
            }
        }
        if asked.waits() {
            self.client = Client::Waits;
        }
        self.asks(asked);
        Read::new(Kind::Command, form)
    }

    fn replied(&mut self, code: u16) {
        self.is_good = matches!(code / 100, 2 | 3);
        if !self.has_greeted {
            self.has_greeted = true;
            return;
        }
        match code {
            334 => {
                if self.client != Client::Response && self.state != "Authenticating" {
                    self.before = core::mem::replace(&mut self.state, "Authenticating");
                }
                self.client = Client::Response;
                return;
            }
            354 => {
                self.pending.pop_front();
                self.client = Client::Data;
                self.state = "Data";
                return;
            }
            421 => self.state = "Closed",
            _ => {}
        }
        let asked = self.pending.pop_front();
        if asked.is_none_or(Asked::waits) {
            self.client = Client::Command;
        }
        let is_good = code / 100 == 2;
        self.state = match asked {
            _ if code == 421 => self.state,
            Some(Asked::Hello | Asked::Rset) if is_good => "Greeted",
            Some(Asked::Mail) if is_good => "MailGiven",
            Some(Asked::Rcpt) if is_good => "RcptGiven",
            Some(Asked::Text(false)) if is_good => "Chunking",
            Some(Asked::Text(_)) => "Greeted",
            Some(Asked::Auth) if self.state == "Authenticating" => self.before,
            Some(Asked::Quit) if is_good => "Closed",
            _ => self.state,
        };
    }

    fn reply(&mut self, cx: &mut Cx<Watch>, line: &Line) -> Read {
        let is_first = self.reader.is_between();
        let lists = self.pending.front() == Some(&Asked::Hello) && !is_first;
        let head = reply::head(&line.octets);
        let mut read = meaning(&line.octets, head);
        match self.reader.take(cx, line) {
            reply::Read::More => {}
            reply::Read::Whole(whole) => self.replied(whole.code),
            reply::Read::Malformed => {
                self.reader = Reader::default();
                self.replied(0);
            }
        }
        if lists && head.is_some_and(|(code, _)| code / 100 == 2) {
            read = Read::new(Kind::Capability, None);
        }
        read
    }
}

impl Follow for Following {
    fn cut(&self, party: Party) -> Option<Cut> {
        match (party, self.client) {
            (Party::Server, _) => Some(Cut::Line),
            (Party::Client, Client::Waits) => None,
            (Party::Client, Client::Chunk(left)) => Some(Cut::Octets(left)),
            (Party::Client, _) => Some(Cut::Line),
        }
    }

    fn take(&mut self, cx: &mut Cx<Watch>, party: Party, line: &Line) -> Read {
        if party == Party::Server {
            return self.reply(cx, line);
        }
        match self.client {
            Client::Command | Client::Waits => self.command(cx, line),
            Client::Response => {
                self.client = Client::Waits;
                let gives_up = note_response(cx, line, "response");
                let word: &[u8] = if gives_up { b"cancellation" } else { b"response" };
                Read::new(Kind::Response, row(COMMANDS, word))
            }
            Client::Data => {
                if !note_text(cx, line, &commands::SYNTAX) {
                    return Read::new(Kind::Text, None);
                }
                self.client = Client::Command;
                self.asks(Asked::Text(true));
                Read::new(Kind::End, row(COMMANDS, b"end of data"))
            }
            Client::Chunk(left) => {
                cx.note_received(line.start, line.end, "chunk", None);
                let left = left.saturating_sub(line.octets.len() as u64);
                self.client = if left > 0 { Client::Chunk(left) } else { Client::Command };
                Read::new(Kind::Text, None)
            }
        }
    }

    fn hurry(&mut self) {
        self.client = Client::Command;
    }

    fn secured(&mut self) {
        *self = Self { has_greeted: true, ..Self::default() };
    }

    fn turn(&self) -> Party {
        match self.client {
            Client::Response | Client::Data | Client::Chunk(_) if self.has_greeted => Party::Client,
            Client::Command if self.has_greeted && self.pending.is_empty() => Party::Client,
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

/// What a line of a reply says: by its code, or else its first digit; and by its enhanced code.
fn meaning(line: &[u8], head: Option<(u16, bool)>) -> Read {
    let Some((code, is_last)) = head else {
        let what =
            "This is no reply of SMTP: it begins with no digit from 2 to 5. (RFC 5321 §4.2.1)";
        return Read { also: vec![what.into()], ..Read::new(Kind::Reply, None) };
    };
    let form = line.get(..3).and_then(|code| row(REPLIES, code));
    let mut also: Vec<String> = Vec::new();
    if form.is_none() {
        let class = match code / 100 {
            2 => "It was done.",
            3 => "Go on: more is needed.",
            4 => "It was not done; later it may be.",
            _ => "It was not done, and trying the same again is no use.",
        };
        also.push(format!("{class} (RFC 5321 §4.2.1)"));
    }
    let status = reply::status(line.get(4..).unwrap_or_default()).map(|(status, _)| status);
    // RFC 2034 §4: its class is the first digit of the code.
    if let Some(status) = status.filter(|status| u16::from(status.class) == code / 100)
        && let Some(about) = ABOUT.get(usize::from(status.subject))
    {
        let (class, subject, detail) = (status.class, status.subject, status.detail);
        let section = subject + 1;
        also.push(format!(
            "{class}.{subject}.{detail}: it is about {about} (RFC 3463 §3.{section})"
        ));
    }
    if !is_last {
        also.push("more lines follow".into());
    }
    Read { also, ..Read::new(Kind::Reply, form) }
}

/// RFC 3463 §3: what the second number of an enhanced code says.
const ABOUT: [&str; 8] = [
    "nothing in particular",
    "the address",
    "the mailbox",
    "the mail system",
    "the network and routes",
    "the protocol",
    "the content",
    "security or policy",
];
