//! A server that is killed while it makes its full-text index finds everything afterwards, and goes on with the index.

use std::path::Path;
use std::time::{Duration, Instant};

use pillarbox_tests::server::{Scratch, Server};
use pillarbox_tests::wire::Wire;

/// Messages that each round brings.
const MESSAGES: usize = 400;

fn open(server: &Server) -> Wire {
    let mut wire = Wire::connect(server.imap).expect("it listens");
    wire.line().expect("a greeting");
    ok(&mut wire, "a LOGIN bob hungry");
    ok(&mut wire, "b SELECT INBOX");
    wire
}

fn ok(wire: &mut Wire, command: &str) -> String {
    let response = wire.imap(command).expect("it answers");
    let text = String::from_utf8_lossy(&response).into_owned();
    let tag = command.split(' ').next().expect("a tag");
    assert!(text.lines().last().is_some_and(|l| l.starts_with(&format!("{tag} OK"))), "{text}");
    text
}

/// Message `number` has words of its own and words of others.
fn append(wire: &mut Wire, number: usize) {
    let filler = "so it goes on and on in plain words\r\n".repeat(60);
    let message = format!(
        "Subject: {number}\r\n\r\nword-{number:05} tens-{:04} parity-{}\r\n{filler}",
        number / 10,
        number % 2
    );
    ok(wire, &format!("c APPEND INBOX {{{}+}}\r\n{message}", message.len()));
}

fn check(wire: &mut Wire, all: usize) {
    for number in [0, 7, all / 2, all - 1] {
        let found = ok(wire, &format!("d SEARCH BODY word-{number:05}"));
        assert!(found.starts_with(&format!("* SEARCH {}\r\n", number + 1)), "{found}");
        let found = ok(wire, &format!("e SEARCH RETURN (COUNT) BODY tens-{:04}", number / 10));
        assert!(found.contains("COUNT 10\r\n"), "{found}");
    }
    let found = ok(wire, "f SEARCH RETURN (COUNT) BODY parity-1");
    assert!(found.contains(&format!("COUNT {}\r\n", all / 2)), "{found}");
}

/// Waits until nothing is written to the index any more.
fn settles(data: &Path) {
    let size = |name: &str| std::fs::metadata(data.join(name)).map_or(0, |file| file.len());
    let sizes = || (size("search.db"), size("search.db-wal"));
    let until = Instant::now() + Duration::from_secs(60);
    let (mut before, mut since) = (sizes(), Instant::now());
    while since.elapsed() < Duration::from_secs(1) {
        assert!(Instant::now() < until, "it is made for a minute: {before:?}");
        std::thread::sleep(Duration::from_millis(50));
        if sizes() != before {
            (before, since) = (sizes(), Instant::now());
        }
    }
}

#[test]
fn a_killed_server_finds_everything_and_goes_on() {
    let scratch = Scratch::new("full-text-kill");
    let data = scratch.path().join("data");
    let flags = ["--data", data.to_str().expect("a plain path")];
    let file = data.join("search.db");
    let mut all = 0;
    for delay_ms in [5, 60, 300, 1000] {
        let server = Server::start(scratch.path(), &flags);
        let mut wire = open(&server);
        if all > 0 {
            check(&mut wire, all);
        }
        for _ in 0..MESSAGES {
            append(&mut wire, all);
            all += 1;
        }
        ok(&mut wire, "n NOOP");
        // From here on the index is made.
        check(&mut wire, all);
        std::thread::sleep(Duration::from_millis(delay_ms));
        server.kill();
    }
    let server = Server::start(scratch.path(), &flags);
    assert!(file.exists(), "an index that is not whole is kept");
    let mut wire = open(&server);
    check(&mut wire, all);
    settles(&data);
    check(&mut wire, all);
    assert!(server.stop().success());
}
