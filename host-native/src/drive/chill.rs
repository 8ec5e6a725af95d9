//! When a session that rests is frozen: after a while, or as soon as its place is wanted. How that is done is the driver's.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::Slots;

/// What cools a resting session.
pub(crate) struct Chill {
    pub(crate) slots: Arc<Slots>,
    /// Of rest.
    pub(crate) after: Duration,
}

impl Chill {
    /// Ends when the session is to be frozen.
    pub(super) async fn chilled(&self) {
        if !self.slots.are_scarce() {
            // Whichever is first.
            drop(tokio::time::timeout(self.after, self.slots.wanted()).await);
        }
    }

    /// The session cannot be frozen where it rests.
    pub(super) fn pass_on(&self) {
        self.slots.pass_on();
    }
}
