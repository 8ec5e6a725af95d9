//! Lengths at their bounds, and chunks that are not as they should be: each is taken or refused, none is cut short.

mod counting;
mod seeded;
mod smtp_host;

use pillarbox_engine::smtp::{Answer, Ask, Committed, Event};
use pillarbox_engine::types::{TlsFacts, TlsOffer};
use smtp_host::*;

/// A line of so many octets, CRLF included.
fn padded(head: &str, octets: usize) -> Vec<u8> {
    [head.as_bytes(), &vec![b'x'; octets - 2 - head.len()], b"\r\n"].concat()
}

#[test]
fn command_lines_up_to_their_bound() {
    for octets in [512, 513, 1036, 4095, 4096] {
        let mut talk = Talk::greeted(config());
        assert_eq!(codes(&talk.say(&padded("NOOP ", octets))), [250], "{octets}");
        assert_eq!(codes(&talk.say(&padded("VRFY ", octets))), [252], "{octets}");
    }
    for octets in [4097, 12_288, 12_289, 100_000] {
        let mut talk = Talk::greeted(config());
        let said = talk.say(&padded("NOOP ", octets));
        assert!(said.starts_with(b"500 5.5.2 "), "{octets}: {}", said.escape_ascii());
        assert_eq!(codes(&talk.say(b"NOOP\r\n")), [250], "the next line is read as one");
    }
}

#[test]
fn lines_of_a_login_up_to_their_bound() {
    for (octets, too_long) in [(12_288, false), (12_289, true)] {
        let mut talk = Talk::greeted(config());
        let said = talk.say(&padded("AUTH PLAIN ", octets));
        assert_eq!(said.starts_with(b"500 5.5.6 "), too_long, "{}", said.escape_ascii());
        assert_eq!(said.starts_with(b"501 5.5.2 "), !too_long, "{}", said.escape_ascii());
        talk.line("AUTH PLAIN");
        let said = talk.say(&padded("", octets));
        assert_eq!(said.starts_with(b"500 5.5.6 "), too_long, "{}", said.escape_ascii());
        assert_eq!(codes(&talk.say(b"NOOP\r\n")), [250], "the exchange is over");
    }
}

#[test]
fn addresses_up_to_their_bounds() {
    let label = "d".repeat(60);
    let domain = |octets: usize| {
        let mut domain = format!("{label}.{label}.{label}.{label}");
        domain.push('.');
        domain + &"e".repeat(octets - 245 + 1)
    };
    let local = |octets: usize| "l".repeat(octets);
    // RFC 5321 §4.5.3.1.1, .2, .3: 64, 255 and, with brackets, 256 octets.
    let cases = [
        (format!("{}@b.c", local(64)), true),
        (format!("{}@b.c", local(65)), false),
        (format!("\"{}\"@b.c", local(64)), true),
        (format!("\"{}\"@b.c", local(65)), false),
        (format!("a@{}", domain(252)), true),
        (format!("a@{}", domain(253)), false),
        (format!("a@{}.f", "e".repeat(63)), true),
        (format!("a@{}.f", "e".repeat(64)), false),
    ];
    for (address, right) in cases {
        assert!(!right || address.len() + 2 <= 256, "{}", address.len());
        let mut talk = Talk::greeted(config());
        let said = talk.line(&format!("MAIL FROM:<{address}>"));
        let expected = if right { "250 2.1.0 " } else { "501 5.1.7 " };
        assert!(said.starts_with(expected), "{address}: {said}");
        talk.line("RSET");
        talk.line("MAIL FROM:<>");
        let said = talk.line(&format!("RCPT TO:<{address}>"));
        let expected = if right { "550 5.7.1 " } else { "501 5.1.3 " };
        assert!(said.starts_with(expected), "{address}: {said}");
    }
    let mut talk = Talk::greeted(config());
    assert!(talk.line(&format!("EHLO {}", domain(255))).starts_with("250"));
    assert!(talk.line(&format!("EHLO {}", domain(256))).starts_with("501 "));
}

#[test]
fn text_lines_of_any_length_pass_unchanged() {
    for octets in [998, 1000, 1001, 10_000_000] {
        let text = [b"a: b\r\n\r\n", &vec![b'x'; octets][..], b"\r\n"].concat();
        let mut talk = Talk::greeted(config());
        talk.say(b"MAIL FROM:<a@b.c>\r\nRCPT TO:<bob@hamburger.edu>\r\nDATA\r\n");
        assert_eq!(codes(&talk.say(&[&text[..], b".\r\n"].concat())), [250]);
        assert!(talk.messages[0].1.ends_with(&text), "{octets}");
    }
}

fn begun() -> Talk {
    let mut talk = Talk::greeted(config());
    talk.say(b"MAIL FROM:<a@b.c>\r\nRCPT TO:<bob@hamburger.edu>\r\n");
    talk
}

#[test]
fn chunks_of_any_size_are_counted() {
    let mut talk = begun();
    assert_eq!(
        codes(&talk.say(b"BDAT 0\r\nBDAT 6\r\na: b\r\nBDAT 0\r\nBDAT 0 LAST\r\n")),
        [250; 4]
    );
    assert!(talk.messages[0].1.ends_with(b"a: b\r\n"));
    assert_eq!(codes(&talk.say(b"BDAT 0 LAST\r\n")), [503], "the last was the last");
    // Ten thousand of one octet each.
    let mut talk = begun();
    for at in 0..10_000 {
        let octet = if at % 2 == 0 { b'\r' } else { b'\n' };
        assert_eq!(codes(&talk.say(&[b"BDAT 1\r\n", &[octet][..]].concat())), [250]);
    }
    assert_eq!(codes(&talk.say(b"BDAT 0 LAST\r\n")), [250]);
    assert!(talk.messages[0].1.ends_with(&b"\r\n".repeat(5000)));
}

