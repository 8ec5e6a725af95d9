//! Settings: flags, variables and the configuration file, joined and judged.
//! After this file nothing is optional and nothing is wrong.

mod auth;
mod clock;
mod database;
mod dev;
mod dns;
mod faults;
mod imap;
mod limits;
mod listen;
mod profile;
mod relay;
mod schema;
pub(crate) mod suggest;
mod tls;
mod trust;
mod users;
mod web_mail;
mod without;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::accounts::Accounts;
use crate::cli::{EngineChoice, LogFormat, ServeFlags};
use crate::dns::ResolverSettings;
use crate::error::Error;
use crate::trust::TrustSettings;

pub use auth::{
    AuthFile, AuthSettings, ExtraLogins, ProxyFile, SmtpFile, TokensFile, Trusted, WebFile,
};
pub use clock::Clock;
pub use database::Database;
pub use dev::{DevSettings, DevUser, People};
pub use dns::DnsFile;
pub use faults::FaultSettings;
pub(crate) use faults::here;
pub use imap::{ImapFile, Preauth};
pub use limits::{LimitSettings, Size};
pub use listen::{Listen, ListenFile, Place};
pub use relay::{Network, RelayFile, RelaySettings, RouteLogin};
pub use schema::SCHEMA;
pub use tls::{TlsFile, TlsSettings, TlsSource};
pub use trust::{DkimFile, DkimSettings, TrustFile, TrustPolicyFile, check_name};
pub use web_mail::WebMailFile;
pub use without::Without;

/// What `pillarbox serve` does.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who may log in and whose mail is taken.
    pub profile: Profile,
    /// The server's name in greetings and trace fields.
    pub host_name: String,
    /// Where each service listens.
    pub listen: Listen,
    /// Where mail is kept.
    pub data: Data,
    /// Written once everything accepts.
    pub ready_file: Option<PathBuf>,
    /// Whether the first line of standard output is what the ready file says, for programs.
    pub ready_event: bool,
    /// Whether the server stops when the process that started it ends.
    pub exit_with_parent: bool,
    /// What tells this server from others beside it.
    pub label: Option<String>,
    /// How logs are written.
    pub log_format: LogFormat,
    /// Where transcripts go.
    pub trace_sessions: Option<PathBuf>,
    /// Sessions at work at once.
    pub slots: Option<u32>,
    /// Connections at once.
    pub connections: Option<u32>,
    /// Where the engine runs.
    pub engine: EngineChoice,
    /// Bounds that the configuration file changes.
    pub limits: LimitSettings,
    /// TLS; none without a certificate.
    pub tls: Option<TlsSettings>,
    /// Whether tests move the queue's clock.
    pub test_clock: bool,
    /// Whose time it is, if somebody said so.
    pub clock: Option<Clock>,
    /// Whether other machines are let in though nobody has to log in.
    pub unsafe_bind: bool,
    /// How logins to accounts are judged; none in the dev profile.
    pub auth: Option<AuthSettings>,
    /// The dev profile's only password, if there is one.
    pub dev_password: Option<String>,
    /// What the dev profile alone has.
    pub dev: DevSettings,
    /// Whether passwords may come without TLS from other machines.
    pub allow_cleartext_login: bool,
    /// Who is believed when it speaks for others.
    pub trusted: Trusted,
    /// Whether VRFY and EXPN tell who is here.
    pub smtp_verify: bool,
    /// Faults on purpose; none in a server profile.
    pub faults: Option<FaultSettings>,
    /// Capabilities that sessions do not offer.
    pub without: Without,
    /// Logins that are off unless somebody wants them.
    pub extra_logins: ExtraLogins,
    /// A listener of IMAP on which whoever comes is logged in.
    pub preauth: Option<Preauth>,
    /// What IMAP tells of the server (RFC 5464 §6.2).
    pub annotations: Vec<(Vec<u8>, Vec<u8>)>,
    /// Accounts that may set quotas; none in the dev profile, where everybody may.
    pub quota_admins: Option<Vec<Vec<u8>>>,
    /// Accounts of servers that take mail for others (RFC 4467 §2.3).
    pub submission_entities: Vec<Vec<u8>>,
    /// MiB that the full-text index may take on the disk; 0: there is none.
    pub search_index_mib: u32,
    /// Messages that one command of IMAP works at (RFC 9738); 0: any number.
    pub imap_message_limit: u32,
    /// Seconds between two openings of a maildrop over POP3 (RFC 2449 §6.5).
    pub pop3_login_delay_s: u32,
    /// Whether web mail shows people its requests and the conversations that their letters cause.
    pub show_protocol: bool,
}

