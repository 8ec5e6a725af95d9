//! `fetch`: mail of another server, kept there or deleted, once or watched, and cut off by kill -9 at any moment: nothing is
//! lost, nothing comes twice, nothing is deleted before it is stored.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pillarbox_tests::server::{Scratch, Server};
use pillarbox_tests::site::Site;

use super::{append, command, done, facts, last_json, log_in, messages, refused, text};

const THERE: &str = "ann@far.example";
const HERE: &str = "bob@hamburger.edu";

fn url(protocol: &str, server: &Server) -> String {
    let port = if protocol == "imap" { server.imap.port() } else { server.pop3.port() };
    format!("{protocol}://{THERE}@127.0.0.1:{port}")
}

/// So many messages with numbers, in one go.
fn fill(imap: SocketAddr, numbers: std::ops::Range<u32>) {
    let mut wire = log_in(imap, THERE);
    for number in numbers {
        let lines =
            "a line of a message that must not be lost\n".repeat((number % 50) as usize * 9);
        let message = format!("Subject: {number}\nX-Number: {number}\n\n.{number}\n{lines}");
        append(&mut wire, "INBOX", "\\Seen", "17-Jul-2026 12:34:56 +0200", &message);
    }
}

/// How often each number is there.
fn numbers(imap: SocketAddr, account: &str) -> BTreeMap<u32, u32> {
    let mut count = BTreeMap::new();
    for message in messages(imap, account, "INBOX") {
        let text = String::from_utf8_lossy(&message).into_owned();
        let (_, rest) = text.split_once("X-Number: ").expect("it has one");
        let number = rest.lines().next().and_then(|line| line.parse().ok()).expect("a number");
        *count.entry(number).or_default() += 1;
    }
    count
}

fn once(numbers: std::ops::Range<u32>) -> BTreeMap<u32, u32> {
    numbers.map(|number| (number, 1)).collect()
}

#[test]
fn mail_is_downloaded_and_kept_or_deleted() {
    let scratch = Scratch::new("people-fetch");
    let (far, near) = (scratch.path().join("far"), scratch.path().join("near"));
    std::fs::create_dir_all(&far).expect("ours");
    let there = Server::start(&far, &["--memory"]);
    fill(there.imap, 0..30);
    let mut wire = log_in(there.imap, THERE);
    wire.imap("b SELECT INBOX").expect("a response");
    wire.imap("c STORE 7 FLAGS (\\Flagged $Work)").expect("a response");
    let octets = messages(there.imap, THERE, "INBOX");
    for protocol in ["imap", "pop3"] {
        let url = url(protocol, &there);
        let account = format!("{protocol}@hamburger.edu");
        let fetch = |more: &[&str]| {
            let fetch = ["fetch", &url, "--data", text(&near), "--account", &account, "--json"];
            last_json(&done(&[&fetch[..], more].concat()))
        };
        let first = fetch(&[]);
        assert_eq!((&first["found"], &first["stored"]), (&30.into(), &30.into()), "{first}");
        let second = fetch(&["--keep"]);
        assert_eq!((&second["stored"], &second["known"]), (&0.into(), &30.into()), "{second}");
        assert_eq!(messages(there.imap, THERE, "INBOX").len(), 30, "they are kept there");
        let server = Server::start(scratch.path(), &["--data", text(&near)]);
        assert!(messages(server.imap, &account, "INBOX") == octets, "{protocol}: octet for octet");
        let rows = facts(server.imap, &account, "INBOX");
        if protocol == "imap" {
            assert!(rows.contains("$Work") && rows.contains("\\Flagged"), "{rows}");
            assert_eq!(rows.matches("17-Jul-2026 12:34:56 +0200").count(), 30, "{rows}");
        }
        // With a server on the directory that stores it; two new ones came, and one of them goes to another mailbox.
        fill(there.imap, 30..32);
        let third = fetch(&[]);
        assert_eq!((&third["stored"], &third["known"]), (&2.into(), &30.into()), "{third}");
        assert_eq!(numbers(server.imap, &account), once(0..32));
        assert!(server.stop().success());
        wire.imap("n NOOP").expect("a response");
        wire.imap("d STORE 31:32 +FLAGS (\\Deleted)").expect("a response");
        wire.imap("e EXPUNGE").expect("a response");
    }
    // Deleted there once it is here.
    for protocol in ["imap", "pop3"] {
        let url = url(protocol, &there);
        let account = format!("{protocol}-all@hamburger.edu");
        let fetch =
            ["fetch", &url, "--data", text(&near), "--account", &account, "--delete", "--json"];
        let outcome = last_json(&done(&fetch));
        let wanted = (&30.into(), &30.into());
        assert_eq!((&outcome["stored"], &outcome["deleted"]), wanted, "{outcome}");
        assert_eq!(messages(there.imap, THERE, "INBOX").len(), 0);
        let server = Server::start(scratch.path(), &["--data", text(&near)]);
        assert_eq!(numbers(server.imap, &account), once(0..30));
        assert!(server.stop().success());
        fill(there.imap, 0..30);
    }
}

