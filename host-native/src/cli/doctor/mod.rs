//! `pillarbox doctor`: what of this machine, of the configuration and of DNS would keep a server from working, each with what to
//! do about it. It changes nothing.

mod names;

use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use pillarbox_smime::Certificate;
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;
use serde_json::json;

use super::ServeFlags;
use crate::accounts::Accounts;
use crate::backend::Room;
use crate::config::{Data, Profile, Settings};
use crate::engine::{self, EngineSettings};
use crate::error::Error;
use crate::limits::Hits;
use crate::serve;
use crate::store::MailStore;
use crate::tls::{ServerTls, Source};

/// No server of this version was started before then: 2026-01-01, in seconds since 1970.
const BEFORE: u64 = 1_767_225_600;
/// Connections with which a server is of some use.
const CONNECTIONS_FEW: u32 = 256;
/// A certificate that ends within this time is told of.
const ENDS_SOON: Duration = Duration::from_secs(14 * 86_400);

/// Flags of `doctor`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "The flags, variables and the file are those of `serve`, and what is looked at is \
what it would use.\n\nExit codes: 0 nothing is wrong (a warning is no wrong); 1 something is; 2 a flag or the file is."
)]
pub(super) struct DoctorFlags {
    #[command(flatten)]
    serve: ServeFlags,
}

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Good,
    Warning,
    Bad,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    state: State,
    what: &'static str,
    /// How it is.
    says: String,
    /// What to do; empty if it is good.
    help: String,
}

impl Finding {
    fn good(what: &'static str, says: impl Into<String>) -> Self {
        Self { state: State::Good, what, says: says.into(), help: String::new() }
    }

    fn warning(what: &'static str, says: impl Into<String>, help: impl Into<String>) -> Self {
        Self { state: State::Warning, what, says: says.into(), help: help.into() }
    }

    fn bad(what: &'static str, says: impl Into<String>, help: impl Into<String>) -> Self {
        Self { state: State::Bad, what, says: says.into(), help: help.into() }
    }

    /// A good one, or one that is as bad as an error that tells what to do by itself.
    fn of(what: &'static str, says: &str, done: Result<(), Error>) -> Self {
        match done {
            Ok(()) => Self::good(what, says),
            Err(error) => Self::bad(what, error.message, ""),
        }
    }
}

pub(super) fn run(flags: DoctorFlags) -> Result<(), Error> {
    let is_json = flags.serve.json;
    let settings = Settings::new(flags.serve)?;
    let mut all = here(&settings);
    if let Profile::Server(profile) = &settings.profile {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Error::failed(format!("no runtime: {error}")))?;
        all.extend(runtime.block_on(names::look(profile, &settings.host_name)));
    }
    for finding in &all {
        print(finding, is_json);
    }
    let count = |state| all.iter().filter(|finding| finding.state == state).count();
    let (bad, warnings) = (count(State::Bad), count(State::Warning));
    if !is_json {
        println!("{} good, {warnings} to look at, {bad} bad", count(State::Good));
    }
    match bad {
        0 => Ok(()),
        1 => Err(Error::failed("1 thing is wrong, see above")),
        bad => Err(Error::failed(format!("{bad} things are wrong, see above"))),
    }
}

fn print(finding: &Finding, is_json: bool) {
    let Finding { state, what, says, help } = finding;
    let state = match state {
        State::Good => "good",
        State::Warning => "look",
        State::Bad => "bad",
    };
    if is_json {
        println!("{}", json!({ "state": state, "what": what, "says": says, "help": help }));
        return;
    }
    println!("{state:<5} {what:<12} {says}");
    if !help.is_empty() {
        println!("{:19}{help}", "");
    }
}

