//! Reports as a reader that we did not write sees them, and as nobody who writes into them can bend them.
#![allow(missing_docs)]

mod seeded;

use mail_parser::{MessageParser, MimeHeaders, PartType};
use pillarbox_engine::relay::{
    Due, Expiry, Notice, Report, ReportKind, Reported, Tried, Unreached, fate_of, make_report,
    octets_wanted,
};
use pillarbox_engine::smtp::client::types::{EnhancedStatus, Failure, Fate, Reply, Stage};
use pillarbox_engine::smtp::{Body, MailFrom, Mailbox, Notify, RcptTo, Ret};
use seeded::Seeded;

const CAME: u64 = 1_767_603_600_000;
const MESSAGE: &[u8] = b"From: alice@crepes.fr\r\nTo: bob@hamburger.edu\r\nSubject: ketchup\r\n\
    Message-ID: <k1@crepes.fr>\r\n\r\nDo you like ketchup?\r\n..\r\n";
const KINDS: [ReportKind; 4] =
    [ReportKind::Failed, ReportKind::Delayed, ReportKind::Delivered, ReportKind::Relayed];

fn mailbox(local_part: &str, domain: &str) -> Mailbox {
    Mailbox { local_part: local_part.into(), domain: domain.into() }
}

fn reply(code: u16, subject: u16, detail: u16, lines: &[&str]) -> Reply {
    let status = Some(EnhancedStatus { class: (code / 100) as u8, subject, detail });
    let lines = lines.iter().map(|line| line.as_bytes().to_vec()).collect();
    Reply { code, status, lines }
}

fn fate(kind: ReportKind) -> Fate {
    let failure = |reply| Failure {
        stage: Stage::Recipient,
        reply: Some(reply),
        diagnosis: "4.0.0 ours".to_owned(),
    };
    match kind {
        ReportKind::Failed => Fate::Failed(failure(reply(550, 1, 1, &["No such user", "at all"]))),
        ReportKind::Delayed => Fate::Deferred(failure(reply(451, 7, 1, &["Greylisted"]))),
        ReportKind::Delivered | ReportKind::Relayed => Fate::Accepted(reply(250, 0, 0, &["Ok"])),
    }
}

fn reported(kind: ReportKind, notify: Option<Notify>) -> Reported {
    let forward_path = mailbox("bob", "hamburger.edu");
    let orcpt = Some(b"rfc822;Bob@hamburger.edu".to_vec());
    let server = Some(b"mx.hamburger.edu".to_vec());
    Reported {
        recipient: RcptTo { forward_path, notify, orcpt },
        tried: Tried { fate: fate(kind), server, at_unix_ms: CAME + 60_000 },
        expired: None,
    }
}

fn report(kind: ReportKind) -> Report {
    let success = matches!(kind, ReportKind::Delivered | ReportKind::Relayed);
    let notify = success.then_some(Notify { success, failure: false, delay: false });
    let until_unix_ms = (kind == ReportKind::Delayed).then_some(CAME + 432_000_000);
    Report {
        due: Due { kind, recipients: vec![reported(kind, notify)], until_unix_ms },
        host_name: b"mx.crepes.fr".to_vec(),
        now_unix_ms: CAME + 61_000,
        came_unix_ms: CAME,
        mail: MailFrom {
            reverse_path: Some(mailbox("alice", "crepes.fr")),
            envid: Some(b"QQ314159".to_vec()),
            ..MailFrom::default()
        },
        ret_max: None,
        message: MESSAGE.to_vec(),
        message_size: MESSAGE.len() as u64,
        log_id: Some(b"q17".to_vec()),
        unique: b"u1".to_vec(),
    }
}

/// A report taken apart.
struct Parsed {
    fields: Vec<String>,
    types: Vec<String>,
    human: String,
    /// Fields of each group, unfolded.
    groups: Vec<Vec<(String, String)>>,
    returned: Vec<u8>,
}

impl Parsed {
    fn value(&self, group: usize, name: &str) -> Option<&str> {
        let mut fields = self.groups[group].iter();
        fields.find(|(field, _)| field == name).map(|(_, value)| &value[..])
    }
}

