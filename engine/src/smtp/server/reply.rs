//! Replies (RFC 5321 §4.2), and which one a refusal of the host becomes.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::Server;
use crate::limits::REFUSAL_TEXT_MAX;
use crate::role::Cx;
use crate::trace::Rule;
use crate::types::{Farewell, Reason, Refusal};

/// RFC 5321 §4.2.
pub(super) const REPLY: Rule = Rule {
    rfc: 5321,
    section: "4.2",
    gist: "Every command gets exactly one reply: three digits for programs, text for people.",
};
/// RFC 2034 §4.
pub(super) const ENHANCED: Rule = Rule {
    rfc: 2034,
    section: "4",
    gist: "Replies other than greetings and 3xx begin their text with a status code of three numbers.",
};

/// Octets of the longest enhanced code (RFC 3463 §2): three numbers of one, three and three digits.
const ENHANCED_MAX: usize = "5.123.123".len();

/// A reply: its code, its enhanced code (RFC 3463) where there is one, and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) code: u16,
    pub(super) enhanced: Option<&'static str>,
    pub(super) text: Cow<'static, [u8]>,
}

impl Reply {
    pub(super) fn new(code: u16, enhanced: &'static str, text: &'static str) -> Self {
        Self { code, enhanced: Some(enhanced), text: Cow::Borrowed(text.as_bytes()) }
    }

    /// One whose text is made for it.
    pub(super) fn made(code: u16, enhanced: &'static str, text: Vec<u8>) -> Self {
        Self { code, enhanced: Some(enhanced), text: text.into() }
    }

    /// One without an enhanced code: greetings, HELO, and intermediate replies.
    pub(super) fn plain(code: u16, text: impl Into<Cow<'static, [u8]>>) -> Self {
        Self { code, enhanced: None, text: text.into() }
    }

    /// The host's own words, if it gave any, made fit for one line.
    pub(super) fn in_words_of(mut self, refusal: &Refusal) -> Self {
        if let Some(text) = &refusal.text {
            let shown = text.iter().map(|&o| if (b' '..=b'~').contains(&o) { o } else { b'?' });
            self.text = shown.take(REFUSAL_TEXT_MAX).collect();
        }
        self
    }

    pub(super) fn send(&self, cx: &mut Cx<Server>, enhanced: bool) {
        self.send_because(cx, enhanced, &REPLY);
    }

    /// Sends it; a reader is told which rule chose its code.
    pub(super) fn send_because(&self, cx: &mut Cx<Server>, enhanced: bool, why: &'static Rule) {
        cx.send(&digits(self.code, b' '), "reply code", Some(why));
        if let Some(code) = self.enhanced.filter(|_| enhanced) {
            let (mut with_space, length) = ([b' '; ENHANCED_MAX + 1], code.len());
            with_space[..length].copy_from_slice(code.as_bytes());
            cx.send(&with_space[..=length], "enhanced code", Some(&ENHANCED));
        }
        cx.send(&self.text, "reply text", None);
        cx.send(b"\r\n", "CRLF", None);
    }
}

/// A reply code and what follows it. Every command has a reply: the general way of making text of numbers is felt.
pub(super) fn digits(code: u16, separator: u8) -> [u8; 4] {
    let digit = |unit: u16| b'0' + (code / unit % 10) as u8;
    [digit(100), digit(10), digit(1), separator]
}

/// Whom or what a refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    Sender,
    Recipient,
    Message,
    Name,
}

