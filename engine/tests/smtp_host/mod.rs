//! A host for SMTP server sessions in tests: it takes mail for hamburger.edu, and remembers all that it is asked.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test file uses its part")]

pub use super::seeded::Seeded;
use pillarbox_engine::limits::Limits;
use pillarbox_engine::sasl::{Account, AuthOffer, Credentials, LoginAnswer, Mechanism};
use pillarbox_engine::smtp::{
    Answer, Ask, Committed, Config, Event, Extensions, Indexer, RcptTo, Server, Service,
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
        extensions: Extensions {
            deliver_by: true,
            future_release: true,
            etrn: true,
            ..Extensions::default()
        },
        persona: pillarbox_engine::types::Persona::Strict,
        lenient: false,
        verify: false,
        return_path: false,
        faults: false,
        index: Indexer::default(),
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
    /// Waits for replies that are kept back for a moment; otherwise tests move the clock.
    pub patient: bool,
    pub deadline_ms: Option<u64>,
    /// Keeps no asks, events and notes, for tests that count memory.
    pub forgetful: bool,
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
            patient: true,
            deadline_ms: None,
            forgetful: false,
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
                    if !self.forgetful {
                        self.asks.push(ask);
                    }
                    self.session.answer(self.now, id, answer).expect("a right answer");
                }
                Output::Event(event) => {
                    if event == Event::Reset {
                        self.recipients.clear();
                        self.content.clear();
                    }
                    if !self.forgetful {
                        self.events.push(event);
                    }
                }
                Output::Compress => panic!("nothing asks for it"),
                Output::StartTls => self.starting_tls = true,
                Output::Note(_) if self.forgetful => {}
                Output::Note(note) => self.notes.push(note),
                Output::Wait { deadline_ms } => {
                    self.deadline_ms = deadline_ms;
                    let delay = deadline_ms.map(|at| at.saturating_sub(self.now.monotonic_ms));
                    let Some(delay) = delay.filter(|delay| self.patient && *delay <= 1000) else {
                        return said;
                    };
                    self.pass(delay);
                }
                Output::Close => {
                    self.closed = true;
                    return said;
                }
            }
        }
    }

    /// Time passes; gives what the session says at the end of it.
    pub fn wait(&mut self, ms: u64) -> Vec<u8> {
        self.pass(ms);
        self.listen()
    }

    fn pass(&mut self, ms: u64) {
        self.now.monotonic_ms += ms;
        self.now.unix_ms += ms;
        self.session.tick(self.now);
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
            Ask::Phase(_) => Answer::Done,
            Ask::Chunk(octets) => {
                self.content.extend_from_slice(octets);
                Answer::Done
            }
            Ask::Commit(envelope) => {
                self.content.extend_from_slice(&envelope.last);
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

/// The words that random conversations are made of; most are right, in some order.
const LINES: [&str; 40] = [
    "MAIL FROM:<a@b.c>",
    "MAIL FROM:<>",
    "MAIL FROM:<a@b.c>",
    "mail from: <\"a b\"@[192.0.2.1]> size=100 body=8bitmime",
    "MAIL FROM:<@x.y,@z:a@b.c> BODY=BINARYMIME RET=HDRS ENVID=x+2By",
    "MAIL FROM:<a@b.c> SIZE=99999999999",
    "MAIL FROM:<a@b.c> FOO=bar",
    "MAIL FROM:<a@b",
    "RCPT TO:<bob@hamburger.edu>",
    "RCPT TO:<bob@hamburger.edu>",
    "RCPT TO:<carol@hamburger.edu> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;c@d",
    "RCPT TO:<Postmaster>",
    "RCPT TO:<x@elsewhere.org>",
    "RCPT TO:<@hop.org:bob@hamburger.edu>",
    "RCPT TO:<>",
    "DATA",
    "DATA",
    "DATA",
    "RSET",
    "NOOP",
    "NOOP with  words ",
    "VRFY bob",
    "EXPN staff",
    "VRFY",
    "HELP me",
    "EHLO again.example",
    "HELO again",
    "EHLO [192.0.2.7]",
    "EHLO not a name",
    "LHLO lmtp",
    "AUTH PLAIN AGFubgBzM2NyZXQ=",
    "AUTH PLAIN AGFubgB3cm9uZw==",
    "AUTH LOGIN",
    "AUTH PLAIN",
    "AUTH FOO bar",
    "STARTTLS",
    "FOO bar",
    "",
    "BDAT x",
    "QUIT",
];

/// A conversation in groups, each sent before its replies are read: a client that picks its words at random, but waits
/// where one has to.
pub fn conversation(random: &mut Seeded, config: Config) -> Vec<Vec<u8>> {
    let hello: &[u8] = if config.service == Service::Lmtp { b"LHLO a\r\n" } else { b"EHLO a\r\n" };
    let mut talk = Talk::new(config);
    talk.say(b"");
    let mut groups = vec![];
    // Mostly as it should begin, so that there is something to go wrong later.
    if random.below(8) > 0 {
        groups.push(hello.to_vec());
        talk.say(hello);
    }
    let mut pipelining = random.below(4) > 0 && !groups.is_empty();
    for _ in 0..3 + random.below(20) {
        let mut group = vec![];
        loop {
            let alone = command(random, pipelining, &mut group);
            if alone || !pipelining || random.below(3) == 0 {
                break;
            }
        }
        let mut said = talk.say(&group);
        let helo = group.to_ascii_uppercase().windows(5).any(|word| word == b"HELO ");
        pipelining &= !helo;
        groups.push(group);
        loop {
            let more = match codes(&said).last() {
                Some(354) => text(random),
                Some(334) => random.pick(&["YW5u", "czNjcmV0", "*", "?"]).as_bytes().to_vec(),
                _ => break,
            };
            let more = if more.ends_with(b"\n") { more } else { [&more[..], b"\r\n"].concat() };
            said = talk.say(&more);
            groups.push(more);
            if talk.closed {
                break;
            }
        }
        if talk.closed || talk.starting_tls {
            break;
        }
    }
    groups
}

/// Adds a command, or several; true if the reply has to be waited for.
fn command(random: &mut Seeded, pipelining: bool, group: &mut Vec<u8>) -> bool {
    if pipelining && random.below(4) == 0 {
        group.extend(b"RSET\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<bob@hamburger.edu>\r\nDATA\r\n");
        return true;
    }
    if random.below(6) == 0 {
        let size = if random.below(10) == 0 { 40_000 } else { random.below(60) };
        let last = random.pick(&["", " LAST", " last"]);
        group.extend(format!("BDAT {size}{last}\r\n").bytes());
        group.extend((0..size).map(|at| b"a: b\r\nc: d\r\n\r\nwords\r\n"[at % 21]));
        return false;
    }
    let line = random.pick(&LINES);
    group.extend(line.bytes());
    group.extend(b"\r\n");
    let verb = line.get(..4).unwrap_or(line).to_ascii_uppercase();
    ["EHLO", "HELO", "LHLO", "AUTH", "DATA", "STAR", "QUIT"].contains(&&verb[..])
}

/// Text of a message up to its end.
fn text(random: &mut Seeded) -> Vec<u8> {
    let lines = ["Subject: x\r\n", "\r\n", "words\r\n", "..\r\n", ".x\r\n", "\u{e4}\r\n", "a\r\n"];
    let mut text = vec![];
    for _ in 0..random.below(12) {
        text.extend(random.pick(&lines).bytes());
    }
    match random.below(12) {
        0 => text.extend(b"bare\nline\r\n"),
        1 => text.extend(b"words of a long message\r\n".repeat(2000)),
        2 => text.extend(b"\r\n".repeat(3000)),
        3 => text.extend(b"..\r\n".repeat(7000)),
        _ => {}
    }
    text.extend(b".\r\n");
    text
}

/// Says a conversation in pieces of random size; gives what was said to each group.
pub fn say_split(talk: &mut Talk, groups: &[Vec<u8>], random: &mut Seeded) -> Vec<Vec<u8>> {
    let mut all = vec![talk.say(b"")];
    for group in groups {
        let (mut rest, mut said) = (&group[..], vec![]);
        while !rest.is_empty() && !talk.closed {
            let size = if random.below(4) == 0 { 1 + random.below(20_000) } else { 1 };
            let (piece, more) = rest.split_at((1 + random.below(9 * size)).min(rest.len()));
            said.extend(talk.say(piece));
            rest = more;
        }
        all.push(said);
    }
    all
}

/// Says a conversation group by group; gives what was said to each.
pub fn say_whole(talk: &mut Talk, groups: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let first = talk.say(b"");
    let rest = groups.iter().map(|group| if talk.closed { vec![] } else { talk.say(group) });
    std::iter::once(first).chain(rest).collect()
}
