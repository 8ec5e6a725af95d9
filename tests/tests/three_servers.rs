//! Three real servers and a name server, each on an address of its own: mail finds its way by MX records, waits for a
//! server that is down by the schedule and no longer, and comes back to its sender once if nothing helps.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use pillarbox_tests::dns::DnsServer;
use pillarbox_tests::report::Report;
use pillarbox_tests::server::Scratch;
use pillarbox_tests::site::{Site, added, free_port, submit, until};

const MINUTE: u64 = 60_000;
const DAY: u64 = 24 * 60 * MINUTE;
const ALICE: &str = "alice@a.example";
/// Real time runs on beside what the test clock is moved by; no step of a test takes so long.
const SLACK: u64 = 20_000;

/// The three, A, B and C, and where their mail goes. C is the second exchange for B's domain, too.
struct Net {
    a: Site,
    b: Site,
    c: Site,
    dns: DnsServer,
    _scratch: Scratch,
}

fn ip(last: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, last).into()
}

impl Net {
    fn new(name: &str) -> Self {
        let scratch = Scratch::new(name);
        let dns = DnsServer::start();
        for (host, last) in [("mx.a.example", 2), ("mx.b.example", 3), ("mx.c.example", 4)] {
            dns.address_of(host, ip(last));
        }
        dns.mx("a.example", 10, "mx.a.example");
        dns.mx("b.example", 20, "mx.c.example");
        dns.mx("b.example", 10, "mx.b.example");
        dns.mx("c.example", 10, "mx.c.example");
        // RFC 5321 §5.1: without an MX record the domain is its own exchange.
        dns.address_of("d.example", ip(4));
        dns.mx("null.example", 0, ".");
        let port = free_port(&[ip(2), ip(3), ip(4)]);
        let site = |letter: &str, last, domains: &str, accounts: &[&str]| {
            let home = scratch.path().join(letter);
            Site::new(
                home,
                SocketAddr::new(ip(last), port),
                &config(letter, domains, port, &dns),
                accounts,
            )
        };
        Self {
            a: site("a", 2, "'a.example'", &[ALICE, "ann@a.example"]),
            b: site("b", 3, "'b.example'", &["bob@b.example"]),
            c: site("c", 4, "'c.example', 'd.example'", &["carol@c.example", "dave@d.example"]),
            dns,
            _scratch: scratch,
        }
    }

    fn start(name: &str) -> Self {
        let mut net = Self::new(name);
        for site in [&mut net.a, &mut net.b, &mut net.c] {
            site.start(&["--test-clock"]);
        }
        net
    }

    fn stop(mut self) {
        for site in [&mut self.a, &mut self.b, &mut self.c] {
            site.stop();
        }
    }
}

/// Every domain is looked up as usual; only the port is another than 25, which may be taken.
fn config(letter: &str, domains: &str, port: u16, dns: &DnsServer) -> String {
    let mut text = format!(
        "host_name = 'mx.{letter}.example'\ndomains = [{domains}]\n\
         [dns]\nservers = ['{}']\n[relay]\nnetworks = ['127.0.0.1']\n",
        dns.address()
    );
    for domain in ["a", "b", "c", "d", "null", "nowhere"] {
        text += &format!(
            "[[relay.routes]]\ndomain = '{domain}.example'\nnext_hop = '{domain}.example:{port}'\n"
        );
    }
    text
}

/// Octets that a careless hop changes: dots, 8-bit text, spaces at the end, empty lines, a line as long as may be.
fn message(subject: &str) -> Vec<u8> {
    let long = "x".repeat(998);
    let head = format!(
        "From: Alice <{ALICE}>\r\nTo: undisclosed-recipients:;\r\nSubject: {subject}\r\n\
         Date: Mon, 05 Jan 2026 09:00:00 +0000\r\nMessage-ID: <{subject}@a.example>\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: 8bit\r\n\r\n"
    );
    let body = format!(".\r\n..\r\n.dot\r\n \r\nKäse\u{a0}ÿ \t\r\n\r\n{long}\r\n\r\n.\r\n");
    [head, body].concat().into_bytes()
}

/// The hosts that a message passed, last first; what they added is nothing but their trace.
fn hops(received: &[u8], sent: &[u8]) -> Vec<String> {
    let trace = added(received, sent);
    let fields = trace.replace("\r\n\t", " ").replace("\r\n ", " ");
    let mut fields = fields.lines();
    assert_eq!(fields.next(), Some(&*format!("Return-Path: <{ALICE}>")));
    let by = |field: &str| {
        assert!(field.starts_with("Received: from "), "{field}");
        let rest = field.split(" by ").nth(1).expect("each says who received");
        rest.split(' ').next().expect("a word").to_owned()
    };
    fields.map(by).collect()
}

