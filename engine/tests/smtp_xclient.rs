//! XCLIENT: only whom the host trusts may say for whom it speaks, and then the session begins anew for that client.

mod seeded;
mod smtp_host;

use pillarbox_engine::smtp::{Ask, Config, Event, Forwarded, Service};
use pillarbox_engine::types::{Peer, TlsOffer};
use smtp_host::*;

fn trusting() -> Config {
    let mut config = config();
    config.extensions.xclient = true;
    config
}

fn forwarded(talk: &Talk) -> Vec<&Forwarded> {
    let forwarded = talk.events.iter().filter_map(|event| match event {
        Event::Forwarded(forwarded) => Some(forwarded),
        _ => None,
    });
    forwarded.collect()
}

const ALL: &str = "XCLIENT NAME=crepes.fr ADDR=IPV6:2001:db8::7 PORT=4711 PROTO=SMTP HELO=laptop.crepes.fr \
    LOGIN=ann+40crepes.fr DESTADDR=198.51.100.1 DESTPORT=587";

#[test]
fn the_session_begins_anew_for_the_client() {
    let mut talk = Talk::greeted(trusting());
    let hello = talk.line("EHLO proxy.example");
    let names = "NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT";
    assert!(hello.contains(&format!("250-XCLIENT {names}\r\n")), "{hello}");
    assert_eq!(talk.line(ALL), "220 hamburger.edu ESMTP Pillarbox\r\n");
    let expected = Forwarded {
        peer: Peer { address: b"2001:db8::7".to_vec(), name: Some(b"crepes.fr".to_vec()) },
        port: Some(4711),
        helo: Some(b"laptop.crepes.fr".to_vec()),
        login: Some(b"ann@crepes.fr".to_vec()),
        destination: Some(b"198.51.100.1".to_vec()),
        destination_port: Some(587),
    };
    assert_eq!(forwarded(&talk), [&expected]);
    // As after the greeting: nobody has said hello.
    assert!(talk.line("MAIL FROM:<a@b.c>").starts_with("503 5.5.1 Say EHLO first"));
    talk.line("EHLO proxy.example");
    talk.line("MAIL FROM:<a@b.c>");
    talk.line("RCPT TO:<bob@hamburger.edu>");
    talk.line("DATA");
    talk.line("a: b\r\n.");
    let message = String::from_utf8(talk.messages[0].1.clone()).expect("ASCII");
    let trace = "Received: from laptop.crepes.fr (crepes.fr [IPv6:2001:db8::7])\r\n\
        \tby hamburger.edu with SMTPA id s1.1\r\n";
    assert!(message.starts_with(trace), "{message}");
}

#[test]
fn a_login_that_is_told_is_one() {
    let submission = Config { service: Service::Submission, auth_required: true, ..trusting() };
    let mut talk = Talk::greeted(submission);
    assert!(talk.line("MAIL FROM:<a@b.c>").starts_with("530 "));
    talk.line("XCLIENT ADDR=192.0.2.9 LOGIN=ann");
    talk.line("EHLO a");
    assert!(talk.line("MAIL FROM:<a@b.c>").starts_with("250 "));
    talk.line("RSET");
    // And taken back for the next client.
    talk.line("XCLIENT ADDR=192.0.2.10 LOGIN=[UNAVAILABLE]");
    talk.line("EHLO a");
    assert!(talk.line("MAIL FROM:<a@b.c>").starts_with("530 "));
    let told: Vec<_> = forwarded(&talk).into_iter().map(|told| told.login.clone()).collect();
    assert_eq!(told, [Some(b"ann".to_vec()), None]);
}

