//! What a stranger may try on the SMTP ports of the real server: to relay, to inject, to speak another protocol, to slip
//! words past STARTTLS. The engine's own tests go through every form; here the whole is shown to hold.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use pillarbox_tests::server::{Scratch, Server, binary};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};

/// A conversation in the clear or under TLS.
struct Talk<S: Read + Write>(BufReader<S>);

impl Talk<TcpStream> {
    fn with(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("it can be set");
        let mut talk = Self(BufReader::new(stream));
        assert!(talk.reply().starts_with("220 "));
        talk
    }

    fn greeted(to: SocketAddr) -> Self {
        let mut talk = Self::with(to);
        assert!(talk.say("EHLO crepes.fr").starts_with("250"));
        talk
    }
}

impl<S: Read + Write> Talk<S> {
    fn send(&mut self, octets: &[u8]) {
        self.0.get_mut().write_all(octets).expect("it reads");
    }

    /// A whole reply, empty at the end of the connection.
    fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let at = reply.len();
            // A reset is an end too.
            let ended = self.0.read_line(&mut reply).unwrap_or(0) == 0;
            if ended || reply.as_bytes().get(at + 3) != Some(&b'-') {
                return reply;
            }
        }
    }

    fn say(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n").as_bytes());
        self.reply()
    }
}

