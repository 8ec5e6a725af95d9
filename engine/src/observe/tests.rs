//! What the observer makes of conversations, and its laws: what it tells covers every octet once and in order, is the same
//! however the octets are cut, masks what nobody may see, and nothing stops it.

use alloc::string::String;
use alloc::vec::Vec;

use super::*;
use Kind::{Capability, Command, End, Reply, Response, Text};

/// Takes lines (`C: ` and `S: `), each with what it is, how it is shown if otherwise, and whether it is the client's turn
/// after it.
fn check(protocol: Protocol, lines: &[(&str, Kind, &str, bool)]) -> Vec<Heard> {
    let mut observer = Observer::new(protocol);
    let mut all = Vec::new();
    for (line, kind, shown, turn) in lines {
        let (side, text) = line.split_at(3);
        let party = if side == "C: " { Party::Client } else { Party::Server };
        let heard = observer.hear(party, &[text.as_bytes(), b"\r\n"].concat());
        let shown = if shown.is_empty() { text } else { shown };
        // A literal may end within a line.
        let parts: Vec<u8> = heard.iter().flat_map(|one| one.shown(b"******")).collect();
        assert_eq!(String::from_utf8_lossy(&parts), *shown, "{line}");
        let is_clients = observer.turn() == Party::Client;
        assert_eq!((heard[0].kind, is_clients), (*kind, *turn), "{line}");
        all.extend(heard);
    }
    all
}

fn no_unparsed(heard: &[Heard]) {
    let spans = Observer::spans_of(heard);
    let unparsed: Vec<_> = spans.iter().filter(|(label, _)| *label == "unparsed").collect();
    assert!(unparsed.is_empty(), "{unparsed:?}");
}

const SMTP: &[(&str, Kind, &str, bool)] = &[
    ("S: 220-one", Reply, "", false),
    ("S: 220 two", Reply, "", true),
    ("C: EHLO me.test", Command, "", false),
    ("S: 250-x.test", Reply, "", false),
    ("S: 250-SIZE 100", Capability, "", false),
    ("S: 250 DSN", Capability, "", true),
    ("C: auth plain AGJvYgBodW5ncnk=", Command, "auth plain ******", false),
    ("S: 535 no", Reply, "", true),
    ("C: AUTH LOGIN", Command, "", false),
    ("S: 334 VXNlcm5hbWU6", Reply, "334 ******", true),
    ("C: Ym9i", Response, "******", false),
    ("S: 334 UGFzc3dvcmQ6", Reply, "334 ******", true),
    ("C: *", Response, "", false),
    ("S: 501 given up", Reply, "", true),
    ("C: MAIL FROM:<alice@crepes.fr> SIZE=5", Command, "", false),
    ("S: 250 2.1.0 ok", Reply, "", true),
    ("C: RCPT TO:<bob@hamburger.edu>", Command, "", false),
    ("S: 250 ok", Reply, "", true),
    ("C: BDAT 5 LAST", Command, "", true),
    ("C: abc", Text, "", false),
    ("S: 250 ok", Reply, "", true),
    ("C: DATA", Command, "", false),
    ("S: 354 go on", Reply, "", true),
    ("C: AUTH PLAIN text", Text, "", true),
    ("C: ..", Text, "", true),
    ("C: .", End, "", false),
    ("S: 250 ok", Reply, "", true),
    ("C: QUIT", Command, "", false),
    ("S: 221 bye", Reply, "", true),
];

const POP3: &[(&str, Kind, &str, bool)] = &[
    ("S: +OK", Reply, "", true),
    ("C: CAPA", Command, "", false),
    ("S: +OK list", Reply, "", false),
    ("S: UIDL", Capability, "", false),
    ("S: .", End, "", true),
    ("C: USER bob", Command, "", false),
    ("S: +OK", Reply, "", true),
    ("C: PASS hung ry", Command, "PASS ******", false),
    ("S: -ERR [AUTH] no", Reply, "", true),
    ("C: APOP bob c4c9334bac560ecc979e58001b3e22fb", Command, "APOP bob ******", false),
    ("S: +OK", Reply, "", true),
    ("C: LIST", Command, "", false),
    ("S: +OK 1 message", Reply, "", false),
    ("S: 1 120", Text, "", false),
    ("S: .", End, "", true),
    ("C: LIST 1", Command, "", false),
    ("S: +OK 1 120", Reply, "", true),
    ("C: RETR 1", Command, "", false),
    ("S: +OK", Reply, "", false),
    ("S: -ERR is a line of it", Text, "", false),
    ("S: ..", Text, "", false),
    ("S: .", End, "", true),
    ("C: AUTH PLAIN", Command, "", false),
    ("S: + ", Reply, "", true),
    ("C: AGJvYgBodW5ncnk=", Response, "******", false),
    ("S: +OK", Reply, "", true),
    ("C: QUIT", Command, "", false),
    ("S: +OK", Reply, "", true),
];

