//! The queue of the real program: nothing that was taken is lost by kill -9 while it is relayed, days pass on the test
//! clock, and an operator sees and steers it with and without a running server.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pillarbox_tests::server::{Scratch, Server, binary};
use pillarbox_tests::wire::Wire;
use serde_json::Value;

/// A server that takes everything, slowly enough to be interrupted.
struct Receiver {
    address: SocketAddr,
    /// By token, how often it arrived.
    arrived: Arc<Mutex<BTreeMap<u64, u32>>>,
    refuses: Arc<AtomicBool>,
}

impl Receiver {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let arrived = Arc::new(Mutex::new(BTreeMap::new()));
        let refuses = Arc::new(AtomicBool::new(false));
        let receiver =
            Self { address, arrived: Arc::clone(&arrived), refuses: Arc::clone(&refuses) };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if refuses.load(Ordering::SeqCst) {
                    continue;
                }
                let arrived = Arc::clone(&arrived);
                // A sender that is killed breaks off.
                std::thread::spawn(move || drop(receive(stream, &arrived)));
            }
        });
        receiver
    }

    fn arrived(&self) -> BTreeMap<u64, u32> {
        self.arrived.lock().expect("nobody panics").clone()
    }
}

fn receive(mut stream: TcpStream, arrived: &Mutex<BTreeMap<u64, u32>>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?);
    stream.write_all(b"220 receiver.example\r\n")?;
    let mut line = String::new();
    loop {
        line.clear();
        if lines.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if !line.starts_with("DATA") {
            stream.write_all(b"250 receiver.example\r\n")?;
            continue;
        }
        stream.write_all(b"354 go on\r\n")?;
        let mut token = None;
        while line != ".\r\n" {
            line.clear();
            if lines.read_line(&mut line)? == 0 {
                return Ok(());
            }
            assert!(!line.starts_with("Return-Path:"), "RFC 5321 §4.4: not on the way");
            token = token.or(line.strip_prefix("X-Token: ").and_then(|t| t.trim().parse().ok()));
        }
        std::thread::sleep(Duration::from_millis(1));
        if let Some(token) = token {
            *arrived.lock().expect("nobody panics").entry(token).or_insert(0) += 1;
        }
        stream.write_all(b"250 2.0.0 taken\r\n")?;
    }
}

/// A server profile that relays everything to this address, for everyone on this machine.
fn config(scratch: &Path, to: SocketAddr) -> String {
    let file = scratch.join("pillarbox.toml");
    let data = scratch.join("data");
    let text = format!(
        "host_name = 'mx.ours.example'\ndata = '{}'\ndomains = ['ours.example']\n\
         [relay]\nnetworks = ['127.0.0.1']\n\
         [[relay.routes]]\ndomain = '*'\nnext_hop = '[127.0.0.1]:{}'\ntls = 'none'\n",
        data.display(),
        to.port()
    );
    std::fs::write(&file, text).expect("the scratch directory is writable");
    if !data.join("accounts").exists() {
        let mut add = Command::new(binary());
        add.args(["account", "add", "alice@ours.example", "--config"]).arg(&file);
        add.stdin(std::process::Stdio::piped());
        let mut child = add.spawn().expect("the binary starts");
        let stdin = child.stdin.as_mut().expect("it is piped");
        stdin.write_all(b"secret\n").expect("it reads");
        assert!(child.wait().expect("it ends").success());
    }
    file.display().to_string()
}