/// What this machine says.
fn here(settings: &Settings) -> Vec<Finding> {
    let mut all = vec![Finding::good(
        "settings",
        match &settings.profile {
            Profile::Dev => "the dev profile: no configuration file".to_owned(),
            Profile::Server(profile) => {
                format!("{}, mail for {}", settings.host_name, profile.domains.join(", "))
            }
        },
    )];
    let running = match &settings.data {
        Data::Directory(directory) => {
            let running = UnixStream::connect(directory.join(serve::CONTROL)).is_ok();
            all.push(data(directory, running, settings.limits.disk_free_min()));
            running
        }
        Data::Database(database) => {
            let reached = "it is reached, and keeps what it commits";
            all.push(Finding::of("database", reached, MailStore::check(database)));
            UnixStream::connect(database.directory().join(serve::CONTROL)).is_ok()
        }
        Data::Memory => {
            all.push(Finding::good("data", "in memory alone: nothing outlives the process"));
            false
        }
    };
    all.extend(ports(settings, running));
    let reached = "nobody is let in who should not be";
    all.push(Finding::of("listeners", reached, settings.check_listeners()));
    all.extend(certificate(settings));
    all.push(clock(SystemTime::now(), &settings.data));
    all.push(capacity(settings));
    if let Profile::Server(profile) = &settings.profile {
        all.push(match Accounts::read(&profile.accounts) {
            Ok(accounts) => match accounts.names().count() {
                0 => Finding::warning(
                    "accounts",
                    "there are none, so nobody gets mail",
                    "pillarbox account add NAME --config FILE",
                ),
                count => Finding::good("accounts", format!("{count} of them")),
            },
            Err(error) => Finding::bad("accounts", error.message, ""),
        });
        for login in profile.relay.logins.values() {
            all.push(Finding::of("relay", &format!("the login of {}", login.user), login.check()));
        }
    }
    all
}

fn ports(settings: &Settings, running: bool) -> Vec<Finding> {
    let look = |(flag, address): (&str, std::net::SocketAddr)| {
        let says = |how: &str| format!("{flag} {address}: {how}");
        let error = match TcpListener::bind(address) {
            Ok(_) => return Finding::good("port", says("free")),
            Err(error) => error,
        };
        match error.kind() {
            ErrorKind::AddrInUse if running => {
                Finding::good("port", says("taken, by the server that runs here I suppose"))
            }
            ErrorKind::AddrInUse => Finding::bad(
                "port",
                says("another program has it"),
                format!("stop that one, or choose another with {flag}, --preset or --port-offset"),
            ),
            ErrorKind::PermissionDenied => Finding::bad(
                "port",
                says("not permitted to you"),
                "run it as root or with CAP_NET_BIND_SERVICE (setcap, or systemd's AmbientCapabilities)",
            ),
            ErrorKind::AddrNotAvailable => Finding::bad(
                "port",
                says("this machine does not have the address"),
                "`ip address` lists those that it has; 0.0.0.0 and [::] are all of them",
            ),
            _ => Finding::bad("port", says(&error.to_string()), ""),
        }
    };
    settings.listen.all().map(look).collect()
}

fn data(directory: &Path, running: bool, least: u64) -> Finding {
    let place = directory.display();
    let says = |how: &str| format!("{place}: {how}");
    if running {
        return Finding::good("data", says("a server has it open"));
    }
    // What is not there yet is made by the server, in the nearest directory that is.
    let there = directory.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("."));
    let probe = there.join(format!(".pillarbox-doctor-{}", std::process::id()));
    let written = std::fs::write(&probe, b"x");
    drop(std::fs::remove_file(&probe));
    if let Err(error) = written {
        let help = format!("make {} writable for the user that runs the server", there.display());
        return Finding::bad("data", says(&format!("it cannot be written: {error}")), help);
    }
    let lock = std::fs::File::open(directory.join("lock")).ok();
    if lock.is_some_and(|lock| lock.try_lock().is_err()) {
        let help = "stop that one, or name another directory with --data";
        return Finding::bad("data", says("another pillarbox that answers nobody has it"), help);
    }
    let room = Room::new(there, least, Hits::default());
    if room.is_some_and(|room| room.check(0).is_err()) {
        let says = says(&format!("less than {} MiB are free on its disk", least >> 20));
        let help = "make room, or set limits.disk_free_mib; until then mail is put off (452)";
        return Finding::bad("data", says, help);
    }
    match there == directory {
        true => Finding::good("data", says("it can be written, and nobody else has it")),
        false => Finding::good("data", says("it is not there yet, and can be made")),
    }
}

