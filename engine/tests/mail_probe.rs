//! The probes of IMAP and POP3 against our own servers, which must do all that they ask for, and against servers that do not.

mod imap_host;
mod pop3_host;
mod seeded;

use pillarbox_engine::probe::{Config, Event, Probe, Protocol, Visit, remaining, visits};
use pillarbox_engine::smtp::probe::{Channel, Row, Verdict};
use pillarbox_engine::types::{Now, TlsFacts, TlsOffer};
use pillarbox_engine::{Output, Session, pop3};

/// The side that is probed.
trait Peer {
    /// What it says to these octets.
    fn say(&mut self, octets: &[u8]) -> Vec<u8>;
    fn closed(&self) -> bool;
    /// The handshake is done; what the server says then.
    fn secure(&mut self) -> Vec<u8>;
}

struct Imap(imap_host::Talk, usize);

impl Peer for Imap {
    fn say(&mut self, octets: &[u8]) -> Vec<u8> {
        self.0.receive(octets, usize::MAX);
        let said = self.0.sent[self.1..].to_vec();
        self.1 = self.0.sent.len();
        said
    }

    fn closed(&self) -> bool {
        self.0.closed
    }

    fn secure(&mut self) -> Vec<u8> {
        self.say(b"")
    }
}

struct Pop(pop3_host::Talk);

impl Peer for Pop {
    fn say(&mut self, octets: &[u8]) -> Vec<u8> {
        self.0.say(octets)
    }

    fn closed(&self) -> bool {
        self.0.closed
    }

    fn secure(&mut self) -> Vec<u8> {
        if std::mem::take(&mut self.0.starting_tls) {
            self.0.session.secured(self.0.now, TlsFacts::default()).expect("it asked for it");
        }
        self.0.say(b"")
    }
}

/// A server that is not ours: what it says to each line.
struct Scripted(&'static str, fn(&str) -> &'static str, Vec<u8>, bool);

impl Peer for Scripted {
    fn say(&mut self, octets: &[u8]) -> Vec<u8> {
        let mut out = std::mem::take(&mut self.0).as_bytes().to_vec();
        for octet in octets {
            self.2.push(*octet);
            if *octet == b'\n' {
                let line = std::mem::take(&mut self.2);
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                let (tag, rest) = line.split_once(' ').unwrap_or(("", &line));
                let said = (self.1)(rest);
                self.3 |= said.contains("BYE");
                out.extend(said.replace("TAG", tag).bytes());
            }
        }
        out
    }

    fn closed(&self) -> bool {
        self.3
    }

    fn secure(&mut self) -> Vec<u8> {
        vec![]
    }
}

fn facts() -> TlsFacts {
    TlsFacts { version: b"TLSv1.3".to_vec(), cipher: b"x".to_vec(), ..TlsFacts::default() }
}

/// Makes one visit.
fn make(peer: &mut impl Peer, config: Config) -> (Vec<Row>, Vec<Event>) {
    let mut now = Now { monotonic_ms: 0, unix_ms: 0 };
    let mut session = Session::<Probe>::new(config.clone(), now);
    let (mut rows, mut events) = (vec![], vec![]);
    let (mut inbox, mut out) = (vec![], vec![]);
    if config.channel != Channel::Implicit {
        inbox.extend(peer.say(b""));
    }
    for _ in 0..10_000 {
        let taken = session.receive(now, &inbox);
        inbox.drain(..taken);
        let deadline_ms = loop {
            match session.poll() {
                Output::Transmit(octets) => out.extend(octets),
                Output::Event(Event::Row(row)) => rows.push(row),
                Output::Event(event) => events.push(event),
                Output::StartTls => {
                    assert!(out.is_empty(), "nothing is sent between STARTTLS and the handshake");
                    inbox.clear();
                    session.secured(now, facts()).expect("it asked for it");
                    inbox.extend(peer.secure());
                }
                Output::Wait { deadline_ms } => break deadline_ms,
                Output::Close => {
                    let more = remaining(&config, &rows, "nothing", false);
                    rows.extend(more);
                    return (rows, events);
                }
                Output::Note(_) => {}
                _ => panic!("a probe asks for nothing"),
            }
        };
        if !out.is_empty() {
            inbox.extend(peer.say(&std::mem::take(&mut out)));
        } else if inbox.is_empty() && peer.closed() {
            session.receive_end(now);
        } else if inbox.is_empty() {
            now.monotonic_ms = deadline_ms.expect("it waits for something");
            session.tick(now);
        }
    }
    panic!("it never ends")
}

fn config(protocol: Protocol, visit: Visit, channel: Channel) -> Config {
    Config { protocol, visit, channel, reply_ms: 1000, trace: true }
}

fn told(row: &Row) -> String {
    format!("{:?} {}: expected {}, saw {}", row.verdict, row.test, row.expected, row.seen)
}

