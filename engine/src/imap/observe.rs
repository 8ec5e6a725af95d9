//! Follows an IMAP conversation of others (see [`crate::observe`]): commands by the server's parser, responses by the
//! client's. Literals are told line by line as they come; a command is parsed anew behind each of them, since only then is it
//! known what follows.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::client::incoming as response;
use super::expected::{COMMANDS, RESPONSES};
use super::grammar::lex::{self, Place};
use super::grammar::{Options, Piece, Piecewise, append_head, parse, split_head, tag_of};
use super::server::incoming::{LITERAL, SYNTAX, may_hold_secret, note_tokens};
use crate::observe::{
    Cut, Follow, Kind, LINE_MAX, PENDING_MAX, Party, Read, Watch, note_response, row,
};
use crate::role::{Cx, Line};
use crate::trace::Part;

/// Octets of one command that are kept for its parser, which reads it anew at each line. What comes behind them is told
/// without.
const KEPT_MAX: usize = 4 * LINE_MAX;
/// Lines and literals of one command that are kept.
const PIECES_MAX: usize = 100;

/// What the client says next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Client {
    /// A command, or its next line.
    #[default]
    Command,
    /// Nothing before it has read the answer.
    Waits,
    /// The same, and then so many octets.
    WaitsWith(u64),
    /// So many octets of a literal.
    Literal(u64),
    /// A step of its login.
    Response,
    /// The end of IDLE.
    Done,
}

/// What the server says next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Server {
    /// A response.
    #[default]
    Response,
    /// So many octets of a literal, and whether nobody may see them.
    Literal(u64, bool),
    /// What stands behind a literal; whether the next one may be seen.
    Rest(bool),
}

/// A command that is not answered.
#[derive(Debug)]
struct Asked {
    tag: Vec<u8>,
    /// In upper case; of one by UIDs, what is to be done.
    name: Vec<u8>,
}

/// A command that goes on.
#[derive(Debug, Default)]
struct Coming {
    pieces: Vec<Piece>,
    kept: usize,
    /// Its octets may be a password.
    is_secret: bool,
    /// A message: its octets are nobody's business here.
    is_append: bool,
}

/// How far a conversation is.
#[derive(Debug)]
pub(crate) struct Following {
    client: Client,
    server: Server,
    has_greeted: bool,
    pending: VecDeque<Asked>,
    coming: Option<Coming>,
    /// Both sides are compressed: there is nothing to read.
    is_opaque: bool,
    is_good: bool,
    state: &'static str,
}

impl Default for Following {
    fn default() -> Self {
        Self {
            client: Client::Command,
            server: Server::Response,
            has_greeted: false,
            pending: VecDeque::new(),
            coming: None,
            is_opaque: false,
            is_good: true,
            state: "not authenticated",
        }
    }
}

/// The name of a command, in upper case.
fn name_of(line: &[u8]) -> Vec<u8> {
    let mut words = line.split(|octet| *octet == b' ').skip(1).map(<[u8]>::to_ascii_uppercase);
    let name = words.next().unwrap_or_default();
    if name == b"UID" { words.next().unwrap_or_default() } else { name }
}

impl Coming {
    fn keep(&mut self, piece: Piece) {
        let (Piece::Text(octets, _) | Piece::Literal(octets, ..)) = &piece;
        self.kept += octets.len();
        if !self.is_kept() {
            return;
        }
        match (self.pieces.last_mut(), piece) {
            (Some(Piece::Literal(held, ..)), Piece::Literal(more, ..)) => held.extend(more),
            (_, piece) => self.pieces.push(piece),
        }
    }

    /// Whether all of it is there for the parser.
    fn is_kept(&self) -> bool {
        self.kept <= KEPT_MAX && self.pieces.len() < PIECES_MAX
    }
}

impl Following {
    fn command(&mut self, cx: &mut Cx<Watch>, line: &Line) -> Read {
        let is_first = self.coming.is_none();
        let mut coming = self.coming.take().unwrap_or_default();
        let name = name_of(&line.octets);
        if is_first {
            coming.is_secret = may_hold_secret(&line.octets);
            let form = row(COMMANDS, &name);
            self.asks(Asked { tag: tag_of(&line.octets).unwrap_or_default(), name: name.clone() });
            let read = Read::new(Kind::Command, form);
            self.command_line(cx, line, coming);
            return read;
        }
        self.command_line(cx, line, coming);
        Read::new(Kind::Text, None)
    }

    fn asks(&mut self, asked: Asked) {
        if self.pending.len() >= PENDING_MAX {
            self.pending.pop_front();
        }
        self.pending.push_back(asked);
    }

