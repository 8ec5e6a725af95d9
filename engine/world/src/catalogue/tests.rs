//! That there are words for everything, and that they have the form that views count on.

use std::collections::BTreeSet;

use pillarbox_engine::trace::{IMAP_LABELS, POP3_LABELS, SMTP_LABELS};

use super::entries::all;
use super::*;
use crate::annotate;

const SECTIONS: &str = include_str!("../../../../tests/rfc/sections.txt");

#[test]
fn every_entry_has_its_form_and_its_section() {
    let sections: BTreeSet<&str> = SECTIONS.lines().collect();
    let mut keys = BTreeSet::new();
    for (key, gloss) in all() {
        assert!(keys.insert(key), "{key}: there are two of it");
        assert!(gloss.what.ends_with(['.', '?']), "{key}: what it is is a sentence");
        assert!(gloss.what.len() <= 120, "{key}: what it is is one line");
        assert!(gloss.why.ends_with('.'), "{key}: why is made of sentences");
        assert!(gloss.why.len() <= 600, "{key}: why is a short paragraph");
        if let Some(law) = gloss.law {
            let (rfc, section) = gloss.citation().unwrap_or_else(|| panic!("{key}: {law}"));
            let entry = format!("{rfc} {section}");
            assert!(sections.contains(&entry[..]), "{key}: {entry} is not in sections.txt");
        }
    }
    assert!(keys.len() > 400, "{}", keys.len());
}

#[test]
fn every_label_has_words() {
    let of = |protocol| match protocol {
        Protocol::Smtp => SMTP_LABELS,
        Protocol::Pop3 => POP3_LABELS,
        Protocol::Imap => IMAP_LABELS,
        Protocol::Http => crate::web::HTTP_LABELS,
    };
    for protocol in Protocol::ALL {
        for name in of(protocol).iter().chain(annotate::LINE_LABELS) {
            assert!(label(protocol, name).is_some(), "no words for {name} in {protocol:?}");
        }
    }
    for name in pillarbox_mime::spans::LABELS {
        assert!(message(name).is_some(), "no words for {name} in a message");
    }
}

#[test]
fn what_may_be_said_has_its_section_and_its_words() {
    let sections: BTreeSet<&str> = SECTIONS.lines().collect();
    for form in pillarbox_engine::expected::all() {
        let entry = format!("{} {}", form.rule.rfc, form.rule.section);
        assert!(sections.contains(&entry[..]), "{}: {entry} is not in sections.txt", form.word);
        assert!(form.rule.gist.ends_with('.'), "{}: a gist is a sentence", form.word);
    }
    let commands = [
        (Protocol::Smtp, pillarbox_engine::smtp::expected::COMMANDS),
        (Protocol::Pop3, pillarbox_engine::pop3::expected::COMMANDS),
        (Protocol::Imap, pillarbox_engine::imap::expected::COMMANDS),
    ];
    for (protocol, forms) in commands {
        for form in forms.iter().filter(|form| form.word.chars().all(char::is_uppercase)) {
            assert!(command(protocol, form.word).is_some(), "no words for {}", form.word);
        }
    }
}

#[test]
fn every_state_has_words() {
    let smtp_server = ["Connected", "Greeted", "MailGiven", "RcptGiven", "Data", "Chunking"];
    let imap = ["not authenticated", "authenticated", "selected", "logout"];
    for name in smtp_server.into_iter().chain(["Authenticating", "Securing", "Closed"]) {
        assert!(state(Protocol::Smtp, Party::Server, name).is_some(), "{name}");
    }
    for name in ["AUTHORIZATION", "TRANSACTION", "UPDATE", "CLOSED"] {
        assert!(state(Protocol::Pop3, Party::Server, name).is_some(), "{name}");
    }
    for name in imap {
        assert!(state(Protocol::Imap, Party::Server, name).is_some(), "{name}");
    }
}

#[test]
fn what_people_get_wrong_has_words() {
    let cases: [(Protocol, &[u8], &str); 17] = [
        (Protocol::Smtp, b"HELLO crepes.fr\r\n", "HELO"),
        (Protocol::Smtp, b"helo\r\n", "name"),
        (Protocol::Smtp, b"HELP\x08O crepes.fr\r\n", "backspace"),
        (Protocol::Smtp, b"MAIL FROM alice@crepes.fr\r\n", "colon"),
        (Protocol::Smtp, b"MAIL FROM: alice@crepes.fr\r\n", "brackets"),
        (Protocol::Smtp, b"to:<bob@hamburger.edu>\r\n", "MAIL FROM"),
        (Protocol::Smtp, b"Subject: ketchup\r\n", "header"),
        (Protocol::Smtp, b"Do you like ketchup?\r\n", "message"),
        (Protocol::Smtp, b".\r\n", "dot"),
        (Protocol::Smtp, b"SEND MAIL\r\n", "SEND"),
        (Protocol::Smtp, b"GO ON\r\n", "no such word"),
        (Protocol::Smtp, b"GET / HTTP/1.1\r\n", "Web"),
        (Protocol::Pop3, b"LOGIN bob hungry\r\n", "USER"),
        (Protocol::Pop3, b"RETR\r\n", "number"),
        (Protocol::Imap, b"LOGIN bob hungry\r\n", "tag"),
        (Protocol::Imap, b"a SELECT \"INBOX\r\n", "quote"),
        (Protocol::Imap, b" a NOOP\r\n", "start"),
    ];
    for (protocol, line, word) in cases {
        let gloss = trap(protocol, line).unwrap_or_else(|| panic!("{}", line.escape_ascii()));
        assert!(gloss.what.contains(word), "{}: {}", line.escape_ascii(), gloss.what);
    }
    assert_eq!(trap(Protocol::Smtp, b"RCPT TO:<nobody@hamburger.edu>\r\n"), None);
}

#[test]
fn octets_have_the_meaning_of_their_word() {
    let what = |protocol, label, octets: &[u8]| word(protocol, label, octets).map(|g| g.what);
    let smtp = Protocol::Smtp;
    assert_eq!(what(smtp, "verb", b"rcpt"), Some("One recipient of the message."));
    assert_eq!(what(smtp, "reply code", b"250-"), Some("Done."));
    assert_eq!(what(smtp, "enhanced code", b"5.1.1 "), Some("There is no such mailbox."));
    assert_eq!(what(smtp, "enhanced code", b"5.1.99 "), Some("Something about an address."));
    assert!(what(smtp, "ehlo keyword", b"SIZE 1000").is_some_and(|what| what.contains("octets")));
    assert!(what(Protocol::Imap, "data item", b"BODYSTRUCTURE").is_some());
    assert!(what(Protocol::Imap, "resp-text-code", b"[UIDVALIDITY 3]").is_some());
    assert!(what(Protocol::Pop3, "response code", b"[IN-USE]").is_some());
    assert_eq!(what(smtp, "verb", b"HELLO"), None);
    assert!(field("subject").is_some() && field("x-nothing").is_none());
    assert_eq!(reply_code(299).map(|gloss| gloss.what), Some("Yes."));
}
