//! The SMTP client against a server that says what the test says: each point of failure, each kind of reply.

mod smtp_client_host;

use pillarbox_engine::sasl::{LoginAsk, LoginSecret, Mechanism};
use pillarbox_engine::smtp::client::types::{Call, Config, Event, Fate, Stage, TlsPolicy};
use pillarbox_engine::smtp::{Body, Service};
use pillarbox_engine::types::Misuse;
use smtp_client_host::*;

const EHLO: &str = "EHLO client.example\r\n";
const MAIL: &str = "MAIL FROM:<ann@a.example>\r\n";
const MESSAGE: &[u8] = b"Subject: x\r\n\r\nhello\r\n";

/// A client that was greeted by a server which offers these keywords.
fn ready(config: Config, keywords: &[&str]) -> Drive {
    let mut drive = Drive::new(config);
    if drive.securing {
        assert_eq!(drive.secure(), "");
    }
    drive.exchange("220 mx.example ESMTP\r\n", EHLO);
    drive.hear(offer(keywords).as_bytes());
    drive
}

fn offer(keywords: &[&str]) -> String {
    let mut reply = String::from("250-mx.example greets you\r\n");
    keywords.iter().for_each(|keyword| reply.push_str(&format!("250-{keyword}\r\n")));
    reply + "250 HELP\r\n"
}

#[test]
fn a_delivery_step_by_step() {
    let mut drive = Drive::new(config());
    assert_eq!(drive.said(), "");
    drive.deliver(7, &["bob@b.example", "no@b.example"], b"Subject: x\r\n\r\n.dot\r\n..\r\nend");
    drive.exchange("220-mx.example\r\n", "");
    drive.exchange("220 hello\r\n", EHLO);
    drive.exchange("250 mx.example\r\n", MAIL);
    drive.exchange("250 2.1.0 ok\r\n", "RCPT TO:<bob@b.example>\r\n");
    drive.exchange("250 ok\r\n", "RCPT TO:<no@b.example>\r\n");
    drive.exchange("550-5.1.1 no such\r\n550 5.1.1 mailbox\r\n", "DATA\r\n");
    drive.exchange("354 go\r\n", "Subject: x\r\n\r\n..dot\r\n...\r\nend\r\n.\r\n");
    drive.exchange("250 2.0.0 queued as 1\r\n", "");
    let fates = drive.fates(7);
    let Fate::Accepted(reply) = &fates[0] else { panic!("{fates:?}") };
    assert_eq!(reply.lines, [b"queued as 1"]);
    assert_eq!(reply.status.map(|s| (s.class, s.subject, s.detail)), Some((2, 0, 0)));
    let Fate::Failed(failure) = &fates[1] else { panic!("{fates:?}") };
    assert_eq!(failure.stage, Stage::Recipient);
    let reply = failure.reply.as_ref().expect("the server's words");
    assert_eq!(reply.lines, [&b"no such"[..], b"mailbox"]);
    assert_eq!(failure.diagnosis, "5.1.1 The server refused the recipient");
    assert_eq!(drive.offer().map(|offer| &offer.name[..]), Some(&b"mx.example"[..]));
    drive.call(Call::Quit);
    assert_eq!(drive.said(), "QUIT\r\n");
    assert!(drive.is_done() && !drive.closed);
    drive.exchange("221 bye\r\n", "");
    assert!(drive.closed);
}

#[test]
fn commands_are_pipelined_where_that_is_offered() {
    let mut drive = ready(config(), &["PIPELINING", "SIZE 1000"]);
    drive.deliver(1, &["a@b.example", "b@b.example"], MESSAGE);
    assert_eq!(
        drive.said(),
        "MAIL FROM:<ann@a.example> SIZE=21\r\nRCPT TO:<a@b.example>\r\nRCPT TO:<b@b.example>\r\nDATA\r\n"
    );
    drive.exchange("250 ok\r\n250 ok\r\n450 4.2.1 later\r\n", "");
    drive.exchange("354 go\r\n", "Subject: x\r\n\r\nhello\r\n.\r\n");
    drive.exchange("250 ok\r\n", "");
    let fates = drive.short(1);
    assert_eq!(fates[0], "accepted 250");
    assert_eq!(fates[1], "deferred Recipient 4.2.1 The server refused the recipient");
}

