//! A mail server inside a test: in this process, in memory, on free ports of loopback, and gone when it is dropped.
//!
//! It is the server of the dev profile, so whatever sends mail may send it there, and IMAP and POP3 read it. A test takes an
//! [address](TestServer::address) of its own, has its program write there, and [waits](TestServer::wait): no sleeping, and
//! exact matches, so that tests do not see each other's mail. What fails says what came instead, where to look at it, and what
//! was said in the latest conversations.
//!
//! ```no_run
//! use pillarbox::testing::{Failure, TestServer};
//!
//! # fn ask_for_a_new_password(smtp: std::net::SocketAddr, to: &str) {}
//! fn a_reset_link_is_sent() -> Result<(), Failure> {
//!     let mail = TestServer::start()?;
//!     let bob = mail.address("bob");
//!     ask_for_a_new_password(mail.smtp(), &bob);
//!     let link = mail.wait().to(&bob).subject("Reset").one()?.link("/reset/")?;
//!     assert!(link.starts_with("https://"));
//!     Ok(())
//! }
//! ```
//!
//! All of it blocks its thread, and may be called from asynchronous tests too: the server has threads of its own.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::cli::ServeFlags;
use crate::config::Settings;
use crate::error::Error;
use crate::http::{escaped, get};
use crate::serve;

/// How long is waited for a message unless a test says.
const WAIT: Duration = Duration::from_secs(10);
/// The server answers within this time, beside what is waited for.
const ANSWER: Duration = Duration::from_secs(30);
/// Octets of an answer.
const BODY_MAX: usize = 64 << 20;
/// Conversations that a failure shows, the latest.
const SHOWN_MAX: usize = 4;
/// Lines of each of them, the last.
const LINES_MAX: usize = 60;
/// Sessions at once in one test's server.
const SLOTS: u32 = 32;

/// A server that runs until it is dropped.
pub struct TestServer {
    link: Arc<Link>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What reaches the server.
#[derive(Debug)]
struct Link {
    smtp: SocketAddr,
    pop3: SocketAddr,
    imap: SocketAddr,
    http: SocketAddr,
    handle: Handle,
    transcripts: PathBuf,
}

/// Why a test fails: in words, with what came instead and what was said.
pub struct Failure(String);

/// What is waited for.
#[derive(Clone, Debug)]
pub struct Wait {
    link: Arc<Link>,
    to: Option<String>,
    from: Option<String>,
    subject: Option<String>,
    within: Duration,
}

/// A message that came.
#[derive(Clone, Debug)]
pub struct Message {
    link: Arc<Link>,
    listed: Value,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// As for people: what a test returns is printed so.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error.message)
    }
}

impl fmt::Debug for TestServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TestServer").field(&self.link).finish()
    }
}

impl TestServer {
    /// Starts a server.
    ///
    /// # Errors
    /// It cannot start; the failure says why.
    pub fn start() -> Result<Self, Failure> {
        Self::with(ServeFlags::default())
    }

    /// The same with flags of `pillarbox serve`, such as faults, users or mail that is there at the start. What they do not
    /// place is on free ports, and mail is in memory unless they name a directory.
    ///
    /// # Errors
    /// A flag is wrong, belongs to a server with accounts, or the server cannot start.
    pub fn with(flags: ServeFlags) -> Result<Self, Failure> {
        if flags.config.is_some() {
            let what = "a server with accounts shows nobody's mail; leave the configuration out";
            return Err(Failure(what.to_owned()));
        }
        let free = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let transcripts = flags.trace_sessions.clone().map_or_else(scratch, Ok)?;
        let is_ours = flags.trace_sessions.is_none();
        let flags = ServeFlags {
            smtp: flags.smtp.or(free),
            pop3: flags.pop3.or(free),
            imap: flags.imap.or(free),
            http: flags.http.or(free),
            memory: flags.memory || flags.data.is_none(),
            slots: flags.slots.or(Some(SLOTS)),
            trace_sessions: Some(transcripts.clone()),
            ..flags
        };
        let settings = Settings::new(flags)?;
        settings.check_listeners()?;
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = mpsc::channel();
        let kept = transcripts.clone();
        let thread = std::thread::Builder::new().name("pillarbox".to_owned()).spawn(move || {
            run(settings, &kept, &tell, stopped);
            if is_ours {
                // Whoever failed has read them.
                drop(std::fs::remove_dir_all(&kept));
            }
        });
        let thread = thread.map_err(|error| Failure(format!("no thread: {error}")))?;
        let ended = |_| Failure("the server ended before it was ready".to_owned());
        let link = told.recv().map_err(ended)??;
        Ok(Self { link: Arc::new(link), stop: Some(stop), thread: Some(thread) })
    }

