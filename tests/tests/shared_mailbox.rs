//! Several sessions on one mailbox, over sockets: what one was promised it gets, and what one was answered all see.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use pillarbox_tests::server::{Scratch, Server};
use pillarbox_tests::wire::Wire;

/// Messages that are more than sockets hold, so that a reader who stops leaves most of them to be sent.
const MESSAGES: usize = 40;
const OCTETS: usize = 400_000;

fn message(number: usize) -> Vec<u8> {
    let mut message = format!("Subject: {number}\r\n\r\n").into_bytes();
    let line = format!("{number:06}{}\r\n", "x".repeat(70));
    while message.len() < OCTETS {
        message.extend_from_slice(line.as_bytes());
    }
    message
}

fn imap(address: SocketAddr) -> Wire {
    let mut wire = Wire::connect(address).expect("it listens");
    wire.line().expect("a greeting");
    ok(&mut wire, "l LOGIN bob hungry");
    wire
}

fn ok(wire: &mut Wire, command: &str) -> String {
    let response = wire.imap(command).expect("it answers");
    let text = String::from_utf8_lossy(&response).into_owned();
    let tag = command.split(' ').next().expect("a tag");
    assert!(text.lines().last().is_some_and(|l| l.starts_with(&format!("{tag} OK"))), "{text}");
    text
}

/// Hears the end of a command that was said.
fn answered(wire: &mut Wire, tag: &str) {
    loop {
        let line = wire.line().expect("it answers");
        if line.starts_with(format!("{tag} ").as_bytes()) {
            assert!(line.starts_with(format!("{tag} OK").as_bytes()), "{}", line.escape_ascii());
            return;
        }
    }
}

fn fill(wire: &mut Wire, messages: usize) {
    for number in 0..messages {
        let message = message(number);
        wire.send(format!("a APPEND INBOX {{{}+}}\r\n", message.len()).as_bytes())
            .expect("it reads");
        wire.send(&message).expect("it reads");
        answered(wire, "a");
    }
}

/// Runs a test against each store: in memory and on disk.
fn each_store(name: &str, test: impl Fn(&Server)) {
    let scratch = Scratch::new(&format!("{name}-memory"));
    let server = Server::start(scratch.path(), &[]);
    test(&server);
    assert!(server.stop().success());
    let scratch = Scratch::new(name);
    let data = scratch.path().join("data");
    let data = data.to_str().expect("UTF-8");
    let server = Server::start(scratch.path(), &["--data", data]);
    test(&server);
    assert!(server.stop().success());
}

/// RFC 2180 §4.1: a session that was told of a message gets its octets, whoever expunges it meanwhile.
#[test]
fn bodies_that_were_promised_come_though_another_session_expunges_them() {
    each_store("shared-fetch", |server| {
        let mut owner = imap(server.imap);
        fill(&mut owner, MESSAGES);
        let mut reader = imap(server.imap);
        ok(&mut reader, "s SELECT INBOX");
        ok(&mut owner, "s SELECT INBOX");
        reader.send(b"f FETCH 1:* BODY.PEEK[]\r\n").expect("it reads");
        // Its first message is on the way, and the rest fits no socket.
        reader.line().expect("the response has begun");
        ok(&mut owner, "d STORE 1:* +FLAGS.SILENT (\\Deleted)");
        ok(&mut owner, "e EXPUNGE");
        // Writes after it, which sweep away what nobody holds.
        fill(&mut owner, 3);
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(reader.octets(message(0).len()).expect("its octets"), message(0));
        for number in 1..MESSAGES {
            assert_eq!(reader.line().expect("the end of one"), b")\r\n");
            let head = String::from_utf8(reader.line().expect("the next")).expect("ASCII");
            let wanted =
                format!("* {} FETCH (BODY[] {{{}}}\r\n", number + 1, message(number).len());
            assert_eq!(head, wanted);
            let octets = reader.octets(message(number).len()).expect("its octets");
            assert_eq!(octets, message(number), "message {number}");
        }
        assert_eq!(reader.line().expect("the end of the last"), b")\r\n");
        loop {
            let line = reader.line().expect("the end of the command");
            if line.starts_with(b"f ") {
                assert!(line.starts_with(b"f OK"), "{}", line.escape_ascii());
                break;
            }
        }
        let told = ok(&mut reader, "n NOOP");
        assert_eq!(told.matches(" EXPUNGE").count(), MESSAGES, "{told}");
    });
}

