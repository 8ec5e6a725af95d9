//! `[relay]`: where mail for elsewhere goes, when it is tried, and who may send it.
//! What a route or a schedule means is said by the engine; here their text becomes its types.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use pillarbox_engine::relay::{Lookup, Place, Schedule, ScheduleFault, Transport, next_hop};
use pillarbox_engine::smtp::Service;
use pillarbox_engine::smtp::client::types::TlsPolicy;
use serde::Deserialize;

use crate::error::Error;

/// How mail is relayed.
#[derive(Clone, Debug)]
pub struct RelaySettings {
    /// The transport map.
    pub transports: Vec<Transport>,
    /// Logins, by the key of the destination that asks for one.
    pub logins: BTreeMap<Vec<u8>, RouteLogin>,
    /// Who may relay without a login.
    pub networks: Vec<Network>,
    /// Whether an account may send from any address.
    pub any_sender: bool,
    /// Whether an account may write as any author: From and Sender.
    pub any_author: bool,
    /// When mail is tried again.
    pub schedule: Schedule,
    /// Connections to all destinations at once.
    pub connections_max: u32,
    /// Connections to one destination at once.
    pub connections_per_destination_max: u32,
    /// Authorities that are trusted beside those of the system.
    pub ca_file: Option<PathBuf>,
    /// Whether policies of domains (RFC 8461) are fetched and followed.
    pub mta_sts: bool,
}

/// What to log in with at a next hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteLogin {
    /// The name.
    pub user: String,
    /// A file whose first line is the password; read at each use, so that it can be changed.
    pub password_file: PathBuf,
}

impl RouteLogin {
    /// Whether the password can be read, and not by everybody.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`], naming the file.
    pub fn check(&self) -> Result<(), Error> {
        let path = self.password_file.display();
        let key = format!("routes: password_file of `{}`: {path}", self.user);
        let cannot = |error: std::io::Error| usage(&key, &format!("cannot read it: {error}"));
        let text = std::fs::read_to_string(&self.password_file).map_err(cannot)?;
        let mode = std::fs::metadata(&self.password_file).map_err(cannot)?.permissions().mode();
        // As of the key of the certificate: a group may be meant to read it.
        if mode & 0o027 != 0 {
            let what = "others may read or change this password; protect it: chmod 600";
            return Err(usage(&key, &format!("{what} {path}")));
        }
        match text.lines().next() {
            None | Some("") => Err(usage(&key, "there is no password in its first line")),
            Some(_) => Ok(()),
        }
    }
}

impl Default for RelaySettings {
    fn default() -> Self {
        Self {
            transports: Vec::new(),
            logins: BTreeMap::new(),
            networks: Vec::new(),
            any_sender: false,
            any_author: false,
            schedule: Schedule::default(),
            connections_max: 100,
            connections_per_destination_max: 10,
            ca_file: None,
            mta_sts: true,
        }
    }
}

/// `[relay]`, as the file has it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelayFile {
    /// Where everything without a route of its own goes.
    pub smart_host: Option<String>,
    /// Routes of single domains.
    #[serde(default)]
    pub routes: Vec<RouteFile>,
    /// Networks whose machines may relay without a login.
    #[serde(default)]
    pub networks: Vec<String>,
    /// Whether an account may send from any address, and write as any author [default: false].
    pub any_sender: Option<bool>,
    /// Whether an account may write as any author, without this host's signature [default: false].
    pub any_author: Option<bool>,
    /// Seconds from the first failure to the next attempt [default: 60].
    pub first_retry_s: Option<u64>,
    /// Seconds between two attempts at most [default: 1800].
    pub retry_max_s: Option<u64>,
    /// Seconds after which a message is given up [default: 432000, five days].
    pub lifetime_s: Option<u64>,
    /// Seconds after which the sender is told of a delay; 0: never [default: 14400, four hours].
    pub delay_report_s: Option<u64>,
    /// Connections to all destinations at once [default: 100].
    pub connections_max: Option<u32>,
    /// Connections to one destination at once [default: 10].
    pub connections_per_destination_max: Option<u32>,
    /// PEM file of authorities that are trusted beside those of the system.
    pub ca_file: Option<PathBuf>,
    /// Whether policies of domains (RFC 8461) are fetched and followed [default: true].
    pub mta_sts: Option<bool>,
}

