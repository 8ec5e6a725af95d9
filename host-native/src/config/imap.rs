//! What the configuration says about IMAP: who says what accounts may use, what is told of the server, and who is logged in
//! from the beginning.

use std::net::SocketAddr;
use std::str::FromStr;

use serde::Deserialize;

use super::is_loopback;
use super::listen::moved;
use crate::cli::ServeFlags;
use crate::error::Error;
use pillarbox_world::store::Annotations;

/// `[imap]` of the configuration file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImapFile {
    /// Capabilities that are neither announced nor accepted.
    #[serde(default)]
    pub without: Vec<String>,
    /// Accounts that may say what accounts may use (SETQUOTA, RFC 9208 §4.1.3).
    #[serde(default)]
    pub quota_admins: Vec<String>,
    /// Accounts of servers that take mail for others, and read by their URLs what is to be sent (`submit+`, RFC 4467 §2.3).
    #[serde(default)]
    pub submission_entities: Vec<String>,
    /// MiB that the full-text index may take on the disk [default: 1024]; 0: there is none.
    pub search_index_mib: Option<u32>,
    /// Messages that one command works at, the highest of those that it names (MESSAGELIMIT, RFC 9738; it advises 1,000 at
    /// least) [default: 0]; 0: no limit.
    pub message_limit: Option<u32>,
    /// What everybody is told of this server (`/shared/comment`, RFC 5464 §6.2.1).
    pub comment: Option<String>,
    /// How to reach who runs it, as a URI (`/shared/admin`, RFC 5464 §6.2.2).
    pub admin: Option<String>,
    /// A listener on which whoever comes is logged in.
    pub preauth: Option<Preauth>,
}

/// A listener of IMAP whose sessions belong to one account from the greeting on (PREAUTH, RFC 9051 §7.1.4).
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Preauth {
    /// The account.
    pub account: String,
    /// Where it listens.
    pub listen: SocketAddr,
}

impl Preauth {
    /// Joins flag and file.
    ///
    /// # Errors
    /// Other machines could reach it.
    pub(super) fn new(flags: &ServeFlags, file: Option<&ImapFile>) -> Result<Option<Self>, Error> {
        let found = match (&flags.imap_preauth, file.and_then(|file| file.preauth.as_ref())) {
            (Some(flag), _) => Some(("--imap-preauth", flag)),
            (None, file) => file.map(|file| ("imap.preauth", file)),
        };
        let Some((place, preauth)) = found else { return Ok(None) };
        if !is_loopback(preauth.listen.ip()) {
            let Self { account, listen } = preauth;
            let why = format!(
                "whoever reaches this address is {account} without a password, and other machines can; \
                 use a 127.0.0.1 address"
            );
            return Err(Error::usage(format!("{place}: {listen}: {why}")));
        }
        let listen = moved(flags, preauth.listen, flags.imap_preauth.is_some())?;
        Ok(Some(Self { listen, ..preauth.clone() }))
    }
}

impl FromStr for Preauth {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = "expected ACCOUNT=ADDRESS, such as bob@hamburger.edu=127.0.0.1:1144";
        let (account, listen) = text.rsplit_once('=').ok_or(expected)?;
        let listen = listen.parse().map_err(|_| expected)?;
        match account {
            "" => Err(expected.to_owned()),
            account => Ok(Self { account: account.to_owned(), listen }),
        }
    }
}

impl ImapFile {
    /// What is told of the server, as entries of METADATA (RFC 5464 §6.2).
    ///
    /// # Errors
    /// The way to who runs it is no URI.
    pub(super) fn annotations(&self) -> Result<Annotations, Error> {
        let is_uri = |text: &str| {
            let scheme = text.split_once(':').map(|(scheme, _)| scheme);
            let known = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
            scheme.is_some_and(|scheme| !scheme.is_empty() && scheme.chars().all(known))
                && text.chars().all(|c| c.is_ascii_graphic())
        };
        if let Some(admin) = self.admin.as_ref().filter(|admin| !is_uri(admin)) {
            let help = "expected a URI such as mailto:postmaster@hamburger.edu or tel:+1-555-0100";
            return Err(Error::usage(format!("imap.admin: `{admin}`: {help} (RFC 5464 §6.2.2)")));
        }
        let all = [(&b"/shared/admin"[..], &self.admin), (b"/shared/comment", &self.comment)];
        let told = all.into_iter().filter_map(|(entry, text)| Some((entry, text.as_ref()?)));
        Ok(told.map(|(entry, text)| (entry.to_vec(), text.clone().into_bytes())).collect())
    }
}

