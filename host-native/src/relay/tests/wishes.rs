//! What a message or a peer may wish of the queue: to be tried now, to go without TLS, to hear of each step.

use std::collections::BTreeSet;

use pillarbox_engine::relay::{Place, Transport, Unreached};
use pillarbox_engine::smtp::client::types::TlsPolicy;
use pillarbox_engine::smtp::{Body, ByMode, DeliverBy, Envelope, Flush, MailFrom, Notify, Service};
use pillarbox_engine::types::Reason;
use pillarbox_world::service::Backend;

use super::few;
use super::rig::{Rig, mailbox};
use crate::config::RelaySettings;

fn alice() -> MailFrom {
    MailFrom { reverse_path: Some(mailbox("alice@ours.example")), ..MailFrom::default() }
}

/// RFC 1985 §5.3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_a_domain_and_below_it_is_tried_when_asked_for() {
    let mut rig = Rig::new("flush", few());
    let all =
        ["foo.example", "fred.foo.example", "a.b.foo.example", "notfoo.example", "far.example"];
    all.iter().for_each(|host| rig.servers.fails(host, Unreached::Refused));
    rig.start();
    for host in all {
        rig.send("alice@ours.example", &[&format!("ann@{host}")]).await;
    }
    let failed = |rig: &Rig, host: &str| {
        let found = rig.backend.store().destination(host.as_bytes());
        found.is_ok_and(|found| found.failures > 0)
    };
    rig.until("all were tried", |rig| all.iter().all(|host| failed(rig, host))).await;
    all.iter().for_each(|host| rig.servers.works(host));
    let arrived = |rig: &Rig| {
        rig.servers.arrived().into_iter().map(|arrived| arrived.0).collect::<BTreeSet<String>>()
    };
    // Of a node: its own alone. Nothing is due by the clock, which stands.
    assert_eq!(rig.backend.flush(&Flush::Node(b"FRED.foo.example".to_vec())), Ok(None));
    rig.until("fred's came", |rig| arrived(rig).len() == 1).await;
    assert!(arrived(&rig).contains("fred.foo.example"));
    assert_eq!(rig.backend.flush(&Flush::Subdomains(b"Foo.example".to_vec())), Ok(None));
    rig.until("those below came", |rig| arrived(rig).len() == 3).await;
    assert!(!arrived(&rig).iter().any(|host| host == "notfoo.example" || host == "far.example"));
    // A queue is a destination, by its own name.
    assert_eq!(rig.backend.flush(&Flush::Queue(b"nowhere.example".to_vec())), Ok(Some(0)));
    assert_eq!(rig.backend.flush(&Flush::Queue(b"far.example".to_vec())), Ok(None));
    rig.until("far's came", |rig| arrived(rig).len() == 4).await;
    assert!(!arrived(&rig).contains("notfoo.example"));
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_for_too_much_at_once_is_told_so() {
    let rig = Rig::new("flushes", few());
    // No runner takes them.
    let ask = |n: u32| rig.backend.flush(&Flush::Node(format!("h{n}.example").into_bytes()));
    let refused = (0..1000).filter(|n| ask(*n) == Err(Reason::Overloaded)).count();
    assert_eq!(refused, 1000 - 64);
    rig.end().await;
}

/// RFC 8689 §4.2.2: it is not kept from its recipient, and does not wait behind what is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_needs_no_tls_passes_those_that_do() {
    let mut rig = Rig::new("optional", few());
    rig.servers.cannot_prove("strict.example");
    rig.start();
    rig.send("alice@ours.example", &["ann@strict.example"]).await;
    let failed = |rig: &Rig| {
        let found = rig.backend.store().destination(b"strict.example");
        found.is_ok_and(|found| found.failures > 0)
    };
    rig.until("the host was left alone", failed).await;
    let optional = Envelope { tls_optional: true, ..Envelope::default() };
    let to = ["bob@strict.example", "bob@ours.example"];
    rig.send_as(alice(), &to, None, optional).await;
    rig.until("it came", |rig| rig.servers.arrived().len() == 1).await;
    assert_eq!(rig.servers.arrived()[0].1, ["bob@strict.example"]);
    assert_eq!(rig.inbox("bob@ours.example").len(), 1);
    rig.until("the other waits", |rig| rig.stats().messages == 1).await;
    rig.end().await;
}

