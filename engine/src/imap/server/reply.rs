//! Status responses (RFC 9051 §7.1): the tagged end of a command, its response code, and what a
//! refusal becomes. Every text here is ours; a peer's octets never come back in one.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::Server;
use crate::limits::REFUSAL_TEXT_MAX;
use crate::role::Cx;
use crate::trace::Rule;
use crate::types::{Farewell, Reason, Refusal};

/// RFC 9051 §7.1.
pub(crate) const TAGGED: Rule = Rule {
    rfc: 9051,
    section: "7.1",
    gist: "A command ends with its tag and OK, NO or BAD; an untagged status only informs.",
};
/// RFC 5530 §3.
pub(crate) const CODES: Rule =
    Rule { rfc: 5530, section: "3", gist: "A response code tells programs why a command failed." };
/// RFC 9051 §7.1.5.
pub(crate) const BYE: Rule = Rule {
    rfc: 9051,
    section: "7.1.5",
    gist: "BYE announces that the server is about to close the connection.",
};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Ok,
    No,
    Bad,
}

impl Status {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::No => "NO",
            Self::Bad => "BAD",
        }
    }
}

/// The end of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: Status,
    /// Without its brackets.
    pub(crate) code: Option<Cow<'static, [u8]>>,
    pub(crate) text: Cow<'static, [u8]>,
    /// The rule that it follows, beside the one that every reply follows.
    why: Option<&'static Rule>,
}

impl Reply {
    const fn new(status: Status, code: Option<&'static str>, text: &'static str) -> Self {
        let code = match code {
            Some(code) => Some(Cow::Borrowed(code.as_bytes())),
            None => None,
        };
        Self { status, code, text: Cow::Borrowed(text.as_bytes()), why: None }
    }

    pub(crate) const fn ok(text: &'static str) -> Self {
        Self::new(Status::Ok, None, text)
    }

    pub(crate) const fn no(code: &'static str, text: &'static str) -> Self {
        Self::new(Status::No, Some(code), text)
    }

    pub(crate) const fn bad(text: &'static str) -> Self {
        Self::new(Status::Bad, None, text)
    }

    /// The host's own words, which it has made fit.
    pub(crate) fn instead(status: Status, text: Vec<u8>) -> Self {
        Self { status, code: None, text: Cow::Owned(text), why: None }
    }

    /// For the reader: the rule that made it so.
    pub(crate) const fn because(mut self, rule: &'static Rule) -> Self {
        self.why = Some(rule);
        self
    }

    pub(crate) fn with_code(mut self, code: impl Into<Cow<'static, [u8]>>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// What a refusal becomes, where a mailbox that is not there is simply not there.
    pub(crate) fn refused(refusal: Refusal) -> Self {
        let (code, text) = refused(refusal.reason);
        let mut reply = Self::no(code, text);
        if let Some(words) =
            refusal.text.as_deref().map(printable).filter(|words| !words.is_empty())
        {
            reply.text = Cow::Owned(words);
        }
        reply
    }

    /// RFC 9051 §6.3.12, §6.4.7: a missing target might be made by CREATE.
    pub(crate) fn refused_target(refusal: Refusal) -> Self {
        let missing = refusal.reason == Reason::NotFound;
        let reply = Self::refused(refusal);
        if missing { reply.with_code(&b"TRYCREATE"[..]) } else { reply }
    }

    pub(crate) fn send(&self, cx: &mut Cx<Server>, tag: &[u8]) {
        if tag.is_empty() {
            // RFC 9051 §7.1.3: what has no tag is answered without one.
            self.send_untagged(cx);
        } else {
            cx.send(tag, "tag", None);
            self.send_rest(cx);
        }
    }

    /// Says it as the end of the connection.
    pub(crate) fn send_bye(&self, cx: &mut Cx<Server>) {
        send_bye(cx, self.code.as_deref(), &self.text);
    }

    fn send_untagged(&self, cx: &mut Cx<Server>) {
        cx.send(b"*", "untagged", None);
        self.send_rest(cx);
    }

    fn send_rest(&self, cx: &mut Cx<Server>) {
        cx.send(b" ", "SP", None);
        cx.send(self.status.word().as_bytes(), "status", Some(&TAGGED));
        cx.send(b" ", "SP", None);
        if let Some(code) = &self.code {
            let rule = (self.status != Status::Ok).then_some(&CODES);
            cx.send(&[b"[", &code[..], b"]"].concat(), "resp-text-code", rule);
            cx.send(b" ", "SP", None);
        }
        cx.send(&self.text, "text", self.why);
        cx.send(b"\r\n", "CRLF", None);
    }
}

/// The response code and our words for each reason.
const fn refused(reason: Reason) -> (&'static str, &'static str) {
    match reason {
        Reason::BadCredentials => ("AUTHENTICATIONFAILED", "Name or password is wrong"),
        Reason::LoginThrottled => ("UNAVAILABLE", "Too many failed logins, try again later"),
        Reason::NotPermitted => ("NOPERM", "Not permitted"),
        Reason::NotFound => ("NONEXISTENT", "There is no such mailbox"),
        Reason::AlreadyExists => ("ALREADYEXISTS", "It exists already"),
        Reason::InUse => ("INUSE", "It is in use"),
        Reason::Policy => ("CANNOT", "A rule of this server forbids it"),
        Reason::OverQuota => ("OVERQUOTA", "The quota is used up"),
        Reason::TooLarge => ("TOOBIG", "The message is too large"),
        Reason::TooMany => ("LIMIT", "There are too many already"),
        Reason::StorageFull => ("UNAVAILABLE", "The disk is full, try again later"),
        Reason::StorageFailed => ("UNAVAILABLE", "The store failed, nothing was changed"),
        Reason::Overloaded => ("UNAVAILABLE", "Too busy now, try again later"),
        Reason::Unsupported => ("CANNOT", "This server cannot do that"),
        Reason::SpfFailed | Reason::DkimFailed | Reason::Unauthenticated => {
            ("CANNOT", "Its sender is not proven")
        }
        Reason::Unverifiable => ("UNAVAILABLE", "Its sender cannot be verified now"),
    }
}

/// A host's own words as `text`: no control can end the line, and no bracket can look like a code.
fn printable(words: &[u8]) -> Vec<u8> {
    let words = words.iter().map(|&o| if (b' '..=b'~').contains(&o) { o } else { b'?' });
    words.skip_while(|&o| o == b'[' || o == b' ').take(REFUSAL_TEXT_MAX).collect()
}

/// The words of BYE for a farewell.
pub(crate) const fn farewell_text(reason: Farewell) -> &'static str {
    match reason {
        Farewell::ShuttingDown => "This server stops, try again later",
        Farewell::TooManyConnections => "Too many connections, try again later",
        Farewell::Fault => "Something broke here, try again",
        Farewell::AccountRemoved => "The account was removed",
    }
}

