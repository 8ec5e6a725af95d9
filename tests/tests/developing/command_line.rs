//! Flags of `serve` that a test or a second server needs, and the commands that look at servers: by the real program.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pillarbox_tests::server::{Scratch, Server, binary};
use pillarbox_tests::wire::Wire;
use serde_json::Value;

/// What an address gets over SMTP; the reply to RCPT if that is not taken.
pub(crate) fn send(server: &Server, to: &str, subject: &str) -> String {
    let mut wire = Wire::connect(server.smtp).expect("it listens");
    wire.line().expect("a greeting");
    let mut said =
        |command: &str| String::from_utf8_lossy(&wire.smtp(command).expect("a reply")).into_owned();
    said("EHLO client.test");
    said("MAIL FROM:<ann@client.test>");
    let reply = said(&format!("RCPT TO:<{to}>"));
    if !reply.starts_with("250") {
        return reply;
    }
    said("DATA");
    said(&format!("From: ann@client.test\r\nSubject: {subject}\r\n\r\nHello.\r\n."))
}

pub(crate) fn get(server: &Server, path: &str) -> String {
    String::from_utf8_lossy(&asked(server, "GET", path)).into_owned()
}

/// What HTTP answers: the body alone.
fn asked(server: &Server, method: &str, path: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(server.http).expect("it listens");
    let request = format!("{method} {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut octets = Vec::new();
    stream.read_to_end(&mut octets).expect("it answers");
    let end = octets.windows(4).position(|part| part == b"\r\n\r\n");
    end.map_or(Vec::new(), |end| octets.split_off(end + 4))
}

/// Whether POP3 lets this user in.
pub(crate) fn logs_in(server: &Server, user: &str, password: &str) -> bool {
    let mut pop3 = Wire::connect(server.pop3).expect("it listens");
    pop3.line().expect("a greeting");
    pop3.send(format!("USER {user}\r\n").as_bytes()).expect("it reads");
    pop3.line().expect("it answers");
    pop3.send(format!("PASS {password}\r\n").as_bytes()).expect("it reads");
    pop3.line().expect("it answers").starts_with(b"+OK")
}

/// Makes an inbox: its address and its password.
fn inbox(server: &Server, query: &str) -> (String, String) {
    let made = asked(server, "POST", &format!("/api/inboxes{query}"));
    let made: Value = serde_json::from_slice(&made).expect("JSON");
    let text = |name: &str| made[name].as_str().unwrap_or_default().to_owned();
    (text("address"), text("password"))
}

pub(crate) fn pillarbox(words: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(words);
    command
}

pub(crate) fn subjects(server: &Server) -> Vec<String> {
    let list: Value = serde_json::from_str(&get(server, "/api/v1/messages")).expect("JSON");
    let all = list["messages"].as_array().expect("a list");
    all.iter().map(|message| message["Subject"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn mail_is_there_at_the_start_and_the_oldest_goes() {
    let scratch = Scratch::new("command-line-load");
    let put = |path: &str, text: &str| {
        let path = scratch.path().join("load").join(path);
        std::fs::create_dir_all(path.parent().expect("it has one")).expect("ours");
        std::fs::write(path, text).expect("ours");
    };
    put("bob@hamburger.edu/one.eml", "Subject: one\r\n\r\nx\r\n");
    put("bob@hamburger.edu/Work/two.eml", "Subject: two\r\n\r\nx\r\n");
    put("ann.mbox", "From x Thu Jan  1 00:00:00 2026\nSubject: three\n\nx\n");
    let load = scratch.path().join("load").display().to_string();
    let flags = ["--memory", "--load", &load, "--max-messages", "4", "--label", "the <first>"];
    let server = Server::start(scratch.path(), &flags);
    let mut loaded = subjects(&server);
    loaded.sort();
    assert_eq!(loaded, ["one", "three", "two"]);
    let mut imap = Wire::connect(server.imap).expect("it listens");
    imap.line().expect("a greeting");
    imap.imap("a LOGIN bob@hamburger.edu any").expect("any is right");
    let folder = imap.imap("b STATUS Work (MESSAGES)").expect("it was loaded");
    assert!(String::from_utf8_lossy(&folder).contains("MESSAGES 1"));
    for number in 0..4 {
        assert!(send(&server, "bob@hamburger.edu", &format!("new {number}")).starts_with("250"));
    }
    let until = Instant::now() + Duration::from_secs(20);
    while subjects(&server) != ["new 3", "new 2", "new 1", "new 0"] {
        assert!(Instant::now() < until, "{:?}", subjects(&server));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(get(&server, "/api/v1/webui").contains("the <first>"));
    let page = get(&server, "/playground/");
    // A build without the page has another one there.
    let is_page = page.contains("Pillarbox playground</title>");
    assert!(!is_page || page.contains("<title>the &lt;first&gt; \u{b7} "), "{page}");
    assert!(server.stop().success());
}

#[test]
fn a_load_that_is_wrong_keeps_the_server_from_starting() {
    let scratch = Scratch::new("command-line-no-load");
    std::fs::create_dir(scratch.path().join("bob")).expect("ours");
    let load = scratch.path().display().to_string();
    let free = "127.0.0.1:0";
    let words = [
        "--memory", "--load", &load, "--smtp", free, "--pop3", free, "--imap", free, "--http", free,
    ];
    let ran = pillarbox(&words).output().expect("it runs");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(2), "{said}");
    assert!(said.contains("--load") && said.contains("bob"), "{said}");
}

/// A web server that takes so many requests, each answered with the next status; gives back what was posted.
fn hook(statuses: &'static [u16]) -> (String, std::thread::JoinHandle<Vec<Value>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let url = format!("http://{}/hook?key=s3cret", listener.local_addr().expect("bound"));
    let taken = std::thread::spawn(move || {
        let mut posted = Vec::new();
        for status in statuses {
            let (stream, _) = listener.accept().expect("somebody comes");
            let mut reader = BufReader::new(stream);
            let mut length = 0;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).expect("a line");
                if let Some(text) = line.to_lowercase().strip_prefix("content-length: ") {
                    length = text.trim().parse().expect("a number");
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("the body");
            posted.push(serde_json::from_slice(&body).expect("JSON"));
            let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
            reader.get_mut().write_all(answer.as_bytes()).expect("it reads");
        }
        posted
    });
    (url, taken)
}

#[test]
fn a_webhook_is_told_of_each_message_and_told_again() {
    let scratch = Scratch::new("command-line-hook");
    // One that was not told is told again after a second; one that is refused is not.
    let (url, taken) = hook(&[500, 200, 400, 200]);
    let server = Server::start(scratch.path(), &["--memory", "--webhook", &url]);
    for subject in ["one", "two", "three"] {
        assert!(send(&server, "bob@hamburger.edu", subject).starts_with("250"));
    }
    let posted = taken.join().expect("all came");
    let told: Vec<&str> = posted.iter().filter_map(|body| body["Subject"].as_str()).collect();
    assert_eq!(told, ["one", "one", "two", "three"]);
    assert_eq!(posted[0]["Bcc"][0]["Address"], "bob@hamburger.edu");
    assert!(server.stop().success());
    let log = std::fs::read_to_string(scratch.path().join("log")).expect("it is written");
    assert!(log.contains("a message was not told") && !log.contains("s3cret"), "{log}");
    let ran =
        pillarbox(&["--memory", "--webhook", "http://192.0.2.1/x"]).output().expect("it runs");
    assert_eq!(ran.status.code(), Some(2));
}

#[test]
fn only_named_people_are_there() {
    let scratch = Scratch::new("command-line-people");
    let flags = ["--memory", "--user", "bob@hamburger.edu:s3cret", "--max-size", "64KiB"];
    let server = Server::start(scratch.path(), &flags);
    assert!(send(&server, "bob@hamburger.edu", "x").starts_with("250"));
    assert!(send(&server, "Bob+list@Hamburger.edu", "x").starts_with("250"));
    assert!(send(&server, "postmaster@hamburger.edu", "x").starts_with("250"));
    assert!(send(&server, "eve@hamburger.edu", "x").starts_with("550 5.1.1"));
    assert!(send(&server, "bob@crepes.fr", "x").starts_with("550 5.7.1"));
    let mut smtp = Wire::connect(server.smtp).expect("it listens");
    smtp.line().expect("a greeting");
    let ehlo = smtp.smtp("EHLO client.test").expect("a reply");
    let ehlo = String::from_utf8_lossy(&ehlo);
    assert!(ehlo.contains("SIZE 65536") && ehlo.contains("SCRAM-SHA-256"), "{ehlo}");
    assert!(!ehlo.contains("OAUTHBEARER"), "{ehlo}");
    for (password, right) in [("s3cret", true), ("any", false)] {
        assert_eq!(logs_in(&server, "bob@hamburger.edu", password), right, "{password}");
    }
    let (address, password) = inbox(&server, "?name=reset");
    assert!(address.starts_with("reset-") && address.ends_with("@hamburger.edu"), "{address}");
    assert!(send(&server, &address, "x").starts_with("250"), "a new inbox takes mail");
    assert!(logs_in(&server, &address, &password) && !logs_in(&server, &address, "any"));
    assert_eq!(inbox(&server, "?name=Reset%20me").0, "", "that is no name");
    assert!(server.stop().success());
    let scratch = Scratch::new("command-line-domain");
    let server = Server::start(scratch.path(), &["--memory", "--domain", "a.test,b.test"]);
    assert!(send(&server, "anybody@b.test", "x").starts_with("250"));
    assert!(send(&server, "anybody@c.test", "x").starts_with("550 5.7.1"));
    let (address, password) = inbox(&server, "");
    assert!(address.ends_with("@a.test") && send(&server, &address, "x").starts_with("250"));
    assert!(logs_in(&server, &address, &password));
}

#[test]
fn conversations_are_kept_from_the_start_on() {
    let scratch = Scratch::new("command-line-kept");
    let server = Server::start(scratch.path(), &["--memory"]);
    assert!(logs_in(&server, "bob@hamburger.edu", "s3cret"));
    assert!(send(&server, "bob@hamburger.edu", "first").starts_with("250"));
    let text = get(&server, "/api/messages/latest/session");
    let found: Value = serde_json::from_str(&text).expect("JSON");
    let session = found["session"].as_str().unwrap_or_else(|| panic!("it is kept: {text}"));
    let capture = asked(&server, "GET", &format!("/api/sessions/{session}/capture.pcapng"));
    let has = |part: &[u8]| capture.windows(part.len()).any(|found| found == part);
    assert!(capture.starts_with(&0x0a0d_0d0a_u32.to_le_bytes()));
    assert!(has(b"Subject: first\r\n") && has(&server.smtp.port().to_be_bytes()));
    let short = asked(&server, "GET", &format!("/api/sessions/{session}.pcapng"));
    assert_eq!(short, capture, "the shorter name is of the same");
    let sessions: Value =
        serde_json::from_str(&get(&server, "/api/sessions?protocol=pop3")).expect("JSON");
    let pop3 = sessions["sessions"][0]["id"].as_str().expect("it is there");
    let capture = asked(&server, "GET", &format!("/api/sessions/{pop3}/capture.pcapng"));
    let has = |part: &[u8]| capture.windows(part.len()).any(|found| found == part);
    assert!(has(b"PASS ******\r\n") && !has(b"s3cret"), "secrets are masked");
    assert!(server.stop().success());
    let scratch = Scratch::new("command-line-not-kept");
    let server = Server::start(scratch.path(), &["--memory", "--keep-sessions", "0"]);
    assert!(send(&server, "bob@hamburger.edu", "first").starts_with("250"));
    assert!(get(&server, "/api/messages/latest/session").contains("--keep-sessions"));
    get(&server, "/api/sessions");
    assert!(send(&server, "bob@hamburger.edu", "second").starts_with("250"));
    assert!(get(&server, "/api/messages/latest/session").contains("\"session\""));
}

/// Stops a child whatever the test does.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn the_first_line_is_the_ready_event_and_a_taken_port_ends_at_once() {
    let free = "127.0.0.1:0";
    let words =
        ["--memory", "--json", "--smtp", free, "--pop3", free, "--imap", free, "--http", free];
    let mut child = Ended(
        pillarbox(&words).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts"),
    );
    let mut line = String::new();
    let stdout = child.0.stdout.take().expect("it is piped");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    let ready: Value = serde_json::from_str(&line).expect("JSON");
    assert!(line.starts_with(r#"{"event":"ready","#), "{line}");
    assert!(ready["token"].is_string() && ready["imaps"].is_string(), "{line}");
    let taken = ready["imap"].as_str().expect("an address");
    let begun = Instant::now();
    let words = ["--memory", "--smtp", free, "--pop3", free, "--imap", taken, "--http", free];
    let ran = pillarbox(&words).output().expect("it runs");
    let took = begun.elapsed();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(5), "{said}");
    assert!(said.contains(&format!("--imap {taken}: the port is in use")), "{said}");
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[test]
fn trace_shows_what_is_said() {
    let scratch = Scratch::new("command-line-trace");
    let data = scratch.path().join("data").display().to_string();
    let server = Server::start(scratch.path(), &["--data", &data]);
    let ready = scratch.path().join("ready.json").display().to_string();
    // By the ready file, and by the data directory's socket.
    for (words, protocol) in [
        (vec!["trace", "--ready-file", &ready, "--protocol", "smtp"], "smtp"),
        (vec!["trace", "--data", &data, "--json"], "pop3"),
    ] {
        let child = pillarbox(&words).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = Ended(child.expect("it starts"));
        let stdout = child.0.stdout.take().expect("it is piped");
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        let until = Instant::now() + Duration::from_secs(30);
        let mut seen = String::new();
        let wanted = match protocol {
            "smtp" => "C: RCPT TO:<bob@hamburger.edu>",
            _ => r#"PASS ******\r\n"#,
        };
        while !seen.contains(wanted) {
            assert!(Instant::now() < until, "{seen}");
            // Who begins to watch sees what begins afterwards.
            let mut pop3 = Wire::connect(server.pop3).expect("it listens");
            pop3.line().expect("a greeting");
            pop3.send(b"USER bob\r\nPASS s3cret\r\n").expect("it reads");
            pop3.line().expect("it answers");
            pop3.line().expect("it answers");
            send(&server, "bob@hamburger.edu", "x");
            while let Ok(line) = told.recv_timeout(Duration::from_millis(200)) {
                seen.push_str(&line);
                seen.push('\n');
            }
        }
        assert!(!seen.contains("s3cret"), "{seen}");
        if protocol == "smtp" {
            assert!(seen.contains("S: 250 2.1.5") && seen.contains("#  RFC 5321 §"), "{seen}");
            assert!(!seen.contains("pop3"), "{seen}");
        }
    }
    let ran = pillarbox(&["trace", "--data", "/nowhere"]).output().expect("it runs");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.code() == Some(1) && said.contains("--ready-file"), "{said}");
}

#[test]
fn doctor_and_config_say_what_is() {
    let scratch = Scratch::new("command-line-doctor");
    let data = scratch.path().join("data").display().to_string();
    let free = "127.0.0.1:0";
    let ports = ["--smtp", free, "--pop3", free, "--imap", free, "--http", free];
    let ran = pillarbox(&["doctor", "--data", &data]).args(ports).output().expect("it runs");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert_eq!(ran.status.code(), Some(0), "{said}");
    assert!(said.contains("good  data") && said.contains("0 bad"), "{said}");
    let listener = TcpListener::bind(free).expect("loopback");
    let taken = listener.local_addr().expect("bound").to_string();
    let words = ["doctor", "--memory", "--json", "--smtp", &taken, "--pop3", free, "--imap", free];
    let ran = pillarbox(&words).args(["--http", free]).output().expect("it runs");
    assert_eq!(ran.status.code(), Some(1));
    let findings = String::from_utf8_lossy(&ran.stdout).into_owned();
    let all: Vec<Value> =
        findings.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let bad: Vec<&Value> = all.iter().filter(|one| one["state"] == "bad").collect();
    assert!(bad.len() == 1 && bad[0]["says"].to_string().contains(&taken), "{findings}");
    let config = scratch.path().join("pillarbox.toml");
    std::fs::write(&config, "domains = ['a.test']\nhostname = 'mail.a.test'\n").expect("ours");
    let path = config.display().to_string();
    let ran = pillarbox(&["config", "show", "--config", &path]).output().expect("it runs");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(2), "{said}");
    assert!(said.contains("did you mean `host_name`?"), "{said}");
    std::fs::write(&config, "domains = ['a.test']\nhost_name = 'mail.a.test'\n").expect("ours");
    let ran = pillarbox(&["config", "show", "--origin", "--config", &path])
        .env("PILLARBOX_SLOTS", "7")
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&ran.stdout);
    for (line, origin) in [
        ("host_name = \"mail.a.test\"", &format!("# file {path}")[..]),
        ("limits.slots = 7", "# variable PILLARBOX_SLOTS"),
        ("relay.mta_sts = true", "# default"),
    ] {
        let found = said.lines().find(|shown| shown.starts_with(line));
        assert!(found.is_some_and(|found| found.ends_with(origin)), "{line} {origin}: {said}");
    }
    let ran = pillarbox(&["config", "schema"]).output().expect("it runs");
    let schema: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    assert_eq!(schema["title"], "pillarbox.toml");
}

/// Runs `talk` with these lines on its standard input; the lines that it prints.
fn talk(words: &[&str], lines: &str) -> (Option<i32>, String) {
    let mut command = pillarbox(&["talk"]);
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(lines.as_bytes()).expect("it reads");
    drop(stdin);
    let ran = child.wait_with_output().expect("it ends");
    let said = [ran.stdout, ran.stderr].concat();
    (ran.status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn talk_explains_each_line_and_masks_secrets() {
    let scratch = Scratch::new("command-line-talk");
    let server = Server::start(scratch.path(), &["--memory", "--starttls"]);
    let (smtp, imap) = (server.smtp.to_string(), server.imap.to_string());
    let (pop3, pop3s) = (server.pop3.to_string(), server.at("pop3s").to_string());
    let lines = "EHLO me.test\nAUTH PLAIN AGJvYgBodW5ncnk=\nMAIL FROM:<ann@a.test>\nRCPT TO:<bob@b.test>\nDATA\n\
                 Subject: x\n\nHello\n.\nQUIT\n";
    let (code, said) = talk(&["smtp", &smtp], lines);
    assert_eq!(code, Some(0), "{said}");
    for part in [
        "C: RCPT TO:<bob@b.test>\n   # Name a recipient, one for each command. (RFC 5321 §4.1.1.3)\nS: 250 2.1.5",
        "2.1.5: it is about the address (RFC 3463 §3.2)",
        "C: AUTH PLAIN ******",
        "S: 221 ",
    ] {
        assert!(said.contains(part), "{part} is not in: {said}");
    }
    assert!(!said.contains("AGJv"), "{said}");
    let (code, said) = talk(&["smtp", &smtp, "--starttls"], "EHLO me.test\nQUIT\n");
    assert_eq!(code, Some(0), "{said}");
    let (_, tls) = said.split_once("-- TLS").expect("it began");
    assert!(tls.contains("S: 250-") && !tls.contains("STARTTLS"), "{said}");
    let lines = "USER bob@b.test\nPASS hungry\nLIST\nRETR 1\nQUIT\n";
    for words in [&["pop3", &pop3][..], &["pop3", &pop3s, "--tls"], &["pop3", &pop3, "--starttls"]]
    {
        let (code, said) = talk(words, lines);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("C: PASS ******") && !said.contains("hungry"), "{said}");
        assert!(said.contains("S: Hello") && said.contains("(RFC 1939 §6)"), "{said}");
    }
    let lines = "a LOGIN bob@b.test hungry\nb SELECT INBOX\nc FETCH 1 BODY[]\nd LOGOUT\n";
    for words in [&["imap", &imap][..], &["imap", &imap, "--starttls"]] {
        let (code, said) = talk(words, lines);
        assert_eq!(code, Some(0), "{said}");
        assert!(
            said.contains("C: a LOGIN bob@b.test ******") && !said.contains("hungry"),
            "{said}"
        );
        assert!(said.contains("S: Hello") && said.contains("S: d OK"), "{said}");
    }
    let nobody = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let silent = nobody.local_addr().expect("bound").to_string();
    let (code, said) = talk(&["smtp", &silent, "--timeout", "100ms"], "QUIT\n");
    assert!(code == Some(3) && said.contains("no answer in time"), "{said}");
}

#[test]
fn talk_is_the_server_of_a_client() {
    let mut command = pillarbox(&["talk", "pop3", "--listen", "127.0.0.1:0"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Ended(command.spawn().expect("it starts"));
    let mut stdin = child.0.stdin.take().expect("it is piped");
    stdin.write_all(b"+OK hello\n+OK who\n-ERR no\n").expect("it reads");
    let mut stderr = BufReader::new(child.0.stderr.take().expect("it is piped"));
    let mut line = String::new();
    stderr.read_line(&mut line).expect("it says where");
    let at = line.split(' ').find_map(|word| word.trim_end_matches(';').parse().ok());
    let mut wire = Wire::connect(at.expect("an address")).expect("it listens");
    assert_eq!(wire.line().expect("a greeting"), b"+OK hello\r\n");
    wire.send(b"USER bob\r\n").expect("it reads");
    assert_eq!(wire.line().expect("an answer"), b"+OK who\r\n");
    wire.send(b"PASS hungry\r\n").expect("it reads");
    assert_eq!(wire.line().expect("an answer"), b"-ERR no\r\n");
    drop(wire);
    let mut said = String::new();
    let mut stdout = child.0.stdout.take().expect("it is piped");
    stdout.read_to_string(&mut said).expect("it is text");
    assert!(
        said.contains("C: PASS ******\n   # Say the password. (RFC 1939 §7)\nS: -ERR no"),
        "{said}"
    );
    assert!(!said.contains("hungry"), "{said}");
}
