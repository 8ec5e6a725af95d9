//! What operators and users are told: why something is refused, what is wrong with a file, and what to try instead.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use pillarbox_tests::server::{Scratch, binary};
use pillarbox_tests::site::{PASSWORD, Site, until};
use pillarbox_tests::wire::Wire;

use crate::{ACCOUNTS, alice, say, send, site};

fn pillarbox(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } =
        Command::new(binary()).args(arguments).output().expect("the binary starts");
    (status.code(), String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())
}

/// A certificate for localhost and its key, with this mode.
fn certificate(directory: &Path, mode: u32) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("entropy");
    fs::write(directory.join("cert.pem"), made.cert.pem()).expect("ours");
    let key = directory.join("key.pem");
    fs::write(&key, made.signing_key.serialize_pem()).expect("ours");
    fs::set_permissions(key, Permissions::from_mode(mode)).expect("ours");
}

const TLS: &str = "[tls]\ncertificate = '../cert.pem'\nkey = '../key.pem'\n";

#[test]
fn the_log_says_whom_a_refusal_is_about_and_why() {
    let scratch = Scratch::new("operating-log");
    let site = site(&scratch, "site", "");
    let mut wire = Wire::connect(site.server().smtp).expect("it listens");
    say(&mut wire, "");
    say(&mut wire, "EHLO client.example");
    say(&mut wire, "MAIL FROM:<x@far.example>");
    assert!(say(&mut wire, "RCPT TO:<nobody@ours.example>").starts_with("550 5.1.1 "));
    assert!(say(&mut wire, "RCPT TO:<y@elsewhere.example>").starts_with("550 5.7.1 "));
    say(&mut wire, "RSET");
    assert!(say(&mut wire, "FROBNICATE").starts_with("500 "));
    let mut wire = alice(site.server().smtp);
    let message = "From: ceo@far.example\r\n\r\nwords\r\n";
    assert!(send(&mut wire, ACCOUNTS[0], ACCOUNTS[1], message).starts_with("550 5.7.1 "));
    let lines = |word: &str| -> Vec<String> {
        site.log().lines().filter(|line| line.contains(word)).map(str::to_owned).collect()
    };
    let has = |line: &str, words: &[&str]| words.iter().all(|word| line.contains(word));
    let refused = lines(" refused ");
    let sender = "from=\"<x@far.example>\"";
    assert!(refused.iter().any(|l| has(l, &[sender, "nobody@ours.example", "NotFound"])));
    assert!(refused.iter().any(|l| has(l, &[sender, "y@elsewhere.example", "NotPermitted"])));
    let whole = ["<alice@ours.example>", "to=\"bob@ours.example\"", "ceo@far.example"];
    assert!(refused.iter().any(|l| has(l, &whole)), "{refused:?}");
    let rules = lines("broke a rule");
    // What was refused broke no rule of the protocol, and is told once.
    assert!(!rules.iter().any(|l| l.contains("elsewhere.example") || l.contains("nobody@")));
    let unknown = rules.iter().find(|l| l.contains("does not know is answered with 500"));
    let unknown = unknown.expect("the command is no address's fault");
    assert!(!unknown.contains("example"), "{unknown}");
}

