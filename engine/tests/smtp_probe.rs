//! The probe against our own server, which must do all that it asks for, and against servers that do not.

mod seeded;
mod smtp_host;

use pillarbox_engine::smtp::Config as ServerConfig;
use pillarbox_engine::smtp::probe::{
    Channel, Config, Event, Interruption, Probe, Row, Verdict, Visit, remaining, visits,
};
use pillarbox_engine::types::{Now, TlsFacts, TlsOffer};
use pillarbox_engine::{Output, Session};
use smtp_host::{Talk, config};

/// The side that is probed.
trait Peer {
    /// What it says to these octets.
    fn say(&mut self, octets: &[u8]) -> Vec<u8>;
    /// Whether it has closed the connection.
    fn closed(&self) -> bool;
    /// The handshake is done; false if it is not possible.
    fn secure(&mut self) -> bool;
}

impl Peer for Talk {
    fn say(&mut self, octets: &[u8]) -> Vec<u8> {
        Talk::say(self, octets)
    }

    fn closed(&self) -> bool {
        self.closed
    }

    fn secure(&mut self) -> bool {
        if !std::mem::take(&mut self.starting_tls) {
            return false;
        }
        self.session.secured(self.now, facts()).expect("it asked for it");
        true
    }
}

/// A server that is not ours: what it says to each line, and whether it closes then.
struct Scripted {
    greeting: &'static str,
    answer: fn(&str, u32) -> (&'static str, bool),
    line: Vec<u8>,
    lines: u32,
    greeted: bool,
    closed: bool,
}

impl Scripted {
    fn new(greeting: &'static str, answer: fn(&str, u32) -> (&'static str, bool)) -> Self {
        Self { greeting, answer, line: vec![], lines: 0, greeted: false, closed: false }
    }
}

impl Peer for Scripted {
    fn say(&mut self, octets: &[u8]) -> Vec<u8> {
        let mut out = vec![];
        if !std::mem::replace(&mut self.greeted, true) {
            out.extend(self.greeting.bytes());
        }
        for &octet in octets {
            self.line.push(octet);
            // It takes any LF for the end of a line, and more than it should for one.
            if octet == b'\n' && !self.closed {
                let line = std::mem::take(&mut self.line);
                self.lines += 1;
                let (said, closes) =
                    (self.answer)(String::from_utf8_lossy(&line).trim_end(), self.lines);
                out.extend(said.bytes());
                self.closed = closes;
            }
        }
        out
    }

    fn closed(&self) -> bool {
        self.closed
    }

    fn secure(&mut self) -> bool {
        true
    }
}

fn facts() -> TlsFacts {
    TlsFacts {
        version: b"TLSv1.3".to_vec(),
        cipher: b"TLS_AES_256_GCM_SHA384".to_vec(),
        ..TlsFacts::default()
    }
}

/// Makes one visit; gives the rows and what was sent.
fn visit(peer: &mut impl Peer, visit: Visit, channel: Channel) -> (Vec<Row>, Vec<Event>, Vec<u8>) {
    let mut now = Now { monotonic_ms: 0, unix_ms: 0 };
    let config = Config {
        visit,
        host_name: b"probe.example".to_vec(),
        channel,
        reply_ms: 1000,
        trace: false,
    };
    let mut session = Session::<Probe>::new(config, now);
    let (mut rows, mut events, mut sent) = (vec![], vec![], vec![]);
    let (mut inbox, mut out) = (peer.say(b""), vec![]);
    let mut why = None;
    for _ in 0..10_000 {
        let taken = session.receive(now, &inbox);
        inbox.drain(..taken);
        let waits = loop {
            match session.poll() {
                Output::Transmit(octets) => out.extend(octets),
                Output::Event(Event::Row(row)) => rows.push(row),
                Output::Event(event) => events.push(event),
                Output::Compress => panic!("nothing asks for it"),
                Output::StartTls => {
                    assert!(out.is_empty(), "nothing is sent between STARTTLS and the handshake");
                    if !peer.secure() {
                        why = Some(Interruption::Handshake("no handshake".to_owned()));
                        break None;
                    }
                    inbox.clear();
                    session.secured(now, facts()).expect("it asked for it");
                    inbox.extend(peer.say(b""));
                }
                Output::Wait { deadline_ms } => break Some(deadline_ms),
                Output::Close => break None,
                _ => panic!("a probe asks for nothing"),
            }
        };
        let Some(deadline_ms) = waits else { break };
        if out.is_empty() && inbox.is_empty() {
            match deadline_ms {
                _ if peer.closed() => session.receive_end(now),
                Some(deadline_ms) => {
                    now.monotonic_ms = deadline_ms;
                    session.tick(now);
                }
                None => panic!("it waits for nothing"),
            }
        } else {
            sent.extend(&out);
            inbox.extend(peer.say(&std::mem::take(&mut out)));
        }
    }
    let more = remaining(visit, &rows, why.as_ref());
    rows.extend(more);
    (rows, events, sent)
}