const IMAP: &[(&str, Kind, &str, bool)] = &[
    ("S: * OK hello", Reply, "", true),
    ("C: a LOGIN bob hungry", Command, "a LOGIN bob ******", false),
    ("S: a NO no", Reply, "", true),
    ("C: b LOGIN {3}", Command, "", false),
    ("S: + go on", Reply, "", true),
    ("C: bob {6}", Text, "****** {6}", false),
    ("S: + go on", Reply, "", true),
    ("C: hungry", Text, "******", false),
    ("S: b OK in", Reply, "", true),
    ("C: c APPEND x {12+}", Command, "", true),
    ("C: Subject: x", Text, "", true),
    ("C: ", Text, "", false),
    ("S: c OK done", Reply, "", true),
    ("C: d AUTHENTICATE PLAIN", Command, "", false),
    ("S: + ", Reply, "", true),
    ("C: AGJvYgBodW5ncnk=", Response, "******", false),
    ("S: * CAPABILITY IMAP4rev1", Reply, "", false),
    ("S: d OK in", Reply, "", true),
    ("C: e SELECT INBOX", Command, "", false),
    ("S: * 3 EXISTS", Reply, "", false),
    ("S: e OK [READ-WRITE] done", Reply, "", true),
    ("C: f FETCH 1 BODY[]", Command, "", false),
    ("S: * 1 FETCH (BODY[] {3}", Reply, "", false),
    ("S: x", Text, "", false),
    ("S: )", Text, "", false),
    ("S: f OK done", Reply, "", true),
    ("C: g IDLE", Command, "", false),
    ("S: + idling", Reply, "", true),
    ("S: * 4 EXISTS", Reply, "", true),
    ("C: DONE", Command, "", false),
    ("S: g OK done", Reply, "", true),
    (
        "S: * GENURLAUTH \"imap://b@h/x/;uid=1;urlauth=anonymous:internal:0123456789abcdef0123\"",
        Reply,
        "* GENURLAUTH ******",
        true,
    ),
    (
        "C: h URLFETCH \"imap://b@h/x/;uid=1;urlauth=anonymous:internal:0123456789abcdef0123\"",
        Command,
        "h URLFETCH \"imap://b@h/x/;uid=1;urlauth=anonymous******\"",
        false,
    ),
    ("S: h OK done", Reply, "", true),
    ("C: i LOGOUT", Command, "", false),
    ("S: * BYE", Reply, "", false),
    ("S: i OK done", Reply, "", true),
];

#[test]
fn smtp_has_logins_lists_and_a_message() {
    let heard = check(Protocol::Smtp, SMTP);
    no_unparsed(&heard);
    let states: Vec<_> = heard.iter().filter_map(|one| Some(one.state?.1)).collect();
    let to = ["Greeted", "Authenticating", "Greeted", "MailGiven", "RcptGiven", "Greeted"];
    assert_eq!(states[..6], to);
    assert_eq!(states[6..], ["Data", "Greeted", "Closed"]);
    let spans = Observer::spans_of(&heard);
    for (label, text) in [
        ("ehlo keyword", "SIZE 100"),
        ("local part", "alice"),
        ("parameter value", "5"),
        ("enhanced code", "2.1.0 "),
        ("stuffed dot", "."),
        ("end of data", ".\r\n"),
        ("chunk", "abc\r\n"),
        ("cancellation", "*"),
    ] {
        assert!(spans.contains(&(label, text.into())), "{label} {text}: {spans:?}");
    }
}

#[test]
fn pop3_has_lists_that_end_with_a_dot() {
    let heard = check(Protocol::Pop3, POP3);
    no_unparsed(&heard);
    let states: Vec<_> = heard.iter().filter_map(|one| Some(one.state?.1)).collect();
    assert_eq!(states, ["TRANSACTION", "UPDATE"]);
    let spans = Observer::spans_of(&heard);
    for (label, text) in
        [("size", "120"), ("response code", "[AUTH]"), ("stuffed dot", "."), ("user name", "bob")]
    {
        assert!(spans.contains(&(label, text.into())), "{label} {text}: {spans:?}");
    }
}

