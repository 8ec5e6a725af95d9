//! `pillarbox serve`: everything started in order, kept running, and stopped in order.

mod connection;
mod http;
mod listener;
mod log;
mod metrics;
mod ready;
mod roles;
mod transcript;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::backend::{AccountDirectory, HostBackend, HostDirectory};
use crate::config::{Profile, Settings};
use crate::engine::{Engine, EngineSettings};
use crate::error::{Error, Kind};
use crate::store::MailStore;

use listener::Listener;
use metrics::Metrics;
use ready::Addresses;
use roles::{ImapRole, Pop3Role, SmtpRole};

/// How long connections have to end once the server was told to stop.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// What every connection needs.
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) backend: Arc<HostBackend>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) started: Instant,
    /// Turns true once, when the server is to stop.
    pub(crate) stopping: watch::Receiver<bool>,
}

/// Runs the server until it is told to stop.
///
/// # Errors
/// What kept it from starting.
pub fn run(settings: &Settings) -> Result<(), Error> {
    log::start(settings.log_format);
    settings.check_listeners()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Error::failed(format!("cannot start threads: {e}")))?;
    runtime.block_on(serve(settings.clone()))
}

async fn serve(settings: Settings) -> Result<(), Error> {
    let started = Instant::now();
    // Addresses first: a port in use is the commonest mistake, and is told before anything slow.
    let listen = settings.listen;
    let smtp = bind("--smtp", listen.smtp).await?;
    let pop3 = bind("--pop3", listen.pop3).await?;
    let imap = bind("--imap", listen.imap).await?;
    let http = bind("--http", listen.http).await?;
    let engine = Arc::new(Engine::new(&EngineSettings::new(settings.engine, settings.slots))?);
    let store = MailStore::open(&settings.data)?;
    let directory = directory(&settings)?;
    let metrics = Arc::new(Metrics::new());
    metrics.slots.set(i64::from(engine.slots()));
    let backend = Arc::new(HostBackend::new(store, directory, engine));
    let (stop, stopping) = watch::channel(false);
    let shared = Arc::new(Shared { settings, backend, metrics, started, stopping });

    let addresses = Addresses::of(&smtp, &pop3, &imap, &http)?;
    let http = tokio::spawn(http::serve(http, Arc::clone(&shared), addresses));
    let listeners = [
        tokio::spawn(Listener::<SmtpRole>::new(smtp, Arc::clone(&shared)).run()),
        tokio::spawn(Listener::<Pop3Role>::new(pop3, Arc::clone(&shared)).run()),
        tokio::spawn(Listener::<ImapRole>::new(imap, Arc::clone(&shared)).run()),
    ];
    if let Some(file) = &shared.settings.ready_file {
        ready::write(file, addresses)?;
    }
    banner(&shared, addresses);

    let signal = stop_signal().await?;
    tracing::info!(signal, "stopping: no new connections");
    stop.send_replace(true);
    let ended = async {
        for listener in listeners {
            // A listener ends when its last connection has said goodbye.
            drop(listener.await);
        }
    };
    if tokio::time::timeout(STOP_WITHIN, ended).await.is_err() {
        tracing::warn!("some connections did not end in time; they are cut");
    }
    http.abort();
    shared.backend.mail_store().close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Ends when the server is told to stop.
pub(crate) async fn told_to_stop(stopping: &mut watch::Receiver<bool>) {
    // An error means that the server is gone already, which is a stop too.
    drop(stopping.wait_for(|stop| *stop).await);
}

fn directory(settings: &Settings) -> Result<HostDirectory, Error> {
    match &settings.profile {
        Profile::Dev => {
            let domain = settings.host_name.clone().into_bytes();
            let open = pillarbox_world::service::local::OpenDirectory { domain };
            Ok(HostDirectory::Open(open))
        }
        Profile::Server(profile) => {
            Ok(HostDirectory::Accounts(Box::new(AccountDirectory::new(profile.clone())?)))
        }
    }
}

async fn bind(flag: &str, address: std::net::SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|error| {
        let what = match error.kind() {
            std::io::ErrorKind::AddrInUse => format!(
                "the port is in use; stop the other program, or choose another with {flag} {}:0 (a free one)",
                address.ip()
            ),
            std::io::ErrorKind::PermissionDenied => {
                "not permitted; ports below 1024 need a privilege (CAP_NET_BIND_SERVICE)".to_owned()
            }
            _ => error.to_string(),
        };
        Error::new(Kind::Address, format!("{flag} {address}: {what}"))
    })
}

async fn stop_signal() -> Result<&'static str, Error> {
    use tokio::signal::unix::{SignalKind, signal};
    let failed =
        |error: std::io::Error| Error::failed(format!("cannot listen for signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    tokio::select! {
        _ = terminate.recv() => Ok("SIGTERM"),
        _ = interrupt.recv() => Ok("SIGINT"),
    }
}

fn banner(shared: &Shared, addresses: Addresses) {
    let Addresses { smtp, pop3, imap, http, .. } = addresses;
    let ms = shared.started.elapsed().as_millis();
    if shared.settings.log_format == crate::cli::LogFormat::Json {
        tracing::info!(%smtp, %pop3, %imap, %http, start_ms = ms, "ready");
        return;
    }
    let profile = match &shared.settings.profile {
        Profile::Dev => {
            "every address has a mailbox, any password is right, nothing leaves this machine"
                .to_owned()
        }
        Profile::Server(profile) => format!("mail for {}", profile.domains.join(", ")),
    };
    println!(
        "Pillarbox {} is ready ({ms} ms): {profile}\n\
         \x20 SMTP  {smtp}   send mail here\n\
         \x20 POP3  {pop3}   read it here\n\
         \x20 IMAP  {imap}   or here\n\
         \x20 HTTP  http://{http}/   health, metrics\n\
         \x20 mail  {}\n\
         Try: swaks --server {smtp} --to bob@hamburger.edu\n\
         \x20    curl 'imap://{imap}/INBOX;MAILINDEX=1' -u bob@hamburger.edu:any",
        env!("CARGO_PKG_VERSION"),
        shared.backend.mail_store().place(),
    );
}