fn parse(octets: &[u8]) -> Parsed {
    let text = String::from_utf8_lossy(octets).into_owned();
    let message = MessageParser::default().parse(octets).expect("it is a message");
    let kind = message.content_type().expect("it has a type");
    assert_eq!((kind.ctype(), kind.subtype()), ("multipart", Some("report")), "{text}");
    assert_eq!(kind.attribute("report-type"), Some("delivery-status"));
    let PartType::Multipart(parts) = &message.parts[0].body else { panic!("{text}") };
    let header = text.split("\r\n\r\n").next().expect("split gives at least one");
    let names = header.replace("\r\n ", " ");
    let fields = names.lines().map(|line| line.split(':').next().unwrap_or("").to_owned());
    let parts: Vec<_> = parts.iter().map(|part| &message.parts[*part as usize]).collect();
    let types = parts.iter().map(|part| {
        let kind = part.content_type().expect("each part has one");
        format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default())
    });
    // As they stand, since what they are is judged here and not by the parser.
    let raw = |part: &mail_parser::MessagePart<'_>| {
        octets[part.offset_body as usize..part.offset_end as usize].to_vec()
    };
    let status = String::from_utf8(raw(parts[1])).expect("fields are text");
    Parsed {
        fields: fields.collect(),
        types: types.collect(),
        human: parts[0].text_contents().expect("the first is text").to_owned(),
        groups: status.trim_end().split("\r\n\r\n").map(group).collect(),
        returned: parts.get(2).map(|part| raw(part)).unwrap_or_default(),
    }
}

fn group(text: &str) -> Vec<(String, String)> {
    let unfolded = text.replace("\r\n ", " ");
    let field = |line: &str| {
        let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("no field: {line:?}"));
        (name.to_owned(), value.trim().to_owned())
    };
    unfolded.split("\r\n").map(field).collect()
}

/// What holds for every report, whoever wrote what is in it.
fn check_form(octets: &[u8]) {
    assert!(octets.ends_with(b"--\r\n"));
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        let text = line.strip_suffix(b"\r\n").expect("every line ends with CRLF");
        assert!(text.len() <= 998, "{} octets in a line", text.len());
        assert!(!text.contains(&b'\r') && !text.contains(&0));
    }
}

#[test]
fn a_report_says_all_that_the_standards_ask_for() {
    for kind in KINDS {
        let made = make_report(&report(kind)).expect("it may be made");
        check_form(&made.octets);
        let parsed = parse(&made.octets);
        let expected = [
            "From",
            "To",
            "Subject",
            "Date",
            "Message-ID",
            "In-Reply-To",
            "References",
            "Auto-Submitted",
            "MIME-Version",
            "Content-Type",
        ];
        assert_eq!(parsed.fields, expected);
        let third =
            if kind == ReportKind::Failed { "message/rfc822" } else { "text/rfc822-headers" };
        assert_eq!(parsed.types, ["text/plain", "message/delivery-status", third]);
        let message = [
            ("Original-Envelope-Id", "QQ314159"),
            ("Reporting-MTA", "dns; mx.crepes.fr"),
            ("Arrival-Date", "Mon, 05 Jan 2026 09:00:00 +0000"),
        ];
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        assert_eq!(parsed.groups[0], message.iter().map(owned).collect::<Vec<_>>());
        let (action, status, diagnostic) = match kind {
            ReportKind::Failed => {
                ("failed", "5.1.1", "smtp; 550-5.1.1 No such user 550 5.1.1 at all")
            }
            ReportKind::Delayed => ("delayed", "4.7.1", "smtp; 451 4.7.1 Greylisted"),
            ReportKind::Delivered => ("delivered", "2.0.0", "smtp; 250 2.0.0 Ok"),
            ReportKind::Relayed => ("relayed", "2.0.0", "smtp; 250 2.0.0 Ok"),
        };
        let mut recipient = vec![
            ("Original-Recipient", "rfc822; Bob@hamburger.edu"),
            ("Final-Recipient", "rfc822; bob@hamburger.edu"),
            ("Action", action),
            ("Status", status),
            ("Remote-MTA", "dns; mx.hamburger.edu"),
            ("Diagnostic-Code", diagnostic),
            ("Last-Attempt-Date", "Mon, 05 Jan 2026 09:01:00 +0000"),
            ("Final-Log-ID", "q17"),
        ];
        if kind == ReportKind::Delayed {
            recipient.push(("Will-Retry-Until", "Sat, 10 Jan 2026 09:00:00 +0000"));
        }
        assert_eq!(parsed.groups[1], recipient.iter().map(owned).collect::<Vec<_>>());
        assert_eq!(parsed.groups.len(), 2);
        for word in ["mx.crepes.fr", "bob@hamburger.edu", "ketchup", "mx.hamburger.edu"] {
            assert!(parsed.human.contains(word), "{word} is missing: {}", parsed.human);
        }
        let header = MESSAGE.split_inclusive(|octet| *octet == b'\n').take(4).flatten().copied();
        let header: Vec<u8> = header.collect();
        let returned = if kind == ReportKind::Failed { MESSAGE } else { &header[..] };
        assert_eq!(parsed.returned.trim_ascii_end(), returned.trim_ascii_end());
        check_envelope(&made);
    }
}

