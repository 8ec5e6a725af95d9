//! Submission (RFC 6409): a message is completed, its blind copies go, and short domains are refused.

mod seeded;
mod smtp_host;

use pillarbox_engine::smtp::{Answer, Ask, Config, Envelope, Mailbox, Service};
use pillarbox_engine::types::{Reason, Refusal};
use smtp_host::*;

const ENVELOPE: &[u8] = b"MAIL FROM:<a@b.c>\r\nRCPT TO:<bob@hamburger.edu>\r\n";

fn submission() -> Config {
    Config { service: Service::Submission, ..config() }
}

/// What is stored of a message that is sent by DATA, without this hop's Received field, and the same by BDAT.
fn stored(config: &Config, text: &[u8]) -> Vec<u8> {
    let mut talk = Talk::greeted(config.clone());
    talk.say(&[ENVELOPE, b"DATA\r\n"].concat());
    assert_eq!(codes(&talk.say(&[text, b".\r\n"].concat())), [250]);
    let by_data = talk.messages.pop().expect("a message").1;
    talk.say(ENVELOPE);
    for (at, piece) in text.chunks(7).enumerate() {
        let last = if 7 * (at + 1) >= text.len() { " LAST" } else { "" };
        let head = format!("BDAT {}{last}\r\n", piece.len());
        talk.say(&[head.as_bytes(), piece].concat());
    }
    let by_bdat = talk.messages.pop().expect("a message").1;
    let body = |octets: &[u8]| {
        let at = octets.windows(7).position(|seven| seven == b"+0000\r\n").expect("a Received");
        octets[at + 7..].to_vec()
    };
    // The name of the transaction is another one.
    let replaced = String::from_utf8(body(&by_bdat)).expect("text").replace("<s1.2.", "<s1.1.");
    assert_eq!(replaced.as_bytes(), body(&by_data));
    body(&by_data)
}

#[test]
fn what_is_missing_is_added_and_blind_copies_go() {
    let text = b"From: a@b.c\r\nBcc: secret@x.y,\r\n more@x.y\r\nSubject: x\r\n\r\nBcc: words\r\n";
    let expected = "From: a@b.c\r\nSubject: x\r\nDate: Mon, 05 Jan 2026 09:00:00 +0000\r\n\
        Message-ID: <s1.1.1767603600000@hamburger.edu>\r\n\r\nBcc: words\r\n";
    assert_eq!(String::from_utf8(stored(&submission(), text)).expect("text"), expected);
    // A relay leaves it alone.
    assert_eq!(stored(&config(), text), text);
    let whole = b"From: x@y.z\r\nDate: x\r\nMessage-ID: <y>\r\n\r\nwords\r\n";
    assert_eq!(stored(&submission(), whole), whole);
    let nameless = b"Date: x\r\nMessage-ID: <y>\r\n\r\nwords\r\n";
    let expected = b"Date: x\r\nMessage-ID: <y>\r\nFrom: a@b.c\r\n\r\nwords\r\n";
    assert_eq!(stored(&submission(), nameless), expected);
}

/// RFC 6409 §6.3, RFC 5322 §3.6.
#[test]
fn what_says_twice_or_not_at_all_who_it_is_from_is_refused() {
    let cases: [(&[u8], &[u8], &str); 6] = [
        (b"a@b.c", b"From: a@b.c\r\nFrom: d@e.f\r\n", "more than one From"),
        (b"a@b.c", b"From: a@b.c\r\nSender: a@b.c\r\nSENDER: a@b.c\r\n", "more than one Sender"),
        (b"a@b.c", b"From: a@b.c, root\r\n", "From field is not"),
        (b"a@b.c", b"From: a@b.c <d@e.f>\r\n", "From field is not"),
        (b"a@b.c", b"From: a@b.c\r\nSender: d@e.f, g@h.i\r\n", "Sender field is not"),
        (b"", b"Subject: x\r\n", "no From field"),
    ];
    for (path, header, word) in cases {
        let mut talk = Talk::greeted(submission());
        let mail = [b"MAIL FROM:<", path, b">\r\nRCPT TO:<bob@hamburger.edu>\r\n"].concat();
        talk.say(&[&mail[..], b"DATA\r\n"].concat());
        let said = talk.say(&[header, b"\r\nwords\r\n.\r\n"].concat());
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(said.starts_with("554 5.6.0 ") && said.contains(word), "{said}");
        let chunk = [header, b"\r\nwords\r\n"].concat();
        let head = format!("BDAT {} LAST\r\n", chunk.len());
        talk.say(&mail);
        let by_bdat = talk.say(&[head.as_bytes(), &chunk].concat());
        assert_eq!(String::from_utf8_lossy(&by_bdat), said);
        assert!(talk.messages.is_empty());
        // A relay takes what it is given.
        let mut talk = Talk::greeted(config());
        talk.say(&[&mail[..], b"DATA\r\n"].concat());
        assert_eq!(codes(&talk.say(&[header, b"\r\n.\r\n"].concat())), [250]);
    }
}

