//! How far a conversation is, seen from outside: whose turn it is, and which octets are secret. It judges nobody: a side that
//! breaks the rules is shown as it is.

use super::Protocol;

/// Stands for what nobody may see.
const MASK: &[u8] = b"******";

/// Who says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

impl Side {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// What a line is, in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) kind: LineKind,
    /// The line, masked.
    pub(super) shown: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineKind {
    /// A command, or an answer.
    Line,
    /// A line of an answer to EHLO or CAPA that names something that the server can do.
    Capability,
    /// A line of a message, or of a list.
    Text,
    /// The dot that ends those.
    End,
    /// A step of a login.
    Response,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The server's greeting.
    Greeting,
    /// A command.
    Command,
    /// The rest of an answer.
    Answer,
    /// The client's message, up to a dot.
    Data,
    /// The server's list or message (POP3), up to a dot.
    List,
    /// A step of the client's login.
    Response,
    /// So many more octets of a literal (IMAP).
    Literal(usize),
}

/// A conversation.
pub(super) struct Dialogue {
    protocol: Protocol,
    phase: Phase,
    /// The command that is answered, in capitals.
    command: String,
    /// Of IMAP.
    tag: Vec<u8>,
    /// How long the literal is that the client announced.
    literal: usize,
    is_good: bool,
}

impl Dialogue {
    pub(super) fn new(protocol: Protocol) -> Self {
        let (command, tag) = (String::new(), Vec::new());
        Self { protocol, phase: Phase::Greeting, command, tag, literal: 0, is_good: true }
    }

    /// A conversation that goes on after its greeting, or not.
    pub(super) fn greeted(&mut self, is_over: bool) {
        if is_over {
            self.phase = Phase::Command;
        }
    }

    /// Whose turn it is.
    pub(super) fn turn(&self) -> Side {
        match self.phase {
            Phase::Greeting | Phase::Answer | Phase::List => Side::Server,
            _ => Side::Client,
        }
    }

    /// Whether the last answer was a good one.
    pub(super) fn last_is_good(&self) -> bool {
        self.is_good
    }

    /// Takes a line of one side.
    pub(super) fn line(&mut self, side: Side, line: &[u8]) -> Told {
        match side {
            Side::Client => self.of_client(line),
            Side::Server => Told { kind: self.of_server(line), shown: line.to_vec() },
        }
    }

    fn of_client(&mut self, line: &[u8]) -> Told {
        let told = |kind, shown: &[u8]| Told { kind, shown: shown.to_vec() };
        match self.phase {
            Phase::Data if line == b"." => {
                self.phase = Phase::Answer;
                told(LineKind::End, line)
            }
            Phase::Data => told(LineKind::Text, line),
            Phase::Response => {
                self.phase = Phase::Answer;
                // It may be a password; a client that gives up says so.
                told(LineKind::Response, if line == b"*" { line } else { MASK })
            }
            Phase::Literal(left) => {
                let rest = left.saturating_sub(line.len() + 2);
                self.phase = match left > line.len() {
                    true if rest > 0 => Phase::Literal(rest),
                    true if self.protocol == Protocol::Imap => Phase::Command,
                    true => Phase::Answer,
                    // The literal ended in this line, and so does the command, unless another one follows.
                    false => self.after_command(line),
                };
                let is_secret = matches!(&self.command[..], "LOGIN" | "AUTHENTICATE");
                told(LineKind::Text, if is_secret { MASK } else { line })
            }
            _ => {
                let (tag, rest) = match self.protocol {
                    Protocol::Imap => split(line),
                    Protocol::Smtp | Protocol::Pop3 => (&b""[..], line),
                };
                let (word, argument) = split(rest);
                if self.protocol != Protocol::Imap || !word.is_empty() {
                    self.command = String::from_utf8_lossy(word).to_uppercase();
                    self.tag = tag.to_vec();
                }
                let lists_all = matches!(&self.command[..], "LIST" | "UIDL" | "LANG");
                if self.protocol == Protocol::Pop3 && lists_all && argument.trim_ascii().is_empty()
                {
                    self.command.push_str(" ALL");
                }
                self.phase = self.after_command(line);
                told(LineKind::Line, &self.masked(line, argument))
            }
        }
    }