    fn command_line(&mut self, cx: &mut Cx<Watch>, line: &Line, mut coming: Coming) {
        if line.fault.is_some() {
            cx.note_unparsed(line, coming.is_secret, &SYNTAX);
            return self.commanded();
        }
        let (text, head) = split_head(&line.octets).unwrap_or((&line.octets, None));
        let text_end = line.start + text.len() as u64;
        if !coming.is_append {
            coming.keep(Piece::Text(text.to_vec(), line.start));
        }
        if coming.is_append || !coming.is_kept() {
            match coming.is_secret {
                true => cx.note_secret(line.start, text_end, "unparsed"),
                false => note_words(cx, line.start, text),
            }
            if head.is_none() {
                cx.note_received(text_end, line.end, "CRLF", None);
            }
        } else {
            cx.received = if head.is_some() { text_end } else { line.end };
            let mut cursor = Piecewise::new(&coming.pieces);
            let parsed = parse(&mut cursor, Options::default());
            note_tokens(cx, &coming.pieces, &cursor.tokens, parsed.is_err(), head.is_some());
            coming.is_append = head.is_some() && append_head(&coming.pieces).is_some();
        }
        let Some(head) = head else { return self.commanded() };
        cx.note_received(text_end, line.end, "literal head", Some(&LITERAL));
        self.client = match head.size {
            size if head.waits => Client::WaitsWith(size),
            0 => Client::Command,
            size => Client::Literal(size),
        };
        self.coming = Some(coming);
    }

    /// A command is whole.
    fn commanded(&mut self) {
        self.coming = None;
        // RFC 9051 §6.2.1, §6.2.2, §6.3.13, RFC 4978 §3: what comes behind these depends on the answer.
        let waits = self.pending.back().is_some_and(|asked| {
            matches!(&asked.name[..], b"AUTHENTICATE" | b"STARTTLS" | b"IDLE" | b"COMPRESS")
        });
        self.client = if waits { Client::Waits } else { Client::Command };
    }

    fn literal(&mut self, cx: &mut Cx<Watch>, line: &Line, left: u64) -> Read {
        let is_secret = self.coming.as_ref().is_some_and(|coming| coming.is_secret);
        match is_secret {
            true => cx.note_secret(line.start, line.end, "literal"),
            false => cx.note_received(line.start, line.end, "literal", Some(&LITERAL)),
        }
        if let Some(coming) = self.coming.as_mut().filter(|coming| !coming.is_append) {
            coming.keep(Piece::Literal(line.octets.clone(), line.start, false));
        }
        let left = left.saturating_sub(line.octets.len() as u64);
        self.client = if left > 0 { Client::Literal(left) } else { Client::Command };
        Read::new(Kind::Text, None)
    }

    fn response(&mut self, cx: &mut Cx<Watch>, line: &Line) -> Read {
        let (is_first, hides) = match self.server {
            Server::Rest(hides) => (false, hides),
            _ => (true, response::tells_urls(&line.octets)),
        };
        self.server = Server::Response;
        if line.fault.is_some() {
            cx.note_unparsed(line, false, &response::RESPONSE);
            return Read::new(if is_first { Kind::Reply } else { Kind::Text }, None);
        }
        let words = is_first && response::is_status(&line.octets);
        let (text, size) =
            if words { (&line.octets[..], None) } else { response::split_head(&line.octets) };
        let challenge = is_first && line.octets.starts_with(b"+") && self.logs_in();
        response::note_line(cx, line, text.len(), is_first, challenge);
        match size {
            Some(0) => self.server = Server::Rest(hides),
            Some(size) => self.server = Server::Literal(size, hides),
            None => {}
        }
        if !is_first {
            return Read::new(Kind::Text, None);
        }
        let mut parts = line.octets.split(|octet| *octet == b' ');
        let first = parts.next().unwrap_or_default();
        let word = parts.next().unwrap_or_default().to_ascii_uppercase();
        let form: &[u8] = match (first, &word[..]) {
            (b"+", _) => b"+",
            (b"*", b"BYE") => b"BYE",
            (b"*", b"PREAUTH") => b"greeting",
            (b"*", _) => b"data",
            (_, word) => word,
        };
        let read = Read::new(Kind::Reply, row(RESPONSES, form));
        match first {
            b"+" => self.go_on(),
            b"*" if self.has_greeted => {}
            b"*" => {
                self.has_greeted = true;
                self.is_good = matches!(&word[..], b"OK" | b"PREAUTH");
                if word == b"PREAUTH" {
                    self.state = "authenticated";
                }
            }
            tag => self.answered(tag, &word),
        }
        read
    }

    fn logs_in(&self) -> bool {
        self.coming.is_none()
            && self.client == Client::Waits
            && self.pending.back().is_some_and(|asked| asked.name == b"AUTHENTICATE")
    }