#[test]
fn chunks_without_a_size_end_the_session() {
    for wrong in [
        "BDAT",
        "BDAT -1",
        "BDAT x",
        "BDAT 18446744073709551616",
        "BDAT 1 FIRST",
        "BDAT 1 LAST x",
        "BDAT +1",
        "BDAT 0x10",
    ] {
        let mut talk = begun();
        let said = talk.say(format!("{wrong}\r\nNOOP\r\n").as_bytes());
        assert_eq!(codes(&said), [501], "{wrong}");
        assert!(talk.closed && talk.events.last() == Some(&Event::Reset));
    }
}

#[test]
fn a_chunk_that_is_too_large_is_read_before_it_is_refused() {
    let mut limited = config();
    limited.limits.message_max = 10_000;
    let mut talk = Talk::greeted(limited);
    talk.say(b"MAIL FROM:<a@b.c>\r\nRCPT TO:<bob@hamburger.edu>\r\n");
    let body = b"QUIT\r\n".repeat(10_000);
    let chunk = [format!("BDAT {} LAST\r\n", body.len()).as_bytes(), &body].concat();
    let (last, first) = chunk.split_last().expect("octets");
    assert_eq!(talk.say(first), b"");
    assert_eq!(codes(&talk.say(&[&[*last], &b"NOOP\r\n"[..]].concat())), [552, 250]);
}

#[test]
fn a_chunk_that_is_cut_is_no_message() {
    let end = b"BDAT 100 LAST\r\na: b\r\n\r\n.\r\nMAIL FROM:<x@y.z>\r\n";
    let mut talk = begun();
    assert_eq!(talk.say(end), b"");
    talk.session.receive_end(talk.now);
    assert_eq!(talk.listen(), b"");
    assert!(talk.closed && talk.messages.is_empty());
    let senders = talk.asks.iter().filter(|ask| matches!(ask, Ask::Sender(_))).count();
    assert_eq!((senders, talk.events.last()), (1, Some(&Event::Reset)));
}

#[test]
fn sixteen_mebioctets_of_anything_take_no_memory() {
    let starts: [&[&[u8]]; 4] = [
        &[b"EHLO a\r\n"],
        &[b"EHLO a\r\n", b"AUTH PLAIN\r\n"],
        &[b"EHLO a\r\n", b"MAIL FROM:<a@b.c>\r\nRCPT TO:<bob@hamburger.edu>\r\nBDAT 99999999\r\n"],
        &[b"EHLO a\r\n", b"BDAT 99999999 LAST\r\n"],
    ];
    for start in starts {
        for octet in *b"1x (\"\\\xff{" {
            let block = vec![octet; 16 << 10];
            let (_, peak) = counting::peak(|| {
                let mut talk = Talk::new(config());
                talk.judge = |ask| match ask {
                    Ask::Chunk(_) => Some(Answer::Done),
                    Ask::Commit(_) => Some(Answer::Committed(Committed::default())),
                    _ => None,
                };
                talk.forgetful = true;
                talk.say(b"");
                start.iter().for_each(|piece| drop(talk.say(piece)));
                (0..1024).for_each(|_| drop(talk.say(&block)));
            });
            assert!(peak < 256 << 10, "{octet}: {peak} octets");
        }
    }
}

#[test]
fn starttls_stands_where_it_may() {
    let upgrade =
        || Talk::greeted(pillarbox_engine::smtp::Config { tls: TlsOffer::Upgrade, ..config() });
    let mut talk = upgrade();
    assert!(talk.line("STARTTLS now").starts_with("501 "));
    talk.line("MAIL FROM:<a@b.c>");
    assert!(talk.line("STARTTLS").starts_with("503 5.5.1 "));
    talk.line("RSET");
    talk.line("AUTH PLAIN AGFubgBzM2NyZXQ=");
    assert!(talk.line("STARTTLS").starts_with("503 5.5.1 "));
    let mut talk = upgrade();
    assert!(talk.line("STARTTLS").starts_with("220 "));
    // What comes before the handshake is dropped, and what was said before is forgotten.
    talk.say(b"MAIL FROM:<evil@b.c>\r\n");
    talk.session.secured(talk.now, TlsFacts::default()).expect("it was asked for");
    assert_eq!(talk.listen(), b"");
    assert!(talk.line("MAIL FROM:<a@b.c>").starts_with("503 5.5.1 Say EHLO first"));
    assert!(!talk.line("EHLO a").contains("STARTTLS"));
    assert!(talk.line("STARTTLS").starts_with("503 5.5.1 "), "not under TLS");
    assert!(!talk.asks.iter().any(|ask| matches!(ask, Ask::Sender(_))));
}

#[test]
fn names_are_told_to_nobody() {
    let mut patient = config();
    patient.limits.idle_commands_max = u32::MAX;
    let mut talk = Talk::greeted(patient);
    let names = [
        "bob",
        "nobody",
        "bob@hamburger.edu",
        "<bob@hamburger.edu>",
        "root",
        "\"a b\"",
        "*",
        "%s",
        "b\u{f6}b",
    ];
    let replies: Vec<String> = names
        .iter()
        .flat_map(|name| [format!("VRFY {name}"), format!("EXPN {name}")])
        .map(|line| talk.line(&line))
        .collect();
    assert!(
        replies[0].starts_with("252 2.5.0 ") && replies.iter().all(|reply| *reply == replies[0])
    );
    assert!(talk.asks.is_empty());
}
