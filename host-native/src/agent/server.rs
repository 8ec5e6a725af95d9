//! Which server mail is handed to, and on which terms: flags, variables and a file, joined and judged.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use pillarbox_engine::sasl::Mechanism;
use pillarbox_engine::smtp::Service;
use pillarbox_engine::smtp::grammar::parse_domain;
use serde::Deserialize;

use crate::client::{Login, Secret, Security, Settings, Target, Trust};
use crate::error::{Error, Kind};
use crate::tls::ClientTls;

/// Where a Pillarbox for development takes submissions, and where it takes all mail.
const LOCAL_PORTS: [u16; 2] = [1587, 1025];
/// The port of a server that is named without one (RFC 6409 §3.1).
const SUBMISSION: u16 = 587;
/// Ports on which TLS comes first (RFC 8314 §7.3, and ours for development).
const IMPLICIT: [u16; 2] = [465, 1465];
/// Octets of a file with a secret.
const SECRET_MAX: u64 = 64 * 1024;

/// How far TLS is insisted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TlsChoice {
    /// Not used.
    Never,
    /// Used if it is offered, whoever the server is.
    Opportunistic,
    /// STARTTLS with a certificate that proves the server's name, or no mail.
    Required,
    /// TLS from the first octet on, with such a certificate.
    Implicit,
}

/// What flags, variables and the file say of a server; each may be silent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Access {
    pub(crate) server: Option<String>,
    pub(crate) tls: Option<TlsChoice>,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) cert: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    pub(crate) mechanism: Option<String>,
    pub(crate) name: Option<String>,
}

/// How a server proves itself, and what it is shown if it asks for a certificate.
#[derive(Clone, Debug, Default)]
pub(crate) struct Certificates {
    /// Authorities that are trusted beside those of the system.
    pub(crate) ca: Option<PathBuf>,
    /// Our certificate and its key.
    own: Option<(PathBuf, PathBuf)>,
}

impl Certificates {
    /// # Errors
    /// There is a certificate without its key, or a key without its certificate.
    pub(crate) fn of(access: &Access) -> Result<Self, Error> {
        let own = match (access.cert.clone(), access.key.clone()) {
            (None, None) => None,
            (Some(cert), Some(key)) => Some((cert, key)),
            (Some(_), None) => {
                return Err(Error::usage("--cert needs its private key: --key FILE"));
            }
            (None, Some(_)) => {
                return Err(Error::usage("--key needs its certificate: --cert FILE"));
            }
        };
        Ok(Self { ca: access.ca.clone(), own })
    }

    /// # Errors
    /// A file cannot be read or is wrong; the message names it.
    pub(crate) fn tls(&self) -> Result<ClientTls, Error> {
        let tls = ClientTls::new(self.ca.as_deref())?;
        match &self.own {
            Some((cert, key)) => tls.with_identity(cert, key),
            None => Ok(tls),
        }
    }
}

/// The configuration file of `sendmail`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServerFile {
    pub(crate) server: Option<String>,
    pub(crate) tls: Option<TlsChoice>,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) cert: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    pub(crate) mechanism: Option<String>,
    /// Our name in EHLO.
    pub(crate) name: Option<String>,
    /// What is added to addresses without a domain.
    pub(crate) domain: Option<String>,
    /// The sender, if the caller names none.
    pub(crate) from: Option<String>,
}

impl ServerFile {
    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read, is wrong, or holds a password that others can read.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let failed = |what: &dyn std::fmt::Display| {
            Error::new(Kind::Configuration, format!("{}: {what}", path.display()))
        };
        let text = fs::read_to_string(path).map_err(|error| failed(&error))?;
        let file: Self = toml::from_str(&text)
            .map_err(|error| failed(&crate::config::suggest::wrong_toml(&error)))?;
        let mode = fs::metadata(path).map_err(|error| failed(&error))?.permissions().mode();
        if file.password.is_some() && mode & 0o077 != 0 {
            let help = "it holds a password and others can read it; try: chmod 600";
            return Err(failed(&format!("{help} {}", path.display())));
        }
        Ok(file)
    }

    /// What it says where neither flag nor variable spoke.
    pub(crate) fn under(self, access: Access) -> Access {
        // A secret on the command line is not mixed with another one from the file.
        let named = access.password.is_some()
            || access.password_file.is_some()
            || access.token_file.is_some();
        let secret = |value: Option<PathBuf>, own| if named { own } else { value };
        Access {
            server: access.server.or(self.server),
            tls: access.tls.or(self.tls),
            ca: access.ca.or(self.ca),
            user: access.user.or(self.user),
            password: if named { access.password } else { self.password },
            password_file: secret(self.password_file, access.password_file),
            token_file: secret(self.token_file, access.token_file),
            cert: access.cert.or(self.cert),
            key: access.key.or(self.key),
            mechanism: access.mechanism.or(self.mechanism),
            name: access.name.or(self.name),
        }
    }
}

