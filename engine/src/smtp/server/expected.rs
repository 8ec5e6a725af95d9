//! What the client may say now. The flow refuses all else as out of order; a test holds the two together.

use alloc::vec::Vec;

use super::Server;
use super::state::State;
use crate::expected::{Expected, offer};
use crate::smtp::expected::COMMANDS;
use crate::smtp::types::{Body, Service};

impl Server {
    /// What the client may say now, in the order of a conversation. Nothing while the session waits for its host.
    #[must_use]
    pub fn expected(&self) -> Vec<Expected> {
        let words = |wanted: &'static [&'static str]| {
            offer(COMMANDS.iter().filter(move |form| wanted.contains(&form.word)), "")
        };
        match &self.state {
            State::Data(_) => words(&["text", "end of data"]),
            State::Authenticating(_) => words(&["response", "cancellation"]),
            state if state.takes_line() => {
                offer(COMMANDS.iter().filter(|form| self.may_come(form.word, state)), "")
            }
            _ => Vec::new(),
        }
    }

    /// Whether a command is in order.
    fn may_come(&self, word: &str, state: &State) -> bool {
        let common = &*self.common;
        let lmtp = common.config.service == Service::Lmtp;
        let greeted = matches!(state, State::Greeted);
        let logged_in = common.account.is_some();
        match word {
            "EHLO" | "HELO" => !lmtp,
            "LHLO" => lmtp,
            "MAIL" => match state {
                State::Greeted => !common.config.auth_required || logged_in,
                State::Chunking(content) => content.refused.is_some(),
                _ => false,
            },
            "RCPT" => matches!(state, State::MailGiven(_) | State::RcptGiven(_)),
            "DATA" => match state {
                State::RcptGiven(tx) => tx.from.body != Body::BinaryMime,
                _ => false,
            },
            "BDAT" => {
                let due = matches!(state, State::RcptGiven(_) | State::Chunking(_));
                due && common.offered().chunking
            }
            "RSET" | "NOOP" | "VRFY" | "EXPN" | "HELP" | "QUIT" => true,
            "AUTH" => {
                let terms = common.terms();
                let offered = terms.are_open() && terms.mechanisms().next().is_some();
                greeted && !logged_in && offered
            }
            "STARTTLS" => {
                let early = matches!(state, State::Connected | State::Greeted);
                early && !logged_in && self.offers_tls()
            }
            "ETRN" => greeted && common.offered().etrn,
            _ => false,
        }
    }
}
