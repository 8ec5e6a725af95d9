//! Where each service listens: what flags and file say, and what follows where they say nothing.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use serde::Deserialize;

use crate::cli::{Preset, ServeFlags};
use crate::error::Error;

/// Where each service listens; none: it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// SMTP.
    pub smtp: SocketAddr,
    /// POP3.
    pub pop3: SocketAddr,
    /// IMAP.
    pub imap: SocketAddr,
    /// HTTP.
    pub http: SocketAddr,
    /// Submission (RFC 6409), with STARTTLS.
    pub submission: Option<SocketAddr>,
    /// Submission over TLS (RFC 8314).
    pub submissions: Option<SocketAddr>,
    /// POP3 over TLS.
    pub pop3s: Option<SocketAddr>,
    /// IMAP over TLS.
    pub imaps: Option<SocketAddr>,
    /// LMTP (RFC 2033).
    pub lmtp: Option<SocketAddr>,
}

/// Where a service listens that need not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Nowhere.
    Off,
    /// There.
    At(SocketAddr),
}

/// Where each service listens, as the file has it.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListenFile {
    /// SMTP.
    pub smtp: Option<SocketAddr>,
    /// POP3.
    pub pop3: Option<SocketAddr>,
    /// IMAP.
    pub imap: Option<SocketAddr>,
    /// HTTP.
    pub http: Option<SocketAddr>,
    /// Submission.
    pub submission: Option<Place>,
    /// Submission over TLS.
    pub submissions: Option<Place>,
    /// POP3 over TLS.
    pub pop3s: Option<Place>,
    /// IMAP over TLS.
    pub imaps: Option<Place>,
    /// LMTP.
    pub lmtp: Option<Place>,
    /// Whether other machines are let in though nobody has to log in.
    #[serde(default)]
    pub unsafe_bind: bool,
}

/// Ports of one service: its usual one, and the one that needs no privilege.
type Ports = (u16, u16);

const SMTP: Ports = (25, 1025);
const POP3: Ports = (110, 1110);
const IMAP: Ports = (143, 1143);

/// Ports of a preset.
struct Preferred {
    smtp: u16,
    pop3: u16,
    imap: u16,
    http: u16,
    /// What is beside them: submission, submissions, pop3s, imaps. None: as it follows from those.
    beside: Option<[Option<u16>; 4]>,
}

impl Preferred {
    const fn of(preset: Option<Preset>) -> Self {
        match preset {
            // These are our own too.
            None | Some(Preset::Mailpit) => {
                Self { smtp: SMTP.1, pop3: POP3.1, imap: IMAP.1, http: 8025, beside: None }
            }
            Some(Preset::Greenmail) => Self {
                smtp: 3025,
                pop3: 3110,
                imap: 3143,
                http: 8080,
                beside: Some([None, Some(3465), Some(3995), Some(3993)]),
            },
            Some(Preset::Standard) => {
                Self { smtp: SMTP.0, pop3: POP3.0, imap: IMAP.0, http: 8025, beside: None }
            }
        }
    }
}

impl Listen {
    /// Joins flags and file; `tls` says whether there is a certificate, without which nothing listens over TLS unasked.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`]: with `--port-offset` a port would be above 65535.
    pub(super) fn new(flags: &ServeFlags, file: ListenFile, tls: bool) -> Result<Self, Error> {
        let usual = Preferred::of(flags.preset);
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let smtp = flags.smtp.or(file.smtp).unwrap_or_else(|| local(usual.smtp));
        let pop3 = flags.pop3.or(file.pop3).unwrap_or_else(|| local(usual.pop3));
        let imap = flags.imap.or(file.imap).unwrap_or_else(|| local(usual.imap));
        let http = flags.http.or(file.http).unwrap_or_else(|| local(usual.http));
        // Where the plain one listens on the preset's port, the other does too.
        let preferred = |at: usize, main: SocketAddr, port| match usual.beside {
            Some(ports) if main.port() == port => Some(ports[at].map(|port| (main.ip(), port))),
            _ => None,
        };
        let beside = |flag: Option<Place>, file: Option<Place>, main, ports, own, at, port| match (
            flag.or(file),
            preferred(at, main, port),
        ) {
            (Some(place), _) => place.address(),
            (None, Some(place)) => place.filter(|_| tls).map(SocketAddr::from),
            (None, None) => Some(main).filter(|_| tls).and_then(|main| beside(main, ports, own)),
        };
        let (submission, submissions) = (
            beside(flags.submission, file.submission, smtp, SMTP, (587, 1587), 0, usual.smtp),
            beside(flags.submissions, file.submissions, smtp, SMTP, (465, 1465), 1, usual.smtp),
        );
        let pop3s = beside(flags.pop3s, file.pop3s, pop3, POP3, (995, 1995), 2, usual.pop3);
        let imaps = beside(flags.imaps, file.imaps, imap, IMAP, (993, 1993), 3, usual.imap);
        let lmtp = flags.lmtp.or(file.lmtp).and_then(Place::address);
        let moved = |address, is_named| moved(flags, address, is_named);
        let maybe = |address: Option<SocketAddr>, is_named| {
            address.map(|address| moved(address, is_named)).transpose()
        };
        Ok(Self {
            smtp: moved(smtp, flags.smtp.is_some())?,
            pop3: moved(pop3, flags.pop3.is_some())?,
            imap: moved(imap, flags.imap.is_some())?,
            http: moved(http, flags.http.is_some())?,
            submission: maybe(submission, flags.submission.is_some())?,
            submissions: maybe(submissions, flags.submissions.is_some())?,
            pop3s: maybe(pop3s, flags.pop3s.is_some())?,
            imaps: maybe(imaps, flags.imaps.is_some())?,
            lmtp: maybe(lmtp, flags.lmtp.is_some())?,
        })
    }