/// A server and the terms on which mail is handed to it.
pub(crate) struct Server {
    /// Its name and port as they were given.
    pub(crate) shown: String,
    pub(crate) settings: Settings,
    pub(crate) certificates: Certificates,
    /// Host and port, the first that answers.
    hosts: Vec<(String, u16)>,
}

impl Server {
    /// Joins and judges.
    ///
    /// # Errors
    /// A value is wrong; the message names it.
    pub(crate) fn new(access: Access) -> Result<Self, Error> {
        let hosts = match &access.server {
            Some(server) => vec![host_and_port("--server", server, SUBMISSION)?],
            None => LOCAL_PORTS.map(|port| ("127.0.0.1".to_owned(), port)).to_vec(),
        };
        let (host, port) = &hosts[0];
        let local = is_loopback(host);
        let tls = access.tls.unwrap_or(match port {
            port if IMPLICIT.contains(port) => TlsChoice::Implicit,
            _ if local => TlsChoice::Opportunistic,
            _ => TlsChoice::Required,
        });
        let own = host_name();
        let name = access.name.clone().unwrap_or(own);
        if parse_domain(name.as_bytes()).is_none() {
            return Err(Error::usage(format!("--name: `{name}` is no host name")));
        }
        let mut settings = Settings::new(name);
        settings.service = Service::Submission;
        settings.security = match tls {
            TlsChoice::Never => Security::None,
            TlsChoice::Opportunistic => Security::Opportunistic,
            TlsChoice::Required => Security::Required(Trust::Pkix),
            TlsChoice::Implicit => Security::Implicit(Trust::Pkix),
        };
        settings.login = login(&access, local)?;
        let certificates = Certificates::of(&access)?;
        let shown = access.server.unwrap_or_else(|| "127.0.0.1:1587".to_owned());
        Ok(Self { shown, settings, certificates, hosts })
    }

    /// Asks the system where the server is.
    ///
    /// # Errors
    /// Its name has no address.
    pub(crate) async fn targets(&self) -> Result<Vec<Target>, Error> {
        let mut out = Vec::new();
        for (host, port) in &self.hosts {
            out.push(Target { name: host.clone(), addresses: addresses(host, *port).await? });
        }
        Ok(out)
    }
}

/// The addresses of a host.
pub(super) async fn addresses(host: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
    let found = tokio::net::lookup_host((host, port)).await;
    let addresses: Vec<SocketAddr> = match found {
        Ok(found) => found.collect(),
        Err(error) => {
            let help = "is its name right, and is there a network?";
            let message = format!("`{host}` has no address: {error}; {help}");
            return Err(Error::new(Kind::Temporary, message));
        }
    };
    Ok(addresses)
}

/// `HOST`, `HOST:PORT`, `ADDRESS`, `[ADDRESS]:PORT`.
pub(crate) fn host_and_port(flag: &str, text: &str, default: u16) -> Result<(String, u16), Error> {
    let wrong = || {
        let form = "HOST:PORT, such as mail.hamburger.edu:587 or [::1]:1025";
        Error::usage(format!("{flag}: `{text}` is not {form}"))
    };
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok((address.to_string(), default));
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok((address.ip().to_string(), address.port()));
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| wrong())?),
        None => (text, default),
    };
    if parse_domain(host.as_bytes()).is_none() || port == 0 {
        return Err(wrong());
    }
    Ok((host.to_owned(), port))
}

pub(super) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// How `--mechanism` names what POP3 has in place of one.
const APOP: &str = "APOP";

fn is_named(access: &Access, mechanism: &str) -> bool {
    access.mechanism.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(mechanism))
}

/// Whether nothing is proved, so that no password is asked for.
pub(super) fn is_anonymous(access: &Access) -> bool {
    is_named(access, Mechanism::Anonymous.name())
}

/// As `login`, for a server of POP3, which may have APOP.
pub(super) fn login_to_pop3(access: &Access, local: bool) -> Result<Option<Login>, Error> {
    if !is_named(access, APOP) {
        return login(access, local);
    }
    match (&access.user, secret(access)?) {
        (Some(user), Some(secret @ Secret::Password(_))) => {
            let login = Login::by_apop(user.clone(), secret, local);
            login.map(Some).map_err(|error| Error::usage(format!("login: {error}")))
        }
        _ => Err(Error::usage("--mechanism APOP: it proves a password; give --user and one")),
    }
}

