//! The session as the indexer of the messages that come by it: a sandbox of their own would cost more than small ones do.

use pillarbox_engine::types::Reason;
use pillarbox_world::service::Indexer;

use super::roles::{Link, Served};
use crate::engine::Driven;

/// A session, lent for one answer.
pub(super) struct Here<'a, R: Served> {
    pub(super) session: &'a mut dyn Driven<R>,
    pub(super) link: &'a Link,
}

impl<R: Served> Indexer for Here<'_, R> {
    fn index(&mut self, octets: &[u8]) -> Result<Option<Vec<u8>>, Reason> {
        self.session.index(octets).map_err(|trap| {
            // The next step of the session fails too, and ends the connection.
            let session = self.link.session_id();
            tracing::error!(session, peer = %self.link.peer, %trap, "a message broke the session that it came by");
            Reason::StorageFailed
        })
    }
}
