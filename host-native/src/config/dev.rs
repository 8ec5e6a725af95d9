//! What the dev profile alone has: people that are made up for a test, mail that is there at the start, how much is kept,
//! and who is told of it.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use argon2::password_hash::phc::PasswordHash;
use pillarbox_engine::types::Persona;

use super::limits::Size;
use super::{check_domain, users};
use crate::cli::{self, ServeFlags};
use crate::error::Error;
use crate::http::Url;

/// Octets of conversations, if any are kept.
const CONVERSATIONS_MIN: u64 = 64 << 10;
const CONVERSATIONS_MAX: u64 = 1 << 30;

/// What the dev profile alone has; nothing of it is set in a server profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DevSettings {
    /// Who is there.
    pub people: People,
    /// Messages that are there at the start: a folder for each user.
    pub load: Option<PathBuf>,
    /// Messages that are kept; the oldest go first.
    pub messages_max: Option<NonZeroUsize>,
    /// Who is told of each message.
    pub webhook: Option<Url>,
    /// Octets of conversations that are kept from the start on; 0: none before a test asks for them; none: as many as
    /// there are kept then.
    pub conversations_max: Option<usize>,
    /// Whose words SMTP and POP3 say.
    pub persona: Persona,
    /// Whether SMTP goes on where a client is out of order.
    pub lenient: bool,
}

/// Whose mail is taken, and who may log in.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct People {
    /// Domains whose mail is taken, lower case; none: of all. The first is that of a name without one.
    pub domains: Vec<String>,
    /// By address in lower case, its password; none: everybody is there.
    pub users: BTreeMap<String, String>,
}

/// An account of `--user`: its address, or a name without a domain, and its password.
#[derive(Clone, PartialEq, Eq)]
pub struct DevUser {
    name: String,
    password: String,
}

impl fmt::Debug for People {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.users.keys().collect();
        f.debug_struct("People").field("domains", &self.domains).field("users", &names).finish()
    }
}

impl fmt::Debug for DevUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:******", self.name)
    }
}

impl FromStr for DevUser {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = "expected ADDRESS:PASSWORD, such as bob@hamburger.edu:s3cret";
        let (name, password) = text.split_once(':').ok_or(expected)?;
        let fine = |c: char| c.is_ascii_graphic() && !"<>,;\"\\".contains(c);
        if name.is_empty() || password.is_empty() || !name.chars().all(fine) {
            return Err(expected.to_owned());
        }
        if password.starts_with("$argon2") {
            PasswordHash::new(password).map_err(|error| format!("no Argon2id hash: {error}"))?;
        }
        if let Some((local, domain)) = name.rsplit_once('@') {
            check_domain(domain)?;
            if local.is_empty() {
                return Err(expected.to_owned());
            }
        }
        Ok(Self { name: name.to_lowercase(), password: password.to_owned() })
    }
}

impl DevSettings {
    /// Reads the flags.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`]: a flag is wrong, or belongs to no server with accounts.
    pub(super) fn new(flags: &ServeFlags, server_profile: bool) -> Result<Self, Error> {
        if server_profile {
            return match used(flags) {
                Some((flag, why)) => Err(Error::usage(format!(
                    "{flag} is for the dev profile; with --config {why}. Leave one of the two out"
                ))),
                None => Ok(Self::default()),
            };
        }
        let webhook = flags.webhook.as_deref().map(webhook).transpose()?;
        let (load, messages_max) = (flags.load.clone(), flags.max_messages);
        let conversations_max = flags.keep_sessions.map(|Size(octets)| match octets {
            0 | CONVERSATIONS_MIN..=CONVERSATIONS_MAX => Ok(usize::try_from(octets).unwrap_or(0)),
            _ => Err(Error::usage("--keep-sessions: expected 0, or from 64KiB to 1GiB")),
        });
        let conversations_max = conversations_max.transpose()?;
        let people = People::new(flags)?;
        let persona = match flags.persona.unwrap_or_default() {
            cli::Persona::Strict => Persona::Strict,
            cli::Persona::Textbook => Persona::Textbook,
        };
        let lenient = flags.lenient && !flags.strict;
        Ok(Self { people, load, messages_max, webhook, conversations_max, persona, lenient })
    }
}

impl People {
    fn new(flags: &ServeFlags) -> Result<Self, Error> {
        let mut domains: Vec<String> = Vec::new();
        for domain in &flags.domain {
            check_domain(domain).map_err(|why| Error::usage(format!("--domain: {why}")))?;
            domains.push(domain.to_lowercase());
        }
        let first = domains.first().cloned().unwrap_or_else(|| "localhost".to_owned());
        let mut users = BTreeMap::new();
        let of_file = flags.users.as_deref().map(users::read).transpose()?.unwrap_or_default();
        let of_flags = flags.user.iter().map(|user| ("--user".to_owned(), user));
        let of_file = of_file.iter().map(|(place, user)| (place.clone(), user));
        for (place, DevUser { name, password }) in of_flags.chain(of_file) {
            let (name, domain) = match name.rsplit_once('@') {
                Some((_, domain)) => (name.clone(), domain.to_owned()),
                None => (format!("{name}@{first}"), first.clone()),
            };
            if !flags.domain.is_empty() && !domains.contains(&domain) {
                let help = "it is none of --domain; name it there, or leave --domain out";
                return Err(Error::usage(format!("{place} {name}: {domain}: {help}")));
            }
            if !domains.contains(&domain) {
                domains.push(domain);
            }
            if users.insert(name.clone(), password.clone()).is_some() {
                return Err(Error::usage(format!("{place} {name}: it is there twice")));
            }
        }
        Ok(Self { domains, users })
    }

