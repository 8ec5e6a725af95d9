//! What answers a session's asks, for each server role, from any [`Backend`].
//! A service knows accounts, mailboxes and messages; it knows nothing of commands and replies.

mod access;
mod content;
mod imap;
pub mod local;
mod pop3;
mod property;
mod report;
mod smtp;
pub mod submit;
pub mod trust;
mod url_auth;
mod watch;
pub mod web;

use std::collections::VecDeque;
use std::future::Future;

use pillarbox_engine::Role;
use pillarbox_engine::message::Index;
use pillarbox_engine::relay::{
    self, Attempted, Notice, Report, ReportKind, Schedule, Settled, Times,
};
use pillarbox_engine::sasl::{Credentials, LoginAnswer};
use pillarbox_engine::smtp::{Flush, MailFrom, Mailbox};
use pillarbox_engine::types::{BlobId, BlobRange, Now, Reason, Refusal};

use crate::hub::{Hub, SessionKey};
use crate::store::{AccountId, Outcome, Store, UploadId, Write};
use trust::{Edit, Judged, Letter, Signed};

pub use content::Content;
pub use imap::ImapService;
pub use pop3::Pop3Service;
pub use report::{About, report};
pub use smtp::{Client, Delivery, Parties, SmtpService};

/// Octets of a message that are given to the indexer; of a larger one only the header section is indexed.
pub const INDEX_MAX: u64 = 64 << 20;

/// What services need of the program around them.
pub trait Backend: Send + Sync + 'static {
    /// Where reads go.
    type Store: Store + Sync + ?Sized;
    /// Who may log in, and whose mail is taken.
    type Directory: Directory;

    /// Reads.
    fn store(&self) -> &Self::Store;
    /// Accounts and addresses.
    fn directory(&self) -> &Self::Directory;
    /// Sessions that have mailboxes open.
    fn hub(&self) -> &Hub;
    /// One transaction; the answer comes when it is durable and everybody else's changes are queued.
    fn write(
        &self,
        origin: SessionKey,
        write: Write,
    ) -> impl Future<Output = Result<Outcome, Reason>> + Send;
    /// A write that nobody waits for and that need not be durable.
    fn write_later(&self, write: Write);
    /// The index of a message, or of the beginning of one that has `size` octets in all.
    fn index(
        &self,
        octets: Vec<u8>,
        size: u64,
    ) -> impl Future<Output = Result<Indexed, Reason>> + Send;
    /// Wakes the session so that it takes its changes from the hub.
    fn wake(&self, key: SessionKey) -> crate::hub::Wake;
    /// This host's name, for reports.
    fn host_name(&self) -> &[u8];
    /// Annotations of the server that everybody may read and nobody may write, such as `/shared/admin` (RFC 5464 §6.2).
    fn annotations(&self) -> &[(Vec<u8>, Vec<u8>)] {
        &[]
    }
    /// Whether this account may say what accounts may use (RFC 9208 §4.1.3).
    fn sets_quotas(&self, _account: &[u8]) -> bool {
        false
    }
    /// Whether there is room for a message more, of so many octets if that is known; a host says no before its disk is full.
    ///
    /// # Errors
    /// [`Reason::StorageFull`].
    fn has_room(&self, _size: u64) -> Result<(), Reason> {
        Ok(())
    }
    /// Whether a message more may come from a stranger at this address now; if so, it is counted.
    ///
    /// # Errors
    /// Too many came.
    fn admits_message(&self, _peer: &[u8]) -> Result<(), Refusal> {
        Ok(())
    }
    /// Whether this account may write to one recipient more now; if so, it is counted.
    ///
    /// # Errors
    /// There were too many.
    fn admits_recipient(&self, _account: &[u8]) -> Result<(), Refusal> {
        Ok(())
    }
    /// Whether this account is a server that takes mail for others, and makes sure whose it is (RFC 4467 §2.3).
    fn submits(&self, _account: &[u8]) -> bool {
        false
    }
    /// Octets that nobody can guess, for keys.
    ///
    /// # Errors
    /// [`Reason::Unsupported`]: this host has none.
    fn chance(&self) -> Result<[u8; 32], Reason> {
        Err(Reason::Unsupported)
    }
    /// The queue's clock, in milliseconds since 1970 UTC: unlike the wall clock it never jumps.
    fn queue_ms(&self, now: Now) -> u64 {
        now.unix_ms
    }
    /// When mail is tried again.
    fn schedule(&self) -> Schedule {
        Schedule::default()
    }
    /// [`relay::times_of`]; where the relay functions run is the host's choice, of each of them.
    ///
    /// # Errors
    /// They broke what they run in.
    fn times_of(&self, mail: &MailFrom, came_unix_ms: u64) -> Result<Times, Reason> {
        Ok(relay::times_of(mail, came_unix_ms))
    }
    /// [`relay::first_attempt`].
    ///
    /// # Errors
    /// As [`times_of`](Self::times_of).
    fn first_attempt(&self, times: &Times, now_unix_ms: u64) -> Result<u64, Reason> {
        Ok(relay::first_attempt(times, now_unix_ms))
    }
    /// [`relay::notice_unix_ms`].
    ///
    /// # Errors
    /// As [`times_of`](Self::times_of).
    fn notice_unix_ms(&self, times: &Times, now_unix_ms: u64) -> Result<u64, Reason> {
        Ok(relay::notice_unix_ms(&self.schedule(), times, now_unix_ms))
    }
    /// [`relay::settle`].
    ///
    /// # Errors
    /// As [`times_of`](Self::times_of).
    fn settle(&self, attempted: Attempted) -> Result<Settled, Reason> {
        Ok(relay::settle(attempted))
    }
    /// [`relay::octets_wanted`].
    ///
    /// # Errors
    /// As [`times_of`](Self::times_of).
    fn octets_wanted(&self, kind: ReportKind, mail: &MailFrom, size: u64) -> Result<u64, Reason> {
        Ok(relay::octets_wanted(kind, mail, size))
    }
    /// A report as a message; where it is made is the host's choice.
    fn make_report(&self, report: &Report) -> Option<Notice> {
        relay::make_report(report)
    }
    /// Judges who sent a message that a stranger brings.
    ///
    /// # Errors
    /// A refusal: it is not taken.
    fn judge(&self, _letter: Letter<'_>) -> impl Future<Output = Result<Judged, Refusal>> + Send {
        std::future::ready(Ok(Judged::default()))
    }
    /// Signs a message of one of ours that leaves this host.
    ///
    /// # Errors
    /// It cannot be read.
    fn sign(&self, _letter: Letter<'_>) -> impl Future<Output = Result<Signed, Reason>> + Send {
        std::future::ready(Ok(Signed::With(Edit::default())))
    }
    /// Mail that waits there is to be tried now (RFC 1985); how many messages that are, if it is known.
    ///
    /// # Errors
    /// [`Reason::Overloaded`] if this was asked for too often.
    fn flush(&self, _flush: &Flush) -> Result<Option<u32>, Reason> {
        Ok(None)
    }
}