/// Where mail is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// In this directory.
    Directory(PathBuf),
    /// In a database that other nodes have too.
    Database(Database),
    /// Nowhere that lasts.
    Memory,
}

impl Data {
    /// The directory of this process: with its mail, or of a node beside it.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        match self {
            Self::Directory(directory) => Some(directory),
            Self::Database(database) => Some(database.directory()),
            Self::Memory => None,
        }
    }

    /// Whether there is nothing yet to open: a directory without a store.
    #[must_use]
    pub fn is_new(&self) -> bool {
        matches!(self, Self::Directory(directory) if !directory.join("mail.db").exists())
    }
}

/// Who may log in and whose mail is taken.
#[derive(Clone, Debug)]
pub enum Profile {
    /// Everyone, with any password; every address has a mailbox; nothing is ever relayed. Loopback only.
    Dev,
    /// The accounts of these domains.
    Server(Box<ServerProfile>),
}

/// A server's domains and addresses.
#[derive(Clone, Debug, Default)]
pub struct ServerProfile {
    /// Domains whose mail is taken, lower case.
    pub domains: Vec<String>,
    /// Addresses that stand for others, lower case.
    pub aliases: BTreeMap<String, Vec<String>>,
    /// By domain, the address that gets what no account or alias takes.
    pub catch_all: BTreeMap<String, String>,
    /// By account, other addresses that it writes as; `@domain` is all of a domain. Lower case.
    pub identities: BTreeMap<String, Vec<String>>,
    /// The accounts file.
    pub accounts: PathBuf,
    /// How mail for elsewhere is relayed.
    pub relay: RelaySettings,
    /// How names are looked up.
    pub dns: ResolverSettings,
    /// How senders are judged.
    pub trust: TrustSettings,
    /// What mail is signed with.
    pub dkim: Vec<DkimSettings>,
}

/// The configuration file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    /// The server's name; the machine's if missing.
    pub host_name: Option<String>,
    /// Directory of the mail store; as all paths in the file, meant from where the file is.
    pub data: Option<PathBuf>,
    /// The PostgreSQL database with the mail, if nodes share it; `data` is then for what is this node's own.
    pub database: Option<String>,
    /// Domains whose mail is taken.
    pub domains: Vec<String>,
    /// Addresses that stand for others.
    #[serde(default)]
    pub aliases: BTreeMap<String, Vec<String>>,
    /// By domain, the address that gets the rest.
    #[serde(default)]
    pub catch_all: BTreeMap<String, String>,
    /// By account, other addresses that it writes as.
    #[serde(default)]
    pub identities: BTreeMap<String, Vec<String>>,
    /// Where each service listens.
    #[serde(default)]
    pub listen: ListenFile,
    /// Bounds.
    #[serde(default)]
    pub limits: LimitSettings,
    /// The certificate.
    #[serde(default)]
    pub tls: TlsFile,
    /// Mail for elsewhere.
    #[serde(default)]
    pub relay: RelayFile,
    /// Names.
    #[serde(default)]
    pub dns: DnsFile,
    /// How senders are judged.
    #[serde(default)]
    pub trust: TrustFile,
    /// What mail is signed with.
    #[serde(default)]
    pub dkim: Vec<DkimFile>,
    /// Logins.
    #[serde(default)]
    pub auth: AuthFile,
    /// Who speaks the PROXY protocol.
    #[serde(default)]
    pub proxy: ProxyFile,
    /// SMTP alone.
    #[serde(default)]
    pub smtp: SmtpFile,
    /// IMAP alone.
    #[serde(default)]
    pub imap: ImapFile,
    /// POP3 alone.
    #[serde(default)]
    pub pop3: Pop3File,
    /// Web mail alone.
    #[serde(default)]
    pub web_mail: WebMailFile,
}

