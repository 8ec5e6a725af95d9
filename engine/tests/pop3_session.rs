//! POP3 sessions: every command in every state, messages that are hard to send, and that cutting and tracing change
//! nothing.

mod pop3_host;
mod seeded;

use pillarbox_engine::pop3::{Ask, Config, Event, NumberRun};
use pillarbox_engine::sasl::{AuthOffer, Mechanism};
use pillarbox_engine::trace::{Note, Side, Span};
use pillarbox_engine::types::{Reason, TlsFacts, TlsOffer};
use pop3_host::*;

/// Whether a command is +OK in AUTHORIZATION, after USER, and in TRANSACTION.
const TABLE: [(&str, [bool; 3]); 34] = [
    // RFC 1939 §4, §7.
    ("USER bob", [true, true, false]),
    ("USER", [false; 3]),
    ("PASS s3cret", [false, true, false]),
    ("PASS wrong", [false; 3]),
    ("APOP bob c4c9334bac560ecc979e58001b3e22fb", [false; 3]),
    ("APOP bob x", [false; 3]),
    // RFC 5034 §4.
    ("AUTH PLAIN AGJvYgBzM2NyZXQ=", [true, true, false]),
    ("AUTH FOO", [false; 3]),
    ("AUTH", [true, true, false]),
    // RFC 2449 §5: in both states.
    ("CAPA", [true; 3]),
    // RFC 2595 §4: only in AUTHORIZATION.
    ("STLS", [true, true, false]),
    ("STLS now", [false; 3]),
    // RFC 1939 §5: only in TRANSACTION.
    ("STAT", [false, false, true]),
    ("STAT 1", [false; 3]),
    ("LIST", [false, false, true]),
    ("LIST 1", [false, false, true]),
    ("LIST 6", [false; 3]),
    ("LIST 1 2", [false; 3]),
    ("UIDL", [false, false, true]),
    ("UIDL 1", [false, false, true]),
    ("RETR 1", [false, false, true]),
    ("RETR", [false; 3]),
    ("RETR 0", [false; 3]),
    ("RETR 6", [false; 3]),
    ("RETR 18446744073709551617", [false; 3]),
    ("TOP 1 0", [false, false, true]),
    ("TOP 1", [false; 3]),
    ("TOP 1 -1", [false; 3]),
    ("DELE 1", [false, false, true]),
    ("DELE 6", [false; 3]),
    ("NOOP", [false, false, true]),
    ("RSET", [false, false, true]),
    ("QUIT", [true; 3]),
    ("FOO", [false; 3]),
];

#[test]
fn every_command_in_every_state() {
    for (command, expected) in TABLE {
        for (state, expected) in expected.into_iter().enumerate() {
            let mut talk = Talk::new(Config { tls: TlsOffer::Upgrade, ..config() });
            talk.say([&b""[..], b"USER bob\r\n", b"USER bob\r\nPASS s3cret\r\n"][state]);
            let said = talk.line(command);
            let start = if expected { "+OK" } else { "-ERR" };
            assert!(said.starts_with(start), "{command:?} in state {state}: {said}");
            let first = said.split("\r\n").next().expect("a line");
            assert!(first.len() <= 510, "RFC 2449 §4");
            assert_eq!(talk.closed, command == "QUIT", "{command:?}");
        }
    }
}

/// RFC 3206 §4: AUTH is about the secret of a login, and is said of nothing else.
#[test]
fn what_is_refused_after_a_login_says_nothing_of_its_secret() {
    let mut talk = Talk::new(config());
    talk.say(b"");
    assert!(talk.line("AUTH PLAIN AGJvYgB4").starts_with("-ERR [AUTH] "));
    for reason in [Reason::NotPermitted, Reason::Policy] {
        for (before, refused) in [("NOOP", "LIST 1"), ("DELE 1", "QUIT")] {
            let mut talk = Talk::logged_in(config());
            talk.line(before);
            talk.refusing = Some(reason);
            let said = talk.line(refused);
            assert!(said.starts_with("-ERR [SYS/PERM] "), "{refused}: {said}");
        }
    }
}