fn check_envelope(made: &Notice) {
    assert_eq!(made.mail.reverse_path, None);
    assert_eq!((made.mail.ret, &made.mail.envid), (None, &None));
    assert_eq!(made.mail.size, Some(made.octets.len() as u64));
    assert_eq!(made.recipient.notify, Some(Notify::default()));
    assert_eq!(made.mail.body == Body::SevenBit, made.octets.is_ascii());
}

#[test]
fn every_notify_ret_and_kind_gives_what_rfc_3461_wants() {
    let bits = |n: u8| Notify { success: n & 1 > 0, failure: n & 2 > 0, delay: n & 4 > 0 };
    let notifies = std::iter::once(None).chain((0..8).map(|n| Some(bits(n))));
    for notify in notifies {
        for kind in KINDS {
            for ret in [None, Some(Ret::Full), Some(Ret::Headers)] {
                for ret_max in [None, Some(Ret::Headers), Some(Ret::Full)] {
                    let mut report = Report { ret_max, ..report(kind) };
                    report.due.recipients = vec![reported(kind, notify)];
                    report.mail.ret = ret;
                    let made = make_report(&report);
                    let may = match kind {
                        ReportKind::Failed => notify.is_none_or(|notify| notify.failure),
                        ReportKind::Delayed => notify.is_none_or(|notify| notify.delay),
                        _ => notify.is_some_and(|notify| notify.success),
                    };
                    assert_eq!(made.is_some(), may, "{notify:?} {kind:?}");
                    let Some(made) = made else { continue };
                    let whole = kind == ReportKind::Failed
                        && ret != Some(Ret::Headers)
                        && ret_max != Some(Ret::Headers);
                    let third = if whole { "message/rfc822" } else { "text/rfc822-headers" };
                    assert_eq!(parse(&made.octets).types[2], third, "{ret:?} {ret_max:?} {kind:?}");
                }
            }
            let mut nobody = report(kind);
            nobody.mail.reverse_path = None;
            assert_eq!(make_report(&nobody), None);
        }
    }
}

#[test]
fn what_needed_tls_on_its_way_needs_it_back() {
    let mut report = report(ReportKind::Failed);
    (report.mail.require_tls, report.mail.ret) = (true, Some(Ret::Full));
    assert_eq!(octets_wanted(ReportKind::Failed, &report.mail, 1 << 20), (64 << 10) + 1);
    let made = make_report(&report).expect("it may be made");
    assert!(made.mail.require_tls);
    assert_eq!(parse(&made.octets).types[2], "text/rfc822-headers");
}

#[test]
fn only_those_are_named_who_may_hear_of_it() {
    let mut report = report(ReportKind::Failed);
    let mut silent = reported(ReportKind::Failed, Some(Notify::default()));
    silent.recipient.forward_path = mailbox("eve", "secret.example");
    report.due.recipients.push(silent);
    let made = make_report(&report).expect("one may hear");
    assert!(!String::from_utf8_lossy(&made.octets).contains("eve"));
}