    /// The server waits for more.
    fn go_on(&mut self) {
        self.client = match self.client {
            Client::WaitsWith(0) => Client::Command,
            Client::WaitsWith(size) => Client::Literal(size),
            Client::Waits if self.logs_in() => Client::Response,
            Client::Waits if self.pending.back().is_some_and(|asked| asked.name == b"IDLE") => {
                Client::Done
            }
            other => other,
        };
    }

    fn answered(&mut self, tag: &[u8], word: &[u8]) {
        let Some(at) = self.pending.iter().position(|asked| asked.tag == tag) else { return };
        let is_last = at + 1 == self.pending.len();
        let Some(Asked { name, .. }) = self.pending.remove(at) else { return };
        self.is_good = word == b"OK";
        // The one that waits is the last one.
        if is_last && !matches!(self.client, Client::Command | Client::Literal(_)) {
            (self.client, self.coming) = (Client::Command, None);
        }
        self.is_opaque |= self.is_good && name == b"COMPRESS";
        self.state = match (&name[..], self.is_good) {
            (b"LOGIN" | b"AUTHENTICATE" | b"CLOSE" | b"UNSELECT", true) => "authenticated",
            (b"SELECT" | b"EXAMINE", true) => "selected",
            (b"SELECT" | b"EXAMINE", false) if word == b"NO" => "authenticated",
            (b"UNAUTHENTICATE", true) => "not authenticated",
            (b"LOGOUT", _) => "logout",
            _ => self.state,
        };
    }
}

impl Follow for Following {
    fn cut(&self, party: Party) -> Option<Cut> {
        if self.is_opaque {
            return Some(Cut::Octets(u64::MAX));
        }
        match (party, self.client, self.server) {
            (Party::Client, Client::Waits | Client::WaitsWith(_), _) => None,
            (Party::Client, Client::Literal(left), _)
            | (Party::Server, _, Server::Literal(left, _)) => Some(Cut::Octets(left)),
            _ => Some(Cut::Line),
        }
    }

    fn take(&mut self, cx: &mut Cx<Watch>, party: Party, line: &Line) -> Read {
        if self.is_opaque {
            cx.note_received(line.start, line.end, "unparsed", None);
            return Read::new(Kind::Text, None);
        }
        if let (Party::Server, Server::Literal(left, hides)) = (party, self.server) {
            match hides {
                true => cx.note_secret(line.start, line.end, "literal"),
                false => {
                    cx.note_received(line.start, line.end, "literal", Some(&response::LITERAL));
                }
            }
            let left = left.saturating_sub(line.octets.len() as u64);
            self.server = if left > 0 { Server::Literal(left, hides) } else { Server::Rest(hides) };
            return Read::new(Kind::Text, None);
        }
        if party == Party::Server {
            return self.response(cx, line);
        }
        match self.client {
            Client::Literal(left) => self.literal(cx, line, left),
            Client::Response => {
                self.client = Client::Waits;
                let gives_up = note_response(cx, line, "base64");
                let word: &[u8] = if gives_up { b"cancellation" } else { b"response" };
                Read::new(Kind::Response, row(COMMANDS, word))
            }
            Client::Done if line.octets.eq_ignore_ascii_case(b"DONE") => {
                self.client = Client::Command;
                cx.note_received(line.start, line.end - 2, "command", None);
                cx.note_received(line.end - 2, line.end, "CRLF", None);
                Read::new(Kind::Command, row(COMMANDS, b"DONE"))
            }
            _ => self.command(cx, line),
        }
    }

    fn hurry(&mut self) {
        self.client = match self.client {
            Client::WaitsWith(size) if size > 0 => Client::Literal(size),
            _ => Client::Command,
        };
    }

    fn secured(&mut self) {
        *self = Self { has_greeted: true, ..Self::default() };
    }

    fn turn(&self) -> Party {
        match self.client {
            Client::Literal(_) | Client::Response | Client::Done if self.has_greeted => {
                Party::Client
            }
            Client::Command
                if self.has_greeted && (self.coming.is_some() || self.pending.is_empty()) =>
            {
                Party::Client
            }
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

/// Notes words that stand behind a message: flags, a date, or what it is put together of (RFC 4469), where a URL may hold a
/// token.
fn note_words(cx: &mut Cx<Watch>, base: u64, text: &[u8]) {
    for Part { start, end, label } in lex::parts(text, Place::Inside) {
        let (from, to) = (base + start as u64, base + end as u64);
        if response::holds_token(&text[start..end]) {
            cx.note_secret(from, to, label);
        } else {
            cx.note_received(from, to, label, None);
        }
    }
}
