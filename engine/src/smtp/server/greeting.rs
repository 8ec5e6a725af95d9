//! Who is there, and what can be done here: EHLO, HELO, LHLO, and STARTTLS, after which all that was said is forgotten.

use alloc::format;
use alloc::vec::Vec;

use super::commands::ORDER;
use super::reply::Reply;
use super::{Server, State};
use crate::role::Cx;
use crate::smtp::types::Event;
use crate::trace::Rule;
use crate::types::TlsOffer;

/// RFC 5321 §4.1.1.1.
pub(super) const GREETING: Rule = Rule {
    rfc: 5321,
    section: "4.1.1.1",
    gist: "The client says who it is; the server lists, one a line, what it can do beyond the basics.",
};
/// RFC 3207 §4.2.
pub(super) const INJECTION: Rule = Rule {
    rfc: 3207,
    section: "4.2",
    gist: "What came before TLS may not count after it: octets behind STARTTLS are thrown away unread.",
};

impl Server {
    /// EHLO, HELO and LHLO; RFC 5321 §4.1.4: in a transaction they also reset it.
    pub(super) fn greet(
        mut self,
        cx: &mut Cx<Self>,
        name: Vec<u8>,
        esmtp: bool,
        before: State,
    ) -> Self {
        self.state = before;
        if self.is_tired() {
            return self.end_tired(cx);
        }
        self.drop_transaction(cx);
        self.common.alone = true;
        let config = &self.common.config;
        let hello = [&config.host_name[..], b" Hello ", &name, b", pleased to meet you"].concat();
        let keywords = if esmtp { self.keywords() } else { Vec::new() };
        let mut lines: Vec<&[u8]> = alloc::vec![&hello];
        lines.extend(keywords.iter().map(|keyword| &keyword[..]));
        for (at, line) in lines.iter().enumerate() {
            let separator = if at + 1 < lines.len() { '-' } else { ' ' };
            cx.send(format!("250{separator}").as_bytes(), "reply code", Some(&GREETING));
            cx.send(line, if at == 0 { "greeting" } else { "ehlo keyword" }, None);
            cx.send(b"\r\n", "CRLF", None);
        }
        cx.event(Event::Greeted(name.clone()));
        self.common.helo = Some(name);
        self.common.esmtp = esmtp;
        self.go(cx, State::Greeted)
    }

    /// What EHLO lists.
    fn keywords(&self) -> Vec<Vec<u8>> {
        let config = &self.common.config;
        let offered = config.extensions;
        let mut keywords: Vec<Vec<u8>> = Vec::new();
        let mut list = |on: bool, keyword: &str| {
            if on {
                keywords.push(keyword.as_bytes().to_vec());
            }
        };
        list(offered.pipelining, "PIPELINING");
        list(offered.size, &format!("SIZE {}", config.limits.message_max));
        list(offered.eight_bit_mime, "8BITMIME");
        list(offered.smtputf8, "SMTPUTF8");
        list(offered.chunking, "CHUNKING");
        list(offered.chunking && offered.binary_mime, "BINARYMIME");
        list(offered.dsn, "DSN");
        list(offered.enhanced_status_codes, "ENHANCEDSTATUSCODES");
        list(config.tls == TlsOffer::Upgrade && self.common.tls.is_none(), "STARTTLS");
        let mut auth = alloc::string::String::from("AUTH");
        for mechanism in self.common.terms().mechanisms() {
            auth.push(' ');
            auth.push_str(mechanism.name());
        }
        list(auth.len() > "AUTH".len(), &auth);
        list(true, "HELP");
        keywords.retain(|keyword| !self.is_hidden(keyword));
        keywords
    }

    /// Whether the host wants a keyword not to be listed.
    fn is_hidden(&self, keyword: &[u8]) -> bool {
        let word = keyword.split(|&octet| octet == b' ').next().unwrap_or_default();
        self.common.hidden.iter().any(|hidden| hidden.eq_ignore_ascii_case(word))
    }

    /// RFC 3207.
    pub(super) fn start_tls(self, cx: &mut Cx<Self>, state: State) -> Self {
        if self.common.config.tls != TlsOffer::Upgrade || self.common.tls.is_some() {
            let reply = Reply::new(503, "5.5.1", "STARTTLS is not offered");
            return self.mistake(cx, &reply, &ORDER, state);
        }
        if !matches!(state, State::Connected | State::Greeted) || self.common.account.is_some() {
            let reply = Reply::new(503, "5.5.1", "STARTTLS stands before mail and login");
            return self.mistake(cx, &reply, &ORDER, state);
        }
        if cx.waiting() > 0 {
            cx.note_defect(&INJECTION);
            cx.event(Event::Defect(INJECTION.gist.as_bytes().to_vec()));
        }
        self.say(cx, 220, "2.0.0", "Ready to start TLS");
        cx.start_tls();
        self.go(cx, State::Securing)
    }
}
