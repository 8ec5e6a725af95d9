//! The relay functions.

use pillarbox_engine::relay as engine;

use super::super::wit::relay as wit;
use super::{records, variants};

records! {
    wit, engine;
    Exchange { preference, name }
    Transport { pattern, next_hop, service, tls }
    Place { host, lookup, port }
    Hop { next_hop, service, tls, mapped }
    Schedule { first_ms, interval_ms_max, lifetime_ms, delay_report_ms }
    Times { came_unix_ms, hold_until_unix_ms, deadline }
    Deadline { at_unix_ms, mode }
    Turn { priority, due_unix_ms, came_unix_ms }
    Queued { recipient, attempts, last, delay_reported }
    Tried { fate, server, at_unix_ms }
    Fared { fate, server, handover }
    Attempted { schedule, times, now_unix_ms, mail, recipients, fared, seed }
    Settled { outcomes, next_unix_ms, reports }
    Due { kind, recipients, until_unix_ms }
    Reported { recipient, tried, expired }
    Report {
        due, host_name, now_unix_ms, came_unix_ms, mail, ret_max, message, message_size, log_id,
        unique,
    }
    Notice { mail, recipient, octets }
}

variants! {
    wit, engine;
    Route { Hosts(value), Implicit, Null, Ours }
    Lookup { Exchanges, Addresses, Nothing }
    Unreached {
        DnsFailed, NoSuchDomain, NullMx, NoAddress, Refused, TimedOut, Unreachable, TlsFailed,
        TlsRequired, PolicyMismatch, Loop, OurFault, Withdrawn, NoNextHop,
    }
    Handover { Reporting, Silent, Final }
    Outcome { Delivered, Failed, Expired, Waits(value) }
    ReportKind { Failed, Delayed, Delivered, Relayed }
    Expiry { Lifetime, Deadline }
}
