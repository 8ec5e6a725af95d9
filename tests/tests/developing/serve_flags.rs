//! Flags of `serve` that change how a server of the dev profile talks, whom it lets in and whose time it is.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{SystemTime, UNIX_EPOCH};

use pillarbox_tests::server::{Scratch, Server};
use pillarbox_tests::wire::Wire;
use serde_json::Value;

use crate::command_line::{get, logs_in, pillarbox, send};

const FREE: &str = "127.0.0.1:0";

/// What a server that does not start says, and its exit code.
fn refused(words: &[&str]) -> (Option<i32>, String) {
    let ports = ["--smtp", FREE, "--pop3", FREE, "--imap", FREE, "--http", FREE];
    let ports = ports.chunks(2).filter(|pair| !words.contains(&pair[0])).flatten();
    let ran = pillarbox(words).args(ports).output().expect("it runs");
    (ran.status.code(), String::from_utf8_lossy(&ran.stderr).into_owned())
}

/// The replies to these lines, each said after the reply to the one before.
fn replies(server: &Server, lines: &[&str]) -> Vec<String> {
    let mut wire = Wire::connect(server.smtp).expect("it listens");
    let greeting = wire.line().expect("a greeting");
    let mut all = vec![String::from_utf8_lossy(&greeting).trim_end().to_owned()];
    for line in lines {
        let reply = wire.smtp(line).expect("a reply");
        all.push(String::from_utf8_lossy(&reply).trim_end().to_owned());
    }
    all
}

#[test]
fn users_come_from_a_file_with_passwords_or_hashes() {
    let scratch = Scratch::new("serve-users");
    let file = scratch.path().join("users");
    // Argon2id of `hungry`.
    let hash = argon2id("hungry");
    let text = format!("# people\n\nbob@hamburger.edu:s3:cret\r\nann@hamburger.edu:{hash}\n");
    std::fs::write(&file, text).expect("ours");
    let path = file.display().to_string();
    let server = Server::start(scratch.path(), &["--memory", "--users", &path]);
    for (user, password, right) in [
        ("bob@hamburger.edu", "s3:cret", true),
        ("bob@hamburger.edu", "hungry", false),
        ("ann@hamburger.edu", "hungry", true),
        ("ann@hamburger.edu", "s3:cret", false),
        ("ann@hamburger.edu", &hash[..], false),
        ("eve@hamburger.edu", "hungry", false),
    ] {
        assert_eq!(logs_in(&server, user, password), right, "{user} {password}");
    }
    assert!(send(&server, "ann@hamburger.edu", "x").starts_with("250"));
    assert!(send(&server, "eve@hamburger.edu", "x").starts_with("550 5.1.1"));
    drop(server);
    for (text, part) in [
        ("bob@hamburger.edu:x\nann\n", "line 2: expected ADDRESS:PASSWORD"),
        ("bob@b.test:x\n# twice\nBOB@b.test:y\n", "line 3: bob@b.test: it is there twice"),
        ("# nobody\n", "there is no account in it"),
        ("bob@b.test:$argon2id$nonsense\n", "no Argon2id hash"),
    ] {
        std::fs::write(&file, text).expect("ours");
        let (code, said) = refused(&["--memory", "--users", &path]);
        assert!(code == Some(2) && said.contains(part), "{part}: {said}");
    }
    let (code, said) = refused(&["--memory", "--users", "/nowhere"]);
    assert!(code == Some(2) && said.contains("--users /nowhere: cannot read it"), "{said}");
}

/// A hash as `pillarbox account add` writes it.
fn argon2id(password: &str) -> String {
    let scratch = Scratch::new("serve-users-hash");
    let config = scratch.path().join("pillarbox.toml");
    std::fs::write(&config, "domains = ['a.test']\ndata = 'data'\n").expect("ours");
    std::fs::create_dir_all(scratch.path().join("data")).expect("ours");
    let path = config.display().to_string();
    let mut command = pillarbox(&["account", "add", "x@a.test", "--config", &path]);
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null());
    let mut child = command.spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(password.as_bytes()).expect("it reads");
    drop(stdin);
    assert!(child.wait().expect("it ends").success());
    let text = std::fs::read_to_string(scratch.path().join("data/accounts")).expect("it is there");
    let hash = text.split_whitespace().find(|word| word.starts_with("$argon2id$"));
    hash.expect("a hash").to_owned()
}

