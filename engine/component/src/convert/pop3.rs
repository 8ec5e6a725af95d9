//! The POP3 roles.

use pillarbox_engine::pop3 as engine;

use super::super::wit::pop3_server as wit;
use super::{records, variants};

records! {
    wit, engine;
    Config {
        host_name, peer, session_id, tls, auth, apop_timestamp, without, login_delay_s, persona,
        faults, limits, trace,
    }
    EntriesAsk { first, max }
    NumberRun { first, last }
    Opened { count, octets }
    Entry { blob, size, unique_id, plain }
}

variants! {
    wit, engine;
    Ask { Login(value), Open(value), Entries(value), Octets(value), Remove(value), Phase(value) }
    Answer { Login(value), Opened(value), Entries(value), Octets(value), Done, Refused(value), Instead(value) }
    Call { Farewell(value) }
    Event { Retrieved(value), Defect(value), Quit }
}