/// `[pop3]` of the configuration file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pop3File {
    /// Seconds between two openings of a maildrop (RFC 2449 §6.5); 0: none.
    #[serde(default)]
    pub login_delay_s: u32,
    /// Whether APOP (RFC 1939 §7) is offered, for accounts whose password can be read [default: false].
    #[serde(default)]
    pub apop: bool,
    /// Capabilities that are neither announced nor accepted.
    #[serde(default)]
    pub without: Vec<String>,
}

impl Settings {
    /// Joins flags with the configuration file that they name.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`], naming the flag, or the file and the line.
    pub fn new(flags: ServeFlags) -> Result<Self, Error> {
        let Some(path) = flags.config.clone() else { return Self::joined(flags, None) };
        let file = read_config(&path)?;
        Self::joined(flags, Some(file)).map_err(|error| match error.message.starts_with("--") {
            // It is about a flag, which has its name.
            true => error,
            false => {
                Error::new(error.kind, format!("--config {}: {}", path.display(), error.message))
            }
        })
    }

    fn joined(flags: ServeFlags, file: Option<ConfigFile>) -> Result<Self, Error> {
        let data = data(&flags, file.as_ref())?;
        let tls = tls::settings(&flags, file.as_ref(), &data)?;
        let unsafe_bind =
            flags.unsafe_bind || file.as_ref().is_some_and(|file| file.listen.unsafe_bind);
        let listen = file.as_ref().map(|file| file.listen).unwrap_or_default();
        let listen = Listen::new(&flags, listen, tls.is_some())?;
        let dev = DevSettings::new(&flags, file.is_some())?;
        let faults = FaultSettings::new(&flags, file.is_some())?;
        let mut limits = file.as_ref().map(|file| file.limits).unwrap_or_default();
        limits.message_max = flags.max_size.map(|Size(octets)| octets).or(limits.message_max);
        let host_name = file.as_ref().and_then(|file| file.host_name.clone());
        let extra_logins = ExtraLogins::new(&flags, file.as_ref())?;
        let auth = file.as_ref().map(|file| auth(&flags, file, &data)).transpose()?;
        let auth = auth.map(|auth| AuthSettings { extra: extra_logins, ..auth });
        let trusted = file.as_ref().map(|file| Trusted::new(&file.proxy, &file.smtp));
        let smtp_verify = file.as_ref().is_some_and(|file| file.smtp.verify);
        let mut without = Without::new(&flags, file.as_ref())?;
        let imap = file.as_ref().map(|file| &file.imap);
        let preauth = Preauth::new(&flags, imap)?;
        let imap_message_limit = imap::message_limit(&flags, imap)?;
        let annotations = imap.map(ImapFile::annotations).transpose()?.unwrap_or_default();
        let pop3 = file.as_ref().map(|file| file.pop3.clone()).unwrap_or_default();
        // Without a file this is a developer's own machine.
        let show_protocol = file.as_ref().is_none_or(|file| file.web_mail.show_protocol);
        let quota_admins = file.as_ref().map(|file| imap::accounts(&file.imap.quota_admins));
        let submission_entities = file.as_ref().map(|file| &file.imap.submission_entities[..]);
        let submission_entities = imap::accounts(submission_entities.unwrap_or_default());
        let search_index_mib = file.as_ref().and_then(|file| file.imap.search_index_mib);
        let search_index_mib = search_index_mib.unwrap_or(imap::SEARCH_INDEX_MIB);
        if quota_admins.as_ref().is_some_and(Vec::is_empty) {
            // What nobody may do is not announced.
            without.imap.push(b"QUOTASET".to_vec());
        }
        // Who lets everybody in has no password to protect.
        let allow_cleartext_login = match &file {
            Some(file) => file.auth.allow_cleartext_login,
            None => unsafe_bind,
        };
        if file.is_some() && flags.dev_password.is_some() {
            let message =
                "--dev-password is for the dev profile; accounts have passwords of their own";
            return Err(Error::usage(message));
        }
        let profile = match file {
            Some(file) => Profile::Server(Box::new(profile::server(file, &data, base(&flags))?)),
            None => Profile::Dev,
        };
        let settings = Self {
            host_name: host_name.unwrap_or_else(|| host_name_of(&profile)),
            profile,
            listen,
            data,
            ready_file: flags.ready_file,
            ready_event: flags.json,
            exit_with_parent: flags.exit_with_parent,
            label: flags.label,
            log_format: flags.log_format.unwrap_or_default(),
            trace_sessions: flags.trace_sessions,
            slots: flags.slots.or(limits.slots),
            connections: flags.connections.or(limits.connections),
            engine: flags.engine.unwrap_or_default(),
            limits,
            tls,
            test_clock: flags.test_clock || matches!(flags.clock, Some(Clock::Virtual(_))),
            clock: flags.clock,
            unsafe_bind,
            auth,
            dev_password: flags.dev_password,
            dev,
            allow_cleartext_login,
            trusted: trusted.unwrap_or_default(),
            smtp_verify,
            faults,
            without,
            extra_logins,
            preauth,
            annotations,
            quota_admins,
            submission_entities,
            search_index_mib,
            imap_message_limit,
            pop3_login_delay_s: pop3.login_delay_s,
            show_protocol,
        };
        settings.limits.check()?;
        settings.check_tls()?;
        Ok(settings)
    }