/// Indexes small messages where the connection's own session runs, which costs less than a sandbox for each.
pub trait Indexer: Send {
    /// The index of a whole message, encoded; none: ask [`Backend::index`].
    ///
    /// # Errors
    /// The session broke on it. The message is not taken, and the connection ends.
    fn index(&mut self, octets: &[u8]) -> Result<Option<Vec<u8>>, Reason>;
}

/// No indexer at hand.
impl Indexer for () {
    fn index(&mut self, _octets: &[u8]) -> Result<Option<Vec<u8>>, Reason> {
        Ok(None)
    }
}

/// A message and what one parse of it found.
#[derive(Clone, Debug)]
pub struct Indexed {
    /// The octets that were given.
    pub octets: Vec<u8>,
    /// Its index, as `pillarbox_engine::message` encodes it.
    pub index: Vec<u8>,
    /// Whether no line begins with a dot and the last ends with CRLF.
    pub plain: bool,
}

impl Indexed {
    /// Octets with their encoded index.
    ///
    /// # Errors
    /// [`Reason::StorageFailed`] if it is no index.
    pub fn new(octets: Vec<u8>, index: Vec<u8>) -> Result<Self, Reason> {
        let plain = Index::decode(&index).map_err(|_| Reason::StorageFailed)?.plain;
        Ok(Self { octets, index, plain })
    }
}

/// Who may log in, and whose mail is taken.
pub trait Directory: Send + Sync {
    /// What these credentials, which came on the connection `key`, open: the canonical account name; or the parameters of
    /// a SCRAM exchange; or why nothing.
    fn login(
        &self,
        key: SessionKey,
        credentials: Credentials,
    ) -> impl Future<Output = LoginAnswer> + Send;

    /// The account of somebody who, as a trusted peer says, has logged in there by this name; none if it is not here.
    fn known(&self, name: &[u8]) -> Option<Vec<u8>>;

    /// Where mail for this address goes, at least one place; `may_relay` says whether whoever sends may send anywhere.
    ///
    /// # Errors
    /// [`Reason::NotFound`] for an unknown recipient of ours, [`Reason::NotPermitted`] for one elsewhere.
    fn recipient(&self, to: &Mailbox, may_relay: bool) -> Result<Taken, Refusal>;

    /// The domains whose mailboxes are here, as far as they can be listed.
    fn domains(&self) -> Vec<Vec<u8>> {
        Vec::new()
    }

    /// Whether an account may send mail from this address.
    ///
    /// # Errors
    /// [`Reason::NotPermitted`] if the address is not the account's.
    fn sender(&self, account: &[u8], from: &Mailbox) -> Result<(), Refusal>;