#[test]
fn mail_goes_by_preference_and_by_the_second_exchange_while_the_first_is_down() {
    let mut net = Net::start("three-preference");
    let first = message("first");
    let _ = submit(net.a.smtp(), ALICE, &["bob@b.example"], &first);
    let came = net.b.inbox_of("bob@b.example", 1).remove(0);
    assert_eq!(hops(&came, &first), ["mx.b.example", "mx.a.example"]);
    assert!(net.dns.asked("b.example") > 0 && net.dns.asked("mx.c.example") == 0);

    net.b.stop();
    let second = message("second");
    let _ = submit(net.a.smtp(), ALICE, &["bob@b.example"], &second);
    until("C has it", || net.c.stats()["destinations"][0]["failures"].as_u64() > Some(0));
    until("A has not", || net.a.queue().is_empty());
    net.b.start(&["--test-clock"]);
    net.c.advance(2 * MINUTE);
    let came = net.b.inbox_of("bob@b.example", 2).remove(1);
    assert_eq!(hops(&came, &second), ["mx.b.example", "mx.c.example", "mx.a.example"]);
    until("C has sent it on", || net.c.queue().is_empty());
    assert!(net.a.inbox(ALICE).is_empty(), "nobody is told of what went well");
    net.stop();
}

/// The one message that waits for the one destination: attempts so far, when the next one is, and what the clock shows.
///
/// An attempt ends with two writes, of the destination and of the message; both must know of it.
fn waiting(site: &Site) -> (u64, Option<u64>, u64) {
    let stats = site.stats();
    let number = |value: &serde_json::Value| value.as_u64();
    let now = number(&stats["now_unix_ms"]).expect("the clock is told");
    let messages = site.queue();
    let Some(message) = messages.first() else { return (0, None, now) };
    let destination = &stats["destinations"][0];
    let failures = number(&destination["failures"]).unwrap_or(0);
    let recipients = &message["destinations"][0]["recipients"];
    let attempts = number(&recipients[0]["attempts"]).unwrap_or(0);
    let next = site.stats()["destinations"][0]["next_unix_ms"].as_u64();
    (attempts, next.filter(|_| failures == attempts), now)
}

/// Waits for the end of an attempt that is due, and gives when the next one is.
fn failed(site: &Site, failures: u64) -> u64 {
    let mut next = None;
    until(&format!("failure {failures}"), || {
        let (so_far, next_ms, now) = waiting(site);
        assert!(so_far <= failures, "{so_far} attempts, {failures} are due");
        next = next_ms.filter(|next| so_far == failures && *next > now);
        next.is_some()
    });
    next.expect("it was found")
}

#[test]
fn a_server_that_is_down_is_tried_on_schedule_and_gets_the_mail_once_it_is_up() {
    let mut net = Net::start("three-schedule");
    net.c.stop();
    let sent = message("patience");
    let mut from = waiting(&net.a).2;
    let _ = submit(net.a.smtp(), ALICE, &["carol@c.example"], &sent);
    // README: after 1, 2, 4, 8 and 16 minutes, then every 30; with up to a tenth more, so that not all come at once.
    let schedule = [1, 2, 4, 8, 16, 30, 30, 30];
    for (failures, minutes) in (1..).zip(schedule) {
        let next = failed(&net.a, failures);
        let to = waiting(&net.a).2;
        let delay = minutes * MINUTE;
        assert!(next >= from + delay, "attempt {failures}: {} ms, {delay} asked", next - from);
        assert!(next <= to + delay + delay / 10, "attempt {failures}: {} ms", next - to);
        // Shortly before, nothing happens.
        net.a.advance(next.saturating_sub(SLACK).saturating_sub(to));
        std::thread::sleep(std::time::Duration::from_millis(150));
        let (so_far, same, now) = waiting(&net.a);
        assert_eq!((so_far, same), (failures, Some(next)), "at {now}, {} ms early", next - now);
        if failures == schedule.len() as u64 {
            net.c.start(&["--test-clock"]);
        }
        from = next;
        net.a.advance(SLACK);
    }
    let came = net.c.inbox_of("carol@c.example", 1).remove(0);
    assert_eq!(hops(&came, &sent), ["mx.c.example", "mx.a.example"]);
    until("the queue is empty", || net.a.queue().is_empty());
    assert_eq!(net.a.log().matches("not reached").count(), schedule.len());
    assert!(net.a.inbox(ALICE).is_empty(), "it was late, but not by four hours");
    net.stop();
}

