//! One connection to another server: opened, used for one message after another, and left politely.
//! The session inside decides what is said; here its outcome becomes fates, whatever ends the connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pillarbox_engine::smtp;
use pillarbox_engine::smtp::client::types::{Call, Config, Delivery, Failure, Fate, Offer, Stage};
use pillarbox_engine::smtp::{MailFrom, RcptTo};
use pillarbox_engine::types::TlsFacts;
use tokio::net::TcpStream;

use super::dial::{dial, interleaved};
use super::outgoing::{Outgoing, Until};
use super::{Client, OpenError, OpenErrorKind, Security, Settings, Source, Target, Trace};
use crate::drive::{Driver, End, Ends, Record, Transcript, Wire, next_key, now};
use crate::engine::StartError;

/// Addresses of one host that are tried; more are not worth the time that a slow one costs.
const ADDRESSES_MAX: usize = 16;
/// Failures to connect that say nothing of the other host.
const OURS: [i32; 6] = [
    libc::EMFILE,
    libc::ENFILE,
    libc::ENOBUFS,
    libc::ENETDOWN,
    libc::ENETUNREACH,
    libc::EADDRNOTAVAIL,
];
/// How long the goodbye of a server is waited for; nothing depends on it.
const GOODBYE_WITHIN: Duration = Duration::from_secs(5);
/// For logs, metrics and file names.
pub(super) const PROTOCOL: &str = "smtp-client";

/// A message's envelope, and how it may be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The reverse path and its parameters.
    pub mail: MailFrom,
    /// The recipients, at least one, in the order of the fates.
    pub recipients: Vec<RcptTo>,
    /// Whether the message can be sent as stored: no line begins with a dot, no CR or LF stands alone, and it ends with
    /// CRLF. False is always right, and slower.
    pub plain: bool,
    /// RFC 8689: only over TLS that proves who the server is, to a server that promises the same.
    pub require_tls: bool,
}

/// A connection over which mail can be sent.
pub struct Connection {
    driver: Driver<smtp::Client, Outgoing>,
    wire: Wire,
    address: SocketAddr,
    security: Security,
    limits: pillarbox_engine::limits::Limits,
    next_id: u32,
    /// A delivery was begun and its caller went away: where the conversation stands nobody knows.
    abandoned: bool,
}

/// Why this address does not do.
struct Unopened {
    error: OpenError,
    /// A login was tried: what one address refuses the others do too.
    logged_in: bool,
}

/// See [`Client::open`].
pub(super) async fn open(
    client: &Client,
    target: &Target,
    settings: &Settings,
) -> Result<Connection, OpenError> {
    let mut left = interleaved(&target.addresses);
    left.truncate(ADDRESSES_MAX);
    let mut last = None;
    while !left.is_empty() {
        let (stream, address) = match dial(&left, settings.connect_within).await {
            Ok(answered) => answered,
            Err(gone) => {
                let diagnosis = format!("4.4.1 The server cannot be reached: {}", gone.error);
                let is_ours = gone.error.raw_os_error().is_some_and(|errno| OURS.contains(&errno));
                let kind = if is_ours { OpenErrorKind::Here } else { OpenErrorKind::Unreachable };
                let error = OpenError::new(kind, diagnosis).at(gone.address);
                // What an address that answered said is worth more.
                return Err(last.unwrap_or(error));
            }
        };
        left.retain(|other| *other != address);
        let begun = begin(client, target, settings, &settings.security, stream, address).await;
        let unopened = match begun {
            Err(unopened)
                if unopened.error.kind == OpenErrorKind::Tls
                    && settings.security == Security::Opportunistic =>
            {
                match in_the_clear(client, target, settings, address, unopened).await {
                    Ok(connection) => return Ok(connection),
                    Err(unopened) => unopened,
                }
            }
            Err(unopened) => unopened,
            Ok(connection) => return Ok(connection),
        };
        if unopened.logged_in || unopened.error.kind == OpenErrorKind::Here {
            return Err(unopened.error);
        }
        tracing::debug!(host = target.name, %address, error = %unopened.error, "tried without success");
        last = Some(unopened.error);
    }
    let none =
        || OpenError::new(OpenErrorKind::NoAddress, "4.4.4 The server has no address".into());
    Err(last.unwrap_or_else(none))
}

/// RFC 7435 §3: what cannot be secured is done in the clear, where nothing more was asked for.
async fn in_the_clear(
    client: &Client,
    target: &Target,
    settings: &Settings,
    address: SocketAddr,
    unopened: Unopened,
) -> Result<Connection, Unopened> {
    tracing::info!(host = target.name, %address, error = %unopened.error,
        "no TLS with this server; going on in the clear");
    match dial(&[address], settings.connect_within).await {
        Ok((stream, _)) => begin(client, target, settings, &Security::None, stream, address).await,
        Err(_) => Err(unopened),
    }
}

