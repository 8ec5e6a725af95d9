//! `pillarbox serve`: everything started in order, kept running, and stopped in order.

mod admission;
mod api;
mod bridge;
mod control;
mod doors;
mod faults;
mod faults_http;
mod guard;
mod http;
mod inbox;
mod indexing;
mod listener;
mod load;
mod log;
mod metrics;
mod patience;
mod playground;
mod proxy;
mod ready;
mod roles;
mod serving;
mod stream;
mod trim;
mod visitors;
mod webmail;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pillarbox_engine::types::Now;
use pillarbox_world::service::Backend;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::accounts::Accounts;
use crate::backend::{HostBackend, HostDirectory, Rates, Relaying, Room};
use crate::client::policy::Policies;
use crate::client::sts::{MtaSts, WebFetch};
use crate::client::{Client, Trace};
use crate::config::{Clock, DkimSettings, Profile, RelaySettings, RouteLogin, Settings};
use crate::dns::{self, Dns, ResolverSettings};
use crate::drive::{self, Transcript};
use crate::engine::{self, Engine, EngineSettings};
use crate::error::{Error, Kind};
use crate::limits::Hits;
use crate::live::{Journal, OCTETS_MAX};
use crate::relay::{Outgoing, QueueClock, Runner, Said};
use crate::store::MailStore;
use crate::tls::{ClientTls, ServerTls};
use crate::trust::Trust;

use admission::Admission;
use control::Live;
use doors::Doors;
use faults::SharedFaults;
use guard::Guard;
use ready::{Addresses, Ready};

pub(crate) use control::SOCKET as CONTROL;
pub(crate) use log::shown;
pub(crate) use metrics::Metrics;
pub(crate) use playground::plain;

/// How long connections have to end once the server was told to stop.
const STOP_WITHIN: Duration = Duration::from_secs(10);
/// How often it is looked whether accounts have changed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often it is looked which MTA-STS policies are to be renewed; each is a day old then.
const RENEW_EVERY: Duration = Duration::from_secs(3600);

/// What every connection needs.
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) backend: Arc<HostBackend>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) hits: Hits,
    /// Who may connect.
    pub(crate) admission: Arc<Admission>,
    /// None without a certificate.
    pub(crate) tls: Option<ServerTls>,
    /// Faults on purpose; none in a server profile.
    pub(crate) faults: Option<SharedFaults>,
    /// What is said, for those who watch; none in a server profile, where it is nobody else's business.
    pub(crate) journal: Option<Arc<Journal>>,
    /// What is said to carry letters, where web mail shows it.
    pub(crate) said: Option<Said>,
    /// Gives memory back after many sessions were frozen.
    trim: Arc<trim::Trim>,
    pub(crate) started: Instant,
    /// Turns true once, when the server is to stop.
    pub(crate) stopping: watch::Receiver<bool>,
    /// Changes when accounts were added or removed.
    pub(crate) accounts: watch::Receiver<u64>,
}

/// How often it is looked whether the process that started this one is there.
const LOOK_AT_PARENT_EVERY: Duration = Duration::from_millis(200);

impl Shared {
    /// The time for a session: of the machine, or of the clock that tests move.
    pub(crate) fn now(&self) -> Now {
        let now = drive::now(self.started);
        match self.settings.clock {
            Some(Clock::Virtual(_)) => {
                Now { unix_ms: self.backend.relaying().clock.now_ms(), ..now }
            }
            _ => now,
        }
    }
}

/// A server that takes mail.
pub(crate) struct Running {
    shared: Arc<Shared>,
    addresses: Addresses,
    /// With it pages and programs may watch what is said.
    token: Option<String>,
    stop: watch::Sender<bool>,
    listeners: Vec<JoinHandle<()>>,
    runner: JoinHandle<()>,
    http: JoinHandle<()>,
    control: JoinHandle<()>,
}

/// Runs the server until it is told to stop.
///
/// # Errors
/// What kept it from starting.
pub fn run(settings: &Settings) -> Result<(), Error> {
    let parent = std::os::unix::process::parent_id();
    log::start(settings.log_format);
    settings.check_listeners()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Error::failed(format!("cannot start threads: {e}")))?;
    runtime.block_on(async {
        let running = start(settings.clone()).await?;
        running.tell()?;
        let parent = Some(parent).filter(|_| settings.exit_with_parent);
        let why = tokio::select! {
            signal = stop_signal() => signal?,
            () = end_of(parent) => "the end of the process that started this one",
        };
        tracing::info!(signal = why, "stopping: no new connections");
        running.stop().await;
        tracing::info!("stopped");
        Ok(())
    })
}