/// RFC 5034 §3 and §4.
#[test]
fn auth_takes_base64_and_nothing_else() {
    let mechanisms = vec![Mechanism::Plain, Mechanism::CramMd5, Mechanism::Anonymous];
    let auth = AuthOffer { mechanisms, ..config().auth };
    let config = Config { auth, ..config() };
    let mut talk = Talk::logged_in(config.clone());
    assert!(talk.line("CAPA").contains("\r\nSASL PLAIN CRAM-MD5 ANONYMOUS\r\n"));
    for (command, expected) in [
        // `=` in the middle, a foreign character, no end, nothing at all, a word too many.
        ("AUTH PLAIN AGJv=gBzM2NyZXQ=", "-ERR cannot decode"),
        ("AUTH PLAIN AGJvYgBzM2NyZXQ!", "-ERR cannot decode"),
        ("AUTH PLAIN AGJvYgBzM2NyZXQ", "-ERR cannot decode"),
        ("AUTH PLAIN ", "-ERR"),
        ("AUTH PLAIN AGJvYgBzM2NyZXQ= x", "-ERR"),
        // An empty message is none of PLAIN's, but one of ANONYMOUS, which the host then refuses.
        ("AUTH PLAIN =", "-ERR cannot decode"),
        ("AUTH ANONYMOUS =", "-ERR [AUTH]"),
        // The server speaks first.
        ("AUTH CRAM-MD5 AGJv", "-ERR cannot decode"),
        ("AUTH PLAIN\r\n*", "+ \r\n-ERR authentication cancelled"),
        ("AUTH PLAIN\r\nAGJv=gBz", "+ \r\n-ERR cannot decode"),
        ("AUTH PLAIN\r\nAGJvYgBzM2NyZXQ=", "+ \r\n+OK"),
    ] {
        let mut talk = Talk::new(config.clone());
        talk.say(b"");
        let said = talk.line(command);
        assert!(said.starts_with(expected), "{command:?}: {said}");
    }
}

#[test]
fn messages_arrive_as_they_are() {
    let mut talk = Talk::logged_in(config());
    for (number, message) in (1..).zip(maildrop()) {
        let said = talk.say(format!("RETR {number}\r\n").as_bytes());
        let at = said.windows(2).position(|pair| pair == b"\r\n").expect("a line") + 2;
        let body = said[at..].strip_suffix(b".\r\n").expect("the end");
        let mut plain = vec![];
        for line in body.split_inclusive(|&octet| octet == b'\n') {
            assert_ne!(line, b".\r\n", "an end within the message");
            plain.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        }
        let end = if message.is_empty() || message.ends_with(b"\r\n") { "" } else { "\r\n" };
        assert_eq!(plain, [&message[..], end.as_bytes()].concat(), "message {number}");
        let top = talk.line(&format!("TOP {number} 1"));
        assert!(top.starts_with("+OK") && top.ends_with(".\r\n"), "{top}");
    }
}

#[test]
fn only_quit_removes_and_only_what_was_marked() {
    let mut talk = Talk::logged_in(config());
    talk.say(b"DELE 1\r\nDELE 3\r\nRSET\r\nDELE 2\r\nDELE 3\r\nDELE 5\r\nDELE 2\r\n");
    assert!(talk.line("RETR 2").starts_with("-ERR"));
    assert!(talk.line("QUIT").starts_with("+OK"));
    let run = |first, last| NumberRun { first, last };
    assert_eq!(talk.removed, [run(2, 3), run(5, 5)]);
    let mut talk = Talk::logged_in(config());
    talk.say(b"DELE 1\r\nQUI");
    talk.session.receive_end(talk.now);
    talk.listen();
    assert!(talk.closed && talk.removed.is_empty());
}

#[test]
fn octets_behind_stls_are_dropped() {
    let mut talk = Talk::new(Config { tls: TlsOffer::Upgrade, ..config() });
    talk.say(b"STLS\r\nUSER eve\r\n");
    assert!(talk.starting_tls);
    talk.say(b"PASS s3cret\r\n");
    talk.session.secured(talk.now, TlsFacts::default()).expect("a handshake was asked for");
    assert_eq!(talk.listen(), b"");
    assert!(talk.line("PASS s3cret").starts_with("-ERR"), "no name was given");
    assert!(!talk.line("CAPA").contains("STLS"));
    assert!(talk.asks.is_empty());
}

