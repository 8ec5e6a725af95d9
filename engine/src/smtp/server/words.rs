//! Words in place of the server's own, such as those of a textbook: the codes stay what they are, only the text differs.

use alloc::vec::Vec;

use super::reply::Reply;
use super::{Common, Server};
use crate::smtp::grammar::print_mailbox;
use crate::smtp::types::Mailbox;
use crate::types::Persona;

/// What a server says when all is well. `{host}` stands for its name, `{it}` for what the reply is about: the client's
/// name, the sender, the recipient, the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words {
    /// After 220.
    pub greeting: &'static str,
    /// After 250, to HELO.
    pub hello: &'static str,
    /// After 250, to MAIL.
    pub sender: &'static str,
    /// After 250, to RCPT.
    pub recipient: &'static str,
    /// After 354.
    pub data: &'static str,
    /// After 250, once a message is taken.
    pub accepted: &'static str,
    /// After 221.
    pub quit: &'static str,
}

impl Words {
    /// The lecture's dialogue between crepes.fr and hamburger.edu.
    pub const TEXTBOOK: Self = Self {
        greeting: "{host}",
        hello: "Hello {it}, pleased to meet you",
        sender: "{it} ... Sender ok",
        recipient: "{it} ... Recipient ok",
        data: "Enter mail, end with \".\" on a line by itself",
        accepted: "Message accepted for delivery",
        quit: "{host} closing connection",
    };

    /// Those of a persona; none: the server's own.
    pub(super) const fn of(persona: Persona) -> Option<&'static Self> {
        match persona {
            Persona::Strict => None,
            Persona::Textbook => Some(&Self::TEXTBOOK),
        }
    }
}

impl Server {
    /// A reply in the words that it has to have; `it` is what it is about.
    pub(super) fn worded(
        &self,
        reply: Reply,
        which: fn(&Words) -> &'static str,
        it: impl FnOnce() -> Vec<u8>,
    ) -> Reply {
        let Common { config, .. } = &*self.common;
        match Words::of(config.persona) {
            None => reply,
            Some(words) => {
                let text = filled(which(words), &config.host_name, &it());
                Reply { text: text.into(), ..reply }
            }
        }
    }
}

/// An address as replies have it.
pub(super) fn address(mailbox: &Mailbox) -> Vec<u8> {
    print_mailbox(mailbox)
}

fn filled(text: &str, host: &[u8], it: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at..];
        let (value, length) = match () {
            () if rest.starts_with("{host}") => (host, "{host}".len()),
            () if rest.starts_with("{it}") => (it, "{it}".len()),
            () => (&b"{"[..], 1),
        };
        out.extend_from_slice(value);
        rest = &rest[length..];
    }
    out.extend_from_slice(rest.as_bytes());
    out
}