#[test]
fn failures_without_a_reply_speak_for_themselves() {
    let mut report = report(ReportKind::Failed);
    let tried = Tried { fate: fate_of(Unreached::NoSuchDomain), server: None, at_unix_ms: CAME };
    report.due.recipients[0].tried = tried;
    let parsed = parse(&make_report(&report).expect("it may be made").octets);
    assert_eq!(
        parsed.value(1, "Diagnostic-Code"),
        Some("X-Pillarbox; 5.1.2 The domain does not exist")
    );
    assert_eq!(parsed.value(1, "Remote-MTA"), None);
    assert!(parsed.human.contains("does not exist"), "{}", parsed.human);

    for (expiry, status) in [(Expiry::Lifetime, "4.4.1"), (Expiry::Deadline, "5.4.7")] {
        let fate = fate_of(Unreached::TimedOut);
        let tried = Tried { fate, server: None, at_unix_ms: CAME + 432_000_000 };
        let recipient = &mut report.due.recipients[0];
        (recipient.tried, recipient.expired) = (tried, Some(expiry));
        let parsed = parse(&make_report(&report).expect("it may be made").octets);
        assert_eq!(parsed.value(1, "Status"), Some(status));
        assert_eq!(parsed.value(1, "Action"), Some("failed"));
        let words = if expiry == Expiry::Lifetime { "5 days" } else { "that you set" };
        assert!(parsed.human.contains(words), "{}", parsed.human);
    }
}

#[test]
fn large_messages_come_back_as_their_header_section() {
    let mail = report(ReportKind::Failed).mail;
    let wanted = |kind, size| octets_wanted(kind, &mail, size);
    assert_eq!(wanted(ReportKind::Failed, 1 << 20), 1 << 20);
    assert_eq!(wanted(ReportKind::Failed, (1 << 20) + 1), (64 << 10) + 1);
    assert_eq!(wanted(ReportKind::Delayed, 1 << 20), (64 << 10) + 1);
    assert_eq!(wanted(ReportKind::Failed, 10), 10);

    let whole = [MESSAGE, &b"line\r\n".repeat(200_000)].concat();
    let mut report = Report { message_size: whole.len() as u64, ..report(ReportKind::Failed) };
    let given = wanted(ReportKind::Failed, report.message_size) as usize;
    report.message = whole[..given].to_vec();
    let parsed = parse(&make_report(&report).expect("it may be made").octets);
    assert_eq!(parsed.types[2], "text/rfc822-headers");
    assert!(parsed.returned.trim_ascii_end().ends_with(b"<k1@crepes.fr>"));
    // A header section without end is cut after a whole field.
    report.message = b"X-Field: value\r\n".repeat(given / 16 + 1);
    let parsed = parse(&make_report(&report).expect("it may be made").octets);
    assert!(parsed.returned.len() <= 65_538 && parsed.returned.ends_with(b"X-Field: value\r\n"));
    // Nothing of the message at all.
    report.message.clear();
    let parsed = parse(&make_report(&report).expect("it may be made").octets);
    assert_eq!(parsed.types.len(), 2);
}

