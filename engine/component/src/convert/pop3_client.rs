//! The POP3 client role.

use pillarbox_engine::pop3::client::types as engine;

use super::super::wit::pop3_client as wit;
use super::{records, variants};

records! {
    wit, engine;
    Config { tls, apop, utf8, language, limits, timeouts, trace }
    Timeouts { reply_ms, data_ms }
    MessageChunk { call, octets }
    Call { id, command }
    TopCommand { number, body_lines }
    Maildrop { count, octets }
    SizeRow { number, size }
    UniqueIdRow { number, unique_id }
    LanguageRow { tag, description }
    Sizes { call, rows }
    UniqueIds { call, rows }
    Capabilities {
        user, mechanisms, stls, top, uidl, pipelining, resp_codes, auth_resp_code, utf8, lang,
        login_delay_s, expire_days, implementation, lines,
    }
    Ready { capabilities, maildrop }
    Failure { cause, code, text }
    Completion { call, outcome }
}

variants! {
    wit, engine;
    TlsPolicy { Implicit, None, Opportunistic, Required }
    Ask { Login(value), Chunk(value) }
    Answer { Login(value), Done, Refused(value) }
    Command {
        Maildrop, Sizes(value), UniqueIds(value), Retrieve(value), Top(value), Delete(value), Reset,
        Noop, Capabilities, Languages, Language(value), Quit,
    }
    Code { None, InUse, LoginDelay, SysTemp, SysPerm, Auth, Utf8, Other(value) }
    Cause { Refused, Unsupported, Login, Tls, Malformed, TooLarge, Dropped, Timeout, Lost }
    Outcome { Done, Retrieved(value), Failed(value) }
    Event {
        Ready(value), Maildrop(value), Sizes(value), UniqueIds(value), Capabilities(value),
        Languages(value), Completed(value), Defect(value), Done(value),
    }
}
