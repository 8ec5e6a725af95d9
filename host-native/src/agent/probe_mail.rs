//! Makes the visits of a probe of an IMAP or POP3 server, one connection after another, and gathers what was seen.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pillarbox_engine::Session;
use pillarbox_engine::probe::{Config, Event, Probe, Protocol, Visit, remaining, visits};
use pillarbox_engine::smtp::probe::{Channel, Interruption, Row};
use pillarbox_engine::types::TlsFacts;
use tokio::net::TcpStream;

use super::look::{Found, Port};
use super::probe::{Made, dial, visited};
use super::progress::Visits;
use super::server::addresses;
use crate::client::Trust;
use crate::error::{Error, Kind};
use crate::tls::ClientTls;

/// What is tried, and how.
pub(crate) struct MailTries {
    pub(crate) protocol: Protocol,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) channel: Channel,
    pub(crate) with_unsafe: bool,
    pub(crate) reply_within: Duration,
    pub(crate) trace: bool,
}

/// What was seen.
pub(crate) struct MailProbed {
    pub(crate) address: SocketAddr,
    pub(crate) greeting: Option<String>,
    /// In the clear and over TLS, as far as there is either.
    pub(crate) offers: Vec<(bool, Vec<String>)>,
    pub(crate) tls: Option<TlsFacts>,
    pub(crate) rows: Vec<Row>,
}

/// Probes a server.
///
/// # Errors
/// It cannot be reached, or speaks another protocol.
pub(crate) fn probe_mail(tries: &MailTries, ca: Option<&Path>) -> Result<MailProbed, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::failed(format!("no runtime: {error}")))?;
    let tls = Arc::new(ClientTls::new(ca)?);
    runtime.block_on(all(tries, &tls))
}

async fn all(tries: &MailTries, tls: &Arc<ClientTls>) -> Result<MailProbed, Error> {
    let (address, mut first) = reach(tries).await?;
    check_port(tries, tls, address).await?;
    let (greeting, offers, rows) = (None, Vec::new(), Vec::new());
    let mut probed = MailProbed { address, greeting, offers, tls: None, rows };
    let all = visits(tries.protocol, tries.channel, tries.with_unsafe);
    let mut progress = Visits::new(all.len(), tries.trace);
    for visit in all {
        progress.next();
        let stream = match first.take() {
            Some(stream) => Ok(stream),
            None => dial(address, tries.reply_within).await,
        };
        let config = Config {
            protocol: tries.protocol,
            visit,
            channel: visit.channel(tries.channel),
            reply_ms: u64::try_from(tries.reply_within.as_millis()).unwrap_or(u64::MAX),
            trace: tries.trace,
        };
        match stream {
            Ok(stream) => make(tries, tls, config, stream, &mut probed).await,
            Err(error) => {
                let why = format!("no connection: {error}");
                probed.rows.extend(remaining(&config, &[], &why, false));
            }
        }
    }
    Ok(probed)
}

/// The first address that answers.
async fn reach(tries: &MailTries) -> Result<(SocketAddr, Option<TcpStream>), Error> {
    let mut last = "it has no address".to_owned();
    for address in addresses(&tries.host, tries.port).await? {
        match dial(address, tries.reply_within).await {
            Ok(stream) => return Ok((address, Some(stream))),
            Err(error) => last = format!("{address}: {error}"),
        }
    }
    let help = "are host and port right?";
    Err(Error::new(Kind::Temporary, format!("{} cannot be reached: {last}; {help}", tries.host)))
}

/// Refuses a port at which every test would fail for one reason, which is none of the server's mistakes.
async fn check_port(tries: &MailTries, tls: &ClientTls, address: SocketAddr) -> Result<(), Error> {
    let (protocol, begins): (&str, &[&[u8]]) = match tries.protocol {
        Protocol::Imap => ("IMAP", &[b"* "]),
        Protocol::Pop3 => ("POP3", &[b"+OK", b"-ERR"]),
    };
    let port = Port {
        address,
        host: &tries.host,
        protocol,
        is_implicit: tries.channel == Channel::Implicit,
        within: tries.reply_within,
    };
    let Ok(found) = port.look(tls).await else { return Ok(()) };
    let is_other = match &found {
        Found::Words(words) => !begins.iter().any(|head| words.starts_with(head)),
        Found::Tls | Found::Silent => false,
    };
    let other =
        is_other.then(|| format!("{address} does not speak {protocol}; is the port right?"));
    let Some(what) = port.mistaken(&found).or(other) else { return Ok(()) };
    Err(Error::new(Kind::Unavailable, what))
}

/// One visit.
async fn make(
    tries: &MailTries,
    tls: &Arc<ClientTls>,
    config: Config,
    stream: TcpStream,
    probed: &mut MailProbed,
) {
    let trust = if config.visit == Visit::Certificate { Trust::Pkix } else { Trust::Any };
    let about = Made { host: &tries.host, tls, trust, trace: tries.trace };
    let begun = config.clone();
    let session = |now| Session::<Probe>::new(begun, now);
    let name = format!("{:?}", config.visit);
    let (events, why, facts) = visited(about, &name, stream, session).await;
    let mut rows = Vec::new();
    for event in events {
        match event {
            Event::Row(row) => rows.push(row),
            Event::Greeting(words) => {
                probed.greeting.get_or_insert(words);
            }
            Event::Offers { secured, names } => {
                if !probed.offers.iter().any(|(known, _)| *known == secured) {
                    probed.offers.push((secured, names));
                }
            }
        }
    }
    probed.tls = probed.tls.take().or(facts);
    let (why, secures) = match &why {
        None => ("the server closed before it".to_owned(), false),
        Some(Interruption::Handshake(error)) => (error.clone(), true),
        Some(Interruption::Cut(error)) => (error.clone(), false),
    };
    let missing = remaining(&config, &rows, &why, secures);
    probed.rows.extend(rows.into_iter().chain(missing));
}