    /// What follows a command of the client: its answer, or a literal that needs no leave.
    fn after_command(&mut self, line: &[u8]) -> Phase {
        let announced = line.strip_suffix(b"}").filter(|_| self.protocol == Protocol::Imap);
        let number = announced.and_then(|line| line.rsplit(|octet| *octet == b'{').next());
        let number = number.and_then(|number| std::str::from_utf8(number).ok());
        let (number, waits) = match number {
            Some(number) => {
                (number.strip_suffix(['+', '-']).unwrap_or(number), !number.ends_with(['+', '-']))
            }
            None => ("", true),
        };
        self.literal = number.parse().unwrap_or(0);
        if self.command == "BDAT" {
            // RFC 3030 §2: the octets follow at once.
            let octets = line.split(|octet| *octet == b' ').nth(1);
            let octets = octets.and_then(|octets| std::str::from_utf8(octets).ok()?.parse().ok());
            self.command = "BDAT data".to_owned();
            return octets.filter(|octets| *octets > 0).map_or(Phase::Answer, Phase::Literal);
        }
        match self.literal > 0 && !waits {
            true => Phase::Literal(self.literal),
            false => Phase::Answer,
        }
    }

    fn masked(&self, line: &[u8], argument: &[u8]) -> Vec<u8> {
        let begin = |octets: &[u8]| line[..line.len() - octets.len()].to_vec();
        // What stands behind the mechanism, the name, or the command.
        let secret = match &self.command[..] {
            "PASS" => argument,
            "AUTH" | "AUTHENTICATE" | "APOP" | "LOGIN" => split(argument).1,
            _ => &[],
        };
        // A name in quotes may have spaces, and a literal is no secret yet.
        let secret = match secret {
            [b'{', ..] => &[],
            secret => secret,
        };
        match secret.is_empty() {
            true => line.to_vec(),
            false => [&begin(secret)[..], MASK].concat(),
        }
    }

    fn of_server(&mut self, line: &[u8]) -> LineKind {
        match self.protocol {
            Protocol::Smtp => self.smtp(line),
            Protocol::Pop3 => self.pop3(line),
            Protocol::Imap => self.imap(line),
        }
    }

    fn smtp(&mut self, line: &[u8]) -> LineKind {
        let is_last = line.get(3) != Some(&b'-');
        let is_first = self.command != "EHLO answered";
        self.is_good = line.first().is_some_and(|digit| matches!(digit, b'2' | b'3'));
        let lists = matches!(&self.command[..], "EHLO" | "LHLO" | "EHLO answered");
        if is_last {
            self.phase = match line.get(..3) {
                Some(b"334") => Phase::Response,
                Some(b"354") => Phase::Data,
                _ => Phase::Command,
            };
        }
        if lists && self.is_good && is_first {
            self.command = "EHLO answered".to_owned();
            return LineKind::Line;
        }
        if lists && self.is_good { LineKind::Capability } else { LineKind::Line }
    }

    fn pop3(&mut self, line: &[u8]) -> LineKind {
        if self.phase == Phase::List {
            if line == b"." {
                self.phase = Phase::Command;
                return LineKind::End;
            }
            return if self.command == "CAPA" { LineKind::Capability } else { LineKind::Text };
        }
        self.is_good = line.starts_with(b"+");
        self.phase = match line {
            [b'+', b' ', ..] | [b'+'] => Phase::Response,
            _ if line.starts_with(b"+OK") && self.lists() => Phase::List,
            _ => Phase::Command,
        };
        LineKind::Line
    }

    /// Whether more lines follow the first one of a good answer (RFC 1939 §5, §7, RFC 2449 §5).
    fn lists(&self) -> bool {
        matches!(&self.command[..], "CAPA" | "RETR" | "TOP" | "LIST ALL" | "UIDL ALL" | "LANG ALL")
    }