/// RFC 2920 §3.1: nobody is to get the data that the server wants, and a lone dot ends it.
#[test]
fn a_server_that_wants_data_for_nobody_gets_a_lone_dot() {
    let mut drive = ready(config(), &["PIPELINING"]);
    drive.deliver(1, &["a@b.example"], MESSAGE);
    drive.said();
    drive.exchange("250 ok\r\n550 no\r\n354 go\r\n", ".\r\n");
    drive.exchange("554 no valid recipients\r\n", "");
    assert_eq!(drive.short(1), ["failed Recipient 5.0.0 The server refused the recipient"]);
    // The transaction may still be open there, so the next one begins with RSET.
    drive.deliver(2, &["c@b.example"], MESSAGE);
    assert!(drive.said().starts_with("RSET\r\nMAIL FROM"));
    drive.exchange("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n", "Subject: x\r\n\r\nhello\r\n.\r\n");
    drive.hear(b"250 ok\r\n");
    assert_eq!(drive.short(2), ["accepted 250"]);
}

#[test]
fn a_sender_that_is_refused_ends_the_delivery_and_not_the_session() {
    for (keywords, vain) in [(&["PIPELINING"][..], "503 no\r\n503 no\r\n"), (&[], "")] {
        let mut drive = ready(config(), keywords);
        drive.deliver(1, &["a@b.example"], MESSAGE);
        drive.hear(b"451 4.7.1 greylisted\r\n");
        drive.hear(vain.as_bytes());
        assert_eq!(drive.short(1), ["deferred Mail 4.7.1 The server refused the sender"]);
        drive.said();
        drive.deliver(2, &["a@b.example"], MESSAGE);
        assert!(drive.said().starts_with(MAIL));
    }
}

#[test]
fn what_is_refused_at_data_and_after_it() {
    let mut drive = ready(config(), &[]);
    drive.deliver(1, &["a@b.example"], MESSAGE);
    drive.hear(b"250 ok\r\n");
    drive.said();
    drive.exchange("250 ok\r\n", "DATA\r\n");
    drive.hear(b"452 4.3.1 disk full\r\n");
    assert_eq!(drive.short(1), ["deferred Data 4.3.1 The server refused the message"]);
    drive.deliver(2, &["a@b.example"], MESSAGE);
    drive.exchange("", "RSET\r\n");
    drive.exchange("250 ok\r\n", MAIL);
    drive.hear(b"250 ok\r\n");
    drive.hear(b"250 ok\r\n");
    drive.hear(b"354 ok\r\n");
    drive.hear(b"554 5.7.1 spam\r\n");
    assert_eq!(drive.short(2), ["failed EndOfData 5.7.1 The server refused the message"]);
    drive.said();
    drive.deliver(3, &["a@b.example"], MESSAGE);
    assert_eq!(drive.said(), MAIL, "after the end of data there is nothing to reset");
}

#[test]
fn a_server_too_old_for_ehlo_is_greeted_with_helo() {
    let mut drive = Drive::new(config());
    drive.deliver(1, &["a@b.example"], MESSAGE);
    drive.exchange("220 old.example\r\n", EHLO);
    drive.exchange("502 what?\r\n", "HELO client.example\r\n");
    drive.exchange("250 old.example\r\n", MAIL);
    // LMTP has no older form.
    let mut drive = Drive::new(Config { service: Service::Lmtp, ..config() });
    drive.deliver(1, &["a@b.example"], MESSAGE);
    drive.exchange("220 l.example\r\n", "LHLO client.example\r\n");
    drive.exchange("500 what?\r\n", "QUIT\r\n");
    assert!(drive.is_done() && drive.short(1)[0].starts_with("deferred Session"));
}

#[test]
fn a_server_that_does_not_serve_defers_everything() {
    for greeting in ["554 no service here\r\n", "421 busy\r\n", "450 later\r\n", "+OK pop3\r\n"] {
        let mut drive = Drive::new(config());
        drive.deliver(1, &["a@b.example", "b@b.example"], MESSAGE);
        drive.deliver(2, &["a@b.example"], MESSAGE);
        drive.hear(greeting.as_bytes());
        assert!(drive.is_done(), "{greeting}");
        for fate in drive.short(1).into_iter().chain(drive.short(2)) {
            assert!(fate.starts_with("deferred Session"), "{greeting}: {fate}");
        }
        assert!(drive.offer().is_none());
        let delivery = drive.delivery(3, &["a@b.example"], MESSAGE);
        let late = drive.session.call(drive.now, Call::Deliver(delivery));
        assert!(drive.closed || late == Err(Misuse::WrongState));
    }
}

