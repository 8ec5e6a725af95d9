//! What an attempt means: every fate, every NOTIFY, the null path, deadlines, and a message's whole life.
#![allow(missing_docs)]

use pillarbox_engine::relay::{
    Attempted, Deadline, Expiry, Fared, Handover, Outcome, Queued, ReportKind, Schedule, Times,
    Unreached, fate_of, next_host_may_help, same_host_may_help, settle, status,
};
use pillarbox_engine::smtp::client::types::{EnhancedStatus, Failure, Fate, Reply, Stage};
use pillarbox_engine::smtp::{ByMode, DeliverBy, MailFrom, Mailbox, Notify, RcptTo};

const CAME: u64 = 1_767_603_600_000;
const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

const NOTIFIES: [Option<Notify>; 9] = [
    None,
    notify(false, false, false),
    notify(true, false, false),
    notify(false, true, false),
    notify(false, false, true),
    notify(true, true, false),
    notify(true, false, true),
    notify(false, true, true),
    notify(true, true, true),
];

const fn notify(success: bool, failure: bool, delay: bool) -> Option<Notify> {
    Some(Notify { success, failure, delay })
}

fn mailbox(text: &str) -> Mailbox {
    let (local_part, domain) = text.split_once('@').expect("an address");
    Mailbox { local_part: local_part.into(), domain: domain.into() }
}

fn queued(notify: Option<Notify>) -> Queued {
    let forward_path = mailbox("bob@hamburger.edu");
    let recipient = RcptTo { forward_path, notify, ..RcptTo::default() };
    Queued { recipient, ..Queued::default() }
}

fn reply(code: u16, status: Option<(u8, u16, u16)>) -> Reply {
    let status = status.map(|(class, subject, detail)| EnhancedStatus { class, subject, detail });
    Reply { code, status, lines: vec![b"words".to_vec()] }
}

fn failure(code: u16) -> Failure {
    let diagnosis = format!("{}.0.0 The server refused the recipient", code / 100);
    Failure { stage: Stage::Recipient, reply: Some(reply(code, None)), diagnosis }
}

fn accepted() -> Fate {
    Fate::Accepted(reply(250, None))
}

/// At one server, which reports nothing itself.
fn attempted(age_ms: u64, recipients: Vec<Queued>, fates: Vec<Fate>) -> Attempted {
    let server = Some(b"mx.hamburger.edu".to_vec());
    let fared = |fate| Fared { fate, server: server.clone(), handover: Handover::Silent };
    Attempted {
        schedule: Schedule::default(),
        times: Times { came_unix_ms: CAME, ..Times::default() },
        now_unix_ms: CAME + age_ms,
        mail: MailFrom { reverse_path: Some(mailbox("alice@crepes.fr")), ..MailFrom::default() },
        recipients,
        fared: fates.into_iter().map(fared).collect(),
        seed: 1,
    }
}

/// The same, where others answer for it.
fn handed(handover: Handover, mut attempted: Attempted) -> Attempted {
    attempted.fared.iter_mut().for_each(|fared| fared.handover = handover);
    attempted
}

/// RFC 2852 by-trace: each step is told of, unless NOTIFY says never.
#[test]
fn a_traced_message_is_reported_at_each_step() {
    let by = DeliverBy { seconds: 60, mode: ByMode::Return, trace: true };
    for notify in NOTIFIES {
        let never = notify == Some(Notify::default());
        for (handover, kind) in [
            (Handover::Reporting, ReportKind::Relayed),
            (Handover::Silent, ReportKind::Relayed),
            (Handover::Final, ReportKind::Delivered),
        ] {
            let attempt = attempted(0, vec![queued(notify)], vec![accepted()]);
            let mail = MailFrom { deliver_by: Some(by), ..attempt.mail.clone() };
            let kinds = |mail| {
                let settled = settle(handed(handover, Attempted { mail, ..attempt.clone() }));
                settled.reports.iter().map(|due| due.kind).collect::<Vec<_>>()
            };
            let expected = if never { vec![] } else { vec![kind] };
            assert_eq!(kinds(mail.clone()), expected, "{notify:?}");
            assert_eq!(kinds(MailFrom { reverse_path: None, ..mail }), [], "{notify:?}");
        }
    }
}

