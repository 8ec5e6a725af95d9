//! Types that every role shares.

use pillarbox_engine::{limits, types as engine};

use super::super::wit::types as wit;
use super::{records, variants};

records! {
    wit, engine;
    Now { monotonic_ms, unix_ms }
    BlobRange { blob, offset, length }
    Peer { address, name }
    TlsFacts { version, cipher, client_identity, exporter, server_end_point }
    Refusal { reason, text }
    Instead { code, text, close }
}

variants! {
    wit, engine;
    Phase { Connected, Command(value) }
    TlsOffer { None, Upgrade, Implicit }
    Persona { Strict, Textbook }
    Reason {
        BadCredentials, LoginThrottled, NotPermitted, NotFound, AlreadyExists, InUse, Policy,
        OverQuota, TooLarge, TooMany, StorageFull, StorageFailed, Overloaded, Unsupported,
        SpfFailed, DkimFailed, Unauthenticated, Unverifiable,
    }
    Farewell { ShuttingDown, TooManyConnections, Fault, AccountRemoved }
    Misuse { UnknownAsk, WrongAnswer, NotStartingTls, WrongState, BadValue }
}

records! {
    wit, limits;
    Limits {
        message_max, header_max, line_max, line_after_login_max, auth_line_max, recipients_max,
        received_max, errors_max, errors_slow, idle_commands_max, literals_max, messages_max,
        data_rate_min, deliver_by_min_s, hold_max_s, idle_before_login_ms, idle_ms,
    }
}