#[test]
fn what_no_server_carries_does_not_come_back_whole() {
    let header = &MESSAGE[..MESSAGE.len() - 26];
    let long = [&b"a: b\r\n\r\n"[..], &[b'x'; 999], b"\r\n"].concat();
    let eight = [header, "é\r\n".as_bytes()].concat();
    let cases: [(&[u8], &str, Option<&str>); 8] = [
        (MESSAGE, "message/rfc822", None),
        (&eight, "message/rfc822", Some("8bit")),
        (b"a: b\r\n\r\nbare\nlf\r\n", "text/rfc822-headers", None),
        (b"a: b\r\n\r\nbare\rcr\r\n", "text/rfc822-headers", None),
        (b"a: b\r\n\r\nn\0l\r\n", "text/rfc822-headers", None),
        (&long, "text/rfc822-headers", None),
        // Eight bits in a header that SMTPUTF8 has not announced.
        ("Subject: é\r\n\r\nbody\r\n".as_bytes(), "text/rfc822-headers", Some("quoted-printable")),
        (b"a: b\nc: d\r\n\r\nbody\r\n", "text/rfc822-headers", Some("quoted-printable")),
    ];
    for (message, label, encoding) in cases {
        let message_size = message.len() as u64;
        let report =
            Report { message: message.to_vec(), message_size, ..report(ReportKind::Failed) };
        let made = make_report(&report).expect("it may be made");
        check_form(&made.octets);
        check_envelope(&made);
        let parsed = MessageParser::default().parse(&made.octets).expect("it is a message");
        let PartType::Multipart(parts) = &parsed.parts[0].body else { panic!("no multipart") };
        let third = &parsed.parts[parts[2] as usize];
        let kind = third.content_type().expect("it has a type");
        assert_eq!(format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default()), label);
        assert_eq!(third.content_transfer_encoding(), encoding, "{}", message.escape_ascii());
        if label == "message/rfc822" {
            let PartType::Message(inner) = &third.body else { panic!("it is a message") };
            assert_eq!(inner.subject(), Some("ketchup"));
        }
    }
}

#[test]
fn addresses_beyond_ascii_have_the_forms_of_rfc_6533() {
    let mut report = report(ReportKind::Failed);
    report.mail.reverse_path = Some(mailbox("älice", "crêpes.example"));
    report.mail.smtputf8 = true;
    let recipient = &mut report.due.recipients[0].recipient;
    recipient.forward_path = mailbox("bøb", "hamburger.edu");
    recipient.orcpt = Some(b"utf-8;b\\x{F8}b\\x{2B}x@hamburger.edu".to_vec());
    report.message = "Subject: kétchup\r\n\r\nbody\r\n".into();
    report.message_size = report.message.len() as u64;
    let made = make_report(&report).expect("it may be made");
    check_envelope(&made);
    assert!(made.mail.smtputf8);
    let parsed = parse(&made.octets);
    assert_eq!(parsed.types, ["text/plain", "message/global-delivery-status", "message/global"]);
    assert_eq!(parsed.value(1, "Final-Recipient"), Some("utf-8; bøb@hamburger.edu"));
    assert_eq!(parsed.value(1, "Original-Recipient"), Some("utf-8; bøb+x@hamburger.edu"));
    assert!(parsed.human.contains("bøb@hamburger.edu") && parsed.human.contains("kétchup"));
    report.mail.ret = Some(Ret::Headers);
    let parsed = parse(&make_report(&report).expect("it may be made").octets);
    assert_eq!(parsed.types[2], "message/global-headers");

    // A sender who never said that it can read UTF-8 gets seven bits.
    report.mail.reverse_path = Some(mailbox("alice", "crepes.fr"));
    report.mail.smtputf8 = false;
    let made = make_report(&report).expect("it may be made");
    assert!(made.octets.is_ascii() && !made.mail.smtputf8);
    let parsed = parse(&made.octets);
    assert_eq!(parsed.types[1..], ["message/delivery-status", "text/rfc822-headers"]);
    assert_eq!(parsed.value(1, "Final-Recipient"), Some("utf-8; b\\x{F8}b@hamburger.edu"));
    assert_eq!(
        parsed.value(1, "Original-Recipient"),
        Some("utf-8; b\\x{F8}b\\x{2B}x@hamburger.edu")
    );
}

#[test]
fn a_host_without_a_domain_does_not_pretend_to_have_one() {
    let name = |host: &str| {
        let report = Report { host_name: host.into(), ..report(ReportKind::Delayed) };
        let parsed = parse(&make_report(&report).expect("it may be made").octets);
        parsed.value(0, "Reporting-MTA").map(str::to_owned)
    };
    assert_eq!(name("mx.crepes.fr").as_deref(), Some("dns; mx.crepes.fr"));
    assert_eq!(name("[192.0.2.1]").as_deref(), Some("dns; [192.0.2.1]"));
    assert_eq!(name("localhost").as_deref(), Some("x-local-hostname; localhost"));
    assert_eq!(name("a b").as_deref(), Some("x-local-hostname; localhost"));
}

