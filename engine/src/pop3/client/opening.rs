//! From the connection to an open maildrop: greeting, CAPA, STLS, UTF8 and LANG; then, after the login, CAPA and STAT.
//! The login itself is left to `login`.

use alloc::boxed::Box;

use super::listing::{Listing, Rows};
use super::reply::Status;
use super::types::{Capabilities, Cause, Event, Failure, Maildrop, Ready, TlsPolicy};
use super::{Client, Flow, State, offer, send, text_of};
use crate::role::{Cx, Line};
use crate::sasl::digest::is_challenge;
use crate::trace::Rule;

/// RFC 2449 §5.
pub(super) const CAPA: Rule = Rule {
    rfc: 2449,
    section: "5",
    gist: "CAPA lists what the server offers, before the login and, perhaps otherwise, after it.",
};
/// RFC 2595 §4.
pub(super) const START_TLS: Rule = Rule {
    rfc: 2595,
    section: "4",
    gist: "After the TLS handshake the client forgets what the server said before, and asks again.",
};
/// RFC 6856 §2.1.
pub(super) const UTF8: Rule = Rule {
    rfc: 6856,
    section: "2.1",
    gist: "UTF8 before the login lets the server send header fields in UTF-8; no STLS may follow it.",
};
/// RFC 6856 §3.1.
pub(super) const LANG: Rule =
    Rule { rfc: 6856, section: "3.1", gist: "LANG names the language of the server's words." };

/// When CAPA was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Before the login.
    First,
    /// After it.
    LoggedIn,
}

/// What is said before the login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Preparation {
    /// UTF8 was sent.
    Utf8,
    /// LANG was sent.
    Language,
}

impl Client {
    /// The server's first words.
    pub(super) fn greeted(mut self, cx: &mut Cx<Self>, status: Status<'_>) -> Self {
        match status {
            Status::Ok(text) => {
                self.common.timestamp = timestamp(text).map(<[u8]>::to_vec);
                self.ask_capabilities(cx, Stage::First)
            }
            Status::Err(text) => self.retire(cx, Failure::refused(Cause::Refused, text)),
            Status::Go(text) => self.malformed(cx, text),
        }
    }

    /// Says CAPA.
    pub(super) fn ask_capabilities(mut self, cx: &mut Cx<Self>, stage: Stage) -> Self {
        self.common.capabilities = Capabilities::default();
        send(cx, b"CAPA\r\n", &CAPA);
        cx.sync();
        self.go(cx, State::Capabilities(stage, None))
    }

    pub(super) fn capabilities_begin(
        mut self,
        cx: &mut Cx<Self>,
        stage: Stage,
        status: Status<'_>,
    ) -> Self {
        match status {
            Status::Ok(_) => {
                self.common.has_capa = true;
                let listing = Listing::capabilities();
                self.go(cx, State::Capabilities(stage, Some(Box::new(listing))))
            }
            Status::Err(_) => {
                self.common.capabilities = Capabilities::of_old();
                self.known(cx, stage)
            }
            Status::Go(text) => self.malformed(cx, text),
        }
    }

    /// A line of the list that CAPA gives before the calls begin.
    pub(super) fn capability_line(
        mut self,
        cx: &mut Cx<Self>,
        stage: Stage,
        mut listing: Box<Listing>,
        line: &Line,
    ) -> Self {
        match listing.take(cx, line) {
            Err(failure) => self.lost(cx, failure),
            Ok(false) => self.go(cx, State::Capabilities(stage, Some(listing))),
            Ok(true) => {
                if let Rows::Capabilities(capabilities) = listing.rows {
                    self.common.capabilities = *capabilities;
                }
                self.known(cx, stage)
            }
        }
    }

    /// The server has said what it offers.
    fn known(self, cx: &mut Cx<Self>, stage: Stage) -> Self {
        if stage == Stage::LoggedIn {
            return self.open(cx);
        }
        let secured = self.common.tls.is_some();
        match self.common.config.tls {
            TlsPolicy::Opportunistic | TlsPolicy::Required
                if self.common.capabilities.stls && !secured =>
            {
                send(cx, b"STLS\r\n", &START_TLS);
                cx.sync();
                self.go(cx, State::StartingTls)
            }
            TlsPolicy::Required if !secured => {
                let text = "TLS is required, and the server does not offer it";
                self.retire(cx, Failure::ours(Cause::Tls, text))
            }
            _ => self.prepare(cx, None),
        }
    }

    pub(super) fn tls_answered(self, cx: &mut Cx<Self>, status: Status<'_>) -> Self {
        match status {
            Status::Ok(_) => {
                cx.start_tls();
                self.go(cx, State::Securing)
            }
            Status::Err(text) if self.common.config.tls == TlsPolicy::Required => {
                self.retire(cx, Failure::refused(Cause::Tls, text))
            }
            // RFC 7435 §3: what cannot be had is done without.
            Status::Err(_) => self.prepare(cx, None),
            Status::Go(text) => self.malformed(cx, text),
        }
    }