fn pillarbox(arguments: &[&str], input: &str) -> String {
    let mut child = Command::new(binary())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("the child is ours");
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// A server for `a.example` with one account, whose queue sends nowhere.
fn start(scratch: &Path, more: &str) -> (Server, String) {
    let config = scratch.join("pillarbox.toml");
    let data = scratch.join("data");
    let text = format!(
        "data = {data:?}\nhost_name = \"mx.a.example\"\ndomains = [\"a.example\"]\n\
         [dns]\nservers = [\"127.0.0.1:1\"]\n{more}\n"
    );
    fs::write(&config, text).expect("the scratch directory is writable");
    let config = config.to_str().expect("UTF-8").to_owned();
    pillarbox(&["account", "add", "ann@a.example", "--config", &config], "pencil");
    (Server::start(scratch, &["--config", &config]), config)
}

const HERE: &str = "here";
const RECIPIENTS: [(&str, &str); 26] = [
    ("<ann@a.example>", HERE),
    ("<Ann+tag@A.EXAMPLE>", HERE),
    ("<@other.org,@third.org:ann@a.example>", HERE),
    ("<postmaster>", HERE),
    ("<u@other.org>", "550 5.7.1"),
    ("<u%other.org@a.example>", "550 5.1.1"),
    ("<other.org!u@a.example>", "550 5.1.1"),
    ("<@a.example:u@other.org>", "550 5.7.1"),
    ("<@a.example,@other.org:u@third.org>", "550 5.7.1"),
    ("<\"u@other.org\"@a.example>", "550 5.1.1"),
    ("<\"u\\@other.org\"@a.example>", "550 5.1.1"),
    ("<u@other.org@a.example>", "501"),
    ("<u@a.example@other.org>", "501"),
    ("<u@a.example@evil>", "501"),
    ("<u@[192.0.2.66]>", "550 5.7.1"),
    ("<u@[127.0.0.1]>", "550 5.7.1"),
    ("<u@[IPv6:2001:db8::66]>", "550 5.7.1"),
    ("<u@192.0.2.66>", "550 5.7.1"),
    ("<u@localhost>", "550 5.7.1"),
    ("<u@a.example.other.org>", "550 5.7.1"),
    ("<u@a.example.>", "501"),
    ("<u>", "501"),
    ("<>", "501"),
    ("<@a.example>", "501"),
    ("u@other.org", "501"),
    ("<u@other.org> NOTIFY=NEVER", "550 5.7.1"),
];
/// With SMTPUTF8: letters that look like ours, and forms that some prepare into ours.
const LOOKALIKES: [&str; 5] = [
    "<ann@\u{430}.example>",
    "<ann@a.ex\u{430}mple>",
    "<u@other\u{ff0e}org>",
    "<u@a\u{3002}example\u{3002}other.org>",
    "<u\u{ff20}other.org@a.example>",
];

#[test]
fn nobody_relays_without_a_login_in_any_notation() {
    let scratch = Scratch::new("hostile-relay");
    let (server, config) = start(scratch.path(), "");
    let mut taken = 0;
    for sender in ["<>", "<ann@a.example>", "<eve@other.org>"] {
        for (to, expected) in RECIPIENTS {
            let mut talk = Talk::greeted(server.smtp);
            assert!(talk.say(&format!("MAIL FROM:{sender}")).starts_with("250 "));
            let reply = talk.say(&format!("RCPT TO:{to}"));
            let starts = if expected == HERE { "250 2.1.5" } else { expected };
            assert!(reply.starts_with(starts), "{to} from {sender}: {reply}");
            if expected == HERE {
                assert!(talk.say("DATA").starts_with("354 "));
                assert!(talk.say("Subject: x\r\n\r\nhello\r\n.").starts_with("250 "));
                taken += 1;
            } else {
                assert!(talk.say("DATA").starts_with("503 "), "{to}");
            }
        }
        for to in LOOKALIKES {
            let mut talk = Talk::greeted(server.smtp);
            assert!(talk.say(&format!("MAIL FROM:{sender} SMTPUTF8")).starts_with("250 "));
            let reply = talk.say(&format!("RCPT TO:{to}"));
            assert!(reply.starts_with('5'), "{to}: {reply}");
        }
    }
    assert_eq!(taken, 3 * 4);
    let queue = pillarbox(&["queue", "stats", "--json", "--config", &config], "");
    let queue: serde_json::Value = serde_json::from_str(&queue).expect("JSON");
    assert_eq!(queue["messages"], 0, "{queue}");
    assert!(server.stop().success());
}

/// RFC 5321 §2.3.8: what is no line of its own is no command, no field, and no line of the log.
#[test]
fn nothing_is_injected_through_names_and_parameters() {
    let scratch = Scratch::new("hostile-inject");
    let server = Server::start(scratch.path(), &["--memory"]);
    let mut talk = Talk::with(server.smtp);
    for bad in
        ["EHLO a\rX-Evil: 1", "EHLO a (x)\x0b", "EHLO a\x1b[31m", "EHLO a>,<b", "EHLO \u{2028}"]
    {
        assert!(talk.say(bad).starts_with("50"), "{bad:?}");
    }
    assert!(talk.say("EHLO crepes.fr").starts_with("250"));
    let bad = [
        "MAIL FROM:<a@b.c>\nRCPT TO:<d@e.f>",
        "MAIL FROM:<a@b.c>\rRCPT TO:<d@e.f>",
        "MAIL FROM:<\"a\x1b[31m\nb\"@b.c>",
        "MAIL FROM:<\"a\r\"@b.c>",
        "MAIL FROM:<a@b.c> ENVID=a+0D+0AX-Evil:1",
        "MAIL FROM:<a@b.c> AUTH=a+0D+0Ab",
        "MAIL FROM:<a@b.c\u{85}>",
    ];
    for bad in bad {
        let reply = talk.say(bad);
        assert!(reply.starts_with('5') && !reply.contains("Evil"), "{bad:?}: {reply}");
    }
    assert!(talk.say("RCPT TO:<d@e.f>").starts_with("503 "), "no sender was taken");
    assert!(talk.say("MAIL FROM:<\"a\\\"b,c(d)>e\"@b.c> SMTPUTF8").starts_with("250 "));
    for bad in ["RCPT TO:<d@e.f> ORCPT=rfc822;a+0D+0ADATA", "RCPT TO:<\"d\n\"@e.f>"] {
        assert!(talk.say(bad).starts_with('5'), "{bad:?}");
    }
    assert!(talk.say("RCPT TO:<\"d\\\"e\\\\f\u{202e}%0d%0a\"@e.f>").starts_with("250 "));
    assert!(talk.say("DATA").starts_with("354 "));
    assert!(talk.say("Subject: x\r\n\r\nhello\r\n.").starts_with("250 "));
    assert!(talk.say("QUIT").starts_with("221 "));
    assert!(server.stop().success());
    let log = fs::read(scratch.path().join("log")).expect("it is there");
    let log = String::from_utf8(log).expect("UTF-8");
    let strange = |c: char| c.is_control() && c != '\n' || c == '\u{202e}' || c == '\u{85}';
    assert!(!log.contains(strange) && log.contains("delivered"), "{log:?}");
    assert!(log.lines().all(|line| line.starts_with("20")), "each line is one of ours: {log}");
}

#[test]
fn another_protocol_on_the_mail_ports_is_shown_out() {
    let scratch = Scratch::new("hostile-http");
    let server = Server::start(scratch.path(), &["--memory"]);
    let forms: [&[u8]; 4] = [
        b"POST / HTTP/1.1\r\nHost: mail\r\nContent-Length: 99\r\n\r\nEHLO a\r\nMAIL FROM:<a@b>\r\n",
        b"GET /<script>evil()</script> HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"SSH-2.0-x\r\n",
    ];
    for (port, early) in [(server.smtp, "421"), (server.at("submission"), "421")] {
        for form in forms {
            let mut talk = Talk::with(port);
            talk.send(form);
            let reply = talk.reply();
            assert!(reply.starts_with("554 ") && !reply.contains("evil"), "{reply}");
            assert_eq!(talk.reply(), "", "and that is all");
        }
        // Who does not wait for what it is told is shown out, whether its words came before the greeting or after it.
        let stream = TcpStream::connect(port).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("it can be set");
        let mut talk = Talk(BufReader::new(stream));
        talk.send(b"EHLO a\r\nMAIL FROM:<a@b>\r\n");
        let said = [talk.reply(), talk.reply(), talk.reply()];
        assert!(said.iter().any(|reply| reply.starts_with(early)), "{said:?}");
        assert!(!said.iter().any(|reply| reply.starts_with("250 2.1.0")), "{said:?}");
    }
    assert!(server.stop().success());
}

/// Believes every certificate: it is not what is tried here.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}

type Secured = StreamOwned<ClientConnection, TcpStream>;

/// The handshake, naming these protocols.
fn secure(mut stream: TcpStream, protocols: &[&str]) -> std::io::Result<Secured> {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("there are some");
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(Anyone));
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("localhost").expect("a name");
    let mut connection = ClientConnection::new(Arc::new(config), name).expect("it is right");
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    Ok(StreamOwned::new(connection, stream))
}