    /// Where SMTP is.
    #[must_use]
    pub fn smtp(&self) -> SocketAddr {
        self.link.smtp
    }

    /// Where POP3 is.
    #[must_use]
    pub fn pop3(&self) -> SocketAddr {
        self.link.pop3
    }

    /// Where IMAP is.
    #[must_use]
    pub fn imap(&self) -> SocketAddr {
        self.link.imap
    }

    /// Where the page and the interface for tests are, such as `http://127.0.0.1:40125`.
    #[must_use]
    pub fn url(&self) -> String {
        self.link.url()
    }

    /// An address that no other test has: `name-` and some digits, at `test`.
    #[must_use]
    pub fn address(&self, name: &str) -> String {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        // The process and the time, since a server may be shared by many processes one day.
        let unique = now.as_nanos() ^ (u128::from(std::process::id()) << 64);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        format!("{}-{unique:x}-{number}@test", name.to_lowercase())
    }

    /// Waits for mail.
    #[must_use]
    pub fn wait(&self) -> Wait {
        let link = Arc::clone(&self.link);
        Wait { link, to: None, from: None, subject: None, within: WAIT }
    }

    /// What was said in the latest conversations, explained, with secrets masked.
    #[must_use]
    pub fn transcripts(&self) -> String {
        self.link.transcripts()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // An error means that it ended already.
            stop.send(()).ok();
        }
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// The server's own thread.
fn run(
    settings: Settings,
    transcripts: &Path,
    tell: &mpsc::Sender<Result<Link, Failure>>,
    stopped: oneshot::Receiver<()>,
) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            drop(tell.send(Err(Failure(format!("no threads: {error}")))));
            return;
        }
    };
    runtime.block_on(async {
        let running = match serve::start(settings).await {
            Ok(running) => running,
            Err(error) => {
                drop(tell.send(Err(error.into())));
                return;
            }
        };
        let addresses = running.addresses();
        let link = Link {
            smtp: addresses.smtp,
            pop3: addresses.pop3,
            imap: addresses.imap,
            http: addresses.http,
            handle: Handle::current(),
            transcripts: transcripts.to_owned(),
        };
        if tell.send(Ok(link)).is_ok() {
            // Told to, or forgotten: both are the end.
            drop(stopped.await);
        }
        running.stop().await;
    });
}

/// A directory that is there for nobody else.
fn scratch() -> Result<PathBuf, Failure> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("pillarbox-test-{}-{number}", std::process::id());
    let path = std::env::temp_dir().join(name);
    drop(std::fs::remove_dir_all(&path));
    let failed = |error| Failure(format!("{}: cannot be made: {error}", path.display()));
    std::fs::create_dir(&path).map_err(failed)?;
    Ok(path)
}

impl Link {
    fn url(&self) -> String {
        format!("http://{}", self.http)
    }

    fn get(&self, path: &str, within: Duration) -> Result<(u16, Vec<u8>), Failure> {
        let (tell, told) = mpsc::channel();
        let (address, path) = (self.http, path.to_owned());
        self.handle.spawn(async move {
            let asked = async {
                let stream = TcpStream::connect(address).await?;
                get(stream, &address.to_string(), &path, BODY_MAX).await
            };
            let answer = asked.await.map_err(|error| error.to_string());
            // Nobody may wait any more.
            drop(tell.send(answer.map(|answer| (answer.status.as_u16(), answer.body.to_vec()))));
        });
        let answer = told.recv_timeout(within.saturating_add(ANSWER));
        let answer = answer.map_err(|_| self.failed("the server does not answer"))?;
        answer.map_err(|why| self.failed(&format!("the server does not answer: {why}")))
    }