/// What other programs will think of the certificate.
fn certificate(settings: &Settings) -> Vec<Finding> {
    const WHAT: &str = "certificate";
    let Some(tls) = &settings.tls else {
        let help =
            "name certificate and key under [tls]; without one nobody can log in from elsewhere";
        return vec![Finding::warning(WHAT, "there is none, so there is no TLS", help)];
    };
    let Source::Files { certificate, .. } = &tls.source else {
        let says = "signed by itself, for this machine alone";
        return vec![Finding::good(WHAT, says)];
    };
    let (source, clients) = (tls.source.clone(), tls.clients.clone());
    if let Err(error) = ServerTls::new(source, clients, &settings.host_name, Hits::default()) {
        return vec![Finding::bad(WHAT, error.message, "")];
    }
    let octets = std::fs::read(certificate).unwrap_or_default();
    // What the library takes and this reader does not know is nothing to warn of.
    let Ok(chain) = Certificate::of_file(&octets) else { return Vec::new() };
    let now = SystemTime::now();
    let mut all: Vec<Finding> = chain.iter().map(|one| validity(one, now)).collect();
    let name = &settings.host_name;
    let first = chain.first().map(|one| CertificateDer::from(one.der()));
    let parsed = first.as_ref().and_then(|der| ParsedCertificate::try_from(der).ok());
    let asked = ServerName::try_from(name.as_str()).ok();
    if let (Some(parsed), Some(asked)) = (parsed, asked) {
        all.push(match verify_server_name(&parsed, &asked) {
            Ok(()) => Finding::good(WHAT, format!("it is for {name}")),
            Err(_) => Finding::bad(
                WHAT,
                format!("it is not for {name}, the name that this server says is its own"),
                "get one for that name, or set host_name to one that it has",
            ),
        });
    }
    all
}

fn validity(certificate: &Certificate, now: SystemTime) -> Finding {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let (from, until) = certificate.validity();
    let whose = certificate.subject_words();
    let days = |seconds: i64| seconds.div_euclid(86_400);
    let soon = i64::try_from(ENDS_SOON.as_secs()).unwrap_or(i64::MAX);
    let renew = "have it renewed; changed files are taken within seconds";
    match until - now {
        _ if now < from => {
            let says = format!("{whose}: not valid for another {} days", days(from - now) + 1);
            Finding::bad("certificate", says, "set the clock right, or get another")
        }
        left if left < 0 => {
            let says = format!("{whose}: it ended {} days ago", days(-left));
            Finding::bad("certificate", says, renew)
        }
        left if left < soon => {
            let says = format!("{whose}: it ends within {} days", days(left) + 1);
            Finding::warning("certificate", says, renew)
        }
        left => Finding::good("certificate", format!("{whose}: for another {} days", days(left))),
    }
}

/// Whether the clock can be right: dates of mail, retries and certificates hang on it.
fn clock(now: SystemTime, data: &Data) -> Finding {
    let help = "set it, and have it kept right (NTP): dates, retries and certificates hang on it";
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    if since.as_secs() < BEFORE {
        return Finding::bad("clock", "it is before the year 2026", help);
    }
    let written = match data {
        Data::Directory(directory) => std::fs::metadata(directory.join("mail.db")).ok(),
        Data::Database(_) | Data::Memory => None,
    };
    let ahead = written.and_then(|data| data.modified().ok()?.duration_since(now).ok());
    match ahead.filter(|ahead| ahead.as_secs() > 60) {
        Some(ahead) => {
            let minutes = ahead.as_secs() / 60;
            let says = format!("mail was stored {minutes} minutes later than it is now");
            Finding::bad("clock", says, help)
        }
        None => Finding::good("clock", "it goes forward"),
    }
}

