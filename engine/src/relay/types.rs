//! What the relay functions and their host say to each other, in the shapes of `wit/relay.wit`.
//! All times are milliseconds since 1970 UTC, on whatever clock the queue keeps; nothing here reads one.

use alloc::vec::Vec;

use crate::smtp::client::types::{Fate, TlsPolicy};
use crate::smtp::{ByMode, MailFrom, RcptTo, Ret, Service};

/// One MX record, as DNS gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Exchange {
    /// RFC 5321 §5.1: lower is tried first.
    pub preference: u16,
    /// The host's name; `.` alone is the null MX of RFC 7505.
    pub name: Vec<u8>,
}

/// Where a domain's mail goes, by its MX records.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum Route {
    /// Try these in order, at least one: by preference, those of one preference in an order drawn from the seed.
    Hosts(Vec<Vec<u8>>),
    /// No MX: the domain's own addresses (RFC 5321 §5.1).
    Implicit,
    /// RFC 7505: the domain takes no mail. [`Unreached::NullMx`].
    Null,
    /// We are the best exchange ourselves: to send would loop. [`Unreached::Loop`].
    Ours,
}

/// One line of a transport map: which mail goes by which way.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Transport {
    /// `hamburger.edu` alone, `.hamburger.edu` for everything below it, an address literal, or `*` for all.
    pub pattern: Vec<u8>,
    /// Where to; none: to the recipient's own domain.
    pub next_hop: Option<Place>,
    /// What is spoken there.
    pub service: Service,
    /// How far TLS is insisted on.
    pub tls: TlsPolicy,
}

/// A place to hand mail to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Place {
    /// A domain, a host's name, or an IP address without brackets.
    pub host: Vec<u8>,
    /// What to ask DNS about it.
    pub lookup: Lookup,
    /// The port; none: the one of the service.
    pub port: Option<u16>,
}

/// What DNS is asked about a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Lookup {
    /// Its MX records, then the addresses of those.
    Exchanges,
    /// Its addresses alone.
    Addresses,
    /// Nothing: it is an address.
    Nothing,
}

/// The way that mail for one domain takes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Hop {
    /// Where to.
    pub next_hop: Place,
    /// What is spoken there.
    pub service: Service,
    /// How far TLS is insisted on.
    pub tls: TlsPolicy,
    /// Whether the transport map leads elsewhere than to the domain itself: what DNS does not know there is a fault of
    /// the map, and no reason to give mail up ([`Unreached::NoNextHop`]).
    pub mapped: bool,
}

/// Why there was no session with any server; each becomes a fate by [`fate_of`](super::fate_of).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Unreached {
    /// DNS did not answer, or failed: later it may not.
    DnsFailed,
    /// DNS says that there is no such domain.
    NoSuchDomain,
    /// The domain says that it takes no mail (RFC 7505).
    NullMx,
    /// Neither exchanges nor the domain have an address, or the address literal is of no kind that is known.
    NoAddress,
    /// The connection was refused.
    Refused,
    /// Nothing answered in time.
    TimedOut,
    /// The network gave no way there.
    Unreachable,
    /// TLS is insisted on, and the handshake failed or the certificate is not the right one.
    TlsFailed,
    /// The message came with REQUIRETLS (RFC 8689), and no host of its domain can be trusted with it.
    TlsRequired,
    /// No exchange is one that the domain's published policy names (RFC 8461).
    PolicyMismatch,
    /// The way leads back here, or in a circle.
    Loop,
    /// Our own fault: the attempt broke before it began.
    OurFault,
    /// The operator took the message out of the queue and wants its sender told.
    Withdrawn,
    /// DNS knows no host where the transport map leads to: the map is wrong, not the message.
    NoNextHop,
}

/// When to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct Schedule {
    /// Milliseconds after the first failure; doubled after each further one.
    pub first_ms: u64,
    /// Never more than this between two attempts, but for a tenth that the seed adds.
    pub interval_ms_max: u64,
    /// Give up so long after the message came.
    pub lifetime_ms: u64,
    /// Report a delay so long after the message came; none: never.
    pub delay_report_ms: Option<u64>,
}

/// Which value of a schedule is out of its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScheduleFault {
    /// `first_ms`: from one millisecond to `interval_ms_max`.
    First,
    /// `interval_ms_max`: at most a day.
    Interval,
    /// `lifetime_ms`: from one millisecond to 100 days.
    Lifetime,
    /// `delay_report_ms`: shorter than the lifetime.
    DelayReport,
}

/// A message's own wishes about time, and when it came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Times {
    /// When the message came.
    pub came_unix_ms: u64,
    /// RFC 4865: nothing is tried before; lifetime and delay count from then.
    pub hold_until_unix_ms: Option<u64>,
    /// RFC 2852 BY.
    pub deadline: Option<Deadline>,
}

/// Until when a message must be delivered (RFC 2852).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Deadline {
    /// When it is over.
    pub at_unix_ms: u64,
    /// What happens then.
    pub mode: ByMode,
}

