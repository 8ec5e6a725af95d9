//! Whose certificates are believed: those of mail clients, who may show one, and those of web servers that are asked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme,
};

use super::{authorities, provider};
use crate::error::Error;

/// Which certificates of clients are believed; none is ever required.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// None is asked for.
    #[default]
    None,
    /// Those that an authority in this PEM file vouches for.
    Authorities(PathBuf),
    /// Every one, as far as its owner has its key: for development.
    Any,
}

impl ClientAuth {
    pub(super) fn file(&self) -> Option<&Path> {
        match self {
            Self::Authorities(file) => Some(file),
            Self::None | Self::Any => None,
        }
    }

    pub(super) fn verifier(&self) -> Result<Arc<dyn ClientCertVerifier>, Error> {
        match self {
            Self::None => Ok(WebPkiClientVerifier::no_client_auth()),
            Self::Any => Ok(Arc::new(Anyone)),
            Self::Authorities(file) => {
                let roots = Arc::new(authorities::roots(file)?);
                let builder = WebPkiClientVerifier::builder_with_provider(roots, provider());
                let built = builder.allow_unauthenticated().build();
                built.map_err(|error| {
                    Error::usage(format!("tls.client_ca: {}: {error}", file.display()))
                })
            }
        }
    }
}

/// The configuration of a client that trusts the authorities in this PEM file, or without one those of the machine.
///
/// # Errors
/// The file cannot be read or holds no certificate; the message names it.
pub fn client_config(file: Option<&Path>) -> Result<Arc<ClientConfig>, Error> {
    let roots = match file {
        Some(file) => authorities::roots(file)?,
        None => RootCertStore::clone(authorities::of_system()),
    };
    let config = authorities::trusting(roots);
    config.map(Arc::new).map_err(|error| Error::failed(format!("TLS: {error}")))
}

/// Believes every certificate whose key its owner has.
#[derive(Debug)]
struct Anyone;

impl ClientCertVerifier for Anyone {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, signed, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, signed, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