fn ours(protocol: Protocol, visit: Visit, channel: Channel) -> Vec<Row> {
    let tls = if channel == Channel::Implicit { TlsOffer::Implicit } else { TlsOffer::Upgrade };
    let probe = config(protocol, visit, channel);
    match protocol {
        Protocol::Imap => {
            let mut server = imap_host::config();
            server.tls = tls;
            server.auth.cleartext = false;
            let talk = imap_host::Talk::new(server, imap_host::Host::new());
            make(&mut Imap(talk, 0), probe).0
        }
        Protocol::Pop3 => {
            let mut server = pop3_host::config();
            server.tls = tls;
            server.auth.cleartext = false;
            let mut talk = pop3_host::Talk::new(pop3::Config { ..server });
            talk.starting_tls |= channel == Channel::Implicit;
            make(&mut Pop(talk), probe).0
        }
    }
}

#[test]
fn our_own_servers_are_good_in_every_row() {
    for protocol in [Protocol::Imap, Protocol::Pop3] {
        for wanted in [Channel::Clear, Channel::StartTls, Channel::Implicit] {
            let mut count = 0;
            for visit in visits(protocol, wanted, true) {
                let channel = visit.channel(wanted);
                let rows = ours(protocol, visit, channel);
                // What is offered over TLS alone cannot be tried in the clear.
                let is_right = |row: &&Row| {
                    let missing = channel == Channel::Clear && row.seen == "USER is not offered";
                    row.verdict == Verdict::Good || (row.verdict == Verdict::Unknown && missing)
                };
                let bad: Vec<String> = rows.iter().filter(|row| !is_right(row)).map(told).collect();
                assert!(bad.is_empty(), "{protocol:?} {visit:?} over {wanted:?}: {bad:#?}");
                count += rows.len();
            }
            assert!(count > 20, "only {count} rows of {protocol:?} over {wanted:?}");
        }
    }
}

fn verdict(rows: &[Row], test: &str) -> Verdict {
    rows.iter().find(|row| row.test == test).unwrap_or_else(|| panic!("{test} is made")).verdict
}

#[test]
fn what_is_against_the_rules_is_found() {
    // Takes everything for good, offers passwords in the clear, and any LF for the end of a line.
    let answer = |rest: &str| match rest {
        "CAPABILITY" => "* CAPABILITY IMAP2 AUTH=PLAIN\r\nTAG OK\r\n",
        "LOGOUT" => "TAG OK\r\n",
        _ => "TAG OK done\r\n",
    };
    let imap = |visit| {
        let mut server = Scripted("* OK hello\r\n", answer, vec![], false);
        make(&mut server, config(Protocol::Imap, visit, Channel::Clear)).0
    };
    let rows = imap(Visit::Commands);
    for (test, wanted) in [
        ("greeting", Verdict::Good),
        ("CAPABILITY", Verdict::Bad),
        ("TLS is offered", Verdict::Weak),
        ("login in the clear", Verdict::Weak),
        ("NOOP", Verdict::Good),
        ("unknown command", Verdict::Bad),
        ("ID", Verdict::Unknown),
        ("LOGOUT", Verdict::Bad),
    ] {
        assert_eq!(verdict(&rows, test), wanted, "{test}");
    }
    let rows = imap(Visit::States);
    assert_eq!(verdict(&rows, "SELECT before login"), Verdict::Bad);
    assert_eq!(verdict(&rows, "unknown mechanism"), Verdict::Bad);
    assert_eq!(verdict(&imap(Visit::BareLf), "LF without CR"), Verdict::Weak);
    assert_eq!(verdict(&imap(Visit::StartTls), "STARTTLS"), Verdict::Unknown);
    assert_eq!(verdict(&imap(Visit::Literal), "literal of 4 GB before login"), Verdict::Bad);
    assert_eq!(verdict(&imap(Visit::ManyErrors), "40 errors"), Verdict::Weak);
    // Obeys after TLS what was said before it.
    let injected = |rest: &str| match rest {
        "CAPABILITY" => "* CAPABILITY IMAP4rev1 STARTTLS\r\nTAG OK\r\n",
        "STARTTLS" => "TAG OK go on\r\n",
        _ => "EVIL OK done\r\n",
    };
    let mut server = Scripted("* OK hello\r\n", injected, vec![], false);
    let (rows, events) =
        make(&mut server, config(Protocol::Imap, Visit::Injection, Channel::Clear));
    assert_eq!(verdict(&rows, "command behind STARTTLS"), Verdict::Bad);
    assert!(matches!(&events[0], Event::Greeting(words) if words == "* OK hello"));
    let offers = ["IMAP4REV1", "STARTTLS"].map(str::to_owned).to_vec();
    assert_eq!(events[1], Event::Offers { secured: false, names: offers });
    // A POP3 server that knows nothing of CAPA, and says yes to all else.
    let pop = |rest: &str| if rest == "CAPA" { "-ERR what?\r\n" } else { "+OK\r\n" };
    let mut server = Scripted("+OK ready\r\n", pop, vec![], false);
    let rows = make(&mut server, config(Protocol::Pop3, Visit::Commands, Channel::Clear)).0;
    assert_eq!(verdict(&rows, "CAPA"), Verdict::Weak);
    assert_eq!(verdict(&rows, "unique-ids are offered"), Verdict::Unknown);
    assert_eq!(verdict(&rows, "QUIT"), Verdict::Weak, "it stays open");
    let mut server = Scripted("+OK ready\r\n", pop, vec![], false);
    let rows = make(&mut server, config(Protocol::Pop3, Visit::States, Channel::Clear)).0;
    assert_eq!(verdict(&rows, "RETR before login"), Verdict::Bad);
}