#[test]
fn a_server_that_stays_down_costs_a_notice_and_one_bounce() {
    let mut net = Net::start("three-bounce");
    net.c.stop();
    let sent = message("in-vain");
    let start = waiting(&net.a).2;
    let reply = submit(net.a.smtp(), ALICE, &["carol@c.example"], &sent);
    let id = reply.rsplit(' ').next().expect("the reply ends with the name").to_owned();
    let mut end = start;
    until("it is given up", || {
        let stats = net.a.stats();
        let now = stats["now_unix_ms"].as_u64().expect("the clock is told");
        let next = stats["destinations"][0]["next_unix_ms"].as_u64();
        if let Some(next) = next.filter(|next| *next > now) {
            // Time passes by nothing but what is due; an attempt needs a moment of its own.
            net.a.advance(next - now + 1);
            end = next;
        }
        net.a.queue().is_empty()
    });
    // At its end the host is still left alone, for as long as between any two tries.
    let last = start + 5 * DAY + 33 * MINUTE + SLACK;
    assert!((start + 5 * DAY..last).contains(&end), "{} ms", end - start);
    let tries = net.a.log().matches("not reached").count();
    // Every 30 to 33 minutes for five days, after five quicker ones.
    assert!((218..=246).contains(&tries), "{tries} tries");

    let reports: Vec<Report> =
        net.a.inbox_of(ALICE, 2).iter().map(|octets| Report::parse(octets)).collect();
    let [delayed, bounce] = &reports[..] else { panic!("{reports:?}") };
    for (report, action, status) in [(delayed, "delayed", "4.4.1"), (bounce, "failed", "4.4.1")] {
        report.check("mx.a.example", ALICE);
        let [of] = &report.recipients[..] else { panic!("{report:?}") };
        assert_eq!(of["final-recipient"], "rfc822; carol@c.example");
        assert_eq!((&*of["action"], &of["status"][..2]), (action, "4."), "{of:?}");
        assert_eq!(of["status"], status, "{of:?}");
        assert_eq!(of["final-log-id"], id);
        assert!(of.contains_key("last-attempt-date"), "{of:?}");
        assert_eq!(of.contains_key("will-retry-until"), action == "delayed", "{of:?}");
    }
    // What comes back is what was sent, or its header alone (RFC 3461 §4.3).
    let returned = bounce.returned.replace("\r\n\t", " ");
    assert!(returned.contains("Subject: in-vain\r\n"), "{returned}");

    // Nobody is told twice, and nobody is told of a report.
    net.a.advance(6 * DAY);
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(net.a.inbox(ALICE).len(), 2);
    assert!(net.a.queue().is_empty());
    net.c.start(&["--test-clock"]);
    assert!(net.c.inbox("carol@c.example").is_empty(), "what was given up does not come later");
    net.stop();
}

#[test]
fn a_mail_to_five_domains_has_the_right_fate_in_each() {
    let net = Net::start("three-five");
    let sent = message("to-all");
    let to = [
        "bob@b.example",
        "carol@c.example",
        "dave@d.example",
        "x@null.example",
        "y@nowhere.example",
    ];
    let _ = submit(net.a.smtp(), ALICE, &to, &sent);
    for (site, account, host) in [
        (&net.b, "bob@b.example", "mx.b.example"),
        (&net.c, "carol@c.example", "mx.c.example"),
        (&net.c, "dave@d.example", "mx.c.example"),
    ] {
        let came = site.inbox_of(account, 1).remove(0);
        assert_eq!(hops(&came, &sent), [host, "mx.a.example"]);
    }
    let mut told = Vec::new();
    until("both are told of", || {
        let reports = net.a.inbox(ALICE);
        told = reports.iter().map(|octets| Report::parse(octets)).collect();
        told.iter().map(|report| report.recipients.len()).sum::<usize>() >= 2
    });
    until("the queue is empty", || net.a.queue().is_empty());
    told.iter().for_each(|report| report.check("mx.a.example", ALICE));
    let recipients = told.iter().flat_map(|report| &report.recipients);
    let mut fates: Vec<[&str; 3]> =
        recipients.map(|of| [&*of["final-recipient"], &*of["action"], &*of["status"]]).collect();
    fates.sort_unstable();
    // RFC 7505 §4.2 and RFC 3463 §3.2.
    let expected = [
        ["rfc822; x@null.example", "failed", "5.1.10"],
        ["rfc822; y@nowhere.example", "failed", "5.1.2"],
    ];
    assert_eq!(fates, expected);
    assert_eq!(net.a.inbox(ALICE).len(), told.len());
    net.stop();
}
