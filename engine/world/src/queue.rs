//! What waits to be relayed, as data: messages, their tasks, and the destinations that tasks are kept by.
//! When and how a task is tried is left to the runner; what an attempt means, to `pillarbox_engine::relay`.

use pillarbox_engine::relay::{Queued, Times};
use pillarbox_engine::smtp::MailFrom;
use pillarbox_engine::types::{BlobId, Reason};

use crate::store::Deliver;

/// Names a task; the store's own number, never reused.
pub type TaskId = u64;

/// The destination of mail that waits for mailboxes here: a message that is held until a time of its sender's choice
/// (RFC 4865). No domain and no configured route has a name like this.
pub const LOCAL: &[u8] = b"local:";

/// What the key of a destination ends with for mail that may go without TLS (RFC 8689): it does not wait behind other
/// mail for the same place, which may not.
pub const TLS_OPTIONAL: &[u8] = b" tls-optional";

/// What the key of a destination says of TLS begins with this, each word of it: no name of a host has a space.
const OF_TLS: &[u8] = b" tls-";

/// The key of a destination without what it says of TLS: what its operator calls it by.
#[must_use]
pub fn bare_destination(destination: &[u8]) -> &[u8] {
    let at = destination.windows(OF_TLS.len()).position(|octets| octets == OF_TLS);
    &destination[..at.unwrap_or(destination.len())]
}

/// Tasks that one [`Steer`] looks at, so that a large queue holds up no other write.
pub const STEER_MAX: u32 = 2000;

/// What a delivery leaves in the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Enqueue {
    /// MAIL as it was given to us.
    pub mail: MailFrom,
    /// Octets at the beginning of the message that are for final delivery only (RFC 5321 §4.4).
    pub skip: u64,
    /// When it came, and what its sender wants about time.
    pub times: Times,
    /// RFC 6710: from -9 to 9; higher goes first.
    pub priority: i8,
    /// Who gave it to us, for people: an account, or a peer.
    pub by: Vec<u8>,
    /// RFC 8689 §4.2.2: what the recipients' domains ask of TLS keeps it from nobody.
    pub tls_optional: bool,
    /// One for each destination, at least one.
    pub tasks: Vec<NewTask>,
}

/// A message's work for one destination.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewTask {
    /// The destination's key.
    pub destination: Vec<u8>,
    /// Recipients that go there, at least one.
    pub recipients: Vec<Queued>,
    /// When it is tried next.
    pub due_ms: u64,
    /// When its sender must be told something at the latest, even if it is not tried.
    pub notice_ms: u64,
}

/// A message in the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueuedMessage {
    /// Its octets; also its name.
    pub id: BlobId,
    /// Octets, those to skip included.
    pub size: u64,
    /// Octets at the beginning that are not sent.
    pub skip: u64,
    /// Whether no line begins with a dot and the last ends with CRLF.
    pub plain: bool,
    /// MAIL as it was given to us.
    pub mail: MailFrom,
    /// When it came, and what its sender wants about time.
    pub times: Times,
    /// RFC 6710.
    pub priority: i8,
    /// Who gave it to us.
    pub by: Vec<u8>,
    /// RFC 8689 §4.2.2: what the recipients' domains ask of TLS keeps it from nobody.
    pub tls_optional: bool,
}

/// A task with its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its name.
    pub id: TaskId,
    /// What is to be sent.
    pub message: QueuedMessage,
    /// Where to.
    pub destination: Vec<u8>,
    /// To whom.
    pub recipients: Vec<Queued>,
    /// When it is tried next.
    pub due_ms: u64,
    /// When its sender must be told something at the latest.
    pub notice_ms: u64,
    /// Whether an operator holds it: then it is not due.
    pub held: bool,
}

/// A destination with tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Destination {
    /// Its key.
    pub name: Vec<u8>,
    /// Tasks, held ones included.
    pub tasks: u64,
    /// When its earliest task that is not held is due, or when its back-off ends if that is later; none: all are held.
    pub wake_ms: Option<u64>,
    /// Until when it is left alone; 0: it is not.
    pub blocked_ms: u64,
    /// Failures to reach it, on end.
    pub failures: u32,
    /// Why it could not be reached.
    pub why: Vec<u8>,
}