#[test]
fn a_lenient_server_goes_on_and_tells_what_was_wrong() {
    let lines = [
        "MAIL FROM:<ann@a.test>",
        "MAIL FROM: ann@a.test",
        "RCPT TO:<bob@b.test>",
        "DATA",
        "Subject: x\r\n\r\nHello\r\n.",
    ];
    let scratch = Scratch::new("serve-lenient");
    let strict = Server::start(scratch.path(), &["--memory"]);
    assert!(replies(&strict, &lines[..1])[1].starts_with("503 5.5.1 Say EHLO first"));
    drop(strict);
    let server = Server::start(scratch.path(), &["--memory", "--lenient"]);
    let said = replies(&server, &lines);
    let codes: Vec<&str> = said.iter().map(|reply| &reply[..3]).collect();
    assert_eq!(codes, ["220", "250", "250", "250", "354", "250"], "{said:?}");
    let found = get(&server, "/api/messages/latest/session");
    let found: Value = serde_json::from_str(&found).expect("JSON");
    let session = found["session"].as_str().expect("it is kept");
    let log = get(&server, &format!("/api/sessions/{session}/log"));
    let defects: Vec<&str> = log.lines().filter(|line| line.contains("\"defect\":true")).collect();
    for section in ["4.1.4", "4.1.2"] {
        assert!(defects.iter().any(|line| line.contains(section)), "{section}: {log}");
    }
    drop(server);
    let server = Server::start(scratch.path(), &["--memory", "--lenient", "--strict"]);
    assert!(replies(&server, &lines[..1])[1].starts_with("503"), "the last one counts");
}

#[test]
fn a_persona_says_its_own_words() {
    let scratch = Scratch::new("serve-persona");
    let server = Server::start(scratch.path(), &["--memory", "--persona", "textbook"]);
    let said = replies(&server, &["HELO crepes.fr", "MAIL FROM: <alice@crepes.fr>"]);
    let hello = "250 Hello crepes.fr, pleased to meet you";
    assert_eq!(said, ["220 localhost", hello, "250 alice@crepes.fr ... Sender ok"]);
    let mut pop3 = Wire::connect(server.pop3).expect("it listens");
    assert_eq!(pop3.line().expect("a greeting"), b"+OK POP3 server ready\r\n");
}

#[test]
fn other_machines_are_let_in_only_if_somebody_says_so() {
    let anywhere = "0.0.0.0:0";
    let (code, said) = refused(&["--memory", "--smtp", anywhere]);
    assert!(code == Some(2) && said.contains("--unsafe-bind"), "{said}");
    // Mail is for those who log in, but the pages ask nobody.
    let user = ["--memory", "--user", "bob@b.test:s3cret", "--http", anywhere];
    let (code, said) = refused(&user);
    assert!(code == Some(2) && said.contains("without a login"), "{said}");
    let scratch = Scratch::new("serve-bind");
    let flags = ["--memory", "--user", "bob@b.test:s3cret", "--submission", anywhere];
    let server = Server::start(scratch.path(), &flags);
    assert!(server.at("submission").ip().is_unspecified());
    drop(server);
    let flags = ["--memory", "--unsafe-bind", "--submission", anywhere];
    drop(Server::start(scratch.path(), &flags));
    let config = scratch.path().join("pillarbox.toml");
    let text = "domains = ['b.test']\ndata = 'data'\n[listen]\nlmtp = '0.0.0.0:0'\n";
    std::fs::write(&config, text).expect("ours");
    let path = config.display().to_string();
    let (code, said) = refused(&["--config", &path]);
    assert!(code == Some(2) && said.contains("no accounts yet"), "{said}");
    std::fs::write(&config, format!("{text}unsafe_bind = true\n")).expect("ours");
    drop(Server::start(scratch.path(), &["--config", &path]));
}