/// A message's turn in the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Turn {
    /// RFC 6710: from -9 to 9; higher goes first.
    pub priority: i8,
    /// When its attempt is due.
    pub due_unix_ms: u64,
    /// When the message came.
    pub came_unix_ms: u64,
}

/// One recipient that waits in the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Queued {
    /// As it was given to us.
    pub recipient: RcptTo,
    /// Attempts so far.
    pub attempts: u32,
    /// How the last one ended.
    pub last: Option<Tried>,
    /// Whether the sender was told that it takes longer.
    pub delay_reported: bool,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Tried {
    /// What became of it.
    pub fate: Fate,
    /// The server that was talked to, if any.
    pub server: Option<Vec<u8>>,
    /// When.
    pub at_unix_ms: u64,
}

/// Who answers for a recipient after the next server, or the store, has taken the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Handover {
    /// The next server offers DSN: it reports success itself (RFC 3461 §5.2.1).
    Reporting,
    /// The next server does not: success is reported as `relayed` (RFC 3461 §5.2.2).
    Silent,
    /// It lies in the recipient's mailbox: success is reported as `delivered` (RFC 3461 §5.2.3).
    Final,
}

/// What an attempt came to for one recipient. Several of a domain's hosts may have served those of one message
/// (RFC 5321 §5.1), so each has its own server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Fared {
    /// What became of it.
    pub fate: Fate,
    /// The server that said so; none if none was talked to.
    pub server: Option<Vec<u8>>,
    /// Who answers for the recipient if it was accepted.
    pub handover: Handover,
}

/// An attempt that has ended, for some recipients of one message at one destination.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Attempted {
    /// When it is tried again.
    pub schedule: Schedule,
    /// The message's times.
    pub times: Times,
    /// When the attempt ended.
    pub now_unix_ms: u64,
    /// MAIL as it was given to us.
    pub mail: MailFrom,
    /// The recipients that were tried.
    pub recipients: Vec<Queued>,
    /// One for each, in order; who has none was not served and is tried again.
    pub fared: Vec<Fared>,
    /// Spreads attempts, so that a queue does not come back all at once.
    pub seed: u64,
}

/// What follows from an attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Settled {
    /// One for each recipient, in order.
    pub outcomes: Vec<Outcome>,
    /// When those that wait are tried again; none if nobody waits.
    pub next_unix_ms: Option<u64>,
    /// Reports to make now: at most one of each kind.
    pub reports: Vec<Due>,
}

/// What follows for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum Outcome {
    /// Over: another has the message.
    Delivered,
    /// Over: it will never be taken.
    Failed,
    /// Over: it was tried for long enough.
    Expired,
    /// It stays, with this state.
    Waits(Queued),
}

/// A report that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Due {
    /// Why.
    pub kind: ReportKind,
    /// About whom, at least one.
    pub recipients: Vec<Reported>,
    /// Until when it is tried; for a delay.
    pub until_unix_ms: Option<u64>,
}

/// Why a report is made: RFC 3464 §2.3.3, but for `expanded`, which no alias of ours needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum ReportKind {
    /// `failed`
    Failed,
    /// `delayed`
    Delayed,
    /// `delivered`
    Delivered,
    /// `relayed`
    Relayed,
}

/// One recipient in a report.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Reported {
    /// As it was given to us.
    pub recipient: RcptTo,
    /// How the last attempt ended.
    pub tried: Tried,
    /// Why it is given up although the last attempt did not say never.
    pub expired: Option<Expiry>,
}

/// Why a recipient is given up that could be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Expiry {
    /// The schedule's lifetime is over.
    Lifetime,
    /// The message's own deadline is over.
    Deadline,
}

/// A report to make (RFC 3461, RFC 3464, RFC 6522, RFC 6533).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Report {
    /// Why, about whom.
    pub due: Due,
    /// This host's name.
    pub host_name: Vec<u8>,
    /// Now.
    pub now_unix_ms: u64,
    /// When the message came.
    pub came_unix_ms: u64,
    /// MAIL as it was given to us.
    pub mail: MailFrom,
    /// What to return at most, if this host returns less than is asked for.
    pub ret_max: Option<Ret>,
    /// The message from its first octet on: [`octets_wanted`](super::octets_wanted) of them or all.
    pub message: Vec<u8>,
    /// All octets of the message.
    pub message_size: u64,
    /// The queue's name for the message, for the Final-Log-ID field.
    pub log_id: Option<Vec<u8>>,
    /// For the Message-ID field and the boundary: letters and digits, unique on this host.
    pub unique: Vec<u8>,
}

/// A report as a message with its envelope, ready for delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Notice {
    /// MAIL: the null reverse path, and what the octets need.
    pub mail: MailFrom,
    /// RCPT: the reverse path of the message, with NOTIFY=NEVER (RFC 3461 §6.1).
    pub recipient: RcptTo,
    /// The message.
    pub octets: Vec<u8>,
}