/// RFC 3207 §4.2: what came before TLS does not count after it, and what came with STARTTLS never counts.
#[test]
fn words_behind_starttls_are_never_answered() {
    let scratch = Scratch::new("hostile-starttls");
    let data = scratch.path().join("data");
    let data = data.to_str().expect("UTF-8");
    let server = Server::start(scratch.path(), &["--data", data, "--starttls"]);
    let mut talk = Talk::greeted(server.smtp);
    talk.send(b"STARTTLS\r\nEHLO evil\r\nMAIL FROM:<evil@b.c>\r\nRCPT TO:<bob@hamburger.edu>\r\n");
    assert!(talk.reply().starts_with("220 "));
    assert!(talk.0.buffer().is_empty(), "one reply, and no more");
    let stream = secure(talk.0.into_inner(), &[]).expect("the handshake is not disturbed");
    let mut talk = Talk(BufReader::new(stream));
    assert!(talk.say("RCPT TO:<bob@hamburger.edu>").starts_with("503 "), "no EHLO counts");
    let hello = talk.say("EHLO crepes.fr");
    assert!(hello.starts_with("250-") && !hello.contains("STARTTLS"), "{hello}");
    assert!(talk.say("RCPT TO:<bob@hamburger.edu>").starts_with("503 "), "no MAIL counts");
    assert!(talk.say("STARTTLS").starts_with("503 "));
    assert!(talk.say("QUIT").starts_with("221 "));
    assert!(server.stop().success());
}