#[test]
fn many_recipients_are_all_told_of_and_the_first_named_to_people() {
    let mut report = report(ReportKind::Failed);
    let words = "x".repeat(512);
    let recipient = |number: usize| {
        let mut reported = reported(ReportKind::Failed, None);
        reported.recipient.forward_path = mailbox(&format!("r{number}"), "hamburger.edu");
        let lines: Vec<&str> = std::iter::repeat_n(&words[..], 32).collect();
        let failure = Failure {
            stage: Stage::Recipient,
            reply: Some(reply(550, 1, 1, &lines)),
            diagnosis: String::new(),
        };
        reported.tried.fate = Fate::Failed(failure);
        reported
    };
    report.due.recipients = (0..1000).map(recipient).collect();
    let made = make_report(&report).expect("it may be made");
    check_form(&made.octets);
    assert!(made.octets.len() < 2_500_000, "{} octets", made.octets.len());
    let parsed = parse(&made.octets);
    assert_eq!(parsed.groups.len(), 1001);
    assert!(parsed.human.contains("And 950 more"), "{}", parsed.human.len());
}

/// What a peer may write where it wants to be read as something else.
fn payloads() -> Vec<Vec<u8>> {
    let texts = [
        "\r\nBcc: eve@example.com",
        "\nBcc: eve@example.com",
        "\rBcc: eve@example.com",
        "\r\n\r\nbody",
        "\n\nbody",
        "\r\n.\r\nMAIL FROM:<>",
        "\r\n--=_",
        "\r\n--=_--\r\n",
        "\0",
        "a\0b",
        "\u{85}Bcc: x",
        "\u{2028}Bcc: x",
        "\u{2029}Bcc: x",
        "\u{202e}x",
        "\u{feff}",
        "\u{b}x",
        "\u{c}x",
        "\x1b[2J",
        "\x7f",
        "\x08\x08\x08",
        "=?utf-8?q?=0D=0ABcc:_x?=",
        "=?utf-8?b?DQpCY2M6IHg=?=",
        "\" <eve@example.com>",
        "<eve@example.com>",
        "(comment",
        ")",
        "\\",
        "\\\r\n",
        ";",
        "; a=b",
        "utf-8;\\x{0D}",
        "utf-8;\\x{0A}Action: delivered",
        "rfc822;a\r\nAction: delivered",
        "a;b;c",
        " ",
        "\t",
        "",
        "\r\n Folded",
        "Status: 2.0.0\r\nAction: delivered",
        "\u{10ffff}",
        "%0d%0aBcc: x",
        "\\r\\nBcc: x",
    ];
    let long = [vec![b'x'; 5000], b"word ".repeat(1000), "é".repeat(2000).into_bytes()];
    let raw =
        [b"\xff\xfe".to_vec(), b"\xc3".to_vec(), b"\xed\xa0\x80".to_vec(), b"\x80\r\n".to_vec()];
    texts.iter().map(|text| text.as_bytes().to_vec()).chain(long).chain(raw).collect()
}

