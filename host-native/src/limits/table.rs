//! `pillarbox limits`: every limit, its value, its value under stress, and what a peer is told that reaches it.

use std::fmt::Write;

use pillarbox_engine::limits::{Limits, Row};
use pillarbox_engine::types::Farewell;
use pillarbox_engine::{imap, pop3, smtp};
use pillarbox_world::store::MAILBOXES_MAX;

use super::Limit;
use crate::auth::{GuessSettings, WAITING_MAX};
use crate::config::{LimitSettings, Profile, Settings};
use crate::trust::{SPF_TERMS_MAX, SPF_VOIDS_MAX, TrustSettings};

/// One line of the table.
type Line = [String; 4];

/// The table for these settings; `slots` and `connections` are what this machine allows.
#[must_use]
pub fn print(settings: &Settings, slots: u32, connections: u32) -> String {
    let mut lines = vec![["limit", "value", "stress", "when reached"].map(str::to_owned)];
    lines.extend(Limit::ALL.into_iter().map(|limit| host(limit, settings, slots, connections)));
    lines.extend(trust(&settings.profile));
    let reached = "NO [LIMIT] to CREATE, RENAME, SUBSCRIBE".to_owned();
    for name in ["account.mailboxes_max", "account.subscriptions_max"] {
        lines.push([name.to_owned(), MAILBOXES_MAX.to_string(), String::new(), reached.clone()]);
    }
    for (protocol, base) in [("smtp", Limits::SMTP), ("pop3", Limits::POP3), ("imap", Limits::IMAP)]
    {
        let (usual, stressed) =
            (settings.limits.apply(base.clone(), false), settings.limits.apply(base, true));
        let rows = Limits::ROWS.iter().filter(|row| row.reply(protocol).is_some());
        lines.extend(rows.map(|row| session(protocol, row, &usual, &stressed)));
    }
    let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    let mut text = String::new();
    for [name, value, stress, reply] in &lines {
        let [a, b, c] = widths;
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name:a$}  {value:>b$}  {stress:>c$}  {reply}");
    }
    text
}

fn session(protocol: &str, row: &Row, usual: &Limits, stressed: &Limits) -> Line {
    let (value, stress) = ((row.value)(usual), (row.value)(stressed));
    let stress = if stress == value { String::new() } else { stress.to_string() };
    let reply = row.reply(protocol).unwrap_or_default().to_owned();
    [format!("{protocol}.{}", row.name), value.to_string(), stress, reply]
}

