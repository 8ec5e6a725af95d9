//! The server's certificate: read from files, or made for a machine that has none.

use std::fs;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::clients::ClientAuth;
use super::der::signature_algorithm;
use super::server_config;
use crate::error::Error;

/// A certificate that is ready for handshakes.
pub(super) struct Loaded {
    pub(super) config: Arc<ServerConfig>,
    /// RFC 5929 §4: the hash of the certificate that channel binding uses.
    pub(super) end_point: Vec<u8>,
}

/// Refuses a private key that everybody on the machine can read or change; a group may be meant to.
pub(super) fn check_key(key: &Path) -> Result<(), Error> {
    let path = key.display();
    let metadata = fs::metadata(key);
    let metadata = metadata.map_err(|error| Error::usage(format!("tls: {path}: {error}")))?;
    if metadata.permissions().mode() & 0o027 == 0 {
        return Ok(());
    }
    let what = "others may read or change this private key; protect it";
    Err(Error::usage(format!("tls: {path}: {what}: chmod 600 {path}")))
}

/// Reads a chain and its key.
pub(super) fn read(certificate: &Path, key: &Path, clients: &ClientAuth) -> Result<Loaded, Error> {
    let (chain, private) = pair(certificate, key)?;
    let clients = clients.verifier()?;
    loaded(chain, private, clients).map_err(|error| {
        let pair = format!("{error}; does {} belong to this certificate?", key.display());
        failed(certificate, &pair)
    })
}

/// The sections of two PEM files.
pub(super) fn pair(
    certificate: &Path,
    key: &Path,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Error> {
    let pem = |path: &Path| fs::read(path).map_err(|error| failed(path, &error));
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem(certificate)?).collect();
    let chain = chain.map_err(|error| failed(certificate, &format!("not PEM: {error:?}")))?;
    if chain.is_empty() {
        return Err(failed(certificate, &"there is no CERTIFICATE section in it"));
    }
    let private = PrivateKeyDer::from_pem_slice(&pem(key)?);
    let private = private.map_err(|error| failed(key, &format!("no private key: {error:?}")))?;
    Ok((chain, private))
}

fn failed(path: &Path, what: &dyn std::fmt::Display) -> Error {
    Error::usage(format!("tls: {}: {what}", path.display()))
}

/// A certificate for `host_name` and this machine's own names, signed by itself.
///
/// With a directory it is made once and found again, so that a developer has to trust it only once.
pub(super) fn self_signed(
    directory: Option<&Path>,
    host_name: &str,
    clients: &ClientAuth,
) -> Result<Loaded, Error> {
    let Some(directory) = directory else {
        let (certificate, key) = make(host_name)?;
        return from_pem(&certificate, &key, clients);
    };
    let (certificate, key) = (directory.join("certificate.pem"), directory.join("key.pem"));
    if !(certificate.exists() && key.exists()) {
        let failed = |error: std::io::Error| {
            Error::failed(format!("cannot keep a certificate in {}: {error}", directory.display()))
        };
        let (made, secret) = make(host_name)?;
        fs::create_dir_all(directory).map_err(failed)?;
        write(&key, &secret, 0o600).map_err(failed)?;
        write(&certificate, &made, 0o644).map_err(failed)?;
    }
    read(&certificate, &key, clients)
}

fn make(host_name: &str) -> Result<(String, String), Error> {
    let failed = |error: rcgen::Error| Error::failed(format!("cannot make a certificate: {error}"));
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if !names.iter().any(|name| name == host_name) {
        names.push(host_name.to_owned());
    }
    let made = rcgen::generate_simple_self_signed(names).map_err(failed)?;
    Ok((made.cert.pem(), made.signing_key.serialize_pem()))
}

fn from_pem(certificate: &str, key: &str, clients: &ClientAuth) -> Result<Loaded, Error> {
    let failed = |error: &dyn std::fmt::Debug| Error::failed(format!("certificate: {error:?}"));
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| failed(&error))?;
    let chain = chain.map_err(|error| failed(&error))?;
    loaded(chain, key, clients.verifier()?).map_err(|error| failed(&error))
}

fn loaded(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    clients: Arc<dyn ClientCertVerifier>,
) -> Result<Loaded, rustls::Error> {
    let end_point = chain.first().map_or_else(Vec::new, |own| end_point(own));
    Ok(Loaded { config: Arc::new(server_config(chain, key, clients)?), end_point })
}

fn write(path: &Path, text: &str, mode: u32) -> std::io::Result<()> {
    use std::io::Write;
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// RFC 5929 §4.1: hashed with the function of the certificate's own signature, MD5 and SHA-1 replaced by SHA-256.
pub(super) fn end_point(certificate: &[u8]) -> Vec<u8> {
    match signature_algorithm(certificate) {
        // ecdsa-with-SHA384 and sha384WithRSAEncryption, then the same with SHA-512.
        Some([0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3])
        | Some([0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12]) => {
            Sha384::digest(certificate).to_vec()
        }
        Some([0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4])
        | Some([0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13]) => {
            Sha512::digest(certificate).to_vec()
        }
        _ => Sha256::digest(certificate).to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_self_signed_certificate_is_kept_and_found_again() {
        let name = format!("pillarbox-certificate-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        let first =
            self_signed(Some(&directory), "mail.example", &ClientAuth::None).expect("it is made");
        let again =
            self_signed(Some(&directory), "mail.example", &ClientAuth::None).expect("it is found");
        let other = self_signed(None, "mail.example", &ClientAuth::None).expect("it is made");
        assert_eq!(first.end_point, again.end_point);
        assert_ne!(first.end_point, other.end_point);
        let der = CertificateDer::from_pem_file(directory.join("certificate.pem")).expect("PEM");
        // rcgen signs with ECDSA and SHA-256.
        let algorithm = signature_algorithm(&der).expect("it has one");
        assert_eq!(algorithm, [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]);
        assert_eq!(first.end_point, Sha256::digest(&der).to_vec());
        for end in 0..der.len() {
            assert_eq!(signature_algorithm(&der[..end]), None, "cut at {end}");
        }
        assert_eq!(
            fs::metadata(directory.join("key.pem")).expect("it is there").mode() & 0o777,
            0o600
        );
        fs::write(directory.join("key.pem"), "rubbish").expect("it is ours");
        let error = self_signed(Some(&directory), "mail.example", &ClientAuth::None)
            .err()
            .expect("it is no key");
        assert!(error.to_string().contains("key.pem"), "{error}");
        fs::remove_dir_all(directory).expect("it is ours");
    }
}