/// A server that greets twice is ahead of us: its next reply would be taken for that to another command.
#[test]
fn a_second_greeting_is_not_taken_for_the_reply_to_ehlo() {
    let mut drive = Drive::new(config());
    drive.deliver(1, &["a@b.example"], MESSAGE);
    drive.hear(b"220 a\r\n220 b\r\n");
    assert!(drive.closed && drive.defects() == 1);
    assert!(drive.short(1)[0].starts_with("deferred Session 4.5.0"));
}

#[test]
fn starttls_is_used_as_the_policy_says() {
    let with = |tls| Config { tls, ..config() };
    // Offered: both policies take it.
    for tls in [TlsPolicy::Opportunistic, TlsPolicy::Required] {
        let mut drive = ready(with(tls), &["STARTTLS", "PIPELINING", "AUTH PLAIN"]);
        assert_eq!(drive.said(), "");
        assert!(drive.sent.ends_with(b"STARTTLS\r\n"));
        // Whatever is injected with the reply, or comes after it, was never said.
        let injected = "220 go\r\n250-mx.example\r\n250-SIZE 1\r\n250 X-EVIL\r\n";
        drive.exchange(injected, "");
        assert!(drive.securing);
        drive.exchange("250 more evil\r\n", "");
        assert_eq!(drive.secure(), EHLO);
        drive.exchange("250-mx.example\r\n250 STARTTLS\r\n", "");
        assert!(!drive.closed, "{:?}", drive.events);
        let offer = drive.offer().expect("ready").clone();
        assert!(!offer.extensions.pipelining && !offer.extensions.size);
        assert_eq!(offer.name, b"mx.example");
        drive.deliver(1, &["a@b.example"], MESSAGE);
        assert_eq!(drive.said(), MAIL);
    }
    // Refused or not offered: opportunistic goes on, required gives up.
    for (keywords, reply) in [(&["STARTTLS"][..], "454 not now\r\n"), (&[], "")] {
        let mut drive = ready(with(TlsPolicy::Opportunistic), keywords);
        drive.hear(reply.as_bytes());
        assert!(drive.offer().is_some_and(|offer| !offer.start_tls));
        assert!(!drive.securing);
        let mut drive = Drive::new(with(TlsPolicy::Required));
        drive.deliver(1, &["a@b.example"], MESSAGE);
        drive.script(&["220 mx.example\r\n", &offer(keywords), reply]);
        assert!(drive.short(1)[0].starts_with("deferred Session 4.7.10"));
        assert!(drive.sent.ends_with(b"QUIT\r\n") && drive.offer().is_none() && drive.is_done());
    }
    // Not wanted, or there already.
    for tls in [TlsPolicy::None, TlsPolicy::Implicit] {
        let drive = ready(with(tls), &["STARTTLS"]);
        assert!(drive.offer().is_some() && !drive.sent.ends_with(b"STARTTLS\r\n"));
    }
}