/// Holds the conversation up to where mail can be sent.
async fn begin(
    client: &Client,
    target: &Target,
    settings: &Settings,
    security: &Security,
    stream: TcpStream,
    address: SocketAddr,
) -> Result<Connection, Unopened> {
    // What is written is written whole; waiting to fill a segment would only delay it.
    drop(stream.set_nodelay(true));
    let key = next_key();
    let config = Config {
        host_name: settings.host_name.clone().into_bytes(),
        service: settings.service,
        tls: security.policy(),
        login: settings.login.is_some(),
        limits: settings.limits.clone(),
        timeouts: settings.timeouts,
        trace: client.trace.is_some(),
    };
    let session = client.engine.smtp_client(config, now(client.started)).map_err(|error| {
        let diagnosis = match error {
            StartError::NoSlot => "4.3.2 No slot is free for another connection".to_owned(),
            StartError::Trap(trap) => format!("4.3.0 A session could not be started: {trap}"),
        };
        let error = OpenError::new(OpenErrorKind::Here, diagnosis).at(address);
        Unopened { error, logged_in: false }
    })?;
    let outgoing = Outgoing::new(client, target, settings, security, key);
    let transcript = transcript(client, target, address, key, PROTOCOL);
    let record = Record::new(transcript, None);
    let mut connection = Connection {
        driver: Driver::new(outgoing, session, record),
        wire: Wire::plain(stream),
        address,
        security: security.clone(),
        limits: settings.limits.clone(),
        next_id: 1,
        abandoned: false,
    };
    let ended = match connection.driver.begin(&mut connection.wire, false).await {
        Ok(()) => connection.driver.run(&mut connection.wire).await,
        Err(end) => Err(end),
    };
    let kind = match &ended {
        Ok(()) | Err(End::Cut(_) | End::Unread(_)) => OpenErrorKind::Session,
        Err(End::Unsecured(_)) => OpenErrorKind::Tls,
        Err(End::Trap(_)) => OpenErrorKind::Here,
    };
    let why = ended.err().and_then(|end| connection.end(end));
    let host = &connection.driver.host;
    match host.done() {
        None if host.offer().is_some() && why.is_none() => Ok(connection),
        failure => {
            let logged_in = host.has_logged_in();
            let failure = failure.cloned().flatten();
            let failure = why.map(|diagnosis| lost(Stage::Session, diagnosis)).or(failure);
            let failure = failure
                .unwrap_or_else(|| lost(Stage::Session, "4.4.2 The connection ended".to_owned()));
            drop(connection.wire.shutdown().await);
            // Without TLS that is required the session itself has said so.
            let no_tls = failure.diagnosis.starts_with("4.7.10");
            let kind = if no_tls { OpenErrorKind::Tls } else { kind };
            let error = OpenError { kind, address: Some(address), failure };
            Err(Unopened { error, logged_in })
        }
    }
}

pub(super) fn transcript(
    client: &Client,
    target: &Target,
    address: SocketAddr,
    key: u64,
    protocol: &str,
) -> Option<Transcript> {
    let (name, session) = (&target.name, format!("{key:x}"));
    match client.trace.as_ref()? {
        Trace::Directory(directory) => {
            let peer = format!("{name} {address}");
            Transcript::create(directory, protocol, &session, &peer, Ends::Client)
        }
        Trace::Writer(writer) => {
            let writer = Box::new(super::outgoing::Shared(Arc::clone(writer)));
            Some(Transcript::new(writer, Ends::Client))
        }
    }
}

fn lost(stage: Stage, diagnosis: String) -> Failure {
    Failure { stage, reply: None, diagnosis }
}

impl Connection {
    /// What the server said of itself.
    #[must_use]
    pub fn offer(&self) -> Option<&Offer> {
        self.driver.host.offer()
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the TLS handshake gave; none in the clear.
    #[must_use]
    pub fn tls(&self) -> Option<&TlsFacts> {
        self.driver.host.tls()
    }

    /// Whether it is proven who the server is.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.tls().is_some() && self.security.is_verified()
    }

    /// Names the session in logs and transcripts.
    #[must_use]
    pub fn session_id(&self) -> String {
        use crate::drive::Host;
        self.driver.host.session_id()
    }

    /// Whether another message can be sent; hears what the server said meanwhile, and waits for nothing.
    pub async fn is_usable(&mut self) -> bool {
        if self.is_over() {
            return false;
        }
        self.driver.host.wait_for(Until::Nothing);
        let heard = match self.driver.listen(&mut self.wire).await {
            Ok(()) => self.driver.run(&mut self.wire).await,
            Err(end) => Err(end),
        };
        if let Err(end) = heard {
            self.end(end);
        }
        !self.is_over()
    }

