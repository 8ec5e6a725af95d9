//! Peers that take too much: connections, slots, silence, faults and guesses, each with its limit and its name.
//! The PROXY protocol lets one machine play many.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pillarbox_tests::server::{Scratch, Server, binary};

fn start(scratch: &Path, limits: &str) -> Server {
    start_with(scratch, &format!("[limits]\n{limits}\n"))
}

fn start_with(scratch: &Path, sections: &str) -> Server {
    let config = scratch.join("pillarbox.toml");
    let data = scratch.join("data");
    let text = format!(
        "data = {data:?}\ndomains = [\"a.example\"]\n[proxy]\nfrom = [\"127.0.0.1\"]\n\
         [auth]\nallow_cleartext_login = true\n{sections}"
    );
    fs::write(&config, text).expect("the scratch directory is writable");
    let config = config.to_str().expect("UTF-8");
    let mut add = Command::new(binary())
        .args(["account", "add", "ann@a.example", "--config", config])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let mut stdin = add.stdin.take().expect("it is piped");
    stdin.write_all(b"pencil").expect("it reads");
    drop(stdin);
    assert!(add.wait().expect("the child is ours").success());
    Server::start(scratch, &["--config", config])
}

struct Peer(BufReader<TcpStream>);

impl Peer {
    /// A connection that comes from `source`, as the proxy says.
    fn from(source: &str, to: SocketAddr) -> Self {
        Self::saying(&format!("PROXY TCP4 {source} 192.0.2.1 4711 25\r\n"), to)
    }

    fn saying(first: &str, to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("it can be set");
        let mut peer = Self(BufReader::new(stream));
        peer.0.get_mut().write_all(first.as_bytes()).expect("it reads");
        peer
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        // A reset is an end too.
        drop(self.0.read_line(&mut line));
        line.trim_end().to_owned()
    }

    fn say(&mut self, line: &str) -> String {
        self.0.get_mut().write_all(format!("{line}\r\n").as_bytes()).expect("it reads");
        self.line()
    }
}

/// How often a limit was reached, as the metrics have it.
fn hits(server: &Server, limit: &str) -> u64 {
    server.metric(&format!("pillarbox_limits_hit_total{{limit=\"{limit}\"}}"))
}

#[test]
fn addresses_and_networks_have_their_share() {
    let scratch = Scratch::new("hostile-share");
    let limits = "connections_per_address = 3\nconnections_per_network = 5";
    let server = start(scratch.path(), limits);
    let mut peers: Vec<Peer> = (0..3).map(|_| Peer::from("198.51.100.1", server.smtp)).collect();
    peers.iter_mut().for_each(|peer| assert!(peer.line().starts_with("220")));
    for (address, starts) in [(server.smtp, "421"), (server.pop3, "-ERR"), (server.imap, "* BYE")] {
        let start = Instant::now();
        let line = Peer::from("198.51.100.1", address).line();
        assert!(line.starts_with(starts), "{line}");
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    }
    assert_eq!(hits(&server, "connections_per_address"), 3);
    for host in [2, 3] {
        let mut peer = Peer::from(&format!("198.51.100.{host}"), server.imap);
        assert!(peer.line().starts_with("* OK"));
        peers.push(peer);
    }
    assert!(Peer::from("198.51.100.4", server.pop3).line().starts_with("-ERR"));
    assert_eq!(hits(&server, "connections_per_network"), 1);
    assert!(Peer::from("198.51.101.4", server.pop3).line().starts_with("+OK"));
    // A place is free again once its connection is over.
    assert!(peers[0].say("QUIT").starts_with("221"));
    drop(peers.remove(0));
    let again = || Peer::from("198.51.100.1", server.smtp).line().starts_with("220");
    assert!((0..50).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        again()
    }));
    // From a proxy every connection begins with a header, and what is none is not served.
    for first in ["EHLO a\r\n", "PROXY TCP4 1.2.3.4\r\n", "PROXY TCP6 1.2.3.4 ::1 1 1\r\n"] {
        assert_eq!(Peer::saying(first, server.smtp).line(), "");
    }
    assert_eq!(hits(&server, "proxy_header_seconds"), 3);
    assert!(server.stop().success());
}