/// Hands messages over until the server is gone or all are; gives those that were taken, and counts them as they are.
fn send(address: SocketAddr, tokens: std::ops::Range<u64>, count: &AtomicU64) -> Vec<u64> {
    let mut taken = Vec::new();
    let all = || -> std::io::Result<()> {
        let mut wire = Wire::connect(address)?;
        wire.smtp("")?;
        wire.smtp("EHLO ours.example")?;
        for token in tokens {
            wire.smtp("MAIL FROM:<alice@ours.example>")?;
            let reply = wire.smtp(&format!("RCPT TO:<u{token}@d{}.example>", token % 5))?;
            assert!(reply.starts_with(b"250"), "{}", reply.escape_ascii());
            wire.smtp("DATA")?;
            let text = format!("Subject: x\r\nX-Token: {token}\r\n\r\n..\r\ntext\r\n.");
            if wire.smtp(&text)?.starts_with(b"250") {
                taken.push(token);
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    };
    // It was killed.
    drop(all());
    taken
}

/// How many messages the server takes before it is killed, 1 to 30.
fn taken_before_kill(round: u64) -> u64 {
    round * 7 % 30 + 1
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn queue(config: &str, words: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.arg("queue").args(words).args(["--config", config]);
    command.output().expect("the binary starts")
}

fn json(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

fn advance(http: SocketAddr, ms: u64) {
    let body = format!("{{\"advance_ms\":{ms}}}");
    let mut stream = TcpStream::connect(http).expect("it listens");
    let head = format!(
        "POST /api/clock HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// Issue 3, "it must show" 3. `PILLARBOX_KILL_ROUNDS=200` makes it long.
#[test]
fn no_message_is_lost_by_kill_9_while_it_is_relayed() {
    let rounds: u64 = std::env::var("PILLARBOX_KILL_ROUNDS")
        .map_or(25, |rounds| rounds.parse().expect("PILLARBOX_KILL_ROUNDS is a number"));
    let scratch = Scratch::new("queue-kill");
    let receiver = Receiver::start();
    let config = config(scratch.path(), receiver.address);
    let flags = ["--config", &config];
    let mut taken = Vec::new();
    for round in 0..rounds {
        let server = Server::start(scratch.path(), &flags);
        let smtp = server.smtp;
        let count = Arc::new(AtomicU64::new(0));
        let senders: Vec<_> = (0..3)
            .map(|n| {
                let (first, count) = ((round * 3 + n) * 1000, Arc::clone(&count));
                std::thread::spawn(move || send(smtp, first..first + 100, &count))
            })
            .collect();
        // It is killed after so many, however fast this machine is, and at some moment of the next one.
        until("some are taken", || count.load(Ordering::Relaxed) >= taken_before_kill(round));
        std::thread::sleep(Duration::from_micros(round * 1_370 % 20_000));
        server.kill();
        for sender in senders {
            taken.extend(sender.join().expect("no sender panics"));
        }
    }
    let server = Server::start(scratch.path(), &flags);
    let arrived = || receiver.arrived();
    until("all that was taken arrives", || {
        let arrived = arrived();
        taken.iter().all(|token| arrived.contains_key(token))
    });
    until("the queue is empty", || json(&queue(&config, &["list", "--json"])).is_empty());
    assert!(server.stop().success());
    let twice = arrived().values().filter(|count| **count > 1).count();
    let log = std::fs::read_to_string(scratch.path().join("log")).expect("there is a log");
    let told = log.matches("may arrive twice").count();
    assert!(twice <= told, "{twice} arrived twice, the log names {told}");
    let least: u64 = (0..rounds).map(taken_before_kill).sum();
    assert!(taken.len() as u64 >= least, "only {} were taken", taken.len());
}

#[test]
fn five_days_pass_on_the_test_clock_and_an_operator_sees_them() {
    let scratch = Scratch::new("queue-clock");
    let receiver = Receiver::start();
    receiver.refuses.store(true, Ordering::SeqCst);
    let config = config(scratch.path(), receiver.address);
    let flags = ["--config", &config, "--test-clock"];
    let server = Server::start(scratch.path(), &flags);
    assert_eq!(send(server.smtp, 1..3, &AtomicU64::new(0)), [1, 2]);
    let stats = || json(&queue(&config, &["stats", "--json"]))[0].clone();
    until("it was tried", || stats()["destinations"][0]["failures"].as_u64() > Some(0));
    let listed = json(&queue(&config, &["list", "--json"]));
    assert_eq!(listed.len(), 2);
    let first = listed[0]["id"].to_string();
    let shown = json(&queue(&config, &["show", &first, "--json"]));
    assert_eq!(shown[0]["from"], "alice@ours.example");
    until("metrics tell the queue's depth", || {
        let depth = ["messages", "tasks"].map(|of| server.metric(&format!("pillarbox_queue_{of}")));
        depth == [2, 2] && server.metric("pillarbox_relay_unreached_total") > 0
    });
    json(&queue(&config, &["hold", &first, "--json"]));
    let tries = |log: &str| log.matches("not reached").count();
    for hour in 0..122 {
        let before = stats();
        advance(server.http, 3_600_000);
        let waits = before["destinations"][0]["next_unix_ms"].as_u64();
        let now = stats()["now_unix_ms"].as_u64();
        if waits <= now {
            let done = || stats()["destinations"][0]["next_unix_ms"].as_u64() > now;
            let over = || stats()["tasks"].as_u64() == Some(1);
            until(&format!("hour {hour}"), || done() || over());
        }
    }
    until("the other one is given up", || stats()["tasks"].as_u64() == Some(1));
    until("metrics tell the queue's age and what became of its mail", || {
        let outcomes = ["delivered", "failed", "expired"].map(|outcome| {
            server.metric(&format!("pillarbox_relay_recipients_total{{outcome=\"{outcome}\"}}"))
        });
        let reports = ["delayed", "failed"].map(|kind| {
            server.metric(&format!("pillarbox_relay_reports_total{{kind=\"{kind}\"}}"))
        });
        let held = server.metric("pillarbox_queue_tasks_held");
        let days = server.metric("pillarbox_queue_oldest_seconds") / 86_400;
        (outcomes, reports, held, days) == ([0, 0, 1], [1, 1], 1, 5)
    });
    let log = std::fs::read_to_string(scratch.path().join("log")).expect("there is a log");
    assert!((100..140).contains(&tries(&log)), "{} tries, one an hour", tries(&log));
    let mut imap = Wire::connect(server.imap).expect("it listens");
    imap.line().expect("it greets");
    imap.imap("a LOGIN alice@ours.example secret").expect("she is known");
    let status = imap.imap("b STATUS INBOX (MESSAGES)").expect("it is there");
    let status = String::from_utf8_lossy(&status).into_owned();
    assert!(status.contains("MESSAGES 2"), "a notice of the delay and one bounce: {status}");
    assert!(server.stop().success());

    // Without a server the same words work on the directory.
    let held = json(&queue(&config, &["list", "--json"]));
    assert!(held.len() == 1 && held[0]["destinations"][0]["held"] == true, "{held:?}");
    assert!(!queue(&config, &["release", "999"]).status.success(), "there is no such message");
    json(&queue(&config, &["release", &first, "--json"]));
    json(&queue(&config, &["delete", &first, "--bounce", "--json"]));
    assert!(json(&queue(&config, &["list", "--json"])).is_empty());
    let server = Server::start(scratch.path(), &flags);
    let mut imap = Wire::connect(server.imap).expect("it listens");
    imap.line().expect("it greets");
    imap.imap("a LOGIN alice@ours.example secret").expect("she is known");
    let status = imap.imap("b STATUS INBOX (MESSAGES)").expect("it is there");
    let status = String::from_utf8_lossy(&status).into_owned();
    assert!(status.contains("MESSAGES 3"), "{status}");
    assert!(server.stop().success());
}