/// Ends when the process that started this one has; without one to look at, never.
async fn end_of(parent: Option<u32>) {
    let Some(parent) = parent else { return std::future::pending().await };
    let mut rounds = tokio::time::interval(LOOK_AT_PARENT_EVERY);
    // Whose parent ended is another process's child.
    while std::os::unix::process::parent_id() == parent {
        rounds.tick().await;
    }
}

/// Starts a server; whoever has it has checked who can reach it.
///
/// # Errors
/// What kept it from starting.
pub(crate) async fn start(settings: Settings) -> Result<Running, Error> {
    let started = Instant::now();
    if let Some(directory) = &settings.trace_sessions {
        check_traces(directory)?;
    }
    // Addresses first: a port in use is the commonest mistake, and is told before anything slow.
    let doors = Doors::bind(&settings).await?;
    let engine = Arc::new(Engine::new(&EngineSettings::new(settings.engine, settings.slots))?);
    let store = MailStore::open(&settings.data)?;
    store.index_texts(engine.text_reader(), u64::from(settings.search_index_mib) << 20)?;
    let hits = Hits::default();
    let directory = directory(&settings, hits.clone(), &engine)?;
    let metrics = Arc::new(Metrics::new(&hits));
    let slots = engine.slots();
    metrics.slots.set(i64::from(slots.all()));
    let connections = engine::connections(settings.connections, slots.all())?;
    let admission = Arc::new(Admission::new(Arc::clone(slots), connections, settings.limits));
    let clock = match settings.clock {
        Some(Clock::Virtual(Some(start_ms))) => QueueClock::at(start_ms),
        _ => QueueClock::start(),
    };
    let relaying = Relaying::of(&settings, clock);
    let resolver = resolver(&settings)?;
    let trust = trust(&settings, resolver.as_deref(), &metrics)?;
    let rates = match &settings.profile {
        Profile::Dev => None,
        Profile::Server(_) => Some(Rates::new(settings.limits, hits.clone())),
    };
    let least = settings.limits.disk_free_min();
    let room = store.directory().and_then(|directory| Room::new(directory, least, hits.clone()));
    let backend = HostBackend::new(store, directory, engine, relaying)
        .with_trust(trust)
        .with_rates(rates)
        .with_room(room)
        .with_quota_admins(settings.quota_admins.clone())
        .with_submission_entities(settings.submission_entities.clone())
        .with_annotations(settings.annotations.clone());
    let backend = Arc::new(backend);
    let (stop, stopping) = watch::channel(false);
    let (accounts_changed, accounts) = watch::channel(0);
    let tls = settings.tls.clone();
    let tls =
        tls.map(|tls| ServerTls::new(tls.source, tls.clients, &settings.host_name, hits.clone()));
    let tls = tls.transpose()?;
    let faults = settings.faults.as_ref().map(SharedFaults::new);
    let is_dev = matches!(settings.profile, Profile::Dev);
    let kept = settings.dev.conversations_max.filter(|max| *max > 0).unwrap_or(OCTETS_MAX);
    let journal = is_dev.then(|| Arc::new(Journal::new(kept)));
    let said = settings.show_protocol.then(Said::default);
    let shared = Shared {
        settings,
        backend,
        metrics,
        hits,
        admission,
        tls,
        faults,
        journal,
        said,
        trim: Arc::default(),
        started,
        stopping,
        accounts,
    };
    let shared = Arc::new(shared);
    if let Some(directory) = &shared.settings.dev.load {
        load::load(directory, &shared.backend).await?;
    }

    look_after_files(&shared, accounts_changed);
    let addresses = doors.addresses()?;
    // From elsewhere nobody watches, and nobody is bridged to this machine's services.
    let is_local = crate::config::is_loopback(addresses.http.ip());
    let watched = shared.journal.is_some() && is_local;
    // The first mail of a test may come before its first request.
    if let Some(journal) = &shared.journal
        && is_local
        && shared.settings.dev.conversations_max != Some(0)
    {
        journal.keep();
    }
    let guard = watched.then(|| Guard::new(addresses.http)).transpose()?;
    let token = guard.as_ref().map(|guard| guard.token().to_owned());
    // Before mail can come: some of the routes are told of all of it.
    let routes = http::routes(&shared, addresses, guard);
    let (http, listeners) = doors.open(&shared);
    let http = tokio::spawn(http::serve(http, routes));
    let runner = tokio::spawn(runner(&shared, addresses, resolver)?.run());
    let control = control::open(&shared);
    let live = token.clone().map(|token| Live { http: addresses.http, token });
    let control = tokio::spawn(control::serve(control, Arc::clone(&shared), live));
    Ok(Running { shared, addresses, token, stop, listeners, runner, http, control })
}

