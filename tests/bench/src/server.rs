//! A server under load: its addresses, its processes, and its end.
//! How each kind is set up is the business of `pillarbox` and `peers`.

use std::fmt;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::smtp::Dialect;
use crate::{peers, pillarbox};

const START_MAX: Duration = Duration::from_secs(60);
const STOP_MAX: Duration = Duration::from_secs(20);

/// The kinds of server this program can start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Pillarbox as it is run: one sandboxed component instance per connection.
    Pillarbox,
    /// Pillarbox with the engine linked in, a switch for measuring only.
    Native,
    /// Postfix's queue: mail is accepted and its delivery deferred.
    Postfix,
    /// Postfix, accepting into its hold queue: the queue manager, which competes for the CPUs
    /// with those who accept, never sees the mail. No Postfix that delivers is as fast.
    PostfixHold,
    /// Postfix's smtp-sink, which stores nothing: what the network and the load cost.
    SmtpSink,
    /// Dovecot with one file per message and its flags in the name.
    DovecotMaildir,
    /// Dovecot with one file per message and an index.
    DovecotSdbox,
    /// Dovecot with many messages per file.
    DovecotMdbox,
    /// Dovecot with Maildir and processes that serve many sessions, one after the other.
    DovecotReuse,
}

impl Kind {
    pub(crate) const ALL: [Self; 9] = [
        Self::Pillarbox,
        Self::Native,
        Self::Postfix,
        Self::PostfixHold,
        Self::SmtpSink,
        Self::DovecotMaildir,
        Self::DovecotSdbox,
        Self::DovecotMdbox,
        Self::DovecotReuse,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pillarbox => "pillarbox",
            Self::Native => "native",
            Self::Postfix => "postfix",
            Self::PostfixHold => "postfix-hold",
            Self::SmtpSink => "smtp-sink",
            Self::DovecotMaildir => "dovecot-maildir",
            Self::DovecotSdbox => "dovecot-sdbox",
            Self::DovecotMdbox => "dovecot-mdbox",
            Self::DovecotReuse => "dovecot-reuse",
        }
    }

    /// Whether it serves mailboxes, or takes mail only.
    pub(crate) fn has_mailboxes(self) -> bool {
        !matches!(self, Self::Postfix | Self::PostfixHold | Self::SmtpSink)
    }

    /// Says what to do where the server cannot be started on this machine.
    pub(crate) fn missing(self, pillarbox: &Path) -> Option<String> {
        match self {
            Self::Pillarbox | Self::Native => (!pillarbox.is_file())
                .then(|| format!("{} is missing: cargo build --release", pillarbox.display())),
            _ => peers::missing(self),
        }
    }

    /// Whether it sends mail on to other servers.
    pub(crate) fn relays(self) -> bool {
        matches!(self, Self::Pillarbox | Self::Native | Self::Postfix)
    }

    /// Starts it with its data below `home`, which may hold the data of an earlier run, and
    /// waits until it accepts connections. With a next hop it keeps no mail, but relays all of it.
    pub(crate) fn start(
        self,
        home: &Path,
        pillarbox: &Path,
        next_hop: Option<SocketAddr>,
    ) -> Result<Server> {
        fs::create_dir_all(home).with_context(|| format!("creating {}", home.display()))?;
        let ours = |engine| pillarbox::start(pillarbox, home, engine, next_hop);
        let started = match self {
            Self::Pillarbox => ours(pillarbox::Engine::Sandboxed),
            Self::Native => ours(pillarbox::Engine::Native),
            _ => peers::start(self, home, next_hop),
        };
        let server = started.with_context(|| format!("starting {}", self.name()))?;
        for address in server.addresses.all() {
            server.process.wait_for(|| TcpStream::connect(address).is_ok()).with_context(|| {
                format!("{} does not accept connections on {address}", self.name())
            })?;
        }
        Ok(server)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// One name of the command line may stand for several kinds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kinds(pub(crate) Vec<Kind>);

impl FromStr for Kinds {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let names = |kind: &Kind| kind.name() == name || name == "all";
        match name {
            "dovecot" => Ok(Self(vec![Kind::DovecotMaildir, Kind::DovecotSdbox])),
            _ => match Kind::ALL.into_iter().filter(names).collect::<Vec<_>>() {
                none if none.is_empty() => {
                    let known = Kind::ALL.map(Kind::name).join(", ");
                    Err(format!("no such server; known are {known}, dovecot and all"))
                }
                kinds => Ok(Self(kinds)),
            },
        }
    }
}

