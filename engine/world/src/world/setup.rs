//! What a world begins with, as data: nodes, links, names in DNS, faults. A scenario is one of these and a script.

use pillarbox_engine::relay::Schedule;
use pillarbox_engine::smtp::Extensions;
use pillarbox_engine::types::Persona;

use crate::web::Resource;

/// 2026-01-05T09:00:00Z, when time begins unless a scenario says otherwise.
pub const START_UNIX_MS: u64 = 1_767_603_600_000;

/// What a world begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// When its time begins, in milliseconds since 1970 UTC.
    pub start_unix_ms: u64,
    /// Its nodes, in the order of their numbers.
    pub nodes: Vec<NodeSetup>,
    /// Links; nodes without one between them are joined by a link like any other.
    pub links: Vec<LinkSetup>,
    /// Names in DNS, besides those of the nodes themselves.
    pub records: Vec<Record>,
    /// Faults, in the text form of [`crate::fault`].
    pub faults: Vec<String>,
    /// Whether attempts to relay are spread in time, as they are outside a lesson.
    pub spread: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            start_unix_ms: START_UNIX_MS,
            nodes: Vec::new(),
            links: Vec::new(),
            records: Vec::new(),
            faults: Vec::new(),
            spread: false,
        }
    }
}

/// What a node is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// A mail server, with queue and mailboxes.
    #[default]
    Server,
    /// A person's device: a user agent.
    Device,
    /// The name server.
    Dns,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSetup {
    /// Its name, unique in the world; of a server its host name in DNS.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// What it is.
    pub kind: Kind,
    /// Domains whose mail it takes; without any, its own name.
    pub domains: Vec<String>,
    /// Who has a mailbox there: address and password.
    pub users: Vec<(String, String)>,
    /// Addresses that stand for others.
    pub aliases: Vec<(String, Vec<String>)>,
    /// Ports that it listens on.
    pub ports: Vec<u16>,
    /// Ports at which somebody answers by hand.
    pub by_hand: Vec<u16>,
    /// Whose words it speaks.
    pub persona: Persona,
    /// Whether it offers TLS.
    pub tls: bool,
    /// Whether a password may come in the clear.
    pub cleartext: bool,
    /// Whether its POP3 greeting has a timestamp for APOP (RFC 1939 §7).
    pub apop: bool,
    /// Whether anybody may send to anywhere: a mistake, to be seen what it leads to.
    pub open_relay: bool,
    /// Whether every name with every password is let in, and every address has a mailbox: a server for development.
    pub anyone: bool,
    /// SMTP extensions that it offers.
    pub extensions: Extensions,
    /// How long its disk takes to sync, from the first write that waits for it; 0: no time at all. What is not synced
    /// when it crashes is lost.
    pub sync_ms: u64,
    /// When it tries mail again.
    pub schedule: Schedule,
    /// Received fields before mail is taken for looping.
    pub received_max: u32,
    /// The account that a device is set up for.
    pub account: Option<AccountSetup>,
    /// What it gives out as a web server, if it listens on that port.
    pub pages: Vec<Resource>,
    /// Whether people read and write their mail there by the web.
    pub web_mail: bool,
}

impl NodeSetup {
    /// A node of this name that does nothing yet.
    #[must_use]
    pub fn new(name: &str, kind: Kind) -> Self {
        Self {
            name: name.to_owned(),
            title: name.to_owned(),
            kind,
            domains: Vec::new(),
            users: Vec::new(),
            aliases: Vec::new(),
            ports: if kind == Kind::Server { vec![25, 587, 110, 143] } else { Vec::new() },
            by_hand: Vec::new(),
            persona: Persona::Strict,
            tls: false,
            cleartext: true,
            apop: false,
            open_relay: false,
            anyone: false,
            // DATA is what books show; a scenario may offer BDAT too.
            extensions: Extensions { chunking: false, binary_mime: false, ..Extensions::default() },
            sync_ms: 0,
            schedule: lesson_schedule(),
            received_max: 25,
            account: None,
            pages: Vec::new(),
            web_mail: false,
        }
    }
}

/// RFC 5321 §4.5.4.1 by its numbers: two attempts in the first hour, then every two hours, for five days.
fn lesson_schedule() -> Schedule {
    const MINUTE: u64 = 60_000;
    Schedule {
        first_ms: 30 * MINUTE,
        interval_ms_max: 120 * MINUTE,
        lifetime_ms: 5 * 24 * 60 * MINUTE,
        delay_report_ms: Some(4 * 60 * MINUTE),
    }
}

/// How a device reaches its owner's account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountSetup {
    /// The person's name.
    pub person: String,
    /// Their address, which is also what they log in with.
    pub address: String,
    /// Their password.
    pub password: String,
    /// The server that takes their mail, and its port.
    pub submit: Option<(String, u16)>,
    /// The server that keeps their mail.
    pub server: String,
    /// Whether the device uses TLS wherever it is offered.
    pub tls: bool,
}

/// A link, by the names of its nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkSetup {
    /// One end.
    pub a: String,
    /// The other.
    pub b: String,
    /// How long an octet travels.
    pub latency_ms: u64,
    /// How many octets a second; none: as many as there are.
    pub octets_per_s: Option<u64>,
    /// Octets that travel together at most; none: as many as there are.
    pub chunk: Option<u32>,
    /// Whether somebody listens.
    pub tapped: bool,
    /// Whether the eighth bit of every octet is lost on it.
    pub seven_bit: bool,
}

/// A name in DNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The name.
    pub name: String,
    /// Its exchanges with their preferences; `.` alone is the null MX (RFC 7505).
    pub exchanges: Vec<(u16, String)>,
    /// Its addresses; a node's name stands for that node's address.
    pub addresses: Vec<String>,
}