impl Running {
    /// Where the services listen.
    pub(crate) fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Tells programs and people that everything accepts.
    fn tell(&self) -> Result<(), Error> {
        let Self { shared, addresses, token, .. } = self;
        let ready = Ready::new(*addresses, token.as_deref());
        // Whoever has waited for it may use everything, the control socket too.
        if let Some(file) = &shared.settings.ready_file {
            ready.write(file)?;
        }
        match shared.settings.ready_event {
            true => ready.print(),
            false => {
                banner(shared, *addresses, token.as_deref());
                Ok(())
            }
        }
    }

    /// Ends conversations, and closes the store.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        let ended = async {
            for listener in self.listeners {
                // A listener ends when its last connection has said goodbye.
                drop(listener.await);
            }
            drop(self.runner.await);
        };
        if tokio::time::timeout(STOP_WITHIN, ended).await.is_err() {
            tracing::warn!("some connections did not end in time; they are cut");
        }
        self.http.abort();
        self.control.abort();
        self.shared.backend.mail_store().close().await;
    }
}

/// Looks after files that change while the server runs: certificates and accounts.
fn look_after_files(shared: &Arc<Shared>, accounts: watch::Sender<u64>) {
    let (shared, mut stopping) = (Arc::clone(shared), shared.stopping.clone());
    tokio::spawn(async move {
        let certificates = async {
            match &shared.tls {
                Some(tls) => tls.watch().await,
                None => std::future::pending().await,
            }
        };
        let directory = shared.backend.directory();
        let people = async {
            let mut rounds = tokio::time::interval(LOOK_EVERY);
            let mut known = directory.accounts_now();
            loop {
                rounds.tick().await;
                let now = directory.accounts_now();
                let same = match (&known, &now) {
                    (Some(known), Some(now)) => Arc::ptr_eq(known, now),
                    _ => true,
                };
                if !same {
                    known = now;
                    accounts.send_modify(|changes| *changes += 1);
                }
            }
        };
        tokio::select! {
            () = certificates => {}
            () = people => {}
            () = told_to_stop(&mut stopping) => {}
        }
    });
}

/// Whether transcripts can be written there; who asked for them is told before, not by each that is missing.
fn check_traces(directory: &Path) -> Result<(), Error> {
    let failed = |error: std::io::Error| {
        let what = format!("transcripts cannot be written there: {error}");
        Error::usage(format!("--trace-sessions {}: {what}", directory.display()))
    };
    Transcript::make_directory(directory).map_err(failed)?;
    let probe = directory.join(format!(".pillarbox-{}", std::process::id()));
    std::fs::File::create(&probe).map_err(failed)?;
    std::fs::remove_file(&probe).map_err(failed)
}

/// What works at the queue. In the dev profile that is mail held for mailboxes here, and nothing leaves the machine.
fn runner(
    shared: &Arc<Shared>,
    addresses: Addresses,
    resolver: Option<Arc<dns::Resolver>>,
) -> Result<Runner<Outgoing>, Error> {
    let dns: Arc<dyn dns::Source> = match resolver {
        Some(resolver) => resolver,
        None => Arc::new(dns::Nothing),
    };
    let settings = match &shared.settings.profile {
        Profile::Dev => RelaySettings::default(),
        Profile::Server(profile) => profile.relay.clone(),
    };
    let backend = Arc::clone(&shared.backend);
    let trace = shared.settings.trace_sessions.clone().map(Trace::Directory);
    let tls = Arc::new(ClientTls::new(settings.ca_file.as_deref())?);
    let dns = Dns::new(dns);
    let relays = matches!(shared.settings.profile, Profile::Server(_));
    let sts = match settings.mta_sts && relays {
        true => Some(mta_sts(shared, &dns, &tls)?),
        false => None,
    };
    let names = (dns.clone(), Policies::new(dns, sts));
    let client = Client::new(Arc::clone(backend.engine()), tls, trace);
    let client = client.counting(Arc::clone(&shared.metrics));
    let Addresses { smtp, submission, submissions, lmtp, .. } = addresses;
    let own = [Some(smtp), submission, submissions, lmtp].into_iter().flatten().collect();
    // What was taken is sent, whatever the limit is today; the next server has its own.
    let message_max = u64::MAX;
    let carrier = Outgoing::new(Arc::clone(&backend), client, names, own, message_max);
    let carrier = carrier.telling(shared.said.clone());
    let metrics = shared.metrics.relay.clone();
    let stopping = shared.stopping.clone();
    Runner::new(backend, carrier, Arc::new(settings), relays, metrics, stopping)
}