/// `[[relay.routes]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteFile {
    /// `hamburger.edu`, `.hamburger.edu` for what is below it, or `*`.
    pub domain: String,
    /// `mx.example`, `[mx.example]:2525` or `[192.0.2.1]`; the domain's own exchanges if missing.
    pub next_hop: Option<String>,
    /// `smtp`, `submission` or `lmtp` [default: smtp].
    pub service: Option<Service>,
    /// `none`, `opportunistic`, `required` or `implicit` [default: opportunistic].
    pub tls: Option<TlsPolicy>,
    /// Login name.
    pub user: Option<String>,
    /// File with the password.
    pub password_file: Option<PathBuf>,
}

/// Addresses with a common beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// Whether an address is in it. An IPv4 address in IPv6 form is an IPv4 address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(other)) => {
                same(ours.to_bits().into(), other.to_bits().into(), 32 - self.bits)
            }
            (IpAddr::V6(ours), IpAddr::V6(other)) => {
                same(ours.to_bits(), other.to_bits(), 128 - self.bits)
            }
            _ => false,
        }
    }
}

fn same(one: u128, other: u128, ignored: u32) -> bool {
    (one ^ other).checked_shr(ignored).unwrap_or(0) == 0
}

impl FromStr for Network {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| ())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), str::parse).map_err(|_| ())?;
        if bits > most { Err(()) } else { Ok(Self { address, bits }) }
    }
}

impl RelaySettings {
    /// Reads the section; `base` is where the file is.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`], naming the key.
    pub(super) fn new(file: RelayFile, base: &Path) -> Result<Self, Error> {
        let default = Self::default();
        let mut settings = Self {
            any_sender: file.any_sender.unwrap_or(default.any_sender),
            any_author: file.any_author.unwrap_or(default.any_author),
            schedule: schedule(&file)?,
            connections_max: count("connections_max", file.connections_max, 100)?,
            connections_per_destination_max: count(
                "connections_per_destination_max",
                file.connections_per_destination_max,
                10,
            )?,
            mta_sts: file.mta_sts.unwrap_or(default.mta_sts),
            ca_file: file.ca_file.as_ref().map(|file| base.join(file)),
            ..default
        };
        for (place, text) in file.networks.iter().enumerate() {
            let expected = "expected an address, or a network such as 10.0.0.0/8";
            let key = format!("networks[{place}]");
            let network: Network =
                text.parse().map_err(|()| usage(&key, &format!("`{text}`: {expected}")))?;
            if network.bits == 0 {
                let what = "everybody could send anywhere through this server; \
                            name the networks whose machines you know";
                return Err(usage(&key, &format!("`{text}`: {what}")));
            }
            settings.networks.push(network);
        }
        let smart_host = file.smart_host.map(|next_hop| RouteFile {
            domain: "*".to_owned(),
            next_hop: Some(next_hop),
            service: None,
            tls: None,
            user: None,
            password_file: None,
        });
        for (place, route) in file.routes.into_iter().enumerate() {
            settings.add(&format!("routes[{place}]"), route, base)?;
        }
        if let Some(route) = smart_host {
            settings.add("smart_host", route, base)?;
        }
        Ok(settings)
    }

