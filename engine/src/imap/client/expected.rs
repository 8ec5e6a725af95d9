//! What the server may say now. The flow takes all else for a server that is out of step; a test holds the two together.

use alloc::format;
use alloc::vec::Vec;

use super::{Client, State};
use crate::expected::{Expected, offer};
use crate::imap::expected::RESPONSES;

impl Client {
    /// What the server may say now; what ends a command names the one whose end is due first.
    #[must_use]
    pub fn expected(&self) -> Vec<Expected> {
        let tag = self.common.sent.front().map(|sent| sent.tag);
        let due = |word: &str| match (&self.state, word) {
            (State::Securing | State::Closed, _) => false,
            (State::Greeting, word) => matches!(word, "greeting" | "BYE"),
            (_, "greeting") => false,
            (_, "data" | "BYE") => true,
            (_, "+") => self.waits_for_plus(),
            (_, _) => tag.is_some(),
        };
        let forms = RESPONSES.iter().filter(|form| due(form.word));
        offer(forms, &tag.map(|tag| format!("A{tag}")).unwrap_or_default())
    }
}
