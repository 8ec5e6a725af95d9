//! Which server mail is read from, and on which terms: a URL, flags and variables, joined and judged.

use std::fs::File;
use std::io::{self, BufRead, IsTerminal, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pillarbox_engine::smtp::grammar::parse_domain;

use super::server::{Certificates, addresses, is_anonymous, is_loopback, login, login_to_pop3};
use super::{Access, TlsChoice};
use crate::cli::EngineChoice;
use crate::client::reading::{Ended, Terms, Why};
use crate::client::{Client, Security, Target, Trace, Trust};
use crate::engine::{Engine, EngineSettings};
use crate::error::{Error, Kind};

/// RFC 2177 §3 has a client begin IDLE anew within half an hour; what forgets quiet connections on the way is often quicker.
const IDLE_RENEW: Duration = Duration::from_secs(9 * 60);

/// How mail is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Imap,
    Pop3,
}

/// `SCHEME://[USER@]HOST[:PORT][/MAILBOX]` (RFC 5092 §11, RFC 2384 §8), its parts decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MailUrl {
    pub(crate) protocol: Protocol,
    /// TLS comes first.
    pub(crate) implicit: bool,
    pub(crate) user: Option<String>,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) mailbox: Option<String>,
}

impl MailUrl {
    /// Reads it.
    ///
    /// # Errors
    /// It is none; the message says what is wrong with it.
    pub(crate) fn read(flag: &str, text: &str) -> Result<Self, Error> {
        let wrong = |what: &str| {
            let form = "imaps://USER@HOST/MAILBOX, imap:, pop3s: or pop3:";
            Error::usage(format!("{flag}: `{text}`: {what}; the form is {form}"))
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("it is no URL"))?;
        let (protocol, implicit, port) = match &scheme.to_ascii_lowercase()[..] {
            "imaps" => (Protocol::Imap, true, 993),
            "imap" => (Protocol::Imap, false, 143),
            "pop3s" | "pops" => (Protocol::Pop3, true, 995),
            "pop3" | "pop" => (Protocol::Pop3, false, 110),
            _ => return Err(wrong("its scheme is not known")),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority),
        };
        if user.is_some_and(|user| user.contains(':')) {
            // Other users see the command line, and shells remember it.
            return Err(wrong("a password does not belong on the command line"));
        }
        let decode = |text: &str| decoded(text).ok_or_else(|| wrong("a `%` in it is wrong"));
        let (host, port) = match place.rsplit_once(':') {
            Some((host, digits)) if !place.ends_with(']') => {
                (host, digits.parse().map_err(|_| wrong("its port is no number"))?)
            }
            _ => (place, port),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let is_host =
            host.parse::<std::net::IpAddr>().is_ok() || parse_domain(host.as_bytes()).is_some();
        if !is_host || port == 0 {
            return Err(wrong("its host is no name or address"));
        }
        // An account's name often is an address, and few know that its `@` is to be encoded.
        let user = user.map(decode).transpose()?.filter(|user| !user.is_empty());
        let mailbox = Some(decode(path)?).filter(|name| !name.is_empty());
        if mailbox.is_some() && protocol == Protocol::Pop3 {
            return Err(wrong("POP3 knows one mailbox alone, and it has no name"));
        }
        Ok(Self { protocol, implicit, user, host: host.to_owned(), port, mailbox })
    }
}

fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((octet, more)) = rest.split_first() {
        rest = more;
        if *octet != b'%' {
            out.push(*octet);
            continue;
        }
        let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
        out.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &rest[2..];
    }
    String::from_utf8(out).ok()
}

/// A server and the terms on which its mail is read.
pub(crate) struct MailHost {
    pub(crate) url: MailUrl,
    pub(crate) user: String,
    pub(crate) terms: Terms,
    certificates: Certificates,
    trace: bool,
}

