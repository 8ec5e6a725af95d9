//! Carries mail over SMTP: hosts looked up, a connection to the first that serves us, and the next hosts for what the
//! first one defers.

use std::net::SocketAddr;
use std::sync::Arc;

use pillarbox_engine::relay::{Fared, Handover, Hop, Lookup, Unreached};
use pillarbox_engine::smtp::RcptTo;
use pillarbox_engine::smtp::client::types::{Failure, Fate};
use pillarbox_engine::types::{BlobId, BlobRange, Reason};
use pillarbox_world::service::Backend;

use super::ask::{broke, next_host_may_help, same_host_may_help, unserved};
use super::carrier::{Carrier, Connection, NotReached, Parcel, Proof};
use super::hosts::{Host, Hosts, Named};
use super::resting::{Attempt, Rest, Resting, Serving};
use super::said::{Line, Said};
use crate::backend::HostBackend;
use crate::client::policy::Policies;
use crate::client::{
    self, Client, Envelope, Login, OpenError, OpenErrorKind, Secret, Settings, Source,
};
use crate::config::RouteLogin;
use crate::dns::Dns;
use crate::engine::Engine;

/// Carries mail over SMTP.
pub(crate) struct Outgoing {
    shared: Arc<Shared>,
}

struct Shared {
    backend: Arc<HostBackend>,
    client: Client,
    hosts: Hosts,
    host_name: String,
    message_max: u64,
    /// What was said, for those who are to see it.
    said: Option<Said>,
}

impl Shared {
    fn resting(&self) -> &Resting {
        &self.backend.relaying().resting
    }

    fn now_ms(&self) -> u64 {
        self.backend.relaying().clock.now_ms()
    }

    /// Nothing was talked to.
    fn nowhere(&self, why: Unreached) -> NotReached {
        NotReached { fared: unserved(self.backend.engine(), why), rest: None }
    }
}

impl Outgoing {
    /// By this client; `own_addresses` are where mail is taken here.
    pub(crate) fn new(
        backend: Arc<HostBackend>,
        client: Client,
        (dns, policies): (Dns, Policies),
        own_addresses: Vec<SocketAddr>,
        message_max: u64,
    ) -> Self {
        let host_name = String::from_utf8_lossy(backend.host_name()).into_owned();
        let own_names = vec![backend.host_name().to_vec()];
        let engine = Arc::clone(backend.engine());
        let hosts = Hosts { engine, dns, policies, own_names, own_addresses };
        let said = None;
        Self { shared: Arc::new(Shared { backend, client, hosts, host_name, message_max, said }) }
    }

    /// The same, and what is said is kept for those who are to see it.
    pub(crate) fn telling(mut self, said: Option<Said>) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.said = said;
        }
        self
    }
}

impl Carrier for Outgoing {
    type Connection = Sending;

    async fn connect(
        &self,
        hop: &Hop,
        proof: Proof,
        login: Option<&RouteLogin>,
        urgent: bool,
    ) -> Result<Sending, NotReached> {
        let shared = Arc::clone(&self.shared);
        let seed = shared.backend.relaying().seed ^ shared.now_ms();
        let nowhere = |why| shared.nowhere(why);
        let (names, named) = shared.hosts.names(hop, seed).await.map_err(nowhere)?;
        let login = login.map(|login| read_login(login, hop)).transpose().map_err(nowhere)?;
        let mut failed = nowhere(Unreached::NoAddress).fared;
        let (hop, names) = (hop.clone(), names.into());
        let mut way = Way { shared, hop, proof, names, named, login, urgent };
        let mut rests = Vec::new();
        while let Some(opened) = way.next().await {
            match opened {
                Ok(opened) => return Ok(Sending { opened, way }),
                Err(NotReached { fared, rest }) => {
                    rests.push(rest);
                    let is_first =
                        matches!(failed.fate, Fate::Failed(_)) && failed.server.is_none();
                    // A failure that later tries may mend outweighs one for good: RFC 5321 §5.1 has all hosts tried.
                    if is_first || matches!(fared.fate, Fate::Deferred(_)) {
                        failed = fared;
                    }
                }
            }
        }
        Err(NotReached { fared: failed, rest: soonest(rests) })
    }
}

/// The hosts that were not tried yet.
struct Way {
    shared: Arc<Shared>,
    hop: Hop,
    proof: Proof,
    names: std::collections::VecDeque<String>,
    named: Named,
    login: Option<Login>,
    urgent: bool,
}

impl Way {
    /// A connection to the next host, or why there is none; nothing if there is no host left.
    async fn next(&mut self) -> Option<Result<Opened, NotReached>> {
        let name = self.names.pop_front()?;
        Some(self.to(&name).await)
    }

