//! Who is there, and what can be done here: EHLO, HELO, LHLO, and STARTTLS, after which all that was said is forgotten.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::commands::{NO_TLS, ORDER};
use super::reply::Reply;
use super::{Common, Server, State};
use crate::role::Cx;
use crate::smtp::grammar::XCLIENT_NAMES;
use crate::smtp::types::Event;
use crate::text::date;
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
        // RFC 5321 §4.1.1.1: the reply to EHLO begins with the server's name; the book's, to HELO, does not.
        let hello = if esmtp {
            hello.into()
        } else {
            self.worded(Reply::plain(250, hello), |words| words.hello, || name.clone()).text
        };
        let keywords = if esmtp { self.keywords(cx.now.unix_ms) } else { Vec::new() };
        let mut lines: Vec<&[u8]> = alloc::vec![&hello];
        lines.extend(keywords.iter().map(|keyword| &keyword[..]));
        for (at, line) in lines.iter().enumerate() {
            let separator = if at + 1 < lines.len() { '-' } else { ' ' };
            cx.send(format!("250{separator}").as_bytes(), "reply code", Some(&GREETING));
            cx.send(line, if at == 0 { "greeting" } else { "ehlo keyword" }, None);
            cx.send(b"\r\n", "CRLF", None);
        }
        cx.event(Event::Greeted(name.clone()));
        let client = self.common.client.as_ref();
        let helo = client.and_then(|client| client.helo.clone());
        self.common.helo = Some(helo.unwrap_or(name));
        self.common.esmtp = esmtp;
        self.go(cx, State::Greeted)
    }

    /// What EHLO lists.
    fn keywords(&self, unix_ms: u64) -> Vec<Vec<u8>> {
        let config = &self.common.config;
        let offered = self.common.offered();
        let limits = &config.limits;
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
        list(offered.require_tls, "REQUIRETLS");
        list(offered.deliver_by, &format!("DELIVERBY {}", limits.deliver_by_min_s));
        let latest = date::timestamp(unix_ms.saturating_add(u64::from(limits.hold_max_s) * 1000));
        let future_release = format!("FUTURERELEASE {} {latest}", limits.hold_max_s);
        list(offered.future_release, &future_release);
        list(offered.mt_priority, "MT-PRIORITY");
        let messages = match limits.messages_max {
            0 => String::new(),
            max => format!(" MAILMAX={max}"),
        };
        list(offered.limits, &format!("LIMITS RCPTMAX={}{messages}", limits.recipients_max));
        // RFC 5321 §3.5.2: who supports it lists it; VRFY is known to be there.
        list(self.common.config.verify, "EXPN");
        list(offered.etrn, "ETRN");
        list(offered.xclient, &format!("XCLIENT {XCLIENT_NAMES}"));
        list(offered.enhanced_status_codes, "ENHANCEDSTATUSCODES");
        list(self.offers_tls(), "STARTTLS");
        let mut auth = String::from("AUTH");
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

    /// Not after XCLIENT: TLS would end what it told, of which the host cannot unlearn everything.
    pub(super) fn offers_tls(&self) -> bool {
        let Common { config, tls, client, .. } = &*self.common;
        config.tls == TlsOffer::Upgrade && tls.is_none() && client.is_none()
    }

    /// RFC 3207.
    pub(super) fn start_tls(self, cx: &mut Cx<Self>, state: State) -> Self {
        if self.common.tls.is_some() {
            let reply = Reply::new(503, "5.5.1", "TLS is here already");
            return self.mistake(cx, &reply, &ORDER, state);
        }
        if !self.offers_tls() {
            let reply = Reply::new(502, "5.5.1", "STARTTLS is not offered");
            return self.mistake(cx, &reply, &NO_TLS, state);
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