    fn imap(&mut self, line: &[u8]) -> LineKind {
        let (first, rest) = split(line);
        if first == b"+" {
            self.phase = match self.literal {
                0 if self.command == "IDLE" => Phase::Command,
                0 => Phase::Response,
                length => Phase::Literal(length),
            };
            return LineKind::Line;
        }
        let word = split(rest).0.to_ascii_uppercase();
        let is_tagged = !self.tag.is_empty() && first == &self.tag[..];
        if is_tagged || self.phase == Phase::Greeting {
            self.is_good = matches!(&word[..], b"OK" | b"PREAUTH");
            self.phase = Phase::Command;
        }
        // What stands in a literal of the server begins with anything.
        match first == b"*" || is_tagged {
            true => LineKind::Line,
            false => LineKind::Text,
        }
    }
}

/// The first word, and what follows the space behind it.
fn split(line: &[u8]) -> (&[u8], &[u8]) {
    match line.iter().position(|octet| *octet == b' ') {
        Some(at) => (&line[..at], &line[at + 1..]),
        None => (line, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes lines (`C: ` and `S: `), each with what it is, how it is shown, and whether it is the client's turn after it.
    fn check(protocol: Protocol, lines: &[(&str, LineKind, &str, bool)]) {
        let mut dialogue = Dialogue::new(protocol);
        for (line, kind, shown, turn) in lines {
            let (side, text) = line.split_at(3);
            let side = if side == "C: " { Side::Client } else { Side::Server };
            let told = dialogue.line(side, text.as_bytes());
            let shown = if shown.is_empty() { text } else { shown };
            assert_eq!(String::from_utf8_lossy(&told.shown), *shown, "{line}");
            assert_eq!((told.kind, dialogue.turn() == Side::Client), (*kind, *turn), "{line}");
        }
    }

    #[test]
    fn smtp_has_logins_lists_and_a_message() {
        use LineKind::{Capability, End, Line, Response, Text};
        check(
            Protocol::Smtp,
            &[
                ("S: 220-one", Line, "", false),
                ("S: 220 two", Line, "", true),
                ("C: EHLO me.test", Line, "", false),
                ("S: 250-x.test", Line, "", false),
                ("S: 250-SIZE 100", Capability, "", false),
                ("S: 250 DSN", Capability, "", true),
                ("C: auth plain AGJvYgBodW5ncnk=", Line, "auth plain ******", false),
                ("S: 535 no", Line, "", true),
                ("C: AUTH LOGIN", Line, "", false),
                ("S: 334 VXNlcm5hbWU6", Line, "", true),
                ("C: Ym9i", Response, "******", false),
                ("S: 334 UGFzc3dvcmQ6", Line, "", true),
                ("C: *", Response, "", false),
                ("S: 501 given up", Line, "", true),
                ("C: BDAT 5 LAST", Line, "", true),
                ("C: abc", Text, "", false),
                ("S: 250 ok", Line, "", true),
                ("C: DATA", Line, "", false),
                ("S: 354 go on", Line, "", true),
                ("C: AUTH PLAIN text", Text, "", true),
                ("C: .", End, "", false),
                ("S: 250 ok", Line, "", true),
            ],
        );
    }

    #[test]
    fn pop3_has_lists_that_end_with_a_dot() {
        use LineKind::{Capability, End, Line, Response, Text};
        check(
            Protocol::Pop3,
            &[
                ("S: +OK", Line, "", true),
                ("C: CAPA", Line, "", false),
                ("S: +OK list", Line, "", false),
                ("S: UIDL", Capability, "", false),
                ("S: .", End, "", true),
                ("C: PASS hung ry", Line, "PASS ******", false),
                ("S: -ERR no", Line, "", true),
                ("C: APOP bob c4c9", Line, "APOP bob ******", false),
                ("S: +OK", Line, "", true),
                ("C: LIST", Line, "", false),
                ("S: +OK 1 message", Line, "", false),
                ("S: 1 120", Text, "", false),
                ("S: .", End, "", true),
                ("C: LIST 1", Line, "", false),
                ("S: +OK 1 120", Line, "", true),
                ("C: AUTH PLAIN", Line, "", false),
                ("S: + ", Line, "", true),
                ("C: AGJvYgBodW5ncnk=", Response, "******", false),
                ("S: +OK", Line, "", true),
            ],
        );
    }

    #[test]
    fn imap_has_tags_literals_and_data() {
        use LineKind::{Line, Response, Text};
        check(
            Protocol::Imap,
            &[
                ("S: * OK hello", Line, "", true),
                ("C: a LOGIN bob hungry", Line, "a LOGIN bob ******", false),
                ("S: a NO no", Line, "", true),
                ("C: b LOGIN {3}", Line, "", false),
                ("S: + go on", Line, "", true),
                ("C: bob {6}", Text, "******", false),
                ("S: + go on", Line, "", true),
                ("C: hungry", Text, "******", false),
                ("S: b OK in", Line, "", true),
                ("C: c APPEND x {12+}", Line, "", true),
                ("C: Subject: x", Text, "", true),
                ("C: ", Line, "", false),
                ("S: c OK done", Line, "", true),
                ("C: d AUTHENTICATE PLAIN", Line, "", false),
                ("S: + ", Line, "", true),
                ("C: AGJvYgBodW5ncnk=", Response, "******", false),
                ("S: * CAPABILITY IMAP4rev1", Line, "", false),
                ("S: d OK in", Line, "", true),
                ("C: e FETCH 1 BODY[]", Line, "", false),
                ("S: * 1 FETCH (BODY[] {3}", Line, "", false),
                ("S: x", Text, "", false),
                ("S: e OK done", Line, "", true),
            ],
        );
    }
}
