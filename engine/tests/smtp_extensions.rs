//! The parameters and commands of extensions: what is read, what is refused, and what the host is told.

mod seeded;
mod smtp_host;

use pillarbox_engine::smtp::{
    Answer, Ask, ByMode, Config, DeliverBy, Envelope, Extensions, Flush, MailFrom, Notify, RcptTo,
    Ret, Service,
};
use pillarbox_engine::types::{Reason, Refusal, TlsFacts, TlsOffer};
use smtp_host::*;

/// What MAIL with these parameters is to the host, or the reply that refuses it.
fn mail(talk: &mut Talk, parameters: &str) -> Result<MailFrom, String> {
    talk.asks.clear();
    let reply = talk.line(&format!("MAIL FROM:<a@b.c> {parameters}"));
    let told = talk.asks.iter().find_map(|ask| match ask {
        Ask::Sender(mail) => Some(mail.clone()),
        _ => None,
    });
    talk.line("RSET");
    told.ok_or(reply)
}

#[track_caller]
fn refused(talk: &mut Talk, parameters: &str, start: &str) {
    let reply = mail(talk, parameters).expect_err(parameters);
    assert!(reply.starts_with(start), "{parameters}: {reply}");
}

/// A session in which mistakes have no consequences.
fn calm(config: Config) -> Talk {
    let mut config = config;
    config.limits.errors_max = u32::MAX;
    config.limits.errors_slow = u32::MAX;
    config.limits.idle_commands_max = u32::MAX;
    Talk::greeted(config)
}

fn submission() -> Config {
    Config { service: Service::Submission, ..config() }
}

#[test]
fn reports_are_asked_for_in_every_right_way() {
    let mut talk = calm(config());
    let told = mail(&mut talk, "RET=hdrs ENVID=a+2Bb+20c+3Dd").expect("right");
    assert_eq!((told.ret, told.envid), (Some(Ret::Headers), Some(b"a+b c=d".to_vec())));
    let told = mail(&mut talk, "envid=QQ314159 ret=Full").expect("right");
    assert_eq!((told.ret, told.envid), (Some(Ret::Full), Some(b"QQ314159".to_vec())));
    // RFC 3461 §5.4: at least 100 octets of ENVID.
    mail(&mut talk, &format!("ENVID={}", "x".repeat(100))).expect("right");
    for wrong in [
        "RET",
        "RET=",
        "RET=SOME",
        "RET=FULL RET=FULL",
        "RET=FULL ret=HDRS",
        "ENVID",
        "ENVID=",
        "ENVID=a ENVID=b",
        "ENVID=a+0D+0AX",
        "ENVID=a+00",
        "ENVID=a+E4",
        "ENVID=a+7F",
        "ENVID=a+4",
        "ENVID=a+4g",
        "ENVID=a=b",
        "ENVID=\u{e4}",
    ] {
        refused(&mut talk, wrong, "501 5.5.4 ");
    }
    refused(&mut talk, &format!("ENVID={}", "x".repeat(101)), "501 5.5.4 ");
    // They belong to MAIL, and NOTIFY and ORCPT to RCPT.
    refused(&mut talk, "NOTIFY=NEVER", "555 ");
    let mut without = config();
    without.extensions.dsn = false;
    let mut talk = calm(without);
    refused(&mut talk, "RET=FULL", "555 ");
    refused(&mut talk, "RET", "555 ");
}