    fn add(&mut self, key: &str, route: RouteFile, base: &Path) -> Result<(), Error> {
        let place = match &route.next_hop {
            Some(text) => Some(Place::parse(text.as_bytes()).map_err(|_| {
                let expected =
                    "expected a domain, or a host such as [mx.hamburger.edu]:25 or [192.0.2.1]";
                usage(key, &format!("next_hop `{text}`: {expected}"))
            })?),
            None => None,
        };
        let domain = route.domain.strip_prefix('.').unwrap_or(&route.domain);
        if route.domain != "*" {
            super::check_domain(domain).map_err(|what| {
                usage(key, &format!("domain: {what}, .hamburger.edu for all below it, or *"))
            })?;
        }
        let pattern = route.domain.to_lowercase().into_bytes();
        if self.transports.iter().any(|known| known.pattern == pattern) {
            return Err(usage(key, &format!("`{}` has a route already", route.domain)));
        }
        let tls = route.tls.unwrap_or(TlsPolicy::Opportunistic);
        let service = route.service.unwrap_or(Service::Smtp);
        let is_here = place.as_ref().is_some_and(is_loopback);
        let transport = Transport { pattern, next_hop: place, service, tls };
        match (route.user, route.password_file) {
            (Some(user), Some(file)) => {
                if !is_here && !matches!(tls, TlsPolicy::Required | TlsPolicy::Implicit) {
                    let what = "a login needs tls = \"required\" or \"implicit\", \
                                so that no password crosses a network in the clear";
                    return Err(usage(key, what));
                }
                if transport.next_hop.is_none() {
                    return Err(usage(key, "a login needs a next_hop, the server that knows it"));
                }
                let hop = next_hop(std::slice::from_ref(&transport), &one_of(&transport.pattern));
                let login = RouteLogin { user, password_file: base.join(file) };
                self.logins.insert(hop.key(), login);
            }
            (None, None) => {}
            _ => return Err(usage(key, "name both, user and password_file, or neither")),
        }
        self.transports.push(transport);
        Ok(())
    }

    /// Whether a machine may relay without a login.
    #[must_use]
    pub fn is_known(&self, peer: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(peer))
    }
}

fn is_loopback(place: &Place) -> bool {
    let address = std::str::from_utf8(&place.host).ok().and_then(|host| host.parse().ok());
    place.lookup == Lookup::Nothing && address.is_some_and(super::is_loopback)
}

fn schedule(file: &RelayFile) -> Result<Schedule, Error> {
    let ms = |seconds: u64| seconds.saturating_mul(1000);
    let default = Schedule::default();
    let lifetime_ms = file.lifetime_s.map_or(default.lifetime_ms, ms);
    let schedule = Schedule {
        first_ms: file.first_retry_s.map_or(default.first_ms, ms),
        interval_ms_max: file.retry_max_s.map_or(default.interval_ms_max, ms),
        lifetime_ms,
        delay_report_ms: match file.delay_report_s {
            Some(0) => None,
            Some(seconds) => Some(ms(seconds)),
            // Who sets a short lifetime alone wants no notice after its end.
            None => default.delay_report_ms.filter(|delay| *delay < lifetime_ms),
        },
    };
    schedule.check().map_err(|fault| match fault {
        ScheduleFault::First => usage("first_retry_s", "from 1 to retry_max_s"),
        ScheduleFault::Interval => usage("retry_max_s", "at most a day, 86400"),
        ScheduleFault::Lifetime => usage("lifetime_s", "from 1 to 100 days, 8640000"),
        ScheduleFault::DelayReport => usage("delay_report_s", "less than lifetime_s, or 0: never"),
    })?;
    Ok(schedule)
}

fn count(key: &str, value: Option<u32>, default: u32) -> Result<u32, Error> {
    match value.unwrap_or(default) {
        count @ 1..=1000 => Ok(count),
        count => Err(usage(key, &format!("{count}: from 1 to 1000"))),
    }
}

/// A domain that a pattern stands for; to a host that is named, all of them go the same way.
fn one_of(pattern: &[u8]) -> Vec<u8> {
    match pattern {
        [b'.', ..] => [b"a", pattern].concat(),
        b"*" => b"a".to_vec(),
        domain => domain.to_vec(),
    }
}

