//! TLS with other servers: what their certificates must prove is the caller's choice for each connection.
//! That nothing need be proven still keeps out who only listens (RFC 7435).

use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use pillarbox_engine::types::TlsFacts;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WantsClientCert};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore,
    SignatureScheme,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::dane::{Associations, Dane};
use super::{HANDSHAKE_WITHIN, Metered, authorities, certificate, facts, provider};
use crate::error::Error;
use crate::limits::HANDSHAKE_OCTETS;

/// What a server's certificate must prove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Nothing: the connection is secret to all but an active attacker.
    Any,
    /// That a known authority vouches for the server's name (RFC 9525).
    Pkix,
    /// That the server's zone names it (RFC 7672).
    Dane(Associations),
}

/// The client's side of TLS: whom it trusts, and what it remembers of servers.
pub struct ClientTls {
    /// The system's authorities are read when they are first needed.
    pkix: OnceLock<Arc<ClientConfig>>,
    any: Arc<ClientConfig>,
    /// Trusted beside those of the system.
    more: Vec<CertificateDer<'static>>,
    identity: Option<Identity>,
}

/// What proves us to a server that asks for a certificate.
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl ClientTls {
    /// Trusts the system's authorities, or Mozilla's if the system has none, and those in this PEM file.
    ///
    /// # Errors
    /// The file cannot be read or holds no certificate; the message names it.
    pub fn new(ca_file: Option<&Path>) -> Result<Self, Error> {
        let more = ca_file.map(authorities::in_file).transpose()?.unwrap_or_default();
        let any = config(Arc::new(AnyCertificate::new()), None);
        let any = Arc::new(any.map_err(|error| Error::failed(error.to_string()))?);
        Ok(Self { pkix: OnceLock::new(), any, more, identity: None })
    }

    /// The same, showing this certificate to every server that asks for one; both files are PEM, the chain with our own
    /// certificate first.
    ///
    /// # Errors
    /// A file cannot be read or is wrong, others may read the key, or the two do not belong together; the message names
    /// the file.
    pub fn with_identity(mut self, certificate: &Path, key: &Path) -> Result<Self, Error> {
        certificate::check_key(key)?;
        let (chain, key) = certificate::pair(certificate, key)?;
        self.identity = Some(Identity { chain, key });
        let any = config(Arc::new(AnyCertificate::new()), self.identity.as_ref());
        self.any = Arc::new(any.map_err(|error| {
            let file = certificate.display();
            Error::usage(format!("tls: {file}: {error}; does the key belong to this certificate?"))
        })?);
        self.pkix = OnceLock::new();
        Ok(self)
    }

    /// The handshake with the server of this name.
    ///
    /// # Errors
    /// The server broke off, is not who it should be, speaks no TLS that is safe today, or took too long.
    pub async fn connect(
        &self,
        stream: TcpStream,
        name: &str,
        trust: &Trust,
    ) -> io::Result<(TlsStream<Metered>, TlsFacts)> {
        let config = match trust {
            Trust::Any => Arc::clone(&self.any),
            Trust::Pkix => self.pkix()?,
            Trust::Dane(associations) => {
                let verifier = Arc::new(Dane::new(associations.clone()));
                let config = config(verifier, self.identity.as_ref());
                let mut config = config.map_err(io::Error::other)?;
                // A session that is taken up again would not be judged again.
                config.resumption = Resumption::disabled();
                Arc::new(config)
            }
        };
        let name = match trust {
            Trust::Dane(associations) => associations.base().unwrap_or(name),
            Trust::Any | Trust::Pkix => name,
        };
        let server = server_name(name, &stream)?;
        let stream = Metered::new(stream, HANDSHAKE_OCTETS);
        let handshake = TlsConnector::from(config).connect(server, stream);
        let slow = || io::Error::new(io::ErrorKind::TimedOut, "the handshake took long");
        let handshake = tokio::time::timeout(HANDSHAKE_WITHIN, handshake).await;
        let mut stream = handshake.map_err(|_| slow())?.map_err(in_words)?;
        stream.get_mut().0.open();
        let facts = facts::of_client(stream.get_ref().1);
        Ok((stream, facts))
    }

    fn pkix(&self) -> io::Result<Arc<ClientConfig>> {
        if let Some(config) = self.pkix.get() {
            return Ok(Arc::clone(config));
        }
        let mut roots = RootCertStore::clone(authorities::of_system());
        roots.add_parsable_certificates(self.more.iter().cloned());
        let config = authorities::believing(roots).map_err(io::Error::other)?;
        let config = showing(config, self.identity.as_ref()).map_err(io::Error::other)?;
        Ok(Arc::clone(self.pkix.get_or_init(|| Arc::new(config))))
    }
}

/// The commonest reasons for which a certificate is not taken, in words that say what to do.
fn in_words(error: io::Error) -> io::Error {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::InvalidCertificate(wrong)) = inner else { return error };
    let words = match wrong {
        CertificateError::UnknownIssuer => {
            "its certificate is of an authority that is not trusted here".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired; the server needs a new one".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet; is the clock right, here and there?".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("its certificate is for other names ({wrong})")
        }
        CertificateError::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "its certificate is marked as that of an authority (CA:TRUE), which no server may show as its own; \
             make one with CA:FALSE, such as by openssl req -x509 -addext basicConstraints=critical,CA:FALSE"
                .to_owned()
        }
        _ => return error,
    };
    io::Error::new(io::ErrorKind::InvalidData, words)
}

/// A configuration with a judgement of its own.
fn config(
    verifier: Arc<dyn ServerCertVerifier>,
    identity: Option<&Identity>,
) -> Result<ClientConfig, rustls::Error> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    showing(config, identity)
}

fn showing(
    config: ConfigBuilder<ClientConfig, WantsClientCert>,
    identity: Option<&Identity>,
) -> Result<ClientConfig, rustls::Error> {
    match identity {
        None => Ok(config.with_no_client_auth()),
        Some(Identity { chain, key }) => {
            config.with_client_auth_cert(chain.clone(), key.clone_key())
        }
    }
}

/// The name to ask for and to look for; of an address literal, or of what is no name, the address.
fn server_name(name: &str, stream: &TcpStream) -> io::Result<ServerName<'static>> {
    let bare = name.strip_suffix('.').unwrap_or(name);
    match ServerName::try_from(bare.to_owned()) {
        Ok(name) => Ok(name),
        Err(_) => Ok(ServerName::IpAddress(stream.peer_addr()?.ip().into())),
    }
}

/// Takes every certificate, as long as the server has its key.
#[derive(Debug)]
pub(super) struct AnyCertificate(Arc<CryptoProvider>);

impl AnyCertificate {
    pub(super) fn new() -> Self {
        Self(provider())
    }
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// The hash of a server's own certificate that channel binding uses (RFC 5929 §4.1).
pub(super) fn end_point(connection: &rustls::ClientConnection) -> Vec<u8> {
    let own = connection.peer_certificates().and_then(<[_]>::first);
    own.map_or_else(Vec::new, |own| certificate::end_point(own))
}