#[test]
fn what_is_wrong_with_a_configuration_is_said_before_anything_starts() {
    let scratch = Scratch::new("operating-config");
    let file = scratch.path().join("pillarbox.toml");
    let config = file.display().to_string();
    let ports = ["--smtp", "--pop3", "--imap", "--http"].map(|port| [port, "127.0.0.1:0"]);
    let ports = ports.concat();
    let serve = |text: &str, more: &[&str]| {
        fs::write(&file, format!("data = 'data'\n{text}")).expect("ours");
        let flags = [&["serve", "--config", &config], &ports[..], more].concat();
        let (code, said) = pillarbox(&flags);
        assert_eq!(code, Some(2), "{text}: {said}");
        said
    };
    for name in ["mail host", "a..b", "-a.example", "192.0.2.1", "a.example.", "mäil.example", ""]
    {
        let said = serve(&format!("domains = ['a.example']\nhost_name = '{name}'\n"), &[]);
        assert!(said.contains("host_name: ") && said.contains(&format!("`{name}`")), "{said}");
    }
    let said = serve("domains = ['a.example', 'b_c.example']\n", &[]);
    assert!(said.contains("domains: `b_c.example`"), "{said}");
    certificate(scratch.path(), 0o644);
    let tls = "domains = ['a.example']\n[tls]\ncertificate = 'cert.pem'\nkey = 'key.pem'\n";
    let said = serve(tls, &[]);
    assert!(said.contains("chmod 600") && said.contains("key.pem"), "{said}");
    // What nobody could ever write to, and whom nothing could ever reach.
    for (text, word) in [
        ("[aliases]\n'info@b.example' = ['x@a.example']\n", "b.example is none of domains"),
        ("[aliases]\n'info' = ['x@a.example']\n", "aliases: `info`"),
        ("[aliases]\n'info@a.example' = ['x@a.example', 'bob']\n", "info@a.example\": `bob`"),
        ("[aliases]\n'info@a.example' = []\n", "stands for nobody"),
        ("[catch_all]\n'b.example' = 'x@a.example'\n", "catch_all: `b.example`"),
        ("[catch_all]\n'a.example' = 'x'\n", "catch_all: `x`"),
        ("[relay]\nnetworks = ['0.0.0.0/0']\n", "relay.networks[0]"),
        ("[[relay.routes]]\ndomain = 'b..example'\n", "relay.routes[0]: domain"),
    ] {
        let said = serve(&format!("domains = ['a.example']\n{text}"), &[]);
        assert!(said.contains(word), "{text}: {said}");
    }
    let route = "domains = ['a.example']\n[[relay.routes]]\ndomain = '*'\nuser = 'me'\n\
                 next_hop = '[127.0.0.1]:9'\npassword_file = 'secret'\n";
    let said = serve(route, &[]);
    assert!(said.contains("password_file of `me`") && said.contains("secret"), "{said}");
    let said = serve("domains = ['a.example']\n", &["--trace-sessions", "/dev/null/traces"]);
    assert!(said.contains("--trace-sessions /dev/null/traces"), "{said}");
}

#[test]
fn a_server_shows_no_password_that_it_does_not_take() {
    let scratch = Scratch::new("operating-banner");
    let file = scratch.path().join("pillarbox.toml");
    fs::write(&file, "data = 'data'\ndomains = ['ours.example']\n").expect("ours");
    let shown = banner(&file, "account add");
    assert!(shown.contains("bob@ours.example") && !shown.contains("swaks"), "{shown}");
    let mut add = Command::new(binary());
    add.args(["account", "add", "zoe@ours.example", "--config"]).arg(&file);
    let mut child = add.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
    child.stdin.take().expect("piped").write_all(PASSWORD.as_bytes()).expect("it reads");
    assert!(child.wait().expect("it ends").success());
    let shown = banner(&file, "-u ");
    assert!(shown.contains("-u zoe@ours.example") && !shown.contains("any"), "{shown}");
    assert!(!shown.contains(PASSWORD) && shown.contains("--to zoe@ours.example"), "{shown}");
    assert!(shown.contains(", LMTP 127.0.0.1:"), "{shown}");
}

/// What a server prints when it is ready, up to the line with a word.
fn banner(file: &Path, last: &str) -> String {
    let mut serve = Command::new(binary());
    serve.args(["serve", "--config"]).arg(file);
    for port in ["--smtp", "--pop3", "--imap", "--http", "--lmtp"] {
        serve.args([port, "127.0.0.1:0"]);
    }
    let mut child =
        serve.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the binary starts");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut shown = String::new();
    for line in lines.map_while(Result::ok) {
        shown.push_str(&line);
        if line.contains(last) {
            break;
        }
    }
    child.kill().expect("it is ours");
    child.wait().expect("it is ours");
    shown
}

#[test]
fn who_is_removed_is_shown_out() {
    let scratch = Scratch::new("operating-removed");
    let site = site(&scratch, "site", "");
    let mut wire = Wire::connect(site.server().imap).expect("it listens");
    wire.line().expect("it greets");
    wire.imap(&format!("a LOGIN {} {PASSWORD}", ACCOUNTS[1])).expect("a response");
    wire.imap("b SELECT INBOX").expect("a response");
    let mut other = Wire::connect(site.server().imap).expect("it listens");
    other.line().expect("it greets");
    other.imap(&format!("a LOGIN {} {PASSWORD}", ACCOUNTS[0])).expect("a response");
    let config = scratch.path().join("site/pillarbox.toml").display().to_string();
    let (code, said) = pillarbox(&["account", "remove", ACCOUNTS[1], "--config", &config]);
    assert_eq!(code, Some(0), "{said}");
    let bye = String::from_utf8(wire.line().expect("a response")).expect("ASCII");
    assert!(bye.starts_with("* BYE [CONTACTADMIN] "), "{bye}");
    assert!(wire.line().is_err(), "and closes");
    assert!(other.imap("c NOOP").expect("a response").starts_with(b"c OK"));
}

