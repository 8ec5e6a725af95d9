//! A tiny host for SMTP client sessions: messages by number, a clock that tests move, and everything written down.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test file uses its part")]

use std::collections::BTreeMap;

use pillarbox_engine::limits::Limits;
use pillarbox_engine::sasl::{ClientCredentials, LoginAsk, LoginSecret, Mechanism};
use pillarbox_engine::smtp::client::types::{
    Answer, Ask, Call, Config, Delivery, Event, Fate, Finished, Offer, Timeouts, TlsPolicy,
};
use pillarbox_engine::smtp::{Client, MailFrom, Mailbox, RcptTo, Service};
use pillarbox_engine::trace::Note;
use pillarbox_engine::types::{BlobRange, Now, Reason, Refusal, TlsFacts};
use pillarbox_engine::{Output, Session};

/// A client's configuration: SMTP without TLS or login.
pub fn config() -> Config {
    Config {
        host_name: b"client.example".to_vec(),
        service: Service::Smtp,
        tls: TlsPolicy::None,
        login: false,
        limits: Limits::SMTP,
        timeouts: Timeouts::default(),
        trace: false,
    }
}

/// A mailbox from `local@domain`.
pub fn mailbox(address: &str) -> Mailbox {
    let (local, domain) = address.rsplit_once('@').expect("an address has an @");
    Mailbox { local_part: local.as_bytes().to_vec(), domain: domain.as_bytes().to_vec() }
}

/// A recipient without parameters.
pub fn rcpt(address: &str) -> RcptTo {
    RcptTo { forward_path: mailbox(address), ..RcptTo::default() }
}

/// A session, what it was given and what it gave.
pub struct Drive {
    pub session: Session<Client>,
    pub now: Now,
    pub blobs: BTreeMap<u64, Vec<u8>>,
    /// All octets sent.
    pub sent: Vec<u8>,
    pub events: Vec<Event>,
    pub notes: Vec<Note>,
    pub deadline_ms: Option<u64>,
    pub closed: bool,
    pub securing: bool,
    /// The longest range asked for or given out, and how many asks there were.
    pub ask_max: u64,
    pub asks: usize,
    /// Asks for octets from this one on are refused.
    pub refuse_from: Option<usize>,
    /// What to log in with, one after another.
    pub secrets: Vec<LoginSecret>,
    pub logins: Vec<LoginAsk>,
    told: usize,
}

impl Drive {
    pub fn new(config: Config) -> Self {
        let now = Now { monotonic_ms: 1000, unix_ms: 0 };
        let mut drive = Self {
            session: Session::new(config, now),
            now,
            blobs: BTreeMap::new(),
            sent: Vec::new(),
            events: Vec::new(),
            notes: Vec::new(),
            deadline_ms: None,
            closed: false,
            securing: false,
            ask_max: 0,
            asks: 0,
            refuse_from: None,
            secrets: Vec::new(),
            logins: Vec::new(),
            told: 0,
        };
        drive.run();
        drive
    }

    /// A delivery of this message, whose number is that of the delivery.
    pub fn delivery(&mut self, id: u32, to: &[&str], message: &[u8]) -> Delivery {
        self.blobs.insert(u64::from(id), message.to_vec());
        Delivery {
            id,
            mail: MailFrom { reverse_path: Some(mailbox("ann@a.example")), ..MailFrom::default() },
            recipients: to.iter().map(|address| rcpt(address)).collect(),
            message: u64::from(id),
            offset: 0,
            size: message.len() as u64,
            plain: false,
            require_tls: false,
        }
    }

    /// Calls for a delivery of this message.
    pub fn deliver(&mut self, id: u32, to: &[&str], message: &[u8]) {
        let delivery = self.delivery(id, to, message);
        self.call(Call::Deliver(delivery));
    }

    pub fn call(&mut self, call: Call) {
        self.session.call(self.now, call).expect("a right call");
        self.run();
    }

