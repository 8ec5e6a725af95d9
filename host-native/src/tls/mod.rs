//! TLS on both sides: certificates from files, taken anew when they change, or one made here for development; and what
//! other servers' certificates must prove.
//! What the protocols need to know of a handshake leaves as `TlsFacts`.

mod certificate;
mod client;
mod facts;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use pillarbox_engine::types::TlsFacts;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::error::Error;
use certificate::Loaded;

pub use client::{ClientTls, Trust};

/// A peer that has not finished its handshake by then is cut.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(30);
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
    current: Mutex<Current>,
}

struct Current {
    loaded: Arc<Loaded>,
    /// When the files were changed that this was read from.
    changed: Option<SystemTime>,
    looked: Instant,
}

impl ServerTls {
    /// Reads the certificate, or makes it.
    ///
    /// # Errors
    /// A file cannot be read or is no certificate or key; the message names it.
    pub fn new(source: Source, host_name: &str) -> Result<Self, Error> {
        let (loaded, changed) = match &source {
            Source::Files { certificate, key } => {
                (certificate::read(certificate, key)?, changed(&source))
            }
            Source::SelfSigned(directory) => {
                (certificate::self_signed(directory.as_deref(), host_name)?, None)
            }
        };
        let current = Current { loaded: Arc::new(loaded), changed, looked: Instant::now() };
        Ok(Self { source, current: Mutex::new(current) })
    }

    /// The handshake, as the server.
    ///
    /// # Errors
    /// The peer broke off, speaks no TLS that is safe today, or took too long.
    pub async fn accept(
        &self,
        stream: TcpStream,
    ) -> std::io::Result<(TlsStream<TcpStream>, TlsFacts)> {
        let loaded = self.loaded();
        let acceptor = TlsAcceptor::from(Arc::clone(&loaded.config));
        let slow = || std::io::Error::new(std::io::ErrorKind::TimedOut, "the handshake took long");
        let handshake = tokio::time::timeout(HANDSHAKE_WITHIN, acceptor.accept(stream));
        let stream = handshake.await.map_err(|_| slow())??;
        let facts = facts::of_server(stream.get_ref().1, &loaded.end_point);
        Ok((stream, facts))
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
        let changed = changed(&self.source);
        if changed == current.changed {
            return;
        }
        match certificate::read(certificate, key) {
            Ok(loaded) => {
                tracing::info!(certificate = %certificate.display(), "the certificate was renewed");
                current.loaded = Arc::new(loaded);
            }
            Err(error) => tracing::error!(%error, "the new certificate is not used"),
        }
        // A broken pair is not read again until it changes again.
        current.changed = changed;
    }
}

fn changed(source: &Source) -> Option<SystemTime> {
    let Source::Files { certificate, key } = source else { return None };
    let changed = |path: &PathBuf| std::fs::metadata(path).and_then(|data| data.modified()).ok();
    changed(certificate).max(changed(key))
}

/// Fills this with random octets; false if the system has none.
pub(crate) fn fill_random(octets: &mut [u8]) -> bool {
    provider().secure_random.fill(octets).is_ok()
}

/// What does the mathematics.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A configuration for a server with this certificate and no client certificates.
fn server_config(
    chain: Vec<rustls::pki_types::CertificateDer<'static>>,
    key: rustls::pki_types::PrivateKeyDer<'static>,
) -> Result<ServerConfig, rustls::Error> {
    ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
}