#[test]
fn another_protocol_is_shown_out_at_once() {
    let inputs: [&[u8]; 5] =
        [b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.0\n\n", b"SSH-2.0-x\r\n", b"\0", b"CA\0PA\r\n"];
    for input in inputs {
        for size in [1, input.len()] {
            let mut talk = Talk::new(config());
            let first = talk.say(b"");
            let said = input.chunks(size).map(|piece| talk.say(piece)).collect::<Vec<_>>().concat();
            assert!(first.starts_with(b"+OK") && said.starts_with(b"-ERR this is a POP3 server"));
            assert!(talk.closed && matches!(talk.events[..], [Event::Defect(_)]));
        }
    }
    // Only at first: later it is a line like any other.
    let mut talk = Talk::logged_in(config());
    assert!(talk.line("GET / HTTP/1.1").starts_with("-ERR") && !talk.closed);
}

#[test]
fn commands_that_move_nothing_on_end_the_session() {
    let mut limited = config();
    limited.limits.idle_commands_max = 5;
    for command in ["NOOP", "STAT", "CAPA", "LIST 1", "UIDL", "RSET", "LIST 99"] {
        let mut talk = Talk::logged_in(limited.clone());
        let answered = (0..100).take_while(|_| {
            talk.line(command);
            !talk.closed
        });
        assert_eq!(answered.count(), 5 + 2 * 5, "{command}");
    }
    let mut talk = Talk::logged_in(limited.clone());
    (0..200).for_each(|_| drop(talk.line("TOP 1 0")));
    assert!(!talk.closed, "who reads moves on");
    let mut talk = Talk::new(limited);
    (0..6).for_each(|_| drop(talk.line("USER bob")));
    assert!(talk.closed && talk.asks.is_empty());
}

fn spans(talk: &Talk, side: Side) -> Vec<Span> {
    let span = |note: &Note| match note {
        Note::Span(span) if span.side == side => Some(*span),
        _ => None,
    };
    talk.notes.iter().filter_map(span).collect()
}

#[test]
fn a_thousand_conversations_cut_and_traced_say_the_same() {
    let (mut octets, mut removed) = (0, 0);
    for seed in 1..=1000 {
        let mut random = Seeded(seed);
        let input = conversation(&mut random);
        let config = Config { tls: TlsOffer::Upgrade, ..config() };
        let mut whole = Talk::new(config.clone());
        let said = whole.say(&input);
        let mut split = Talk::new(Config { trace: true, ..config.clone() });
        assert_eq!(say_split(&mut split, &input, &mut random), said, "seed {seed}");
        assert_eq!((&split.asks, &split.events), (&whole.asks, &whole.events), "seed {seed}");
        assert_eq!((&split.removed, split.closed), (&whole.removed, whole.closed), "seed {seed}");
        let mut traced = Talk::new(Config { trace: true, ..config });
        assert_eq!(traced.say(&input), said);
        for (side, all) in [(Side::Sent, said.len() as u64), (Side::Received, traced.taken)] {
            assert_eq!(spans(&traced, side), spans(&split, side), "seed {seed}");
            let mut end = 0;
            for span in spans(&traced, side) {
                assert_eq!(span.start, end, "seed {seed}: {span:?}");
                end = span.end;
            }
            let over = traced.closed || traced.starting_tls;
            assert!(end == all || side == Side::Received && over && end < all, "seed {seed}");
        }
        octets += said.len();
        removed += whole.asks.iter().filter(|ask| matches!(ask, Ask::Remove(_))).count();
    }
    assert!(octets > 1_000_000 && removed > 50, "{octets} octets, {removed} removals");
}

#[test]
fn secrets_are_masked_however_they_come() {
    let secret = b"czNjcmV0";
    let inputs: [&[u8]; 8] = [
        b"PASS czNjcmV0\r\n",
        b"pass  czNjcmV0 more\r\n",
        b"PASS\tczNjcmV0\r\n",
        b"PASSczNjcmV0\r\n",
        b"PASS \0czNjcmV0\r\n",
        b"APOP czNjcmV0 x\r\n",
        b"AUTH PLAIN czNjcmV0\r\n",
        b"AUTH LOGIN\r\nczNjcmV0\r\n",
    ];
    for input in inputs {
        let mut talk = Talk::new(Config { trace: true, ..config() });
        talk.say(b"NOOP\r\n");
        talk.say(input);
        let at = 6 + input.windows(8).position(|eight| eight == secret).expect("a secret") as u64;
        let over = spans(&talk, Side::Received);
        let over: Vec<_> =
            over.into_iter().filter(|span| span.start < at + 8 && span.end > at).collect();
        let text = input.escape_ascii();
        assert!(!over.is_empty() && over.iter().all(|span| span.secret), "{text}: {over:?}");
    }
}

#[test]
fn lines_that_were_stored_with_lf_alone_end_as_lines_do() {
    let message = b"a: b\nc: d\n\nbare\n.\n+OK injected\r\nlf\n";
    for length in 0..=message.len() {
        let mut talk = Talk::new(config());
        talk.maildrop = vec![message[..length].to_vec()];
        talk.say(b"USER bob\r\nPASS s3cret\r\n");
        let said = talk.say(b"RETR 1\r\n");
        let first = said.windows(2).position(|pair| pair == b"\r\n").expect("a line") + 2;
        let body = &said[first..];
        let ends = body.windows(5).filter(|window| *window == b"\r\n.\r\n").count();
        assert_eq!(ends, usize::from(body != b".\r\n"), "{length}: {}", body.escape_ascii());
        assert!(body.ends_with(b".\r\n"), "{length}: {}", body.escape_ascii());
        let lone = body.windows(2).any(|pair| pair[1] == b'\n' && pair[0] != b'\r');
        assert!(!lone, "{length}: {}", body.escape_ascii());
    }
    let mut talk = Talk::new(config());
    talk.maildrop = vec![message.to_vec()];
    talk.say(b"USER bob\r\nPASS s3cret\r\n");
    assert!(talk.line("RETR 1").ends_with("bare\r\n..\r\n+OK injected\r\nlf\r\n.\r\n"));
    assert!(talk.line("TOP 1 0").ends_with("a: b\r\nc: d\r\n\r\n.\r\n"));
    assert!(talk.line("TOP 1 2").ends_with("\r\n\r\nbare\r\n..\r\n.\r\n"));
}