#[test]
fn recipients_reports_are_asked_for_in_every_right_way() {
    let mut talk = calm(config());
    talk.line("MAIL FROM:<a@b.c>");
    let notify = |success, failure, delay| Some(Notify { success, failure, delay });
    let right: [(&str, Option<Notify>, Option<&str>); 10] = [
        ("", None, None),
        ("NOTIFY=NEVER", notify(false, false, false), None),
        ("notify=never", notify(false, false, false), None),
        ("NOTIFY=SUCCESS", notify(true, false, false), None),
        ("NOTIFY=Failure,DELAY", notify(false, true, true), None),
        ("NOTIFY=DELAY,SUCCESS,FAILURE", notify(true, true, true), None),
        ("ORCPT=rfc822;Bob+2Bx@hamburger.edu", None, Some("rfc822;Bob+x@hamburger.edu")),
        // RFC 6533 §3: in each of its three forms, and in both of the first two at once.
        ("ORCPT=utf-8;b\u{f6}b@x", None, Some("utf-8;b\u{f6}b@x")),
        ("ORCPT=utf-8;b\\x{F6}b@x", None, Some("utf-8;b\u{f6}b@x")),
        (
            "NOTIFY=NEVER ORCPT=utf-8;\u{e4}\\x{F6}@x",
            notify(false, false, false),
            Some("utf-8;\u{e4}\u{f6}@x"),
        ),
    ];
    for (parameters, notify, orcpt) in right {
        talk.asks.clear();
        let reply = talk.line(&format!("RCPT TO:<bob@hamburger.edu> {parameters}"));
        assert!(reply.starts_with("250 "), "{parameters}: {reply}");
        let [Ask::Recipient(RcptTo { notify: told, orcpt: original, .. })] = &talk.asks[..] else {
            panic!("{parameters}: {:?}", talk.asks);
        };
        assert_eq!(
            (*told, original.as_deref()),
            (notify, orcpt.map(str::as_bytes)),
            "{parameters}"
        );
    }
    for wrong in [
        "NOTIFY",
        "NOTIFY=",
        "NOTIFY=NEVER,DELAY",
        "NOTIFY=DELAY,NEVER",
        "NOTIFY=SUCCESS,",
        "NOTIFY=,SUCCESS",
        "NOTIFY=OFTEN",
        "NOTIFY=DELAY NOTIFY=DELAY",
        "ORCPT",
        "ORCPT=",
        "ORCPT=bob@x",
        "ORCPT=;bob@x",
        "ORCPT=rfc822;a ORCPT=rfc822;a",
        "ORCPT=rfc822;a+0D+0ARCPT",
        "ORCPT=rfc822;b\u{f6}b@x",
        "ORCPT=utf-8;\\x{0D}@x",
    ] {
        talk.asks.clear();
        let reply = talk.line(&format!("RCPT TO:<bob@hamburger.edu> {wrong}"));
        assert!(reply.starts_with("501 5.5.4 ") && talk.asks.is_empty(), "{wrong}: {reply}");
    }
    assert!(talk.line("RCPT TO:<bob@hamburger.edu> RET=FULL").starts_with("555 "));
}

#[test]
fn require_tls_is_offered_and_taken_under_tls_alone() {
    let mut talk = calm(Config { tls: TlsOffer::Upgrade, ..config() });
    assert!(!talk.line("EHLO a").contains("REQUIRETLS"));
    refused(&mut talk, "REQUIRETLS", "555 ");
    talk.line("STARTTLS");
    talk.session.secured(talk.now, TlsFacts::default()).expect("it was asked for");
    assert!(talk.line("EHLO a").contains("250-REQUIRETLS\r\n"));
    assert!(mail(&mut talk, "REQUIRETLS").expect("right").require_tls);
    assert!(mail(&mut talk, "requiretls SIZE=1").expect("right").require_tls);
    assert!(!mail(&mut talk, "SIZE=1").expect("right").require_tls);
    refused(&mut talk, "REQUIRETLS=1", "501 ");
    refused(&mut talk, "REQUIRETLS REQUIRETLS", "501 ");
}

/// The last commit that the host was asked for.
fn committed(talk: &Talk) -> Envelope {
    let commit = talk.asks.iter().rev().find_map(|ask| match ask {
        Ask::Commit(envelope) => Some(envelope.clone()),
        _ => None,
    });
    commit.expect("a commit")
}