/// What comes in the clear behind the last words of TLS is nobody's: neither a command, nor the end of a message.
#[test]
fn what_follows_the_end_of_tls_is_never_read() {
    let scratch = Scratch::new("hostile-close-notify");
    let data = scratch.path().join("data");
    let server = Server::start(scratch.path(), &["--data", data.to_str().expect("UTF-8")]);
    let envelope = "MAIL FROM:<a@b.c>\r\nRCPT TO:<bob@hamburger.edu>\r\n";
    let half = "Subject: x\r\n\r\nhalf";
    for (commands, replies, text, behind) in [
        ("NOOP\r\n", 1, "", "MAIL FROM:<evil@b.c>\r\nQUIT\r\n"),
        (&format!("{envelope}DATA\r\n"), 3, half, " of it\r\n.\r\nQUIT\r\n"),
        (&format!("{envelope}BDAT 30 LAST\r\n"), 2, half, "ten octets\r\nQUIT\r\n"),
    ] {
        let stream = TcpStream::connect(server.at("submissions")).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("it can be set");
        let mut talk = Talk(BufReader::new(secure(stream, &[]).expect("a handshake")));
        assert!(talk.reply().starts_with("220 "));
        assert!(talk.say("EHLO crepes.fr").starts_with("250"));
        talk.send(commands.as_bytes());
        (0..replies).for_each(|_| assert!(talk.reply().starts_with(['2', '3']), "{commands}"));
        talk.send(text.as_bytes());
        let Secured { conn, sock } = talk.0.get_mut();
        conn.send_close_notify();
        while conn.wants_write() {
            conn.write_tls(sock).expect("it reads");
        }
        sock.write_all(behind.as_bytes()).expect("it reads");
        loop {
            let reply = talk.reply();
            if reply.is_empty() {
                break;
            }
            assert!(!reply.starts_with("2"), "{commands}: {reply}");
        }
    }
    assert!(server.stop().success());
    let log = fs::read_to_string(scratch.path().join("log")).expect("it is there");
    assert!(!log.contains("delivered") && !log.contains("evil"), "{log}");
}

/// RFC 7301 §3.2, against ALPACA: who means a web server does not get a mail server under its certificate.
#[test]
fn who_names_another_protocol_gets_no_handshake() {
    let scratch = Scratch::new("hostile-alpn");
    let data = scratch.path().join("data");
    let server = Server::start(scratch.path(), &["--data", data.to_str().expect("UTF-8")]);
    let handshake = |service: &str, protocols: &[&str]| {
        let stream = TcpStream::connect(server.at(service)).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("it can be set");
        secure(stream, protocols).map(drop).map_err(|error| error.to_string())
    };
    for (service, own) in [("submissions", "smtp"), ("pop3s", "pop3"), ("imaps", "imap")] {
        assert_eq!(handshake(service, &[]), Ok(()), "{service}");
        assert_eq!(handshake(service, &["h2", own]), Ok(()), "{service}");
        for foreign in [&["http/1.1"][..], &["h2", "http/1.1"], &["ftp"]] {
            let error = handshake(service, foreign).expect_err("it is refused");
            assert!(error.contains("NoApplicationProtocol"), "{service}: {error}");
        }
    }
    assert!(server.stop().success());
}

/// Postfix's XCLIENT: LOGIN is the account that the client has logged in to at the proxy, and none that is not here.
#[test]
fn a_proxy_speaks_for_an_account_that_is_here() {
    let scratch = Scratch::new("hostile-xclient");
    let (server, _) = start(scratch.path(), "[smtp]\nxclient = [\"127.0.0.1\"]");
    let as_whom = |login: &str| {
        let mut talk = Talk::greeted(server.smtp);
        let said = talk.say(&format!("XCLIENT ADDR=198.51.100.7 LOGIN={login}"));
        assert!(said.starts_with("220 "), "{said}");
        assert!(talk.say("EHLO crepes.fr").starts_with("250"));
        talk
    };
    let mut talk = as_whom("Ann");
    assert!(talk.say("MAIL FROM:<eve@other.org>").starts_with("550 5.7.1"), "not her address");
    assert!(talk.say("MAIL FROM:<ann@a.example>").starts_with("250 "));
    assert!(talk.say("RCPT TO:<bob@other.org>").starts_with("250 "), "she may send anywhere");
    let mut talk = as_whom("nobody");
    let reply = talk.say("MAIL FROM:<ann@a.example>");
    assert!(reply.starts_with("550 5.7.1") && reply.contains("XCLIENT"), "{reply}");
    let mut talk = as_whom("[UNAVAILABLE]");
    assert!(talk.say("MAIL FROM:<ann@a.example>").starts_with("250 "));
    assert!(talk.say("RCPT TO:<bob@other.org>").starts_with("550 5.7.1"), "a stranger may not");
    assert!(talk.say("RCPT TO:<ann@a.example>").starts_with("250 "));
    assert!(server.stop().success());
}
