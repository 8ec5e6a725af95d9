//! From the connection to a session that takes calls: greeting, CAPABILITY, STARTTLS; then, after the login, what the
//! server offers now, ID and ENABLE. The login itself is left to `login`.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::calls::Sent;
use super::line::Line;
use super::program::is_keyword;
use super::scan::Scan;
use super::status::{Code, Status, Word};
use super::types::{Cause, Event, Failure, Ready, TlsPolicy};
use super::{Client, State};
use crate::role::Cx;
use crate::trace::Rule;

/// RFC 9051 §6.1.1.
pub(super) const CAPABILITY: Rule = Rule {
    rfc: 9051,
    section: "6.1.1",
    gist: "CAPABILITY lists what the server offers, before the login and, perhaps otherwise, after it.",
};
/// RFC 9051 §6.2.1.
pub(super) const START_TLS: Rule = Rule {
    rfc: 9051,
    section: "6.2.1",
    gist: "After the TLS handshake the client forgets what the server said before, and asks again.",
};
/// RFC 9051 §7.1.4.
pub(super) const PREAUTH: Rule = Rule {
    rfc: 9051,
    section: "7.1.4",
    gist: "A server that lets the client in with its greeting leaves no way to start TLS.",
};
/// RFC 9051 §6.3.1.
pub(super) const ENABLE: Rule = Rule {
    rfc: 9051,
    section: "6.3.1",
    gist: "What changes what the server may send is enabled first, and the server says what of it is on.",
};
/// RFC 2971 §3.1.
pub(super) const ID: Rule = Rule {
    rfc: 2971,
    section: "3.1",
    gist: "Client and server may tell each other what they are; neither may act on it.",
};

/// A command of the session's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// CAPABILITY, before the login.
    Capability,
    /// STARTTLS.
    StartTls,
    /// CAPABILITY, after it.
    CapabilityLoggedIn,
    /// ID.
    Id,
    /// ENABLE.
    Enable,
}

impl Client {
    /// The server's first words.
    pub(super) fn greeted(mut self, cx: &mut Cx<Self>, status: Status) -> Self {
        match status.word {
            Word::Ok => {
                self.learn(cx, &status.code);
                if self.common.offered.is_some() {
                    self.known(cx)
                } else {
                    self.ask(cx, Asked::Capability)
                }
            }
            Word::Preauth => {
                let config = &self.common.config;
                if config.tls == TlsPolicy::Required && self.common.tls.is_none() {
                    cx.note_defect(&PREAUTH);
                    let text = "TLS is required, and the server leaves no way to it";
                    return self.retire(cx, Failure::ours(Cause::Tls, text));
                }
                self.common.preauth = true;
                self.learn(cx, &status.code);
                self.logged_in(cx)
            }
            Word::Bye => self.lost(cx, Failure::of(Cause::Bye, status)),
            Word::No | Word::Bad => self.malformed(cx),
        }
    }

    /// Sends a command of our own.
    pub(super) fn ask(mut self, cx: &mut Cx<Self>, asked: Asked) -> Self {
        let (line, why) = match asked {
            Asked::Capability | Asked::CapabilityLoggedIn => (Line::new("CAPABILITY"), &CAPABILITY),
            Asked::StartTls => (Line::new("STARTTLS"), &START_TLS),
            Asked::Id => (self.id(), &ID),
            Asked::Enable => (self.enable(), &ENABLE),
        };
        let tag = self.send_line(cx, line, why);
        self.common.sent.push_back(Sent::own(tag));
        self.go(cx, State::Asking(asked))
    }

    /// A command of our own is answered.
    pub(super) fn asked_answered(self, cx: &mut Cx<Self>, asked: Asked, status: Status) -> Self {
        match (asked, status.word) {
            (Asked::Capability, Word::Ok) if self.common.offered.is_some() => self.known(cx),
            (Asked::Capability, _) => {
                let failure = Failure::of(Cause::Unsupported, status);
                self.retire(cx, failure)
            }
            (Asked::StartTls, Word::Ok) => {
                cx.start_tls();
                self.go(cx, State::Securing)
            }
            (Asked::StartTls, _) if self.common.config.tls == TlsPolicy::Required => {
                self.retire(cx, Failure::of(Cause::Tls, status))
            }
            // RFC 7435 §3: what cannot be had is done without.
            (Asked::StartTls, _) => self.log_in(cx),
            (Asked::CapabilityLoggedIn, _) => self.after_login(cx, None),
            // Neither is needed: a server that refuses one does all else as before.
            (Asked::Id | Asked::Enable, _) => self.after_login(cx, Some(asked)),
        }
    }

