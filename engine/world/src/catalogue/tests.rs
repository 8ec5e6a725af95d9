//! That there are words for everything, and that they have the form that views count on.

use std::collections::BTreeSet;

use pillarbox_engine::trace::LABELS;

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

/// Labels that only one protocol's sessions use.
fn is_used(protocol: Protocol, name: &str) -> bool {
    !matches!(
        (protocol, name),
        (
            Protocol::Smtp,
            "atom"
                | "auth-type"
                | "capability"
                | "charset"
                | "closing parenthesis"
                | "command"
                | "continuation"
                | "continue-req"
                | "data item"
                | "date-time"
                | "digest"
                | "end of response"
                | "fetch-att"
                | "fetch-modifier"
                | "flag"
                | "flag-list"
                | "id-params"
                | "initial-resp"
                | "language"
                | "line count"
                | "list-mailbox"
                | "literal"
                | "literal head"
                | "message number"
                | "nil"
                | "opening parenthesis"
                | "quoted"
                | "resp-text-code"
                | "response code"
                | "response name"
                | "search-key"
                | "search-return-opts"
                | "sequence-set"
                | "sort-criteria"
                | "status"
                | "status item"
                | "status-att"
                | "tag"
                | "thread-alg"
                | "unique-id"
                | "untagged"
                | "user name"
                | "userid"
        ) | (
            Protocol::Pop3,
            "address literal"
                | "angle bracket"
                | "at sign"
                | "atom"
                | "attribute name"
                | "attribute value"
                | "auth-type"
                | "base64"
                | "charset"
                | "chunk"
                | "chunk size"
                | "closing parenthesis"
                | "command"
                | "continue-req"
                | "data item"
                | "date-time"
                | "domain"
                | "ehlo keyword"
                | "enhanced code"
                | "equals sign"
                | "fetch-att"
                | "fetch-modifier"
                | "flag"
                | "flag-list"
                | "FROM:"
                | "greeting"
                | "id-params"
                | "initial-resp"
                | "LAST"
                | "list-mailbox"
                | "literal"
                | "literal head"
                | "local part"
                | "mailbox"
                | "nil"
                | "node name"
                | "null path"
                | "opening parenthesis"
                | "option"
                | "parameter keyword"
                | "parameter value"
                | "postmaster"
                | "probe"
                | "quoted"
                | "reply code"
                | "reply text"
                | "resp-text-code"
                | "response name"
                | "search-key"
                | "search-return-opts"
                | "sequence-set"
                | "sort-criteria"
                | "source route"
                | "status item"
                | "status-att"
                | "string"
                | "tag"
                | "thread-alg"
                | "TO:"
                | "untagged"
                | "userid"
        ) | (
            Protocol::Imap,
            "address literal"
                | "angle bracket"
                | "at sign"
                | "attribute name"
                | "attribute value"
                | "chunk"
                | "chunk size"
                | "continuation"
                | "digest"
                | "domain"
                | "ehlo keyword"
                | "end of response"
                | "enhanced code"
                | "equals sign"
                | "FROM:"
                | "greeting"
                | "language"
                | "LAST"
                | "line count"
                | "local part"
                | "message number"
                | "node name"
                | "null path"
                | "option"
                | "parameter keyword"
                | "parameter value"
                | "postmaster"
                | "probe"
                | "reply code"
                | "reply text"
                | "response code"
                | "source route"
                | "string"
                | "TO:"
                | "unique-id"
                | "user name"
                | "verb"
        )
    )
}

#[test]
fn every_label_has_words_in_every_protocol_that_uses_it() {
    for protocol in Protocol::ALL {
        for name in LABELS.iter().chain(annotate::LINE_LABELS) {
            let gloss = label(protocol, name);
            assert!(
                gloss.is_some() || !is_used(protocol, name),
                "no words for {name} in {}",
                protocol.name()
            );
        }
    }
    for name in LABELS {
        assert!(Protocol::ALL.iter().any(|protocol| is_used(*protocol, name)), "{name}");
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
