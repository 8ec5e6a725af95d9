//! What the server may say now. The flow takes all else for a server that is out of step; a test holds the two together.

use alloc::vec::Vec;

use super::transaction::Expected as Due;
use super::{Client, State};
use crate::expected::{Expected, offer};
use crate::smtp::expected::REPLIES;

/// Any command can be refused so.
const REFUSALS: [&str; 3] = ["421", "451", "554"];

impl Client {
    /// What the server may say now, the usual reply first. Nothing while no reply is due.
    #[must_use]
    pub fn expected(&self) -> Vec<Expected> {
        let due: &[&str] = match &self.state {
            State::Greeting => &["220"],
            State::Hello(_) => &["250", "500", "502"],
            State::StartingTls => &["220", "454"],
            State::LoggingIn(login) if !login.is_asking() => &["334", "235", "535"],
            State::Envelope(tx) | State::Ended(tx) => match tx.expected.front() {
                Some(Due::Mail) => &["250", "452", "550"],
                Some(Due::Rcpt(_)) => &["250", "251", "450", "452", "550"],
                Some(Due::Data) => &["354"],
                Some(Due::Reset | Due::LoneDot) => &["250"],
                Some(Due::Chunk | Due::End | Due::EndFor(_)) => &["250", "452", "552"],
                None => return Vec::new(),
            },
            State::Quitting => &["221"],
            _ => return Vec::new(),
        };
        let forms =
            REPLIES.iter().filter(|form| due.contains(&form.word) || REFUSALS.contains(&form.word));
        let mut offered = offer(forms, "");
        crate::order::sort_by_key(&mut offered, |offered| {
            due.iter().position(|word| *word == offered.form.word).unwrap_or(usize::MAX)
        });
        offered
    }
}