    fn is_over(&self) -> bool {
        self.abandoned || self.driver.is_closed() || self.driver.host.done().is_some()
    }

    /// Sends a message, and says what became of each recipient, in order.
    ///
    /// If the future is dropped before its end the connection is of no more use.
    pub async fn deliver(&mut self, envelope: Envelope, source: Arc<dyn Source>) -> Vec<Fate> {
        let count = envelope.recipients.len();
        // RFC 8689 §5: a report must not be lost for want of it.
        let is_report = envelope.mail.reverse_path.is_none();
        if (envelope.require_tls || envelope.mail.require_tls && !is_report)
            && self.tls().is_some()
            && !self.is_verified()
        {
            // RFC 8689 §4.2.1. The session cannot know what the handshake proved.
            let diagnosis = "5.7.10 The message requires TLS with a verified server".to_owned();
            return vec![Fate::Failed(lost(Stage::Session, diagnosis)); count];
        }
        if !self.is_usable().await {
            let failure = self.driver.host.done().cloned().flatten();
            let over = || lost(Stage::Session, "4.4.2 The connection is over".to_owned());
            return vec![Fate::Deferred(failure.unwrap_or_else(over)); count];
        }
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        let Envelope { mail, recipients, plain, require_tls } = envelope;
        let (message, size) = (u64::from(id), source.size());
        let delivery =
            Delivery { id, mail, recipients, message, offset: 0, size, plain, require_tls };
        if delivery.check(&self.limits).is_err() {
            // A session would take it for its host's mistake, and end.
            let diagnosis = "5.1.3 An address or a parameter cannot be sent as it is".to_owned();
            return vec![Fate::Failed(lost(Stage::Session, diagnosis)); count];
        }
        self.driver.host.begin_delivery(id, message, source);
        self.abandoned = true;
        let fates = self.delivered(delivery, count).await;
        self.abandoned = false;
        self.driver.host.end_delivery();
        if self.driver.is_closed() {
            drop(self.wire.shutdown().await);
        }
        fates
    }

    async fn delivered(&mut self, delivery: Delivery, count: usize) -> Vec<Fate> {
        let ended = match self.driver.call(&mut self.wire, Call::Deliver(delivery)).await {
            Ok(()) => self.driver.run(&mut self.wire).await,
            Err(end) => Err(end),
        };
        let why = ended.err().and_then(|end| self.end(end));
        let fates = self.driver.host.take_fates().filter(|fates| fates.len() == count);
        let Some(mut fates) = fates else {
            // The session broke, and nobody knows how far it was.
            let diagnosis = why.unwrap_or_else(|| "4.3.0 The session ended".to_owned());
            return vec![Fate::Uncertain(lost(Stage::EndOfData, diagnosis)); count];
        };
        if let Some(why) = why {
            for fate in &mut fates {
                if let Fate::Deferred(failure) | Fate::Uncertain(failure) = fate
                    && failure.reply.is_none()
                {
                    failure.diagnosis.clone_from(&why);
                }
            }
        }
        fates
    }

    /// Says goodbye.
    pub async fn quit(mut self) {
        if !self.is_usable().await {
            return;
        }
        self.driver.host.wait_for(Until::Close);
        let goodbye = async {
            match self.driver.call(&mut self.wire, Call::Quit).await {
                Ok(()) => self.driver.run(&mut self.wire).await,
                Err(end) => Err(end),
            }
        };
        // Whether the goodbye was heard changes nothing any more.
        drop(tokio::time::timeout(GOODBYE_WITHIN, goodbye).await);
        drop(self.wire.shutdown().await);
    }

    /// The connection ended before its session: the session is told; gives why, in words for the report, if more is known
    /// than the session does.
    fn end(&mut self, end: End) -> Option<String> {
        use crate::drive::Host;
        let (session, peer) = (self.session_id(), self.address);
        let why = match end {
            End::Cut(error) | End::Unread(error) => {
                tracing::debug!(session, %peer, %error, "the connection was cut");
                format!("4.4.2 The connection was lost: {error}")
            }
            End::Unsecured(error) => {
                tracing::info!(session, %peer, %error, "no TLS with this server");
                format!("4.7.5 There is no TLS with the server: {error}")
            }
            End::Trap(trap) => {
                self.driver.host.trapped(&trap);
                tracing::error!(protocol = PROTOCOL, session, %peer, %trap,
                    "a session broke its sandbox; only this connection ends");
                return Some("4.3.0 The session broke".to_owned());
            }
        };
        if let Err(trap) = self.driver.lose(&mut self.wire) {
            return self.end(End::Trap(trap));
        }
        debug_assert!(self.driver.host.is_content() || self.driver.is_closed());
        Some(why)
    }
}