#[test]
fn an_empty_message_is_refused_by_both_framings() {
    for config in [config(), submission()] {
        let mut talk = Talk::greeted(config);
        talk.say(&[ENVELOPE, b"DATA\r\n"].concat());
        assert_eq!(codes(&talk.say(b".\r\n")), [554]);
        assert_eq!(
            codes(&talk.say(&[ENVELOPE, b"BDAT 0\r\nBDAT 0 LAST\r\n"].concat())),
            [250, 250, 250, 554]
        );
        assert!(talk.messages.is_empty());
    }
}

#[test]
fn the_host_is_told_how_large_the_message_became() {
    let mut talk = Talk::greeted(submission());
    talk.say(&[ENVELOPE, b"DATA\r\n"].concat());
    talk.say(b"Subject: \xc3\xa4\r\n\r\n.\r\n");
    let size = talk.messages[0].1.len() as u64;
    let commit = talk.asks.iter().find_map(|ask| match ask {
        Ask::Commit(envelope) => Some(Envelope { last: Vec::new(), ..envelope.clone() }),
        _ => None,
    });
    let authors = vec![Mailbox { local_part: b"a".to_vec(), domain: b"b.c".to_vec() }];
    assert_eq!(
        commit,
        Some(Envelope {
            size,
            eight_bit: true,
            authors,
            utf8_undeclared: true,
            ..Envelope::default()
        })
    );
}

#[test]
fn short_domains_are_refused_unless_the_server_has_one_itself() {
    let mut talk = Talk::greeted(submission());
    assert!(talk.line("MAIL FROM:<a@b>").starts_with("554 5.1.8 "));
    for sender in ["<a@b.c>", "<>", "<a@[192.0.2.1]>"] {
        assert!(talk.line(&format!("MAIL FROM:{sender}")).starts_with("250 "), "{sender}");
        assert!(talk.line("RCPT TO:<bob@hamburger>").starts_with("554 5.1.2 "));
        assert!(talk.line("RCPT TO:<bob>").starts_with("501 5.1.3 "));
        assert!(talk.line("RCPT TO:<postmaster>").starts_with("250 "));
        talk.line("RSET");
    }
    assert_eq!(talk.asks.len(), 6, "the host was not asked about the others");
    let mut talk = Talk::greeted(Config { host_name: b"localhost".to_vec(), ..submission() });
    assert!(talk.line("MAIL FROM:<a@localhost>").starts_with("250 "));
    let mut talk = Talk::greeted(config());
    assert!(talk.line("MAIL FROM:<a@b>").starts_with("250 "), "a relay takes what it gets");
}

#[test]
fn whom_a_user_may_send_as_is_the_hosts_to_say() {
    let mut talk = Talk::greeted(Config { auth_required: true, ..submission() });
    talk.judge = |ask| match ask {
        Ask::Sender(mail) => {
            let own = mail.reverse_path.as_ref().is_some_and(|path| path.local_part == b"ann");
            let refusal = Refusal::new(Reason::NotPermitted);
            Some(if own { Answer::Done } else { Answer::Refused(refusal) })
        }
        _ => None,
    };
    assert!(talk.line("AUTH PLAIN AGFubgBzM2NyZXQ=").starts_with("235 "));
    assert!(talk.line("MAIL FROM:<eve@b.c>").starts_with("550 5.7.1 "));
    assert!(talk.line("RCPT TO:<bob@hamburger.edu>").starts_with("503 "));
    assert!(talk.line("MAIL FROM:<ann@b.c>").starts_with("250 "));
}

/// RFC 3463 §3.3: a full mailbox "should be used as a persistent transient failure", so it is never 552 5.2.2; 552 is a
/// message that would never fit.
#[test]
fn over_quota_is_temporary_and_too_large_is_not() {
    for (reason, reply) in [
        (Reason::OverQuota, "452 4.2.2 "),
        (Reason::TooLarge, "552 5.3.4 "),
        (Reason::StorageFull, "452 4.3.1 "),
    ] {
        let mut talk = Talk::greeted(config());
        talk.judge = match reason {
            Reason::OverQuota => |ask| refuse(ask, Reason::OverQuota),
            Reason::TooLarge => |ask| refuse(ask, Reason::TooLarge),
            _ => |ask| refuse(ask, Reason::StorageFull),
        };
        talk.line("MAIL FROM:<a@b.c>");
        let said = talk.line("RCPT TO:<bob@hamburger.edu>");
        assert!(said.starts_with(reply), "{said}");
    }
}

fn refuse(ask: &Ask, reason: Reason) -> Option<Answer> {
    matches!(ask, Ask::Recipient(_)).then_some(Answer::Refused(Refusal::new(reason)))
}
