//! Files that `pillarbox smime` reads and writes: keys, certificates, messages; each error names the file.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use pillarbox_engine::text::date::timestamp;
use pillarbox_smime::limits::PEM_MAX;
use pillarbox_smime::{CannotProtect, Certificate, PrivateKey, RevocationList};

use crate::error::{Error, Kind};
use crate::trust::read_private;

/// Octets of a message: S/MIME needs all of it in memory, several times.
const MESSAGE_MAX: u64 = 256 << 20;

pub(super) fn private_key(path: &Path) -> Result<PrivateKey, Error> {
    let octets = read_private(path)?;
    PrivateKey::of_pem(&octets)
        .map_err(|why| Error::usage(format!("{}: {}", path.display(), why.words())))
}

/// The certificates of a file; there is at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<Certificate>, Error> {
    let help = "there is no certificate in it that can be read, neither PEM nor DER";
    Certificate::of_file(&octets(path)?).map_err(|_| wrong(path, help))
}

pub(super) fn revocations(path: &Path) -> Result<Vec<RevocationList>, Error> {
    let help = "there is no revocation list in it that can be read, neither PEM nor DER";
    RevocationList::of_file(&octets(path)?).map_err(|_| wrong(path, help))
}

/// A certificate that is no longer valid, or not yet, is used for nothing new.
pub(super) fn check_valid(path: &Path, certificate: &Certificate, now: i64) -> Result<(), Error> {
    let (not_before, not_after) = certificate.validity();
    if (not_before..=not_after).contains(&now) {
        return Ok(());
    }
    let time =
        |seconds: i64| timestamp(u64::try_from(seconds).unwrap_or_default().saturating_mul(1000));
    let (from, until) = (time(not_before), time(not_after));
    Err(wrong(path, &format!("the certificate is valid from {from} until {until}; get a new one")))
}

/// The authorities of this system that can be read.
pub(super) fn system_authorities() -> Vec<Certificate> {
    let found = rustls_native_certs::load_native_certs().certs;
    found.iter().filter_map(|der| Certificate::of_der(der).ok()).collect()
}

/// A message from a file, or from standard input.
pub(super) fn message(path: Option<&Path>) -> Result<Vec<u8>, Error> {
    let (name, input): (String, Box<dyn Read>) = match path {
        None => ("standard input".to_owned(), Box::new(io::stdin().lock())),
        Some(path) if path == Path::new("-") => {
            ("standard input".to_owned(), Box::new(io::stdin().lock()))
        }
        Some(path) => {
            let name = path.display().to_string();
            let file = File::open(path).map_err(|error| no_input(&name, &error))?;
            (name, Box::new(file))
        }
    };
    let mut octets = Vec::new();
    let read = input.take(MESSAGE_MAX + 1).read_to_end(&mut octets);
    read.map_err(|error| no_input(&name, &error))?;
    if octets.len() as u64 > MESSAGE_MAX {
        let message = format!("{name}: the message is larger than {MESSAGE_MAX} octets");
        return Err(Error::new(Kind::Input, message));
    }
    if octets.is_empty() {
        return Err(Error::new(Kind::Input, format!("{name}: there is no message in it")));
    }
    Ok(octets)
}

/// Writes a message to standard output.
pub(super) fn put(octets: &[u8]) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    let written = out.write_all(octets).and_then(|()| out.flush());
    written.map_err(|error| Error::failed(format!("standard output: {error}")))
}

/// Writes certificates into a file that is new.
pub(super) fn write_certificate(flag: &str, path: &Path, text: &str) -> Result<(), Error> {
    let written = File::create_new(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| Error::usage(format!("{flag} {}: {error}", path.display())))
}

pub(super) fn check_address(address: &str) -> Result<(), Error> {
    let odd = |sign: char| sign.is_control() || sign.is_whitespace() || "<>,\"".contains(sign);
    match address.rsplit_once('@') {
        Some((local, domain))
            if !local.is_empty() && !domain.is_empty() && !address.contains(odd) =>
        {
            Ok(())
        }
        _ => Err(Error::usage(format!(
            "--address {address}: it is no address such as alice@crepes.fr"
        ))),
    }
}

/// What is wrong with a key or certificate is a wrong flag; what is wrong with the message is not.
pub(super) fn cannot(why: CannotProtect) -> Error {
    match why {
        CannotProtect::SevenBit => Error::new(Kind::Input, format!("the message: {why}")),
        CannotProtect::OtherKey
        | CannotProtect::NotForSigning
        | CannotProtect::Key(_)
        | CannotProtect::NoRecipient
        | CannotProtect::Recipient(..) => Error::usage(why.to_string()),
    }
}

fn octets(path: &Path) -> Result<Vec<u8>, Error> {
    let size = fs::metadata(path).map_err(|error| wrong(path, &error.to_string()))?.len();
    if size > PEM_MAX as u64 {
        return Err(wrong(path, "it is too large for a file of certificates"));
    }
    fs::read(path).map_err(|error| wrong(path, &error.to_string()))
}

fn wrong(path: &Path, why: &str) -> Error {
    Error::usage(format!("{}: {why}", path.display()))
}

fn no_input(name: &str, error: &io::Error) -> Error {
    Error::new(Kind::NoInput, format!("{name}: {error}"))
}