/// A next hop that cannot prove itself is left alone by the mail that needs the proof, and by no other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_that_needs_tls_blocks_no_other_route_to_the_same_host() {
    let place = Place::parse(b"[mx.isp.example]:25").ok();
    let way = |pattern: &str, tls| Transport {
        pattern: pattern.into(),
        next_hop: place.clone(),
        service: Service::Smtp,
        tls,
    };
    let transports =
        vec![way("strict.example", TlsPolicy::Required), way("*", TlsPolicy::Opportunistic)];
    let mut rig = Rig::new("levels", RelaySettings { transports, ..few() });
    rig.servers.cannot_secure("mx.isp.example");
    rig.start();
    rig.send("alice@ours.example", &["ann@strict.example"]).await;
    let strict = |rig: &Rig| {
        let found = rig.backend.store().destination(b"[mx.isp.example]:25 tls-required");
        found.is_ok_and(|found| found.failures > 0)
    };
    rig.until("the strict way was tried", strict).await;
    // The clock stands: what comes now would wait for the other's pause.
    rig.send("alice@ours.example", &["bob@easy.example", "ann@strict.example"]).await;
    rig.until("the easy one came", |rig| rig.servers.arrived().len() == 1).await;
    assert_eq!(rig.servers.arrived()[0].1, ["bob@easy.example"]);
    rig.until("both strict ones wait", |rig| rig.stats().tasks == 2).await;
    // By the name without its level, an operator means all of them.
    assert_eq!(rig.backend.has_destination(b"[mx.isp.example]:25"), Ok(true));
    assert_eq!(rig.backend.has_destination(b"[mx.isp.example]:2"), Ok(false));
    rig.end().await;
}

/// RFC 8689 §4.2.1: what one message asks for keeps no other from going.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_cannot_have_its_proof_waits_alone() {
    let mut rig = Rig::new("required", few());
    rig.servers.cannot_prove("half.example");
    rig.start();
    rig.send_as(
        MailFrom { require_tls: true, ..alice() },
        &["ann@half.example"],
        None,
        Envelope::default(),
    )
    .await;
    rig.until("it was tried", |rig| rig.servers.connects() == 1).await;
    let failures = rig.backend.store().destination(b"half.example").expect("it waits").failures;
    assert_eq!(failures, 0, "the host itself is not to blame");
    rig.end().await;
}

/// RFC 2852: each server is told of the time that is left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_passed_is_taken_off_a_deadline() {
    let mut rig = Rig::new("left", few());
    rig.servers.fails("far.example", Unreached::Refused);
    rig.start();
    let came = rig.clock.now_ms();
    let by = DeliverBy { seconds: 7200, mode: ByMode::Return, trace: false };
    let mail = MailFrom { deliver_by: Some(by), ..alice() };
    rig.send_as(mail, &["ann@far.example"], None, Envelope::default()).await;
    for _ in 0..5 {
        assert!(rig.next().await);
    }
    rig.until_tried().await;
    rig.servers.works("far.example");
    assert!(rig.next().await);
    rig.until_empty().await;
    let passed = i32::try_from((rig.clock.now_ms() - came) / 1000).expect("less than a day");
    let left = rig.servers.mails()[0].deliver_by.expect("it is told").seconds;
    assert!(passed > 600, "some attempts were in vain");
    assert!((7200 - passed..=7202 - passed).contains(&left), "{left} of 7200 after {passed}");
    rig.end().await;
}

/// RFC 6152 §3, RFC 5321 §4.5.3.1.6: a message is sent on as what it is, whatever MAIL said of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_declared_is_declared_to_the_next_server() {
    let mut rig = Rig::new("undeclared", few());
    rig.start();
    let long = vec![b'x'; 2000];
    for (last, eight_bit, body) in [
        (&b"Cr\xC3\xA8me\r\n"[..], true, Body::EightBitMime),
        (b"Creme\r\n", false, Body::SevenBit),
        (&long, false, Body::BinaryMime),
    ] {
        let envelope = Envelope { last: last.to_vec(), eight_bit, ..Envelope::default() };
        rig.send_as(alice(), &["ann@far.example"], None, envelope).await;
        rig.until_empty().await;
        assert_eq!(rig.servers.mails().last().expect("it came").body, body);
    }
    rig.end().await;
}