    /// Says what is to be said before the login and was not said yet.
    fn prepare(self, cx: &mut Cx<Self>, after: Option<Preparation>) -> Self {
        let (config, offered) = (&self.common.config, &self.common.capabilities);
        if after.is_none() && config.utf8 && offered.utf8 {
            send(cx, b"UTF8\r\n", &UTF8);
            cx.sync();
            return self.go(cx, State::Preparing(Preparation::Utf8));
        }
        let language = &config.language;
        let wanted = !language.is_empty() && is_tag(language) && offered.lang;
        if after != Some(Preparation::Language) && wanted {
            send(cx, &[b"LANG ", &language[..], b"\r\n"].concat(), &LANG);
            cx.sync();
            return self.go(cx, State::Preparing(Preparation::Language));
        }
        self.log_in(cx)
    }

    /// UTF8 or LANG was answered. Neither is needed: a server that refuses one says all else as before.
    pub(super) fn prepared(
        self,
        cx: &mut Cx<Self>,
        preparation: Preparation,
        status: Status<'_>,
    ) -> Self {
        match status {
            Status::Ok(_) | Status::Err(_) => self.prepare(cx, Some(preparation)),
            Status::Go(text) => self.malformed(cx, text),
        }
    }

    /// The login is done.
    pub(super) fn logged_in(self, cx: &mut Cx<Self>) -> Self {
        if self.common.has_capa {
            self.ask_capabilities(cx, Stage::LoggedIn)
        } else {
            self.open(cx)
        }
    }

    fn open(self, cx: &mut Cx<Self>) -> Self {
        send(cx, b"STAT\r\n", &super::calls::TRANSACTION);
        cx.sync();
        self.go(cx, State::Opening)
    }

    pub(super) fn opened(mut self, cx: &mut Cx<Self>, status: Status<'_>) -> Self {
        if let Status::Err(text) = status {
            return self.retire(cx, Failure::refused(Cause::Refused, text));
        }
        let text = text_of(&status);
        let Some(maildrop) = maildrop(text) else { return self.malformed(cx, text) };
        self.common.maildrop = maildrop;
        let capabilities = self.common.capabilities.clone();
        cx.event(Event::Ready(Ready { capabilities, maildrop }));
        let client = self.go(cx, State::Open(Flow::Status));
        client.pump(cx)
    }
}

/// `"+OK" SP count SP octets`; some servers say more behind it.
pub(super) fn maildrop(text: &[u8]) -> Option<Maildrop> {
    let mut words = text.split(|octet| *octet == b' ').filter(|word| !word.is_empty());
    let count = u32::try_from(offer::number64(words.next()?)?).ok()?;
    Some(Maildrop { count, octets: offer::number64(words.next()?)? })
}

/// RFC 6856 §3.1: a language tag, or `*`.
pub(super) fn is_tag(tag: &[u8]) -> bool {
    let letters = |octet: &u8| octet.is_ascii_alphanumeric() || *octet == b'-';
    tag == b"*" || ((1..=64).contains(&tag.len()) && tag.iter().all(letters))
}

/// RFC 1939 §7 timestamp: `"<" local-part "@" domain ">"`, printable.
fn timestamp(greeting: &[u8]) -> Option<&[u8]> {
    let start = greeting.iter().position(|octet| *octet == b'<')?;
    let length = greeting[start..].iter().position(|octet| *octet == b'>')?;
    Some(&greeting[start..=start + length]).filter(|found| is_challenge(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_message_id_is_a_timestamp() {
        let right = b"POP3 server ready <1896.697170952@dbc.mtview.ca.us> x";
        assert_eq!(timestamp(right), Some(&b"<1896.697170952@dbc.mtview.ca.us>"[..]));
        let wrong: [&[u8]; 8] =
            [b"ready", b"<a>", b"<a@b@c>", b"<@b>", b"<a@>", b"<a\x80@b>", b"<a @b>", b"<<a@b>"];
        for wrong in wrong {
            assert_eq!(timestamp(wrong), None, "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn a_maildrop_is_two_numbers() {
        assert_eq!(maildrop(b"2 320"), Some(Maildrop { count: 2, octets: 320 }));
        assert_eq!(maildrop(b" 0  0 messages"), Some(Maildrop { count: 0, octets: 0 }));
        for wrong in [&b""[..], b"2", b"x 1", b"4294967296 1", b"-1 0"] {
            assert_eq!(maildrop(wrong), None);
        }
    }
}