impl MailHost {
    /// Joins and judges; asks for a password at the terminal if nothing else gives one.
    ///
    /// # Errors
    /// A value is wrong or missing; the message names it.
    pub(crate) fn new(url: MailUrl, mut access: Access, trace: bool) -> Result<Self, Error> {
        let local = is_loopback(&url.host);
        let security = match (access.tls, url.implicit) {
            (Some(TlsChoice::Never), false) => Security::None,
            (Some(TlsChoice::Opportunistic), false) => Security::Opportunistic,
            (Some(TlsChoice::Required), false) => Security::Required(Trust::Pkix),
            // Implicit whoever it is: what proves nothing still hides something.
            (Some(TlsChoice::Never | TlsChoice::Opportunistic), true) => {
                Security::Implicit(Trust::Any)
            }
            (Some(TlsChoice::Implicit), _) | (Some(TlsChoice::Required), true) | (None, true) => {
                Security::Implicit(Trust::Pkix)
            }
            (None, false) if local => Security::Opportunistic,
            (None, false) => Security::Required(Trust::Pkix),
        };
        // Who is named in the URL is meant, whatever a variable says that is for another server.
        access.user = url.user.clone().or(access.user);
        let Some(user) = access.user.clone() else {
            return Err(Error::usage("whose mail? name the user in the URL, or with --user"));
        };
        let has_secret = access.password.is_some()
            || access.password_file.is_some()
            || access.token_file.is_some()
            || access.cert.is_some();
        if !has_secret && !is_anonymous(&access) {
            access.password = prompt(&format!("Password of {user} at {}: ", url.host))?;
        }
        let login = match url.protocol {
            Protocol::Pop3 => login_to_pop3(&access, local)?,
            Protocol::Imap => login(&access, local)?,
        };
        let connect_within = Duration::from_secs(30);
        let terms = Terms { security, login, connect_within, idle_renew: IDLE_RENEW };
        let certificates = Certificates::of(&access)?;
        Ok(Self { url, user, terms, certificates, trace })
    }

    /// Where it is shown to be.
    pub(crate) fn shown(&self) -> String {
        format!("{}:{}", self.url.host, self.url.port)
    }

    /// What makes connections to it.
    ///
    /// # Errors
    /// The engine or the authorities cannot be loaded.
    pub(crate) fn client(&self) -> Result<Client, Error> {
        let engine = Engine::new(&EngineSettings::new(EngineChoice::Sandbox, Some(1)))?;
        let tls = Arc::new(self.certificates.tls()?);
        let writer = || Trace::Writer(Arc::new(Mutex::new(std::io::stderr())));
        Ok(Client::new(Arc::new(engine), tls, self.trace.then(writer)))
    }

    /// Asks the system where the server is.
    ///
    /// # Errors
    /// Its name has no address.
    pub(crate) async fn target(&self) -> Result<Target, Error> {
        let addresses = addresses(&self.url.host, self.url.port).await?;
        Ok(Target { name: self.url.host.clone(), addresses })
    }

    /// What to do about the end of a connection.
    pub(crate) fn error(&self, ended: &Ended) -> Error {
        let (kind, help) = match ended.why {
            Why::Unreachable => (Kind::Temporary, "are host and port right?"),
            Why::Tls if self.url.implicit => (
                Kind::Unavailable,
                "if the port begins without TLS, imap:// or pop3:// is right; --ca FILE trusts another authority",
            ),
            Why::Tls => (
                Kind::Unavailable,
                "--ca FILE trusts another authority; --tls opportunistic asks for no proof",
            ),
            Why::Login => (Kind::Permission, "are user and password right?"),
            Why::Unsupported => (Kind::Unavailable, "--trace shows what was said"),
            Why::Lost => (Kind::Temporary, "run it again; --trace shows what was said"),
            Why::Here => (Kind::Failed, "this is not the server's fault"),
        };
        Error::new(kind, format!("{}: {ended}; {help}", self.shown()))
    }
}

