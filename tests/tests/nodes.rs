//! Two nodes, each a process of its own, on one PostgreSQL database: what happens on one is told by the other, in order and
//! soon, and what a node held is free once it is gone.

#[path = "../../host-native/tests/rig/cluster.rs"]
mod cluster;

use std::time::{Duration, Instant};

use cluster::Cluster;
use pillarbox_tests::server::{Scratch, Server};
use pillarbox_tests::wire::Wire;

/// How soon, in the best of a few rounds: this machine may be busy.
const SOON: Duration = Duration::from_millis(100);
const ROUNDS: usize = 5;
/// A node that is gone is believed to live for ten seconds.
const FREE_WITHIN: Duration = Duration::from_secs(30);

fn node(scratch: &Scratch, url: &str) -> Server {
    let data = scratch.path().join("data").display().to_string();
    Server::start(scratch.path(), &["--data", &data, "--database", url])
}

fn imap(server: &Server) -> Wire {
    let mut wire = Wire::connect(server.imap).expect("it listens");
    wire.line().expect("a greeting");
    said(&mut wire, "l LOGIN bob hungry", "l OK");
    wire
}

/// Says something, and hears lines until one begins so.
fn said(wire: &mut Wire, command: &str, end: &str) -> Vec<String> {
    wire.send(format!("{command}\r\n").as_bytes()).expect("it reads");
    heard(wire, end)
}

fn heard(wire: &mut Wire, end: &str) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let line = wire.line().unwrap_or_else(|error| panic!("{end}: {error} after {lines:?}"));
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        lines.push(line.clone());
        if line.starts_with(end) {
            return lines;
        }
        assert!(!line.contains(" NO ") && !line.contains(" BAD "), "{end}: {lines:?}");
    }
}

/// Commands of SMTP or POP3, each with how its answer begins.
fn talk(address: std::net::SocketAddr, lines: &[(&str, &str)]) -> Wire {
    let mut wire = Wire::connect(address).expect("it listens");
    wire.line().expect("a greeting");
    for (command, answer) in lines {
        said(&mut wire, command, answer);
    }
    wire
}

#[test]
fn what_happens_on_one_node_is_told_by_the_other_soon_and_in_order() {
    let cluster = Cluster::shared();
    let url = cluster.database();
    let (one, two) = (Scratch::new("nodes-one"), Scratch::new("nodes-two"));
    let (near, far) = (node(&one, &url), node(&two, &url));
    let mut writer = imap(&far);
    said(&mut writer, "s SELECT INBOX", "s OK");
    let mut idle = imap(&near);
    said(&mut idle, "s SELECT INBOX", "s OK");
    said(&mut idle, "i IDLE", "+ ");
    let mut notified = imap(&near);
    let notify = "n NOTIFY SET (personal (MessageNew MessageExpunge))";
    said(&mut notified, notify, "n OK");

    let names = ["APPEND", "STORE", "SMTP", "MOVE", "DELE"];
    let mut best = [Duration::MAX; 5];
    let mut at_once = Duration::MAX;
    for _ in 0..ROUNDS {
        let mut took = Vec::new();
        let mut step = |idle: &mut Wire, began: Instant, line: &str| {
            let lines = heard(idle, line);
            took.push(began.elapsed());
            let of_messages = |line: &&String| !line.ends_with("RECENT");
            assert_eq!(lines.iter().filter(of_messages).count(), 1, "nothing else: {lines:?}");
        };
        let began = Instant::now();
        said(&mut writer, "a APPEND INBOX {12+}\r\nSubject: 1\r\n", "a OK");
        step(&mut idle, began, "* 1 EXISTS");
        heard(&mut notified, "* STATUS INBOX (MESSAGES 1");
        at_once = at_once.min(began.elapsed());

        let began = Instant::now();
        said(&mut writer, "t STORE 1 +FLAGS (\\Flagged)", "t OK");
        step(&mut idle, began, "* 1 FETCH (");

        let began = Instant::now();
        let letter = "Subject: 2\r\n\r\nHello\r\n.";
        talk(
            far.smtp,
            &[
                ("EHLO c.example", "250 "),
                ("MAIL FROM:<a@x.example>", "250 "),
                ("RCPT TO:<bob@localhost>", "250 "),
                ("DATA", "354 "),
                (letter, "250 "),
            ],
        );
        step(&mut idle, began, "* 2 EXISTS");
        heard(&mut notified, "* STATUS INBOX (MESSAGES 2");

        let began = Instant::now();
        said(&mut writer, "m MOVE 1 Trash", "m OK");
        step(&mut idle, began, "* 1 EXPUNGE");
        heard(&mut notified, "* STATUS INBOX (MESSAGES 1");

        let began = Instant::now();
        let commands =
            [("USER bob", "+OK"), ("PASS hungry", "+OK"), ("DELE 1", "+OK"), ("QUIT", "+OK")];
        talk(far.pop3, &commands);
        step(&mut idle, began, "* 1 EXPUNGE");
        heard(&mut notified, "* STATUS INBOX (MESSAGES 0");
        said(&mut writer, "e NOOP", "e OK");
        for (best, took) in best.iter_mut().zip(took) {
            *best = took.min(*best);
        }
    }
    for (name, took) in names.iter().zip(best) {
        println!("{name}: told by the other node {took:?} after it was begun");
        assert!(took < SOON, "{name} took {took:?}");
    }
    println!("APPEND, by NOTIFY: {at_once:?}");
    assert!(at_once < SOON, "{at_once:?}");
    assert!(near.stop().success() && far.stop().success());
}

#[test]
fn what_a_killed_node_held_is_free_soon() {
    let cluster = Cluster::shared();
    let url = cluster.database();
    let (one, two) = (Scratch::new("nodes-killed"), Scratch::new("nodes-left"));
    let killed = node(&one, &url);
    drop(imap(&killed));
    let _held = talk(killed.pop3, &[("USER bob", "+OK"), ("PASS hungry", "+OK")]);
    let left = node(&two, &url);
    let works = || {
        let log = std::fs::read_to_string(two.path().join("log")).unwrap_or_default();
        log.contains("this node works at the queue")
    };
    let opens = || {
        let mut wire = Wire::connect(left.pop3).expect("it listens");
        wire.line().expect("a greeting");
        said(&mut wire, "USER bob", "+OK");
        wire.send(b"PASS hungry\r\n").expect("it reads");
        wire.line().expect("it answers").starts_with(b"+OK")
    };
    assert!(!opens(), "a session on the other node has the maildrop");
    std::thread::sleep(Duration::from_secs(12));
    assert!(!opens() && !works(), "a node that lives keeps what it has");
    killed.kill();
    let began = Instant::now();
    while !opens() || !works() {
        assert!(began.elapsed() < FREE_WITHIN, "queue: {}", works());
        std::thread::sleep(Duration::from_millis(200));
    }
    println!("free {:?} after the other node was killed", began.elapsed());
    assert!(left.stop().success());
}
