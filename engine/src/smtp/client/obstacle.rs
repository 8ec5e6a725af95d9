//! What forbids a delivery over this connection before it begins: what the message needs and the server does not offer.
//! What can be left out or encoded anew forbids nothing.

use super::Common;
use super::command::is_utf8;
use super::fates::Loss;
use super::types::{Delivery, Failure, Stage, TlsPolicy};
use crate::smtp::types::{ByMode, Service};

pub(super) const NO_UTF8: Loss =
    Loss::new("5.6.7", "The address is in UTF-8, and the server does not offer SMTPUTF8");
/// RFC 9422 MAILMAX.
pub(super) const NO_MORE_MESSAGES: Loss =
    Loss::new("4.4.5", "The server takes no more messages over this connection");

/// Whether a recipient waits for nothing but a new connection.
pub(crate) fn is_used_up(failure: &Failure) -> bool {
    *failure == NO_MORE_MESSAGES.failure(Stage::Session)
}

/// What forbids a delivery over this connection.
pub(super) fn obstacle(delivery: &Delivery, common: &Common) -> Option<(Stage, Loss)> {
    let told = &common.offered.told;
    let from_utf8 = delivery.mail.reverse_path.as_ref().is_some_and(is_utf8);
    if (delivery.mail.smtputf8 || from_utf8) && !told.extensions.smtputf8 {
        let text = "The message needs SMTPUTF8, which the server does not offer";
        return Some((Stage::Mail, Loss::new("5.6.7", text)));
    }
    // RFC 8689 §4.2.1. Under the opportunistic policy a certificate need not be right.
    // §5: a report that cannot have it goes without, since it must not be lost.
    let is_report = delivery.mail.reverse_path.is_none();
    if delivery.require_tls || delivery.mail.require_tls && !is_report {
        if !common.is_secured() || common.config.tls == TlsPolicy::Opportunistic {
            let text = "The message requires TLS with a verified server";
            return Some((Stage::Session, Loss::new("5.7.10", text)));
        }
        if !told.extensions.require_tls {
            let text = "The message requires TLS, and the server does not offer REQUIRETLS";
            return Some((Stage::Session, Loss::new("5.7.30", text)));
        }
    }
    if let Some(by) = delivery.mail.deliver_by.filter(|by| by.mode == ByMode::Return) {
        // RFC 2852: with mode R the message goes to no server that would not return it in time.
        if !told.extensions.deliver_by {
            let text =
                "The message is to be returned when it is late, which the server does not do";
            return Some((Stage::Mail, Loss::new("5.3.3", text)));
        }
        if i64::from(by.seconds) < i64::from(told.deliver_by_min_s.unwrap_or(1).max(1)) {
            let text = "The time in which the message was to be delivered is over";
            return Some((Stage::Mail, Loss::new("5.4.7", text)));
        }
    }
    if delivery.mail.hold_until_ms.is_some()
        && common.config.service == Service::Submission
        && !told.extensions.future_release
    {
        let text = "The message is to be held back, which the server does not do";
        return Some((Stage::Mail, Loss::new("5.3.3", text)));
    }
    // RFC 1870 §6.1: a client need not try what the server said that it will not take.
    if told.size_max.is_some_and(|max| delivery.size > max) {
        let text = "The message is larger than the server takes";
        return Some((Stage::Mail, Loss::new("5.3.4", text)));
    }
    if delivery.size > common.config.limits.message_max {
        let text = "The message is larger than this host sends";
        return Some((Stage::Mail, Loss::new("5.3.4", text)));
    }
    None
}
