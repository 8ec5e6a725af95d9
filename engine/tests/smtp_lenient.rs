//! A lenient server goes on where a strict one refuses, and notes each time which rule was broken.

mod seeded;
mod smtp_host;

use pillarbox_engine::smtp::{Ask, Config, Event};
use pillarbox_engine::trace::Note;
use pillarbox_engine::types::Persona;
use smtp_host::*;

fn lenient() -> Talk {
    let mut talk = Talk::new(Config { lenient: true, trace: true, ..config() });
    assert_eq!(codes(&talk.say(b"")), [220]);
    talk
}

/// The rules that a reader was told of, as `5321 4.1.4`.
fn broken(talk: &Talk) -> Vec<String> {
    let rule = |note: &Note| match note {
        Note::Defect(rule) => Some(format!("{} {}", rule.rfc, rule.section)),
        _ => None,
    };
    talk.notes.iter().filter_map(rule).collect()
}

#[test]
fn mail_may_come_before_hello_and_within_a_transaction() {
    let mut talk = lenient();
    assert_eq!(codes(&talk.say(b"MAIL FROM:<a@b.c>\r\n")), [250]);
    assert_eq!(codes(&talk.say(b"RCPT TO:<bob@hamburger.edu>\r\n")), [250]);
    assert_eq!(codes(&talk.say(b"MAIL FROM:<d@e.f>\r\n")), [250]);
    assert_eq!(talk.events.iter().filter(|event| **event == Event::Reset).count(), 1);
    assert_eq!(codes(&talk.say(b"DATA\r\n")), [503], "the recipient was of the one before");
    for (line, code) in [(&b"RCPT TO:<bob@hamburger.edu>\r\n"[..], 250), (b"DATA\r\n", 354)] {
        assert_eq!(codes(&talk.say(line)), [code]);
    }
    assert_eq!(codes(&talk.say(b"x\r\n.\r\n")), [250]);
    assert_eq!(broken(&talk), ["5321 4.1.4", "5321 4.1.4", "5321 4.1.4"]);
    let sender = talk.asks.iter().rev().find_map(|ask| match ask {
        Ask::Sender(mail) => mail.reverse_path.clone(),
        _ => None,
    });
    assert_eq!(sender.expect("a sender").domain, b"e.f");
    let text = String::from_utf8_lossy(&talk.messages[0].1).into_owned();
    assert!(text.starts_with("Received: from unknown ("), "{text}");
}

#[test]
fn a_path_is_understood_without_brackets_and_a_name_is_not_needed() {
    let mut talk = lenient();
    assert_eq!(codes(&talk.say(b"HELO\r\n")), [250]);
    assert!(talk.events.contains(&Event::Greeted(b"[192.0.2.1]".to_vec())));
    assert_eq!(codes(&talk.say(b"MAIL FROM: a@b.c SIZE=9\r\n")), [250]);
    assert_eq!(codes(&talk.say(b"RCPT TO:bob@hamburger.edu\r\n")), [250]);
    let size = talk.asks.iter().find_map(|ask| match ask {
        Ask::Sender(mail) => mail.size,
        _ => None,
    });
    assert_eq!(size, Some(9), "parameters count");
    for wrong in [&b"RCPT TO:\r\n"[..], b"RCPT TO:<bob@hamburger.edu\r\n", b"RCPT TO:b ob\r\n"] {
        assert_eq!(codes(&talk.say(wrong)), [501]);
    }
    assert_eq!(talk.defects(), 6, "one a line");
}

#[test]
fn a_client_need_not_wait() {
    let all =
        b"EHLO a\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<bob@hamburger.edu>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n";
    let mut talk = Talk::new(Config { lenient: true, trace: true, ..config() });
    assert_eq!(codes(&talk.say(all)), [220, 250, 250, 250, 354, 250, 221]);
    assert_eq!(talk.messages.len(), 1);
    assert!(broken(&talk).contains(&"2920 3.1".to_owned()));
    // What is strict is so still.
    let mut talk = Talk::new(config());
    assert_eq!(codes(&talk.say(all)), [220, 421]);
}

#[test]
fn a_persona_changes_words_and_no_codes() {
    let mut talk = Talk::new(Config { persona: Persona::Textbook, ..config() });
    assert_eq!(talk.say(b""), b"220 hamburger.edu\r\n");
    assert_eq!(talk.say(b"HELO crepes.fr\r\n"), b"250 Hello crepes.fr, pleased to meet you\r\n");
    let sender = b"250 alice@crepes.fr ... Sender ok\r\n";
    assert_eq!(talk.say(b"MAIL FROM: <alice@crepes.fr>\r\n"), sender);
    let hello = talk.say(b"EHLO crepes.fr\r\n");
    let hello = String::from_utf8_lossy(&hello).into_owned();
    assert!(!hello.contains("ENHANCEDSTATUSCODES") && hello.contains("PIPELINING"), "{hello}");
}