/// MiB of the full-text index, unless set.
pub(super) const SEARCH_INDEX_MIB: u32 = 1024;

/// The most that MESSAGELIMIT may be: UID EXPUNGE notes so many messages, and a COPY of more is several transactions.
const MESSAGE_LIMIT_MAX: u32 = 100_000;

/// Joins flag and file; 0: there is no limit.
///
/// # Errors
/// It is larger than a session has room for.
pub(super) fn message_limit(flags: &ServeFlags, file: Option<&ImapFile>) -> Result<u32, Error> {
    let of_file = file.and_then(|file| file.message_limit);
    let (place, limit) = match flags.imap_message_limit {
        Some(limit) => ("--imap-message-limit", limit),
        None => ("imap.message_limit", of_file.unwrap_or(0)),
    };
    if limit > MESSAGE_LIMIT_MAX {
        let why = format!("{limit} is more than {MESSAGE_LIMIT_MAX}; 0 sets no limit");
        return Err(Error::usage(format!("{place}: {why}")));
    }
    Ok(limit)
}

/// Names of accounts as they are compared: in lower case.
pub(super) fn accounts(names: &[String]) -> Vec<Vec<u8>> {
    names.iter().map(|name| name.to_lowercase().into_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_from_elsewhere_is_logged_in_unasked() {
        let at = |text: &str| {
            let imap_preauth = Some(text.parse()?);
            let flags = ServeFlags { imap_preauth, ..ServeFlags::default() };
            Preauth::new(&flags, None).map_err(|error| error.message)
        };
        let here = at("a=b@x.example=[::1]:1144").expect("it is here").expect("it is asked for");
        assert_eq!(here.account, "a=b@x.example");
        for (text, part) in [
            ("bob@x.example=0.0.0.0:1144", "without a password"),
            ("bob@x.example=192.0.2.1:143", "without a password"),
            ("bob@x.example", "ACCOUNT=ADDRESS"),
            ("=127.0.0.1:1144", "ACCOUNT=ADDRESS"),
            ("bob@x.example=localhost", "ACCOUNT=ADDRESS"),
        ] {
            let error = at(text).expect_err(text);
            assert!(error.contains(part), "{error}");
        }
        let file: ImapFile =
            toml::from_str("[preauth]\naccount = 'bob@x.example'\nlisten = '[::]:1144'")
                .expect("it is read");
        let error = Preauth::new(&ServeFlags::default(), Some(&file)).expect_err("from elsewhere");
        assert!(error.message.starts_with("imap.preauth: [::]:1144"), "{}", error.message);
    }

    #[test]
    fn who_runs_the_server_is_reached_by_a_uri() {
        let read = |text: &str| {
            let file: ImapFile = toml::from_str(text).expect("it is read");
            file.annotations().map_err(|error| error.message)
        };
        let told = read("admin = 'mailto:root@x.example'\ncomment = 'Hello'").expect("fine");
        assert_eq!(told[0], (b"/shared/admin".to_vec(), b"mailto:root@x.example".to_vec()));
        assert_eq!(told[1], (b"/shared/comment".to_vec(), b"Hello".to_vec()));
        assert_eq!(read(""), Ok(Vec::new()));
        for wrong in ["root@x.example", ":x", "ma ilto:x", "mailto:a b"] {
            let error = read(&format!("admin = '{wrong}'")).expect_err(wrong);
            assert!(error.contains("mailto:postmaster"), "{error}");
        }
    }
}
