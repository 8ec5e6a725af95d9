//! What the client says to servers with and without an extension, and what it does not send at all.

mod smtp_client_host;

use pillarbox_engine::smtp::client::types::{Call, Config, Delivery, TlsPolicy};
use pillarbox_engine::smtp::{ByMode, DeliverBy, Service};
use pillarbox_engine::types::Misuse;
use smtp_client_host::{Drive, config, rcpt};

const GREETING: &str = "220 mx.example\r\n";

/// A client that was greeted, and whose EHLO was answered with these keywords, after this delivery was called for.
fn told(config: Config, keywords: &[&str], change: impl FnOnce(&mut Delivery)) -> Drive {
    let mut drive = Drive::new(config);
    let mut delivery = drive.delivery(1, &["bob@b.example"], b"Subject: x\r\n\r\ny\r\n");
    change(&mut delivery);
    drive.call(Call::Deliver(delivery));
    if drive.securing {
        drive.secure();
    }
    drive.hear(GREETING.as_bytes());
    let lines: String = keywords.iter().map(|keyword| format!("250-{keyword}\r\n")).collect();
    drive.hear(format!("250-mx.example\r\n{lines}250 HELP\r\n").as_bytes());
    drive
}

/// The MAIL command that was said.
fn mail(drive: &Drive) -> Option<String> {
    let sent = String::from_utf8(drive.sent.clone()).expect("UTF-8");
    sent.split("\r\n").find(|line| line.starts_with("MAIL ")).map(str::to_owned)
}

fn by(seconds: i32, mode: ByMode, trace: bool) -> impl FnOnce(&mut Delivery) {
    move |delivery| delivery.mail.deliver_by = Some(DeliverBy { seconds, mode, trace })
}

#[test]
fn priorities_go_on_where_they_are_understood() {
    let urgent = |delivery: &mut Delivery| delivery.mail.priority = Some(-4);
    let drive = told(config(), &["MT-PRIORITY MIXER"], urgent);
    assert_eq!(mail(&drive).as_deref(), Some("MAIL FROM:<ann@a.example> MT-PRIORITY=-4"));
    // RFC 6710 §4.3.
    let drive = told(config(), &[], urgent);
    assert_eq!(mail(&drive).as_deref(), Some("MAIL FROM:<ann@a.example>"));
}

#[test]
fn times_to_deliver_by_go_on_or_end_the_delivery() {
    let offers = ["DELIVERBY 120"];
    let drive = told(config(), &offers, by(120, ByMode::Return, true));
    assert_eq!(mail(&drive).as_deref(), Some("MAIL FROM:<ann@a.example> BY=120;RT"));
    let drive = told(config(), &offers, by(-7, ByMode::Notify, false));
    assert_eq!(mail(&drive).as_deref(), Some("MAIL FROM:<ann@a.example> BY=-7;N"));
    // With `notify` it goes without; with `return` it goes to nobody who would not return it.
    let drive = told(config(), &[], by(120, ByMode::Notify, false));
    assert_eq!(mail(&drive).as_deref(), Some("MAIL FROM:<ann@a.example>"));
    let drive = told(config(), &[], by(120, ByMode::Return, false));
    assert!(mail(&drive).is_none());
    assert!(drive.short(1)[0].starts_with("failed Mail 5.3.3 "), "{:?}", drive.short(1));
    for (seconds, offer) in [(119, "DELIVERBY 120"), (0, "DELIVERBY"), (-1, "DELIVERBY 0")] {
        let drive = told(config(), &[offer], by(seconds, ByMode::Return, false));
        assert!(mail(&drive).is_none());
        assert!(drive.short(1)[0].starts_with("failed Mail 5.4.7 "), "{:?}", drive.short(1));
    }
}

#[test]
fn only_a_submission_server_is_told_to_hold_mail_back() {
    let hold = |delivery: &mut Delivery| delivery.mail.hold_until_ms = Some(1_767_603_600_000);
    let submission = || Config { service: Service::Submission, ..config() };
    let offers = ["FUTURERELEASE 86400 2026-01-06T09:00:00Z"];
    let drive = told(submission(), &offers, hold);
    let expected = "MAIL FROM:<ann@a.example> HOLDUNTIL=2026-01-05T09:00:00Z";
    assert_eq!(mail(&drive).as_deref(), Some(expected));
    assert_eq!(drive.offer().map(|offer| offer.hold_max_s), Some(Some(86_400)));
    let drive = told(submission(), &[], hold);
    assert!(drive.short(1)[0].starts_with("failed Mail 5.3.3 "), "{:?}", drive.short(1));
    // What was held back until now is sent on as any other.
    let drive = told(config(), &offers, hold);
    assert_eq!(mail(&drive).as_deref(), Some("MAIL FROM:<ann@a.example>"));
}

#[test]
fn either_of_two_words_requires_tls() {
    for both in [true, false] {
        let require = |delivery: &mut Delivery| {
            delivery.mail.require_tls = true;
            delivery.require_tls = both;
        };
        let drive = told(config(), &["REQUIRETLS"], require);
        assert!(drive.short(1)[0].starts_with("failed Session 5.7.10 "), "{:?}", drive.short(1));
        let implicit = || Config { tls: TlsPolicy::Implicit, ..config() };
        let drive = told(implicit(), &[], require);
        assert!(drive.short(1)[0].starts_with("failed Session 5.7.30 "), "{:?}", drive.short(1));
        let drive = told(implicit(), &["REQUIRETLS"], require);
        assert_eq!(mail(&drive).as_deref(), Some("MAIL FROM:<ann@a.example> REQUIRETLS"));
    }
}