#[test]
fn who_comes_or_sends_too_often_is_put_off() {
    let scratch = Scratch::new("hostile-rates");
    let limits = "connections_per_address_and_minute = 4\nmessages_per_address_and_minute = 2\n\
                  recipients_per_account_and_hour = 3";
    let server = start(scratch.path(), limits);
    let mut peer = Peer::from("198.51.100.1", server.smtp);
    assert!(peer.line().starts_with("220"));
    assert!(peer.say("HELO stranger.example").starts_with("250"));
    for reply in ["250", "250", "451 4.3.2"] {
        let said = peer.say("MAIL FROM:<eve@stranger.example>");
        assert!(said.starts_with(reply), "{said}");
        assert!(peer.say("RSET").starts_with("250"));
    }
    assert_eq!(hits(&server, "messages_per_address_and_minute"), 1);
    let mut other = Peer::from("198.51.100.2", server.smtp);
    assert!(other.line().starts_with("220") && other.say("HELO b.example").starts_with("250"));
    assert!(other.say("MAIL FROM:<eve@stranger.example>").starts_with("250"), "somebody else");
    for _ in 0..3 {
        assert!(Peer::from("198.51.100.1", server.pop3).line().starts_with("+OK"));
    }
    assert!(Peer::from("198.51.100.1", server.pop3).line().starts_with("-ERR"));
    assert_eq!(hits(&server, "connections_per_address_and_minute"), 1);
    // Whoever logged in is counted by account, wherever from.
    let mut count = 0;
    for source in ["198.51.100.7", "198.51.100.8"] {
        let mut ann = Peer::from(source, server.smtp);
        assert!(ann.line().starts_with("220"));
        assert!(ann.say("HELO laptop.example").starts_with("250"));
        let said = ann.say("AUTH PLAIN AGFubkBhLmV4YW1wbGUAcGVuY2ls");
        assert!(said.starts_with("235"), "{said}");
        assert!(ann.say("MAIL FROM:<ann@a.example>").starts_with("250"));
        for _ in 0..2 {
            let said = ann.say("RCPT TO:<ann@a.example>");
            count += 1;
            assert_eq!(said.starts_with("250"), count <= 3, "{count}: {said}");
        }
    }
    assert_eq!(hits(&server, "recipients_per_account_and_hour"), 1);
    assert!(server.stop().success());
}

#[test]
fn under_stress_the_silent_and_the_faulty_make_room() {
    let scratch = Scratch::new("hostile-stress");
    let server = start(scratch.path(), "slots = 20");
    let peer = |network: u32| Peer::from(&format!("10.{network}.0.1"), server.smtp);
    let mut silent: Vec<Peer> = (0..17).map(peer).collect();
    silent.iter_mut().for_each(|peer| assert!(peer.line().starts_with("220")));
    // One that comes now has one try; one that came before has more.
    let mut late = peer(17);
    assert!(late.line().starts_with("220"));
    assert!(late.say("RUBBISH").starts_with("421"), "the first fault is the last");
    assert!(silent[0].say("RUBBISH").starts_with("500"));
    assert!(silent[0].say("NOOP").starts_with("250"));
    // The place of the faulty one must be free again.
    std::thread::sleep(Duration::from_millis(300));
    // The last slots are for this machine and for those who are known.
    let mut late = peer(18);
    assert!(late.line().starts_with("220"));
    assert!(peer(19).line().starts_with("421"));
    assert_eq!(hits(&server, "slots_reserve_percent"), 1);
    let mut local = Peer::from("127.0.0.1", server.imap);
    assert!(local.line().starts_with("* OK"));
    let until = Instant::now() + Duration::from_secs(15);
    while hits(&server, "idle_before_login_seconds") == 0 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(100));
    }
    for peer in &silent {
        let timeout = Some(Duration::from_millis(200));
        peer.0.get_ref().set_read_timeout(timeout).expect("it can be set");
    }
    let shown_out =
        silent.iter_mut().filter_map(|peer| Some(peer.line()).filter(|l| !l.is_empty()));
    let shown_out: Vec<String> = shown_out.collect();
    assert!(shown_out.iter().all(|line| line.starts_with("421")), "{shown_out:?}");
    assert!(shown_out.len() >= 2, "{shown_out:?}");
    assert!(hits(&server, "idle_before_login_seconds") > 0);
    assert!(server.stop().success());
}

#[test]
fn guessing_is_slowed_and_stopped_by_network_and_users_get_in() {
    let scratch = Scratch::new("hostile-guesses");
    let server = start(scratch.path(), "login_failures_per_network = 2");
    let log_in = |source: &str, password: &str| {
        let mut peer = Peer::from(source, server.imap);
        peer.line();
        let start = Instant::now();
        (peer.say(&format!("a LOGIN ann@a.example {password}")), start.elapsed())
    };
    let (answer, took) = log_in("203.0.113.9", "pencil");
    assert!(answer.starts_with("a OK"), "{answer}");
    assert!(took < Duration::from_secs(1), "{took:?}");
    let mut last = Duration::ZERO;
    for guess in ["a", "b"] {
        let (answer, took) = log_in("198.51.100.1", guess);
        assert!(answer.starts_with("a NO [AUTHENTICATIONFAILED]"), "{answer}");
        assert!(took > last + Duration::from_millis(100), "{took:?} after {last:?}");
        last = took;
    }
    // Right or wrong, from any host of that network, in any protocol.
    for source in ["198.51.100.1", "198.51.100.200"] {
        assert!(!log_in(source, "pencil").0.starts_with("a OK"));
    }
    assert_eq!(hits(&server, "login_failures_per_network"), 2);
    for source in ["203.0.113.9", "192.0.2.77"] {
        let (answer, took) = log_in(source, "pencil");
        assert!(answer.starts_with("a OK"), "{answer}");
        assert!(took < Duration::from_secs(1), "{took:?}");
    }
    assert!(server.stop().success());
}

