//! DKIM keys: made, read from files that nobody else may read, and told to the world as DNS records.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use mail_auth::common::crypto::{
    Algorithm, DkimKey, Ed25519Key, HashImpl, RsaKey, Sha256, SigningKey,
};
use mail_auth::common::headers::Writable;
use pillarbox_engine::text::base64;
use pillarbox_smime::{PrivateKey, pem, rsa_public_info};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;

use crate::auth::chance;
use crate::error::Error;

/// Octets of a key file; the largest key that is used has some 3,300.
const FILE_MAX: u64 = 64 * 1024;
/// Bits of RSA keys that can be made; RFC 8301 §3.2 wants 1024 at least and 2048 better, and ring signs with no more.
pub const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;
/// Octets of one string of a TXT record (RFC 1035 §3.3).
const STRING_MAX: usize = 255;

/// A key that signs.
#[derive(Clone)]
pub struct Key {
    key: Arc<DkimKey>,
    /// What DNS is to say of it.
    record: String,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("record", &self.record).finish_non_exhaustive()
    }
}

impl SigningKey for Key {
    type Hasher = Sha256;

    fn sign(&self, input: impl Writable) -> mail_auth::Result<Vec<u8>> {
        self.key.sign(input)
    }

    fn hash(&self, data: impl Writable) -> mail_auth::common::crypto::HashOutput {
        use mail_auth::common::crypto::HashContext;
        let mut hasher = <Self::Hasher as HashImpl>::hasher();
        data.write(&mut hasher);
        hasher.complete()
    }

    fn algorithm(&self) -> Algorithm {
        self.key.algorithm()
    }
}

impl Key {
    /// Reads a key in PEM form: PKCS #8, or PKCS #1 for RSA.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`]: what is wrong with the file, and what to do.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let pem = read_private(path)?;
        let wrong = |why: String| Error::usage(format!("{}: {why}", path.display()));
        Self::of_pem(&pem).map_err(wrong)
    }

    fn of_pem(pem: &[u8]) -> Result<Self, String> {
        let help = "make one with `pillarbox dkim keygen`";
        let der = PrivateKeyDer::from_pem_slice(pem).map_err(|error| {
            format!("there is no private key in PEM form in it ({error}); {help}")
        })?;
        let refused = |error: &mail_auth::Error| {
            format!("it is neither an RSA key of 2048 to 4096 bits nor Ed25519 ({error}); {help}")
        };
        if let PrivateKeyDer::Pkcs8(pkcs8) = &der {
            // OpenSSL writes Ed25519 keys without their public half, which is made from the other then.
            let ed25519 = Ed25519Key::from_pkcs8_maybe_unchecked_der(pkcs8.secret_pkcs8_der());
            if let Ok(key) = ed25519 {
                let public = base64_text(&key.public_key());
                let record = format!("v=DKIM1; k=ed25519; p={public}");
                return Ok(Self { key: Arc::new(DkimKey::Ed25519(key)), record });
            }
        }
        let key = RsaKey::<Sha256>::from_key_der(der).map_err(|error| refused(&error))?;
        // What RFC 6376 §3.6.1 calls RSAPublicKey is published as SubjectPublicKeyInfo (its erratum 3017).
        let public = rsa_public_info(&key.public_key());
        let record = format!("v=DKIM1; k=rsa; p={}", base64_text(&public));
        Ok(Self { key: Arc::new(DkimKey::Rsa(key)), record })
    }

    /// What DNS is to say of it, as one text.
    #[must_use]
    pub fn record(&self) -> &str {
        &self.record
    }

    /// Whether everybody can check it.
    pub(super) fn is_rsa(&self) -> bool {
        matches!(*self.key, DkimKey::Rsa(_))
    }

    /// The name of its algorithm in a signature.
    #[must_use]
    pub fn algorithm_name(&self) -> &'static str {
        match *self.key {
            DkimKey::Rsa(_) => "rsa-sha256",
            DkimKey::Ed25519(_) => "ed25519-sha256",
        }
    }
}

/// Which key is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// RFC 8463.
    Ed25519,
    /// With so many bits.
    Rsa(usize),
}

