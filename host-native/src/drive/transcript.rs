//! `--trace-sessions`: each conversation as a transcript that a person can read, annotated with the session's own notes.
//! Octets that the session marked as secret are masked; octets that it noted nothing about are shown as they are.

use std::fs;
use std::io::{BufWriter, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use pillarbox_engine::trace::{Note, Rule, Side, Span};
use pillarbox_engine::types::TlsFacts;

/// Octets of one line that are shown; the rest is counted.
const SHOWN_MAX: usize = 1000;

/// Which end of the connection the session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ends {
    /// What is received comes from a client.
    Server,
    /// What is received comes from a server.
    Client,
}

/// A transcript being written.
pub(crate) struct Transcript {
    out: Box<dyn Write + Send>,
    received: Direction,
    sent: Direction,
    failed: bool,
    /// Rules whose sentences are there already: one that holds for each line would hide the conversation.
    told: Vec<&'static Rule>,
    /// Stands at the end.
    last: Option<&'static str>,
}

/// One direction's octets that were not written yet.
struct Direction {
    sign: &'static str,
    octets: Vec<u8>,
    /// Offset of the first of `octets` in the connection.
    base: u64,
    /// Spans over `octets`, in order.
    spans: Vec<Span>,
    /// Where what the session has noted ends.
    noted: u64,
    /// What the last line was said to be made of; not said again of a line that is made alike.
    made_of: String,
}

/// A line with what the session noted about it.
struct Annotated {
    shown: String,
    labels: Vec<&'static str>,
    rules: Vec<&'static Rule>,
}

/// Starts of the program whose sessions' files one directory takes.
const STARTS_MAX: u32 = 10_000;

/// `NAME.transcript`, or of `NAME.2.transcript`, `NAME.3.transcript` … one that is not there: the first, unless somebody
/// removed some. It is found by halving, since a directory may serve thousands of starts.
fn new_file(directory: &Path, name: &str) -> std::io::Result<fs::File> {
    let path = |start: u32| match start {
        1 => directory.join(format!("{name}.transcript")),
        _ => directory.join(format!("{name}.{start}.transcript")),
    };
    let (mut taken, mut free) = (0, 1);
    while free < STARTS_MAX && path(free).exists() {
        (taken, free) = (free, free * 2);
    }
    while free - taken > 1 {
        let middle = taken + (free - taken) / 2;
        if path(middle).exists() { taken = middle } else { free = middle }
    }
    let mut new = fs::OpenOptions::new();
    new.write(true).create_new(true).mode(0o600);
    let mut opened = new.open(path(free));
    // Somebody else may take the name at the same moment.
    for start in free + 1..=STARTS_MAX {
        if !opened.as_ref().is_err_and(|error| error.kind() == ErrorKind::AlreadyExists) {
            break;
        }
        opened = new.open(path(start));
    }
    opened
}