#[test]
fn a_peer_with_many_faults_waits_for_the_next_answer() {
    let scratch = Scratch::new("hostile-faults");
    let server = start(scratch.path(), "");
    let mut peer = Peer::from("198.51.100.1", server.smtp);
    peer.line();
    let mut took = Vec::new();
    for _ in 0..13 {
        let start = Instant::now();
        assert!(peer.say("RUBBISH").starts_with("500"));
        took.push(start.elapsed());
    }
    assert!(took[..10].iter().all(|took| *took < Duration::from_millis(400)), "{took:?}");
    assert!(took[12] > Duration::from_millis(900), "{took:?}");
    assert!(hits(&server, "faults_before_delay") >= 2);
    assert!(server.stop().success());
}

#[test]
fn without_tls_no_password_crosses_a_network() {
    let scratch = Scratch::new("hostile-cleartext");
    let server = start(scratch.path(), "");
    let auth = |server: &Server, source: &str| {
        let mut peer = Peer::from(source, server.imap);
        peer.line().contains("AUTH=PLAIN")
    };
    assert!(auth(&server, "198.51.100.1"));
    assert!(server.stop().success());
    let config = scratch.path().join("pillarbox.toml");
    let text = fs::read_to_string(&config).expect("we wrote it");
    let text = text.replace("allow_cleartext_login = true", "allow_cleartext_login = false");
    fs::write(&config, text).expect("it is ours");
    let config = config.to_str().expect("UTF-8");
    let server = Server::start(scratch.path(), &["--config", config]);
    assert!(!auth(&server, "198.51.100.1"));
    assert!(auth(&server, "127.0.0.1"));
    assert!(server.stop().success());
}

/// RFC 5321 §4.2.3: mail is put off while there is still room for what must be written down of the mail before it.
#[test]
fn mail_is_put_off_before_the_disk_is_full() {
    let scratch = Scratch::new("hostile-room");
    let server = start(scratch.path(), "disk_free_mib = 4294967295");
    let mut peer = Peer::from("198.51.100.1", server.smtp);
    assert!(peer.line().starts_with("220"));
    assert!(peer.say("HELO stranger.example").starts_with("250"));
    let said = peer.say("MAIL FROM:<eve@stranger.example>");
    assert!(said.starts_with("452 4.3.1"), "{said}");
    assert!(peer.say("NOOP").starts_with("250"), "the session goes on");
    assert_eq!(hits(&server, "disk_free_mib"), 1);
    assert!(server.stop().success());
}

/// RFC 5321 §3.5, §7.3.
#[test]
fn strangers_learn_who_is_here_only_where_the_operator_wants_it() {
    let scratch = Scratch::new("hostile-names");
    let sections = |verify| {
        format!(
            "[smtp]\nverify = {verify}\n[aliases]\n\
             \"team@a.example\" = [\"ann@a.example\", \"bob@far.example\"]\n"
        )
    };
    let asked = ["VRFY ann@a.example", "VRFY <team@a.example>", "EXPN team@a.example"];
    let server = start_with(scratch.path(), &sections(false));
    let mut peer = Peer::from("198.51.100.1", server.smtp);
    assert!(peer.line().starts_with("220") && peer.say("HELO b.example").starts_with("250"));
    for line in asked.iter().chain(&["VRFY eve@a.example"]) {
        assert!(peer.say(line).starts_with("252"), "{line}");
    }
    assert!(server.stop().success());
    let scratch = Scratch::new("hostile-names-told");
    let server = start_with(scratch.path(), &sections(true));
    let mut peer = Peer::from("198.51.100.1", server.smtp);
    assert!(peer.line().starts_with("220") && peer.say("HELO b.example").starts_with("250"));
    assert_eq!(peer.say(asked[0]), "250 2.0.0 <ann@a.example>");
    assert_eq!(peer.say(asked[1]), "250 2.0.0 <team@a.example>");
    assert_eq!(peer.say(asked[2]), "250-2.0.0 <ann@a.example>");
    assert_eq!(peer.line(), "250 2.0.0 <bob@far.example>");
    for line in ["VRFY eve@a.example", "VRFY bob@far.example", "VRFY ann@@", "EXPN ann@a.example"] {
        let said = peer.say(line);
        assert!(said.starts_with("55"), "{line}: {said}");
    }
    assert!(server.stop().success());
}
