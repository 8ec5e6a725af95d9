//! Reads a transcript file.

use std::path::Path;

/// A transcript.
#[derive(Clone, Debug)]
pub struct Script {
    /// The file's name, for messages.
    pub name: String,
    /// `smtp`, `pop3` or `imap`, each also with `-client`.
    pub protocol: String,
    /// Words of the `with` lines: settings of the session.
    pub with: Vec<String>,
    /// Mail that is there before.
    pub given: Vec<Given>,
    /// What happens.
    pub turns: Vec<Turn>,
}

/// A message that is in a mailbox before the conversation.
#[derive(Clone, Debug)]
pub struct Given {
    /// The account.
    pub to: String,
    /// Its octets.
    pub octets: Vec<u8>,
}

/// One thing that happens, and the line where it stands.
#[derive(Clone, Debug)]
pub struct Turn {
    /// From 1.
    pub line: usize,
    /// Which connection; the first is 1.
    pub connection: usize,
    /// What.
    pub what: What,
}

/// What happens.
#[derive(Clone, Debug)]
pub enum What {
    /// The session's peer says this.
    Peer(Vec<u8>),
    /// The session must say this next.
    Session(Vec<u8>),
    /// The application wants this of the session; octets that belong to it.
    Call(String, Vec<u8>),
    /// The session must have told its host this next.
    Event(String),
    /// The session must ask its host this.
    Ask(String),
    /// The host answers it so.
    Answer(String),
    /// So many milliseconds pass.
    Wait(u64),
    /// The peer ends its side.
    End,
    /// The TLS handshake is done.
    Secures,
    /// The session must have closed.
    Closes,
}

impl Script {
    /// Reads a file.
    ///
    /// # Errors
    /// The file, the line and what was expected there.
    pub fn read(file: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
        Self::parse(&file.display().to_string(), &text)
    }

    /// Reads a text.
    ///
    /// # Errors
    /// As for [`Script::read`].
    pub fn parse(name: &str, text: &str) -> Result<Self, String> {
        let name = name.to_owned();
        let (with, given, turns) = (Vec::new(), Vec::new(), Vec::new());
        let mut script = Self { name, protocol: String::new(), with, given, turns };
        for (at, line) in text.lines().enumerate() {
            script
                .line(at + 1, line)
                .map_err(|error| format!("{}:{}: {error}", script.name, at + 1))?;
        }
        if script.protocol.is_empty() {
            return Err(format!(
                "{}: no line `protocol smtp|pop3|imap`, each also with `-client`",
                script.name
            ));
        }
        Ok(script)
    }

    /// Reads what can be read of a text, whoever wrote it; lines that mean nothing are passed over.
    #[must_use]
    pub fn lenient(protocol: &str, text: &str) -> Self {
        let (with, given, turns) = (Vec::new(), Vec::new(), Vec::new());
        let protocol = protocol.to_owned();
        let mut script = Self { name: protocol.clone(), protocol, with, given, turns };
        for (at, line) in text.lines().enumerate().filter(|(_, l)| !l.starts_with("protocol")) {
            let _ = script.line(at + 1, line);
        }
        script
    }

    fn line(&mut self, line: usize, text: &str) -> Result<(), String> {
        if text.trim().is_empty() || text.starts_with('#') {
            return Ok(());
        }
        if let Some(rest) = text.strip_prefix('|') {
            let octets = self.continued(line).ok_or("`|` continues a `given` or `>` line")?;
            octets.extend(unescaped(rest.strip_prefix(' ').unwrap_or(rest))?);
            octets.extend(b"\r\n");
            return Ok(());
        }
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        match word {
            "protocol" => self.protocol = rest.to_owned(),
            "with" => self.with.extend(rest.split_whitespace().map(str::to_owned)),
            "given" => {
                let to = rest.strip_prefix("mail to ").ok_or("expected `given mail to ADDRESS`")?;
                self.given.push(Given { to: to.to_owned(), octets: Vec::new() });
            }
            ">" => self.turn(line, 1, What::Call(rest.trim().to_owned(), Vec::new())),
            "<" => self.turn(line, 1, What::Event(rest.trim().to_owned())),
            "?" => self.turn(line, 1, What::Ask(rest.trim().to_owned())),
            "!" => self.turn(line, 1, What::Answer(rest.trim().to_owned())),
            "@" => self.turn(line, 1, What::Wait(milliseconds(rest.trim())?)),
            _ => self.spoken(line, text)?,
        }
        Ok(())
    }

    /// Whether the session is the client; then the server's words are given, and the client's expected.
    #[must_use]
    pub fn is_client(&self) -> bool {
        self.protocol.ends_with("-client")
    }