    /// A connection to this host, or why there is none.
    async fn to(&self, name: &str) -> Result<Opened, NotReached> {
        let (shared, port) = (&self.shared, self.hop.port());
        let pause_ms = shared.backend.schedule().first_ms;
        let resting = shared.resting().find(name, port, shared.now_ms(), pause_ms);
        if let Some((rest, failure)) = resting.filter(|_| !self.urgent) {
            let fared = not_served(name, Fate::Deferred(failure));
            return Err(NotReached { fared, rest: Some(rest) });
        }
        let found = shared.hosts.host(&self.hop, self.proof, name, self.named).await;
        let Host { target, security } = found.map_err(|why| shared.nowhere(why))?;
        let mut settings = Settings::new(self.shared.host_name.clone());
        settings.service = self.hop.service;
        settings.security = security;
        settings.login.clone_from(&self.login);
        settings.limits.message_max = self.shared.message_max;
        let attempt = shared.resting().tries(name, port);
        let line = shared.said.as_ref().map(|_| Line::default());
        let opened = match &line {
            None => shared.client.open(&target, &settings).await,
            Some(line) => {
                shared.client.clone().told_to(line.writer()).open(&target, &settings).await
            }
        };
        match opened {
            Ok(connection) => {
                let (server, _serving) = (name.to_owned(), attempt.served());
                let line = line.map(|line| {
                    let address = connection.address();
                    let begun = match name == address.ip().to_string() {
                        true => format!("# SMTP with {address}\n"),
                        false => format!("# SMTP with {name} {address}\n"),
                    };
                    let begun = begun + &line.take();
                    (line, begun)
                });
                Ok(Opened { connection, server, line, _serving })
            }
            Err(error) => Err(self.not_reached(name, error, attempt)),
        }
    }

    fn not_reached(&self, name: &str, error: OpenError, attempt: Attempt) -> NotReached {
        let OpenError { kind, failure, .. } = error;
        if (self.proof, kind) == (Proof::Required, OpenErrorKind::Tls) {
            let Fared { fate, .. } = self.shared.nowhere(Unreached::TlsRequired).fared;
            return NotReached { fared: not_served(name, fate), rest: None };
        }
        // What this way asks of a host another may not: it rests only if it would serve nobody.
        let rests = match kind {
            OpenErrorKind::Unreachable => true,
            OpenErrorKind::Session => self.login.is_none(),
            OpenErrorKind::NoAddress | OpenErrorKind::Tls | OpenErrorKind::Here => false,
        };
        let rest = rests.then(|| self.rest(attempt, &failure)).flatten();
        NotReached { fared: not_served(name, Fate::Deferred(failure)), rest }
    }

    /// The host is left alone, for longer and longer.
    fn rest(&self, attempt: Attempt, failure: &Failure) -> Option<Rest> {
        let backend = &self.shared.backend;
        let (relaying, schedule) = (backend.relaying(), backend.schedule());
        let pause_ms = |failures: u32| {
            let seed = relaying.seed ^ u64::from(failures);
            let pause_ms = backend.engine().relay().host_backoff(failures, &schedule, seed);
            pause_ms.unwrap_or_else(|trap| {
                broke(trap);
                schedule.first_ms
            })
        };
        attempt.failed(failure, self.shared.now_ms(), pause_ms)
    }
}

/// When the first of all hosts may be tried; none if one of them failed otherwise.
fn soonest(rests: Vec<Option<Rest>>) -> Option<Rest> {
    let rests = rests.into_iter().collect::<Option<Vec<Rest>>>()?;
    let is_new = rests.iter().any(|rest| rest.is_new);
    let first = rests.into_iter().min_by_key(|rest| rest.until_ms)?;
    Some(Rest { is_new, ..first })
}

/// How recipients fared with a host that did not serve them.
fn not_served(name: &str, fate: Fate) -> Fared {
    let server = Some(name.to_owned().into_bytes());
    Fared { fate, server, handover: Handover::Silent }
}

/// An open connection, and to whom.
struct Opened {
    connection: client::Connection,
    server: String,
    /// Its transcript, and how that began, before any message.
    line: Option<(Line, String)>,
    _serving: Serving,
}

/// An open connection, and the hosts behind it.
pub(crate) struct Sending {
    opened: Opened,
    way: Way,
}

impl Connection for Sending {
    async fn is_usable(&mut self) -> bool {
        self.opened.connection.is_usable().await
    }

