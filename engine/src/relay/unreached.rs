//! Failures before any server has said a word, as fates with the RFC 3463 status that fits.
//! Who found them, DNS or sockets, is the host's business; what follows from them is left to `settle`.

use alloc::string::String;

use super::types::Unreached;
use crate::smtp::client::types::{Failure, Fate, Stage};

/// The fate of recipients whose server was not talked to.
#[must_use]
pub fn fate_of(why: Unreached) -> Fate {
    let (never, diagnosis) = match why {
        Unreached::DnsFailed => (false, "4.4.3 DNS did not answer for the domain"),
        // RFC 5321 §5.1: an error at once.
        Unreached::NoSuchDomain => (true, "5.1.2 The domain does not exist"),
        // RFC 7505: no later attempt may help.
        Unreached::NullMx => (true, "5.1.10 The domain takes no mail"),
        // RFC 5321 §5.1: records without a usable host are an error too.
        Unreached::NoAddress => (true, "5.4.4 No host of the domain has an address"),
        Unreached::Refused => (false, "4.4.1 The server refused the connection"),
        Unreached::TimedOut => (false, "4.4.1 The server did not answer"),
        Unreached::Unreachable => (false, "4.4.1 The server cannot be reached"),
        // Certificates and policies are mended; mail to the wrong one cannot be taken back.
        Unreached::TlsFailed => (false, "4.7.5 No trusted TLS connection to the server"),
        // RFC 8689 §4.2.1: at once, since the sender asked for this rather than for delivery.
        Unreached::TlsRequired => {
            (true, "5.7.10 The message may only go over a trusted TLS connection")
        }
        Unreached::PolicyMismatch => (false, "4.7.5 No server that the domain's policy names"),
        Unreached::Loop => (true, "5.4.6 The mail would come back to this server"),
        Unreached::OurFault => (false, "4.3.0 This server could not make the attempt"),
        // A slip in a setting is mended, and must not cost all mail that waits.
        Unreached::NoNextHop => (false, "4.4.4 The host that mail is sent by has no address"),
        Unreached::Withdrawn => (true, "5.3.0 The operator removed the message from the queue"),
    };
    let failure =
        Failure { stage: Stage::Session, reply: None, diagnosis: String::from(diagnosis) };
    if never { Fate::Failed(failure) } else { Fate::Deferred(failure) }
}
