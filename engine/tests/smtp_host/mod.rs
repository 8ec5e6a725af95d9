//! A host for SMTP server sessions in tests: it takes mail for hamburger.edu, and remembers all that it is asked.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test file uses its part")]

use pillarbox_engine::limits::Limits;
use pillarbox_engine::sasl::{Account, AuthOffer, Credentials, LoginAnswer, Mechanism};
use pillarbox_engine::smtp::{
    Answer, Ask, Committed, Config, Event, Extensions, RcptTo, Server, Service,
};
use pillarbox_engine::trace::Note;
use pillarbox_engine::types::{Now, Peer, Reason, Refusal, TlsOffer};
use pillarbox_engine::{Output, Session};

/// An SMTP server that offers all it has and makes no notes.
pub fn config() -> Config {
    Config {
        host_name: b"hamburger.edu".to_vec(),
        service: Service::Smtp,
        peer: Peer { address: b"192.0.2.1".to_vec(), name: None },
        session_id: b"s1".to_vec(),
        tls: TlsOffer::None,
        auth: AuthOffer {
            mechanisms: vec![Mechanism::Plain, Mechanism::Login],
            password_commands: true,
            cleartext: true,
        },
        auth_required: false,
        extensions: Extensions { dsn: true, ..Extensions::default() },
        verify: false,
        return_path: false,
        limits: Limits::SMTP,
        trace: false,
    }
}

/// A conversation with one session.
pub struct Talk {
    pub session: Session<Server>,
    pub now: Now,
    /// All that the session has asked, in order.
    pub asks: Vec<Ask>,
    pub events: Vec<Event>,
    pub notes: Vec<Note>,
    /// Messages that were made durable: their recipients and octets.
    pub messages: Vec<(Vec<RcptTo>, Vec<u8>)>,
    pub closed: bool,
    pub starting_tls: bool,
    /// Octets that the session has taken.
    pub taken: u64,
    recipients: Vec<RcptTo>,
    content: Vec<u8>,
    /// Answers in place of the host's own, while it gives any.
    pub judge: fn(&Ask) -> Option<Answer>,
}

impl Talk {
    /// A session whose greeting was not given out yet.
    pub fn new(config: Config) -> Self {
        let now = Now { monotonic_ms: 0, unix_ms: 1_767_603_600_000 };
        Self {
            session: Session::new(config, now),
            now,
            asks: vec![],
            events: vec![],
            notes: vec![],
            messages: vec![],
            closed: false,
            starting_tls: false,
            taken: 0,
            recipients: vec![],
            content: vec![],
            judge: |_| None,
        }
    }

    /// A session that has greeted, and was greeted.
    pub fn greeted(config: Config) -> Self {
        let hello: &[u8] =
            if config.service == Service::Lmtp { b"LHLO a\r\n" } else { b"EHLO a\r\n" };
        let mut talk = Self::new(config);
        talk.say(b"");
        talk.say(hello);
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
                Output::TransmitBlob(_) => unreachable!("an SMTP server sends no message"),
                Output::Ask(id, ask) => {
                    let answer = (self.judge)(&ask).unwrap_or_else(|| self.answer(&ask));
                    self.asks.push(ask);
                    self.session.answer(self.now, id, answer).expect("a right answer");
                }
                Output::Event(event) => {
                    if event == Event::Reset {
                        self.recipients.clear();
                        self.content.clear();
                    }
                    self.events.push(event);
                }
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
        match ask {
            Ask::Login(Credentials::Password(given)) if given.password == b"s3cret" => {
                let account = Account { name: given.user.clone(), server_signature: vec![] };
                Answer::Login(LoginAnswer::Accepted(account))
            }
            Ask::Login(_) => {
                Answer::Login(LoginAnswer::Refused(Refusal::new(Reason::BadCredentials)))
            }
            Ask::Sender(_) => {
                self.recipients.clear();
                self.content.clear();
                Answer::Done
            }
            Ask::Recipient(to) => match &to.forward_path.domain[..] {
                b"hamburger.edu" | b"" => {
                    self.recipients.push(to.clone());
                    Answer::Done
                }
                _ => Answer::Refused(Refusal::new(Reason::NotPermitted)),
            },
            Ask::Chunk(octets) => {
                self.content.extend_from_slice(octets);
                Answer::Done
            }
            Ask::Commit(envelope) => {
                assert_eq!(envelope.size, self.content.len() as u64, "the size is what was given");
                let message =
                    (std::mem::take(&mut self.recipients), std::mem::take(&mut self.content));
                self.messages.push(message);
                Answer::Committed(Committed { id: b"m1".to_vec(), fates: vec![] })
            }
            _ => Answer::Refused(Refusal::new(Reason::Unsupported)),
        }
    }

    /// Whether the host was told that the peer broke a rule.
    pub fn defects(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, Event::Defect(_))).count()
    }
}

/// The codes of the replies in what a session said; lines of one reply count once.
pub fn codes(said: &[u8]) -> Vec<u16> {
    let lines = said.split_inclusive(|&octet| octet == b'\n');
    let last = lines.filter(|line| line.get(3) == Some(&b' '));
    last.map(|line| std::str::from_utf8(&line[..3]).expect("digits").parse().expect("a code"))
        .collect()
}

/// Numbers that look random and are the same in each run (xorshift64*).
pub struct Seeded(pub u64);

impl Seeded {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// One from 0 up to, not including, `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}