/// RFC 5321 §4.4.
#[test]
fn a_delivered_message_has_one_return_path() {
    let scratch = Scratch::new("operating-path");
    let site = site(&scratch, "site", "");
    let mut wire = alice(site.server().smtp);
    let long = "X-Long: x\r\n".repeat(2000);
    for fields in ["", &long[..]] {
        let message = format!(
            "Return-Path: <forged@far.example>\r\nFrom: alice@ours.example\r\n{fields}\
             RETURN-PATH :\r\n <x@y.z>\r\nSubject: x\r\n\r\nReturn-Path: <body>\r\n"
        );
        let said = send(&mut wire, ACCOUNTS[0], ACCOUNTS[1], &message);
        assert!(said.starts_with("250"), "{said}");
    }
    for came in site.inbox_of(ACCOUNTS[1], 2) {
        let came = String::from_utf8(came).expect("ASCII");
        assert!(came.starts_with("Return-Path: <alice@ours.example>\r\nReceived:"), "{came}");
        assert_eq!(came.to_lowercase().matches("return-path").count(), 2, "ours and the body's");
        assert!(!came.contains("forged") && !came.contains("x@y.z"), "{came}");
        assert!(came.ends_with("Subject: x\r\n\r\nReturn-Path: <body>\r\n"), "{came}");
    }
}

/// RFC 6531 §3.5: what needs SMTPUTF8 and was not declared is sent on as what it is.
#[test]
fn an_undeclared_field_in_utf_8_is_declared_to_the_next_server() {
    let scratch = Scratch::new("operating-utf8");
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = "host_name = 'mx.far.example'\ndomains = ['far.example']\n[trust]\nchecks = []\n";
    let mut far = Site::new(scratch.path().join("far"), free, config, &["bob@far.example"]);
    far.start(&[]);
    let route = format!(
        "[relay]\nmta_sts = false\n[[relay.routes]]\ndomain = '*'\n\
         next_hop = '[127.0.0.1]:{}'\ntls = 'none'\n",
        far.server().smtp.port()
    );
    let ours = site(&scratch, "ours", &route);
    let mut wire = alice(ours.server().smtp);
    let message = "From: alice@ours.example\r\nSubject: Gr\u{fc}\u{df}e\r\n\r\nwords\r\n";
    let said = send(&mut wire, ACCOUNTS[0], "bob@far.example", message);
    assert!(said.starts_with("250"), "{said}");
    let came = String::from_utf8(far.inbox_of("bob@far.example", 1).remove(0)).expect("UTF-8");
    assert!(came.contains("\tby mx.far.example with UTF8SMTP "), "{came}");
    assert!(came.contains("Subject: Gr\u{fc}\u{df}e\r\n"), "{came}");
}

#[test]
fn a_port_for_something_else_is_named() {
    let scratch = Scratch::new("operating-ports");
    certificate(scratch.path(), 0o640);
    let config = format!("host_name = 'mx.ours.example'\ndomains = ['ours.example']\n{TLS}");
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut site = Site::new(scratch.path().join("site"), free, &config, &ACCOUNTS);
    site.start(&["--lmtp", "127.0.0.1:0"]);
    let at = |service: &str| site.server().at(service).to_string();
    let probe = |arguments: &[&str], code: i32| {
        let (found, said) = pillarbox(&[&["probe", "smtp"], arguments].concat());
        assert_eq!(found, Some(code), "{arguments:?}: {said}");
        said
    };
    assert!(probe(&[&at("imap")], 69).contains("speaks IMAP"));
    assert!(probe(&[&at("pop3")], 69).contains("speaks POP3"));
    assert!(probe(&[&at("lmtp")], 69).contains("speaks LMTP"));
    assert!(probe(&[&at("submissions")], 69).contains("try --implicit"));
    assert!(probe(&[&at("smtp"), "--implicit"], 69).contains("leave out --implicit"));
    let said = probe(&[&at("submission")], 0);
    assert!(said.contains("takes no mail here before a login"), "{said}");
    // A letter to such a port is not waited for until its patience ends.
    let letter = ["send", "--to", ACCOUNTS[1], "--from", ACCOUNTS[0], "--text", "x"];
    let submissions = at("submissions");
    let began = Instant::now();
    let (code, said) =
        pillarbox(&[&letter[..], &["--server", &submissions, "--tls", "never"]].concat());
    assert_eq!(code, Some(69), "{said}");
    assert!(said.contains("try --tls implicit"), "{said}");
    assert!(began.elapsed() < Duration::from_secs(30));
    // What is no message is not sent as one.
    let text = scratch.path().join("text");
    fs::write(&text, "Dear Bob,\n\nno field stands here\n").expect("ours");
    let text = text.display().to_string();
    let (code, said) = pillarbox(&["send", "--to", ACCOUNTS[1], "--message", &text]);
    assert_eq!(code, Some(65), "{said}");
    assert!(said.contains("--text-file"), "{said}");
}

