//! Logins that are off unless somebody wants them: PREAUTH, APOP, CRAM-MD5, ANONYMOUS; and capabilities left out. The other
//! side is our own programs, and plain sockets.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use pillarbox_engine::sasl::digest::{apop, cram_md5};
use pillarbox_engine::text::base64;
use pillarbox_tests::server::{Scratch, Server, binary};

const ANN: &str = "ann@a.example";
const BOB: &str = "bob@a.example";
const PASSWORD: &str = "s3cret words";

/// A server profile in which Ann's password can be read, and Bob's cannot.
fn prepare(scratch: &Path, sections: &str) -> String {
    let data = scratch.join("data");
    let config = scratch.join("pillarbox.toml");
    let limits = "[limits]\nlogin_failures_per_network = 1000\n";
    let text = format!("data = {data:?}\ndomains = ['a.example']\n{limits}{sections}");
    fs::write(&config, text).expect("the scratch directory is writable");
    let config = config.to_str().expect("UTF-8").to_owned();
    for words in [&["account", "add", ANN, "--readable"][..], &["account", "add", BOB]] {
        let (code, _, said) = run(scratch, &[words, &["--config", &config]].concat(), PASSWORD);
        assert_eq!(code, Some(0), "{said}");
    }
    config
}

/// What a command says, with a password on its standard input and in its environment.
fn run(scratch: &Path, words: &[&str], password: &str) -> (Option<i32>, String, String) {
    let mut command = Command::new(binary());
    command.args(words).current_dir(scratch).env("PILLARBOX_PASSWORD", password);
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().expect("the binary starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    // Who needs no password does not read it.
    let _ = stdin.write_all(password.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("the child is ours");
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

struct Wire(BufReader<TcpStream>);

impl Wire {
    fn to(address: SocketAddr) -> (Self, String) {
        let stream = TcpStream::connect(address).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("not zero");
        let mut wire = Self(BufReader::new(stream));
        let greeting = wire.line();
        (wire, greeting)
    }

    fn say(&mut self, line: &str) {
        self.0.get_mut().write_all(format!("{line}\r\n").as_bytes()).expect("it reads");
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("it answers");
        line.trim_end().to_owned()
    }

    /// Says a line, and gives the first that comes back.
    fn ask(&mut self, line: &str) -> String {
        self.say(line);
        self.line()
    }

    /// Says an IMAP command, and gives all lines up to its tagged one.
    fn command(&mut self, line: &str) -> Vec<String> {
        self.say(line);
        let tag = line.split(' ').next().unwrap_or_default().to_owned() + " ";
        let mut all = Vec::new();
        loop {
            let line = self.line();
            assert!(!line.is_empty(), "it hung up after {all:?}");
            all.push(line);
            if all[all.len() - 1].starts_with(&tag) {
                return all;
            }
        }
    }
}

/// Says the response to the challenge in the line, and gives what comes back.
fn answer_cram(wire: &mut Wire, challenge: &str, user: &str, secret: &str) -> String {
    let text = challenge.split(' ').nth(1).expect("a challenge");
    let challenge = base64::decode(text.as_bytes()).expect("base64");
    let digest = cram_md5(&challenge, secret.as_bytes());
    let response = base64::encode(&[user.as_bytes(), b" ", &digest].concat());
    wire.ask(std::str::from_utf8(&response).expect("base64"))
}

#[test]
fn whom_a_listener_is_for_is_logged_in_by_the_greeting() {
    let scratch = Scratch::new("preauth");
    let sections = "[imap]\ncomment = 'Mail of A'\nadmin = 'mailto:root@a.example'\n\
                    [imap.preauth]\naccount = 'Ann'\nlisten = '127.0.0.1:0'\n";
    let config = prepare(scratch.path(), sections);
    let server = Server::start(scratch.path(), &["--config", &config]);
    let address = server.at("imap_preauth");
    let (mut wire, greeting) = Wire::to(address);
    assert!(greeting.starts_with("* PREAUTH [CAPABILITY IMAP4rev1 "), "{greeting}");
    assert!(!greeting.contains("AUTH=") && greeting.contains(" UIDPLUS "), "{greeting}");
    // It is Ann's mailbox, and what is told of the server is told to everybody.
    let said = wire.command("a GETACL INBOX");
    assert!(said[0].starts_with("* ACL INBOX ann@a.example "), "{said:?}");
    let said = wire.command("b GETMETADATA \"\" (/shared/admin /shared/comment)");
    let told =
        "* METADATA \"\" (/shared/admin \"mailto:root@a.example\" /shared/comment \"Mail of A\")";
    assert_eq!(said[0], told);
    let said = wire.command("c SETMETADATA \"\" (/shared/comment \"mine\")");
    assert_eq!(said, ["c NO [NOPERM] Not permitted"]);
    // A browser that a web page sends here gets nowhere.
    let (mut page, _) = Wire::to(address);
    page.say("POST / HTTP/1.1");
    assert!(page.line().starts_with("* BYE "));
    // Our own client takes the greeting for a login.
    let url = format!("imap://{ANN}@{address}");
    let (code, listed, said) =
        run(scratch.path(), &["mail", "list", "--server", &url, "--trace"], "wrong");
    assert_eq!(code, Some(0), "{listed} {said}");
    assert!(said.contains("* PREAUTH") && !said.contains("LOGIN "), "{said}");
    // The usual listener asks who it is, as ever.
    assert!(Wire::to(server.imap).1.starts_with("* OK "));
    let (code, _, said) = run(scratch.path(), &["account", "remove", ANN, "--config", &config], "");
    assert_eq!(code, Some(0), "{said}");
    std::thread::sleep(Duration::from_millis(2500));
    let gone = Wire::to(address).1;
    assert!(gone.starts_with("* BYE [NOPERM] The account that this listener is for"), "{gone}");
    assert!(server.stop().success());

    let flags = ["--memory", "--imap-preauth", "bob@a.example=0.0.0.0:0"];
    let (code, _, said) = run(scratch.path(), &[&["serve"][..], &flags].concat(), "");
    assert!(code == Some(2) && said.contains("without a password"), "{code:?} {said}");
}

#[test]
fn digests_open_accounts_whose_password_can_be_read_and_no_others() {
    let scratch = Scratch::new("digests");
    let config = prepare(scratch.path(), "[pop3]\napop = true\n[auth]\ncram_md5 = true\n");
    let server = Server::start(scratch.path(), &["--config", &config]);
    let say_apop = |user: &str, secret: &str| {
        let (mut wire, greeting) = Wire::to(server.pop3);
        let timestamp = greeting.rsplit(' ').next().expect("words").to_owned();
        let digest = apop(timestamp.as_bytes(), secret.as_bytes());
        let digest = String::from_utf8(digest).expect("hexadecimal");
        let said = wire.ask(&format!("APOP {user} {digest}"));
        // RFC 1939 §6: the maildrop is free once the farewell is heard, and not as soon as a line breaks.
        assert!(wire.ask("QUIT").starts_with("+OK"), "{user}");
        (timestamp, said)
    };
    let (one, said) = say_apop(ANN, PASSWORD);
    assert!(said.starts_with("+OK maildrop"), "{said}");
    let (two, said) = say_apop("ann", PASSWORD);
    assert!(said.starts_with("+OK maildrop") && one != two, "{one} {two}: {said}");
    for (user, secret) in [(ANN, "s3cret word"), (BOB, PASSWORD), ("eve@a.example", PASSWORD)] {
        let (_, said) = say_apop(user, secret);
        assert_eq!(said, "-ERR [AUTH] wrong name or password", "{user}");
    }
    for (at, (address, hello, begin, good, bad)) in [
        (server.smtp, Some("EHLO x"), "AUTH CRAM-MD5", "235 ", "535 "),
        (server.pop3, None, "AUTH CRAM-MD5", "+OK ", "-ERR [AUTH]"),
        (server.imap, None, "a AUTHENTICATE CRAM-MD5", "a OK ", "a NO [AUTHENTICATIONFAILED]"),
    ]
    .into_iter()
    .enumerate()
    {
        for (user, secret, expected) in
            [(ANN, PASSWORD, good), (ANN, "wrong", bad), (BOB, PASSWORD, bad)]
        {
            let (mut wire, _) = Wire::to(address);
            if let Some(hello) = hello {
                let mut line = wire.ask(hello);
                let mut offered = line.clone();
                while line.starts_with("250-") {
                    line = wire.line();
                    offered.push_str(&line);
                }
                assert!(offered.contains(" CRAM-MD5"), "{offered}");
            }
            let challenge = wire.ask(begin);
            let said = answer_cram(&mut wire, &challenge, user, secret);
            assert!(said.starts_with(expected), "{at} {user}: {said}");
            if address == server.pop3 {
                assert!(wire.ask("QUIT").starts_with("+OK"), "{user}");
            }
        }
    }
    // Our own programs: APOP and CRAM-MD5 where they are meant, something better where they are not.
    let fetch = |words: &[&str]| {
        let url = format!("pop3://{ANN}@{}", server.pop3);
        let how = ["fetch", &url, "--account", BOB, "--config", &config, "--trace"];
        run(scratch.path(), &[&how[..], words].concat(), PASSWORD)
    };
    let (code, _, said) = fetch(&["--mechanism", "apop"]);
    assert!(code == Some(0) && said.contains("APOP ann@a.example"), "{code:?} {said}");
    let (code, _, said) = fetch(&["--mechanism", "CRAM-MD5"]);
    assert!(code == Some(0) && said.contains("AUTH CRAM-MD5"), "{code:?} {said}");
    let (code, _, said) = fetch(&[]);
    assert!(code == Some(0) && said.contains("AUTH SCRAM-SHA-256"), "{code:?} {said}");
    let (at, smtp) =
        (["send", "--to", ANN, "--from", ANN, "--text", "hi"], server.smtp.to_string());
    let how = ["--server", &smtp, "--user", ANN, "--trace", "--mechanism"];
    let send = |mechanism| run(scratch.path(), &[&at[..], &how, &[mechanism]].concat(), PASSWORD);
    let (code, _, said) = send("CRAM-MD5");
    assert!(code == Some(0) && said.contains("AUTH CRAM-MD5"), "{code:?} {said}");
    let (code, _, said) = send("APOP");
    assert!(code == Some(2) && said.contains("POP3 alone"), "{code:?} {said}");
    // A password that is set without the flag is not kept, and then nothing is offered any more.
    let words = ["account", "password", ANN, "--config", &config];
    assert_eq!(run(scratch.path(), &words, PASSWORD).0, Some(0));
    std::thread::sleep(Duration::from_millis(2500));
    assert!(!Wire::to(server.pop3).1.contains('<'), "no APOP");
    assert!(!Wire::to(server.imap).1.contains("CRAM-MD5"));
    let (code, _, said) = fetch(&["--mechanism", "apop"]);
    assert!(code != Some(0) && !said.contains("C: USER"), "{code:?} {said}");
    let log = fs::read_to_string(scratch.path().join("log")).expect("there is a log");
    assert!(!log.contains(PASSWORD) && log.contains("--readable"), "{log}");
    assert!(server.stop().success());
}

#[test]
fn a_test_has_the_server_that_it_wants() {
    let scratch = Scratch::new("wanted");
    let flags = [
        "--memory",
        "--dev-password",
        PASSWORD,
        "--apop",
        "--cram-md5",
        "--anonymous",
        "--starttls",
        "--imap-without",
        "STARTTLS,auth=plain,IDLE",
        "--pop3-without",
        "UIDL,STLS",
        "--smtp-without",
        "PIPELINING,STARTTLS,AUTH=LOGIN",
    ];
    let server = Server::start(scratch.path(), &flags);
    let (mut imap, greeting) = Wire::to(server.imap);
    for gone in ["STARTTLS", "AUTH=PLAIN", "IDLE"] {
        assert!(!greeting.contains(gone), "{gone}: {greeting}");
    }
    assert!(greeting.contains("AUTH=CRAM-MD5 AUTH=ANONYMOUS]"), "{greeting}");
    assert!(imap.ask("a AUTHENTICATE PLAIN").starts_with("a NO [CANNOT]"));
    assert!(imap.ask("b AUTHENTICATE ANONYMOUS c2lyaGM=").starts_with("b OK "));
    let (mut pop3, greeting) = Wire::to(server.pop3);
    let timestamp = greeting.rsplit(' ').next().expect("words");
    let digest = apop(timestamp.as_bytes(), PASSWORD.as_bytes());
    let digest = String::from_utf8(digest).expect("hexadecimal");
    assert!(pop3.ask(&format!("APOP {ANN} {digest}")).starts_with("+OK "));
    assert_eq!(pop3.ask("UIDL"), "-ERR unknown command");
    let (mut smtp, _) = Wire::to(server.smtp);
    let mut offered = smtp.ask("EHLO x");
    while !offered.contains("250 ") {
        offered = offered + " " + &smtp.line();
    }
    for gone in ["PIPELINING", "STARTTLS", " LOGIN"] {
        assert!(!offered.contains(gone), "{gone}: {offered}");
    }
    assert!(smtp.ask("AUTH ANONYMOUS =").starts_with("235 "), "{offered}");
    let send = ["send", "--to", ANN, "--from", ANN, "--text", "hi", "--mechanism", "ANONYMOUS"];
    let smtp = server.smtp.to_string();
    let (code, _, said) = run(scratch.path(), &[&send[..], &["--server", &smtp]].concat(), "");
    assert_eq!(code, Some(0), "{said}");
    assert!(server.stop().success());

    let refused = [
        (&["--imap-without", "IMAP4rev1,imap4rev2"][..], "cannot both be left out"),
        (&["--pop3-without", "IDLE"], "these can: CAPA, "),
        (&["--apop"], "--dev-password"),
        (&["--cram-md5"], "--dev-password"),
    ];
    for (flags, part) in refused {
        let (code, _, said) = run(scratch.path(), &[&["serve", "--memory"], flags].concat(), "");
        assert!(code == Some(2) && said.contains(part), "{flags:?}: {code:?} {said}");
    }
    let config = prepare(scratch.path(), "");
    let (code, _, said) = run(scratch.path(), &["serve", "--config", &config, "--anonymous"], "");
    assert!(code == Some(2) && said.contains("dev profile"), "{code:?} {said}");
}
