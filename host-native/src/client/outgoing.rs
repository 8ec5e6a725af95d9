//! A client session as the drive loop's host: it reads the message that is sent, logs in, secures, and keeps what the
//! session says of itself until the connection asks for it.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pillarbox_engine::sasl::LoginSecret;
use pillarbox_engine::smtp;
use pillarbox_engine::smtp::client::types::{Answer, Ask, Call, Event, Failure, Fate, Offer};
use pillarbox_engine::types::{BlobId, BlobRange, Now, Reason, Refusal, TlsFacts};
use pillarbox_world::hub::SessionKey;
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

use super::connection::PROTOCOL;
use super::{Client, Login, Security, Settings, Source, Target, Trust};
use crate::drive::{Host, Interrupt};
use crate::engine::{Driven, Trap};
use crate::serve::{Metrics, shown};
use crate::tls::{ClientTls, Metered};

/// What a session is run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// Only what is there already.
    Nothing,
    /// The server is known, or there is no mail with it.
    Ready,
    /// A delivery is over.
    Fates,
    /// The session is over.
    Close,
}

/// What answers a client session.
pub(super) struct Outgoing {
    key: SessionKey,
    started: Instant,
    metrics: Option<Arc<Metrics>>,
    tls: Arc<ClientTls>,
    name: String,
    trust: Trust,
    verified: bool,
    login: Option<Login>,
    has_logged_in: bool,
    until: Until,
    message: Option<(BlobId, Arc<dyn Source>)>,
    /// The delivery that is under way.
    delivery: u32,
    offer: Option<Offer>,
    facts: Option<TlsFacts>,
    /// The session's end, and why.
    done: Option<Option<Failure>>,
    fates: Option<Vec<Fate>>,
    /// A part of the message could not be read that was to be written, and the session was not told yet.
    is_broken_off: bool,
}

impl Outgoing {
    pub(super) fn new(
        client: &Client,
        target: &Target,
        settings: &Settings,
        security: &Security,
        key: SessionKey,
    ) -> Self {
        let trust = match security {
            Security::None | Security::Opportunistic => Trust::Any,
            Security::Required(trust) | Security::Implicit(trust) => trust.clone(),
        };
        Self {
            key,
            started: client.started,
            metrics: client.metrics.clone(),
            tls: Arc::clone(&client.tls),
            name: target.name.clone(),
            trust,
            verified: security.is_verified(),
            login: settings.login.clone(),
            has_logged_in: false,
            until: Until::Ready,
            message: None,
            delivery: 0,
            offer: None,
            facts: None,
            done: None,
            fates: None,
            is_broken_off: false,
        }
    }

    pub(super) fn wait_for(&mut self, until: Until) {
        self.until = until;
    }

    pub(super) fn begin_delivery(&mut self, id: u32, message: BlobId, source: Arc<dyn Source>) {
        self.delivery = id;
        self.message = Some((message, source));
        self.fates = None;
        self.is_broken_off = false;
        self.until = Until::Fates;
    }

    pub(super) fn end_delivery(&mut self) {
        self.message = None;
    }

    pub(super) fn take_fates(&mut self) -> Option<Vec<Fate>> {
        self.fates.take()
    }

    pub(super) fn offer(&self) -> Option<&Offer> {
        self.offer.as_ref()
    }

    pub(super) fn tls(&self) -> Option<&TlsFacts> {
        self.facts.as_ref()
    }

    pub(super) fn done(&self) -> Option<&Option<Failure>> {
        self.done.as_ref()
    }

    pub(super) fn has_logged_in(&self) -> bool {
        self.has_logged_in
    }

    /// The session broke; it says nothing more.
    pub(super) fn trapped(&mut self, trap: &Trap) {
        self.done = Some(None);
        if let Some(metrics) = &self.metrics {
            metrics.traps.with_label_values(&[PROTOCOL, trap.kind()]).inc();
        }
    }