#[test]
fn who_asks_for_what_is_not_there_is_told_which() {
    let (code, said) = pillarbox(&["queue", "list"]);
    assert!(code == Some(2) && said.contains("--config"), "{said}");
    let scratch = Scratch::new("operating-missing");
    let site = site(&scratch, "site", "");
    let config = scratch.path().join("site/pillarbox.toml").display().to_string();
    for (words, word) in [
        (&["retry", "--destination", "far.example"][..], "nothing waits for `far.example`"),
        (&["show", "4711"], "message 4711 is not in the queue"),
        (&["delete", "4711", "--bounce"], "message 4711 is not in the queue"),
    ] {
        let (code, said) = pillarbox(&[&["queue", "--config", &config], words].concat());
        assert!(code == Some(1) && said.contains(word), "{words:?}: {said}");
    }
    // Nobody knows by heart in whose name a program sends that names no sender.
    let (password, file) = (scratch.path().join("password"), scratch.path().join("sendmail.toml"));
    fs::write(&password, PASSWORD).expect("ours");
    fs::set_permissions(&password, Permissions::from_mode(0o600)).expect("ours");
    let (to, domain) = (site.server().smtp, "ours.example");
    let text = format!(
        "server = '{to}'\nuser = '{}'\npassword_file = '{}'\ndomain = '{domain}'\n",
        ACCOUNTS[0],
        password.display()
    );
    fs::write(&file, text).expect("ours");
    let mut sendmail = Command::new(binary());
    sendmail.args(["sendmail", "-i", "--config"]).arg(&file).arg(ACCOUNTS[1]);
    sendmail.env("LOGNAME", "daemon").env("USER", "daemon");
    let mut child =
        sendmail.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    child.stdin.take().expect("piped").write_all(b"Subject: x\n\nx\n").expect("it reads");
    let Output { stderr, .. } = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&stderr);
    assert!(said.contains("at the sender, <daemon@ours.example>"), "{said}");
}

#[test]
fn held_mail_is_not_said_to_be_tried() {
    let scratch = Scratch::new("operating-held");
    let nobody = "[relay]\nmta_sts = false\nnetworks = ['127.0.0.1']\n[[relay.routes]]\n\
                  domain = '*'\nnext_hop = '[127.0.0.1]:9'\ntls = 'none'\n";
    let site = site(&scratch, "site", nobody);
    let config = scratch.path().join("site/pillarbox.toml").display().to_string();
    let queue = |words: &[&str]| {
        let (code, said) = pillarbox(&[&["queue"], words, &["--config", &config]].concat());
        assert_eq!(code, Some(0), "{words:?}: {said}");
        said
    };
    let mut wire = alice(site.server().smtp);
    let message = "From: alice@ours.example\r\n\r\nwords\r\n";
    assert!(send(&mut wire, ACCOUNTS[0], "x@far.example", message).starts_with("250"));
    until("it was tried", || queue(&["stats", "--json"]).contains("\"failures\":1"));
    // A host that is left alone is not tried in the past.
    let listed: serde_json::Value =
        serde_json::from_str(queue(&["list", "--json"]).trim()).expect("JSON");
    let stats: serde_json::Value =
        serde_json::from_str(queue(&["stats", "--json"]).trim()).expect("JSON");
    let next = listed["destinations"][0]["next_unix_ms"].as_u64();
    assert!(next > stats["now_unix_ms"].as_u64(), "{listed} {stats}");
    queue(&["hold", "--all"]);
    let said = queue(&["retry", "--all"]);
    assert!(said.starts_with("0 due now\n1 held") && said.contains("queue release"), "{said}");
    assert_eq!(queue(&["retry", "--all", "--json"]).trim(), "{\"changed\":0,\"held\":1}");
    assert_eq!(queue(&["release", "--all"]).trim(), "1 released");
    let shown = queue(&["show", &listed["id"].to_string(), "--json"]);
    assert!(shown.starts_with("{\"id\":") && !shown.contains("answer"), "{shown}");
    std::io::stderr().flush().expect("it is open");
}