fn told(row: &Row) -> String {
    format!("{:?} {}: expected {}, saw {}", row.verdict, row.test, row.expected, row.seen)
}

fn ours(channel: Channel) -> ServerConfig {
    let tls = match channel {
        Channel::Implicit => TlsOffer::Implicit,
        _ => TlsOffer::Upgrade,
    };
    ServerConfig { tls, ..config() }
}

#[test]
fn our_own_server_is_good_in_every_row() {
    for channel in [Channel::Clear, Channel::StartTls, Channel::Implicit] {
        let mut count = 0;
        for each in visits(channel, true) {
            let channel = each.channel(channel);
            let mut talk = Talk::new(ours(channel));
            let (rows, ..) = visit(&mut talk, each, channel);
            let bad: Vec<String> =
                rows.iter().filter(|row| row.verdict != Verdict::Good).map(told).collect();
            assert!(bad.is_empty(), "{each:?} over {channel:?}: {bad:#?}");
            assert!(talk.messages.is_empty(), "a probe delivers nothing");
            count += rows.len();
        }
        assert!(count > 45, "only {count} rows over {channel:?}");
    }
}

#[test]
fn what_is_offered_is_told() {
    let mut talk = Talk::new(ours(Channel::Clear));
    let (_, events, _) = visit(&mut talk, Visit::StartTls, Channel::Clear);
    let [
        Event::Greeting(greeting),
        Event::Offers { secured: false, lines },
        Event::Offers { secured: true, lines: over },
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert!(greeting.starts_with("220 hamburger.edu"), "{greeting}");
    assert!(lines.iter().any(|line| line == "STARTTLS"), "{lines:?}");
    assert!(!over.iter().any(|line| line == "STARTTLS"), "{over:?}");
}

/// Says yes to everything, DATA included, and takes any LF for a line's end.
fn yes(line: &str, _lines: u32) -> (&'static str, bool) {
    let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
    match &verb[..] {
        "EHLO" => (
            "250-x\r\n250-SIZE 1000\r\n250-STARTTLS\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES\r\n",
            false,
        ),
        "DATA" => ("354 go\r\n", false),
        "STARTTLS" => ("220 go\r\n", false),
        "QUIT" => ("221 x\r\n", true),
        _ => ("250 fine\r\n", false),
    }
}

#[test]
fn a_server_that_takes_anything_is_bad_where_it_is() {
    let bad = |channel, each| {
        let (rows, _, sent) = visit(&mut Scripted::new("220 x\r\n", yes), each, channel);
        let tests: Vec<&str> =
            rows.iter().filter(|row| row.verdict == Verdict::Bad).map(|row| row.test).collect();
        (tests.join(", "), String::from_utf8(sent).expect("it is ASCII"))
    };
    let (tests, _) = bad(Channel::Clear, Visit::Commands);
    assert_eq!(
        tests,
        "HELP, unknown verb, line of 20,000 octets".replace(", line of 20,000 octets", "")
    );
    let (tests, sent) = bad(Channel::Clear, Visit::Envelope);
    assert_eq!(
        tests,
        "RCPT before MAIL, DATA before MAIL, address with two @, it resets the transaction, unknown parameter, \
         enhanced codes"
    );
    // What it took for data was empty, and ended at once.
    assert_eq!(sent.matches("DATA\r\n.\r\n").count(), 2, "{sent}");
    assert_eq!(bad(Channel::Clear, Visit::BareLf).0, "LF without CR");
    assert_eq!(bad(Channel::Clear, Visit::BareCr).0, "");
    assert_eq!(
        bad(Channel::Clear, Visit::StartTls).0,
        "STARTTLS with a parameter, STARTTLS is not offered twice"
    );
    assert_eq!(bad(Channel::Clear, Visit::Relay).0.split(", ").count(), 5);
}

/// Reads on in the clear text behind STARTTLS after the handshake.
struct Injected(Scripted, Vec<u8>);

impl Peer for Injected {
    fn say(&mut self, octets: &[u8]) -> Vec<u8> {
        if let Some(rest) = octets.strip_prefix(b"STARTTLS\r\n") {
            self.1 = rest.to_vec();
            return b"220 go\r\n".to_vec();
        }
        let first = std::mem::take(&mut self.1);
        [self.0.say(&first), self.0.say(octets)].concat()
    }

    fn closed(&self) -> bool {
        self.0.closed()
    }

    fn secure(&mut self) -> bool {
        true
    }
}

fn stern(line: &str, lines: u32) -> (&'static str, bool) {
    if line.starts_with("XPILLARBOX") { ("500 what\r\n", false) } else { yes(line, lines) }
}

#[test]
fn a_command_behind_starttls_is_found_out() {
    let scripted = Scripted::new("220 x\r\n", stern);
    let (rows, ..) = visit(&mut Injected(scripted, vec![]), Visit::Injection, Channel::Clear);
    assert_eq!(
        rows.iter().map(told).collect::<Vec<_>>(),
        ["Bad command behind STARTTLS: expected not obeyed over TLS, saw obeyed: 500 what"]
    );
    // Refusing it in the clear is right too, and so is breaking off.
    let refuses = |line: &str, lines: u32| {
        if line == "STARTTLS" { ("503 no\r\n", false) } else { yes(line, lines) }
    };
    let (rows, ..) =
        visit(&mut Scripted::new("220 x\r\n", refuses), Visit::Injection, Channel::Clear);
    assert_eq!(rows.iter().map(|row| row.verdict).collect::<Vec<_>>(), [Verdict::Good], "{rows:?}");
    let why = Interruption::Handshake("alert\x1b".to_owned());
    let rows = remaining(Visit::Injection, &[], Some(&why));
    assert_eq!(
        rows.iter().map(told).collect::<Vec<_>>(),
        ["Good command behind STARTTLS: expected not obeyed over TLS, saw no TLS: alert\\x1b"]
    );
}

/// What a server says to a line, by how many it has seen, and whether it ends then.
type Answer = fn(&str, u32) -> (&'static str, bool);

#[test]
fn servers_that_stop_or_babble_leave_no_test_out() {
    let cuts: [Answer; 6] = [
        |_, _| ("", false),
        |_, _| ("", true),
        |_, _| ("421 not now\r\n", true),
        |_, lines| if lines > 3 { ("", true) } else { ("250 x\r\n", false) },
        |_, _| ("rubbish\r\n", false),
        |_, _| ("250-x\r\n", false),
    ];
    for channel in [Channel::Clear, Channel::Implicit] {
        for answer in cuts {
            for greeting in ["220 x\r\n", "", "554 no\r\n", "220 x\n", "+OK\r\n"] {
                for each in visits(channel, true) {
                    let (rows, ..) = visit(&mut Scripted::new(greeting, answer), each, channel);
                    let all = remaining(each, &[], None);
                    for check in &all {
                        let found = rows.iter().filter(|row| row.test == check.test).count();
                        assert_eq!(found, 1, "{each:?}, {greeting:?}: {} in {rows:#?}", check.test);
                    }
                }
            }
        }
    }
}

#[test]
fn where_the_answers_are_cut_makes_no_difference() {
    struct Slow(Talk, Vec<u8>);
    impl Peer for Slow {
        fn say(&mut self, octets: &[u8]) -> Vec<u8> {
            let said = self.0.say(octets);
            self.1.extend(said);
            let first = self.1.len().min(1);
            self.1.drain(..first).collect()
        }
        fn closed(&self) -> bool {
            self.1.is_empty() && self.0.closed
        }
        fn secure(&mut self) -> bool {
            Peer::secure(&mut self.0)
        }
    }
    for each in [Visit::Commands, Visit::Envelope, Visit::OldClient] {
        let whole = visit(&mut Talk::new(config()), each, Channel::Clear).0;
        let mut slow = Slow(Talk::new(config()), vec![]);
        // Every octet needs a turn of its own, so nothing is ever early.
        let mut now = Now { monotonic_ms: 0, unix_ms: 0 };
        let config = Config {
            visit: each,
            host_name: b"probe.example".to_vec(),
            channel: Channel::Clear,
            reply_ms: 1000,
            trace: true,
        };
        let mut session = Session::<Probe>::new(config, now);
        let mut rows = vec![];
        let mut out = vec![];
        for _ in 0..100_000 {
            let piece = slow.say(&std::mem::take(&mut out));
            session.receive(now, &piece);
            if piece.is_empty() && slow.closed() {
                session.receive_end(now);
            }
            let over = loop {
                match session.poll() {
                    Output::Transmit(octets) => out.extend(octets),
                    Output::Event(Event::Row(row)) => rows.push(row),
                    Output::Wait { .. } => break false,
                    Output::Close => break true,
                    _ => {}
                }
            };
            if over {
                break;
            }
            now.monotonic_ms += 1;
        }
        assert_eq!(rows, whole, "{each:?}");
    }
}