#[test]
fn a_message_that_needs_no_tls_says_so() {
    let implicit = Config { tls: TlsOffer::Implicit, ..config() };
    let cases = [
        ("", "TLS-Required: No\r\n\r\n", true),
        ("", "a: b\r\ntls-required:no\r\nc: d\r\n", true),
        ("", "TLS-Required: \t No \r\n", true),
        ("", "TLS-Required: Yes\r\n", false),
        ("", "TLS-Required: None\r\n", false),
        ("", "XTLS-Required: No\r\n", false),
        ("", "a: b\r\n TLS-Required: No\r\n", false),
        ("", "a: b\r\n\r\nTLS-Required: No\r\n", false),
        // RFC 8689 §4.1: the parameter outweighs the field.
        (" REQUIRETLS", "TLS-Required: No\r\n\r\n", false),
    ];
    for (parameters, text, expected) in cases {
        for bdat in [false, true] {
            let mut talk = Talk::new(implicit.clone());
            talk.listen();
            talk.session.secured(talk.now, TlsFacts::default()).expect("it was asked for");
            assert!(talk.listen().starts_with(b"220 "));
            talk.line("EHLO a");
            talk.line(&format!("MAIL FROM:<a@b.c>{parameters}"));
            talk.line("RCPT TO:<bob@hamburger.edu>");
            if bdat {
                for octet in text.bytes() {
                    talk.say(&[b"BDAT 1\r\n", &[octet][..]].concat());
                }
                talk.line("BDAT 0 LAST");
            } else {
                talk.line("DATA");
                talk.say(format!("{text}.\r\n").as_bytes());
            }
            assert!(talk.messages.len() == 1, "{parameters} {text:?} {bdat}: {:?}", talk.events);
            assert_eq!(committed(&talk).tls_optional, expected, "{parameters} {text:?}");
        }
    }
}

#[test]
fn deliver_by_is_read_and_its_minimum_kept() {
    let mut talk = calm(config());
    assert!(talk.line("EHLO a").contains("250-DELIVERBY 60\r\n"));
    let by = |seconds, mode, trace| Some(DeliverBy { seconds, mode, trace });
    let told = |talk: &mut Talk, value: &str| mail(talk, value).map(|mail| mail.deliver_by);
    assert_eq!(told(&mut talk, "BY=60;R"), Ok(by(60, ByMode::Return, false)));
    assert_eq!(told(&mut talk, "by=+99;nt"), Ok(by(99, ByMode::Notify, true)));
    // Late already: with mode N the message is delivered and its sender told.
    assert_eq!(told(&mut talk, "BY=-5;N"), Ok(by(-5, ByMode::Notify, false)));
    refused(&mut talk, "BY=59;R", "554 5.4.7 ");
    for wrong in ["BY", "BY=60", "BY=0;R", "BY=-1;RT", "BY=60;X", "BY=60;R BY=60;R"] {
        refused(&mut talk, wrong, "501 5.5.4 ");
    }
    let mut without = config();
    without.extensions = Extensions::default();
    let mut talk = calm(without);
    assert!(!talk.line("EHLO a").contains("DELIVERBY"), "it needs a host that acts on it");
    refused(&mut talk, "BY=60;R", "555 ");
}

#[test]
fn mail_is_held_back_at_submission_alone() {
    let mut talk = calm(submission());
    let hello = talk.line("EHLO a");
    assert!(hello.contains("250-FUTURERELEASE 2592000 2026-02-04T09:00:00Z\r\n"), "{hello}");
    let start_ms = talk.now.unix_ms;
    let told = |talk: &mut Talk, value: &str| mail(talk, value).map(|mail| mail.hold_until_ms);
    assert_eq!(told(&mut talk, "HOLDFOR=3600"), Ok(Some(start_ms + 3_600_000)));
    assert_eq!(told(&mut talk, "HOLDFOR=2592000"), Ok(Some(start_ms + 2_592_000_000)));
    assert_eq!(told(&mut talk, "HOLDUNTIL=2026-01-05T10:00:00Z"), Ok(Some(start_ms + 3_600_000)));
    // In the past: nothing to wait for.
    assert_eq!(
        told(&mut talk, "HOLDUNTIL=2025-01-05T10:00:00Z").map(|at| at < Some(start_ms)),
        Ok(true)
    );
    for wrong in [
        "HOLDFOR=2592001",
        "HOLDUNTIL=2026-02-04T09:00:01Z",
        "HOLDUNTIL=2026-01-05",
        "HOLDFOR",
        "HOLDFOR=-1",
        "HOLDFOR=1 HOLDFOR=1",
        "HOLDFOR=1 HOLDUNTIL=2026-01-05T10:00:00Z",
    ] {
        refused(&mut talk, wrong, "501 5.5.4 ");
    }
    let mut talk = calm(config());
    assert!(!talk.line("EHLO a").contains("FUTURERELEASE"));
    refused(&mut talk, "HOLDFOR=1", "555 ");
}