    /// The accounts file of a server profile.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`] in the dev profile, which has no accounts.
    pub fn accounts_file(&self) -> Result<PathBuf, Error> {
        match (&self.profile, &self.data) {
            (Profile::Server(profile), _) => Ok(profile.accounts.clone()),
            (Profile::Dev, _) => Err(Error::usage(
                "accounts belong to a server profile; name its file with --config pillarbox.toml \
                 (without one, every login is let in with any password)",
            )),
        }
    }

    fn check_tls(&self) -> Result<(), Error> {
        let Listen { submissions, pop3s, imaps, .. } = self.listen;
        let asked = [("submissions", submissions), ("pop3s", pop3s), ("imaps", imaps)];
        match asked.into_iter().find(|(_, address)| address.is_some()) {
            Some((name, _)) if self.tls.is_none() => Err(Error::usage(format!(
                "--{name}: there is no certificate; name one in the configuration file, \
                 under [tls], with certificate and key"
            ))),
            _ => Ok(()),
        }
    }

    /// Refuses to let other machines in where everyone would be let in.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`], naming the listener.
    pub fn check_listeners(&self) -> Result<(), Error> {
        if self.unsafe_bind {
            return Ok(());
        }
        // Of the dev profile's users HTTP asks nothing.
        let asks = matches!(self.profile, Profile::Dev)
            && (!self.dev.people.users.is_empty() || self.dev_password.is_some());
        let public = self
            .listen
            .all()
            .find(|(flag, address)| !is_loopback(address.ip()) && (!asks || *flag == "--http"));
        let Some((flag, address)) = public else { return Ok(()) };
        let why = match &self.profile {
            Profile::Dev if asks => {
                "and its pages show everybody's mail without a login; use a 127.0.0.1 address, or --unsafe-bind \
                 if whoever reaches it may read all mail"
            }
            Profile::Dev => {
                "and without --config everyone is let in with any password; use a 127.0.0.1 address, --user, a \
                 configuration with domains and accounts, or --unsafe-bind if whoever reaches it may read all mail"
            }
            Profile::Server(profile) => {
                if Accounts::read(&profile.accounts)?.names().next().is_some() {
                    return Ok(());
                }
                "and this server has no accounts yet; add one with `pillarbox account add`, or say --unsafe-bind"
            }
        };
        Err(Error::usage(format!("{flag} {address}: other machines can reach this address, {why}")))
    }
}