impl Transcript {
    /// Makes the directory that transcripts go to, for its owner alone: mail is in them.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn make_directory(directory: &Path) -> std::io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
    }

    /// Begins a file named after the session; a failure is logged and costs only the transcript. Sessions are counted from
    /// 1 at each start, and what an earlier one said is not overwritten.
    pub(crate) fn create(
        directory: &Path,
        protocol: &str,
        session: &str,
        peer: &str,
        ends: Ends,
    ) -> Option<Self> {
        let name = format!("{session:0>6}-{protocol}");
        let created = Self::make_directory(directory);
        let out = match created.and_then(|()| new_file(directory, &name)) {
            Ok(out) => out,
            Err(error) => {
                let directory = directory.display();
                tracing::error!(%directory, name, %error, "no transcript of this session");
                return None;
            }
        };
        let mut transcript = Self::new(Box::new(BufWriter::new(out)), ends);
        transcript.line(&format!("# {protocol} session {session} with {peer}"));
        Some(transcript)
    }

    /// A transcript that goes to `out` line by line.
    pub(crate) fn new(out: Box<dyn Write + Send>, ends: Ends) -> Self {
        let direction = |sign| Direction {
            sign,
            octets: Vec::new(),
            base: 0,
            spans: Vec::new(),
            noted: 0,
            made_of: String::new(),
        };
        let (received, sent, last) = match ends {
            Ends::Server => ("C", "S", Some("S closes")),
            // Who closes first is not known here.
            Ends::Client => ("S", "C", None),
        };
        let (received, sent) = (direction(received), direction(sent));
        Self { out, received, sent, failed: false, told: Vec::new(), last }
    }

    /// Octets came from the peer; they are written once the session has noted what they are.
    pub(crate) fn received(&mut self, octets: &[u8]) {
        self.received.octets.extend_from_slice(octets);
    }

    /// Octets went to the peer.
    pub(crate) fn sent(&mut self, octets: &[u8]) {
        self.sent.octets.extend_from_slice(octets);
        self.write_noted(Side::Sent);
    }

    /// TLS began; the last `dropped` octets that came before it were given to nobody.
    pub(crate) fn secured(&mut self, facts: &TlsFacts, dropped: usize) {
        let received = &mut self.received;
        received.octets.truncate(received.octets.len().saturating_sub(dropped));
        // What the session took and never noted, it threw away unread.
        received.base += received.octets.len() as u64;
        received.octets.clear();
        let (version, cipher) = (facts.version.escape_ascii(), facts.cipher.escape_ascii());
        self.line(&format!("#  secured {version} {cipher}"));
    }

    /// The session asked its host for something.
    pub(crate) fn asked(&mut self, name: &str) {
        self.line(&format!("?  {}", name.to_lowercase()));
    }

    /// A fault on purpose struck.
    pub(super) fn fault(&mut self, number: u64, rule: &str) {
        self.line(&format!("!  fault {number}: {rule}"));
    }

    /// The session noted something.
    pub(crate) fn note(&mut self, note: &Note) {
        match note {
            Note::Span(span) => {
                let direction = self.direction(span.side);
                direction.noted = direction.noted.max(span.end);
                direction.spans.push(*span);
                self.write_noted(span.side);
            }
            Note::State { from, to } => self.line(&format!("#  state {from} → {to}")),
            Note::Defect(rule) => self.line(&format!("#  DEFECT {}", cited(rule))),
        }
    }

    /// Hands on what was written so far: the session waits, and who reads the file need not.
    pub(super) fn rests(&mut self) {
        if !self.failed
            && let Err(error) = self.out.flush()
        {
            self.fails(&error);
        }
    }

    fn direction(&mut self, side: Side) -> &mut Direction {
        match side {
            Side::Received => &mut self.received,
            Side::Sent => &mut self.sent,
        }
    }

    /// Writes the lines of one direction that are complete and noted.
    fn write_noted(&mut self, side: Side) {
        while let Some(line) = self.direction(side).next_line(false) {
            self.annotated(side, &line);
        }
    }

    /// Writes a line, what it is made of, and the rules that it is the first to follow.
    fn annotated(&mut self, side: Side, line: &Annotated) {
        self.line(&line.shown);
        let places: Vec<String> = line.rules.iter().map(|rule| place(rule)).collect();
        let made_of = match (&line.labels[..], &places[..]) {
            ([], _) => String::new(),
            (labels, []) => labels.join(" · "),
            (labels, places) => format!("{}  ({})", labels.join(" · "), places.join(", ")),
        };
        let direction = self.direction(side);
        if made_of != direction.made_of {
            direction.made_of = made_of;
            if !direction.made_of.is_empty() {
                let line = format!("#  {}", direction.made_of);
                self.line(&line);
            }
        }
        for rule in &line.rules {
            if !self.told.contains(rule) {
                self.told.push(rule);
                self.line(&format!("#  {}", cited(rule)));
            }
        }
    }

    fn line(&mut self, line: &str) {
        if !self.failed
            && let Err(error) = writeln!(self.out, "{line}")
        {
            self.fails(&error);
        }
    }

    fn fails(&mut self, error: &std::io::Error) {
        self.failed = true;
        tracing::error!(%error, "a transcript could not be written any further");
    }
}

impl Drop for Transcript {
    fn drop(&mut self) {
        for side in [Side::Received, Side::Sent] {
            while let Some(line) = self.direction(side).next_line(true) {
                self.annotated(side, &line);
            }
        }
        if let Some(last) = self.last {
            self.line(last);
        }
        // Nothing is left to do about a full disk here; the error was logged when it first struck.
        drop(self.out.flush());
    }
}

impl Direction {
    /// The next line with its annotations; `all` takes also what is not complete or not noted.
    fn next_line(&mut self, all: bool) -> Option<Annotated> {
        if self.octets.is_empty() {
            return None;
        }
        let end = match self.octets.iter().position(|&octet| octet == b'\n') {
            Some(lf) => lf + 1,
            None if all => self.octets.len(),
            None => return None,
        };
        let (start, stop) = (self.base, self.base + end as u64);
        if self.noted < stop && !all {
            return None;
        }
        let octets: Vec<u8> = self.octets.drain(..end).collect();
        self.base = stop;
        let over = |span: &Span| span.start < stop && span.end > start;
        let spans: Vec<Span> = self.spans.iter().copied().filter(over).collect();
        self.spans.retain(|span| span.end > stop);
        let shown = format!("{}: {}", self.sign, masked(&octets, start, &spans));
        let begins = || spans.iter().filter(|span| span.start >= start);
        let labels = begins().map(|span| span.label).collect();
        let mut rules: Vec<&'static Rule> = Vec::new();
        for rule in begins().filter_map(|span| span.why) {
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        }
        Some(Annotated { shown, labels, rules })
    }
}

fn cited(rule: &Rule) -> String {
    format!("{}: {}", place(rule), rule.gist)
}

fn place(rule: &Rule) -> String {
    format!("RFC {} §{}", rule.rfc, rule.section)
}

