//! The authorities whose word on certificates is believed: those of this system, and those in a file.
//! For what a certificate must be believed is decided by who asks.

use std::fmt::Display;
use std::path::Path;
use std::sync::OnceLock;

use rustls::client::WantsClientCert;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};

use super::provider;
use crate::error::Error;

/// Those of this system, or Mozilla's if it has none that can be read; read when they are first needed, and once.
pub(super) fn of_system() -> &'static RootCertStore {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        let (added, _) = roots.add_parsable_certificates(found.certs);
        if added == 0 {
            tracing::warn!("this system has no authorities that can be read; Mozilla's are used");
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        roots
    })
}

/// Those in a PEM file, and no others.
///
/// # Errors
/// The file cannot be read, or holds no certificate that can be used; the message names it.
pub(super) fn roots(file: &Path) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    let (taken, _) = roots.add_parsable_certificates(in_file(file)?);
    if taken == 0 {
        return Err(failed(file, &"there is no CERTIFICATE section in it that can be used"));
    }
    Ok(roots)
}

/// The certificates of a PEM file.
///
/// # Errors
/// The file cannot be read or holds none; the message names it.
pub(super) fn in_file(file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let pem = std::fs::read(file).map_err(|error| failed(file, &error))?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let all = all.map_err(|error| failed(file, &format!("not PEM: {error:?}")))?;
    if all.is_empty() {
        return Err(failed(file, &"there is no CERTIFICATE section in it"));
    }
    Ok(all)
}

/// The configuration of a client that believes these, and shows no certificate of its own.
pub(super) fn trusting(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    Ok(believing(roots)?.with_no_client_auth())
}

/// The same before it is said what it shows.
pub(super) fn believing(
    roots: RootCertStore,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, rustls::Error> {
    let config = ClientConfig::builder_with_provider(provider());
    let config = config.with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots))
}

fn failed(file: &Path, what: &dyn Display) -> Error {
    Error::usage(format!("authorities: {}: {what}", file.display()))
}