/// Makes a key and writes it to a file that is new.
///
/// # Errors
/// [`crate::error::Kind::Usage`] if the file is there or cannot be written.
pub fn generate(kind: Kind, path: &Path) -> Result<Key, Error> {
    let pem = match kind {
        Kind::Ed25519 => {
            let der = Ed25519Key::generate_pkcs8().map_err(|e| Error::failed(e.to_string()))?;
            pem::write("PRIVATE KEY", &der)
        }
        Kind::Rsa(bits) => {
            let key = PrivateKey::generate_rsa(bits, &mut chance()?);
            key.map_err(|why| Error::failed(format!("no RSA key: {}", why.words())))?.to_pem()
        }
    };
    write_new("--out", path, pem.as_bytes())?;
    Key::read(path)
}

/// Writes a private key into a file that is new and that only its owner can read.
///
/// # Errors
/// [`crate::error::Kind::Usage`] if the file is there or cannot be written; it names the flag.
pub fn write_new(flag: &str, path: &Path, pem: &[u8]) -> Result<(), Error> {
    let wrong = |error: std::io::Error| {
        let at = path.display();
        let help = match error.kind() {
            std::io::ErrorKind::AlreadyExists => "; a key is never written over, name a new file",
            _ => "",
        };
        Error::usage(format!("{flag} {at}: {error}{help}"))
    };
    let open = File::options().write(true).create_new(true).mode(0o600).open(path);
    let mut file = open.map_err(wrong)?;
    file.write_all(pem).and_then(|()| file.sync_all()).map_err(wrong)
}

/// The octets of a file with a private key, which nobody but its owner may be able to read.
///
/// # Errors
/// What is wrong with the file, and what to do.
pub fn read_private(path: &Path) -> Result<Vec<u8>, Error> {
    let wrong = |why: String| Error::usage(format!("{}: {why}", path.display()));
    let file = File::open(path).map_err(|error| wrong(format!("cannot read it: {error}")))?;
    let metadata = file.metadata().map_err(|error| wrong(error.to_string()))?;
    if !metadata.is_file() {
        return Err(wrong("it is no file; name the key that keygen wrote".to_owned()));
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        let path = path.display();
        return Err(wrong(format!(
            "others may read this private key; protect it: chmod 600 {path}"
        )));
    }
    let mut pem = Vec::new();
    let read = file.take(FILE_MAX).read_to_end(&mut pem);
    read.map_err(|error| wrong(format!("cannot read it: {error}")))?;
    Ok(pem)
}

pub(super) fn base64_text(octets: &[u8]) -> String {
    String::from_utf8(base64::encode(octets)).expect("base64 is ASCII")
}

/// The name under which DNS has a key (RFC 6376 §3.6.2.1).
#[must_use]
pub fn record_name(domain: &str, selector: &str) -> String {
    format!("{selector}._domainkey.{domain}")
}

/// A record's text as zone files have it: in quoted strings of at most 255 octets.
#[must_use]
pub fn quoted(text: &str) -> String {
    let strings: Vec<String> = (0..text.len())
        .step_by(STRING_MAX)
        .map(|at| format!("\"{}\"", &text[at..text.len().min(at + STRING_MAX)]))
        .collect();
    strings.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("pillarbox-{name}-{}", std::process::id()));
        drop(std::fs::remove_file(&path));
        path
    }

    #[test]
    fn keys_are_written_once_and_read_only_if_nobody_else_can() {
        for kind in [Kind::Ed25519, Kind::Rsa(2048)] {
            let path = scratch("dkim-key");
            let made = generate(kind, &path).expect("a new file");
            let mode = std::fs::metadata(&path).expect("it is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            assert_eq!(Key::read(&path).expect("as it was written").record(), made.record());
            let again = generate(kind, &path).expect_err("it is there").message;
            assert!(again.contains("never written over"), "{again}");
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).expect("ours");
            let open = Key::read(&path).expect_err("others can read it").message;
            assert!(open.contains("chmod 600"), "{open}");
            std::fs::remove_file(&path).expect("ours");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_with_what_to_do() {
        for text in ["", "no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
        {
            let why = Key::of_pem(text.as_bytes()).expect_err(text);
            assert!(why.contains("pillarbox dkim keygen"), "{why}");
        }
    }

    #[test]
    fn records_are_cut_into_strings() {
        let text = "x".repeat(600);
        let parts: Vec<usize> = quoted(&text).split(' ').map(|part| part.len() - 2).collect();
        assert_eq!(parts, [255, 255, 90]);
    }
}
