//! A tiny host for POP3 client sessions: messages by call, a clock that tests move, and everything written down.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test file uses its part")]

use std::collections::BTreeMap;

use pillarbox_engine::limits::Limits;
use pillarbox_engine::pop3::Client;
use pillarbox_engine::pop3::client::types::{
    Answer, Ask, Call, Command, Config, Event, Failure, Outcome, Timeouts, TlsPolicy,
};
use pillarbox_engine::sasl::scram::Hash;
use pillarbox_engine::sasl::{ClientCredentials, LoginAsk, LoginSecret, Mechanism};
use pillarbox_engine::trace::Note;
use pillarbox_engine::types::{Now, Reason, Refusal, TlsFacts};
use pillarbox_engine::{Output, Session};

/// A client's configuration: no TLS, and nothing special.
pub fn config() -> Config {
    Config {
        tls: TlsPolicy::None,
        apop: false,
        utf8: false,
        language: vec![],
        limits: Limits::POP3_CLIENT,
        timeouts: Timeouts::default(),
        trace: false,
    }
}

/// A session, what it was given and what it gave.
pub struct Drive {
    pub session: Session<Client>,
    pub now: Now,
    /// All octets sent.
    pub sent: Vec<u8>,
    pub events: Vec<Event>,
    pub notes: Vec<Note>,
    pub messages: BTreeMap<u32, Vec<u8>>,
    pub chunk_max: usize,
    pub deadline_ms: Option<u64>,
    pub closed: bool,
    pub securing: bool,
    /// Chunks after so many are refused.
    pub refuse_after: Option<usize>,
    pub chunks: usize,
    /// Mechanisms to choose, one after another.
    pub choose: Vec<Mechanism>,
    pub secret: Vec<u8>,
    pub logins: Vec<LoginAsk>,
    told: usize,
}

impl Drive {
    pub fn new(config: Config) -> Self {
        let now = Now { monotonic_ms: 1000, unix_ms: 0 };
        let mut drive = Self {
            session: Session::new(config, now),
            now,
            sent: vec![],
            events: vec![],
            notes: vec![],
            messages: BTreeMap::new(),
            chunk_max: 0,
            deadline_ms: None,
            closed: false,
            securing: false,
            refuse_after: None,
            chunks: 0,
            choose: vec![Mechanism::Login],
            secret: b"s3cret".to_vec(),
            logins: vec![],
            told: 0,
        };
        drive.run();
        drive
    }

    /// One whose maildrop of so many messages is open, after these capabilities.
    pub fn opened(config: Config, capabilities: &str, count: u32) -> Self {
        let mut drive = Self::new(config);
        let capa = format!("+OK\r\n{capabilities}USER\r\n.\r\n");
        drive.script(&["+OK ready\r\n", &capa, "+OK\r\n", "+OK\r\n", &capa]);
        drive.hear(format!("+OK {count} 1000\r\n").as_bytes());
        assert!(matches!(drive.events.pop(), Some(Event::Ready(_))), "{:?}", drive.events);
        drive
    }

    pub fn call(&mut self, id: u32, command: Command) -> String {
        self.session.call(self.now, Call { id, command }).expect("a right call");
        self.run();
        self.said()
    }

    /// The server says this; gives what the client says to it.
    pub fn hear(&mut self, octets: &[u8]) -> String {
        let mut rest = octets;
        loop {
            rest = &rest[self.session.receive(self.now, rest)..];
            self.run();
            if rest.is_empty() || self.closed {
                break;
            }
        }
        self.said()
    }

    /// The server says these, each after the client has said what it had to say.
    pub fn script(&mut self, replies: &[&str]) -> String {
        replies.iter().map(|reply| self.hear(reply.as_bytes())).collect()
    }

    /// What the client said since the last time.
    pub fn said(&mut self) -> String {
        let said = String::from_utf8_lossy(&self.sent[self.told..]).into_owned();
        self.told = self.sent.len();
        said
    }

    pub fn end(&mut self) {
        self.session.receive_end(self.now);
        self.run();
    }