    async fn deliver(&mut self, parcel: Parcel) -> Vec<Fared> {
        let mut fared = self.once(&parcel, parcel.recipients.clone()).await;
        self.finish(&parcel, &mut fared).await;
        // RFC 5321 §5.1: who was put off is offered to the domain's next hosts.
        while !self.way.names.is_empty() {
            let open = self.open(&fared, next_host_may_help);
            if open.is_empty() {
                break;
            }
            match self.way.next().await {
                None => break,
                Some(Err(NotReached { fared: next, .. })) => {
                    // That host may yet offer what this one does not: the message waits for it.
                    for place in open {
                        let here = &fared[place].fate;
                        if matches!((here, &next.fate), (Fate::Failed(_), Fate::Deferred(_))) {
                            fared[place] = next.clone();
                        }
                    }
                    continue;
                }
                Some(Ok(opened)) => self.change_to(opened).await,
            }
            self.again(&parcel, &mut fared, open).await;
            self.finish(&parcel, &mut fared).await;
        }
        fared
    }

    async fn quit(self) {
        self.opened.connection.quit().await;
    }
}

impl Sending {
    /// RFC 9422: who had no turn before the server had served as many messages as it allows over one connection gets it
    /// over another one, for as long as that serves anybody.
    async fn finish(&mut self, parcel: &Parcel, fared: &mut [Fared]) {
        let mut before = usize::MAX;
        loop {
            let open = self.open(fared, same_host_may_help);
            if open.is_empty() || open.len() >= before {
                return;
            }
            before = open.len();
            let Ok(opened) = self.way.to(&self.opened.server).await else { return };
            self.change_to(opened).await;
            self.again(parcel, fared, open).await;
        }
    }

    /// The places of those whose fate is not the last one.
    fn open(&self, fared: &[Fared], may_help: fn(&Engine, &Fate) -> bool) -> Vec<usize> {
        let engine = self.way.shared.backend.engine();
        (0..fared.len()).filter(|place| may_help(engine, &fared[*place].fate)).collect()
    }

    async fn change_to(&mut self, opened: Opened) {
        std::mem::replace(&mut self.opened, opened).connection.quit().await;
    }

    /// Offers the message to some of its recipients once more.
    async fn again(&mut self, parcel: &Parcel, fared: &mut [Fared], places: Vec<usize>) {
        let to = places.iter().map(|place| parcel.recipients[*place].clone()).collect();
        for (place, again) in places.into_iter().zip(self.once(parcel, to).await) {
            fared[place] = again;
        }
    }

    async fn once(&mut self, parcel: &Parcel, recipients: Vec<RcptTo>) -> Vec<Fared> {
        let backend = Arc::clone(&self.way.shared.backend);
        let source = Stored { backend, blob: parcel.blob, skip: parcel.skip, size: parcel.size };
        let envelope = Envelope {
            mail: parcel.mail.clone(),
            recipients,
            plain: parcel.plain,
            require_tls: parcel.mail.require_tls && parcel.mail.reverse_path.is_some(),
        };
        let Opened { connection, server, line, .. } = &mut self.opened;
        // What came before is about nothing or about others.
        line.as_ref().map(|(line, _)| line.take());
        let fates = connection.deliver(envelope, Arc::new(source)).await;
        if let (Some(said), Some((line, begun))) = (&self.way.shared.said, line) {
            said.keep(parcel.blob, format!("{begun}{}", line.take()));
        }
        // RFC 3461 §5.2.1: a server that offers DSN tells of success itself.
        let reports = connection.offer().is_some_and(|offer| offer.extensions.dsn);
        let handover = if reports { Handover::Reporting } else { Handover::Silent };
        let server = server.as_bytes();
        let fared = |fate| Fared { fate, server: Some(server.to_vec()), handover };
        fates.into_iter().map(fared).collect()
    }
}

/// A message in the store, without what is not sent.
struct Stored {
    backend: Arc<HostBackend>,
    blob: BlobId,
    skip: u64,
    size: u64,
}

impl Source for Stored {
    fn size(&self) -> u64 {
        self.size
    }

    fn octets(&self, offset: u64, length: u64) -> Result<Vec<u8>, Reason> {
        if offset.saturating_add(length) > self.size {
            return Err(Reason::NotFound);
        }
        let range = BlobRange { blob: self.blob, offset: self.skip + offset, length };
        self.backend.store().octets(range)
    }
}

/// The login of a route; its file is read each time, so that a password can be changed.
fn read_login(login: &RouteLogin, hop: &Hop) -> Result<Login, Unreached> {
    let file = login.password_file.display();
    let text = std::fs::read_to_string(&login.password_file).map_err(|error| {
        tracing::error!(%file, %error, "relay.routes: the password_file cannot be read");
        Unreached::OurFault
    })?;
    let password = text.lines().next().unwrap_or_default().to_owned();
    let address = std::str::from_utf8(&hop.next_hop.host).ok().and_then(|text| text.parse().ok());
    let is_here =
        hop.next_hop.lookup == Lookup::Nothing && address.is_some_and(crate::config::is_loopback);
    Login::new(login.user.clone(), Secret::Password(password), None, is_here).map_err(|error| {
        tracing::error!(%file, ?error, "relay.routes: no login can be made of user and password");
        Unreached::OurFault
    })
}