#[test]
fn logins() {
    let with = Config { login: true, ..config() };
    let mut drive = Drive::new(with.clone());
    drive.secrets = vec![password(Mechanism::Login), password(Mechanism::Plain)];
    drive.hear(b"220 mx\r\n");
    drive.said();
    drive.exchange("250-mx\r\n250 AUTH GSSAPI LOGIN PLAIN\r\n", "AUTH LOGIN\r\n");
    let LoginAsk::Choose(choice) = &drive.logins[0] else { panic!() };
    assert_eq!(choice.mechanisms, [Mechanism::Plain, Mechanism::Login]);
    assert!(!choice.secured && choice.attempt == 1);
    drive.exchange("334 VXNlcm5hbWU6\r\n", "YW5u\r\n");
    drive.exchange("334 UGFzc3dvcmQ6\r\n", "czNjcmV0\r\n");
    // Refused: the host is asked once more.
    drive.exchange("535 5.7.8 no\r\n", "AUTH PLAIN AGFubgBzM2NyZXQ=\r\n");
    assert!(drive.offer().is_none());
    drive.exchange("235 2.7.0 in\r\n", "");
    assert!(drive.offer().is_some());

    // Without a secret, or a mechanism, nothing is sent.
    for keywords in ["250 AUTH PLAIN\r\n", "250 AUTH GSSAPI\r\n", "250 SIZE\r\n"] {
        let mut drive = Drive::new(with.clone());
        drive.secrets = vec![LoginSecret::NoLogin];
        drive.deliver(1, &["a@b.example"], MESSAGE);
        drive.hear(b"220 mx\r\n");
        drive.said();
        drive.exchange(&format!("250-mx\r\n{keywords}"), "QUIT\r\n");
        assert!(drive.short(1)[0].starts_with("deferred Session 4.7.0"));
    }
    // A server that refuses for ever.
    let mut drive = Drive::new(with);
    drive.secrets = vec![password(Mechanism::Plain); 10];
    drive.deliver(1, &["a@b.example"], MESSAGE);
    drive.script(&["220 mx\r\n", "250-mx\r\n250 AUTH PLAIN\r\n"]);
    (0..10).for_each(|_| drop(drive.hear(b"535 5.7.8 no\r\n")));
    assert_eq!(drive.logins.len(), 3);
    assert!(drive.closed && drive.short(1)[0].starts_with("deferred Session 4.7.0"));
}

#[test]
fn limits_of_the_server_are_kept() {
    let mut drive = ready(config(), &["PIPELINING", "LIMITS RCPTMAX=2 MAILMAX=3"]);
    let to = ["a@b.example", "b@b.example", "c@b.example"];
    drive.deliver(1, &to, MESSAGE);
    drive.deliver(2, &to, MESSAGE);
    drive.deliver(3, &to, MESSAGE);
    let said = drive.said();
    assert_eq!(said.matches("RCPT").count(), 2);
    let two = ["250 ok\r\n250 ok\r\n250 ok\r\n354 ok\r\n", "250 one\r\n"];
    let one = ["250 ok\r\n250 ok\r\n354 ok\r\n", "250 two\r\n"];
    assert_eq!(drive.script(&two).matches("RCPT").count(), 1);
    assert_eq!(drive.script(&one).matches("RCPT").count(), 2);
    assert_eq!(drive.short(1), ["accepted 250"; 3]);
    let said = drive.script(&two);
    assert!(said.ends_with("QUIT\r\n"), "{said}");
    assert_eq!(drive.short(2)[..2], ["accepted 250", "accepted 250"]);
    assert!(drive.short(2)[2].starts_with("deferred Session 4.4.5"));
    assert!(drive.short(3).iter().all(|fate| fate.starts_with("deferred Session 4.4.5")));
    assert!(drive.is_done());
}

/// RFC 5321 §4.5.3.1.10: 452, and of old 552, only says that there are too many at a time.
#[test]
fn recipients_for_whom_there_were_too_many_get_another_transaction() {
    let mut drive = ready(config(), &["PIPELINING"]);
    drive.deliver(1, &["a@b.example", "b@b.example", "c@b.example", "d@b.example"], MESSAGE);
    drive.hear(b"250 ok\r\n250 ok\r\n452 4.5.3 many\r\n552 many\r\n452 4.2.2 full\r\n354 ok\r\n");
    drive.said();
    let said = drive.hear(b"250 ok\r\n");
    assert!(said.contains("b@b") && said.contains("c@b") && !said.contains("d@b"), "{said}");
    // Nobody is taken now: that was the end of it.
    drive.hear(b"250 ok\r\n452 4.5.3 many\r\n452 4.5.3 many\r\n554 none\r\n");
    let fates = drive.short(1);
    assert_eq!(fates[0], "accepted 250");
    assert!(fates[1..].iter().all(|fate| fate.starts_with("deferred Recipient")), "{fates:?}");
}

