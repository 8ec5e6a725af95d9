//! The promise above all others: a message answered with 250 or OK APPEND outlives kill -9 at any moment.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pillarbox_tests::server::{Scratch, Server};
use pillarbox_tests::wire::Wire;

const USERS: u64 = 4;
const SENDERS: u64 = 6;
const APPENDERS: u64 = 2;

/// What the senders know: every token that was tried, and whether it was acknowledged.
#[derive(Default)]
struct Ledger {
    tokens: Mutex<BTreeMap<u64, bool>>,
    next: AtomicU64,
    stop: AtomicBool,
}

impl Ledger {
    fn begin(&self) -> u64 {
        let token = self.next.fetch_add(1, Ordering::SeqCst);
        self.tokens.lock().expect("no sender panics").insert(token, false);
        token
    }

    fn acknowledged(&self, token: u64) {
        self.tokens.lock().expect("no sender panics").insert(token, true);
    }
}

fn message(token: u64) -> String {
    // Sizes from a few hundred octets to some 40 KiB, so that a kill meets different writes.
    let lines = "a line of a message that must not be lost\r\n".repeat((token % 1000) as usize);
    format!("From: <alice@crepes.fr>\r\nSubject: t\r\nX-Token: {token}\r\n\r\n{lines}")
}

/// Sends messages over one connection until the server is gone.
fn send(address: SocketAddr, ledger: &Ledger) -> io::Result<()> {
    let mut wire = Wire::connect(address)?;
    wire.smtp("")?;
    wire.smtp("EHLO crepes.fr")?;
    while !ledger.stop.load(Ordering::SeqCst) {
        let token = ledger.begin();
        wire.smtp("MAIL FROM:<alice@crepes.fr>")?;
        wire.smtp(&format!("RCPT TO:<user{}@hamburger.edu>", token % USERS))?;
        wire.smtp("DATA")?;
        let reply = wire.smtp(&format!("{}.", message(token)))?;
        assert!(reply.starts_with(b"250"), "{}", reply.escape_ascii());
        ledger.acknowledged(token);
    }
    Ok(())
}

/// Appends messages over one connection until the server is gone.
fn append(address: SocketAddr, ledger: &Ledger) -> io::Result<()> {
    let mut wire = Wire::connect(address)?;
    wire.line()?;
    wire.imap("a LOGIN user0@hamburger.edu any")?;
    while !ledger.stop.load(Ordering::SeqCst) {
        let token = ledger.begin();
        let message = message(token);
        wire.send(format!("b APPEND INBOX {{{}}}\r\n", message.len()).as_bytes())?;
        let go_on = wire.line()?;
        assert!(go_on.starts_with(b"+"), "{}", go_on.escape_ascii());
        wire.send(format!("{message}\r\n").as_bytes())?;
        let response = wire.line()?;
        assert!(response.starts_with(b"b OK"), "{}", response.escape_ascii());
        ledger.acknowledged(token);
    }
    Ok(())
}

/// A mailbox as it is: its validity, and token by UID.
type Found = (u64, BTreeMap<u64, u64>);

fn found(address: SocketAddr, user: u64) -> io::Result<Found> {
    let mut wire = Wire::connect(address)?;
    wire.line()?;
    wire.imap(&format!("a LOGIN user{user}@hamburger.edu any"))?;
    let selected = String::from_utf8(wire.imap("b SELECT INBOX")?).expect("a text response");
    let number = |text: &str, after: &str| -> Option<u64> {
        let rest = &text[text.find(after)? + after.len()..];
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..digits].parse().ok()
    };
    let validity = number(&selected, "UIDVALIDITY ").expect("SELECT tells UIDVALIDITY");
    let response = wire.imap("c UID FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (X-TOKEN)])")?;
    let response = String::from_utf8(response).expect("a text response");
    let mut tokens = BTreeMap::new();
    for one in response.split("* ").skip(1) {
        let uid = number(one, "UID ").expect("every row has its UID");
        let token = number(one, "X-Token: ").expect("every message has its token");
        assert!(tokens.insert(uid, token).is_none(), "UID {uid} came twice");
    }
    Ok((validity, tokens))
}

#[test]
fn no_acknowledged_message_is_lost_by_kill_9() {
    let rounds: u64 = std::env::var("PILLARBOX_KILL_ROUNDS")
        .map_or(50, |rounds| rounds.parse().expect("PILLARBOX_KILL_ROUNDS is a number"));
    let scratch = Scratch::new("kill");
    let data = scratch.path().join("data");
    let data = data.to_str().expect("the path is ASCII");
    let ledger = Arc::new(Ledger::default());
    let mut before: BTreeMap<u64, Found> = BTreeMap::new();
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    for round in 0..rounds {
        let server = Server::start(scratch.path(), &["--data", data]);
        let now = check(&server, &ledger, &before, round);
        before = now;
        let (smtp, imap) = (server.smtp, server.imap);
        ledger.stop.store(false, Ordering::SeqCst);
        let peer = |work: fn(SocketAddr, &Ledger) -> io::Result<()>, address| {
            let ledger = Arc::clone(&ledger);
            std::thread::spawn(move || work(address, &ledger))
        };
        let mut peers: Vec<_> = (0..SENDERS).map(|_| peer(send, smtp)).collect();
        peers.extend((0..APPENDERS).map(|_| peer(append, imap)));
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        std::thread::sleep(Duration::from_millis(30 + (random >> 33) % 300));
        server.kill();
        ledger.stop.store(true, Ordering::SeqCst);
        for peer in peers {
            // A cut connection is what this test is about; a wrong reply panics the peer's thread.
            drop(peer.join().expect("no reply was wrong"));
        }
    }
    let server = Server::start(scratch.path(), &["--data", data]);
    check(&server, &ledger, &before, rounds);
    let tokens = ledger.tokens.lock().expect("no sender panics");
    let acknowledged = tokens.values().filter(|acknowledged| **acknowledged).count();
    println!(
        "{rounds} kills, {} messages tried, {acknowledged} acknowledged, 0 lost",
        tokens.len()
    );
    assert!(acknowledged as u64 > rounds * 4, "the load was too small to mean anything");
    assert!(server.stop().success(), "SIGTERM ends the server with success");
}

/// D1 to D4 of the design: nothing acknowledged is gone, nothing is there twice, UIDs and validity stay.
fn check(
    server: &Server,
    ledger: &Ledger,
    before: &BTreeMap<u64, Found>,
    round: u64,
) -> BTreeMap<u64, Found> {
    let mut count: BTreeMap<u64, u64> = BTreeMap::new();
    let mut now = BTreeMap::new();
    for user in 0..USERS {
        let (validity, tokens) = found(server.imap, user).expect("a started server serves");
        if let Some((old_validity, old)) = before.get(&user) {
            assert_eq!(validity, *old_validity, "UIDVALIDITY stays (round {round})");
            for (uid, token) in old {
                assert_eq!(tokens.get(uid), Some(token), "UID {uid} stays (round {round})");
            }
        }
        tokens.values().for_each(|token| *count.entry(*token).or_default() += 1);
        now.insert(user, (validity, tokens));
    }
    for (token, acknowledged) in &*ledger.tokens.lock().expect("no sender panics") {
        let count = count.get(token).copied().unwrap_or(0);
        assert!(count >= u64::from(*acknowledged), "message {token} was lost (round {round})");
        assert!(count <= 1, "message {token} is there {count} times (round {round})");
    }
    now
}
