//! The runner from the handing over of a message to its arrival or its return, on a clock that a test moves.

mod carrying;
mod hosts;
mod rig;
mod wishes;

use std::collections::BTreeSet;

use pillarbox_engine::relay::{Queued, Schedule, Times, Unreached};
use pillarbox_engine::smtp::{Mailbox, Notify, RcptTo};
use pillarbox_world::queue::{Action, Enqueue, LOCAL, NewTask, Which};
use pillarbox_world::service::Backend;
use pillarbox_world::store::Write;

use super::steer::{Done, bounce, steer};
use crate::config::RelaySettings;
use rig::{Rig, Servers};

const HOUR: u64 = 3_600_000;

fn few() -> RelaySettings {
    RelaySettings {
        connections_max: 6,
        connections_per_destination_max: 3,
        ..RelaySettings::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_goes_once_to_each_destination() {
    let mut rig = Rig::new("flows", few());
    rig.start();
    let to = ["ann@one.example", "ben@one.example", "cy@two.example", "bob@ours.example"];
    rig.send("alice@ours.example", &to).await;
    rig.until_empty().await;
    let mut arrived = rig.servers.arrived();
    arrived.sort();
    let hosts: Vec<(&str, usize)> = arrived.iter().map(|a| (&a.0[..], a.1.len())).collect();
    assert_eq!(hosts, [("one.example", 2), ("two.example", 1)]);
    assert!(arrived.iter().all(|a| a.2.ends_with(b"Hello 4\r\n")));
    assert_eq!(rig.inbox("bob@ours.example").len(), 1);
    assert_eq!(rig.inbox("alice@ours.example").len(), 0, "nobody asked for a report");
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_few_and_used_again() {
    let mut rig = Rig::new("few", few());
    rig.servers.pause(2);
    for n in 0..60 {
        rig.send("alice@ours.example", &[&format!("u{n}@big.example")]).await;
        if n % 10 == 0 {
            rig.send("alice@ours.example", &[&format!("u{n}@d{n}.example")]).await;
        }
    }
    rig.start();
    rig.until_empty().await;
    let arrived = rig.servers.arrived();
    let different: BTreeSet<&Vec<String>> = arrived.iter().map(|a| &a.1).collect();
    assert_eq!((arrived.len(), different.len()), (66, 66), "each once");
    assert!((2..=3).contains(&rig.servers.most_open("big.example")));
    assert!(rig.servers.connects() <= 12, "{} connects", rig.servers.connects());
    rig.end().await;
}

/// Issue 3, "it must show" 1: with the receiver down for good, one bounce arrives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_days_end_in_one_bounce() {
    let mut rig = Rig::new("days", few());
    rig.servers.fails("dead.example", Unreached::Refused);
    rig.start();
    let begin = rig.clock.now_ms();
    rig.send("alice@ours.example", &["ann@dead.example"]).await;
    let mut tries = Vec::new();
    while rig.next().await {
        tries.push(rig.clock.now_ms() - begin);
        if tries.len() == 20 {
            let inbox = rig.inbox("alice@ours.example");
            assert!(inbox.len() == 1 && inbox[0].contains("Action: delayed"), "{inbox:?}");
        }
    }
    let inbox = rig.inbox("alice@ours.example");
    assert_eq!(inbox.len(), 2, "one notice of the delay and one bounce");
    assert!(inbox[1].contains("Action: failed") && inbox[1].contains("ann@dead.example"));
    assert!(inbox[1].starts_with("Return-Path: <>\r\n"));
    let last = *tries.last().expect("it was tried");
    assert!((119 * HOUR..122 * HOUR).contains(&last), "given up after {last} ms");
    // 120 hours in pauses of half an hour, give or take a tenth, after some that are shorter.
    assert!((218..=272).contains(&tries.len()), "{} tries", tries.len());
    let gaps = tries.windows(2).skip(6).map(|pair| pair[1] - pair[0]);
    assert!(gaps.clone().all(|gap| gap < HOUR / 2 + HOUR / 10), "{:?}", gaps.max());
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_arrives_when_the_receiver_is_back() {
    let mut rig = Rig::new("back", few());
    rig.servers.fails("late.example", Unreached::TimedOut);
    rig.start();
    for n in 0..200 {
        rig.send("alice@ours.example", &[&format!("u{n}@late.example")]).await;
    }
    let before = rig.clock.now_ms();
    while rig.clock.now_ms() < before + 3 * HOUR {
        assert!(rig.next().await, "it is in the queue");
    }
    // The host was tried, not every message: that is what a back-off is for.
    assert!(rig.servers.connects() < 30, "{} connects", rig.servers.connects());
    // The clock was moved on last: what that makes due meets the server as it is, and not as it will be.
    rig.until_tried().await;
    rig.servers.works("late.example");
    assert!(rig.next().await);
    rig.until_empty().await;
    assert_eq!(rig.servers.arrived().len(), 200);
    assert_eq!(rig.inbox("alice@ours.example").len(), 0);
    rig.end().await;
}

/// A host that is down blocks one row; the senders of all that waits for it hear of the delay and of the end all the
/// same, each once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_never_tried_is_returned_too() {
    let schedule =
        Schedule { lifetime_ms: 4 * HOUR, delay_report_ms: Some(2 * HOUR), ..Schedule::default() };
    let mut rig = Rig::new("untried", RelaySettings { schedule, ..few() });
    rig.servers.fails("dead.example", Unreached::TimedOut);
    rig.start();
    for n in 0..150 {
        rig.send("alice@ours.example", &[&format!("u{n}@dead.example")]).await;
    }
    while rig.next().await {}
    rig.until_empty().await;
    let inbox = rig.inbox("alice@ours.example");
    let count = |word: &str| inbox.iter().filter(|text| text.contains(word)).count();
    assert_eq!((count("Action: delayed"), count("Action: failed")), (150, 150));
    rig.end().await;
}

/// Issue 3, "it must show" 1: a mail to five domains, two of them failing, gives the right fate for each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_recipient_has_its_own_fate() {
    let mut rig = Rig::new("fates", few());
    rig.servers.fails("none.example", Unreached::NoSuchDomain);
    rig.servers.refuses("nobody", 550);
    rig.servers.refuses("later", 450);
    rig.start();
    let to = [
        "ann@a.example",
        "nobody@a.example",
        "ben@b.example",
        "later@c.example",
        "cy@none.example",
        "dan@e.example",
    ];
    rig.send("alice@ours.example", &to).await;
    rig.until("all but one are over", |rig| {
        rig.stats().tasks == 1 && rig.inbox("alice@ours.example").len() == 2
    })
    .await;
    assert_eq!(rig.servers.arrived().len(), 3);
    let inbox = rig.inbox("alice@ours.example").concat();
    for (word, there) in [
        ("nobody@a.example", true),
        ("cy@none.example", true),
        ("550", true),
        ("Status: 5.1.2", true),
        ("; ann@", false),
        ("; later@", false),
    ] {
        assert_eq!(inbox.contains(word), there, "{word} in {inbox}");
    }
    rig.until_tried().await;
    rig.servers.takes("later");
    assert!(rig.next().await);
    rig.until_empty().await;
    assert_eq!(rig.servers.arrived().len(), 4);
    assert_eq!(rig.inbox("alice@ours.example").len(), 2);
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_go_to_who_asked_and_never_to_nobody() {
    let mut rig = Rig::new("reports", few());
    rig.servers.refuses("nobody", 550);
    rig.start();
    rig.send("", &["nobody@a.example"]).await;
    let never = Notify::default();
    rig.send_asking("alice@ours.example", &["nobody@a.example"], Some(never)).await;
    rig.until_empty().await;
    assert_eq!(rig.inbox("alice@ours.example").len(), 0);
    let success = Notify { success: true, ..Notify::default() };
    let to = ["ann@a.example", "bob@ours.example"];
    rig.send_asking("alice@ours.example", &to, Some(success)).await;
    rig.until_empty().await;
    let inbox = rig.inbox("alice@ours.example").concat();
    assert!(inbox.contains("Action: delivered") && inbox.contains("bob@ours.example"), "{inbox}");
    assert!(inbox.contains("Action: relayed") && inbox.contains("ann@a.example"), "{inbox}");
    // A report to another server is queued as any mail, and no report follows it.
    rig.servers.fails("elsewhere.example", Unreached::NoSuchDomain);
    rig.send("eve@elsewhere.example", &["nobody@a.example"]).await;
    rig.until_empty().await;
    assert_eq!(rig.metrics.reports.with_label_values(&["failed"]).get(), 1);
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_holds_releases_and_returns() {
    let mut rig = Rig::new("operator", few());
    rig.servers.fails("a.example", Unreached::Refused);
    rig.start();
    let one = rig.send("alice@ours.example", &["ann@a.example"]).await;
    let two = rig.send("alice@ours.example", &["ben@a.example"]).await;
    let blocked = |rig: &Rig| {
        rig.backend.store().destination(b"a.example").is_ok_and(|found| found.failures > 0)
    };
    rig.until("it was tried", blocked).await;
    let held = steer(&rig.backend, &Which::Message(one), Action::Hold).await;
    assert_eq!(held, Ok(Done { tasks: 1, held: 0 }));
    rig.servers.works("a.example");
    let now_ms = rig.clock.now_ms();
    let destination = Which::Destination(b"a.example".to_vec());
    let retried = steer(&rig.backend, &destination, Action::Retry { now_ms }).await;
    assert_eq!(retried, Ok(Done { tasks: 1, held: 1 }), "what is held stays so");
    rig.until("the other one is sent", |rig| rig.stats().messages == 1).await;
    assert_eq!(rig.servers.arrived()[0].1, ["ben@a.example"]);
    assert_eq!(bounce(&rig.backend, &rig.metrics, two).await, Ok(0), "it is gone");
    assert_eq!(bounce(&rig.backend, &rig.metrics, one).await, Ok(1));
    rig.until_empty().await;
    assert!(rig.inbox("alice@ours.example").concat().contains("Action: failed"));
    let three = rig.send("alice@ours.example", &["cy@a.example"]).await;
    rig.until_empty().await;
    assert!(rig.servers.arrived().iter().any(|a| a.1 == ["cy@a.example"]), "{three}");
    rig.end().await;
}

/// What is being sent when everything ends is sent again, once, and the rest goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_loses_nothing() {
    let mut directory = None;
    let servers = Servers::default();
    servers.pause(3);
    let mut sent = 0;
    for round in 0..12_u64 {
        let mut rig = match directory.take() {
            None => Rig::new("crash", few()),
            Some(directory) => Rig::open(directory, few(), servers.clone()),
        };
        if round == 0 {
            let left = rig.stop().await;
            rig = Rig::open(left, few(), servers.clone());
        }
        for _ in 0..10 {
            rig.send("alice@ours.example", &[&format!("u{sent}@a.example")]).await;
            sent += 1;
        }
        rig.start();
        tokio::time::sleep(std::time::Duration::from_millis(3 + round * 2)).await;
        directory = Some(rig.kill().await);
    }
    let mut rig = Rig::open(directory.expect("it was set"), few(), servers);
    rig.start();
    rig.until_empty().await;
    let arrived = rig.servers.arrived();
    let different: BTreeSet<&Vec<String>> = arrived.iter().map(|a| &a.1).collect();
    assert_eq!(different.len(), sent, "nothing is lost");
    // Each crash can double what was in flight: as many as connections times what each may have unwritten.
    assert!(arrived.len() <= sent + 12 * 3 * 9, "{} of {sent}", arrived.len());
    rig.end().await;
}

/// A route that is configured later takes what is queued already, and a domain that has become ours is delivered here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_route_takes_what_is_queued() {
    let mut rig = Rig::new("routes", few());
    rig.servers.fails("a.example", Unreached::Refused);
    let task = |destination: &[u8], address: (&str, &str)| NewTask {
        destination: destination.to_vec(),
        recipients: vec![Queued {
            recipient: RcptTo {
                forward_path: Mailbox { local_part: address.0.into(), domain: address.1.into() },
                ..RcptTo::default()
            },
            ..Queued::default()
        }],
        due_ms: 0,
        notice_ms: u64::MAX >> 1,
    };
    let held =
        NewTask { due_ms: rig.clock.now_ms() + HOUR, ..task(LOCAL, ("bob", "ours.example")) };
    let tasks = vec![
        task(b"[192.0.2.1]:25", ("ann", "b.example")),
        task(b"ours-before.example", ("bob", "ours.example")),
        held,
    ];
    let times = Times { came_unix_ms: rig.clock.now_ms(), ..Times::default() };
    let relay = Enqueue { tasks, times, ..Enqueue::default() };
    let message = pillarbox_world::store::NewMessage {
        body: pillarbox_world::store::Body::Whole(b"Subject: x\r\n\r\n".to_vec()),
        index: pillarbox_engine::message::Index::opaque(b"Subject: x\r\n\r\n", 14).encode(),
        plain: true,
        flags: pillarbox_engine::imap::types::Flags::default(),
        internal_date_ms: 0,
        internal_date_zone: 0,
    };
    let deliver = pillarbox_world::store::Deliver {
        accounts: Vec::new(),
        junk: false,
        relay: Some(relay),
        message,
        reports: Vec::new(),
        now_ms: rig.clock.now_ms(),
    };
    rig.backend.write(0, Write::Deliver(Box::new(deliver))).await.expect("there is room");
    rig.start();
    rig.until("two are over", |rig| rig.stats().tasks == 1).await;
    assert_eq!(rig.servers.arrived()[0].0, "b.example");
    assert_eq!(rig.inbox("bob@ours.example").len(), 1);
    assert!(rig.next().await);
    rig.until_empty().await;
    assert_eq!(
        rig.inbox("bob@ours.example").len(),
        2,
        "what was held is delivered when its time comes"
    );
    rig.end().await;
}

/// A clock that was far ahead and is right again must not leave mail waiting for as long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_was_set_back_stalls_nothing() {
    let mut rig = Rig::new("clock", few());
    rig.clock.advance(1000 * 24 * HOUR);
    rig.servers.fails("a.example", Unreached::Refused);
    rig.start();
    rig.send("alice@ours.example", &["ann@a.example"]).await;
    rig.until("it was tried", |rig| rig.servers.connects() > 0).await;
    let servers = rig.servers.clone();
    let directory = rig.stop().await;
    servers.works("a.example");
    let mut rig = Rig::open(directory, few(), servers);
    rig.start();
    rig.until_empty().await;
    assert_eq!(rig.servers.arrived().len(), 1);
    rig.end().await;
}