#[test]
fn priorities_are_raised_by_a_login_alone() {
    let mut talk = calm(config());
    assert!(talk.line("EHLO a").contains("250-MT-PRIORITY\r\n"));
    for (asked, expected) in [("-9", -9), ("-1", -1), ("0", 0), ("1", 0), ("9", 0)] {
        let told = mail(&mut talk, &format!("MT-PRIORITY={asked}")).expect("right");
        assert_eq!(told.priority, Some(expected), "{asked}");
    }
    assert_eq!(mail(&mut talk, "").expect("right").priority, None);
    for wrong in [
        "MT-PRIORITY",
        "MT-PRIORITY=10",
        "MT-PRIORITY=+1",
        "MT-PRIORITY=-0",
        "MT-PRIORITY=1 MT-PRIORITY=1",
    ] {
        refused(&mut talk, wrong, "501 ");
    }
    // RFC 6710 §4.1: who is lowered is told so.
    assert!(talk.line("MAIL FROM:<a@b.c> MT-PRIORITY=3").starts_with("250 2.3.6 0 "));
    talk.line("RSET");
    assert!(talk.line("AUTH PLAIN AGFubgBzM2NyZXQ=").starts_with("235 "));
    assert_eq!(mail(&mut talk, "MT-PRIORITY=9").expect("right").priority, Some(9));
    assert!(talk.line("MAIL FROM:<a@b.c> MT-PRIORITY=3").starts_with("250 2.1.0 "));
    talk.line("RCPT TO:<bob@hamburger.edu>");
    talk.line("DATA");
    talk.line("a: b\r\n.");
    let message = String::from_utf8(talk.messages[0].1.clone()).expect("ASCII");
    assert!(message.contains("for <bob@hamburger.edu>\r\n\tPRIORITY 3;\r\n\t"), "{message}");
    // Who hands mail over for delivery has judged it already.
    let mut talk = calm(Config { service: Service::Lmtp, ..config() });
    assert_eq!(mail(&mut talk, "MT-PRIORITY=9").expect("right").priority, Some(9));
}

#[test]
fn a_strangers_word_of_a_login_counts_for_nothing() {
    let mut talk = calm(config());
    assert_eq!(mail(&mut talk, "AUTH=ann@x").expect("right").auth, Some(vec![]));
    assert_eq!(mail(&mut talk, "AUTH=<>").expect("right").auth, Some(vec![]));
    assert_eq!(mail(&mut talk, "").expect("right").auth, None);
    talk.line("AUTH PLAIN AGFubgBzM2NyZXQ=");
    assert_eq!(mail(&mut talk, "AUTH=e+3Dmc2@x").expect("right").auth, Some(b"e=mc2@x".to_vec()));
    refused(&mut talk, "AUTH=a+0D+0Ab", "501 ");
    refused(&mut talk, &format!("AUTH={}", "a".repeat(501)), "501 ");
}

#[test]
fn limits_are_told_and_kept() {
    let mut limited = config();
    limited.limits.recipients_max = 2;
    limited.limits.messages_max = 2;
    let mut talk = calm(limited);
    assert!(talk.line("EHLO a").contains("250-LIMITS RCPTMAX=2 MAILMAX=2\r\n"));
    for _ in 0..2 {
        assert!(talk.line("MAIL FROM:<a@b.c>").starts_with("250 "));
        talk.line("RSET");
    }
    assert!(talk.line("MAIL FROM:<a@b.c>").starts_with("421 4.5.3 "));
    assert!(talk.closed);
    let mut talk = calm(config());
    assert!(talk.line("EHLO a").contains("250-LIMITS RCPTMAX=1000\r\n"));
    for _ in 0..3000 {
        assert!(talk.line("MAIL FROM:<a@b.c>").starts_with("250 "));
        talk.line("RSET");
    }
}