    /// Whose octets a `|` line goes on with; a call is made at its last line.
    fn continued(&mut self, line: usize) -> Option<&mut Vec<u8>> {
        match self.turns.last_mut() {
            Some(Turn { what: What::Call(_, octets), line: at, .. }) => {
                *at = line;
                Some(octets)
            }
            _ => self.given.last_mut().map(|given| &mut given.octets),
        }
    }

    /// `C:`, `S:`, `C2:`, `C|`, `C*100:`, `S closes`, `C ends`, `C secures`.
    fn spoken(&mut self, line: usize, text: &str) -> Result<(), String> {
        let end = text.find([':', '|', ' ']).ok_or("expected `C:`, `S:` or another sign")?;
        let (head, rest) = text.split_at(end);
        let (sign, rest) = rest.split_at(1);
        let side = match (head.chars().next(), self.is_client()) {
            (Some('C'), true) => 'S',
            (Some('S'), true) => 'C',
            (side, _) => side.ok_or("expected `C` or `S`")?,
        };
        let numbers = head.get(1..).ok_or("expected `C` or `S`")?;
        let (connection, times) = numbers.split_once('*').unwrap_or((numbers, "1"));
        let connection = if connection.is_empty() { Ok(1) } else { connection.parse() };
        let connection = connection.map_err(|_| "expected a connection's number")?;
        let times: usize = times.parse().map_err(|_| "expected how many times")?;
        let rest = if sign == " " { rest } else { rest.strip_prefix(' ').unwrap_or(rest) };
        let what = match (side, sign, rest) {
            ('S', " ", "closes") => What::Closes,
            ('C', " ", "ends") => What::End,
            ('C', " ", "secures") => What::Secures,
            ('C', ":", _) => {
                What::Peer([unescaped(rest)?, b"\r\n".to_vec()].concat().repeat(times))
            }
            ('C', "|", _) => What::Peer(unescaped(rest)?.repeat(times)),
            ('S', ":", _) => {
                What::Session([unescaped(rest)?, b"\r\n".to_vec()].concat().repeat(times))
            }
            ('S', "|", _) => What::Session(unescaped(rest)?.repeat(times)),
            _ => return Err(format!("`{text}` is none of the signs")),
        };
        self.turn(line, connection, what);
        Ok(())
    }

    fn turn(&mut self, line: usize, connection: usize, what: What) {
        self.turns.push(Turn { line, connection, what });
    }
}

fn milliseconds(text: &str) -> Result<u64, String> {
    let error = || format!("`{text}` is not a time such as +10m, +30s or +5ms");
    let digits = text.strip_prefix('+').ok_or_else(error)?;
    let unit = digits.find(|c: char| !c.is_ascii_digit()).ok_or_else(error)?;
    let count: u64 = digits[..unit].parse().map_err(|_| error())?;
    match &digits[unit..] {
        "ms" => Ok(count),
        "s" => Ok(count * 1000),
        "m" => Ok(count * 60_000),
        "h" => Ok(count * 3_600_000),
        _ => Err(error()),
    }
}

/// Octets of a line: `\r`, `\n`, `\0`, `\\` and `\xHH` stand for octets, all else for its UTF-8.
fn unescaped(text: &str) -> Result<Vec<u8>, String> {
    let mut octets = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            octets.extend(c.encode_utf8(&mut [0; 4]).bytes());
            continue;
        }
        match chars.next() {
            Some('r') => octets.push(b'\r'),
            Some('n') => octets.push(b'\n'),
            Some('0') => octets.push(0),
            Some('\\') => octets.push(b'\\'),
            Some('x') => {
                let hex: String = chars.by_ref().take(2).collect();
                octets.push(u8::from_str_radix(&hex, 16).map_err(|_| "expected two hex digits")?);
            }
            _ => return Err("after \\ expected r, n, 0, \\ or xHH".to_owned()),
        }
    }
    Ok(octets)
}

/// The line of a transcript that stands for these octets, which may end with CRLF or not.
pub(super) fn escaped(sign: &str, octets: &[u8]) -> String {
    let (mark, body) = match octets.strip_suffix(b"\r\n") {
        Some(body) => (':', body),
        None => ('|', octets),
    };
    let mut text = String::new();
    for chunk in body.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\r' => text.push_str("\\r"),
                '\n' => text.push_str("\\n"),
                '\0' => text.push_str("\\0"),
                '\\' => text.push_str("\\\\"),
                c if c.is_control() => {
                    c.encode_utf8(&mut [0; 4])
                        .bytes()
                        .for_each(|b| text.push_str(&format!("\\x{b:02x}")));
                }
                c => text.push(c),
            }
        }
        chunk.invalid().iter().for_each(|b| text.push_str(&format!("\\x{b:02x}")));
    }
    // A space at a line's end would not survive editors.
    if text.ends_with(' ') {
        text.truncate(text.len() - 1);
        text.push_str("\\x20");
    }
    format!("{sign}{mark} {text}").trim_end().to_owned()
}