/// The queue in numbers, without looking at it whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueStats {
    /// Messages.
    pub messages: u64,
    /// Tasks, held ones included.
    pub tasks: u64,
    /// Tasks that an operator holds.
    pub held: u64,
    /// When the oldest message came.
    pub oldest_ms: Option<u64>,
    /// The latest time that any write to the queue had: a clock that is behind it was set back.
    pub latest_ms: u64,
}

/// Reads of the queue. Every page is bounded by its `max`.
pub trait Queue {
    /// Destinations that have a task due and are not blocked, the longest due first.
    fn due_destinations(&self, now_ms: u64, max: u32) -> Result<Vec<Destination>, Reason>;
    /// When the next destination is due after this time; none: nothing waits until then.
    fn next_wake_ms(&self, after_ms: u64) -> Result<Option<u64>, Reason>;
    /// Tasks of a destination that are due, by priority, then the longest due, then the oldest.
    fn due_tasks(&self, destination: &[u8], now_ms: u64, max: u32) -> Result<Vec<TaskId>, Reason>;
    /// Tasks of a destination whose sender must be told something by now, the longest due first.
    fn notice_tasks(
        &self,
        destination: &[u8],
        now_ms: u64,
        max: u32,
    ) -> Result<Vec<TaskId>, Reason>;
    /// When the sender of a task of a destination must next be told something, after this time; none: nobody.
    fn next_notice_ms(&self, destination: &[u8], after_ms: u64) -> Result<Option<u64>, Reason>;
    /// A destination; [`Reason::NotFound`] if nothing waits for it.
    fn destination(&self, name: &[u8]) -> Result<Destination, Reason>;
    /// Destinations in the order of their names, after one.
    fn destinations(&self, after: &[u8], max: u32) -> Result<Vec<Destination>, Reason>;
    /// Messages, oldest first, after one.
    fn messages(&self, after: BlobId, max: u32) -> Result<Vec<QueuedMessage>, Reason>;
    /// Tasks of a message, in the order of their numbers, after one.
    fn tasks(&self, message: BlobId, after: TaskId, max: u32) -> Result<Vec<Task>, Reason>;
    /// A task; [`Reason::NotFound`] if it is over.
    fn task(&self, task: TaskId) -> Result<Task, Reason>;
    /// Numbers.
    fn queue_stats(&self) -> Result<QueueStats, Reason>;
}

/// An attempt's outcome, all in one transaction. A task that is over is [`Reason::NotFound`].
#[derive(Clone, Debug, Default)]
pub struct Settle {
    /// The task that was tried.
    pub task: TaskId,
    /// What stays in its place; the first keeps its number. None: it is over. A task that is held stays held.
    pub keep: Vec<NewTask>,
    /// Accounts whose INBOX gets the message now; made if they do not exist.
    pub accounts: Vec<Vec<u8>>,
    /// Reports that follow.
    pub reports: Vec<Deliver>,
    /// The queue's clock.
    pub now_ms: u64,
}

/// A destination is left alone, or no longer: one row, however many tasks it has. Done also if it has none.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// Which.
    pub destination: Vec<u8>,
    /// Until when; 0: no longer. A task that comes later shortens it to when its own sender must be told something.
    pub until_ms: u64,
    /// Failures to reach it, on end.
    pub failures: u32,
    /// Why.
    pub why: Vec<u8>,
}

/// What an operator does with tasks; at most [`STEER_MAX`] are looked at in one write, and the outcome says whether to go
/// on. Outcome: steered.
#[derive(Clone, Debug)]
pub struct Steer {
    /// Which tasks.
    pub which: Which,
    /// Only tasks with higher numbers.
    pub after: TaskId,
    /// What is done with them.
    pub action: Action,
}