/// Asks at the terminal, without showing what is typed; none if there is no terminal.
fn prompt(words: &str) -> Result<Option<String>, Error> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Ok(None);
    }
    let terminal = File::options().read(true).write(true).open("/dev/tty");
    let mut terminal = terminal.map_err(|error| Error::failed(format!("/dev/tty: {error}")))?;
    let hidden = Hidden::new(terminal.as_raw_fd());
    let failed = |error: io::Error| Error::failed(format!("/dev/tty: {error}"));
    write!(terminal, "{words}").and_then(|()| terminal.flush()).map_err(failed)?;
    let mut line = String::new();
    let read = io::BufReader::new(&terminal).read_line(&mut line);
    drop(hidden);
    drop(writeln!(terminal));
    read.map_err(failed)?;
    let password = line.trim_end_matches(['\r', '\n']);
    Ok(Some(password.to_owned()).filter(|password| !password.is_empty()))
}

/// A terminal that shows nothing of what is typed, until this is dropped.
struct Hidden {
    terminal: RawFd,
    before: Option<libc::termios>,
}

impl Hidden {
    fn new(terminal: RawFd) -> Self {
        let mut before = std::mem::MaybeUninit::<libc::termios>::uninit();
        // SAFETY: the call only writes the struct that it is given, which lives on this stack.
        if unsafe { libc::tcgetattr(terminal, before.as_mut_ptr()) } != 0 {
            return Self { terminal, before: None };
        }
        // SAFETY: the call above succeeded, so the struct is written.
        let before = unsafe { before.assume_init() };
        let mut without = before;
        without.c_lflag &= !(libc::ECHO | libc::ECHONL);
        // SAFETY: the call only reads the struct that it is given.
        unsafe { libc::tcsetattr(terminal, libc::TCSAFLUSH, &raw const without) };
        Self { terminal, before: Some(before) }
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // SAFETY: the call only reads the struct that it is given.
            unsafe { libc::tcsetattr(self.terminal, libc::TCSAFLUSH, &raw const *before) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> MailUrl {
        MailUrl::read("URL", text).expect("it is one")
    }

    #[test]
    fn urls_are_read() {
        let all = url("imaps://bob%40hamburger.edu@mail.example:1993/Work%2FOld/x");
        assert_eq!(all.user.as_deref(), Some("bob@hamburger.edu"));
        assert_eq!((&all.host[..], all.port, all.implicit), ("mail.example", 1993, true));
        assert_eq!(all.mailbox.as_deref(), Some("Work/Old/x"));
        let plain = url("imap://bob@hamburger.edu@127.0.0.1");
        assert_eq!(plain.user.as_deref(), Some("bob@hamburger.edu"));
        assert_eq!((&plain.host[..], plain.port, plain.mailbox), ("127.0.0.1", 143, None));
        assert_eq!(url("pop3s://[::1]").host, "::1");
        assert_eq!(url("POP3://[::1]:1110/").port, 1110);
        for wrong in [
            "mail.example",
            "http://mail.example",
            "imap://a:secret@mail.example",
            "imap://mail.example:0",
            "imap://mail.example:x",
            "imap://",
            "imap://a b",
            "imap://mail.example/%zz",
            "pop3://mail.example/INBOX",
        ] {
            let error = MailUrl::read("URL", wrong).expect_err(wrong).message;
            assert!(error.contains("imaps://"), "{error}");
        }
    }

    #[test]
    fn who_is_not_this_machine_must_prove_itself() {
        let security = |text: &str, tls| {
            let password = Some("x".to_owned());
            let access = Access { password, tls, user: Some("a".into()), ..Access::default() };
            MailHost::new(url(text), access, false).expect("it is right").terms.security
        };
        assert_eq!(security("imap://mail.example", None), Security::Required(Trust::Pkix));
        assert_eq!(security("imaps://mail.example", None), Security::Implicit(Trust::Pkix));
        assert_eq!(security("imap://localhost", None), Security::Opportunistic);
        assert_eq!(security("pop3s://127.0.0.1", None), Security::Implicit(Trust::Pkix));
        assert_eq!(security("imap://mail.example", Some(TlsChoice::Never)), Security::None);
        let access =
            Access { password: Some("x".into()), user: Some("a".into()), ..Access::default() };
        let host = MailHost::new(url("imap://bob@localhost"), access, false).expect("it is right");
        assert_eq!(host.user, "bob");
        let any = Security::Implicit(Trust::Any);
        assert_eq!(security("imaps://mail.example", Some(TlsChoice::Opportunistic)), any);
    }
}
