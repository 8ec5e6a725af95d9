//! Carries mail over SMTP: hosts looked up, a connection to the first that serves us, and the next hosts for what the
//! first one defers.

use std::net::SocketAddr;
use std::sync::Arc;

use pillarbox_engine::relay::{Hop, Lookup, Unreached};
use pillarbox_engine::smtp::RcptTo;
use pillarbox_engine::smtp::client::types::Fate;
use pillarbox_engine::types::{BlobId, BlobRange, Reason};
use pillarbox_world::service::Backend;

use super::ask::{fate_of, next_host_may_help, same_host_may_help};
use super::carrier::{Carrier, Connection, NotReached, Parcel, Proof};
use super::hosts::{Host, Hosts};
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
        Self { shared: Arc::new(Shared { backend, client, hosts, host_name, message_max }) }
    }
}

impl Carrier for Outgoing {
    type Connection = Sending;

    async fn connect(
        &self,
        hop: &Hop,
        proof: Proof,
        login: Option<&RouteLogin>,
    ) -> Result<Sending, NotReached> {
        let shared = Arc::clone(&self.shared);
        let seed = shared.backend.relaying().seed ^ shared.backend.relaying().clock.now_ms();
        let engine = Arc::clone(shared.backend.engine());
        let nowhere = |why| NotReached { fate: fate_of(&engine, why), server: None };
        let (names, is_proven) = shared.hosts.names(hop, seed).await.map_err(nowhere)?;
        let login = login.map(|login| read_login(login, hop)).transpose().map_err(nowhere)?;
        let (hop, names) = (hop.clone(), names.into());
        let mut way = Way { shared, hop, proof, names, is_proven, login };
        let mut failed = nowhere(Unreached::NoAddress);
        while let Some(opened) = way.next().await {
            match opened {
                Ok((connection, server)) => return Ok(Sending { connection, server, way }),
                // A failure that later tries may mend outweighs one for good: RFC 5321 §5.1 has all hosts tried.
                Err(error) if matches!(error.fate, Fate::Deferred(_)) => failed = error,
                Err(error) if failed.server.is_none() && matches!(failed.fate, Fate::Failed(_)) => {
                    failed = error;
                }
                Err(_) => {}
            }
        }
        Err(failed)
    }
}

/// The hosts that were not tried yet.
struct Way {
    shared: Arc<Shared>,
    hop: Hop,
    proof: Proof,
    names: std::collections::VecDeque<String>,
    is_proven: bool,
    login: Option<Login>,
}

impl Way {
    /// A connection to the next host, or why there is none; nothing if there is no host left.
    async fn next(&mut self) -> Option<Result<(client::Connection, String), NotReached>> {
        let name = self.names.pop_front()?;
        Some(self.to(&name).await.map(|connection| (connection, name)))
    }

    /// A connection to this host, or why there is none.
    async fn to(&self, name: &str) -> Result<client::Connection, NotReached> {
        let found = self.shared.hosts.host(&self.hop, self.proof, name, self.is_proven).await;
        let Host { target, security } = found.map_err(|why| {
            let fate = fate_of(self.shared.backend.engine(), why);
            NotReached { fate, server: None }
        })?;
        let mut settings = Settings::new(self.shared.host_name.clone());
        settings.service = self.hop.service;
        settings.security = security;
        settings.login.clone_from(&self.login);
        settings.limits.message_max = self.shared.message_max;
        let opened = self.shared.client.open(&target, &settings).await;
        let failed = |OpenError { kind, failure, .. }| {
            let server = Some(name.to_owned().into_bytes());
            let fate = match (self.proof, kind) {
                (Proof::Required, OpenErrorKind::Tls) => {
                    fate_of(self.shared.backend.engine(), Unreached::TlsRequired)
                }
                _ => Fate::Deferred(failure),
            };
            NotReached { fate, server }
        };
        opened.map_err(failed)
    }
}

/// An open connection, and the hosts behind it.
pub(crate) struct Sending {
    connection: client::Connection,
    server: String,
    way: Way,
}

impl Connection for Sending {
    fn server(&self) -> Vec<u8> {
        self.server.clone().into_bytes()
    }

    fn reports(&self) -> bool {
        self.connection.offer().is_some_and(|offer| offer.extensions.dsn)
    }

    async fn is_usable(&mut self) -> bool {
        self.connection.is_usable().await
    }

    async fn deliver(&mut self, parcel: Parcel) -> Vec<Fate> {
        let mut fates = self.once(&parcel, parcel.recipients.clone()).await;
        self.finish(&parcel, &mut fates).await;
        // RFC 5321 §5.1: who was put off is offered to the domain's next hosts.
        while !self.way.names.is_empty() {
            let open = self.open(&fates, next_host_may_help);
            if open.is_empty() {
                break;
            }
            match self.way.next().await {
                None => break,
                Some(Err(NotReached { fate, .. })) => {
                    // That host may yet offer what this one does not: the message waits for it.
                    for place in open {
                        if matches!((&fates[place], &fate), (Fate::Failed(_), Fate::Deferred(_))) {
                            fates[place] = fate.clone();
                        }
                    }
                    continue;
                }
                Some(Ok((connection, server))) => {
                    self.change_to(connection).await;
                    self.server = server;
                }
            }
            self.again(&parcel, &mut fates, open).await;
            self.finish(&parcel, &mut fates).await;
        }
        fates
    }

    async fn quit(self) {
        self.connection.quit().await;
    }
}

impl Sending {
    /// RFC 9422: who had no turn before the server had served as many messages as it allows over one connection gets it
    /// over another one, for as long as that serves anybody.
    async fn finish(&mut self, parcel: &Parcel, fates: &mut [Fate]) {
        let mut before = usize::MAX;
        loop {
            let open = self.open(fates, same_host_may_help);
            if open.is_empty() || open.len() >= before {
                return;
            }
            before = open.len();
            let Ok(connection) = self.way.to(&self.server).await else { return };
            self.change_to(connection).await;
            self.again(parcel, fates, open).await;
        }
    }

    /// The places of those whose fate is not the last one.
    fn open(&self, fates: &[Fate], may_help: fn(&Engine, &Fate) -> bool) -> Vec<usize> {
        let engine = self.way.shared.backend.engine();
        (0..fates.len()).filter(|place| may_help(engine, &fates[*place])).collect()
    }

    async fn change_to(&mut self, connection: client::Connection) {
        std::mem::replace(&mut self.connection, connection).quit().await;
    }

    /// Offers the message to some of its recipients once more.
    async fn again(&mut self, parcel: &Parcel, fates: &mut [Fate], places: Vec<usize>) {
        let to = places.iter().map(|place| parcel.recipients[*place].clone()).collect();
        for (place, fate) in places.into_iter().zip(self.once(parcel, to).await) {
            fates[place] = fate;
        }
    }

    async fn once(&mut self, parcel: &Parcel, recipients: Vec<RcptTo>) -> Vec<Fate> {
        let backend = Arc::clone(&self.way.shared.backend);
        let source = Stored { backend, blob: parcel.blob, skip: parcel.skip, size: parcel.size };
        let envelope = Envelope {
            mail: parcel.mail.clone(),
            recipients,
            plain: parcel.plain,
            require_tls: parcel.mail.require_tls && parcel.mail.reverse_path.is_some(),
        };
        self.connection.deliver(envelope, Arc::new(source)).await
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