    /// Every listener with the flag that moves it.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        let listeners = [
            ("--smtp", Some(self.smtp)),
            ("--pop3", Some(self.pop3)),
            ("--imap", Some(self.imap)),
            ("--http", Some(self.http)),
            ("--submission", self.submission),
            ("--submissions", self.submissions),
            ("--pop3s", self.pop3s),
            ("--imaps", self.imaps),
            ("--lmtp", self.lmtp),
        ];
        listeners.into_iter().filter_map(|(flag, address)| Some((flag, address?)))
    }
}

/// `--port-offset` moves every port but those that a flag names; one that is free to choose stays so.
pub(super) fn moved(
    flags: &ServeFlags,
    address: SocketAddr,
    is_named: bool,
) -> Result<SocketAddr, Error> {
    let Some(offset) = flags.port_offset.filter(|_| !is_named && address.port() != 0) else {
        return Ok(address);
    };
    let port = address.port().checked_add(offset).ok_or_else(|| {
        let port = address.port();
        Error::usage(format!("--port-offset {offset}: {port} would become more than 65535"))
    })?;
    Ok(SocketAddr::new(address.ip(), port))
}

/// A service goes where its plain sibling is: on a free port if that one has any, on its usual port if that one has
/// its usual, and nowhere if that one was put elsewhere, since a second server beside a first would collide with it.
fn beside(main: SocketAddr, ports: Ports, own: Ports) -> Option<SocketAddr> {
    let port = match main.port() {
        0 => 0,
        port if port == ports.0 => own.0,
        port if port == ports.1 => own.1,
        _ => return None,
    };
    Some(SocketAddr::new(main.ip(), port))
}

impl Place {
    fn address(self) -> Option<SocketAddr> {
        match self {
            Self::Off => None,
            Self::At(address) => Some(address),
        }
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("off") {
            return Ok(Self::Off);
        }
        let expected = "expected an address and port such as 127.0.0.1:1587, or off";
        text.parse().map(Self::At).map_err(|_| expected.to_owned())
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;
        impl serde::de::Visitor<'_> for Words {
            type Value = Place;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address and port such as \"127.0.0.1:1587\", or \"off\"")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Place, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen(smtp: Option<&str>, submission: Option<&str>, tls: bool) -> Option<SocketAddr> {
        let flags = ServeFlags {
            smtp: smtp.map(|text| text.parse().expect("an address")),
            submission: submission.map(|text| text.parse().expect("a place")),
            ..ServeFlags::default()
        };
        Listen::new(&flags, ListenFile::default(), tls).expect("no offset").submission
    }

    #[test]
    fn presets_and_offsets_move_what_nothing_else_places() {
        let at = |text: &str| -> SocketAddr { text.parse().expect("an address") };
        let preset = |preset| ServeFlags { preset: Some(preset), ..ServeFlags::default() };
        let listen = |flags: &ServeFlags| Listen::new(flags, ListenFile::default(), true);
        let all = |flags: &ServeFlags| -> Vec<u16> {
            let listen = listen(flags).expect("every port is one");
            listen.all().map(|(_, address)| address.port()).collect()
        };
        assert_eq!(all(&preset(Preset::Mailpit)), all(&ServeFlags::default()));
        // GreenMail's own numbers.
        let green = preset(Preset::Greenmail);
        assert_eq!(all(&green), [3025, 3110, 3143, 8080, 3465, 3995, 3993]);
        let standard = preset(Preset::Standard);
        assert_eq!(all(&standard), [25, 110, 143, 8025, 587, 465, 995, 993]);
        // What stands elsewhere, or anywhere, takes no sibling along.
        let free = ServeFlags { smtp: Some(at("127.0.0.1:0")), ..green.clone() };
        assert_eq!(listen(&free).expect("fine").submissions, Some(at("127.0.0.1:0")));
        let offset = ServeFlags { port_offset: Some(100), ..free.clone() };
        assert_eq!(all(&offset), [0, 3210, 3243, 8180, 0, 0, 4095, 4093]);
        let named = ServeFlags { http: Some(at("127.0.0.1:9")), ..offset.clone() };
        assert_eq!(listen(&named).expect("fine").http, at("127.0.0.1:9"));
        let file = ListenFile { http: Some(at("127.0.0.1:80")), ..ListenFile::default() };
        let with_file = Listen::new(&offset, file, true).expect("fine");
        assert_eq!(with_file.http, at("127.0.0.1:180"));
        let over = ServeFlags { port_offset: Some(65_000), ..green };
        let error = listen(&over).expect_err("no such port");
        assert!(error.message.contains("more than 65535"), "{error}");
    }

    #[test]
    fn what_listens_over_tls_stands_beside_what_does_not() {
        let at = |text: &str| Some(text.parse().expect("an address"));
        assert_eq!(listen(None, None, true), at("127.0.0.1:1587"));
        assert_eq!(listen(Some("[::1]:25"), None, true), at("[::1]:587"));
        assert_eq!(listen(Some("127.0.0.1:0"), None, true), at("127.0.0.1:0"));
        assert_eq!(listen(Some("127.0.0.1:2525"), None, true), None);
        assert_eq!(listen(None, None, false), None);
        assert_eq!(listen(None, Some("off"), true), None);
        assert_eq!(listen(None, Some("127.0.0.1:9"), false), at("127.0.0.1:9"));
        assert!("nowhere".parse::<Place>().is_err());
    }
}