/// RFC 9738: a server that works at fewer messages than one FETCH asks for.
#[test]
fn all_is_fetched_from_a_server_that_limits_its_commands() {
    let scratch = Scratch::new("people-fetch-limited");
    let (far, near) = (scratch.path().join("far"), scratch.path().join("near"));
    std::fs::create_dir_all(&far).expect("ours");
    let there = Server::start(&far, &["--memory", "--imap-message-limit", "7"]);
    fill(there.imap, 0..60);
    let url = url("imap", &there);
    let fetch = ["fetch", &url, "--data", text(&near), "--account", HERE, "--delete", "--json"];
    let outcome = last_json(&done(&fetch));
    let wanted = (&60.into(), &60.into());
    assert_eq!((&outcome["stored"], &outcome["deleted"]), wanted, "{outcome}");
    assert_eq!(messages(there.imap, THERE, "INBOX").len(), 0);
    let server = Server::start(scratch.path(), &["--data", text(&near)]);
    assert_eq!(numbers(server.imap, HERE), once(0..60));
}

#[test]
fn what_cannot_be_fetched_is_said_with_what_to_do() {
    let scratch = Scratch::new("people-refused");
    let near = scratch.path().join("near");
    let config = "host_name = 'mx.x.example'\ndomains = ['x.example']\n";
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut site = Site::new(scratch.path().to_owned(), free, config, &["ann@x.example"]);
    site.start(&[]);
    let imap = site.server().imap;
    let fetch = |url: &str| refused(&["fetch", url, "--data", text(&near), "--account", HERE]);
    let (code, said) = fetch(&format!("imap://ann@x.example@{imap}"));
    assert!(code == 77 && said.contains("user and password"), "{code} {said}");
    let (code, said) = fetch(&format!("pop3://ann@x.example@{}", site.server().pop3));
    assert!(code == 77, "{code} {said}");
    let (code, said) = fetch(&format!("imap://ann@x.example:any@{imap}"));
    assert!(code == 2 && said.contains("command line") && !said.contains("exit"), "{code} {said}");
    let (code, said) = fetch("imap://ann@127.0.0.1:1");
    assert!(code == 75 && said.contains("host and port"), "{code} {said}");
    let (code, said) = fetch(&format!("pop3://ann@x.example@{imap}"));
    assert!(code == 69 || code == 75, "{code} {said}");
    let (code, said) = refused(&[
        "fetch",
        &format!("imap://ann@x.example@{imap}"),
        "--data",
        text(&near),
        "--account",
        HERE,
        "--tls",
        "required",
    ]);
    assert!(code == 69 && said.contains("--tls"), "{code} {said}");
    let output = command(&[
        "fetch",
        &format!("imap://ann@x.example@{imap}/No"),
        "--data",
        text(&near),
        "--account",
        HERE,
    ])
    .env("PILLARBOX_PASSWORD", "secret")
    .output()
    .expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(69) && said.contains("mailbox No"), "{said}");
    // Nothing was fetched, so nothing is said of it.
    assert!(output.stdout.is_empty() && !said.contains("new messages"), "{said}");
    let output = command(&[
        "fetch",
        &format!("imap://ann@x.example@{imap}"),
        "--data",
        text(&near),
        "--account",
        HERE,
    ])
    .env_remove("PILLARBOX_PASSWORD")
    .output()
    .expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && said.contains("PILLARBOX_PASSWORD"), "{said}");
}