    /// Whether an account may write as this author (RFC 6409 §6.3); false if it is let to, though the address is not its
    /// own: then nothing of ours vouches for it.
    ///
    /// # Errors
    /// As [`sender`](Self::sender).
    fn author(&self, account: &[u8], from: &Mailbox) -> Result<bool, Refusal> {
        self.sender(account, from).map(|()| true)
    }
}

/// Where mail for an address goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Accounts here.
    pub accounts: Vec<Vec<u8>>,
    /// Addresses elsewhere: the recipient itself, or what an alias names.
    pub elsewhere: Vec<Elsewhere>,
    /// Addresses of ours that an alias names and that nobody has: the sender is told of them (RFC 5321 §3.9.1, §6.1).
    pub unknown: Vec<Mailbox>,
}

impl Taken {
    /// Whether mail would reach nobody.
    #[must_use]
    pub fn is_nobody(&self) -> bool {
        self.accounts.is_empty() && self.elsewhere.is_empty()
    }
}

/// An address to which mail is relayed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elsewhere {
    /// The address.
    pub address: Mailbox,
    /// The key of its destination, as `pillarbox_engine::relay` gives it.
    pub destination: Vec<u8>,
}

/// Answers one session's asks.
pub trait Service<R: Role>: Send {
    /// The answer, once there is one.
    ///
    /// `indexer` is what the connection has at hand to index a small message with.
    fn answer(
        &mut self,
        now: Now,
        ask: R::Ask,
        indexer: &mut dyn Indexer,
    ) -> impl Future<Output = R::Answer> + Send;
    /// Octets that the session transmits by reference; only of messages that it was told of.
    fn octets(&mut self, range: BlobRange) -> Result<Vec<u8>, Reason>;
    /// A fact from the session.
    fn event(&mut self, event: &R::Event);
    /// What others did that the session must be told; asked for before every answer and after every wake.
    fn call(&mut self) -> Option<R::Call>;
    /// A fault on purpose: the mailbox that is opened next gets another UIDVALIDITY first.
    fn renews(&mut self) {}
    /// The session waits for its peer and has sent all that it was asked for: what it was told of stored messages it
    /// will not use again.
    fn rests(&mut self) {}
    /// The account that this connection is bound to, for logs.
    fn account(&self) -> Option<&[u8]>;
}

/// An account that a connection is bound to.
struct Bound {
    id: AccountId,
    name: Vec<u8>,
    /// Whoever it is did not say (RFC 4505).
    is_anonymous: bool,
}

/// Judges credentials and binds the connection to the account, making it if it is new.
async fn log_in<B: Backend>(
    backend: &B,
    key: SessionKey,
    credentials: Credentials,
) -> (Option<Bound>, LoginAnswer) {
    let refused = |refusal| (None, LoginAnswer::Refused(refusal));
    let is_anonymous = matches!(credentials, Credentials::Anonymous(_));
    let account = match backend.directory().login(key, credentials).await {
        LoginAnswer::Accepted(account) => account,
        answer => return (None, answer),
    };
    let name = &account.name;
    let id = match backend.store().account(name) {
        Ok(Some(id)) => id,
        Ok(None) => match backend.write(key, Write::EnsureAccount(name.clone())).await {
            Ok(Outcome::Account(id)) => id,
            Ok(_) => return refused(Refusal::new(Reason::StorageFailed)),
            Err(reason) => return refused(Refusal::new(reason)),
        },
        Err(reason) => return refused(Refusal::new(reason)),
    };
    let bound = Bound { id, name: name.clone(), is_anonymous };
    (Some(bound), LoginAnswer::Accepted(account))
}

/// Forgets messages that were staged for a write that did not happen.
fn unstage<B: Backend>(backend: &B, uploads: impl IntoIterator<Item = UploadId>) {
    uploads.into_iter().for_each(|upload| backend.write_later(Write::Unstage(upload)));
}

/// The messages that a session was told of last: it may read these and no others, whatever it asks for.
///
/// A session reads the messages of one page of rows at a time, so a few pages are enough.
#[derive(Default)]
struct Granted(VecDeque<BlobId>);

impl Granted {
    const MAX: usize = 512;

    fn grant(&mut self, blob: BlobId) {
        if self.0.len() >= Self::MAX {
            self.0.pop_front();
        }
        self.0.push_back(blob);
    }

    fn clear(&mut self) {
        self.0.clear();
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn all(&self) -> Vec<BlobId> {
        self.0.iter().copied().collect()
    }

    fn octets<S: Store + ?Sized>(&self, store: &S, range: BlobRange) -> Result<Vec<u8>, Reason> {
        // From the back: what was granted last is read first.
        if self.0.iter().rev().any(|&blob| blob == range.blob) {
            store.octets(range)
        } else {
            Err(Reason::NotPermitted)
        }
    }
}