#[test]
fn every_fate_and_every_notify_gives_the_reports_that_rfc_3461_wants() {
    let uncertain = Fate::Uncertain(Failure { reply: None, ..failure(450) });
    let fates = [accepted(), Fate::Failed(failure(550)), Fate::Deferred(failure(450)), uncertain];
    let handovers = [Handover::Reporting, Handover::Silent, Handover::Final];
    for notify in NOTIFIES {
        let told = |wanted: fn(Notify) -> bool, absent| notify.map_or(absent, wanted);
        for (which, fate) in fates.iter().enumerate() {
            for handover in handovers {
                for age in [0, 5 * HOUR, 5 * DAY] {
                    let attempt = attempted(age, vec![queued(notify)], vec![fate.clone()]);
                    let settled = settle(handed(handover, attempt));
                    let expected = match (which, handover, age) {
                        (0, Handover::Reporting, _) => None,
                        (0, _, _) if !told(|notify| notify.success, false) => None,
                        (0, Handover::Silent, _) => Some(ReportKind::Relayed),
                        (0, Handover::Final, _) => Some(ReportKind::Delivered),
                        (2.., _, 0) => None,
                        (2.., _, age) if age < 5 * DAY => {
                            told(|notify| notify.delay, true).then_some(ReportKind::Delayed)
                        }
                        _ => told(|notify| notify.failure, true).then_some(ReportKind::Failed),
                    };
                    let kinds: Vec<_> = settled.reports.iter().map(|due| due.kind).collect();
                    assert_eq!(kinds, expected.into_iter().collect::<Vec<_>>());
                    let outcome = &settled.outcomes[0];
                    let right = match which {
                        0 => *outcome == Outcome::Delivered,
                        1 => *outcome == Outcome::Failed,
                        _ if age < 5 * DAY => matches!(outcome, Outcome::Waits(_)),
                        _ => *outcome == Outcome::Expired,
                    };
                    assert!(right, "{outcome:?} for {fate:?} after {age} ms");
                    let waits = matches!(outcome, Outcome::Waits(_));
                    assert_eq!(settled.next_unix_ms.is_some(), waits);
                }
            }
        }
    }
}

#[test]
fn nothing_is_ever_told_to_the_null_path() {
    for notify in NOTIFIES {
        for fate in [accepted(), Fate::Failed(failure(550)), Fate::Deferred(failure(450))] {
            for age in [0, 5 * HOUR, 5 * DAY] {
                let attempt = attempted(age, vec![queued(notify)], vec![fate.clone()]);
                let settled = settle(Attempted { mail: MailFrom::default(), ..attempt });
                assert!(settled.reports.is_empty(), "{settled:?}");
            }
        }
    }
}

#[test]
fn a_message_that_never_arrives_is_reported_late_once_and_failed_once() {
    for seed in 0..50 {
        let mut waiting = queued(None);
        let mut now = CAME;
        let (mut delays, mut tries) = (Vec::new(), 0);
        loop {
            tries += 1;
            let fates = vec![fate_of(Unreached::Refused)];
            let attempt = Attempted { seed, ..attempted(now - CAME, vec![waiting], fates) };
            let settled = settle(attempt);
            for due in &settled.reports {
                assert_eq!(due.recipients.len(), 1);
                match due.kind {
                    ReportKind::Delayed => {
                        assert_eq!(due.until_unix_ms, Some(CAME + 5 * DAY));
                        delays.push(now - CAME);
                    }
                    ReportKind::Failed => assert_eq!(now, CAME + 5 * DAY),
                    kind => panic!("{kind:?}"),
                }
            }
            match settled.outcomes.into_iter().next().expect("one for each") {
                Outcome::Waits(next) => {
                    assert_eq!(next.attempts, tries);
                    let last = next.last.as_ref().expect("it was tried");
                    assert_eq!((&last.fate, last.at_unix_ms), (&fate_of(Unreached::Refused), now));
                    waiting = next;
                }
                outcome => {
                    assert_eq!(outcome, Outcome::Expired);
                    let [due] = &settled.reports[..] else { panic!("one bounce exactly") };
                    assert_eq!(due.recipients[0].expired, Some(Expiry::Lifetime));
                    break;
                }
            }
            now = settled.next_unix_ms.expect("somebody waits");
        }
        let [delay] = delays[..] else { panic!("one notice, not {delays:?}") };
        assert!((4 * HOUR..5 * HOUR).contains(&delay));
    }
}

#[test]
fn each_recipient_goes_its_own_way() {
    let told = Queued { delay_reported: true, attempts: 7, ..queued(None) };
    let recipients = vec![queued(None), queued(None), queued(None), told, queued(None)];
    let fates = vec![
        accepted(),
        Fate::Failed(failure(550)),
        Fate::Deferred(failure(450)),
        Fate::Deferred(failure(450)),
        // The last has none.
    ];
    let settled = settle(attempted(5 * HOUR, recipients, fates));
    let kinds: Vec<_> =
        settled.reports.iter().map(|due| (due.kind, due.recipients.len())).collect();
    assert_eq!(kinds, [(ReportKind::Failed, 1), (ReportKind::Delayed, 2)]);
    let [_, _, Outcome::Waits(third), Outcome::Waits(fourth), Outcome::Waits(fifth)] =
        &settled.outcomes[..]
    else {
        panic!("{settled:?}")
    };
    assert_eq!((third.attempts, fourth.attempts), (1, 8));
    assert!(third.delay_reported && fourth.delay_reported);
    assert_eq!(fifth.last.as_ref().map(|tried| status(&tried.fate).subject), Some(3));
    // More fates than recipients are no fault of theirs.
    let settled = settle(attempted(0, vec![queued(None)], vec![accepted(), accepted()]));
    assert_eq!(settled.outcomes, [Outcome::Delivered]);
    assert_eq!(settle(attempted(0, Vec::new(), Vec::new())).next_unix_ms, None);
}

