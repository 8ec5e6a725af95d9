//! The SMTP client role. What it shares with the server stands there.

use pillarbox_engine::smtp::client::types as engine;

use super::super::wit::smtp_client as wit;
use super::{Convert, records, variants};

records! {
    wit, engine;
    Config { host_name, service, tls, login, limits, timeouts, trace }
    Timeouts { command_ms, data_start_ms, data_block_ms, data_end_ms }
    Delivery { id, mail, recipients, message, size, plain, require_tls }
    Reply { code, status, lines }
    EnhancedStatus { class, subject, detail }
    Failure { stage, reply, diagnosis }
    Finished { id, fates }
}

variants! {
    wit, engine;
    TlsPolicy { Implicit, None, Opportunistic, Required }
    Ask { Login(value), Octets(value) }
    Answer { Login(value), Octets(value), Refused(value) }
    Call { Deliver(value), Cancel(value), Quit }
    Stage { Session, Mail, Recipient, Data, EndOfData }
    Fate { Accepted(value), Failed(value), Deferred(value), Uncertain(value) }
    Event { Ready(value), Finished(value), Defect(value), Done(value) }
}

// By hand, since the two have different names: `server` is taken on this side.

impl Convert<engine::Offer> for wit::Server {
    fn convert(self) -> engine::Offer {
        let Self { name, extensions, start_tls, size_max, recipients_max, messages_max } = self;
        let extensions = extensions.convert();
        engine::Offer { name, extensions, start_tls, size_max, recipients_max, messages_max }
    }
}

impl Convert<wit::Server> for engine::Offer {
    fn convert(self) -> wit::Server {
        let Self { name, extensions, start_tls, size_max, recipients_max, messages_max } = self;
        let extensions = extensions.convert();
        wit::Server { name, extensions, start_tls, size_max, recipients_max, messages_max }
    }
}
