//! A mail site: a server profile with its accounts on an address of its own, which tests start, kill and look into.
//! Who sends what to it is left to the tests.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::server::{Server, binary};
use crate::wire::Wire;

/// The password of every account.
pub const PASSWORD: &str = "secret";
/// What takes longer never happens.
const PATIENCE: Duration = Duration::from_secs(300);

/// A server profile in a directory of its own, running or not.
pub struct Site {
    home: PathBuf,
    config: String,
    smtp: SocketAddr,
    server: Option<Server>,
}

impl Site {
    /// Writes the configuration, to which `data` is added, and makes the accounts; nothing runs yet.
    ///
    /// # Panics
    /// If the directory cannot be used.
    #[must_use]
    pub fn new(home: PathBuf, smtp: SocketAddr, config: &str, accounts: &[&str]) -> Self {
        std::fs::create_dir_all(&home).expect("the scratch directory is writable");
        let file = home.join("pillarbox.toml");
        let data = home.join("data");
        let text = format!("data = '{}'\n{config}", data.display());
        std::fs::write(&file, text).expect("the scratch directory is writable");
        let config = file.to_str().expect("the path is ASCII").to_owned();
        for account in accounts {
            let mut add = Command::new(binary());
            add.args(["account", "add", account, "--config", &config]).stdin(Stdio::piped());
            let mut child = add.stdout(Stdio::null()).spawn().expect("the binary starts");
            let stdin = child.stdin.as_mut().expect("it is piped");
            stdin.write_all(PASSWORD.as_bytes()).expect("it reads");
            drop(child.stdin.take());
            assert!(child.wait().expect("it ends").success());
        }
        Self { home, config, smtp, server: None }
    }

    /// Starts the server.
    ///
    /// # Panics
    /// If it does not become ready, or runs already.
    pub fn start(&mut self, flags: &[&str]) {
        self.start_by(Command::new(binary()), flags);
    }

    /// Starts the server by a command that runs the binary, such as a tracer.
    ///
    /// # Panics
    /// As for [`Site::start`].
    pub fn start_by(&mut self, command: Command, flags: &[&str]) {
        assert!(self.server.is_none(), "it runs already");
        let flags = [&["--config", &self.config], flags].concat();
        self.server = Some(Server::run(command, &self.home, (self.smtp, self.smtp.ip()), &flags));
    }

    /// Stops it, as a service manager does.
    ///
    /// # Panics
    /// If it does not run, or does not end well.
    pub fn stop(&mut self) {
        let server = self.server.take().expect("it runs");
        assert!(server.stop().success(), "{} ends well; its log:\n{}", self.config, self.log());
    }

    /// SIGKILL.
    ///
    /// # Panics
    /// If it does not run.
    pub fn kill(&mut self) {
        self.server.take().expect("it runs").kill();
    }

    /// The running server.
    ///
    /// # Panics
    /// If it does not run.
    #[must_use]
    pub fn server(&self) -> &Server {
        self.server.as_ref().expect("it runs")
    }

    /// Where SMTP listens, running or not.
    #[must_use]
    pub fn smtp(&self) -> SocketAddr {
        self.smtp
    }