/// RFC 1939 §8: a maildrop is what it was when it was opened.
#[test]
fn a_maildrop_outlives_what_imap_expunges() {
    each_store("shared-retr", |server| {
        let mut owner = imap(server.imap);
        fill(&mut owner, 5);
        let mut pop = Wire::connect(server.pop3).expect("it listens");
        for command in ["", "USER bob", "PASS hungry"] {
            let line = if command.is_empty() {
                pop.line()
            } else {
                pop.send(format!("{command}\r\n").as_bytes()).expect("it reads");
                pop.line()
            };
            assert!(line.expect("it answers").starts_with(b"+OK"));
        }
        ok(&mut owner, "s SELECT INBOX");
        ok(&mut owner, "d STORE 1:* +FLAGS.SILENT (\\Deleted)");
        ok(&mut owner, "e EXPUNGE");
        fill(&mut owner, 3);
        std::thread::sleep(Duration::from_millis(200));
        for number in 0..5 {
            pop.send(format!("RETR {}\r\n", number + 1).as_bytes()).expect("it reads");
            assert!(pop.line().expect("it answers").starts_with(b"+OK"));
            let octets = pop.octets(message(number).len()).expect("its octets");
            assert_eq!(octets, message(number), "message {number}");
            assert_eq!(pop.line().expect("the end"), b".\r\n");
            pop.send(format!("DELE {}\r\n", number + 1).as_bytes()).expect("it reads");
            assert!(pop.line().expect("it answers").starts_with(b"+OK"));
        }
        pop.send(b"QUIT\r\n").expect("it reads");
        assert!(pop.line().expect("it answers").starts_with(b"+OK"));
        let told = ok(&mut owner, "n STATUS INBOX (MESSAGES)");
        assert!(told.contains("(MESSAGES 3)"), "what came later stays: {told}");
    });
}

/// What one session was answered, every command of another that begins later finds: here NOOP tells it.
/// `PILLARBOX_ROUNDS=2000` makes it long.
#[test]
fn a_change_that_was_answered_is_seen_by_whoever_comes_after() {
    const SESSIONS: usize = 6;
    let rounds = std::env::var("PILLARBOX_ROUNDS").ok().and_then(|text| text.parse().ok());
    let rounds: usize = rounds.unwrap_or(150);
    each_store("shared-noop", |server| {
        let mut owner = imap(server.imap);
        owner.send(b"a APPEND INBOX {12+}\r\nSubject: x\r\n\r\n").expect("it reads");
        answered(&mut owner, "a");
        let turn = Arc::new(Barrier::new(SESSIONS));
        let address = server.imap;
        let sessions: Vec<_> = (0..SESSIONS)
            .map(|me| {
                let turn = Arc::clone(&turn);
                std::thread::spawn(move || {
                    let mut wire = imap(address);
                    ok(&mut wire, "s SELECT INBOX");
                    let mut missed = 0;
                    for round in 0..rounds {
                        let flag = format!("k{}", round % 7);
                        turn.wait();
                        if round % SESSIONS == me {
                            ok(&mut wire, &format!("c STORE 1 FLAGS ({flag} r{round})"));
                        }
                        // All wait for the OK, and then ask at once.
                        turn.wait();
                        if round % SESSIONS != me {
                            let told = ok(&mut wire, "n NOOP");
                            missed += usize::from(!told.contains(&format!("r{round})")));
                        }
                    }
                    missed
                })
            })
            .collect();
        let missed: usize = sessions.into_iter().map(|one| one.join().expect("it ends")).sum();
        assert_eq!(missed, 0, "of {}", rounds * (SESSIONS - 1));
    });
}

/// After a crash nobody holds anything: what had no use is gone, and what has one is there.
#[test]
fn what_was_held_when_the_server_was_killed_goes_at_its_next_start() {
    let scratch = Scratch::new("shared-crash");
    let data = scratch.path().join("data");
    let data = data.to_str().expect("UTF-8");
    let server = Server::start(scratch.path(), &["--data", data]);
    let mut owner = imap(server.imap);
    fill(&mut owner, 4);
    let mut pop = TcpStream::connect(server.pop3).expect("it listens");
    pop.write_all(b"USER bob\r\nPASS hungry\r\nSTAT\r\n").expect("it reads");
    let mut heard = Vec::new();
    while heard.iter().filter(|octet| **octet == b'\n').count() < 4 {
        let mut octets = [0; 512];
        let count = pop.read(&mut octets).expect("it answers");
        heard.extend_from_slice(&octets[..count]);
    }
    ok(&mut owner, "s SELECT INBOX");
    ok(&mut owner, "d STORE 1:3 +FLAGS.SILENT (\\Deleted)");
    ok(&mut owner, "e EXPUNGE");
    owner.send(b"a APPEND INBOX {12+}\r\nSubject: x\r\n\r\n").expect("it reads");
    answered(&mut owner, "a");
    server.kill();
    drop((owner, pop));
    let server = Server::start(scratch.path(), &["--data", data]);
    let mut owner = imap(server.imap);
    ok(&mut owner, "s SELECT INBOX");
    owner.send(b"a APPEND INBOX {12+}\r\nSubject: y\r\n\r\n").expect("it reads");
    answered(&mut owner, "a");
    let kept = owner.literals("f FETCH 1 BODY.PEEK[]").expect("it is there");
    assert_eq!(kept, [message(3)]);
    assert!(server.stop().success());
    // The room of what went is free again in the file: writing as much anew does not make it larger.
    let size = || std::fs::metadata(format!("{data}/mail.db")).expect("it is there").len();
    let before = size();
    let server = Server::start(scratch.path(), &["--data", data]);
    fill(&mut imap(server.imap), 3);
    assert!(server.stop().success());
    assert!(size() < before + OCTETS as u64, "{before} and then {}", size());
}
