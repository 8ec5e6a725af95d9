//! What the server may say now. The flow takes all else for a server that is out of step; a test holds the two together.

use alloc::vec::Vec;

use super::listing::Rows;
use super::login::Login;
use super::{Client, Flow, State};
use crate::expected::{Expected, offer};
use crate::pop3::expected::REPLIES;

impl Client {
    /// What the server may say now. Nothing while no reply is due.
    #[must_use]
    pub fn expected(&self) -> Vec<Expected> {
        let row = |rows: &Rows| match rows {
            Rows::Sizes(_) => "size",
            Rows::UniqueIds(_) => "unique-id",
            Rows::Capabilities(_) => "capability",
            Rows::Languages(_) => "language",
        };
        let status: &[&str] = &["+OK", "-ERR"];
        let listed;
        let due: &[&str] = match &self.state {
            State::Capabilities(_, Some(listing)) | State::Open(Flow::Listing(listing)) => {
                listed = [row(&listing.rows), "end"];
                &listed
            }
            State::Open(Flow::Text(_)) => &["text", "end"],
            State::LoggingIn(login) => match &**login {
                Login::Exchanging(_) => &["+", "+OK", "-ERR"],
                login if login.is_asking() => &[],
                _ => status,
            },
            State::Open(Flow::Status) if self.common.sent.is_empty() => &[],
            State::Open(Flow::Chunk(..)) | State::Securing | State::Closed => &[],
            _ => status,
        };
        offer(REPLIES.iter().filter(|form| due.contains(&form.word)), "")
    }
}