    fn json(&self, path: &str, within: Duration) -> Result<(u16, Value), Failure> {
        let (status, body) = self.get(path, within)?;
        let value = serde_json::from_slice(&body)
            .map_err(|error| self.failed(&format!("{path}: no JSON: {error}")))?;
        Ok((status, value))
    }

    /// With what was said.
    fn failed(&self, what: &str) -> Failure {
        Failure(format!("{what}\n{}", self.transcripts()))
    }

    fn transcripts(&self) -> String {
        let entries = std::fs::read_dir(&self.transcripts).into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        files.sort();
        let mut out = String::new();
        for file in files.iter().rev().take(SHOWN_MAX).rev() {
            let octets = std::fs::read(file).unwrap_or_default();
            let text = String::from_utf8_lossy(&octets);
            let lines: Vec<&str> = text.lines().collect();
            let from = lines.len().saturating_sub(LINES_MAX);
            out.push('\n');
            if from > 0 {
                out.push_str(&format!("  ({from} lines before)\n"));
            }
            lines[from..].iter().for_each(|line| out.push_str(&format!("  {line}\n")));
        }
        match &out[..] {
            "" => "nobody connected to the server".to_owned(),
            _ => format!("what was said:{out}"),
        }
    }

    fn line(&self, listed: &Value) -> String {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let named = listed["To"].as_array().into_iter().chain(listed["Bcc"].as_array()).flatten();
        let to: Vec<String> = named.map(|party| text(&party["Address"])).collect();
        let (from, subject) = (text(&listed["From"]["Address"]), text(&listed["Subject"]));
        let (to, id) = (to.join(", "), text(&listed["ID"]));
        format!("{from} -> {to}  `{subject}`  {}/view/{id}", self.url())
    }
}

impl Wait {
    /// For this address, or with a name alone for it at any domain.
    #[must_use]
    pub fn to(self, address: &str) -> Self {
        Self { to: Some(address.to_owned()), ..self }
    }

    /// From this address.
    #[must_use]
    pub fn from(self, address: &str) -> Self {
        Self { from: Some(address.to_owned()), ..self }
    }

    /// With this subject, the whole of it.
    #[must_use]
    pub fn subject(self, subject: &str) -> Self {
        Self { subject: Some(subject.to_owned()), ..self }
    }

    /// For so long, in place of ten seconds; 300 s at most.
    #[must_use]
    pub fn within(self, within: Duration) -> Self {
        Self { within, ..self }
    }

    /// The one message.
    ///
    /// # Errors
    /// None came in time, or there are more.
    pub fn one(self) -> Result<Message, Failure> {
        let link = Arc::clone(&self.link);
        let mut all = self.count(1)?;
        match (all.pop(), all.is_empty()) {
            (Some(message), true) => Ok(message),
            (last, _) => {
                let all = all.iter().chain(&last).map(|message| link.line(&message.listed));
                let all = all.collect::<Vec<_>>().join("\n  ");
                Err(link.failed(&format!("one message should be there, and these are:\n  {all}")))
            }
        }
    }

    /// At least so many messages, newest first.
    ///
    /// # Errors
    /// Fewer came in time, or the count is 0, which is what [`none`](Self::none) waits for.
    pub fn count(self, count: usize) -> Result<Vec<Message>, Failure> {
        if count == 0 {
            return Err(Failure("count(0): none() waits for nothing to come".to_owned()));
        }
        let (status, answer) = self.ask(count)?;
        if status != 200 {
            return Err(self.failed(status, &answer));
        }
        let messages = answer["messages"].as_array().into_iter().flatten();
        let of = |listed: &Value| Message { link: Arc::clone(&self.link), listed: listed.clone() };
        Ok(messages.map(of).collect())
    }

    /// That none is there, and none comes for as long as [`within`](Self::within) says.
    ///
    /// # Errors
    /// One is there, or came.
    pub fn none(self) -> Result<(), Failure> {
        match self.ask(0)? {
            (200, _) => Ok(()),
            (status, answer) => Err(self.failed(status, &answer)),
        }
    }