    /// The server says this; gives what the client says to it.
    pub fn hear(&mut self, octets: &[u8]) -> String {
        let mut rest = octets;
        loop {
            rest = &rest[self.session.receive(self.now, rest)..];
            self.run();
            if rest.is_empty() {
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

    /// The server says a line; the client says exactly this.
    #[track_caller]
    pub fn exchange(&mut self, hear: &str, say: &str) {
        let said = self.hear(hear.as_bytes());
        assert_eq!(said, say, "after {hear:?}");
    }

    /// The server closes.
    pub fn end(&mut self) {
        self.session.receive_end(self.now);
        self.run();
    }

    /// TLS is up.
    pub fn secure(&mut self) -> String {
        assert!(self.securing);
        self.securing = false;
        self.session.secured(self.now, TlsFacts::default()).expect("a handshake was asked for");
        self.run();
        self.said()
    }

    /// Time passes, up to the deadline at most.
    pub fn wait(&mut self, ms: u64) {
        self.now.monotonic_ms += ms;
        self.session.tick(self.now);
        self.run();
    }

    pub fn run(&mut self) {
        loop {
            match self.session.poll() {
                Output::Transmit(octets) => self.sent.extend(octets),
                Output::TransmitBlob(range) => {
                    let octets = self.range(range).to_vec();
                    self.sent.extend(octets);
                }
                Output::Ask(id, ask) => {
                    let Some(answer) = self.answer(ask) else { continue };
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

    fn answer(&mut self, ask: Ask) -> Option<Answer> {
        Some(match ask {
            Ask::Octets(range) => {
                self.asks += 1;
                self.ask_max = self.ask_max.max(range.length);
                if self.refuse_from.is_some_and(|from| self.asks > from) {
                    return Some(Answer::Refused(Refusal::new(Reason::StorageFailed)));
                }
                Answer::Octets(self.range(range).to_vec())
            }
            Ask::Login(ask) => {
                self.logins.push(ask);
                if self.secrets.is_empty() {
                    return Some(Answer::Login(LoginSecret::NoLogin));
                }
                Answer::Login(self.secrets.remove(0))
            }
        })
    }

    fn range(&self, range: BlobRange) -> &[u8] {
        let message = &self.blobs[&range.blob];
        &message[range.offset as usize..(range.offset + range.length) as usize]
    }

    /// The ends of deliveries, in order.
    pub fn finished(&self) -> Vec<&Finished> {
        let finished = self.events.iter().filter_map(|event| match event {
            Event::Finished(finished) => Some(finished),
            _ => None,
        });
        finished.collect()
    }

    /// The fates of a delivery, which must have ended exactly once.
    #[track_caller]
    pub fn fates(&self, id: u32) -> &[Fate] {
        let all: Vec<_> = self.finished().into_iter().filter(|end| end.id == id).collect();
        assert_eq!(all.len(), 1, "delivery {id} ended {} times", all.len());
        &all[0].fates
    }

    /// The fates of a delivery, one letter and the stage each.
    #[track_caller]
    pub fn short(&self, id: u32) -> Vec<String> {
        self.fates(id).iter().map(short).collect()
    }

    pub fn is_done(&self) -> bool {
        self.events.iter().filter(|event| matches!(event, Event::Done(_))).count() == 1
    }

    pub fn offer(&self) -> Option<&Offer> {
        self.events.iter().find_map(|event| match event {
            Event::Ready(offer) => Some(offer),
            _ => None,
        })
    }

    pub fn defects(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, Event::Defect(_))).count()
    }
}

/// A fate in a few letters.
pub fn short(fate: &Fate) -> String {
    match fate {
        Fate::Accepted(reply) => format!("accepted {}", reply.code),
        Fate::Failed(failure) => format!("failed {:?} {}", failure.stage, failure.diagnosis),
        Fate::Deferred(failure) => format!("deferred {:?} {}", failure.stage, failure.diagnosis),
        Fate::Uncertain(failure) => format!("uncertain {:?} {}", failure.stage, failure.diagnosis),
    }
}

/// A name and a password.
pub fn password(mechanism: Mechanism) -> LoginSecret {
    LoginSecret::Credentials(ClientCredentials {
        mechanism,
        authorization: Vec::new(),
        user: b"ann".to_vec(),
        secret: b"s3cret".to_vec(),
        nonce: Vec::new(),
    })
}
