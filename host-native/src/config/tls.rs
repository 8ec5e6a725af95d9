//! Where the certificate of listeners comes from: what flags and file say, and what a profile has by itself.

use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;

use serde::Deserialize;

use super::{ConfigFile, Data, base};
use crate::cli::ServeFlags;
use crate::error::Error;
use crate::tls::{ClientAuth, Source};

/// What `--tls` and `source` under `[tls]` say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsSource {
    /// What there is: the files that are named, else, in the dev profile, a certificate signed by itself.
    Auto,
    /// No TLS.
    Off,
    /// This PEM file, which holds the chain and its private key.
    File(PathBuf),
}

impl FromStr for TlsSource {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "auto" => Self::Auto,
            "off" => Self::Off,
            file => Self::File(file.into()),
        })
    }
}

impl<'de> Deserialize<'de> for TlsSource {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let Ok(source) = text.parse();
        Ok(source)
    }
}

/// The certificate.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFile {
    /// `auto`, `off`, or a PEM file with chain and key in one [default: auto].
    pub source: Option<TlsSource>,
    /// PEM file of the chain, the server's own certificate first.
    pub certificate: Option<PathBuf>,
    /// PEM file of its private key.
    pub key: Option<PathBuf>,
    /// Whether SMTP, POP3 and IMAP offer STARTTLS [default: true].
    pub starttls: Option<bool>,
    /// PEM file of authorities whose certificates let clients in (EXTERNAL).
    pub client_ca: Option<PathBuf>,
}

/// TLS for listeners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// Where the certificate comes from.
    pub source: Source,
    /// Whether SMTP, POP3 and IMAP offer STARTTLS.
    pub starttls: bool,
    /// Which certificates of clients are believed.
    pub clients: ClientAuth,
}

/// Without a certificate a server offers no TLS. For development there is one signed by itself, but STARTTLS only where
/// it is asked for: clients that upgrade by themselves would then refuse that certificate.
///
/// # Errors
/// [`crate::error::Kind::Usage`]: what is named does not fit together.
pub(super) fn settings(
    flags: &ServeFlags,
    file: Option<&ConfigFile>,
    data: &Data,
) -> Result<Option<TlsSettings>, Error> {
    let base = base(flags);
    let of_file = file.map(|file| file.tls.clone()).unwrap_or_default();
    // What the command line names is meant from where it is typed.
    let named = flags.tls.clone().or_else(|| match of_file.source.clone()? {
        TlsSource::File(path) => Some(TlsSource::File(base.join(path))),
        source => Some(source),
    });
    let both = of_file.certificate.is_some() || of_file.key.is_some();
    if flags.tls.is_none() && both && !matches!(named, None | Some(TlsSource::Auto)) {
        return Err(Error::usage("tls: source, or certificate and key, but not both"));
    }
    let starttls = flags.starttls || of_file.starttls.unwrap_or(file.is_some());
    let clients = match (&of_file.client_ca, file) {
        (Some(authorities), _) => ClientAuth::Authorities(base.join(authorities)),
        (None, Some(_)) => ClientAuth::None,
        (None, None) => ClientAuth::Any,
    };
    let (source, starttls) = match named.unwrap_or(TlsSource::Auto) {
        TlsSource::Off if flags.starttls => {
            return Err(Error::usage("--starttls: --tls off leaves nothing to start"));
        }
        TlsSource::Off => return Ok(None),
        // A certificate that somebody names is one that clients can check.
        TlsSource::File(path) => {
            let starttls = starttls || of_file.starttls.is_none();
            (Source::Files { certificate: path.clone(), key: path }, starttls)
        }
        TlsSource::Auto => match (&of_file.certificate, &of_file.key, file) {
            (Some(certificate), Some(key), _) => {
                let (certificate, key) = (base.join(certificate), base.join(key));
                (Source::Files { certificate, key }, starttls)
            }
            (None, None, None) => (Source::SelfSigned(directory(data)), starttls),
            (None, None, Some(_)) if of_file.client_ca.is_some() => {
                return Err(Error::usage(
                    "tls.client_ca: clients show certificates over TLS alone; name certificate and key too",
                ));
            }
            (None, None, Some(_)) => return Ok(None),
            _ => return Err(Error::usage("tls: name both, certificate and key, or neither")),
        },
    };
    Ok(Some(TlsSettings { source, starttls, clients }))
}

/// Where a certificate is kept that was made here.
fn directory(data: &Data) -> Option<PathBuf> {
    data.directory().map(|directory| directory.join("tls"))
}