    fn ask(&self, count: usize) -> Result<(u16, Value), Failure> {
        let mut path = format!("/api/wait?count={count}&timeout={}ms", self.within.as_millis());
        for (name, text) in [("to", &self.to), ("from", &self.from), ("subject", &self.subject)] {
            if let Some(text) = text {
                path.push_str(&format!("&{name}={}", escaped(text)));
            }
        }
        self.link.json(&path, self.within)
    }

    fn failed(&self, status: u16, answer: &Value) -> Failure {
        let why = answer["error"].as_str().or(answer["Error"].as_str()).unwrap_or("no reason");
        let mut what = match status {
            408 | 409 => why.to_owned(),
            _ => format!("the server says {status}: {why}"),
        };
        for (name, text) in [("to", &self.to), ("from", &self.from), ("subject", &self.subject)] {
            if let Some(text) = text {
                what.push_str(&format!(", {name} `{text}`"));
            }
        }
        for (which, list) in [("came", "messages"), ("there is", "others")] {
            for listed in answer[list].as_array().into_iter().flatten() {
                what.push_str(&format!("\n  {which}: {}", self.link.line(listed)));
            }
        }
        self.link.failed(&what)
    }
}

impl Message {
    /// Its number, which the server's `250` told.
    #[must_use]
    pub fn id(&self) -> &str {
        self.listed["ID"].as_str().unwrap_or_default()
    }

    /// Its subject, decoded.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.listed["Subject"].as_str().unwrap_or_default()
    }

    /// The address of its author.
    #[must_use]
    pub fn from(&self) -> &str {
        self.listed["From"]["Address"].as_str().unwrap_or_default()
    }

    /// Where a person can look at it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/view/{}", self.link.url(), self.id())
    }

    /// Its text; of a message of HTML alone, what that says.
    ///
    /// # Errors
    /// It is gone.
    pub fn text(&self) -> Result<String, Failure> {
        let octets = self.octets(&format!("/view/{}.txt", self.id()))?;
        Ok(String::from_utf8_lossy(&octets).into_owned())
    }

    /// All its octets, as they are stored.
    ///
    /// # Errors
    /// It is gone.
    pub fn raw(&self) -> Result<Vec<u8>, Failure> {
        self.octets(&format!("/api/messages/{}/raw", self.id()))
    }

    /// Its links, those of the HTML first.
    ///
    /// # Errors
    /// It is gone.
    pub fn links(&self) -> Result<Vec<String>, Failure> {
        self.extracted("links")
    }

    /// The first link with this in it.
    ///
    /// # Errors
    /// It has none.
    pub fn link(&self, part: &str) -> Result<String, Failure> {
        let links = self.links()?;
        let found = links.iter().find(|link| link.contains(part)).cloned();
        let all = || format!("no link has `{part}` in it; there are {links:?}");
        found.ok_or_else(|| self.failed(&all()))
    }

    /// The first code: a word of digits, or of capitals and digits, that is typed somewhere.
    ///
    /// # Errors
    /// It has none.
    pub fn code(&self) -> Result<String, Failure> {
        let first = self.extracted("codes")?.into_iter().next();
        first.ok_or_else(|| self.failed("it has no code"))
    }

    fn extracted(&self, what: &str) -> Result<Vec<String>, Failure> {
        let octets = self.octets(&format!("/api/messages/{}/{what}", self.id()))?;
        serde_json::from_slice(&octets).map_err(|error| self.failed(&error.to_string()))
    }

    fn octets(&self, path: &str) -> Result<Vec<u8>, Failure> {
        match self.link.get(path, Duration::ZERO)? {
            (200, body) => Ok(body),
            (status, body) => {
                let body = String::from_utf8_lossy(&body);
                Err(self.failed(&format!("{path}: the server says {status}: {body}")))
            }
        }
    }

    fn failed(&self, what: &str) -> Failure {
        self.link.failed(&format!("message {}: {what}\n  it is at {}", self.id(), self.url()))
    }
}
