//! Words in place of the server's own, such as those of a textbook: only the text behind `+OK` differs.

use super::Server;
use crate::pop3::types::Config;
use crate::session::Session;
use crate::types::Now;

/// What a server says behind `+OK`; nothing where it is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words {
    /// In its greeting; a timestamp (RFC 1939 §7) follows where there is one.
    pub greeting: &'static str,
    /// To USER.
    pub user: &'static str,
    /// To PASS and to every other login that succeeds.
    pub opened: &'static str,
}

impl Words {
    /// The lecture's dialogue.
    pub const TEXTBOOK: Self =
        Self { greeting: "POP3 server ready", user: "", opened: "user successfully logged on" };
}

impl Session<Server> {
    /// A session of a server that says these words.
    #[must_use]
    pub fn in_words(config: Config, words: &'static Words, now: Now) -> Self {
        Self::begin(now, |cx| Server::start_with(config, Some(words), cx))
    }
}
