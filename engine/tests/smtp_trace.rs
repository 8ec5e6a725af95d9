//! What a reader is shown of SMTP: every octet of both directions once, nothing secret in the open, and the same
//! conversation as when nobody reads.

mod seeded;
mod smtp_host;

use pillarbox_engine::smtp::{Config, Service};
use pillarbox_engine::trace::{Note, Side, Span};
use smtp_host::*;

fn spans(talk: &Talk, side: Side) -> Vec<Span> {
    let span = |note: &Note| match note {
        Note::Span(span) if span.side == side => Some(*span),
        _ => None,
    };
    talk.notes.iter().filter_map(span).collect()
}

/// Every octet lies in one span, and the spans come in order.
fn assert_covered(talk: &Talk, sent: u64) {
    for (side, all) in [(Side::Sent, sent), (Side::Received, talk.taken)] {
        let mut end = 0;
        for span in spans(talk, side) {
            assert_eq!(span.start, end, "{span:?}");
            assert!(span.end > span.start, "{span:?}");
            end = span.end;
        }
        // What came after the end of the conversation was not read, and so it is nothing.
        assert!(end == all || side == Side::Received && talk.closed && end < all, "{side:?} {end}");
    }
}

fn configs() -> [Config; 3] {
    let lmtp = Config { service: Service::Lmtp, ..config() };
    let submission = Config { service: Service::Submission, auth_required: true, ..config() };
    [config(), lmtp, submission]
}

#[test]
fn conversations_of_all_kinds_are_covered_and_tracing_changes_nothing() {
    let mut messages = 0;
    for seed in 1..=300 {
        let config = configs()[seed % 3].clone();
        let mut random = Seeded(seed as u64);
        let groups = conversation(&mut random, config.clone());
        let mut silent = Talk::new(config.clone());
        let said = say_whole(&mut silent, &groups);
        let mut traced = Talk::new(Config { trace: true, ..config.clone() });
        assert_eq!(say_whole(&mut traced, &groups), said, "seed {seed}");
        assert_eq!((&traced.asks, &traced.events), (&silent.asks, &silent.events), "seed {seed}");
        assert!(silent.notes.is_empty());
        assert_covered(&traced, said.concat().len() as u64);
        // The same octets, cut differently, are the same spans.
        let mut split = Talk::new(Config { trace: true, ..config });
        assert_eq!(say_split(&mut split, &groups, &mut random), said, "seed {seed}");
        for side in [Side::Sent, Side::Received] {
            assert_eq!(spans(&split, side), spans(&traced, side), "seed {seed}");
        }
        messages += traced.messages.len();
    }
    assert!(messages > 100, "only {messages} messages: the conversations lead nowhere");
}

/// The labels of what was received, with the octets under them.
fn received<'a>(talk: &Talk, input: &'a [u8]) -> Vec<(&'static str, &'a str)> {
    let text = |span: Span| {
        let octets = &input[span.start as usize..span.end as usize];
        (span.label, std::str::from_utf8(octets).expect("text"))
    };
    spans(talk, Side::Received).into_iter().map(text).collect()
}