/// Sends an untagged OK with a response code.
pub(crate) fn send_untagged_ok(cx: &mut Cx<Server>, code: &[u8], text: &'static str) {
    Reply::ok(text).with_code(code.to_vec()).send_untagged(cx);
}

/// Sends the greeting (RFC 9051 §7.1.1).
pub(crate) fn send_greeting(
    cx: &mut Cx<Server>,
    capabilities: &[u8],
    host_name: &[u8],
    preauth: Option<&'static Rule>,
) {
    let text = [&printable(host_name)[..], b" IMAP server ready"].concat();
    cx.send(b"*", "untagged", None);
    cx.send(b" ", "SP", None);
    cx.send(
        if preauth.is_some() { b"PREAUTH" } else { b"OK" },
        "status",
        preauth.or(Some(&TAGGED)),
    );
    cx.send(b" ", "SP", None);
    cx.send(&[b"[CAPABILITY ", capabilities, b"]"].concat(), "resp-text-code", None);
    cx.send(b" ", "SP", None);
    cx.send(&text, "text", None);
    cx.send(b"\r\n", "CRLF", None);
}

/// Sends BYE.
pub(crate) fn send_bye(cx: &mut Cx<Server>, code: Option<&[u8]>, text: &[u8]) {
    cx.send(b"*", "untagged", None);
    cx.send(b" ", "SP", None);
    cx.send(b"BYE", "status", Some(&BYE));
    cx.send(b" ", "SP", None);
    if let Some(code) = code {
        cx.send(&[b"[", code, b"]"].concat(), "resp-text-code", None);
        cx.send(b" ", "SP", None);
    }
    cx.send(text, "text", None);
    cx.send(b"\r\n", "CRLF", None);
}

/// The response code that goes with a farewell (RFC 5530 §3).
pub(crate) const fn farewell_code(reason: Farewell) -> &'static str {
    match reason {
        Farewell::ShuttingDown | Farewell::TooManyConnections => "UNAVAILABLE",
        Farewell::Fault => "SERVERBUG",
        // RFC 5530 §3: who wants to know why has to ask somebody.
        Farewell::AccountRemoved => "CONTACTADMIN",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_host_cannot_end_the_line_or_forge_a_code() {
        let refusal = Refusal { reason: Reason::Policy, text: Some(b"[ALERT] no\r\nx".to_vec()) };
        assert_eq!(&Reply::refused(refusal).text[..], b"ALERT] no??x");
        let refusal = Refusal { reason: Reason::Policy, text: Some(b"[ ".to_vec()) };
        assert_eq!(&Reply::refused(refusal).text[..], b"A rule of this server forbids it");
    }

    #[test]
    fn only_a_missing_target_may_be_created() {
        let code = |reason| Reply::refused_target(Refusal::new(reason)).code;
        assert_eq!(code(Reason::NotFound).as_deref(), Some(&b"TRYCREATE"[..]));
        assert_eq!(code(Reason::OverQuota).as_deref(), Some(&b"OVERQUOTA"[..]));
    }
}