fn usage(key: &str, what: &str) -> Error {
    Error::usage(format!("relay.{key}: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<RelaySettings, String> {
        let file = toml::from_str::<RelayFile>(text).map_err(|error| error.to_string())?;
        RelaySettings::new(file, Path::new("/etc/pillarbox")).map_err(|error| error.message)
    }

    #[test]
    fn a_wrong_value_is_named() {
        for (text, word) in [
            ("first_retry_s = 0", "relay.first_retry_s"),
            ("retry_max_s = 90000", "relay.retry_max_s"),
            ("lifetime_s = 0", "relay.lifetime_s"),
            ("delay_report_s = 432000", "relay.delay_report_s"),
            ("connections_max = 0", "relay.connections_max"),
            ("networks = ['10.0.0.0/33']", "relay.networks[0]"),
            ("networks = ['10.0.0.0/8', '::/0']", "relay.networks[1]"),
            ("networks = ['0.0.0.0/0']", "everybody"),
            ("[[routes]]\ndomain = 'x..y'", "relay.routes[0]: domain"),
            ("[[routes]]\ndomain = ''", "relay.routes[0]: domain"),
            ("[[routes]]\ndomain = '*.x.y'", "`*.x.y`"),
            ("[[routes]]\ndomain = 'X.y'\n[[routes]]\ndomain = 'x.Y'", "relay.routes[1]"),
            ("smart_host = 'a b'", "relay.smart_host"),
            ("[[routes]]\ndomain = '*'\nuser = 'me'", "relay.routes[0]"),
            ("[[routes]]\ndomain = 'x.y'\nnext_hop = '[mx.x.y]:0'", "relay.routes[0]"),
            (
                "[[routes]]\ndomain = 'x.y'\nuser = 'a'\npassword_file = 'b'\nnext_hop = 'z.y'",
                "tls",
            ),
            ("[[routes]]\ndomain = 'x.y'\n[[routes]]\ndomain = 'x.y'", "relay.routes[1]"),
            ("smarthost = 'x.y'", "smarthost"),
            ("[[routes]]\ndomain = 'x.y'\ntls = 'sometimes'", "sometimes"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn a_password_is_read_before_it_is_needed() {
        let name = format!("pillarbox-password-{}", std::process::id());
        let file = std::env::temp_dir().join(name);
        let login = RouteLogin { user: "me".to_owned(), password_file: file.clone() };
        let said = || login.check().map_err(|error| error.message);
        let mode = |mode| {
            std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).expect("it is ours");
        };
        drop(std::fs::remove_file(&file));
        assert!(said().is_err_and(|text| text.contains("cannot read it")));
        std::fs::write(&file, "\n").expect("a new file");
        mode(0o600);
        assert!(said().is_err_and(|text| text.contains("no password")));
        std::fs::write(&file, "s3cret\n").expect("a file");
        assert_eq!(said(), Ok(()));
        mode(0o644);
        let text = said().expect_err("everybody may read it");
        assert!(text.contains("chmod 600") && !text.contains("s3cret"), "{text}");
        std::fs::remove_file(&file).expect("it is there");
    }

    #[test]
    fn mail_goes_by_its_most_specific_route() {
        let settings = read(
            "smart_host = '[mx.isp.example]:587'\n[[routes]]\ndomain = 'Hamburger.EDU'\n\
             [[routes]]\ndomain = '.local'\nnext_hop = '[127.0.0.1]:24'\nservice = 'lmtp'\n\
             user = 'me'\npassword_file = 'secret'",
        )
        .expect("it is right");
        let destination = |domain: &[u8]| next_hop(&settings.transports, domain).key();
        assert_eq!(destination(b"crepes.fr"), b"[mx.isp.example]:587");
        assert_eq!(destination(b"hamburger.edu"), b"hamburger.edu");
        assert_eq!(destination(b"a.local"), b"lmtp:[127.0.0.1]:24");
        let login = &settings.logins[&b"lmtp:[127.0.0.1]:24"[..]];
        assert_eq!(login.password_file, Path::new("/etc/pillarbox/secret"));
    }

    #[test]
    fn a_network_is_its_first_bits() {
        let network = |text: &str| text.parse::<Network>().expect(text);
        let address = |text: &str| text.parse::<IpAddr>().expect(text);
        assert!(network("10.1.0.0/16").contains(address("10.1.255.1")));
        assert!(network("10.1.0.0/16").contains(address("::ffff:10.1.2.3")));
        assert!(!network("10.1.0.0/16").contains(address("10.2.0.1")));
        assert!(network("0.0.0.0/0").contains(address("8.8.8.8")));
        assert!(!network("0.0.0.0/0").contains(address("2001:db8::1")));
        assert!(network("2001:db8::/32").contains(address("2001:db8:1::1")));
        assert!(!network("192.0.2.1").contains(address("192.0.2.2")));
    }
}