/// Which tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// All.
    All,
    /// Those of a message.
    Message(BlobId),
    /// Those of a destination, whatever they ask of TLS.
    Destination(Vec<u8>),
    /// Those of the destinations that are this domain or below it, in the form that destinations have.
    Under(Vec<u8>),
}

impl Which {
    /// Whether tasks of this destination may be meant.
    #[must_use]
    pub fn has(&self, destination: &[u8]) -> bool {
        let bare = bare_destination(destination);
        match self {
            Self::All | Self::Message(_) => true,
            Self::Destination(name) => {
                // By its whole key only that one is meant, but for what may go without TLS.
                let named = destination.strip_suffix(TLS_OPTIONAL).unwrap_or(destination);
                destination == name || named == name || bare == name
            }
            Self::Under(domain) => bare.strip_suffix(&domain[..]).is_some_and(|below| {
                // Of a name the end at a dot, and not of one with a port or a service.
                below.is_empty() || below.ends_with(b".") && !below.contains(&b':')
            }),
        }
    }
}

/// What is done with tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// They wait until they are released.
    Hold,
    /// They are due as they were before.
    Release,
    /// They are due now, and their destinations no longer blocked; those that are held stay as they are.
    Retry {
        /// The queue's clock.
        now_ms: u64,
    },
    /// They are removed; nobody is told.
    Delete,
    /// The same for who sent a message and takes it back, while none of its tasks is due: all of them, or none.
    Recall {
        /// The queue's clock.
        now_ms: u64,
    },
    /// Those due later than `latest_ms` are due now, unless their sender wanted it so: the clock was set back.
    Clamp {
        /// The queue's clock.
        now_ms: u64,
        /// The latest that a schedule can have meant.
        latest_ms: u64,
    },
}

/// What a steering did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steered {
    /// Tasks that it changed.
    pub tasks: u32,
    /// Tasks that were to be tried now, and stay held.
    pub held: u32,
    /// The last task that was looked at, if there may be more behind it.
    pub last: Option<TaskId>,
}

impl QueuedMessage {
    /// Octets that are sent.
    #[must_use]
    pub fn sent_size(&self) -> u64 {
        self.size.saturating_sub(self.skip)
    }
}

impl Action {
    /// Whether nothing is done since one of the tasks that are meant is due then.
    #[must_use]
    pub fn comes_too_late(self, mut due_ms: impl Iterator<Item = u64>) -> bool {
        matches!(self, Self::Recall { now_ms } if due_ms.any(|due_ms| due_ms <= now_ms))
    }

    /// When a task is due after a clock was set back; none: it stays.
    #[must_use]
    pub fn clamped(times: &Times, due_ms: u64, now_ms: u64, latest_ms: u64) -> Option<u64> {
        let wanted = times.hold_until_unix_ms.unwrap_or(0);
        let due = now_ms.max(wanted);
        (due_ms > latest_ms && due < due_ms).then_some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::Which;

    #[test]
    fn a_domain_has_what_ends_with_it_at_a_dot() {
        let under = Which::Under(b"foo.example".to_vec());
        for (name, inside) in [
            (&b"foo.example"[..], true),
            (b"a.b.foo.example", true),
            (b"a.foo.example tls-optional", true),
            (b"a.foo.example tls-required tls-optional", true),
            (b"notfoo.example", false),
            (b"example", false),
            (b"lmtp:mx.foo.example", false),
            (b"[mx.foo.example]:25", false),
        ] {
            assert_eq!(under.has(name), inside, "{}", name.escape_ascii());
        }
        let one = Which::Destination(b"foo.example".to_vec());
        assert!(one.has(b"foo.example") && one.has(b"foo.example tls-optional"));
        assert!(one.has(b"foo.example tls-required tls-optional"));
        assert!(!one.has(b"a.foo.example"));
        let strict = Which::Destination(b"foo.example tls-required".to_vec());
        assert!(strict.has(b"foo.example tls-required tls-optional"));
        assert!(!strict.has(b"foo.example") && !strict.has(b"foo.example tls-optional"));
    }
}