pub(super) fn login(access: &Access, local: bool) -> Result<Option<Login>, Error> {
    let mechanism = match &access.mechanism {
        None => None,
        Some(name) if name.eq_ignore_ascii_case(APOP) => {
            return Err(Error::usage("--mechanism: APOP is a login of POP3 alone"));
        }
        Some(name) => {
            let known = Mechanism::from_name(name.as_bytes());
            Some(known.ok_or_else(|| {
                let some = "PLAIN, LOGIN, SCRAM-SHA-256, CRAM-MD5, OAUTHBEARER, XOAUTH2, EXTERNAL \
                            or ANONYMOUS";
                Error::usage(format!("--mechanism: `{name}` is none that is known; try {some}"))
            })?)
        }
    };
    if mechanism == Some(Mechanism::Anonymous) {
        let user = access.user.clone().unwrap_or_default();
        let login = Login::new(user, Secret::Nothing, mechanism, local);
        return login.map(Some).map_err(|error| Error::usage(format!("login: {error}")));
    }
    let secret = secret(access)?;
    // Without a user, a certificate is only shown: some servers let in by that alone.
    let by_certificate = access.cert.is_some() && secret.is_none();
    if by_certificate && (access.user.is_some() || mechanism == Some(Mechanism::External)) {
        let user = access.user.clone().unwrap_or_default();
        let login = Login::new(user, Secret::Certificate, mechanism, local);
        return login.map(Some).map_err(|error| Error::usage(format!("login: {error}")));
    }
    match (&access.user, secret) {
        (None, None) if mechanism.is_none() => Ok(None),
        (None, _) => Err(Error::usage("a login needs --user (or PILLARBOX_USER)")),
        (Some(user), None) => {
            let ways = "--password-file FILE, the variable PILLARBOX_PASSWORD, or --cert and --key";
            Err(Error::usage(format!("--user {user}: its password is missing; give {ways}")))
        }
        (Some(user), Some(secret)) => {
            // A password in the clear that does not leave this machine is nobody's to read.
            let login = Login::new(user.clone(), secret, mechanism, local);
            login.map(Some).map_err(|error| Error::usage(format!("login: {error}")))
        }
    }
}

/// The password or token that was given.
fn secret(access: &Access) -> Result<Option<Secret>, Error> {
    Ok(match (&access.password, &access.password_file, &access.token_file) {
        (_, _, Some(file)) => Some(Secret::Token(secret_in(file)?)),
        (_, Some(file), _) => Some(Secret::Password(secret_in(file)?)),
        (Some(password), ..) => Some(Secret::Password(password.clone())),
        _ => None,
    })
}

/// The first line of a file.
fn secret_in(path: &Path) -> Result<String, Error> {
    let failed = |error: &dyn std::fmt::Display| {
        Error::new(Kind::NoInput, format!("{}: {error}", path.display()))
    };
    let size = fs::metadata(path).map_err(|error| failed(&error))?.len();
    if size > SECRET_MAX {
        return Err(failed(&"it is too long for a password"));
    }
    let text = fs::read_to_string(path).map_err(|error| failed(&error))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// This machine's name, if it is one that can be told to others.
pub(crate) fn host_name() -> String {
    let named = fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| fs::read_to_string("/etc/hostname"));
    let name = named.unwrap_or_default();
    let name = name.trim();
    let right = parse_domain(name.as_bytes()).is_some() && !name.starts_with('[');
    if right { name.to_owned() } else { "localhost".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_named_in_the_usual_ways() {
        let right = [
            ("mail.hamburger.edu", "mail.hamburger.edu", 587),
            ("mail.hamburger.edu:25", "mail.hamburger.edu", 25),
            ("127.0.0.1", "127.0.0.1", 587),
            ("127.0.0.1:1025", "127.0.0.1", 1025),
            ("::1", "::1", 587),
            ("[::1]:1025", "::1", 1025),
        ];
        for (text, host, port) in right {
            let found = host_and_port("--server", text, SUBMISSION).expect("it is a server");
            assert_eq!(found, (host.to_owned(), port));
        }
        for text in ["", ":25", "a:", "a:x", "a:99999", "a b:25", "a\r\n:25", "a:0", "-a:25"] {
            assert!(host_and_port("--server", text, SUBMISSION).is_err(), "{text:?}");
        }
    }

    #[test]
    fn who_is_not_this_machine_must_prove_itself() {
        let security = |server: Option<&str>, tls| {
            let server = server.map(str::to_owned);
            let access = Access { server, tls, ..Access::default() };
            Server::new(access).expect("it is right").settings.security
        };
        let pkix = || Trust::Pkix;
        assert_eq!(security(None, None), Security::Opportunistic);
        assert_eq!(security(Some("localhost:25"), None), Security::Opportunistic);
        assert_eq!(security(Some("a.example:25"), None), Security::Required(pkix()));
        assert_eq!(security(Some("a.example:465"), None), Security::Implicit(pkix()));
        assert_eq!(security(Some("a.example"), Some(TlsChoice::Never)), Security::None);
    }

    #[test]
    fn logins_are_whole() {
        let wrong = |access: Access| Server::new(access).err().expect("it is wrong").message;
        let user = || Some("ann".to_owned());
        assert!(wrong(Access { user: user(), ..Access::default() }).contains("PILLARBOX_PASSWORD"));
        let password = Some("s3cret".to_owned());
        let only = Access { password: password.clone(), ..Access::default() };
        assert!(wrong(only).contains("--user"));
        let mechanism = Some("ROT13".to_owned());
        let strange = Access { user: user(), password, mechanism, ..Access::default() };
        assert!(wrong(strange).contains("SCRAM-SHA-256"));
    }
}