#[test]
fn what_the_server_cannot_take_is_not_tried() {
    let mut drive = ready(config(), &["SIZE 10"]);
    drive.deliver(1, &["a@b.example"], MESSAGE);
    assert!(drive.short(1)[0].starts_with("failed Mail 5.3.4"));
    let mut utf8 = drive.delivery(2, &["a@b.example"], b"x: y\r\n");
    utf8.mail.smtputf8 = true;
    drive.call(Call::Deliver(utf8));
    assert!(drive.short(2)[0].starts_with("failed Mail 5.6.7"));
    // One address alone does not take the others with it.
    drive.deliver(3, &["a@b.example", "ä@b.example"], b"x: y\r\n");
    drive.script(&["250 ok\r\n250 ok\r\n354 ok\r\n", "250 ok\r\n"]);
    let fates = drive.short(3);
    assert_eq!(fates[0], "accepted 250");
    assert!(fates[1].starts_with("failed Recipient 5.6.7"));
    let said = String::from_utf8_lossy(&drive.sent).into_owned();
    assert_eq!(said.matches("MAIL").count(), 1);
}

/// RFC 8689 §4.2.1.
#[test]
fn required_tls_is_not_done_without() {
    let cases = [
        (TlsPolicy::None, &["REQUIRETLS"][..], Some("failed Session 5.7.10")),
        (TlsPolicy::Implicit, &[], Some("failed Session 5.7.30")),
        (TlsPolicy::Implicit, &["REQUIRETLS"], None),
    ];
    for (tls, keywords, fate) in cases {
        let mut drive = ready(Config { tls, ..config() }, keywords);
        let mut delivery = drive.delivery(1, &["a@b.example"], MESSAGE);
        delivery.require_tls = true;
        drive.said();
        drive.call(Call::Deliver(delivery));
        match fate {
            Some(fate) => assert!(drive.short(1)[0].starts_with(fate)),
            None => assert_eq!(drive.said(), "MAIL FROM:<ann@a.example> REQUIRETLS\r\n"),
        }
    }
    // A handshake that need not prove anything is not enough.
    let mut drive =
        ready(Config { tls: TlsPolicy::Opportunistic, ..config() }, &["STARTTLS", "REQUIRETLS"]);
    drive.hear(b"220 go\r\n");
    drive.secure();
    drive.hear(b"250-mx\r\n250 REQUIRETLS\r\n");
    let mut delivery = drive.delivery(1, &["a@b.example"], MESSAGE);
    delivery.require_tls = true;
    drive.call(Call::Deliver(delivery));
    assert!(drive.short(1)[0].starts_with("failed Session 5.7.10"));
}

#[test]
fn lmtp_gives_each_recipient_its_own_reply() {
    let mut drive = Drive::new(Config { service: Service::Lmtp, ..config() });
    drive.deliver(1, &["a@b.example", "no@b.example", "c@b.example"], MESSAGE);
    drive.exchange("220 l\r\n", "LHLO client.example\r\n");
    drive.hear(b"250-l\r\n250 PIPELINING\r\n");
    drive.hear(b"250 ok\r\n250 ok\r\n550 no\r\n250 ok\r\n354 go\r\n");
    drive.hear(b"250 2.0.0 in\r\n");
    assert!(drive.finished().is_empty());
    drive.hear(b"452 4.2.2 full\r\n");
    let fates = drive.short(1);
    assert_eq!(fates[0], "accepted 250");
    assert!(fates[1].starts_with("failed Recipient") && fates[2].starts_with("deferred EndOfData"));
}

