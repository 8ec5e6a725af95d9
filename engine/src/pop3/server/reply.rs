//! The words of `-ERR`: for what the host refuses, and for the end.

use alloc::vec::Vec;

use crate::limits::REFUSAL_TEXT_MAX;
use crate::types::{Farewell, Reason, Refusal};

/// The text of `-ERR` for a refusal, with its response code (RFC 2449 §8, RFC 3206).
///
/// `logging_in`: RFC 3206 §4 has AUTH for the commands of a login alone. Later it would send a client back to its
/// user for another password.
pub(super) fn refused(refusal: &Refusal, logging_in: bool) -> Vec<u8> {
    let (code, text) = match refusal.reason {
        Reason::BadCredentials if logging_in => ("[AUTH] ", "wrong name or password"),
        Reason::BadCredentials => ("[SYS/PERM] ", "not permitted"),
        Reason::LoginThrottled => ("[LOGIN-DELAY] ", "too often, try later"),
        Reason::InUse => ("[IN-USE] ", "another session holds the maildrop"),
        Reason::NotFound => ("", "no such message"),
        Reason::StorageFailed | Reason::StorageFull => ("[SYS/TEMP] ", "local error, try later"),
        Reason::Overloaded => ("[SYS/TEMP] ", "too busy, try later"),
        Reason::NotPermitted | Reason::Policy if logging_in => ("[AUTH] ", "not permitted"),
        Reason::NotPermitted | Reason::Policy => ("[SYS/PERM] ", "not permitted"),
        Reason::SpfFailed | Reason::DkimFailed | Reason::Unauthenticated | Reason::Unverifiable => {
            ("", "its sender is not proven")
        }
        Reason::Unsupported => ("", "not supported"),
        Reason::AlreadyExists | Reason::OverQuota | Reason::TooLarge | Reason::TooMany => {
            ("[SYS/PERM] ", "not possible")
        }
    };
    let mut out = code.as_bytes().to_vec();
    match &refusal.text {
        Some(words) => {
            let shown = words.iter().map(|&o| if (b' '..=b'~').contains(&o) { o } else { b'?' });
            out.extend(shown.take(REFUSAL_TEXT_MAX));
        }
        None => out.extend_from_slice(text.as_bytes()),
    }
    out
}

/// Octets of the response code that a text begins with (RFC 2449 §8), a space behind it; 0 if there is none.
pub(super) fn code_length(text: &[u8]) -> usize {
    let end = text.iter().position(|&octet| octet == b']').map_or(0, |end| end + 1);
    if text.first() == Some(&b'[') && text.get(end) == Some(&b' ') { end } else { 0 }
}

pub(super) fn farewell_text(reason: Farewell) -> &'static str {
    match reason {
        Farewell::ShuttingDown => "[SYS/TEMP] the server stops",
        Farewell::TooManyConnections => "[SYS/TEMP] too many connections, try later",
        Farewell::Fault => "[SYS/TEMP] the session failed",
        Farewell::AccountRemoved => "[SYS/PERM] the account was removed",
    }
}

/// The line that a host sends to a peer for which it has no session.
#[must_use]
pub fn farewell(reason: Farewell) -> Vec<u8> {
    [b"-ERR ", farewell_text(reason).as_bytes(), b"\r\n"].concat()
}
