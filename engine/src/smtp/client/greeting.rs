//! From the connection to a server that is known: greeting, EHLO or what replaces it, and STARTTLS.

use super::command::send;
use super::fates::Loss;
use super::offer::Offered;
use super::reply::Kind;
use super::types::{Event, Reply, TlsPolicy};
use super::{Client, State};
use crate::role::{Cx, Line};
use crate::smtp::types::Service;
use crate::trace::Rule;

/// RFC 5321 §3.1.
pub(super) const GREETING: Rule = Rule {
    rfc: 5321,
    section: "3.1",
    gist: "The server speaks first: 220, or 554 if it serves nobody.",
};
/// RFC 5321 §4.1.1.1.
pub(super) const HELLO: Rule = Rule {
    rfc: 5321,
    section: "4.1.1.1",
    gist: "The client says EHLO and its name; a server too old for that is greeted with HELO and offers nothing.",
};
/// RFC 3207 §4.2.
pub(super) const START_TLS: Rule = Rule {
    rfc: 3207,
    section: "4.2",
    gist: "After the TLS handshake both sides forget all that was said before, and the client says EHLO again.",
};

/// How the server was greeted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hello {
    /// EHLO, or LHLO (RFC 2033 §4.1).
    Extended,
    /// HELO.
    Plain,
}

impl Client {
    /// The server's first words.
    pub(super) fn greeted(mut self, cx: &mut Cx<Self>, reply: Reply) -> Self {
        if reply.kind() != Kind::Yes {
            // Another server of the domain may take the mail, so even 554 fails nobody for good.
            let loss = Loss::new("4.3.2", "The server does not serve").because(reply);
            return self.retire(cx, &loss);
        }
        let first = reply.lines.first().map_or(&b""[..], |line| &line[..]);
        let name = first.split(|octet| *octet == b' ').next().unwrap_or_default();
        self.common.offered.told.name = name.to_vec();
        self.greet(cx)
    }

    /// Says EHLO or LHLO.
    pub(super) fn greet(mut self, cx: &mut Cx<Self>) -> Self {
        let name = core::mem::take(&mut self.common.offered.told.name);
        self.common.offered = Offered::nothing(name);
        let lmtp = self.common.config.service == Service::Lmtp;
        self.say_hello(cx, if lmtp { b"LHLO" } else { b"EHLO" });
        self.go(cx, State::Hello(Hello::Extended))
    }

    fn say_hello(&self, cx: &mut Cx<Self>, verb: &[u8]) {
        let line = [verb, b" ", &self.common.config.host_name, b"\r\n"].concat();
        send(cx, &line, Some(&HELLO));
        cx.sync();
    }

    /// A line of the reply to EHLO: all but the first name what is offered.
    pub(super) fn hello_line(&mut self, line: &Line, first: bool) {
        if matches!(self.state, State::Hello(Hello::Extended)) && !first {
            self.common.offered.line(line.octets.get(4..).unwrap_or_default());
        }
    }

    pub(super) fn hello_answered(mut self, cx: &mut Cx<Self>, hello: Hello, reply: Reply) -> Self {
        let lmtp = self.common.config.service == Service::Lmtp;
        match (reply.kind(), hello) {
            // RFC 5321 §4.1.1.1: 250 and nothing else; a second greeting is not taken for it.
            (Kind::Yes, _) if reply.code == 250 => self.known(cx),
            (Kind::Yes | Kind::More, _) => self.out_of_step(cx, reply),
            // RFC 5321 §3.2: the server may know HELO only.
            (Kind::No, Hello::Extended) if !lmtp => {
                let name = core::mem::take(&mut self.common.offered.told.name);
                self.common.offered = Offered::nothing(name);
                self.say_hello(cx, b"HELO");
                self.go(cx, State::Hello(Hello::Plain))
            }
            _ => {
                let loss = Loss::new("4.3.2", "The server refused our greeting").because(reply);
                self.retire(cx, &loss)
            }
        }
    }

    /// The server has said what it offers.
    fn known(self, cx: &mut Cx<Self>) -> Self {
        let offers = self.common.offered.told.start_tls;
        match self.common.config.tls {
            TlsPolicy::Opportunistic | TlsPolicy::Required
                if offers && !self.common.is_secured() =>
            {
                send(cx, b"STARTTLS\r\n", Some(&START_TLS));
                cx.sync();
                self.go(cx, State::StartingTls)
            }
            TlsPolicy::Required if !self.common.is_secured() => {
                let loss = Loss::new("4.7.10", "TLS is required, and the server does not offer it");
                self.retire(cx, &loss)
            }
            _ => self.before_mail(cx),
        }
    }

    pub(super) fn tls_answered(mut self, cx: &mut Cx<Self>, reply: Reply) -> Self {
        if reply.code == 220 {
            cx.start_tls();
            return self.go(cx, State::Securing);
        }
        if matches!(reply.kind(), Kind::Yes | Kind::More) {
            return self.out_of_step(cx, reply);
        }
        if self.common.config.tls == TlsPolicy::Required {
            let loss = Loss::new("4.7.10", "TLS is required, and the server refused it");
            return self.retire(cx, &loss.because(reply));
        }
        // RFC 7435 §3: what cannot be had is done without.
        self.common.offered.told.start_tls = false;
        self.before_mail(cx)
    }

    /// The server is known, and TLS is as it should be.
    fn before_mail(self, cx: &mut Cx<Self>) -> Self {
        let idle = self.common.quitting && self.common.waiting.is_empty();
        if self.common.config.login && !idle { self.log_in(cx) } else { self.ready(cx) }
    }

    /// All that comes before mail is done.
    pub(super) fn ready(self, cx: &mut Cx<Self>) -> Self {
        cx.event(Event::Ready(self.common.offered.told.clone()));
        self.next(cx)
    }
}
