//! Starts the real `pillarbox` binary on free ports and stops it again.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long a start may take on a busy machine.
const START_WITHIN: Duration = Duration::from_secs(60);

/// A directory of its own for one test, removed at the end.
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new, empty directory beside the build's own files.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let path = build_directory().join("scratch").join(format!("{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        std::fs::create_dir_all(&path).expect("the build directory is writable");
        Self(path)
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What a failed test leaves is for its reader.
        if !std::thread::panicking() {
            drop(std::fs::remove_dir_all(&self.0));
        }
    }
}

/// A running server.
pub struct Server {
    child: Child,
    /// SMTP.
    pub smtp: SocketAddr,
    /// POP3.
    pub pop3: SocketAddr,
    /// IMAP.
    pub imap: SocketAddr,
    /// HTTP.
    pub http: SocketAddr,
    ready: Value,
}

impl Server {
    /// Where another service listens, by its name in the ready file.
    ///
    /// # Panics
    /// If it does not.
    #[must_use]
    pub fn at(&self, service: &str) -> SocketAddr {
        let text = self.ready[service].as_str();
        text.and_then(|text| text.parse().ok()).expect("this service listens")
    }

    /// Starts a server on free loopback ports with these flags beside them, and waits until it is ready.
    ///
    /// # Panics
    /// If it does not become ready.
    #[must_use]
    pub fn start(scratch: &Path, flags: &[&str]) -> Self {
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        Self::run(Command::new(binary()), scratch, (free, free.ip()), flags)
    }

    /// The same with SMTP there and the others on free ports of that address, by a command that runs the binary.
    ///
    /// # Panics
    /// If it does not become ready.
    #[must_use]
    pub fn run(
        mut command: Command,
        scratch: &Path,
        (smtp, others): (SocketAddr, IpAddr),
        flags: &[&str],
    ) -> Self {
        let ready = scratch.join("ready.json");
        drop(std::fs::remove_file(&ready));
        command.arg("serve").arg("--smtp").arg(smtp.to_string());
        for listener in ["--pop3", "--imap", "--http"] {
            command.arg(listener).arg(SocketAddr::new(others, 0).to_string());
        }
        command.arg("--ready-file").arg(&ready).args(flags);
        let log = std::fs::File::options().create(true).append(true).open(scratch.join("log"));
        command.stdout(Stdio::null()).stderr(log.expect("the scratch directory is writable"));
        let mut child = command.spawn().expect("the binary starts");
        let until = Instant::now() + START_WITHIN;
        loop {
            if let Some(json) =
                std::fs::read(&ready).ok().and_then(|text| serde_json::from_slice(&text).ok())
            {
                return Self::of(child, &json);
            }
            let ended = child.try_wait().expect("the child is ours");
            if ended.is_some() || Instant::now() > until {
                drop(child.kill());
                let log = std::fs::read_to_string(scratch.join("log")).unwrap_or_default();
                panic!("the server did not become ready ({ended:?}); its log:\n{log}");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn of(child: Child, json: &Value) -> Self {
        let address = |name: &str| {
            let text = json[name].as_str().expect("the ready file names every service");
            text.parse().expect("the ready file has addresses")
        };
        let (smtp, pop3) = (address("smtp"), address("pop3"));
        let (imap, http) = (address("imap"), address("http"));
        Self { child, smtp, pop3, imap, http, ready: json.clone() }
    }

    /// A metric by its name and labels, as `/metrics` has them; 0 if it is not there.
    ///
    /// # Panics
    /// If the server does not tell.
    #[must_use]
    pub fn metric(&self, name: &str) -> u64 {
        let mut stream = TcpStream::connect(self.http).expect("it listens");
        stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n").expect("it reads");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("it answers");
        let line = format!("{name} ");
        let value = text.lines().find_map(|found| found.strip_prefix(&line));
        value.map_or(0, |value| value.parse().expect("a number"))
    }

    /// The server's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a power failure of the process would: SIGKILL.
    ///
    /// # Panics
    /// If it cannot be killed.
    pub fn kill(mut self) {
        self.child.kill().expect("the child is ours");
        self.child.wait().expect("the child is ours");
    }

    /// Asks it to stop (SIGTERM) and waits for it.
    ///
    /// # Panics
    /// If the signal cannot be sent.
    #[must_use]
    pub fn stop(mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().expect("kill exists");
        assert!(sent.success(), "SIGTERM could be sent");
        self.child.wait().expect("the child is ours")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The `pillarbox` binary of the same build as the running test.
///
/// # Panics
/// If it was not built.
#[must_use]
pub fn binary() -> PathBuf {
    let binary = build_directory().join("pillarbox");
    assert!(binary.exists(), "{} is missing; build it: cargo build --release", binary.display());
    binary
}

/// The directory of the build's profile, such as `target/release`.
fn build_directory() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    let deps = test.parent().expect("a test lies in a directory");
    deps.parent().expect("tests lie below the profile's directory").to_owned()
}
