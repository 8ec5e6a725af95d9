//! The SMTP client role. What it shares with the server stands there.

use pillarbox_engine::smtp::client::types as engine;

use super::super::wit::smtp_client as wit;
use super::{Convert, records, variants};

records! {
    wit, engine;
    Config { host_name, service, tls, login, limits, timeouts, trace }
    Timeouts { command_ms, data_start_ms, data_block_ms, data_end_ms }
    Delivery { id, mail, recipients, message, offset, size, plain, require_tls }
    Finished { id, fates }
}

variants! {
    wit, engine;
    Ask { Login(value), Octets(value) }
    Answer { Login(value), Octets(value), Refused(value) }
    Call { Deliver(value), Cancel(value), BrokenOff(value), Quit }
    Event { Ready(value), Finished(value), Defect(value), Done(value) }
}

// By name, since the two have different ones: `server` is taken on this side.

macro_rules! offer {
    ($from:ty, $to:path) => {
        impl Convert<$to> for $from {
            fn convert(self) -> $to {
                let Self {
                    name,
                    extensions,
                    start_tls,
                    size_max,
                    recipients_max,
                    messages_max,
                    recipient_domains_max,
                    deliver_by_min_s,
                    hold_max_s,
                } = self;
                $to {
                    name,
                    extensions: extensions.convert(),
                    start_tls,
                    size_max,
                    recipients_max,
                    messages_max,
                    recipient_domains_max,
                    deliver_by_min_s,
                    hold_max_s,
                }
            }
        }
    };
}

offer!(wit::Server, engine::Offer);
offer!(engine::Offer, wit::Server);