/// A line's text without its CRLF, escaped, each run of secret octets as six stars.
fn masked(octets: &[u8], start: u64, spans: &[Span]) -> String {
    let text = octets.strip_suffix(b"\r\n").unwrap_or(octets);
    let mut shown = String::new();
    let mut hiding = false;
    for (at, &octet) in text.iter().take(SHOWN_MAX).enumerate() {
        let offset = start + at as u64;
        let secret = spans.iter().any(|s| s.secret && s.start <= offset && offset < s.end);
        if secret && !hiding {
            shown.push_str("******");
        } else if !secret {
            match octet {
                b'"' | b'\'' | b'\\' => shown.push(char::from(octet)),
                _ => shown.extend(std::ascii::escape_default(octet).map(char::from)),
            }
        }
        hiding = secret;
    }
    if text.len() > SHOWN_MAX {
        shown.push_str(&format!(" … {} octets more", text.len() - SHOWN_MAX));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_start_wrote_is_not_overwritten() {
        let directory =
            std::env::temp_dir().join(format!("pillarbox-starts-{}", std::process::id()));
        for _ in 0..3 {
            let begun = Transcript::create(&directory, "smtp", "1", "127.0.0.1", Ends::Server);
            begun.expect("the directory is writable");
        }
        let mut names: Vec<_> = fs::read_dir(&directory)
            .expect("it is there")
            .map(|entry| entry.expect("it can be read").file_name())
            .collect();
        names.sort();
        let expected =
            ["000001-smtp.2.transcript", "000001-smtp.3.transcript", "000001-smtp.transcript"];
        assert_eq!(names, expected);
        fs::remove_dir_all(&directory).expect("it is ours");
    }

    #[test]
    fn what_an_open_session_said_is_read_as_soon_as_it_waits() {
        let directory = std::env::temp_dir().join(format!("pillarbox-open-{}", std::process::id()));
        let begun = Transcript::create(&directory, "smtp", "1", "127.0.0.1", Ends::Server);
        let transcript = begun.expect("the directory is writable");
        let mut record = super::super::Record::new(Some(transcript), None);
        let span = |side, end, label| {
            Note::Span(Span { side, start: 0, end, label, secret: false, why: None })
        };
        record.note(&span(Side::Sent, 10, "reply code"));
        record.sent(b"220 here\r\n");
        record.rests();
        let read = || fs::read_to_string(directory.join("000001-smtp.transcript"));
        let text = read().expect("it is there");
        assert!(text.contains("S: 220 here\n"), "{text}");
        record.received(b"NOOP\r\n");
        record.note(&span(Side::Received, 6, "verb"));
        record.rests();
        let text = read().expect("it is there");
        assert!(text.contains("C: NOOP\n"), "{text}");
        drop(record);
        fs::remove_dir_all(&directory).expect("it is ours");
    }

    #[test]
    fn secrets_are_masked_and_rules_cited() {
        static RULE: Rule = Rule { rfc: 1939, section: "7", gist: "PASS carries the secret." };
        let directory = std::env::temp_dir().join(format!("pillarbox-test-{}", std::process::id()));
        let transcript = Transcript::create(&directory, "pop3", "1", "127.0.0.1", Ends::Server);
        let mut transcript = transcript.expect("the directory is writable");
        transcript.received(b"PASS hung");
        transcript.received(b"ry\r\n");
        let (side, why) = (Side::Received, Some(&RULE));
        let span = |start, end, label, secret| Span { side, start, end, label, secret, why };
        transcript.note(&Note::Span(span(0, 4, "verb", false)));
        transcript.note(&Note::Span(span(5, 11, "password", true)));
        transcript.note(&Note::Span(span(11, 13, "CRLF", false)));
        drop(transcript);
        let text = fs::read_to_string(directory.join("000001-pop3.transcript"))
            .expect("the transcript was written");
        assert!(text.contains("C: PASS ******\n"), "{text}");
        assert!(text.contains("RFC 1939 §7: PASS carries the secret."), "{text}");
        assert!(!text.contains("hungry"), "{text}");
        fs::remove_dir_all(directory).expect("the directory is ours");
    }

    #[test]
    fn nothing_is_explained_twice() {
        static RULE: Rule = Rule { rfc: 5321, section: "4.2.1", gist: "Lines may follow." };
        let out = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let mut transcript = Transcript::new(Box::new(Shared(out.clone())), Ends::Server);
        let span = |start, end, label| {
            let (side, why) = (Side::Sent, Some(&RULE));
            Note::Span(Span { side, start, end, label, secret: false, why })
        };
        for (at, text) in [(0, b"250-SIZE\r\n"), (10, b"250-HELP\r\n")] {
            transcript.note(&span(at, at + 4, "reply code"));
            transcript.note(&span(at + 4, at + 10, "reply text"));
            transcript.sent(text);
        }
        transcript.note(&span(20, 25, "reply code"));
        transcript.sent(b"220\r\n");
        drop(transcript);
        let text = String::from_utf8(out.lock().expect("nobody panicked").clone()).expect("UTF-8");
        assert_eq!(
            text,
            "S: 250-SIZE\n#  reply code · reply text  (RFC 5321 §4.2.1)\n\
             #  RFC 5321 §4.2.1: Lines may follow.\nS: 250-HELP\n\
             S: 220\n#  reply code  (RFC 5321 §4.2.1)\nS closes\n"
        );
    }

    struct Shared(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("nobody panicked").extend_from_slice(octets);
            Ok(octets.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
}