/// Where a server listens. What is absent it does not serve.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Addresses {
    pub(crate) smtp: Option<SocketAddr>,
    pub(crate) lmtp: Option<SocketAddr>,
    pub(crate) pop3: Option<SocketAddr>,
    pub(crate) imap: Option<SocketAddr>,
}

impl Addresses {
    /// Where mail is delivered, and how: LMTP where there is no SMTP.
    pub(crate) fn delivery(&self) -> Option<(SocketAddr, Dialect)> {
        let smtp = self.smtp.map(|address| (address, Dialect::Smtp));
        smtp.or_else(|| self.lmtp.map(|address| (address, Dialect::Lmtp)))
    }

    fn all(&self) -> impl Iterator<Item = SocketAddr> {
        [self.smtp, self.lmtp, self.pop3, self.imap].into_iter().flatten()
    }
}

/// A running server. It is stopped when it is dropped.
pub(crate) struct Server {
    pub(crate) kind: Kind,
    pub(crate) addresses: Addresses,
    /// Version and what it does before it acknowledges a message.
    pub(crate) facts: String,
    pub(crate) process: Process,
}

/// A child process that is the root of the server's processes.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
    /// The command that ends it; SIGTERM where there is none.
    stop: Option<Command>,
}

impl Process {
    /// Starts `command` in a process group of its own, so that Ctrl-C reaches this program alone,
    /// with its output in `log`.
    pub(crate) fn start(mut command: Command, log: PathBuf, stop: Option<Command>) -> Result<Self> {
        let output = File::create(&log).with_context(|| format!("creating {}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .spawn()
            .with_context(|| format!("running {command:?}"))?;
        Ok(Self { child, log, stop })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Polls until `ready`; fails with the end of the log when the process is gone or too slow.
    pub(crate) fn wait_for(&self, mut ready: impl FnMut() -> bool) -> Result<()> {
        let start = Instant::now();
        while !ready() {
            let state = fs::read_to_string(format!("/proc/{}/stat", self.pid()));
            let ended = state.is_err() || state.is_ok_and(|stat| stat.contains(") Z "));
            ensure!(!ended, "it has ended; its last words:\n{}", self.last_words());
            if start.elapsed() > START_MAX {
                bail!("not ready after {} s:\n{}", START_MAX.as_secs(), self.last_words());
            }
            sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// The end of what it has written to its output.
    pub(crate) fn last_words(&self) -> String {
        const LINES: usize = 12;
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let stop = self.stop.take().unwrap_or_else(|| {
            let mut kill = Command::new("kill");
            kill.args(["-TERM", &self.pid().to_string()]);
            kill
        });
        quietly(stop);
        let start = Instant::now();
        while let Ok(None) = self.child.try_wait() {
            if start.elapsed() > STOP_MAX {
                eprintln!("process {} does not stop: killing it", self.pid());
                // Either it is killed, or it has just ended by itself.
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            sleep(Duration::from_millis(10));
        }
    }
}

/// Runs a command for its effect; true if it succeeded.
pub(crate) fn quietly(mut command: Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// A free port of the loopback interface. Another program could take it before the server does;
/// then the server says so and the run ends.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0").context("no free port on 127.0.0.1")?.local_addr()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_for_kinds() {
        for kind in Kind::ALL {
            assert_eq!(kind.name().parse(), Ok(Kinds(vec![kind])));
        }
        assert_eq!("all".parse::<Kinds>().map(|kinds| kinds.0.len()), Ok(Kind::ALL.len()));
        assert_eq!("dovecot".parse::<Kinds>().map(|kinds| kinds.0.len()), Ok(2));
        assert!("exchange".parse::<Kinds>().expect_err("unknown").contains("smtp-sink"));
    }

    #[test]
    fn a_process_that_ends_early_is_reported_with_its_words_and_one_that_stays_is_stopped() {
        let log = std::env::temp_dir().join(format!("bench-process-test-{}", std::process::id()));
        let mut command = Command::new("sh");
        command.args(["-c", "echo port in use >&2; exit 3"]);
        let process = Process::start(command, log.clone(), None).expect("sh");
        let error = process.wait_for(|| false).expect_err("it ended").to_string();
        assert!(error.contains("port in use"), "{error}");

        let mut command = Command::new("sleep");
        command.arg("600");
        let process = Process::start(command, log.clone(), None).expect("sleep");
        process.wait_for(|| true).expect("it lives");
        let stat = format!("/proc/{}/stat", process.pid());
        assert!(Path::new(&stat).exists());
        drop(process);
        assert!(!Path::new(&stat).exists());
        fs::remove_file(log).expect("the log was written");
    }
}