#[test]
fn original_recipients_in_utf8_are_written_as_the_server_reads_them() {
    let orcpt = |delivery: &mut Delivery| {
        delivery.recipients[0].orcpt = Some("utf-8;b\u{f6}b+x@b.example".into());
    };
    let rcpt = |keywords: &[&str]| {
        let mut drive = told(config(), keywords, orcpt);
        drive.said();
        drive.hear(b"250 OK\r\n")
    };
    let start = "RCPT TO:<bob@b.example>";
    let plain = format!("{start} ORCPT=utf-8;b\\x{{F6}}b\\x{{2B}}x@b.example\r\n");
    assert_eq!(rcpt(&["DSN"]), plain);
    let unicode = format!("{start} ORCPT=utf-8;b\u{f6}b\\x{{2B}}x@b.example\r\n");
    assert_eq!(rcpt(&["DSN", "SMTPUTF8"]), unicode);
    assert_eq!(rcpt(&["SMTPUTF8"]), format!("{start}\r\n"));
}

#[test]
fn each_transaction_has_as_many_domains_as_the_server_takes() {
    let to = ["1@a.example", "2@b.example", "3@A.example", "4@c.example", "5@b.example"];
    let several = |delivery: &mut Delivery| {
        delivery.recipients = to.iter().map(|address| rcpt(address)).collect();
    };
    for (limits, rounds) in [
        ("LIMITS RCPTDOMAINMAX=1", vec![vec![0, 2], vec![1, 4], vec![3]]),
        ("LIMITS RCPTDOMAINMAX=2", vec![vec![0, 1, 2, 4], vec![3]]),
        ("LIMITS RCPTDOMAINMAX=2 RCPTMAX=2", vec![vec![0, 1], vec![2, 3], vec![4]]),
        ("LIMITS RCPTDOMAINMAX=9", vec![vec![0, 1, 2, 3, 4]]),
    ] {
        let mut drive = told(config(), &[limits], several);
        // What was said to EHLO.
        let mut said = mail(&drive).expect("a transaction begins");
        for round in rounds {
            assert_eq!(said.lines().last(), Some("MAIL FROM:<ann@a.example>"), "{limits}");
            for place in round {
                drive.exchange("250 OK\r\n", &format!("RCPT TO:<{}>\r\n", to[place]));
            }
            drive.exchange("250 OK\r\n", "DATA\r\n");
            drive.hear(b"354 go on\r\n");
            said = drive.hear(b"250 OK\r\n");
        }
        assert_eq!(said, "", "{limits}");
        assert_eq!(drive.short(1), ["accepted 250"; 5], "{limits}");
    }
}

#[test]
fn only_the_part_of_a_message_that_is_to_be_sent_is() {
    let stored = b"Return-Path: <ann@a.example>\r\nSubject: x\r\n\r\n.y\r\n";
    let head = "Return-Path: <ann@a.example>\r\n".len() as u64;
    for (keywords, plain) in
        [(&[][..], false), (&[], true), (&["CHUNKING"], false), (&["CHUNKING"], true)]
    {
        // Without a dot at a line's beginning it may go by reference.
        let message: Vec<u8> = if plain {
            String::from_utf8_lossy(stored).replace(".y", "y").into()
        } else {
            stored.to_vec()
        };
        let mut drive = Drive::new(config());
        let mut delivery = drive.delivery(1, &["bob@b.example"], &message);
        delivery.offset = head;
        delivery.size -= head;
        delivery.plain = plain;
        let size = delivery.size;
        drive.call(Call::Deliver(delivery));
        drive.hear(GREETING.as_bytes());
        let lines: String = keywords.iter().map(|keyword| format!("250-{keyword}\r\n")).collect();
        drive.hear(format!("250-mx.example\r\n{lines}250 SIZE\r\n").as_bytes());
        assert_eq!(mail(&drive), Some(format!("MAIL FROM:<ann@a.example> SIZE={size}")));
        drive.script(&["250 OK\r\n", "250 OK\r\n"]);
        if keywords.is_empty() {
            drive.hear(b"354 go on\r\n");
        }
        drive.hear(b"250 OK\r\n");
        assert_eq!(drive.short(1), ["accepted 250"], "{keywords:?} {plain}");
        let sent = String::from_utf8(drive.sent.clone()).expect("UTF-8");
        assert!(!sent.contains("Return-Path") && sent.contains("\r\nSubject: x\r\n\r\n"), "{sent}");
    }
}

#[test]
fn values_that_cannot_be_said_are_misuse() {
    let wrong: [fn(&mut Delivery); 5] = [
        |delivery| delivery.mail.priority = Some(10),
        |delivery| delivery.mail.hold_until_ms = Some(253_402_300_800_000),
        |delivery| {
            let (seconds, mode, trace) = (1_000_000_000, ByMode::Notify, false);
            delivery.mail.deliver_by = Some(DeliverBy { seconds, mode, trace });
        },
        |delivery| delivery.offset = u64::MAX,
        |delivery| delivery.recipients[0].orcpt = Some(b"no type".to_vec()),
    ];
    for change in wrong {
        let mut drive = Drive::new(config());
        let mut delivery = drive.delivery(1, &["bob@b.example"], b"a: b\r\n");
        change(&mut delivery);
        assert_eq!(drive.session.call(drive.now, Call::Deliver(delivery)), Err(Misuse::BadValue));
    }
}
