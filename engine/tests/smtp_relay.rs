//! Who is asked for is exactly who was named, in every notation, and nobody else is ever served.

mod seeded;
mod smtp_host;

use pillarbox_engine::smtp::{Ask, Mailbox};
use smtp_host::*;

/// What a recipient's notation means: nobody, or a mailbox and whether this host takes mail for it.
type Meaning = Option<(&'static str, &'static str, bool)>;

/// `hamburger.edu` is ours.
const RECIPIENTS: [(&str, Meaning); 19] = [
    ("<u@other.org>", Some(("u", "other.org", false))),
    ("<u%other.org@hamburger.edu>", Some(("u%other.org", "hamburger.edu", true))),
    ("<other.org!u@hamburger.edu>", Some(("other.org!u", "hamburger.edu", true))),
    ("<@hamburger.edu:u@other.org>", Some(("u", "other.org", false))),
    ("<@other.org,@third.org:u@hamburger.edu>", Some(("u", "hamburger.edu", true))),
    ("<\"u@other.org\"@hamburger.edu>", Some(("u@other.org", "hamburger.edu", true))),
    ("<\"u\\@other.org\"@hamburger.edu>", Some(("u@other.org", "hamburger.edu", true))),
    ("<u@other.org@hamburger.edu>", None),
    ("<u@[192.0.2.66]>", Some(("u", "[192.0.2.66]", false))),
    ("<u@[IPv6:2001:db8::66]>", Some(("u", "[IPv6:2001:db8::66]", false))),
    ("<u@192.0.2.66>", Some(("u", "192.0.2.66", false))),
    ("<u@hamburger.edu.>", None),
    ("<u>", None),
    ("<>", None),
    ("<postmaster>", Some(("Postmaster", "", true))),
    ("<U@HAMBURGER.EDU>", Some(("U", "HAMBURGER.EDU", false))),
    ("<u+x@hamburger.edu>", Some(("u+x", "hamburger.edu", true))),
    ("<@hamburger.edu>", None),
    ("<u@b\u{fc}cher.example>", None),
];

const SENDERS: [(&str, &str); 4] = [
    ("crepes.fr", "<>"),
    ("crepes.fr", "<bob@hamburger.edu>"),
    ("crepes.fr", "<a@crepes.fr>"),
    ("hamburger.edu", "<a@crepes.fr>"),
];

/// The mailboxes that the host was asked for.
fn asked(talk: &Talk) -> Vec<Mailbox> {
    let mailbox = |ask: &Ask| match ask {
        Ask::Recipient(to) => Some(to.forward_path.clone()),
        _ => None,
    };
    talk.asks.iter().filter_map(mailbox).collect()
}

#[test]
fn seventy_six_notations_ask_for_what_they_mean() {
    let mut count = 0;
    for (recipient, meaning) in RECIPIENTS {
        for (helo, sender) in SENDERS {
            count += 1;
            let mut talk = Talk::new(config());
            talk.say(b"");
            talk.line(&format!("EHLO {helo}"));
            assert!(talk.line(&format!("MAIL FROM:{sender}")).starts_with("250 "));
            let reply = talk.line(&format!("RCPT TO:{recipient}"));
            let name = format!("{recipient} from {sender}: {reply}");
            let expected = meaning.map(|(local, domain, _)| Mailbox {
                local_part: local.as_bytes().to_vec(),
                domain: domain.as_bytes().to_vec(),
            });
            assert_eq!(asked(&talk), expected.clone().into_iter().collect::<Vec<_>>(), "{name}");
            let start = match meaning {
                None if recipient.is_ascii() => "501 5.1.3 ",
                None => "553 5.6.7 ",
                Some((_, _, true)) => "250 2.1.5 ",
                Some((_, _, false)) => "550 5.7.1 ",
            };
            assert!(reply.starts_with(start), "{name}");
            // What was refused does not come back with the message.
            let ours = meaning.is_some_and(|(_, _, ours)| ours);
            let data = talk.line("DATA");
            assert!(data.starts_with(if ours { "354 " } else { "503 " }), "{name}{data}");
            if ours {
                talk.say(b"a: b\r\n\r\n.\r\n");
                let to: Vec<_> = talk.messages[0].0.iter().map(|to| &to.forward_path).collect();
                assert_eq!(to, [&expected.expect("ours has a meaning")], "{name}");
            } else {
                assert!(talk.messages.is_empty(), "{name}");
            }
        }
    }
    assert_eq!(count, 76);
}

#[test]
fn a_refused_recipient_among_others_is_not_served() {
    let mut talk = Talk::greeted(config());
    talk.line("MAIL FROM:<a@crepes.fr>");
    for (recipient, _) in RECIPIENTS {
        talk.line(&format!("RCPT TO:{recipient}"));
    }
    talk.line("DATA");
    talk.say(b"a: b\r\n\r\n.\r\n");
    let served: Vec<_> = talk.messages[0].0.iter().map(|to| to.forward_path.clone()).collect();
    let ours = RECIPIENTS.into_iter().filter_map(|(_, meaning)| meaning.filter(|to| to.2));
    let ours: Vec<_> = ours
        .map(|(local, domain, _)| Mailbox {
            local_part: local.as_bytes().to_vec(),
            domain: domain.as_bytes().to_vec(),
        })
        .collect();
    assert_eq!(served, ours);
}

#[test]
fn xclient_and_the_like_of_a_stranger_change_nothing() {
    let mut talk = Talk::greeted(config());
    for line in ["XCLIENT ADDR=127.0.0.1 NAME=localhost", "XFORWARD ADDR=127.0.0.1"] {
        assert!(talk.line(line).starts_with("500 "));
    }
    talk.line("MAIL FROM:<a@b.c>");
    assert!(talk.line("RCPT TO:<u@other.org>").starts_with("550 5.7.1 "));
    let mut talk = Talk::new(config());
    talk.say(b"");
    assert!(talk.line("PROXY TCP4 127.0.0.1 127.0.0.1 1 25").starts_with("500 "));
}