    fn message_octets(&self, range: BlobRange) -> Result<Vec<u8>, Reason> {
        match &self.message {
            Some((blob, source)) if *blob == range.blob => {
                source.octets(range.offset, range.length)
            }
            _ => Err(Reason::NotPermitted),
        }
    }
}

impl Host<smtp::Client> for Outgoing {
    // RFC 5321 §4.5.3.2.5.
    const WRITE_WITHIN: Duration = Duration::from_secs(180);
    // A server that refuses a message while it comes may read no more of it.
    const HEARS_WHILE_WRITING: bool = true;

    fn started(&self) -> Instant {
        self.started
    }

    fn session_id(&self) -> String {
        format!("{:x}", self.key)
    }

    fn ask_name(ask: &Ask) -> String {
        match ask {
            Ask::Login(_) => "login".to_owned(),
            Ask::Octets(_) => "octets".to_owned(),
        }
    }

    async fn answer(&mut self, _: Now, ask: Ask, _: &mut dyn Driven<smtp::Client>) -> Answer {
        match ask {
            Ask::Login(ask) => {
                self.has_logged_in = true;
                Answer::Login(match &self.login {
                    Some(login) => login.answer(ask, self.verified).await,
                    None => LoginSecret::NoLogin,
                })
            }
            Ask::Octets(range) => match self.message_octets(range) {
                Ok(octets) => Answer::Octets(octets),
                Err(reason) => {
                    let session = self.session_id();
                    tracing::error!(session, ?reason, ?range, "a message could not be read");
                    Answer::Refused(Refusal::new(reason))
                }
            },
        }
    }

    fn observe_answer(&mut self, _: &Answer) {}

    fn call(&mut self) -> Option<Call> {
        std::mem::take(&mut self.is_broken_off).then_some(Call::BrokenOff(self.delivery))
    }

    fn octets(&mut self, range: BlobRange) -> Result<Vec<u8>, Reason> {
        let octets = self.message_octets(range);
        self.is_broken_off |= octets.is_err();
        octets
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Ready(offer) => self.offer = Some(offer),
            Event::Finished(finished) => self.fates = Some(finished.fates),
            Event::Defect(rule) => {
                if let Some(metrics) = &self.metrics {
                    metrics.defects.with_label_values(&[PROTOCOL]).inc();
                }
                let (session, host) = (self.session_id(), &self.name);
                tracing::info!(
                    protocol = PROTOCOL,
                    session,
                    host,
                    rule = shown(&rule),
                    "the server broke a rule"
                );
            }
            Event::Done(failure) => self.done = Some(failure),
        }
    }

    async fn secure(&mut self, stream: TcpStream) -> io::Result<(TlsStream<Metered>, TlsFacts)> {
        let secured = self.tls.connect(stream, &self.name, &self.trust).await;
        if let Some(metrics) = &self.metrics {
            let outcome = if secured.is_ok() { "done" } else { "failed" };
            metrics.handshakes.with_label_values(&[PROTOCOL, outcome]).inc();
        }
        let (stream, facts) = secured?;
        self.facts = Some(facts.clone());
        Ok((stream.into(), facts))
    }

    fn count(&self, direction: &str, octets: usize) {
        if let Some(metrics) = &self.metrics {
            let labels = [PROTOCOL, direction];
            metrics.octets.with_label_values(&labels).inc_by(octets as u64);
        }
    }

    fn is_content(&self) -> bool {
        match self.until {
            Until::Nothing => true,
            Until::Ready => self.offer.is_some() || self.done.is_some(),
            Until::Fates => self.fates.is_some(),
            Until::Close => false,
        }
    }

    async fn interrupted(&mut self) -> Interrupt<smtp::Client> {
        // Who delivers also decides when to stop.
        std::future::pending().await
    }
}

/// Lets many transcripts go to one writer.
pub(super) struct Shared(pub(super) Arc<Mutex<dyn Write + Send>>);

impl Write for Shared {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}