/// The reply that SMTP has for a refusal.
pub(super) fn refused(about: About, refusal: &Refusal) -> Reply {
    let reply = match (refusal.reason, about) {
        (Reason::NotFound, About::Sender) => Reply::new(550, "5.1.8", "No such sender"),
        (Reason::NotFound, _) => Reply::new(550, "5.1.1", "No such mailbox here"),
        (Reason::NotPermitted, About::Recipient) => Reply::new(550, "5.7.1", "Relaying denied"),
        (Reason::NotPermitted | Reason::Policy, _) => Reply::new(550, "5.7.1", "Not permitted"),
        // RFC 3463 §3.3 (as RFC 1893 §3.3): a full mailbox is a persistent transient failure, since its owner can delete
        // messages; so 4.2.2, never 552 5.2.2, which would bounce at once what fits tomorrow.
        (Reason::OverQuota, _) => Reply::new(452, "4.2.2", "Mailbox full, try later"),
        (Reason::TooLarge, _) => Reply::new(552, "5.3.4", "Message too big"),
        (Reason::TooMany, About::Recipient) => Reply::new(452, "4.5.3", "Too many recipients"),
        (Reason::TooMany, _) => Reply::new(452, "4.5.3", "Too many"),
        (Reason::StorageFull, _) => Reply::new(452, "4.3.1", "Insufficient storage, try later"),
        (Reason::StorageFailed, _) => Reply::new(451, "4.3.0", "Local error, try later"),
        (Reason::Overloaded | Reason::InUse | Reason::LoginThrottled, _) => {
            Reply::new(451, "4.3.2", "Too busy, try later")
        }
        (Reason::Unsupported, About::Name) => Reply::new(252, "2.5.0", CANNOT_VERIFY),
        (Reason::Unsupported, _) => Reply::new(504, "5.5.4", "Not supported"),
        // RFC 7372 §3 registers these codes.
        (Reason::SpfFailed, _) => Reply::new(550, "5.7.23", "SPF validation failed"),
        (Reason::DkimFailed, _) => Reply::new(550, "5.7.20", "No passing DKIM signature found"),
        (Reason::Unauthenticated, _) => {
            Reply::new(550, "5.7.26", "Neither SPF nor DKIM speaks for the author's domain")
        }
        // RFC 3463 §3.5: X.4.3 is a failure of a directory server such as DNS.
        (Reason::Unverifiable, _) => {
            Reply::new(451, "4.4.3", "The sender cannot be verified now, try later")
        }
        (Reason::BadCredentials, _) => Reply::new(535, "5.7.8", "Authentication failed"),
        (Reason::AlreadyExists, _) => Reply::new(554, "5.3.0", "Transaction failed"),
    };
    reply.in_words_of(refusal)
}

/// RFC 5321 §7.3: the answer that tells nothing about any name.
pub(super) const CANNOT_VERIFY: &str =
    "Cannot VRFY user, but will accept message and attempt delivery";

/// The reply to ETRN that the host refused (RFC 1985 §5.1): 458 for what may change, 459 for what is a decision.
pub(super) fn flush_refused(refusal: &Refusal) -> Reply {
    let reply = match refusal.reason {
        Reason::StorageFull | Reason::StorageFailed => {
            Reply::new(458, "4.3.0", "Unable to queue messages for this node")
        }
        Reason::Overloaded | Reason::InUse | Reason::LoginThrottled => {
            Reply::new(458, "4.3.2", "Unable to queue messages for this node, too busy")
        }
        _ => Reply::new(459, "4.7.1", "This node is not allowed"),
    };
    reply.in_words_of(refusal)
}

/// The reply to a login that the host refused.
pub(super) fn login_refused(refusal: &Refusal) -> Reply {
    let reply = match refusal.reason {
        Reason::LoginThrottled | Reason::Overloaded => {
            Reply::new(454, "4.7.0", "Temporary authentication failure")
        }
        Reason::StorageFailed | Reason::StorageFull => {
            Reply::new(454, "4.3.0", "Temporary authentication failure")
        }
        _ => Reply::new(535, "5.7.8", "Authentication credentials invalid"),
    };
    reply.in_words_of(refusal)
}

pub(super) fn farewell(reason: Farewell) -> Reply {
    match reason {
        Farewell::ShuttingDown => Reply::new(421, "4.3.2", "Service shutting down"),
        Farewell::TooManyConnections => {
            Reply::new(421, "4.7.0", "Too many connections, try again later")
        }
        Farewell::Fault => Reply::new(421, "4.3.0", "Service failed, closing connection"),
        Farewell::AccountRemoved => {
            Reply::new(421, "4.7.0", "The account was removed, closing connection")
        }
    }
}

/// The line that a host sends to a peer for which it has no session.
#[must_use]
pub fn farewell_line(reason: Farewell) -> Vec<u8> {
    let reply = farewell(reason);
    let enhanced = reply.enhanced.unwrap_or_default();
    let mut line = alloc::format!("{} {enhanced} ", reply.code).into_bytes();
    line.extend_from_slice(&reply.text);
    line.extend_from_slice(b"\r\n");
    line
}