    /// The domain of a name without one.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.domains.first().map_or("localhost", String::as_str)
    }

    /// Whether mail of this domain, in lower case, is taken.
    #[must_use]
    pub fn hosts(&self, domain: &str) -> bool {
        self.domains.is_empty() || self.domains.iter().any(|known| known == domain)
    }

    /// The account of an address, both in lower case, with what stands behind a `+` left out if nobody has it.
    #[must_use]
    pub fn account(&self, address: &str) -> Option<String> {
        if self.users.is_empty() || self.users.contains_key(address) {
            return Some(address.to_owned());
        }
        let (local, domain) = address.rsplit_once('@')?;
        let base = format!("{}@{domain}", local.split_once('+')?.0);
        self.users.contains_key(&base).then_some(base)
    }
}

/// Who is told over the network must be this machine, or prove who it is.
fn webhook(text: &str) -> Result<Url, Error> {
    let url = Url::parse(text).filter(|url| url.is_secure() || url.is_local());
    url.ok_or_else(|| {
        let expected = "expected https://HOST/PATH, or http:// with a host of this machine, and no password in it";
        Error::usage(format!("--webhook: {expected}"))
    })
}

/// The first flag that a server with accounts has no use for, and why.
fn used(flags: &ServeFlags) -> Option<(&'static str, &'static str)> {
    let accounts = "accounts come from `pillarbox account add`";
    let domains = "domains come from the file";
    let import = "`pillarbox import` brings mail";
    let owned = "mail belongs to those who have it";
    let used = [
        ("--user", accounts, !flags.user.is_empty()),
        ("--users", accounts, flags.users.is_some()),
        ("--domain", domains, !flags.domain.is_empty()),
        ("--load", import, flags.load.is_some()),
        ("--max-messages", owned, flags.max_messages.is_some()),
        ("--webhook", owned, flags.webhook.is_some()),
        ("--persona", "other servers take its words for what they are", flags.persona.is_some()),
        ("--lenient", "other machines reach it", flags.lenient && !flags.strict),
        ("--keep-sessions", "`--trace-sessions DIR` writes them", flags.keep_sessions.is_some()),
    ];
    used.into_iter().find_map(|(flag, why, used)| used.then_some((flag, why)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(domains: &[&str], users: &[&str]) -> Result<People, String> {
        let user = users.iter().map(|user| user.parse()).collect::<Result<_, _>>()?;
        let domain = domains.iter().map(ToString::to_string).collect();
        let flags = ServeFlags { user, domain, ..ServeFlags::default() };
        DevSettings::new(&flags, false).map(|dev| dev.people).map_err(|error| error.message)
    }

    #[test]
    fn without_flags_everybody_is_there() {
        let people = people(&[], &[]).expect("nothing is asked for");
        assert!(people.hosts("a.test") && people.domain() == "localhost");
        assert_eq!(people.account("x@a.test").as_deref(), Some("x@a.test"));
    }

    #[test]
    fn users_are_the_only_ones_and_bring_their_domains() {
        let people = people(&[], &["Bob@A.test:p:w", "ann:x"]).expect("two users");
        assert_eq!(people.users["bob@a.test"], "p:w");
        assert_eq!(people.users["ann@localhost"], "x");
        assert!(people.hosts("a.test") && people.hosts("localhost") && !people.hosts("b.test"));
        assert_eq!(people.account("bob+x@a.test").as_deref(), Some("bob@a.test"));
        assert_eq!(people.account("eve@a.test"), None);
        assert!(!format!("{people:?}").contains("p:w"), "no password in a log");
    }

    #[test]
    fn slips_are_told() {
        for (domains, users, part) in [
            (&["a.test"][..], &["bob@b.test:x"][..], "none of --domain"),
            (&[], &["bob@b.test"], "ADDRESS:PASSWORD"),
            (&[], &["bob@b.test:"], "ADDRESS:PASSWORD"),
            (&[], &["bob@b..test:x"], "no domain name"),
            (&[], &["bob:x", "BOB@localhost:y"], "twice"),
            (&["-"], &[], "no domain name"),
        ] {
            let error = people(domains, users).expect_err(part);
            assert!(error.contains(part), "{error}");
        }
        let flags = ServeFlags { domain: vec!["a.test".into()], ..ServeFlags::default() };
        let wrong = Some(Size(1000));
        let few = ServeFlags { keep_sessions: wrong, ..ServeFlags::default() };
        let error = DevSettings::new(&few, false).expect_err("that is too little");
        assert!(error.message.contains("from 64KiB"), "{error}");
        let error = DevSettings::new(&flags, true).expect_err("accounts have domains");
        assert!(error.message.starts_with("--domain is for the dev profile"), "{error}");
    }

    #[test]
    fn only_who_proves_itself_is_told_of_mail() {
        for fine in ["https://hooks.example/x?y", "http://127.0.0.1:9/x", "http://localhost/"] {
            assert!(webhook(fine).is_ok(), "{fine}");
        }
        for wrong in ["http://hooks.example/", "ftp://localhost/", "https://a:b@hooks.example/"] {
            let error = webhook(wrong).expect_err(wrong);
            assert!(!error.message.contains("a:b"), "{error}");
        }
    }
}