#[test]
fn what_waits_for_a_host_is_asked_for() {
    let mut talk = calm(config());
    assert!(talk.line("EHLO a").contains("250-ETRN\r\n"));
    let cases: [(Answer, &str); 8] = [
        (Answer::Flushing(None), "250 2.0.0 Queuing for node @b.example started\r\n"),
        (Answer::Flushing(Some(0)), "251 2.0.0 No messages waiting for node @b.example\r\n"),
        (
            Answer::Flushing(Some(14)),
            "253 2.0.0 14 pending messages for node @b.example started\r\n",
        ),
        (refusal(Reason::NotPermitted), "459 4.7.1 "),
        (refusal(Reason::NotFound), "459 4.7.1 "),
        (refusal(Reason::Unsupported), "459 4.7.1 "),
        (refusal(Reason::Overloaded), "458 4.3.2 "),
        (refusal(Reason::StorageFailed), "458 4.3.0 "),
    ];
    for (answer, start) in cases {
        // A function pointer captures nothing, so the answer is given by hand.
        talk.asks.clear();
        let mut session = calm(config());
        session.session.receive(session.now, b"ETRN @b.example\r\n");
        let said = answer_by_hand(&mut session, answer);
        assert!(said.starts_with(start), "{start}: {said}");
        assert!(session.line("MAIL FROM:<a@b.c>").starts_with("250 "), "the session goes on");
    }
    for node in ["@b.example", "b.example", "#slow"] {
        // The host of these tests refuses all of them.
        assert!(talk.line(&format!("ETRN {node}")).starts_with("459 4.7.1 "), "{node}");
    }
    let name = || b"b.example".to_vec();
    let flushes = [Flush::Subdomains(name()), Flush::Node(name()), Flush::Queue(b"slow".to_vec())];
    assert_eq!(talk.asks, flushes.map(Ask::Flush));
    for wrong in [
        "ETRN",
        "ETRN @",
        "ETRN #",
        "ETRN a b.example",
        "ETRN [192.0.2.1]",
        "ETRN b..c",
        "ETRN @@b.example",
    ] {
        assert!(talk.line(wrong).starts_with("501 "), "{wrong}");
    }
    let mut lmtp = Talk::greeted(Config { service: Service::Lmtp, ..config() });
    assert!(lmtp.line("ETRN b.example").starts_with("500 "));
}

fn refusal(reason: Reason) -> Answer {
    Answer::Refused(Refusal::new(reason))
}

/// Answers the next ask with this, and gives what is said to it.
fn answer_by_hand(talk: &mut Talk, answer: Answer) -> String {
    use pillarbox_engine::Output;
    loop {
        match talk.session.poll() {
            Output::Ask(id, _) => {
                talk.session.answer(talk.now, id, answer).expect("a right answer");
                return String::from_utf8(talk.listen()).expect("ASCII");
            }
            Output::Wait { .. } | Output::Close => panic!("nothing was asked"),
            _ => {}
        }
    }
}

#[test]
fn the_fields_of_final_delivery_are_counted() {
    for (return_path, sender, octets) in [
        (true, "<a@b.c>", "Return-Path: <a@b.c>\r\n".len()),
        (true, "<>", "Return-Path: <>\r\n".len()),
        (false, "<a@b.c>", 0),
    ] {
        for service in [Service::Smtp, Service::Submission, Service::Lmtp] {
            let mut talk = Talk::greeted(Config { return_path, service, ..config() });
            talk.line(&format!("MAIL FROM:{sender}"));
            talk.line("RCPT TO:<bob@hamburger.edu>");
            talk.line("DATA");
            talk.line("From: a@b.c\r\n\r\nReturn-Path: <x@y>\r\n.");
            let envelope = committed(&talk);
            assert_eq!(envelope.return_path_octets, octets as u64);
            let message = &talk.messages[0].1;
            assert!(message[octets..].starts_with(b"Received: "), "what is sent on begins here");
            assert_eq!(message.starts_with(b"Return-Path: "), return_path);
        }
    }
}