/// RFC 2852 by-trace.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_traced_message_tells_of_each_step() {
    let mut rig = Rig::new("traced", few());
    rig.start();
    let by = DeliverBy { seconds: 3600, mode: ByMode::Notify, trace: true };
    let traced = || MailFrom { deliver_by: Some(by), ..alice() };
    rig.send_as(traced(), &["ann@far.example"], None, Envelope::default()).await;
    rig.until("it is told", |rig| rig.inbox("alice@ours.example").len() == 1).await;
    assert!(rig.inbox("alice@ours.example")[0].contains("Action: relayed"));
    rig.send_as(traced(), &["bob@ours.example"], None, Envelope::default()).await;
    rig.until("it is told", |rig| rig.inbox("alice@ours.example").len() == 2).await;
    assert!(rig.inbox("alice@ours.example")[1].contains("Action: delivered"));
    let never = Some(Notify::default());
    rig.send_as(traced(), &["bob@ours.example"], never, Envelope::default()).await;
    rig.until("it came", |rig| rig.inbox("bob@ours.example").len() == 2).await;
    rig.until_empty().await;
    assert_eq!(rig.inbox("alice@ours.example").len(), 2, "NOTIFY=NEVER is never");
    rig.end().await;
}

/// RFC 4865, RFC 5321 §6.1: what an alias stands for is looked up when the time has come, once for each of its members.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alias_of_held_mail_is_expanded_once() {
    let mut rig = Rig::new("held-alias", few());
    rig.start();
    let until = rig.clock.now_ms() + 3_600_000;
    let held = MailFrom { hold_until_ms: Some(until), ..alice() };
    rig.send_as(held, &["team@ours.example"], None, Envelope::default()).await;
    rig.until("it waits for here alone", |rig| rig.stats().tasks == 1).await;
    assert!(rig.next().await);
    rig.until_empty().await;
    assert_eq!(rig.inbox("bob@ours.example").len(), 1);
    let arrived: Vec<_> = rig.servers.arrived().into_iter().map(|arrived| arrived.1).collect();
    assert_eq!(arrived, [["ann@far.example"]]);
    let told = rig.inbox("alice@ours.example");
    assert_eq!(told.len(), 1, "of who has left: {told:?}");
    assert!(told[0].contains("gone@ours.example") && told[0].contains("Action: failed"));
    rig.end().await;
}

/// RFC 2852: a message whose time is over is given up then, however long its host is left alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_left_alone_keeps_no_message_beyond_its_end() {
    let mut rig = Rig::new("ends", few());
    rig.servers.fails("dead.example", Unreached::Refused);
    rig.start();
    rig.send("alice@ours.example", &["ann@dead.example"]).await;
    // By now the host is left alone for half an hour at a time.
    for _ in 0..8 {
        assert!(rig.next().await);
    }
    rig.until_tried().await;
    let begin = rig.clock.now_ms();
    let by = DeliverBy { seconds: 600, mode: ByMode::Return, trace: false };
    let mail = MailFrom { deliver_by: Some(by), ..alice() };
    rig.send_as(mail, &["bob@dead.example"], None, Envelope::default()).await;
    let told = |rig: &Rig| {
        let inbox = rig.inbox("alice@ours.example");
        inbox.iter().any(|told| told.contains("bob@dead.example") && told.contains("failed"))
    };
    while !told(&rig) {
        assert!(rig.clock.now_ms() < begin + 7_200_000, "it is never given up");
        assert!(rig.next().await);
        rig.until_tried().await;
    }
    let late_ms = rig.clock.now_ms() - begin - 600_000;
    assert!(late_ms <= 66_000, "given up {late_ms} ms late");
    rig.end().await;
}