/// Whether only this machine can reach an address.
#[must_use]
pub fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// Reads a configuration file.
///
/// # Errors
/// [`crate::error::Kind::Usage`], naming the file and the line.
pub fn read_config(path: &Path) -> Result<ConfigFile, Error> {
    let at = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Error::usage(format!("--config {at}: cannot read it: {error}")))?;
    let mut file: ConfigFile = toml::from_str(&text)
        .map_err(|error| Error::usage(format!("--config {at}: {}", suggest::wrong_toml(&error))))?;
    if file.domains.is_empty() {
        let message = "domains is empty; name at least one whose mail this server takes";
        return Err(Error::usage(format!("--config {at}: {message}")));
    }
    file.domains.iter_mut().for_each(|domain| *domain = domain.to_lowercase());
    for domain in &file.domains {
        check_domain(domain)
            .map_err(|what| Error::usage(format!("--config {at}: domains: {what}")))?;
    }
    if let Some(name) = &file.host_name {
        let what = match check_domain(name) {
            Ok(()) if name.is_ascii() => None,
            // It goes into greetings and trace fields, which are ASCII.
            Ok(()) => Some(format!("`{name}`: write it in ASCII, with `xn--`")),
            Err(what) => Some(what),
        };
        if let Some(what) = what {
            return Err(Error::usage(format!("--config {at}: host_name: {what}")));
        }
    }
    Ok(file)
}

/// Whether mail can be for a domain, or a host have the name: that it exists is DNS's to say.
fn check_domain(name: &str) -> Result<(), String> {
    let ascii = pillarbox_engine::text::domain::to_ascii(name.as_bytes());
    let is_name = pillarbox_engine::text::domain::is_name(&ascii) && !ascii.contains(&b'_');
    let is_address = name.parse::<IpAddr>().is_ok();
    let hyphen = ascii
        .split(|octet| *octet == b'.')
        .any(|label| label.starts_with(b"-") || label.ends_with(b"-"));
    if is_name && !is_address && !hyphen && !name.ends_with('.') {
        return Ok(());
    }
    Err(format!("`{name}` is no domain name; expected one such as mail.hamburger.edu"))
}

/// Paths in a file are meant from where the file is.
fn base(flags: &ServeFlags) -> &Path {
    flags.config.as_deref().and_then(Path::parent).unwrap_or(Path::new(""))
}

fn auth(flags: &ServeFlags, file: &ConfigFile, data: &Data) -> Result<AuthSettings, Error> {
    // Memory alone is refused with the profile, which keeps its accounts there.
    let directory = data.directory().unwrap_or(Path::new(""));
    file.auth.settings(base(flags), directory, file.limits, file.tls.client_ca.is_some())
}

fn data(flags: &ServeFlags, file: Option<&ConfigFile>) -> Result<Data, Error> {
    if flags.memory {
        return Ok(Data::Memory);
    }
    let directory = directory(flags, file)?;
    let url = flags.database.as_ref().or(file.and_then(|file| file.database.as_ref()));
    match url {
        Some(url) => Database::new(url, directory).map(Data::Database),
        None => Ok(Data::Directory(directory)),
    }
}

fn directory(flags: &ServeFlags, file: Option<&ConfigFile>) -> Result<PathBuf, Error> {
    // What the command line names is meant from where it is typed.
    let of_file = || file.and_then(|file| file.data.as_ref()).map(|data| base(flags).join(data));
    if let Some(directory) = flags.data.clone().or_else(of_file) {
        return Ok(directory);
    }
    let base = std::env::var_os("XDG_DATA_HOME").filter(|value| !value.is_empty());
    let base = base.map(PathBuf::from).or_else(|| {
        std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local").join("share"))
    });
    let base = base.ok_or_else(|| {
        Error::usage("neither XDG_DATA_HOME nor HOME is set; say where to keep mail with --data DIR, or --memory")
    })?;
    Ok(base.join("pillarbox"))
}

fn host_name_of(profile: &Profile) -> String {
    match profile {
        Profile::Dev => "localhost".to_owned(),
        Profile::Server(profile) => {
            let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
            let machine = machine.trim();
            // A name without a dot is no domain that another server could check (RFC 5321 §2.3.5).
            if machine.contains('.') {
                machine.to_owned()
            } else {
                format!("mail.{}", profile.domains[0])
            }
        }
    }
}