fn capacity(settings: &Settings) -> Finding {
    let slots = EngineSettings::new(settings.engine, settings.slots).slots();
    let found = slots.and_then(|slots| {
        engine::connections(settings.connections, slots).map(|connections| (slots, connections))
    });
    match found {
        Err(error) => Finding::bad("limits", error.message, ""),
        Ok((slots, connections)) => {
            let says = format!("{slots} sessions at work and {connections} connections at once");
            match connections < CONNECTIONS_FEW && settings.connections.is_none() {
                true => {
                    Finding::warning("limits", says, "raise the limit of open files (ulimit -n)")
                }
                false => Finding::good("limits", says),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(flags: ServeFlags) -> Settings {
        Settings::new(flags).expect("the flags are right")
    }

    #[test]
    fn a_taken_port_is_bad_and_a_free_one_good() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let at = taken.local_addr().expect("bound");
        let free = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let flags =
            ServeFlags { memory: true, smtp: Some(at), pop3: Some(free), ..Default::default() };
        let all = ports(&settings(flags.clone()), false);
        let found = |all: &[Finding], flag: &str| {
            all.iter().find(|one| one.says.starts_with(flag)).cloned().expect("it is looked at")
        };
        assert_eq!(found(&all, "--smtp").state, State::Bad);
        assert!(found(&all, "--smtp").help.contains("--port-offset"));
        assert_eq!(found(&all, "--pop3").state, State::Good);
        let running = ports(&settings(flags), true);
        assert_eq!(found(&running, "--smtp").state, State::Good);
    }

    #[test]
    fn data_must_be_writable_free_and_have_room() {
        let root = std::env::temp_dir().join(format!("pillarbox-doctor-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&root));
        std::fs::create_dir_all(&root).expect("ours");
        let new = data(&root.join("new/data"), false, 1);
        assert!(new.state == State::Good && new.says.contains("can be made"), "{new:?}");
        assert!(!root.join("new").exists(), "nothing is made");
        assert_eq!(data(&root, false, u64::MAX).state, State::Bad);
        let lock = std::fs::File::create(root.join("lock")).expect("ours");
        assert_eq!(data(&root, false, 1).state, State::Good, "a lock of a process that ended");
        lock.lock().expect("nobody has it");
        assert_eq!(data(&root, false, 1).state, State::Bad);
        assert_eq!(data(&root, true, 1).state, State::Good);
        let file = root.join("lock/below");
        assert!(matches!(data(&file, false, 1).state, State::Good | State::Bad));
        std::fs::remove_dir_all(&root).expect("ours");
    }

    #[test]
    fn clocks_that_go_wrong_are_seen() {
        let at = |seconds| clock(UNIX_EPOCH + Duration::from_secs(seconds), &Data::Memory).state;
        assert_eq!((at(1), at(BEFORE + 1)), (State::Bad, State::Good));
        let root = std::env::temp_dir().join(format!("pillarbox-clock-{}", std::process::id()));
        std::fs::create_dir_all(&root).expect("ours");
        std::fs::write(root.join("mail.db"), b"").expect("ours");
        let data = Data::Directory(root.clone());
        let now = SystemTime::now();
        assert_eq!(clock(now, &data).state, State::Good);
        let back = now - Duration::from_secs(3600);
        let found = clock(back, &data);
        assert!(found.state == State::Bad && found.says.contains("minutes later"), "{found:?}");
        std::fs::remove_dir_all(&root).expect("ours");
    }

    #[test]
    fn certificates_are_told_before_they_end() {
        let names = vec!["mail.x.test".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        let one = Certificate::of_der(made.cert.der()).expect("it is one");
        let (from, until) = one.validity();
        let at = |seconds: i64| {
            let seconds = u64::try_from(seconds).expect("after 1970");
            validity(&one, UNIX_EPOCH + Duration::from_secs(seconds)).state
        };
        assert_eq!(at(from + 86_400), State::Good);
        assert_eq!(at(until - 86_400), State::Warning);
        assert_eq!(at(until + 86_400), State::Bad);
        assert_eq!(at(from - 86_400), State::Bad);
    }
}
