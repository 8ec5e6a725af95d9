//! What the client may say now. The flow refuses all else as out of order; a test holds the two together.

use alloc::vec::Vec;

use super::{Server, State};
use crate::expected::{Expected, offer};
use crate::pop3::expected::COMMANDS;
use crate::types::TlsOffer;

impl Server {
    /// What the client may say now, in the order of a conversation. Nothing while the session waits for its host.
    #[must_use]
    pub fn expected(&self) -> Vec<Expected> {
        let wanted = |word: &str| match &self.state {
            // What this server does not know it is not told.
            State::Authorization(_) | State::Transaction(_) if !self.common.has(word) => false,
            State::Authenticating(_) => matches!(word, "response" | "cancellation"),
            State::Authorization(user) => match word {
                "USER" => self.offers_passwords(),
                "PASS" => self.offers_passwords() && user.is_some(),
                "APOP" => self.common.config.apop_timestamp.is_some(),
                "AUTH" => self.common.terms().mechanisms().next().is_some(),
                "STLS" => self.common.config.tls == TlsOffer::Upgrade && !self.common.is_secured(),
                "CAPA" | "QUIT" => true,
                _ => false,
            },
            State::Transaction(maildrop) => match word {
                "RETR" | "TOP" | "DELE" => maildrop.count() > 0,
                "CAPA" | "STAT" | "LIST" | "UIDL" | "RSET" | "NOOP" | "QUIT" => true,
                _ => false,
            },
            _ => false,
        };
        offer(COMMANDS.iter().filter(|form| wanted(form.word)), "")
    }
}
