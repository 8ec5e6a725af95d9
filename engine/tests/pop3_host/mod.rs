//! A host with one maildrop in memory, and a way to talk to a POP3 session over it.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test file uses its part")]

pub use super::seeded::Seeded;
use pillarbox_engine::limits::Limits;
use pillarbox_engine::pop3::{Answer, Ask, Config, Entry, Event, NumberRun, Opened, Server};
use pillarbox_engine::sasl::{Account, AuthOffer, Credentials, LoginAnswer, Mechanism};
use pillarbox_engine::trace::Note;
use pillarbox_engine::types::{Now, Peer, Reason, Refusal, TlsOffer};
use pillarbox_engine::{Output, Session};

/// A POP3 server that makes no notes.
pub fn config() -> Config {
    Config {
        host_name: b"hamburger.edu".to_vec(),
        peer: Peer { address: b"192.0.2.1".to_vec(), name: None },
        session_id: b"p1".to_vec(),
        tls: TlsOffer::None,
        auth: AuthOffer {
            mechanisms: vec![Mechanism::Plain, Mechanism::Login],
            password_commands: true,
            cleartext: true,
        },
        apop_timestamp: Some(b"<1.2@hamburger.edu>".to_vec()),
        without: Vec::new(),
        login_delay_s: 0,
        persona: pillarbox_engine::types::Persona::Strict,
        faults: false,
        limits: Limits::POP3,
        trace: false,
    }
}

/// Messages with all that is hard to send.
pub fn maildrop() -> Vec<Vec<u8>> {
    vec![
        b"Subject: a\r\n\r\nplain\r\n".to_vec(),
        b"Subject: b\r\n\r\n.\r\n..two\r\n.three\r\n".to_vec(),
        b"Subject: c\r\n\r\nno end".to_vec(),
        [b"Subject: d\r\n\r\n", &b"a long message\r\n.\r\n".repeat(3000)[..]].concat(),
        vec![],
    ]
}

/// A conversation with one session.
pub struct Talk {
    pub session: Session<Server>,
    pub now: Now,
    pub maildrop: Vec<Vec<u8>>,
    pub asks: Vec<Ask>,
    pub events: Vec<Event>,
    pub notes: Vec<Note>,
    pub removed: Vec<NumberRun>,
    pub closed: bool,
    pub starting_tls: bool,
    pub taken: u64,
    /// What it refuses once somebody has logged in.
    pub refusing: Option<Reason>,
    /// Keeps no asks, events and notes, for tests that count memory.
    pub forgetful: bool,
}

impl Talk {
    pub fn new(config: Config) -> Self {
        let now = Now { monotonic_ms: 0, unix_ms: 1_767_603_600_000 };
        Self {
            session: Session::new(config, now),
            now,
            maildrop: maildrop(),
            asks: vec![],
            events: vec![],
            notes: vec![],
            removed: vec![],
            closed: false,
            starting_tls: false,
            taken: 0,
            refusing: None,
            forgetful: false,
        }
    }

    /// One that has logged in.
    pub fn logged_in(config: Config) -> Self {
        let mut talk = Self::new(config);
        talk.say(b"USER bob\r\nPASS s3cret\r\n");
        talk
    }

    /// Says octets, does what the session wants, and gives what it says until it waits.
    pub fn say(&mut self, octets: &[u8]) -> Vec<u8> {
        let (mut rest, mut said) = (octets, vec![]);
        loop {
            let taken = self.session.receive(self.now, rest);
            self.taken += taken as u64;
            rest = &rest[taken..];
            said.extend(self.listen());
            if rest.is_empty() || self.closed {
                return said;
            }
        }
    }

    /// As `say`, for text; for tests that read.
    pub fn line(&mut self, line: &str) -> String {
        String::from_utf8_lossy(&self.say(format!("{line}\r\n").as_bytes())).into_owned()
    }

    /// What the session says until it waits.
    pub fn listen(&mut self) -> Vec<u8> {
        let mut said = vec![];
        loop {
            match self.session.poll() {
                Output::Transmit(octets) => said.extend(octets),
                Output::TransmitBlob(range) => {
                    let end = range.offset + range.length;
                    let message = &self.maildrop[range.blob as usize - 1];
                    said.extend_from_slice(&message[range.offset as usize..end as usize]);
                }
                Output::Ask(id, ask) => {
                    let answer = self.answer(&ask);
                    if !self.forgetful {
                        self.asks.push(ask);
                    }
                    self.session.answer(self.now, id, answer).expect("a right answer");
                }
                Output::Event(_) | Output::Note(_) if self.forgetful => {}
                Output::Event(event) => self.events.push(event),
                Output::Compress => panic!("nothing asks for it"),
                Output::StartTls => self.starting_tls = true,
                Output::Note(note) => self.notes.push(note),
                Output::Wait { .. } => return said,
                Output::Close => {
                    self.closed = true;
                    return said;
                }
            }
        }
    }