    /// Its whole log, over all starts.
    ///
    /// # Panics
    /// If it has none.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.home.join("log")).expect("there is a log")
    }

    /// Asks the running server through its control socket.
    fn ask(&self, request: &Value) -> Value {
        let socket = self.home.join("data").join("control");
        let mut stream = UnixStream::connect(socket).expect("the control socket is there");
        stream.write_all(format!("{request}\n").as_bytes()).expect("it reads");
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).expect("it answers");
        let answer: Value = serde_json::from_str(&line).expect("an answer is JSON");
        assert_ne!(answer["answer"], "error", "{answer}");
        answer
    }

    /// The messages in the queue, the first 200 of them.
    ///
    /// # Panics
    /// If it does not say.
    #[must_use]
    pub fn queue(&self) -> Vec<Value> {
        let answer = self.ask(&json!({ "ask": "list", "after": 0 }));
        answer["messages"].as_array().expect("it lists messages").clone()
    }

    /// What the queue counts, and its clock.
    ///
    /// # Panics
    /// If it does not say.
    #[must_use]
    pub fn stats(&self) -> Value {
        self.ask(&json!({ "ask": "stats", "after": "" }))
    }

    /// Moves the test clock on.
    ///
    /// # Panics
    /// If the server has none.
    pub fn advance(&self, ms: u64) {
        let body = format!("{{\"advance_ms\":{ms}}}");
        let mut stream = TcpStream::connect(self.server().http).expect("it listens");
        let head = format!(
            "POST /api/clock HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Connection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// The messages in an account's INBOX.
    ///
    /// # Panics
    /// If they cannot be read.
    #[must_use]
    pub fn inbox(&self, account: &str) -> Vec<Vec<u8>> {
        let read = || -> std::io::Result<Vec<Vec<u8>>> {
            let mut wire = Wire::connect(self.server().imap)?;
            wire.line()?;
            let login = wire.imap(&format!("a LOGIN {account} {PASSWORD}"))?;
            assert!(login.starts_with(b"a OK"), "{}", login.escape_ascii());
            wire.imap("b EXAMINE INBOX")?;
            wire.literals("c UID FETCH 1:* BODY.PEEK[]")
        };
        read().expect("the INBOX can be read")
    }

    /// The messages in an INBOX once there are so many.
    ///
    /// # Panics
    /// If they do not come, or more do.
    #[must_use]
    pub fn inbox_of(&self, account: &str, count: usize) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        until(&format!("{count} messages for {account}"), || {
            found = self.inbox(account);
            found.len() >= count
        });
        assert_eq!(found.len(), count, "messages for {account}");
        found
    }
}

/// Waits until it holds.
///
/// # Panics
/// If it never does.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A port that is free on all of these addresses.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn free_port(addresses: &[IpAddr]) -> u16 {
    let (first, others) = addresses.split_first().expect("an address is given");
    for _ in 0..100 {
        let held = TcpListener::bind((*first, 0)).expect("loopback has a free port");
        let port = held.local_addr().expect("it is bound").port();
        let free = |address: &IpAddr| TcpListener::bind((*address, port)).is_ok();
        if others.iter().all(free) {
            return port;
        }
    }
    panic!("no port is free on all of {addresses:?}");
}

/// Hands a message over to a server; gives the reply to the end of the data.
///
/// # Panics
/// If the server refuses sender, recipients or message.
#[must_use]
pub fn submit(to: SocketAddr, from: &str, recipients: &[&str], message: &[u8]) -> String {
    let talk = || -> std::io::Result<String> {
        let mut wire = Wire::connect(to)?;
        wire.smtp("")?;
        wire.smtp("EHLO client.example")?;
        let mut say = |command: &str, code: &[u8]| -> std::io::Result<Vec<u8>> {
            let reply = wire.smtp(command)?;
            assert!(reply.starts_with(code), "{command}: {}", reply.escape_ascii());
            Ok(reply)
        };
        say(&format!("MAIL FROM:<{from}> BODY=8BITMIME"), b"250")?;
        for recipient in recipients {
            say(&format!("RCPT TO:<{recipient}>"), b"250")?;
        }
        say("DATA", b"354")?;
        wire.send(&stuffed(message))?;
        let reply = wire.smtp(".")?;
        assert!(reply.starts_with(b"250"), "{}", reply.escape_ascii());
        wire.smtp("QUIT")?;
        Ok(String::from_utf8_lossy(&reply).trim_end().to_owned())
    };
    talk().expect("the server takes the message")
}

/// RFC 5321 §4.5.2: a dot before each line that begins with one.
#[must_use]
pub fn stuffed(message: &[u8]) -> Vec<u8> {
    let lines = message.split_inclusive(|octet| *octet == b'\n');
    lines
        .flat_map(|line| [if line.starts_with(b".") { &b"."[..] } else { b"" }, line].concat())
        .collect()
}

/// What a server put before a message: its fields, if the rest is the message that was sent.
///
/// # Panics
/// If the message has changed.
#[must_use]
pub fn added(received: &[u8], sent: &[u8]) -> String {
    let shown = |octets: &[u8]| octets.escape_ascii().to_string();
    let added = received.strip_suffix(sent);
    let added = added.unwrap_or_else(|| panic!("sent {}\ncame {}", shown(sent), shown(received)));
    String::from_utf8(added.to_vec()).expect("trace fields are ASCII")
}