fn host(limit: Limit, settings: &Settings, slots: u32, connections: u32) -> Line {
    let LimitSettings { connections_per_address, connections_per_network, .. } = settings.limits;
    let guesses = settings.auth.as_ref().map_or_else(GuessSettings::default, |auth| auth.guesses);
    let per = |burst, ms: u64| format!("{burst} + 1 per {} s", ms / 1000);
    let (value, reply) = match limit {
        Limit::Slots => (
            slots.to_string(),
            format!(
                "waits its turn, {} s if it comes, {} s if it was frozen; then {}",
                super::ARRIVE_SECONDS,
                super::THAW_SECONDS,
                refusals()
            ),
        ),
        Limit::Connections => (connections.to_string(), refusals()),
        Limit::SlotsReserve => (super::RESERVE_PERCENT.to_string(), refusals()),
        Limit::ConnectionsPerAddress => (
            connections_per_address.unwrap_or(super::CONNECTIONS_PER_ADDRESS).to_string(),
            refusals(),
        ),
        Limit::ConnectionsPerNetwork => (
            connections_per_network.unwrap_or(super::CONNECTIONS_PER_NETWORK).to_string(),
            refusals(),
        ),
        Limit::ConnectionsPerMinute => {
            let set = settings.limits.connections_per_address_and_minute;
            (set.unwrap_or(super::CONNECTIONS_PER_MINUTE).to_string(), refusals())
        }
        Limit::MessagesPerAddress => {
            let set = settings.limits.messages_per_address_and_minute;
            (set.unwrap_or(super::MESSAGES_PER_ADDRESS).to_string(), "451 4.3.2 to MAIL".into())
        }
        Limit::RecipientsPerAccount => {
            let set = settings.limits.recipients_per_account_and_hour;
            (set.unwrap_or(super::RECIPIENTS_PER_ACCOUNT).to_string(), "451 4.3.2 to RCPT".into())
        }
        Limit::DiskFree => {
            let least = settings.limits.disk_free_min();
            ((least >> 20).to_string(), "452 4.3.1 to MAIL".into())
        }
        Limit::ProxyHeader => (super::PROXY_SECONDS.to_string(), "closed".into()),
        Limit::HandshakeSeconds => (super::HANDSHAKE_SECONDS.to_string(), "closed".into()),
        Limit::HandshakeOctets => (super::HANDSHAKE_OCTETS.to_string(), "closed".into()),
        Limit::StressIdle => {
            let line = [
                limit.name().into(),
                "-".into(),
                super::STRESS_IDLE_SECONDS.to_string(),
                refusals(),
            ];
            return line;
        }
        Limit::OutputUnread => (super::UNREAD_SECONDS.to_string(), "closed".into()),
        Limit::FaultsBeforeDelay => {
            (super::FAULTS_BEFORE_DELAY.to_string(), "answers come later and later".into())
        }
        Limit::LoginFailuresPerNetwork => (
            per(guesses.network_burst, guesses.network_ms),
            "refused unjudged, and late; not where the account logged in from before".into(),
        ),
        Limit::LoginFailuresPerAccount => (
            per(guesses.account_burst, guesses.account_ms),
            "refused unjudged, and late, from networks that failed thrice".into(),
        ),
        Limit::PasswordHashesWaiting => {
            (WAITING_MAX.to_string(), "who failed most is told to come later".into())
        }
    };
    [limit.name().into(), value, String::new(), reply]
}

/// How far a message's sender is looked into.
fn trust(profile: &Profile) -> Vec<Line> {
    let default = TrustSettings::default();
    let settings = match profile {
        Profile::Dev => &default,
        Profile::Server(profile) => &profile.trust,
    };
    let line = |name: &str, value: String, reached: &str| {
        [name.to_owned(), value, String::new(), reached.to_owned()]
    };
    vec![
        line("trust.timeout_s", settings.timeout.as_secs().to_string(), "as if DNS did not answer"),
        line("trust.lookups_max", settings.lookups_max.to_string(), "as if DNS had nothing"),
        line(
            "trust.signatures_max",
            settings.signatures_max.to_string(),
            "the rest is not verified",
        ),
        line("trust.spf_terms_max", SPF_TERMS_MAX.to_string(), "spf=permerror (RFC 7208 §4.6.4)"),
        line("trust.spf_voids_max", SPF_VOIDS_MAX.to_string(), "spf=permerror (RFC 7208 §4.6.4)"),
    ]
}

/// What each protocol says to a connection that is too many.
fn refusals() -> String {
    let reason = Farewell::TooManyConnections;
    let words = [smtp::farewell(reason), pop3::farewell(reason), imap::farewell(reason)];
    let words = words.map(|words| String::from_utf8_lossy(&words).trim_end().to_owned());
    words.join(" | ")
}

#[cfg(test)]
mod tests {
    use crate::cli::ServeFlags;

    use super::*;

    #[test]
    fn the_table_has_every_limit_with_a_value_and_a_reply() {
        let flags = ServeFlags { memory: true, ..ServeFlags::default() };
        let settings = Settings::new(flags).expect("the dev profile");
        let table = print(&settings, 2000, 32_000);
        for limit in Limit::ALL {
            assert_eq!(
                table.matches(&format!("{} ", limit.name())).count(),
                1,
                "{limit:?}\n{table}"
            );
        }
        let idle = table.lines().find(|line| line.starts_with("smtp.idle_before_login_ms"));
        let idle: Vec<&str> = idle.expect("a row").split_whitespace().collect();
        assert_eq!(idle[1..3], ["300000", "10000"]);
        assert!(idle[3].starts_with("421"), "{idle:?}");
    }
}