/// RFC 5321 §5.1: of a domain's hosts one may take whom another puts off, and only one of them may report by itself.
#[test]
fn each_recipient_is_told_of_with_the_server_that_took_it() {
    let asks = || queued(notify(true, false, false));
    let by = |server: &str, handover, fate| Fared {
        fate,
        server: Some(server.as_bytes().to_vec()),
        handover,
    };
    let attempt = Attempted {
        fared: vec![
            by("mx1.hamburger.edu", Handover::Reporting, accepted()),
            by("mx2.hamburger.edu", Handover::Silent, accepted()),
            by("mx2.hamburger.edu", Handover::Silent, Fate::Deferred(failure(450))),
        ],
        ..attempted(0, vec![asks(), asks(), asks()], Vec::new())
    };
    let settled = settle(attempt);
    let [due] = &settled.reports[..] else { panic!("{settled:?}") };
    assert_eq!(due.kind, ReportKind::Relayed);
    let [relayed] = &due.recipients[..] else { panic!("{due:?}") };
    assert_eq!(relayed.tried.server.as_deref(), Some(&b"mx2.hamburger.edu"[..]));
    let Outcome::Waits(waits) = &settled.outcomes[2] else { panic!("{settled:?}") };
    let last = waits.last.as_ref().expect("it was tried");
    assert_eq!(last.server.as_deref(), Some(&b"mx2.hamburger.edu"[..]));
}

#[test]
fn a_deadline_returns_or_notifies_as_its_mode_says() {
    let with = |mode, age| {
        let attempt = attempted(age, vec![queued(None)], vec![Fate::Deferred(failure(450))]);
        let deadline = Some(Deadline { at_unix_ms: CAME + HOUR, mode });
        settle(Attempted { times: Times { deadline, ..attempt.times }, ..attempt })
    };
    let early = with(ByMode::Return, HOUR - 60_000);
    assert_eq!(early.next_unix_ms, Some(CAME + HOUR), "one last attempt");
    let late = with(ByMode::Return, HOUR);
    assert_eq!(late.outcomes, [Outcome::Expired]);
    assert_eq!(late.reports[0].recipients[0].expired, Some(Expiry::Deadline));

    assert!(with(ByMode::Notify, HOUR - 1).reports.is_empty());
    let late = with(ByMode::Notify, HOUR);
    assert_eq!(late.reports[0].kind, ReportKind::Delayed);
    assert!(late.next_unix_ms.is_some(), "it is tried on");
}

#[test]
fn a_held_message_is_not_late_before_it_may_go() {
    let attempt = attempted(DAY + HOUR, vec![queued(None)], vec![Fate::Deferred(failure(450))]);
    let times = Times { hold_until_unix_ms: Some(CAME + DAY), ..attempt.times };
    assert!(settle(Attempted { times, ..attempt }).reports.is_empty());
}

#[test]
fn every_failure_before_a_session_has_its_status() {
    let cases = [
        (Unreached::DnsFailed, "4.4.3"),
        (Unreached::NoSuchDomain, "5.1.2"),
        (Unreached::NullMx, "5.1.10"),
        (Unreached::NoAddress, "5.4.4"),
        (Unreached::Refused, "4.4.1"),
        (Unreached::TimedOut, "4.4.1"),
        (Unreached::Unreachable, "4.4.1"),
        (Unreached::TlsFailed, "4.7.5"),
        (Unreached::TlsRequired, "5.7.10"),
        (Unreached::PolicyMismatch, "4.7.5"),
        (Unreached::Loop, "5.4.6"),
        (Unreached::OurFault, "4.3.0"),
        (Unreached::NoNextHop, "4.4.4"),
        (Unreached::Withdrawn, "5.3.0"),
    ];
    for (why, expected) in cases {
        let fate = fate_of(why);
        let EnhancedStatus { class, subject, detail } = status(&fate);
        assert_eq!(format!("{class}.{subject}.{detail}"), expected, "{why:?}");
        assert_eq!(matches!(fate, Fate::Failed(_)), class == 5);
        assert!(next_host_may_help(&fate), "no server has said no");
        assert!(!same_host_may_help(&fate));
    }
    assert!(!next_host_may_help(&accepted()));
    let said_no = Failure { reply: Some(reply(550, None)), ..failure(550) };
    assert!(!next_host_may_help(&Fate::Failed(said_no)));
    assert!(!next_host_may_help(&Fate::Uncertain(failure(450))));
}

#[test]
fn the_servers_own_status_counts_only_if_it_fits() {
    let of = |code, said| {
        let failure = Failure { reply: Some(reply(code, said)), ..failure(550) };
        let EnhancedStatus { class, subject, detail } = status(&Fate::Failed(failure));
        (class, subject, detail)
    };
    assert_eq!(of(550, Some((5, 7, 1))), (5, 7, 1));
    assert_eq!(of(550, None), (5, 0, 0));
    assert_eq!(of(421, Some((4, 3, 2))), (5, 0, 0));
}