#[test]
fn parts_of_commands_have_their_names() {
    let input = "EHLO crepes.fr\r\n\
        MAIL FROM: <@a.b:\"x y\"@[192.0.2.1]>  RET=FULL SMTPUTF8\r\n\
        RCPT TO:<bob@hamburger.edu> NOTIFY=NEVER \r\n\
        RCPT TO:<b@c@d> x\r\n\
        BDAT 2\r\nab\
        FOO bar\r\n";
    let mut talk = Talk::new(Config { trace: true, ..config() });
    talk.say(b"");
    input.split_inclusive('\n').for_each(|line| {
        talk.say(line.as_bytes());
    });
    let expected = [
        ("verb", "EHLO"),
        ("SP", " "),
        ("domain", "crepes.fr"),
        ("CRLF", "\r\n"),
        ("verb", "MAIL"),
        ("SP", " "),
        ("FROM:", "FROM:"),
        ("SP", " "),
        ("angle bracket", "<"),
        ("source route", "@a.b:"),
        ("local part", "\"x y\""),
        ("at sign", "@"),
        ("address literal", "[192.0.2.1]"),
        ("angle bracket", ">"),
        ("SP", "  "),
        ("parameter keyword", "RET"),
        ("equals sign", "="),
        ("parameter value", "FULL"),
        ("SP", " "),
        ("parameter keyword", "SMTPUTF8"),
        ("CRLF", "\r\n"),
        ("verb", "RCPT"),
        ("SP", " "),
        ("TO:", "TO:"),
        ("angle bracket", "<"),
        ("local part", "bob"),
        ("at sign", "@"),
        ("domain", "hamburger.edu"),
        ("angle bracket", ">"),
        ("SP", " "),
        ("parameter keyword", "NOTIFY"),
        ("equals sign", "="),
        ("parameter value", "NEVER"),
        ("SP", " "),
        ("CRLF", "\r\n"),
        ("verb", "RCPT"),
        ("SP", " "),
        ("TO:", "TO:"),
        ("angle bracket", "<"),
        ("local part", "b"),
        ("at sign", "@"),
        ("domain", "c"),
        ("unparsed", "@d> x"),
        ("CRLF", "\r\n"),
        ("verb", "BDAT"),
        ("SP", " "),
        ("chunk size", "2"),
        ("CRLF", "\r\n"),
        ("chunk", "ab"),
        ("verb", "FOO"),
        ("SP", " "),
        ("unparsed", "bar"),
        ("CRLF", "\r\n"),
    ];
    assert_eq!(received(&talk, input.as_bytes()), expected);
}

#[test]
fn text_is_told_line_by_line_with_its_stuffed_dots() {
    let input = b"EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<bob@hamburger.edu>\r\nDATA\r\n\
        a: b\r\n\r\n..\r\n.x\r\nlast\r\n.\r\nNOOP\r\n";
    let mut talk = Talk::new(Config { trace: true, ..config() });
    talk.say(b"");
    input.split_inclusive(|&octet| octet == b'\n').for_each(|line| {
        talk.say(line);
    });
    let labels = received(&talk, input);
    let from = labels.iter().position(|(label, _)| *label == "text line").expect("text");
    let expected = [
        ("text line", "a: b\r\n"),
        ("text line", "\r\n"),
        ("stuffed dot", "."),
        ("text line", ".\r\n"),
        ("stuffed dot", "."),
        ("text line", "x\r\n"),
        ("text line", "last\r\n"),
        ("end of data", ".\r\n"),
        ("verb", "NOOP"),
        ("CRLF", "\r\n"),
    ];
    assert_eq!(labels[from..], expected);
    assert!(talk.messages[0].1.ends_with(b"\r\na: b\r\n\r\n.\r\nx\r\nlast\r\n"));
}

#[test]
fn credentials_are_masked_however_they_come() {
    let secret = b"czNjcmV0";
    let inputs: [&[u8]; 8] = [
        b"AUTH PLAIN czNjcmV0\r\n",
        b"AUTH  PLAIN  czNjcmV0\r\n",
        b"auth\tplain\tczNjcmV0\r\n",
        b"AUTH PLAIN czNjcmV0 more\r\n",
        b"AUTHPLAIN czNjcmV0\r\n",
        b"AUTH PLAIN czNj\0cmV0czNjcmV0\r\n",
        b"AUTH LOGIN\r\nczNjcmV0\r\n",
        b"AUTH PLAIN\r\nczNjcmV0 x\r\n",
    ];
    for input in inputs {
        for split in [true, false] {
            let mut talk = Talk::new(Config { trace: true, ..config() });
            talk.say(b"");
            let before = talk.say(b"EHLO a\r\n").len();
            assert!(before > 0);
            if split {
                input.split_inclusive(|&octet| octet == b'\n').for_each(|line| {
                    talk.say(line);
                });
            } else {
                talk.say(input);
            }
            let at = input.windows(8).position(|eight| eight == secret).expect("a secret") + 8;
            let (start, end) = (at as u64, at as u64 + 8);
            let over = spans(&talk, Side::Received)
                .into_iter()
                .filter(|span| span.start < end && span.end > start)
                .collect::<Vec<_>>();
            let text = input.escape_ascii();
            assert!(!over.is_empty() && over.iter().all(|span| span.secret), "{text}: {over:?}");
        }
    }
}
