//! Where each service listens: what flags and file say, and what follows where they say nothing.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use serde::Deserialize;

use crate::cli::ServeFlags;

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
}

/// Ports of one service: its usual one, and the one that needs no privilege.
type Ports = (u16, u16);

const SMTP: Ports = (25, 1025);
const POP3: Ports = (110, 1110);
const IMAP: Ports = (143, 1143);

impl Listen {
    /// Joins flags and file; `tls` says whether there is a certificate, without which nothing listens over TLS unasked.
    #[must_use]
    pub(super) fn new(flags: &ServeFlags, file: ListenFile, tls: bool) -> Self {
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let smtp = flags.smtp.or(file.smtp).unwrap_or_else(|| local(SMTP.1));
        let pop3 = flags.pop3.or(file.pop3).unwrap_or_else(|| local(POP3.1));
        let imap = flags.imap.or(file.imap).unwrap_or_else(|| local(IMAP.1));
        let beside =
            |flag: Option<Place>, file: Option<Place>, main, ports, own| match flag.or(file) {
                Some(place) => place.address(),
                None => Some(main).filter(|_| tls).and_then(|main| beside(main, ports, own)),
            };
        Self {
            smtp,
            pop3,
            imap,
            http: flags.http.or(file.http).unwrap_or_else(|| local(8025)),
            submission: beside(flags.submission, file.submission, smtp, SMTP, (587, 1587)),
            submissions: beside(flags.submissions, file.submissions, smtp, SMTP, (465, 1465)),
            pop3s: beside(flags.pop3s, file.pop3s, pop3, POP3, (995, 1995)),
            imaps: beside(flags.imaps, file.imaps, imap, IMAP, (993, 1993)),
            lmtp: flags.lmtp.or(file.lmtp).and_then(Place::address),
        }
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
        Listen::new(&flags, ListenFile::default(), tls).submission
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