/// Policies of other domains, kept in the data directory, and renewed as long as the server runs.
fn mta_sts(shared: &Arc<Shared>, dns: &Dns, tls: &Arc<ClientTls>) -> Result<Arc<MtaSts>, Error> {
    let mut sts = MtaSts::new(Box::new(WebFetch::new(dns.clone(), Arc::clone(tls))));
    if let Some(directory) = shared.backend.mail_store().directory() {
        let file = directory.join("mta-sts");
        sts = sts.kept_in(&file, wall_ms()).map_err(|error| {
            Error::new(Kind::Data, format!("{}: {error}; it may be removed", file.display()))
        })?;
    }
    let sts = Arc::new(sts);
    let (renewed, dns) = (Arc::clone(&sts), dns.clone());
    let mut stopping = shared.stopping.clone();
    tokio::spawn(async move {
        let mut rounds = tokio::time::interval(RENEW_EVERY);
        let renewing = async {
            loop {
                rounds.tick().await;
                renewed.renew(&dns, wall_ms()).await;
            }
        };
        tokio::select! {
            () = renewing => {}
            () = told_to_stop(&mut stopping) => {}
        }
    });
    Ok(sts)
}

fn wall_ms() -> u64 {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(wall.as_millis()).unwrap_or(u64::MAX)
}

/// One resolver for all, so that what one has asked is known to the others; the dev profile asks nobody.
fn resolver(settings: &Settings) -> Result<Option<Arc<dns::Resolver>>, Error> {
    match &settings.profile {
        Profile::Dev => Ok(None),
        Profile::Server(profile) => Ok(Some(Arc::new(dns::Resolver::new(&profile.dns)?))),
    }
}

/// What judges senders and signs mail; none in the dev profile.
fn trust(
    settings: &Settings,
    resolver: Option<&dns::Resolver>,
    metrics: &Metrics,
) -> Result<Option<Trust>, Error> {
    let (Profile::Server(profile), Some(resolver)) = (&settings.profile, resolver) else {
        return Ok(None);
    };
    profile.relay.logins.values().try_for_each(RouteLogin::check)?;
    let signers = profile.dkim.iter().map(DkimSettings::read).collect::<Result<_, _>>()?;
    // mail-auth takes a proof that nothing is there for a failure, and looks at no other proof, so its answers are not
    // validated here.
    let resolver = match profile.dns.dnssec {
        false => resolver.clone(),
        true => {
            let settings = ResolverSettings { dnssec: false, ..profile.dns.clone() };
            dns::Resolver::new(&settings)?
        }
    };
    let trust = profile.trust.clone();
    Ok(Some(Trust::new(trust, &settings.host_name, resolver, signers, metrics.trust.clone())))
}

/// Ends when the server is told to stop.
pub(crate) async fn told_to_stop(stopping: &mut watch::Receiver<bool>) {
    // An error means that the server is gone already, which is a stop too.
    drop(stopping.wait_for(|stop| *stop).await);
}

pub(crate) fn directory(
    settings: &Settings,
    hits: Hits,
    engine: &Arc<Engine>,
) -> Result<HostDirectory, Error> {
    match (&settings.profile, &settings.auth) {
        (Profile::Server(profile), Some(auth)) => {
            HostDirectory::accounts((**profile).clone(), auth, hits, engine)
        }
        _ => {
            let password = settings.dev_password.as_deref();
            HostDirectory::open(settings.dev.people.clone(), password, settings.extra_logins)
        }
    }
}

async fn stop_signal() -> Result<&'static str, Error> {
    use tokio::signal::unix::{SignalKind, signal};
    let failed =
        |error: std::io::Error| Error::failed(format!("cannot listen for signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(failed)?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok("SIGTERM"),
            _ = interrupt.recv() => return Ok("SIGINT"),
            // Others reload with it, or lose their terminal: neither must end conversations half-way.
            _ = hangup.recv() => tracing::info!(
                "SIGHUP: certificates and accounts are read anew by themselves; other settings at the next start"
            ),
        }
    }
}