    fn answer(&mut self, ask: &Ask) -> Answer {
        let of_login = matches!(ask, Ask::Phase(_) | Ask::Login(_) | Ask::Open(_));
        if let Some(reason) = self.refusing.filter(|_| !of_login) {
            return Answer::Refused(Refusal::new(reason));
        }
        match ask {
            Ask::Phase(_) => Answer::Done,
            Ask::Login(Credentials::Password(given)) if given.password == b"s3cret" => {
                let account = Account { name: given.user.clone(), server_signature: vec![] };
                Answer::Login(LoginAnswer::Accepted(account))
            }
            Ask::Login(_) => {
                Answer::Login(LoginAnswer::Refused(Refusal::new(Reason::BadCredentials)))
            }
            Ask::Open(_) => {
                let octets = self.maildrop.iter().map(|message| message.len() as u64).sum();
                Answer::Opened(Opened { count: self.maildrop.len() as u32, octets })
            }
            Ask::Entries(ask) => {
                let entries = (ask.first..).zip(&self.maildrop[ask.first as usize - 1..]);
                let entries = entries.take(ask.max as usize).map(|(number, message)| Entry {
                    blob: u64::from(number),
                    size: message.len() as u64,
                    unique_id: format!("id-{number}").into_bytes(),
                    plain: message.ends_with(b"\r\n")
                        && !message.windows(3).any(|three| three == b"\r\n.")
                        && !message.windows(2).any(|two| two[1] == b'\n' && two[0] != b'\r'),
                });
                Answer::Entries(entries.collect())
            }
            Ask::Octets(range) => {
                let (start, length) = (range.offset as usize, range.length as usize);
                let message = &self.maildrop[range.blob as usize - 1];
                Answer::Octets(message[start..start + length].to_vec())
            }
            Ask::Remove(runs) => {
                self.removed.extend(runs);
                Answer::Done
            }
        }
    }
}

const LINES: [&str; 36] = [
    "USER bob",
    "USER bob",
    "PASS s3cret",
    "PASS s3cret",
    "PASS wrong",
    "PASS  with space",
    "APOP bob c4c9334bac560ecc979e58001b3e22fb",
    "AUTH",
    "AUTH PLAIN AGJvYgBzM2NyZXQ=",
    "AUTH LOGIN",
    "AUTH FOO",
    "CAPA",
    "STAT",
    "LIST",
    "LIST 2",
    "UIDL",
    "UIDL 5",
    "RETR 1",
    "RETR 2",
    "RETR 3",
    "RETR 4",
    "RETR 5",
    "TOP 2 1",
    "TOP 4 0",
    "TOP 1 9999",
    "RETR 0",
    "DELE 2",
    "DELE 4",
    "LIST 99",
    "NOOP",
    "RSET",
    "STLS",
    "FOO",
    "",
    "RETR 4294967297",
    "QUIT",
];

/// Random commands, most of them after a login.
pub fn conversation(random: &mut Seeded) -> Vec<u8> {
    let mut all = vec![];
    if random.below(4) > 0 {
        all.extend(b"USER bob\r\nPASS s3cret\r\n");
    }
    for _ in 0..1 + random.below(25) {
        let line = random.pick(&LINES);
        all.extend(format!("{line}\r\n").bytes());
        if line == "AUTH LOGIN" {
            all.extend(b"Ym9i\r\n");
            all.extend(random.pick(&["czNjcmV0", "*", "?"]).bytes());
            all.extend(b"\r\n");
        }
    }
    all
}

/// Says octets in pieces of random size.
pub fn say_split(talk: &mut Talk, octets: &[u8], random: &mut Seeded) -> Vec<u8> {
    let (mut rest, mut said) = (octets, vec![]);
    while !rest.is_empty() && !talk.closed {
        let (piece, more) = rest.split_at((1 + random.below(12)).min(rest.len()));
        said.extend(talk.say(piece));
        rest = more;
    }
    said
}
