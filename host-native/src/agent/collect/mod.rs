//! Collects mail from another server into an account here. What to ask for and what may be removed there is decided by
//! `pillarbox_engine::collect`; here it is asked for, stored, and removed.

mod imap;
mod intake;
mod pop3;

use pillarbox_engine::collect::Counts;

use crate::client::reading::Ended;
use crate::error::Error;
use crate::local::Key;

pub(crate) use imap::{ImapSink, collect_imap};
pub(crate) use pop3::{PopSink, collect_pop3};

/// Messages that were asked for and are not stored.
const OPEN_MAX: usize = 256;
/// Messages that are removed at once.
const DELETE_AT: usize = 100;

/// What is collected, and where to.
#[derive(Clone, Debug)]
pub(crate) struct Collecting {
    /// Canonical.
    pub(crate) account: String,
    pub(crate) mailbox: String,
    /// Which mailbox of which server.
    pub(crate) source: Key,
    /// Whether what is stored here is removed there.
    pub(crate) delete: bool,
    /// The mailbox there, of IMAP.
    pub(crate) remote: String,
}

/// What a round did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Round {
    pub(crate) counts: Counts,
    /// Octets that were stored.
    pub(crate) octets: u64,
    /// What people should know, one sentence each.
    pub(crate) notes: Vec<String>,
    /// The highest UID that was seen.
    pub(crate) last_uid: u32,
}

/// Why a round stopped.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// The other server, or the way to it.
    There(Ended),
    /// This machine.
    Here(Error),
}

impl From<Ended> for Stopped {
    fn from(ended: Ended) -> Self {
        Self::There(ended)
    }
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Here(error)
    }
}
