//! Mail between servers that sign and judge, through real sockets and DNS: what is signed at one passes at the other, what
//! is forged is refused, put aside or marked, and nothing else of a message changes.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use pillarbox_tests::dns::DnsServer;
use pillarbox_tests::server::{Scratch, Server, binary};
use pillarbox_tests::wire::Wire;

const PASSWORD: &str = "s3cret";

/// Writes a configuration, makes an account, and starts the server.
fn server(scratch: &Path, name: &str, account: &str, config: &str) -> Server {
    let directory = scratch.join(name);
    std::fs::create_dir_all(&directory).expect("the directory is ours");
    let file = directory.join("pillarbox.toml");
    let data = directory.join("mail");
    let data = format!("data = \"{}\"\n", data.display());
    std::fs::write(&file, format!("{data}{config}")).expect("the directory is ours");
    let file = file.display().to_string();
    let mut add = Command::new(binary())
        .args(["account", "add", account, "--config", &file])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the binary starts");
    add.stdin.take().expect("piped").write_all(PASSWORD.as_bytes()).expect("it reads");
    assert!(add.wait().expect("it ends").success());
    Server::start(&directory, &["--config", &file])
}

fn pillarbox(arguments: &[&str]) -> Output {
    Command::new(binary()).args(arguments).output().expect("the binary starts")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

/// Makes a key and publishes what was printed; gives the lines for the configuration.
fn key(scratch: &Path, dns: &DnsServer, domain: &str, selector: &str, algorithm: &str) -> String {
    let file = scratch.join(format!("{selector}.pem")).display().to_string();
    let made = pillarbox(&[
        "dkim",
        "keygen",
        "--domain",
        domain,
        "--selector",
        selector,
        "--algorithm",
        algorithm,
        "--out",
        &file,
    ]);
    assert!(made.status.success(), "{}", text(&made));
    let printed = text(&made);
    let (record, lines) = printed.split_once("\n\n").expect("a record, then lines");
    let strings: String = record.split('"').skip(1).step_by(2).collect();
    assert!(record.contains(&format!("{selector}._domainkey.{domain}. IN TXT")), "{record}");
    dns.txt(&format!("{selector}._domainkey.{domain}"), &strings);
    lines.to_owned()
}

/// Sends a message; gives the reply to it, or to the first command that was refused.
fn send(wire: &mut Wire, from: &str, to: &str, message: &[u8]) -> String {
    for command in
        [format!("MAIL FROM:<{from}> BODY=8BITMIME"), format!("RCPT TO:<{to}>"), "DATA".into()]
    {
        let reply = String::from_utf8(wire.smtp(&command).expect("a reply")).expect("ASCII");
        if !reply.starts_with(['2', '3']) {
            return reply;
        }
    }
    wire.send(message).expect("it reads");
    String::from_utf8(wire.smtp(".").expect("a reply")).expect("ASCII")
}

fn greeted(server: &Server) -> Wire {
    let mut wire = Wire::connect(server.smtp).expect("it listens");
    wire.smtp("").expect("a greeting");
    wire.smtp("EHLO client.example").expect("a reply");
    wire
}

/// The only message of a mailbox, waited for.
fn fetch(server: &Server, account: &str, mailbox: &str) -> Vec<u8> {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let mut wire = Wire::connect(server.imap).expect("it listens");
        wire.line().expect("a greeting");
        let login = wire.imap(&format!("a LOGIN {account} {PASSWORD}")).expect("a response");
        assert!(login.starts_with(b"a OK") || login.windows(4).any(|w| w == b"a OK"));
        wire.imap(&format!("b SELECT {mailbox}")).expect("a response");
        let found = wire.imap("c UID FETCH 1:* BODY.PEEK[]").expect("a response");
        if let Some(at) = found.windows(3).position(|three| three == b"}\r\n") {
            let size = found[..at].rsplit(|octet| *octet == b'{').next().expect("a literal");
            let size: usize = String::from_utf8_lossy(size).parse().expect("a number");
            return found[at + 3..at + 3 + size].to_vec();
        }
        assert!(Instant::now() < until, "nothing came into {mailbox} of {account}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Empties a mailbox.
fn empty(server: &Server, account: &str, mailbox: &str) {
    let mut wire = Wire::connect(server.imap).expect("it listens");
    wire.line().expect("a greeting");
    for command in [
        format!("a LOGIN {account} {PASSWORD}"),
        format!("b SELECT {mailbox}"),
        "c UID STORE 1:* +FLAGS (\\Deleted)".to_owned(),
        "d EXPUNGE".to_owned(),
    ] {
        wire.imap(&command).expect("a response");
    }
}

fn head(message: &[u8]) -> String {
    let end = message.windows(4).position(|four| four == b"\r\n\r\n").expect("a blank line");
    String::from_utf8_lossy(&message[..end + 2]).into_owned()
}

/// The results that a host has written.
fn results(message: &[u8], host: &str) -> String {
    let head = head(message);
    let mark = format!("Authentication-Results: {host}");
    let (_, rest) = head.split_once(&mark).unwrap_or_else(|| panic!("no results in {head}"));
    let mut lines = rest.split_inclusive("\r\n");
    let first = lines.next().unwrap_or_default().to_owned();
    first + &lines.take_while(|line| line.starts_with('\t')).collect::<String>()
}

struct World {
    dns: DnsServer,
    a: Server,
    b: Server,
    scratch: Scratch,
}

/// Server A of alice, which signs, and server B of bob, which judges; A sends to B.
fn world(name: &str) -> World {
    let scratch = Scratch::new(name);
    let path = scratch.path();
    let dns = DnsServer::start();
    dns.txt("a.example", "v=spf1 ip4:127.0.0.1 -all");
    dns.txt("_dmarc.a.example", "v=DMARC1; p=reject");
    dns.txt("_dmarc.reject.example", "v=DMARC1; p=reject");
    dns.txt("_dmarc.aside.example", "v=DMARC1; p=quarantine");
    let names = format!("[dns]\nservers = [\"{}\"]\n", dns.address());
    let b = format!(
        "host_name = \"mx.b.example\"\ndomains = [\"b.example\"]\n{names}\
         [trust]\nexcept = []\nhonour = \"reject\"\n\
         [[trust.policies]]\ndomain = \"spf.example\"\nunless = \"spf\"\nthen = \"reject\"\n\
         [[trust.policies]]\ndomain = \"dkim.example\"\nunless = \"dkim\"\nthen = \"reject\"\n"
    );
    let b = server(path, "b", "bob@b.example", &b);
    let keys = [("r1", "rsa"), ("e1", "ed25519")];
    let keys = keys.map(|(selector, kind)| key(path, &dns, "a.example", selector, kind)).concat();
    let a = format!(
        "host_name = \"mx.a.example\"\ndomains = [\"a.example\"]\n{names}\
         [relay]\nmta_sts = false\nnetworks = [\"127.0.0.1\"]\n\
         [[relay.routes]]\ndomain = \"b.example\"\nnext_hop = \"[127.0.0.1]:{}\"\ntls = \"none\"\n\
         {keys}",
        b.smtp.port()
    );
    let a = server(path, "a", "alice@a.example", &a);
    World { dns, a, b, scratch }
}

fn alice(server: &Server) -> Wire {
    let mut wire = greeted(server);
    let plain = pillarbox_engine::text::base64::encode(b"\0alice@a.example\0s3cret");
    let plain = format!("AUTH PLAIN {}", String::from_utf8(plain).expect("ASCII"));
    let reply = wire.smtp(&plain).expect("a reply");
    assert!(reply.starts_with(b"235"), "{}", reply.escape_ascii());
    wire
}

#[test]
fn what_is_signed_at_one_server_passes_at_the_next() {
    let world = world("trust-signed");
    let mut wire = alice(&world.a);
    let fields = "From: Alice <alice@a.example>\r\nTo: bob@b.example\r\n\
                  Authentication-Results: mx.a.example; dmarc=pass\r\nSubject: ketchup\r\n";
    let large = "Do you like ketchup? It is red.\r\n".repeat(40_000);
    let wide = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
                Content-Transfer-Encoding: 8bit\r\n\r\nSüßer Senf?\r\n";
    let large_wide = format!("{}{}", &wide[..wide.len() - 2], " Größe\r\n".repeat(60_000));
    for (what, rest) in [
        ("small", "\r\nDo you like ketchup?\r\n".to_owned()),
        ("large", format!("\r\n{large}")),
        ("of eight bits", wide.to_owned()),
        ("large and of eight bits", large_wide),
    ] {
        let message = format!("{fields}{rest}");
        let reply = send(&mut wire, "alice@a.example", "bob@b.example", message.as_bytes());
        assert!(reply.starts_with("250"), "{what}: {reply}");
        let came = fetch(&world.b, "bob@b.example", "INBOX");
        let found = results(&came, "mx.b.example");
        for result in ["spf=pass", "dkim=pass", "dmarc=pass", "arc=none"] {
            assert!(found.contains(result), "{what}: {found}");
        }
        assert_eq!(found.matches("dkim=pass").count(), 2, "{what}: {found}");
        let head = head(&came);
        assert!(
            head.starts_with(
                "Return-Path: <alice@a.example>\r\nAuthentication-Results: mx.b.example"
            ),
            "{head}"
        );
        assert!(!head.contains("mx.a.example; dmarc=pass"), "{head}");
        if what.ends_with("bits") {
            assert!(came.is_ascii(), "{what}: it was encoded before it was signed");
        } else {
            assert!(came.ends_with(rest.as_bytes()), "{what}: nothing else has changed");
        }
        empty(&world.b, "bob@b.example", "INBOX");
    }
    // RFC 3464: a report that leaves has a signature of the host, and so it passes.
    let mut wire = greeted(&world.a);
    let message = b"From: bob@b.example\r\nTo: nobody@b.example\r\n\r\nx\r\n";
    let reply = send(&mut wire, "bob@b.example", "nobody@b.example", message);
    assert!(reply.starts_with("250"), "{reply}");
    let report = fetch(&world.b, "bob@b.example", "INBOX");
    let found = results(&report, "mx.b.example");
    assert!(head(&report).contains("multipart/report"), "{}", head(&report));
    assert!(found.contains("dkim=pass") && found.contains("dmarc=pass"), "{found}");
}

#[test]
fn what_is_forged_is_refused_put_aside_or_marked() {
    let world = world("trust-forged");
    let mut wire = greeted(&world.b);
    let message = |domain: &str| {
        format!(
            "Authentication-Results: mx.b.example; dmarc=pass\r\n\
             Authentication-Results: mx.c.example; dmarc=pass\r\n\
             From: x@{domain}\r\nSubject: invoice\r\n\r\nPay.\r\n"
        )
    };
    for (domain, reply) in [
        ("reject.example", "550 5.7.26 "),
        ("a.example", "550 5.7.26 "),
        ("spf.example", "550 5.7.23 "),
        ("dkim.example", "550 5.7.20 "),
        ("aside.example", "250 2.0.0 "),
    ] {
        let said = send(&mut wire, "x@evil.example", "bob@b.example", message(domain).as_bytes());
        assert!(said.starts_with(reply), "{domain}: {said}");
    }
    world.dns.fail("_dmarc.down.example");
    let said =
        send(&mut wire, "x@evil.example", "bob@b.example", message("down.example").as_bytes());
    assert!(said.starts_with("451 4.4.3 "), "{said}");
    let aside = fetch(&world.b, "bob@b.example", "Junk");
    assert!(results(&aside, "mx.b.example").contains("dmarc=fail"));
    // A large one, that is staged and then changed.
    let body = "Pay more. Pay soon.\r\n".repeat(50_000);
    let large = format!("{}{body}", message("tag.example"));
    let said = send(&mut wire, "x@evil.example", "bob@b.example", large.as_bytes());
    assert!(said.starts_with("250"), "{said}");
    let marked = fetch(&world.b, "bob@b.example", "INBOX");
    let head = head(&marked);
    assert_eq!(head.matches("mx.b.example; dmarc=pass").count(), 0, "{head}");
    assert!(head.contains("mx.c.example; dmarc=pass\r\nFrom: x@tag.example\r\n"), "{head}");
    assert!(results(&marked, "mx.b.example").contains("dmarc=none"));
    assert!(marked.ends_with(body.as_bytes()), "the body is as it came");
    // The index is of what is stored.
    let mut imap = Wire::connect(world.b.imap).expect("it listens");
    imap.line().expect("a greeting");
    imap.imap(&format!("a LOGIN bob@b.example {PASSWORD}")).expect("a response");
    imap.imap("b SELECT INBOX").expect("a response");
    let part = imap.imap("c FETCH 1 (BODY.PEEK[TEXT]<0.9> ENVELOPE)").expect("a response");
    let part = String::from_utf8_lossy(&part).into_owned();
    assert!(part.contains("Pay.\r\nPay") && part.contains("invoice"), "{part}");
    let mut http = Wire::connect(world.b.http).expect("it listens");
    http.send(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        .expect("it reads");
    let metrics = String::from_utf8_lossy(&http.rest().expect("an answer")).into_owned();
    for line in [
        "pillarbox_trust_verdicts_total{verdict=\"reject\"} 4",
        "pillarbox_trust_verdicts_total{verdict=\"quarantine\"} 1",
        "pillarbox_trust_verdicts_total{verdict=\"later\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
}

#[test]
fn the_client_of_a_relay_is_judged_and_the_relay_is_not() {
    let scratch = Scratch::new("trust-xclient");
    let dns = DnsServer::start();
    dns.txt("x.example", "v=spf1 ip4:192.0.2.7 -all");
    let config = format!(
        "host_name = \"mx.b.example\"\ndomains = [\"b.example\"]\n\
         [dns]\nservers = [\"{}\"]\n[trust]\nexcept = []\n[smtp]\nxclient = [\"127.0.0.1\"]\n",
        dns.address()
    );
    let b = server(scratch.path(), "b", "bob@b.example", &config);
    let message = b"From: x@x.example\r\nSubject: y\r\n\r\nz\r\n";
    let mut wire = greeted(&b);
    let said = send(&mut wire, "x@x.example", "bob@b.example", message);
    assert!(said.starts_with("250"), "{said}");
    let came = fetch(&b, "bob@b.example", "INBOX");
    assert!(!head(&came).contains("Authentication-Results"), "{}", head(&came));
    empty(&b, "bob@b.example", "INBOX");
    let reply = wire.smtp("XCLIENT ADDR=192.0.2.7 NAME=host.x.example").expect("a reply");
    assert!(reply.starts_with(b"220"), "{}", reply.escape_ascii());
    wire.smtp("EHLO host.x.example").expect("a reply");
    let said = send(&mut wire, "x@x.example", "bob@b.example", message);
    assert!(said.starts_with("250"), "{said}");
    let came = fetch(&b, "bob@b.example", "INBOX");
    assert!(results(&came, "mx.b.example").contains("spf=pass"), "{}", head(&came));
}

#[test]
fn the_command_line_makes_prints_and_checks_keys() {
    let world = world("trust-keys");
    let at = |name: &str| world.scratch.path().join(name).display().to_string();
    let config = at("a/pillarbox.toml");
    let good = pillarbox(&["dkim", "check", "--config", &config]);
    assert!(good.status.success(), "{}", text(&good));
    assert_eq!(text(&good).matches("good  ").count(), 2, "{}", text(&good));
    let record = pillarbox(&["dkim", "record", &at("e1.pem")]);
    assert!(text(&record).starts_with("\"v=DKIM1; k=ed25519; p="), "{}", text(&record));
    // Of another key than DNS has; gone; open to others.
    let again = pillarbox(&[
        "dkim",
        "keygen",
        "--domain",
        "a.example",
        "--selector",
        "e1",
        "--out",
        &at("e1.pem"),
    ]);
    assert_eq!(again.status.code(), Some(2), "{}", text(&again));
    let odd = at("odd.pem");
    let bits = ["--domain", "a.example", "--selector", "odd", "--out", &odd, "--bits", "2056"];
    let again = pillarbox(&[&["dkim", "keygen"][..], &bits].concat());
    assert_eq!(again.status.code(), Some(2), "{}", text(&again));
    assert!(text(&again).contains("2048, 3072 or 4096") && !Path::new(&odd).exists());
    std::fs::remove_file(at("e1.pem")).expect("ours");
    let other = [
        "dkim",
        "keygen",
        "--domain",
        "a.example",
        "--selector",
        "e1",
        "--algorithm",
        "ed25519",
        "--out",
        &at("e1.pem"),
    ];
    assert!(pillarbox(&other).status.success());
    let open = Command::new("chmod").args(["644", &at("r1.pem")]).status().expect("chmod exists");
    assert!(open.success());
    let bad = pillarbox(&["dkim", "check", "--config", &config]);
    assert_eq!(bad.status.code(), Some(1), "{}", text(&bad));
    assert!(
        text(&bad).contains("bad   e1._domainkey.a.example: DNS has another key"),
        "{}",
        text(&bad)
    );
    assert!(text(&bad).contains("chmod 600"), "{}", text(&bad));
    let one = pillarbox(&["dkim", "check", "--config", &config, "--selector", "none"]);
    assert_eq!(one.status.code(), Some(2), "{}", text(&one));
    // The server does not start with such a key.
    let serve = pillarbox(&[
        "serve",
        "--config",
        &config,
        "--smtp",
        "127.0.0.1:0",
        "--pop3",
        "127.0.0.1:0",
        "--imap",
        "127.0.0.1:0",
        "--http",
        "127.0.0.1:0",
        "--data",
        &at("elsewhere"),
    ]);
    assert!(
        !serve.status.success() && text(&serve).contains("r1._domainkey.a.example"),
        "{}",
        text(&serve)
    );
}