    pub fn secure(&mut self) -> String {
        assert!(self.securing);
        self.securing = false;
        self.session.secured(self.now, TlsFacts::default()).expect("a handshake was asked for");
        self.run();
        self.said()
    }

    pub fn wait(&mut self, ms: u64) {
        self.now.monotonic_ms += ms;
        self.session.tick(self.now);
        self.run();
    }

    pub fn run(&mut self) {
        loop {
            match self.session.poll() {
                Output::Transmit(octets) => self.sent.extend(octets),
                Output::TransmitBlob(_) => panic!("a POP3 client sends no message"),
                Output::Ask(id, ask) => {
                    let answer = self.answer(ask);
                    self.session.answer(self.now, id, answer).expect("a right answer");
                }
                Output::Event(event) => self.events.push(event),
                Output::Compress => panic!("nothing asks for it"),
                Output::StartTls => self.securing = true,
                Output::Note(note) => self.notes.push(note),
                Output::Wait { deadline_ms } => {
                    self.deadline_ms = deadline_ms;
                    return;
                }
                Output::Close => {
                    self.closed = true;
                    return;
                }
            }
        }
    }

    fn answer(&mut self, ask: Ask) -> Answer {
        match ask {
            Ask::Chunk(chunk) => {
                self.chunks += 1;
                self.chunk_max = self.chunk_max.max(chunk.octets.len());
                if self.refuse_after.is_some_and(|after| self.chunks > after) {
                    return Answer::Refused(Refusal::new(Reason::StorageFull));
                }
                self.messages.entry(chunk.call).or_default().extend(chunk.octets);
                Answer::Done
            }
            Ask::Login(ask) => {
                let secret = match &ask {
                    LoginAsk::Choose(choice) => self.chosen(&choice.mechanisms),
                    LoginAsk::SaltPassword(ask) => Hash::of(ask.mechanism).map(|hash| {
                        LoginSecret::SaltedPassword(hash.salt_password(
                            b"s3cret",
                            &ask.salt,
                            ask.iterations,
                        ))
                    }),
                };
                self.logins.push(ask);
                Answer::Login(secret.unwrap_or(LoginSecret::NoLogin))
            }
        }
    }

    fn chosen(&mut self, offered: &[Mechanism]) -> Option<LoginSecret> {
        let mechanism = (!self.choose.is_empty()).then(|| self.choose.remove(0))?;
        assert!(offered.contains(&mechanism), "{mechanism:?} is not in {offered:?}");
        let is_scram = Hash::of(mechanism).is_some();
        let secret = if is_scram { vec![] } else { self.secret.clone() };
        let nonce = if is_scram { b"fyko+d2lbbFgONRv9qkxdawL".to_vec() } else { vec![] };
        let (authorization, user) = (vec![], b"bob".to_vec());
        Some(LoginSecret::Credentials(ClientCredentials {
            mechanism,
            authorization,
            user,
            secret,
            nonce,
        }))
    }

    /// How a call ended, which it must have done exactly once.
    #[track_caller]
    pub fn outcome(&self, call: u32) -> &Outcome {
        let all: Vec<_> = self
            .events
            .iter()
            .filter_map(|event| match event {
                Event::Completed(end) if end.call == call => Some(&end.outcome),
                _ => None,
            })
            .collect();
        assert_eq!(all.len(), 1, "call {call} ended {} times", all.len());
        all[0]
    }

    /// Why a call failed.
    #[track_caller]
    pub fn failure(&self, call: u32) -> &Failure {
        match self.outcome(call) {
            Outcome::Failed(failure) => failure,
            other => panic!("call {call} did not fail: {other:?}"),
        }
    }

    /// Why the session ended, which it must have done.
    #[track_caller]
    pub fn done(&self) -> Option<&Failure> {
        let all: Vec<_> = self
            .events
            .iter()
            .filter_map(|event| match event {
                Event::Done(failure) => Some(failure.as_ref()),
                _ => None,
            })
            .collect();
        assert_eq!(all.len(), 1, "done was said {} times", all.len());
        all[0]
    }
}