fn banner(shared: &Shared, addresses: Addresses, token: Option<&str>) {
    let Addresses { smtp, pop3, imap, http, submission, submissions, .. } = addresses;
    let Addresses { pop3s, imaps, lmtp, imap_preauth, .. } = addresses;
    let ms = shared.started.elapsed().as_millis();
    if shared.settings.log_format == crate::cli::LogFormat::Json {
        tracing::info!(%smtp, %pop3, %imap, %http, start_ms = ms, "ready");
        return;
    }
    let profile = match &shared.settings.profile {
        Profile::Dev => people(&shared.settings),
        Profile::Server(profile) => format!("mail for {}", profile.domains.join(", ")),
    };
    let over_tls = |address: Option<SocketAddr>| {
        address.map_or_else(String::new, |address| format!(", over TLS {address}"))
    };
    let submission =
        submission.map_or_else(String::new, |address| format!(", submission {address}"));
    let lmtp = lmtp.map_or_else(String::new, |address| format!(", LMTP {address}"));
    let preauth = shared.settings.preauth.as_ref().zip(imap_preauth);
    let preauth = preauth.map_or_else(String::new, |(preauth, address)| {
        format!(", as {} without a login {address}", preauth.account)
    });
    // Pages of this start are let in by it, and a fragment is sent to no server.
    let token = token.map_or_else(String::new, |token| format!("#t={token}"));
    let label = shared.settings.label.as_ref();
    let label = label.map_or_else(String::new, |label| format!(", {label},"));
    println!(
        "Pillarbox {}{label} is ready ({ms} ms): {profile}\n\
         \x20 SMTP  {smtp}   send mail here{submission}{}{lmtp}\n\
         \x20 POP3  {pop3}   read it here{}\n\
         \x20 IMAP  {imap}   or here{}{preauth}\n\
         \x20 HTTP  http://{http}/{token}   /mail/ is web mail, /playground/ the playground; health, metrics\n\
         \x20 mail  {}\n\
         {}",
        env!("CARGO_PKG_VERSION"),
        over_tls(submissions),
        over_tls(pop3s),
        over_tls(imaps),
        shared.backend.mail_store().place(),
        trial(&shared.settings, smtp, imap, http),
    );
}

/// Who is there, in the dev profile.
fn people(settings: &Settings) -> String {
    let crate::config::People { domains, users } = &settings.dev.people;
    let addresses = match (users.is_empty(), domains.is_empty()) {
        (false, _) => {
            let names = users.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            return format!("mail for {names} alone, nothing leaves this machine");
        }
        (true, false) => format!("every address at {} has a mailbox", domains.join(", ")),
        (true, true) => "every address has a mailbox".to_owned(),
    };
    let password = if settings.dev_password.is_some() { "one" } else { "any" };
    format!("{addresses}, {password} password is right, nothing leaves this machine")
}

/// What somebody may try first.
fn trial(settings: &Settings, smtp: SocketAddr, imap: SocketAddr, http: SocketAddr) -> String {
    let profile = &settings.profile;
    let people = &settings.dev.people;
    let bob = || format!("bob@{}", people.domains.first().map_or("hamburger.edu", String::as_str));
    let somebody = people.users.keys().next().cloned().unwrap_or_else(bob);
    let user = somebody.split('@').next().unwrap_or_default();
    let any = match people.users.is_empty() && settings.dev_password.is_none() {
        true => ":any",
        false => "",
    };
    let read = match profile {
        Profile::Dev if http.port() == 8025 => format!("\n     pillarbox read {user}"),
        Profile::Dev => format!("\n     pillarbox read {user} --url http://{http}"),
        // There nobody reads another's mail.
        Profile::Server(_) => String::new(),
    };
    let (name, password) = match profile {
        Profile::Dev => (somebody.clone(), any),
        // There a password is right or wrong, and curl asks for it.
        Profile::Server(profile) => {
            let accounts = Accounts::read(&profile.accounts).ok();
            match accounts.as_ref().and_then(|accounts| accounts.names().next()) {
                Some(name) => (name.to_owned(), ""),
                None => {
                    let address = format!("bob@{}", profile.domains[0]);
                    return format!("Next: pillarbox account add {address} --config FILE");
                }
            }
        }
    };
    format!(
        "Try: swaks --server {smtp} --to {name}{read}\n\
         \x20    curl 'imap://{imap}/INBOX;MAILINDEX=1' -u {name}{password}"
    )
}
