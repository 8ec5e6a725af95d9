//! Bounds that the configuration file may set, and what becomes of a session's bounds with them.

use std::fmt;
use std::str::FromStr;

use pillarbox_engine::limits::Limits;
use serde::de::{self, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use crate::error::Error;

/// Octets, as flags have them: `26214400`, `512KiB`, `25MiB`, `1GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let units = [("KiB", 10), ("MiB", 20), ("GiB", 30)];
        let unit =
            units.into_iter().find_map(|(unit, bits)| Some((text.strip_suffix(unit)?, bits)));
        let (number, bits) = unit.unwrap_or((text, 0));
        let octets = number.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << bits));
        octets.map(Self).ok_or_else(|| "expected octets, or such as 25MiB".to_owned())
    }
}

/// Octets as a number, or as flags have them.
fn octets<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    struct Octets;
    impl Visitor<'_> for Octets {
        type Value = u64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("octets, or such as \"25MiB\"")
        }

        fn visit_u64<E: de::Error>(self, octets: u64) -> Result<u64, E> {
            Ok(octets)
        }

        fn visit_i64<E: de::Error>(self, octets: i64) -> Result<u64, E> {
            let negative = |_| E::invalid_value(Unexpected::Signed(octets), &self);
            u64::try_from(octets).map_err(negative)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<u64, E> {
            let wrong = |_| E::invalid_value(Unexpected::Str(text), &self);
            text.parse().map(|Size(octets)| octets).map_err(wrong)
        }
    }
    from.deserialize_any(Octets).map(Some)
}

/// Bounds that may be set.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitSettings {
    /// Octets of a message, as a number or such as `"25MiB"` [default: 50 MiB].
    #[serde(default, deserialize_with = "octets")]
    pub message_max: Option<u64>,
    /// Recipients of one message [default: 1,000; at least 100].
    pub recipients_max: Option<u32>,
    /// Sessions at work at once.
    pub slots: Option<u32>,
    /// Connections at once [default: 16 for each slot].
    pub connections: Option<u32>,
    /// Connections of one address at once [default: 50].
    pub connections_per_address: Option<u32>,
    /// Connections of one network (/24, /48) at once [default: 200].
    pub connections_per_network: Option<u32>,
    /// Connections that come from one address (of IPv6: one /64) within a minute [default: 600].
    pub connections_per_address_and_minute: Option<u32>,
    /// Messages of strangers from one address (of IPv6: one /64) within a minute [default: 600].
    pub messages_per_address_and_minute: Option<u32>,
    /// Recipients that one account writes to within an hour [default: 5,000].
    pub recipients_per_account_and_hour: Option<u32>,
    /// MiB that stay free on the disk; below that, mail is put off [default: twice `message_max`].
    pub disk_free_mib: Option<u32>,
    /// Failed logins of one network (/24, /64) at once [default: 10].
    pub login_failures_per_network: Option<u32>,
    /// Failed logins at one account at once [default: 20].
    pub login_failures_per_account: Option<u32>,
}

impl LimitSettings {
    pub(super) fn check(self) -> Result<(), Error> {
        if self.recipients_max.is_some_and(|max| max < 100) {
            let message = "limits.recipients_max: RFC 5321 §4.5.3.1.8 asks for at least 100";
            return Err(Error::usage(message));
        }
        if self.message_max.is_some_and(|max| max < 65_536) {
            let message = "limits.message_max (--max-size): RFC 5321 §4.5.3.1.7 asks for at least 65536 octets";
            return Err(Error::usage(message));
        }
        let counts = [
            ("connections_per_address", self.connections_per_address),
            ("connections_per_network", self.connections_per_network),
            ("connections_per_address_and_minute", self.connections_per_address_and_minute),
            ("messages_per_address_and_minute", self.messages_per_address_and_minute),
            ("recipients_per_account_and_hour", self.recipients_per_account_and_hour),
            ("login_failures_per_network", self.login_failures_per_network),
            ("login_failures_per_account", self.login_failures_per_account),
        ];
        match counts.into_iter().find(|(_, count)| *count == Some(0)) {
            Some((name, _)) => {
                Err(Error::usage(format!("limits.{name}: with 0 nobody could ever come in")))
            }
            None => Ok(()),
        }
    }

    /// Octets that stay free on the disk.
    #[must_use]
    pub fn disk_free_min(self) -> u64 {
        let message_max = self.message_max.unwrap_or(Limits::SMTP.message_max);
        self.disk_free_mib.map_or(message_max.saturating_mul(2), |mib| u64::from(mib) << 20)
    }

    /// A session's bounds with what is set, tighter while the host is under stress.
    #[must_use]
    pub fn apply(self, base: Limits, stressed: bool) -> Limits {
        let set = Limits {
            message_max: self.message_max.unwrap_or(base.message_max),
            recipients_max: self.recipients_max.unwrap_or(base.recipients_max),
            ..base
        };
        if stressed { set.under_stress() } else { set }
    }
}
