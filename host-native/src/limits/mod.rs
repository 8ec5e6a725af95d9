//! Every limit that the host keeps against peers, by name: its value, its value under stress, and a counter of hits.
//! What a session keeps by itself is in `pillarbox_engine::limits`.

mod table;

use prometheus::{IntCounterVec, Opts};

pub use table::print;

/// While more than so many hundredths of the slots are taken, limits marked so are tighter.
pub const STRESS_PERCENT: u32 = 80;
/// So many hundredths of the slots are kept for this machine and for addresses that somebody has logged in from.
pub const RESERVE_PERCENT: u32 = 10;
/// Seconds that a connection that comes waits for a slot.
pub const ARRIVE_SECONDS: u64 = 2;
/// Seconds that a frozen session waits for a slot when there is something for it: longer than one that comes, since it has
/// been let in.
pub const THAW_SECONDS: u64 = 10;
/// Seconds of rest after which a session is frozen that has such a form; at once while slots are scarce.
pub const FREEZE_SECONDS: u64 = 3;
/// Connections of one address (of IPv6: one /64) at once.
pub const CONNECTIONS_PER_ADDRESS: u32 = 50;
/// Connections of one network (/24, /48) at once.
pub const CONNECTIONS_PER_NETWORK: u32 = 200;
/// Connections that come from one address (of IPv6: one /64) within a minute.
pub const CONNECTIONS_PER_MINUTE: u32 = 600;
/// Messages of strangers from one address (of IPv6: one /64) within a minute.
pub const MESSAGES_PER_ADDRESS: u32 = 600;
/// Recipients that one account writes to within an hour.
pub const RECIPIENTS_PER_ACCOUNT: u32 = 5000;
/// Seconds for a TLS handshake.
pub const HANDSHAKE_SECONDS: u64 = 10;
/// Octets that a peer may send before its handshake is done.
pub const HANDSHAKE_OCTETS: u64 = 64 * 1024;
/// Seconds for the header of the PROXY protocol.
pub const PROXY_SECONDS: u64 = 5;
/// Seconds in which a peer must read something of what was written for it.
pub const UNREAD_SECONDS: u64 = 60;
/// Seconds of silence before login that end a connection under stress.
pub const STRESS_IDLE_SECONDS: u64 = 10;
/// Faults of a peer after which each more makes it wait longer.
pub const FAULTS_BEFORE_DELAY: u32 = 10;

/// A limit of the host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Sessions at work at once.
    Slots,
    /// Connections at once.
    Connections,
    /// Slots kept for known addresses.
    SlotsReserve,
    /// Connections of one address.
    ConnectionsPerAddress,
    /// Connections of one network.
    ConnectionsPerNetwork,
    /// Connections that come from one address within a minute.
    ConnectionsPerMinute,
    /// Messages of strangers from one address within a minute.
    MessagesPerAddress,
    /// Recipients that one account writes to within an hour.
    RecipientsPerAccount,
    /// What stays free on the disk.
    DiskFree,
    /// Time of a TLS handshake.
    HandshakeSeconds,
    /// Octets of a TLS handshake.
    HandshakeOctets,
    /// A PROXY header that is late or none.
    ProxyHeader,
    /// Output that a peer does not read.
    OutputUnread,
    /// Silence before login under stress.
    StressIdle,
    /// Faults that make a peer wait.
    FaultsBeforeDelay,
    /// Failed logins of one network.
    LoginFailuresPerNetwork,
    /// Failed logins at one account.
    LoginFailuresPerAccount,
    /// Passwords that wait to be hashed.
    PasswordHashesWaiting,
}

impl Limit {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 18] = [
        Self::Slots,
        Self::Connections,
        Self::SlotsReserve,
        Self::ConnectionsPerAddress,
        Self::ConnectionsPerNetwork,
        Self::ConnectionsPerMinute,
        Self::MessagesPerAddress,
        Self::RecipientsPerAccount,
        Self::DiskFree,
        Self::ProxyHeader,
        Self::HandshakeSeconds,
        Self::HandshakeOctets,
        Self::StressIdle,
        Self::OutputUnread,
        Self::FaultsBeforeDelay,
        Self::LoginFailuresPerNetwork,
        Self::LoginFailuresPerAccount,
        Self::PasswordHashesWaiting,
    ];

    /// Its name in metrics, settings and `pillarbox limits`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Slots => "slots",
            Self::Connections => "connections",
            Self::SlotsReserve => "slots_reserve_percent",
            Self::ConnectionsPerAddress => "connections_per_address",
            Self::ConnectionsPerNetwork => "connections_per_network",
            Self::ConnectionsPerMinute => "connections_per_address_and_minute",
            Self::MessagesPerAddress => "messages_per_address_and_minute",
            Self::RecipientsPerAccount => "recipients_per_account_and_hour",
            Self::DiskFree => "disk_free_mib",
            Self::HandshakeSeconds => "tls_handshake_seconds",
            Self::HandshakeOctets => "tls_handshake_octets",
            Self::ProxyHeader => "proxy_header_seconds",
            Self::OutputUnread => "output_unread_seconds",
            Self::StressIdle => "idle_before_login_seconds",
            Self::FaultsBeforeDelay => "faults_before_delay",
            Self::LoginFailuresPerNetwork => "login_failures_per_network",
            Self::LoginFailuresPerAccount => "login_failures_per_account",
            Self::PasswordHashesWaiting => "password_hashes_waiting",
        }
    }
}

/// Counts how often each limit was reached.
#[derive(Clone)]
pub struct Hits(IntCounterVec);

impl Default for Hits {
    fn default() -> Self {
        let options = Opts::new("pillarbox_limits_hit_total", "How often a limit was reached.");
        Self(IntCounterVec::new(options, &["limit"]).expect("a fixed, valid name"))
    }
}

impl Hits {
    /// This limit was reached.
    pub fn hit(&self, limit: Limit) {
        self.0.with_label_values(&[limit.name()]).inc();
    }

    /// For the registry of metrics.
    pub(crate) fn counter(&self) -> IntCounterVec {
        self.0.clone()
    }
}