/// As Postfix has it: what was said stays until it is said anew. And a login of the peer itself is nobody else's.
#[test]
fn a_login_stays_with_its_client_alone() {
    let submission = Config { service: Service::Submission, auth_required: true, ..trusting() };
    let mut talk = Talk::greeted(submission);
    assert!(talk.line("AUTH PLAIN AGFubgBzM2NyZXQ=").starts_with("235 "));
    talk.line("XCLIENT ADDR=192.0.2.9");
    talk.line("EHLO a");
    assert!(talk.line("MAIL FROM:<a@b.c>").starts_with("530 "));
    talk.line("XCLIENT LOGIN=ann");
    talk.line("XCLIENT ADDR=192.0.2.9");
    talk.line("EHLO a");
    assert!(talk.line("MAIL FROM:<a@b.c>").starts_with("250 "));
    let told: Vec<_> = forwarded(&talk).into_iter().map(|told| told.login.clone()).collect();
    assert_eq!(told, [None, Some(b"ann".to_vec()), Some(b"ann".to_vec())]);
}

#[test]
fn a_name_goes_with_its_address() {
    let mut talk = Talk::greeted(trusting());
    talk.line("XCLIENT NAME=one.example ADDR=192.0.2.1");
    talk.line("XCLIENT ADDR=192.0.2.2");
    talk.line("XCLIENT NAME=three.example");
    talk.line("XCLIENT NAME=[TEMPUNAVAIL] ADDR=[UNAVAILABLE]");
    let peers: Vec<_> = forwarded(&talk)
        .into_iter()
        .map(|told| (told.peer.name.clone(), told.peer.address.clone()))
        .collect();
    assert_eq!(
        peers,
        [
            (Some(b"one.example".to_vec()), b"192.0.2.1".to_vec()),
            (None, b"192.0.2.2".to_vec()),
            (Some(b"three.example".to_vec()), b"192.0.2.2".to_vec()),
            (None, b"192.0.2.2".to_vec()),
        ]
    );
}

#[test]
fn it_stands_outside_a_transaction_and_says_nothing_wrong() {
    let mut talk = Talk::greeted(trusting());
    for wrong in [
        "XCLIENT",
        "XCLIENT FOO=bar",
        "XCLIENT ADDR",
        "XCLIENT ADDR=1.2.3",
        "XCLIENT NAME=a+0Ab",
        "XCLIENT PORT=99999",
    ] {
        assert!(talk.line(wrong).starts_with("501 5.5.4 "), "{wrong}");
    }
    assert!(forwarded(&talk).is_empty());
    for lines in [&["MAIL FROM:<a@b.c>"][..], &["RCPT TO:<bob@hamburger.edu>"], &["BDAT 0"]] {
        lines.iter().for_each(|line| assert!(talk.line(line).starts_with("250 ")));
        assert!(talk.line("XCLIENT ADDR=192.0.2.9").starts_with("503 5.5.1 "));
    }
    assert!(forwarded(&talk).is_empty() && !talk.events.contains(&Event::Reset));
}

#[test]
fn what_is_sent_before_its_reply_is_early() {
    let mut talk = Talk::greeted(trusting());
    let said = talk.say(b"XCLIENT ADDR=192.0.2.9\r\nMAIL FROM:<a@b.c>\r\n");
    assert_eq!(codes(&said), [220, 421]);
    assert!(talk.closed);
    assert!(!talk.asks.iter().any(|ask| matches!(ask, Ask::Sender(_))));
}

#[test]
fn tls_comes_before_it_or_not_at_all() {
    let mut talk = Talk::greeted(Config { tls: TlsOffer::Upgrade, ..trusting() });
    talk.line("XCLIENT ADDR=192.0.2.9");
    assert!(!talk.line("EHLO a").contains("STARTTLS"));
    assert!(talk.line("STARTTLS").starts_with("502 5.5.1 "));
}

#[test]
fn a_peer_that_is_trusted_cannot_go_on_for_ever() {
    let mut talk = Talk::greeted(trusting());
    let count =
        (0..1000).take_while(|_| talk.line("XCLIENT ADDR=192.0.2.9").starts_with("220 ")).count();
    assert!(count < 101 && talk.closed, "{count}");
}
