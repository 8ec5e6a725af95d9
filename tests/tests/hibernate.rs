//! Sessions that rest are frozen and hold no slot; whoever speaks to them, or has something for them, cannot tell.

use std::time::{Duration, Instant};

use pillarbox_tests::server::{Scratch, Server};
use pillarbox_tests::wire::Wire;

const LONG: Duration = Duration::from_secs(30);

/// Waits until so many sessions are frozen.
fn frozen(server: &Server, sessions: u64) {
    let until = Instant::now() + LONG;
    let now = || server.metric("pillarbox_sessions_frozen{protocol=\"imap\"}");
    while now() != sessions {
        assert!(Instant::now() < until, "{} are frozen, not {sessions}", now());
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn thawed(server: &Server) -> u64 {
    server.metric("pillarbox_sessions_thawed_total{protocol=\"imap\"}")
}

fn open(server: &Server) -> Wire {
    let mut wire = Wire::connect(server.imap).expect("it listens");
    let greeting = wire.line().expect("a greeting");
    assert!(greeting.starts_with(b"* OK"), "{}", greeting.escape_ascii());
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

fn idle(wire: &mut Wire) {
    wire.send(b"i IDLE\r\n").expect("it reads");
    assert_eq!(wire.line().expect("it idles"), b"+ idling\r\n");
}

fn append(wire: &mut Wire) {
    wire.send(b"c APPEND INBOX {14+}\r\nSubject: x\r\n\r\n\r\n").expect("it reads");
    loop {
        let line = wire.line().expect("it answers");
        if line.starts_with(b"c ") {
            assert!(line.starts_with(b"c OK"), "{}", line.escape_ascii());
            return;
        }
    }
}

/// What a session hears of another one's acts, with a rest before each thing that happens.
fn heard(server: &Server, mut rest: impl FnMut()) -> String {
    let (mut actor, mut watcher) = (open(server), open(server));
    let mut text = String::new();
    // Up to so many lines with this word.
    let hear = |watcher: &mut Wire, text: &mut String, mut lines: usize, word: &str| {
        while lines > 0 {
            let line = watcher.line().expect("it is told");
            let line = String::from_utf8_lossy(&line);
            lines -= usize::from(line.contains(word));
            text.push_str(&line);
        }
    };
    for _ in 0..3 {
        append(&mut actor);
    }
    rest();
    text.push_str(&ok(&mut watcher, "n1 NOOP"));
    rest();
    idle(&mut watcher);
    rest();
    append(&mut actor);
    hear(&mut watcher, &mut text, 1, " RECENT");
    rest();
    ok(&mut actor, "d STORE 2 +FLAGS (\\Flagged $Work)");
    hear(&mut watcher, &mut text, 1, " FETCH ");
    rest();
    ok(&mut actor, "e STORE 1,3 +FLAGS.SILENT (\\Deleted)");
    hear(&mut watcher, &mut text, 2, " FETCH ");
    rest();
    ok(&mut actor, "f EXPUNGE");
    hear(&mut watcher, &mut text, 2, " EXPUNGE");
    rest();
    watcher.send(b"DO").expect("it reads");
    std::thread::sleep(Duration::from_millis(20));
    watcher.send(b"NE\r\n").expect("it reads");
    hear(&mut watcher, &mut text, 1, "i OK Idle ended");
    rest();
    text.push_str(&ok(&mut watcher, "g FETCH 1:* (UID FLAGS)"));
    rest();
    text.push_str(&ok(&mut watcher, "h LOGOUT"));
    text
}

/// The same octets, whether a session was frozen before each thing that happened or not, in the sandbox and without.
#[test]
fn a_frozen_session_hears_what_others_hear() {
    let scratch = Scratch::new("hibernate-heard");
    let awake = Server::start(scratch.path(), &["--memory"]);
    let expected = heard(&awake, || ());
    assert!(expected.contains("* 4 EXISTS\r\n") && expected.contains("$Work"), "{expected}");
    assert_eq!(thawed(&awake), 0, "it was awake all the time");
    drop(awake);
    for engine in ["sandbox", "native"] {
        // Both of two slots taken is scarcity: whoever rests gives its place at once.
        let flags = ["--memory", "--engine", engine, "--slots", "2"];
        let server = Server::start(scratch.path(), &flags);
        assert_eq!(heard(&server, || frozen(&server, 2)), expected, "{engine}");
        // The actor for each of its four acts after the first rest, the watcher for each of the nine things it says or hears.
        assert!(thawed(&server) >= 13, "only {} were thawed", thawed(&server));
        assert!(server.stop().success());
    }
}

#[test]
fn a_session_rests_a_while_before_it_is_frozen() {
    let scratch = Scratch::new("hibernate-rest");
    let server = Server::start(scratch.path(), &["--memory"]);
    let mut wire = open(&server);
    let began = Instant::now();
    frozen(&server, 1);
    assert!(began.elapsed() > Duration::from_millis(2500), "{:?}", began.elapsed());
    assert_eq!(ok(&mut wire, "c NOOP"), "c OK Done\r\n");
    assert_eq!(thawed(&server), 1);
    // What others must be told before they are shown out is told to who is frozen, too.
    frozen(&server, 1);
    assert!(server.stop().success());
    let words = String::from_utf8(wire.rest().expect("it is closed")).expect("text");
    assert!(words.starts_with("* BYE"), "{words}");
}

/// Many times more sessions than slots, all of which are told at once.
#[test]
fn many_more_sessions_than_slots_are_served() {
    const SESSIONS: usize = 60;
    let scratch = Scratch::new("hibernate-many");
    let data = scratch.path().join("data");
    let flags = ["--data", data.to_str().expect("UTF-8"), "--slots", "4"];
    let server = Server::start(scratch.path(), &flags);
    let mut watchers: Vec<Wire> = (0..SESSIONS).map(|_| open(&server)).collect();
    watchers.iter_mut().for_each(idle);
    // Three of four may stay awake for a while.
    frozen(&server, SESSIONS as u64);
    let mut actor = open(&server);
    for number in 1..=5 {
        append(&mut actor);
        for watcher in &mut watchers {
            let line = watcher.line().expect("it is told");
            assert_eq!(line, format!("* {number} EXISTS\r\n").into_bytes());
            watcher.line().expect("how many are recent");
        }
    }
    // SMTP finds a slot too, and so does whoever comes anew.
    let mut smtp = Wire::connect(server.smtp).expect("it listens");
    assert!(smtp.smtp("").expect("a greeting").starts_with(b"220 "));
    assert!(smtp.smtp("EHLO crepes.fr").expect("it answers").starts_with(b"250"));
    assert!(ok(&mut open(&server), "z NOOP").ends_with("OK Done\r\n"));
    for watcher in &mut watchers {
        watcher.send(b"DONE\r\n").expect("it reads");
        assert_eq!(watcher.line().expect("it answers"), b"i OK Idle ended\r\n");
        assert!(ok(watcher, "k UID FETCH 5 FLAGS").contains("* 5 FETCH"));
    }
    assert_eq!(server.metric("pillarbox_limits_hit_total{limit=\"slots\"}"), 0);
    // Who is frozen holds nothing that a crash could lose.
    frozen(&server, SESSIONS as u64 + 1);
    server.kill();
    let server = Server::start(scratch.path(), &flags);
    assert!(ok(&mut open(&server), "b EXAMINE INBOX").contains("* 5 EXISTS"));
    assert!(server.stop().success());
}

/// Slots that nobody can give back are waited for, not for ever.
#[test]
fn who_finds_no_slot_is_told_so() {
    let scratch = Scratch::new("hibernate-full");
    let server = Server::start(scratch.path(), &["--memory", "--slots", "2"]);
    let mut resting = open(&server);
    let mut busy = Vec::new();
    for _ in 0..2 {
        let mut smtp = Wire::connect(server.smtp).expect("it listens");
        assert!(smtp.smtp("").expect("a greeting").starts_with(b"220 "));
        busy.push(smtp);
    }
    frozen(&server, 1);
    let began = Instant::now();
    let mut late = Wire::connect(server.smtp).expect("it listens");
    assert!(late.smtp("").expect("a refusal").starts_with(b"421 "));
    assert!(began.elapsed() > Duration::from_secs(1), "it waits a moment");
    // A place that comes back goes to who waits.
    resting.send(b"c NOOP\r\n").expect("it reads");
    std::thread::sleep(Duration::from_millis(300));
    drop(busy.pop());
    assert_eq!(resting.line().expect("it answers"), b"c OK Done\r\n");
    assert!(server.metric("pillarbox_limits_hit_total{limit=\"slots\"}") == 1);
    assert!(server.stop().success());
}