#[test]
fn imap_has_tags_literals_and_data() {
    let heard = check(Protocol::Imap, IMAP);
    no_unparsed(&heard);
    let states: Vec<_> = heard.iter().filter_map(|one| Some(one.state?.1)).collect();
    assert_eq!(states, ["authenticated", "selected", "logout"]);
    let spans = Observer::spans_of(&heard);
    for (label, text) in [
        ("tag", "a"),
        ("command", "DONE"),
        ("literal head", "{3}\r\n"),
        ("literal", "x\r\n"),
        ("resp-text-code", "[READ-WRITE]"),
        ("closing parenthesis", ")"),
    ] {
        assert!(spans.contains(&(label, text.into())), "{label} {text}: {spans:?}");
    }
}

#[test]
fn commands_and_answers_are_explained() {
    let said = |protocol, party, line: &str| {
        let mut observer = Observer::new(protocol);
        observer.secured();
        let heard = observer.hear(party, &[line.as_bytes(), b"\r\n"].concat());
        heard[0].meaning()
    };
    let smtp = |party, line| said(Protocol::Smtp, party, line);
    let command = smtp(Party::Client, "rcpt TO:<bob@hamburger.edu>");
    assert_eq!(command, ["Name a recipient, one for each command. (RFC 5321 §4.1.1.3)"]);
    let reply = smtp(Party::Server, "550 5.1.1 Nobody");
    assert!(reply[0].ends_with("§4.2.3)"), "{reply:?}");
    assert_eq!(reply[1], "5.1.1: it is about the address (RFC 3463 §3.2)");
    let reply = smtp(Party::Server, "299-what");
    assert_eq!(reply, ["It was done. (RFC 5321 §4.2.1)", "more lines follow"]);
    assert!(smtp(Party::Server, "+OK")[0].contains("no reply of SMTP"));
    assert!(smtp(Party::Server, "250 2.1.1.1 x").len() == 1, "that is no status code");
    assert_eq!(said(Protocol::Pop3, Party::Server, "+OK"), ["Done. (RFC 1939 §3)"]);
    let imap = |party, line| said(Protocol::Imap, party, line);
    assert!(imap(Party::Client, "a fetch 1 FLAGS")[0].ends_with("(RFC 9051 §6.4.5)"));
    assert!(imap(Party::Server, "* 3 EXISTS")[0].starts_with("Data, or news"));
    assert!(imap(Party::Server, "a NO it failed")[0].ends_with("(RFC 9051 §7.1.2)"));
}

#[test]
fn who_does_not_wait_is_read_all_the_same() {
    // A group of commands (RFC 2920), and a message behind DATA before the answer to it.
    let mut observer = Observer::new(Protocol::Smtp);
    observer.hear(Party::Server, b"220 x\r\n");
    let said = b"EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\nQUIT is text\r\n.\r\nQUIT\r\n";
    assert_eq!(observer.hear(Party::Client, said).len(), 4, "the rest depends on the answer");
    let answers = b"250 x\r\n250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n221 bye\r\n";
    let heard = observer.hear(Party::Server, answers);
    let kinds: Vec<_> = heard.iter().map(|one| (one.party, one.kind)).collect();
    let (client, server) = (Party::Client, Party::Server);
    assert_eq!(kinds[4..7], [(client, Text), (client, End), (client, Command)]);
    assert_eq!(kinds[7..], [(server, Reply), (server, Reply)]);
    assert_eq!((observer.turn(), observer.state()), (client, "Closed"));
    // One that was refused goes on with commands.
    let mut observer = Observer::new(Protocol::Smtp);
    observer.secured();
    observer.hear(client, b"DATA\r\nRSET\r\n");
    let heard = observer.hear(server, b"503 no\r\n");
    assert_eq!(heard[1].kind, Command);
    // Nobody waits for ever.
    observer.hear(client, b"AUTH LOGIN\r\n");
    let heard = observer.hear(client, &b"NOOP\r\n".repeat(WAITING_MAX / 6 + 1));
    assert!(heard.len() > WAITING_MAX / 7, "{}", heard.len());
    // Lines that end with LF alone are lines, and one that never ends is told in pieces.
    let heard = observer.hear(server, b"250 a\n250 b\r\n");
    assert_eq!(heard.len(), 2);
    assert_eq!(
        heard[0].spans.last().map(|span| (span.label, span.end - span.start)),
        Some(("CRLF", 1))
    );
    assert_eq!(heard[0].shown(b""), b"250 a");
    observer.secured();
    let long = [&b"AUTH PLAIN "[..], &b"x".repeat(LINE_MAX), b"\r\n"].concat();
    let heard = observer.hear(client, &long);
    assert_eq!(heard.len(), 2);
    assert!(heard.iter().all(|one| one.spans.iter().all(|span| span.secret)), "a password");
    let mut observer = Observer::new(Protocol::Pop3);
    observer.hear(server, b"+OK he");
    let heard = observer.end(server);
    assert_eq!(heard[0].shown(b""), b"+OK he");
}