type Place = (&'static str, fn(&mut Report, &[u8]));

/// Every place of a report that somebody else wrote.
const PLACES: [Place; 17] = [
    ("host", |report, text| report.host_name = text.to_vec()),
    ("reverse local part", |report, text| {
        report.mail.reverse_path.as_mut().expect("it has one").local_part = text.to_vec();
    }),
    ("reverse domain", |report, text| {
        report.mail.reverse_path.as_mut().expect("it has one").domain = text.to_vec();
    }),
    ("envid", |report, text| report.mail.envid = Some(text.to_vec())),
    ("local part", |report, text| {
        report.due.recipients[0].recipient.forward_path.local_part = text.to_vec();
    }),
    ("domain", |report, text| {
        report.due.recipients[0].recipient.forward_path.domain = text.to_vec();
    }),
    ("orcpt", |report, text| report.due.recipients[0].recipient.orcpt = Some(text.to_vec())),
    ("server", |report, text| report.due.recipients[0].tried.server = Some(text.to_vec())),
    ("reply", |report, text| {
        let mut words = reply(550, 1, 1, &[]);
        words.lines = vec![text.to_vec(), b"between".to_vec(), text.to_vec()];
        if let Fate::Failed(failure) = &mut report.due.recipients[0].tried.fate {
            failure.reply = Some(words);
        }
    }),
    ("diagnosis", |report, text| {
        let diagnosis = String::from_utf8_lossy(text).into_owned();
        let failure = Failure { stage: Stage::Data, reply: None, diagnosis };
        report.due.recipients[0].tried.fate = Fate::Failed(failure);
    }),
    ("log id", |report, text| report.log_id = Some(text.to_vec())),
    ("unique", |report, text| report.unique = text.to_vec()),
    ("subject", |report, text| set_message(report, &[b"Subject: ", text, b"\r\n\r\nbody\r\n"])),
    ("message id", |report, text| {
        set_message(report, &[b"Message-ID: <", text, b"@a>\r\n\r\nbody\r\n"]);
    }),
    ("header", |report, text| set_message(report, &[text, b": x\r\n\r\nbody\r\n"])),
    ("body", |report, text| set_message(report, &[b"Subject: x\r\n\r\n", text])),
    ("whole", |report, text| set_message(report, &[text])),
];

fn set_message(report: &mut Report, parts: &[&[u8]]) {
    report.message = parts.concat();
    report.message_size = report.message.len() as u64;
}

#[test]
fn nobody_writes_a_field_or_a_part_into_a_report() {
    const GROUP: [&str; 9] = [
        "Original-Recipient",
        "Final-Recipient",
        "Action",
        "Status",
        "Remote-MTA",
        "Diagnostic-Code",
        "Last-Attempt-Date",
        "Final-Log-ID",
        "Will-Retry-Until",
    ];
    const HEADER: [&str; 11] = [
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "In-Reply-To",
        "References",
        "Auto-Submitted",
        "MIME-Version",
        "Content-Type",
        "Content-Transfer-Encoding",
    ];
    let payloads = payloads();
    assert!(payloads.len() >= 40);
    for (place, set) in PLACES {
        for payload in &payloads {
            for smtputf8 in [false, true] {
                for kind in [ReportKind::Failed, ReportKind::Delayed] {
                    let mut report = report(kind);
                    report.mail.smtputf8 = smtputf8;
                    set(&mut report, payload);
                    let made = make_report(&report).expect("it may be made");
                    check_form(&made.octets);
                    check_envelope(&made);
                    let parsed = parse(&made.octets);
                    let at = format!("{} in {place}", payload.escape_ascii());
                    assert!(parsed.fields.iter().all(|name| HEADER.contains(&&name[..])), "{at}");
                    assert!(parsed.types.len() <= 3 && parsed.groups.len() == 2, "{at}");
                    let names = parsed.groups[1].iter().map(|(name, _)| &name[..]);
                    assert!(names.clone().all(|name| GROUP.contains(&name)), "{at}");
                    let mut once: Vec<&str> = names.collect();
                    once.dedup();
                    assert_eq!(once.len(), parsed.groups[1].len(), "{at}");
                    let action = if kind == ReportKind::Failed { "failed" } else { "delayed" };
                    assert_eq!(parsed.value(1, "Action"), Some(action), "{at}");
                    assert!(parsed.groups[0].len() == 3, "{at}");
                }
            }
        }
    }
}

#[test]
fn no_part_holds_the_boundary() {
    let mut seeded = Seeded(3);
    for _ in 0..200 {
        let mut report = report(ReportKind::Failed);
        // What was the boundary of the report before is in the next message.
        for _ in 0..3 {
            let made = make_report(&report).expect("it may be made");
            let text = String::from_utf8(made.octets).expect("it is ASCII");
            let boundary = text.split("boundary=\"").nth(1).and_then(|rest| rest.split('"').next());
            let boundary = boundary.expect("there is one").to_owned();
            assert_eq!(text.matches(&format!("--{boundary}")).count(), 4);
            let number = seeded.next();
            set_message(
                &mut report,
                &[format!("Subject: {number}\r\n\r\n--{boundary}\r\n--{boundary}--\r\n")
                    .as_bytes()],
            );
        }
    }
}
