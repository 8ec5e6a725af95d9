//! Makes the visits of a probe: one connection after another, each driven as any session, and gathers what was seen.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pillarbox_engine::smtp::probe::{
    Channel, Config, Event, Interruption, Probe, Row, Visit, other_protocol, remaining, visits,
};
use pillarbox_engine::types::{BlobRange, Now, Reason, TlsFacts};
use pillarbox_engine::{Role, Session};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

use super::look::{Found, Port};
use super::progress::Visits;
use super::server::addresses;
use crate::client::Trust;
use crate::drive::{Driver, End, Ends, Host, Interrupt, Record, Transcript, Wire, now};
use crate::engine::Driven;
use crate::error::{Error, Kind};
use crate::tls::{ClientTls, Metered};

/// What is tried, and how.
pub(crate) struct Tries {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) channel: Channel,
    pub(crate) with_unsafe: bool,
    pub(crate) name: String,
    pub(crate) reply_within: Duration,
    pub(crate) trace: bool,
}

/// What was seen.
pub(crate) struct Probed {
    pub(crate) address: SocketAddr,
    pub(crate) greeting: Option<String>,
    /// In the clear and over TLS, as far as there is either.
    pub(crate) offers: Vec<(bool, Vec<String>)>,
    pub(crate) tls: Option<TlsFacts>,
    pub(crate) rows: Vec<Row>,
    /// It takes no mail before a login, so tests of transactions tell nothing.
    pub(crate) wants_login: bool,
}

/// Probes a server.
///
/// # Errors
/// It cannot be reached.
pub(crate) fn probe(tries: &Tries, ca: Option<&Path>) -> Result<Probed, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::failed(format!("no runtime: {error}")))?;
    let tls = Arc::new(ClientTls::new(ca)?);
    runtime.block_on(all(tries, &tls))
}

async fn all(tries: &Tries, tls: &Arc<ClientTls>) -> Result<Probed, Error> {
    let addresses = addresses(&tries.host, tries.port).await?;
    let (address, mut first) = reach(tries, &addresses).await?;
    check_port(tries, tls, address).await?;
    let (greeting, offers, rows) = (None, Vec::new(), Vec::new());
    let mut probed = Probed { address, greeting, offers, tls: None, rows, wants_login: false };
    let all = visits(tries.channel, tries.with_unsafe);
    let mut progress = Visits::new(all.len(), tries.trace);
    for visit in all {
        progress.next();
        let stream = match first.take() {
            Some(stream) => Ok(stream),
            None => dial(address, tries.reply_within).await,
        };
        match stream {
            Ok(stream) => make(tries, tls, visit, stream, &mut probed).await,
            Err(error) => {
                let why = Interruption::Cut(format!("no connection: {error}"));
                probed.rows.extend(remaining(visit, &[], Some(&why)));
            }
        }
    }
    Ok(probed)
}

/// Refuses a port at which every test would fail for one reason, which is none of the server's mistakes.
async fn check_port(tries: &Tries, tls: &ClientTls, address: SocketAddr) -> Result<(), Error> {
    let port = Port {
        address,
        host: &tries.host,
        protocol: "SMTP",
        is_implicit: tries.channel == Channel::Implicit,
        within: tries.reply_within,
    };
    let Ok(found) = port.look(tls).await else { return Ok(()) };
    let other = match &found {
        Found::Words(words) => other_protocol(words),
        Found::Tls | Found::Silent => None,
    };
    let other = other.map(|name| {
        let what = format!("{address} speaks {name}, and these tests are for SMTP");
        format!("{what}; try its ports for mail: 25, or 587 and 465 for submission")
    });
    let Some(what) = other.or_else(|| port.mistaken(&found)) else { return Ok(()) };
    Err(Error::new(Kind::Unavailable, what))
}

/// The first address that answers.
async fn reach(
    tries: &Tries,
    addresses: &[SocketAddr],
) -> Result<(SocketAddr, Option<TcpStream>), Error> {
    let mut last = None;
    for address in addresses {
        match dial(*address, tries.reply_within).await {
            Ok(stream) => return Ok((*address, Some(stream))),
            Err(error) => last = Some(format!("{address}: {error}")),
        }
    }
    let last = last.unwrap_or_else(|| "it has no address".to_owned());
    let help = "are host and port right? 25 is often blocked; 587 is for submission";
    Err(Error::new(Kind::Temporary, format!("{} cannot be reached: {last}; {help}", tries.host)))
}

pub(super) async fn dial(address: SocketAddr, within: Duration) -> io::Result<TcpStream> {
    let silent = |_| io::Error::new(io::ErrorKind::TimedOut, "no answer in time");
    let stream =
        tokio::time::timeout(within, TcpStream::connect(address)).await.map_err(silent)??;
    // What belongs together is written together; waiting for more would only cost time.
    drop(stream.set_nodelay(true));
    Ok(stream)
}