/// Numbers that look random and are the same in each run.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end.max(1)
    }
}

type Said = Vec<(Party, Vec<u8>)>;

/// What is told of turns, each cut into pieces.
fn told(protocol: Protocol, said: &Said, mut cut: impl FnMut(usize) -> usize) -> Vec<Heard> {
    let (mut observer, mut heard) = (Observer::new(protocol), Vec::new());
    for (party, octets) in said {
        let mut rest = &octets[..];
        while !rest.is_empty() {
            let (piece, more) = rest.split_at(cut(rest.len()).clamp(1, rest.len()));
            heard.extend(observer.hear(*party, piece));
            rest = more;
        }
    }
    for party in [Party::Server, Party::Client] {
        heard.extend(observer.end(party));
    }
    heard
}

fn laws(protocol: Protocol, said: &Said, random: &mut Seeded) {
    let whole = told(protocol, said, |length| length);
    for (party, side) in [Party::Client, Party::Server].map(|party| (party, whole.iter())) {
        let mut at = 0;
        let mut octets = Vec::new();
        for one in side.filter(|one| one.party == party) {
            assert_eq!(one.start, at, "{one:?}");
            for span in &one.spans {
                assert_eq!(span.start, at, "{one:?}");
                assert!(span.start < span.end && crate::trace::is_label(span.label), "{one:?}");
                at = span.end;
            }
            assert_eq!(at, one.start + one.octets.len() as u64, "{one:?}");
            octets.extend_from_slice(&one.octets);
        }
        let all: Vec<u8> =
            said.iter().filter(|(who, _)| *who == party).flat_map(|(_, o)| o.clone()).collect();
        assert_eq!(octets, all);
    }
    let one_by_one = told(protocol, said, |_| 1);
    assert_eq!(one_by_one, whole, "{said:?}");
    let cut = told(protocol, said, |length| 1 + random.below(length));
    assert_eq!(cut, whole, "{said:?}");
}

#[test]
fn the_laws_of_spans_hold_for_whatever_is_said() {
    let wild: [&[u8]; 22] = [
        b" ",
        b"\0",
        b"\r",
        b"\n",
        b"\xff",
        b"(",
        b"\"",
        b"{3}\r\n",
        b"{0}\r\n",
        b"{99999999999}\r\n",
        b"{2+}\r\nab",
        b"{9223372036854775807+}\r\n",
        b"<",
        b".",
        b"*",
        b"\r\n.\r\n",
        b"+ \r\n",
        b"a OK\r\n",
        b"334 \r\n",
        b"354 \r\n",
        b"x COMPRESS DEFLATE\r\n",
        b"BDAT 18446744073709551615\r\n",
    ];
    for (number, (protocol, lines)) in
        [(Protocol::Smtp, SMTP), (Protocol::Pop3, POP3), (Protocol::Imap, IMAP)].iter().enumerate()
    {
        let plain: Said = lines
            .iter()
            .map(|(line, ..)| {
                let (side, text) = line.split_at(3);
                let party = if side == "C: " { Party::Client } else { Party::Server };
                (party, [text.as_bytes(), b"\r\n"].concat())
            })
            .collect();
        let mut random = Seeded(number as u64 + 1);
        laws(*protocol, &plain, &mut random);
        for _ in 0..300 {
            let mut said = plain.clone();
            for _ in 0..1 + random.below(6) {
                let turn = random.below(said.len());
                let octets = &mut said[turn].1;
                let at = random.below(octets.len() + 1);
                match random.below(5) {
                    0 => octets.truncate(at),
                    1 => {
                        let from = octets.len().min(at + random.below(6));
                        octets.drain(at..from);
                    }
                    2 => {
                        said.swap_remove(turn);
                    }
                    _ => {
                        let piece = wild[random.below(wild.len())];
                        octets.splice(at..at, piece.iter().copied());
                    }
                }
            }
            laws(*protocol, &said, &mut random);
        }
    }
}