#[test]
fn nothing_is_lost_or_doubled_when_a_fetch_is_killed() {
    const COUNT: u32 = 1200;
    let scratch = Scratch::new("people-fetch-killed");
    for protocol in ["imap", "pop3"] {
        let (far, near) = (
            scratch.path().join(format!("{protocol}-far")),
            scratch.path().join(format!("{protocol}-near")),
        );
        std::fs::create_dir_all(&far).expect("ours");
        let there = Server::start(&far, &["--memory"]);
        fill(there.imap, 0..COUNT);
        let url = url(protocol, &there);
        let fetch = ["fetch", &url, "--data", text(&near), "--account", HERE, "--delete"];
        let (mut kills, mut wait) = (0, 60);
        for round in 0..25u64 {
            let server =
                (round % 3 == 1).then(|| Server::start(scratch.path(), &["--data", text(&near)]));
            let mut child = command(&fetch)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("it starts");
            std::thread::sleep(Duration::from_millis(wait));
            wait += 25;
            let over = child.try_wait().expect("ours").is_some();
            match server {
                Some(server) => {
                    server.kill();
                    child.wait().expect("it ends");
                }
                None => {
                    drop(child.kill());
                    child.wait().expect("it ends");
                }
            }
            kills += 1;
            // Every message is there or here, and here at most once.
            let left = numbers(there.imap, THERE);
            let server = Server::start(scratch.path(), &["--data", text(&near)]);
            let got = numbers(server.imap, HERE);
            assert!(got.values().all(|count| *count == 1), "{protocol} round {round}: doubled");
            let lost: Vec<u32> =
                (0..COUNT).filter(|n| !left.contains_key(n) && !got.contains_key(n)).collect();
            assert!(lost.is_empty(), "{protocol} round {round}: lost {lost:?}");
            assert!(server.stop().success());
            if over && left.is_empty() {
                break;
            }
        }
        done(&fetch);
        assert!(numbers(there.imap, THERE).is_empty());
        let server = Server::start(scratch.path(), &["--data", text(&near)]);
        assert_eq!(numbers(server.imap, HERE), once(0..COUNT), "{protocol}");
        println!("{protocol}: {kills} kills");
        assert!(kills >= 3, "{kills} kills mean nothing");
    }
}

/// An address that stays while the server behind it does not.
struct Door {
    address: SocketAddr,
    behind: Arc<Mutex<SocketAddr>>,
}

impl Door {
    fn open(behind: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = listener.local_addr().expect("bound");
        let behind = Arc::new(Mutex::new(behind));
        let now = Arc::clone(&behind);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let address = *now.lock().expect("nobody panics");
                let Ok(other) = TcpStream::connect(address) else { continue };
                pipe(&stream, &other);
                pipe(&other, &stream);
            }
        });
        Self { address, behind }
    }
}

/// Octets from one to the other, until one of them ends.
fn pipe(from: &TcpStream, to: &TcpStream) {
    let (mut from, mut to) = (from.try_clone().expect("open"), to.try_clone().expect("open"));
    std::thread::spawn(move || {
        drop(std::io::copy(&mut from, &mut to));
        drop(to.shutdown(std::net::Shutdown::Both));
        drop(from.shutdown(std::net::Shutdown::Both));
    });
}

#[test]
fn a_watched_mailbox_is_followed_over_restarts() {
    let scratch = Scratch::new("people-watch");
    let (far, near) = (scratch.path().join("far"), scratch.path().join("near"));
    std::fs::create_dir_all(&far).expect("ours");
    let far_data = far.join("data");
    let there = Server::start(&far, &["--data", text(&far_data)]);
    let door = Door::open(there.imap);
    let here = Server::start(scratch.path(), &["--data", text(&near)]);
    let url = format!("imap://{THERE}@{}", door.address);
    let fetch = ["fetch", &url, "--data", text(&near), "--account", HERE, "--watch", "--json"];
    let log = std::fs::File::create(scratch.path().join("watch.log")).expect("ours");
    let mut child = command(&fetch).stdout(log).stderr(Stdio::null()).spawn().expect("it starts");
    let wait_for = |count: u32| {
        let until = Instant::now() + Duration::from_secs(60);
        while numbers(here.imap, HERE) != once(0..count) {
            if Instant::now() > until {
                let log = std::fs::read_to_string(scratch.path().join("watch.log"));
                panic!("{count} did not come; {log:?}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    fill(there.imap, 0..3);
    wait_for(3);
    // It idles now, and is told at once.
    std::thread::sleep(Duration::from_millis(300));
    fill(there.imap, 3..5);
    wait_for(5);
    // The other server goes away and comes back, behind the same address.
    there.kill();
    std::thread::sleep(Duration::from_millis(1500));
    let there = Server::start(&far, &["--data", text(&far_data)]);
    *door.behind.lock().expect("nobody panics") = there.imap;
    fill(there.imap, 5..7);
    wait_for(7);
    drop(child.kill());
    child.wait().expect("it ends");
    let log = std::fs::read_to_string(scratch.path().join("watch.log")).expect("it is there");
    assert!(log.contains("\"pause\""), "{log}");
}
