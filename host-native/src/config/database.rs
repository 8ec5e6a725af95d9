//! Where a database is that several nodes share, and how a node shows who it is there.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use tokio_postgres::config::Host;

use crate::error::{Error, Kind};

/// A PostgreSQL database with mail, and the directory of what is this node's alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Database {
    config: Box<tokio_postgres::Config>,
    directory: PathBuf,
}

impl Database {
    /// Reads `postgres://USER@HOST/NAME` or `postgresql://…`. The password comes from PGPASSWORD, or from the file that
    /// PGPASSFILE names: everybody sees a command line.
    ///
    /// # Errors
    /// [`Kind::Usage`]: it is no such URL, it has a password, or the way there would be open to others.
    pub fn new(url: &str, directory: PathBuf) -> Result<Self, Error> {
        let wrong = |what: &str| Error::usage(format!("--database: {what}"));
        let mut config: tokio_postgres::Config = url
            .parse()
            .map_err(|_| wrong("this is no URL such as postgres://pillarbox@localhost/mail"))?;
        if config.get_password().is_some() {
            return Err(wrong("leave the password out; set PGPASSWORD, or name a PGPASSFILE"));
        }
        if config.get_hosts().is_empty() {
            return Err(wrong("it names no host, such as localhost or ?host=/run/postgresql"));
        }
        let by_address = config.get_hostaddrs().iter().find(|address| !address.is_loopback());
        let far = config.get_hosts().iter().find_map(far);
        if let Some(host) = far.or(by_address.map(ToString::to_string)) {
            return Err(wrong(&format!(
                "mail and the password would go to {host} in the clear; let a local proxy such as \
                 stunnel or pgbouncer speak TLS with it, and name that"
            )));
        }
        if let Some(password) = password(&config)? {
            config.password(password);
        }
        Ok(Self { config: Box::new(config), directory })
    }

    /// How to connect.
    pub(crate) fn config(&self) -> &tokio_postgres::Config {
        &self.config
    }

    /// Where this node keeps its accounts, keys and sockets.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn error(&self, what: &str) -> Error {
        Error::new(Kind::Data, format!("--database {self}: {what}"))
    }
}

/// A host that is not this machine.
fn far(host: &Host) -> Option<String> {
    match host {
        Host::Unix(_) => None,
        Host::Tcp(name) => {
            let address = name.trim_matches(['[', ']']).parse::<IpAddr>();
            let is_near = name == "localhost" || address.is_ok_and(|it| it.is_loopback());
            (!is_near).then(|| name.clone())
        }
    }
}

fn password(config: &tokio_postgres::Config) -> Result<Option<String>, Error> {
    if let Ok(password) = std::env::var("PGPASSWORD") {
        return Ok(Some(password));
    }
    let Some(file) = std::env::var_os("PGPASSFILE") else { return Ok(None) };
    let lines = std::fs::read_to_string(&file).map_err(|error| {
        Error::usage(format!("PGPASSFILE {}: {error}", Path::new(&file).display()))
    })?;
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        _ => "localhost".to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432).to_string();
    let name = config.get_dbname().or(config.get_user()).unwrap_or_default();
    let wanted = [&host, &port, name, config.get_user().unwrap_or_default()];
    Ok(lines.lines().find_map(|line| password_of(line, wanted)))
}

/// The password of a line `host:port:database:user:password`, if it is for this; `*` is for all.
fn password_of(line: &str, wanted: [&str; 4]) -> Option<String> {
    let mut rest = line;
    for wanted in wanted {
        let (field, more) = rest.split_once(':')?;
        if field != "*" && field != wanted {
            return None;
        }
        rest = more;
    }
    Some(rest.replace("\\:", ":").replace("\\\\", "\\"))
}

/// Without the password, for people.
impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = match self.config.get_hosts().first() {
            Some(Host::Tcp(name)) => name.clone(),
            Some(Host::Unix(path)) => path.display().to_string(),
            None => String::new(),
        };
        let user = self.config.get_user().unwrap_or_default();
        write!(f, "{} of {user} at {host}", self.config.get_dbname().unwrap_or(user))
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_that_others_could_read_is_refused_and_a_password_is_not_taken_from_a_url() {
        let at = |url: &str| Database::new(url, PathBuf::from("d")).map(|found| found.to_string());
        assert_eq!(at("postgres://me@localhost/mail").expect("near"), "mail of me at localhost");
        assert!(at("postgresql://me@%2Frun%2Fpostgresql/mail").is_ok());
        assert!(at("postgres://me@[::1]/mail").is_ok());
        for wrong in [
            "postgres://me@db.example/mail",
            "postgres://me@localhost/mail?hostaddr=192.0.2.1",
            "postgres://me:x@localhost/mail",
            "x://y",
        ] {
            let said = at(wrong).expect_err(wrong).to_string();
            assert!(!said.contains(":x@"), "{said}");
        }
    }

    #[test]
    fn a_line_of_passwords_is_for_what_it_names() {
        let wanted = ["localhost", "5432", "mail", "me"];
        assert_eq!(password_of("localhost:*:mail:me:a\\:b", wanted).as_deref(), Some("a:b"));
        assert_eq!(password_of("localhost:*:other:me:x", wanted), None);
        assert_eq!(password_of("nonsense", wanted), None);
    }
}