#[test]
fn tls_is_off_or_of_a_file() {
    let scratch = Scratch::new("serve-tls");
    let data = scratch.path().join("data");
    let own = data.display().to_string();
    // Makes a certificate that is signed by itself.
    drop(Server::start(scratch.path(), &["--data", &own]));
    let read = |name: &str| std::fs::read_to_string(data.join("tls").join(name)).expect("made");
    let both = scratch.path().join("both.pem");
    std::fs::write(&both, read("certificate.pem") + &read("key.pem")).expect("ours");
    let path = both.display().to_string();
    let (code, said) = refused(&["--memory", "--tls", &path]);
    assert!(code == Some(2) && said.contains("chmod 600"), "others may read it: {said}");
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(&both, mode).expect("ours");
    let has_starttls = |server: &Server| replies(server, &["EHLO a.test"])[1].contains("STARTTLS");
    let server = Server::start(scratch.path(), &["--memory", "--tls", &path]);
    assert!(has_starttls(&server));
    assert_ne!(server.at("imaps").port(), 0);
    drop(server);
    let server = Server::start(scratch.path(), &["--memory", "--tls", "off"]);
    assert!(!has_starttls(&server));
    let ready = std::fs::read_to_string(scratch.path().join("ready.json")).expect("written");
    let ready: Value = serde_json::from_str(&ready).expect("JSON");
    assert!(ready["imaps"].is_null(), "{ready}");
    let (code, said) = refused(&["--memory", "--tls", "off", "--starttls"]);
    assert!(code == Some(2) && said.contains("nothing to start"), "{said}");
}

/// Moves the clock on by an hour; the answer.
fn advance(server: &Server) -> String {
    let body = r#"{"advance":"1h"}"#;
    let head = "POST /api/clock HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json";
    let request = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let mut stream = TcpStream::connect(server.http).expect("it listens");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

#[test]
fn a_virtual_clock_begins_where_it_is_told() {
    let scratch = Scratch::new("serve-clock");
    let flags = ["--memory", "--clock", "virtual=2026-01-05T09:00:00Z"];
    let server = Server::start(scratch.path(), &flags);
    let now = |server: &Server| {
        let text = get(server, "/api/clock");
        let clock: Value = serde_json::from_str(&text).expect("JSON");
        clock["now_unix_ms"].as_u64().expect("a number")
    };
    let start = 1_767_603_600_000;
    assert!((start..start + 60_000).contains(&now(&server)));
    assert!(send(&server, "bob@b.test", "x").starts_with("250"));
    let raw = get(&server, "/api/v1/message/latest/raw");
    assert!(raw.contains("Mon, 05 Jan 2026 09:0"), "dates are of that time: {raw}");
    assert!(advance(&server).contains("now_unix_ms"));
    assert!(now(&server) >= start + 3_600_000);
    drop(server);
    let server = Server::start(scratch.path(), &["--memory", "--clock", "real"]);
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    assert!(u128::from(now(&server)).abs_diff(wall) < 60_000);
    let answer = advance(&server);
    assert!(answer.contains("--clock real") && !answer.contains("now_unix_ms"), "{answer}");
    let (code, said) = refused(&["--memory", "--clock", "tomorrow"]);
    assert!(code == Some(2) && said.contains("2026-01-05T09:00:00Z"), "{said}");
}

#[test]
fn former_names_are_known_still() {
    let scratch = Scratch::new("serve-names");
    for flags in [["--seed", "7"], ["--fault-seed", "7"]] {
        let server = Server::start(scratch.path(), &["--memory", flags[0], flags[1]]);
        let faults: Value = serde_json::from_str(&get(&server, "/api/faults")).expect("JSON");
        assert_eq!(faults["seed"], 7, "{flags:?}");
    }
    drop(Server::start(scratch.path(), &["--memory", "--test-clock"]));
}