/// LMTP: who had a reply before the connection was lost keeps it.
#[test]
fn after_the_last_octet_a_lost_connection_leaves_it_open() {
    for service in [Service::Smtp, Service::Lmtp] {
        let mut drive = Drive::new(Config { service, ..config() });
        drive.deliver(1, &["a@b.example", "b@b.example"], MESSAGE);
        drive.deliver(2, &["a@b.example"], MESSAGE);
        drive.script(&["220 l\r\n", "250 l\r\n"]);
        drive.hear(b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
        if service == Service::Lmtp {
            drive.hear(b"250 ok\r\n");
        }
        drive.end();
        let fates = drive.short(1);
        let first = if service == Service::Lmtp { "accepted" } else { "uncertain EndOfData 4.4.2" };
        assert!(fates[0].starts_with(first), "{fates:?}");
        assert!(fates[1].starts_with("uncertain EndOfData 4.4.2"), "{fates:?}");
        assert!(drive.short(2)[0].starts_with("deferred Session 4.4.2"));
        assert!(drive.closed && drive.is_done());
    }
}

#[test]
fn a_server_that_refuses_before_the_end_of_data_never_gets_the_end() {
    let message = [b"Subject: x\r\n\r\n".to_vec(), b"line\r\n".repeat(10_000)].concat();
    for reply in ["552 5.3.4 too big\r\n", "250 fine\r\n", "421 bye\r\n", "nonsense\r\n"] {
        let mut drive = ready(config(), &[]);
        drive.deliver(1, &["a@b.example"], &message);
        drive.hear(b"250 ok\r\n250 ok\r\n");
        // The reply comes with 354, long before the end.
        drive.hear(format!("354 go\r\n{reply}").as_bytes());
        assert!(drive.closed && !drive.sent.ends_with(b".\r\n"), "{reply}");
        let expected = if reply.starts_with('5') { "failed Data 5.3.4" } else { "deferred Data" };
        assert!(drive.short(1)[0].starts_with(expected), "{reply}: {:?}", drive.short(1));
    }
}

#[test]
fn chunks_go_out_where_they_are_offered() {
    let message = [b"Subject: x\r\n\r\n.\r\n".to_vec(), b"line\n".repeat(8_000)].concat();
    let mut drive = ready(config(), &["PIPELINING", "CHUNKING"]);
    drive.deliver(1, &["a@b.example", "b@b.example"], &message);
    drive.said();
    let said = drive.hear(b"250 ok\r\n250 ok\r\n250 ok\r\n");
    assert!(said.starts_with("BDAT ") && said.matches("BDAT").count() == 3, "{}", &said[..40]);
    assert!(!said.contains("\r\n..\r\n") && said.contains("BDAT 8"), "no dot is doubled");
    drive.hear(b"250 ok\r\n250 ok\r\n250 ok\r\n");
    assert_eq!(drive.short(1), ["accepted 250"; 2]);
    assert!(drive.ask_max <= 16 * 1024);

    // A chunk that is refused ends the message, and RSET the transaction.
    let mut drive = ready(config(), &["CHUNKING"]);
    drive.deliver(1, &["a@b.example"], MESSAGE);
    drive.hear(b"250 ok\r\n");
    drive.said();
    drive.exchange("250 ok\r\n", "BDAT 21 LAST\r\nSubject: x\r\n\r\nhello\r\n");
    drive.hear(b"452 4.3.1 full\r\n");
    assert!(drive.short(1)[0].starts_with("deferred EndOfData 4.3.1"));

    // What is stored as it is to be sent goes by reference, and binary only so.
    let mut drive = ready(config(), &["CHUNKING", "BINARYMIME", "8BITMIME"]);
    let mut delivery = drive.delivery(1, &["a@b.example"], b"A: b\r\n\r\n\0\r\xff\n.\r\n");
    delivery.mail.body = Body::BinaryMime;
    drive.call(Call::Deliver(delivery));
    assert!(drive.said().ends_with("BODY=BINARYMIME\r\n"));
    drive.hear(b"250 ok\r\n250 ok\r\n");
    assert!(drive.sent.ends_with(b"BDAT 15 LAST\r\nA: b\r\n\r\n\0\r\xff\n.\r\n"));
    assert_eq!(drive.asks, 0);
}

#[test]
fn a_refused_chunk_stops_the_rest() {
    let message = [b"Subject: x\r\n\r\n".to_vec(), b"line\n".repeat(100_000)].concat();
    let mut drive = ready(config(), &["PIPELINING", "CHUNKING"]);
    drive.deliver(1, &["a@b.example"], &message);
    drive.hear(b"250 ok\r\n250 ok\r\n");
    let said = String::from_utf8_lossy(&drive.sent).into_owned();
    assert_eq!(said.matches("BDAT").count(), 8, "so many may wait for their replies");
    drive.said();
    drive.exchange("552 5.3.4 too big\r\n", "");
    assert!(drive.finished().is_empty());
    drive.exchange(&"503 no\r\n".repeat(7), "");
    assert!(drive.short(1)[0].starts_with("failed Data 5.3.4"), "{:?}", drive.short(1));
    assert!(!drive.closed);
    drive.deliver(2, &["a@b.example"], MESSAGE);
    assert!(drive.said().starts_with("RSET\r\nMAIL"));
}

#[test]
fn a_message_that_cannot_be_read_never_looks_whole() {
    let message = [b"Subject: x\r\n\r\n".to_vec(), b"line\r\n".repeat(10_000)].concat();
    for keywords in [&["PIPELINING", "CHUNKING"][..], &["PIPELINING"], &[]] {
        let mut drive = ready(config(), keywords);
        drive.refuse_from = Some(1);
        drive.deliver(1, &["a@b.example"], &message);
        drive.hear(b"250 ok\r\n250 ok\r\n");
        drive.hear(b"354 ok\r\n");
        assert!(drive.closed && drive.is_done());
        assert!(!drive.sent.ends_with(b".\r\n"));
        assert!(!drive.sent.windows(4).any(|four| four == b"LAST"));
        assert_eq!(drive.short(1), ["deferred Data 4.3.0 The stored message could not be read"]);
    }
}

#[test]
fn stored_lines_without_crlf_are_sent_with_it() {
    let mut drive = ready(config(), &[]);
    drive.deliver(1, &["a@b.example"], b"A: b\n\n.\nc\rd\n.\r");
    drive.hear(b"250 ok\r\n250 ok\r\n");
    drive.said();
    drive.exchange("354 ok\r\n", "A: b\r\n\r\n..\r\nc d\r\n.. \r\n.\r\n");
}

#[test]
fn deliveries_can_be_taken_back_until_they_begin() {
    let mut drive = ready(config(), &[]);
    drive.deliver(1, &["a@b.example"], MESSAGE);
    drive.deliver(2, &["a@b.example"], MESSAGE);
    drive.call(Call::Cancel(1));
    drive.call(Call::Cancel(2));
    drive.call(Call::Cancel(9));
    assert_eq!(drive.finished().len(), 1);
    assert_eq!(drive.short(2), ["deferred Session 4.3.0 The delivery was cancelled"]);
    drive.script(&["250 ok\r\n250 ok\r\n354 ok\r\n", "250 ok\r\n"]);
    assert_eq!(drive.short(1), ["accepted 250"]);
}

#[test]
fn calls_that_make_no_sense_are_misuses() {
    let mut drive = ready(config(), &[]);
    let delivery = drive.delivery(1, &["a@b.example"], MESSAGE);
    drive.call(Call::Deliver(delivery.clone()));
    let again = drive.session.call(drive.now, Call::Deliver(delivery.clone()));
    assert_eq!(again, Err(Misuse::BadValue), "its name is in use");
    for id in 2..=101 {
        drive.call(Call::Deliver(drive_with_id(&delivery, id)));
    }
    let many = drive.session.call(drive.now, Call::Deliver(drive_with_id(&delivery, 102)));
    assert_eq!(many, Err(Misuse::BadValue), "too many wait");
    drive.call(Call::Quit);
    let late = drive.session.call(drive.now, Call::Deliver(drive_with_id(&delivery, 103)));
    assert_eq!(late, Err(Misuse::WrongState));
    drive.end();
    assert_eq!(drive.finished().len(), 101);
}

fn drive_with_id(
    delivery: &pillarbox_engine::smtp::client::types::Delivery,
    id: u32,
) -> pillarbox_engine::smtp::client::types::Delivery {
    pillarbox_engine::smtp::client::types::Delivery { id, ..delivery.clone() }
}

/// RFC 5321 §4.5.3.2: each wait has its own end.
#[test]
fn time_runs_out_at_each_point() {
    let timeouts = config().timeouts;
    let script = [
        ("", timeouts.command_ms, "deferred Session 4.4.2"),
        ("220 mx\r\n", timeouts.command_ms, "deferred Session 4.4.2"),
        ("250 mx\r\n", timeouts.command_ms, "deferred Mail 4.4.2"),
        ("250 ok\r\n", timeouts.command_ms, "deferred Recipient 4.4.2"),
        ("250 ok\r\n", timeouts.data_start_ms, "deferred Data 4.4.2"),
        ("354 ok\r\n", timeouts.data_end_ms, "uncertain EndOfData 4.4.2"),
    ];
    for point in 0..script.len() {
        let mut drive = Drive::new(config());
        drive.deliver(1, &["a@b.example"], MESSAGE);
        for (reply, ..) in &script[..=point] {
            drive.hear(reply.as_bytes());
        }
        // A reply that never ends does not help.
        drive.hear(b"250-and\r\n250-so on\r\n");
        let (_, ms, fate) = script[point];
        assert_eq!(drive.deadline_ms, Some(drive.now.monotonic_ms + ms), "point {point}");
        drive.wait(ms - 1);
        assert!(!drive.closed);
        drive.wait(1);
        assert!(drive.closed && drive.is_done(), "point {point}");
        assert!(drive.short(1)[0].starts_with(fate), "{:?}", drive.short(1));
    }
    let drive = ready(config(), &[]);
    assert_eq!(drive.deadline_ms, None, "who waits for work has time");
}

#[test]
fn an_idle_session_hears_the_server_leave() {
    for (said, closes) in [("421 4.4.2 idle\r\n", true), ("250 what\r\n", true), ("", true)] {
        let mut drive = ready(config(), &[]);
        if said.is_empty() {
            drive.end()
        } else {
            drop(drive.hear(said.as_bytes()))
        }
        assert_eq!(drive.closed, closes);
        assert!(drive.is_done());
        let delivery = drive.delivery(1, &["a@b.example"], MESSAGE);
        assert_eq!(drive.session.call(drive.now, Call::Deliver(delivery)), Ok(()), "it is over");
    }
}

#[test]
fn strange_replies_are_read_as_far_as_they_make_sense() {
    let mut drive = Drive::new(config());
    drive.deliver(1, &["a@b.example"], MESSAGE);
    drive.hear(b"220\r\n");
    drive.hear(b"250-mx\r\n250-SIZE\r\n250\r\n");
    // Bare CR and NUL in the text, another code in the last line, a line far too long.
    drive.hear(b"250 a\rb\0\r\n");
    drive.hear(b"550-no\r\n250 or yes\r\n");
    drive.hear(&[b"354 ", &[b'x'; 9000][..], b"\r\n"].concat());
    drive.hear(&[b"250-", &b"250-x\r\n".repeat(900)[4..], b"250 ok\r\n"].concat());
    assert!(drive.defects() >= 2);
    let Fate::Accepted(reply) = &drive.fates(1)[0] else { panic!("{:?}", drive.short(1)) };
    assert_eq!(reply.lines.len(), 32);
    // Without end it is an attack.
    let mut drive = Drive::new(config());
    drive.deliver(1, &["a@b.example"], MESSAGE);
    drive.hear(&b"220-x\r\n".repeat(1001));
    assert!(drive.closed && drive.short(1)[0].starts_with("deferred Session 4.5.0"));
}

/// A 250 that was there before the final dot is not the reply to it.
#[test]
fn what_comes_before_the_final_dot_accepts_nothing() {
    let mut drive = ready(config(), &[]);
    let delivery = drive.delivery(1, &["a@b.example"], MESSAGE);
    drive.call(Call::Deliver(delivery));
    drive.hear(b"250 ok\r\n250 ok\r\n");
    drive.hear(b"354 go\r\n250 taken already\r\n");
    assert!(drive.closed && drive.defects() == 1);
    assert!(drive.short(1)[0].starts_with("deferred Data 4.5.0"), "{:?}", drive.short(1));
}

/// However much a server says to each of a thousand recipients, what is kept of it is bounded.
#[test]
fn the_words_of_replies_are_bounded() {
    let to: Vec<String> = (0..1000).map(|n| format!("u{n}@b.example")).collect();
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    let mut drive = ready(config(), &["PIPELINING"]);
    drive.deliver(1, &to, MESSAGE);
    drive.hear(b"250 ok\r\n");
    let long = [&b"550-5.1.1 "[..], &[b'x'; 500], b"\r\n"].concat().repeat(30);
    for _ in 0..1000 {
        drive.hear(&long);
        drive.hear(b"550 5.1.1 no\r\n");
    }
    drive.hear(b"554 none\r\n");
    let fates = drive.fates(1);
    let words: usize = fates
        .iter()
        .map(|fate| match fate {
            Fate::Failed(failure) => {
                let reply = failure.reply.as_ref().expect("a reply");
                assert_eq!(reply.code, 550);
                reply.lines.iter().map(Vec::len).sum::<usize>()
            }
            other => panic!("{other:?}"),
        })
        .sum();
    assert!(words <= 32 * 1024, "{words}");
    assert_eq!(drive.events.iter().filter(|e| matches!(e, Event::Finished(_))).count(), 1);
}
