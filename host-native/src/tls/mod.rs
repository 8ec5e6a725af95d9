//! TLS on both sides: certificates from files, taken anew when they change, or one made here for development; and what
//! other servers' certificates must prove.
//! What the protocols need to know of a handshake leaves as `TlsFacts`.

mod authorities;
mod certificate;
mod client;
mod clients;
mod dane;
mod der;
mod facts;
mod metered;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use pillarbox_engine::types::TlsFacts;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::danger::ClientCertVerifier;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::error::Error;
use crate::limits::{HANDSHAKE_OCTETS, HANDSHAKE_SECONDS, Hits, Limit};
use certificate::Loaded;

pub use client::{ClientTls, Trust};
pub use clients::{ClientAuth, client_config};
pub use dane::Associations;
pub use metered::Metered;

/// A peer that has not finished its handshake by then is cut.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(HANDSHAKE_SECONDS);
/// How often the files of a certificate are looked at, at most.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Where the server's certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// These PEM files: the chain, the server's own certificate first, and its private key.
    Files {
        /// The chain.
        certificate: PathBuf,
        /// The private key.
        key: PathBuf,
    },
    /// A certificate for this machine alone, made when it is first needed and kept in this directory, if any.
    SelfSigned(Option<PathBuf>),
}

/// The server's side of TLS, shared by all listeners.
pub struct ServerTls {
    source: Source,
    clients: ClientAuth,
    hits: Hits,
    current: Mutex<Current>,
}

struct Current {
    loaded: Arc<Loaded>,
    /// When the files were changed that this was read from.
    changed: Changed,
    looked: Instant,
}

type Changed = [Option<SystemTime>; 3];

impl ServerTls {
    /// Reads the certificate, or makes it.
    ///
    /// # Errors
    /// A file cannot be read or is no certificate or key; the message names it.
    pub fn new(
        source: Source,
        clients: ClientAuth,
        host_name: &str,
        hits: Hits,
    ) -> Result<Self, Error> {
        let changed = changed(&source, &clients);
        let loaded = match &source {
            Source::Files { certificate, key } => {
                certificate::check_key(key)?;
                certificate::read(certificate, key, &clients)?
            }
            Source::SelfSigned(directory) => {
                certificate::self_signed(directory.as_deref(), host_name, &clients)?
            }
        };
        let current = Current { loaded: Arc::new(loaded), changed, looked: Instant::now() };
        Ok(Self { source, clients, hits, current: Mutex::new(current) })
    }

    /// The handshake, as the server of this protocol (RFC 7301): the stream, what the session may know, and whom a
    /// client's certificate names. Who names protocols, and not this one, was led here by somebody else: a browser may
    /// be made to send a form to a mail server that has the web server's certificate.
    ///
    /// # Errors
    /// The peer broke off, speaks no TLS that is safe today or another protocol, or took too long or too much.
    pub async fn accept(&self, stream: TcpStream, protocol: &str) -> std::io::Result<Secured> {
        let loaded = self.loaded();
        let mut config = ServerConfig::clone(&loaded.config);
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let stream = Metered::new(stream, HANDSHAKE_OCTETS);
        let Ok(handshake) = tokio::time::timeout(HANDSHAKE_WITHIN, acceptor.accept(stream)).await
        else {
            self.hits.hit(Limit::HandshakeSeconds);
            let slow = "the handshake took too long";
            return Err(std::io::Error::new(std::io::ErrorKind::TimedOut, slow));
        };
        let mut stream = handshake.inspect_err(|error| {
            if Metered::is_exceeded(error) {
                self.hits.hit(Limit::HandshakeOctets);
            }
        })?;
        stream.get_mut().0.open();
        let connection = stream.get_ref().1;
        let own = connection.peer_certificates().and_then(<[_]>::first);
        let identities = own.map_or_else(Vec::new, |own| der::identities(own));
        let identity = identities.first().map(|name| name.clone().into_bytes());
        let facts = facts::of_server(connection, &loaded.end_point, identity);
        Ok(Secured { stream, facts, identities })
    }

    /// Looks whether the files have changed as long as the server runs, so that a broken pair is told of when it is
    /// made, and not when the next client comes.
    pub async fn watch(&self) {
        let mut rounds = tokio::time::interval(LOOK_EVERY);
        loop {
            rounds.tick().await;
            drop(self.loaded());
        }
    }

    /// The certificate as it is now: a renewed one is taken without a restart, a broken one leaves the old.
    fn loaded(&self) -> Arc<Loaded> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.looked.elapsed() >= LOOK_EVERY {
            current.looked = Instant::now();
            self.look_again(&mut current);
        }
        Arc::clone(&current.loaded)
    }

    fn look_again(&self, current: &mut Current) {
        let Source::Files { certificate, key } = &self.source else { return };
        let changed = changed(&self.source, &self.clients);
        if changed == current.changed {
            return;
        }
        let read = certificate::check_key(key);
        match read.and_then(|()| certificate::read(certificate, key, &self.clients)) {
            Ok(loaded) => {
                tracing::info!(certificate = %certificate.display(), "the certificate was renewed");
                current.loaded = Arc::new(loaded);
            }
            Err(error) => {
                tracing::error!(%error, "the new certificate is not used; the old one stays");
            }
        }
        // A broken pair is not read again until it changes again.
        current.changed = changed;
    }
}

/// A connection after its handshake.
pub struct Secured {
    /// What is said on it.
    pub stream: TlsStream<Metered>,
    /// What the session may know.
    pub facts: TlsFacts,
    /// Whom the client's certificate names, the first one first; empty without one.
    pub identities: Vec<String>,
}

/// When the files changed, each of its own: the newest alone would miss an older one that takes its place.
fn changed(source: &Source, clients: &ClientAuth) -> Changed {
    let changed = |path: &Path| std::fs::metadata(path).and_then(|data| data.modified()).ok();
    let authorities = clients.file().and_then(changed);
    match source {
        Source::Files { certificate, key } => [changed(certificate), changed(key), authorities],
        Source::SelfSigned(_) => [None, None, authorities],
    }
}

/// Fills this with random octets; false if the system has none.
pub(crate) fn fill_random(octets: &mut [u8]) -> bool {
    provider().secure_random.fill(octets).is_ok()
}

/// What does the mathematics.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A configuration for a server with this certificate.
fn server_config(
    chain: Vec<rustls::pki_types::CertificateDer<'static>>,
    key: rustls::pki_types::PrivateKeyDer<'static>,
    clients: Arc<dyn ClientCertVerifier>,
) -> Result<ServerConfig, rustls::Error> {
    ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(clients)
        .with_single_cert(chain, key)
}
