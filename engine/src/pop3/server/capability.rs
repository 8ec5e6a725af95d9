//! What CAPA lists (RFC 2449 §6), and what of it is left out: that is neither announced nor accepted.

use alloc::format;
use alloc::string::String;

use super::{Common, Server};
use crate::pop3::grammar::Command;
use crate::pop3::types::Config;
use crate::role::Cx;
use crate::sasl::{Mechanism, is_among};
use crate::types::TlsOffer;

/// The names by which capabilities are left out; CAPA and APOP, which are none, can be too.
const NAMES: [&str; 15] = [
    "CAPA",
    "APOP",
    "USER",
    "SASL",
    "STLS",
    "TOP",
    "UIDL",
    "PIPELINING",
    "RESP-CODES",
    "AUTH-RESP-CODE",
    "EXPIRE",
    "LOGIN-DELAY",
    "UTF8",
    "LANG",
    "IMPLEMENTATION",
];

pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    NAMES.into_iter().chain(Mechanism::ALL.into_iter().map(Mechanism::capability))
}

/// Leaves out what other settings are about.
pub(super) fn leave_out(config: &mut Config) {
    let without = |name| is_among(&config.without, name);
    let (stls, apop, user) = (without("STLS"), without("APOP"), without("USER"));
    let (sasl, delay) = (without("SASL"), without("LOGIN-DELAY"));
    if stls && config.tls == TlsOffer::Upgrade {
        config.tls = TlsOffer::None;
    }
    if apop {
        config.apop_timestamp = None;
    }
    if sasl {
        config.auth.mechanisms.clear();
    }
    if delay {
        config.login_delay_s = 0;
    }
    config.auth.password_commands &= !user;
    config.auth.leave_out(&config.without);
}

impl Common {
    /// Whether a capability is there, for all that the configuration leaves out.
    pub(super) fn has(&self, name: &str) -> bool {
        !is_among(&self.config.without, name)
    }

    /// Whether this server knows a command at all.
    pub(super) fn knows(&self, command: &Command) -> bool {
        match command {
            Command::Capa => self.has("CAPA"),
            Command::Apop(..) => self.has("APOP"),
            Command::User(_) | Command::Pass(_) => self.has("USER"),
            Command::Auth(..) => self.has("SASL"),
            Command::Stls => self.has("STLS"),
            Command::Top(..) => self.has("TOP"),
            Command::Uidl(_) => self.has("UIDL"),
            Command::Utf8 => self.has("UTF8"),
            Command::Lang(_) => self.has("LANG"),
            _ => true,
        }
    }

    /// Whether a response may begin with this code (RFC 2449 §8, RFC 3206 §4).
    pub(super) fn may_say(&self, code: &[u8]) -> bool {
        let of_logins = code.starts_with(b"[AUTH") || code.starts_with(b"[SYS");
        self.has("RESP-CODES") && (!of_logins || self.has("AUTH-RESP-CODE"))
    }
}

impl Server {
    /// RFC 2449 §5.
    pub(super) fn capabilities(&self, cx: &mut Cx<Self>, logged_in: bool) {
        let common = &self.common;
        let config = &common.config;
        self.ok(cx, "capabilities follow");
        let mut sasl = String::from("SASL");
        for mechanism in common.terms().mechanisms() {
            sasl.push(' ');
            sasl.push_str(mechanism.name());
        }
        let delay = format!("LOGIN-DELAY {}", config.login_delay_s);
        let stls = config.tls == TlsOffer::Upgrade && common.tls.is_none() && !logged_in;
        let codes = common.has("RESP-CODES");
        let lines = [
            ("USER", self.offers_passwords()),
            (&sasl, sasl.len() > "SASL".len()),
            ("STLS", stls),
            ("TOP", common.has("TOP")),
            ("UIDL", common.has("UIDL")),
            ("PIPELINING", common.has("PIPELINING")),
            ("RESP-CODES", codes),
            ("AUTH-RESP-CODE", codes && common.has("AUTH-RESP-CODE")),
            ("EXPIRE NEVER", common.has("EXPIRE")),
            (&delay, config.login_delay_s > 0),
            ("UTF8", common.has("UTF8")),
            ("LANG", common.has("LANG")),
            ("IMPLEMENTATION Pillarbox", common.has("IMPLEMENTATION")),
        ];
        for (line, _) in lines.iter().filter(|(_, offered)| *offered) {
            cx.send(line.as_bytes(), "capability", None);
            cx.send(b"\r\n", "CRLF", None);
        }
        cx.send(b".\r\n", "end of response", None);
    }
}