/// One visit.
async fn make(
    tries: &Tries,
    tls: &Arc<ClientTls>,
    visit: Visit,
    stream: TcpStream,
    probed: &mut Probed,
) {
    let channel = visit.channel(tries.channel);
    let config = Config {
        visit,
        host_name: tries.name.clone().into_bytes(),
        channel,
        reply_ms: u64::try_from(tries.reply_within.as_millis()).unwrap_or(u64::MAX),
        trace: tries.trace,
    };
    let trust = if visit == Visit::Certificate { Trust::Pkix } else { Trust::Any };
    let session = |now| Session::<Probe>::new(config, now);
    let about = Made { host: &tries.host, tls, trust, trace: tries.trace };
    let (events, why, facts) = visited(about, &format!("{visit:?}"), stream, session).await;
    let mut rows = Vec::new();
    for event in events {
        match event {
            Event::Row(row) => rows.push(row),
            Event::Greeting(words) => {
                probed.greeting.get_or_insert(words);
            }
            Event::WantsLogin => probed.wants_login = true,
            Event::Offers { secured, lines } => {
                if !probed.offers.iter().any(|(known, _)| *known == secured) {
                    probed.offers.push((secured, lines));
                }
            }
        }
    }
    probed.tls = probed.tls.take().or(facts);
    let missing = remaining(visit, &rows, why.as_ref());
    probed.rows.extend(rows.into_iter().chain(missing));
}

/// How a visit is made.
pub(super) struct Made<'a> {
    pub(super) host: &'a str,
    pub(super) tls: &'a Arc<ClientTls>,
    pub(super) trust: Trust,
    pub(super) trace: bool,
}

/// Drives a visit to its end: what it found, why it was cut short, and what TLS gave.
pub(super) async fn visited<R>(
    about: Made<'_>,
    name: &str,
    stream: TcpStream,
    session: impl FnOnce(Now) -> Session<R>,
) -> (Vec<R::Event>, Option<Interruption>, Option<TlsFacts>)
where
    R: Role<Ask = (), Answer = (), Call = (), Event: Send> + 'static,
    Session<R>: Send,
{
    let started = Instant::now();
    let visitor = Visitor {
        started,
        tls: Arc::clone(about.tls),
        name: about.host.to_owned(),
        trust: about.trust,
        events: Vec::new(),
        facts: None,
    };
    let session = Box::new(session(now(started)));
    let transcript = about.trace.then(|| {
        eprintln!("# {name}");
        Transcript::new(Box::new(std::io::stderr()), Ends::Client)
    });
    let mut driver: Driver<R, Visitor<R::Event>> =
        Driver::new(visitor, session, Record::new(transcript, None));
    let mut wire = Wire::plain(stream);
    let ended = match driver.begin(&mut wire, false).await {
        Ok(()) => driver.run(&mut wire).await,
        Err(end) => Err(end),
    };
    let why = ended.err().map(|end| match end {
        End::Unsecured(error) => Interruption::Handshake(error.to_string()),
        End::Cut(error) | End::Unread(error) => {
            // What the server said last is worth hearing: it mostly says why.
            drop(driver.lose(&mut wire));
            Interruption::Cut(error.to_string())
        }
        End::Trap(trap) => Interruption::Cut(trap.to_string()),
    });
    drop(wire.shutdown().await);
    let Visitor { events, facts, .. } = driver.host;
    (events, why, facts)
}

/// A visit as the drive loop's host.
struct Visitor<E> {
    started: Instant,
    tls: Arc<ClientTls>,
    name: String,
    trust: Trust,
    events: Vec<E>,
    facts: Option<TlsFacts>,
}

impl<R> Host<R> for Visitor<R::Event>
where
    R: Role<Ask = (), Answer = (), Call = (), Event: Send>,
{
    const WRITE_WITHIN: Duration = Duration::from_secs(30);
    // A server may refuse a line while it is still being sent.
    const HEARS_WHILE_WRITING: bool = true;

    fn started(&self) -> Instant {
        self.started
    }

    fn session_id(&self) -> String {
        "probe".to_owned()
    }

    fn ask_name((): &()) -> String {
        String::new()
    }

    async fn answer(&mut self, _: Now, (): (), _: &mut dyn Driven<R>) {}

    fn observe_answer(&mut self, (): &()) {}

    fn call(&mut self) -> Option<()> {
        None
    }

    fn octets(&mut self, _: BlobRange) -> Result<Vec<u8>, Reason> {
        Err(Reason::NotFound)
    }

    fn event(&mut self, event: R::Event) {
        self.events.push(event);
    }

    async fn secure(&mut self, stream: TcpStream) -> io::Result<(TlsStream<Metered>, TlsFacts)> {
        let (stream, facts) = self.tls.connect(stream, &self.name, &self.trust).await?;
        self.facts = Some(facts.clone());
        Ok((TlsStream::Client(stream), facts))
    }

    fn count(&self, _: &str, _: usize) {}

    fn is_content(&self) -> bool {
        false
    }

    async fn interrupted(&mut self) -> Interrupt<R> {
        std::future::pending().await
    }
}