    /// The server has said what it offers.
    fn known(self, cx: &mut Cx<Self>) -> Self {
        let secured = self.common.tls.is_some();
        if !self.common.offered().is_known() {
            let text = "The server speaks no version of IMAP that we speak";
            return self.retire(cx, Failure::ours(Cause::Unsupported, text));
        }
        match self.common.config.tls {
            TlsPolicy::Opportunistic | TlsPolicy::Required
                if !secured && self.common.has("STARTTLS") =>
            {
                self.ask(cx, Asked::StartTls)
            }
            TlsPolicy::Required if !secured => {
                let text = "TLS is required, and the server does not offer it";
                self.retire(cx, Failure::ours(Cause::Tls, text))
            }
            _ => self.log_in(cx),
        }
    }

    /// The login is done, or none was needed.
    pub(super) fn logged_in(self, cx: &mut Cx<Self>) -> Self {
        if self.common.offered.is_some() {
            self.after_login(cx, None)
        } else {
            self.ask(cx, Asked::CapabilityLoggedIn)
        }
    }

    /// Says what is to be said before the calls and was not said yet.
    fn after_login(mut self, cx: &mut Cx<Self>, after: Option<Asked>) -> Self {
        let id = !self.common.config.id.is_empty() && self.common.has("ID");
        if after.is_none() && id {
            return self.ask(cx, Asked::Id);
        }
        if after != Some(Asked::Enable) && !self.enabling().is_empty() {
            return self.ask(cx, Asked::Enable);
        }
        let common = &mut self.common;
        // RFC 9051 §6.3.1: a server of both versions speaks the older one until it is told otherwise.
        let rev2 = common.has_enabled("IMAP4REV2") || !common.has("IMAP4REV1");
        let utf8 = rev2 || common.has_enabled("UTF8=ACCEPT");
        if let Some(offered) = &mut common.offered {
            (offered.utf8, offered.rev2) = (utf8, rev2);
        }
        cx.event(Event::Ready(Ready {
            capabilities: common.offered().names.clone(),
            enabled: common.enabled.clone(),
            server: common.server.clone(),
            preauth: common.preauth,
        }));
        let client = self.go(cx, State::Open);
        client.pump(cx)
    }

    fn id(&self) -> Line {
        let mut line = Line::new("ID (");
        // RFC 2971 §3.3: thirty fields at most, with names of thirty octets and values of 1,024.
        let fields = self.common.config.id.iter().filter(|field| field.name.len() <= 30);
        for (at, field) in fields.take(30).enumerate() {
            line.text(if at > 0 { b" " } else { b"" });
            line.string(&field.name, false);
            line.text(b" ");
            match field.value.as_ref().filter(|value| value.len() <= 1024) {
                Some(value) => line.string(value, false),
                None => line.text(b"NIL"),
            }
        }
        line.text(b")");
        line
    }

    /// What is wanted and offered.
    fn enabling(&self) -> Vec<Vec<u8>> {
        if !self.common.has("ENABLE") {
            return Vec::new();
        }
        let wanted = self.common.config.enable.iter().map(|name| name.to_ascii_uppercase());
        // RFC 6855 §3: a server that accepts UTF-8 or demands it lists one of the two, and takes ENABLE UTF8=ACCEPT.
        let offered = |name: &Vec<u8>| {
            let name = core::str::from_utf8(name).unwrap_or_default();
            self.common.has(name) || (name == "UTF8=ACCEPT" && self.common.has("UTF8=ONLY"))
        };
        wanted.filter(|name| is_keyword(name) && offered(name)).collect()
    }

    fn enable(&self) -> Line {
        let mut line = Line::new("ENABLE");
        for name in self.enabling() {
            line.text(b" ");
            line.text(&name);
        }
        line
    }

    /// What a response code tells in every state.
    pub(super) fn learn(&mut self, cx: &mut Cx<Self>, code: &Code) {
        if code.name != b"CAPABILITY" {
            return;
        }
        self.learn_capabilities(cx, &mut Scan::new(&code.arguments));
    }

    pub(super) fn learn_capabilities(&mut self, cx: &mut Cx<Self>, scan: &mut Scan<'_>) {
        self.common.offered.get_or_insert_default().take(scan);
        if let State::Open = self.state {
            cx.event(Event::Capabilities(self.common.offered().names.clone()));
        }
    }

    /// Puts a login back.
    pub(super) fn keep_login(&mut self, login: super::Login) {
        self.state = State::LoggingIn(Box::new(login));
    }
}
